//! The contract of a replica: everything the cycle may ask of a place, and what each answer means.
//!
//! A connector never sees the hub and never decides. It reports what it sees, carries out what it is told, and says
//! precisely how sure it is.

use crate::email::Role;
use crate::{
    CollectionId, DeltaToken, Error, ErrorKind, Etag, FeedId, Kind, Lens, Mark, RemoteId, Rendering, Result, Uid,
};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// May the collection be written to by this user?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    ReadWrite,
    /// No: it is mirrored one way.
    ReadOnly,
    /// There, and shut: it cannot be read, so that nothing is known of what is in it.
    Closed,
}

/// A folder, label, calendar or address book at a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The replica's own name for it.
    pub id: CollectionId,
    /// What it holds.
    pub kind: Kind,
    /// The name that the user reads; empty where the place does not say.
    pub name: String,
    /// A colour as [`plain_color`] gives it; `None` where the place does not say.
    pub color: Option<String>,
    /// Whether this is the place where new things go (`default`, `primary`).
    pub is_default: bool,
    /// What a mailbox is for; `None` for all others. The name of a mailbox is its path ([`crate::email::path`]).
    pub role: Option<Role>,
    /// Whether this user may write there.
    pub access: Access,
}

/// What it means to take a collection away at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It stays: the place where new things go, one that the account cannot be without, somebody else's.
    Never,
    /// It and what is in it is gone, for everybody who sees it.
    Whole,
    /// It leaves this user's list only; what is in it belongs to somebody else and stays.
    OffList,
}

/// What a colour means: `#rrggbb` in lower case, whether it was written with capitals or with an opacity behind it. Nothing for
/// what is no colour.
pub fn plain_color(text: &str) -> Option<String> {
    let digits = text.trim().strip_prefix('#')?;
    let is_color = matches!(digits.len(), 6 | 8) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_color.then(|| format!("#{}", digits[..6].to_ascii_lowercase()))
}

/// What one delta token covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name at this replica, stable across runs.
    pub id: FeedId,
    /// What it holds.
    pub kind: Kind,
    /// The collections whose items it reports.
    pub collections: Vec<CollectionId>,
}

/// From where a feed is read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Since {
    /// From nothing: a full listing. What is not in it is absent there (a question, not a deletion).
    Start,
    /// The next page of the round under way, as [`Next::Page`] gave it.
    Page(String),
    /// What changed since that token. A place that compares ([`Abilities::compares_known`]) says that nothing did, or that the token is
    /// of no use ([`crate::ErrorKind::TokenExpired`]): then it is asked from the start, and handed what is known.
    Token(DeltaToken),
}

/// What the hub knows of a feed's items, for places that have no delta of their own (a folder): remote id to etag.
pub type Known = HashMap<RemoteId, Etag>;

/// One question about one feed.
#[derive(Debug)]
pub struct Poll<'a> {
    /// Which feed.
    pub feed: &'a Feed,
    /// From where on.
    pub since: Since,
    /// What the hub holds of it; filled only where [`Abilities::compares_known`], and not beside a token.
    pub known: &'a Known,
}

/// One page of a feed's round.
#[derive(Debug)]
pub struct Page {
    /// What it says, in any order; the same item may come more than once, the last word counts.
    pub entries: Vec<Entry>,
    /// How the round goes on.
    pub next: Next,
}

/// How a round goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more; ask with this.
    Page(String),
    /// The round was read to its end; only now is there a token that could be kept.
    Done(DeltaToken),
}

/// One thing that a page says.
#[derive(Debug)]
pub enum Entry {
    /// The item is there and looks like this now.
    Seen(Box<Seen>),
    /// The replica says that the item is gone. Only a question, until [`Connector::fetch`] answers `None` for it.
    Gone(RemoteId),
    /// The item had this name and now has that one (persons merged or linked, files renamed or exchanged); not a removal.
    /// All renames of a page happen at once: two names may be exchanged. Where `to` was a known copy and is renamed nowhere
    /// itself, the two became one, and `from` is gone.
    Renamed {
        /// The name until now.
        from: RemoteId,
        /// The name from now on.
        to: RemoteId,
    },
    /// The item is there, but cannot be understood: quarantine. It counts as present.
    Bad {
        /// Its name there.
        remote_id: RemoteId,
        /// Where it stands.
        collection: CollectionId,
        /// Why it cannot be taken.
        reason: String,
        /// The bytes as they came.
        raw: Vec<u8>,
    },
}

