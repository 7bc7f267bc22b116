//! Messages coming in: the four ways of uploading, dates, threads, copies, and what is refused.

use super::*;

fn related(json: &Value, raw: &str) -> Request {
    let body = format!(
        "--b1\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json}\r\n--b1\r\n\
         Content-Type: message/rfc822\r\n\r\n{raw}\r\n--b1--\r\n"
    );
    let mut request = Request::new("POST", &format!("{UPLOAD}?uploadType=multipart&internalDateSource=dateHeader"));
    request.body = body.into();
    request.with_header("content-type", "multipart/related; boundary=b1")
}

fn stored(client: &Client, id: &str) -> String {
    String::from_utf8(client.sandbox.google_message_raw(id).unwrap().to_vec()).unwrap()
}

#[test]
fn json_media_and_multipart_store_the_same_bytes() {
    let client = Client::empty();
    let json = client.insert(&mail("1@x", "s"), &["INBOX", "UNREAD"]);
    let id_of_json = id(&json);
    assert_eq!(json, json!({ "id": id_of_json, "threadId": id_of_json, "labelIds": ["INBOX", "UNREAD"] }));
    assert_eq!(stored(&client, &id_of_json), mail("1@x", "s"));
    let multipart = client.ok(related(&json!({ "labelIds": ["INBOX"] }), &mail("2@x", "s")));
    assert_eq!(multipart["labelIds"], json!(["INBOX"]));
    assert_eq!(stored(&client, &id(&multipart)), mail("2@x", "s"));
    let mut media = Request::new("POST", &format!("{UPLOAD}?uploadType=media"));
    media.body = mail("3@x", "s").into();
    let kind = |kind: &str| media.clone().with_header("content-type", kind);
    let made = client.ok(kind("message/rfc822"));
    assert_eq!((keys(&made), stored(&client, &id(&made))), (vec!["id", "threadId"], mail("3@x", "s")));
    client.refused(kind("text/plain"), 400, "invalidArgument");
    client.refused(related(&json!({ "labels": [] }), &mail("4@x", "s")), 400, "badRequest");
    client.refused(Request::post(MESSAGES, &json!({ "labelIds": ["INBOX"] })), 400, "invalidArgument");
    client.refused(Request::post(MESSAGES, &json!({ "raw": "%%" })), 400, "invalidArgument");
}

#[test]
fn an_upload_in_pieces_goes_on_where_it_was_broken_off() {
    let client = Client::empty();
    let big = mail("big@x", "big") + &"a line of forty letters, as long as need\r\n".repeat(7_000);
    let (piece, total) = (256 * 1024, big.len());
    let begin = Request::post(&format!("{UPLOAD}?uploadType=resumable"), &json!({ "labelIds": ["INBOX"] }))
        .with_header("x-upload-content-type", "message/rfc822")
        .with_header("x-upload-content-length", &total.to_string());
    let started = client.send(begin);
    let place = started.header("location").unwrap().to_owned();
    let put = |range: &str, bytes: &str| {
        let mut request = Request::new("PUT", &place).with_header("content-range", range);
        request.body = bytes.to_owned().into();
        request
    };
    let how_much = || put(&format!("bytes */{total}"), "");
    assert_eq!(client.send(how_much()).header("range"), None);
    client.refused(put(&format!("bytes 0-99/{total}"), &big[..100]), 400, "invalidArgument");
    let first = client.send(put(&format!("bytes 0-{}/{total}", piece - 1), &big[..piece]));
    assert_eq!((first.status, first.header("range")), (308, Some("bytes=0-262143")));
    assert_eq!(client.send(how_much()).header("range"), Some("bytes=0-262143"));
    client.refused(put(&format!("bytes 0-{}/{total}", piece - 1), &big[..piece]), 400, "invalidArgument");
    let last = put(&format!("bytes {piece}-{}/{total}", total - 1), &big[piece..]);
    let made = client.ok(last.clone());
    assert_eq!(stored(&client, &id(&made)), big);
    assert_eq!(client.ok(last), made, "the answer is given again");
    assert_eq!(client.list("").len(), 1);
    assert_eq!(client.sandbox.counts(Provider::Google).quota, 25 + 5, "an insert and a list; pieces cost nothing");
    let lost = Request::new("PUT", &format!("{UPLOAD}?uploadType=resumable&upload_id=AU1"));
    client.refused(lost, 404, "notFound");
}

