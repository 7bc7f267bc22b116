//! Deltas of the messages of a folder, and all that makes them hard.

use super::mail::{MAIL, is_removed, letter};
use super::*;

const INBOX: &str = "me/mailFolders/inbox/messages/delta";

fn several(graph: &Graph, count: usize) -> Vec<String> {
    let name = |n: usize| letter(&format!("{n}@x"), &format!("S{n}"));
    (0..count).map(|n| graph.sandbox.graph_mail_deliver("inbox", &name(n)).unwrap()).collect()
}

#[test]
fn a_first_round_comes_in_pages_of_the_size_that_each_request_prefers() {
    let graph = Graph::empty();
    several(&graph, 25);
    let (rows, link) = graph.round(&url(&format!("{INBOX}?$select=subject")), 7);
    assert_eq!(rows.len(), 25);
    assert_eq!(
        rows[0].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["@odata.type", "@odata.etag", "id", "subject"]
    );
    assert!(graph.round(&link, 7).0.is_empty());
    let reply = graph.send(Request::get(&url(INBOX)).with_header("Prefer", "odata.maxpagesize=20"));
    assert_eq!(reply.header("preference-applied"), Some("odata.maxpagesize=20"));
    let next = text(&reply.body_json()["@odata.nextLink"]);
    // The next page forgets the size.
    let page = graph.send(Request::get(&next)).body_json();
    assert_eq!(page["value"].as_array().unwrap().len(), 5);
    assert!(page["@odata.deltaLink"].is_string());
    let short = graph.send(Request::get(&next)).body_json();
    assert_eq!(short["value"].as_array().unwrap().len(), 5, "a link can be asked twice");
}

#[test]
fn a_size_in_the_query_holds_for_every_page() {
    let graph = Graph::empty();
    several(&graph, 5);
    let (mut link, mut sizes) = (url(&format!("{INBOX}?$top=2")), Vec::new());
    loop {
        let page = graph.send(Request::get(&link)).body_json();
        sizes.push(page["value"].as_array().unwrap().len());
        match page["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn only_the_read_mark_is_told_when_nothing_else_changed() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let (_, link) = graph.round(&url(INBOX), 10);
    graph.sandbox.graph_mail_edit(&id, &json!({ "isRead": true })).unwrap();
    let (rows, next) = graph.round(&link, 10);
    assert_eq!(rows[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["@odata.type", "@odata.etag", "id", "isRead"]);
    graph.sandbox.graph_mail_edit(&id, &json!({ "isRead": false, "categories": ["x"] })).unwrap();
    assert_eq!(graph.round(&next, 10).0[0]["subject"], "Grüße");
    graph.sandbox.switch(|switches| switches.graph_delta_read_state_alone = false);
    graph.sandbox.graph_mail_edit(&id, &json!({ "categories": [] })).unwrap();
    assert_eq!(graph.round(&link, 10).0[0]["subject"], "Grüße");
}

#[test]
fn our_mark_comes_with_the_rows_when_it_is_expanded() {
    let graph = Graph::empty();
    let mark = json!([{ "id": MARK, "value": "m" }]);
    graph.post("me/mailFolders/inbox/messages", &json!({ "subject": "S", "singleValueExtendedProperties": mark }));
    let expand = encoded(&format!("singleValueExtendedProperties($filter=id eq '{MARK}' or id eq 'Integer 0x0E08')"));
    let (rows, _) = graph.round(&url(&format!("{INBOX}?$select=id&$expand={expand}")), 10);
    let shown = rows[0]["singleValueExtendedProperties"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0]["value"]), (2, &json!("m")));
}

#[test]
fn without_immutable_ids_a_move_away_and_back_is_an_old_id_gone_and_a_new_one() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let ask = |link: &str| graph.plain(Request::get(link)).body_json();
    let first = ask(&url(INBOX));
    let (old, link) = (text(&first["value"][0]["id"]), text(&first["@odata.deltaLink"]));
    graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
    graph.sandbox.graph_mail_move(&id, "inbox").unwrap();
    let rows = ask(&link)["value"].as_array().unwrap().clone();
    assert!(rows.len() == 2 && is_removed(&rows[0]) && !is_removed(&rows[1]), "{rows:?}");
    assert_eq!(rows[0]["id"], old.as_str());
    assert_ne!(rows[1]["id"], old.as_str());
}

