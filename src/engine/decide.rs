//! The table: one item, what the hub holds, what every replica shows now, and what follows.
//!
//! | since both last agreed | replica same | replica edited | replica gone |
//! |---|---|---|---|
//! | **hub same** | nothing | take | bury |
//! | **hub edited** | send | merge | recreate: an edit beats a delete |
//! | **hub gone** | remove there | revive: an edit beats a delete | forget |
//!
//! Content and place are decided apart: content is merged member by member; where the item stands is a set of collections,
//! merged as a set, unless its account has a thing in one place only: of two moves the stronger one counts then. What follows for each replica (send, remove, create) is read off the verdict by [`crate::plan`].

use crate::pair::is_one_value;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use twofold_model::Content;
use twofold_model::merge::{Clash, Prefer, merge};
use twofold_model::patch::{Patch, canonical_text, difference, edits};

/// Two edits of one member within this time of each other are ranked by place, not by clock (ENGINE 18).
pub const SAME_MOMENT_MS: i64 = 5 * 60 * 1000;

/// What the hub holds of one item.
#[derive(Clone, Debug)]
pub struct Current {
    /// The current content.
    pub content: Content,
    /// When that content was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// The rank of the place that it came from.
    pub rank: u8,
    /// The hub's collections in which the item stands; empty when it was buried.
    pub collections: BTreeSet<i64>,
}

/// What one replica and the hub last agreed on: a pair, because a place may write a thing in its own way.
#[derive(Clone, Debug)]
pub struct Base {
    /// The hub's content at that moment.
    pub agreed: Content,
    /// The meaning of the replica's rendering at that moment, read by today's code.
    pub seen: Content,
}

/// What a replica shows now.
#[derive(Clone, Debug)]
pub enum Now {
    /// The replica (or one of its feeds) could not be read to the end: neither same nor gone.
    Unknown,
    /// As last agreed.
    Same,
    /// Something else than last agreed, or there for the first time.
    Edited {
        /// What it says now.
        content: Content,
        /// When it was changed, cut to the moment of observation.
        at_ms: i64,
    },
    /// Confirmed to be gone.
    Gone,
}

/// One copy of the item: one replica, one collection.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The replica.
    pub replica: i64,
    /// Its rank: device 0, provider 1.
    pub rank: u8,
    /// The hub's collection that the copy stands in.
    pub collection: i64,
    /// What was last agreed; `None` at a first meeting.
    pub base: Option<Base>,
    /// What it shows now.
    pub now: Now,
    /// Whether the hub's content differs from the agreed one in what this replica can hold.
    pub hub_edited: bool,
}

/// One item and everything known of it in this cycle.
#[derive(Clone, Debug)]
pub struct Case {
    /// The hub's side.
    pub current: Current,
    /// The replicas' side.
    pub copies: Vec<Copy>,
    /// Whether all of it is of one account, which has a thing in one collection only: two who move it do not mean two of it then.
    pub is_in_one_place: bool,
    /// The collections where it goes that is deleted: whoever moves it elsewhere wants it, and an edit beats a delete.
    pub trash: BTreeSet<i64>,
}

/// A member that was changed at two places, differently.
#[derive(Clone, Debug, PartialEq)]
pub struct Clashing {
    /// The replica whose edit met another one.
    pub replica: i64,
    /// The member and both values.
    pub clash: Clash,
    /// Whether the replica's value is the one that is shown.
    pub theirs_shown: bool,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The item's content from now on.
    pub content: Content,
    /// The collections it stands in from now on; none: it is buried.
    pub collections: BTreeSet<i64>,
    /// When the content was made.
    pub at_ms: i64,
    /// The rank of the place where its newest part comes from.
    pub rank: u8,
    /// What clashed.
    pub clashes: Vec<Clashing>,
}

struct Edit<'a> {
    copy: &'a Copy,
    at_ms: i64,
    patch: Patch,
    text: String,
}

/// Decides one item. The order of the copies does not matter.
pub fn decide(case: &Case) -> Verdict {
    let edits = edits_in_order(case);
    let (content, clashes, at_ms, rank) = merge_content(case, &edits);
    Verdict { content, collections: merge_places(case), at_ms, rank, clashes }
}

