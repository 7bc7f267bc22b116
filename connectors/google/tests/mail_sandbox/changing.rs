//! Flags, moves, further labels, removals.

use super::*;

fn shift(seen: &Seen, to: &str) -> Operation {
    Operation::Move { place: of(seen), etag: seen.etag.clone(), to: to.into() }
}

fn copy(seen: &Seen, to: &str) -> Operation {
    Operation::Copy { of: of(seen), collection: to.into() }
}

/// Trap: `read_and_flag_race`.
#[tokio::test]
async fn only_the_flags_that_differ_are_sent_and_the_bytes_are_kept() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX", "UNREAD", "CATEGORY_PERSONAL"]);
    let whole = desk.whole(&id(&one, "INBOX")).await;
    let start = desk.round(Since::Start).await;
    // Somebody starred it meanwhile: that stays, and is told by the history, as a change of theirs.
    desk.sandbox.google_label_mail(&one, &["STARRED"], &[]).unwrap();
    let read = desk.done(update(&whole, &["$seen"])).await;
    assert_eq!(desk.labels_of(&one), set(&["INBOX", "STARRED", "CATEGORY_PERSONAL"]));
    assert_eq!(words(&read), ["$seen"], "what was agreed");
    assert_eq!(desk.bytes_of(&read), mail("one"));
    let told = desk.round(start.since()).await.seen.remove(&read.remote_id).unwrap();
    assert_eq!(words(&told), ["$flagged", "$seen"]);
    let read = desk.done(update(&read, &["$flagged", "$seen"])).await;
    assert_eq!(read.etag, told.etag);
    desk.sandbox.reset_counts();
    let same = desk.done(update(&read, &["$flagged", "$seen"])).await;
    assert_eq!((same, desk.sandbox.writes(Provider::Google)), (read, 0));
    desk.sandbox.google_delete_mail(&one).unwrap();
    assert_eq!(desk.write(update(&whole, &["$seen", "$flagged"])).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn the_same_change_of_many_messages_is_one_request() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let all: Vec<String> = (0..60).map(|n| desk.add(&format!("mail {n}"), &["INBOX", "UNREAD"])).collect();
    let listed = desk.round(Since::Start).await;
    let seen: Vec<&Seen> = listed.seen.values().collect();
    desk.sandbox.reset_counts();
    let mut operations: Vec<Operation> = seen[..40].iter().map(|seen| update(seen, &["$seen"])).collect();
    operations.extend(seen[40..43].iter().map(|seen| update(seen, &["$flagged"])));
    operations.extend(seen[43..].iter().map(|seen| shift(seen, &work)));
    let answers: Vec<Seen> =
        desk.google.write(KIND, &operations).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(desk.sandbox.counts(Provider::Google).requests, 1 + 3 + 1);
    assert_eq!(desk.sandbox.counts(Provider::Google).quota, 50 + 3 * 5 + 50);
    for answer in &answers {
        let there = desk.fetch(&answer.remote_id).await.unwrap();
        assert_eq!((words(&there), &there.etag), (words(answer), &answer.etag));
    }
    assert_eq!(answers.iter().filter(|seen| seen.collection.as_str() == work).count(), 17);
    assert_eq!(all.len(), 60);
}

#[tokio::test]
async fn a_change_of_many_that_is_refused_for_one_is_made_for_the_others() {
    let desk = Desk::with(|switches| switches.mail_trashed_draft = "refused".into()).await;
    let sent: Vec<String> = (0..12).map(|n| desk.add(&format!("sent {n}"), &["SENT"])).collect();
    desk.sandbox.google_add_draft(&mail("draft")).unwrap();
    let listed = desk.round(Since::Start).await;
    let all: Vec<Operation> = listed.seen.values().map(delete).collect();
    desk.fault(Rule::any(Fault::status(400)).path("batchModify").times(1));
    let answers = desk.google.write(KIND, &all).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1, "{answers:?}");
    assert!(sent.iter().all(|id| desk.labels_of(id).contains("TRASH")));
}

#[tokio::test]
async fn what_is_done_to_two_copies_of_a_message_is_one_change() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &["INBOX", &work, "UNREAD"]);
    let listed = desk.round(Since::Start).await;
    desk.sandbox.reset_counts();
    let operations: Vec<Operation> = listed.seen.values().map(|seen| update(seen, &["$seen"])).collect();
    for answer in desk.google.write(KIND, &operations).await {
        assert_eq!(words(&answer.unwrap().unwrap()), ["$seen"]);
    }
    assert_eq!(desk.sandbox.writes(Provider::Google), 1);
    assert_eq!(desk.labels_of(&one), set(&["INBOX", &work]));
}

