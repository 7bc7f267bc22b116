//! Which labels a set of operations adds to messages and takes off them (pure).
//!
//! Labels are deltas: only what differs is sent, never the whole set. What is done to several copies of a message is one change of it.
//! Provider: `SENT` and `DRAFT` cannot be set or taken off, and what is in the trash or among the spam stands nowhere else.

use std::collections::{BTreeSet, HashMap};
use twofold_model::email::Sheet;
use twofold_model::{Error, ErrorKind, Operation, Place, Result, Written};

use super::map::{self, ARCHIVE, DRAFT, INBOX, Labels, SENT, SPAM, TRASH, flags_of, parts_of};

/// What the messages have now, as far as it was asked for; `None`: there is no such message.
pub(super) type Looked = HashMap<String, Result<Option<BTreeSet<String>>>>;

/// One change of one message.
#[derive(Debug, Default)]
pub(super) struct Deed {
    pub(super) message: String,
    pub(super) add: BTreeSet<String>,
    pub(super) remove: BTreeSet<String>,
    /// The operations that it carries out.
    pub(super) operations: Vec<usize>,
    /// Only the message's labels afterwards tell what to answer.
    pub(super) needs_labels: bool,
    /// Places that it is to leave, and the operations that say so.
    leaves: Vec<(usize, String)>,
    /// The place that it is to leave for the archive.
    archived: Option<(usize, String)>,
}

/// What follows from a set of operations.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Changes to send.
    pub(super) deeds: Vec<Deed>,
    /// What can be answered at once.
    pub(super) answered: Vec<(usize, Result<Written>)>,
    /// Messages and drafts that are to be sent in, by their operations.
    pub(super) sent_in: Vec<usize>,
}

/// The message that has to be looked at before an operation can be planned.
pub(super) fn looks_at(operation: &Operation) -> Option<&str> {
    let place = match operation {
        Operation::Delete { place, .. } => place,
        Operation::Move { place, to, .. } if to.as_str() == ARCHIVE || is_fixed(to.as_str()) => place,
        _ => return None,
    };
    parts_of(&place.remote_id).ok().map(|(message, _)| message)
}

/// Plans a set of operations.
pub(super) fn plan(operations: &[Operation], table: &Labels, looked: &Looked) -> Plan {
    let mut plan = Plan::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, operation) in operations.iter().enumerate() {
        let place = match operation {
            Operation::Create { .. } => {
                plan.sent_in.push(at);
                continue;
            }
            Operation::Update { place, .. } | Operation::Delete { place, .. } | Operation::Move { place, .. } => place,
            Operation::Copy { of, .. } => of,
        };
        let (message, label) = match parts_of(&place.remote_id) {
            Ok((message, label)) => (message, label),
            Err(error) => {
                plan.answered.push((at, Err(error)));
                continue;
            }
        };
        let deed_at = *places.entry(message.to_owned()).or_insert(plan.deeds.len());
        if deed_at == plan.deeds.len() {
            plan.deeds.push(Deed { message: message.to_owned(), ..Deed::default() });
        }
        match plan.deeds[deed_at].take(at, operation, label, table, looked) {
            Ok(Step::Planned) => plan.deeds[deed_at].operations.push(at),
            Ok(Step::SentIn) => plan.sent_in.push(at),
            Ok(Step::Gone) => plan.answered.push((at, Ok(None))),
            Err(error) => plan.answered.push((at, Err(error))),
        }
    }
    for deed in &mut plan.deeds {
        for (at, error) in deed.leave(table, looked) {
            deed.operations.retain(|have| *have != at);
            plan.answered.push((at, Err(error)));
        }
    }
    plan.deeds.retain(|deed| !deed.operations.is_empty());
    plan
}

/// What an operation became.
enum Step {
    Planned,
    SentIn,
    /// There is nothing to remove.
    Gone,
}

