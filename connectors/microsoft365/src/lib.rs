//! Microsoft 365 as a replica, through Graph v1.0.
//!
//! This file holds what all rooms share: the [`Microsoft365`] connector, how Graph speaks ([`GraphDialect`]: headers that go
//! with every request, what its errors mean), addresses and batches. A room per kind ([`calendar`], [`contacts`], [`mail`]) holds
//! three subjects: `wire` (the provider's JSON), `map` (what it means, pure), `api` (each operation as a function
//! that builds the request and one that reads the answer, pure), and the steps that use them.
//!
//! Invariants:
//! - `Prefer: IdType="ImmutableId"` goes with every request and every part of a batch: without it ids change at every move;
//! - an answer that an item is not there (404, another folder) is a fact about that item only when the mailbox itself is well;
//! - one batch at a time: the parts of one already use all of a mailbox's concurrency.

pub mod calendar;
pub mod contacts;
pub mod mail;
pub mod properties;

use async_trait::async_trait;
use calendar::Calendars;
use calendar::times::Times;
use contacts::Contacts;
use mail::Mail;
use rand::Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use twofold_http::{Client, Dialect, Effect, Method, Part, Request, Response, batch::MAX_PARTS, judge_by_status};
use twofold_model::email::Role;
use twofold_model::{
    Abilities, Blobs, Collection, CollectionId, Connector, Content, Error, ErrorKind, Feed, Found, Gathered, Identity,
    Kind, Lens, Lookup, Operation, Page, Place, Poll, Removal, Rendering, Result, Seen, Taker, Unread, Usage, Written,
    zone,
};

/// The version of the API; every address begins with it.
pub(crate) const VERSION: &str = "/v1.0";
const BATCH: &str = "/v1.0/$batch";
/// For how long a contact that the delta calls removed is not believed to be there when it can be read (G: minutes).
const READS_LAG_S: u64 = 15 * 60;
const IMMUTABLE_IDS: &str = "IdType=\"ImmutableId\"";

/// What the connector needs.
#[derive(Clone)]
pub struct Options {
    /// Speaks to Graph: its base is `graph_url` (without `/v1.0`), its dialect [`GraphDialect`].
    pub graph: Client,
    /// The hub whose marks are ours.
    pub hub_id: String,
    /// The rules of time zones.
    pub zones: Arc<dyn zone::Zones>,
    /// The IANA name of the zone that the user lives in: what times without a zone are shown in.
    pub home_zone: Option<String>,
    /// Where the bytes of messages are kept; without, mail is not kept in step.
    pub blobs: Option<Arc<dyn Blobs>>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Options");
        shown.field("graph", &self.graph).field("hub_id", &self.hub_id).field("home_zone", &self.home_zone);
        shown.finish_non_exhaustive()
    }
}

/// One mailbox at Microsoft 365.
#[derive(Debug)]
pub struct Microsoft365 {
    hub_id: String,
    calendars: Calendars,
    contacts: Contacts,
    mail: Option<Mail>,
    nothing: NoLens,
}

impl Microsoft365 {
    /// The connector; sends nothing yet.
    pub fn new(options: Options) -> Microsoft365 {
        let graph = Graph { client: options.graph };
        let times = Times::new(options.zones, options.home_zone);
        let calendars = Calendars::new(graph.clone(), times);
        let mail = options.blobs.map(|blobs| Mail::new(graph.clone(), blobs));
        Microsoft365 { hub_id: options.hub_id, calendars, contacts: Contacts::new(graph), mail, nothing: NoLens }
    }

    fn mail(&self) -> Result<&Mail> {
        self.mail.as_ref().ok_or_else(|| unsupported(Kind::Mail))
    }

    /// The hub whose marks are ours.
    pub fn hub_id(&self) -> &str {
        &self.hub_id
    }
}

fn unsupported(kind: Kind) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{kind} at Microsoft 365 is not kept in step yet"))
}

