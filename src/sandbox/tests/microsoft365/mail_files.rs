//! Attachments, whole and in pieces.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use twofold_sandbox::{Fault, Rule};

use super::mail::{MAIL, mime};
use super::*;

const MB: usize = 1024 * 1024;

fn file(name: &str, bytes: &[u8]) -> Value {
    json!({ "@odata.type": "#microsoft.graph.fileAttachment", "name": name, "contentBytes": STANDARD.encode(bytes) })
}

fn draft(graph: &Graph) -> String {
    text(&graph.send(mime("me/messages", MAIL)).body_json()["id"])
}

fn files(graph: &Graph, message: &str) -> Vec<Value> {
    graph.rows(&format!("me/messages/{message}/attachments"))
}

/// Begins an upload of so many bytes and gives the address.
#[track_caller]
fn begin(graph: &Graph, message: &str, size: usize) -> String {
    let item = json!({ "AttachmentItem": { "attachmentType": "file", "name": "plan.pdf", "size": size } });
    let reply = graph.post(&format!("me/messages/{message}/attachments/createUploadSession"), &item);
    assert_eq!(reply.status, 201, "{}", reply.body_json());
    let session = reply.body_json();
    assert_eq!(
        (&session["nextExpectedRanges"], &session["expirationDateTime"]),
        (&json!(["0-"]), &json!("2026-01-01T09:00:00Z"))
    );
    text(&session["uploadUrl"])
}

fn put(graph: &Graph, address: &str, from: usize, bytes: &[u8], total: usize) -> Response {
    let range = format!("bytes {from}-{}/{total}", from + bytes.len() - 1);
    let mut request = Request::new("PUT", address).with_header("Content-Range", &range);
    request.body = bytes.to_vec().into();
    graph.sandbox.handle(&request)
}

#[test]
fn files_and_messages_inside_a_mail_are_its_attachments() {
    let graph = Graph::empty();
    let raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n\
        --b\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Disposition: inline; filename=l.png\r\n\r\nPNG\r\n--b--\r\n";
    let inline = graph.sandbox.graph_mail_deliver("inbox", raw).unwrap();
    assert_eq!(graph.get_json(&format!("me/messages/{inline}"))["hasAttachments"], false);
    let rows = files(&graph, &inline);
    assert_eq!(
        (&rows[0]["isInline"], &rows[0]["contentId"], &rows[0]["name"]),
        (&json!(true), &json!("logo"), &json!("l.png"))
    );

    let raw = b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\nDeep\r\n\
        --b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";
    let id = graph.sandbox.graph_mail_deliver("inbox", raw).unwrap();
    assert_eq!(graph.get_json(&format!("me/messages/{id}"))["hasAttachments"], true);
    let rows = files(&graph, &id);
    assert_eq!(texts(&rows, "name"), ["Inner", "a.pdf"]);
    assert_eq!(texts(&rows, "@odata.type"), ["#microsoft.graph.itemAttachment", "#microsoft.graph.fileAttachment"]);
    assert_eq!((rows[0].get("contentBytes"), &rows[1]["contentBytes"]), (None, &json!("AAEC")));
    let value = |row: &Value| graph.get(&format!("me/messages/{id}/attachments/{}/$value", text(&row["id"])));
    assert_eq!(value(&rows[0]).body, "Subject: Inner\r\n\r\nDeep");
    assert_eq!(
        (value(&rows[1]).body, value(&rows[1]).header("content-type")),
        (vec![0, 1, 2].into(), Some("application/pdf"))
    );
    let short = graph.rows(&format!("me/messages/{id}/attachments?$select=name,size"));
    assert_eq!(short[1].as_object().unwrap().keys().collect::<Vec<_>>(), ["@odata.type", "id", "name", "size"]);
    refused(&graph.get(&format!("me/messages/{id}/attachments/AAMknothing")), 404, "ErrorItemNotFound");
}

