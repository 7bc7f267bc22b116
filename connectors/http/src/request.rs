//! What a connector asks for and what it gets back: plain data, no I/O.

use crate::spill::Spilled;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io::{self, Read};
use twofold_model::{Error, ErrorKind, Result};

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, or calls an action.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// The method of that name, or nothing.
    pub fn from_name(name: &str) -> Option<Method> {
        [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete].into_iter().find(|m| m.as_str() == name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request carries.
#[derive(Clone, Default, PartialEq)]
pub enum Body {
    /// No body.
    #[default]
    Nothing,
    /// JSON, sent as `application/json`.
    Json(serde_json::Value),
    /// Anything else, with its type.
    Bytes {
        /// The `Content-Type`.
        content_type: String,
        /// The bytes themselves.
        bytes: Vec<u8>,
    },
    /// `application/x-www-form-urlencoded` pairs.
    Form(Vec<(String, String)>),
}

impl Body {
    /// How many bytes go onto the wire, as [`Body::encoded`] writes them.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Body::Bytes { bytes, .. } => bytes.len() as u64,
            body => body.encoded().1.len() as u64,
        }
    }

    /// The content type and the bytes that go onto the wire.
    pub(crate) fn encoded(&self) -> (Option<String>, Vec<u8>) {
        match self {
            Body::Nothing => (None, Vec::new()),
            Body::Json(value) => (Some("application/json".into()), value.to_string().into_bytes()),
            Body::Bytes { content_type, bytes } => (Some(content_type.clone()), bytes.clone()),
            Body::Form(pairs) => {
                let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                (Some("application/x-www-form-urlencoded".into()), text.into_bytes())
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Nothing => f.write_str("Nothing"),
            Body::Json(_) => f.write_str("Json(…)"),
            Body::Bytes { content_type, bytes } => write!(f, "Bytes({content_type}, {} bytes)", bytes.len()),
            Body::Form(pairs) => write!(f, "Form({} pairs)", pairs.len()),
        }
    }
}

/// What a 2xx answer has to be. HTML is refused in every case: it comes from a portal or a proxy, never from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// `application/json` or a `+json` type; an empty body is fine with 202, 204 and 205 only.
    Json,
    /// Any type but HTML.
    Bytes,
    /// Whatever comes, or nothing; but not HTML.
    Anything,
}

/// What a request does there, which decides whether it may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: repeated freely.
    Read,
    /// Changes something: repeated only after an answer that proves that it was not executed.
    Write,
    /// A write that must not run beside another one of this client (People: "mutate requests ... sequentially").
    ExclusiveWrite,
}

impl Effect {
    /// Whether something may have changed there.
    pub fn is_write(self) -> bool {
        self != Effect::Read
    }
}

/// One request: built by a connector, sent by [`Client::send`](crate::Client::send).
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// An absolute address of the client's origin, or a path and query relative to the client's base.
    pub url: String,
    /// Headers of this request; those of the dialect and the token come on top.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Body,
    /// What a 2xx answer has to be.
    pub expect: Expect,
    /// A status beside 2xx that is an answer and no failure, and has no type to be checked (308 where an upload wants more).
    pub takes: Option<u16>,
    /// Whether it changes something.
    pub effect: Effect,
    /// How many requests it counts as in the budget (a batch: the number of parts). It also takes that many of the slots
    /// for concurrent requests (all of them at most), because a provider runs the parts side by side.
    pub cost: u32,
    /// Quota units it costs, where the provider counts such.
    pub units: u32,
    /// Whether it changes nothing, but is asked for a write: while others wait it has as little time.
    pub is_for_write: bool,
    /// Whether a large answer may come on the disk ([`Response::spilled`]): whoever allows it reads it piece by piece.
    pub spills: bool,
    /// Whether it carries several that can be sent in smaller parts: where the provider asks for a pause that is waited for, that answer is
    /// given back (it is no 2xx), and what is sent next waits.
    pub is_divisible: bool,
    /// The operation in plain words ("list contacts"): stands in errors and names the cassette.
    pub what: &'static str,
}

