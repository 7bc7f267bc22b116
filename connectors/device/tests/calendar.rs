//! Calendars in a device folder: `.ics` files that other programs read and write, tasks beside them.

mod common;

use common::{options, visit};
use serde_json::json;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use twofold_device::Device;
use twofold_model::*;
use twofold_zones::SystemZones;

const WORK: &str = "google/calendar/Work";

struct Desk {
    dir: tempfile::TempDir,
    device: Device,
    known: Known,
}

fn event(uid: &str, title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART;TZID=Europe/Berlin:20260302T090000\r\nDURATION:PT1H\r\nSUMMARY:{title}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const TASK: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VTODO\r\nUID:milk\r\nDTSTAMP:20260101T000000Z\r\n\
                    SUMMARY:Milk\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";

impl Desk {
    async fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let ahead = Arc::new(AtomicI64::new(10_000_000_000));
        let mut options = options(dir.path(), &ahead);
        options.is_known = false;
        options.kinds = vec![Kind::Calendar, Kind::Contacts];
        options.zones = Some(Arc::new(SystemZones::new()));
        let device = Device::open(options).unwrap();
        device.arrive(Visit { is_known: false, ..visit(false, 1) }).await.unwrap();
        let like = Collection {
            id: "google/calendar".into(),
            kind: Kind::Calendar,
            name: "Work".into(),
            color: Some("#ff8800".into()),
            is_default: false,
            role: None,
            access: Access::ReadWrite,
        };
        device.create_collection(Kind::Calendar, &like).await.unwrap();
        Desk { dir, device, known: Known::new() }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(WORK).join(file)
    }

    async fn scan(&mut self) -> Vec<Entry> {
        let feed = Feed { id: WORK.into(), kind: Kind::Calendar, collections: vec![WORK.into()] };
        let poll = Poll { feed: &feed, since: Since::Start, known: &self.known };
        let page = self.device.changes(&[poll]).await.remove(0).unwrap();
        for entry in &page.entries {
            if let Entry::Seen(seen) = entry {
                self.known.insert(seen.remote_id.clone(), seen.etag.clone());
            }
        }
        page.entries
    }
}

fn seen(entries: &[Entry]) -> Vec<&str> {
    let mut names = Vec::new();
    for entry in entries {
        if let Entry::Seen(seen) = entry {
            names.extend(seen.remote_id.as_str().rsplit('/').next());
        }
    }
    names
}

#[tokio::test]
async fn an_event_is_read_with_its_uid_and_an_edit_in_place_is_seen() {
    let mut desk = Desk::new().await;
    fs::write(desk.path("standup.ics"), event("standup", "Stand-up")).unwrap();
    let entries = desk.scan().await;
    let [Entry::Seen(one)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(one.uid, Some("standup".into()));
    let content = desk.device.lens(Kind::Calendar).read(&one.rendering).unwrap();
    assert_eq!(content.get("title"), Some(&json!("Stand-up")));
    assert_eq!(content.get("timeZone"), Some(&json!("Europe/Berlin")));
    assert!(desk.scan().await.is_empty(), "nothing changed");
    fs::write(desk.path("standup.ics"), event("standup", "Stand-up!")).unwrap();
    assert_eq!(seen(&desk.scan().await), ["standup.ics"]);
}

#[tokio::test]
async fn a_task_in_a_calendars_folder_is_left_alone_and_not_named() {
    let mut desk = Desk::new().await;
    fs::write(desk.path("milk.ics"), TASK).unwrap();
    fs::write(desk.path("standup.ics"), event("standup", "Stand-up")).unwrap();
    assert_eq!(seen(&desk.scan().await), ["standup.ics"]);
    assert!(desk.scan().await.is_empty());
    assert_eq!(fs::read_to_string(desk.path("milk.ics")).unwrap(), TASK);
}

#[tokio::test]
async fn an_event_that_turns_into_a_task_is_not_read_as_deleted() {
    let mut desk = Desk::new().await;
    fs::write(desk.path("a.ics"), event("a", "A")).unwrap();
    desk.scan().await;
    fs::write(desk.path("a.ics"), TASK).unwrap();
    assert!(desk.scan().await.is_empty(), "neither gone nor changed");
}

#[tokio::test]
async fn a_folder_of_tasks_alone_is_no_calendar() {
    let desk = Desk::new().await;
    let tasks = desk.dir.path().join("google/calendar/Tasks");
    fs::create_dir(&tasks).unwrap();
    fs::write(tasks.join("milk.ics"), TASK).unwrap();
    let listed = desk.device.collections(Kind::Calendar).await.unwrap();
    assert_eq!(listed.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), [WORK]);
    fs::write(tasks.join("party.ics"), event("party", "Party")).unwrap();
    assert_eq!(desk.device.collections(Kind::Calendar).await.unwrap().len(), 2);
}

