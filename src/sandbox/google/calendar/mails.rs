//! The mails that the real service would send. None leaves the sandbox; each is counted, with who gets it, what it is and
//! for which event.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Request, State};

/// One mail that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The address.
    pub to: String,
    /// What it says.
    pub what: Notice,
    /// The calendar whose event it is about.
    pub calendar: String,
    /// The event's id, an occurrence's if it is about one.
    pub event: String,
    /// The event's title.
    pub summary: String,
    /// When, by the sandbox's clock.
    pub at_ms: i64,
}

/// What a mail says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Notice {
    /// You are invited.
    Invitation,
    /// The event was changed.
    Update,
    /// The event was called off, or you were taken off its list.
    Cancellation,
    /// To the organizer: a guest answered.
    Response,
}

/// Who is to be told, as a request says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tell {
    All,
    ExternalOnly,
    /// Nobody, although some mail may be sent all the same.
    Nobody,
    /// Nobody, and this is no question of the request (import).
    Never,
}

impl Tell {
    /// What `sendUpdates`, or else the older `sendNotifications`, asks for.
    pub fn of(state: &State, request: &Request) -> Self {
        match (request.param("sendUpdates"), request.param("sendNotifications")) {
            (Some("all"), _) | (None, Some("true")) => Self::All,
            (Some("externalOnly"), _) => Self::ExternalOnly,
            (Some(_), _) | (None, Some(_)) => Self::Nobody,
            (None, None) if state.switches.calendar_mails_unasked => Self::All,
            (None, None) => Self::Nobody,
        }
    }
}

/// Notes the mails of a change: of an event that was `old` (none: it is new) and is now `new`. `is_telling` says whether
/// what changed concerns the guests at all.
pub(super) fn note(
    state: &mut State,
    tell: Tell,
    (calendar, id): (&str, &str),
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
    is_telling: bool,
) {
    let is_organizer = is_own(state, calendar, new);
    let was_there = old.is_some_and(|old| !is_cancelled(old));
    let is_there = !is_cancelled(new);
    let before = old.filter(|_| was_there).map(guests).unwrap_or_default();
    let after = if is_there { guests(new) } else { Vec::new() };
    let mut letters: Vec<(String, Notice)> = Vec::new();
    if is_organizer {
        for guest in &after {
            match before.contains(guest) {
                false => letters.push((guest.clone(), Notice::Invitation)),
                true if is_telling => letters.push((guest.clone(), Notice::Update)),
                true => {}
            }
        }
        let gone = before.iter().filter(|guest| !after.contains(guest));
        letters.extend(gone.map(|guest| (guest.clone(), Notice::Cancellation)));
    } else if let (Some(old), Some(organizer)) = (old, organizer(new)) {
        let is_another = own_answer(state, calendar, old) != own_answer(state, calendar, new);
        if (was_there && !is_there) || (is_there && is_another) {
            letters.push((organizer.to_owned(), Notice::Response));
        }
    }
    let summary = new.get("summary").and_then(Value::as_str).unwrap_or_default().to_owned();
    let at_ms = state.now_ms();
    let anyway = state.switches.calendar_none_still_mails;
    for (to, what) in letters {
        let is_outside = is_outside(state, &to);
        let goes = match tell {
            Tell::All => true,
            Tell::ExternalOnly => is_outside,
            Tell::Nobody => anyway && is_outside && what == Notice::Cancellation,
            Tell::Never => false,
        };
        if goes && !state.google.calendar.is_self(calendar, &to) {
            let (calendar, event) = (calendar.to_owned(), id.to_owned());
            state.google.calendar.mails.push(Mail { to, what, calendar, event, summary: summary.clone(), at_ms });
        }
    }
}

/// Whether the calendar's owner organizes this event.
pub(super) fn is_own(state: &State, calendar: &str, body: &Map<String, Value>) -> bool {
    organizer(body).is_none_or(|email| state.google.calendar.is_self(calendar, email))
}

fn organizer(body: &Map<String, Value>) -> Option<&str> {
    body.get("organizer")?.get("email")?.as_str()
}

fn is_cancelled(body: &Map<String, Value>) -> bool {
    body.get("status").and_then(Value::as_str) == Some("cancelled")
}

/// The addresses of the guests, rooms left out.
fn guests(body: &Map<String, Value>) -> Vec<String> {
    let list = body.get("attendees").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let people = list.iter().filter(|guest| guest["resource"] != true);
    people.filter_map(|guest| guest["email"].as_str()).map(str::to_lowercase).collect()
}

/// What the calendar's owner answered to the invitation.
fn own_answer<'a>(state: &State, calendar: &str, body: &'a Map<String, Value>) -> Option<&'a Value> {
    let list = body.get("attendees")?.as_array()?;
    let mine =
        |guest: &&Value| guest["email"].as_str().is_some_and(|email| state.google.calendar.is_self(calendar, email));
    list.iter().find(mine)?.get("responseStatus")
}

/// Whether an address is not one of a Google calendar: neither of the user's organization nor of Google's own mail.
fn is_outside(state: &State, email: &str) -> bool {
    let domain = email.rsplit('@').next().unwrap_or_default();
    domain != state.google.calendar.domain && !matches!(domain, "gmail.com" | "googlemail.com")
}
