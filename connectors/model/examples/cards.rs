//! How much CPU cards cost: contents to new `.vcf` renderings, and back. `cargo run --release --example cards [N]`.

use serde_json::json;
use std::time::Instant;
use twofold_model::vcard::{VcardLens, Version};
use twofold_model::{Content, Identity, Lens, Mark, Rendering, Result, Uid};

fn main() -> Result<()> {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let contents: Vec<Content> = (0..count).map(content).collect();
    let lens = VcardLens::new(Version::V3);
    let start = Instant::now();
    let cards: Vec<Rendering> = contents
        .iter()
        .enumerate()
        .map(|(n, content)| {
            let mark = Mark { hub: "b2d9c7e0".into(), item: format!("{n}"), generation: 1 };
            lens.write(None, content, &Identity { uid: Uid(format!("3f1c-{n}")), mark: Some(mark) })
        })
        .collect::<Result<_>>()?;
    let written = start.elapsed();
    for (card, content) in cards.iter().zip(&contents) {
        assert_eq!(&lens.read(card)?, content);
    }
    let bytes: usize = cards.iter().map(|card| card.as_bytes().len()).sum();
    println!("{count} cards, {bytes} bytes: written in {written:?}, read in {:?}", start.elapsed() - written);
    Ok(())
}

fn content(n: usize) -> Content {
    let email = twofold_model::card::key(&format!("garth{n}@contoso.example"));
    let phone = twofold_model::card::key("+19185550101");
    let link = twofold_model::card::key("https://www.contoso.example");
    Content::from_value(json!({
        "name": {"components": [{"kind": "given", "value": "Garth"}, {"kind": "surname", "value": format!("Fort {n}")}]},
        "nicknames": {twofold_model::card::key("Gary"): {"name": "Gary"}},
        "organizations": {"org": {"name": "Contoso, Inc.", "units": [{"name": "Sales & Marketing"}]}},
        "titles": {"title": {"name": "Web Marketing Manager", "kind": "title"}},
        "emails": {email: {"address": format!("garth{n}@contoso.example"), "contexts": {"work": true}, "label": "Desk"}},
        "phones": {phone: {"number": "+1 918 555 0101", "features": {"mobile": true}}},
        "addresses": {"work": {"contexts": {"work": true}, "components": [
            {"kind": "name", "value": "10 Contoso Way\nBuilding 3"}, {"kind": "locality", "value": "Redmond"},
            {"kind": "region", "value": "WA"}, {"kind": "postcode", "value": "98075"}, {"kind": "country", "value": "USA"}]}},
        "anniversaries": {"birth": {"kind": "birth", "date": {"year": 1974, "month": 7, "day": 22}}},
        "notes": {"note": {"note": "Met at the fair; likes tea, and long walks along the river in the evening.\nCall back."}},
        "links": {link: {"uri": "https://www.contoso.example", "contexts": {"work": true}}},
        "keywords": {"Friends": true},
    }))
}
