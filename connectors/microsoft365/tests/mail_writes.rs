//! What the mail room writes to the sandbox's Graph: marks, moves, copies, removals, messages that are made, drafts that are written on.

#[allow(dead_code)]
mod mail_world;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_world::{World, asking, letter, lookup, mark, moved, place, sheet, words};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_model::email::Role;
use twofold_model::{CollectionId, Connector, ErrorKind, Found, Kind, Operation, Seen};
use twofold_sandbox::{Fault, Phase, Provider, Rule, Switches};

mod marks {
    use super::*;

    async fn delivered(world: &mut World, text: &str) -> Seen {
        world.deliver("inbox", text);
        let seen = world.only().await;
        world.body(&seen).await
    }

    #[tokio::test]
    async fn what_is_marked_is_answered_whole_and_comes_back_as_it_was_answered() {
        for answer in ["whole", "none"] {
            let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
            let seen = delivered(&mut world, &letter("one")).await;
            let all = ["$seen", "$flagged", "$important", "$answered", "$forwarded", "work", "blaue_kategorie"];
            let marked = world.write(world.marking(&seen, &all, &[])).await.unwrap().unwrap();
            assert_eq!(sheet(&marked).keywords, all.map(str::to_owned).into());
            assert_eq!(sheet(&marked).blob_id, sheet(&seen).blob_id, "the bytes are kept");
            let echo = world.only().await;
            let lens = world.graph.lens(Kind::Mail);
            assert_eq!(lens.settle_unknown(&marked.rendering, echo.rendering.clone()), marked.rendering, "{answer}");
            assert_eq!(echo.etag, marked.etag);
            let unmarked = world.write(world.marking(&marked, &[], &all)).await.unwrap().unwrap();
            assert!(words(&unmarked).is_empty());
            let held = world.fetch(&unmarked).await.unwrap().unwrap();
            assert!(words(&held).is_empty());
        }
    }

    #[tokio::test]
    async fn a_message_whose_bytes_are_known_only_elsewhere_can_be_marked() {
        let mut world = World::empty();
        world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        let content = world.content(&letter("one"), &["$seen"]);
        let marked = world.write(world.change(&seen, |now| *now = content)).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen"]);
        assert_eq!(String::from_utf8(world.bytes(&marked)).unwrap(), letter("one"));
    }

    #[tokio::test]
    async fn somebody_s_change_meanwhile_is_not_overwritten_and_a_new_change_key_alone_stops_nothing() {
        let mut world = World::empty();
        let seen = delivered(&mut world, &letter("one")).await;
        world.sandbox.graph_mail_restamp(seen.remote_id.as_str()).unwrap();
        let marked = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen"]);
        world.edit(&marked.remote_id, json!({"categories": ["Theirs"]}));
        let stale = world.write(world.marking(&marked, &["ours"], &[])).await.unwrap_err();
        assert_eq!(stale.kind, ErrorKind::StaleEtag);
        assert_eq!(words(&world.fetch(&marked).await.unwrap().unwrap()), ["$seen", "theirs"]);
    }

