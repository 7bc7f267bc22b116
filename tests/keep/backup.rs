//! `twofold backup FILE` and `twofold backup --restore FILE`.

use crate::common::{BOTH, GOOGLE, Home, MICROSOFT, files};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use twofold_blobs::Store;
use twofold_hub::{Hub, Lock};
use twofold_model::Kind;

fn file(home: &Home) -> String {
    home.dir.path().join("backup.tar").display().to_string()
}

fn hub(home: &Home) -> PathBuf {
    home.state().join("hub.sqlite")
}

/// How often words stand in the folder of the device, one for each file.
fn on_device(home: &Home, words: &str) -> usize {
    let of = files(&home.laptop());
    of.values().filter(|bytes| String::from_utf8_lossy(bytes).contains(words)).count()
}

/// Two runs more change nothing anywhere.
#[track_caller]
fn settled(home: &Home) {
    home.sync().expect(0);
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0, "a second run wrote");
}

#[test]
fn a_backup_is_made_while_a_run_is_at_work_and_says_what_is_in_it() {
    let home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    let lock = Lock::take(&home.state()).unwrap().unwrap();
    let service = Lock::take_service(&home.state()).unwrap().unwrap();
    let blobs = Store::open(&home.state().join("blobs")).unwrap();
    let count = blobs.hashes().count();
    assert!(count > 3);
    let ran = home.run(&["backup", &file(&home)]).expect(0);
    let ran = ran.shows(&[&format!("{count} messages"), "read back and whole"]).says(&["configuration", "sign-ins"]);
    assert!(ran.err.contains("not encrypted"), "{ran}");
    drop((lock, service));
    let meta = fs::metadata(file(&home)).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    // Neither the key nor the sign-ins, sealed or not, and no token.
    let bytes = fs::read(file(&home)).unwrap();
    for secret in ["vault.json", "vault.key", "refresh", "client_secret"] {
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found || secret == "refresh", "{secret} is in the backup");
    }
    let left: Vec<_> = fs::read_dir(home.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("unfinished")), "{left:?}");
}

#[test]
fn a_backup_takes_the_place_of_nothing_but_an_older_one_that_is_named_with_force() {
    let home = Home::synced(&GOOGLE);
    home.run(&["backup", &file(&home)]).expect(0);
    let first = fs::read(file(&home)).unwrap();
    home.run(&["backup", &file(&home)]).expect(2).says(&["is there", "--force"]);
    assert_eq!(fs::read(file(&home)).unwrap(), first);
    home.sync().expect(0);
    home.run(&["backup", "--force", &file(&home)]).expect(0);
    assert_ne!(fs::read(file(&home)).unwrap(), first);
    let letter = home.dir.path().join("letter.txt");
    fs::write(&letter, "dear all").unwrap();
    home.run(&["backup", "--force", letter.to_str().unwrap()]).expect(2).says(&["is no backup", "not touched"]);
    assert_eq!(fs::read(&letter).unwrap(), b"dear all");
    let nowhere = home.dir.path().join("nowhere");
    let ran = home.run(&["backup", nowhere.join("b.tar").to_str().unwrap()]).expect(2);
    ran.says(&["no backup was made", &format!("mkdir -p '{}'", nowhere.display())]);
    for inside in [home.state().join("b.tar"), home.laptop().join("b.tar")] {
        home.run(&["backup", inside.to_str().unwrap()]).expect(2).says(&["no backup was made"]);
        assert!(!inside.exists());
    }
}

#[test]
fn what_is_no_whole_backup_is_not_put_back_and_the_hub_stays() {
    let home = Home::synced(&GOOGLE);
    home.run(&["backup", &file(&home)]).expect(0);
    let hub = fs::read(home.state().join("hub.sqlite")).unwrap();
    let (letter, cut) = (home.dir.path().join("letter.txt"), home.dir.path().join("cut.tar"));
    fs::write(&letter, "dear all").unwrap();
    let whole = fs::read(file(&home)).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for wrong in [letter, cut, home.dir.path().to_owned(), home.dir.path().join("nowhere.tar")] {
        let ran = home.run(&["backup", "--restore", "--force", wrong.to_str().unwrap()]).expect(2);
        ran.says(&[wrong.to_str().unwrap(), "nothing was put back", "that `twofold backup FILE` wrote"]);
        assert_eq!(fs::read(home.state().join("hub.sqlite")).unwrap(), hub, "{}", wrong.display());
    }
}

