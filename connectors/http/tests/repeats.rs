//! What is sent again, when, and what never is: pauses, stumbling, cuts, budgets. No test really waits.
#![allow(missing_docs)]

mod common;

use common::{Reply, Server, T0, client, graph_budget, json, options, reply, status, waited_s};
use serde_json::json as value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use twofold_http::{
    Budget, Client, Clock, Effect, Limits, ManualClock, Part, Request, Response, Transport, TransportError, Wire,
};
use twofold_model::ErrorKind;

fn list() -> Request {
    Request::get("list contacts", "/me/contacts")
}

fn create() -> Request {
    Request::post_json("create contact", "/me/contacts", value!({"givenName": "Ada"}))
}

#[tokio::test]
async fn a_429_with_decimals_is_rounded_up_and_obeyed_by_reads_and_writes() {
    for request in [list(), create()] {
        let server =
            Server::start(|n, _| if n == 0 { reply(429, &[("retry-after", "2.128")], b"") } else { json("{}") }).await;
        let (client, clock) = client(&server);
        client.send(request).await.unwrap();
        assert_eq!((server.count(), waited_s(&clock)), (2, 3.0));
    }
}

#[tokio::test]
async fn a_429_with_a_date_is_obeyed_by_the_servers_clock() {
    let date = [("date", "Wed, 21 Oct 2026 07:28:00 GMT"), ("retry-after", "Wed, 21 Oct 2026 07:28:20 GMT")];
    let server = Server::start(move |n, _| if n == 0 { reply(429, &date, b"") } else { json("{}") }).await;
    let (client, clock) = client(&server);
    client.send(list()).await.unwrap();
    assert_eq!(waited_s(&clock), 20.0);
}

#[tokio::test]
async fn a_429_that_names_no_time_is_waited_for_longer_and_longer_until_the_deadline() {
    // Nor does a pause of no time name any, or one that was over when it was named.
    let was = ("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT");
    for says in [vec![], vec![("retry-after", "0")], vec![("date", "Wed, 21 Oct 2026 07:28:00 GMT"), was]] {
        let sends = says.clone();
        let server = Server::start(move |_, _| reply(429, &sends, b"")).await;
        let (client, clock) = client(&server);
        let error = client.send(create()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Throttled { retry_after_s: Some(_) }), "{error}");
        assert!((4..=10).contains(&server.count()), "{says:?}: {} requests", server.count());
        assert!(waited_s(&clock) <= 180.0);
    }
}

#[tokio::test]
async fn what_the_dialect_calls_throttled_is_treated_alike() {
    let server = Server::start(|n, _| if n == 0 { reply(403, &[], b"rate") } else { json("{}") }).await;
    let (client, clock) = client(&server);
    client.send(create()).await.unwrap();
    assert_eq!(waited_s(&clock), 2.0);
}

#[tokio::test]
async fn pauses_that_name_no_time_take_a_minute_of_a_run_at_most_and_the_outcome_says_what_is_waited_for() {
    let server = Server::start(|_, seen| match seen.method.as_str() {
        "GET" => json("{}"),
        _ => status(429),
    })
    .await;
    let (client, clock) = client(&server);
    // Other requests get through meanwhile, and are no reason to believe that this kind does.
    for _ in 0..20 {
        let error = client.send(create()).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Throttled { retry_after_s: Some(1..=64) }), "{error}");
        assert!(error.to_string().contains(" s are left") || error.to_string().contains("next try"), "{error}");
        let _ = client.send(list()).await;
    }
    let parts = [Part::get("a", "/me/contacts/1"), Part::get("b", "/me/contacts/2")];
    for result in client.send_batch("read contacts", "/$batch", Effect::Write, &parts).await {
        assert!(matches!(result.unwrap_err().kind, ErrorKind::Throttled { .. }));
    }
    assert!((15.0..=61.0).contains(&waited_s(&clock)), "{} s", waited_s(&clock));
    let ErrorKind::Throttled { retry_after_s: Some(left_s) } = client.send(create()).await.unwrap_err().kind else {
        panic!("it says when the next try is");
    };
    // The next run may wait as long, and begins where the pause ends, unless that is more than its minute away.
    let (next, _) = options(&server.url);
    next.budget.restore(client.budget().snapshot());
    let later = Arc::new(ManualClock::hurried(clock.now_ms()));
    let next = Client::new(next.clock(later.clone())).unwrap();
    for _ in 0..20 {
        next.send(create()).await.unwrap_err();
    }
    let waited_ms = later.now_ms() - clock.now_ms();
    match left_s > 60 {
        true => assert_eq!(waited_ms, 0, "{left_s} s are left"),
        false => assert!((15_000..=126_000).contains(&waited_ms), "{waited_ms}"),
    }
}

