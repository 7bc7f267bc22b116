//! Lists of events: what finds them, how they page.

use serde_json::json;
use twofold_sandbox::Request;

use crate::{Graph, MARK, encoded, refused, text, texts, timed, with};

#[test]
fn extended_properties_and_filters_find_events() {
    let graph = Graph::empty();
    let mark = json!({ "singleValueExtendedProperties": [{ "id": MARK, "value": "a'b" }] });
    let lunch = timed("Let's go for lunch", "UTC", "2026-03-15T12:00:00", "2026-03-15T14:00:00");
    let id = text(&graph.event(&with(lunch, mark))["id"]);
    graph.sandbox.clock().advance_ms(60_000);
    let later = timed("Dinner", "UTC", "2026-04-01T18:00:00", "2026-04-01T19:00:00");
    graph.event(&with(later, json!({ "categories": ["Food"], "isAllDay": false })));
    let expand = encoded(&format!("singleValueExtendedProperties($filter=id eq '{MARK}')"));
    let shown = graph.get_json(&format!("me/events/{id}?$expand={expand}"));
    assert_eq!(shown["singleValueExtendedProperties"], json!([{ "id": MARK, "value": "a'b" }]));
    let found = |filter: &str| texts(&graph.rows(&format!("me/events?$filter={}", encoded(filter))), "subject");
    let lunch = vec!["Let's go for lunch".to_owned()];
    let dinner = vec!["Dinner".to_owned()];
    assert_eq!(
        found(&format!("singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq 'a''b')")),
        lunch
    );
    assert_eq!(
        found(&format!("singleValueExtendedProperties/any(ep: ep/id eq '{MARK}' and ep/value eq 'x')")),
        Vec::<String>::new()
    );
    assert_eq!(found("lastModifiedDateTime ge 2026-01-01T08:00:30Z"), dinner);
    assert_eq!(found("start/dateTime lt '2026-04-01T00:00:00'"), lunch);
    assert_eq!(found("categories/any(c:c eq 'Food') and isAllDay eq false"), dinner);
    assert_eq!(found("type eq 'singleInstance' and startswith(subject,'din')"), dinner);
    assert_eq!(found("contains(subject,'LUNCH')"), lunch);
    refused(&graph.get("me/events?$filter=startswith(subject,'a')&$orderby=start/dateTime"), 400, "InefficientFilter");
    graph.sandbox.switch(|switches| switches.graph_filter_lag_s = 30);
    assert_eq!(found("contains(subject,'inn')"), Vec::<String>::new());
}

#[test]
fn lists_page_by_their_links() {
    let graph = Graph::empty();
    for at in 0..25 {
        graph.event(&timed(&format!("E{at:02}"), "UTC", "2026-03-15T12:00:00", "2026-03-15T14:00:00"));
    }
    let page = graph.get_json("me/events?$select=subject,start&$orderby=subject%20desc&$count=true");
    assert_eq!((&page["@odata.count"], page["value"].as_array().map(Vec::len)), (&json!(25), Some(10)));
    assert!(text(&page["@odata.context"]).ends_with("/events(subject,start)"), "{}", page["@odata.context"]);
    let row: Vec<&String> = page["value"][0].as_object().expect("a row").keys().collect();
    assert_eq!(row, ["@odata.etag", "id", "subject", "start"]);
    let next = graph.send(Request::get(&text(&page["@odata.nextLink"]))).body_json();
    assert_eq!(next["value"][0]["subject"], "E14");
    assert_eq!(graph.rows("me/calendar/events?$top=999").len(), 25);
}
