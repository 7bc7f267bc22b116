//! Cassettes: exchanges written down as HAR 1.2 without what is secret or personal, and replayed strictly.
//!
//! `TWOFOLD_RECORD=DIR` makes every client record: one file per operation, readable by its owner only. A cassette says in
//! `log._origin` where it comes from and in `log.comment` what it shows (written by hand). In a replay each entry answers
//! once, in the order of the file; a request that was not recorded is an error that names it.
//!
//! Two additions to HAR: an answer with status 0 is an exchange without one (`_error` says how it was lost), and the value
//! `scrubbed` in a recorded request matches anything. Bodies that are neither JSON nor a form nor a batch of such (photos, MIME)
//! are recorded as `scrubbed`, unless they are messages of stand-ins alone: a cassette that needs such a body is finished by hand.
//! Each entry says in `_what` which operation asked.

use crate::batch::is_json;
use crate::clock::lock;
use crate::multipart;
use crate::request::{Method, Response};
use crate::scrub::{self, GONE, Scrubber, decode};
use crate::transport::{Transport, TransportError, Wire, is_loopback};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

/// Where a cassette comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Recorded from the real provider.
    Live,
    /// Typed from the provider's documentation.
    Documented,
    /// Recorded from the sandbox.
    Sandbox,
}

impl Origin {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Live => "live",
            Origin::Documented => "documented",
            Origin::Sandbox => "sandbox",
        }
    }

    fn from_name(name: &str) -> Option<Origin> {
        [Origin::Live, Origin::Documented, Origin::Sandbox].into_iter().find(|o| o.as_str() == name)
    }
}

/// Recorded exchanges, used in place of the network.
#[derive(Debug)]
pub struct Cassette {
    origin: Origin,
    moral: String,
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    method: Method,
    address: Address,
    headers: Vec<(String, String)>,
    body: Option<String>,
    answer: Result<Response, TransportError>,
    used: bool,
}

/// An address taken apart, so that two ways of escaping it are one address: origin, path, query in any order.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    origin: String,
    path: Vec<String>,
    query: Vec<(String, String)>,
}

impl Address {
    fn of(url: &Url) -> Self {
        let mut query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        query.sort();
        let path = url.path_segments().into_iter().flatten().map(decode).collect();
        Self { origin: url.origin().ascii_serialization(), path, query }
    }

    fn fits(&self, asked: &Address) -> bool {
        self.origin == asked.origin
            && self.path == asked.path
            && self.query.len() == asked.query.len()
            && self.query.iter().zip(&asked.query).all(|(a, b)| a.0 == b.0 && (a.1 == b.1 || a.1 == GONE))
    }
}

impl Cassette {
    /// Reads a cassette. It must say where it comes from.
    pub fn load(path: impl AsRef<Path>) -> Result<Cassette> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|e| wrong("cannot be read").at(path.display()).with_source(e))?;
        Self::parse(&text).map_err(|e| e.at(path.display()))
    }

    /// Reads the text of a cassette.
    pub fn parse(text: &str) -> Result<Cassette> {
        let har: Value = serde_json::from_str(text).map_err(|e| wrong("is no JSON").with_source(e))?;
        let log = &har["log"];
        if log["version"] != "1.2" {
            return Err(wrong("is no HAR 1.2"));
        }
        let origin = log["_origin"].as_str().and_then(Origin::from_name);
        let origin =
            origin.ok_or_else(|| wrong("does not say its origin (live, documented, sandbox) in log._origin"))?;
        let entries = log["entries"].as_array().ok_or_else(|| wrong("has no entries"))?;
        let read = |(n, entry): (usize, &Value)| {
            Entry::read(entry).ok_or_else(|| wrong(&format!("entry {} has no usable request and response", n + 1)))
        };
        let entries = entries.iter().enumerate().map(read).collect::<Result<Vec<_>>>()?;
        let moral = log["comment"].as_str().unwrap_or_default().to_owned();
        Ok(Cassette { origin, moral, entries: Mutex::new(entries) })
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What it shows.
    pub fn moral(&self) -> &str {
        &self.moral
    }

    /// The requests that were not asked for; a test asserts that there are none.
    pub fn unused(&self) -> Vec<String> {
        lock(&self.entries).iter().filter(|e| !e.used).map(|e| e.name()).collect()
    }
}

fn wrong(why: &str) -> Error {
    Error::new(ErrorKind::Broken, format!("the cassette {why}"))
}

impl Entry {
    fn read(entry: &Value) -> Option<Entry> {
        let request = &entry["request"];
        Some(Entry {
            method: Method::from_name(request["method"].as_str()?)?,
            address: Address::of(&Url::parse(request["url"].as_str()?).ok()?),
            headers: read_headers(&request["headers"]),
            body: request["postData"]["text"].as_str().map(str::to_owned),
            answer: read_answer(&entry["response"])?,
            used: false,
        })
    }

