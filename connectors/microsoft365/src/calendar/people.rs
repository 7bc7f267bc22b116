//! Who takes part in a meeting, as participants.
//!
//! A meeting of the user's own that has guests has them edited in place: that mails people, and is counted so (`mails.rs`). An event that
//! has none gets none, for to be added would be an invitation; what an item says of people then travels in the carry-all, and so it does
//! for single occurrences and for somebody else's meeting. Only a new meeting that is meant to ask its guests has them from the start.

use super::wire::Event;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use twofold_model::event::address_identity;
use twofold_model::{Content, card};

/// The participants of a meeting. An appointment of the user alone has none: that he organizes it says nothing.
pub fn read(event: &Event) -> Map<String, Value> {
    let mut people = Map::new();
    if !event.has_guests() && !event.is_foreign() {
        return people;
    }
    if let Some((address, name)) = event.0.get("organizer").and_then(of_person) {
        let mut entry = json!({"email": address, "roles": {"owner": true}});
        set_name(&mut entry, name);
        card::insert(&mut people, &address_identity(address), entry);
    }
    for attendee in event.0.get("attendees").and_then(Value::as_array).into_iter().flatten() {
        let Some((address, name)) = of_person(attendee) else { continue };
        let key = card::key(&address_identity(address));
        let is_owner = people.get(&key).is_some_and(|entry| entry["roles"].get("owner").is_some());
        let mut entry = match people.get(&key).filter(|_| is_owner) {
            Some(entry) => entry.clone(),
            None => json!({"email": address, "roles": {}}),
        };
        entry["roles"]["attendee"] = true.into();
        set_name(&mut entry, name);
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_ascii_lowercase);
        match text(attendee.get("type")).as_deref() {
            Some("optional") => entry["roles"]["optional"] = true.into(),
            Some("resource") => entry["kind"] = "resource".into(),
            _ => {}
        }
        let status = match text(attendee.get("status").and_then(|status| status.get("response"))).as_deref() {
            Some("accepted") => Some("accepted"),
            Some("declined") => Some("declined"),
            Some("tentativelyaccepted") => Some("tentative"),
            _ => None,
        };
        if let Some(status) = status {
            entry["participationStatus"] = status.into();
        }
        match is_owner {
            true => drop(people.insert(key, entry)),
            false => drop(card::insert(&mut people, &address_identity(address), entry)),
        }
    }
    people
}

/// What an attendee is asked to be, as both sides can say it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guest {
    address: String,
    name: String,
    kind: &'static str,
}

/// The participants who are asked to come, by their addresses. An address that is none cannot be asked.
fn guests(people: &Map<String, Value>) -> BTreeMap<String, Guest> {
    let guests = people.values().filter_map(|entry| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let has_role = |role: &str| entry.get("roles").and_then(|roles| roles.get(role)) == Some(&Value::Bool(true));
        let address = text("email").trim();
        let is_asked = ["attendee", "optional", "chair"].into_iter().any(has_role) && address.contains('@');
        let kind = match text("kind") {
            "resource" => "resource",
            _ if has_role("optional") => "optional",
            _ => "required",
        };
        is_asked
            .then(|| (address_identity(address), Guest { address: address.into(), name: text("name").into(), kind }))
    });
    guests.collect()
}

/// Makes the attendees of a single event or a series of the user's own that has some those that the content names; whether they were
/// changed. Who stays keeps what is known of them; the organizer is none of them.
pub fn edit(event: &mut Event, content: &Content) -> bool {
    if !event.is("isOrganizer") || !event.has_guests() {
        return false;
    }
    let organizer = event.0.get("organizer").and_then(of_person).map(|(address, _)| address_identity(address));
    let asked = |people: &Map<String, Value>| {
        let mut guests = guests(people);
        organizer.iter().for_each(|organizer| drop(guests.remove(organizer)));
        guests
    };
    let (was, wanted) =
        (asked(&read(event)), asked(content.get("participants").and_then(Value::as_object).unwrap_or(&Map::new())));
    let kinds = |guests: &BTreeMap<String, Guest>| -> Vec<(String, &'static str)> {
        guests.iter().map(|(identity, guest)| (identity.clone(), guest.kind)).collect()
    };
    if kinds(&was) == kinds(&wanted) {
        return false;
    }
    let mut list = Vec::new();
    for attendee in event.0.get("attendees").and_then(Value::as_array).into_iter().flatten() {
        let identity = of_person(attendee).map(|(address, _)| address_identity(address));
        // One who cannot be named, or is the organizer, is not the content's to take away.
        let Some(identity) = identity.filter(|identity| was.contains_key(identity)) else {
            list.push(attendee.clone());
            continue;
        };
        let Some(guest) = wanted.get(&identity) else { continue };
        let mut attendee = attendee.clone();
        if was[&identity].kind != guest.kind {
            attendee["type"] = guest.kind.into();
        }
        list.push(attendee);
    }
    for (_, guest) in wanted.iter().filter(|(identity, _)| !was.contains_key(*identity)) {
        list.push(attendee(guest));
    }
    event.0.insert("attendees".into(), list.into());
    true
}

/// Gives a new event the attendees and the organizer that a content names; `false` where there is nobody to ask.
pub fn invite(event: &mut Event, content: &Content) -> bool {
    let nobody = Map::new();
    let people = content.get("participants").and_then(Value::as_object).unwrap_or(&nobody);
    let mut guests = guests(people);
    let owner = people.values().find(|entry| entry["roles"].get("owner") == Some(&Value::Bool(true)));
    if let Some(owner) = owner.and_then(|owner| owner.get("email")).and_then(Value::as_str) {
        guests.remove(&address_identity(owner));
        event.0.insert("organizer".into(), json!({"emailAddress": {"address": owner}}));
    }
    event.0.insert("attendees".into(), guests.values().map(attendee).collect());
    !guests.is_empty()
}