#[test]
fn nothing_that_was_made_since_the_backup_is_deleted_or_doubled_when_it_is_put_back() {
    let home = Home::synced(&BOTH);
    home.run(&["backup", &file(&home)]).expect(0);

    // Since then, and in step everywhere:
    home.sandbox.google_create(&json!({"names": [{"givenName": "Newly", "familyName": "Google"}]})).unwrap();
    home.sandbox
        .graph_create("contacts", &json!({"displayName": "Newly Graph", "givenName": "Newly", "surname": "Graph"}))
        .unwrap();
    let card =
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:newly-device\r\nFN:Newly Device\r\nN:Device;Newly;;;\r\nEND:VCARD\r\n";
    fs::write(home.google_folder().join("newly-device.vcf"), card).unwrap();
    let people = home.sandbox.google_people();
    let names: Vec<String> = people.iter().filter_map(|p| Some(p["resourceName"].as_str()?.to_owned())).collect();
    let (edited, deleted) = (names[0].clone(), names[1].clone());
    let deleted_name = people[1]["names"][0]["displayName"].as_str().unwrap().to_owned();
    home.sandbox.google_edit(&edited, |p| p["biographies"] = json!([{"value": "edited since"}])).unwrap();
    home.sandbox.google_delete(&deleted).unwrap();
    home.sync().expect(0);
    home.sync().expect(0);
    // And what no run has seen yet:
    let unseen = home.google_folder().join("unseen.vcf");
    fs::write(
        &unseen,
        card.replace("newly-device", "unseen-uid")
            .replace("Newly Device", "Unseen Card")
            .replace("Device;Newly", "Card;Unseen"),
    )
    .unwrap();
    let graph = home.sandbox.graph_contacts();
    let touched = graph[0]["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_edit(&touched, |contact| contact["personalNotes"] = json!("unseen edit")).unwrap();
    let (google_before, graph_before) = (home.sandbox.google_people().len(), home.sandbox.graph_contacts().len());

    home.run(&["backup", "--restore", &file(&home)]).expect(2).says(&["nothing was put back", "--force"]);
    let ran = home.run(&["backup", "--restore", "--force", &file(&home)]).expect(0);
    home.names_a_command(&ran.says(&["twofold sync", "twofold device fill laptop"]));
    // The deletion was made and carried through before; this hub does not know that, and makes nothing of it unasked.
    home.sync().expect(4).says(&["twofold device fill laptop", "twofold held"]);
    // The folder has no base any more, so a note that was edited at Graph and not yet here is both: one is shown, the other kept.
    home.run(&["device", "fill", "laptop"]);
    home.sandbox.reset_counts();
    home.sync();
    assert_eq!(home.writes(), 0, "a second run wrote");
    assert_eq!(home.run(&["conflicts"]).out.lines().count(), 1);

    assert_eq!(
        home.sandbox.google_people().len(),
        google_before + 1,
        "the unseen card is new, and nothing else: {}",
        home.google_text()
    );
    assert_eq!(home.sandbox.graph_contacts().len(), graph_before, "{}", home.graph_text());
    for words in ["Newly Google", "Newly Graph", "Newly Device", "Unseen Card"] {
        let (google, graph) = (home.google_text().matches(words).count(), home.graph_text().matches(words).count());
        assert!(google + graph > 0, "{words} is at no provider");
        assert_eq!(on_device(&home, words), 1, "{words}");
    }
    assert_eq!(on_device(&home, "edited since"), 1);
    assert!(home.google_text().contains("edited since"));
    assert_eq!(on_device(&home, "unseen edit"), 1);
    assert!(home.graph_text().contains("unseen edit"));
    assert!(!home.google_text().contains(&deleted_name), "{deleted_name} is back at Google");
    let of_google =
        || files(&home.google_folder()).values().filter(|b| String::from_utf8_lossy(b).contains(&deleted_name)).count();
    assert_eq!(of_google(), 1, "until somebody says so, it is not deleted");
    approve_all(&home, 1);
    home.sync().expect(5);
    home.sandbox.reset_counts();
    home.sync().expect(5);
    assert_eq!(home.writes(), 0, "a second run wrote");
    assert_eq!(of_google(), 0);
    assert!(!home.google_text().contains(&deleted_name), "{deleted_name} is back at Google");
}

/// Says yes to each plan that a brake holds, of which there are so many.
#[track_caller]
fn approve_all(home: &Home, count: usize) {
    let held = home.json(&["held"]);
    let held = held["held"].as_array().unwrap();
    assert_eq!(held.len(), count, "{held:?}");
    for hold in held {
        home.run(&["approve", hold["id"].as_str().unwrap()]).expect(0);
    }
}

/// How many contacts of a name there are: at both providers together, and on the device.
fn found(home: &Home, name: &str) -> (usize, usize) {
    let all = [home.sandbox.google_people(), home.sandbox.graph_contacts()].concat();
    (all.iter().filter(|one| one.to_string().contains(name)).count(), on_device(home, name))
}

/// Makes a contact at each place: of the family "Before", "Since" …
fn make_everywhere(home: &Home, family: &str) {
    let google = json!({"names": [{"givenName": "Googly", "familyName": family}]});
    home.sandbox.google_create(&google).unwrap();
    let graph = json!({"displayName": format!("Graphy {family}"), "givenName": "Graphy", "surname": family});
    home.sandbox.graph_create("contacts", &graph).unwrap();
    let card = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:devicy-{family}\r\nFN:Devicy {family}\r\nN:{family};Devicy;;;\r\nEND:VCARD\r\n"
    );
    fs::write(home.google_folder().join(format!("devicy-{family}.vcf")), card).unwrap();
}

