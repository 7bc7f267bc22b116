//! Deltas of mail: of the messages of one folder, and of all folders, flat.

use serde_json::{Map, Value, json};

use super::super::feed::{MOST_ROWS, USUAL_ROWS, touched};
use super::super::reply::{Answer, Refusal, ordered};
use super::super::rounds::{self, Round};
use super::super::store::{IdForm, Touched};
use super::super::{links, query as graph};
use super::store::{Message, Moment, RECOVERABLE, ROOT, folder_id, message_id};
use super::{folders, messages};
use crate::{Request, Response, State};

/// Answers `mailFolders/delta`.
pub(super) fn folders(state: &mut State, request: &Request) -> Answer {
    let path = "me/mailFolders/delta";
    let round = round(state, request, "mailfolders", path, |text| folders::select(text).map(|_| ()))?;
    let select = folders::select(asked(&round))?;
    let store = &state.microsoft.mail;
    let keys: Vec<u64> = match round.since {
        None => store.folders.keys().copied().collect(),
        Some(since) => {
            let of = |what| if let Touched::MailFolder(key) = what { Some(key) } else { None };
            touched(&state.microsoft, since, round.horizon).into_iter().filter_map(of).collect()
        }
    };
    let row = |key: &u64| {
        let folder = &store.folders[key];
        let moment = folder.at(round.horizon)?;
        match moment.parent {
            Some(_) => Some(folders::show(state, *key, folder, moment, select.as_deref())),
            None => round.since.map(|_| removed(&folder_id(*key))),
        }
    };
    let is_shown = |key: &&u64| **key != ROOT && **key != RECOVERABLE;
    let rows: Vec<_> = keys.iter().filter(is_shown).filter_map(row).collect();
    page(state, request, &round, path, "mailFolder", rows)
}

/// Answers `messages/delta` of a folder.
pub(super) fn messages(state: &mut State, request: &Request, folder: u64, path: &str) -> Answer {
    let subject = format!("messages-{folder}");
    let round = round(state, request, &subject, path, |text| messages::select(text).map(|_| ()))?;
    let select = messages::select(asked(&round))?;
    let form = graph::id_form(request);
    let graph = &state.microsoft;
    let show = |key, message: &Message, at: &Moment| messages::show(key, message, at, form, select.as_deref(), &[]);
    let mut rows = Vec::new();
    match round.since {
        None => {
            for (key, message) in &graph.mail.messages {
                if let Some(at) = message.at(round.horizon).filter(|at| at.folder == Some(folder)) {
                    rows.push(show(*key, message, at));
                }
            }
        }
        Some(since) => {
            for what in touched(graph, since, round.horizon) {
                let Touched::Message(key) = what else { continue };
                let message = &graph.mail.messages[&key];
                let before = message.at(since).filter(|at| at.folder == Some(folder));
                let path: Vec<&Moment> =
                    message.history.iter().filter(|at| at.seq > since && at.seq <= round.horizon).collect();
                let Some(last) = path.last() else { continue };
                let is_here = |at: &Moment| at.folder == Some(folder);
                // Provider: with immutable ids a message that left and came back between two polls is told as removed.
                let hole = form == IdForm::Immutable && state.switches.graph_immutable_move_hole;
                let is_lost = hole && before.is_some() && path.iter().any(|at| !is_here(at));
                let stays = is_here(last) && !is_lost;
                let mut gone: Vec<String> = Vec::new();
                for at in before.into_iter().chain(path.iter().copied()).filter(|at| is_here(at)) {
                    let id = message_id(key, at.moves, form);
                    let is_now = stays && id == message_id(key, last.moves, form);
                    if !is_now && !gone.contains(&id) {
                        gone.push(id);
                    }
                }
                rows.extend(gone.iter().map(|id| removed(id)));
                if stays {
                    rows.push(show(key, message, last));
                }
            }
        }
    }
    page(state, request, &round, path, "message", rows)
}

fn removed(id: &str) -> Map<String, Value> {
    Map::from_iter([("id".into(), id.into()), ("@removed".into(), json!({ "reason": "deleted" }))])
}

fn asked(round: &Round) -> Option<&str> {
    Some(round.asked("$select")).filter(|select| !select.is_empty())
}

fn round(
    state: &mut State,
    request: &Request,
    subject: &str,
    path: &str,
    check: impl Fn(Option<&str>) -> Result<(), Refusal>,
) -> Result<Round, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    let options = graph::options(request, &["$select", "$deltatoken", "$skiptoken"])?;
    let option = |name| graph::option(&options, name);
    match (option("$skiptoken"), option("$deltatoken").filter(|token| !token.is_empty())) {
        (None, None) => {
            check(option("$select"))?;
            Ok(rounds::begin(state, subject.to_owned(), option("$select").map(|select| ("$select", select))))
        }
        (None, Some(token)) if options.len() == 1 => rounds::next(state, token, subject, path),
        (Some(token), None) if options.len() == 1 => rounds::page(state, token, subject, path),
        _ => Err(rounds::too_many_options()),
    }
}

fn page(
    state: &State,
    request: &Request,
    round: &Round,
    path: &str,
    of: &str,
    mut rows: Vec<Map<String, Value>>,
) -> Answer {
    if round.since.is_some() && state.switches.graph_delta_repeats {
        rows.extend(rows.clone());
    }
    let size = graph::preferred_rows(request).unwrap_or(USUAL_ROWS).min(MOST_ROWS);
    let (end, next) = graph::cut(round.from, rows.len(), size, &state.switches);
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::api(state, &format!("$metadata#Collection({of})")).into());
    let shown = rows.get(round.from.offset..end).unwrap_or_default().iter().cloned();
    page.insert("value".into(), shown.map(|row| ordered(row, &state.switches)).collect());
    let (name, link) = round.link(state, path, next);
    page.insert(name.into(), link.into());
    Ok(links::confirm(Response::json(200, &page.into()), request))
}