/// The edits, weakest first, so that folding them lets the strongest have the last word whatever order they came in.
fn edits_in_order(case: &Case) -> Vec<Edit<'_>> {
    let nothing = Content::new();
    let first = first_base(case, &nothing);
    let mut edits: Vec<Edit<'_>> = case
        .copies
        .iter()
        .filter_map(|copy| match &copy.now {
            Now::Edited { content, at_ms } => {
                let seen = copy.base.as_ref().map_or(first, |base| &base.seen);
                let patch = edits(seen, content);
                let text = canonical_text(&content.to_value());
                (!patch.is_empty() || copy.base.is_none()).then_some(Edit { copy, at_ms: *at_ms, patch, text })
            }
            _ => None,
        })
        .collect();
    edits.sort_by(|a, b| {
        (a.at_ms, std::cmp::Reverse(a.copy.rank), &a.text, a.copy.replica, a.copy.collection).cmp(&(
            b.at_ms,
            std::cmp::Reverse(b.copy.rank),
            &b.text,
            b.copy.replica,
            b.copy.collection,
        ))
    });
    edits
}

/// What a copy without a base is compared with. An item that stands nowhere was deleted: what comes back is an edit of what it was, so
/// that nothing that was deleted with it is in dispute, or comes back as well.
fn first_base<'a>(case: &'a Case, nothing: &'a Content) -> &'a Content {
    if case.current.collections.is_empty() { &case.current.content } else { nothing }
}

/// Which of two values of one member is shown: the newer; within five minutes the lower rank; then the greater bytes.
fn stronger(a: (i64, u8, &str), b: (i64, u8, &str)) -> Ordering {
    if (a.0 - b.0).abs() > SAME_MOMENT_MS {
        return a.0.cmp(&b.0);
    }
    b.1.cmp(&a.1).then_with(|| a.2.cmp(b.2))
}

