//! Events with everything.

use crate::Content;
use crate::event::{address_identity, alert_identity, key, settled};
use serde_json::{Map, Value, json};

fn keyed(entries: Vec<(String, Value)>) -> Value {
    entries.into_iter().map(|(identity, entry)| (key(&identity), entry)).collect::<Map<_, _>>().into()
}

fn alerts(all: Vec<Value>) -> Value {
    keyed(all.into_iter().map(|alert| (alert_identity(&alert), alert)).collect())
}

fn content(event: Value) -> Content {
    settled(&Content::from_value(event)).into_owned()
}

/// A series with every member and sub-member of the table, several entries where an event may have several.
pub fn event() -> Content {
    let line = |line: &str| (line.to_owned(), json!({"line": line}));
    let link = |href: &str, more: Value| {
        let mut link = json!({"href": href});
        link.as_object_mut().into_iter().zip(more.as_object().cloned()).for_each(|(link, more)| link.extend(more));
        (href.to_owned(), link)
    };
    let person = |address: &str, more: Value| {
        let mut person = json!({"email": address});
        person
            .as_object_mut()
            .into_iter()
            .zip(more.as_object().cloned())
            .for_each(|(person, more)| person.extend(more));
        (address_identity(address), person)
    };
    let component = "BEGIN:VLOCATION\nUID:room\nNAME:Hall\nEND:VLOCATION";
    content(json!({
        "start": "2026-03-02T09:00:00",
        "timeZone": "Europe/Berlin",
        "duration": "PT45M",
        "title": "Choir: Größe",
        "description": "One\ntwo, three; four",
        "locations": {
            "location": {"name": "Hall 3, Example Street", "coordinates": "geo:52.5,13.4"}, "location-2": {"name": "Foyer"},
        },
        "virtualLocations": keyed(vec![("https://meet.example/1".into(), json!({"uri": "https://meet.example/1", "name": "Room"}))]),
        "links": keyed(vec![
            link("https://example.org/choir", json!({})),
            link("https://example.org/score.pdf", json!({"rel": "enclosure", "contentType": "application/pdf", "title": "Score"})),
        ]),
        "keywords": {"Music": true, "Evenings, free": true},
        "color": "plum",
        "privacy": "private",
        "freeBusyStatus": "free",
        "status": "tentative",
        "priority": 1,
        "participants": keyed(vec![
            person("ada@example.org", json!({"name": "Ada", "roles": {"owner": true, "attendee": true}, "participationStatus": "accepted"})),
            person("bob@example.org", json!({"roles": {"attendee": true, "optional": true}, "expectReply": true})),
            person("hall@example.org", json!({"roles": {"attendee": true}, "kind": "resource"})),
        ]),
        "alerts": alerts(vec![
            json!({"trigger": {"offset": "-PT15M"}}),
            json!({"trigger": {"offset": "-P1D"}, "action": "email"}),
            json!({"trigger": {"offset": "PT0S", "relativeTo": "end"}}),
            json!({"trigger": {"when": "2026-03-01T08:00:00Z"}}),
        ]),
        "relatedTo": {"other@example.org": {"relation": {"parent": true}}},
        "recurrenceRules": [{"frequency": "weekly", "byDay": [{"day": "mo"}, {"day": "th"}]}],
        "recurrenceOverrides": {
            "2026-03-05T09:00:00": {"excluded": true},
            "2026-03-09T09:00:00": {"title": "Choir, with guests", "start": "2026-03-09T18:00:00"},
            "2026-03-12T09:00:00": {"color": "teal", "description": false},
        },
        "iCalProps": keyed(vec![line("X-CHOIR;VALUE=TEXT:yes"), line("TRANSP-NOTE:x")]),
        "iCalComponents": keyed(vec![(component.into(), json!({"component": component}))]),
    }))
}

/// Events that a place holds as a whole or not at all, each with its words.
pub fn whole_events() -> Vec<(&'static str, Content)> {
    let timed = |more: Value| {
        let mut event =
            json!({"title": "Choir", "start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT45M"});
        event.as_object_mut().into_iter().zip(more.as_object().cloned()).for_each(|(event, more)| event.extend(more));
        content(event)
    };
    let days = |more: Value| {
        let mut event =
            json!({"title": "Fair", "start": "2026-03-02T00:00:00", "showWithoutTime": true, "duration": "P2D"});
        event.as_object_mut().into_iter().zip(more.as_object().cloned()).for_each(|(event, more)| event.extend(more));
        content(event)
    };
    let rules = |rules: Value| timed(json!({"recurrenceRules": rules}));
    let floating = json!({"title": "Run", "start": "2026-03-02T07:00:00", "duration": "PT1H"});
    let lone = json!({"recurrenceOverrides": {"2026-03-02T09:00:00": {
        "title": "Guest", "start": "2026-03-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT45M",
        "recurrenceIdTimeZone": "Europe/Berlin",
    }}});
    vec![
        ("a time in a zone", timed(json!({}))),
        ("a time in UTC", timed(json!({"timeZone": "Etc/UTC"}))),
        ("a time without a zone", content(floating)),
        ("whole days", days(json!({}))),
        ("a series of whole days", days(json!({"recurrenceRules": [{"frequency": "yearly"}], "duration": "P1D"}))),
        (
            "an end in another zone",
            timed(json!({"duration": null, "end": "2026-03-02T18:00:00", "endTimeZone": "Asia/Tokyo"})),
        ),
        ("every third day, ten times", rules(json!([{"frequency": "daily", "interval": 3, "count": 10}]))),
        (
            "each month's last Friday",
            rules(json!([{"frequency": "monthly", "byDay": [{"day": "fr", "nthOfPeriod": -1}]}]))
                .with_start("2026-03-27T09:00:00"),
        ),
        (
            "each month's last day",
            rules(json!([{"frequency": "monthly", "byMonthDay": [-1]}])).with_start("2026-03-31T09:00:00"),
        ),
        (
            "each month's 1st and 15th",
            rules(json!([{"frequency": "monthly", "byMonthDay": [1, 15]}])).with_start("2026-03-15T09:00:00"),
        ),
        ("twice a day", rules(json!([{"frequency": "daily", "byHour": [9, 17]}]))),
        ("every fourth hour", rules(json!([{"frequency": "hourly", "interval": 4, "count": 20}]))),
        (
            "two rules",
            rules(json!([
                {"frequency": "weekly", "byDay": [{"day": "mo"}]}, {"frequency": "monthly", "byMonthDay": [2]},
            ])),
        ),
        (
            "a rule and a further date",
            timed(json!({
                "recurrenceRules": [{"frequency": "weekly"}], "recurrenceOverrides": {"2026-03-05T09:00:00": {"excluded": false}},
            })),
        ),
        (
            "dates without a rule",
            timed(json!({"recurrenceOverrides": {
                "2026-03-05T09:00:00": {"excluded": false}, "2026-03-19T09:00:00": {"excluded": false},
            }})),
        ),
        ("an occurrence without its series", content(lone)),
    ]
}

trait WithStart {
    fn with_start(self, start: &str) -> Self;
}

impl WithStart for Content {
    fn with_start(mut self, start: &str) -> Self {
        self.set("start", json!(start));
        self
    }
}
