//! Calendars and their groups: list, get, create, update, delete. There is no delta for them.

use serde_json::{Map, Value, json};

use super::super::links;
use super::super::query as graph;
use super::super::reply::{self, Answer, Refusal, ordered};
use super::super::store::{Rules, change_key};
use super::rule::wrong_type;
use super::store::{Calendar, DEFAULT, MINE, calendar_id, group_id};
use crate::{Request, Response, State};

/// The colours that a calendar can be set to, and what they look like.
const COLORS: [(&str, &str); 11] = [
    ("auto", ""),
    ("lightBlue", "#0078d4"),
    ("lightGreen", "#498205"),
    ("lightOrange", "#ca5010"),
    ("lightGray", "#7a7574"),
    ("lightYellow", "#eaa300"),
    ("lightTeal", "#038387"),
    ("lightPink", "#e3008c"),
    ("lightBrown", "#8e562e"),
    ("lightRed", "#d13438"),
    ("maxColor", ""),
];
const PROPERTIES: [&str; 14] = [
    "id",
    "name",
    "color",
    "hexColor",
    "isDefaultCalendar",
    "changeKey",
    "canShare",
    "canViewPrivateItems",
    "canEdit",
    "allowedOnlineMeetingProviders",
    "defaultOnlineMeetingProvider",
    "isTallyingResponses",
    "isRemovable",
    "owner",
];

/// A calendar, with the properties asked for.
pub(super) fn show(state: &State, key: u64, select: Option<&[String]>) -> Map<String, Value> {
    let calendar = &state.microsoft.calendar.calendars[&key];
    let user = &state.microsoft_account;
    let is_mine = calendar.owner.is_none();
    let (name, address) = match &calendar.owner {
        Some((name, address)) => (name, address),
        None => (&user.display_name, &user.email),
    };
    let providers = if is_mine { json!(["teamsForBusiness"]) } else { json!([]) };
    let value = |property: &str| match property {
        "id" => calendar_id(key).into(),
        "name" => calendar.name.clone().into(),
        "color" => calendar.color.clone().into(),
        "hexColor" => COLORS.iter().find(|(have, _)| *have == calendar.color).map_or("", |(_, hex)| hex).into(),
        "isDefaultCalendar" => (key == DEFAULT).into(),
        "changeKey" => change_key(key, 1_000_000 + calendar.changes).into(),
        "canShare" | "canViewPrivateItems" => is_mine.into(),
        "canEdit" => calendar.can_edit.into(),
        "allowedOnlineMeetingProviders" => providers.clone(),
        "defaultOnlineMeetingProvider" => if is_mine { "teamsForBusiness" } else { "unknown" }.into(),
        "isTallyingResponses" => is_mine.into(),
        "isRemovable" => calendar.is_removable.into(),
        _ => json!({ "name": name, "address": address }),
    };
    let is_asked = |property: &&&str| {
        **property == "id" || select.is_none_or(|select| select.iter().any(|have| have == **property))
    };
    let shown = PROPERTIES.iter().filter(is_asked).map(|property| ((*property).to_owned(), value(property)));
    let path = format!("users('{}@{}')/calendars('{}')", user.id, user.tenant, links::escape(&calendar_id(key)));
    [("@odata.id".to_owned(), links::api(state, &path).into())].into_iter().chain(shown).collect()
}

fn entity(state: &State, status: u16, key: u64, select: Option<&[String]>) -> Response {
    let mut whole = Map::new();
    whole.insert("@odata.context".into(), links::context(state, "calendars/$entity").into());
    whole.extend(show(state, key, select));
    Response::json(status, &ordered(whole, &state.switches))
}

fn read_select(options: &[(String, String)], known: &[&str], of: &str) -> Result<Option<Vec<String>>, Refusal> {
    let Some(text) = graph::option(options, "$select") else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type \
             'microsoft.graph.{of}'."
        ))),
        None => Ok(Some(names)),
    }
}

