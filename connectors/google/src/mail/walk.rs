//! A full listing: the ids of each label, side by side, and the messages that follow from them (pure).
//!
//! Provider: a list tells ids only, 500 for 5 units, while a message costs 20. So labels are not asked of each message: each
//! label's list is. An id is eight bytes here, so that a million messages are a few tens of megabytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use twofold_model::{Error, ErrorKind, Result};

use super::map::{ARCHIVE, CHAT, DRAFT, IMPORTANT, INBOX, Labels, SENT, SPAM, STARRED, TRASH, UNREAD};
use super::wire::{Change, MessageList, Record};

/// No list has so many pages: an answer that goes round in circles ends here.
const PAGES_LIMIT: usize = 200_000;

/// A list that begins anew so often is given up.
const MOST_ANEW: usize = 3;
/// So often a list is read again because messages left it while it was read. Then it counts as it is, and a full check mends it.
const MOST_AGAIN: usize = 3;

/// One list.
#[derive(Debug)]
struct List {
    /// The label; [`ARCHIVE`]: all messages but spam and trash.
    label: String,
    ids: Vec<u64>,
    /// Where its next page begins.
    page: Option<String>,
    pages: usize,
    /// Where its pages began: none begins twice.
    links: HashSet<String>,
    /// How often it began anew.
    anew: usize,
    /// How often it was read again.
    again: usize,
    is_read: bool,
}

/// What a walk asks for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Whose page it is.
    at: usize,
    /// The label; none: all messages but spam and trash.
    pub label: Option<String>,
    /// What a filter hides unless it is asked for.
    pub with_spam_and_trash: bool,
    /// Where the page begins.
    pub page: Option<String>,
}

/// All lists of one full listing.
#[derive(Debug)]
pub struct Walk {
    /// The change of the mailbox that was the latest when it began.
    pub from: String,
    /// The labels when it began.
    pub labels: Labels,
    lists: Vec<List>,
    /// The ids that are written in another way than the shortest: with zeros before them, or in capitals. No two are one number.
    written: HashMap<u64, String>,
    /// The change of the mailbox up to which it is known what left its lists.
    checked: String,
    /// A list of several pages was read since: what left one of them in between moved another message to a page that was read already.
    is_unchecked: bool,
}

impl Walk {
    /// Nothing read yet.
    pub fn new(from: String, labels: Labels) -> Walk {
        let fixed = [ARCHIVE, INBOX, SENT, DRAFT];
        let late = [TRASH, SPAM, UNREAD, STARRED, IMPORTANT, CHAT];
        let names = fixed.into_iter().chain(labels.own()).chain(late);
        let list = |label: &str| List {
            label: label.to_owned(),
            ids: Vec::new(),
            page: None,
            pages: 0,
            links: HashSet::new(),
            anew: 0,
            again: 0,
            is_read: false,
        };
        let lists = names.map(list).collect();
        Walk { checked: from.clone(), from, lists, labels, written: HashMap::new(), is_unchecked: false }
    }

    /// At most so many pages that can be asked for side by side. The newest of all messages come first, by themselves, so that what arrives
    /// afterwards is not taken for archived.
    pub fn asks(&self, most: usize) -> Vec<Ask> {
        let most = if self.lists[0].pages == 0 && !self.lists[0].is_read { 1 } else { most };
        let open = self.lists.iter().enumerate().filter(|(_, list)| !list.is_read);
        let ask = |(at, list): (usize, &List)| Ask {
            at,
            label: (list.label != ARCHIVE).then(|| list.label.clone()),
            with_spam_and_trash: has_spam_and_trash(&list.label),
            page: list.page.clone(),
        };
        open.take(most).map(ask).collect()
    }

    /// Whether everything is read.
    pub fn is_read(&self) -> bool {
        self.lists.iter().all(|list| list.is_read)
    }

