//! Delta: rounds, tokens, lag, moves.

use serde_json::{Value, json};
use twofold_sandbox::{Options, Request, Switches};

use crate::{Graph, refused, text, url};

#[test]
fn an_etag_moves_once_more_with_equal_content() {
    let graph = Graph::switched(|switches| switches.restamp_etag_after_s = 5);
    let made = graph.made(&json!({ "givenName": "Ada" }));
    let path = format!("me/contacts/{}", text(&made["id"]));
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    graph.sandbox.clock().advance_ms(6_000);
    let now = graph.get_json(&path);
    assert_ne!(now["changeKey"], made["changeKey"]);
    assert_eq!((&now["givenName"], &now["lastModifiedDateTime"]), (&made["givenName"], &made["lastModifiedDateTime"]));
    assert_eq!(graph.round(&link, 10).0.len(), 1);
}

#[test]
fn a_delta_shows_all_then_changes_then_removals() {
    let graph = Graph::empty();
    let (ada, bob) = (graph.named("Ada"), graph.named("Bob"));
    let (rows, link) = graph.round(&url("me/contactFolders/contacts/contacts/delta?$select=displayName"), 1);
    assert_eq!(rows.len(), 2);
    assert!(rows[0].get("jobTitle").is_none() && rows[0].get("displayName").is_some());
    assert_eq!(graph.round(&link, 10).0, Vec::<Value>::new());
    graph.patch(&format!("me/contacts/{ada}"), &json!({ "displayName": "Ada L." }));
    graph.delete(&format!("me/contacts/{bob}"));
    let (rows, later) = graph.round(&link, 10);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["displayName"], "Ada L.");
    assert_eq!(rows[1], json!({ "id": bob, "@removed": { "reason": "deleted" } }));
    assert_eq!(graph.round(&link, 10).0, rows, "a replay after a crash is harmless");
    assert_eq!(graph.round(&later, 10).0, Vec::<Value>::new());
}

#[test]
fn the_page_size_is_forgotten_on_the_next_page() {
    let graph = Graph::with(Options::bulk(30));
    let first = Request::get(&url("me/contacts/delta")).with_header("Prefer", "odata.maxpagesize=2");
    let reply = graph.send(first);
    assert_eq!(reply.header("preference-applied"), Some("odata.maxpagesize=2"));
    let page = reply.body_json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(2));
    let page = graph.send(Request::get(&text(&page["@odata.nextLink"]))).body_json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(10));
}

#[test]
fn links_name_the_configured_host_and_take_nothing_more() {
    let graph = Graph::with(Options::bulk(30));
    let page = graph.get_json("me/contacts/delta");
    let next = text(&page["@odata.nextLink"]);
    assert!(next.starts_with(&graph.sandbox.urls().microsoft_graph), "{next}");
    refused(&graph.send(Request::get(&format!("{next}&$select=id"))), 400, "BadRequest");
    let (_, link) = graph.round(&url("me/contacts/delta"), 100);
    let folder = graph.sandbox.graph_folder_create("", "Other").expect("makes a folder");
    let elsewhere = link.replace("me/contacts/", &format!("me/contactFolders/{folder}/contacts/"));
    refused(&graph.send(Request::get(&elsewhere)), 400, "ErrorInvalidSyncStateData");
    refused(&graph.get("me/contacts/delta?$deltatoken=abc"), 400, "ErrorInvalidSyncStateData");
}

#[test]
fn short_and_empty_pages_still_tell_all() {
    let graph =
        Graph::with(Options::bulk(40).with(Switches { short_pages: true, empty_pages: true, ..Switches::default() }));
    let (rows, link) = graph.round(&url("me/contacts/delta"), 7);
    assert_eq!(rows.len(), 40);
    assert!(graph.round(&link, 7).0.is_empty());
    let mut seen = 0;
    let mut link = url("me/contacts?$top=10");
    loop {
        let page = graph.send(Request::get(&link)).body_json();
        seen += page["value"].as_array().expect("rows").len();
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        link = next.to_owned();
    }
    assert_eq!(seen, 40);
}

#[test]
fn expired_delta_tokens_are_410_with_a_location_or_400() {
    let graph = Graph::empty();
    graph.named("Ada");
    let (_, link) = graph.round(&url("me/contacts/delta?$select=displayName"), 10);
    graph.sandbox.graph_expire_delta_tokens();
    let reply = graph.send(Request::get(&link));
    refused(&reply, 410, "resyncRequired");
    let (rows, fresh) = graph.round(reply.header("location").expect("a location"), 10);
    assert_eq!(rows.len(), 1);
    assert!(graph.round(&fresh, 10).0.is_empty());
    graph.sandbox.switch(|switches| switches.graph_expired_status = 400);
    refused(&graph.send(Request::get(&link)), 400, "SyncStateNotFound");
}

