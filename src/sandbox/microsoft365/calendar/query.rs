//! What a client may ask of events: `$select`, `$expand`, `$filter`, `$orderby`, and the `Prefer` header.

use std::cmp::Ordering;

use chrono::NaiveDateTime;
use serde_json::Value;

use super::super::query::{self as graph, Condition as Shared, Literal};
use super::super::reply::Refusal;
use super::super::store::IdForm;
use super::fields::{CANCELLED, ONLINE_MEETING, PROPERTIES};
use super::show::Item;
use super::zones::{Zone, not_supported, read_local};
use crate::{Request, Response, Switches};

/// How events are to be shown.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub form: IdForm,
    /// The properties asked for; none = all.
    pub select: Option<Vec<String>>,
    /// Canonical ids of the extended properties asked for.
    pub expand: Vec<String>,
    pub has_exceptions: bool,
    pub has_calendar: bool,
    /// The zone of `start` and `end`; none = UTC.
    pub zone: Option<Zone>,
    /// Bodies as text.
    pub is_text: bool,
}

impl View {
    /// The whole event.
    pub fn whole(form: IdForm) -> Self {
        Self {
            form,
            select: None,
            expand: Vec::new(),
            has_exceptions: false,
            has_calendar: false,
            zone: None,
            is_text: false,
        }
    }

    /// The whole event as this request prefers it.
    pub fn preferred(request: &Request, switches: &Switches) -> Result<Self, Refusal> {
        let zone = match preference(request, "outlook.timezone") {
            Some(name) => {
                let is_known = switches.graph_prefers_iana_zones || !name.contains('/');
                let zone = Zone::named(name).filter(|_| is_known);
                Some(zone.ok_or_else(|| not_supported(name))?)
            }
            None => None,
        };
        let kind = preference(request, "outlook.body-content-type").unwrap_or("html");
        let is_text = kind.eq_ignore_ascii_case("text");
        Ok(Self { zone, is_text, ..Self::whole(graph::id_form(request)) })
    }

    /// What a request asks for. Exceptions and cancelled days are told of one event only.
    pub fn read(
        request: &Request,
        options: &[(String, String)],
        is_one: bool,
        switches: &Switches,
    ) -> Result<Self, Refusal> {
        let mut view = Self::preferred(request, switches)?;
        view.select = read_select(graph::option(options, "$select"), switches)?;
        if let Some(expand) = graph::option(options, "$expand") {
            for part in commas(expand) {
                match part {
                    "exceptionOccurrences" if switches.graph_master_tells_exceptions => view.has_exceptions = true,
                    "calendar" => view.has_calendar = true,
                    part => view.expand.extend(graph::expand(Some(part))?),
                }
            }
        }
        if !is_one && (view.has_exceptions || view.selects(CANCELLED)) {
            let text = "exceptionOccurrences and cancelledOccurrences are told of a single event only.";
            return Err(Refusal::new(400, "ErrorInvalidRequest", text));
        }
        Ok(view)
    }

    /// The same view of these properties only.
    pub fn of(self, names: &[&str]) -> Self {
        Self { select: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..self }
    }

    /// The same view with the properties of a `$select`, which may be empty.
    pub fn selecting(self, text: &str, switches: &Switches) -> Result<Self, Refusal> {
        Ok(Self { select: read_select((!text.is_empty()).then_some(text), switches)?, ..self })
    }

    /// Whether a property was asked for by name.
    pub fn selects(&self, name: &str) -> bool {
        self.select.as_ref().is_some_and(|select| select.iter().any(|have| have == name))
    }

    /// Whether a property is to be shown.
    pub fn wants(&self, name: &str, switches: &Switches) -> bool {
        match &self.select {
            // The documentation's own answers show the list where only the one was asked for.
            Some(_) => name == "id" || self.selects(name) || (name == "locations" && self.selects("location")),
            None => is_known(name, switches) && (name != "originalStart" || switches.graph_shows_original_start),
        }
    }

    /// The select in the form in which contexts name it.
    pub fn context(&self) -> String {
        self.select.as_ref().map_or_else(String::new, |select| format!("({})", select.join(",")))
    }
}

