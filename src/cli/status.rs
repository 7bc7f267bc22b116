//! `twofold status`: what stands where, and what waits for somebody.

pub(super) mod signs;
mod text;
mod wait;

use super::progress::{left_s, per_minute};
use super::{Context, handover, hints, moment};
use crate::config::Config;
use crate::connect;
use crate::daemon::live::Snapshot;
use crate::endpoint::health;
use serde_json::{Value, json};
use signs::Signs;
use std::time::Duration;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::exit;
use twofold_hub::{Holdings, Hub, Intent, IntentKind, Lacking, Place, Replica};
use twofold_model::{Kind, Result};

/// So many runs are looked at for how fast messages were read.
const RUNS: usize = 20;
/// So many writes of unknown fate are named.
const MOST_NAMED: usize = 100;
/// A run that read fewer says nothing of it.
const ENOUGH: u64 = 50;

/// What was waited for has answered long since, or answers within this time.
const AT_ONCE: Duration = Duration::from_millis(300);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    /// Wait until the service has brought everything into line, in a run that begins now or later
    #[arg(long)]
    wait_aligned: bool,
    /// Wait for no longer than this (60s, 5m, 1h)
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = wait::span, requires = "wait_aligned")]
    timeout: Duration,
}

/// So long a write has its time to be answered, in milliseconds.
const FRESH_MS: i64 = 60_000;

/// Shows the state. Exits with what is left: what the last run could not do, sign-in needed, held, conflicts or quarantine.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    let waited = if args.wait_aligned { Some(wait::wait(&config, args.timeout).await?) } else { None };
    // One that was waited for for so long answers at once, or not at all.
    let patience = if waited.is_some() { AT_ONCE } else { handover::PATIENCE };
    let service = handover::status_within(&config, patience).await.map(|(now, _)| now);
    let (mut state, code) = state(context, &config, service.as_ref())?;
    if args.json {
        for words in state["troubles"].as_array_mut().into_iter().flatten() {
            *words = hints::put(words.as_str().unwrap_or_default()).into();
        }
        super::print_json(&state);
    } else {
        print!("{}", hints::put(&text::text(&state, context.now_ms(), context.verbose)));
    }
    Ok(match waited {
        Some(waited) => wait::tell(context, &waited, args.timeout, code),
        None => code,
    })
}

/// The whole state, and the exit code that says what is left. Its form is written in `status/schema.json`.
fn state(context: &Context, config: &Config, service: Option<&Snapshot>) -> Result<(Value, i32)> {
    let hub = context.hub_to_read(config)?;
    let vault = Vault::open(&config.state_dir)?;
    let now_ms = context.now_ms();
    let signs = Signs::new(&hub, super::daemon::triggers_of(config), service, now_ms)?;
    let facts = super::endpoint::facts(config, &hub, service, now_ms)?;
    let troubles = health::troubles(&facts);
    let mut codes = health::exits(&facts, &troubles);
    let mut replicas = Vec::new();
    for replica in hub.replicas()? {
        let is_signed_in_since =
            facts.replicas.iter().any(|known| known.name == replica.name && health::signed_in_since(&facts, known));
        let mut advice = replica.trouble.clone().filter(|_| !is_signed_in_since);
        let mut sign_in = Value::Null;
        if let Some(name) = ProviderName::from_name(&replica.name) {
            let status = vault.status(name)?;
            sign_in = signs::sign_in(&status);
            if let Some(words) = status.advice() {
                advice = Some(words);
            }
        }
        let mut collections = Vec::new();
        let mut mail = Value::Null;
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            let places = hub.places(replica.id, kind)?;
            if kind == Kind::Mail && !places.is_empty() {
                let (held, lacking) = (hub.holdings(replica.id, kind)?, hub.lacking_of(replica.id)?);
                for place in &places {
                    let account = hub
                        .collection(place.collection)?
                        .map(|collection| name_of(&hub, collection.origin))
                        .transpose()?;
                    let mut row = mailbox(place, account, &held, &lacking);
                    signs.put(&mut row, kind, place);
                    collections.push(row);
                }
                mail = mail_of(config, &hub, &replica, &held, &lacking)?;
                continue;
            }
            for place in places {
                let items = hub.copies(replica.id, place.collection)?;
                let mut row =
                    json!({"name": place.name, "kind": kind.as_str(), "items": items, "can_write": place.can_write});
                signs.put(&mut row, kind, &place);
                collections.push(row);
            }
        }
        replicas.push(json!({
            "name": replica.name,
            "device": replica.is_device,
            "account": replica.account.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
            "last_ok_ms": replica.last_ok_ms,
            "trouble": advice,
            "sign_in": sign_in,
            "behind": replica.behind,
            "collections": collections,
            "mail": mail,
        }));
    }
    let holds = hub.holds()?.into_iter().filter(|hold| !hold.is_approved).count();
    let (conflicts, quarantined, withheld) = (hub.conflicts()?.len(), hub.quarantined()?, hub.withheld()?);
    // What the service is sending just now is answered in a moment.
    let is_under_way = service.is_some_and(|service| service.run.is_some());
    let fresh_ms = if is_under_way { now_ms - FRESH_MS } else { i64::MAX };
    let mut unknown = hub.intents()?;
    unknown.retain(|intent| intent.sent_ms.is_some_and(|sent| sent < fresh_ms));
    codes.extend((holds > 0).then_some(exit::HELD));
    codes.extend((conflicts > 0 || !quarantined.is_empty()).then_some(exit::LEFT));
    codes.extend((!unknown.is_empty()).then_some(exit::TEMPORARY));
    let waiting = hub.tombstone_holders()?;
    let state = json!({
        "schema": 1,
        "troubles": troubles.iter().map(|trouble| &trouble.words).collect::<Vec<_>>(),
        "replicas": replicas,
        "last_run": hub.last_run()?.map(|run| json!({"run": run.id, "started_ms": run.started_ms, "exit": run.exit})),
        "held": holds,
        "conflicts": conflicts,
        "unknown_writes": unknown.len(),
        "unknown": unknown_rows(&hub, &unknown)?,
        "quarantine": quarantine_rows(&hub, &quarantined)?,
        "not_representable": withheld_rows(&hub, &withheld)?,
        "deletions_waiting":
            waiting.iter().map(|(replica, items)| json!({"replica": replica, "items": items})).collect::<Vec<_>>(),
        "left_out": left_out_rows(&hub)?,
        "budgets": budgets(&hub)?,
        "budgets_left": signs::budgets_left(config, &hub, context.now_ms())?,
        "service": service,
        "service_mute": facts.service.is_mute,
        "disk": signs::disk(config)?,
        "blobs": connect::blobs_kept(config)?.map(|(count, bytes)| json!({"count": count, "bytes": bytes})),
    });
    Ok((state, twofold_cycle::report::worst(&codes)))
}

