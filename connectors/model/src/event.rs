//! The Event: calendar items after RFC 8984 (JSCalendar), how its keys are made, and what an override is.
//!
//! One item is one series with its overrides, or one event that happens once. As in [`crate::card`], a key comes from the
//! *value*, plus an ordinal among equals ([`insert`], [`insert_as`]). What RFC 8984 has a default for is left out when it is the
//! default, and so is `@type`: equal meaning is equal content.
//!
//! | member | key is made of | entry |
//! |---|---|---|
//! | `start` | | LocalDateTime (`2026-03-01T09:00:00`); of an all-day event `…T00:00:00` |
//! | `timeZone` | | IANA name, aliases and Windows names resolved; `Etc/UTC` for times in UTC; `/…` for a zone of the sender's own that is none of them, with its entry in `timeZones` where there is one. Absent: floating, or all-day |
//! | `showWithoutTime` | | `true` for all-day, otherwise left out; then no `timeZone` |
//! | `duration` | | on the wall clock of the start's zone, canonical ([`duration_text`]); left out when zero; of an all-day event whole days, at least `P1D` |
//! | `end`, `endTimeZone` | | LocalDateTime and zone, and no `duration`, when the end stands in another zone than the start (a flight) |
//! | `timeZones` | `/` and the sender's name | `{component}`: the VTIMEZONE as text |
//! | `title`, `description` | | text, line ends LF; blank says nothing |
//! | `descriptionContentType` | | `text/html` only; plain text is left out |
//! | `locations` | ordinal (`location`, `location-2`) | `{name?, coordinates?}`; coordinates by [`geo_uri`] |
//! | `virtualLocations` | uri | `{uri, name?, features?}`: where to join a conference |
//! | `links` | href | `{href, rel?, contentType?, title?, size?}`; `rel: "enclosure"` for an attachment, none for the event's own page; bytes as `data:` URI |
//! | `keywords` | the word itself | `true`; categories |
//! | `color` | | a CSS3 colour name, small letters |
//! | `privacy` | | `private`, or `secret` (CONFIDENTIAL); public is left out |
//! | `freeBusyStatus` | | `free`, `tentative`, `unavailable` (out of office), `workingElsewhere`; busy is left out |
//! | `status` | | `tentative`, `cancelled`; confirmed is left out |
//! | `priority` | | 1 (highest) to 9; 0 is left out |
//! | `participants` | address ([`address_identity`]) | `{email, name?, roles, …}`, see below |
//! | `alerts` | trigger and action ([`alert_identity`]) | `{trigger, action?, iCalProps?}`, see below |
//! | `relatedTo` | the other's UID | `{relation: {parent: true}}` |
//! | `recurrenceRules`, `excludedRecurrenceRules` | | lists of rules (RFC 8984 4.3.3), each in the one form of [`crate::recurrence`] for its meaning, sorted; `until` is a LocalDateTime in the series' zone, the end of the last day where the rule has no times of its own |
//! | `recurrenceOverrides` | original start, LocalDateTime in the series' zone | what is different in that occurrence, see below |
//! | `recurrenceIdTimeZone`, `recurrenceIdWithoutTime` | | only in the overrides of an item without master, see below |
//! | `iCalProps` | the line without its group | an iCalendar property that no member says: `{line}`, unfolded, as read |
//! | `iCalComponents` | the text | a component inside that no member says: `{component}`, its lines unfolded and joined by LF |
//! | `iCalOverrides` | the text | overrides of the series that must not be misread (RANGE=THISANDFUTURE): `{component}`. A place that cannot keep them cannot hold the item |
//!
//! **Participants**: `email` for a `mailto:` address, else `sendTo: {other: uri}`; `roles` of `owner` (the organizer),
//! `attendee`, `chair`, `optional`, `informational`; `kind` (`group`, `resource`, `location`, `unknown`; a person's is left out);
//! `participationStatus` (`accepted`, `declined`, `tentative`, `delegated`, …; `needs-action` is left out); `expectReply: true`;
//! `delegatedTo`, `delegatedFrom`, `memberOf`: `{uri: true}`; `sentBy`: a URI; `scheduleAgent` (`client`, `none`; server is left
//! out). An organizer who also attends is one entry. `replyTo` is left out: it is the address of the owner.
//!
//! **Alerts**: `trigger` is `{offset: "-PT15M", relativeTo?: "end"}` or `{when: "2026-03-01T08:00:00Z"}`; `action: "email"`, or
//! nothing for one that is shown or heard. `iCalProps` has what else was said (REPEAT, an own sound).
//!
//! **Overrides**: the key says which occurrence; the value is a PatchObject (RFC 8984 4.3.5) of pointers relative to the
//! master: `{"title": "Moved", "participants/0a1b2c3d4e/participationStatus": "declined"}`. Contents have no `null` and no empty
//! object ([`crate::content`]), so:
//! * `false` stands for what that occurrence does *not* have (`{"description": false}`), where RFC 8984 writes `null`;
//! * `{"excluded": true}` is an occurrence that is not (EXDATE);
//! * `{"excluded": false}` is one that is, stated as such: a further date (RDATE), or an override that changes nothing. It stands
//!   beside changes when both are said.
//!
//! Made by [`override_of`], read by [`occurrence`]. A key that ends with `Z`, and an `until` that does, is an instant in a zone whose
//! rules nobody knows.
//!
//! **Occurrences without their master** (the user was invited to some only): the item has no `start` of its own, and each override
//! has all its members, with `recurrenceIdTimeZone` or `recurrenceIdWithoutTime: true` beside them for the zone of its key.
//!
//! UID, SEQUENCE, METHOD, and stamps (DTSTAMP, CREATED, LAST-MODIFIED, acknowledged alarms) are not content.

