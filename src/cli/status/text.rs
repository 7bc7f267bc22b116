//! The state as text for people: a line for each thing that says something, and one for many that say the same.

use super::moment;
use crate::cli::words;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use twofold_model::Kind;

/// So many things that say the same have a line of their own.
const ALIKE: usize = 3;

/// A sign-in that ends within this time is told.
const ENDS_SOON_MS: i64 = 7 * 24 * 3_600_000;

/// The whole state, as `status` prints it.
pub fn text(state: &Value, now_ms: i64, is_verbose: bool) -> String {
    let mut out = String::new();
    for replica in list(&state["replicas"]) {
        let last = replica["last_ok_ms"]
            .as_i64()
            .map_or_else(|| "never reached".into(), |at| format!("reached {}", moment(at)));
        let _ = writeln!(out, "{}: {last}", word(&replica["name"]));
        let (mailboxes, others): (Vec<&Value>, Vec<&Value>) =
            list(&replica["collections"]).iter().partition(|collection| collection["kind"] == "mail");
        mail(&mut out, replica, &mailboxes);
        for kind in ["calendar", "contacts"] {
            collections(&mut out, kind, others.iter().copied().filter(|one| one["kind"] == kind));
        }
        let is_told = |words: &str| list(&state["troubles"]).iter().any(|trouble| word(trouble).contains(words));
        if let Some(trouble) = replica["trouble"].as_str().filter(|words| !is_told(words)) {
            let _ = writeln!(out, "    {trouble}");
        }
        if let Some(ends_ms) = replica["sign_in"]["ends_ms"].as_i64().filter(|_| replica["sign_in"]["ok"] == true) {
            let todo = match ends_ms - now_ms < ENDS_SOON_MS {
                true => format!("; before that, type: twofold login {}", word(&replica["name"])),
                false => String::new(),
            };
            let _ = writeln!(out, "    the sign-in ends {}{todo}", moment(ends_ms));
        }
    }
    for trouble in list(&state["troubles"]).iter().map(word) {
        // What was said at a place, or by a run, need not say what to type.
        let names_command =
            [": twofold ", "`twofold ", ": systemctl ", " sudo "].iter().any(|words| trouble.contains(words));
        let _ = match names_command {
            true => writeln!(out, "trouble: {trouble}"),
            false => writeln!(out, "trouble: {}. Look at it with: twofold doctor", trouble.trim_end_matches('.')),
        };
    }
    if let Some(count) = state["blobs"]["count"].as_u64() {
        let bytes = words::bytes(state["blobs"]["bytes"].as_u64().unwrap_or(0));
        let _ = writeln!(out, "{} messages are kept in the state folder: {bytes} on the disk", words::count(count));
    }
    for (what, command) in [("held", "twofold held"), ("conflicts", "twofold conflicts")] {
        if state[what].as_u64().unwrap_or(0) > 0 {
            let _ = writeln!(out, "{what}: {} (see: {command})", state[what]);
        }
    }
    if state["unknown_writes"].as_u64().unwrap_or(0) > 0 {
        let _ = writeln!(
            out,
            "writes whose fate is not known yet: {} (they are looked for, not repeated)",
            state["unknown_writes"]
        );
        for line in folded(list(&state["unknown"]), is_verbose) {
            let _ = writeln!(out, "    {line}");
        }
    }
    for (title, rows) in [("in quarantine", "quarantine"), ("cannot be held everywhere", "not_representable")] {
        for line in folded(list(&state[rows]), is_verbose) {
            let _ = writeln!(out, "{title}: {line}");
        }
    }
    for row in list(&state["left_out"]) {
        left_out(&mut out, row);
    }
    for row in list(&state["deletions_waiting"]) {
        let _ = writeln!(
            out,
            "deleted items that {} still has: {} (the hub keeps them until it has let go of them)",
            word(&row["replica"]),
            row["items"]
        );
    }
    budgets(&mut out, list(&state["budgets_left"]), now_ms);
    if let (Some(hub), Some(free)) = (state["disk"]["hub"].as_u64(), state["disk"]["free"].as_u64()) {
        let free = words::bytes(free);
        let _ =
            writeln!(out, "the hub takes {} of the disk of the state folder; {free} are free there", words::bytes(hub));
        for device in list(&state["disk"]["devices"]) {
            let of_device = words::bytes(device["free"].as_u64().unwrap_or(0));
            if of_device != free {
                let _ = writeln!(out, "{}: {of_device} are free on its disk", word(&device["name"]));
            }
        }
    }
    let _ = writeln!(out, "{}", service(state, now_ms));
    out
}

