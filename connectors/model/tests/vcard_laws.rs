//! The laws of a lens for any card, over the corpus, and what other readers make of the cards written from nothing.

mod common;

use calcard::Entry;
use calcard::vcard::{VCardProperty, VCardValue};
use common::identity;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twofold_model::card::{self, key};
use twofold_model::contentline::File;
use twofold_model::patch::difference;
use twofold_model::vcard::{VcardLens, Version, check_whole};
use twofold_model::{Content, Lens, Rendering, coverage};

const VERSIONS: [VcardLens; 2] = [VcardLens { version: Version::V3 }, VcardLens { version: Version::V4 }];

fn said(rendering: &Rendering) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(rendering.as_bytes())
}

/// The cards of the corpus that are one whole card, and our own.
fn cards() -> Vec<(String, Rendering, Content)> {
    let all = common::fixtures().into_iter().chain(common::corpus("vcf"));
    let whole = all.filter(|(_, bytes)| check_whole(bytes).is_ok()).map(|(name, bytes)| (name, Rendering(bytes)));
    whole
        .map(|(name, rendering)| {
            let content = VERSIONS[0].read(&rendering).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, rendering, content)
        })
        .collect()
}

// ---- any card -----------------------------------------------------------------------------------------------------------

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[A-Za-z][a-z]{0,8}",
        2 => "[ -~]{0,20}",
        2 => "[äöüßéΩЖ中😀 ,;:\\\\\"^'=.\n]{0,12}",
        1 => "\\PC{0,12}",
        1 => Just(String::new()),
        1 => Just("  ".to_owned()),
        1 => Just("a\r\nb\u{0}\u{85}".to_owned()),
        1 => Just("x\nEND:VCARD\n".to_owned()),
    ]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![9 => proptest::sample::select(words).prop_map(str::to_owned), 1 => text()]
}

fn set(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec(word(words), 0..3)
        .prop_map(|words| words.into_iter().map(|word| (word, json!(true))).collect::<Map<_, _>>().into())
}

fn about() -> impl Strategy<Value = Value> {
    (set(&["private", "work"]), proptest::option::of(0_u32..102), proptest::option::of(text()))
        .prop_map(|(contexts, pref, label)| json!({"contexts": contexts, "pref": pref, "label": label}))
}

fn with(mut one: Value, other: &Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other.clone());
    }
    one
}

/// Entries under the keys that the table gives, some under others.
fn keyed(entries: impl Strategy<Value = (String, Value)> + 'static, plain: bool) -> BoxedStrategy<Value> {
    let one = (entries, prop_oneof![19 => Just(None), 1 => "[a-z/~ -]{0,5}".prop_map(Some)]);
    proptest::collection::vec(one, 0..4)
        .prop_map(move |list| {
            let mut map = Map::new();
            for ((identity, entry), own) in list {
                match own {
                    Some(own) => drop(map.insert(own, entry)),
                    None if plain => drop(card::insert_as(&mut map, identity, entry)),
                    None => drop(card::insert(&mut map, &identity, entry)),
                }
            }
            Value::Object(map)
        })
        .boxed()
}

fn components(kinds: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let one = (word(kinds), text(), proptest::option::weighted(0.2, text()));
    proptest::collection::vec(one, 0..6).prop_map(|parts| {
        let parts = parts.into_iter().map(|(kind, value, phonetic)| match phonetic {
            Some(phonetic) => json!({"kind": kind, "value": value, "phonetic": phonetic}),
            None => json!({"kind": kind, "value": value}),
        });
        parts.collect()
    })
}

fn date() -> impl Strategy<Value = Value> {
    let number = |range: std::ops::Range<u32>| proptest::option::of(range);
    prop_oneof![
        5 => (number(1..3000), number(0..14), number(0..33)).prop_map(|(y, m, d)| json!({"year": y, "month": m, "day": d})),
        1 => Just(json!({"utc": "1953-10-15T23:10:00Z"})),
        1 => Just(json!({"utc": "1953-10-15T00:00:00Z"})),
        1 => text().prop_map(|text| json!({"utc": text})),
    ]
}

