//! What is written down of one and the same state.

use super::facts::{
    Board, Budget, Collection, Conflict, Disk, Facts, Held, Kept, Replica, Room, Run, Service, SignIn, Total, Totals,
};
use super::{health, metrics, page};
use std::collections::{BTreeMap, BTreeSet};
use twofold_model::Kind;

/// What a stranger may call a thing.
const EVIL: &str = "<script>alert('1')</script>\"&";

/// A state in which everything is known.
fn facts() -> Facts {
    let kept = |held| Kept {
        collections: 2,
        items: 1_234,
        read_ms: Some(1_700_000_000_000),
        proof_ms: Some(1_699_900_000_000),
        late_from_ms: Some(1_700_001_000_500),
        held,
        held_since_ms: (held > 0).then_some(1_699_999_000_000),
    };
    let total = Total { requests: 7, bytes: 900, taken: [1, 2, 3, 4], sent: [5, 6, 7, 8] };
    let last_run = Run {
        id: 9,
        started_ms: 1_700_000_000_000,
        ended_ms: Some(1_700_000_001_500),
        exit: Some(4),
        changes: 10,
        requests: 7,
    };
    Facts {
        version: "1.2.3".into(),
        now_ms: 1_700_000_010_000,
        service: Service {
            keeper: crate::config::unit::Keeper::Unit("twofold@ada".into()),
            started_ms: 1_699_990_000_000,
            at_work: None,
            readings: Vec::new(),
            next_run_ms: Some(1_700_000_300_000),
            is_stuck: false,
            left_behind: None,
            is_mute: false,
            refused: None,
            troubles: vec!["something is held for approval".into()],
            totals: Totals {
                runs: [(0, 41), (75, 1)].into(),
                rows: [(("google".to_owned(), Kind::Mail), total)].into(),
            },
            resident_bytes: Some(30_000_000),
            cpu_s: Some(1.25),
        },
        last_run: Some(last_run),
        cut_off_ms: None,
        exits: vec![4],
        replicas: vec![
            Replica {
                name: "google".into(),
                is_device: false,
                trouble: None,
                down: BTreeSet::new(),
                why: BTreeMap::new(),
                sign_in: Some(SignIn { ends_ms: Some(1_701_000_000_000), ..SignIn::default() }),
                kinds: [(Kind::Mail, kept(1)), (Kind::Calendar, kept(0))].into(),
                quarantined: 3,
                withheld: 4,
            },
            Replica {
                name: "odd \"name\\".into(),
                is_device: true,
                kinds: [(Kind::Calendar, kept(0))].into(),
                ..Replica::default()
            },
        ],
        budgets: vec![Budget { service: "google mail".into(), left: 0.75, pause_ms: 1_500 }],
        disk: Disk {
            hub: 1,
            messages: 2,
            rooms: vec![
                Room { device: None, free: 4, floor: 3 },
                Room { device: Some("odd \"name\\".into()), free: 6, floor: 5 },
            ],
        },
        conflicts: 2,
        unknown_writes: 0,
    }
}

fn board() -> Board {
    let evil = || EVIL.to_owned();
    let held = Held {
        id: "mail-1".into(),
        replica: "google".into(),
        kind: "calendar".into(),
        collection: evil(),
        reason: evil(),
        titles: vec![evil()],
        people: 3,
        since_ms: 1_699_999_000_000,
        can_be_approved: true,
        can_be_dropped: true,
    };
    let collection = Collection {
        name: evil(),
        account: Some(evil()),
        kind: "calendar".into(),
        items: 5,
        note: Some("read only"),
        read_ms: Some(1_699_999_000_000),
        proof_ms: Some(1_699_900_000_000),
    };
    let conflict =
        Conflict { id: "c-1".into(), kind: "calendar".into(), collection: evil(), title: evil(), fields: vec![evil()] };
    let mut facts = facts();
    facts.service.troubles.push(evil());
    facts.replicas[1].name = evil();
    facts.replicas[1].trouble = Some(evil());
    Board {
        collections: [("google".to_owned(), vec![collection; 8])].into(),
        runs: facts.last_run.into_iter().collect(),
        held: vec![held],
        conflicts: vec![conflict],
        facts,
    }
}

