//! What a page of the history says, message by message (pure).
//!
//! Records are increments, repeat themselves, and may tell the same message many times. They are folded to what counts: the labels
//! that the message has after them, and all that it had before. What is said is a state, so that hearing it twice changes nothing.

use std::collections::{BTreeSet, HashMap};

use super::map::{ARCHIVE, DRAFT, Labels, remote_id};
use super::wire::{Change, Record};
use twofold_model::RemoteId;

/// One message that a page tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub id: String,
    /// It is no more.
    pub is_gone: bool,
    /// Its labels now; `None` where the last record does not say: it has none, or they have to be asked for.
    pub labels: Option<BTreeSet<String>>,
    /// Every label that it has or had, as far as the records say.
    pub had: BTreeSet<String>,
    /// A record that tells a change of it did not say its labels: it may have had others, too.
    pub is_unsaid: bool,
    /// Labels that it got.
    pub got: BTreeSet<String>,
}

impl Touched {
    /// Whether it is, or was, a draft.
    pub fn is_draft(&self) -> bool {
        self.had.contains(DRAFT)
    }

    /// The copies that there are not any more, given where the message stands now, as far as the records say. A copy that never was may be among
    /// them.
    pub fn left(&self, labels: &Labels, stands: &[&str]) -> Vec<RemoteId> {
        let mut left: Vec<&str> = self.had.iter().map(String::as_str).filter(|label| labels.is_place(label)).collect();
        // It was archived, if it was a message before, and got its first place here.
        let was_archived = self.is_gone || self.got.iter().any(|label| labels.is_place(label));
        if was_archived {
            left.push(ARCHIVE);
        }
        left.retain(|label| !stands.contains(label));
        left.into_iter().map(|label| remote_id(&self.id, label)).collect()
    }
}

/// The messages of a page, in the order in which they are first told of.
pub fn fold(records: Vec<Record>) -> Vec<Touched> {
    let mut all: Vec<Touched> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut touch = |change: &Change, is_new: bool| {
        let id = change.message.id.clone();
        let at = *places.entry(id.clone()).or_insert(all.len());
        if at == all.len() {
            all.push(Touched { id, ..Touched::default() });
        }
        let touched = &mut all[at];
        touched.had.extend(change.message.label_ids.iter().flatten().cloned());
        touched.had.extend(change.label_ids.iter().cloned());
        touched.is_unsaid |= !is_new && change.message.label_ids.is_none();
        touched.labels = change.message.label_ids.as_ref().map(|labels| labels.iter().cloned().collect());
        at
    };
    let mut notes: Vec<(usize, bool, Vec<String>)> = Vec::new();
    for record in records {
        for change in &record.messages_added {
            notes.push((touch(change, true), false, Vec::new()));
        }
        for change in &record.labels_removed {
            notes.push((touch(change, false), false, Vec::new()));
        }
        for change in &record.labels_added {
            notes.push((touch(change, false), false, change.label_ids.clone()));
        }
        for change in &record.messages_deleted {
            notes.push((touch(change, false), true, Vec::new()));
        }
    }
    for (at, is_gone, got) in notes {
        all[at].is_gone = is_gone;
        all[at].got.extend(got);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::map::set;
    use super::*;
    use serde_json::{Value, json};

    fn folded(records: Value) -> Vec<Touched> {
        fold(serde_json::from_value(records).unwrap())
    }

    fn labels() -> Labels {
        Labels::of(serde_json::from_value(json!([{"id": "Label_1", "name": "x", "type": "user"}])).unwrap())
    }

    fn left(touched: &Touched) -> Vec<String> {
        let (labels, now) = (labels(), touched.labels.clone().unwrap_or_default());
        let stands = if touched.is_gone { Vec::new() } else { labels.stands(&now) };
        touched.left(&labels, &stands).into_iter().map(|id| id.0).collect()
    }

    #[test]
    fn many_records_of_one_message_are_one_state() {
        let told = folded(json!([
            {"messagesAdded": [{"message": {"id": "a", "labelIds": ["INBOX", "UNREAD"]}}], "messages": [{"id": "zz"}]},
            {"labelsRemoved": [{"message": {"id": "a", "labelIds": ["UNREAD"]}, "labelIds": ["INBOX"]}]},
            {"labelsAdded": [{"message": {"id": "a", "labelIds": ["Label_1"]}, "labelIds": ["Label_1"]}],
             "labelsRemoved": [{"message": {"id": "a", "labelIds": ["Label_1"]}, "labelIds": ["UNREAD"]},
                               {"message": {"id": "b"}, "labelIds": ["INBOX"]}]},
        ]));
        assert_eq!(
            told.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
            ["a", "b"],
            "the general list is ignored"
        );
        assert_eq!(told[0].labels, Some(set(["Label_1"])));
        assert_eq!(left(&told[0]), ["a/INBOX", "a/ARCHIVE"]);
        assert_eq!((&told[1].labels, left(&told[1])), (&None, vec!["b/INBOX".to_owned()]));
    }

    #[test]
    fn what_is_in_the_trash_left_every_other_place() {
        let told = folded(json!([
            {"labelsAdded": [{"message": {"id": "a", "labelIds": ["TRASH", "Label_1"]}, "labelIds": ["TRASH"]}]},
        ]));
        assert_eq!(left(&told[0]), ["a/Label_1", "a/ARCHIVE"]);
        let back = folded(json!([
            {"labelsRemoved": [{"message": {"id": "a", "labelIds": ["Label_1"]}, "labelIds": ["TRASH"]}]},
        ]));
        assert_eq!(left(&back[0]), ["a/TRASH"]);
    }

    #[test]
    fn the_last_word_on_a_message_counts() {
        let told = folded(json!([
            {"labelsAdded": [{"message": {"id": "a", "labelIds": ["STARRED"]}, "labelIds": ["STARRED"]}]},
            {"messagesDeleted": [{"message": {"id": "a", "labelIds": ["STARRED", "TRASH"]}}]},
        ]));
        assert!(told[0].is_gone);
        assert_eq!(left(&told[0]), ["a/TRASH", "a/ARCHIVE"]);
        let draft = folded(json!([{"messagesDeleted": [{"message": {"id": "d", "labelIds": ["DRAFT"]}}]}]));
        assert!(draft[0].is_draft());
    }
}
