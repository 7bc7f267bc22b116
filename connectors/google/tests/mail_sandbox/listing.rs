//! Full listings and deltas.

use super::*;

#[tokio::test]
async fn a_full_listing_gets_no_message_and_tells_every_copy() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let two = desk.add("two", &["INBOX", &work, "UNREAD", "STARRED", "CATEGORY_PERSONAL"]);
    let old = desk.add("old", &["IMPORTANT"]);
    let bare = desk.add("bare", &[]);
    let junk = desk.add("junk", &["SPAM", "UNREAD"]);
    let bin = desk.add("bin", &["TRASH", &work, "INBOX"]);
    let talk = desk.add("talk", &["CHAT"]);
    let listed = desk.round(Since::Start).await;
    let mut wanted = [
        id(&two, "INBOX"),
        id(&two, &work),
        id(&old, "ARCHIVE"),
        id(&bare, "ARCHIVE"),
        id(&junk, "SPAM"),
        id(&bin, "TRASH"),
    ];
    wanted.sort();
    assert_eq!(listed.seen.keys().cloned().collect::<Vec<_>>(), wanted);
    assert!(!listed.names().iter().any(|name| name.starts_with(&talk)));
    assert_eq!(words(&listed.seen[&id(&two, &work)]), ["$flagged"]);
    assert_eq!(words(&listed.seen[&id(&old, "ARCHIVE")]), ["$important", "$seen"]);
    assert_eq!(words(&listed.seen[&id(&junk, "SPAM")]), Vec::<String>::new());
    assert_eq!(listed.seen[&id(&two, "INBOX")].uid.as_ref().unwrap().as_str(), format!("g{two}"));
    assert_eq!(desk.sandbox.counts(Provider::Google).parts, 0);
    assert_eq!(desk.asked("/messages/"), 0, "no message was got");
    for copy in listed.seen.values() {
        assert!(desk.google.lens(KIND).facts(&copy.rendering).lacks_body);
        let fetched = desk.fetch(&copy.remote_id).await.unwrap();
        assert_eq!((&fetched.etag, &fetched.uid), (&copy.etag, &copy.uid));
        assert_eq!(words(&fetched), words(copy));
    }
}

/// A draft that is deleted on a device goes to the trash, and is a draft there.
#[tokio::test]
async fn a_full_listing_tells_of_a_draft_in_the_trash_that_it_is_one() {
    let desk = Desk::new().await;
    let bin = desk.add("thrown away", &["TRASH", "DRAFT"]);
    let listed = desk.round(Since::Start).await;
    assert_eq!(listed.seen.keys().cloned().collect::<Vec<_>>(), [id(&bin, "TRASH")]);
    let copy = &listed.seen[&id(&bin, "TRASH")];
    assert_eq!(words(copy), ["$draft", "$seen"]);
    assert_eq!(words(&desk.fetch(&copy.remote_id).await.unwrap()), words(copy));
}

#[tokio::test]
async fn many_messages_come_in_pages_and_short_or_empty_pages_lose_none() {
    let mut switches = Switches { mail_units_per_min: 0, ..Switches::hostile() };
    switches.latency_ms = 0;
    let desk = Desk::of(Options::empty().mails(1_200).virtual_time().with(switches)).await;
    let listed = desk.round(Since::Start).await;
    let all = desk.sandbox.google_messages();
    let messages: BTreeSet<&str> = listed.seen.values().map(message_of).collect();
    assert_eq!((messages.len(), all.len()), (1_200, 1_200));
    assert!(listed.pages > 3, "{} pages", listed.pages);
    assert_eq!(desk.asked("/messages/"), 0);
}

