//! Mail folders as a resource.

use serde_json::{Map, Value};

use super::super::query as graph;
use super::super::reply::{Answer, Refusal, ordered};
use super::super::store::Rules;
use super::super::{json_body, links};
use super::store::{Folder, FolderMoment, ROOT, folder_id};
use crate::{Request, Response, State};

const PROPERTIES: [&str; 7] =
    ["id", "displayName", "parentFolderId", "childFolderCount", "unreadItemCount", "totalItemCount", "isHidden"];

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

/// A folder as it was, with the counts of now.
pub(super) fn show(
    state: &State,
    key: u64,
    folder: &Folder,
    moment: &FolderMoment,
    select: Option<&[String]>,
) -> Map<String, Value> {
    let store = &state.microsoft.mail;
    let inside = store.inside(key);
    let is_unread = |key: &&u64| store.messages[key].now().body.fields.get("isRead") == Some(&Value::Bool(false));
    let unread = inside.iter().filter(is_unread).count();
    let children = store.children(key).into_iter().filter(|key| !store.folders[key].is_hidden).count();
    let values: [Value; 7] = [
        folder_id(key).into(),
        moment.name.as_str().into(),
        moment.parent.map(folder_id).into(),
        children.into(),
        unread.into(),
        inside.len().into(),
        folder.is_hidden.into(),
    ];
    let is_asked = |name: &str| name == "id" || select.is_none_or(|select| select.iter().any(|have| have == name));
    PROPERTIES.into_iter().zip(values).filter(|(name, _)| is_asked(name)).map(|(n, v)| (n.to_owned(), v)).collect()
}

fn show_now(state: &State, key: u64, select: Option<&[String]>) -> Map<String, Value> {
    let folder = &state.microsoft.mail.folders[&key];
    show(state, key, folder, folder.now(), select)
}

fn whole(state: &State, status: u16, key: u64, select: Option<&[String]>) -> Response {
    let mut shown = Map::new();
    shown.insert("@odata.context".into(), links::context(state, "mailFolders/$entity").into());
    shown.extend(show_now(state, key, select));
    Response::json(status, &ordered(shown, &state.switches))
}

/// Lists the folders under another, or makes one there.
pub(super) fn many(state: &mut State, request: &Request, parent: u64) -> Answer {
    match request.method.as_str() {
        "GET" => {
            let allowed = ["$select", "$top", "$skip", "$skiptoken", "$count", "includehiddenfolders"];
            let options = graph::options(request, &allowed)?;
            let select = select(graph::option(&options, "$select"))?;
            let with_hidden = graph::option(&options, "includehiddenfolders") == Some("true");
            let store = &state.microsoft.mail;
            let mut keys = store.children(parent);
            keys.retain(|key| with_hidden || !store.folders[key].is_hidden);
            super::page(state, request, &options, "mailFolders", &keys, |key| show_now(state, key, select.as_deref()))
        }
        "POST" => {
            graph::options(request, &[])?;
            let (name, is_hidden) = read(&json_body(request)?, true)?;
            let name = name.ok_or_else(|| Refusal::new(400, "ErrorInvalidRequest", "The displayName is missing."))?;
            let rules = Rules::of(state);
            let key = state.microsoft.create_mail_folder(&rules, parent, &name, is_hidden)?;
            Ok(whole(state, 201, key, None))
        }
        _ => Err(Refusal::no_method()),
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

/// Moves a folder under another one.
pub(super) fn move_to(state: &mut State, request: &Request, key: u64) -> Answer {
    let parent = super::destination(state, request)?;
    let name = state.microsoft.mail.folders[&key].now().name.clone();
    let rules = Rules::of(state);
    state.microsoft.edit_mail_folder(&rules, key, parent, &name)?;
    Ok(whole(state, 201, key, None))
}

/// Deletes a folder for good.
pub(super) fn purge(state: &mut State, request: &Request, key: u64) -> Answer {
    if request.method != "POST" {
        return Err(Refusal::no_method());
    }
    if super::store::KNOWN.iter().any(|(known, ..)| *known == key) {
        let text = "Distinguished folders cannot be deleted.";
        return Err(Refusal::new(400, "ErrorDeleteDistinguishedFolder", text));
    }
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
