//! The operations of Gmail v1 that are used, as requests (pure). Paths are relative to the client's base (`gmail_url`).
//!
//! Each says what it costs in Gmail's quota units. Provider: projects since May 2026 pay 20 for a message, older ones 5; the greater is
//! counted, because nothing tells which kind of project this is.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use twofold_http::{Expect, Request, Response, Spilled};
use twofold_model::{Error, ErrorKind, Result};
use url::form_urlencoded;

use super::batch::unreadable;
use super::map::is_message_id;
use super::walk::Ask;
use super::wire::Message;

const ME: &str = "/gmail/v1/users/me";
const UPLOAD: &str = "/upload/gmail/v1/users/me";
/// Ids on a page: the most that is allowed.
const PAGE_SIZE: &str = "500";

/// Messages that one call may change.
pub const MOST_CHANGED: usize = 1000;
/// From so many messages on, one call for all costs less than one for each: 50 units against 5.
pub const CHANGED_TOGETHER: usize = 11;
/// Bytes of a message up to which it is sent in one request; larger ones are uploads of their own.
pub const SENT_AT_ONCE: usize = 5 * 1024 * 1024;
/// The bytes of one piece of an upload: a multiple of 256 KiB.
pub const PIECE: usize = 16 * 256 * 1024;
/// The status of an upload of which more is to come.
const WANTS_MORE: u16 = 308;
/// The units of one message.
pub const GET_UNITS: u32 = 20;

/// How much of a message is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Labels and date.
    Minimal,
    /// What tells it from others in its header too.
    Headers,
    /// Its bytes too.
    Raw,
}

fn address(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let start = path.len() + 1;
    form_urlencoded::Serializer::for_suffix(format!("{path}?"), start).extend_pairs(query).finish()
}

