//! Profile, lists, searches, and one message in each format.

use super::*;

#[test]
fn a_profile_tells_whose_it_is_and_where_the_history_begins() {
    let client = Client::demo();
    let profile = client.ok(Request::get(&format!("{ME}/profile")));
    assert_eq!(keys(&profile), ["emailAddress", "historyId", "messagesTotal", "threadsTotal"]);
    assert_eq!(profile["emailAddress"], "ada@example.com");
    assert!(profile["messagesTotal"].as_u64() > profile["threadsTotal"].as_u64());
    assert!(profile["historyId"].as_str().unwrap().parse::<u64>().is_ok());
    client.ok(Request::get("/google/gmail/v1/users/ada@example.com/profile"));
    client.refused(Request::get("/google/gmail/v1/users/otto@example.com/profile"), 403, "insufficientPermissions");
}

#[test]
fn a_list_has_ids_newest_first_and_no_key_when_it_is_empty() {
    let client = Client::empty();
    let list = client.ok(Request::get(&format!("{MESSAGES}?includeSpamTrash=true")));
    assert_eq!(list, json!({ "resultSizeEstimate": 0 }));
    let first = client.sandbox.google_add_mail(mail("1@x", "one").as_bytes(), &["INBOX"]);
    client.sandbox.clock().advance_ms(1000);
    let second = client.sandbox.google_add_mail(mail("2@x", "two").as_bytes(), &["INBOX"]);
    let list = client.ok(Request::get(MESSAGES));
    assert_eq!(list["messages"][0], json!({ "id": second, "threadId": second }));
    assert_eq!(client.list("maxResults=1"), [second, first]);
}

#[test]
fn spam_and_trash_are_left_out_unless_asked_for() {
    let client = Client::empty();
    let inbox = client.sandbox.google_add_mail(mail("1@x", "one").as_bytes(), &["INBOX"]);
    let spam = client.sandbox.google_add_mail(mail("2@x", "two").as_bytes(), &["SPAM"]);
    let trash = client.sandbox.google_add_mail(mail("3@x", "three").as_bytes(), &["TRASH", "UNREAD"]);
    assert_eq!(client.list(""), [inbox.as_str()]);
    assert_eq!(client.list("includeSpamTrash=true"), [trash.clone(), spam.clone(), inbox]);
    assert_eq!(client.list("includeSpamTrash=true&labelIds=TRASH&labelIds=UNREAD"), [trash.as_str()]);
    assert!(client.list("labelIds=TRASH&labelIds=SPAM&includeSpamTrash=true").is_empty());
    assert_eq!(client.list("q=in:anywhere%20is:unread"), [trash]);
    assert_eq!(client.list("q=rfc822msgid:%3C2@x%3E&includeSpamTrash=true"), [spam]);
    assert!(client.list("q=rfc822msgid:2@x").is_empty());
    client.refused(Request::get(&format!("{MESSAGES}?labelIds=Label_77")), 400, "invalidArgument");
    client.refused(Request::get(&format!("{MESSAGES}?nonsense=1")), 400, "badRequest");
}

#[test]
fn pages_shift_when_mail_comes_meanwhile() {
    let client = Client::empty();
    for i in 0..4 {
        client.sandbox.google_add_mail(mail(&format!("{i}@x"), "s").as_bytes(), &["INBOX"]);
        client.sandbox.clock().advance_ms(1000);
    }
    let first = client.ok(Request::get(&format!("{MESSAGES}?maxResults=2")));
    client.sandbox.google_add_mail(mail("late@x", "s").as_bytes(), &["INBOX"]);
    let token = first["nextPageToken"].as_str().unwrap();
    let second = client.ok(Request::get(&format!("{MESSAGES}?maxResults=2&pageToken={token}")));
    assert_eq!(first["messages"][1]["id"], second["messages"][0]["id"], "seen twice");
    let other = format!("{MESSAGES}?includeSpamTrash=true&pageToken={token}");
    client.refused(Request::get(&other), 400, "invalidArgument");
}

#[test]
fn a_search_may_lag_and_what_it_cannot_read_is_refused() {
    let client = Client::with(Switches { mail_search_lag_s: 30, ..Switches::default() });
    client.insert(&mail("new@x", "s"), &["INBOX"]);
    assert!(client.list("q=rfc822msgid:new@x").is_empty());
    assert_eq!(client.list("").len(), 1);
    client.sandbox.clock().advance_ms(30_000);
    assert_eq!(client.list("q=rfc822msgid:new@x").len(), 1);
    assert_eq!(client.list("q=after:2025/12/04%20before:2025/12/05%20from:anna%20-is:unread").len(), 1);
    assert!(client.list("q=after:2025/12/05").is_empty());
    for query in ["q=larger:5M", "q=a%20OR%20b"] {
        assert_eq!(client.send(Request::get(&format!("{MESSAGES}?{query}"))).status, 501);
    }
}

