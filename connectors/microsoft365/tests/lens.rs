//! The lens of a Graph contact: its laws over generated cards, and the traps that other tools fell into.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twofold_microsoft365::contacts::map::{ContactLens, Photo, Sheet};
use twofold_microsoft365::contacts::wire::{CARRY, Contact, MARK, UID};
use twofold_model::patch::difference;
use twofold_model::{Content, Identity, Lens, Mark, Rendering, Uid, card};

const JPEG: &str = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ==";

fn identity() -> Identity {
    Identity {
        uid: Uid::from("urn:uuid:1"),
        mark: Some(Mark { hub: "hub".into(), item: "item".into(), generation: 1 }),
    }
}

fn new(card: &Content) -> Rendering {
    ContactLens.write(None, card, &identity()).unwrap()
}

fn onto(rendering: &Rendering, card: &Content) -> Rendering {
    ContactLens.write(Some(rendering), card, &identity()).unwrap()
}

fn read(rendering: &Rendering) -> Content {
    ContactLens.read(rendering).unwrap()
}

fn seen(contact: Value) -> Rendering {
    Sheet { photo: Photo::Absent, contact: Contact::from_value(contact).unwrap() }.close()
}

fn contact(rendering: &Rendering) -> Contact {
    Sheet::open(rendering).unwrap().contact
}

fn content(value: Value) -> Content {
    Content::from_value(value)
}

/// Entries of one member under the keys that the model's convention gives them.
fn entries(member: &str, list: &[(&str, Value)]) -> Content {
    let mut map = Map::new();
    for (identity, entry) in list {
        card::insert(&mut map, identity, entry.clone());
    }
    content(json!({member: map}))
}

// The traps

#[test]
fn birthday_kiritimati() {
    // Outlook stores 11:59Z; a client in UTC+14 stores local midnight of the day before in UTC. The day is the one in UTC.
    for stored in ["1984-02-29T11:59:00Z", "1984-02-29", "1984-02-29T23:30:00Z", "1984-03-01T01:00:00+14:00"] {
        let card = read(&seen(json!({"birthday": stored})));
        let date = card.at(&["anniversaries", "birth", "date"]);
        assert_eq!(date, Some(&json!({"year": 1984, "month": 2, "day": 29})), "{stored}");
        assert_eq!(onto(&seen(json!({"birthday": stored})), &card), seen(json!({"birthday": stored})));
    }
    let card =
        content(json!({"anniversaries": {"birth": {"kind": "birth", "date": {"year": 1984, "month": 2, "day": 29}}}}));
    assert_eq!(contact(&new(&card)).text("birthday"), Some("1984-02-29T11:59:00Z"));
}

#[test]
fn birthday_no_year() {
    let card = content(json!({"anniversaries": {"birth": {"kind": "birth", "date": {"month": 2, "day": 29}}}}));
    assert_eq!(contact(&new(&card)).0.get("birthday"), None, "never 1604");
    assert_eq!(read(&new(&card)), card);
    let from_phone = seen(json!({"birthday": "1604-02-29T11:59:00Z"}));
    assert_eq!(read(&from_phone), card);
    assert_eq!(onto(&from_phone, &card), from_phone);
    let dated = seen(json!({"birthday": "1984-02-29T11:59:00Z"}));
    let undated = onto(&dated, &card);
    assert_eq!(contact(&undated).0["birthday"], Value::Null);
    assert_eq!(read(&undated), card);
}

#[test]
fn a_birthday_that_is_none_is_left_alone() {
    for stored in ["datetime-value", "0001-01-01T00:00:00Z", "4501-01-01T00:00:00Z"] {
        let odd = seen(json!({"birthday": stored}));
        assert_eq!(read(&odd), Content::new());
        let noted = onto(&odd, &content(json!({"notes": {"note": {"note": "n"}}})));
        assert_eq!(contact(&noted).text("birthday"), Some(stored));
    }
}

#[test]
fn four_mails_round_trip() {
    let four = ["a@x", "b@x", "c@x", "d@x"].map(|address| (address, json!({"address": address})));
    let card = entries("emails", &four);
    let rendering = new(&card);
    assert_eq!(contact(&rendering).0["emailAddresses"].as_array().map(Vec::len), Some(3));
    assert_eq!(read(&rendering), card);
    // The user changes the second address at Graph: the fourth stays.
    let mut sheet = Sheet::open(&rendering).unwrap();
    sheet.contact.0["emailAddresses"][1]["address"] = json!("new@x");
    let after = read(&sheet.close());
    let addresses: Vec<&Value> =
        after.get("emails").unwrap().as_object().unwrap().values().map(|e| &e["address"]).collect();
    assert_eq!(addresses.len(), 4);
    assert!(addresses.contains(&&json!("new@x")) && addresses.contains(&&json!("d@x")));
    assert!(!addresses.contains(&&json!("b@x")));
}

