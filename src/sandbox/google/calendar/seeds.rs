//! The calendars and events of the start. Invented, all of them; addresses are from the names kept free for examples.

use serde_json::{Map, Value, json};

use super::events::{self, Hand, Site, signed};
use super::fields;
use super::instances::current;
use super::mails::Tell;
use super::store::{self, Event, Role};
use crate::{Seed, State};

/// Seeds were written this long before the start, so that a lagging list shows them.
const AGE_MS: i64 = 40 * 86_400_000;
/// What the service makes out of the contacts.
const BIRTHDAYS: &str = "addressbook#contacts@group.v.calendar.google.com";
/// The calendar that is shared with the user for reading.
const HOLIDAYS: &str = "en.german#holiday@group.v.calendar.google.com";
/// One that exists and is not in the list.
const OTHER_HOLIDAYS: &str = "en.austrian#holiday@group.v.calendar.google.com";

/// Fills the account, which is empty before. `count` events, or what belongs to the seed.
pub(crate) fn seed(state: &mut State, seed: Seed, count: Option<usize>) {
    let account = state.google_account.clone();
    store::settle_in(state, &account);
    let at_ms = state.now_ms() - AGE_MS;
    match count {
        Some(count) => bulk(state, count, at_ms),
        None if seed == Seed::Demo => demo(state, at_ms),
        None => {}
    }
}

fn demo(state: &mut State, at_ms: i64) {
    let club =
        calendar(state, "c_5e1f@group.calendar.google.com", Role::Owner, ("Klubi", "Europe/Helsinki", "7"), at_ms);
    let shared = calendar(
        state,
        "c_77aa@group.calendar.google.com",
        Role::Writer,
        ("Projekt “Æther”", "America/New_York", "16"),
        at_ms,
    );
    let holidays = calendar(state, HOLIDAYS, Role::Reader, ("Holidays in Germany", "Europe/Berlin", "8"), at_ms);
    let others = calendar(state, OTHER_HOLIDAYS, Role::Reader, ("Holidays in Austria", "Europe/Vienna", "8"), at_ms);
    let gone = state.google.calendar.calendar(&others).map(|here| here.entry.newest().value.clone());
    if let Some(mut entry) = gone {
        entry.is_deleted = true;
        store::put_entry(state, &others, entry);
    }
    let birthdays = calendar(state, BIRTHDAYS, Role::Reader, ("Birthdays", "Europe/Berlin", "13"), at_ms);
    let birthday = json!({
        "summary": "Siobhán O'Connor", "start": { "date": "2026-06-17" }, "end": { "date": "2026-06-18" },
        "recurrence": ["RRULE:FREQ=YEARLY"], "transparency": "transparent", "visibility": "private",
    });
    put(state, &birthdays, "seedsiobhan", birthday, at_ms + 500);
    let own = state.google.calendar.owner.clone();
    let mut at_ms = at_ms;
    for (id, body) in own_events() {
        at_ms += 61_000;
        put(state, &own, id, body, at_ms);
    }
    let standup = "seedstandup";
    touch(state, &own, &format!("{standup}_20260112T083000Z"), json!({ "summary": "Stand-up (with cake)" }));
    let later = json!({
        "start": { "dateTime": "2026-01-19T14:00:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-01-19T14:15:00", "timeZone": "Europe/Berlin" },
    });
    touch(state, &own, &format!("{standup}_20260119T083000Z"), later);
    touch(state, &own, &format!("{standup}_20260126T083000Z"), json!({ "status": "cancelled" }));
    let sauna = json!({
        "summary": "Saunailta", "location": "Löyly, Helsinki",
        "start": { "dateTime": "2026-02-05T18:00:00", "timeZone": "Europe/Helsinki" },
        "end": { "dateTime": "2026-02-05T22:00:00", "timeZone": "Europe/Helsinki" },
        "recurrence": ["RRULE:FREQ=MONTHLY;BYDAY=1TH;UNTIL=20261231T220000Z"],
    });
    put(state, &club, "seedsauna", sauna, at_ms + 1_000);
    let review = json!({
        "summary": "Review; part 2, draft", "description": "Agenda:\n1. Look back\n2. Look ahead",
        "start": { "dateTime": "2026-03-10T11:00:00", "timeZone": "America/New_York" },
        "end": { "dateTime": "2026-03-10T12:00:00", "timeZone": "America/New_York" },
    });
    put(state, &shared, "seedreview", review, at_ms + 2_000);
    let days = [("2026-01-01", "2026-01-02", "New Year's Day"), ("2026-05-01", "2026-05-02", "Labour Day")];
    for (start, end, summary) in days.into_iter().chain([("2026-12-25", "2026-12-27", "Christmas Days")]) {
        let day = json!({
            "summary": summary, "start": { "date": start }, "end": { "date": end },
            "transparency": "transparent", "visibility": "public",
        });
        put(state, &holidays, &format!("2026{}", start.replace('-', "")), day, at_ms + 3_000);
    }
}

