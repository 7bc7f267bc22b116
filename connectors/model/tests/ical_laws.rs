//! The laws of a lens for any calendar item, over the corpus, and what another reader makes of items written from nothing.

mod common;

use calcard::Entry;
use calcard::icalendar::{ICalendarComponent, ICalendarComponentType, ICalendarProperty, ICalendarValue};
use common::{calendar_items, calendar_lens, identity};
use serde_json::{Value, json};
use twofold_model::contentline::File;
use twofold_model::event::{alert_identity, key, occurrence, settled};
use twofold_model::ical::check_whole;
use twofold_model::patch::difference;
use twofold_model::{Content, Lens, Rendering};

fn said(rendering: &Rendering) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(rendering.as_bytes())
}

#[test]
fn nothing_changes_when_nothing_is_changed() {
    let lens = calendar_lens();
    for (name, rendering, content) in calendar_items() {
        assert!(lens.write(Some(&rendering), &content, &identity()).unwrap() == rendering, "{name}");
    }
}

#[test]
fn real_items_say_the_same_from_nothing_and_little_is_carried() {
    let lens = calendar_lens();
    let (mut count, mut carried) = (0, 0);
    for (name, rendering, content) in calendar_items() {
        let fresh = lens
            .write(None, &content, &identity())
            .unwrap_or_else(|error| panic!("{name}: {error}\n{}", said(&rendering)));
        let patch = difference(&lens.read(&fresh).unwrap(), &content);
        assert!(patch.is_empty(), "{name}: {:?}\n{}\n{}", patch.0, said(&fresh), said(&rendering));
        assert_eq!(check_whole(fresh.as_bytes()).unwrap().uid, Some(identity().uid), "{name}");
        let rest = difference(&lens.native(&fresh).unwrap(), &content);
        count += 1;
        if !rest.is_empty() {
            carried += 1;
            println!("{name}: carried {:?}", rest.0);
        }
    }
    println!("{carried} of {count} items carry something");
    assert!(carried * 20 <= count, "{carried} of {count}");
}

/// The raw lines of a file whose property is not one of these.
fn others(rendering: &Rendering, names: &[&str]) -> Vec<Vec<u8>> {
    let file = File::parse(rendering.as_bytes()).unwrap();
    let name = |line: usize| {
        let text = String::from_utf8_lossy(&file.unfolded(line)).to_ascii_uppercase();
        text.split([';', ':']).next().unwrap_or_default().to_owned()
    };
    (0..file.len()).filter(|line| !names.contains(&name(*line).as_str())).map(|line| file.raw(line).to_vec()).collect()
}

#[test]
fn one_property_edited_leaves_every_other_line_of_real_items() {
    let lens = calendar_lens();
    type Change = (&'static [&'static str], fn(&mut Value));
    let changes: [Change; 9] = [
        (&["SUMMARY"], |event| event["title"] = json!("Edited, here; and\nthere é")),
        (&["DESCRIPTION", "X-ALT-DESC"], |event| {
            event["description"] = json!("Edited");
            event.as_object_mut().unwrap().shift_remove("descriptionContentType");
        }),
        (&["LOCATION", "GEO"], |event| event["locations"]["location"] = json!({"name": "Moon"})),
        (&["CATEGORIES"], |event| event["keywords"]["A, b"] = json!(true)),
        (&["CLASS"], |event| event["privacy"] = json!("secret")),
        (&["TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS"], |event| event["freeBusyStatus"] = json!("unavailable")),
        (&["ATTENDEE"], |event| {
            event["participants"][key("new@example.org")] =
                json!({"email": "new@example.org", "name": "N, N", "roles": {"attendee": true}});
        }),
        (&["BEGIN", "END", "ACTION", "TRIGGER", "DESCRIPTION"], |event| {
            let alert = json!({"trigger": {"offset": "-PT42M"}});
            let identity = key(&alert_identity(&alert));
            event["alerts"][identity] = alert;
        }),
        // What a rule leaves to the start moves with it.
        (&["DTSTART", "DTEND", "X-MICROSOFT-CDO-ALLDAYEVENT", "RRULE"], |event| {
            let start = event["start"].as_str().unwrap();
            event["start"] = json!(format!("2031{}", &start[4..]).replace("02-29", "02-28"));
        }),
    ];
    for (name, rendering, content) in calendar_items() {
        if content.get("start").is_none() {
            continue;
        }
        for (names, change) in changes {
            let mut edited = content.to_value();
            change(&mut edited);
            let edited = settled(&Content::from_value(edited)).into_owned();
            let written = lens.write(Some(&rendering), &edited, &identity()).unwrap();
            let patch = difference(&lens.read(&written).unwrap(), &edited);
            assert!(patch.is_empty(), "{name} {names:?}: {:?}\n{}", patch.0, said(&written));
            let mut but = names.to_vec();
            if others(&written, &[]).len() > others(&written, &["X-TWOFOLD-CARRY"]).len() {
                println!("{name} {names:?}: something was carried");
                but.push("X-TWOFOLD-CARRY");
            }
            let is_same = others(&written, &but) == others(&rendering, &but);
            assert!(is_same, "{name} {names:?}:\n{}\n{}", said(&rendering), said(&written));
        }
    }
}

