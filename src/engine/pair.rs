//! A first meeting: which copy is which item, when neither mark nor UID says so (ENGINE 4).

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use twofold_model::Content;
use twofold_model::card::{display_name, email_identity, phone_identity};
use twofold_model::email::sent_ms;
use twofold_model::event::display_title;
use twofold_model::merge::{Prefer, merge};
use twofold_model::patch::{canonical_text, difference, edits, get_path, set_path, split};

/// How well two contents fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// They are different things.
    None,
    /// The same thing, each knowing something of its own.
    Related,
    /// One says all that the other says.
    Superset,
    /// They say the same.
    Equal,
}

/// How well two contents fit. Two cards: the same name, and an address or number in common (or none to compare on one side).
/// Two events: the same title at the same start.
pub fn fit(a: &Content, b: &Content) -> Fit {
    if a == b {
        return Fit::Equal;
    }
    let (Some(name_a), Some(name_b)) = (name(a), name(b)) else { return Fit::None };
    if name_a != name_b {
        return Fit::None;
    }
    // Two messages may have one Message-ID; what their headers show says whether they are two.
    if shows_other_message(a, b) {
        return Fit::None;
    }
    let (reach_a, reach_b) = (reachable(a), reachable(b));
    if !reach_a.is_empty() && !reach_b.is_empty() && !reach_a.iter().any(|way| reach_b.contains(way)) {
        return Fit::None;
    }
    let adds_only = |from: &Content, to: &Content| {
        difference(from, to).0.keys().all(|path| {
            let keys = split(path);
            get_path(&from.0, &keys).is_none()
        })
    };
    if adds_only(a, b) || adds_only(b, a) { Fit::Superset } else { Fit::Related }
}

/// Whether the headers of two messages say that they are two; never where one of them has not been read. A place that writes a message anew
/// gives its date in another zone, and its sender a name.
pub fn shows_other_message(a: &Content, b: &Content) -> bool {
    let are_read = a.get("blobId").is_some() && b.get("blobId").is_some();
    let are_other = ["messageId", "subject"].iter().any(|member| a.get(member) != b.get(member));
    are_read && (are_other || sender(a) != sender(b) || sent_ms(a) != sent_ms(b))
}

/// The address of whoever sent a message, in small letters.
fn sender(content: &Content) -> Option<String> {
    let address = content.get("from")?.get(0)?.get("email")?.as_str()?.to_lowercase();
    Some(address).filter(|address| !address.is_empty())
}

/// A message is received within this time after it was sent; clocks of senders are often wrong.
const ON_ITS_WAY_MS: i64 = 7 * 24 * 3_600_000;

/// What shows of a message: what its header says, and when it was received, in milliseconds since 1970.
pub type Shown<'a> = (&'a Content, Option<i64>);

