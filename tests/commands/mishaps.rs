//! What happens to folders, clocks and configurations in real life, through the built program: old copies put back, folders
//! renamed or lost, files exchanged, two writers at once. Each test is named after what the user must not suffer.

use crate::common::*;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use twofold_sandbox::faults::{Fault, Rule};
use twofold_sandbox::{Options, Provider};

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in files(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

fn card(uid: &str, name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

/// Another line end in the same card, as khard, Radicale or an editor may write it.
fn rewrite(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains("\r\n"));
    fs::write(path, text.replace("\r\n", "\n")).unwrap();
}

// ---------------------------------------------------------------- deletes stay deletes

#[test]
fn a_file_that_was_only_rewritten_does_not_bring_back_what_was_deleted_at_the_provider() {
    let home = Home::synced(&GOOGLE);
    rewrite(&home.card("Hotel Beispiel"));
    home.sandbox.google_delete(&home.google_person("Hotel Beispiel")).unwrap();
    home.sync().expect(0);
    assert!(!home.google_text().contains("Hotel Beispiel"));
    assert_eq!(home.writes(), 0);
}

#[test]
fn a_contact_that_was_only_stamped_anew_does_not_undo_a_delete_on_the_device() {
    for provider in BOTH {
        let home = Home::synced(&[provider]);
        let words = if provider == "google" { "Hotel Beispiel" } else { "Hausmeister" };
        match provider {
            "google" => home.sandbox.google_restamp(&home.google_person(words)).unwrap(),
            _ => home.sandbox.graph_restamp(&home.graph_contact(words)).unwrap(),
        }
        fs::remove_file(home.card(words)).unwrap();
        home.sync().expect(0);
        let left = if provider == "google" { home.google_text() } else { home.graph_text() };
        assert!(!left.contains(words), "{provider}");
        home.sync().expect(0);
        assert!(!home.cards().values().any(|bytes| String::from_utf8_lossy(bytes).contains(words)), "{provider}");
    }
}

#[test]
fn a_list_that_lags_does_not_bring_back_what_the_device_deleted() {
    let home = Home::synced(&GOOGLE);
    home.sandbox.clock().advance_ms(600_000);
    home.sandbox.switch(|switches| switches.list_lag_s = 300);
    fs::remove_file(home.card("Hotel Beispiel")).unwrap();
    home.sync().expect(0);
    for full in [&["sync"][..], &["sync", "--full-check"]] {
        home.run(full).expect(0);
        assert!(!home.cards().values().any(|bytes| String::from_utf8_lossy(bytes).contains("Hotel Beispiel")));
    }
    home.sandbox.clock().advance_ms(301_000);
    home.sync().expect(0);
    assert!(!home.google_text().contains("Hotel Beispiel"));
}

// ---------------------------------------------------------------- old copies

/// Twelve contacts of Google's, synced; then some edited and one deleted there, and the folder as it was before.
fn with_an_old_copy(act: impl Fn(&Home, &Path)) {
    let home = Home::synced(&GOOGLE);
    let old = home.dir.path().join("old");
    copy(&home.laptop(), &old);
    home.sandbox.google_edit(&home.google_person("Çağlar"), |p| p["names"][0]["givenName"] = json!("Newer")).unwrap();
    home.sandbox.google_delete(&home.google_person("Hotel Beispiel")).unwrap();
    home.sync().expect(0);
    home.sandbox.reset_counts();
    act(&home, &old);
}

#[test]
fn an_old_copy_of_the_folder_overwrites_nothing_and_brings_nobody_back() {
    with_an_old_copy(|home, old| {
        fs::remove_dir_all(home.laptop()).unwrap();
        copy(old, &home.laptop());
        home.run(&["device", "fill", "laptop"]).expect(4);
        assert_eq!(home.writes(), 0, "nothing was sent to the provider");
        assert!(home.google_text().contains("Newer") && !home.google_text().contains("Hotel Beispiel"));
        home.card("Newer");
        let held = home.run(&["held"]).expect(0).shows(&["deleted before"]);
        // It was deleted on purpose: it stays so. The old file stays where it is.
        home.run(&["drop", &held.only_id()]).expect(0);
        home.sync();
        assert_eq!(home.writes(), 0);
    });
}

#[test]
fn an_old_copy_whose_deleted_card_is_wanted_after_all_is_approved() {
    with_an_old_copy(|home, old| {
        fs::remove_dir_all(home.laptop()).unwrap();
        copy(old, &home.laptop());
        home.run(&["device", "fill", "laptop"]).expect(4);
        home.run(&["approve", &home.run(&["held"]).only_id()]).expect(0);
        home.sync();
        assert!(home.google_text().contains("Hotel Beispiel"));
    });
}

#[test]
fn a_copy_of_a_device_folder_is_not_the_device() {
    with_an_old_copy(|home, old| {
        let tablet = format!("\n[[device]]\nname = \"tablet\"\npath = {old:?}\nkinds = [\"contacts\"]\n");
        fs::write(home.config(), home.configuration(&tablet)).unwrap();
        home.sync().expect(4).says(&["tablet", "device fill tablet"]);
        assert_eq!(home.writes(), 0);
        home.card("Newer");
        home.sync().expect(4).says(&["tablet"]);
        home.run(&["status"]).shows(&["laptop: reached", "tablet: never reached"]);
    });
}

#[test]
fn a_device_that_left_the_configuration_is_waited_for_no_more() {
    let home = Home::synced(&GOOGLE);
    let tablet = home.dir.path().join("tablet");
    let with =
        home.configuration(&format!("\n[[device]]\nname = \"tablet\"\npath = {tablet:?}\nkinds = [\"contacts\"]\n"));
    fs::write(home.config(), with).unwrap();
    home.sync().expect(0);
    fs::remove_dir_all(&tablet).unwrap();
    home.sync().expect(4).says(&["tablet"]);
    fs::write(home.config(), home.configuration("")).unwrap();
    home.sync().expect(0);
}

#[test]
fn a_hub_restored_from_an_old_copy_is_noticed_however_often_it_runs() {
    let home = Home::synced(&GOOGLE);
    let backup = home.dir.path().join("backup");
    copy(&home.state(), &backup);
    home.add_line(&home.card("Çağlar"), "NICKNAME:Later");
    home.sync().expect(0);
    home.sandbox.google_edit(&home.google_person("Later"), |p| p["names"][0]["givenName"] = json!("Newer")).unwrap();
    home.sync().expect(0);
    fs::remove_dir_all(home.state()).unwrap();
    copy(&backup, &home.state());
    let private = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(home.state(), private(0o700)).unwrap();
    for name in files(&home.state()).into_keys() {
        fs::set_permissions(home.state().join(name), private(0o600)).unwrap();
    }
    home.sandbox.reset_counts();
    for _ in 0..5 {
        home.sync().expect(4).says(&["older copy", "device fill laptop"]);
    }
    assert_eq!(home.writes(), 0);
    home.run(&["held"]).expect(0).shows(&[" laptop: "]);
    home.run(&["device", "fill", "laptop"]);
    assert!(home.google_text().contains("Newer"));
    home.card("Newer");
}

// ---------------------------------------------------------------- names and folders

#[test]
fn two_files_that_exchanged_names_do_not_exchange_persons() {
    let home = Home::synced(&GOOGLE);
    let before = home.google_text();
    let (one, two, aside) = (home.card("Hotel Beispiel"), home.card("Çağlar"), home.laptop().join("aside"));
    fs::rename(&one, &aside).unwrap();
    fs::rename(&two, &one).unwrap();
    fs::rename(&aside, &two).unwrap();
    home.sync().expect(0);
    assert_eq!(home.google_text(), before);
    assert_eq!(home.writes(), 0);
    // And each file still is the contact that it was.
    home.add_line(&home.card("Hotel Beispiel"), "NICKNAME:Inn");
    home.sync().expect(0);
    assert!(home.sandbox.google_person(&home.google_person("Inn")).unwrap().to_string().contains("Hotel Beispiel"));
}

#[test]
fn a_renamed_folder_goes_on_being_the_address_book_that_it_was() {
    let home = Home::synced(&MICROSOFT);
    let folder = home.card("Hausmeister").parent().unwrap().to_owned();
    let renamed = folder.with_file_name("Freunde");
    fs::rename(&folder, &renamed).unwrap();
    home.sync().expect(0);
    assert_eq!((home.writes(), folder.exists()), (0, false));
    home.add_line(&home.card("Hausmeister"), "NICKNAME:Otto");
    home.sync().expect(0);
    assert!(home.graph_text().contains("Otto"));
    home.sandbox.graph_edit(&home.graph_contact("Otto"), |c| c["jobTitle"] = json!("Chief")).unwrap();
    home.sync().expect(0);
    assert!(home.card("TITLE:Chief").starts_with(&renamed));
}

#[test]
fn a_copied_folder_is_left_alone_and_named() {
    let home = Home::synced(&MICROSOFT);
    let folder = home.card("Hausmeister").parent().unwrap().to_owned();
    copy(&folder, &folder.with_file_name("Backup"));
    for _ in 0..2 {
        home.sync().expect(5).says(&["Backup", "left alone"]);
        home.run(&["status"]).expect(5).shows(&["Backup", "left alone", "Give it another name"]);
    }
    assert_eq!(home.writes(), 0);
    fs::remove_dir_all(folder.with_file_name("Backup")).unwrap();
    home.sync().expect(0);
    home.run(&["status"]).expect(0);
}

#[test]
fn a_folder_missing_on_the_device_is_one_hold_and_its_neighbours_go_on() {
    let home = Home::synced(&BOTH);
    let lost = home.google_folder();
    fs::rename(&lost, home.dir.path().join("aside")).unwrap();
    fs::remove_file(home.card("Hausmeister")).unwrap();
    home.sync().expect(4);
    assert!(!home.graph_text().contains("Hausmeister"), "the delete beside it was made");
    assert!(home.google_text().contains("Hotel Beispiel"));
    home.run(&["held"]).shows(&["folder-", "My Contacts", "device fill laptop"]);
    // It comes back: nothing was lost, nothing is held.
    fs::rename(home.dir.path().join("aside"), &lost).unwrap();
    home.sync().expect(0);
    assert!(home.run(&["held"]).out.is_empty());
}

#[test]
fn a_folder_missing_on_the_device_is_made_again_after_drop() {
    let home = Home::synced(&GOOGLE);
    let cards = home.cards().len();
    fs::remove_dir_all(home.google_folder()).unwrap();
    home.sync().expect(4);
    home.run(&["drop", &home.run(&["held"]).only_id()]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.cards().len(), cards);
    assert_eq!(home.writes(), 0);
    home.sync().expect(0);
}

/// The folder "Kundschaft" of the demo's people, gone at Graph.
fn without_a_graph_folder() -> (Home, String) {
    let home = Home::synced(&MICROSOFT);
    let folders = home.sandbox.graph_dump();
    let folder = folders["folders"].as_array().unwrap().iter().find(|f| f["displayName"] == "Kundschaft").unwrap();
    let id = folder["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_folder_delete(&id).unwrap();
    (home, id)
}

#[test]
fn a_folder_gone_at_the_provider_is_one_hold_and_its_neighbours_go_on() {
    let (home, _) = without_a_graph_folder();
    let cards = home.cards().len();
    home.sandbox.graph_delete(&home.graph_contact("Müller-Groß")).unwrap();
    home.sync().expect(4);
    assert_eq!(home.cards().len(), cards - 1, "the delete beside it arrived, and no other");
    let writes = home.writes();
    let inside = home.laptop().join("microsoft365/contacts/Kundschaft/dora.vcf");
    fs::write(inside, card("dora", "Dora")).unwrap();
    for _ in 0..2 {
        home.sync().expect(4);
    }
    assert_eq!(home.writes(), writes, "nothing is sent into a folder that is gone");
    home.run(&["approve", &home.run(&["held"]).only_id()]).expect(0);
    home.sync().expect(0);
    assert!(home.card("Dora").exists(), "what was new there is kept");
    home.sync().expect(0);
}

// ---------------------------------------------------------------- writes that are disturbed

#[test]
fn a_lost_reply_and_the_providers_own_spelling_are_no_conflict() {
    let home = Home::synced(&GOOGLE);
    home.sandbox.switch(|switches| switches.recase_emails = true);
    home.add_line(&home.card("Hotel Beispiel"), "EMAIL;TYPE=work:Front.Desk@Hotel.Example");
    let lost = Rule::any(Fault::DropAfter).on(Provider::Google).writes().times(1);
    home.sandbox.fault(lost);
    home.sync();
    home.sync().expect(0);
    assert!(home.json(&["conflicts"])["conflicts"].as_array().unwrap().is_empty());
    assert_eq!(home.google_text().to_lowercase().matches("front.desk").count(), 1);
}

#[test]
fn a_change_that_stays_stale_is_not_called_aligned() {
    let home = Home::synced(&MICROSOFT);
    home.sandbox.switch(|switches| switches.graph_false_conflict = 1);
    home.add_line(&home.card("Hausmeister"), "NICKNAME:Otto");
    home.sync().expect(75).says(&["twofold sync"]);
    home.sandbox.switch(|switches| switches.graph_false_conflict = 0);
    home.sync().expect(0);
    assert!(home.graph_text().contains("Otto"));
}

#[test]
fn a_card_that_was_mended_after_a_refusal_is_sent_at_once() {
    let home = Home::synced(&GOOGLE);
    let path = home.google_folder().join("dora.vcf");
    fs::write(&path, card("dora", "Dora")).unwrap();
    home.sandbox.fault(Rule::any(Fault::status(400)).on(Provider::Google).writes().times(1));
    home.sync().expect(5);
    home.sync().expect(5);
    assert!(!home.google_text().contains("Dora"), "the same card waits for its next try");
    home.add_line(&path, "NICKNAME:Mended");
    home.sync().expect(0);
    assert!(home.google_text().contains("Mended"));
}

#[test]
fn a_dead_token_inside_a_batch_is_renewed_and_not_called_a_dead_sign_in() {
    let home = Home::synced(&MICROSOFT);
    for words in ["Hausmeister", "Müller-Groß"] {
        home.sandbox.graph_edit(&home.graph_contact(words), |c| c["jobTitle"] = json!("Chief")).unwrap();
    }
    home.sandbox.fault(Rule::any(Fault::status(401)).on(Provider::Microsoft).parts().times(2));
    home.sync().expect(0);
    assert_eq!(home.cards().values().filter(|b| String::from_utf8_lossy(b).contains("TITLE:Chief")).count(), 2);
}

// ---------------------------------------------------------------- decisions

#[test]
fn the_other_side_of_a_conflict_takes_back_no_later_edit_beside_it() {
    let home = Home::synced(&GOOGLE);
    let person = home.google_person("Çağlar");
    home.sandbox.google_edit(&person, |p| p["names"][0]["givenName"] = json!("Theirs")).unwrap();
    let path = home.card("Çağlar");
    let text = fs::read_to_string(&path).unwrap().replace("Çağlar", "Ours");
    fs::write(&path, text).unwrap();
    home.sync().expect(5);
    home.sandbox.google_edit(&person, |p| p["names"][0]["familyName"] = json!("Married")).unwrap();
    home.sync().expect(5);
    let id = home.run(&["conflicts"]).only_id();
    home.run(&["conflicts", "resolve", &id, "--take", "other"]).expect(0);
    home.sync().expect(0);
    let names = home.sandbox.google_person(&person).unwrap()["names"][0].clone();
    assert_eq!(names["familyName"], "Married");
    assert_eq!(names["givenName"], "Theirs");
}

#[test]
fn the_conflict_of_a_contact_that_is_gone_is_settled_with_it() {
    let home = Home::synced(&GOOGLE);
    let person = home.google_person("Çağlar");
    home.sandbox.google_edit(&person, |p| p["names"][0]["givenName"] = json!("Theirs")).unwrap();
    let path = home.card("Çağlar");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("Çağlar", "Ours")).unwrap();
    home.sync().expect(5);
    fs::remove_file(&path).unwrap();
    home.sync().expect(0);
}

#[test]
fn after_an_approved_mass_delete_a_single_one_is_not_held() {
    let home = Home::new(Options::bulk(30), &GOOGLE);
    home.login("google").expect(0);
    home.sync().expect(0);
    let paths: Vec<_> = home.cards().into_keys().map(|path| home.laptop().join(path)).collect();
    paths[..10].iter().for_each(|path| fs::remove_file(path).unwrap());
    home.sync().expect(4);
    home.run(&["approve", &home.run(&["held"]).only_id()]).expect(0);
    home.sync().expect(0);
    fs::remove_file(&paths[10]).unwrap();
    home.sync().expect(0);
}

#[test]
fn strangers_on_two_devices_are_taken_once_and_settle() {
    let home = Home::synced(&GOOGLE);
    let mut more = String::new();
    for name in ["a", "b"] {
        let path = home.dir.path().join(name);
        fs::create_dir_all(path.join(GOOGLE_FOLDER)).unwrap();
        for n in 0..8 {
            fs::write(
                path.join(GOOGLE_FOLDER).join(format!("s{n}.vcf")),
                card(&format!("s{n}"), &format!("Stranger {n}")),
            )
            .unwrap();
        }
        more += &format!("\n[[device]]\nname = \"{name}\"\npath = {path:?}\nkinds = [\"contacts\"]\n");
    }
    fs::write(home.config(), home.configuration(&more)).unwrap();
    home.sync().expect(4);
    let held = home.run(&["held"]);
    let id = held.out.lines().find(|line| line.contains(" a contacts")).unwrap().split(' ').next().unwrap().to_owned();
    home.run(&["approve", &id]).expect(0);
    home.sync();
    home.sync().expect(0);
    assert_eq!(home.google_text().matches("Stranger 3").count(), home.google_text().matches("Stranger 4").count());
    assert_eq!(home.sandbox.google_people().iter().filter(|p| p.to_string().contains("Stranger")).count(), 8);
}

// ---------------------------------------------------------------- joins

/// The defaults of both providers as one, Microsoft's first.
const JOIN: &str = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:default\", \"google:default\"]\n";

fn subfolders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_join_that_is_added_later_makes_one_folder_and_loses_neither_an_edit_nor_a_person() {
    let home = Home::synced(&BOTH);
    let (google, before) = (home.sandbox.google_people().len(), home.cards().len());
    fs::write(home.config(), home.configuration(JOIN)).unwrap();
    home.add_line(&home.card("Hotel Beispiel"), "NICKNAME:Inn");
    home.run(&["sync", "--dry-run"]).expect(0).says(&["would become one"]);
    assert_eq!(home.cards().len(), before);
    home.sync().expect(0).says(&["become one"]);
    assert_eq!(
        subfolders(&home.laptop().join("joined/contacts")),
        ["Kontakte"],
        "the name of the first that is listed"
    );
    assert_eq!(subfolders(&home.laptop().join("google/contacts")), Vec::<String>::new(), "the old folder is gone");
    let joined = home.cards().into_keys().filter(|path| path.starts_with("joined")).count();
    assert_eq!(joined, home.sandbox.google_people().len());
    assert!(joined >= google);
    for words in ["Inn", "O'Connor"] {
        assert!(home.google_text().contains(words) && home.graph_text().contains(words), "{words}");
    }
    home.sandbox.reset_counts();
    home.sync().expect(0);
    assert_eq!(home.writes(), 0);
}

#[test]
fn a_join_can_be_taken_back_without_a_write() {
    let home = Home::signed_in(&BOTH);
    fs::write(home.config(), home.configuration(JOIN)).unwrap();
    // One provider after the other: they are one all the same.
    home.run(&["sync", "--replica", "google"]).expect(0);
    home.sync();
    home.sync().expect(0);
    assert_eq!(subfolders(&home.laptop().join("joined/contacts")).len(), 1);
    let joined = home.cards().keys().filter(|path| path.starts_with("joined")).count();
    assert_eq!(home.sandbox.google_people().len(), joined);
    home.sandbox.reset_counts();
    fs::write(home.config(), home.configuration("")).unwrap();
    home.sync().expect(0).says(&["kept apart again"]);
    assert_eq!(home.writes(), 0);
    assert_eq!(subfolders(&home.laptop().join("joined/contacts")), Vec::<String>::new());
    for provider in ["google/contacts", "microsoft365/contacts/Kontakte"] {
        assert_eq!(home.cards().keys().filter(|path| path.starts_with(provider)).count(), joined, "{provider}");
    }
    let is_hotel = |(path, bytes): &(PathBuf, Vec<u8>)| {
        path.starts_with("google/contacts") && String::from_utf8_lossy(bytes).contains("Hotel Beispiel")
    };
    let (hotel, _) = home.cards().into_iter().find(is_hotel).unwrap();
    fs::remove_file(home.laptop().join(hotel)).unwrap();
    home.sync().expect(0);
    assert!(!home.google_text().contains("Hotel Beispiel") && home.graph_text().contains("Hotel Beispiel"));
}

#[test]
fn a_file_that_is_not_ours_keeps_the_folder_that_a_join_left() {
    let home = Home::synced(&BOTH);
    fs::write(home.google_folder().join("notes.txt"), "mine").unwrap();
    fs::write(home.config(), home.configuration(JOIN)).unwrap();
    home.sync().expect(0).says(&["not used any more", "google/contacts"]);
    assert_eq!(fs::read_to_string(home.google_folder().join("notes.txt")).unwrap(), "mine");
    // A card that somebody puts there all the same is taken, and stands where the others are.
    fs::write(home.google_folder().join("dora.vcf"), card("dora", "Dora Late")).unwrap();
    home.sync().expect(0);
    assert!(home.google_text().contains("Dora Late") && home.graph_text().contains("Dora Late"));
    assert!(!home.google_folder().join("dora.vcf").exists());
    fs::remove_file(home.google_folder().join("notes.txt")).unwrap();
    home.sync().expect(0);
    assert!(!home.google_folder().exists());
}

#[test]
fn a_provider_that_comes_later_joins_what_is_there() {
    let mut home = Home::synced(&GOOGLE);
    home.providers = BOTH.to_vec();
    let join = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"google:default\", \"microsoft365:default\"]\n";
    fs::write(home.config(), home.configuration(join)).unwrap();
    home.login("microsoft365").expect(0);
    home.sync();
    home.sync().expect(0);
    for words in ["Hotel Beispiel", "O'Connor"] {
        assert!(home.google_text().contains(words) && home.graph_text().contains(words), "{words}");
    }
    let google = home.sandbox.google_people().len();
    assert_eq!(google, home.cards().keys().filter(|path| path.starts_with(GOOGLE_FOLDER)).count(), "nobody twice");
}

#[test]
fn a_joined_folder_that_is_renamed_at_the_provider_stays_joined() {
    let home = Home::signed_in(&BOTH);
    let join = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"google:default\", \"microsoft365:Kundschaft\"]\n";
    fs::write(home.config(), home.configuration(join)).unwrap();
    home.sync();
    home.sync().expect(0);
    let folders = home.sandbox.graph_dump();
    let folder = folders["folders"].as_array().unwrap().iter().find(|f| f["displayName"] == "Kundschaft").unwrap();
    home.sandbox.graph_folder_rename(folder["id"].as_str().unwrap(), "Clients").unwrap();
    home.add_line(&home.card("Hotel Beispiel"), "NICKNAME:Inn");
    home.sync().expect(0);
    assert!(home.google_text().contains("Inn") && home.graph_text().contains("Inn"));
}

#[test]
fn a_join_of_what_is_not_there_is_an_error_that_lists_what_is() {
    let home = Home::signed_in(&BOTH);
    let join = "\n[[join]]\nkind = \"contacts\"\ncollections = [\"microsoft365:Kontacts\", \"google:default\"]\n";
    fs::write(home.config(), home.configuration(join)).unwrap();
    home.sync().expect(2).says(&["microsoft365:Kontacts", "Kundschaft"]);
    assert_eq!(home.writes(), 0);
}

// ---------------------------------------------------------------- a hub that was lost

/// Both accounts joined and in step; then the state is lost, and `meanwhile` happens. The marks of the lost hub are of today:
/// it might still be at work, so a person has to say that it is not.
fn joined_and_lost(meanwhile: impl FnOnce(&Home)) -> Home {
    let home = Home::signed_in(&BOTH);
    fs::write(home.config(), home.configuration(JOIN)).unwrap();
    home.sync();
    home.sync().expect(0);
    fs::remove_dir_all(home.state()).unwrap();
    meanwhile(&home);
    for name in BOTH {
        home.login(name).expect(0);
    }
    home.sandbox.reset_counts();
    home.sync().expect(4);
    for hold in home.json(&["held"])["held"].as_array().unwrap() {
        if hold["reason"].as_str().unwrap().contains("another twofold") {
            home.run(&["approve", hold["id"].as_str().unwrap()]).expect(0);
        }
    }
    home
}

#[test]
fn after_a_lost_hub_joined_providers_are_paired_again_without_a_write() {
    let home = joined_and_lost(|_| {});
    let cards = home.cards();
    home.sync().expect(0);
    assert_eq!((home.writes(), home.cards()), (0, cards));
}

#[test]
fn after_a_lost_hub_more_than_a_few_missing_at_a_provider_are_held() {
    let home = joined_and_lost(|home| {
        for person in home.sandbox.google_people().iter().take(7) {
            home.sandbox.google_delete(person["resourceName"].as_str().unwrap()).unwrap();
        }
    });
    let left = home.sandbox.google_people().len();
    home.sync().expect(4).says(&["twofold held"]);
    assert_eq!(home.sandbox.google_people().len(), left, "nobody is made again without being asked");
    let held = home.run(&["held"]).expect(0).shows(&["the hub was lost", "7 of"]);
    assert_eq!(home.json(&["held"])["held"][0]["creates"], 7);
    home.run(&["drop", &held.only_id()]).expect(4).says(&["[[join]]", "nothing was done"]);
    home.run(&["approve", &held.only_id()]).expect(0);
    home.sync().expect(0);
    assert_eq!(home.sandbox.google_people().len(), left + 7);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn after_a_lost_hub_a_folder_that_lacks_much_is_not_filled_without_being_asked() {
    let home = joined_and_lost(|home| {
        for path in home.cards().keys().filter(|path| path.starts_with("joined")).take(6) {
            fs::remove_file(home.laptop().join(path)).unwrap();
        }
    });
    let cards = home.cards();
    home.sync().expect(4);
    assert_eq!((home.writes(), home.cards()), (0, cards));
    let held = home.run(&["held"]).expect(0).shows(&["laptop contacts: the hub was lost"]);
    home.run(&["approve", &held.only_id()]).expect(0);
    home.sync().expect(0).shows(&["laptop"]);
    home.sync().expect(0).shows(&["nothing to do"]);
}

#[test]
fn a_device_may_keep_a_kind_that_no_account_has_and_an_account_gets_it_with_a_new_sign_in() {
    let home = Home::signed_in(&BOTH);
    let more_of = |table: &str, kinds: &str| {
        let text = home.configuration("");
        let (before, after) = text.split_once(table).unwrap();
        format!("{before}{table}{}", after.replacen("kinds = [\"contacts\"]", kinds, 1))
    };
    fs::write(home.config(), more_of("[[device]]", "")).unwrap();
    home.sync().expect(0);
    // The sign-in was for contacts alone.
    fs::write(home.config(), more_of("[google]", "")).unwrap();
    home.sync().expect(3).says(&["Grant it: twofold login google"]);
}

#[test]
fn a_device_put_back_from_an_older_copy_undoes_nothing_that_came_since() {
    let home = Home::synced(&GOOGLE);
    let kept = home.dir.path().join("kept");
    copy(&home.laptop(), &kept);
    home.sandbox.google_edit(&home.google_person("Çağlar"), |p| p["names"][0]["givenName"] = json!("Newer")).unwrap();
    home.sync().expect(0);
    fs::remove_dir_all(home.laptop()).unwrap();
    copy(&kept, &home.laptop());
    home.sandbox.reset_counts();
    for _ in 0..2 {
        home.sync().expect(4).says(&["older copy", "device fill laptop"]);
    }
    assert_eq!(home.writes(), 0);
    home.run(&["device", "fill", "laptop"]);
    assert!(home.google_text().contains("Newer"));
    home.card("Newer");
}

/// A command whose results go into a pipe that nobody reads, and its talk, too, where `is_deaf`.
fn unread(home: &Home, args: &[&str], is_deaf: bool) -> (Option<i32>, String) {
    let mut command = home.command(args);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    if is_deaf {
        command.stderr(writer.try_clone().unwrap());
    }
    let ended = command.stdout(writer).output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn a_result_that_nobody_reads_ends_a_command_in_silence_and_what_it_does_is_done() {
    let home = Home::signed_in(&GOOGLE);
    assert_eq!(unread(&home, &["sync"], true), (Some(141), String::new()));
    assert_eq!(home.cards().len(), 12, "talk that nobody hears ends nothing");
    let commands: [&[&str]; 6] = [
        &["status", "-v"],
        &["status", "--json"],
        &["doctor", "--offline"],
        &["completions", "bash"],
        &["man"],
        &["sync"],
    ];
    for args in commands {
        assert_eq!(unread(&home, args, false), (Some(141), String::new()), "{args:?}");
    }
}

#[test]
fn what_is_said_to_be_typed_works_as_it_is_said_where_a_configuration_was_named() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let named = home.dir.path().join("of ada.toml");
    fs::rename(home.config(), &named).unwrap();
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command.env_remove("TWOFOLD_CONFIG");
        let mut talk = home.talk(command, args);
        if args.contains(&"login") {
            visit(&talk.address().unwrap());
        }
        talk.end()
    };
    let it = format!("twofold --config '{}' ", named.display());
    // The last line that says what to type: its words as a shell has them.
    let next = |ran: &Ran| {
        let said = format!("{}{}", ran.out, ran.err);
        let bare = ["login", "sync", "status", "doctor", "held"].map(|command| format!("twofold {command}"));
        assert!(!bare.iter().any(|bare| said.contains(bare)), "a command without its configuration: {ran}");
        let line = said.lines().rfind(|line| line.contains(&it)).unwrap_or_else(|| panic!("nothing to type: {ran}"));
        line[line.find(&it).unwrap() + it.len()..].trim_end_matches(['.', '`']).to_owned()
    };
    let named = named.to_str().unwrap();
    for args in [&["sync"][..], &["doctor"], &["status"]] {
        next(&run(&[&["--config", named], args].concat()).expect(3));
    }
    let login = next(&run(&["--config", named, "sync"]));
    assert_eq!(login, "login google");
    run(&["--config", named, "login", "google", "--no-browser"]).expect(0);
    let sync = next(&run(&["--config", named, "status"]));
    run(&["--config", named, &sync]).expect(0);
    let all_well = run(&["--config", named, "status"]).expect(0);
    assert!(!all_well.out.contains("trouble"), "{all_well}");
    for path in files(&home.laptop()).into_keys().filter(|path| path.extension().is_some_and(|end| end == "vcf")) {
        fs::remove_file(home.laptop().join(path)).unwrap();
    }
    assert_eq!(next(&run(&["--config", named, "sync"]).expect(4)), "held");
}

#[test]
fn a_folder_of_contacts_or_of_a_calendar_that_lost_its_marker_is_held_by_itself_until_it_has_it_again() {
    let homes = [("contacts", "vcf", Home::synced(&BOTH)), ("calendar", "ics", Home::with_calendars(&BOTH))];
    for (kind, suffix, home) in homes {
        home.sync().expect(0);
        home.sandbox.reset_counts();
        let of_kind = |path: &PathBuf| path.extension().is_some_and(|found| found == suffix);
        let file = files(&home.laptop()).into_keys().find(of_kind).unwrap();
        let marker = home.laptop().join(&file).with_file_name(".twofold-collection");
        let bytes = fs::read(&marker).unwrap();
        fs::remove_file(&marker).unwrap();
        for _ in 0..2 {
            home.sync().expect(4).says(&["no marker", "Nothing in it was written or deleted"]);
            home.run(&["status"]).expect(4).shows(&["held: 1 (see: twofold"]);
            let hold = home.run(&["held"]).expect(0).shows(&[&format!("laptop {kind}"), "no marker"]).only_id();
            home.run(&["approve", &hold]).expect(4).says(&["cannot be approved", "nothing was done"]);
            home.run(&["drop", &hold]).expect(4).says(&["cannot be dropped", "nothing was done"]);
        }
        fs::write(&marker, &bytes).unwrap();
        home.sync().expect(0);
        assert_eq!(home.run(&["held"]).expect(0).out, "", "{kind}");
        assert_eq!(home.writes(), 0, "{kind}");
        home.sync().expect(0).shows(&["nothing to do"]);
    }
}