/// An id as one segment of a path.
fn segment(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

// ---- reading ----------------------------------------------------------------------------------------------------------

/// GET `profile`: the latest change of the mailbox.
pub fn profile() -> Request {
    Request::get("read profile", format!("{ME}/profile")).units(1)
}

/// GET `messages`: a page of a walk.
pub fn list(ask: &Ask) -> Request {
    let mut query = vec![("maxResults", PAGE_SIZE)];
    query.push(("includeSpamTrash", if ask.with_spam_and_trash { "true" } else { "false" }));
    query.extend(ask.label.as_deref().map(|label| ("labelIds", label)));
    query.extend(ask.page.as_deref().map(|token| ("pageToken", token)));
    Request::get("list messages", address(&format!("{ME}/messages"), &query)).units(5)
}

/// GET `messages`: whether anything stands in a label. What is in the trash stands there and not here.
pub fn any_in(label: &str, page: Option<&str>) -> Request {
    let mut query = vec![("maxResults", "1"), ("labelIds", label)];
    query.extend(page.map(|token| ("pageToken", token)));
    Request::get("look into a label", address(&format!("{ME}/messages"), &query)).units(5)
}

/// GET `messages`: what a search finds, spam and trash too.
pub fn search(text: &str, page: Option<&str>) -> Request {
    let mut query = vec![("maxResults", "100"), ("includeSpamTrash", "true"), ("q", text)];
    query.extend(page.map(|token| ("pageToken", token)));
    Request::get("look for message", address(&format!("{ME}/messages"), &query)).units(5)
}

/// GET `messages`: the newest in a label, or of all.
pub fn newest(label: Option<&str>, page: Option<&str>) -> Request {
    let mut query = vec![("maxResults", "100"), ("includeSpamTrash", "true")];
    query.extend(label.map(|label| ("labelIds", label)));
    query.extend(page.map(|token| ("pageToken", token)));
    Request::get("look for message", address(&format!("{ME}/messages"), &query)).units(5)
}

/// GET `history`: a page of what happened since that change. All kinds of records.
pub fn history(since: &str, page: Option<&str>) -> Request {
    let mut query = vec![("startHistoryId", since), ("maxResults", PAGE_SIZE)];
    query.extend(page.map(|token| ("pageToken", token)));
    Request::get("list history", address(&format!("{ME}/history"), &query)).units(2)
}

/// The path of GET `messages/{id}`, for a batch.
pub fn get_path(id: &str, format: Format) -> String {
    let query = match format {
        Format::Minimal => "format=minimal&fields=id%2CthreadId%2ClabelIds%2CinternalDate%2CsizeEstimate",
        Format::Headers => {
            "format=metadata&metadataHeaders=Message-ID&metadataHeaders=From&metadataHeaders=Subject&metadataHeaders=Date\
             &fields=id%2CthreadId%2ClabelIds%2CinternalDate%2CsizeEstimate%2Cpayload%2Fheaders"
        }
        Format::Raw => "format=raw&fields=id%2CthreadId%2ClabelIds%2CinternalDate%2Craw",
    };
    format!("{ME}/messages/{}?{query}", segment(id))
}

/// Reads a message, whole or as a write answers it.
pub fn read_message(response: &Response) -> Result<Message> {
    let message: Message = response.json()?;
    match is_message_id(&message.id) {
        true => Ok(message),
        false => Err(Error::new(ErrorKind::Malformed, "a message came without its id")),
    }
}

/// Reads a message that was asked for. Its bytes, which may be nearly all of the answer, stay where they are.
pub fn read_got(mut response: Response) -> Result<Message> {
    if let Some(spilled) = response.spilled.take() {
        if let Some(message) = read_spilled(&response, &spilled).map_err(unreadable)? {
            return Ok(message);
        }
        // Not written as it always is: read as every other answer, in memory.
        response.body = spilled.bytes(0..spilled.length()).map_err(unreadable)?;
    }
    let Some(raw) = raw_in(&response.body) else { return read_message(&response) };
    let rest = [&response.body[..raw.start], b"\"\"", &response.body[raw.end..]].concat();
    let mut whole = std::mem::replace(&mut response.body, rest);
    let mut message = read_message(&response)?;
    // Without its quotes.
    whole.truncate(raw.end - 1);
    whole.drain(..=raw.start);
    message.raw = String::from_utf8(whole).ok();
    Ok(message)
}

/// Reads a message whose answer is on the disk, where its bytes stay. `None`: its `raw` is not a plain text, or stands elsewhere.
fn read_spilled(response: &Response, answer: &Spilled) -> io::Result<Option<Message>> {
    /// What stands beside the bytes is short.
    const MOST_BESIDE: u64 = 64 * 1024;
    const KEY: &[u8] = b"\"raw\"";
    let Some(key) = answer.find(KEY, 0)? else { return Ok(None) };
    let colon = key + KEY.len() as u64;
    let Some(begin) = answer.find(b"\"", colon)?.map(|quote| quote + 1) else { return Ok(None) };
    let between = answer.bytes(colon..begin.min(colon + MOST_BESIDE))?;
    let Some(end) = answer.find(b"\"", begin)? else { return Ok(None) };
    let raw = answer.part(begin..end);
    let is_short = begin + answer.length().saturating_sub(end) < MOST_BESIDE;
    if between.iter().any(|byte| !b": \t\r\n\"".contains(byte)) || !is_short || raw.find(b"\\", 0)?.is_some() {
        return Ok(None);
    }
    let rest = [answer.bytes(0..begin)?, answer.bytes(end..answer.length())?].concat();
    let rest = Response { body: rest, ..response.clone() };
    // Where another text was cut out, the message lacks its own.
    let message = read_message(&rest).ok().filter(|message| message.raw.as_deref() == Some(""));
    Ok(message.map(|message| Message { raw: None, spilled_raw: Some(raw), ..message }))
}

/// Where in an answer the text of `raw` is, with its quotes, if it is written without escapes.
fn raw_in(body: &[u8]) -> Option<Range<usize>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
    }
    let raw = serde_json::from_slice::<Answer<'_>>(body).ok()?.raw?.get();
    let is_plain = raw.len() >= 2 && raw.starts_with('"') && !raw.contains('\\');
    let begin = raw.as_ptr().addr() - body.as_ptr().addr();
    is_plain.then_some(begin..begin + raw.len())
}

/// GET `drafts`: which message each draft is.
pub fn drafts(page: Option<&str>) -> Request {
    let mut query = vec![("maxResults", PAGE_SIZE), ("includeSpamTrash", "true")];
    query.extend(page.map(|token| ("pageToken", token)));
    Request::get("list drafts", address(&format!("{ME}/drafts"), &query)).units(5)
}

// ---- labels -----------------------------------------------------------------------------------------------------------

/// GET `labels`.
pub fn labels() -> Request {
    Request::get("list labels", format!("{ME}/labels")).units(1)
}

