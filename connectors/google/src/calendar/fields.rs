//! One event's own fields, to the members of an event and back: what is said ([`read`]), and how an object is edited until it says
//! something else ([`edit`]). Recurrence and exceptions are not here.
//!
//! Each field has one way to tell what a content would have it be, so that an edit touches only what differs in that: a synonym that
//! somebody else wrote (`"visibility": "public"` for the default) stays.

use serde_json::{Map, Value, json};
use twofold_model::event::{insert, keys};
use twofold_model::zone::Zones;
use twofold_model::{Content, Error, ErrorKind, Result};

use super::alerts::{read_alerts, write_alerts};
use super::people::{read_people, write_people};
use super::times::{When, Zone, is_same, read_times, times_of};
use super::wire::{Object, is_set, text};

/// The event palette (`colors.get`): each of its colours by the CSS colour that is nearest to it.
const COLORS: [(&str, &str); 11] = [
    ("1", "lightsteelblue"),
    ("2", "aquamarine"),
    ("3", "plum"),
    ("4", "salmon"),
    ("5", "khaki"),
    ("6", "sandybrown"),
    ("7", "mediumturquoise"),
    ("8", "gainsboro"),
    ("9", "cornflowerblue"),
    ("10", "limegreen"),
    ("11", "crimson"),
];

/// Names of elements by which a description is known to be HTML.
const ELEMENTS: [&str; 21] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "hr",
    "html",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "u",
    "ul",
];

/// What has to be known beside an event to read it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) zones: &'a dyn Zones,
    /// The calendar's zone.
    pub(super) zone: Option<&'a str>,
    /// The zone in which new floating times are told, where the calendar's is not known.
    pub(super) home: Option<&'a str>,
    /// The calendar's reminders.
    pub(super) reminders: Option<&'a Value>,
}

/// What an event's own fields say, and when it starts.
///
/// # Errors
/// [`ErrorKind::Malformed`] where its times cannot be understood.
pub(super) fn read(event: &Object, around: Around<'_>) -> Result<(Content, When)> {
    let mut members = Map::new();
    let start = read_times(event, around.zone, around.zones, &mut members)?;
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    put("title", filled(event, "summary").map(Value::from));
    if let Some(description) = filled(event, "description") {
        let description = lines(description);
        put("descriptionContentType", is_html(&description).then(|| "text/html".into()));
        put("description", Some(description.into()));
    }
    put("locations", filled(event, "location").map(|name| json!({keys::LOCATION: {"name": lines(name)}})));
    put("virtualLocations", Some(conferences(event)));
    put("links", Some(links(event)));
    let color = text(event, "colorId").and_then(|id| COLORS.iter().find(|(known, _)| *known == id));
    put("color", color.map(|(_, name)| Value::from(*name)));
    put(
        "privacy",
        match text(event, "visibility") {
            Some("private") => Some("private".into()),
            Some("confidential") => Some("secret".into()),
            _ => None,
        },
    );
    put("freeBusyStatus", (text(event, "transparency") == Some("transparent")).then(|| "free".into()));
    put("status", (text(event, "status") == Some("tentative")).then(|| "tentative".into()));
    put("participants", Some(read_people(event)));
    put("alerts", Some(read_alerts(event, around.reminders)));
    Ok((Content(members).tidied(), start))
}

