//! A place that compares (the phone): it is handed what is known only where it may look otherwise than that.

use super::*;

#[tokio::test]
async fn what_looks_as_it_is_known_is_compared_once_a_day_and_what_does_not_is_told_in_the_same_run() {
    let mut world = seeded(false);
    world.sync().await;
    // What was made there is compared once, and found as it is known.
    world.sync().await;
    let before = world.phone.compared();
    for _ in 0..3 {
        assert_eq!(world.sync().await.exit, 0);
    }
    assert_eq!(world.phone.compared(), before, "nothing happened");
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.sync().await;
    assert!(World::names(&world.google).contains(&"Ada King".to_owned()), "told in the same run");
    world.phone.delete(&World::find(&world.phone, "Ada King"));
    world.sync().await;
    assert!(!World::names(&world.google).contains(&"Ada King".to_owned()), "gone in the same run");
    world.settled("told").await;
    world.sync().await;
    let before = world.phone.compared();
    world.sync().await;
    assert_eq!(world.phone.compared(), before, "settled again");
    let fully = Settings { full_check: true, ..world.settings() };
    world.run(&fully).await.unwrap();
    assert!(world.phone.compared() > before, "a full check compares");
    let before = world.phone.compared();
    world.tick(25 * HOUR_MS);
    world.sync().await;
    assert!(world.phone.compared() > before, "and so does the first run of a day");
}