#[tokio::test]
async fn pauses_that_name_no_time_are_waited_for_as_long_as_that_is_of_use() {
    let server = Server::start(|n, _| if n % 3 != 2 { status(429) } else { json("{}") }).await;
    let (client, clock) = client(&server);
    for _ in 0..40 {
        client.send(create()).await.unwrap();
    }
    assert_eq!(server.count(), 120);
    assert!((100.0..=240.0).contains(&waited_s(&clock)), "{} s", waited_s(&clock));
}

#[tokio::test]
async fn a_foreign_address_that_throttles_and_names_no_time_is_left_after_a_minute() {
    let server = Server::start(|_, _| status(429)).await;
    let (client, clock) = client(&server);
    let put = Request::put_bytes("attach range", format!("{}up", server.url), "application/octet-stream", vec![1]);
    let error = client.send_unsigned(put).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Throttled { .. }), "{error}");
    assert!(waited_s(&clock) <= 61.0, "{} s", waited_s(&clock));
}

#[tokio::test]
async fn a_long_pause_is_an_error_now_and_obeyed_by_all_and_by_the_next_run() {
    let server =
        Server::start(|n, _| if n == 0 { reply(429, &[("retry-after", "300")], b"") } else { json("{}") }).await;
    let (client, clock) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after_s: Some(300) });
    let error = client.send(create()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled { retry_after_s: Some(300) }, "another worker does not ask either");
    assert_eq!((server.count(), clock.now_ms()), (1, T0));

    let (next, _) = options(&server.url);
    next.budget.restore(client.budget().snapshot());
    let later = Arc::new(ManualClock::hurried(T0 + 290_000));
    Client::new(next.clock(later.clone())).unwrap().send(list()).await.unwrap();
    assert_eq!(later.now_ms(), T0 + 300_000);
}

#[tokio::test]
async fn a_pause_for_writes_alone_lets_reading_go_on_and_outlives_the_run() {
    let full = || reply(403, &[("retry-after", "300"), ("x-writes-only", "1")], b"rate");
    let server = Server::start(move |_, seen| if seen.method == "POST" { full() } else { json("{}") }).await;
    let (client, clock) = client(&server);
    let held = ErrorKind::Throttled { retry_after_s: Some(300) };
    assert_eq!(client.send(create()).await.unwrap_err().kind, held);
    client.send(list()).await.unwrap();
    assert_eq!(client.send(create()).await.unwrap_err().kind, held);
    assert_eq!((server.count(), clock.now_ms()), (2, T0), "the second write does not leave");

    let (next, _) = options(&server.url);
    next.budget.restore(client.budget().snapshot());
    assert_eq!(next.budget.write_pause_left_ms(T0 + 290_000), 10_000);
    assert_eq!((next.budget.pause_left_ms(T0), next.budget.write_pause_left_ms(T0 + 300_000)), (0, 0));
    assert_eq!(next.budget.write_pause_left_ms(T0 - 90_000_000), 0, "a clock that ran ahead");
}

#[tokio::test]
async fn a_read_is_tried_four_times_through_5xx_and_then_it_is_unknown() {
    let server = Server::start(|_, _| reply(503, &[("request-id", "9be1")], b"<html>")).await;
    let (client, clock) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::Unknown, 4));
    assert_eq!(error.to_string(), "list contacts: status 503 (request 9be1)");
    assert!((1.7..=3.5).contains(&waited_s(&clock)), "{}", waited_s(&clock));
}