impl Request {
    fn new(what: &'static str, method: Method, url: impl Into<String>, body: Body) -> Self {
        let (expect, effect) = match method {
            Method::Get => (Expect::Json, Effect::Read),
            Method::Delete => (Expect::Anything, Effect::Write),
            Method::Post | Method::Put | Method::Patch => (Expect::Json, Effect::Write),
        };
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body,
            expect,
            takes: None,
            effect,
            is_for_write: false,
            cost: 1,
            units: 0,
            spills: false,
            is_divisible: false,
            what,
        }
    }

    /// Reads JSON.
    pub fn get(what: &'static str, url: impl Into<String>) -> Self {
        Self::new(what, Method::Get, url, Body::Nothing)
    }

    /// Reads bytes of any type but HTML.
    pub fn get_bytes(what: &'static str, url: impl Into<String>) -> Self {
        Self::get(what, url).expect(Expect::Bytes)
    }

    /// A write that sends JSON and gets JSON. A query made by POST says `.effect(Effect::Read)`.
    pub fn post_json(what: &'static str, url: impl Into<String>, body: serde_json::Value) -> Self {
        Self::new(what, Method::Post, url, Body::Json(body))
    }

    /// A write without a body that expects nothing in particular.
    pub fn post(what: &'static str, url: impl Into<String>) -> Self {
        Self::new(what, Method::Post, url, Body::Nothing).expect(Expect::Anything)
    }

    /// A write that sends a form and gets JSON.
    pub fn post_form(what: &'static str, url: impl Into<String>, pairs: Vec<(String, String)>) -> Self {
        Self::new(what, Method::Post, url, Body::Form(pairs))
    }

    /// A write that sends bytes and gets JSON.
    pub fn post_bytes(what: &'static str, url: impl Into<String>, content_type: &str, bytes: Vec<u8>) -> Self {
        Self::new(what, Method::Post, url, Body::Bytes { content_type: content_type.to_owned(), bytes })
    }

    /// A change that sends JSON and gets JSON.
    pub fn patch_json(what: &'static str, url: impl Into<String>, body: serde_json::Value) -> Self {
        Self::new(what, Method::Patch, url, Body::Json(body))
    }

    /// A replacement that sends JSON and gets JSON.
    pub fn put_json(what: &'static str, url: impl Into<String>, body: serde_json::Value) -> Self {
        Self::new(what, Method::Put, url, Body::Json(body))
    }

    /// A replacement that sends bytes and expects nothing in particular.
    pub fn put_bytes(what: &'static str, url: impl Into<String>, content_type: &str, bytes: Vec<u8>) -> Self {
        let body = Body::Bytes { content_type: content_type.to_owned(), bytes };
        Self::new(what, Method::Put, url, body).expect(Expect::Anything)
    }

    /// A removal; whatever comes back is fine.
    pub fn delete(what: &'static str, url: impl Into<String>) -> Self {
        Self::new(what, Method::Delete, url, Body::Nothing)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Asked for a write, of which it is a part that changes nothing.
    pub fn for_write(self) -> Self {
        Self { effect: Effect::Read, is_for_write: true, ..self }
    }

    /// Says whether it changes something.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Says how many requests it counts as.
    pub fn cost(mut self, cost: u32) -> Self {
        self.cost = cost;
        self
    }

    /// Says how many quota units it costs.
    pub fn units(mut self, units: u32) -> Self {
        self.units = units;
        self
    }

    /// Allows a large answer to come on the disk.
    pub fn spills(mut self) -> Self {
        self.spills = true;
        self
    }

    /// Says whether it can be sent in smaller parts.
    pub fn divisible(self, is_divisible: bool) -> Self {
        Self { is_divisible, ..self }
    }

    /// Says which status beside 2xx is an answer.
    pub fn takes(mut self, status: u16) -> Self {
        self.takes = Some(status);
        self
    }

    /// Says what a 2xx answer has to be.
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

impl fmt::Debug for Request {
    // Invariant: no header value, query or body, which may hold tokens and people's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {}, {:?}, {:?})", self.what, self.method, self.effect, self.body)
    }
}