impl Deed {
    fn take(&mut self, at: usize, operation: &Operation, label: &str, table: &Labels, looked: &Looked) -> Result<Step> {
        match operation {
            Operation::Create { .. } => return Ok(Step::SentIn),
            Operation::Update { from, to, .. } => {
                let (from, to) = (map::sheet_of(from)?, map::sheet_of(to)?);
                if is_rewritten(&from, &to) {
                    return match label {
                        DRAFT => Ok(Step::SentIn),
                        _ => Err(no_way("only a draft can be written on")),
                    };
                }
                let (had, has) = (flags_of(&from), flags_of(&to));
                has.difference(&had).for_each(|flag| self.add(flag));
                had.difference(&has).for_each(|flag| self.remove(flag));
            }
            Operation::Copy { collection, .. } => {
                let to = collection.as_str();
                if is_fixed(to) || is_alone(to) || to == ARCHIVE {
                    return Err(no_way("a message cannot be put there beside where it stands"));
                } else if is_alone(label) {
                    return Err(no_way("what is in the trash or among the spam stands nowhere else"));
                }
                self.add(to);
                self.needs_labels = true;
            }
            Operation::Move { to, etag, .. } => {
                let to = to.as_str();
                let fixed = || no_way("it decides itself what is sent and what is a draft");
                if is_fixed(to) {
                    // What was sent, or is a draft, stands there again once it leaves the trash.
                    let labels = seen_labels(looked, &self.message)?.ok_or_else(gone)?;
                    match table.stands(labels).contains(&label) {
                        false => return Err(gone()),
                        true if is_alone(label) && labels.contains(to) => self.remove(label),
                        true => return Err(fixed()),
                    }
                } else if is_fixed(label) && !is_alone(to) {
                    return Err(fixed());
                } else if to == ARCHIVE {
                    let labels = seen_labels(looked, &self.message)?.ok_or_else(gone)?;
                    if !table.stands(labels).contains(&label) {
                        return Err(gone());
                    }
                    self.archived = Some((at, label.to_owned()));
                } else {
                    if is_alone(to) {
                        [INBOX, SPAM, TRASH].into_iter().filter(|place| *place != to).for_each(|one| self.remove(one));
                    }
                    if label != ARCHIVE && !is_fixed(label) {
                        self.remove(label);
                    }
                    self.add(to);
                }
                self.needs_labels |= map::keywords_in(etag).is_none();
            }
            Operation::Delete { .. } => {
                if label == TRASH {
                    return Err(no_way("what is in the trash stays there until Gmail empties it, after 30 days"));
                }
                match seen_labels(looked, &self.message)? {
                    Some(labels) if table.stands(labels).contains(&label) => {
                        self.leaves.push((at, label.to_owned()));
                    }
                    _ => return Ok(Step::Gone),
                }
            }
        }
        Ok(Step::Planned)
    }

    /// A message is archived where it stands nowhere else but in what it leaves as well. Answers what cannot be done.
    fn archive(&mut self, table: &Labels, labels: &BTreeSet<String>) -> Option<(usize, Error)> {
        let (at, label) = self.archived.take()?;
        let mut off: BTreeSet<&str> = self.leaves.iter().map(|(_, label)| label.as_str()).chain([&*label]).collect();
        if is_alone(&label) {
            // Places that the trash hid.
            off.extend(labels.iter().map(String::as_str).filter(|have| table.is_place(have) && !is_fixed(have)));
        }
        let left: BTreeSet<String> = labels.iter().filter(|have| !off.contains(have.as_str())).cloned().collect();
        if table.stands(&left) != [ARCHIVE] {
            return Some((at, no_way("a message is archived only where it stands nowhere else")));
        }
        let off: Vec<String> = off.into_iter().map(str::to_owned).collect();
        off.iter().for_each(|label| self.remove(label));
        self.leaves.clear();
        None
    }

