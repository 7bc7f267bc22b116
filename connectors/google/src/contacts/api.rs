//! The operations of People v1 that are used: for each a function that builds the request and one that reads the answer.
//! None of them does I/O. Paths are relative to the client's base (`people_url`).

use serde_json::{Value, json};
use std::collections::HashMap;
use twofold_http::{Effect, Expect, Request, Response};
use twofold_model::{Error, ErrorKind, Result};
use url::form_urlencoded;

use super::rendering::{MARK_KEY, client_data};
use super::wire::{
    BatchCreated, BatchGet, BatchUpdated, Connections, ContactGroup, ContactGroups, Object, PERSON_FIELDS, Person,
    PersonResponse, PhotoChanged,
};
use crate::dialect::judge_part;

/// Persons or groups on a page: the most that is allowed.
const PAGE_SIZE: &str = "1000";
/// Only the user's own data.
const CONTACT_SOURCE: &str = "READ_SOURCE_TYPE_CONTACT";
/// Fields of a group that are read.
const GROUP_FIELDS: &str = "groupType,metadata,name";
/// Fields that a look-up of marks reads.
const MARK_FIELDS: &str = "clientData,metadata";

/// The most persons in one `batchCreateContacts` or `batchUpdateContacts`.
pub const WRITE_LIMIT: usize = 200;
/// The most names in one `people:batchGet`.
pub const GET_LIMIT: usize = 200;
/// The most names in one `batchDeleteContacts`.
pub const DELETE_LIMIT: usize = 500;
/// A list shows this many e-mail addresses and phone numbers of one person at most.
pub const LIST_CUT: usize = 100;

fn address(path: &str, query: &[(&str, &str)]) -> String {
    let start = path.len() + 1;
    form_urlencoded::Serializer::for_suffix(format!("{path}?"), start).extend_pairs(query).finish()
}

/// A resource name as it stands in a path.
fn resource_path(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'/' => path.push(char::from(byte)),
            other => path.push_str(&format!("%{other:02X}")),
        }
    }
    path
}

// ---- contact groups ---------------------------------------------------------------------------------------------------

/// GET `contactGroups`: all, or what changed since `sync_token`.
pub fn list_groups(sync_token: Option<&str>, page_token: Option<&str>) -> Request {
    let mut query = vec![("pageSize", PAGE_SIZE), ("groupFields", GROUP_FIELDS)];
    query.extend(sync_token.map(|token| ("syncToken", token)));
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("list contact groups", address("/v1/contactGroups", &query))
}

/// Reads a page of groups.
pub fn read_groups(response: &Response) -> Result<ContactGroups> {
    response.json()
}

/// POST `contactGroups`.
pub fn create_group(name: &str) -> Request {
    let body = json!({"contactGroup": {"name": name}, "readGroupFields": GROUP_FIELDS});
    Request::post_json("create contact group", "/v1/contactGroups", body).effect(Effect::ExclusiveWrite)
}

/// Reads the group that was made.
pub fn read_group(response: &Response) -> Result<ContactGroup> {
    let group: ContactGroup = response.json()?;
    if group.resource_name.is_empty() {
        return Err(Error::new(ErrorKind::Malformed, "the new contact group came without its resource name"));
    }
    Ok(group)
}

// ---- reading persons --------------------------------------------------------------------------------------------------

/// GET `people/me/connections`: a page of a full listing, or of what changed since `sync_token`. All pages of a round have
/// the same parameters.
pub fn connections(sync_token: Option<&str>, page_token: Option<&str>, wants_token: bool) -> Request {
    let mut query = vec![("personFields", PERSON_FIELDS), ("pageSize", PAGE_SIZE), ("sources", CONTACT_SOURCE)];
    if wants_token {
        query.push(("requestSyncToken", "true"));
    }
    query.extend(sync_token.map(|token| ("syncToken", token)));
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("list contacts", address("/v1/people/me/connections", &query))
}

/// GET `people/me/connections` for marks alone.
pub fn marks(page_token: Option<&str>) -> Request {
    let mut query = vec![("personFields", MARK_FIELDS), ("pageSize", PAGE_SIZE), ("sources", CONTACT_SOURCE)];
    query.extend(page_token.map(|token| ("pageToken", token)));
    Request::get("look for contacts", address("/v1/people/me/connections", &query))
}

