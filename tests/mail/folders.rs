//! Folders that somebody makes on the laptop.

use super::bench::{answers, put};
use super::*;
use twofold_sandbox::Rule;

/// Makes an empty Maildir of that name, as a mail program does.
fn make(home: &Home, provider: &str, name: &str) -> PathBuf {
    let folder = home.laptop().join(provider).join("mail").join(name);
    ["cur", "new", "tmp"].iter().for_each(|part| fs::create_dir_all(folder.join(part)).unwrap());
    folder
}

/// The provider has a mailbox of that name.
fn is_there(home: &Home, provider: &str, name: &str) -> bool {
    match provider {
        "google" => home.sandbox.google_labels().iter().any(|label| label["name"] == name),
        _ => home.sandbox.graph_mail_folders().iter().any(|folder| folder["path"] == json!([name])),
    }
}

/// The marker that a folder of this laptop has.
fn marker(home: &Home, provider: &str, name: &str) -> String {
    let inbox = home.laptop().join(provider).join("mail/.twofold-collection");
    let mut marker: Value = serde_json::from_slice(&fs::read(inbox).unwrap()).unwrap();
    marker["collection"] = json!(format!("{provider}/mail/{name}"));
    marker.as_object_mut().unwrap().remove("key");
    marker.to_string()
}

#[test]
fn an_empty_folder_made_on_the_laptop_is_made_at_its_provider_also_where_a_killed_run_has_only_marked_it() {
    for is_marked in [false, true] {
        let home = synced(&BOTH);
        for provider in BOTH {
            let folder = make(&home, provider, ".Bills");
            if is_marked {
                fs::write(folder.join(".twofold-collection"), marker(&home, provider, ".Bills")).unwrap();
            }
        }
        home.sync().expect(0);
        for provider in BOTH {
            assert!(is_there(&home, provider, "Bills"), "{provider}, marked: {is_marked}");
            let folder = home.laptop().join(provider).join("mail/.Bills");
            assert_eq!(
                serde_json::from_slice::<Value>(&fs::read(folder.join(".twofold-collection")).unwrap()).unwrap(),
                serde_json::from_str::<Value>(&marker(&home, provider, ".Bills")).unwrap(),
                "{provider}, marked: {is_marked}"
            );
        }
        settled(&home, "an empty folder");
    }
}

#[test]
fn promise_8_a_folder_of_old_mail_that_was_there_first_is_made_at_its_provider_with_the_word_that_lets_its_mail_go_there()
 {
    for provider in BOTH {
        let home = Home::with_mail(&[provider]);
        let old = make(&home, provider, ".Old");
        make(&home, provider, ".Empty");
        (0..7).for_each(|n| {
            fs::write(old.join(format!("cur/177244200{n}.M1P{n}.desk:2,S")), text(&format!("Old {n}"))).unwrap()
        });
        for _ in 0..2 {
            home.sync().expect(4);
            assert!(is_there(&home, provider, "Empty"), "{provider}: it was made on purpose");
            assert!(!is_there(&home, provider, "Old"), "{provider}: nothing of it may go there yet");
            let held = home.run(&["held"]).expect(0);
            assert!(held.out.contains("7 items of \"Old\"") && held.out.contains("nor was the folder"), "{}", held.out);
        }
        home.run(&["approve", &home.run(&["held"]).only_id()]).expect(0);
        home.sync().expect(0);
        assert!(is_there(&home, provider, "Old"), "{provider}");
        assert_eq!(mails(&home, provider).len(), copies(&home, provider), "{provider}");
        settled(&home, provider);
    }
}

/// The folders of that name, and those below it and below Deleted Items, at Graph and on the laptop.
fn called(home: &Home, name: &str) -> [BTreeSet<String>; 2] {
    let there = home.sandbox.graph_mail_folders().into_iter().map(|folder| {
        let names = folder["path"].as_array().unwrap().clone();
        names.iter().map(|name| format!(".{}", name.as_str().unwrap())).collect::<String>()
    });
    let here = fs::read_dir(home.laptop().join("microsoft365/mail")).unwrap();
    let here = here.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let is_called = |path: &String| path.split('.').any(|part| part.starts_with(name));
    let plain =
        |path: String| path.replace(".Gelöschte Elemente", ".Trash").replace(".Gel&APY-schte Elemente", ".Trash");
    [there.map(plain).filter(is_called).collect(), here.map(plain).filter(is_called).collect()]
}