#[tokio::test]
async fn moves_exchange_labels_and_copies_add_them() {
    for keeps in [true, false] {
        let desk = Desk::with(|switches| switches.mail_modify_keeps_inbox = keeps).await;
        let work = desk.sandbox.google_add_label("Work").unwrap();
        let one = desk.add("one", &["INBOX", "UNREAD"]);
        let inbox = desk.round(Since::Start).await.seen[&id(&one, "INBOX")].clone();
        let second = desk.done(copy(&inbox, &work)).await;
        assert_eq!(desk.labels_of(&one), set(&["INBOX", &work, "UNREAD"]));
        assert_eq!((second.remote_id.clone(), second.uid.clone()), (id(&one, &work), inbox.uid.clone()));
        let refused = desk.write(shift(&inbox, "ARCHIVE")).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Unsupported, "it stands elsewhere too");
        desk.write(delete(&second)).await.unwrap();
        let archived = desk.done(shift(&inbox, "ARCHIVE")).await;
        assert_eq!((desk.labels_of(&one), archived.remote_id.clone()), (set(&["UNREAD"]), id(&one, "ARCHIVE")));
        assert_eq!(words(&archived), Vec::<String>::new());
        let back = desk.done(shift(&archived, "INBOX")).await;
        let binned = desk.done(shift(&back, "TRASH")).await;
        assert_eq!((desk.labels_of(&one), binned.remote_id.clone()), (set(&["TRASH", "UNREAD"]), id(&one, "TRASH")));
        let junk = desk.done(shift(&binned, "SPAM")).await;
        assert_eq!(desk.labels_of(&one), set(&["SPAM", "UNREAD"]));
        let filed = desk.done(shift(&junk, &work)).await;
        assert_eq!((desk.labels_of(&one), filed.collection.as_str()), (set(&[&work, "UNREAD"]), work.as_str()));
        assert!(desk.write(copy(&filed, "SENT")).await.is_err_and(|error| error.kind == ErrorKind::Unsupported));
        desk.sandbox.google_delete_mail(&one).unwrap();
        assert_eq!(desk.write(shift(&filed, "INBOX")).await.unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(desk.write(copy(&filed, "INBOX")).await.unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn what_was_sent_and_drafts_come_back_from_the_trash_to_where_they_stood() {
    let desk = Desk::new().await;
    let sent = desk.add("sent", &["SENT"]);
    let other = desk.add("other", &["INBOX"]);
    desk.sandbox.google_trash_mail(&sent).unwrap();
    desk.sandbox.google_trash_mail(&other).unwrap();
    let listed = desk.round(Since::Start).await;
    let back = desk.done(shift(&listed.seen[&id(&sent, "TRASH")], "SENT")).await;
    assert_eq!((back.remote_id, desk.labels_of(&sent)), (id(&sent, "SENT"), set(&["SENT"])));
    let refused = desk.write(shift(&listed.seen[&id(&other, "TRASH")], "SENT")).await.unwrap_err();
    assert_eq!((refused.kind, desk.labels_of(&other)), (ErrorKind::Unsupported, set(&["TRASH"])));
}

#[tokio::test]
async fn what_is_removed_loses_its_label_and_goes_to_the_trash_with_the_last_one() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &["INBOX", &work]);
    let sent = desk.add("sent", &["SENT", "INBOX"]);
    let bare = desk.add("bare", &[]);
    let listed = desk.round(Since::Start).await;
    let copy = |message: &str, label: &str| &listed.seen[&id(message, label)];
    assert!(desk.write(delete(copy(&one, &work))).await.unwrap().is_none());
    assert_eq!(desk.labels_of(&one), set(&["INBOX"]));
    assert!(desk.write(delete(copy(&one, &work))).await.unwrap().is_none(), "it is gone already");
    assert!(desk.write(delete(copy(&one, "INBOX"))).await.unwrap().is_none());
    assert_eq!(desk.labels_of(&one), set(&["TRASH"]));
    let both = [delete(copy(&sent, "SENT")), delete(copy(&sent, "INBOX")), delete(copy(&bare, "ARCHIVE"))];
    assert!(desk.google.write(KIND, &both).await.into_iter().all(|answer| answer.unwrap().is_none()));
    assert_eq!(desk.labels_of(&sent), set(&["SENT", "TRASH"]));
    assert_eq!(desk.labels_of(&bare), set(&["TRASH"]));
    let binned = desk.fetch(&id(&one, "TRASH")).await.unwrap();
    assert_eq!(desk.write(delete(&binned)).await.unwrap_err().kind, ErrorKind::Unsupported, "never for good");
    desk.sandbox.google_delete_mail(&one).unwrap();
    desk.sandbox.with(|state| state.switches.list_lag_s = 0);
    assert_eq!(desk.sandbox.google_messages().len(), 2);
}

#[tokio::test]
async fn a_change_whose_reply_is_lost_is_unknown_and_one_that_was_refused_is_not() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX", "UNREAD"]);
    let seen = desk.round(Since::Start).await.seen[&id(&one, "INBOX")].clone();
    desk.fault(Rule::any(Fault::DropAfter).writes().path("/modify").times(1));
    assert_eq!(desk.write(update(&seen, &["$seen"])).await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(words(&desk.fetch(&seen.remote_id).await.unwrap()), ["$seen"]);
    let nowhere = Operation::Move { place: of(&seen), etag: seen.etag.clone(), to: "Label_77".into() };
    assert_eq!(desk.write(nowhere).await.unwrap_err().kind, ErrorKind::Refused);
    // A look that fails before anything is sent.
    desk.fault(Rule::any(Fault::DropBefore).path("/batch"));
    let error = desk.write(delete(&seen)).await.unwrap_err();
    assert!(error.kind.proves_not_executed(), "{error}");
    assert_eq!(desk.labels_of(&one), set(&["INBOX"]));
}

#[tokio::test]
async fn a_message_that_cannot_be_looked_at_is_refused_alone_and_the_others_go_on() {
    let desk = Desk::new().await;
    let (one, two) = (desk.add("one", &["INBOX"]), desk.add("two", &["INBOX"]));
    let there = desk.round(Since::Start).await.seen;
    let both = [delete(&there[&id(&one, "INBOX")]), delete(&there[&id(&two, "INBOX")])];
    desk.fault(Rule::any(Fault::status(500)).path(&one));
    let outcomes = desk.google.write(KIND, &both).await;
    let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::Refused), None]);
    assert_eq!((desk.labels_of(&one), desk.labels_of(&two)), (set(&["INBOX"]), set(&["TRASH"])));
    // Where nothing else is answered either, it is no message's fault.
    desk.fault(Rule::any(Fault::status(500)).path("/profile"));
    let error = desk.write(both.into_iter().next().unwrap()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline);
    assert_eq!(desk.labels_of(&one), set(&["INBOX"]));
}
