//! Mail in batches, and how many requests at a time a mailbox bears.

use twofold_sandbox::{Fault, Rule};

use super::mail::{MAIL, letter};
use super::*;

/// The answers to parts, in the order of their ids.
#[track_caller]
fn batch(graph: &Graph, parts: &[Value]) -> Vec<Value> {
    let reply = graph.plain(Request::post(&url("$batch"), &json!({ "requests": parts })));
    assert_eq!(reply.status, 200, "{}", reply.body_json());
    ordered(&reply.body_json())
}

fn ordered(reply: &Value) -> Vec<Value> {
    let mut answers = reply["responses"].as_array().unwrap().clone();
    answers.sort_by_key(|answer| text(&answer["id"]).parse::<usize>().unwrap());
    answers
}

fn part(id: usize, method: &str, address: &str) -> Value {
    let headers = json!({ "Prefer": "IdType=\"ImmutableId\"" });
    json!({ "id": id.to_string(), "method": method, "url": address, "headers": headers })
}

#[test]
fn bytes_and_changes_go_in_batches() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let mut patch = part(2, "PATCH", &format!("/me/messages/{id}"));
    patch["headers"]["Content-Type"] = "application/json".into();
    patch["body"] = json!({ "isRead": true });
    let mut post = part(3, "POST", "/me/messages");
    post["headers"]["Content-Type"] = "text/plain".into();
    // MIME is base64 already, and the body of a part once more.
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    post["body"] = STANDARD.encode(STANDARD.encode(letter("2@x", "In a batch"))).into();
    let answers = batch(&graph, &[part(1, "GET", &format!("/me/messages/{id}/$value")), patch, post]);
    let bytes = STANDARD.decode(text(&answers[0]["body"])).unwrap();
    assert!(String::from_utf8(bytes).unwrap().contains("Message-ID: <1@example.com>"));
    assert_eq!((&answers[1]["status"], &answers[1]["body"]["isRead"]), (&json!(200), &json!(true)));
    assert_eq!((&answers[2]["status"], &answers[2]["body"]["subject"]), (&json!(201), &json!("In a batch")));
}

#[test]
fn twenty_parts_are_the_most_and_four_run_at_a_time() {
    let graph = Graph::empty();
    let parts = |count: usize| (1..=count).map(|n| part(n, "GET", "/me/mailFolders/inbox")).collect::<Vec<_>>();
    let many = graph.plain(Request::post(&url("$batch"), &json!({ "requests": parts(21) })));
    refused(&many, 400, "BadRequest");
    assert!(batch(&graph, &parts(20)).iter().all(|answer| answer["status"] == 200));
    // A service that began more of them at once would be over the mailbox's limit.
    graph.sandbox.switch(|switches| switches.graph_batch_parts_at_a_time = 6);
    let answers = batch(&graph, &parts(12));
    let late: Vec<&Value> = answers.iter().filter(|answer| answer["status"] == 429).collect();
    assert_eq!(late.len(), 4);
    assert_eq!(
        (&late[0]["headers"]["Retry-After"], &late[0]["body"]["error"]["code"]),
        (&json!("1"), &json!("ApplicationThrottled"))
    );
    let mut chain = parts(12);
    for (n, part) in chain.iter_mut().enumerate().skip(1) {
        part["dependsOn"] = json!([n.to_string()]);
    }
    assert!(batch(&graph, &chain).iter().all(|answer| answer["status"] == 200), "a chain runs one by one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_batch_meet_the_other_requests_of_the_mailbox() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let graph = Graph::empty();
    let running = graph.sandbox.start(0).await.unwrap();
    let base = format!("http://{}/microsoft/v1.0", running.addr);
    let http = reqwest::Client::new();
    graph.sandbox.fault(Rule::any(Fault::Delay { ms: 600_000 }).path("/me/messages").times(1));
    let slow = tokio::spawn(http.get(format!("{base}/me/messages")).bearer_auth(&graph.token).send());
    while graph.sandbox.requests(Provider::Microsoft) == 0 {
        tokio::task::yield_now().await;
    }
    let parts: Vec<Value> = (1..=8).map(|n| part(n, "GET", "/me/mailFolders/inbox")).collect();
    let body = json!({ "requests": parts }).to_string();
    let post = http.post(format!("{base}/$batch")).bearer_auth(&graph.token).header("content-type", "application/json");
    let reply = post.body(body).send().await.unwrap().bytes().await.unwrap();
    let answers = ordered(&serde_json::from_slice(&reply).unwrap());
    assert_eq!(answers.iter().filter(|answer| answer["status"] == 429).count(), 2);
    // It is under way all the time, and nobody waits for it.
    slow.abort();
    running.stop().await;
}

#[test]
fn a_lost_answer_to_a_part_was_carried_out() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    graph.sandbox.fault(Rule::any(Fault::DropAfter).parts().writes().times(1));
    let mut shift = part(1, "POST", &format!("/me/messages/{id}/move"));
    shift["headers"]["Content-Type"] = "application/json".into();
    shift["body"] = json!({ "destinationId": "junkemail" });
    assert!(batch(&graph, &[shift]).is_empty());
    assert_eq!(graph.rows("me/mailFolders/junkemail/messages").len(), 1);
}

#[test]
fn the_mailbox_has_a_budget_of_requests() {
    let graph = Graph::switched(|switches| switches.graph_requests = 3);
    let ask = || graph.get("me/messages");
    assert!((0..3).all(|_| ask().status == 200));
    let late = ask();
    assert_eq!((late.status, late.header("retry-after")), (429, Some("600")));
    graph.sandbox.clock().advance_ms(600_000);
    assert_eq!(ask().status, 200);
}
