//! The calendar room against the stand-in of Google: series and their exceptions, creates and their ids, meetings, what cannot be read.

mod calendar_desk;

use calendar_desk::{Desk, KIND, at, lunch, mark, uid, weekly};
use serde_json::{Value, json};
use twofold_model::event::key;
use twofold_model::{
    Access, CollectionId, Connector, Content, Entry, ErrorKind, Found, Operation, Place, RemoteId, Removal, Since,
};
use twofold_sandbox::{Fault, Provider, Rule, Switches};

async fn desk() -> Desk {
    Desk::new(Switches::default(), false).await
}

fn overrides(content: &Content) -> Vec<&String> {
    let mut keys: Vec<&String> = content
        .get("recurrenceOverrides")
        .and_then(Value::as_object)
        .map(|map| map.keys().collect())
        .unwrap_or_default();
    keys.sort();
    keys
}

// ---- series -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_series_is_one_item_and_a_delta_tells_all_of_it() {
    let desk = desk().await;
    let id = desk.series();
    desk.edit(&format!("{id}_20260310T080000Z"), |event| event["summary"] = json!("Late"));
    let (seen, _, token) = desk.round(Since::Start).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(overrides(&desk.read(&seen[0].rendering)), ["2026-03-10T09:00:00"]);
    desk.sandbox.google_delete_event(&desk.calendar, &format!("{id}_20260317T080000Z")).unwrap();
    let (told, gone, token) = desk.round(token).await;
    assert_eq!((told.len(), gone.len()), (1, 0));
    assert_eq!(told[0].remote_id, desk.id(&id));
    let says = desk.read(&told[0].rendering);
    assert_eq!(overrides(&says), ["2026-03-10T09:00:00", "2026-03-17T09:00:00"]);
    let (listed, _, _) = desk.round(Since::Start).await;
    assert_eq!((desk.read(&listed[0].rendering), &listed[0].etag), (says, &told[0].etag));
    // Deleted as a whole: its exceptions are told as well, and it is one that is gone.
    desk.sandbox.google_delete_event(&desk.calendar, &id).unwrap();
    let (told, gone, _) = desk.round(token).await;
    assert_eq!((told.len(), gone), (0, vec![desk.id(&id)]));
    assert!(desk.round(Since::Start).await.0.is_empty());
    assert_eq!(desk.fetch(&id).await, None);
}

#[tokio::test]
async fn a_page_for_people_says_nothing_of_a_series() {
    for fault in [Fault::Html { executed: false }, Fault::Truncate, Fault::ContentType { value: "text/plain".into() }] {
        let desk = desk().await;
        let id = desk.series();
        let (_, _, token) = desk.round(Since::Start).await;
        desk.sandbox.google_delete_event(&desk.calendar, &format!("{id}_20260317T080000Z")).unwrap();
        // The delta names the occurrence only; what the rest of the series says is asked for.
        let rule = Rule { write: Some(false), ..Rule::any(fault).on(Provider::Google) };
        desk.sandbox.fault(rule.skip(1));
        assert!(desk.page(&desk.calendar, token.clone()).await.unwrap_err().kind.is_temporary());
        desk.sandbox.with(|state| state.faults.clear());
        assert_eq!(desk.round(token).await.0.len(), 1);
    }
}

#[tokio::test]
async fn a_series_on_many_pages_leaves_the_room_in_one_piece() {
    let desk = Desk::new(Switches { page_size_cap: 2, empty_pages: true, ..Switches::default() }, false).await;
    let id = desk.series();
    for day in ["20260310", "20260317", "20260324", "20260331"] {
        desk.edit(&format!("{id}_{day}T0{}0000Z", if day == "20260331" { 7 } else { 8 }), |event| {
            event["summary"] = json!(day)
        });
    }
    let (seen, _, _) = desk.round(Since::Start).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(overrides(&desk.read(&seen[0].rendering)).len(), 4);
}

