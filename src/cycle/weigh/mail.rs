//! Writes that would mail people (promise 7): held until somebody allows them, and taken back where somebody said no.

use super::Weighing;
use twofold_hub::items::Origin;
use twofold_hub::{HeldWrite, IntentKind, Item, Place, Said};
use twofold_model::patch::{apply, edits};
use twofold_model::{Connector, Etag, Rendering, Result, Seen};

impl Weighing<'_> {
    /// Whether people hear of a change of a copy; `None`: it may not leave before somebody allows it. It is held anew when it says
    /// something else, or rests on another state, than what was allowed.
    pub(super) fn may_leave(
        &mut self,
        connector: &dyn Connector,
        (item, place): (&Item, &Place),
        seen: &Seen,
        to: Option<&Rendering>,
    ) -> Result<Option<bool>> {
        let at = (item.id, place.replica, place.collection);
        let known = self.tables.held_writes.get(&at).cloned();
        let people = connector.lens(self.kind).mails(&seen.rendering, to);
        if people == 0 || self.settings.may_mail {
            self.wait_no_more(at)?;
            return Ok(Some(people > 0));
        }
        let operation = if to.is_some() { IntentKind::Update } else { IntentKind::Delete };
        let write = HeldWrite {
            hold: known.as_ref().map(|(write, _)| write.hold.clone()).unwrap_or_default(),
            item: item.id,
            replica: place.replica,
            collection: place.collection,
            operation,
            version: item.version,
            etag: Etag(seen.etag.as_str().to_owned()),
            people,
        };
        match known {
            // It stands in its hold until it is made.
            Some((allowed, Said::Yes)) if allowed == write => Ok(Some(true)),
            _ => {
                self.hub.hold_write(&write, self.kind, self.now)?;
                self.tables.held_writes.insert(at, (write, Said::Nothing));
                Ok(None)
            }
        }
    }

    /// A write (item, replica, collection) is not needed, or mails nobody any more: it waits for nobody.
    pub(super) fn wait_no_more(&mut self, at: (i64, i64, i64)) -> Result<()> {
        match self.tables.held_writes.remove(&at) {
            Some(_) => self.hub.release_write(at.0, at.1, at.2),
            None => Ok(()),
        }
    }

    /// Where somebody said no to a write, the hub says again what was last agreed there, and every other place hears of that. What
    /// it said until now stays as a version. What was said since is nothing that anybody refused: it is held anew. `true`: something
    /// was undone.
    pub(super) fn undo_dropped(&mut self, item: &Item) -> Result<bool> {
        let dropped: Vec<HeldWrite> = self
            .tables
            .held_writes
            .values()
            .filter(|(write, said)| write.item == item.id && *said == Said::No)
            .map(|(write, _)| write.clone())
            .collect();
        let mut version = item.version;
        for write in &dropped {
            let copies = self.hub.placements(item.id)?;
            let copy = copies.iter().find(|copy| (copy.replica, copy.collection) == (write.replica, write.collection));
            if let Some(copy) = copy.filter(|_| write.version == item.version) {
                // What the place says by now, which may be more than what was agreed; what it cannot hold stays in the hub.
                let Some(connector) = self.reached(write.replica) else { continue };
                let (lens, rank) = (connector.lens(self.kind), connector.abilities().rank);
                let Ok(says) = lens.read(&copy.seen) else { continue };
                let ours = self.hub.version(version)?.content;
                let content = match lens.project(&ours) {
                    Ok(held) => apply(&ours, &edits(&held, &says)),
                    Err(_) => says,
                };
                let origin = Origin { at_ms: self.now, rank, source: Some(write.replica) };
                version = self.hub.add_version(item.id, &content, origin, Some(version), None)?;
                self.hub.set_version(item.id, version)?;
                self.hub.set_agreed(copy.id, version)?;
                let mut stands = self.hub.stands(item.id)?;
                if stands.is_empty() {
                    self.hub.next_generation(item.id)?;
                }
                if stands.insert(write.collection) {
                    self.hub.set_stands(item.id, &stands, self.now)?;
                }
            }
            self.wait_no_more((write.item, write.replica, write.collection))?;
        }
        Ok(!dropped.is_empty())
    }

    /// Says in the holds what they cover by now.
    pub(super) fn describe_held_writes(&mut self) -> Result<()> {
        if self.tables.held_writes.is_empty() { Ok(()) } else { self.hub.describe_held_writes() }
    }
}