/// One copy of an item, as seen at a replica.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The replica's own name for the copy.
    pub remote_id: RemoteId,
    /// Where it stands.
    pub collection: CollectionId,
    /// Mark of this state.
    pub etag: Etag,
    /// The bytes.
    pub rendering: Rendering,
    /// The UID that the copy carries, if any.
    pub uid: Option<Uid>,
    /// The mark of a twofold that the copy carries, if any.
    pub mark: Option<Mark>,
    /// When it last changed, by the place's own clock, in milliseconds since 1970; `None` where it does not say.
    pub modified_ms: Option<i64>,
}

/// One copy to look at again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its name there.
    pub remote_id: RemoteId,
    /// Where it stood.
    pub collection: CollectionId,
}

/// A copy whose bytes are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// Which.
    pub place: Place,
    /// What its place last said of it, where nothing was done there since: it need not be asked for that again.
    pub shown: Option<Seen>,
    /// What was last agreed of it, or sent there: where its bytes only say that in another writing, they are the bytes that it has.
    pub known: Option<Rendering>,
}

impl Unread {
    /// Which these are.
    pub fn places(copies: &[Unread]) -> Vec<Place> {
        copies.iter().map(|copy| copy.place.clone()).collect()
    }
}

impl From<Place> for Unread {
    fn from(place: Place) -> Self {
        Self { place, shown: None, known: None }
    }
}

/// One change to make at a replica. The rendering was made by the connector's own [`Lens`].
#[derive(Clone, Debug)]
pub enum Operation {
    /// Make a new copy.
    Create {
        /// Where.
        collection: CollectionId,
        /// What, from nothing; carries uid and mark.
        rendering: Rendering,
        /// The item's UID (names the file on a device).
        uid: Uid,
        /// The mark by which the copy is found again.
        mark: Mark,
    },
    /// Change a copy.
    Update {
        /// Which.
        place: Place,
        /// The state on which the change rests: the guard.
        etag: Etag,
        /// The rendering of that state.
        from: Rendering,
        /// The rendering that it shall have: send only what differs.
        to: Rendering,
    },
    /// A further copy of an item that stands at this replica already, in another collection, in the place's own way: a label, a
    /// hard link; or another message with the same bytes. Only where [`Abilities::shares`] or [`Abilities::copies`].
    /// [`ErrorKind::NotFound`] where the first copy is gone.
    Copy {
        /// The copy that is there.
        of: Place,
        /// Where another one shall stand.
        collection: CollectionId,
    },
    /// Move a copy to another collection, as one step. Only where [`Abilities::moves`]. [`ErrorKind::NotFound`] where it is gone.
    Move {
        /// The copy.
        place: Place,
        /// The state on which the move rests: the guard, where the place has one.
        etag: Etag,
        /// Where it shall stand.
        to: CollectionId,
    },
    /// Remove a copy (to the place's trash, where it has one).
    Delete {
        /// Which.
        place: Place,
        /// The state that was agreed to be removed: the guard.
        etag: Etag,
    },
}

impl Operation {
    /// The answer of a place that has no way to do this in one step. The cycle does not ask it to ([`Abilities`]).
    pub fn has_no_way(&self) -> Error {
        Error::new(ErrorKind::Unsupported, "copies there are neither shared by collections nor moved in one step")
    }
}

/// What a write left behind, as the replica answered it. After a delete: `None`.
pub type Written = Option<Seen>;

/// How a create whose reply was lost is looked for.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The mark it carries.
    pub mark: Mark,
    /// The UID it carries.
    pub uid: Uid,
    /// Where it was to be made.
    pub collection: CollectionId,
    /// When the create was sent, in milliseconds since 1970.
    pub sent_ms: i64,
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub enum Found {
    /// The copy is there: the create was executed.
    Here(Box<Seen>),
    /// It is certain that there is none: the create was not executed.
    Nowhere,
    /// It cannot be told before this moment (the place's listing lags behind its writes); milliseconds since 1970.
    NotBefore(i64),
}

