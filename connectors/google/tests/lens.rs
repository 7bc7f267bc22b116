//! The laws of the lens, over cards of every kind and over the corpus' persons.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twofold_google::contacts::map::CLIENT_DATA_LIMIT;
use twofold_google::contacts::rendering::{CARRY_KEY, MARK_KEY, UID_KEY};
use twofold_google::contacts::{ContactsLens, rendering};
use twofold_model::{Content, Identity, Lens, Mark, Rendering, Uid, card};

fn identity() -> Identity {
    Identity { uid: Uid("urn:uuid:1".into()), mark: Mark::parse("hub:item:1") }
}

fn render(value: Value) -> Rendering {
    Rendering::from(value.to_string())
}

fn read(rendering: &Rendering) -> Content {
    ContactsLens.read(rendering).unwrap()
}

fn write(onto: Option<&Rendering>, content: &Content) -> Rendering {
    ContactsLens.write(onto, content, &identity()).unwrap()
}

fn json_of(rendering: &Rendering) -> Value {
    serde_json::from_slice(rendering.as_bytes()).unwrap()
}

fn content(value: Value) -> Content {
    Content::from_value(value)
}

fn client_data(rendering: &Rendering, key: &str) -> Option<String> {
    rendering::client_data(&rendering::parse(rendering).unwrap(), key).map(str::to_owned)
}

/// A person as People shows one, with things that the lens does not read.
fn person() -> Value {
    json!({
        "resourceName": "people/c1", "etag": "%1",
        "metadata": {"sources": [{"type": "CONTACT", "id": "7", "etag": "#1", "updateTime": "2026-03-09T08:15:27.341Z"}]},
        "names": [{"givenName": "Ada", "familyName": "Lovelace", "displayName": "Ada Lovelace",
                   "displayNameLastFirst": "Lovelace, Ada", "unstructuredName": "Ada Lovelace", "future": 1}],
        "emailAddresses": [{"value": "ada@x.example", "type": "work", "formattedType": "Work", "displayName": "A."},
                           {"value": "b@x.example"}],
        "phoneNumbers": [{"value": "+1 555", "type": "mobile", "canonicalForm": "+1555"}, {"value": "+1 555"}],
        "addresses": [{"type": "home", "streetAddress": "Mill 1", "city": "Paris", "formattedValue": "Mill 1\nParis"}],
        "organizations": [{"name": "Engines", "department": "R&D", "title": "Countess", "jobDescription": "all", "type": "work"}],
        "birthdays": [{"date": {"year": 1815, "month": 12, "day": 10}, "text": "10 Dec 1815"}],
        "events": [{"date": {"year": 1835, "month": 7, "day": 8}, "type": "anniversary"}, {"date": {"month": 12, "day": 6}, "type": "Name day"}],
        "biographies": [{"value": "one\r\ntwo", "contentType": "TEXT_PLAIN"}],
        "relations": [{"person": "William", "type": "spouse"}, {"person": "Nobody"}],
        "userDefined": [{"key": "No.", "value": "42"}],
        "clientData": [{"key": "syncapp", "value": "{}"}],
        "groups": ["ICE"],
        "photo": {"url": "https://p.example/1", "type": "image/png", "data": "AAAA"},
    })
}

// ---- examples ---------------------------------------------------------------------------------------------------------

#[test]
fn a_person_reads_as_a_card() {
    let key = card::key;
    assert_eq!(
        read(&render(person())),
        content(json!({
            "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}]},
            "organizations": {"org": {"name": "Engines", "units": [{"name": "R&D"}]}},
            "titles": {"title": {"name": "Countess", "kind": "title"}},
            "emails": {
                key("ada@x.example"): {"address": "ada@x.example", "contexts": {"work": true}},
                key("b@x.example"): {"address": "b@x.example"},
            },
            "phones": {
                key("+1555"): {"number": "+1 555", "features": {"mobile": true}},
                format!("{}-2", key("+1555")): {"number": "+1 555"},
            },
            "addresses": {"home": {"contexts": {"private": true}, "components": [
                {"kind": "name", "value": "Mill 1"}, {"kind": "locality", "value": "Paris"}]}},
            "anniversaries": {
                "birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}},
                "wedding": {"kind": "wedding", "date": {"year": 1835, "month": 7, "day": 8}},
            },
            "notes": {"note": {"note": "one\ntwo"}},
            "relatedTo": {"William": {"relation": {"spouse": true}}},
            "keywords": {"ICE": true},
            "media": {"photo": {"kind": "photo", "uri": "data:image/png;base64,AAAA"}},
        }))
    );
}