pub use crate::card::{insert, insert_as, key};

use crate::Content;
use crate::patch::{canonical_text, difference, set_path, split};
use crate::recurrence::Rule;
use chrono::{Duration, NaiveDateTime};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The plain keys of entries that have no value to make one of.
pub mod keys {
    /// The place; others get ordinals.
    pub const LOCATION: &str = "location";
}

/// Members of the series as a whole, which no occurrence has.
pub const OF_SERIES: [&str; 5] =
    ["recurrenceRules", "excludedRecurrenceRules", "recurrenceOverrides", "timeZones", "iCalOverrides"];

/// The zone of times in UTC.
pub const UTC: &str = "Etc/UTC";

/// Whether an item repeats, or has an occurrence that is named.
pub fn is_series(event: &Content) -> bool {
    ["recurrenceRules", "recurrenceOverrides"].iter().any(|member| event.get(member).is_some())
}

/// The title to show for an event: its own, else that of its first occurrence that has one.
pub fn display_title(event: &Content) -> Option<String> {
    let title = |value: Option<&Value>| {
        value.and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let overrides =
        || event.get("recurrenceOverrides")?.as_object()?.values().find_map(|patch| title(patch.get("title")));
    title(event.get("title")).or_else(overrides)
}

// ---- identities ---------------------------------------------------------------------------------------------------------

/// The identity of a calendar address, as a URI or an e-mail address: without `mailto:`, trimmed, ASCII lower case.
pub fn address_identity(address: &str) -> String {
    let address = address.trim();
    let bare =
        address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map_or(address, |_| &address[7..]);
    bare.trim().to_ascii_lowercase()
}

/// The address of a participant as a URI; `None` for an entry without one.
pub fn participant_address(participant: &Value) -> Option<String> {
    if let Some(uri) = participant.get("sendTo").and_then(|ways| ways.get("other")?.as_str()) {
        return Some(uri.to_owned());
    }
    participant.get("email").and_then(Value::as_str).map(|email| format!("mailto:{email}"))
}

/// The identity of an alert: its trigger and its action.
pub fn alert_identity(alert: &Value) -> String {
    let text = |path: [&str; 2]| alert.get(path[0]).and_then(|inner| inner.get(path[1])?.as_str()).unwrap_or_default();
    let action = alert.get("action").and_then(Value::as_str).unwrap_or_default();
    let trigger = [text(["trigger", "offset"]), text(["trigger", "when"]), text(["trigger", "relativeTo"])];
    format!("{}|{action}", trigger.join("|"))
}

/// Latitude and longitude as a URI (RFC 5870), digits that say nothing left out; `None` for what is no place on earth.
pub fn geo_uri(latitude: &str, longitude: &str) -> Option<String> {
    let degrees = |text: &str, most: f64| {
        let value: f64 = text.trim().parse().ok().filter(|value: &f64| value.abs() <= most)?;
        let text = format!("{value:.8}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        Some(if text == "-0" { "0".to_owned() } else { text.to_owned() })
    };
    Some(format!("geo:{},{}", degrees(latitude, 90.0)?, degrees(longitude, 180.0)?))
}

// ---- times --------------------------------------------------------------------------------------------------------------

const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// A LocalDateTime (RFC 8984 1.4.4) as a time; `None` for anything else.
pub fn local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, LOCAL).ok()
}

