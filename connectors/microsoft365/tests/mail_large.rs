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
use twofold_sandbox::{Fault, Provider, Request, Rule, Switches};

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
    // The message, two sessions with two ranges each, one file at once, what is attached then, and the word that it is whole.
    assert_eq!(world.requests() - before, 10);
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

/// A program that was killed, and the next one: the draft that took another's place is there, and no search finds it yet.
#[tokio::test]
async fn a_draft_that_a_round_showed_in_the_place_of_another_is_not_made_once_more() {
    let mut world = World::with(Switches { graph_filter_lag_s: 45, ..Switches::default() });
    let drafts = world.of_role(Role::Drafts).await;
    let made = world.write(world.creation("one", &drafts, &letter("one"), &["$draft"])).await.unwrap().unwrap();
    world.pull().await.unwrap();
    let content = world.content(&large("one"), &["$draft"]);
    let operation = world.change(&made, |now| *now = content);
    world.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).path("/messages").writes().times(1));
    assert_eq!(world.write(operation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
    world.pull().await.unwrap();
    let written = world.write(operation).await.unwrap().unwrap();
    assert_eq!(words(&written), ["$draft"]);
    let there = world.sandbox.graph_mail_messages();
    let in_drafts = there.iter().filter(|one| one["folder"] != json!(["Gelöschte Elemente"])).count();
    assert_eq!((there.len(), in_drafts), (2, 1), "one took the place of the other: {there:?}");
}

/// Somebody's own request to the mailbox.
fn asked(world: &World, method: &str, path: &str, body: Option<Value>) -> Value {
    let mut request = Request::new(method, &format!("{}/v1.0/me/{path}", world.sandbox.urls().microsoft_graph));
    let token = format!("Bearer {}", world.sandbox.access_token(Provider::Microsoft));
    request.headers.push(("authorization".to_owned(), token));
    request.headers.push(("prefer".to_owned(), "IdType=\"ImmutableId\"".to_owned()));
    if let Some(body) = body {
        request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        request.body = body.to_string().into_bytes().into();
    }
    let answer = world.sandbox.exchange(&request).unwrap();
    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.status);
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn is_in_trash(held: &Value) -> bool {
    held["folder"] == json!(["Gelöschte Elemente"])
}

const MARK: &str = "String {5b1c9a52-7d0e-4c0f-9f5e-2f6d1c3a8e47} Name twofold-mark";

#[tokio::test]
async fn a_cut_while_a_message_is_taken_back_leaves_nothing_that_counts_and_the_next_look_ends_it() {
    let letter = large("one");
    // The message, a session and two ranges, the short file, a session and two ranges, of which the last is refused; then it is taken back.
    let until_refused = 8;
    let mut cuts = 0;
    for at in 0..4 {
        for fault in [Fault::DropBefore, Fault::DropAfter, Fault::status(503)] {
            let mut world = World::with(Switches { graph_most_message_bytes: 6 * MB, ..Switches::default() });
            let inbox = world.of_role(Role::Inbox).await;
            let cut = Rule::any(fault.clone()).on(Provider::Microsoft).writes().skip(until_refused + at).times(1);
            world.sandbox.fault(cut);
            let failed = world.write(world.creation("one", &inbox, &letter, &[])).await.unwrap_err();
            let is_cut = failed.kind == ErrorKind::Unknown;
            assert!(is_cut || failed.kind == ErrorKind::Unsupported, "{at} {fault:?}: {failed}");
            cuts += usize::from(is_cut);
            // Half of a message is none: no round shows it, in no folder, and what is not in Deleted Items is found by its mark.
            let (told, gone) = world.told().await;
            assert_eq!((told.len(), gone.len()), (0, 0), "{at} {fault:?}");
            let held = world.sandbox.graph_mail_messages();
            assert!(held.len() == 1 && (is_in_trash(&held[0]) || held[0]["extended"][MARK] == "hub:one:1"), "{held:?}");
            let looked_at = Seen { collection: inbox.clone(), ..blank() };
            assert!(matches!(find(&world, "one", &looked_at).await, Found::Nowhere), "{at} {fault:?}");
            let held = world.sandbox.graph_mail_messages();
            assert!(held.len() == 1 && is_in_trash(&held[0]), "{at} {fault:?}: {held:?}");
            assert!(world.told().await.0.is_empty(), "{at} {fault:?}");
            // It is found no more, and nothing is left to do for whoever looks once more.
            let before = held;
            assert!(matches!(find(&world, "one", &looked_at).await, Found::Nowhere));
            assert_eq!(world.sandbox.graph_mail_messages(), before, "{at} {fault:?}");
        }
    }
    assert_eq!(cuts, 9, "three requests take it back");
}

#[tokio::test]
async fn what_is_taken_back_is_never_finished_even_where_it_would_be_taken_by_now() {
    let mut world = World::with(Switches { graph_most_message_bytes: 6 * MB, ..Switches::default() });
    let inbox = world.of_role(Role::Inbox).await;
    // It stands in Deleted Items, and its mark is still on it.
    world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft).writes().skip(10).times(1));
    let failed = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unknown, "{failed}");
    world.sandbox.switch(|switches| switches.graph_most_message_bytes = 0);
    let looked_at = Seen { collection: inbox.clone(), ..blank() };
    assert!(matches!(find(&world, "one", &looked_at).await, Found::Nowhere));
    let made = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap().unwrap();
    let (told, _) = world.told().await;
    assert_eq!(told.into_keys().collect::<Vec<_>>(), [made.remote_id]);
}

