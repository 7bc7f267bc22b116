//! What stands at each place, and what runs said of themselves: the part of the facts that the hub and the sign-ins tell.

use super::triggers_of;
use crate::cli::status::signs::late_from;
use crate::config::Config;
use crate::connect;
use crate::endpoint::facts::{Collection, Kept, Replica, Run, SignIn};
use serde_json::Value;
use std::collections::BTreeMap;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report;
use twofold_hub::{Hub, Place};
use twofold_model::{Kind, Result};

/// Every place of the configuration, by its name there, and the kinds that it keeps.
fn configured(config: &Config) -> Vec<(String, bool, Vec<Kind>)> {
    let google =
        config.google.iter().map(|table| (ProviderName::Google.as_str().to_owned(), false, table.kinds.clone()));
    let microsoft = config
        .microsoft365
        .iter()
        .map(|table| (ProviderName::Microsoft365.as_str().to_owned(), false, table.kinds.clone()));
    let devices = config.devices.iter().map(|device| (device.name.clone(), true, device.kinds.clone()));
    google.chain(microsoft).chain(devices).collect()
}

/// What stands where, and how it is. `started_ms`: when the service began; where none runs nobody is due to look, and nothing is late.
pub(super) fn replicas(config: &Config, hub: &Hub, started_ms: Option<i64>) -> Result<Vec<Replica>> {
    let (known, holds, vault) = (hub.replicas()?, hub.holds()?, Vault::open(&config.state_dir)?);
    let triggers = triggers_of(config);
    let mut all = Vec::new();
    for (name, is_device, kinds) in configured(config) {
        let found = known.iter().find(|replica| replica.name == name);
        let copies = found.map(|replica| hub.copies_by_collection(replica.id)).transpose()?.unwrap_or_default();
        let mut rows = BTreeMap::new();
        for kind in kinds {
            let places = found.map(|replica| hub.places(replica.id, kind)).transpose()?.unwrap_or_default();
            let waiting = || {
                holds.iter().filter(|hold| {
                    !hold.is_approved && hold.kind == kind && found.is_some_and(|replica| replica.id == hold.replica)
                })
            };
            let read = found.map(|replica| that_are_read(hub, replica.id, &places)).transpose()?.unwrap_or_default();
            let first = read.iter().map(|place| place.read_ms).min();
            let hold_any = read.iter().filter(|place| copies.contains_key(&place.collection));
            // A place of which there is no collection of a kind was read when it was reached.
            let read_ms = first.unwrap_or_else(|| found.and_then(|replica| replica.last_ok_ms));
            rows.insert(
                kind,
                Kept {
                    collections: places.len(),
                    items: places.iter().filter_map(|place| copies.get(&place.collection)).sum(),
                    read_ms,
                    proof_ms: hold_any.map(|place| place.proof_ms).min().flatten(),
                    late_from_ms: triggers.get(&kind).and_then(|trigger| late_from(trigger, read_ms, started_ms?)),
                    held: waiting().count(),
                    held_since_ms: waiting().map(|hold| hold.since_ms).min(),
                },
            );
        }
        let provider = ProviderName::from_name(&name);
        let sign_in = provider.map(|provider| vault.status(provider)).transpose()?;
        let not_granted = provider.map(|provider| connect::not_granted(config, provider, &vault)).transpose()?;
        let why = found.map(|replica| report::why(hub, replica.id)).transpose()?.unwrap_or_default();
        all.push(Replica {
            is_device,
            down: found.map(|replica| twofold_cycle::was_down(hub, replica.id)).transpose()?.unwrap_or_default(),
            // In the words in which the service tells of it.
            why: why.into_iter().map(|(kind, words)| (kind, report::lasting(&words))).collect(),
            trouble: found.and_then(|replica| replica.trouble.as_deref()).map(report::lasting),
            sign_in: sign_in.map(|status| SignIn {
                needed: status.advice(),
                not_granted: not_granted.unwrap_or_default(),
                since_ms: status.signed_in_ms.and_then(|ms| i64::try_from(ms).ok()),
                ends_ms: status.refresh_expires_ms.and_then(|ms| i64::try_from(ms).ok()),
            }),
            kinds: rows,
            quarantined: found.map(|replica| hub.count_quarantined(replica.id)).transpose()?.unwrap_or(0),
            withheld: found.map(|replica| hub.count_withheld(replica.id)).transpose()?.unwrap_or(0),
            name,
        });
    }
    Ok(all)
}

