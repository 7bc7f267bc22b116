//! Two files of one base name in one folder of the laptop, and what becomes of them at their account.

use super::bench::flag;
use super::*;

/// Puts a second file of a message beside it, with these flags and these bytes.
fn twin(home: &Home, provider: &str, subject: &str, flags: &str, bytes: &[u8]) {
    let first = only(mail(home, provider, subject), subject).path;
    let name = first.file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap();
    let second = first.parent().unwrap().with_file_name("cur").join(format!("{base}:2,{flags}"));
    assert_ne!(first, second);
    fs::write(second, bytes).unwrap();
}

/// Somebody throws a message away at its account.
fn throw_away(home: &Home, provider: &str, id: &str) {
    match provider {
        "google" => home.sandbox.google_trash_mail(id).unwrap(),
        _ => home.sandbox.graph_mail_delete(id).unwrap(),
    }
}

/// Another message than the first, as long as that.
fn other(home: &Home, provider: &str) -> Vec<u8> {
    let first = String::from_utf8(only(mail(home, provider, "First"), provider).bytes).unwrap();
    first.replace("First", "Other").replace("first", "other").into_bytes()
}

/// Where the files of a message stand.
fn places(home: &Home, provider: &str, subject: &str) -> Vec<String> {
    mail(home, provider, subject).iter().map(Mail::folder).collect()
}

#[test]
fn two_files_of_one_name_are_one_message_whose_marks_moves_and_deletions_go_both_ways() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let ids: Vec<String> = ["Marked", "Moved", "Thrown"].iter().map(|one| deliver(&home, provider, one)).collect();
        home.sync().expect(0);
        let before = copies(&home, provider);
        for subject in ["Marked", "Moved", "Thrown"] {
            twin(&home, provider, subject, "FS", &only(mail(&home, provider, subject), subject).bytes);
        }
        // In the very run that meets the twins, too.
        throw_away(&home, provider, &ids[2]);
        home.sync().expect(0);
        assert_eq!(only(mail(&home, provider, "Marked"), provider).flags(), ['F', 'S'].into(), "{provider}");
        assert!(is_read(&home, provider, &ids[0], "Marked"), "{provider}");
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before, "{provider}: nothing is sent there twice");
        let trash = if provider == "google" { ".Trash" } else { ".Gel&APY-schte Elemente" };
        assert_eq!(places(&home, provider, "Thrown"), [trash], "{provider}");

        let to = match provider {
            "google" => {
                let label = home.sandbox.google_add_label("Work").unwrap();
                home.sandbox.google_label_mail(&ids[1], &[&label], &["INBOX"]).unwrap();
                ".Work"
            }
            _ => {
                home.sandbox.graph_mail_move(&ids[1], &graph_folder(&home, "Rechnungen")).unwrap();
                ".Rechnungen"
            }
        };
        throw_away(&home, provider, &ids[0]);
        home.sync().expect(0);
        settled(&home, provider);
        assert_eq!(places(&home, provider, "Moved"), [to], "{provider}");
        assert_eq!(places(&home, provider, "Marked"), [trash], "{provider}");
        assert_eq!(copies(&home, provider), before, "{provider}");
    }
}

/// The base says how long they are, so the two are of one length; another one is damaged, and listed.
#[test]
fn promise_4_two_files_of_one_name_and_other_bytes_are_two_messages_and_both_stay() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "First");
        home.sync().expect(0);
        let before = copies(&home, provider);
        let (bytes, another) = (only(mail(&home, provider, "First"), provider).bytes, other(&home, provider));
        twin(&home, provider, "First", "F", &another);
        for _ in 0..2 {
            home.sync().expect(0);
        }
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        for (subject, flags, bytes) in [("First", "", bytes), ("Other", "F", another)] {
            let file = only(mail(&home, provider, subject), provider);
            assert_eq!((file.bytes == bytes, file.flags()), (true, flags.chars().collect()), "{provider}");
        }
        throw_away(&home, provider, &id);
        home.sync().expect(0);
        settled(&home, provider);
        assert_eq!(places(&home, provider, "Other"), [""], "{provider}: only the one that was thrown away goes");
        assert_ne!(places(&home, provider, "First"), [""], "{provider}");
    }
}

/// Both were renamed since they were known, so that only the bytes say which of them it is.
#[test]
fn promise_4_where_neither_is_called_as_it_was_the_bytes_tell_which_message_was_known() {
    for provider in BOTH {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "First");
        home.sync().expect(0);
        let before = copies(&home, provider);
        let first = flag(&only(mail(&home, provider, "First"), provider), "S");
        twin(&home, provider, "First", "F", &other(&home, provider));
        assert!(first.exists());
        for _ in 0..2 {
            home.sync().expect(0);
        }
        settled(&home, provider);
        assert_eq!(copies(&home, provider), before + 1, "{provider}");
        assert_eq!(places(&home, provider, "First"), [""], "{provider}: it is not thrown away");
        assert_eq!(places(&home, provider, "Other"), [""], "{provider}");
        assert!(is_read(&home, provider, &id, "First"), "{provider}");
    }
}

#[test]
fn a_file_that_is_marked_and_moved_to_where_its_message_stands_is_one_file_with_the_mark() {
    let home = synced(&GOOGLE);
    let label = home.sandbox.google_add_label("Work").unwrap();
    let id = home.sandbox.google_add_mail(&text("Minutes"), &["INBOX", "UNREAD", &label]);
    home.sync().expect(0);
    let here = mail(&home, "google", "Minutes").into_iter().find(|mail| mail.folder().is_empty()).unwrap().path;
    let name = format!("{}:2,S", here.file_name().unwrap().to_string_lossy());
    fs::rename(&here, home.laptop().join("google/mail/.Work/cur").join(name)).unwrap();
    home.sync().expect(0);
    settled(&home, "moved");
    assert_eq!(gmail_labels(&home, &id), [label].into());
    let file = only(mail(&home, "google", "Minutes"), "one file");
    assert_eq!((file.folder().as_str(), file.flags()), (".Work", ['S'].into()));
    home.sandbox.google_trash_mail(&id).unwrap();
    home.sync().expect(0);
    settled(&home, "thrown away");
    assert_eq!(places(&home, "google", "Minutes"), [".Trash"]);
}
