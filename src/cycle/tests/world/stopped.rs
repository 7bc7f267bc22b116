//! What a run had seen when it was stopped, and what became of it before the next one.

use super::*;

/// A card that is made at a place, seen there by a run that is stopped at a step, and deleted before the next run, which hears of that by a
/// full listing alone. `false`: the run came to its end.
async fn seen_and_deleted(mut world: World, what: &str, on_phone: bool, at: usize) -> bool {
    let place = if on_phone { world.phone.clone() } else { world.google.clone() };
    let id = place.create(&card("New", &["new@example.org"]));
    world.tick(60_000);
    world.steps.store(0, Ordering::SeqCst);
    world.stop_at.store(at, Ordering::SeqCst);
    let settings = world.settings();
    let _ = world.run(&settings).await;
    let was_stopped = world.dead.load(Ordering::SeqCst);
    world.stop_at.store(usize::MAX, Ordering::SeqCst);
    place.delete(&id);
    world.google.expire_tokens();
    let what = format!("{what}, on the phone {on_phone}, stopped at step {at}");
    world.sync().await;
    for place in [&world.google, &world.microsoft, &world.phone] {
        assert!(!World::names(place).contains(&"New".to_owned()), "{what}: it was deleted");
    }
    world.settled(&what).await;
    was_stopped
}

#[tokio::test]
async fn what_a_stopped_run_saw_and_somebody_deleted_since_is_made_nowhere() {
    for joined in [false, true] {
        for on_phone in [false, true] {
            for at in 0.. {
                let mut world = seeded(joined);
                world.sync().await;
                if !seen_and_deleted(world, &format!("joined {joined}"), on_phone, at).await {
                    assert!(at > 20, "{at}");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_stopped_run_saw_where_nothing_else_was_known_and_somebody_deleted_since_is_made_nowhere() {
    for on_phone in [false, true] {
        for at in 0.. {
            let mut world = World::new(false, 0);
            world.sync().await;
            if !seen_and_deleted(world, "nothing else", on_phone, at).await {
                assert!(at > 20, "{at}");
                break;
            }
        }
    }
}