#[test]
fn what_was_deleted_anywhere_since_the_backup_waits_for_somebody_to_say_so_however_little_it_is() {
    let home = Home::synced(&BOTH);
    make_everywhere(&home, "Before");
    home.sync().expect(0);
    home.run(&["backup", &file(&home)]).expect(0);
    // Since then one contact goes at each place, and another comes.
    home.sandbox.google_delete(&home.google_person("Googly Before")).unwrap();
    home.sandbox.graph_delete(&home.graph_contact("Graphy Before")).unwrap();
    fs::remove_file(home.card("Devicy Before")).unwrap();
    make_everywhere(&home, "Since");
    home.run(&["backup", "--restore", "--force", &file(&home)]).expect(0);
    home.sync().expect(4).says(&["twofold held"]);
    home.sync().expect(4);
    let deleted = ["Googly Before", "Graphy Before", "Devicy Before"];
    assert_eq!(deleted.map(|name| found(&home, name)), [(0, 1), (0, 1), (1, 0)], "no other place lost anything");
    for name in ["Googly Since", "Graphy Since", "Devicy Since"] {
        assert_eq!(found(&home, name), (1, 1), "{name}");
    }
    approve_all(&home, 3);
    home.sync().expect(0);
    settled(&home);
    assert_eq!(deleted.map(|name| found(&home, name)), [(0, 0); 3]);
    // The question is over: what is deleted from here on is deleted.
    home.sandbox.google_delete(&home.google_person("Googly Since")).unwrap();
    home.sync().expect(0);
    assert_eq!(found(&home, "Googly Since"), (0, 0));
}

