//! What cards of many hands mean: versions, encodings, Apple's groups, dates, photos.

mod common;

use common::fixture;
use serde_json::{Value, json};
use twofold_model::card::key;
use twofold_model::vcard::{VcardLens, Version, mark_of, uid_of};
use twofold_model::{Content, Identity, Lens, Mark, Rendering, Uid};

fn read(bytes: impl Into<Vec<u8>>) -> Content {
    VcardLens::new(Version::V3).read(&Rendering(bytes.into())).unwrap()
}

/// The content of a card with these lines.
fn of(version: &str, lines: &str) -> Content {
    read(format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{lines}\r\nEND:VCARD\r\n"))
}

fn at(content: &Content, path: &[&str]) -> Value {
    content.at(path).cloned().unwrap_or_default()
}

#[test]
fn an_old_phone_s_card_is_read_with_its_encodings() {
    let card = read(fixture("v21-old-phone.vcf"));
    let kinds = json!([
        {"kind": "title", "value": "Dr."}, {"kind": "given", "value": "Jörg"}, {"kind": "surname", "value": "Müller"}
    ]);
    assert_eq!(at(&card, &["name"]), json!({"components": kinds}), "FN says no more than N");
    assert_eq!(at(&card, &["organizations", "org"]), json!({"name": "Werk;Halle", "units": [{"name": "Einkauf"}]}));
    let phone = |number: &str| at(&card, &["phones", &key(number)]);
    assert_eq!(phone("+491701234567"), json!({"number": "+49 170 1234567", "features": {"mobile": true}, "pref": 1}));
    assert_eq!(phone("030555"), json!({"number": "030/555", "contexts": {"work": true}}));
    assert_eq!(phone("030556")["label"], "Paging");
    let home = at(&card, &["addresses", "home"]);
    assert_eq!(home["components"][0], json!({"kind": "name", "value": "Hauptstraße 1\nHinterhaus"}));
    assert_eq!(home["full"], "Hauptstraße 1\n10115 Berlin");
    assert_eq!(at(&card, &["notes", "note", "note"]), "two\nlines");
    assert!(at(&card, &["media", "photo", "uri"]).as_str().unwrap().starts_with("data:image/jpeg;base64,/9j/"));
    let unknown = at(&card, &["vCardProps", &key("X-IRMC-LUID:000200000102")]);
    assert_eq!(unknown, json!({"line": "X-IRMC-LUID:000200000102"}));
}

#[test]
fn bytes_of_windows_and_utf_16_are_text() {
    assert_eq!(at(&read(fixture("v21-ansi.vcf")), &["name", "components"])[1]["value"], "Größe");
    let wide = read(fixture("v30-utf16.vcf"));
    assert_eq!(at(&wide, &["name", "components"])[1]["value"], "Ωmega");
    let greek = b"BEGIN:VCARD\nVERSION:2.1\nNOTE;CHARSET=Windows-1253:\xe1\xe2\nTITLE;CHARSET=Windows-1251;ENCODING=QUOTED-PRINTABLE:=CF=F0\nEND:VCARD\n";
    let greek = read(*greek);
    assert_eq!(
        (at(&greek, &["notes", "note", "note"]), at(&greek, &["titles", "title", "name"])),
        (json!("αβ"), json!("Пр"))
    );
}

#[test]
fn apple_s_groups_are_labels() {
    let card = read(fixture("v30-apple.vcf"));
    let email = at(&card, &["emails", &key("ada@example.org")]);
    assert_eq!(email, json!({"address": "Ada@Example.org", "pref": 1, "label": "Other"}));
    assert_eq!(at(&card, &["phones", &key("+44209")]), json!({"number": "+44 20 9", "label": "Laboratory"}));
    assert_eq!(at(&card, &["addresses", "home", "countryCode"]), "GB");
    assert_eq!(at(&card, &["links", &key("http://example.org/ada"), "label"]), "HomePage");
    assert_eq!(at(&card, &["anniversaries", "birth"]), json!({"kind": "birth", "date": {"month": 12, "day": 10}}));
    assert_eq!(at(&card, &["anniversaries", "wedding", "date"]), json!({"year": 1835, "month": 7, "day": 8}));
    assert_eq!(at(&card, &["relatedTo", "William"]), json!({"relation": {"spouse": true}}));
    let service = at(&card, &["onlineServices", &key("xmpp:ada@example.org")]);
    assert_eq!(service, json!({"uri": "xmpp:ada@example.org", "service": "Jabber", "contexts": {"private": true}}));
    assert_eq!(at(&card, &["keywords"]), json!({"Friends": true, "Engine People": true}));
    assert_eq!(at(&card, &["name", "full"]), "Ada Lovelace, Countess");
    let given2: Vec<Value> = at(&card, &["name", "components"]).as_array().unwrap()[2..4].to_vec();
    assert_eq!(given2, [json!({"kind": "given2", "value": "King"}), json!({"kind": "given2", "value": "Byron"})]);
    assert_eq!(at(&card, &["name", "components"])[1]["phonetic"], "Eida");
}

#[test]
fn everything_of_version_4_has_a_member_or_stays_a_line() {
    let card = read(fixture("v40-full.vcf"));
    let members: Vec<&str> = card.0.keys().map(String::as_str).collect();
    for member in [
        "name",
        "phones",
        "emails",
        "addresses",
        "preferredLanguages",
        "relatedTo",
        "cryptoKeys",
        "media",
        "onlineServices",
        "personalInfo",
        "directories",
        "calendars",
        "schedulingAddresses",
        "anniversaries",
        "vCardProps",
    ] {
        assert!(members.contains(&member), "{member}");
    }
    let lines = at(&card, &["vCardProps"]);
    let lines: Vec<&str> = lines.as_object().unwrap().values().map(|entry| entry["line"].as_str().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "FN;ALTID=2:G. Hopper",
            "GENDER:F",
            "TZ:America/New_York",
            "GEO:geo:38.87,-76.99",
            "X-UNKNOWN;X-P=a;x-p=b:some\\,value"
        ]
    );
    assert_eq!(at(&card, &["phones", &key("+1555555"), "number"]), "+1-555-555");
    assert_eq!(at(&card, &["anniversaries", "wedding"]), json!({"kind": "wedding", "label": "summer 1930"}));
    assert_eq!(at(&card, &["name", "sortAs"]), json!({"surname": "Hopper", "given": "Grace"}));
    assert!(card.get("kind").is_none() && card.get("uid").is_none());
}

