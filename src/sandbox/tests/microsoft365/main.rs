//! Raw requests after the documentation's examples against the stand-in for Graph.

mod answers;
mod batches;
mod calendars;
mod contacts;
mod delta;
mod event_deltas;
mod event_hands;
mod event_lists;
mod events;
mod mail;
mod mail_batches;
mod mail_deltas;
mod mail_files;
mod mail_folders;
mod mail_making;
mod mail_seeds;
mod series;

use serde_json::{Value, json};
use twofold_sandbox::{Options, Provider, Request, Response, Sandbox, Switches};

const MARK: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Mark";

struct Graph {
    sandbox: Sandbox,
    token: String,
}

impl Graph {
    fn with(options: Options) -> Self {
        let sandbox = Sandbox::new(options.virtual_time());
        let token = sandbox.access_token(Provider::Microsoft);
        Self { sandbox, token }
    }

    fn empty() -> Self {
        Self::with(Options::empty())
    }

    fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        let graph = Self::empty();
        graph.sandbox.switch(change);
        graph
    }

    /// Sends with a token and, as a client that speaks immutable ids does on each request, the header.
    fn send(&self, request: Request) -> Response {
        self.plain(request.with_header("Prefer", "IdType=\"ImmutableId\""))
    }

    fn plain(&self, request: Request) -> Response {
        self.sandbox.handle(&request.bearer(&self.token))
    }

    fn get(&self, path: &str) -> Response {
        self.send(Request::get(&url(path)))
    }

    fn get_json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body_json());
        reply.body_json()
    }

    fn post(&self, path: &str, body: &Value) -> Response {
        self.send(Request::post(&url(path), body))
    }

    fn patch(&self, path: &str, body: &Value) -> Response {
        self.send(Request::patch(&url(path), body))
    }

    fn delete(&self, path: &str) -> Response {
        self.send(Request::delete(&url(path)))
    }

    /// A new contact's whole answer.
    fn made(&self, body: &Value) -> Value {
        let reply = self.post("me/contacts", body);
        assert_eq!(reply.status, 201, "{}", reply.body_json());
        reply.body_json()
    }

    fn named(&self, name: &str) -> String {
        text(&self.made(&json!({ "givenName": name }))["id"])
    }

    /// A new event's whole answer, in the default calendar.
    #[track_caller]
    fn event(&self, body: &Value) -> Value {
        let reply = self.post("me/events", body);
        assert_eq!(reply.status, 201, "{}", reply.body_json());
        reply.body_json()
    }

    /// The rows of a list, which must fit into one page.
    #[track_caller]
    fn rows(&self, path: &str) -> Vec<Value> {
        let page = self.get_json(path);
        assert!(page.get("@odata.nextLink").is_none(), "{path}");
        page["value"].as_array().expect("rows").clone()
    }

    /// Reads a delta round to its end: all rows and the delta link.
    fn round(&self, link: &str, rows_a_page: usize) -> (Vec<Value>, String) {
        let (mut rows, mut link) = (Vec::new(), link.to_owned());
        for _ in 0..1000 {
            let prefer = format!("odata.maxpagesize={rows_a_page}");
            let reply = self.send(Request::get(&link).with_header("Prefer", &prefer));
            assert_eq!(reply.status, 200, "{}", reply.body_json());
            let page = reply.body_json();
            let found = page["value"].as_array().expect("a page has rows").clone();
            // A series is not told on two pages, so that pages of events may be longer.
            assert!(found.len() <= rows_a_page.max(1) || link.contains("calendar") || link.contains("events"));
            rows.extend(found);
            match page["@odata.nextLink"].as_str() {
                Some(next) => link = next.to_owned(),
                None => return (rows, text(&page["@odata.deltaLink"])),
            }
        }
        panic!("a round without an end");
    }
}

/// An event of an hour or so.
fn timed(subject: &str, zone: &str, start: &str, end: &str) -> Value {
    json!({
        "subject": subject,
        "start": { "dateTime": start, "timeZone": zone },
        "end": { "dateTime": end, "timeZone": zone },
    })
}

/// The same object with these members.
fn with(mut object: Value, more: Value) -> Value {
    let (Some(members), Value::Object(more)) = (object.as_object_mut(), more) else { panic!("two objects") };
    members.extend(more);
    object
}

fn texts(rows: &[Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| text(&row[name])).collect()
}

