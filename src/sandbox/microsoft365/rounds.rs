//! Delta rounds and their tokens, whatever they are about.
//!
//! A token carries where its round begins and ends, what was asked for, and a check value. It is opaque, and of use for
//! its own resource only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::links;
use super::query::Cursor;
use super::reply::Refusal;
use crate::State;

/// A round, or the place where the next one starts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Round {
    epoch: u64,
    chain: u64,
    generation: u64,
    /// What it is about, in one word.
    subject: String,
    /// The place in the log where it begins; none = everything.
    pub since: Option<u64>,
    /// The place in the log where it ends.
    pub horizon: u64,
    /// The page.
    pub from: Cursor,
    /// The options of the first request, which later links carry in their tokens.
    query: Vec<(String, String)>,
}

impl Round {
    /// What the first request asked for under this name; empty when it did not.
    pub fn asked(&self, name: &str) -> &str {
        self.query.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
    }

    /// The name and address of the link that ends a page: to the next page, or to the next round.
    pub fn link(&self, state: &State, path: &str, next: Option<Cursor>) -> (&'static str, String) {
        let (name, token) = match next {
            Some(from) => ("@odata.nextLink", Self { from, ..self.clone() }.write("page", "$skiptoken")),
            None => ("@odata.deltaLink", self.write("delta", "$deltatoken")),
        };
        (name, links::api(state, &format!("{path}?{token}")))
    }

    /// Writes a token as a query.
    fn write(&self, kind: &str, name: &str) -> String {
        let since = self.since.map_or_else(|| "-".to_owned(), |since| since.to_string());
        let text = format!(
            "{kind} {} {} {} {} {since} {} {} {} {}",
            self.epoch,
            self.chain,
            self.generation,
            self.subject,
            self.horizon,
            self.from.offset,
            self.from.page,
            self.written_query(),
        );
        format!("{name}={}", URL_SAFE_NO_PAD.encode(format!("{} {text}", check_value(&text))))
    }

    fn written_query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        query.finish()
    }
}

/// Begins the first round of a new chain.
pub(super) fn begin<'a>(
    state: &mut State,
    subject: String,
    asked: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Round {
    let chain = state.microsoft.chains.len() as u64 + 1;
    let query = asked.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    start(state, chain, subject, None, query)
}

/// Begins the round that a delta token names.
pub(super) fn next(state: &mut State, token: &str, subject: &str, path: &str) -> Result<Round, Refusal> {
    let last = read(state, token, "delta", subject, path)?;
    Ok(start(state, last.chain, last.subject, Some(last.horizon), last.query))
}

/// The page that a link in the middle of a round names.
pub(super) fn page(state: &State, token: &str, subject: &str, path: &str) -> Result<Round, Refusal> {
    let round = read(state, token, "page", subject, path)?;
    let newest = state.microsoft.chains.get(&round.chain).copied().unwrap_or(0);
    if state.switches.graph_delta_generations && round.generation < newest {
        let text =
            format!("The sync state generation is not found; generation={};[highest={newest}]", round.generation);
        return Err(Refusal::new(400, "SyncStateNotFound", text));
    }
    Ok(round)
}

/// The refusal of a link with options beside its token.
pub(super) fn too_many_options() -> Refusal {
    Refusal::bad("A delta link takes no further query options: they are encoded in its token.")
}

fn start(state: &mut State, chain: u64, subject: String, since: Option<u64>, query: Vec<(String, String)>) -> Round {
    let horizon = state.microsoft.horizon(state.now_ms(), state.switches.list_lag_s);
    let graph = &mut state.microsoft;
    let newest = graph.chains.entry(chain).or_insert(517);
    *newest += 1;
    Round {
        epoch: graph.epoch,
        chain,
        generation: *newest,
        subject,
        since,
        // A lag that grew since must not turn time back.
        horizon: horizon.max(since.unwrap_or(0)),
        from: Cursor { offset: 0, page: 0 },
        query,
    }
}

fn check_value(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..9])
}

/// Reads a token; one that is of no use is told apart by why.
fn read(state: &State, token: &str, kind: &str, subject: &str, path: &str) -> Result<Round, Refusal> {
    let malformed = || Refusal::new(400, "ErrorInvalidSyncStateData", "The sync state data is invalid.");
    let round = parse(token, kind).ok_or_else(malformed)?;
    if round.subject != subject {
        return Err(malformed());
    }
    if round.epoch == state.microsoft.epoch {
        return Ok(round);
    }
    if state.switches.graph_expired_status == 400 {
        return Err(Refusal::new(400, "SyncStateNotFound", "The sync state generation is not found."));
    }
    let query = round.written_query();
    let asked = if query.is_empty() { query } else { format!("{query}&") };
    let start = links::api(state, &format!("{path}?{asked}$deltatoken="));
    let text = "Resync required. Replace any local items with the server's version.";
    let code =
        if state.switches.graph_expired_code == "syncStateNotFound" { "syncStateNotFound" } else { "resyncRequired" };
    Err(Refusal::new(state.switches.graph_expired_status, code, text).with_header("location", start))
}

fn parse(token: &str, kind: &str) -> Option<Round> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (check, text) = text.split_once(' ')?;
    let words: Vec<&str> = text.split(' ').collect();
    let [have, epoch, chain, generation, subject, since, horizon, offset, page, query] = words[..] else {
        return None;
    };
    if check != check_value(text) || have != kind {
        return None;
    }
    Some(Round {
        epoch: epoch.parse().ok()?,
        chain: chain.parse().ok()?,
        generation: generation.parse().ok()?,
        subject: subject.to_owned(),
        since: if since == "-" { None } else { Some(since.parse().ok()?) },
        horizon: horizon.parse().ok()?,
        // The next round begins where this one ended, on its first page.
        from: if kind == "delta" {
            Cursor { offset: 0, page: 0 }
        } else {
            Cursor { offset: offset.parse().ok()?, page: page.parse().ok()? }
        },
        query: crate::wire::parse_form(query.as_bytes()),
    })
}