#[test]
fn words_of_type_are_contexts_features_and_labels() {
    let card = read(fixture("v30-mixed-line-ends.vcf"));
    assert_eq!(at(&card, &["phones", &key("1"), "label"]), "car");
    assert_eq!(at(&card, &["phones", &key("2"), "label"]), "WhatsApp");
    assert_eq!(at(&card, &["notes", "note", "note"]), "folded here");
    let card = of(
        "3.0",
        "TEL;TYPE=\"voice,fax\",work:1\r\nTEL;TYPE=VOICE:1\r\nIMPP;TYPE=personal,x-mine:aim:a\r\nX-AIM:b\r\nX-SIP:sip:c@d",
    );
    assert_eq!(at(&card, &["phones", &key("1"), "features"]), json!({"voice": true, "fax": true}));
    assert_eq!(at(&card, &["phones", &format!("{}-2", key("1"))]), json!({"number": "1"}));
    let aim = at(&card, &["onlineServices", &key("aim:a")]);
    assert_eq!(aim, json!({"uri": "aim:a", "contexts": {"private": true}, "label": "mine"}));
    assert_eq!(at(&card, &["onlineServices", &key("b")]), json!({"user": "b", "service": "aim"}));
    assert_eq!(at(&card, &["onlineServices", &key("sip:c@d")]), json!({"uri": "sip:c@d"}));
}