#[tokio::test]
async fn occurrences_of_a_series_that_is_not_seen_are_an_item_of_their_own() {
    let desk = desk().await;
    let invited = json!({"summary": "Guest", "recurringEventId": "theirs00", "originalStartTime": at("2026-03-10", "09:00"),
                         "start": at("2026-03-10", "10:00"), "end": at("2026-03-10", "11:00"), "iCalUID": "theirs@x"});
    let occurrence = desk.sandbox.google_invite(&desk.calendar, "boss@x.example", &invited).unwrap();
    let (seen, _, token) = desk.round(Since::Start).await;
    assert_eq!((seen.len(), &seen[0].remote_id), (1, &desk.id("theirs00")));
    let says = desk.read(&seen[0].rendering);
    assert_eq!(overrides(&says), ["2026-03-10T09:00:00"]);
    assert_eq!(says.get("start"), None);
    let fetched = desk.fetch("theirs00").await.unwrap();
    assert_eq!((desk.read(&fetched.rendering), &fetched.etag), (says.clone(), &seen[0].etag));
    // What is the guest's own is written; nobody hears of it.
    let mut own = says.clone();
    own.0["recurrenceOverrides"]["2026-03-10T09:00:00"]["color"] = json!("plum");
    let written = desk.write(desk.update(&seen[0], &own)).await.unwrap().unwrap();
    assert_eq!(desk.read(&written.rendering), own);
    assert!(desk.sandbox.google_mails().is_empty());
    desk.sandbox.google_delete_event(&desk.calendar, &occurrence).unwrap();
    let (_, gone, _) = desk.round(token).await;
    assert_eq!(gone, [desk.id("theirs00")]);
    assert_eq!(desk.fetch("theirs00").await, None);
    // From elsewhere it is made as an event, which is still read as an occurrence; several have no such place.
    let made = desk.write(desk.create("lone", &says)).await.unwrap().unwrap();
    assert_eq!(desk.read(&made.rendering), says);
    let (seen, _, _) = desk.round(Since::Start).await;
    assert_eq!((seen.len(), desk.read(&seen[0].rendering)), (1, says.clone()));
    assert!(desk.sandbox.google_mails().is_empty());
    let mut several = says;
    several.0["recurrenceOverrides"]["2026-03-17T09:00:00"] =
        several.0["recurrenceOverrides"]["2026-03-10T09:00:00"].clone();
    assert_eq!(desk.write(desk.create("several", &several)).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_change_of_the_series_reaches_its_exceptions_whatever_google_does_with_them() {
    for (follows, drops) in [(true, false), (false, false), (true, true), (false, true)] {
        let switches = Switches {
            calendar_exceptions_follow_series: follows,
            calendar_rule_change_drops_exceptions: drops,
            ..Switches::default()
        };
        let desk = Desk::new(switches, false).await;
        let made = desk.write(desk.create("weekly", &weekly())).await.unwrap().unwrap();
        assert_eq!(desk.read(&made.rendering), weekly());
        let mut wanted = weekly();
        wanted.set("description", json!("With tea"));
        let after = desk.write(desk.update(&made, &wanted)).await.unwrap().unwrap();
        assert_eq!(desk.read(&after.rendering), wanted, "follows {follows}");
        wanted.set("recurrenceRules", json!([{"frequency": "weekly", "count": 5}]));
        let after = desk.write(desk.update(&after, &wanted)).await.unwrap().unwrap();
        assert_eq!(desk.read(&after.rendering), wanted, "a new rule, drops {drops}");
        wanted.set("start", json!("2026-03-03T12:30:00"));
        wanted.set(
            "recurrenceOverrides",
            json!({"2026-03-10T12:30:00": {"title": "Later"}, "2026-03-17T12:30:00": {"excluded": true}}),
        );
        let after = desk.write(desk.update(&after, &wanted)).await.unwrap().unwrap();
        assert_eq!(desk.read(&after.rendering), wanted, "a new start, drops {drops}");
        let there = desk.fetch(after.remote_id.as_str().rsplit_once('/').unwrap().1).await.unwrap();
        assert_eq!(desk.read(&there.rendering), wanted);
        assert!(desk.sandbox.google_mails().is_empty());
    }
}

#[tokio::test]
async fn an_exception_that_somebody_changed_meanwhile_is_not_overwritten() {
    let desk = desk().await;
    let id = desk.series();
    let late = format!("{id}_20260310T080000Z");
    desk.edit(&late, |event| event["summary"] = json!("Late"));
    let seen = desk.fetch(&id).await.unwrap();
    let says = desk.read(&seen.rendering);
    desk.edit(&late, |event| event["summary"] = json!("Theirs"));
    let mut ours = says.clone();
    ours.0["recurrenceOverrides"]["2026-03-10T09:00:00"]["title"] = json!("Ours");
    assert_eq!(desk.write(desk.update(&seen, &ours)).await.unwrap_err().kind, ErrorKind::StaleEtag);
    ours.set("title", json!("Standing"));
    assert_eq!(desk.write(desk.update(&seen, &ours)).await.unwrap_err().kind, ErrorKind::StaleEtag);
    assert_eq!(desk.sandbox.google_event(&desk.calendar, &late).unwrap()["summary"], "Theirs");
    // Nor is the series removed that it belongs to.
    let seen = desk.fetch(&id).await.unwrap();
    desk.edit(&late, |event| event["summary"] = json!("Theirs again"));
    let delete = Operation::Delete { place: desk.place(&id), etag: seen.etag };
    assert_eq!(desk.write(delete).await.unwrap_err().kind, ErrorKind::StaleEtag);
    let delete = Operation::Delete { place: desk.place(&id), etag: desk.fetch(&id).await.unwrap().etag };
    assert_eq!(desk.write(delete).await.unwrap(), None);
    assert_eq!(desk.fetch(&id).await, None);
}

#[tokio::test]
async fn an_occurrence_of_which_somebody_made_an_exception_meanwhile_is_neither_overwritten_nor_taken_out() {
    for is_taken_out in [false, true] {
        for patch in [json!({"title": "Ours"}), json!({"excluded": true})] {
            let what = format!("{patch}, taken out: {is_taken_out}");
            let desk = desk().await;
            let id = desk.series();
            let late = format!("{id}_20260310T080000Z");
            let seen = desk.fetch(&id).await.unwrap();
            match is_taken_out {
                true => desk.sandbox.google_delete_event(&desk.calendar, &late).unwrap(),
                false => desk.edit(&late, |event| event["summary"] = json!("Theirs")),
            }
            let theirs = desk.sandbox.google_event(&desk.calendar, &late);
            let mut ours = desk.read(&seen.rendering);
            ours.set("recurrenceOverrides", json!({"2026-03-10T09:00:00": patch}));
            assert_eq!(desk.write(desk.update(&seen, &ours)).await.unwrap_err().kind, ErrorKind::StaleEtag, "{what}");
            assert_eq!(desk.sandbox.google_event(&desk.calendar, &late), theirs, "{what}");
            // Where it was looked at again, it is changed.
            let seen = desk.fetch(&id).await.unwrap();
            let after = desk.write(desk.update(&seen, &ours)).await.unwrap().unwrap();
            assert_eq!(desk.read(&after.rendering), ours, "{what}");
        }
    }
}

#[tokio::test]
async fn a_series_of_days_has_exceptions_on_days() {
    let desk = desk().await;
    let mut days = Content::from_value(json!({
        "title": "Bins", "start": "2026-03-03T00:00:00", "showWithoutTime": true, "duration": "P1D",
        "recurrenceRules": [{"frequency": "weekly"}],
        "recurrenceOverrides": {"2026-03-10T00:00:00": {"title": "Paper"}, "2026-03-17T00:00:00": {"start": "2026-03-18T00:00:00"}},
    }));
    let made = desk.write(desk.create("bins", &days)).await.unwrap().unwrap();
    assert_eq!(desk.read(&made.rendering), days);
    // One of them gets a time, one comes back, one goes.
    days.set("recurrenceOverrides", json!({
        "2026-03-10T00:00:00": {"showWithoutTime": false, "start": "2026-03-10T07:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"},
        "2026-03-24T00:00:00": {"excluded": true},
    }));
    let after = desk.write(desk.update(&made, &days)).await.unwrap().unwrap();
    assert_eq!(desk.read(&after.rendering), days);
    let id = after.remote_id.as_str().rsplit_once('/').unwrap().1;
    assert_eq!(desk.read(&desk.fetch(id).await.unwrap().rendering), days);
}

#[tokio::test]
async fn this_and_following_makes_two_items() {
    let desk = desk().await;
    let id = desk.series();
    desk.edit(&format!("{id}_20260407T070000Z"), |event| event["summary"] = json!("Beyond the cut"));
    let second = desk.sandbox.google_split_series(&desk.calendar, &format!("{id}_20260324T080000Z")).unwrap();
    let (seen, _, _) = desk.round(Since::Start).await;
    let mut ids: Vec<&RemoteId> = seen.iter().map(|seen| &seen.remote_id).collect();
    ids.sort();
    let mut expected = [desk.id(&id), desk.id(&second)];
    expected.sort();
    assert_eq!(ids, expected.iter().collect::<Vec<_>>());
    let first = seen.iter().find(|seen| seen.remote_id == desk.id(&id)).unwrap();
    assert!(
        !overrides(&desk.read(&first.rendering)).contains(&&"2026-04-07T09:00:00".to_owned()),
        "what is not shown is not read"
    );
}

// ---- creates ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn an_id_that_is_taken_by_a_deleted_event_gives_way_to_the_next() {
    let desk = desk().await;
    let mut names: Vec<RemoteId> = Vec::new();
    for _ in 0..3 {
        let made = desk.write(desk.create("lunch", &lunch())).await.unwrap().unwrap();
        assert!(!names.contains(&made.remote_id));
        match desk.find("lunch").await {
            Found::Here(found) => assert_eq!(found.remote_id, made.remote_id),
            other => panic!("{other:?}"),
        }
        let event = made.remote_id.as_str().rsplit_once('/').unwrap().1;
        desk.sandbox.google_delete_event(&desk.calendar, event).unwrap();
        assert!(matches!(desk.find("lunch").await, Found::Nowhere));
        names.push(made.remote_id);
    }
}

#[tokio::test]
async fn a_create_that_is_there_already_is_not_made_twice() {
    let desk = desk().await;
    let made = desk.write(desk.create("lunch", &lunch())).await.unwrap().unwrap();
    let again = desk.write(desk.create("lunch", &lunch())).await.unwrap().unwrap();
    assert_eq!((&again.remote_id, &again.etag), (&made.remote_id, &made.etag));
    let mut other = lunch();
    other.set("title", json!("Dinner"));
    assert_eq!(desk.write(desk.create("lunch", &other)).await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(desk.round(Since::Start).await.0.len(), 1);
}

#[tokio::test]
async fn a_series_that_was_made_in_part_is_unknown_and_found() {
    for lost in 0..2 {
        let desk = desk().await;
        desk.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Google).writes().skip(1 + lost).times(1));
        assert_eq!(desk.write(desk.create("weekly", &weekly())).await.unwrap_err().kind, ErrorKind::Unknown);
        let Found::Here(found) = desk.find("weekly").await else { panic!("the master is there") };
        let says = desk.read(&found.rendering);
        assert_eq!(overrides(&says).len(), 1 + lost as usize, "{says:?}");
        // What it lacks is an ordinary change.
        let whole = desk.write(desk.update(&found, &weekly())).await.unwrap().unwrap();
        assert_eq!(desk.read(&whole.rendering), weekly());
    }
}

