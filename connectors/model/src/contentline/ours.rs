//! The lines that twofold adds to what it writes, in both text formats: the mark, the carry-all, and keys that are stated.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The line with what the format cannot say ([`crate::carry`]).
pub(crate) const CARRY: &str = "X-TWOFOLD-CARRY";
/// The line with the mark of the hub that made the copy ([`crate::Mark`]).
pub(crate) const MARK: &str = "X-TWOFOLD-MARK";
/// The parameter that keeps an entry's key where the place in the text would give another.
pub(crate) const KEY: &str = "X-TWOFOLD-KEY";

/// The most that one item carries beside what its format says, in bytes.
pub(crate) const CARRY_LIMIT: usize = 4 << 20;

/// The carry-all as it stands in a line: base64 without padding, so that no escape of any version touches it.
pub(crate) fn encode_carry(text: &str) -> String {
    STANDARD_NO_PAD.encode(text)
}

/// Undoes [`encode_carry`], whatever was put between the letters on the way.
pub(crate) fn decode_carry(value: &str) -> Option<String> {
    let text: String = value.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')).collect();
    String::from_utf8(STANDARD_NO_PAD.decode(text).ok()?).ok()
}

/// Whether a text may be a key that is stated (RFC 9553 1.4.1, RFC 8984 1.4.1).
pub(crate) fn is_key(key: &str) -> bool {
    (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}
