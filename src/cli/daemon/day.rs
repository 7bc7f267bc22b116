//! A day of the service: the loop over the runs of the program, with its configuration, sign-ins, hub, connectors, device folder, troubles and
//! messages, against both providers of the sandbox. Hours pass in seconds, because the time is handed in ([`time`]); the device's clock is that
//! of its file system.
//!
//! Somebody changes something at each place every few minutes ([`life`]), requests fail by chance, and all goes wrong that can: [`Deed`].
//! Twice a day all is to be listed in full, once while the machine sleeps.
//!
//! `TWOFOLD_SEED=7 TWOFOLD_SEEDS=3` are the days 7, 8 and 9.

mod judge;
mod life;
mod time;

use super::*;
use crate::cli::demo::Visitor;
use crate::cli::{Cli, login, sandbox};
use clap::Parser as _;
use life::{Change, Life, PLACES, Place};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use time::Time;
use tokio::sync::Notify;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use twofold_auth::Flow;
use twofold_cycle::Silent;
use twofold_sandbox::{Chances, Fault, Options, Phase, Provider, Rule, Sandbox, oauth};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// How often the service looks.
const POLL: i64 = 5 * MINUTE;
/// How long a request takes.
const REQUEST_MS: i64 = 10;
const PROVIDERS: [&str; 2] = ["google", "microsoft365"];
/// When all is to be listed in full, by the clock shown, and from when on that can be done: the machine sleeps from thirteen to sixteen.
const FULL_CHECKS: [(i64, i64); 2] =
    [(3 * HOUR + 30 * MINUTE, 3 * HOUR + 30 * MINUTE), (14 * HOUR + 30 * MINUTE, 16 * HOUR)];
/// When all is well; what was left undone before has come to rest by then.
const CALM: [(i64, i64); 2] = [(10 * MINUTE, HOUR), (22 * HOUR + 45 * MINUTE, 24 * HOUR)];

/// What happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Change(Place),
    /// Requests fail by chance from now on, or no more.
    Weather(bool),
    /// The service is stopped, and started again.
    Restart,
    /// It is killed as soon as the next change was made at a provider, before it hears of that.
    Kill,
    /// Something stands in the way from now on, or no more.
    Wrong(Wrong, bool),
    /// The machine sleeps for three hours.
    Sleep,
    /// Its clock is set by so many hours.
    Clock(i64),
    /// An hour is over: what the process takes is written down.
    Hour,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Network,
    SignIn,
    Disk,
}

const DEEDS: [(i64, Deed); 15] = [
    (HOUR + 1, Deed::Weather(true)),
    (2 * HOUR + MINUTE, Deed::Restart),
    (4 * HOUR, Deed::Kill),
    (6 * HOUR, Deed::Wrong(Wrong::Network, true)),
    (7 * HOUR, Deed::Wrong(Wrong::Network, false)),
    (9 * HOUR, Deed::Wrong(Wrong::SignIn, true)),
    (9 * HOUR + 30 * MINUTE, Deed::Wrong(Wrong::Disk, true)),
    (10 * HOUR + 30 * MINUTE, Deed::Wrong(Wrong::Disk, false)),
    (11 * HOUR, Deed::Wrong(Wrong::SignIn, false)),
    (13 * HOUR, Deed::Sleep),
    (15 * HOUR, Deed::Clock(-1)),
    (17 * HOUR, Deed::Clock(1)),
    (19 * HOUR, Deed::Kill),
    (22 * HOUR, Deed::Weather(false)),
    (24 * HOUR + 1, Deed::Stop),
];
/// After this nothing changes any more.
const LAST_CHANGE: i64 = 23 * HOUR + 40 * MINUTE;

/// A run as it was.
#[derive(Clone, Debug)]
struct Ran {
    began: i64,
    ended: i64,
    duty: Duty,
    requests: u64,
    outcome: Outcome,
}

impl Ran {
    fn is_whole(&self) -> bool {
        self.duty.kinds.len() == 3
    }

    /// Whether it was at a provider.
    fn asked(&self, provider: &str) -> bool {
        matches!(self.outcome, Outcome::Ran { .. }) && !self.duty.without.contains_key(provider)
    }

    /// Whether it could not reach a provider.
    fn missed(&self, provider: &str) -> bool {
        matches!(&self.outcome, Outcome::Ran { down, .. } if down.iter().any(|(one, _)| one == provider))
    }
}

