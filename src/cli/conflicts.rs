//! `twofold conflicts`: fields that two sides changed differently.

use super::Context;
use super::decide::{self, Done};
use crate::daemon::Decision;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use twofold_cycle::report::exit;
use twofold_hub::items::Origin;
use twofold_hub::{Conflict, Hub};
use twofold_model::merge::{put_at, value_at};
use twofold_model::{Content, Error, ErrorKind, Kind, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object on stdout
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Both sides of one conflict
    Show {
        /// The first word of a line of `twofold conflicts`
        id: String,
    },
    /// Decide
    Resolve {
        /// The first word of a line of `twofold conflicts`
        id: String,
        /// Which side is to be shown everywhere
        #[arg(long, value_name = "SIDE")]
        take: Side,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// What is shown now.
    Shown,
    /// What is not shown.
    Other,
}

/// Lists, shows or resolves.
pub async fn run(context: &Context, args: Args) -> Result<i32> {
    let config = context.config()?;
    match args.action {
        None => list(&context.hub_to_read(&config)?, args.json),
        Some(Action::Show { id }) => show(&context.hub_to_read(&config)?, &id),
        Some(Action::Resolve { id, take }) => {
            decide::run(context, Decision::Resolve { id, other: take == Side::Other }).await
        }
    }
}

fn find(hub: &Hub, id: &str) -> Result<Conflict> {
    let Some(conflict) = hub.conflict(id)? else {
        let words = match hub.resolved(id)? {
            Some(at_ms) => format!(
                "{id} was already resolved at {}; that stays, and nothing was done now. See: twofold conflicts",
                super::second(at_ms)
            ),
            None => format!("there is no open conflict \"{id}\"; nothing was done. See: twofold conflicts"),
        };
        return Err(Error::new(ErrorKind::Misconfigured, words));
    };
    Ok(conflict)
}

/// A conflict, and what people are shown of it.
pub(super) struct Shown {
    pub(super) conflict: Conflict,
    pub(super) kind: Kind,
    pub(super) collection: String,
    pub(super) title: String,
}

/// Everything that is in conflict, oldest first.
pub(super) fn shown(hub: &Hub) -> Result<Vec<Shown>> {
    let mut all = Vec::new();
    for conflict in hub.conflicts()? {
        let item = hub.item(conflict.item)?;
        let title = super::title(&hub.version(item.version)?.content);
        let collection = match hub.stands(item.id)?.first() {
            Some(id) => hub.collection(*id)?.map(|collection| collection.name).unwrap_or_default(),
            None => String::new(),
        };
        all.push(Shown { conflict, kind: item.kind, collection, title });
    }
    Ok(all)
}

fn list(hub: &Hub, as_json: bool) -> Result<i32> {
    let mut rows = Vec::new();
    for Shown { conflict, kind, collection, title } in shown(hub)? {
        if !as_json {
            println!("{} {kind} {collection}: {title}: {}", conflict.id, conflict.fields.join(", "));
        }
        rows.push(json!({
            "id": conflict.id, "kind": kind.as_str(), "collection": collection, "title": title,
            "fields": conflict.fields, "sides": ["shown", "other"],
        }));
    }
    if as_json {
        super::print_json(&json!({"schema": 1, "conflicts": rows}));
    }
    Ok(exit::ALIGNED)
}

/// The value of a field, for people: of a component its text.
fn value(content: &Content, path: &str) -> Value {
    match value_at(content, path) {
        Some(Value::Object(part)) if part.contains_key("kind") && part.contains_key("value") => part["value"].clone(),
        value => value.unwrap_or(Value::Null),
    }
}

fn show(hub: &Hub, id: &str) -> Result<i32> {
    let conflict = find(hub, id)?;
    let current = hub.version(hub.item(conflict.item)?.version)?.content;
    let other = hub.version(conflict.other)?.content;
    for field in &conflict.fields {
        println!("{field}\n    shown: {}\n    other: {}", value(&current, field), value(&other, field));
    }
    Ok(exit::ALIGNED)
}

/// Decides; `other`: for what is not shown now. The side that is taken is a new version with both as its parents.
///
/// Keeps promise 14: version and decision are one transaction, and neither side is destroyed.
pub(super) fn resolve(hub: &mut Hub, id: &str, other: bool, now_ms: i64) -> Result<Done> {
    let conflict = find(hub, id)?;
    let item = hub.item(conflict.item)?;
    let current = hub.version(item.version)?;
    hub.atomically("resolve", |hub| {
        if other {
            let other = hub.version(conflict.other)?.content;
            let mut content = current.content.clone();
            for field in &conflict.fields {
                put_at(&mut content, field, value_at(&other, field).unwrap_or(Value::Null));
            }
            let origin = Origin { at_ms: now_ms, rank: current.rank, source: None };
            let version =
                hub.add_version(item.id, &content.tidied(), origin, Some(item.version), Some(conflict.other))?;
            hub.set_version(item.id, version)?;
        }
        hub.resolve_conflict(id, now_ms)
    })?;
    Ok(Done { words: format!("{id} is resolved"), kinds: vec![item.kind] })
}
