//! [`Content`]: the meaning of one item as a JSON object. Which members it has is told by the kind's own file
//! ([`crate::card`] for contacts).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The meaning of one item: a JSON object after the kind's RFC. Members that are absent, `null`, `{}` or `[]` mean the same:
/// nothing; [`Content::tidy`] drops them, so that equality is equality of meaning. Order of members carries no meaning, but
/// is kept, so that what is rendered from nothing comes in the order in which it was met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(pub Map<String, Value>);

impl Content {
    /// Content with no member.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the object out of a JSON value; anything but an object is empty content.
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map).tidied(),
            _ => Self::default(),
        }
    }

    /// The content as a JSON value.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Whether nothing is said at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One member.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member)
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.0.get(*first)?, |value, key| value.get(*key))
    }

    /// Sets one member; `null`, `{}` and `[]` remove it.
    pub fn set(&mut self, member: &str, value: Value) {
        if is_nothing(&value) {
            self.0.shift_remove(member);
        } else {
            self.0.insert(member.to_owned(), value);
        }
    }

    /// Drops members that say nothing, at every depth.
    pub fn tidy(&mut self) {
        tidy_map(&mut self.0);
    }

    /// Whether [`Content::tidy`] would change nothing.
    pub fn is_tidy(&self) -> bool {
        is_tidy_map(&self.0)
    }

    /// [`Content::tidy`] by value.
    pub fn tidied(mut self) -> Self {
        self.tidy();
        self
    }
}

/// Whether a value says nothing: `null`, an empty object or an empty list. An empty text and `false` do say something.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

fn is_tidy_map(map: &Map<String, Value>) -> bool {
    map.values().all(|value| {
        !is_nothing(value)
            && match value {
                Value::Object(inner) => is_tidy_map(inner),
                Value::Array(list) => list.iter().filter_map(Value::as_object).all(is_tidy_map),
                _ => true,
            }
    })
}

fn tidy_map(map: &mut Map<String, Value>) {
    for value in map.values_mut() {
        match value {
            Value::Object(inner) => tidy_map(inner),
            Value::Array(list) => list.iter_mut().for_each(|v| {
                if let Value::Object(inner) = v {
                    tidy_map(inner);
                }
            }),
            _ => {}
        }
    }
    map.retain(|_, value| !is_nothing(value));
}