    /// Takes the message out of the places that it is to leave: to the trash, where none is left. Answers what cannot be done.
    fn leave(&mut self, table: &Labels, looked: &Looked) -> Vec<(usize, Error)> {
        let Ok(Some(labels)) = seen_labels(looked, &self.message) else { return Vec::new() };
        let mut refused: Vec<(usize, Error)> = self.archive(table, labels).into_iter().collect();
        let leaves = std::mem::take(&mut self.leaves);
        if leaves.is_empty() {
            return refused;
        }
        let mut labels = labels.clone();
        labels.extend(self.add.iter().cloned());
        labels.retain(|label| !self.remove.contains(label));
        let stays = table.stands(&labels).into_iter().any(|place| !leaves.iter().any(|(_, label)| label == place));
        if !stays {
            [INBOX, SPAM].into_iter().for_each(|place| self.remove(place));
            self.add(TRASH);
        }
        for (at, label) in leaves {
            match is_fixed(&label) || label == ARCHIVE {
                true if stays => refused.push((at, no_way("what was sent, or is a draft, stays in that mailbox"))),
                true => {}
                false => self.remove(&label),
            }
        }
        refused
    }

    /// The last word counts.
    fn add(&mut self, label: &str) {
        self.remove.remove(label);
        self.add.insert(label.to_owned());
    }

    fn remove(&mut self, label: &str) {
        self.add.remove(label);
        self.remove.insert(label.to_owned());
    }
}

/// What an operation is answered with once its change was made. `labels`: those that the message has then, where it was told.
pub(super) fn answer(
    operation: &Operation,
    table: &Labels,
    message: &str,
    labels: Option<&BTreeSet<String>>,
) -> Result<Written> {
    let (label, sheet, meant) = match operation {
        Operation::Delete { .. } | Operation::Create { .. } => return Ok(None),
        Operation::Update { place, to, .. } => {
            let sheet = map::sheet_of(to)?;
            let meant = Some(sheet.keywords.clone());
            (label_of(place)?, sheet, meant)
        }
        Operation::Copy { collection, .. } => (collection.as_str(), Sheet::default(), None),
        Operation::Move { to, etag, .. } => (to.as_str(), Sheet::default(), map::keywords_in(etag)),
    };
    let unknown = || Error::new(ErrorKind::Unknown, "what the message says now is not known");
    let keywords = match labels {
        // It left that place meanwhile.
        Some(labels) if !table.stands(labels).contains(&label) => {
            return Err(Error::new(ErrorKind::NotFound, "the message does not stand there"));
        }
        // What somebody else marked meanwhile is not agreed: the history tells it, as a change of theirs.
        Some(labels) => meant.unwrap_or_else(|| map::keywords_of(labels)),
        None => meant.ok_or_else(unknown)?,
    };
    map::seen(message, label, keywords, sheet).map(Some)
}

/// Whether the bytes of a draft changed.
pub(super) fn is_rewritten(from: &Sheet, to: &Sheet) -> bool {
    to.blob_id.is_some() && from.blob_id.is_some() && to.blob_id != from.blob_id
}

fn label_of(place: &Place) -> Result<&str> {
    parts_of(&place.remote_id).map(|(_, label)| label)
}

fn seen_labels<'a>(looked: &'a Looked, message: &str) -> Result<Option<&'a BTreeSet<String>>> {
    match looked.get(message) {
        Some(Ok(labels)) => Ok(labels.as_ref()),
        Some(Err(error)) => Err(not_executed(error)),
        None => Err(Error::new(ErrorKind::Offline, "the message was not looked at")),
    }
}

/// A look before the write failed: the write was not sent.
pub(super) fn not_executed(error: &Error) -> Error {
    match error.kind.proves_not_executed() {
        true => super::again(error),
        false => Error::new(ErrorKind::Offline, error.message.clone()),
    }
}

/// Only Gmail itself sets it.
fn is_fixed(label: &str) -> bool {
    matches!(label, SENT | DRAFT)
}

/// What has it stands nowhere else.
pub(super) fn is_alone(label: &str) -> bool {
    matches!(label, TRASH | SPAM)
}

fn gone() -> Error {
    Error::new(ErrorKind::NotFound, "the message is not there any more")
}

fn no_way(words: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("Gmail: {words}"))
}

#[cfg(test)]
mod tests {
    use super::super::map::{etag_of, keywords_of, remote_id, set};
    use super::*;
    use serde_json::json;
    use twofold_model::{BlobId, Etag};

    fn table() -> Labels {
        Labels::of(serde_json::from_value(json!([{"id": "Label_1", "name": "x", "type": "user"}])).unwrap())
    }

