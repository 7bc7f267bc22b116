//! Contacts: list, get, create, update, delete.

use serde_json::{Map, Value, json};

use super::fields::{self, Body, Change, PRIMARY, PROPERTIES};
use super::query::{self, Condition, Cursor, Facts, View};
use super::reply::{Answer, Refusal, ordered};
use super::store::{Contact, DELETED, IdForm, Microsoft, Moment, Rules, contact_id};
use super::{links, photo};
use crate::{Request, Response, State, Switches, clock};

/// A contact as it was at one moment, in the view asked for.
pub(super) fn show(
    graph: &Microsoft,
    key: u64,
    contact: &Contact,
    moment: &Moment,
    view: &View,
    switches: &Switches,
) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("@odata.etag".into(), etag(moment).into());
    for (name, _) in PROPERTIES.iter().filter(|(name, _)| *name == "id" || view.wants(name)) {
        let value = match *name {
            "id" => contact_id(key, moment.moves, view.form).into(),
            "createdDateTime" => clock::rfc3339_seconds(contact.created_ms).into(),
            "lastModifiedDateTime" => clock::rfc3339_seconds(moment.modified_ms).into(),
            "changeKey" => moment.change_key.clone().into(),
            "parentFolderId" => parent_id(graph, moment).into(),
            name => {
                let is_empty = !moment.body.fields.contains_key(name);
                if is_empty && switches.graph_omits_empty {
                    continue;
                }
                moment.body.shown(name)
            }
        };
        shown.insert((*name).into(), value);
    }
    if switches.graph_primary_addresses {
        for (at, name) in PRIMARY.iter().enumerate().filter(|(_, name)| view.wants(name)) {
            let entry = moment.body.fields.get("emailAddresses").and_then(|list| list.get(at));
            shown.insert((*name).into(), entry.cloned().unwrap_or_default());
        }
    }
    let is_asked = |(id, _): &&(String, String)| view.expand.contains(id);
    let extended: Vec<Value> =
        moment.body.extended.iter().filter(is_asked).map(|(id, value)| json!({ "id": id, "value": value })).collect();
    if !extended.is_empty() {
        shown.insert("singleValueExtendedProperties".into(), extended.into());
    }
    shown
}

/// The etag of a contact's moment.
pub(super) fn etag(moment: &Moment) -> String {
    format!("W/\"{}\"", moment.change_key)
}

/// The id of the folder a contact stands in.
pub(super) fn parent_id<'a>(graph: &'a Microsoft, moment: &Moment) -> &'a str {
    moment.folder.and_then(|key| graph.folders.get(&key)).map_or("", |folder| folder.id.as_str())
}

/// One contact as an answer, as it is now.
fn entity(state: &State, status: u16, key: u64, view: &View) -> Response {
    entity_at(state, status, key, state.microsoft.contacts[&key].now(), view)
}

fn entity_at(state: &State, status: u16, key: u64, moment: &Moment, view: &View) -> Response {
    let contact = &state.microsoft.contacts[&key];
    let mut whole = Map::new();
    whole.insert("@odata.context".into(), links::context(state, "contacts/$entity").into());
    whole.extend(show(&state.microsoft, key, contact, moment, view, &state.switches));
    Response::json(status, &ordered(whole, &state.switches)).with_header("etag", &etag(moment))
}

/// Finds the contact a path names; `folder` is the one in the path, if any.
pub(super) fn find(state: &State, request: &Request, folder: Option<u64>, id: &str) -> Result<u64, Refusal> {
    let key = state.microsoft.find(id, query::id_form(request))?;
    check_place(state, folder, state.microsoft.contacts[&key].now())?;
    Ok(key)
}

/// The contact that a path names, as it is shown to who reads it: as it was a while ago, if the switch says so.
fn read<'a>(state: &'a State, request: &Request, folder: Option<u64>, id: &str) -> Result<(u64, &'a Moment), Refusal> {
    let key = state.microsoft.find(id, query::id_form(request))?;
    let horizon = state.microsoft.horizon(state.now_ms(), state.switches.graph_reads_lag_s);
    let moment = state.microsoft.contacts[&key].at(horizon).ok_or_else(Refusal::not_found)?;
    check_place(state, folder, moment)?;
    Ok((key, moment))
}

