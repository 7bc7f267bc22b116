//! Calendars and their groups; who may see them; the mailbox's zone.

use serde_json::{Value, json};
use twofold_sandbox::{Options, Request};

use crate::{Graph, code, refused, text, timed, url};

#[test]
fn the_default_calendar_shows_what_the_documentation_shows() {
    let graph = Graph::empty();
    let shown = graph.get_json("me/calendar");
    for name in [
        "@odata.context",
        "@odata.id",
        "id",
        "name",
        "color",
        "isDefaultCalendar",
        "changeKey",
        "canShare",
        "canViewPrivateItems",
        "hexColor",
        "canEdit",
        "allowedOnlineMeetingProviders",
        "defaultOnlineMeetingProvider",
        "isTallyingResponses",
        "isRemovable",
        "owner",
    ] {
        assert!(shown.get(name).is_some(), "{name}");
    }
    assert_eq!((&shown["isDefaultCalendar"], &shown["canEdit"]), (&json!(true), &json!(true)));
    assert_eq!((&shown["color"], &shown["hexColor"]), (&json!("auto"), &json!("")));
    assert_eq!(shown["owner"], json!({ "name": "Ada Beispiel", "address": "ada@example.com" }));
    let id = text(&shown["id"]);
    assert_eq!(graph.get_json(&format!("me/calendars/{id}"))["name"], "Kalender");
    let row = graph.get_json("me/calendars?$select=name")["value"][0].clone();
    assert_eq!((&row["id"], &row["name"], row.get("color")), (&json!(id), &json!("Kalender"), None));
}

#[test]
fn calendars_are_made_renamed_recoloured_and_deleted_with_their_events() {
    let graph = Graph::empty();
    let made = graph.post("me/calendars", &json!({ "name": "Volunteer" }));
    assert_eq!(made.status, 201);
    let made = made.body_json();
    let path = format!("me/calendars/{}", text(&made["id"]));
    refused(&graph.post("me/calendars", &json!({ "name": "volunteer" })), 409, "ErrorFolderExists");
    let now = graph.patch(&path, &json!({ "name": "Social events", "color": "lightTeal" })).body_json();
    assert_eq!((&now["name"], &now["color"]), (&json!("Social events"), &json!("lightTeal")));
    assert_ne!((&now["hexColor"], &now["changeKey"]), (&json!(""), &made["changeKey"]));
    for (body, name) in [
        (json!({ "hexColor": "#ff0000" }), "ErrorInvalidPropertySet"),
        (json!({ "canEdit": true }), "ErrorInvalidPropertySet"),
        (json!({ "color": "mauve" }), "RequestBodyRead"),
        (json!({ "size": 3 }), "RequestBodyRead"),
        (json!({ "name": "" }), "ErrorInvalidRequest"),
    ] {
        refused(&graph.patch(&path, &body), 400, name);
    }
    let event = timed("Cleaning", "UTC", "2026-02-01T10:00:00", "2026-02-01T11:00:00");
    let event = graph.post(&format!("{path}/events"), &event);
    assert_eq!(event.status, 201);
    let event = format!("me/events/{}", text(&event.body_json()["id"]));
    assert_eq!(graph.get_json(&format!("{event}/calendar"))["name"], "Social events");
    assert_eq!(graph.get_json(&format!("{event}?$expand=calendar"))["calendar"]["name"], "Social events");
    assert_eq!(graph.delete(&path).status, 204);
    refused(&graph.get(&path), 404, "ErrorItemNotFound");
    refused(&graph.get(&event), 404, "ErrorItemNotFound");
    refused(&graph.delete("me/calendar"), 400, "ErrorDeleteDistinguishedFolder");
    refused(&graph.get("me/calendars/delta"), 400, "ErrorInvalidIdMalformed");
    refused(&graph.get("me/calendars/nonsense/events"), 400, "ErrorInvalidIdMalformed");
}

#[test]
fn groups_hold_calendars() {
    let graph = Graph::empty();
    let groups = graph.rows("me/calendarGroups");
    assert_eq!(groups.len(), 2);
    for name in ["id", "name", "classId", "changeKey"] {
        assert!(groups[0][name].is_string(), "{name}");
    }
    let made = graph.post("me/calendarGroups", &json!({ "name": "Personal events" }));
    assert_eq!(made.status, 201);
    let group = format!("me/calendarGroups/{}", text(&made.body_json()["id"]));
    let calendar = graph.post(&format!("{group}/calendars"), &json!({ "name": "Marketing calendar" }));
    assert_eq!(calendar.status, 201);
    assert_eq!(graph.rows(&format!("{group}/calendars")).len(), 1);
    assert_eq!(graph.rows("me/calendars").len(), 2);
    let calendar = text(&calendar.body_json()["id"]);
    assert_eq!(graph.rows(&format!("{group}/calendars/{calendar}/events")), Vec::<Value>::new());
    let renamed = graph.patch(&group, &json!({ "name": "Others" })).body_json();
    assert_ne!(renamed["changeKey"], made.body_json()["changeKey"]);
    refused(&graph.delete(&group), 400, "ErrorInvalidRequest");
    graph.delete(&format!("me/calendars/{calendar}"));
    assert_eq!(graph.delete(&group).status, 204);
    assert_eq!(graph.rows("me/calendarGroups").len(), 2);
}