/// The value of a single preference.
pub(super) fn preference<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    graph::preferences(request).find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Confirms the preferences that were kept to.
pub(super) fn confirm(reply: Response, request: &Request) -> Response {
    let quoted = ["outlook.timezone", "outlook.body-content-type"].into_iter().filter_map(|name| {
        let value = preference(request, name)?;
        Some(format!("{name}=\"{value}\""))
    });
    let rows = graph::preferred_rows(request).map(|rows| format!("odata.maxpagesize={rows}"));
    let applied: Vec<String> = quoted.chain(rows).collect();
    if applied.is_empty() { reply } else { reply.with_header("preference-applied", &applied.join(", ")) }
}

/// Whether events have this property, as the switches stand.
fn is_known(name: &str, switches: &Switches) -> bool {
    match name {
        "uid" | "occurrenceId" => switches.graph_shows_beta_properties,
        CANCELLED => switches.graph_master_tells_exceptions,
        ONLINE_MEETING => true,
        name => PROPERTIES.iter().any(|(have, _)| *have == name),
    }
}

fn read_select(text: Option<&str>, switches: &Switches) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    // Evolution and DavMail name what they expand in the select as well.
    let fits = |name: &str| {
        is_known(name, switches) || (name == "exceptionOccurrences" && switches.graph_master_tells_exceptions)
    };
    match names.iter().find(|name| !fits(name)) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.event'."
        ))),
        None => Ok(Some(names)),
    }
}

/// Splits at commas outside of parentheses and quotes.
fn commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut is_quoted) = (Vec::new(), 0, 0_i32, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'(' if !is_quoted => depth += 1,
            b')' if !is_quoted => depth -= 1,
            b',' if !is_quoted && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// One condition of a `$filter`; all of them must hold.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// An extended property has this value, or holds it.
    Extended(Shared),
    /// One of the categories is this one.
    Category(String),
    /// A property compares so.
    Property { name: String, operator: String, literal: Literal },
    /// A property holds this text, or begins with it.
    Part { name: String, text: String, is_start: bool },
}

/// Reads `$filter`: conditions joined by `and`.
pub(super) fn filter(text: Option<&str>) -> Result<Vec<Condition>, Refusal> {
    let Some(text) = text else { return Ok(Vec::new()) };
    graph::split(text, " and ").iter().map(|term| condition(term.trim())).collect()
}

fn condition(term: &str) -> Result<Condition, Refusal> {
    let malformed = || Refusal::bad(format!("Invalid filter clause: '{term}'."));
    if let Some((list, variable, inner)) = graph::any(term) {
        if list == "categories" {
            return match graph::comparison(inner) {
                Some((name, "eq", Literal::Text(text))) if name == variable => Ok(Condition::Category(text)),
                _ => Err(malformed()),
            };
        }
        let shared = graph::lambda(list, variable, inner).ok_or_else(malformed)??;
        return match shared {
            Shared::Extended { .. } => Ok(Condition::Extended(shared)),
            _ => Err(malformed()),
        };
    }
    for (head, is_start) in [("startswith(", true), ("contains(", false)] {
        if let Some(inner) = term.strip_prefix(head).and_then(|rest| rest.strip_suffix(')')) {
            let (name, text) = inner.split_once(',').ok_or_else(malformed)?;
            return match graph::literal(text.trim()) {
                Some(Literal::Text(text)) if name.trim() == "subject" => {
                    Ok(Condition::Part { name: "subject".into(), text, is_start })
                }
                _ => Err(malformed()),
            };
        }
    }
    let (name, operator, literal) = graph::comparison(term).ok_or_else(malformed)?;
    let is_order = ["eq", "ge", "gt", "le", "lt"].contains(&operator);
    let is_equal = ["eq", "ne"].contains(&operator);
    let fits = match &literal {
        Literal::Time(_) => ["createdDateTime", "lastModifiedDateTime"].contains(&name) && is_order,
        Literal::Bool(_) => {
            ["isAllDay", "isCancelled", "isOrganizer", "isReminderOn", "hasAttachments"].contains(&name) && is_equal
        }
        Literal::Text(text) if ["start/dateTime", "end/dateTime"].contains(&name) => {
            is_order && read_local(text.trim_end_matches('Z')).is_some()
        }
        Literal::Text(_) | Literal::Null => {
            ["subject", "type", "iCalUId", "importance", "sensitivity", "showAs", "seriesMasterId"].contains(&name)
                && is_equal
        }
    };
    if !fits {
        return Err(malformed());
    }
    Ok(Condition::Property { name: name.to_owned(), operator: operator.to_owned(), literal })
}

