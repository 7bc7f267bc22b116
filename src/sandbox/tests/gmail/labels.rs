//! Labels themselves, and on messages.

use super::*;

fn create(name: &str) -> Request {
    Request::post(&format!("{ME}/labels"), &json!({ "name": name }))
}

#[test]
fn labels_are_made_renamed_and_deleted() {
    let client = Client::empty();
    let made = client.ok(create("Kunden/Neu"));
    assert_eq!(
        made,
        json!({ "id": "Label_1", "name": "Kunden/Neu", "messageListVisibility": "show",
            "labelListVisibility": "labelShow", "type": "user" })
    );
    assert_eq!(client.refused(create("kunden/neu"), 409, "aborted"), "Label name exists or conflicts");
    for name in ["inbox", "Drafts", "", "CATEGORY_social"] {
        assert_eq!(client.refused(create(name), 400, "invalidArgument"), "Invalid label name", "{name}");
    }
    let renamed = client.ok(Request::patch(&format!("{ME}/labels/Label_1"), &json!({ "name": "KUNDEN/neu" })));
    assert_eq!((&renamed["id"], &renamed["name"]), (&json!("Label_1"), &json!("KUNDEN/neu")));
    let message = id(&client.insert(&mail("1@x", "s"), &["Label_1", "INBOX"]));
    client.done(Request::delete(&format!("{ME}/labels/Label_1")));
    assert_eq!(client.labels_of(&message), ["INBOX"]);
    client.refused(Request::get(&format!("{ME}/labels/Label_1")), 404, "notFound");
    assert_eq!(client.ok(create("Kunden/Neu"))["id"], "Label_2", "an id is not given twice");
    client.refused(Request::delete(&format!("{ME}/labels/INBOX")), 400, "invalidArgument");
    let twice = json!({ "name": "x", "shape": "round" });
    client.refused(Request::post(&format!("{ME}/labels"), &twice), 400, "badRequest");
}

#[test]
fn a_colour_has_two_halves_from_the_palette() {
    let client = Client::empty();
    let color = |text: &str, ground: &str| {
        let body =
            json!({ "name": format!("{text}{ground}"), "color": { "textColor": text, "backgroundColor": ground } });
        Request::post(&format!("{ME}/labels"), &body)
    };
    assert_eq!(client.ok(color("#ffffff", "#16a766"))["color"]["backgroundColor"], "#16a766");
    client.refused(color("#ffffff", "#123456"), 400, "invalidArgument");
    let half = json!({ "name": "half", "color": { "textColor": "#ffffff" } });
    client.refused(Request::post(&format!("{ME}/labels"), &half), 400, "invalidArgument");
}

#[test]
fn a_list_has_no_counts_but_one_label_has() {
    let client = Client::empty();
    client.insert(&mail("1@x", "a"), &["INBOX", "UNREAD"]);
    client.insert(&mail("2@x", "b"), &["INBOX"]);
    let list = client.ok(Request::get(&format!("{ME}/labels")));
    let all = list["labels"].as_array().unwrap();
    assert!(all.iter().any(|label| label["id"] == "CATEGORY_FORUMS" && label["type"] == "system"));
    assert!(all.iter().all(|label| label["messagesTotal"].is_null()));
    let inbox = client.ok(Request::get(&format!("{ME}/labels/INBOX")));
    assert_eq!((&inbox["messagesTotal"], &inbox["messagesUnread"]), (&json!(2), &json!(1)));
}

