//! Messages as they are made, shown, found, changed and read.

use super::mail::{MAIL, letter, mime};
use super::*;

/// A message posted as JSON into the inbox.
#[track_caller]
fn posted(graph: &Graph, body: &Value) -> Value {
    let reply = graph.post("me/mailFolders/inbox/messages", body);
    assert_eq!(reply.status, 201, "{}", reply.body_json());
    reply.body_json()
}

fn property(id: &str, value: &str) -> Value {
    json!({ "id": id, "value": value })
}

/// The value of an extended property of a message.
fn extended(graph: &Graph, id: &str, property: &str) -> Value {
    let expand = encoded(&format!("singleValueExtendedProperties($filter=id eq '{property}')"));
    let shown = graph.get_json(&format!("me/messages/{id}?$select=id&$expand={expand}"));
    shown["singleValueExtendedProperties"][0]["value"].clone()
}

fn find(graph: &Graph, filter: &str) -> Vec<String> {
    texts(&graph.rows(&format!("me/messages?$select=subject&$top=1000&$filter={}", encoded(filter))), "subject")
}

#[test]
fn mime_goes_into_a_named_folder_only_by_the_switch() {
    let graph = Graph::switched(|switches| switches.graph_takes_mime_in_folder = true);
    let made = graph.send(mime("me/mailFolders/inbox/messages", MAIL));
    assert_eq!((made.status, &made.body_json()["isDraft"]), (201, &json!(true)));
    let mut broken = mime("me/messages", MAIL);
    broken.body = "not base64!".into();
    refused(&graph.send(broken), 400, "ErrorMimeContentInvalidBase64String");
}

#[test]
fn headers_are_told_of_received_mail_when_they_are_asked_for() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let path = format!("me/messages/{id}");
    assert!(graph.get_json(&path).get("internetMessageHeaders").is_none());
    let shown = graph.get_json(&format!("{path}?$select=internetMessageHeaders,internetMessageId"));
    assert_eq!(shown["internetMessageHeaders"][2], json!({ "name": "Message-ID", "value": "<1@example.com>" }));
    assert_eq!((shown.as_object().unwrap().len(), &shown["internetMessageId"]), (5, &json!("<1@example.com>")));
    let draft = text(&graph.send(mime("me/messages", MAIL)).body_json()["id"]);
    let shown = graph.get_json(&format!("me/messages/{draft}?$select=internetMessageHeaders"));
    assert_eq!(shown["internetMessageHeaders"], Value::Null);
    refused(&graph.get(&format!("{path}?$select=size")), 400, "BadRequest");
}

#[test]
fn whether_exchanges_flags_and_times_are_obeyed_is_a_switch() {
    let body = json!({ "subject": "S", "singleValueExtendedProperties": [
        property("Integer 0x0E07", "0"),
        property("SystemTime 0x0E06", "2020-02-03T04:05:06Z"),
        property("SystemTime 0x0039", "2020-02-03T04:05:00Z"),
    ]});
    let graph = Graph::empty();
    let made = posted(&graph, &body);
    assert_eq!((&made["isDraft"], &made["isRead"]), (&json!(false), &json!(false)));
    assert_eq!(made["receivedDateTime"], "2020-02-03T04:05:06Z");
    assert_eq!(made["sentDateTime"], "2020-02-03T04:05:00Z");
    let graph = Graph::switched(|switches| {
        switches.graph_obeys_message_flags = false;
        switches.graph_obeys_delivery_time = false;
    });
    let made = posted(&graph, &body);
    assert_eq!((&made["isDraft"], &made["receivedDateTime"]), (&json!(true), &json!("2026-01-01T08:00:00Z")));
    let wrong = json!({ "singleValueExtendedProperties": [property("Integer 0x0E07", "unread")] });
    refused(&graph.post("me/messages", &wrong), 400, "RequestBodyRead");
}

#[test]
fn a_patch_cannot_make_a_draft_of_what_was_received() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let flags = json!({ "singleValueExtendedProperties": [property("Integer 0x0E07", "8")] });
    assert_eq!(graph.patch(&format!("me/messages/{id}"), &flags).body_json()["isDraft"], false);
    assert_eq!(extended(&graph, &id, "Integer 0x0E07"), "0");
}