#[tokio::test]
async fn a_listing_goes_on_after_a_restart_at_any_page_and_misses_nothing() {
    let mut switches = Switches { mail_units_per_min: 0, ..Switches::hostile() };
    switches.latency_ms = 0;
    for stop in [1, 2, 3, 4] {
        let mut desk = Desk::of(Options::empty().mails(1_200).virtual_time().with(switches.clone())).await;
        let feed = desk.feed().await;
        let (mut round, mut since, mut pages) = (Round::default(), Some(Since::Start), 0);
        let mut late = None;
        while let Some(next) = since.take() {
            since = round.take(desk.page(&feed, next).await.unwrap());
            pages += 1;
            if pages == stop {
                desk.restart();
                late = Some(desk.add("late", &["INBOX"]));
            }
        }
        assert!(pages > stop, "{pages} pages");
        let delta = desk.round(round.since()).await;
        let known: BTreeSet<&str> = round.seen.values().chain(delta.seen.values()).map(message_of).collect();
        assert_eq!(known.len(), 1_201, "stopped after page {stop}");
        assert!(delta.seen.contains_key(&id(&late.unwrap(), "INBOX")));
    }
}

#[tokio::test]
async fn what_changes_while_a_listing_is_under_way_is_told_by_the_next_delta() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &["INBOX"]);
    let feed = desk.feed().await;
    let mut round = Round::default();
    let next = round.take(desk.page(&feed, Since::Start).await.unwrap());
    assert!(next.is_none() && round.names() == [id(&one, "INBOX").as_str()]);
    desk.sandbox.google_label_mail(&one, &[&work], &["INBOX"]).unwrap();
    let delta = desk.round(round.since()).await;
    assert_eq!(delta.names(), [id(&one, &work).as_str()]);
    assert!(delta.gone.contains(&id(&one, "INBOX")));
}

/// What leaves a page that was read moves the others up: the first of the next page is on none.
#[tokio::test]
async fn what_leaves_a_list_while_it_is_read_hides_no_other_message_of_it() {
    let desk = Desk::with(|switches| switches.page_size_cap = 2).await;
    let all: Vec<String> = (0..60).map(|n| desk.add(&format!("mail {n}"), &["INBOX", "UNREAD", "STARRED"])).collect();
    let feed = desk.feed().await;
    let (mut round, mut since, mut pages) = (Round::default(), Some(Since::Start), 0);
    while let Some(next) = since.take() {
        since = round.take(desk.page(&feed, next).await.unwrap());
        pages += 1;
        if pages == 1 {
            assert!(round.seen.is_empty(), "the lists are half read");
            let newest = all.last().unwrap();
            desk.sandbox.google_label_mail(newest, &[], &["UNREAD", "STARRED"]).unwrap();
            desk.sandbox.google_trash_mail(&all[58]).unwrap();
        }
    }
    assert!(pages > 2);
    for message in &all[..58] {
        let told =
            round.seen.get(&id(message, "INBOX")).unwrap_or_else(|| panic!("{message} is told nowhere in the inbox"));
        assert_eq!(words(told), ["$flagged"], "{message}");
    }
}

#[tokio::test]
async fn the_history_tells_what_stands_where_and_what_left() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let start = desk.round(Since::Start).await;
    let new = desk.add("new", &["INBOX", "UNREAD"]);
    let first = desk.round(start.since()).await;
    assert_eq!((first.names(), first.gone.len()), (vec![id(&new, "INBOX").as_str()], 0));
    assert_eq!(words(&first.seen[&id(&new, "INBOX")]), Vec::<String>::new());

    desk.sandbox.google_label_mail(&new, &[&work], &["UNREAD"]).unwrap();
    let second = desk.round(first.since()).await;
    assert_eq!(second.seen.len(), 2);
    assert_eq!(words(&second.seen[&id(&new, &work)]), ["$seen"]);

    desk.sandbox.google_label_mail(&new, &[], &["INBOX", &work]).unwrap();
    let archived = desk.round(second.since()).await;
    assert_eq!(archived.names(), [id(&new, "ARCHIVE").as_str()]);
    assert_eq!(archived.gone, BTreeSet::from([id(&new, "INBOX"), id(&new, &work)]));

    desk.sandbox.google_label_mail(&new, &["INBOX", &work], &[]).unwrap();
    let back = desk.round(archived.since()).await;
    assert_eq!((back.seen.len(), back.gone.len()), (2, 1));
    assert!(back.seen.contains_key(&id(&new, "INBOX")) && back.gone.contains(&id(&new, "ARCHIVE")));

    desk.sandbox.google_trash_mail(&new).unwrap();
    let trashed = desk.round(back.since()).await;
    assert_eq!(trashed.names(), [id(&new, "TRASH").as_str()], "it has its label still, and is not shown there");
    assert!(trashed.gone.contains(&id(&new, "INBOX")) && trashed.gone.contains(&id(&new, &work)));
    assert!(desk.fetch(&id(&new, &work)).await.is_none());

    desk.sandbox.google_delete_mail(&new).unwrap();
    let deleted = desk.round(trashed.since()).await;
    assert_eq!(deleted.names(), Vec::<&str>::new());
    assert!(deleted.gone.contains(&id(&new, "TRASH")));
    assert!(desk.round(deleted.since()).await.seen.is_empty());
}