#[tokio::test]
async fn a_copy_of_a_meeting_is_imported_and_invites_nobody() {
    let desk = desk().await;
    let mut meeting = lunch();
    meeting.set("participants", json!({
        key("boss@x.example"): {"email": "boss@x.example", "roles": {"owner": true}},
        key("ada@x.example"): {"email": "ada@x.example", "roles": {"attendee": true}, "participationStatus": "accepted"},
    }));
    desk.fault_next_write(Fault::DropAfter);
    assert_eq!(desk.write(desk.create("meeting", &meeting)).await.unwrap_err().kind, ErrorKind::Unknown);
    let Found::Here(found) = desk.find("meeting").await else { panic!("it is there") };
    assert_eq!((found.uid.clone(), found.mark.clone()), (Some(uid("meeting")), Some(mark("meeting"))));
    assert_eq!(desk.read(&found.rendering), meeting);
    let event = found.remote_id.as_str().rsplit_once('/').unwrap().1;
    let there = desk.sandbox.google_event(&desk.calendar, event).unwrap();
    assert_eq!((&there["iCalUID"], there.get("attendees")), (&json!("meeting@example.org"), None));
    // Imported once more it is the same copy, and it can be changed.
    let again = desk.write(desk.create("meeting", &meeting)).await.unwrap().unwrap();
    assert_eq!(again.remote_id, found.remote_id);
    meeting.set("title", json!("Supper"));
    let changed = desk.write(desk.update(&again, &meeting)).await.unwrap().unwrap();
    assert_eq!(desk.read(&changed.rendering), meeting);
    assert!(desk.sandbox.google_mails().is_empty());
}

