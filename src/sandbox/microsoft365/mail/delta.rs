//! Deltas of mail: of the messages of one folder, and of all folders, flat. A round is computed anew for each page, and a
//! row is shown only when its page is asked for.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::feed::{MOST_ROWS, USUAL_ROWS, touched};
use super::super::query::Literal;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::rounds::{self, Round};
use super::super::store::{IdForm, Touched};
use super::super::{links, query as graph};
use super::folders;
use super::folders::Counts;
use super::messages::{self, View};
use super::query::{self, Condition};
use super::store::{ABOVE, BIN, Kind, Message, Moment, folder_id, message_id};
use crate::{Request, Response, State};

/// The most messages that a filtered first round tells of.
const MOST_FILTERED: usize = 5_000;

/// Answers `mailFolders/delta`.
pub(super) fn folders(state: &mut State, request: &Request) -> Answer {
    let path = "me/mailFolders/delta";
    let check = |round: &Round| folders::select(asked(round, "$select")).map(drop);
    let round = round(state, request, "mailfolders", path, &["$select"], check)?;
    let select = folders::select(asked(&round, "$select"))?;
    let store = &state.microsoft.mail;
    let counts_too = select.iter().flatten().any(|name| name.ends_with("ItemCount")) || select.is_none();
    let keys: BTreeSet<u64> = match round.since {
        None => store.folders.keys().copied().collect(),
        Some(since) => {
            let mut keys = BTreeSet::new();
            for what in touched(&state.microsoft, since, round.horizon) {
                match what {
                    Touched::MailFolder(key) => _ = keys.insert(key),
                    // A folder's counts are properties of it.
                    Touched::Message(key) if counts_too && state.switches.graph_folder_delta_tells_counts => {
                        let message = &store.messages[&key];
                        let path = message.history.iter().filter(|at| at.seq > since && at.seq <= round.horizon);
                        keys.extend(message.at(since).into_iter().chain(path).filter_map(|at| at.folder));
                    }
                    _ => {}
                }
            }
            keys
        }
    };
    let is_told = |key: &u64| {
        let folder = &store.folders[key];
        let hidden = &state.switches.graph_folder_delta_hides;
        folder.now().parent != Some(ABOVE)
            && (hidden.is_empty() || folder.now().name != *hidden)
            && (folder.kind != Kind::Other || state.switches.graph_folder_delta_tells_other_folders)
    };
    let row = |key: u64| {
        let folder = &store.folders[&key];
        let moment = folder.at(round.horizon)?;
        let moment = match (moment.parent, state.switches.graph_folder_delta_binned.as_str()) {
            (Some(BIN), "removed") | (None, _) => None,
            (Some(BIN), "before") => folder.history.iter().rfind(|one| one.parent != Some(BIN)).or(Some(moment)),
            (Some(_), _) => Some(moment),
        };
        match moment {
            Some(moment) => Some(Row::Folder(key, moment)),
            None => round.since.map(|_| Row::Gone(folder_id(key), "deleted")),
        }
    };
    let rows: Vec<Row<'_>> = keys.into_iter().filter(is_told).filter_map(row).collect();
    let counts = Counts::of(state);
    page(state, request, &round, path, "mailFolder", rows, |row| match row {
        Row::Folder(key, moment) => folders::show(state, *key, moment, &counts, select.as_deref()),
        row => row.removed(),
    })
}

