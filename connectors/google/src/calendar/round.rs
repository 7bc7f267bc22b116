//! What our delta token and our page links hold. Both are compact JSON of our own, opaque to everybody else.
//!
//! Master and exceptions of a series may stand on different pages. They are held in the link until the round's last page, so that a
//! series leaves the room in one piece.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use twofold_model::{DeltaToken, Error, ErrorKind, Result};

use super::wire::Object;

/// The form of both texts, and the parameters of the listing: a token made with others is worth nothing.
const FORM: u32 = 1;

/// What is kept between two rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    v: u32,
    sync: String,
}

impl Token {
    /// As the engine keeps it. Without a token of Google's, the next round lists in full.
    pub(super) fn write(sync: Option<String>) -> DeltaToken {
        DeltaToken(as_json(&Token { v: FORM, sync: sync.unwrap_or_default() }))
    }

    /// Google's token of one that is still good; anything else asks for a full listing.
    ///
    /// # Errors
    /// [`ErrorKind::TokenExpired`].
    pub(super) fn read(token: &DeltaToken) -> Result<String> {
        let read = serde_json::from_str::<Token>(token.as_str()).ok();
        let read = read.filter(|token| token.v == FORM && !token.sync.is_empty());
        read.map(|token| token.sync).ok_or_else(|| expired("the stored sync token is of another form or empty"))
    }
}

/// What a round told of one series so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    /// Its master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) event: Option<Object>,
    /// Its exceptions, by their ids.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub(super) rows: Object,
    /// It was deleted.
    #[serde(default)]
    pub(super) is_gone: bool,
}

/// Where a round stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Round {
    v: u32,
    /// The sync token that it started from; none of a full listing.
    pub(super) since: Option<String>,
    /// Google's page token.
    pub(super) page: Option<String>,
    /// Series that were told of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) held: BTreeMap<String, Held>,
}

impl Round {
    /// The first page.
    pub(super) fn new(since: Option<String>) -> Self {
        Self { v: FORM, since, page: None, held: BTreeMap::new() }
    }

    /// As a page link.
    pub(super) fn write(&self) -> String {
        as_json(self)
    }

    /// Reads a page link of ours.
    ///
    /// # Errors
    /// [`ErrorKind::TokenExpired`].
    pub(super) fn read(link: &str) -> Result<Round> {
        let read = serde_json::from_str::<Round>(link).ok();
        read.filter(|round| round.v == FORM).ok_or_else(|| expired("the page link is of another form"))
    }

    /// Holds a master.
    pub(super) fn hold_master(&mut self, id: &str, event: Object) {
        let held = self.held.entry(id.to_owned()).or_default();
        held.event = Some(event);
        held.is_gone = false;
    }

    /// Holds an exception.
    pub(super) fn hold_row(&mut self, series: &str, id: &str, row: Object) {
        self.held.entry(series.to_owned()).or_default().rows.insert(id.to_owned(), Value::Object(row));
    }

    /// A tombstone. What was told of its exceptions goes with it.
    pub(super) fn bury(&mut self, id: &str) {
        *self.held.entry(id.to_owned()).or_default() = Held { is_gone: true, ..Held::default() };
    }
}

fn expired(words: &str) -> Error {
    Error::new(ErrorKind::TokenExpired, words)
}

fn as_json<T: Serialize>(value: &T) -> String {
    // Invariant: structs of texts and JSON objects always serialise.
    serde_json::to_string(value).expect("plain data serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_link_holds_what_was_told_of_series() {
        let mut round = Round::new(Some("s".into()));
        round.hold_row("m", "m_1", json!({"id": "m_1"}).as_object().unwrap().clone());
        round.hold_master("m", json!({"id": "m"}).as_object().unwrap().clone());
        round.page = Some("p".into());
        let read = Round::read(&round.write()).unwrap();
        assert_eq!(read, round);
        assert_eq!(read.held["m"].rows["m_1"], json!({"id": "m_1"}));
        round.bury("m");
        assert_eq!(round.held["m"], Held { is_gone: true, ..Held::default() });
    }

    #[test]
    fn a_token_of_another_form_asks_for_a_full_listing() {
        assert_eq!(Token::read(&Token::write(Some("s".into()))).unwrap(), "s");
        for token in [Token::write(None), "".into(), "CPDAgIC".into(), r#"{"v":9,"sync":"s"}"#.into()] {
            assert_eq!(Token::read(&token).unwrap_err().kind, ErrorKind::TokenExpired);
        }
        assert_eq!(Round::read("{}").unwrap_err().kind, ErrorKind::TokenExpired);
    }
}
