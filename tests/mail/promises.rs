//! The promises of the README that are not shown beside the Maildirs themselves, over mail.

use super::bench::{answers, bodies_read, expire, flag, forbidden, looks, paths, put};
use super::options::set;
use super::{copies, deliver, gmail_labels, graph, mail, mails, only, settled, synced, text};
use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, provider as provider_of};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use twofold_sandbox::oauth::End;
use twofold_sandbox::{Fault, Phase, Provider, Request, Rule};

/// The name of the one thing that is held.
#[track_caller]
fn held(home: &Home) -> String {
    home.run(&["held"]).expect(0).only_id()
}

#[test]
fn promise_1_no_list_that_cannot_be_read_or_says_nothing_takes_a_message_away() {
    let bad = [
        answers(200, json!({})),
        answers(200, json!({"messages": [], "value": [], "labels": [], "resultSizeEstimate": 0})),
        forbidden(),
        Fault::status(404),
        Fault::Truncate,
        Fault::Html { executed: false },
    ];
    for (provider, lists) in
        [("google", ["/messages", "/labels"]), ("microsoft365", ["/messages/delta", "/mailFolders"])]
    {
        let home = synced(&[provider]);
        let before = paths(&home);
        for list in lists {
            for fault in &bad {
                let what = format!("{provider}, {list}: {fault:?}");
                expire(&home, provider);
                home.sandbox.fault(Rule::any(fault.clone()).on(provider_of(provider)).path(list));
                let ran = home.run(&["sync", "--full-check"]);
                assert!(ran.code.is_some(), "{what}: {ran}");
                assert_eq!((&paths(&home), home.writes()), (&before, 0), "{what}: {ran}");
                home.sandbox.with(|state| state.faults.clear());
            }
            // What was held meanwhile is held no more once everything is seen again.
            home.run(&["sync", "--full-check"]);
            home.sync().expect(0);
            assert_eq!((&paths(&home), home.writes()), (&before, 0), "{provider}, {list}");
        }
    }
}

#[test]
fn promise_2_a_full_check_finds_what_the_history_lost() {
    let home = synced(&GOOGLE);
    home.sync().expect(0);
    let gone = deliver(&home, "google", "Lost and gone");
    home.sync().expect(0);
    deliver(&home, "google", "Lost");
    home.sandbox.google_delete_mail(&gone).unwrap();
    // The history says that nothing happened until now.
    let url = format!("{}/gmail/v1/users/me/profile", home.sandbox.urls().google_gmail);
    let profile = Request::get(&url).bearer(&home.sandbox.access_token(Provider::Google));
    let now = home.sandbox.exchange(&profile).unwrap().body_json()["historyId"].clone();
    home.sandbox.fault(Rule::any(answers(200, json!({"historyId": now}))).path("/history").times(1));
    home.sync().expect(0);
    home.sync().expect(0);
    assert_eq!((mail(&home, "google", "Lost").len(), mail(&home, "google", "Lost and gone").len()), (0, 1));
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!((mail(&home, "google", "Lost").len(), mail(&home, "google", "Lost and gone").len()), (1, 0));
    settled(&home, "found");
}

/// The same at Graph, of what no delta ever tells.
#[test]
fn promise_2_a_full_check_finds_what_the_deltas_of_folders_lost() {
    let home = synced(&MICROSOFT);
    let gone = deliver(&home, "microsoft365", "Lost and gone");
    home.sync().expect(0);
    home.sync().expect(0);
    deliver(&home, "microsoft365", "Lost");
    home.sandbox.graph_mail_purge(&gone).unwrap();
    home.sandbox.switch(|switches| switches.graph_message_delta_loses = true);
    home.sync().expect(0);
    home.sandbox.switch(|switches| switches.graph_message_delta_loses = false);
    home.sync().expect(0);
    let there = || (mail(&home, "microsoft365", "Lost").len(), mail(&home, "microsoft365", "Lost and gone").len());
    assert_eq!(there(), (0, 1));
    home.run(&["sync", "--full-check"]).expect(0);
    assert_eq!(there(), (1, 0));
    settled(&home, "found");
}