/// A text member with something to see in it.
fn filled<'a>(event: &'a Object, name: &str) -> Option<&'a str> {
    text(event, name).filter(|text| !text.trim().is_empty())
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Whether a description holds HTML: an element that is used in descriptions, or an entity.
fn is_html(text: &str) -> bool {
    let is_element = |rest: &str| {
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let length = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let ends = rest[length..].starts_with([' ', '>', '/', '\n', '\t']);
        ends && ELEMENTS.contains(&rest[..length].to_ascii_lowercase().as_str())
    };
    let is_entity = |rest: &str| {
        let Some((name, _)) = rest.split_once(';') else { return false };
        let number = name.strip_prefix('#').unwrap_or_default();
        let digits = number.strip_prefix(['x', 'X']).unwrap_or(number);
        ["amp", "lt", "gt", "quot", "apos", "nbsp"].contains(&name)
            || (!digits.is_empty() && digits.len() < 7 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    text.match_indices('<').any(|(at, _)| is_element(&text[at + 1..]))
        || text.match_indices('&').any(|(at, _)| is_entity(&text[at + 1..]))
}

/// Where to join: the entry points of the conference, and the older link to a hangout.
fn conferences(event: &Object) -> Value {
    let mut map = Map::new();
    let points = event.get("conferenceData").and_then(|data| data.get("entryPoints")?.as_array());
    for point in points.into_iter().flatten().filter_map(Value::as_object) {
        let Some(uri) = filled(point, "uri") else { continue };
        let feature = match text(point, "entryPointType") {
            Some("video") => Some("video"),
            Some("phone") => Some("phone"),
            Some("sip") => Some("audio"),
            _ => None,
        };
        let features = feature.map(|feature| json!({feature: true}));
        insert(&mut map, uri, json!({"uri": uri, "name": filled(point, "label"), "features": features}));
    }
    if let Some(uri) = filled(event, "hangoutLink")
        && !map.values().any(|entry| entry["uri"] == uri)
    {
        insert(&mut map, uri, json!({"uri": uri, "features": {"video": true}}));
    }
    Value::Object(map)
}

/// Attachments, and the page that the event was made from.
fn links(event: &Object) -> Value {
    let mut map = Map::new();
    if let Some(source) = event.get("source").and_then(Value::as_object)
        && let Some(href) = filled(source, "url")
    {
        insert(&mut map, href, json!({"href": href, "title": filled(source, "title")}));
    }
    for item in event.get("attachments").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        if let Some(href) = filled(item, "fileUrl") {
            let (title, kind) = (filled(item, "title"), filled(item, "mimeType"));
            insert(&mut map, href, json!({"href": href, "rel": "enclosure", "title": title, "contentType": kind}));
        }
    }
    Value::Object(map)
}

// ---- back -------------------------------------------------------------------------------------------------------------

/// A field of plain value: its name, and what a content would have it be (`None`: not there).
type Field = (&'static str, fn(&Content) -> Option<Value>);

/// Fields of which a content tells the whole value.
const FIELDS: [Field; 7] = [
    ("summary", |content| Some(said(content, &["title"])?.into())),
    ("description", |content| {
        let text = said(content, &["description"])?;
        let is_typed = content.get("descriptionContentType").is_some_and(|kind| kind == "text/html");
        // What looks like HTML would be taken for it.
        Some(if !is_typed && is_html(text) { escaped(text) } else { text.to_owned() }.into())
    }),
    ("location", |content| Some(said(content, &["locations", keys::LOCATION, "name"])?.into())),
    ("colorId", |content| {
        let name = content.get("color")?.as_str()?;
        COLORS.iter().find(|(_, known)| *known == name).map(|(id, _)| Value::from(*id))
    }),
    ("visibility", |content| content.get("privacy").filter(|privacy| *privacy != "public").map(|_| "private".into())),
    ("transparency", |content| (content.get("freeBusyStatus")? == "free").then(|| "transparent".into())),
    ("status", |content| (content.get("status")? == "tentative").then(|| "tentative".into())),
];

fn said<'a>(content: &'a Content, path: &[&str]) -> Option<&'a str> {
    content.at(path)?.as_str().filter(|text| !text.trim().is_empty())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The fields whose value a guest may change for himself. The carry-all comes to them.
const PRIVATE_MEMBERS: [&str; 3] = ["alerts", "color", "freeBusyStatus"];
/// Members that Google's own fields hold for all who take part.
const SHARED_MEMBERS: [&str; 16] = [
    "title",
    "description",
    "descriptionContentType",
    "locations",
    "privacy",
    "status",
    "participants",
    "start",
    "timeZone",
    "showWithoutTime",
    "duration",
    "end",
    "endTimeZone",
    "recurrenceRules",
    "excludedRecurrenceRules",
    "recurrenceOverrides",
];

/// Who may change what of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The user, everything.
    Owner,
    /// The user, only what is his own.
    Guest,
    /// Nobody but Google.
    Fixed(String),
}

/// Who may change what. Sheet: only events of the default type are edited; a guest has his own reminders, colour and the like.
pub(super) fn standing(event: &Object) -> Standing {
    if let Some(kind) = text(event, "eventType").filter(|kind| *kind != "default") {
        return Standing::Fixed(kind.to_owned());
    }
    let is_own = event.get("organizer").and_then(|organizer| organizer.get("self")) == Some(&Value::Bool(true));
    let is_meeting = event.get("attendees").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let has_guests = is_meeting || is_set(event, "attendeesOmitted");
    // Also where guests may change it: what is not the user's own is changed by whoever organizes it.
    let is_guest = event.contains_key("organizer") && !is_own && has_guests;
    if is_guest || is_set(event, "locked") { Standing::Guest } else { Standing::Owner }
}

