//! What becomes of the paths of mailboxes.

use super::*;
use std::sync::atomic::AtomicUsize;

/// What the folder that was made as "Work" is called at each place.
fn called(world: &World) -> [String; 3] {
    [(&world.account, "Work"), (&world.laptop, "account/mail/Work"), (&world.phone, "account/mail/Work")]
        .map(|(place, id)| place.called(id))
}

#[tokio::test]
async fn a_folder_that_a_device_moves_and_renames_has_its_new_name_however_far_the_account_came() {
    for failing in ["before folder moved", "after folder moved", "before folder renamed", "after folder renamed"] {
        for error in [ErrorKind::Unknown, ErrorKind::Offline] {
            let mut world = World::with_twenty(Manner::Folders).await;
            world.laptop.call("account/mail/Work", "INBOX/Done");
            world.account.set_watch(Some(Arc::new(move |step: &str| match step == failing {
                true => Err(Error::new(error, "not now")),
                false => Ok(()),
            })));
            let report = world.sync().await;
            world.account.set_watch(None);
            let case = format!("{failing}: {error:?}");
            assert!(!report.troubles.is_empty(), "{case}: it is said");
            world.sync().await;
            assert_eq!(called(&world), ["INBOX/Done"; 3], "{case}");
            world.settled(&case).await;
        }
    }
}

/// Refuses each step of that name, and counts them.
pub(super) fn refusing(step: &'static str) -> (Watch, Arc<AtomicUsize>) {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let watch: Watch = Arc::new(move |now: &str| match now == step {
        true => {
            count.fetch_add(1, Ordering::SeqCst);
            Err(Error::new(ErrorKind::Refused, "no such name"))
        }
        false => Ok(()),
    });
    (watch, tries)
}

/// Hours that pass before a run, and how often what is refused was tried after it.
pub(super) const LATER_AND_LATER: [(i64, usize); 6] = [(0, 1), (0, 1), (2, 2), (1, 2), (2, 3), (2, 3)];

#[tokio::test]
async fn a_name_that_the_account_refuses_is_told_by_each_run_and_tried_again_later_and_later() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.account.put(&text(30), &["Work"], &[]);
    world.sync().await;
    world.laptop.call("account/mail/Work", "INBOX/Done");
    let (watch, tries) = refusing("before folder renamed");
    world.account.set_watch(Some(watch.clone()));
    for (hours, tried) in LATER_AND_LATER {
        world.now.fetch_add(hours * HOUR_MS, Ordering::SeqCst);
        let report = world.sync().await;
        let is_said = |words: &String| words.contains("\"INBOX/Done\": no such name");
        assert!(report.troubles.iter().any(is_said), "{hours} hours later: {:?}", report.troubles);
        assert_eq!((report.exit, tries.load(Ordering::SeqCst)), (5, tried), "{hours} hours later");
        assert_eq!(world.hub.quarantined().unwrap().len(), 1, "{hours} hours later");
    }
    assert_eq!(called(&world), ["INBOX/Work", "INBOX/Done", "INBOX/Done"]);
    world.laptop.put(&text(31), &["account/mail/Work"], &["$seen"]);
    world.account.change(world.account.find_one(&text(1)), |message| carry(message, "INBOX", "Work"));
    world.sync().await;
    assert!(world.account.shows().contains(&at("Work", 31, &["$seen"])), "mail goes on, there");
    assert!(world.phone.shows().contains(&at("Work", 1, &["$seen"])), "and here");
    let settings = Settings { retry_quarantined: true, ..world.settings() };
    world.run_with(settings).await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 4, "at once, where somebody asks for it");
    world.laptop.call("account/mail/Work", "INBOX/Ready");
    world.sync().await;
    assert_eq!(tries.load(Ordering::SeqCst), 5, "another name is tried at once");
    assert_eq!(world.hub.quarantined().unwrap().len(), 1, "and the one before it is over");
    world.account.set_watch(None);
    world.account.call("Work", "INBOX/Other");
    world.sync().await;
    assert_eq!(called(&world), ["INBOX/Other"; 3], "a new name there counts everywhere");
    world.settled("a name of the account's").await;
}