/// Whether a contact can be had from the folder that a path names.
fn check_place(state: &State, folder: Option<u64>, moment: &Moment) -> Result<(), Refusal> {
    let stands_in = moment.folder;
    if stands_in == Some(DELETED) && state.switches.graph_deleted_answers_404 {
        return Err(Refusal::not_found());
    }
    if folder.is_some() && stands_in != folder {
        return Err(Refusal::not_found());
    }
    super::allow(state, stands_in)
}

/// Answers for one contact.
pub(super) fn one(state: &mut State, request: &Request, folder: Option<u64>, id: &str) -> Answer {
    let form = query::id_form(request);
    match request.method.as_str() {
        "GET" => {
            let options = query::options(request, &["$select", "$expand"])?;
            let select = query::select(query::option(&options, "$select"), "contact", &state.switches)?;
            let expand = query::expand(query::option(&options, "$expand"))?;
            let (key, moment) = read(state, request, folder, id)?;
            Ok(entity_at(state, 200, key, moment, &View { form, select, expand }))
        }
        "PATCH" => {
            query::options(request, &[])?;
            let key = find(state, request, folder, id)?;
            let sent = super::json_body(request)?;
            check_match(state, request, key)?;
            let old = state.microsoft.contacts[&key].now().body.clone();
            let body = fields::read(&sent, Change::Patch, &old, &state.switches)?;
            check_luck(state)?;
            if *old != body || state.switches.graph_patch_always_restamps {
                let rules = Rules::of(state);
                state.microsoft.edit(&rules, key, body);
            }
            Ok(patched(state, key, form))
        }
        "DELETE" => {
            query::options(request, &[])?;
            let key = find(state, request, folder, id)?;
            check_match(state, request, key)?;
            let rules = Rules::of(state);
            state.microsoft.delete(&rules, key);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// The answer to a PATCH, as whole as the switch says.
fn patched(state: &State, key: u64, form: IdForm) -> Response {
    let now = state.microsoft.contacts[&key].now();
    let id = contact_id(key, now.moves, form);
    match state.switches.graph_patch_answer.as_str() {
        "none" => Response::empty(204),
        "stub" => Response::json(200, &json!({ "@odata.etag": etag(now), "id": id })),
        "nameless" => Response::json(200, &json!({ "id": id })),
        _ => entity(state, 200, key, &View::whole(form)),
    }
}

/// `If-Match`: one of the etags named must be the present one.
fn check_match(state: &State, request: &Request, key: u64) -> Result<(), Refusal> {
    if state.switches.graph_ignores_if_match {
        return Ok(());
    }
    let now = etag(state.microsoft.contacts[&key].now());
    let mut named = request.headers_named("if-match").flat_map(|header| header.split(',')).map(str::trim).peekable();
    if named.peek().is_none() || named.any(|tag| tag == "*" || tag == now) { Ok(()) } else { Err(Refusal::stale()) }
}

/// Every n-th update meets a conflict that nobody made, if the switch says so.
pub(super) fn check_luck(state: &mut State) -> Result<(), Refusal> {
    let every = u64::from(state.switches.graph_false_conflict);
    state.microsoft.guarded += 1;
    if every > 0 && state.microsoft.guarded.is_multiple_of(every) { Err(Refusal::stale()) } else { Ok(()) }
}

/// Answers for the contacts of one folder.
pub(super) fn many(state: &mut State, request: &Request, folder: u64) -> Answer {
    match request.method.as_str() {
        "GET" => list(state, request, folder),
        "POST" => create(state, request, folder),
        _ => Err(Refusal::no_method()),
    }
}

fn create(state: &mut State, request: &Request, folder: u64) -> Answer {
    query::options(request, &[])?;
    let sent = super::json_body(request)?;
    let body = fields::read(&sent, Change::Create, &Body::default(), &state.switches)?;
    if let Some(parent) = sent["parentFolderId"].as_str()
        && state.microsoft.find_folder(parent)? != folder
    {
        return Err(Refusal::new(
            400,
            "ErrorInvalidRequest",
            "The parentFolderId is not that of the request's folder.",
        ));
    }
    let rules = Rules::of(state);
    let key = state.microsoft.create(&rules, folder, body);
    let form = query::id_form(request);
    let id = contact_id(key, 0, form);
    let reply = entity(state, 201, key, &View::whole(form));
    Ok(reply.with_header("location", &links::api(state, &format!("me/contacts('{}')", links::escape(&id)))))
}

fn list(state: &State, request: &Request, folder: u64) -> Answer {
    const ALLOWED: [&str; 8] = ["$top", "$skip", "$select", "$expand", "$filter", "$orderby", "$count", "$skiptoken"];
    let options = query::options(request, &ALLOWED)?;
    let option = |name| query::option(&options, name);
    let switches = &state.switches;
    let view = View {
        form: query::id_form(request),
        select: query::select(option("$select"), "contact", switches)?,
        expand: query::expand(option("$expand"))?,
    };
    let conditions = query::filter(option("$filter"))?;
    let order = query::orderby(option("$orderby"))?;
    if let Some((name, _)) = &order
        && !conditions.is_empty()
        && conditions[0].property() != name
    {
        let text = "The restriction or sort order is too complex for this operation.";
        return Err(Refusal::new(400, "InefficientFilter", text));
    }
    let keys = matching(state, folder, &conditions, order);
    let from = start(option("$skip"), option("$skiptoken"))?;
    let (end, next) = query::cut(from, keys.len(), query::rows(option("$top"), request, query::MOST_ROWS)?, switches);
    let rows = keys.get(from.offset..end).unwrap_or_default().iter().map(|key| {
        let contact = &state.microsoft.contacts[key];
        ordered(show(&state.microsoft, *key, contact, contact.now(), &view, switches), switches)
    });
    let mut page = Map::new();
    page.insert("@odata.context".into(), links::context(state, "contacts").into());
    if let Some(count) = option("$count") {
        match count {
            "true" => _ = page.insert("@odata.count".into(), keys.len().into()),
            "false" => {}
            _ => return Err(Refusal::bad(format!("Invalid value '{count}' for $count query option found."))),
        }
    }
    page.insert("value".into(), rows.collect());
    if let Some(next) = next {
        page.insert("@odata.nextLink".into(), links::next(state, request, next).into());
    }
    Ok(links::confirm(Response::json(200, &page.into()), request))
}

/// Where a page begins: `$skip`, or the token of a link.
pub(super) fn start(skip: Option<&str>, token: Option<&str>) -> Result<Cursor, Refusal> {
    match (skip, token) {
        (None, None) => Ok(Cursor { offset: 0, page: 0 }),
        (Some(skip), None) => match skip.parse() {
            Ok(offset) => Ok(Cursor { offset, page: 0 }),
            Err(_) => Err(Refusal::bad(format!("Invalid value '{skip}' for $skip query option found."))),
        },
        (None, Some(token)) => links::read_cursor(token),
        (Some(_), Some(_)) => Err(Refusal::bad("$skip and $skiptoken exclude each other.")),
    }
}

fn matching(state: &State, folder: u64, conditions: &[Condition], order: Option<(String, bool)>) -> Vec<u64> {
    let graph = &state.microsoft;
    let mut keys = graph.inside(folder);
    let lag_ms = if conditions.is_empty() { 0 } else { state.switches.graph_filter_lag_s * 1000 };
    keys.retain(|key| graph.contacts[key].created_ms + lag_ms <= state.now_ms());
    keys.retain(|key| {
        let contact = &graph.contacts[key];
        let now = contact.now();
        // The filter sees the times that are shown: whole seconds.
        let facts = Facts {
            body: &now.body,
            created_ms: contact.created_ms / 1000 * 1000,
            modified_ms: now.modified_ms / 1000 * 1000,
            parent_id: parent_id(graph, now),
        };
        conditions.iter().all(|condition| condition.holds(&facts))
    });
    match order {
        Some((name, is_descending)) => {
            let by = |key: &u64| {
                let contact = &graph.contacts[key];
                match name.as_str() {
                    "createdDateTime" => clock::rfc3339_seconds(contact.created_ms),
                    "lastModifiedDateTime" => clock::rfc3339_seconds(contact.now().modified_ms),
                    name => contact.now().body.text(name).to_lowercase(),
                }
            };
            keys.sort_by_cached_key(by);
            if is_descending {
                keys.reverse();
            }
        }
        None if state.switches.reorder_fields => keys.reverse(),
        None => {}
    }
    keys
}

/// A contact in full, for a test to compare: writable properties, extended properties, photo.
pub(super) fn dump(graph: &Microsoft, key: u64) -> Value {
    let contact = &graph.contacts[&key];
    let now = contact.now();
    let view = View::whole(IdForm::Immutable);
    let mut whole = show(graph, key, contact, now, &view, &Switches::default());
    let extended = now.body.extended.iter().map(|(id, value)| json!({ "id": id, "value": value }));
    whole.insert("singleValueExtendedProperties".into(), extended.collect());
    whole.insert("photo".into(), photo::dump(contact.photo.as_ref()));
    whole.into()
}
