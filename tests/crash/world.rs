//! A World on sockets: the two providers of the sandbox, one device folder, and the built program that is started, killed and
//! started again.

use super::letters::Originals;
use super::people::jpeg;
use super::rows::{self, Row};
use super::scenarios::{Act, Deed, Expect, Field, MAIN, Scenario, Side};
use super::{calendars, diary, events, letters, mailbox, people, post};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use twofold_hub::{Hub, IntentKind};
use twofold_model::Kind;
use twofold_sandbox::{Options, Provider, Running, Sandbox, oauth};

const TWOFOLD: &str = env!("CARGO_BIN_EXE_twofold");
const SIDES: [Side; 2] = [Side::Google, Side::Microsoft];
/// After so many runs everything must be quiet.
const MOST_RUNS: usize = 8;

/// Where the sandboxes run. Hooks may hold a worker until a child is dead, so there are more workers than worlds.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap());

pub struct World {
    pub sandbox: Sandbox,
    running: Option<Running>,
    port: u16,
    dir: TempDir,
    kind: Kind,
    joined: bool,
    full_check: bool,
    /// Messages whose bytes must stay.
    originals: Originals,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none for a killed one.
    pub exit: Option<i32>,
    pub words: String,
}

/// What came of the runs after a mishap.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settled {
    /// How many runs it took, the quiet one not counted.
    pub runs: usize,
    /// A create at People stayed open until the lag of its list was over.
    pub waited: bool,
}

/// Every file that other programs see: its bytes and when it was written.
pub type Files = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

impl World {
    /// Signed in at both providers, synced once, quiet.
    pub fn new(scenario: &Scenario, options: Options) -> World {
        let sandbox = Sandbox::new(options);
        let mut world = World {
            sandbox,
            running: None,
            port: 0,
            dir: tempfile::tempdir().unwrap(),
            kind: scenario.kind,
            joined: scenario.joined,
            full_check: scenario.full_check,
            originals: Originals::new(),
        };
        world.open();
        std::fs::write(world.config(), world.configuration()).unwrap();
        world.populate();
        ["google", "microsoft365"].iter().for_each(|provider| world.sign_in(provider));
        if !scenario.is_first {
            let ended = world.sync();
            assert_eq!(ended.exit, Some(0), "the first run: {}", ended.words);
        }
        world
    }

