//! Times that Google has no way to say: floating ones, and single ones in a zone of the sender's own. They are told as something that
//! Google knows, and come back as they were until somebody moves the event there.

use serde_json::{Value, json};
use std::sync::Arc;
use twofold_google::calendar::CalendarLens;
use twofold_model::{Content, ErrorKind, Identity, Lens, Mark, Rendering, Uid};
use twofold_zones::SystemZones;

fn lens(home: Option<&str>) -> CalendarLens {
    CalendarLens::new(Arc::new(SystemZones::in_folder(None))).at_home(home.map(str::to_owned))
}

fn written(lens: &CalendarLens, onto: Option<&Rendering>, content: &Content) -> Value {
    let identity = Identity { uid: Uid("one@example.org".into()), mark: Mark::parse("hub:item:1") };
    serde_json::from_slice(lens.write(onto, content, &identity).unwrap().as_bytes()).unwrap()
}

fn render(value: &Value) -> Rendering {
    Rendering::from(value.to_string())
}

/// A lunch at noon, wherever one is.
fn lunch() -> Content {
    Content::from_value(json!({"title": "Lunch", "start": "2026-07-01T12:00:00", "duration": "PT1H"}))
}

/// A call in a zone that is 4 hours and 37 minutes ahead of UTC, as no zone of the world is in 2026.
fn call() -> Content {
    let component = "BEGIN:VTIMEZONE\nTZID:Moon base\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0437\n\
                     TZOFFSETTO:+0437\nEND:STANDARD\nEND:VTIMEZONE";
    Content::from_value(json!({
        "title": "Call", "start": "2026-07-01T12:00:00", "timeZone": "/Moon base", "duration": "PT1H",
        "timeZones": {"/Moon base": {"component": component}},
    }))
}

#[test]
fn a_floating_time_is_told_on_the_clocks_at_home_and_comes_back_floating() {
    let lens = lens(Some("Europe/Berlin"));
    let weekly = {
        let mut weekly = lunch();
        weekly.set("recurrenceRules", json!([{"frequency": "weekly", "until": "2026-12-31T23:59:59"}]));
        weekly.set("recurrenceOverrides", json!({"2026-11-04T12:00:00": {"start": "2026-11-04T13:00:00"}}));
        weekly
    };
    for event in [lunch(), weekly] {
        let made = written(&lens, None, &event);
        assert_eq!(made["event"]["start"], json!({"dateTime": "2026-07-01T12:00:00", "timeZone": "Europe/Berlin"}));
        assert_eq!(lens.read(&render(&made)).unwrap(), event);
        assert_eq!(lens.project(&event).unwrap(), event);
    }
}

#[test]
fn a_floating_time_stays_in_the_zone_in_which_it_was_told() {
    let made = written(&lens(Some("Europe/Berlin")), None, &lunch());
    let mut later = lunch();
    later.set("start", json!("2026-07-01T12:30:00"));
    let edited = written(&lens(Some("Asia/Tokyo")), Some(&render(&made)), &later);
    assert_eq!(edited["event"]["start"], json!({"dateTime": "2026-07-01T12:30:00", "timeZone": "Europe/Berlin"}));
}

#[test]
fn a_floating_event_that_is_moved_there_still_floats_and_in_another_zone_no_more() {
    let lens = lens(Some("Europe/Berlin"));
    let mut made = written(&lens, None, &lunch());
    made["event"]["start"]["dateTime"] = json!("2026-07-01T13:00:00+02:00");
    made["event"]["end"]["dateTime"] = json!("2026-07-01T14:00:00+02:00");
    let moved = lens.read(&render(&made)).unwrap();
    assert_eq!((moved.get("start").unwrap(), moved.get("timeZone")), (&json!("2026-07-01T13:00:00"), None));
    made["event"]["start"]["timeZone"] = json!("America/New_York");
    made["event"]["end"]["timeZone"] = json!("America/New_York");
    let moved = lens.read(&render(&made)).unwrap();
    assert_eq!(moved.get("timeZone").unwrap(), "America/New_York");
    assert_eq!(moved.get("start").unwrap(), "2026-07-01T07:00:00");
}

