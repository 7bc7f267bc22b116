//! What holds for every item, whatever happened to its copies: the table as properties instead of rows.

use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use twofold_engine::plan::toward;
use twofold_engine::{Base, Case, Copy, Current, Now, Verdict, decide};
use twofold_model::memory::{Manners, Memory};
use twofold_model::{Connector, Content, Identity, Kind};

/// A card of a few members, so that edits meet each other often.
fn content() -> impl Strategy<Value = Content> {
    (0..3_u8, 0..3_u8, prop::collection::btree_set(0..3_u8, 0..3)).prop_map(|(name, note, emails)| {
        let emails: serde_json::Map<String, serde_json::Value> =
            emails.into_iter().map(|n| (format!("k{n}"), json!({"address": format!("a{n}@x.example")}))).collect();
        let note = if note == 0 { json!(null) } else { json!({"note": {"note": format!("note {note}")}}) };
        Content::from_value(json!({"name": {"full": format!("Name {name}")}, "notes": note, "emails": emails}))
    })
}

fn now() -> impl Strategy<Value = Now> {
    let hour = 3_600_000_i64;
    prop_oneof![
        Just(Now::Unknown),
        Just(Now::Same),
        Just(Now::Gone),
        (content(), 0..6_i64).prop_map(move |(content, at)| Now::Edited { content, at_ms: at * hour / 4 }),
    ]
}

/// One copy at a replica of its own; what was agreed is what the copy showed then.
fn copy(replica: i64) -> impl Strategy<Value = Copy> {
    (content(), now(), 1..3_i64, any::<bool>()).prop_map(move |(agreed, now, collection, hub_edited)| Copy {
        replica,
        rank: u8::from(replica > 1),
        collection,
        base: Some(Base { agreed: agreed.clone(), seen: agreed }),
        now,
        hub_edited,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let current = (content(), prop::collection::btree_set(1..3_i64, 0..3));
    (current, copy(1), copy(2), copy(3), any::<bool>()).prop_map(
        |((content, collections), one, two, three, is_in_one_place)| Case {
            current: Current { content, at_ms: 0, rank: 1, collections },
            copies: vec![one, two, three],
            is_in_one_place,
            trash: BTreeSet::from([2]),
        },
    )
}

fn is_edit(copy: &Copy) -> bool {
    matches!((&copy.now, &copy.base), (Now::Edited { content, .. }, Some(base)) if *content != base.seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_same_case_has_one_verdict_in_whatever_order_the_replicas_are_named(case in case(), turns in 0..6_usize) {
        let verdict = decide(&case);
        prop_assert_eq!(&decide(&case), &verdict);
        let mut turned = case.clone();
        turned.copies.rotate_left(turns % 3);
        if turns >= 3 {
            turned.copies.reverse();
        }
        let other = decide(&turned);
        prop_assert_eq!(other.content, verdict.content);
        prop_assert_eq!(other.collections, verdict.collections);
    }

    #[test]
    fn what_is_as_agreed_or_cannot_be_seen_decides_nothing(mut case in case()) {
        for (at, copy) in case.copies.iter_mut().enumerate() {
            copy.now = if at == 0 { Now::Unknown } else { Now::Same };
        }
        let Verdict { content, collections, clashes, .. } = decide(&case);
        prop_assert_eq!(content, case.current.content);
        prop_assert_eq!(collections, case.current.collections);
        prop_assert!(clashes.is_empty());
    }

    #[test]
    fn an_edit_beats_a_delete(case in case()) {
        let verdict = decide(&case);
        for edited in case.copies.iter().filter(|copy| is_edit(copy)) {
            let moved_away = case.copies.iter().any(|copy| {
                copy.replica == edited.replica && copy.collection != edited.collection && is_edit(copy)
            });
            // What the hub has moved elsewhere stays there: the edit is in its content, and says nothing of the place.
            let current = &case.current.collections;
            let stands_elsewhere = !current.is_empty() && !current.contains(&edited.collection);
            prop_assert!(moved_away || stands_elsewhere || verdict.collections.contains(&edited.collection));
            prop_assert!(!verdict.collections.is_empty());
        }
    }

    #[test]
    fn nothing_is_removed_that_no_copy_says_is_gone(case in case()) {
        let gone: BTreeSet<i64> =
            case.copies.iter().filter(|copy| matches!(copy.now, Now::Gone)).map(|copy| copy.collection).collect();
        let verdict = decide(&case);
        for collection in case.current.collections.difference(&verdict.collections) {
            prop_assert!(gone.contains(collection));
        }
    }

    /// Every value that a copy was given is shown, or stands in a clash, or is one that the hub holds as a version anyway.
    #[test]
    fn no_edit_of_a_name_vanishes(case in case()) {
        let verdict = decide(&case);
        let name = |content: &Content| content.at(&["name", "full"]).cloned();
        for copy in &case.copies {
            let (Now::Edited { content, .. }, Some(base)) = (&copy.now, &copy.base) else { continue };
            let told = name(content);
            let mut versions = case.copies.iter().filter_map(|copy| Some(name(&copy.base.as_ref()?.agreed)));
            if told == name(&base.seen) || told == name(&case.current.content) || versions.any(|v| v == told) {
                continue;
            }
            let is_shown = name(&verdict.content) == told;
            let is_kept = verdict.clashes.iter().any(|c| {
                c.clash.path == "name/full" && (Some(&c.clash.ours) == told.as_ref() || Some(&c.clash.theirs) == told.as_ref())
            });
            prop_assert!(is_shown || is_kept, "{told:?} is nowhere");
        }
    }

    /// An upgrade that reads more (or less) out of the same renderings is nobody's edit, and nothing is sent for it.
    #[test]
    fn a_changed_mapping_sends_nothing(content in content(), before in 0..4_usize, after in 0..4_usize) {
        let place = |emails| Memory::empty(Manners { emails, ..Manners::default() });
        let (old, new) = (place(before), place(after));
        let identity = Identity { uid: "u".into(), mark: None };
        let rendering = old.lens(Kind::Contacts).write(None, &content, &identity).unwrap();
        let lens = new.lens(Kind::Contacts);
        prop_assert!(toward(lens, &content, &rendering, &content, &identity).unwrap().is_none());
        // Both halves of the base are read by today's code: what is there is as agreed.
        let says = lens.read(&rendering).unwrap();
        let base = Some(Base { agreed: content.clone(), seen: says.clone() });
        let now = Now::Edited { content: says, at_ms: 9 };
        let copies = vec![Copy { replica: 1, rank: 1, collection: 1, base, now, hub_edited: false }];
        let current = Current { content: content.clone(), at_ms: 0, rank: 1, collections: BTreeSet::from([1]) };
        let verdict = decide(&Case { current, copies, is_in_one_place: true, trash: BTreeSet::new() });
        prop_assert_eq!(verdict.content, content);
    }

    #[test]
    fn once_taken_an_edit_is_no_edit(case in case()) {
        let verdict = decide(&case);
        let mut settled = case.clone();
        settled.current = Current {
            content: verdict.content.clone(),
            at_ms: verdict.at_ms,
            rank: verdict.rank,
            collections: verdict.collections.clone(),
        };
        for copy in &mut settled.copies {
            copy.base = Some(Base { agreed: verdict.content.clone(), seen: verdict.content.clone() });
            (copy.now, copy.hub_edited) = (Now::Same, false);
        }
        let again = decide(&settled);
        prop_assert_eq!(again.content, verdict.content);
        prop_assert_eq!(again.collections, verdict.collections);
        prop_assert!(again.clashes.is_empty());
    }
}