/// What a place can do.
#[derive(Clone, Debug, Default)]
pub struct Abilities {
    /// The place has no delta of its own: it wants to be handed what the hub knows ([`Poll::known`]). Its token says how it looked when
    /// all was as the hub knew it (an empty one: it was not), and is dropped as soon as the hub knows something else.
    pub compares_known: bool,
    /// Where two edits fall within five minutes the lower rank wins (ENGINE 18): device 0, provider 1.
    pub rank: u8,
    /// Seconds after which a full listing is planned although the token lives (People: tokens die after 7 days). 0: never.
    pub relist_after_s: u64,
    /// The kinds of which new collections can be made there ([`Connector::create_collection`]).
    pub makes_collections: &'static [Kind],
    /// How many operations are handed over at once; 0 counts as 1.
    pub write_batch: usize,
    /// Kinds of which one item may stand in several collections there as one and the same (labels): a further copy is an
    /// [`Operation::Copy`], and what is done to one copy is done to all.
    pub shares: &'static [Kind],
    /// Kinds of which the place itself can make another item like one that stands there, with all that no create could give it
    /// ([`Operation::Copy`]). The copy says what the first one says, and carries its mark.
    pub copies: &'static [Kind],
    /// Kinds whose copies can be moved from one collection to another in one step ([`Operation::Move`]).
    pub moves: &'static [Kind],
    /// Mailboxes in which a message stands alone: it leaves all others for them, and one of the others takes it out again.
    pub alone: &'static [Role],
    /// The mailbox in which a message stands that stands in no other: it leaves that as soon as it stands elsewhere.
    pub left_over: Option<Role>,
    /// Kinds whose lists show nothing of a header, which can be asked for without the bytes ([`Connector::headers`]).
    pub reads_headers: &'static [Kind],
    /// What the delta does not tell is looked at slowly ([`Connector::sweep`]).
    pub sweeps: bool,
    /// Each feed is asked for by requests of its own: feeds are handed over one by one, some of them side by side, so that one that hangs
    /// keeps nothing of the others.
    pub feeds_by_themselves: bool,
    /// For so many seconds after the place said that a copy is gone, [`Connector::fetch`] may still show it as it was: its
    /// answer settles nothing until then, unless it is that the copy is gone, or stands elsewhere. 0: what is read is so.
    pub reads_lag_s: u64,
}

/// What a place is told when a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The hub has agreed on something with this replica before.
    pub is_known: bool,
    /// The hub holds no item at all: it is new, or it was lost.
    pub hub_is_empty: bool,
    /// Nothing may be changed, not even the place's own marker.
    pub is_dry_run: bool,
    /// The hub's run.
    pub run: i64,
    /// The last run in which this hub may have written the place's own marker; a marker of a later one was written by a hub
    /// of which this is an older copy.
    pub last_run: i64,
    /// The last run whose number the place's own marker took; a marker of an earlier one is that of an older copy of the place. 0: none.
    pub wrote_run: i64,
}

/// What a place shows of its past when a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// It is what the hub knows, or new.
    #[default]
    Known,
    /// It was in step with another hub, which is lost: everything there is a first meeting (ENGINE 22).
    OfLostHub,
    /// It was written by a later run than the hub has had there: the hub is an older copy of itself (ENGINE 22). The place takes no part
    /// until somebody says that it may be paired anew; in words.
    OfLaterRun(String),
}

impl Arrival {
    /// An error where the place may not be worked with as it stands.
    pub fn or_held(self) -> Result<Arrival> {
        match self {
            Arrival::OfLaterRun(words) => Err(Error::new(ErrorKind::Held, words)),
            other => Ok(other),
        }
    }
}

/// What a connector has used of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests sent; the parts of a batch count as one.
    pub requests: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Requests whose answer is waited for just now. What waits for our own budget, or for a pause to be over, is none.
    pub awaited: u64,
    /// How often something came: a part of an answer, or the end of one.
    pub heard: u64,
    /// Writes that were given up because nothing came for too long.
    pub silent_writes: u64,
}

