//! `people/me/connections`: pages, sync tokens, lag.
//!
//! The list is ordered by last change, so a page token is a stamp: what is edited while a client pages moves to the end
//! and comes twice. A sync token is the stamp that the round's first page could see.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::errors::{Refusal, error, invalid, sync_quota, sync_token_expired};
use super::render::{self, Absent, View};
use super::store::Version;
use crate::{Request, Response, State};

const DAY_MS: i64 = 86_400_000;

/// What a token says. Its text is opaque to clients.
#[derive(Clone, Copy, Debug)]
struct Token {
    epoch: u32,
    /// Only changes after this.
    since: u64,
    /// Page tokens: everything up to this was sent. Sync tokens: 0.
    sent: u64,
    /// Page tokens: what the round's first page could see.
    round: u64,
    /// When the full listing began.
    full_ms: i64,
    /// Page tokens: pages sent so far.
    pages: u32,
    /// Of the parameters that must stay equal.
    fingerprint: u64,
}

impl Token {
    fn write(self, kind: &str) -> String {
        let Self { epoch, since, sent, round, full_ms, pages, fingerprint } = self;
        let text = format!("{kind}.{epoch}.{since}.{sent}.{round}.{full_ms}.{pages}.{fingerprint}");
        // Backwards, so that two tokens differ from their first letters on and nobody is led to read them.
        URL_SAFE_NO_PAD.encode(text.bytes().rev().map(|byte| byte ^ 0x2A).collect::<Vec<_>>())
    }

    fn read(kind: &str, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes.into_iter().rev().map(|byte| byte ^ 0x2A).collect()).ok()?;
        let mut parts = text.split('.');
        if parts.next() != Some(kind) {
            return None;
        }
        Some(Self {
            epoch: parts.next()?.parse().ok()?,
            since: parts.next()?.parse().ok()?,
            sent: parts.next()?.parse().ok()?,
            round: parts.next()?.parse().ok()?,
            full_ms: parts.next()?.parse().ok()?,
            pages: parts.next()?.parse().ok()?,
            fingerprint: parts.next()?.parse().ok()?,
        })
    }
}

