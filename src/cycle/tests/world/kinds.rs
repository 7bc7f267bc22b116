//! One kind of a place fails while the others are served: it alone is unknown there, and nothing of it is taken for deleted.

use super::*;

/// A world of calendars and address books: two shelves at Google, and what stands in them on the phone.
async fn with_two_kinds() -> World {
    let mut world = World { kinds: vec![Kind::Contacts, Kind::Calendar], ..seeded(false) };
    let calendar = world.google.add_shelf("work", Kind::Calendar, "Work", None);
    for name in ["Lunch", "Dinner"] {
        world.google.create_in(calendar, &card(name, &[]));
    }
    let report = world.sync().await;
    assert_eq!((report.exit, World::names(&world.phone).len()), (0, 10), "{:?}", report.troubles);
    world.settled("two kinds").await;
    world
}

/// Kinds in the order in which a run goes through them, with a name of each that stands at Google.
const EACH: [(Kind, &str, Kind, &str); 2] =
    [(Kind::Calendar, "Lunch", Kind::Contacts, "Ada"), (Kind::Contacts, "Ada", Kind::Calendar, "Lunch")];

const FAILURES: [ErrorKind; 4] =
    [ErrorKind::Unknown, ErrorKind::Throttled { retry_after_s: Some(60) }, ErrorKind::Malformed, ErrorKind::Forbidden];

#[tokio::test]
async fn promise_1_a_kind_that_is_lost_holds_no_other_kind_and_nothing_of_it_is_taken_for_deleted() {
    for (lost, of_lost, _, of_other) in EACH {
        for failure in FAILURES {
            let case = format!("{lost} of google: {failure:?}");
            let mut world = with_two_kinds().await;
            world.google.set_lost(lost, Some(failure));
            world.google.delete(&World::find(&world.google, of_lost));
            world.google.edit(&World::find(&world.google, of_other), rename("Said there"));
            world.phone.edit(&World::find(&world.phone, "Grace"), rename("Grace Hopper"));
            world.phone.edit(&World::find(&world.phone, "Dinner"), rename("Supper"));
            for _ in 0..2 {
                let report = world.sync().await;
                assert_ne!(report.exit, 0, "{case}: it is said");
                assert!(report.troubles.iter().any(|words| words.contains("google")), "{case}: {:?}", report.troubles);
                let here = World::names(&world.phone);
                assert!(here.contains(&of_lost.to_owned()), "{case}: what nobody could look at is not gone: {here:?}");
                assert!(here.contains(&"Said there".to_owned()), "{case}: the other kind comes: {here:?}");
                assert_eq!(here.len(), 10, "{case}: {here:?}");
                let there = World::names(&world.google);
                let (goes, waits) = match lost {
                    Kind::Calendar => ("Grace Hopper", "Supper"),
                    Kind::Contacts | Kind::Mail => ("Supper", "Grace Hopper"),
                };
                assert!(there.contains(&goes.to_owned()), "{case}: and goes: {there:?}");
                assert!(!there.contains(&waits.to_owned()), "{case}: nothing is told there of what is lost: {there:?}");
                assert_eq!(world.hub.holds_of_any_state().unwrap(), [], "{case}: nor is anything a question");
            }
            world.google.set_lost(lost, None);
            assert_eq!(world.sync().await.exit, 0, "{case}: over");
            assert!(!World::names(&world.phone).contains(&of_lost.to_owned()), "{case}: now it is known to be gone");
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_reached_at_all_is_lost_for_every_kind_that_is_still_to_come() {
    for failure in [ErrorKind::Offline, ErrorKind::SignInNeeded] {
        let mut world = with_two_kinds().await;
        world.google.set_lost(Kind::Calendar, Some(failure));
        world.google.edit(&World::find(&world.google, "Ada"), rename("Said there"));
        world.sync().await;
        assert!(World::names(&world.phone).contains(&"Ada".to_owned()), "{failure:?}: it is not asked any more");
        world.google.set_lost(Kind::Calendar, None);
        assert_eq!(world.sync().await.exit, 0, "{failure:?}");
        world.settled("reached again").await;
    }
}

#[tokio::test]
async fn a_kind_that_is_lost_in_the_middle_of_its_writes_is_told_the_rest_later_and_the_other_kind_at_once() {
    let mut world = with_two_kinds().await;
    for name in ["Lunch", "Dinner"] {
        let id = World::find(&world.phone, name);
        world.phone.edit(&id, rename(&format!("{name}, late")));
    }
    world.phone.edit(&World::find(&world.phone, "Grace"), rename("Grace Hopper"));
    world.google.fault([Some(Fault::Throttled), Some(Fault::Throttled)]);
    assert_eq!(world.sync().await.exit, 75);
    let there = World::names(&world.google);
    assert!(there.contains(&"Grace Hopper".to_owned()), "{there:?}");
    assert!(there.contains(&"Lunch".to_owned()) && there.contains(&"Dinner".to_owned()), "{there:?}");
    assert_eq!(world.sync().await.exit, 0);
    world.settled("told in the end").await;
}
