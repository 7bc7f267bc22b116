//! Mail: each test turns the sandbox's switch both ways and finds the outcome right.

use crate::mail_world::{World, asking, letter, lookup, mark, moved, place, sheet, words};
use serde_json::json;
use std::collections::BTreeSet;
use twofold_model::email::Role;
use twofold_model::{Collection, Connector, ErrorKind, Found, Kind, Operation, RemoteId, Seen};
use twofold_sandbox::{Fault, Provider, Rule, Switches};

fn with(set: impl FnOnce(&mut Switches)) -> World {
    let mut switches = Switches::default();
    set(&mut switches);
    World::with(switches)
}

#[tokio::test]
async fn a_message_that_left_and_came_back_is_there_whatever_the_delta_tells() {
    for hole in [true, false] {
        let mut world = with(|switches| switches.graph_immutable_move_hole = hole);
        let id = world.deliver("inbox", &letter("one"));
        let before = world.only().await;
        let work = world.folder("Work");
        world.sandbox.graph_mail_move(id.as_str(), work.as_str()).unwrap();
        world.sandbox.graph_mail_move(id.as_str(), "inbox").unwrap();
        let (there, gone) = world.told().await;
        assert_eq!((there.contains_key(&id), gone.contains(&id)), (!hole, hole));
        assert_eq!(world.fetch(&before).await.unwrap().unwrap().collection, before.collection, "{hole}");
    }
}

#[tokio::test]
async fn a_message_that_moved_is_found_whether_its_new_folder_tells_it_or_not() {
    for missing in [true, false] {
        for reason in ["deleted", "changed"] {
            let mut world = with(|switches| {
                switches.graph_mail_move_missing_at_goal = missing;
                switches.graph_moved_reason = reason.into();
            });
            let work = world.folder("Work");
            let id = world.deliver("inbox", &letter("one"));
            let before = world.only().await;
            world.sandbox.graph_mail_move(id.as_str(), work.as_str()).unwrap();
            let (there, gone) = world.told().await;
            assert_eq!((there.contains_key(&id), gone), (!missing, BTreeSet::from([id])), "{missing} {reason}");
            assert_eq!(world.fetch(&before).await.unwrap().unwrap().collection, work);
        }
    }
}

#[tokio::test]
async fn a_read_mark_that_is_told_alone_takes_nothing_else_away() {
    for alone in [true, false] {
        let mut world = with(|switches| switches.graph_delta_read_state_alone = alone);
        let id = world.deliver("inbox", &letter("one"));
        world.edit(&id, json!({"categories": ["Work"], "flag": {"flagStatus": "flagged"}}));
        world.pull().await.unwrap();
        world.edit(&id, json!({"isRead": true}));
        assert_eq!(words(&world.only().await), ["$flagged", "$seen", "work"], "{alone}");
    }
}

#[tokio::test]
async fn a_read_mark_is_seen_at_last_however_far_a_message_lags_behind_its_row() {
    for lag_s in [0, 60] {
        let mut world = with(|switches| switches.graph_reads_lag_s = lag_s);
        let id = world.deliver("inbox", &letter("one"));
        world.sandbox.clock().advance_ms(100_000);
        world.pull().await.unwrap();
        world.edit(&id, json!({"isRead": true}));
        let first = world.told().await.0.remove(&id).unwrap();
        world.sandbox.clock().advance_ms(100_000);
        let second = world.told().await.0.remove(&id);
        assert_eq!(second.is_some(), lag_s > 0, "only what did not fit is looked at once more");
        assert_eq!(words(&second.unwrap_or(first)), ["$seen"], "{lag_s}");
    }
}

#[tokio::test]
async fn messages_that_left_long_ago_are_no_news_to_a_listing() {
    for removes in [true, false] {
        let mut world = with(|switches| switches.graph_delta_first_round_removes = removes);
        let (kept, gone) = (world.deliver("inbox", &letter("1")), world.deliver("inbox", &letter("2")));
        world.sandbox.graph_mail_purge(gone.as_str()).unwrap();
        assert_eq!(world.only().await.remote_id, kept, "{removes}");
    }
}