    /// Takes in a page. What is not the page that is due (it was taken in before) is passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for ids that are none, and for a list without an end.
    pub fn take(&mut self, ask: &Ask, answer: MessageList) -> Result<()> {
        let Some(list) = self.lists.get_mut(ask.at).filter(|list| !list.is_read && list.page == ask.page) else {
            return Ok(());
        };
        for row in &answer.messages {
            let id = number(&row.id)?;
            list.ids.push(id);
            if shortest(id) != row.id {
                self.written.insert(id, row.id.clone());
            }
        }
        list.pages += 1;
        list.page = answer.next_page_token;
        let is_circle = list.page.clone().is_some_and(|page| !list.links.insert(page));
        if is_circle || list.pages > PAGES_LIMIT {
            return Err(Error::new(ErrorKind::Malformed, "the list does not come to an end"));
        }
        if list.page.is_none() {
            list.is_read = true;
            self.is_unchecked |= list.pages > 1;
            // Pages are no snapshot: an id may come twice.
            list.ids.sort_unstable();
            list.ids.dedup();
            list.ids.shrink_to_fit();
            list.links = HashSet::new();
        }
        Ok(())
    }

    /// The label of a page is no more: nothing stands in it.
    pub fn drop_label(&mut self, ask: &Ask) {
        if let Some(list) = self.lists.get_mut(ask.at) {
            list.ids = Vec::new();
            list.is_read = true;
        }
    }

    /// The page cannot be had any more: its list begins anew.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] for a list that does so again and again.
    pub fn read_anew(&mut self, ask: &Ask) -> Result<()> {
        let Some(list) = self.lists.get_mut(ask.at).filter(|list| !list.is_read && list.page == ask.page) else {
            return Ok(());
        };
        (list.page, list.anew) = (None, list.anew + 1);
        list.links.clear();
        match list.anew > MOST_ANEW {
            true => Err(Error::new(ErrorKind::Malformed, "the pages of a list cannot be had")),
            false => Ok(()),
        }
    }

    /// The change since which it has to be asked what left the lists; `None`: nothing, or not yet.
    pub fn unchecked_since(&self) -> Option<&str> {
        (self.is_unchecked && self.is_read()).then_some(&*self.checked)
    }

    /// What happened while the lists were read, up to a change. Lists of several pages that a message left are read again: pages are no
    /// snapshot, and what stood behind it moved up, at times from a page that was to come to one that had been read.
    pub fn check(&mut self, records: &[Record], latest: Option<String>) {
        self.checked = latest.unwrap_or_else(|| self.checked.clone());
        self.is_unchecked = false;
        for list in &mut self.lists {
            let is_torn = list.pages > 1 && records.iter().any(|record| is_left(&list.label, record));
            if is_torn && list.again < MOST_AGAIN {
                list.ids = Vec::new();
                (list.pages, list.again, list.is_read) = (0, list.again + 1, false);
            }
        }
    }

    /// The next messages below an id, greatest first, which is about newest first: each with its labels, as far as they were asked for.
    /// A message that is in none of the lists of places is left out: it is new, and the history tells of it.
    pub fn next(&self, below: Option<u64>, most: usize) -> (Vec<(u64, BTreeSet<String>)>, Option<u64>) {
        let mut found: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        for list in &self.lists {
            let end = below.map_or(list.ids.len(), |below| list.ids.partition_point(|id| *id < below));
            for id in &list.ids[end.saturating_sub(most)..end] {
                found.entry(*id).or_default().insert(list.label.clone());
            }
        }
        let least = found.keys().rev().nth(found.len().min(most).saturating_sub(1)).copied();
        let is_more = found.len() > most
            || least.is_some_and(|least| {
                self.lists.iter().any(|list| list.ids.first() < Some(&least) && !list.ids.is_empty())
            });
        let told = found.into_iter().rev().take(most).filter_map(|(id, mut labels)| {
            let is_placed = labels.iter().any(|label| self.labels.is_place(label));
            labels.remove(ARCHIVE);
            is_placed.then_some((id, labels))
        });
        (told.collect(), least.filter(|_| is_more))
    }

    /// The id of that number, as its lists wrote it.
    pub fn name(&self, id: u64) -> String {
        self.written.get(&id).cloned().unwrap_or_else(|| shortest(id))
    }
}