#[test]
fn an_edit_leaves_everything_else_as_it_was() {
    let rendering = render(person());
    let mut card = read(&rendering);
    card.0["phones"][&card::key("+1555")]["features"] = json!({"fax": true});
    card.0["keywords"] = json!({"Work": true, "ICE": true});
    card.0["anniversaries"]["wedding"]["date"]["year"] = json!(1836);
    let mut expected = person();
    let phone = expected["phoneNumbers"][0].as_object_mut().unwrap();
    phone["type"] = json!("otherFax");
    expected["events"][0]["date"]["year"] = json!(1836);
    expected["groups"] = json!(["ICE", "Work"]);
    assert_eq!(json_of(&write(Some(&rendering), &card)), expected);
}

#[test]
fn volatile_metadata_does_not_change_the_meaning() {
    let mut later = person();
    later["etag"] = json!("%2");
    later["metadata"]["sources"][0]["etag"] = json!("#2");
    later["metadata"]["sources"][0]["updateTime"] = json!("2027-01-01T00:00:00Z");
    assert_eq!(read(&render(later)), read(&render(person())));
}

#[test]
fn a_display_name_that_changes_alone_sends_no_name() {
    let rendering = render(person());
    let mut card = read(&rendering);
    card.0["name"]["full"] = json!("Countess Ada");
    let written = write(Some(&rendering), &card);
    assert_eq!(json_of(&written)["names"], person()["names"]);
    assert_eq!(read(&written), card);
}

#[test]
fn a_name_in_another_order_of_the_same_words_is_not_a_name_of_its_own() {
    let full = |name: Value| read(&render(json!({"names": [name]}))).at(&["name", "full"]).cloned();
    let parts = |whole: &str| json!({"givenName": "Zoë", "familyName": "Ångström", "unstructuredName": whole});
    assert_eq!(full(parts("Ångström, Zoë")), None);
    assert_eq!(full(parts("Zoë")), None);
    assert_eq!(full(parts("山田太郎")), Some(json!("山田太郎")));
    assert_eq!(full(json!({"unstructuredName": "Plato"})), Some(json!("Plato")));
}

#[test]
fn a_changed_name_part_drops_what_google_made_of_the_old_one() {
    let rendering = render(person());
    let mut card = read(&rendering);
    card.0["name"]["components"][1]["value"] = json!("King");
    let written = json_of(&write(Some(&rendering), &card));
    assert_eq!(written["names"], json!([{"givenName": "Ada", "familyName": "King", "future": 1}]));
}

#[test]
fn a_name_without_parts_that_google_took_apart_is_not_sent_again() {
    let card = content(json!({"name": {"full": "Ada Lovelace"}}));
    let made = json_of(&write(None, &card));
    assert_eq!(made["names"], json!([{"unstructuredName": "Ada Lovelace"}]));
    let answered =
        render(json!({"names": [{"givenName": "Ada", "familyName": "Lovelace", "unstructuredName": "Ada Lovelace"}]}));
    let mut later = card.clone();
    later.set("kind", json!("org"));
    assert_eq!(json_of(&write(Some(&answered), &later))["names"], json_of(&answered)["names"]);
    let renamed = content(json!({"name": {"full": "Ada King"}}));
    assert_eq!(json_of(&write(Some(&answered), &renamed))["names"], json!([{"unstructuredName": "Ada King"}]));
}

