//! Record, scrub, replay.
#![allow(missing_docs)]

mod common;

use common::{Server, json, options, reply, status};
use serde_json::{Value, json as value};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use twofold_http::{Cassette, Client, Origin, Request};
use twofold_model::ErrorKind;

fn server_script(n: usize, seen: &common::Seen) -> common::Reply {
    let host = seen.header("host").unwrap();
    match n {
        0 => json(&format!(
            r#"{{"value":[{{"id":"AAMkADk0ZjM3YjYwLTU4","displayName":"Ada Lovelace","emailAddresses":[{{"address":"ada@lovelace.example"}}]}}],
                "@odata.nextLink":"http://{host}/v1.0/me/contacts?$skiptoken=c2VjcmV0LTEyMw%3D%3D"}}"#
        )),
        1 => reply(200, &[("content-type", "application/json"), ("set-cookie", "hush=1")], b"{\"value\":[]}"),
        2 => reply(429, &[("retry-after", "2"), ("x-ms-ags-diagnostic", "hush")], b""),
        3 => json(r#"{"id":"AAMkADk0ZjM3YjYwLTU4","displayName":"Ada Lovelace"}"#),
        _ => status(404),
    }
}

/// One round: two pages, then the first contact alone, which is throttled once.
async fn round(client: &Client) -> (String, String) {
    let page: Value = client.send(Request::get("list contacts", "/me/contacts?$top=1")).await.unwrap().json().unwrap();
    let link = page["@odata.nextLink"].as_str().unwrap();
    client.send(Request::get("list contacts", link)).await.unwrap();
    let id = page["value"][0]["id"].as_str().unwrap();
    let one: Value =
        client.send(Request::get("get contact", format!("/me/contacts/{id}"))).await.unwrap().json().unwrap();
    (page["value"][0]["displayName"].as_str().unwrap().to_owned(), one["displayName"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_recorded_round_is_scrubbed_private_and_replays() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(server_script).await;
    let (mut recorded, _) = options(&server.url);
    recorded.record = Some(dir.path().join("tapes"));
    round(&Client::new(recorded).unwrap()).await;

    let path = dir.path().join("tapes/list_contacts.har");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    for gone in ["Ada", "lovelace", "token-0", "AAMk", "c2VjcmV0", "hush", "uthorization"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    let har: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&har["log"]["version"], &har["log"]["_origin"]), (&value!("1.2"), &value!("sandbox")));
    assert_eq!(har["log"]["entries"][0]["request"]["queryString"], value!([{"name": "$top", "value": "1"}]));

    let cassette = Arc::new(Cassette::load(&path).unwrap());
    assert_eq!(cassette.origin(), Origin::Sandbox);
    let (replayed, _) = options(&server.url);
    let client = Client::new(replayed.transport(cassette.clone())).unwrap();
    let page: Value = client.send(Request::get("list contacts", "/me/contacts?$top=1")).await.unwrap().json().unwrap();
    assert_eq!(cassette.unused(), ["GET /v1.0/me/contacts"]);
    client.send(Request::get("list contacts", page["@odata.nextLink"].as_str().unwrap())).await.unwrap();
    assert!(cassette.unused().is_empty());
    let error = client.send(Request::get("list contacts", "/me/contacts?$top=1")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Broken, "an entry answers once");
    assert!(error.message.contains("list contacts GET /v1.0/me/contacts?$top"), "{error}");
}

#[tokio::test]
async fn a_second_run_never_writes_over_the_recording_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("list_contacts.har"), "kept").unwrap();
    let server = Server::start(server_script).await;
    let (mut recorded, _) = options(&server.url);
    recorded.record = Some(dir.path().to_path_buf());
    round(&Client::new(recorded).unwrap()).await;
    assert_eq!(std::fs::read_to_string(dir.path().join("list_contacts.har")).unwrap(), "kept");
    Cassette::load(dir.path().join("list_contacts-2.har")).unwrap();
    let throttled = Cassette::load(dir.path().join("get_contact.har")).unwrap();
    assert_eq!(throttled.unused().len(), 2, "what went wrong is recorded as well");
}

#[tokio::test]
async fn token_requests_are_recorded_without_their_secrets_and_still_match() {
    let dir = tempfile::tempdir().unwrap();
    let server =
        Server::start(|_, _| json(r#"{"access_token":"ya29.hush","refresh_token":"hush","expires_in":3599}"#)).await;
    let (mut recorded, _) = options(&server.url);
    recorded.record = Some(dir.path().to_path_buf());
    let form = |code: &str| {
        vec![("grant_type".to_owned(), "authorization_code".to_owned()), ("code".to_owned(), code.to_owned())]
    };
    let client = Client::new(recorded).unwrap();
    client.send(Request::post_form("fetch token", "/token", form("hush"))).await.unwrap();
    let path = dir.path().join("fetch_token.har");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("hush") && text.contains("authorization_code") && text.contains("3599"), "{text}");

    let (replayed, _) = options(&server.url);
    let client = Client::new(replayed.transport(Arc::new(Cassette::load(&path).unwrap()))).unwrap();
    client.send(Request::post_form("fetch token", "/token", form("another"))).await.unwrap();
}

#[tokio::test]
async fn a_round_of_several_operations_is_one_file_and_shares_its_stand_ins() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(server_script).await;
    let network = Arc::new(twofold_http::NetworkTransport::new(twofold_http::Network::default()));
    let recorder = Arc::new(twofold_http::Recorder::round(network, dir.path(), "all-of-it").unwrap());
    let (recorded, _) = options(&server.url);
    round(&Client::new(recorded.transport(recorder.clone())).unwrap()).await;
    let path = dir.path().join("all_of_it.har");
    let known = recorder.scrubbed(&value!({"id": "AAMkADk0ZjM3YjYwLTU4"}));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(known["id"].as_str().unwrap()), "{known} in {text}");
    assert!(text.contains("\"_what\": \"list contacts\"") && text.contains("\"_what\": \"get contact\""), "{text}");

    let cassette = Arc::new(Cassette::load(&path).unwrap());
    let (replayed, _) = options(&server.url);
    let (listed, got) = round(&Client::new(replayed.transport(cassette.clone())).unwrap()).await;
    assert_eq!(listed, got, "one person is one person over both operations");
    assert!(cassette.unused().is_empty());
}

