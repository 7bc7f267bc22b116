//! A real Dovecot reads and writes the Maildirs: what somebody does in an IMAP session reaches the provider, and the other way round.
//!
//! Left out, with a word, where Dovecot's `imap` is not installed; `TWOFOLD_REQUIRE_DOVECOT` insists on it.

use super::{copies, deliver, gmail_labels, graph, is_read, only, settled, synced, text};
use crate::common::{self, BOTH, Home};
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

const IMAP: &str = "/usr/lib/dovecot/imap";

/// Whether there is a Dovecot to ask.
fn is_here() -> bool {
    let is_here = Path::new(IMAP).exists();
    assert!(is_here || std::env::var_os("TWOFOLD_REQUIRE_DOVECOT").is_none(), "{IMAP} is not installed");
    if !is_here {
        eprintln!("left out: {IMAP} is not installed");
    }
    is_here
}

/// One IMAP session (RFC 9051) in the mailbox of a provider, signed in from the start. Dovecot serves nobody as root, so there the
/// folder is handed to another user first.
fn session(home: &Home, provider: &str, commands: &[&str]) -> String {
    let (root, mail) = (home.dir.path(), home.laptop().join(provider).join("mail"));
    let dovecot = root.join("dovecot");
    std::fs::create_dir_all(&dovecot).unwrap();
    let config = dovecot.join("dovecot.conf");
    let settings = format!(
        "base_dir = {0}/run\nstate_dir = {0}/state\nlog_path = {0}/log\nmail_location = maildir:{1}\nprotocols = imap\nssl = no\n",
        dovecot.display(),
        mail.display()
    );
    std::fs::write(&config, settings).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        for path in [root, &home.laptop(), &home.laptop().join(provider)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711)).unwrap();
        }
        let handed = Command::new("chown").arg("-R").arg("nobody").args([&mail, &dovecot]).status().unwrap();
        assert!(handed.success());
    }
    let mut command = if is_root { Command::new("runuser") } else { Command::new("env") };
    if is_root {
        command.args(["-u", "nobody", "--", "env"]);
    }
    let user =
        if is_root { "nobody".to_owned() } else { std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()) };
    command.arg(format!("USER={user}")).arg(format!("HOME={}", dovecot.display())).args([IMAP, "-c"]).arg(&config);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = commands.iter().enumerate().map(|(at, line)| format!("a{at} {line}\r\n")).collect::<String>();
    lines += "z logout\r\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for (at, line) in commands.iter().enumerate() {
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("a{at} OK")), "{line:?}: {said} {errors}");
    }
    said
}

#[test]
fn dovecot_counts_what_the_provider_counts_and_reads_the_bytes_that_were_received() {
    if !is_here() {
        return;
    }
    let home = synced(&BOTH);
    for provider in BOTH {
        let said = session(&home, provider, &["list \"\" * return (status (messages))"]);
        let counts = said.lines().filter(|line| line.starts_with("* STATUS")).map(|line| {
            let number = line.rsplit_once("MESSAGES ").unwrap().1.trim_end_matches([')', '\r']);
            number.parse::<usize>().unwrap()
        });
        assert_eq!(counts.sum::<usize>(), copies(&home, provider), "{provider}: {said}");
    }
    deliver(&home, "google", "Bytes");
    home.sync().expect(0);
    let said = session(&home, "google", &["select INBOX", "search subject Bytes"]);
    let number = said.lines().find_map(|line| line.strip_prefix("* SEARCH ")).unwrap().trim().to_owned();
    let said = session(&home, "google", &["select INBOX", &format!("fetch {number} body.peek[]")]);
    assert!(said.contains(&String::from_utf8(text("Bytes")).unwrap()), "{said}");
}

#[test]
fn what_somebody_does_in_an_imap_session_reaches_the_provider_and_the_other_way_round() {
    if !is_here() {
        return;
    }
    for provider in BOTH {
        let home = synced(&[provider]);
        let (archive, flagged) = match provider {
            "google" => ("Archive", "STARRED"),
            _ => ("Archiv", "flagged"),
        };
        let ids = ["Alphorn", "Birdsong", "Clavichord"].map(|subject| deliver(&home, provider, subject));
        home.sync().expect(0);
        let find = |mailbox: &str, subject: &str| {
            let said =
                session(&home, provider, &[&format!("select {mailbox}"), &format!("uid search subject {subject}")]);
            said.lines().find_map(|line| line.strip_prefix("* SEARCH")).unwrap().trim().to_owned()
        };
        let [one, two, three] = ["Alphorn", "Birdsong", "Clavichord"].map(|subject| find("INBOX", subject));
        session(
            &home,
            provider,
            &[
                "select INBOX",
                &format!("uid store {one} +flags (\\Seen \\Flagged)"),
                &format!("uid move {two} {archive}"),
                &format!("uid store {three} +flags (\\Deleted)"),
            ],
        );
        session(&home, provider, &["select INBOX", "expunge"]);
        home.sync().expect(0);
        assert!(is_read(&home, provider, &ids[0], "Alphorn"), "{provider}");
        match provider {
            "google" => {
                assert!(gmail_labels(&home, &ids[0]).contains(flagged));
                for id in &ids[1..] {
                    assert!(!gmail_labels(&home, id).contains("INBOX"), "moved, and deleted");
                }
                home.sandbox.google_label_mail(&ids[0], &["UNREAD"], &["STARRED"]).unwrap();
            }
            _ => {
                assert_eq!(graph(&home, "Alphorn")["flag"]["flagStatus"], flagged);
                assert_eq!(graph(&home, "Birdsong")["folder"], json!([archive]));
                assert_eq!(graph(&home, "Clavichord")["folder"], json!(["Gelöschte Elemente"]), "never for good");
                let id = graph(&home, "Alphorn")["id"].as_str().unwrap().to_owned();
                let back = json!({"isRead": false, "flag": {"flagStatus": "notFlagged"}});
                home.sandbox.graph_mail_edit(&id, &back).unwrap();
            }
        }
        home.sync().expect(0);
        let said = session(&home, provider, &["select INBOX", &format!("uid fetch {one} flags")]);
        let line = said.lines().find(|line| line.contains("FETCH (UID")).unwrap();
        assert!(!line.contains("\\Seen") && !line.contains("\\Flagged"), "{provider}: {line}");
        assert_eq!(only(super::mail(&home, provider, "Birdsong"), "moved").folder(), format!(".{archive}"));
        settled(&home, provider);
        assert!(common::files(&home.laptop()).len() > 3);
    }
}

