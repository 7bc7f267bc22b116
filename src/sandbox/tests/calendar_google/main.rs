//! Google Calendar, driven with raw requests after the sheet's examples.

mod calendars;
mod events;
mod instances;
mod lists;
mod mails;
mod rules;
mod weather;

use serde_json::{Value, json};
use twofold_sandbox::{Options, Provider, Request, Response, Sandbox, Switches};

const V3: &str = "/google/calendar/v3";
const EVENTS: &str = "/google/calendar/v3/calendars/primary/events";

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
        Self::new(Options::empty().virtual_time())
    }

    fn demo() -> Self {
        Self::new(Options::demo().virtual_time())
    }

    fn with(switches: Switches) -> Self {
        Self::new(Options::empty().virtual_time().with(switches))
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

    /// The error of a refused request, in the older shape.
    fn refused(&self, request: Request, status: u16, reason: &str) -> Value {
        let what = format!("{} {} {:?}", request.method, request.path, request.query);
        let reply = self.send(request);
        let body = reply.body_json();
        let error = &body["error"];
        assert_eq!((reply.status, error["errors"][0]["reason"].as_str()), (status, Some(reason)), "{what}: {body}");
        assert_eq!((&error["code"], &error["message"]), (&json!(status), &error["errors"][0]["message"]), "{body}");
        assert!(error["errors"][0]["domain"].is_string(), "{body}");
        body
    }

    fn insert(&self, event: Value) -> Value {
        self.ok(Request::post(&format!("{EVENTS}?sendUpdates=none"), &event))
    }

    fn get(&self, id: &str) -> Value {
        self.ok(Request::get(&format!("{EVENTS}/{id}")))
    }

    fn patch(&self, id: &str, patch: Value) -> Value {
        self.ok(Request::patch(&format!("{EVENTS}/{id}?sendUpdates=none"), &patch))
    }

    /// A whole round of a list: all items and the sync token, if one came.
    fn round(&self, list: &str, sync: Option<&str>) -> (Vec<Value>, Option<String>) {
        let mut items = Vec::new();
        let mut page: Option<String> = None;
        loop {
            let mut request = Request::get(list);
            request.query.extend(sync.map(|token| ("syncToken".to_owned(), token.to_owned())));
            request.query.extend(page.map(|token| ("pageToken".to_owned(), token)));
            let body = self.ok(request);
            items.extend(body["items"].as_array().expect("items, empty or not").clone());
            let sync = body["nextSyncToken"].as_str().map(str::to_owned);
            match body["nextPageToken"].as_str() {
                Some(token) => {
                    assert!(sync.is_none(), "a sync token before the last page");
                    page = Some(token.to_owned());
                }
                None => return (items, sync),
            }
        }
    }

    /// The changes on the primary calendar since a token, and the next token.
    fn delta(&self, sync: &str) -> (Vec<Value>, String) {
        let (items, token) = self.round(&format!("{EVENTS}?showDeleted=true"), Some(sync));
        (items, token.unwrap())
    }

    fn full(&self) -> (Vec<Value>, String) {
        let (items, token) = self.round(&format!("{EVENTS}?showDeleted=true"), None);
        (items, token.unwrap())
    }
}

fn day(summary: &str, date: &str, end: &str) -> Value {
    json!({ "summary": summary, "start": { "date": date }, "end": { "date": end } })
}

fn lunch() -> Value {
    json!({
        "summary": "Lunch",
        "start": { "dateTime": "2026-02-02T12:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-02-02T13:00:00", "timeZone": "Europe/Berlin" },
    })
}

/// Four Tuesdays over the change of the clocks, with an id that the client chose.
fn weekly() -> Value {
    json!({
        "id": "tf0000000000001",
        "summary": "Stand-up",
        "start": { "dateTime": "2026-10-20T09:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-10-20T09:15:00", "timeZone": "Europe/Berlin" },
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
    })
}

fn with(mut event: Value, more: Value) -> Value {
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

fn encoded(id: &str) -> String {
    id.replace('#', "%23").replace('@', "%40")
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