/// Answers `messages/delta` of a folder.
pub(super) fn messages(state: &mut State, request: &Request, folder: u64, path: &str) -> Answer {
    if state.microsoft.mail.folders[&folder].kind != Kind::Mail {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "A search folder cannot be synchronized."));
    }
    let subject = format!("messages-{folder}");
    let options = ["$select", "$expand", "$filter", "$orderby", "$top", "changetype"];
    let round = round(state, request, &subject, path, &options, |round| Ask::read(request, round).map(drop))?;
    let ask = Ask::read(request, &round)?;
    let mut rows = match round.since {
        None => first(state, &round, folder, &ask),
        Some(_) if state.switches.graph_message_delta_loses => Vec::new(),
        Some(since) => later(state, &round, folder, since, ask.view.form),
    };
    rows.retain(|row| match row {
        Row::Message { before, .. } => ask.tells(if before.is_some() { "updated" } else { "created" }),
        _ => ask.tells("deleted"),
    });
    page(state, request, &round, path, "message", rows, |row| match row {
        Row::Message { key, message, at, before } => {
            let mut shown = Map::from_iter([("@odata.type".into(), "#microsoft.graph.message".into())]);
            shown.extend(messages::show(*key, message, at, &ask.view));
            let is_read_alone = before.is_some_and(|before| {
                let mut body = (*before.body).clone();
                body.is_read = at.body.is_read;
                before.body.is_read != at.body.is_read && body == *at.body
            });
            if is_read_alone && state.switches.graph_delta_read_state_alone {
                shown.retain(|name, _| ["@odata.type", "@odata.etag", "id"].contains(&name.as_str()));
                shown.insert("isRead".into(), at.body.is_read.into());
            }
            shown
        }
        row => row.removed(),
    })
}

/// What a round of messages was asked for.
struct Ask {
    view: View,
    filter: Vec<Condition>,
    /// Empty = all.
    kinds: Vec<String>,
}

impl Ask {
    fn read(request: &Request, round: &Round) -> Result<Self, Refusal> {
        let view = View::read(request, asked(round, "$select"), asked(round, "$expand"))?;
        let filter = query::filter(asked(round, "$filter"))?;
        let is_time = |condition: &Condition| {
            matches!(condition, Condition::Property { name, operator, literal: Literal::Time(_) }
                if name == "receivedDateTime" && ["ge", "gt"].contains(&operator.as_str()))
        };
        let is_order = asked(round, "$orderby").is_none_or(|text| text.trim() == "receivedDateTime desc");
        if filter.len() > 1 || !filter.iter().all(is_time) || !is_order {
            let text =
                "A delta of messages takes '$filter=receivedDateTime ge|gt' and '$orderby=receivedDateTime desc' only.";
            return Err(Refusal::new(400, "ErrorInvalidUrlQuery", text));
        }
        let kinds: Vec<String> =
            asked(round, "changetype").map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default();
        if let Some(kind) = kinds.iter().find(|kind| !["created", "updated", "deleted"].contains(&kind.as_str())) {
            return Err(Refusal::bad(format!("The changeType '{kind}' is not supported.")));
        }
        Ok(Self { view, filter, kinds })
    }

    fn tells(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|have| have == kind)
    }
}

/// One row of a round.
#[derive(Clone)]
enum Row<'a> {
    /// An id that is not here any more, and the reason given.
    Gone(String, &'a str),
    Folder(u64, &'a super::store::FolderMoment),
    /// A message, and what it was at the token's place, if it stood here.
    Message {
        key: u64,
        message: &'a Message,
        at: &'a Moment,
        before: Option<&'a Moment>,
    },
}

impl Row<'_> {
    fn removed(&self) -> Map<String, Value> {
        let Self::Gone(id, reason) = self else { return Map::new() };
        Map::from_iter([("id".into(), id.as_str().into()), ("@removed".into(), json!({ "reason": reason }))])
    }
}

fn first<'a>(state: &'a State, round: &Round, folder: u64, ask: &Ask) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let mut left = Vec::new();
    for (key, message) in &state.microsoft.mail.messages {
        let Some(at) = message.at(round.horizon) else { continue };
        if at.folder == Some(folder) {
            if ask.filter.iter().all(|condition| condition.holds(message, at)) {
                rows.push(Row::Message { key: *key, message, at, before: None });
            }
        } else if state.switches.graph_delta_first_round_removes
            && let Some(was) = message.history.iter().rfind(|at| at.seq <= round.horizon && at.folder == Some(folder))
        {
            left.push(Row::Gone(message_id(*key, was.moves, ask.view.form), "deleted"));
        }
    }
    rows.sort_by_key(|row| match row {
        Row::Message { at, key, .. } => std::cmp::Reverse((at.body.received_ms, *key)),
        _ => std::cmp::Reverse((0, 0)),
    });
    if !ask.filter.is_empty() {
        rows.truncate(MOST_FILTERED);
    }
    left.extend(rows);
    left
}