/// What the service is at, and when the next run is.
fn service(state: &Value, now_ms: i64) -> String {
    let service = &state["service"];
    let until = |at: i64| words::span(u64::try_from(at - now_ms).unwrap_or(0) / 1000);
    let run = &service["run"];
    match (word(&service["state"]), service["next_ms"].as_i64(), run["began_ms"].as_i64()) {
        ("", ..) if state["service_mute"] == true => "the service runs and does not answer".to_owned(),
        ("", ..) => match state["last_run"]["started_ms"].as_i64() {
            Some(at) => format!("no service is running; the last run began {}", moment(at)),
            None => "no service is running".to_owned(),
        },
        ("running", _, Some(began_ms)) => {
            let kinds: Vec<&str> = list(&run["kinds"]).iter().map(word).collect();
            let phase = match (word(&run["phase"]), number(&run["done"]), number(&run["of"])) {
                ("", ..) => String::new(),
                (phase, done, 0) => format!(": {phase} {}", words::count(done as u64)),
                (phase, done, of) => format!(": {phase} {} of {}", words::count(done as u64), words::count(of as u64)),
            };
            let since = words::span(u64::try_from(now_ms - began_ms).unwrap_or(0) / 1000);
            format!("the service is at work on {} for {since}{phase}", kinds.join(", "))
        }
        ("waiting", Some(next_ms), _) => {
            let due: Vec<(Kind, i64)> = [Kind::Mail, Kind::Calendar, Kind::Contacts]
                .into_iter()
                .filter_map(|kind| Some((kind, service["due_ms"][kind.as_str()].as_i64()?)))
                .collect();
            let by_kind = match due.iter().all(|(_, at)| *at == due[0].1) {
                true => String::new(),
                false => {
                    let each: Vec<String> = due.iter().map(|(kind, at)| format!("{kind} in {}", until(*at))).collect();
                    format!(" ({})", each.join(", "))
                }
            };
            format!("the service is at rest; next run in {}{by_kind}", until(next_ms))
        }
        ("stopping", ..) => "the service ends".to_owned(),
        _ => "the service is running".to_owned(),
    }
}

/// What is left of each budget, and places that asked to be left alone.
fn budgets(out: &mut String, rows: &[Value], now_ms: i64) {
    for row in rows {
        let (name, what) = (word(&row["name"]), word(&row["what"]));
        let (left, of) = (row["left"].as_u64().unwrap_or(0), row["of"].as_u64().unwrap_or(0));
        if of > 0 {
            let window = words::span(row["window_s"].as_u64().unwrap_or(0));
            let (left, of) = (words::count(left), words::count(of));
            let _ = writeln!(out, "{name}: {left} of {of} {what} left in {window}");
        }
        if let Some(until_ms) = row["pause_until_ms"].as_i64() {
            let wait = words::span(u64::try_from(until_ms - now_ms).unwrap_or(0) / 1000);
            let _ = writeln!(out, "{name} asked to be left alone for {wait}");
        }
    }
}

/// Whether there is something to say of a collection but how much it holds.
fn is_well(collection: &Value) -> bool {
    collection["late"] != true && number(&collection["quarantined"]) == 0
}

/// When several collections were read, and last saw a known item: what most of them say, and is said once.
#[derive(Default)]
struct Shared {
    read: Option<String>,
    proof: Option<String>,
}

/// The moment of a field, if it has one.
fn at(collection: &Value, field: &str) -> Option<String> {
    collection[field].as_i64().map(moment)
}

/// What is said of a collection beside what it holds, and beside what it shares with others.
fn signs(collection: &Value, shared: &Shared) -> String {
    let (read, proof) = (at(collection, "last_read_ms"), at(collection, "last_proof_ms"));
    let mut said = match (collection["late"] == true, &read) {
        (true, Some(at)) => format!("; LATE: last read {at}"),
        (true, None) => "; LATE: never read".to_owned(),
        (false, Some(at)) if shared.read.as_ref() != Some(at) => format!("; read {at}"),
        (false, _) => String::new(),
    };
    if let Some(at) = proof.filter(|at| shared.proof.as_ref() != Some(at)) {
        let _ = write!(said, "; proven {at}");
    }
    if number(&collection["quarantined"]) > 0 {
        let _ = write!(said, "; {} in quarantine", words::count(number(&collection["quarantined"]) as u64));
    }
    said
}