#[test]
fn modify_refuses_what_the_service_keeps_to_itself() {
    let client = Client::empty();
    let id = id(&client.insert(&mail("1@x", "s"), &["INBOX", "UNREAD"]));
    let bad = |add: &[&str], remove: &[&str]| client.refused(client.modify(&id, add, remove), 400, "invalidArgument");
    assert_eq!(bad(&["SENT"], &[]), "Invalid label: SENT");
    assert_eq!(bad(&[], &["DRAFT"]), "Invalid label: DRAFT");
    assert_eq!(bad(&["CHAT"], &[]), "Invalid label: CHAT");
    assert_eq!(bad(&["Label_9"], &[]), "Invalid label: Label_9");
    assert_eq!(bad(&["INBOX", "TRASH"], &[]), "Can only add one of: INBOX, SPAM, TRASH");
    let many: Vec<&str> = std::iter::repeat_n("STARRED", 101).collect();
    assert!(bad(&many, &[]).starts_with("Too many labels"));
    bad(&[], &[]);
    assert_eq!(client.labels_of(&id), ["INBOX", "UNREAD"]);
    let answer = client.ok(client.modify(&id, &["STARRED"], &["UNREAD"]));
    assert_eq!(answer, json!({ "id": id, "threadId": id, "labelIds": ["INBOX", "STARRED"] }));
}

#[test]
fn a_message_can_be_in_the_inbox_and_in_the_trash() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    client.ok(client.modify(&one, &["TRASH"], &[]));
    assert_eq!(client.labels_of(&one), ["INBOX", "TRASH"]);
    client.sandbox.switch(|switches| switches.mail_modify_keeps_inbox = false);
    let two = id(&client.insert(&mail("2@x", "s"), &["INBOX"]));
    client.ok(client.modify(&two, &["TRASH"], &[]));
    assert_eq!(client.labels_of(&two), ["TRASH"]);
    let three = id(&client.insert(&mail("3@x", "s"), &["INBOX"]));
    client.sandbox.google_label_mail(&three, &["TRASH"], &[]).unwrap();
    assert_eq!(client.labels_of(&three), ["INBOX", "TRASH"]);
}

#[test]
fn trash_takes_out_of_the_inbox_and_untrash_does_not_put_back() {
    let client = Client::empty();
    let id = id(&client.insert(&mail("1@x", "s"), &["INBOX", "STARRED"]));
    let post = |verb: &str| Request::post(&format!("{MESSAGES}/{id}/{verb}"), &json!({}));
    assert_eq!(client.ok(post("trash"))["labelIds"], json!(["STARRED", "TRASH"]));
    assert_eq!(client.ok(post("untrash"))["labelIds"], json!(["STARRED"]));
    client.sandbox.switch(|switches| switches.mail_untrash_restores_inbox = true);
    client.ok(post("trash"));
    assert_eq!(client.ok(post("untrash"))["labelIds"], json!(["INBOX", "STARRED"]));
}

#[test]
fn one_call_changes_a_thousand_and_tells_nothing_of_the_unknown() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    let change = |ids: &[&str]| {
        let body = json!({ "ids": ids, "addLabelIds": ["STARRED"], "removeLabelIds": ["INBOX"] });
        Request::post(&format!("{MESSAGES}/batchModify"), &body)
    };
    client.done(change(&[&one, "18c0000000000001"]));
    assert_eq!(client.labels_of(&one), ["STARRED"]);
    let many = vec![one.as_str(); 1001];
    assert_eq!(client.refused(change(&many), 400, "invalidArgument"), "Number of ids cannot exceed 1000");
}

#[test]
fn only_the_widest_scope_destroys() {
    let client = Client::empty();
    let one = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    let delete = Request::delete(&format!("{MESSAGES}/{one}"));
    client.refused(delete.clone(), 403, "insufficientPermissions");
    let token = client.sandbox.access_token_for(Provider::Google, &["https://mail.google.com/"]);
    assert_eq!(client.sandbox.handle(&delete.clone().bearer(&token)).status, 204);
    assert_eq!(client.sandbox.handle(&delete.bearer(&token)).status, 404);
    let all = Request::post(&format!("{MESSAGES}/batchDelete"), &json!({ "ids": ["18c0000000000001"] }));
    assert_eq!(client.sandbox.handle(&all.bearer(&token)).status, 204);
}
