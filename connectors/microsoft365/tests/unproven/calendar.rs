//! Calendars.

use crate::calendar_events::{at, lunch, overrides, standup, weekly};
use crate::connected::graph;
use crate::desk::{Desk, mark};
use serde_json::{Value, json};
use twofold_microsoft365::Microsoft365;
use twofold_microsoft365::calendar::sheet::Sheet;
use twofold_model::{Connector, Content, ErrorKind, Found, Kind, Operation, RemoteId, Seen, Since};
use twofold_sandbox::{Fault, Provider, Rule, Switches};

fn desk(set: impl FnOnce(&mut Switches)) -> Desk<Microsoft365> {
    Desk::new(Kind::Calendar, set, graph)
}

/// Makes an event with the user's other client: the copy as a listing shows it.
async fn theirs(desk: &Desk<Microsoft365>, event: &Value) -> Seen {
    let id = RemoteId(desk.sandbox.graph_event_create("", event).unwrap());
    desk.round(Since::Start).await.unwrap().seen.remove(&id).unwrap()
}

fn held(desk: &Desk<Microsoft365>, seen: &Seen) -> Value {
    desk.sandbox.graph_event(seen.remote_id.as_str()).unwrap()
}

fn edit(desk: &Desk<Microsoft365>, seen: &Seen, field: &str, value: Value) {
    desk.sandbox.graph_event_edit(seen.remote_id.as_str(), |event| event[field] = value).unwrap();
}

fn edit_day(desk: &Desk<Microsoft365>, seen: &Seen, day: &str, title: &str) {
    let renames = |event: &mut Value| event["subject"] = json!(title);
    desk.sandbox.graph_occurrence_edit(seen.remote_id.as_str(), day, renames).unwrap();
}

fn take_out(desk: &Desk<Microsoft365>, seen: &Seen, day: &str) {
    desk.sandbox.graph_occurrence_delete(seen.remote_id.as_str(), day).unwrap();
}