#[test]
fn promise_3_a_message_whose_reply_is_lost_is_there_once() {
    for provider in BOTH {
        for fault in [Fault::DropAfter, Fault::status_but_executed(500), Fault::DropBefore, Fault::status(500)] {
            let what = format!("{provider}, {fault:?}");
            let home = synced(&[provider]);
            let before = copies(&home, provider);
            put(&home, provider, "cur/1772442000.M1P1.desk:2,S", &text("Uploaded"));
            home.sandbox.fault(Rule::any(fault).on(provider_of(provider)).writes().times(1));
            let ran = home.sync();
            assert!(matches!(ran.code, Some(0 | 75)), "{what}: {ran}");
            // A list may lag behind what was made: what is not there counts as not made only after minutes, which pass here.
            let mut hub = twofold_hub::Hub::open(&home.state()).unwrap();
            for intent in hub.intents().unwrap() {
                hub.set_sent(&[intent.id], intent.sent_ms.unwrap() - 600_000).unwrap();
            }
            drop(hub);
            home.sync().expect(0);
            assert_eq!(copies(&home, provider), before + 1, "{what}");
            only(mail(&home, provider, "Uploaded"), &what);
            settled(&home, &what);
        }
    }
}

/// Gmail has no place for words of the user's own, nor for answered and forwarded.
#[test]
fn promise_5_marks_that_a_provider_has_no_place_for_survive_its_changes() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Marks");
        home.sync().expect(0);
        let root = home.laptop().join(provider).join("mail");
        fs::write(root.join("dovecot-keywords"), "0 $MDNSent\n1 receipts\n").unwrap();
        flag(&only(mail(&home, provider, "Marks"), provider), "PRSabX");
        home.sync().expect(0);
        match provider {
            "google" => home.sandbox.google_label_mail(&id, &["STARRED", "UNREAD"], &[]).unwrap(),
            _ => {
                home.sandbox.graph_mail_edit(&id, &json!({"flag": {"flagStatus": "flagged"}, "isRead": false})).unwrap()
            }
        }
        home.sync().expect(0);
        // What says "forwarded" by P says it by a letter for Dovecot, too, once it is written.
        let wanted: BTreeSet<char> = "FPRXabc".chars().collect();
        assert_eq!(only(mail(&home, provider, "Marks"), provider).flags(), wanted, "{provider}");
        expire(&home, provider);
        home.run(&["sync", "--full-check"]).expect(0);
        assert_eq!(only(mail(&home, provider, "Marks"), provider).flags(), wanted, "{provider}");
        settled(&home, provider);
    }
}

/// Whether an account holds a mark at all says nothing of those that it has no place for.
#[test]
fn promise_5_marks_of_ones_own_survive_the_first_and_the_last_mark_of_an_account() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Marks");
        home.sync().expect(0);
        fs::write(home.laptop().join(provider).join("mail/dovecot-keywords"), "0 $label1\n").unwrap();
        flag(&only(mail(&home, provider, "Marks"), provider), "a");
        home.sync().expect(0);
        for (is_read, wanted) in [(true, "Sa"), (false, "a"), (true, "Sa")] {
            match provider {
                "google" => {
                    let unread: &[&str] = &["UNREAD"];
                    let (add, remove) = if is_read { (&[][..], unread) } else { (unread, &[][..]) };
                    home.sandbox.google_label_mail(&id, add, remove).unwrap();
                }
                _ => home.sandbox.graph_mail_edit(&id, &json!({"isRead": is_read})).unwrap(),
            }
            home.sync().expect(0);
            let wanted: BTreeSet<char> = wanted.chars().collect();
            assert_eq!(only(mail(&home, provider, "Marks"), provider).flags(), wanted, "{provider}, {is_read}");
        }
        settled(&home, provider);
    }
}

/// A folder of Dovecot's has 26 letters.
#[test]
fn promise_5_a_category_that_has_no_letter_on_a_device_survives_what_is_marked_there() {
    let home = synced(&["microsoft365"]);
    for n in 0..30 {
        let id = deliver(&home, "microsoft365", &format!("Sorted {n}"));
        home.sandbox.graph_mail_edit(&id, &json!({"categories": [format!("Kind {n}")]})).unwrap();
    }
    home.sync().expect(0);
    let plain: Vec<String> = (0..30)
        .map(|n| format!("Sorted {n}"))
        .filter(|subject| only(mail(&home, "microsoft365", subject), subject).flags().is_empty())
        .collect();
    assert!(!plain.is_empty(), "each category has a letter");
    for subject in &plain {
        flag(&only(mail(&home, "microsoft365", subject), subject), "S");
    }
    home.sync().expect(0);
    for subject in &plain {
        let there = home.sandbox.graph_mail_messages().into_iter().find(|message| message["subject"] == **subject);
        let there = there.unwrap();
        let kind = subject.replace("Sorted", "Kind");
        assert_eq!((&there["isRead"], &there["categories"]), (&json!(true), &json!([kind])), "{subject}");
    }
    settled(&home, "categories");
}