#[tokio::test]
async fn what_the_history_just_said_is_gone_is_not_asked_for_again() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let two = desk.add("two", &["INBOX"]);
    let start = desk.round(Since::Start).await;
    desk.sandbox.google_trash_mail(&one).unwrap();
    desk.sandbox.google_delete_mail(&two).unwrap();
    let delta = desk.round(start.since()).await;
    desk.sandbox.reset_counts();
    assert!(desk.fetch(&id(&one, "INBOX")).await.is_none());
    assert!(desk.fetch(&id(&two, "INBOX")).await.is_none());
    assert_eq!(desk.sandbox.counts(Provider::Google).requests, 0);
    assert!(desk.fetch(&id(&one, "TRASH")).await.is_some());
    assert_eq!(desk.sandbox.counts(Provider::Google).parts, 1);
    // In the next round it is asked for: it may have come back.
    desk.round(delta.since()).await;
    desk.sandbox.google_untrash_mail(&one).unwrap();
    desk.sandbox.google_label_mail(&one, &["INBOX"], &[]).unwrap();
    assert!(desk.fetch(&id(&one, "INBOX")).await.is_some());
}

#[tokio::test]
async fn empty_pages_and_repeats_of_the_history_change_nothing() {
    for present in [true, false] {
        let desk = Desk::with(|switches| {
            switches.page_size_cap = 30;
            switches.short_pages = true;
            switches.empty_pages = true;
            switches.mail_history_repeats = true;
            switches.mail_history_shows_present_labels = present;
        })
        .await;
        let start = desk.round(Since::Start).await;
        let all: Vec<String> = (0..40).map(|n| desk.add(&format!("mail {n}"), &["INBOX", "UNREAD"])).collect();
        for one in &all {
            desk.sandbox.google_label_mail(one, &["STARRED"], &["UNREAD"]).unwrap();
            desk.sandbox.google_label_mail(one, &[], &["STARRED"]).unwrap();
        }
        desk.sandbox.google_label_mail(&all[0], &[], &["INBOX"]).unwrap();
        let delta = desk.round(start.since()).await;
        assert!(delta.pages > 10, "{} pages", delta.pages);
        assert_eq!(delta.seen.len(), 40);
        assert!(delta.seen.contains_key(&id(&all[0], "ARCHIVE")) && delta.gone.contains(&id(&all[0], "INBOX")));
        assert!(delta.seen.values().all(|seen| words(seen) == ["$seen"]));
        let quiet = desk.round(delta.since()).await;
        assert!(quiet.seen.is_empty() && quiet.gone.is_empty());
    }
}

#[tokio::test]
async fn a_message_without_labels_is_asked_for_because_no_record_can_say_so() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let start = desk.round(Since::Start).await;
    desk.sandbox.google_label_mail(&one, &[], &["INBOX"]).unwrap();
    desk.sandbox.reset_counts();
    let delta = desk.round(start.since()).await;
    assert_eq!(delta.names(), [id(&one, "ARCHIVE").as_str()]);
    assert_eq!(desk.sandbox.counts(Provider::Google).parts, 1);
}

