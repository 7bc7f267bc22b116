//! Reminders and alerts. Google holds up to five of them, whole minutes before the start, shown or by e-mail.

use serde_json::{Map, Value, json};
use twofold_model::Content;
use twofold_model::event::{alert_identity, duration_seconds, duration_text, insert};

use super::wire::{Object, text};

/// The most reminders of one event (discovery, `Event.reminders.overrides`).
const MOST: usize = 5;
/// The earliest: four weeks before the start, in minutes (discovery, `EventReminder.minutes`).
const EARLIEST: i64 = 40_320;

/// What an event's reminders say; `usual` are the calendar's, which count where it has none of its own.
pub(super) fn read_alerts(event: &Object, usual: Option<&Value>) -> Value {
    let mut map = Map::new();
    let Some(reminders) = event.get("reminders").and_then(Value::as_object) else { return Value::Object(map) };
    let is_usual = reminders.get("useDefault") == Some(&Value::Bool(true));
    let list = if is_usual { usual } else { reminders.get("overrides") };
    for reminder in list.and_then(Value::as_array).into_iter().flatten() {
        if let Some(alert) = alert_of(reminder) {
            insert(&mut map, &alert_identity(&alert), alert);
        }
    }
    Value::Object(map)
}

fn alert_of(reminder: &Value) -> Option<Value> {
    let minutes = reminder.get("minutes")?.as_i64().filter(|minutes| (0..=EARLIEST).contains(minutes))?;
    let trigger = json!({"offset": duration_text(-60 * minutes)});
    match text(reminder.as_object()?, "method")? {
        "popup" => Some(json!({"trigger": trigger})),
        "email" => Some(json!({"trigger": trigger, "action": "email"})),
        _ => None,
    }
}

/// The reminder that says an alert, if there is one: its minutes, and whether it comes by e-mail.
fn reminder_of(alert: &Value) -> Option<(i64, bool)> {
    let trigger = alert.get("trigger")?.as_object()?;
    if trigger.contains_key("when") || text(trigger, "relativeTo").is_some_and(|to| to != "start") {
        return None;
    }
    let seconds = duration_seconds(text(trigger, "offset")?)?;
    let is_email = match alert.get("action").and_then(Value::as_str) {
        None | Some("display") => false,
        Some("email") => true,
        Some(_) => return None,
    };
    let minutes = -seconds / 60;
    (seconds % 60 == 0 && (0..=EARLIEST).contains(&minutes)).then_some((minutes, is_email))
}

/// The reminders that a content would have, in an order of their own.
fn reminders_of(content: &Content) -> Vec<(i64, bool)> {
    let alerts = content.get("alerts").and_then(Value::as_object).into_iter().flatten();
    let mut reminders: Vec<(i64, bool)> = alerts.filter_map(|(_, alert)| reminder_of(alert)).collect();
    reminders.sort_unstable();
    reminders.dedup();
    reminders.truncate(MOST);
    reminders
}

/// Makes an event's reminders say what `wanted` says. They are always said explicitly: where nothing is, the calendar's would come
/// back as a change.
pub(super) fn write_alerts(event: &mut Object, before: &Content, wanted: &Content) {
    let (was, is) = (reminders_of(before), reminders_of(wanted));
    if was == is && event.contains_key("reminders") {
        return;
    }
    let said = |(minutes, is_email): &(i64, bool)| json!({"method": if *is_email { "email" } else { "popup" }, "minutes": minutes});
    let mut overrides: Vec<Value> = is.iter().map(said).collect();
    // Ways to be reminded that are not known here are not for us to take away.
    let old = event.get("reminders").and_then(|reminders| reminders.get("overrides")?.as_array()).cloned();
    let unknown = old.into_iter().flatten().filter(|reminder| alert_of(reminder).is_none());
    overrides.extend(unknown.take(MOST.saturating_sub(is.len())));
    event.insert("reminders".into(), json!({"useDefault": false, "overrides": overrides}));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    fn saying(alerts: &[Value]) -> Content {
        let mut map = Map::new();
        alerts.iter().for_each(|alert| drop(insert(&mut map, &alert_identity(alert), alert.clone())));
        Content::from_value(json!({"alerts": map}))
    }

    #[test]
    fn the_calendars_reminders_count_where_an_event_has_none_of_its_own() {
        let usual = json!([{"method": "popup", "minutes": 10}, {"method": "email", "minutes": 1440}]);
        let leaning = event(json!({"reminders": {"useDefault": true}}));
        let alerts = read_alerts(&leaning, Some(&usual));
        assert_eq!(
            saying(&[
                json!({"trigger": {"offset": "-PT10M"}}),
                json!({"trigger": {"offset": "-P1D"}, "action": "email"})
            ])
            .to_value(),
            json!({"alerts": alerts})
        );
        assert_eq!(read_alerts(&leaning, None), json!({}));
        assert_eq!(read_alerts(&event(json!({"reminders": {"useDefault": false}})), Some(&usual)), json!({}));
    }

    #[test]
    fn what_google_cannot_remind_of_is_left_out() {
        for alert in [
            json!({"trigger": {"offset": "PT5M"}}),
            json!({"trigger": {"offset": "-PT90S"}}),
            json!({"trigger": {"offset": "-P29D"}}),
            json!({"trigger": {"offset": "-PT5M", "relativeTo": "end"}}),
            json!({"trigger": {"when": "2026-03-01T08:00:00Z"}}),
            json!({"trigger": {"offset": "-PT5M"}, "action": "audio"}),
        ] {
            assert_eq!(reminder_of(&alert), None, "{alert}");
        }
        assert_eq!(reminder_of(&json!({"trigger": {"offset": "PT0S"}})), Some((0, false)));
        assert_eq!(reminder_of(&json!({"trigger": {"offset": "-P28D"}, "action": "email"})), Some((40_320, true)));
    }

    #[test]
    fn a_change_says_all_reminders_and_keeps_those_that_are_not_known() {
        let mut changed = event(json!({"reminders": {"useDefault": false, "overrides": [
            {"method": "popup", "minutes": 10}, {"method": "owl", "minutes": 3}]}}));
        let before = saying(&[json!({"trigger": {"offset": "-PT10M"}})]);
        write_alerts(&mut changed, &before, &before);
        assert_eq!(changed["reminders"]["overrides"][0]["minutes"], 10);
        write_alerts(&mut changed, &before, &saying(&[json!({"trigger": {"offset": "-PT1H"}, "action": "email"})]));
        assert_eq!(
            changed["reminders"],
            json!({"useDefault": false, "overrides": [
            {"method": "email", "minutes": 60}, {"method": "owl", "minutes": 3}]})
        );
        let mut new = Object::new();
        write_alerts(&mut new, &Content::new(), &Content::new());
        assert_eq!(new["reminders"], json!({"useDefault": false, "overrides": []}));
    }
}
