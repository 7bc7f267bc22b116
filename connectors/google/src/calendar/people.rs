//! Who takes part: `organizer` and `attendees`.
//!
//! An event that has attendees has them edited in place. One that has none gets none, for to be added would be an invitation; what an
//! item says of people then travels in the carry-all. Only a new meeting that is meant to ask its guests has them from the start.

use serde_json::{Map, Value, json};
use twofold_model::Content;
use twofold_model::event::{address_identity, insert};

use super::wire::{Object, is_set, text};

/// Google's words for an answer, and the model's.
const ANSWERS: [(&str, &str); 3] = [("accepted", "accepted"), ("declined", "declined"), ("tentative", "tentative")];

/// The people of an event, by their addresses. An organizer who invites nobody is the calendar's owner, and no participant.
pub(super) fn read_people(event: &Object) -> Value {
    let mut map = Map::new();
    let attendees = attendees(event);
    if attendees.is_empty() && !is_set(event, "attendeesOmitted") {
        return Value::Object(map);
    }
    let organizer = event.get("organizer").and_then(Value::as_object);
    let owner = organizer.and_then(|organizer| text(organizer, "email")).map(address_identity);
    let mut is_owner_told = false;
    for attendee in attendees.iter().filter_map(Value::as_object) {
        let Some(email) = text(attendee, "email") else { continue };
        let is_owner = is_set(attendee, "organizer") || owner.as_deref() == Some(&address_identity(email));
        is_owner_told |= is_owner;
        let mut roles = json!({"attendee": true});
        for (role, is) in [("owner", is_owner), ("optional", is_set(attendee, "optional"))] {
            if is {
                roles[role] = true.into();
            }
        }
        let status =
            text(attendee, "responseStatus").and_then(|answer| ANSWERS.iter().find(|(word, _)| *word == answer));
        let entry = json!({
            "email": email, "name": text(attendee, "displayName"), "roles": roles,
            "kind": is_set(attendee, "resource").then_some("resource"),
            "participationStatus": status.map(|(_, word)| word),
        });
        insert(&mut map, &address_identity(email), entry);
    }
    if let (Some(organizer), false) = (organizer, is_owner_told)
        && let Some(email) = text(organizer, "email")
    {
        let entry = json!({"email": email, "name": text(organizer, "displayName"), "roles": {"owner": true}});
        insert(&mut map, &address_identity(email), entry);
    }
    Value::Object(map)
}

fn attendees(event: &Object) -> &[Value] {
    event.get("attendees").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What an attendee's fields can say of a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Guest {
    email: String,
    name: String,
    is_optional: bool,
    is_resource: bool,
    answer: &'static str,
}

/// The participants that are attendees, by their address. One that is none cannot be asked.
fn guests(content: &Content) -> Vec<(String, Guest)> {
    let people = content.get("participants").and_then(Value::as_object).into_iter().flatten();
    let word = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let has_role =
        |entry: &Value, role: &str| entry.get("roles").and_then(|roles| roles.get(role)) == Some(&Value::Bool(true));
    let guests = people.filter_map(|(_, entry)| {
        let email = word(entry, "email");
        let is_attendee = ["attendee", "optional", "chair"].iter().any(|role| has_role(entry, role));
        (is_attendee && email.contains('@')).then(|| {
            let status = word(entry, "participationStatus");
            let answer = ANSWERS.iter().find(|(_, known)| *known == status).map_or("needsAction", |(word, _)| word);
            let (is_optional, is_resource) = (has_role(entry, "optional"), word(entry, "kind") == "resource");
            (address_identity(&email), Guest { name: word(entry, "name"), email, is_optional, is_resource, answer })
        })
    });
    guests.collect()
}

/// Makes the attendees of an event that has some say what `wanted` says.
pub(super) fn write_people(event: &mut Object, before: &Content, wanted: &Content) {
    let (was, is) = (guests(before), guests(wanted));
    // Of a list that is told in part nothing is known.
    if was == is || attendees(event).is_empty() || is_set(event, "attendeesOmitted") {
        return;
    }
    let mut rest = is;
    let mut list = Vec::new();
    for attendee in attendees(event) {
        let known = attendee.as_object().and_then(|attendee| text(attendee, "email")).map(address_identity);
        let Some(known) = known else {
            list.push(attendee.clone());
            continue;
        };
        let Some(at) = rest.iter().position(|(identity, _)| *identity == known) else { continue };
        let (_, guest) = rest.remove(at);
        let old = was.iter().find(|(identity, _)| *identity == known).map(|(_, guest)| guest);
        let mut attendee = attendee.clone();
        if let Some(attendee) = attendee.as_object_mut() {
            edit(attendee, old, &guest);
        }
        list.push(attendee);
    }
    for (_, guest) in rest {
        let mut attendee = Object::new();
        edit(&mut attendee, None, &guest);
        list.push(Value::Object(attendee));
    }
    event.insert("attendees".into(), list.into());
}