#[test]
fn size_flags_and_answers_are_read_as_exchanges_own_properties() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let size: usize = text(&extended(&graph, &id, "Long 0xe08")).parse().unwrap();
    assert!(size > MAIL.len() && size < MAIL.len() + 4096, "{size}");
    assert_eq!(extended(&graph, &id, "String 0x1035"), "<1@example.com>");
    assert!(text(&extended(&graph, &id, "String 0x007D")).starts_with("From: "));
    assert_eq!(extended(&graph, &id, "Integer 0x1081"), Value::Null);
    let answered = json!({ "singleValueExtendedProperties": [property("Integer 0x1081", "102")] });
    assert_eq!(graph.patch(&format!("me/messages/{id}"), &answered).status, 200);
    assert_eq!(extended(&graph, &id, "Integer 0x1081"), "102");
}

#[test]
fn transport_headers_that_were_written_are_kept_only_by_the_switch() {
    let body = json!({ "singleValueExtendedProperties": [property("String 0x007D", "Received: from afar")] });
    let graph = Graph::empty();
    assert_eq!(extended(&graph, &text(&posted(&graph, &body)["id"]), "String 0x007D"), Value::Null);
    graph.sandbox.switch(|switches| switches.graph_keeps_transport_headers = true);
    assert_eq!(extended(&graph, &text(&posted(&graph, &body)["id"]), "String 0x007D"), "Received: from afar");
}

#[test]
fn no_receipt_is_sent_when_the_wish_for_it_is_taken_back_first() {
    for patch in [
        json!({ "isRead": true, "isReadReceiptRequested": false }),
        json!({ "isRead": true, "singleValueExtendedProperties": [property("Boolean 0x0029", "false")] }),
        json!({ "flag": { "flagStatus": "flagged" } }),
    ] {
        let graph = Graph::empty();
        let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
        assert_eq!(graph.patch(&format!("me/messages/{id}"), &patch).status, 200);
        assert!(graph.sandbox.graph_read_receipts().is_empty(), "{patch}");
    }
    let graph = Graph::switched(|switches| switches.graph_reading_sends_receipts = false);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    graph.patch(&format!("me/messages/{id}"), &json!({ "isRead": true }));
    assert!(graph.sandbox.graph_read_receipts().is_empty());
}

#[test]
fn answers_stand_in_the_conversation_of_what_they_answer() {
    let graph = Graph::empty();
    let conversation = |id: &str| text(&graph.get_json(&format!("me/messages/{id}"))["conversationId"]);
    let first = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let answer = b"Message-ID: <2@example.com>\r\nReferences: <0@example.com>\r\n <1@example.com>\r\n\r\nYes\r\n";
    let answer = graph.sandbox.graph_mail_deliver("inbox", answer).unwrap();
    let own =
        json!({ "subject": "S", "singleValueExtendedProperties": [property("String 0x1042", "<2@example.com>")] });
    let own = text(&posted(&graph, &own)["id"]);
    let other = graph.sandbox.graph_mail_deliver("inbox", &letter("3@example.com", "S")).unwrap();
    assert_eq!(conversation(&first), conversation(&answer));
    assert_eq!(conversation(&first), conversation(&own));
    assert_ne!(conversation(&first), conversation(&other));
    let bytes = String::from_utf8(graph.get(&format!("me/messages/{own}/$value")).body.to_vec()).unwrap();
    assert!(bytes.contains("\r\nIn-Reply-To: <2@example.com>\r\n"), "{bytes}");
}

