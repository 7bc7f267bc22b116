//! Plays scenarios: a piece of a connector's or of the sign-in's own code, run against its cassette, strictly; a part of the
//! tests of three crates, which name it by its path.
//!
//! With `TWOFOLD_RECORD` (the absolute path of this folder) the same tests first run on the sandbox and write the cassettes
//! anew; `.ci/record` does that for all. What a scenario needs to know of the account (an id, a sync token) is its arguments;
//! they stand in the cassette with the same stand-ins as the exchanges. Names and addresses that a scenario writes are
//! stand-ins already (`Word 1`, `person1@example.org`, `+15550000001`), so that a recording does not change them and both runs
//! are asserted alike.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use twofold_http::{
    Cassette, Client, ClientOptions, Clock, Dialect, ManualClock, Origin, Recorder, Response, TokenSource, Transport,
    TransportError, Wire,
};
use twofold_sandbox::{Options, Provider, Request, Sandbox};

/// The bearer of the connectors' clients in both runs; the sandbox is shown one of its own.
pub const TOKEN: &str = "the-token-of-the-deck";
/// The sandbox's virtual time, in both runs.
pub const NOW_MS: u64 = 1_767_254_400_000;

/// What a scenario runs on.
pub struct Stage {
    /// The cassette, or the sandbox with the recorder before it.
    pub transport: Arc<dyn Transport>,
    /// What was arranged.
    pub arguments: Value,
    /// There while recording.
    #[allow(dead_code)]
    pub sandbox: Option<Sandbox>,
}

impl Stage {
    /// The time of both runs. Nobody waits.
    #[allow(dead_code)]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ManualClock::hurried(NOW_MS))
    }

    /// An argument.
    #[allow(dead_code)]
    pub fn text(&self, name: &str) -> &str {
        self.arguments[name].as_str().unwrap_or_else(|| panic!("no argument {name}"))
    }
}

/// Where the cassettes of a place are, such as `google/contacts`.
pub fn folder(place: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|dir| dir.join("Cargo.lock").is_file()).unwrap();
    root.join("tests/cassettes").join(place)
}

/// Runs a scenario on its cassette; while recording, on the sandbox first.
pub async fn play(
    place: &str,
    name: &str,
    moral: &str,
    arrange: impl FnOnce(&Sandbox) -> Value,
    run: impl AsyncFn(&Stage),
) {
    if let Some(dir) = std::env::var_os("TWOFOLD_RECORD").filter(|dir| !dir.is_empty()) {
        record(&Path::new(&dir).join(place), name, moral, arrange, &run).await;
    }
    let path = folder(place).join(format!("{name}.json"));
    let har = read(&path);
    let cassette = Arc::new(Cassette::load(&path).unwrap());
    assert_eq!((cassette.origin(), cassette.moral()), (Origin::Sandbox, moral), "{name}");
    let stage = Stage { transport: cassette.clone(), arguments: har["log"]["_arguments"].clone(), sandbox: None };
    run(&stage).await;
    assert_eq!(cassette.unused(), [""; 0], "{name} holds requests that nobody sent");
}