/// Gives a new event the attendees and the organizer that a content names; `false` where there is nobody to ask.
pub(super) fn invite(event: &mut Object, wanted: &Content) -> bool {
    let people = wanted.get("participants").and_then(Value::as_object).into_iter().flatten();
    let owner = people.map(|(_, entry)| entry).find(|entry| entry["roles"].get("owner") == Some(&Value::Bool(true)));
    let owner = owner.and_then(|owner| owner.get("email")).and_then(Value::as_str);
    let identity = owner.map(address_identity);
    let guests = guests(wanted);
    if guests.iter().all(|(address, _)| Some(address) == identity.as_ref()) {
        return false;
    }
    let attendee = |(_, guest): &(String, Guest)| {
        let mut attendee = Object::new();
        edit(&mut attendee, None, guest);
        Value::Object(attendee)
    };
    event.insert("attendees".into(), guests.iter().map(attendee).collect());
    if let Some(owner) = owner {
        event.insert("organizer".into(), json!({"email": owner}));
    }
    true
}

fn edit(attendee: &mut Object, old: Option<&Guest>, new: &Guest) {
    let mut put = |name: &str, differs: bool, value: Value| {
        if differs && matches!(value, Value::Null | Value::Bool(false)) {
            attendee.shift_remove(name);
        } else if differs {
            attendee.insert(name.to_owned(), value);
        }
    };
    put("email", old.is_none(), new.email.as_str().into());
    let name = if new.name.is_empty() { Value::Null } else { new.name.as_str().into() };
    put("displayName", old.is_none_or(|old| old.name != new.name), name);
    put("optional", old.map_or(new.is_optional, |old| old.is_optional != new.is_optional), new.is_optional.into());
    put("resource", old.is_none() && new.is_resource, true.into());
    put("responseStatus", old.is_none_or(|old| old.answer != new.answer), new.answer.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_model::event::key;

    fn meeting() -> Object {
        json!({
            "organizer": {"email": "boss@x.example", "displayName": "Boss", "self": true},
            "attendees": [
                {"email": "Ada@x.example", "displayName": "Ada", "responseStatus": "accepted", "comment": "with tea", "additionalGuests": 2},
                {"email": "room@x.example", "resource": true, "optional": true, "responseStatus": "needsAction"},
            ],
        })
        .as_object()
        .unwrap()
        .clone()
    }

    fn says(event: &Object) -> Content {
        Content::from_value(json!({"participants": read_people(event)}))
    }

    #[test]
    fn people_are_read_with_their_roles_and_answers() {
        assert_eq!(
            says(&meeting()).to_value()["participants"],
            json!({
                key("ada@x.example"): {"email": "Ada@x.example", "name": "Ada", "roles": {"attendee": true}, "participationStatus": "accepted"},
                key("room@x.example"): {"email": "room@x.example", "roles": {"attendee": true, "optional": true}, "kind": "resource"},
                key("boss@x.example"): {"email": "boss@x.example", "name": "Boss", "roles": {"owner": true}},
            })
        );
        let mut alone = meeting();
        alone.shift_remove("attendees");
        assert_eq!(read_people(&alone), json!({}));
    }

    #[test]
    fn a_change_touches_one_guest_and_keeps_what_is_not_known() {
        let mut event = meeting();
        let before = says(&event);
        let mut wanted = before.clone();
        wanted.0["participants"][key("ada@x.example")]["participationStatus"] = "declined".into();
        write_people(&mut event, &before, &wanted);
        assert_eq!(event["attendees"][0]["responseStatus"], "declined");
        assert_eq!(
            (&event["attendees"][0]["comment"], &event["attendees"][0]["additionalGuests"]),
            (&json!("with tea"), &json!(2))
        );
        assert_eq!(event["attendees"][1], meeting()["attendees"][1]);
        assert_eq!(says(&event), wanted);
    }

    #[test]
    fn nobody_is_invited_to_an_event_that_has_no_guests() {
        let wanted = says(&meeting());
        let mut event = Object::new();
        write_people(&mut event, &Content::new(), &wanted);
        assert_eq!(event, Object::new());
        let mut partial = meeting();
        partial.insert("attendeesOmitted".into(), true.into());
        let before = partial.clone();
        write_people(&mut partial, &wanted, &Content::new());
        assert_eq!(partial, before, "a list that is told in part is never written back");
    }

    #[test]
    fn a_new_meeting_that_asks_its_guests_names_them_and_its_organizer() {
        let wanted = says(&meeting());
        let mut event = Object::new();
        assert!(invite(&mut event, &wanted));
        assert_eq!(
            says(&event).to_value()["participants"][key("room@x.example")],
            wanted.to_value()["participants"][key("room@x.example")]
        );
        assert_eq!(event["organizer"], json!({"email": "boss@x.example"}));
        let alone = json!({"b": {"email": "Boss@x.example", "roles": {"owner": true, "attendee": true}}, "n": {"email": "none", "roles": {"attendee": true}}});
        let mut event = Object::new();
        assert!(!invite(&mut event, &Content::from_value(json!({"participants": alone}))));
        assert_eq!(event, Object::new());
    }

    #[test]
    fn guests_of_a_meeting_come_and_go() {
        let mut event = meeting();
        let before = says(&event);
        let mut wanted = before.clone();
        wanted.0["participants"].as_object_mut().unwrap().shift_remove(&key("room@x.example"));
        wanted.0["participants"][key("new@x.example")] = json!({"email": "new@x.example", "roles": {"attendee": true}});
        write_people(&mut event, &before, &wanted);
        assert_eq!(event["attendees"].as_array().unwrap().len(), 2);
        assert_eq!(event["attendees"][1], json!({"email": "new@x.example", "responseStatus": "needsAction"}));
    }
}
