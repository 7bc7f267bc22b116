//! What moves on a device: it is made at its new place, verified, and only then removed where it was (ENGINE 7).

use super::*;

/// Ada is in Google's first book; there is a second one.
async fn two_books() -> World {
    let mut world = World::new(false, 0);
    add_collection(&world.google, "Second").await;
    world.google.create(&card("Ada", &["ada@example.org"]));
    world.sync().await;
    world
}

async fn move_on_phone(world: &World, name: &str, to: &str) {
    let folders = world.phone.collections(Kind::Contacts).await.unwrap();
    let number = folders.iter().position(|folder| folder.name == to).expect(to);
    world.phone.move_to(&World::find(&world.phone, name), number);
}

#[tokio::test]
async fn what_its_new_place_refuses_stays_where_it_was() {
    let mut world = two_books().await;
    move_on_phone(&world, "Ada", "Second").await;
    world.google.fault([Some(Fault::Refused)]);
    for _ in 0..3 {
        world.sync().await;
        assert_eq!(World::names(&world.google), ["Ada"], "it is nowhere else there");
    }
    let settings = Settings { retry_quarantined: true, ..world.settings() };
    world.run(&settings).await.unwrap();
    world.sync().await;
    assert_eq!(World::names(&world.google), ["Ada"], "it moved");
    world.settled("moved in the end").await;
}

#[tokio::test]
async fn what_is_moved_to_a_book_that_could_not_be_made_stays_where_it_was() {
    for fault in [Fault::LostRequest, Fault::LostReply, Fault::Throttled, Fault::Refused] {
        let mut world = World::new(false, 0);
        world.google.create(&card("Ada", &["ada@example.org"]));
        world.sync().await;
        world.phone.add_shelf("google/contacts/second", Kind::Contacts, "Second", None);
        move_on_phone(&world, "Ada", "Second").await;
        world.google.fault_collections([Some(fault), Some(fault)]);
        let is_made = |world: &World| world.google.shelves().iter().any(|shelf| shelf.name == "Second");
        while !is_made(&world) {
            assert_eq!(World::names(&world.google), ["Ada"], "{fault:?}: it is nowhere else there");
            world.sync().await;
        }
        world.sync().await;
        world.settled("moved in the end").await;
        let ada = World::find(&world.google, "Ada");
        let second = world.google.shelves().into_iter().find(|shelf| shelf.name == "Second").unwrap();
        let asked = Place { remote_id: ada, collection: second.id.clone() };
        let found = world.google.fetch(Kind::Contacts, &[asked]).await.remove(0).unwrap();
        assert_eq!(found.map(|seen| seen.collection), Some(second.id), "{fault:?}: it moved");
    }
}

#[tokio::test]
async fn what_is_moved_to_another_account_is_at_one_of_the_two_at_every_moment() {
    for fault in [Fault::Refused, Fault::Throttled, Fault::LostRequest, Fault::LostReply, Fault::Unsent, Fault::Hangs] {
        for (before, lag_ms) in [(0, 0), (1, 0), (0, 6 * 60_000), (1, 6 * 60_000)] {
            let mut world = World::new(false, lag_ms);
            // More than are written together.
            let names = ["Ada", "Grace", "Hedy", "Lise", "Mary"];
            names.iter().for_each(|name| drop(world.google.create(&card(name, &[&format!("{name}@example.org")]))));
            world.tick(2 * lag_ms);
            world.sync().await;
            for name in names {
                move_on_phone(&world, name, "Contacts").await;
            }
            world.microsoft.fault((0..before).map(|_| None).chain([Some(fault), Some(fault)]));
            for after_ms in [20_000, 20_000, 40_000, 120_000, 240_000] {
                let settings = world.settings();
                world.tick(after_ms);
                world.run(&settings).await.unwrap();
                for name in names.map(str::to_owned) {
                    let is_at = [&world.google, &world.microsoft].map(|place| World::names(place).contains(&name));
                    assert!(is_at[0] || is_at[1], "{fault:?}, {before} went before it: {name} is at neither");
                }
            }
            // The second of them may meet the last fault only now.
            for _ in 0..2 {
                world.tick(HOUR_MS);
                let settings = Settings { retry_quarantined: true, ..world.settings() };
                world.run(&settings).await.unwrap();
            }
            world.sync().await;
            assert_eq!(World::names(&world.microsoft), names, "{fault:?}: they moved");
            assert!(World::names(&world.google).is_empty(), "{fault:?}");
            world.settled("moved in the end").await;
        }
    }
}

