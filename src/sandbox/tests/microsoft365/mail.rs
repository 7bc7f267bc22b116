//! Mail: folders, messages and their deltas.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use twofold_sandbox::Request;
use twofold_sandbox::microsoft365::calendar::Why;

use crate::{Graph, MARK, text, url};

pub(super) const MAIL: &[u8] =
    b"From: \"Ana Example\" <ana@example.com>\r\nTo: me@example.com\r\nMessage-ID: <1@example.com>\r\n\
    Disposition-Notification-To: ana@example.com\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\r\nHello\r\n";

/// A mail of this name and subject.
pub(super) fn letter(name: &str, subject: &str) -> Vec<u8> {
    format!("From: a@example.com\r\nTo: me@example.com\r\nMessage-ID: <{name}>\r\nSubject: {subject}\r\n\r\nHello\r\n")
        .into()
}

/// Posts MIME as a client must: in base64, called plain text.
pub(super) fn mime(path: &str, bytes: &[u8]) -> Request {
    let mut request = Request::new("POST", &url(path)).with_header("Content-Type", "text/plain");
    request.body = STANDARD.encode(bytes).into();
    request
}

pub(super) fn folder_id(graph: &Graph, name: &str) -> String {
    text(&graph.get_json(&format!("me/mailFolders/{name}"))["id"])
}

pub(super) fn is_removed(row: &Value) -> bool {
    row.get("@removed").is_some()
}

#[test]
fn a_folder_is_found_by_its_well_known_name_and_shown_in_the_users_language() {
    let graph = Graph::empty();
    let inbox = graph.get_json("me/mailFolders/inbox");
    assert_eq!(inbox["displayName"], "Posteingang");
    assert!(inbox.get("wellKnownName").is_none());
    assert_eq!(graph.get("me/mailFolders/archive").status, 404);
}

#[test]
fn folders_nest_and_names_are_taken_once_and_deletion_goes_to_deleted_items() {
    let graph = Graph::empty();
    let above = graph.post("me/mailFolders", &json!({ "displayName": "A/B" })).body_json();
    let path = format!("me/mailFolders/{}/childFolders", text(&above["id"]));
    let child = graph.post(&path, &json!({ "displayName": "C\\D" })).body_json();
    assert_eq!(graph.post(&path, &json!({ "displayName": "c\\d" })).status, 409);
    let child = text(&child["id"]);
    assert_eq!(graph.delete(&format!("me/mailFolders/{child}")).status, 204);
    let now = graph.get_json(&format!("me/mailFolders/{child}"));
    assert_eq!(now["parentFolderId"], folder_id(&graph, "deleteditems").as_str());
    assert_eq!(graph.delete("me/mailFolders/inbox").status, 400);
}

#[test]
fn the_folders_delta_tells_renames_and_what_is_gone() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_folder_create("inbox", "One").unwrap();
    let (_, link) = graph.round(&url("me/mailFolders/delta"), 100);
    graph.sandbox.graph_mail_folder_rename(&id, "Two").unwrap();
    let (rows, link) = graph.round(&link, 100);
    assert_eq!((rows.len(), &rows[0]["displayName"]), (1, &json!("Two")));
    graph.sandbox.graph_mail_folder_delete(&id).unwrap();
    graph.sandbox.graph_mail_folder_delete(&id).unwrap();
    let (rows, _) = graph.round(&link, 100);
    assert!(is_removed(&rows[0]));
}

#[test]
fn mime_makes_a_draft_in_drafts_only() {
    let graph = Graph::empty();
    let mut request = mime("me/messages", MAIL);
    let made = graph.send(request.clone());
    assert_eq!(made.status, 201, "{}", made.body_json());
    let made = made.body_json();
    assert_eq!((&made["isDraft"], &made["subject"]), (&json!(true), &json!("Grüße")));
    assert_eq!(graph.sandbox.graph_mail_raw(&text(&made["id"])).unwrap(), MAIL);
    request.path = request.path.replace("me/messages", "me/mailFolders/inbox/messages");
    assert_eq!(graph.send(request).body_json()["error"]["code"], "UnableToDeserializePostBody");
}