#[tokio::test]
async fn what_is_below_a_folder_whose_new_name_is_refused_goes_nowhere_else_and_follows_later() {
    let mut world = with_folders(Manner::Folders, &[("A", "T"), ("A/K", "T/K")]).await;
    let (watch, _) = refusing("before folder renamed");
    world.account.set_watch(Some(watch));
    for (id, name) in [("A", "T"), ("A/K", "T/K")] {
        world.laptop.call(&format!("account/mail/{id}"), name);
    }
    world.laptop.add_mailbox("account/mail/New", None);
    world.laptop.call("account/mail/New", "T/New");
    for _ in 0..2 {
        assert_eq!(world.sync().await.exit, 5);
        assert_eq!([world.account.called("A"), world.account.called("A/K")], ["A", "A/K"]);
        assert!(!world.account.has_mailbox("T/New"), "it would make a second T");
    }
    world.account.set_watch(None);
    world.now.fetch_add(2 * HOUR_MS, Ordering::SeqCst);
    world.sync().await;
    assert_eq!([world.account.called("A"), world.account.called("A/K")], ["T", "T/K"]);
    assert!(world.account.has_mailbox("T/New"));
    world.settled("taken after all").await;
}

#[tokio::test]
async fn where_one_side_moves_a_folder_and_the_other_renames_it_both_count() {
    for manner in BOTH {
        let mut world = World::with_twenty(manner).await;
        world.account.call("Work", "INBOX/Work");
        world.laptop.call("account/mail/Work", "Done");
        assert_eq!(world.sync().await.troubles, Vec::<String>::new(), "{manner:?}");
        world.sync().await;
        assert_eq!(called(&world), ["INBOX/Done"; 3], "{manner:?}");
        let mut world = World::with_twenty(manner).await;
        world.account.call("Work", "INBOX/Job");
        world.laptop.call("account/mail/Work", "Done");
        let report = world.sync().await;
        let is_said = |words: &String| words.contains("another name on two sides") && words.contains("\"Job\" counts");
        assert!(report.troubles.iter().any(is_said), "{manner:?}: {:?}", report.troubles);
        world.sync().await;
        assert_eq!(called(&world), ["INBOX/Job"; 3], "{manner:?}");
    }
}

#[tokio::test]
async fn a_folder_that_somebody_moves_right_after_it_was_renamed_here_is_followed_at_once() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.account.lag(900);
    world.laptop.call("account/mail/Work", "Done");
    world.sync().await;
    assert_eq!(called(&world), ["Done"; 3]);
    world.account.call("Work", "INBOX/Work");
    world.sync().await;
    assert_eq!(called(&world)[1..], ["INBOX/Done"; 2], "moved there, where its list still shows the old name");
    world.account.call("Work", "INBOX/Done");
    world.settled("the list shows both").await;
    assert_eq!(called(&world), ["INBOX/Done"; 3]);
}

#[tokio::test]
async fn a_folder_made_below_one_that_was_just_renamed_is_not_moved_back_by_a_list_that_lags() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.account.lag(900);
    world.laptop.call("account/mail/Work", "Done");
    world.laptop.add_mailbox("account/mail/New", None);
    world.laptop.call("account/mail/New", "Done/New");
    // What is in the new folder is read before that is made, and the list shows the other one by its old name until then.
    let (account, was_told) = (world.account.clone(), AtomicBool::new(false));
    world.account.set_before_list(Some(Arc::new(move |_: &str| {
        if !was_told.swap(true, Ordering::SeqCst) {
            account.call("Work", "Work");
        }
        Ok(())
    })));
    let account = world.account.clone();
    world.account.set_watch(Some(Arc::new(move |step: &str| {
        if step == "before a mailbox is made" {
            account.call("Work", "Done");
        }
        Ok(())
    })));
    world.sync().await;
    world.account.set_before_list(None);
    world.account.set_watch(None);
    let shown = |world: &World| world.laptop.called("account/mail/New");
    let made = "Done/New";
    for listed in ["Work/New", "Done/New"] {
        world.account.call(made, listed);
        world.sync().await;
        assert_eq!(shown(&world), "Done/New", "listed as {listed}");
    }
    world.account.call(made, "Work/New");
    world.sync().await;
    assert_eq!(shown(&world), "Work/New", "after the list showed it where it was made, that is somebody's move");
}

/// What an account has, what a device makes of it.
type Renamed = &'static [(&'static str, &'static str)];