/// What stands on the primary calendar.
fn own_events() -> Vec<(&'static str, Value)> {
    let timed = |start: &str, end: &str, zone: &str| json!({ "start": { "dateTime": start, "timeZone": zone }, "end": { "dateTime": end, "timeZone": zone } });
    let days = |start: &str, end: &str| json!({ "start": { "date": start }, "end": { "date": end } });
    let with = |mut base: Value, more: Value| {
        if let (Some(base), Value::Object(more)) = (base.as_object_mut(), more) {
            base.extend(more);
        }
        base
    };
    vec![
        (
            "seedstandup",
            with(
                timed("2026-01-05T09:30:00", "2026-01-05T09:45:00", "Europe/Berlin"),
                json!({ "summary": "Stand-up", "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"], "colorId": "9" }),
            ),
        ),
        (
            "seedmeeting",
            with(
                timed("2026-02-11T15:00:00", "2026-02-11T16:30:00", "Europe/Berlin"),
                json!({
                    "summary": "Quarterly figures", "location": "Room 4.02", "description": "<b>Bring</b> the numbers.",
                    "attendees": [
                        { "email": "ada@example.com", "responseStatus": "accepted" },
                        { "email": "zoe@example.com", "displayName": "Zoë Ångström-Łukasiewicz", "responseStatus": "tentative" },
                        { "email": "guest@example.org", "optional": true },
                    ],
                    "reminders": { "useDefault": false, "overrides": [
                        { "method": "popup", "minutes": 15 }, { "method": "email", "minutes": 1440 },
                    ] },
                }),
            ),
        ),
        (
            "seedholiday",
            with(days("2026-07-20", "2026-08-03"), json!({ "summary": "Urlaub 🏖", "transparency": "transparent" })),
        ),
        (
            "seedbirthday",
            with(days("2026-03-09", "2026-03-10"), json!({ "summary": "Мария", "recurrence": ["RRULE:FREQ=YEARLY"] })),
        ),
        (
            "seedflight",
            json!({
                "summary": "FRA → NRT", "location": "Frankfurt am Main",
                "start": { "dateTime": "2026-04-01T13:35:00", "timeZone": "Europe/Berlin" },
                "end": { "dateTime": "2026-04-02T08:50:00", "timeZone": "Asia/Tokyo" },
                "source": { "title": "Booking", "url": "https://example.com/booking?id=1&x=2" },
            }),
        ),
        (
            "seeddoctor",
            with(
                timed("2026-02-03T08:00:00", "2026-02-03T08:30:00", "Europe/Berlin"),
                json!({ "summary": "Dr. Müller-Groß", "visibility": "private", "reminders": { "useDefault": false } }),
            ),
        ),
        (
            "seedaway",
            with(
                timed("2026-05-15T00:00:00", "2026-05-16T00:00:00", "Europe/Berlin"),
                json!({
                    "summary": "Out of office", "eventType": "outOfOffice",
                    "outOfOfficeProperties": { "autoDeclineMode": "declineNone" },
                }),
            ),
        ),
        (
            "seedticket",
            with(
                timed("2026-06-12T19:30:00", "2026-06-12T22:00:00", "Europe/Berlin"),
                json!({ "summary": "Concert: seat 12", "eventType": "fromGmail", "location": "Example Hall" }),
            ),
        ),
        (
            "seedfit",
            with(
                timed("2026-01-06T18:00:00", "2026-01-06T19:00:00", "Europe/Berlin"),
                json!({
                    "summary": "Training",
                    "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=20", "EXDATE;TZID=Europe/Berlin:20260113T180000"],
                    "extendedProperties": { "private": { "plan": "b" }, "shared": { "club": "north" } },
                    "status": "tentative",
                }),
            ),
        ),
    ]
}

