//! The device as a replica: a scan of its folders, second looks by name, look-ups of what a stopped run made, and the contract
//! ([`Connector`]) that the cycle speaks.

use crate::beneath::{self, Look, refused};
use crate::marker::{self, CollectionState, MarkerState};
use crate::scan::{self, Mark, Scan, Stamp};
use crate::vdir::{Format, Shape};
use crate::{Device, WRITE_BATCH, atomic, lock, maildir, names, write};
use async_trait::async_trait;
use rustix::fd::OwnedFd;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use twofold_model::error::AtPlace as _;
use twofold_model::{
    Abilities, Arrival, Collection, CollectionId, Connector, Error, ErrorKind, Feed, FeedId, Found, Kind, Lens,
};
use twofold_model::{
    Known, Lookup, Operation, Page, Place, Poll, RemoteId, Removal, Rendering, Result, Seen, Since, Uid, Visit, Written,
};

/// Which file holds which UID, by collection.
type Uids = HashMap<CollectionId, HashMap<Uid, Vec<u8>>>;

impl Device {
    /// The room of a kind that has one of its own.
    fn room(&self, kind: Kind) -> Result<Option<maildir::Room<'_>>> {
        match kind {
            Kind::Mail => self.mail().map(Some).ok_or_else(|| self.not_kept(kind)),
            Kind::Contacts | Kind::Calendar => Ok(None),
        }
    }

    fn poll(&self, poll: &Poll<'_>) -> Result<Page> {
        if let Some(room) = self.room(poll.feed.kind)? {
            return room.poll(poll);
        }
        let id = CollectionId(poll.feed.id.0.clone());
        let format = self.format(poll.feed.kind)?;
        // A dry run plans for folders that a real one would have made.
        let is_unknown = poll.known.is_empty() && !matches!(poll.since, Since::Token(_));
        let is_planned = self.is_dry_run() && is_unknown;
        let nothing = || Page { entries: Vec::new(), next: twofold_model::Next::Done(scan::no_token()) };
        let root = match self.root_to_read()? {
            Some(root) => root,
            None if is_planned => return Ok(nothing()),
            None => return Err(self.held("the folder is not there yet")),
        };
        let mut _lock = self.lock_to_read()?;
        let Some(folder) = self.open_collection(&root, &id)? else {
            return if is_planned { Ok(nothing()) } else { Err(self.collection_held(&CollectionState::Absent)) };
        };
        let state = self.marker_of(&folder, &id)?.0;
        if state != CollectionState::Marked {
            // Where the hub knows no item, none can be missed: what stands there is adopted.
            let is_adoptable = matches!(state, CollectionState::Unmarked | CollectionState::OtherFolder { .. })
                && is_unknown
                && self.has_items(&folder, format, &id)?;
            if !is_adoptable {
                return Err(self.collection_held(&state));
            }
            if !self.is_dry_run() {
                drop(_lock);
                self.adopt_collection(&id, None)?;
                _lock = self.lock_to_read()?;
            }
        }
        let mut listing = self.listing(&folder, format)?;
        if !listing.temps.is_empty() && !self.is_dry_run() {
            drop(_lock);
            let alone = self.lock_to_write()?;
            atomic::tidy(&folder, &listing.temps, format, self.left_behind_ns())
                .map_err(|e| refused(e, "looking at what a stopped run left"))?;
            drop(alone);
            _lock = self.lock_to_read()?;
            listing = self.listing(&folder, format)?;
        }
        if let Since::Token(token) = &poll.since {
            return scan::answer(token, scan::outline(&folder, &listing).as_ref());
        }
        let still_there = || self.still_the_same(&folder, &id);
        let scan = Scan {
            folder: &folder,
            collection: &id,
            format,
            known: poll.known,
            now_ns: self.now(),
            still_there: &still_there,
        };
        let cursor = match &poll.since {
            Since::Page(cursor) => cursor.as_str(),
            Since::Start | Since::Token(_) => "",
        };
        let mut all = lock(&self.met);
        if cursor.is_empty() {
            all.remove(&poll.feed.id);
        }
        let mut met = all.remove(&poll.feed.id).unwrap_or_default();
        drop(all);
        let page = scan.page(listing, cursor, &mut met)?;
        if matches!(page.next, twofold_model::Next::Page(_)) {
            lock(&self.met).insert(poll.feed.id.clone(), met);
        }
        Ok(page)
    }

    /// Whether the path still leads to the folder that was scanned, with both markers in place.
    pub(crate) fn still_the_same(&self, folder: &OwnedFd, id: &CollectionId) -> Result<()> {
        let root = self.root_to_read()?.ok_or_else(|| self.held("the folder is not there any more"))?;
        let now = self.marked_collection(&root, id)?;
        let identity = |folder: &OwnedFd| rustix::fs::fstat(folder).map(|stat| (stat.st_dev, stat.st_ino));
        match (identity(folder), identity(&now)) {
            (Ok(a), Ok(b)) if a == b => Ok(()),
            _ => Err(self.collection_held(&CollectionState::Absent)),
        }
    }

    fn fetch_one(&self, format: &Format, root: &OwnedFd, place: &Place) -> Result<Option<Seen>> {
        let (collection, name) = write::split_remote(&place.remote_id, format)?;
        let Some(folder) = self.open_collection(root, &collection)? else {
            return Err(self.collection_held(&CollectionState::Absent));
        };
        if let Some(seen) = self.read_item(format, &folder, &collection, &name)? {
            return Ok(Some(seen));
        }
        let state = self.marker_of(&folder, &collection)?.0;
        if state != CollectionState::Marked {
            return Err(self.collection_held(&state));
        }
        // A file that is called like its UID is the same item where it stands now.
        for other in self.list_collections(root, format)? {
            let Some(folder) = self.open_collection(root, &other.id)? else { continue };
            if other.id == collection {
                continue;
            }
            if let Ok(Some(seen)) = self.read_item(format, &folder, &other.id, &name)
                && seen.uid.as_ref().is_some_and(|uid| format.file_name(uid, 1).as_bytes() == name)
            {
                return Ok(Some(seen));
            }
        }
        Ok(None)
    }

    /// One item as it is now; nothing where there is no such file. What is there and cannot be taken is an error.
    fn read_item(
        &self,
        format: &Format,
        folder: &OwnedFd,
        collection: &CollectionId,
        name: &[u8],
    ) -> Result<Option<Seen>> {
        let mut id = collection.as_str().to_owned();
        names::push(&mut id, name);
        let unfit = |reason: String| Error::new(ErrorKind::Malformed, reason);
        let (bytes, stat) = match beneath::look(folder, name).map_err(|e| refused(e, "reading"))? {
            Look::File(bytes, stat) => (bytes, stat),
            Look::Absent => return Ok(None),
            Look::Odd(oddity) => return Err(unfit(format!("the file {oddity}"))),
            Look::Unsteady => return Err(unfit("the file is being written; it is taken the next time".into())),
        };
        let uid = match (format.shape)(&bytes) {
            Shape::Whole(uid) => uid,
            Shape::Foreign => return Err(unfit("the file holds something of another kind".into())),
            Shape::Half => return Err(unfit("the file has no end; it is taken when it is whole".into())),
            Shape::Several(count) => return Err(unfit(format!("the file holds {count} items"))),
            Shape::Unreadable(reason) => return Err(unfit(reason)),
        };
        let stamp = Stamp::of(&stat);
        let mark = Mark {
            stamp,
            content: scan::digest(&bytes),
            uid: uid.as_ref().map(scan::uid_key),
            is_dirty: stamp.is_young(self.now()),
        };
        Ok(Some(scan::seen(RemoteId(id), collection.clone(), mark, bytes, uid)))
    }

    fn find_one(&self, format: &Format, root: &OwnedFd, read: &mut Uids, lookup: &Lookup) -> Result<Found> {
        let collection = &lookup.collection;
        let folder = self.marked_collection(root, collection)?;
        let name = format.file_name(&lookup.uid, 1).into_bytes();
        if let Ok(Some(seen)) = self.read_item(format, &folder, collection, &name)
            && seen.uid.as_ref() == Some(&lookup.uid)
        {
            return Ok(Found::Here(Box::new(seen)));
        }
        // Under another name: the folder is read once for all look-ups.
        if !read.contains_key(collection) {
            let mut uids = HashMap::new();
            for (name, _) in self.listing(&folder, format)?.names {
                if let Ok(Some(seen)) = self.read_item(format, &folder, collection, &name)
                    && let Some(uid) = seen.uid
                {
                    uids.insert(uid, name);
                }
            }
            read.insert(collection.clone(), uids);
        }
        let name = read.get(collection).and_then(|uids| uids.get(&lookup.uid));
        let seen = name.map(|name| self.read_item(format, &folder, collection, name)).transpose()?.flatten();
        Ok(seen.map_or(Found::Nowhere, |seen| Found::Here(Box::new(seen))))
    }
}