/// A line of the log, and when it was said.
type Line = (i64, Level, String);

struct Day {
    seed: u64,
    time: Arc<Time>,
    sandbox: Sandbox,
    dir: tempfile::TempDir,
    life: RefCell<Life>,
    /// What has not come everywhere yet of what was changed when all was well, and how long the rest took to the device, and to the providers.
    coming: RefCell<Vec<(Change, Place)>>,
    took: RefCell<Vec<(i64, Change, Place)>>,
    runs: RefCell<Vec<Ran>>,
    /// What stands in the way, since when and until when.
    troubles: RefCell<Vec<(Wrong, i64, Option<i64>)>>,
    lines: Arc<Mutex<Vec<Line>>>,
    events: RefCell<Option<UnboundedSender<Event>>>,
    /// What the service was told to do.
    asked: Cell<Option<Deed>>,
    /// Somebody does something that takes no time of the day.
    is_busy: Cell<bool>,
    is_to_be_killed: Arc<AtomicBool>,
    killed: Arc<Notify>,
    /// When each service began.
    starts: RefCell<Vec<i64>>,
    memory: RefCell<Vec<u64>>,
    /// What its thread used of the processor by the beginning and by the end of each hour, in milliseconds.
    cpu_ms: RefCell<Vec<u64>>,
    /// What its clock showed at its beginning.
    shown_ms: i64,
    /// When each feed of a provider was listed in full, by the clock shown.
    listings: RefCell<BTreeMap<(i64, String), BTreeSet<i64>>>,
}

/// One for all tests of this process.
static LOG: LazyLock<Arc<Log>> =
    LazyLock::new(|| Arc::new(Log::start(&Cli::parse_from(["twofold", "--quiet", "daemon"]))));

