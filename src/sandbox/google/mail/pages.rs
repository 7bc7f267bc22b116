//! Page tokens and page sizes of the three lists. Their text is opaque to clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::errors::{invalid, invalid_value};
use crate::google::errors::Refusal;
use crate::{Request, Switches};

/// Where the next page begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Rows sent so far; at the history: the id of the last record sent.
    pub sent: u64,
    /// Pages sent so far.
    pub pages: u32,
}

impl Place {
    /// The text of a token for the page after this one.
    pub fn write(self, list: &str, request: &Request) -> String {
        let text = format!("{list}.{}.{}.{}", self.sent, self.pages, fingerprint(request));
        // Backwards, so that two tokens differ from their first letters on and nobody is led to read them.
        URL_SAFE_NO_PAD.encode(text.bytes().rev().map(|byte| byte ^ 0x2D).collect::<Vec<_>>())
    }

    /// The place that a request names. A token is good for the list and the parameters that it came with.
    pub fn read(list: &str, request: &Request) -> Result<Option<Self>, Refusal> {
        let Some(text) = request.param("pageToken").filter(|text| !text.is_empty()) else { return Ok(None) };
        let found = read(list, text, request).ok_or_else(|| invalid("Invalid pageToken"))?;
        Ok(Some(found))
    }
}

fn read(list: &str, text: &str, request: &Request) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes.into_iter().rev().map(|byte| byte ^ 0x2D).collect()).ok()?;
    let mut parts = text.split('.');
    let is_ours = parts.next() == Some(list);
    let place = Place { sent: parts.next()?.parse().ok()?, pages: parts.next()?.parse().ok()? };
    let is_same = parts.next()?.parse() == Ok(fingerprint(request));
    (is_ours && is_same).then_some(place)
}

/// A number for all that must stay equal from page to page.
fn fingerprint(request: &Request) -> u64 {
    let changes = ["pageToken", "maxResults", "access_token", "fields", "prettyPrint"];
    let mut pairs: Vec<_> = request.query.iter().filter(|(name, _)| !changes.contains(&name.as_str())).collect();
    pairs.sort();
    let digest = Sha256::digest(format!("{pairs:?}"));
    // Invariant: a SHA-256 digest has 32 bytes.
    u64::from_be_bytes(digest[..8].try_into().expect("eight bytes of thirty-two"))
}

/// How many rows a client asks for: 100 unless it says more, and never more than `most`.
pub(super) fn asked(request: &Request, most: usize) -> Result<usize, Refusal> {
    let Some(text) = request.param("maxResults") else { return Ok(100) };
    let count: usize = text.parse().map_err(|_| invalid_value("maxResults", "TYPE_UINT32", text))?;
    Ok(if count == 0 { 100 } else { count.min(most) })
}

/// How many rows a page really holds.
pub(super) fn size(switches: &Switches, asked: usize, pages: u32) -> usize {
    if switches.empty_pages && pages.is_multiple_of(2) {
        return 0;
    }
    let size = if switches.page_size_cap > 0 { asked.min(switches.page_size_cap) } else { asked };
    if switches.short_pages { size.div_ceil(3) } else { size }
}