fn merge_content(case: &Case, edits: &[Edit<'_>]) -> (Content, Vec<Clashing>, i64, u8) {
    let current = &case.current;
    let mut content = current.content.clone();
    let mut clashes = Vec::new();
    let (mut at_ms, mut rank) = (current.at_ms, current.rank);
    // Who last set which member in this cycle; everything else was set when the hub's version was made.
    let mut set_by: Vec<(String, i64, u8)> = Vec::new();
    let nothing = Content::new();
    let first = first_base(case, &nothing);
    for edit in edits {
        let agreed = edit.copy.base.as_ref().map_or(first, |base| &base.agreed);
        let (merged, found) = merge(agreed, &content, &edit.patch, |clash| {
            // At a first meeting another spelling is no edit of anybody's.
            if edit.copy.base.is_none() && is_spelling(clash) {
                return Prefer::Ours;
            }
            let (ours_at, ours_rank) = set_by
                .iter()
                .rev()
                .find(|(path, ..)| overlaps(path, &clash.path))
                .map_or((current.at_ms, current.rank), |(_, at, rank)| (*at, *rank));
            let (ours, theirs) = (canonical_text(&clash.ours), canonical_text(&clash.theirs));
            match stronger((edit.at_ms, edit.copy.rank, &theirs), (ours_at, ours_rank, &ours)) {
                Ordering::Less => Prefer::Ours,
                _ => Prefer::Theirs,
            }
        });
        let is_clash = |clash: &Clash| edit.copy.base.is_some() || !is_spelling(clash);
        clashes.extend(found.into_iter().filter(is_clash).map(|clash| {
            let keys = twofold_model::patch::split(&clash.path);
            let theirs_shown = twofold_model::patch::get_path(&merged.0, &keys).unwrap_or(&serde_json::Value::Null)
                == &clash.theirs
                || component_shown(&merged, &clash);
            Clashing { replica: edit.copy.replica, clash, theirs_shown }
        }));
        if merged != content {
            let newer = edit.at_ms > at_ms;
            set_by.extend(difference(&content, &merged).0.into_keys().map(|path| (path, edit.at_ms, edit.copy.rank)));
            content = merged;
            if newer {
                (at_ms, rank) = (edit.at_ms, edit.copy.rank);
            }
        }
    }
    (content, clashes, at_ms, rank)
}

fn is_spelling(clash: &Clash) -> bool {
    is_one_value(&twofold_model::patch::split(&clash.path), &clash.ours, &clash.theirs)
}

/// A clash inside a list of components names the component's kind as the last key of its path.
fn component_shown(merged: &Content, clash: &Clash) -> bool {
    let mut keys = twofold_model::patch::split(&clash.path);
    keys.pop();
    twofold_model::patch::get_path(&merged.0, &keys)
        .and_then(serde_json::Value::as_array)
        .is_some_and(|list| list.contains(&clash.theirs))
}

fn overlaps(a: &str, b: &str) -> bool {
    let covers = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    covers(a, b) || covers(b, a)
}

/// Where the item stands. A copy that is gone takes its collection out, unless somebody edited the item there or the hub
/// holds an edit that the copy never got; at one replica, gone here and new there is a move.
fn merge_places(case: &Case) -> BTreeSet<i64> {
    let mut places = case.current.collections.clone();
    let is_new = |copy: &Copy| copy.base.is_none() && matches!(copy.now, Now::Edited { .. });
    let is_edited = |copy: &Copy| matches!(copy.now, Now::Edited { .. });
    for copy in case.copies.iter().filter(|copy| matches!(copy.now, Now::Gone)) {
        let moved = case.copies.iter().any(|other| {
            other.replica == copy.replica
                && other.collection != copy.collection
                && is_edited(other)
                && (is_new(other) || !case.current.collections.contains(&other.collection))
        });
        let edited_elsewhere = case
            .copies
            .iter()
            .any(|other| other.replica != copy.replica && other.collection == copy.collection && is_edited(other));
        if moved || !(edited_elsewhere || copy.hub_edited) {
            places.remove(&copy.collection);
        }
    }
    // There for the first time, moved there, or edited after the hub let all of it go: an edit beats a delete. (An edit where the
    // item stands anyway, or stood until it was moved, says nothing of the place: it does not undo a move made elsewhere.)
    let has_moved = |copy: &Copy| {
        let left = |other: &Copy| other.replica == copy.replica && other.collection != copy.collection;
        case.copies.iter().any(|other| left(other) && matches!(other.now, Now::Gone))
    };
    let is_placed = |copy: &&Copy| {
        is_new(copy)
            || case.current.collections.is_empty()
            || (!case.current.collections.contains(&copy.collection) && has_moved(copy))
    };
    places.extend(case.copies.iter().filter(|copy| is_edited(copy)).filter(is_placed).map(|copy| copy.collection));
    let only = case.current.collections.first().filter(|_| case.is_in_one_place && case.current.collections.len() == 1);
    if let Some(only) = only {
        let outdone = outdone(case, *only, places.len() > 1);
        places.retain(|place| !outdone.contains(place));
    }
    // Gone where it was moved to: it stands where somebody edited it.
    if places.is_empty() {
        places.extend(case.copies.iter().filter(|copy| is_edited(copy)).map(|copy| copy.collection));
    }
    places
}

/// A move of an item that stands in one collection: a replica has no copy there any more, and one in another collection.
struct Move<'a> {
    to: &'a Copy,
    at_ms: i64,
    text: String,
}

impl Move<'_> {
    fn key(&self) -> (i64, std::cmp::Reverse<u8>, String, i64) {
        (self.at_ms, std::cmp::Reverse(self.to.rank), self.text.clone(), self.to.replica)
    }
}

/// The moves of an item that stood in `from` alone, weakest first; none where a replica shows it in several new places at once: those are wishes
/// of their own.
fn moves_from(case: &Case, from: i64) -> Vec<Move<'_>> {
    let is_gone = |copy: &Copy| matches!(copy.now, Now::Gone) && copy.base.is_some();
    let has_left = |replica: i64| {
        let mut there = case.copies.iter().filter(|copy| (copy.replica, copy.collection) == (replica, from)).peekable();
        there.peek().is_some() && there.all(is_gone)
    };
    let new = || case.copies.iter().filter(|copy| copy.collection != from && matches!(copy.now, Now::Edited { .. }));
    let is_one = |copy: &&Copy| new().filter(|other| other.replica == copy.replica).count() == 1;
    if !new().all(|copy| is_one(&copy)) {
        return Vec::new();
    }
    let moved = new().filter(|copy| has_left(copy.replica)).filter_map(|to| match to.now {
        Now::Edited { at_ms, .. } => Some(Move { to, at_ms, text: format!("{:020}", to.collection) }),
        _ => None,
    });
    let mut moves: Vec<Move<'_>> = moved.collect();
    moves.sort_by_key(Move::key);
    moves
}

