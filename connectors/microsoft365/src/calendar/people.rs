//! Who takes part in a meeting, as participants. They are read only: writing them would mail them.

use super::wire::Event;
use serde_json::{Map, Value, json};
use twofold_model::card;
use twofold_model::event::address_identity;

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

    #[test]
    fn an_appointment_of_the_users_own_has_no_participants() {
        let own = json!({"isOrganizer": true, "organizer": person("a@x", "A"), "attendees": []});
        assert!(read(&event(own)).is_empty());
        let guest_of = json!({"isOrganizer": false, "organizer": person("a@x", "A"), "attendees": []});
        assert_eq!(read(&event(guest_of)).len(), 1);
    }
}
