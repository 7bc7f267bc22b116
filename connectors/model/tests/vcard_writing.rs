//! A card edited by somebody else than its writer keeps every line that did not change, and cannot be tricked into more.

mod common;

use common::{fixture, identity};
use serde_json::{Value, json};
use twofold_model::card::{key, phone_identity};
use twofold_model::contentline::{ContentLine, File};
use twofold_model::vcard::{VcardLens, Version};
use twofold_model::{Content, Lens, Rendering};

const LENS: VcardLens = VcardLens { version: Version::V3 };

/// Edits a card and gives the lines that went and those that came, unfolded.
fn edit(bytes: &[u8], change: impl FnOnce(&mut Value)) -> (Vec<String>, Vec<String>, Vec<u8>) {
    let before = Rendering(bytes.to_vec());
    let mut content = LENS.read(&before).unwrap().to_value();
    change(&mut content);
    let content = Content::from_value(content);
    let after = LENS.write(Some(&before), &content, &identity()).unwrap();
    assert_eq!(LENS.read(&after).unwrap(), content, "{}", String::from_utf8_lossy(after.as_bytes()));
    let lines = |bytes: &[u8]| -> Vec<(Vec<u8>, String)> {
        let file = File::parse(bytes).unwrap();
        (0..file.len())
            .map(|i| (file.raw(i).to_vec(), String::from_utf8_lossy(&file.unfolded(i)).into_owned()))
            .collect()
    };
    let (old, new) = (lines(bytes), lines(after.as_bytes()));
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| line.1.clone()).collect();
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| line.1.clone()).collect();
    (gone, come, after.0)
}

fn card(lines: &str) -> Vec<u8> {
    format!("BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n").into_bytes()
}

#[test]
fn an_edit_of_nothing_gives_the_same_bytes() {
    for (name, bytes) in common::fixtures().into_iter().filter(|(name, _)| name.ends_with(".vcf")) {
        let rendering = Rendering(bytes);
        let content = LENS.read(&rendering).unwrap();
        assert!(LENS.write(Some(&rendering), &content, &identity()).unwrap() == rendering, "{name}");
    }
}

#[test]
fn a_changed_value_keeps_its_group_and_parameters() {
    let text = card("item7.TEL;X-Vendor=7;type=CELL;TYPE=msg,pref:+1\nitem7.X-ABLabel:Lab\nX-A:1");
    let (gone, come, _) = edit(&text, |card| card["phones"][key("+1")]["number"] = json!("+2"));
    assert_eq!(gone, ["item7.TEL;X-Vendor=7;type=CELL;TYPE=msg,pref:+1"]);
    // The key is made of the number, and here the content has another: it is stated.
    assert_eq!(come, [format!("item7.TEL;X-Vendor=7;type=CELL;TYPE=msg,pref;X-TWOFOLD-KEY={}:+2", key("+1"))]);
    let renamed = |number: &'static str| {
        move |card: &mut Value| {
            let mut entry = card["phones"].as_object_mut().unwrap().remove(&key("+1")).unwrap();
            entry["number"] = json!(number);
            card["phones"][key(&phone_identity(number))] = entry;
        }
    };
    let (_, come, _) = edit(&text, renamed("+2"));
    assert_eq!(come, ["item7.TEL;X-Vendor=7;type=CELL;TYPE=msg,pref:+2"]);
    let (_, come, _) = edit(&card("TEL;VALUE=uri;X-V=1:tel:+1\nTEL:+3"), renamed("+2"));
    assert_eq!(come, ["TEL;VALUE=uri;X-V=1:tel:+2"]);
    let (_, come, _) = edit(&card("TEL;VALUE=uri;X-V=1:tel:+1\nTEL:+3"), renamed("on demand"));
    assert_eq!(come, ["TEL;X-V=1:on demand"]);
    let (_, come, _) = edit(&card("X-A;P=1:b\nRELATED;X-V=1;TYPE=friend;VALUE=text:Max"), |card| {
        card["relatedTo"] = json!({"Moritz": {"relation": {"friend": true}}});
    });
    assert_eq!(come, ["RELATED;X-V=1;TYPE=friend;VALUE=text:Moritz"]);
}

#[test]
fn a_changed_context_leaves_the_value_as_it_stands() {
    let text = card("EMAIL;type=INTERNET;type=HOME;x=y:Ada\\@example.org\nNOTE:n");
    let (gone, come, _) = edit(&text, |card| {
        let emails = card["emails"].as_object_mut().unwrap();
        emails.values_mut().for_each(|entry| entry["contexts"] = json!({"work": true}));
    });
    assert_eq!(gone, ["EMAIL;type=INTERNET;type=HOME;x=y:Ada\\@example.org"]);
    assert_eq!(come, ["EMAIL;type=INTERNET;TYPE=work;x=y:Ada\\@example.org"]);
}