#[test]
fn json_makes_a_received_message_by_mapi_properties_and_our_mark_finds_it() {
    let graph = Graph::empty();
    let body = json!({ "subject": "S", "singleValueExtendedProperties": [
        { "id": "Integer 0x0E07", "value": "1" },
        { "id": "SystemTime 0x0E06", "value": "2020-02-03T04:05:06Z" },
        { "id": MARK, "value": "m" },
    ]});
    let made = graph.post("me/mailFolders/inbox/messages", &body).body_json();
    assert_eq!((&made["isDraft"], &made["receivedDateTime"]), (&json!(false), &json!("2020-02-03T04:05:06Z")));
    let any = format!("singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq 'm')");
    let query: String = url::form_urlencoded::byte_serialize(any.as_bytes()).collect();
    assert_eq!(graph.rows(&format!("me/messages?$filter={query}")).len(), 1);
    let path = format!("me/messages/{}", text(&made["id"]));
    assert_eq!(graph.patch(&path, &json!({ "subject": "T" })).status, 400);
    assert_eq!(graph.patch(&path, &json!({ "isDraft": true })).status, 400);
}

#[test]
fn reading_a_mail_that_asks_for_a_receipt_sends_one() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    assert_eq!(graph.patch(&format!("me/messages/{id}"), &json!({ "isRead": true })).status, 200);
    let mails = graph.sandbox.graph_mails();
    assert_eq!((mails.len(), mails[0].why, &mails[0].to), (1, Why::ReadReceipt, &vec!["ana@example.com".to_owned()]));
    assert_eq!(graph.patch(&format!("me/messages/{id}"), &json!({ "isRead": false })).status, 200);
    assert_eq!(graph.sandbox.graph_read_receipts(), [id]);
}

#[test]
fn a_moved_message_keeps_its_immutable_id_and_loses_its_regular_one() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let regular = graph.plain(Request::get(&url("me/mailFolders/inbox/messages"))).body_json();
    let regular = text(&regular["value"][0]["id"]);
    let (_, inbox) = graph.round(&url("me/mailFolders/inbox/messages/delta"), 10);
    let (_, junk) = graph.round(&url("me/mailFolders/junkemail/messages/delta"), 10);
    let moved = graph.post(&format!("me/messages/{id}/move"), &json!({ "destinationId": "junkemail" }));
    assert_eq!((moved.status, text(&moved.body_json()["id"])), (201, id.clone()));
    assert_eq!(graph.plain(Request::get(&url(&format!("me/messages/{regular}")))).status, 404);
    assert!(is_removed(&graph.round(&inbox, 10).0[0]));
    assert_eq!(graph.round(&junk, 10).0[0]["id"], id.as_str());
}

#[test]
fn a_message_moved_away_and_back_is_told_as_removed_and_never_again() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let (_, link) = graph.round(&url("me/mailFolders/inbox/messages/delta"), 10);
    graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
    graph.sandbox.graph_mail_move(&id, "inbox").unwrap();
    let (rows, link) = graph.round(&link, 10);
    assert!(rows.len() == 1 && is_removed(&rows[0]));
    assert!(graph.round(&link, 10).0.is_empty());
    assert_eq!(graph.get(&format!("me/messages/{id}")).status, 200);
}

#[test]
fn deletion_is_soft_twice_and_permanent_deletion_is_not() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let path = format!("me/messages/{id}");
    assert_eq!(graph.delete(&path).status, 204);
    assert_eq!(graph.get_json(&path)["parentFolderId"], folder_id(&graph, "deleteditems").as_str());
    assert_eq!(graph.delete(&path).status, 204);
    assert!(graph.rows("me/messages").is_empty());
    assert_eq!(graph.post(&format!("{path}/permanentDelete"), &json!({})).status, 204);
    assert_eq!(graph.get(&path).status, 404);
}

#[test]
fn a_stale_change_key_is_refused() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let path = format!("me/messages/{id}");
    let etag = text(&graph.get_json(&path)["@odata.etag"]);
    graph.sandbox.graph_mail_edit(&id, &json!({ "categories": ["Küche"] })).unwrap();
    let stale = Request::patch(&url(&path), &json!({ "isRead": true })).with_header("If-Match", &etag);
    assert_eq!(graph.send(stale).status, 412);
}
