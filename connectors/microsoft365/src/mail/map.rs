//! What a message at Graph means: its sheet, and what has to be sent so that it says another one. Pure.
//!
//! | keyword | at Graph |
//! |---|---|
//! | `$seen` | `isRead` |
//! | `$flagged` | `flag.flagStatus` is `flagged`; `complete` is no keyword, and stays |
//! | `$important` | `importance` is `high` |
//! | `$draft` | `isDraft`, which nothing can change; not where a received message is a draft there only because it is large |
//! | `$answered`, `$forwarded` | PidTagLastVerbExecuted and PidTagIconIndex. Outlook tells the last of the two in both; where a message was answered and forwarded, the first tells the one and the second the other |
//! | the user's own | a category ([`super::categories`]) |
//! | other words with a `$` | not held: a category would show them to the user |

use super::attach::Large;
use super::categories::{Names, is_held, keyword_of};
use super::wire::{ICON, LARGE, MARK, Message, PROPERTIES, SIZE, VERB};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use twofold_model::email::{EmailLens, Sheet, keywords};

/// PidTagLastVerbExecuted: answered, answered to all, passed on.
const REPLIED: i64 = 102;
const REPLIED_TO_ALL: i64 = 103;
const FORWARDED: i64 = 104;
/// PidTagIconIndex: a letter that was read, or not; answered; passed on.
const ICON_READ: i64 = 256;
const ICON_UNREAD: i64 = 257;
const ICON_REPLIED: i64 = 261;
const ICON_FORWARDED: i64 = 262;

/// The lens of messages at Graph.
pub const LENS: EmailLens = EmailLens::new(holds);

/// Whether Graph can hold a keyword.
pub fn holds(keyword: &str) -> bool {
    let is_own = [
        keywords::SEEN,
        keywords::FLAGGED,
        keywords::IMPORTANT,
        keywords::DRAFT,
        keywords::ANSWERED,
        keywords::FORWARDED,
    ];
    is_own.contains(&keyword) || is_category(keyword) && is_held(keyword)
}

fn is_category(keyword: &str) -> bool {
    !keyword.starts_with('$')
}

/// The sheet of a message, without its bytes.
pub fn sheet(message: &Message) -> Sheet {
    let number = |id: &str| message.property(id).and_then(|text| text.parse::<i64>().ok());
    let (verb, icon) = (number(VERB), number(ICON));
    let is_draft = message.is("isDraft") && !Large::of(message).is_some_and(|large| large.is_received);
    let mut words = BTreeSet::new();
    for (keyword, is_there) in [
        (keywords::SEEN, message.is("isRead")),
        (keywords::FLAGGED, message.flag_status() == Some("flagged")),
        (keywords::IMPORTANT, message.text("importance") == Some("high")),
        (keywords::DRAFT, is_draft),
        (keywords::ANSWERED, matches!(verb, Some(REPLIED | REPLIED_TO_ALL)) || icon == Some(ICON_REPLIED)),
        (keywords::FORWARDED, verb == Some(FORWARDED) || icon == Some(ICON_FORWARDED)),
    ] {
        if is_there {
            words.insert(keyword.to_owned());
        }
    }
    let categories = message.categories();
    words.extend(categories.iter().filter_map(|name| keyword_of(name)));
    let mut own = Map::new();
    let mut note = |name: &str, value: Value| drop(own.insert(name.to_owned(), value));
    note("id", message.id().into());
    for (name, value) in [("conversationId", message.text("conversationId")), ("changeKey", message.change_key())] {
        if let Some(value) = value {
            note(name, value.into());
        }
    }
    if !categories.is_empty() {
        note("categories", categories.into());
    }
    if let Some(status) = message.flag_status().filter(|status| *status != "notFlagged") {
        note("flagStatus", status.into());
    }
    for (name, value) in [("verb", verb), ("icon", icon)] {
        if let Some(value) = value {
            note(name, value.into());
        }
    }
    // What does not say that it asks for none may ask for one.
    if message.0.get("isReadReceiptRequested") != Some(&Value::Bool(false)) {
        note("asksReceipt", true.into());
    }
    for (name, value) in [("mark", message.property(MARK)), ("large", message.property(LARGE))] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            note(name, value.into());
        }
    }
    // The one word of the header that lists show.
    let id = message.text("internetMessageId").map(|id| id.trim().trim_matches(['<', '>'])).filter(|id| !id.is_empty());
    Sheet {
        says: id.map(|id| ("messageId".to_owned(), json!([id]))).into_iter().collect(),
        received_ms: message.time_ms("receivedDateTime"),
        size: number(SIZE).and_then(|size| u64::try_from(size).ok()),
        draft: is_draft.then(|| message.change_key().unwrap_or_default().to_owned()),
        keywords: words,
        own,
        ..Sheet::default()
    }
}

