//! Every answer of Calendar that the corpus and the examples hold: nothing unknown is fatal, nothing known is dropped, and the laws of
//! the lens hold for each event. Skipped where they are not there, unless `TWOFOLD_REQUIRE_SHARED=1`.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twofold_google::GoogleDialect;
use twofold_google::calendar::CalendarLens;
use twofold_google::calendar::rendering::{Series, Usual};
use twofold_google::calendar::wire::{CalendarEntry, CalendarList, Events, is_cancelled, series_of};
use twofold_http::{Dialect, Response};
use twofold_model::{ErrorKind, Identity, Lens, Rendering, Uid};
use twofold_zones::SystemZones;

/// An answer: its name, status and body.
type Answer = (String, u16, Value);

/// All answers of Calendar.
fn answers() -> Vec<Answer> {
    let shared = std::env::var_os("TWOFOLD_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let mut answers = Vec::new();
    for folder in ["corpus/provider-json/google-calendar", "api/examples/google"] {
        let folder = shared.join(folder);
        let Ok(files) = std::fs::read_dir(&folder) else {
            assert!(
                std::env::var_os("TWOFOLD_REQUIRE_SHARED").is_none_or(|is| is != "1"),
                "nothing at {}",
                folder.display()
            );
            println!("skipped: nothing is there");
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let answer = file.get("response").unwrap_or(&file);
            let asked = file.get("path").or(file["request"].get("url")).and_then(Value::as_str).unwrap_or_default();
            if asked.contains("/calendar/v3/") {
                let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
                answers.push((name, status, answer["body"].clone()));
            }
        }
    }
    answers.sort_by(|a, b| a.0.cmp(&b.0));
    answers
}

fn round_trip<T: DeserializeOwned + Serialize>(name: &str, body: &Value) -> T {
    let read: T = serde_json::from_value(body.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(&serde_json::to_value(&read).unwrap(), body, "{name}");
    read
}

/// All events, as renderings: masters and single events alone, exceptions as occurrences without their master.
fn renderings() -> Vec<(String, Rendering)> {
    let mut events: Vec<(String, Map<String, Value>, Usual)> = Vec::new();
    for (name, _, body) in answers().into_iter().filter(|(_, status, _)| *status == 200) {
        match body.get("kind").and_then(Value::as_str).unwrap_or_default() {
            "calendar#events" => {
                let page: Events = round_trip(&name, &body);
                let usual = Usual { reminders: page.default_reminders, zone: page.time_zone };
                events.extend(page.items.into_iter().map(|event| (name.clone(), event, usual.clone())));
            }
            "calendar#event" => events.push((name, body.as_object().unwrap().clone(), Usual::default())),
            "calendar#calendarList" => drop(round_trip::<CalendarList>(&name, &body)),
            "calendar#calendarListEntry" | "calendar#calendar" => drop(round_trip::<CalendarEntry>(&name, &body)),
            // Settings, rights and channels are not used.
            _ => {}
        }
    }
    let living = events.into_iter().filter(|(_, event, _)| !is_cancelled(event));
    let render = |(name, event, usual): (String, Map<String, Value>, Usual)| {
        let mut series = Series::default();
        match series_of(&event) {
            Some(_) => {
                let id = event["id"].as_str().unwrap().to_owned();
                series.exceptions.insert(id, Value::Object(event));
            }
            None => series.event = Some(event),
        }
        series.take_usual(&usual);
        (name, series.serialise())
    };
    living.map(render).collect()
}

#[test]
fn every_answer_is_read_and_written_back_whole() {
    assert!(renderings().len() > 50 || answers().is_empty());
}

#[test]
fn the_laws_of_the_lens_hold_for_every_event() {
    let lens = CalendarLens::new(Arc::new(SystemZones::in_folder(None)));
    let nobody = Identity { uid: Uid("u".into()), mark: None };
    let all = renderings();
    let masters: Vec<&Rendering> =
        all.iter().map(|(_, rendering)| rendering).filter(|r| Series::parse(r).unwrap().event.is_some()).collect();
    for (name, rendering) in &all {
        let says = lens.read(rendering).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(&lens.write(Some(rendering), &says, &nobody).unwrap(), rendering, "{name}");
        assert_eq!(lens.project(&says).unwrap(), says, "{name}: what was read can be held");
        if says.get("start").is_none() {
            continue;
        }
        for onto in masters.iter().step_by(5) {
            let Ok(written) = lens.write(Some(onto), &says, &nobody) else { continue };
            assert_eq!(lens.read(&written).unwrap(), says, "{name}");
            assert_eq!(lens.write(Some(&written), &says, &nobody).unwrap(), written, "{name}, again");
        }
    }
}

#[test]
fn every_error_is_judged() {
    for (name, status, body) in answers().into_iter().filter(|(_, status, _)| *status >= 400) {
        let kind = GoogleDialect.judge(&Response::new(status, Vec::new(), body.to_string().into_bytes())).kind;
        let expected = match name.as_str() {
            "error-401-invalid-token.json" | "error-401-missing-token.json" => ErrorKind::SignInNeeded,
            "error-403-scope-insufficient.json" => ErrorKind::Forbidden,
            "error-403-user-rate-limit.json" => ErrorKind::Throttled { retry_after_s: None },
            "error-429-rate-limit.json" => ErrorKind::Throttled { retry_after_s: None },
            "error-503-backend.json" => ErrorKind::Unknown,
            "events-403-usage-limits.json" => ErrorKind::Throttled { retry_after_s: Some(3600) },
            "events-404-calendar.json" => ErrorKind::NotFound,
            "events-410-full-sync-required.json" => ErrorKind::TokenExpired,
            "events-delete-twice-410.json" => ErrorKind::NotFound,
            "events-insert-409.json" | "events-synctoken-with-timemin-400.json" => ErrorKind::Refused,
            "events-patch-412.json" => ErrorKind::StaleEtag,
            other => panic!("an error without an expectation: {other}"),
        };
        assert_eq!(kind, expected, "{name}");
    }
}
