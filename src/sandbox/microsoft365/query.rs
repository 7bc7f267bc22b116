//! What a client may ask for: `$select`, `$expand`, `$filter`, `$orderby`, pages, and the `Prefer` header.

use serde_json::Value;

use super::fields::{self, Body, PRIMARY, Shape};
use super::reply::Refusal;
use super::store::IdForm;
use crate::{Request, Switches};

/// The most that `$top` may ask for, but for messages.
pub(super) const MOST_ROWS: usize = 999;
/// Rows of a page when nothing is asked for.
const USUAL_ROWS: usize = 10;

/// How items are to be shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View {
    pub form: IdForm,
    /// The properties asked for; none = all.
    pub select: Option<Vec<String>>,
    /// Canonical ids of the extended properties asked for.
    pub expand: Vec<String>,
}

impl View {
    /// The whole item.
    pub fn whole(form: IdForm) -> Self {
        Self { form, select: None, expand: Vec::new() }
    }

    /// Whether a property is to be shown.
    pub fn wants(&self, name: &str) -> bool {
        self.select.as_ref().is_none_or(|select| select.iter().any(|have| have == name))
    }
}

/// The query's options by their names in lower case; any that is not among `allowed` is refused.
pub(super) fn options(request: &Request, allowed: &[&str]) -> Result<Vec<(String, String)>, Refusal> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.query {
        let lower = name.to_ascii_lowercase();
        if !allowed.contains(&lower.as_str()) {
            let text = format!("The query parameter '{name}' is not supported.");
            return Err(Refusal::new(400, "ErrorInvalidUrlQuery", text));
        }
        if found.iter().any(|(have, _)| *have == lower) {
            return Err(Refusal::bad(format!("Query option '{name}' was specified more than once.")));
        }
        found.push((lower, value.clone()));
    }
    Ok(found)
}

/// The value of one option.
pub(super) fn option<'a>(options: &'a [(String, String)], name: &str) -> Option<&'a str> {
    options.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
}

/// The single preferences of all `Prefer` headers.
pub(super) fn preferences(request: &Request) -> impl Iterator<Item = (&str, &str)> {
    request.headers_named("prefer").flat_map(|header| header.split([',', ';'])).map(|preference| {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        (name.trim(), value.trim().trim_matches('"'))
    })
}

/// Which form of ids this request speaks.
pub(super) fn id_form(request: &Request) -> IdForm {
    let is_immutable =
        |(name, value): (&str, &str)| name.eq_ignore_ascii_case("IdType") && value.eq_ignore_ascii_case("ImmutableId");
    if preferences(request).any(is_immutable) { IdForm::Immutable } else { IdForm::Regular }
}

/// The page size that this one request prefers.
pub(super) fn preferred_rows(request: &Request) -> Option<usize> {
    let found = preferences(request).find(|(name, _)| name.eq_ignore_ascii_case("odata.maxpagesize"));
    found.and_then(|(_, value)| value.parse().ok()).filter(|rows| *rows > 0)
}

/// Reads `$select`.
pub(super) fn select(text: Option<&str>, of: &str, switches: &Switches) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let is_known = |name: &str| match of {
        "contact" => fields::shape(name).is_some() || (switches.graph_primary_addresses && PRIMARY.contains(&name)),
        "user" => ["id", "displayName", "givenName", "surname", "mail", "userPrincipalName"].contains(&name),
        _ => ["id", "displayName", "parentFolderId"].contains(&name),
    };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !is_known(name)) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.{of}'."
        ))),
        None => Ok(Some(names)),
    }
}

/// Reads `$expand=singleValueExtendedProperties($filter=id eq '...' or id eq '...')`, the only expansion there is.
pub(super) fn expand(text: Option<&str>) -> Result<Vec<String>, Refusal> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let malformed = || Refusal::bad(format!("Parsing OData Select and Expand failed: '{text}' is not supported."));
    let inner = text.trim().strip_prefix("singleValueExtendedProperties(").and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or_else(malformed)?.trim();
    let filter = inner.strip_prefix("$filter").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
    let terms = split(filter.ok_or_else(malformed)?, " or ");
    let ids = terms.iter().map(|term| match comparison(term) {
        Some(("id", "eq", Literal::Text(id))) => fields::canonical_extended_id(&id),
        _ => Err(malformed()),
    });
    ids.collect()
}

/// Which rows of a list a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub offset: usize,
    pub page: usize,
}