#[test]
fn a_hub_that_was_put_back_by_hand_deletes_nothing_unasked_once_a_folder_shows_that_it_is_old() {
    let home = Home::synced(&BOTH);
    make_everywhere(&home, "Before");
    home.sync().expect(0);
    let kept = home.dir.path().join("hub.kept");
    Hub::copy(&home.state(), &kept).unwrap();
    // The folder is written to by a later run.
    home.sandbox.google_create(&json!({"names": [{"givenName": "Later", "familyName": "Written"}]})).unwrap();
    home.sync().expect(0);
    let gone = "Googly Before";
    home.sandbox.google_delete(&home.google_person(gone)).unwrap();
    for name in ["hub.sqlite-wal", "hub.sqlite-shm"] {
        let _ = fs::remove_file(home.state().join(name));
    }
    fs::rename(&kept, hub(&home)).unwrap();
    home.sync().expect(4).says(&["twofold device fill laptop", "twofold held"]);
    home.run(&["device", "fill", "laptop"]).expect(4);
    assert_eq!(found(&home, gone), (0, 1));
    assert_eq!(found(&home, "Later Written"), (1, 1));
    approve_all(&home, 1);
    home.sync().expect(0);
    settled(&home);
    assert_eq!(found(&home, gone), (0, 0));
}

#[test]
fn a_folder_that_shows_that_the_hub_is_old_says_so_once_however_often_it_comes_and_goes() {
    let home = Home::synced(&BOTH);
    make_everywhere(&home, "Before");
    home.sync().expect(0);
    let kept = home.dir.path().join("hub.kept");
    Hub::copy(&home.state(), &kept).unwrap();
    make_everywhere(&home, "Later");
    home.sync().expect(0);
    for name in ["hub.sqlite-wal", "hub.sqlite-shm"] {
        let _ = fs::remove_file(home.state().join(name));
    }
    fs::rename(&kept, hub(&home)).unwrap();
    home.sync().expect(4).says(&["older copy"]);
    let providers = || -> Vec<(String, bool)> {
        let hub = Hub::look(&home.state()).unwrap().unwrap();
        let all = hub.replicas().unwrap().into_iter().filter(|replica| !replica.is_device);
        all.map(|it| (it.name, hub.restored(it.id, Kind::Contacts).unwrap().is_some())).collect()
    };
    assert!(providers().iter().all(|(_, is_open)| !is_open), "compared in that run: {:?}", providers());
    let (folder, away) = (home.laptop(), home.dir.path().join("away"));
    let mut names = ["Googly Before", "Googly Later"].into_iter();
    for _ in 0..2 {
        fs::rename(&folder, &away).unwrap();
        home.sync().expect(4);
        fs::rename(&away, &folder).unwrap();
        home.sandbox.google_delete(&home.google_person(names.next().unwrap())).unwrap();
        home.sync().expect(4).says(&["older copy"]);
        let hub = Hub::look(&home.state()).unwrap().unwrap();
        let causes: Vec<String> = hub.holds().unwrap().into_iter().map(|hold| hold.cause).collect();
        assert_eq!(causes, ["device"], "what is deleted at a provider now is no older copy's question");
    }
}