#[test]
fn promise_6_a_full_check_and_a_lost_token_touch_no_file_and_write_nothing() {
    let home = synced(&BOTH);
    let stamps = || -> Vec<(PathBuf, u64, i64, i64)> {
        let of = |path: PathBuf| {
            let data = fs::metadata(&path).unwrap();
            (path, data.ino(), data.ctime(), data.ctime_nsec())
        };
        paths(&home).into_iter().map(of).collect()
    };
    let before = stamps();
    home.run(&["sync", "--full-check"]).expect(0);
    BOTH.iter().for_each(|provider| expire(&home, provider));
    home.sync().expect(0);
    assert_eq!(stamps(), before);
    assert_eq!((home.writes(), bodies_read(&home)), (0, 0));
}

#[test]
fn promise_8_many_messages_that_go_at_once_wait_for_a_word() {
    for provider in BOTH {
        let home = synced(&[provider]);
        for n in 0..20 {
            deliver(&home, provider, &format!("Kept {n}"));
        }
        home.sync().expect(0);
        let inbox: Vec<PathBuf> =
            (0..20).map(|n| only(mail(&home, provider, &format!("Kept {n}")), provider).path).collect();
        let before = copies(&home, provider);
        inbox.iter().for_each(|path| fs::remove_file(path).unwrap());
        home.sync().expect(4);
        assert_eq!(home.writes(), 0, "{provider}");
        home.run(&["drop", &held(&home)]).expect(0);
        home.sync().expect(0);
        assert_eq!((mails(&home, provider).len(), home.writes()), (before, 0), "{provider}: they are back");
        // The same at the provider, for good.
        let ids: Vec<String> = match provider {
            "google" => home.sandbox.google_messages(),
            _ => home.sandbox.graph_mail_messages(),
        }
        .into_iter()
        .map(|message| message["id"].as_str().unwrap().to_owned())
        .collect();
        for id in &ids {
            match provider {
                "google" => home.sandbox.google_delete_mail(id).unwrap(),
                _ => home.sandbox.graph_mail_purge(id).unwrap(),
            }
        }
        let files = paths(&home);
        for _ in 0..2 {
            home.sync().expect(4);
            assert_eq!(paths(&home), files, "{provider}");
        }
    }
}

#[test]
fn promise_8_what_went_to_the_trash_of_an_account_is_moved_back_and_not_made_anew() {
    // The trash is kept in step, or left out.
    let cases = BOTH.into_iter().flat_map(|provider| [(provider, ""), (provider, "exclude = [\"role:trash\"]")]);
    for (provider, scope) in cases {
        let what = format!("{provider}, {scope}");
        let home = synced(&[provider]);
        set(&home, provider, scope);
        let ids: Vec<String> = (0..20).map(|n| deliver(&home, provider, &format!("Kept {n}"))).collect();
        home.sync().expect(0);
        let (before, files) = (copies(&home, provider), paths(&home));
        for id in &ids {
            match provider {
                "google" => home.sandbox.google_trash_mail(id).unwrap(),
                _ => home.sandbox.graph_mail_move(id, "deleteditems").unwrap(),
            }
        }
        home.sync().expect(4);
        home.run(&["drop", &held(&home)]).expect(0);
        home.sync().expect(0);
        assert_eq!((copies(&home, provider), paths(&home)), (before, files), "{what}");
        for (n, id) in ids.iter().enumerate() {
            match provider {
                "google" => assert!(gmail_labels(&home, id).contains("INBOX"), "{what}: {id}"),
                _ => assert_eq!(graph(&home, &format!("Kept {n}"))["id"], json!(id), "{what}: the message that it was"),
            }
        }
        settled(&home, provider);
    }
}

