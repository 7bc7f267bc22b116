//! Mail folders: names that are known, depths, what is hidden or only found, copies, counts.

use super::mail::{MAIL, folder_id, is_removed, letter};
use super::*;

fn children(graph: &Graph, path: &str) -> Vec<String> {
    texts(&graph.rows(path), "displayName")
}

#[test]
fn well_known_names_name_folders_that_are_there() {
    let graph = Graph::empty();
    for name in ["msgfolderroot", "inbox", "drafts", "SentItems", "deleteditems", "junkemail", "outbox"] {
        assert_eq!(graph.get(&format!("me/mailFolders/{name}")).status, 200, "{name}");
    }
    for name in ["archive", "clutter", "conflicts", "conversationhistory", "scheduled", "syncissues", "localfailures"] {
        refused(&graph.get(&format!("me/mailFolders/{name}")), 404, "ErrorItemNotFound");
    }
    refused(&graph.get("me/mailFolders/myfolder"), 400, "ErrorInvalidIdMalformed");
    let archive = graph.sandbox.graph_mail_archive_create().unwrap();
    assert_eq!(folder_id(&graph, "archive"), archive);
    assert_eq!(graph.delete(&format!("me/mailFolders/{archive}")).status, 400);
}

#[test]
fn the_list_shows_the_top_and_each_folder_its_own_children() {
    let graph = Graph::empty();
    let top = children(&graph, "me/mailFolders?$top=100");
    assert_eq!(
        top,
        ["Posteingang", "Entwürfe", "Gesendete Elemente", "Gelöschte Elemente", "Junk-E-Mail", "Postausgang"]
    );
    let mut path = "me/mailFolders/inbox".to_owned();
    for depth in 0..12 {
        let made = graph.post(&format!("{path}/childFolders"), &json!({ "displayName": format!("Tief {depth}") }));
        assert_eq!(made.status, 201);
        assert_eq!(graph.get_json(&path)["childFolderCount"], 1);
        path = format!("{path}/childFolders/{}", text(&made.body_json()["id"]));
    }
    assert_eq!(graph.get_json(&path)["displayName"], "Tief 11");
    let other = format!("me/mailFolders/drafts/childFolders/{}", text(&graph.get_json(&path)["id"]));
    refused(&graph.get(&other), 404, "ErrorItemNotFound");
}

#[test]
fn ten_folders_make_a_page_and_250_are_the_most() {
    let graph = Graph::empty();
    for n in 0..10 {
        graph.sandbox.graph_mail_folder_create("", &format!("F{n}")).unwrap();
    }
    let page = graph.get_json("me/mailFolders");
    assert_eq!(page["value"].as_array().unwrap().len(), 10);
    let next = graph.send(Request::get(page["@odata.nextLink"].as_str().unwrap())).body_json();
    assert_eq!(next["value"].as_array().unwrap().len(), 6);
    refused(&graph.get("me/mailFolders?$top=251"), 400, "BadRequest");
    let filter = encoded("displayName eq 'F3'");
    assert_eq!(children(&graph, &format!("me/mailFolders?$filter={filter}")), ["F3"]);
}

#[test]
fn hidden_folders_show_only_to_who_asks() {
    let graph = Graph::empty();
    let body = json!({ "displayName": "Versteckt", "isHidden": true });
    let id = text(&graph.post("me/mailFolders", &body).body_json()["id"]);
    assert!(!children(&graph, "me/mailFolders?$top=100").contains(&"Versteckt".into()));
    assert!(children(&graph, "me/mailFolders?$top=100&includeHiddenFolders=true").contains(&"Versteckt".into()));
    assert_eq!(graph.get_json(&format!("me/mailFolders/{id}"))["isHidden"], true);
    refused(
        &graph.patch(&format!("me/mailFolders/{id}"), &json!({ "isHidden": false })),
        400,
        "ErrorInvalidPropertySet",
    );
}

