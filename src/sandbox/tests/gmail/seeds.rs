//! The mail of the start, and the control actions.

use super::*;

#[test]
fn the_demo_is_a_lifelike_mailbox() {
    let client = Client::demo();
    let all = client.list("includeSpamTrash=true&maxResults=500");
    assert!((38..=45).contains(&all.len()), "{}", all.len());
    let mut kinds = std::collections::BTreeSet::new();
    for id in &all {
        let full = client.get(id, "full");
        kinds.insert(full["payload"]["mimeType"].as_str().unwrap().to_owned());
        let raw = client.get(id, "raw");
        let bytes = URL_SAFE.decode(raw["raw"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, client.sandbox.google_message_raw(id).unwrap(), "{id}");
    }
    assert!(kinds.contains("multipart/alternative") && kinds.contains("multipart/mixed"), "{kinds:?}");
    for query in
        ["labelIds=SPAM", "labelIds=TRASH&labelIds=INBOX", "labelIds=DRAFT", "labelIds=SENT", "labelIds=IMPORTANT"]
    {
        assert!(!client.list(&format!("includeSpamTrash=true&{query}")).is_empty(), "{query}");
    }
    assert_eq!(client.list("q=rfc822msgid:same@demo.example").len(), 2, "two mails of one Message-ID");
    let profile = client.ok(Request::get(&format!("{ME}/profile")));
    assert!(profile["threadsTotal"].as_u64().unwrap() + 5 < all.len() as u64, "threads");
    assert_eq!(client.ok(Request::get(&format!("{ME}/drafts")))["drafts"].as_array().unwrap().len(), 3);
    let labels = client.sandbox.google_labels();
    assert!(
        labels.iter().any(|label| label["name"] == "lists/choir")
            && labels.iter().all(|label| label["name"] != "lists")
    );
    let start = client.history_id();
    assert_eq!(client.history(&start, ""), (vec![], start), "the history begins after it");
    let oldest = client.get(all.last().unwrap(), "minimal");
    assert_eq!(oldest["snippet"].as_str().unwrap().split(' ').next(), Some("Shall"));
}

#[test]
fn non_ascii_names_and_subjects_are_read() {
    let client = Client::demo();
    assert_eq!(client.list("q=from:Núñez").len(), 2);
    assert_eq!(client.list("q=subject:稽古").len(), 1);
    assert_eq!(client.list("q=%22Grüße%20aus%20Köln%22").len(), 2);
}

#[test]
fn twenty_thousand_mails_are_made_and_listed() {
    let options = Options::empty().virtual_time().mails(20_000);
    let client = Client::new(options.with(Switches { mail_units_per_min: 0, ..Switches::default() }));
    let profile = client.ok(Request::get(&format!("{ME}/profile")));
    assert_eq!(profile["messagesTotal"], 20_000);
    let first = client.ok(Request::get(&format!("{MESSAGES}?maxResults=900")));
    assert_eq!(first["messages"].as_array().unwrap().len(), 500, "no page has more");
    let ids: std::collections::HashSet<String> = client.list("maxResults=500").into_iter().collect();
    assert_eq!(ids.len(), 20_000);
}

#[test]
fn another_process_has_the_same_hands() {
    let client = Client::empty();
    let control = |action: &str, body: Value| {
        let reply = client.sandbox.handle(&Request::post(&format!("/_sandbox/google/mail/{action}"), &body));
        assert_eq!(reply.status, 200, "{action}: {}", reply.body_json());
        reply.body_json()
    };
    let raw = base64::engine::general_purpose::STANDARD.encode(mail("1@x", "s"));
    let label = control("add_label", json!({ "name": "a" }))["label"].clone();
    let made = control("add", json!({ "raw": raw, "labels": ["INBOX", label] }))["id"].clone();
    control("label", json!({ "id": made, "add": ["TRASH"], "remove": [label] }));
    assert_eq!(client.labels_of(made.as_str().unwrap()), ["INBOX", "TRASH"]);
    control("rename_label", json!({ "label": label, "name": "b" }));
    assert_eq!(control("labels", json!({}))[0]["name"], "b");
    control("untrash", json!({ "id": made }));
    assert_eq!(control("raw", json!({ "id": made }))["raw"], json!(raw));
    control("delete", json!({ "id": made }));
    let draft = control("add_draft", json!({ "raw": raw }))["draft"].clone();
    control("edit_draft", json!({ "draft": draft, "raw": raw }));
    assert_eq!(control("list", json!({}))[0]["draft"], draft);
    control("send_draft", json!({ "draft": draft }));
    control("delete_label", json!({ "label": label }));
    control("forget_history", json!({}));
    let wrong = client.sandbox.handle(&Request::post("/_sandbox/google/mail/fly", &json!({})));
    assert_eq!(wrong.status, 400);
    let reset = client.sandbox.handle(&Request::post("/_sandbox/reset", &json!({ "mails": 7 })));
    assert_eq!(reset.status, 200);
    assert_eq!(client.sandbox.google_messages().len(), 7);
}
