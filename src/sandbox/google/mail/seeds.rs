//! The mail of the start. Invented, all of it; addresses are from the names kept free for examples.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Map, json};

use super::store::New;
use super::{inserts, labels, store};
use crate::mime::Part;
use crate::{Seed, State};

/// The newest mail of the demo came so long before the start.
const AGE_MS: i64 = 2 * 3_600_000;
/// Between one mail and the next.
const STEP_MS: i64 = 17 * 3_600_000 + 431_000;
const OWNER: &str = "Ada Beispiel <ada@example.com>";

/// Fills the mailbox, which is empty before. `count` mails, or what belongs to the seed.
pub(crate) fn seed(state: &mut State, seed: Seed, count: Option<usize>) {
    let account = state.google_account.clone();
    store::settle_in(state, &account);
    match count {
        Some(count) => bulk(state, count),
        None if seed == Seed::Demo => demo(state),
        None => {}
    }
}

/// A plain mail of the demo: who, what about, the number of the mail it answers (0 = none), labels, text.
type Plain = (&'static str, &'static str, usize, &'static str, &'static str);

#[rustfmt::skip] // One line for each mail.
const PLAIN: &[Plain] = &[
    ("José Núñez <jose@example.org>", "Boat for the summer", 0, "Klubi", "Shall we look at the old ketch in Hanko? The owner wants an answer by Friday."),
    (OWNER, "Re: Boat for the summer", 1, "SENT Klubi", "Yes, but only if the mast has been seen by somebody who knows masts."),
    ("José Núñez <jose@example.org>", "Re: Boat for the summer", 2, "INBOX Klubi STARRED", "Aino knows masts. Saturday, ten o'clock, pier C."),
    ("Anke Müller-Groß <anke@muster.example>", "Grüße aus Köln", 0, "INBOX Kunden/Müller", "Die Bürostühle sind da. Fünf statt sechs; der sechste kommt nächste Woche."),
    (OWNER, "AW: Grüße aus Köln", 4, "SENT Kunden/Müller", "Danke! Fünf reichen erst einmal."),
    ("Siobhán O'Connor <siobhan@example.com>", "Minutes of the residents' meeting", 0, "IMPORTANT", "1. Roof. 2. Bicycles in the hall. 3. The roof again."),
    ("Γιώργος <giorgos@example.gr>", "Ελιές και λάδι", 0, "INBOX UNREAD", "Ο τόνος έφτασε στον Πειραιά."),
    ("野口美和 <miwa@example.jp>", "来週の稽古について", 0, "INBOX", "火曜日の七時からです。"),
    ("Library <desk@library.example>", "Three books are due", 0, "INBOX UNREAD CATEGORY_UPDATES", "Knots of the North; The Third Ferry; Bread at Altitude."),
    ("Library <desk@library.example>", "Three books are overdue", 9, "INBOX UNREAD CATEGORY_UPDATES", "The same three. Ten cents a day."),
    ("Björn Þórsson <bjorn@example.is>", "Photos", 0, "", "They are too dark, all of them. I shall go again when the light is better."),
    (OWNER, "Recipe as promised", 0, "SENT", "Flour, water, salt, patience.\r\n\r\nFrom here on it is only patience."),
    ("Kateřina <katerina@example.cz>", "Re: Recipe as promised", 12, "INBOX UNREAD STARRED", "Patience has run out. Is there a recipe without it?"),
    ("Ole Ødegård <ole@example.no>", "Invoice 2026-014", 0, "Rechnungen_2026", "Attached as agreed. (There is nothing attached.)"),
    ("Ole Ødegård <ole@example.no>", "Re: Invoice 2026-014", 14, "Rechnungen_2026 IMPORTANT", "Now it is attached. (It is not.)"),
    ("Gym <news@gym.example>", "Come back!", 0, "CATEGORY_PROMOTIONS", "We have not seen you since March. Of which year, we would rather not say."),
    ("Choir <list@choir.example>", "Second altos wanted", 0, "INBOX CATEGORY_FORUMS lists/choir", "Tuesday. Bring a pencil."),
    ("Choir <list@choir.example>", "Re: Second altos wanted", 17, "UNREAD CATEGORY_FORUMS lists/choir", "And an alto."),
    ("Prince <prince@lottery.example>", "YOU HAVE WON", 0, "SPAM UNREAD", "Send us the number of your account and we send you the money."),
    ("Pills <no-reply@pills.example>", "ch3ap", 0, "SPAM", "Cheap, and that is all that can be said of them."),
    ("Old newspaper <news@paper.example>", "The week in brief", 0, "TRASH", "Much happened. We had to be brief."),
    ("Café <hei@cafe.example>", "The key is under the pot", 0, "TRASH INBOX", "The blue pot. Not the other blue pot."),
    ("Pekka <pekka@example.fi>", "no subject in mind", 0, "", "Ei mitään asiaa, kunhan kirjoitin."),
    ("Renter <flat@example.net>", "Re: Fwd: AW: Flat in the Lange Straße", 0, "INBOX", "It is still free, and still on the fifth floor, and there is still no lift."),
    ("Dagmar <dagmar@example.de>", "Wanderung am 3. Mai", 0, "INBOX STARRED Klubi", "Treffpunkt Bahnhof, 8:12 Uhr. Wer zu spät kommt, läuft hinterher."),
    ("Bank <statement@bank.example>", "Your statement is ready", 0, "CATEGORY_UPDATES UNREAD", "It is not good, but it is ready."),
    ("Nguyễn Thị Hồng <hong@example.vn>", "Chúc mừng sinh nhật", 0, "IMPORTANT", "Chúc chị nhiều niềm vui."),
    ("محمد <m@example.eg>", "صور الرحلة", 0, "INBOX", "سأرسلها غداً."),
];