/// Cuts a page of `asked` rows out of `total`: its end, and where the next page begins if there is one.
pub(super) fn cut(from: Cursor, total: usize, asked: usize, switches: &Switches) -> (usize, Option<Cursor>) {
    let mut size = if switches.page_size_cap > 0 { asked.min(switches.page_size_cap) } else { asked };
    if switches.short_pages {
        size = size.div_ceil(2);
    }
    if switches.empty_pages && from.page % 2 == 1 {
        size = 0;
    }
    let end = (from.offset + size).min(total);
    let next = (end < total).then_some(Cursor { offset: end, page: from.page + 1 });
    (end, next)
}

/// The size of a list's page: `$top`, `Prefer: odata.maxpagesize`, or the usual.
pub(super) fn rows(top: Option<&str>, request: &Request, most: usize) -> Result<usize, Refusal> {
    let preferred = preferred_rows(request);
    let Some(text) = top else { return Ok(preferred.unwrap_or(USUAL_ROWS).min(most)) };
    match text.parse::<usize>() {
        Ok(top) if (1..=most).contains(&top) => Ok(preferred.map_or(top, |rows| rows.min(top))),
        Ok(_) => Err(Refusal::bad(format!("The value of '$top' must be between 1 and {most}."))),
        Err(_) => Err(Refusal::bad(format!("Invalid value '{text}' for $top query option found."))),
    }
}

/// Reads `$orderby`: a property of text and `asc` or `desc`.
pub(super) fn orderby(text: Option<&str>) -> Result<Option<(String, bool)>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let mut words = text.split_whitespace();
    let (name, direction) = (words.next().unwrap_or_default(), words.next().unwrap_or("asc"));
    let is_text = matches!(fields::shape(name), Some(Shape::Text))
        || ["createdDateTime", "lastModifiedDateTime", "birthday"].contains(&name);
    if !is_text || !["asc", "desc"].contains(&direction) || words.next().is_some() {
        return Err(Refusal::bad(format!("The $orderby '{text}' is not supported.")));
    }
    Ok(Some((name.to_owned(), direction == "desc")))
}

/// One condition of a `$filter`; all of them must hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// An extended property has this value, or holds it.
    Extended { id: String, value: Option<String>, is_part: bool },
    /// One of the addresses is this one.
    Email(String),
    /// A property compares so.
    Property { name: String, operator: String, literal: Literal },
    /// A property begins so.
    StartsWith { name: String, text: String },
}

/// A value inside a filter.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Time(i64),
    Bool(bool),
    Null,
}

/// Reads `$filter`: conditions joined by `and`.
pub(super) fn filter(text: Option<&str>) -> Result<Vec<Condition>, Refusal> {
    let Some(text) = text else { return Ok(Vec::new()) };
    split(text, " and ").iter().map(|term| condition(term.trim())).collect()
}

fn condition(term: &str) -> Result<Condition, Refusal> {
    let malformed = || Refusal::bad(format!("Invalid filter clause: '{term}'."));
    if let Some((list, variable, inner)) = any(term) {
        return lambda(list, variable, inner).ok_or_else(malformed)?;
    }
    if let Some(inner) = term.strip_prefix("startswith(").and_then(|rest| rest.strip_suffix(')')) {
        let (name, text) = inner.split_once(',').ok_or_else(malformed)?;
        return match (fields::shape(name.trim()), literal(text.trim())) {
            (Some(Shape::Text), Some(Literal::Text(text))) => {
                Ok(Condition::StartsWith { name: name.trim().to_owned(), text })
            }
            _ => Err(malformed()),
        };
    }
    let (name, operator, literal) = comparison(term).ok_or_else(malformed)?;
    let is_time = ["createdDateTime", "lastModifiedDateTime"].contains(&name);
    let fits = match (&literal, operator) {
        (Literal::Time(_), "eq" | "ge" | "gt" | "le" | "lt") => is_time,
        (Literal::Text(_), "eq" | "ne" | "ge" | "gt" | "le" | "lt") | (Literal::Null, "eq" | "ne") => {
            matches!(fields::shape(name), Some(Shape::Text)) || name == "parentFolderId"
        }
        _ => false,
    };
    if !fits {
        return Err(malformed());
    }
    Ok(Condition::Property { name: name.to_owned(), operator: operator.to_owned(), literal })
}

/// Takes `list/any(x: inner)` apart; `Any` is met too.
pub(super) fn any(term: &str) -> Option<(&str, &str, &str)> {
    let (list, rest) = term.split_once('/')?;
    let head = rest.get(..4).filter(|head| head.eq_ignore_ascii_case("any("))?;
    let inner = rest[head.len()..].trim_end().strip_suffix(')')?;
    let (variable, inner) = inner.split_once(':')?;
    Some((list, variable.trim(), inner.trim()))
}