async fn record(
    dir: &Path,
    name: &str,
    moral: &str,
    arrange: impl FnOnce(&Sandbox) -> Value,
    run: &impl AsyncFn(&Stage),
) {
    let sandbox = Sandbox::new(Options::empty().virtual_time());
    let arguments = arrange(&sandbox);
    let own: String = dir.join(name).to_string_lossy().chars().filter(char::is_ascii_alphanumeric).collect();
    let tapes = std::env::temp_dir().join(format!("tapes-{}-{own}", std::process::id()));
    let recorder = Arc::new(Recorder::round(Arc::new(Line(sandbox.clone())), &tapes, name).unwrap());
    let transport: Arc<dyn Transport> = recorder.clone();
    run(&Stage { transport, arguments: arguments.clone(), sandbox: Some(sandbox) }).await;
    let mut har = read(&tapes.join(format!("{name}.har")));
    har["log"]["comment"] = moral.into();
    har["log"]["_arguments"] = recorder.scrubbed(&arguments);
    for entry in har["log"]["entries"].as_array_mut().unwrap() {
        entry["startedDateTime"] = "2026-01-01T08:00:00Z".into();
        let content = &mut entry["response"]["content"];
        let picture = match content["mimeType"].as_str() {
            Some("image/png") => twofold_sandbox::google::tiny_png([1, 2, 3]),
            Some("image/jpeg") => twofold_sandbox::microsoft365::tiny_jpeg([1, 2, 3]).to_vec(),
            _ => continue,
        };
        use base64::Engine;
        content["text"] = base64::engine::general_purpose::STANDARD.encode(picture).into();
        content["encoding"] = "base64".into();
    }
    std::fs::create_dir_all(dir).unwrap();
    let text = serde_json::to_string_pretty(&har).unwrap() + "\n";
    std::fs::write(dir.join(format!("{name}.json")), text).unwrap();
    std::fs::remove_dir_all(tapes).unwrap();
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The sandbox without a socket, so that its address is the same in every recording.
struct Line(Sandbox);

#[async_trait::async_trait]
impl Transport for Line {
    async fn exchange(&self, wire: &Wire) -> Result<Response, TransportError> {
        let mut request = Request::new(wire.method.as_str(), wire.url.as_str());
        request.headers = wire.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        request.body = wire.body.clone();
        if request.header("authorization").is_some_and(|value| value.ends_with(TOKEN)) {
            let is_google = request.path.starts_with("/google");
            let provider = if is_google { Provider::Google } else { Provider::Microsoft };
            request.headers.retain(|(name, _)| name != "authorization");
            request = request.bearer(&self.0.access_token(provider));
        }
        let answer = self.0.exchange(&request).ok_or_else(|| TransportError::Cut("no answer".into()))?;
        let mut body = answer.body.to_vec();
        // An id_token is a secret as a whole and could not be replayed: these are sign-ins that brought none.
        if wire.url.path().ends_with("/token")
            && let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body)
        {
            fields.remove("id_token");
            body = Value::Object(fields).to_string().into_bytes();
        }
        Ok(Response::new(answer.status, answer.headers, body))
    }
}

/// The bearer of all clients in tests.
struct Token;

#[async_trait::async_trait]
impl TokenSource for Token {
    async fn token(&self) -> twofold_model::Result<String> {
        Ok(TOKEN.into())
    }

    async fn renewed(&self, _: &str) -> twofold_model::Result<String> {
        Ok(TOKEN.into())
    }
}

/// A connector's client at a provider's stand-in (`google`, `microsoft`). It records nothing itself.
#[allow(dead_code)]
pub fn client(
    provider: &str,
    dialect: Arc<dyn Dialect>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
) -> Client {
    let base = format!("http://127.0.0.1/{provider}").parse().unwrap();
    let options = ClientOptions::new(base, dialect).token(Arc::new(Token)).transport(transport).clock(clock);
    Client::new(ClientOptions { record: None, ..options }).unwrap()
}

/// The sandbox as a transport.
#[allow(dead_code)]
pub fn line(sandbox: &Sandbox) -> Arc<dyn Transport> {
    Arc::new(Line(sandbox.clone()))
}

/// Time that moves when somebody waits, the sandbox's with it.
#[allow(dead_code)]
pub struct Time {
    now_ms: AtomicU64,
    sandbox: Option<Sandbox>,
}

#[allow(dead_code)]
impl Time {
    /// From [`NOW_MS`] on.
    pub fn with(sandbox: Option<&Sandbox>) -> Arc<Time> {
        Arc::new(Time { now_ms: AtomicU64::new(NOW_MS), sandbox: sandbox.cloned() })
    }

    /// Time passes.
    pub fn passes(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        if let Some(sandbox) = &self.sandbox {
            sandbox.clock().advance_ms(i64::try_from(ms).unwrap());
        }
    }
}

#[async_trait::async_trait]
impl Clock for Time {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.passes(ms);
    }
}

/// An answer of the sandbox that the scenario itself does not ask for.
#[allow(dead_code)]
pub fn ask(sandbox: &Sandbox, provider: Provider, target: &str) -> Value {
    answered(sandbox, provider, Request::get(target))
}

/// The answer to something that a program wrote before the scenario.
#[allow(dead_code)]
pub fn post(sandbox: &Sandbox, provider: Provider, target: &str, body: &Value) -> Value {
    answered(sandbox, provider, Request::post(target, body))
}

