//! The state as text for people: a line for each thing that says something, and one for many that say the same.

use super::moment;
use crate::cli::words;
use serde_json::Value;
use std::fmt::Write as _;

/// So many mailboxes of a replica have a line of their own.
const MAILBOXES: usize = 8;
/// So many things that say the same have a line of their own.
const ALIKE: usize = 3;

/// A sign-in that ends within this time is told.
const ENDS_SOON_MS: i64 = 7 * 24 * 3_600_000;
/// A budget of which less than this share is left is told.
const SCARCE: u64 = 5;

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
        mail(&mut out, replica, &mailboxes, is_verbose);
        for kind in ["calendar", "contacts"] {
            collections(&mut out, kind, others.iter().copied().filter(|one| one["kind"] == kind), is_verbose);
        }
        if let Some(trouble) = replica["trouble"].as_str() {
            let _ = writeln!(out, "    {trouble}");
        }
        if let Some(ends_ms) =
            replica["sign_in"]["ends_ms"].as_i64().filter(|at| is_verbose || at - now_ms < ENDS_SOON_MS)
            && replica["sign_in"]["ok"] == true
        {
            let name = word(&replica["name"]);
            let _ = writeln!(out, "    the sign-in ends {}; before that, type: twofold login {name}", moment(ends_ms));
        }
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
    if out.is_empty() {
        out.push_str("nothing has been synced yet; type: twofold sync\n");
    }
    budgets(&mut out, list(&state["budgets_left"]), now_ms, is_verbose);
    if let (Some(hub), Some(free)) = (state["disk"]["hub"].as_u64(), state["disk"]["free"].as_u64()) {
        let _ = writeln!(out, "the hub takes {} of the disk; {} are free", words::bytes(hub), words::bytes(free));
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
        ("waiting", Some(next_ms), _) => format!("the service is at rest; next run in {}", until(next_ms)),
        ("stopping", ..) => "the service ends".to_owned(),
        _ => "the service is running".to_owned(),
    }
}

