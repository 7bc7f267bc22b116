//! What people do in a day at both providers and on the device, and what has to be everywhere because of it.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use twofold_model::Kind;
use twofold_sandbox::Sandbox;

/// Nobody edits or deletes what somebody else changed so little ago that not all places may have it.
const UNTOUCHED_MS: i64 = 5 * 3_600_000;
/// A brake lets so many go in a day.
const MOST_DELETED: usize = 4;

/// Where something is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Google,
    Microsoft,
    Device,
}

pub const PLACES: [Place; 3] = [Place::Google, Place::Microsoft, Place::Device];

/// A contact, an event or a message, by its name, and what was written on it later.
#[derive(Clone, Debug)]
struct Thing {
    kind: Kind,
    /// The account of a message; the others are everywhere.
    account: Option<Place>,
    word: String,
    is_deleted: bool,
    touched_ms: i64,
}

/// A change: what is there because of it.
#[derive(Clone, Debug)]
pub struct Change {
    pub at_ms: i64,
    pub place: Place,
    pub kind: Kind,
    pub name: String,
    pub word: String,
    pub account: Option<Place>,
    pub is_deleted: bool,
}

/// Each name that is there and its word, as often as it is there.
pub type Seen = Vec<(String, String)>;

pub struct Life {
    sandbox: Sandbox,
    device: PathBuf,
    random: StdRng,
    things: BTreeMap<String, Thing>,
    number: usize,
    pub changes: Vec<Change>,
}

impl Life {
    pub fn new(sandbox: Sandbox, device: PathBuf, seed: u64) -> Life {
        let random = StdRng::seed_from_u64(seed);
        Life { sandbox, device, random, things: BTreeMap::new(), number: 0, changes: Vec::new() }
    }

    /// How long until the next change at a place.
    pub fn pause_ms(&mut self) -> i64 {
        self.random.random_range(2 * 60_000..18 * 60_000)
    }

    /// One change there.
    pub fn change(&mut self, place: Place, at_ms: i64) {
        self.number += 1;
        let deleted = |kind| self.things.values().filter(|thing| thing.kind == kind && thing.is_deleted).count();
        let may_delete = [Kind::Contacts, Kind::Calendar].map(|kind| deleted(kind) < MOST_DELETED);
        let old: Vec<(String, Thing)> = self
            .things
            .iter()
            .filter(|(_, thing)| !thing.is_deleted && at_ms - thing.touched_ms > UNTOUCHED_MS)
            .filter(|(_, thing)| thing.kind != Kind::Mail || (place == Place::Device && thing.word.is_empty()))
            .map(|(name, thing)| (name.clone(), thing.clone()))
            .collect();
        let (name, thing) = match old.choose(&mut self.random).filter(|_| self.number.is_multiple_of(3)) {
            Some((name, thing)) => {
                let at = usize::from(thing.kind == Kind::Calendar);
                let mut thing = thing.clone();
                match thing.kind {
                    Kind::Mail => self.flag(name, thing.account.unwrap()),
                    _ if may_delete[at] && self.number.is_multiple_of(2) => {
                        thing.is_deleted = true;
                        self.delete(place, thing.kind, name);
                    }
                    _ => {
                        thing.word = format!("word{}", self.number);
                        self.edit(place, thing.kind, name, &thing.word);
                    }
                }
                if thing.kind == Kind::Mail {
                    thing.word = "flagged".into();
                }
                (name.clone(), thing)
            }
            None => {
                let kinds: &[Kind] = match place {
                    Place::Device => &[Kind::Contacts, Kind::Calendar],
                    _ => &[Kind::Contacts, Kind::Calendar, Kind::Mail],
                };
                let kind = *kinds.choose(&mut self.random).unwrap();
                let name = format!("Day{}{place:?}", self.number);
                self.create(place, kind, &name);
                let account = (kind == Kind::Mail).then_some(place);
                (name, Thing { kind, account, word: String::new(), is_deleted: false, touched_ms: 0 })
            }
        };
        let Thing { kind, account, word, is_deleted, .. } = thing.clone();
        self.changes.push(Change { at_ms, place, kind, name: name.clone(), word, account, is_deleted });
        self.things.insert(name, Thing { touched_ms: at_ms, ..thing });
    }