#[test]
fn a_draft_takes_and_gives_up_files() {
    let graph = Graph::empty();
    let draft = draft(&graph);
    let path = format!("me/messages/{draft}/attachments");
    let key = || text(&graph.get_json(&format!("me/messages/{draft}"))["changeKey"]);
    let before = key();
    let made = graph.post(&path, &file("ä.png", b"picture"));
    assert_eq!((made.status, &made.body_json()["contentType"]), (201, &json!("image/png")));
    assert_ne!(before, key());
    let shown = graph.get_json(&format!("me/messages/{draft}"));
    assert_eq!((&shown["hasAttachments"], &shown["body"]["content"]), (&json!(true), &json!("Hello\r\n")));
    let bytes = graph.get(&format!("me/messages/{draft}/$value")).body;
    assert!(String::from_utf8_lossy(&bytes).contains(&STANDARD.encode(b"picture")));
    let id = text(&made.body_json()["id"]);
    assert_eq!(graph.delete(&format!("{path}/{id}")).status, 204);
    assert!(files(&graph, &draft).is_empty());
    refused(&graph.post(&path, &file("large", &vec![0; 3 * MB])), 413, "ErrorMessageSizeExceeded");
    refused(&graph.post(&path, &json!({ "name": "x" })), 400, "BadRequest");
    refused(&graph.post(&path, &json!({ "@odata.type": "#microsoft.graph.itemAttachment" })), 501, "NotImplemented");
}

#[test]
fn what_was_received_keeps_its_files_unless_the_switch_allows_more() {
    let graph = Graph::empty();
    let id = graph.sandbox.graph_mail_deliver("inbox", MAIL).unwrap();
    let path = format!("me/messages/{id}/attachments");
    refused(&graph.post(&path, &file("a", b"a")), 400, "ErrorInvalidRequest");
    let item = json!({ "AttachmentItem": { "attachmentType": "file", "name": "a", "size": 4 * MB } });
    refused(&graph.post(&format!("{path}/createUploadSession"), &item), 400, "ErrorInvalidRequest");
    graph.sandbox.switch(|switches| switches.graph_received_take_attachments = true);
    assert_eq!(graph.post(&path, &file("a", b"a")).status, 201);
}

#[test]
fn a_message_that_looks_received_brings_its_files_in_the_one_request() {
    let graph = Graph::empty();
    let body = json!({
        "subject": "S", "attachments": [file("a.txt", b"one"), file("b.txt", b"two")],
        "singleValueExtendedProperties": [{ "id": "Integer 0x0E07", "value": "1" }],
    });
    let made = graph.post("me/mailFolders/inbox/messages", &body).body_json();
    assert_eq!((&made["isDraft"], &made["hasAttachments"]), (&json!(false), &json!(true)));
    assert_eq!(texts(&files(&graph, &text(&made["id"])), "name"), ["a.txt", "b.txt"]);
}

#[test]
fn a_large_file_comes_in_ranges() {
    let graph = Graph::empty();
    let draft = draft(&graph);
    let (total, bytes) = (5 * MB, vec![7_u8; 5 * MB]);
    let address = begin(&graph, &draft, total);
    let reply = put(&graph, &address, 0, &bytes[..3 * MB], total);
    assert_eq!((reply.status, &reply.body_json()["NextExpectedRanges"]), (200, &json!([(3 * MB).to_string()])));
    assert!(files(&graph, &draft).is_empty(), "nothing is attached before the end");
    let reply = put(&graph, &address, 3 * MB, &bytes[3 * MB..], total);
    assert_eq!((reply.status, reply.body.len()), (201, 0));
    let place = reply.header("location").unwrap().to_owned();
    assert_eq!(graph.send(Request::get(&format!("{place}/$value"))).body, bytes);
    assert_eq!(files(&graph, &draft)[0]["contentType"], "application/pdf");
    refused(&put(&graph, &address, 0, &bytes[..MB], total), 404, "ErrorItemNotFound");
}