#[async_trait]
impl Connector for Device {
    fn abilities(&self) -> Abilities {
        Abilities {
            compares_known: true,
            rank: 0,
            relist_after_s: 0,
            makes_collections: &[Kind::Mail, Kind::Calendar, Kind::Contacts],
            write_batch: WRITE_BATCH,
            sweeps: false,
            feeds_by_themselves: false,
            reads_lag_s: 0,
            shares: &[Kind::Mail],
            copies: &[],
            moves: &[Kind::Mail],
            alone: &[],
            left_over: None,
            reads_headers: &[],
        }
    }

    fn lens(&self, kind: Kind) -> &dyn Lens {
        if kind == Kind::Mail && self.mail().is_some() {
            return &self.mail_lens;
        }
        match self.formats.iter().find(|format| format.kind == kind) {
            Some(format) => format.lens.as_ref(),
            None => &self.unsupported,
        }
    }

    async fn collections(&self, kind: Kind) -> Result<Vec<Collection>> {
        if let Some(room) = self.room(kind)? {
            return self.root_to_read()?.map_or_else(|| Ok(Vec::new()), |root| room.collections(&root));
        }
        let format = self.format(kind)?;
        let Some(root) = self.root_to_read()? else { return Ok(Vec::new()) };
        let _lock = self.lock_to_read()?;
        self.list_collections(&root, format)
    }