    /// A category is taken away by a list without it, and the last one by an empty list: no list would leave it.
    #[tokio::test]
    async fn last_category_removed() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"categories": ["Küche", "Work / Home"]}));
        let seen = world.only().await;
        let [kitchen, work] = words(&seen).try_into().unwrap();
        let one = world.write(world.marking(&seen, &[], &[&work])).await.unwrap().unwrap();
        assert_eq!(world.held(&id)["categories"], json!(["Küche"]));
        let none = world.write(world.marking(&one, &[], &[&kitchen])).await.unwrap().unwrap();
        assert_eq!(world.held(&id)["categories"], json!([]));
        assert!(words(&none).is_empty() && words(&world.only().await).is_empty());
    }

    /// A keyword says less than the name of its category: capitals, for one.
    #[tokio::test]
    async fn a_message_that_gets_a_category_gets_it_by_the_name_that_it_has_on_others() {
        let mut world = World::empty();
        let (named, other) = (world.deliver("inbox", &letter("one")), world.deliver("inbox", &letter("two")));
        world.edit(&named, json!({"categories": ["Grün & Blau"]}));
        let earlier = [("home".to_owned(), "Home".to_owned())];
        world.graph.learn_names(earlier.clone().into());
        let (there, _) = world.told().await;
        let [word] = words(&there[&named]).try_into().unwrap();
        world.write(world.marking(&there[&other], &[&word, "home", "never seen"], &[])).await.unwrap();
        assert_eq!(world.held(&other)["categories"], json!(["Grün & Blau", "Home"]), "a keyword has no blank");
        let inbox = world.of_role(Role::Inbox).await;
        let made = world.write(world.creation("new", &inbox, &letter("new"), &[&word])).await.unwrap().unwrap();
        assert_eq!(world.held(&made.remote_id)["categories"], json!(["Grün & Blau"]));
        let [earlier] = earlier;
        assert_eq!(world.graph.names(), [earlier, (word, "Grün & Blau".to_owned())].into());
    }

    /// A read mark and a follow-up that are set at the same time at both ends are both there in the end, also where Graph looks at no
    /// guard: a change names what it changes, and nothing else.
    #[tokio::test]
    async fn read_and_flag_race() {
        for graph_ignores_if_match in [true, false] {
            let mut world = World::with(Switches { graph_ignores_if_match, ..Switches::default() });
            let seen = delivered(&mut world, &letter("one")).await;
            let marking = world.marking(&seen, &["$seen"], &[]);
            world.edit(&seen.remote_id, json!({"flag": {"flagStatus": "flagged"}, "categories": ["Theirs"]}));
            assert_eq!(world.write(marking).await.unwrap_err().kind, ErrorKind::StaleEtag);
            // As the run does it then: it looks, merges, and sends what still differs.
            let now = world.fetch(&seen).await.unwrap().unwrap();
            let marked = world.write(world.marking(&now, &["$seen"], &[])).await.unwrap().unwrap();
            assert_eq!(words(&marked), ["$flagged", "$seen", "theirs"], "{graph_ignores_if_match}");
            let unread = world.write(world.marking(&marked, &[], &["$seen"])).await.unwrap().unwrap();
            assert_eq!(words(&unread), ["$flagged", "theirs"], "{graph_ignores_if_match}");
        }
    }

    #[tokio::test]
    async fn where_the_guard_is_ignored_somebody_s_change_is_still_nobody_s_base() {
        let mut world = World::with(Switches { graph_ignores_if_match: true, ..Switches::default() });
        let seen = delivered(&mut world, &letter("one")).await;
        world.edit(&seen.remote_id, json!({"flag": {"flagStatus": "flagged"}}));
        let stale = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap_err();
        assert_eq!(stale.kind, ErrorKind::StaleEtag);
        assert_eq!(words(&world.fetch(&seen).await.unwrap().unwrap()), ["$flagged", "$seen"]);
    }

    #[tokio::test]
    async fn a_follow_up_that_was_completed_is_not_undone_by_a_read_mark() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"flag": {"flagStatus": "complete"}}));
        let seen = world.only().await;
        let marked = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen"]);
        assert_eq!(sheet(&marked).own["flagStatus"], "complete");
    }

    /// Trap: `mdn_never_sent`.
    #[tokio::test]
    async fn no_way_of_marking_or_deleting_sends_a_receipt() {
        for answer in ["whole", "none", "stub", "nameless"] {
            let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
            let (read, deleted) = (world.deliver("inbox", &asking("1")), world.deliver("inbox", &asking("2")));
            let (carried, copied) = (world.deliver("inbox", &asking("3")), world.deliver("inbox", &asking("4")));
            let (there, _) = world.told().await;
            let trash = world.of_role(Role::Trash).await;
            assert!(sheet(&there[&read]).own.contains_key("asksReceipt"));
            let marked = world.write(world.marking(&there[&read], &["$seen", "$flagged"], &[])).await.unwrap().unwrap();
            assert_eq!(words(&marked), ["$flagged", "$seen"]);
            let gone = &there[&deleted];
            let delete = Operation::Delete { place: place(gone), etag: gone.etag.clone() };
            assert_eq!(world.write(delete).await.unwrap(), None);
            let binned = world.fetch(gone).await.unwrap().unwrap();
            assert_eq!(binned.collection, trash);
            assert!(!sheet(&binned).own.contains_key("asksReceipt"), "deleting it sends none, either");
            let there_now = world.write(moved(&there[&carried], &trash)).await.unwrap().unwrap();
            assert!(!sheet(&there_now).own.contains_key("asksReceipt"), "nor does a move there");
            let copy = Operation::Copy { of: place(&there[&copied]), collection: trash };
            let copy = world.write(copy).await.unwrap().unwrap();
            assert!(!sheet(&copy).own.contains_key("asksReceipt"), "nor a copy");
            world.write(world.marking(&binned, &["$seen"], &[])).await.unwrap();
            assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn what_is_gone_is_not_found_and_what_is_throttled_is_neither_absent_nor_done() {
        let mut world = World::empty();
        let (one, two) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        let (there, _) = world.told().await;
        world.sandbox.graph_mail_purge(one.as_str()).unwrap();
        let failed = world.write(world.marking(&there[&one], &["$seen"], &[])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::NotFound);
        let rule = Rule::any(Fault::throttled("90000")).on(Provider::Microsoft).writes().parts();
        world.sandbox.fault(rule.times(1));
        let operations =
            [world.marking(&there[&two], &["$seen"], &[]), world.marking(&there[&two], &["$flagged"], &[])];
        let failed = world.graph.write(Kind::Mail, &operations[..1]).await.pop().unwrap().unwrap_err();
        assert!(matches!(failed.kind, ErrorKind::Throttled { .. }), "{failed}");
        assert_eq!(world.held(&two)["isRead"], false);
    }

    #[tokio::test]
    async fn a_lost_reply_is_unknown_and_the_mark_is_there() {
        let mut world = World::empty();
        let seen = delivered(&mut world, &letter("one")).await;
        let marking = world.marking(&seen, &["$seen"], &[]);
        world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().parts().times(1));
        assert_eq!(world.write(marking).await.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(words(&world.fetch(&seen).await.unwrap().unwrap()), ["$seen"]);
    }
}

#[tokio::test]
async fn what_a_short_answer_does_not_say_is_read() {
    for answer in ["whole", "none", "stub", "nameless"] {
        let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
        let (work, inbox) = (world.folder("Work"), world.of_role(Role::Inbox).await);
        world.deliver("inbox", &letter("one"));
        let (there, _) = world.told().await;
        let seen = there.values().next().unwrap();
        let marking = world.marking(seen, &["$flagged", "mine"], &[]);
        let marked = world.write(marking).await.unwrap().unwrap();
        let copied =
            world.write(Operation::Copy { of: place(&marked), collection: work.clone() }).await.unwrap().unwrap();
        let moved = Operation::Move { place: place(&marked), etag: marked.etag.clone(), to: work.clone() };
        let moved = world.write(moved).await.unwrap().unwrap();
        let draft = world.of_role(Role::Drafts).await;
        let made = world.write(world.creation("new", &inbox, &letter("new"), &["$seen"])).await.unwrap().unwrap();
        let begun = world.creation("draft", &draft, &letter("draft"), &["$draft", "$seen"]);
        let begun = world.write(begun).await.unwrap().unwrap();
        for (written, marks) in [
            (&copied, &["$flagged", "mine"][..]),
            (&moved, &["$flagged", "mine"]),
            (&made, &["$seen"]),
            (&begun, &["$draft", "$seen"]),
        ] {
            let now = world.fetch(written).await.unwrap().unwrap();
            assert_eq!(words(written), marks, "{answer}");
            let said = (&written.remote_id, &written.collection, &written.etag);
            assert_eq!(said, (&now.remote_id, &now.collection, &now.etag), "{answer}");
        }
    }
}

#[tokio::test]
async fn in_rough_weather_everything_is_written_once() {
    let mut world = World::with(Switches { list_lag_s: 0, graph_reads_lag_s: 0, ..Switches::hostile() });
    let work = world.folder("Work");
    for at in 0..12 {
        world.deliver("inbox", &if at % 3 == 0 { asking(&at.to_string()) } else { letter(&at.to_string()) });
    }
    let (there, _) = world.told().await;
    let seen: Vec<&Seen> = there.values().collect();
    let mut operations: Vec<Operation> = Vec::new();
    for (at, seen) in seen.iter().enumerate() {
        operations.push(match at % 4 {
            0 => Operation::Delete { place: place(seen), etag: seen.etag.clone() },
            1 => Operation::Move { place: place(seen), etag: seen.etag.clone(), to: work.clone() },
            _ => world.marking(seen, &["$seen", "$answered", "mine"], &[]),
        });
    }
    operations.push(world.creation("made", &work, &letter("made"), &["$flagged"]));
    let written = world.graph.write(Kind::Mail, &operations).await;
    let trash = world.of_role(Role::Trash).await;
    for (at, (written, seen)) in written.iter().zip(&seen).enumerate() {
        let written = written.as_ref().unwrap_or_else(|error| panic!("{at}: {error}"));
        let now = world.fetch(seen).await.unwrap().unwrap();
        match at % 4 {
            0 => assert_eq!(now.collection, trash),
            1 => assert_eq!(now.collection, work),
            _ => assert_eq!(words(&now), ["$answered", "$seen", "mine"]),
        }
        if let Some(written) = written {
            assert_eq!(words(written), words(&now), "{at}");
        }
    }
    let made = written[12].as_ref().unwrap().as_ref().unwrap();
    assert_eq!(words(&world.fetch(made).await.unwrap().unwrap()), ["$flagged"]);
    assert_eq!(world.sandbox.graph_mail_messages().len(), 13);
    assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
}

mod carrying {
    use super::*;

    fn deleted(seen: &Seen) -> Operation {
        Operation::Delete { place: place(seen), etag: seen.etag.clone() }
    }

    #[tokio::test]
    async fn a_move_keeps_the_id_and_what_was_said_and_echoes_as_it_was_answered() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"singleValueExtendedProperties": [{"id": "Integer 0x1081", "value": "102"}]}));
        let seen = world.only().await;
        let work = world.folder("Work");
        let there = world.write(moved(&seen, &work)).await.unwrap().unwrap();
        assert_eq!((&there.remote_id, &there.collection), (&id, &work));
        assert_eq!(words(&there), ["$answered"]);
        let (echo, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([id.clone()]));
        assert_eq!((&echo[&id].rendering, &echo[&id].etag), (&there.rendering, &there.etag));
        // Once more, as after a lost reply: it stands there already.
        assert_eq!(world.write(moved(&seen, &work)).await.unwrap().unwrap().collection, work);
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    }

    #[tokio::test]
    async fn what_changed_or_stands_elsewhere_is_not_moved() {
        let mut world = World::empty();
        let (edited, elsewhere, purged) = (
            world.deliver("inbox", &letter("1")),
            world.deliver("inbox", &letter("2")),
            world.deliver("inbox", &letter("3")),
        );
        let (there, _) = world.told().await;
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        world.edit(&edited, json!({"isRead": true}));
        world.sandbox.graph_mail_move(elsewhere.as_str(), other.as_str()).unwrap();
        world.sandbox.graph_mail_purge(purged.as_str()).unwrap();
        let ids = [(&edited, ErrorKind::StaleEtag), (&elsewhere, ErrorKind::NotFound), (&purged, ErrorKind::NotFound)];
        for (id, kind) in ids {
            assert_eq!(world.write(moved(&there[id], &work)).await.unwrap_err().kind, kind, "{id}");
        }
        // A delete speaks of the folder: what stands elsewhere, or nowhere, is gone from it as asked.
        assert_eq!(world.write(deleted(&there[&edited])).await.unwrap_err().kind, ErrorKind::StaleEtag);
        for id in [&elsewhere, &purged] {
            assert_eq!(world.write(deleted(&there[id])).await.unwrap(), None, "{id}");
        }
        assert_eq!(world.held(&elsewhere)["folder"], json!(["Other"]));
    }

    #[tokio::test]
    async fn a_copy_is_a_message_of_its_own() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        let work = world.folder("Work");
        let copy = Operation::Copy { of: place(&seen), collection: work.clone() };
        let copied = world.write(copy).await.unwrap().unwrap();
        assert_eq!(copied.collection, work);
        assert_ne!((&copied.remote_id, &copied.uid), (&id, &seen.uid));
        assert_eq!(world.only().await.remote_id, copied.remote_id);
    }

    #[tokio::test]
    async fn a_copy_of_a_message_that_somebody_marks_at_that_moment_is_answered_as_it_was_made() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        let work = world.folder("Work");
        world.collections().await;
        // Right after the look at it, before it is copied.
        let (sandbox, of, is_done) = (world.sandbox.clone(), id.0.clone(), AtomicBool::new(false));
        world.sandbox.set_hook(Some(Arc::new(move |_info, phase| {
            if phase == Phase::After && !is_done.swap(true, Ordering::SeqCst) {
                sandbox.graph_mail_edit(&of, &json!({"isRead": true})).unwrap();
            }
        })));
        let copied =
            world.write(Operation::Copy { of: place(&seen), collection: work.clone() }).await.unwrap().unwrap();
        world.sandbox.set_hook(None);
        assert!(words(&seen).is_empty());
        assert_eq!((&copied.collection, words(&copied)), (&work, vec!["$seen".to_owned()]));
        assert_eq!(world.sandbox.graph_mail_messages().len(), 2);
    }

    #[tokio::test]
    async fn a_delete_goes_to_deleted_items_and_no_further() {
        let mut world = World::empty();
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        assert_eq!(world.write(deleted(&seen)).await.unwrap(), None);
        let (there, gone) = world.told().await;
        assert_eq!(gone, BTreeSet::from([id.clone()]));
        let refused = world.write(deleted(&there[&id])).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Refused);
        assert!(refused.message.contains("Deleted Items"), "{refused}");
        assert_eq!(world.held(&id)["folder"], json!(["Gelöschte Elemente"]));
        assert_eq!(world.write(deleted(&seen)).await.unwrap(), None, "it is gone from the inbox already");
    }

    #[tokio::test]
    async fn many_are_moved_in_one_batch_and_each_is_answered_in_its_turn() {
        let mut world = World::empty();
        for at in 0..5 {
            world.deliver("inbox", &letter(&at.to_string()));
        }
        let (there, _) = world.told().await;
        let work = world.folder("Work");
        world.collections().await;
        let operations: Vec<Operation> = there.values().map(|seen| moved(seen, &work)).collect();
        let before = world.requests();
        let written = world.graph.write(Kind::Mail, &operations).await;
        assert_eq!(world.requests() - before, 2, "one to look, one to move");
        for (written, seen) in written.into_iter().zip(there.values()) {
            assert_eq!(written.unwrap().unwrap().remote_id, seen.remote_id);
        }
    }
}