#[test]
fn the_date_is_the_headers_or_the_time_it_came() {
    let client = Client::empty();
    let date_of = |reply: Value| client.get(&id(&reply), "minimal")["internalDate"].clone();
    let now = client.sandbox.clock().now_ms().to_string();
    let by_header = json!("1764839700000"); // 2025-12-04T09:15:00Z
    assert_eq!(date_of(client.insert(&mail("1@x", "s"), &[])), by_header);
    let body = json!({ "raw": URL_SAFE.encode(mail("2@x", "s")) });
    assert_eq!(date_of(client.ok(Request::post(MESSAGES, &body))), json!(now), "insert: when it came");
    assert_eq!(date_of(client.ok(import(&mail("3@x", "s"), ""))), by_header, "import: the header");
    assert_eq!(date_of(client.ok(import(&mail("4@x", "s"), "internalDateSource=receivedTime"))), json!(now));
    let odd = mail("5@x", "s").replace("4 Dec", "44 Dec");
    assert_eq!(date_of(client.insert(&odd, &[])), json!(now));
    client.refused(import(&mail("6@x", "s"), "internalDateSource=mine"), 400, "invalidArgument");
}

#[test]
fn answers_join_the_thread_that_they_fit() {
    let client = Client::empty();
    let first = id(&client.insert(&mail("1@x", "Boat"), &[]));
    let answer = |id: &str, subject: &str, parent: &str| {
        mail(id, subject).replace("\r\n\r\n", &format!("\r\nReferences: <0@x> <{parent}>\r\n\r\n"))
    };
    let thread = |raw: &str| client.insert(raw, &[])["threadId"].clone();
    assert_eq!(thread(&answer("2@x", "Re: boat", "1@x")), json!(first));
    assert_ne!(thread(&answer("3@x", "Another matter", "1@x")), json!(first), "the subject counts");
    assert_ne!(thread(&mail("4@x", "Re: Boat")), json!(first), "it answers nothing");
    let named =
        |raw: &str, thread: &str| Request::post(MESSAGES, &json!({ "raw": URL_SAFE.encode(raw), "threadId": thread }));
    assert_eq!(client.ok(named(&answer("5@x", "AW: Boat", "2@x"), &first))["threadId"], json!(first));
    assert_ne!(client.ok(named(&mail("6@x", "Boat"), &first))["threadId"], json!(first));
    let elsewhere = answer("8@x", "Another matter", "1@x");
    assert_ne!(client.ok(named(&elsewhere, &first))["threadId"], json!(first), "the subject counts here too");
    client.refused(named(&mail("7@x", "Boat"), "18c0000000000001"), 404, "notFound");
}

#[test]
fn a_second_mail_of_one_message_id_is_taken_for_the_first() {
    let client = Client::empty();
    let first = id(&client.insert(&mail("1@x", "s"), &["INBOX", "UNREAD"]));
    let start = client.history_id();
    let again = client.insert(&mail("1@x", "s"), &["STARRED"]);
    assert_eq!(again, json!({ "id": first, "threadId": first, "labelIds": ["INBOX", "STARRED", "UNREAD"] }));
    assert_eq!(keys(&client.history(&start, "").0[0]), ["id", "labelsAdded", "messages"]);
    assert_eq!(id(&client.insert(&mail("1@x", "another"), &[])), first, "by the id alone");
    client.sandbox.switch(|switches| switches.mail_duplicates_by = "content".into());
    assert_eq!(id(&client.insert(&mail("1@x", "s"), &[])), first);
    assert_ne!(id(&client.insert(&mail("1@x", "another"), &[])), first);
    client.sandbox.switch(|switches| switches.mail_duplicates_by = "never".into());
    assert_ne!(id(&client.insert(&mail("1@x", "s"), &[])), first);
    let nameless = mail("2@x", "s").replace("Message-ID: <2@x>\r\n", "");
    client.sandbox.switch(|switches| switches.mail_duplicates_by = "message_id".into());
    assert_ne!(id(&client.insert(&nameless, &[])), id(&client.insert(&nameless, &[])), "without one, each is new");
}