/// Whether reading a message may send a receipt to whoever asked for one.
pub fn asks_receipt(sheet: &Sheet) -> bool {
    !sheet.has(keywords::SEEN) && sheet.own.contains_key("asksReceipt")
}

/// The body of the PATCH that makes a message say `to` where it says `from`: only what differs. `None`: nothing does.
pub fn changes(from: &Sheet, to: &Sheet, names: &Names) -> Option<Value> {
    let differs = |keyword: &str| from.has(keyword) != to.has(keyword);
    let mut body = Map::new();
    if differs(keywords::SEEN) {
        body.insert("isRead".to_owned(), to.has(keywords::SEEN).into());
    }
    if differs(keywords::FLAGGED) {
        let status = if to.has(keywords::FLAGGED) { "flagged" } else { "notFlagged" };
        body.insert("flag".to_owned(), json!({"flagStatus": status}));
    }
    if differs(keywords::IMPORTANT) {
        let importance = if to.has(keywords::IMPORTANT) { "high" } else { "normal" };
        body.insert("importance".to_owned(), importance.into());
    }
    if differs(keywords::ANSWERED) || differs(keywords::FORWARDED) {
        body.insert(PROPERTIES.to_owned(), verb_properties(to, from.own.get("verb").and_then(Value::as_i64)));
    }
    if let Some(list) = categories(from, to, names) {
        body.insert("categories".to_owned(), list.into());
    }
    (!body.is_empty()).then_some(Value::Object(body))
}

/// The two properties that tell what was done with a message.
pub fn verb_properties(sheet: &Sheet, was: Option<i64>) -> Value {
    let reply = was.filter(|verb| *verb == REPLIED_TO_ALL).unwrap_or(REPLIED);
    let (verb, icon) = match (sheet.has(keywords::ANSWERED), sheet.has(keywords::FORWARDED)) {
        (true, false) => (reply, ICON_REPLIED),
        (false, true) => (FORWARDED, ICON_FORWARDED),
        (true, true) => (reply, ICON_FORWARDED),
        (false, false) if sheet.has(keywords::SEEN) => (0, ICON_READ),
        (false, false) => (0, ICON_UNREAD),
    };
    json!([{"id": VERB, "value": verb.to_string()}, {"id": ICON, "value": icon.to_string()}])
}

/// The categories to be written, where they differ. Those that are there keep their names and their order; those of which nobody knows
/// a keyword stay.
fn categories(from: &Sheet, to: &Sheet, known: &Names) -> Option<Vec<String>> {
    let words = |sheet: &Sheet| -> BTreeSet<String> {
        sheet.keywords.iter().filter(|keyword| is_category(keyword)).cloned().collect()
    };
    let (was, wanted) = (words(from), words(to));
    if was == wanted {
        return None;
    }
    let there = from.own.get("categories").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let stays = |name: &&str| keyword_of(name).is_none_or(|keyword| wanted.contains(&keyword));
    let mut names: Vec<String> = there.filter(stays).map(str::to_owned).collect();
    let named: BTreeSet<String> = names.iter().filter_map(|name| keyword_of(name)).collect();
    names.extend(new_categories(wanted.difference(&named), known));
    Some(names)
}

/// The names of the categories that these keywords become.
pub fn new_categories<'a>(words: impl IntoIterator<Item = &'a String>, names: &Names) -> Vec<String> {
    words.into_iter().filter(|keyword| is_category(keyword)).filter_map(|keyword| names.of(keyword)).collect()
}

