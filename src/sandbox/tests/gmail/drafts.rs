//! Drafts.

use super::*;

const DRAFTS: &str = "/google/gmail/v1/users/me/drafts";

fn draft(raw: &str) -> Value {
    json!({ "message": { "raw": URL_SAFE.encode(raw) } })
}

#[test]
fn an_edited_draft_keeps_its_id_and_changes_its_message() {
    let client = Client::empty();
    assert_eq!(client.ok(Request::get(DRAFTS)), json!({ "resultSizeEstimate": 0 }));
    let made = client.ok(Request::post(DRAFTS, &draft(&mail("1@x", "half"))));
    assert_eq!(made["message"]["labelIds"], json!(["DRAFT"]));
    let (name, first) = (id(&made), id(&made["message"]));
    let start = client.history_id();
    let edited = client.ok(Request::put(&format!("{DRAFTS}/{name}"), &draft(&mail("1@x", "whole"))));
    assert_eq!(id(&edited), name);
    let second = id(&edited["message"]);
    assert_ne!(first, second);
    client.refused(Request::get(&format!("{MESSAGES}/{first}")), 404, "notFound");
    let (records, _) = client.history(&start, "");
    assert_eq!(records[0]["messagesDeleted"][0]["message"]["id"], json!(first));
    assert_eq!(records[1]["messagesAdded"][0]["message"]["id"], json!(second));
    let list = client.ok(Request::get(DRAFTS));
    assert_eq!(list["drafts"][0], json!({ "id": name, "message": { "id": second, "threadId": second } }));
    let got = client.ok(Request::get(&format!("{DRAFTS}/{name}?format=metadata")));
    assert_eq!(got["message"]["id"], json!(second));
    client.done(Request::delete(&format!("{DRAFTS}/{name}")));
    assert!(client.list("includeSpamTrash=true").is_empty());
    client.refused(Request::put(&format!("{DRAFTS}/{name}"), &draft(&mail("1@x", "s"))), 404, "notFound");
}

#[test]
fn a_draft_can_be_sent_up_as_bytes_and_is_never_taken_for_a_copy() {
    let client = Client::empty();
    let body = format!(
        "--b\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{}\r\n--b--\r\n",
        mail("1@x", "s")
    );
    let mut upload = Request::new("POST", "/google/upload/gmail/v1/users/me/drafts?uploadType=multipart");
    upload.body = body.into();
    let made = client.ok(upload.with_header("content-type", "multipart/related; boundary=b"));
    assert_ne!(id(&client.insert(&mail("1@x", "s"), &[])), id(&made["message"]));
    client.sandbox.switch(|switches| switches.mail_most_draft_bytes = 100);
    client.refused(Request::post(DRAFTS, &draft(&mail("2@x", "s"))), 413, "uploadTooLarge");
    client.refused(Request::post(DRAFTS, &json!({ "message": {} })), 400, "invalidArgument");
    client.refused(Request::post(DRAFTS, &json!({ "text": "x" })), 400, "badRequest");
}

#[test]
fn the_user_edits_and_sends_a_draft_elsewhere() {
    let client = Client::empty();
    let name = client.sandbox.google_add_draft(mail("1@x", "half").as_bytes()).unwrap();
    let before = id(&client.ok(Request::get(&format!("{DRAFTS}/{name}")))["message"]);
    let after = client.sandbox.google_edit_draft(&name, mail("1@x", "whole").as_bytes()).unwrap();
    assert_ne!(before, after);
    let sent = client.sandbox.google_send_draft(&name).unwrap();
    assert_eq!(client.labels_of(&sent), ["SENT"]);
    assert_eq!(client.list("q=rfc822msgid:1@x"), [sent]);
    client.refused(Request::get(&format!("{DRAFTS}/{name}")), 404, "notFound");
    assert_eq!(client.send(Request::post(&format!("{DRAFTS}/send"), &json!({ "id": name }))).status, 501);
    assert!(client.sandbox.google_edit_draft(&name, b"x").is_err());
}

#[test]
fn a_draft_may_get_another_message_id_and_nothing_else() {
    let client = Client::with(Switches { mail_draft_names_anew: true, ..Switches::default() });
    let made = client.ok(Request::post(DRAFTS, &draft(&mail("1@x", "half"))));
    let raw = client.sandbox.google_message_raw(&id(&made["message"])).unwrap();
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let rest = |text: &str| -> String { text.lines().filter(|line| !line.starts_with("Message-ID:")).collect() };
    assert!(!text.contains("1@x") && text.matches("Message-ID: <CA").count() == 1, "{text}");
    assert_eq!(rest(&text), rest(&mail("1@x", "half")));
}

#[test]
fn a_draft_that_goes_to_the_trash_stays_one_or_not_or_does_not_go() {
    for what in ["stays", "ends", "refused"] {
        let client = Client::with(Switches { mail_trashed_draft: what.into(), ..Switches::default() });
        let made = client.ok(Request::post(DRAFTS, &draft(&mail("1@x", "half"))));
        let message = id(&made["message"]);
        match what {
            "refused" => drop(client.refused(client.modify(&message, &["TRASH"], &[]), 400, "invalidArgument")),
            _ => drop(client.ok(client.modify(&message, &["TRASH"], &[]))),
        }
        let labels: &[&str] = match what {
            "stays" => &["DRAFT", "TRASH"],
            "ends" => &["TRASH"],
            _ => &["DRAFT"],
        };
        assert_eq!(client.labels_of(&message), labels, "{what}");
        let drafts = client.ok(Request::get(&format!("{DRAFTS}?includeSpamTrash=true")));
        assert_eq!(drafts["drafts"].is_array(), what != "ends", "{what}");
    }
}
