//! `twofold status`: what stands where, and what waits for somebody.

use super::{Context, moment};
use serde_json::{Value, json};
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::{Kind, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

/// Shows the state. Exits with what is left: sign-in needed, held, conflicts or quarantine.
pub fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let (hub, _lock) = context.hub(&config)?;
    let vault = Vault::open(&config.state_dir)?;
    let mut codes = Vec::new();
    let mut replicas = Vec::new();
    for replica in hub.replicas()? {
        let mut advice = replica.trouble.clone();
        if let Some(name) = ProviderName::from_name(&replica.name) {
            let status = vault.status(name)?;
            if let Some(words) = status.advice() {
                codes.push(exit::SIGN_IN);
                advice = Some(words);
            }
        }
        let mut collections = Vec::new();
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            for place in hub.places(replica.id, kind)? {
                let items = hub.copies(replica.id, place.collection)?;
                let kind = kind.as_str();
                collections
                    .push(json!({"name": place.name, "kind": kind, "items": items, "can_write": place.can_write}));
            }
        }
        replicas.push(json!({
            "name": replica.name,
            "device": replica.is_device,
            "account": replica.account.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
            "last_ok_ms": replica.last_ok_ms,
            "trouble": advice,
            "behind": replica.behind,
            "collections": collections,
        }));
    }
    let holds = hub.holds()?.into_iter().filter(|hold| !hold.is_approved).count();
    let (conflicts, quarantined, withheld) = (hub.conflicts()?.len(), hub.quarantined()?, hub.withheld()?);
    let unknown = hub.intents()?.iter().filter(|intent| intent.sent_ms.is_some()).count();
    codes.extend((holds > 0).then_some(exit::HELD));
    codes.extend((conflicts > 0 || !quarantined.is_empty()).then_some(exit::LEFT));
    codes.extend((unknown > 0).then_some(exit::TEMPORARY));
    let waiting = hub.tombstone_holders()?;
    let state = json!({
        "schema": 1,
        "replicas": replicas,
        "last_run": hub.last_run()?.map(|run| json!({"run": run.id, "started_ms": run.started_ms, "exit": run.exit})),
        "held": holds,
        "conflicts": conflicts,
        "unknown_writes": unknown,
        "quarantine": quarantine_rows(&hub, &quarantined)?,
        "not_representable": withheld_rows(&hub, &withheld)?,
        "deletions_waiting":
            waiting.iter().map(|(replica, items)| json!({"replica": replica, "items": items})).collect::<Vec<_>>(),
        "left_out": left_out_rows(&hub)?,
        "budgets": budgets(&hub)?,
    });
    if args.json {
        super::print_json(&state);
    } else {
        print!("{}", text(&state));
    }
    Ok(twofold_cycle::report::worst(&codes))
}

fn name_of(hub: &Hub, replica: i64) -> Result<String> {
    Ok(hub.replicas()?.into_iter().find(|r| r.id == replica).map(|r| r.name).unwrap_or_default())
}

fn quarantine_rows(hub: &Hub, rows: &[twofold_hub::Quarantined]) -> Result<Vec<Value>> {
    let row = |entry: &twofold_hub::Quarantined| {
        // What was read and cannot be sent has a title; what could not be read has only its name at the replica.
        let known = entry.item.map(|item| hub.version(hub.item(item)?.version)).transpose()?;
        Ok(json!({
            "replica": name_of(hub, entry.replica)?,
            "item": entry.remote_id.as_str(),
            "title": known.map(|version| super::title(&version.content)).filter(|title| !title.is_empty()),
            "uid": entry.item.map(|item| hub.item(item)).transpose()?.map(|item| item.uid.as_str().to_owned()),
            "reason": entry.reason,
            "next_try_ms": entry.next_try_ms,
        }))
    };
    rows.iter().map(row).collect()
}

