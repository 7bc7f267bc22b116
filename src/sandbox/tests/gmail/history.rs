//! `history.list` and its quirks.

use super::*;

#[test]
fn no_change_is_an_id_alone() {
    let client = Client::empty();
    let now = client.history_id();
    let answer = client.ok(Request::get(&format!("{ME}/history?startHistoryId={now}")));
    assert_eq!(answer, json!({ "historyId": now }));
}

#[test]
fn every_change_has_a_record_and_one_record_may_have_two() {
    let client = Client::empty();
    let start = client.history_id();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX", "UNREAD"]));
    client.ok(client.modify(&one, &["STARRED"], &["UNREAD"]));
    client.ok(client.modify(&one, &["STARRED"], &[])); // Changes nothing.
    client.sandbox.google_delete_mail(&one).unwrap();
    let (records, last) = client.history(&start, "");
    let names: Vec<Vec<&str>> = records.iter().map(keys).collect();
    assert_eq!(
        names,
        [
            vec!["id", "messages", "messagesAdded"],
            vec!["id", "labelsAdded", "labelsRemoved", "messages"],
            vec!["id", "messages", "messagesDeleted"],
        ]
    );
    let label = &records[1];
    assert_eq!(
        (&label["labelsAdded"][0]["labelIds"], &label["labelsRemoved"][0]["labelIds"]),
        (&json!(["STARRED"]), &json!(["UNREAD"]))
    );
    assert_eq!(label["messages"], json!([{ "id": one, "threadId": one }]));
    let ids: Vec<u64> = records.iter().map(|record| record["id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(ids.is_sorted() && ids[0] > start.parse().unwrap(), "{ids:?}");
    assert_eq!(last, ids[2].to_string());
    assert_eq!(client.history(&last, "").0, [] as [Value; 0]);
}

#[test]
fn records_show_the_labels_of_now_unless_switched() {
    let client = Client::empty();
    let start = client.history_id();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    client.ok(client.modify(&one, &["STARRED"], &["INBOX"]));
    let added = |client: &Client| client.history(&start, "").0[0]["messagesAdded"][0]["message"]["labelIds"].clone();
    assert_eq!(added(&client), json!(["STARRED"]));
    client.sandbox.switch(|switches| switches.mail_history_shows_present_labels = false);
    assert_eq!(added(&client), json!(["INBOX"]));
}

#[test]
fn the_question_is_in_the_singular() {
    let client = Client::empty();
    let start = client.history_id();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    client.ok(client.modify(&one, &["STARRED"], &["INBOX"]));
    let ask = |kinds: &str| client.history(&start, kinds).0;
    assert_eq!(ask("historyTypes=messageAdded").len(), 1);
    assert_eq!(keys(&ask("historyTypes=labelRemoved")[0]), ["id", "labelsRemoved", "messages"]);
    assert_eq!(ask("historyTypes=messageAdded&historyTypes=labelAdded").len(), 2);
    assert_eq!(ask("labelId=STARRED").len(), 2, "it has the label now");
    assert!(ask("labelId=SPAM").is_empty());
    let plural = Request::get(&format!("{ME}/history?startHistoryId={start}&historyTypes=messagesAdded"));
    let message = client.refused(plural, 400, "invalidArgument");
    assert_eq!(message, "Invalid value at 'historyTypes' (string), \"messagesAdded\"");
    client.refused(Request::get(&format!("{ME}/history")), 400, "invalidArgument");
}

#[test]
fn pages_may_be_empty_and_may_repeat_and_each_tells_the_latest_id() {
    let switches = Switches { empty_pages: true, mail_history_repeats: true, page_size_cap: 2, ..Switches::default() };
    let client = Client::with(switches);
    let start = client.history_id();
    let made: Vec<String> = (0..5).map(|i| id(&client.insert(&mail(&format!("{i}@x"), "s"), &["INBOX"]))).collect();
    let now = client.history_id();
    let mut pages = Vec::new();
    let mut page = String::new();
    loop {
        let body = client.ok(Request::get(&format!("{ME}/history?startHistoryId={start}&pageToken={page}")));
        assert_eq!(body["historyId"], json!(now));
        let rows = body["history"].as_array().cloned();
        assert_ne!(rows.as_ref().map(Vec::len), Some(0), "an empty list has no key");
        pages.push(rows.unwrap_or_default());
        match body["nextPageToken"].as_str() {
            Some(token) => page = token.to_owned(),
            None => break,
        }
    }
    assert!(pages[0].is_empty() && pages.len() > 3);
    let ids: Vec<&str> = pages.iter().flatten().map(|record| record["messages"][0]["id"].as_str().unwrap()).collect();
    assert!(ids.len() > made.len(), "some came twice");
    assert!(made.iter().all(|id| ids.contains(&id.as_str())));
}

#[test]
fn an_id_that_is_too_old_or_of_another_mailbox_is_not_found() {
    let mut client = Client::empty();
    let start = client.history_id();
    let ask = |start: &str| Request::get(&format!("{ME}/history?startHistoryId={start}"));
    client.refused(ask("5"), 404, "notFound");
    client.refused(ask("999999999"), 404, "notFound");
    client.refused(ask("yesterday"), 400, "invalidArgument");
    client.wait_ms(6 * 86_400_000);
    let (_, later) = client.history(&start, "");
    assert_ne!(later, start, "a quiet mailbox has new ids too");
    client.wait_ms(2 * 86_400_000);
    client.refused(ask(&start), 404, "notFound");
    client.ok(ask(&later));
    client.insert(&mail("1@x", "s"), &[]);
    client.sandbox.google_forget_mail_history();
    client.refused(ask(&later), 404, "notFound");
    client.ok(ask(&client.history_id()));
}

#[test]
fn labels_are_not_in_the_history() {
    let client = Client::empty();
    let label = client.sandbox.google_add_label("a/b").unwrap();
    client.insert(&mail("1@x", "s"), &[&label]);
    let start = client.history_id();
    client.sandbox.google_rename_label(&label, "c").unwrap();
    client.sandbox.google_delete_label(&label).unwrap();
    assert_eq!(client.history(&start, ""), (vec![], start.clone()));
    let label = client.sandbox.google_add_label("d").unwrap();
    client.insert(&mail("2@x", "s"), &[&label]);
    let start = client.history_id();
    client.sandbox.switch(|switches| switches.mail_label_delete_is_in_history = true);
    client.done(Request::delete(&format!("{ME}/labels/{label}")));
    assert_eq!(client.history(&start, "").0[0]["labelsRemoved"][0]["labelIds"], json!([label]));
}

#[test]
fn records_may_come_late_and_their_id_with_them() {
    let mut client = Client::with(Switches { mail_history_lag_s: 60, ..Switches::default() });
    let start = client.history_id();
    client.insert(&mail("1@x", "s"), &["INBOX"]);
    assert_eq!(client.history(&start, ""), (Vec::new(), start.clone()));
    client.wait_ms(60_000);
    let (records, last) = client.history(&start, "");
    assert_eq!((records.len(), last), (1, client.history_id()));
}

#[test]
fn a_record_of_the_trash_may_say_nothing_of_the_labels_that_were_lost() {
    for is_alone in [false, true] {
        let client = Client::with(Switches { mail_history_tells_trash_alone: is_alone, ..Switches::default() });
        let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
        let start = client.history_id();
        client.ok(Request::post(&format!("{MESSAGES}/{one}/trash"), &json!({})));
        let (records, _) = client.history(&start, "");
        let tells = |kind: &str| records.iter().any(|record| record.get(kind).is_some());
        assert_eq!((tells("labelsAdded"), tells("labelsRemoved")), (true, !is_alone));
    }
}

#[test]
fn messages_of_records_may_come_without_labels() {
    let client = Client::with(Switches { mail_history_label_ids: false, ..Switches::default() });
    let start = client.history_id();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    let (records, _) = client.history(&start, "");
    assert_eq!(records[0]["messagesAdded"][0]["message"], json!({ "id": one, "threadId": one }));
}
