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

/// The mailboxes of the account in which a message stands, once for each message there.
fn stands(world: &World, n: usize) -> Vec<String> {
    let is_it = |(_, body, _): &(String, String, Vec<String>)| body.as_bytes() == text(n);
    world.account.shows().into_iter().filter(is_it).map(|(mailbox, ..)| mailbox).collect()
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
            assert_eq!(stands(&world, 99).len(), 1, "{what}: {:?}", stands(&world, 99));
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
            assert_eq!(stands(&world, 1), ["Other"], "{what}");
            world.settled(&what).await;
            if !was_stopped {
                break;
            }
        }
    }
}

/// A file that is moved again and again while the folders are listed, each time under another name, may be seen in none of them, or in two.
#[tokio::test]
async fn a_file_that_goes_from_folder_to_folder_while_they_are_listed_is_one_message() {
    const LISTED: usize = 5;
    let other = "account/mail/Other";
    let moments = (0..LISTED).flat_map(|first| (first..LISTED).map(move |second| [first, second]));
    let moments = moments.flat_map(|moments| [(moments, false), (moments, true)]);
    for (manner, (moments, is_marked)) in
        BOTH.into_iter().flat_map(|manner| moments.clone().map(move |it| (manner, it)))
    {
        for way in [[WORK, other], [other, WORK]] {
            let mut world = World::with_twenty(manner).await;
            world.account.add_mailbox("Other", None);
            world.sync().await;
            // So that folders are compared.
            world.laptop.change(world.laptop.find_one(&text(2)), |message| message.keywords.clear());
            let (laptop, listed) = (world.laptop.clone(), AtomicUsize::new(0));
            world.laptop.set_before_list(Some(Arc::new(move |_: &str| {
                let now = listed.fetch_add(1, Ordering::SeqCst);
                for at in (0..moments.len()).filter(|at| moments[*at] == now) {
                    laptop.change(laptop.find_one(&text(1)), |message| {
                        message.at = [(way[at].to_owned(), format!("name {at}"))].into();
                        if is_marked {
                            message.keywords.insert("$flagged".to_owned());
                        }
                    });
                }
                Ok(())
            })));
            world.sync().await;
            world.laptop.set_before_list(None);
            let what = format!("{manner:?}, {way:?} at {moments:?}, marked: {is_marked}");
            for _ in 0..2 {
                world.sync().await;
            }
            let is_it = |(_, bytes, _): &(String, String, Vec<String>)| bytes.contains("<1@");
            let there = world.account.shows().into_iter().filter(is_it).map(|(mailbox, ..)| mailbox);
            assert_eq!(there.collect::<Vec<_>>(), [way[1].strip_prefix("account/mail/").unwrap()], "{what}");
            world.settled(&what).await;
        }
    }
}

#[tokio::test]
async fn a_message_that_two_places_move_to_different_folders_is_in_one_of_them_where_its_account_has_it_in_one() {
    let other = "account/mail/Other";
    for (manner, by_phone) in BOTH.into_iter().flat_map(|manner| [(manner, true), (manner, false)]) {
        let mut world = World::with_twenty(manner).await;
        world.account.add_mailbox("Other", None);
        world.sync().await;
        move_file(&world, &text(1), INBOX, WORK, None);
        match by_phone {
            true => world.phone.change(world.phone.find_one(&text(1)), |message| carry(message, INBOX, other)),
            false => world.account.change(world.account.find_one(&text(1)), |message| carry(message, "INBOX", "Other")),
        }
        for _ in 0..2 {
            assert_eq!(world.sync().await.exit, 0);
        }
        let what = format!("{manner:?}, by the phone: {by_phone}");
        match (manner, stands(&world, 1)) {
            (Manner::Labels, there) => assert_eq!(there, ["Other", "Work"], "{what}: it has both labels"),
            (_, there) if by_phone => assert_eq!(there.len(), 1, "{what}: {there:?}"),
            (_, there) => assert_eq!(there, ["Work"], "{what}: in one moment the device's move counts"),
        }
        assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
        world.settled(&what).await;
    }
}

/// A device that was away moved it; meanwhile it moved at its account, and once more when the device is back.
#[tokio::test]
async fn a_message_that_a_device_moved_while_it_was_away_and_that_moved_twice_elsewhere_is_in_one_folder() {
    let other = "account/mail/Other";
    for by_laptop in [true, false] {
        let mut world = World::with_twenty(Manner::Folders).await;
        world.account.add_mailbox("Other", None);
        world.sync().await;
        let carries = |world: &World, from: &str, to: &str| match by_laptop {
            true => {
                let [from, to] = [from, to].map(|name| format!("account/mail/{name}"));
                world.laptop.change(world.laptop.find_one(&text(1)), |message| carry(message, &from, &to));
            }
            false => world.account.change(world.account.find_one(&text(1)), |message| carry(message, from, to)),
        };
        world.phone.change(world.phone.find_one(&text(1)), |message| carry(message, INBOX, other));
        world.phone.set_away(true);
        carries(&world, "INBOX", "Work");
        world.sync().await;
        world.phone.set_away(false);
        carries(&world, "Work", "Archive");
        for _ in 0..2 {
            world.sync().await;
        }
        let there = stands(&world, 1);
        assert!(there == ["Archive"] || there == ["Other"], "by the laptop: {by_laptop}: {there:?}");
        assert_eq!(world.account.creates(), 0, "by the laptop: {by_laptop}: {:?}", world.account.writes());
        world.settled(&format!("by the laptop: {by_laptop}")).await;
    }
}