/// About forty mails: threads, labels, every kind of MIME that is common, and some that is not.
fn demo(state: &mut State) {
    for name in ["Klubi", "Kunden", "Kunden/Müller", "Rechnungen_2026", "lists/choir", "Empty"] {
        // The names differ and none is reserved.
        let _ = labels::make(state, &Map::from_iter([("name".to_owned(), json!(name))]));
    }
    let special = special();
    let last = i64::try_from(PLAIN.len() + special.len()).unwrap_or(0);
    let now_ms = state.now_ms();
    let at = |number: usize| age_ms(last, number);
    for (i, (from, subject, answers, labels, text)) in PLAIN.iter().enumerate() {
        let number = i + 1;
        let at_ms = now_ms - at(number);
        let mut head = head(number, from, subject, at_ms);
        if *answers > 0 {
            let parent = message_id(*answers);
            head.push_str(&format!("In-Reply-To: {parent}\r\nReferences: {parent}\r\n"));
        }
        let raw = format!(
            "{head}MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n"
        );
        put(state, raw.into(), labels.split(' ').map(str::to_owned), at_ms);
    }
    for (i, (labels, make)) in special.into_iter().enumerate() {
        let number = PLAIN.len() + i + 1;
        let at_ms = now_ms - at(number);
        put(state, make(number, at_ms), labels.split(' ').map(str::to_owned), at_ms);
    }
    for (i, subject) in ["Half a thought", "Re: The key is under the pot", ""].into_iter().enumerate() {
        let number = 900 + i;
        let at_ms = now_ms - AGE_MS - STEP_MS * i64::try_from(i).unwrap_or(0);
        let raw = format!("{}\r\nNot sent, and perhaps better so.\r\n", head(number, OWNER, subject, at_ms));
        let message = put(state, raw.into(), ["DRAFT".to_owned()].into_iter(), at_ms);
        let draft = state.google.mail.fresh_name("r");
        state.google.mail.drafts.insert(draft, message);
    }
}

