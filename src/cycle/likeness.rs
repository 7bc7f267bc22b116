//! Messages that a program moved and wrote anew on the way: neomutt gives a file that it moves another name, and lines that say how long it is.
//! So neither name nor bytes tell which message it is. What vanished from a device and came to stand there again, the same but for such
//! lines, is one message: the bytes as first received stay what they are, and the file is another writing of them.

use crate::Cycle;
use crate::intake::Intake;
use crate::meet::Others;
use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;
use twofold_hub::{Hub, Sighting};
use twofold_model::{BlobId, Blobs, Content, Identity, Kind, RemoteId, Result, Seen};

/// Header fields that programs add to their own copies of a message, and that say nothing of it.
const ADDED: [&str; 5] = ["content-length", "lines", "status", "x-status", "x-tuid"];

/// The copies of messages that are said to be gone from a device, or that stood in a folder that is.
pub struct Vanished {
    /// By their Message-IDs: their names, and their bytes. There may be as many as messages.
    copies: HashMap<String, Vec<(RemoteId, BlobId)>>,
    blobs: Option<Arc<dyn Blobs>>,
}

impl Vanished {
    /// Those that nobody was asked about yet.
    pub fn of(cycle: &Cycle<'_>, kind: Kind, index: usize) -> Result<Vanished> {
        let mut vanished = Vanished { copies: HashMap::new(), blobs: cycle.settings.blobs.clone() };
        let member = &cycle.members[index];
        let Some(connector) = member.reached(kind).filter(|_| member.replica.is_device && kind == Kind::Mail) else {
            return Ok(vanished);
        };
        let lens = connector.lens(kind);
        let mut add = |name: RemoteId| -> Result<()> {
            let Some(known) = cycle.hub.placement(member.replica.id, &name)? else { return Ok(()) };
            let (Some(blob), Ok(content)) = (lens.facts(&known.seen).blob, lens.read(&known.seen)) else {
                return Ok(());
            };
            if let Some(message) = name_of(&content) {
                vanished.copies.entry(message).or_default().push((name, blob));
            }
            Ok(())
        };
        let claims = cycle.hub.claims(member.replica.id, kind)?;
        claims.into_iter().try_for_each(|claim| add(claim.remote_id))?;
        for (replica, collection) in cycle.hub.held_places()?.into_iter().filter(|(id, _)| *id == member.replica.id) {
            cycle.hub.known(replica, collection)?.into_keys().try_for_each(&mut add)?;
        }
        Ok(vanished)
    }

    /// The message that a new file is another writing of. Its copy goes by the file's name from then on, and what is agreed on is that the
    /// two are one.
    ///
    /// Keeps promise 4: the item keeps its bytes.
    pub fn take(&mut self, hub: &mut Hub, intake: &Intake<'_>, sighting: &Sighting) -> Result<Option<i64>> {
        let Some(blobs) = self.blobs.clone() else { return Ok(None) };
        let Ok(says) = intake.lens.read(&sighting.rendering) else { return Ok(None) };
        let Some(blob) = intake.lens.facts(&sighting.rendering).blob else { return Ok(None) };
        let Some(list) = name_of(&says).and_then(|name| self.copies.get_mut(&name)) else { return Ok(None) };
        let mut new = None;
        for at in 0..list.len() {
            let (name, was) = &list[at];
            let Some(known) = hub.placement(intake.replica, name)? else { continue };
            let new = new.get_or_insert_with(|| plain(blobs.as_ref(), &blob));
            let is_elsewhere = crate::meet::is_of_other_account(hub, sighting, known.item)?;
            if new.is_none()
                || is_elsewhere
                || !Others::of(hub, sighting, &hub.item(known.item)?)?.is_missed(&known)
                || plain(blobs.as_ref(), was) != *new
            {
                continue;
            }
            list.remove(at);
            let mut agreed = says.clone();
            agreed.set("keywords", intake.lens.read(&known.seen)?.get("keywords").cloned().unwrap_or_default());
            let nobody = Identity { uid: String::new().into(), mark: None };
            let rendering = intake.lens.write(Some(&known.seen), &agreed, &nobody)?;
            let seen = Seen {
                remote_id: sighting.remote_id.clone(),
                etag: known.etag.clone(),
                rendering,
                modified_ms: known.modified_ms,
                ..crate::meet::as_seen(sighting)
            };
            hub.remove_sighting_of(known.replica, &known.remote_id)?;
            hub.remove_placement(known.id)?;
            hub.set_placement(known.item, known.replica, known.collection, known.agreed, &seen)?;
            return Ok(Some(known.item));
        }
        Ok(None)
    }
}

/// Whether two messages are the same but for what programs add; not where the bytes of one cannot be read.
pub fn is_alike(blobs: &dyn Blobs, one: &BlobId, other: &BlobId) -> bool {
    one == other || plain(blobs, one).is_some_and(|text| plain(blobs, other) == Some(text))
}

fn name_of(content: &Content) -> Option<String> {
    content.get("messageId").map(ToString::to_string)
}

/// A message without what programs add, its lines ended by LF. Nothing where the bytes cannot be read.
fn plain(blobs: &dyn Blobs, blob: &BlobId) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    blobs.open(blob).ok()?.read_to_end(&mut bytes).ok()?;
    let mut plain = Vec::with_capacity(bytes.len());
    let (mut is_header, mut is_added) = (true, false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").or_else(|| line.strip_suffix(b"\n"));
        is_header &= text.is_none_or(|text| !text.is_empty());
        let is_folded = matches!(line[0], b' ' | b'\t');
        let adds = |name: &str| {
            let field = line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
            field && line.get(name.len()) == Some(&b':')
        };
        is_added = is_header && if is_folded { is_added } else { ADDED.iter().any(|name| adds(name)) };
        if !is_added {
            plain.extend_from_slice(text.unwrap_or(line));
            plain.extend(text.map(|_| b'\n'));
        }
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_model::blob::MemoryBlobs;

    #[test]
    fn only_what_programs_add_is_left_out() {
        let blobs = MemoryBlobs::default();
        let read = |bytes: &[u8]| {
            let (blob, _) = blobs.put(&mut &bytes[..]).unwrap();
            plain(&blobs, &blob).unwrap()
        };
        let one = read(b"Subject: a\r\nTo: b\r\n\r\nLines: 1\r\n");
        assert_eq!(read(b"Subject: a\nContent-Length: 9\n folded\nTo: b\nLINES: 1\nStatus: RO\n\nLines: 1\n"), one);
        for other in [
            &b"Subject: b\r\nTo: b\r\n\r\nLines: 1\r\n"[..],
            b"Subject: a\r\nTo: b\r\n\r\n",
            b"Subject: a\r\nTo: b\r\nStatuses: x\r\n\r\nLines: 1\r\n",
            b"Subject: a\r\nTo: b\r\n\r\nLines: 1",
        ] {
            assert_ne!(read(other), one, "{}", String::from_utf8_lossy(other));
        }
    }
}
