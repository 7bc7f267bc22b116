//! A message of Gmail's with several labels, whose files are moved and removed on the laptop.

use super::*;

/// A synced home with a message in the inbox that has a label, too. Answers the message's id.
fn labelled() -> (Home, String) {
    let home = synced(&GOOGLE);
    let label = home.sandbox.google_add_label("Work").unwrap();
    let id = home.sandbox.google_add_mail(&text("Minutes"), &["INBOX", &label]);
    home.sync().expect(0);
    assert_eq!(folders(&home), [".Work", ""]);
    (home, id)
}

/// The folders in which the message has a file.
fn folders(home: &Home) -> Vec<String> {
    mail(home, "google", "Minutes").iter().map(Mail::folder).collect()
}

fn file_in(home: &Home, folder: &str) -> PathBuf {
    mail(home, "google", "Minutes").into_iter().find(|mail| mail.folder() == folder).unwrap().path
}

fn place(home: &Home, folder: &str, file: &Path) -> PathBuf {
    home.laptop().join("google/mail").join(folder).join("cur").join(file.file_name().unwrap())
}

#[test]
fn one_file_moved_to_the_trash_takes_the_others_along_in_the_same_run() {
    let (home, id) = labelled();
    let file = file_in(&home, "");
    fs::rename(&file, place(&home, ".Trash", &file)).unwrap();
    home.sync().expect(0);
    assert!(gmail_labels(&home, &id).contains("TRASH"));
    assert_eq!(folders(&home), [".Trash"]);
    settled(&home, "in the trash");
    // A further file in another folder takes it out again.
    let file = file_in(&home, ".Trash");
    fs::hard_link(&file, place(&home, "", &file)).unwrap();
    home.sync().expect(0);
    let labels = gmail_labels(&home, &id);
    assert!(labels.contains("INBOX") && !labels.contains("TRASH"), "{labels:?}");
    home.sync().expect(0);
    assert!(!folders(&home).contains(&".Trash".to_owned()), "{:?}", folders(&home));
    settled(&home, "out of the trash");
}

#[test]
fn a_message_whose_files_are_all_removed_is_archived_whatever_labels_it_had() {
    let (home, id) = labelled();
    mail(&home, "google", "Minutes").iter().for_each(|mail| fs::remove_file(&mail.path).unwrap());
    home.sync().expect(0);
    let labels = gmail_labels(&home, &id);
    assert!(!labels.contains("TRASH") && labels.iter().all(|label| label == "UNREAD"), "{labels:?}");
    assert_eq!(folders(&home), [".Archive"]);
    settled(&home, "archived");
}

#[test]
fn a_file_moved_to_the_archive_leaves_the_other_labels() {
    let (home, id) = labelled();
    let file = file_in(&home, "");
    fs::rename(&file, place(&home, ".Archive", &file)).unwrap();
    home.sync().expect(0);
    let labels = gmail_labels(&home, &id);
    assert!(!labels.contains("INBOX") && labels.len() == 1, "{labels:?}");
    assert_eq!(folders(&home), [".Work"]);
    settled(&home, "archived");
}

/// Gmail decides itself what is sent, and takes no slash within a name.
#[test]
fn what_cannot_be_moved_is_marked_all_the_same_where_it_stands() {
    for folder in [".Sent", ".a\\2fb"] {
        let home = synced(&GOOGLE);
        let id = home.sandbox.google_add_mail(&text("Minutes"), &["INBOX", "UNREAD"]);
        home.sync().expect(0);
        let file = file_in(&home, "");
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(home.laptop().join("google/mail").join(folder).join(part)).unwrap();
        }
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let base = name.split(":2,").next().unwrap().to_owned();
        let moved = place(&home, folder, Path::new(&format!("{base}:2,")));
        fs::rename(&file, &moved).unwrap();
        home.sync();
        let labels = gmail_labels(&home, &id);
        assert!(labels.contains("INBOX") && labels.contains("UNREAD"), "{folder}: {labels:?}");
        fs::rename(&moved, place(&home, folder, Path::new(&format!("{base}:2,FS")))).unwrap();
        home.sync();
        let labels = gmail_labels(&home, &id);
        assert!(
            labels.contains("INBOX") && labels.contains("STARRED") && !labels.contains("UNREAD"),
            "{folder}: {labels:?}"
        );
        assert_eq!(folders(&home), [folder], "the file stays where it was put");
        home.sandbox.reset_counts();
        home.sync();
        assert_eq!(home.writes(), 0, "{folder}: told once");
    }
}
