//! How many people a change would mail where they are to be told. Pure.
//!
//! Every write says `sendUpdates=none`, but the guests would then have another meeting in their calendars than the one that is (sheet: "some
//! emails might still be sent"). So what Google's own page would ask about, the change of a meeting of the user's own that has guests, waits
//! for a person.

use serde_json::Value;
use std::collections::BTreeSet;
use twofold_model::event::address_identity;

use super::changes::{Changes, RowChange, difference};
use super::rendering::Series;
use super::wire::{Object, is_set, text};

/// What is the user's own in an event, and no news for its guests.
const PRIVATE: [&str; 4] = ["colorId", "reminders", "transparency", "extendedProperties"];

/// How many people making `to` of `from` (`None`: removing it) would mail.
pub(super) fn would_mail(from: &Series, to: Option<&Series>) -> usize {
    let is_own = |part: &&Object| {
        part.get("organizer").and_then(|organizer| organizer.get("self")) == Some(&Value::Bool(true))
            && text(part, "status") != Some("cancelled")
    };
    if !from.parts().any(|part| is_own(&part)) {
        return 0;
    }
    let mut people: BTreeSet<String> = from.parts().flat_map(guests).collect();
    if let Some(to) = to {
        let changes = Changes::between(from, to);
        let is_news = |body: &Object| body.keys().any(|name| !PRIVATE.contains(&name.as_str()));
        let row_is_news = |change: &RowChange| match (&change.from, &from.event) {
            (Some(row), _) => is_news(&difference(row, &change.row)),
            // No exception until now: it said what the series says, at its own time.
            (None, Some(master)) => {
                let mut body = difference(master, &change.row);
                body.retain(|name, _| !matches!(name.as_str(), "start" | "end" | "recurrence"));
                is_news(&body) || change.row.get("start") != change.row.get("originalStartTime")
            }
            (None, None) => true,
        };
        if !is_news(&changes.master) && !changes.rows.iter().any(row_is_news) {
            return 0;
        }
        people.extend(to.parts().flat_map(guests));
    }
    people.len()
}

/// The guests of an event but the user, by their addresses. Of a list that is told in part there is at least one more.
fn guests(part: &Object) -> Vec<String> {
    let list = part.get("attendees").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
    let others = list.filter(|guest| !is_set(guest, "self") && !is_set(guest, "organizer"));
    let mut all: Vec<String> = others.filter_map(|guest| text(guest, "email")).map(address_identity).collect();
    if is_set(part, "attendeesOmitted") {
        all.push(String::new());
    }
    all
}
