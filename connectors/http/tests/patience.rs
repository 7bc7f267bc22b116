//! A place that hangs: what is silent, and who is asked again.

mod common;

use async_trait::async_trait;
use bytes::Bytes;
use common::{Reply, Server, json, options};
use std::sync::{Arc, Mutex};
use twofold_http::patience::PROBE_MS;
use twofold_http::{
    Client, Hurry, Method, Network, NetworkTransport, Patience, Request, Response, Transport, TransportError, Wire,
};
use twofold_model::ErrorKind;
use url::Url;

const LONG_MS: u64 = 30_000;

fn wire(url: &Url, silence_ms: u64) -> Wire {
    let (headers, body) = (Vec::new(), Bytes::new());
    let (url, timeout_ms) = (url.clone(), 180_000);
    let (method, hurry) = (Method::Get, None);
    Wire {
        what: "list",
        method,
        url,
        headers,
        body,
        timeout_ms,
        silence_ms,
        hurry,
        max_body: 1000,
        heard: Arc::default(),
    }
}

/// Answers as it is told, and notes which host was given how long.
#[derive(Default)]
struct Script {
    outcomes: Mutex<Vec<Result<(), TransportError>>>,
    asked: Mutex<Vec<(String, u64)>>,
}

impl Script {
    fn of(outcomes: &[Result<(), TransportError>]) -> Arc<Script> {
        Arc::new(Script { outcomes: Mutex::new(outcomes.iter().rev().cloned().collect()), asked: Mutex::default() })
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().iter().map(|(_, ms)| *ms).collect()
    }
}

#[async_trait]
impl Transport for Script {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        self.asked.lock().unwrap().push((wire.url.host_str().unwrap().to_owned(), wire.silence_ms));
        let outcome = self.outcomes.lock().unwrap().pop().expect("no further request is sent");
        outcome.map(|()| Response::new(200, vec![("content-type".into(), "application/json".into())], b"{}".to_vec()))
    }
}

fn graph() -> Url {
    Url::parse("https://graph.example/v1.0").unwrap()
}

#[tokio::test]
async fn a_place_that_hangs_is_asked_once_more_for_a_short_time_and_then_no_more() {
    for silent in [TransportError::Silent, TransportError::Unopened] {
        let script = Script::of(&[Ok(()), Err(silent.clone()), Err(silent.clone())]);
        let patience = Patience::new(script.clone());
        patience.exchange(&wire(&graph(), LONG_MS)).await.unwrap();
        for expected in [silent.clone(), silent, TransportError::Away, TransportError::Away] {
            assert_eq!(patience.exchange(&wire(&graph(), LONG_MS)).await.unwrap_err(), expected);
        }
        assert_eq!(script.asked(), [LONG_MS, LONG_MS, PROBE_MS]);
    }
}

#[tokio::test]
async fn one_request_that_hangs_does_not_take_its_place_away() {
    let silent = || Err(TransportError::Silent);
    let script = Script::of(&[silent(), Ok(()), silent(), Ok(()), Ok(())]);
    let patience = Patience::new(script.clone());
    for is_answered in [false, true, false, true, true] {
        assert_eq!(patience.exchange(&wire(&graph(), LONG_MS)).await.is_ok(), is_answered);
    }
    assert_eq!(script.asked(), [LONG_MS, PROBE_MS, LONG_MS, PROBE_MS, LONG_MS]);
}

#[tokio::test]
async fn a_place_of_which_one_host_hangs_has_a_short_time_at_its_others_and_they_go_on_where_they_answer() {
    let script = Script::of(&[Err(TransportError::Silent), Ok(()), Ok(())]);
    let patience = Patience::new(script.clone());
    patience.exchange(&wire(&graph(), LONG_MS)).await.unwrap_err();
    let other = Url::parse("https://people.example/v1").unwrap();
    for _ in 0..2 {
        patience.exchange(&wire(&other, LONG_MS)).await.unwrap();
    }
    assert_eq!(script.asked(), [LONG_MS, PROBE_MS, LONG_MS]);
}

