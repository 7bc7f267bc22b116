//! What Graph says when it refuses, and the headers that stand on every answer.

use rand::Rng;
use serde_json::{Map, Value, json};

use crate::{Request, Response, Switches, clock};

/// A request that is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: u16,
    code: &'static str,
    message: String,
    headers: Vec<(&'static str, String)>,
}

/// An answer, or why there is none.
pub(super) type Answer = Result<Response, Refusal>;

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    /// 400 for a request that is put wrongly.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 400 for a body that does not fit the type.
    pub fn body(message: impl Into<String>) -> Self {
        Self::new(400, "RequestBodyRead", message)
    }

    /// 400 for a property that the type does not have.
    pub fn no_property(name: &str, of: &str) -> Self {
        Self::body(format!(
            "The property '{name}' does not exist on type 'microsoft.graph.{of}'. Make sure to only use property names \
             that are defined by the type."
        ))
    }

    /// 400 for a property that only the service sets.
    pub fn read_only(name: &str) -> Self {
        Self::new(400, "ErrorInvalidPropertySet", format!("The property '{name}' is read-only and cannot be set."))
    }

    /// 404 for an id that has the right form and names nothing.
    pub fn not_found() -> Self {
        Self::new(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    }

    /// 404 for a path that is not there.
    pub fn no_resource(segment: &str) -> Self {
        Self::new(404, "ResourceNotFound", format!("Resource not found for the segment '{segment}'."))
    }

    /// 405 for a method that a resource does not have.
    pub fn no_method() -> Self {
        Self::new(405, "ErrorInvalidRequest", "The OData request is not supported.")
    }

    /// 403.
    pub fn denied() -> Self {
        Self::new(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    }

    /// 412.
    pub fn stale() -> Self {
        Self::new(
            412,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not \
             match the current change key for the item.",
        )
    }

    /// The same refusal with a header.
    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The text without the frame, for the author of a test.
    pub fn text(&self) -> String {
        format!("{} {}: {}", self.status, self.code, self.message)
    }

    /// The refusal as an answer.
    pub fn response(self, switches: &Switches, now_ms: i64, request_id: &str, request: &Request) -> Response {
        let client_id = request.header("client-request-id").unwrap_or(request_id);
        let seconds = clock::rfc3339_seconds(now_ms);
        let inner = json!({
            "date": seconds.trim_end_matches('Z'),
            "request-id": request_id,
            "client-request-id": client_id,
        });
        let inner_key = if switches.graph_lower_inner_error { "innererror" } else { "innerError" };
        let mut error = Map::new();
        error.insert("code".into(), recased(self.code, switches.graph_recased_codes).into());
        error.insert("message".into(), self.message.into());
        error.insert(inner_key.into(), inner);
        let mut reply = Response::json(self.status, &json!({ "error": error }));
        for (name, value) in self.headers {
            reply.set_header(name, &value);
        }
        reply
    }
}

/// Codes are met in both cases of their first letter: `syncStateNotFound`, `SyncStateNotFound`.
fn recased(code: &str, turn: bool) -> String {
    let mut letters = code.chars();
    match letters.next() {
        Some(first) if turn => {
            let first =
                if first.is_ascii_uppercase() { first.to_ascii_lowercase() } else { first.to_ascii_uppercase() };
            std::iter::once(first).chain(letters).collect()
        }
        _ => code.to_owned(),
    }
}

/// Adds the headers that every answer has.
pub(super) fn stamp(reply: &mut Response, request: &Request, request_id: &str) {
    reply.set_header("request-id", request_id);
    let wants_own = request.header("return-client-request-id").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if let Some(id) = request.header("client-request-id").filter(|_| wants_own) {
        reply.set_header("client-request-id", id);
    }
    let server = r#"{"ServerInfo":{"DataCenter":"Germany West Central","Slice":"E","Ring":"4","ScaleUnit":"001","RoleInstance":"FR2PEPF00000001"}}"#;
    reply.set_header("x-ms-ags-diagnostic", server);
    reply.set_header("odata-version", "4.0");
}

/// A random GUID.
pub(super) fn guid(rng: &mut impl Rng) -> String {
    let [a, b]: [u64; 2] = rng.random();
    let (a, b) = ((a & !0xF000) | 0x4000, (b & (u64::MAX >> 2)) | (1 << 63));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xFFFF,
        a & 0xFFFF,
        b >> 48,
        b & 0xFFFF_FFFF_FFFF
    )
}

/// A JSON object that Graph shows, its keys turned round when the switch says so.
pub(super) fn ordered(object: Map<String, Value>, switches: &Switches) -> Value {
    if switches.reorder_fields { object.into_iter().rev().collect::<Map<_, _>>().into() } else { object.into() }
}
