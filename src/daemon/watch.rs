//! What changes while nobody asks: files in device folders, and the sign-ins.
//!
//! Where a file system tells nothing of its changes (a network's), the schedule finds them: every run reads the folders.

use super::Event;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use twofold_model::Kind;

/// How often a folder that was not there, and the sign-ins, are looked for.
const LOOK: Duration = Duration::from_secs(2);

/// The device folders, as the configuration names them by now.
pub type Folders = Arc<Mutex<Vec<PathBuf>>>;

/// Device and inode of a folder.
type Identity = (u64, u64);

/// When somebody last signed in at each provider. A token that is refreshed is no sign-in.
pub type SignIns = BTreeMap<String, u64>;

/// Watches device folders and the sign-ins for as long as it lives.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    devices: Folders,
    /// Folders that are watched, and which they were: one that was replaced, or mounted over, is watched anew.
    watched: Vec<(PathBuf, Identity)>,
    look_at_sign_ins: Box<dyn Fn() -> SignIns + Send>,
    sign_ins: SignIns,
    events: UnboundedSender<Event>,
}

impl Watch {
    /// Begins to watch.
    pub fn new(
        devices: Folders,
        look_at_sign_ins: Box<dyn Fn() -> SignIns + Send>,
        events: UnboundedSender<Event>,
    ) -> Watch {
        let sign_ins = look_at_sign_ins();
        let (tell, roots) = (events.clone(), devices.clone());
        let told = move |event: notify::Result<notify::Event>| {
            let kinds = match event {
                Ok(event) => kinds_of(&event, &list(&roots)),
                // What was not told may have been anything.
                Err(_) => [Kind::Mail, Kind::Calendar, Kind::Contacts].into(),
            };
            if !kinds.is_empty() {
                // Nobody listens any more: the service ends.
                let _ = tell.send(Event::Changed(kinds));
            }
        };
        let watcher = notify::recommended_watcher(told)
            .inspect_err(|error| {
                tracing::warn!("changes in folders are not told ({error}); they are found by the schedule")
            })
            .ok();
        let mut watch = Watch { watcher, devices, watched: Vec::new(), look_at_sign_ins, sign_ins, events };
        watch.look(true);
        watch
    }

    /// Looks now and then for what nobody tells. Never comes back.
    pub async fn keep(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look(false);
        }
    }

    fn look(&mut self, is_first: bool) {
        let devices = list(&self.devices);
        for (gone, _) in self.watched.extract_if(.., |(path, _)| !devices.contains(path)) {
            if let Some(watcher) = &mut self.watcher {
                // It may be gone from the disk, too.
                let _ = watcher.unwatch(&gone);
            }
        }
        for device in devices {
            let identity = identity_of(&device);
            if self.watched.iter().any(|(path, known)| *path == device && Some(*known) == identity) {
                continue;
            }
            let was_watched = self.watched.iter().any(|(path, _)| *path == device);
            self.watched.retain(|(path, _)| *path != device);
            let Some(watcher) = &mut self.watcher else { continue };
            if was_watched {
                // It is gone, and may not be known any more.
                let _ = watcher.unwatch(&device);
            }
            let Some(identity) = identity else { continue };
            match watcher.watch(&device, RecursiveMode::Recursive) {
                Ok(()) => {
                    self.watched.push((device, identity));
                    // What happened before it was watched; the first run looks at all.
                    if !is_first {
                        let _ = self.events.send(Event::Changed([Kind::Mail, Kind::Calendar, Kind::Contacts].into()));
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        "{} is not watched ({error}); what changes there is found by the schedule. \
                         With very many folders, raise fs.inotify.max_user_watches",
                        device.display()
                    );
                    self.watched.push((device, identity));
                }
            }
        }
        let now = (self.look_at_sign_ins)();
        let is_new = |(name, at): &(&String, &u64)| self.sign_ins.get(*name) != Some(*at);
        let new: BTreeSet<String> = now.iter().filter(is_new).map(|(name, _)| name.clone()).collect();
        self.sign_ins = now;
        if !new.is_empty() {
            let _ = self.events.send(Event::SignedIn(new));
        }
    }
}

