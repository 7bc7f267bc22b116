//! Which messages a `$filter` finds, and in which order they come.

use super::super::query::{self as graph, Literal};
use super::super::reply::Refusal;
use super::store::{Message, Moment, Store, conversation_id, folder_id};

/// One condition of a `$filter`; all of them must hold.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// An extended property is there, or has this value.
    Extended { id: String, value: Option<String>, is_part: bool },
    /// A property compares so.
    Property { name: String, operator: String, literal: Literal },
}

/// Reads `$filter`: conditions joined by `and`.
pub(super) fn filter(text: Option<&str>) -> Result<Vec<Condition>, Refusal> {
    let Some(text) = text else { return Ok(Vec::new()) };
    graph::split(text, " and ").iter().map(|term| condition(term.trim())).collect()
}

fn condition(term: &str) -> Result<Condition, Refusal> {
    let malformed = || Refusal::bad(format!("Invalid filter clause: '{term}'."));
    if let Some((list, variable, inner)) = graph::any(term) {
        return match graph::lambda(list, variable, inner).ok_or_else(malformed)?? {
            graph::Condition::Extended { id, value, is_part } => Ok(Condition::Extended { id, value, is_part }),
            _ => Err(malformed()),
        };
    }
    let (name, operator, literal) = graph::comparison(term).ok_or_else(malformed)?;
    let is_order = ["eq", "ne", "ge", "gt", "le", "lt"].contains(&operator);
    let fits = match (name, &literal) {
        ("receivedDateTime" | "sentDateTime" | "createdDateTime" | "lastModifiedDateTime", Literal::Time(_)) => {
            is_order
        }
        ("isRead" | "isDraft" | "hasAttachments", Literal::Bool(_))
        | (
            "internetMessageId" | "subject" | "conversationId" | "parentFolderId" | "importance" | "flag/flagStatus",
            Literal::Text(_),
        ) => ["eq", "ne"].contains(&operator),
        _ => false,
    };
    if !fits {
        return Err(malformed());
    }
    Ok(Condition::Property { name: name.to_owned(), operator: operator.to_owned(), literal })
}

impl Condition {
    fn property(&self) -> &str {
        match self {
            Self::Extended { .. } => "singleValueExtendedProperties",
            Self::Property { name, .. } => name,
        }
    }

    /// Whether a message meets it as it was.
    pub fn holds(&self, message: &Message, at: &Moment) -> bool {
        let body = &at.body;
        match self {
            Self::Extended { id, value, is_part } => match (super::mapi::value(body, id), value) {
                (Some(have), Some(value)) if *is_part => have.to_lowercase().contains(&value.to_lowercase()),
                (Some(have), Some(value)) => have == *value,
                (have, None) => have.is_some(),
                (None, Some(_)) => false,
            },
            Self::Property { name, operator, literal } => {
                let order = match literal {
                    Literal::Time(wanted) => {
                        let have = match name.as_str() {
                            "receivedDateTime" => body.received_ms,
                            "sentDateTime" => body.sent_ms,
                            "createdDateTime" => message.created_ms,
                            _ => at.modified_ms,
                        };
                        // The service shows and compares whole seconds.
                        have.div_euclid(1000).cmp(&wanted.div_euclid(1000))
                    }
                    Literal::Bool(wanted) => match name.as_str() {
                        "isRead" => body.is_read.cmp(wanted),
                        "isDraft" => body.is_draft.cmp(wanted),
                        name => (body.whole()[name] == true).cmp(wanted),
                    },
                    Literal::Text(wanted) => {
                        let have = match name.as_str() {
                            "parentFolderId" => at.folder.map(folder_id).unwrap_or_default(),
                            "conversationId" => conversation_id(message.conversation),
                            "flag/flagStatus" => text(&body.whole()["flag"]["flagStatus"]),
                            "internetMessageId" => body.names().0.unwrap_or_default(),
                            name => text(&body.whole()[name]),
                        };
                        have.cmp(wanted)
                    }
                    // `condition` lets nothing be compared with null.
                    Literal::Null => return false,
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

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The messages among which a filter finds what it looks for: those of a Message-ID, where it names one.
pub(super) fn candidates<'a>(store: &'a Store, filter: &[Condition]) -> Box<dyn Iterator<Item = u64> + 'a> {
    let named = filter.iter().find_map(|condition| match condition {
        Condition::Property { name, operator, literal: Literal::Text(id) }
            if name == "internetMessageId" && operator == "eq" =>
        {
            Some(id)
        }
        _ => None,
    });
    match named {
        Some(id) => Box::new(store.named(id).iter().copied()),
        None => Box::new(store.messages.keys().copied()),
    }
}

/// Reads `$orderby`: a time, and whether the newest come first. Documented: what is in it must be first in the filter.
pub(super) fn order(text: Option<&str>, filter: &[Condition]) -> Result<(&'static str, bool), Refusal> {
    let Some(text) = text else { return Ok(("receivedDateTime", true)) };
    let (name, is_newest_first) = match text.trim() {
        "receivedDateTime desc" => ("receivedDateTime", true),
        "receivedDateTime" | "receivedDateTime asc" => ("receivedDateTime", false),
        "lastModifiedDateTime desc" => ("lastModifiedDateTime", true),
        "lastModifiedDateTime" | "lastModifiedDateTime asc" => ("lastModifiedDateTime", false),
        _ => return Err(Refusal::bad(format!("The $orderby '{text}' is not supported."))),
    };
    if filter.first().is_some_and(|first| first.property() != name) {
        let text = "The restriction or sort order is too complex for this operation.";
        return Err(Refusal::new(400, "InefficientFilter", text));
    }
    Ok((name, is_newest_first))
}
