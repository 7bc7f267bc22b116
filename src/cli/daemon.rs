//! `twofold daemon`: the service, with the machine's clock, signals and folders.

use super::endpoint::{Clerk, Tally};
use super::{Context, decide, disk, hints, log::Log, notify, sync};
use crate::config::unit::Keeper;
use crate::config::{Config, Endpoint};
use crate::connect;
use crate::daemon::desk::{Desk, Told};
use crate::daemon::live::{self, Live};
use crate::daemon::socket::{Door, Over, Socket};
use crate::daemon::troubles::{About, Troubles};
use crate::daemon::watch::{Folders, SignIns, Watch};
use crate::daemon::{Clock, Decision, Duty, End, Event, Outcome, State, Work, serve, systemd, whereabouts};
use crate::endpoint::listen;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::{code_of, exit};
use twofold_cycle::{Calls, Progress, Reading, Report, report};
use twofold_hub::Lock;
use twofold_model::{Error, ErrorKind, Kind, Result};
use twofold_schedule::Trigger;

/// After a signal the process ends within this time, whatever it hangs on (promise 12).
const END_WITHIN: Duration = Duration::from_millis(9_500);

/// The state folder of the service that runs with this configuration's file, where the file names another one by now.
pub(super) fn elsewhere(config: &Config) -> Option<PathBuf> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whereabouts::of_service(&config.path).filter(|place| real(place) != real(&config.state_dir))
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say whether the configuration can be taken: by a start, and by the service of it that runs when it reads it again
    #[arg(long)]
    check: bool,
}