impl Day {
    async fn begin(seed: u64, options: Options) -> Day {
        let sandbox = Sandbox::new(Options { random_seed: seed, ..options.virtual_time() });
        let time = Time::new(sandbox.clock().clone());
        let shown_ms = time.shown_ms();
        let dir = tempfile::tempdir().unwrap();
        let life = RefCell::new(Life::new(sandbox.clone(), dir.path().join("laptop"), seed));
        let (is_to_be_killed, killed) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        sandbox.set_hook(Some(Arc::new({
            let (time, is_to_be_killed, killed) = (time.clone(), is_to_be_killed.clone(), killed.clone());
            move |info, phase| {
                if phase == Phase::After {
                    time.advance_ms(REQUEST_MS);
                    if info.is_write && is_to_be_killed.swap(false, Ordering::SeqCst) {
                        killed.notify_one();
                    }
                }
            }
        })));
        Day {
            seed,
            time,
            sandbox,
            dir,
            life,
            coming: RefCell::default(),
            took: RefCell::default(),
            runs: RefCell::default(),
            troubles: RefCell::default(),
            lines: Arc::default(),
            events: RefCell::default(),
            asked: Cell::new(None),
            is_busy: Cell::new(false),
            is_to_be_killed,
            killed,
            starts: RefCell::default(),
            memory: RefCell::default(),
            cpu_ms: RefCell::default(),
            shown_ms,
            listings: RefCell::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration down. A disk is full where all of it has to stay free.
    fn configure(&self, is_full: bool) {
        let text = format!(
            "state_dir = {:?}\n\n{}\n[[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [\"mail\", \"calendar\", \"contacts\"]\n\n\
             [[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:Kontakte\", \"google:My Contacts\"]\n\n\
             [[join]]\nkind = \"calendar\"\ncollections = [\"microsoft365:default\", \"google:primary\"]\n\n\
             [schedule]\nevery = \"5m\"\nfull_check = {:?}\n\n[notify]\nfile = {:?}\n{}",
            self.path("state"),
            sandbox::configuration(&self.sandbox),
            self.path("laptop"),
            self.full_check(),
            self.path("notices"),
            if is_full { "\n[disk]\nkeep_free = \"1000000GB\"\n" } else { "" },
        );
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    /// The pattern of [`FULL_CHECKS`].
    fn full_check(&self) -> String {
        let at = |ms| {
            let moment = chrono::DateTime::from_timestamp_millis(self.shown_ms + ms).unwrap().with_timezone(&zone());
            (moment.format("%M").to_string(), moment.format("%H").to_string())
        };
        let [(minute, hour), (same, other)] = FULL_CHECKS.map(|(at_ms, _)| at(at_ms));
        assert_eq!(minute, same);
        format!("0 {minute} {hour},{other} * * *")
    }

    /// Writes down what the hub says of when each feed was listed in full.
    fn note_listings(&self) {
        let path = self.path("state").join("hub.sqlite");
        let hub = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let sql = "SELECT f.replica, f.feed, f.listed_at FROM feeds f JOIN replicas r ON r.id = f.replica
                   WHERE f.listed_at IS NOT NULL AND NOT r.is_device";
        let mut feeds = hub.prepare(sql).unwrap();
        let rows = feeds.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
        for row in rows {
            let (feed, listed_ms): ((i64, String), i64) = row.unwrap();
            self.listings.borrow_mut().entry(feed).or_default().insert(listed_ms - self.shown_ms);
        }
    }

    fn context(&self) -> Context {
        let config = Some(self.path("config.toml"));
        Context { config, quiet: true, verbose: false, progress: false, log: LOG.clone(), clock: self.time.clone() }
    }

    async fn sign_in(&self, name: ProviderName) {
        let context = self.context();
        let flow = Flow::Loopback { open_browser: false };
        let exit = login::sign_in(&context, &context.config().unwrap(), name, flow, &Visitor).await.unwrap();
        assert_eq!(exit, exit::ALIGNED);
    }

    fn tell(&self, event: Event) {
        // A service that was just killed hears nothing; the next one looks at all.
        let _ = self.events.borrow().as_ref().unwrap().send(event);
    }

    fn requests(&self) -> u64 {
        self.sandbox.requests(Provider::Google) + self.sandbox.requests(Provider::Microsoft)
    }

    /// Does all of it, each at its moment.
    async fn live(&self) {
        self.cpu_ms.borrow_mut().push(cpu_ms());
        let hours = (1..=24).map(|hour| (hour * HOUR, Deed::Hour));
        let mut deeds: Vec<(i64, Deed)> = DEEDS.into_iter().chain(hours).collect();
        for place in PLACES {
            let mut at = 10 * MINUTE;
            while at < LAST_CHANGE {
                deeds.push((at, Deed::Change(place)));
                at += self.life.borrow_mut().pause_ms();
            }
        }
        deeds.sort_by_key(|(at, _)| *at);
        for (at, deed) in deeds {
            self.time.until(at).await;
            self.is_busy.set(true);
            self.act(deed).await;
            self.is_busy.set(false);
        }
    }

    async fn act(&self, deed: Deed) {
        let now = self.time.ran_ms();
        match deed {
            Deed::Change(place) => {
                let mut life = self.life.borrow_mut();
                life.change(place, now);
                let change = life.changes.last().unwrap().clone();
                if place == Place::Device {
                    self.tell(Event::Changed([change.kind].into()));
                }
                if CALM.iter().any(|(from, to)| (*from..*to).contains(&now)) {
                    let goals = PLACES.iter().filter(|goal| match change.account {
                        Some(account) => [account, Place::Device].contains(goal) && **goal != place,
                        None => **goal != place,
                    });
                    self.coming.borrow_mut().extend(goals.map(|goal| (change.clone(), *goal)));
                }
            }
            Deed::Weather(is_rough) => self.weather(is_rough),
            Deed::Restart | Deed::Stop => {
                self.asked.set(Some(deed));
                self.tell(Event::Stop);
            }
            Deed::Kill => self.is_to_be_killed.store(true, Ordering::SeqCst),
            Deed::Wrong(wrong, true) => {
                match wrong {
                    Wrong::Network => {
                        self.sandbox.fault(Rule { kind: None, ..Rule::any(Fault::DropBefore) });
                    }
                    Wrong::SignIn => {
                        self.sandbox.end_sign_ins(Provider::Google, oauth::End::Revoked, true);
                    }
                    Wrong::Disk => {
                        self.configure(true);
                        self.tell(Event::Reload);
                    }
                }
                self.troubles.borrow_mut().push((wrong, now, None));
            }
            Deed::Wrong(wrong, false) => {
                match wrong {
                    Wrong::Network => self.weather(true),
                    Wrong::SignIn => {
                        self.sign_in(ProviderName::Google).await;
                        self.tell(Event::SignedIn(["google".to_owned()].into()));
                    }
                    Wrong::Disk => {
                        self.configure(false);
                        self.tell(Event::Reload);
                    }
                }
                let mut all = self.troubles.borrow_mut();
                all.iter_mut().find(|(one, ..)| *one == wrong).unwrap().2 = Some(self.time.ran_ms());
            }
            Deed::Sleep => self.time.sleep_through_ms(3 * HOUR),
            Deed::Clock(hours) => self.time.set_ms(hours * HOUR),
            Deed::Hour => {
                self.memory.borrow_mut().push(resident_kib());
                self.cpu_ms.borrow_mut().push(cpu_ms());
                // What the sandbox remembers of requests is none of the service's memory.
                if !self.time.is_running.load(Ordering::SeqCst) {
                    self.sandbox.reset_counts();
                }
            }
        }
    }

    fn weather(&self, is_rough: bool) {
        let seed = self.seed * 1000 + self.time.ran_ms().unsigned_abs();
        let rough = Chances {
            seed,
            drop_before: 0.004,
            drop_after: 0.003,
            throttled: 0.005,
            throttled_silent: 0.002,
            unavailable: 0.005,
            internal: 0.003,
            internal_executed: 0.002,
            html: 0.002,
            truncate: 0.003,
            content_type: 0.001,
            ..Chances::default()
        };
        self.sandbox.with(|state| {
            state.faults.clear();
            state.faults.set_chances(is_rough.then_some(rough));
        });
    }

    /// Whether a run began after the sign-in was revoked.
    fn lost_sign_in(&self, ran: &Ran) -> bool {
        self.troubles.borrow().iter().any(|(wrong, from, _)| *wrong == Wrong::SignIn && ran.began >= *from)
    }

    /// What must hold after each run.
    fn check(&self, ran: &Ran, exit: Option<i32>, troubles: &[String]) {
        let says = |what: &str| troubles.iter().any(|words| words.contains(what));
        let begins = |name: &str| troubles.iter().any(|words| words.starts_with(&format!("{name}: ")));
        let at = format!("seed {}, {}: {ran:?}: {troubles:?}", self.seed, clock_of(ran.began));
        let was_asked = self.runs.borrow().iter().any(|before| self.lost_sign_in(before) && before.asked("google"));
        for (wrong, from, to) in self.troubles.borrow().iter() {
            let lasts = ran.began >= *from && to.is_none();
            let is_over = to.is_some_and(|to| ran.began >= to) && ran.is_whole();
            match wrong {
                Wrong::Network if lasts => {
                    for name in PROVIDERS.iter().filter(|name| ran.asked(name)) {
                        assert!(begins(name), "{name} cannot be reached, and nobody says so: {at}");
                    }
                }
                Wrong::SignIn if lasts => {
                    // What chance puts in the way first hides it from that run, which says so instead; the next one has to know.
                    let is_hidden = !was_asked && ran.missed("google") && begins("google");
                    let is_told = says("twofold login google") || is_hidden || !(was_asked || ran.asked("google"));
                    assert!(is_told, "a sign-in is gone, and nobody says so: {at}");
                }
                Wrong::SignIn if is_over && ran.asked("google") && !ran.missed("google") => {
                    assert!(!says("twofold login google"), "somebody signed in, and it is not over: {at}");
                }
                Wrong::Disk if lasts => {
                    assert!(begins("disk"), "a disk is full, and nobody says so: {at}");
                    assert_eq!(ran.requests, 0, "nothing can be done, and somebody is asked: {at}");
                }
                Wrong::Disk if is_over => assert!(!begins("disk"), "there is room, and it is not over: {at}"),
                _ => {}
            }
        }
        let mut left_alone = ran.duty.without.values().flatten();
        if left_alone.any(|kind| ran.duty.kinds.contains(kind)) && ran.outcome != Outcome::Busy {
            assert_ne!(exit, Some(exit::ALIGNED), "a place was left alone, and all is aligned: {at}");
        }
        let (life, now) = (self.life.borrow(), self.time.ran_ms());
        let mut took = self.took.borrow_mut();
        self.coming.borrow_mut().retain(|(change, goal)| {
            let has_come = life.has_come(change, *goal);
            if has_come {
                took.push((now - change.at_ms, change.clone(), *goal));
            }
            !has_come
        });
    }
}

/// The runs of the program, and what a test sees of them.
struct Seen<'a> {
    runs: &'a Runs<'a>,
    day: &'a Day,
}

/// A run is under way, for as long as this lives.
struct UnderWay<'a>(&'a AtomicBool);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait::async_trait(?Send)]
impl Work for Seen<'_> {
    async fn run(&self, duty: Duty) -> Outcome {
        let day = self.day;
        assert!(!day.time.is_running.swap(true, Ordering::SeqCst), "two runs at a time");
        let under_way = UnderWay(&day.time.is_running);
        let (began, requests) = (day.time.ran_ms(), day.requests());
        let outcome = self.runs.run(duty.clone()).await;

        drop(under_way);
        let ended = day.time.ran_ms();
        let ran = Ran { began, ended, duty, requests: day.requests() - requests, outcome: outcome.clone() };
        let now = self.runs.live.now();
        day.check(&ran, now.last.map(|last| last.exit), &now.troubles);
        day.runs.borrow_mut().push(ran);
        day.note_listings();
        outcome
    }

    fn reload(&self) -> Option<BTreeMap<Kind, Trigger>> {
        self.runs.reload()
    }

    fn is_changing(&self) -> bool {
        self.runs.is_changing()
    }

    async fn decide(&self, id: u64, decision: &Decision) -> Option<Vec<Kind>> {
        self.runs.decide(id, decision).await
    }

    fn signed_in(&self, places: &BTreeSet<String>) {
        self.runs.signed_in(places);
    }

    fn give_way(&self) {
        self.runs.give_way();
    }

    fn is_waited_for(&self) {
        self.runs.is_waited_for();
    }

    fn state(&self, state: State) {
        self.runs.state(state);
    }

    fn due(&self, due_ms: BTreeMap<Kind, i64>) {
        self.runs.due(due_ms);
    }
}

