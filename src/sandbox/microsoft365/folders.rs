//! Contact folders: list, get, create, rename, move, delete. The default folder is not listed among them.

use serde_json::{Map, Value};

use super::query::{self, View};
use super::reply::{Answer, Refusal, ordered};
use super::store::{CONTACTS, Folder, FolderMoment, Microsoft, ROOT, Rules};
use super::{contacts, links};
use crate::{Request, Response, State};

const PROPERTIES: [&str; 3] = ["id", "displayName", "parentFolderId"];

/// A folder as it was at one moment, in the view asked for.
pub(super) fn show(graph: &Microsoft, folder: &Folder, moment: &FolderMoment, view: &View) -> Map<String, Value> {
    let mut shown = Map::new();
    for name in PROPERTIES.iter().filter(|name| **name == "id" || view.wants(name)) {
        let value = match *name {
            "id" => folder.id.as_str(),
            "displayName" => moment.name.as_str(),
            _ => moment.parent.and_then(|key| graph.folders.get(&key)).map_or("", |parent| parent.id.as_str()),
        };
        shown.insert((*name).into(), value.into());
    }
    shown
}

fn entity(state: &State, status: u16, key: u64, view: &View) -> Response {
    let folder = &state.microsoft.folders[&key];
    let mut whole = Map::new();
    whole.insert("@odata.context".into(), links::context(state, "contactFolders/$entity").into());
    whole.extend(show(&state.microsoft, folder, folder.now(), view));
    Response::json(status, &ordered(whole, &state.switches))
}

/// Answers for one folder.
pub(super) fn one(state: &mut State, request: &Request, key: u64) -> Answer {
    super::allow(state, Some(key))?;
    let form = query::id_form(request);
    match request.method.as_str() {
        "GET" => {
            let options = query::options(request, &["$select"])?;
            let select = query::select(query::option(&options, "$select"), "contactFolder", &state.switches)?;
            Ok(entity(state, 200, key, &View { select, ..View::whole(form) }))
        }
        "PATCH" => {
            query::options(request, &[])?;
            let sent = read(&super::json_body(request)?, state)?;
            if key == CONTACTS {
                let text = "Distinguished folders cannot be renamed or moved.";
                return Err(Refusal::new(400, "ErrorInvalidRequest", text));
            }
            let now = state.microsoft.folders[&key].now();
            let name = sent.name.unwrap_or_else(|| now.name.clone());
            let parent = sent.parent.or(now.parent).unwrap_or(ROOT);
            let rules = Rules::of(state);
            state.microsoft.edit_folder(&rules, key, parent, &name)?;
            Ok(entity(state, 200, key, &View::whole(form)))
        }
        "DELETE" => {
            query::options(request, &[])?;
            let rules = Rules::of(state);
            state.microsoft.delete_folder(&rules, key)?;
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Answers for the folders under another; `ROOT` stands for `/me/contactFolders`.
pub(super) fn many(state: &mut State, request: &Request, parent: u64) -> Answer {
    match request.method.as_str() {
        "GET" => list(state, request, parent),
        "POST" => {
            query::options(request, &[])?;
            let sent = read(&super::json_body(request)?, state)?;
            let name = sent.name.ok_or_else(|| Refusal::new(400, "ErrorInvalidRequest", "displayName is required."))?;
            // The documentation's example names the folder above in the body of a create under /me/contactFolders.
            let above = if parent == ROOT { sent.parent.unwrap_or(ROOT) } else { parent };
            if sent.parent.is_some_and(|named| named != above) {
                let text = "The parentFolderId is not that of the request's folder.";
                return Err(Refusal::new(400, "ErrorInvalidRequest", text));
            }
            let rules = Rules::of(state);
            let key = state.microsoft.create_folder(&rules, above, &name)?;
            Ok(entity(state, 201, key, &View::whole(query::id_form(request))))
        }
        _ => Err(Refusal::no_method()),
    }
}

fn list(state: &State, request: &Request, parent: u64) -> Answer {
    let options = query::options(request, &["$top", "$skip", "$select", "$skiptoken"])?;
    let option = |name| query::option(&options, name);
    let select = query::select(option("$select"), "contactFolder", &state.switches)?;
    let view = View { select, ..View::whole(query::id_form(request)) };
    let mut keys = state.microsoft.children(parent);
    keys.retain(|key| *key != CONTACTS || state.switches.graph_default_folder_listed);
    if state.switches.reorder_fields {
        keys.reverse();
    }
    let from = contacts::start(option("$skip"), option("$skiptoken"))?;
    let (end, next) =
        query::cut(from, keys.len(), query::rows(option("$top"), request, query::MOST_ROWS)?, &state.switches);
    let rows = keys.get(from.offset..end).unwrap_or_default().iter().map(|key| {
        let folder = &state.microsoft.folders[key];
        ordered(show(&state.microsoft, folder, folder.now(), &view), &state.switches)
    });
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::context(state, "contactFolders").into());
    page.insert("value".into(), rows.collect());
    if let Some(next) = next {
        page.insert("@odata.nextLink".into(), links::next(state, request, next).into());
    }
    Ok(links::confirm(Response::json(200, &page.into()), request))
}

/// What a client says about a folder.
struct Sent {
    name: Option<String>,
    parent: Option<u64>,
}

fn read(sent: &Value, state: &State) -> Result<Sent, Refusal> {
    let Some(object) = sent.as_object() else {
        return Err(Refusal::body("A folder is an object."));
    };
    let mut read = Sent { name: None, parent: None };
    for (name, value) in object {
        match (name.as_str(), value) {
            ("displayName", Value::String(text)) => read.name = Some(text.clone()),
            ("parentFolderId", Value::String(id)) if *id == state.microsoft.folders[&ROOT].id => {
                read.parent = Some(ROOT);
            }
            ("parentFolderId", Value::String(id)) => read.parent = Some(state.microsoft.find_folder(id)?),
            ("displayName" | "parentFolderId", _) => {
                return Err(Refusal::body(format!("Cannot convert the value given for '{name}' to 'Edm.String'.")));
            }
            ("id", _) => return Err(Refusal::read_only(name)),
            _ => return Err(Refusal::no_property(name, "contactFolder")),
        }
    }
    Ok(read)
}
