//! Rounds that have a page before the last: where a run is stopped between the two, nothing is lost, and what was read is not read again.

use super::*;

/// A world whose account lists each folder in two pages, after a change of which its inbox tells, or none.
async fn paged(is_changed: bool) -> World {
    let world = World::with_twenty(Manner::Folders).await;
    world.account.page();
    if is_changed {
        world.account.put(&text(21), &["INBOX"], &["$seen"]);
    }
    world
}

fn token(world: &mut World, folder: &str) -> Option<String> {
    let account = world.hub.replica("account", false).unwrap().id;
    world.hub.feed(account, folder).unwrap().token.map(|token| token.as_str().to_owned())
}

/// Whether the hub knows anything of the new message.
fn is_known(world: &mut World) -> bool {
    let account = world.hub.replica("account", false).unwrap().id;
    let name = world.account.copies(world.account.find_one(&text(21))).remove(0).remote_id;
    world.hub.sighting(account, &name).unwrap().is_some() || world.hub.placement(account, &name).unwrap().is_some()
}

#[tokio::test]
async fn promise_2_no_token_moves_before_what_the_page_before_the_last_told_is_stored_wherever_a_run_is_stopped() {
    let mut between = BTreeSet::new();
    for at in 0.. {
        let mut world = paged(true).await;
        let before = [token(&mut world, "INBOX"), token(&mut world, "Work")];
        let was_stopped = world.stopped_at(at).await;
        let moved = ["INBOX", "Work"]
            .map(|folder| token(&mut world, folder))
            .into_iter()
            .zip(before)
            .map(|(now, was)| now != was);
        let moved: Vec<bool> = moved.collect();
        let is_known = is_known(&mut world);
        assert!(is_known || !moved[0], "stopped at step {at}: a token that ran ahead of what it covers");
        between.insert((is_known, moved[0], moved[1]));
        world.sync().await;
        assert!(world.laptop.has(&text(21)) && world.phone.has(&text(21)), "stopped at step {at}");
        world.settled(&format!("stopped at step {at}")).await;
        if !was_stopped {
            break;
        }
    }
    // Nothing, what was told, and then the token: that of a folder that told something waits for no other one.
    for state in [(false, false, false), (true, false, false), (true, true, false), (true, true, true)] {
        assert!(between.contains(&state), "{state:?} is none of {between:?}");
    }
}

#[tokio::test]
async fn of_folders_that_tell_nothing_in_several_pages_all_tokens_move_at_once_wherever_a_run_is_stopped() {
    let mut between = BTreeSet::new();
    for at in 0.. {
        let mut world = paged(false).await;
        let before = [token(&mut world, "INBOX"), token(&mut world, "Work")];
        let was_stopped = world.stopped_at(at).await;
        let now = ["INBOX", "Work"].map(|folder| token(&mut world, folder));
        between.insert((now[0] != before[0], now[1] != before[1]));
        world.settled(&format!("stopped at step {at}")).await;
        if !was_stopped {
            break;
        }
    }
    assert_eq!(between, BTreeSet::from([(false, false), (true, true)]));
}

/// Their first pages are in memory together.
#[tokio::test]
async fn of_an_account_of_many_folders_a_few_are_listed_at_a_time() {
    let mut world = World::new(Manner::Folders);
    for n in 0..100 {
        let name = format!("Folder{n}");
        world.account.add_mailbox(&name, None);
        world.account.put(&text(n), &[&name], &["$seen"]);
    }
    assert_eq!(world.sync().await.exit, 0);
    assert!((20..=40).contains(&world.account.most_listings()), "{}", world.account.most_listings());
    assert_eq!(world.phone.shows().len(), 100);
    world.settled("many folders").await;
}
