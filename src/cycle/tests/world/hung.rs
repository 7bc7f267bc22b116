//! What hung is left alone for a while; what stands beside it is not. All on a clock that is turned by hand.

use super::*;
use std::time::Duration;
use tokio::time::Instant;
use twofold_model::memory::Asked;

const MINUTE_MS: i64 = 60_000;
const HANGS: Duration = Duration::from_secs(30);

/// The same place, which hangs over what it is asked for. On a clock that is turned.
fn hanging(place: &Memory, over: Asked) -> Memory {
    let own = place.clone();
    place.waiting(Arc::new(move |asked| {
        let own = own.clone();
        Box::pin(async move {
            if asked == over {
                let _awaited = own.awaited();
                tokio::time::sleep(HANGS).await;
            }
        })
    }))
}

/// Google has two address books, over the lists of one of which it hangs. `by_themselves`: each is asked for by requests of its own.
async fn with_one_that_hangs(by_themselves: bool) -> World {
    let mut world = World::new(false, 0);
    let manners = Manners { emails: 5, trims: true, by_themselves, ..Manners::default() };
    world.google = Memory::new("My Contacts", manners);
    world.google = hanging(&world.google, Asked::WhatHangs);
    add_collection(&world.google, "Team").await;
    world.google.create(&card("Ada", &["ada@example.org"]));
    world.google.create_in(1, &card("Grace", &["grace@example.org"]));
    world.microsoft.create(&card("Alan", &["alan@example.org"]));
    world.sync().await;
    world.google.set_hanging(0, true);
    world
}

/// A run, a minute or so after the one before. Answers how many seconds it took.
async fn run(world: &mut World, after_ms: i64, settings: Settings) -> (u64, Report) {
    world.tick(after_ms);
    let began = Instant::now();
    let report = world.run(&settings).await.unwrap();
    assert_eq!(report.exit, 75, "{:?}", report.troubles);
    let says = |words: &String| words.starts_with("google: ") && words.contains("\"My Contacts\"");
    assert_eq!(report.troubles.iter().filter(|words| says(words)).count(), 1, "{:?}", report.troubles);
    assert!(report.troubles[0].contains("it does not answer"), "{:?}", report.troubles);
    (began.elapsed().as_secs(), report)
}

async fn is_settled(world: &mut World, names: [&str; 3]) {
    world.google.set_hanging(0, false);
    world.tick(HOUR_MS);
    world.sync().await;
    assert_eq!(World::names(&world.phone), names);
    world.settled("it answers again").await;
}

