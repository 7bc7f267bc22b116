//! Collections of their own: names, colours, what is made and what is deleted, on whichever side (ENGINE 9). The world is one of
//! calendars here: no kind is a special case.

use super::*;
use twofold_model::connector::Collection;

const RED: &str = "#ff0000";
const BLUE: &str = "#0000ff";

/// Google has a calendar "Work" besides its default one, and two events in it; all of it is on the phone.
async fn calendars() -> World {
    let mut world = World::of(Kind::Calendar, false, 0);
    world.google.add_shelf("work", Kind::Calendar, "Work", Some(RED));
    world.google.create(&card("Ada", &[]));
    for name in ["Standup", "Review"] {
        world.google.create_in(1, &card(name, &[]));
    }
    let report = world.sync().await;
    assert_eq!((report.exit, report.troubles), (0, Vec::new()));
    world
}

fn shelf(place: &Memory, name: &str) -> Option<Collection> {
    place.shelves().into_iter().find(|shelf| shelf.name == name)
}

fn number(place: &Memory, name: &str) -> usize {
    place.shelves().iter().position(|shelf| shelf.name == name).expect(name)
}

fn color(place: &Memory, name: &str) -> Option<String> {
    shelf(place, name).and_then(|shelf| shelf.color)
}

fn says(report: &Report, words: &str) -> bool {
    report.troubles.iter().any(|trouble| trouble.contains(words))
}

/// A further run changes no collection anywhere, and has nothing to say.
async fn quiet(world: &mut World) {
    let writes = |world: &World| [&world.google, &world.microsoft, &world.phone].map(Memory::collection_writes);
    let before = writes(world);
    world.settled("collections").await;
    assert_eq!(writes(world), before, "a second run changes no collection");
}

/// Deletes "Work" on the phone; the run holds it.
async fn held_on_the_phone(world: &mut World) -> String {
    world.phone.remove_shelf("Work");
    let report = world.sync().await;
    assert_eq!(report.exit, 4, "{:?}", report.troubles);
    let holds = world.hub.holds().unwrap();
    assert_eq!(holds.len(), 1, "one hold, however many events: {holds:?}");
    assert!(shelf(&world.google, "Work").is_some() && World::names(&world.google).len() == 3);
    holds[0].id.clone()
}

#[tokio::test]
async fn a_name_and_a_colour_set_at_the_provider_reach_the_device() {
    let mut world = calendars().await;
    assert_eq!(color(&world.phone, "Work").as_deref(), Some(RED));
    world.google.label(number(&world.google, "Work"), "Job", Some(BLUE));
    world.sync().await;
    assert_eq!(color(&world.phone, "Job").as_deref(), Some(BLUE));
    // A colour alone too.
    world.google.label(number(&world.google, "Job"), "Job", Some(RED));
    world.sync().await;
    assert_eq!(color(&world.phone, "Job").as_deref(), Some(RED));
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_name_and_a_colour_set_on_the_device_reach_the_provider() {
    let mut world = calendars().await;
    world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE));
    let report = world.sync().await;
    assert_eq!((report.exit, report.troubles), (0, Vec::new()));
    assert_eq!(color(&world.google, "Job").as_deref(), Some(BLUE));
    assert_eq!(world.google.collection_writes(), 1);
    quiet(&mut world).await;
}

#[tokio::test]
async fn what_is_written_otherwise_or_not_at_all_is_no_change() {
    let mut world = calendars().await;
    let work = number(&world.phone, "Work");
    for (name, color) in [("Work", Some("#FF0000FF")), ("Work", None), ("", Some(RED)), ("Work", Some("red"))] {
        world.phone.label(work, name, color);
        world.sync().await;
        assert_eq!(world.google.collection_writes(), 0, "{name:?} {color:?}");
        assert_eq!(color_of_work(&world).as_deref(), Some(RED));
    }
}

fn color_of_work(world: &World) -> Option<String> {
    color(&world.google, "Work")
}