/// Fills in what the answer to a write does not show: the extended properties that were sent, else those that were there.
pub fn complete(answer: &mut Message, own: &Map<String, Value>, sent: &Value) {
    let was = |name: &str| match own.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let sent_property = |id: &str| {
        let list = sent.get(PROPERTIES).and_then(Value::as_array).into_iter().flatten();
        let mut own = list.filter(|property| property["id"] == *id);
        own.next()?["value"].as_str().map(str::to_owned)
    };
    for (id, name) in [(VERB, "verb"), (ICON, "icon"), (MARK, "mark"), (LARGE, "large")] {
        if let (None, Some(value)) = (answer.property(id), sent_property(id).or_else(|| was(name))) {
            answer.set_property(id, &value);
        }
    }
}

/// Whether somebody changed a keyword that was not to be changed.
pub fn is_edited(from: &Sheet, to: &Sheet, now: &Sheet) -> bool {
    let words = from.keywords.union(&now.keywords);
    let mut untouched = words.filter(|keyword| from.has(keyword) == to.has(keyword));
    untouched.any(|keyword| from.has(keyword) != now.has(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(extra: Value) -> Message {
        let mut value = json!({"id": "1", "changeKey": "k", "conversationId": "c", "receivedDateTime": "2026-03-02T08:00:00Z",
            "isRead": false, "isDraft": false, "isReadReceiptRequested": false, "importance": "normal",
            "flag": {"flagStatus": "notFlagged"}, "categories": []});
        for (name, member) in extra.as_object().unwrap() {
            value[name] = member.clone();
        }
        Message::from_value(value).unwrap()
    }

    fn with_verb(verb: &str, icon: &str) -> Value {
        json!({PROPERTIES: [{"id": VERB, "value": verb}, {"id": ICON, "value": icon}]})
    }

    fn words(message: &Message) -> Vec<String> {
        sheet(message).keywords.into_iter().collect()
    }

    #[test]
    fn each_field_is_its_keyword() {
        for (extra, expected) in [
            (json!({}), &[][..]),
            (json!({"isRead": true}), &["$seen"]),
            (json!({"flag": {"flagStatus": "flagged"}}), &["$flagged"]),
            (json!({"flag": {"flagStatus": "complete"}}), &[]),
            (json!({"importance": "high"}), &["$important"]),
            (json!({"importance": "low"}), &[]),
            (json!({"isDraft": true}), &["$draft"]),
            (json!({"categories": ["Work", "Blue category"]}), &["blue_category", "work"]),
            (with_verb("102", "261"), &["$answered"]),
            (with_verb("103", "261"), &["$answered"]),
            (with_verb("104", "262"), &["$forwarded"]),
            (with_verb("102", "262"), &["$answered", "$forwarded"]),
            (with_verb("0", "256"), &[]),
        ] {
            assert_eq!(words(&message(extra.clone())), expected, "{extra}");
        }
    }

    #[test]
    fn a_sheet_holds_the_dates_the_state_of_a_draft_and_the_real_names_of_categories() {
        let of = sheet(&message(json!({"isDraft": true, "categories": ["Work"], "isReadReceiptRequested": true})));
        assert_eq!((of.received_ms, of.draft.as_deref()), (Some(1_772_438_400_000), Some("k")));
        assert_eq!(of.blob_id, None);
        let own =
            json!({"id": "1", "conversationId": "c", "changeKey": "k", "categories": ["Work"], "asksReceipt": true});
        assert_eq!(Value::Object(of.own), own);
        assert_eq!(sheet(&message(json!({}))).draft, None);
    }

    #[test]
    fn only_what_differs_is_sent() {
        let from = sheet(&message(json!({"categories": ["Work", "Über, all"], "flag": {"flagStatus": "flagged"}})));
        let changed = |add: &[&str], remove: &[&str]| {
            let mut to = from.clone();
            to.keywords.extend(add.iter().map(|word| (*word).to_owned()));
            to.keywords.retain(|word| !remove.contains(&word.as_str()));
            changes(&from, &to, &Names::default())
        };
        let verbs = |verb: &str, icon: &str| Some(with_verb(verb, icon));
        for (add, remove, body) in [
            (&[][..], &[][..], None),
            (&["$seen"], &[], Some(json!({"isRead": true}))),
            (&[], &["$flagged"], Some(json!({"flag": {"flagStatus": "notFlagged"}}))),
            (&["$important"], &[], Some(json!({"importance": "high"}))),
            (&["$answered"], &[], verbs("102", "261")),
            (&["$forwarded"], &[], verbs("104", "262")),
            (&["$answered", "$forwarded"], &[], verbs("102", "262")),
            (&["to_do"], &[], Some(json!({"categories": ["Work", "Über, all", "to do"]}))),
            (&[], &["work"], Some(json!({"categories": ["Über, all"]}))),
            (&["$mdnsent"], &[], None),
        ] {
            assert_eq!(changed(add, remove), body, "+{add:?} -{remove:?}");
        }
    }

    #[test]
    fn a_sheet_that_knows_no_names_loses_no_category() {
        let mut from = Sheet { keywords: ["work".to_owned()].into(), ..Sheet::default() };
        let mut to = from.clone();
        to.keywords.insert("late".to_owned());
        assert_eq!(changes(&from, &to, &Names::default()), Some(json!({"categories": ["late", "work"]})));
        from.own.insert("categories".to_owned(), json!(["Work", "WORK"]));
        assert_eq!(changes(&from, &to, &Names::default()), Some(json!({"categories": ["Work", "WORK", "late"]})));
    }

    #[test]
    fn the_last_category_is_taken_away_by_an_empty_list_and_a_reply_to_all_stays_one() {
        let from = sheet(&message(json!({"categories": ["Work"]})));
        assert_eq!(changes(&from, &sheet(&message(json!({}))), &Names::default()), Some(json!({"categories": []})));
        let from = sheet(&message(with_verb("103", "261")));
        let mut to = from.clone();
        to.keywords.insert("$forwarded".to_owned());
        assert_eq!(changes(&from, &to, &Names::default()), Some(with_verb("103", "262")));
        assert_eq!(
            changes(&from, &sheet(&message(json!({"isRead": true}))), &Names::default()).unwrap()[PROPERTIES],
            with_verb("0", "256")[PROPERTIES]
        );
    }

    #[test]
    fn what_was_written_is_read_back_also_from_an_answer_that_shows_no_properties() {
        let from = sheet(&message(json!({"categories": ["Work"], PROPERTIES: [{"id": MARK, "value": "h:i:1"}]})));
        let mut to = from.clone();
        to.keywords.extend(["$answered", "$forwarded", "$seen", "late"].map(str::to_owned));
        to.keywords.remove("work");
        let body = changes(&from, &to, &Names::default()).unwrap();
        let mut answer = message(json!({"isRead": true, "categories": body["categories"]}));
        complete(&mut answer, &from.own, &body);
        let now = sheet(&answer);
        assert_eq!(now.keywords, to.keywords);
        assert_eq!(now.own["mark"], "h:i:1");
        assert!(!is_edited(&from, &to, &now));
        let theirs = Sheet { keywords: ["$flagged".to_owned()].into(), ..now };
        assert!(is_edited(&from, &to, &theirs));
    }

    #[test]
    fn words_of_the_registry_that_graph_has_no_field_for_are_not_held() {
        for word in ["$seen", "$flagged", "$answered", "$forwarded", "$draft", "$important", "work", "blue_category"] {
            assert!(holds(word), "{word}");
        }
        for word in ["$junk", "$notjunk", "$phishing", "$mdnsent", "$label1", "a=b"] {
            assert!(!holds(word), "{word}");
        }
    }

    #[test]
    fn reading_is_safe_only_where_it_is_known_that_nobody_asked_for_a_receipt() {
        assert!(!asks_receipt(&sheet(&message(json!({})))));
        assert!(asks_receipt(&sheet(&message(json!({"isReadReceiptRequested": true})))));
        assert!(asks_receipt(&sheet(&message(json!({"isReadReceiptRequested": null})))));
        assert!(!asks_receipt(&sheet(&message(json!({"isReadReceiptRequested": true, "isRead": true})))));
    }
}