#[test]
fn who_is_in_stays_in_and_free_places_fill_by_pref() {
    let held = seen(json!({"emailAddresses": [
        {"name": "Ada at work", "address": "a@x"}, {"name": "B", "address": "B@x"}, {"name": "C", "address": "c@x"}]}));
    let wanted = [
        ("d@x", json!({"address": "d@x"})),
        ("e@x", json!({"address": "e@x", "pref": 1})),
        ("c@x", json!({"address": "c@x"})),
        ("a@x", json!({"address": "a@x"})),
    ];
    let card = entries("emails", &wanted);
    let after = onto(&held, &card);
    let slots = &contact(&after).0["emailAddresses"];
    assert_eq!(
        slots,
        &json!([{"name": "Ada at work", "address": "a@x"}, {"name": "C", "address": "c@x"}, {"address": "e@x"}])
    );
    assert_eq!(read(&after), card);
}

#[test]
fn last_category_removed() {
    let held = seen(json!({"categories": ["Friends"]}));
    let after = onto(&held, &Content::new());
    assert_eq!(contact(&after).patch_body(&contact(&held)), Some(json!({"categories": []})));
}

#[test]
fn categories_case() {
    let held = seen(json!({"categories": ["friends", "Friends"]}));
    let card = read(&held);
    assert_eq!(card, content(json!({"keywords": {"friends": true, "Friends": true}})));
    assert_eq!(onto(&held, &card), held);
    let after = onto(&held, &content(json!({"keywords": {"Friends": true, "A, b/c": true}})));
    assert_eq!(contact(&after).0["categories"], json!(["Friends", "A, b/c"]));
}

#[test]
fn line_ends_are_no_difference() {
    let held = seen(json!({"personalNotes": "one\r\ntwo", "homeAddress": {"street": "1 Road\r\nFlat 2"}}));
    let card = read(&held);
    assert_eq!(card.at(&["notes", "note", "note"]), Some(&json!("one\ntwo")));
    assert_eq!(card.at(&["addresses", "home", "components"]).unwrap()[0]["value"], "1 Road\nFlat 2");
    assert_eq!(onto(&held, &card), held);
    assert_eq!(contact(&new(&card)).text("personalNotes"), Some("one\r\ntwo"));
}

#[test]
fn each_field_says_what_the_table_says() {
    let held = seen(json!({
        "displayName": "Dr Ada King", "title": "Dr", "givenName": "Ada", "middleName": "Augusta", "surname": "King",
        "generation": "II", "yomiGivenName": "エイダ", "yomiSurname": "キング", "yomiCompanyName": "アナリティカル",
        "nickName": "Enchantress", "initials": "A.K.", "fileAs": "King, Ada",
        "companyName": "Analytical, Inc.", "department": "Engines", "officeLocation": "20/1101",
        "jobTitle": "Analyst", "profession": "Mathematician",
        "businessPhones": ["+44 20 1"], "homePhones": ["+44 20 2"], "mobilePhone": "+44 7 3",
        "imAddresses": ["sip:ada@x", "ada.king"], "businessHomePage": "https://x",
        "spouseName": "William", "children": ["Byron", "Anne"], "manager": "Charles", "assistantName": "William",
        "otherAddress": {"city": "Ockham"},
    }));
    let line = |text: &str| (card::key(text), json!({"line": text}));
    let lines: Map<String, Value> =
        ["X-INITIALS:A.K.", "X-PHONETIC-ORG:アナリティカル", "X-OFFICE:20/1101"].into_iter().map(line).collect();
    let expected = content(json!({
        "name": {"full": "Dr Ada King", "components": [
            {"kind": "title", "value": "Dr"}, {"kind": "given", "value": "Ada", "phonetic": "エイダ"},
            {"kind": "given2", "value": "Augusta"}, {"kind": "surname", "value": "King", "phonetic": "キング"},
            {"kind": "credential", "value": "II"}]},
        "nicknames": {card::key("Enchantress"): {"name": "Enchantress"}},
        "organizations": {"org": {"name": "Analytical, Inc.", "units": [{"name": "Engines"}]}},
        "titles": {"title": {"name": "Analyst", "kind": "title"}, "role": {"name": "Mathematician", "kind": "role"}},
        "phones": {
            card::key("+44201"): {"number": "+44 20 1", "contexts": {"work": true}},
            card::key("+44202"): {"number": "+44 20 2", "contexts": {"private": true}},
            card::key("+4473"): {"number": "+44 7 3", "features": {"mobile": true}}},
        "onlineServices": {card::key("sip:ada@x"): {"uri": "sip:ada@x"}, card::key("ada.king"): {"user": "ada.king"}},
        "addresses": {"other": {"components": [{"kind": "locality", "value": "Ockham"}]}},
        "links": {card::key("https://x"): {"uri": "https://x"}},
        "relatedTo": {"William": {"relation": {"spouse": true, "assistant": true}}, "Byron": {"relation": {"child": true}},
            "Anne": {"relation": {"child": true}}, "Charles": {"relation": {"manager": true}}},
        "vCardProps": lines,
    }));
    assert_eq!(read(&held), expected);
    let made = contact(&new(&expected));
    for (field, value) in contact(&held).0.iter().filter(|(field, _)| *field != "fileAs") {
        assert_eq!(made.0.get(field), Some(value), "{field}");
    }
}