#[test]
fn a_backup_made_while_a_first_sync_of_mail_writes_names_no_message_whose_bytes_it_lacks() {
    const MAILS: usize = 1500;
    let home = Home::new(twofold_sandbox::Options::empty().mails(MAILS), &MICROSOFT);
    let text = home.configuration("").replace("contacts", "mail");
    fs::write(home.config(), &text).unwrap();
    home.login("microsoft365").expect(0);
    let put_back = home.dir.path().join("put back");
    let named = |state: &Path| {
        let mut named = Vec::new();
        if let Some(hub) = Hub::look(state).unwrap() {
            hub.each_blob(|blob| {
                named.push(blob.clone());
                Ok(())
            })
            .unwrap();
        }
        named
    };
    let mut talk = home.start(&["sync"]);
    let mut counts = Vec::new();
    loop {
        let before = named(&home.state()).len();
        if before == 0 {
            assert!(!talk.is_over(), "a run that read nothing");
            std::thread::sleep(std::time::Duration::from_millis(5));
            continue;
        }
        let is_last = talk.is_over();
        home.run(&["backup", "--force", &file(&home)]).expect(0);
        // Into a state folder of its own, beside the run.
        let aside = home.dir.path().join("aside.toml");
        fs::write(&aside, text.replace(&format!("{:?}", home.state()), &format!("{put_back:?}"))).unwrap();
        let aside = aside.display().to_string();
        home.run(&["--config", &aside, "backup", "--restore", &file(&home)]).expect(0);
        let blobs = Store::open(&put_back.join("blobs")).unwrap();
        let there: std::collections::HashSet<_> = blobs.hashes().map(|hash| hash.unwrap().to_string()).collect();
        let of_copy = named(&put_back);
        assert!(of_copy.len() >= before);
        assert!(
            of_copy.iter().all(|blob| there.contains(&blob.to_string())),
            "the hub in the backup names what is not in it"
        );
        counts.push(of_copy.len());
        fs::remove_dir_all(&put_back).unwrap();
        if is_last {
            break;
        }
    }
    talk.end().expect(0);
    let during = counts.iter().filter(|count| (1..MAILS).contains(*count)).count();
    assert!(during > 0 && counts.last() == Some(&MAILS), "{counts:?}");
}

#[test]
fn a_state_folder_that_is_gone_comes_back_from_its_backup() {
    let home = Home::with_mail(&BOTH);
    home.sync().expect(0);
    home.run(&["backup", &file(&home)]).expect(0);
    let mails = files(&home.laptop());
    fs::remove_dir_all(home.state()).unwrap();
    let ran = home.run(&["backup", "--restore", &file(&home)]).expect(0);
    ran.says(&["twofold login google", "twofold login microsoft365", "twofold sync"]);
    for name in BOTH {
        home.login(name).expect(0);
    }
    settled(&home);
    assert_eq!(files(&home.laptop()), mails);
    home.run(&["doctor", "--full"]).expect(0);
}

#[test]
fn a_backup_that_is_damaged_or_cut_off_is_put_back_nowhere() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    home.run(&["backup", &file(&home)]).expect(0);
    let whole = fs::read(file(&home)).unwrap();
    let before = fs::read(hub(&home)).unwrap();
    let restore = |bytes: &[u8]| {
        fs::write(file(&home), bytes).unwrap();
        let ran = home.run(&["backup", "--restore", "--force", &file(&home)]).expect(2);
        assert_eq!(fs::read(hub(&home)).unwrap(), before, "{ran}");
    };
    restore(&whole[..whole.len() / 2]);
    // One letter of a message is another: the names of blobs stand before their bytes.
    let at = whole.windows(9).position(|part| part == b"Subject: ").unwrap();
    let mut other = whole.clone();
    other[at + 10] ^= 1;
    restore(&other);
    restore(b"no tar at all");
    fs::write(file(&home), &whole).unwrap();
    home.run(&["backup", "--restore", "--force", &file(&home)]).expect(0);
    assert!(home.state().join("hub.sqlite.replaced").exists());
}

#[test]
fn a_message_whose_bytes_are_gone_is_said_and_the_rest_is_in_the_backup() {
    let home = Home::with_mail(&GOOGLE);
    home.sync().expect(0);
    {
        let blobs = Store::open(&home.state().join("blobs")).unwrap();
        let one = blobs.hashes().next().unwrap().unwrap();
        blobs.remove(&one).unwrap();
        blobs.flush().unwrap();
    }
    home.run(&["backup", &file(&home)]).expect(1).says(&["1 message", "not in the backup", "doctor --full"]);
    assert!(fs::metadata(file(&home)).unwrap().len() > 0);
}

#[test]
fn nothing_is_put_back_under_a_service() {
    let home = Home::synced(&GOOGLE);
    home.run(&["backup", &file(&home)]).expect(0);
    let _service = Lock::take_service(&home.state()).unwrap().unwrap();
    home.run(&["backup", "--restore", "--force", &file(&home)])
        .expect(75)
        .says(&["service", "First stop `twofold daemon` where it runs"]);
}
