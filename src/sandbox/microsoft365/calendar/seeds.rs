//! The events of the start. Invented, all of them.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::super::fields::Change;
use super::super::store::Rules;
use super::body::Body;
use super::events::with_exception;
use super::fields;
use super::hands::read_new;
use super::store::{Calendar, DEFAULT, MINE, OTHERS};
use crate::{Seed, State, Switches};

/// Seeds were written this long before the start, so that a lagging delta shows them.
const AGE_MS: i64 = 40 * 86_400_000;
const BERLIN: &str = "W. Europe Standard Time";

/// A calendar's key, an event, changes of single days, and days that do not take place.
type Sown = (u64, Value, Vec<(&'static str, Value)>, Vec<&'static str>);

/// Fills the calendars: with so many events, or with those that belong to the seed.
pub fn seed(state: &mut State, seed: Seed, events: Option<usize>) {
    match (events, seed) {
        (Some(count), _) => bulk(state, count),
        (None, Seed::Demo) => demo(state),
        (None, Seed::Empty | Seed::Bulk(_)) => {}
    }
}

/// Fills the demo's calendars: a series with an exception and cancelled days, whole days, other zones, meetings of the
/// user and of others, private things, and two calendars that can only be read.
fn demo(state: &mut State) {
    let add = |state: &mut State, name: &str, color: &str, is_mine: bool, is_removable: bool| {
        let calendar = Calendar {
            name: name.into(),
            color: color.into(),
            group: if is_mine { MINE } else { OTHERS },
            can_edit: is_mine,
            is_removable,
            owner: None,
            changes: 1,
        };
        // Invariant: no two seeds have one name, and a default calendar is always there.
        state.microsoft.calendar.add_calendar(calendar).unwrap_or(DEFAULT)
    };
    let private = add(state, "Privat", "lightGreen", true, true);
    let holidays = add(state, "Feiertage in Deutschland", "auto", false, true);
    add(state, "Geburtstage", "auto", false, false);
    let seeds = [work(), elsewhere(), days(private, holidays)].concat();
    for (at, (calendar, event, exceptions, cancelled)) in seeds.iter().enumerate() {
        put(state, *calendar, event, exceptions, cancelled, at);
    }
}

fn timed(subject: &str, zone: &str, start: &str, end: &str) -> Value {
    json!({
        "subject": subject,
        "start": { "dateTime": start, "timeZone": zone },
        "end": { "dateTime": end, "timeZone": zone },
    })
}

fn with(mut event: Value, more: Value) -> Value {
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}

fn guest(name: &str, address: &str, response: &str) -> Value {
    json!({
        "type": "required",
        "status": { "response": response, "time": "2025-12-01T09:00:00Z" },
        "emailAddress": { "name": name, "address": address },
    })
}

fn work() -> Vec<Sown> {
    let rule = json!({
        "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["monday", "thursday"], "firstDayOfWeek": "monday" },
        "range": { "type": "noEnd", "startDate": "2025-10-06" },
    });
    let text = "Was lief, was kommt?\n\n- <Zahlen> & \"Fakten\"\n- Schönes";
    let standup = with(
        timed("Wochenstart & Überblick", BERLIN, "2025-10-06T09:15:00", "2025-10-06T09:45:00"),
        json!({
            "recurrence": rule,
            "body": { "contentType": "text", "content": text },
            "location": { "displayName": "Raum »Spree«, 2. Stock" },
            "categories": ["Grün: Team"],
        }),
    );
    let moved = json!({
        "subject": "Wochenstart (verlegt)",
        "start": { "dateTime": "2025-12-23T14:00:00", "timeZone": BERLIN },
        "end": { "dateTime": "2025-12-23T14:30:00", "timeZone": BERLIN },
    });
    let monthly = json!({
        "pattern": { "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31 },
        "range": { "type": "numbered", "startDate": "2025-08-31", "numberOfOccurrences": 24 },
    });
    let closing = with(
        timed("Monatsabschluss", BERLIN, "2025-08-31T16:00:00", "2025-08-31T17:00:00"),
        json!({ "recurrence": monthly, "reminderMinutesBeforeStart": 1440 }),
    );
    let mine = with(
        timed("Planung der Messe", BERLIN, "2026-02-03T10:00:00", "2026-02-03T12:00:00"),
        json!({
            "attendees": [
                guest("Björn Þórsson", "bjorn@example.com", "accepted"),
                guest("Siobhán O'Connor", "siobhan@example.com", "none"),
            ],
            "body": { "contentType": "html", "content": "<p>Bitte <b>Zahlen</b> mitbringen.</p>" },
            "location": { "displayName": "Messe Berlin", "address": { "street": "Messedamm 22", "city": "Berlin" } },
            "showAs": "tentative",
            "importance": "high",
        }),
    );
    let theirs = with(
        timed("Vorstellung", "GMT Standard Time", "2026-01-20T14:00:00", "2026-01-20T15:30:00"),
        json!({
            "organizer": { "emailAddress": { "name": "Zoë Ångström", "address": "zoe@example.org" } },
            "isOrganizer": false,
            "responseStatus": { "response": "tentativelyAccepted", "time": "2026-01-02T11:00:00Z" },
            "showAs": "tentative",
            "iCalUId": "040000008200E00074C5B7101A82E0080000000000000000000000000000000000000000340000007643616C2D5569640100000064656D6F2D31406578616D706C652E6F726700",
            "attendees": [guest("Ada Beispiel", "ada@example.com", "tentativelyAccepted")],
        }),
    );
    vec![
        (DEFAULT, standup, vec![("2025-12-22", moved)], vec!["2025-12-25", "2026-01-01"]),
        (DEFAULT, closing, Vec::new(), Vec::new()),
        (DEFAULT, mine, Vec::new(), Vec::new()),
        (DEFAULT, theirs, Vec::new(), Vec::new()),
    ]
}

fn elsewhere() -> Vec<Sown> {
    let nth = json!({
        "pattern": { "type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday"], "index": "second" },
        "range": { "type": "endDate", "startDate": "2026-01-13", "endDate": "2026-12-31" },
    });
    let call = with(
        timed("Anruf Seattle", "Pacific Standard Time", "2026-01-13T18:00:00", "2026-01-13T19:00:00"),
        json!({ "recurrence": nth, "isReminderOn": false }),
    );
    let flight = json!({
        "subject": "Flug nach Tokio",
        "start": { "dateTime": "2026-03-05T13:40:00", "timeZone": BERLIN },
        "end": { "dateTime": "2026-03-06T10:25:00", "timeZone": "Tokyo Standard Time" },
        "showAs": "oof",
    });
    let odd =
        timed("Aus einem alten Kalender", "tzone://Microsoft/Custom", "2026-04-07T11:00:00", "2026-04-07T12:00:00");
    vec![
        (DEFAULT, call, vec![("2026-03-10", json!({ "location": { "displayName": "Zu Hause" } }))], Vec::new()),
        (DEFAULT, flight, Vec::new(), Vec::new()),
        (DEFAULT, odd, Vec::new(), Vec::new()),
    ]
}

fn days(private: u64, holidays: u64) -> Vec<Sown> {
    let whole = |subject: &str, zone: &str, start: &str, end: &str| {
        with(
            timed(subject, zone, &format!("{start}T00:00:00"), &format!("{end}T00:00:00")),
            json!({ "isAllDay": true, "showAs": "free", "isReminderOn": false }),
        )
    };
    let yearly = json!({
        "pattern": { "type": "absoluteYearly", "interval": 1, "dayOfMonth": 29, "month": 2 },
        "range": { "type": "noEnd", "startDate": "2024-02-29" },
    });
    let birthday = with(whole("Geburtstag Zoë", BERLIN, "2024-02-29", "2024-03-01"), json!({ "recurrence": yearly }));
    let doctor = with(
        timed("Zahnarzt", BERLIN, "2026-01-14T08:30:00", "2026-01-14T09:00:00"),
        json!({ "sensitivity": "private", "reminderMinutesBeforeStart": 60, "categories": ["Privat", "Ärzte, Ämter"] }),
    );
    let holiday =
        |subject: &str, start: &str, end: &str| (holidays, whole(subject, BERLIN, start, end), Vec::new(), Vec::new());
    vec![
        (DEFAULT, whole("Urlaub", BERLIN, "2026-07-06", "2026-07-25"), Vec::new(), Vec::new()),
        (private, birthday, Vec::new(), Vec::new()),
        (private, doctor, Vec::new(), Vec::new()),
        holiday("Neujahr", "2026-01-01", "2026-01-02"),
        holiday("Tag der Arbeit", "2026-05-01", "2026-05-02"),
        holiday("Tag der Deutschen Einheit", "2026-10-03", "2026-10-04"),
    ]
}

/// So many events in the default calendar, the same ones each time: one in ten is a series with an exception and a
/// cancelled day, one in seven lasts whole days.
fn bulk(state: &mut State, count: usize) {
    for at in 0..count {
        let day = NaiveDate::from_ymd_opt(2025, 1, 6).unwrap_or_default() + chrono::Days::new((at * 3 % 700) as u64);
        let (hour, zone) = (7 + at % 11, [BERLIN, "Pacific Standard Time", "UTC"][at % 3]);
        let mut event = timed(
            &format!("Termin {at:05}"),
            zone,
            &format!("{day}T{hour:02}:30:00"),
            &format!("{day}T{:02}:15:00", hour + 1),
        );
        let next = |days: u64| (day + chrono::Days::new(days)).to_string();
        let is_series = at % 10 == 0;
        if at % 7 == 3 && !is_series {
            event = with(
                timed(&format!("Tage {at:05}"), zone, &format!("{day}T00:00:00"), &format!("{}T00:00:00", next(2))),
                json!({ "isAllDay": true, "showAs": "free" }),
            );
        }
        if at % 5 == 0 {
            let text = json!({ "contentType": "text", "content": format!("Nummer {at}\nzweite Zeile") });
            event = with(event, json!({ "body": text, "location": { "displayName": format!("Raum {}", at % 40) } }));
        }
        let (mut exceptions, mut cancelled) = (Vec::new(), Vec::new());
        if is_series {
            let range = json!({ "type": "numbered", "startDate": day.to_string(), "numberOfOccurrences": 30 });
            event["recurrence"] = json!({ "pattern": { "type": "daily", "interval": 7 }, "range": range });
            exceptions.push((next(14), json!({ "subject": format!("Termin {at:05}, anders") })));
            cancelled.push(next(21));
        }
        put(state, DEFAULT, &event, &exceptions, &cancelled, at);
    }
}

/// Puts an event into a calendar. Seeds are valid; a test counts them.
fn put(
    state: &mut State,
    calendar: u64,
    event: &Value,
    exceptions: &[(impl AsRef<str>, Value)],
    cancelled: &[impl AsRef<str>],
    at: usize,
) {
    let Ok((mut body, uid)) = read_new(state, event) else { return };
    for (date, change) in exceptions {
        body = match changed(&body, date.as_ref(), change) {
            Some(changed) => changed,
            None => return,
        };
    }
    if let Some(series) = &mut body.series {
        series.cancelled.extend(cancelled.iter().filter_map(|date| date.as_ref().parse::<NaiveDate>().ok()));
    }
    let rules = Rules::before_all(state.now_ms() - AGE_MS + 61 * at as i64);
    state.microsoft.create_event(&rules, calendar, body, uid);
}

fn changed(body: &Body, date: &str, change: &Value) -> Option<Body> {
    let date = date.parse().ok()?;
    let own = fields::read(change, Change::Patch, &body.on(date), true, &Switches::default()).ok()?;
    with_exception(body, date, &own).ok()
}
