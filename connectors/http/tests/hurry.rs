//! What others wait for: how long a pause, and a write that hangs, may hold them.

mod common;

use async_trait::async_trait;
use common::{Reply, Server, T0, json, options};
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use twofold_http::{
    Budget, Client, Clock, Effect, Hurry, Limits, Part, Request, Response, Transport, TransportError, Wire,
};
use twofold_model::{Error, ErrorKind};
use url::Url;

/// The time of the runtime, which a test turns.
struct Turned(Instant);

#[async_trait]
impl Clock for Turned {
    fn now_ms(&self) -> u64 {
        T0 + u64::try_from(self.0.elapsed().as_millis()).unwrap()
    }

    async fn sleep_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// Asks everybody to wait for so many seconds, so many times, and answers then.
struct Throttling {
    pause_s: u64,
    times: usize,
    asked: AtomicUsize,
}

#[async_trait]
impl Transport for Throttling {
    async fn exchange(&self, _wire: &Wire) -> Result<Response, TransportError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        let headers = vec![kind, ("retry-after".to_owned(), self.pause_s.to_string())];
        Ok(Response::new(if number < self.times { 429 } else { 200 }, headers, b"{}".to_vec()))
    }
}

/// A client whose place asks for such pauses, and what says that others wait.
fn throttled(pause_s: u64, times: usize) -> (Client, Arc<AtomicBool>) {
    let place = Arc::new(Throttling { pause_s, times, asked: AtomicUsize::new(0) });
    let base = Url::parse("https://graph.example/v1.0").unwrap();
    let hurry = Hurry::default();
    let options = options(&base).0.transport(place).clock(Arc::new(Turned(Instant::now()))).hurry(hurry.clone());
    (Client::new(options).unwrap(), hurry.is_waited_for)
}

fn seconds(error: &Error) -> Option<u64> {
    match error.kind {
        ErrorKind::Throttled { retry_after_s } => retry_after_s,
        _ => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_waited_for_as_long_as_nobody_else_waits() {
    let (client, _) = throttled(20, 3);
    let began = Instant::now();
    client.send(Request::get("list", "/x")).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_holds_nobody_who_waits_and_no_further_request_holds_them_again() {
    for request in [Request::get("list", "/x"), Request::post("make", "/x")] {
        let (client, is_waited_for) = throttled(20, usize::MAX);
        is_waited_for.store(true, Ordering::SeqCst);
        let began = Instant::now();
        for _ in 0..20 {
            let error = client.send(request.clone()).await.unwrap_err();
            assert!(seconds(&error) > Some(15), "{error}");
            assert!(error.message.contains("asked us to wait, and others wait"), "{error}");
        }
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert_eq!(client.counters().requests, 1, "what waits for a pause was not sent");
    }
}

#[tokio::test(start_paused = true)]
async fn short_pauses_one_after_the_other_hold_others_no_longer_than_one_long_one() {
    for pause_s in [1, 2, 4] {
        let (client, is_waited_for) = throttled(pause_s, usize::MAX);
        is_waited_for.store(true, Ordering::SeqCst);
        let began = Instant::now();
        seconds(&client.send(Request::get("list", "/x")).await.unwrap_err());
        assert!(began.elapsed() < Duration::from_secs(6), "{pause_s} {:?}", began.elapsed());
        // One that is over soon is waited for.
        let (client, is_waited_for) = throttled(pause_s, 1);
        is_waited_for.store(true, Ordering::SeqCst);
        client.send(Request::get("list", "/x")).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_begins_to_wait_in_the_midst_of_a_pause_is_held_no_longer() {
    let (client, is_waited_for) = throttled(30, usize::MAX);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(8)).await;
        is_waited_for.store(true, Ordering::SeqCst);
    });
    let began = Instant::now();
    let error = client.send(Request::get("list", "/x")).await.unwrap_err();
    assert_eq!((began.elapsed().as_secs(), seconds(&error)), (8, Some(22)));
}

#[tokio::test(start_paused = true)]
async fn who_says_itself_how_long_a_request_may_wait_is_asked() {
    let (client, is_waited_for) = throttled(20, 1);
    is_waited_for.store(true, Ordering::SeqCst);
    let began = Instant::now();
    client.send_while(Request::get("read a message", "/x"), &|| true).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 20);
}

/// Asks to wait for two seconds each time when it was not just waited for, and with each part of a batch but the first.
#[derive(Default)]
struct Stuttering(AtomicUsize);

#[async_trait]
impl Transport for Stuttering {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        if wire.url.path().ends_with("/$batch") {
            let asked: serde_json::Value = serde_json::from_slice(&wire.body).unwrap();
            let part = |(at, part): (usize, &serde_json::Value)| {
                let headers = serde_json::json!({"content-type": "application/json", "retry-after": "2"});
                let status = if at == 0 { 200 } else { 429 };
                serde_json::json!({"id": part["id"], "status": status, "headers": headers, "body": {}})
            };
            let parts: Vec<_> = asked["requests"].as_array().unwrap().iter().enumerate().map(part).collect();
            let body = serde_json::json!({"responses": parts}).to_string();
            return Ok(Response::new(200, vec![kind], body.into_bytes()));
        }
        let status = if self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 429 } else { 200 };
        Ok(Response::new(status, vec![kind, ("retry-after".to_owned(), "2".to_owned())], b"{}".to_vec()))
    }
}