/// A time as a LocalDateTime.
pub fn local_text(time: NaiveDateTime) -> String {
    time.format(LOCAL).to_string()
}

/// The seconds of a duration (RFC 8984 1.4.6 and 1.4.7, RFC 5545 3.3.6: `-P1DT2H`, `P2W`), days as 24 hours; `None` for what is none.
pub fn duration_seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let rest = rest.strip_prefix(['P', 'p'])?;
    let (mut seconds, mut number, mut in_time, mut parts) = (0_i64, None::<i64>, false, 0);
    for c in rest.chars() {
        let unit = match c.to_ascii_uppercase() {
            digit @ '0'..='9' => {
                let digit = i64::from(digit.to_digit(10)?);
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            'T' if !in_time && number.is_none() => {
                in_time = true;
                continue;
            }
            // Some write weeks among the hours.
            'W' => 604_800,
            'D' if !in_time => 86_400,
            'H' if in_time => 3_600,
            'M' if in_time => 60,
            'S' if in_time => 1,
            _ => return None,
        };
        seconds = number.take()?.checked_mul(unit)?.checked_add(seconds)?;
        parts += 1;
    }
    (parts > 0 && number.is_none()).then_some(sign * seconds)
}

/// Seconds as a duration in the one form that contents have: days, hours, minutes, seconds, none of them zero; `PT0S` for none.
pub fn duration_text(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let total = seconds.unsigned_abs();
    let (days, rest) = (total / 86_400, total % 86_400);
    let part = |count: u64, unit: char| if count == 0 { String::new() } else { format!("{count}{unit}") };
    let time = [part(rest / 3_600, 'H'), part(rest % 3_600 / 60, 'M'), part(rest % 60, 'S')].concat();
    match (days, time.is_empty()) {
        (0, true) => "PT0S".to_owned(),
        (0, false) => format!("{sign}PT{time}"),
        (days, true) => format!("{sign}P{days}D"),
        (days, false) => format!("{sign}P{days}DT{time}"),
    }
}

/// Puts the end of an event into it: `duration`, or `end` and `endTimeZone` where the end's zone is another. `start`, `timeZone` and
/// `showWithoutTime` are there already. An end before the start, which is no end, is taken for the start.
pub fn set_end(event: &mut Map<String, Value>, end: NaiveDateTime, zone: Option<&str>) {
    let is_same_zone = event.get("timeZone").and_then(Value::as_str) == zone;
    let Some(start) = event.get("start").and_then(Value::as_str).and_then(local) else { return };
    if !is_same_zone {
        event.insert("end".into(), local_text(end).into());
        event.insert("endTimeZone".into(), zone.into());
        return;
    }
    let mut seconds = (end - start).num_seconds().max(0);
    if event.get("showWithoutTime").is_some() {
        seconds = (seconds / 86_400).max(1) * 86_400;
    }
    if seconds > 0 {
        event.insert("duration".into(), duration_text(seconds).into());
    }
}

/// The end of an event, and its zone where that is not the start's: `None` for an event without a start that can be read.
pub fn end_of(event: &Map<String, Value>) -> Option<(NaiveDateTime, Option<&str>)> {
    let text = |member: &str| event.get(member).and_then(Value::as_str);
    if let Some(end) = text("end").and_then(local) {
        return Some((end, text("endTimeZone")));
    }
    let seconds = text("duration").and_then(duration_seconds).unwrap_or(0);
    let end = local(text("start")?)?.checked_add_signed(Duration::try_seconds(seconds)?)?;
    Some((end, text("timeZone")))
}

// ---- overrides ----------------------------------------------------------------------------------------------------------

/// The override of an occurrence that is not.
pub fn excluded() -> Value {
    json!({"excluded": true})
}