#[test]
fn an_event_in_a_zone_of_the_senders_own_is_told_in_utc_and_comes_back_whole() {
    let lens = lens(None);
    let made = written(&lens, None, &call());
    assert_eq!(made["event"]["start"], json!({"dateTime": "2026-07-01T07:23:00", "timeZone": "UTC"}));
    assert_eq!(made["event"]["end"], json!({"dateTime": "2026-07-01T08:23:00", "timeZone": "UTC"}));
    assert_eq!(lens.read(&render(&made)).unwrap(), call());
}

#[test]
fn an_event_in_a_zone_of_the_senders_own_that_is_moved_there_is_where_it_was_moved_to() {
    let lens = lens(None);
    let mut made = written(&lens, None, &call());
    made["event"]["start"]["dateTime"] = json!("2026-07-01T09:00:00Z");
    made["event"]["end"]["dateTime"] = json!("2026-07-01T10:00:00Z");
    let moved = lens.read(&render(&made)).unwrap();
    assert_eq!(moved.get("start").unwrap(), "2026-07-01T09:00:00");
    assert_eq!(moved.get("timeZone").unwrap(), "Etc/UTC");
}

#[test]
fn what_would_drift_or_be_moved_unseen_is_refused() {
    let with = |base: Content, member: &str, value: Value| {
        let mut content = base;
        content.set(member, value);
        content
    };
    let rules = || json!([{"frequency": "weekly"}]);
    let zoned = with(with(lunch(), "timeZone", json!("Europe/Paris")), "recurrenceRules", rules());
    let elsewhere = json!({"2026-07-08T12:00:00": {"timeZone": "/Moon base"}});
    for (home, event) in [
        (None, lunch()),
        (Some("Europe/Berlin"), with(call(), "recurrenceRules", rules())),
        (Some("Europe/Berlin"), with(call(), "timeZones", Value::Null)),
        (Some("Europe/Berlin"), with(zoned, "recurrenceOverrides", elsewhere)),
    ] {
        assert_eq!(lens(home).project(&event).unwrap_err().kind, ErrorKind::Refused, "{:?}", event.0);
    }
}

/// One changed occurrence of a series that nobody sent.
fn lone() -> Content {
    let patch = json!({
        "title": "Review", "start": "2026-07-08T15:00:00", "timeZone": "Europe/Paris", "duration": "PT1H",
        "recurrenceIdTimeZone": "Europe/Paris",
    });
    Content::from_value(json!({"recurrenceOverrides": {"2026-07-08T12:00:00": patch}}))
}

#[test]
fn an_occurrence_without_its_series_stands_there_as_an_event_and_comes_back_as_what_it_was() {
    let lens = lens(None);
    let made = written(&lens, None, &lone());
    assert_eq!(made["event"]["start"], json!({"dateTime": "2026-07-08T15:00:00", "timeZone": "Europe/Paris"}));
    assert!(made["event"].get("recurrence").is_none() && made.get("exceptions").is_none());
    assert!(made["event"].get("iCalUID").is_none(), "the UID is that of the series");
    assert_eq!(lens.read(&render(&made)).unwrap(), lone());
    assert_eq!(lens.project(&lone()).unwrap(), lone());
    let mut later = lone();
    later.0["recurrenceOverrides"]["2026-07-08T12:00:00"]["title"] = json!("Review, again");
    let edited = written(&lens, Some(&render(&made)), &later);
    assert_eq!(edited["event"]["summary"], "Review, again");
    assert_eq!(lens.read(&render(&edited)).unwrap(), later);
}

#[test]
fn an_occurrence_without_its_series_that_is_touched_there_is_an_event() {
    let lens = lens(None);
    let mut made = written(&lens, None, &lone());
    made["event"]["summary"] = json!("Mine now");
    let says = lens.read(&render(&made)).unwrap();
    let event =
        json!({"title": "Mine now", "start": "2026-07-08T15:00:00", "timeZone": "Europe/Paris", "duration": "PT1H"});
    assert_eq!(says, Content::from_value(event));
}
