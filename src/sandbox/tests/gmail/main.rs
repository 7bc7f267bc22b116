//! Gmail, driven with raw requests after the sheet's examples.

mod drafts;
mod history;
mod labels;
mod reading;
mod seeds;
mod weather;
mod writing;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};
use twofold_sandbox::{Options, Provider, Request, Response, Sandbox, Switches};

const ME: &str = "/google/gmail/v1/users/me";
const MESSAGES: &str = "/google/gmail/v1/users/me/messages";
const UPLOAD: &str = "/google/upload/gmail/v1/users/me/messages";

/// A sandbox with a signed-in client of it.
struct Client {
    sandbox: Sandbox,
    token: String,
}

impl Client {
    fn new(options: Options) -> Self {
        let sandbox = Sandbox::new(options);
        let token = sandbox.access_token(Provider::Google);
        Self { sandbox, token }
    }

    fn empty() -> Self {
        Self::with(Switches::default())
    }

    fn demo() -> Self {
        Self::new(Options::demo().virtual_time().with(Switches { mail_units_per_min: 0, ..Switches::default() }))
    }

    fn with(switches: Switches) -> Self {
        Self::new(Options::empty().virtual_time().with(switches))
    }

    /// Lets time pass, and signs in again.
    fn wait_ms(&mut self, ms: i64) {
        self.sandbox.clock().advance_ms(ms);
        self.token = self.sandbox.access_token(Provider::Google);
    }

    fn send(&self, request: Request) -> Response {
        self.sandbox.handle(&request.bearer(&self.token))
    }

    fn ok(&self, request: Request) -> Value {
        let what = format!("{} {}", request.method, request.path);
        let reply = self.send(request);
        assert_eq!(reply.status, 200, "{what}: {}", reply.body_json());
        reply.body_json()
    }

    fn done(&self, request: Request) {
        let reply = self.send(request);
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{}", reply.body_json());
    }

    /// The message of a refused request, which has both shapes.
    fn refused(&self, request: Request, status: u16, reason: &str) -> String {
        let what = format!("{} {} {:?}", request.method, request.path, request.query);
        let reply = self.send(request);
        let body = reply.body_json();
        let error = &body["error"];
        assert_eq!((reply.status, error["errors"][0]["reason"].as_str()), (status, Some(reason)), "{what}: {body}");
        assert_eq!((&error["code"], &error["message"]), (&json!(status), &error["errors"][0]["message"]), "{body}");
        assert!(error["status"].is_string(), "{body}");
        error["message"].as_str().unwrap().to_owned()
    }

    fn get(&self, id: &str, format: &str) -> Value {
        self.ok(Request::get(&format!("{MESSAGES}/{id}?format={format}")))
    }

    fn insert(&self, raw: &str, labels: &[&str]) -> Value {
        self.ok(insert(raw, labels))
    }

    fn labels_of(&self, id: &str) -> Vec<String> {
        let labels = self.get(id, "minimal")["labelIds"].clone();
        labels.as_array().into_iter().flatten().map(|label| label.as_str().unwrap().to_owned()).collect()
    }

    fn modify(&self, id: &str, add: &[&str], remove: &[&str]) -> Request {
        Request::post(&format!("{MESSAGES}/{id}/modify"), &json!({ "addLabelIds": add, "removeLabelIds": remove }))
    }

    /// The ids of a whole list.
    fn list(&self, query: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut request = Request::get(&format!("{MESSAGES}?{query}"));
            request.query.extend(page.map(|token| ("pageToken".to_owned(), token)));
            let body = self.ok(request);
            let rows = body["messages"].as_array().into_iter().flatten();
            ids.extend(rows.map(|row| row["id"].as_str().unwrap().to_owned()));
            match body["nextPageToken"].as_str() {
                Some(token) => page = Some(token.to_owned()),
                None => return ids,
            }
        }
    }

    fn history_id(&self) -> String {
        self.ok(Request::get(&format!("{ME}/profile")))["historyId"].as_str().unwrap().to_owned()
    }

    /// All records since an id, and the id to go on from.
    fn history(&self, since: &str, query: &str) -> (Vec<Value>, String) {
        let mut records = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut request = Request::get(&format!("{ME}/history?startHistoryId={since}&{query}"));
            request.query.extend(page.map(|token| ("pageToken".to_owned(), token)));
            let body = self.ok(request);
            records.extend(body["history"].as_array().into_iter().flatten().cloned());
            match body["nextPageToken"].as_str() {
                Some(token) => page = Some(token.to_owned()),
                None => return (records, body["historyId"].as_str().unwrap().to_owned()),
            }
        }
    }
}

fn insert(raw: &str, labels: &[&str]) -> Request {
    let body = json!({ "raw": URL_SAFE.encode(raw), "labelIds": labels });
    Request::post(&format!("{MESSAGES}?internalDateSource=dateHeader"), &body)
}

fn import(raw: &str, query: &str) -> Request {
    let body = json!({ "raw": URL_SAFE.encode(raw), "labelIds": ["INBOX"] });
    Request::post(&format!("{MESSAGES}/import?{query}"), &body)
}

/// A plain mail with this Message-ID (without brackets) and subject.
fn mail(id: &str, subject: &str) -> String {
    format!(
        "From: Anna <anna@example.org>\r\nTo: ada@example.com\r\nSubject: {subject}\r\n\
         Date: Thu, 4 Dec 2025 10:15:00 +0100\r\nMessage-ID: <{id}>\r\n\r\nGood day.\r\n"
    )
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