    fn looked(labels: &[&str]) -> Looked {
        Looked::from([("a".to_owned(), Ok(Some(set(labels.iter().copied()))))])
    }

    fn place(label: &str) -> Place {
        Place { remote_id: remote_id("a", label), collection: label.into() }
    }

    fn delete(label: &str) -> Operation {
        Operation::Delete { place: place(label), etag: Etag("k".into()) }
    }

    fn shift(from: &str, to: &str) -> Operation {
        Operation::Move { place: place(from), etag: etag_of(&keywords_of(&set([]))), to: to.into() }
    }

    /// What is added and taken off, and what is refused.
    fn planned(operations: &[Operation], labels: &[&str]) -> (String, String, usize) {
        let plan = plan(operations, &table(), &looked(labels));
        let words = |labels: &BTreeSet<String>| labels.iter().cloned().collect::<Vec<_>>().join(" ");
        let refused = plan.answered.iter().filter(|(_, answer)| answer.is_err()).count();
        match &plan.deeds[..] {
            [] => (String::new(), String::new(), refused),
            [deed] => (words(&deed.add), words(&deed.remove), refused),
            more => panic!("{more:?}"),
        }
    }

    #[test]
    fn a_message_leaves_a_label_and_goes_to_the_trash_with_its_last_place() {
        let says = |add: &str, remove: &str, refused: usize| (add.to_owned(), remove.to_owned(), refused);
        assert_eq!(planned(&[delete("INBOX")], &["INBOX", "Label_1"]), says("", "INBOX", 0));
        assert_eq!(planned(&[delete("INBOX")], &["INBOX", "STARRED"]), says("TRASH", "INBOX SPAM", 0));
        let both = [delete("INBOX"), delete("Label_1")];
        assert_eq!(planned(&both, &["INBOX", "Label_1"]), says("TRASH", "INBOX Label_1 SPAM", 0));
        assert_eq!(planned(&[delete("ARCHIVE")], &["UNREAD"]), says("TRASH", "INBOX SPAM", 0));
        assert_eq!(planned(&[delete("SPAM")], &["SPAM"]), says("TRASH", "INBOX SPAM", 0));
        assert_eq!(planned(&[delete("SENT")], &["SENT"]), says("TRASH", "INBOX SPAM", 0));
        assert_eq!(planned(&[delete("SENT")], &["SENT", "INBOX"]), says("", "", 1));
        assert_eq!(planned(&[delete("SENT"), delete("INBOX")], &["SENT", "INBOX"]), says("TRASH", "INBOX SPAM", 0));
        assert_eq!(planned(&[delete("TRASH")], &["TRASH"]), says("", "", 1), "never for good");
    }

    #[test]
    fn what_is_gone_already_is_removed() {
        for looked in [looked(&["TRASH", "INBOX"]), Looked::from([("a".to_owned(), Ok(None))])] {
            let plan = plan(&[delete("INBOX")], &table(), &looked);
            assert!(plan.deeds.is_empty() && matches!(plan.answered[..], [(0, Ok(None))]));
        }
        let lost = Looked::from([("a".to_owned(), Err(Error::new(ErrorKind::Unknown, "lost")))]);
        let plan = plan(&[delete("INBOX")], &table(), &lost);
        assert!(matches!(&plan.answered[..], [(0, Err(error))] if error.kind.proves_not_executed()));
    }