/// Whether a start takes the configuration, and the running service with a reload.
fn check(context: &Context) -> Result<i32> {
    let config = context.config_of_file()?;
    match elsewhere(&config) {
        Some(_) => Err(Error::new(ErrorKind::Misconfigured, other_place(&hints::keeper(&config)))),
        None => {
            context.say(format_args!("twofold: {} can be taken", config.path.display()));
            Ok(exit::ALIGNED)
        }
    }
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(context: &Context, args: &Args) -> Result<i32> {
    if args.check {
        return check(context);
    }
    let signals = Signals::listen()?;
    let config = context.config_of_file()?;
    context.log.serve(config.log);
    let another = || {
        let words = format!(
            "another service of this hub is running; this one was not started; {}",
            hints::keeper(&config).look()
        );
        Error::new(ErrorKind::Throttled { retry_after_s: None }, words)
    };
    if elsewhere(&config).is_some() {
        return Err(another());
    }
    connect::state_folder(&config.state_dir)?;
    let _place = Lock::take_service(&config.state_dir)?.ok_or_else(another)?;
    let place = whereabouts::listen(&config.path);
    let (events, told) = unbounded_channel();
    let stop = Arc::new(AtomicBool::new(false));
    let heard = tokio::spawn(signals.tell(events.clone(), stop.clone(), context.log.clone()));
    if let Err(error) = open_hub(context, &config) {
        let failed = Err(error);
        let kinds: Vec<Kind> = triggers_of(&config).into_keys().collect();
        if let Err(error) = notify::tell(&config, context.clock.clone(), &failed, &Duty::default(), &kinds).await {
            tracing::warn!("nobody could be told of it: {error}");
        }
        return failed.map(|_: Report| exit::FAILED);
    }
    // One that cannot be read is told of by each run, and waited for like a sign-in.
    let vault = Vault::unseen(&config.state_dir);
    let folders = Arc::new(Mutex::new(paths_of(&config)));
    let has_credential_key = vault.has_credential_key();
    let watch = Watch::new(folders.clone(), Box::new(move || sign_ins(&vault)), events.clone());
    let triggers = triggers_of(&config);
    let progress = Arc::new(systemd::Progress::default());
    let notices = Arc::new(notify::Notices::open(Arc::new(config.clone()), context.clock.clone()).await?);
    notices.configured(false);
    let (live, tally) = (Arc::new(Live::new(context.now_ms())), Arc::new(Tally::default()));
    let (endpoint, wanted) = watch::channel(config.endpoint.clone());
    let chance = chance_of(&config);
    let state_dir = config.state_dir.clone();
    let config = Arc::new(Mutex::new(Arc::new(config)));
    let desk = Arc::new(Desk::default());
    let clerk = Arc::new(Clerk {
        config: config.clone(),
        live: live.clone(),
        clock: context.clock.clone(),
        progress: progress.clone(),
        tally: tally.clone(),
        events: events.clone(),
        desk: desk.clone(),
        messages: Mutex::default(),
    });
    let tasks = [
        heard,
        tokio::spawn(tell_place(place, state_dir.clone())),
        tokio::spawn({
            let notices = notices.clone();
            async move { notices.deliver().await }
        }),
        tokio::spawn(watch.keep()),
        tokio::spawn(listen::keep(wanted, clerk)),
        tokio::spawn({
            let progress = progress.clone();
            async move { systemd::feed_watchdog(&progress).await }
        }),
    ];
    let door = Door::new(live.clone(), desk.clone(), events, has_credential_key, Keeper::own().restart());
    let asked = open_door(&door, &state_dir);
    let (troubles, signed_in) = (Mutex::default(), Mutex::default());
    let calls = Calls { stop, ..Calls::default() };
    let work = Runs {
        context,
        config,
        folders,
        progress,
        live,
        tally,
        endpoint,
        desk,
        calls,
        troubles,
        signed_in,
        notices,
        zone: Mutex::new(zone()),
    };
    tracing::info!("the service begins");
    tell_nameless_zone();
    let end = serve(&work, context, triggers, chance, told).await;
    if context.config_of_file().is_ok() {
        // A start takes what this service could not.
        work.notices.configured(false);
    }
    let resting = work.notices.rest().await;
    tasks.iter().for_each(JoinHandle::abort);
    drop(resting);
    door.close().await;
    if let Some(asked) = asked {
        // The socket is gone before another service may make its own.
        asked.abort();
        let _ = asked.await;
    }
    match end {
        End::Clean => context.say("twofold: stopped at a clean point"),
        End::Cut => context.say("twofold: stopped while a request was under way; the next run looks for it"),
    }
    Ok(exit::ALIGNED)
}

/// Opens the hub once, so that a service that can never work does not say that it is ready. A command that is at work on it opened it.
fn open_hub(context: &Context, config: &Config) -> Result<()> {
    match context.hub(config) {
        Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => Ok(()),
        // Each run says so, until there is room.
        Err(_) if disk::shortage(config).is_some() => Ok(()),
        other => other.map(drop),
    }
}

/// Tells commands where this service keeps its state. They go by their configuration where it cannot.
async fn tell_place(listener: std::io::Result<UnixListener>, state_dir: PathBuf) {
    match listener {
        Ok(listener) => whereabouts::tell(listener, state_dir).await,
        Err(error) => tracing::warn!(
            "commands are not told where this service keeps its state ({error}); they go by what state_dir in the configuration says"
        ),
    }
}

/// Lets commands ask the service. Without its socket it works all the same.
fn open_door(door: &Door, state_dir: &Path) -> Option<JoinHandle<()>> {
    match Socket::bind(state_dir) {
        Ok(socket) => Some(tokio::spawn(door.clone().keep(socket))),
        Err(error) => {
            tracing::warn!(
                "the service cannot be asked for a run ({error}); commands work beside it, between two runs"
            );
            None
        }
    }
}

/// When somebody last signed in at each provider; those are left out of which nothing can be read just now.
fn sign_ins(vault: &Vault) -> SignIns {
    let at = |name: ProviderName| Some((name.as_str().to_owned(), vault.status(name).ok()?.signed_in_ms?));
    [ProviderName::Google, ProviderName::Microsoft365].into_iter().filter_map(at).collect()
}

/// When each kind that anybody keeps is due.
pub(super) fn triggers_of(config: &Config) -> BTreeMap<Kind, Trigger> {
    let mut kinds: BTreeSet<Kind> = config.google.iter().flat_map(|table| table.kinds.clone()).collect();
    kinds.extend(config.microsoft365.iter().flat_map(|table| table.kinds.clone()));
    kinds.extend(config.devices.iter().flat_map(|device| device.kinds.clone()));
    let zone = zone();
    let cadences = config.cadences.iter().filter(|(kind, _)| kinds.contains(kind));
    cadences.map(|(kind, cadence)| (*kind, cadence.trigger(zone))).collect()
}

/// The zone of this machine.
pub(super) fn zone() -> chrono_tz::Tz {
    connect::home_zone().and_then(|name| name.parse().ok()).unwrap_or(chrono_tz::Tz::UTC)
}

fn tell_nameless_zone() {
    if let Some(words) = connect::nameless_zone() {
        tracing::warn!("{words}");
    }
}

fn paths_of(config: &Config) -> Vec<PathBuf> {
    config.devices.iter().map(|device| device.path.clone()).collect()
}

/// A number that differs between the services of a company and stays the same for one.
fn chance_of(config: &Config) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    std::fs::read_to_string("/etc/machine-id").unwrap_or_default().hash(&mut hasher);
    config.state_dir.hash(&mut hasher);
    hasher.finish()
}