#[test]
fn people_carry_all_emptied() {
    let full = content(json!({"name": {"full": "Ada"}, "kind": "org", "vCardProps": {"x": {"line": "X-A:1"}}}));
    let made = write(None, &full);
    assert_eq!(read(&made), full);
    assert!(client_data(&made, CARRY_KEY).unwrap().contains("X-A:1"));
    let less = content(json!({"name": {"full": "Ada"}}));
    let emptied = write(Some(&made), &less);
    assert_eq!(client_data(&emptied, CARRY_KEY).as_deref(), Some(r#"{"v":1}"#));
    assert_eq!(read(&emptied), less);
}

#[test]
fn of_several_carry_alls_the_last_wins_and_all_are_set() {
    let carried =
        |value: &str| twofold_model::carry::make(&Content::new(), &content(json!({"kind": value})), 1000).unwrap();
    let rendering = render(json!({"clientData": [
        {"key": CARRY_KEY, "value": carried("org")}, {"key": "theirs", "value": "x"}, {"key": CARRY_KEY, "value": carried("group")},
    ]}));
    assert_eq!(read(&rendering), content(json!({"kind": "group"})));
    let written = json_of(&write(Some(&rendering), &content(json!({"kind": "location"}))));
    assert_eq!(written["clientData"][0]["value"], written["clientData"][2]["value"]);
    assert_eq!(written["clientData"][1], json!({"key": "theirs", "value": "x"}));
}

#[test]
fn a_new_copy_carries_uid_and_mark_and_an_edited_one_gets_none() {
    let made = write(None, &content(json!({"kind": "org"})));
    assert_eq!(client_data(&made, UID_KEY).as_deref(), Some("urn:uuid:1"));
    assert_eq!(client_data(&made, MARK_KEY).as_deref(), Some("hub:item:1"));
    let adopted = write(Some(&render(person())), &content(json!({"kind": "org"})));
    assert_eq!(client_data(&adopted, MARK_KEY), None);
    assert_eq!(client_data(&adopted, UID_KEY), None);
}

#[test]
fn client_data_stays_below_its_limit() {
    let foreign = json!([{"key": "theirs", "value": "x".repeat(3000)}]);
    let rendering = render(json!({"clientData": foreign}));
    let big: Map<String, Value> = (0..40).map(|i| (format!("k{i}"), json!({"line": "y".repeat(500)}))).collect();
    let written = json_of(&write(Some(&rendering), &content(json!({"vCardProps": big, "kind": "org"}))));
    let entries = written["clientData"].as_array().unwrap();
    let total: usize = entries.iter().map(|entry| entry["value"].as_str().unwrap().len()).sum();
    assert!(total > 3000 && total <= CLIENT_DATA_LIMIT, "{total}");
    assert_eq!(entries[0], foreign[0]);
}

#[test]
fn birthdays_keep_what_they_have() {
    let birth =
        |birthdays: Value| read(&render(json!({"birthdays": birthdays}))).at(&["anniversaries", "birth"]).cloned();
    assert_eq!(
        birth(json!([{"date": {"month": 2, "day": 29}, "text": "29 February"}])),
        Some(json!({"kind": "birth", "date": {"month": 2, "day": 29}}))
    );
    assert_eq!(
        birth(json!([{"text": "in spring"}, {"date": {"year": 0, "month": 3, "day": 9}}])),
        Some(json!({"kind": "birth", "date": {"month": 3, "day": 9}}))
    );
    assert_eq!(birth(json!([{"text": "in spring"}])), Some(json!({"kind": "birth", "label": "in spring"})));
    let made =
        |entry: Value| json_of(&write(None, &content(json!({"anniversaries": {"birth": entry}}))))["birthdays"].clone();
    assert_eq!(
        made(json!({"kind": "birth", "date": {"month": 2, "day": 29}})),
        json!([{"date": {"month": 2, "day": 29}}])
    );
    for impossible in [
        json!({"month": 2, "day": 30}),
        json!({"day": 3}),
        json!({"utc": "1990-01-01T00:00:00Z"}),
        json!({"year": 2023, "month": 2, "day": 29}),
    ] {
        let entry = json!({"kind": "birth", "date": impossible});
        assert_eq!(made(entry.clone()), Value::Null, "{entry}");
        let card = content(json!({"anniversaries": {"birth": entry}}));
        assert_eq!(read(&write(None, &card)), card);
    }
}

#[test]
fn an_edited_singleton_is_sent_alone() {
    let rendering =
        render(json!({"birthdays": [{"text": "in spring"}, {"date": {"month": 3, "day": 9}, "metadata": {"x": 1}}]}));
    let card = content(json!({"anniversaries": {"birth": {"kind": "birth", "date": {"month": 3, "day": 10}}}}));
    let written = json_of(&write(Some(&rendering), &card));
    assert_eq!(written["birthdays"], json!([{"metadata": {"x": 1}, "date": {"month": 3, "day": 10}}]));
}

#[test]
fn an_html_biography_is_left_alone_and_the_note_travels_beside_it() {
    let rendering = render(json!({"biographies": [{"value": "<b>x</b>", "contentType": "TEXT_HTML"}]}));
    assert!(read(&rendering).is_empty());
    let card = content(json!({"notes": {"note": {"note": "plain"}}}));
    let written = write(Some(&rendering), &card);
    assert_eq!(json_of(&written)["biographies"], json_of(&rendering)["biographies"]);
    assert_eq!(read(&written), card);
}

#[test]
fn a_photo_that_is_not_known_is_neither_read_nor_touched() {
    let unknown = render(json!({"photo": {"url": "https://p.example/2"}}));
    assert!(read(&unknown).is_empty());
    let card = content(json!({"media": {"photo": {"kind": "photo", "uri": "data:image/png;base64,BBBB"}}}));
    assert_eq!(json_of(&write(Some(&unknown), &card))["photo"], json!({"url": "https://p.example/2"}));
    let settled = ContactsLens.settle_unknown(&render(person()), unknown.clone());
    assert_eq!(json_of(&settled)["photo"], person()["photo"]);
    let nothing = render(json!({}));
    assert_eq!(ContactsLens.settle_unknown(&nothing, unknown.clone()), unknown);
    assert_eq!(ContactsLens.settle_unknown(&render(person()), nothing.clone()), nothing);
    let known = render(json!({"photo": {"url": "u", "type": "image/gif", "data": "CCCC"}}));
    assert_eq!(ContactsLens.settle_unknown(&render(person()), known.clone()), known);
}

#[test]
fn titles_find_the_organisation_of_their_number() {
    let card = content(json!({
        "organizations": {"org": {"name": "A"}, "org-2": {"units": [{"name": "B2"}]}},
        "titles": {"title": {"name": "a", "kind": "title"}, "title-2": {"name": "b", "kind": "title"},
                   "title-3": {"name": "c", "kind": "title"}, "role": {"name": "r", "kind": "role"}},
    }));
    let made = write(None, &card);
    assert_eq!(
        json_of(&made)["organizations"],
        json!([{"name": "A", "title": "a"}, {"department": "B2", "title": "b"}, {"title": "c"}])
    );
    assert_eq!(json_of(&made)["occupations"], json!([{"value": "r"}]));
    assert_eq!(ContactsLens.native(&made).unwrap(), card);
    let mut without = card.clone();
    without.0["organizations"].as_object_mut().unwrap().shift_remove("org");
    without.0["titles"].as_object_mut().unwrap().shift_remove("title");
    let edited = write(Some(&made), &without);
    assert_eq!(json_of(&edited)["organizations"], json!([{"department": "B2", "title": "b"}, {"title": "c"}]));
    assert_eq!(read(&edited), without);
}

#[test]
fn relations_by_uri_travel_in_the_carry_all() {
    let card = content(json!({"relatedTo": {
        "urn:uuid:2": {"relation": {"friend": true}}, "Max": {"relation": {"kin": true, "emergency": true}}}}));
    let made = write(None, &card);
    assert_eq!(
        json_of(&made)["relations"],
        json!([{"person": "Max", "type": "relative"}, {"person": "Max", "type": "emergency"}])
    );
    assert_eq!(read(&made), card);
}

#[test]
fn what_is_no_object_is_malformed() {
    for text in ["", "[]", "null", "{", "\u{0}"] {
        let error = ContactsLens.read(&Rendering::from(text.to_owned())).unwrap_err();
        assert_eq!(error.kind, twofold_model::ErrorKind::Malformed);
    }
    for odd in [
        json!({"names": 3}),
        json!({"names": [3, null]}),
        json!({"emailAddresses": {"value": 1}}),
        json!({"clientData": [{}]}),
    ] {
        assert!(read(&render(odd)).is_empty());
    }
}

// ---- laws -------------------------------------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z]{1,8}",
        1 => "[a-zé山 ,.;:/~-]{1,12}",
        1 => Just("home".to_owned()), 1 => Just("other".to_owned()), 1 => Just(" x ".to_owned()), 1 => Just("sip:a@b".to_owned()),
        1 => Just("xmpp:a@b".to_owned()), 1 => Just("SIP".to_owned()), 1 => Just("urn:uuid:9".to_owned()),
    ]
}

