//! Messages that a list calls gone and that can be read: one that went to another folder and back, or one that is gone and lags.

use super::*;
use twofold_model::{BlobId, Seen};

/// What somebody does to a message of the inbox on the laptop; and what becomes of it at its account.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Move,
    Delete,
    Copy,
}

impl Deed {
    const ALL: [Deed; 3] = [Deed::Move, Deed::Delete, Deed::Copy];

    fn at(self, laptop: &Office) {
        match self {
            Deed::Move => laptop.change(laptop.find_one(&text(1)), |message| {
                carry(message, "account/mail/INBOX", "account/mail/Work");
            }),
            Deed::Delete => laptop.change(laptop.find_one(&text(1)), |message| message.at.clear()),
            Deed::Copy => _ = laptop.put(&text(1), &["account/mail/Work"], &["$seen"]),
        }
    }

    fn written(self) -> &'static str {
        match self {
            Deed::Move => "move to Work",
            Deed::Delete => "move to Trash",
            Deed::Copy => "copy to Work",
        }
    }

    fn left(self) -> Vec<(String, String, Vec<String>)> {
        match self {
            Deed::Move => vec![at("Work", 1, &["$seen"])],
            Deed::Delete => vec![at("Trash", 1, &["$seen"])],
            Deed::Copy => vec![at("INBOX", 1, &["$seen"]), at("Work", 1, &["$seen"])],
        }
    }
}

/// Where the first message stands at its account.
fn first(world: &World) -> Vec<(String, String, Vec<String>)> {
    world.account.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect()
}

async fn lagging() -> World {
    let world = World::with_twenty(Manner::Folders).await;
    world.account.lag(900);
    world
}

#[tokio::test]
async fn a_message_that_went_away_and_came_back_is_moved_deleted_and_copied_as_the_one_it_is() {
    for deed in Deed::ALL {
        for is_asked_before in [true, false] {
            let mut world = lagging().await;
            let case = format!("{deed:?}, asked for before: {is_asked_before}");
            world.account.go_and_come_back(world.account.find_one(&text(1)));
            if is_asked_before {
                assert_eq!(world.sync().await.exit, 75, "{case}: nobody knows");
            }
            deed.at(&world.laptop);
            world.sync().await;
            assert_eq!(world.account.writes(), [deed.written()], "{case}");
            assert_eq!(first(&world), deed.left(), "{case}");
            world.now.fetch_add(HOUR_MS, Ordering::SeqCst);
            world.sync().await;
            world.settled(&case).await;
            assert_eq!(world.account.writes(), [deed.written()], "{case}: and nothing after it");
        }
    }
}

#[tokio::test]
async fn a_message_that_is_gone_and_can_still_be_read_is_no_message_that_was_moved() {
    for deed in Deed::ALL {
        let mut world = lagging().await;
        world.account.destroy_lagging(world.account.find_one(&text(1)));
        deed.at(&world.laptop);
        for _ in 0..3 {
            assert_eq!(world.sync().await.exit, 75, "{deed:?}: it is asked for again");
        }
        assert_eq!(world.account.writes(), Vec::<String>::new(), "{deed:?}: nothing is made while nobody knows");
        world.account.ghosts_go();
        world.sync().await;
        world.settled(&format!("{deed:?}")).await;
        let elsewhere = deed.left().pop();
        assert_eq!(first(&world), Vec::from_iter(elsewhere), "{deed:?}: it stands where somebody put it");
    }
}

/// The holds, each as its cause and reason.
fn held(world: &World) -> Vec<(String, String)> {
    world.hub.holds().unwrap().into_iter().map(|hold| (hold.cause, hold.reason)).collect()
}

#[tokio::test]
async fn after_a_restore_only_what_was_not_answered_goes_on_being_a_question() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.hub.note_restored().unwrap();
    let [open, gone, later] = [1, 2, 3].map(|n| world.account.find_one(&text(n)));
    world.account.lag(3600);
    world.account.destroy_lagging(open);
    world.account.change(gone, |message| message.at.clear());
    world.sync().await;
    let holds = held(&world);
    assert!(holds.len() == 1 && holds[0].0 == "deletes", "{holds:?}");
    assert!(holds[0].1.contains("1 of 20 items") && holds[0].1.contains("put back from an older copy"), "{holds:?}");
    world.sync().await;
    assert_eq!(held(&world), holds, "the same, and the same words");
    let ids: Vec<String> = world.hub.holds().unwrap().into_iter().map(|hold| hold.id).collect();
    ids.iter().for_each(|id| world.hub.approve(id).unwrap());
    world.sync().await;
    assert!(!world.laptop.has(&text(2)) && held(&world).is_empty());
    // What goes from here on is as any other, though one question is still open.
    world.account.change(later, |message| message.at.clear());
    world.sync().await;
    assert!(!world.laptop.has(&text(3)) && held(&world).is_empty(), "{:?}", held(&world));
    world.account.ghosts_go();
    world.sync().await;
    assert!(world.laptop.has(&text(1)), "it went before the copy was made, or since: nobody knows");
    assert!(held(&world).len() == 1 && held(&world)[0].1.contains("put back from an older copy"), "{:?}", held(&world));
    let id = world.hub.holds().unwrap().remove(0).id;
    world.hub.approve(&id).unwrap();
    world.sync().await;
    assert!(!world.laptop.has(&text(1)));
    world.settled("all is answered").await;
}

