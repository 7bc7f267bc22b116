//! What several tests need: own fixtures, the corpus, chance with a seed.

#![allow(dead_code, reason = "each test file uses its part")]

use chrono::{NaiveDateTime, TimeDelta, TimeZone as _};
use std::path::{Path, PathBuf};
use twofold_model::contentline::File;
use twofold_model::ical::{IcalLens, ZoneNames, check_whole};
use twofold_model::{Content, Identity, Lens as _, Rendering, Uid};

/// All files of a folder by name.
fn files(folder: &Path) -> Option<Vec<(String, Vec<u8>)>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let named = |entry: std::fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(named)
        .filter(|(_, path)| path.is_file())
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    Some(files)
}

/// Our own fixtures.
pub fn fixtures() -> Vec<(String, Vec<u8>)> {
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))).unwrap()
}

/// One fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)).unwrap()
}

/// The corpus of real files; empty, and said aloud, where this checkout has none, unless TWOFOLD_REQUIRE_SHARED=1.
pub fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("TWOFOLD_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    files(&shared.join("corpus").join(kind)).unwrap_or_else(|| {
        let is_required = std::env::var("TWOFOLD_REQUIRE_SHARED").is_ok_and(|value| value == "1");
        assert!(!is_required, "the corpus is required, but absent");
        println!("left out: no corpus/{kind} (set TWOFOLD_SHARED)");
        Vec::new()
    })
}

/// Who the cards of tests are.
pub fn identity() -> Identity {
    Identity { uid: Uid("4f2a".into()), mark: None }
}

/// Time zones as calcard knows them: IANA names, aliases, Windows names.
struct CalcardZones;

fn zone_named(name: &str) -> Option<calcard::common::timezone::Tz> {
    let is_known = |tz: &calcard::common::timezone::Tz| matches!(tz, calcard::common::timezone::Tz::Tz(_));
    let whole = name.parse().ok().filter(is_known);
    // Names of others hold the name in their end: /mozilla.org/20050126_1/Europe/Berlin.
    let ends = || name.match_indices('/').filter_map(|(at, _)| name.get(at + 1..)?.parse().ok()).find(is_known);
    whole.or_else(ends)
}

impl ZoneNames for CalcardZones {
    fn iana(&self, tzid: &str, _rules: Option<&str>) -> Option<String> {
        let name = zone_named(tzid)?.name()?.into_owned();
        Some(if name == "UTC" { "Etc/UTC".to_owned() } else { name })
    }

    fn to_utc(&self, zone: &str, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let zone = zone_named(zone)?;
        let time = zone.from_local_datetime(&local).earliest();
        // In the gap: as it was before it.
        let time = time.or_else(|| {
            zone.from_local_datetime(&(local - TimeDelta::hours(1))).earliest().map(|t| t + TimeDelta::hours(1))
        });
        Some(time?.naive_utc())
    }

    fn to_local(&self, zone: &str, utc: NaiveDateTime) -> Option<NaiveDateTime> {
        Some(zone_named(zone)?.from_utc_datetime(&utc).naive_local())
    }

    fn vtimezone(&self, zone: &str, _from: NaiveDateTime) -> Option<String> {
        let rule = |name: &str, from: &str, to: &str, month: u8| {
            format!(
                "BEGIN:{name}\nDTSTART:1970{month:02}25T020000\nTZOFFSETFROM:{from}\nTZOFFSETTO:{to}\nRRULE:FREQ=YEARLY;BYMONTH={month};BYDAY=-1SU\nEND:{name}"
            )
        };
        let (summer, winter) = (rule("DAYLIGHT", "+0100", "+0200", 3), rule("STANDARD", "+0200", "+0100", 10));
        (zone == "Europe/Berlin").then(|| format!("BEGIN:VTIMEZONE\nTZID:{zone}\n{summer}\n{winter}\nEND:VTIMEZONE"))
    }
}

/// A calendar lens that knows zones.
pub fn calendar_lens() -> IcalLens {
    IcalLens::new(&CalcardZones)
}

/// The items of a calendar file of many: one calendar for each UID, with all that is not an event of others.
pub fn split_items(bytes: &[u8]) -> Vec<Vec<u8>> {
    let Ok(file) = File::parse(bytes) else { return Vec::new() };
    let events: Vec<(usize, usize)> = file
        .components()
        .iter()
        .filter(|c| c.name == "VEVENT" && c.parent.is_some_and(|p| file.components()[p].name == "VCALENDAR"))
        .filter_map(|c| Some((c.begin, c.end?)))
        .collect();
    let mut owners: Vec<Option<String>> = vec![None; file.len()];
    let mut uids: Vec<String> = Vec::new();
    for (begin, end) in events {
        let line = (begin..end).filter_map(|line| file.line(line)).find(|line| line.name() == "UID");
        let uid = line.map(|line| line.value().trim().to_owned()).unwrap_or_default();
        owners[begin..=end].iter_mut().for_each(|owner| *owner = Some(uid.clone()));
        if !uids.contains(&uid) {
            uids.push(uid);
        }
    }
    let is_of = |line: &usize, uid: &String| owners[*line].as_ref().is_none_or(|owner| owner == uid);
    let one = |uid: &String| -> Vec<u8> {
        (0..file.len()).filter(|line| is_of(line, uid)).flat_map(|line| file.raw(line).to_vec()).collect()
    };
    uids.iter().map(one).collect()
}

/// The calendar items of our fixtures and the corpus that can be read, files of many cut into items.
pub fn calendar_items() -> Vec<(String, Rendering, Content)> {
    let lens = calendar_lens();
    let mut items = Vec::new();
    let (mut unread, mut all) = (0, 0);
    for (name, bytes) in fixtures().into_iter().chain(corpus("ics")).filter(|(name, _)| name.ends_with(".ics")) {
        let parts = if check_whole(&bytes).is_ok() { vec![bytes] } else { split_items(&bytes) };
        for (n, part) in parts.into_iter().enumerate().filter(|(_, part)| check_whole(part).is_ok()) {
            all += 1;
            let (name, rendering) = (format!("{name}#{n}"), Rendering(part));
            match lens.read(&rendering) {
                Ok(content) => items.push((name, rendering, content)),
                Err(error) => {
                    unread += 1;
                    println!("{name}: {error}");
                }
            }
        }
    }
    println!("{unread} of {all} items are not read");
    assert!(unread * 10 <= all, "{unread} of {all}");
    items
}