/// The collections at a replica that are read there: not those that leave, are left out, or are said to be gone.
fn that_are_read<'a>(hub: &Hub, replica: i64, places: &'a [Place]) -> Result<Vec<&'a Place>> {
    let held = hub.held_places()?;
    let mut all = Vec::new();
    for place in places.iter().filter(|place| !held.contains(&(replica, place.collection))) {
        if hub.collection(place.collection)?.is_some_and(|one| one.stays() && !one.is_left_out) {
            all.push(place);
        }
    }
    Ok(all)
}

/// Every collection, by the place that it belongs to.
pub(super) fn collections(hub: &Hub) -> Result<BTreeMap<String, Vec<Collection>>> {
    let mut all = BTreeMap::new();
    let replicas = hub.replicas()?;
    let name_of = |id: i64| replicas.iter().find(|replica| replica.id == id).map(|replica| replica.name.clone());
    for replica in &replicas {
        let copies = hub.copies_by_collection(replica.id)?;
        let mut of_replica = Vec::new();
        for kind in [Kind::Mail, Kind::Calendar, Kind::Contacts] {
            for place in hub.places(replica.id, kind)? {
                let collection = hub.collection(place.collection)?;
                let is_left_out = collection.as_ref().is_some_and(|one| one.is_left_out);
                let account = collection.filter(|_| replica.is_device).and_then(|one| name_of(one.origin));
                let note = match (is_left_out, place.can_write) {
                    (true, _) => Some("left out"),
                    (false, false) => Some("read only"),
                    (false, true) => None,
                };
                let items = copies.get(&place.collection).copied().unwrap_or(0);
                let (name, kind) = (place.name, kind.as_str().to_owned());
                let (read_ms, proof_ms) = (place.read_ms, place.proof_ms);
                of_replica.push(Collection { name, account, kind, items, note, read_ms, proof_ms });
            }
        }
        // Where the most is comes first.
        of_replica.sort_by_key(|one| std::cmp::Reverse(one.items));
        all.insert(replica.name.clone(), of_replica);
    }
    Ok(all)
}

/// A run, and what it said of itself.
pub(super) fn run((run, report): (twofold_hub::Run, Option<String>)) -> Run {
    let report: Value = report.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let rows = report["replicas"].as_array().map_or(&[][..], Vec::as_slice);
    let sum = |keys: &[&str]| rows.iter().flat_map(|row| keys.iter().filter_map(|key| row[*key].as_u64())).sum::<u64>();
    let taken = sum(&["created", "updated", "moved", "deleted"]);
    let sent = sum(&["sent_created", "sent_updated", "sent_moved", "sent_deleted"]);
    Run {
        id: run.id,
        started_ms: run.started_ms,
        ended_ms: run.finished_ms,
        exit: run.exit,
        // What was taken from one place and sent to another is one change.
        changes: taken.max(sent),
        requests: sum(&["requests"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_taken_and_sent_on_is_one_change() {
        let rows = json!({"replicas": [
            {"name": "google", "kind": "mail", "created": 2, "moved": 1, "requests": 7},
            {"name": "laptop", "kind": "mail", "sent_created": 2, "sent_moved": 1, "sent_deleted": 1, "requests": 0},
        ]});
        let ended = twofold_hub::Run { id: 1, started_ms: 2, finished_ms: Some(3), exit: Some(0) };
        let told = run((ended.clone(), Some(rows.to_string())));
        assert_eq!((told.changes, told.requests, told.ended_ms), (4, 7, Some(3)));
        // A run that was cut off said nothing of itself.
        assert_eq!((run((ended, None)).changes, told.id), (0, 1));
    }
}