/// Reads a page of persons.
pub fn read_connections(response: &Response) -> Result<Connections> {
    response.json()
}

/// GET `people/{id}`.
pub fn get(name: &str) -> Request {
    let query = [("personFields", PERSON_FIELDS), ("sources", CONTACT_SOURCE)];
    Request::get("get contact", address(&format!("/v1/{}", resource_path(name)), &query))
}

/// Reads a person.
pub fn read_person(response: &Response) -> Result<Person> {
    let person: Person = response.json()?;
    match person.resource_name() {
        Some(_) => Ok(person),
        None => Err(Error::new(ErrorKind::Malformed, "a person came without its resource name")),
    }
}

/// GET `people:batchGet` with all fields.
pub fn batch_get(names: &[&str]) -> Request {
    many(names, PERSON_FIELDS, "get contacts")
}

/// GET `people:batchGet` for etags alone.
pub fn batch_get_etags(names: &[&str]) -> Request {
    many(names, "metadata", "check contacts")
}

fn many(names: &[&str], fields: &str, what: &'static str) -> Request {
    let mut query = vec![("personFields", fields), ("sources", CONTACT_SOURCE)];
    query.extend(names.iter().map(|name| ("resourceNames", *name)));
    Request::get(what, address("/v1/people:batchGet", &query))
}

/// Reads what became of each name, in the order of the names. A name without an answer is unknown, never gone.
pub fn read_batch_get(response: &Response, names: &[&str]) -> Result<Vec<Result<Person>>> {
    let answer: BatchGet = response.json()?;
    let mut by_name: HashMap<String, PersonResponse> = HashMap::with_capacity(answer.responses.len());
    for row in answer.responses {
        let asked = row.requested_resource_name.clone();
        let name = asked.or_else(|| row.person.as_ref()?.resource_name().map(str::to_owned));
        if let Some(name) = name {
            by_name.insert(name, row);
        }
    }
    Ok(names.iter().map(|name| part(by_name.remove(*name))).collect())
}

fn part(row: Option<PersonResponse>) -> Result<Person> {
    let missing = || Error::new(ErrorKind::Unknown, "the batch has no answer for this contact");
    let row = row.ok_or_else(missing)?;
    if let Some(error) = judge_part(row.http_status_code, row.status.as_ref()) {
        return Err(error);
    }
    row.person.filter(|person| person.resource_name().is_some()).ok_or_else(missing)
}

// ---- writing persons --------------------------------------------------------------------------------------------------

/// POST `people:createContact`.
pub fn create(person: &Object) -> Request {
    let query = [("personFields", PERSON_FIELDS), ("sources", CONTACT_SOURCE)];
    let url = address("/v1/people:createContact", &query);
    Request::post_json("create contact", url, Value::Object(person.clone())).effect(Effect::ExclusiveWrite)
}

/// POST `people:batchCreateContacts`, at most [`WRITE_LIMIT`].
pub fn batch_create(persons: &[&Object]) -> Request {
    let contacts: Vec<Value> = persons.iter().map(|person| json!({"contactPerson": person})).collect();
    let body = json!({"contacts": contacts, "readMask": PERSON_FIELDS, "sources": [CONTACT_SOURCE]});
    Request::post_json("create contacts", "/v1/people:batchCreateContacts", body).effect(Effect::ExclusiveWrite)
}

/// Reads what became of each person that was sent: found by the mark that it carries, else by its place in the list. What
/// cannot be found is unknown.
pub fn read_batch_create(response: &Response, sent: &[&Object]) -> Result<Vec<Result<Person>>> {
    let answer: BatchCreated = response.json()?;
    let mut rows: Vec<Option<PersonResponse>> = answer.created_people.into_iter().map(Some).collect();
    let is_whole = rows.len() == sent.len();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (i, row) in rows.iter().enumerate() {
        let mark = row.as_ref().and_then(|row| row.person.as_ref()).and_then(|person| client_data(&person.0, MARK_KEY));
        if let Some(mark) = mark {
            places.insert(mark.to_owned(), i);
        }
    }
    let mut found = |(i, person): (usize, &&Object)| {
        let place = client_data(person, MARK_KEY).and_then(|mark| places.get(mark).copied());
        let by_order = is_whole.then_some(i).filter(|i| {
            let row = rows.get(*i).and_then(Option::as_ref);
            row.is_some_and(|row| row.person.as_ref().is_none_or(|person| client_data(&person.0, MARK_KEY).is_none()))
        });
        part(place.or(by_order).and_then(|place| rows[place].take()))
    };
    Ok(sent.iter().enumerate().map(&mut found).collect())
}

