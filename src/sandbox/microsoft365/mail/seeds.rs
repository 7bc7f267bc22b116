//! The mail of the start. Invented, all of it; addresses are from the names kept free for examples.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Value, json};

use super::super::store::Rules;
use super::body::Body;
use super::folders;
use super::store::{BIN, DRAFTS, Folder, INBOX, Kind, ROOT, SEARCHES, SENT};
use crate::microsoft365::tiny_jpeg;
use crate::{Seed, State};

/// The newest mail came so long before the start.
const AGE_MS: i64 = 3 * 3_600_000;
/// Between one mail of the demo and the next.
const STEP_MS: i64 = 19 * 3_600_000 + 217_000;
/// Between one of many mails and the next.
const BULK_STEP_MS: i64 = 600_000;
const OWNER: &str = "Ada Beispiel <ada@example.com>";
/// Where spam is.
const JUNK: u64 = 6;

/// Fills the mailbox, which is empty before. `count` mails, or what belongs to the seed.
pub(crate) fn seed(state: &mut State, seed: Seed, count: Option<usize>) {
    match count {
        Some(count) => bulk(state, count),
        None if seed == Seed::Demo => demo(state),
        None => {}
    }
}

/// A mail of the demo: its folder, who, what about, the number of the mail that it answers (0 = none), marks, text. Marks
/// are `read`, `flagged`, `done`, `high`, and others are categories.
type Plain = (&'static str, &'static str, &'static str, usize, &'static str, &'static str);

#[rustfmt::skip] // One line for each mail.
const PLAIN: &[Plain] = &[
    ("inbox", "Rosa Ibáñez <rosa@example.org>", "Kiln is hot", 0, "read", "It is at 900 degrees and climbing. Please do not open the door this time."),
    ("sent", OWNER, "Re: Kiln is hot", 1, "read", "I only looked."),
    ("inbox", "Rosa Ibáñez <rosa@example.org>", "Re: Kiln is hot", 2, "", "The glaze saw you looking."),
    ("Töpferei", "Jürgen Weiß <juergen@muster.example>", "Ton für März", 0, "read Küche", "Zwei Zentner, grau, wie gehabt. Die Säcke bitte diesmal zurück."),
    ("Töpferei", "Jürgen Weiß <juergen@muster.example>", "AW: Ton für März", 4, "flagged", "Drei Säcke fehlen noch."),
    ("Rechnungen/2025", "Ton & Söhne <rechnung@ton.example>", "Rechnung 4711", 0, "read done", "Zahlbar in 14 Tagen. Skonto gibt es nicht, hat es nie gegeben."),
    ("Rechnungen/2025", "Ton & Söhne <rechnung@ton.example>", "Mahnung zu 4711", 6, "high", "Freundlich erinnern wir ein erstes Mal."),
    ("inbox", "Szilvia <szilvia@example.hu>", "Árvíztűrő tükörfúrógép", 0, "read", "Megjött a fúrógép."),
    ("inbox", "山田花子 <hanako@example.jp>", "茶碗の件", 0, "", "三つで足ります。"),
    ("A/B \\ C", "Slash <slash@example.net>", "A folder with a hard name", 0, "read", "Somebody had to."),
    ("archive", "Choir <list@choir.example>", "Programme", 0, "read", "Two songs, or three if the third is learned."),
    ("inbox", "Aoife <aoife@example.ie>", "Fwd: Re: AW: The fence", 0, "read Garten Küche", "It still stands, mostly."),
    ("junk", "Winner <win@lottery.example>", "YOUR PRIZE", 0, "", "It is large. It needs your number."),
    ("deleted", "Shop <news@shop.example>", "Only today", 0, "read", "And tomorrow as well."),
    ("inbox", "Διονύσης <dionysis@example.gr>", "Ραντεβού", 0, "flagged", "Την Τρίτη στις εννέα."),
    ("sent", OWNER, "Kiln again", 0, "read", "May I open it now?"),
    ("hidden", "Robot <robot@example.com>", "For programs only", 0, "read", "State of a program that left it here."),
];

/// A few folders, nested, with about thirty mails: threads, flags, categories, files, odd bytes.
fn demo(state: &mut State) {
    let rules = Rules::before_all(state.now_ms() - 60 * 86_400_000);
    let mut make = |parent: u64, name: &str, folder: Folder| {
        // The names differ, so that none can be taken.
        state.microsoft.create_mail_folder(&rules, parent, name, folder).unwrap_or(parent)
    };
    let plain = || folders::new(false, Kind::Mail);
    let pottery = make(INBOX, "Töpferei", plain());
    make(pottery, "Glasuren", plain());
    let bills = make(ROOT, "Rechnungen", plain());
    let year = make(bills, "2025", plain());
    let slashes = make(ROOT, "A/B \\ C", plain());
    let archive = make(ROOT, "Archiv", Folder { known: "archive", ..plain() });
    let hidden = make(ROOT, "Programmdaten", folders::new(true, Kind::Mail));
    make(SEARCHES, "Ungelesen", folders::new(false, Kind::Search("isRead eq false".to_owned())));
    let place = |name: &str| match name {
        "sent" => SENT,
        "junk" => JUNK,
        "deleted" => BIN,
        "archive" => archive,
        "hidden" => hidden,
        "Töpferei" => pottery,
        "Rechnungen/2025" => year,
        "A/B \\ C" => slashes,
        _ => INBOX,
    };
    let special = special();
    let last = PLAIN.len() + special.len();
    let newest_ms = state.now_ms() - AGE_MS;
    let at = |number: usize| newest_ms - STEP_MS * i64::try_from(last - number).unwrap_or(0);
    for (i, (folder, from, subject, answers, marks, text)) in PLAIN.iter().enumerate() {
        let number = i + 1;
        let mut raw = head(number, from, subject, at(number));
        if *answers > 0 {
            let parent = message_id(*answers);
            raw.push_str(&format!("In-Reply-To: {parent}\r\nReferences: {parent}\r\n"));
        }
        raw.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
        raw.push_str(&format!("Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"));
        put(state, place(folder), raw.into(), at(number), marks);
    }
    for (i, (marks, make)) in special.into_iter().enumerate() {
        let number = PLAIN.len() + i + 1;
        put(state, INBOX, make(number, at(number)), at(number), marks);
    }
    for (i, subject) in ["Noch nicht fertig", ""].into_iter().enumerate() {
        let raw = format!("{}\r\nHalf of it.\r\n", head(900 + i, OWNER, subject, newest_ms));
        put(state, DRAFTS, raw.into(), newest_ms, "read draft");
    }
}

type Special = (&'static str, fn(usize, i64) -> Bytes);

/// The mails that are more than text.
fn special() -> Vec<Special> {
    vec![
        ("", |number, at_ms| {
            let parts = [
                part("text/plain; charset=utf-8", "Zwei Fassungen.\r\n"),
                part("text/html; charset=utf-8", "<p>Zwei <b>Fassungen</b>.</p>\r\n"),
            ];
            many(number, "Zoë <zoe@example.com>", "Text und HTML", at_ms, "alternative", &parts)
        }),
        ("read", |number, at_ms| {
            let parts = [
                part("text/plain; charset=utf-8", "Das Gefäß.\r\n"),
                attached("image/jpeg", "Gefäß (groß).jpg", &tiny_jpeg([90, 40, 10])),
            ];
            many(number, "Rosa Ibáñez <rosa@example.org>", "Foto", at_ms, "mixed", &parts)
        }),
        ("", |number, at_ms| {
            let image = attached("image/jpeg", "logo.jpg", &tiny_jpeg([10, 140, 60]));
            let image = image.replace("attachment;", "inline;").replacen("\r\n", "\r\nContent-ID: <logo@demo>\r\n", 1);
            let parts = [part("text/html", "<p>Mit Logo <img src=\"cid:logo@demo\"></p>"), image];
            many(number, "Firma <info@firma.example>", "Unser neues Logo", at_ms, "related", &parts)
        }),
        ("read", |number, at_ms| {
            let inner = "From: Old <old@example.com>\r\nSubject: Innen\r\n\r\nGanz weitergeleitet.\r\n";
            let parts = [part("text/plain", "Siehe unten.\r\n"), part("message/rfc822", inner)];
            many(number, "Emil <emil@example.org>", "WG: Innen", at_ms, "mixed", &parts)
        }),
        ("", |number, at_ms| {
            let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//demo//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
                 UID:demo-glaze@example.org\r\nDTSTAMP:20251220T090000Z\r\nDTSTART:20260221T170000Z\r\n\
                 SUMMARY:Glaze\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
            let kind = "text/calendar; charset=utf-8; method=REQUEST";
            let parts = [part("text/plain", "Glaze with us.\r\n"), part(kind, event)];
            many(number, "Hosts <hosts@example.org>", "Einladung: Glaze", at_ms, "alternative", &parts)
        }),
        // Bytes of Windows-1252, eight bits each.
        ("read", |number, at_ms| {
            let mut raw =
                head(number, "Alt <alt@example.net>", "=?windows-1252?Q?=84Stra=DFe=93?=", at_ms).into_bytes();
            raw.extend_from_slice(b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=windows-1252\r\n");
            raw.extend_from_slice(b"Content-Transfer-Encoding: 8bit\r\n\r\nDie Stra\xdfe kostet 5 \x80.\r\n");
            raw.into()
        }),
        // A charset that few know, and letters that are not of it.
        ("", |number, at_ms| {
            let mut raw = head(number, "Koi <koi@example.net>", "koi8", at_ms).into_bytes();
            raw.extend_from_slice(b"Content-Type: text/plain; charset=koi8-r\r\n\r\n\xf0\xd2\xc9\xd7\xc5\xd4\r\n");
            raw.into()
        }),
        // No Message-ID, no Date, raw bytes in the head, lines ended by LF.
        ("", |_, _| {
            Bytes::from_static(b"From: cron@example.com\nTo: ada@example.com\nSubject: f\xfcr Ada\n\nalles gut\n")
        }),
        // Asks for a receipt.
        ("", |number, at_ms| {
            let head = head(number, "Amt <amt@behoerde.example>", "Bescheid", at_ms);
            format!("{head}Disposition-Notification-To: amt@behoerde.example\r\n\r\nBitte bestätigen.\r\n").into()
        }),
        ("read", |number, at_ms| {
            let lines: Vec<u8> = (0..600_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
            let parts = [part("text/plain", "Der Plan.\r\n"), attached("application/pdf", "plan.pdf", &lines)];
            many(number, "Büro <buero@muster.example>", "Plan", at_ms, "mixed", &parts)
        }),
        // Two different mails under one Message-ID.
        ("read", |_, at_ms| twin("Erste des Namens", at_ms)),
        ("read", |_, at_ms| twin("Zweite des Namens", at_ms)),
    ]
}

fn twin(subject: &str, at_ms: i64) -> Bytes {
    let date = date(at_ms);
    format!("Message-ID: <same@graph.example>\r\nDate: {date}\r\nFrom: twin@example.com\r\nSubject: {subject}\r\n\r\n{subject}.\r\n")
        .into()
}

/// Puts a mail where it lay before anyone asked.
fn put(state: &mut State, folder: u64, raw: Bytes, at_ms: i64, marks: &str) {
    let mut body = Body::received(at_ms, raw);
    let mut categories: Vec<&str> = Vec::new();
    for mark in marks.split_whitespace() {
        match mark {
            "read" => body.is_read = true,
            "draft" => body.is_draft = true,
            "flagged" => _ = body.fields.insert("flag".into(), json!({ "flagStatus": "flagged" })),
            "done" => _ = body.fields.insert("flag".into(), json!({ "flagStatus": "complete" })),
            "high" => _ = body.fields.insert("importance".into(), "high".into()),
            category => categories.push(category),
        }
    }
    if !categories.is_empty() {
        body.fields.insert("categories".into(), categories.into_iter().map(Value::from).collect());
    }
    state.microsoft.create_message(&Rules::before_all(at_ms), folder, body);
}

fn message_id(number: usize) -> String {
    format!("<graph-{number}@mail.example>")
}

fn date(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default().to_rfc2822()
}

fn head(number: usize, from: &str, subject: &str, at_ms: i64) -> String {
    let to = if from == OWNER { "Rosa Ibáñez <rosa@example.org>" } else { OWNER };
    format!(
        "Message-ID: {}\r\nDate: {}\r\nFrom: {}\r\nTo: {}\r\nSubject: {}\r\n",
        message_id(number),
        date(at_ms),
        worded(from),
        worded(to),
        worded(subject),
    )
}

/// A header's value with what is not ASCII as an encoded word (RFC 2047); an address stays as it is.
fn worded(value: &str) -> String {
    let (name, address) = match value.split_once(" <") {
        Some((name, address)) => (name, format!(" <{address}")),
        None => (value, String::new()),
    };
    if name.is_ascii() { value.to_owned() } else { format!("=?utf-8?B?{}?={address}", STANDARD.encode(name)) }
}

fn part(kind: &str, body: &str) -> String {
    format!("Content-Type: {kind}\r\n\r\n{body}")
}

fn attached(kind: &str, name: &str, bytes: &[u8]) -> String {
    let mut text = format!(
        "Content-Type: {kind}\r\nContent-Disposition: attachment; filename=\"{}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n",
        worded(name),
    );
    for line in STANDARD.encode(bytes).as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push_str("\r\n");
    }
    text
}

fn many(number: usize, from: &str, subject: &str, at_ms: i64, kind: &str, parts: &[String]) -> Bytes {
    let mut text = head(number, from, subject, at_ms);
    let mark = format!("=_graph_{number}");
    text.push_str(&format!("MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=\"{mark}\"\r\n\r\n"));
    for part in parts {
        text.push_str(&format!("--{mark}\r\n{part}\r\n"));
    }
    text.push_str(&format!("--{mark}--\r\n"));
    text.into()
}

/// So many mails, the same ones each time, in four folders: half of them read, one in three an answer to the one before.
fn bulk(state: &mut State, count: usize) {
    let first_ms = state.now_ms() - AGE_MS - BULK_STEP_MS * i64::try_from(count).unwrap_or(0);
    let rules = Rules::before_all(first_ms);
    let mut own = |parent: u64, name: &str| {
        let folder = folders::new(false, Kind::Mail);
        state.microsoft.create_mail_folder(&rules, parent, name, folder).unwrap_or(parent)
    };
    let deep = own(INBOX, "Klubi");
    let bills = own(ROOT, "Rechnungen");
    for i in 0..count {
        let at_ms = first_ms + BULK_STEP_MS * i64::try_from(i).unwrap_or(0);
        let is_answer = i % 3 == 2;
        let subject = if is_answer { format!("Re: Matter {}", i - 1) } else { format!("Matter {i}") };
        let mut text = head(i, &format!("Sender {} <sender{}@example.org>", i % 97, i % 97), &subject, at_ms);
        if is_answer {
            text.push_str(&format!("In-Reply-To: {}\r\n", message_id(i - 1)));
        }
        text.push_str(&format!("\r\nNumber {i}.\r\n"));
        for line in 0..i % 12 {
            text.push_str(&format!("Line {line} of {i}, so that they are not all of one length.\r\n"));
        }
        let folder = match i % 10 {
            0 => deep,
            1 => bills,
            2 => BIN,
            _ => INBOX,
        };
        put(state, folder, text.into(), at_ms, if i % 2 == 0 { "read" } else { "" });
    }
}
