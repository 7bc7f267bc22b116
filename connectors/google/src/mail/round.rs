//! What our delta token and our page links hold. Both are compact JSON of our own, opaque to everybody else.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use twofold_model::{DeltaToken, Error, ErrorKind, Result};

/// The form of both texts.
pub(super) const FORM: u32 = 1;

/// Which message each draft is: draft to message.
pub(super) type Drafts = BTreeMap<String, String>;

/// What is kept between two rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Token {
    v: u32,
    /// The latest change of the mailbox that was told.
    pub(super) history: String,
    /// The user's labels then. The history does not tell that a label was deleted, and its messages with it are archived.
    pub(super) labels: Vec<String>,
    /// The drafts then. The history tells an edit as one message gone and another one come.
    #[serde(default)]
    pub(super) drafts: Drafts,
}

impl Token {
    pub(super) fn new(history: String, labels: Vec<String>, drafts: Drafts) -> Token {
        Token { v: FORM, history, labels, drafts }
    }

    /// As the engine keeps it.
    pub(super) fn write(&self) -> DeltaToken {
        DeltaToken(as_json(self))
    }

    /// Reads a token that is still of this form.
    ///
    /// # Errors
    /// [`ErrorKind::TokenExpired`].
    pub(super) fn read(token: &DeltaToken) -> Result<Token> {
        let read = serde_json::from_str::<Token>(token.as_str()).ok();
        read.filter(|token| token.v == FORM && !token.history.is_empty())
            .ok_or_else(|| expired("the stored history id is of another form"))
    }
}

/// Where a round stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Round {
    /// A full listing. Its lists are in memory; where they are not, they are read anew.
    Listing {
        v: u32,
        /// The latest change of the mailbox when it began: everything later is told by the history.
        from: String,
        /// Counts the links, so that each differs from the one before.
        step: u64,
        /// The last message that was told.
        told: Option<String>,
        /// The drafts when it began.
        drafts: Drafts,
    },
    /// What happened since a token.
    History {
        v: u32,
        /// The token.
        since: Token,
        /// Gmail's page token.
        page: Option<String>,
        /// How many pages came before it.
        #[serde(default)]
        pages: u32,
        /// The drafts as they are now, if one was touched.
        drafts: Option<Drafts>,
        /// Something was told of a label that the cycle does not know yet: the next round tells it again.
        repeats: bool,
    },
}

impl Round {
    pub(super) fn listing(from: String, drafts: Drafts) -> Round {
        Round::Listing { v: FORM, from, step: 0, told: None, drafts }
    }

    pub(super) fn history(since: Token) -> Round {
        Round::History { v: FORM, since, page: None, pages: 0, drafts: None, repeats: false }
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
        let form = |round: &Round| match round {
            Round::Listing { v, .. } | Round::History { v, .. } => *v,
        };
        read.filter(|round| form(round) == FORM).ok_or_else(|| expired("the page link is of another form"))
    }
}

pub(super) fn expired(words: &str) -> Error {
    Error::new(ErrorKind::TokenExpired, words)
}

fn as_json<T: Serialize>(value: &T) -> String {
    // Invariant: structs of texts and numbers always serialise.
    serde_json::to_string(value).expect("plain data serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_links_come_back_and_others_ask_for_a_full_listing() {
        let token = Token::new("7".into(), vec!["Label_1".into()], Drafts::from([("r1".into(), "18c".into())]));
        assert_eq!(Token::read(&token.write()).unwrap(), token);
        for round in [Round::listing("7".into(), Drafts::new()), Round::history(token)] {
            assert_eq!(Round::read(&round.write()).unwrap(), round);
        }
        for wrong in ["", "7", r#"{"v":9,"history":"7","labels":[]}"#, r#"{"v":1,"history":"","labels":[]}"#] {
            assert_eq!(Token::read(&wrong.into()).unwrap_err().kind, ErrorKind::TokenExpired, "{wrong}");
            assert_eq!(Round::read(wrong).unwrap_err().kind, ErrorKind::TokenExpired, "{wrong}");
        }
    }
}