#[test]
fn the_hole_for_what_comes_back_is_a_switch() {
    let graph = Graph::switched(|switches| switches.graph_immutable_move_hole = false);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let (_, link) = graph.round(&url(INBOX), 10);
    graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
    graph.sandbox.graph_mail_move(&id, "inbox").unwrap();
    let (rows, _) = graph.round(&link, 10);
    assert!(rows.len() == 1 && !is_removed(&rows[0]) && rows[0]["id"] == id.as_str());
}

#[test]
fn a_moved_message_may_be_missing_where_it_came_to() {
    let graph = Graph::switched(|switches| switches.graph_mail_move_missing_at_goal = true);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let (_, link) = graph.round(&url("me/mailFolders/junkemail/messages/delta"), 10);
    graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
    let new = graph.sandbox.graph_mail_deliver("junkemail", &letter("2@x", "new")).unwrap();
    assert_eq!(texts(&graph.round(&link, 10).0, "id"), [new]);
    assert_eq!(graph.rows("me/mailFolders/junkemail/messages").len(), 2);
}

#[test]
fn the_reason_of_what_was_moved_is_a_switch_and_what_was_purged_is_deleted() {
    let graph = Graph::empty();
    let reasons = || {
        let ids = several(&graph, 2);
        let (_, link) = graph.round(&url(INBOX), 10);
        graph.sandbox.graph_mail_move(&ids[0], "junkemail").unwrap();
        graph.sandbox.graph_mail_purge(&ids[1]).unwrap();
        let (rows, _) = graph.round(&link, 10);
        rows.iter().map(|row| text(&row["@removed"]["reason"])).collect::<Vec<_>>()
    };
    assert_eq!(reasons(), ["deleted", "deleted"]);
    graph.sandbox.switch(|switches| switches.graph_moved_reason = "changed".into());
    assert_eq!(reasons(), ["changed", "deleted"]);
}

#[test]
fn what_comes_and_goes_between_two_polls_is_told_as_removed() {
    let graph = Graph::empty();
    let (_, link) = graph.round(&url(INBOX), 10);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    graph.sandbox.graph_mail_purge(&id).unwrap();
    let (rows, _) = graph.round(&link, 10);
    assert!(rows.len() == 1 && is_removed(&rows[0]) && rows[0]["id"] == id.as_str());
}

#[test]
fn a_dead_token_says_so_in_one_of_several_ways() {
    let graph = Graph::empty();
    let (_, link) = graph.round(&url(&format!("{INBOX}?$select=subject")), 10);
    graph.sandbox.graph_expire_delta_tokens();
    let reply = graph.send(Request::get(&link));
    refused(&reply, 410, "resyncRequired");
    let place = reply.header("location").unwrap();
    assert!(place.contains("select=subject") && place.ends_with("$deltatoken="), "{place}");
    assert_eq!(graph.send(Request::get(place)).status, 200);
    graph.sandbox.switch(|switches| switches.graph_expired_code = "syncStateNotFound".into());
    refused(&graph.send(Request::get(&link)), 410, "syncStateNotFound");
    graph.sandbox.switch(|switches| switches.graph_expired_status = 400);
    refused(&graph.send(Request::get(&link)), 400, "SyncStateNotFound");
    let (path, _) = link.split_once('?').unwrap();
    refused(&graph.send(Request::get(&format!("{path}?$deltatoken=rubbish"))), 400, "ErrorInvalidSyncStateData");
}

#[test]
fn a_token_is_good_for_its_own_folder_only() {
    let graph = Graph::empty();
    let (_, link) = graph.round(&url(INBOX), 10);
    let token = link.split_once('?').unwrap().1;
    let other = url(&format!("me/mailFolders/junkemail/messages/delta?{token}"));
    refused(&graph.send(Request::get(&other)), 400, "ErrorInvalidSyncStateData");
    refused(&graph.send(Request::get(&format!("{link}&$select=id"))), 400, "BadRequest");
}

#[test]
fn a_folder_that_is_gone_cannot_be_synchronized() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_folder_create("", "F").unwrap();
    let (_, link) = graph.round(&url(&format!("me/mailFolders/{id}/messages/delta")), 10);
    for _ in 0..2 {
        graph.sandbox.graph_mail_folder_delete(&id).unwrap();
    }
    refused(&graph.send(Request::get(&link)), 404, "ErrorSyncFolderNotFound");
}

#[test]
fn a_first_round_may_tell_of_what_is_gone() {
    let graph = Graph::switched(|switches| switches.graph_delta_first_round_removes = true);
    let ids = several(&graph, 2);
    graph.sandbox.graph_mail_purge(&ids[0]).unwrap();
    let (rows, _) = graph.round(&url(INBOX), 10);
    assert_eq!(rows.iter().filter(|row| is_removed(row)).count(), 1);
    assert_eq!(rows.len(), 2);
}