/// How a service came to its end.
#[derive(Debug, PartialEq, Eq)]
enum Over {
    Ended(End),
    Killed,
}

/// One service, from its start to its end; the day goes on beside it.
async fn one_service(day: &Day, mut life: Pin<&mut impl Future<Output = ()>>, is_lived: &Cell<bool>) -> Over {
    let context = day.context();
    let config = context.config().unwrap();
    let _place = Lock::take_service(&config.state_dir).unwrap().expect("no other service is there");
    let (tell, told) = unbounded_channel();
    day.events.replace(Some(tell));
    day.starts.borrow_mut().push(day.time.ran_ms());
    let notices = Arc::new(notify::Notices::open(Arc::new(config.clone()), context.clock.clone()).await.unwrap());
    let deliver = tokio::spawn({
        let notices = notices.clone();
        async move { notices.deliver().await }
    });
    let runs = Runs {
        context: &context,
        folders: Arc::new(Mutex::new(paths_of(&config))),
        progress: Arc::default(),
        live: Arc::new(Live::new(context.now_ms())),
        tally: Arc::default(),
        endpoint: watch::channel(None).0,
        desk: Arc::default(),
        calls: Calls::default(),
        troubles: Mutex::default(),
        signed_in: Mutex::default(),
        notices,
        zone: Mutex::new(zone()),
        config: Arc::new(Mutex::new(Arc::new(config))),
    };
    let (triggers, work) = (triggers_of(&runs.config()), Seen { runs: &runs, day });
    let mut service = pin!(serve(&work, day.time.as_ref(), triggers, day.seed, told));
    let lives = std::future::poll_fn(|cx| {
        if !is_lived.get() && life.as_mut().poll(cx).is_ready() {
            is_lived.set(true);
        }
        if let Poll::Ready(end) = service.as_mut().poll(cx) {
            return Poll::Ready(end);
        }
        if !day.time.is_running.load(Ordering::SeqCst) && !day.is_busy.get() {
            day.time.pass();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    });
    let over = tokio::select! {
        biased;
        () = day.killed.notified() => Over::Killed,
        end = lives => Over::Ended(end),
    };
    deliver.abort();
    over
}

/// What the process takes.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// What this thread, which does all that a day does, used of the processor.
fn cpu_ms() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // proc(5): what follows the name in brackets begins with the third field; the 14th and 15th are in hundredths of a second.
    let fields = text.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum()
}

