//! The ids that we choose for new events.
//!
//! Provider: an id has 5 to 1024 characters of `a-v` and `0-9`, is unique in its calendar, and is taken for ever: also by an event that
//! was deleted. So the id of a create comes from its mark, and the next one of the same create from the mark and a number. Hexadecimal
//! digits are such characters.

use twofold_model::Mark;

/// How many ids of one create are tried: each that is taken was deleted by somebody since.
pub(super) const ATTEMPTS: u32 = 8;

/// The id of a create's attempt.
pub(super) fn chosen(mark: &Mark, attempt: u32) -> String {
    let name = if attempt == 0 { mark.to_string() } else { format!("{mark}:{attempt}") };
    format!("tf{}", &blake3::hash(name.as_bytes()).to_hex()[..40])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_of_each_mark_has_an_id_that_google_takes() {
        let mark = |text: &str| Mark::parse(text).unwrap();
        let ids = [
            chosen(&mark("hub:item:1"), 0),
            chosen(&mark("hub:item:1"), 1),
            chosen(&mark("hub:item:2"), 0),
            chosen(&mark("bub:item:1"), 0),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(id.len() == 42 && id.bytes().all(|b| matches!(b, b'a'..=b'v' | b'0'..=b'9')), "{id}");
            assert!(!ids[..at].contains(id));
        }
        assert_eq!(chosen(&mark("hub:item:1"), 0), ids[0]);
    }
}
