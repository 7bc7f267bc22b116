//! A device folder keeps the contract, with another program writing to the same folder.

use async_trait::async_trait;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use twofold_device::{Device, DeviceOptions};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::{Access, Collection, Connector, Content, Kind, RemoteId, Visit, vcard};

/// Ten seconds: what a test writes counts as settled.
const AHEAD_NS: i64 = 10_000_000_000;

/// A folder, and another program of the same user.
struct Desk {
    dir: tempfile::TempDir,
    device: Device,
}

impl Desk {
    async fn new(version: vcard::Version) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let mut options = DeviceOptions::new("laptop", dir.path().join("cards"), "contract", "replica");
        options.is_durable = false;
        options.vcard = version;
        options.clock = Arc::new(|| now_ns() + AHEAD_NS);
        let desk = Desk { device: Device::open(options).unwrap(), dir };
        desk.device
            .arrive(Visit {
                is_known: false,
                hub_is_empty: false,
                is_dry_run: false,
                run: 1,
                last_run: 0,
                wrote_run: 0,
            })
            .await
            .unwrap();
        desk.device.create_collection(Kind::Contacts, &desk.like("Friends")).await.unwrap();
        desk
    }

    fn path(&self, id: &RemoteId) -> PathBuf {
        self.dir.path().join("cards").join(id.as_str())
    }
}

fn now_ns() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.device
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        let id = RemoteId(format!("google/contacts/Friends/{name}.vcf"));
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:theirs-{name}\r\nFN:{name}\r\nN:;{name};;;\r\n\
             X-SHOE-SIZE;X-FOOT=left:forty-two and a half\r\nEND:VCARD\r\n"
        );
        std::fs::write(self.path(&id), card).unwrap();
        id
    }

    /// In place, as plain editors do.
    async fn edit(&mut self, id: &RemoteId, note: &str) {
        let card = std::fs::read_to_string(self.path(id)).unwrap();
        std::fs::write(self.path(id), card.replace("END:VCARD", &format!("NOTE:{note}\r\nEND:VCARD"))).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        std::fs::remove_file(self.path(id)).unwrap();
    }

    fn nobody(&self) -> RemoteId {
        "google/contacts/Friends/nobody.vcf".into()
    }

    fn time_ms(&self) -> i64 {
        now_ns() / 1_000_000
    }

    /// The disk is not there.
    fn cut_off(&mut self) -> bool {
        std::fs::rename(self.dir.path().join("cards"), self.dir.path().join("elsewhere")).unwrap();
        true
    }

    /// A file carries the UID alone.
    fn carries_mark(&self) -> bool {
        false
    }

    /// A card says itself in one language only (RFC 9553 2.7.1 has no like in vCard).
    fn beyond(&self) -> Option<Content> {
        let mut content = self.plain("Beyond");
        content.set("localizations", json!({"de": {"titles/title/name": "Rechnerin"}}));
        Some(content)
    }

    fn foreign_text(&self) -> Option<&str> {
        Some("X-SHOE-SIZE;X-FOOT=left:forty-two and a half\r\n")
    }

    fn like(&self, name: &str) -> Collection {
        Collection {
            id: "google/contacts".into(),
            kind: Kind::Contacts,
            name: name.into(),
            color: None,
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        }
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test);
}

mod version_3 {
    use super::*;
    contract_rules!(run, Desk::new(vcard::Version::V3));
}

mod version_4 {
    use super::*;
    contract_rules!(run, Desk::new(vcard::Version::V4));
}