#[tokio::test]
async fn a_message_that_only_recoverable_items_have_is_gone_in_both_ways_of_saying_so() {
    for hides in [true, false] {
        let mut world = with(|switches| switches.graph_recoverable_answers_404 = hides);
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        world.sandbox.graph_mail_delete(id.as_str()).unwrap();
        world.sandbox.graph_mail_delete(id.as_str()).unwrap();
        assert_eq!(world.fetch(&seen).await.unwrap(), None, "{hides}");
    }
}

#[tokio::test]
async fn folders_of_other_things_are_no_mailboxes_whether_the_delta_tells_them_or_not() {
    for tells in [true, false] {
        let world = with(|switches| switches.graph_folder_delta_tells_other_folders = tells);
        let names: Vec<String> = world.collections().await.into_iter().map(|collection| collection.name).collect();
        assert!(!names.contains(&"Kalender".to_owned()) && names.contains(&"INBOX".to_owned()), "{names:?}");
    }
}

#[tokio::test]
async fn a_folder_that_somebody_deletes_stands_in_deleted_items_whether_the_delta_calls_it_removed_or_not() {
    for removes in ["moved", "removed", "before"] {
        let world = with(|switches| switches.graph_folder_delta_binned = removes.into());
        let old = world.folder("Old");
        let below = world.sandbox.graph_mail_folder_create(old.as_str(), "Below").unwrap();
        world.sandbox.graph_mail_folder_delete(old.as_str()).unwrap();
        let named = |all: Vec<Collection>, id: &str| {
            all.into_iter().find(|collection| collection.id.as_str() == id).map(|collection| collection.name)
        };
        let all = world.collections().await;
        assert_eq!(named(all.clone(), old.as_str()).as_deref(), Some("Gelöschte Elemente/Old"), "{removes}");
        assert_eq!(named(all, &below).as_deref(), Some("Gelöschte Elemente/Old/Below"), "{removes}");
        world.sandbox.graph_mail_folder_delete(old.as_str()).unwrap();
        assert_eq!(named(world.collections().await, old.as_str()), None, "{removes}: from there it goes for good");
        // Where that list is not to be had, mail goes on with what the delta tells.
        for status in [400, 403, 404] {
            world.sandbox.fault(Rule::any(Fault::status(status)).path("/deleteditems/childFolders").times(1));
            assert!(world.names().await.contains(&"INBOX".to_owned()), "{removes} {status}");
            assert_eq!(world.sandbox.with(|state| state.faults.struck()), 1, "{removes} {status}");
            world.sandbox.with(|state| state.faults.clear());
        }
    }
}

#[tokio::test]
async fn the_bytes_that_were_read_first_stay_however_they_are_written_anew() {
    for rewritten in ["never", "once", "each"] {
        let mut world = with(|switches| switches.graph_mime_rewritten = rewritten.into());
        let id = world.deliver("inbox", &letter("one"));
        let listed = world.only().await;
        let whole = world.body(&listed).await;
        world.edit(&id, json!({"isRead": true}));
        let now = world.only().await;
        let settled = world.graph.lens(Kind::Mail).settle_unknown(&whole.rendering, now.rendering.clone());
        let settled = sheet(&Seen { rendering: settled, ..now });
        assert_eq!(settled.blob_id, sheet(&whole).blob_id, "{rewritten}");
        assert_eq!(settled.says["messageId"], json!(["one@example.org"]), "{rewritten}");
    }
}

#[tokio::test]
async fn what_is_made_looks_received_or_is_not_made_at_all() {
    for obeys in [true, false] {
        let world = with(|switches| switches.graph_obeys_message_flags = obeys);
        let work = world.folder("Work");
        let made = world.write(world.creation("one", &work, &letter("one"), &["$seen"])).await;
        let held = world.sandbox.graph_mail_messages().pop().unwrap();
        if obeys {
            assert_eq!(words(&made.unwrap().unwrap()), ["$seen"]);
            assert_eq!((&held["isDraft"], &held["folder"]), (&json!(false), &json!(["Work"])));
        } else {
            assert_eq!(made.unwrap_err().kind, ErrorKind::Unsupported);
            assert_eq!(held["folder"], json!(["Gelöschte Elemente"]));
        }
    }
}