/// Makes a calendar and gives its id.
fn calendar(state: &mut State, id: &str, role: Role, (summary, zone, color): (&str, &str, &str), at_ms: i64) -> String {
    let mut fields = Map::new();
    fields.insert("summary".into(), json!(summary));
    fields.insert("timeZone".into(), json!(zone));
    let mut entry = Map::new();
    entry.insert("colorId".into(), json!(color));
    entry.insert("selected".into(), json!(true));
    entry.insert("defaultReminders".into(), json!([]));
    store::add_calendar(state, id, role, fields, entry, at_ms);
    id.to_owned()
}

/// Stores an event under an id as if it had been written then.
fn put(state: &mut State, calendar: &str, id: &str, body: Value, at_ms: i64) {
    let Value::Object(body) = body else { return };
    let is_primary = calendar == state.google.calendar.owner;
    // Invariant: seeds are valid events; a test reads them all.
    let Ok(body) = fields::settle(state, (calendar, is_primary), body) else { return };
    let body = signed(state, calendar, id, None, body);
    let event = Event { body, created_ms: at_ms, updated_ms: at_ms, ..Event::default() };
    store::put_event_at(state, calendar, id, event, at_ms);
}

/// Changes an occurrence, as the user did it long ago.
fn touch(state: &mut State, calendar: &str, id: &str, patch: Value) {
    let Some(found) = current(state, calendar, id) else { return };
    let site = Site { calendar: calendar.to_owned(), is_primary: true, tell: Tell::Never, hand: Hand::User };
    let mut body = found.event.body.clone();
    if let Value::Object(patch) = patch {
        events::merge(&mut body, patch);
    }
    if body.get("status") == Some(&json!("cancelled")) {
        // It was a living occurrence a line above, so it can be cancelled.
        let _ = events::cancel(state, &site, id, &found.event);
    } else {
        let _ = events::replace(state, &site, id, found, body);
    }
    let stored = current(state, calendar, id).map(|found| found.event);
    if let Some(mut event) = stored {
        let at_ms = state.now_ms() - AGE_MS + 3_600_000;
        event.updated_ms = at_ms;
        store::backdate(state, calendar, id, event, at_ms);
    }
}

/// So many events on the primary calendar, the same ones each time; each tenth is a series with a changed and a cancelled
/// occurrence. A secondary calendar holds nothing.
fn bulk(state: &mut State, count: usize, at_ms: i64) {
    let own = state.google.calendar.owner.clone();
    calendar(state, "c_5e1f@group.calendar.google.com", Role::Owner, ("Klubi", "Europe/Helsinki", "7"), at_ms);
    let mut at_ms = at_ms;
    for i in 0..count {
        at_ms += 61;
        let id = format!("bulk{i:06}");
        let (day, month, hour) = (i % 28 + 1, i / 28 % 12 + 1, 8 + i % 9);
        let zone = ["Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo"][i / 3 % 4];
        let mut body = match i % 4 {
            0 => json!({
                "start": { "date": format!("2026-{month:02}-{day:02}") },
                "end": { "date": format!("2026-{month:02}-{:02}", day + 1 + (i % 2)) },
            }),
            _ => json!({
                "start": { "dateTime": format!("2026-{month:02}-{day:02}T{hour:02}:00:00"), "timeZone": zone },
                "end": { "dateTime": format!("2026-{month:02}-{day:02}T{hour:02}:45:00"), "timeZone": zone },
            }),
        };
        body["summary"] = json!(format!("Event {i} · Größe"));
        if i % 5 == 0 {
            body["description"] = json!(format!("Number {i}\nsecond line"));
            body["location"] = json!("Example Street 1, Exampleton");
        }
        if i % 7 == 0 {
            body["reminders"] = json!({ "useDefault": false, "overrides": [{ "method": "popup", "minutes": i % 60 }] });
        }
        if i % 10 != 3 {
            put(state, &own, &id, body, at_ms);
            continue;
        }
        body["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=12"]);
        put(state, &own, &id, body, at_ms);
        let occurrences = super::instances::all(state, &own, &id, (None, None)).unwrap_or_default();
        for (which, (id, _, mut event)) in occurrences.into_iter().take(3).enumerate().skip(1) {
            let (name, value) = if which == 1 { ("summary", "Another title") } else { ("status", "cancelled") };
            event.body.insert(name.into(), json!(value));
            at_ms += 1;
            event.updated_ms = at_ms;
            store::put_event_at(state, &own, &id, event, at_ms);
        }
    }
}