#[tokio::test]
async fn a_message_that_its_account_moves_at_any_moment_of_a_run_that_moves_it_elsewhere_is_in_one_folder() {
    for by_hand in ["Other", "Trash"] {
        for step in 0.. {
            let mut world = World::with_twenty(Manner::Folders).await;
            world.account.add_mailbox("Other", None);
            world.sync().await;
            move_file(&world, &text(1), INBOX, WORK, None);
            let (account, steps) = (world.account.clone(), Arc::new(AtomicUsize::new(0)));
            let counted = steps.clone();
            let watch: Watch = Arc::new(move |_: &str| {
                if counted.fetch_add(1, Ordering::SeqCst) == step {
                    account.change(account.find_one(&text(1)), |message| {
                        message.at = [(by_hand.to_owned(), String::new())].into();
                    });
                }
                Ok(())
            });
            world.hub.set_steps(Some(Box::new(move |name: &str| watch(name))));
            world.sync().await;
            world.hub.set_steps(None);
            for _ in 0..3 {
                world.sync().await;
            }
            let what = format!("to {by_hand} at step {step}");
            let there = stands(&world, 1);
            assert_eq!(there.len(), 1, "{what}: {there:?}, {:?}", world.account.writes());
            assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
            world.settled(&what).await;
            if steps.load(Ordering::SeqCst) <= step {
                assert!(step > 5);
                break;
            }
        }
    }
}

#[tokio::test]
async fn of_a_message_that_stands_in_two_folders_none_goes_when_two_places_move_it() {
    let mut world = World::with_twenty(Manner::Folders).await;
    for name in ["Bills", "Other"] {
        world.account.add_mailbox(name, None);
    }
    world.sync().await;
    world.laptop.change(world.laptop.find_one(&text(1)), |message| {
        let base = message.at[INBOX].clone();
        message.at.insert(WORK.to_owned(), base);
    });
    world.sync().await;
    world.settled("copied").await;
    for (from, to) in [("INBOX", "Archive"), ("Work", "Bills")] {
        let is_it = |id: &u64| {
            let message = world.account.message(*id);
            message.bytes == text(1) && message.at.contains_key(from)
        };
        let id = world.account.ids().into_iter().find(is_it).unwrap();
        world.account.change(id, |message| carry(message, from, to));
    }
    world.laptop.change(world.laptop.find_one(&text(1)), |message| carry(message, INBOX, "account/mail/Other"));
    for _ in 0..3 {
        world.sync().await;
    }
    let there = stands(&world, 1);
    assert!(
        there.len() >= 2 && there.contains(&"Bills".to_owned()) && !there.contains(&"Trash".to_owned()),
        "{there:?}"
    );
    world.settled("moved").await;
}

#[tokio::test]
async fn a_message_that_is_moved_while_nobody_knows_what_became_of_its_marks_is_moved_later_and_not_made_anew() {
    let mut world = World::with_twenty(Manner::Folders).await;
    let there = world.account.find_one(&text(1));
    world.laptop.change(world.laptop.find_one(&text(1)), |message| _ = message.keywords.insert("$flagged".into()));
    world.account.set_watch(Some(Arc::new(|step: &str| match step {
        "after a write" => Err(Error::new(ErrorKind::Unknown, "no answer")),
        _ => Ok(()),
    })));
    world.account.hide(there, ErrorKind::Unknown);
    world.sync().await;
    world.account.set_watch(None);
    move_file(&world, &text(1), INBOX, WORK, None);
    for _ in 0..2 {
        world.sync().await;
        assert_eq!(stands(&world, 1), ["INBOX"], "{:?}", world.account.writes());
    }
    world.account.mend();
    for _ in 0..2 {
        world.sync().await;
    }
    assert_eq!(
        (stands(&world, 1), world.account.creates()),
        (vec!["Work".to_owned()], 0),
        "{:?}",
        world.account.writes()
    );
    assert!(world.account.writes().contains(&"move to Work".to_owned()), "{:?}", world.account.writes());
    world.settled("moved").await;
}

/// No round tells the mark: what is asked for by name does.
#[tokio::test]
async fn a_message_that_was_marked_untold_is_moved_all_the_same_in_the_run_that_finds_it() {
    for to in [WORK, "account/mail/Trash"] {
        let mut world = World::with_twenty(Manner::Folders).await;
        let id = world.account.find_one(&text(3));
        let before = world.account.copies(id);
        world.account.change(id, |message| message.keywords.extend(["$flagged".to_owned()]));
        world.account.echo(before);
        world.sync().await;
        move_file(&world, &text(3), INBOX, to, None);
        assert_eq!(world.sync().await.exit, 0, "{to}");
        assert_eq!(stands(&world, 3), [to.rsplit('/').next().unwrap()]);
        world.settled(to).await;
        let marks = |place: &Office| place.message(place.find_one(&text(3))).keywords;
        assert!(marks(&world.account).contains("$flagged") && marks(&world.laptop).contains("$flagged"), "{to}");
    }
}
