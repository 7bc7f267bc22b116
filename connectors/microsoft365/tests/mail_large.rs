//! Messages that are larger than one request, at the sandbox's Graph: made whole or not at all, whatever is cut on the way.

#[allow(dead_code)]
mod mail_world;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{MessageParser, MimeHeaders};
use mail_world::{World, letter, lookup, mark, moved, place, sheet, words};
use serde_json::{Value, json};
use std::sync::LazyLock;
use twofold_model::email::Role;
use twofold_model::{Connector, ErrorKind, Found, Kind, Operation, RemoteId, Seen};
use twofold_sandbox::{Fault, Provider, Rule, Switches};

const MB: usize = 1024 * 1024;
const LARGE: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-large";
const NAMES: [&str; 3] = ["plan.pdf", "note.txt", "photo.jpg"];

/// Bytes that are nowhere the same.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// What is attached: two files that take two ranges each, and a short one between them.
fn contents() -> &'static [Vec<u8>; 3] {
    static CONTENTS: LazyLock<[Vec<u8>; 3]> =
        LazyLock::new(|| [noise(4 * MB, 1), b"short\r\n".to_vec(), noise(4 * MB + 7, 2)]);
    &CONTENTS
}

fn large(subject: &str) -> String {
    let head = letter(subject);
    let (head, text) = head.split_once("\r\n\r\n").unwrap();
    let mut mail = format!(
        "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
         Content-Type: text/plain\r\n\r\n{text}"
    );
    for (name, bytes) in NAMES.iter().zip(contents()) {
        mail += &format!(
            "\r\n--m\r\nContent-Type: application/octet-stream; name={name}\r\nContent-Disposition: attachment; filename={name}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n"
        );
        for line in STANDARD.encode(bytes).as_bytes().chunks(76) {
            mail.push_str(std::str::from_utf8(line).unwrap());
            mail.push_str("\r\n");
        }
    }
    mail + "--m--\r\n"
}

fn large_of(world: &World, id: &RemoteId) -> Value {
    world.held(id)["extended"][LARGE].clone()
}

/// Only that message is there, once, with all its files.
fn assert_whole(world: &World, made: &Seen) {
    assert_eq!(world.sandbox.graph_mail_messages().len(), 1);
    let raw = world.sandbox.graph_mail_raw(made.remote_id.as_str()).unwrap();
    let message = MessageParser::default().parse(&raw).unwrap();
    let files: Vec<(String, Vec<u8>)> = message
        .attachments()
        .map(|part| (part.attachment_name().unwrap_or_default().to_owned(), part.contents().to_vec()))
        .collect();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, NAMES);
    for ((name, bytes), expected) in files.iter().zip(contents()) {
        assert!(bytes == expected, "{name} has other bytes");
    }
    assert_eq!(large_of(world, &made.remote_id), "received");
}

async fn find(world: &World, item: &str, made_in: &Seen) -> Found {
    let later_ms = world.sandbox.clock().now_ms() + 120_000;
    let asked = [lookup(item, &made_in.collection, 0)];
    world.graph.find(Kind::Mail, &asked, later_ms).await.pop().unwrap().unwrap()
}

#[tokio::test]
async fn a_large_message_is_made_whole_and_counts_as_received() {
    let mut world = World::empty();
    let work = world.folder("Work");
    world.pull().await.unwrap();
    let operation = world.creation("one", &work, &large("one"), &["$seen", "$flagged", "work"]);
    let before = world.requests();
    let made = world.write(operation).await.unwrap().unwrap();
    // The message, two sessions with two ranges each, one file at once, and the word that it is whole.
    assert_eq!(world.requests() - before, 9);
    assert_whole(&world, &made);
    assert_eq!(words(&made), ["$flagged", "$seen", "work"]);
    assert_eq!((&made.collection, &made.mark), (&work, &Some(mark("one"))));
    assert_eq!(sheet(&made).received_ms, Some(1_772_438_400_000));
    assert_eq!(String::from_utf8(world.bytes(&made)).unwrap(), large("one"));
    assert_eq!(world.held(&made.remote_id)["isDraft"], true, "Graph takes no file for what is none");
    // A round says what was answered, so that there is nothing to do.
    let echo = world.only().await;
    let lens = world.graph.lens(Kind::Mail);
    assert_eq!(lens.settle_unknown(&made.rendering, echo.rendering.clone()), made.rendering);
    assert_eq!(echo.etag, made.etag);
}

