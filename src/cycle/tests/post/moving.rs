//! Files that somebody goes on moving while the fate of what was sent is not known.

use super::*;

const INBOX: &str = "account/mail/INBOX";
const WORK: &str = "account/mail/Work";
const HOUR: i64 = HOUR_MS;

/// What somebody does with a file of the laptop, after a run was stopped that sent it.
#[derive(Clone, Copy, Debug)]
enum Then {
    Moves,
    MovesAndNamesAnew,
    MovesTwice,
    MovesAndRemoves,
}

const ALL: [Then; 4] = [Then::Moves, Then::MovesAndNamesAnew, Then::MovesTwice, Then::MovesAndRemoves];

fn move_file(world: &World, bytes: &[u8], from: &str, to: &str, name: Option<&str>) {
    world.laptop.change(world.laptop.find_one(bytes), |message| {
        carry(message, from, to);
        if let Some(name) = name {
            message.at.insert(to.to_owned(), name.to_owned());
        }
    });
}

#[tokio::test]
async fn a_new_file_that_is_moved_while_the_fate_of_its_making_is_not_known_is_one_message() {
    for (manner, then) in BOTH.into_iter().flat_map(|manner| ALL.map(|then| (manner, then))) {
        for step in 0.. {
            let mut world = World::with_twenty(manner).await;
            world.laptop.put(&text(99), &[INBOX], &["$seen"]);
            let was_stopped = world.stopped_at(step).await;
            let what = format!("{manner:?}, {then:?}, stopped at step {step}");
            match then {
                Then::Moves => move_file(&world, &text(99), INBOX, WORK, None),
                _ => move_file(&world, &text(99), INBOX, WORK, Some("another")),
            }
            world.sync().await;
            match then {
                Then::MovesTwice => move_file(&world, &text(99), WORK, INBOX, Some("a third")),
                Then::MovesAndRemoves => {
                    world.laptop.change(world.laptop.find_one(&text(99)), |message| message.at.clear());
                }
                Then::Moves | Then::MovesAndNamesAnew => {}
            }
            for _ in 0..4 {
                world.now.fetch_add(HOUR, Ordering::SeqCst);
                world.sync().await;
            }
            let is_it = |(_, bytes, _): &(String, String, Vec<String>)| bytes.contains("<99@");
            let there = world.account.shows().into_iter().filter(is_it).map(|(mailbox, ..)| mailbox);
            let there: Vec<String> = there.collect();
            assert_eq!(there.len(), 1, "{what}: {there:?}");
            world.settled(&what).await;
            if !was_stopped {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_moved_once_more_while_the_fate_of_its_first_move_is_not_known_is_one_message() {
    let other = "account/mail/Other";
    let names = [(None, Some("another")), (Some("another"), Some("a third")), (None, None)];
    let ways = names.into_iter().flat_map(|names| [(names, false), (names, true)]);
    for (manner, ((first, second), is_marked)) in
        BOTH.into_iter().flat_map(|manner| ways.clone().map(move |way| (manner, way)))
    {
        for step in 0.. {
            let mut world = World::with_twenty(manner).await;
            world.account.add_mailbox("Other", None);
            world.sync().await;
            if is_marked {
                world.laptop.change(world.laptop.find_one(&text(1)), |message| {
                    message.keywords.insert("$flagged".to_owned());
                });
            }
            move_file(&world, &text(1), INBOX, WORK, first);
            let was_stopped = world.stopped_at(step).await;
            move_file(&world, &text(1), WORK, other, second);
            for _ in 0..3 {
                world.sync().await;
                world.now.fetch_add(HOUR, Ordering::SeqCst);
            }
            let what = format!("{manner:?}, {first:?} then {second:?}, marked: {is_marked}, stopped at step {step}");
            let is_it = |(_, bytes, _): &(String, String, Vec<String>)| bytes.contains("<1@");
            let there = world.account.shows().into_iter().filter(is_it).map(|(mailbox, ..)| mailbox);
            assert_eq!(there.collect::<Vec<_>>(), ["Other"], "{what}");
            world.settled(&what).await;
            if !was_stopped {
                break;
            }
        }
    }
}