/// Trap: `idle_gmail_three_requests`. It costs even less, however many labels there are.
#[tokio::test]
async fn a_quiet_mailbox_gets_newer_tokens_and_costs_two_requests() {
    let desk = Desk::new().await;
    for n in 0..60 {
        desk.sandbox.google_add_label(&format!("Label {n}")).unwrap();
    }
    desk.add("one", &["INBOX"]);
    let start = desk.round(Since::Start).await;
    desk.sandbox.clock().advance_ms(2 * 3_600_000);
    let mut desk = desk;
    desk.restart();
    let later = desk.round(start.since()).await;
    assert_ne!(later.token, start.token);
    desk.sandbox.reset_counts();
    let quiet = desk.round(later.since()).await;
    assert_eq!((quiet.token, quiet.seen.len()), (later.token, 0));
    assert_eq!((desk.sandbox.counts(Provider::Google).requests, desk.sandbox.counts(Provider::Google).quota), (2, 3));
}

#[tokio::test]
async fn an_expired_history_is_listed_anew_and_needs_no_body_again() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX", "UNREAD"]);
    let start = desk.round(Since::Start).await;
    let whole = desk.whole(&id(&one, "INBOX")).await;
    desk.add("two", &["INBOX"]);
    desk.sandbox.google_forget_mail_history();
    let feed = desk.feed().await;
    let error = desk.page(&feed, start.since()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TokenExpired);
    desk.sandbox.google_label_mail(&one, &[], &["UNREAD"]).unwrap();
    let listed = desk.round(Since::Start).await;
    let lens = desk.google.lens(KIND);
    let settled = lens.settle_unknown(&whole.rendering, listed.seen[&id(&one, "INBOX")].rendering.clone());
    assert!(!lens.facts(&settled).lacks_body);
    assert_eq!(lens.facts(&settled).blob, lens.facts(&whole.rendering).blob);
    assert_eq!(Sheet::read(&settled).unwrap().keywords, set(&["$seen"]));
    assert_eq!(desk.asked(&format!("/messages/{one}")), 1);
}

#[tokio::test]
async fn a_list_that_is_refused_is_never_taken_for_an_empty_one() {
    let desk = Desk::with(|switches| switches.page_size_cap = 2).await;
    let all: Vec<String> = (0..7).map(|n| desk.add(&format!("mail {n}"), &["INBOX", "UNREAD"])).collect();
    let feed = desk.feed().await;
    let refusal = json!({"error": {"code": 400, "message": "no", "errors": [{"reason": "invalidArgument"}]}});
    let fault = Fault::Status { status: 400, retry_after: None, executed: false, body: Some(refusal) };
    // The last page token grew too old: that list is read from its beginning.
    desk.fault(Rule::any(fault.clone()).path("/messages").skip(18).times(1));
    assert_eq!(desk.round(Since::Start).await.seen.len(), 7);
    desk.fault(Rule::any(fault).path("/messages"));
    assert_eq!(desk.page(&feed, Since::Start).await.unwrap_err().kind, ErrorKind::Refused);
    desk.sandbox.with(|state| state.faults.clear());
    let listed = desk.round(Since::Start).await;
    assert!(listed.seen.values().all(|seen| words(seen).is_empty()) && listed.seen.len() == all.len());
}

#[tokio::test]
async fn a_flag_whose_list_is_refused_is_never_taken_for_unset() {
    let desk = Desk::new().await;
    desk.add("one", &["INBOX", "UNREAD", "IMPORTANT"]);
    let feed = desk.feed().await;
    let refusal = json!({"error": {"code": 400, "message": "no", "errors": [{"reason": "invalidArgument"}]}});
    let fault = Fault::Status { status: 400, retry_after: None, executed: false, body: Some(refusal) };
    // These four are asked for side by side: the spam, what is unread, what is starred, what is important.
    for list in 5..9 {
        desk.fault(Rule::any(fault.clone()).path("/messages").skip(list).times(1));
        assert_eq!(desk.page(&feed, Since::Start).await.unwrap_err().kind, ErrorKind::Refused, "{list}");
        desk.sandbox.with(|state| state.faults.clear());
    }
    assert_eq!(words(desk.round(Since::Start).await.seen.values().next().unwrap()), ["$important"]);
}

