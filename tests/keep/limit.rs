//! `[microsoft365] shared_limit`: several instances on one machine keep an app's limit of 4 requests at a time together.

use crate::common::{Home, MICROSOFT, Ran, Talk, files, visit};
use rustix::process::Signal;
use std::fs;
use std::path::PathBuf;
use twofold_sandbox::{Fault, Options, Provider, Rule};

/// Instances side by side.
const INSTANCES: usize = 3;
/// Messages of the account.
const MESSAGES: usize = 240;

/// One mailbox, kept by several instances with a state and a device folder each.
struct Several {
    home: Home,
}

impl Several {
    fn new(shared_limit: bool) -> Several {
        let home = Home::new(Options::empty().mails(MESSAGES), &MICROSOFT);
        let several = Several { home };
        let limit = several.home.dir.path().join("limit");
        fs::create_dir(&limit).unwrap();
        for at in 0..INSTANCES {
            let dir = several.dir(at);
            fs::create_dir(&dir).unwrap();
            let mut text = several.home.configuration("").replace("contacts", "mail");
            for own in [several.home.state(), several.home.laptop()] {
                text = text.replace(&format!("{own:?}"), &format!("{:?}", dir.join(own.file_name().unwrap())));
            }
            if shared_limit {
                text = text.replace("login_url", &format!("shared_limit = {limit:?}\nlogin_url"));
            }
            fs::write(dir.join("config.toml"), text).unwrap();
            let mut talk = several.start(at, &["login", "microsoft365", "--no-browser"]);
            visit(&talk.address().unwrap());
            talk.end().expect(0);
        }
        // Long enough that requests of several processes overlap.
        let slow = Rule::any(Fault::Delay { ms: 15 }).on(Provider::Microsoft);
        several.home.sandbox.fault(slow.times(u64::MAX));
        several.home.sandbox.reset_counts();
        several
    }

    fn dir(&self, at: usize) -> PathBuf {
        self.home.dir.path().join(format!("instance{at}"))
    }

    fn start(&self, at: usize, args: &[&str]) -> Talk {
        let mut command = self.home.command(args);
        command.env("TWOFOLD_CONFIG", self.dir(at).join("config.toml"));
        self.home.talk(command, args)
    }

    fn sync_all(&self) -> Vec<Ran> {
        let all: Vec<Talk> = (0..INSTANCES).map(|at| self.start(at, &["sync"])).collect();
        all.into_iter().map(Talk::end).collect()
    }

    /// How many requests were refused because too many were under way, and how many there were at most.
    fn measured(&self) -> (u64, u32) {
        let most = self.home.sandbox.log().iter().map(|line| line.info.overlaps + 1).max().unwrap();
        (self.home.sandbox.counts(Provider::Microsoft).throttled, most)
    }
}

#[test]
fn instances_that_share_a_limit_never_ask_more_than_four_things_at_once() {
    let several = Several::new(true);
    for ran in several.sync_all() {
        ran.expect(0);
    }
    assert_eq!(several.measured(), (0, 4));
    for at in 0..INSTANCES {
        let is_mail =
            |path: &&PathBuf| path.components().any(|part| part.as_os_str() == "cur" || part.as_os_str() == "new");
        let count = files(&several.dir(at).join("laptop")).keys().filter(is_mail).count();
        assert!(count >= MESSAGES / 2, "instance {at} has {count} messages");
    }
}

#[test]
fn without_it_they_are_refused_by_the_provider() {
    let several = Several::new(false);
    let all: Vec<Talk> = (0..INSTANCES).map(|at| several.start(at, &["sync"])).collect();
    let began = std::time::Instant::now();
    while several.home.sandbox.counts(Provider::Microsoft).throttled == 0 {
        assert!(began.elapsed().as_secs() < 60, "nobody was refused: the test above would show nothing");
        std::thread::yield_now();
    }
    for talk in all {
        talk.signal(Signal::KILL);
        talk.end();
    }
    let (refused, most) = several.measured();
    assert!(refused > 0 && most > 4, "{refused} refused, {most} at once: the test above would show nothing");
}

#[test]
fn an_instance_that_dies_gives_its_share_back() {
    let several = Several::new(true);
    let dies = several.start(0, &["sync"]);
    let began = std::time::Instant::now();
    while several.home.sandbox.requests(Provider::Microsoft) < 10 {
        assert!(began.elapsed().as_secs() < 60);
        std::thread::yield_now();
    }
    dies.signal(Signal::KILL);
    several.start(1, &["sync"]).end().expect(0);
    dies.end();
}

#[test]
fn a_folder_that_cannot_be_used_is_said_and_the_rest_goes_on() {
    let several = Several::new(true);
    fs::remove_dir_all(several.home.dir.path().join("limit")).unwrap();
    let ran = several.start(0, &["sync"]).end().expect(2);
    ran.says(&["shared limit", "nothing was sent", "systemd-tmpfiles --create"]);
    assert_eq!(several.home.sandbox.requests(Provider::Microsoft), 0);
}