#[test]
fn promise_8_a_spam_folder_that_is_emptied_is_held_as_any_other() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let ids: Vec<String> = (0..20)
            .map(|n| match provider {
                "google" => home.sandbox.google_add_mail(&text(&format!("Spam {n}")), &["SPAM"]),
                _ => home.sandbox.graph_mail_deliver("junkemail", &text(&format!("Spam {n}"))).unwrap(),
            })
            .collect();
        home.sync().expect(0);
        let files = paths(&home);
        for id in &ids {
            match provider {
                "google" => home.sandbox.google_delete_mail(id).unwrap(),
                _ => home.sandbox.graph_mail_purge(id).unwrap(),
            }
        }
        home.sync().expect(4);
        assert_eq!(paths(&home), files, "{provider}");
        home.run(&["approve", &held(&home)]).expect(0);
        home.sync().expect(0);
        assert_eq!(paths(&home).len(), files.len() - 20, "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn promise_8_many_messages_that_are_filed_at_once_are_no_alarm() {
    for (provider, archive) in [("google", ".Archive"), ("microsoft365", ".Archiv")] {
        let home = synced(&[provider]);
        let ids: Vec<String> = (0..40).map(|n| deliver(&home, provider, &format!("Old {n}"))).collect();
        home.sync().expect(0);
        // Half of them at the provider, half on the laptop.
        for id in &ids[..20] {
            match provider {
                "google" => home.sandbox.google_label_mail(id, &[], &["INBOX"]).unwrap(),
                _ => home.sandbox.graph_mail_move(id, "archive").unwrap(),
            }
        }
        for n in 20..40 {
            let path = only(mail(&home, provider, &format!("Old {n}")), provider).path;
            let to =
                home.laptop().join(provider).join("mail").join(archive).join("new").join(path.file_name().unwrap());
            fs::rename(path, to).unwrap();
        }
        home.sync().expect(0);
        for (n, id) in ids.iter().enumerate() {
            let subject = format!("Old {n}");
            assert_eq!(only(mail(&home, provider, &subject), provider).folder(), archive, "{subject}");
            match provider {
                "google" => assert_eq!(gmail_labels(&home, id), ["UNREAD".to_owned()].into(), "{subject}"),
                _ => assert_eq!(graph(&home, &subject)["folder"], json!(["Archiv"]), "{subject}"),
            }
        }
        settled(&home, provider);
    }
}

#[test]
fn promise_9_one_message_whose_bytes_cannot_be_had_stops_no_other() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let bad = deliver(&home, provider, "Bad");
        deliver(&home, provider, "Good");
        let fault = match provider {
            "google" => answers(200, json!({"id": bad, "labelIds": ["INBOX"], "raw": "*"})),
            _ => answers(500, json!({"error": {"code": "ErrorCorruptData", "message": "It is corrupt."}})),
        };
        let path = if provider == "google" { bad.clone() } else { format!("{bad}/$value") };
        home.sandbox.fault(Rule::any(fault).on(provider_of(provider)).path(&path));
        // And one on the laptop.
        put(&home, provider, "cur/1772442001.M2P1.desk:2,S", b"");
        put(&home, provider, "cur/1772442002.M3P1.desk:2,S", &text("Beside"));
        home.sync().expect(5);
        only(mail(&home, provider, "Good"), provider);
        assert_eq!(mail(&home, provider, "Bad").len(), 0, "{provider}");
        let count = copies(&home, provider);
        home.run(&["status"]).expect(5).shows(&["in quarantine", "M2P1"]);
        home.sandbox.with(|state| state.faults.clear());
        fs::remove_file(home.laptop().join(provider).join("mail/cur/1772442001.M2P1.desk:2,S")).unwrap();
        home.run(&["sync", "--retry-quarantined"]);
        home.sync().expect(0);
        only(mail(&home, provider, "Bad"), provider);
        assert_eq!(copies(&home, provider), count, "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn a_message_of_which_nobody_says_whether_it_was_made_has_its_name_in_status() {
    for provider in BOTH {
        let home = synced(&[provider]);
        put(&home, provider, "cur/1772442001.M2P1.desk:2,S", &text("Never taken"));
        home.sandbox.fault(Rule::any(Fault::status(500)).on(provider_of(provider)).writes());
        home.sync().expect(75);
        home.run(&["status"])
            .expect(75)
            .shows(&["writes whose fate is not known yet: 1", &format!("    {provider}: Never taken: making it")]);
    }
}

