//! `$batch`: up to twenty requests in one, each run like any other, a few at a time.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use rand::seq::SliceRandom;
use serde_json::{Map, Value, json};

use super::query;
use super::reply::{Answer, Refusal};
use crate::{Request, Response, State, server};

const MOST_PARTS: usize = 20;

/// One inner request.
struct Part {
    id: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    depends_on: Vec<String>,
}

/// Answers a batch. Its own status is 200 whatever becomes of its parts.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    if request.method != "POST" {
        return Err(Refusal::no_method());
    }
    query::options(request, &[])?;
    let parts = read(&super::json_body(request)?)?;
    let mut answers = Vec::new();
    // Status of each part that ran, by its id in lower case; 0 when its answer was lost.
    let mut done: HashMap<String, u16> = HashMap::new();
    // The parts run side by side, some at a time, besides the other requests that are under way; chains run one by one.
    let others = state.in_flight.graph.saturating_sub(1);
    let at_a_time = state.switches.graph_batch_parts_at_a_time.min(parts.len() as u32).max(1);
    for (at, part) in parts.iter().enumerate() {
        let beside = if part.depends_on.is_empty() { at as u32 % at_a_time } else { 0 };
        let is_blocked = part.depends_on.iter().any(|id| !matches!(done.get(id), Some(200..400)));
        let reply = if is_blocked {
            let error =
                json!({ "error": { "code": "FailedDependency", "message": "A request it depends on failed." } });
            Some(Response::json(424, &error))
        } else {
            match inner(part, request) {
                Ok(inner) => server::dispatch_part_among(state, &inner, others + beside),
                Err(text) => {
                    let error = json!({ "error": { "code": "BadRequest", "message": text } });
                    Some(Response::json(400, &error))
                }
            }
        };
        done.insert(part.id.to_lowercase(), reply.as_ref().map_or(0, |reply| reply.status));
        answers.extend(reply.map(|reply| show(&part.id, &reply)));
    }
    // Documented: the answers come in any order.
    answers.shuffle(&mut state.rng);
    Ok(Response::json(200, &json!({ "responses": answers })))
}

/// The whole request that a part stands for. Of the batch's own headers only the token reaches it.
fn inner(part: &Part, outer: &Request) -> Result<Request, String> {
    let mut inner = Request::new(&part.method, &format!("/microsoft/v1.0/{}", part.url.trim_start_matches('/')));
    inner.headers = part.headers.clone();
    if inner.header("authorization").is_none()
        && let Some(token) = outer.header("authorization")
    {
        inner = inner.with_header("authorization", token);
    }
    inner.body = match &part.body {
        None => Bytes::new(),
        Some(body) if inner.says_json() => body.to_string().into(),
        Some(Value::String(text)) => {
            let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
            bytes.map_err(|_| "The body is not base64.".to_owned())?.into()
        }
        Some(_) => return Err("A body that is not JSON is a base64 string.".into()),
    };
    Ok(inner)
}

/// A part's answer: JSON as it is, anything else as base64.
fn show(id: &str, reply: &Response) -> Value {
    let mut shown = Map::from_iter([("id".into(), id.into()), ("status".into(), reply.status.into())]);
    let headers: Map<String, Value> =
        reply.headers.iter().map(|(name, value)| (titled(name), value.as_str().into())).collect();
    shown.insert("headers".into(), headers.into());
    if !reply.body.is_empty() {
        let is_json = reply.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let body = if is_json { serde_json::from_slice(&reply.body).ok() } else { None };
        shown.insert("body".into(), body.unwrap_or_else(|| STANDARD.encode(&reply.body).into()));
    }
    shown.into()
}

/// `retry-after` as `Retry-After`: inside the JSON the case of names is the sender's.
fn titled(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

fn read(sent: &Value) -> Result<Vec<Part>, Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::bad("Invalid batch payload format."))?;
    if object.keys().any(|name| name != "requests") {
        return Err(Refusal::bad("Invalid batch payload format."));
    }
    let list = object.get("requests").and_then(Value::as_array);
    let list = list.ok_or_else(|| Refusal::bad("Invalid batch payload format."))?;
    if list.is_empty() || list.len() > MOST_PARTS {
        return Err(Refusal::bad(format!("Number of batch request steps must be between 1 and {MOST_PARTS}.")));
    }
    let parts = list.iter().map(read_part).collect::<Result<Vec<_>, _>>()?;
    let mut seen: Vec<String> = Vec::new();
    for part in &parts {
        let id = part.id.to_lowercase();
        if seen.contains(&id) {
            return Err(Refusal::bad(format!("Duplicate request id : {}.", part.id)));
        }
        if let Some(unknown) = part.depends_on.iter().find(|id| !seen.contains(id)) {
            let text = format!("Request id : {} depends on '{unknown}', which does not stand before it.", part.id);
            return Err(Refusal::bad(text));
        }
        seen.push(id);
    }
    Ok(parts)
}

fn read_part(sent: &Value) -> Result<Part, Refusal> {
    let mut part = Part {
        id: String::new(),
        method: String::new(),
        url: String::new(),
        headers: Vec::new(),
        body: None,
        depends_on: Vec::new(),
    };
    let object = sent.as_object().ok_or_else(|| Refusal::bad("Invalid batch request format."))?;
    for (name, value) in object {
        match (name.as_str(), value) {
            ("id", Value::String(text)) => part.id.clone_from(text),
            ("method", Value::String(text)) => part.method = text.to_ascii_uppercase(),
            ("url", Value::String(text)) => part.url.clone_from(text),
            ("headers", Value::Object(headers)) => {
                for (name, value) in headers {
                    let value = value.as_str().ok_or_else(|| Refusal::bad("Header values are strings."))?;
                    part.headers.push((name.to_ascii_lowercase(), value.to_owned()));
                }
            }
            ("body", body) => part.body = Some(body.clone()),
            ("dependsOn", Value::Array(ids)) => {
                let ids = ids.iter().map(|id| id.as_str().map(str::to_lowercase));
                let ids = ids.collect::<Option<Vec<_>>>();
                part.depends_on = ids.ok_or_else(|| Refusal::bad("dependsOn names request ids."))?;
            }
            _ => return Err(Refusal::bad(format!("Invalid batch request format: '{name}'."))),
        }
    }
    if part.id.is_empty() || part.url.is_empty() {
        return Err(Refusal::bad("A batch request needs an id and a url."));
    }
    let id = &part.id;
    if part.url.contains("://") || part.url.trim_start_matches('/').to_ascii_lowercase().starts_with("$batch") {
        return Err(Refusal::bad(format!("Request id : {id} has a url that is not relative to the version.")));
    }
    let is_write = match part.method.as_str() {
        "GET" | "DELETE" => false,
        "POST" | "PUT" | "PATCH" => true,
        _ => return Err(Refusal::bad(format!("Request id : {id} has an unknown method."))),
    };
    let has_kind = part.headers.iter().any(|(name, _)| name == "content-type");
    if (is_write || part.body.is_some()) && (!has_kind || part.body.is_none()) {
        let text = format!("Write request id : {id} does not contain Content-Type header or body declaration.");
        return Err(Refusal::bad(text));
    }
    Ok(part)
}
