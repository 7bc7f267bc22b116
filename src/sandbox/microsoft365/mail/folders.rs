//! Mail folders as a resource.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::query::{self as graph, Literal};
use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::Rules;
use super::super::{json_body, links};
use super::messages;
use super::store::{ABOVE, Folder, FolderMoment, Kind, ROOT, folder_id};
use crate::{Request, Response, State};

const PROPERTIES: [&str; 7] =
    ["id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"];
/// The most that `$top` may ask for.
const MOST_ROWS: usize = 250;

/// A folder that somebody makes.
pub(super) fn new(is_hidden: bool, kind: Kind) -> Folder {
    Folder { is_hidden, kind, known: "", history: Vec::new() }
}

/// Reads `$select`.
pub(super) fn select(text: Option<&str>) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !PROPERTIES.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.mailFolder'."
        ))),
        None => Ok(Some(names)),
    }
}

/// How many messages each folder holds now, and how many of them are unread.
pub(super) struct Counts(HashMap<u64, (usize, usize)>);

impl Counts {
    /// Counts the whole mailbox once.
    pub fn of(state: &State) -> Self {
        let store = &state.microsoft.mail;
        let mut counts: HashMap<u64, (usize, usize)> = HashMap::new();
        for message in store.messages.values() {
            let at = message.now();
            if let Some(folder) = at.folder {
                let (all, unread) = counts.entry(folder).or_default();
                *all += 1;
                *unread += usize::from(!at.body.is_read);
            }
        }
        for (key, folder) in &store.folders {
            if let Kind::Search(_) = folder.kind {
                let found = messages::inside(state, *key);
                let unread = found.iter().filter(|key| !store.messages[key].now().body.is_read).count();
                counts.insert(*key, (found.len(), unread));
            }
        }
        Self(counts)
    }
}

/// A folder as it was, with the counts of now.
pub(super) fn show(
    state: &State,
    key: u64,
    moment: &FolderMoment,
    counts: &Counts,
    select: Option<&[String]>,
) -> Map<String, Value> {
    let store = &state.microsoft.mail;
    let folder = &store.folders[&key];
    let (all, unread) = counts.0.get(&key).copied().unwrap_or_default();
    let children = store.children(key).into_iter().filter(|key| !store.folders[key].is_hidden).count();
    let values: [Value; 7] = [
        folder_id(key).into(),
        moment.name.as_str().into(),
        moment.parent.map(folder_id).into(),
        children.into(),
        unread.into(),
        all.into(),
        folder.is_hidden.into(),
    ];
    let is_asked = |name: &str| name == "id" || select.is_none_or(|select| select.iter().any(|have| have == name));
    let mut shown = Map::new();
    if let Kind::Search(_) = folder.kind {
        shown.insert("@odata.type".into(), "#microsoft.graph.mailSearchFolder".into());
    }
    shown.extend(PROPERTIES.into_iter().zip(values).filter(|(name, _)| is_asked(name)).map(|(n, v)| (n.to_owned(), v)));
    if let (Kind::Search(filter), None) = (&folder.kind, select) {
        shown.insert("isSupported".into(), true.into());
        shown.insert("includeNestedFolders".into(), true.into());
        shown.insert("sourceFolderIds".into(), json!([folder_id(ROOT)]));
        shown.insert("filterQuery".into(), filter.as_str().into());
    }
    shown
}

fn whole(state: &State, status: u16, key: u64, select: Option<&[String]>) -> Response {
    let mut shown = Map::new();
    shown.insert("@odata.context".into(), links::context(state, "mailFolders/$entity").into());
    let now = state.microsoft.mail.folders[&key].now();
    shown.extend(show(state, key, now, &Counts::of(state), select));
    Response::json(status, &ordered(shown, &state.switches))
}

