//! What somebody does at Google while a run is under way, and categories that both sides spell otherwise: the next run mends
//! what this one could not know, and sends Google nothing.

use super::scenarios::{Act, Deed, Expect, Scenario, Side, row};
use super::world::World;
use std::sync::atomic::{AtomicBool, Ordering};
use twofold_sandbox::{Fault, Options, Phase, Provider, Rule, Sandbox};

use Act::{Here, There};
use Deed::{Create, Label, Set};
use Side::{Google, Microsoft};

/// Does something at Google just before the first write about a person reaches it.
fn before_the_first_write(world: &World, deed: impl Fn(&Sandbox) + Send + Sync + 'static) {
    let (sandbox, is_done) = (world.sandbox.clone(), AtomicBool::new(false));
    world.sandbox.set_hook(Some(std::sync::Arc::new(move |info, phase| {
        let is_it = info.provider == Some(Provider::Google) && info.is_write && info.path.contains("/people");
        if is_it && phase == Phase::Before && !is_done.swap(true, Ordering::SeqCst) {
            deed(&sandbox);
        }
    })));
}

/// After the run: the next one sends Google nothing, all places hold the same, and then there is nothing to do.
fn is_mended_by_the_next_run(world: &World, scenario: &Scenario) {
    world.sandbox.set_hook(None);
    world.sandbox.reset_counts();
    let ended = world.sync();
    assert_eq!(ended.exit, Some(0), "{}: {}", scenario.name, ended.words);
    assert_eq!(world.sandbox.writes(Provider::Google), 0, "{}: {:#?}", scenario.name, world.sandbox.log());
    world.is_as_it_should_be(scenario, scenario.name);
    assert_eq!(world.until_quiet(scenario.name).runs, 0, "{}", scenario.name);
}

#[test]
fn a_group_that_somebody_deletes_while_the_run_writes_is_made_again_within_the_run() {
    const SCENARIO: Scenario = row(
        "a group deleted under the writes",
        &[
            Here(Google, Label("Hedy Lamarr", "Divers")),
            Here(Google, Label("Lise Meitner", "Divers")),
            Here(Google, Set("Grace Hopper", super::scenarios::Field::Note, "Admiral")),
            Here(Google, Create("Dora Device")),
            Here(Google, Label("Dora Device", "Divers")),
        ],
        &[
            Expect::Labelled(Google, "Hedy Lamarr", "Divers"),
            Expect::Labelled(Google, "Lise Meitner", "Divers"),
            Expect::Labelled(Google, "Dora Device", "Divers"),
        ],
    );
    for status in [400, 404, 200] {
        let world = World::new(&SCENARIO, Options::empty());
        world.sandbox.switch(|switches| switches.people_dead_group_status = status);
        let divers = world.sandbox.google_add_group("Divers").unwrap();
        SCENARIO.acts.iter().for_each(|act| world.act(act));
        before_the_first_write(&world, move |sandbox| sandbox.google_delete_group(&divers).unwrap());
        let ended = world.sync();
        assert_eq!(ended.exit, Some(0), "{status}: {}", ended.words);
        world.is_as_it_should_be(&SCENARIO, SCENARIO.name);
        is_mended_by_the_next_run(&world, &SCENARIO);
    }
}

#[test]
fn a_group_with_members_that_dies_under_a_write_takes_their_category_in_the_next_run() {
    const SCENARIO: Scenario = row(
        "a group with members deleted under a write",
        &[Here(Google, Label("Hedy Lamarr", "Climbers"))],
        &[
            Expect::Labelled(Google, "Hedy Lamarr", "Climbers"),
            Expect::NotLabelled(Google, "Ada Lovelace", "Climbers"),
            Expect::NotLabelled(Google, "Mary Somerville", "Climbers"),
        ],
    );
    let world = World::new(&SCENARIO, Options::empty());
    SCENARIO.acts.iter().for_each(|act| world.act(act));
    before_the_first_write(&world, |sandbox| {
        let groups = sandbox.with(|state| state.dump())["google"]["groups"].clone();
        let climbers = groups.as_object().unwrap().iter().find(|(_, name)| *name == "Climbers").unwrap().0.clone();
        sandbox.google_delete_group(&climbers).unwrap();
    });
    assert_eq!(world.sync().exit, Some(0));
    is_mended_by_the_next_run(&world, &SCENARIO);
}