#[tokio::test]
async fn those_that_were_under_way_together_count_once_and_other_failures_do_not() {
    let patience = Patience::new(Arc::new(NetworkTransport::new(Network::default())));
    let Reply::Raw(late) = json("{}") else { unreachable!() };
    let server = Server::start(move |number, _| match number {
        0..3 => Reply::Late(5_000, late.clone()),
        3 => Reply::Drop,
        _ => json("{}"),
    })
    .await;
    let hanging = wire(&server.url, 100);
    let all = futures_util::future::join_all((0..3).map(|_| patience.exchange(&hanging))).await;
    assert!(all.iter().all(|answer| answer.as_ref().unwrap_err() == &TransportError::Silent), "{all:?}");
    assert!(matches!(patience.exchange(&wire(&server.url, LONG_MS)).await, Err(TransportError::Cut(_))));
    patience.exchange(&wire(&server.url, LONG_MS)).await.unwrap();
}

#[tokio::test]
async fn silence_before_an_answer_and_in_the_middle_of_one_is_the_same() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{".to_vec();
    let Reply::Raw(late) = json("{}") else { unreachable!() };
    let server = Server::start(move |number, _| match number {
        0 => Reply::Late(5_000, late.clone()),
        _ => Reply::Raw(head.clone()),
    })
    .await;
    let network = NetworkTransport::new(Network::default());
    for _ in 0..2 {
        assert_eq!(network.exchange(&wire(&server.url, 100)).await.unwrap_err(), TransportError::Silent);
    }
}

#[tokio::test]
async fn after_silence_a_read_and_a_write_are_unknown_and_at_once_and_what_is_not_sent_any_more_was_not_executed() {
    for (request, unsent) in
        [(Request::get("list", "/x"), ErrorKind::Offline), (Request::post("make", "/x"), ErrorKind::NotSent)]
    {
        let script = Script::of(&[Err(TransportError::Silent), Err(TransportError::Silent)]);
        let (options, clock) = options(&graph());
        let patience = Arc::new(Patience::new(script.clone()));
        let client = Client::new(options.transport(patience)).unwrap();
        for expected in [ErrorKind::Unknown, ErrorKind::Unknown, unsent] {
            let error = client.send(request.clone()).await.unwrap_err();
            assert_eq!(error.kind, expected, "{error}");
            assert!(error.message.starts_with("graph.example: "), "{error}");
        }
        assert_eq!(script.asked(), [LONG_MS, PROBE_MS]);
        assert_eq!(common::waited_s(&clock), 0.0);
    }
}

#[tokio::test]
async fn a_place_that_hangs_over_writes_is_asked_on_and_no_answer_to_a_read_makes_its_writes_less_doubtful() {
    let silent = || Err(TransportError::Silent);
    let script = Script::of(&[silent(), Ok(()), silent(), Ok(()), Ok(())]);
    let patience = Patience::new(script.clone());
    let write = Wire { hurry: Some(Hurry::default()), ..wire(&graph(), LONG_MS) };
    let read = wire(&graph(), LONG_MS);
    assert_eq!(patience.exchange(&write).await.unwrap_err(), TransportError::Silent);
    patience.exchange(&read).await.unwrap();
    assert_eq!(patience.exchange(&write).await.unwrap_err(), TransportError::Silent);
    for _ in 0..2 {
        assert_eq!(patience.exchange(&write).await.unwrap_err(), TransportError::Away);
        patience.exchange(&read).await.unwrap();
    }
    assert_eq!(script.asked(), [LONG_MS, LONG_MS, PROBE_MS, LONG_MS, LONG_MS]);
}

#[tokio::test]
async fn a_place_that_hangs_over_lists_is_written_to_all_the_same_for_a_short_time() {
    let silent = || Err(TransportError::Silent);
    let script = Script::of(&[silent(), silent(), Ok(()), silent()]);
    let patience = Patience::new(script.clone());
    let write = Wire { hurry: Some(Hurry::default()), ..wire(&graph(), LONG_MS) };
    let read = wire(&graph(), LONG_MS);
    for expected in [TransportError::Silent, TransportError::Silent, TransportError::Away] {
        assert_eq!(patience.exchange(&read).await.unwrap_err(), expected);
    }
    patience.exchange(&write).await.unwrap();
    for expected in [TransportError::Silent, TransportError::Away] {
        assert_eq!(patience.exchange(&write).await.unwrap_err(), expected);
    }
    assert_eq!(script.asked(), [LONG_MS, PROBE_MS, PROBE_MS, PROBE_MS]);
}
