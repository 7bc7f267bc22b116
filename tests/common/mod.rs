//! Shared by the tests that drive the built program: a home with a sandbox, a configuration and a device folder of its own.
//!
//! Nothing here sleeps for luck: a child process is waited for, with a limit after which it is killed and the test fails.

// Each binary of tests has its own copy of this file and uses a part of it.
#![allow(dead_code)]

pub mod disk;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use twofold_sandbox::oauth::{GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MICROSOFT_CLIENT_ID};
use twofold_sandbox::{Options, Provider, Running, Sandbox};

/// No command may take longer; it is far more than any needs.
const LIMIT: Duration = Duration::from_secs(100);

/// The providers as the configuration names them.
pub const BOTH: [&str; 2] = ["google", "microsoft365"];
/// Only the one.
pub const GOOGLE: [&str; 1] = ["google"];
/// Only the other.
pub const MICROSOFT: [&str; 1] = ["microsoft365"];

/// Where Google's contacts lie in a device folder.
pub const GOOGLE_FOLDER: &str = "google/contacts/My Contacts";

/// The sandbox's word for a provider.
pub fn provider(name: &str) -> Provider {
    if name == "google" { Provider::Google } else { Provider::Microsoft }
}

/// One person's machine: a temporary folder with configuration, state and the device folder `laptop`, and a sandbox.
pub struct Home {
    /// The temporary folder.
    pub dir: TempDir,
    /// Both providers.
    pub sandbox: Sandbox,
    /// The configured providers.
    pub providers: Vec<&'static str>,
    /// The kind that is kept in step.
    kind: &'static str,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
}

/// What a command left behind.
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    what: String,
}