/// The moves at replicas that were not told yet that the hub had moved the item to `only`.
fn moves_since(case: &Case, only: i64) -> Vec<Move<'_>> {
    let knows = |replica: i64| case.copies.iter().any(|copy| (copy.replica, copy.collection) == (replica, only));
    let former = case.copies.iter().filter(|copy| copy.collection != only && matches!(copy.now, Now::Gone));
    let mut moved = Vec::new();
    for from in former.filter(|copy| !knows(copy.replica)) {
        let moves = moves_from(case, from.collection).into_iter().filter(|one| one.to.replica == from.replica);
        moved.extend(moves.filter(|one| one.to.collection != only));
    }
    moved
}

/// Where an item does not stand that is in one place only, and was moved to several: all but where the move leads that counts, which is the one
/// that keeps it, else the newer one, as of two values of a member. Where nobody who was told that it stands in `only` moved it on, that was a
/// move too, and older than those of whoever was not told: it counts where theirs delete. `is_several`: whether it would stand in several places.
fn outdone(case: &Case, only: i64, is_several: bool) -> BTreeSet<i64> {
    let mut moves = moves_from(case, only);
    let is_moved_on = !moves.is_empty();
    moves.extend(moves_since(case, only));
    moves.sort_by_key(Move::key);
    let keeps = |one: &Move<'_>| !case.trash.contains(&one.to.collection);
    let first = moves.iter().reduce(|a, b| {
        let newer = || stronger((a.at_ms, a.to.rank, &a.text), (b.at_ms, b.to.rank, &b.text));
        match keeps(a).cmp(&keeps(b)).then_with(newer) {
            Ordering::Greater => a,
            _ => b,
        }
    });
    let Some(counts) = first.map(|one| one.to.collection) else { return BTreeSet::new() };
    let mut outdone: BTreeSet<i64> = moves.iter().map(|one| one.to.collection).collect();
    let deletes = !is_moved_on && case.trash.contains(&counts) && !case.trash.contains(&only);
    if !deletes {
        outdone.remove(&counts);
    }
    if !is_moved_on && !deletes && is_several {
        outdone.insert(only);
    }
    outdone
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn card(full: &str) -> Content {
        Content::from_value(json!({"name": {"full": full}}))
    }

    fn base(full: &str) -> Option<Base> {
        Some(Base { agreed: card(full), seen: card(full) })
    }

    fn copy(replica: i64, base: Option<Base>, now: Now) -> Copy {
        Copy { replica, rank: u8::from(replica > 1), collection: 1, base, now, hub_edited: false }
    }

    fn edited(full: &str, at_ms: i64) -> Now {
        Now::Edited { content: card(full), at_ms }
    }

    fn case(current: &str, collections: &[i64], copies: Vec<Copy>) -> Case {
        let current =
            Current { content: card(current), at_ms: 0, rank: 1, collections: collections.iter().copied().collect() };
        Case { current, copies, is_in_one_place: true, trash: BTreeSet::new() }
    }

    fn check(what: &str, case: Case, full: &str, collections: &[i64], clashes: usize) {
        let verdict = decide(&case);
        assert_eq!(verdict.content, card(full), "{what}");
        assert_eq!(verdict.collections, collections.iter().copied().collect(), "{what}");
        assert_eq!(verdict.clashes.len(), clashes, "{what}");
        let mut turned = case;
        turned.copies.reverse();
        assert_eq!(decide(&turned).content, verdict.content, "{what}, the other way round");
        assert_eq!(decide(&turned).collections, verdict.collections, "{what}, the other way round");
    }

    #[test]
    fn the_nine_rows() {
        let gone = |hub_edited| Copy { hub_edited, ..copy(1, base("v1"), Now::Gone) };
        check("nothing", case("v1", &[1], vec![copy(1, base("v1"), Now::Same)]), "v1", &[1], 0);
        check("take", case("v1", &[1], vec![copy(1, base("v1"), edited("v2", 9))]), "v2", &[1], 0);
        check("bury", case("v1", &[1], vec![gone(false)]), "v1", &[], 0);
        check("send", case("v2", &[1], vec![copy(1, base("v1"), Now::Same)]), "v2", &[1], 0);
        check("merge", case("v2", &[1], vec![copy(1, base("v1"), edited("v3", 9_999_999))]), "v3", &[1], 1);
        check("recreate", case("v2", &[1], vec![gone(true)]), "v2", &[1], 0);
        check("remove there", case("v1", &[], vec![copy(1, base("v1"), Now::Same)]), "v1", &[], 0);
        check("revive", case("v1", &[], vec![copy(1, base("v1"), edited("v2", 9))]), "v2", &[1], 0);
        check("forget", case("v1", &[], vec![gone(false)]), "v1", &[], 0);
    }

    #[test]
    fn an_edit_on_one_replica_survives_a_delete_on_another() {
        let copies = vec![copy(1, base("v1"), Now::Gone), copy(2, base("v1"), edited("v2", 9))];
        check("edit beats delete", case("v1", &[1], copies), "v2", &[1], 0);
    }

    #[test]
    fn what_comes_back_after_it_was_deleted_is_as_it_comes() {
        let mut deleted = case("v1", &[], vec![copy(1, None, edited("v2", 9))]);
        deleted.current.content = Content::from_value(json!({"name": {"full": "v1"}, "notes": "deleted with it"}));
        check("back by itself", deleted.clone(), "v2", &[1], 0);
        deleted.copies = vec![copy(1, None, edited("v2", 9)), copy(2, None, edited("v3", 9_999_999))];
        check("back at two places, differently", deleted, "v3", &[1], 1);
        let copies = vec![copy(1, None, edited("v2", 9_999_999))];
        check("a first meeting with what is there", case("v1", &[1], copies), "v2", &[1], 1);
    }

    #[test]
    fn a_replica_that_cannot_be_read_neither_deletes_nor_stops_a_delete() {
        let copies = vec![copy(1, base("v1"), Now::Unknown), copy(2, base("v1"), Now::Same)];
        check("absent", case("v1", &[1], copies), "v1", &[1], 0);
        let copies = vec![copy(1, base("v1"), Now::Unknown), copy(2, base("v1"), Now::Gone)];
        check("gone elsewhere", case("v1", &[1], copies), "v1", &[], 0);
    }

    #[test]
    fn gone_here_and_there_at_one_replica_is_a_move() {
        let there = Copy { collection: 2, ..copy(1, None, edited("v1", 9)) };
        let copies = vec![copy(1, base("v1"), Now::Gone), there, copy(2, base("v1"), Now::Same)];
        check("move", case("v1", &[1], copies), "v1", &[2], 0);
    }

    #[test]
    fn of_two_moves_the_newer_one_counts_and_within_five_minutes_the_devices_unless_its_account_has_it_at_both_places()
    {
        let hour = 3_600_000;
        let moved = |replica, to, at| {
            let there = Copy { collection: to, ..copy(replica, base("v1"), edited("v1", at)) };
            [copy(replica, base("v1"), Now::Gone), there]
        };
        let both = |device, provider| case("v1", &[1], [moved(1, 2, device), moved(2, 3, provider)].concat());
        check("newer provider", both(0, hour), "v1", &[3], 0);
        check("newer device", both(hour, 0), "v1", &[2], 0);
        check("same moment", both(1000, 60_000), "v1", &[2], 0);
        check("labels", Case { is_in_one_place: false, ..both(0, hour) }, "v1", &[2, 3], 0);
        check("deleted there", Case { trash: BTreeSet::from([3]), ..both(0, hour) }, "v1", &[2], 0);
        check("deleted here", Case { trash: BTreeSet::from([2]), ..both(hour, 0) }, "v1", &[3], 0);
        // The hub has moved it already, and it was not told yet.
        let since =
            |to| [vec![Copy { collection: 2, ..copy(1, base("v1"), Now::Same) }], moved(2, to, 0).to_vec()].concat();
        check("moved since", case("v1", &[2], since(3)), "v1", &[3], 0);
        check("moved to the same since", case("v1", &[2], since(2)), "v1", &[2], 0);
        let deleted = |trash| Case { trash: BTreeSet::from([trash]), ..case("v1", &[2], since(3)) };
        check("wanted back since", deleted(2), "v1", &[3], 0);
        check("deleted since", deleted(3), "v1", &[2], 0);
        let both = [
            vec![Copy { collection: 2, ..copy(1, base("v1"), Now::Same) }],
            moved(2, 3, 0).to_vec(),
            moved(3, 4, hour).to_vec(),
        ];
        check("two moved since", case("v1", &[2], both.concat()), "v1", &[4], 0);
        let same = [moved(2, 3, 0).to_vec(), moved(3, 3, hour).to_vec()].concat();
        check("two moved to one place since", case("v1", &[2], same), "v1", &[3], 0);
        // And it was moved on where it was told.
        let on = |at, to: i64, since| {
            let told = [
                Copy { collection: 2, ..copy(1, base("v1"), Now::Gone) },
                Copy { collection: 3, ..copy(1, base("v1"), edited("v1", at)) },
            ];
            [
                told.to_vec(),
                vec![
                    copy(2, base("v1"), Now::Gone),
                    Copy { collection: to, ..copy(2, base("v1"), edited("v1", since)) },
                ],
            ]
            .concat()
        };
        check("moved on, and since", case("v1", &[2], on(hour, 4, 0)), "v1", &[3], 0);
        check("moved on, and later since", case("v1", &[2], on(0, 4, hour)), "v1", &[4], 0);
        check("moved on to the same", case("v1", &[2], on(0, 3, hour)), "v1", &[3], 0);
        let deleted = Case { trash: BTreeSet::from([4]), ..case("v1", &[2], on(0, 4, hour)) };
        check("moved on, and deleted since", deleted, "v1", &[3], 0);
        check("to the same", case("v1", &[1], [moved(1, 2, 0), moved(2, 2, hour)].concat()), "v1", &[2], 0);
        let three = [moved(1, 2, 0), moved(2, 3, hour), moved(3, 4, 9 * hour)].concat();
        check("three", case("v1", &[1], three), "v1", &[4], 0);
        // A copy that somebody made beside it is no move.
        let copied = Copy { collection: 3, ..copy(2, None, edited("v1", hour)) };
        let copies = [moved(1, 2, 0).to_vec(), vec![copy(2, base("v1"), Now::Same), copied]].concat();
        check("copied there", case("v1", &[1], copies), "v1", &[2, 3], 0);
        // Of what stands in two places nobody knows which one was moved where.
        let other = Copy { collection: 5, ..copy(2, base("v1"), Now::Gone) };
        let there = Copy { collection: 4, ..copy(2, base("v1"), edited("v1", hour)) };
        let copies = [moved(1, 2, 0).to_vec(), moved(2, 3, hour).to_vec(), vec![other, there]].concat();
        check("two copies", case("v1", &[1, 5], copies.clone()), "v1", &[2, 3, 4], 0);
        let stays = Copy { collection: 5, ..copy(2, base("v1"), Now::Same) };
        let one = [moved(1, 2, 0).to_vec(), moved(2, 3, hour).to_vec(), vec![stays]].concat();
        check("one of two copies", case("v1", &[1, 5], one), "v1", &[2, 3, 5], 0);
        check("one that became two", case("v1", &[1], copies), "v1", &[2, 3, 4], 0);
    }

    #[test]
    fn the_newer_edit_is_shown_and_within_five_minutes_the_device() {
        let hour = 3_600_000;
        let at = |a, b| vec![copy(1, base("v1"), edited("device", a)), copy(2, base("v1"), edited("provider", b))];
        check("newer provider", case("v1", &[1], at(0, hour)), "provider", &[1], 1);
        check("newer device", case("v1", &[1], at(hour, 0)), "device", &[1], 1);
        check("same moment", case("v1", &[1], at(1000, 60_000)), "device", &[1], 1);
    }
}
