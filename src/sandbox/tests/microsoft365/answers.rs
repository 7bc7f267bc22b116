//! Meetings: who is mailed when, and what guests answer.

use serde_json::{Value, json};
use twofold_sandbox::microsoft365::calendar::Why;

use crate::{Graph, refused, text, timed, with};

const BERLIN: &str = "W. Europe Standard Time";

fn people(names: &[&str]) -> Value {
    let one = |name: &&str| json!({ "emailAddress": { "name": name, "address": format!("{name}@example.org") }, "type": "Required" });
    names.iter().map(one).collect()
}

fn meeting() -> Value {
    with(
        timed("Meeting", BERLIN, "2026-03-02T10:00:00", "2026-03-02T11:00:00"),
        json!({ "attendees": people(&["ada", "bob"]) }),
    )
}

/// Who was mailed since the last look, and why.
fn mails(graph: &Graph) -> Vec<(Why, String)> {
    let mails = graph.sandbox.graph_mails();
    graph.sandbox.graph_forget_mails();
    let short = |to: &String| to.trim_end_matches("@example.org").to_owned();
    mails.into_iter().map(|mail| (mail.why, mail.to.iter().map(short).collect::<Vec<_>>().join(" "))).collect()
}

fn invited(graph: &Graph) -> String {
    let event = with(
        meeting(),
        json!({
            "organizer": { "emailAddress": { "name": "Zoë", "address": "zoe@example.org" } },
            "isOrganizer": false,
            "responseStatus": { "response": "notResponded", "time": "0001-01-01T00:00:00Z" },
        }),
    );
    graph.sandbox.graph_event_create("", &event).expect("makes")
}

#[test]
fn what_the_organizer_writes_mails_the_guests() {
    let graph = Graph::empty();
    let made = graph.event(&meeting());
    assert_eq!(made["attendees"][0]["status"], json!({ "response": "none", "time": "0001-01-01T00:00:00Z" }));
    assert_eq!(made["attendees"][0]["type"], "required");
    assert_eq!(mails(&graph), [(Why::Invitation, "ada bob".into())]);
    let path = format!("me/events/{}", text(&made["id"]));
    for (what, body, expected) in [
        (
            "the time",
            json!({ "end": { "dateTime": "2026-03-02T12:00:00", "timeZone": BERLIN } }),
            vec![(Why::Update, "ada bob")],
        ),
        ("the place", json!({ "location": { "displayName": "Here" } }), vec![(Why::Update, "ada bob")]),
        ("the words", json!({ "subject": "Other" }), vec![(Why::Update, "ada bob")]),
        ("nothing", json!({ "subject": "Other" }), vec![]),
        (
            "private things",
            json!({ "categories": ["x"], "isReminderOn": false, "showAs": "free", "sensitivity": "private" }),
            vec![],
        ),
        (
            "the guests",
            json!({ "attendees": people(&["bob", "eve"]) }),
            vec![(Why::Invitation, "eve"), (Why::Cancellation, "ada")],
        ),
        ("no answers wanted", json!({ "responseRequested": false }), vec![(Why::Update, "bob eve")]),
    ] {
        assert_eq!(graph.patch(&path, &body).status, 200, "{what}");
        let expected: Vec<(Why, String)> = expected.into_iter().map(|(why, to)| (why, to.into())).collect();
        assert_eq!(mails(&graph), expected, "{what}");
    }
    graph.sandbox.switch(|switches| {
        switches.graph_text_patch_mails = false;
        switches.graph_private_patch_mails = true;
    });
    graph.patch(&path, &json!({ "subject": "Third" }));
    assert_eq!(mails(&graph), []);
    graph.patch(&path, &json!({ "categories": [] }));
    assert_eq!(mails(&graph), [(Why::Update, "bob eve".into())]);
    assert_eq!(graph.delete(&path).status, 204);
    assert_eq!(mails(&graph), [(Why::Cancellation, "bob eve".into())]);
    // From Deleted Items it goes without a word, and an appointment without guests concerns nobody.
    graph.delete(&path);
    let alone = graph.event(&timed("Alone", BERLIN, "2026-03-02T10:00:00", "2026-03-02T11:00:00"));
    graph.delete(&format!("me/events/{}", text(&alone["id"])));
    assert_eq!(mails(&graph), []);
}

#[test]
fn each_exception_of_a_series_is_mailed_for_itself() {
    let graph = Graph::empty();
    let pattern = json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["monday"] });
    let range = json!({ "type": "noEnd", "startDate": "2026-03-02" });
    let made = graph.event(&with(meeting(), json!({ "recurrence": { "pattern": pattern, "range": range } })));
    let window = "startDateTime=2026-03-01T00:00:00&endDateTime=2026-04-01T00:00:00";
    let path = format!("me/events/{}", text(&made["id"]));
    let rows = graph.rows(&format!("{path}/instances?{window}"));
    let one = |at: usize| format!("me/events/{}", text(&rows[at]["id"]));
    mails(&graph);
    graph.patch(&one(1), &json!({ "subject": "Other" }));
    graph.delete(&one(2));
    assert_eq!(mails(&graph), [(Why::Update, "ada bob".into()), (Why::Cancellation, "ada bob".into())]);
    graph.patch(&path, &json!({ "location": { "displayName": "Here" } }));
    let sent = graph.sandbox.graph_mails();
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].occurrence.as_deref(), sent[1].occurrence.as_deref()), (None, Some("2026-03-09")));
    assert_eq!((sent[1].subject.as_str(), sent[1].event.as_str()), ("Other", text(&made["id"]).as_str()));
}