#[test]
fn what_others_share_can_be_read_only() {
    let graph = Graph::empty();
    let shared = graph.sandbox.graph_calendar_share("Kids parties", "alex@example.org").expect("shares");
    let shown = graph.get_json(&format!("me/calendars/{shared}"));
    assert_eq!((&shown["canEdit"], &shown["canShare"]), (&json!(false), &json!(false)));
    assert_eq!(shown["owner"]["address"], "alex@example.org");
    let event = timed("Party", "UTC", "2026-02-01T10:00:00", "2026-02-01T11:00:00");
    let id = graph.sandbox.graph_event_create("Kids parties", &event).expect("makes");
    assert_eq!(graph.get_json(&format!("me/events/{id}"))["subject"], "Party");
    refused(&graph.post(&format!("me/calendars/{shared}/events"), &event), 403, "ErrorAccessDenied");
    refused(&graph.patch(&format!("me/events/{id}"), &json!({ "subject": "x" })), 403, "ErrorAccessDenied");
    refused(&graph.delete(&format!("me/events/{id}")), 403, "ErrorAccessDenied");
    assert_eq!(graph.sandbox.graph_event(&id).expect("is there")["subject"], "Party");
}

#[test]
fn a_closed_calendar_answers_403_and_a_broken_one_500() {
    let graph = Graph::with(Options::demo());
    graph.sandbox.switch(|switches| {
        switches.graph_denied_calendars = vec!["Privat".into()];
        switches.graph_broken_calendars = vec!["Geburtstage".into()];
    });
    let calendars = graph.rows("me/calendars");
    assert_eq!(calendars.len(), 4);
    let id = |name: &str| {
        let found = calendars.iter().find(|calendar| calendar["name"] == name).expect("a calendar");
        text(&found["id"])
    };
    refused(&graph.get(&format!("me/calendars/{}/events", id("Privat"))), 403, "ErrorAccessDenied");
    let broken = graph.get(&format!("me/calendars/{}/events/delta", id("Geburtstage")));
    refused(&broken, 500, "ErrorInternalServerTransientError");
    assert_eq!(graph.get("me/events").status, 200);
}

#[test]
fn calendars_need_their_own_scope() {
    let graph = Graph::empty();
    let (_, refresh) = graph.sandbox.sign_in(twofold_sandbox::Provider::Microsoft);
    let token = |scope: &str| {
        let form = [
            ("client_id", twofold_sandbox::oauth::MICROSOFT_CLIENT_ID),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
            ("scope", scope),
        ];
        let reply =
            graph.sandbox.handle(&Request::new("POST", "/microsoft-login/common/oauth2/v2.0/token").form(&form));
        text(&reply.body_json()["access_token"])
    };
    let contacts = token("Contacts.ReadWrite");
    let ask = |token: &str, path: &str| graph.sandbox.handle(&Request::get(&url(path)).bearer(token));
    for path in ["me/calendars", "me/events", "me/calendarView/delta", "me/mailboxSettings"] {
        refused(&ask(&contacts, path), 403, "ErrorAccessDenied");
    }
    assert_eq!(ask(&contacts, "me/contacts").status, 200);
    let calendars = token("Calendars.ReadWrite");
    assert_eq!(ask(&calendars, "me/calendars").status, 200);
    refused(&ask(&calendars, "me/contacts"), 403, "ErrorAccessDenied");
}

#[test]
fn the_mailbox_tells_its_zone_and_the_zones_it_knows() {
    let graph = Graph::empty();
    assert_eq!(graph.get_json("me/mailboxSettings/timeZone")["value"], "W. Europe Standard Time");
    let whole = graph.get_json("me/mailboxSettings");
    assert_eq!(
        (&whole["timeZone"], whole["workingHours"]["daysOfWeek"].as_array().map(Vec::len)),
        (&json!("W. Europe Standard Time"), Some(5))
    );
    graph.sandbox.graph_set_mailbox_zone("Pacific Standard Time").expect("sets");
    assert_eq!(graph.get_json("me/mailboxSettings")["timeZone"], "Pacific Standard Time");
    let names = |path: &str| graph.get_json(path)["value"].to_string();
    assert!(names("me/outlook/supportedTimeZones").contains("\"Pacific Standard Time\""));
    let iana = names("me/outlook/supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')");
    assert!(iana.contains("\"Europe/Vienna\"") && !iana.contains("Standard Time"));
    assert_eq!(code(&graph.get("me/outlook/masterCategories")), "ResourceNotFound");
}