#[test]
fn a_search_folder_shows_mail_that_stands_elsewhere() {
    let graph = Graph::empty();
    let found = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let read = graph.sandbox.graph_mail_deliver("junkemail", &letter("2@x", "read")).unwrap();
    graph.sandbox.graph_mail_edit(&read, &json!({ "isRead": true })).unwrap();
    let id = graph.sandbox.graph_mail_search_folder_create("", "Ungelesen", "isRead eq false").unwrap();
    let path = format!("me/mailFolders/{id}");
    let shown = graph.get_json(&path);
    assert_eq!(shown["@odata.type"], "#microsoft.graph.mailSearchFolder");
    assert_eq!((&shown["totalItemCount"], &shown["filterQuery"]), (&json!(1), &json!("isRead eq false")));
    let rows = graph.rows(&format!("{path}/messages"));
    assert_eq!(
        (texts(&rows, "id"), text(&rows[0]["parentFolderId"])),
        (vec![found.clone()], folder_id(&graph, "inbox"))
    );
    assert_eq!(graph.get(&format!("{path}/messages/delta")).status, 400);
    assert_eq!(graph.post(&format!("{path}/messages"), &json!({})).status, 400);
    assert_eq!(graph.post(&format!("me/messages/{found}/move"), &json!({ "destinationId": id })).status, 400);
    assert!(graph.sandbox.graph_mail_search_folder_create("", "x", "size gt 5").is_err());
}

#[test]
fn folders_are_renamed_moved_and_copied_with_all_that_is_in_them() {
    let graph = Graph::empty();
    let one = graph.sandbox.graph_mail_folder_create("", "Eins").unwrap();
    let inner = graph.sandbox.graph_mail_folder_create(&one, "Innen").unwrap();
    let mail = graph.sandbox.graph_mail_deliver(&inner, MAIL).unwrap();
    let path = format!("me/mailFolders/{one}");
    assert_eq!(graph.patch(&path, &json!({ "displayName": "Zwei" })).body_json()["displayName"], "Zwei");
    refused(&graph.patch(&path, &json!({ "displayName": "posteingang" })), 409, "ErrorFolderExists");
    refused(&graph.patch(&path, &json!({ "displayName": "x".repeat(256) })), 400, "ErrorInvalidRequest");
    let moved = graph.post(&format!("{path}/move"), &json!({ "destinationId": "inbox" }));
    assert_eq!((moved.status, text(&moved.body_json()["id"])), (201, one.clone()));
    refused(&graph.post(&format!("{path}/move"), &json!({ "destinationId": inner })), 400, "ErrorInvalidRequest");
    refused(
        &graph.post("me/mailFolders/inbox/move", &json!({ "destinationId": one })),
        400,
        "ErrorDeleteDistinguishedFolder",
    );
    let copy = graph.post(&format!("{path}/copy"), &json!({ "destinationId": "msgfolderroot" }));
    let copy = text(&copy.body_json()["id"]);
    assert_ne!(copy, one);
    let inside = graph.rows(&format!("me/mailFolders/{copy}/childFolders"));
    let rows = graph.rows(&format!("me/mailFolders/{}/messages", text(&inside[0]["id"])));
    assert!(rows.len() == 1 && rows[0]["id"] != mail.as_str());
    assert_eq!(graph.post(&format!("{path}/permanentDelete"), &json!({})).status, 204);
    assert_eq!(graph.get(&format!("me/messages/{mail}")).status, 404);
}

#[test]
fn counts_follow_the_mail_and_make_noise_in_the_delta_for_who_selects_them() {
    let graph = Graph::empty();
    let quiet = "me/mailFolders/delta?$select=id,displayName,parentFolderId";
    let (_, quiet) = graph.round(&url(quiet), 100);
    let (_, loud) = graph.round(&url("me/mailFolders/delta"), 100);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let inbox = graph.get_json("me/mailFolders/inbox");
    assert_eq!((&inbox["totalItemCount"], &inbox["unreadItemCount"]), (&json!(1), &json!(1)));
    assert!(graph.round(&quiet, 100).0.is_empty());
    let (rows, loud) = graph.round(&loud, 100);
    assert_eq!((texts(&rows, "displayName"), &rows[0]["unreadItemCount"]), (vec!["Posteingang".into()], &json!(1)));
    graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
    let (rows, loud) = graph.round(&loud, 100);
    assert_eq!(texts(&rows, "displayName"), ["Posteingang", "Junk-E-Mail"]);
    graph.sandbox.switch(|switches| switches.graph_folder_delta_tells_counts = false);
    graph.sandbox.graph_mail_move(&id, "inbox").unwrap();
    assert!(graph.round(&loud, 100).0.is_empty());
}