#[tokio::test]
async fn a_503_that_names_a_time_is_obeyed_by_all_and_too_long_a_time_is_throttling() {
    let asks = |s: &'static str| reply(503, &[("retry-after", s)], b"");
    let server = Server::start(move |n, _| if n == 0 { asks("30") } else { asks("3000") }).await;
    let (client, clock) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::Throttled { retry_after_s: Some(3000) }, 2));
    assert_eq!(waited_s(&clock), 30.0);
    assert_eq!(client.budget().pause_left_ms(clock.now_ms()), 3_000_000);
}

#[tokio::test]
async fn a_read_survives_a_cut_and_a_body_that_ends_too_early() {
    let server = Server::start(|n, _| match n {
        0 => Reply::Drop,
        1 => Reply::RawThenClose(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"value\":".to_vec(),
        ),
        2 => Reply::RawThenClose(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"val"
                .to_vec(),
        ),
        _ => json("{}"),
    })
    .await;
    let (client, _) = client(&server);
    assert_eq!(client.send(list()).await.unwrap().body, b"{}");
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn a_write_is_never_sent_again_after_a_5xx_whatever_it_says() {
    for headers in [vec![], vec![("retry-after", "5")]] {
        let server = Server::start(move |_, _| reply(503, &headers, b"")).await;
        let (client, clock) = client(&server);
        for effect in [Effect::Write, Effect::ExclusiveWrite] {
            let sent = server.count();
            let error = client.send(create().effect(effect)).await.unwrap_err();
            assert_eq!((error.kind, server.count() - sent), (ErrorKind::Unknown, 1));
        }
        assert!(waited_s(&clock) <= 5.0, "only the pause of the first holds up the second");
    }
}

#[tokio::test]
async fn a_write_is_never_sent_again_after_a_cut_on_a_new_connection() {
    let server = Server::start(|_, _| Reply::Drop).await;
    let (client, clock) = client(&server);
    let error = client.send(create()).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::Unknown, 1));
    assert_eq!(clock.now_ms(), T0);
}

#[tokio::test]
async fn a_write_is_never_sent_again_after_a_cut_on_a_used_connection() {
    for _ in 0..50 {
        let server = Server::start(|_, seen| if seen.method == "GET" { json("{}") } else { Reply::Drop }).await;
        let (client, _) = client(&server);
        client.send(list()).await.unwrap();
        let error = client.send(create()).await.unwrap_err();
        let posts: Vec<_> = server.seen().into_iter().filter(|s| s.method == "POST").collect();
        assert_eq!((error.kind, posts.len()), (ErrorKind::Unknown, 1));
        assert_eq!(posts[0].connection, 0, "the connection was used again");
    }
}

#[tokio::test]
async fn a_write_after_the_server_closed_the_idle_connection_arrives_at_most_once() {
    let mut arrived = 0;
    for _ in 0..200 {
        let server = Server::start(|_, seen| {
            let Reply::Raw(bytes) = json("{}") else { unreachable!() };
            if seen.method == "GET" { Reply::RawThenClose(bytes) } else { Reply::Raw(bytes) }
        })
        .await;
        let (client, _) = client(&server);
        client.send(list()).await.unwrap();
        let result = client.send(create()).await;
        let posts = server.seen().iter().filter(|s| s.method == "POST").count();
        match result {
            Ok(_) => assert_eq!(posts, 1),
            Err(error) => assert!(error.kind == ErrorKind::Unknown && posts <= 1, "{error} {posts}"),
        }
        arrived += posts;
    }
    assert!(arrived > 0);
}

#[tokio::test]
async fn a_write_whose_answer_is_cut_short_is_unknown() {
    let half = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\":";
    let server = Server::start(move |_, _| Reply::RawThenClose(half.to_vec())).await;
    let (client, _) = client(&server);
    let error = client.send(create()).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::Unknown, 1));
}