/// Takes in what [`Connector::read_bodies`] answers.
pub trait Taker: Sync {
    /// The answer for the place of this number.
    fn take(&self, at: usize, answer: Result<Option<Seen>>);

    /// Whether another request may leave. Once none may, none ever may.
    fn goes_on(&self) -> bool;
}

/// Takes in every answer, and waits for all of them.
pub struct Gathered(Mutex<Vec<Option<Result<Option<Seen>>>>>);

impl Gathered {
    /// For so many places.
    pub fn of(count: usize) -> Self {
        Self(Mutex::new((0..count).map(|_| None).collect()))
    }

    /// The answers, in the order of the places; a missing one is unknown.
    pub fn answers(self) -> Vec<Result<Option<Seen>>> {
        let answers = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let missing = || Err(Error::new(ErrorKind::Unknown, "there is no answer for this message"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect()
    }
}

impl Taker for Gathered {
    fn take(&self, at: usize, answer: Result<Option<Seen>>) {
        // Whoever panicked with the lock held had only set one answer.
        if let Some(slot) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
            *slot = Some(answer);
        }
    }

    fn goes_on(&self) -> bool {
        true
    }
}

/// One place that holds copies. All times are handed in; all methods may be called again after a failure.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What this place can hold and do.
    fn abilities(&self) -> Abilities;

    /// How many operations of a kind are handed over at once; a run that is asked to stop waits for so many. 0 counts as 1.
    fn write_batch(&self, _kind: Kind) -> usize {
        self.abilities().write_batch
    }

    /// How its renderings of this kind are read and edited.
    fn lens(&self, kind: Kind) -> &dyn Lens;

    /// All collections of this kind, or an error; never a part of them.
    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>>;

    /// Which tokens cover these collections.
    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed>;

    /// The token of a feed's last round, told before the next one begins, also where that lists everything anew: what it says beside where to
    /// go on may be worth knowing. The default: nothing is.
    fn remember(&self, _feed: &Feed, _token: &DeltaToken) {}

    /// One page of each feed asked for, in the order asked (batched where the place allows). One feed's failure is its own.
    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>>;

    /// Each copy as it is now; `None` means that the place says for certain that it is gone from all that we mirror (or in the
    /// trash). A copy that moved comes with its new collection.
    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>>;

    /// Copies that nobody is told of, because nothing reads where they stand: in none of the collections `read`, by no name of `known`. Of
    /// those it answers which by their headers may be copies like these ones: where something is missed, it may have been moved there under
    /// another name. The default: whatever is moved keeps its name, so that [`Connector::fetch`] finds it.
    async fn aside(
        &self,
        _kind: Kind,
        _read: &HashSet<CollectionId>,
        _known: &Known,
        _like: &[Rendering],
    ) -> Result<Vec<Seen>> {
        Ok(Vec::new())
    }

    /// Each copy whole, where a list or a delta shows less ([`crate::lens::Facts::lacks_body`]): its bytes are with the blobs, and its rendering
    /// names them. `None` means what it does for [`Connector::fetch`]. Copies that are one message at the place are read once. The
    /// default: lists show everything.
    async fn bodies(&self, kind: Kind, copies: &[Unread]) -> Vec<Result<Option<Seen>>> {
        self.fetch(kind, &Unread::places(copies)).await
    }

    /// [`Connector::bodies`], each answer handed over as soon as it is complete, in any order, so that what came before a stop is kept. Once
    /// the taker says so, no further request leaves; what was not asked for by then is not answered, or with
    /// [`ErrorKind::NotSent`]. Whoever has waited long enough drops it.
    async fn read_bodies(&self, kind: Kind, copies: &[Unread], taker: &dyn Taker) {
        for (at, answer) in self.bodies(kind, copies).await.into_iter().enumerate() {
            taker.take(at, answer);
        }
    }

    /// Each copy with what its header says, and without its bytes, where lists do not show it ([`Abilities::reads_headers`]). Asked only
    /// when bytes are here already that may be those of the copy. `None` means what it does for [`Connector::fetch`].
    async fn headers(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        self.fetch(kind, places).await
    }