fn context() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!({"private": true})),
        Just(json!({"work": true})),
        Just(json!({"private": true, "work": true})),
    ]
}

fn maybe(strategy: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = Value> {
    proptest::option::weighted(0.3, strategy).prop_map(|text| text.map_or(Value::Null, Value::from))
}

/// Entries of one member with keys by value.
fn keyed(entry: impl Strategy<Value = Value> + 'static, key: fn(&Value) -> String) -> impl Strategy<Value = Value> {
    proptest::collection::vec(entry, 0..4).prop_map(move |entries| {
        let mut map = Map::new();
        for entry in entries {
            card::insert_as(&mut map, key(&entry), entry);
        }
        Value::Object(map)
    })
}

fn key_of(entry: &Value, member: &str) -> String {
    card::key(entry[member].as_str().unwrap_or_default())
}

fn component(kinds: &'static [&'static str]) -> impl Strategy<Value = Value> {
    (proptest::sample::select(kinds), text(), maybe(text()))
        .prop_map(|(kind, value, phonetic)| json!({"kind": kind, "value": value, "phonetic": phonetic}))
}

fn names() -> impl Strategy<Value = Value> {
    let kinds = &["title", "given", "given2", "surname", "surname2", "generation", "credential", "separator"];
    (maybe(text()), proptest::collection::vec(component(kinds), 0..5), maybe(text())).prop_map(
        |(full, components, sort)| json!({"full": full, "components": components, "sortAs": {"surname": sort}}),
    )
}