#[tokio::test]
async fn an_older_listing_goes_on_although_another_was_begun() {
    let switches = Switches { mail_units_per_min: 0, page_size_cap: 10, ..Switches::default() };
    let desk = Desk::of(Options::empty().mails(300).virtual_time().with(switches)).await;
    let feed = desk.feed().await;
    let mut round = Round::default();
    let older = round.take(desk.page(&feed, Since::Start).await.unwrap());
    desk.add("late", &["INBOX"]);
    assert!(matches!(desk.page(&feed, Since::Start).await.unwrap().next, Next::Page(_)));
    let mut since = older;
    while let Some(next) = since.take() {
        since = round.take(desk.page(&feed, next).await.unwrap());
        assert!(round.pages < 100, "it goes round in circles");
    }
    assert!(round.seen.values().map(message_of).collect::<BTreeSet<_>>().len() >= 300);
}

#[tokio::test]
async fn only_gmails_own_words_make_a_token_expire() {
    let desk = Desk::new().await;
    let start = desk.round(Since::Start).await;
    let feed = desk.feed().await;
    for (fault, kind) in
        [(Fault::status(503), ErrorKind::Unknown), (Fault::Html { executed: false }, ErrorKind::Malformed)]
    {
        desk.fault(Rule::any(fault).path("/history").times(4));
        assert_eq!(desk.page(&feed, start.since()).await.unwrap_err().kind, kind);
        desk.sandbox.with(|state| state.faults.clear());
    }
    let expired = desk.page(&feed, Since::Token("what is this".into())).await.unwrap_err();
    assert_eq!(expired.kind, ErrorKind::TokenExpired);
}

/// Whatever goes wrong when the history is asked for, the mark stays where it was: the next round tells all that came meanwhile.
#[tokio::test]
async fn history_500_keeps_mark() {
    let desk = Desk::new().await;
    let start = desk.round(Since::Start).await;
    let one = desk.add("one", &["INBOX"]);
    let feed = desk.feed().await;
    let forbidden = json!({"error": {"code": 403, "errors": [{"reason": "insufficientPermissions"}], "message": "no"}});
    let mut faults = [408, 500, 502, 503, 504].map(Fault::status).to_vec();
    faults.push(Fault::Status { status: 403, retry_after: None, executed: false, body: Some(forbidden) });
    for fault in faults {
        desk.fault(Rule::any(fault.clone()).path("/history"));
        let error = desk.page(&feed, start.since()).await.unwrap_err();
        assert_ne!(error.kind, ErrorKind::TokenExpired, "{fault:?}");
        desk.sandbox.with(|state| state.faults.clear());
        // Neither is anything listed to its end while the profile, with whose mark a listing begins, cannot be read.
        desk.fault(Rule::any(fault.clone()).path("/profile"));
        assert!(desk.page(&feed, Since::Start).await.is_err(), "{fault:?}");
        desk.sandbox.with(|state| state.faults.clear());
    }
    desk.sandbox.reset_counts();
    assert_eq!(desk.round(start.since()).await.names(), [id(&one, "INBOX").as_str()]);
    assert_eq!(desk.asked("/messages"), 0, "nothing is listed");
}