/// None = not understood.
pub(super) fn lambda(list: &str, variable: &str, inner: &str) -> Option<Result<Condition, Refusal>> {
    let member = |path: &str| {
        let name = path.strip_prefix(variable)?.strip_prefix('/')?;
        Some(name.to_ascii_lowercase())
    };
    let (mut id, mut value, mut address, mut is_part) = (None, None, None, false);
    for term in split(inner, " and ") {
        let term = term.trim();
        let (path, text) = match term.strip_prefix("contains(").and_then(|rest| rest.strip_suffix(')')) {
            Some(pair) => {
                is_part = true;
                let (path, text) = pair.split_once(',')?;
                (path.trim(), literal(text.trim())?)
            }
            None => match comparison(term)? {
                (path, "eq", text) => (path, text),
                _ => return None,
            },
        };
        let Literal::Text(text) = text else { return None };
        match (list, member(path)?.as_str()) {
            ("singleValueExtendedProperties", "id") => id = Some(text),
            ("singleValueExtendedProperties", "value") => value = Some(text),
            ("emailAddresses", "address") => address = Some(text),
            _ => return None,
        }
    }
    match (id, address) {
        (Some(id), None) => {
            Some(fields::canonical_extended_id(&id).map(|id| Condition::Extended { id, value, is_part }))
        }
        (None, Some(address)) => Some(Ok(Condition::Email(address))),
        _ => None,
    }
}

/// `name operator literal`.
pub(super) fn comparison(term: &str) -> Option<(&str, &str, Literal)> {
    let (name, rest) = term.trim().split_once(' ')?;
    let (operator, text) = rest.trim_start().split_once(' ')?;
    Some((name, operator, literal(text.trim())?))
}

pub(super) fn literal(text: &str) -> Option<Literal> {
    if let Some(inner) = text.strip_prefix('\'') {
        let inner = inner.strip_suffix('\'')?;
        let has_loose_quote = inner.replace("''", "").contains('\'');
        return (!has_loose_quote).then(|| Literal::Text(inner.replace("''", "'")));
    }
    match text {
        "null" => return Some(Literal::Null),
        "true" | "false" => return Some(Literal::Bool(text == "true")),
        _ => {}
    }
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| Literal::Time(time.timestamp_millis()))
}

/// Splits at a word outside of quotes and parentheses.
pub(super) fn split<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let (mut parts, mut start, mut depth, mut is_quoted) = (Vec::new(), 0, 0_i32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if !is_quoted => depth -= 1,
            b' ' if !is_quoted && depth == 0 && at >= start && text[at..].starts_with(word) => {
                parts.push(&text[start..at]);
                start = at + word.len();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// What a filter looks at besides the body.
pub(super) struct Facts<'a> {
    pub body: &'a Body,
    pub created_ms: i64,
    pub modified_ms: i64,
    pub parent_id: &'a str,
}

impl Condition {
    /// The property it is about, for the rule on `$orderby`.
    pub fn property(&self) -> &str {
        match self {
            Self::Extended { .. } => "singleValueExtendedProperties",
            Self::Email(_) => "emailAddresses",
            Self::Property { name, .. } | Self::StartsWith { name, .. } => name,
        }
    }

    /// Whether a contact meets it. Texts compare without case, values of extended properties with it.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Extended { id, value, is_part } => {
                facts.body.extended.iter().any(|(have, text)| match (have == id, value) {
                    (true, Some(value)) if *is_part => text.to_lowercase().contains(&value.to_lowercase()),
                    (true, Some(value)) => text == value,
                    (is_same, _) => is_same,
                })
            }
            Self::Email(address) => {
                let emails = facts.body.fields.get("emailAddresses").and_then(Value::as_array);
                let have = emails.into_iter().flatten().filter_map(|entry| entry["address"].as_str());
                have.into_iter().any(|have| have.to_lowercase() == address.to_lowercase())
            }
            Self::StartsWith { name, text } => facts.body.text(name).to_lowercase().starts_with(&text.to_lowercase()),
            Self::Property { name, operator, literal } => {
                let order = match literal {
                    Literal::Null => {
                        let is_null = !facts.body.fields.contains_key(name);
                        return is_null == (operator == "eq");
                    }
                    // No property of a contact is true or false; `condition` refuses it.
                    Literal::Bool(_) => return false,
                    Literal::Text(text) if name == "parentFolderId" => facts.parent_id.cmp(text),
                    Literal::Text(text) => facts.body.text(name).to_lowercase().cmp(&text.to_lowercase()),
                    Literal::Time(time) if name == "createdDateTime" => facts.created_ms.cmp(time),
                    Literal::Time(time) => facts.modified_ms.cmp(time),
                };
                match operator.as_str() {
                    "eq" => order.is_eq(),
                    "ne" => order.is_ne(),
                    "ge" => order.is_ge(),
                    "gt" => order.is_gt(),
                    "le" => order.is_le(),
                    _ => order.is_lt(),
                }
            }
        }
    }
}