#[tokio::test]
async fn a_large_message_is_marked_moved_and_copied_like_any_other() {
    for answer in ["whole", "none"] {
        let mut world = World::with(Switches { graph_patch_answer: answer.into(), ..Switches::default() });
        let inbox = world.of_role(Role::Inbox).await;
        let made = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap().unwrap();
        world.pull().await.unwrap();
        let marked = world.write(world.marking(&made, &["$seen", "late"], &[])).await.unwrap().unwrap();
        assert_eq!(words(&marked), ["$seen", "late"]);
        let work = world.folder("Work");
        let there = world.write(moved(&marked, &work)).await.unwrap().unwrap();
        assert_eq!((words(&there), &there.collection), (vec!["$seen".to_owned(), "late".to_owned()], &work));
        let copy = Operation::Copy { of: place(&there), collection: inbox };
        let copied = world.write(copy).await.unwrap().unwrap();
        assert_eq!(words(&copied), ["$seen", "late"], "{answer}");
        let (told, _) = world.told().await;
        assert!(told.values().all(|seen| words(seen) == ["$seen", "late"]), "{answer}");
    }
}

/// Each write that makes a large message: the message, 2 × (session and two ranges), the small file, and the last word.
const WRITES: u64 = 9;

#[tokio::test]
async fn a_cut_at_any_step_leaves_nothing_that_counts_and_is_made_good_by_who_looks_for_it() {
    let (letter, mut cut) = (large("one"), 0);
    for at in 0..WRITES {
        for fault in [Fault::DropBefore, Fault::DropAfter, Fault::status(503)] {
            let mut world = World::empty();
            let inbox = world.of_role(Role::Inbox).await;
            let operation = world.creation("one", &inbox, &letter, &["$flagged"]);
            world.sandbox.fault(Rule::any(fault.clone()).on(Provider::Microsoft).writes().skip(at).times(1));
            let looked_at = Seen { collection: inbox.clone(), ..blank() };
            let seen = match world.write(operation.clone()).await {
                // The end of a session was cut off: that it is over is told, and its file is there.
                Ok(written) => written.unwrap(),
                Err(failed) => {
                    assert_eq!(failed.kind, ErrorKind::Unknown, "{at} {fault:?}: {failed}");
                    cut += 1;
                    let (told, gone) = world.told().await;
                    let is_whole_there = at == WRITES - 1 && matches!(fault, Fault::DropAfter);
                    assert_eq!((told.len(), gone.len()), (usize::from(is_whole_there), 0), "{at} {fault:?}");
                    match find(&world, "one", &looked_at).await {
                        Found::Here(seen) => *seen,
                        Found::Nowhere if at == 0 => world.write(operation).await.unwrap().unwrap(),
                        other => panic!("{at} {fault:?}: {other:?}"),
                    }
                }
            };
            assert_whole(&world, &seen);
            assert_eq!((words(&seen), &seen.mark), (vec!["$flagged".to_owned()], &Some(mark("one"))));
            let (told, _) = world.told().await;
            assert!(told.values().all(|told| told.remote_id == seen.remote_id), "{at} {fault:?}");
        }
    }
    assert_eq!(cut, WRITES * 3 - 2, "but for the ends of two sessions");
}

fn blank() -> Seen {
    Seen {
        remote_id: "".into(),
        collection: "".into(),
        etag: twofold_model::Etag(String::new()),
        rendering: twofold_model::Rendering(Vec::new()),
        uid: None,
        mark: None,
        modified_ms: None,
    }
}