    #[test]
    fn a_move_exchanges_labels() {
        let moved = |from: &str, to: &str, labels: &[&str]| planned(&[shift(from, to)], labels);
        let says = |add: &str, remove: &str| (add.to_owned(), remove.to_owned(), 0);
        assert_eq!(moved("INBOX", "Label_1", &[]), says("Label_1", "INBOX"));
        assert_eq!(moved("ARCHIVE", "INBOX", &[]), says("INBOX", ""));
        assert_eq!(moved("Label_1", "TRASH", &[]), says("TRASH", "INBOX Label_1 SPAM"));
        assert_eq!(moved("TRASH", "INBOX", &[]), says("INBOX", "TRASH"));
        assert_eq!(moved("INBOX", "SPAM", &[]), says("SPAM", "INBOX TRASH"));
        assert_eq!(moved("SENT", "TRASH", &[]), says("TRASH", "INBOX SPAM"));
        assert_eq!(moved("INBOX", "ARCHIVE", &["INBOX", "UNREAD"]), says("", "INBOX"));
        assert_eq!(moved("TRASH", "ARCHIVE", &["TRASH", "Label_1"]), says("", "Label_1 TRASH"));
        assert_eq!(moved("INBOX", "ARCHIVE", &["INBOX", "Label_1"]).2, 1);
        assert_eq!(moved("INBOX", "ARCHIVE", &["Label_1"]).2, 1, "it is not there any more");
        // What it leaves in the same moment does not hold it.
        let leaves = [delete("Label_1"), shift("INBOX", "ARCHIVE")];
        for operations in [leaves.clone(), [leaves[1].clone(), leaves[0].clone()]] {
            assert_eq!(planned(&operations, &["INBOX", "Label_1", "UNREAD"]), says("", "INBOX Label_1"));
        }
        assert_eq!(
            planned(&leaves, &["INBOX", "Label_1", "SENT"]),
            ("".into(), "Label_1".into(), 1),
            "it stays as sent"
        );
        for (from, to) in [("INBOX", "SENT"), ("SENT", "INBOX"), ("DRAFT", "Label_1"), ("TRASH", "SENT")] {
            assert_eq!(moved(from, to, &[from]).2, 1, "{from} {to}");
        }
        assert_eq!(moved("TRASH", "SENT", &["TRASH", "SENT", "Label_1"]), says("", "TRASH"), "it is one that was sent");
        assert_eq!(moved("SPAM", "DRAFT", &["SPAM", "DRAFT"]), says("", "SPAM"));
        assert_eq!(moved("TRASH", "SENT", &["SENT"]).2, 1, "it left the trash meanwhile");
    }

    #[test]
    fn flags_are_deltas_and_one_change_for_all_copies() {
        let sheet = |words: &[&str], blob: &str| {
            let keywords = set(words.iter().copied());
            Sheet { keywords, blob_id: Some(BlobId::of(blob.as_bytes()).to_string()), ..Sheet::default() }
        };
        let update = |label: &str, from: &Sheet, to: &Sheet| Operation::Update {
            place: place(label),
            etag: Etag("k".into()),
            from: from.write().unwrap(),
            to: to.write().unwrap(),
        };
        let (from, to) = (sheet(&["$important"], "x"), sheet(&["$seen", "$flagged", "$important"], "x"));
        let both = [update("INBOX", &from, &to), update("Label_1", &from, &to)];
        assert_eq!(planned(&both, &[]), ("STARRED".into(), "UNREAD".into(), 0));
        let rewritten = sheet(&[], "y");
        assert_eq!(plan(&[update("DRAFT", &from, &rewritten)], &table(), &looked(&[])).sent_in, [0]);
        assert_eq!(planned(&[update("INBOX", &from, &rewritten)], &[]).2, 1);
    }

    #[test]
    fn a_further_label_is_added_where_gmail_shows_it() {
        let copy = |of: &str, to: &str| Operation::Copy { of: place(of), collection: to.into() };
        assert_eq!(planned(&[copy("INBOX", "Label_1")], &[]), ("Label_1".into(), String::new(), 0));
        for (of, to) in [("INBOX", "TRASH"), ("INBOX", "SENT"), ("INBOX", "ARCHIVE"), ("TRASH", "INBOX")] {
            assert_eq!(planned(&[copy(of, to)], &[]).2, 1, "{of} {to}");
        }
        let labels = set(["INBOX", "Label_1", "UNREAD"]);
        let seen = answer(&copy("INBOX", "Label_1"), &table(), "a", Some(&labels)).unwrap().unwrap();
        assert_eq!((seen.remote_id.as_str(), seen.etag.as_str()), ("a/Label_1", "k"));
        let elsewhere = answer(&copy("INBOX", "Label_1"), &table(), "a", Some(&set(["TRASH", "Label_1"])));
        assert_eq!(elsewhere.unwrap_err().kind, ErrorKind::NotFound);
    }
}
