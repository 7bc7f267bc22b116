//! A kept file of every schema that was ever released is opened by today's program (ENGINE 24).

use rusqlite::Connection;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use twofold_hub::{Hub, Label, SCHEMA_VERSION};
use twofold_model::Kind;
use twofold_model::email::scope::Limits;

const RELEASED: [(i64, &str); 10] = [
    (1, include_str!("hub_v1.sql")),
    (2, include_str!("hub_v2.sql")),
    (3, include_str!("hub_v3.sql")),
    (4, include_str!("hub_v4.sql")),
    (5, include_str!("hub_v5.sql")),
    (6, include_str!("hub_v6.sql")),
    (7, include_str!("hub_v7.sql")),
    (8, include_str!("hub_v8.sql")),
    (9, include_str!("hub_v9.sql")),
    (10, include_str!("hub_v10.sql")),
];

/// A state folder with a hub as that program left it.
fn left(dir: &Path, sql: &str) -> PathBuf {
    let state = dir.join("state");
    Hub::open(&state).unwrap();
    let path = state.join("hub.sqlite");
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    state
}

fn version_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Every table and index, with its columns, however it was made.
fn shape(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT m.name || ': ' || coalesce((SELECT group_concat(c.name || ' ' || c.type || c.\"notnull\" || c.pk)
                   FROM pragma_table_info(m.name) c),
                   (SELECT group_concat(c.name) FROM pragma_index_info(m.name) c), m.sql) FROM sqlite_master m ORDER BY m.name";
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_hub_of_every_released_schema_is_copied_and_brought_up_to_date() {
    assert_eq!(RELEASED.map(|(version, _)| version).to_vec(), (1..SCHEMA_VERSION).collect::<Vec<i64>>());
    for (version, sql) in RELEASED {
        let dir = tempfile::tempdir().unwrap();
        let state = left(dir.path(), sql);
        let hub = Hub::open(&state).unwrap();
        assert_eq!(hub.id(), "812e45d73adec0e1018b86c825aefe7b");
        let names: Vec<String> = hub.replicas().unwrap().into_iter().map(|replica| replica.name).collect();
        assert_eq!(names, ["google", "phone"]);
        assert_eq!(hub.check().unwrap(), None);
        drop(hub);
        let copy = state.join(format!("hub.sqlite.v{version}"));
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!((version_of(&copy), version_of(&state.join("hub.sqlite"))), (version, SCHEMA_VERSION));
        let fresh = dir.path().join("fresh");
        Hub::open(&fresh).unwrap();
        assert_eq!(shape(&state.join("hub.sqlite")), shape(&fresh.join("hub.sqlite")), "from version {version}");
    }
}

#[test]
fn what_an_older_program_replaced_or_buried_ages_from_the_first_run_of_this_one() {
    const DAY_MS: i64 = 24 * 3_600_000;
    for (_, sql) in RELEASED {
        let dir = tempfile::tempdir().unwrap();
        let mut hub = Hub::open(&left(dir.path(), sql)).unwrap();
        // All of it was made in October 2025, this is years later.
        let now = 1_900_000_000_000;
        hub.begin_aging(now).unwrap();
        assert_eq!(hub.prune(now, now, |_, _| Ok(())).unwrap(), 0);
        // The version that was overwritten and the deleted contact go; what is in conflict stays.
        assert_eq!(hub.prune(now + DAY_MS, now + DAY_MS, |_, _| Ok(())).unwrap(), 2);
        assert_eq!(hub.versions_of(1).unwrap(), [2]);
        assert!(hub.item(2).is_err());
        assert_eq!(hub.versions_of(3).unwrap(), [4, 5]);
    }
}

#[test]
fn names_are_agreed_on_as_they_were_before_there_was_a_base_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::open(&left(dir.path(), RELEASED[2].1)).unwrap();
    let label = |name: &str, color: Option<&str>| Label { name: name.into(), color: color.map(str::to_owned) };
    let places = hub.places_of(2).unwrap();
    assert_eq!(
        [&places[0].agreed, &places[1].agreed],
        [&label("The old club", Some("#16a765")), &label("Club", Some("#16a765"))],
        "the phone is still to be told"
    );
    assert_eq!(places[1].color.as_deref(), Some("#16a765"));
    let stays: Vec<(i64, bool)> =
        hub.collections(Kind::Contacts).unwrap().iter().map(|one| (one.id, one.stays())).collect();
    assert_eq!(stays, [(1, true), (2, true), (3, false)], "what was deleted at its provider is not made there again");
}

#[test]
fn how_large_a_message_is_is_read_off_its_copies() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::open(&left(dir.path(), RELEASED[4].1)).unwrap();
    let mail = hub.collections(Kind::Mail).unwrap();
    assert!(mail.len() == 2 && mail.iter().all(|mailbox| !mailbox.is_left_out));
    let account = mail[0].origin;
    assert!(hub.limits(account).unwrap().is_none());
    for (max_size, beyond) in [(Some(1234), 0), (Some(1233), 1), (None, 0)] {
        hub.set_limits(account, Limits { since_ms: None, max_size }).unwrap();
        assert_eq!(hub.count_beyond(account).unwrap(), beyond, "{max_size:?}");
    }
}

#[test]
fn a_collection_counts_as_read_when_it_was_and_as_proven_only_once_an_item_of_it_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::open(&left(dir.path(), RELEASED[8].1)).unwrap();
    let signs = |hub: &Hub| -> Vec<[Option<i64>; 2]> {
        hub.places_of(2).unwrap().iter().map(|place| [place.read_ms, place.proof_ms]).collect()
    };
    let read_ms = 1_760_000_000_000;
    let [phone, google] = [1, 0].map(|at: usize| hub.replicas().unwrap()[at].id);
    let of = |replica: i64, hub: &Hub| {
        let at = hub.places_of(2).unwrap().iter().position(|place| place.replica == replica).unwrap();
        signs(hub)[at]
    };
    assert_eq!((of(google, &hub), of(phone, &hub)), ([Some(read_ms), None], [None, None]));
    hub.was_read(phone, &[2], 7).unwrap();
    hub.was_read(phone, &[2], 5).unwrap();
    assert_eq!((of(google, &hub), of(phone, &hub)), ([Some(read_ms), None], [Some(7), None]), "never back");
    hub.prove(phone, &[2], 9).unwrap();
    hub.prove(phone, &[2], 8).unwrap();
    hub.was_read(phone, &[2], 10).unwrap();
    assert_eq!((of(google, &hub), of(phone, &hub)), ([Some(read_ms), None], [Some(10), Some(9)]));
}

#[test]
fn what_a_place_showed_before_it_was_told_is_kept_until_its_lists_show_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut hub = Hub::open(&left(dir.path(), RELEASED[7].1)).unwrap();
    let earlier =
        |hub: &Hub| -> Vec<Vec<Label>> { hub.places_of(2).unwrap().into_iter().map(|it| it.earlier).collect() };
    assert_eq!(earlier(&hub), [vec![], vec![]], "nobody wrote it down");
    let labels = [("A \"b\"/c", None), ("A", Some("#16a765"))]
        .map(|(name, color)| Label { name: name.into(), color: color.map(str::to_owned) });
    let place = hub.places_of(2).unwrap()[0].id;
    hub.set_told(place, 7, &labels).unwrap();
    assert_eq!(earlier(&hub), [labels.to_vec(), vec![]]);
    hub.forget_earlier(place).unwrap();
    assert_eq!(earlier(&hub), [vec![], vec![]]);
    assert_eq!(hub.places_of(2).unwrap()[0].told_ms, Some(7));
}
