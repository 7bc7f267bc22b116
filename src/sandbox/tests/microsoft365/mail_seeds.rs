//! The mail of the start, the control actions, and a whole mailbox in bad weather.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::mail::{folder_id, is_removed, letter};
use super::*;

/// Every folder by the delta, each with its messages by theirs: all ids.
fn everything(graph: &Graph) -> BTreeSet<String> {
    let (folders, _) = graph.round(&url("me/mailFolders/delta?$select=displayName"), 100);
    let mut ids = BTreeSet::new();
    for folder in folders {
        let path = url(&format!("me/mailFolders/{}/messages/delta?$select=id", text(&folder["id"])));
        if graph.send(Request::get(&path)).status == 200 {
            ids.extend(texts(
                &graph.round(&path, 50).0.into_iter().filter(|row| !is_removed(row)).collect::<Vec<_>>(),
                "id",
            ));
        }
    }
    ids
}

#[test]
fn the_demo_is_a_lifelike_mailbox() {
    let graph = Graph::with(Options::demo());
    let folders = graph.sandbox.graph_mail_folders();
    let paths: Vec<String> = folders.iter().map(|folder| folder["path"].to_string()).collect();
    for path in [
        r#"["Gesendete Elemente"]"#,
        r#"["Posteingang","Töpferei","Glasuren"]"#,
        r#"["Rechnungen","2025"]"#,
        r#"["A/B \\ C"]"#,
        r#"["Archiv"]"#,
    ] {
        assert!(paths.contains(&path.to_owned()), "{path} in {paths:?}");
    }
    assert!(
        folders.iter().any(|folder| folder["hidden"] == true) && folders.iter().any(|folder| folder["search"] == true)
    );
    let messages = graph.sandbox.graph_mail_messages();
    assert!((28..=35).contains(&messages.len()), "{}", messages.len());
    let count = |what: &dyn Fn(&Value) -> bool| messages.iter().filter(|message| what(message)).count();
    assert_eq!(count(&|message| message["isDraft"] == true), 2);
    assert_eq!(count(&|message| message["flag"]["flagStatus"] == "complete"), 1);
    assert_eq!(count(&|message| message["internetMessageId"] == "<same@graph.example>"), 2);
    assert_eq!(count(&|message| message["isReadReceiptRequested"] == true), 1);
    assert!(count(&|message| message["hasAttachments"] == true) >= 3);
    assert!(count(&|message| message["subject"] == "„Straße“" || message["subject"] == "\u{84}Straße\u{93}") == 1);
    let photo = messages.iter().find(|message| message["subject"] == "Foto").unwrap();
    let files = graph.rows(&format!("me/messages/{}/attachments", text(&photo["id"])));
    assert_eq!(files[0]["name"], "Gefäß (groß).jpg");
    // Everything can be read, and each mail has its bytes.
    assert_eq!(everything(&graph).len(), messages.len());
    for message in &messages {
        let id = text(&message["id"]);
        assert!(!graph.get(&format!("me/messages/{id}/$value")).body.is_empty());
        assert!(!graph.sandbox.graph_mail_raw(&id).unwrap().is_empty());
    }
    assert!(graph.round(&url("me/mailFolders/inbox/messages/delta"), 50).0.len() > 10);
}

#[test]
fn the_same_start_is_the_same_each_time() {
    let dump = || Graph::with(Options::demo()).sandbox.graph_dump()["mail"].clone();
    assert_eq!(dump(), dump());
    let bulk = || Graph::with(Options::empty().mails(30)).sandbox.graph_dump()["mail"].clone();
    assert_eq!(bulk(), bulk());
    assert_ne!(dump(), bulk());
}

#[test]
fn in_the_worst_weather_everything_can_still_be_read() {
    let graph = Graph::with(Options::demo().with(Switches::hostile()));
    assert_eq!(everything(&graph).len(), graph.sandbox.graph_mail_messages().len());
}

