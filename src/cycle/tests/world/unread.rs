//! Lists that break off while the place itself can be reached: what they would have told is not known, and nothing is told there of it.

use super::*;

#[tokio::test]
async fn what_moves_is_followed_when_only_one_of_two_collections_can_be_read() {
    for unlisted in [0, 1] {
        let mut world = with_slow_reads();
        add_collection(&world.microsoft, "Family").await;
        world.sync().await;
        world.microsoft.move_to(&World::find(&world.microsoft, "Rosa"), 1);
        world.microsoft.set_listed(unlisted, false);
        assert_eq!(world.sync().await.exit, 75, "{unlisted}");
        world.microsoft.set_listed(unlisted, true);
        let report = world.sync().await;
        assert_eq!(report.exit, 0, "{unlisted}: where it stood before says nothing of it: {:?}", report.troubles);
        world.settled("moved").await;
    }
}