/// Lists the folders under another, or makes one there.
pub(super) fn many(state: &mut State, request: &Request, parent: u64) -> Answer {
    match request.method.as_str() {
        "GET" => {
            let allowed = ["$select", "$filter", "$top", "$skip", "$skiptoken", "$count", "includehiddenfolders"];
            let options = graph::options(request, &allowed)?;
            let select = select(graph::option(&options, "$select"))?;
            let with_hidden = graph::option(&options, "includehiddenfolders") == Some("true");
            let name = graph::option(&options, "$filter").map(named).transpose()?;
            let store = &state.microsoft.mail;
            let mut keys = store.children(parent);
            keys.retain(|key| with_hidden || !store.folders[key].is_hidden);
            keys.retain(|key| name.as_ref().is_none_or(|name| store.folders[key].now().name == *name));
            let counts = Counts::of(state);
            let show = |key: u64| show(state, key, store.folders[&key].now(), &counts, select.as_deref());
            super::page_of(state, request, &options, "mailFolders", &keys, MOST_ROWS, |key| show(*key))
        }
        "POST" => {
            graph::options(request, &[])?;
            let (name, is_hidden) = read(&json_body(request)?, true)?;
            let name = name.ok_or_else(|| Refusal::new(400, "ErrorInvalidRequest", "The displayName is missing."))?;
            let rules = Rules::of(state);
            let folder = new(is_hidden, Kind::Mail);
            let key = state.microsoft.create_mail_folder(&rules, parent, &name, folder)?;
            Ok(whole(state, 201, key, None))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// The only filter there is: a name.
fn named(text: &str) -> Result<String, Refusal> {
    match graph::comparison(text) {
        Some(("displayName", "eq", Literal::Text(name))) => Ok(name),
        _ => Err(Refusal::bad(format!("Invalid filter clause: '{text}'."))),
    }
}

/// Shows, renames or deletes a folder.
pub(super) fn one(state: &mut State, request: &Request, key: u64) -> Answer {
    let options = graph::options(request, if request.method == "GET" { &["$select"] } else { &[] })?;
    let rules = Rules::of(state);
    match request.method.as_str() {
        "GET" => Ok(whole(state, 200, key, select(graph::option(&options, "$select"))?.as_deref())),
        "PATCH" => {
            if let (Some(name), _) = read(&json_body(request)?, false)? {
                let parent = state.microsoft.mail.folders[&key].now().parent.unwrap_or(ROOT);
                state.microsoft.edit_mail_folder(&rules, key, parent, &name)?;
            }
            Ok(whole(state, 200, key, None))
        }
        "DELETE" => {
            state.microsoft.delete_mail_folder(&rules, key)?;
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Moves a folder under another one, or copies it there.
pub(super) fn carry(state: &mut State, request: &Request, key: u64, is_copy: bool) -> Answer {
    let parent = super::destination(state, request)?;
    let rules = Rules::of(state);
    let is_outside = state.microsoft.mail.folders[&key].now().parent == Some(ABOVE);
    if is_outside {
        return Err(Refusal::new(400, "ErrorInvalidRequest", "This folder cannot be moved or copied."));
    }
    if is_copy {
        let copy = state.microsoft.copy_mail_folder(&rules, key, parent)?;
        return Ok(whole(state, 201, copy, None));
    }
    state.microsoft.check_is_own(key)?;
    let name = state.microsoft.mail.folders[&key].now().name.clone();
    state.microsoft.edit_mail_folder(&rules, key, parent, &name)?;
    Ok(whole(state, 201, key, None))
}

/// Deletes a folder for good.
pub(super) fn purge(state: &mut State, request: &Request, key: u64) -> Answer {
    if request.method != "POST" {
        return Err(Refusal::no_method());
    }
    state.microsoft.check_is_own(key)?;
    let rules = Rules::of(state);
    state.microsoft.purge_mail_folder(&rules, key);
    Ok(Response::empty(204))
}

/// The name and whether it is hidden; the latter is set at creation only.
fn read(sent: &Value, is_new: bool) -> Result<(Option<String>, bool), Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::body("A folder is an object."))?;
    let (mut name, mut is_hidden) = (None, false);
    for (property, value) in object {
        match (property.as_str(), value) {
            ("displayName", Value::String(text)) => name = Some(text.clone()),
            ("isHidden", Value::Bool(value)) if is_new => is_hidden = *value,
            (known, _) if PROPERTIES.contains(&known) => return Err(Refusal::read_only(known)),
            _ => return Err(Refusal::no_property(property, "mailFolder")),
        }
    }
    Ok((name, is_hidden))
}