#[tokio::test]
async fn a_label_taken_off_before_a_restore_is_taken_off_everywhere_and_its_message_stays() {
    let mut world = World::new(Manner::Labels);
    let labelled = world.account.put(&text(1), &["INBOX", "Work"], &[]);
    for n in 2..=5 {
        world.account.put(&text(n), &["INBOX", "Work"], &[]);
    }
    world.sync().await;
    world.account.change(labelled, |message| drop(message.at.remove("Work")));
    world.hub.note_restored().unwrap();
    world.sync().await;
    assert_eq!(held(&world), [], "no message is gone");
    for place in [&world.account, &world.laptop, &world.phone] {
        let rows: Vec<_> = place.shows().into_iter().filter(|(_, body, _)| body.as_bytes() == text(1)).collect();
        assert_eq!(rows, [at("INBOX", 1, &[])]);
        assert_eq!(place.shows().len(), 9);
    }
    world.settled("a label taken off before a restore").await;
    // The last label of all is the message itself.
    world.account.change(labelled, |message| message.at.clear());
    world.hub.note_restored().unwrap();
    world.sync().await;
    assert!(held(&world).len() == 1 && held(&world)[0].1.contains("put back from an older copy"), "{:?}", held(&world));
    assert!(world.laptop.has(&text(1)) && world.phone.has(&text(1)));
}

/// Ten of twenty messages that are gone at the account, and held; what its list showed of the first of them.
async fn with_ten_held() -> (World, Vec<Seen>) {
    let mut world = World::with_twenty(Manner::Folders).await;
    let ids: Vec<u64> = (1..=10).map(|n| world.account.find_one(&text(n))).collect();
    let shown = world.account.copies(ids[0]);
    ids.iter().for_each(|id| world.account.change(*id, |message| message.at.clear()));
    assert_eq!(world.sync().await.exit, 4);
    assert_eq!(held(&world).len(), 1, "{:?}", held(&world));
    (world, shown)
}

/// Says yes or no to what is held. Answers how many messages are to be left at the account.
fn decide(world: &mut World, word: &str) -> usize {
    for hold in world.hub.holds().unwrap() {
        match word {
            "approve" => world.hub.approve(&hold.id).unwrap(),
            _ => world.hub.drop_hold(&hold).unwrap(),
        }
    }
    if word == "approve" { 10 } else { 20 }
}

/// How often each message stands at a place, by number.
fn numbers(place: &Office) -> Vec<usize> {
    let shows = place.shows();
    (1..=21).map(|n| shows.iter().filter(|(_, body, _)| body.as_bytes() == text(n)).count()).collect()
}

/// Nobody has a message twice, and what is said to be gone was not removed from a device.
fn assert_once(world: &World, case: &str) {
    for place in [&world.account, &world.laptop, &world.phone] {
        assert!(numbers(place).iter().all(|times| *times <= 1), "{case}: {:?}", numbers(place));
    }
}

#[tokio::test]
async fn a_list_that_lags_and_shows_what_is_held_as_gone_once_more_loses_and_doubles_nothing() {
    for word in ["approve", "drop"] {
        let (mut world, shown) = with_ten_held().await;
        world.account.echo(shown);
        world.account.put(&text(21), &["INBOX"], &["$seen"]);
        for _ in 0..2 {
            world.sync().await;
            assert_eq!(world.account.writes(), Vec::<String>::new(), "{word}: nothing is made while it is a question");
            assert_eq!(numbers(&world.laptop)[..20], [1; 20], "{word}: nor is anything removed");
            assert_once(&world, word);
            let words = held(&world).remove(0).1;
            assert!(words.starts_with("9 of "), "{word}: the question is of those that nobody shows: {words}");
        }
        // The new one comes, and of the nine each that is wanted back.
        let left = decide(&mut world, word) + 1 - usize::from(word == "drop");
        world.sync().await;
        assert_once(&world, word);
        assert!(world.laptop.has(&text(1)) && world.phone.has(&text(1)), "{word}: nobody said anything of that one");
        // What the list showed too late is found to be gone by the next full one, and is one removal of its own.
        world.now.fetch_add(25 * HOUR_MS, Ordering::SeqCst);
        world.sync().await;
        assert_once(&world, word);
        assert_eq!(world.account.shows().len(), left, "{word}");
        assert!(!world.laptop.has(&text(1)), "{word}");
        assert_eq!(world.hub.items_by_blob(&BlobId::of(&text(1))).unwrap().len(), 1, "{word}: the hub keeps it");
        world.settled(word).await;
    }
}

#[tokio::test]
async fn a_list_that_calls_one_more_gone_than_are_gone_while_they_are_held_takes_that_one_along_with_no_word() {
    for word in ["approve", "drop"] {
        let (mut world, _) = with_ten_held().await;
        world.account.lag(900);
        world.account.go_and_come_back(world.account.find_one(&text(11)));
        for _ in 0..2 {
            world.sync().await;
            assert!(held(&world)[0].1.contains("10 of 20 items"), "{word}: {:?}", held(&world));
        }
        let left = decide(&mut world, word);
        world.sync().await;
        assert!(world.laptop.has(&text(11)) && world.phone.has(&text(11)), "{word}: it was never gone");
        assert_once(&world, word);
        world.now.fetch_add(HOUR_MS, Ordering::SeqCst);
        world.sync().await;
        assert_eq!(world.account.shows().len(), left, "{word}");
        world.settled(word).await;
    }
}
