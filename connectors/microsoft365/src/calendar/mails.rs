//! Whether a change would send mail to people. Graph has no switch against it (sheet, 4.7): the organizer's changes are told to the
//! guests at once, a removal cancels the meeting, and the removal of an invitation may decline it.

use super::sheet::Sheet;
use super::wire::{Event, PRIVATE, WRITABLE};

/// Whether making `to` of `from` (`None`: removing it) would mail anybody.
pub fn would_mail(from: &Sheet, to: Option<&Sheet>) -> bool {
    let is_meeting =
        from.event.is_foreign() || from.event.has_guests() || from.exceptions.iter().any(Event::has_guests);
    if !is_meeting {
        return false;
    }
    let Some(to) = to else { return !from.event.is("isCancelled") };
    if from.cancelled != to.cancelled || from.exceptions.len() != to.exceptions.len() {
        return true;
    }
    let pairs = from.exceptions.iter().zip(&to.exceptions).chain([(&from.event, &to.event)]);
    pairs.into_iter().any(|(from, to)| differs_openly(from, to))
}

/// Whether something differs that is not the user's own.
fn differs_openly(from: &Event, to: &Event) -> bool {
    let open = WRITABLE.iter().filter(|name| !PRIVATE.contains(name));
    let patch = to.patch_body(from).unwrap_or_default();
    open.into_iter().any(|name| patch.get(*name).is_some())
}