/// How long before the start a mail of the demo came; the last one is the newest.
fn age_ms(last: i64, number: usize) -> i64 {
    AGE_MS + STEP_MS * (last - i64::try_from(number).unwrap_or(0))
}

type Special = (&'static str, fn(usize, i64) -> Bytes);

/// The mails that are more than text.
fn special() -> Vec<Special> {
    vec![
        ("INBOX UNREAD", |number, at_ms| {
            let text = "Text for those who read text.\r\n";
            let html = "<p>HTML for those who read <b>HTML</b>.</p>\r\n";
            let parts = [part("text/plain; charset=utf-8", text), part("text/html; charset=utf-8", html)];
            many(number, "Zoë <zoe@example.com>", "Two in one", at_ms, "alternative", &parts)
        }),
        ("INBOX Klubi", |number, at_ms| {
            let parts = [
                part("text/plain; charset=utf-8", "The map.\r\n"),
                attached("image/png", "kartta (länsi).png", &crate::google::tiny_png([20, 90, 160])),
            ];
            many(number, "Aino <aino@example.fi>", "Kartta", at_ms, "mixed", &parts)
        }),
        ("INBOX", |number, at_ms| {
            let inner = "From: Old <old@example.com>\r\nSubject: Inside\r\n\r\nForwarded whole.\r\n";
            let parts = [part("text/plain", "See below.\r\n"), part("message/rfc822", inner)];
            many(number, "Emil <emil@example.org>", "Fwd: Inside", at_ms, "mixed", &parts)
        }),
        ("INBOX IMPORTANT", |number, at_ms| {
            let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//demo//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
                 UID:demo-invitation@example.org\r\nDTSTAMP:20251220T090000Z\r\nDTSTART:20260214T180000Z\r\n\
                 SUMMARY:Supper\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
            let kind = "text/calendar; charset=utf-8; method=REQUEST";
            let parts = [part("text/plain", "Come to supper.\r\n"), part(kind, event)];
            many(number, "Hosts <hosts@example.org>", "Invitation: Supper", at_ms, "alternative", &parts)
        }),
        ("", |number, at_ms| {
            let head = head(number, "Latin <latin@example.net>", "=?iso-8859-1?Q?D=E9j=E0_vu?=", at_ms);
            let text = "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\
                 \r\nUn caf=E9, s'il vous pla=EEt =\r\n(encore un).\r\n";
            format!("{head}{text}").into()
        }),
        // No encoding named, bytes that are no UTF-8, a line that is no header, two Message-IDs, a date of no calendar.
        ("INBOX UNREAD", |number, _| {
            let mut raw =
                b"From: broken@example.com\r\nSubject: caf\xe9 \x80 broken\r\nthis line is no header\r\n".to_vec();
            raw.extend(b"Date: Thirtieth of February\r\nMessage-ID: <twice-a@demo.example>\r\n");
            raw.extend(b"Message-ID: <twice-b@demo.example>\r\nContent-Type: multipart/mixed\r\n\r\n");
            raw.extend(format!("Mail {number} has no boundary and ends in the middle").bytes());
            raw.into()
        }),
        // No Message-ID and no Date, lines ended by LF.
        ("INBOX", |_, _| {
            Bytes::from_static(b"From: cron@example.com\nTo: ada@example.com\nSubject: nightly\n\nall well\n")
        }),
        ("Kunden", |number, at_ms| {
            let lines: Vec<u8> = (0..2_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
            let parts = [part("text/plain", "The scan.\r\n"), attached("application/pdf", "scan.pdf", &lines)];
            many(number, "Scanner <scan@muster.example>", "Scan", at_ms, "mixed", &parts)
        }),
        // Two different mails under one Message-ID.
        ("INBOX", |_, at_ms| with_id("<same@demo.example>", "First of the name", at_ms)),
        ("", |_, at_ms| with_id("<same@demo.example>", "Second of the name", at_ms)),
    ]
}

fn with_id(id: &str, subject: &str, at_ms: i64) -> Bytes {
    let date = date(at_ms);
    format!("Message-ID: {id}\r\nDate: {date}\r\nFrom: twin@example.com\r\nSubject: {subject}\r\n\r\n{subject}.\r\n")
        .into()
}

fn put(state: &mut State, raw: Bytes, labels: impl Iterator<Item = String>, at_ms: i64) -> String {
    let room = &state.google.mail;
    let own = |name: &String| room.labels.iter().find(|(_, fields)| fields["name"] == **name).map(|(id, _)| id.clone());
    let labels: BTreeSet<String> =
        labels.filter(|name| !name.is_empty()).map(|name| own(&name).unwrap_or(name)).collect();
    let thread = inserts::thread(state, &Part::read(&raw), "").unwrap_or_default();
    state.google.mail.add(New { raw, labels, internal_ms: at_ms, thread, is_old: true }, at_ms)
}

fn message_id(number: usize) -> String {
    format!("<demo-{number}@mail.example>")
}

fn date(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default().to_rfc2822()
}

fn head(number: usize, from: &str, subject: &str, at_ms: i64) -> String {
    let to = if from == OWNER { "Club <club@example.org>" } else { OWNER };
    format!(
        "Message-ID: {}\r\nDate: {}\r\nFrom: {}\r\nTo: {to}\r\nSubject: {}\r\n",
        message_id(number),
        date(at_ms),
        worded(from),
        worded(subject),
    )
}

/// A header's value with its words that are not ASCII encoded (RFC 2047); an address stays as it is.
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
        "Content-Type: {kind}\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n"
    );
    let letters = STANDARD.encode(bytes);
    for line in letters.as_bytes().chunks(76) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push_str("\r\n");
    }
    text
}