#[tokio::test(start_paused = true)]
async fn a_collection_over_which_its_place_hangs_holds_the_others_once_and_then_less_and_less_often() {
    let mut world = with_one_that_hangs(true).await;
    let mut took = Vec::new();
    for minute in 1..=16 {
        let name = format!("Grace {minute}");
        world.google.edit(&world.google.contents()[1].0, rename(&name));
        let settings = world.settings();
        settings.calls.is_waited_for.store(minute % 2 == 0, Ordering::SeqCst);
        took.push(run(&mut world, MINUTE_MS, settings).await.0);
        assert!(World::names(&world.phone).contains(&name), "what stands beside it comes with each run");
    }
    assert_eq!(took, [30, 30, 0, 30, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 30]);
    is_settled(&mut world, ["Ada", "Alan", "Grace 16"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_together_with_one_that_hangs_is_asked_for_without_it_the_next_time() {
    let mut world = with_one_that_hangs(false).await;
    world.google.edit(&World::find(&world.google, "Grace"), rename("Grace Hopper"));
    let settings = world.settings();
    world.tick(MINUTE_MS);
    world.run(&settings).await.unwrap();
    assert!(World::names(&world.phone).contains(&"Grace".to_owned()), "nobody knows which it is");
    let settings = world.settings();
    assert_eq!(run(&mut world, MINUTE_MS, settings).await.0, 30);
    assert!(World::names(&world.phone).contains(&"Grace Hopper".to_owned()), "{:?}", World::names(&world.phone));
    world.google.edit(&World::find(&world.google, "Grace Hopper"), rename("Amazing Grace"));
    let settings = world.settings();
    assert_eq!(run(&mut world, MINUTE_MS, settings).await.0, 0);
    is_settled(&mut world, ["Ada", "Alan", "Amazing Grace"]).await;
}

#[tokio::test]
async fn a_collection_that_fails_beside_others_is_left_alone_for_a_while_and_one_that_is_the_only_one_is_not() {
    for is_alone in [false, true] {
        let mut world = seeded(false);
        if !is_alone {
            add_collection(&world.google, "Team").await;
        }
        world.sync().await;
        world.google.set_listed(0, false);
        let settings = world.settings();
        world.tick(MINUTE_MS);
        let first = world.run(&settings).await.unwrap();
        assert_eq!((first.exit, first.down.is_empty()), (75, !is_alone), "{:?}", first.troubles);
        world.google.set_listed(0, true);
        world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
        world.tick(10_000);
        let second = world.run(&settings).await.unwrap();
        let has_come = |world: &World| World::names(&world.phone).contains(&"Ada King".to_owned());
        // Where nothing else is read the service leaves all of it alone.
        assert_eq!((second.exit, has_come(&world)), if is_alone { (0, true) } else { (75, false) }, "{is_alone}");
        if !is_alone {
            assert_eq!(second.troubles, first.troubles, "it is one trouble");
            assert_eq!(second.again[&Kind::Contacts], world.now.load(Ordering::SeqCst) + 50_000);
        }
        world.tick(50_000);
        assert_eq!(world.run(&settings).await.unwrap().exit, 0);
        assert!(has_come(&world));
        world.settled("it is read again").await;
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_who_asks_for_a_run_has_all_of_it_tried_and_makes_nobody_wait_longer() {
    let mut world = with_one_that_hangs(true).await;
    let settings = world.settings();
    assert_eq!(run(&mut world, MINUTE_MS, settings).await.0, 30);
    for (is_asked, took_s) in [(false, 0), (true, 30), (true, 30), (false, 0)] {
        let settings = Settings { leaves_alone: !is_asked, ..world.settings() };
        assert_eq!(run(&mut world, 10_000, settings).await.0, took_s, "asked: {is_asked}");
    }
    let settings = world.settings();
    assert_eq!(run(&mut world, 20_000, settings).await.0, 30, "a minute is over");
    world.google.set_hanging(0, false);
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
    world.tick(10_000);
    let settings = Settings { leaves_alone: false, ..world.settings() };
    assert_eq!(world.run(&settings).await.unwrap().exit, 0);
    assert!(World::names(&world.phone).contains(&"Ada King".to_owned()));
    // It begins anew.
    world.google.set_hanging(0, true);
    for took_s in [30, 30] {
        let settings = world.settings();
        assert_eq!(run(&mut world, MINUTE_MS, settings).await.0, took_s);
    }
    is_settled(&mut world, ["Ada King", "Alan", "Grace"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_asked_for_because_it_hung_is_neither_deleted_nor_written_to() {
    let mut world = with_one_that_hangs(true).await;
    let settings = world.settings();
    run(&mut world, MINUTE_MS, settings).await;
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
    world.phone.delete(&World::find(&world.phone, "Ada"));
    let settings = world.settings();
    run(&mut world, 10_000, settings).await;
    assert!(
        World::names(&world.google).contains(&"Ada King".to_owned()),
        "what somebody changed there is not deleted unread"
    );
    is_settled(&mut world, ["Ada King", "Alan", "Grace"]).await;
}

/// Whether a run says once that nothing is written at Google for a while.
fn is_unwritten(report: &Report) -> bool {
    let says =
        |words: &&String| words.starts_with("google: ") && words.contains("nothing is written there for a while");
    let told = report.troubles.iter().filter(says).count();
    assert!(told <= 1 && (told == 0 || report.exit == 75), "{:?}", report.troubles);
    told == 1
}

#[tokio::test]
async fn a_place_that_hangs_over_a_write_is_only_read_for_a_while_and_less_and_less_often_written_to() {
    let mut world = seeded(false);
    world.sync().await;
    let (mary, grace) = (World::find(&world.google, "Mary"), World::find(&world.google, "Grace"));
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.google.fault(std::iter::repeat_n(Some(Fault::Hangs), 3));
    let mut tried = Vec::new();
    // Each time it hangs over another one.
    for seconds in (0..=460).step_by(20) {
        match seconds {
            20 => world.phone.edit(&World::find(&world.phone, "Hedy"), rename("Hedy Lamarr")),
            100 => world.phone.edit(&World::find(&world.phone, "Lise"), rename("Lise Meitner")),
            _ => {}
        }
        let name = format!("Mary {seconds}");
        world.google.edit(&mary, rename(&name));
        world.microsoft.edit(&world.microsoft.contents()[0].0, rename(&format!("Alan {seconds}")));
        world.tick(20_000);
        let (settings, before) = (world.settings(), world.google.usage().silent_writes);
        let report = world.run(&settings).await.unwrap();
        assert!(report.down.is_empty(), "{:?}", report.down);
        let names = World::names(&world.phone);
        assert!(names.contains(&name), "{seconds}: what is new there is read: {names:?} {:?}", report.troubles);
        assert!(names.contains(&format!("Alan {seconds}")), "{seconds}: the others are kept the same: {names:?}");
        if world.google.usage().silent_writes > before {
            tried.push(seconds);
        }
        let is_done = World::names(&world.google).contains(&"Ada King".to_owned());
        assert_eq!(is_unwritten(&report), !is_done, "{seconds}: {:?}", report.troubles);
        assert!(world.google.contents().iter().any(|(id, _)| *id == grace));
    }
    assert_eq!(tried, [0, 60, 180], "a minute, two, four");
    world.settled("it answers again").await;
    let there = World::names(&world.google);
    assert!(["Hedy Lamarr", "Lise Meitner"].iter().all(|name| there.contains(&(*name).to_owned())), "{there:?}");
    // It begins anew.
    world.phone.edit(&World::find(&world.phone, "Ada King"), rename("Ada Lovelace"));
    world.google.fault([Some(Fault::Hangs)]);
    let settings = world.settings();
    assert!(is_unwritten(&world.run(&settings).await.unwrap()));
    world.tick(MINUTE_MS);
    let report = world.run(&settings).await.unwrap();
    assert!(!is_unwritten(&report) && World::names(&world.google).contains(&"Ada Lovelace".to_owned()));
    world.settled("nor this time").await;
}

#[tokio::test]
async fn nothing_is_said_of_a_place_that_hung_once_it_turns_out_that_all_was_done() {
    for is_asked in [true, false] {
        let mut world = seeded(false);
        world.sync().await;
        world.phone.create_in(0, &card("Rosalind", &["r@example.org"]));
        world.google.fault([Some(Fault::HangsAndIsDone)]);
        let settings = world.settings();
        assert!(is_unwritten(&world.run(&settings).await.unwrap()));
        world.tick(1_000);
        let settings = Settings { leaves_alone: !is_asked, ..world.settings() };
        assert_eq!(is_unwritten(&world.run(&settings).await.unwrap()), !is_asked, "asked: {is_asked}");
        // What was found out by whoever asked holds for the next run, too; else it is found out with the first try.
        world.tick(if is_asked { 1_000 } else { MINUTE_MS });
        let settings = world.settings();
        let report = world.run(&settings).await.unwrap();
        assert_eq!((report.exit, &report.troubles), (0, &Vec::new()), "asked: {is_asked}");
        world.settled("all was done").await;
    }
}

#[tokio::test]
async fn somebody_who_asks_for_a_run_has_all_written_that_waits() {
    let mut world = seeded(false);
    world.sync().await;
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.google.fault([Some(Fault::Hangs)]);
    let settings = world.settings();
    assert!(is_unwritten(&world.run(&settings).await.unwrap()));
    world.phone.create_in(0, &card("Rosalind", &["r@example.org"]));
    world.phone.delete(&World::find(&world.phone, "Grace"));
    world.tick(1_000);
    assert!(is_unwritten(&world.run(&settings).await.unwrap()));
    let there = World::names(&world.google);
    assert!(there.contains(&"Grace".to_owned()) && !there.contains(&"Rosalind".to_owned()), "{there:?}");
    let settings = Settings { leaves_alone: false, ..world.settings() };
    assert!(!is_unwritten(&world.run(&settings).await.unwrap()));
    let there = World::names(&world.google);
    assert!(!there.contains(&"Grace".to_owned()) && there.contains(&"Rosalind".to_owned()), "{there:?}");
    world.tick(MINUTE_MS);
    world.sync().await;
    world.settled("all of it is written").await;
}

#[tokio::test]
async fn a_place_that_only_asks_us_to_wait_is_told_from_one_that_does_not_answer() {
    for (fault, is_throttled) in [(Fault::Throttled, true), (Fault::Hangs, false), (Fault::Unsent, false)] {
        let mut world = seeded(false);
        world.sync().await;
        world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
        world.google.fault(std::iter::repeat_n(Some(fault), 10));
        let settings = world.settings();
        let report = world.run(&settings).await.unwrap();
        assert!(report.throttled.keys().eq(&report.down), "{fault:?} {:?} {:?}", report.throttled, report.down);
        assert_eq!(report.down.is_empty(), !is_throttled, "what hangs over a write is read: {:?}", report.troubles);
        assert_eq!((report.exit, is_unwritten(&report)), (75, !is_throttled), "{fault:?}: {:?}", report.troubles);
    }
}

#[tokio::test]
async fn one_item_over_which_a_place_hangs_takes_nothing_from_those_that_went_with_it_nor_another_place_along() {
    let mut world = seeded(false);
    world.sync().await;
    for name in ["Mary", "Ada", "Hedy"] {
        world.phone.edit(&World::find(&world.phone, name), rename(&format!("{name} the First")));
    }
    world.phone.edit(&World::find(&world.phone, "Alan"), rename("Alan Turing"));
    world.google.fault([Some(Fault::Hangs)]);
    let settings = world.settings();
    let report = world.run(&settings).await.unwrap();
    assert!(report.down.is_empty() && report.exit == 75, "{:?}", report.down);
    let there = World::names(&world.google).into_iter().filter(|name| name.ends_with(" the First")).count();
    assert!(there >= 2, "{:?}", World::names(&world.google));
    assert!(World::names(&world.microsoft).contains(&"Alan Turing".to_owned()));
    world.tick(MINUTE_MS);
    world.sync().await;
    world.settled("it answers again").await;
}

/// What is new at a place to which nothing is written was executed there, and its fate is not known yet.
#[tokio::test]
async fn what_is_deleted_or_changed_while_its_create_hangs_stays_so() {
    for is_deleted in [true, false] {
        for after_ms in [1_000, 30_000, 59_000] {
            let mut world = seeded(false);
            world.sync().await;
            world.phone.create_in(0, &card("Rosalind", &["r@example.org"]));
            world.google.fault([Some(Fault::HangsAndIsDone)]);
            let settings = world.settings();
            world.run(&settings).await.unwrap();
            match is_deleted {
                true => world.phone.delete(&World::find(&world.phone, "Rosalind")),
                false => world.phone.edit(&World::find(&world.phone, "Rosalind"), rename("Rosalind Franklin")),
            }
            world.tick(after_ms);
            for _ in 0..3 {
                world.run(&settings).await.unwrap();
                world.tick(100);
            }
            world.tick(MINUTE_MS);
            let report = world.sync().await;
            assert_eq!(report.exit, 0, "{is_deleted}, {after_ms}: {:?}", report.troubles);
            let names = World::names(&world.google);
            let there: Vec<&String> = names.iter().filter(|name| name.starts_with("Rosalind")).collect();
            match is_deleted {
                true => assert!(there.is_empty(), "{after_ms}: {there:?}"),
                false => assert_eq!(there, ["Rosalind Franklin"], "{after_ms}"),
            }
            assert!(world.hub.conflicts().unwrap().is_empty(), "{is_deleted}, {after_ms}");
            world.settled("as somebody left it").await;
        }
    }
}

/// It is executed between the look for it and the list.
#[tokio::test]
async fn what_is_deleted_while_its_create_hangs_is_not_made_again_because_a_list_shows_it_then() {
    let mut world = seeded(false);
    world.sync().await;
    world.phone.create_in(0, &card("Rosalind", &["r@example.org"]));
    world.google.fault([Some(Fault::Hangs)]);
    let settings = world.settings();
    world.run(&settings).await.unwrap();
    world.phone.delete(&World::find(&world.phone, "Rosalind"));
    let place = world.google.clone();
    world.google = world.google.waiting(Arc::new(move |asked| {
        if asked == Asked::Changes {
            place.carry_out_late();
        }
        Box::pin(std::future::ready(()))
    }));
    world.tick(10_000);
    world.run(&settings).await.unwrap();
    assert!(World::names(&world.google).contains(&"Rosalind".to_owned()), "it is there by now");
    for _ in 0..3 {
        world.tick(MINUTE_MS);
        world.sync().await;
        assert!(!World::names(&world.phone).contains(&"Rosalind".to_owned()));
    }
    assert!(!World::names(&world.google).contains(&"Rosalind".to_owned()));
    world.settled("it stays deleted").await;
}

/// A place to which nothing is written goes on telling what is changed there: each such change is taken once.
#[tokio::test]
async fn what_is_to_leave_a_place_that_is_not_written_to_keeps_what_others_say_of_it_since() {
    for to in ["Second", "Contacts"] {
        leaves_unwritten(to).await;
    }
}

/// `to`: another book of the same account, or of another one.
async fn leaves_unwritten(to: &str) {
    let mut world = seeded(false);
    add_collection(&world.google, "Second").await;
    world.sync().await;
    world.phone.edit(&World::find(&world.phone, "Mary"), rename("Mary Somerville"));
    world.google.fault([Some(Fault::Hangs)]);
    let settings = world.settings();
    assert!(is_unwritten(&world.run(&settings).await.unwrap()));
    let note = |text: &'static str| {
        move |ada: &mut Content| match text {
            "" => ada.set("notes", serde_json::Value::Null),
            text => ada.set("notes", serde_json::json!({"note": {"note": text}})),
        }
    };
    // It moves on the phone, and is changed at its account.
    let folders = world.phone.collections(Kind::Contacts).await.unwrap();
    let number = folders.iter().position(|folder| folder.name == to).unwrap();
    world.phone.move_to(&World::find(&world.phone, "Ada"), number);
    world.google.edit(&World::find(&world.google, "Ada"), note("from the account"));
    let says = |world: &World| {
        let id = World::find(&world.phone, "Ada");
        let (_, ada) = world.phone.contents().into_iter().find(|(other, _)| *other == id).unwrap();
        ada.at(&["notes", "note", "note"]).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
    };
    world.tick(1_000);
    assert!(is_unwritten(&world.run(&settings).await.unwrap()));
    assert_eq!(says(&world), "from the account");
    world.phone.edit(&World::find(&world.phone, "Ada"), note(""));
    for _ in 0..4 {
        world.tick(1_000);
        assert!(is_unwritten(&world.run(&settings).await.unwrap()));
        assert_eq!(says(&world), "", "what somebody took away does not come back");
    }
    assert_eq!(World::names(&world.google).iter().filter(|name| *name == "Ada").count(), 1);
    world.tick(MINUTE_MS);
    world.sync().await;
    assert!(world.hub.conflicts().unwrap().is_empty());
    assert_eq!(says(&world), "");
    world.settled("it is written to again").await;
}

#[tokio::test]
async fn one_item_over_which_a_place_always_hangs_keeps_none_of_the_others_from_being_sent() {
    for whole_batches in [false, true] {
        always_hangs(whole_batches).await;
    }
}

/// `whole_batches`: what goes together is executed whole or not at all.
async fn always_hangs(whole_batches: bool) {
    let mut world = World::new(false, 0);
    let manners = Manners { emails: 5, trims: true, whole_batches, ..Manners::default() };
    world.google = Memory::new("My Contacts", manners);
    for name in ["Ada", "Hedy", "Mary"] {
        world.google.create(&card(name, &[&format!("{name}@example.org")]));
    }
    world.sync().await;
    // More than go together, and it is the first of them.
    let names: Vec<String> = (0..40).map(|number| format!("New {number:02}")).collect();
    for name in &names {
        world.phone.create_in(0, &card(name, &[&format!("{}@example.org", name.replace(' ', ""))]));
    }
    world.phone.delete(&World::find(&world.phone, "Hedy"));
    world.google.set_hanging_over("New 00");
    for _ in 0..12 {
        world.sync().await;
    }
    let there = World::names(&world.google);
    let lacking: Vec<&String> = names.iter().filter(|name| !there.contains(name)).collect();
    assert_eq!(lacking, ["New 00"]);
    assert!(!there.contains(&"Hedy".to_owned()));
    let put_off = world.hub.quarantined().unwrap();
    assert_eq!((put_off.len(), put_off[0].reason.contains("this item waits")), (1, true), "{put_off:?}");
    // What is changed later comes at once: that one waits for its next try, and holds nobody.
    for (hours, from, to) in
        [(0, "Mary", "Mary Somerville"), (2, "Mary Somerville", "Mary Fairfax"), (0, "Mary Fairfax", "Mary")]
    {
        world.tick(hours * HOUR_MS);
        world.phone.edit(&World::find(&world.phone, from), rename(to));
        let report = world.sync().await;
        assert!(World::names(&world.google).contains(&to.to_owned()), "{hours} {to}: {:?}", report.troubles);
        assert!(!is_unwritten(&report), "{:?}", report.troubles);
    }
    assert_eq!(world.hub.quarantined().unwrap().len(), 1);
    world.google.set_hanging_over("");
    world.tick(24 * HOUR_MS);
    world.sync().await;
    assert!(world.hub.quarantined().unwrap().is_empty());
    world.settled("it answers again").await;
}

/// What hangs for the third time is put off, and may have been executed all the same.
#[tokio::test]
async fn what_is_put_off_because_it_hung_each_time_ends_as_soon_as_its_fate_is_known_or_somebody_changes_it() {
    for deed in ["create", "edit", "delete"] {
        for (is_done, then) in
            [(true, ""), (false, "edit"), (false, "delete"), (false, "wait"), (true, "edit"), (true, "delete")]
        {
            let mut world = seeded(false);
            world.sync().await;
            match deed {
                "create" => drop(world.phone.create_in(0, &card("Rosalind", &["r@example.org"]))),
                "edit" => world.phone.edit(&World::find(&world.phone, "Ada"), rename("Rosalind")),
                _ => world.phone.delete(&World::find(&world.phone, "Ada")),
            }
            let last = if is_done { Fault::HangsAndIsDone } else { Fault::Hangs };
            world.google.fault([Some(Fault::Hangs), Some(Fault::Hangs), Some(last)]);
            let mut again = None;
            for minutes in [0, 1, 2] {
                world.tick(minutes * MINUTE_MS);
                let settings = world.settings();
                let report = world.run(&settings).await.unwrap();
                again = report.again.get(&Kind::Contacts).map(|at_ms| at_ms - world.now.load(Ordering::SeqCst));
            }
            // What else waits is not left alone.
            assert_eq!(again, Some(MINUTE_MS), "{deed}, done: {is_done}, then {then}");
            let case = format!("{deed}, done: {is_done}, then {then}");
            // What was changed or deleted is looked at by name in the same run.
            let is_known = is_done && deed != "create";
            assert_eq!(world.hub.quarantined().unwrap().len(), usize::from(!is_known), "{case}");
            let is_there = |name: &str| World::names(&world.phone).iter().any(|other| other == name);
            match then {
                "edit" if is_there("Rosalind") => {
                    world.phone.edit(&World::find(&world.phone, "Rosalind"), rename("Franklin"))
                }
                "delete" if is_there("Rosalind") => world.phone.delete(&World::find(&world.phone, "Rosalind")),
                _ => {}
            }
            // To delete what could not be changed is one of its tries.
            let waits = then == "wait" || deed == "delete" || (deed, then) == ("edit", "delete");
            let hours = i64::from(waits);
            world.tick(hours * HOUR_MS);
            for _ in 0..3 {
                world.tick(MINUTE_MS);
                let settings = world.settings();
                world.run(&settings).await.unwrap();
            }
            assert!(world.hub.quarantined().unwrap().is_empty(), "{case}: {:?}", world.hub.quarantined().unwrap());
            world.settled(&case).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_asked_for_nothing_because_all_of_it_hung_is_not_waited_for() {
    let mut world = seeded(false);
    world.sync().await;
    // Its only list hung, and so does another place now.
    world.google.set_hanging(0, true);
    world.google = hanging(&world.google, Asked::WhatHangs);
    let settings = world.settings();
    world.run(&settings).await.unwrap();
    world.microsoft = hanging(&world.microsoft, Asked::Changes);
    let settings = world.settings();
    settings.calls.is_waited_for.store(true, Ordering::SeqCst);
    world.tick(10_000);
    let began = Instant::now();
    world.run(&settings).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_run_says_when_what_is_not_written_may_be() {
    let mut world = seeded(false);
    world.sync().await;
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.google.fault(std::iter::repeat_n(Some(Fault::Hangs), 2));
    let settings = world.settings();
    let until = |report: &Report, world: &World| {
        report.again.get(&Kind::Contacts).map(|at_ms| at_ms - world.now.load(Ordering::SeqCst))
    };
    let report = world.run(&settings).await.unwrap();
    assert_eq!(until(&report, &world), Some(MINUTE_MS));
    world.tick(20_000);
    let report = world.run(&settings).await.unwrap();
    assert_eq!(until(&report, &world), Some(MINUTE_MS - 20_000));
    world.tick(40_000);
    let report = world.run(&settings).await.unwrap();
    assert_eq!(until(&report, &world), Some(2 * MINUTE_MS));
    world.tick(2 * MINUTE_MS);
    let report = world.run(&settings).await.unwrap();
    assert_eq!((until(&report, &world), report.exit), (None, 0), "{:?}", report.troubles);
}

/// A write that was given up may be executed later: until then it is neither made again nor taken for not done.
#[tokio::test]
async fn what_was_given_up_is_not_sent_again_as_long_as_it_may_be_executed() {
    for is_new in [true, false] {
        for is_executed in [true, false] {
            let mut world = seeded(false);
            world.sync().await;
            match is_new {
                true => drop(world.phone.create_in(0, &card("Rosalind", &["r@example.org"]))),
                false => world.phone.edit(&World::find(&world.phone, "Ada"), rename("Rosalind")),
            }
            world.google.fault([Some(if is_executed { Fault::HangsAndIsDone } else { Fault::Hangs })]);
            let settings = world.settings();
            world.run(&settings).await.unwrap();
            let sent = world.google.writes();
            for _ in 0..3 {
                world.run(&settings).await.unwrap();
            }
            assert_eq!(world.google.writes(), sent, "new: {is_new}, executed: {is_executed}");
            world.tick(MINUTE_MS);
            world.sync().await;
            world.settled("its fate is known").await;
            let there = World::names(&world.google).into_iter().filter(|name| name == "Rosalind").count();
            assert_eq!(there, 1, "new: {is_new}, executed: {is_executed}");
        }
    }
}
