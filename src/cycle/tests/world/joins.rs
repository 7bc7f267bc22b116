//! A `[[join]]` that is written or taken out on a hub in use (ENGINE 19).

use super::*;

fn spelt(name: &str, number: &str) -> Content {
    let mut content = card(name, &[]);
    content.set("phones", serde_json::json!({"p": {"number": number}}));
    content
}

fn provider_writes(world: &World) -> (usize, usize) {
    (world.google.writes(), world.microsoft.writes())
}

#[tokio::test]
async fn a_join_that_is_added_makes_one_of_two_and_writes_only_what_one_lacks() {
    let mut world = World::new(false, 0);
    for place in [&world.google, &world.microsoft] {
        place.create(&card("Ada", &["ada@example.org"]));
        place.create(&card("Grace", &["grace@example.org"]));
    }
    world.sync().await;
    let report = world.sync().await;
    assert_eq!((report.exit, world.phone.contents().len()), (0, 4));
    let before = provider_writes(&world);
    world.joined = true;
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{:?}", report.troubles);
    assert_eq!(provider_writes(&world), before, "what says the same is not written to a provider");
    assert_eq!(World::names(&world.phone), ["Ada", "Grace"]);
    world.settled("joined").await;
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.sync().await;
    world.settled("one person at both").await;
}

