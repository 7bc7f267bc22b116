//! `twofold held`, `approve`, `drop`: plans that a brake stopped.

use super::decide::{self, Done};
use super::{Context, hints};
use crate::daemon::Decision;
use serde_json::json;
use twofold_cycle::report::exit;
use twofold_hub::mail::MAIL;
use twofold_hub::{Decided, Hold, Hub, IntentKind};
use twofold_model::{Error, ErrorKind, Kind, Result};

#[derive(Debug, clap::Args)]
pub struct HeldArgs {
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    /// The first words of lines of `twofold held`; all of them are decided, or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Also make changes that mail people: the guests of a meeting hear of them
    #[arg(long)]
    mail_attendees: bool,
}

#[derive(Debug, clap::Args)]
pub struct DropArgs {
    /// The first words of lines of `twofold held`; all of them are decided, or none
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

/// A held plan, and what people are shown of it.
pub(super) struct Shown {
    pub(super) hold: Hold,
    pub(super) replica: String,
    pub(super) collection: String,
    creates: usize,
    updates: usize,
    deletes: usize,
    /// How many people it would mail.
    pub(super) mails: usize,
    /// What the first few rows are about.
    pub(super) titles: Vec<String>,
}

impl Shown {
    /// A device as a whole is of no kind.
    fn kind(&self) -> Option<&'static str> {
        (self.hold.cause != "device").then(|| self.hold.kind.as_str())
    }

    /// Whether somebody may say yes to it: a folder that is missing or foreign has to be brought back.
    pub(super) fn can_be_approved(&self) -> bool {
        !self.hold.is_to_be_mended()
    }

    /// Whether somebody may say no to it: what a lost hub left apart stays so.
    pub(super) fn can_be_dropped(&self) -> bool {
        !self.hold.is_to_be_mended() && self.hold.cause != "lost"
    }
}

/// So many titles are named in a line.
const TITLES: usize = 3;

/// Everything that is held, oldest first.
pub(super) fn shown(hub: &Hub) -> Result<Vec<Shown>> {
    let mut all = Vec::new();
    for hold in hub.holds()?.into_iter().filter(|hold| !hold.is_approved) {
        let (here, gone) = hub.hold_size(&hold.id)?;
        let writes = hub.writes_of_hold(&hold.id)?;
        let removals = writes.iter().filter(|write| write.operation == IntentKind::Delete).count();
        let replica = hub.replicas()?.into_iter().find(|r| r.id == hold.replica).map(|r| r.name).unwrap_or_default();
        let collection = match hold.collection {
            Some(id) => hub.collection(id)?.map(|collection| collection.name).unwrap_or_default(),
            None => String::new(),
        };
        let whole = match (hold.cause.as_str(), hold.collection) {
            (MAIL, _) => removals,
            ("collection", Some(collection)) => hub.copies(hold.replica, collection)?,
            _ => gone,
        };
        let (creates, updates) = match (hold.cause.as_str(), hold.collection) {
            ("changes", _) => (0, here),
            (MAIL, _) => (0, writes.len() - removals),
            ("lost", Some(collection)) => (hub.lacking(hold.replica, collection)?, 0),
            _ => (here, 0),
        };
        let mut titles = Vec::new();
        for write in writes.iter().take(TITLES) {
            titles.push(super::title(&hub.version(write.version)?.content));
        }
        titles.retain(|title| !title.is_empty());
        let mails = writes.iter().map(|write| write.people).sum();
        all.push(Shown { hold, replica, collection, creates, updates, deletes: whole, mails, titles });
    }
    Ok(all)
}

/// Lists what is held, one line each, the id as its first word.
pub fn held(context: &Context, args: HeldArgs) -> Result<i32> {
    let config = context.config()?;
    let hub = context.hub_to_read(&config)?;
    let all = shown(&hub)?;
    if args.json {
        let row = |s: &Shown| {
            json!({
                "id": s.hold.id, "replica": s.replica, "kind": s.kind(), "collection": s.collection,
                "reason": s.hold.reason, "creates": s.creates, "updates": s.updates, "deletes": s.deletes,
            })
        };
        super::print_json(&json!({"schema": 1, "held": all.iter().map(row).collect::<Vec<_>>()}));
    } else {
        for s in &all {
            let titles = if s.titles.is_empty() { String::new() } else { format!(" ({})", s.titles.join(", ")) };
            let kind = s.kind().map_or_else(String::new, |kind| format!(" {kind}"));
            println!("{} {}{kind}: {}{titles}", s.hold.id, s.replica, hints::put(&s.hold.reason));
        }
        if !all.is_empty() {
            let ways = [
                (all.iter().any(Shown::can_be_approved), "Make it: twofold approve ID..."),
                (all.iter().any(Shown::can_be_dropped), "It was wrong, put things back: twofold drop ID..."),
            ];
            let ways: Vec<&str> = ways.into_iter().filter(|(is_open, _)| *is_open).map(|(_, words)| words).collect();
            if !ways.is_empty() {
                context.say(ways.join(" "));
            }
            if all.iter().any(|s| s.mails > 0) {
                context.say("What mails people is made only by: twofold approve ID... --mail-attendees");
            }
        }
    }
    Ok(exit::ALIGNED)
}