/// What the history does not say is asked for; where Gmail does not show it, all is listed after three runs.
#[test]
fn promise_9_one_message_that_gmail_never_shows_holds_up_no_other_for_more_than_three_runs() {
    let home = synced(&GOOGLE);
    let [bad, good] = ["Bad", "Good"].map(|subject| deliver(&home, "google", subject));
    home.sync().expect(0);
    let archived = || {
        let is_archived = |subject: &str| only(mail(&home, "google", subject), subject).folder() == ".Archive";
        ["Bad", "Good"].map(is_archived)
    };
    [&bad, &good].iter().for_each(|id| home.sandbox.google_label_mail(id, &[], &["INBOX", "UNREAD"]).unwrap());
    deliver(&home, "google", "Later");
    home.sandbox.fault(Rule::any(Fault::status(500)).on(Provider::Google).parts().path(&bad));
    (0..3).for_each(|_| drop(home.sync().expect(75)));
    home.sync();
    assert_eq!(archived(), [false, true], "that it left its folder is asked for once more");
    only(mail(&home, "google", "Later"), "what came meanwhile is there");
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    assert_eq!(archived(), [true, true]);
    assert_eq!(home.writes(), 0);
    settled(&home, "all is told");
}

/// What is certainly no message says nothing of the message, whatever it is, until it comes again and again.
#[test]
fn promise_9_an_answer_that_is_no_message_sets_none_aside_before_it_came_three_times() {
    for fault in [Fault::Nothing, Fault::Html { executed: false }, Fault::Truncate] {
        for is_over in [true, false] {
            let what = format!("{fault:?}, over: {is_over}");
            let home = synced(&MICROSOFT);
            let id = deliver(&home, "microsoft365", "Late");
            let rule = Rule::any(fault.clone()).on(Provider::Microsoft).path(&format!("{id}/$value"));
            home.sandbox.fault(rule);
            for run in 1..=2 {
                home.sync().expect(75);
                assert!(!home.run(&["status"]).out.contains("in quarantine"), "{what}, run {run}");
            }
            if is_over {
                home.sandbox.with(|state| state.faults.clear());
                home.sync().expect(0);
                only(mail(&home, "microsoft365", "Late"), &what);
                settled(&home, &what);
            } else {
                home.sync().expect(5);
                home.run(&["status"]).expect(5).shows(&["in quarantine"]);
            }
        }
    }
}

#[test]
fn promise_10_a_sign_in_that_dies_amid_the_bodies_keeps_what_is_here() {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        // Enough for a second batch.
        for n in 0..30 {
            deliver(&home, provider, &format!("More {n}"));
        }
        let at = if provider == "google" { "/batch" } else { "/$value" };
        let (sandbox, seen) = (home.sandbox.clone(), AtomicUsize::new(0));
        let dies_at = if provider == "google" { 1 } else { 10 };
        home.sandbox.set_hook(Some(Arc::new(move |info, phase| {
            if phase == Phase::Before && info.path.contains(at) && seen.fetch_add(1, Ordering::SeqCst) == dies_at {
                sandbox.end_sign_ins(provider_of(provider), End::Revoked, true);
            }
        })));
        home.sync().expect(3).says(&[&format!("twofold login {provider}")]);
        home.sandbox.set_hook(None);
        let here = mails(&home, provider).len();
        assert!(here > 0 && here < copies(&home, provider), "{provider}: {here}");
        home.sync().expect(3);
        assert_eq!(mails(&home, provider).len(), here, "{provider}");
        home.run(&["status"]).expect(3).shows(&[&format!("twofold login {provider}")]);
        home.login(provider).expect(0);
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        assert!(bodies_read(&home) < copies(&home, provider), "{provider}: not all is read again");
        assert_eq!(looks(&home), 0, "{provider}: what the list said is known");
        assert_eq!(home.writes(), 0, "{provider}");
        settled(&home, provider);
    }
}

/// How often the bytes of each message came, by the message.
fn bodies_that_came(home: &Home) -> BTreeMap<String, usize> {
    let mut came = BTreeMap::new();
    for line in home.sandbox.log().into_iter().filter(|line| line.status == 200) {
        let is_raw = line.query.iter().any(|(name, value)| name == "format" && value == "raw");
        if is_raw || line.info.path.ends_with("/$value") {
            *came.entry(line.info.path).or_default() += 1;
        }
    }
    came
}