#[tokio::test]
async fn a_date_and_a_header_that_are_not_taken_are_no_change_of_the_message() {
    for (date, header) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = with(|switches| {
            switches.graph_obeys_delivery_time = date;
            switches.graph_keeps_transport_headers = header;
        });
        let work = world.folder("Work");
        let made = world.write(world.creation("one", &work, &letter("one"), &[])).await.unwrap().unwrap();
        let echo = world.only().await;
        let lens = world.graph.lens(Kind::Mail);
        let settled = lens.settle_unknown(&made.rendering, echo.rendering.clone());
        assert_eq!(lens.read(&settled).unwrap(), lens.read(&made.rendering).unwrap(), "{date} {header}");
        assert_eq!(lens.read(&made.rendering).unwrap(), world.content(&letter("one"), &[]));
    }
}

#[tokio::test]
async fn nobody_gets_a_receipt_whether_reading_sends_one_or_not() {
    for sends in [true, false] {
        let mut world = with(|switches| switches.graph_reading_sends_receipts = sends);
        world.deliver("inbox", &asking("one"));
        let seen = world.only().await;
        let read = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&read), ["$seen"]);
        let delete = Operation::Delete { place: place(&read), etag: read.etag.clone() };
        world.write(delete).await.unwrap();
        assert!(world.sandbox.graph_mails().is_empty(), "{sends}");
    }
}

#[tokio::test]
async fn a_stale_message_is_refused_or_only_what_was_changed_is_sent() {
    for ignores in [true, false] {
        let mut world = with(|switches| switches.graph_ignores_if_match = ignores);
        let id = world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        world.edit(&id, json!({"flag": {"flagStatus": "flagged"}}));
        let failed = world.write(world.marking(&seen, &["$seen"], &[])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::StaleEtag, "their change is nobody's base");
        let now = words(&world.fetch(&seen).await.unwrap().unwrap());
        assert!(now.contains(&"$flagged".to_owned()), "{now:?}");
    }
}

#[tokio::test]
async fn a_conflict_without_another_writer_stops_no_mark() {
    for every in [0, 3] {
        let mut world = with(|switches| switches.graph_false_conflict = every);
        for at in 0..4 {
            world.deliver("inbox", &letter(&at.to_string()));
        }
        let (there, _) = world.told().await;
        let operations: Vec<Operation> = there.values().map(|seen| world.marking(seen, &["$seen"], &[])).collect();
        let written = world.graph.write(Kind::Mail, &operations).await;
        let failed: Vec<ErrorKind> = written.iter().filter_map(|answer| Some(answer.as_ref().err()?.kind)).collect();
        assert!(failed.is_empty(), "{every}: {failed:?}");
    }
}