#[tokio::test]
async fn half_a_calendar_is_no_event_and_two_events_are_named() {
    let mut desk = Desk::new().await;
    let whole = event("a", "A");
    fs::write(desk.path("half.ics"), &whole[..whole.len() - 20]).unwrap();
    let two = whole.replace("END:VCALENDAR\r\n", "")
        + event("b", "B")
            .split_once("BEGIN:VEVENT")
            .map(|(_, rest)| rest)
            .map(|rest| format!("BEGIN:VEVENT{rest}"))
            .unwrap()
            .as_str();
    fs::write(desk.path("two.ics"), two).unwrap();
    let entries = desk.scan().await;
    let bad: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Bad { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(seen(&entries), Vec::<&str>::new());
    assert!(bad.iter().any(|reason| reason.contains("2 items")), "{bad:?}");
}

#[tokio::test]
async fn a_new_event_is_a_file_named_after_its_uid_and_an_edit_touches_one_line() {
    let mut desk = Desk::new().await;
    let lens = desk.device.lens(Kind::Calendar);
    let content = Content::from_value(json!({
        "title": "Lunch", "start": "2026-03-02T12:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H",
    }));
    let mark = Mark {
        hub: "812e45d73adec0e1018b86c825aefe7b".into(),
        item: "7d8701d5a2d8cdaa71fa7546243ec7de".into(),
        generation: 1,
    };
    let identity = Identity { uid: "lunch".into(), mark: Some(mark.clone()) };
    let rendering = lens.write(None, &content, &identity).unwrap();
    let create = Operation::Create { collection: WORK.into(), rendering, uid: "lunch".into(), mark };
    let made = desk.device.write(Kind::Calendar, &[create]).await.remove(0).unwrap().unwrap();
    assert_eq!(made.remote_id.as_str(), "google/calendar/Work/lunch.ics");
    let before = fs::read_to_string(desk.path("lunch.ics")).unwrap();
    let mut later = content.clone();
    later.set("title", json!("Late lunch"));
    let to = lens.write(Some(&made.rendering), &later, &identity).unwrap();
    let place = Place { remote_id: made.remote_id.clone(), collection: WORK.into() };
    let update = Operation::Update { place, etag: made.etag.clone(), from: made.rendering.clone(), to };
    let changed = desk.device.write(Kind::Calendar, &[update]).await.remove(0).unwrap().unwrap();
    let after = fs::read_to_string(desk.path("lunch.ics")).unwrap();
    let differ: Vec<_> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(differ, [("SUMMARY:Lunch", "SUMMARY:Late lunch")]);
    desk.known.insert(changed.remote_id.clone(), changed.etag.clone());
    assert!(desk.scan().await.is_empty(), "what we wrote is no news");
    let place = Place { remote_id: changed.remote_id.clone(), collection: WORK.into() };
    let delete = Operation::Delete { place, etag: changed.etag.clone() };
    desk.device.write(Kind::Calendar, &[delete]).await.remove(0).unwrap();
    assert!(!desk.path("lunch.ics").exists());
}
