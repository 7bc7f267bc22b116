//! JSON batches (OData JSON Format 4.01, chapter 19; Graph `$batch`) as pure functions: many requests in one, each with its
//! own answer.

use crate::request::{Body, Method, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use twofold_model::{Error, ErrorKind, Result};

/// The most parts that one batch may have.
pub const MAX_PARTS: usize = 20;

/// One request inside of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Names the answer; unique in its batch, in any case of letters.
    pub id: String,
    /// The method.
    pub method: Method,
    /// Path and query below the batch's base, with or without a leading slash.
    pub url: String,
    /// Headers of this part; the content type of a body is set from it.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Body,
}

impl Part {
    /// A part without a body.
    pub fn new(id: impl Into<String>, method: Method, url: impl Into<String>) -> Self {
        Self { id: id.into(), method, url: url.into(), headers: Vec::new(), body: Body::Nothing }
    }

    /// A part that reads.
    pub fn get(id: impl Into<String>, url: impl Into<String>) -> Self {
        Self::new(id, Method::Get, url)
    }

    /// Gives it a JSON body.
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Gives it a body of bytes, sent as base64.
    pub fn bytes(mut self, content_type: &str, bytes: Vec<u8>) -> Self {
        self.body = Body::Bytes { content_type: content_type.to_owned(), bytes };
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// The body of the batch request.
pub fn build(parts: &[Part]) -> Result<Value> {
    let wrong = |why: &str| Err(Error::new(ErrorKind::Refused, format!("a batch was not sent: {why}")));
    if parts.is_empty() || parts.len() > MAX_PARTS {
        return wrong(&format!("it has {} parts, allowed are 1 to {MAX_PARTS}", parts.len()));
    }
    let mut ids: Vec<String> = parts.iter().map(|p| p.id.to_lowercase()).collect();
    ids.sort();
    ids.dedup();
    if ids.len() != parts.len() {
        return wrong("two parts have one id");
    }
    // Invariant: a part has no address of its own, so the bearer cannot be led elsewhere.
    if parts.iter().any(|p| p.url.contains("://") && !p.url.starts_with('/') || p.url.starts_with("//")) {
        return wrong("a part has an absolute address");
    }
    Ok(json!({ "requests": parts.iter().map(build_part).collect::<Vec<_>>() }))
}

fn build_part(part: &Part) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &part.headers {
        headers.insert(name.clone(), Value::String(value.clone()));
    }
    let (content_type, encoded) = part.body.encoded();
    if let Some(content_type) = content_type
        && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))
    {
        headers.insert("Content-Type".into(), Value::String(content_type));
    }
    let mut request = Map::new();
    request.insert("id".into(), Value::String(part.id.clone()));
    request.insert("method".into(), Value::String(part.method.as_str().into()));
    request.insert("url".into(), Value::String(format!("/{}", part.url.trim_start_matches('/'))));
    if !headers.is_empty() {
        request.insert("headers".into(), Value::Object(headers));
    }
    match &part.body {
        Body::Nothing => {}
        Body::Json(value) => drop(request.insert("body".into(), value.clone())),
        Body::Bytes { .. } | Body::Form(_) => drop(request.insert("body".into(), STANDARD.encode(encoded).into())),
    }
    Value::Object(request)
}

/// The reply to a batch. Bodies stay the text that they came as: each is read once, by whoever asked.
#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    responses: Vec<&'a RawValue>,
}

/// The answer to one part.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    headers: Value,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
}

/// The answers, in the order of `parts`. `None`: the reply has no (or no single) answer for that part, so what happened to
/// it is unknown; it never means "not there".
pub fn read(reply: &Response, parts: &[Part]) -> Result<Vec<Option<Response>>> {
    let Ok(Reply { responses }) = serde_json::from_slice(&reply.body) else {
        // Where it is no JSON at all, that is what is told.
        reply.json::<IgnoredAny>()?;
        return Err(Error::new(ErrorKind::Malformed, "the reply to a batch has no list of responses"));
    };
    let answers: Vec<Answer> = responses.iter().filter_map(|one| serde_json::from_str(one.get()).ok()).collect();
    Ok(parts.iter().map(|part| answer_to(part, &answers)).collect())
}

fn answer_to(part: &Part, answers: &[Answer]) -> Option<Response> {
    let mut own = answers.iter().filter(|answer| match &answer.id {
        Value::String(id) => id.eq_ignore_ascii_case(&part.id),
        Value::Number(id) => id.to_string() == part.id,
        _ => false,
    });
    // Two answers to one question are none.
    let (Some(own), None) = (own.next(), own.next()) else { return None };
    let status = match &own.status {
        Value::String(text) => text.parse().ok()?,
        number => u16::try_from(number.as_u64()?).ok()?,
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in own.headers.as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.push((name.clone(), text));
    }
    let mut answer = Response::new(status, headers, Vec::new());
    let body = own.body.map(RawValue::get);
    answer.body = body_of(body, answer.media_type().as_deref());
    if body.is_some_and(|body| body.starts_with(['{', '['])) && answer.media_type().is_none() {
        answer.headers.push(("Content-Type".into(), "application/json".into()));
    }
    Some(answer)
}

