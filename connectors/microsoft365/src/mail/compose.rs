//! A message made of its bytes, as Graph takes one. Pure.
//!
//! There is no way to give Graph the bytes of a received message: as MIME it becomes a draft for ever, in Drafts alone. So a message is
//! made from parts, in one request that carries our mark, and Exchange writes bytes of its own for it. The hub keeps the real ones, and
//! what is written here is never read back as if it were them.
//!
//! **What is lost there**: the plain text beside an HTML text; the nesting of parts, boundaries and encodings, and so every signature over
//! them (S/MIME, PGP/MIME) and what is encrypted as a whole becomes attachments; `Received` and other trace fields, but for the copy of
//! the header in [`HEADERS`], where the server keeps it; fields of one's own; the names of address groups.
//!
//! What is larger than one request takes its files afterwards (`attach.rs`), and stands there as a draft for ever: Graph takes no file
//! for a message that is none. Everything that this program shows of it says that it was received.

use super::attach::{Files, Large};
use super::categories::Names;
use super::charset;
use super::files::{Content, File, LARGEST_FILE};
use super::lean::Run;
use super::map;
use super::wire::{FLAGS, HEADERS, IN_REPLY_TO, INSTEAD, LARGE, MARK, PROPERTIES, RECEIVED, REFERENCES, SENT};
use chrono::{DateTime, SecondsFormat, Utc};
use mail_parser::{Address, HeaderValue, Message, MessageParser, MessagePart, PartType};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io;
use twofold_model::email::{Sheet, headers, keywords};
use twofold_model::{BlobId, Blobs, Error, ErrorKind, Mark, Result};

/// PidTagMessageFlags: it was read. Without its bit for "not sent", what is made is no draft.
const READ: u32 = 1;
/// A longer header is not sent along; a property of text may be refused beyond some kilobytes (G).
const LONGEST_HEADER: usize = 16 * 1024;
/// No request is larger than Graph's limit of 4 MB, counted the smaller way.
pub const LARGEST_REQUEST: usize = 4_000_000;
/// A longer header is none that Exchange takes (its own limit is 256 KiB), and people take room in memory.
const MOST_HEADER: usize = 512 * 1024;
/// Room for what goes with every message: names, dates, our mark.
const REST: usize = 16 * 1024;

/// What a message says, in Graph's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composed {
    /// Subject, text and people, each also where it is empty.
    says: Map<String, Value>,
    /// What is attached.
    files: Vec<File>,
    /// What is answered by it.
    threading: Vec<(&'static str, String)>,
    header: String,
    sent: Option<DateTime<Utc>>,
}

impl Composed {
    /// Reads the bytes of a message.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where they are none, [`ErrorKind::Unsupported`] where it says something in a character set that nobody knows.
    #[cfg(test)]
    pub fn of(bytes: &[u8]) -> Result<Composed> {
        Ok(Self::without(bytes, &[])?.unwrap_or_default())
    }