#[test]
fn a_next_link_dies_when_a_newer_round_of_its_chain_began() {
    let graph = Graph::empty();
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    for at in 0..5 {
        graph.named(&format!("N{at}"));
    }
    let begin = || graph.send(Request::get(&link).with_header("Prefer", "odata.maxpagesize=2")).body_json();
    let older = text(&begin()["@odata.nextLink"]);
    let newer = text(&begin()["@odata.nextLink"]);
    let reply = graph.send(Request::get(&older));
    refused(&reply, 400, "SyncStateNotFound");
    assert!(text(&reply.body_json()["error"]["message"]).contains("[highest="));
    assert_eq!(graph.send(Request::get(&newer)).status, 200);
    assert_eq!(graph.round(&link, 2).0.len(), 5);
}

#[test]
fn a_delta_may_lag_behind_writes() {
    let graph = Graph::switched(|switches| switches.list_lag_s = 60);
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    let id = graph.named("Ada");
    assert_eq!(graph.get(&format!("me/contacts/{id}")).status, 200);
    let (rows, link) = graph.round(&link, 10);
    assert!(rows.is_empty());
    graph.sandbox.clock().advance_ms(61_000);
    assert_eq!(graph.round(&link, 10).0.len(), 1);
}

#[test]
fn sparse_rows_hold_what_changed_and_repeats_come_twice() {
    let graph = Graph::switched(|switches| {
        switches.graph_sparse_delta = true;
        switches.graph_delta_repeats = true;
    });
    let id = text(&graph.made(&json!({ "givenName": "Ada", "jobTitle": "Countess" }))["id"]);
    let (rows, link) = graph.round(&url("me/contacts/delta"), 10);
    assert_eq!((rows.len(), &rows[0]["jobTitle"]), (1, &json!("Countess")));
    graph.patch(&format!("me/contacts/{id}"), &json!({ "jobTitle": null }));
    let (rows, _) = graph.round(&link, 10);
    assert_eq!(rows.len(), 2);
    let row = rows[0].as_object().expect("a row");
    assert!(row.contains_key("jobTitle") && row["jobTitle"].is_null() && !row.contains_key("givenName"));
}

#[test]
fn without_the_header_ids_have_another_form_and_change_at_moves() {
    let graph = Graph::empty();
    graph.sandbox.graph_folder_create("", "Other").expect("makes a folder");
    let immutable = graph.named("Ada");
    let list = || graph.plain(Request::get(&url("me/contacts"))).body_json();
    let regular = text(&list()["value"][0]["id"]);
    assert_ne!(regular, immutable);
    refused(&graph.get(&format!("me/contacts/{regular}")), 404, "ErrorItemNotFound");
    refused(&graph.plain(Request::get(&url(&format!("me/contacts/{immutable}")))), 404, "ErrorItemNotFound");
    let start = graph.plain(Request::get(&url("me/contacts/delta"))).body_json();
    graph.sandbox.graph_move(&immutable, "Other").expect("moves");
    refused(&graph.plain(Request::get(&url(&format!("me/contacts/{regular}")))), 404, "ErrorItemNotFound");
    assert_eq!(graph.get(&format!("me/contacts/{immutable}")).status, 200);
    let page = graph.plain(Request::get(&text(&start["@odata.deltaLink"]))).body_json();
    assert_eq!(page["value"], json!([{ "id": regular, "@removed": { "reason": "deleted" } }]));
}

#[test]
fn a_contact_that_left_and_came_back_is_reported_as_removed_only() {
    let graph = Graph::empty();
    graph.sandbox.graph_folder_create("", "Other").expect("makes a folder");
    let id = graph.named("Ada");
    let (_, link) = graph.round(&url("me/contacts/delta"), 10);
    graph.sandbox.graph_move(&id, "Other").expect("moves");
    graph.sandbox.graph_move(&id, "contacts").expect("moves back");
    let (rows, later) = graph.round(&link, 10);
    assert_eq!(rows, [json!({ "id": id, "@removed": { "reason": "deleted" } })]);
    assert!(graph.round(&later, 10).0.is_empty());
    assert_eq!(graph.get(&format!("me/contacts/{id}")).status, 200);
    graph.sandbox.switch(|switches| switches.graph_immutable_move_hole = false);
    assert_eq!(graph.round(&link, 10).0[0]["givenName"], "Ada");
}

#[test]
fn ten_thousand_contacts_are_told_whole() {
    let graph = Graph::with(Options::bulk(10_000));
    let (rows, link) = graph.round(&url("me/contacts/delta"), 500);
    assert_eq!(rows.len(), 10_000);
    for _ in 0..100 {
        assert!(graph.round(&link, 100).0.is_empty());
    }
}

#[test]
fn in_the_worst_weather_rounds_still_tell_all() {
    let graph = Graph::with(Options::bulk(40).with(Switches::hostile()));
    let (rows, link) = graph.round(&url("me/contacts/delta"), 7);
    let ids: std::collections::HashSet<String> = rows.iter().map(|row| text(&row["id"])).collect();
    assert_eq!(ids.len(), 40);
    let id = graph.named(" Ada ");
    graph.sandbox.clock().advance_ms(181_000);
    let (rows, _) = graph.round(&link, 7);
    assert!(rows.iter().all(|row| row["id"] == id.as_str() && row["givenName"] == "Ada"), "{rows:?}");
    assert!(rows.len() >= 2);
}
