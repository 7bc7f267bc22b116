//! A run with nothing to do.

use super::*;

/// How many transactions stand in the log of a hub: frames of its last life that end one (sqlite.org, "WAL File Format").
fn commits(hub: &Hub) -> usize {
    let log = std::fs::read(hub.path().with_extension("sqlite-wal")).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page_size, salt) = (number(8) as usize, &log[16..24]);
    let frames = (32..).step_by(24 + page_size).take_while(|at| at + 24 + page_size <= log.len());
    frames.filter(|at| log[at + 8..at + 16] == *salt && number(at + 4) > 0).count()
}

/// How many transactions a run with nothing to do makes of so many collections at a provider and on the phone.
async fn idle_run(collections: usize) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World { hub: Hub::open(&dir.path().join("state")).unwrap(), ..World::new(false, 0) };
    for number in 1..collections {
        world.google.add_shelf(&format!("shelf {number}"), Kind::Contacts, &format!("Shelf {number}"), None);
        world.google.create_in(number, &card(&format!("Ada {number}"), &[&format!("ada{number}@example.org")]));
    }
    for _ in 0..3 {
        world.sync().await;
    }
    world.settled("nothing to do").await;
    assert_eq!(world.phone.shelves().len(), collections + 1, "those of the one provider, and the one of the other");
    let before = commits(&world.hub);
    world.sync().await;
    commits(&world.hub) - before
}

#[tokio::test]
async fn what_a_run_with_nothing_to_do_writes_does_not_grow_with_the_collections() {
    let few = idle_run(1).await;
    assert!(few > 0, "a run is noted");
    assert_eq!(idle_run(60).await, few);
}
