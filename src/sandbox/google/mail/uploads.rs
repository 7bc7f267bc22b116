//! Bytes coming in, in each of the four ways: JSON with `raw`; the message alone (`media`); `multipart/related`, JSON and
//! message; and `resumable`, in pieces. All end in the same place: [`finish`].

use base64::Engine;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::errors::{invalid, invalid_value, not_found, too_large};
use super::inserts::{self, Ask};
use super::{drafts, schema};
use crate::google::errors::Refusal;
use crate::{Request, Response, State, mime};

/// Pieces of an upload are multiples of this, but for the last.
const PIECE: usize = 256 * 1024;

/// What a message is sent for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Insert,
    Import,
    CreateDraft,
    UpdateDraft(String),
}

impl Goal {
    /// The JSON that goes with the message.
    fn schema(&self) -> &'static str {
        match self {
            Self::Insert | Self::Import => "Message",
            Self::CreateDraft | Self::UpdateDraft(_) => "Draft",
        }
    }
}

/// An upload in pieces.
#[derive(Debug)]
pub(super) struct Upload {
    goal: Goal,
    ask: Ask,
    metadata: Map<String, Value>,
    received: Vec<u8>,
    /// The answer to the last piece, once it came: it is given again to a client that missed it.
    answer: Option<Response>,
}

/// Takes in a message, or the beginning of an upload in pieces.
pub(super) fn receive(state: &mut State, request: &Request, goal: Goal, is_upload: bool) -> Result<Response, Refusal> {
    let ask = Ask::of(request, goal == Goal::Import);
    if !is_upload {
        if request.body.len() > state.switches.mail_most_json_bytes {
            return Err(too_large("Request payload size exceeds the limit."));
        }
        let metadata = schema::body(request, goal.schema())?;
        let raw = raw_in(&metadata, &goal)?;
        return finish(state, &goal, &ask, &metadata, raw);
    }
    match request.param("uploadType").unwrap_or_default() {
        "media" => {
            check_kind(request.header("content-type").unwrap_or_default())?;
            finish(state, &goal, &ask, &Map::new(), request.body.clone())
        }
        "multipart" => {
            let (metadata, raw) = related(request, &goal)?;
            finish(state, &goal, &ask, &metadata, raw)
        }
        "resumable" => begin(state, request, goal, ask),
        other => Err(invalid_value("uploadType", "string", other)),
    }
}

/// Makes of a message what it was sent for.
fn finish(
    state: &mut State,
    goal: &Goal,
    ask: &Ask,
    metadata: &Map<String, Value>,
    raw: Bytes,
) -> Result<Response, Refusal> {
    if raw.is_empty() {
        return Err(invalid("'raw' RFC822 payload message string or uploading message via /upload/* URL required"));
    }
    let most = match goal {
        Goal::Insert | Goal::Import => state.switches.mail_most_message_bytes,
        Goal::CreateDraft | Goal::UpdateDraft(_) => state.switches.mail_most_draft_bytes,
    };
    if raw.len() > most {
        return Err(too_large(&format!("Message is larger than {most} bytes.")));
    }
    match goal {
        Goal::Insert | Goal::Import => inserts::insert(state, ask, metadata, raw),
        Goal::CreateDraft => drafts::create(state, metadata, raw),
        Goal::UpdateDraft(id) => drafts::update(state, id, metadata, raw),
    }
}

/// The message in a JSON body.
fn raw_in(metadata: &Map<String, Value>, goal: &Goal) -> Result<Bytes, Refusal> {
    let holder = match goal.schema() {
        "Draft" => metadata.get("message").and_then(Value::as_object),
        _ => Some(metadata),
    };
    let text = holder.map(|holder| schema::text(holder, "raw")).unwrap_or_default();
    let raw = mime::URL_SAFE.decode(text).map_err(|_| invalid("Invalid value for ByteString: 'raw'"))?;
    Ok(raw.into())
}

fn check_kind(content_type: &str) -> Result<(), Refusal> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_mail = kind.to_ascii_lowercase().starts_with("message/");
    if is_mail {
        Ok(())
    } else {
        Err(invalid(&format!("Media type '{kind}' is not supported. Valid media types: [message/*]")))
    }
}