/// Objects are JSON; a string is base64 of what has another type (photos, MIME), in either alphabet.
fn body_of(body: Option<&str>, media_type: Option<&str>) -> Vec<u8> {
    let Some(body) = body else { return Vec::new() };
    match serde_json::from_str::<String>(body) {
        Ok(text) if !media_type.is_some_and(is_json) => [STANDARD, URL_SAFE, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
            .iter()
            .find_map(|alphabet| alphabet.decode(text.trim()).ok())
            .unwrap_or_else(|| text.into_bytes()),
        _ => body.as_bytes().to_vec(),
    }
}

/// Whether a media type means JSON.
pub(crate) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_written_as_the_provider_documents_it() {
        let parts = [
            Part::get("1", "me/contacts/delta?$deltatoken=x"),
            Part::new("2", Method::Patch, "/me/contacts/a")
                .json(json!({"givenName": "Ada"}))
                .header("If-Match", "W/\"1\""),
            Part::new("3", Method::Put, "/me/contacts/a/photo/$value").bytes("image/jpeg", vec![255, 216]),
        ];
        assert_eq!(
            build(&parts).unwrap(),
            json!({"requests": [
                {"id": "1", "method": "GET", "url": "/me/contacts/delta?$deltatoken=x"},
                {"id": "2", "method": "PATCH", "url": "/me/contacts/a",
                 "headers": {"If-Match": "W/\"1\"", "Content-Type": "application/json"}, "body": {"givenName": "Ada"}},
                {"id": "3", "method": "PUT", "url": "/me/contacts/a/photo/$value",
                 "headers": {"Content-Type": "image/jpeg"}, "body": "/9g="},
            ]})
        );
    }

    #[test]
    fn a_batch_that_the_provider_would_refuse_is_not_built() {
        let many: Vec<Part> = (0..21).map(|n| Part::get(n.to_string(), "/me")).collect();
        let cases = [
            ("too many", many),
            ("none", Vec::new()),
            ("one id twice", vec![Part::get("a", "/me"), Part::get("A", "/me")]),
            ("absolute", vec![Part::get("a", "https://evil.example/me")]),
            ("without a scheme", vec![Part::get("a", "//evil.example/me")]),
        ];
        for (name, parts) in cases {
            assert_eq!(build(&parts).unwrap_err().kind, ErrorKind::Refused, "{name}");
        }
    }

    #[test]
    fn answers_are_found_by_id_in_any_order_and_a_missing_one_is_unknown() {
        let parts: Vec<Part> = ["a", "b", "c", "d", "e"].iter().map(|id| Part::get(*id, "/me")).collect();
        let answer = json!({"responses": [
            {"id": "C", "status": 429, "headers": {"Retry-After": 2.128}},
            {"id": "b", "status": 200, "headers": {"Content-Type": "image/jpeg"}, "body": "_9g"},
            {"id": "a", "status": "200", "headers": {"Content-Type": "application/json; charset=utf-8"}, "body": {"id": "x"}},
            {"id": "e", "status": 200}, {"id": "e", "status": 404},
        ]});
        let reply = |body: Value| Response::new(200, Vec::new(), body.to_string().into_bytes());
        let read = read(&reply(answer), &parts).unwrap();
        let (a, b, c) = (read[0].as_ref().unwrap(), read[1].as_ref().unwrap(), read[2].as_ref().unwrap());
        assert_eq!(a.json::<Value>().unwrap(), json!({"id": "x"}));
        assert_eq!(b.body, [255, 216]);
        assert_eq!((c.status, crate::retry_after_s(c)), (429, Some(2.128)));
        assert!(read[3].is_none() && read[4].is_none(), "no answer, and two answers, are unknown");
        for odd in [json!({"value": []}), json!({"responses": {}}), json!("x")] {
            assert_eq!(super::read(&reply(odd), &parts).unwrap_err().kind, ErrorKind::Malformed);
        }
        let strange = json!({"responses": [7, {"id": "b", "status": [], "body": null}, {"id": "a", "status": 204, "body": null}]});
        let read = super::read(&reply(strange), &parts).unwrap();
        assert!(read[0].as_ref().is_some_and(|answer| answer.body.is_empty()) && read[1].is_none());
    }
}
