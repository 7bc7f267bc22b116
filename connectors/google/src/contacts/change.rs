//! A create or an update on its way: what was asked for, and what is sent for it (pure).

use serde_json::Value;
use twofold_model::{Error, ErrorKind, Etag, Operation, Result};

use super::labels::Labels;
use super::rendering::{
    PhotoChange, changed_fields, changed_person, group_names, memberships, new_person, parse, photo_change,
};
use super::wire::Object;

/// A create or an update, ready to be sent.
pub(super) struct Change {
    /// Its place among the operations.
    pub(super) index: usize,
    /// The contact that is changed; nothing for a create.
    pub(super) name: Option<String>,
    /// The guard of an update.
    pub(super) etag: Option<Etag>,
    /// What is sent.
    pub(super) person: Object,
    /// What it rested on, for its photo.
    pub(super) from: Object,
    /// What was asked for, with the sources of what it rested on.
    pub(super) to: Object,
    /// What is done with its photo, after the person is written.
    pub(super) photo: PhotoChange,
    /// The groups of its keywords, as they were sent; empty where memberships are not sent.
    pub(super) labels: Labels,
    /// After a refusal it was looked whether its groups are still there.
    pub(super) is_looked_at: bool,
}

impl Change {
    /// Whether memberships are sent.
    pub(super) fn sends_groups(&self) -> bool {
        self.person.contains_key("memberships")
    }

    /// The keywords that need a group.
    pub(super) fn keywords(&self) -> impl Iterator<Item = String> {
        group_names(&self.to).filter(|_| self.sends_groups()).map(str::to_owned)
    }

    /// Sends these groups in place of those that are gone; whether there are any.
    pub(super) fn follow(&mut self, labels: &Labels) -> bool {
        let follows = self.labels.follow(labels);
        if follows {
            let groups = memberships(&self.to, |name| self.labels.group(name));
            self.person.insert("memberships".into(), Value::Array(groups));
        }
        follows
    }
}

/// The keywords whose groups an operation sends.
pub(super) fn keywords_sent(operation: &Operation) -> Vec<String> {
    let (from, to) = match operation {
        Operation::Create { rendering, .. } => (None, rendering),
        Operation::Update { from, to, .. } => (parse(from).ok(), to),
        Operation::Delete { .. } | Operation::Copy { .. } | Operation::Move { .. } => return Vec::new(),
    };
    let Ok(to) = parse(to) else { return Vec::new() };
    let is_sent = from.is_none_or(|from| changed_fields(&from, &to).contains(&"memberships"));
    group_names(&to).filter(|_| is_sent).map(str::to_owned).collect()
}

/// What is to be sent for a create or an update, with the mask of the latter.
pub(super) fn prepare(index: usize, operation: &Operation, labels: &Labels) -> Result<(String, Change)> {
    let group = |name: &str| labels.group(name);
    let (mask, name, etag, from, to, person) = match operation {
        Operation::Create { rendering, .. } => {
            let to = parse(rendering)?;
            let person = new_person(&to, group);
            (Vec::new(), None, None, Object::new(), to, person)
        }
        Operation::Update { place, etag, from, to } => {
            let (from, to) = (parse(from)?, parse(to)?);
            let mask = changed_fields(&from, &to);
            let to = from_source(&from, to);
            let person = changed_person(place.remote_id.as_str(), etag, &to, &mask, group)
                .ok_or_else(|| Error::new(ErrorKind::Refused, "the rendering has no contact source"))?;
            (mask, Some(place.remote_id.0.clone()), Some(etag.clone()), from, to, person)
        }
        Operation::Delete { .. } => return Err(Error::new(ErrorKind::Unsupported, "a delete has nothing to send")),
        Operation::Copy { .. } | Operation::Move { .. } => return Err(operation.has_no_way()),
    };
    let photo = photo_change(Some(&from), &to);
    let mut change =
        Change { index, name, etag, person, from, to, photo, labels: Labels::default(), is_looked_at: false };
    change.labels = labels.of(change.keywords());
    Ok((mask.join(","), change))
}

/// `to` with the sources of `from`, where it has none of its own.
fn from_source(from: &Object, mut to: Object) -> Object {
    if !to.contains_key("metadata") {
        to.insert("metadata".into(), from.get("metadata").cloned().unwrap_or(Value::Null));
    }
    to
}