#[test]
fn each_format_shows_what_it_should() {
    let client = Client::empty();
    let raw = "From: =?utf-8?B?SsO8cmdlbg==?= <j@example.org>\r\nSubject: folded\r\n and =?iso-8859-1?Q?caf=E9?=\r\n\
         Message-ID: <f@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nnobody reads this\r\n\
         --b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         na=EFve =\r\ntext\r\n--b\r\nContent-Type: image/png\r\n\
         Content-Disposition: attachment; filename=\"p.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--b--\r\n";
    let id = id(&client.insert(raw, &["UNREAD"]));
    let minimal = client.get(&id, "minimal");
    let known = ["historyId", "id", "internalDate", "labelIds", "sizeEstimate", "snippet", "threadId"];
    assert_eq!(keys(&minimal), known);
    assert_eq!((&minimal["snippet"], &minimal["sizeEstimate"]), (&json!("naïve text"), &json!(raw.len())));
    let raw_shown = client.get(&id, "raw");
    assert_eq!(URL_SAFE.decode(raw_shown["raw"].as_str().unwrap()).unwrap(), raw.as_bytes());
    let metadata = client.ok(Request::get(&format!("{MESSAGES}/{id}?format=metadata&metadataHeaders=subject")));
    let subject = json!([{ "name": "Subject", "value": "folded and café" }]);
    assert_eq!(metadata["payload"], json!({ "mimeType": "multipart/mixed", "headers": subject }));
    let full = client.ok(Request::get(&format!("{MESSAGES}/{id}")));
    let payload = &full["payload"];
    assert_eq!(payload["headers"][0]["value"], "Jürgen <j@example.org>");
    assert_eq!((&payload["partId"], &payload["body"]), (&json!(""), &json!({ "size": 0 })));
    assert_eq!(payload["parts"][0]["body"]["data"], URL_SAFE.encode("naïve text"));
    let attachment = &payload["parts"][1];
    assert_eq!((&attachment["partId"], &attachment["filename"]), (&json!("1"), &json!("p.png")));
    assert!(attachment["body"]["data"].is_null());
    let attached = attachment["body"]["attachmentId"].as_str().unwrap();
    let bytes = client.ok(Request::get(&format!("{MESSAGES}/{id}/attachments/{attached}")));
    assert_eq!(bytes, json!({ "size": 3, "data": "AAEC" }));
    let again = client.ok(Request::get(&format!("{MESSAGES}/{id}")));
    assert_ne!(again["payload"]["parts"][1]["body"]["attachmentId"], attached, "attachment ids do not last");
    client.refused(Request::get(&format!("{MESSAGES}/{id}?format=whole")), 400, "invalidArgument");
    client.refused(Request::get(&format!("{MESSAGES}/18c0000000000001")), 404, "notFound");
    let cut = client.ok(Request::get(&format!("{MESSAGES}/{id}?format=minimal&fields=id,labelIds")));
    assert_eq!(keys(&cut), ["id", "labelIds"]);
}

#[test]
fn two_encoded_words_are_read_as_one_text() {
    let client = Client::empty();
    let raw = mail("1@x", "=?utf-8?B?R3LDvMOf?=\r\n =?utf-8?Q?e_aus?= K=?=?");
    let full = client.get(&id(&client.insert(&raw, &[])), "full");
    let headers = full["payload"]["headers"].as_array().unwrap();
    let subject = headers.iter().find(|header| header["name"] == "Subject").unwrap();
    assert_eq!(subject["value"], "Grüße aus K=?=?");
}

#[test]
fn a_token_for_headers_alone_reads_no_text() {
    let client = Client::empty();
    let id = id(&client.insert(&mail("1@x", "s"), &["INBOX"]));
    let scope = |name: &str| {
        client.sandbox.access_token_for(Provider::Google, &[&format!("https://www.googleapis.com/auth/{name}")])
    };
    let status = |token: &str, request: Request| client.sandbox.handle(&request.bearer(token)).status;
    let metadata = scope("gmail.metadata");
    let get = |format: &str| Request::get(&format!("{MESSAGES}/{id}?format={format}"));
    assert_eq!(status(&metadata, get("metadata")), 200);
    assert_eq!(status(&metadata, get("full")), 403);
    assert_eq!(status(&metadata, get("raw")), 403);
    assert_eq!(status(&metadata, Request::get(&format!("{MESSAGES}?q=x"))), 403);
    assert_eq!(status(&scope("gmail.readonly"), get("raw")), 200);
    assert_eq!(status(&scope("gmail.readonly"), client.modify(&id, &["STARRED"], &[])), 403);
    assert_eq!(status(&scope("calendar"), get("minimal")), 403);
    assert_eq!(status("nonsense", get("minimal")), 401);
}