#[tokio::test]
async fn what_is_moved_to_an_account_that_lost_its_collection_stays_at_the_first_until_somebody_decides() {
    for is_approved in [false, true] {
        let mut world = World::new(false, 0);
        world.google.create(&card("Ada", &["ada@example.org"]));
        world.microsoft.create(&card("Alan", &["alan@example.org"]));
        world.sync().await;
        world.microsoft.remove_shelf("Contacts");
        move_on_phone(&world, "Ada", "Contacts").await;
        for _ in 0..3 {
            assert_eq!(world.sync().await.exit, 4);
            assert_eq!(World::names(&world.google), ["Ada"], "it is at no other account yet");
        }
        let hold = world.hub.holds().unwrap().remove(0);
        match is_approved {
            true => world.hub.approve(&hold.id).unwrap(),
            false => world.hub.drop_hold(&hold).unwrap(),
        }
        for _ in 0..3 {
            world.sync().await;
            let is_at = [&world.google, &world.microsoft].map(|place| World::names(place).contains(&"Ada".to_owned()));
            assert!(is_at[0] || is_at[1], "approved: {is_approved}: it is at neither");
            assert!(World::names(&world.phone).contains(&"Ada".to_owned()), "approved: {is_approved}");
        }
        if !is_approved {
            assert_eq!(World::names(&world.microsoft), ["Ada", "Alan"], "it moved");
            assert!(World::names(&world.google).is_empty());
        }
        world.settled("decided").await;
    }
}

#[tokio::test]
async fn what_is_moved_back_while_its_removal_got_no_answer_is_at_one_of_the_two_at_every_moment() {
    for is_done in [false, true] {
        let mut world = World::new(false, 0);
        world.google.create(&card("Ada", &["ada@example.org"]));
        world.microsoft.create(&card("Alan", &["alan@example.org"]));
        world.sync().await;
        move_on_phone(&world, "Ada", "Contacts").await;
        world.google.fault([Some(Fault::Hangs)]);
        world.sync().await;
        assert_eq!((World::names(&world.google).len(), World::names(&world.microsoft).len()), (1, 2), "at both");
        move_on_phone(&world, "Ada", "My Contacts").await;
        for at in 0..8 {
            world.tick(20_000);
            let settings = world.settings();
            world.run(&settings).await.unwrap();
            if at == 1 && is_done {
                world.google.carry_out_late();
            }
            let is_at = [&world.google, &world.microsoft].map(|place| World::names(place).contains(&"Ada".to_owned()));
            assert!(is_at[0] || is_at[1], "done late: {is_done}, run {at}: it is at neither");
        }
        world.sync().await;
        assert_eq!(
            (World::names(&world.google), World::names(&world.microsoft)),
            (vec!["Ada".into()], vec!["Alan".into()])
        );
        world.settled("moved back").await;
    }
}

#[tokio::test]
async fn what_its_new_place_has_no_way_to_hold_stays_where_it_was() {
    let mut world = two_books().await;
    move_on_phone(&world, "Ada", "Second").await;
    world.google.fault([Some(Fault::Unsupported)]);
    for _ in 0..3 {
        world.sync().await;
        assert!(!World::names(&world.google).is_empty());
    }
}