#[async_trait]
impl Connector for Microsoft365 {
    fn abilities(&self) -> Abilities {
        Abilities {
            compares_known: false,
            rank: 1,
            relist_after_s: 0,
            makes_collections: match self.mail {
                Some(_) => &[Kind::Mail, Kind::Calendar, Kind::Contacts],
                None => &[Kind::Calendar, Kind::Contacts],
            },
            write_batch: MAX_PARTS,
            sweeps: true,
            // Many feeds go in one `$batch`.
            feeds_by_themselves: false,
            // Provider: replicas of a mailbox lag behind each other (delta query overview: "changes appear with delay").
            reads_lag_s: READS_LAG_S,
            shares: &[],
            copies: if self.mail.is_some() { &[Kind::Mail] } else { &[] },
            moves: if self.mail.is_some() { &[Kind::Mail] } else { &[] },
            // A message stands in one folder: one that somebody puts elsewhere leaves these (Message: parentFolderId).
            alone: &[Role::Trash, Role::Junk],
            left_over: None,
            reads_headers: &[],
        }
    }

    fn lens(&self, kind: Kind) -> &dyn Lens {
        match kind {
            Kind::Calendar => self.calendars.lens(),
            Kind::Contacts => self.contacts.lens(),
            Kind::Mail => self.mail.as_ref().map_or(&self.nothing, Mail::lens),
        }
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        match kind {
            Kind::Calendar => self.calendars.collections().await,
            Kind::Contacts => self.contacts.collections().await,
            Kind::Mail => self.mail()?.collections().await,
        }
    }

    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        match kind {
            Kind::Calendar => self.calendars.feeds(collections),
            Kind::Contacts => self.contacts.feeds(collections),
            Kind::Mail => self.mail.as_ref().map(|mail| mail.feeds(collections)).unwrap_or_default(),
        }
    }

    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        let are_all = |kind: Kind| polls.iter().all(|poll| poll.feed.kind == kind);
        if are_all(Kind::Contacts) {
            return self.contacts.changes(polls).await;
        }
        if are_all(Kind::Calendar) {
            return self.calendars.changes(polls).await;
        }
        if let (Some(mail), true) = (&self.mail, are_all(Kind::Mail)) {
            return mail.changes(polls).await;
        }
        polls.iter().map(|poll| Err(unsupported(poll.feed.kind))).collect()
    }

    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        match kind {
            Kind::Calendar => self.calendars.fetch(places).await,
            Kind::Contacts => self.contacts.fetch(places).await,
            Kind::Mail => match &self.mail {
                Some(mail) => mail.fetch(places).await,
                None => places.iter().map(|_| Err(unsupported(kind))).collect(),
            },
        }
    }

    async fn bodies(&self, kind: Kind, copies: &[Unread]) -> Vec<Result<Option<Seen>>> {
        match (&self.mail, kind) {
            (Some(mail), Kind::Mail) => {
                let all = Gathered::of(copies.len());
                mail.read_bodies(copies, &all).await;
                all.answers()
            }
            _ => self.fetch(kind, &Unread::places(copies)).await,
        }
    }

    async fn read_bodies(&self, kind: Kind, copies: &[Unread], taker: &dyn Taker) {
        match (&self.mail, kind) {
            (Some(mail), Kind::Mail) => mail.read_bodies(copies, taker).await,
            _ => self
                .fetch(kind, &Unread::places(copies))
                .await
                .into_iter()
                .enumerate()
                .for_each(|(at, answer)| taker.take(at, answer)),
        }
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        match kind {
            Kind::Calendar => self.calendars.write(operations).await,
            Kind::Contacts => self.contacts.write(operations).await,
            Kind::Mail => match &self.mail {
                Some(mail) => mail.write(operations).await,
                None => operations.iter().map(|_| Err(unsupported(kind))).collect(),
            },
        }
    }

    async fn find(&self, kind: Kind, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>> {
        match kind {
            Kind::Calendar => self.calendars.find(lookups, now_ms).await,
            Kind::Contacts => self.contacts.find(lookups, now_ms).await,
            Kind::Mail => match &self.mail {
                Some(mail) => mail.find(lookups, now_ms).await,
                None => lookups.iter().map(|_| Err(unsupported(kind))).collect(),
            },
        }
    }

    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection> {
        match kind {
            Kind::Calendar => self.calendars.create_collection(like).await,
            Kind::Contacts => self.contacts.create_collection(like).await,
            Kind::Mail => self.mail()?.create_collection(like).await,
        }
    }

    async fn sweep(&self, kind: Kind, places: &[Place], budget: usize) -> Result<Vec<Seen>> {
        match kind {
            Kind::Contacts => self.contacts.sweep(places, budget).await,
            Kind::Mail | Kind::Calendar => Ok(Vec::new()),
        }
    }

    async fn rename_collection(
        &self,
        kind: Kind,
        id: &CollectionId,
        name: Option<&str>,
        _color: Option<&str>,
    ) -> Result<Collection> {
        match kind {
            Kind::Calendar => self.calendars.rename_collection(id, name).await,
            Kind::Contacts => self.contacts.rename_collection(id, name).await,
            Kind::Mail => self.mail()?.rename_collection(id, name).await,
        }
    }

    async fn removal(&self, kind: Kind, id: &CollectionId) -> Result<Removal> {
        match kind {
            Kind::Calendar => self.calendars.removal(id).await,
            Kind::Contacts => self.contacts.removal(id).await,
            Kind::Mail => self.mail()?.removal(id).await,
        }
    }

    async fn remove_collection(&self, kind: Kind, id: &CollectionId) -> Result<bool> {
        match kind {
            Kind::Calendar => self.calendars.remove_collection(id).await,
            Kind::Contacts => self.contacts.remove_collection(id).await,
            Kind::Mail => self.mail()?.remove_collection(id).await,
        }
    }

    fn names(&self) -> BTreeMap<String, String> {
        self.mail.as_ref().map(|mail| mail.names().all()).unwrap_or_default()
    }

    fn learn_names(&self, names: BTreeMap<String, String>) {
        if let Some(mail) = &self.mail {
            mail.learn_names(names);
        }
    }

    fn usage(&self) -> Usage {
        let counters = self.contacts.graph().client.counters();
        Usage {
            requests: counters.requests,
            bytes_in: counters.bytes_in,
            awaited: counters.awaited,
            heard: counters.heard,
            silent_writes: counters.silent_writes,
        }
    }
}