#[test]
fn the_folders_delta_tells_the_whole_tree_flat() {
    let graph = Graph::empty();
    let one = graph.sandbox.graph_mail_folder_create("inbox", "Eins").unwrap();
    let two = graph.sandbox.graph_mail_folder_create(&one, "Zwei").unwrap();
    graph.sandbox.graph_mail_folder_hide("", "Versteckt").unwrap();
    let (rows, link) = graph.round(&url("me/mailFolders/delta"), 3);
    let names = texts(&rows, "displayName");
    assert!(
        ["Posteingang", "Eins", "Zwei", "Versteckt"].iter().all(|name| names.contains(&(*name).into())),
        "{names:?}"
    );
    let outside = ["Oberste Ebene des Informationsspeichers", "Deletions", "Finder", "Kalender"];
    assert!(outside.iter().all(|name| !names.contains(&(*name).into())), "{names:?}");
    graph.sandbox.graph_mail_folder_delete(&one).unwrap();
    let (rows, _) = graph.round(&link, 3);
    assert_eq!(rows[0]["parentFolderId"], folder_id(&graph, "deleteditems").as_str());
    let above = folder_id(&graph, "inbox");
    graph.sandbox.switch(|switches| switches.graph_folder_delta_binned = "before".into());
    let (rows, _) = graph.round(&url("me/mailFolders/delta"), 100);
    assert!(rows.iter().any(|row| row["id"] == one.as_str() && row["parentFolderId"] == above.as_str()), "{rows:?}");
    graph.sandbox.switch(|switches| switches.graph_folder_delta_binned = "removed".into());
    let (rows, link) = graph.round(&link, 3);
    assert!(is_removed(&rows[0]) && rows[0]["id"] == one.as_str());
    graph.sandbox.graph_mail_folder_delete(&one).unwrap();
    let (rows, _) = graph.round(&link, 3);
    assert!(rows.iter().all(is_removed) && texts(&rows, "id").contains(&two), "what was inside goes too");
}

#[test]
fn folders_that_hold_no_mail_may_stand_in_the_delta() {
    let graph = Graph::switched(|switches| switches.graph_folder_delta_tells_other_folders = true);
    let (rows, _) = graph.round(&url("me/mailFolders/delta"), 100);
    let calendar = rows.iter().find(|row| row["displayName"] == "Kalender").expect("it is told");
    refused(&graph.get(&format!("me/mailFolders/{}/messages", text(&calendar["id"]))), 404, "ErrorItemNotFound");
    assert!(!children(&graph, "me/mailFolders?$top=100").contains(&"Kalender".into()));
}

#[test]
fn a_closed_folder_is_denied_and_the_others_are_not() {
    let graph = Graph::switched(|switches| switches.graph_denied_folders = vec!["junkemail".into()]);
    let id = graph.sandbox.graph_mail_deliver("junkemail", MAIL).unwrap();
    refused(&graph.get("me/mailFolders/junkemail/messages"), 403, "ErrorAccessDenied");
    refused(&graph.get("me/mailFolders/junkemail/messages/delta"), 403, "ErrorAccessDenied");
    refused(&graph.get(&format!("me/messages/{id}")), 403, "ErrorAccessDenied");
    assert_eq!(graph.get("me/mailFolders/inbox/messages").status, 200);
}

#[test]
fn a_second_folder_of_a_name_in_deleted_items_is_numbered() {
    let graph = Graph::empty();
    for _ in 0..2 {
        let id = graph.sandbox.graph_mail_folder_create("", "Alt").unwrap();
        assert_eq!(graph.delete(&format!("me/mailFolders/{id}")).status, 204);
    }
    assert_eq!(children(&graph, "me/mailFolders/deleteditems/childFolders"), ["Alt", "Alt1"]);
}