/// POST `labels`.
pub fn create_label(name: &str) -> Request {
    let body = json!({"name": name, "labelListVisibility": "labelShow", "messageListVisibility": "show"});
    Request::post_json("create label", format!("{ME}/labels"), body).units(5)
}

/// PATCH `labels/{id}`.
pub fn rename_label(id: &str, name: &str) -> Request {
    Request::patch_json("rename label", format!("{ME}/labels/{}", segment(id)), json!({"name": name})).units(5)
}

/// DELETE `labels/{id}`: messages stay.
pub fn delete_label(id: &str) -> Request {
    Request::delete("delete label", format!("{ME}/labels/{}", segment(id))).units(5)
}

// ---- changing ---------------------------------------------------------------------------------------------------------

/// POST `messages/{id}/modify`: answers the labels that it has then.
pub fn modify(id: &str, add: &BTreeSet<String>, remove: &BTreeSet<String>) -> Request {
    let body = json!({"addLabelIds": add, "removeLabelIds": remove});
    Request::post_json("change labels", format!("{ME}/messages/{}/modify", segment(id)), body).units(5)
}

/// POST `messages/batchModify`: the same change for at most [`MOST_CHANGED`] messages. Says nothing of any of them.
pub fn modify_all(ids: &[&str], add: &BTreeSet<String>, remove: &BTreeSet<String>) -> Request {
    let body = json!({"ids": ids, "addLabelIds": add, "removeLabelIds": remove});
    Request::post_json("change labels", format!("{ME}/messages/batchModify"), body).expect(Expect::Anything).units(50)
}

// ---- making -----------------------------------------------------------------------------------------------------------

/// What a message is sent in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A message with these labels. Provider: `insert` neither scans nor sends nor reads invitations; the date is that of the header.
    Message(BTreeSet<String>),
    /// A new draft.
    Draft,
    /// The new text of a draft, which is another message then. Provider: it stays in its conversation only where that is named.
    DraftAgain {
        /// The draft.
        draft: String,
        /// The conversation in which it stands.
        thread: Option<String>,
    },
}

impl Goal {
    fn target(&self) -> (&'static str, String, Value, u32) {
        match self {
            Goal::Message(labels) => {
                ("create message", "messages?internalDateSource=dateHeader".into(), json!({"labelIds": labels}), 25)
            }
            Goal::Draft => ("create draft", "drafts".into(), json!({}), 10),
            Goal::DraftAgain { draft, thread: None } => ("change draft", draft_path(draft), json!({}), 15),
            Goal::DraftAgain { draft, thread } => {
                ("change draft", draft_path(draft), json!({"message": {"threadId": thread}}), 15)
            }
        }
    }

    fn is_put(&self) -> bool {
        matches!(self, Goal::DraftAgain { .. })
    }

    fn url(&self, way: &str) -> String {
        let (_, path, _, _) = self.target();
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{UPLOAD}/{path}{separator}uploadType={way}")
    }
}

fn draft_path(draft: &str) -> String {
    format!("drafts/{}", segment(draft))
}

