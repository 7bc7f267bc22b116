//! The laws of a lens for any calendar item, over the corpus, and what another reader makes of items written from nothing.

mod common;

use common::{calendar_items, calendar_lens, identity};
use serde_json::{Value, json};
use twofold_model::contentline::File;
use twofold_model::event::{alert_identity, key, settled};
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
        (&["DTSTART", "DTEND", "X-MICROSOFT-CDO-ALLDAYEVENT"], |event| {
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