#[tokio::test]
async fn a_refused_connection_is_offline_and_proves_that_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url::Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    for request in [list(), create()] {
        let (options, clock) = options(&url);
        let client = Client::new(options).unwrap();
        let error = client.send(request).await.unwrap_err();
        assert_eq!((error.kind, client.counters().requests), (ErrorKind::Offline, 3));
        assert!(error.to_string().contains("refused"), "{error}");
        assert!(waited_s(&clock) < 1.0);
    }
}

/// Never answers.
#[derive(Default)]
struct Silence(AtomicUsize);

#[async_trait::async_trait]
impl Transport for Silence {
    async fn exchange(&self, _wire: &Wire) -> Result<Response, TransportError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(TransportError::TimedOut)
    }
}

#[tokio::test]
async fn after_a_timeout_a_read_is_tried_again_and_a_write_is_unknown() {
    let url = url::Url::parse("https://graph.example/v1.0").unwrap();
    for (request, tries) in [(list(), 4), (create(), 1)] {
        let silence = Arc::new(Silence::default());
        let client = Client::new(options(&url).0.transport(silence.clone())).unwrap();
        let error = client.send(request.header("client-request-id", "c0ffee")).await.unwrap_err();
        assert_eq!((error.kind, silence.0.load(Ordering::SeqCst)), (ErrorKind::Unknown, tries));
        assert!(error.message.ends_with("(client request c0ffee)"), "{error}");
    }
}

#[tokio::test]
async fn repeats_end_with_the_total_deadline() {
    let url = url::Url::parse("https://graph.example/v1.0").unwrap();
    let (mut options, clock) = options(&url);
    options.deadline_s = 1;
    let client = Client::new(options.transport(Arc::new(Silence::default()))).unwrap();
    client.send(list()).await.unwrap_err();
    assert!(waited_s(&clock) < 1.0);
}

#[tokio::test]
async fn no_more_than_four_requests_are_under_way() {
    let slow = |_: usize, _: &common::Seen| {
        let Reply::Raw(bytes) = json("{}") else { unreachable!() };
        Reply::Late(10, bytes)
    };
    let server = Server::start(slow).await;
    let (client, _) = client(&server);
    let all: Vec<_> = (0..20).map(|_| client.send(list())).collect();
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    assert_eq!((server.count(), server.most_at_once()), (20, 4));
}

#[tokio::test]
async fn exclusive_writes_go_one_at_a_time_also_while_one_is_waiting() {
    let server = Server::start(|n, _| {
        let Reply::Raw(bytes) = (if n == 1 { reply(429, &[("retry-after", "1")], b"") } else { json("{}") }) else {
            unreachable!()
        };
        Reply::Late(5, bytes)
    })
    .await;
    let (client, _) = client(&server);
    let all: Vec<_> = (0..8).map(|_| client.send(create().effect(Effect::ExclusiveWrite))).collect();
    for result in futures_util::future::join_all(all).await {
        result.unwrap();
    }
    assert_eq!((server.count(), server.most_at_once()), (9, 1));
}

#[tokio::test]
async fn a_request_beyond_the_window_waits_or_says_when() {
    let server = Server::start(|_, _| json("{}")).await;
    let (options, clock) = options(&server.url);
    let limits = Limits { concurrency: 4, requests_per_window: Some((5, 30)), ..Limits::default() };
    let client = Client::new(options.budget(Arc::new(Budget::new(limits)))).unwrap();
    for _ in 0..6 {
        client.send(list()).await.unwrap();
    }
    assert!((30.0..32.0).contains(&waited_s(&clock)), "{}", waited_s(&clock));
}

#[tokio::test]
async fn what_requests_carry_counts_in_a_window_of_its_own() {
    let server = Server::start(|_, _| json("{}")).await;
    let (options, clock) = options(&server.url);
    let limits = Limits { bytes_per_window: Some((10_000, 30)), ..Limits::default() };
    let client = Client::new(options.budget(Arc::new(Budget::new(limits)))).unwrap();
    let large = || Request::post_json("create contact", "/me/contacts", value!({"text": "x".repeat(4_900)}));
    for _ in 0..2 {
        client.send(large()).await.unwrap();
    }
    client.send(list()).await.unwrap();
    assert_eq!(waited_s(&clock), 0.0, "what carries nothing waits for nothing");
    client.send(large()).await.unwrap();
    assert!((30.0..32.0).contains(&waited_s(&clock)), "{}", waited_s(&clock));
    // Also what goes to the address of an upload.
    let range = || {
        let bytes = vec![0; 4_900];
        Request::put_bytes("attach range", format!("{}up", server.url), "application/octet-stream", bytes)
    };
    for _ in 0..2 {
        client.send_unsigned(range()).await.unwrap();
    }
    assert!((60.0..64.0).contains(&waited_s(&clock)), "{}", waited_s(&clock));
}