#[test]
fn labels_come_and_go_as_groups() {
    let text = card("TEL:1\nitem1.TEL:2\nitem1.X-ABLabel:Two\nTEL;TYPE=WhatsApp,home:3");
    let label =
        |number: &'static str, label: Value| move |card: &mut Value| card["phones"][key(number)]["label"] = label;
    let (gone, come, after) = edit(&text, label("1", json!("One")));
    assert_eq!((gone, come), (vec!["TEL:1".into()], vec!["item2.TEL:1".into(), "item2.X-ABLabel:One".to_owned()]));
    assert!(String::from_utf8(after).unwrap().contains("item2.TEL:1\nitem2.X-ABLabel:One\nitem1.TEL:2\n"));
    let (gone, come, _) = edit(&text, label("2", json!("Zwei")));
    assert_eq!((gone, come), (vec!["item1.X-ABLabel:Two".into()], vec!["item1.X-ABLabel:Zwei".to_owned()]));
    let (gone, come, _) = edit(&text, label("2", Value::Null));
    assert_eq!((gone, come), (vec!["item1.X-ABLabel:Two".to_owned()], vec![]));
    let (gone, come, _) = edit(&text, label("3", json!("Signal")));
    assert_eq!(gone, ["TEL;TYPE=WhatsApp,home:3"]);
    assert_eq!(come, ["item2.TEL;TYPE=home:3", "item2.X-ABLabel:Signal"]);
    let shared = card("g.TEL:1\ng.EMAIL:a@x\ng.X-ABLabel:Both");
    let (gone, come, _) = edit(&shared, label("1", json!("Own")));
    assert_eq!((gone, come), (vec!["g.TEL:1".into()], vec!["item1.TEL:1".to_owned(), "item1.X-ABLabel:Own".into()]));
}

#[test]
fn a_removed_entry_goes_with_its_lines_only() {
    let (gone, come, _) =
        edit(&fixture("v30-apple.vcf"), |card| drop(card.as_object_mut().unwrap().remove("addresses")));
    let home = "item3.ADR;type=HOME;type=pref:;;12 St James's Square\\nTop floor;London;;SW1Y;England";
    assert_eq!((gone, come), (vec![home.to_owned(), "item3.X-ABADR:gb".into()], vec![]));
    let (gone, come, _) =
        edit(&fixture("v21-old-phone.vcf"), |card| drop(card.as_object_mut().unwrap().remove("media")));
    assert_eq!((gone.len(), come.len()), (1, 0), "the photo with its blank line");
}

#[test]
fn lists_change_within_their_line() {
    let text = card("CATEGORIES;X=1:a\\,b, c ,d\nNICKNAME:x,y");
    let (gone, come, _) = edit(&text, |card| {
        card["keywords"].as_object_mut().unwrap().remove("c");
        card["keywords"]["e;f"] = json!(true);
    });
    assert_eq!(
        (gone, come),
        (vec!["CATEGORIES;X=1:a\\,b, c ,d".into()], vec!["CATEGORIES;X=1:a\\,b,d,e\\;f".to_owned()])
    );
    let (_, come, _) = edit(&text, |card| card["nicknames"][key("z")] = json!({"name": "z"}));
    assert_eq!(come, ["NICKNAME:x,y,z"]);
    let (gone, come, _) = edit(&text, |card| card["keywords"] = Value::Null);
    assert_eq!((gone.len(), come.len()), (1, 0));
    let (_, come, _) = edit(&card("TEL:1"), |card| card["keywords"] = json!({"a": true, "b": true}));
    assert_eq!(come, ["CATEGORIES:a,b"]);
}

#[test]
fn an_old_card_is_edited_in_its_own_version() {
    let old = fixture("v21-old-phone.vcf");
    let (_, come, _) = edit(&old, |card| card["notes"]["note"]["note"] = json!("drei\nZeilen; für ä"));
    assert_eq!(come, ["NOTE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:drei=0D=0AZeilen\\; f=C3=BCr =C3=A4"]);
    let (_, come, _) = edit(&old, |card| card["notes"]["note"]["note"] = json!("plain, text"));
    assert_eq!(come, ["NOTE:plain, text"]);
    let (_, come, after) = edit(&old, |card| {
        card["emails"][key("x@y")] = json!({"address": "x@y", "contexts": {"work": true}, "pref": 1})
    });
    assert_eq!(come, ["EMAIL;WORK;PREF:x@y"]);
    assert!(String::from_utf8_lossy(&after).ends_with("\r\nEMAIL;WORK;PREF:x@y\r\nEND:VCARD\r\n"));
    let long = "ö".repeat(200);
    let (_, _, after) = edit(&old, |card| card["titles"] = json!({"title": {"name": long, "kind": "title"}}));
    let text = String::from_utf8(after).unwrap();
    let title: Vec<&str> =
        text.lines().skip_while(|line| !line.starts_with("TITLE")).take_while(|l| *l != "END:VCARD").collect();
    assert!(title.len() > 10 && title.iter().all(|line| line.len() <= 76), "{title:?}");
}