#[tokio::test]
async fn a_join_unites_what_each_side_knows_and_keeps_what_clashes() {
    let mut world = World::new(false, 0);
    world.google.create(&spelt("Ada", "+49 30 1000"));
    world.microsoft.create(&spelt("Ada", "+49301000"));
    world.google.create(&card("Alan", &["alan@example.org"]));
    let mut more = card("Alan", &["alan@example.org"]);
    more.set("notes", serde_json::json!({"note": {"note": "Bletchley"}}));
    world.microsoft.create(&more);
    world.google.create(&card("Only Google", &["g@example.org"]));
    world.microsoft.create(&card("Only Microsoft", &["m@example.org"]));
    world.sync().await;
    let before = provider_writes(&world);
    world.joined = true;
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{:?}", report.troubles);
    // Google lacks a note and a person, Microsoft a person; another spelling of a number is not sent.
    assert_eq!(provider_writes(&world), (before.0 + 2, before.1 + 1));
    assert_eq!(World::names(&world.phone), ["Ada", "Alan", "Only Google", "Only Microsoft"]);
    assert_eq!(world.hub.conflicts().unwrap(), vec![]);
    let writes = world.writes();
    world.sync().await;
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn an_edit_and_a_removal_made_before_the_join_are_not_lost_by_it() {
    let mut world = seeded(false);
    world.microsoft.create(&card("Mary", &["Mary@example.org"]));
    world.sync().await;
    world.phone.delete(&World::find(&world.phone, "Hedy"));
    world.google.edit(&World::find(&world.google, "Mary"), rename("Mary Somerville"));
    world.joined = true;
    world.sync().await;
    assert!(!World::names(&world.google).contains(&"Hedy".to_owned()), "the removal is made");
    assert!(World::names(&world.microsoft).contains(&"Mary Somerville".to_owned()), "the edit is taken");
    world.settled("joined").await;
}

#[tokio::test]
async fn a_join_that_is_taken_out_parts_them_and_writes_to_no_provider() {
    let mut world = seeded(true);
    world.sync().await;
    world.settled("joined").await;
    let before = provider_writes(&world);
    let people = World::names(&world.google);
    world.joined = false;
    let report = world.sync().await;
    assert_eq!(report.exit, 0, "{:?}", report.troubles);
    assert_eq!(provider_writes(&world), before);
    assert_eq!((World::names(&world.google), World::names(&world.microsoft)), (people.clone(), people.clone()));
    assert_eq!(world.phone.contents().len(), 2 * people.len(), "each account has a folder of its own");
    world.settled("parted").await;
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
    world.sync().await;
    assert!(World::names(&world.microsoft).contains(&"Ada".to_owned()), "they are two persons now");
    world.settled("edited at one").await;
}

#[tokio::test]
async fn joins_added_and_taken_out_stopped_at_every_step_end_the_same() {
    let (mut stops, mut in_leaving) = (0, 0);
    for joined in [false, true] {
        for at in 0.. {
            let mut world = seeded(joined);
            world.sync().await;
            world.joined = !joined;
            world.google.edit(&World::find(&world.google, "Lise"), rename("Lise Meitner"));
            world.tick(60_000);
            world.steps.store(0, Ordering::SeqCst);
            world.stop_at.store(at, Ordering::SeqCst);
            let settings = world.settings();
            let _ = world.run(&settings).await;
            let was_stopped = world.dead.load(Ordering::SeqCst);
            world.stop_at.store(usize::MAX, Ordering::SeqCst);
            // Somebody goes on working in the folder that stood first, also where it is about to leave.
            world.phone.create(&card("Late", &["late@example.org"]));
            world.phone.edit(&World::find(&world.phone, "Sofia"), rename("Sofia Kovalevskaya"));
            in_leaving += usize::from(!world.hub.successors().unwrap().is_empty());
            for _ in 0..2 {
                world.sync().await;
            }
            for name in ["Late", "Sofia Kovalevskaya", "Lise Meitner"] {
                assert!(World::names(&world.google).contains(&name.to_owned()), "{name}, stopped at step {at}");
            }
            world.settled(&format!("joined {joined} before, stopped at step {at}")).await;
            if !was_stopped {
                break;
            }
            stops += 1;
        }
    }
    assert!(stops > 60 && in_leaving > 20, "{stops} stops, {in_leaving} with a folder that leaves");
}

#[tokio::test]
async fn a_join_of_two_that_say_different_things_waits_for_a_person() {
    let mut world = World::new(false, 0);
    for number in 0..8 {
        let person = |note: &str| {
            let mut content = card(&format!("Person {number}"), &[&format!("p{number}@example.org")]);
            content.set("notes", serde_json::json!({"note": {"note": note}}));
            content
        };
        world.google.create(&person("one"));
        world.microsoft.create(&person("two"));
    }
    world.sync().await;
    let before = world.writes();
    world.joined = true;
    let report = world.sync().await;
    assert_eq!((report.exit, world.writes()), (4, before), "held, nothing written");
    let hold = world.hub.holds().unwrap().remove(0);
    assert_eq!(hold.cause, "join");
    world.joined = false;
    assert_eq!(world.sync().await.exit, 0, "taken out of the configuration again, nothing is held");
    world.joined = true;
    world.sync().await;
    let hold = world.hub.holds().unwrap().remove(0);
    world.hub.approve(&hold.id).unwrap();
    assert_eq!(world.sync().await.exit, 5, "both notes are kept");
    assert_eq!(world.phone.contents().len(), 8);
    assert_eq!(world.hub.conflicts().unwrap().len(), 8);
}

#[tokio::test]
async fn a_dry_run_tells_of_the_join_and_changes_nothing() {
    let mut world = seeded(false);
    world.sync().await;
    let before = world.writes();
    world.joined = true;
    world.tick(60_000);
    let settings = Settings { dry_run: true, ..world.settings() };
    let report = world.run(&settings).await.unwrap();
    assert!(report.troubles.iter().any(|words| words.contains("would become one")), "{:?}", report.troubles);
    assert_eq!(world.writes(), before);
    world.joined = false;
    world.settled("not joined").await;
}

#[tokio::test]
async fn what_a_join_made_of_two_ages_and_goes_like_everything_else() {
    let mut world = seeded(false);
    world.microsoft.create(&card("Mary", &["Mary@example.org", "m@example.org"]));
    world.sync().await;
    world.joined = true;
    world.sync().await;
    world.google.delete(&World::find(&world.google, "Hedy"));
    world.sync().await;
    world.joined = false;
    world.sync().await;
    world.settled("joined and parted").await;
    let mut pruned = 0;
    for _ in 0..38 {
        world.tick(5 * 24 * HOUR_MS);
        pruned += world.sync().await.pruned;
    }
    assert!(pruned > 0);
    world.settled("long after").await;
    world.phone.edit(&World::find(&world.phone, "Mary"), rename("Mary Somerville"));
    world.sync().await;
    world.settled("edited long after").await;
}

#[tokio::test]
async fn a_version_that_no_replica_brought_may_clash_in_a_join() {
    let mut world = World::new(false, 0);
    for place in [&world.google, &world.microsoft] {
        place.create(&card("Ada", &["ada@example.org"]));
    }
    world.sync().await;
    // Somebody decided a conflict by hand on each side, differently: what is shown comes from nowhere.
    for (collection, note) in [(1, "one"), (2, "two")] {
        let item = world.hub.standing(collection).unwrap().remove(0);
        let mut content = world.hub.version(item.version).unwrap().content;
        content.set("notes", serde_json::json!({"note": {"note": note}}));
        let origin = twofold_hub::items::Origin { at_ms: 0, rank: 0, source: None };
        let version = world.hub.add_version(item.id, &content, origin, Some(item.version), None).unwrap();
        world.hub.set_version(item.id, version).unwrap();
    }
    world.sync().await;
    world.joined = true;
    assert_eq!(world.sync().await.exit, 5, "joined, and the note that is not shown is kept");
    assert_eq!(world.hub.conflicts().unwrap().len(), 1);
}