fn answered(sandbox: &Sandbox, provider: Provider, request: Request) -> Value {
    let token = sandbox.access_token(provider);
    let target = request.path.clone();
    let answer = sandbox.handle(&request.bearer(&token).with_header("prefer", "IdType=\"ImmutableId\""));
    assert!(answer.is_ok(), "{target}: {}", answer.body_json());
    answer.body_json()
}

/// Asserts that each cassette of a place is played by this source, by its name.
pub fn assert_all_are_played(place: &str, source: &str) {
    let names = cassettes(place).into_iter().map(|(name, _)| name);
    let idle: Vec<String> = names.filter(|name| !source.contains(&format!("\"{name}\""))).collect();
    assert!(idle.is_empty(), "nothing plays {idle:?}");
}

/// The cassettes of a place.
pub fn cassettes(place: &str) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder(place)).unwrap().map(|file| file.unwrap().path());
    let mut all: Vec<(String, Value)> =
        files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path))).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Asserts that each operation (its name, the method, the address with `*` for an id) was recorded, and that the list of them
/// is whole: it names every function of `source` that builds a request.
#[allow(dead_code)]
pub fn assert_every_operation_is_recorded(place: &str, source: &str, operations: &[(&str, &str, &str)]) {
    let asked: Vec<(String, String)> = cassettes(place).iter().flat_map(|(_, har)| requests(har)).collect();
    for (name, method, address) in operations {
        let fits = |(asked_by, at): &(String, String)| asked_by == method && address_fits(address, at);
        assert!(asked.iter().any(fits), "no cassette of {place} has {name}: {method} {address}");
    }
    let mut built: Vec<&str> = Vec::new();
    let production = source.split("#[cfg(test)]").next().unwrap();
    for function in production.split("\npub fn ").skip(1) {
        let head = function.split('{').next().unwrap();
        if ["-> Request", "-> Part", "-> String"].iter().any(|end| head.contains(end)) {
            built.push(head.split(['(', '<']).next().unwrap());
        }
    }
    let mut listed: Vec<&str> = operations.iter().map(|(name, _, _)| *name).collect();
    built.sort_unstable();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed, built, "the list of operations and the functions that build requests");
}

/// Asserts that whatever a connector's sources call an operation was recorded under that name.
#[allow(dead_code)]
pub fn assert_every_name_is_recorded(place: &str, names: &[&str]) {
    let all = cassettes(place);
    let entries = all.iter().flat_map(|(_, har)| har["log"]["entries"].as_array().unwrap());
    let recorded: std::collections::BTreeSet<&str> = entries.filter_map(|entry| entry["_what"].as_str()).collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !recorded.contains(**name)).collect();
    assert!(missing.is_empty(), "no cassette of {place} was recorded by {missing:?}");
}

/// Method and address of each request, those in batches as well.
fn requests(har: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut push = |request: &Value| {
        let (method, url) = (request["method"].as_str().unwrap(), request["url"].as_str().unwrap());
        all.push((method.to_owned(), url.strip_prefix("http://127.0.0.1").unwrap_or(url).to_owned()));
    };
    for entry in har["log"]["entries"].as_array().unwrap() {
        push(&entry["request"]);
        let body = entry["request"]["postData"]["text"].as_str().unwrap_or_default();
        for line in body.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1")) {
            let (method, url) = line.split_once(' ').unwrap();
            push(&json!({"method": method, "url": url}));
        }
        let body: Value = serde_json::from_str(body).unwrap_or(json!(null));
        body["requests"].as_array().into_iter().flatten().for_each(&mut push);
    }
    all
}

fn address_fits(pattern: &str, address: &str) -> bool {
    let address = address.trim_start_matches("/microsoft/v1.0").trim_start_matches("/google");
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (pattern, wanted) = pattern.split_once('?').unwrap_or((pattern, ""));
    let (path, pattern): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    let is_same = |(pattern, piece): (&&str, &&str)| match pattern.strip_prefix('*') {
        Some(end) => piece.ends_with(end) && piece.len() > end.len(),
        None => pattern == piece,
    };
    // In a query, `*` stands for any text.
    let mut pieces = wanted.split('*');
    let rest = pieces.next().and_then(|start| query.strip_prefix(start));
    let rest = pieces.fold(rest, |rest, piece| Some(rest?.split_once(piece)?.1));
    path.len() == pattern.len() && pattern.iter().zip(&path).all(is_same) && rest.is_some()
}