/// Whether the user may make of an event that says `before` one that says `wanted`.
///
/// # Errors
/// [`ErrorKind::Refused`], with what he may not change.
pub(super) fn check_standing(event: &Object, before: &Content, wanted: &Content) -> Result<()> {
    let differing = |members: &[&str]| -> Vec<String> {
        members.iter().filter(|m| before.get(m) != wanted.get(m)).map(|m| (*m).to_owned()).collect()
    };
    match standing(event) {
        Standing::Owner => Ok(()),
        Standing::Guest => match differing(&SHARED_MEMBERS) {
            changed if changed.is_empty() => Ok(()),
            changed => Err(Error::new(
                ErrorKind::Refused,
                format!("a guest cannot change {} of a meeting at Google", changed.join(", ")),
            )),
        },
        Standing::Fixed(kind) => match [differing(&SHARED_MEMBERS), differing(&PRIVATE_MEMBERS)].concat() {
            changed if changed.is_empty() => Ok(()),
            _ => {
                Err(Error::new(ErrorKind::Refused, format!("events of the type {kind:.40} are changed at Google only")))
            }
        },
    }
}

/// Edits an event's own fields so that they say what `wanted` says of them. `before` is what they say.
///
/// # Errors
/// [`ErrorKind::Refused`] for what Google could only say wrongly.
pub(super) fn edit(event: &mut Object, before: &Content, wanted: &Content, around: Around<'_>) -> Result<()> {
    if wanted.get("status").is_some_and(|status| status == "cancelled") {
        // Provider: a cancelled event is a deleted one.
        return Err(Error::new(
            ErrorKind::Refused,
            "not representable at Google: a cancelled event that stays in its calendar",
        ));
    }
    write_times(event, wanted, around)?;
    for (name, tell) in FIELDS {
        let (was, is) = (tell(before), tell(wanted));
        if was == is {
            continue;
        }
        match is {
            Some(value) => drop(event.insert(name.to_owned(), value)),
            // Some defaults have a name.
            None if name == "status" => drop(event.insert(name.to_owned(), "confirmed".into())),
            None => drop(event.shift_remove(name)),
        }
    }
    write_source(event, before, wanted);
    write_people(event, before, wanted);
    write_alerts(event, before, wanted);
    Ok(())
}

fn write_times(event: &mut Object, wanted: &Content, around: Around<'_>) -> Result<()> {
    // A floating time stays in the zone in which it is told.
    let told = When::read(event.get("start"), around.zone, around.zones).ok().and_then(|start| start.zone);
    let of = |name: Option<&str>| Zone::of(name?, around.zones);
    let home = told.or_else(|| of(around.zone)).or_else(|| of(around.home));
    let (start, end) = times_of(&wanted.0, around.zones, home)?;
    let is_as_wanted = |name: &str, when: &When| {
        When::read(event.get(name), around.zone, around.zones).is_ok_and(|old| is_same(&old, when))
    };
    if is_as_wanted("start", &start) && is_as_wanted("end", &end) {
        return Ok(());
    }
    event.insert("start".into(), start.write());
    event.insert("end".into(), end.write());
    Ok(())
}

/// The page that a content names, as `source`: the one that stands there if it is still named, else the first.
fn source_of(content: &Content, held: Option<&str>) -> Option<(String, String)> {
    let links = content.get("links")?.as_object()?;
    let word = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut pages: Vec<(String, String)> = links
        .values()
        .filter(|entry| entry.get("rel").is_none())
        .map(|entry| (word(entry, "href"), word(entry, "title")))
        .filter(|(href, _)| href.starts_with("https://") || href.starts_with("http://"))
        .collect();
    pages.sort();
    let at = pages.iter().position(|(href, _)| Some(href.as_str()) == held).unwrap_or(0);
    (!pages.is_empty()).then(|| pages.swap_remove(at))
}

fn write_source(event: &mut Object, before: &Content, wanted: &Content) {
    // Provider: seen and changed by the creator only.
    let is_foreign = event.get("creator").is_some_and(|creator| creator.get("self") != Some(&Value::Bool(true)));
    let held = event.get("source").and_then(|source| source.get("url")?.as_str()).map(str::to_owned);
    let (was, is) = (source_of(before, held.as_deref()), source_of(wanted, held.as_deref()));
    if is_foreign || was == is {
        return;
    }
    match is {
        Some((url, title)) if title.is_empty() => event.insert("source".into(), json!({"url": url})),
        Some((url, title)) => event.insert("source".into(), json!({"url": url, "title": title})),
        None => event.shift_remove("source"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn html_is_known_by_its_elements_and_entities() {
        for text in
            ["<b>x</b>", "a<br>b", "a<BR/>b", "see <a href=\"x\">y</a>", "a &amp; b", "&#39;", "&#x27;", "<p\nclass=x>"]
        {
            assert!(is_html(text), "{text}");
        }
        for text in [
            "",
            "a < b",
            "x<y>z",
            "<ada@example.org>",
            "R&D; more",
            "a & b",
            "<",
            "&",
            "&;",
            "<https://x>",
            "&#;",
            "<bé>",
        ] {
            assert!(!is_html(text), "{text}");
        }
    }

    #[test]
    fn each_colour_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = COLORS.iter().map(|(_, name)| *name).collect();
        assert_eq!(names.len(), COLORS.len());
    }
}