fn any_card() -> impl Strategy<Value = Content> {
    let uri = || prop_oneof![3 => "(https|xmpp|urn|mailto):[a-z]{1,5}[,;/a-z]{0,4}", 1 => text()];
    let of_uri = |kinds: &'static [&'static str]| {
        keyed(
            (uri(), about(), word(kinds)).prop_map(|(u, a, k)| (u.clone(), with(json!({"uri": u, "kind": k}), &a))),
            false,
        )
    };
    let name = (
        proptest::option::of(text()),
        components(&["title", "given", "given2", "surname", "surname2", "generation", "credential"]),
        text(),
    )
        .prop_map(
            |(full, components, sort)| json!({"full": full, "components": components, "sortAs": {"surname": sort}}),
        );
    let emails =
        keyed((text(), about()).prop_map(|(a, o)| (card::email_identity(&a), with(json!({"address": a}), &o))), false);
    let features = set(&["voice", "mobile", "fax", "pager", "text", "video", "textphone", "main-number"]);
    let number = prop_oneof![3 => "\\+?[0-9 ()/-]{0,12}", 1 => text()];
    let phones = keyed(
        (number, features, about())
            .prop_map(|(n, f, o)| (card::phone_identity(&n), with(json!({"number": n, "features": f}), &o))),
        false,
    );
    let addresses = keyed(
        (
            components(&["postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"]),
            proptest::option::of(text()),
            proptest::option::of(word(&["DE", "GB"])),
            about(),
            proptest::sample::select(vec!["home", "work", "other"]),
        )
            .prop_map(|(c, full, code, a, key)| {
                (key.to_owned(), with(json!({"components": c, "full": full, "countryCode": code}), &a))
            }),
        true,
    );
    let services = keyed(
        (uri(), any::<bool>(), proptest::option::of(word(&["aim", "skype", "SIP"])), about()).prop_map(
            |(u, is_uri, s, a)| (u.clone(), with(json!({if is_uri { "uri" } else { "user" }: u, "service": s}), &a)),
        ),
        false,
    );
    let titles =
        keyed((text(), word(&["title", "role"])).prop_map(|(n, k)| (k.clone(), json!({"name": n, "kind": k}))), true);
    let organizations = keyed(
        (text(), proptest::collection::vec(text(), 0..3)).prop_map(|(name, units)| {
            let units: Vec<Value> = units.into_iter().map(|unit| json!({"name": unit})).collect();
            ("org".into(), json!({"name": name, "units": units}))
        }),
        true,
    );
    let anniversaries = keyed(
        (word(&["birth", "wedding", "death", "other"]), proptest::option::of(date()), proptest::option::of(text()))
            .prop_map(|(kind, date, label)| (kind.clone(), json!({"kind": kind, "date": date, "label": label}))),
        true,
    );
    let media = keyed(
        (
            word(&["photo", "logo", "sound"]),
            prop_oneof![
                Just("data:image/jpeg;base64,/9j/4AAR".to_owned()),
                Just("data:x/y;base64,AA==".to_owned()),
                uri()
            ],
            proptest::option::of(word(&["image/png", "audio/ogg"])),
        )
            .prop_map(|(kind, uri, t)| (kind.clone(), json!({"kind": kind, "uri": uri, "mediaType": t}))),
        true,
    );
    let notes = keyed(text().prop_map(|n| ("note".to_owned(), json!({"note": n}))), true);
    let nicknames = keyed(text().prop_map(|n| (n.clone(), json!({"name": n}))), false);
    let related = proptest::collection::vec((text(), set(&["spouse", "friend", "manager", "mother"])), 0..3)
        .prop_map(|list| list.into_iter().map(|(who, what)| (who, json!({"relation": what}))).collect::<Map<_, _>>());
    let lines = keyed(
        prop_oneof![
            "X-[A-Z]{1,3}(;[A-Z]=[a-z]){0,2}:[ -~]{0,9}",
            "(i1\\.)?(X-A|TEL|UID|N|X-ABLABEL)(;BASE64)?:[a-z=]{0,5}",
            text()
        ]
        .prop_map(|line| (line.clone(), json!({"line": line}))),
        false,
    );
    let language = keyed((text(), about()).prop_map(|(l, a)| (l.clone(), with(json!({"language": l}), &a))), false);
    let info = keyed(
        (word(&["hobby", "interest", "expertise"]), text(), word(&["low", "medium", "high"]))
            .prop_map(|(k, v, l)| (v.clone(), json!({"kind": k, "value": v, "level": l}))),
        false,
    );
    let speak = (word(&["feminine"]), text())
        .prop_map(|(gender, p)| json!({"grammaticalGender": gender, "pronouns": {key(&p): {"pronouns": p}}}));
    let kind = word(&["org", "group", "individual"]).prop_map(Value::from);
    let members: Vec<(&'static str, BoxedStrategy<Value>)> = vec![
        ("kind", kind.boxed()),
        ("language", text().prop_map(Value::from).boxed()),
        ("name", name.boxed()),
        ("nicknames", nicknames),
        ("organizations", organizations),
        ("titles", titles),
        ("emails", emails),
        ("phones", phones),
        ("onlineServices", services),
        ("addresses", addresses),
        ("anniversaries", anniversaries),
        ("notes", notes),
        ("links", of_uri(&["contact"])),
        ("relatedTo", related.prop_map(Value::Object).boxed()),
        ("keywords", set(&["a", "B c"]).boxed()),
        ("media", media),
        ("directories", of_uri(&["directory", "entry"])),
        ("calendars", of_uri(&["calendar", "freeBusy"])),
        ("schedulingAddresses", of_uri(&[""])),
        ("cryptoKeys", of_uri(&[""])),
        ("personalInfo", info),
        ("preferredLanguages", language),
        ("speakToAs", speak.boxed()),
        ("members", set(&["urn:uuid:1"]).boxed()),
        ("vCardProps", lines),
        ("unheardOf", text().prop_map(|t| json!({"a": [t]})).boxed()),
    ];
    let some =
        members.into_iter().map(|(name, value)| proptest::option::weighted(0.3, value).prop_map(move |v| (name, v)));
    some.collect::<Vec<_>>().prop_map(|members| {
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        card::without_derived_name(Content(members.collect()).tidied())
    })
}

