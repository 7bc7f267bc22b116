//! What the two services remember, who is asking, and what was asked. One lock guards all of it (see `server.rs`).

use std::collections::{HashMap, VecDeque};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Clock, Faults, Request, Switches, google, microsoft365, oauth};

/// Which of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Microsoft 365: sign-in and Graph.
    Microsoft,
    /// Google: sign-in and People.
    Google,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Graph or People.
    Api,
    /// The authorize, token, device-code and revoke endpoints.
    SignIn,
    /// Google's photo host.
    Photo,
    /// The sandbox's own control requests, or a path that nothing answers.
    Control,
}

/// What is known of a request before it runs. Faults match on it and hooks are shown it.
#[derive(Clone, Debug, Serialize)]
pub struct RequestInfo {
    /// Counts up from 1 over all requests and parts of batches, control requests left out.
    pub number: u64,
    /// Whose request; none for control requests.
    pub provider: Option<Provider>,
    /// What for.
    pub kind: Kind,
    /// The method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// Whether it may change something at the provider. A `$batch` itself does not; its parts may.
    pub is_write: bool,
    /// Whether it is a part of a `$batch`.
    pub is_part: bool,
    /// Requests that were under way already when it came in: Graph requests for one to Graph, People's mutations for
    /// a mutation there, at Calendar those to the same calendar, at Gmail all. For a part of a batch: other parts too.
    pub overlaps: u32,
}

impl RequestInfo {
    /// Reads provider and purpose off the path.
    pub(crate) fn of(request: &Request, number: u64, is_part: bool) -> Self {
        let path = request.path.as_str();
        let under =
            |prefix: &str| path == prefix || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        let (provider, kind) = if under("/microsoft") || under("/microsoft-upload") {
            (Some(Provider::Microsoft), Kind::Api)
        } else if under("/microsoft-login") {
            (Some(Provider::Microsoft), Kind::SignIn)
        } else if under("/google-photos") {
            (Some(Provider::Google), Kind::Photo)
        } else if under("/google/v1")
            || under("/google/oauth2")
            || google::calendar::is_path(path)
            || google::mail::is_path(path)
        {
            (Some(Provider::Google), Kind::Api)
        } else if under("/google") {
            (Some(Provider::Google), Kind::SignIn)
        } else {
            (None, Kind::Control)
        };
        let is_write = kind == Kind::Api && request.is_write() && !is_batch(path);
        Self {
            number,
            provider,
            kind,
            method: request.method.clone(),
            path: path.to_owned(),
            is_write,
            is_part,
            overlaps: 0,
        }
    }
}

/// Whether a request does nothing itself but carry others.
fn is_batch(path: &str) -> bool {
    path.ends_with("/$batch") || path == "/google/batch" || path.starts_with("/google/batch/")
}

/// When a hook is called: before the request runs, or after it ran and before its reply leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened yet.
    Before,
    /// The request ran (or a fault kept it from running); nothing was sent back yet.
    After,
}

/// One line of the request log.
#[derive(Clone, Debug, Serialize)]
pub struct LogLine {
    /// The request.
    #[serde(flatten)]
    pub info: RequestInfo,
    /// The query as sent, decoded, for reading.
    pub query: Vec<(String, String)>,
    /// The status of the answer, also of one that got lost on the way; 0 when the request never ran.
    pub status: u16,
    /// What a fault did to it, in words.
    pub fault: Option<String>,
    /// When, by the sandbox's clock.
    pub at_ms: i64,
    /// Bytes of the request's body.
    pub bytes_in: usize,
    /// Bytes of the answer's body.
    pub bytes_out: usize,
}

/// The latest requests and running counts. Counts are never cut; lines are kept up to a bound.
#[derive(Debug, Default)]
pub struct Log {
    lines: VecDeque<LogLine>,
    counts: [Counts; 2],
}

/// Counts for one provider since the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// API and photo requests on the wire; a `$batch` is one.
    pub requests: u64,
    /// Parts of batches.
    pub parts: u64,
    /// Requests and parts that may change something, however they were answered.
    pub writes: u64,
    /// Writes that were answered 2xx, also when that answer got lost.
    pub writes_done: u64,
    /// Requests to the sign-in endpoints.
    pub sign_in: u64,
    /// Requests and parts answered 429.
    pub throttled: u64,
    /// Units used up of the provider's budget: one for each API request, or for each part of a batch; at Gmail its own
    /// units.
    pub quota: u64,
}

impl Log {
    const MOST_LINES: usize = 20_000;