    fn name(&self) -> String {
        format!("{} /{}", self.method, self.address.path.join("/"))
    }

    fn fits(&self, wire: &Wire, asked: &Address) -> bool {
        self.method == wire.method
            && self.address.fits(asked)
            && self.headers.iter().all(|(name, value)| header_fits(name, value, wire))
            && body_fits(self.body.as_deref(), &wire.body)
    }
}

/// A recorded request header has to be there again, except those that say nothing about the request.
fn header_fits(name: &str, value: &str, wire: &Wire) -> bool {
    let name = name.to_ascii_lowercase();
    let silent = [
        "accept",
        "accept-encoding",
        "authorization",
        "client-request-id",
        "content-length",
        "date",
        "host",
        "user-agent",
    ];
    if silent.contains(&name.as_str()) || value == GONE {
        return true;
    }
    wire.headers.iter().any(|(n, v)| n.eq_ignore_ascii_case(&name) && v == value)
}

fn body_fits(recorded: Option<&str>, sent: &[u8]) -> bool {
    let recorded = recorded.unwrap_or_default();
    if recorded == GONE {
        return !sent.is_empty();
    }
    if recorded.as_bytes() == sent {
        return true;
    }
    if let (Ok(recorded), Ok(sent)) = (serde_json::from_str::<Value>(recorded), serde_json::from_slice::<Value>(sent)) {
        return json_fits(&recorded, &sent);
    }
    let form = |bytes: &[u8]| url::form_urlencoded::parse(bytes).into_owned().collect::<HashMap<String, String>>();
    let (recorded, sent) = (form(recorded.as_bytes()), form(sent));
    recorded.len() == sent.len() && recorded.iter().all(|(n, v)| sent.get(n).is_some_and(|s| v == s || v == GONE))
}

fn json_fits(recorded: &Value, sent: &Value) -> bool {
    match (recorded, sent) {
        (Value::String(text), _) if text == GONE => true,
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_fits(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            let fits = |name: &str, a: &Value, b: &Value| match (name, a, b) {
                // The address of a part of a batch, which has as many spellings as any other.
                ("url", Value::String(a), Value::String(b)) if a.starts_with('/') && b.starts_with('/') => {
                    relative_fits(a, b)
                }
                _ => json_fits(a, b),
            };
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| fits(name, a, b)))
        }
        (a, b) => a == b,
    }
}

fn relative_fits(recorded: &str, sent: &str) -> bool {
    let address = |path: &str| Url::parse(&format!("http://relative{path}")).ok().map(|url| Address::of(&url));
    match (address(recorded), address(sent)) {
        (Some(recorded), Some(sent)) => recorded.fits(&sent),
        _ => false,
    }
}

fn read_headers(headers: &Value) -> Vec<(String, String)> {
    let pair = |h: &Value| Some((h["name"].as_str()?.to_owned(), h["value"].as_str()?.to_owned()));
    headers.as_array().into_iter().flatten().filter_map(pair).collect()
}

fn read_answer(response: &Value) -> Option<Result<Response, TransportError>> {
    let status = u16::try_from(response["status"].as_u64()?).ok()?;
    if status == 0 {
        return Some(Err(match response["_error"].as_str() {
            Some("not connected") => TransportError::NotConnected("as recorded".into()),
            Some("timed out") => TransportError::TimedOut,
            Some("silent") => TransportError::Silent,
            Some("not opened") => TransportError::Unopened,
            Some("away") => TransportError::Away,
            _ => TransportError::Cut("as recorded".into()),
        }));
    }
    let content = &response["content"];
    let text = content["text"].as_str().unwrap_or_default();
    let body = match content["encoding"].as_str() {
        Some("base64") => STANDARD.decode(text).ok()?,
        _ => text.as_bytes().to_vec(),
    };
    let mut headers = read_headers(&response["headers"]);
    let mime = content["mimeType"].as_str().filter(|mime| !mime.is_empty());
    if let (Some(mime), false) = (mime, headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-type"))) {
        headers.push(("content-type".into(), mime.into()));
    }
    Some(Ok(Response::new(status, headers, body)))
}

#[async_trait]
impl Transport for Cassette {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let asked = Address::of(&wire.url);
        let mut entries = lock(&self.entries);
        match entries.iter_mut().find(|entry| !entry.used && entry.fits(wire, &asked)) {
            Some(entry) => {
                entry.used = true;
                entry.answer.clone()
            }
            None => {
                let names: Vec<&str> = asked.query.iter().map(|(name, _)| name.as_str()).collect();
                let query = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
                let path = asked.path.join("/");
                Err(TransportError::NotRecorded(format!("{} {} /{path}{query}", wire.what, wire.method)))
            }
        }
    }
}

