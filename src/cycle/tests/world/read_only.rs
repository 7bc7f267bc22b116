//! Collections that a provider shows and lets nobody write to: mirrored one way.

use super::*;
use twofold_model::Access;

async fn shown_only() -> World {
    let mut world = seeded(false);
    world.google.set_access(0, Access::ReadOnly);
    world.sync().await;
    world
}

fn told(report: &Report) -> bool {
    report.troubles.iter().any(|words| words.contains("the change was undone"))
}

#[tokio::test]
async fn an_edit_of_what_may_not_be_written_is_undone_told_and_kept_as_a_version() {
    let mut world = shown_only().await;
    let ada = World::find(&world.phone, "Ada");
    world.phone.edit(&ada, rename("Ada King"));
    let report = world.sync().await;
    assert!(report.exit == 0 && told(&report), "{:?}", report.troubles);
    assert!(World::names(&world.phone).contains(&"Ada".to_owned()));
    assert_eq!(world.google.writes(), 0);
    let item = world
        .hub
        .standing(1)
        .unwrap()
        .into_iter()
        .find(|item| world.hub.version(item.version).unwrap().content.at(&["name", "full"]).unwrap() == "Ada");
    let versions = world.hub.versions_of(item.unwrap().id).unwrap();
    let kept =
        versions.iter().any(|id| world.hub.version(*id).unwrap().content.at(&["name", "full"]).unwrap() == "Ada King");
    assert!(kept, "what was undone can be found");
    world.settled("undone").await;
}

#[tokio::test]
async fn a_removal_of_what_may_not_be_written_is_undone() {
    let mut world = shown_only().await;
    world.phone.delete(&World::find(&world.phone, "Ada"));
    let report = world.sync().await;
    assert!(told(&report), "{:?}", report.troubles);
    assert!(World::names(&world.phone).contains(&"Ada".to_owned()));
    world.settled("put back").await;
}

#[tokio::test]
async fn what_is_made_where_nobody_may_write_is_taken_away_and_kept_as_a_version() {
    let mut world = shown_only().await;
    world.phone.create(&card("Nobody", &["nobody@example.org"]));
    let report = world.sync().await;
    assert!(told(&report), "{:?}", report.troubles);
    assert!(!World::names(&world.phone).contains(&"Nobody".to_owned()));
    assert_eq!(world.google.writes(), 0);
    world.settled("taken away").await;
}

#[tokio::test]
async fn what_the_provider_changes_there_still_comes() {
    let mut world = shown_only().await;
    world.google.edit(&World::find(&world.google, "Ada"), rename("Ada King"));
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada Byron"));
    world.google.delete(&World::find(&world.google, "Grace"));
    world.google.create(&card("Emmy", &["emmy@example.org"]));
    world.sync().await;
    let names = World::names(&world.phone);
    assert!(names.contains(&"Ada King".to_owned()) && names.contains(&"Emmy".to_owned()), "{names:?}");
    assert!(!names.contains(&"Grace".to_owned()) && !names.contains(&"Ada Byron".to_owned()), "{names:?}");
    world.settled("one way").await;
}

#[tokio::test]
async fn where_the_user_may_write_again_edits_go_there_again() {
    let mut world = shown_only().await;
    world.google.set_access(0, Access::ReadWrite);
    world.phone.edit(&World::find(&world.phone, "Ada"), rename("Ada King"));
    world.sync().await;
    assert!(World::names(&world.google).contains(&"Ada King".to_owned()));
    world.settled("writable").await;
}