#[tokio::test]
async fn where_both_sides_changed_a_name_the_providers_counts_and_the_run_says_so() {
    let mut world = calendars().await;
    world.google.label(number(&world.google, "Work"), "Office", Some(RED));
    world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE));
    let report = world.sync().await;
    assert!(says(&report, "\"Office\" counts, \"Job\" was not taken"), "{:?}", report.troubles);
    for place in [&world.google, &world.phone] {
        assert_eq!(color(place, "Office").as_deref(), Some(BLUE), "the colour was changed on one side only");
    }
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_clash_over_time_is_one_too() {
    let mut world = calendars().await;
    // The phone's name does not reach the provider, which gets another one meanwhile.
    world.google.fault_collections([Some(Fault::Throttled)]);
    world.phone.label(number(&world.phone, "Work"), "Job", Some(RED));
    assert_eq!(world.sync().await.exit, 75);
    world.google.label(number(&world.google, "Work"), "Office", Some(RED));
    let report = world.sync().await;
    assert!(says(&report, "\"Office\" counts"), "{:?}", report.troubles);
    assert!(shelf(&world.google, "Office").is_some() && shelf(&world.phone, "Office").is_some());
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_lost_reply_or_request_never_brings_the_old_name_back() {
    for fault in [Fault::LostReply, Fault::LostRequest, Fault::Throttled] {
        let mut world = calendars().await;
        world.google.fault_collections([Some(fault)]);
        world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE));
        assert_eq!(world.sync().await.exit, 75, "{fault:?}");
        assert_eq!(world.sync().await.exit, 0, "{fault:?}");
        for place in [&world.google, &world.phone] {
            assert_eq!(color(place, "Job").as_deref(), Some(BLUE), "{fault:?}");
            assert!(shelf(place, "Work").is_none(), "{fault:?}");
        }
        quiet(&mut world).await;
    }
}

#[tokio::test]
async fn a_list_that_shows_the_old_name_for_a_while_changes_nothing_back() {
    let mut world = World::of(Kind::Calendar, false, 0);
    world.google = Memory::of(Kind::Calendar, "Calendar", Manners { reads_lag_ms: HOUR_MS, ..Manners::default() });
    world.google.add_shelf("work", Kind::Calendar, "Work", None);
    world.sync().await;
    world.phone.label(number(&world.phone, "Work"), "Job", None);
    world.sync().await;
    assert!(shelf(&world.google, "Job").is_some());
    let job = number(&world.google, "Job");
    world.google.label(job, "Work", None);
    world.sync().await;
    assert!(shelf(&world.phone, "Job").is_some(), "the list lags");
    world.google.label(job, "Job", None);
    quiet(&mut world).await;
    // What it still says after that is somebody's wish.
    world.tick(2 * HOUR_MS);
    world.google.label(job, "Work", None);
    world.sync().await;
    assert!(shelf(&world.phone, "Work").is_some());
}

/// A calendar "Work" whose account's lists lag, and that the phone called "Job".
async fn just_told() -> (World, usize) {
    let mut world = World::of(Kind::Calendar, false, 0);
    world.google = Memory::of(Kind::Calendar, "Calendar", Manners { reads_lag_ms: HOUR_MS, ..Manners::default() });
    world.google.add_shelf("work", Kind::Calendar, "Work", Some(BLUE));
    world.sync().await;
    world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE));
    world.sync().await;
    let job = number(&world.google, "Job");
    (world, job)
}