#[test]
fn a_group_that_is_renamed_while_the_run_writes_is_followed_by_all() {
    const SCENARIO: Scenario = row(
        "a group renamed under a write",
        &[Here(Google, Label("Hedy Lamarr", "Climbers"))],
        &[
            Expect::Labelled(Google, "Hedy Lamarr", "Pals"),
            Expect::Labelled(Google, "Ada Lovelace", "Pals"),
            Expect::NotLabelled(Google, "Hedy Lamarr", "Climbers"),
        ],
    );
    let world = World::new(&SCENARIO, Options::empty());
    SCENARIO.acts.iter().for_each(|act| world.act(act));
    before_the_first_write(&world, |sandbox| {
        let groups = sandbox.with(|state| state.dump())["google"]["groups"].clone();
        let climbers = groups.as_object().unwrap().iter().find(|(_, name)| *name == "Climbers").unwrap().0.clone();
        sandbox.google_rename_group(&climbers, "Pals").unwrap();
    });
    assert_eq!(world.sync().exit, Some(0));
    is_mended_by_the_next_run(&world, &SCENARIO);
}

/// Trap "categories_case".
#[test]
fn a_category_spelt_in_another_case_comes_to_the_groups_spelling_everywhere() {
    const ALONE: Scenario = row(
        "a category in another case",
        &[
            Here(Google, Label("Hedy Lamarr", "climbers")),
            Here(Google, Label("Ada Lovelace", "CLIMBERS")),
            Here(Google, Create("Dora Device")),
            Here(Google, Label("Dora Device", "divers")),
            Here(Google, Create("Dana Device")),
            Here(Google, Label("Dana Device", "Divers")),
        ],
        &[
            Expect::Labelled(Google, "Hedy Lamarr", "Climbers"),
            Expect::Labelled(Google, "Ada Lovelace", "Climbers"),
            Expect::NotLabelled(Google, "Ada Lovelace", "CLIMBERS"),
        ],
    );
    const JOINED: Scenario = Scenario {
        joined: true,
        ..row(
            "joined: a category in another case",
            &[
                There(Microsoft, Label("Grace Hopper", "climbers")),
                There(Google, Create("Nora New")),
                There(Google, Label("Nora New", "Climbers")),
                There(Microsoft, Create("Nora New")),
                There(Microsoft, Label("Nora New", "climbers")),
            ],
            &[
                Expect::Labelled(Google, "Grace Hopper", "Climbers"),
                Expect::Labelled(Microsoft, "Grace Hopper", "Climbers"),
                Expect::Labelled(Google, "Nora New", "Climbers"),
                Expect::Labelled(Microsoft, "Nora New", "Climbers"),
                Expect::NotLabelled(Microsoft, "Nora New", "climbers"),
            ],
        )
    };
    for scenario in [&ALONE, &JOINED] {
        let world = World::new(scenario, Options::empty());
        scenario.acts.iter().for_each(|act| world.act(act));
        let ended = world.sync();
        assert_eq!(ended.exit, Some(0), "{}: {}", scenario.name, ended.words);
        is_mended_by_the_next_run(&world, scenario);
    }
}

#[test]
fn a_category_in_another_case_whose_answer_was_lost_comes_to_one_spelling_too() {
    const SCENARIO: Scenario = row(
        "a category in another case, its answer lost",
        &[Here(Google, Label("Hedy Lamarr", "climbers"))],
        &[Expect::Labelled(Google, "Hedy Lamarr", "Climbers"), Expect::NotLabelled(Google, "Hedy Lamarr", "climbers")],
    );
    for fault in [Fault::DropAfter, Fault::DropBefore] {
        let world = World::new(&SCENARIO, Options::empty());
        SCENARIO.acts.iter().for_each(|act| world.act(act));
        world.sandbox.fault(Rule::any(fault).on(Provider::Google).writes().times(1));
        world.sync();
        let settled = world.until_quiet(SCENARIO.name);
        assert!(settled.runs <= 2, "{settled:?}");
        world.is_as_it_should_be(&SCENARIO, SCENARIO.name);
    }
}