#[test]
fn twenty_thousand_mails_are_made_and_listed() {
    let graph = Graph::with(Options::empty().mails(20_000));
    graph.sandbox.switch(|switches| switches.graph_requests = 0);
    let (mut ids, mut link) = (BTreeSet::new(), url("me/messages?$top=1000&$select=id,receivedDateTime"));
    loop {
        let page = graph.send(Request::get(&link)).body_json();
        ids.extend(texts(page["value"].as_array().unwrap(), "id"));
        match page["@odata.nextLink"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids.len(), 20_000);
    let (rows, _) = graph.round(&url("me/mailFolders/inbox/messages/delta?$select=subject,isRead"), 1000);
    assert_eq!(rows.len(), 14_000);
    let inbox = graph.get_json("me/mailFolders/inbox");
    assert_eq!((&inbox["totalItemCount"], &inbox["childFolderCount"]), (&json!(14_000), &json!(1)));
    let filter = encoded("internetMessageId eq '<graph-777@mail.example>'");
    assert_eq!(graph.rows(&format!("me/messages?$filter={filter}")).len(), 1);
    let of_both = graph.sandbox.google_messages().len();
    assert_eq!(of_both, 20_000, "the option is for both sides");
}

#[test]
fn another_process_has_the_same_hands() {
    let graph = Graph::empty();
    let control = |action: &str, body: Value| {
        let reply = graph.sandbox.handle(&Request::post(&format!("/_sandbox/microsoft/mail/{action}"), &body));
        assert_eq!(reply.status, 200, "{action}: {}", reply.body_json());
        reply.body_json()
    };
    let raw = STANDARD.encode(letter("1@x", "S"));
    let folder = text(&control("add_folder", json!({ "name": "F" }))["id"]);
    let id = text(&control("deliver", json!({ "raw": raw, "folder": folder }))["id"]);
    control("edit", json!({ "id": id, "message": { "flag": { "flagStatus": "flagged" } } }));
    control("restamp", json!({ "id": id }));
    control("move", json!({ "id": id, "folder": "junkemail" }));
    assert_eq!(control("raw", json!({ "id": id }))["raw"], raw.as_str());
    let listed = control("list", json!({}))[0].clone();
    assert_eq!((&listed["folder"], &listed["flag"]["flagStatus"]), (&json!(["Junk-E-Mail"]), &json!("flagged")));
    control("rename_folder", json!({ "folder": folder, "name": "G" }));
    control("move_folder", json!({ "folder": folder, "parent": "inbox" }));
    assert!(control("folders", json!({})).to_string().contains(r#"["Posteingang","G"]"#));
    control("delete_folder", json!({ "folder": folder }));
    control("add_search_folder", json!({ "name": "U", "filter": "isRead eq false" }));
    control("add_folder", json!({ "name": "H", "hidden": true }));
    let archive = text(&control("make_archive", json!({}))["id"]);
    assert_eq!(folder_id(&graph, "archive"), archive);
    let draft = text(&control("add_draft", json!({ "raw": raw }))["id"]);
    control("edit_draft", json!({ "id": draft, "raw": raw }));
    control("send_draft", json!({ "id": draft }));
    control("delete", json!({ "id": draft }));
    control("purge", json!({ "id": id }));
    assert_eq!(control("receipts", json!({})), json!([]));
    let dump = graph.sandbox.handle(&Request::post("/_sandbox/dump", &json!({}))).body_json();
    assert_eq!(dump["microsoft"]["mail"]["messages"].as_array().unwrap().len(), 1);
    let wrong = graph.sandbox.handle(&Request::post("/_sandbox/microsoft/mail/fly", &json!({})));
    assert_eq!(wrong.status, 400);
    let reset = graph.sandbox.handle(&Request::post("/_sandbox/reset", &json!({ "mails": 7 })));
    assert_eq!(reset.status, 200);
    assert_eq!(graph.sandbox.graph_mail_messages().len(), 7);
}
