//! What comes back and what becomes of it: types, sizes, errors, sign-in, addresses.
#![allow(missing_docs)]

mod common;

use common::{Plain, Reply, Server, client, json, options, reply, status};
use serde_json::{Value, json as value};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use twofold_http::{
    Budget, Client, ClientOptions, Counters, Effect, Limits, Part, Request, Response, TokenSource, Transport,
    TransportError, Wire,
};
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

fn list() -> Request {
    Request::get("list contacts", "/me/contacts")
}

#[tokio::test]
async fn a_request_carries_token_dialect_and_agent_to_the_base() {
    let server = Server::start(|_, _| json(r#"{"value":[]}"#)).await;
    let (client, _) = client(&server);
    let answer = client.send(Request::get("list contacts", "me/contacts?$top=3")).await.unwrap();
    assert_eq!(answer.json::<Value>().unwrap(), value!({"value": []}));
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1.0/me/contacts?$top=3"));
    assert_eq!(seen.bearer(), "Bearer token-0");
    assert_eq!(seen.header("prefer"), Some("IdType=\"ImmutableId\""));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
    assert!(seen.header("user-agent").unwrap().contains("gzip"));
    assert_eq!(seen.header("content-length"), None);
    assert_eq!(client.counters(), Counters { requests: 1, bytes_in: 12, awaited: 0, heard: 2, silent_writes: 0 });
}

#[tokio::test]
async fn a_post_without_a_body_says_that_it_has_none() {
    let server = Server::start(|_, _| status(204)).await;
    let (client, _) = client(&server);
    client.send(Request::post("empty the trash", "/empty")).await.unwrap();
    client.send(Request::delete("delete contact", "/me/contacts/1")).await.unwrap();
    assert_eq!(server.seen()[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn a_200_with_html_is_a_failure_not_an_empty_list() {
    let page =
        || reply(200, &[("content-type", "text/html"), ("request-id", "9be1")], b"<html>Sign in to the Wi-Fi</html>");
    let server = Server::start(move |_, _| page()).await;
    let (client, _) = client(&server);
    let requests =
        [list(), Request::get_bytes("fetch photo", "/photo"), Request::delete("delete contact", "/me/contacts/1")];
    for request in requests {
        let error = client.send(request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed);
        assert!(error.message.ends_with("(request 9be1)"), "{error}");
        assert!(!error.to_string().contains("Wi-Fi"), "{error}");
    }
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn json_without_its_type_or_without_a_body_is_a_failure_but_204_is_fine() {
    let server = Server::start(|n, _| match n {
        0 => reply(200, &[("content-type", "text/plain")], b"{}"),
        1 => reply(200, &[("content-type", "application/json")], b""),
        2 => status(204),
        _ => reply(200, &[("content-type", "application/vnd.api+json")], b"{}"),
    })
    .await;
    let (client, _) = client(&server);
    assert_eq!(client.send(list()).await.unwrap_err().kind, ErrorKind::Malformed);
    assert_eq!(client.send(list()).await.unwrap_err().kind, ErrorKind::Malformed);
    assert_eq!(client.send(list()).await.unwrap().status, 204);
    client.send(list()).await.unwrap();
}

#[tokio::test]
async fn packed_answers_are_unpacked_and_their_unpacked_size_counts() {
    // {"value":["packed"]}
    const PACKED: [u8; 40] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 75, 204, 41, 77, 85, 178, 138, 86, 42, 72, 76, 206, 78, 77, 81,
        138, 173, 5, 0, 188, 3, 190, 198, 20, 0, 0, 0,
    ];
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let server = Server::start(move |n, _| reply(200, &headers, if n == 0 { &PACKED } else { &PACKED[..30] })).await;
    let (client, _) = client(&server);
    assert_eq!(client.send(list()).await.unwrap().json::<Value>().unwrap(), value!({"value": ["packed"]}));
    assert_eq!(client.counters().bytes_in, 20);
    assert_eq!(client.send(list()).await.unwrap_err().kind, ErrorKind::Unknown, "a packed body that ends too early");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_taken_however_it_is_announced() {
    let server = Server::start(|_, seen| {
        if seen.path.ends_with("announced") {
            return json(&format!("\"{}\"", "x".repeat(2_000)));
        }
        let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000)).repeat(50);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        Reply::Raw(format!("{head}{chunk}0\r\n\r\n").into_bytes())
    })
    .await;
    let (mut options, _) = options(&server.url);
    options.max_body = 1_500;
    let client = Client::new(options).unwrap();
    for path in ["/announced", "/in-pieces"] {
        let error = client.send(Request::get("list contacts", path)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "{error}");
        assert!(error.message.contains("larger than 1500 bytes"), "{error}");
    }
    assert_eq!(server.count(), 2, "a body that is too large is too large the next time as well");
}

#[tokio::test]
async fn an_error_says_what_where_and_which_request() {
    let server = Server::start(|_, _| reply(404, &[("request-id", "9be1")], b"{\"secret\":1}")).await;
    let (client, _) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert_eq!(error.to_string(), "list contacts: status 404 (request 9be1)");
}

#[tokio::test]
async fn a_401_renews_the_token_once_for_reads_and_writes() {
    let server = Server::start(|_, seen| if seen.bearer().ends_with('0') { status(401) } else { json("{}") }).await;
    let (client, _) = client(&server);
    client.send(Request::post_json("create contact", "/me/contacts", value!({}))).await.unwrap();
    client.send(list()).await.unwrap();
    let bearers: Vec<String> = server.seen().iter().map(|s| s.bearer().to_owned()).collect();
    assert_eq!(bearers, ["Bearer token-0", "Bearer token-1", "Bearer token-1"]);
}

#[tokio::test]
async fn a_second_401_means_sign_in_needed() {
    let server = Server::start(|_, _| status(401)).await;
    let (client, _) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::SignInNeeded, 2));
}

#[tokio::test]
async fn what_a_portal_says_is_no_verdict_about_a_sign_in_a_right_or_an_item_and_is_not_asked_for_again() {
    let to = [("content-type", "text/html"), ("location", "https://portal.example/")];
    for status in [302, 307, 401, 403, 404, 407, 410] {
        let server = Server::start(move |_, _| reply(status, &to, b"<html>Accept our terms</html>")).await;
        let (client, _) = client(&server);
        let error = client.send(list()).await.unwrap_err();
        // It may have been the token: that is tried once.
        let asked = if status == 401 { 2 } else { 1 };
        assert_eq!((error.kind, server.count()), (ErrorKind::Unknown, asked), "{status}: {error}");
        assert!(!error.to_string().contains("terms"), "{error}");
    }
}

#[tokio::test]
async fn a_part_that_is_refused_has_the_error_of_the_token_that_could_not_be_had_and_another_workers_token_is_taken() {
    let refused = value!({"responses": [{"id": "1", "status": 401, "headers": {}, "body": {}}]});
    for is_reached in [false, true] {
        let refused = refused.clone();
        let fine = value!({"responses": [{"id": "1", "status": 200, "headers": {}, "body": {}}]});
        let server =
            Server::start(move |n, _| json(&if n == 0 { refused.to_string() } else { fine.to_string() })).await;
        let (options, _) = options(&server.url);
        let client = Client::new(options.token(Arc::new(Moving { is_reached, asked: AtomicUsize::new(0) }))).unwrap();
        let parts = [Part::get("1", "/me/contacts")];
        let answer = client.send_batch("list", "/$batch", Effect::Read, &parts).await.remove(0);
        match is_reached {
            true => assert!(answer.unwrap().is_success()),
            false => assert_eq!(answer.unwrap_err().kind, ErrorKind::Offline),
        }
    }
}

/// Another worker renews the token while a batch is under way.
struct Moving {
    is_reached: bool,
    asked: AtomicUsize,
}

#[async_trait::async_trait]
impl TokenSource for Moving {
    async fn token(&self) -> Result<String> {
        // The first is the one with which the batch leaves.
        let is_first = self.asked.fetch_add(1, Ordering::SeqCst) < 2;
        Ok(if is_first { "old" } else { "new" }.to_owned())
    }

    async fn renewed(&self, refused: &str) -> Result<String> {
        assert_eq!(refused, "old", "the one that was refused");
        match self.is_reached {
            true => Ok("new".into()),
            false => Err(Error::new(ErrorKind::Offline, "nobody gives out tokens")),
        }
    }
}

#[tokio::test]
async fn a_next_link_to_another_origin_gets_no_bearer() {
    let other = Server::start(|_, _| json("{}")).await;
    let server = Server::start(|_, _| json("{}")).await;
    let (client, _) = client(&server);
    let port = server.url.port().unwrap();
    let addresses = [
        other.url.join("/v1.0/me/contacts?$skip=10").unwrap().to_string(),
        format!("http://localhost:{port}/v1.0/me"),
        format!("https://127.0.0.1:{port}/v1.0/me"),
        format!("http://127.0.0.1:{port}@{}/", other.url.host_str().unwrap()),
        format!("http://user:pass@127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{}/", other.url.port().unwrap()),
        "ftp://127.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for address in addresses {
        let error = client.send(Request::get("list contacts", address.clone())).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "{address}");
        let write = client.send(Request::delete("delete contact", address.clone())).await.unwrap_err();
        assert!(write.kind.proves_not_executed(), "{address}");
    }
    assert_eq!((other.count(), server.count()), (0, 0));
    let tricks = [
        "//evil.example/x",
        "/\\evil.example",
        "@evil.example/",
        ".evil.example/",
        "javascript:x",
        "/x?u=http://evil.example/",
    ];
    for trick in tricks {
        client.send(Request::get("list contacts", trick)).await.unwrap();
    }
    assert_eq!(server.count(), tricks.len(), "anything relative stays at the base");
}

#[tokio::test]
async fn an_origin_named_as_extra_gets_the_bearer() {
    let extra = Server::start(|_, _| json("{}")).await;
    let server = Server::start(|_, _| json("{}")).await;
    let (mut options, _) = options(&server.url);
    options.extra_origins.push(extra.url.clone());
    let client = Client::new(options).unwrap();
    client.send(Request::get("list contacts", extra.url.as_str())).await.unwrap();
    assert_eq!(extra.seen()[0].bearer(), "Bearer token-0");
}

#[tokio::test]
async fn links_are_turned_into_parts_of_a_batch_below_the_base_only() {
    let base = Url::parse("https://graph.example/v1.0/").unwrap();
    let client = Client::new(ClientOptions::new(base, Arc::new(Plain))).unwrap();
    let link = "https://graph.example/v1.0/me/contacts/delta?$deltatoken=a%20b";
    assert_eq!(client.relative(link).unwrap(), "/me/contacts/delta?$deltatoken=a%20b");
    for elsewhere in ["https://graph.example/beta/me", "https://graph.example/v1.00/me", "https://evil.example/v1.0/me"]
    {
        assert!(client.relative(elsewhere).is_err(), "{elsewhere}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Server::start(|_, _| json("{}")).await;
    let target = other.url.to_string();
    let server = Server::start(move |_, _| reply(302, &[("location", &target)], b"")).await;
    let (client, _) = client(&server);
    let error = client.send(list()).await.unwrap_err();
    assert_eq!((error.kind, other.count(), server.count()), (ErrorKind::Unknown, 0, 1));
}

#[tokio::test]
async fn a_provider_address_is_https_or_this_machine() {
    for (address, allowed) in [
        ("https://graph.microsoft.com/v1.0", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("http://localhost:8080", true),
        ("http://graph.microsoft.com", false),
        ("http://127.0.0.1.evil.example", false),
        ("ftp://127.0.0.1", false),
    ] {
        let made = Client::new(ClientOptions::new(Url::parse(address).unwrap(), Arc::new(Plain)));
        assert_eq!(made.is_ok(), allowed, "{address}");
    }
}

#[tokio::test]
async fn a_foreign_photo_is_read_without_bearer_without_our_headers_and_not_without_limit() {
    let photos = Server::start(|_, _| reply(200, &[("content-type", "image/jpeg")], &[7; 100])).await;
    let server = Server::start(|_, _| json("{}")).await;
    let (client, _) = client(&server);
    let photo = || Request::get_bytes("fetch photo", photos.url.as_str()).header("Authorization", "Bearer own");
    assert_eq!(client.send_anonymous(photo(), 100).await.unwrap().body, [7; 100]);
    let seen = &photos.seen()[0];
    assert_eq!((seen.header("authorization"), seen.header("prefer")), (None, None));
    assert_eq!(client.send_anonymous(photo(), 99).await.unwrap_err().kind, ErrorKind::Malformed);
    let write = Request::delete("delete photo", photos.url.as_str());
    assert_eq!(client.send_anonymous(write, 100).await.unwrap_err().kind, ErrorKind::Refused);
    let plain = Request::get_bytes("fetch photo", "http://photos.example/1.jpg");
    assert_eq!(client.send_anonymous(plain, 100).await.unwrap_err().kind, ErrorKind::Refused);

    let far = Client::new(ClientOptions::new(Url::parse("https://people.example").unwrap(), Arc::new(Plain))).unwrap();
    let error = far.send_anonymous(photo(), 100).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused, "a provider's link must not lead into this machine");
}

#[tokio::test]
async fn what_is_sent_to_an_address_that_is_its_own_leave_goes_without_bearer_and_without_our_headers() {
    let uploads = Server::start(|_, _| reply(201, &[], b"")).await;
    let server = Server::start(|_, _| json("{}")).await;
    let (client, _) = client(&server);
    let range = |url: &str| {
        let range = Request::put_bytes("upload", url, "application/octet-stream", vec![7; 10]);
        range.header("Content-Range", "bytes 0-9/10").header("Authorization", "Bearer own")
    };
    assert_eq!(client.send_unsigned(range(uploads.url.as_str())).await.unwrap().status, 201);
    let seen = &uploads.seen()[0];
    assert_eq!((seen.header("authorization"), seen.header("prefer"), seen.header("cookie")), (None, None, None));
    assert_eq!(seen.header("content-range"), Some("bytes 0-9/10"));
    // The provider's own origin gets none there, either.
    client.send_unsigned(range(&format!("{}upload", server.url))).await.unwrap();
    assert_eq!(server.seen()[0].header("authorization"), None);
    for wrong in ["http://uploads.example/1", "https://ada@uploads.example/1", "/relative"] {
        assert_eq!(client.send_unsigned(range(wrong)).await.unwrap_err().kind, ErrorKind::Refused, "{wrong}");
    }
    let far = Client::new(ClientOptions::new(Url::parse("https://graph.example").unwrap(), Arc::new(Plain))).unwrap();
    let error = far.send_unsigned(range(uploads.url.as_str())).await.unwrap_err();
    assert_eq!(
        (error.kind, uploads.count()),
        (ErrorKind::Refused, 1),
        "a provider's link must not lead into this machine"
    );
    assert!(!error.to_string().contains("Bearer"), "{error}");
}

#[tokio::test]
async fn a_range_whose_reply_is_lost_is_not_sent_again() {
    let uploads = Server::start(|_, _| Reply::Drop).await;
    let server = Server::start(|_, _| json("{}")).await;
    let (client, _) = client(&server);
    let range = Request::put_bytes("upload", uploads.url.as_str(), "application/octet-stream", vec![7; 10]);
    assert_eq!(client.send_unsigned(range).await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(uploads.count(), 1);
}

#[tokio::test]
async fn a_line_break_in_a_header_is_refused_and_nothing_is_sent() {
    let server = Server::start(|_, _| json("{}")).await;
    let (client, _) = client(&server);
    let error = client.send(list().header("if-match", "a\r\nx: y")).await.unwrap_err();
    assert_eq!((error.kind, server.count()), (ErrorKind::Refused, 0));
}

#[tokio::test]
async fn errors_and_debug_texts_hold_no_token() {
    let server = Server::start(|_, _| Reply::Drop).await;
    let (client, _) = client(&server);
    let error = client.send(Request::get("list contacts", "/me?syncToken=hush")).await.unwrap_err();
    let texts = [format!("{error} {error:?}"), format!("{client:?}")];
    assert!(texts.iter().all(|t| !t.contains("token-0") && !t.contains("hush")), "{texts:?}");
}

/// Never answers.
struct Hangs;

#[async_trait::async_trait]
impl Transport for Hangs {
    async fn exchange(&self, _: &Wire) -> Result<Response, TransportError> {
        std::future::pending().await
    }
}

#[async_trait::async_trait]
impl TokenSource for Hangs {
    async fn token(&self) -> Result<String> {
        std::future::pending().await
    }

    async fn renewed(&self, _: &str) -> Result<String> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn an_answer_is_awaited_while_a_request_or_one_for_a_token_is_out_and_not_while_it_waits_for_its_turn() {
    let base = Url::parse("https://graph.example/v1.0").unwrap();
    let alone = || {
        let limits = Limits { concurrency: 1, ..Limits::default() };
        options(&base).0.budget(Arc::new(Budget::new(limits))).transport(Arc::new(Hangs))
    };
    for options in [alone(), alone().token(Arc::new(Hangs))] {
        let client = Client::new(options).unwrap();
        assert_eq!(client.counters().awaited, 0);
        let mut sent = [Box::pin(client.send(list())), Box::pin(client.send(list()))];
        let mut context = Context::from_waker(Waker::noop());
        for request in &mut sent {
            assert!(request.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(client.counters().awaited, 1, "the other one waits for its turn");
        drop(sent);
        assert_eq!(client.counters().awaited, 0, "what nobody waits for any more is not awaited");
    }
}
