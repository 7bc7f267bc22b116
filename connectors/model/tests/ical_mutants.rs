//! Whatever the bytes of a calendar are, nothing panics, nothing takes long, and what is read keeps the laws.

mod common;

use common::{calendar_lens, fixtures, identity};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::{Duration, Instant};
use twofold_model::ical::{FileProblem, check_whole};
use twofold_model::{ErrorKind, Lens, Rendering};

/// Pieces that mean something to the reader.
const PIECES: [&[u8]; 32] = [
    b"\r\n",
    b"\r\n ",
    b"\n\t",
    b"\"",
    b":",
    b";",
    b",",
    b"/",
    b"\\",
    b"\\n",
    b"^n",
    b"=",
    b"Z",
    b"T000000",
    b"20260309T100000",
    b"P1D",
    b"-PT5M",
    b"TZID=Europe/Berlin",
    b";VALUE=DATE",
    b";TZID=Nowhere:",
    b"\r\nBEGIN:VEVENT\r\n",
    b"\r\nEND:VEVENT\r\n",
    b"\r\nBEGIN:VALARM\r\n",
    b"\r\nEND:VALARM\r\n",
    b"\r\nRECURRENCE-ID:20260309T090000Z\r\n",
    b"\r\nEXDATE:20260309T090000Z,20260316\r\n",
    b"\r\nRDATE;VALUE=PERIOD:20260309T090000Z/PT1H\r\n",
    b"\r\nRRULE:FREQ=DAILY;UNTIL=20260309\r\n",
    b"\r\nATTENDEE;X-TWOFOLD-KEY=a:mailto:a@x\r\n",
    b"\xff",
    b"\0",
    b"\xc3\xa4",
];

fn mutate(bytes: &mut Vec<u8>, random: &mut SmallRng) {
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=bytes.len());
        let end = (at + random.random_range(0..12)).min(bytes.len());
        match random.random_range(0..6) {
            0 | 1 => drop(bytes.splice(at..at, PIECES[random.random_range(0..PIECES.len())].iter().copied())),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.insert(at, random.random()),
            4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = byte.wrapping_add(random.random_range(0..3));
                }
            }
            _ => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
        }
    }
}