#[test]
fn a_part_without_a_field_survives_an_edit_of_its_neighbour() {
    let card = content(json!({
        "name": {"full": "Ada King PhD", "components": [{"kind": "given", "value": "Ada"}, {"kind": "credential", "value": "PhD"}]},
        "addresses": {"home": {"contexts": {"private": true}, "components": [
            {"kind": "postOfficeBox", "value": "12"}, {"kind": "locality", "value": "London"}]}},
    }));
    let mut sheet = Sheet::open(&new(&card)).unwrap();
    sheet.contact.0["givenName"] = json!("Augusta");
    sheet.contact.0["homeAddress"]["city"] = json!("Ockham");
    let after = read(&sheet.close());
    assert_eq!(
        after.at(&["name", "components"]),
        Some(&json!([{"kind": "given", "value": "Augusta"}, {"kind": "credential", "value": "PhD"}]))
    );
    assert_eq!(
        after.at(&["addresses", "home", "components"]),
        Some(&json!([{"kind": "locality", "value": "Ockham"}, {"kind": "postOfficeBox", "value": "12"}]))
    );
}

#[test]
fn a_number_without_a_type_is_shown_and_stays_without_one() {
    let card = entries(
        "phones",
        &[("+1", json!({"number": "+1"})), ("+2", json!({"number": "+2", "features": {"fax": true}}))],
    );
    let rendering = new(&card);
    assert_eq!(contact(&rendering).0["homePhones"], json!(["+1"]));
    assert_eq!(read(&rendering), card);
}

#[test]
fn an_address_cleared_in_part_sends_null_only_for_what_was_there() {
    let held = seen(json!({"homeAddress": {"street": "1 Road", "city": "London"}, "otherAddress": {}}));
    let card = content(
        json!({"addresses": {"home": {"contexts": {"private": true}, "components": [{"kind": "locality", "value": "Ockham"}]}}}),
    );
    let body = contact(&onto(&held, &card)).patch_body(&contact(&held));
    assert_eq!(body, Some(json!({"homeAddress": {"street": null, "city": "Ockham"}})));
}

#[test]
fn text_that_the_server_holds_is_not_touched_by_another_edit() {
    // Neither the vertical tab (which we would not send) nor a URI as a person's name.
    let held = seen(json!({"personalNotes": "a\u{b}b", "spouseName": "x:y", "givenName": "Ada"}));
    let mut card = read(&held);
    card.set("name", json!({"components": [{"kind": "given", "value": "Augusta"}]}));
    let body = contact(&onto(&held, &card)).patch_body(&contact(&held));
    assert_eq!(body, Some(json!({"givenName": "Augusta"})));
}

// The photo

#[test]
fn not_looked_at_is_not_taken_away() {
    let with_photo = content(json!({"name": {"full": "Ada"}, "media": {"photo": {"kind": "photo", "uri": JPEG}}}));
    let last = new(&with_photo);
    let row = Sheet { photo: Photo::Unlooked, contact: contact(&last) }.close();
    assert_ne!(read(&row), with_photo);
    assert_eq!(ContactLens.settle_unknown(&last, row.clone()), last);
    let looked = Sheet { photo: Photo::Absent, contact: contact(&last) }.close();
    assert_eq!(ContactLens.settle_unknown(&last, looked.clone()), looked);
    assert_eq!(ContactLens.settle_unknown(&row, row.clone()), row);
    assert_eq!(ContactLens.settle_unknown(&looked, row), looked);
}