/// A message in the trash or among the spam stands nowhere else, but has its flags, and that it is a draft is one.
fn has_spam_and_trash(label: &str) -> bool {
    matches!(label, TRASH | SPAM | DRAFT | UNREAD | STARRED | IMPORTANT | CHAT)
}

/// Whether a message left a label's list. Of one whose labels are not said, it may have.
fn is_left(label: &str, record: &Record) -> bool {
    let stood = |change: &Change| {
        label == ARCHIVE || change.message.label_ids.as_ref().is_none_or(|has| has.iter().any(|one| one == label))
    };
    let hides = |change: &Change| change.label_ids.iter().any(|got| [TRASH, SPAM].contains(&got.as_str()));
    record.labels_removed.iter().any(|change| change.label_ids.iter().any(|lost| lost == label))
        || record.messages_deleted.iter().any(stood)
        || !has_spam_and_trash(label) && record.labels_added.iter().any(|change| hides(change) && stood(change))
}

/// An id as a number.
///
/// # Errors
/// [`ErrorKind::Malformed`] for what is no hexadecimal number of eight bytes.
pub fn number(id: &str) -> Result<u64> {
    let number = u64::from_str_radix(id, 16).ok().filter(|_| id.bytes().all(|digit| digit.is_ascii_hexdigit()));
    number.ok_or_else(|| Error::new(ErrorKind::Malformed, "the id of a message is not a number in hexadecimal digits"))
}

/// How an id of that number is written, as a rule.
fn shortest(id: u64) -> String {
    format!("{id:x}")
}

#[cfg(test)]
mod tests {
    use super::super::map::set;
    use super::*;
    use serde_json::json;

    fn page(ids: &[&str], next: Option<&str>) -> MessageList {
        let rows: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
        serde_json::from_value(json!({"messages": rows, "nextPageToken": next})).unwrap()
    }

    fn labels() -> Labels {
        Labels::of(serde_json::from_value(json!([{"id": "Label_1", "name": "x", "type": "user"}])).unwrap())
    }

    fn walked(lists: &[(&str, &[&str])]) -> Walk {
        let mut walk = Walk::new("7".into(), labels());
        read_on(&mut walk, lists);
        assert!(walk.is_read() && walk.unchecked_since().is_none(), "of one page each, no list can have shifted");
        walk
    }

    /// Reads what is open: of each list one page.
    fn read_on(walk: &mut Walk, lists: &[(&str, &[&str])]) {
        while !walk.is_read() {
            for ask in walk.asks(100) {
                let name = ask.label.as_deref().unwrap_or(ARCHIVE);
                let ids = lists.iter().find(|(label, _)| *label == name).map_or(&[][..], |(_, ids)| ids);
                walk.take(&ask, page(ids, None)).unwrap();
            }
        }
    }

    fn records(records: serde_json::Value) -> Vec<Record> {
        serde_json::from_value(records).unwrap()
    }

    #[test]
    fn all_messages_come_before_the_labels() {
        let mut walk = Walk::new("7".into(), labels());
        let asks = walk.asks(4);
        assert_eq!(asks.iter().map(|ask| ask.label.as_deref()).collect::<Vec<_>>(), [None]);
        walk.take(&asks[0], page(&["2"], Some("p"))).unwrap();
        assert_eq!(walk.asks(4).len(), 4, "all that follows goes side by side");
    }

    #[test]
    fn a_list_that_goes_round_in_circles_is_an_error_at_once_and_one_that_is_read_anew_is_none() {
        let mut walk = Walk::new("7".into(), labels());
        for next in ["p", "q"] {
            let ask = walk.asks(1).remove(0);
            walk.take(&ask, page(&["2"], Some(next))).unwrap();
        }
        let ask = walk.asks(1).remove(0);
        walk.read_anew(&ask).unwrap();
        for next in ["p", "q"] {
            let ask = walk.asks(1).remove(0);
            walk.take(&ask, page(&["2"], Some(next))).unwrap();
        }
        let ask = walk.asks(1).remove(0);
        assert_eq!(walk.take(&ask, page(&["2"], Some("p"))).unwrap_err().kind, ErrorKind::Malformed);
    }

