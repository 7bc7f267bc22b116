//! What the headers of messages say, however they are written; and that no bytes at all can do harm.

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::{Duration, Instant};
use twofold_model::email::headers::{
    Address, Headers, LARGEST_FIELD, LARGEST_HEADER, LONGEST_TEXT, MOST_SENDERS, date_text, read,
};

fn subject(field: &[u8]) -> Option<String> {
    read(&[b"Subject: ", field, b"\r\n\r\nbody"].concat()).subject
}

fn date(field: &str) -> Option<String> {
    read(format!("Date: {field}\r\n\r\n").as_bytes()).sent_at.map(|time| date_text(&time))
}

fn id(field: &str) -> Option<String> {
    read(format!("Message-ID:{field}\r\n\r\n").as_bytes()).message_id
}

fn from(header: &str) -> Vec<(Option<String>, String)> {
    let found = read(format!("{header}\r\n\r\n").as_bytes()).from;
    found.into_iter().map(|Address { name, email }| (name, email)).collect()
}

fn named(name: &str, email: &str) -> (Option<String>, String) {
    (Some(name.to_owned()), email.to_owned())
}

#[test]
fn subjects_are_decoded_and_unfolded() {
    let cases: [(&[u8], &str); 12] = [
        (b"Hello", "Hello"),
        (b"  Hello   there\t ", "Hello there"),
        (b"a long\r\n one", "a long one"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?utf-8?B?R3LDvMOfZQ==?= an alle", "Grüße an alle"),
        (b"=?iso-8859-1?Q?Gr=FC=DFe?=\r\n =?iso-8859-1?Q?_an_alle?=", "Grüße an alle"),
        (b"=?ISO-2022-JP?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        ("Grüße".as_bytes(), "Grüße"),
        (b"Gr\xfc\xdfe \x80", "Grüße €"),
        (b"=?utf-8?Q?broken", "=?utf-8?Q?broken"),
        (b"two\0lines\x0bof controls", "two lines of controls"),
    ];
    for (field, text) in cases {
        assert_eq!(subject(field).as_deref(), Some(text), "{}", String::from_utf8_lossy(field));
    }
    for blank in [&b""[..], b"   ", b"\r\n ", b"=?utf-8?Q?_?="] {
        assert_eq!(subject(blank), None);
    }
}

#[test]
fn ids_lose_their_brackets_and_nothing_else() {
    for field in [
        " <a.1@example.org>",
        "<a.1@example.org>",
        "\r\n <a.1@example.org>",
        " (x) <a.1@example.org>",
        " <a.1@example.org> <b@x>",
    ] {
        assert_eq!(id(field).as_deref(), Some("a.1@example.org"), "{field}");
    }
    for (field, text) in [
        ("no-brackets@example.org", "no-brackets@example.org"),
        (" <never closed@example.org", "neverclosed@example.org"),
        (" <[abc]$1=2/3@x>", "[abc]$1=2/3@x"),
        (" <A@Example.ORG>", "A@Example.ORG"),
    ] {
        assert_eq!(id(field).as_deref(), Some(text), "{field}");
    }
    for none in ["", " ", " <>"] {
        assert_eq!(id(none), None, "{none:?}");
    }
    assert_eq!(read(b"MESSAGE-ID : <old@style>\r\n").message_id.as_deref(), Some("old@style"));
}

#[test]
fn dates_are_read_in_the_ways_in_which_they_come() {
    for (field, text) in [
        ("Sat, 28 Nov 2026 06:07:08 +0100", "2026-11-28T06:07:08+01:00"),
        ("28 Nov 2026 06:07:08 -0530", "2026-11-28T06:07:08-05:30"),
        ("Sat, 28 Nov 2026 06:07:08 GMT", "2026-11-28T06:07:08Z"),
        ("Sat, 28 Nov 2026 06:07:08 -0000 (UTC)", "2026-11-28T06:07:08Z"),
        ("Sat, 28 Nov 2026 06:07:08 EST", "2026-11-28T06:07:08-05:00"),
        ("Sat, 28 Nov 2026 06:07 +0100", "2026-11-28T06:07:00+01:00"),
        ("Sat, 28 Nov 2026 06:07:08", "2026-11-28T06:07:08Z"),
        ("Sat, 28 Nov 2026\r\n 06:07:08 +0100", "2026-11-28T06:07:08+01:00"),
        ("Fri, 21 Nov 97 09:55:06 -0600", "1997-11-21T09:55:06-06:00"),
        ("Sat, 31 Dec 2016 23:59:60 +0000", "2016-12-31T23:59:59Z"),
    ] {
        assert_eq!(date(field).as_deref(), Some(text), "{field}");
    }
    for none in [
        "",
        "yesterday",
        "Mon, 31 Feb 2026 06:07:08 +0100",
        "Sat, 28 Nov 2026 25:07:08 +0100",
        "28 Nov 2026",
        "Mon, 1 Jan 1899 00:00:00 +0000",
    ] {
        assert_eq!(date(none), None, "{none:?}");
    }
}

#[test]
fn where_date_says_nothing_the_first_server_s_time_is_taken() {
    let received = "Received: from b by c; Sat, 28 Nov 2026 07:00:00 +0000\r\n\
        Received: from a by b (x; y);\r\n Sat, 28 Nov 2026 06:00:00 +0000\r\n";
    for start in ["", "Date: \r\n", "Date: never\r\n"] {
        let found = read(format!("{start}{received}\r\n").as_bytes()).sent_at.unwrap();
        assert_eq!(date_text(&found), "2026-11-28T06:00:00Z");
    }
    let found = read(format!("{received}Date: Sat, 28 Nov 2026 05:59:00 +0000\r\n\r\n").as_bytes()).sent_at.unwrap();
    assert_eq!(date_text(&found), "2026-11-28T05:59:00Z");
}

#[test]
fn senders_are_read_in_the_ways_in_which_they_come() {
    let ada = "ada@example.org";
    for header in [
        "From: Ada Byron <ada@example.org>",
        "From: \"Ada Byron\" <ada@example.org>",
        "From: =?utf-8?Q?Ada?= Byron\r\n <ada@example.org>",
    ] {
        assert_eq!(from(header), [named("Ada Byron", ada)], "{header}");
    }
    assert_eq!(from("From: ada@example.org"), [(None, ada.to_owned())]);
    assert_eq!(
        from("From: \"Byron, Ada\" <ada@example.org>, bob@x"),
        [named("Byron, Ada", ada), (None, "bob@x".to_owned())]
    );
    assert_eq!(from("From: Grüße <ada@example.org>"), [named("Grüße", ada)]);
    assert_eq!(from("From: "), []);
}

#[test]
fn where_from_names_nobody_the_sender_is_taken_and_then_the_return_path() {
    assert_eq!(from("Return-Path: <r@x>\r\nSender: s@x\r\nFrom: f@x"), [(None, "f@x".to_owned())]);
    assert_eq!(from("Return-Path: <r@x>\r\nSender: s@x\r\nFrom:"), [(None, "s@x".to_owned())]);
    assert_eq!(from("Return-Path: <r@x>"), [(None, "r@x".to_owned())]);
}

#[test]
fn of_a_field_that_stands_twice_the_first_that_says_something_counts() {
    let found = read(b"Subject:\r\nSubject: one\r\nSubject: two\r\nMessage-ID: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n");
    assert_eq!((found.subject.as_deref(), found.message_id.as_deref()), (Some("one"), Some("1@x")));
}

#[test]
fn the_body_says_nothing() {
    for text in [&b"Subject: a\r\n\r\nMessage-ID: <b@x>\r\n"[..], b"Subject: a\n\nMessage-ID: <b@x>\n"] {
        let found = read(text);
        assert_eq!((found.subject.as_deref(), found.message_id), (Some("a"), None));
    }
    assert_eq!(read(b"\r\nSubject: a\r\n"), Headers::default());
    assert_eq!(read(b""), Headers::default());
}

#[test]
fn a_broken_line_costs_that_line_only() {
    for broken in [
        "From ada Sat Nov 28 06:00:00 2026\r\n",
        ">From ada\r\n",
        "no colon here\r\n and its fold: x\r\n",
        ": no name\r\n",
        "two words: x\r\n",
        "\u{feff}",
    ] {
        let found = read(format!("{broken}Subject: a\r\nMessage-ID: <1@x>\r\n\r\n").as_bytes());
        assert_eq!((found.subject.as_deref(), found.message_id.as_deref()), (Some("a"), Some("1@x")), "{broken:?}");
        assert_eq!(found.from, []);
    }
    // A fold with nothing before it, and a header that just ends.
    assert_eq!(read(b" fold\r\nSubject: a").subject.as_deref(), Some("a"));
}

#[test]
fn what_is_huge_is_cut_and_costs_little() {
    let start = Instant::now();
    let long = "ü".repeat(5_000_000);
    assert_eq!(subject(long.as_bytes()).unwrap(), "ü".repeat(LONGEST_TEXT));
    // The cut may fall on either half of a character.
    for shift in ["", "x"] {
        let found = subject(format!("{shift}{}", "ü ".repeat(LARGEST_FIELD)).as_bytes()).unwrap();
        assert!(!found.contains(['\u{fffd}', 'Ã']), "{found}");
    }
    let many = vec!["a@x"; 100_000].join(", ");
    assert_eq!(from(&format!("From: {many}")).len(), MOST_SENDERS);
    let folds = format!("Subject: a\r\n{}Message-ID: <1@x>\r\n\r\n", " \r\n".repeat(50_000));
    assert_eq!(read(folds.as_bytes()).message_id.as_deref(), Some("1@x"));
    let far = format!("{}Subject: too far\r\n\r\n", "X-A: b\r\n".repeat(LARGEST_HEADER / 8));
    assert_eq!(read(far.as_bytes()).subject, None);
    for nasty in ["=?", "=?utf-8?Q?", "=?utf-8?B?", "(", "\\(", "<", "\"", ",", ";", ":", "=?a?Q?=", "<>,", "9", " \t"]
    {
        let value = nasty.repeat(LARGEST_HEADER / nasty.len());
        for name in ["Subject", "From", "Date", "Message-ID", "Received"] {
            read(format!("{name}: {value}\r\n\r\n").as_bytes());
            // As many fields as fit, each as nasty as it may be.
            let field = format!("{name}: {}\r\n", &value[..LARGEST_FIELD / nasty.len() * nasty.len()]);
            read(field.repeat(LARGEST_HEADER / field.len()).as_bytes());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn mutants_are_read_without_panic_100_000_times() {
    const PIECES: [&[u8]; 22] = [
        b"\r\n",
        b"\n ",
        b"\n\n",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b"\"",
        b"(",
        b")",
        b"\\",
        b"=?utf-8?Q?=C3?=",
        b"=?utf-8?B?",
        b"?=",
        b"+9999",
        b"-0000",
        b"99999999999",
        b"\xff",
        b"\xc3",
        b"\0",
        b"\nDate: 1 Jan 0 0:0:0 EST",
    ];
    let seed: &[u8] = b"Return-Path: <r@example.org>\r\nReceived: from a by b (c);\r\n\tSat, 28 Nov 2026 06:07:08 +0100 (CET)\r\n\
        Message-ID: <a.1@example.org>\r\nDate: Sat, 28 Nov 2026 06:07:08 -0530\r\nFrom: =?utf-8?Q?Ada=C3=BC?= \"B, C\" <ada@example.org>,\r\n \
        Team: bob@x, c@y;\r\nSender: (comment) s@x\r\nSubject: =?iso-8859-1?B?R3L83w==?=\r\n =?utf-8?Q?_more?= plain\r\n\r\nbody";
    let rounds = std::env::var("TWOFOLD_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let mut random = SmallRng::seed_from_u64(0xe3a11);
    let mut with_everything = 0;
    for _ in 0..rounds {
        let mut bytes = seed.to_vec();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..=bytes.len());
            let end = (at + random.random_range(0..12)).min(bytes.len());
            match random.random_range(0..4) {
                0 | 1 => drop(bytes.splice(at..at, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
                2 => drop(bytes.drain(at..end)),
                _ => bytes.insert(at, random.random()),
            }
        }
        let found = read(&bytes);
        for text in [&found.subject, &found.message_id].into_iter().flatten() {
            assert!(
                !text.is_empty() && text.chars().count() <= LONGEST_TEXT && !text.contains(char::is_control),
                "{text:?}"
            );
        }
        assert!(found.from.len() <= MOST_SENDERS);
        let is_whole =
            found.subject.is_some() && found.message_id.is_some() && found.sent_at.is_some() && !found.from.is_empty();
        with_everything += u64::from(is_whole);
    }
    assert!(with_everything > rounds / 2, "{with_everything} say everything");
}

#[test]
fn the_last_line_of_a_message_of_several_parts_is_known_from_its_header() {
    let last = |header: &str| {
        twofold_model::email::headers::last_line(header.as_bytes()).map(|line| String::from_utf8(line).unwrap())
    };
    assert_eq!(last("Content-Type: multipart/mixed; boundary=abc\r\n\r\n"), Some("--abc--".into()));
    let folded = "Subject: a\ncontent-type: Multipart/Alternative;\n\tcharset=utf-8; boundary=\"= _1\"\n\nx";
    assert_eq!(last(folded), Some("--= _1--".into()));
    for none in
        ["Content-Type: text/plain; boundary=abc\n\n", "Content-Type: multipart/mixed\n\n", "", "Subject: a\n\n"]
    {
        assert_eq!(last(none), None, "{none:?}");
    }
    assert_eq!(last("Subject: a\n\nContent-Type: multipart/mixed; boundary=abc\n"), None, "that is the body");
}