fn mutants() -> u64 {
    std::env::var("TWOFOLD_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000)
}

/// Calendars that can be read.
fn seeds() -> Vec<Vec<u8>> {
    let lens = calendar_lens();
    let all = fixtures().into_iter().map(|(_, bytes)| Rendering(bytes));
    all.filter(|rendering| lens.read(rendering).is_ok()).map(|rendering| rendering.0).collect()
}

#[test]
fn mutants_are_looked_at_without_panic_200_000_times() {
    let lens = calendar_lens();
    // Small ones keep the suite quick.
    let seeds: Vec<Vec<u8>> = seeds().into_iter().filter(|bytes| bytes.len() < 1_200).collect();
    let mut random = SmallRng::seed_from_u64(0x1ca1);
    let (mut whole, mut read) = (0, 0);
    for n in 0..mutants() {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        if check_whole(&bytes).is_err() {
            continue;
        }
        whole += 1;
        // Reading costs more than looking; every eighth shows as much.
        if n % 8 == 0 {
            read += u64::from(lens.read(&Rendering(bytes)).is_ok());
        }
    }
    println!("{whole} are whole, {read} of an eighth of them are read");
    assert!(whole > mutants() / 4, "{whole}");
}

#[test]
fn mutants_keep_the_laws() {
    let lens = calendar_lens();
    let seeds = seeds();
    let mut random = SmallRng::seed_from_u64(7);
    let (count, mut read) = (mutants() / 50, 0);
    for n in 0..count {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let rendering = Rendering(bytes);
        let Ok(content) = lens.read(&rendering) else { continue };
        read += 1;
        let text = String::from_utf8_lossy(rendering.as_bytes());
        assert!(
            lens.write(Some(&rendering), &content, &identity()).unwrap() == rendering,
            "mutant {n}: an edit of nothing"
        );
        match lens.write(None, &content, &identity()) {
            Ok(fresh) => assert_eq!(lens.read(&fresh).unwrap(), content, "mutant {n}:\n{text}"),
            // Nothing but an unread override with a control character in it: no other file can hold it.
            Err(error) if error.kind == ErrorKind::Refused && content.get("start").is_none() => {}
            Err(error) => panic!("mutant {n}: {error}\n{text}"),
        }
        let other = lens.read(&Rendering(seeds[n as usize % seeds.len()].clone())).unwrap();
        let changed = lens
            .write(Some(&rendering), &other, &identity())
            .unwrap_or_else(|error| panic!("mutant {n}: {error}\n{text}"));
        assert_eq!(
            lens.read(&changed).unwrap(),
            other,
            "mutant {n}:\n{text}\n{}",
            String::from_utf8_lossy(changed.as_bytes())
        );
    }
    assert!(read > count / 4, "{read} of {count}");
}

#[test]
fn hostile_calendars_are_refused_or_read_in_little_time() {
    let lens = calendar_lens();
    let event = |lines: &str| {
        format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\nDTSTART:20260101T090000Z\n{lines}END:VEVENT\nEND:VCALENDAR\n")
            .into_bytes()
    };
    let many = |line: fn(usize) -> String, count: usize| (0..count).map(line).collect::<String>();
    let date = |n: usize| format!("{:04}{:02}{:02}T090000Z", 2026 + n / 336, n / 28 % 12 + 1, n % 28 + 1);
    let deep = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X\n".repeat(100_000)).into_bytes();
    let begin = Instant::now();
    for refused in [deep, event(&format!("X-A{}:1\n", ";P=1".repeat(200_000))), event(&"X:1\n".repeat(300_000))] {
        assert!(matches!(check_whole(&refused), Err(FileProblem::TooLarge(_))));
        assert!(lens.read(&Rendering(refused)).is_err());
    }
    let nested = format!("{}{}", "BEGIN:VALARM\n".repeat(29), "END:VALARM\n".repeat(29));
    let dates: Vec<String> = (0..10_000).map(date).collect();
    let overrides = |count: usize, lines: &str| {
        let one = |n: usize| format!("BEGIN:VEVENT\nUID:x\nRECURRENCE-ID:{0}\nDTSTART:{0}\nEND:VEVENT\n", date(n));
        let all: String = (0..count).map(one).collect();
        format!(
            "BEGIN:VCALENDAR\n{all}BEGIN:VEVENT\nUID:x\nDTSTART:20260101T090000Z\n{lines}END:VEVENT\nEND:VCALENDAR\n"
        )
        .into_bytes()
    };
    for read in [
        event(&nested),
        event(&many(|n| format!("X-A:{}\n", n % 7), 10_000)),
        event(&many(|n| format!("ATTENDEE:mailto:{}@x\n", n % 7), 5_000)),
        event(&many(|n| format!("CATEGORIES:a{n}\n"), 10_000)),
        event(&many(|_| "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT5M\nEND:VALARM\n".to_owned(), 2_000)),
        event(&format!("EXDATE:{}\n", dates.join(","))),
        event(&format!("RDATE;VALUE=PERIOD:{}\n", dates[..2_000].join("/PT1H,"))),
        overrides(3_000, ""),
    ] {
        let rendering = Rendering(read);
        let mut content = lens.read(&rendering).unwrap();
        content.set("title", "x".into());
        let written = lens.write(Some(&rendering), &content, &identity()).unwrap();
        assert_eq!(lens.read(&written).unwrap(), content);
    }
    let error = lens.read(&Rendering(overrides(3_000, &"X-A:1\n".repeat(1_000)))).unwrap_err();
    assert!(error.message.contains("more overrides"), "{error}");
    // Generous: an unoptimised build on a busy machine; quadratic work takes minutes.
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    println!("{:?}", begin.elapsed());
}
