//! Labels as mailboxes.

use super::*;
use twofold_model::email::Role;
use twofold_model::{CollectionId, Removal};

async fn names(desk: &Desk) -> Vec<String> {
    desk.google.collections(KIND).await.unwrap().into_iter().map(|one| one.name).collect()
}

#[tokio::test]
async fn labels_are_made_renamed_and_removed() {
    let desk = Desk::new().await;
    assert_eq!(names(&desk).await, ["INBOX", "Sent", "Drafts", "Spam", "Trash", "Archive"]);
    let made = desk.google.create_collection(KIND, &collection("Work/2026")).await.unwrap();
    assert_eq!((made.name.as_str(), made.role), ("Work/2026", None));
    let again = desk.google.create_collection(KIND, &collection("work/2026")).await.unwrap();
    assert_eq!(again, made, "a lost reply makes no second");
    let inbox = desk.google.create_collection(KIND, &collection("Inbox")).await.unwrap();
    assert_eq!((inbox.id.as_str(), inbox.role), ("INBOX", Some(Role::Inbox)));
    let renamed = desk.google.rename_collection(KIND, &made.id, Some("Work/2027"), None).await.unwrap();
    assert_eq!((&renamed.id, renamed.name.as_str()), (&made.id, "Work/2027"));
    for (name, kind) in [("R\\/D", ErrorKind::Refused), ("All Mail", ErrorKind::Refused)] {
        assert_eq!(desk.google.create_collection(KIND, &collection(name)).await.unwrap_err().kind, kind, "{name}");
    }
    desk.sandbox.google_add_label("Taken").unwrap();
    let taken = desk.google.rename_collection(KIND, &made.id, Some("Taken"), None).await.unwrap_err();
    assert_eq!(taken.kind, ErrorKind::Refused);
    let fixed = desk.google.rename_collection(KIND, &"SENT".into(), Some("Gone out"), None).await.unwrap_err();
    assert_eq!(fixed.kind, ErrorKind::Unsupported);

    let message = desk.add("one", &[made.id.as_str()]);
    assert_eq!(desk.google.removal(KIND, &made.id).await.unwrap(), Removal::Whole);
    assert!(!desk.google.remove_collection(KIND, &made.id).await.unwrap(), "a message stands in it");
    desk.sandbox.google_trash_mail(&message).unwrap();
    assert!(desk.google.remove_collection(KIND, &made.id).await.unwrap(), "what is in the trash stands there alone");
    assert!(desk.google.remove_collection(KIND, &made.id).await.unwrap(), "what is gone is taken away");
    for id in ["INBOX", "ARCHIVE"] {
        assert_eq!(desk.google.removal(KIND, &CollectionId::from(id)).await.unwrap(), Removal::Never);
        assert!(!desk.google.remove_collection(KIND, &CollectionId::from(id)).await.unwrap());
    }
}

#[tokio::test]
async fn a_label_that_was_deleted_is_followed_by_a_listing() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &[&work]);
    let start = desk.round(Since::Start).await;
    assert_eq!(start.names(), [id(&one, &work).as_str()]);
    desk.sandbox.google_delete_label(&work).unwrap();
    let feed = desk.feed().await;
    assert_eq!(desk.page(&feed, start.since()).await.unwrap_err().kind, ErrorKind::TokenExpired);
    assert_eq!(desk.round(Since::Start).await.names(), [id(&one, "ARCHIVE").as_str()]);
    assert!(desk.fetch(&id(&one, &work)).await.is_none());
}

#[tokio::test]
async fn a_label_that_is_new_within_a_run_is_told_by_the_next_round() {
    // Also where the labels were listed once more since the cycle asked which there are, for another one's sake.
    for is_renaming in [false, true] {
        let desk = Desk::new().await;
        let play = desk.sandbox.google_add_label("Play").unwrap();
        let one = desk.add("one", &["INBOX"]);
        let start = desk.round(Since::Start).await;
        let feed = desk.feed().await;
        let work = desk.sandbox.google_add_label("Work").unwrap();
        desk.sandbox.google_label_mail(&one, &[&work], &["INBOX"]).unwrap();
        let two = desk.add("two", &["INBOX"]);
        if is_renaming {
            desk.google.rename_collection(KIND, &play.as_str().into(), Some("Games"), None).await.unwrap();
        }
        let mut round = Round::default();
        assert!(round.take(desk.page(&feed, start.since()).await.unwrap()).is_none());
        assert_eq!(round.names(), [id(&two, "INBOX").as_str()], "{is_renaming}");
        assert!(round.gone.is_empty(), "{is_renaming}: what stands where nobody looks yet has not left");
        let next = desk.round(round.since()).await;
        assert_eq!(next.names(), {
            let mut both = [id(&one, &work).0, id(&two, "INBOX").0];
            both.sort();
            both
        });
    }
}

#[tokio::test]
async fn a_label_that_is_made_between_the_list_of_labels_and_a_full_listing_is_listed_with_the_next_one() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let feed = desk.feed().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    desk.sandbox.google_label_mail(&one, &[&work], &["INBOX"]).unwrap();
    assert_eq!(desk.page(&feed, Since::Start).await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(desk.round(Since::Start).await.names(), [id(&one, &work).as_str()]);
}

#[tokio::test]
async fn a_label_that_goes_while_it_is_listed_does_not_stop_the_listing() {
    let desk = Desk::new().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    let one = desk.add("one", &[&work]);
    let feed = desk.feed().await;
    desk.sandbox.google_delete_label(&work).unwrap();
    let mut round = Round::default();
    assert!(round.take(desk.page(&feed, Since::Start).await.unwrap()).is_none());
    assert_eq!(round.names(), [id(&one, "ARCHIVE").as_str()]);
}

/// Bench: a rename in the same run lists all labels anew, and the cycle hears of the renamed one alone.
#[tokio::test]
async fn a_label_that_is_made_before_another_one_is_renamed_is_missed_by_no_full_listing() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let trips = desk.sandbox.google_add_label("Trips").unwrap();
    let feed = desk.feed().await;
    let work = desk.sandbox.google_add_label("Work").unwrap();
    desk.sandbox.google_label_mail(&one, &[&work], &["INBOX"]).unwrap();
    desk.google.rename_collection(KIND, &trips.as_str().into(), Some("Journeys"), None).await.unwrap();
    assert_eq!(desk.page(&feed, Since::Start).await.unwrap_err().kind, ErrorKind::Unknown);
    assert_eq!(desk.round(Since::Start).await.names(), [id(&one, &work).as_str()]);
}

#[tokio::test]
async fn a_label_that_twofold_made_itself_stops_no_full_listing() {
    let desk = Desk::new().await;
    let one = desk.add("one", &["INBOX"]);
    let feed = desk.feed().await;
    desk.google.create_collection(KIND, &collection("Trips")).await.unwrap();
    let mut round = Round::default();
    assert!(round.take(desk.page(&feed, Since::Start).await.unwrap()).is_none());
    assert_eq!(round.names(), [id(&one, "INBOX").as_str()]);
}
