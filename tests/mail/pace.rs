//! A first sync of two accounts: each is read at the pace of its own provider, what came is soon on the device, and a terminal shows how far it is.

use super::bench::{bodies_read, waited};
use super::{copies, text};
use crate::common::{BOTH, Home};
use rustix::process::Signal;
use rustix::{pty, termios};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Read;
use std::process::Stdio;
use twofold_sandbox::Provider;

/// How many files of messages stand in a provider's folders, which may not be there yet.
fn files(home: &Home, provider: &str) -> usize {
    let list = |path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let root = home.laptop().join(provider).join("mail");
    let folders = list(root.clone()).filter(|path| path.join("cur").is_dir()).chain([root]);
    folders.flat_map(|folder| list(folder.join("cur")).chain(list(folder.join("new")))).count()
}

/// Gmail's own budget is 300 messages a minute: behind them a minute passes in which nothing comes from there.
#[test]
fn a_first_sync_of_two_accounts_reads_each_at_its_own_pace_and_writes_what_came_within_seconds() {
    let home = Home::with_mail(&BOTH);
    home.sandbox.switch(|switches| switches.mail_parts_at_a_time = 0);
    for n in 0..350 {
        let mail = text(&format!("More {n}"));
        home.sandbox.google_add_mail(&mail, &["INBOX"]);
        home.sandbox.graph_mail_deliver("inbox", &mail).unwrap();
    }
    let (at_google, at_graph) = (copies(&home, "google"), copies(&home, "microsoft365"));
    home.sandbox.reset_counts();
    let talk = home.start(&["sync"]);
    waited("all of Graph's messages are on the device, and what Gmail gives in a minute", || {
        files(&home, "microsoft365") == at_graph && files(&home, "google") >= 250
    });
    assert!(files(&home, "google") < at_google, "Gmail is still read");
    assert_eq!(home.sandbox.counts(Provider::Google).throttled, 0, "no unit is asked for above the budget");
    let read = bodies_read(&home);
    talk.signal(Signal::TERM);
    assert_eq!(talk.end().code, Some(75));
    assert_eq!(bodies_read(&home), read, "no more was asked for after the stop");
}

/// A terminal of so many columns: the end of who looks at it, and that of the program.
fn terminal(columns: u16) -> (File, File) {
    let screen = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&screen).unwrap();
    pty::unlockpt(&screen).unwrap();
    let name = pty::ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let line = File::options().read(true).write(true).open(name).unwrap();
    let size = termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    termios::tcsetwinsize(&line, size).unwrap();
    (File::from(screen), line)
}

/// What stood on a terminal, line by line, without what moves its cursor.
fn lines(drawn: &str) -> Vec<String> {
    let mut pieces = drawn.split("\u{1b}[");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let ends = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |at| at + 1);
        plain += "\n";
        plain += &piece[ends..];
    }
    plain.split(['\r', '\n']).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn on_a_terminal_a_bar_for_each_account_tells_how_many_messages_came_and_how_fast() {
    let home = Home::with_mail(&BOTH);
    for n in 0..60 {
        let mail = text(&format!("More {n}"));
        home.sandbox.google_add_mail(&mail, &["INBOX"]);
        home.sandbox.graph_mail_deliver("inbox", &mail).unwrap();
    }
    let (mut screen, line) = terminal(100);
    let mut command = home.command(&["sync"]);
    command.env("TERM", "xterm").stderr(Stdio::from(line)).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    // With the command goes the last of this side's hold on the terminal: then its end is told.
    drop(command);
    let mut drawn = Vec::new();
    let mut some = [0; 4096];
    while let Ok(length @ 1..) = screen.read(&mut some) {
        drawn.extend_from_slice(&some[..length]);
    }
    assert!(child.wait().unwrap().success());
    let drawn = lines(&String::from_utf8_lossy(&drawn));
    let is_mail = |message: &&Value| !message["labelIds"].as_array().is_some_and(|all| all.contains(&json!("CHAT")));
    let at_google = home.sandbox.google_messages().iter().filter(is_mail).count();
    for (provider, count) in [("google", at_google), ("microsoft365", copies(&home, "microsoft365"))] {
        // The bar of a place, to the next one.
        let bar = |line: &String| {
            let told = line.split_once(&format!("{provider:13} ━"))?.1;
            Some(told.split("  ").next().unwrap_or_default().trim_matches(['━', '╌', ' ']).to_owned())
        };
        let told: Vec<String> = drawn.iter().filter_map(bar).collect();
        let is_whole = |told: &String| told.starts_with(&format!("{count} of {count}, ")) && told.contains("/s");
        assert!(told.iter().any(is_whole), "{provider}, {count}: {told:?} in {drawn:#?}");
    }
    assert!(drawn.iter().any(|line| line.contains("reading messages of ")), "{drawn:#?}");
}