/// The override of an occurrence that is, and is like the master.
pub fn added() -> Value {
    json!({"excluded": false})
}

/// What an unchanged occurrence of the series would say: the master's members with this start. Of an item without a master, nothing.
pub fn unchanged(event: &Content, key: &str) -> Content {
    if event.get("start").is_none() {
        return Content::new();
    }
    // The series' own members are not even copied: there may be thousands of overrides.
    let own = event.0.iter().filter(|(member, _)| !OF_SERIES.contains(&member.as_str()));
    let mut plain = Content(own.map(|(member, value)| (member.clone(), value.clone())).collect());
    plain.set("start", key.into());
    plain
}

/// All that one occurrence says, from the master and its override; `None` where it has no override or is excluded.
pub fn occurrence(event: &Content, key: &str) -> Option<Content> {
    let patch = event.at(&["recurrenceOverrides", key])?.as_object()?;
    (patch.get("excluded") != Some(&Value::Bool(true))).then(|| patched(unchanged(event, key), patch))
}

/// All that a changed occurrence says, also where it is excluded; `None` where only its being is stated.
pub(crate) fn changed(event: &Content, key: &str) -> Option<Content> {
    let patch = event.at(&["recurrenceOverrides", key])?.as_object()?;
    patch.keys().any(|pointer| pointer != "excluded").then(|| patched(unchanged(event, key), patch))
}

fn patched(mut occurrence: Content, patch: &Map<String, Value>) -> Content {
    for (pointer, value) in patch.iter().filter(|(pointer, _)| *pointer != "excluded") {
        let value = if *value == Value::Bool(false) { Value::Null } else { value.clone() };
        set_path(&mut occurrence.0, &split(pointer), value);
    }
    plain(occurrence)
}

/// Tidy, and without `false`, which is the default of every member that is true or not.
fn plain(mut event: Content) -> Content {
    drop_false(&mut event.0);
    event.tidied()
}

fn drop_false(map: &mut Map<String, Value>) {
    map.retain(|_, value| *value != Value::Bool(false));
    for (_, value) in map.iter_mut().filter(|(member, _)| *member != "recurrenceOverrides") {
        if let Value::Object(inner) = value {
            drop_false(inner);
        }
    }
}

fn has_false(map: &Map<String, Value>) -> bool {
    map.iter().filter(|(member, _)| *member != "recurrenceOverrides").any(|(_, value)| match value {
        Value::Bool(is) => !is,
        Value::Object(inner) => has_false(inner),
        _ => false,
    })
}

/// The override that makes of an unchanged occurrence one that says `wanted`. `is_added`: it is also named as a further date.
pub fn override_of(event: &Content, key: &str, wanted: &Content, is_added: bool) -> Value {
    override_from(&unchanged(event, key), wanted, is_added.then_some(false))
}

pub(crate) fn override_from(unchanged: &Content, wanted: &Content, excluded: Option<bool>) -> Value {
    let changes = difference(unchanged, wanted).0.into_iter();
    let mut patch: Map<String, Value> =
        changes.map(|(path, value)| (path, if value.is_null() { Value::Bool(false) } else { value })).collect();
    if let Some(excluded) = excluded.or(patch.is_empty().then_some(false)) {
        patch.insert("excluded".into(), excluded.into());
    }
    Value::Object(patch)
}

/// An event as the lenses compare it: tidy, nothing `false`, rules in their one form, an all-day one with its length, and with overrides that say nothing twice: what the
/// master says too is no change.
pub fn settled(event: &Content) -> Cow<'_, Content> {
    let mut event = match event.is_tidy() && !has_false(&event.0) {
        true => Cow::Borrowed(event),
        false => Cow::Owned(plain(event.clone())),
    };
    if event.get("showWithoutTime").is_some() && ["duration", "end"].iter().all(|member| event.get(member).is_none()) {
        event.to_mut().set("duration", duration_text(86_400).into());
    }
    settle_rules(&mut event);
    let Some(overrides) = event.get("recurrenceOverrides").and_then(Value::as_object) else { return event };
    let mut base = unchanged(&event, "");
    let has_master = !base.is_empty();
    let mut changed = Vec::new();
    for (key, patch) in overrides {
        let Some(patch) = patch.as_object() else { continue };
        if patch.keys().all(|pointer| pointer == "excluded") {
            continue;
        }
        if has_master {
            base.set("start", key.as_str().into());
        }
        let excluded = patch.get("excluded").and_then(Value::as_bool);
        let settled = override_from(&base, &patched(base.clone(), patch), excluded);
        if settled.as_object() != Some(patch) {
            changed.push((key.clone(), settled));
        }
    }
    for (key, patch) in changed {
        set_path(&mut event.to_mut().0, &["recurrenceOverrides".to_owned(), key], patch);
    }
    event
}