/// GET people/me/connections.
pub(crate) fn connections(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    let view = View::of_query(request, Absent::Refused)?;
    let asked = page_size(request, 100)?;
    let sync = request.param("syncToken").filter(|text| !text.is_empty());
    let page = request.param("pageToken").filter(|text| !text.is_empty());
    let wants_token = request.param("requestSyncToken") == Some("true") || sync.is_some();
    if wants_token && request.param("sortOrder").is_some_and(|order| order != "LAST_MODIFIED_ASCENDING") {
        return Err(invalid("sortOrder is not supported when syncing."));
    }
    if request.param("sortOrder").is_some_and(|order| order != "LAST_MODIFIED_ASCENDING") {
        return Err(error(501, "UNIMPLEMENTED", "The sandbox lists in the order of the last change only.", None));
    }
    let fingerprint = fingerprint(request, &["pageToken", "syncToken", "requestSyncToken"]);
    let now_ms = state.now_ms();

    let mut token = match sync {
        Some(text) => {
            let token = Token::read("sync", text).ok_or_else(|| invalid("Sync token is invalid."))?;
            let life_ms = state.switches.sync_token_days * DAY_MS;
            if token.epoch != state.google.epoch || now_ms - token.full_ms > life_ms {
                return Err(sync_token_expired(state.switches.expired_sync_token_status));
            }
            if token.fingerprint != fingerprint {
                return Err(invalid("Request parameters must match the call that provided the sync token."));
            }
            token
        }
        None => {
            let epoch = state.google.epoch;
            Token { epoch, since: 0, sent: 0, round: 0, full_ms: now_ms, pages: 0, fingerprint }
        }
    };
    let seen = |state: &State| {
        let as_of = now_ms - state.switches.list_lag_s * 1000;
        let versions = state.google.people.values().filter_map(|person| person.as_of(as_of));
        versions.map(|version| version.stamp).max().unwrap_or(0)
    };
    match page {
        Some(text) => {
            let at = Token::read("page", text).ok_or_else(|| invalid("Page token is invalid."))?;
            if at.epoch != token.epoch || at.fingerprint != fingerprint || at.since != token.since {
                return Err(invalid("Request parameters must match the call that provided the page token."));
            }
            token = at;
        }
        None => {
            if sync.is_none() {
                let limit = u64::from(state.switches.people_full_syncs_per_min);
                let spent = state.budgets.people_full_syncs.spend(now_ms, 1, limit, 60_000);
                spent.map_err(|_| sync_quota())?;
            }
            token.sent = token.since;
            token.round = seen(state).max(token.since);
        }
    }

    let as_of = now_ms - state.switches.list_lag_s * 1000;
    let is_listed = |version: &Version| render::is_listed(version, &state.switches);
    let mut rows: Vec<_> = state
        .google
        .people
        .iter()
        .filter_map(|(name, person)| Some((name, person, person.as_of(as_of)?)))
        .filter(|(_, _, version)| version.stamp > token.sent && (sync.is_some() || is_listed(version)))
        .collect();
    rows.sort_by_key(|(_, _, version)| version.stamp);
    let total = state
        .google
        .people
        .values()
        .filter_map(|person| person.as_of(as_of))
        .filter(|version| if sync.is_some() { version.stamp > token.since } else { is_listed(version) })
        .count();

    let size = cut_size(state, asked, token.pages);
    let more = rows.len() > size;
    rows.truncate(size);
    let rows: Vec<_> =
        rows.into_iter().map(|(name, person, version)| (name.clone(), person.clone(), version.clone())).collect();
    let last = rows.last().map_or(token.sent, |(_, _, version)| version.stamp);
    let people: Vec<Value> = rows
        .iter()
        .map(|(name, person, version)| render::person(state, name, person, version, &view, sync.is_some()))
        .map(|mut person| {
            truncate_lists(&mut person);
            person
        })
        .collect();

    let mut body = json!({});
    if !people.is_empty() {
        body["connections"] = Value::Array(people);
    }
    if more {
        body["nextPageToken"] = json!(Token { sent: last, pages: token.pages + 1, ..token }.write("page"));
    } else if wants_token {
        let full_ms = if state.switches.delta_prolongs_token { now_ms } else { token.full_ms };
        let next = Token { since: token.round, sent: 0, round: 0, pages: 0, full_ms, ..token };
        body["nextSyncToken"] = json!(next.write("sync"));
    }
    if total > 0 {
        if sync.is_none() {
            body["totalPeople"] = json!(total);
        }
        body["totalItems"] = json!(total);
    }
    Ok(Response::json(200, &body))
}

/// The list sends at most 100 e-mail addresses and 100 phone numbers of one person.
fn truncate_lists(person: &mut Value) {
    for field in ["emailAddresses", "phoneNumbers"] {
        if let Some(items) = person.get_mut(field).and_then(Value::as_array_mut) {
            items.truncate(100);
        }
    }
}

/// `pageSize`, 1 to 1000; 0 or absent means the default.
pub(crate) fn page_size(request: &Request, default: usize) -> Result<usize, Refusal> {
    let Some(text) = request.param("pageSize") else {
        return Ok(default);
    };
    match text.parse::<usize>() {
        Ok(0) => Ok(default),
        Ok(size @ 1..=1000) => Ok(size),
        Ok(_) => Err(invalid("Page size must be within a range of [1, 1000].")),
        Err(_) => Err(invalid(&format!("Invalid value at 'page_size' (TYPE_INT32), \"{text}\""))),
    }
}

/// How many items this page really holds.
fn cut_size(state: &State, asked: usize, pages: u32) -> usize {
    let switches = &state.switches;
    if switches.empty_pages && pages.is_multiple_of(2) {
        return 0;
    }
    let mut size = asked;
    if switches.page_size_cap > 0 {
        size = size.min(switches.page_size_cap);
    }
    if switches.short_pages { size.div_ceil(3) } else { size }
}

/// A number for all query parameters but these.
pub(crate) fn fingerprint(request: &Request, without: &[&str]) -> u64 {
    let mut pairs: Vec<_> = request.query.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
    pairs.sort();
    let digest = Sha256::digest(format!("{pairs:?}"));
    // Invariant: a SHA-256 digest has 32 bytes.
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"))
}