    /// The sign-ins are lost, and whoever answers for this provider signs in anew.
    pub fn sign_in_anew(&self, provider: &str) {
        for name in ["vault.json", "twofold.key"] {
            std::fs::remove_file(self.dir.path().join("state").join(name)).unwrap();
        }
        self.sign_in(provider);
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn configuration(&self) -> String {
        let (urls, dir, kind) = (self.sandbox.urls(), self.dir.path(), self.kind);
        let join = match kind {
            Kind::Calendar => "[\"microsoft365:default\", \"google:primary\"]",
            _ => "[\"microsoft365:Kontakte\", \"google:My Contacts\"]",
        };
        let join = format!("[[join]]\nkind = \"{kind}\"\ncollections = {join}\n");
        format!(
            "state_dir = {:?}\n\n[microsoft365]\nclient_id = {:?}\nkinds = [\"{kind}\"]\nlogin_url = {:?}\ngraph_url = {:?}\n\n\
             [google]\nclient_id = {:?}\nclient_secret = {:?}\nkinds = [\"{kind}\"]\nauth_url = {:?}\ntoken_url = {:?}\npeople_url = {:?}\n\
             calendar_url = {:?}\ngmail_url = {:?}\n\n[[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [\"{kind}\"]\n\n{}",
            dir.join("state"),
            oauth::MICROSOFT_CLIENT_ID,
            urls.microsoft_login,
            urls.microsoft_graph,
            oauth::GOOGLE_CLIENT_ID,
            oauth::GOOGLE_CLIENT_SECRET,
            urls.google_auth,
            urls.google_token,
            urls.google_people,
            urls.google_calendar,
            urls.google_gmail,
            dir.join("laptop"),
            if self.joined { &join } else { "" },
        )
    }

    /// Opens the socket, after the first time on the same port.
    fn open(&mut self) {
        let since = Instant::now();
        let running = loop {
            match RUNTIME.block_on(self.sandbox.start(self.port)) {
                Ok(running) => break running,
                // A connection of somebody else's may have been given this port in between; it does not last.
                Err(error) if since.elapsed() > Duration::from_secs(20) => panic!("port {}: {error}", self.port),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        self.port = running.addr.port();
        self.running = Some(running);
    }

    /// Cuts every connection, so that nothing that a dead child sent can still arrive, and listens again.
    pub fn cut(&mut self) {
        if let Some(running) = self.running.take() {
            RUNTIME.block_on(running.stop());
        }
        self.sandbox.with(|state| state.faults.clear());
        self.open();
    }

    fn populate(&self) {
        match self.kind {
            Kind::Calendar => {
                diary::populate(&self.sandbox);
                calendars::BEFORE.iter().for_each(|act| self.act(act));
            }
            Kind::Mail => {
                post::populate(&self.sandbox);
                mailbox::BEFORE.iter().for_each(|act| self.act(act));
            }
            Kind::Contacts => people::populate(&self.sandbox),
        }
    }

    // ---- the program ------------------------------------------------------------------------------------------------

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(TWOFOLD);
        command.arg("--config").arg(self.config()).args(arguments);
        command.env_remove("TWOFOLD_LOG").env_remove("TWOFOLD_RECORD").stdin(Stdio::null());
        command
    }

    /// Signs in as a person does: reads the address, opens it, follows where it leads.
    pub fn sign_in(&self, provider: &str) {
        let mut child =
            self.command(&["--quiet", "login", provider, "--no-browser"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let mut next = Some(address.trim().to_owned());
        while let Some(address) = next {
            next = visit(&address);
        }
        assert!(child.wait().unwrap().success(), "login {provider}");
    }

    /// Starts a run; its words go to a file, so that a pipe never holds it up.
    pub fn start(&self) -> Child {
        let words = std::fs::File::create(self.dir.path().join("words")).unwrap();
        let mut command = self.command(&["sync"]);
        if self.full_check {
            command.arg("--full-check");
        }
        command.stdout(Stdio::null()).stderr(words).spawn().unwrap()
    }

    /// What became of a run that was started.
    pub fn end(&self, mut child: Child) -> Ended {
        let status = child.wait().unwrap();
        Ended { exit: status.code(), words: std::fs::read_to_string(self.dir.path().join("words")).unwrap() }
    }

    pub fn sync(&self) -> Ended {
        self.end(self.start())
    }

    // ---- what is where ----------------------------------------------------------------------------------------------

    /// Where a side's own things of this kind are on the device.
    fn tree(&self, side: Side) -> PathBuf {
        let own = if side == Side::Google { "google" } else { "microsoft365" };
        self.dir.path().join("laptop").join(own).join(self.kind.to_string())
    }

    /// A side's folders on the device, by what their collections are called here. The joined one is both sides'.
    fn folders(&self, side: Side) -> BTreeMap<String, PathBuf> {
        let mut folders = BTreeMap::new();
        let joined = self.dir.path().join("laptop/joined").join(self.kind.to_string());
        for parent in [self.tree(side), joined] {
            for entry in std::fs::read_dir(&parent).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let name = if calendars::OTHERS.contains(&&*name) { name } else { MAIN.to_owned() };
                let twin = folders.insert(name, entry.path());
                assert!(twin.is_none(), "one folder for {:?}, and not {twin:?} too", entry.path());
            }
        }
        folders
    }

    /// What Google says, and Microsoft.
    pub fn rows(&self) -> [Vec<Row>; 2] {
        SIDES.map(|side| {
            let mut rows = match self.kind {
                Kind::Calendar => events::at_provider(&self.sandbox, side),
                Kind::Mail => letters::at_provider(&self.sandbox, side),
                Kind::Contacts => rows::people_at(&self.sandbox, side),
            };
            rows.sort();
            rows
        })
    }

    /// [`Self::rows`] but for what differs from one day to the next.
    pub fn lasting_rows(&self) -> [Vec<Row>; 2] {
        self.rows().map(|rows| rows.into_iter().map(|row| row.without(Field::Received)).collect())
    }

    /// What a side's folders say.
    fn rows_here(&self, side: Side) -> Vec<Row> {
        let folders = || self.folders(side).into_iter();
        let mut rows: Vec<Row> = match self.kind {
            Kind::Calendar => folders().flat_map(|(name, folder)| events::in_folder(&folder, &name)).collect(),
            Kind::Mail => letters::in_maildirs(&self.tree(side), side),
            Kind::Contacts => folders().flat_map(|(_, folder)| rows::people_in(&folder)).collect(),
        };
        rows.sort();
        rows
    }

    /// Everything in the device folder but what is the program's own.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        let mut folders = vec![self.dir.path().join("laptop")];
        while let Some(folder) = folders.pop() {
            // Before the first run there is none.
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let entry = entry.unwrap();
                if entry.file_name().to_string_lossy().starts_with(".twofold") {
                    continue;
                }
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => {
                        let stamp = entry.metadata().unwrap().modified().unwrap();
                        files.insert(entry.path(), (std::fs::read(entry.path()).unwrap(), stamp));
                    }
                }
            }
        }
        files
    }

