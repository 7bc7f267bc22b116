//! A full listing: the ids of each label, side by side, and the messages that follow from them (pure).
//!
//! Provider: a list tells ids only, 500 for 5 units, while a message costs 20. So labels are not asked of each message: each
//! label's list is. An id is eight bytes here, so that a million messages are a few tens of megabytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use twofold_model::{Error, ErrorKind, Result};

use super::map::{ARCHIVE, CHAT, DRAFT, IMPORTANT, INBOX, Labels, SENT, SPAM, STARRED, TRASH, UNREAD};
use super::wire::MessageList;

/// No list has so many pages: an answer that goes round in circles ends here.
const PAGES_LIMIT: usize = 200_000;

/// A list that begins anew so often is given up.
const MOST_ANEW: usize = 3;

/// One list.
#[derive(Debug)]
struct List {
    /// The label; [`ARCHIVE`]: all messages but spam and trash.
    label: String,
    ids: Vec<u64>,
    /// Where its next page begins.
    page: Option<String>,
    pages: usize,
    /// How often it began anew.
    anew: usize,
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
}

impl Walk {
    /// Nothing read yet. All messages come first, so that one that arrives meanwhile is not taken for archived.
    pub fn new(from: String, labels: Labels) -> Walk {
        let fixed = [ARCHIVE, INBOX, SENT, DRAFT];
        let late = [TRASH, SPAM, UNREAD, STARRED, IMPORTANT, CHAT];
        let names = fixed.into_iter().chain(labels.own()).chain(late);
        let list = |label: &str| List {
            label: label.to_owned(),
            ids: Vec::new(),
            page: None,
            pages: 0,
            anew: 0,
            is_read: false,
        };
        Walk { from, lists: names.map(list).collect(), labels, written: HashMap::new() }
    }

    /// At most so many pages that can be asked for side by side.
    pub fn asks(&self, most: usize) -> Vec<Ask> {
        let open = self.lists.iter().enumerate().filter(|(_, list)| !list.is_read);
        let ask = |(at, list): (usize, &List)| Ask {
            at,
            label: (list.label != ARCHIVE).then(|| list.label.clone()),
            // A message in the trash or among the spam stands nowhere else, but has its flags, and that it is a draft is one.
            with_spam_and_trash: matches!(
                list.label.as_str(),
                TRASH | SPAM | DRAFT | UNREAD | STARRED | IMPORTANT | CHAT
            ),
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
        if list.pages > PAGES_LIMIT {
            return Err(Error::new(ErrorKind::Malformed, "the list does not come to an end"));
        }
        if list.page.is_none() {
            list.is_read = true;
            // Pages are no snapshot: an id may come twice.
            list.ids.sort_unstable();
            list.ids.dedup();
            list.ids.shrink_to_fit();
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
        match list.anew > MOST_ANEW {
            true => Err(Error::new(ErrorKind::Malformed, "the pages of a list cannot be had")),
            false => Ok(()),
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
        for ask in walk.asks(100) {
            let name = ask.label.as_deref().unwrap_or(ARCHIVE);
            let ids = lists.iter().find(|(label, _)| *label == name).map_or(&[][..], |(_, ids)| ids);
            walk.take(&ask, page(ids, None)).unwrap();
        }
        assert!(walk.is_read());
        walk
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
        for ask in walk.asks(100) {
            walk.drop_label(&ask);
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
