//! [`Lens`]: what one place's renderings mean, and how a rendering is edited until it means something else.

use crate::blob::BlobId;
use crate::{Content, Mark, Result, Uid};
use std::fmt;

/// An item as one place writes it: the bytes of a `.vcf`, the text of a provider's JSON. Kept as last seen, edited, never
/// rewritten.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Rendering(pub Vec<u8>);

impl Rendering {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<String> for Rendering {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl fmt::Debug for Rendering {
    /// Shows the length only: a rendering is somebody's data and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendering({} bytes)", self.0.len())
    }
}

/// What names an item in a rendering that is made from nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The item's UID.
    pub uid: Uid,
    /// The mark to write on the new copy; `None` where only the meaning is asked for.
    pub mark: Option<Mark>,
}

/// What a rendering says beside its content, for items whose bytes are blobs. Other items say nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The bytes of which this is a copy.
    pub blob: Option<BlobId>,
    /// The place was not asked for the bytes yet ([`crate::Connector::bodies`]): the item cannot be made anywhere else.
    pub lacks_body: bool,
    /// The date of the item, in milliseconds since 1970: when the message was received. It is no content, because a place that
    /// cannot be given it would differ for ever.
    pub dated_ms: Option<i64>,
    /// How many bytes there are, as far as the place says it.
    pub size: Option<u64>,
    /// Somebody marked this copy to be deleted (`\Deleted` of IMAP, `T` of Maildir), and it is still there.
    pub deleted: bool,
}

/// Reads content out of renderings of one place and kind, and edits renderings. Pure: the same input gives the same output.
///
/// The laws, checked by the contract suite for every lens:
/// * *nothing changes when nothing is changed*: `write(Some(r), &read(r)) == r`, byte for byte;
/// * *what is written is read back*: `read(write(Some(r), c)) == read(write(None, c))` for what the place can hold, and
///   reading it once more after another write of the same content changes nothing;
/// * what the place cannot hold (`c` less [`Lens::project`]`(c)`) is left out, never approximated.
pub trait Lens: Send + Sync {
    /// The meaning of a rendering. Fails with [`crate::ErrorKind::Malformed`] where it has none (the item goes to quarantine).
    ///
    /// The content holds neither the UID nor revision stamps: they name or date an item, they are not what it says.
    fn read(&self, rendering: &Rendering) -> Result<Content>;

    /// `onto` edited so that it says `content`; only what differs in meaning is touched. With no `onto`, a rendering from
    /// nothing that carries `identity`.
    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering>;

    /// [`Lens::write`] from nothing for a new meeting whose guests are to be asked to come: who they are stands where the place asks
    /// them, not in the carry-all. `None` where there is nobody to ask, or where the place asks nobody, as most do. Means what
    /// [`Lens::write`] would have it mean.
    fn inviting(&self, content: &Content, identity: &Identity) -> Result<Option<Rendering>> {
        let _ = (content, identity);
        Ok(None)
    }

    /// What this place would say if it held `content`.
    fn project(&self, content: &Content) -> Result<Content> {
        let nobody = Identity { uid: Uid("projection".into()), mark: None };
        self.read(&self.write(None, content, &nobody)?)
    }

    /// What the place's own fields say, without the carry-all.
    fn native(&self, rendering: &Rendering) -> Result<Content> {
        self.read(rendering)
    }

    /// The members of which the place still shows an entry that it was told to take away. It did not; the entry does not count
    /// in [`Lens::read`], and whoever looks there is to be told. The default: places do as they are told.
    fn leftovers(&self, rendering: &Rendering) -> Vec<String> {
        let _ = rendering;
        Vec::new()
    }

    /// What a copy shows otherwise than it was told, because its place has no way to show it so, in words for a person; `None` where it
    /// shows all that it can. The default speaks of [`Lens::leftovers`].
    fn shortfall(&self, rendering: &Rendering) -> Option<String> {
        let left = self.leftovers(rendering);
        (!left.is_empty()).then(|| {
            format!("something of {} cannot be taken away there; it stands there and does not count", left.join(", "))
        })
    }

    /// How many people making `to` of `from` (`None`: removing it) would mail (updates, cancellations), or would have to, so that
    /// what they know of a meeting stays true. Asked before a write, so that nobody is mailed who should not be. Most places mail
    /// nobody.
    fn mails(&self, from: &Rendering, to: Option<&Rendering>) -> usize {
        let _ = (from, to);
        0
    }

    /// Whether two renderings of a copy differ in nothing but what the place says for all items of a collection at once, such as
    /// the usual reminders of a calendar. Then one choice of a person's changed what many items mean, and no harm came to them.
    /// Most places say everything with the item.
    fn differ_by_collection(&self, before: &Rendering, after: &Rendering) -> bool {
        let _ = (before, after);
        false
    }

    /// Fills what `now` did not look at (a listing without photos) from `last`, the rendering held until now, so that "not
    /// looked at" is never read as "taken away". The default returns `now`: most places' renderings are whole.
    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let _ = last;
        now
    }

    /// A copy that was moved to another collection of its place, where it was `last`: what `now` says there, and what the copy means. What it
    /// does not say only because the move lost its words means what it meant, so that "not said" is never read as "taken away"; it is said
    /// there again as whatever else the hub says more. The default: it means what it says.
    ///
    /// # Errors
    /// As [`Lens::read`].
    fn moved(&self, last: &Rendering, now: Rendering) -> Result<(Rendering, Content)> {
        let _ = last;
        let content = self.read(&now)?;
        Ok((now, content))
    }

    /// What the rendering says beside its content. The default: nothing.
    fn facts(&self, rendering: &Rendering) -> Facts {
        let _ = rendering;
        Facts::default()
    }

    /// A rendering from nothing that carries the date of its item, in milliseconds since 1970, where the place can take one.
    fn dated(&self, rendering: Rendering, at_ms: i64) -> Rendering {
        let _ = at_ms;
        rendering
    }
}
