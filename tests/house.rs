//! The rules of the house that no compiler sees to: who may import whom (ARCHITECTURE.md), full paths included, and that what we
//! rely on unproven has a switch and a test (UNPROVEN.md), and that no test of a known trap or of a promise of mail goes in silence.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use twofold_sandbox::Switches;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All sources at or below a path.
fn sources(path: &str) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![root().join(path)], Vec::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{path} holds no source");
    found
}

/// The code of a source: without comments and without what stands in quotation marks.
fn code(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['"', '/', '\'']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = match rest.as_bytes() {
            [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
            // A quotation mark in single ones opens no text.
            [b'\'', b'"', b'\'', ..] => 3,
            [b'\'', b'\\', _, b'\'', ..] => 4,
            [b'"', ..] => match out.ends_with("r#") {
                true => rest.find("\"#").map_or(rest.len(), |end| end + 2),
                false => end_of_text(rest),
            },
            _ => {
                out.push_str(&rest[..1]);
                1
            }
        };
        rest = &rest[end..];
    }
    out + rest
}

/// Where a text that begins with its quotation mark ends.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// Names of ours in a piece of code: `twofold_model` as `model`.
fn crates_named(code: &str) -> BTreeSet<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = code.split(|c: char| !is_word(c)).filter_map(|word| word.strip_prefix("twofold_"));
    words.map(str::to_owned).collect()
}

/// Modules of the root crate that a piece of code names.
fn modules_named(code: &str) -> BTreeSet<String> {
    let word =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    let paths = code.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default().split(',').map(|item| word(item.trim())).collect(),
        None => vec![word(rest)],
    });
    paths.collect()
}

const CONNECTORS: [&str; 3] = ["google", "microsoft365", "device"];

/// Part of the root crate, the crates of ours it may name, the modules of its own it may name.
const ROOMS: [(&str, &[&str], &[&str]); 8] = [
    ("src/config.rs", &["engine", "model"], &["config"]),
    ("src/config", &["model", "schedule"], &["config"]),
    (
        "src/connect.rs",
        &["auth", "blobs", "cycle", "device", "google", "http", "hub", "microsoft365", "model", "zones"],
        &["config", "connect"],
    ),
    ("src/daemon", &["model", "schedule"], &["daemon"]),
    ("src/endpoint", &["model"], &["config", "endpoint"]),
    (
        "src/cli",
        &["auth", "cycle", "engine", "http", "hub", "model", "sandbox", "schedule"],
        &["cli", "config", "connect", "daemon", "endpoint"],
    ),
    ("src/lib.rs", &[], &[]),
    ("src/main.rs", &[], &[]),
];

#[test]
fn only_connect_knows_concrete_connectors_and_arrows_never_turn_back() {
    for (room, crates, modules) in ROOMS {
        for path in sources(room) {
            let code = code(&read(&path));
            let is_allowed = |allowed: &[&str], name: &String| allowed.contains(&name.as_str());
            let named: Vec<String> = crates_named(&code).into_iter().filter(|name| !is_allowed(crates, name)).collect();
            assert!(named.is_empty(), "{} may not name {named:?}", path.display());
            let named: Vec<String> =
                modules_named(&code).into_iter().filter(|name| !is_allowed(modules, name)).collect();
            assert!(named.is_empty(), "{} may not name crate::{named:?}", path.display());
        }
        let names_connectors = CONNECTORS.iter().any(|connector| crates.contains(connector));
        assert_eq!(names_connectors, room == "src/connect.rs", "{room}");
    }
    // What stands beside these rooms would escape the rule.
    let known = ["main.rs", "lib.rs", "config.rs", "connect.rs"];
    let beside = std::fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().file_name());
    let strays: Vec<_> =
        beside.filter(|name| name.to_string_lossy().ends_with(".rs") && !known.iter().any(|k| name == k)).collect();
    assert!(strays.is_empty(), "no rule for {strays:?}");
}

/// A crate, what of ours it is built on, and what of ours its tests may use besides.
const CRATES: [(&str, &[&str], &[&str]); 13] = [
    ("connectors/model", &[], &[]),
    ("connectors/http", &["model"], &[]),
    ("connectors/google", &["model", "http"], &["sandbox", "zones"]),
    ("connectors/microsoft365", &["model", "http"], &["sandbox", "zones"]),
    ("connectors/device", &["model"], &["zones"]),
    ("connectors/zones", &["model"], &[]),
    ("src/engine", &["model"], &[]),
    ("src/schedule", &["model"], &[]),
    ("src/blobs", &["model"], &[]),
    ("src/hub", &["model"], &[]),
    ("src/cycle", &["engine", "hub", "model"], &[]),
    ("src/auth", &["http", "model"], &["sandbox"]),
    ("src/sandbox", &[], &[]),
];