    /// Carries out the operations, in order where it matters, and answers for each. A connector repeats a write by itself
    /// only after an answer that proves that it was not executed; after anything else it answers [`ErrorKind::Unknown`].
    /// A delete of what is already gone is a success.
    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>>;

    /// [`Connector::write`] for changes of which the people concerned are to hear, as the place's own application tells them. Only what
    /// somebody allowed comes this way. The default: the place has no choice, or tells nobody.
    async fn write_telling(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        self.write(kind, operations).await
    }

    /// Looks for creates whose fate is unknown. `now_ms` is the time in milliseconds since 1970.
    async fn find(&self, kind: Kind, lookups: &[Lookup], now_ms: i64) -> Vec<Result<Found>>;

    /// Makes a collection of that name, or finds the one that is there already.
    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection>;

    /// A slow look at what the delta does not tell (photos): at most `budget` of `places`; answers those that were looked at.
    /// Places whose delta tells everything answer with an empty list.
    async fn sweep(&self, _kind: Kind, _places: &[Place], _budget: usize) -> Result<Vec<Seen>> {
        Ok(Vec::new())
    }

    /// Called before anything is read: is this the place that the hub knows, under the same account, with its marker?
    /// [`ErrorKind::Held`] when not: then nothing is read, written or deleted there.
    async fn arrive(&self, _visit: Visit) -> Result<Arrival> {
        Ok(Arrival::Known)
    }

    /// Called after the last write of a run: the place's own marker takes the run's number. Whether it did.
    async fn depart(&self, _run: i64) -> Result<bool> {
        Ok(false)
    }

    /// What [`Connector::remove_collection`] would mean for this collection. [`ErrorKind::NotFound`] where it is not there.
    async fn removal(&self, _kind: Kind, _id: &CollectionId) -> Result<Removal> {
        Ok(Removal::Never)
    }

    /// Takes a collection away that nothing of ours stands in any more, or takes it off the user's list
    /// ([`Removal::OffList`], whatever is in it). Looks right before: `false` where something is in it, or where it is never
    /// taken away; then it stays. What is gone already is taken away.
    async fn remove_collection(&self, _kind: Kind, _id: &CollectionId) -> Result<bool> {
        Ok(false)
    }

    /// Collections that somebody gave another name behind our back, as (name until now, name from now on): a folder that was
    /// renamed, and still carries its marker. Nothing is changed by asking.
    async fn moved_collections(&self, _kind: Kind) -> Result<Vec<(CollectionId, CollectionId)>> {
        Ok(Vec::new())
    }

    /// The hub knows the collection by its new name now: the place's own marker follows. May be called again.
    async fn follow_collection(&self, _kind: Kind, _to: &CollectionId) -> Result<()> {
        Ok(())
    }

    /// Gives a collection another name, another colour, or both; `None` leaves it as it is. Answers what the place shows then,
    /// which may be something else: what it has no room for it passes over. May be called again: it says the same once more.
    async fn rename_collection(
        &self,
        _kind: Kind,
        _id: &CollectionId,
        _name: Option<&str>,
        _color: Option<&str>,
    ) -> Result<Collection> {
        Err(Error::new(ErrorKind::Unsupported, "names and colours cannot be changed there"))
    }

    /// What the words that a copy may bear are called there, by word, as this place told it so far; the hub keeps it for the next run. The
    /// default: they are called as they are.
    fn names(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Hands in what [`Connector::names`] said in earlier runs, before anything is read.
    fn learn_names(&self, _names: BTreeMap<String, String>) {}

    /// Requests made and bytes received since the connector was made.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Called once after the last write of a batch: makes everything durable (a folder syncs its file system).
    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_mean_the_same_are_one() {
        for text in ["#16A765", "#16a765ff", " #16a765\n"] {
            assert_eq!(plain_color(text).as_deref(), Some("#16a765"), "{text}");
        }
        for text in ["", "red", "16a765", "#16a7", "#16a76x", "#16a7656"] {
            assert_eq!(plain_color(text), None, "{text}");
        }
    }
}
