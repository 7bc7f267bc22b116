//! What one replica must be told so that it says what the hub says.

use serde_json::Value;
use twofold_model::patch::{apply, canonical_text, edits};
use twofold_model::{Content, ErrorKind, Identity, Lens, Rendering, Result};

/// Whether two contents differ in what the lens's place can hold. One that it cannot hold at all differs from every other: it is
/// withheld there, with the reason, once it is to be sent.
///
/// # Errors
/// [`ErrorKind::Broken`]: the lens itself is at fault.
pub fn differs(lens: &dyn Lens, agreed: &Content, target: &Content) -> Result<bool> {
    if agreed == target {
        return Ok(false);
    }
    let held = |content: &Content| match lens.project(content) {
        Err(error) if error.kind != ErrorKind::Broken => Ok(None),
        projected => projected.map(Some),
    };
    let (agreed, target) = (held(agreed)?, held(target)?);
    Ok(target.is_none() || agreed != target)
}

/// Whether a place that was told `sent` and says `says` may have been told nothing else: places trim texts, change their
/// case, give entries keys of their own, and make their own picture of a photo. `before` is what it said until then. Asked
/// only where the place's own reply, which would tell, was lost.
pub fn is_same_but_for_spelling(before: Option<&Content>, sent: &Content, says: &Content) -> bool {
    let media = |content: &Content| content.get("media").cloned();
    let without = |content: &Content| {
        let mut rest = content.clone();
        rest.set("media", Value::Null);
        spelled(&rest.to_value(), 0)
    };
    let is_photo_done = match (media(sent), media(says)) {
        (sent, says) if sent == says => true,
        (Some(_), Some(now)) => before.is_none_or(|before| media(before).as_ref() != Some(&now)),
        _ => false,
    };
    sent == says || (is_photo_done && without(sent) == without(says))
}

/// A value with texts in small letters and single blanks, and the entries of each member without their keys, in an order that
/// does not depend on them.
fn spelled(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase().into(),
        Value::Array(list) => list.iter().map(|value| spelled(value, depth + 1)).collect(),
        Value::Object(map) if depth == 1 && map.values().all(Value::is_object) => {
            let mut entries: Vec<Value> = map.values().map(|value| spelled(value, depth + 1)).collect();
            entries.sort_by_key(canonical_text);
            Value::Array(entries)
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), spelled(value, depth + 1))).collect(),
        other => other.clone(),
    }
}

/// The rendering that `seen` must become, or `None` when there is nothing to tell.
///
/// Only what the hub changed since `agreed`, in what the place can hold, is laid over what the place says now. So a place's
/// own spelling is left alone, and a changed mapping sends nothing.
pub fn toward(
    lens: &dyn Lens,
    agreed: &Content,
    seen: &Rendering,
    target: &Content,
    identity: &Identity,
) -> Result<Option<Rendering>> {
    if agreed == target {
        return Ok(None);
    }
    let patch = edits(&lens.project(agreed)?, &lens.project(target)?);
    if patch.is_empty() {
        return Ok(None);
    }
    let says = lens.read(seen)?;
    let shall = apply(&says, &patch);
    if shall == says {
        return Ok(None);
    }
    let to = lens.write(Some(seen), &shall, identity)?;
    // A place that cannot be brought nearer is left as it is.
    Ok((to != *seen && lens.read(&to)? != says).then_some(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use twofold_model::Error;

    /// A place that holds titles as they are, and no day of an odd length (`"lasts": "odd"`); what else there is it leaves out.
    struct Titles;

    impl Lens for Titles {
        fn read(&self, rendering: &Rendering) -> Result<Content> {
            let title = String::from_utf8_lossy(rendering.as_bytes()).into_owned();
            Ok(Content::from_value(json!({"title": title})))
        }

        fn write(&self, _: Option<&Rendering>, content: &Content, _: &Identity) -> Result<Rendering> {
            match content.get("lasts").and_then(Value::as_str) {
                Some("odd") => Err(Error::new(ErrorKind::Unsupported, "no day here is odd")),
                Some("broken") => Err(Error::new(ErrorKind::Broken, "this is a mistake of ours")),
                _ => Ok(Rendering::from(content.get("title").and_then(Value::as_str).unwrap_or_default().to_owned())),
            }
        }
    }

    #[test]
    fn what_a_place_cannot_hold_differs_from_whatever_it_was_told() {
        let event = |title: &str, lasts: &str| Content::from_value(json!({"title": title, "lasts": lasts}));
        let told = event("Lunch", "even");
        for (words, agreed, target, is_other) in [
            ("the same", &told, told.clone(), false),
            ("what the place leaves out", &told, event("Lunch", "long"), false),
            ("another title", &told, event("Dinner", "even"), true),
            ("no longer to be said there", &told, event("Lunch", "odd"), true),
            ("to be said there again", &event("Lunch", "odd"), told.clone(), true),
            ("never to be said there", &event("Lunch", "odd"), event("Dinner", "odd"), true),
        ] {
            assert_eq!(differs(&Titles, agreed, &target).unwrap(), is_other, "{words}");
        }
        let mistake = differs(&Titles, &told, &event("Lunch", "broken"));
        assert_eq!(mistake.unwrap_err().kind, ErrorKind::Broken, "a mistake of ours is not passed over");
    }

    #[test]
    fn a_spelling_is_no_difference_and_a_value_is_one() {
        let card = |name: &str, key: &str, address: &str| {
            Content::from_value(json!({"name": {"full": name}, "emails": {key: {"address": address}}}))
        };
        let sent = card(" Ada  King", "k1", "Ada@X.org");
        let is_same = |says: &Content| is_same_but_for_spelling(None, &sent, says);
        assert!(is_same(&card("Ada King", "k2", "ada@x.org")));
        assert!(!is_same(&card("Ada King", "k1", "ada@y.org")));
        assert!(!is_same(&Content::from_value(json!({"name": {"full": "Ada King"}}))));
    }

    #[test]
    fn a_photo_that_changed_is_the_one_that_was_sent_and_one_that_did_not_is_not() {
        let photo = |uri: &str| Content::from_value(json!({"media": {"photo": {"kind": "photo", "uri": uri}}}));
        let (before, sent) = (photo("data:old"), photo("data:sent"));
        assert!(is_same_but_for_spelling(Some(&before), &sent, &photo("data:re-encoded")));
        assert!(!is_same_but_for_spelling(Some(&before), &sent, &before));
        assert!(!is_same_but_for_spelling(Some(&before), &sent, &Content::new()));
    }
}
