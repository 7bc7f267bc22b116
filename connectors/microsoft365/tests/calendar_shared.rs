//! Every event and calendar of the shared examples and corpus: nothing unknown is fatal, nothing known is dropped, and the laws hold.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twofold_http::Response;
use twofold_microsoft365::calendar::api;
use twofold_microsoft365::calendar::map::EventLens;
use twofold_microsoft365::calendar::sheet::Sheet;
use twofold_microsoft365::calendar::times::Times;
use twofold_microsoft365::calendar::wire::{Calendar, Event, ListPage};
use twofold_model::{Identity, Lens, Uid};
use twofold_zones::SystemZones;

/// The shared folder, or nothing; with `TWOFOLD_REQUIRE_SHARED=1` its absence is a failure.
fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("TWOFOLD_SHARED").map_or(beside, PathBuf::from);
    if folder.join("api/examples").is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("TWOFOLD_REQUIRE_SHARED").as_deref(), Ok("1"), "the shared folder is missing");
    println!("skipped: there is no shared folder");
    None
}

/// The JSON files of a folder whose names speak of calendars or events, and not of messages about them.
fn files(folder: &Path) -> Vec<(String, Value)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_ours = |name: &str| {
        ["calendar", "event", "instances"].iter().any(|word| name.contains(word))
            && !["eventmessage", "email-with-event", "attachment", "permission"].iter().any(|word| name.contains(word))
    };
    let mut files: Vec<(String, Value)> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| is_ours(name))
        .map(|(name, path)| (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()))
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// The bodies of answers (and of requests, which have the same fields).
fn all() -> Vec<(String, Value)> {
    let Some(shared) = shared() else { return Vec::new() };
    let mut all = files(&shared.join("api/examples/microsoft-graph"));
    all.extend(files(&shared.join("corpus/provider-json/graph")));
    assert!(all.len() > 40, "only {} files", all.len());
    let bodies = |file: &Value| {
        let places = [file.pointer("/response/body"), file.pointer("/request/body"), file.get("body")];
        places.into_iter().flatten().filter(|body| body.is_object()).cloned().collect::<Vec<_>>()
    };
    all.into_iter().flat_map(|(name, file)| bodies(&file).into_iter().map(move |body| (name.clone(), body))).collect()
}

/// The rows of lists, and what came alone.
fn entities() -> Vec<(String, Value)> {
    let rows = |(name, body): (String, Value)| match body.get("value") {
        Some(Value::Array(rows)) => rows.iter().map(|row| (name.clone(), row.clone())).collect(),
        _ => vec![(name, body)],
    };
    all().into_iter().flat_map(rows).filter(|(_, row)| row.is_object()).collect()
}

/// Events have a start, or a subject and no name.
fn events() -> Vec<(String, Value)> {
    let is_event =
        |row: &Value| row.get("start").is_some() || (row.get("subject").is_some() && row.get("name").is_none());
    entities().into_iter().filter(|(_, row)| is_event(row)).collect()
}

fn lens() -> EventLens {
    EventLens::new(Times::new(Arc::new(SystemZones::in_folder(None)), None))
}

/// An event as the look at it makes a rendering of it.
fn sheet(value: &Value) -> Sheet {
    let mut event = Event::from_value(value.clone()).unwrap();
    let list = |event: &mut Event, name: &str| match event.0.shift_remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let exceptions = list(&mut event, "exceptionOccurrences").into_iter().filter_map(Event::from_value).collect();
    let cancelled = list(&mut event, "cancelledOccurrences");
    let day = |text: &Value| Some(text.as_str()?.rsplit('.').next()?.to_owned());
    Sheet { event, exceptions, cancelled: cancelled.iter().filter_map(day).collect(), is_partial: false }
}

#[test]
fn every_event_is_kept_whole_and_obeys_the_laws() {
    let identity = Identity { uid: Uid::from("u"), mark: None };
    let (mut read, mut unreadable) = (0, Vec::new());
    for (name, value) in events() {
        let sheet = sheet(&value);
        let rendering = sheet.close();
        assert_eq!(Sheet::open(&rendering).unwrap(), sheet, "{name}");
        for (field, value) in value.as_object().unwrap().iter().filter(|(field, _)| !field.contains("@odata.")) {
            let is_beside = ["exceptionOccurrences", "cancelledOccurrences"].contains(&field.as_str());
            assert!(is_beside || sheet.event.0.get(field) == Some(value), "{name}: {field}");
        }
        let Ok(says) = lens().read(&rendering) else {
            unreadable.push(name);
            continue;
        };
        read += 1;
        assert_eq!(lens().write(Some(&rendering), &says, &identity).unwrap(), rendering, "{name}");
        if says.get("start").is_none() {
            continue;
        }
        let anew = lens().write(None, &says, &identity).unwrap();
        assert_eq!(lens().read(&anew).unwrap(), says, "{name}");
    }
    // An occurrence that does not say which one it is, is kept and not guessed at.
    unreadable.retain(|name| !name.contains("event-list-instances"));
    assert_eq!(unreadable, Vec::<String>::new());
    assert!(shared().is_none() || read > 30, "only {read} events");
}

#[test]
fn every_list_and_calendar_is_understood() {
    let mut calendars = 0;
    for (name, body) in all() {
        if body.get("value").is_some_and(Value::is_array) {
            let page: ListPage = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(page.next_link.is_some(), body.get("@odata.nextLink").is_some(), "{name}");
            assert_eq!(page.delta_link.is_some(), body.get("@odata.deltaLink").is_some(), "{name}");
        }
        let is_calendars = name.contains("list-calendars") || name.contains("rec-calendars");
        // The documentation's own rows are cut, some without an id.
        let is_cut = |body: &Value| body["value"].as_array().into_iter().flatten().any(|row| row.get("id").is_none());
        if is_calendars && body.get("value").is_some() && !is_cut(&body) {
            let answer = Response::new(200, Vec::new(), body.to_string().into_bytes());
            let (read, _) = api::read_calendars(&answer).unwrap();
            assert_eq!(read.len(), body["value"].as_array().unwrap().len(), "{name}");
            calendars += read.len();
        }
    }
    for (name, row) in entities() {
        if row.get("canEdit").is_some() && row.get("id").is_some() {
            let calendar = Calendar::from_value(&row).unwrap();
            assert_eq!(Some(calendar.id.as_str()), row["id"].as_str(), "{name}");
            calendars += 1;
        }
    }
    assert!(shared().is_none() || calendars > 10, "only {calendars} calendars");
}

#[test]
fn every_row_of_a_delta_is_understood() {
    let mut rows = 0;
    for (name, body) in all().into_iter().filter(|(name, _)| name.contains("delta")) {
        let is_cut = body["value"].as_array().into_iter().flatten().any(|row| row.get("id").is_none());
        if body.get("value").is_some() && !is_cut {
            let answer = Response::new(200, Vec::new(), body.to_string().into_bytes());
            let (read, _, _) = api::read_page(&answer).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read.len(), body["value"].as_array().unwrap().len(), "{name}");
            rows += read.len();
        }
    }
    assert!(shared().is_none() || rows > 5, "only {rows} rows");
}