/// The crates of ours in one table of a manifest.
fn dependencies(manifest: &str, table: &str) -> BTreeSet<String> {
    let lines =
        manifest.lines().skip_while(|line| line.trim() != table).skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.trim().strip_prefix("twofold-"));
    names.filter_map(|rest| rest.split(['.', ' ', '=']).next()).map(str::to_owned).collect()
}

#[test]
fn each_crate_is_built_on_what_the_architecture_says() {
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    for (dir, built_on, tested_with) in CRATES {
        let manifest = read(format!("{dir}/Cargo.toml"));
        assert_eq!(dependencies(&manifest, "[dependencies]"), set(built_on), "{dir}");
        assert_eq!(dependencies(&manifest, "[dev-dependencies]"), set(tested_with), "{dir}, tests");
    }
    let members = read("Cargo.toml");
    let members = members.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    assert_eq!(members.matches('"').count() / 2, CRATES.len(), "each crate has its rule");
}

/// What has no I/O and reads no clock, and how either would be named.
const PURE: [&str; 2] = ["src/engine", "connectors/model/src"];
const IMPURE: [&str; 10] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "tokio::",
    "rand::",
];

#[test]
fn engine_and_model_do_no_io_and_read_no_clock() {
    for path in PURE.iter().flat_map(|dir| sources(dir)) {
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code(&read(&path));
        let found: Vec<&&str> = IMPURE.iter().filter(|name| code.contains(**name)).collect();
        assert!(found.is_empty(), "{} names {found:?}", path.display());
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn what_is_unproven_has_a_switch_and_a_test_that_turns_it() {
    let switches = serde_json::to_value(Switches::default()).unwrap();
    let tests = [
        "connectors/microsoft365/tests/unproven/contacts.rs",
        "connectors/microsoft365/tests/unproven/calendar.rs",
        "connectors/microsoft365/tests/unproven/mail.rs",
        "connectors/google/tests/unproven/contacts.rs",
        "connectors/google/tests/unproven/calendar.rs",
        "connectors/google/tests/unproven/mail.rs",
        "src/auth/tests/unproven.rs",
    ]
    .map(read);
    // The text of a test by its name, from each file that has one.
    let texts = |name: &str| -> Vec<&str> {
        let start = format!("async fn {name}(");
        tests.iter().filter_map(|file| file.split(&start).nth(1)?.split("#[tokio::test]").next()).collect()
    };
    let table = read("tests/UNPROVEN.md");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 25, "{} rows", rows.len());
    let mut shown = BTreeSet::new();
    for row in rows {
        let ["", what, relies_on, switch, by, check, ""] = row[..] else { panic!("a row of other columns: {row:?}") };
        assert!(!what.is_empty() && !relies_on.is_empty() && !check.is_empty(), "{row:?}");
        let (turned, shown_by) = (quoted(switch), quoted(by));
        assert!(!turned.is_empty() && !shown_by.is_empty(), "{what}: no switch, or no test");
        let bodies: Vec<&str> = shown_by.iter().flat_map(|name| texts(name)).collect();
        for name in &shown_by {
            assert!(!texts(name).is_empty(), "{what}: there is no test {name}");
            shown.insert((*name).to_owned());
        }
        for name in turned {
            assert!(switches.get(name).is_some(), "{what}: the sandbox has no switch {name}");
            assert!(bodies.iter().any(|body| body.contains(name)), "{what}: no test named there turns {name}");
        }
    }
    for test in tests.iter().flat_map(|file| file.split("#[tokio::test]\nasync fn ").skip(1)) {
        let name = test.split('(').next().unwrap();
        assert!(shown.contains(name), "no row names the test {name}");
    }
}

/// What other programs fell into with tokens and with mail. Each has a test that is called so, or that names it after `Trap:` in its
/// comment.
const TRAPS: [&str; 19] = [
    "token_lost_removes_nothing",
    "people_400_expired_relists",
    "early_end_keeps_token",
    "history_500_keeps_mark",
    "idle_gmail_three_requests",
    "batch_part_429",
    "batch_part_missing",
    "import_id_404",
    "import_dedups_into_trash",
    "restore_mail_makes_no_events",
    "draft_edited_five_times",
    "folder_rename_zero_bodies",
    "folders_five_deep",
    "appended_mail_not_draft",
    "uploaded_mail_bytes_stay",
    "crash_in_append_no_draft",
    "last_category_removed",
    "read_and_flag_race",
    "mdn_never_sent",
];

/// The names of the tests of a file, and the traps that they name.
fn shown_by_tests(text: &str) -> Vec<&str> {
    let (mut shown, mut named) = (Vec::new(), Vec::new());
    let (mut is_test, mut is_left_out) = (false, false);
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            named.extend(comment.trim().strip_prefix("Trap:").map(quoted).unwrap_or_default());
        } else if line.starts_with("#[") {
            is_test |= ["#[test]", "#[tokio::test]"].contains(&line);
            is_left_out |= line.starts_with("#[ignore");
        } else {
            let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let (Some(name), true, false) = (name.and_then(|rest| rest.split('(').next()), is_test, is_left_out) {
                shown.push(name);
                shown.append(&mut named);
            }
            named.clear();
            (is_test, is_left_out) = (false, false);
        }
    }
    shown
}

