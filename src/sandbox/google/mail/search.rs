//! The search language of `q`, as much as a client of a mailbox uses: words, `rfc822msgid:`, `in:`, `is:`, `label:`,
//! `subject:`, `from:`, `after:`, `before:`, a minus for "not". What else there is is refused, not misread.

use chrono::{NaiveDate, TimeZone};
use chrono_tz::America::Los_Angeles;

use super::errors::not_implemented;
use super::store::{Message, bare};
use crate::State;
use crate::google::errors::Refusal;
use crate::mime::Part;

/// One condition, and whether it must not hold.
#[derive(Debug)]
struct Term {
    operator: String,
    value: String,
    is_negated: bool,
}

/// A search; all of its terms must hold.
#[derive(Debug, Default)]
pub(super) struct Search(Vec<Term>);

impl Search {
    /// Reads the text of `q`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        if text.contains(['{', '}', '(', ')']) || text.split_whitespace().any(|word| word == "OR" || word == "AND") {
            return Err(not_implemented("groups and OR in searches"));
        }
        let mut terms = Vec::new();
        for word in words(text) {
            let (is_negated, word) = match word.strip_prefix('-') {
                Some(rest) => (true, rest.to_owned()),
                None => (false, word),
            };
            let (operator, value) = match word.split_once(':') {
                Some((operator, value)) => (operator.to_lowercase(), value.to_owned()),
                None => (String::new(), word.clone()),
            };
            const KNOWN: [&str; 9] = ["", "rfc822msgid", "in", "is", "label", "subject", "from", "after", "before"];
            if !KNOWN.contains(&operator.as_str()) {
                return Err(not_implemented(&format!("the search operator {operator}:")));
            }
            if matches!(operator.as_str(), "after" | "before") && time_ms(&value).is_none() {
                return Err(not_implemented(&format!("the date {value} in searches")));
            }
            terms.push(Term { operator, value, is_negated });
        }
        Ok(Self(terms))
    }

    /// Whether spam and trash are searched because the text says so.
    pub fn is_anywhere(&self) -> bool {
        let names_place = |term: &Term| term.operator == "in" && matches!(&*term.value, "anywhere" | "trash" | "spam");
        self.0.iter().any(names_place)
    }

    /// Whether a message is found. The index lags behind the mailbox as the switches say.
    pub fn finds(&self, state: &State, message: &Message) -> bool {
        let indexed_ms = message.stored_ms + state.switches.mail_search_lag_s * 1000;
        let is_indexed = self.0.is_empty() || indexed_ms <= state.now_ms();
        is_indexed && self.0.iter().all(|term| holds(state, term, message) != term.is_negated)
    }
}

/// Words parted by spaces; quotes keep some together.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            _ if letter.is_whitespace() && !is_quoted => words.push(String::new()),
            _ => words.last_mut().into_iter().for_each(|word| word.push(letter)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn holds(state: &State, term: &Term, message: &Message) -> bool {
    let value = term.value.to_lowercase();
    let in_header =
        |name: &str| Part::read(&message.raw).header(name).is_some_and(|text| text.to_lowercase().contains(&value));
    match term.operator.as_str() {
        "rfc822msgid" => message.message_id == bare(&term.value),
        "in" if value == "anywhere" => true,
        "in" if value == "drafts" => message.has("DRAFT"),
        "in" => message.has(&value.to_uppercase()),
        "is" if value == "read" => !message.has("UNREAD"),
        "is" => message.has(&value.to_uppercase()),
        "label" => {
            let is_named = |name: &str| name.to_lowercase().replace([' ', '/'], "-") == value.replace([' ', '/'], "-");
            let own = &state.google.mail.labels;
            let mut names =
                message.labels.iter().map(|id| own.get(id).and_then(|label| label["name"].as_str()).unwrap_or(id));
            names.any(is_named)
        }
        "subject" | "from" => in_header(&term.operator),
        "after" | "before" if term.value.parse::<i64>().is_ok() && !state.switches.mail_search_takes_seconds => false,
        "after" => time_ms(&term.value).is_some_and(|ms| message.internal_ms >= ms),
        "before" => time_ms(&term.value).is_some_and(|ms| message.internal_ms < ms),
        _ => message.snippet.to_lowercase().contains(&value) || in_header("subject"),
    }
}

/// Seconds since 1970, or a day, which begins at midnight in California.
fn time_ms(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds * 1000);
    }
    let day = NaiveDate::parse_from_str(&text.replace('-', "/"), "%Y/%m/%d").ok()?;
    let begin = Los_Angeles.from_local_datetime(&day.and_hms_opt(0, 0, 0)?).earliest()?;
    Some(begin.timestamp_millis())
}