#[test]
fn a_photo_that_cannot_be_taken_away_does_not_come_back() {
    let with_photo = content(json!({"name": {"full": "Ada"}, "media": {"photo": {"kind": "photo", "uri": JPEG}}}));
    let without = content(json!({"name": {"full": "Ada"}}));
    let after = onto(&new(&with_photo), &without);
    assert!(matches!(Sheet::open(&after).unwrap().photo, Photo::Present(_)));
    assert_eq!(read(&after), without);
    let mut sheet = Sheet::open(&after).unwrap();
    if let Photo::Present(picture) = &mut sheet.photo {
        picture.data = "/9j/4AAR".to_owned();
    }
    assert!(read(&sheet.close()).get("media").is_some(), "a new photo counts");
}

#[test]
fn identity_is_written_once_and_never_onto_what_is_there() {
    let made = contact(&new(&Content::new()));
    assert_eq!((made.property(UID), made.property(MARK)), (Some("urn:uuid:1"), Some("hub:item:1")));
    let adopted = onto(&seen(json!({})), &content(json!({"notes": {"note": {"note": "n"}}})));
    assert_eq!(contact(&adopted).property(MARK), None);
}

#[test]
fn an_emptied_carry_all_keeps_its_header() {
    let carried = new(&content(json!({"name": {"full": "Ada"}, "speakToAs": {"grammaticalGender": "feminine"}})));
    let after = onto(&carried, &content(json!({"name": {"full": "Ada"}})));
    assert_eq!(contact(&after).property(CARRY), Some(twofold_model::carry::emptied().as_str()));
    assert_eq!(read(&after), content(json!({"name": {"full": "Ada"}})));
}

#[test]
fn what_is_no_rendering_is_malformed() {
    for bytes in ["", "{}", "[]", "{\"photo\":1,\"contact\":{}}", "{\"contact\":3}", "\u{0}"] {
        let error = ContactLens.read(&Rendering::from(bytes.to_owned())).unwrap_err();
        assert_eq!(error.kind, twofold_model::ErrorKind::Malformed, "{bytes}");
    }
}

// The laws

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-zäß ]{1,8}",
        1 => "[a-z:/~;,\\\\\"\n\r\u{b}]{0,6}",
        1 => Just("Ada".to_owned()),
    ]
}

fn flags(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::sample::subsequence(names, 0..=names.len())
        .prop_map(|names| Value::Object(names.into_iter().map(|name| (name.to_owned(), json!(true))).collect()))
}

/// Entries with keys after the convention, or now and then a key of somebody else's.
fn many(entry: impl Strategy<Value = (String, Value)>, most: usize) -> impl Strategy<Value = Value> {
    proptest::collection::vec((entry, 0..8u8), 0..=most).prop_map(|list| {
        let mut map = Map::new();
        for ((identity, entry), odd) in list {
            if odd == 0 {
                card::insert_as(&mut map, "foreign", entry);
            } else {
                card::insert(&mut map, &identity, entry);
            }
        }
        Value::Object(map)
    })
}

fn extras(entry: &mut Value, contexts: Value, pref: u8, label: Option<String>) {
    entry["contexts"] = contexts;
    if (1..=3).contains(&pref) {
        entry["pref"] = json!(pref);
    }
    entry["label"] = json!(label);
}

fn arbitrary_card() -> impl Strategy<Value = Content> {
    any_card().prop_map(card::without_derived_name)
}