    fn create(&self, place: Place, kind: Kind, name: &str) {
        let moment = |hour: u32| json!({"dateTime": format!("2026-03-20T{hour}:00:00"), "timeZone": "UTC"});
        match (place, kind) {
            (Place::Google, Kind::Contacts) => {
                self.sandbox.google_create(&json!({"names": [{"givenName": "Ada", "familyName": name}]})).unwrap();
            }
            (Place::Microsoft, Kind::Contacts) => {
                let contact = json!({"givenName": "Ada", "surname": name, "displayName": format!("Ada {name}")});
                self.sandbox.graph_create("", &contact).unwrap();
            }
            (Place::Google, Kind::Calendar) => {
                let reminders = json!({"useDefault": false});
                let event = json!({"summary": name, "start": moment(10), "end": moment(11), "reminders": reminders});
                self.sandbox.google_add_event("primary", &event).unwrap();
            }
            (Place::Microsoft, Kind::Calendar) => {
                let event = json!({"subject": name, "start": moment(10), "end": moment(11), "isReminderOn": false});
                self.sandbox.graph_event_create("", &event).unwrap();
            }
            (Place::Google, Kind::Mail) => {
                self.sandbox.google_add_mail(&letter(name), &["INBOX", "UNREAD"]);
            }
            (Place::Microsoft, Kind::Mail) => {
                self.sandbox.graph_mail_deliver("inbox", &letter(name)).unwrap();
            }
            (Place::Device, Kind::Contacts) => {
                let lines = ["BEGIN:VCARD", "VERSION:3.0", &format!("UID:{name}"), &format!("FN:Ada {name}")];
                let text = format!("{}\r\nN:{name};Ada;;;\r\nEND:VCARD\r\n", lines.join("\r\n"));
                self.put(&self.folder(kind).join(format!("{name}.vcf")), &text);
            }
            (Place::Device, Kind::Calendar) => {
                let text = format!(
                    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody//EN\r\nBEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T080000Z\r\n\
                     DTSTART:20260320T100000Z\r\nDTEND:20260320T110000Z\r\nSUMMARY:{name}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
                );
                self.put(&self.folder(kind).join(format!("{name}.ics")), &text);
            }
            (Place::Device, Kind::Mail) => unreachable!("nobody writes a message on the device"),
        }
    }

    fn edit(&self, place: Place, kind: Kind, name: &str, word: &str) {
        match (place, kind) {
            (Place::Google, Kind::Contacts) => {
                let person = self.sandbox.google_people().into_iter().find(|person| family(person) == name).unwrap();
                let note = json!([{"value": word, "contentType": "TEXT_PLAIN"}]);
                let edit = |person: &mut Value| person["biographies"] = note;
                self.sandbox.google_edit(text(&person["resourceName"]), edit).unwrap();
            }
            (Place::Google, _) => {
                let id = self.google_event(name);
                self.sandbox.google_edit_event("primary", &id, |event| event["location"] = json!(word)).unwrap();
            }
            (Place::Microsoft, Kind::Contacts) => {
                let contact = self.graph_contact(name);
                self.sandbox.graph_edit(&contact, |contact| contact["personalNotes"] = json!(word)).unwrap();
            }
            (Place::Microsoft, _) => {
                let edit = |event: &mut Value| event["location"] = json!({"displayName": word});
                self.sandbox.graph_event_edit(&self.graph_event(name), edit).unwrap();
            }
            (Place::Device, _) => {
                let (path, text) = self.file_of(kind, name);
                let (member, end) = match kind {
                    Kind::Contacts => ("NOTE", "END:VCARD"),
                    _ => ("LOCATION", "END:VEVENT"),
                };
                let kept = text.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{member}:")));
                let text = kept.collect::<String>().replace(end, &format!("{member}:{word}\r\n{end}"));
                self.put(&path, &text);
            }
        }
    }

    fn delete(&self, place: Place, kind: Kind, name: &str) {
        match (place, kind) {
            (Place::Google, Kind::Contacts) => {
                let person = self.sandbox.google_people().into_iter().find(|person| family(person) == name).unwrap();
                self.sandbox.google_delete(text(&person["resourceName"])).unwrap();
            }
            (Place::Google, _) => self.sandbox.google_delete_event("primary", &self.google_event(name)).unwrap(),
            (Place::Microsoft, Kind::Contacts) => self.sandbox.graph_delete(&self.graph_contact(name)).unwrap(),
            (Place::Microsoft, _) => self.sandbox.graph_event_delete(&self.graph_event(name)).unwrap(),
            (Place::Device, _) => std::fs::remove_file(self.file_of(kind, name).0).unwrap(),
        }
    }