#[test]
fn rows_may_come_twice_and_pages_empty() {
    let graph = Graph::switched(|switches| {
        switches.graph_delta_repeats = true;
        switches.empty_pages = true;
    });
    let (_, link) = graph.round(&url(INBOX), 10);
    several(&graph, 3);
    let (rows, _) = graph.round(&link, 2);
    assert_eq!(rows.len(), 6);
}

#[test]
fn a_delta_is_behind_its_mailbox_where_the_switch_says_so() {
    let graph = Graph::switched(|switches| switches.list_lag_s = 180);
    let (_, link) = graph.round(&url(INBOX), 10);
    graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let (rows, link) = graph.round(&link, 10);
    assert!(rows.is_empty());
    graph.sandbox.clock().advance_ms(181_000);
    assert_eq!(graph.round(&link, 10).0.len(), 1);
}

#[test]
fn an_old_page_link_dies_when_a_newer_round_begins() {
    let graph = Graph::empty();
    let (_, link) = graph.round(&url(INBOX), 10);
    several(&graph, 5);
    let first = graph.send(Request::get(&link).with_header("Prefer", "odata.maxpagesize=2")).body_json();
    let old = text(&first["@odata.nextLink"]);
    graph.round(&link, 10);
    refused(&graph.send(Request::get(&old)), 400, "SyncStateNotFound");
}

#[test]
fn a_filtered_delta_begins_at_a_time_and_tells_every_change() {
    let graph = Graph::empty();
    let old = graph.sandbox.graph_mail_deliver("inbox", &letter("1@x", "old")).unwrap();
    graph.sandbox.clock().advance_ms(60_000);
    graph.sandbox.graph_mail_deliver("inbox", &letter("2@x", "new")).unwrap();
    let filter = encoded("receivedDateTime ge 2026-01-01T08:01:00Z");
    let start = url(&format!("{INBOX}?$filter={filter}&$orderby={}", encoded("receivedDateTime desc")));
    let (rows, link) = graph.round(&start, 10);
    assert_eq!(texts(&rows, "subject"), ["new"]);
    graph.sandbox.graph_mail_edit(&old, &json!({ "categories": ["x"] })).unwrap();
    assert_eq!(texts(&graph.round(&link, 10).0, "subject"), ["old"]);
    for wrong in ["isRead eq true", "receivedDateTime lt 2026-01-01T08:01:00Z"] {
        let reply = graph.get(&format!("{INBOX}?$filter={}", encoded(wrong)));
        refused(&reply, 400, "ErrorInvalidUrlQuery");
    }
    refused(&graph.get(&format!("{INBOX}?$search=x")), 400, "ErrorInvalidUrlQuery");
}

#[test]
fn a_delta_can_be_asked_for_some_kinds_of_change() {
    let graph = Graph::empty();
    let ids = several(&graph, 2);
    let (rows, link) = graph.round(&url(&format!("{INBOX}?changeType=updated,deleted")), 10);
    assert!(rows.is_empty());
    graph.sandbox.graph_mail_edit(&ids[0], &json!({ "categories": ["x"] })).unwrap();
    graph.sandbox.graph_mail_purge(&ids[1]).unwrap();
    several(&graph, 1);
    let (rows, _) = graph.round(&link, 10);
    assert_eq!(texts(&rows, "id"), [ids[0].clone(), ids[1].clone()]);
    refused(&graph.get(&format!("{INBOX}?changeType=renamed")), 400, "BadRequest");
}

#[test]
fn another_clients_edited_draft_keeps_its_id_and_a_sent_one_moves() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_draft(&letter("1@x", "Half"));
    let drafts = "me/mailFolders/drafts/messages/delta";
    let (_, link) = graph.round(&url(drafts), 10);
    graph.sandbox.graph_mail_edit_draft(&id, &letter("1@x", "Whole")).unwrap();
    let (rows, link) = graph.round(&link, 10);
    assert_eq!((&rows[0]["id"], &rows[0]["subject"]), (&json!(id), &json!("Whole")));
    graph.sandbox.graph_mail_send_draft(&id).unwrap();
    assert!(is_removed(&graph.round(&link, 10).0[0]));
    let sent = graph.rows("me/mailFolders/sentitems/messages");
    assert_eq!((&sent[0]["id"], &sent[0]["isDraft"]), (&json!(id), &json!(false)));
    assert!(graph.sandbox.graph_mail_edit_draft(&id, MAIL).is_err());
}
