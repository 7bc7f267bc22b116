//! Delta: what changed in a folder, or among the folders, since a place in the log.
//!
//! A round goes from a token's place to the horizon, which is fixed when the round begins (`rounds.rs`); each page is
//! computed anew from the history, so a link can be asked twice.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::fields::PROPERTIES;
use super::query::{self, View};
use super::reply::{Answer, Refusal, ordered};
use super::rounds::{self, Round};
use super::store::{
    CONTACTS, Contact, DELETED, Folder, FolderMoment, IdForm, Microsoft, Moment, ROOT, Touched, contact_id,
};
use super::{contacts, folders, links};
use crate::{Request, Response, State, Switches};

/// Rows of a page for which the request prefers no size.
pub(super) const USUAL_ROWS: usize = 10;
pub(super) const MOST_ROWS: usize = 1000;

/// What a delta is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The contacts of one folder.
    Contacts(u64),
    /// All contact folders, flat.
    Folders,
}

/// Answers a delta request; `path` is the resource as links name it, after the version.
pub(super) fn delta(state: &mut State, request: &Request, scope: Scope, path: &str) -> Answer {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    let options = query::options(request, &["$select", "$deltatoken", "$skiptoken"])?;
    let option = |name| query::option(&options, name);
    let of = if scope == Scope::Folders { "contactFolder" } else { "contact" };
    let round = match (option("$skiptoken"), option("$deltatoken").filter(|token| !token.is_empty())) {
        (None, None) => {
            query::select(option("$select"), of, &state.switches)?;
            let asked = option("$select").map(|select| ("$select", select));
            rounds::begin(state, subject(scope), asked)
        }
        (None, Some(token)) if options.len() == 1 => rounds::next(state, token, &subject(scope), path)?,
        (Some(token), None) if options.len() == 1 => rounds::page(state, token, &subject(scope), path)?,
        _ => return Err(rounds::too_many_options()),
    };
    let select = round.asked("$select");
    let asked = (!select.is_empty()).then_some(select);
    let view = View { select: query::select(asked, of, &state.switches)?, ..View::whole(query::id_form(request)) };
    let rows = rows(state, &round, scope, view.form);
    let size = query::preferred_rows(request).unwrap_or(USUAL_ROWS).min(MOST_ROWS);
    let (end, next) = query::cut(round.from, rows.len(), size, &state.switches);
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::api(state, &format!("$metadata#Collection({of})")).into());
    let shown = rows.get(round.from.offset..end).unwrap_or_default();
    page.insert(
        "value".into(),
        shown.iter().map(|row| ordered(row.show(&state.microsoft, &view, &state.switches), &state.switches)).collect(),
    );
    let (name, link) = round.link(state, path, next);
    page.insert(name.into(), link.into());
    Ok(links::confirm(Response::json(200, &page.into()), request))
}

/// What tokens call the thing that they are about.
fn subject(scope: Scope) -> String {
    match scope {
        Scope::Folders => "folders".into(),
        Scope::Contacts(folder) => format!("contacts-{folder}"),
    }
}

/// What the log names between two places, each thing once, in the order of its last change.
pub(super) fn touched(graph: &Microsoft, since: u64, horizon: u64) -> Vec<Touched> {
    let place = |seq: u64| (seq as usize).min(graph.log.len());
    let lines = &graph.log[place(since)..place(horizon).max(place(since))];
    let mut seen = HashSet::new();
    let mut found: Vec<Touched> = lines.iter().rev().map(|line| line.what).filter(|what| seen.insert(*what)).collect();
    found.reverse();
    found
}

/// One row of a round. It is shown only when its page is asked for.
#[derive(Clone)]
enum Row<'a> {
    /// An id that is no longer there.
    Gone(String),
    /// A contact, and what it was at the token's place.
    Contact { key: u64, contact: &'a Contact, moment: &'a Moment, before: Option<&'a Moment> },
    /// A folder.
    Folder(&'a Folder, &'a FolderMoment),
}

impl Row<'_> {
    fn show(&self, graph: &Microsoft, view: &View, switches: &Switches) -> Map<String, Value> {
        match self {
            Self::Gone(id) => {
                Map::from_iter([("id".into(), id.as_str().into()), ("@removed".into(), json!({ "reason": "deleted" }))])
            }
            Self::Folder(folder, moment) => folders::show(graph, folder, moment, view),
            Self::Contact { key, contact, moment, before } => {
                let mut shown = contacts::show(graph, *key, contact, moment, view, switches);
                if let Some(before) = before.filter(|_| switches.graph_sparse_delta) {
                    let is_equal = |name: &str| moment.body.shown(name) == before.body.shown(name);
                    for (name, _) in PROPERTIES.iter().filter(|(name, _)| !ALWAYS.contains(name)) {
                        if is_equal(name) {
                            shown.shift_remove(*name);
                        }
                    }
                }
                shown
            }
        }
    }
}

