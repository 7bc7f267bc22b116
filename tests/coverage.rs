//! What each place carries of a contact and of an event: the tables in the README are made here, and may not shrink.

use std::sync::Arc;
use twofold_model::Lens;
use twofold_model::coverage::{card, event, markdown, measure, measure_whole, whole_events};
use twofold_model::ical::IcalLens;
use twofold_model::vcard::{VcardLens, Version};
use twofold_zones::SystemZones;

fn contacts() -> String {
    let (v3, v4) = (VcardLens::new(Version::V3), VcardLens::new(Version::V4));
    let (graph, google) = (twofold_microsoft365::contacts::map::ContactLens, twofold_google::contacts::ContactsLens);
    let places: [(&str, &dyn Lens); 4] =
        [("vCard 3.0", &v3), ("vCard 4.0", &v4), ("Microsoft 365", &graph), ("Google", &google)];
    markdown(&places, &measure(&card(), &places).unwrap())
}

fn events() -> String {
    // The bundled zones: the same on every machine.
    let zones = Arc::new(SystemZones::in_folder(None));
    let file = IcalLens::new(zones.clone());
    let times = twofold_microsoft365::calendar::times::Times::new(zones.clone(), Some("Europe/Berlin".into()));
    let graph = twofold_microsoft365::calendar::map::EventLens::new(times);
    let google = twofold_google::calendar::CalendarLens::new(zones).at_home(Some("Europe/Berlin".into()));
    let places: [(&str, &dyn Lens); 3] = [("iCalendar", &file), ("Microsoft 365", &graph), ("Google", &google)];
    let mut rows = measure_whole(&whole_events(), &places);
    rows.extend(measure(&event(), &places).unwrap());
    markdown(&places, &rows)
}

/// The cells of a table by the name of their row; better words have higher ranks.
fn ranks(table: &str) -> Vec<(String, Vec<usize>)> {
    let rank = |cell: &str| ["hub only", "carried", "kept"].iter().position(|word| *word == cell.trim());
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split(" | ");
        let name = cells.next()?.trim().to_owned();
        let ranks: Vec<usize> = cells.filter_map(rank).collect();
        (!ranks.is_empty()).then_some((name, ranks))
    };
    table.lines().filter_map(row).collect()
}

/// Compares what the README has between the marks of that name with the table of today, or writes it there.
fn check(name: &str, table: &str) {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (head, rest) = readme.split_once(&begin).expect("the README has the table's first mark");
    let (old, tail) = rest.split_once(&end).expect("the README has the table's last mark");
    let now = ranks(table);
    assert!(now.len() > 30, "{table}");
    for (name, before) in ranks(old) {
        let after = now.iter().find(|(other, _)| *other == name).map(|(_, ranks)| ranks.clone()).unwrap_or_default();
        let is_less = after.len() < before.len() || after.iter().zip(&before).any(|(a, b)| a < b);
        assert!(!is_less, "less is carried of {name} than the README promises:\n{table}");
    }
    if std::env::var_os("TWOFOLD_WRITE_TABLE").is_some() {
        std::fs::write(path, format!("{head}{begin}{table}{end}{tail}")).unwrap();
    } else {
        assert_eq!(
            old, table,
            "the README is behind; it is written by: TWOFOLD_WRITE_TABLE=1 cargo test --test coverage"
        );
    }
}

#[test]
fn the_readme_says_what_each_place_carries_and_it_never_becomes_less() {
    check("coverage", &contacts());
    check("events", &events());
}