fn once() -> Content {
    Content::from_value(
        json!({"title": "Lunch", "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}),
    )
}

/// A weekly series of ours with an exception and a day taken out, neither on the second Monday.
fn series() -> Content {
    Content::from_value(weekly(json!({"recurrenceOverrides": {
        "2026-03-16T09:00:00": {"title": "Other"}, "2026-03-30T09:00:00": {"excluded": true}}})))
}

fn title(text: &str) -> impl FnOnce(&mut Content) {
    move |event| event.set("title", json!(text))
}

// Writes

#[tokio::test]
async fn a_stale_event_is_refused_or_only_what_was_changed_is_sent() {
    for graph_events_ignore_if_match in [false, true] {
        let desk = desk(|switches| switches.graph_events_ignore_if_match = graph_events_ignore_if_match);
        let seen = desk.made("1", &once()).await;
        edit(&desk, &seen, "categories", json!(["Food"]));
        let answer = desk.write(desk.update(&seen, title("Dinner"))).await;
        let refusal = answer.as_ref().err().map(|error| error.kind);
        assert_eq!(refusal, (!graph_events_ignore_if_match).then_some(ErrorKind::StaleEtag), "{answer:?}");
        assert_eq!(held(&desk, &seen)["categories"], json!(["Food"]), "the other edit stands in both cases");
        // The refused one is merged and sent again with the present etag.
        let now = desk.fetch(&seen).await.unwrap();
        let both = desk.read(&desk.done(desk.update(&now, title("Dinner"))).await);
        assert_eq!((both.get("title"), both.get("keywords")), (Some(&json!("Dinner")), Some(&json!({"Food": true}))));
    }
}

#[tokio::test]
async fn a_create_that_is_sent_twice_makes_one_event() {
    for graph_repeated_transaction_conflicts in [true, false] {
        let desk =
            desk(|switches| switches.graph_repeated_transaction_conflicts = graph_repeated_transaction_conflicts);
        for (item, content) in [("1", once()), ("2", series())] {
            let creation = desk.creation(item, &content).await;
            desk.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().parts().times(1));
            assert_eq!(desk.write(creation.clone()).await.unwrap_err().kind, ErrorKind::Unknown);
            let again = desk.done(creation).await;
            assert_eq!((desk.read(&again), again.mark), (content, Some(mark(item))));
        }
        assert_eq!(desk.sandbox.graph_events().len(), 2);
    }
}

#[tokio::test]
async fn a_lost_event_is_looked_for_until_a_filter_must_show_it() {
    for graph_filter_lag_s in [0, 45] {
        let desk = desk(|switches| switches.graph_filter_lag_s = graph_filter_lag_s);
        desk.sandbox.fault(Rule::any(Fault::DropAfter).on(Provider::Microsoft).writes().parts().times(1));
        let sent_ms = desk.now_ms();
        assert_eq!(desk.create("1", &once()).await.unwrap_err().kind, ErrorKind::Unknown);
        let until = match desk.find("1", sent_ms).await {
            Found::Here(_) => sent_ms,
            Found::NotBefore(until) => until,
            Found::Nowhere => panic!("nothing is said before the lag is over"),
        };
        assert_eq!(until > sent_ms, graph_filter_lag_s > 0);
        desk.time.passes(u64::try_from(until - sent_ms).unwrap());
        assert!(matches!(desk.find("1", sent_ms).await, Found::Here(seen) if seen.mark == Some(mark("1"))));
    }
}

#[tokio::test]
async fn a_changed_rule_keeps_the_exceptions_that_fit_it() {
    for graph_series_change_drops_exceptions in [true, false] {
        let desk =
            desk(|switches| switches.graph_series_change_drops_exceptions = graph_series_change_drops_exceptions);
        let seen = desk.made("1", &series()).await;
        let mut wanted = series();
        wanted.set("recurrenceRules", json!([{"frequency": "weekly", "interval": 2}]));
        let written = desk.done(desk.update(&seen, |event| *event = wanted.clone())).await;
        assert_eq!(desk.read(&written), wanted, "drops: {graph_series_change_drops_exceptions}");
        assert_eq!(desk.read(&desk.fetch(&seen).await.unwrap()), wanted);
        assert_eq!(held(&desk, &seen)["cancelled"], json!(["2026-03-30"]));
    }
}

#[tokio::test]
async fn exceptions_say_what_was_meant_whether_they_follow_their_series_or_not() {
    for (graph_exceptions_follow_master, graph_omits_empty) in [(true, false), (true, true), (false, false)] {
        let desk = desk(|switches| {
            switches.graph_exceptions_follow_master = graph_exceptions_follow_master;
            switches.graph_omits_empty = graph_omits_empty;
        });
        let what = format!("follow {graph_exceptions_follow_master}, omits empty {graph_omits_empty}");
        let mut first = series();
        first.set("locations", json!({"location": {"name": "Bar"}}));
        first.set("keywords", json!({"Red": true}));
        let mut seen = desk.made("1", &first).await;
        // All that the series says changes, and the exception says what it said.
        let mut wanted = first.clone();
        wanted.set("title", json!("All"));
        wanted.set("description", json!("Bring a fork"));
        wanted.set("locations", json!({"location": {"name": "Hall"}, "location-2": {"name": "Yard"}}));
        wanted.set("keywords", Value::Null);
        wanted.set("priority", json!(1));
        wanted.set("duration", json!("PT45M"));
        let of_its_own = json!({"title": "Other", "description": false, "locations/location/name": "Bar",
            "locations/location-2": false, "keywords": {"Red": true}, "priority": false, "duration": "PT30M"});
        let out = json!({"excluded": true});
        wanted.set("recurrenceOverrides", json!({"2026-03-16T09:00:00": of_its_own, "2026-03-30T09:00:00": out}));
        let wanted = twofold_model::event::settled(&wanted).into_owned();
        seen = desk.done(desk.update(&seen, |event| *event = wanted.clone())).await;
        assert_eq!(desk.read(&seen), wanted, "{what}");
        assert_eq!(desk.read(&desk.fetch(&seen).await.unwrap()), wanted, "{what}");
        // And where it is meant to follow, it does.
        let mut both = desk.read(&seen);
        both.set("title", json!("Each"));
        both.set(
            "recurrenceOverrides",
            json!({"2026-03-16T09:00:00": {"start": "2026-03-16T11:00:00"}, "2026-03-30T09:00:00": out}),
        );
        seen = desk.done(desk.update(&seen, |event| *event = both.clone())).await;
        assert_eq!(desk.read(&seen), both, "{what}");
        // What is the user's own follows as little.
        let mut labelled = both.clone();
        labelled.set("keywords", json!({"Blue": true}));
        labelled.set(
            "recurrenceOverrides",
            json!({"2026-03-16T09:00:00": {"start": "2026-03-16T11:00:00", "keywords": false},
            "2026-03-30T09:00:00": out}),
        );
        seen = desk.done(desk.update(&seen, |event| *event = labelled.clone())).await;
        assert_eq!(desk.read(&seen), labelled, "{what}");
        assert_eq!(desk.read(&desk.fetch(&seen).await.unwrap()), labelled, "{what}");
        // Of a meeting too, without a mail.
        let mut meeting = standup();
        meeting["attendees"] = guest("ada");
        let seen = theirs(&desk, &meeting).await;
        edit_day(&desk, &seen, "2026-03-09", "Other");
        let seen = desk.fetch(&seen).await.unwrap();
        let label = |event: &mut Content| {
            event.set("keywords", json!({"Blue": true}));
            event.set("recurrenceOverrides", json!({"2026-03-09T09:00:00": {"title": "Other", "keywords": false}}));
        };
        assert_eq!(mails(&desk, desk.update(&seen, label)).await, (false, 0), "{what}");
        let says = overrides(&desk.read(&desk.fetch(&seen).await.unwrap()));
        assert_eq!(says, json!({"2026-03-09T09:00:00": {"title": "Other", "keywords": false}}), "{what}");
    }
}

#[tokio::test]
async fn a_rule_beyond_the_bounds_is_kept_or_that_event_is_refused_alone() {
    let of = |rule: Value| Content::from_value(weekly(json!({"recurrenceRules": [rule]})));
    for graph_bounds_recurrence in [true, false] {
        let desk = desk(|switches| switches.graph_bounds_recurrence = graph_bounds_recurrence);
        for (item, rule, is_beyond) in [
            ("1", json!({"frequency": "weekly", "interval": 100}), true),
            ("2", json!({"frequency": "weekly", "count": 1000}), true),
            ("3", json!({"frequency": "daily", "interval": 999}), false),
        ] {
            let answer = desk.create(item, &of(rule.clone())).await;
            match is_beyond && graph_bounds_recurrence {
                true => assert_eq!(answer.unwrap_err().kind, ErrorKind::Refused, "{rule}"),
                false => assert_eq!(desk.read(&answer.unwrap().unwrap()), of(rule)),
            }
        }
        let made = desk.sandbox.graph_events().len();
        assert_eq!(made, if graph_bounds_recurrence { 1 } else { 3 }, "nothing is half written");
    }
}

// What an event looks like

#[tokio::test]
async fn times_keep_their_zone_whichever_names_the_service_has_for_it() {
    for (graph_zones_become_windows, graph_prefers_iana_zones) in [(true, true), (true, false), (false, true)] {
        let desk = desk(|switches| {
            switches.graph_zones_become_windows = graph_zones_become_windows;
            switches.graph_prefers_iana_zones = graph_prefers_iana_zones;
        });
        // Both lie where one name of Windows' stands for many.
        for (item, zone) in [("1", "Europe/Vienna"), ("2", "America/Detroit")] {
            let mut content = series();
            content.set("timeZone", json!(zone));
            let seen = desk.made(item, &content).await;
            assert_eq!(desk.read(&seen), content, "{zone}");
            assert_eq!(desk.read(&desk.fetch(&seen).await.unwrap()), content, "{zone}");
        }
        // One of somebody else's, under an IANA name, across the change of the clocks.
        let stamp = |time: &str| json!({"dateTime": time, "timeZone": "Europe/Berlin"});
        let mut event = standup();
        (event["start"], event["end"]) = (stamp("2026-03-02T09:00:00"), stamp("2026-03-02T09:30:00"));
        let seen = theirs(&desk, &event).await;
        take_out(&desk, &seen, "2026-04-06");
        let says = desk.read(&desk.fetch(&seen).await.unwrap());
        assert_eq!(overrides(&says), json!({"2026-04-06T09:00:00": {"excluded": true}}));
        assert_eq!(
            (says.get("timeZone"), says.get("start")),
            (Some(&json!("Europe/Berlin")), Some(&json!("2026-03-02T09:00:00")))
        );
    }
}

#[tokio::test]
async fn a_day_of_a_series_of_whole_days_is_that_day_in_every_zone() {
    for graph_all_day_original_start_in_zone in [true, false] {
        for zone in ["New Zealand Standard Time", "W. Europe Standard Time", "Hawaiian Standard Time"] {
            let desk =
                desk(|switches| switches.graph_all_day_original_start_in_zone = graph_all_day_original_start_in_zone);
            let what = format!("{zone}, in zone {graph_all_day_original_start_in_zone}");
            let midnight = |day: &str| json!({"dateTime": format!("{day}T00:00:00"), "timeZone": zone});
            let mut fair = standup();
            (fair["start"], fair["end"], fair["isAllDay"]) =
                (midnight("2026-03-02"), midnight("2026-03-03"), json!(true));
            let seen = theirs(&desk, &fair).await;
            edit_day(&desk, &seen, "2026-03-09", "Big fair");
            take_out(&desk, &seen, "2026-03-16");
            let now = desk.fetch(&seen).await.unwrap();
            let mut wanted = json!({"2026-03-09T00:00:00": {"title": "Big fair"},
                "2026-03-16T00:00:00": {"excluded": true}});
            assert_eq!(overrides(&desk.read(&now)), wanted, "{what}");
            wanted["2026-03-23T00:00:00"] = json!({"excluded": true});
            wanted["2026-03-30T00:00:00"] = json!({"title": "Small fair"});
            let written = desk.done(desk.update(&now, |event| event.set("recurrenceOverrides", wanted.clone()))).await;
            assert_eq!(overrides(&desk.read(&written)), wanted, "{what}");
            assert_eq!(held(&desk, &seen)["cancelled"], json!(["2026-03-16", "2026-03-23"]), "{what}");
        }
    }
}

#[tokio::test]
async fn an_occurrence_is_found_whether_its_original_start_comes_unasked_or_not() {
    for graph_shows_original_start in [false, true] {
        let desk = desk(|switches| switches.graph_shows_original_start = graph_shows_original_start);
        let seen = theirs(&desk, &standup()).await;
        // Moved to another hour, so that its start no longer tells which one it is.
        let later = |event: &mut Value| {
            (event["start"], event["end"]) = (at("2026-03-09T15:00:00"), at("2026-03-09T15:30:00"));
        };
        desk.sandbox.graph_occurrence_edit(seen.remote_id.as_str(), "2026-03-09", later).unwrap();
        let now = desk.fetch(&seen).await.unwrap();
        let moved = json!({"start": "2026-03-09T15:00:00"});
        assert_eq!(overrides(&desk.read(&now)), json!({"2026-03-09T09:00:00": moved}));
        let both = json!({"2026-03-09T09:00:00": {"start": "2026-03-09T15:00:00", "title": "Late"},
            "2026-03-16T09:00:00": {"excluded": true}});
        let written = desk.done(desk.update(&now, |event| event.set("recurrenceOverrides", both.clone()))).await;
        assert_eq!(overrides(&desk.read(&written)), both);
        assert_eq!(held(&desk, &seen)["cancelled"], json!(["2026-03-16"]));
    }
}

#[tokio::test]
async fn exceptions_are_found_by_what_a_series_tells_or_by_its_bytes_and_else_nothing_is_concluded() {
    for graph_master_tells_exceptions in [true, false] {
        for graph_shows_recurrence_bytes in [true, false] {
            let desk = desk(|switches| {
                switches.graph_master_tells_exceptions = graph_master_tells_exceptions;
                switches.graph_shows_recurrence_bytes = graph_shows_recurrence_bytes;
            });
            let what = format!("tells {graph_master_tells_exceptions}, bytes {graph_shows_recurrence_bytes}");
            let seen = theirs(&desk, &standup()).await;
            edit_day(&desk, &seen, "2026-03-09", "Other");
            take_out(&desk, &seen, "2026-03-16");
            let now = desk.fetch(&seen).await.unwrap();
            let is_known = graph_master_tells_exceptions || graph_shows_recurrence_bytes;
            let says = overrides(&desk.read(&now));
            assert_eq!(says["2026-03-09T09:00:00"], json!({"title": "Other"}), "{what}");
            assert_eq!(says.get("2026-03-16T09:00:00").is_some(), is_known, "{what}");
            assert_eq!(Sheet::open(&now.rendering).unwrap().is_partial, !is_known, "{what}");
            // What was known of it stays where the service no longer tells it.
            let full = Sheet { cancelled: vec!["2026-03-16".into()], ..Sheet::open(&now.rendering).unwrap() };
            let last = Seen { rendering: Sheet { is_partial: false, ..full }.close(), ..now.clone() };
            assert_eq!(desk.read(&desk.settle(&last, now.clone())), desk.read(&last), "{what}");
        }
    }
}

#[tokio::test]
async fn exceptions_that_come_without_what_names_them_are_asked_for() {
    for graph_select_reaches_exceptions in [false, true] {
        let desk = desk(|switches| switches.graph_select_reaches_exceptions = graph_select_reaches_exceptions);
        let seen = desk.made("1", &series()).await;
        assert_eq!(desk.read(&seen), series());
        edit_day(&desk, &seen, "2026-03-23", "More");
        let says = overrides(&desk.read(&desk.fetch(&seen).await.unwrap()));
        assert_eq!((says.as_object().unwrap().len(), &says["2026-03-23T09:00:00"]), (3, &json!({"title": "More"})));
    }
}

#[tokio::test]
async fn an_edit_that_drops_the_properties_of_an_event_removes_nothing_of_what_they_held() {
    for graph_edit_drops_properties in [false, true] {
        let desk = desk(|switches| switches.graph_edit_drops_properties = graph_edit_drops_properties);
        let mut carried = once();
        carried.set("color", json!("plum"));
        let seen = desk.made("1", &carried).await;
        let since = desk.token().await;
        edit(&desk, &seen, "subject", json!("Dinner"));
        let now = desk.seen_since(since, &seen).await.remove(0);
        carried.set("title", json!("Dinner"));
        assert_eq!(desk.read(&now), carried);
    }
}

#[tokio::test]
async fn a_deleted_event_is_gone_in_both_ways_of_saying_so() {
    for graph_deleted_answers_404 in [false, true] {
        let desk = desk(|switches| switches.graph_deleted_answers_404 = graph_deleted_answers_404);
        let seen = desk.made("1", &once()).await;
        let since = desk.token().await;
        desk.sandbox.graph_event_delete(seen.remote_id.as_str()).unwrap();
        let round = desk.round(since).await.unwrap();
        assert_eq!((round.gone, round.seen.len()), (vec![seen.remote_id.clone()], 0));
        assert_eq!(desk.fetch(&seen).await, None);
    }
}

// Rounds

/// A calendar that is listed and then followed: what happens to single events and to series, within the window of a view and outside,
/// is told. `tells_removals` is off where only the next listing does.
async fn follows(desk: &Desk<Microsoft365>, what: &str, tells_removals: bool) {
    let make = |event: &Value| desk.sandbox.graph_event_create("", event).unwrap();
    let old = json!({"subject": "Old", "start": at("1999-03-02T12:00:00"), "end": at("1999-03-02T13:00:00")});
    let [single, doomed, old, series, told] =
        [&lunch("Lunch"), &lunch("Doomed"), &old, &standup(), &standup()].map(|event| RemoteId(make(event)));
    let listed = desk.round(Since::Start).await.unwrap();
    assert_eq!(listed.seen.len(), 5, "{what}");
    let since = listed.since();
    desk.time.passes(3_600_000);
    for id in [&single, &old] {
        desk.sandbox.graph_event_edit(id.as_str(), |event| event["subject"] = json!("New")).unwrap();
    }
    edit_day(desk, &listed.seen[&series], "2026-03-09", "Other");
    take_out(desk, &listed.seen[&told], "2026-03-16");
    desk.sandbox.graph_event_delete(doomed.as_str()).unwrap();
    let round = desk.round(since).await.unwrap();
    for id in [&single, &old] {
        let says = round.seen.get(id).map(|seen| desk.read(seen));
        assert_eq!(says.as_ref().and_then(|says| says.get("title")), Some(&json!("New")), "{what}");
    }
    assert_eq!(
        overrides(&desk.read(&round.seen[&series])),
        json!({"2026-03-09T09:00:00": {"title": "Other"}}),
        "{what}"
    );
    assert_eq!(overrides(&desk.read(&round.seen[&told])), json!({"2026-03-16T09:00:00": {"excluded": true}}), "{what}");
    assert_eq!(round.gone.contains(&doomed), tells_removals, "{what}");
    assert_eq!(desk.fetch(&listed.seen[&doomed]).await, None, "{what}");
    // What is said to be gone is a question: only what is so is confirmed. An occurrence is no item, and nobody's question.
    for known in round.gone.iter().filter(|id| **id != doomed).filter_map(|id| listed.seen.get(id)) {
        assert!(desk.fetch(known).await.is_some(), "{what}: {}", known.remote_id);
    }
    assert_eq!(desk.round(Since::Start).await.unwrap().seen.len(), 4, "{what}");
}

#[tokio::test]
async fn a_calendar_is_followed_by_whichever_delta_there_is() {
    for graph_events_delta in ["limited", "select", "off"] {
        for graph_view_delta_per_calendar in [true, false] {
            let desk = desk(|switches| {
                switches.graph_events_delta = graph_events_delta.into();
                switches.graph_view_delta_per_calendar = graph_view_delta_per_calendar;
            });
            let what = format!("events/delta {graph_events_delta}, per calendar {graph_view_delta_per_calendar}");
            follows(&desk, &what, graph_events_delta != "off" || graph_view_delta_per_calendar).await;
        }
    }
}

#[tokio::test]
async fn an_exception_names_its_series_in_a_delta_that_tells_exceptions() {
    for graph_events_delta_tells_exceptions in [false, true] {
        for graph_events_delta in ["limited", "select"] {
            let desk = desk(|switches| {
                switches.graph_events_delta_tells_exceptions = graph_events_delta_tells_exceptions;
                switches.graph_events_delta = graph_events_delta.into();
            });
            let what = format!("{graph_events_delta}, exceptions {graph_events_delta_tells_exceptions}");
            follows(&desk, &what, true).await;
        }
    }
}

#[tokio::test]
async fn rows_of_the_view_name_their_series_however_little_they_hold() {
    for graph_bare_occurrences in [true, false] {
        for graph_view_delta_shows_masters in [true, false] {
            for graph_view_delta_tells_deleted_occurrences in [true, false] {
                let desk = desk(|switches| {
                    switches.graph_events_delta = "off".into();
                    switches.graph_bare_occurrences = graph_bare_occurrences;
                    switches.graph_view_delta_shows_masters = graph_view_delta_shows_masters;
                    switches.graph_view_delta_tells_deleted_occurrences = graph_view_delta_tells_deleted_occurrences;
                });
                let what = format!("bare {graph_bare_occurrences}, masters {graph_view_delta_shows_masters}");
                let what = format!("{what}, deleted {graph_view_delta_tells_deleted_occurrences}");
                follows(&desk, &what, true).await;
            }
        }
    }
}

#[tokio::test]
async fn a_window_that_is_refused_as_too_long_is_done_without() {
    for (graph_most_window_days, has_view) in [(0, true), (1825, true), (400, false)] {
        let desk = desk(|switches| {
            switches.graph_events_delta = "off".into();
            switches.graph_most_window_days = graph_most_window_days;
        });
        follows(&desk, &format!("{graph_most_window_days} days"), has_view).await;
    }
}

#[tokio::test]
async fn an_event_that_moved_is_found_whether_its_new_calendar_tells_it_or_not() {
    for graph_move_missing_at_goal in [true, false] {
        let desk = desk(|switches| switches.graph_move_missing_at_goal = graph_move_missing_at_goal);
        let other = desk.sandbox.graph_calendar_create("Other").unwrap();
        let seen = desk.made("1", &once()).await;
        let calendars = desk.connector.collections(Kind::Calendar).await.unwrap();
        let goal = calendars.into_iter().find(|calendar| calendar.id.as_str() == other).unwrap();
        let since = desk.token().await;
        let at_goal = desk.round_in(&goal, Since::Start).await.unwrap().since();
        desk.sandbox.graph_event_move(seen.remote_id.as_str(), &other).unwrap();
        assert!(desk.round(since).await.unwrap().gone.contains(&seen.remote_id), "its old calendar says so");
        let told = desk.round_in(&goal, at_goal).await.unwrap().seen;
        assert_eq!(told.contains_key(&seen.remote_id), !graph_move_missing_at_goal);
        // Before anything is removed it is asked for by name.
        let now = desk.fetch(&seen).await.unwrap();
        assert_eq!((now.collection.as_str(), now.mark.as_ref()), (other.as_str(), Some(&mark("1"))));
    }
}

// Mails

fn guest(name: &str) -> Value {
    json!([{"type": "required", "emailAddress": {"name": name, "address": format!("{name}@example.com")}}])
}

/// A meeting of the user's, with a guest.
fn meeting() -> Value {
    let mut event = lunch("Mine");
    event["attendees"] = guest("ada");
    event
}

/// Somebody else's, to which the user is asked.
fn invitation() -> Value {
    let mut event = lunch("Theirs");
    event["attendees"] = guest("me");
    event["isOrganizer"] = json!(false);
    event["organizer"] = json!({"emailAddress": {"name": "Boss", "address": "boss@example.com"}});
    event
}

/// Whether a write is said to mail people, and how many mails it made.
async fn mails(desk: &Desk<Microsoft365>, operation: Operation) -> (bool, usize) {
    let lens = desk.connector.lens(Kind::Calendar);
    let is_said = match &operation {
        Operation::Update { from, to, .. } => lens.mails(from, Some(to)) > 0,
        Operation::Delete { place, .. } => {
            let there = desk.connector.fetch(Kind::Calendar, std::slice::from_ref(place)).await.remove(0).unwrap();
            lens.mails(&there.unwrap().rendering, None) > 0
        }
        Operation::Create { .. } | Operation::Copy { .. } | Operation::Move { .. } => false,
    };
    desk.sandbox.graph_forget_mails();
    desk.write(operation).await.unwrap();
    (is_said, desk.sandbox.graph_mails().len())
}

#[tokio::test]
async fn a_new_title_of_a_meeting_is_said_to_mail_whether_it_does_or_not() {
    for graph_text_patch_mails in [true, false] {
        let desk = desk(|switches| switches.graph_text_patch_mails = graph_text_patch_mails);
        let seen = theirs(&desk, &meeting()).await;
        let sent = usize::from(graph_text_patch_mails);
        assert_eq!(mails(&desk, desk.update(&seen, title("New"))).await, (true, sent));
        let seen = theirs(&desk, &invitation()).await;
        assert_eq!(mails(&desk, desk.update(&seen, title("New"))).await, (false, 0), "it stays the user's own title");
    }
}

#[tokio::test]
async fn what_is_the_users_own_mails_nobody_but_the_guests_of_a_meeting_of_theirs() {
    for graph_private_patch_mails in [false, true] {
        let desk = desk(|switches| switches.graph_private_patch_mails = graph_private_patch_mails);
        let label = |event: &mut Content| event.set("keywords", json!({"Work": true}));
        let seen = theirs(&desk, &meeting()).await;
        assert_eq!(mails(&desk, desk.update(&seen, label)).await, (false, usize::from(graph_private_patch_mails)));
        for event in [invitation(), lunch("Alone")] {
            let seen = theirs(&desk, &event).await;
            assert_eq!(mails(&desk, desk.update(&seen, label)).await, (false, 0));
        }
    }
}

#[tokio::test]
async fn the_removal_of_an_invitation_is_said_to_mail_whether_it_does_or_not() {
    for graph_guest_delete_notifies in [true, false] {
        let desk = desk(|switches| switches.graph_guest_delete_notifies = graph_guest_delete_notifies);
        let seen = theirs(&desk, &invitation()).await;
        let removal = Operation::Delete { place: crate::desk::place(&seen), etag: seen.etag.clone() };
        assert_eq!(mails(&desk, removal).await, (true, usize::from(graph_guest_delete_notifies)));
    }
}

#[tokio::test]
async fn an_invitation_is_never_answered() {
    for graph_answer_sends_by_default in [true, false] {
        let desk = desk(|switches| switches.graph_answer_sends_by_default = graph_answer_sends_by_default);
        let seen = theirs(&desk, &invitation()).await;
        let before = held(&desk, &seen)["responseStatus"].clone();
        let accept = |event: &mut Content| {
            let people = event.0["participants"].as_object_mut().unwrap();
            people.values_mut().for_each(|person| person["participationStatus"] = json!("accepted"));
        };
        assert_eq!(mails(&desk, desk.update(&seen, accept)).await, (false, 0));
        assert_eq!(held(&desk, &seen)["responseStatus"], before);
    }
}
