//! Sign-in, units, requests at a time, batches, faults, and the two shapes of errors.

use super::*;
use twofold_sandbox::{Fault, Rule};

fn get(id: &str) -> String {
    format!("/gmail/v1/users/me/messages/{id}?format=minimal")
}

fn batch(path: &str, targets: &[String]) -> Request {
    let mut body = String::new();
    for (i, target) in targets.iter().enumerate() {
        body.push_str(&format!(
            "--bx\r\nContent-Type: application/http\r\nContent-ID: <item{i}>\r\n\r\nGET {target} HTTP/1.1\r\n\r\n\r\n"
        ));
    }
    body.push_str("--bx--\r\n");
    let mut request = Request::new("POST", path).with_header("content-type", "multipart/mixed; boundary=bx");
    request.body = body.into();
    request
}

/// The parts of a batch's answer: (Content-ID, status line, body).
fn answers(reply: &Response) -> Vec<(String, u16, Value)> {
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let mark = reply.header("content-type").unwrap().split_once("boundary=").unwrap().1.to_owned();
    let mark = format!("--{mark}");
    let pieces = text.split(&mark).filter(|piece| piece.contains("HTTP/1.1")).map(|piece| {
        let name = piece.split_once("Content-ID: ").unwrap().1.lines().next().unwrap();
        let status = piece.split_once("HTTP/1.1 ").unwrap().1[..3].parse().unwrap();
        let body = piece.rsplit_once("\r\n\r\n").unwrap().1;
        (name.to_owned(), status, serde_json::from_str(body).unwrap())
    });
    pieces.collect()
}

#[test]
fn a_batch_answers_each_part_for_itself() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &[]));
    for path in ["/google/batch/gmail/v1", "/google/batch"] {
        let reply = client.send(batch(path, &[get(&one), get("18c0000000000001")]));
        let parts = answers(&reply);
        assert_eq!(reply.status, 200);
        assert_eq!((parts[0].0.as_str(), parts[0].1, &parts[0].2["id"]), ("<response-item0>", 200, &json!(one)));
        assert_eq!((parts[1].0.as_str(), parts[1].1), ("<response-item1>", 404));
    }
    let counts = client.sandbox.counts(Provider::Google);
    assert_eq!((counts.requests, counts.parts, counts.writes), (3, 4, 1));
    client.refused(batch("/google/batch/gmail/v1", &vec![get(&one); 101]), 400, "badRequest");
    let upload = "/upload/gmail/v1/users/me/messages".to_owned();
    client.refused(batch("/google/batch/gmail/v1", &[upload]), 400, "invalidArgument");
}

#[test]
fn parts_of_a_large_batch_get_in_each_others_way() {
    let client = Client::with(Switches { mail_units_per_min: 0, mail_parts_at_a_time: 3, ..Switches::default() });
    let one = id(&client.insert(&mail("1@x", "s"), &[]));
    let mut refused = Vec::new();
    for _ in 0..2 {
        let parts = answers(&client.send(batch("/google/batch/gmail/v1", &vec![get(&one); 5])));
        let late: Vec<usize> = (0..5).filter(|i| parts[*i].1 == 429).collect();
        assert_eq!(late.len(), 2);
        let error = &parts[late[0]].2["error"];
        assert_eq!(
            (&error["message"], &error["status"]),
            (&json!("Too many concurrent requests for user."), &json!("RESOURCE_EXHAUSTED"))
        );
        refused.push(late);
    }
    assert_ne!(refused[0], refused[1], "not always the same ones");
    let parts = answers(&client.send(batch("/google/batch/gmail/v1", &vec![get(&one); 3])));
    assert!(parts.iter().all(|part| part.1 == 200));
}

#[test]
fn units_run_out_and_come_back_within_a_minute() {
    let mut client = Client::with(Switches { mail_units_per_min: 50, ..Switches::default() });
    let one = client.sandbox.google_add_mail(mail("1@x", "s").as_bytes(), &[]);
    let get = || Request::get(&format!("{MESSAGES}/{one}?format=minimal"));
    client.ok(get());
    client.ok(get());
    assert_eq!(client.sandbox.counts(Provider::Google).quota, 40);
    client.refused(get(), 429, "rateLimitExceeded");
    client.wait_ms(60_000);
    client.sandbox.switch(|switches| {
        switches.mail_old_units = true;
        switches.mail_rate_limit_status = 403;
        switches.mail_rate_limit_reason = "userRateLimitExceeded".into();
    });
    for _ in 0..10 {
        client.ok(get());
    }
    assert_eq!(client.refused(get(), 403, "userRateLimitExceeded"), "User Rate Limit Exceeded");
    client.sandbox.switch(|switches| switches.mail_retry_after_in_text = true);
    let text = client.refused(get(), 403, "userRateLimitExceeded");
    assert!(text.ends_with("Retry after 2026-01-01T08:02:00.000Z"), "{text}");
    // The other rooms have budgets of their own.
    client.ok(Request::get("/google/calendar/v3/users/me/calendarList"));
}