// ---- meetings ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn nobody_is_mailed_whatever_is_written() {
    let desk = desk().await;
    let event = json!({"summary": "Mine", "start": at("2026-03-03", "09:00"), "end": at("2026-03-03", "09:15"),
                       "attendees": [{"email": "ada@x.example"}, {"email": "bob@x.example"}]});
    let own = desk.sandbox.google_add_event(&desk.calendar, &event).unwrap();
    let theirs = json!({"summary": "Theirs", "start": at("2026-03-04", "09:00"), "end": at("2026-03-04", "09:15")});
    let theirs = desk.sandbox.google_invite(&desk.calendar, "boss@x.example", &theirs).unwrap();
    desk.sandbox.google_forget_mails();
    let seen = desk.fetch(&own).await.unwrap();
    let mut wanted = desk.read(&seen.rendering);
    wanted.set("title", json!("Moved"));
    wanted.set("start", json!("2026-03-03T10:00:00"));
    wanted.0["participants"].as_object_mut().unwrap().shift_remove(&key("bob@x.example"));
    let written = desk.write(desk.update(&seen, &wanted)).await.unwrap().unwrap();
    assert_eq!(desk.read(&written.rendering), wanted);
    let invited = desk.fetch(&theirs).await.unwrap();
    let mut private = desk.read(&invited.rendering);
    private.set("color", json!("plum"));
    private.set("keywords", json!({"work": true}));
    let written = desk.write(desk.update(&invited, &private)).await.unwrap().unwrap();
    assert_eq!(desk.read(&written.rendering), private);
    for event in [&own, &theirs] {
        let etag = desk.fetch(event).await.unwrap().etag;
        desk.write(Operation::Delete { place: desk.place(event), etag }).await.unwrap();
    }
    assert_eq!(desk.sandbox.google_mails(), vec![]);
}