/// Stands where a kind has no room yet.
#[derive(Debug)]
struct NoLens;

impl Lens for NoLens {
    fn read(&self, _rendering: &Rendering) -> Result<Content> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step at Microsoft 365 yet"))
    }

    fn write(&self, _onto: Option<&Rendering>, _content: &Content, _identity: &Identity) -> Result<Rendering> {
        Err(Error::new(ErrorKind::Unsupported, "this kind is not kept in step at Microsoft 365 yet"))
    }
}

/// How Graph speaks HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct GraphDialect;

/// Codes that mean "this delta token is dead"; some resources say so with 400 instead of 410.
const TOKEN_CODES: [&str; 6] = [
    "syncstatenotfound",
    "syncstateinvalid",
    "errorinvalidsyncstatedata",
    "resyncrequired",
    "resyncapplydifferences",
    "resyncuploaddifferences",
];
/// Codes of a 404 that speak of the mailbox or the user, never of an item.
const MAILBOX_CODES: [&str; 4] =
    ["mailboxnotenabledforrestapi", "errornonexistentmailbox", "errorinvaliduser", "resourcenotfound"];
/// What a 404 says that comes from whoever stands before Graph's services, and knows of no item.
const NO_CODES: [&str; 1] = ["unknownerror"];
/// Codes of items that the server itself cannot read, now or later.
const CORRUPT_CODES: [&str; 2] = ["errorcorruptdata", "errorcannotopenfileattachment"];

impl Dialect for GraphDialect {
    fn judge(&self, response: &Response) -> Error {
        let codes = error_codes(response);
        let has = |known: &[&str]| codes.iter().any(|code| known.contains(&code.to_ascii_lowercase().as_str()));
        let kind = match response.status {
            410 => ErrorKind::TokenExpired,
            400..=499 if has(&TOKEN_CODES) => ErrorKind::TokenExpired,
            404 if has(&MAILBOX_CODES) => ErrorKind::Forbidden,
            // Absence is never deletion: only who names what is not there knows of it.
            404 if codes.is_empty() || has(&NO_CODES) => ErrorKind::Unknown,
            404 => ErrorKind::NotFound,
            409 if has(&["errorirresolvableconflict"]) => ErrorKind::StaleEtag,
            // Locked by another worker of the service: nothing was executed, later it may be.
            423 => ErrorKind::Throttled { retry_after_s: None },
            500 if has(&CORRUPT_CODES) => ErrorKind::Refused,
            500.. => ErrorKind::Unknown,
            _ => judge_by_status(response).kind,
        };
        if let Some(diagnostic) = response.header("x-ms-ags-diagnostic") {
            tracing::debug!(status = response.status, diagnostic, "Graph refused a request");
        }
        let codes = if codes.is_empty() { String::new() } else { format!(" {}", codes.join(" / ")) };
        Error::new(kind, format!("status {}{codes}", response.status))
    }

