//! What stands between us and a provider, and answers in its name; and a provider that refuses a token for a moment.

use super::*;
use crate::common::Ran;

/// All kinds at both providers, signed in and in step.
fn home() -> Home {
    let home = Home::new(Options::demo(), &BOTH);
    let all =
        home.configuration("").replace("kinds = [\"contacts\"]", "kinds = [\"mail\", \"calendar\", \"contacts\"]");
    fs::write(home.config(), all).unwrap();
    BOTH.iter().for_each(|name| drop(home.login(name).expect(0)));
    home.sync().expect(0);
    home
}

/// Something to do at each place and for each kind.
fn change_all(home: &Home, n: usize) {
    let contact = home.graph_contact("Karl");
    home.sandbox.graph_edit(&contact, |contact| contact["jobTitle"] = json!(format!("Chief {n}"))).unwrap();
    home.sandbox.google_add_mail(&letter(&format!("from google {n}")), &["INBOX"]);
    home.sandbox.graph_mail_deliver("inbox", &letter(&format!("from graph {n}"))).unwrap();
    let card = home.card("Şimşek;Çağlar");
    let text = fs::read_to_string(&card).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("NICKNAME")).collect();
    fs::write(&card, lines.join("\r\n") + "\r\n").unwrap();
    home.add_line(&card, &format!("NICKNAME:Nick {n}"));
    for provider in BOTH {
        let inbox = home.laptop().join(provider).join("mail/cur");
        fs::write(inbox.join(format!("{n}.new:2,S")), letter(&format!("to {provider} {n}"))).unwrap();
    }
}

fn letter(subject: &str) -> Vec<u8> {
    let id = subject.replace(' ', ".");
    let head = format!("From: ada@example.org\r\nTo: otto@example.org\r\nSubject: {subject}\r\n");
    format!("{head}Message-ID: <{id}@example.org>\r\n\r\n{subject}\r\n").into_bytes()
}

/// What happens from some request on; `None`: that one is refused with 401, and the next ones are not.
const FAULTS: [Option<u16>; 8] = [None, Some(404), Some(401), Some(302), Some(403), Some(200), Some(410), Some(511)];

/// Whether a run did all that could be done: what became of a message that left for Gmail when the portal came is not known for a while.
fn is_through(ran: &Ran) -> bool {
    let waits = |line: &str| line.contains("a write's fate is not known yet");
    ran.code == Some(0) || ran.code == Some(75) && ran.err.lines().all(waits)
}

/// Runs with each of the faults from each `step`-th request of a provider on; what was wrong, in words.
fn faults(provider: Provider, step: usize) -> Vec<String> {
    let home = home();
    let mut wrong = Vec::new();
    for (n, fault) in FAULTS.into_iter().cycle().enumerate() {
        change_all(&home, n);
        if n % 3 == 0 {
            home.sandbox.expire_access_tokens(provider);
        }
        let rule = match fault {
            None => Rule::any(Fault::status(401)).times(1),
            Some(status) => Rule { kind: None, ..Rule::any(Fault::Portal { status }) },
        };
        home.sandbox.fault(rule.on(provider).skip((n * step) as u64));
        let ran = home.run(if n % 2 == 0 { &["sync"] } else { &["sync", "--full-check"] });
        let has_struck = home.sandbox.with(|state| std::mem::take(&mut state.faults)).struck() > 0;
        let is_right = if has_struck && fault.is_some() { ran.code == Some(75) } else { is_through(&ran) };
        if !is_right {
            wrong.push(format!("{fault:?} after {} requests: {ran}", n * step));
        }
        let ran = home.sync();
        if !is_through(&ran) {
            wrong.push(format!("once {fault:?} after {} requests was over: {ran}", n * step));
        }
        if !has_struck {
            break;
        }
    }
    for left in [&home.json(&["held"])["held"], &home.json(&["status"])["quarantine"]] {
        if *left != json!([]) {
            wrong.push(format!("what is left at the end: {left}"));
        }
    }
    wrong
}

#[test]
fn what_a_portal_says_is_no_verdict_about_a_sign_in_or_an_item_and_a_401_that_passes_is_nothing() {
    let step = std::env::var("TWOFOLD_PORTAL_STEP").map_or(3, |text: String| text.parse().unwrap());
    for provider in [Provider::Google, Provider::Microsoft] {
        let wrong = faults(provider, step);
        assert!(wrong.is_empty(), "{provider:?}, {}:\n{}", wrong.len(), wrong.join("\n"));
    }
}