    pub(crate) fn push(&mut self, line: LogLine, units: u64) {
        if let Some(provider) = line.info.provider {
            let counts = &mut self.counts[index(provider)];
            match (line.info.kind, line.info.is_part) {
                (Kind::SignIn, _) => counts.sign_in += 1,
                (_, true) => counts.parts += 1,
                (_, false) => counts.requests += 1,
            }
            if line.info.kind == Kind::Api && !is_batch(&line.info.path) {
                counts.quota += units;
            }
            counts.throttled += u64::from(line.status == 429);
            if line.info.is_write {
                counts.writes += 1;
                counts.writes_done += u64::from((200..300).contains(&line.status));
            }
        }
        if self.lines.len() == Self::MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The lines kept, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> {
        self.lines.iter()
    }

    /// The counts of one provider.
    pub fn counts(&self, provider: Provider) -> Counts {
        self.counts[index(provider)]
    }

    /// Forgets lines and counts.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

fn index(provider: Provider) -> usize {
    match provider {
        Provider::Microsoft => 0,
        Provider::Google => 1,
    }
}

/// The person an account belongs to. Both services show it: Graph as `/me`, Google as `people/me` and userinfo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// The provider's id of the user: a GUID, or Google's 21 digits.
    pub id: String,
    /// The full name.
    pub display_name: String,
    /// The given name.
    pub given_name: String,
    /// The family name.
    pub family_name: String,
    /// The address the user signs in with (userPrincipalName at Microsoft).
    pub email: String,
    /// Microsoft: the tenant's GUID. Google: the Workspace domain.
    pub tenant: String,
}

impl Account {
    /// The person whose data the sandbox holds.
    pub fn owner(provider: Provider) -> Self {
        let (id, tenant) = match provider {
            Provider::Microsoft => ("48d31887-5fad-4d73-a9f5-3c356e68a038", "72f988bf-86f1-41af-91ab-2d7cd011db47"),
            Provider::Google => ("109178119628813002442", "example.com"),
        };
        Self {
            id: id.into(),
            display_name: "Ada Beispiel".into(),
            given_name: "Ada".into(),
            family_name: "Beispiel".into(),
            email: "ada@example.com".into(),
            tenant: tenant.into(),
        }
    }

    /// Somebody else, who signs in by mistake.
    pub fn stranger(provider: Provider) -> Self {
        let id = match provider {
            Provider::Microsoft => "11111111-2222-4333-8444-555555555555",
            Provider::Google => "117000000000000000001",
        };
        Self {
            id: id.into(),
            display_name: "Otto Anders".into(),
            given_name: "Otto".into(),
            family_name: "Anders".into(),
            email: "otto@example.com".into(),
            ..Self::owner(provider)
        }
    }
}

/// A sliding window of spent units.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    spent: VecDeque<(i64, u64)>,
    sum: u64,
}

impl Budget {
    /// Spends `cost` now. When that goes over `limit` within `window_ms` (0 = no limit), says how many milliseconds
    /// to wait; what was asked for in vain counts too, as Graph's does.
    pub fn spend(&mut self, now_ms: i64, cost: u64, limit: u64, window_ms: i64) -> Result<(), i64> {
        while let Some((at, units)) = self.spent.front().copied().filter(|(at, _)| *at + window_ms <= now_ms) {
            debug_assert!(at <= now_ms);
            self.sum -= units;
            self.spent.pop_front();
        }
        if limit == 0 {
            return Ok(());
        }
        self.spent.push_back((now_ms, cost));
        self.sum += cost;
        if self.sum <= limit {
            return Ok(());
        }
        let oldest = self.spent.front().map_or(now_ms, |(at, _)| *at);
        Err((oldest + window_ms - now_ms).max(1))
    }

    /// Forgets what was spent.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Everything behind the one lock.
#[derive(Debug)]
pub struct State {
    /// The time.
    pub clock: Clock,
    /// How to behave.
    pub switches: Switches,
    /// What goes wrong.
    pub faults: Faults,
    /// What was asked.
    pub log: Log,
    /// The address of the listener, `http://127.0.0.1:PORT`, for links in answers.
    pub base: String,
    /// The seeded source of ids, etags and tokens.
    pub rng: StdRng,
    /// Codes, tokens and grants of both providers.
    pub oauth: oauth::OAuth,
    /// Google's contacts.
    pub google: google::Google,
    /// Microsoft's contacts.
    pub microsoft: microsoft365::Microsoft,
    /// The owner of the Microsoft account.
    pub microsoft_account: Account,
    /// The owner of the Google account.
    pub google_account: Account,
    /// Requests so far, for [`RequestInfo::number`].
    pub(crate) numbered: u64,
    /// Requests on sockets that have not been answered yet: Graph, Gmail, and mutations at People and
    /// Calendar.
    pub(crate) in_flight: InFlight,
    pub(crate) budgets: Budgets,
}

#[derive(Debug, Default)]
pub(crate) struct InFlight {
    pub graph: u32,
    pub people_writes: u32,
    pub mail: u32,
    /// By calendar, as the paths name it.
    pub calendar_writes: HashMap<String, u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Budgets {
    pub graph_requests: Budget,
    pub graph_upload: Budget,
    pub people_reads: Budget,
    pub people_writes: Budget,
    pub people_full_syncs: Budget,
}

impl State {
    /// An empty pair of services.
    pub fn new(clock: Clock, switches: Switches, seed: u64) -> Self {
        Self {
            clock,
            switches,
            faults: Faults::default(),
            log: Log::default(),
            base: "http://127.0.0.1".into(),
            rng: StdRng::seed_from_u64(seed),
            oauth: oauth::OAuth::default(),
            google: google::Google::default(),
            microsoft: microsoft365::Microsoft::default(),
            microsoft_account: Account::owner(Provider::Microsoft),
            google_account: Account::owner(Provider::Google),
            numbered: 0,
            in_flight: InFlight::default(),
            budgets: Budgets::default(),
        }
    }

    /// Now, by the sandbox's clock.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The owner of the account at this provider.
    pub fn account(&self, provider: Provider) -> &Account {
        match provider {
            Provider::Microsoft => &self.microsoft_account,
            Provider::Google => &self.google_account,
        }
    }

    /// All that a test may want to compare, as JSON.
    pub fn dump(&self) -> Value {
        json!({ "google": google::dump(self), "microsoft": microsoft365::dump(self) })
    }
}