/// Puts rules into the one form for their meaning ([`Rule::canonical`]), in order; one that is not understood stays.
fn settle_rules(event: &mut Cow<'_, Content>) {
    let Some(start) = event.get("start").and_then(Value::as_str).and_then(local) else { return };
    for member in ["recurrenceRules", "excludedRecurrenceRules"] {
        let Some(rules) = event.get(member).and_then(Value::as_array) else { continue };
        let canonical = |rule: &Value| match Rule::from_json(rule) {
            Ok(known) => known.canonical(start).to_json(),
            Err(_) => rule.clone(),
        };
        let mut settled: Vec<Value> = rules.iter().map(canonical).collect();
        settled.sort_by_cached_key(canonical_text);
        settled.dedup();
        if settled != *rules {
            event.to_mut().set(member, settled.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly() -> Content {
        Content::from_value(json!({
            "start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H", "title": "Standup", "description": "Bring tea",
            "recurrenceRules": [{"frequency": "weekly"}],
            "participants": {key("ada@example.org"): {"email": "ada@example.org", "roles": {"attendee": true}}},
        }))
    }

    #[test]
    fn a_changed_occurrence_becomes_a_patch_and_comes_back_whole() {
        let event = weekly();
        let on = "2026-03-09T09:00:00";
        let mut wanted = unchanged(&event, on);
        assert_eq!(wanted.get("start"), Some(&json!(on)));
        assert_eq!(wanted.get("recurrenceRules"), None);
        wanted.set("start", json!("2026-03-09T11:00:00"));
        wanted.set("description", Value::Null);
        wanted.set("color", json!("red"));
        set_path(
            &mut wanted.0,
            &["participants".into(), key("ada@example.org"), "participationStatus".into()],
            json!("declined"),
        );
        let patch = override_of(&event, on, &wanted, false);
        let status = format!("participants/{}/participationStatus", key("ada@example.org"));
        assert_eq!(
            patch,
            json!({"start": "2026-03-09T11:00:00", "description": false, "color": "red", status: "declined"})
        );
        let mut series = event.clone();
        series.set("recurrenceOverrides", json!({on: patch}));
        assert_eq!(occurrence(&series, on), Some(wanted));
        assert_eq!(*settled(&series), series);
        assert_eq!(occurrence(&series, "2026-03-16T09:00:00"), None);
    }

    #[test]
    fn overrides_survive_tidying_and_say_nothing_twice() {
        let mut series = weekly();
        series.set("recurrenceOverrides", json!({
            "2026-03-09T09:00:00": {"title": "Standup"}, "2026-03-16T09:00:00": {"excluded": true},
            "2026-03-17T09:00:00": {"excluded": false, "title": "Extra"}, "2026-03-18T09:00:00": {"start": "2026-03-18T09:00:00", "color": false},
        }));
        let settled = settled(&series).into_owned();
        assert_eq!(
            settled.get("recurrenceOverrides"),
            Some(&json!({
                "2026-03-09T09:00:00": {"excluded": false}, "2026-03-16T09:00:00": {"excluded": true},
                "2026-03-17T09:00:00": {"excluded": false, "title": "Extra"}, "2026-03-18T09:00:00": {"excluded": false},
            }))
        );
        assert_eq!(settled.clone().tidied(), settled);
        assert_eq!(occurrence(&settled, "2026-03-16T09:00:00"), None);
        assert_eq!(occurrence(&settled, "2026-03-17T09:00:00").unwrap().get("title"), Some(&json!("Extra")));
    }

    #[test]
    fn an_occurrence_without_its_master_has_all_its_members() {
        let lone = Content::from_value(json!({"recurrenceOverrides": {"2026-03-09T09:00:00": {
            "recurrenceIdTimeZone": "Europe/Berlin", "start": "2026-03-09T10:00:00", "timeZone": "Europe/Berlin", "title": "Guest",
        }}}));
        assert_eq!(*settled(&lone), lone);
        assert_eq!(occurrence(&lone, "2026-03-09T09:00:00").unwrap().get("title"), Some(&json!("Guest")));
        assert_eq!(display_title(&lone).as_deref(), Some("Guest"));
        assert!(is_series(&lone) && is_series(&weekly()) && !is_series(&Content::new()));
    }

    #[test]
    fn durations_have_one_form() {
        for (text, form) in [
            ("PT90M", "PT1H30M"),
            ("P1W", "P7D"),
            ("PT24H", "P1D"),
            ("-PT15M", "-PT15M"),
            ("+P1DT12H", "P1DT12H"),
            ("-PT0S", "PT0S"),
            ("PT3600S", "PT1H"),
            ("P0D", "PT0S"),
            ("p1dt1s", "P1DT1S"),
            ("PT1W", "P7D"),
            ("P1DT", "P1D"),
        ] {
            assert_eq!(duration_text(duration_seconds(text).unwrap()), form, "{text}");
        }
        for text in ["", "P", "PT", "1H", "P1H", "PT1D", "P1", "PT99999999999999999999H", "--P1D"] {
            assert_eq!(duration_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn an_end_is_a_duration_or_a_time_in_a_zone_of_its_own() {
        let ends = |mut event: Map<String, Value>, end: &str, zone: Option<&str>| {
            set_end(&mut event, local(end).unwrap(), zone);
            let (time, of) = end_of(&event).unwrap();
            (event.get("duration").cloned(), event.get("endTimeZone").cloned(), local_text(time), of.map(str::to_owned))
        };
        let Value::Object(timed) = json!({"start": "2026-03-28T23:00:00", "timeZone": "Europe/Berlin"}) else {
            unreachable!()
        };
        let Value::Object(day) = json!({"start": "2026-03-28T00:00:00", "showWithoutTime": true}) else {
            unreachable!()
        };
        let berlin = Some("Europe/Berlin");
        let (duration, _, end, _) = ends(timed.clone(), "2026-03-29T04:00:00", berlin);
        assert_eq!(
            (duration, end.as_str()),
            (Some(json!("PT5H")), "2026-03-29T04:00:00"),
            "on the wall clock, also over a change of clocks"
        );
        let (duration, zone, end, of) = ends(timed.clone(), "2026-03-28T21:00:00", Some("America/New_York"));
        assert_eq!((duration, zone, end.as_str()), (None, Some(json!("America/New_York")), "2026-03-28T21:00:00"));
        assert_eq!(of.as_deref(), Some("America/New_York"));
        assert_eq!(ends(timed.clone(), "2026-03-28T23:00:00", berlin).0, None);
        assert_eq!(ends(timed, "2026-03-27T23:00:00", berlin).0, None, "an end before the start is none");
        assert_eq!(ends(day.clone(), "2026-03-30T00:00:00", None).0, Some(json!("P2D")));
        assert_eq!(ends(day, "2026-03-28T00:00:00", None).0, Some(json!("P1D")));
    }

    #[test]
    fn identities_are_of_what_is_meant() {
        assert_eq!(address_identity(" MAILTO:Ada@Example.org"), "ada@example.org");
        assert_eq!(address_identity("urn:uuid:1"), "urn:uuid:1");
        assert_eq!(address_identity("ä"), "ä");
        assert_eq!(participant_address(&json!({"email": "a@x"})).as_deref(), Some("mailto:a@x"));
        assert_eq!(
            participant_address(&json!({"sendTo": {"other": "/principals/a"}, "email": "a@x"})).as_deref(),
            Some("/principals/a")
        );
        assert_ne!(
            alert_identity(&json!({"trigger": {"offset": "PT0S"}})),
            alert_identity(&json!({"trigger": {"offset": "PT0S", "relativeTo": "end"}}))
        );
        assert_eq!(geo_uri("37.3860130", "-122.08").as_deref(), Some("geo:37.386013,-122.08"));
        assert_eq!(geo_uri("-0.0", "+5").as_deref(), Some("geo:0,5"));
        assert_eq!(geo_uri("91", "0"), None);
        assert_eq!(geo_uri("x", "0"), None);
    }
}
