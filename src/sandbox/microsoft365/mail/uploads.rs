//! Attachments in pieces: a session is begun at the message, and its ranges go to an address of its own, which needs no
//! token because it holds one.

use bytes::Bytes;
use rand::Rng;
use serde_json::{Value, json};

use super::super::reply::{Answer, Refusal};
use super::super::{json_body, links, query as graph};
use super::attachments::{self, check_may_change, file_id, guessed_kind};
use super::body::File;
use super::messages;
use crate::{Request, Response, State, clock};

/// How long a session lives.
const LIFE_MS: i64 = 60 * 60_000;
/// The largest file, and the largest piece of one.
const MOST_SESSION_BYTES: usize = 150 * 1024 * 1024;
const MOST_PIECE_BYTES: usize = 4 * 1024 * 1024;

/// A file on its way.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    message: u64,
    own_id: String,
    token: String,
    expires_ms: i64,
    size: usize,
    file: File,
    received: Vec<u8>,
}

/// Begins a session.
pub(super) fn begin(state: &mut State, request: &Request, key: u64) -> Answer {
    graph::options(request, &[])?;
    check_may_change(state, key)?;
    let sent = json_body(request)?;
    let item = sent.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("AttachmentItem"));
    let item = item.and_then(Value::as_object).ok_or_else(|| Refusal::body("An AttachmentItem is needed."))?;
    let known = ["attachmentType", "name", "size", "isInline", "contentId", "contentType"];
    if let Some(name) = item.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Refusal::no_property(name, "attachmentItem"));
    }
    if item.get("attachmentType").and_then(Value::as_str) != Some("file") {
        return Err(Refusal::new(501, "NotImplemented", "The stand-in takes files only."));
    }
    let name = item.get("name").and_then(Value::as_str).ok_or_else(|| Refusal::body("The name is missing."))?;
    let size = item.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let size = size.ok_or_else(|| Refusal::body("The size is missing."))?;
    if size < state.switches.graph_session_from_bytes {
        let text = "The size of the attachment must be larger than 3 MB for an upload session.";
        return Err(Refusal::new(400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", text));
    }
    if size > MOST_SESSION_BYTES {
        let text = "The size of the attachment exceeds 150 MB.";
        return Err(Refusal::new(413, "ErrorAttachmentSizeLimitExceeded", text));
    }
    let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
    let now_ms = state.now_ms();
    let file = File {
        number: 0,
        modified_ms: now_ms,
        name: name.to_owned(),
        content_type: text("contentType").unwrap_or_else(|| guessed_kind(name).to_owned()),
        is_inline: item.get("isInline").is_some_and(|value| *value == true),
        content_id: text("contentId"),
        is_item: false,
        bytes: Bytes::new(),
    };
    let [session, token]: [u64; 2] = state.rng.random();
    let (session, token) = (format!("AAMk{session:016x}="), format!("{token:016x}"));
    let upload = Upload {
        message: key,
        own_id: messages::own_id(state, request, key),
        token: token.clone(),
        expires_ms: now_ms + LIFE_MS,
        size,
        file,
        received: Vec::new(),
    };
    let address = format!("{}/microsoft-upload/AttachmentSessions('{session}')?authtoken={token}", state.base);
    let body = json!({
        "@odata.context": links::api(state, "$metadata#microsoft.graph.uploadSession"),
        "uploadUrl": address,
        "expirationDateTime": clock::rfc3339_seconds(upload.expires_ms),
        "nextExpectedRanges": ["0-"],
    });
    state.microsoft.mail.uploads.insert(session, upload);
    Ok(Response::json(201, &body))
}

/// Takes a range, ends a session, or says how far it is; `words` is the path below the uploads' own address.
pub(super) fn answer(state: &mut State, request: &Request, words: &[&str]) -> Answer {
    let ["AttachmentSessions", session] = words else { return Err(Refusal::not_found()) };
    let now_ms = state.now_ms();
    state.microsoft.mail.uploads.retain(|_, upload| upload.expires_ms > now_ms);
    let upload = state.microsoft.mail.uploads.get(*session).cloned().ok_or_else(Refusal::not_found)?;
    // Documented: the address holds its own leave, and no other is to be sent.
    if request.param("authtoken") != Some(&upload.token) || request.header("authorization").is_some() {
        return Err(Refusal::new(401, "InvalidAuthenticationToken", "The upload address takes its own token only."));
    }
    match request.method.as_str() {
        "PUT" => put(state, request, session, upload),
        "DELETE" => {
            state.microsoft.mail.uploads.remove(*session);
            Ok(Response::empty(204))
        }
        "GET" if state.switches.graph_upload_tells_state => Ok(progress(state, &upload, 200)),
        _ => Err(Refusal::no_method()),
    }
}

fn put(state: &mut State, request: &Request, session: &str, mut upload: Upload) -> Answer {
    if request.body.len() >= MOST_PIECE_BYTES {
        return Err(Refusal::new(413, "ErrorMessageSizeExceeded", "A range is smaller than 4 MB."));
    }
    let range = request.header("content-range").and_then(read_range);
    let (begin, end, total) = range.ok_or_else(|| Refusal::bad("The Content-Range header is missing or malformed."))?;
    if begin != upload.received.len() || total != upload.size || end > total || end - begin != request.body.len() {
        let text = format!("The range is not the one that is expected, which begins at {}.", upload.received.len());
        return Err(Refusal::new(416, "invalidRange", text));
    }
    upload.received.extend_from_slice(&request.body);
    if end < total {
        let reply = progress(state, &upload, state.switches.graph_upload_status);
        state.microsoft.mail.uploads.insert(session.to_owned(), upload);
        return Ok(reply);
    }
    state.microsoft.mail.uploads.remove(session);
    let is_there = state.microsoft.mail.messages[&upload.message].now().folder.is_some();
    if !is_there {
        return Err(Refusal::not_found());
    }
    let file = File { bytes: upload.received.into(), ..upload.file };
    let file = attachments::add(state, upload.message, file)?;
    let (user, message) = (links::escape(&state.microsoft_account.id), links::escape(&upload.own_id));
    let attachment = links::escape(&file_id(upload.message, &file));
    let place = format!("Users('{user}')/Messages('{message}')/Attachments('{attachment}')");
    Ok(Response::empty(201).with_header("location", &links::api(state, &place)))
}

/// How much came so far. The service writes its names in capitals here, and leaves out the dash.
fn progress(state: &State, upload: &Upload, status: u16) -> Response {
    let (expires, next) = (clock::rfc3339_seconds(upload.expires_ms), upload.received.len());
    let body = if state.switches.graph_upload_capital_names {
        json!({ "ExpirationDateTime": expires, "NextExpectedRanges": [next.to_string()] })
    } else {
        json!({ "expirationDateTime": expires, "nextExpectedRanges": [format!("{next}-")] })
    };
    Response::json(status, &body)
}

/// `bytes A-B/TOTAL`: the first byte, the one after the last, the whole.
fn read_range(text: &str) -> Option<(usize, usize, usize)> {
    let (span, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last + 1, total.parse().ok()?))
}