#[test]
fn a_copy_in_the_trash_comes_back_with_its_old_date() {
    let client = Client::empty();
    let first = id(&client.insert(&mail("1@x", "s"), &[]));
    let old = client.get(&first, "minimal")["internalDate"].clone();
    client.sandbox.google_trash_mail(&first).unwrap();
    let body = json!({ "raw": URL_SAFE.encode(mail("1@x", "s")), "labelIds": ["INBOX"] });
    assert_eq!(id(&client.ok(Request::post(MESSAGES, &body))), first);
    assert_eq!(
        (client.labels_of(&first), &client.get(&first, "minimal")["internalDate"]),
        (vec!["INBOX".into()], &old)
    );
}

#[test]
fn an_import_is_looked_at_like_mail_that_is_delivered() {
    let client = Client::empty();
    let bad = |id: &str| mail(id, "s").replace("\r\n\r\n", "\r\nX-Spam-Flag: YES\r\n\r\n");
    assert_eq!(client.ok(import(&bad("1@x"), ""))["labelIds"], json!(["SPAM"]));
    let kept = client.ok(import(&bad("2@x"), "neverMarkSpam=true"));
    assert_eq!(kept["labelIds"], json!(["CATEGORY_PERSONAL", "INBOX"]));
    let event = |id: &str| mail(id, "s").replace("\r\n\r\n", "\r\nContent-Type: text/calendar\r\n\r\n");
    client.ok(import(&event("3@x"), ""));
    assert_eq!(client.sandbox.google_mail_calendar_imports(), 0);
    client.ok(import(&event("4@x"), "processForCalendar=true"));
    assert_eq!(client.sandbox.google_mail_calendar_imports(), 1);
    client.sandbox.switch(|switches| switches.mail_import_answers_dead_id = true);
    let dead = id(&client.ok(import(&mail("5@x", "s"), "")));
    client.refused(Request::get(&format!("{MESSAGES}/{dead}")), 404, "notFound");
    assert_eq!(client.list("q=rfc822msgid:5@x").len(), 1);
    client.refused(insert(&mail("6@x", "s"), &[]).with_query("deleted", "true"), 400, "invalidArgument");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let client = Client::empty();
    let from = mail("1@x", "s").replace("Anna <anna@example.org>", "Anna");
    assert_eq!(client.refused(insert(&from, &[]), 400, "invalidArgument"), "Invalid From header");
    assert_eq!(client.refused(insert(&mail("2@x", "s"), &["SENT"]), 400, "invalidArgument"), "Invalid label: SENT");
    client.refused(insert(&mail("2@x", "s"), &["INBOX", "SPAM"]), 400, "invalidArgument");
    client.sandbox.switch(|switches| {
        switches.mail_insert_takes_sent = true;
        switches.mail_checks_from = false;
        switches.mail_most_message_bytes = 600;
        switches.mail_most_json_bytes = 400;
    });
    assert_eq!(client.insert(&mail("2@x", "s"), &["SENT"])["labelIds"], json!(["SENT"]));
    client.insert(&from, &[]);
    let long = |bytes: usize| mail("3@x", "s") + &"x".repeat(bytes);
    client.refused(insert(&long(200), &[]), 413, "uploadTooLarge");
    client.ok(related(&json!({}), &long(200)));
    client.refused(related(&json!({}), &long(600)), 413, "uploadTooLarge");
}

#[test]
fn lines_get_their_cr_and_perhaps_a_received_on_top() {
    let client = Client::empty();
    let unix = mail("1@x", "s").replace("\r\n", "\n");
    assert_eq!(stored(&client, &id(&client.insert(&unix, &[]))), mail("1@x", "s"));
    client.sandbox.switch(|switches| {
        switches.mail_makes_crlf = false;
        switches.mail_adds_received = true;
    });
    let raw = stored(&client, &id(&client.insert(&unix.replace("1@x", "2@x"), &[])));
    assert!(raw.starts_with("Received: ") && raw.ends_with(&unix.replace("1@x", "2@x")), "{raw}");
}

trait WithQuery {
    fn with_query(self, name: &str, value: &str) -> Self;
}

impl WithQuery for Request {
    fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }
}