    /// How many files of messages there are.
    pub fn count_mails(&self) -> usize {
        SIDES.into_iter().map(|side| letters::files(&self.tree(side), side).len()).sum()
    }

    fn writes(&self) -> u64 {
        self.sandbox.writes(Provider::Google) + self.sandbox.writes(Provider::Microsoft)
    }

    // ---- what the user does -----------------------------------------------------------------------------------------

    pub fn act(&self, act: &Act) {
        match act {
            Act::There(side, deed) => self.there(*side, deed),
            Act::Here(side, deed) => match self.kind {
                Kind::Calendar => diary::on_device(&self.folders(*side), deed),
                Kind::Mail => post::on_device(&self.tree(*side), *side, deed),
                Kind::Contacts => people::on_device(&self.folders(*side)[MAIN], deed),
            },
            Act::RenameGroup(from, to) => {
                self.sandbox.google_rename_group(&people::group(&self.sandbox, from), to).unwrap();
            }
            Act::DeleteGroup(name) => {
                self.sandbox.google_delete_group(&people::group(&self.sandbox, name)).unwrap();
            }
            Act::DeltaTokensExpire(Side::Google) if self.kind == Kind::Mail => {
                self.sandbox.google_forget_mail_history()
            }
            Act::DeltaTokensExpire(Side::Google) => self.sandbox.google_expire_sync_tokens(),
            Act::DeltaTokensExpire(Side::Microsoft) => self.sandbox.graph_expire_delta_tokens(),
            Act::AccessTokensExpire(side) => self.sandbox.expire_access_tokens(provider(*side)),
        }
    }

    /// From now on no file of a message may get other bytes.
    pub fn remember(&mut self) {
        if self.kind == Kind::Mail {
            for side in SIDES {
                letters::remember(&self.tree(side), side, &mut self.originals);
            }
        }
    }

    fn there(&self, side: Side, deed: &Deed) {
        let act = match (self.kind, side) {
            (Kind::Calendar, Side::Google) => diary::at_google,
            (Kind::Calendar, Side::Microsoft) => diary::at_microsoft,
            (Kind::Mail, Side::Google) => post::at_google,
            (Kind::Mail, Side::Microsoft) => post::at_microsoft,
            (Kind::Contacts, Side::Google) => people::at_google,
            (Kind::Contacts, Side::Microsoft) => people::at_microsoft,
        };
        act(&self.sandbox, deed);
    }

    // ---- what must hold ---------------------------------------------------------------------------------------------

    /// Runs until a run has nothing to do, and checks on the way that nobody is there twice and no create of unknown fate is
    /// repeated before its time. A create at People that never arrived is unknown for the lag of People's lists; that time
    /// passes here by dating the intent back, once two runs have left it alone.
    pub fn until_quiet(&self, what: &str) -> Settled {
        let (mut settled, mut left_alone) = (Settled::default(), 0);
        for run in 0..MOST_RUNS {
            let open = self.open_creates();
            let files = self.files();
            self.sandbox.reset_counts();
            let ended = self.sync();
            self.nothing_is_doubled_nor_mailed(what);
            match ended.exit {
                Some(0) if self.writes() == 0 && self.files() == files => {
                    settled.runs = run;
                    return settled;
                }
                Some(0) => {}
                Some(75) => {
                    self.let_locks_grow_old();
                    if open > 0 && self.open_creates() == open {
                        assert_eq!(self.people_creates(), 0, "{what}: a create of unknown fate was repeated");
                        left_alone += 1;
                    }
                    if left_alone == 2 {
                        self.let_the_lag_pass();
                        settled.waited = true;
                        left_alone = 0;
                    }
                }
                _ => {
                    let status = self.command(&["status"]).output().unwrap();
                    let status = String::from_utf8_lossy(&status.stdout).into_owned();
                    panic!(
                        "{what}: run {run} ended with {:?}: {}\n{status}\n{:#?}",
                        ended.exit,
                        ended.words,
                        self.sandbox.log()
                    )
                }
            }
        }
        let ended = self.sync();
        panic!("{what}: not quiet after {MOST_RUNS} runs: {:?} {}\n{:#?}", ended.exit, ended.words, self.sandbox.log());
    }

    fn people_creates(&self) -> usize {
        let log = self.sandbox.log();
        log.iter().filter(|line| line.info.path.contains("reateContact") && line.info.is_write).count()
    }

    fn open_creates(&self) -> usize {
        let hub = Hub::open(&self.dir.path().join("state")).unwrap();
        let intents = hub.intents().unwrap();
        intents.iter().filter(|intent| intent.kind == IntentKind::Create && intent.sent_ms.is_some()).count()
    }