/// Whether a message of which a place has shown no bytes is the one whose bytes are `here`: they have one Message-ID, and nothing else
/// that both show is against it. That no other message has that Message-ID, the caller has seen to.
pub fn is_same_message((listed, received_ms): Shown<'_>, (here, kept_ms): Shown<'_>) -> bool {
    let has_id = listed.get("messageId").is_some() && listed.get("messageId") == here.get("messageId");
    let subject = |content: &Content| Some(content.get("subject")?.as_str()?.to_owned());
    let is_draft = |content: &Content| content.at(&["keywords", "$draft"]).is_some();
    let agree = |a: Option<String>, b: Option<String>| a.is_none() || b.is_none() || a == b;
    let is_sent_then = match (sent_ms(listed), sent_ms(here)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    // Nothing was received long after, or before, it was sent; or the file has the very date.
    let is_received_then = match (received_ms, sent_ms(here)) {
        (Some(received), Some(sent)) => {
            (sent - received).abs() <= ON_ITS_WAY_MS || kept_ms.is_some_and(|kept| (kept - received).abs() < 2_000)
        }
        _ => true,
    };
    has_id
        && !is_draft(listed)
        && !is_draft(here)
        && is_sent_then
        && is_received_then
        && agree(sender(listed), sender(here))
        && agree(subject(listed), subject(here))
}

/// Whether two contents of one item say different things of one member, so that uniting them leaves one of the two unsaid.
pub fn clashes(a: &Content, b: &Content) -> bool {
    let nothing = Content::new();
    let (_, found) = merge(&nothing, a, &edits(&nothing, b), |_| Prefer::Ours);
    found.iter().any(|clash| !is_one_value(&split(&clash.path), &clash.ours, &clash.theirs))
}

/// Whether two values of a member say one thing in two spellings, so that at a first meeting neither needs to be changed for
/// the other: an address in other letters, a number with other blanks, a photo that each place keeps in its own format.
pub fn is_one_value(path: &[String], a: &Value, b: &Value) -> bool {
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    match (keys.as_slice(), a, b) {
        // Another program may have kept a message with other line ends; which bytes came first, the provider knows. What the header says
        // goes with them.
        (["media", ..] | ["blobId"] | ["from", ..] | ["sentAt"], a, b) => !a.is_null() && !b.is_null(),
        (["emails", _, "address"], Value::String(a), Value::String(b)) => email_identity(a) == email_identity(b),
        (["phones", _, "number"], Value::String(a), Value::String(b)) => phone_identity(a) == phone_identity(b),
        (_, Value::String(a), Value::String(b)) => a.trim() == b.trim(),
        _ => false,
    }
}

/// What a place agrees to at a first meeting: what it says itself, in the hub's spelling where that is the only difference.
pub fn agreed_at_first(says: &Content, hub: &Content) -> Content {
    let mut agreed = says.clone();
    for (path, value) in difference(says, hub).0 {
        let keys = split(&path);
        if get_path(&says.0, &keys).is_some_and(|own| is_one_value(&keys, own, &value)) {
            set_path(&mut agreed.0, &keys, value);
        }
    }
    agreed
}

fn reachable(content: &Content) -> Vec<String> {
    let texts = |member: &str, field: &str| -> Vec<String> {
        content
            .get(member)
            .and_then(Value::as_object)
            .map(|map| map.values().filter_map(|e| Some(e.get(field)?.as_str()?.to_owned())).collect())
            .unwrap_or_default()
    };
    let mut ways: Vec<String> = texts("emails", "address").iter().map(|a| email_identity(a)).collect();
    ways.extend(texts("phones", "number").iter().map(|n| phone_identity(n)));
    ways
}

/// Items of the hub that wait for their copy at one replica, to be asked "is this one of you?".
#[derive(Debug, Default)]
pub struct Candidates {
    by_name: HashMap<String, Vec<(i64, Content)>>,
    /// Those of them that wait no more.
    have_theirs: HashSet<i64>,
}

/// What people call it: a card's name; an event's title, and when it begins. An occurrence without its series has none.
fn name(content: &Content) -> Option<String> {
    let plain = |text: String| text.trim().to_lowercase();
    if content.get("blobId").is_some() {
        return content.at(&["messageId"]).map(canonical_text);
    }
    match content.get("start").and_then(Value::as_str) {
        Some(start) => Some(format!("{start} {}", display_title(content).map(plain).unwrap_or_default())),
        None if content.get("recurrenceOverrides").is_some() => None,
        None => display_name(content).map(plain),
    }
}

/// Under what an item waits: its name, or all that it says where it has none.
fn called(content: &Content) -> String {
    match name(content) {
        Some(name) => format!("name {name}"),
        None => format!("says {}", canonical_text(&content.to_value())),
    }
}

impl Candidates {
    /// Adds an item that has no copy there yet.
    pub fn add(&mut self, item: i64, content: Content) {
        self.have_theirs.remove(&item);
        self.by_name.entry(called(&content)).or_default().push((item, content));
    }

    /// The one item that fits best, and takes it out; `None` when nothing fits or two fit equally well: two candidates pair
    /// nobody.
    pub fn take(&mut self, content: &Content) -> Option<(i64, Fit)> {
        let list = self.by_name.get_mut(&called(content))?;
        list.retain(|(item, _)| !self.have_theirs.contains(item));
        let fits: Vec<Fit> = list.iter().map(|(_, other)| fit(other, content)).collect();
        let best = fits.iter().copied().max().filter(|best| *best > Fit::None)?;
        // Several that say exactly the same are interchangeable.
        if best < Fit::Equal && fits.iter().filter(|f| **f > Fit::None).count() > 1 {
            return None;
        }
        let at = fits.iter().position(|f| *f == best)?;
        Some((list.remove(at).0, best))
    }

    /// An item has its copy, however that was found, and waits no more.
    pub fn remove(&mut self, item: i64) {
        self.have_theirs.insert(item);
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn card(name: &str, email: &str) -> Content {
        Content::from_value(json!({"name": {"full": name}, "emails": {"k": {"address": email}}}))
    }

    #[test]
    fn the_same_person_pairs_and_a_namesake_does_not() {
        let ada = card("Ada", "ada@x");
        assert_eq!(fit(&ada, &ada.clone()), Fit::Equal);
        assert_eq!(fit(&ada, &card("ada ", "Ada@X")), Fit::Related);
        assert_eq!(fit(&ada, &card("Ada", "other@x")), Fit::None);
        let mut more = ada.clone();
        more.set("notes", json!({"note": {"note": "x"}}));
        assert_eq!(fit(&ada, &more), Fit::Superset);
    }

    #[test]
    fn an_event_pairs_by_title_and_start_and_an_occurrence_alone_by_all_that_it_says() {
        let event = |title: &str, start: &str| Content::from_value(json!({"title": title, "start": start}));
        let lunch = event("Lunch", "2026-03-02T12:00:00");
        let mut more = lunch.clone();
        more.set("description", json!("with Ada"));
        assert_eq!(fit(&lunch, &more), Fit::Superset);
        assert_eq!(fit(&event("lunch ", "2026-03-02T12:00:00"), &more), Fit::Related);
        assert_eq!(fit(&lunch, &event("Lunch", "2026-03-03T12:00:00")), Fit::None, "the same lunch of another day");
        assert_eq!(fit(&lunch, &event("Supper", "2026-03-02T12:00:00")), Fit::None);
        let alone = |title: &str| {
            Content::from_value(json!({"recurrenceOverrides": {"2026-03-02T12:00:00": {"title": title}}}))
        };
        assert_eq!(fit(&alone("Lunch"), &alone("Supper")), Fit::None);
        let mut waiting = Candidates::default();
        waiting.add(1, alone("Lunch"));
        assert_eq!(waiting.take(&alone("Lunch")), Some((1, Fit::Equal)));
    }

    #[test]
    fn a_card_without_a_name_pairs_with_its_like() {
        let nameless = Content::from_value(json!({"notes": {"note": {"note": "gate code 4711"}}}));
        let mut waiting = Candidates::default();
        waiting.add(1, nameless.clone());
        assert_eq!(waiting.take(&Content::from_value(json!({"notes": {"note": {"note": "other"}}}))), None);
        assert_eq!(waiting.take(&nameless), Some((1, Fit::Equal)));
    }

    #[test]
    fn a_message_is_known_by_its_id_unless_something_else_speaks_against_it() {
        const SENT_MS: i64 = 1_772_442_000_000;
        let says = |more: Value| {
            let mut content = Content::from_value(json!({"messageId": ["1@x"]}));
            more.as_object().into_iter().flatten().for_each(|(member, value)| content.set(member, value.clone()));
            content
        };
        let here =
            says(json!({"subject": "Lunch", "from": [{"email": "ada@x"}], "sentAt": "2026-03-02T10:00:00+01:00"}));
        for (what, listed, received_ms, expected) in [
            ("nothing but the id", json!({}), None, true),
            (
                "the same, in other words",
                json!({"subject": "Lunch", "from": [{"email": "Ada@X"}], "sentAt": "2026-03-02T09:00:00Z"}),
                Some(SENT_MS + 60_000),
                true,
            ),
            ("another subject", json!({"subject": "Supper"}), None, false),
            ("another sender", json!({"from": [{"email": "bob@x"}]}), None, false),
            ("sent at another time", json!({"sentAt": "2026-03-02T10:00:00Z"}), None, false),
            ("another id", json!({"messageId": ["2@x"]}), None, false),
            ("a draft", json!({"keywords": {"$draft": true}}), None, false),
            ("no id", json!({"messageId": null, "subject": "Lunch"}), None, false),
            ("received a year later", json!({}), Some(SENT_MS + 365 * 86_400_000), false),
            ("received a year later, as the file says", json!({}), Some(SENT_MS + 400 * 86_400_000), true),
        ] {
            let kept_ms = Some(SENT_MS + 400 * 86_400_000);
            assert_eq!(is_same_message((&says(listed), received_ms), (&here, kept_ms)), expected, "{what}");
        }
        let nameless = Content::from_value(json!({"subject": "Lunch"}));
        assert!(!is_same_message((&nameless, None), (&nameless, None)));
    }

    #[test]
    fn a_message_that_a_place_wrote_anew_is_no_other_one() {
        let says = |blob: &str, name: Option<&str>, sent_at: &str| {
            let from = name.map_or(json!([{"email": "ada@x"}]), |name| json!([{"name": name, "email": "ada@x"}]));
            Content::from_value(
                json!({"blobId": blob, "messageId": ["1@x"], "subject": "Lunch", "from": from, "sentAt": sent_at}),
            )
        };
        let ours = says("a", None, "2026-03-02T10:00:00+01:00");
        let anew = says("b", Some("ada@x"), "2026-03-02T09:00:00Z");
        assert!(!shows_other_message(&ours, &anew) && fit(&ours, &anew) > Fit::None && !clashes(&ours, &anew));
        assert_eq!(agreed_at_first(&anew, &ours), ours);
        assert!(shows_other_message(&ours, &says("b", None, "2026-03-02T10:00:00Z")), "another time");
    }

    #[test]
    fn two_values_of_one_member_clash_and_two_members_do_not() {
        let ada = card("Ada", "ada@x");
        let mut more = card("Ada", "ada@x");
        more.set("notes", json!({"note": {"note": "x"}}));
        assert!(!clashes(&ada, &more));
        assert!(clashes(&ada, &card("Ada King", "ada@x")));
    }

    #[test]
    fn another_spelling_is_no_clash_and_is_agreed_to() {
        let phone =
            |number: &str| Content::from_value(json!({"phones": {"k": {"number": number}}, "kind": "individual"}));
        let (ours, theirs) = (phone("+49 30 1000"), phone("+49301000"));
        assert!(!clashes(&ours, &theirs));
        assert_eq!(agreed_at_first(&theirs, &ours), ours);
        assert!(clashes(&ours, &phone("+49 30 1001")));
        assert_eq!(agreed_at_first(&phone("+49 30 1001"), &ours), phone("+49 30 1001"));
    }

    #[test]
    fn two_candidates_pair_nobody_but_twins_do() {
        let mut waiting = Candidates::default();
        waiting.add(1, Content::from_value(json!({"name": {"full": "Ada"}, "kind": "a"})));
        waiting.add(2, Content::from_value(json!({"name": {"full": "Ada"}, "kind": "b"})));
        assert_eq!(waiting.take(&Content::from_value(json!({"name": {"full": "Ada"}}))), None);
        let mut twins = Candidates::default();
        twins.add(1, card("Ada", "a@x"));
        twins.add(2, card("Ada", "a@x"));
        assert_eq!(twins.take(&card("Ada", "a@x")), Some((1, Fit::Equal)));
        assert_eq!(twins.take(&card("Ada", "a@x")), Some((2, Fit::Equal)));
        assert_eq!(twins.take(&card("Ada", "a@x")), None);
    }
}