fn url(path: &str) -> String {
    format!("/microsoft/v1.0/{path}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn code(reply: &Response) -> String {
    text(&reply.body_json()["error"]["code"])
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[track_caller]
fn refused(reply: &Response, status: u16, name: &str) {
    assert_eq!((reply.status, code(reply).as_str()), (status, name), "{}", reply.body_json());
}

#[test]
fn me_names_the_user() {
    let graph = Graph::empty();
    let me = graph.get_json("me?$select=id,displayName,mail,userPrincipalName");
    assert_eq!(me["mail"], "ada@example.com");
    assert_eq!(me["id"].as_str().map(str::len), Some(36));
    assert_eq!(graph.get("users/ada@example.com/contacts").status, 200);
    refused(&graph.get("users/otto@example.com/contacts"), 404, "ErrorInvalidUser");
    refused(&graph.get("me?$select=shoeSize"), 400, "BadRequest");
}

#[test]
fn a_missing_or_expired_token_is_401() {
    let graph = Graph::empty();
    let reply = graph.sandbox.handle(&Request::get(&url("me")));
    refused(&reply, 401, "InvalidAuthenticationToken");
    assert!(reply.header("www-authenticate").is_some());
    graph.sandbox.clock().advance_ms(3_600_000);
    refused(&graph.get("me"), 401, "InvalidAuthenticationToken");
}

#[test]
fn another_account_has_no_mailbox_here() {
    let graph = Graph::empty();
    graph.sandbox.with(|state| state.microsoft_account.id = "11111111-2222-4333-8444-555555555555".into());
    refused(&graph.get("me/contacts"), 404, "MailboxNotEnabledForRESTAPI");
}

#[test]
fn the_control_endpoint_is_another_client_too() {
    let graph = Graph::empty();
    let control = |action: &str, body: Value| {
        let reply = graph.sandbox.handle(&Request::post(&format!("/_sandbox/microsoft/{action}"), &body));
        assert_eq!(reply.status, 200, "{action}: {}", reply.body_json());
        reply.body_json()
    };
    let id = text(&control("create", json!({ "contact": { "givenName": "Ada", "jobTitle": "x" } }))["id"]);
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    control("edit", json!({ "id": id, "contact": { "surname": "Lovelace", "jobTitle": null } }));
    let row = graph.round(&link, 10).0.remove(0);
    assert_eq!(
        (&row["surname"], &row["jobTitle"], &row["givenName"]),
        (&json!("Lovelace"), &Value::Null, &json!("Ada"))
    );
    control("add_folder", json!({ "name": "Friends" }));
    control("move", json!({ "id": id, "folder": "Friends" }));
    control("rename_folder", json!({ "folder": "Friends", "name": "Foes" }));
    assert_eq!(control("folders", json!({}))["folders"][1]["contacts"][0]["id"], id.as_str());
    control("photo", json!({ "id": id, "bytes": "/9gB" }));
    assert_eq!(control("get", json!({ "id": id }))["photo"]["base64"], "/9gB");
    control("delete", json!({ "id": id }));
    assert_eq!(control("list", json!({})), json!([]));
    control("expire_delta_tokens", json!({}));
    refused(&graph.send(Request::get(&link)), 410, "resyncRequired");
    let refused =
        graph.sandbox.handle(&Request::post("/_sandbox/microsoft/edit", &json!({ "id": "x", "contact": {} })));
    assert_eq!(refused.status, 400);
}

/// Sends one GET of `/me` over a socket of its own and gives the status line.
async fn ask(addr: std::net::SocketAddr, token: String) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut socket = tokio::net::TcpStream::connect(addr).await.expect("connects");
    let head = format!("GET /microsoft/v1.0/me HTTP/1.1\r\nHost: {addr}\r\nAuthorization: Bearer {token}\r\n");
    socket.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.expect("sends");
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.expect("reads");
    reply
}

#[tokio::test]
async fn a_fifth_request_at_the_same_time_is_throttled() {
    let sandbox = Sandbox::new(Options::empty().with(Switches { latency_ms: 300, ..Switches::default() }));
    let token = sandbox.access_token(Provider::Microsoft);
    let running = sandbox.start(0).await.expect("listens");
    let asks: Vec<_> = (0..6).map(|_| tokio::spawn(ask(running.addr, token.clone()))).collect();
    let mut replies = Vec::new();
    for ask in asks {
        replies.push(ask.await.expect("an answer"));
    }
    let throttled: Vec<&String> = replies.iter().filter(|reply| reply.starts_with("HTTP/1.1 429")).collect();
    assert!((1..=2).contains(&throttled.len()), "{}", throttled.len());
    assert!(throttled.iter().all(|reply| reply.contains("ApplicationThrottled")));
    running.stop().await;
}
