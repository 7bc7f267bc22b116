//! Tells people of troubles (`[notify]`): an address, a file, a program. The service does so for as long as it is there, and a run without one
//! at its end, by the same ledger: whoever has the lock of it tells.
//!
//! What is told says which place, what is the matter, since when, and what to type; it holds no word of an error or of an item. Each way has
//! a task of its own, so that an address that does not answer holds neither a run nor the others. What waits, and what was told, is in the
//! state folder: a restart repeats nothing, but what somebody was still taking two seconds after a stop.

use super::disk::{Place, Room, places, room};
use super::{hints, now_ms, words};
use crate::config::unit::Keeper;
use crate::config::{Config, Notify};
use crate::connect;
use crate::daemon::Duty;
use crate::daemon::notices::{Cause, Found, Ledger, Notice, Unconfirmed, Waiting, Way};
use rustix::fs::{CWD, RenameFlags};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use twofold_cycle::Report;
use twofold_http::{Clock, Method, Transport, TransportError, Wire};
use twofold_hub::Lock;
use twofold_model::{ErrorKind, Kind, Result};

/// What was told, and what is to be told.
const FILE: &str = "notices.json";
/// What is written takes a multiple of so many bytes, so that a longer ledger finds its room.
const ROOM: usize = 16 * 1024;
/// An address has so long to answer.
const ANSWER_MS: u64 = 20_000;
/// A file or program has so long to take a message.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// And when the service stops.
const TAKEN_AT_A_STOP: Duration = Duration::from_secs(2);
/// And after a run without a service: less than a stop may take, for a signal may come meanwhile.
const TAKEN_AFTER_A_RUN: Duration = Duration::from_secs(5);
/// Who waits for the ledger waits longer than a run tells.
const LEDGER_WITHIN: Duration = Duration::from_secs(7);
/// How often is looked whether it was taken.
const LOOK: Duration = Duration::from_millis(20);
/// Nobody needs the answer; a larger one was an answer all the same.
const MOST_BYTES: usize = 1 << 20;

/// The messages of one service, or of one run without a service.
pub(super) struct Notices {
    ledger: Mutex<Ledger>,
    /// Nobody else tells from this ledger.
    _lock: Option<Lock>,
    path: PathBuf,
    /// The configuration as it is now; a new one, and a new message, wake those who deliver.
    config: watch::Sender<Arc<Config>>,
    clock: Arc<dyn Clock>,
    /// Read by who sends, until it is written down; taken whole by who wants that no more is sent.
    sending: RwLock<()>,
}

impl Notices {
    /// Those of a service: it goes on where who told before it ended.
    pub(super) async fn open(config: Arc<Config>, clock: Arc<dyn Clock>) -> Result<Notices> {
        let lock = ledger_of(&config).await?;
        if lock.is_none() {
            tracing::warn!("a run without a service does not come to an end of telling; a trouble may be told twice");
        }
        Ok(Notices::with(lock, config, clock))
    }