/// PATCH `people/{id}:updateContact`. The person carries its guard.
pub fn update(name: &str, person: &Object, mask: &str) -> Request {
    let query = [("updatePersonFields", mask), ("personFields", PERSON_FIELDS), ("sources", CONTACT_SOURCE)];
    let url = address(&format!("/v1/{}:updateContact", resource_path(name)), &query);
    Request::patch_json("update contact", url, Value::Object(person.clone())).effect(Effect::ExclusiveWrite)
}

/// POST `people:batchUpdateContacts`, at most [`WRITE_LIMIT`], one mask for all.
pub fn batch_update(persons: &[(&str, &Object)], mask: &str) -> Request {
    let contacts: Object = persons.iter().map(|(name, person)| ((*name).to_owned(), json!(person))).collect();
    let body = json!({
        "contacts": contacts, "updateMask": mask, "readMask": PERSON_FIELDS, "sources": [CONTACT_SOURCE],
    });
    Request::post_json("update contacts", "/v1/people:batchUpdateContacts", body).effect(Effect::ExclusiveWrite)
}

/// Reads what became of each name that was sent.
pub fn read_batch_update(response: &Response, names: &[&str]) -> Result<Vec<Result<Person>>> {
    let mut answer: BatchUpdated = response.json()?;
    Ok(names.iter().map(|name| part(answer.update_result.remove(*name))).collect())
}

/// DELETE `people/{id}:deleteContact`.
pub fn delete(name: &str) -> Request {
    let url = format!("/v1/{}:deleteContact", resource_path(name));
    Request::delete("delete contact", url).effect(Effect::ExclusiveWrite)
}

/// POST `people:batchDeleteContacts`, at most [`DELETE_LIMIT`]. Its answer is empty.
pub fn batch_delete(names: &[&str]) -> Request {
    let body = json!({"resourceNames": names});
    Request::post_json("delete contacts", "/v1/people:batchDeleteContacts", body)
        .effect(Effect::ExclusiveWrite)
        .expect(Expect::Anything)
}

// ---- photos -----------------------------------------------------------------------------------------------------------

/// PATCH `people/{id}:updateContactPhoto` with base64 bytes.
pub fn set_photo(name: &str, base64: &str) -> Request {
    let url = format!("/v1/{}:updateContactPhoto", resource_path(name));
    let body = json!({"photoBytes": base64, "personFields": PERSON_FIELDS, "sources": [CONTACT_SOURCE]});
    Request::patch_json("set contact photo", url, body).effect(Effect::ExclusiveWrite)
}

/// DELETE `people/{id}:deleteContactPhoto`.
pub fn delete_photo(name: &str) -> Request {
    let query = [("personFields", PERSON_FIELDS), ("sources", CONTACT_SOURCE)];
    let url = address(&format!("/v1/{}:deleteContactPhoto", resource_path(name)), &query);
    Request::delete("delete contact photo", url).effect(Effect::ExclusiveWrite).expect(Expect::Json)
}

/// Reads the person after its photo changed.
pub fn read_photo_change(response: &Response) -> Result<Person> {
    let answer: PhotoChanged = response.json()?;
    let person = answer.person.filter(|person| person.resource_name().is_some());
    person.ok_or_else(|| Error::new(ErrorKind::Unknown, "the answer does not show the contact"))
}

/// GET of a photo's bytes, large: addresses show a thumbnail unless a size is asked for.
pub fn photo(url: &str) -> Request {
    const SIZE: &str = "sz=2048";
    let separator = if url.contains('?') { '&' } else { '?' };
    Request::get_bytes("download contact photo", format!("{url}{separator}{SIZE}"))
}

