//! Page tokens and sync tokens of both lists. Their text is opaque to clients.
//!
//! Lists are ordered by last change, so a page token is a stamp: what is edited while a client pages moves to the end and
//! comes twice. A sync token is the stamp that the round's first page could see.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::Request;

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// Of the account, and of the calendar.
    pub epochs: (u32, u32),
    /// Only changes after this.
    pub since: u64,
    /// Page tokens: everything up to this was sent.
    pub sent: u64,
    /// Page tokens: the row that was sent in part, and how much of it.
    pub part: (u64, usize),
    /// Page tokens: what the round's first page could see.
    pub round: u64,
    /// When it was given out.
    pub at_ms: i64,
    /// Page tokens: pages sent so far.
    pub pages: u32,
    /// Of the parameters that must stay equal.
    pub fingerprint: u64,
    /// The window of the first call, which the token keeps.
    pub window: (Option<i64>, Option<i64>),
}

impl Token {
    /// The text of a token of this kind.
    pub fn write(&self, kind: &str) -> String {
        let Self { epochs, since, sent, part, round, at_ms, pages, fingerprint, window } = *self;
        let bound = |bound: Option<i64>| bound.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        let text = format!(
            "{kind}.{}.{}.{since}.{sent}.{}.{}.{round}.{at_ms}.{pages}.{fingerprint}.{}.{}",
            epochs.0,
            epochs.1,
            part.0,
            part.1,
            bound(window.0),
            bound(window.1)
        );
        // Backwards, so that two tokens differ from their first letters on and nobody is led to read them.
        URL_SAFE_NO_PAD.encode(text.bytes().rev().map(|byte| byte ^ 0x35).collect::<Vec<_>>())
    }

    /// Reads a token of this kind.
    pub fn read(kind: &str, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let text = String::from_utf8(bytes.into_iter().rev().map(|byte| byte ^ 0x35).collect()).ok()?;
        let mut parts = text.split('.');
        if parts.next() != Some(kind) {
            return None;
        }
        let bound = |parts: &mut std::str::Split<'_, char>| match parts.next()? {
            "-" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let token = Self {
            epochs: (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?),
            since: parts.next()?.parse().ok()?,
            sent: parts.next()?.parse().ok()?,
            part: (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?),
            round: parts.next()?.parse().ok()?,
            at_ms: parts.next()?.parse().ok()?,
            pages: parts.next()?.parse().ok()?,
            fingerprint: parts.next()?.parse().ok()?,
            window: (bound(&mut parts)?, bound(&mut parts)?),
        };
        Some(token)
    }
}

/// A number for all query parameters but these, and for the list that they are about.
pub(super) fn fingerprint(list: &str, request: &Request, without: &[&str]) -> u64 {
    let mut pairs: Vec<_> = request.query.iter().filter(|(name, _)| !without.contains(&name.as_str())).collect();
    pairs.sort();
    let digest = Sha256::digest(format!("{list} {pairs:?}"));
    // Invariant: a SHA-256 digest has 32 bytes.
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"))
}

/// How many items a page really holds.
pub(super) fn page_size(switches: &crate::Switches, asked: usize, pages: u32) -> usize {
    if switches.empty_pages && pages.is_multiple_of(2) {
        return 0;
    }
    let size = if switches.page_size_cap > 0 { asked.min(switches.page_size_cap) } else { asked };
    if switches.short_pages { size.div_ceil(3) } else { size }
}