    /// Those of a run without a service, and what waits since the one before; `None`: nobody is to be told, or a service that started
    /// meanwhile does it.
    async fn of_run(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<Notices>> {
        if ways(&config.notify).is_empty() {
            return Ok(None);
        }
        let lock = ledger_of(config).await?;
        Ok(lock.map(|lock| Notices::with(Some(lock), Arc::new(config.clone()), clock)))
    }

    fn with(lock: Option<Lock>, config: Arc<Config>, clock: Arc<dyn Clock>) -> Notices {
        let path = config.state_dir.join(FILE);
        let ledger = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ledger::default(),
            Err(error) => lost(&error),
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| lost(&error)),
        };
        // The room for both files, while there is some. Who cannot have it is told when it is needed.
        if !ways(&config.notify).is_empty() && !path.with_extension("new").exists() {
            let _ = write(&path, &ledger).and_then(|()| write(&path, &ledger));
        }
        Notices {
            ledger: Mutex::new(ledger),
            _lock: lock,
            path,
            config: watch::Sender::new(config),
            clock,
            sending: RwLock::default(),
        }
    }

    fn now_ms(&self) -> i64 {
        now_ms(self.clock.as_ref())
    }

    /// Takes a configuration that was read again.
    pub(super) fn configure(&self, config: Arc<Config>) {
        self.config.send_replace(config);
    }

    /// Takes what a run found.
    pub(super) fn hear(&self, found: &Found, duty: &Duty, kinds: &[Kind]) {
        let ways = ways(&self.config.borrow().notify);
        // Where nobody is told, nothing is remembered: who is told later hears of all that stands in the way then.
        if ways.is_empty() {
            return;
        }
        self.change(|ledger| {
            ledger.keep_ways(&ways);
            ledger.hear(found, duty, kinds, &ways, self.now_ms())
        });
        self.config.send_modify(|_| ());
    }

    /// Takes whether a configuration that was read, at the beginning or again, was refused.
    pub(super) fn configured(&self, is_refused: bool) {
        let ways = ways(&self.config.borrow().notify);
        if ways.is_empty() {
            return;
        }
        self.change(|ledger| {
            ledger.keep_ways(&ways);
            ledger.configured(is_refused, &ways, self.now_ms())
        });
        self.config.send_modify(|_| ());
    }

    /// Changes the ledger, and writes it down where `change` says that it is another one.
    fn change(&self, change: impl FnOnce(&mut Ledger) -> bool) {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut ledger)
            && let Err(error) = write(&self.path, &ledger)
        {
            tracing::warn!(
                "{} cannot be written ({error}); after a restart a trouble may be told once more",
                self.path.display()
            );
        }
    }

    /// Waits a moment for what is due or being sent, so that the next service does not repeat it, and so that it is told where no service of
    /// this state folder follows. While what it answers is kept, no more is sent.
    pub(super) async fn rest(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        self.rest_within(TAKEN_AT_A_STOP).await
    }

    async fn rest_within(&self, within: Duration) -> Option<RwLockWriteGuard<'_, ()>> {
        let sent = async {
            while self.is_due() {
                tokio::time::sleep(LOOK).await;
            }
            self.sending.write().await
        };
        tokio::time::timeout(within, sent).await.ok()
    }

    /// Whether there is something to be sent now.
    fn is_due(&self) -> bool {
        let (ways, now_ms) = (ways(&self.config.borrow().notify), self.now_ms());
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ways.into_iter().any(|way| ledger.next(way, now_ms).is_some_and(|(_, wait_ms)| wait_ms == 0))
    }

    /// Delivers what waits, in every way. Never comes back.
    pub(super) async fn deliver(&self) {
        let [webhook, file, command] = Way::ALL.map(|way| self.deliver_by(way));
        tokio::join!(webhook, file, command);
    }

    async fn deliver_by(&self, way: Way) {
        let mut config = self.config.subscribe();
        loop {
            // In this order: what comes after this look wakes it.
            let is_configured = ways(&config.borrow_and_update().notify).contains(&way);
            let next = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).next(way, self.now_ms());
            match next.filter(|_| is_configured) {
                None => {
                    if config.changed().await.is_err() {
                        return;
                    }
                }
                Some((due, 0)) => {
                    let _sending = self.sending.read().await;
                    let current = config.borrow().clone();
                    let mut sent = due.clone();
                    self.change(|ledger| {
                        sent = ledger.begin(&due);
                        sent != due
                    });
                    let outcome = send(&current, way, &due.notice).await;
                    self.sent(&due, &sent, outcome);
                }
                Some((_, wait_ms)) => {
                    tokio::select! {
                        () = self.clock.sleep_ms(wait_ms.unsigned_abs()) => {}
                        changed = config.changed() => if changed.is_err() { return },
                    }
                }
            }
        }
    }

    fn sent(&self, due: &Waiting, sent: &Waiting, outcome: std::result::Result<(), (Unconfirmed, String)>) {
        let way = due.way;
        self.change(|ledger| {
            match &outcome {
                Ok(()) => ledger.delivered(sent),
                Err((how, _)) => ledger.failed(due, sent, *how, self.now_ms()),
            }
            true
        });
        let outcome = outcome.map_err(|(_, why)| why);
        match outcome {
            Ok(()) => tracing::info!(?way, "told of a trouble"),
            Err(why) if due.tries == 0 => {
                tracing::warn!(?way, "nobody could be told of a trouble: {why}. It is tried again. See [notify]");
            }
            Err(why) => tracing::debug!(?way, "nobody could be told of a trouble: {why}"),
        }
    }
}