/// A line for each collection of a kind other than mail, first of those that are not well.
fn collections<'a>(out: &mut String, kind: &str, all: impl Iterator<Item = &'a Value>) {
    let (well, not_well): (Vec<&Value>, Vec<&Value>) = all.partition(|one| is_well(one));
    for one in not_well.into_iter().chain(well) {
        let only = if one["can_write"] == false { "; read only" } else { "" };
        let _ = writeln!(
            out,
            "    {kind} {} ({} items{only}){}",
            word(&one["name"]),
            one["items"],
            signs(one, &Shared::default())
        );
    }
}

/// What the configuration leaves out at a place.
fn left_out(out: &mut String, row: &Value) {
    let replica = word(&row["replica"]);
    for one in list(&row["collections"]) {
        let (kind, name) = (word(&one["kind"]), word(&one["name"]));
        let _ = writeln!(out, "left out: {replica}: {kind} {name} ({} items stay as they are)", one["items"]);
    }
    if row["messages_held"] != 0 {
        let held = &row["messages_held"];
        let _ =
            writeln!(out, "left out by since or max_size: {replica}: {held} messages that are held stay as they are");
    }
    if row["messages_not_taken"] != 0 {
        let what = if row["device"] == true { "files were not uploaded" } else { "messages were not fetched" };
        let _ = writeln!(out, "left out by since or max_size: {replica}: {} {what}", row["messages_not_taken"]);
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

/// A replica's mail: its sum, and a line for each mailbox. First what is not well, then where the most is missing, the inbox, and where the
/// most is.
fn mail(out: &mut String, replica: &Value, mailboxes: &[&Value]) {
    if mailboxes.is_empty() {
        return;
    }
    let shared = Shared { read: read_together(mailboxes), proof: most(mailboxes, "last_proof_ms") };
    in_all(out, &replica["mail"], mailboxes);
    let said = [("read", &shared.read), ("proven", &shared.proof)];
    let said: Vec<String> = said.iter().filter_map(|(word, at)| Some(format!("{word} {}", at.as_ref()?))).collect();
    if !said.is_empty() {
        let _ = writeln!(out, "    mail {}", said.join("; "));
    }
    let rank = |mailbox: &&Value| {
        let is_inbox = mailbox["name"] == "INBOX";
        (!is_well(mailbox), number(&mailbox["lacking"]), is_inbox, number(&mailbox["items"]))
    };
    let mut mailboxes = mailboxes.to_vec();
    mailboxes.sort_by_key(|mailbox| std::cmp::Reverse(rank(mailbox)));
    for mailbox in mailboxes {
        let whose = match replica["device"] == true {
            true => format!("{}: ", word(&mailbox["account"])),
            false => String::new(),
        };
        let bytes = words::bytes(mailbox["bytes"].as_u64().unwrap_or(0));
        let lacking = match number(&mailbox["lacking"]) {
            0 => String::new(),
            lacking => format!("; {} to be fetched", words::count(lacking as u64)),
        };
        let only = if mailbox["can_write"] == false { "; read only" } else { "" };
        let (name, messages) = (word(&mailbox["name"]), words::many(number(&mailbox["items"]), "message"));
        let own = signs(mailbox, &shared);
        let _ = writeln!(out, "    mail {whose}{name} ({messages}, {bytes}{lacking}{only}){own}");
    }
}

/// When most mailboxes were read; each that was read at another time says so itself. `None` where one that is not late never was.
fn read_together(mailboxes: &[&Value]) -> Option<String> {
    let in_time: Vec<&Value> = mailboxes.iter().copied().filter(|mailbox| mailbox["late"] != true).collect();
    let was_read = |mailbox: &&Value| mailbox["last_read_ms"].is_i64();
    in_time.iter().all(was_read).then(|| most(&in_time, "last_read_ms"))?
}

/// The moment that most of them have in a field.
fn most(mailboxes: &[&Value], field: &str) -> Option<String> {
    let mut times = BTreeMap::new();
    for at in mailboxes.iter().filter_map(|mailbox| at(mailbox, field)) {
        *times.entry(at).or_insert(0) += 1;
    }
    times.into_iter().max_by_key(|(_, count)| *count).map(|(at, _)| at)
}

/// How much there is, and how long what is missing will take.
fn in_all(out: &mut String, sum: &Value, mailboxes: &[&Value]) {
    let mailboxes = mailboxes.len();
    let (held, lacking) = (number(&sum["messages"]), number(&sum["lacking"]));
    let bytes = words::bytes(sum["bytes"].as_u64().unwrap_or(0));
    if lacking == 0 {
        let boxes = if mailboxes == 1 { "1 mailbox".into() } else { format!("{mailboxes} mailboxes") };
        let _ = writeln!(out, "    mail in all: {} in {boxes}, {bytes}", words::many(held, "message"));
        return;
    }
    let (held, of) = (words::count(held as u64), words::count(number(&sum["of"]) as u64));
    let _ = writeln!(out, "    mail in all: {held} of {of} messages fetched, {bytes}");
    if let Some(eta_s) = sum["eta_s"].as_u64() {
        let (whose, rate) = (word(&sum["eta_by"]), words::count(sum["per_minute"].as_f64().unwrap_or(0.0) as u64));
        let _ = writeln!(out, "    about {} left at {whose} ({rate} messages a minute)", words::span(eta_s));
    }
}

/// A line for each row; for many that say the same of one collection, one with their number.
fn folded(rows: &[Value], is_verbose: bool) -> Vec<String> {
    fn said(row: &Value) -> [Option<&str>; 3] {
        ["replica", "collection", "reason"].map(|key| row[key].as_str())
    }
    let mut alike: HashMap<_, usize> = HashMap::new();
    rows.iter().for_each(|row| *alike.entry(said(row)).or_default() += 1);
    let mut told = HashSet::new();
    let mut lines = Vec::new();
    for row in rows {
        let (replica, reason) = (word(&row["replica"]), word(&row["reason"]));
        let alike = alike[&said(row)];
        if alike <= ALIKE || is_verbose {
            let what = row["title"].as_str().or(row["item"].as_str()).unwrap_or_default();
            lines.push(format!("{replica}: {what}: {reason}"));
        } else if told.insert(said(row)) {
            let place = row["collection"].as_str().map(|name| format!(" of {name}")).unwrap_or_default();
            lines.push(format!("{replica}: {} items{place}: {reason}", words::count(alike as u64)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MINUTE: i64 = 60_000;
    /// 2025-10-09 08:53 UTC.
    const NOW: i64 = 1_760_000_000_000;

    fn mailbox(name: &str, items: usize, lacking: usize) -> Value {
        json!({"name": name, "kind": "mail", "account": "google", "items": items, "can_write": true,
               "messages": items, "bytes": items * 4_000, "lacking": lacking})
    }

    /// A first sync of a hundred mailboxes that is half over.
    fn half_way() -> Value {
        let mut boxes = vec![mailbox("INBOX", 5, 0)];
        boxes.extend((1..100).map(|n| mailbox(&format!("Box {n}"), n * 10, if n > 90 { n * 100 } else { 0 })));
        let mail = json!({"messages": 1_234, "bytes": 85_000_000, "lacking": 18_766, "of": 20_000,
                          "eta_s": 3_754, "per_minute": 300.0, "eta_by": "Gmail's budget"});
        json!({"replicas": [{"name": "google", "device": false, "last_ok_ms": 0, "collections": boxes, "mail": mail}]})
    }

    #[test]
    fn of_a_hundred_mailboxes_each_has_a_line_and_first_come_those_that_say_the_most() {
        let text = text(&half_way(), NOW, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..5],
            [
                "    mail in all: 1,234 of 20,000 messages fetched, 85 MB",
                "    about 63 min left at Gmail's budget (300 messages a minute)",
                "    mail Box 99 (990 messages, 4.0 MB; 9,900 to be fetched)",
                "    mail Box 98 (980 messages, 4.0 MB; 9,800 to be fetched)",
            ]
        );
        assert_eq!(lines[12..14], ["    mail INBOX (5 messages, 20 kB)", "    mail Box 90 (900 messages, 3.6 MB)"]);
        assert_eq!((lines.len(), lines[103]), (104, "no service is running"));
    }

    #[test]
    fn a_trouble_ends_with_one_dot_before_what_to_type_is_added_and_nothing_is_added_where_it_stands() {
        let said = |words: &str| text(&json!({"troubles": [words]}), NOW, false).lines().next().unwrap().to_owned();
        for words in ["the key is another (no item is lost by that).", "the key is another (no item is lost by that)"] {
            assert_eq!(
                said(words),
                "trouble: the key is another (no item is lost by that). Look at it with: twofold doctor"
            );
        }
        assert_eq!(said("it is off. Type: twofold sync"), "trouble: it is off. Type: twofold sync");
    }

    #[test]
    fn what_a_device_has_of_an_account_is_its_sum() {
        let mut state = half_way();
        state["replicas"][0]["device"] = json!(true);
        state["replicas"][0]["mail"] = json!({"messages": 1, "bytes": 4_000, "lacking": 0});
        state["replicas"][0]["collections"] = json!([mailbox("INBOX", 1, 0), mailbox("Empty", 0, 0)]);
        assert_eq!(
            text(&state, NOW, false).lines().skip(1).collect::<Vec<_>>(),
            [
                "    mail in all: 1 message in 2 mailboxes, 4.0 kB",
                "    mail google: INBOX (1 message, 4.0 kB)",
                "    mail google: Empty (0 messages, 0 bytes)",
                "no service is running"
            ]
        );
    }

    /// The lines of one replica with these collections.
    fn of(collections: Vec<Value>) -> Vec<String> {
        let state =
            json!({"replicas": [{"name": "google", "device": false, "last_ok_ms": 0, "collections": collections}]});
        let text = text(&state, NOW, false);
        text.lines().skip(1).filter(|line| line.starts_with("    ")).map(str::to_owned).collect()
    }

    fn calendar(name: &str, read_ms: i64, is_late: bool, quarantined: usize) -> Value {
        json!({"name": name, "kind": "calendar", "items": 3, "can_write": true,
               "last_read_ms": read_ms, "last_proof_ms": NOW - 100 * MINUTE, "late": is_late, "quarantined": quarantined})
    }

    #[test]
    fn each_collection_has_a_line_with_its_signs_of_life_and_first_come_those_that_are_not_well() {
        let mut all = vec![calendar("Ada", NOW, false, 0), calendar("Club", NOW - 90 * MINUTE, true, 2)];
        all.extend((0..200).map(|n| calendar(&format!("C{n}"), NOW, false, 0)));
        let lines = of(all);
        assert_eq!(
            lines[..2],
            [
                "    calendar Club (3 items); LATE: last read 2025-10-09 07:23 UTC; proven 2025-10-09 07:13 UTC; 2 in quarantine",
                "    calendar Ada (3 items); read 2025-10-09 08:53 UTC; proven 2025-10-09 07:13 UTC",
            ]
        );
        assert_eq!(lines.len(), 202);
    }

    #[test]
    fn a_mailbox_that_is_late_is_shown_before_all_others_and_those_read_together_say_it_once() {
        let mut boxes: Vec<Value> = (0..200).map(|n| mailbox(&format!("Box {n}"), 5, 0)).collect();
        for (n, one) in boxes.iter_mut().enumerate() {
            (one["last_read_ms"], one["late"], one["quarantined"]) = (json!(NOW), json!(n == 150), json!(0));
            one["last_proof_ms"] = json!((n != 7).then_some(NOW - 90 * MINUTE));
        }
        let mut older = mailbox("Older", 1, 0);
        (older["last_read_ms"], older["late"], older["quarantined"]) =
            (json!(NOW - 61 * MINUTE), json!(false), json!(0));
        older["last_proof_ms"] = json!(NOW - 95 * MINUTE);
        boxes.push(older);
        boxes[150]["last_read_ms"] = json!(NOW - 61 * MINUTE);
        let lines = of(boxes);
        assert_eq!(lines.len(), 203, "{lines:?}");
        assert_eq!(lines[1], "    mail read 2025-10-09 08:53 UTC; proven 2025-10-09 07:23 UTC");
        assert_eq!(lines[2], "    mail Box 150 (5 messages, 20 kB); LATE: last read 2025-10-09 07:52 UTC");
        assert!(lines[3..202].iter().all(|line| line.ends_with("(5 messages, 20 kB)")), "{}", lines[3]);
        assert_eq!(
            lines[202],
            "    mail Older (1 message, 4.0 kB); read 2025-10-09 07:52 UTC; proven 2025-10-09 07:18 UTC"
        );
    }

    #[test]
    fn each_trouble_has_a_line_that_ends_with_what_to_type_and_none_is_told_twice() {
        let state = json!({
            "replicas": [{"name": "google", "last_ok_ms": NOW, "trouble": "nobody answers"}],
            "troubles": ["google: nobody answers", "laptop: somebody has to sign in; type: twofold login laptop"],
        });
        let text = text(&state, NOW, false);
        assert_eq!(
            text.lines().skip(1).take(2).collect::<Vec<_>>(),
            [
                "trouble: google: nobody answers. Look at it with: twofold doctor",
                "trouble: laptop: somebody has to sign in; type: twofold login laptop",
            ]
        );
        assert_eq!(text.matches("nobody answers").count(), 1, "{text}");
    }

    #[test]
    fn the_service_says_when_the_next_run_is_or_what_it_is_at() {
        let told = |service: Value| {
            let state = json!({"service": service, "last_run": {"started_ms": NOW}});
            text(&state, NOW, false).lines().last().unwrap().to_owned()
        };
        assert_eq!(told(Value::Null), "no service is running; the last run began 2025-10-09 08:53 UTC");
        let waiting = json!({"state": "waiting", "next_ms": NOW + 40_000});
        assert_eq!(told(waiting), "the service is at rest; next run in 40 s");
        let due = |mail: i64, contacts: i64| {
            let due_ms = json!({"mail": NOW + mail, "contacts": NOW + contacts});
            told(json!({"state": "waiting", "next_ms": NOW + 40_000, "due_ms": due_ms}))
        };
        assert_eq!(due(40_000, 40_000), "the service is at rest; next run in 40 s");
        assert_eq!(
            due(40_000, 50_000),
            "the service is at rest; next run in 40 s (mail in 40 s, contacts in 50 s)",
            "each by a schedule of its own"
        );
        let run =
            json!({"kinds": ["mail", "contacts"], "began_ms": NOW - 12_000, "phase": "writing", "done": 3, "of": 7000});
        let running = json!({"state": "running", "run": run});
        assert_eq!(told(running), "the service is at work on mail, contacts for 12 s: writing 3 of 7,000");
    }

    #[test]
    fn when_a_sign_in_ends_and_what_is_left_of_a_budget_is_told() {
        let of = |ends_ms: i64, left: u64| {
            let sign_in = json!({"ok": true, "ends_ms": ends_ms});
            let budget =
                json!({"name": "microsoft365", "what": "requests", "left": left, "of": 10_000, "window_s": 600});
            text(&json!({"replicas": [{"name": "google", "sign_in": sign_in}], "budgets_left": [budget]}), NOW, false)
        };
        let soon = of(NOW + 24 * 60 * MINUTE, 1_999);
        assert!(
            soon.contains("the sign-in ends 2025-10-10 08:53 UTC; before that, type: twofold login google"),
            "{soon}"
        );
        assert!(soon.contains("microsoft365: 1,999 of 10,000 requests left in 10 min"), "{soon}");
        let later = of(NOW + 8 * 24 * 60 * MINUTE, 2_000);
        assert!(later.contains("    the sign-in ends 2025-10-17 08:53 UTC\n"), "{later}");
        assert!(later.contains("microsoft365: 2,000 of 10,000 requests left in 10 min"), "{later}");
    }

    #[test]
    fn many_that_say_the_same_are_one_line() {
        let row = |title: &str, reason: &str| json!({"replica": "laptop", "collection": "Trash", "title": title, "reason": reason});
        let mut rows: Vec<Value> = (0..3).map(|n| row(&format!("Old {n}"), "it was removed")).collect();
        rows.push(row("Other", "it is too large"));
        assert_eq!(folded(&rows, false).len(), 4, "three have a line each");
        rows.push(row("Old 3", "it was removed"));
        let lines = folded(&rows, false);
        assert_eq!(lines, ["laptop: 4 items of Trash: it was removed", "laptop: Other: it is too large"]);
        assert_eq!(folded(&rows, true).len(), 5);
    }

    #[test]
    fn of_twenty_thousand_each_is_looked_at_once() {
        let row = |n: i32| {
            let reason = if n % 2 == 0 { "it is too large".to_owned() } else { format!("it is {n} bytes too large") };
            json!({"replica": "laptop", "collection": "Trash", "title": format!("Old {n}"), "reason": reason})
        };
        let rows: Vec<Value> = (0..20_000).map(row).collect();
        let began = std::time::Instant::now();
        let lines = folded(&rows, false);
        // Each compared with each takes a minute.
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        assert_eq!((lines.len(), lines[0].as_str()), (10_001, "laptop: 10,000 items of Trash: it is too large"));
    }
}