#[test]
fn metrics_say_what_is_known_under_names_units_and_labels_of_prometheus() {
    let text = metrics::text(&facts());
    for line in [
        "# TYPE twofold_changes_total counter",
        "twofold_build_info{version=\"1.2.3\"} 1",
        "twofold_runs_total{exit=\"75\"} 1",
        "twofold_changes_total{replica=\"google\",kind=\"mail\",direction=\"taken\",change=\"deleted\"} 4",
        "twofold_changes_total{replica=\"google\",kind=\"mail\",direction=\"sent\",change=\"created\"} 5",
        "twofold_received_bytes_total{replica=\"google\",kind=\"mail\"} 900",
        "twofold_last_run_duration_seconds 1.5",
        "twofold_next_run_timestamp_seconds 1700000300",
        "twofold_last_read_timestamp_seconds{replica=\"google\",kind=\"mail\"} 1700000000",
        "twofold_last_proof_timestamp_seconds{replica=\"google\",kind=\"mail\"} 1699900000",
        "twofold_items{replica=\"odd \\\"name\\\\\",kind=\"calendar\"} 1234",
        "twofold_sign_in_needed{replica=\"google\"} 0",
        "twofold_sign_in_expiry_timestamp_seconds{replica=\"google\"} 1701000000",
        "twofold_held_plans{replica=\"google\",kind=\"mail\"} 1",
        "twofold_held_since_timestamp_seconds{replica=\"google\",kind=\"mail\"} 1699999000",
        "twofold_budget_pause_seconds{service=\"google mail\"} 1.5",
        "twofold_disk_used_bytes{what=\"messages\"} 2",
        "twofold_disk_floor_bytes{what=\"state\"} 3",
        "twofold_disk_free_bytes{what=\"device\",replica=\"odd \\\"name\\\\\"} 6",
        "twofold_runs_total{exit=\"1\"} 0",
        "twofold_healthy 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line}:\n{text}");
    }
    // Each family is described once, and before its samples.
    let mut described = BTreeSet::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
            Some(name) => assert!(described.insert(name), "{name} twice"),
            None if line.starts_with("# HELP ") => {}
            None => assert!(described.contains(line.split(['{', ' ']).next().unwrap()), "{line}"),
        }
    }
}

#[test]
fn what_is_not_known_has_no_sample() {
    let text = metrics::text(&Facts::default());
    for name in ["twofold_last_run_exit_code", "twofold_next_run_timestamp_seconds", "twofold_budget_left_ratio"] {
        assert!(!text.contains(name), "{text}");
    }
    assert!(text.contains("twofold_run_in_progress 0\n"), "{text}");
}

/// The names of metrics in a text of rules, queries or tests.
fn names(text: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c: char| !is_word(c));
    words.filter(|word| ["twofold_", "process_"].iter().any(|room| word.starts_with(room))).collect()
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_there_are() {
    let text = metrics::text(&facts());
    let known: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/monitoring");
    let mut named = BTreeSet::new();
    for file in ["twofold.rules.yml", "twofold.rules.test.yml", "grafana.json"] {
        let path = format!("{root}/{file}");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let found = names(&text);
        assert!(found.len() > 3, "{file} names {found:?}");
        let strange: Vec<_> = found.difference(&known).collect();
        assert!(strange.is_empty(), "{file} names what /metrics does not have: {strange:?}");
        named.extend(found.into_iter().map(str::to_owned));
    }
    let unused: Vec<_> = known.iter().filter(|name| !named.contains(**name)).collect();
    println!("named nowhere: {unused:?}");
}