#[test]
fn promise_10_an_access_token_that_expires_amid_the_bodies_is_renewed_and_none_is_read_twice() {
    for provider in BOTH {
        for expires_at in if provider == "google" { [0, 1, 2] } else { [0, 7, 30] } {
            let what = format!("{provider}, at {expires_at}");
            let home = Home::with_mail(&[provider]);
            // Enough for several batches.
            (0..60).for_each(|n| drop(deliver(&home, provider, &format!("More {n}"))));
            let at = if provider == "google" { "/batch" } else { "/$value" };
            let (sandbox, seen) = (home.sandbox.clone(), Arc::new(AtomicUsize::new(0)));
            let counted = seen.clone();
            home.sandbox.set_hook(Some(Arc::new(move |info, phase| {
                let is_one = phase == Phase::Before && info.path.contains(at) && !info.is_part;
                if is_one && counted.fetch_add(1, Ordering::SeqCst) == expires_at {
                    sandbox.expire_access_tokens(provider_of(provider));
                }
            })));
            home.sync().expect(0);
            home.sandbox.set_hook(None);
            assert!(seen.load(Ordering::SeqCst) > expires_at, "{what}: it expired");
            let refused = home.sandbox.log().iter().filter(|line| line.status == 401).count();
            assert!(refused > 0, "{what}: a request was refused");
            let came = bodies_that_came(&home);
            assert_eq!(came.len(), messages_at(&home, provider), "{what}");
            assert!(came.values().all(|times| *times == 1), "{what}: {came:?}");
            assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{what}");
            assert_eq!(home.writes(), 0, "{what}");
            settled(&home, &what);
        }
    }
}

/// How many messages a provider has.
fn messages_at(home: &Home, provider: &str) -> usize {
    match provider {
        "google" => home.sandbox.google_messages().len(),
        _ => copies(home, provider),
    }
}

#[test]
fn promise_11_no_budget_is_overdrawn_and_a_pause_is_kept_by_the_next_run() {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        home.sandbox.switch(|switches| switches.latency_ms = 5);
        home.sync().expect(0);
        let counts = home.sandbox.counts(provider_of(provider));
        assert_eq!(counts.throttled, 0, "{provider}");
        if provider == "google" {
            // A first sync this small is far from Gmail's limit, so what we count is compared with what Gmail counts.
            let left = home.json(&["status"])["budgets_left"].clone();
            let units = left.as_array().unwrap().iter().find(|row| row["what"] == "units").unwrap();
            let counted = units["of"].as_u64().unwrap() - units["left"].as_u64().unwrap();
            assert!(counted >= counts.quota, "{counted} units are counted here, {} there", counts.quota);
        }
        for n in 0..3 {
            deliver(&home, provider, &format!("New {n}"));
        }
        let path = if provider == "google" { "/batch" } else { "/$value" };
        home.sandbox.fault(Rule::any(Fault::throttled("3600")).on(provider_of(provider)).path(path).times(1));
        home.sync().expect(75);
        home.sandbox.reset_counts();
        for _ in 0..2 {
            home.sync().expect(75);
            assert_eq!(home.requests(), 0, "{provider}: nobody asks again within the hour");
        }
    }
}

/// The files of messages, and what is in them.
fn messages(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    paths(home).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn promise_13_after_a_hub_was_lost_nothing_is_doubled_and_no_file_is_touched() {
    for provider in BOTH {
        for uploads in [false, true] {
            let home = synced(&[provider]);
            if uploads {
                put(&home, provider, "cur/1772442000.M1P1.desk:2,S", &text("Uploaded"));
                home.sync().expect(0);
            }
            let (files, count) = (messages(&home), copies(&home, provider));
            fs::remove_dir_all(home.state()).unwrap();
            home.login(provider).expect(0);
            home.sandbox.reset_counts();
            if uploads && provider == "microsoft365" {
                // A mark of less than a day ago: another twofold may be at work, so somebody says that it is not.
                home.sync().expect(4);
                home.run(&["approve", &held(&home)]).expect(0);
            }
            home.sync().expect(0);
            let what = format!("{provider}, {uploads}");
            assert!(messages(&home) == files, "{what}");
            assert_eq!((copies(&home, provider), home.writes()), (count, 0), "{what}");
            settled(&home, &what);
        }
    }
}

#[test]
fn promise_14_marks_of_both_sides_are_merged_and_a_change_beats_a_removal() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let (both, one) = (deliver(&home, provider, "Both"), deliver(&home, provider, "One"));
        home.sync().expect(0);
        flag(&only(mail(&home, provider, "Both"), provider), "S");
        fs::remove_file(only(mail(&home, provider, "One"), provider).path).unwrap();
        for id in [&both, &one] {
            match provider {
                "google" => home.sandbox.google_label_mail(id, &["STARRED"], &[]).unwrap(),
                _ => home.sandbox.graph_mail_edit(id, &json!({"flag": {"flagStatus": "flagged"}})).unwrap(),
            }
        }
        home.sync().expect(0);
        assert_eq!(only(mail(&home, provider, "Both"), provider).flags(), ['F', 'S'].into(), "{provider}");
        let kept = only(mail(&home, provider, "One"), provider);
        assert_eq!((kept.folder().as_str(), kept.flags()), ("", ['F'].into()), "{provider}");
        match provider {
            "google" => assert!(gmail_labels(&home, &one).contains("INBOX")),
            _ => assert_eq!(graph(&home, "One")["folder"], json!(["Posteingang"])),
        }
        settled(&home, provider);
    }
}