    fn decorate(&self, headers: &mut Vec<(String, String)>) {
        prefer(headers, IMMUTABLE_IDS);
        headers.push(("client-request-id".to_owned(), guid()));
        headers.push(("return-client-request-id".to_owned(), "true".to_owned()));
    }
}

/// The codes of an error body, from the outermost inwards. The inner object is called `innerError` or `innererror`.
fn error_codes(response: &Response) -> Vec<String> {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let mut codes = Vec::new();
    let mut at = body.get("error");
    while let Some(error) = at {
        // Invariant: only what looks like a code is quoted; messages may hold people's data.
        let is_plain =
            |code: &&str| code.len() <= 80 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        codes.extend(error.get("code").and_then(Value::as_str).filter(is_plain).map(str::to_owned));
        at = error.get("innerError").or_else(|| error.get("innererror"));
    }
    codes.retain(|code| !code.is_empty());
    codes
}

/// Adds a preference to those that are there already.
fn prefer(headers: &mut Vec<(String, String)>, preference: &str) {
    match headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("prefer")) {
        Some((_, value)) if value.contains(preference) => {}
        Some((_, value)) => *value = format!("{value}, {preference}"),
        None => headers.push(("Prefer".to_owned(), preference.to_owned())),
    }
}

/// A random GUID (RFC 9562 5.4).
fn guid() -> String {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A part of a batch, with what goes with every request. The one place where parts are made.
pub(crate) fn part(id: impl Into<String>, method: Method, url: impl Into<String>) -> Part {
    let mut part = Part::new(id, method, url);
    prefer(&mut part.headers, IMMUTABLE_IDS);
    part
}

/// One piece of a path or of a query, percent-encoded: ids hold `=`, older ones `/` and `+`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A text as it stands inside an OData literal.
pub(crate) fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

/// The client with Graph's ways of asking for many things at once.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    client: Client,
}

impl Graph {
    /// Sends one request.
    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        self.client.send(request).await
    }

    /// Sends a read that leaves only as long as it may ([`Client::send_while`]).
    pub(crate) async fn send_while(&self, request: Request, may_leave: &(dyn Fn() -> bool + Sync)) -> Result<Response> {
        self.client.send_while(request, may_leave).await
    }

    /// Sends to an address of a session, without our token ([`Client::send_unsigned`]).
    pub(crate) async fn send_unsigned(&self, request: Request) -> Result<Response> {
        self.client.send_unsigned(request).await
    }

    /// The largest answer that is taken, in bytes.
    pub(crate) fn max_body(&self) -> usize {
        self.client.max_body()
    }

    /// Sends the parts, twenty to a batch, one batch at a time, and answers for each. A single read goes out on its own.
    pub(crate) async fn all(&self, what: &'static str, effect: Effect, parts: &[Part]) -> Vec<Result<Response>> {
        if let ([part], Effect::Read) = (parts, effect) {
            let mut request = Request::get_bytes(what, format!("{VERSION}/{}", part.url.trim_start_matches('/')));
            request.headers = part.headers.clone();
            return vec![self.client.send(request).await];
        }
        let mut answers: Vec<Result<Response>> = Vec::with_capacity(parts.len());
        for chunk in parts.chunks(MAX_PARTS) {
            // What stops one batch before it is sent stops the next one too, after as long a wait.
            let stopped = match answers.last() {
                Some(Err(error)) if error.kind.is_of_the_place() => Some(again(error)),
                _ => None,
            };
            match stopped {
                Some(error) => answers.extend(chunk.iter().map(|_| Err(again(&error)))),
                None => answers.extend(self.client.send_batch(what, BATCH, effect, chunk).await),
            }
        }
        answers
    }

    /// A link that the server gave, as a batch's part wants it. Fails where it leads away from the configured base.
    pub(crate) fn link(&self, link: &str) -> Result<String> {
        let path = self.client.relative(link)?;
        match path.strip_prefix(VERSION).filter(|rest| rest.starts_with('/')) {
            Some(rest) => Ok(rest.to_owned()),
            None => Err(Error::new(ErrorKind::Malformed, "a link leads out of the API's version")),
        }
    }
}