mod making {
    use super::*;

    async fn find(world: &World, item: &str, collection: &CollectionId, later_ms: i64) -> Found {
        world.graph.find(Kind::Mail, &[lookup(item, collection, 0)], later_ms).await.pop().unwrap().unwrap()
    }

    /// Trap: `appended_mail_not_draft`.
    #[tokio::test]
    async fn a_message_is_made_as_received_in_one_request_with_its_date_and_keeps_its_bytes_here() {
        let mut world = World::empty();
        let work = world.folder("Work");
        world.pull().await.unwrap();
        let operation = world.creation("one", &work, &letter("one"), &["$seen", "$flagged", "blaue_kategorie"]);
        let before = world.requests();
        let made = world.write(operation).await.unwrap().unwrap();
        assert_eq!(world.requests() - before, 1);
        assert_eq!((&made.collection, &made.mark), (&work, &Some(mark("one"))));
        let sheet = sheet(&made);
        assert_eq!(words(&made), ["$flagged", "$seen", "blaue_kategorie"]);
        assert_eq!(sheet.received_ms, Some(1_772_438_400_000));
        assert_eq!(String::from_utf8(world.bytes(&made)).unwrap(), letter("one"));
        let held = world.held(&made.remote_id);
        assert_eq!((&held["isDraft"], &held["subject"]), (&json!(false), &json!("one")), "{held}");
        let echo = world.only().await;
        assert_eq!(echo.mark, Some(mark("one")));
        let lens = world.graph.lens(Kind::Mail);
        assert_eq!(lens.settle_unknown(&made.rendering, echo.rendering.clone()), made.rendering);
        assert!(world.sandbox.graph_mails().is_empty(), "nobody hears of it");
    }