fn same(one: &Content, other: &Content, rendering: &Rendering) -> Result<(), TestCaseError> {
    let patch = difference(one, other);
    prop_assert!(patch.is_empty(), "{:?}\n{}", patch.0, said(rendering));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_card_is_read_back_from_nothing_and_from_any_other_card(one in any_card(), other in any_card()) {
        for lens in VERSIONS {
            let fresh = lens.write(None, &one, &identity()).unwrap();
            same(&lens.read(&fresh).unwrap(), &one, &fresh)?;
            prop_assert_eq!(check_whole(fresh.as_bytes()).unwrap().uid, Some(identity().uid));
            prop_assert!(lens.write(Some(&fresh), &one, &identity()).unwrap() == fresh);
            // Both ways to write a card come to the same bytes.
            let empty = lens.write(None, &Content::new(), &identity()).unwrap();
            let onto_empty = lens.write(Some(&empty), &one, &identity()).unwrap();
            prop_assert_eq!(said(&onto_empty), said(&fresh));
            let edited = lens.write(Some(&fresh), &other, &identity()).unwrap();
            same(&lens.read(&edited).unwrap(), &other, &edited)?;
            prop_assert!(lens.write(Some(&edited), &other, &identity()).unwrap() == edited);
            let back = lens.write(Some(&edited), &one, &identity()).unwrap();
            same(&lens.read(&back).unwrap(), &one, &back)?;
        }
    }

    #[test]
    fn any_card_can_be_said_by_an_old_phone_s_card(one in any_card()) {
        let onto = Rendering(common::fixture("v21-old-phone.vcf"));
        let mut one = one;
        one.0.shift_remove("vCardProps");
        let edited = VERSIONS[0].write(Some(&onto), &one, &identity()).unwrap();
        same(&VERSIONS[0].read(&edited).unwrap(), &one, &edited)?;
        let text = said(&edited);
        prop_assert!(text.is_ascii(), "{}", text);
    }
}