#[test]
fn forwarded_and_a_keyword_go_both_ways_between_graph_and_an_imap_session() {
    if !is_here() {
        return;
    }
    let home = synced(&["microsoft365"]);
    let verb = |verb: &str, icon: &str| {
        json!({"singleValueExtendedProperties": [
            {"id": "Integer 0x1081", "value": verb}, {"id": "Integer 0x1080", "value": icon},
        ]})
    };
    let id = deliver(&home, "microsoft365", "Alphorn");
    let mut there = verb("104", "262");
    there["categories"] = json!(["Work"]);
    home.sandbox.graph_mail_edit(&id, &there).unwrap();
    deliver(&home, "microsoft365", "Birdsong");
    home.sync().expect(0);
    let said = session(&home, "microsoft365", &["select INBOX", "uid search subject Alphorn"]);
    let number = |said: &str| said.lines().find_map(|line| line.strip_prefix("* SEARCH")).unwrap().trim().to_owned();
    let one = number(&said);
    let two = number(&session(&home, "microsoft365", &["select INBOX", "uid search subject Birdsong"]));
    let store = |number: &str, what: &str| {
        session(&home, "microsoft365", &["select INBOX", &format!("uid store {number} {what}")]);
        home.sync().expect(0);
    };
    let words = |number: &str| {
        let said = session(&home, "microsoft365", &["select INBOX", &format!("uid fetch {number} flags")]);
        said.lines().find(|line| line.contains("FETCH (UID")).unwrap().to_lowercase()
    };
    let verb_of = |subject: &str| graph(&home, subject)["extended"]["Integer 0x1081"].clone();
    assert!(words(&one).contains("$forwarded") && words(&one).contains("work"), "{}", words(&one));
    // Here, taken away and set; a category of an IMAP session.
    store(&one, "-flags ($Forwarded Work)");
    assert_eq!((verb_of("Alphorn"), &graph(&home, "Alphorn")["categories"]), (json!("0"), &json!([])));
    assert!(!words(&one).contains("$forwarded"), "{}", words(&one));
    // The account calls the category as it did on the other message.
    store(&two, "+flags ($Forwarded Work)");
    assert_eq!((verb_of("Birdsong"), &graph(&home, "Birdsong")["categories"]), (json!("104"), &json!(["Work"])));
    // At Graph, taken away and set.
    let id = graph(&home, "Birdsong")["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_mail_edit(&id, &verb("0", "256")).unwrap();
    let id = graph(&home, "Alphorn")["id"].as_str().unwrap().to_owned();
    home.sandbox.graph_mail_edit(&id, &verb("104", "262")).unwrap();
    home.sync().expect(0);
    assert!(!words(&two).contains("$forwarded") && words(&two).contains("work"), "{}", words(&two));
    assert!(words(&one).contains("$forwarded"), "{}", words(&one));
    settled(&home, "both ways");
}

#[test]
fn a_damaged_or_compressed_file_that_an_imap_session_moves_harms_no_message() {
    if !is_here() {
        return;
    }
    let provider = "microsoft365";
    let home = synced(&[provider]);
    for subject in ["Alphorn", "Birdsong"] {
        deliver(&home, provider, subject);
    }
    home.sync().expect(0);
    let before = copies(&home, provider);
    let [stump, packed] = ["Alphorn", "Birdsong"].map(|subject| only(super::mail(&home, provider, subject), subject));
    let find = |subject: &str| {
        let said = session(&home, provider, &["select INBOX", &format!("uid search subject {subject}")]);
        said.lines().find_map(|line| line.strip_prefix("* SEARCH")).unwrap().trim().to_owned()
    };
    let uids = ["Alphorn", "Birdsong"].map(find);
    let now = |mail: &super::Mail| {
        let base = mail.path.file_name().unwrap().to_string_lossy().into_owned();
        home.laptop().join(provider).join("mail/cur").join(format!("{base}:2,"))
    };
    std::fs::write(now(&stump), &stump.bytes[..stump.bytes.len() / 2]).unwrap();
    std::fs::write(now(&packed), zstd::encode_all(&packed.bytes[..], 1).unwrap()).unwrap();
    session(&home, provider, &["select INBOX", &format!("uid move {},{} Archiv", uids[0], uids[1])]);
    for _ in 0..2 {
        home.sync();
        assert_eq!(copies(&home, provider), before, "no second message");
        for subject in ["Alphorn", "Birdsong"] {
            let there = graph(&home, subject);
            assert_eq!(there["folder"], json!(["Archiv"]), "{subject}");
            let raw = home.sandbox.graph_mail_raw(there["id"].as_str().unwrap()).unwrap();
            assert!(String::from_utf8_lossy(&raw).contains("Hello Bob"), "{subject} is whole");
        }
    }
    let said = home.run(&["status"]).shows(&["in quarantine", "as it was written"]).out;
    // Dovecot leaves what stands in front of the first comma as it is.
    assert!(said.contains("rm '"), "{said}");
}
