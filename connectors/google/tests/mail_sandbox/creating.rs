//! Messages and drafts that are sent in, and those whose reply was lost.

use super::*;

/// Trap: `restore_mail_makes_no_events`.
#[tokio::test]
async fn a_message_arrives_as_received_with_its_date_and_nobody_is_told() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let invitation = [
        mail("invitation").strip_suffix(b"\r\n\r\nAbout invitation.\r\n").unwrap(),
        b"\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    ]
    .concat();
    let made = desk.done(desk.create("1", &invitation, &work, &["$seen", "$flagged", "$important", "$answered"])).await;
    let message = message_of(&made).to_owned();
    assert_eq!(
        (made.collection.as_str(), words(&made)),
        (work.as_str(), ["$flagged", "$important", "$seen"].map(str::to_owned).to_vec())
    );
    assert_eq!(desk.labels_of(&message), set(&[&work, "STARRED", "IMPORTANT"]));
    assert_eq!(desk.sandbox.google_message_raw(&message).unwrap(), invitation);
    let there = desk.whole(&made.remote_id).await;
    assert_eq!((sheet(&there).received_ms, &there.etag), (Some(1_764_839_700_000), &made.etag));
    assert_eq!(sheet(&there).blob_id, sheet(&made).blob_id);
    assert_eq!(desk.sandbox.google_mail_calendar_imports(), 0);
    assert_eq!(desk.asked("send"), 0);
    let places = [
        ("INBOX", set(&["INBOX", "UNREAD"])),
        ("ARCHIVE", set(&["UNREAD"])),
        ("SPAM", set(&["SPAM", "UNREAD"])),
        ("TRASH", set(&["TRASH", "UNREAD"])),
    ];
    for (place, labels) in places {
        let made = desk.done(desk.create(place, &mail(place), place, &[])).await;
        assert_eq!((made.collection.as_str(), desk.labels_of(message_of(&made))), (place, labels));
    }
}