/// What in a cassette the scrubber would still take out, place by place; nothing for one that may be shown to anybody.
pub fn unscrubbed(text: &str) -> Result<Vec<String>> {
    let har: Value = serde_json::from_str(text).map_err(|e| wrong("is no JSON").with_source(e))?;
    let mut scrubber = Scrubber::default();
    let mut found = Vec::new();
    let arguments = &har["log"]["_arguments"];
    if scrubber.json(arguments) != *arguments {
        found.push("the arguments".to_owned());
    }
    for (n, entry) in har["log"]["entries"].as_array().into_iter().flatten().enumerate() {
        let mut note = |what: &str, is_clean: bool| {
            if !is_clean {
                found.push(format!("entry {}: {what}", n + 1));
            }
        };
        let url = entry["request"]["url"].as_str().unwrap_or_default();
        note("the address", scrubber.url(url) == url);
        for side in ["request", "response"] {
            for (name, value) in read_headers(&entry[side]["headers"]) {
                note(&format!("{side} header {name}"), scrubber.header(&name, &value).as_ref() == Some(&value));
            }
            let body = &entry[side][if side == "request" { "postData" } else { "content" }];
            let (mime, text) =
                (body["mimeType"].as_str().unwrap_or_default(), body["text"].as_str().unwrap_or_default());
            // A picture that was put in by hand: none of a person is that small.
            let is_speck = mime.starts_with("image/") && body["encoding"] == "base64" && text.len() <= MOST_SPECK;
            let is_clean = text == GONE || is_speck || write_body(&mut scrubber, mime, text.as_bytes()) == text;
            note(&format!("{side} body"), is_clean);
        }
    }
    Ok(found)
}

/// Base64 of a picture of a few pixels.
const MOST_SPECK: usize = 600;

/// Records what another transport carries.
pub struct Recorder {
    inner: Arc<dyn Transport>,
    dir: PathBuf,
    /// The one file for all that is carried; `None`: one for each operation.
    name: Option<String>,
}

/// One file that is being recorded, by folder and operation. Clients of one process that do the same share it.
static TAPES: LazyLock<Mutex<HashMap<PathBuf, Tape>>> = LazyLock::new(Mutex::default);

struct Tape {
    path: PathBuf,
    origin: Origin,
    scrubber: Scrubber,
    entries: Vec<Value>,
}

impl Recorder {
    /// Records into that folder, which is made if need be.
    pub fn new(inner: Arc<dyn Transport>, dir: impl AsRef<Path>) -> Result<Recorder> {
        let dir = dir.as_ref().to_path_buf();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| {
            let message = format!("nothing can be recorded in {}: {e}", dir.display());
            Error::new(ErrorKind::Misconfigured, message)
        })?;
        Ok(Recorder { inner, dir, name: None })
    }

    /// Records everything into one file of that name: a round of several operations.
    pub fn round(inner: Arc<dyn Transport>, dir: impl AsRef<Path>, name: &str) -> Result<Recorder> {
        Ok(Recorder { name: Some(file_name(name)), ..Self::new(inner, dir)? })
    }

    /// A value as it stands in the recording of that round: with the stand-ins for what was scrubbed there.
    pub fn scrubbed(&self, value: &Value) -> Value {
        let name = self.name.as_deref().unwrap_or_default();
        match lock(&TAPES).get_mut(&self.dir.join(name)) {
            Some(tape) => tape.scrubber.json(value),
            None => Scrubber::default().json(value),
        }
    }

    fn record(&self, wire: &Wire, outcome: &Result<Response, TransportError>) -> std::io::Result<()> {
        let name = self.name.clone().unwrap_or_else(|| file_name(wire.what));
        let mut tapes = lock(&TAPES);
        let tape = match tapes.entry(self.dir.join(&name)) {
            std::collections::hash_map::Entry::Occupied(tape) => tape.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let origin = if is_loopback(&wire.url) { Origin::Sandbox } else { Origin::Live };
                let path = new_file(&self.dir, &name)?;
                place.insert(Tape { path, origin, scrubber: Scrubber::default(), entries: Vec::new() })
            }
        };
        if let Some(authorization) = wire.header("authorization") {
            tape.scrubber.remember_secret(authorization.rsplit(' ').next().unwrap_or_default());
        }
        let entry = write_entry(&mut tape.scrubber, wire, outcome);
        // Invariant: what is written was searched for what had to go. Nothing recorded beats a secret recorded.
        if !tape.scrubber.is_clean(&entry.to_string()) {
            return Err(std::io::Error::other("something secret was left in it"));
        }
        tape.entries.push(entry);
        tape.write()
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let outcome = self.inner.exchange(wire).await;
        if let Err(e) = self.record(wire, &outcome) {
            tracing::warn!(what = wire.what, "an exchange was not recorded: {e}");
        }
        outcome
    }
}