#[tokio::test]
async fn a_large_message_is_whole_also_where_its_files_are_shown_under_other_names() {
    let mut world = World::with(Switches { graph_renames_files: true, ..Switches::default() });
    let work = world.folder("Work");
    world.pull().await.unwrap();
    let made = world.write(world.creation("one", &work, &large("one"), &[])).await.unwrap().unwrap();
    assert_eq!(
        world.held(&made.remote_id)["extended"][LARGE],
        "received",
        "its files are known by the ids that were answered"
    );
    let id = made.remote_id.as_str().replace('=', "%3D");
    let files = asked(&world, "GET", &format!("messages/{id}/attachments?$select=id,name"), None);
    let names: Vec<&str> = files["value"].as_array().unwrap().iter().filter_map(|file| file["name"].as_str()).collect();
    assert!(names.len() == 3 && names.iter().all(|name| name.starts_with('~')), "{names:?}");
}

#[tokio::test]
async fn a_large_message_whose_making_was_cut_is_finished_also_where_its_files_are_shown_under_other_names() {
    // The message, a session and two ranges, the short file, a session and two ranges, the word that it is whole.
    for at in 1..WRITES {
        for fault in [Fault::DropBefore, Fault::DropAfter] {
            let mut world = World::with(Switches { graph_renames_files: true, ..Switches::default() });
            let inbox = world.of_role(Role::Inbox).await;
            // Whoever looks for it later knows no id that was answered.
            let cut = Rule::any(fault.clone()).on(Provider::Microsoft).writes().skip(at);
            world.sandbox.fault(cut);
            world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap_err();
            world.sandbox.with(|state| state.faults.clear());
            let looked_at = Seen { collection: inbox.clone(), ..blank() };
            assert!(matches!(find(&world, "one", &looked_at).await, Found::Here(_)), "{at} {fault:?}");
            let held = world.sandbox.graph_mail_messages();
            assert_eq!((held.len(), &held[0]["extended"][LARGE]), (1, &json!("received")), "{at} {fault:?}");
            let raw = world.sandbox.graph_mail_raw(held[0]["id"].as_str().unwrap()).unwrap();
            assert_eq!(MessageParser::default().parse(&raw).unwrap().attachment_count(), 3, "{at} {fault:?}");
            assert_eq!(world.told().await.0.len(), 1, "{at} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_large_message_counts_only_when_its_files_are_those_of_its_bytes() {
    let letter = large("one");
    let rows = [
        (Some("note.txt"), Some(("note.txt", 40_000))),
        (Some("note.txt"), Some(("other.txt", 7))),
        (Some("plan.pdf"), Some(("plan.pdf", 2 * MB))),
        (None, Some(("more.txt", 7))),
    ];
    for (taken, put) in rows {
        let mut world = World::empty();
        let inbox = world.of_role(Role::Inbox).await;
        // All its files are there, and the word that it is whole is cut off.
        world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft).writes().skip(WRITES - 1).times(1));
        world.write(world.creation("one", &inbox, &letter, &[])).await.unwrap_err();
        let id = world.sandbox.graph_mail_messages()[0]["id"].as_str().unwrap().replace('=', "%3D");
        let files = asked(&world, "GET", &format!("messages/{id}/attachments?$select=id,name"), None);
        for file in files["value"].as_array().unwrap().iter().filter(|file| file["name"].as_str() == taken) {
            let file = file["id"].as_str().unwrap().replace('=', "%3D");
            asked(&world, "DELETE", &format!("messages/{id}/attachments/{file}"), None);
        }
        if let Some((name, size)) = put {
            let bytes = STANDARD.encode(vec![b'x'; size]);
            let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": name, "contentBytes": bytes});
            asked(&world, "POST", &format!("messages/{id}/attachments"), Some(file));
        }
        let looked = [lookup("one", &inbox, 0)];
        let later_ms = world.sandbox.clock().now_ms() + 120_000;
        let failed = world.graph.find(Kind::Mail, &looked, later_ms).await.pop().unwrap();
        assert_eq!(failed.unwrap_err().kind, ErrorKind::Unknown, "{taken:?} {put:?}");
        assert!(world.told().await.0.is_empty(), "{taken:?} {put:?}");
        assert_ne!(world.sandbox.graph_mail_messages()[0]["extended"][LARGE], "received");
    }
}

/// What was attached without an answer, and came to be there after it was attached again.
#[tokio::test]
async fn a_file_that_is_attached_once_more_is_taken_away_and_the_message_counts() {
    let letter = large("one");
    let world = World::empty();
    let inbox = world.of_role(Role::Inbox).await;
    world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft).writes().skip(WRITES - 1).times(1));
    world.write(world.creation("one", &inbox, &letter, &[])).await.unwrap_err();
    let id = world.sandbox.graph_mail_messages()[0]["id"].as_str().unwrap().replace('=', "%3D");
    let bytes = STANDARD.encode(&contents()[1]);
    let again = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "note.txt", "contentBytes": bytes});
    asked(&world, "POST", &format!("messages/{id}/attachments"), Some(again));
    let Found::Here(seen) = find(&world, "one", &Seen { collection: inbox, ..blank() }).await else { panic!() };
    assert_whole(&world, &seen);
}