    /// Somebody marks a message on the device.
    fn flag(&self, name: &str, account: Place) {
        let mut found = self.letters(account).into_iter().filter(|(subject, _)| subject == name);
        let (_, path) = found.next().unwrap_or_else(|| panic!("{name} is not on the device"));
        let file = text_of(path.file_name().unwrap());
        let (base, letters) = file.split_once(":2,").unwrap_or((&file, ""));
        let mut letters: Vec<char> = letters.chars().chain(['F']).collect();
        letters.sort_unstable();
        let cur = path.parent().unwrap().with_file_name("cur");
        std::fs::rename(&path, cur.join(format!("{base}:2,{}", String::from_iter(letters)))).unwrap();
    }

    fn google_event(&self, name: &str) -> String {
        let events = self.sandbox.google_events("primary");
        let event = events.iter().find(|event| event["summary"] == name && event["status"] != "cancelled");
        text(&event.unwrap_or_else(|| panic!("{name} is not at Google"))["id"]).to_owned()
    }

    fn graph_contact(&self, name: &str) -> String {
        let contacts = self.sandbox.graph_contacts();
        let contact = contacts.iter().find(|contact| contact["surname"] == name);
        text(&contact.unwrap_or_else(|| panic!("{name} is not at Microsoft"))["id"]).to_owned()
    }

    fn graph_event(&self, name: &str) -> String {
        let events = self.sandbox.graph_events();
        let event = events.iter().find(|event| event["subject"] == name);
        text(&event.unwrap_or_else(|| panic!("{name} is not at Microsoft"))["id"]).to_owned()
    }

    // ---- the device -------------------------------------------------------------------------------------------------