fn file_name(what: &str) -> String {
    what.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// A name that no earlier run has used.
fn new_file(dir: &Path, name: &str) -> std::io::Result<PathBuf> {
    for n in 1..10_000 {
        let suffix = if n == 1 { String::new() } else { format!("-{n}") };
        let path = dir.join(format!("{name}{suffix}.har"));
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(_) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(std::io::Error::other("too many recordings of one name"))
}

impl Tape {
    /// Writes the whole file anew beside the old one and puts it in its place.
    fn write(&self) -> std::io::Result<()> {
        let har = json!({ "log": {
            "version": "1.2",
            "creator": { "name": "twofold", "version": env!("CARGO_PKG_VERSION") },
            "_origin": self.origin.as_str(),
            "comment": "",
            "entries": self.entries,
        }});
        let part = self.path.with_extension("part");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(serde_json::to_string_pretty(&har)?.as_bytes())?;
        fs::rename(part, &self.path)
    }
}

fn write_entry(scrubber: &mut Scrubber, wire: &Wire, outcome: &Result<Response, TransportError>) -> Value {
    let url = scrubber.url(wire.url.as_str());
    let query: Vec<Value> = Url::parse(&url)
        .map(|url| url.query_pairs().map(|(n, v)| json!({ "name": n, "value": v })).collect())
        .unwrap_or_default();
    let mut request = json!({
        "method": wire.method.as_str(),
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": write_headers(scrubber, &wire.headers),
        "queryString": query,
        "headersSize": -1,
        "bodySize": wire.body.len(),
    });
    if !wire.body.is_empty() {
        let mime = wire.header("content-type").unwrap_or_default();
        request["postData"] = json!({ "mimeType": mime, "text": write_body(scrubber, mime, &wire.body) });
    }
    let response = match outcome {
        Ok(response) => {
            let mime = response.header("content-type").unwrap_or_default();
            let text = write_body(scrubber, mime, &response.body);
            json!({
                "status": response.status,
                "headers": write_headers(scrubber, &response.headers),
                "content": { "size": text.len(), "mimeType": mime, "text": text },
            })
        }
        Err(e) => {
            let how = match e {
                TransportError::NotConnected(_) => "not connected",
                TransportError::TimedOut => "timed out",
                TransportError::Silent => "silent",
                TransportError::Unopened => "not opened",
                TransportError::Away => "away",
                _ => "cut",
            };
            json!({ "status": 0, "_error": how, "headers": [], "content": { "size": 0, "mimeType": "" } })
        }
    };
    let mut response = response;
    for (name, value) in [("statusText", json!("")), ("httpVersion", json!("HTTP/1.1")), ("cookies", json!([]))] {
        response[name] = value;
    }
    for (name, value) in [("redirectURL", json!("")), ("headersSize", json!(-1)), ("bodySize", json!(-1))] {
        response[name] = value;
    }
    json!({
        "startedDateTime": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "time": 0,
        "_what": wire.what,
        "request": request,
        "response": response,
        "cache": {},
        "timings": { "send": 0, "wait": 0, "receive": 0 },
    })
}

fn write_headers(scrubber: &mut Scrubber, headers: &[(String, String)]) -> Value {
    let kept = headers.iter().filter_map(|(name, value)| {
        let value = scrubber.header(name, value)?;
        Some(json!({ "name": name, "value": value }))
    });
    kept.collect()
}

fn write_body(scrubber: &mut Scrubber, mime: &str, body: &[u8]) -> String {
    let media_type = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if body.is_empty() {
        return String::new();
    }
    if is_json(&media_type)
        && let Ok(value) = serde_json::from_slice::<Value>(body)
    {
        let text = scrubber.json(&value).to_string();
        return scrubber.without_secrets(text);
    }
    if media_type == "application/x-www-form-urlencoded" {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.to_string(), scrubber.parameter(&name, &value)))
            .collect();
        return url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    }
    if media_type == "multipart/mixed"
        && let Some(text) = multipart::scrubbed(scrubber, mime, body)
    {
        return scrubber.without_secrets(text);
    }
    if scrub::is_stand_in_message(body) {
        return String::from_utf8_lossy(body).into_owned();
    }
    GONE.to_owned()
}