#[tokio::test]
async fn a_name_that_somebody_gives_right_after_another_was_told_is_followed_at_once() {
    let (mut world, job) = just_told().await;
    world.google.label(job, "Office", Some(BLUE));
    world.sync().await;
    assert!(shelf(&world.phone, "Office").is_some(), "neither what it was nor what it was told");
    quiet(&mut world).await;
    // The name that was told was there, so the one before it is somebody's wish too.
    world.google.label(job, "Work", Some(BLUE));
    world.sync().await;
    assert!(shelf(&world.phone, "Work").is_some());
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_list_that_showed_the_new_name_once_may_bring_the_old_one_back() {
    let (mut world, job) = just_told().await;
    world.google.label(job, "Work", Some(BLUE));
    world.sync().await;
    assert!(shelf(&world.phone, "Job").is_some(), "the list lags");
    world.google.label(job, "Job", Some(BLUE));
    world.sync().await;
    world.google.label(job, "Work", Some(BLUE));
    world.sync().await;
    assert!(shelf(&world.phone, "Work").is_some());
    quiet(&mut world).await;
}

#[tokio::test]
async fn of_two_names_told_one_after_the_other_a_list_may_still_show_what_was_before_either() {
    let (mut world, job) = just_told().await;
    world.google.label(job, "Work", Some(BLUE));
    world.phone.label(number(&world.phone, "Job"), "Trade", Some(BLUE));
    world.sync().await;
    assert!(shelf(&world.google, "Trade").is_some());
    for old in ["Work", "Job"] {
        world.google.label(job, old, Some(BLUE));
        world.sync().await;
        assert!(shelf(&world.phone, "Trade").is_some(), "{old}: the list lags");
    }
    world.google.label(job, "Trade", Some(BLUE));
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_colour_that_somebody_gives_while_the_list_shows_the_old_name_is_followed_and_the_name_is_not() {
    let (mut world, job) = just_told().await;
    world.google.label(job, "Work", Some(RED));
    world.sync().await;
    assert_eq!(color(&world.phone, "Job").as_deref(), Some(RED));
    world.google.label(job, "Job", Some(RED));
    quiet(&mut world).await;
}

#[tokio::test]
async fn what_a_place_has_no_room_for_neither_comes_back_nor_is_sent_again() {
    let mut world = World::of(Kind::Calendar, false, 0);
    world.google = Memory::of(Kind::Calendar, "Calendar", Manners { is_colorless: true, ..Manners::default() });
    world.google.add_shelf("work", Kind::Calendar, "Work", None);
    world.sync().await;
    world.phone.label(number(&world.phone, "Work"), "Work", Some(BLUE));
    world.sync().await;
    assert_eq!((color(&world.phone, "Work").as_deref(), color(&world.google, "Work")), (Some(BLUE), None));
    quiet(&mut world).await;
    // The name still goes both ways.
    world.google.label(number(&world.google, "Work"), "Job", None);
    world.sync().await;
    assert_eq!(color(&world.phone, "Job").as_deref(), Some(BLUE));
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_name_that_is_refused_stays_on_the_device_and_is_told_until_it_is_taken() {
    let mut world = calendars().await;
    world.google.fault_collections([Some(Fault::Refused)]);
    world.phone.label(number(&world.phone, "Work"), "Job", Some(RED));
    for _ in 0..2 {
        let report = world.sync().await;
        assert!(says(&report, "\"Work\" stays as it is there"), "{:?}", report.troubles);
        assert_eq!(report.exit, 5);
        assert_eq!(world.google.collection_writes(), 0, "it waits for its next try");
        assert!(shelf(&world.google, "Work").is_some() && shelf(&world.phone, "Job").is_some());
    }
    let settings = Settings { retry_quarantined: true, ..world.settings() };
    world.run(&settings).await.unwrap();
    assert!(shelf(&world.google, "Job").is_some());
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_read_only_calendar_is_shown_on_the_device_and_never_written_nor_renamed() {
    let mut world = calendars().await;
    let work = number(&world.google, "Work");
    world.google.set_access(work, twofold_model::Access::ReadOnly);
    world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE));
    world.phone.edit(&World::find(&world.phone, "Review"), rename("Reviewed"));
    let report = world.sync().await;
    assert!(says(&report, "the change was undone"), "{:?}", report.troubles);
    assert_eq!((world.google.writes(), world.google.collection_writes()), (0, 0));
    assert!(World::names(&world.phone).contains(&"Review".to_owned()));
    quiet(&mut world).await;
    world.google.label(work, "Office", Some(RED));
    world.google.create_in(work, &card("Retro", &[]));
    world.sync().await;
    assert!(shelf(&world.phone, "Office").is_some() && World::names(&world.phone).contains(&"Retro".to_owned()));
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_folder_made_on_the_device_is_made_at_the_provider_with_its_colour_whatever_gets_lost() {
    for fault in [None, Some(Fault::LostReply), Some(Fault::LostRequest)] {
        let mut world = calendars().await;
        let club = world.phone.add_shelf("google/calendar/Club", Kind::Calendar, "Club", Some(BLUE));
        world.phone.create_in(club, &card("Rehearsal", &[]));
        world.google.fault_collections([fault]);
        let report = world.sync().await;
        assert_eq!(report.exit, if fault.is_some() { 75 } else { 0 }, "{fault:?} {:?}", report.troubles);
        world.sync().await;
        assert_eq!(world.google.shelves().len(), 3, "one, and only one: {:?}", world.google.shelves());
        assert_eq!(color(&world.google, "Club").as_deref(), Some(BLUE), "{fault:?}");
        assert!(World::names(&world.google).contains(&"Rehearsal".to_owned()), "{fault:?}");
        assert_eq!(world.phone.shelves().len(), 4, "no second folder: {:?}", world.phone.shelves());
        quiet(&mut world).await;
    }
}

#[tokio::test]
async fn a_calendar_deleted_on_the_device_is_one_hold_and_goes_at_the_provider_once_approved() {
    let mut world = calendars().await;
    let hold = held_on_the_phone(&mut world).await;
    world.hub.approve(&hold).unwrap();
    let report = world.sync().await;
    assert_eq!((report.exit, report.troubles), (0, Vec::new()));
    assert!(shelf(&world.google, "Work").is_none() && shelf(&world.phone, "Work").is_none());
    assert_eq!(World::names(&world.google), ["Ada"]);
    assert!(world.has_said("Review"), "what was in it stays in the hub");
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_lost_reply_to_the_deletion_of_a_calendar_neither_holds_nor_brings_it_back() {
    for fault in [Fault::LostReply, Fault::LostRequest, Fault::Throttled] {
        let mut world = calendars().await;
        let hold = held_on_the_phone(&mut world).await;
        world.hub.approve(&hold).unwrap();
        world.google.fault_collections([Some(fault)]);
        assert_eq!(world.sync().await.exit, 75, "{fault:?}");
        assert_eq!(world.sync().await.exit, 0, "{fault:?}");
        assert!(shelf(&world.google, "Work").is_none() && shelf(&world.phone, "Work").is_none(), "{fault:?}");
        quiet(&mut world).await;
    }
}

#[tokio::test]
async fn what_was_added_to_a_calendar_since_keeps_it() {
    let mut world = calendars().await;
    let hold = held_on_the_phone(&mut world).await;
    world.hub.approve(&hold).unwrap();
    world.google.create_in(number(&world.google, "Work"), &card("Retro", &[]));
    let report = world.sync().await;
    assert!(says(&report, "was not deleted: 1 items in it are new or were changed"), "{:?}", report.troubles);
    world.sync().await;
    assert!(shelf(&world.google, "Work").is_some() && shelf(&world.phone, "Work").is_some());
    assert_eq!(World::names(&world.phone), ["Ada", "Retro"]);
    quiet(&mut world).await;
}

#[tokio::test]
async fn what_is_found_in_a_calendar_right_before_it_goes_keeps_it() {
    let mut world = calendars().await;
    let hold = held_on_the_phone(&mut world).await;
    world.hub.approve(&hold).unwrap();
    // Its events are gone, the calendar itself could not be deleted yet; then somebody puts something into it.
    world.google.fault_collections([Some(Fault::Throttled)]);
    world.sync().await;
    world.google.create_in(number(&world.google, "Work"), &card("Retro", &[]));
    let report = world.sync().await;
    assert!(says(&report, "was not deleted"), "{:?}", report.troubles);
    assert_eq!(World::names(&world.google), ["Ada", "Retro"]);
    assert_eq!(World::names(&world.phone), ["Ada", "Retro"], "and comes back within the run");
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_deletion_on_the_device_that_was_wrong_is_put_back() {
    let mut world = calendars().await;
    let hold = held_on_the_phone(&mut world).await;
    let hold = world.hub.hold(&hold).unwrap().unwrap();
    world.hub.drop_hold(&hold).unwrap();
    world.sync().await;
    assert_eq!(color(&world.phone, "Work").as_deref(), Some(RED));
    assert_eq!(World::names(&world.phone).len(), 3);
    quiet(&mut world).await;
}

#[tokio::test]
async fn the_default_calendar_is_never_deleted_nor_what_is_in_it() {
    let mut world = calendars().await;
    world.phone.remove_shelf("Calendar");
    assert_eq!(world.sync().await.exit, 4);
    let hold = world.hub.holds().unwrap().remove(0);
    world.hub.approve(&hold.id).unwrap();
    let report = world.sync().await;
    assert!(says(&report, "is one that stays"), "{:?}", report.troubles);
    assert_eq!((world.google.writes(), world.google.collection_writes()), (0, 0));
    assert!(World::names(&world.phone).contains(&"Ada".to_owned()), "the folder is back, and what is in it");
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_joined_folder_comes_back_and_nothing_in_it_is_deleted() {
    let mut world = seeded(true);
    world.sync().await;
    world.phone.remove_shelf("My Contacts");
    assert_eq!(world.sync().await.exit, 4);
    let hold = world.hub.holds().unwrap().remove(0);
    world.hub.approve(&hold.id).unwrap();
    let (google, microsoft) = (world.google.writes(), world.microsoft.writes());
    let report = world.sync().await;
    assert!(says(&report, "is part of a [[join]]"), "{:?}", report.troubles);
    assert_eq!((world.google.writes(), world.microsoft.writes()), (google, microsoft));
    quiet(&mut world).await;
}

#[tokio::test]
async fn of_a_joined_collection_the_provider_that_named_it_counts() {
    let mut world = seeded(true);
    world.sync().await;
    world.microsoft.label(0, "Kontakte", None);
    world.sync().await;
    assert!(shelf(&world.phone, "My Contacts").is_some() && shelf(&world.google, "My Contacts").is_some());
    world.phone.label(0, "People", None);
    world.sync().await;
    assert!(shelf(&world.google, "People").is_some());
    assert!(shelf(&world.microsoft, "Kontakte").is_some(), "the other keeps its own");
    quiet(&mut world).await;
}

#[tokio::test]
async fn promise_8_a_calendar_of_the_device_of_which_all_is_held_is_made_at_the_provider_with_the_word_for_it() {
    let mut world = calendars().await;
    let old = world.phone.add_shelf("google/calendar/Old", Kind::Calendar, "Old", Some(BLUE));
    (0..6).for_each(|n| _ = world.phone.create_in(old, &card(&format!("Rehearsal {n}"), &[])));
    for _ in 0..2 {
        assert_eq!(world.sync().await.exit, 4);
        assert!(shelf(&world.google, "Old").is_none(), "it waits with what is in it");
    }
    let hold = world.hub.holds().unwrap().remove(0);
    assert!(hold.reason.contains("nor was the folder"), "{}", hold.reason);
    world.hub.approve(&hold.id).unwrap();
    assert_eq!(world.sync().await.exit, 0);
    assert_eq!(color(&world.google, "Old").as_deref(), Some(BLUE));
    assert!(World::names(&world.google).contains(&"Rehearsal 5".to_owned()));
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_folder_with_no_name_file_is_called_as_it_is() {
    let mut world = calendars().await;
    let club = world.phone.add_shelf("google/calendar/Club", Kind::Calendar, "", None);
    world.phone.create_in(club, &card("Rehearsal", &[]));
    world.sync().await;
    assert!(shelf(&world.google, "Club").is_some());
}

#[tokio::test]
async fn somebody_elses_calendar_leaves_the_list_and_keeps_what_is_in_it() {
    for fault in [None, Some(Fault::LostReply), Some(Fault::LostRequest)] {
        let mut world = calendars().await;
        world.google.set_access(1, twofold_model::Access::ReadOnly);
        world.sync().await;
        let hold = held_on_the_phone(&mut world).await;
        world.hub.approve(&hold).unwrap();
        world.google.fault_collections([fault]);
        world.sync().await;
        world.sync().await;
        assert_eq!(world.google.writes(), 0, "no event of theirs was deleted: {fault:?}");
        assert!(shelf(&world.google, "Work").is_none() && shelf(&world.phone, "Work").is_none(), "{fault:?}");
        quiet(&mut world).await;
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_keeps_all_of_a_calendar_until_it_can() {
    let mut world = calendars().await;
    let hold = held_on_the_phone(&mut world).await;
    world.hub.approve(&hold).unwrap();
    world.google.set_offline(true);
    world.sync().await;
    world.google.set_offline(false);
    world.sync().await;
    assert!(shelf(&world.google, "Work").is_none());
    quiet(&mut world).await;
}

#[tokio::test]
async fn a_calendar_deleted_at_the_provider_is_one_hold_and_its_folder_goes_once_approved() {
    let mut world = calendars().await;
    world.google.remove_shelf("Work");
    assert_eq!(world.sync().await.exit, 4);
    assert_eq!(World::names(&world.phone).len(), 3);
    let hold = world.hub.holds().unwrap().remove(0);
    world.hub.approve(&hold.id).unwrap();
    let report = world.sync().await;
    assert_eq!((report.exit, report.troubles), (0, Vec::new()));
    assert!(shelf(&world.phone, "Work").is_none() && World::names(&world.phone) == ["Ada"]);
    quiet(&mut world).await;
}

#[tokio::test]
async fn an_edit_on_the_device_makes_a_calendar_again_that_was_deleted_at_the_provider() {
    let mut world = calendars().await;
    world.google.remove_shelf("Work");
    world.sync().await;
    let hold = world.hub.holds().unwrap().remove(0);
    world.hub.approve(&hold.id).unwrap();
    world.phone.edit(&World::find(&world.phone, "Review"), rename("Reviewed"));
    world.sync().await;
    world.sync().await;
    assert_eq!(World::names(&world.google), ["Ada", "Reviewed"]);
    assert_eq!(color(&world.google, "Work").as_deref(), Some(RED));
    quiet(&mut world).await;
}

/// What a user does, and whether what is held then is approved.
type Deed = (&'static str, bool, fn(&World));

const DEEDS: &[Deed] = &[
    ("renamed on the device", false, |world| world.phone.label(number(&world.phone, "Work"), "Job", Some(BLUE))),
    ("renamed at the provider", false, |world| world.google.label(number(&world.google, "Work"), "Job", Some(BLUE))),
    ("made on the device", false, |world| {
        let job = world.phone.add_shelf("google/calendar/Job", Kind::Calendar, "Job", Some(BLUE));
        world.phone.create_in(job, &card("Rehearsal", &[]));
        // The one that was there is of no more interest.
        world.phone.label(number(&world.phone, "Work"), "Other", Some(RED));
    }),
    ("made on the device, and nothing stands in it yet", false, |world| {
        let job = world.phone.add_shelf("google/calendar/Job", Kind::Calendar, "Job", Some(BLUE));
        world.phone.unmark(job);
        world.phone.label(number(&world.phone, "Work"), "Other", Some(RED));
    }),
    ("deleted on the device", true, |world| world.phone.remove_shelf("Work")),
    ("deleted at the provider", true, |world| world.google.remove_shelf("Work")),
];

#[tokio::test]
async fn collections_that_change_stopped_at_every_step_end_the_same() {
    let mut stops = 0;
    for (what, is_held, act) in DEEDS {
        for at in 0.. {
            let mut world = calendars().await;
            act(&world);
            if *is_held {
                world.sync().await;
                let hold = world.hub.holds().unwrap().remove(0);
                world.hub.approve(&hold.id).unwrap();
            }
            world.tick(60_000);
            world.steps.store(0, Ordering::SeqCst);
            world.stop_at.store(at, Ordering::SeqCst);
            let settings = world.settings();
            let _ = world.run(&settings).await;
            let was_stopped = world.dead.load(Ordering::SeqCst);
            world.stop_at.store(usize::MAX, Ordering::SeqCst);
            for _ in 0..2 {
                world.sync().await;
            }
            for place in [&world.google, &world.phone] {
                let job = color(place, "Job");
                assert_eq!(job.as_deref(), Some(BLUE).filter(|_| !is_held), "{what}, stopped at step {at}");
                assert!(shelf(place, "Work").is_none(), "{what}, stopped at step {at}");
            }
            quiet(&mut world).await;
            if !was_stopped {
                break;
            }
            stops += 1;
        }
    }
    assert!(stops > 60, "{stops}");
}

#[tokio::test]
async fn a_name_that_was_told_under_a_clock_that_ran_ahead_hides_no_later_one() {
    let mut world = World::of(Kind::Calendar, false, 0);
    world.google = Memory::of(Kind::Calendar, "Calendar", Manners { reads_lag_ms: HOUR_MS, ..Manners::default() });
    world.google.add_shelf("work", Kind::Calendar, "Work", None);
    world.sync().await;
    world.tick(30 * DAY_MS);
    world.phone.label(number(&world.phone, "Work"), "Job", None);
    world.sync().await;
    world.tick(-30 * DAY_MS + 2 * HOUR_MS);
    world.google.label(number(&world.google, "Job"), "Office", None);
    world.sync().await;
    assert!(shelf(&world.phone, "Office").is_some());
}

#[tokio::test]
async fn a_dry_run_removes_no_more_than_a_run_would() {
    for is_others in [false, true] {
        let mut world = calendars().await;
        if is_others {
            world.google.set_access(1, twofold_model::Access::ReadOnly);
            world.sync().await;
        }
        world.phone.remove_shelf(if is_others { "Work" } else { "Calendar" });
        world.sync().await;
        let hold = world.hub.holds().unwrap().remove(0);
        world.hub.approve(&hold.id).unwrap();
        let before = world.google.shelves().len();
        world.tick(60_000);
        let settings = Settings { dry_run: true, ..world.settings() };
        let report = world.run(&settings).await.unwrap();
        let sent: usize = report.replicas.iter().map(|row| row.sent_deleted).sum();
        assert_eq!(sent, 0, "somebody else's: {is_others}");
        assert_eq!(says(&report, "is one that stays"), !is_others);
        assert_eq!((world.google.shelves().len(), world.google.writes()), (before, 0));
        assert!(world.hub.hold(&hold.id).unwrap().is_some_and(|hold| hold.is_approved), "and nothing is forgotten");
    }
}
