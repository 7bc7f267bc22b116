//! Mail on a device keeps the contract, with another program reading and writing the same Maildir.
//!
//! Rules that have no like here: those that look for a note with blanks in what an item says (what can be changed of a message is its
//! keywords), and the one that takes a delta for the whole (a scan shows names; the bytes are those of the last look).

use async_trait::async_trait;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use twofold_device::{Device, DeviceOptions};
use twofold_model::blob::MemoryBlobs;
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::email::{self, headers};
use twofold_model::*;

/// Ten seconds: what a test writes counts as settled.
const AHEAD_NS: i64 = 10_000_000_000;

struct Desk {
    dir: tempfile::TempDir,
    device: Device,
    blobs: Arc<MemoryBlobs>,
    delivered: u32,
}

fn now_ns() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

fn message(name: &str) -> String {
    format!("Message-ID: <{name}@example.com>\r\nSubject: {name}\r\nFrom: {name} <a@example.com>\r\n\r\nHello\r\n")
}

fn keyword(note: &str) -> String {
    note.replace(' ', "-")
}

impl Desk {
    async fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let mut options = DeviceOptions::new("laptop", dir.path().join("disk"), "contract", "replica");
        options.is_durable = false;
        options.kinds = vec![Kind::Mail];
        options.blobs = Some(Arc::clone(&blobs) as Arc<dyn Blobs>);
        options.clock = Arc::new(|| now_ns() + AHEAD_NS);
        let desk = Desk { device: Device::open(options).unwrap(), dir, blobs, delivered: 0 };
        let visit =
            Visit { is_known: false, hub_is_empty: false, is_dry_run: false, run: 1, last_run: 0, wrote_run: 0 };
        desk.device.arrive(visit).await.unwrap();
        desk.device.create_collection(Kind::Mail, &desk.like("INBOX")).await.unwrap();
        desk
    }

    fn inbox(&self) -> PathBuf {
        self.dir.path().join("disk/google/mail")
    }

    /// The file of a message and its name.
    fn file(&self, id: &RemoteId) -> (PathBuf, String) {
        let base = id.as_str().strip_prefix("google/mail/INBOX/").unwrap();
        for place in ["new", "cur"] {
            for entry in std::fs::read_dir(self.inbox().join(place)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if name.split(":2,").next() == Some(base) {
                    return (entry.path(), name);
                }
            }
        }
        panic!("{id} is not there");
    }

    fn content(&self, text: &str, words: &[&str]) -> Content {
        let (blob, _) = self.blobs.put(&mut text.as_bytes()).unwrap();
        email::content(&headers::read(text.as_bytes()), blob.as_str(), words.iter().copied())
    }
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.device
    }

    fn kind(&self) -> Kind {
        Kind::Mail
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        self.delivered += 1;
        let base = format!("1700000000.{}.{name}.host", self.delivered);
        let tmp = self.inbox().join("tmp").join(&base);
        std::fs::write(&tmp, message(name)).unwrap();
        std::fs::rename(tmp, self.inbox().join("new").join(&base)).unwrap();
        RemoteId(format!("google/mail/INBOX/{base}"))
    }

    /// Gives the message a keyword, as Dovecot does.
    async fn edit(&mut self, id: &RemoteId, note: &str) {
        let (path, name) = self.file(id);
        let words = self.inbox().join("dovecot-keywords");
        let known = std::fs::read_to_string(&words).unwrap_or_default();
        let number = known.lines().count();
        std::fs::write(&words, format!("{known}{number} {}\n", keyword(note))).unwrap();
        let letter = char::from(b'a' + u8::try_from(number).unwrap());
        let (base, flags) = name.split_once(":2,").unwrap_or((&name, ""));
        std::fs::rename(path, self.inbox().join(format!("cur/{base}:2,{flags}{letter}"))).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        std::fs::remove_file(self.file(id).0).unwrap();
    }

    fn nobody(&self) -> RemoteId {
        "google/mail/INBOX/1.nobody".into()
    }

    fn time_ms(&self) -> i64 {
        now_ns() / 1_000_000
    }

    /// The disk is not there.
    fn cut_off(&mut self) -> bool {
        std::fs::rename(self.dir.path().join("disk"), self.dir.path().join("elsewhere")).unwrap();
        true
    }

    /// A file carries the UID alone.
    fn carries_mark(&self) -> bool {
        false
    }

    fn like(&self, name: &str) -> Collection {
        Collection {
            id: "google/mail".into(),
            kind: Kind::Mail,
            name: name.into(),
            color: None,
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        }
    }

    fn plain(&self, name: &str) -> Content {
        self.content(&message(name), &[])
    }

    fn rich(&self) -> Vec<Content> {
        vec![
            self.content(&message("Plain"), &[]),
            self.content(&message("Seen"), &["$seen", "$flagged", "$answered", "$forwarded"]),
            self.content(&message("Words"), &["$seen", "$junk", "receipts", "work/2026"]),
            self.content("\r\nno header\r\n", &["$seen"]),
        ]
    }

    fn note(&self, content: &mut Content, note: &str) {
        let mut words = content.get("keywords").and_then(Value::as_object).cloned().unwrap_or_default();
        words.insert(keyword(note), json!(true));
        content.set("keywords", Value::Object(words));
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

contract_rules! { @each run, Desk::new();
    a_listing_names_everything
    a_delta_after_a_listing_is_empty
    a_create_elsewhere_comes_with_the_next_delta
    an_edit_elsewhere_comes_with_the_next_delta
    a_delete_elsewhere_comes_as_gone
    a_delta_may_be_asked_for_again
    a_fetch_answers_what_a_listing_answered
    a_fetch_of_nobody_is_none
    answers_come_in_the_order_asked
    nothing_asked_is_nothing_answered
    a_create_answers_what_a_fetch_then_says
    a_create_is_found
    an_update_changes_only_what_was_asked
    an_update_to_what_is_there_changes_nothing
    an_update_of_nobody_makes_nobody
    a_delete_is_done_once_and_a_second_one_succeeds
    a_write_echoes_in_the_delta_as_it_was_answered
    a_place_that_is_cut_off_says_nothing
    a_collection_made_twice_is_one
    collections_and_feeds_are_the_same_when_asked_again
    a_lens_changes_nothing_when_nothing_is_changed
    a_lens_reads_what_it_wrote
    a_place_answers_what_its_lens_projected
}