/// What the machine asks of the service.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
    usr1: Signal,
    usr2: Signal,
}

impl Signals {
    /// From here on no signal ends the process by itself.
    fn listen() -> Result<Signals> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::new(ErrorKind::Broken, format!("signals cannot be listened for: {error}")).with_source(error)
            })
        };
        Ok(Signals {
            term: listen(SignalKind::terminate())?,
            int: listen(SignalKind::interrupt())?,
            hup: listen(SignalKind::hangup())?,
            usr1: listen(SignalKind::user_defined1())?,
            usr2: listen(SignalKind::user_defined2())?,
        })
    }

    /// Turns signals into events; ends the process itself where a run hangs on.
    async fn tell(mut self, events: UnboundedSender<Event>, stop: Arc<AtomicBool>, log: Arc<Log>) {
        loop {
            tokio::select! {
                _ = self.term.recv() => break,
                _ = self.int.recv() => break,
                _ = self.hup.recv() => {
                    // Nobody listens any more: the service ends.
                    let _ = events.send(Event::Reload);
                }
                _ = self.usr1.recv() => log.more(),
                _ = self.usr2.recv() => log.less(),
            }
        }
        // A run that has not let go of its thread hears of it, too.
        stop.store(true, Ordering::SeqCst);
        let _ = events.send(Event::Stop);
        // A thread of its own: one that hangs in a file system holds the others, too.
        std::thread::spawn(move || {
            std::thread::sleep(END_WITHIN);
            log.say("twofold: stopped while a file or request was under way; the next run looks for it");
            std::process::exit(exit::ALIGNED);
        });
    }
}

#[async_trait::async_trait(?Send)]
impl Clock for Context {
    fn now_ms(&self) -> i64 {
        self.now_ms()
    }

    async fn sleep_ms(&self, ms: i64) {
        self.clock.sleep_ms(ms.max(0).unsigned_abs()).await;
    }
}

/// What is told of a configuration that is refused; what is wrong with it is nothing for a page and a status line.
fn refused() -> String {
    format!(
        "the configuration is refused, and the one before stays in use: a restart would fail. What is wrong with it says: twofold doctor; mend \
         it, then {}",
        Keeper::own().reload()
    )
}

/// What is told of another state folder, which is taken with a restart only.
fn other_place(keeper: &Keeper) -> String {
    format!(
        "the configuration names another state_dir, and the one before stays in use until a restart; {}",
        keeper.restart()
    )
}

fn tell_over(over: &[(String, About)]) {
    over.iter().for_each(|(words, about)| tracing::info!(replica = about.place(), "over: {words}"));
}