#[tokio::test]
async fn the_address_of_a_part_fits_in_any_spelling_and_no_other_address_does() {
    let base = url::Url::parse("https://graph.example").unwrap();
    let part = |url: &str| value!({"requests": [{"id": "1", "method": "GET", "url": url}]});
    for (sent, fits) in [
        ("/me/contacts/a%20b?$top=1", true),
        ("/me/contacts/a b?%24top=1", true),
        ("/me/contacts/a%20b?$top=2", false),
        ("/me/contacts/ab?$top=1", false),
    ] {
        let request = value!({
            "method": "POST", "url": "https://graph.example/$batch", "headers": [],
            "postData": {"mimeType": "application/json", "text": part("/me/contacts/a%20b?%24top=1").to_string()}
        });
        let response = value!({"status": 200, "content": {"mimeType": "application/json", "text": "{}"}});
        let cassette = Arc::new(cassette(request, response).unwrap());
        let client = Client::new(options(&base).0.transport(cassette)).unwrap();
        let answer = client.send(Request::post_json("send batch", "/$batch", part(sent))).await;
        assert_eq!(answer.is_ok(), fits, "{sent}: {answer:?}");
    }
}

fn cassette(request: Value, response: Value) -> Result<Cassette, twofold_model::Error> {
    let har = value!({"log": {"version": "1.2", "_origin": "documented", "comment": "what it shows", "entries": [
        {"request": request, "response": response}
    ]}});
    Cassette::parse(&har.to_string())
}

#[tokio::test]
async fn a_replay_is_strict_about_method_address_headers_and_body() {
    let base = url::Url::parse("https://graph.example/v1.0").unwrap();
    let request = value!({
        "method": "PATCH", "url": "https://graph.example/v1.0/me/contacts/a%20b?y=2&x=1",
        "headers": [{"name": "If-Match", "value": "W/\"1\""}, {"name": "User-Agent", "value": "another"}],
        "postData": {"mimeType": "application/json", "text": "{\"a\": 1, \"b\": [\"scrubbed\"]}"}
    });
    let response = value!({"status": 200, "headers": [], "content": {"mimeType": "application/json", "text": "{}"}});
    let patch = |url: &str, body: Value| Request::patch_json("update contact", url, body).header("if-match", "W/\"1\"");
    let body = || value!({"b": ["anything"], "a": 1});
    let right = "/me/contacts/a%20b?x=1&y=2";
    let mut tries = vec![
        ("right", patch(right, body()), true),
        ("another method", Request { method: twofold_http::Method::Put, ..patch(right, body()) }, false),
        ("another path", patch("/me/contacts/ab?x=1&y=2", body()), false),
        ("another query", patch("/me/contacts/a%20b?x=1&y=3", body()), false),
        ("less query", patch("/me/contacts/a%20b?x=1", body()), false),
        ("another body", patch(right, value!({"a": 2, "b": ["anything"]})), false),
        ("more body", patch(right, value!({"a": 1, "b": ["anything"], "c": 1})), false),
    ];
    tries.push(("no header", Request::patch_json("update contact", right, body()), false));
    for (name, sent, fits) in tries {
        let cassette = Arc::new(cassette(request.clone(), response.clone()).unwrap());
        let client = Client::new(options(&base).0.transport(cassette.clone())).unwrap();
        let result = client.send(sent).await;
        assert_eq!((result.is_ok(), cassette.unused().is_empty()), (fits, fits), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_cassette_can_hold_a_lost_answer_and_bytes() {
    let base = url::Url::parse("https://graph.example").unwrap();
    let get = || value!({"method": "GET", "url": "https://graph.example/photo", "headers": []});
    let lost = cassette(get(), value!({"status": 0, "_error": "not connected"})).unwrap();
    assert_eq!(lost.moral(), "what it shows");
    let mut once = options(&base).0;
    once.deadline_s = 0;
    let error =
        Client::new(once.transport(Arc::new(lost))).unwrap().send(Request::get_bytes("fetch photo", "/photo")).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Offline);

    let content = value!({"mimeType": "image/png", "encoding": "base64", "text": "/wA="});
    let photo = cassette(get(), value!({"status": 200, "content": content})).unwrap();
    let client = Client::new(options(&base).0.transport(Arc::new(photo))).unwrap();
    assert_eq!(client.send(Request::get_bytes("fetch photo", "/photo")).await.unwrap().body, [255, 0]);
}

#[test]
fn a_cassette_without_an_origin_is_no_cassette() {
    let error = Cassette::parse(r#"{"log":{"version":"1.2","entries":[]}}"#).unwrap_err();
    assert!(error.message.contains("origin"), "{error}");
    for text in ["", "{}", r#"{"log":{"version":"1.2","_origin":"live","entries":[{}]}}"#] {
        assert!(Cassette::parse(text).is_err(), "{text}");
    }
    assert!(Cassette::load("/no/such/cassette.har").is_err());
}