#[test]
fn each_trap_of_mail_has_a_test_that_says_its_name() {
    let files: Vec<String> =
        ["tests", "connectors", "src"].iter().flat_map(|dir| sources(dir)).map(|path| read(&path)).collect();
    let shown: BTreeSet<&str> = files.iter().flat_map(|text| shown_by_tests(text)).collect();
    let missing: Vec<&&str> = TRAPS.iter().filter(|trap| !shown.contains(**trap)).collect();
    assert!(missing.is_empty(), "no test shows {missing:?}");
}

#[test]
fn each_promise_has_a_test_of_mail() {
    let files: Vec<String> =
        sources("tests/mail").into_iter().chain(sources("tests/mail.rs")).map(|path| read(&path)).collect();
    let shown: BTreeSet<&str> = files.iter().flat_map(|text| shown_by_tests(text)).collect();
    let is_kept = |number: &u32| shown.iter().any(|name| name.starts_with(&format!("promise_{number}_")));
    let missing: Vec<u32> = (1..=14).filter(|number| !is_kept(number)).collect();
    assert!(missing.is_empty(), "no test of mail shows the promises {missing:?}");
}

/// The rules above are able to fail.
#[test]
fn full_paths_are_read_and_what_is_only_said_is_not() {
    let names = |text: &str| crates_named(&code(text)).into_iter().collect::<Vec<_>>();
    assert_eq!(names("use twofold_google::Google;"), ["google"]);
    assert_eq!(names("let x = twofold_device::replica_marked_at(p);"), ["device"]);
    assert_eq!(names("fn f(x: &::twofold_microsoft365::Options) {}"), ["microsoft365"]);
    assert_eq!(names("use {twofold_hub as h, twofold_model};"), ["hub", "model"]);
    assert_eq!(
        names("// twofold_google\n/* twofold_device */ let s = \"twofold_http=debug \\\" twofold_hub\";"),
        [""; 0]
    );
    assert_eq!(names("let c = '\"'; use twofold_hub; let d = '\"';"), ["hub"]);
    assert_eq!(
        names("let r = r#\"twofold_hub \" twofold_google\"#; fn g<'a>(s: &'a twofold_model::Uid) {}"),
        ["model"]
    );
    let modules = |text: &str| modules_named(text).into_iter().collect::<Vec<_>>();
    assert_eq!(modules("use crate::cli::Cli; use crate::{config::Config, connect};"), ["cli", "config", "connect"]);
    let tests = "/// Trap: `a`.\n/// More.\n#[test]\nfn b() {}\n/// Trap: `c`.\nfn d() {}\n/// `e`\n#[tokio::test]\nasync fn f() {}\n\
                 /// Trap: `g`.\n#[test]\n#[ignore]\nfn h() {}\n";
    assert_eq!(shown_by_tests(tests), ["b", "a", "f"]);
    let manifest = "[dependencies]\ntwofold-model.workspace = true\nserde = \"1\"\n[dev-dependencies]\ntwofold-hub = { path = \"x\" }\n";
    assert_eq!(dependencies(manifest, "[dependencies]").into_iter().collect::<Vec<_>>(), ["model"]);
    assert_eq!(dependencies(manifest, "[dev-dependencies]").into_iter().collect::<Vec<_>>(), ["hub"]);
}