#[test]
fn a_card_in_windows_bytes_and_one_in_utf_16_stay_so() {
    let ansi = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:\xc4nne\r\nN:\xc4nne;;;;\r\nTEL:1\r\nEND:VCARD\r\n";
    let (_, _, after) = edit(ansi, |card| card["notes"] = json!({"note": {"note": "grün"}}));
    assert!(after.windows(10).any(|w| w == b"NOTE:gr\xfcn\r"), "{}", String::from_utf8_lossy(&after));
    let (_, _, after) = edit(ansi, |card| card["notes"] = json!({"note": {"note": "Ω"}}));
    assert!(String::from_utf8_lossy(&after).contains("NOTE:Ω"));
    let wide = Rendering(fixture("v30-utf16.vcf"));
    let mut content = LENS.read(&wide).unwrap();
    content.set("notes", json!({"note": {"note": "Ψ"}}));
    let after = LENS.write(Some(&wide), &content, &identity()).unwrap();
    assert!(after.as_bytes().starts_with(b"\xff\xfe"));
    assert_eq!(LENS.read(&after).unwrap(), content);
}

#[test]
fn a_made_up_name_follows_the_card_and_is_no_content() {
    let content = Content::from_value(json!({"name": {"components": [{"kind": "given", "value": "Ada"}]}}));
    let made = LENS.write(None, &content, &identity()).unwrap();
    assert_eq!(LENS.read(&made).unwrap(), content);
    let (_, come, after) = edit(made.as_bytes(), |card| card["name"]["components"][0]["value"] = json!("Eve"));
    assert!(
        come[0].starts_with("FN;X-TWOFOLD=derived-") && come[0].ends_with(":Eve") && come[1] == "N:;Eve;;;",
        "{come:?}"
    );
    // Somebody types another full name: the mark no longer fits it.
    let text = String::from_utf8(after).unwrap().replace(":Eve\r\n", ":Evelyn\r\n");
    assert_eq!(LENS.read(&Rendering::from(text)).unwrap().at(&["name", "full"]), Some(&json!("Evelyn")));
    // A foreign card's FN that says no more than N goes with it too.
    let foreign = card("N:Lovelace;Ada;;;\nFN:Ada Lovelace\nTEL:1");
    let (_, come, _) = edit(&foreign, |card| card["name"]["components"][1]["value"] = json!("King"));
    assert!(come.iter().any(|line| line.ends_with(":Ada King")), "{come:?}");
    let (gone, _, _) = edit(&foreign, |card| card["phones"] = Value::Null);
    assert_eq!(gone, ["TEL:1"]);
    let nobody = LENS.write(None, &Content::new(), &identity()).unwrap();
    assert!(String::from_utf8_lossy(nobody.as_bytes()).contains(":(no name)\r\n"));
    assert!(LENS.read(&nobody).unwrap().is_empty());
}

#[test]
fn what_a_version_cannot_say_is_carried_and_goes_when_it_is_gone() {
    let text = card("EMAIL:a@x");
    let (_, come, after) = edit(&text, |card| card["emails"][key("a@x")]["pref"] = json!(7));
    assert!(come.len() == 1 && come[0].starts_with("X-TWOFOLD-CARRY:"));
    let (gone, come, _) = edit(&after, |card| drop(card["emails"][key("a@x")].as_object_mut().unwrap().remove("pref")));
    assert!(gone.len() == 1 && come.is_empty() && gone[0].starts_with("X-TWOFOLD-CARRY:"));
    // The user's change in the card beats what is carried.
    let changed = String::from_utf8(after).unwrap().replace("EMAIL:a@x", "EMAIL;TYPE=pref:a@x");
    assert_eq!(LENS.read(&Rendering::from(changed)).unwrap().at(&["emails", &key("a@x"), "pref"]), Some(&json!(1)));
}

