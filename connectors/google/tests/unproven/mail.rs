//! Mail: each test turns the sandbox's switch both ways and finds the outcome right.

use crate::mail_desk::*;

fn draft_edit(desk: &Desk, seen: &Seen, text: &str) -> Operation {
    let bytes = mail(text);
    let (blob, size) = desk.blobs.put(&mut bytes.as_slice()).unwrap();
    let mut to = sheet(seen);
    to.set_bytes(&blob, size, &headers::read(&bytes));
    Operation::Update {
        place: of(seen),
        etag: seen.etag.clone(),
        from: seen.rendering.clone(),
        to: to.write().unwrap(),
    }
}

/// The copy as the hub would take it beside what it holds.
fn settled(desk: &Desk, last: &Seen, now: &Seen) -> Sheet {
    Sheet::read(&desk.google.lens(KIND).settle_unknown(&last.rendering, now.rendering.clone())).unwrap()
}

#[tokio::test]
async fn a_message_becomes_sent_or_is_refused_and_nothing_else() {
    for takes in [true, false] {
        let desk = Desk::with(|switches| switches.mail_insert_takes_sent = takes).await;
        let answer = desk.write(desk.create("1", &mail("sent"), "SENT", &["$seen"])).await;
        let all = desk.sandbox.google_messages();
        match takes {
            true => assert_eq!((answer.unwrap().unwrap().collection.as_str(), all.len()), ("SENT", 1)),
            false => assert_eq!((answer.unwrap_err().kind, all.len()), (ErrorKind::Refused, 0)),
        }
    }
}

