//! What our delta token and our page links hold. Both are compact JSON of our own, opaque to everybody else.
//!
//! A round after a token has one or two stages. *Delta* asks People what changed. If a group was renamed or deleted since,
//! what its members' renderings mean has changed although no etag has: then *relist* follows, a full listing in the same
//! round, and the token at the end is the delta's (so that a removal between the two stages is told by the next delta).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use twofold_model::{DeltaToken, Error, ErrorKind, Result, card};

use super::groups::GroupTable;
use super::late::LatePhotos;
use super::wire::PERSON_FIELDS;

/// The form of both texts.
const FORM: u32 = 2;

/// What is kept between two rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Token {
    v: u32,
    /// Of the parameters that must stay equal: a token made with another mask is worth nothing.
    mask: String,
    /// People's token for connections; an empty account gets none.
    pub connections: Option<String>,
    /// People's token for contact groups.
    pub groups: Option<String>,
    /// The table that the renderings were made with.
    pub table: GroupTable,
    /// Groups that memberships named and the table did not know.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unresolved: BTreeSet<String>,
    /// Persons whose photo could not be had.
    #[serde(default, skip_serializing_if = "LatePhotos::is_empty")]
    pub photos: LatePhotos,
}

impl Token {
    /// A token for the parameters in use.
    pub fn new(table: GroupTable, groups: Option<String>) -> Self {
        Self { v: FORM, mask: card::key(PERSON_FIELDS), groups, table, ..Self::default() }
    }

    /// As the engine keeps it.
    pub fn write(&self) -> DeltaToken {
        DeltaToken(as_json(self))
    }

    /// Reads a token that is still good; anything else asks for a full listing.
    pub fn read(token: &DeltaToken) -> Result<Token> {
        let read = serde_json::from_str::<Token>(token.as_str()).ok();
        read.filter(|token| token.v == FORM && token.mask == card::key(PERSON_FIELDS) && token.connections.is_some())
            .ok_or_else(|| Error::new(ErrorKind::TokenExpired, "the stored sync token is of another form or empty"))
    }
}

/// Which request the page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A full listing from nothing.
    Full,
    /// What changed since the token.
    Delta,
    /// The full listing after the delta.
    Relist,
}

/// Where a round stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Which request is under way.
    pub stage: Stage,
    /// The sync token that the delta started from.
    pub since: Option<String>,
    /// People's page token.
    pub page: Option<String>,
    /// A relist has to follow the delta.
    pub relists: bool,
    /// The persons that the delta told of: the relist passes over them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<String>,
    /// What the token at the end will hold.
    pub token: Token,
}

impl Round {
    /// The first page of a full listing.
    pub fn full(token: Token) -> Self {
        Self { stage: Stage::Full, since: None, page: None, relists: false, told: BTreeSet::new(), token }
    }

    /// The first page of a delta.
    pub fn delta(since: Option<String>, relists: bool, token: Token) -> Self {
        Self { stage: Stage::Delta, since, page: None, relists, told: BTreeSet::new(), token }
    }

    /// As a page link.
    pub fn write(&self) -> String {
        as_json(self)
    }

    /// Reads a page link of ours.
    pub fn read(link: &str) -> Result<Round> {
        let read = serde_json::from_str::<Round>(link).ok();
        read.filter(|round| round.token.v == FORM)
            .ok_or_else(|| Error::new(ErrorKind::TokenExpired, "the page link is of another form"))
    }

    /// Takes in what a page said about going on; goes on with the next page, or breaks with the
    /// token at the end of the round.
    pub fn advance(mut self, next_page: Option<String>, next_sync: Option<String>) -> ControlFlow<Token, Round> {
        if next_page.is_some() {
            self.page = next_page;
            return ControlFlow::Continue(self);
        }
        self.page = None;
        match self.stage {
            Stage::Full => {
                self.token.connections = next_sync;
                ControlFlow::Break(self.token)
            }
            Stage::Delta => {
                // A delta without a new token: the old one goes on to be good.
                self.token.connections = next_sync.or_else(|| self.since.take());
                self.since = None;
                if !self.relists {
                    return ControlFlow::Break(self.token);
                }
                self.stage = Stage::Relist;
                ControlFlow::Continue(self)
            }
            Stage::Relist => ControlFlow::Break(self.token),
        }
    }
}

fn as_json<T: Serialize>(value: &T) -> String {
    // Invariant: structs of texts, maps with text keys and sets always serialise.
    serde_json::to_string(value).expect("plain data serialises")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token::new(GroupTable::default(), Some("g".into()))
    }

    #[test]
    fn a_relist_ends_with_the_token_of_the_delta() {
        let round = Round::delta(Some("old".into()), true, token());
        let round = round.advance(Some("p2".into()), None).continue_value().unwrap();
        assert_eq!(
            (round.stage, round.page.as_deref(), round.since.as_deref()),
            (Stage::Delta, Some("p2"), Some("old"))
        );
        let round = Round::read(&round.write()).unwrap().advance(None, Some("new".into())).continue_value().unwrap();
        assert_eq!((round.stage, round.page.as_deref()), (Stage::Relist, None));
        let end = round.advance(None, Some("of the listing".into())).break_value().unwrap();
        assert_eq!(end.connections.as_deref(), Some("new"));
        assert_eq!(Token::read(&end.write()).unwrap(), end);
    }

    #[test]
    fn a_delta_without_a_new_token_keeps_the_old_one() {
        let end = Round::delta(Some("old".into()), false, token()).advance(None, None).break_value().unwrap();
        assert_eq!(end.connections.as_deref(), Some("old"));
    }

    #[test]
    fn a_token_of_an_empty_account_or_of_another_form_asks_for_a_full_listing() {
        let empty = Round::full(token()).advance(None, None).break_value().unwrap();
        for stored in [empty.write(), "".into(), r#"{"v":99}"#.into(), "CPDAgIC".into()] {
            assert_eq!(Token::read(&stored).unwrap_err().kind, ErrorKind::TokenExpired);
        }
    }
}