#[tokio::test]
async fn an_upload_that_says_it_is_further_than_its_file_is_not_believed() {
    for next in ["99999999-", "18446744073709551615"] {
        let mut world = World::empty();
        let inbox = world.of_role(Role::Inbox).await;
        let lie = Fault::Status {
            status: 200,
            retry_after: None,
            executed: false,
            body: Some(json!({"nextExpectedRanges": [next]})),
        };
        let lie = Rule::any(lie).on(Provider::Microsoft).path("AttachmentSessions").writes();
        world.sandbox.fault(lie.times(1));
        let failed = world.write(world.creation("one", &inbox, &large("one"), &[])).await.unwrap_err();
        assert_eq!(failed.kind, ErrorKind::Unknown, "{next}: {failed}");
        assert!(failed.to_string().contains("further"), "{next}: {failed}");
        assert!(world.told().await.0.is_empty(), "{next}");
    }
}

/// A letter with one file of that many bytes.
fn with_file(length: usize) -> String {
    let head = letter("one");
    let (head, text) = head.split_once("\r\n\r\n").unwrap();
    format!(
        "{head}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\r\n{text}\r\n--m\r\n\
         Content-Type: application/pdf; name=plan.pdf\r\nContent-Disposition: attachment; filename=plan.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--m--\r\n",
        STANDARD.encode(vec![b'x'; length])
    )
}

#[tokio::test]
async fn a_file_of_every_size_about_the_limits_is_taken_however_the_server_counts_a_mb() {
    // At once up to a request of 4 MB, and in a session from 3 MB on: both counted in either way.
    for session_from in [3_000_000, 3 * MB] {
        let about = [
            2_900_000,
            2_990_000,
            2_999_700,
            2_999_999,
            3_000_000,
            3_000_001,
            3_100_000,
            3_145_400,
            3 * MB,
            3 * MB + 1,
            3_200_000,
        ];
        for length in about {
            let mut world = World::with(Switches { graph_session_from_bytes: session_from, ..Switches::default() });
            let inbox = world.of_role(Role::Inbox).await;
            let made = world.write(world.creation("one", &inbox, &with_file(length), &[])).await;
            let made = made.unwrap_or_else(|error| panic!("{session_from} {length}: {error}")).unwrap();
            let raw = world.sandbox.graph_mail_raw(made.remote_id.as_str()).unwrap();
            let message = MessageParser::default().parse(&raw).unwrap();
            assert_eq!(message.attachments().map(|part| part.contents().len()).collect::<Vec<_>>(), [length]);
            assert!(words(&made).is_empty() && world.told().await.0.len() == 1, "{session_from} {length}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_at_once_and_too_small_for_a_session_is_said_not_to_be_taken() {
    let mut world = World::empty();
    let inbox = world.of_role(Role::Inbox).await;
    // As base64 it has all of 4 MiB, which leaves no room for its name.
    let failed = world.write(world.creation("one", &inbox, &with_file(3 * MB - 1), &[])).await.unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Unsupported, "{failed}");
    assert!(world.told().await.0.is_empty());
}