#[test]
fn people_around_somebody_are_related_whatever_the_property() {
    let card = of(
        "3.0",
        "X-SPOUSE:A\r\nX-MS-MANAGER:B\r\nX-ASSISTANT:B\r\nRELATED;TYPE=friend,co-worker;VALUE=text:C\r\nRELATED:D\r\n\
         item1.X-ABRELATEDNAMES:E\r\nitem1.X-ABLabel:_$!<Mother>!$_\r\nitem2.X-ABRELATEDNAMES:F\r\nitem2.X-ABLabel:Muse of mine",
    );
    assert_eq!(
        at(&card, &["relatedTo"]),
        json!({
            "A": {"relation": {"spouse": true}}, "B": {"relation": {"manager": true, "assistant": true}},
            "C": {"relation": {"friend": true, "co-worker": true}}, "D": {"relation": {"contact": true}},
            "E": {"relation": {"mother": true}}, "F": {"relation": {"Muse of mine": true}},
        })
    );
}

#[test]
fn empty_lines_say_nothing_and_junk_is_no_error() {
    let card = of(
        "3.0",
        "TEL:\r\nNOTE:\r\nORG:;;\r\nADR:;;;;;;\r\nN:;;;;\r\nFN:\r\nCATEGORIES:,\r\nPHOTO:\r\nno colon here\r\n\r\n:",
    );
    assert_eq!(card.to_value(), json!({"vCardProps": {key(":"): {"line": ":"}}}));
    let card = of("3.0", "PHOTO;ENCODING=b:!!!\r\nX-ABShowAs:COMPANY\r\nKIND:group\r\nMEMBER:urn:uuid:1");
    assert_eq!(at(&card, &["kind"]), "org");
    assert_eq!(at(&card, &["vCardProps", &key("PHOTO;ENCODING=b:!!!"), "line"]), "PHOTO;ENCODING=b:!!!");
    assert_eq!(at(&card, &["members"]), json!({"urn:uuid:1": true}));
}

#[test]
fn a_card_inside_a_card_is_not_the_card() {
    let card = of("2.1", "AGENT:\r\nBEGIN:VCARD\r\nVERSION:2.1\r\nTEL:9\r\nEND:VCARD\r\nTEL:1");
    assert_eq!(at(&card, &["phones"]), json!({key("1"): {"number": "1"}}));
}

#[test]
fn the_uid_and_the_mark_are_told_apart_from_content() {
    let mark = Mark { hub: "h".into(), item: "i".into(), generation: 3 };
    let identity = Identity { uid: Uid("urn:uuid:a;b,c".into()), mark: Some(mark.clone()) };
    let content = Content::from_value(json!({"notes": {"note": {"note": "x"}}}));
    for version in [Version::V3, Version::V4] {
        let rendering = VcardLens::new(version).write(None, &content, &identity).unwrap();
        assert_eq!(uid_of(&rendering), Some(Uid("urn:uuid:a;b,c".into())));
        assert_eq!(mark_of(&rendering), Some(mark.clone()));
        assert_eq!(read(rendering.0), content);
    }
    assert_eq!(mark_of(&Rendering(fixture("v40-full.vcf"))), None);
}

#[test]
fn a_card_of_many_equal_lines_is_read_in_good_time() {
    for line in ["EMAIL:a@x", "CATEGORIES:a", "LABEL:x\nADR:;;x;;;;", "item1.X-ABLabel:a\nitem1.TEL:1", "X-Y:1"] {
        let begun = std::time::Instant::now();
        let text = format!("BEGIN:VCARD\nVERSION:3.0\n{}END:VCARD\n", format!("{line}\n").repeat(20_000));
        let card = read(text);
        assert!(!card.is_empty());
        assert!(begun.elapsed().as_secs() < 20, "{line}: {:?}", begun.elapsed());
    }
}