/// How late in the day it is.
fn clock_of(ms: i64) -> String {
    format!("{:02}:{:02}:{:02}", ms / HOUR, ms / MINUTE % 60, ms / 1000 % 60)
}

/// Keeps what the log says.
struct Heard(Arc<Time>, Arc<Mutex<Vec<Line>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Heard {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Words(String);
        impl tracing::field::Visit for Words {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        if *event.metadata().level() <= Level::INFO && event.metadata().target().starts_with("twofold") {
            let mut words = Words(String::new());
            event.record(&mut words);
            self.1.lock().unwrap().push((self.0.ran_ms(), *event.metadata().level(), words.0));
        }
    }
}

async fn a_day(seed: u64) {
    let day = Day::begin(seed, Options::empty()).await;
    let heard = tracing_subscriber::registry().with(Heard(day.time.clone(), day.lines.clone()));
    let _hears = tracing::subscriber::set_default(heard);
    let running = day.sandbox.start(0).await.unwrap();
    day.configure(false);
    for name in [ProviderName::Google, ProviderName::Microsoft365] {
        day.sign_in(name).await;
    }
    let (mut life, is_lived) = (pin!(day.live()), Cell::new(false));
    let (mut services, mut kills) = (0, 0);
    loop {
        services += 1;
        match (one_service(&day, life.as_mut(), &is_lived).await, day.asked.take()) {
            (Over::Killed, None) => kills += 1,
            (Over::Ended(_), Some(Deed::Restart)) => {}
            (Over::Ended(_), Some(Deed::Stop)) => break,
            (over, asked) => panic!("seed {seed}: the service stopped without a word: {over:?}, {asked:?}"),
        }
    }
    assert_eq!((services, kills), (4, 2), "seed {seed}");
    day.judge().await;
    running.stop().await;
}

/// How often a run said that it goes on.
#[derive(Default)]
struct Steps(AtomicU64);

impl Progress for Steps {
    fn at(&self, _: &str, _: usize, _: usize) {
        self.step();
    }

    fn reading(&self, _: &str, _: Reading) {
        self.step();
    }

    fn step(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A batch holds twenty requests, and each of both providers' services is asked for four things at once.
const UNHEARD: u64 = 20 + 2 * 3 * 4;

#[tokio::test]
async fn a_first_sync_tells_the_watchdog_of_each_answer_that_it_gets() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let day = Day::begin(1, Options::bulk(30).events(30).mails(300)).await;
    let running = day.sandbox.start(0).await.unwrap();
    day.configure(false);
    for name in [ProviderName::Google, ProviderName::Microsoft365] {
        day.sign_in(name).await;
    }
    let steps = Arc::new(Steps::default());
    let most = Arc::new(AtomicU64::new(0));
    day.sandbox.set_hook(Some(Arc::new({
        let (steps, most, last) = (steps.clone(), most.clone(), Mutex::new((0, 0)));
        move |_, phase| {
            if phase == Phase::After {
                let (mut last, now) = (last.lock().unwrap(), steps.0.load(Ordering::SeqCst));
                *last = if last.0 == now { (now, last.1 + 1) } else { (now, 1) };
                most.fetch_max(last.1, Ordering::SeqCst);
            }
        }
    })));
    // Whoever waits makes time pass.
    day.time.is_running.store(true, Ordering::SeqCst);
    let (context, args) = (day.context(), sync::Args::default());
    let config = context.config().unwrap();
    sync::sync(&context, &config, &args, Calls::default(), steps.clone(), None).await.unwrap();
    assert!(day.requests() > 300, "{}", day.requests());
    let most = most.load(Ordering::SeqCst);
    assert!((1..=UNHEARD).contains(&most), "{most} answers came one after another, and the run said nothing");
    running.stop().await;
}

/// Set in a process that runs one test of this file and no other.
const ALONE: &str = "TWOFOLD_DAY_ALONE";

/// The test of that name, where the memory that the process takes is that of no other test.
fn in_a_process_of_its_own(name: &str) {
    let path = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let mut test = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = test.args(["--exact", &path, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    println!("{said}");
    assert!(ran.status.success() && said.contains("1 passed"), "{path}: {}", ran.status);
}

#[tokio::test]
async fn a_day_with_all_that_can_go_wrong_ends_aligned_and_nothing_was_left_unsaid() {
    if std::env::var_os(ALONE).is_none() {
        return in_a_process_of_its_own("a_day_with_all_that_can_go_wrong_ends_aligned_and_nothing_was_left_unsaid");
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    let (first, count) = (number("TWOFOLD_SEED"), number("TWOFOLD_SEEDS"));
    for seed in first..first + count {
        a_day(seed).await;
    }
}