/// The runs of the service.
struct Runs<'a> {
    context: &'a Context,
    config: Arc<Mutex<Arc<Config>>>,
    folders: Folders,
    progress: Arc<systemd::Progress>,
    live: Arc<Live>,
    tally: Arc<Tally>,
    /// Where the endpoint is to listen.
    endpoint: watch::Sender<Option<Endpoint>>,
    /// Who waits for a run that they asked for.
    desk: Arc<Desk>,
    /// What the run under way is told.
    calls: Calls,
    troubles: Mutex<Troubles>,
    /// Places at which somebody signed in since the last run began.
    signed_in: Mutex<BTreeSet<String>>,
    /// Who is told of them.
    notices: Arc<notify::Notices>,
    /// The zone by which the schedule goes.
    zone: Mutex<chrono_tz::Tz>,
}

impl Runs<'_> {
    fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that there are.
    fn kinds(&self) -> Vec<Kind> {
        triggers_of(&self.config()).into_keys().collect()
    }

    /// Tells what stands in the way since this run, and what does so no more.
    fn tell(&self, found: BTreeMap<String, About>, duty: &Duty) {
        let news = {
            let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            let news = troubles.hear(found, duty, &self.kinds());
            self.live.troubles(troubles.all());
            news
        };
        news.new.iter().for_each(|(words, about)| tracing::warn!(replica = about.place(), "{words}"));
        tell_over(&news.over);
    }

    /// What a run said, but of a sign-in that was made while it was under way: it went by the one before.
    fn said(&self, report: &Report) -> BTreeMap<String, About> {
        let (config, signed_in) = (self.config(), self.signed_in.lock().unwrap_or_else(PoisonError::into_inner));
        let is_replica = |place: &str| config.names().contains(place);
        let about = |words: &String| match report.about.get(words) {
            Some(report::About::Place(place)) if is_replica(place) => About::Place(place.clone()),
            // A collection that could not be made, say.
            None | Some(report::About::Place(_)) => About::Kinds,
            Some(report::About::Hub) => About::Hub,
            Some(report::About::SignIn(place)) => About::SignIn(place.clone()),
        };
        let said = report.troubles.iter().map(|words| (report::lasting(words), about(words)));
        said.filter(|(_, about)| !matches!(about, About::SignIn(place) if signed_in.contains(place))).collect()
    }

    /// A configuration that was to be read again stays unused, in these words, until a good one was read.
    fn refuse(&self, words: &str) {
        self.live.refused(Some(words.to_owned()));
        self.notices.configured(true);
    }

    /// The line of `systemctl status` between two runs.
    fn waiting(&self, next_ms: Option<i64>) -> String {
        let now = self.live.now();
        let mut all = now.refused.iter().chain(&now.troubles);
        let troubles = match (all.next(), all.count()) {
            (None, _) => "all is well".to_owned(),
            (Some(words), 0) => words.to_owned(),
            (Some(words), more) => format!("{words} (and {more} more: twofold status)"),
        };
        match next_ms {
            Some(next_ms) => format!("next run in {} s; {troubles}", (next_ms - self.context.now_ms()).max(0) / 1000),
            None => troubles,
        }
    }

    /// The sum of a run's changes, of each of which the log has a line.
    fn moved(report: &Report) {
        // As the lines of the run itself: the number stands in one place.
        let _run = tracing::info_span!("run", run = report.run).entered();
        for row in report.replicas.iter().filter(|row| row.moved()) {
            tracing::info!(
                replica = %row.name,
                kind = %row.kind,
                taken_new = row.created,
                taken_edited = row.updated,
                taken_moved = row.moved,
                taken_removed = row.deleted,
                sent_new = row.sent_created,
                sent_edited = row.sent_updated,
                sent_moved = row.sent_moved,
                sent_removed = row.sent_deleted,
                "{}, {}: {} taken, {} sent",
                row.name,
                row.kind,
                row.taken(),
                row.sent()
            );
        }
    }
}