#[test]
fn a_dashboard_of_several_services_says_whose_each_line_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/monitoring/grafana.json");
    let board: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let targets = board["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let lines: Vec<(&str, &str)> =
        targets.map(|target| (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap())).collect();
    assert!(lines.len() > 10);
    for (of, legend) in lines {
        assert!(!of.contains("sum") || of.contains("sum by (instance, user"), "it is summed over all: {of}");
        assert!(legend.contains("{{instance}} {{user}}"), "{legend}: {of}");
    }
}

#[test]
fn nothing_that_others_named_is_markup_on_the_page() {
    let html = page::page(&board(), "a word", &str::to_owned);
    assert!(!html.contains("<script"), "{html}");
    assert!(!html.contains(EVIL) && html.matches("&lt;script&gt;").count() >= 8 + 7, "{html}");
    let message = page::message(EVIL, EVIL);
    assert!(!message.contains("<script"), "{message}");
}

#[test]
fn the_page_shows_each_place_what_is_held_and_what_is_in_conflict() {
    let html = page::page(&board(), "a word", &str::to_owned);
    let says = |words: &str| assert!(html.contains(words), "no {words}: {html}");
    says("<h2>Held: 1</h2>");
    says("<input type=\"hidden\" name=\"form\" value=\"a word\"><input type=\"hidden\" name=\"id\" value=\"mail-1\">");
    says("<input type=\"checkbox\" name=\"people\" value=\"3\" required> Mail 3 people");
    says("<h2>In conflict: 1</h2>");
    says("<details><summary>2 more</summary>");
    says("3 items in quarantine");
    says("calendar, 5; read only; read <time datetime=\"2023-11-14T21:56:40Z\"");
    says("75 % of its budget left; asked for a pause of 1 s");
    says(": something is held</span>");
}

#[test]
fn a_long_run_says_how_far_it_has_come() {
    let mut board = board();
    board.facts.service.at_work = Some((1_700_000_000_000, vec![Kind::Mail, Kind::Contacts]));
    board.facts.service.readings = vec![("google".into(), 1_234, 20_000)];
    let html = page::page(&board, "a word", &str::to_owned);
    assert!(html.contains("A run over mail, contacts is under way; it began <time"), "{html}");
    assert!(html.contains("<bdi>google</bdi>: 1\u{202f}234 of 20\u{202f}000 messages are read."), "{html}");
    assert!(!html.contains("The next run is due"), "{html}");
}

#[test]
fn what_nobody_can_decide_has_no_button() {
    let mut board = board();
    (board.held[0].can_be_approved, board.held[0].can_be_dropped) = (true, false);
    let html = page::page(&board, "a word", &str::to_owned);
    assert!(html.contains("action=\"/approve\"") && !html.contains("action=\"/drop\""), "{html}");
    board.held[0].can_be_approved = false;
    let html = page::page(&board, "a word", &str::to_owned);
    assert!(!html.contains("<form") && html.contains("mail-1, since"), "{html}");
}

#[test]
fn the_page_loads_itself_again_unless_somebody_may_be_at_a_form() {
    let refresh = "http-equiv=\"refresh\"";
    assert!(!page::page(&board(), "a word", &str::to_owned).contains(refresh));
    let calm = Board { held: Vec::new(), ..board() };
    assert!(page::page(&calm, "a word", &str::to_owned).contains(refresh));
}

#[test]
fn a_late_place_is_told_everywhere() {
    let mut facts = facts();
    facts.now_ms = 1_700_002_000_000;
    assert_eq!(health::ills(&facts).len(), 2);
    let text = metrics::text(&facts);
    assert!(text.contains("twofold_healthy 0\n") && text.contains("twofold_stale{replica=\"google\"} 1\n"), "{text}");
    let html = page::page(&Board { facts, ..Board::default() }, "a word", &str::to_owned);
    assert!(html.contains("Something is wrong") && html.contains("google: mail, calendar were not read"), "{html}");
}
