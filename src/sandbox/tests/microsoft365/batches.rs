//! `$batch` and the budget it spends.

use serde_json::{Value, json};
use twofold_sandbox::{Fault, Provider, Response, Rule};

use crate::{Graph, code, refused};

fn parts(reply: &Response) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.body_json());
    let mut parts = reply.body_json()["responses"].as_array().expect("responses").clone();
    parts.sort_by_key(|part| part["id"].as_str().map(str::to_owned));
    parts
}

#[test]
fn a_batch_runs_each_part_like_a_request_of_its_own() {
    let graph = Graph::empty();
    let id = graph.named("Ada");
    graph.sandbox.graph_set_photo(&id, Some(vec![0xFF, 0xD8, 1])).expect("sets a photo");
    let immutable = json!({ "Prefer": "IdType=\"ImmutableId\"" });
    let body = json!({ "requests": [
        { "id": "1", "method": "GET", "url": format!("/me/contacts/{id}"), "headers": immutable },
        { "id": "2", "method": "GET", "url": format!("me/contacts/{id}") },
        { "id": "3", "method": "GET", "url": format!("/me/contacts/{id}/photo/$value"), "headers": immutable },
        { "id": "4", "method": "POST", "url": "/me/contacts", "headers": { "Content-Type": "application/json" },
          "body": { "givenName": "Bob" } },
        { "id": "5", "method": "PATCH", "url": "/me/contacts/AAMkunknownunknownunknown", "body": { "givenName": "x" },
          "headers": { "content-type": "application/json" } },
        { "id": "6", "method": "GET", "url": "/me", "dependsOn": ["5"] },
    ] });
    let before = graph.sandbox.counts(Provider::Microsoft);
    let parts = parts(&graph.post("$batch", &body));
    let statuses: Vec<u64> = parts.iter().filter_map(|part| part["status"].as_u64()).collect();
    assert_eq!(statuses, [200, 404, 200, 201, 404, 424]);
    assert_eq!(parts[2]["body"], "/9gB");
    assert_eq!(parts[3]["body"]["givenName"], "Bob");
    let after = graph.sandbox.counts(Provider::Microsoft);
    assert_eq!((after.requests - before.requests, after.parts - before.parts), (1, 5));
}

#[test]
fn a_malformed_batch_is_refused_whole() {
    let graph = Graph::empty();
    let part = |id: &str| json!({ "id": id, "method": "GET", "url": "/me" });
    let many: Vec<Value> = (0..21).map(|id| part(&id.to_string())).collect();
    for (what, requests) in [
        ("too many", json!(many)),
        ("none", json!([])),
        ("one id twice", json!([part("a"), part("A")])),
        ("no content type", json!([{ "id": "1", "method": "POST", "url": "/me/contacts", "body": {} }])),
        (
            "no body",
            json!([{ "id": "1", "method": "PATCH", "url": "/me", "headers": { "Content-Type": "application/json" } }]),
        ),
        ("another host", json!([{ "id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/me" }])),
        ("unknown key", json!([{ "id": "1", "method": "GET", "url": "/me", "priority": 1 }])),
        ("depends on nothing", json!([{ "id": "1", "method": "GET", "url": "/me", "dependsOn": ["9"] }])),
    ] {
        let reply = graph.post("$batch", &json!({ "requests": requests }));
        assert_eq!((reply.status, code(&reply).as_str()), (400, "BadRequest"), "{what}");
    }
    assert_eq!(graph.post("$batch", &json!({ "requests": many[..20] })).status, 200);
}

#[test]
fn inside_a_batch_faults_throttle_one_part_and_lose_another() {
    let graph = Graph::empty();
    graph.sandbox.fault(Rule::any(Fault::throttled("2.128")).on(Provider::Microsoft).parts().times(1));
    graph.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).parts().times(1));
    let make = |id: &str| {
        let headers = json!({ "Content-Type": "application/json" });
        json!({ "id": id, "method": "POST", "url": "/me/contacts", "headers": headers, "body": { "givenName": id } })
    };
    let parts = parts(&graph.post("$batch", &json!({ "requests": [make("1"), make("2"), make("3")] })));
    assert_eq!(parts.len(), 2);
    assert_eq!((&parts[0]["status"], &parts[0]["headers"]["Retry-After"]), (&json!(429), &json!("2.128")));
    assert_eq!(parts[0]["body"]["error"]["code"], "ApplicationThrottled");
    let names: Vec<Value> = graph.sandbox.graph_contacts().iter().map(|made| made["givenName"].clone()).collect();
    assert_eq!(names, ["2", "3"]);
}

#[test]
fn the_budget_counts_parts_of_batches() {
    let graph = Graph::switched(|switches| switches.graph_requests = 5);
    let part = |id: usize| json!({ "id": id.to_string(), "method": "GET", "url": "/me" });
    let reply = graph.post("$batch", &json!({ "requests": (0..4).map(part).collect::<Vec<_>>() }));
    assert!(parts(&reply).iter().all(|part| part["status"] == 200));
    assert_eq!(graph.get("me").status, 200);
    let reply = graph.get("me");
    refused(&reply, 429, "ApplicationThrottled");
    assert!(reply.header("retry-after").is_some());
    graph.sandbox.clock().advance_ms(600_000);
    assert_eq!(graph.get("me").status, 200);
}