/// Outlook puts a deleted folder below Deleted Items.
#[test]
fn a_folder_made_below_one_that_was_deleted_at_graph_stands_everywhere_below_a_new_one_of_that_name() {
    for is_filled in [false, true] {
        let home = synced(&MICROSOFT);
        let above = home.sandbox.graph_mail_folder_create("", "Above").unwrap();
        home.sandbox.graph_mail_deliver(&above, &text("High")).unwrap();
        home.sync().expect(0);
        home.sandbox.graph_mail_folder_delete(&above).unwrap();
        let folder = make(&home, "microsoft365", ".Above.New");
        if is_filled {
            fs::write(folder.join("cur/1772442000.M9P9.desk:2,S"), text("Low")).unwrap();
        }
        let ran = home.sync().expect(0);
        let all = [".Above", ".Above.New", ".Trash.Above"].map(str::to_owned).into();
        assert_eq!(called(&home, "Above"), [all, called(&home, "Above")[0].clone()], "filled: {is_filled}");
        ran.says(&["\"Above\"", "was made"]);
        let high = only(mail(&home, "microsoft365", "High"), "kept").folder();
        assert!(high.starts_with(".Gel") && high.ends_with(".Above"), "{high}");
        assert_eq!(mail(&home, "microsoft365", "Low").len(), usize::from(is_filled));
        settled(&home, "made below");
    }
}

#[test]
fn a_folder_made_below_one_that_is_gone_for_good_waits_until_somebody_said_what_becomes_of_that() {
    for word in ["approve", "drop"] {
        let home = synced(&MICROSOFT);
        let above = home.sandbox.graph_mail_folder_create("", "Above").unwrap();
        home.sandbox.graph_mail_deliver(&above, &text("High")).unwrap();
        home.sync().expect(0);
        home.sandbox.graph_mail_folder_delete(&above).unwrap();
        home.sandbox.graph_mail_folder_delete(&above).unwrap();
        let folder = make(&home, "microsoft365", ".Above.New");
        fs::write(folder.join("cur/1772442000.M9P9.desk:2,S"), text("Low")).unwrap();
        home.sync().expect(4).says(&["\"Above/New\"", "\"Above\""]);
        assert_eq!(called(&home, "Above")[0], BTreeSet::new(), "nothing is made while that is held");
        let id = home.run(&["held"]).expect(0).only_id();
        home.run(&[word, &id]).expect(0);
        home.sync();
        home.sync().expect(0);
        let [there, here] = called(&home, "Above");
        assert_eq!((&there, there.len()), (&here, 2), "{word}");
        assert!(there.contains(".Above.New"), "{word}: {there:?}");
        assert_eq!(only(mail(&home, "microsoft365", "Low"), word).folder(), ".Above.New");
        assert_eq!(mail(&home, "microsoft365", "High").len(), usize::from(word == "drop"), "{word}");
        settled(&home, word);
    }
}