fn many(number: usize, from: &str, subject: &str, at_ms: i64, kind: &str, parts: &[String]) -> Bytes {
    let mut text = head(number, from, subject, at_ms);
    let mark = format!("=_demo_{number}");
    text.push_str(&format!("MIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=\"{mark}\"\r\n\r\n"));
    for part in parts {
        text.push_str(&format!("--{mark}\r\n{part}\r\n"));
    }
    text.push_str(&format!("--{mark}--\r\n"));
    text.into()
}

/// So many mails, the same ones each time: half of them read, one in three in a thread with the one before.
fn bulk(state: &mut State, count: usize) {
    let mut own = Vec::new();
    for name in ["Klubi", "Rechnungen"] {
        own.extend(labels::make(state, &Map::from_iter([("name".to_owned(), json!(name))])));
    }
    let first_ms = state.now_ms() - AGE_MS;
    for i in 0..count {
        let at_ms = first_ms - i64::try_from(count - i).unwrap_or(0) * 600_000;
        let is_answer = i % 3 == 2;
        let subject = if is_answer { format!("Re: Matter {}", i - 1) } else { format!("Matter {i}") };
        let mut text = head(i, &format!("Sender {} <sender{}@example.org>", i % 97, i % 97), &subject, at_ms);
        if is_answer {
            text.push_str(&format!("In-Reply-To: {}\r\n", message_id(i - 1)));
        }
        text.push_str(&format!("\r\nNumber {i}.\r\n"));
        for line in 0..i % 20 {
            text.push_str(&format!("Line {line} of {i}, so that they are not all of one length.\r\n"));
        }
        let mut labels: BTreeSet<String> = BTreeSet::new();
        labels.extend((i % 2 == 0).then(|| "UNREAD".to_owned()));
        labels.extend((i % 5 != 0).then(|| "INBOX".to_owned()));
        labels.extend((i % 10 == 0).then(|| own.get(i / 10 % 2).cloned()).flatten());
        put(state, text.into(), labels.into_iter(), at_ms);
    }
}
