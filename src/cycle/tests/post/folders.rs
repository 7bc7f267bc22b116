//! What becomes of the paths of mailboxes.

use super::*;

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

#[tokio::test]
async fn a_name_that_the_account_refuses_for_good_is_said_and_the_folder_is_where_it_was_moved_to() {
    let mut world = World::with_twenty(Manner::Folders).await;
    world.laptop.call("account/mail/Work", "INBOX/Done");
    world.account.set_watch(Some(Arc::new(|step: &str| match step {
        "before folder renamed" => Err(Error::new(ErrorKind::Refused, "another folder has that name")),
        _ => Ok(()),
    })));
    let report = world.sync().await;
    let is_said = |words: &String| words.contains("\"Work\" stays as it is there") && words.contains("another folder");
    assert!(report.troubles.iter().any(is_said), "{:?}", report.troubles);
    for _ in 0..2 {
        assert_eq!(world.sync().await.troubles, Vec::<String>::new(), "said once");
    }
    assert_eq!(called(&world), ["INBOX/Work", "INBOX/Done", "INBOX/Done"]);
    world.account.set_watch(None);
    world.account.call("Work", "INBOX/Other");
    world.sync().await;
    assert_eq!(called(&world), ["INBOX/Other"; 3], "a new name there counts everywhere");
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
    world.sync().await;
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
