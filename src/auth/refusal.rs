//! What a token endpoint says when it says no, as data. Reading only; what it means stands in [`crate::cause`].

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The error answer of both providers. The description is read for the code in front of it and (at Google, where there is
/// nothing else) to tell an account that is gone from one that is not; it is never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `error`: the word of RFC 6749 or one of the provider's own.
    pub error: String,
    /// `error_codes`: Microsoft's AADSTS numbers.
    pub error_codes: Vec<u32>,
    /// `suberror`: Microsoft's finer word.
    pub suberror: Option<String>,
    /// `error_subtype`: Google's finer word.
    pub error_subtype: Option<String>,
    /// `claims`: what Microsoft wants to be asked for at the next sign-in.
    pub claims: Option<String>,
    /// `trace_id`: Microsoft's name for this very answer.
    pub trace_id: Option<String>,
    #[serde(skip)]
    description: String,
}

impl Refusal {
    /// Reads an answer's body; nothing, if it is not such an answer.
    pub fn read(body: &[u8]) -> Option<Refusal> {
        serde_json::from_slice::<Value>(body).ok().as_ref().and_then(Refusal::from_value)
    }

    /// Reads the parameters that a redirect brought back.
    pub fn from_redirect(error: &str, description: &str, suberror: Option<&str>) -> Refusal {
        let suberror = suberror.map(str::to_owned);
        let mut refusal =
            Refusal { error: error.to_owned(), description: description.to_owned(), suberror, ..Refusal::default() };
        refusal.take_code_from_description();
        refusal
    }

    fn from_value(value: &Value) -> Option<Refusal> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let error = match value.get("error")? {
            Value::String(error) => error.clone(),
            // A Google front end may answer in the shape of its other APIs.
            Value::Object(error) => error.get("status").and_then(Value::as_str)?.to_ascii_lowercase(),
            _ => return None,
        };
        let codes = value.get("error_codes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let code = |code: &Value| match code {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|n| u32::try_from(n).ok()),
        };
        let mut refusal = Refusal {
            error,
            error_codes: codes.iter().filter_map(code).collect(),
            suberror: text("suberror").filter(|word| !word.is_empty()),
            error_subtype: text("error_subtype").filter(|word| !word.is_empty()),
            claims: text("claims").filter(|claims| !claims.is_empty()),
            trace_id: text("trace_id"),
            description: text("error_description").unwrap_or_default(),
        };
        refusal.take_code_from_description();
        Some(refusal)
    }

    // Provider: a redirect (and some older answers) carry Microsoft's number only in front of the text: "AADSTS65004: …".
    fn take_code_from_description(&mut self) {
        if self.error_codes.is_empty() {
            let digits = self
                .description
                .strip_prefix("AADSTS")
                .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            self.error_codes.extend(digits.and_then(|digits| digits.parse::<u32>().ok()));
        }
    }

    /// Whether the description holds this word; only for Google's answers that hold nothing else.
    pub(crate) fn says(&self, word: &str) -> bool {
        self.description.to_ascii_lowercase().contains(word)
    }
}

impl<'de> Deserialize<'de> for Refusal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Refusal::from_value(&value).ok_or_else(|| serde::de::Error::custom("not an error answer"))
    }
}

impl oauth2::ErrorResponse for Refusal {}

/// The words and numbers, without any free text: `invalid_grant, AADSTS50173 (request 9be1…)`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(&self.error))?;
        for code in &self.error_codes {
            write!(f, ", AADSTS{code}")?;
        }
        for word in [&self.suberror, &self.error_subtype].into_iter().flatten() {
            write!(f, ", {}", plain(word))?;
        }
        match &self.trace_id {
            Some(id) => write!(f, " (request {})", plain(id)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({self})")
    }
}

/// A foreign word, safe to print: no control characters, no length without end.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')).take(48).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_answer_is_read_with_all_its_fields() {
        let body = br#"{"error":"invalid_grant","error_description":"AADSTS50076: Ada must\r\nTrace ID: x","error_codes":[50076],
            "timestamp":"2026-01-01 00:00:00Z","trace_id":"9be1-77","suberror":"basic_action","claims":"{\"a\":1}"}"#;
        let refusal = Refusal::read(body).unwrap();
        assert_eq!(refusal.error_codes, [50076]);
        assert_eq!(refusal.suberror.as_deref(), Some("basic_action"));
        assert_eq!(refusal.claims.as_deref(), Some("{\"a\":1}"));
        assert_eq!(refusal.to_string(), "invalid_grant, AADSTS50076, basic_action (request 9be1-77)");
        assert!(!format!("{refusal:?}").contains("Ada"), "the free text is never shown");
    }

    #[test]
    fn the_number_is_taken_from_in_front_of_the_text_where_there_is_no_list() {
        let refusal = Refusal::from_redirect("access_denied", "AADSTS65004: User declined", Some("cancel"));
        assert_eq!(refusal.error_codes, [65004]);
        assert_eq!(Refusal::from_redirect("access_denied", "AADSTS: nothing", None).error_codes, Vec::<u32>::new());
    }

    #[test]
    fn other_bodies_are_no_refusal() {
        for body in ["", "<html>", "[]", "{}", r#"{"error":null}"#, r#"{"error":7}"#, r#"{"error":{}}"#] {
            assert_eq!(Refusal::read(body.as_bytes()), None, "{body}");
        }
        let google = Refusal::read(br#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#).unwrap();
        assert_eq!(google.error, "unavailable");
    }

    #[test]
    fn foreign_words_cannot_paint_the_terminal() {
        let refusal = Refusal::read(br#"{"error":"\u001b[31mred\nline two"}"#).unwrap();
        assert_eq!(refusal.to_string(), "31mredlinetwo");
    }
}