#[test]
fn keys_that_the_place_would_not_give_are_stated() {
    let lonely = Content::from_value(json!({"addresses": {"home-2": {
        "components": [{"kind": "locality", "value": "Ockham"}], "contexts": {"private": true}}}}));
    for version in [Version::V3, Version::V4] {
        let lens = VcardLens::new(version);
        let made = lens.write(None, &lonely, &identity()).unwrap();
        let text = String::from_utf8(made.0.clone()).unwrap();
        assert!(text.contains("X-TWOFOLD-KEY=home-2") && !text.contains("CARRY"), "{text}");
        assert_eq!(lens.native(&made).unwrap(), lonely);
    }
    let swapped = Content::from_value(json!({"notes": {"note-2": {"note": "b"}, "note": {"note": "a"}}}));
    let made = LENS.write(None, &swapped, &identity()).unwrap();
    assert_eq!(LENS.native(&made).unwrap(), swapped, "ordinals follow the lines");
}

#[test]
fn no_text_adds_a_line() {
    let evil = "x\r\nTEL:666\r\n END:VCARD\nBEGIN:VCARD\r\u{85}\u{2028}\0;,\\:\"^'=\n";
    let content = Content::from_value(json!({
        "kind": evil, "language": evil,
        "name": {"full": evil, "components": [{"kind": "given", "value": evil, "phonetic": evil}], "sortAs": {"surname": evil}},
        "nicknames": {"a": {"name": evil}}, "organizations": {"org": {"name": evil, "units": [{"name": evil}]}},
        "titles": {"title": {"name": evil, "kind": "title"}}, "emails": {"a": {"address": evil, "label": evil}},
        "phones": {"a": {"number": evil, "label": evil}}, "notes": {"note": {"note": evil}},
        "onlineServices": {"a": {"user": evil, "service": evil, "label": evil}, "b": {"uri": evil, "user": evil, "service": evil}},
        "addresses": {"home": {"components": [{"kind": "name", "value": evil}], "full": evil, "countryCode": evil, "label": evil,
            "coordinates": evil, "timeZone": evil}},
        "anniversaries": {"birth": {"kind": "birth", "label": evil}, "other": {"kind": "other", "label": evil, "date": {"year": 1}}},
        "links": {"a": {"uri": evil, "label": evil, "mediaType": evil}}, "relatedTo": {evil: {"relation": {evil: true, "spouse": true}}},
        "keywords": {evil: true}, "members": {evil: true}, "media": {"photo": {"kind": "photo", "uri": format!("x:{evil}"), "mediaType": evil}},
        "cryptoKeys": {"a": {"uri": format!("x:{evil}"), "mediaType": evil}}, "personalInfo": {"a": {"kind": "hobby", "value": evil, "level": evil}},
        "preferredLanguages": {"a": {"language": evil}}, "speakToAs": {"grammaticalGender": evil, "pronouns": {"a": {"pronouns": evil}}},
        "vCardProps": {
            "a": {"line": evil}, "b": {"line": format!("X-A:{evil}")}, "c": {"line": "UID:forged"}, "d": {"line": "TEL:666"},
            "e": {"line": "X-A;ENCODING=QUOTED-PRINTABLE:swallows="}, "f": {"line": "item1.X-ABLabel:steals"},
            "g": {"line": "X-TWOFOLD-CARRY:AAAA"}, "h": {"line": "END:VCARD"}, "i": {"line": "\u{feff}X-B:1"},
        },
        evil: {"a": 1},
    }));
    for name in ["v21-old-phone.vcf", "v30-apple.vcf", "v40-full.vcf", ""] {
        for version in [Version::V3, Version::V4] {
            let lens = VcardLens::new(version);
            let onto = (!name.is_empty()).then(|| Rendering(fixture(name)));
            let written = lens.write(onto.as_ref(), &content, &identity()).unwrap();
            let wanted = twofold_model::card::without_derived_name(content.clone());
            assert_eq!(
                twofold_model::patch::difference(&lens.read(&written).unwrap(), &wanted).0,
                Default::default(),
                "{name}"
            );
            let file = File::parse(written.as_bytes()).unwrap();
            assert_eq!(file.components().len(), 1);
            for line in (0..file.len()).filter(|line| !file.raw(*line).trim_ascii().is_empty()) {
                let text = String::from_utf8(file.unfolded(line).into_owned()).unwrap();
                let content = ContentLine::parse(text.clone()).unwrap_or_else(|| panic!("{text}"));
                assert!(!(content.name() == "TEL" && content.value() == "666"), "{text}");
                assert!(content.name() != "UID" || !content.value().contains("forged"));
            }
        }
    }
}
