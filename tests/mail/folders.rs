//! Folders that somebody makes on the laptop.

use super::*;

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