/// A message in one request, JSON first (`multipart/related`). The bytes go as they are.
pub fn send_in(goal: &Goal, bytes: &[u8]) -> Request {
    let (what, _, metadata, units) = goal.target();
    // No line of the message can be the mark: it is made of the message's own hash.
    let mark = format!("twofold-{}", blake3::hash(bytes).to_hex());
    let head = format!(
        "--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{metadata}\r\n--{mark}\r\nContent-Type: message/rfc822\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, format!("\r\n--{mark}--\r\n").as_bytes()].concat();
    let kind = format!("multipart/related; boundary={mark}");
    let request = Request::post_bytes(what, goal.url("multipart"), &kind, body).units(units);
    match goal.is_put() {
        true => Request { method: twofold_http::Method::Put, ..request },
        false => request,
    }
}

/// The beginning of an upload: nothing is made before its last byte came.
pub fn begin_upload(goal: &Goal, size: usize) -> Request {
    let (_, _, metadata, units) = goal.target();
    let request = Request::post_json("begin upload", goal.url("resumable"), metadata)
        .header("X-Upload-Content-Type", "message/rfc822")
        .header("X-Upload-Content-Length", size.to_string())
        .for_write()
        .expect(Expect::Anything)
        .units(units);
    match goal.is_put() {
        true => Request { method: twofold_http::Method::Put, ..request },
        false => request,
    }
}

/// Where the bytes of an upload go.
///
/// # Errors
/// [`ErrorKind::Malformed`].
pub fn upload_address(response: &Response) -> Result<String> {
    let place = response.header("location").map(str::to_owned);
    place.ok_or_else(|| Error::new(ErrorKind::Malformed, "the upload has no address"))
}

/// PUT of a piece of an upload, beginning at `at` of `total`.
pub fn upload(goal: &Goal, place: &str, piece: &[u8], at: usize, total: usize) -> Request {
    let request = Request::put_bytes(goal.target().0, place, "message/rfc822", piece.to_vec()).expect(Expect::Json);
    request.header("Content-Range", format!("bytes {at}-{}/{total}", at + piece.len() - 1)).takes(WANTS_MORE)
}

/// The question how far an upload is whose answer was lost: where all bytes came, it is answered once more.
pub fn upload_outcome(place: &str, size: usize) -> Request {
    let request = Request::put_bytes("ask after upload", place, "message/rfc822", Vec::new()).expect(Expect::Json);
    request.header("Content-Range", format!("bytes */{size}")).for_write().takes(WANTS_MORE)
}

/// Where an upload that wants more is to be gone on with; `None`: all of it came, and this is the answer.
pub fn goes_on_at(response: &Response) -> Option<usize> {
    let last = || response.header("range")?.rsplit('-').next()?.trim().parse::<usize>().ok();
    (response.status == WANTS_MORE).then(|| last().map_or(0, |last| last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::super::map::set;
    use super::*;
    use twofold_http::Effect;
    use twofold_http::{Body, Method};

    fn text(request: &Request) -> String {
        match &request.body {
            Body::Bytes { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Body::Json(value) => value.to_string(),
            _ => String::new(),
        }
    }

    #[test]
    fn lists_say_whether_spam_and_trash_count() {
        let ask = |label: Option<&str>, all: bool| {
            let mut ask = super::super::walk::Walk::new("1".into(), Default::default()).asks(1).remove(0);
            (ask.label, ask.with_spam_and_trash) = (label.map(str::to_owned), all);
            ask
        };
        assert_eq!(list(&ask(None, false)).url, "/gmail/v1/users/me/messages?maxResults=500&includeSpamTrash=false");
        assert!(list(&ask(Some("TRASH"), true)).url.ends_with("includeSpamTrash=true&labelIds=TRASH"));
        assert!(search("rfc822msgid:a+b@x", None).url.ends_with("includeSpamTrash=true&q=rfc822msgid%3Aa%2Bb%40x"));
        assert!(history("7", Some("p")).url.ends_with("history?startHistoryId=7&maxResults=500&pageToken=p"));
        assert_eq!(get_path("1/..", Format::Raw).split('?').next(), Some("/gmail/v1/users/me/messages/1%2F%2E%2E"));
    }

    #[test]
    fn a_message_goes_in_as_it_is_with_the_date_of_its_header() {
        let request = send_in(&Goal::Message(set(["INBOX", "UNREAD"])), b"Subject: x\n\n\xff\xfe\n");
        assert_eq!(
            request.url,
            "/upload/gmail/v1/users/me/messages?internalDateSource=dateHeader&uploadType=multipart"
        );
        let Body::Bytes { bytes, .. } = &request.body else { panic!() };
        assert!(bytes.windows(17).any(|window| window == b"Subject: x\n\n\xff\xfe\n\r\n"), "{}", text(&request));
        assert!(text(&request).contains(r#"{"labelIds":["INBOX","UNREAD"]}"#));
        assert_eq!((request.method, request.effect, request.units), (Method::Post, Effect::Write, 25));
        let again = send_in(&Goal::DraftAgain { draft: "r1".into(), thread: Some("t1".into()) }, b"x");
        assert!(text(&again).contains(r#"{"message":{"threadId":"t1"}}"#));
        assert_eq!((again.method, again.units), (Method::Put, 15));
        assert_eq!(again.url, "/upload/gmail/v1/users/me/drafts/r1?uploadType=multipart");
    }

    #[test]
    fn only_the_bytes_of_an_upload_make_something() {
        let begin = begin_upload(&Goal::Draft, 7);
        assert_eq!((begin.effect, begin.units), (Effect::Read, 10));
        let piece = upload(&Goal::Draft, "https://x/u", b"abc", 4, 9);
        assert_eq!(piece.effect, Effect::Write);
        assert!(piece.headers.contains(&("Content-Range".into(), "bytes 4-6/9".into())));
        let answer = |status, headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            goes_on_at(&Response::new(status, headers, Vec::new()))
        };
        assert_eq!(answer(308, &[("Range", "bytes=0-262143")]), Some(262_144));
        assert_eq!(answer(308, &[]), Some(0));
        assert_eq!(answer(308, &[("Range", "bytes=0-18446744073709551615")]), Some(usize::MAX), "beyond any upload");
        assert_eq!(answer(200, &[]), None);
        let ask = upload_outcome("https://x/u", 7);
        assert!(ask.headers.contains(&("Content-Range".into(), "bytes */7".into())));
        assert_eq!(ask.effect, Effect::Read);
    }

    #[test]
    fn the_bytes_of_a_message_are_found_however_the_answer_is_written() {
        let got = |body: &str| read_got(Response::new(200, Vec::new(), body.as_bytes().to_vec()));
        for raw in ["", "_-8=", "_-8\\u003d"] {
            for body in [
                format!("{{\"id\": \"1a\", \"raw\": \"{raw}\", \"labelIds\": [\"INBOX\"]}}"),
                format!("{{\"raw\":\"{raw}\",\"labelIds\":[\"INBOX\"],\"id\":\"1a\"}}"),
            ] {
                let message = got(&body).unwrap();
                let labels = message.label_ids.unwrap();
                assert_eq!((message.raw.unwrap(), labels), (raw.replace("\\u003d", "="), vec!["INBOX".to_owned()]));
            }
        }
        assert_eq!(got("{\"id\": \"1a\"}").unwrap().raw, None);
        assert_eq!(got("{\"id\": \"1a\", \"raw\": null}").unwrap().raw, None);
        for body in ["{\"raw\": \"_-8=\"}", "{\"id\": \"1a\", \"raw\": 7}", "{\"id\": \"1a\", \"raw\": \"", ""] {
            assert_eq!(got(body).unwrap_err().kind, ErrorKind::Malformed, "{body}");
        }
    }

    #[test]
    fn the_bytes_of_a_message_on_the_disk_stay_there() {
        let dir = tempfile::tempdir().unwrap();
        let got = |body: &str| {
            let mut spilled = Spilled::within(dir.path()).unwrap();
            spilled.add(body.as_bytes()).unwrap();
            read_got(Response { spilled: Some(spilled), ..Response::new(200, Vec::new(), Vec::new()) })
        };
        for body in [
            "{\"id\": \"1a\", \"raw\" : \"_-8\", \"labelIds\": [\"A\"]}",
            "{\"raw\":\"_-8\",\"labelIds\":[\"A\"],\"id\":\"1a\"}",
        ] {
            let message = got(body).unwrap();
            assert_eq!(message.label_ids.unwrap(), ["A"]);
            assert_eq!((message.raw, message.spilled_raw.unwrap().bytes(0..9).unwrap()), (None, b"_-8".to_vec()));
        }
        // Escapes, another text of that name, and none.
        for (body, raw) in [
            ("{\"id\": \"1a\", \"raw\": \"_-8\\u003d\"}", Some("_-8=")),
            ("{\"id\": \"1a\", \"labelIds\": [\"raw\", \"x\"], \"raw\": \"_-8\"}", Some("_-8")),
            ("{\"id\": \"1a\", \"labelIds\": [\"raw\"]}", None),
            ("{\"id\": \"1a\"}", None),
        ] {
            let message = got(body).unwrap();
            assert_eq!((message.raw.as_deref(), message.spilled_raw), (raw, None), "{body}");
        }
        for body in ["{\"raw\": \"_-8=\"}", "{\"id\": \"1a\", \"raw\": \"", ""] {
            assert_eq!(got(body).unwrap_err().kind, ErrorKind::Malformed, "{body}");
        }
    }

    #[test]
    fn changes_are_of_labels_only() {
        let request = modify_all(&["1", "2"], &set(["STARRED"]), &set(["UNREAD"]));
        assert_eq!(text(&request), r#"{"ids":["1","2"],"addLabelIds":["STARRED"],"removeLabelIds":["UNREAD"]}"#);
        assert_eq!(request.units, 50);
        assert_eq!(modify("1", &set([]), &set(["INBOX"])).units, 5);
    }
}
