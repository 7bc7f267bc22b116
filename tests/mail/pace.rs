//! A first sync of two accounts: each is read at the pace of its own provider, and what came is soon on the device.

use super::bench::{bodies_read, waited};
use super::{copies, text};
use crate::common::{BOTH, Home};
use rustix::process::Signal;
use std::fs;
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