#[tokio::test]
async fn what_an_answer_does_not_show_is_looked_at() {
    for answer in ["whole", "none"] {
        let mut world = with(|switches| switches.graph_patch_answer = answer.into());
        world.deliver("inbox", &letter("one"));
        let seen = world.only().await;
        let marked = world.write(world.marking(&seen, &["$answered", "work"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$answered", "work"], "{answer}");
        assert_eq!(world.only().await.etag, marked.etag, "{answer}");
    }
}

#[tokio::test]
async fn a_lost_message_is_looked_for_until_a_filter_must_show_it() {
    for lag_s in [0, 50] {
        let world = with(|switches| switches.graph_filter_lag_s = lag_s);
        let inbox = world.of_role(Role::Inbox).await;
        let operation = world.creation("one", &inbox, &letter("one"), &[]);
        world.fault_writes(Fault::DropAfter);
        assert_eq!(world.write(operation).await.unwrap_err().kind, ErrorKind::Unknown);
        let now_ms = world.sandbox.clock().now_ms();
        let find = async |at_ms| {
            world.graph.find(Kind::Mail, &[lookup("one", &inbox, now_ms)], at_ms).await.pop().unwrap().unwrap()
        };
        let found = match find(now_ms).await {
            Found::NotBefore(at_ms) => {
                assert!(lag_s > 0);
                world.sandbox.clock().advance_ms(at_ms - now_ms);
                find(at_ms).await
            }
            found => found,
        };
        assert!(matches!(found, Found::Here(seen) if seen.mark == Some(mark("one"))), "{lag_s}");
    }
}

#[tokio::test]
async fn a_message_that_somebody_moved_is_moved_on_and_never_lost_whatever_stays_behind() {
    for duplicates in [true, false] {
        let mut world = with(|switches| switches.graph_move_after_move_duplicates = duplicates);
        let id = world.deliver("inbox", &letter("one"));
        let (work, other) = (world.folder("Work"), world.folder("Other"));
        world.pull().await.unwrap();
        world.sandbox.graph_mail_move(id.as_str(), work.as_str()).unwrap();
        let seen = world.told().await.0.remove(&id).unwrap();
        let there = world.write(moved(&seen, &other)).await.unwrap().unwrap();
        assert_eq!((&there.remote_id, &there.collection), (&id, &other));
        // What stays behind is another message, and is told as one.
        let (told, gone) = world.told().await;
        assert!(gone.contains(&id));
        let strangers: Vec<&RemoteId> = told.keys().filter(|told| **told != id).collect();
        assert_eq!(strangers.len(), usize::from(duplicates));
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1 + usize::from(duplicates));
    }
}

/// A letter with a file of so many bytes, and at most a line more.
fn with_file(subject: &str, length: usize) -> String {
    let head = letter(subject).replacen(
        "\r\n\r\n",
        "\r\nContent-Type: text/plain; name=a.txt\r\nContent-Disposition: attachment\r\n\r\n",
        1,
    );
    let line = format!("{}\r\n", "0123456789".repeat(7));
    head + &line.repeat(length / line.len() + 1)
}

fn is_whole(world: &World, seen: &Seen, text: &str) -> bool {
    let raw = world.sandbox.graph_mail_raw(seen.remote_id.as_str()).unwrap();
    let parsed = mail_parser::MessageParser::default().parse(&raw).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    parsed.attachment_count() == 1 && parsed.attachment(0).unwrap().contents() == body.as_bytes()
}

#[tokio::test]
async fn a_large_message_is_whole_and_counts_as_received_whether_others_take_files_or_not() {
    for takes in [true, false] {
        let mut world = with(|switches| switches.graph_received_take_attachments = takes);
        let (inbox, text) = (world.of_role(Role::Inbox).await, with_file("one", 4 << 20));
        let made = world.write(world.creation("one", &inbox, &text, &["$seen"])).await.unwrap().unwrap();
        assert_eq!((words(&made), words(&world.only().await)), (vec!["$seen".to_owned()], vec!["$seen".to_owned()]));
        assert!(is_whole(&world, &made, &text), "{takes}");
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_is_made_good_whether_its_session_says_how_far_it_is_or_not() {
    for tells in [true, false] {
        let world = with(|switches| switches.graph_upload_tells_state = tells);
        let (inbox, text) = (world.of_role(Role::Inbox).await, with_file("one", 4 << 20));
        let cut = Rule::any(Fault::DropBefore).on(Provider::Microsoft).path("AttachmentSessions").writes();
        world.sandbox.fault(cut.skip(1).times(1));
        let made = match world.write(world.creation("one", &inbox, &text, &[])).await {
            Ok(made) => made.unwrap(),
            Err(error) => {
                assert!(!tells && error.kind == ErrorKind::Unknown, "{error}");
                let asked = [lookup("one", &inbox, 0)];
                let at_ms = world.sandbox.clock().now_ms();
                let found = world.graph.find(Kind::Mail, &asked, at_ms).await.pop().unwrap().unwrap();
                let Found::Here(seen) = found else { panic!("{found:?}") };
                *seen
            }
        };
        assert!(is_whole(&world, &made, &text), "{tells}");
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    }
}

#[tokio::test]
async fn an_upload_is_followed_however_its_answers_are_written() {
    for (status, capitals) in [(200, true), (200, false), (202, true), (202, false)] {
        let world = with(|switches| {
            switches.graph_upload_status = status;
            switches.graph_upload_capital_names = capitals;
        });
        let (inbox, text) = (world.of_role(Role::Inbox).await, with_file("one", 4 << 20));
        let made = world.write(world.creation("one", &inbox, &text, &[])).await.unwrap().unwrap();
        assert!(is_whole(&world, &made, &text), "{status} {capitals}");
    }
}

#[tokio::test]
async fn a_copy_of_what_we_made_is_never_taken_for_it_whether_it_keeps_our_mark_or_not() {
    for keeps in [true, false] {
        let mut world = with(|switches| switches.graph_copy_keeps_properties = keeps);
        let (inbox, work) = (world.of_role(Role::Inbox).await, world.folder("Work"));
        let made = world.write(world.creation("one", &inbox, &letter("one"), &[])).await.unwrap().unwrap();
        let seen = world.only().await;
        assert_eq!(seen.mark, Some(mark("one")));
        world.sandbox.clock().advance_ms(100_000);
        let copy = Operation::Copy { of: place(&seen), collection: work.clone() };
        let copied = world.write(copy).await.unwrap().unwrap();
        assert_ne!(copied.remote_id, made.remote_id);
        let told = world.only().await;
        assert_eq!((&told.remote_id, told.mark.is_some()), (&copied.remote_id, keeps));
        // Whoever looks for the create finds what was made, and not its copy.
        let asked = [lookup("one", &inbox, 0)];
        let at_ms = world.sandbox.clock().now_ms();
        let found = world.graph.find(Kind::Mail, &asked, at_ms).await.pop().unwrap().unwrap();
        let Found::Here(found) = found else { panic!("{found:?}") };
        assert_eq!(found.remote_id, made.remote_id, "{keeps}");
    }
}

#[tokio::test]
async fn a_file_about_the_limit_is_attached_however_a_mb_is_counted() {
    for from in [3_000_000, 3 * 1024 * 1024] {
        let world = with(|switches| switches.graph_session_from_bytes = from);
        let (inbox, text) = (world.of_role(Role::Inbox).await, with_file("one", 3_050_000));
        let made = world.write(world.creation("one", &inbox, &text, &[])).await.unwrap().unwrap();
        assert!(is_whole(&world, &made, &text), "{from}");
    }
}

#[tokio::test]
async fn a_large_message_is_whole_whatever_its_files_are_called_there() {
    for renames in [false, true] {
        let mut world = with(|switches| switches.graph_renames_files = renames);
        let (inbox, text) = (world.of_role(Role::Inbox).await, with_file("one", 4 << 20));
        let made = world.write(world.creation("one", &inbox, &text, &[])).await.unwrap().unwrap();
        let seen = world.only().await;
        assert_eq!(seen.remote_id, made.remote_id, "{renames}");
        assert_eq!(world.sandbox.graph_mail_messages().len(), 1, "{renames}: it is not made a second time");
    }
}

#[tokio::test]
async fn a_message_in_a_folder_that_no_list_tells_yet_is_not_gone_and_one_in_a_hidden_folder_is() {
    let mut world = World::empty();
    let (new, deep, hidden, sent) = (
        world.deliver("inbox", &letter("1")),
        world.deliver("inbox", &letter("2")),
        world.deliver("inbox", &letter("3")),
        world.deliver("inbox", &letter("4")),
    );
    let (before, _) = world.told().await;
    let fresh = world.sandbox.graph_mail_folder_create("inbox", "Fresh").unwrap();
    let below = world.sandbox.graph_mail_folder_create(&fresh, "Below").unwrap();
    let shy = world.sandbox.graph_mail_folder_hide("inbox", "Shy").unwrap();
    world.sandbox.switch(|switches| switches.graph_folder_delta_hides = "Fresh".into());
    for (id, folder) in [(&new, fresh.as_str()), (&deep, &below), (&hidden, &shy), (&sent, "outbox")] {
        world.sandbox.graph_mail_move(id.as_str(), folder).unwrap();
    }
    let (_, gone) = world.told().await;
    assert_eq!(gone.len(), 4);
    for id in [&new, &deep] {
        assert_eq!(world.fetch(&before[id]).await.unwrap_err().kind, ErrorKind::Unknown);
    }
    for id in [&hidden, &sent] {
        assert_eq!(world.fetch(&before[id]).await.unwrap(), None);
    }
    world.sandbox.switch(|switches| switches.graph_folder_delta_hides = String::new());
    for (id, folder) in [(&new, fresh), (&deep, below)] {
        assert_eq!(world.fetch(&before[id]).await.unwrap().unwrap().collection.as_str(), folder);
    }
}