impl Condition {
    /// The property it is about, for the rule on `$orderby`.
    pub fn property(&self) -> &str {
        match self {
            Self::Extended(_) => "singleValueExtendedProperties",
            Self::Category(_) => "categories",
            Self::Property { name, .. } | Self::Part { name, .. } => name,
        }
    }

    /// Whether an event meets it. Texts compare without case, values of extended properties with it.
    pub fn holds(&self, item: &Item<'_>) -> bool {
        let body = item.body();
        let text = |name: &str| match name {
            "type" => item.kind().to_owned(),
            "iCalUId" => item.uid(),
            "seriesMasterId" => item.date.map_or_else(String::new, |_| item.id(IdForm::Regular)),
            name => body.fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned(),
        };
        match self {
            Self::Extended(Shared::Extended { id, value, is_part }) => {
                body.extended.iter().any(|(have, text)| match (have == id, value) {
                    (true, Some(value)) if *is_part => text.to_lowercase().contains(&value.to_lowercase()),
                    (true, Some(value)) => text == value,
                    (is_same, _) => is_same,
                })
            }
            Self::Extended(_) => false,
            Self::Category(name) => {
                body.fields["categories"].as_array().is_some_and(|list| list.iter().any(|have| have == name))
            }
            Self::Part { name, text: part, is_start: true } => {
                text(name).to_lowercase().starts_with(&part.to_lowercase())
            }
            Self::Part { name, text: part, is_start: false } => {
                text(name).to_lowercase().contains(&part.to_lowercase())
            }
            Self::Property { name, operator, literal } => {
                let order = match literal {
                    Literal::Time(time) if name == "createdDateTime" => item.event.created_ms.cmp(time),
                    Literal::Time(time) => item.moment.modified_ms.cmp(time),
                    Literal::Bool(is) if name == "hasAttachments" => is.cmp(&!item.event.attachments.is_empty()),
                    Literal::Bool(is) => body.is(name).cmp(is),
                    Literal::Null => text(name).is_empty().cmp(&true),
                    Literal::Text(literal) => match name.as_str() {
                        "start/dateTime" => instant(literal).map_or(Ordering::Less, |at| body.start.instant().cmp(&at)),
                        "end/dateTime" => instant(literal).map_or(Ordering::Less, |at| body.end.instant().cmp(&at)),
                        name => text(name).to_lowercase().cmp(&literal.to_lowercase()),
                    },
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

fn instant(text: &str) -> Option<NaiveDateTime> {
    read_local(text.trim_end_matches('Z'))
}

/// Reads `$orderby`: one of a few properties and `asc` or `desc`.
pub(super) fn orderby(text: Option<&str>) -> Result<Option<(String, bool)>, Refusal> {
    const KNOWN: [&str; 5] = ["start/dateTime", "end/dateTime", "subject", "createdDateTime", "lastModifiedDateTime"];
    let Some(text) = text else { return Ok(None) };
    let mut words = text.split_whitespace();
    let (name, direction) = (words.next().unwrap_or_default(), words.next().unwrap_or("asc"));
    if !KNOWN.contains(&name) || !["asc", "desc"].contains(&direction) || words.next().is_some() {
        return Err(Refusal::bad(format!("The $orderby '{text}' is not supported.")));
    }
    Ok(Some((name.to_owned(), direction == "desc")))
}

/// Puts items into an order that was asked for.
pub(super) fn sort(items: &mut [Item<'_>], order: &(String, bool)) {
    let (name, is_descending) = order;
    items.sort_by_cached_key(|item| {
        let body = item.body();
        match name.as_str() {
            "start/dateTime" => (body.start.instant().and_utc().timestamp(), String::new()),
            "end/dateTime" => (body.end.instant().and_utc().timestamp(), String::new()),
            "createdDateTime" => (item.event.created_ms, String::new()),
            "lastModifiedDateTime" => (item.moment.modified_ms, String::new()),
            _ => (0, body.fields["subject"].as_str().unwrap_or_default().to_lowercase()),
        }
    });
    if *is_descending {
        items.reverse();
    }
}