    #[tokio::test]
    async fn where_only_drafts_can_be_made_what_became_one_is_taken_back_and_says_so() {
        let world = World::with(Switches { graph_obeys_message_flags: false, ..Switches::default() });
        let work = world.folder("Work");
        let failed = world.write(world.creation("one", &work, &letter("one"), &["$seen"])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unsupported, "{failed}");
        let all = world.sandbox.graph_mail_messages();
        assert_eq!((all.len(), &all[0]["folder"]), (1, &json!(["Gelöschte Elemente"])));
        assert!(matches!(find(&world, "one", &work, 100_000).await, Found::Nowhere));
    }

    /// Trap: `crash_in_append_no_draft`. There is one request, so that nothing stands between it and the message.
    #[tokio::test]
    async fn a_create_whose_reply_is_lost_is_found_by_its_mark_wherever_it_is() {
        let world = World::empty();
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        let operation = world.creation("one", &work, &letter("one"), &[]);
        world.fault_writes(Fault::DropAfter);
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Unknown);
        let Found::Here(found) = find(&world, "one", &work, 0).await else { panic!("it is there") };
        assert_eq!((&found.collection, &found.mark), (&work, &Some(mark("one"))));
        world.sandbox.graph_mail_move(found.remote_id.as_str(), other.as_str()).unwrap();
        let Found::Here(moved) = find(&world, "one", &work, 100_000).await else { panic!("it is there") };
        assert_eq!(moved.collection, other);
        assert!(matches!(find(&world, "two", &work, 0).await, Found::NotBefore(_)));
        assert!(matches!(find(&world, "two", &work, 100_000).await, Found::Nowhere));
        world.sandbox.graph_mail_folder_delete(work.as_str()).unwrap();
        world.sandbox.graph_mail_folder_delete(work.as_str()).unwrap();
        assert!(matches!(find(&world, "one", &work, 100_000).await, Found::Here(_)), "the folder is gone");
    }

    #[tokio::test]
    async fn a_message_that_asks_for_a_receipt_is_made_read_and_nobody_gets_one() {
        let world = World::empty();
        let inbox = world.of_role(Role::Inbox).await;
        let operation = world.creation("one", &inbox, &asking("one"), &["$seen"]);
        assert_eq!(words(&world.write(operation).await.unwrap().unwrap()), ["$seen"]);
        assert_eq!(world.sandbox.graph_read_receipts(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_draft_is_made_as_a_draft_and_written_on_in_place_while_only_its_text_changes() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        world.pull().await.unwrap();
        let made =
            world.write(world.creation("one", &drafts, &letter("one"), &["$draft", "$seen"])).await.unwrap().unwrap();
        assert_eq!(words(&made), ["$draft", "$seen"]);
        let text = letter("one").replace("Hello", "Good morning");
        let content = world.content(&text, &["$draft", "$seen", "$flagged"]);
        let operation = world.change(&made, |now| *now = content);
        let written = world.write(operation).await.unwrap().unwrap();
        assert_eq!(written.remote_id, made.remote_id);
        assert_eq!(words(&written), ["$draft", "$flagged", "$seen"]);
        assert_eq!(String::from_utf8(world.bytes(&written)).unwrap(), text);
        let raw = String::from_utf8(world.sandbox.graph_mail_raw(made.remote_id.as_str()).unwrap().to_vec()).unwrap();
        assert!(raw.contains(&STANDARD.encode("Good morning, one.\r\n")), "{raw}");
        let echo = world.only().await;
        let lens = world.graph.lens(Kind::Mail);
        assert_eq!(
            lens.settle_unknown(&written.rendering, echo.rendering.clone()),
            written.rendering,
            "no other state of it"
        );
    }

    fn with_file(subject: &str) -> String {
        let letter = letter(subject);
        let (head, text) = letter.split_once("\r\n\r\n").unwrap();
        format!(
            "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{text}\r\n--b\r\n\
             Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\n%PDF\r\n--b--\r\n"
        )
    }

    #[tokio::test]
    async fn a_draft_with_another_file_takes_the_place_of_the_old_one_once() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        let content = world.content(&with_file("one"), &["$draft"]);
        let operation = world.change(&made, |now| *now = content);
        // The reply to the new draft is lost: it is there, and found by the repeat.
        world.fault_writes(Fault::DropAfter);
        assert_eq!(world.write(operation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
        let written = world.write(operation).await.unwrap().unwrap();
        assert_ne!(written.remote_id, made.remote_id);
        assert_eq!(String::from_utf8(world.bytes(&written)).unwrap(), with_file("one"));
        let stands: Vec<(Value, bool)> = world
            .sandbox
            .graph_mail_messages()
            .into_iter()
            .map(|message| (message["folder"].clone(), message["id"] == written.remote_id.as_str()))
            .collect();
        assert_eq!(stands.len(), 2, "{stands:?}");
        assert!(
            stands.contains(&(json!(["Entwürfe"]), true)) && stands.contains(&(json!(["Gelöschte Elemente"]), false))
        );
    }

    #[tokio::test]
    async fn a_draft_in_the_trash_gets_its_other_text_and_the_old_one_stays_beside_it() {
        let mut world = World::empty();
        let trash = world.of_role(Role::Trash).await;
        let made = world.write(world.creation("one", &trash, &letter("one"), &["$draft"])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        let content = world.content(&with_file("one"), &["$draft"]);
        let operation = world.change(&made, |now| *now = content);
        let written = world.write(operation).await.unwrap().unwrap();
        assert_eq!(String::from_utf8(world.bytes(&written)).unwrap(), with_file("one"));
        let folders: Vec<Value> =
            world.sandbox.graph_mail_messages().into_iter().map(|message| message["folder"].clone()).collect();
        assert_eq!(folders, [json!(["Gelöschte Elemente"]), json!(["Gelöschte Elemente"])]);
    }

    #[tokio::test]
    async fn a_draft_that_somebody_wrote_on_is_not_overwritten() {
        let mut world = World::empty();
        let drafts = world.of_role(Role::Drafts).await;
        let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        world.edit(&made.remote_id, json!({"subject": "theirs"}));
        for text in [letter("ours"), with_file("ours")] {
            let content = world.content(&text, &["$draft"]);
            let failed = world.write(world.change(&made, |now| *now = content)).await.unwrap_err();
            assert_eq!(failed.kind, ErrorKind::StaleEtag);
        }
        assert_eq!(world.held(&made.remote_id)["subject"], "theirs");
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    }

    #[tokio::test]
    async fn received_mail_has_the_bytes_that_it_has_and_what_is_too_large_is_not_made() {
        let mut world = World::empty();
        world.deliver("inbox", &letter("one"));
        let listed = world.only().await;
        let seen = world.body(&listed).await;
        let content = world.content(&letter("two"), &[]);
        let failed = world.write(world.change(&seen, |now| *now = content)).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unsupported);
        let large = format!("{}{}", letter("large"), "x".repeat(4_000_000));
        let operation = world.creation("large", &seen.collection, &large, &[]);
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Unsupported);
    }
}