#[test]
fn a_guest_mails_the_organizer_by_answering_only() {
    let graph = Graph::empty();
    let path = format!("me/events/{}", invited(&graph));
    assert_eq!(graph.get_json(&path)["isOrganizer"], false);
    assert_eq!(
        graph
            .patch(
                &path,
                &json!({ "subject": "Mine", "start": { "dateTime": "2026-03-02T09:00:00", "timeZone": BERLIN } })
            )
            .status,
        200
    );
    assert_eq!(mails(&graph), [], "its own copy only");
    let accept = graph.post(&format!("{path}/accept"), &json!({ "comment": "Gladly", "sendResponse": false }));
    assert_eq!((accept.status, accept.body.len()), (202, 0));
    assert_eq!(mails(&graph), []);
    let now = graph.get_json(&path);
    assert_eq!((&now["responseStatus"]["response"], &now["showAs"]), (&json!("accepted"), &json!("busy")));
    let proposed = json!({
        "comment": "Can you make the next day instead?",
        "sendResponse": "true",
        "proposedNewTime": {
            "Start": { "DateTime": "2026-03-03T12:00:00", "TimeZone": BERLIN },
            "End": { "DateTime": "2026-03-03T14:00:00", "TimeZone": BERLIN },
        },
    });
    assert_eq!(graph.post(&format!("{path}/tentativelyAccept"), &proposed).status, 202);
    assert_eq!(mails(&graph), [(Why::Response, "zoe".into())]);
    graph.sandbox.switch(|switches| switches.graph_answer_sends_by_default = false);
    graph.post(&format!("{path}/accept"), &json!({}));
    assert_eq!(mails(&graph), []);
    refused(&graph.post(&format!("{path}/cancel"), &json!({})), 400, "ErrorInvalidRequest");
    refused(&graph.post(&format!("{path}/accept"), &json!({ "proposedNewTime": null })), 400, "RequestBodyRead");
    refused(&graph.get(&format!("{path}/accept")), 405, "ErrorInvalidRequest");
    refused(&graph.post(&format!("{path}/applaud"), &json!({})), 404, "ResourceNotFound");
    assert_eq!(graph.post(&format!("{path}/decline"), &json!({ "sendResponse": true })).status, 202);
    assert_eq!(mails(&graph), [(Why::Response, "zoe".into())]);
    assert_eq!(graph.rows("me/events"), Vec::<Value>::new(), "in Deleted Items");
}

#[test]
fn a_guest_who_deletes_a_meeting_notifies_the_organizer_or_does_not() {
    let graph = Graph::empty();
    graph.delete(&format!("me/events/{}", invited(&graph)));
    assert_eq!(mails(&graph), [(Why::Response, "zoe".into())]);
    graph.sandbox.switch(|switches| switches.graph_guest_delete_notifies = false);
    graph.delete(&format!("me/events/{}", invited(&graph)));
    assert_eq!(mails(&graph), []);
}

#[test]
fn a_meeting_is_called_off_forwarded_and_its_reminder_dismissed() {
    let graph = Graph::empty();
    let made = graph.event(&meeting());
    let path = format!("me/events/{}", text(&made["id"]));
    refused(&graph.post(&format!("{path}/accept"), &json!({})), 400, "ErrorInvalidRequest");
    mails(&graph);
    let forward = json!({ "ToRecipients": people(&["dan"]), "Comment": "Hope you can make it." });
    assert_eq!(graph.post(&format!("{path}/forward"), &forward).status, 202);
    assert_eq!(graph.post(&format!("{path}/dismissReminder"), &json!({})).status, 200);
    let snooze = json!({ "newReminderTime": { "dateTime": "2026-03-02T09:50:00", "timeZone": BERLIN } });
    assert_eq!(graph.post(&format!("{path}/snoozeReminder"), &snooze).status, 200);
    let now = graph.get_json(&path);
    assert_ne!(now["changeKey"], made["changeKey"], "though nothing that shows has changed");
    assert_eq!(now["lastModifiedDateTime"], made["lastModifiedDateTime"]);
    assert_eq!(graph.post(&format!("{path}/cancel"), &json!({ "Comment": "All hands" })).status, 202);
    assert_eq!(mails(&graph), [(Why::Forward, "dan".into()), (Why::Cancellation, "ada bob".into())]);
    assert_eq!(graph.rows("me/events"), Vec::<Value>::new());
}