/// A page of the history that fails leaves a token behind that tells everything again.
#[tokio::test]
async fn early_end_keeps_token() {
    let desk = Desk::with(|switches| switches.page_size_cap = 3).await;
    let start = desk.round(Since::Start).await;
    let all: BTreeSet<RemoteId> = (0..9).map(|n| id(&desk.add(&format!("mail {n}"), &["INBOX"]), "INBOX")).collect();
    let feed = desk.feed().await;
    for pages in 0..3 {
        desk.fault(Rule::any(Fault::status(503)).path("/history").skip(pages));
        let (mut round, mut since) = (Round::default(), Some(start.since()));
        while let Some(next) = since.take() {
            match desk.page(&feed, next).await {
                Ok(page) => since = round.take(page),
                Err(error) => assert_eq!(error.kind, ErrorKind::Unknown),
            }
        }
        assert_eq!((round.pages, &round.token), (pages as usize, &None), "only the last page brings a token");
        desk.sandbox.with(|state| state.faults.clear());
    }
    assert_eq!(desk.round(start.since()).await.seen.keys().cloned().collect::<BTreeSet<_>>(), all);
}

#[tokio::test]
async fn draft_edited_five_times() {
    for at_once in [true, false] {
        let desk = Desk::new().await;
        let draft = desk.sandbox.google_add_draft(&mail("draft 0")).unwrap();
        let mut last = desk.round(Since::Start).await;
        let first = last.seen.values().next().unwrap().clone();
        let mut known = first.remote_id.clone();
        for n in 1..=5 {
            let edited = id(&desk.sandbox.google_edit_draft(&draft, &mail(&format!("draft {n}"))).unwrap(), "DRAFT");
            if at_once && n < 5 {
                continue;
            }
            last = desk.round(last.since()).await;
            assert_eq!(last.renamed, [(known, edited.clone())], "{n}");
            assert_eq!((last.names(), last.gone.contains(&first.remote_id)), (vec![edited.as_str()], false), "{n}");
            known = edited;
        }
        assert_eq!(sheet(&desk.whole(&known).await).says["subject"], json!("draft 5"));
        assert!(desk.round(last.since()).await.seen.is_empty());
    }
}

#[tokio::test]
async fn an_edited_draft_keeps_its_copy_and_gets_other_bytes() {
    let desk = Desk::new().await;
    let draft = desk.sandbox.google_add_draft(&mail("draft")).unwrap();
    let start = desk.round(Since::Start).await;
    let before = start.seen.values().next().unwrap().clone();
    assert_eq!((before.collection.as_str(), words(&before)), ("DRAFT", vec!["$draft".into(), "$seen".into()]));
    let whole = desk.whole(&before.remote_id).await;
    let edited = desk.sandbox.google_edit_draft(&draft, &mail("draft again")).unwrap();
    let delta = desk.round(start.since()).await;
    assert_eq!(delta.renamed, [(before.remote_id.clone(), id(&edited, "DRAFT"))]);
    assert!(!delta.gone.contains(&before.remote_id));
    let now = &delta.seen[&id(&edited, "DRAFT")];
    let lens = desk.google.lens(KIND);
    assert!(lens.facts(&lens.settle_unknown(&whole.rendering, now.rendering.clone())).lacks_body);
    assert_eq!(sheet(&desk.whole(&now.remote_id).await).says["subject"], json!("draft again"));
    let sent = desk.sandbox.google_send_draft(&draft).unwrap();
    let delta = desk.round(delta.since()).await;
    assert_eq!((delta.names(), delta.renamed.len()), (vec![id(&sent, "SENT").as_str()], 0));
    assert!(delta.gone.contains(&id(&edited, "DRAFT")));
}

#[tokio::test]
async fn a_history_that_does_not_come_to_an_end_is_given_up_for_a_listing() {
    let desk = Desk::new().await;
    desk.add("one", &["INBOX"]);
    let feed = desk.feed().await;
    let Since::Token(token) = desk.round(Since::Start).await.since() else { panic!("a round ends with a token") };
    let link = |pages: u32| {
        let since: serde_json::Value = serde_json::from_str(token.as_str()).unwrap();
        let round =
            serde_json::json!({"v": 1, "since": since, "page": null, "pages": pages, "drafts": null, "repeats": false});
        Since::Page(serde_json::json!({ "History": round }).to_string())
    };
    assert!(desk.page(&feed, link(10)).await.is_ok());
    assert_eq!(desk.page(&feed, link(1_000_000)).await.unwrap_err().kind, ErrorKind::TokenExpired);
}