#[test]
fn a_real_item_can_be_made_to_say_what_any_other_says() {
    let lens = calendar_lens();
    let items = calendar_items();
    for ((name, rendering, _), (other, _, content)) in items.iter().zip(items.iter().cycle().skip(7)) {
        let written = lens.write(Some(rendering), content, &identity());
        let written = written.unwrap_or_else(|error| panic!("{name} as {other}: {error}"));
        let patch = difference(&lens.read(&written).unwrap(), content);
        assert!(patch.is_empty(), "{name} as {other}: {:?}\n{}\n{}", patch.0, said(rendering), said(&written));
    }
}

/// The texts of a property as calcard reads them.
fn texts(event: &ICalendarComponent, property: &ICalendarProperty) -> Vec<String> {
    let entries = event.entries.iter().filter(|entry| entry.name == *property);
    entries.flat_map(|entry| entry.values.iter().filter_map(|value| value.as_text().map(str::to_owned))).collect()
}

#[test]
fn an_independent_reader_finds_the_same_events_in_items_from_nothing() {
    let lens = calendar_lens();
    for (name, _, content) in calendar_items() {
        let fresh = lens.write(None, &content, &identity()).unwrap();
        let text = said(&fresh).into_owned();
        let Entry::ICalendar(calendar) = calcard::Parser::new(&text).entry() else {
            panic!("{name}: no calendar\n{text}")
        };
        let events: Vec<&ICalendarComponent> =
            calendar.components.iter().filter(|part| part.component_type == ICalendarComponentType::VEvent).collect();
        let changed = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
        let changed: Vec<&String> = changed
            .filter(|(_, patch)| patch.as_object().unwrap().keys().any(|key| key != "excluded"))
            .map(|(key, _)| key)
            .collect();
        let unread = content.get("iCalOverrides").and_then(Value::as_object).map_or(0, |all| all.len());
        let masters = usize::from(content.get("start").is_some());
        assert_eq!(events.len(), masters + changed.len() + unread, "{name}\n{text}");
        let starts = |of: &[&ICalendarComponent]| -> Vec<String> {
            let mut starts: Vec<String> = of
                .iter()
                .filter_map(|event| event.entries.iter().find(|entry| entry.name == ICalendarProperty::Dtstart))
                .filter_map(|entry| entry.values.first()?.as_partial_date_time())
                .map(|t| {
                    format!(
                        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                        t.year.unwrap(),
                        t.month.unwrap(),
                        t.day.unwrap(),
                        t.hour.unwrap_or(0),
                        t.minute.unwrap_or(0),
                        t.second.unwrap_or(0)
                    )
                })
                .collect();
            starts.sort();
            starts
        };
        let of_master = |key: &str| content.get(key).and_then(Value::as_str).map(str::to_owned);
        let occurrences: Vec<Content> = changed.iter().filter_map(|key| occurrence(&content, key)).collect();
        if unread == 0 && occurrences.len() == changed.len() {
            let mut wanted: Vec<String> = of_master("start").into_iter().collect();
            wanted.extend(occurrences.iter().filter_map(|event| Some(event.get("start")?.as_str()?.to_owned())));
            wanted.sort();
            assert_eq!(starts(&events), wanted, "{name}\n{text}");
        }
        if let Some(master) = events.first().filter(|_| masters == 1) {
            let title: Vec<String> = of_master("title").into_iter().collect();
            assert_eq!(texts(master, &ICalendarProperty::Summary), title, "{name}\n{text}");
            let rules = |member: &str| content.get(member).and_then(Value::as_array).map_or(0, Vec::len);
            let read = master.entries.iter().filter(|entry| entry.name == ICalendarProperty::Rrule);
            let read =
                read.filter(|entry| matches!(entry.values.first(), Some(ICalendarValue::RecurrenceRule(_)))).count();
            assert_eq!(read, rules("recurrenceRules"), "{name}\n{text}");
        }
    }
}