    /// The lag of People's lists is over for every create that left.
    fn let_the_lag_pass(&self) {
        let mut hub = Hub::open(&self.dir.path().join("state")).unwrap();
        for intent in hub.intents().unwrap() {
            if let Some(sent) = intent.sent_ms {
                hub.set_sent(&[intent.id], sent - twofold_google::contacts::LIST_LAG_MS - 1000).unwrap();
            }
        }
    }

    /// A killed run may leave a lock of Dovecot's behind; after ten minutes, which pass here, the next run takes it away.
    fn let_locks_grow_old(&self) {
        for path in self.files().keys().filter(|path| path.extension().is_some_and(|end| end == "lock")) {
            std::fs::remove_file(path).unwrap();
        }
    }

    fn nothing_is_doubled_nor_mailed(&self, what: &str) {
        let [google, microsoft] = self.rows();
        let places = [google, microsoft, self.rows_here(Side::Google), self.rows_here(Side::Microsoft)];
        for (place, rows) in ["Google", "Microsoft", "Google's folder", "Microsoft's folder"].iter().zip(places) {
            let mut seen = BTreeMap::new();
            rows.iter().for_each(|row| *seen.entry(&row.name).or_insert(0) += 1);
            seen.retain(|_, count| *count > 1);
            assert!(seen.is_empty(), "{what}: doubled at {place}: {seen:?}\n{:#?}", self.sandbox.log());
        }
        let mails = (self.sandbox.google_mails(), self.sandbox.graph_mails());
        assert!(mails.0.is_empty() && mails.1.is_empty(), "{what}: nobody is mailed: {mails:#?}");
    }

    /// The device folder and both providers hold the same, and that is what the scenario wants.
    pub fn is_as_it_should_be(&self, scenario: &Scenario, what: &str) {
        let [google, microsoft] = self.rows();
        for (side, there) in [(Side::Google, &google), (Side::Microsoft, &microsoft)] {
            let what = format!("{what}: {side:?} and the device hold the same");
            // The copy of a meeting at the other provider has no guests: they would be mailed.
            let plain = |row: &Row| if self.joined { row.clone().without(Field::Guest) } else { row.clone() };
            let [there, here] = [there, &self.rows_here(side)].map(|rows| rows.iter().map(plain).collect::<Vec<_>>());
            same(&there, &here, &what);
        }
        self.nothing_is_doubled_nor_mailed(what);
        if self.kind == Kind::Mail {
            for side in SIDES {
                let changed = letters::changed(&self.tree(side), side, &self.originals);
                assert!(changed.is_empty(), "{what}: the bytes of a message were changed: {changed:#?}");
            }
        }
        let find = |side: Side, name: &str| {
            let rows = if side == Side::Google { &google } else { &microsoft };
            rows.iter().find(|row| row.name == name).cloned()
        };
        for expect in scenario.expects {
            let holds = match *expect {
                Expect::Holds(side, name, field, value) => find(side, name).is_some_and(|row| row.holds(field, value)),
                Expect::Lacks(side, name, field, value) => find(side, name).is_some_and(|row| !row.holds(field, value)),
                Expect::Labelled(side, name, label) => {
                    find(side, name).is_some_and(|row| row.holds(Field::Label, label))
                }
                Expect::NotLabelled(side, name, label) => {
                    find(side, name).is_some_and(|row| !row.holds(Field::Label, label))
                }
                Expect::HasPhoto(side, name, colour) => {
                    find(side, name).is_some_and(|row| row.holds(Field::Photo, &rows::base64(&jpeg(colour))))
                }
                Expect::There(side, name) => find(side, name).is_some(),
                Expect::Gone(side, name) => find(side, name).is_none(),
            };
            assert!(holds, "{what}: {expect:?} does not hold\n{google:?}\n{microsoft:?}");
        }
    }
}

/// Both places say the same; if not, only what differs is shown.
pub fn same(these: &[Row], those: &[Row], what: &str) {
    let only = |these: &[Row], those: &[Row]| -> Vec<Row> {
        these.iter().filter(|row| !those.contains(row)).cloned().collect()
    };
    assert!(these == those, "{what}: {:#?} is not {:#?}", only(these, those), only(those, these));
}

fn provider(side: Side) -> Provider {
    match side {
        Side::Google => Provider::Google,
        Side::Microsoft => Provider::Microsoft,
    }
}

/// Opens an address on this machine as a browser would; gives where it leads.
fn visit(address: &str) -> Option<String> {
    let address = address.strip_prefix("http://")?;
    let (host, path) = address.split_at(address.find(['/', '?']).unwrap_or(address.len()));
    let path = format!("/{}", path.trim_start_matches('/'));
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    // What counts is the head; a page for people may end as it likes.
    stream.take(100_000).read_to_string(&mut answer).ok();
    let mut head = answer.lines().take_while(|line| !line.is_empty());
    head.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location").then(|| value.to_owned())
    })
}