#[test]
fn flags_categories_and_importance_are_set_and_cleared() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let path = format!("me/messages/{id}");
    let patch = |body: Value| {
        let reply = graph.patch(&path, &body);
        assert_eq!(reply.status, 200, "{}", reply.body_json());
        reply.body_json()
    };
    assert_eq!(patch(json!({ "flag": { "flagStatus": "complete" } }))["flag"]["flagStatus"], "complete");
    let when = json!({ "dateTime": "2026-02-01T00:00:00", "timeZone": "UTC" });
    let due = json!({ "flag": { "flagStatus": "flagged", "dueDateTime": when } });
    refused(&graph.patch(&path, &due), 400, "ErrorInvalidRequest");
    let both = json!({ "flag": { "flagStatus": "flagged", "startDateTime": when, "dueDateTime": when } });
    assert_eq!(patch(both)["flag"]["dueDateTime"], when);
    assert_eq!(patch(json!({ "flag": { "flagStatus": "notFlagged" } }))["flag"], json!({ "flagStatus": "notFlagged" }));
    assert_eq!(patch(json!({ "categories": ["Küche", "a/b"] }))["categories"], json!(["Küche", "a/b"]));
    assert_eq!(patch(json!({ "categories": [] }))["categories"], json!([]));
    assert_eq!(patch(json!({ "importance": "high" }))["importance"], "high");
    for wrong in [json!({ "importance": "huge" }), json!({ "isRead": "true" }), json!({ "shoeSize": 1 })] {
        refused(&graph.patch(&path, &wrong), 400, "RequestBodyRead");
    }
    refused(
        &graph.patch(&path, &json!({ "receivedDateTime": "2020-01-01T00:00:00Z" })),
        400,
        "ErrorInvalidPropertySet",
    );
}

#[test]
fn a_write_that_changes_nothing_moves_the_change_key_by_the_switch() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let key = || {
        let reply = graph.patch(&format!("me/messages/{id}"), &json!({ "isRead": false }));
        text(&reply.body_json()["changeKey"])
    };
    assert_ne!(key(), key());
    graph.sandbox.switch(|switches| switches.graph_patch_always_restamps = false);
    assert_eq!(key(), key());
}

#[test]
fn the_content_of_a_draft_can_be_changed_and_its_bytes_follow() {
    let graph = Graph::empty();
    let draft = text(&graph.send(mime("me/messages", MAIL)).body_json()["id"]);
    let path = format!("me/messages/{draft}");
    let to = json!([{ "emailAddress": { "name": "Bö", "address": "b@example.com" } }]);
    let patch =
        json!({ "subject": "Ärger", "body": { "contentType": "html", "content": "<p>Neu</p>" }, "toRecipients": to });
    let shown = graph.patch(&path, &patch).body_json();
    assert_eq!((&shown["subject"], &shown["bodyPreview"]), (&json!("Ärger"), &json!("Neu")));
    assert_eq!((&shown["toRecipients"], &shown["from"]["emailAddress"]["name"]), (&to, &json!("Ana Example")));
    assert_eq!(shown["internetMessageId"], "<1@example.com>");
    let bytes = String::from_utf8(graph.get(&format!("{path}/$value")).body.to_vec()).unwrap();
    assert!(bytes.contains("Content-Type: text/html") && !bytes.contains("SGVsbG8"), "{bytes}");
}

#[test]
fn the_bytes_given_out_are_never_quite_the_same_and_say_the_same() {
    let raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=one\r\n\r\n--one\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\nCaf\xe9\r\n--one\r\n\
        Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--one--\r\n";
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", raw).unwrap();
    let take = || graph.get(&format!("me/messages/{id}/$value")).body;
    let (one, two) = (take(), take());
    assert_ne!(one, two);
    // What is in them is delivered anew and shows the same.
    let content = |bytes: &[u8]| {
        let copy = graph.sandbox.graph_mail_deliver("inbox", bytes).unwrap();
        let shown = graph.get_json(&format!("me/messages/{copy}"));
        (
            text(&shown["body"]["content"]),
            graph.rows(&format!("me/messages/{copy}/attachments"))[0]["contentBytes"].clone(),
        )
    };
    assert_eq!((content(&one), content(&two)), (content(raw), ("Café".into(), json!("AAEC"))));
    graph.sandbox.switch(|switches| switches.graph_mime_rewritten = "once".into());
    let once = take();
    assert!(once == take() && once != raw.as_slice());
    graph.sandbox.switch(|switches| switches.graph_mime_rewritten = "never".into());
    assert_eq!(take(), raw.as_slice());
}

#[test]
fn the_long_path_to_the_bytes_is_refused() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    assert_eq!(graph.get(&format!("me/mailFolders/inbox/messages/{id}/$value")).status, 405);
    assert_eq!(graph.get(&format!("me/messages/{id}/$value")).header("content-type"), Some("text/plain"));
}