/// An attendee who has not been asked yet.
fn attendee(guest: &Guest) -> Value {
    let mut email = json!({"address": guest.address});
    if !guest.name.is_empty() {
        email["name"] = guest.name.as_str().into();
    }
    json!({"emailAddress": email, "type": guest.kind})
}

fn set_name(entry: &mut Value, name: Option<&str>) {
    if let (Some(name), None) = (name, entry.get("name")) {
        entry["name"] = name.into();
    }
}

/// Address and name; a name that is only the address once more says nothing.
fn of_person(person: &Value) -> Option<(&str, Option<&str>)> {
    let of = person.get("emailAddress")?;
    let text = |name: &str| of.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let address = text("address")?;
    Some((address, text("name").filter(|name| *name != address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(value: Value) -> Event {
        Event::from_value(value).unwrap()
    }

    fn person(address: &str, name: &str) -> Value {
        json!({"emailAddress": {"address": address, "name": name}})
    }

    #[test]
    fn each_person_says_what_they_are() {
        let guest = |address: &str, kind: &str, response: &str| json!({"emailAddress": {"address": address, "name": address}, "type": kind, "status": {"response": response}});
        let people = read(&event(json!({"isOrganizer": true, "organizer": person("Ada@X.org", "Ada"), "attendees": [
            guest("ada@x.org", "required", "organizer"), guest("b@x", "optional", "accepted"),
            guest("room@x", "resource", "tentativelyAccepted"), guest("c@x", "required", "notResponded"), {"type": "required"}]})));
        let of = |address: &str| people[&card::key(address)].clone();
        assert_eq!(
            of("ada@x.org"),
            json!({"email": "Ada@X.org", "name": "Ada", "roles": {"owner": true, "attendee": true}})
        );
        let optional =
            json!({"email": "b@x", "roles": {"attendee": true, "optional": true}, "participationStatus": "accepted"});
        assert_eq!(of("b@x"), optional);
        let room = json!({"email": "room@x", "roles": {"attendee": true}, "kind": "resource", "participationStatus": "tentative"});
        assert_eq!(of("room@x"), room);
        assert_eq!(of("c@x"), json!({"email": "c@x", "roles": {"attendee": true}}));
        assert_eq!(people.len(), 4);
    }

    fn says(event: &Event) -> Content {
        Content::from_value(json!({"participants": read(event)}))
    }

    #[test]
    fn a_change_touches_one_guest_and_keeps_what_is_known_of_the_others() {
        let asked = |name: &str, kind: &str| {
            json!({"emailAddress": {"address": format!("{name}@x"), "name": name}, "type": kind,
            "status": {"response": "accepted", "time": "t"}, "proposedNewTime": {"start": 1}})
        };
        let nameless = json!({"type": "required", "emailAddress": {"name": "Somebody"}});
        let organizer = asked("ada", "required");
        let own = event(json!({"isOrganizer": true, "organizer": person("Ada@x", "Ada"),
            "attendees": [organizer, asked("bob", "optional"), asked("eve", "required"), nameless]}));
        let mut wanted = says(&own);
        let people = wanted.0["participants"].as_object_mut().unwrap();
        people.shift_remove(&card::key("eve@x"));
        people[&card::key("bob@x")]["participationStatus"] = "declined".into();
        people.insert(
            "n".into(),
            json!({"email": "New@x", "name": "New", "roles": {"attendee": true, "optional": true}}),
        );
        people.insert("s".into(), json!({"email": "nobody", "roles": {"attendee": true}}));
        let mut to = own.clone();
        assert!(edit(&mut to, &wanted));
        let added = json!({"emailAddress": {"address": "New@x", "name": "New"}, "type": "optional"});
        assert_eq!(to.0["attendees"], json!([organizer, asked("bob", "optional"), nameless, added]));
        wanted.0["participants"][card::key("bob@x")]["roles"] = json!({"attendee": true});
        assert!(edit(&mut to, &wanted));
        assert_eq!(to.0["attendees"][1], asked("bob", "required"), "only the type is another one");
        assert!(!edit(&mut to, &wanted));
    }

    #[test]
    fn nobody_is_invited_where_nobody_is_and_nothing_is_said_of_a_foreign_meeting() {
        let guest = json!({"emailAddress": {"address": "b@x", "name": "B"}, "type": "required"});
        let wanted = Content::from_value(json!({"participants": {"n": {"email": "n@x", "roles": {"attendee": true}}}}));
        for (is_organizer, attendees) in
            [(json!(true), json!([])), (json!(false), json!([guest])), (Value::Null, json!([guest]))]
        {
            let before =
                event(json!({"isOrganizer": is_organizer, "organizer": person("a@x", "A"), "attendees": attendees}));
            let mut to = before.clone();
            assert!(!edit(&mut to, &wanted));
            assert_eq!(to, before);
        }
    }

    #[test]
    fn an_appointment_of_the_users_own_has_no_participants() {
        let own = json!({"isOrganizer": true, "organizer": person("a@x", "A"), "attendees": []});
        assert!(read(&event(own)).is_empty());
        let guest_of = json!({"isOrganizer": false, "organizer": person("a@x", "A"), "attendees": []});
        assert_eq!(read(&event(guest_of)).len(), 1);
    }
}