#[test]
fn ranges_must_fit_and_the_address_takes_no_other_token() {
    let graph = Graph::empty();
    let draft = draft(&graph);
    let (total, bytes) = (5 * MB, vec![7_u8; 5 * MB]);
    let address = begin(&graph, &draft, total);
    assert_eq!(put(&graph, &address, 0, &bytes[..2 * MB], total).status, 200);
    // A range that came already, a gap, another total, a range too large.
    refused(&put(&graph, &address, 0, &bytes[..2 * MB], total), 416, "invalidRange");
    refused(&put(&graph, &address, 3 * MB, &bytes[..MB], total), 416, "invalidRange");
    refused(&put(&graph, &address, 2 * MB, &bytes[..MB], total + 1), 416, "invalidRange");
    refused(&put(&graph, &address, 2 * MB, &vec![7; 4 * MB], total + MB), 413, "ErrorMessageSizeExceeded");
    let mut bare = Request::new("PUT", &address);
    bare.body = bytes[..MB].to_vec().into();
    refused(&graph.sandbox.handle(&bare), 400, "BadRequest");
    refused(&graph.plain(Request::new("PUT", &address)), 401, "InvalidAuthenticationToken");
    refused(
        &graph.sandbox.handle(&Request::delete(&address.replace("authtoken=", "authtoken=x"))),
        401,
        "InvalidAuthenticationToken",
    );
    assert_eq!(graph.sandbox.handle(&Request::get(&address)).status, 405);
    graph.sandbox.switch(|switches| {
        switches.graph_upload_tells_state = true;
        switches.graph_upload_capital_names = false;
        switches.graph_upload_status = 202;
    });
    let told = graph.sandbox.handle(&Request::get(&address)).body_json();
    assert_eq!(told["nextExpectedRanges"], json!([format!("{}-", 2 * MB)]));
    assert_eq!(put(&graph, &address, 2 * MB, &bytes[..MB], total).status, 202);
}

#[test]
fn a_session_is_given_up_or_runs_out_and_ends_with_its_message() {
    let graph = Graph::empty();
    let draft = draft(&graph);
    let address = begin(&graph, &draft, 3 * MB);
    assert_eq!(graph.sandbox.handle(&Request::delete(&address)).status, 204);
    refused(&put(&graph, &address, 0, b"x", 3 * MB), 404, "ErrorItemNotFound");
    let gone = begin(&graph, &draft, 3 * MB);
    graph.sandbox.graph_mail_purge(&draft).unwrap();
    refused(&put(&graph, &gone, 0, &vec![0; 3 * MB], 3 * MB), 404, "ErrorItemNotFound");
    let late = begin(&graph, &self::draft(&graph), 3 * MB);
    graph.sandbox.clock().advance_ms(3_600_000);
    refused(&put(&graph, &late, 0, b"x", 3 * MB), 404, "ErrorItemNotFound");
}

#[test]
fn sessions_are_for_files_of_three_to_a_hundred_and_fifty_megabytes() {
    let graph = Graph::empty();
    let path = format!("me/messages/{}/attachments/createUploadSession", draft(&graph));
    let of = |size: usize| json!({ "AttachmentItem": { "attachmentType": "file", "name": "a", "size": size } });
    refused(&graph.post(&path, &of(MB)), 400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize");
    refused(&graph.post(&path, &of(151 * MB)), 413, "ErrorAttachmentSizeLimitExceeded");
    refused(&graph.post(&path, &json!({ "attachmentItem": {} })), 400, "RequestBodyRead");
}

#[test]
fn a_file_that_makes_the_message_too_large_is_refused_at_its_end() {
    let graph = Graph::switched(|switches| switches.graph_most_message_bytes = 4 * MB);
    let draft = draft(&graph);
    let address = begin(&graph, &draft, 5 * MB);
    assert_eq!(put(&graph, &address, 0, &vec![0; 3 * MB], 5 * MB).status, 200);
    refused(&put(&graph, &address, 3 * MB, &vec![0; 2 * MB], 5 * MB), 413, "ErrorMessageSizeExceeded");
    assert!(files(&graph, &draft).is_empty());
}

#[test]
fn ranges_are_counted_throttled_and_lost_like_any_request() {
    let graph = Graph::switched(|switches| switches.graph_upload_bytes = 4 * 1024 * 1024);
    let draft = draft(&graph);
    let address = begin(&graph, &draft, 6 * MB);
    graph.sandbox.reset_counts();
    assert_eq!(put(&graph, &address, 0, &vec![0; 3 * MB], 6 * MB).status, 200);
    let counts = graph.sandbox.counts(Provider::Microsoft);
    assert_eq!((counts.requests, counts.writes_done), (1, 1));
    assert_eq!(put(&graph, &address, 3 * MB, &vec![0; 3 * MB], 6 * MB).status, 429);
    graph.sandbox.clock().advance_ms(300_000);
    graph.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).times(1));
    let mut request = Request::new("PUT", &address)
        .with_header("Content-Range", &format!("bytes {}-{}/{}", 3 * MB, 6 * MB - 1, 6 * MB));
    request.body = vec![0; 3 * MB].into();
    assert!(graph.sandbox.exchange(&request).is_none());
    assert_eq!(files(&graph, &draft).len(), 1, "it was attached all the same");
}