// ---- the corpus -----------------------------------------------------------------------------------------------------------

/// The raw lines of a file whose property (with group) is not one of these.
fn others(rendering: &Rendering, names: &[&str]) -> Vec<Vec<u8>> {
    let file = File::parse(rendering.as_bytes()).unwrap();
    let name = |line: usize| {
        let text = String::from_utf8_lossy(&file.unfolded(line)).to_ascii_uppercase();
        let head = text.split([';', ':']).next().unwrap_or_default().to_owned();
        head.rsplit('.').next().unwrap_or_default().to_owned()
    };
    (0..file.len()).filter(|line| !names.contains(&name(*line).as_str())).map(|line| file.raw(line).to_vec()).collect()
}

#[test]
fn one_property_edited_leaves_every_other_line_of_real_cards() {
    let lens = VERSIONS[0];
    type Change = (&'static [&'static str], fn(&mut Value));
    let changes: [Change; 6] = [
        (&["NOTE"], |card| card["notes"] = json!({"note": {"note": "edited, here; and\nthere é"}})),
        (&["EMAIL"], |card| {
            card["emails"][key("new@example.org")] = json!({"address": "new@example.org", "contexts": {"work": true}})
        }),
        (&["TITLE"], |card| card["titles"]["title"] = json!({"name": "Déesse", "kind": "title"})),
        (&["TEL", "X-ABLABEL"], |card| {
            card["phones"][key("+4230")] = json!({"number": "+42 30", "features": {"mobile": true}, "label": "Moon"});
        }),
        (&["N", "FN", "X-PHONETIC-FIRST-NAME", "X-PHONETIC-MIDDLE-NAME", "X-PHONETIC-LAST-NAME"], |card| {
            card["name"]["components"] = json!([{"kind": "given", "value": "Zoë"}])
        }),
        (&["TEL", "X-ABLABEL"], |card| {
            let phones = card["phones"].as_object_mut();
            if let Some((_, entry)) = phones.and_then(|phones| phones.iter_mut().next()) {
                entry["contexts"] = json!({"work": true, "private": true});
            }
        }),
    ];
    for (name, rendering, content) in cards() {
        // Its lines are not those of the bytes.
        if rendering.as_bytes().starts_with(b"\xff\xfe") || rendering.as_bytes().starts_with(b"\xfe\xff") {
            continue;
        }
        for (names, change) in changes {
            let mut edited = content.to_value();
            change(&mut edited);
            let edited = card::without_derived_name(Content::from_value(edited));
            let written = lens.write(Some(&rendering), &edited, &identity()).unwrap();
            assert!(
                difference(&lens.read(&written).unwrap(), &edited).is_empty(),
                "{name} {names:?}:\n{}",
                said(&written)
            );
            let mut but = names.to_vec();
            if others(&written, &[]).len() > others(&written, &["X-TWOFOLD-CARRY"]).len() {
                println!("{name} {names:?}: something was carried");
                but.push("X-TWOFOLD-CARRY");
            }
            assert_eq!(others(&written, &but), others(&rendering, &but), "{name} {names:?}:\n{}", said(&written));
        }
    }
}