fn address() -> impl Strategy<Value = Value> {
    let kinds =
        &["postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country", "district", "name"];
    (proptest::collection::vec(component(kinds), 0..5), maybe(text()), maybe(text()), context(), maybe(text()))
        .prop_map(|(components, full, label, contexts, code)| {
            json!({"components": components, "full": full, "label": label, "contexts": contexts, "countryCode": code})
        })
}

fn dates() -> impl Strategy<Value = Value> {
    let part = |most: u64| proptest::option::of(0..most).prop_map(|n| n.map_or(Value::Null, Value::from));
    let date =
        (part(2100), part(14), part(33)).prop_map(|(y, m, d)| json!({"date": {"year": y, "month": m, "day": d}}));
    prop_oneof![
        4 => date,
        1 => text().prop_map(|label| json!({"label": label})),
        1 => Just(json!({"date": {"utc": "1990-01-01T00:00:00Z"}})),
    ]
}

fn anniversaries() -> impl Strategy<Value = Value> {
    let kinds = proptest::sample::subsequence(vec!["birth", "wedding", "death"], 0..=3);
    (kinds, dates(), dates(), dates()).prop_map(|(kinds, a, b, c)| {
        let entries = kinds.into_iter().zip([a, b, c]).map(|(kind, mut entry)| {
            entry["kind"] = json!(kind);
            (kind.to_owned(), entry)
        });
        Value::Object(entries.collect())
    })
}