fn parts() -> Vec<Part> {
    ["a", "b", "c"].iter().map(|id| Part::get(*id, format!("/me/contacts/{id}"))).collect()
}

fn ids_of(body: &[u8]) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap();
    body["requests"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn only_the_parts_of_a_batch_that_may_be_repeated_are() {
    let server = Server::start(|n, _| match n {
        0 => json(r#"{"responses":[{"id":"c","status":404,"body":{}},{"id":"a","status":429,"headers":{"Retry-After":"4.5"}}]}"#),
        _ => json(r#"{"responses":[{"id":"b","status":200,"body":{"n":2}},{"id":"a","status":200,"body":{"n":1}}]}"#),
    })
    .await;
    let (client, clock) = client(&server);
    let results = client.send_batch("fetch contacts", "/$batch", Effect::Read, &parts()).await;
    assert_eq!(results[0].as_ref().unwrap().body, br#"{"n":1}"#);
    assert_eq!(results[1].as_ref().unwrap().body, br#"{"n":2}"#);
    assert_eq!(results[2].as_ref().unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(ids_of(&server.seen()[1].body), ["a", "b"]);
    assert_eq!(waited_s(&clock), 5.0);
    assert_eq!(client.budget().used(clock.now_ms()).0, 5, "a batch counts as its parts");
}

#[tokio::test]
async fn that_a_batch_is_not_found_says_nothing_of_what_its_parts_ask_for() {
    for code in [404, 410, 412] {
        let server = Server::start(move |_, _| status(code)).await;
        let (client, _) = client(&server);
        for result in client.send_batch("fetch contacts", "/$batch", Effect::Read, &parts()).await {
            assert_eq!(result.unwrap_err().kind, ErrorKind::Unknown, "{code}");
        }
    }
}

#[tokio::test]
async fn a_write_in_a_batch_without_an_answer_is_unknown_and_not_repeated() {
    let server =
        Server::start(|_, _| json(r#"{"responses":[{"id":"a","status":503,"body":{}},{"id":"b","status":204}]}"#))
            .await;
    let (client, _) = client(&server);
    let results = client.send_batch("delete contacts", "/$batch", Effect::Write, &parts()).await;
    assert_eq!(results[0].as_ref().unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(results[1].as_ref().unwrap().status, 204);
    assert_eq!(results[2].as_ref().unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_batch_of_writes_that_is_cut_leaves_every_part_unknown() {
    let server = Server::start(|_, _| Reply::Drop).await;
    let (client, _) = client(&server);
    let results = client.send_batch("delete contacts", "/$batch", Effect::Write, &parts()).await;
    assert!(results.iter().all(|r| r.as_ref().unwrap_err().kind == ErrorKind::Unknown));
    assert_eq!((results.len(), server.count()), (3, 1));
}

#[tokio::test]
async fn a_batch_takes_the_slots_of_its_parts() {
    let slow = |_: usize, _: &common::Seen| {
        let Reply::Raw(bytes) = json(r#"{"responses":[]}"#) else { unreachable!() };
        Reply::Late(10, bytes)
    };
    let server = Server::start(slow).await;
    let (client, _) = client(&server);
    let batch = || Request::post_json("batch", "/$batch", value!({})).effect(Effect::Read).cost(20);
    let all: Vec<_> = (0..3).map(|_| client.send(batch())).collect();
    futures_util::future::join_all(all).await;
    assert_eq!(server.most_at_once(), 1, "a provider runs four parts of a batch side by side");
    assert_eq!(graph_budget().limits().concurrency, 4);
}