// ---- what cannot be read or written -----------------------------------------------------------------------------------

#[tokio::test]
async fn a_calendar_that_cannot_be_read_says_nothing_about_its_events() {
    let desk = desk().await;
    let other = desk.sandbox.google_add_calendar("Club").unwrap();
    let day = json!({"summary": "x", "start": {"date": "2026-03-03"}, "end": {"date": "2026-03-04"}});
    let event = desk.sandbox.google_add_event(&other, &day).unwrap();
    desk.sandbox.google_add_event(&desk.calendar, &day).unwrap();
    let place = Place { remote_id: RemoteId(format!("{other}/{event}")), collection: CollectionId(other.clone()) };
    assert!(desk.google.fetch(KIND, std::slice::from_ref(&place)).await.remove(0).unwrap().is_some());
    desk.sandbox.with(|state| state.switches.calendar_denied_calendars = vec!["Club".into()]);
    for _ in 0..2 {
        let error = desk.google.fetch(KIND, std::slice::from_ref(&place)).await.remove(0).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Forbidden, "neither there nor gone");
        assert!(desk.page(&other, Since::Start).await.is_err());
        assert_eq!(desk.round(Since::Start).await.0.len(), 1, "the others are read on");
        desk.sandbox.with(|state| state.switches.calendar_denied_calendars.clear());
        // A calendar that is not there is no proof either.
        desk.sandbox.google_delete_calendar(&other).ok();
    }
}