#[tokio::test]
async fn what_is_moved_to_where_nobody_may_write_is_not_removed_where_it_was() {
    for keeps_its_name in [true, false] {
        let mut world = two_books().await;
        world.google.set_access(1, twofold_model::Access::ReadOnly);
        world.sync().await;
        if keeps_its_name {
            move_on_phone(&world, "Ada", "Second").await;
        } else {
            let folders = world.phone.collections(Kind::Contacts).await.unwrap();
            let number = folders.iter().position(|folder| folder.name == "Second").unwrap();
            let here = World::find(&world.phone, "Ada");
            world.phone.duplicate(&here, number, |_| {});
            world.phone.delete(&here);
        }
        let report = world.sync().await;
        assert!(report.troubles.iter().any(|words| words.contains("the change was undone")), "{:?}", report.troubles);
        for _ in 0..2 {
            assert_eq!(World::names(&world.google), ["Ada"], "keeps its name: {keeps_its_name}");
            world.sync().await;
        }
        assert_eq!(World::names(&world.phone), ["Ada"], "keeps its name: {keeps_its_name}");
        world.settled("moved back").await;
    }
}

#[tokio::test]
async fn what_was_withheld_for_lack_of_rights_is_made_once_they_are_there() {
    let mut world = seeded(true);
    world.sync().await;
    world.microsoft.set_access(0, twofold_model::Access::ReadOnly);
    world.phone.create(&card("Rosa", &["rosa@example.org"]));
    world.sync().await;
    world.sync().await;
    assert!(!World::names(&world.microsoft).contains(&"Rosa".to_owned()));
    world.microsoft.set_access(0, twofold_model::Access::ReadWrite);
    world.sync().await;
    world.settled("allowed").await;
}

#[tokio::test]
async fn a_change_that_a_place_has_no_way_to_hold_is_listed_and_not_tried_again() {
    let mut world = seeded(false);
    world.sync().await;
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Odd"));
    world.google.fault([Some(Fault::Unsupported)]);
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{:?}", report.troubles);
    let writes = world.writes();
    world.sync().await;
    assert_eq!(world.writes(), writes, "nothing has changed, so nothing is tried");
}

/// Google and Microsoft have a joined book; Google has a second one with Zoe in it.
async fn joined_and_second(joined: bool) -> World {
    let mut world = seeded(joined);
    add_collection(&world.google, "Second").await;
    world.google.create_in(1, &card("Zoe", &["zoe@example.org"]));
    assert_eq!(world.sync().await.exit, 0);
    world
}

fn has_shelf(place: &Memory, name: &str) -> bool {
    place.shelves().iter().any(|shelf| shelf.name == name)
}

#[tokio::test]
async fn what_is_moved_into_a_joined_book_that_one_account_refuses_leaves_as_soon_as_the_other_one_has_it() {
    for fault in [Fault::Refused, Fault::Hangs] {
        let mut world = joined_and_second(true).await;
        let places = |place: &Memory| World::names(place).iter().filter(|name| *name == "Zoe").count();
        if fault == Fault::Hangs {
            // Nothing is written there before.
            world.phone.edit(&World::find(&world.phone, "Alan"), rename("Alan Turing"));
            world.microsoft.fault([Some(fault)]);
            world.sync().await;
        } else {
            world.microsoft.fault(std::iter::repeat_n(Some(fault), 20));
        }
        move_on_phone(&world, "Zoe", "My Contacts").await;
        let settings = world.settings();
        let runs = if fault == Fault::Hangs { 2 } else { 1 };
        for _ in 0..runs {
            world.tick(1_000);
            world.run(&settings).await.unwrap();
        }
        assert_eq!((places(&world.google), places(&world.phone)), (1, 1), "{fault:?}");
        assert_eq!(places(&world.microsoft), 0, "{fault:?}: it is not there yet");
    }
}

#[tokio::test]
async fn what_is_moved_to_an_account_that_has_no_way_to_hold_it_is_not_made_there_over_and_over() {
    let mut world = World::new(false, 0);
    world.google.create(&card("Ada", &["ada@example.org"]));
    world.sync().await;
    move_on_phone(&world, "Ada", "Contacts").await;
    world.microsoft.fault([Some(Fault::Unsupported)]);
    for _ in 0..3 {
        world.sync().await;
        assert!(World::names(&world.microsoft).is_empty(), "it is asked once");
        assert_eq!(World::names(&world.phone), ["Ada"]);
    }
}