#[test]
fn real_cards_say_the_same_in_both_versions_and_little_is_carried() {
    let (mut count, mut carried) = (0, 0);
    for (name, _, content) in cards() {
        for lens in VERSIONS {
            let fresh = lens.write(None, &content, &identity()).unwrap();
            let patch = difference(&lens.read(&fresh).unwrap(), &content);
            assert!(patch.is_empty(), "{name}: {:?}\n{}", patch.0, said(&fresh));
            let rest = difference(&lens.native(&fresh).unwrap(), &content);
            count += 1;
            carried += usize::from(!rest.is_empty());
            if !rest.is_empty() {
                println!("{name} {:?}: carried {:?}", lens.version, rest.0.keys().collect::<Vec<_>>());
            }
        }
    }
    println!("{carried} of {count} cards carry something");
    assert!(carried * 4 <= count, "{carried} of {count}");
}

// ---- other readers --------------------------------------------------------------------------------------------------------

#[test]
fn a_strict_reader_of_version_4_takes_cards_from_nothing() {
    let plain = Content::from_value(json!({
        "name": {"full": "Ada L.", "components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}]},
        "emails": {key("ada@example.org"): {"address": "ada@example.org", "contexts": {"work": true}, "pref": 1}},
        "phones": {key("+441"): {"number": "+44 1", "features": {"mobile": true}, "contexts": {"private": true}}},
        "notes": {"note": {"note": "a, b; c\nd"}}, "keywords": {"x": true, "y,z": true},
        "anniversaries": {"birth": {"kind": "birth", "date": {"year": 1815, "month": 12, "day": 10}}},
        "organizations": {"org": {"name": "Engines; Ltd", "units": [{"name": "Notes"}]}},
        "addresses": {"home": {"components": [{"kind": "locality", "value": "London"}], "contexts": {"private": true}}},
        "links": {key("https://example.org/"): {"uri": "https://example.org/"}},
    }));
    let unnamed = Content::from_value(json!({"phones": {key("1"): {"number": "1", "label": "Lab"}}}));
    for content in [plain, unnamed, Content::new()] {
        let fresh = VERSIONS[1].write(None, &content, &identity()).unwrap();
        let cards =
            vcard_parser::parse_vcards(&said(&fresh)).unwrap_or_else(|error| panic!("{error}\n{}", said(&fresh)));
        assert_eq!(cards.len(), 1);
        for property in ["FN", "UID"] {
            assert!(cards[0].get_property_by_name(property).is_some(), "{property}:\n{}", said(&fresh));
        }
    }
}

/// The texts of a property as calcard reads them.
fn texts(card: &calcard::vcard::VCard, property: &VCardProperty) -> Vec<String> {
    let entries = card.entries.iter().filter(|entry| entry.name == *property);
    let text = |value: &VCardValue| value.as_text().map(str::to_owned);
    entries.flat_map(|entry| entry.values.iter().filter_map(text)).collect()
}

#[test]
fn an_independent_reader_finds_the_same_names_addresses_and_numbers() {
    for lens in VERSIONS {
        for (name, content) in cards()
            .into_iter()
            .map(|(name, _, content)| (name, content))
            .chain([("sample".to_owned(), coverage::card())])
        {
            let fresh = lens.write(None, &content, &identity()).unwrap();
            let text = said(&fresh).into_owned();
            let Entry::VCard(card) = calcard::Parser::new(&text).entry() else { panic!("{name}: no card\n{text}") };
            let of = |member: &str, field: &str| -> Vec<String> {
                let entries = content.get(member).and_then(Value::as_object).into_iter().flatten();
                entries.filter_map(|(_, entry)| Some(entry.get(field)?.as_str()?.to_owned())).collect()
            };
            if let Some(full) = content.at(&["name", "full"]).and_then(Value::as_str) {
                assert_eq!(
                    texts(&card, &VCardProperty::Fn).first().map(|t| t.trim()),
                    Some(full.trim()),
                    "{name}\n{text}"
                );
            }
            for (property, member, field) in
                [(VCardProperty::Email, "emails", "address"), (VCardProperty::Tel, "phones", "number")]
            {
                let mut found = texts(&card, &property);
                let mut wanted = of(member, field);
                found.sort();
                wanted.sort();
                assert_eq!(found, wanted, "{name}\n{text}");
            }
        }
    }
}