/// Folders that change places on a device, each with what is below it.
const EXCHANGED: [(&str, Renamed); 4] = [
    ("two with one below", &[("A", "B"), ("A/K", "B/K"), ("B", "A")]),
    ("two with one below each", &[("A", "B"), ("A/K", "B/K"), ("B", "A"), ("B/K", "A/K")]),
    ("two, and the one above them moves", &[("A", "B/A"), ("A/E", "B/A/F"), ("A/F", "B/A/E"), ("B", "B")]),
    ("one and the one below it", &[("A", "A/K"), ("A/K", "A")]),
];

/// A world with these folders, in each of which a message stands.
async fn with_folders(manner: Manner, folders: Renamed) -> World {
    let mut world = World::with_twenty(manner).await;
    for (n, (folder, _)) in folders.iter().enumerate() {
        world.account.add_mailbox(folder, None);
        world.account.put(&text(100 + n), &[folder], &[]);
    }
    world.sync().await;
    world
}

#[tokio::test]
async fn folders_that_exchange_their_names_on_a_device_have_these_names_everywhere_with_what_is_below_them() {
    for (case, folders) in EXCHANGED {
        for (manner, lag_s) in [(Manner::Labels, 0), (Manner::Folders, 0), (Manner::Folders, 900)] {
            let mut world = with_folders(manner, folders).await;
            world.account.lag(lag_s);
            for (id, name) in folders {
                world.laptop.call(&format!("account/mail/{id}"), name);
            }
            let case = format!("{case}, {manner:?}, {lag_s} s");
            for run in ["at once", "later"] {
                let report = world.sync().await;
                assert_eq!((report.exit, &report.troubles), (0, &Vec::new()), "{case}, {run}");
                for (id, name) in folders {
                    assert_eq!(world.account.called(id), *name, "{case}, {run}: {id} at the account");
                    assert_eq!(
                        world.phone.called(&format!("account/mail/{id}")),
                        *name,
                        "{case}, {run}: {id} on the phone"
                    );
                }
                world.now.fetch_add(HOUR_MS, Ordering::SeqCst);
            }
            world.settled(&case).await;
        }
    }
}

#[tokio::test]
async fn a_message_that_goes_to_a_folder_which_its_account_makes_during_the_run_is_moved_and_never_missed() {
    for is_read in [false, true] {
        let what = format!("read on the device: {is_read}");
        let mut world = World::with_twenty(Manner::Folders).await;
        if is_read {
            world
                .laptop
                .change(world.laptop.find_one(&text(1)), |message| _ = message.keywords.insert("$flagged".into()));
        }
        let account = world.account.clone();
        world.account.set_before_list(Some(Arc::new(move |_: &str| {
            if !account.has_mailbox("New") {
                account.add_mailbox("New", None);
                account.change(account.find_one(&text(1)), |message| carry(message, "INBOX", "New"));
            }
            Ok(())
        })));
        world.sync().await;
        world.account.set_before_list(None);
        assert!(world.laptop.has(&text(1)) && world.phone.has(&text(1)), "{what}: it is nowhere gone");
        for _ in 0..2 {
            world.sync().await;
        }
        assert_eq!(world.account.creates(), 0, "{what}: {:?}", world.account.writes());
        assert_eq!(world.account.shows().len(), 20, "{what}");
        let words: &[&str] = if is_read { &["$flagged", "$seen"] } else { &["$seen"] };
        assert!(world.laptop.shows().contains(&at("New", 1, words)), "{what}: {:?}", world.laptop.shows());
        world.settled(&what).await;
    }
}

/// An account tells none from the other.
#[tokio::test]
async fn of_two_new_folders_whose_names_differ_in_case_one_is_made_and_the_other_is_listed_at_once() {
    for manner in BOTH {
        let mut world = World::new(manner);
        world.sync().await;
        for (n, name) in ["Alt", "alt"].into_iter().enumerate() {
            let id = format!("account/mail/{name}");
            world.laptop.add_mailbox(&id, None);
            world.laptop.put(&text(n), &[&id], &["$seen"]);
        }
        for _ in 0..2 {
            let report = world.sync().await;
            assert_eq!(report.exit, 5, "{manner:?}: {report:?}");
            let listed = world.hub.quarantined().unwrap();
            assert_eq!(listed.len(), 1, "{manner:?}");
            assert!(listed[0].reason.contains("Give it another name"), "{manner:?}: {}", listed[0].reason);
            assert_eq!(world.account.shows().len(), 1, "{manner:?}");
        }
    }
}