    /// Reads the bytes of a message, of which these runs of base64 are left out. `None` where one of them is not the whole of a file, or
    /// cannot be told to be.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] where they are none, [`ErrorKind::Unsupported`] where it says something in a character set that nobody knows.
    pub fn without(bytes: &[u8], runs: &[Run]) -> Result<Option<Composed>> {
        let none = || Error::new(ErrorKind::Refused, "the bytes are no message");
        // Seen before it is read: each of its people and ids would be some more room.
        if !has_end_of_header(bytes.get(..MOST_HEADER.min(bytes.len())).unwrap_or_default())
            && bytes.len() > MOST_HEADER
        {
            let why = "the header of the message is larger than Microsoft 365 takes";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let as_sent = MessageParser::default().parse(bytes).ok_or_else(none)?;
        let end = as_sent.root_part().offset_body as usize;
        let (known, moved) = charset::with_known_names(bytes, &as_sent);
        let runs: Vec<Run> = runs.iter().map(|run| run.behind(&moved)).collect();
        let mut message = match &known {
            Cow::Borrowed(_) => as_sent,
            Cow::Owned(known) => MessageParser::default().parse(known).ok_or_else(none)?,
        };
        charset::read_unlabelled(&mut message);
        if let Some(label) = charset::unknown_of(&known, &message) {
            let why = format!(
                "the message is in the character set {label:?}, which this program cannot read, and would be garbled"
            );
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let mut says = Map::new();
        says.insert("subject".to_owned(), message.subject().unwrap_or_default().into());
        says.insert("body".to_owned(), body(&message)?);
        for (name, people) in [
            ("toRecipients", message.to()),
            ("ccRecipients", message.cc()),
            ("bccRecipients", message.bcc()),
            ("replyTo", message.reply_to()),
        ] {
            says.insert(name.to_owned(), people.map(recipients).unwrap_or_default().into());
        }
        let first = |people: Option<&Address<'_>>| people.and_then(|people| recipients(people).into_iter().next());
        if let Some(from) = first(message.from()) {
            says.insert("from".to_owned(), from.clone());
            says.insert("sender".to_owned(), first(message.sender()).unwrap_or(from));
        }
        if let Some(id) = message.message_id() {
            says.insert("internetMessageId".to_owned(), format!("<{id}>").into());
        }
        let mut threading = Vec::new();
        for (id, value) in [(IN_REPLY_TO, message.in_reply_to()), (REFERENCES, message.references())] {
            if let Some(ids) = message_ids(value) {
                threading.push((id, ids));
            }
        }
        let header = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).trim_end().to_owned();
        let Some(files) = File::take_all(&mut message, &runs) else { return Ok(None) };
        Ok(Some(Composed {
            says,
            files,
            threading,
            header,
            sent: headers::read(bytes).sent_at.map(|at| at.with_timezone(&Utc)),
        }))
    }

    /// The same with its files in memory, where they go with it.
    ///
    /// # Errors
    /// Where the store does not have them.
    pub fn loaded(mut self, blobs: &dyn Blobs, blob: &BlobId) -> Result<Composed> {
        if !self.is_large() {
            for file in &mut self.files {
                *file = file.loaded(blobs, blob)?;
            }
        }
        Ok(self)
    }

    /// What is attached, in the order in which it is sent.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Whether the files have to follow the message, because together they are larger than one request may be.
    pub fn is_large(&self) -> bool {
        let said: usize = self.says.values().map(length).sum();
        let beside = said + self.header.len() + REST;
        !self.files.is_empty() && beside + self.files.iter().map(File::length).sum::<usize>() > LARGEST_REQUEST
    }

    /// The body of the POST that makes the message: a draft where the sheet says so, else one that looks received, and where it is large
    /// ([`Composed::is_large`]) one without its files.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where it is larger than Graph takes it in any way.
    pub fn create(&self, sheet: &Sheet, mark: Option<&Mark>, instead: Option<&str>, names: &Names) -> Result<Value> {
        let is_draft = sheet.has(keywords::DRAFT);
        let is_said = |value: &&Value| !value.as_array().is_some_and(Vec::is_empty);
        let mut body: Map<String, Value> = self
            .says
            .iter()
            .filter(|(_, value)| is_said(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if is_draft {
            // Whoever writes a draft is its sender.
            body.remove("sender");
        }
        body.insert("isRead".to_owned(), sheet.has(keywords::SEEN).into());
        if sheet.has(keywords::FLAGGED) {
            body.insert("flag".to_owned(), json!({"flagStatus": "flagged"}));
        }
        if sheet.has(keywords::IMPORTANT) {
            body.insert("importance".to_owned(), "high".into());
        }
        let categories = map::new_categories(&sheet.keywords, names);
        if !categories.is_empty() {
            body.insert("categories".to_owned(), categories.into());
        }
        if self.files.iter().any(|file| file.size() > LARGEST_FILE) {
            let why = "an attachment is larger than the 150 MB that Microsoft 365 takes";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        if !self.files.is_empty() && !self.is_large() {
            let files: Vec<Value> = self.files.iter().map(File::whole).collect();
            body.insert("attachments".to_owned(), files.into());
        }
        body.insert(PROPERTIES.to_owned(), self.properties(sheet, mark, instead).into());
        let body = Value::Object(body);
        match length(&body) > LARGEST_REQUEST {
            true => Err(says_too_much()),
            false => Ok(body),
        }
    }

    fn properties(&self, sheet: &Sheet, mark: Option<&Mark>, instead: Option<&str>) -> Vec<Value> {
        let mut list: Vec<(&str, String)> = Vec::new();
        if let Some(mark) = mark {
            list.push((MARK, mark.to_string()));
        }
        if let Some(instead) = instead {
            list.push((INSTEAD, instead.to_owned()));
        }
        if self.is_large() {
            let files = sheet.blob().map_or(Files::Whole, Files::Missing);
            let large = Large { is_received: !sheet.has(keywords::DRAFT), files };
            list.push((LARGE, large.text()));
        }
        list.extend(self.threading.iter().cloned());
        if !sheet.has(keywords::DRAFT) {
            let flags = if sheet.has(keywords::SEEN) { READ } else { 0 };
            // Without these, what is made is a draft, as what takes files afterwards must be.
            list.extend((!self.is_large()).then(|| (FLAGS, flags.to_string())));
            let received = sheet.received_ms.and_then(DateTime::from_timestamp_millis);
            for (id, at) in [(RECEIVED, received.or(self.sent)), (SENT, self.sent.or(received))] {
                list.extend(at.map(|at| (id, at.to_rfc3339_opts(SecondsFormat::Secs, true))));
            }
            if !self.header.is_empty() && self.header.len() <= LONGEST_HEADER {
                list.push((HEADERS, self.header.clone()));
            }
        }
        let mut list: Vec<Value> = list.into_iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        if sheet.has(keywords::ANSWERED) || sheet.has(keywords::FORWARDED) {
            list.extend(map::verb_properties(sheet, None).as_array().into_iter().flatten().cloned());
        }
        list
    }

    /// Whether this is Exchange's writing of that draft: all that somebody who writes on it can change is the same. What Exchange makes by
    /// itself counts for nothing: a Message-ID, a sender, the names of people, blanks at the ends of lines, what stands around an HTML text.
    pub fn is_rewriting_of(&self, was: &Composed) -> bool {
        let from = |of: &Composed| of.says.get("from").map(address);
        let is_from_same = from(self).zip(from(was)).is_none_or(|(now, was)| now == was);
        is_from_same && self.written() == was.written() && self.attached().eq(was.attached())
    }

    /// Subject, people and text, as somebody sees them who writes on the draft.
    fn written(&self) -> (&str, [Vec<String>; 4], (&str, String)) {
        let people = ["toRecipients", "ccRecipients", "bccRecipients", "replyTo"]
            .map(|name| self.says.get(name).and_then(Value::as_array).into_iter().flatten().map(address).collect());
        let subject = self.says.get("subject").and_then(Value::as_str).unwrap_or_default().trim();
        let body = self.says.get("body").unwrap_or(&Value::Null);
        let [kind, content] = ["contentType", "content"].map(|name| body[name].as_str().unwrap_or_default());
        let text = if kind == "html" { inner(content) } else { content };
        let lines: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
        (subject, people, (kind, lines.trim().to_owned()))
    }

    fn attached(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.files.iter().map(|file| (file.name.as_str(), &file.content))
    }

    /// The fields of the PATCH that makes a draft say this where it says `was`; `None` where that takes more than its fields.
    pub fn rewrite(&self, was: &Composed) -> Option<Map<String, Value>> {
        let is_same_beside = (&self.files, &self.threading) == (&was.files, &was.threading);
        // What is said no more could not be taken back (a Message-ID).
        let is_all_said = was.says.keys().all(|name| self.says.contains_key(name));
        let changed =
            self.says.iter().filter(|(name, value)| name.as_str() != "sender" && was.says.get(*name) != Some(*value));
        (is_same_beside && is_all_said).then(|| changed.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// Whether an empty line is among these bytes, where a message begins.
fn has_end_of_header(begin: &[u8]) -> bool {
    let is_empty_line = |line: &[u8]| matches!(line, b"\n" | b"\r\n");
    begin.split_inclusive(|byte| *byte == b'\n').any(is_empty_line)
}

/// How long it is as JSON, in bytes.
fn length(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Nothing that only counts fails, and neither does what is JSON already.
    _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// What is said beside the files does not fit into one request.
pub fn says_too_much() -> Error {
    let why = "the text of the message is larger than Microsoft 365 takes from a program";
    Error::new(ErrorKind::Unsupported, why)
}

/// The text: HTML where there is any.
fn body(message: &Message<'_>) -> Result<Value> {
    let is_html = |part: &&MessagePart<'_>| matches!(part.body, PartType::Html(_));
    let has_html = message.html_bodies().any(|part| is_html(&part));
    let parts: Vec<&MessagePart<'_>> =
        if has_html { message.html_bodies().collect() } else { message.text_bodies().collect() };
    // Seen before it is written once more: letters that are none in JSON become six.
    if parts.iter().map(|part| part.contents().len()).sum::<usize>() > LARGEST_REQUEST {
        return Err(says_too_much());
    }
    if has_html {
        let texts = parts.iter().filter_map(|part| match &part.body {
            PartType::Html(html) => Some(html.to_string()),
            PartType::Text(text) => Some(format!("<pre>{}</pre>", escaped(text))),
            _ => None,
        });
        return Ok(json!({"contentType": "html", "content": texts.collect::<String>()}));
    }
    let texts = parts.iter().filter_map(|part| match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        _ => None,
    });
    Ok(json!({"contentType": "text", "content": texts.collect::<Vec<_>>().join("\r\n")}))
}

/// What an HTML document shows.
fn inner(html: &str) -> &str {
    // Letters of ASCII take one byte, whatever their case.
    let lower = html.to_ascii_lowercase();
    let begin = lower.find("<body").and_then(|at| Some(at + lower[at..].find('>')? + 1)).unwrap_or(0);
    let end = lower.rfind("</body>").filter(|end| *end >= begin).unwrap_or(html.len());
    html.get(begin..end).unwrap_or(html)
}

/// The address of somebody who is written to.
fn address(person: &Value) -> String {
    person["emailAddress"]["address"].as_str().unwrap_or_default().to_lowercase()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn recipients(people: &Address<'_>) -> Vec<Value> {
    let recipient = |person: &mail_parser::Addr<'_>| {
        let address = person.address()?;
        let name = person.name().unwrap_or(address);
        Some(json!({"emailAddress": {"name": name, "address": address}}))
    };
    people.iter().filter_map(recipient).collect()
}

fn message_ids(value: &HeaderValue<'_>) -> Option<String> {
    let ids: Vec<String> = value.as_text_list()?.iter().map(|id| format!("<{id}>")).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use std::collections::BTreeSet;

    const LETTER: &str = "Received: from a by b; Mon, 2 Mar 2026 08:00:10 +0000\r\nFrom: Ada <ada@example.org>\r\n\
        To: Bob <bob@example.org>, carol@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@example.org>\r\n\
        In-Reply-To: <0@example.org>\r\nReferences: <00@example.org> <0@example.org>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0100\r\n";

    fn letter(rest: &str) -> Composed {
        Composed::of(format!("{LETTER}{rest}").as_bytes()).unwrap()
    }

    fn sheet(words: &[&str]) -> Sheet {
        let keywords: BTreeSet<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Sheet { keywords, received_ms: Some(1_772_438_410_000), ..Sheet::default() }
    }

    #[test]
    fn a_text_a_header_or_a_file_of_no_plain_base64_that_is_too_large_is_refused_by_its_length() {
        let too_much = |bytes: &[u8]| Composed::without(bytes, &[]).unwrap_err();
        let text = format!("{LETTER}\r\n{}", "x".repeat(LARGEST_REQUEST + 1));
        let nothing = [LETTER.as_bytes(), b"\r\n", &vec![0; LARGEST_REQUEST + 1]].concat();
        let html = format!("{LETTER}Content-Type: text/html\r\n\r\n<p>{}", "x".repeat(LARGEST_REQUEST));
        for bytes in [text.as_bytes(), &nothing, html.as_bytes()] {
            assert!(too_much(bytes).to_string().contains("the text of the message is larger"));
        }
        let people = "a@example.org, ".repeat(MOST_HEADER / 15 + 1);
        let header = format!("{LETTER}Cc: {people}b@example.org\r\n\r\nx\r\n");
        let error = too_much(header.as_bytes());
        assert!(error.kind == ErrorKind::Unsupported && error.to_string().contains("header"), "{error}");
        // What is not sent does not count.
        let both = format!(
            "{LETTER}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n{}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n",
            "x".repeat(LARGEST_REQUEST + 1)
        );
        let body = Composed::of(both.as_bytes()).unwrap().create(&sheet(&[]), None, None, &Names::default()).unwrap();
        assert_eq!(body["body"]["content"], "<p>x");
    }

    #[test]
    fn a_text_that_is_attached_keeps_its_bytes_whatever_it_is_written_in() {
        let latin: &[u8] = b"Gr\xf6\xdfe;1\r\n";
        let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain("Größe".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let long: Vec<u8> = latin.iter().copied().cycle().take(300_000).collect();
        for (kind, bytes) in [
            ("application/zip; name*=cp932''x", &long[..]),
            ("text/csv", latin),
            ("text/plain; charset=iso-8859-1", latin),
            ("text/rtf", latin),
            ("text/html", latin),
            ("text/plain", &wide[..]),
            ("text/csv", &long[..]),
        ] {
            let lines = base64::engine::general_purpose::STANDARD.encode(bytes);
            let lines: Vec<&str> = lines.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let whole = format!(
                "X: =?cp932?Q?a?= =?ms949?Q?a?=\r\n{LETTER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n--b\r\nContent-Type: {kind}\r\n\
                 Content-Disposition: attachment; filename=a.csv\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
                lines.join("\r\n")
            );
            let composed = Composed::of(whole.as_bytes()).unwrap();
            assert!(matches!(&composed.files()[0].content, Content::Here(have) if have == bytes), "{kind}");
            let lean = crate::mail::lean::Lean::read(whole.as_bytes(), crate::mail::lean::LONG).unwrap().unwrap();
            let kept = Composed::without(&lean.bytes, &lean.runs).unwrap().unwrap();
            assert_eq!(kept.files()[0].size(), bytes.len(), "{kind}");
            assert_eq!(
                matches!(kept.files()[0].content, Content::There(_)),
                bytes.len() > 200_000,
                "{kind}: in the store"
            );
        }
    }

    fn mark() -> Mark {
        Mark { hub: "h".into(), item: "i".into(), generation: 1 }
    }

    fn property<'a>(body: &'a Value, id: &str) -> Option<&'a str> {
        let list = body[PROPERTIES].as_array().unwrap();
        list.iter().find(|property| property["id"] == id)?["value"].as_str()
    }

    #[test]
    fn a_received_message_is_made_in_one_request_with_its_dates_its_thread_and_our_mark() {
        let body = letter("\r\nHello\r\n")
            .create(&sheet(&["$seen", "$flagged", "work", "$junk"]), Some(&mark()), None, &Names::default())
            .unwrap();
        for (name, value) in [
            ("subject", json!("Grüße")),
            ("body", json!({"contentType": "text", "content": "Hello\r\n"})),
            ("internetMessageId", json!("<1@example.org>")),
            ("isRead", json!(true)),
            ("flag", json!({"flagStatus": "flagged"})),
            ("categories", json!(["work"])),
            ("from", json!({"emailAddress": {"name": "Ada", "address": "ada@example.org"}})),
            ("ccRecipients", Value::Null),
        ] {
            assert_eq!(body[name], value, "{name}");
        }
        assert_eq!(body["toRecipients"][1]["emailAddress"]["address"], "carol@example.org");
        for (id, value) in [
            (MARK, Some("h:i:1")),
            (FLAGS, Some("1")),
            (RECEIVED, Some("2026-03-02T08:00:10Z")),
            (SENT, Some("2026-03-02T08:00:00Z")),
            (IN_REPLY_TO, Some("<0@example.org>")),
            (REFERENCES, Some("<00@example.org> <0@example.org>")),
            (super::super::wire::VERB, None),
        ] {
            assert_eq!(property(&body, id), value, "{id}");
        }
        assert!(property(&body, HEADERS).unwrap().starts_with("Received: from a"));
        let unread = letter("\r\n").create(&sheet(&["$answered"]), Some(&mark()), None, &Names::default()).unwrap();
        assert_eq!((property(&unread, FLAGS), property(&unread, super::super::wire::VERB)), (Some("0"), Some("102")));
        // Nobody is asked for a receipt by what is made here.
        assert_eq!(unread.get("isReadReceiptRequested"), None);
    }

    /// The subject and the text of a message in this character set, by these bytes.
    fn in_charset(label: &str, bytes: &[u8]) -> Result<(Value, Value)> {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        let head = format!(
            "From: Ada <ada@example.org>\r\nSubject: =?{label}?B?{encoded}?=\r\nContent-Type: text/plain; charset=\"{label}\"\r\n\r\n"
        );
        let composed = Composed::of(&[head.as_bytes(), bytes].concat())?;
        Ok((composed.says["subject"].clone(), composed.says["body"]["content"].clone()))
    }

    #[test]
    fn text_in_any_character_set_that_is_known_by_some_name_arrives_as_it_was_meant() {
        const HARO: &[u8] = b"\x83n\x83\x8D\x81[";
        const ANNYONG: &[u8] = b"\xbe\xc8\xb3\xe7";
        for (label, bytes, meant) in [
            ("cp932", HARO, "ハロー"),
            ("CP932", HARO, "ハロー"),
            ("x-sjis", HARO, "ハロー"),
            ("x-ms-cp932", HARO, "ハロー"),
            ("windows-31j", HARO, "ハロー"),
            ("ks_c_5601-1987", ANNYONG, "안녕"),
            ("cp949", ANNYONG, "안녕"),
            ("x-windows-949", ANNYONG, "안녕"),
            ("cp950", b"\xa7A\xa6n", "你好"),
            ("unicode-1-1-utf-7", b"+ZYeB9FH6ckh5Pg-", "文致出版社"),
            ("latin9", b"\xa4", "€"),
            ("iso-2022-jp", b"\x1b$B%O%m!<\x1b(B", "ハロー"),
            ("utf-8", "Grüße".as_bytes(), "Grüße"),
        ] {
            assert_eq!(in_charset(label, bytes).unwrap(), (meant.into(), meant.into()), "{label}");
        }
    }

    #[test]
    fn text_in_a_character_set_that_nobody_knows_is_refused_and_not_garbled() {
        for (label, bytes) in
            [("cp437", &b"\x81ber"[..]), ("iso-2022-kr", b"\x1b$)C\x0e>H3g\x0f"), ("x-nobodys", b"\xff\xfe")]
        {
            let error = in_charset(label, bytes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unsupported, "{label}");
            assert!(error.to_string().contains(label), "{error}");
        }
        // What can be read all the same is sent.
        assert_eq!(in_charset("x-nobodys", b"plain").unwrap(), ("plain".into(), "plain".into()));
        let subject = b"Subject: =?cp437?Q?=81ber?=\r\n\r\nplain\r\n";
        assert_eq!(Composed::of(subject).unwrap_err().kind, ErrorKind::Unsupported);
        // Nor is a text that is attached.
        let rest = "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nx\r\n--m\r\n\
            Content-Type: text/plain; charset=cp437; name=a.txt\r\nContent-Disposition: attachment; filename=a.txt\r\n\
            Content-Transfer-Encoding: base64\r\n\r\ngWJlcg==\r\n--m--\r\n";
        assert!(letter(rest).files()[0].content == Content::Here(b"\x81ber".to_vec()));
    }

    #[test]
    fn a_draft_is_made_as_a_draft() {
        let body = letter("\r\nHello\r\n")
            .create(&sheet(&["$draft", "$seen"]), Some(&mark()), Some("old x"), &Names::default())
            .unwrap();
        for id in [FLAGS, RECEIVED, SENT, HEADERS] {
            assert_eq!(property(&body, id), None, "{id}");
        }
        assert_eq!((property(&body, MARK), property(&body, INSTEAD)), (Some("h:i:1"), Some("old x")));
        assert_eq!(body.get("sender"), None);
    }

    #[test]
    fn html_counts_more_than_plain_text_and_what_is_attached_comes_along() {
        let mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
            --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
            --a\r\nContent-Type: text/plain\r\n\r\nplain\r\n--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>h\u{e4}</p>\r\n--a--\r\n\
            --m\r\nContent-Type: image/png; name=x.png\r\nContent-ID: <cid1>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\nAQID\r\n\
            --m\r\nContent-Type: message/rfc822\r\n\r\nSubject: Inner\r\n\r\ninner\r\n--m--\r\n";
        let body = letter(mixed).create(&sheet(&[]), Some(&mark()), None, &Names::default()).unwrap();
        assert_eq!(body["body"]["contentType"], "html");
        assert!(body["body"]["content"].as_str().unwrap().contains("<p>hä</p>"), "{}", body["body"]);
        let files = body["attachments"].as_array().unwrap();
        let shown: Vec<(&str, &str, bool)> = files
            .iter()
            .map(|file| {
                (file["name"].as_str().unwrap(), file["contentType"].as_str().unwrap(), file["isInline"] == true)
            })
            .collect();
        assert_eq!(shown, [("x.png", "image/png", true), ("Inner.eml", "message/rfc822", false)]);
        assert_eq!((&files[0]["contentBytes"], &files[0]["contentId"]), (&json!("AQID"), &json!("cid1")));
        let inner =
            base64::engine::general_purpose::STANDARD.decode(files[1]["contentBytes"].as_str().unwrap()).unwrap();
        assert!(inner.starts_with(b"Subject: Inner"));
    }

    #[test]
    fn what_is_larger_than_one_request_cannot_be_made() {
        let large = format!("\r\n{}", "x".repeat(LARGEST_REQUEST));
        let error = letter(&large).create(&sheet(&[]), Some(&mark()), None, &Names::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported);
    }

    #[test]
    fn exchanges_own_writing_of_a_draft_is_no_edit_and_what_somebody_writes_is_one() {
        let file = "Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n";
        let mixed = |body: &str, file: &str| {
            letter(&format!(
                "Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/html\r\n\r\n{body}\r\n--m\r\n{file}--m--\r\n"
            ))
        };
        let html = mixed("<p>Hello, <b>Bob</b></p>", file);
        let wrapped = "<html><head>\r\n<meta charset=\"utf-8\"></head><body lang=\"en\"><p>Hello, <b>Bob</b></p>\r\n</body></html>";
        assert!(mixed(wrapped, file).is_rewriting_of(&html));
        let was = letter("\r\nHello  \r\n\r\nBob\r\n");
        let other = |from: &str, to: &str| {
            let text = format!("{LETTER}\r\nHello\r\n\r\nBob\r\n\r\n");
            assert!(text.contains(from), "{from}");
            Composed::of(text.replacen(from, to, 1).as_bytes()).unwrap()
        };
        for (from, to) in [
            ("<1@example.org>", "<AM0@exchange.example>"),
            ("To: Bob <bob@example.org>", "To: \"Bob B.\" <Bob@example.org>"),
            ("In-Reply-To: <0@example.org>\r\n", ""),
            ("From: Ada <ada@example.org>\r\n", ""),
            ("\r\n\r\nHello", "\r\nX-Mailer: x\r\n\r\nHello"),
        ] {
            assert!(other(from, to).is_rewriting_of(&was), "{to:?}");
        }
        for (from, to) in [
            ("bob@example.org", "bert@example.org"),
            (", carol@example.org", ""),
            ("Subject: ", "Subject: Re: "),
            ("From: Ada <ada@example.org>", "From: Team <team@example.org>"),
            ("\r\n\r\nHello", "\r\nCc: dora@example.org\r\n\r\nHello"),
            ("Hello", "  Hallo"),
            ("\r\nBob", "\r\n  Bob"),
            ("\r\n\r\nHello", "\r\nContent-Type: text/html\r\n\r\nHello"),
        ] {
            assert!(!other(from, to).is_rewriting_of(&was), "{to:?}");
        }
        for (body, file) in [
            ("<p>Hello, Bob</p>", file.to_owned()),
            ("<p>Hello, <b>Bob</b></p>", file.replace("a.pdf", "b.pdf")),
            ("<p>Hello, <b>Bob</b></p>", file.replace("x\r\n", "y\r\n")),
            ("<p>Hello, <b>Bob</b></p>", String::new()),
        ] {
            assert!(!mixed(body, &file).is_rewriting_of(&html), "{body}, {file}");
        }
    }

    #[test]
    fn a_draft_is_rewritten_in_place_while_only_its_fields_change() {
        let (was, now) = (letter("\r\nHello\r\n"), letter("Cc: dora@example.org\r\n\r\nHello, Bob\r\n"));
        let body = Value::Object(now.rewrite(&was).unwrap());
        let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["body", "ccRecipients"]);
        assert_eq!(Value::Object(was.rewrite(&now).unwrap())["ccRecipients"], json!([]));
        let attached =
            letter("Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\nx\r\n");
        assert_eq!(attached.rewrite(&was), None);
    }
}