impl Home {
    /// A machine with these providers configured and nobody signed in.
    pub fn new(options: Options, providers: &[&'static str]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let sandbox = Sandbox::new(options);
        let running = runtime.block_on(sandbox.start(0)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let home =
            Self { dir, sandbox, providers: providers.to_vec(), kind: "contacts", running: Some(running), runtime };
        std::fs::write(home.config(), home.configuration("")).unwrap();
        home
    }

    /// The demo's people, these providers, signed in.
    pub fn signed_in(providers: &[&'static str]) -> Self {
        let home = Self::new(Options::demo(), providers);
        for name in providers {
            home.login(name).expect(0);
        }
        home
    }

    /// The same after a first sync.
    pub fn synced(providers: &[&'static str]) -> Self {
        let home = Self::signed_in(providers);
        home.sync().expect(0);
        home.sandbox.reset_counts();
        home
    }

    /// The demo's calendars, these providers, signed in, synced once, nothing counted yet.
    pub fn with_calendars(providers: &[&'static str]) -> Self {
        Self::of_calendars(providers, |home| std::fs::write(home.config(), home.configuration("")).unwrap())
    }

    /// The demo's mailboxes, these providers, signed in, nothing synced yet.
    pub fn with_mail(providers: &[&'static str]) -> Self {
        let mut home = Self::new(Options::demo(), providers);
        home.kind = "mail";
        std::fs::write(home.config(), home.configuration("")).unwrap();
        for name in providers {
            home.login(name).expect(0);
        }
        home
    }

    /// The same, made ready before anybody signs in; the configuration is yet to be written.
    pub fn of_calendars(providers: &[&'static str], make_ready: impl FnOnce(&Self)) -> Self {
        let mut home = Self::new(Options::demo(), providers);
        home.kind = "calendar";
        make_ready(&home);
        for name in providers {
            home.login(name).expect(0);
        }
        home.sync().expect(0);
        home.sandbox.reset_counts();
        home
    }

    /// The text of the configuration, with more at its end.
    pub fn configuration(&self, more: &str) -> String {
        let (urls, kind) = (self.sandbox.urls(), self.kind);
        let mut text = format!("state_dir = {:?}\n\n", self.state());
        for name in &self.providers {
            text += &match *name {
                "google" => format!(
                    "[google]\nclient_id = {GOOGLE_CLIENT_ID:?}\nclient_secret = {GOOGLE_CLIENT_SECRET:?}\nkinds = [{kind:?}]\n\
                     auth_url = {:?}\ntoken_url = {:?}\npeople_url = {:?}\ncalendar_url = {:?}\ngmail_url = {:?}\n\n",
                    urls.google_auth, urls.google_token, urls.google_people, urls.google_calendar, urls.google_gmail
                ),
                _ => format!(
                    "[microsoft365]\nclient_id = {MICROSOFT_CLIENT_ID:?}\nkinds = [{kind:?}]\nlogin_url = {:?}\ngraph_url = {:?}\n\n",
                    urls.microsoft_login, urls.microsoft_graph
                ),
            };
        }
        text + &format!("[[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [{kind:?}]\n{more}", self.laptop())
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The device folder.
    pub fn laptop(&self) -> PathBuf {
        self.dir.path().join("laptop")
    }

    /// The folder of Google's contacts.
    pub fn google_folder(&self) -> PathBuf {
        self.laptop().join(GOOGLE_FOLDER)
    }

    /// The program, told of this home and of nothing else of the machine.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twofold"));
        command.env_clear().env("HOME", self.dir.path()).env("TMPDIR", self.dir.path());
        command.env("PATH", "/nowhere").env("TWOFOLD_CONFIG", self.config()).current_dir(self.dir.path());
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Talk::begin(self.command(args), args).end()
    }

    /// Starts a command and lets it talk.
    pub fn start(&self, args: &[&str]) -> Talk {
        Talk::begin(self.command(args), args)
    }

    /// Starts a command that was told more of its environment.
    pub fn talk(&self, command: Command, args: &[&str]) -> Talk {
        Talk::begin(command, args)
    }

    /// `twofold sync`.
    pub fn sync(&self) -> Ran {
        self.run(&["sync"])
    }

    /// `twofold sync --json` and its object.
    pub fn sync_json(&self, more: &[&str]) -> (Option<i32>, Value) {
        let ran = self.run(&[&["sync", "--json"], more].concat());
        let value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran}"));
        (ran.code, value)
    }

    /// `twofold COMMAND --json` and its object, whatever the exit code.
    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// `twofold login NAME --no-browser`, with a person in front of a browser.
    pub fn login(&self, name: &str) -> Ran {
        let mut talk = self.start(&["login", name, "--no-browser"]);
        if let Some(address) = talk.address() {
            visit(&address);
        }
        talk.end()
    }

    /// Writes that reached the providers since the last reset.
    pub fn writes(&self) -> u64 {
        self.sandbox.writes(Provider::Google) + self.sandbox.writes(Provider::Microsoft)
    }

    /// Requests that reached the providers since the last reset.
    pub fn requests(&self) -> u64 {
        self.sandbox.requests(Provider::Google) + self.sandbox.requests(Provider::Microsoft)
    }

    /// Closes the providers' socket.
    pub fn stop_sandbox(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }

    /// All cards of the device: path below the device folder, and bytes.
    pub fn cards(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.laptop()).into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "vcf")).collect()
    }

    /// The one card of the device that holds these words.
    pub fn card(&self, words: &str) -> PathBuf {
        let holds = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(words);
        let mut found = self.cards().into_iter().filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path);
        let path = found.next().unwrap_or_else(|| panic!("no card holds {words:?}"));
        assert_eq!(found.next(), None, "more than one card holds {words:?}");
        self.laptop().join(path)
    }

    /// Puts a line before the end of a card.
    pub fn add_line(&self, card: &Path, line: &str) {
        let text = std::fs::read_to_string(card).unwrap();
        assert_eq!(text.matches("END:VCARD").count(), 1);
        std::fs::write(card, text.replace("END:VCARD", &format!("{line}\r\nEND:VCARD"))).unwrap();
    }

    /// The resource name of Google's contact with these words in it.
    pub fn google_person(&self, words: &str) -> String {
        let people = self.sandbox.google_people();
        let found = people.iter().find(|person| person.to_string().contains(words));
        found.unwrap_or_else(|| panic!("no person holds {words:?}"))["resourceName"].as_str().unwrap().to_owned()
    }

    /// The immutable id of Microsoft's contact with these words in it.
    pub fn graph_contact(&self, words: &str) -> String {
        let contacts = self.sandbox.graph_contacts();
        let found = contacts.iter().find(|contact| contact.to_string().contains(words));
        found.unwrap_or_else(|| panic!("no contact holds {words:?}"))["id"].as_str().unwrap().to_owned()
    }

    /// The text of all Google's contacts.
    pub fn google_text(&self) -> String {
        Value::from(self.sandbox.google_people()).to_string()
    }

    /// The text of all Microsoft's contacts.
    pub fn graph_text(&self) -> String {
        Value::from(self.sandbox.graph_contacts()).to_string()
    }

    /// Fails unless what a command said on stderr names at least one command, and each named one exists.
    pub fn names_a_command(&self, ran: &Ran) {
        let commands = commands_named(&ran.err);
        assert!(!commands.is_empty(), "stderr names no command to type: {ran}");
        for command in commands {
            assert!(
                self.run(&[&command, "--help"]).code == Some(0),
                "stderr names `twofold {command}`, which does not exist: {ran}"
            );
        }
    }
}

/// The first words of the commands that a text tells to type.
fn commands_named(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("twofold ") {
        let before = text[..at].trim_end();
        let is_told = text[..at].ends_with('`') || before.ends_with(':') || before.ends_with("ype");
        let word: String =
            text[at + "twofold ".len()..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        if is_told && !word.is_empty() {
            found.push(word);
        }
    }
    found
}

/// Every file below a folder, with its bytes; none when the folder is not there. One that a service takes away meanwhile is none.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, all: &mut BTreeMap<PathBuf, Vec<u8>>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, all);
            } else {
                match std::fs::read(&path) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    bytes => drop(all.insert(path.strip_prefix(root).unwrap().to_owned(), bytes.unwrap())),
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(folder, folder, &mut all);
    all
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "twofold {} ended with {:?}\n--- stdout\n{}--- stderr\n{}---",
            self.what, self.code, self.out, self.err
        )
    }
}