/// What is to be done about a hold: it, or what was done when somebody decided the same before. What was decided first stays.
fn undecided(hub: &Hub, id: &str, is_approved: bool) -> Result<std::result::Result<Hold, Done>> {
    let word = |is_approved| if is_approved { "approved" } else { "dropped" };
    let no = |words: String| Err(Error::new(ErrorKind::Misconfigured, words));
    let hold = hub.hold(id)?;
    match (hold, hub.is_undecided(id)?, hub.decided(id)?) {
        (Some(hold), true, _) => Ok(Ok(hold)),
        (hold, _, Some(decided)) => {
            let words = format!("{id} was already {} at {}", word(decided.is_approved), super::second(decided.at_ms));
            match decided.is_approved == is_approved {
                true => Ok(Err(Done { words, kinds: hold.iter().flat_map(kinds_of).collect() })),
                false => no(format!("{words}; that stays, and nothing was done now. See: twofold status")),
            }
        }
        (Some(_), ..) => {
            no(format!("{id} was already decided; that stays, and nothing was done now. See: twofold status"))
        }
        (None, ..) => no(format!("nothing is held under the id \"{id}\"; nothing was done. See: twofold held")),
    }
}

/// The kinds that a hold is about: one on a whole replica is about all.
fn kinds_of(hold: &Hold) -> Vec<Kind> {
    hold.collection.map(|_| hold.kind).into_iter().collect()
}

/// Lets the next run make held plans.
pub async fn approve(context: &Context, args: ApproveArgs) -> Result<i32> {
    decide::run(context, Decision::Approve { ids: args.ids, mail_attendees: args.mail_attendees, people: None }).await
}

/// Lets the next run make a held plan. Each row is decided again then. `may_mail` is asked whether so many people may be mailed, where any
/// would be. Answers what was done.
///
/// Keeps promise 8: nothing held is made by anything else.
pub(super) fn approve_in(hub: &mut Hub, id: &str, may_mail: impl FnOnce(usize) -> bool, now_ms: i64) -> Result<Done> {
    let hold = match undecided(hub, id, true)? {
        Ok(hold) => hold,
        Err(done) => return Ok(done),
    };
    if hold.is_to_be_mended() {
        let name = hub.replicas()?.into_iter().find(|r| r.id == hold.replica).map(|r| r.name).unwrap_or_default();
        return Err(Error::new(
            ErrorKind::Held,
            format!(
                "{id}: a missing or foreign device folder cannot be approved; nothing was done. Bring the folder back as twofold held says, or, if the \
                 device is new or was replaced, type: twofold device fill {name}"
            ),
        ));
    }
    let people: usize = hub.writes_of_hold(id)?.iter().map(|write| write.people).sum();
    if people > 0 && !may_mail(people) {
        let words = format!(
            "{id}: {}; nothing was done and it stays held. If they may be mailed, type: twofold approve {id} --mail-attendees",
            hold.reason
        );
        return Err(Error::new(ErrorKind::Held, words));
    }
    hub.atomically("approve", |hub| {
        hub.approve(id)?;
        hub.note_decided(Decided { id: id.to_owned(), is_approved: true, at_ms: now_ms })
    })?;
    Ok(Done { words: format!("{} is approved: {}", hold.id, hold.reason), kinds: kinds_of(&hold) })
}

/// Puts things back at the replica, with the next run.
pub async fn drop(context: &Context, args: DropArgs) -> Result<i32> {
    decide::run(context, Decision::Drop { ids: args.ids }).await
}

/// Puts things back at the replica, with the next run. Answers what was done.
///
/// Keeps promise 8: what is put back and the end of the hold are one transaction.
pub(super) fn drop_in(hub: &mut Hub, id: &str, now_ms: i64) -> Result<Done> {
    let hold = match undecided(hub, id, false)? {
        Ok(hold) => hold,
        Err(done) => return Ok(done),
    };
    if hold.is_to_be_mended() {
        return Err(Error::new(
            ErrorKind::Held,
            format!(
                "{id}: a missing or foreign device folder cannot be dropped; nothing was done. Bring the folder back as twofold held says"
            ),
        ));
    }
    if hold.cause == "lost" {
        return Err(Error::new(
            ErrorKind::Held,
            format!(
                "{id}: what a lost hub left apart cannot be dropped; nothing was done. Keep the two apart by taking their [[join]] out of \
                 the configuration, put the folder or the account right, or make it with: twofold approve {id}"
            ),
        ));
    }
    let rows = hub.hold_rows(id)?.len();
    let words = match hold.cause.as_str() {
        "adoption" => format!("{rows} files stay where they are and are not taken"),
        "collection" => "the folder is made again there with everything in it".to_owned(),
        "join" => "the two are not joined; take the [[join]] out of the configuration, or the next run holds it again"
            .to_owned(),
        MAIL => format!("{} changes are taken back everywhere", hub.writes_of_hold(id)?.len()),
        "foreign" => "writes go on there, until the other one is seen again".to_owned(),
        _ => format!("{rows} items are written back there"),
    };
    hub.atomically("drop", |hub| {
        hub.drop_hold(&hold)?;
        hub.note_decided(Decided { id: id.to_owned(), is_approved: false, at_ms: now_ms })
    })?;
    Ok(Done { words: format!("{} is dropped: {words}", hold.id), kinds: kinds_of(&hold) })
}
