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

/// Trap of programs that keep a file for each label: the disk.
#[test]
fn a_message_with_several_labels_is_one_file_under_one_name_in_each_of_their_folders_also_once_it_is_marked() {
    use std::os::unix::fs::MetadataExt as _;
    let (home, id) = labelled();
    for flags in ["", "F"] {
        let files = mail(&home, "google", "Minutes");
        let [one, other] = &files[..] else { panic!("{}", files.len()) };
        let inode = |mail: &Mail| fs::metadata(&mail.path).unwrap().ino();
        assert_eq!((inode(one), one.path.file_name()), (inode(other), other.path.file_name()), "{flags}");
        assert_eq!(one.flags().contains(&'F'), flags == "F");
        home.sandbox.google_label_mail(&id, &["STARRED"], &[]).unwrap();
        home.sync().expect(0);
    }
}

/// What stands nowhere else is in the archive's folder, which has its name first.
#[test]
fn a_label_of_the_users_own_that_is_called_archive_is_another_folder_than_the_archive() {
    let home = synced(&GOOGLE);
    let label = home.sandbox.google_add_label("Archive").unwrap();
    home.sandbox.google_add_mail(&text("Labelled"), &[&label]);
    home.sandbox.google_add_mail(&text("Archived"), &[]);
    home.sync().expect(0);
    let folder = |subject| only(mail(&home, "google", subject), subject).folder();
    assert_eq!((folder("Labelled").as_str(), folder("Archived").as_str()), (".Archive (2)", ".Archive"));
    settled(&home, "beside each other");
    // Both ways: what is moved from one to the other gets the label, and what is moved back loses it.
    let file = only(mail(&home, "google", "Archived"), "Archived").path;
    fs::rename(&file, place(&home, ".Archive (2)", &file)).unwrap();
    let file = only(mail(&home, "google", "Labelled"), "Labelled").path;
    fs::rename(&file, place(&home, ".Archive", &file)).unwrap();
    home.sync().expect(0);
    let labels = |subject: &str| {
        let messages = home.sandbox.google_messages();
        let is_it = |message: &&Value| {
            let raw = home.sandbox.google_message_raw(message["id"].as_str().unwrap()).unwrap();
            String::from_utf8_lossy(&raw).contains(&format!("Subject: {subject}\r\n"))
        };
        let id = messages.iter().find(is_it).unwrap()["id"].as_str().unwrap().to_owned();
        gmail_labels(&home, &id)
    };
    assert!(labels("Archived").contains(&label) && !labels("Labelled").contains(&label));
    settled(&home, "exchanged");
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

/// Two ways that a message came, which only what carried it tells apart: for Gmail they are one.
#[test]
fn two_files_of_one_message_that_came_in_two_ways_stay_on_the_device_and_are_one_at_gmail() {
    for is_there_before in [true, false] {
        let home = synced(&GOOGLE);
        let what = format!("there before: {is_there_before}");
        if is_there_before {
            deliver(&home, "google", "Minutes");
            home.sync().expect(0);
        }
        let inbox = home.laptop().join("google/mail/cur");
        let ways: &[&str] = if is_there_before { &["one"] } else { &["one", "two"] };
        for way in ways {
            let carried =
                [format!("Received: by {way}; Mon, 2 Mar 2026 09:00:01 +0000\r\n").into_bytes(), text("Minutes")];
            fs::write(inbox.join(format!("1772442000.{way}.host:2,S")), carried.concat()).unwrap();
        }
        home.sync().expect(0);
        let there = || home.sandbox.google_messages().len();
        let (before, files) = (there(), mail(&home, "google", "Minutes"));
        assert_eq!(files.len(), 2, "{what}: both stay");
        home.sandbox.reset_counts();
        home.sync().expect(0);
        assert_eq!((home.writes(), there(), mail(&home, "google", "Minutes").len()), (0, before, 2), "{what}");
        home.run(&["status"]).shows(&["holds it once"]);
        let minutes = || -> Vec<Value> {
            let is_it = |it: &Value| {
                let raw = home.sandbox.google_message_raw(it["id"].as_str().unwrap()).unwrap();
                String::from_utf8_lossy(&raw).contains("Subject: Minutes\r\n")
            };
            home.sandbox.google_messages().into_iter().filter(is_it).collect()
        };
        assert_eq!(minutes().len(), 1, "{what}: Gmail has one");
        // The file goes that stands for it there: the other one does from then on.
        let there = home.sandbox.google_message_raw(minutes()[0]["id"].as_str().unwrap()).unwrap();
        let known = mail(&home, "google", "Minutes").into_iter().find(|mail| mail.bytes == there).unwrap();
        fs::remove_file(&known.path).unwrap();
        for _ in 0..3 {
            home.sync();
        }
        let labels = minutes()[0]["labelIds"].to_string();
        assert!(labels.contains("INBOX") && !labels.contains("TRASH"), "{what}: {labels}");
        assert_eq!(mail(&home, "google", "Minutes").iter().map(Mail::folder).collect::<Vec<_>>(), [""], "{what}");
        settled(&home, &what);
    }
}