fn later<'a>(state: &'a State, round: &Round, folder: u64, since: u64, form: IdForm) -> Vec<Row<'a>> {
    let switches = &state.switches;
    let mut rows = Vec::new();
    for what in touched(&state.microsoft, since, round.horizon) {
        let Touched::Message(key) = what else { continue };
        let message = &state.microsoft.mail.messages[&key];
        let is_here = |at: &Moment| at.folder == Some(folder);
        let start = message.at(since);
        let before = start.filter(|at| is_here(at));
        let path: Vec<&Moment> =
            message.history.iter().filter(|at| at.seq > since && at.seq <= round.horizon).collect();
        let Some(last) = path.last().copied() else { continue };
        let is_immutable = form == IdForm::Immutable;
        // Provider: with immutable ids a message that left and came back between two polls is told as removed.
        let is_lost = is_immutable
            && switches.graph_immutable_move_hole
            && before.is_some()
            && path.iter().any(|at| !is_here(at));
        // Provider: or one that came from elsewhere is not told at all.
        let came = start.is_some() && before.is_none();
        let is_untold = is_immutable && switches.graph_mail_move_missing_at_goal && came;
        let stays = is_here(last) && !is_lost;
        let reason = if last.folder.is_some() { switches.graph_moved_reason.as_str() } else { "deleted" };
        let mut gone: Vec<String> = Vec::new();
        for at in before.into_iter().chain(path.iter().copied()).filter(|at| is_here(at)) {
            let id = message_id(key, at.moves, form);
            let is_now = stays && id == message_id(key, last.moves, form);
            if !is_now && !gone.contains(&id) {
                gone.push(id);
            }
        }
        rows.extend(gone.into_iter().map(|id| Row::Gone(id, reason)));
        if stays && !is_untold {
            let before =
                before.filter(|before| message_id(key, before.moves, form) == message_id(key, last.moves, form));
            rows.push(Row::Message { key, message, at: last, before });
        }
    }
    if switches.reorder_fields {
        rows.reverse();
    }
    rows
}

fn asked<'a>(round: &'a Round, name: &str) -> Option<&'a str> {
    Some(round.asked(name)).filter(|text| !text.is_empty())
}

fn round(
    state: &mut State,
    request: &Request,
    subject: &str,
    path: &str,
    allowed: &[&str],
    check: impl Fn(&Round) -> Result<(), Refusal>,
) -> Result<Round, Refusal> {
    if request.method != "GET" {
        return Err(Refusal::no_method());
    }
    let options = graph::options(request, &[allowed, &["$deltatoken", "$skiptoken"]].concat())?;
    let option = |name| graph::option(&options, name);
    match (option("$skiptoken"), option("$deltatoken").filter(|token| !token.is_empty())) {
        (None, None) => {
            let asked = allowed.iter().filter_map(|name| Some((*name, option(name)?)));
            let round = rounds::begin(state, subject.to_owned(), asked);
            check(&round)?;
            Ok(round)
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
    mut rows: Vec<Row<'_>>,
    show: impl Fn(&Row<'_>) -> Map<String, Value>,
) -> Answer {
    if round.since.is_some() && state.switches.graph_delta_repeats {
        rows.extend(rows.clone());
    }
    let top = asked(round, "$top").and_then(|top| top.parse().ok()).filter(|top| *top > 0);
    let size = graph::preferred_rows(request).or(top).unwrap_or(USUAL_ROWS).min(MOST_ROWS);
    let (end, next) = graph::cut(round.from, rows.len(), size, &state.switches);
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::api(state, &format!("$metadata#Collection({of})")).into());
    let rows = rows.get(round.from.offset..end).unwrap_or_default().iter();
    page.insert("value".into(), rows.map(|row| ordered(show(row), &state.switches)).collect());
    let (name, link) = round.link(state, path, next);
    page.insert(name.into(), link.into());
    Ok(links::confirm(Response::json(200, &page.into()), request))
}
