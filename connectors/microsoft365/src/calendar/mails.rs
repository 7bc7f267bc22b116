//! Whether a change would send mail to people. Graph has no switch against it (sheet, 4.7): the organizer's changes are told to the
//! guests at once, a removal cancels the meeting, and the removal of an invitation may decline it.

use super::sheet::Sheet;
use super::wire::{Event, PRIVATE, WRITABLE};
use serde_json::Value;
use std::collections::BTreeSet;
use twofold_model::event::address_identity;

/// How many people making `to` of `from` (`None`: removing it) would mail.
pub fn would_mail(from: &Sheet, to: Option<&Sheet>) -> usize {
    let is_told = match to {
        None => !from.event.is("isCancelled"),
        Some(to) if from.cancelled != to.cancelled || from.exceptions.len() != to.exceptions.len() => true,
        Some(to) => {
            let mut pairs = from.exceptions.iter().zip(&to.exceptions).chain([(&from.event, &to.event)]);
            pairs.any(|(from, to)| differs_openly(from, to))
        }
    };
    match is_told {
        true => {
            let all: BTreeSet<String> = people(from).chain(to.into_iter().flat_map(people)).collect();
            // A meeting of which nobody but the user can be named: better one question too many.
            let is_meeting = |sheet: &Sheet| [&sheet.event].into_iter().chain(&sheet.exceptions).any(Event::has_guests);
            all.len().max(usize::from(is_meeting(from) || to.is_some_and(is_meeting)))
        }
        false => 0,
    }
}

/// Who would hear of it, by their addresses: of the user's own meeting its guests, of somebody else's the one who organizes it.
fn people(sheet: &Sheet) -> impl Iterator<Item = String> {
    [&sheet.event].into_iter().chain(&sheet.exceptions).flat_map(|event| {
        let address = |person: &Value| {
            person.get("emailAddress").and_then(|of| of.get("address")).and_then(Value::as_str).map(address_identity)
        };
        let organizer = event.0.get("organizer").and_then(address);
        if event.is_foreign() {
            return vec![organizer.unwrap_or_default()];
        }
        let guests = event.0.get("attendees").and_then(Value::as_array).into_iter().flatten();
        // A guest without an address is one all the same.
        let guests = guests.map(|guest| address(guest).unwrap_or_default());
        guests.filter(|guest| organizer.as_ref() != Some(guest)).collect()
    })
}

/// Whether something differs that is not the user's own.
fn differs_openly(from: &Event, to: &Event) -> bool {
    let open = WRITABLE.iter().filter(|name| !PRIVATE.contains(name));
    let patch = to.patch_body(from).unwrap_or_default();
    open.into_iter().any(|name| patch.get(*name).is_some())
}
