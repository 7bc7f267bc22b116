//! The demo's contacts: an edit, a new card and a deletion on each side, read back where they must have arrived.

use super::{Checks, failed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use twofold_model::card::display_name;
use twofold_model::vcard::{VcardLens, Version};
use twofold_model::{Content, Error, ErrorKind, Identity, Lens, Rendering, Result, Uid};
use twofold_sandbox::Sandbox;

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

/// Whether every contact of both providers is on the device.
pub fn first_sync(sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
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
    Ok(())
}

/// What was changed, and where it must arrive.
pub struct Changes {
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

/// Changes things at both providers and on the device.
pub fn change(sandbox: &Sandbox, dir: &Path) -> Result<Changes> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // At the providers: an edit at each, and a new contact.
    let people = sandbox.google_people();
    let person = people.first().map(|person| text(&person["resourceName"])).unwrap_or_default();
    let named = people.first().map(|person| text(&person["names"][0]["givenName"])).unwrap_or_default();
    sandbox
        .google_edit(&person, |person| person["nicknames"] = json!([{"value": NICKNAME}]))
        .map_err(super::refused)?;
    sandbox.google_create(&json!({"names": [{"givenName": "Nora", "familyName": "New"}]})).map_err(super::refused)?;
    let contacts = sandbox.graph_contacts();
    let contact = contacts.first().map(|contact| text(&contact["id"])).unwrap_or_default();
    let titled = contacts.first().map(|contact| text(&contact["displayName"])).unwrap_or_default();
    sandbox.graph_edit(&contact, |contact| contact["jobTitle"] = json!(TITLE)).map_err(super::refused)?;
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
    /// Looks for each change where it must have arrived.
    pub fn read_back(&self, sandbox: &Sandbox, dir: &Path, checks: &mut Checks) -> Result<()> {
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