/// The JSON part and the message of a `multipart/related` (RFC 2387).
fn related(request: &Request, goal: &Goal) -> Result<(Map<String, Value>, Bytes), Refusal> {
    let bad = || invalid("Malformed multipart body.");
    let content_type = request.header("content-type").unwrap_or_default();
    let boundary = mime::parameter(content_type, "boundary").filter(|_| content_type.starts_with("multipart/related"));
    let pieces = mime::between(&request.body, &boundary.ok_or_else(bad)?);
    let [first, second] = pieces.as_slice() else { return Err(bad()) };
    let (head, json) = mime::split(first);
    let kind_of = |head: &[u8]| {
        let headers = mime::headers(head);
        let found = headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        found.map(|(_, value)| value).unwrap_or_default()
    };
    if !kind_of(head).starts_with("application/json") {
        return Err(bad());
    }
    let (head, raw) = mime::split(second);
    check_kind(&kind_of(head))?;
    Ok((schema::check(goal.schema(), json)?, Bytes::copy_from_slice(raw)))
}

/// The beginning of an upload in pieces: the address for them.
fn begin(state: &mut State, request: &Request, goal: Goal, ask: Ask) -> Result<Response, Refusal> {
    let metadata = if request.body.is_empty() { Map::new() } else { schema::body(request, goal.schema())? };
    if let Some(kind) = request.header("x-upload-content-type") {
        check_kind(kind)?;
    }
    let announced = request.header("x-upload-content-length").and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > state.switches.mail_most_message_bytes) {
        return Err(too_large("Upload is too large."));
    }
    let id = state.google.mail.fresh_name("AU");
    let place = format!("{}{}?uploadType=resumable&upload_id={id}", state.base, request.path);
    let upload = Upload { goal, ask, metadata, received: Vec::new(), answer: None };
    state.google.mail.uploads.insert(id, upload);
    Ok(Response::empty(200).with_header("location", &place))
}

/// One piece of an upload, or the question how much of it came (`bytes */TOTAL`).
pub(super) fn piece(state: &mut State, request: &Request, id: &str) -> Result<Response, Refusal> {
    let bad = || invalid("Failed to parse Content-Range header.");
    let upload = state.google.mail.uploads.get_mut(id).ok_or_else(not_found)?;
    if let Some(answer) = &upload.answer {
        return Ok(answer.clone());
    }
    let size = request.body.len();
    let range = match request.header("content-range") {
        Some(text) => Range::read(text).ok_or_else(bad)?,
        None => Range { span: Some((0, size)), total: Some(size) },
    };
    if let Some((begin, end)) = range.span {
        let is_last = range.total == Some(end);
        let fits =
            end - begin == size && begin == upload.received.len() && range.total.is_none_or(|total| end <= total);
        if !fits || (!is_last && !size.is_multiple_of(PIECE)) {
            return Err(bad());
        }
        upload.received.extend_from_slice(&request.body);
    }
    let received = upload.received.len();
    if range.total != Some(received) || received == 0 {
        let reply = Response::empty(308);
        return Ok(match received {
            0 => reply,
            _ => reply.with_header("range", &format!("bytes=0-{}", received - 1)),
        });
    }
    let (goal, ask, metadata) = (upload.goal.clone(), upload.ask.clone(), upload.metadata.clone());
    let raw = Bytes::from(std::mem::take(&mut upload.received));
    let reply = finish(state, &goal, &ask, &metadata, raw).unwrap_or_else(|refusal| *refusal);
    if let Some(upload) = state.google.mail.uploads.get_mut(id) {
        upload.answer = Some(reply.clone());
    }
    Ok(reply)
}

/// A `Content-Range`: first byte and the one after the last, and the whole's size where it is known.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    span: Option<(usize, usize)>,
    total: Option<usize>,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let (span, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        if span == "*" {
            return Some(Self { span: None, total });
        }
        let (first, last) = span.split_once('-')?;
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        (first <= last).then_some(Self { span: Some((first, last + 1)), total })
    }
}