    #[test]
    fn lists_of_several_pages_that_something_left_are_read_again() {
        // b is read while the second page is on its way: a moves up to the first page, which was read before.
        let mut walk = Walk::new("7".into(), labels());
        let all: &[&str] = &["c", "b", "a"];
        let unread = |walk: &Walk| walk.asks(100).into_iter().find(|ask| ask.label.as_deref() == Some(UNREAD)).unwrap();
        let first = walk.asks(1).remove(0);
        walk.take(&first, page(all, None)).unwrap();
        let ask = unread(&walk);
        walk.take(&ask, page(&["c", "b"], Some("p"))).unwrap();
        let ask = unread(&walk);
        walk.take(&ask, page(&[], None)).unwrap();
        read_on(&mut walk, &[(INBOX, &["c"])]);
        assert_eq!(walk.unchecked_since(), Some("7"));
        walk.check(
            &records(json!([{"labelsRemoved": [{"message": {"id": "b", "labelIds": []}, "labelIds": ["UNREAD"]}]}])),
            Some("9".into()),
        );
        let again: Vec<_> = walk.asks(100).into_iter().map(|ask| ask.label).collect();
        assert_eq!(again, [Some(UNREAD.to_owned())], "one page cannot shift, and nothing left another list");
        let ask = unread(&walk);
        walk.take(&ask, page(&["c"], Some("p"))).unwrap();
        let ask = unread(&walk);
        walk.take(&ask, page(&["a"], None)).unwrap();
        assert_eq!(walk.unchecked_since(), Some("9"), "it may have shifted once more");
        walk.check(&records(json!([{"labelsAdded": [{"message": {"id": "c"}, "labelIds": ["STARRED"]}]}])), None);
        assert!(walk.is_read() && walk.unchecked_since().is_none());
        assert_eq!(walk.next(None, 9).0, [(0xc, set(["INBOX", "UNREAD"])), (0xb, set([])), (0xa, set(["UNREAD"]))]);
    }

    #[test]
    fn a_list_that_shifts_without_end_is_taken_as_it_is() {
        let mut walk = Walk::new("7".into(), labels());
        let gone = records(json!([{"messagesDeleted": [{"message": {"id": "b"}}]}]));
        for _ in 0..=MOST_AGAIN {
            let ask = walk.asks(1).remove(0);
            walk.take(&ask, page(&["c"], Some("p"))).unwrap();
            read_on(&mut walk, &[(ARCHIVE, &["a"])]);
            assert_eq!(walk.unchecked_since(), Some("7"));
            walk.check(&gone, None);
        }
        assert!(walk.is_read() && walk.unchecked_since().is_none());
    }

    #[test]
    fn a_record_tells_which_lists_a_message_left() {
        let left = |record: serde_json::Value| -> Vec<&str> {
            let record = records(json!([record])).remove(0);
            [ARCHIVE, INBOX, "Label_1", UNREAD, TRASH].into_iter().filter(|label| is_left(label, &record)).collect()
        };
        let message = json!({"id": "a", "labelIds": ["TRASH", "Label_1", "UNREAD"]});
        assert_eq!(left(json!({"labelsAdded": [{"message": message, "labelIds": ["TRASH"]}]})), [ARCHIVE, "Label_1"]);
        assert_eq!(
            left(json!({"labelsAdded": [{"message": {"id": "a"}, "labelIds": ["SPAM"]}]})),
            [ARCHIVE, INBOX, "Label_1"]
        );
        assert_eq!(left(json!({"labelsAdded": [{"message": message, "labelIds": ["Label_1"]}]})), [""; 0]);
        assert_eq!(left(json!({"labelsRemoved": [{"message": message, "labelIds": ["INBOX"]}]})), [INBOX]);
        assert_eq!(left(json!({"messagesDeleted": [{"message": message}]})), [ARCHIVE, "Label_1", UNREAD, TRASH]);
        assert_eq!(left(json!({"messagesAdded": [{"message": message}]})), [""; 0]);
    }