fn cards() -> impl Strategy<Value = Content> {
    let emails = (text(), context(), maybe(text()), proptest::option::of(1..3_i32))
        .prop_map(|(address, contexts, label, pref)| json!({"address": address, "contexts": contexts, "label": label, "pref": pref}));
    let features = proptest::sample::subsequence(vec!["voice", "mobile", "fax", "pager", "text", "main-number"], 0..3)
        .prop_map(|features| Value::Object(features.into_iter().map(|f| (f.to_owned(), json!(true))).collect()));
    let phones = ("[0-9+ ()*#-]{1,9}", context(), features, maybe(text())).prop_map(|(number, contexts, features, label)| {
        json!({"number": number, "contexts": contexts, "features": features, "label": label})
    });
    let services = (any::<bool>(), text(), maybe(text()), context(), maybe(text())).prop_map(|(uri, name, service, contexts, label)| {
        json!({if uri { "uri" } else { "user" }: name, "service": service, "contexts": contexts, "label": label})
    });
    let links = (text(), maybe(text()), context(), maybe(text())).prop_map(
        |(uri, kind, contexts, label)| json!({"uri": uri, "kind": kind, "contexts": contexts, "label": label}),
    );
    let orgs = (maybe(text()), proptest::collection::vec(text(), 0..3)).prop_map(|(name, units)| {
        json!({"name": name, "units": units.into_iter().map(|name| json!({"name": name})).collect::<Vec<_>>()})
    });
    let titles = (text(), any::<bool>())
        .prop_map(|(name, role)| json!({"name": name, "kind": if role { "role" } else { "title" }}));
    let related = proptest::collection::btree_map(
        text(),
        proptest::sample::subsequence(vec!["spouse", "kin", "relative", "friend", "Twin"], 1..3),
        0..3,
    )
    .prop_map(|map| {
        let entry = |kinds: Vec<&str>| json!({"relation": kinds.into_iter().map(|k| (k.to_owned(), json!(true))).collect::<Map<_, _>>()});
        Value::Object(map.into_iter().map(|(who, kinds)| (who, entry(kinds))).collect())
    });
    let keywords = proptest::collection::btree_set(text(), 0..3)
        .prop_map(|words| Value::Object(words.into_iter().map(|word| (word, json!(true))).collect()));
    let media = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({"photo": {"kind": "photo", "uri": "data:image/png;base64,AAAA", "label": "l"}})),
        1 => Just(json!({"photo": {"kind": "photo", "uri": "https://p.example/x"}, "logo": {"kind": "logo", "uri": "data:image/png;base64,AAAA"}})),
    ];
    let first = (
        names(),
        keyed(text().prop_map(|name| json!({"name": name})), |e| key_of(e, "name")),
        keyed(emails, |e| card::key(&card::email_identity(e["address"].as_str().unwrap()))),
        keyed(phones, |e| card::key(&card::phone_identity(e["number"].as_str().unwrap()))),
        keyed(services, |e| card::key(e["uri"].as_str().or(e["user"].as_str()).unwrap())),
        keyed(links, |e| key_of(e, "uri")),
        keyed(address(), |e| {
            card::address_key(e["contexts"]["private"] == true, e["contexts"]["work"] == true).to_owned()
        }),
    );
    let second = (
        keyed(orgs, |_| "org".to_owned()),
        keyed(titles, |e| e["kind"].as_str().unwrap().to_owned()),
        anniversaries(),
        keyed(text().prop_map(|note| json!({"note": note})), |_| "note".to_owned()),
        related,
        keywords,
        media,
    );
    let third = (maybe(text()), keyed(text().prop_map(|line| json!({"line": line})), |e| key_of(e, "line")));
    (first, second, third).prop_map(|(a, b, c)| {
        content(json!({
            "name": a.0, "nicknames": a.1, "emails": a.2, "phones": a.3, "onlineServices": a.4, "links": a.5, "addresses": a.6,
            "organizations": b.0, "titles": b.1, "anniversaries": b.2, "notes": b.3, "relatedTo": b.4, "keywords": b.5, "media": b.6,
            "kind": c.0, "vCardProps": c.1,
        }))
    })
}

/// What the laws ask of a rendering and a content.
fn check_laws(rendering: &Rendering, wanted: &Content) {
    assert_eq!(&write(Some(rendering), &read(rendering)), rendering, "nothing changes when nothing is changed");
    let written = write(Some(rendering), wanted);
    assert_eq!(&read(&written), wanted, "what is written is read back");
    assert_eq!(read(&write(None, wanted)), read(&written), "onto something or nothing");
    assert_eq!(write(Some(&written), wanted), written, "a second write changes nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_card_is_read_back(wanted in cards()) {
        check_laws(&render(json!({})), &wanted);
    }

    #[test]
    fn every_card_can_become_every_other(first in cards(), second in cards()) {
        check_laws(&write(None, &first), &second);
    }

    #[test]
    fn every_card_can_be_written_onto_a_person(wanted in cards()) {
        check_laws(&render(person()), &wanted);
    }

    #[test]
    fn the_native_reading_is_what_googles_fields_hold(wanted in cards()) {
        // Written from its own native reading, a person needs no carry-all.
        let native = ContactsLens.native(&write(None, &wanted)).unwrap();
        let again = write(None, &native);
        prop_assert_eq!(ContactsLens.native(&again).unwrap(), native);
    }
}

#[test]
fn the_laws_hold_for_an_example_person() {
    let rendering = render(person());
    check_laws(&rendering, &read(&rendering));
    check_laws(&rendering, &Content::new());
}