fn list(devices: &Folders) -> Vec<PathBuf> {
    devices.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn identity_of(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir).map(|meta| (meta.dev(), meta.ino()))
}

/// The kinds that an event in a device folder may be about; none where it cannot matter (what was read, our own marks and temporary files).
fn kinds_of(event: &notify::Event, roots: &[PathBuf]) -> BTreeSet<Kind> {
    if event.need_rescan() {
        return [Kind::Mail, Kind::Calendar, Kind::Contacts].into();
    }
    let matters = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    };
    let paths = event.paths.iter().filter(|_| matters);
    paths.filter_map(|path| roots.iter().find_map(|root| kind_of(path.strip_prefix(root).ok()?))).collect()
}

/// The kind of a path below a device folder (`PROVIDER/KIND/…`).
fn kind_of(path: &Path) -> Option<Kind> {
    let mut names = path.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    let kind = match names.nth(1)? {
        "mail" => Kind::Mail,
        "calendar" => Kind::Calendar,
        "contacts" => Kind::Contacts,
        _ => return None,
    };
    let names: Vec<&str> = names.collect();
    let last = names.last().copied().unwrap_or_default();
    let matters = match kind {
        // A message, or a folder: `.Name` with `new` and `cur` in it. Readers keep files of their own beside these.
        Kind::Mail => match names.iter().rposition(|name| matches!(*name, "cur" | "new")) {
            Some(at) => at + 2 == names.len() && !last.starts_with('.') || at + 1 == names.len(),
            None => names.len() <= 1 && !last.starts_with(".twofold") && (last.is_empty() || last.starts_with('.')),
        },
        // A collection, or something in it; names with a dot are marks and temporary files.
        Kind::Calendar | Kind::Contacts => !last.starts_with('.'),
    };
    matters.then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_an_items_change_names_its_kind_and_nothing_else_does() {
        for (path, kind) in [
            ("google/mail/cur/1700000000.x.host:2,S", Some(Kind::Mail)),
            ("google/mail/new/1700000000.x.host", Some(Kind::Mail)),
            ("google/mail/.Work.2026/cur/1.x:2,", Some(Kind::Mail)),
            ("google/mail/.Work.2026", Some(Kind::Mail)),
            ("google/mail/.Work/cur", Some(Kind::Mail)),
            ("google/mail/cur/.twofold-1234", None),
            ("google/mail/tmp/1700000000.x.host", None),
            ("google/mail/dovecot.index.log", None),
            ("google/mail/.Work/dovecot-uidlist", None),
            ("google/mail/.twofold-mail", None),
            ("google/calendar/ada@example.com/4f.ics", Some(Kind::Calendar)),
            ("google/calendar/ada@example.com/displayname", Some(Kind::Calendar)),
            ("google/calendar/New", Some(Kind::Calendar)),
            ("google/calendar/New/.twofold-collection", None),
            ("joined/contacts/Contacts/9c.vcf", Some(Kind::Contacts)),
            ("google/contacts/My Contacts/.9c.vcf.tmp", None),
            (".twofold", None),
            ("google", None),
            ("google/notes/x.txt", None),
        ] {
            assert_eq!(kind_of(Path::new(path)), kind, "{path}");
        }
    }

    #[test]
    fn what_was_only_read_or_dated_is_no_change() {
        use notify::event::{AccessKind, CreateKind, MetadataKind};
        let roots = [PathBuf::from("/srv/laptop")];
        let of = |kind| {
            let event = notify::Event::new(kind).add_path("/srv/laptop/google/contacts/My Contacts/1.vcf".into());
            kinds_of(&event, &roots)
        };
        assert!(of(EventKind::Access(AccessKind::Read)).is_empty());
        assert!(of(EventKind::Access(AccessKind::Open(AccessMode::Read))).is_empty());
        assert!(of(EventKind::Modify(ModifyKind::Metadata(MetadataKind::WriteTime))).is_empty());
        assert_eq!(of(EventKind::Access(AccessKind::Close(AccessMode::Write))), [Kind::Contacts].into());
        assert_eq!(of(EventKind::Create(CreateKind::File)), [Kind::Contacts].into());
    }
}
