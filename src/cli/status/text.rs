//! The state as text for people: a line for each thing that says something, and one for many that say the same.

use super::moment;
use crate::cli::words;
use serde_json::Value;
use std::fmt::Write as _;

/// So many mailboxes of a replica have a line of their own.
const MAILBOXES: usize = 8;
/// So many things that say the same have a line of their own.
const ALIKE: usize = 3;

/// The whole state, as `status` prints it.
pub fn text(state: &Value, is_verbose: bool) -> String {
    let mut out = String::new();
    for replica in list(&state["replicas"]) {
        let last = replica["last_ok_ms"]
            .as_i64()
            .map_or_else(|| "never reached".into(), |at| format!("reached {}", moment(at)));
        let _ = writeln!(out, "{}: {last}", word(&replica["name"]));
        let (mailboxes, others): (Vec<&Value>, Vec<&Value>) =
            list(&replica["collections"]).iter().partition(|collection| collection["kind"] == "mail");
        mail(&mut out, replica, &mailboxes, is_verbose);
        for collection in others {
            let (kind, name) = (word(&collection["kind"]), word(&collection["name"]));
            let _ = writeln!(out, "    {kind} {name} ({} items)", collection["items"]);
        }
        if let Some(trouble) = replica["trouble"].as_str() {
            let _ = writeln!(out, "    {trouble}");
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
    out
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
    in_all(out, &replica["mail"], mailboxes.len());
    let lacks = |mailbox: &&Value| number(&mailbox["lacking"]) > 0;
    let says_something = |mailbox: &&Value| lacks(mailbox) || (number(&mailbox["items"]) > 0 && !is_device);
    // The inbox first, then where the most is missing, then where the most is.
    let rank = |mailbox: &&Value| (mailbox["name"] == "INBOX", number(&mailbox["lacking"]), number(&mailbox["items"]));
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
        let _ = writeln!(out, "    mail {whose}{} ({messages}, {bytes}{lacking}{only})", word(&mailbox["name"]));
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
fn in_all(out: &mut String, sum: &Value, mailboxes: usize) {
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
        let text = text(&half_way(), false);
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
            ["    mail in 92 more mailboxes (42,780 messages; 18,300 to be fetched; see: twofold status -v)"]
        );
        assert_eq!(super::text(&half_way(), true).lines().count(), 103);
    }

    #[test]
    fn what_a_device_has_of_an_account_is_its_sum() {
        let mut state = half_way();
        state["replicas"][0]["device"] = json!(true);
        state["replicas"][0]["mail"] = json!({"messages": 1, "bytes": 4_000, "lacking": 0});
        state["replicas"][0]["collections"] = json!([mailbox("INBOX", 1, 0), mailbox("Empty", 0, 0)]);
        let told = |is_verbose| text(&state, is_verbose).lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(told(false), ["    mail in all: 1 message in 2 mailboxes, 4.0 kB"]);
        assert_eq!(told(true)[1], "    mail google: INBOX (1 message, 4.0 kB)");
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