/// A mailbox at a replica, and whose it is.
fn mailbox(place: &Place, account: Option<String>, held: &Holdings, lacking: &Lacking) -> Value {
    let amount = held.collections.get(&place.collection).copied().unwrap_or_default();
    json!({
        "name": place.name,
        "kind": Kind::Mail.as_str(),
        "account": account,
        "items": amount.items,
        "can_write": place.can_write,
        "messages": amount.items,
        "bytes": amount.bytes,
        "lacking": lacking.collections.get(&place.collection).copied().unwrap_or(0),
    })
}

/// All messages of a replica, each once, and how long it takes to fetch those that are not here yet.
fn mail_of(config: &Config, hub: &Hub, replica: &Replica, held: &Holdings, lacking: &Lacking) -> Result<Value> {
    let rate = rate(connect::pace(config, &replica.name), last_rate(hub, &replica.name)?);
    let (eta, whose) = rate.filter(|_| lacking.messages > 0).unzip();
    Ok(json!({
        "messages": held.whole.items,
        "bytes": held.whole.bytes,
        "lacking": lacking.messages,
        "of": held.whole.items + lacking.new,
        "eta_s": eta.map(|per_minute| left_s(lacking.messages, per_minute)),
        "per_minute": eta.map(f64::floor),
        "eta_by": whose,
    }))
}

/// How many messages a minute can be read, and what allows no more: the provider, or what was reached in the last run that read many.
fn rate(pace: Option<connect::Pace>, last: Option<f64>) -> Option<(f64, &'static str)> {
    let pace = pace.map(|pace| (f64::from(pace.per_minute), pace.whose));
    let last = last.map(|per_minute| (per_minute, "the pace of the last run"));
    match (pace, last) {
        (Some(pace), Some(last)) => Some(if last.0 < pace.0 { last } else { pace }),
        (pace, last) => pace.or(last),
    }
}

/// The rate of the last run that read enough messages to have one.
fn last_rate(hub: &Hub, replica: &str) -> Result<Option<f64>> {
    let of_run = |report: &String| {
        let report: Value = serde_json::from_str(report).ok()?;
        let is_meant = |row: &&Value| row["name"] == replica && row["kind"] == Kind::Mail.as_str();
        let row = report["replicas"].as_array()?.iter().find(is_meant)?.clone();
        let read = row["read"].as_u64().filter(|read| *read >= ENOUGH)?;
        per_minute(usize::try_from(read).ok()?, row["read_ms"].as_u64()?)
    };
    Ok(hub.reports(RUNS)?.iter().find_map(of_run))
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
            "collection": entry.collection.and_then(|collection| place_name(hub, entry.replica, collection)),
            "item": entry.remote_id.as_str(),
            "title": match known {
                Some(version) => title_of(hub, (entry.replica, entry.item), super::title(&version.content))?,
                None => None,
            },
            "uid": entry.item.map(|item| hub.item(item)).transpose()?.map(|item| item.uid.as_str().to_owned()),
            "reason": entry.reason,
            "next_try_ms": entry.next_try_ms,
        }))
    };
    rows.iter().map(row).collect()
}