/// Budgets of which little is left, and places that asked to be left alone.
fn budgets(out: &mut String, rows: &[Value], now_ms: i64, is_verbose: bool) {
    for row in rows {
        let (name, what) = (word(&row["name"]), word(&row["what"]));
        let (left, of) = (row["left"].as_u64().unwrap_or(0), row["of"].as_u64().unwrap_or(0));
        if of > 0 && (is_verbose || left < of / SCARCE) {
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

/// What is said of a collection beside what it holds.
fn signs(collection: &Value) -> String {
    let proof = collection["last_proof_ms"].as_i64().map(moment);
    let mut said = match (collection["late"] == true, proof) {
        (true, Some(at)) => format!("; LATE: last proven {at}"),
        (true, None) => "; LATE: never proven".to_owned(),
        (false, Some(at)) => format!("; proven {at}"),
        (false, None) => String::new(),
    };
    if number(&collection["quarantined"]) > 0 {
        let _ = write!(said, "; {} in quarantine", words::count(number(&collection["quarantined"]) as u64));
    }
    said
}

/// The oldest proof of many collections, for people.
fn since<'a>(collections: impl Iterator<Item = &'a Value>) -> String {
    let oldest: Option<Option<i64>> = collections.map(|one| one["last_proof_ms"].as_i64()).min();
    oldest.flatten().map(|at| format!("; proven {} or later", moment(at))).unwrap_or_default()
}

/// The collections of a kind other than mail: a line for each, or one for many that are well.
fn collections<'a>(out: &mut String, kind: &str, all: impl Iterator<Item = &'a Value>, is_verbose: bool) {
    let (mut well, mut shown): (Vec<&Value>, Vec<&Value>) = all.partition(|one| is_well(one));
    if is_verbose || well.len() <= MAILBOXES {
        shown.append(&mut well);
    }
    for one in shown {
        let only = if one["can_write"] == false { "; read only" } else { "" };
        let _ = writeln!(out, "    {kind} {} ({} items{only}){}", word(&one["name"]), one["items"], signs(one));
    }
    if !well.is_empty() {
        let items: usize = well.iter().map(|one| number(&one["items"])).sum();
        let (many, items) = (words::many(well.len(), "collection"), words::many(items, "item"));
        let _ = writeln!(out, "    {kind}: {many} ({items}{}; see: twofold status -v)", since(well.iter().copied()));
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

/// A replica's mail: its sum, and the mailboxes that have something to say; the others are one line. What a device has of an account is
/// told there.
fn mail(out: &mut String, replica: &Value, mailboxes: &[&Value], is_verbose: bool) {
    if mailboxes.is_empty() {
        return;
    }
    let is_device = replica["device"] == true;
    in_all(out, &replica["mail"], mailboxes);
    let since = since(mailboxes.iter().copied().filter(|mailbox| is_well(mailbox)));
    if let Some(since) = since.strip_prefix("; ") {
        let _ = writeln!(out, "    mail {since}");
    }
    let lacks = |mailbox: &&Value| number(&mailbox["lacking"]) > 0;
    let says_something =
        |mailbox: &&Value| !is_well(mailbox) || lacks(mailbox) || (number(&mailbox["items"]) > 0 && !is_device);
    // What is not well, the inbox, then where the most is missing, then where the most is.
    let rank = |mailbox: &&Value| {
        let is_inbox = mailbox["name"] == "INBOX";
        (!is_well(mailbox), is_inbox, number(&mailbox["lacking"]), number(&mailbox["items"]))
    };
    let (mut shown, mut rest): (Vec<&Value>, Vec<&Value>) =
        mailboxes.iter().copied().partition(|mailbox| is_verbose || says_something(mailbox));
    if !is_verbose {
        shown.sort_by_key(|mailbox| std::cmp::Reverse(rank(mailbox)));
        rest.extend(shown.drain(MAILBOXES.min(shown.len())..));
    }
    for mailbox in shown {
        let whose = if is_device { format!("{}: ", word(&mailbox["account"])) } else { String::new() };
        let bytes = words::bytes(mailbox["bytes"].as_u64().unwrap_or(0));
        let lacking = match number(&mailbox["lacking"]) {
            0 => String::new(),
            lacking => format!("; {} to be fetched", words::count(lacking as u64)),
        };
        let only = if mailbox["can_write"] == false { "; read only" } else { "" };
        let messages = words::many(number(&mailbox["items"]), "message");
        let signs = if is_verbose || !is_well(mailbox) { signs(mailbox) } else { String::new() };
        let _ = writeln!(out, "    mail {whose}{} ({messages}, {bytes}{lacking}{only}){signs}", word(&mailbox["name"]));
    }
    let held: usize = rest.iter().map(|mailbox| number(&mailbox["items"])).sum();
    if rest.is_empty() || is_device {
        return;
    }
    let mailboxes = if rest.len() == 1 { "1 more mailbox".into() } else { format!("{} more mailboxes", rest.len()) };
    let lacking = match rest.iter().map(|mailbox| number(&mailbox["lacking"])).sum::<usize>() {
        0 => String::new(),
        lacking => format!("; {} to be fetched", words::count(lacking as u64)),
    };
    let _ =
        writeln!(out, "    mail in {mailboxes} ({}{lacking}; see: twofold status -v)", words::many(held, "message"));
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
    let is_alike = |a: &Value, b: &Value| ["replica", "collection", "reason"].iter().all(|key| a[*key] == b[*key]);
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let (replica, reason) = (word(&row["replica"]), word(&row["reason"]));
        let alike = rows.iter().filter(|other| is_alike(row, other)).count();
        if alike <= ALIKE || is_verbose {
            let what = row["title"].as_str().or(row["item"].as_str()).unwrap_or_default();
            lines.push(format!("{replica}: {what}: {reason}"));
        } else if !rows[..at].iter().any(|other| is_alike(row, other)) {
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
    fn of_a_hundred_mailboxes_those_are_shown_that_say_the_most() {
        let text = text(&half_way(), NOW, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1..5],
            [
                "    mail in all: 1,234 of 20,000 messages fetched, 85 MB",
                "    about 63 min left at Gmail's budget (300 messages a minute)",
                "    mail INBOX (5 messages, 20 kB)",
                "    mail Box 99 (990 messages, 4.0 MB; 9,900 to be fetched)",
            ]
        );
        assert_eq!(
            lines[11..],
            [
                "    mail in 92 more mailboxes (42,780 messages; 18,300 to be fetched; see: twofold status -v)",
                "no service is running"
            ]
        );
        assert_eq!(super::text(&half_way(), NOW, true).lines().count(), 104);
    }

    #[test]
    fn what_a_device_has_of_an_account_is_its_sum() {
        let mut state = half_way();
        state["replicas"][0]["device"] = json!(true);
        state["replicas"][0]["mail"] = json!({"messages": 1, "bytes": 4_000, "lacking": 0});
        state["replicas"][0]["collections"] = json!([mailbox("INBOX", 1, 0), mailbox("Empty", 0, 0)]);
        let told = |is_verbose| text(&state, NOW, is_verbose).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(told(false), ["    mail in all: 1 message in 2 mailboxes, 4.0 kB", "no service is running"]);
        assert_eq!(told(true)[1], "    mail google: INBOX (1 message, 4.0 kB)");
    }

    /// The lines of one replica with these collections.
    fn of(collections: Vec<Value>, is_verbose: bool) -> Vec<String> {
        let state =
            json!({"replicas": [{"name": "google", "device": false, "last_ok_ms": 0, "collections": collections}]});
        let text = text(&state, NOW, is_verbose);
        text.lines().skip(1).filter(|line| line.starts_with("    ")).map(str::to_owned).collect()
    }

    fn calendar(name: &str, proof_ms: i64, is_late: bool, quarantined: usize) -> Value {
        json!({"name": name, "kind": "calendar", "items": 3, "can_write": true,
               "last_proof_ms": proof_ms, "late": is_late, "quarantined": quarantined})
    }

    #[test]
    fn a_collection_has_its_proof_and_many_that_are_well_are_one_line() {
        let mut all = vec![calendar("Ada", NOW, false, 0), calendar("Club", NOW - 90 * MINUTE, true, 2)];
        assert_eq!(
            of(all.clone(), false),
            [
                "    calendar Club (3 items); LATE: last proven 2025-10-09 07:23 UTC; 2 in quarantine",
                "    calendar Ada (3 items); proven 2025-10-09 08:53 UTC",
            ]
        );
        all.extend((0..200).map(|n| calendar(&format!("C{n}"), NOW - n * MINUTE / 100, false, 0)));
        assert_eq!(
            of(all.clone(), false)[1..],
            ["    calendar: 201 collections (603 items; proven 2025-10-09 08:51 UTC or later; see: twofold status -v)"]
        );
        assert_eq!(of(all, true).len(), 202);
    }

    #[test]
    fn a_mailbox_that_is_late_is_shown_before_all_others() {
        let mut boxes: Vec<Value> = (0..200).map(|n| mailbox(&format!("Box {n}"), 5, 0)).collect();
        for (n, one) in boxes.iter_mut().enumerate() {
            (one["last_proof_ms"], one["late"], one["quarantined"]) = (json!(NOW), json!(n == 150), json!(0));
        }
        boxes[150]["last_proof_ms"] = json!(NOW - 61 * MINUTE);
        let lines = of(boxes, false);
        assert_eq!(lines.len(), 11, "{lines:?}");
        assert_eq!(lines[1], "    mail proven 2025-10-09 08:53 UTC or later");
        assert_eq!(lines[2], "    mail Box 150 (5 messages, 20 kB); LATE: last proven 2025-10-09 07:52 UTC");
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
        let run =
            json!({"kinds": ["mail", "contacts"], "began_ms": NOW - 12_000, "phase": "writing", "done": 3, "of": 7000});
        let running = json!({"state": "running", "run": run});
        assert_eq!(told(running), "the service is at work on mail, contacts for 12 s: writing 3 of 7,000");
    }

    #[test]
    fn what_ends_soon_or_is_scarce_is_told() {
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
        assert!(!later.contains("sign-in ends") && !later.contains("left in"), "{later}");
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
}
