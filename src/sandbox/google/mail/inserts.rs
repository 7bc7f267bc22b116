//! What becomes of a message that a client sends in: checks, the copy that is there already, thread, date, place.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::errors::{invalid, not_found};
use super::schema::{text, texts};
use super::store::{New, bare, topic};
use super::{labels, messages};
use crate::google::errors::Refusal;
use crate::mime::Part;
use crate::{Request, Response, State};

/// Labels that a new message may have.
const MOST_LABELS: usize = 100;

/// What the query asks for.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    is_import: bool,
    /// Sorted by the `Date` header. Otherwise by the time it came in.
    by_date_header: bool,
    never_spam: bool,
    for_calendar: bool,
    is_deleted: bool,
}

impl Ask {
    pub fn of(request: &Request, is_import: bool) -> Self {
        let is_on = |name: &str| request.param(name) == Some("true");
        let source = request.param("internalDateSource");
        Self {
            is_import,
            by_date_header: source.map_or(is_import, |source| source == "dateHeader"),
            never_spam: is_on("neverMarkSpam"),
            for_calendar: is_on("processForCalendar"),
            is_deleted: is_on("deleted"),
        }
    }
}

/// Stores a message, or finds that it is there.
pub(super) fn insert(
    state: &mut State,
    ask: &Ask,
    metadata: &Map<String, Value>,
    raw: Bytes,
) -> Result<Response, Refusal> {
    let mut reply = take_in(state, ask, metadata, raw)?;
    if state.switches.mail_insert_answers_no_labels {
        let mut body = reply.body_json();
        body.as_object_mut().map(|members| members.remove("labelIds"));
        reply.body = body.to_string().into();
    }
    Ok(reply)
}

fn take_in(state: &mut State, ask: &Ask, metadata: &Map<String, Value>, raw: Bytes) -> Result<Response, Refusal> {
    if ask.is_deleted {
        return Err(invalid("Only accounts with Vault can keep deleted messages."));
    }
    let mut wanted = texts(metadata, "labelIds");
    let is_sent = wanted.contains(&"SENT") && state.switches.mail_insert_takes_sent;
    wanted.retain(|label| !(is_sent && *label == "SENT"));
    labels::settable(state, &wanted, &[], MOST_LABELS)?;
    if is_sent {
        wanted.push("SENT");
    }
    let raw = if state.switches.mail_makes_crlf { with_crlf(&raw) } else { raw };
    let part = Part::read(&raw);
    if state.switches.mail_checks_from && !part.header("from").is_some_and(|from| from.contains('@')) {
        return Err(invalid("Invalid From header"));
    }
    if let Some(id) = copy(state, &part, &raw) {
        let now_ms = state.now_ms();
        // A copy in the trash comes back from there, with the date that it had.
        state.google.mail.relabel(&id, &wanted, &["TRASH"], now_ms);
        return messages::answer(state, &id);
    }
    let now_ms = state.now_ms();
    let date_ms = part.header("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let date_ms = date_ms.map(|date| date.timestamp_millis()).filter(|_| ask.by_date_header);
    let mut given: BTreeSet<String> = wanted.iter().map(|label| (*label).to_owned()).collect();
    if ask.is_import {
        classify(state, ask, &part, &mut given);
    }
    let raw = if state.switches.mail_adds_received { received(state, &raw) } else { raw };
    let thread = thread(state, &part, text(metadata, "threadId"))?;
    let new = New { raw, labels: given, internal_ms: date_ms.unwrap_or(now_ms), thread, is_old: false };
    let id = state.google.mail.add(new, now_ms);
    let mut reply = messages::answer(state, &id)?;
    let switches = &state.switches;
    let is_dead =
        if ask.is_import { switches.mail_import_answers_dead_id } else { switches.mail_insert_answers_dead_id };
    if is_dead {
        let mut body = reply.body_json();
        body["id"] = json!(state.google.mail.fresh_id(now_ms));
        reply.body = body.to_string().into();
    }
    Ok(reply)
}

/// The message that the service takes for the same one.
fn copy(state: &State, part: &Part, raw: &[u8]) -> Option<String> {
    let message_id = bare(part.header("message-id").unwrap_or_default());
    let mut named = state.google.mail.named(&message_id).filter(|message| !message.has("DRAFT"));
    let found = match state.switches.mail_duplicates_by.as_str() {
        "message_id" => named.next(),
        "content" => named.find(|message| message.raw.ends_with(raw)),
        _ => None,
    };
    found.map(|message| message.id.clone())
}

/// Spam, categories and invitations, as mail that is delivered is looked at.
fn classify(state: &mut State, ask: &Ask, part: &Part, labels: &mut BTreeSet<String>) {
    let looks_bad = part.header("x-spam-flag").is_some_and(|flag| flag.eq_ignore_ascii_case("yes"));
    if looks_bad && !ask.never_spam && !labels.contains("TRASH") {
        labels.remove("INBOX");
        labels.insert("SPAM".into());
    } else if state.switches.mail_import_sorts && labels.contains("INBOX") {
        let is_bulk = part.header("list-unsubscribe").is_some();
        labels.insert(if is_bulk { "CATEGORY_PROMOTIONS" } else { "CATEGORY_PERSONAL" }.into());
    }
    if ask.for_calendar && part.all().iter().any(|part| part.kind == "text/calendar") {
        state.google.mail.calendar_imports += 1;
    }
}

/// The thread that a message belongs to; none: it begins one. A thread that is named is joined only by what answers in it.
pub(super) fn thread(state: &State, part: &Part, named: &str) -> Result<Option<String>, Refusal> {
    let room = &state.google.mail;
    let topic = topic(part.header("subject").unwrap_or_default());
    let references = ["references", "in-reply-to"].iter().filter_map(|name| part.header(name));
    let answered: Vec<String> = references.flat_map(str::split_whitespace).map(bare).collect();
    let fits = |message: &super::store::Message| message.topic == topic && answered.contains(&message.message_id);
    if !named.is_empty() {
        let mut inside = room.thread(named).ok_or_else(not_found)?;
        return Ok(inside.any(fits).then(|| named.to_owned()));
    }
    // The nearest one answered is the last one named.
    let mut nearest = answered.iter().rev().flat_map(|id| room.named(id));
    Ok(nearest.find(|message| message.topic == topic).map(|message| message.thread.clone()))
}

/// The same with every line ended by CR LF.
fn with_crlf(raw: &Bytes) -> Bytes {
    let is_bare = |at: usize| raw[at] == b'\n' && (at == 0 || raw[at - 1] != b'\r');
    if !(0..raw.len()).any(is_bare) {
        return raw.clone();
    }
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
    for at in 0..raw.len() {
        if is_bare(at) {
            out.push(b'\r');
        }
        out.push(raw[at]);
    }
    out.into()
}

/// The same with a line on top that says how it came in.
fn received(state: &State, raw: &[u8]) -> Bytes {
    let date = DateTime::from_timestamp_millis(state.now_ms()).unwrap_or_default().to_rfc2822();
    let line = format!("Received: from sandbox named unknown by gmailapi.google.com with HTTPREST; {date}\r\n");
    [line.as_bytes(), raw].concat().into()
}