fn withheld_rows(hub: &Hub, rows: &[(i64, i64, String)]) -> Result<Vec<Value>> {
    let row = |(item, replica, reason): &(i64, i64, String)| {
        let item = hub.item(*item)?;
        let title = super::title(&hub.version(item.version)?.content);
        let replica = name_of(hub, *replica)?;
        Ok(json!({"replica": replica, "uid": item.uid.as_str(), "title": title, "reason": reason}))
    };
    rows.iter().map(row).collect()
}

/// What the configuration leaves out, at each place that has any of it: frozen collections with what is held of them, messages that are
/// held and stay as they are because of since or max_size, and those that were seen and not taken.
fn left_out_rows(hub: &Hub) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    for replica in hub.replicas()? {
        let mut collections = Vec::new();
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            for one in hub.collections(kind)?.into_iter().filter(|one| one.is_left_out && one.origin == replica.id) {
                collections.push(json!({"name": one.name, "kind": kind.as_str(), "items": hub.size(one.id)?}));
            }
        }
        let (held, not_taken) = (hub.count_beyond(replica.id)?, hub.count_noted(replica.id)?);
        if !collections.is_empty() || held + not_taken > 0 {
            rows.push(json!({
                "replica": replica.name,
                "device": replica.is_device,
                "collections": collections,
                "messages_held": held,
                "messages_not_taken": not_taken,
            }));
        }
    }
    Ok(rows)
}

fn budgets(hub: &Hub) -> Result<Value> {
    let mut all = serde_json::Map::new();
    for name in ["google", "google calendar", "microsoft365"] {
        if let Some(state) = hub.budget(name)?.and_then(|text| serde_json::from_str(&text).ok()) {
            all.insert(name.into(), state);
        }
    }
    Ok(Value::Object(all))
}

fn text(state: &Value) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for replica in list(&state["replicas"]) {
        let last = replica["last_ok_ms"]
            .as_i64()
            .map_or_else(|| "never reached".into(), |at| format!("reached {}", moment(at)));
        let _ = writeln!(out, "{}: {last}", replica["name"].as_str().unwrap_or_default());
        for collection in list(&replica["collections"]) {
            let _ = writeln!(
                out,
                "    {} {} ({} items)",
                collection["kind"].as_str().unwrap_or_default(),
                collection["name"].as_str().unwrap_or_default(),
                collection["items"]
            );
        }
        if let Some(trouble) = replica["trouble"].as_str() {
            let _ = writeln!(out, "    {trouble}");
        }
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
        for row in list(&state[rows]) {
            let what = row["title"].as_str().or(row["item"].as_str()).unwrap_or_default();
            let (replica, reason) =
                (row["replica"].as_str().unwrap_or_default(), row["reason"].as_str().unwrap_or_default());
            let _ = writeln!(out, "{title}: {replica}: {what}: {reason}");
        }
    }
    for row in list(&state["left_out"]) {
        let replica = row["replica"].as_str().unwrap_or_default();
        for one in list(&row["collections"]) {
            let (kind, name) = (one["kind"].as_str().unwrap_or_default(), one["name"].as_str().unwrap_or_default());
            let _ = writeln!(out, "left out: {replica}: {kind} {name} ({} items stay as they are)", one["items"]);
        }
        if row["messages_held"] != 0 {
            let _ = writeln!(
                out,
                "left out by since or max_size: {replica}: {} messages that are held stay as they are",
                row["messages_held"]
            );
        }
        if row["messages_not_taken"] != 0 {
            let what = if row["device"] == true { "files were not uploaded" } else { "messages were not fetched" };
            let _ = writeln!(out, "left out by since or max_size: {replica}: {} {what}", row["messages_not_taken"]);
        }
    }
    for row in list(&state["deletions_waiting"]) {
        let replica = row["replica"].as_str().unwrap_or_default();
        let _ = writeln!(
            out,
            "deleted items that {replica} still has: {} (the hub keeps them until it has let go of them)",
            row["items"]
        );
    }
    if out.is_empty() {
        out.push_str("nothing has been synced yet; type: twofold sync\n");
    }
    out
}