    /// One feed per collection folder, under the collection's own name.
    fn feeds(&self, kind: Kind, collections: &[Collection]) -> Vec<Feed> {
        let feed = |c: &Collection| Feed { id: FeedId(c.id.0.clone()), kind, collections: vec![c.id.clone()] };
        collections.iter().filter(|c| c.kind == kind).map(feed).collect()
    }

    /// A scan of each folder against what is known. A collection whose folder or marker is missing answers
    /// [`ErrorKind::Held`], unless the hub knows nothing of it yet.
    async fn changes(&self, polls: &[Poll<'_>]) -> Vec<Result<Page>> {
        polls.iter().map(|poll| self.poll(poll)).collect()
    }

    /// A second look by name. An item that is not in its folder any more but, under the same UID's name, in another one
    /// comes with that collection: a move, unless the answered remote id was known as a copy of its own.
    async fn fetch(&self, kind: Kind, places: &[Place]) -> Vec<Result<Option<Seen>>> {
        if kind == Kind::Mail {
            let ready = || -> Result<_> {
                let room = self.mail().ok_or_else(|| self.not_kept(kind))?;
                Ok((room, self.root_to_read()?.ok_or_else(|| self.held("the folder is not there yet"))?))
            };
            return match ready() {
                Ok((room, root)) => {
                    let answers = room.fetch(&root, places);
                    answers.into_iter().zip(places).map(|(answer, place)| answer.at(&place.collection)).collect()
                }
                Err(error) => places.iter().map(|_| Err(write::again(&error))).collect(),
            };
        }
        let ready = || -> Result<_> {
            let format = self.format(kind)?;
            let root = self.root_to_read()?.ok_or_else(|| self.held("the folder is not there yet"))?;
            Ok((format, root, self.lock_to_read()?))
        };
        match ready() {
            Ok((format, root, _lock)) => {
                places.iter().map(|place| self.fetch_one(format, &root, place).at(&place.collection)).collect()
            }
            Err(error) => places.iter().map(|_| Err(write::again(&error))).collect(),
        }
    }

    async fn aside(
        &self,
        kind: Kind,
        read: &HashSet<CollectionId>,
        known: &Known,
        like: &[Rendering],
    ) -> Result<Vec<Seen>> {
        match self.mail().filter(|_| kind == Kind::Mail).zip(self.root_to_read()?) {
            Some((room, root)) => room.aside(&root, read, known, like),
            None => Ok(Vec::new()),
        }
    }

    async fn write(&self, kind: Kind, operations: &[Operation]) -> Vec<Result<Written>> {
        match self.mail() {
            Some(room) if kind == Kind::Mail => room.write_batch(operations),
            _ => self.write_batch(kind, operations),
        }
    }

    async fn find(&self, kind: Kind, lookups: &[Lookup], _now_ms: i64) -> Vec<Result<Found>> {
        if let Some(room) = self.mail().filter(|_| kind == Kind::Mail) {
            return match self.root_to_write() {
                Ok(root) => {
                    let answers = room.find(&root, lookups);
                    answers.into_iter().zip(lookups).map(|(answer, lookup)| answer.at(&lookup.collection)).collect()
                }
                Err(error) => lookups.iter().map(|_| Err(write::again(&error))).collect(),
            };
        }
        let ready = || -> Result<_> { Ok((self.format(kind)?, self.root_to_write()?, self.lock_to_read()?)) };
        match ready() {
            Ok((format, root, _lock)) => {
                let mut read = HashMap::new();
                lookups
                    .iter()
                    .map(|lookup| self.find_one(format, &root, &mut read, lookup).at(&lookup.collection))
                    .collect()
            }
            Err(error) => lookups.iter().map(|_| Err(write::again(&error))).collect(),
        }
    }

    async fn create_collection(&self, kind: Kind, like: &Collection) -> Result<Collection> {
        if let Some(room) = self.room(kind)? {
            return room.make_collection(&self.root_to_own()?, like);
        }
        let format = self.format(kind)?;
        let root = self.root_to_own()?;
        let _lock = self.lock_to_write()?;
        self.make_collection(&root, format, like)
    }

    /// Looks for the marker. A folder of a hub that was lost is taken over: to the new hub everything in it is a first
    /// meeting (ENGINE 22).
    async fn arrive(&self, visit: Visit) -> Result<Arrival> {
        *lock(&self.visit) = visit;
        let state = self.state()?;
        let was_lost = visit.hub_is_empty && !visit.is_known;
        match state {
            MarkerState::OtherHub { .. } if was_lost => {
                if !visit.is_dry_run {
                    self.reset_marker(&self.replica_id())?;
                }
                Ok(Arrival::OfLostHub)
            }
            // Such a hub's bases are older than the folder: what it lacks would look new, or deleted.
            MarkerState::Ours { run: marked } if u64::try_from(visit.last_run).is_ok_and(|last| marked > last) => {
                Ok(Arrival::OfLaterRun(format!(
                    "{} was written by run {marked}, but this hub knows of none there after run {}: it is an older copy of \
                     itself. Nothing was read, written or deleted there. To pair both anew, type: twofold device fill {}",
                    self.options.root.display(),
                    visit.last_run,
                    self.options.name
                )))
            }
            // What it shows was wished before all that came since: taken for a wish of now, it would undo that.
            MarkerState::Ours { run: marked } if u64::try_from(visit.wrote_run).is_ok_and(|wrote| marked < wrote) => {
                let words = format!(
                    "{} was written by run {marked}, but this hub wrote there in run {}: it is an older copy of itself. Nothing was \
                     read, written or deleted there. To pair both anew, so that what the other places have stays, type: twofold \
                     device fill {}",
                    self.options.root.display(),
                    visit.wrote_run,
                    self.options.name
                );
                Err(Error::new(ErrorKind::Held, words))
            }
            state => match self.held_at_root(&state) {
                Some(held) => Err(held),
                None => Ok(Arrival::Known),
            },
        }
    }

    /// The marker takes the run's number only after a run that wrote here: nothing to do leaves no trace.
    async fn depart(&self, run: i64) -> Result<bool> {
        let is_due =
            !self.is_dry_run() && (self.has_written.load(Ordering::Relaxed) || self.state()? == MarkerState::Fresh);
        if is_due {
            self.mark(u64::try_from(run).unwrap_or_default())?;
            self.has_written.store(false, Ordering::Relaxed);
        }
        Ok(is_due)
    }

    async fn remove_collection(&self, kind: Kind, id: &CollectionId) -> Result<bool> {
        if let Some(room) = self.room(kind)? {
            return room.take_away(&self.root_to_write()?, id).at(id);
        }
        let format = self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        self.take_away(&root, format, id).at(id)
    }

    async fn moved_collections(&self, kind: Kind) -> Result<Vec<(CollectionId, CollectionId)>> {
        if let Some(room) = self.room(kind)? {
            return self.root_to_read()?.map_or_else(|| Ok(Vec::new()), |root| room.moved(&root));
        }
        let format = self.format(kind)?;
        let Some(root) = self.root_to_read()? else { return Ok(Vec::new()) };
        let _lock = self.lock_to_read()?;
        let mut moved = Vec::new();
        for collection in self.list_collections(&root, format)? {
            let Some(folder) = self.open_collection(&root, &collection.id)? else { continue };
            let CollectionState::OtherFolder { was } = self.marker_of(&folder, &collection.id)?.0 else { continue };
            // A copy of a folder that is still there is no rename. Of two copies nobody can tell which one it is. What stands under the
            // old name may be another one that was renamed too, or one that somebody made.
            let is_gone = match self.open_collection(&root, &was) {
                Ok(None) => true,
                Ok(Some(other)) => {
                    matches!(
                        self.marker_of(&other, &was)?.0,
                        CollectionState::OtherFolder { .. } | CollectionState::Unmarked
                    )
                }
                Err(_) => false,
            };
            match moved.iter().position(|(from, _)| *from == was) {
                Some(twin) => drop(moved.remove(twin)),
                None if is_gone => moved.push((was, collection.id)),
                None => {}
            }
        }
        Ok(moved)
    }

    async fn follow_collection(&self, kind: Kind, to: &CollectionId) -> Result<()> {
        if let Some(room) = self.room(kind)? {
            return room.follow(&self.root_to_write()?, to);
        }
        self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        let none = || Error::new(ErrorKind::NotFound, "the folder is not there").at(to);
        let folder = self.open_collection(&root, to)?.ok_or_else(none)?;
        let key = match marker::read_collection(&folder, &self.path_of(to.as_str()))? {
            Some(Ok(marker)) if marker.replica == self.replica_id() => marker.key,
            _ => return Err(self.collection_held(&CollectionState::OtherReplica)),
        };
        self.write_marker(&folder, to, key.as_deref())
    }

    /// A folder is taken away when nothing is in it.
    async fn removal(&self, kind: Kind, id: &CollectionId) -> Result<Removal> {
        if let Some(room) = self.room(kind)? {
            return Ok(room.removal(id));
        }
        self.format(kind).map(|_| Removal::Whole)
    }

    /// Only `displayname` and `color` change; the folder keeps its own name, for the id is a path. A folder of mail has nothing but its own
    /// name: it is renamed, and answers to its old id until [`follow_collection`](Connector::follow_collection).
    async fn rename_collection(
        &self,
        kind: Kind,
        id: &CollectionId,
        name: Option<&str>,
        color: Option<&str>,
    ) -> Result<Collection> {
        if let Some(room) = self.room(kind)? {
            let name = name.ok_or_else(|| Error::new(ErrorKind::Unsupported, "a folder of mail has no colour"))?;
            return room.rename(&self.root_to_write()?, id, name).at(id);
        }
        let format = self.format(kind)?;
        let root = self.root_to_write()?;
        let _lock = self.lock_to_write()?;
        self.describe(&root, format, id, name, color).at(id)
    }

    /// One sync per file system written to since the last one; a folder that is a mount of its own counts by itself.
    async fn flush(&self) -> Result<()> {
        let mut touched = lock(&self.touched);
        if self.options.is_durable {
            for folder in touched.values() {
                rustix::fs::syncfs(folder).map_err(|e| refused(e, "making what was written durable"))?;
            }
        }
        touched.clear();
        Ok(())
    }
}