/// The same error, to be treated as another kind.
pub(crate) fn taken_as(kind: ErrorKind, mut error: Error) -> Error {
    error.kind = kind;
    error
}

/// The same error once more, for the next part that it concerns.
pub(crate) fn again(error: &Error) -> Error {
    let mut again = Error::new(error.kind, error.message.clone());
    again.places.clone_from(&error.places);
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(status: u16, body: Value) -> ErrorKind {
        GraphDialect.judge(&Response::new(status, Vec::new(), body.to_string().into_bytes())).kind
    }

    fn error(code: &str) -> Value {
        json!({"error": {"code": code, "message": "…"}})
    }

    #[test]
    fn each_answer_means_what_the_sheet_says() {
        let inner =
            json!({"error": {"code": "BadRequest", "innererror": {"innerError": {"code": "SyncStateNotFound"}}}});
        let rows = [
            (400, error("RequestBodyRead"), ErrorKind::Refused),
            (400, error("ErrorInvalidSyncStateData"), ErrorKind::TokenExpired),
            (400, inner, ErrorKind::TokenExpired),
            (401, error("InvalidAuthenticationToken"), ErrorKind::SignInNeeded),
            (403, error("ErrorAccessDenied"), ErrorKind::Forbidden),
            (404, error("ErrorItemNotFound"), ErrorKind::NotFound),
            (404, error("MailboxNotEnabledForRESTAPI"), ErrorKind::Forbidden),
            (404, error("ErrorNonExistentMailbox"), ErrorKind::Forbidden),
            (404, error("ErrorInvalidUser"), ErrorKind::Forbidden),
            (409, error("ErrorIrresolvableConflict"), ErrorKind::StaleEtag),
            (409, error("ErrorFolderExists"), ErrorKind::Refused),
            (410, error("resyncRequired"), ErrorKind::TokenExpired),
            (412, error("ErrorIrresolvableConflict"), ErrorKind::StaleEtag),
            (413, Value::Null, ErrorKind::Refused),
            (423, error("resourceLocked"), ErrorKind::Throttled { retry_after_s: None }),
            (429, error("ApplicationThrottled"), ErrorKind::Throttled { retry_after_s: None }),
            (500, error("ErrorInternalServerError"), ErrorKind::Unknown),
            (500, error("ErrorCorruptData"), ErrorKind::Refused),
            (503, error("serviceNotAvailable"), ErrorKind::Unknown),
            (509, Value::Null, ErrorKind::Unknown),
        ];
        for (status, body, kind) in rows {
            assert_eq!(judged(status, body.clone()), kind, "{status} {body}");
        }
    }

    #[test]
    fn an_error_quotes_codes_and_never_the_message() {
        let body = json!({"error": {"code": "ErrorItemNotFound", "message": "Ada's contact"}});
        let error = GraphDialect.judge(&Response::new(404, Vec::new(), body.to_string().into_bytes()));
        assert_eq!(error.message, "status 404 ErrorItemNotFound");
    }

    #[test]
    fn preferences_stand_in_one_header() {
        let mut headers = vec![("prefer".to_owned(), "odata.maxpagesize=5".to_owned())];
        GraphDialect.decorate(&mut headers);
        GraphDialect.decorate(&mut headers);
        let prefer: Vec<&str> = headers.iter().filter(|(n, _)| n == "prefer").map(|(_, v)| v.as_str()).collect();
        assert_eq!(prefer, ["odata.maxpagesize=5, IdType=\"ImmutableId\""]);
        assert!(part("1", Method::Get, "/me").headers.iter().any(|(_, value)| value == IMMUTABLE_IDS));
    }

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let (one, two) = (guid(), guid());
        assert_ne!(one, two);
        assert_eq!(one.len(), 36);
        assert_eq!(one.as_bytes()[14], b'4');
    }

    #[test]
    fn ids_are_percent_encoded() {
        assert_eq!(encoded("AAMk/+=ä b-_"), "AAMk%2F%2B%3D%C3%A4%20b-_");
    }
}