#[tokio::test]
async fn a_message_that_is_there_already_is_never_there_twice_whatever_gmail_takes_for_a_copy() {
    for by in ["message_id", "content", "never"] {
        for lag_s in [0, 600] {
            let desk = Desk::with(|switches| {
                switches.mail_duplicates_by = by.into();
                switches.mail_search_lag_s = lag_s;
            })
            .await;
            let start = desk.round(Since::Start).await;
            let made = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen"])).await;
            // The same once more, as after a stop: found by a search, or taken for the same by Gmail.
            let again = desk.write(desk.create("1", &mail("one"), "INBOX", &["$seen", "$flagged"])).await;
            let all = desk.sandbox.google_messages().len();
            match (by, lag_s) {
                // Nobody can know: the cycle never sends a second one before a search must find the first.
                ("never", 600) => assert_eq!(all, 2),
                _ => {
                    assert_eq!((again.unwrap().unwrap().remote_id, all), (made.remote_id.clone(), 1), "{by} {lag_s}");
                    let told = desk.round(start.since()).await;
                    assert_eq!((told.names(), told.gone.len()), (vec![made.remote_id.as_str()], 0), "{by} {lag_s}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_was_sent_in_is_the_one_that_is_there_whatever_id_was_answered() {
    for dead in [true, false] {
        let desk = Desk::with(|switches| switches.mail_insert_answers_dead_id = dead).await;
        let start = desk.round(Since::Start).await;
        let made = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen"])).await;
        let told = desk.round(start.since()).await;
        assert_eq!((told.names(), told.gone.len()), (vec![made.remote_id.as_str()], 0), "{dead}");
        assert_eq!(desk.fetch(&made.remote_id).await.unwrap().etag, made.etag, "{dead}");
    }
}

#[tokio::test]
async fn the_bytes_that_were_sent_in_stay_whatever_gmail_makes_of_them() {
    let ours = String::from_utf8(mail("one")).unwrap().replace("\r\n", "\n").into_bytes();
    for (crlf, line) in [(true, true), (true, false), (false, true), (false, false)] {
        let desk = Desk::with(|switches| {
            switches.mail_makes_crlf = crlf;
            switches.mail_adds_received = line;
            switches.mail_duplicates_by = "never".into();
        })
        .await;
        let start = desk.round(Since::Start).await;
        let create = desk.create("1", &ours, "INBOX", &[]);
        let made = desk.done(create.clone()).await;
        assert_eq!(desk.bytes_of(&made), ours);
        let kept = desk.sandbox.google_message_raw(message_of(&made)).unwrap() == ours;
        assert_eq!(kept, !crlf && !line, "what is kept there: {crlf} {line}");
        // A list shows no bytes: what was known stays. And whoever sends it in again finds it.
        let told = desk.round(start.since()).await;
        assert_eq!(settled(&desk, &made, &told.seen[&made.remote_id]).blob_id, sheet(&made).blob_id, "{crlf} {line}");
        assert_eq!(desk.done(create).await.remote_id, made.remote_id, "{crlf} {line}");
        assert_eq!(desk.sandbox.google_messages().len(), 1);
    }
}

#[tokio::test]
async fn a_lost_message_is_looked_for_until_a_search_must_show_it() {
    for lag_s in [0, 100] {
        let mut desk = Desk::with(|switches| {
            switches.mail_search_lag_s = lag_s;
            switches.mail_duplicates_by = "never".into();
        })
        .await;
        let sent_ms = desk.sandbox.clock().now_ms();
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        let create = desk.create("1", &mail("one"), "INBOX", &["$seen"]);
        desk.write(create.clone()).await.unwrap_err();
        desk.restart();
        let Found::NotBefore(at_ms) = desk.find("1", "INBOX", sent_ms, sent_ms).await else { panic!("{lag_s}") };
        desk.sandbox.clock().advance_ms(at_ms - sent_ms);
        assert!(matches!(desk.find("1", "INBOX", sent_ms, at_ms).await, Found::Nowhere));
        desk.done(create).await;
        assert_eq!(desk.sandbox.google_messages().len(), 1, "{lag_s}");
    }
}

#[tokio::test]
async fn a_lost_message_without_a_message_id_is_found_whether_a_search_takes_seconds_or_not() {
    for takes_seconds in [true, false] {
        let mut desk = Desk::with(|switches| switches.mail_search_takes_seconds = takes_seconds).await;
        let nameless = String::from_utf8(mail("one")).unwrap().replace("Message-ID: <one@example.org>\r\n", "");
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        let create = desk.create("1", nameless.as_bytes(), "INBOX", &["$seen"]);
        desk.write(create.clone()).await.unwrap_err();
        desk.restart();
        desk.done(create).await;
        assert_eq!(desk.sandbox.google_messages().len(), 1, "takes seconds: {takes_seconds}");
    }
}

#[tokio::test]
async fn what_the_history_tells_late_is_told_once_and_nothing_is_lost_or_doubled() {
    for lag_s in [0, 60] {
        let desk = Desk::with(|switches| switches.mail_history_lag_s = lag_s).await;
        let old = id(&desk.add("old", &["INBOX"]), "INBOX");
        desk.sandbox.clock().advance_ms(100_000);
        let start = desk.round(Since::Start).await;
        let made = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen"])).await;
        desk.sandbox.google_delete_mail(message_id(&old)).unwrap();
        let first = desk.round(start.since()).await;
        desk.sandbox.clock().advance_ms(100_000);
        let second = desk.round(first.since()).await;
        let (told, other) = if lag_s == 0 { (&first, &second) } else { (&second, &first) };
        assert_eq!((told.names(), told.gone.contains(&old)), (vec![made.remote_id.as_str()], true), "{lag_s}");
        assert!(other.seen.is_empty() && other.gone.is_empty(), "{lag_s}: {other:?}");
        // A reply that was lost, and a history that does not tell it yet: Gmail's own rule makes one message of the two.
        let now_ms = desk.sandbox.clock().now_ms();
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        let create = desk.create("2", &mail("two"), "INBOX", &["$seen"]);
        desk.write(create.clone()).await.unwrap_err();
        if let Found::Nowhere = desk.find("2", "INBOX", now_ms, now_ms).await {
            desk.done(create).await;
        }
        assert_eq!(desk.sandbox.google_messages().len(), 2, "{lag_s}");
    }
}

#[tokio::test]
async fn a_draft_that_was_deleted_is_in_the_trash_or_refused_and_never_lost() {
    for trashed in ["stays", "ends", "refused"] {
        let desk = Desk::with(|switches| switches.mail_trashed_draft = trashed.into()).await;
        let made = desk.done(desk.create("1", &mail("draft"), "DRAFT", &[])).await;
        let start = desk.round(Since::Start).await;
        let answer = desk.write(delete(&made)).await;
        let told = desk.round(start.since()).await;
        let bin = id(message_of(&made), "TRASH");
        if trashed == "refused" {
            assert_eq!(answer.unwrap_err().kind, ErrorKind::Refused);
            assert!(desk.fetch(&made.remote_id).await.is_some() && told.gone.is_empty());
        } else {
            assert_eq!(answer.unwrap(), None);
            assert_eq!((told.names(), told.gone.contains(&made.remote_id)), (vec![bin.as_str()], true), "{trashed}");
            assert!(desk.fetch(&made.remote_id).await.is_none(), "{trashed}");
        }
        let there = if trashed == "refused" { &made.remote_id } else { &bin };
        assert_eq!(desk.bytes_of(&desk.whole(there).await), mail("draft"), "{trashed}");
        assert_eq!(desk.sandbox.google_messages().len(), 1);
    }
}

#[tokio::test]
async fn where_messages_stand_is_known_whether_the_history_says_their_labels_or_not() {
    for (says, is_alone) in [(true, false), (false, false), (true, true)] {
        let desk = Desk::with(|switches| {
            switches.mail_history_label_ids = says;
            switches.mail_history_tells_trash_alone = is_alone;
        })
        .await;
        let work = desk.sandbox.google_add_label("Work").unwrap();
        let trashed = desk.add("trashed", &["INBOX", &work]);
        let binned = desk.add("binned", &["INBOX", &work]);
        let deleted = desk.add("deleted", &[&work]);
        let emptied = desk.add("emptied", &["INBOX", &work]);
        let marked = desk.add("marked", &["INBOX", &work]);
        let archived = desk.add("archived", &["INBOX"]);
        let read = desk.add("read", &["INBOX", "UNREAD"]);
        let draft = desk.done(desk.create("1", &mail("draft"), "DRAFT", &[])).await;
        let start = desk.round(Since::Start).await;
        desk.sandbox.google_label_mail(&trashed, &["TRASH"], &[]).unwrap();
        desk.sandbox.google_trash_mail(&binned).unwrap();
        desk.sandbox.google_delete_mail(&deleted).unwrap();
        // Each of them has a record before, of something else.
        desk.sandbox.google_label_mail(&emptied, &["TRASH"], &[]).unwrap();
        desk.sandbox.google_delete_mail(&emptied).unwrap();
        desk.sandbox.google_label_mail(&marked, &["STARRED"], &[]).unwrap();
        desk.sandbox.google_delete_mail(&marked).unwrap();
        desk.sandbox.google_label_mail(&archived, &[], &["INBOX"]).unwrap();
        desk.sandbox.google_label_mail(&read, &[], &["UNREAD"]).unwrap();
        let new = desk.add("new", &["INBOX"]);
        let edited = desk.done(draft_edit(&desk, &draft, "draft again")).await;
        let told = desk.round(start.since()).await;
        let there = [
            id(&trashed, "TRASH"),
            id(&binned, "TRASH"),
            id(&archived, "ARCHIVE"),
            id(&read, "INBOX"),
            id(&new, "INBOX"),
            edited.remote_id.clone(),
        ];
        assert_eq!(told.seen.keys().cloned().collect::<BTreeSet<_>>(), BTreeSet::from(there), "{says} {is_alone}");
        assert_eq!(words(&told.seen[&id(&read, "INBOX")]), ["$seen"], "{says} {is_alone}");
        assert_eq!(told.renamed, [(draft.remote_id.clone(), edited.remote_id.clone())], "{says} {is_alone}");
        let known = start.seen.keys().filter(|id| told.gone.contains(id)).cloned().collect::<BTreeSet<_>>();
        let both =
            [&trashed, &binned, &emptied, &marked].into_iter().flat_map(|one| [id(one, "INBOX"), id(one, &work)]);
        let gone = both.chain([id(&deleted, &work), id(&archived, "INBOX")]).collect::<BTreeSet<_>>();
        assert_eq!(known, gone, "{says} {is_alone}");
    }
}

#[tokio::test]
async fn a_draft_is_one_whatever_message_id_gmail_gives_it() {
    for anew in [true, false] {
        let desk = Desk::with(|switches| switches.mail_draft_names_anew = anew).await;
        let start = desk.round(Since::Start).await;
        let made = desk.done(desk.create("1", &mail("draft"), "DRAFT", &[])).await;
        let kept = desk.sandbox.google_message_raw(message_of(&made)).unwrap() == mail("draft");
        assert_eq!((kept, desk.bytes_of(&made)), (!anew, mail("draft")), "ours are kept here");
        let told = desk.round(start.since()).await;
        assert_eq!(settled(&desk, &made, &told.seen[&made.remote_id]).blob_id, sheet(&made).blob_id, "{anew}");
        let again = desk.done(draft_edit(&desk, &made, "draft again")).await;
        assert_eq!(desk.bytes_of(&again), mail("draft again"));
        // A reply that is lost: what came since is looked through.
        let now_ms = desk.sandbox.clock().now_ms();
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        desk.write(desk.create("2", &mail("other"), "DRAFT", &[])).await.unwrap_err();
        let found = desk.find("2", "DRAFT", now_ms, now_ms).await;
        assert!(matches!(found, Found::Here(_)), "{anew}: {found:?}");
        assert_eq!(desk.sandbox.google_messages().len(), 2, "{anew}");
    }
}

#[tokio::test]
async fn all_messages_are_read_in_time_whatever_a_look_at_one_costs() {
    for old in [true, false] {
        let desk = Desk::with(|switches| {
            switches.mail_old_units = old;
            switches.mail_units_per_min = 6_000;
            switches.mail_parts_at_a_time = 0;
        })
        .await;
        let all: Vec<RemoteId> = (0..200).map(|n| id(&desk.add(&format!("mail {n}"), &["INBOX"]), "INBOX")).collect();
        let answers = desk.bodies(&all.iter().collect::<Vec<_>>()).await;
        for (n, answer) in answers.into_iter().enumerate() {
            assert_eq!(desk.bytes_of(&answer.unwrap().unwrap()), mail(&format!("mail {n}")), "{old}");
        }
        let spent = desk.sandbox.counts(Provider::Google).quota;
        let counted = desk.budget.used(u64::try_from(desk.sandbox.clock().now_ms()).unwrap()).1;
        assert!(
            counted >= spent && (old || counted == spent),
            "{old}: {counted} of {spent}: never less than Gmail counts"
        );
    }
}

fn message_id(id: &RemoteId) -> &str {
    id.as_str().split_once('/').unwrap().0
}
