//! Signs of life: what was read and proven when, what is late, when the next run is, what is left of budgets, sign-ins and the disk.

use crate::cli::endpoint::rooms;
use crate::config::Config;
use crate::connect;
use crate::daemon::live::Snapshot;
use crate::endpoint::facts::Room;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use twofold_auth::Status;
use twofold_hub::{Hub, Place};
use twofold_model::{Kind, Result};
use twofold_schedule::Trigger;

/// What was read so long ago is late, however often the collection is looked at …
const LATE_MS: i64 = 3_600_000;
/// … unless it is looked at more seldom: so many times in vain are late.
const LOOKS: usize = 3;

/// What is said of each collection beside what it holds.
pub struct Signs {
    /// Since when a service is there that looks, and at which moment it should have; `None`: none is there.
    watched: Option<(i64, i64)>,
    triggers: BTreeMap<Kind, Trigger>,
    /// Items in quarantine, by replica and collection.
    quarantined: HashMap<(i64, i64), usize>,
    /// Collections that nobody reads, and those that are said to be gone from a replica.
    left_out: Vec<i64>,
    gone: HashSet<(i64, i64)>,
}

impl Signs {
    /// Of a hub, at that moment; `triggers` say how often the service looks at each kind, if one runs.
    pub fn new(hub: &Hub, triggers: BTreeMap<Kind, Trigger>, service: Option<&Snapshot>, now_ms: i64) -> Result<Signs> {
        let mut quarantined = HashMap::new();
        for bad in hub.quarantined()? {
            if let Some(collection) = bad.collection {
                *quarantined.entry((bad.replica, collection)).or_default() += 1;
            }
        }
        let mut left_out = Vec::new();
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            left_out
                .extend(hub.collections(kind)?.iter().filter(|one| one.is_left_out || !one.stays()).map(|one| one.id));
        }
        // A run that is under way reads, and holds up what is due meanwhile.
        let as_of_ms = |live: &Snapshot| live.run.as_ref().map_or(now_ms, |run| run.began_ms);
        let watched = service.map(|live| (live.since_ms, as_of_ms(live)));
        Ok(Signs { watched, triggers, quarantined, left_out, gone: hub.held_places()?.into_iter().collect() })
    }

    /// Puts the signs of a collection at a replica to what is said of it.
    pub fn put(&self, row: &mut Value, kind: Kind, place: &Place) {
        let is_read =
            !self.left_out.contains(&place.collection) && !self.gone.contains(&(place.replica, place.collection));
        let late_ms = self.watched.filter(|_| is_read).and_then(|(since_ms, as_of_ms)| {
            Some((late_from(self.triggers.get(&kind)?, place.read_ms, since_ms)?, as_of_ms))
        });
        let is_late = late_ms.is_some_and(|(late_ms, as_of_ms)| late_ms < as_of_ms);
        row["last_read_ms"] = json!(place.read_ms);
        row["last_proof_ms"] = json!(place.proof_ms);
        row["late"] = json!(is_late);
        row["quarantined"] = json!(self.quarantined.get(&(place.replica, place.collection)).copied().unwrap_or(0));
    }
}

/// Until when what is looked at by the trigger of a service, and was read then, is in time; `None`: what is never due again is never late.
/// What was read before the service began was nobody's duty until then.
pub fn late_from(trigger: &Trigger, read_ms: Option<i64>, since_ms: i64) -> Option<i64> {
    let from_ms = read_ms.unwrap_or(since_ms).max(since_ms);
    let mut due_ms = from_ms;
    for _ in 0..LOOKS {
        due_ms = trigger.next(due_ms)?;
    }
    Some(due_ms.max(from_ms.saturating_add(LATE_MS)))
}

/// What is known of a sign-in.
pub fn sign_in(status: &Status) -> Value {
    json!({
        "ok": status.cause().is_none(),
        "since_ms": status.signed_in_ms,
        "ends_ms": status.refresh_expires_ms,
        "access_ends_ms": status.access_expires_ms,
    })
}

/// What is left of each budget.
pub fn budgets_left(config: &Config, hub: &Hub, now_ms: i64) -> Result<Value> {
    let mut rows = Vec::new();
    for (name, left) in connect::budgets_left(config, hub, now_ms)? {
        let row = |what: &str, number: u64, of: u32, window_s: u32| {
            json!({"name": name, "what": what, "left": number, "of": of, "window_s": window_s,
                   "pause_until_ms": left.pause_until_ms})
        };
        rows.extend(left.requests.map(|(number, of, window_s)| row("requests", number, of, window_s)));
        rows.extend(left.units.map(|(number, of)| row("units", number, of, 60)));
        // One of which nothing is counted is told where it is to be left alone.
        if left.requests.is_none() && left.units.is_none() && left.pause_until_ms.is_some() {
            rows.push(row("pause", 0, 0, 0));
        }
    }
    Ok(Value::from(rows))
}

/// What the state folder takes of the disk, and what is free there and where the folders of devices lie, in bytes.
pub fn disk(config: &Config) -> Result<Value> {
    let hub = hub_size(config);
    let blobs = connect::blobs_kept(config)?.map(|(_, bytes)| bytes);
    let (of_state, of_devices): (Vec<Room>, Vec<Room>) =
        rooms(config).into_iter().partition(|room| room.device.is_none());
    let devices = of_devices.iter().map(|room| json!({"name": room.device, "free": room.free}));
    let free = of_state.first().map(|room| room.free);
    Ok(json!({"hub": hub, "blobs": blobs, "free": free, "devices": devices.collect::<Vec<_>>()}))
}

/// What the hub's files take, in bytes.
pub fn hub_size(config: &Config) -> u64 {
    let size = |name: &str| std::fs::metadata(config.state_dir.join(name)).map_or(0, |meta| meta.len());
    ["hub.sqlite", "hub.sqlite-wal", "hub.sqlite-shm"].map(size).iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn is_late(trigger: &Trigger, read_ms: i64, now_ms: i64) -> bool {
        late_from(trigger, Some(read_ms), 0).is_some_and(|late_ms| now_ms > late_ms)
    }

    #[test]
    fn a_collection_is_late_after_an_hour_or_after_three_looks_in_vain() {
        let often = Trigger::Every(5 * MINUTE);
        assert!(!is_late(&often, 0, HOUR) && is_late(&often, 0, HOUR + 1));
        let seldom = Trigger::Every(6 * HOUR);
        assert!(!is_late(&seldom, 0, 18 * HOUR) && is_late(&seldom, 0, 18 * HOUR + 1));
        assert!(!is_late(&often, 10 * HOUR, 0), "a clock that was set back");
        assert_eq!(late_from(&often, Some(0), 5 * HOUR), Some(6 * HOUR), "a service that began later");
        assert_eq!(late_from(&often, None, 5 * HOUR), Some(6 * HOUR), "never proven");
        // Over a night in which nobody looks, nothing grows late: from six in the evening to a while past eight.
        let office = Trigger::cron("0 */5 8-18 * * *", chrono_tz::UTC).unwrap();
        let evening = 18 * HOUR + 55 * MINUTE;
        assert!(!is_late(&office, evening, 32 * HOUR + 10 * MINUTE));
        assert!(is_late(&office, evening, 32 * HOUR + 11 * MINUTE));
    }
}