#[tokio::test]
async fn an_answer_about_a_series_that_cannot_be_understood_is_asked_for_again() {
    let desk = desk().await;
    let id = desk.series();
    let (_, _, mut token) = desk.round(Since::Start).await;
    // The series itself, and then its exceptions.
    for (day, answers_before) in [("20260310", 0), ("20260317", 1)] {
        desk.edit(&format!("{id}_{day}T080000Z"), |event| event["summary"] = json!(day));
        let told = desk.page(&desk.calendar, token.clone()).await.unwrap();
        assert_eq!(told.entries.len(), 1, "a delta with one series, that asks for it");
        let html = Rule::any(Fault::Html { executed: false }).on(Provider::Google).skip(1 + answers_before).times(1);
        desk.sandbox.fault(html);
        let error = desk.page(&desk.calendar, token.clone()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Malformed, "the token stays where it is");
        let (seen, _, next) = desk.round(token).await;
        assert!(overrides(&desk.read(&seen[0].rendering)).iter().any(|date| date.replace('-', "").starts_with(day)));
        token = next;
    }
}

#[tokio::test]
async fn a_limit_on_writing_lets_reading_go_on() {
    let desk = desk().await;
    let limit = json!({"error": {"errors": [{"domain": "usageLimits", "reason": "quotaExceeded", "message": "Calendar usage limits exceeded."}],
                                 "code": 403, "message": "Calendar usage limits exceeded."}});
    let fault = Fault::Status { status: 403, retry_after: None, executed: false, body: Some(limit) };
    desk.fault_next_write(fault);
    let operations = [desk.create("a", &lunch()), desk.create("b", &lunch())];
    for answer in desk.google.write(KIND, &operations).await {
        assert!(matches!(answer.unwrap_err().kind, ErrorKind::Throttled { retry_after_s: Some(3600..) }));
    }
    assert!(desk.round(Since::Start).await.0.is_empty(), "nothing was made, and the list is read");
    let later = desk.write(desk.create("a", &lunch())).await.unwrap_err();
    assert!(matches!(later.kind, ErrorKind::Throttled { .. }), "not asked again: {later}");
    assert!(desk.round(Since::Start).await.0.is_empty());
}