/// Media type and bytes of a picture; anything else is none.
pub fn read_photo(response: Response) -> Result<(String, Vec<u8>)> {
    let sniffed = match response.body.as_slice() {
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    };
    let named = response.media_type().filter(|media_type| media_type.starts_with("image/"));
    match sniffed.map(str::to_owned).or(named) {
        Some(media_type) if !response.body.is_empty() => Ok((media_type, response.body)),
        _ => Err(Error::new(ErrorKind::Malformed, "the photo's address does not lead to a picture")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(request: &Request) -> HashMap<String, String> {
        let query = request.url.split_once('?').unwrap().1;
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    fn answer(body: Value) -> Response {
        Response::new(200, vec![("content-type".into(), "application/json".into())], body.to_string().into_bytes())
    }

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn all_pages_of_a_round_have_the_same_parameters() {
        let first = query(&connections(Some("s"), None, true));
        let mut second = query(&connections(Some("s"), Some("p"), true));
        assert_eq!(second.remove("pageToken").as_deref(), Some("p"));
        assert_eq!(first, second);
        let mut full = query(&connections(None, None, true));
        full.insert("syncToken".into(), "s".into());
        assert_eq!(first, full);
        assert_eq!(first["personFields"], PERSON_FIELDS);
        assert_eq!(first["requestSyncToken"], "true");
    }

    #[test]
    fn names_cannot_leave_their_place_in_a_path() {
        assert!(get("people/c1").url.starts_with("/v1/people/c1?"));
        assert!(delete("people/../x?y#z").url.starts_with("/v1/people/%2E%2E/x%3Fy%23z:deleteContact"));
    }

    #[test]
    fn all_mutations_are_exclusive_and_read_back() {
        let person = object(json!({"names": []}));
        for request in [
            create_group("n"),
            create(&person),
            batch_create(&[&person]),
            update("people/c1", &person, "names"),
            batch_update(&[("people/c1", &person)], "names"),
            delete("people/c1"),
            batch_delete(&["people/c1"]),
            set_photo("people/c1", "AAAA"),
            delete_photo("people/c1"),
        ] {
            assert_eq!(request.effect, Effect::ExclusiveWrite, "{request:?}");
        }
    }

    #[test]
    fn a_missing_part_of_a_batch_is_unknown_and_never_gone() {
        let body = json!({"responses": [
            {"httpStatusCode": 404, "requestedResourceName": "people/c2", "status": {"code": 5}},
            {"person": {"resourceName": "people/c9"}, "requestedResourceName": "people/c1", "status": {}},
        ]});
        let read = read_batch_get(&answer(body), &["people/c1", "people/c2", "people/c3"]).unwrap();
        assert_eq!(read[0].as_ref().unwrap().resource_name(), Some("people/c9"));
        assert_eq!(read[1].as_ref().unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(read[2].as_ref().unwrap_err().kind, ErrorKind::Unknown);
    }

    #[test]
    fn created_persons_are_found_by_their_marks_whatever_the_order() {
        let marked = |mark: &str| object(json!({"clientData": [{"key": MARK_KEY, "value": mark}]}));
        let (a, b) = (marked("h:a:1"), marked("h:b:1"));
        let row = |name: &str, person: &Object| {
            let mut person = person.clone();
            person.insert("resourceName".into(), json!(name));
            json!({"httpStatusCode": 200, "person": person})
        };
        let swapped = json!({"createdPeople": [row("people/c2", &b), row("people/c1", &a)]});
        let read = read_batch_create(&answer(swapped), &[&a, &b]).unwrap();
        assert_eq!(read[0].as_ref().unwrap().resource_name(), Some("people/c1"));
        assert_eq!(read[1].as_ref().unwrap().resource_name(), Some("people/c2"));
        let short = read_batch_create(&answer(json!({"createdPeople": [row("people/c2", &b)]})), &[&a, &b]).unwrap();
        assert_eq!(short[0].as_ref().unwrap_err().kind, ErrorKind::Unknown);
        assert!(short[1].is_ok());
    }

    #[test]
    fn a_picture_is_known_by_its_first_bytes_or_its_type() {
        let reply = |media_type: &str, body: &[u8]| {
            read_photo(Response::new(200, vec![("content-type".into(), media_type.into())], body.to_vec()))
        };
        assert_eq!(reply("", b"\xff\xd8\xff\xe0").unwrap().0, "image/jpeg");
        assert_eq!(reply("image/avif", b"x").unwrap().0, "image/avif");
        assert!(reply("application/json", b"{}").is_err());
        assert_eq!(photo("https://x/p=s100").url, "https://x/p=s100?sz=2048");
    }
}