fn unknown_rows(hub: &Hub, intents: &[Intent]) -> Result<Vec<Value>> {
    let row = |intent: &Intent| {
        let title = super::title(&hub.version(intent.version)?.content);
        let reason = match intent.kind {
            IntentKind::Create | IntentKind::Copy => "making it",
            IntentKind::Update => "changing it",
            IntentKind::Move => "moving it",
            IntentKind::Delete => "removing it",
        };
        Ok(json!({
            "replica": name_of(hub, intent.replica)?,
            "collection": place_name(hub, intent.replica, intent.collection),
            "uid": hub.item(intent.item)?.uid.as_str(),
            "title": title_of(hub, (intent.replica, Some(intent.item)), title)?.unwrap_or_default(),
            "reason": reason,
        }))
    };
    intents.iter().take(MOST_NAMED).map(row).collect()
}

/// What an item is called: what it says itself, else its name on the device that it is about, else on any.
fn title_of(hub: &Hub, (replica, item): (i64, Option<i64>), title: String) -> Result<Option<String>> {
    let (true, Some(item)) = (title.is_empty(), item) else { return Ok(Some(title).filter(|title| !title.is_empty())) };
    let devices: Vec<Replica> = hub.replicas()?.into_iter().filter(|replica| replica.is_device).collect();
    let mut copies = hub.placements(item)?;
    copies.sort_by_key(|copy| copy.replica != replica);
    let named = copies.into_iter().find_map(|copy| {
        let device = devices.iter().find(|device| device.id == copy.replica)?;
        Some(format!("{} on {}", copy.remote_id, device.name))
    });
    Ok(named)
}

/// What a collection is called at a replica.
fn place_name(hub: &Hub, replica: i64, collection: i64) -> Option<String> {
    let places = hub.places_of(collection).ok()?;
    places.into_iter().find(|place| place.replica == replica).map(|place| place.name)
}

fn withheld_rows(hub: &Hub, rows: &[(i64, i64, i64, String)]) -> Result<Vec<Value>> {
    let row = |(item, replica, collection, reason): &(i64, i64, i64, String)| {
        let item = hub.item(*item)?;
        let title = super::title(&hub.version(item.version)?.content);
        let title = title_of(hub, (*replica, Some(item.id)), title)?.unwrap_or_default();
        let collection = place_name(hub, *replica, *collection);
        let replica = name_of(hub, *replica)?;
        Ok(
            json!({"replica": replica, "collection": collection, "uid": item.uid.as_str(), "title": title, "reason": reason}),
        )
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
    for name in ["google", "google calendar", "google mail", "microsoft365"] {
        if let Some(state) = hub.budget(name)?.and_then(|text| serde_json::from_str(&text).ok()) {
            all.insert(name.into(), state);
        }
    }
    Ok(Value::Object(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_the_slower_of_budget_and_last_run() {
        let gmail = connect::Pace { per_minute: 300, whose: "Gmail's budget" };
        assert_eq!(rate(Some(gmail), None), Some((300.0, "Gmail's budget")));
        assert_eq!(rate(Some(gmail), Some(2_000.0)), Some((300.0, "Gmail's budget")));
        assert_eq!(rate(Some(gmail), Some(120.0)), Some((120.0, "the pace of the last run")));
        assert_eq!(rate(None, None), None);
    }

    #[test]
    fn a_run_that_read_few_messages_says_nothing_of_the_rate() {
        let mut hub = Hub::in_memory().unwrap();
        let mut run = |read: u64, read_ms: u64| {
            let run = hub.begin_run(1).unwrap();
            let row = json!({"name": "google", "kind": "mail", "read": read, "read_ms": read_ms});
            hub.end_run(run, 2, 0, &json!({"replicas": [row]}).to_string()).unwrap();
            (last_rate(&hub, "google").unwrap(), last_rate(&hub, "microsoft365").unwrap())
        };
        assert_eq!(run(49, 1_000), (None, None));
        assert_eq!(run(600, 120_000), (Some(300.0), None));
        assert_eq!(run(3, 3_000), (Some(300.0), None));
        assert_eq!(run(100, 60_000), (Some(100.0), None));
    }
}