/// Answers for one calendar.
pub(super) fn one(state: &mut State, request: &Request, key: u64) -> Answer {
    match request.method.as_str() {
        "GET" => {
            let options = graph::options(request, &["$select"])?;
            let select = read_select(&options, &PROPERTIES, "calendar")?;
            Ok(entity(state, 200, key, select.as_deref()))
        }
        "PATCH" => {
            graph::options(request, &[])?;
            let sent = read(&super::super::json_body(request)?)?;
            change(state, key, sent)?;
            Ok(entity(state, 200, key, None))
        }
        "DELETE" => {
            graph::options(request, &[])?;
            if !state.microsoft.calendar.calendars[&key].is_removable {
                let text = "Distinguished folders cannot be deleted.";
                return Err(Refusal::new(400, "ErrorDeleteDistinguishedFolder", text));
            }
            let rules = Rules::of(state);
            state.microsoft.delete_calendar(&rules, key);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Answers for all calendars, or for those of one group.
pub(super) fn many(state: &mut State, request: &Request, group: Option<u64>) -> Answer {
    match request.method.as_str() {
        "GET" => {
            let options = graph::options(request, &["$top", "$skip", "$select", "$skiptoken"])?;
            let select = read_select(&options, &PROPERTIES, "calendar")?;
            let is_in = |(_, calendar): &(&u64, &Calendar)| group.is_none_or(|group| calendar.group == group);
            let keys: Vec<u64> = state.microsoft.calendar.calendars.iter().filter(is_in).map(|(key, _)| *key).collect();
            let row = |key: u64| show(state, key, select.as_deref());
            super::page(state, request, &options, "calendars", keys, row)
        }
        "POST" => {
            graph::options(request, &[])?;
            let sent = read(&super::super::json_body(request)?)?;
            let name = sent.name.ok_or_else(|| Refusal::new(400, "ErrorInvalidRequest", "A calendar needs a name."))?;
            let calendar = Calendar {
                name,
                color: sent.color.unwrap_or_else(|| "auto".into()),
                group: group.unwrap_or(MINE),
                can_edit: true,
                is_removable: true,
                owner: None,
                changes: 1,
            };
            let key = state.microsoft.calendar.add_calendar(calendar)?;
            Ok(entity(state, 201, key, None))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// What a client says about a calendar.
#[derive(Default)]
pub(super) struct Sent {
    pub name: Option<String>,
    pub color: Option<String>,
}

/// Gives a calendar another name or colour.
pub(super) fn change(state: &mut State, key: u64, sent: Sent) -> Result<(), Refusal> {
    if let Some(name) = &sent.name {
        state.microsoft.calendar.check_name(name, Some(key))?;
    }
    if let Some(calendar) = state.microsoft.calendar.calendars.get_mut(&key) {
        calendar.name = sent.name.unwrap_or_else(|| calendar.name.clone());
        calendar.color = sent.color.unwrap_or_else(|| calendar.color.clone());
        calendar.changes += 1;
    }
    Ok(())
}

/// The colour of this name.
pub(super) fn color(text: &str) -> Option<&'static str> {
    COLORS.iter().find(|(have, _)| have.eq_ignore_ascii_case(text)).map(|(name, _)| *name)
}

fn read(sent: &Value) -> Result<Sent, Refusal> {
    let object = sent.as_object().ok_or_else(|| Refusal::body("A calendar is an object."))?;
    let mut read = Sent::default();
    for (name, value) in object {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => read.name = Some(text.clone()),
            ("color", Value::String(text)) => {
                let color = color(text);
                let refusal = || Refusal::body(format!("Requested value '{text}' of 'color' was not found."));
                read.color = Some(color.ok_or_else(refusal)?.into());
            }
            ("name" | "color", _) => return Err(wrong_type(name, "Edm.String")),
            (name, _) if PROPERTIES.contains(&name) => return Err(Refusal::read_only(name)),
            _ => return Err(Refusal::no_property(name, "calendar")),
        }
    }
    Ok(read)
}

fn show_group(state: &State, key: u64) -> Map<String, Value> {
    let group = &state.microsoft.calendar.groups[&key];
    let Value::Object(shown) = json!({
        "id": group_id(key),
        "name": group.name,
        "classId": group.class,
        "changeKey": change_key(key, 2_000_000 + group.changes),
    }) else {
        unreachable!("the text above is an object")
    };
    shown
}

fn group_entity(state: &State, status: u16, key: u64) -> Response {
    let mut whole = Map::new();
    whole.insert("@odata.context".into(), links::context(state, "calendarGroups/$entity").into());
    whole.extend(show_group(state, key));
    Response::json(status, &ordered(whole, &state.switches))
}

fn read_group(request: &Request) -> Result<String, Refusal> {
    let sent = super::super::json_body(request)?;
    let object = sent.as_object().ok_or_else(|| Refusal::body("A group is an object."))?;
    if let Some(name) = object.keys().find(|name| *name != "name") {
        let is_known = ["id", "classId", "changeKey"].contains(&name.as_str());
        return Err(if is_known { Refusal::read_only(name) } else { Refusal::no_property(name, "calendarGroup") });
    }
    let name = object.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    name.map(str::to_owned).ok_or_else(|| Refusal::new(400, "ErrorInvalidRequest", "A group needs a name."))
}

/// Answers for all groups of calendars.
pub(super) fn groups(state: &mut State, request: &Request) -> Answer {
    match request.method.as_str() {
        "GET" => {
            let options = graph::options(request, &["$top", "$skip", "$skiptoken"])?;
            let keys: Vec<u64> = state.microsoft.calendar.groups.keys().copied().collect();
            super::page(state, request, &options, "calendarGroups", keys, |key| show_group(state, key))
        }
        "POST" => {
            graph::options(request, &[])?;
            let name = read_group(request)?;
            let class = reply::guid(&mut state.rng);
            let key = state.microsoft.calendar.add_group(&name, class);
            Ok(group_entity(state, 201, key))
        }
        _ => Err(Refusal::no_method()),
    }
}

/// Answers for one group of calendars.
pub(super) fn group(state: &mut State, request: &Request, key: u64) -> Answer {
    graph::options(request, &[])?;
    match request.method.as_str() {
        "GET" => Ok(group_entity(state, 200, key)),
        "PATCH" => {
            let name = read_group(request)?;
            if let Some(group) = state.microsoft.calendar.groups.get_mut(&key) {
                group.name = name;
                group.changes += 1;
            }
            Ok(group_entity(state, 200, key))
        }
        "DELETE" => {
            let mut inside = state.microsoft.calendar.calendars.values();
            if inside.any(|calendar| calendar.group == key) {
                let text = "A group that holds calendars cannot be deleted.";
                return Err(Refusal::new(400, "ErrorInvalidRequest", text));
            }
            state.microsoft.calendar.groups.remove(&key);
            Ok(Response::empty(204))
        }
        _ => Err(Refusal::no_method()),
    }
}