#[tokio::test]
async fn broken_messages_go_in_byte_for_byte() {
    let desk = Desk::with(|switches| {
        switches.mail_checks_from = false;
        switches.mail_makes_crlf = false;
    })
    .await;
    let odd: [&[u8]; 3] =
        [b"Subject: gr\xfc\xdfe\r\n\r\n\x00\xff\xfe\x80 raw \xe9\r\n--x", b"no header at all", b"A: b\n\nx\n.\n"];
    for (n, bytes) in odd.into_iter().enumerate() {
        let made = desk.done(desk.create(&n.to_string(), bytes, "INBOX", &[])).await;
        assert_eq!(desk.sandbox.google_message_raw(message_of(&made)).unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_message_that_gmail_does_not_take_is_refused_with_its_words() {
    let desk = Desk::new().await;
    let error = desk.write(desk.create("1", b"Subject: nobody\r\n\r\nx", "INBOX", &[])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.to_string().contains("Invalid From header"), "{error}");
    for takes in [true, false] {
        desk.sandbox.switch(|switches| switches.mail_insert_takes_sent = takes);
        let answer = desk.write(desk.create("2", &mail(&format!("sent {takes}")), "SENT", &["$seen"])).await;
        match answer {
            Ok(made) => assert!(takes && made.unwrap().collection.as_str() == "SENT"),
            Err(error) => assert!(!takes && error.kind == ErrorKind::Refused),
        }
    }
}

#[tokio::test]
async fn a_large_message_is_an_upload_of_its_own() {
    let desk = Desk::new().await;
    let large = [mail("large"), b"0123456789abcdef\r\n".repeat(400_000)].concat();
    let made = desk.done(desk.create("1", &large, "INBOX", &[])).await;
    assert_eq!(desk.sandbox.google_message_raw(message_of(&made)).unwrap(), large);
    assert!(desk.sandbox.log().iter().any(|line| line.query.contains(&("uploadType".into(), "resumable".into()))));
    // The reply to the last byte is lost: the upload itself says what it came to.
    desk.fault(Rule::any(Fault::DropAfter).method("PUT").times(1));
    let other = [mail("other"), b"0123456789abcdef\r\n".repeat(400_000)].concat();
    let made = desk.done(desk.create("2", &other, "INBOX", &[])).await;
    assert_eq!(desk.sandbox.google_message_raw(message_of(&made)).unwrap(), other);
    assert_eq!(desk.sandbox.google_messages().len(), 2);
}

#[tokio::test]
async fn an_upload_that_is_cut_in_any_piece_is_gone_on_with_and_makes_one_message() {
    let large = [mail("large"), b"0123456789abcdef\r\n".repeat(500_000)].concat();
    for at in 0..3 {
        for fault in [Fault::DropBefore, Fault::DropAfter, Fault::status(503)] {
            let desk = Desk::new().await;
            desk.fault(Rule::any(fault.clone()).method("PUT").skip(at).times(1));
            let made = desk.done(desk.create("1", &large, "INBOX", &[])).await;
            assert!(desk.sandbox.google_message_raw(message_of(&made)).unwrap() == large, "{at} {fault:?}");
            assert_eq!(desk.sandbox.google_messages().len(), 1, "{at} {fault:?}");
            let puts: Vec<_> = desk.sandbox.log().into_iter().filter(|line| line.info.method == "PUT").collect();
            let is_lost_after = matches!(fault, Fault::DropAfter);
            assert_eq!(
                puts.len(),
                if is_lost_after { 4 } else { 5 },
                "no piece that came is sent again: {at} {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_upload_that_stays_cut_before_its_last_piece_made_nothing_and_is_made_whole_by_the_next_try() {
    let large = [mail("large"), b"0123456789abcdef\r\n".repeat(500_000)].concat();
    let desk = Desk::new().await;
    // The second piece, and each question how far it is.
    desk.fault(Rule::any(Fault::DropBefore).method("PUT").skip(1).times(5));
    let failed = desk.write(desk.create("1", &large, "INBOX", &[])).await.unwrap_err();
    assert!(failed.kind.proves_not_executed(), "{failed}");
    assert_eq!(desk.sandbox.google_messages().len(), 0);
    let made = desk.done(desk.create("1", &large, "INBOX", &[])).await;
    assert!(desk.sandbox.google_message_raw(message_of(&made)).unwrap() == large);
    assert_eq!(desk.sandbox.google_messages().len(), 1);
}

#[tokio::test]
async fn an_upload_that_is_refused_after_it_was_cut_is_no_fault_of_the_message() {
    let large = [mail("large"), b"0123456789abcdef\r\n".repeat(500_000)].concat();
    // One of the pieces is cut, and what is gone on with is refused: in between it was asked how far the upload is.
    for (cut, may_be_made) in [(0, false), (1, false), (2, true)] {
        let desk = Desk::new().await;
        desk.fault(Rule::any(Fault::DropBefore).method("PUT").skip(cut).times(1));
        desk.fault(Rule::any(Fault::status(400)).method("PUT").skip(cut + 1).times(1));
        let failed = desk.write(desk.create("1", &large, "INBOX", &[])).await.unwrap_err();
        assert!(failed.kind.is_temporary(), "{cut}: {failed}");
        assert_eq!(failed.kind.proves_not_executed(), !may_be_made, "{cut}: {failed}");
        assert_eq!(desk.sandbox.google_messages().len(), 0, "{cut}");
        desk.done(desk.create("1", &large, "INBOX", &[])).await;
        assert_eq!(desk.sandbox.google_messages().len(), 1, "{cut}");
    }
}

#[tokio::test]
async fn a_create_whose_reply_is_lost_is_found_and_one_that_was_lost_is_nowhere() {
    for (search_lag_s, has_history) in [(0, true), (600, true), (0, false)] {
        let desk = Desk::with(|switches| switches.mail_search_lag_s = search_lag_s).await;
        if has_history {
            desk.round(Since::Start).await;
        }
        let now_ms = desk.sandbox.clock().now_ms();
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        let lost = desk.write(desk.create("1", &mail("lost"), "INBOX", &["$seen"])).await.unwrap_err();
        assert_eq!(lost.kind, ErrorKind::Unknown);
        let Found::Here(seen) = desk.find("1", "INBOX", now_ms, now_ms).await else { panic!("lag {search_lag_s}") };
        assert_eq!((desk.bytes_of(&seen), words(&seen)), (mail("lost"), vec!["$seen".to_owned()]));
        assert_eq!(desk.sandbox.google_messages().len(), 1);

        desk.fault(Rule::any(Fault::DropBefore).writes().times(1));
        let lost = desk.write(desk.create("2", &mail("never sent"), "INBOX", &[])).await.unwrap_err();
        assert_eq!(lost.kind, ErrorKind::Unknown);
        // Neither the history nor a search has to tell at once what came.
        let found = desk.find("2", "INBOX", now_ms, now_ms).await;
        assert!(matches!(found, Found::NotBefore(at) if at >= now_ms + 60_000), "{found:?}");
        assert!(matches!(desk.find("2", "INBOX", now_ms, now_ms + 600_000).await, Found::Nowhere));
    }
}

#[tokio::test]
async fn a_create_that_is_repeated_after_a_stop_makes_no_second_copy() {
    let dated = b"From: a@example.org\r\nDate: Thu, 4 Dec 2025 10:15:00 +0100\r\n\r\nwithout a name\r\n";
    let undated = b"From: a@example.org\r\n\r\nwithout a name or a date\r\n";
    for (bytes, label) in [
        (mail("one"), "INBOX"),
        (dated.to_vec(), "INBOX"),
        (undated.to_vec(), "INBOX"),
        (mail("draft"), "DRAFT"),
        (mail("bin"), "TRASH"),
    ] {
        let mut desk = Desk::with(|switches| switches.mail_duplicates_by = "never".into()).await;
        let now_ms = desk.sandbox.clock().now_ms();
        desk.fault(Rule::any(Fault::DropAfter).writes().times(1));
        desk.write(desk.create("1", &bytes, label, &["$seen"])).await.unwrap_err();
        desk.restart();
        assert!(matches!(desk.find("1", label, now_ms, now_ms).await, Found::NotBefore(_)));
        assert!(matches!(desk.find("1", label, now_ms, now_ms + 600_000).await, Found::Nowhere));
        let made = desk.done(desk.create("1", &bytes, label, &["$seen", "$flagged"])).await;
        assert_eq!(desk.sandbox.google_messages().len(), 1, "{label}");
        assert_eq!(made.collection.as_str(), label);
        assert!(words(&made).contains(&"$flagged".to_owned()));
    }
}

/// With and without a history to go by, and with searches that lag.
#[tokio::test]
async fn import_id_404() {
    for (has_history, lag_s) in [(true, 600), (false, 0)] {
        let desk = Desk::with(|switches| {
            switches.mail_insert_answers_dead_id = true;
            switches.mail_search_lag_s = lag_s;
        })
        .await;
        let start = if has_history { Some(desk.round(Since::Start).await) } else { None };
        let made = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen", "$flagged"])).await;
        let all = desk.sandbox.google_messages();
        assert_eq!((all.len(), &all[0]["id"]), (1, &json!(message_of(&made))), "the id is the one that is there");
        assert_eq!((desk.bytes_of(&made), words(&made)), (mail("one"), vec!["$flagged".into(), "$seen".into()]));
        assert_eq!(desk.fetch(&made.remote_id).await.unwrap().etag, made.etag);
        if let Some(start) = start {
            assert_eq!(desk.round(start.since()).await.names(), [made.remote_id.as_str()], "one copy, and this one");
        }
    }
    // Nothing tells yet where it is: unknown, and found once a search finds it.
    let desk = Desk::with(|switches| {
        switches.mail_insert_answers_dead_id = true;
        switches.mail_search_lag_s = 60;
    })
    .await;
    let now_ms = desk.sandbox.clock().now_ms();
    let create = desk.create("1", &mail("one"), "INBOX", &["$seen"]);
    assert_eq!(desk.write(create.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
    assert!(matches!(desk.find("1", "INBOX", now_ms, now_ms + 1_000).await, Found::NotBefore(_)));
    desk.sandbox.clock().advance_ms(61_000);
    assert!(matches!(desk.find("1", "INBOX", now_ms, now_ms + 61_000).await, Found::Here(_)));
    desk.done(create).await;
    assert_eq!(desk.sandbox.google_messages().len(), 1);
}

/// An upload costs a search, the bytes, and a word of the history.
#[tokio::test]
async fn what_is_sent_in_is_confirmed_by_the_history_and_not_by_a_look() {
    let desk = Desk::new().await;
    desk.add("there before", &["INBOX"]);
    desk.round(Since::Start).await;
    desk.sandbox.reset_counts();
    let all: Vec<Operation> =
        (0..5).map(|n| desk.create(&n.to_string(), &mail(&format!("new {n}")), "INBOX", &[])).collect();
    assert!(desk.google.write(KIND, &all).await.iter().all(Result::is_ok));
    assert_eq!(desk.sandbox.counts(Provider::Google).quota, 5 * (5 + 25 + 2));
}

/// Trap: `import_dedups_into_trash`. Whether Gmail finds the one in the trash, or the search before does.
#[tokio::test]
async fn a_message_that_is_there_gets_a_label_and_comes_back_from_the_trash() {
    for by in ["message_id", "content", "never"] {
        let desk = Desk::with(|switches| switches.mail_duplicates_by = by.into()).await;
        let work = desk.sandbox.google_add_label("Work").unwrap();
        let one = desk.add("one", &["INBOX", "UNREAD"]);
        let made = desk.done(desk.create("1", &mail("one"), &work, &["$seen"])).await;
        assert_eq!((made.remote_id.clone(), desk.labels_of(&one)), (id(&one, &work), set(&["INBOX", &work])));
        desk.sandbox.google_trash_mail(&one).unwrap();
        let back = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen"])).await;
        assert_eq!((back.remote_id.clone(), desk.labels_of(&one)), (id(&one, "INBOX"), set(&["INBOX", &work])));
        assert_eq!(desk.sandbox.google_messages().len(), 1, "{by}");
    }
}

#[tokio::test]
async fn a_message_that_is_there_keeps_its_marks_when_it_gets_a_label_and_they_are_told_with_the_next_round() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &["INBOX", "STARRED"]);
    let start = desk.round(Since::Start).await;
    let made = desk.done(desk.create("1", &mail("one"), &work, &[])).await;
    assert_eq!(desk.labels_of(&one), set(&["INBOX", "STARRED", &work]), "the star stays, and it stays read");
    assert_eq!(words(&made), Vec::<String>::new(), "what was sent");
    let told = desk.round(start.since()).await;
    for place in ["INBOX", &work] {
        assert_eq!(words(&told.seen[&id(&one, place)]), ["$flagged", "$seen"], "{place}");
    }
}

#[tokio::test]
async fn a_message_that_stands_elsewhere_is_not_taken_to_the_trash_by_another_file_of_it() {
    for place in ["TRASH", "SPAM"] {
        let desk = Desk::new().await;
        let one = desk.add("one", &["INBOX"]);
        let error = desk.write(desk.create("1", &mail("one"), place, &["$seen"])).await.unwrap_err();
        assert_eq!((error.kind, desk.labels_of(&one)), (ErrorKind::Unsupported, set(&["INBOX"])), "{place}");
        // What was sent there before, and not answered, is found.
        desk.sandbox.google_delete_mail(&one).unwrap();
        let create = desk.create("2", &mail("one"), place, &["$seen"]);
        desk.done(create.clone()).await;
        desk.done(create).await;
        assert_eq!(desk.sandbox.google_messages().len(), 1, "{place}");
    }
}

#[tokio::test]
async fn a_message_whose_bytes_are_missing_is_refused_alone() {
    let desk = Desk::new().await;
    let create = desk.create("1", &mail("one"), "INBOX", &[]);
    let Operation::Create { rendering, .. } = &create else { panic!("{create:?}") };
    desk.blobs.remove(&Sheet::read(rendering).unwrap().blob().unwrap()).unwrap();
    let error = desk.write(create).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    assert!(error.to_string().contains("missing"), "{error}");
    assert_eq!(desk.sandbox.google_messages().len(), 0);
}

#[tokio::test]
async fn another_message_with_the_same_id_is_never_taken_for_it() {
    let other = [mail("one"), b"and more\r\n".to_vec()].concat();
    for by in ["message_id", "content"] {
        let desk = Desk::with(|switches| switches.mail_duplicates_by = by.into()).await;
        let one = desk.sandbox.google_add_mail(&other, &["TRASH", "UNREAD"]);
        let answer = desk.write(desk.create("1", &mail("one"), "INBOX", &["$seen", "$flagged"])).await;
        match by {
            "content" => assert_eq!(desk.bytes_of(&desk.whole(&answer.unwrap().unwrap().remote_id).await), mail("one")),
            _ => assert_eq!(answer.unwrap_err().kind, ErrorKind::Refused),
        }
        assert_eq!(desk.labels_of(&one), set(&["TRASH", "UNREAD"]), "the other one is as it was");
    }
}

#[tokio::test]
async fn another_message_that_was_given_labels_loses_them_also_where_the_answer_does_not_say_them() {
    let other = [mail("one"), b"and more\r\n".to_vec()].concat();
    let desk = Desk::with(|switches| switches.mail_duplicates_by = "message_id".into()).await;
    let one = desk.sandbox.google_add_mail(&other, &["INBOX", "UNREAD"]);
    let work = desk.sandbox.google_add_label("Work").unwrap();
    desk.sandbox.switch(|switches| switches.mail_insert_answers_no_labels = true);
    let answer = desk.write(desk.create("1", &mail("one"), &work, &["$seen", "$flagged"])).await;
    assert_eq!(answer.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(desk.labels_of(&one), set(&["INBOX", "UNREAD"]), "the other one is as it was");
}

#[tokio::test]
async fn a_message_that_stands_elsewhere_is_not_one_that_was_sent() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let error = desk.write(desk.create("1", &mail("one"), "SENT", &["$seen"])).await.unwrap_err();
    assert_eq!((error.kind, desk.labels_of(&one)), (ErrorKind::Unsupported, set(&["INBOX"])));
    assert!(error.to_string().contains("stands elsewhere"), "{error}");
}

/// A search that answers short and empty pages first.
#[tokio::test]
async fn a_message_that_is_there_is_found_on_any_page_of_a_search() {
    let desk = Desk::with(|switches| {
        switches.empty_pages = true;
        switches.mail_duplicates_by = "never".into();
    })
    .await;
    let one = desk.add("one", &["INBOX"]);
    let made = desk.done(desk.create("1", &mail("one"), "INBOX", &["$seen"])).await;
    assert_eq!((made.remote_id, desk.sandbox.google_messages().len()), (id(&one, "INBOX"), 1));
}

#[tokio::test]
async fn a_draft_that_was_written_on_meanwhile_is_told_as_changed_and_not_as_gone() {
    let desk = Desk::new().await;
    let draft = desk.sandbox.google_add_draft(&mail("draft")).unwrap();
    let start = desk.round(Since::Start).await;
    let whole = desk.whole(start.seen.keys().next().unwrap()).await;
    let rewritten = |words: &str| {
        let (blob, size) = desk.blobs.put(&mut mail(words).as_slice()).unwrap();
        let mut to = sheet(&whole);
        to.set_bytes(&blob, size, &headers::read(&mail(words)));
        let (place, etag, from) = (of(&whole), whole.etag.clone(), whole.rendering.clone());
        Operation::Update { place, etag, from, to: to.write().unwrap() }
    };
    let theirs = desk.sandbox.google_edit_draft(&draft, &mail("theirs")).unwrap();
    assert_eq!(desk.write(rewritten("ours")).await.unwrap_err().kind, ErrorKind::StaleEtag);
    assert_eq!(desk.sandbox.google_message_raw(&theirs).unwrap(), mail("theirs"), "it is as it was");
    desk.sandbox.google_send_draft(&draft).unwrap();
    assert_eq!(desk.write(rewritten("ours")).await.unwrap_err().kind, ErrorKind::NotFound, "it was sent");
}

#[tokio::test]
async fn a_reply_that_is_written_on_stays_in_its_conversation() {
    let desk = Desk::with(|switches| switches.mail_drafts_thread_by_header = true).await;
    let question = desk.add("question", &["INBOX"]);
    let reply = |words: &str| {
        let letter = String::from_utf8(mail("question")).unwrap();
        let letter =
            letter.replace("<question@", &format!("<{words}@")).replace("Subject: question", "Subject: Re: question");
        letter.replace("\r\n\r\n", &format!("\r\nIn-Reply-To: <question@example.org>\r\n\r\n{words}\r\n")).into_bytes()
    };
    desk.sandbox.google_add_draft(&reply("begun")).unwrap();
    desk.sandbox.switch(|switches| switches.mail_drafts_thread_by_header = false);
    let thread_of = |labels: &str| {
        let all = desk.sandbox.google_messages();
        all.into_iter().find(|it| it["labelIds"].to_string().contains(labels)).unwrap()["threadId"].clone()
    };
    let conversation = thread_of("INBOX");
    assert_eq!(thread_of("DRAFT"), conversation);
    let start = desk.round(Since::Start).await;
    let draft = start.seen.keys().find(|id| !id.as_str().starts_with(&question)).unwrap();
    let whole = desk.whole(draft).await;
    for (text, stays) in [(reply("more"), true), (mail("another matter"), false)] {
        let whole = desk
            .whole(desk.round(Since::Start).await.seen.keys().find(|id| id.as_str().ends_with("DRAFT")).unwrap())
            .await;
        let (blob, size) = desk.blobs.put(&mut text.as_slice()).unwrap();
        let mut to = sheet(&whole);
        to.set_bytes(&blob, size, &headers::read(&text));
        let (place, etag, from) = (of(&whole), whole.etag.clone(), whole.rendering.clone());
        desk.done(Operation::Update { place, etag, from, to: to.write().unwrap() }).await;
        assert_eq!(thread_of("DRAFT") == conversation, stays);
    }
    assert_eq!(words(&whole), ["$draft", "$seen"]);
}

/// What cannot be compared may be the one that is to be sent in; nothing else waits for it.
#[tokio::test]
async fn a_message_whose_like_there_cannot_be_read_is_refused_alone() {
    let desk = Desk::new().await;
    let there = desk.add("one", &["INBOX"]);
    desk.fault(Rule::any(Fault::status(500)).parts().path(&there));
    let answers = desk
        .google
        .write(KIND, &[desk.create("1", &mail("one"), "INBOX", &[]), desk.create("2", &mail("two"), "INBOX", &[])])
        .await;
    let [one, two] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(one.as_ref().unwrap_err().kind, ErrorKind::Refused);
    assert!(two.is_ok(), "{two:?}");
    assert_eq!(desk.sandbox.google_messages().len(), 2, "nothing is made twice");
}

#[tokio::test]
async fn a_message_that_cannot_be_looked_for_is_no_fault_of_gmail() {
    let desk = Desk::new().await;
    let create = || desk.create("one", &mail("one"), "INBOX", &[]);
    desk.fault(Rule::any(Fault::status(500)).method("GET").path("/messages"));
    assert_eq!(desk.write(create()).await.unwrap_err().kind, ErrorKind::Refused);
    desk.fault(Rule::any(Fault::status(500)).path("/profile"));
    assert_eq!(desk.write(create()).await.unwrap_err().kind, ErrorKind::Offline);
    assert_eq!(desk.sandbox.google_messages().len(), 0, "nothing was sent");
    desk.sandbox.with(|state| state.faults.clear());
    assert!(desk.write(create()).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_none_once_sets_no_message_aside() {
    for times in 1..=3 {
        let desk = Desk::new().await;
        let page = |path: &str| Rule::any(Fault::Html { executed: false }).path(path).times(times);
        desk.fault(page("/gmail/v1/users/me/messages").method("GET"));
        desk.done(desk.create("one", &mail("one"), "INBOX", &[])).await;
        let there = desk.round(Since::Start).await.seen.into_values().next().unwrap();
        desk.fault(page(message_of(&there)).method("GET"));
        desk.write(delete(&there)).await.unwrap();
        assert!(desk.labels_of(message_of(&there)).contains("TRASH"), "{times}");
        let large = [mail("two"), vec![b'.'; 6 << 20]].concat();
        desk.fault(page("/upload/gmail/v1/users/me/messages").method("POST"));
        desk.done(desk.create("two", &large, "INBOX", &[])).await;
        assert_eq!(desk.sandbox.google_messages().len(), 2, "{times}");
    }
}

#[tokio::test]
async fn drafts_are_made_and_written_on() {
    let desk = Desk::new().await;
    let made = desk.done(desk.create("1", &mail("draft"), "DRAFT", &["$draft", "$seen", "$flagged"])).await;
    assert_eq!(
        (made.collection.as_str(), words(&made)),
        ("DRAFT", ["$draft", "$flagged", "$seen"].map(str::to_owned).to_vec())
    );
    assert_eq!(desk.labels_of(message_of(&made)), set(&["DRAFT", "STARRED"]));
    let start = desk.round(Since::Start).await;
    let (blob, size) = desk.blobs.put(&mut mail("draft again").as_slice()).unwrap();
    let mut to = sheet(&made);
    to.set_bytes(&blob, size, &headers::read(&mail("draft again")));
    let operation = Operation::Update {
        place: of(&made),
        etag: made.etag.clone(),
        from: made.rendering.clone(),
        to: to.write().unwrap(),
    };
    let again = desk.done(operation.clone()).await;
    assert_ne!(again.remote_id, made.remote_id);
    assert_eq!((desk.bytes_of(&again), words(&again)), (mail("draft again"), words(&made)));
    let all = desk.sandbox.google_messages();
    assert_eq!((all.len(), &all[0]["id"]), (1, &json!(message_of(&again))));
    assert!(all[0]["draft"].is_string(), "it is still the draft");
    assert_eq!(desk.write(operation).await.unwrap_err().kind, ErrorKind::NotFound);
    let delta = desk.round(start.since()).await;
    assert_eq!(delta.renamed, [(made.remote_id.clone(), again.remote_id.clone())]);
    assert_eq!(delta.seen[&again.remote_id].etag, again.etag);
}