    /// The folder of a kind that both accounts' are joined in.
    fn folder(&self, kind: Kind) -> PathBuf {
        let parent = self.device.join("joined").join(kind.as_str());
        let folders: Vec<PathBuf> = std::fs::read_dir(&parent)
            .unwrap_or_else(|error| panic!("{}: {error}", parent.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.into_iter().next().unwrap()
    }

    fn put(&self, path: &Path, text: &str) {
        let new = path.with_file_name(format!(".{}.tmp", text_of(path.file_name().unwrap())));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, path).unwrap();
    }

    fn file_of(&self, kind: Kind, name: &str) -> (PathBuf, String) {
        let mut files = files(&self.folder(kind)).into_iter();
        let found = files.find(|(_, text)| said(text, kind).0 == name);
        found.unwrap_or_else(|| panic!("{name} is not on the device"))
    }

    /// The subject and the file of each message of an account.
    fn letters(&self, account: Place) -> Vec<(String, PathBuf)> {
        let own = if account == Place::Google { "google" } else { "microsoft365" };
        let (mut folders, mut found) = (vec![self.device.join(own).join("mail")], Vec::new());
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
                let is_message = ["cur", "new"].contains(&&*text_of(folder.file_name().unwrap()));
                match path.is_dir() {
                    true => folders.push(path),
                    false if is_message => found.push((subject(&std::fs::read(&path).unwrap()), path)),
                    false => {}
                }
            }
        }
        found
    }

    // ---- what is where ----------------------------------------------------------------------------------------------

    /// What has to be at a place, of one kind.
    fn wanted(&self, kind: Kind, account: Option<Place>) -> Seen {
        let is_there = |thing: &Thing| thing.kind == kind && !thing.is_deleted && thing.account == account;
        self.things
            .iter()
            .filter(|(_, thing)| is_there(thing))
            .map(|(name, thing)| (name.clone(), thing.word.clone()))
            .collect()
    }

    /// What is at a place, sorted.
    pub fn seen(&self, place: Place, kind: Kind, account: Option<Place>) -> Seen {
        let pair = |name: &str, word: &str| (name.to_owned(), word.to_owned());
        let mut seen: Seen = match (place, kind) {
            (Place::Google, Kind::Contacts) => {
                let people = self.sandbox.google_people();
                people.iter().map(|person| pair(family(person), text(&person["biographies"][0]["value"]))).collect()
            }
            (Place::Google, Kind::Calendar) => {
                let events = self.sandbox.google_events("primary");
                let events = events.iter().filter(|event| event["status"] != "cancelled");
                events.map(|event| pair(text(&event["summary"]), text(&event["location"]))).collect()
            }
            (Place::Google, Kind::Mail) => {
                let messages = self.sandbox.google_messages();
                let each = messages.iter().map(|message| {
                    let raw = self.sandbox.google_message_raw(text(&message["id"])).unwrap();
                    let labels = message["labelIds"].as_array().unwrap();
                    pair(&subject(&raw), if labels.contains(&json!("STARRED")) { "flagged" } else { "" })
                });
                each.collect()
            }
            (Place::Microsoft, Kind::Contacts) => {
                let contacts = self.sandbox.graph_contacts();
                let each = contacts.iter();
                each.map(|contact| pair(text(&contact["surname"]), text(&contact["personalNotes"]))).collect()
            }
            (Place::Microsoft, Kind::Calendar) => {
                let events = self.sandbox.graph_events();
                let each = events.iter();
                each.map(|event| pair(text(&event["subject"]), text(&event["location"]["displayName"]))).collect()
            }
            (Place::Microsoft, Kind::Mail) => {
                let messages = self.sandbox.graph_mail_messages();
                let each = messages.iter().map(|message| {
                    let is_flagged = message["flag"]["flagStatus"] == "flagged";
                    pair(text(&message["subject"]), if is_flagged { "flagged" } else { "" })
                });
                each.collect()
            }
            (Place::Device, Kind::Mail) => {
                let letters = self.letters(account.unwrap());
                let is_flagged = |path: &Path| {
                    text_of(path.file_name().unwrap()).split_once(":2,").is_some_and(|(_, marks)| marks.contains('F'))
                };
                let each = letters.iter();
                each.map(|(name, path)| pair(name, if is_flagged(path) { "flagged" } else { "" })).collect()
            }
            (Place::Device, _) => files(&self.folder(kind)).iter().map(|(_, text)| said(text, kind)).collect(),
        };
        seen.retain(|(name, _)| name.starts_with("Day"));
        seen.sort();
        seen
    }

    /// Whether a change has come to a place.
    pub fn has_come(&self, change: &Change, place: Place) -> bool {
        let seen = self.seen(place, change.kind, change.account);
        match seen.iter().find(|(name, _)| *name == change.name) {
            None => change.is_deleted,
            Some((_, word)) => !change.is_deleted && *word == change.word,
        }
    }

    /// What is not where it has to be, or more often than once, or not as it was last said.
    pub fn wrong(&self) -> Vec<String> {
        let everywhere =
            PLACES.iter().flat_map(|place| [Kind::Contacts, Kind::Calendar].map(|kind| (*place, kind, None)));
        let mail = [Place::Google, Place::Microsoft]
            .into_iter()
            .flat_map(|account| [account, Place::Device].map(|place| (place, Kind::Mail, Some(account))));
        let mut wrong = Vec::new();
        for (place, kind, account) in everywhere.chain(mail) {
            let mut wanted = self.wanted(kind, account);
            wanted.sort();
            let seen = self.seen(place, kind, account);
            let lacks: Vec<_> = wanted.iter().filter(|one| !seen.contains(one)).collect();
            let extra: Vec<_> = seen.iter().filter(|one| !wanted.contains(one)).collect();
            if seen != wanted {
                let counts = format!("{} of {}", seen.len(), wanted.len());
                wrong.push(format!("{place:?} {kind} {account:?}: {counts}; lacks {lacks:?}; has {extra:?}"));
            }
        }
        wrong
    }
}

fn letter(name: &str) -> Vec<u8> {
    format!(
        "From: Grace <grace@example.org>\r\nTo: ada@example.com\r\nSubject: {name}\r\nMessage-ID: <{name}@example.org>\r\n\
         Date: Thu, 01 Jan 2026 08:00:00 +0000\r\n\r\nThis is {name}.\r\n"
    )
    .into_bytes()
}

fn subject(raw: &[u8]) -> String {
    let raw = String::from_utf8_lossy(raw);
    raw.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

fn family(person: &Value) -> &str {
    text(&person["names"][0]["familyName"])
}

/// The name and the word of a card or an event, as its lines say them.
fn said(text: &str, kind: Kind) -> (String, String) {
    let of = |member: &str| text.lines().find_map(|line| line.strip_prefix(member)).unwrap_or_default();
    match kind {
        Kind::Contacts => (of("N:").split(';').next().unwrap_or_default().to_owned(), of("NOTE:").to_owned()),
        _ => (of("SUMMARY:").to_owned(), of("LOCATION:").to_owned()),
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let items = paths.filter(|path| !text_of(path.file_name().unwrap()).starts_with('.'));
    items.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text_of(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}