impl Ran {
    /// Fails unless that was the exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Fails unless stderr holds each of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for words in words {
            assert!(self.err.contains(words), "stderr lacks {words:?}: {self}");
        }
        self
    }

    /// Fails unless stdout holds each of these.
    #[track_caller]
    pub fn shows(self, words: &[&str]) -> Self {
        for words in words {
            assert!(self.out.contains(words), "stdout lacks {words:?}: {self}");
        }
        self
    }

    /// The first word of the only line on stdout.
    #[track_caller]
    pub fn only_id(&self) -> String {
        assert_eq!(self.out.lines().count(), 1, "one line is expected: {self}");
        self.out.split_whitespace().next().unwrap().to_owned()
    }
}

/// A command under way.
pub struct Talk {
    child: Child,
    what: String,
    /// What is typed.
    pub stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    err: Receiver<()>,
    said: Arc<Mutex<String>>,
    seen: String,
}

impl Talk {
    fn begin(mut command: Command, args: &[&str]) -> Self {
        command.stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout, mut stderr) =
            (child.stdin.take(), child.stdout.take().unwrap(), BufReader::new(child.stderr.take().unwrap()));
        let (line, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            loop {
                let mut text = String::new();
                if reader.read_line(&mut text).unwrap_or(0) == 0 || line.send(text).is_err() {
                    return;
                }
            }
        });
        let (over, err) = channel();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was said until the end came is what counts.
            while stderr.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes));
                bytes.clear();
            }
            let _ = over.send(());
        });
        Self { child, what: args.join(" "), stdin, lines, err, said, seen: String::new() }
    }

    /// What it said on stderr so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// The next line on stdout; none at its end.
    pub fn line(&mut self) -> Option<String> {
        let line = self.lines.recv_timeout(LIMIT).ok()?;
        self.seen += &line;
        Some(line.trim_end().to_owned())
    }

    /// The next line on stdout that is an address, and nothing but an address.
    pub fn address(&mut self) -> Option<String> {
        loop {
            let line = self.line()?;
            if url::Url::parse(&line).is_ok_and(|url| url.scheme().starts_with("http")) {
                return Some(line);
            }
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for the end.
    pub fn end(mut self) -> Ran {
        drop(self.stdin.take());
        if self.err.recv_timeout(LIMIT).is_err() {
            self.child.kill().unwrap();
            panic!("twofold {} did not end within {LIMIT:?}; so far:\n{}", self.what, self.seen);
        }
        while self.line().is_some() {}
        let code = self.child.wait().unwrap().code();
        let err = self.said();
        Ran { code, out: self.seen, err, what: self.what }
    }
}

/// Fetches an address on this machine over a plain socket; the address it leads on to, if it redirects.
pub fn get(address: &str) -> Option<String> {
    let url = url::Url::parse(address).unwrap();
    let host = url.host_str().unwrap();
    let mut stream = TcpStream::connect((host, url.port_or_known_default().unwrap())).unwrap();
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let mut head = answer.lines().take_while(|line| !line.is_empty());
    head.find_map(|line| {
        line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, to)| to.to_owned())
    })
}

/// Opens an address and follows where it leads, as a browser does.
pub fn visit(address: &str) {
    let mut next = Some(address.to_owned());
    while let Some(address) = next {
        next = get(&address);
    }
}