/// What even a sparse row holds.
const ALWAYS: [&str; 5] = ["id", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId"];

/// All rows of a round in the order in which they are shown.
fn rows<'a>(state: &'a State, round: &Round, scope: Scope, form: IdForm) -> Vec<Row<'a>> {
    let mut rows = match scope {
        Scope::Contacts(folder) => contact_rows(state, round, folder, form),
        Scope::Folders => folder_rows(state, round),
    };
    if state.switches.reorder_fields {
        rows.reverse();
    }
    if round.since.is_some() && state.switches.graph_delta_repeats {
        rows.extend(rows.clone());
    }
    rows
}

fn contact_rows<'a>(state: &'a State, round: &Round, folder: u64, form: IdForm) -> Vec<Row<'a>> {
    let graph = &state.microsoft;
    let Some(since) = round.since else {
        let there = graph.contacts.iter().filter_map(|(key, contact)| {
            let moment = contact.at(round.horizon).filter(|moment| moment.folder == Some(folder))?;
            Some(Row::Contact { key: *key, contact, moment, before: None })
        });
        return there.collect();
    };
    let mut rows = Vec::new();
    for what in touched(graph, since, round.horizon) {
        let Touched::Contact(key) = what else { continue };
        let contact = &graph.contacts[&key];
        let story = Story {
            before: contact.at(since).filter(|moment| moment.folder == Some(folder)),
            path: contact.history.iter().filter(|at| at.seq > since && at.seq <= round.horizon).collect(),
            folder,
        };
        match form {
            IdForm::Immutable => rows.extend(story.immutable(key, contact, state.switches.graph_immutable_move_hole)),
            IdForm::Regular => rows.extend(story.regular(key, contact)),
        }
    }
    rows
}

/// One contact between a token's place and the horizon, as one folder sees it.
struct Story<'a> {
    /// What it was before, if it stood here.
    before: Option<&'a Moment>,
    /// What it became since, oldest first.
    path: Vec<&'a Moment>,
    folder: u64,
}

impl<'a> Story<'a> {
    fn is_here(&self, moment: &Moment) -> bool {
        moment.folder == Some(self.folder)
    }

    fn immutable(&self, key: u64, contact: &'a Contact, has_hole: bool) -> Option<Row<'a>> {
        let moment = *self.path.last()?;
        let was_away = self.path.iter().any(|at| !self.is_here(at));
        let was_here = self.before.is_some() || self.path.iter().any(|at| self.is_here(at));
        // Provider: an item that left and came back between two polls is reported as removed, and never again.
        let is_lost = has_hole && self.before.is_some() && was_away;
        if self.is_here(moment) && !is_lost {
            return Some(Row::Contact { key, contact, moment, before: self.before });
        }
        was_here.then(|| Row::Gone(contact_id(key, moment.moves, IdForm::Immutable)))
    }

    /// Each id that it had here and has here no longer is removed; the one it has now is a row.
    fn regular(&self, key: u64, contact: &'a Contact) -> Vec<Row<'a>> {
        let Some(last) = self.path.last().copied() else { return Vec::new() };
        let stays = self.is_here(last);
        let mut left: Vec<u32> = Vec::new();
        for at in self.before.into_iter().chain(self.path.iter().copied()).filter(|at| self.is_here(at)) {
            if (!stays || at.moves != last.moves) && !left.contains(&at.moves) {
                left.push(at.moves);
            }
        }
        let gone = |moves| Row::Gone(contact_id(key, moves, IdForm::Regular));
        let mut rows: Vec<Row<'a>> = left.into_iter().map(gone).collect();
        if stays {
            let before = self.before.filter(|before| before.moves == last.moves);
            rows.push(Row::Contact { key, contact, moment: last, before });
        }
        rows
    }
}

fn folder_rows<'a>(state: &'a State, round: &Round) -> Vec<Row<'a>> {
    let (graph, switches) = (&state.microsoft, &state.switches);
    let is_shown = |key: &u64| match *key {
        ROOT | DELETED => false,
        CONTACTS => switches.graph_default_folder_listed,
        _ => true,
    };
    let keys: Vec<u64> = match round.since {
        None => graph.folders.keys().copied().collect(),
        Some(since) => touched(graph, since, round.horizon)
            .into_iter()
            .filter_map(|what| match what {
                Touched::Folder(key) => Some(key),
                _ => None,
            })
            .collect(),
    };
    let row = |key: u64| {
        let folder = &graph.folders[&key];
        let moment = folder.at(round.horizon)?;
        match moment.parent {
            Some(_) => Some(Row::Folder(folder, moment)),
            None => round.since.map(|_| Row::Gone(folder.id.clone())),
        }
    };
    keys.into_iter().filter(is_shown).filter_map(row).collect()
}