#[tokio::test(start_paused = true)]
async fn pauses_between_answers_that_come_hold_others_no_longer_either() {
    let parts: Vec<Part> = (0..9).map(|number| Part::get(number.to_string(), format!("/x/{number}"))).collect();
    for (is_waited_for, is_batch) in [(true, false), (true, true), (false, false), (false, true)] {
        let base = Url::parse("https://graph.example/v1.0").unwrap();
        let hurry = Hurry::default();
        hurry.is_waited_for.store(is_waited_for, Ordering::SeqCst);
        let options = options(&base).0.transport(Arc::new(Stuttering::default())).hurry(hurry);
        let client = Client::new(options.clock(Arc::new(Turned(Instant::now())))).unwrap();
        let began = Instant::now();
        let answers = match is_batch {
            true => client.send_batch("read", "/$batch", Effect::Read, &parts).await,
            false => join_all((0..9).map(|number| client.send(Request::get("list", format!("/x/{number}"))))).await,
        };
        let answered = answers.iter().filter(|answer| answer.is_ok()).count();
        match is_waited_for {
            true => {
                assert!((2..9).contains(&answered), "{answered} of {is_batch}");
                assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
                assert!(
                    answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| seconds(error) <= Some(2))
                );
            }
            false => assert_eq!(answered, 9, "{is_batch}"),
        }
    }
}

#[tokio::test]
async fn a_write_that_hangs_is_given_up_when_others_wait_and_a_read_has_its_time() {
    let Reply::Raw(late) = json("{}") else { unreachable!() };
    let server = Server::start(move |_, seen| match seen.method.as_str() {
        "GET" => Reply::Late(600, late.clone()),
        _ => Reply::Late(20_000, late.clone()),
    })
    .await;
    let mut hurry = Hurry::default();
    hurry.silence_ms = 200;
    let client = Client::new(options(&server.url).0.hurry(hurry.clone())).unwrap();
    let is_waited_for = hurry.is_waited_for;
    let later = is_waited_for.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        later.store(true, Ordering::SeqCst);
    });
    let began = Instant::now();
    let error = client.send(Request::post("make", "/x")).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_millis(500), "nobody waited before");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((error.kind, client.counters().silent_writes), (ErrorKind::Unknown, 1), "{error}");
    client.send(Request::get("list", "/x")).await.unwrap();
    assert_eq!(client.counters().silent_writes, 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_an_address_that_is_not_the_providers_holds_others_no_longer() {
    let (client, is_waited_for) = throttled(50, usize::MAX);
    is_waited_for.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let upload = Request::post("upload", "https://elsewhere.example/session");
    seconds(&client.send_unsigned(upload).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    // The next run keeps it, too, and does not begin anew; what is only read does not wait.
    let kept = client.budget().snapshot();
    let next = Arc::new(Budget::new(Limits::default()));
    next.restore(kept);
    assert!((45_000..=50_000).contains(&next.write_pause_left_ms(client.now_ms())));
    assert_eq!(next.pause_left_ms(client.now_ms()), 0);
}
