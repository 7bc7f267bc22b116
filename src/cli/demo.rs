//! `twofold demo`: the whole thing on this machine with no account.
//!
//! Starts the sandbox providers, signs in at both, syncs to a device folder, changes things on both sides, syncs again, and
//! reads every change back where it must have arrived. A failed check is exit 1.

use super::{Context, login, sandbox, sync};
use crate::config::Config;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twofold_auth::{Flow, ProviderName, Ui};
use twofold_cycle::report::exit;
use twofold_cycle::{Report, Silent};
use twofold_model::card::display_name;
use twofold_model::vcard::{VcardLens, Version};
use twofold_model::{Content, Error, ErrorKind, Identity, Lens, Rendering, Result, Uid};
use twofold_sandbox::{Options, Provider, Sandbox};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the demo's files go [default: a folder below the system's temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the files afterwards
    #[arg(long)]
    keep: bool,
    /// Break one side, to see that the checks can fail
    #[arg(long, hide = true, value_parser = ["google", "microsoft365"])]
    break_side: Option<String>,
}

/// Runs the demo.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let keep = args.keep || args.dir.is_some();
    let dir = match &args.dir {
        Some(dir) => std::path::absolute(dir).map_err(failed(format!("{} is no folder", dir.display())))?,
        None => std::env::temp_dir().join(format!("twofold-demo-{}", &twofold_hub::random_id()[..8])),
    };
    if dir.join("state").exists() {
        let words = format!(
            "{} holds an earlier demo; nothing was done. Name another folder: twofold demo --dir DIR",
            dir.display()
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    let result = play(context, &dir, args.break_side.as_deref()).await;
    if keep {
        context.say(format!("The files are in {}.", dir.display()));
    } else if let Err(error) = std::fs::remove_dir_all(&dir) {
        context.say(format!("{} could not be removed: {error}", dir.display()));
    }
    result
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(std::io::Error) -> Error {
    let words = format!("{what}; the demo stops here, nothing outside its folder was touched");
    move |error| Error::new(ErrorKind::Broken, format!("{words}: {error}"))
}

async fn play(context: &Context, dir: &Path, broken: Option<&str>) -> Result<i32> {
    let sandbox = Sandbox::new(Options::demo());
    let running = sandbox.start(0).await.map_err(failed("the sandbox cannot be started"))?;
    let config = configure(&sandbox, dir)?;
    println!("1  two sandbox providers on {}, signing in at both", running.addr);
    for name in [ProviderName::Microsoft365, ProviderName::Google] {
        login::sign_in(context, &config, name, Flow::Loopback { open_browser: false }, &Visitor).await?;
    }
    println!("2  first sync: everything to the folder {}", dir.join("laptop").display());
    let mut checks = Checks::default();
    let report = one_sync(context, &config).await?;
    first_sync(&sandbox, dir, &report, &mut checks)?;
    if let Some(side) = broken {
        let provider = if side == "google" { Provider::Google } else { Provider::Microsoft };
        sandbox.fault(twofold_sandbox::Rule::any(twofold_sandbox::Fault::status(503)).on(provider).writes());
    }
    println!("3  changes on both sides, second sync");
    let changes = change(&sandbox, dir)?;
    let report = one_sync(context, &config).await?;
    checks.check("the second run ends aligned", report.exit == exit::ALIGNED);
    changes.read_back(&sandbox, dir, &mut checks)?;
    println!("4  a third sync writes nothing");
    sandbox.reset_counts();
    let report = one_sync(context, &config).await?;
    let writes = sandbox.writes(Provider::Google) + sandbox.writes(Provider::Microsoft);
    checks.check("no write reached a provider", writes == 0);
    checks.check("nothing was written to the device", report.writes() == 0);
    running.stop().await;
    checks.print();
    Ok(if checks.failed() { exit::FAILED } else { exit::ALIGNED })
}

fn configure(sandbox: &Sandbox, dir: &Path) -> Result<Config> {
    std::fs::create_dir_all(dir).map_err(failed(format!("{} cannot be made", dir.display())))?;
    let text = format!(
        "state_dir = {:?}\n\n{}\n[[device]]\nname = \"laptop\"\npath = {:?}\nkinds = [\"contacts\"]\n",
        dir.join("state"),
        sandbox::configuration(sandbox),
        dir.join("laptop")
    );
    let path = dir.join("config.toml");
    std::fs::write(&path, &text).map_err(failed(format!("{} cannot be written", path.display())))?;
    Config::parse(&text, &path).map_err(|error| Error::new(ErrorKind::Misconfigured, error.to_string()))
}

async fn one_sync(context: &Context, config: &Config) -> Result<Report> {
    let quiet = Context { config: None, quiet: true, progress: false };
    let report = sync::sync(&quiet, config, &sync::Args::default(), Arc::default(), Arc::new(Silent)).await?;
    print!("{}", sync::table(&report, false));
    for trouble in &report.troubles {
        context.say(format!("   {trouble}"));
    }
    Ok(report)
}

/// The demo's person: opens the address and follows where it leads.
struct Visitor;

impl Ui for Visitor {
    fn address(&self, url: &str) {
        let url = url.to_owned();
        // Invariant of the flow: it listens before it shows the address, so the visit may run beside it.
        std::thread::spawn(move || visit(url));
    }

    fn device_code(&self, _: &str, _: &str, _: Option<&str>) {}

    fn read_pasted(&self) -> std::io::Result<String> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Fetches an address on this machine and follows its redirects, as a browser would.
fn visit(mut address: String) {
    for _ in 0..5 {
        let Some(next) = get(&address) else { return };
        address = next;
    }
}

fn get(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let host = url.host_str()?;
    let mut stream = std::net::TcpStream::connect((host, url.port_or_known_default()?)).ok()?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.take(100_000).read_to_string(&mut answer).ok()?;
    let mut lines = answer.lines().take_while(|line| !line.is_empty());
    lines.find_map(|line| {
        line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, to)| to.to_owned())
    })
}

#[derive(Default)]
struct Checks {
    rows: Vec<(String, bool)>,
}

impl Checks {
    fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.rows.push((what.into(), holds));
    }

    fn failed(&self) -> bool {
        self.rows.iter().any(|(_, holds)| !holds)
    }

    fn print(&self) {
        println!("\nread back:");
        for (what, holds) in &self.rows {
            println!("  {}  {what}", if *holds { "ok    " } else { "FAILED" });
        }
        let words = if self.failed() { "some checks failed" } else { "everything moved as it should" };
        println!("{words}");
    }
}

