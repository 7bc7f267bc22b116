//! A meeting that somebody makes: who organizes it, whether it asks people to come, and whether it is over. Pure.

use crate::Content;
use crate::event::{address_identity, end_of, local, local_text, occurrence, participant_address, unchanged};
use crate::recurrence::Series;
use crate::zone::{Rules, Zones};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::sync::Arc;

/// The roles of those who are asked to come.
const ASKED: [&str; 3] = ["attendee", "optional", "chair"];

fn people(event: &Content) -> impl Iterator<Item = &Value> {
    event.get("participants").and_then(Value::as_object).into_iter().flatten().map(|(_, entry)| entry)
}

fn has_role(entry: &Value, role: &str) -> bool {
    entry.get("roles").and_then(|roles| roles.get(role)) == Some(&Value::Bool(true))
}

/// The identity of the address of whoever organizes a meeting, where it says so.
pub fn organizer(event: &Content) -> Option<String> {
    let owner = people(event).find(|entry| has_role(entry, "owner"))?;
    participant_address(owner).map(|address| address_identity(&address))
}

/// Whether a meeting asks people to come who have not been asked before: it has guests besides its organizer and whoever has the
/// address `own`, none of them has answered yet, no program asks them by itself (SCHEDULE-AGENT, RFC 6638 7.1), and it is not off.
pub fn asks_anew(event: &Content, own: Option<&str>) -> bool {
    let own = own.map(address_identity);
    let is_own = |entry: &Value| {
        has_role(entry, "owner") || participant_address(entry).map(|address| address_identity(&address)) == own
    };
    let is_asked = |entry: &&Value| {
        let email = entry.get("email").and_then(Value::as_str).unwrap_or_default();
        ASKED.iter().any(|role| has_role(entry, role)) && email.contains('@') && !is_own(entry)
    };
    let is_new = |entry: &Value| {
        let status = entry.get("participationStatus").and_then(Value::as_str);
        status.is_none_or(|status| status == "needs-action") && entry.get("scheduleAgent").is_none()
    };
    let is_off = event.get("status").and_then(Value::as_str) == Some("cancelled");
    !is_off && people(event).any(|entry| is_asked(&entry)) && people(event).filter(is_asked).all(is_new)
}

/// Whether an event, or the last occurrence of a series, has ended. Times without a zone that is known count as UTC. What has no
/// start, or cannot be told, is over.
pub fn is_over(event: &Content, zones: &dyn Zones, now_ms: i64) -> bool {
    let Ok(Some(series)) = Series::of(event) else { return true };
    let Some(last) = series.span().until else { return false };
    let overrides = event.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
    let changed = overrides.filter_map(|(key, _)| occurrence(event, key));
    let ends = changed.chain([unchanged(event, &local_text(last))]).filter_map(|one| end_at(&one, zones));
    ends.max().is_none_or(|end| end.timestamp_millis() <= now_ms)
}

/// When one occurrence ends: never before it starts.
fn end_at(event: &Content, zones: &dyn Zones) -> Option<DateTime<Utc>> {
    let at = |time, zone: Option<&str>| {
        let rules = zone.and_then(|zone| zones.rules(zone)).unwrap_or_else(|| Arc::new(Rules::utc()));
        rules.to_utc(time)
    };
    let text = |member: &str| event.get(member).and_then(Value::as_str);
    let start = at(text("start").and_then(local)?, text("timeZone"));
    let (end, zone) = end_of(&event.0)?;
    Some(at(end, zone).max(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One zone, two hours east of UTC.
    struct East;

    impl Zones for East {
        fn rules(&self, name: &str) -> Option<Arc<Rules>> {
            (name == "Test/East").then(|| Arc::new(Rules::fixed(7200)))
        }

        fn names(&self) -> Vec<String> {
            vec!["Test/East".into()]
        }
    }

    fn meeting(people: Value) -> Content {
        Content::from_value(json!({"participants": people}))
    }

    #[test]
    fn the_organizer_is_known_by_the_address() {
        let owner = json!({"email": "Ada@X.example", "roles": {"owner": true, "attendee": true}});
        assert_eq!(organizer(&meeting(json!({"a": owner}))).as_deref(), Some("ada@x.example"));
        let elsewhere = json!({"sendTo": {"other": "urn:x:ada"}, "roles": {"owner": true}});
        assert_eq!(organizer(&meeting(json!({"a": elsewhere}))).as_deref(), Some("urn:x:ada"));
        assert_eq!(organizer(&meeting(json!({"b": {"email": "b@x", "roles": {"attendee": true}}}))), None);
    }

    #[test]
    fn only_guests_who_have_not_been_asked_are_asked() {
        let ada =
            json!({"email": "ada@x", "roles": {"owner": true, "attendee": true}, "participationStatus": "accepted"});
        let asks = |people: Value| asks_anew(&meeting(people), Some("me@x"));
        let bob = |with: Value| {
            let mut bob = json!({"email": "bob@x", "roles": {"attendee": true}});
            bob.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
            bob
        };
        assert!(asks(json!({"a": ada, "b": bob(json!({}))})));
        assert!(asks(json!({"b": bob(json!({"participationStatus": "needs-action"}))})));
        let me = json!({"email": "Me@x", "roles": {"attendee": true}, "participationStatus": "accepted"});
        assert!(asks(json!({"m": me, "b": bob(json!({}))})));
        for (what, people) in [
            ("nobody but the organizer", json!({"a": ada})),
            ("nobody but the user", json!({"m": me})),
            (
                "one has answered",
                json!({"b": bob(json!({"participationStatus": "declined"})), "c": {"email": "c@x", "roles": {"attendee": true}}}),
            ),
            ("another program asks", json!({"b": bob(json!({"scheduleAgent": "client"}))})),
            ("only told of it", json!({"b": bob(json!({"roles": {"informational": true}}))})),
            ("no address", json!({"b": bob(json!({"email": "bob"}))})),
        ] {
            assert!(!asks(people), "{what}");
        }
        let mut off = meeting(json!({"b": bob(json!({}))}));
        off.set("status", "cancelled".into());
        assert!(!asks_anew(&off, None));
    }

    #[test]
    fn a_meeting_is_over_when_its_last_occurrence_has_ended_in_its_own_zone() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
        let is_over = |event: &Value, now: &str| is_over(&Content::from_value(event.clone()), &East, at(now));
        let one = json!({"start": "2026-03-02T10:00:00", "timeZone": "Test/East", "duration": "PT1H"});
        assert!(!is_over(&one, "2026-03-02T08:59:59Z"));
        assert!(is_over(&one, "2026-03-02T09:00:00Z"));
        let floating = json!({"start": "2026-03-02T10:00:00", "duration": "PT1H"});
        assert!(!is_over(&floating, "2026-03-02T10:59:59Z"));
        let mut series = one.clone();
        series["recurrenceRules"] = json!([{"frequency": "weekly", "count": 3}]);
        assert!(!is_over(&series, "2026-03-16T08:00:00Z"));
        assert!(is_over(&series, "2026-03-16T09:00:00Z"));
        series["recurrenceOverrides"] = json!({"2026-03-09T10:00:00": {"start": "2026-03-20T10:00:00"}});
        assert!(!is_over(&series, "2026-03-20T08:00:00Z"), "one was moved behind the last");
        series["recurrenceRules"] = json!([{"frequency": "weekly"}]);
        assert!(!is_over(&series, "2036-03-16T09:00:00Z"), "without end");
        assert!(is_over(&json!({"title": "No start"}), "2026-03-02T08:00:00Z"));
    }
}