#[async_trait::async_trait(?Send)]
impl Work for Runs<'_> {
    async fn run(&self, duty: Duty) -> Outcome {
        let config = self.config();
        let only = duty.kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        let wish = duty.wish.clone().unwrap_or_default();
        let args = sync::Args {
            only,
            without: duty.without.clone(),
            leaves_alone: !duty.tries_all,
            replica: wish.replica,
            full_check: wish.full_check,
            retry_quarantined: wish.retry_quarantined,
            ..sync::Args::default()
        };
        self.signed_in.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.desk.tell(&duty.asked, &Told::Began);
        self.progress.step();
        let began_ms = self.context.now_ms();
        let over = |run, exit| {
            let kinds = duty.kinds.clone();
            let is_of_all = duty.wish.as_ref().is_none_or(|wish| wish.replica.is_none());
            let ended_ms = self.context.now_ms();
            self.live.ended(Some(live::Last { run, kinds, began_ms, ended_ms, exit }), is_of_all);
        };
        let steps = Arc::new(Steps { watchdog: self.progress.clone(), live: self.live.clone() });
        let ran = sync::sync(self.context, &config, &args, self.calls.clone(), steps, None).await;
        self.calls.give_way.store(false, Ordering::SeqCst);
        self.calls.is_waited_for.store(false, Ordering::SeqCst);
        match ran {
            Ok(report) => {
                Self::moved(&report);
                self.tally.ran(&report);
                let looked_at = notify::looked_at(&report, &duty);
                self.tell(self.said(&report), &looked_at);
                self.notices.hear(&notify::found(&report, &duty), &looked_at, &self.kinds());
                over(Some(report.run), report.exit);
                self.desk.tell(&duty.asked, &outcome(&report));
                match report.full {
                    true => Outcome::Failed,
                    false => Outcome::Ran {
                        down: report.down,
                        throttled: report.throttled,
                        gave_way: report.gave_way,
                        again: report.again,
                    },
                }
            }
            // Only the lock of the hub says so: what stands in the way at a place is in a report.
            Err(error) if matches!(error.kind, ErrorKind::Throttled { .. }) => {
                self.live.ended(None, true);
                self.desk.tell(&duty.asked, &Told::PutOff);
                Outcome::Busy
            }
            Err(error) => {
                // It looked at nothing.
                self.tell([(error.to_string(), About::Kinds)].into(), &Duty::default());
                self.notices.hear(&notify::failed(&error), &Duty::default(), &self.kinds());
                let exit = code_of(error.kind);
                self.tally.failed(exit);
                over(None, exit);
                self.desk.tell(&duty.asked, &Told::Failed { words: error.to_string(), exit });
                Outcome::Failed
            }
        }
    }

    async fn decide(&self, id: u64, decision: &Decision) -> Option<Vec<Kind>> {
        let (live, now_ms) = (self.live.now(), self.context.now_ms());
        match decide::carry_out(&self.config(), decision, Some(&live), now_ms).await {
            Ok((done, waits)) => {
                let does = match waits.as_slice() {
                    _ if self.calls.stop.load(Ordering::SeqCst) => {
                        "The service ends, and its next start does it".to_owned()
                    }
                    [] => "The service does it now".to_owned(),
                    waits => {
                        format!("The service does it now, but for what waits until this is over: {}", waits.join("; "))
                    }
                };
                tracing::info!("somebody decided about what is held or in conflict, and a run follows");
                self.desk.tell(&[id], &Told::Decided(format!("{}. {does}. See: twofold status", done.words)));
                Some(done.kinds)
            }
            Err(error) => {
                let exit = code_of(error.kind);
                tracing::info!(exit, "what somebody decided was not done");
                self.desk.tell(&[id], &Told::Failed { words: error.to_string(), exit });
                None
            }
        }
    }

    fn signed_in(&self, places: &BTreeSet<String>) {
        self.signed_in.lock().unwrap_or_else(PoisonError::into_inner).extend(places.iter().cloned());
        let over = {
            let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
            let over = troubles.signed_in(places);
            self.live.troubles(troubles.all());
            over
        };
        tell_over(&over);
    }

    fn is_changing(&self) -> bool {
        self.calls.changing.load(Ordering::SeqCst) > 0
    }

    fn give_way(&self) {
        self.calls.give_way.store(true, Ordering::SeqCst);
    }

    fn is_waited_for(&self) {
        self.calls.is_waited_for.store(true, Ordering::SeqCst);
    }

    fn reload(&self) -> Option<BTreeMap<Kind, Trigger>> {
        let before = self.config();
        match self.context.config_of_file() {
            Ok(config) if config.state_dir != before.state_dir => {
                tracing::error!(
                    "state_dir cannot change under a running service; the old configuration stays. Restart it"
                );
                self.refuse(&other_place(&Keeper::own()));
                None
            }
            Ok(config) => {
                let triggers = triggers_of(&config);
                self.context.log.serve(config.log);
                *self.folders.lock().unwrap_or_else(PoisonError::into_inner) = paths_of(&config);
                self.endpoint.send_if_modified(|listened| {
                    let is_other = *listened != config.endpoint;
                    listened.clone_from(&config.endpoint);
                    // What a file or a command says may be another one now.
                    is_other || listened.as_ref().is_some_and(|endpoint| endpoint.token.is_some())
                });
                let config = Arc::new(config);
                self.notices.configure(config.clone());
                *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!("the configuration was read again");
                self.live.refused(None);
                self.notices.configured(false);
                Some(triggers)
            }
            Err(error) => {
                tracing::error!("the configuration is refused, and the old one stays: {error}");
                self.refuse(&refused());
                None
            }
        }
    }

    fn retimed(&self) -> Option<BTreeMap<Kind, Trigger>> {
        let zone = zone();
        let before = std::mem::replace(&mut *self.zone.lock().unwrap_or_else(PoisonError::into_inner), zone);
        (before != zone).then(|| {
            tracing::info!(
                "the clocks of this machine go by {zone} now, and no longer by {before}: so does the schedule"
            );
            tell_nameless_zone();
            triggers_of(&self.config())
        })
    }

    fn state(&self, state: State) {
        self.progress.step();
        match state {
            State::Ready => systemd::ready(),
            State::Reloading => systemd::reloading(),
            State::Stopping => {
                self.calls.stop.store(true, Ordering::SeqCst);
                self.live.stopping();
                systemd::stopping();
            }
            State::Running(duty) => {
                self.live.running(&duty, self.context.now_ms());
                let kinds: Vec<&str> = duty.kinds.iter().map(|kind| kind.as_str()).collect();
                systemd::status(&format!("at work: {}", kinds.join(", ")));
            }
            State::Waiting(next) => {
                self.live.waiting(next);
                systemd::status(&hints::put(&self.waiting(next)));
            }
        }
    }

    fn due(&self, due_ms: BTreeMap<Kind, i64>) {
        self.live.due(due_ms);
    }
}

/// What is told of a run to those who asked for it.
fn outcome(report: &Report) -> Told {
    let table = sync::table(report, false);
    match serde_json::to_value(report) {
        Ok(value) => Told::Over(Over { exit: report.exit, report: value, table, troubles: report.troubles.clone() }),
        Err(error) => {
            Told::Failed { words: format!("the report cannot be written as JSON: {error}"), exit: exit::FAILED }
        }
    }
}

/// Tells the watchdog, and whoever asks, of each step of a run.
struct Steps {
    watchdog: Arc<systemd::Progress>,
    live: Arc<Live>,
}

impl Progress for Steps {
    fn at(&self, phase: &str, done: usize, of: usize) {
        self.watchdog.step();
        self.live.at(phase, done, of);
    }

    fn reading(&self, replica: &str, reading: Reading) {
        self.watchdog.step();
        let Reading { done, of, bytes, took_ms } = reading;
        self.live.reading(replica, live::Reading { done, of, bytes, took_ms });
    }

    fn step(&self) {
        self.watchdog.step();
    }
}

#[cfg(test)]
mod day;