#[tokio::test]
async fn rights_names_and_colours_of_calendars_are_told() {
    let desk = desk().await;
    let club = desk.sandbox.google_add_calendar("Club").unwrap();
    let find = |all: Vec<twofold_model::Collection>| all.into_iter().find(|one| one.id.as_str() == club);
    let all = desk.google.collections(KIND).await.unwrap();
    let primary = all.iter().find(|one| one.is_default).unwrap();
    assert_eq!((primary.id.as_str(), primary.access), (desk.calendar.as_str(), Access::ReadWrite));
    assert_eq!(find(all.clone()).unwrap().name, "Club");
    desk.google.rename_collection(KIND, &CollectionId(club.clone()), Some("Choir"), Some("#16a765")).await.unwrap();
    let renamed = find(desk.google.collections(KIND).await.unwrap()).unwrap();
    assert_eq!((renamed.name.as_str(), renamed.color.as_deref()), ("Choir", Some("#16a765")));
    desk.sandbox.google_edit_calendar_entry(&club, &json!({"hidden": true})).unwrap();
    assert!(find(desk.google.collections(KIND).await.unwrap()).is_some(), "hidden on a screen is not gone");
    desk.sandbox.google_set_calendar_role(&club, "reader").unwrap();
    assert_eq!(find(desk.google.collections(KIND).await.unwrap()).unwrap().access, Access::ReadOnly);
    desk.google.rename_collection(KIND, &CollectionId(club.clone()), Some("Their choir"), None).await.unwrap();
    assert_eq!(
        find(desk.google.collections(KIND).await.unwrap()).unwrap().name,
        "Their choir",
        "the user's own name for it"
    );
    desk.sandbox.google_set_calendar_role(&club, "freeBusyReader").unwrap();
    assert!(find(desk.google.collections(KIND).await.unwrap()).is_none(), "nothing but busy times");
}

#[tokio::test]
async fn an_event_that_moves_to_another_calendar_is_gone_here_and_seen_there() {
    let desk = desk().await;
    let other = desk.sandbox.google_add_calendar("Club").unwrap();
    let day = json!({"summary": "x", "start": {"date": "2026-03-03"}, "end": {"date": "2026-03-04"}});
    let event = desk.sandbox.google_add_event(&desk.calendar, &day).unwrap();
    let (_, _, token) = desk.round(Since::Start).await;
    desk.sandbox.google_move_event(&desk.calendar, &event, &other).unwrap();
    let (seen, gone, _) = desk.round(token).await;
    assert_eq!((seen.len(), gone), (0, vec![desk.id(&event)]));
    assert_eq!(desk.fetch(&event).await, None);
    let page = desk.page(&other, Since::Start).await.unwrap();
    assert!(matches!(&page.entries[..], [Entry::Seen(seen)] if seen.remote_id.as_str() == format!("{other}/{event}")));
}

#[tokio::test]
async fn what_another_program_drops_comes_back_with_the_next_change() {
    let desk = Desk::new(Switches { calendar_edit_drops_private: true, ..Switches::default() }, false).await;
    let mut carried = lunch();
    carried.set("priority", json!(1));
    let made = desk.write(desk.create("lunch", &carried)).await.unwrap().unwrap();
    let event = made.remote_id.as_str().rsplit_once('/').unwrap().1.to_owned();
    desk.edit(&event, |event| event["description"] = json!("Theirs"));
    let mut now = desk.fetch(&event).await.unwrap();
    now.rendering = desk.google.lens(KIND).settle_unknown(&made.rendering, now.rendering);
    carried.set("description", json!("Theirs"));
    assert_eq!(desk.read(&now.rendering), carried, "nobody took the priority away");
    carried.set("priority", json!(2));
    desk.write(desk.update(&now, &carried)).await.unwrap();
    let there = desk.fetch(&event).await.unwrap();
    assert_eq!((desk.read(&there.rendering), there.mark), (carried, Some(mark("lunch"))));
}