/// What `status` lists in quarantine, as (name, reason).
fn quarantined(home: &Home) -> Vec<(String, String)> {
    let status = home.json(&["status"]);
    let rows = status["quarantine"].as_array().unwrap().iter();
    rows.map(|row| (row["item"].as_str().unwrap().to_owned(), row["reason"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn promise_5_a_folder_that_its_account_does_not_take_is_listed_until_it_has_another_name() {
    let home = synced(&GOOGLE);
    // A slash within a name would be two levels at Gmail; and it has Sent already.
    for (name, why, subject) in [(".a\\2fb", "slash", "Stuck"), (".sent", "\"sent\"", "Twin")] {
        let folder = make(&home, "google", name);
        fs::write(folder.join("cur/1772442000.M1P1.desk:2,S"), text(subject)).unwrap();
        for _ in 0..2 {
            home.sync().expect(5).says(&["Give it another name"]);
            home.run(&["status"]).expect(5);
            let listed = quarantined(&home);
            assert_eq!(listed.len(), 1, "{listed:?}");
            assert!(listed[0].0.contains(name) && listed[0].1.contains(why), "{listed:?}");
        }
        fs::rename(&folder, folder.with_file_name(format!(".{subject}"))).unwrap();
        home.sync().expect(0);
        assert_eq!(quarantined(&home), [], "{name}");
        assert!(is_there(&home, "google", subject), "{name}");
        assert_eq!(mail(&home, "google", subject).len(), 1);
        settled(&home, name);
    }
}

#[test]
fn promise_5_a_name_that_a_provider_refuses_is_named_by_status_with_what_to_type_in_words_and_in_json() {
    for provider in BOTH {
        for is_new in [true, false] {
            let case = format!("{provider}, a new folder: {is_new}");
            let home = synced(&[provider]);
            let old = make(&home, provider, ".Old");
            home.sync().expect(0);
            let path = if provider == "google" { "/labels" } else { "/mailFolders" };
            let words = json!({"error": {"code": "ErrorInvalidRequest", "message": "We like no such name."}});
            let rule = Rule::any(answers(400, words)).on(common::provider(provider)).writes().path(path);
            home.sandbox.fault(rule);
            match is_new {
                true => {
                    let folder = make(&home, provider, ".Odd");
                    fs::write(folder.join("cur/1772442000.M1P1.desk:2,S"), text("Stuck")).unwrap();
                }
                false => fs::rename(&old, old.with_file_name(".Odd")).unwrap(),
            }
            let to_type = "twofold sync --retry-quarantined";
            for _ in 0..2 {
                home.sync().expect(5).says(&["\"Odd\"", to_type]);
                home.run(&["status"]).expect(5).shows(&["in quarantine", "\"Odd\"", to_type]);
                let listed = quarantined(&home);
                assert_eq!(listed.len(), 1, "{case}: {listed:?}");
                assert!(listed[0].0.contains("folder"), "{case}: {listed:?}");
                assert!(listed[0].1.contains("\"Odd\"") && listed[0].1.contains(to_type), "{case}: {listed:?}");
                assert!(!is_there(&home, provider, "Odd"), "{case}");
            }
            home.sandbox.with(|state| state.faults.clear());
            home.run(&["sync", "--retry-quarantined"]).expect(0);
            assert_eq!(quarantined(&home), [], "{case}");
            assert!(is_there(&home, provider, "Odd"), "{case}");
            assert_eq!(mail(&home, provider, "Stuck").len(), usize::from(is_new), "{case}");
            settled(&home, &case);
        }
    }
}

#[test]
fn a_new_folder_that_cannot_be_read_is_listed_until_it_can_and_holds_up_nothing() {
    for provider in BOTH {
        let home = synced(&[provider]);
        deliver(&home, provider, "Moved");
        home.sync().expect(0);
        let folder = make(&home, provider, ".Shut");
        let file = only(mail(&home, provider, "Moved"), provider).path;
        fs::rename(&file, folder.join("cur/1795946402.M1P1.desk:2,S")).unwrap();
        // As with a folder of another user: through a link nothing is read, whoever runs this.
        fs::rename(folder.join("cur"), folder.join("real")).unwrap();
        std::os::unix::fs::symlink(folder.join("real"), folder.join("cur")).unwrap();
        let id = deliver(&home, provider, "Meanwhile");
        for _ in 0..2 {
            home.sync().says(&["cannot be read"]);
            let listed = quarantined(&home);
            assert!(listed.len() == 1 && listed[0].0.contains(".Shut"), "{listed:?}");
            assert!(listed[0].1.contains("cannot be read") && listed[0].1.contains("chmod"), "{listed:?}");
        }
        assert_eq!(mail(&home, provider, "Meanwhile").len(), 1, "{provider}: the rest goes on");
        let stands = |subject: &str| match provider {
            "google" => {
                let all = home.sandbox.google_messages();
                let is_it = |one: &Value| {
                    let raw = home.sandbox.google_message_raw(one["id"].as_str().unwrap()).unwrap();
                    String::from_utf8_lossy(&raw).contains(&format!("Subject: {subject}\r"))
                };
                all.into_iter().find(is_it).unwrap()["labelIds"].to_string()
            }
            _ => graph(&home, subject)["folder"].to_string(),
        };
        assert!(
            stands("Moved").contains(if provider == "google" { "INBOX" } else { "Posteingang" }),
            "{provider}: {id}"
        );
        fs::remove_file(folder.join("cur")).unwrap();
        fs::rename(folder.join("real"), folder.join("cur")).unwrap();
        home.sync().expect(0);
        assert_eq!(quarantined(&home), [], "{provider}");
        assert_eq!(mail(&home, provider, "Moved").len(), 1, "{provider}");
        assert!(!stands("Moved").contains("INBOX") && !stands("Moved").contains("Posteingang"), "{provider}");
        settled(&home, provider);
    }
}

#[test]
fn a_folder_whose_name_is_no_mailboxes_is_listed_and_what_moves_there_is_not_deleted() {
    use std::os::unix::ffi::OsStrExt as _;
    let names = [(&b".a..b"[..], ".a..b"), (b".B\xfccher", "B")];
    for (provider, (name, told)) in BOTH.into_iter().zip(names).chain(BOTH.into_iter().rev().zip(names)) {
        let home = synced(&[provider]);
        let id = deliver(&home, provider, "Moved");
        home.sync().expect(0);
        let folder = make(&home, provider, ".Made");
        let named = folder.with_file_name(std::ffi::OsStr::from_bytes(name));
        fs::rename(&folder, &named).unwrap();
        let folder = named;
        let file = only(mail(&home, provider, "Moved"), provider).path;
        let there = folder.join("cur/1795946402.M1P1.desk:2,S");
        fs::rename(&file, &there).unwrap();
        fs::write(folder.join("cur/1795946403.M2P1.desk:2,S"), text("Put there")).unwrap();
        home.sandbox.reset_counts();
        for _ in 0..2 {
            assert_ne!(home.sync().says(&[told, "another name"]).code, Some(0), "{provider}");
            let listed = quarantined(&home);
            assert!(listed.len() == 1 && listed[0].0.contains(told), "{provider}: {listed:?}");
            assert!(listed[0].1.contains("another name"), "{provider}: {listed:?}");
            assert_eq!(home.writes(), 0, "{provider}: nothing is taken for deleted");
        }
        fs::rename(&folder, folder.with_file_name(".Better")).unwrap();
        home.sync().expect(0);
        assert_eq!(quarantined(&home), [], "{provider}");
        for subject in ["Moved", "Put there"] {
            assert_eq!(only(mail(&home, provider, subject), subject).folder(), ".Better", "{provider}");
        }
        match provider {
            "google" => {
                let labels = gmail_labels(&home, &id);
                assert!(!labels.contains("INBOX") && !labels.contains("TRASH") && !labels.is_empty(), "{labels:?}");
            }
            _ => assert_eq!(graph(&home, "Moved")["folder"], json!(["Better"])),
        }
        settled(&home, provider);
    }
}

#[test]
fn two_folders_of_one_name_that_are_gone_are_held_with_the_account_of_each() {
    let home = synced(&BOTH);
    let folders = BOTH.map(|provider| make(&home, provider, ".Bills"));
    home.sync().expect(0);
    folders.iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    home.sync().expect(4);
    let held = home.run(&["held"]).out;
    for provider in BOTH {
        assert!(held.contains(&format!("\"Bills\" of {provider} ")), "{held}");
    }
}

/// The two folders AA and BB with a message in each, on a laptop and at their provider.
struct Pair {
    home: Home,
    provider: &'static str,
    folders: [String; 2],
    messages: [String; 2],
}

impl Pair {
    fn new(provider: &'static str) -> Pair {
        let home = synced(&[provider]);
        let mut pair = Pair { home, provider, folders: Default::default(), messages: Default::default() };
        for (at, name) in ["AA", "BB"].into_iter().enumerate() {
            pair.folders[at] = pair.make(name);
            pair.messages[at] = pair.put(&pair.folders[at], &format!("Of {name}"));
        }
        pair.home.sync().expect(0);
        assert_eq!(pair.stands(), [["AA"; 2], ["BB"; 2]], "{provider}");
        pair
    }

    fn make(&self, name: &str) -> String {
        match self.provider {
            "google" => self.home.sandbox.google_add_label(name),
            _ => self.home.sandbox.graph_mail_folder_create("", name),
        }
        .unwrap()
    }

    fn put(&self, folder: &str, subject: &str) -> String {
        match self.provider {
            "google" => self.home.sandbox.google_add_mail(&text(subject), &[folder]),
            _ => self.home.sandbox.graph_mail_deliver(folder, &text(subject)).unwrap(),
        }
    }

    /// Gives one of the two another name at the provider, or on the laptop.
    fn rename(&self, is_here: bool, (at, from, to): (usize, &str, &str)) {
        let root = self.home.laptop().join(self.provider).join("mail");
        match (is_here, self.provider) {
            (true, _) => fs::rename(root.join(format!(".{from}")), root.join(format!(".{to}"))).unwrap(),
            (_, "google") => self.home.sandbox.google_rename_label(&self.folders[at], to).unwrap(),
            _ => self.home.sandbox.graph_mail_folder_rename(&self.folders[at], to).unwrap(),
        }
    }

    /// In which folder the two messages stand, at the provider and on the laptop.
    fn stands(&self) -> [[String; 2]; 2] {
        [0, 1].map(|at| {
            let subject = ["Of AA", "Of BB"][at];
            let there = match self.provider {
                "google" => {
                    let labels = gmail_labels(&self.home, &self.messages[at]);
                    let all = self.home.sandbox.google_labels();
                    let own = all.iter().find(|label| labels.contains(label["id"].as_str().unwrap()));
                    own.unwrap()["name"].as_str().unwrap().to_owned()
                }
                _ => graph(&self.home, subject)["folder"].as_array().unwrap()[0].as_str().unwrap().to_owned(),
            };
            let here = only(mail(&self.home, self.provider, subject), subject).folder();
            [there, here.trim_start_matches('.').to_owned()]
        })
    }
}

#[test]
fn folders_that_are_renamed_in_a_chain_or_exchange_their_names_between_two_runs_are_followed() {
    let chain: &[_] = &[(0, "AA", "CC"), (1, "BB", "AA")];
    let other: &[_] = &[(1, "BB", "CC"), (0, "AA", "BB")];
    let swap: &[_] = &[(0, "AA", "Between"), (1, "BB", "AA"), (0, "Between", "BB")];
    for provider in BOTH {
        for is_here in [true, false] {
            for (steps, to) in [(chain, ["CC", "AA"]), (other, ["BB", "CC"]), (swap, ["BB", "AA"])] {
                let case = format!("{provider}, on the laptop: {is_here}, to {to:?}");
                let pair = Pair::new(provider);
                steps.iter().for_each(|step| pair.rename(is_here, *step));
                pair.home.sync().expect(0);
                assert_eq!(pair.stands(), to.map(|name| [name; 2]), "{case}");
                settled(&pair.home, &case);
            }
        }
    }
}

#[test]
fn a_folder_that_is_made_under_the_name_that_another_one_had_is_a_new_one() {
    for provider in BOTH {
        for is_here in [true, false] {
            let case = format!("{provider}, on the laptop: {is_here}");
            let pair = Pair::new(provider);
            pair.rename(is_here, (1, "BB", "CC"));
            match is_here {
                true => {
                    make(&pair.home, provider, ".BB");
                    put(&pair.home, provider, ".BB/cur/1772442000.M1P1.desk:2,S", &text("Of the new one"));
                }
                false => drop(pair.put(&pair.make("BB"), "Of the new one")),
            }
            pair.home.sync().expect(0);
            pair.home.sync().expect(0);
            assert_eq!(pair.stands(), [["AA"; 2], ["CC"; 2]], "{case}");
            let new = only(mail(&pair.home, provider, "Of the new one"), &case).folder();
            assert!(new == ".BB" || (!is_here && new == ".BB (2)"), "{case}: {new}");
            assert!(is_there(&pair.home, provider, "BB") && is_there(&pair.home, provider, "CC"), "{case}");
            settled(&pair.home, &case);
        }
    }
}

/// Where a message stands at Graph and on the laptop, both as a path.
fn paths(home: &Home, subject: &str) -> [String; 2] {
    let there = graph(home, subject)["folder"].as_array().unwrap().clone();
    let there: Vec<&str> = there.iter().map(|name| name.as_str().unwrap()).collect();
    let here = only(mail(home, "microsoft365", subject), subject).folder();
    [there.join("/"), here.trim_start_matches('.').replace('.', "/")]
}

#[test]
fn folders_that_exchange_their_names_at_microsoft_have_these_with_what_is_below_them_whoever_did_it() {
    for is_here in [true, false] {
        let home = synced(&MICROSOFT);
        let folders = ["AA", "BB"].map(|name| home.sandbox.graph_mail_folder_create("", name).unwrap());
        for (folder, name) in folders.iter().zip(["AA", "BB"]) {
            let below = home.sandbox.graph_mail_folder_create(folder, "Below").unwrap();
            home.sandbox.graph_mail_deliver(folder, &text(&format!("In {name}"))).unwrap();
            home.sandbox.graph_mail_deliver(&below, &text(&format!("Below {name}"))).unwrap();
        }
        home.sync().expect(0);
        let root = home.laptop().join("microsoft365/mail");
        for (at, from, to) in [(0, "AA", "Between"), (1, "BB", "AA"), (0, "Between", "BB")] {
            if is_here {
                for below in ["", ".Below"] {
                    fs::rename(root.join(format!(".{from}{below}")), root.join(format!(".{to}{below}"))).unwrap();
                }
            } else {
                home.sandbox.graph_mail_folder_rename(&folders[at], to).unwrap();
            }
        }
        home.sandbox.reset_counts();
        home.sync().expect(0);
        for (subject, path) in [("In AA", "BB"), ("In BB", "AA"), ("Below AA", "BB/Below"), ("Below BB", "AA/Below")] {
            assert_eq!(paths(&home, subject), [path; 2], "{subject}, on the laptop: {is_here}");
        }
        let moved = home
            .sandbox
            .log()
            .into_iter()
            .filter(|line| line.info.path.contains("/messages"))
            .filter(|line| line.info.is_write);
        assert_eq!(moved.count(), 0, "no message is touched for it, on the laptop: {is_here}");
        settled(&home, "exchanged");
    }
}

/// Somebody put the mail of one account on another disk, and a link in its place.
#[test]
fn a_tree_that_is_a_link_is_no_folder_that_is_gone_and_the_other_accounts_mail_goes_on() {
    let home = synced(&BOTH);
    let (tree, away) = (home.laptop().join("google/mail"), home.dir.path().join("away"));
    fs::rename(&tree, &away).unwrap();
    std::os::unix::fs::symlink(&away, &tree).unwrap();
    home.sandbox
        .graph_mail_deliver("inbox", b"Message-ID: <l1@example.com>\r\nSubject: Linked\r\n\r\nBody\r\n")
        .unwrap();
    for _ in 0..2 {
        let ran = home.sync();
        assert_ne!(ran.code, Some(0), "{ran}");
        assert!(format!("{}{}", ran.out, ran.err).contains("google/mail"), "{ran}");
        assert_eq!(mail(&home, "microsoft365", "Linked").len(), 1, "{ran}");
        let held = home.run(&["held"]);
        assert!(!held.out.contains("is gone at"), "{held}");
    }
    // What is missed in the other one may stand in there.
    fs::remove_file(&mail(&home, "microsoft365", "Linked")[0].path).unwrap();
    let stands = || {
        let all = home.sandbox.graph_mail_messages();
        all.into_iter().find(|one| one["subject"] == "Linked").unwrap()["folder"].clone()
    };
    home.sync();
    assert_eq!(stands(), json!(["Posteingang"]));
    fs::remove_file(&tree).unwrap();
    fs::rename(&away, &tree).unwrap();
    home.sync();
    assert_eq!(stands(), json!(["Gelöschte Elemente"]));
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

/// Bench: what the folder of a device is not, each run and `status` and `held` say so, until it is again.
#[test]
fn promise_14_a_folder_that_is_not_whole_is_said_by_status_and_held_until_it_is() {
    let places = [("google", ""), ("google", ".Sent"), ("microsoft365", ""), ("microsoft365", ".Archiv")];
    let away = |path: &Path| path.with_file_name("away");
    for (part, words) in [("cur", "tmp, new and cur"), (".twofold-collection", "no marker")] {
        for (provider, folder) in places {
            let home = synced(&BOTH);
            let id = deliver(&home, provider, "One");
            home.sync().expect(0);
            let path = home.laptop().join(provider).join("mail").join(folder).join(part);
            fs::rename(&path, away(&path)).unwrap();
            let what = format!("{provider} {folder} {part}");
            for _ in 0..2 {
                home.sync().expect(4).says(&[words]);
                home.run(&["status"]).expect(4).shows(&["held: 1 (see: twofold"]);
                let held = home.run(&["held"]).expect(0).shows(&[
                    "laptop mail",
                    words,
                    "Nothing in it was written or deleted",
                ]);
                let hold = held.only_id();
                home.run(&["approve", &hold]).expect(4).says(&["cannot be approved", "nothing was done"]);
                home.run(&["drop", &hold]).expect(4).says(&["cannot be dropped", "nothing was done"]);
            }
            fs::rename(away(&path), &path).unwrap();
            home.sync().expect(0);
            home.run(&["status"]).expect(0);
            assert_eq!(home.run(&["held"]).expect(0).out, "", "{what}");
            assert_eq!(mail(&home, provider, "One").len(), 1, "{what}");
            assert!(!is_read(&home, provider, &id, "One"), "{what}");
            settled(&home, &what);
        }
    }
}

#[test]
fn a_folder_that_is_not_whole_is_no_question_where_its_device_keeps_no_mail_any_more_or_is_held_as_a_whole() {
    let home = synced(&BOTH);
    let cur = home.laptop().join("google/mail/.Sent/cur");
    let is_held = |home: &Home| {
        fs::rename(&cur, cur.with_file_name("away")).unwrap();
        home.sync().expect(4);
        home.run(&["held"]).expect(0).shows(&["laptop mail: \"google/mail/.Sent\": one of its folders"]);
    };
    is_held(&home);
    let away = home.dir.path().join("away");
    fs::rename(home.laptop(), &away).unwrap();
    home.sync().expect(4);
    let held = home.json(&["held"])["held"].clone();
    assert_eq!(held.as_array().map(Vec::len), Some(1), "{held}");
    assert_eq!(held[0]["kind"], Value::Null, "{held}");
    fs::rename(&away, home.laptop()).unwrap();
    fs::rename(cur.with_file_name("away"), &cur).unwrap();
    home.sync().expect(0);
    is_held(&home);
    let text = fs::read_to_string(home.config()).unwrap();
    let (accounts, device) = text.split_once("[[device]]").unwrap();
    fs::write(home.config(), format!("{accounts}[[device]]{}", device.replace("\"mail\"", "\"contacts\""))).unwrap();
    home.sync();
    assert_eq!(home.run(&["held"]).expect(0).out, "", "nobody reads mail there any more");
}

#[test]
fn promise_8_a_folder_that_lost_its_marker_and_a_part_is_not_gone() {
    for (provider, folder) in [("google", ""), ("google", ".Sent"), ("microsoft365", ""), ("microsoft365", ".Archiv")] {
        for part in ["cur", "new", "tmp"] {
            let home = synced(&BOTH);
            let what = format!("{provider} {folder} {part}");
            let id = deliver(&home, provider, "One");
            home.sync().expect(0);
            let path = home.laptop().join(provider).join("mail").join(folder);
            let marker = fs::read(path.join(".twofold-collection")).unwrap();
            fs::remove_file(path.join(".twofold-collection")).unwrap();
            fs::rename(path.join(part), path.join("away")).unwrap();
            home.sandbox.reset_counts();
            for _ in 0..2 {
                home.sync().expect(4).says(&["one of its folders tmp, new and cur", "mkdir"]);
                let hold = home.run(&["held"]).expect(0).shows(&["one of its folders"]).only_id();
                home.run(&["approve", &hold]).expect(4).says(&["cannot be approved", "nothing was done"]);
            }
            fs::rename(path.join("away"), path.join(part)).unwrap();
            home.sync().expect(4).says(&["no marker"]);
            fs::write(path.join(".twofold-collection"), marker).unwrap();
            home.sync().expect(0);
            assert_eq!(home.writes(), 0, "{what}");
            assert_eq!(mail(&home, provider, "One").len(), 1, "{what}");
            assert!(!is_read(&home, provider, &id, "One"), "{what}");
            settled(&home, &what);
        }
    }
}

#[test]
fn half_a_maildir_that_nobody_marked_is_listed_and_taken_up_once_it_is_whole() {
    let home = synced(&BOTH);
    let folder = home.laptop().join("google/mail/.Half");
    fs::create_dir_all(folder.join("cur")).unwrap();
    fs::write(folder.join("cur/1795946402.M1P1.desk:2,S"), text("In half a folder")).unwrap();
    for _ in 0..2 {
        home.sync().says(&["folder google/mail/.Half", "make those of the three that are not there (mkdir)"]);
        assert_eq!(home.writes(), 0);
        assert!(quarantined(&home).iter().any(|(item, _)| item.contains(".Half")));
    }
    ["new", "tmp"].iter().for_each(|part| fs::create_dir(folder.join(part)).unwrap());
    home.sync().expect(0);
    assert_eq!(quarantined(&home), []);
    let all = home.sandbox.google_messages().into_iter();
    let raw = all.map(|one| home.sandbox.google_message_raw(one["id"].as_str().unwrap()).unwrap());
    assert_eq!(raw.filter(|raw| String::from_utf8_lossy(raw).contains("In half a folder")).count(), 1);
    settled(&home, "whole");
}