fn any_card() -> impl Strategy<Value = Content> {
    let label = || proptest::option::weighted(0.1, word());
    let contexts = || flags(&["work", "private"]);
    let emails = (word(), contexts(), 0..9u8, label()).prop_map(|(text, contexts, pref, label)| {
        let mut entry = json!({"address": text});
        extras(&mut entry, contexts, pref, label);
        (card::email_identity(&text), entry)
    });
    let phones = ("[+0-9 ()-]{0,6}", contexts(), flags(&["mobile", "fax", "voice"]), 0..9u8, label()).prop_map(
        |(text, contexts, features, pref, label)| {
            let mut entry = json!({"number": text, "features": features});
            extras(&mut entry, contexts, pref, label);
            (card::phone_identity(&text), entry)
        },
    );
    let services = (prop_oneof![word(), Just("sip:a@x".to_owned()), Just("https://x/y".to_owned())], any::<bool>())
        .prop_map(|(text, is_uri)| (text.clone(), json!({if is_uri {"uri"} else {"user"}: text, "service": "S"})));
    let links = (word(), any::<bool>()).prop_map(|(uri, is_form)| {
        (uri.clone(), if is_form { json!({"uri": uri, "kind": "contact"}) } else { json!({"uri": uri}) })
    });
    let lines =
        (proptest::sample::select(vec!["X-INITIALS", "X-OFFICE", "X-OTHER;A=b"]), word()).prop_map(|(name, text)| {
            let line = format!("{name}:{text}");
            (line.clone(), json!({"line": line}))
        });
    let component = |kinds: &'static [&'static str]| {
        (proptest::sample::select(kinds), word(), proptest::option::weighted(0.2, word())).prop_map(
            |(kind, value, phonetic)| {
                let mut part = json!({"kind": kind, "value": value});
                if let Some(phonetic) = phonetic {
                    part["phonetic"] = phonetic.into();
                }
                part
            },
        )
    };
    let name_parts = component(&["title", "given", "given2", "surname", "surname2", "generation", "credential"]);
    let address_parts = component(&["postOfficeBox", "name", "locality", "region", "postcode", "country"]);
    let name = (proptest::option::of(word()), proptest::collection::vec(name_parts, 0..5))
        .prop_map(|(full, components)| json!({"full": full, "components": components}));
    let address = (proptest::collection::vec(address_parts, 0..5), contexts(), label()).prop_map(
        |(components, contexts, label)| json!({"components": components, "contexts": contexts, "label": label}),
    );
    let addresses = proptest::collection::hash_map(
        proptest::sample::select(vec!["home", "work", "other", "home-2"]),
        address,
        0..4,
    );
    let organization =
        (proptest::option::of(word()), proptest::collection::vec(word(), 0..3)).prop_map(|(name, units)| {
            let units: Vec<Value> = units.into_iter().map(|unit| json!({"name": unit})).collect();
            json!({"name": name, "units": units})
        });
    let relations = proptest::collection::hash_map(
        prop_oneof![word(), Just("urn:uuid:5".to_owned())],
        flags(&["spouse", "child", "manager", "assistant", "friend"])
            .prop_map(|relation| json!({"relation": relation})),
        0..5,
    );
    let date = prop_oneof![
        (1500..2100i32, 1..=12u32, 1..=31u32)
            .prop_map(|(year, month, day)| json!({"year": year, "month": month, "day": day})),
        (1..=12u32, 1..=31u32).prop_map(|(month, day)| json!({"month": month, "day": day})),
        Just(json!({"year": 1604, "month": 1, "day": 1})),
        Just(json!({"utc": "1984-01-01T00:00:00Z"})),
    ];
    let photo = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({"kind": "photo", "uri": JPEG})),
        1 => Just(json!({"kind": "photo", "uri": "data:image/jpeg;base64,/9j/4AAR", "mediaType": "image/jpeg"})),
        1 => Just(json!({"kind": "photo", "uri": "data:image/png;base64,iVBORw0KGgo="})),
        1 => Just(json!({"kind": "photo", "uri": "https://x/photo.jpg"})),
    ];
    let first = (name, many(emails, 5), many(phones, 7), many(services, 4), many(links, 3), many(lines, 3), addresses);
    let second = (
        proptest::option::of(organization),
        proptest::option::of(word()),
        proptest::option::of(word()),
        many(word().prop_map(|name| (name.clone(), json!({"name": name}))), 2),
        proptest::option::of(word()),
        relations,
        proptest::collection::hash_set(word(), 0..4),
        proptest::option::of(date),
        photo,
    );
    (first, second).prop_map(|((name, emails, phones, services, links, lines, addresses), second)| {
        let (organization, title, role, nicknames, note, relations, keywords, date, photo) = second;
        let entry = |kind: &str, name: Option<String>| name.map(|name| json!({"kind": kind, "name": name}));
        let keywords: Map<String, Value> = keywords.into_iter().map(|word| (word, json!(true))).collect();
        content(json!({
            "name": name, "emails": emails, "phones": phones, "onlineServices": services, "links": links,
            "vCardProps": lines, "addresses": addresses, "organizations": {"org": organization},
            "titles": {"title": entry("title", title), "role": entry("role", role)}, "nicknames": nicknames,
            "notes": {"note": note.map(|note| json!({"note": note}))}, "relatedTo": relations, "keywords": keywords,
            "anniversaries": {"birth": date.map(|date| json!({"kind": "birth", "date": date}))},
            "media": {"photo": photo},
        }))
    })
}