/// One answer, its body whole and unpacked.
#[derive(Clone, Default, PartialEq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, gzip undone.
    pub body: Vec<u8>,
    /// The body of a large answer, where the request allows it ([`Request::spills`]); `body` is empty then.
    pub spilled: Option<Spilled>,
    /// What the provider calls this request, for its support.
    pub request_id: Option<String>,
}

impl Response {
    /// An answer with these parts; the request id is read from the headers.
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let mut response = Self { status, headers, body, spilled: None, request_id: None };
        response.request_id = ["request-id", "x-request-id", "x-ms-request-id", "x-goog-request-id"]
            .into_iter()
            .find_map(|name| response.header(name))
            .map(|id| id.chars().filter(|c| c.is_ascii_graphic()).take(80).collect());
        response
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The media type without its parameters, in lower case.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// How many bytes the body has.
    pub fn length(&self) -> u64 {
        self.spilled.as_ref().map_or(self.body.len() as u64, Spilled::length)
    }

    /// The body, to be read piece by piece, wherever it is.
    pub fn reader(&self) -> Box<dyn Read + '_> {
        match &self.spilled {
            Some(spilled) => Box::new(spilled.reader()),
            None => Box::new(self.body.as_slice()),
        }
    }

    /// The beginning of the body, at most so many bytes.
    ///
    /// # Errors
    /// Where the disk fails that it is on.
    pub fn beginning(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader().take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| {
            // Invariant: serde's words quote what they did not expect, so only those that quote our own names are kept.
            let words = e.to_string();
            let reason = if words.starts_with("missing field") { words } else { describe(&e) };
            let mut message = format!("the answer is not the JSON it should be: {reason}");
            if let Some(id) = &self.request_id {
                message.push_str(&format!(" (request {id})"));
            }
            Error::new(ErrorKind::Malformed, message)
        })
    }
}

fn describe(e: &serde_json::Error) -> String {
    let class = match e.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Data => "a value of another type",
        serde_json::error::Category::Io => "unreadable",
    };
    format!("{class} at line {} column {}", e.line(), e.column())
}

impl fmt::Debug for Response {
    // Invariant: no body and no header value but the type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let media_type = self.media_type().unwrap_or_else(|| "no type".into());
        write!(f, "Response({}, {media_type}, {} bytes", self.status, self.length())?;
        match &self.request_id {
            Some(id) => write!(f, ", request {id})"),
            None => f.write_str(")"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn debug_texts_show_no_secret_and_no_body() {
        let request = Request::post_json("create", "/x?access_token=hush", json!({"n": "hush"})).header("k", "hush");
        let response = Response::new(200, vec![("set-cookie".into(), "hush".into())], b"hush".to_vec());
        let form = Body::Form(vec![("code".into(), "hush".into())]);
        let bytes = Body::Bytes { content_type: "text/plain".into(), bytes: b"hush".to_vec() };
        for text in [format!("{request:?}"), format!("{response:?}"), format!("{form:?}"), format!("{bytes:?}")] {
            assert!(!text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn a_body_of_another_shape_is_malformed_without_quoting_it() {
        #[derive(serde::Deserialize, Debug)]
        struct Wanted {
            #[allow(dead_code)]
            id: u32,
        }
        let answer =
            |text: &str| Response::new(200, Vec::new(), text.as_bytes().to_vec()).json::<Wanted>().unwrap_err();
        assert!(answer("{}").message.contains("missing field `id`"));
        let error = answer(r#"{"id":"ada@lovelace.example"}"#);
        assert_eq!(error.kind, ErrorKind::Malformed);
        assert!(!error.message.contains("lovelace"), "{}", error.message);
        assert!(answer("{\"id\":").message.contains("ends too early"));
    }

    #[test]
    fn headers_are_found_in_any_case_and_name_the_request() {
        let response = Response::new(
            200,
            vec![
                ("Content-Type".into(), "Application/JSON; charset=utf-8".into()),
                ("Request-Id".into(), "9be1".into()),
            ],
            b"{}".to_vec(),
        );
        assert_eq!(response.media_type().as_deref(), Some("application/json"));
        assert_eq!(response.request_id.as_deref(), Some("9be1"));
        assert_eq!(response.json::<Value>().unwrap(), json!({}));
    }
}
