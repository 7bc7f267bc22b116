//! A World on sockets: the two providers of the sandbox, one device folder, and the built program that is started, killed and
//! started again.

use super::rows::{self, Row};
use super::scenarios::{Act, Deed, Expect, Field, PEOPLE, Scenario, Side};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use twofold_hub::{Hub, IntentKind};
use twofold_sandbox::{Options, Provider, Running, Sandbox, oauth};

const TWOFOLD: &str = env!("CARGO_BIN_EXE_twofold");
const GOOGLE_FOLDER: &str = "laptop/google/contacts/My Contacts";
const MICROSOFT_FOLDER: &str = "laptop/microsoft365/contacts/Kontakte";
const JOINED_FOLDERS: &str = "laptop/joined/contacts";
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
    joined: bool,
    full_check: bool,
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
type Files = BTreeMap<PathBuf, (Vec<u8>, SystemTime)>;

impl World {
    /// Signed in at both providers, synced once, quiet.
    pub fn new(scenario: &Scenario, options: Options) -> World {
        let sandbox = Sandbox::new(options);
        let mut world = World {
            sandbox,
            running: None,
            port: 0,
            dir: tempfile::tempdir().unwrap(),
            joined: scenario.joined,
            full_check: scenario.full_check,
        };
        world.open();
        std::fs::write(world.config(), world.configuration()).unwrap();
        world.populate();
        ["google", "microsoft365"].iter().for_each(|provider| world.sign_in(provider));
        let ended = world.sync();
        assert_eq!(ended.exit, Some(0), "the first run: {}", ended.words);
        world
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    fn configuration(&self) -> String {
        let (urls, dir) = (self.sandbox.urls(), self.dir.path());
        let join = "[[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:Kontakte\", \"google:My Contacts\"]\n";
        format!(
            "state_dir = {:?}\n\n[microsoft365]\nclient_id = {:?}\nkinds = [\"contacts\"]\nlogin_url = {:?}\ngraph_url = {:?}\n\n\
             [google]\nclient_id = {:?}\nclient_secret = {:?}\nkinds = [\"contacts\"]\nauth_url = {:?}\ntoken_url = {:?}\npeople_url = {:?}\n\n\
             [[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [\"contacts\"]\n\n{}",
            dir.join("state"),
            oauth::MICROSOFT_CLIENT_ID,
            urls.microsoft_login,
            urls.microsoft_graph,
            oauth::GOOGLE_CLIENT_ID,
            oauth::GOOGLE_CLIENT_SECRET,
            urls.google_auth,
            urls.google_token,
            urls.google_people,
            dir.join("laptop"),
            if self.joined { join } else { "" },
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
        let climbers = self.sandbox.google_add_group("Climbers").unwrap();
        for (name, at_google, at_microsoft, labels) in PEOPLE {
            if *at_google {
                let person = self.sandbox.google_create(&person(name)).unwrap();
                if labels.contains(&"Climbers") {
                    self.sandbox.google_members(&climbers, &[&person], &[]).unwrap();
                }
            }
            if *at_microsoft {
                let mut contact = contact(name);
                contact["categories"] = json!(labels);
                self.sandbox.graph_create("", &contact).unwrap();
            }
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
    fn sign_in(&self, provider: &str) {
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

    fn folder(&self, side: Side) -> PathBuf {
        if self.joined {
            // There is one, whichever of the two names it goes by.
            let mut folders = std::fs::read_dir(self.dir.path().join(JOINED_FOLDERS)).unwrap();
            let folder = folders.next().unwrap().unwrap().path();
            assert!(folders.next().is_none(), "one folder for the joined collections");
            return folder;
        }
        self.dir.path().join(if side == Side::Google { GOOGLE_FOLDER } else { MICROSOFT_FOLDER })
    }

    /// Google's people and Microsoft's.
    pub fn rows(&self) -> [Vec<Row>; 2] {
        [Side::Google, Side::Microsoft].map(|side| rows::at_provider(&self.sandbox, side))
    }

    /// Everything in the device folder but what is the program's own.
    fn files(&self) -> Files {
        let mut files = Files::new();
        let mut folders = vec![self.dir.path().join("laptop")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
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

    fn writes(&self) -> u64 {
        self.sandbox.writes(Provider::Google) + self.sandbox.writes(Provider::Microsoft)
    }

    // ---- what the user does -----------------------------------------------------------------------------------------

    pub fn act(&self, act: &Act) {
        match act {
            Act::There(Side::Google, deed) => self.at_google(deed),
            Act::There(Side::Microsoft, deed) => self.at_microsoft(deed),
            Act::Here(side, deed) => self.on_device(*side, deed),
            Act::RenameGroup(from, to) => self.sandbox.google_rename_group(&self.group(from), to).unwrap(),
            Act::DeleteGroup(name) => self.sandbox.google_delete_group(&self.group(name)).unwrap(),
            Act::DeltaTokensExpire(Side::Google) => self.sandbox.google_expire_sync_tokens(),
            Act::DeltaTokensExpire(Side::Microsoft) => self.sandbox.graph_expire_delta_tokens(),
            Act::AccessTokensExpire(side) => self.sandbox.expire_access_tokens(provider(*side)),
        }
    }

    /// Google's name for a group, which is made if need be.
    fn group(&self, name: &str) -> String {
        let groups = self.sandbox.with(|state| state.dump())["google"]["groups"].clone();
        let found =
            groups.as_object().unwrap().iter().find(|(_, of)| *of == name).map(|(resource, _)| resource.clone());
        found.unwrap_or_else(|| self.sandbox.google_add_group(name).unwrap())
    }

    fn at_google(&self, deed: &Deed) {
        let sandbox = &self.sandbox;
        let find = |name: &str| {
            let people = sandbox.google_people();
            let found = people.iter().find(|person| person["names"][0]["displayName"] == name);
            found.unwrap_or_else(|| panic!("{name} is not at Google"))["resourceName"].as_str().unwrap().to_owned()
        };
        match deed {
            Deed::Create(name) => drop(sandbox.google_create(&person(name)).unwrap()),
            Deed::Delete(name) => sandbox.google_delete(&find(name)).unwrap(),
            Deed::Label(name, label) => sandbox.google_members(&self.group(label), &[&find(name)], &[]).unwrap(),
            Deed::Unlabel(name, label) => sandbox.google_members(&self.group(label), &[], &[&find(name)]).unwrap(),
            Deed::Photo(name, colour) => sandbox.google_set_photo(&find(name), Some(jpeg(*colour))).unwrap(),
            Deed::Set(name, field, value) => {
                let edit = |person: &mut Value| match field {
                    Field::Nickname => person["nicknames"] = json!([{ "value": value }]),
                    Field::Title => person["organizations"] = json!([{ "title": value }]),
                    Field::Note => person["biographies"] = json!([{ "value": value, "contentType": "TEXT_PLAIN" }]),
                    Field::Email => person["emailAddresses"].as_array_mut().unwrap().push(json!({ "value": value })),
                };
                sandbox.google_edit(&find(name), edit).unwrap();
            }
        }
    }

    fn at_microsoft(&self, deed: &Deed) {
        let sandbox = &self.sandbox;
        let find = |name: &str| {
            let contacts = sandbox.graph_contacts();
            let found = contacts.iter().find(|contact| contact["displayName"] == name);
            found.unwrap_or_else(|| panic!("{name} is not at Microsoft"))["id"].as_str().unwrap().to_owned()
        };
        let edit = |name: &str, edit: &dyn Fn(&mut Value)| sandbox.graph_edit(&find(name), edit).unwrap();
        match deed {
            Deed::Create(name) => drop(sandbox.graph_create("", &contact(name)).unwrap()),
            Deed::Delete(name) => sandbox.graph_delete(&find(name)).unwrap(),
            Deed::Label(name, label) => edit(name, &|contact| {
                contact["categories"].as_array_mut().unwrap().push(json!(label));
            }),
            Deed::Unlabel(name, label) => edit(name, &|contact| {
                contact["categories"].as_array_mut().unwrap().retain(|other| other != label);
            }),
            Deed::Photo(name, colour) => sandbox.graph_set_photo(&find(name), Some(jpeg(*colour))).unwrap(),
            Deed::Set(name, field, value) => edit(name, &|contact| match field {
                Field::Nickname => contact["nickName"] = json!(value),
                Field::Title => contact["jobTitle"] = json!(value),
                Field::Note => contact["personalNotes"] = json!(value),
                Field::Email => contact["emailAddresses"].as_array_mut().unwrap().push(json!({ "address": value })),
            }),
        }
    }

    fn on_device(&self, side: Side, deed: &Deed) {
        let folder = self.folder(side);
        let edit = |name: &str, edit: &dyn Fn(&mut Vec<String>)| {
            let (file, card) = file_of(&folder, name);
            let mut lines = rows::lines(&card);
            let end = lines.pop();
            edit(&mut lines);
            lines.extend(end);
            std::fs::write(file, lines.join("\r\n") + "\r\n").unwrap();
        };
        let put = |lines: &mut Vec<String>, property: &str, line: String| {
            lines.retain(|line| rows::property(line) != property);
            lines.push(line);
        };
        match deed {
            Deed::Create(name) => {
                let (given, family) = name.split_once(' ').unwrap();
                let uid = given.to_lowercase();
                let card = format!(
                    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}-1\r\nFN:{name}\r\nN:{family};{given};;;\r\nEMAIL:{uid}@example.org\r\nEND:VCARD\r\n"
                );
                std::fs::write(folder.join(format!("{uid}-1.vcf")), card).unwrap();
            }
            Deed::Delete(name) => std::fs::remove_file(file_of(&folder, name).0).unwrap(),
            Deed::Set(name, field, value) => edit(name, &|lines| match field {
                Field::Nickname => put(lines, "NICKNAME", format!("NICKNAME:{value}")),
                Field::Title => put(lines, "TITLE", format!("TITLE:{value}")),
                Field::Note => put(lines, "NOTE", format!("NOTE:{value}")),
                Field::Email => lines.push(format!("EMAIL:{value}")),
            }),
            Deed::Label(name, label) => edit(name, &|lines| {
                let mut labels = rows::read_card(&lines.join("\r\n")).labels;
                labels.insert((*label).to_owned());
                put(lines, "CATEGORIES", format!("CATEGORIES:{}", labels.into_iter().collect::<Vec<_>>().join(",")));
            }),
            Deed::Unlabel(name, label) => edit(name, &|lines| {
                let mut labels = rows::read_card(&lines.join("\r\n")).labels;
                labels.remove(*label);
                lines.retain(|line| rows::property(line) != "CATEGORIES");
                if !labels.is_empty() {
                    lines.push(format!("CATEGORIES:{}", labels.into_iter().collect::<Vec<_>>().join(",")));
                }
            }),
            Deed::Photo(name, colour) => edit(name, &|lines| {
                put(lines, "PHOTO", format!("PHOTO;ENCODING=b;TYPE=JPEG:{}", rows::base64(&jpeg(*colour))));
            }),
        }
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
            self.nobody_is_doubled(what);
            match ended.exit {
                Some(0) if self.writes() == 0 && self.files() == files => {
                    settled.runs = run;
                    return settled;
                }
                Some(0) => {}
                Some(75) => {
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
                hub.set_sent(intent.id, sent - twofold_google::contacts::LIST_LAG_MS - 1000).unwrap();
            }
        }
    }

    fn nobody_is_doubled(&self, what: &str) {
        let [google, microsoft] = self.rows();
        let device = |side| rows::on_device(&self.folder(side));
        let places = [google, microsoft, device(Side::Google), device(Side::Microsoft)];
        for (place, rows) in ["Google", "Microsoft", "Google's folder", "Microsoft's folder"].iter().zip(places) {
            let mut seen = BTreeMap::new();
            rows.iter().for_each(|row| *seen.entry(&row.name).or_insert(0) += 1);
            seen.retain(|_, count| *count > 1);
            assert!(seen.is_empty(), "{what}: doubled at {place}: {seen:?}\n{:#?}", self.sandbox.log());
        }
    }

    /// The device folder and both providers hold the same, and that is what the scenario wants.
    pub fn is_as_it_should_be(&self, scenario: &Scenario, what: &str) {
        let [google, microsoft] = self.rows();
        assert_eq!(google, rows::on_device(&self.folder(Side::Google)), "{what}: Google and the device hold the same");
        assert_eq!(
            microsoft,
            rows::on_device(&self.folder(Side::Microsoft)),
            "{what}: Microsoft and the device hold the same"
        );
        let find = |side: Side, name: &str| {
            let rows = if side == Side::Google { &google } else { &microsoft };
            rows.iter().find(|row| row.name == name).cloned()
        };
        for expect in scenario.expects {
            let holds = match *expect {
                Expect::Holds(side, name, field, value) => find(side, name).is_some_and(|row| row.holds(field, value)),
                Expect::Labelled(side, name, label) => find(side, name).is_some_and(|row| row.labels.contains(label)),
                Expect::NotLabelled(side, name, label) => {
                    find(side, name).is_some_and(|row| !row.labels.contains(label))
                }
                Expect::HasPhoto(side, name, colour) => {
                    find(side, name).is_some_and(|row| row.photo == rows::base64(&jpeg(colour)))
                }
                Expect::There(side, name) => find(side, name).is_some(),
                Expect::Gone(side, name) => find(side, name).is_none(),
            };
            assert!(holds, "{what}: {expect:?} does not hold\n{google:#?}\n{microsoft:#?}");
        }
    }
}

fn provider(side: Side) -> Provider {
    match side {
        Side::Google => Provider::Google,
        Side::Microsoft => Provider::Microsoft,
    }
}

fn jpeg(colour: [u8; 3]) -> Vec<u8> {
    twofold_sandbox::microsoft365::tiny_jpeg(colour).to_vec()
}

fn person(name: &str) -> Value {
    let (given, family) = name.split_once(' ').unwrap();
    let address = format!("{}@example.org", given.to_lowercase());
    json!({ "names": [{ "givenName": given, "familyName": family }], "emailAddresses": [{ "value": address }] })
}

fn contact(name: &str) -> Value {
    let (given, family) = name.split_once(' ').unwrap();
    let address = format!("{}@example.org", given.to_lowercase());
    json!({
        "givenName": given,
        "surname": family,
        "displayName": name,
        "emailAddresses": [{ "address": address, "name": name }],
    })
}

/// The file of a person, and the card in it.
fn file_of(folder: &Path, name: &str) -> (PathBuf, String) {
    let found = rows::cards(folder).into_iter().find(|(_, card)| rows::read_card(card).name == name);
    let (file, card) = found.unwrap_or_else(|| panic!("{name} is not in {}", folder.display()));
    (folder.join(file), card)
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