#[tokio::test]
async fn what_is_moved_into_a_joined_book_that_one_account_lost_is_made_at_the_other_and_then_leaves() {
    let mut world = joined_and_second(true).await;
    world.google.remove_shelf("My Contacts");
    assert_eq!(world.sync().await.exit, 4);
    world.hub.approve(&world.hub.holds().unwrap()[0].id).unwrap();
    world.sync().await;
    assert_eq!(world.sync().await.exit, 2, "the join names what is not there");
    world.joined = false;
    move_on_phone(&world, "Zoe", "My Contacts").await;
    world.microsoft.set_offline(true);
    world.sync().await;
    assert_eq!(World::names(&world.google), ["Zoe"], "it stays while it cannot be made");
    world.microsoft.set_offline(false);
    world.sync().await;
    assert_eq!((World::names(&world.google), World::names(&world.microsoft)), (vec![], vec!["Zoe".to_owned()]));
    world.settled("moved").await;
}

#[tokio::test]
async fn what_is_moved_into_a_joined_book_that_no_account_has_any_more_is_never_on_the_device_alone() {
    // Before or after the run that carries out what was approved, or once the join is out of the configuration.
    for moved_before in 0..4 {
        let mut world = joined_and_second(true).await;
        world.google.remove_shelf("My Contacts");
        world.microsoft.remove_shelf("Contacts");
        assert_eq!(world.sync().await.exit, 4);
        world.hub.holds().unwrap().iter().for_each(|hold| world.hub.approve(&hold.id).unwrap());
        for run in 0..6 {
            if run == moved_before && has_shelf(&world.phone, "My Contacts") {
                move_on_phone(&world, "Zoe", "My Contacts").await;
            }
            world.joined = run < 2;
            world.sync().await;
            assert_eq!(World::names(&world.google), ["Zoe"], "moved before run {moved_before}, run {run}");
        }
        assert_eq!(has_shelf(&world.phone, "My Contacts"), has_shelf(&world.google, "My Contacts"), "{moved_before}");
        world.settled("moved").await;
    }
}

#[tokio::test]
async fn what_is_moved_into_a_book_that_a_join_makes_leave_is_in_what_follows_it() {
    let (mut stops, mut in_leaving) = (0, 0);
    for joined in [false, true] {
        for at in (0..).step_by(7) {
            let mut world = joined_and_second(joined).await;
            world.joined = !joined;
            world.steps.store(0, Ordering::SeqCst);
            world.stop_at.store(at, Ordering::SeqCst);
            let settings = world.settings();
            let _ = world.run(&settings).await;
            let was_stopped = world.dead.load(Ordering::SeqCst);
            world.stop_at.store(usize::MAX, Ordering::SeqCst);
            in_leaving += usize::from(!world.hub.successors().unwrap().is_empty());
            move_on_phone(&world, "Zoe", "My Contacts").await;
            for _ in 0..2 {
                world.sync().await;
                let is_there = |name: &str| World::names(&world.google).iter().filter(|one| *one == name).count();
                assert_eq!(is_there("Zoe"), 1, "joined before: {joined}, stopped at step {at}");
            }
            let second = world.google.shelves()[1].id.clone();
            let asked = Place { remote_id: World::find(&world.google, "Zoe"), collection: second.clone() };
            let found = world.google.fetch(Kind::Contacts, &[asked]).await.remove(0).unwrap();
            assert_ne!(found.map(|seen| seen.collection), Some(second), "{joined}, step {at}: it moved");
            world.settled(&format!("joined before: {joined}, stopped at step {at}")).await;
            if !was_stopped {
                break;
            }
            stops += 1;
        }
    }
    assert!(stops > 10 && in_leaving > 2, "{stops} stops, {in_leaving} of them while a collection leaves");
}