#[tokio::test]
async fn where_a_session_says_how_far_it_is_a_cut_range_is_gone_on_with() {
    for (fault, capitals) in [(Fault::DropBefore, true), (Fault::DropAfter, false), (Fault::DropAfter, true)] {
        let world = World::with(Switches {
            graph_upload_tells_state: true,
            graph_upload_capital_names: capitals,
            graph_upload_status: 202,
            ..Switches::default()
        });
        let inbox = world.of_role(Role::Inbox).await;
        let cut = Rule::any(fault.clone()).on(Provider::Microsoft).path("AttachmentSessions").writes();
        world.sandbox.fault(cut.times(1));
        let made = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap().unwrap();
        assert_whole(&world, &made);
        // The last range of a session, whose reply is lost: it is over, and its file is there.
        let world = World::with(Switches { graph_upload_tells_state: true, ..Switches::default() });
        let inbox = world.of_role(Role::Inbox).await;
        let cut = Rule::any(fault).on(Provider::Microsoft).path("AttachmentSessions").writes();
        world.sandbox.fault(cut.skip(1).times(1));
        let made = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap().unwrap();
        assert_whole(&world, &made);
    }
}

#[tokio::test]
async fn a_session_that_ran_out_is_begun_anew() {
    let world = World::empty();
    let inbox = world.of_role(Role::Inbox).await;
    let over = Rule::any(Fault::status(404)).on(Provider::Microsoft).path("AttachmentSessions");
    world.sandbox.fault(over.skip(1).times(1));
    let made = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap().unwrap();
    assert_whole(&world, &made);
}

#[tokio::test]
async fn what_the_mailbox_does_not_take_is_taken_back_and_said() {
    let mut world = World::with(Switches { graph_most_message_bytes: 6 * MB, ..Switches::default() });
    let inbox = world.of_role(Role::Inbox).await;
    let failed = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unsupported);
    assert!(failed.to_string().contains("413"), "{failed}");
    let left = world.sandbox.graph_mail_messages();
    assert_eq!((left.len(), &left[0]["folder"]), (1, &json!(["Gelöschte Elemente"])));
    let looked_at = Seen { collection: inbox.clone(), ..blank() };
    assert!(matches!(find(&world, "one", &looked_at).await, Found::Nowhere));
    // The same of one that a cut left behind: who looks for it takes it back.
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().times(1));
    assert_eq!(
        world.write(world.creation("two", &inbox, &large("two"), &[])).await.unwrap_err().kind,
        ErrorKind::Unknown
    );
    assert!(matches!(find(&world, "two", &looked_at).await, Found::Nowhere));
    world.pull().await.unwrap();
    assert!(world.sandbox.graph_mail_messages().iter().all(|left| left["folder"] == json!(["Gelöschte Elemente"])));
}

#[tokio::test]
async fn a_large_draft_is_a_draft_and_a_rewritten_one_that_was_cut_is_made_whole_by_the_repeat() {
    let mut world = World::empty();
    let drafts = world.of_role(Role::Drafts).await;
    let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
    world.pull().await.unwrap();
    let content = world.content(&large("one"), &["$draft"]);
    let operation = world.change(&made, |now| *now = content);
    let cut = Rule::any(Fault::DropBefore).on(Provider::Microsoft).path("AttachmentSessions").writes();
    world.sandbox.fault(cut.skip(1).times(1));
    assert_eq!(world.write(operation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
    let written = world.write(operation).await.unwrap().unwrap();
    assert_eq!(words(&written), ["$draft"]);
    assert_eq!(large_of(&world, &written.remote_id), "draft");
    let raw = world.sandbox.graph_mail_raw(written.remote_id.as_str()).unwrap();
    assert_eq!(MessageParser::default().parse(&raw).unwrap().attachment_count(), 3);
}