    #[test]
    fn labels_of_messages_follow_from_the_lists() {
        let walk = walked(&[
            (ARCHIVE, &["d", "c", "b", "a"]),
            (INBOX, &["c", "b"]),
            ("Label_1", &["b", "9"]),
            (UNREAD, &["c", "9", "e"]),
            (TRASH, &["9"]),
        ]);
        let (told, more) = walk.next(None, 3);
        assert_eq!(told, [(0xd, set([])), (0xc, set(["INBOX", "UNREAD"]))], "what only a flag's list has is new");
        assert_eq!(more, Some(0xc));
        let (told, more) = walk.next(more, 100);
        assert_eq!(told, [(0xb, set(["INBOX", "Label_1"])), (0xa, set([])), (9, set(["Label_1", "TRASH", "UNREAD"]))]);
        assert_eq!(more, None);
    }

    #[test]
    fn pages_of_any_size_tell_every_message_once() {
        let ids: Vec<String> = (1..=100u64).map(shortest).collect();
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let some: Vec<&str> = all.iter().copied().step_by(3).collect();
        let walk = walked(&[(ARCHIVE, &all), (INBOX, &some)]);
        for size in [1, 7, 99, 100, 101] {
            let (mut told, mut below) = (Vec::new(), None);
            loop {
                let (page, next) = walk.next(below, size);
                told.extend(page.into_iter().map(|(id, _)| id));
                below = next;
                if next.is_none() {
                    break;
                }
            }
            assert_eq!(told, (1..=100).rev().collect::<Vec<u64>>(), "{size}");
        }
    }

    #[test]
    fn an_id_takes_eight_bytes() {
        let ids: Vec<String> = (1..=2_000u64).map(shortest).collect();
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let walk = walked(&[(ARCHIVE, &all), (INBOX, &all)]);
        let room: usize = walk.lists.iter().map(|list| list.ids.capacity()).sum();
        assert!(room <= 2 * 2_000 + 64, "room for {room} ids");
        assert_eq!(size_of_val(&walk.lists[0].ids[0]), 8);
    }

    #[test]
    fn a_page_that_comes_twice_is_taken_once_and_labels_may_go() {
        let mut walk = Walk::new("7".into(), labels());
        let ask = walk.asks(1).remove(0);
        assert_eq!((ask.label.as_deref(), ask.with_spam_and_trash), (None, false));
        walk.take(&ask, page(&["2", "2"], Some("p"))).unwrap();
        walk.take(&ask, page(&["1"], None)).unwrap();
        let next = walk.asks(1).remove(0);
        assert_eq!(next.page.as_deref(), Some("p"));
        walk.take(&next, page(&["2"], None)).unwrap();
        while let [ask, ..] = &walk.asks(1)[..] {
            walk.drop_label(ask);
        }
        assert_eq!(walk.next(None, 10), (vec![(2, set([]))], None));
        let mut walk = Walk::new("7".into(), labels());
        for again in 0..=MOST_ANEW {
            walk.take(&walk.asks(1).remove(0), page(&["2"], Some("old"))).unwrap();
            let ask = walk.asks(1).remove(0);
            assert_eq!(walk.read_anew(&ask).is_err(), again == MOST_ANEW);
            assert_eq!(walk.asks(1)[0].page, None);
        }
        assert!(number("x1").is_err() && number("+1").is_err() && number("").is_err());
    }

    #[test]
    fn an_id_is_told_as_its_lists_write_it() {
        let walk = walked(&[
            (ARCHIVE, &["000000000000000b", "000000000000000a", "1A", "9"]),
            (INBOX, &["000000000000000a", "1A"]),
        ]);
        let (told, more) = walk.next(None, 2);
        let names: Vec<String> = told.iter().map(|(id, _)| walk.name(*id)).collect();
        assert_eq!(names, ["1A", "000000000000000b"]);
        let below = number(&walk.name(more.unwrap())).unwrap();
        let names: Vec<String> = walk.next(Some(below), 9).0.iter().map(|(id, _)| walk.name(*id)).collect();
        assert_eq!(names, ["000000000000000a", "9"]);
    }
}