#[test]
fn a_body_is_shown_as_text_to_who_prefers_it() {
    let graph = Graph::empty();
    let raw = b"Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Eins &amp; <b>zwei</b></p>";
    let id = graph.sandbox.graph_mail_deliver("inbox", raw).unwrap();
    let get = || Request::get(&url(&format!("me/messages/{id}")));
    let as_it_is = graph.send(get()).body_json();
    assert_eq!((&as_it_is["body"]["contentType"], &as_it_is["bodyPreview"]), (&json!("html"), &json!("Eins & zwei")));
    let asked = graph.send(get().with_header("Prefer", "outlook.body-content-type=\"text\"")).body_json();
    assert_eq!(asked["body"], json!({ "contentType": "text", "content": "Eins & zwei\r\n" }));
}

#[test]
fn a_message_that_is_too_large_is_refused() {
    let graph = Graph::switched(|switches| switches.graph_most_message_bytes = 5_000);
    let large = [MAIL, &[b'x'; 6_000]].concat();
    refused(&graph.send(mime("me/messages", &large)), 413, "ErrorMessageSizeExceeded");
    let body = json!({ "body": { "contentType": "text", "content": "x".repeat(6_000) } });
    refused(&graph.post("me/messages", &body), 413, "ErrorMessageSizeExceeded");
    let mut request = mime("me/messages", &large);
    request.body = vec![b'A'; 4 * 1024 * 1024 + 4].into();
    refused(&graph.send(request), 413, "ErrorMessageSizeExceeded");
}

#[test]
fn headers_of_ones_own_begin_with_x() {
    let graph = Graph::empty();
    let with = |name: &str| json!({ "internetMessageHeaders": [{ "name": name, "value": "v" }] });
    refused(&graph.post("me/messages", &with("Received")), 400, "ErrorInvalidInternetHeader");
    let made = text(&graph.post("me/messages", &with("x-own")).body_json()["id"]);
    let bytes = graph.get(&format!("me/messages/{made}/$value")).body;
    assert!(String::from_utf8_lossy(&bytes).contains("x-own: v\r\n"));
}

#[test]
fn a_copy_is_another_message_with_the_same_name() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let copy = graph.post(&format!("me/messages/{id}/copy"), &json!({ "destinationId": "junkemail" }));
    assert_eq!(copy.status, 201);
    assert_ne!(copy.body_json()["id"], id.as_str());
    assert_eq!(find(&graph, "internetMessageId eq '<1@example.com>'").len(), 2);
    refused(
        &graph.post(&format!("me/messages/{id}/copy"), &json!({ "destinationId": "nowhere" })),
        400,
        "ErrorInvalidIdMalformed",
    );
    refused(&graph.post(&format!("me/messages/{id}/copy"), &json!({})), 400, "BadRequest");
}

#[test]
fn a_move_after_another_clients_move_may_leave_a_copy_behind() {
    let graph = Graph::empty();
    let moved = |is_switched: bool| {
        graph.sandbox.switch(|switches| switches.graph_move_after_move_duplicates = is_switched);
        let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
        graph.sandbox.graph_mail_move(&id, "junkemail").unwrap();
        graph.post(&format!("me/messages/{id}/move"), &json!({ "destinationId": "sentitems" }));
        graph.rows("me/mailFolders/junkemail/messages").len()
    };
    assert_eq!((moved(false), moved(true)), (0, 1));
}