/// A server that takes our patch and answers with the whole contact, empty fields as `null`.
fn patched(from: &Rendering, to: &Rendering) -> Rendering {
    let (old, new) = (Sheet::open(from).unwrap(), Sheet::open(to).unwrap());
    let mut contact = old.contact.clone();
    let body = new.contact.patch_body(&old.contact).unwrap_or_else(|| json!({}));
    for (field, value) in body.as_object().unwrap() {
        let had = old.contact.0.get(field).is_some_and(|was| !twofold_model::content::is_nothing(was));
        assert!(!value.is_null() || had, "a gratuitous null for {field}");
        if field == "singleValueExtendedProperties" {
            for property in value.as_array().unwrap() {
                contact.set_property(property["id"].as_str().unwrap(), property["value"].as_str().unwrap());
            }
        } else {
            contact.0.insert(field.clone(), value.clone());
        }
    }
    Sheet { photo: new.photo, contact }.close()
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        _ => false,
    }
}

fn is_small(card: &Content) -> bool {
    card.to_value().to_string().len() < 6_000
}

/// The rendering with its fields as they are and a carry-all that says what the card says.
fn set_aside(held: &Rendering, card: &Content) -> Rendering {
    let mut sheet = Sheet::open(held).unwrap();
    let carried = twofold_model::carry::make(&ContactLens.native(held).unwrap(), card, 8_000);
    sheet.contact.set_property(CARRY, &carried.unwrap_or_else(twofold_model::carry::emptied));
    sheet.close()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(card in arbitrary_card()) {
        prop_assume!(is_small(&card));
        let rendering = new(&card);
        prop_assert_eq!(read(&rendering), card.clone());
        prop_assert_eq!(&onto(&rendering, &card), &rendering);
        prop_assert_eq!(ContactLens.project(&card).unwrap(), card);
        prop_assert!(!holds_null(&contact(&rendering).create_body()));
        prop_assert_eq!(ContactLens.leftovers(&rendering), Vec::<String>::new());
    }

    #[test]
    fn a_place_that_takes_nothing_away_says_what_was_wanted((before, after) in (arbitrary_card(), arbitrary_card())) {
        prop_assume!(is_small(&before) && is_small(&after));
        // The old entries stand beside the new carry-all, and a later edit leaves them where they are.
        let held = set_aside(&new(&before), &after);
        prop_assert_eq!(read(&held), after.clone());
        let mut noted = after.clone();
        noted.set("notes", json!({"note": {"note": "later"}}));
        let later = onto(&held, &noted);
        prop_assert_eq!(read(&later), noted);
        let left = ContactLens.leftovers(&held);
        prop_assert!(ContactLens.leftovers(&later).iter().all(|member| left.contains(member) || member == "notes"));
    }

    #[test]
    fn an_edit_ends_where_a_rendering_from_nothing_does((before, after) in (arbitrary_card(), arbitrary_card())) {
        prop_assume!(is_small(&before) && is_small(&after));
        let held = new(&before);
        let edited = onto(&held, &after);
        prop_assert_eq!(read(&edited), after.clone());
        prop_assert_eq!(read(&patched(&held, &edited)), after.clone());
        prop_assert_eq!(&onto(&edited, &after), &edited);
        let mut left = ContactLens.leftovers(&edited);
        left.retain(|member| member != "media");
        prop_assert_eq!(left, Vec::<String>::new(), "but for a photo, nothing stands there that was to go");
        let fields = contact(&edited).0;
        for (list, limit) in [("emailAddresses", 3), ("businessPhones", 2), ("homePhones", 2), ("imAddresses", 3)] {
            prop_assert!(fields.get(list).and_then(Value::as_array).is_none_or(|list| list.len() <= limit), "{}", list);
        }
    }

    #[test]
    fn a_change_of_one_field_there_is_a_change_of_that_member_here(card in arbitrary_card()) {
        prop_assume!(is_small(&card));
        let held = new(&card);
        let mut sheet = Sheet::open(&held).unwrap();
        sheet.contact.0.insert("personalNotes".into(), "changed by hand".into());
        let patch = difference(&card, &read(&sheet.close()));
        prop_assert!(patch.0.keys().all(|path| path.starts_with("notes")), "{:?}", patch);
        prop_assert!(!patch.is_empty());
    }

    #[test]
    fn any_bytes_are_a_rendering_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = ContactLens.read(&Rendering(bytes));
    }
}