const GOOGLE_FOLDER: &str = "laptop/google/contacts/My Contacts";
const MICROSOFT_FOLDERS: &str = "laptop/microsoft365/contacts";

/// The folder of Microsoft's default contacts: its name is in the mailbox's language, and it holds the most.
fn microsoft_folder(dir: &Path) -> Result<PathBuf> {
    let mut best = (0, PathBuf::new());
    let folders = dir.join(MICROSOFT_FOLDERS);
    for entry in std::fs::read_dir(&folders).map_err(failed(format!("{} cannot be read", folders.display())))?.flatten()
    {
        let count = cards(&entry.path())?.len();
        if count > best.0 {
            best = (count, entry.path());
        }
    }
    Ok(best.1)
}

/// Every card below a folder: its file, its text, its meaning.
fn cards(folder: &Path) -> Result<Vec<(PathBuf, Rendering, Content)>> {
    let lens = VcardLens::new(Version::V3);
    let mut all = Vec::new();
    let entries = std::fs::read_dir(folder).map_err(failed(format!("{} cannot be read", folder.display())))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "vcf") {
            let rendering =
                Rendering(std::fs::read(&path).map_err(failed(format!("{} cannot be read", path.display())))?);
            let content = lens.read(&rendering)?;
            all.push((path, rendering, content));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

fn first_sync(sandbox: &Sandbox, dir: &Path, report: &Report, checks: &mut Checks) -> Result<()> {
    checks.check("the first run ends aligned", report.exit == exit::ALIGNED);
    let google = cards(&dir.join(GOOGLE_FOLDER))?.len();
    checks.check(
        format!("{google} contacts of Google are on the device"),
        google == sandbox.google_people().len() && google > 0,
    );
    let microsoft = all_of_microsoft(dir)?.len();
    checks.check(
        format!("{microsoft} contacts of Microsoft 365 are on the device"),
        microsoft == sandbox.graph_contacts().len() && microsoft > 0,
    );
    let writes = sandbox.writes(Provider::Google) + sandbox.writes(Provider::Microsoft);
    checks.check("the first sync wrote to no provider", writes == 0);
    Ok(())
}

/// What was changed, and where it must arrive.
struct Changes {
    google_nickname: String,
    microsoft_title: String,
    noted: Vec<(PathBuf, String)>,
    deleted: String,
}

/// Every card of Microsoft 365, of all folders.
fn all_of_microsoft(dir: &Path) -> Result<Vec<(PathBuf, Rendering, Content)>> {
    let mut all = Vec::new();
    let folders = dir.join(MICROSOFT_FOLDERS);
    for entry in std::fs::read_dir(&folders).map_err(failed(format!("{} cannot be read", folders.display())))?.flatten()
    {
        all.extend(cards(&entry.path())?);
    }
    Ok(all)
}

const NICKNAME: &str = "Demo at Google";
const TITLE: &str = "Demo at Microsoft";
const NOTE: &str = "Written on the laptop";
const NEW_AT_GOOGLE: &str = "Nora New";
const NEW_ON_DEVICE: &str = "Dora Device";

fn change(sandbox: &Sandbox, dir: &Path) -> Result<Changes> {
    let refused =
        |words: String| Error::new(ErrorKind::Broken, format!("the sandbox refused the demo's own change: {words}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // At the providers: an edit at each, and a new contact.
    let people = sandbox.google_people();
    let person = people.first().map(|person| text(&person["resourceName"])).unwrap_or_default();
    let named = people.first().map(|person| text(&person["names"][0]["givenName"])).unwrap_or_default();
    sandbox.google_edit(&person, |person| person["nicknames"] = json!([{"value": NICKNAME}])).map_err(refused)?;
    sandbox.google_create(&json!({"names": [{"givenName": "Nora", "familyName": "New"}]})).map_err(refused)?;
    let contacts = sandbox.graph_contacts();
    let contact = contacts.first().map(|contact| text(&contact["id"])).unwrap_or_default();
    let titled = contacts.first().map(|contact| text(&contact["displayName"])).unwrap_or_default();
    sandbox.graph_edit(&contact, |contact| contact["jobTitle"] = json!(TITLE)).map_err(refused)?;
    // On the device: a note in one file of each side, a new card, a deleted one.
    let lens = VcardLens::new(Version::V3);
    let mut noted = Vec::new();
    for folder in [dir.join(GOOGLE_FOLDER), microsoft_folder(dir)?] {
        let all = cards(&folder)?;
        let found = all.iter().find(|(_, _, content)| {
            let name = display_name(content).unwrap_or_default();
            !name.contains(&named) && name != titled && content.get("notes").is_none()
        });
        let Some((path, rendering, content)) = found else { continue };
        let mut content = content.clone();
        content.set("notes", json!({"note": {"note": NOTE}}));
        let identity = Identity { uid: Uid("unused".into()), mark: None };
        let edited = lens.write(Some(rendering), &content, &identity)?;
        std::fs::write(path, edited.as_bytes()).map_err(failed(format!("{} cannot be written", path.display())))?;
        noted.push((folder, display_name(&content).unwrap_or_default()));
    }
    let card = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:demo-device\r\nFN:{NEW_ON_DEVICE}\r\nN:Device;Dora;;;\r\nEMAIL:dora@example.org\r\nEND:VCARD\r\n"
    );
    let path = microsoft_folder(dir)?.join("demo-device.vcf");
    std::fs::write(&path, card).map_err(failed(format!("{} cannot be written", path.display())))?;
    let (path, _, content) = cards(&dir.join(GOOGLE_FOLDER))?
        .into_iter()
        .rfind(|(_, _, content)| {
            let name = display_name(content).unwrap_or_default();
            !name.contains(&named) && noted.iter().all(|(_, other)| *other != name)
        })
        .ok_or_else(|| Error::new(ErrorKind::Broken, "the demo found no card to delete"))?;
    std::fs::remove_file(&path).map_err(failed(format!("{} cannot be removed", path.display())))?;
    let deleted = display_name(&content).unwrap_or_default();
    Ok(Changes { google_nickname: named, microsoft_title: titled, noted, deleted })
}

impl Changes {
    fn read_back(&self, sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
        let (google, microsoft) = (cards(&dir.join(GOOGLE_FOLDER))?, all_of_microsoft(dir)?);
        let on_device = |all: &[(PathBuf, Rendering, Content)], words: &str| {
            all.iter().any(|(_, rendering, _)| String::from_utf8_lossy(rendering.as_bytes()).contains(words))
        };
        let people = sandbox.google_people();
        let contacts = sandbox.graph_contacts();
        let holds = |all: &[Value], name: &str, words: &str| {
            all.iter().map(Value::to_string).any(|text| text.contains(name) && text.contains(words))
        };
        checks
            .check(format!("Google -> device: {} has a nickname", self.google_nickname), on_device(&google, NICKNAME));
        checks.check(format!("Google -> device: {NEW_AT_GOOGLE} is new"), on_device(&google, NEW_AT_GOOGLE));
        checks.check(
            format!("Microsoft 365 -> device: {} has a title", self.microsoft_title),
            on_device(&microsoft, TITLE),
        );
        for (folder, name) in &self.noted {
            let (side, all) =
                if *folder == dir.join(GOOGLE_FOLDER) { ("Google", &people) } else { ("Microsoft 365", &contacts) };
            checks.check(
                format!("device -> {side}: {name} has a note"),
                all.iter().any(|v| v.to_string().contains(NOTE)),
            );
        }
        checks.check(
            format!("device -> Microsoft 365: {NEW_ON_DEVICE} is new"),
            holds(&contacts, "Dora", "dora@example.org"),
        );
        let gone =
            !people.iter().any(|person| person["names"][0]["displayName"].as_str() == Some(self.deleted.as_str()));
        checks.check(format!("device -> Google: {} is deleted", self.deleted), gone);
        checks.check("both providers' notes were written", self.noted.len() == 2);
        Ok(())
    }
}