/// Tells of what a run without a service found, and holds the command for a moment only where somebody does not take it.
pub(super) async fn tell(
    config: &Config,
    clock: Arc<dyn Clock>,
    ran: &Result<Report>,
    duty: &Duty,
    kinds: &[Kind],
) -> Result<()> {
    let (found, looked_at) = match ran {
        Ok(report) => (found(report, duty), looked_at(report, duty)),
        // Another process was at work: nothing was done, and nothing is known.
        Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => return Ok(()),
        Err(error) => (failed(error), Duty::default()),
    };
    let Some(notices) = Notices::of_run(config, clock).await? else { return Ok(()) };
    // A configuration was read, and is in use.
    notices.configured(false);
    notices.hear(&found, &looked_at, kinds);
    let is_told = tokio::select! {
        () = notices.deliver() => true,
        resting = notices.rest_within(TAKEN_AFTER_A_RUN) => resting.is_some(),
    };
    if !is_told {
        tracing::warn!(
            "who is to be told of a trouble did not take it within {} s. It is tried again. See [notify]",
            TAKEN_AFTER_A_RUN.as_secs()
        );
        notices.change(|ledger| {
            ledger.cut(notices.now_ms());
            true
        });
    }
    Ok(())
}

/// The right to tell from the ledger of a state folder, for which a run that tells is waited for; `None`: somebody tells all the while.
async fn ledger_of(config: &Config) -> Result<Option<Lock>> {
    let taken = async {
        loop {
            if let Some(lock) = Lock::take_notices(&config.state_dir)? {
                return Ok(lock);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(LEDGER_WITHIN, taken).await.ok().transpose()
}

fn lost(error: &dyn std::fmt::Display) -> Ledger {
    tracing::warn!("what was told of troubles cannot be read ({error}); what stands in the way is told once more");
    Ledger::default()
}

/// Replaced as a whole; whose it is alone. The file before it stays as the room for the next, so that a full disk takes it, too.
fn write(path: &Path, ledger: &Ledger) -> std::io::Result<()> {
    let new = path.with_extension("new");
    let mut bytes = serde_json::to_vec(ledger)?;
    bytes.resize(bytes.len().next_multiple_of(ROOM), b' ');
    // Nothing is cut off before it is written over: what a disk has given once it need not give again.
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&new)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()?;
    match path.exists() {
        true => Ok(rustix::fs::renameat_with(CWD, &new, CWD, path, RenameFlags::EXCHANGE)?),
        false => std::fs::rename(new, path),
    }
}

fn ways(notify: &Notify) -> Vec<Way> {
    let has = |way: &Way| match way {
        Way::Webhook => notify.webhook.is_some(),
        Way::File => notify.file.is_some(),
        Way::Command => !notify.command.is_empty(),
    };
    Way::ALL.into_iter().filter(has).collect()
}

/// Which folder a full disk is that of, and what is free there by now.
fn full(config: &Config, notice: &Notice) -> Option<(PathBuf, Room)> {
    let trouble = &notice.trouble;
    let is_it = |place: &Place| place.device.as_deref().unwrap_or_default() == trouble.replica;
    let place = places(config).into_iter().find(is_it).filter(|_| trouble.cause == Cause::Disk)?;
    let room = room(&place.path, config.keep_free)?;
    // Where there is room by now, that it is this disk which was full is not known.
    (room.free < room.floor).then_some((place.path, room))
}

/// One message as it is told; `full`: where there is no room.
fn message(notice: &Notice, full: Option<(PathBuf, Room)>) -> Value {
    let Notice { trouble, since_ms, over_ms } = notice;
    let place = if trouble.replica.is_empty() { "twofold" } else { &trouble.replica };
    let place = trouble.kind.map_or_else(|| place.to_owned(), |kind| format!("{place}: {kind}"));
    let mut command = trouble.cause.command(&trouble.replica);
    if let (Cause::Configuration, Keeper::Unit(unit)) = (trouble.cause, Keeper::own()) {
        command = format!("{command}; systemctl status {unit}");
    }
    let full = full.filter(|_| over_ms.is_none());
    let where_to = full.as_ref().map_or_else(String::new, |(path, room)| {
        let (free, floor) = (words::bytes(room.free), words::bytes(room.floor));
        format!(" of {}: {free} are free, and {floor} are to stay free", path.display())
    });
    let text = match over_ms {
        None => format!("{place}: {}{where_to}. Type: {command}", trouble.cause.words()),
        Some(_) => format!("{place}: over: {}", trouble.cause.words()),
    };
    let mut message = json!({
        "schema": 1,
        "text": text,
        "state": if over_ms.is_some() { "over" } else { "begun" },
        "trouble": trouble.cause,
        "replica": (!trouble.replica.is_empty()).then_some(&trouble.replica),
        "since": moment(*since_ms),
    });
    if let Some((path, room)) = full {
        message["folder"] = json!(path.display().to_string());
        message["free_bytes"] = json!(room.free);
    }
    if let Some(kind) = trouble.kind {
        message["kind"] = json!(kind);
    }
    if !trouble.hold.is_empty() {
        message["hold"] = json!(trouble.hold);
    }
    match over_ms {
        Some(over_ms) => message["over"] = json!(moment(*over_ms)),
        None => message["type"] = json!(command),
    }
    message
}

fn moment(at_ms: i64) -> Option<String> {
    Some(chrono::DateTime::from_timestamp_millis(at_ms)?.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Delivers one message; why not, in words without any address.
async fn send(config: &Config, way: Way, notice: &Notice) -> std::result::Result<(), (Unconfirmed, String)> {
    use Unconfirmed::{MaybeHeard, Unheard};
    let mut message = message(notice, full(config, notice));
    for key in ["text", "type"] {
        if let Some(words) = message[key].as_str() {
            message[key] = json!(hints::put(words));
        }
    }
    let text = message.to_string();
    let notify = config.notify.clone();
    match (way, notify.webhook, notify.file) {
        (Way::Webhook, Some(url), _) => {
            let headers =
                [("content-type", "application/json"), ("user-agent", concat!("twofold/", env!("CARGO_PKG_VERSION")))];
            let wire = Wire {
                what: "tell of a trouble",
                method: Method::Post,
                url,
                headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                body: text.into_bytes().into(),
                timeout_ms: ANSWER_MS,
                silence_ms: ANSWER_MS,
                hurry: None,
                max_body: MOST_BYTES,
                heard: Default::default(),
            };
            match connect::transport(config).exchange(&wire).await {
                Ok(answer) if answer.is_success() => Ok(()),
                Err(TransportError::TooLarge(_)) => Ok(()),
                Ok(answer) => Err((Unheard, format!("the webhook answers with status {}", answer.status))),
                Err(error) => {
                    let is_lost =
                        matches!(error, TransportError::Cut(_) | TransportError::TimedOut | TransportError::Silent);
                    Err((if is_lost { MaybeHeard } else { Unheard }, format!("the webhook: {error}")))
                }
            }
        }
        (Way::File, _, Some(path)) => {
            let shown = path.display().to_string();
            // A thread of its own: it may be a pipe that nobody reads.
            let append = tokio::task::spawn_blocking(move || append(&path, text));
            let outcome = tokio::time::timeout(TAKEN_WITHIN, append).await;
            let outcome = outcome
                .map_err(|_| (MaybeHeard, format!("{shown} did not take it")))?
                .map_err(|error| (MaybeHeard, error.to_string()))?;
            outcome.map_err(|error| (Unheard, format!("{shown}: {error}")))
        }
        (Way::Command, ..) => run(&notify.command, text).await,
        // Invariant: `ways` named it.
        _ => Ok(()),
    }
}

fn append(path: &Path, text: String) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all((text + "\n").as_bytes())
}

async fn run(command: &[String], text: String) -> std::result::Result<(), (Unconfirmed, String)> {
    use Unconfirmed::{MaybeHeard, Unheard};
    let Some((program, args)) = command.split_first() else { return Ok(()) };
    let failed = |why: &dyn std::fmt::Display| format!("{program} {why}");
    let mut child = tokio::process::Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| (Unheard, failed(&format_args!("cannot be run ({error})"))))?;
    let told = async {
        if let Some(mut input) = child.stdin.take() {
            // One that does not read it may do all the same what it is for.
            let _ = input.write_all((text + "\n").as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(TAKEN_WITHIN, told).await {
        Err(_) => Err((MaybeHeard, failed(&"did not end within a minute"))),
        Ok(Err(error)) => Err((MaybeHeard, failed(&error))),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err((Unheard, failed(&format_args!("failed ({status})")))),
    }
}

/// What asks for a person in the report of a run with this duty.
pub(super) fn found(report: &Report, duty: &Duty) -> Found {
    let mut found = Found::default();
    for (replica, sign) in &report.signs {
        found.troubles.insert(trouble(replica, sign.clone()));
    }
    let needs_sign_in = |name: &String| report.signs.contains(&(name.clone(), twofold_cycle::report::Sign::SignIn));
    let is_away = |(name, kind): &&(String, Option<Kind>)| kind.is_some() || !needs_sign_in(name);
    found.away = report.down.iter().filter(is_away).cloned().collect();
    let rows = report.replicas.iter().filter(|row| row.requests > 0);
    let asked = rows.filter_map(|row| Some((row.name.clone(), Kind::from_name(&row.kind)?)));
    // Not what is away, or left alone for that.
    let is_away = |(name, kind): &(String, Kind)| {
        let is_down = |part| report.down.contains(&(name.clone(), part));
        is_down(None) || is_down(Some(*kind)) || duty.without.get(name).is_some_and(|left| left.contains(kind))
    };
    found.reached = asked.filter(|part| !is_away(part)).collect();
    found
}

/// What a run looked at: one that a full disk or a stop ended did not do all that it was to.
pub(super) fn looked_at(report: &Report, duty: &Duty) -> Duty {
    if report.full || report.stopped { Duty::default() } else { duty.clone() }
}

/// What asks for a person where a run failed as a whole.
pub(super) fn failed(error: &twofold_model::Error) -> Found {
    let sign = twofold_cycle::report::Sign::of(error);
    Found { troubles: sign.map(|sign| trouble("", sign)).into_iter().collect(), ..Found::default() }
}

fn trouble(replica: &str, sign: twofold_cycle::report::Sign) -> crate::daemon::notices::Trouble {
    use twofold_cycle::report::Sign;
    let (cause, hold) = match sign {
        Sign::SignIn => (Cause::SignIn, String::new()),
        Sign::Held(hold) => (Cause::Held, hold),
        Sign::Disk => (Cause::Disk, String::new()),
        Sign::Failed => (Cause::Failed, String::new()),
    };
    crate::daemon::notices::Trouble { replica: replica.to_owned(), cause, hold, kind: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::notices::Trouble;

    #[test]
    fn a_message_says_where_what_since_when_and_what_to_type() {
        let trouble = Trouble { replica: "google".into(), cause: Cause::SignIn, hold: String::new(), kind: None };
        let begun = message(&Notice { trouble: trouble.clone(), since_ms: 0, over_ms: None }, None);
        assert_eq!(
            begun,
            json!({"schema": 1, "text": "google: a sign-in is needed. Type: twofold login google", "state": "begun", "trouble": "sign-in",
                "replica": "google", "since": "1970-01-01T00:00:00Z", "type": "twofold login google"})
        );
        let over = message(&Notice { trouble: trouble.clone(), since_ms: 0, over_ms: Some(60_000) }, None);
        assert_eq!(
            (&over["state"], &over["over"], over.get("type")),
            (&json!("over"), &json!("1970-01-01T00:01:00Z"), None)
        );
        let part = Trouble { cause: Cause::Stale, kind: Some(Kind::Contacts), ..trouble.clone() };
        let stale = message(&Notice { trouble: part, since_ms: 0, over_ms: None }, None);
        assert_eq!(stale["text"], "google: contacts: it could not be reached for a day. Type: twofold doctor");
        assert_eq!((&stale["replica"], &stale["kind"]), (&json!("google"), &json!("contacts")));
        let disk = Trouble { cause: Cause::Disk, replica: String::new(), ..trouble.clone() };
        let no_room = Notice { trouble: disk, since_ms: 0, over_ms: None };
        let dir = tempfile::tempdir().unwrap();
        for (keep_free, is_full) in [("1000000GB", true), ("1kB", false)] {
            let text = format!("state_dir = {:?}\n[disk]\nkeep_free = {keep_free:?}\n", dir.path());
            let config = Config::parse(&text, Path::new("config.toml")).unwrap();
            let message = message(&no_room, full(&config, &no_room));
            let words = message["text"].as_str().unwrap();
            assert!(words.contains("there is no room on the disk"), "{words}");
            let has_numbers = words.contains("are free, and") && message["free_bytes"].is_u64();
            assert!(has_numbers == is_full && message.get("folder").is_some() == is_full, "{keep_free}: {message}");
        }
        let held = Trouble { cause: Cause::Held, hold: "3f1c".into(), replica: "laptop".into(), kind: None };
        assert_eq!(message(&Notice { trouble: held, since_ms: 0, over_ms: None }, None)["hold"], "3f1c");
    }
}