/// Of a draft that was written on at both ends both texts stay, once each: an editor that saves leaves another file in the place of the
/// first. And what was written on there is not thrown away because it was removed here.
#[test]
fn promise_14_a_draft_that_is_written_on_at_both_ends_keeps_both_texts() {
    for (provider, folder) in [("google", ".Drafts"), ("microsoft365", ".Entw&APw-rfe")] {
        for saves in [true, false] {
            let home = synced(&[provider]);
            let draft = match provider {
                "google" => home.sandbox.google_add_draft(&text("Draft")).unwrap(),
                _ => home.sandbox.graph_mail_draft(&text("Draft")),
            };
            home.sync().expect(0);
            match provider {
                "google" => drop(home.sandbox.google_edit_draft(&draft, &text("Draft from there")).unwrap()),
                _ => home.sandbox.graph_mail_edit_draft(&draft, &text("Draft from there")).unwrap(),
            }
            fs::remove_file(only(mail(&home, provider, "Draft"), provider).path).unwrap();
            if saves {
                put(&home, provider, &format!("{folder}/cur/1772442000.M1P1.desk:2,DS"), &text("Draft from here"));
            }
            home.sync().expect(0);
            let there = only(mail(&home, provider, "Draft from there"), provider);
            assert_eq!(there.folder(), folder, "{provider}, {saves}");
            let here: Vec<String> = mail(&home, provider, "Draft from here").iter().map(|mail| mail.folder()).collect();
            assert_eq!(here, if saves { vec![folder] } else { vec![] }, "{provider}");
            assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}, {saves}");
            settled(&home, provider);
        }
    }
}

/// Bench: a full check lists messages, and a draft that was edited is another message.
#[test]
fn promise_2_a_draft_that_was_edited_at_gmail_right_before_a_full_check_is_the_same_draft() {
    for manner in ["delta", "full check", "no history"] {
        for saves in [false, true] {
            let what = format!("{manner}, saves: {saves}");
            let home = synced(&GOOGLE);
            let draft = home.sandbox.google_add_draft(&text("Draft")).unwrap();
            home.sync().expect(0);
            let before = only(mail(&home, "google", "Draft"), &what);
            let count = copies(&home, "google");
            home.sandbox.google_edit_draft(&draft, &text("Draft from there")).unwrap();
            if saves {
                fs::remove_file(&before.path).unwrap();
                put(&home, "google", ".Drafts/cur/1772442000.M1P1.desk:2,DS", &text("Draft from here"));
            }
            if manner == "no history" {
                expire(&home, "google");
            }
            let flags: &[&str] = if manner == "full check" { &["sync", "--full-check"] } else { &["sync"] };
            // Of the account, an edit; of the laptop nothing, or the text that was saved.
            home.run(flags).expect(0).shows(&["google         mail           -     1     -     -  "]);
            assert!(mail(&home, "google", "Draft").is_empty(), "{what}");
            let there = only(mail(&home, "google", "Draft from there"), &what);
            assert_eq!(there.folder(), ".Drafts", "{what}");
            assert_eq!(mail(&home, "google", "Draft from here").len(), usize::from(saves), "{what}");
            assert_eq!(copies(&home, "google"), count + usize::from(saves), "{what}");
            settled(&home, &what);
        }
    }
}
