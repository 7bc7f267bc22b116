//! The common parameter `fields`: `connections(resourceName,names/givenName),nextPageToken` cuts an answer down.

use serde_json::{Map, Value};

use super::errors::{Refusal, invalid};

/// What is kept below a name; nothing below it named = all of it.
#[derive(Debug, Default)]
struct Mask(Vec<(String, Mask)>);

/// Cuts an answer down to the fields named.
pub(crate) fn cut(body: &Value, fields: &str) -> Result<Value, Refusal> {
    let mut rest = fields;
    match read_list(&mut rest) {
        Some(mask) if rest.is_empty() => Ok(mask.apply(body)),
        _ => Err(invalid(&format!("Request contains an invalid argument: fields \"{fields}\"."))),
    }
}

/// Paths with commas between, up to what no path can begin with.
fn read_list(rest: &mut &str) -> Option<Mask> {
    let mut mask = Mask::default();
    loop {
        mask.0.push(read_path(rest)?);
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Some(mask),
        }
    }
}

/// `name`, `name/path` or `name(list)`.
fn read_path(rest: &mut &str) -> Option<(String, Mask)> {
    let (name, after) = rest.split_at(rest.find([',', '/', '(', ')']).unwrap_or(rest.len()));
    *rest = after;
    let mut below = Mask::default();
    if let Some(after) = rest.strip_prefix('/') {
        *rest = after;
        below.0.push(read_path(rest)?);
    } else if let Some(after) = rest.strip_prefix('(') {
        *rest = after;
        below = read_list(rest)?;
        *rest = rest.strip_prefix(')')?;
    }
    (!name.is_empty()).then(|| (name.to_owned(), below))
}

impl Mask {
    fn apply(&self, value: &Value) -> Value {
        match value {
            _ if self.0.is_empty() => value.clone(),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.apply(item)).collect()),
            Value::Object(object) => {
                let below =
                    |name: &str| self.0.iter().find(|(have, _)| have == name || have == "*").map(|(_, mask)| mask);
                let kept = object.iter().filter_map(|(name, value)| Some((name.clone(), below(name)?.apply(value))));
                Value::Object(kept.collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_cut_an_answer_down() {
        let body = json!({ "a": [{ "b": 1, "c": { "d": 2, "e": 3 } }], "f": 4, "g": 5 });
        for (fields, expected) in [
            ("a(b,c/d),f", json!({ "a": [{ "b": 1, "c": { "d": 2 } }], "f": 4 })),
            ("a/c/e,g", json!({ "a": [{ "c": { "e": 3 } }], "g": 5 })),
            ("a/c(d),f", json!({ "a": [{ "c": { "d": 2 } }], "f": 4 })),
            ("*", body.clone()),
        ] {
            assert_eq!(cut(&body, fields).unwrap(), expected, "{fields}");
        }
        assert!(cut(&body, "a(b").is_err() && cut(&body, "").is_err());
    }
}