// ---- calendars as collections -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_calendar_is_made_with_the_colour_that_google_chose_and_takes_another_one() {
    let desk = desk().await;
    let like = twofold_model::Collection {
        id: CollectionId::from(""),
        kind: KIND,
        name: "Club".into(),
        color: Some("#ff0000".into()),
        is_default: false,
        role: None,
        access: Access::ReadWrite,
    };
    let made = desk.google.create_collection(KIND, &like).await.unwrap();
    let listed = |all: Vec<twofold_model::Collection>| all.into_iter().find(|one| one.id == made.id).unwrap();
    assert_eq!(listed(desk.google.collections(KIND).await.unwrap()), made, "what it is, not what was wished");
    let red = desk.google.rename_collection(KIND, &made.id, None, Some("#FF0000FF")).await.unwrap();
    assert_eq!((red.name.as_str(), red.color.as_deref()), ("Club", Some("#ff0000")));
    assert_eq!(listed(desk.google.collections(KIND).await.unwrap()), red);
    // The ids of the palette are read as the colours that they are.
    desk.sandbox.google_edit_calendar_entry(made.id.as_str(), &json!({"colorId": "16"})).unwrap();
    let color = listed(desk.google.collections(KIND).await.unwrap()).color.unwrap();
    assert_eq!(twofold_model::plain_color(&color), Some(color));
}

#[tokio::test]
async fn a_name_whose_reply_got_lost_is_set_once_more_and_is_the_same() {
    let desk = desk().await;
    let club = CollectionId(desk.sandbox.google_add_calendar("Club").unwrap());
    desk.fault_next_write(Fault::DropAfter);
    let lost = desk.google.rename_collection(KIND, &club, Some("Choir"), Some("#16a765")).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unknown);
    let again = desk.google.rename_collection(KIND, &club, Some("Choir"), Some("#16a765")).await.unwrap();
    assert_eq!((again.name.as_str(), again.color.as_deref()), ("Choir", Some("#16a765")));
}

#[tokio::test]
async fn the_users_own_calendar_goes_only_when_it_is_empty() {
    let desk = Desk::new(Switches { page_size_cap: 1, empty_pages: true, ..Switches::default() }, false).await;
    let club = CollectionId(desk.sandbox.google_add_calendar("Club").unwrap());
    assert_eq!(desk.google.removal(KIND, &club).await.unwrap(), Removal::Whole);
    let day = json!({"summary": "x", "start": {"date": "2026-03-03"}, "end": {"date": "2026-03-04"}});
    let event = desk.sandbox.google_add_event(club.as_str(), &day).unwrap();
    assert!(!desk.google.remove_collection(KIND, &club).await.unwrap(), "an event is in it");
    desk.sandbox.google_delete_event(club.as_str(), &event).unwrap();
    desk.fault_next_write(Fault::DropAfter);
    assert_eq!(desk.google.remove_collection(KIND, &club).await.unwrap_err().kind, ErrorKind::Unknown);
    assert!(desk.google.remove_collection(KIND, &club).await.unwrap(), "it is gone already");
    assert!(desk.google.collections(KIND).await.unwrap().iter().all(|one| one.id != club));
    assert_eq!(desk.google.removal(KIND, &club).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn the_primary_calendar_stays_and_somebody_elses_only_leaves_the_list() {
    let desk = desk().await;
    let primary = CollectionId(desk.calendar.clone());
    assert_eq!(desk.google.removal(KIND, &primary).await.unwrap(), Removal::Never);
    assert!(!desk.google.remove_collection(KIND, &primary).await.unwrap());
    let theirs = CollectionId(desk.sandbox.google_add_calendar("Theirs").unwrap());
    let day = json!({"summary": "x", "start": {"date": "2026-03-03"}, "end": {"date": "2026-03-04"}});
    desk.sandbox.google_add_event(theirs.as_str(), &day).unwrap();
    for role in ["writer", "reader"] {
        desk.sandbox.google_set_calendar_role(theirs.as_str(), role).unwrap();
        assert_eq!(desk.google.removal(KIND, &theirs).await.unwrap(), Removal::OffList, "{role}");
    }
    assert!(desk.google.remove_collection(KIND, &theirs).await.unwrap());
    let all = desk.google.collections(KIND).await.unwrap();
    assert_eq!(all.iter().map(|one| &one.id).collect::<Vec<_>>(), [&primary]);
    let page = desk.page(theirs.as_str(), Since::Start).await.unwrap();
    assert_eq!(page.entries.len(), 1, "what is in it stays");
}