#[test]
fn each_call_costs_what_the_table_says() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    let cost = |request: Request| {
        client.sandbox.reset_counts();
        client.send(request);
        client.sandbox.counts(Provider::Google).quota
    };
    let post = |path: &str| Request::post(&format!("{ME}/{path}"), &json!({}));
    for (request, units) in [
        (Request::get(&format!("{ME}/profile")), 1),
        (Request::get(&format!("{ME}/labels")), 1),
        (post("labels"), 5),
        (Request::get(&format!("{ME}/history")), 2),
        (Request::get(MESSAGES), 5),
        (Request::get(&format!("{MESSAGES}/{one}")), 20),
        (client.modify(&one, &["STARRED"], &[]), 5),
        (post(&format!("messages/{one}/trash")), 20),
        (post(&format!("messages/{one}/untrash")), 5),
        (post("messages/batchModify"), 50),
        (Request::delete(&format!("{MESSAGES}/{one}")), 10),
        (insert(&mail("2@x", "s"), &[]), 25),
        (Request::get(&format!("{ME}/drafts")), 5),
        (post("drafts"), 10),
        (Request::put(&format!("{ME}/drafts/r1"), &json!({})), 15),
        (batch("/google/batch", &[get(&one), get(&one)]), 40),
    ] {
        let what = format!("{} {}", request.method, request.path);
        assert_eq!(cost(request), units, "{what}");
    }
}

#[test]
fn faults_speak_gmails_words_and_a_lost_reply_was_executed() {
    let client = Client::empty();
    client.sandbox.fault(Rule::any(Fault::status(503)).on(Provider::Google).path("/gmail/v1/").times(1));
    let reply = client.sandbox.exchange(&Request::get(MESSAGES).bearer(&client.token)).unwrap();
    assert_eq!((reply.status, &reply.body_json()["error"]["errors"][0]["reason"]), (503, &json!("backendError")));
    client.sandbox.fault(Rule::any(Fault::DropAfter).writes().times(1));
    assert!(client.sandbox.exchange(&insert(&mail("1@x", "s"), &[]).bearer(&client.token)).is_none());
    assert_eq!(client.list("q=rfc822msgid:1@x").len(), 1);
    let counts = client.sandbox.counts(Provider::Google);
    assert_eq!((counts.writes, counts.writes_done), (1, 1));
}

#[test]
fn errors_have_one_shape_or_both() {
    let client = Client::empty();
    let shape = |shape: &str| {
        client.sandbox.switch(|switches| switches.mail_error_shape = shape.into());
        let body = client.send(Request::get(&format!("{MESSAGES}/18c0000000000001"))).body_json();
        keys(&body["error"]).join(" ")
    };
    assert_eq!(shape("both"), "code errors message status");
    assert_eq!(shape("status"), "code message status");
    assert_eq!(shape("list"), "code errors message");
}

#[test]
fn another_account_has_another_mailbox() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &[]));
    let start = client.history_id();
    client.sandbox.with(|state| state.google_account = twofold_sandbox::state::Account::stranger(Provider::Google));
    let token = client.sandbox.access_token(Provider::Google);
    client.sandbox.with(|state| state.google_account = twofold_sandbox::state::Account::owner(Provider::Google));
    let ask = |path: String| client.sandbox.handle(&Request::get(&path).bearer(&token));
    assert_eq!(ask(format!("{ME}/profile")).body_json()["emailAddress"], "otto@example.com");
    assert_eq!(ask(format!("{MESSAGES}/{one}")).status, 404);
    assert_eq!(ask(format!("{ME}/history?startHistoryId={start}")).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_requests_run_at_a_time_on_the_socket() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let client = Client::with(Switches { mail_requests_at_a_time: 2, latency_ms: 300, ..Switches::default() });
    let running = client.sandbox.start(0).await.unwrap();
    let url = format!("http://{}{ME}/labels", running.addr);
    let http = reqwest::Client::new();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let request = http.get(&url).bearer_auth(&client.token);
        tasks.push(tokio::spawn(async move { request.send().await.unwrap().status().as_u16() }));
    }
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(http.get(&url).bearer_auth(&client.token).send().await.unwrap().status(), 200);
    running.stop().await;
}