#[test]
fn lists_come_newest_first_and_filters_have_rules() {
    let graph = Graph::empty();
    for name in ["one", "two", "three"] {
        graph.sandbox.graph_mail_deliver("inbox", &letter(&format!("{name}@x"), name)).unwrap();
        graph.sandbox.clock().advance_ms(60_000);
    }
    let list = |query: &str| texts(&graph.rows(&format!("me/messages?{query}")), "subject");
    assert_eq!(list(""), ["three", "two", "one"]);
    assert_eq!(list("$orderby=receivedDateTime"), ["one", "two", "three"]);
    assert_eq!(find(&graph, "receivedDateTime ge 2026-01-01T08:01:00Z"), ["three", "two"]);
    assert_eq!(find(&graph, "receivedDateTime gt 2026-01-01T08:01:00Z and isRead eq false"), ["three"]);
    assert_eq!(find(&graph, "subject eq 'two'"), ["two"]);
    assert_eq!(find(&graph, "flag/flagStatus eq 'flagged'"), Vec::<String>::new());
    assert_eq!(find(&graph, "internetMessageId eq '<two@x>' and isDraft eq false"), ["two"]);
    let filter = encoded("isRead eq false");
    let reply = graph.get(&format!("me/messages?$filter={filter}&$orderby=receivedDateTime"));
    refused(&reply, 400, "InefficientFilter");
    for wrong in ["$filter=size%20gt%205", "$top=1001", "$orderby=size", "$search=x", "$count=maybe"] {
        assert_eq!(graph.get(&format!("me/messages?{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(graph.get_json("me/messages?$top=1&$count=true")["@odata.count"], 3);
}

#[test]
fn a_new_message_is_found_late_and_read_late_where_replicas_lag() {
    let graph = Graph::switched(|switches| {
        switches.graph_filter_lag_s = 60;
        switches.graph_reads_lag_s = 30;
    });
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    assert_eq!(graph.get(&format!("me/messages/{id}")).status, 404);
    assert_eq!(graph.rows("me/messages").len(), 1);
    graph.sandbox.clock().advance_ms(31_000);
    assert_eq!(graph.get(&format!("me/messages/{id}")).status, 200);
    assert!(find(&graph, "internetMessageId eq '<1@example.com>'").is_empty());
    graph.sandbox.clock().advance_ms(31_000);
    assert_eq!(find(&graph, "internetMessageId eq '<1@example.com>'").len(), 1);
}

#[test]
fn an_invitation_says_what_it_is() {
    let graph = Graph::empty();
    let raw = b"Subject: x\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n";
    let id = graph.sandbox.graph_mail_deliver("inbox", raw).unwrap();
    assert_eq!(graph.get_json(&format!("me/messages/{id}"))["@odata.type"], "#microsoft.graph.eventMessageRequest");
}

#[test]
fn mail_without_a_name_gets_one() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", b"Subject: nameless\r\n\r\nx").unwrap();
    let name = text(&graph.get_json(&format!("me/messages/{id}"))["internetMessageId"]);
    assert_eq!(find(&graph, &format!("internetMessageId eq '{name}'")), ["nameless"]);
}

#[test]
fn ids_that_name_nothing_are_told_apart() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    refused(&graph.get("me/messages/xyz"), 400, "ErrorInvalidIdMalformed");
    let other = id.replacen("Mail", "Maik", 1);
    refused(&graph.get(&format!("me/messages/{other}")), 404, "ErrorItemNotFound");
    // An immutable id without the header names nothing.
    refused(&graph.plain(Request::get(&url(&format!("me/messages/{id}")))), 404, "ErrorItemNotFound");
    refused(&graph.get(&format!("me/mailFolders/junkemail/messages/{id}")), 404, "ErrorItemNotFound");
    refused(&graph.post(&format!("me/messages/{id}/send"), &json!({})), 501, "NotImplemented");
}

#[test]
fn what_is_in_recoverable_items_can_still_be_had_unless_the_switch_says_no() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("deleteditems", MAIL).unwrap();
    let path = format!("me/messages/{id}");
    graph.delete(&path);
    assert_eq!(graph.get(&path).status, 200);
    assert_eq!(graph.rows("me/mailFolders/recoverableitemsdeletions/messages").len(), 1);
    graph.sandbox.switch(|switches| switches.graph_recoverable_answers_404 = true);
    refused(&graph.get(&path), 404, "ErrorItemNotFound");
}

#[test]
fn every_few_updates_a_conflict_comes_that_nobody_made() {
    let graph = Graph::switched(|switches| switches.graph_false_conflict = 2);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let patch = || graph.patch(&format!("me/messages/{id}"), &json!({ "isRead": true })).status;
    assert_eq!((patch(), patch(), patch()), (200, 412, 200));
}

#[test]
fn a_change_key_moves_once_more_with_equal_content() {
    let graph = Graph::switched(|switches| switches.restamp_etag_after_s = 5);
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let key = || text(&graph.get_json(&format!("me/messages/{id}"))["changeKey"]);
    let before = key();
    graph.sandbox.clock().advance_ms(6_000);
    assert_ne!(before, key());
    let before = key();
    graph.sandbox.graph_mail_restamp(&id).unwrap();
    assert_ne!(before, key());
}
