//! Each operation on contacts as two pure functions: one builds the request (a part of a batch, mostly), one reads the answer.

use super::map::{PHOTO_TYPE, Photo, Picture};
use super::wire::{CARRY, Contact, ContactFolder, ListPage, MARK, UID};
use crate::{VERSION, encoded, part, prefer, quoted};
use serde_json::{Value, json};
use twofold_http::{Method, Part, Request, Response};
use twofold_model::{Error, ErrorKind, Mark, Result};

/// How many rows a page of a listing or a round shall have. A page may still be smaller, or empty.
const PAGE_SIZE: usize = 500;

// Folders

/// GET /me/contactFolders/contacts: the default folder by its well-known name (F); v1.0 does not list it.
pub fn default_folder(id: impl Into<String>) -> Part {
    part(id, Method::Get, "/me/contactFolders/contacts")
}

/// GET /me/contactFolders/{id}.
pub fn folder(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("/me/contactFolders/{}", encoded(folder)))
}

/// Reads one folder.
pub fn read_folder(answer: &Response) -> Result<ContactFolder> {
    answer.json()
}

/// GET /me/contactFolders: the folders of the first level.
pub fn folders(id: impl Into<String>) -> Part {
    part(id, Method::Get, "/me/contactFolders?$top=100")
}

/// GET /me/contactFolders/{id}/childFolders.
pub fn child_folders(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("/me/contactFolders/{}/childFolders?$top=100", encoded(folder)))
}

/// Reads a page of folders and where it goes on.
pub fn read_folders(answer: &Response) -> Result<(Vec<ContactFolder>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let folders = page.value.into_iter().map(|row| {
        serde_json::from_value(row).map_err(|_| Error::new(ErrorKind::Malformed, "a contact folder has no id"))
    });
    Ok((folders.collect::<Result<_>>()?, page.next_link))
}

/// How many rows a page of anything has, and where it goes on.
pub fn read_ids(answer: &Response) -> Result<(usize, Option<String>)> {
    let page: ListPage = answer.json()?;
    Ok((page.value.len(), page.next_link))
}

/// GET /me/contacts, one row: whose folder is the default one.
pub fn any_contact(id: impl Into<String>) -> Part {
    part(id, Method::Get, "/me/contacts?$top=1&$select=id,parentFolderId")
}

/// Reads the default folder's id from any contact in it.
pub fn read_folder_of_any(answer: &Response) -> Result<Option<String>> {
    let page: ListPage = answer.json()?;
    let contact = page.value.into_iter().next().and_then(Contact::from_value);
    Ok(contact.and_then(|contact| contact.folder().map(str::to_owned)))
}

/// POST /me/contactFolders.
pub fn create_folder(name: &str) -> Request {
    Request::post_json("create contact folder", format!("{VERSION}/me/contactFolders"), json!({"displayName": name}))
}

/// PATCH /me/contactFolders/{id}.
pub fn rename_folder(folder: &str, name: &str) -> Request {
    let url = format!("{VERSION}/me/contactFolders/{}", encoded(folder));
    Request::patch_json("rename contact folder", url, json!({"displayName": name}))
}

/// GET /me/contactFolders/{id}/contacts, one row: whether anything is in it.
pub fn any_in_folder(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("/me/contactFolders/{}/contacts?$top=1&$select=id", encoded(folder)))
}

/// DELETE /me/contactFolders/{id}: with all that is in it, to Deleted Items.
pub fn delete_folder(folder: &str) -> Request {
    Request::delete("delete contact folder", format!("{VERSION}/me/contactFolders/{}", encoded(folder)))
}

// Rounds and listings

/// GET /me/contactFolders/{id}/contacts/delta from its beginning. Its rows are hints only; `changeKey` is selected so that every
/// change is one of a selected property.
pub fn first_round(folder: &str) -> String {
    format!("/me/contactFolders/{}/contacts/delta?$select=id,changeKey", encoded(folder))
}

/// GET /me/contactFolders/{id}/contacts with our extended properties, which a delta is not documented to bring.
pub fn listing(folder: &str) -> String {
    format!("/me/contactFolders/{}/contacts?$top={PAGE_SIZE}&{}", encoded(folder), expand())
}

/// One page of either. The size travels with each page: the server forgets it.
pub fn page(id: impl Into<String>, url: &str) -> Part {
    let mut part = part(id, Method::Get, url);
    prefer(&mut part.headers, &format!("odata.maxpagesize={PAGE_SIZE}"));
    part
}

/// Reads a page. A row without an id could not be named, so the page is none.
pub fn read_page(answer: &Response) -> Result<(Vec<Contact>, Option<String>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let rows = page.value.into_iter().map(|row| {
        let contact = Contact::from_value(row).filter(|contact| contact.id().is_some());
        contact.ok_or_else(|| Error::new(ErrorKind::Malformed, "a row of the list has no id"))
    });
    Ok((rows.collect::<Result<_>>()?, page.next_link, page.delta_link))
}

fn expand() -> String {
    let filter = [MARK, UID, CARRY].map(|id| format!("id eq '{id}'")).join(" or ");
    format!("$expand={}", encoded(&format!("singleValueExtendedProperties($filter={filter})")))
}

// One contact

/// GET /me/contacts/{id} with our extended properties; finds it in whatever folder it is.
pub fn contact(id: impl Into<String>, contact: &str) -> Part {
    part(id, Method::Get, format!("{}?{}", path(contact), expand()))
}

/// Reads a contact that was asked for by id, or the answer to a write.
pub fn read_contact(answer: &Response) -> Result<Contact> {
    let contact = Contact::from_value(answer.json::<Value>()?).filter(|contact| contact.id().is_some());
    contact.ok_or_else(|| Error::new(ErrorKind::Malformed, "the answer is no contact with an id"))
}

/// GET /me/contacts/{id}/photo/$value.
pub fn photo(id: impl Into<String>, contact: &str) -> Part {
    part(id, Method::Get, format!("{}/photo/$value", path(contact)))
}

/// Reads a photo. Only 404 says that there is none; whatever else goes wrong says nothing.
pub fn read_photo(answer: Result<Response>) -> Photo {
    match answer {
        Ok(answer) if answer.body.is_empty() => Photo::Absent,
        Ok(answer) => Photo::Present(Picture::new(answer.media_type().as_deref(), &answer.body)),
        Err(error) if error.kind == ErrorKind::NotFound => Photo::Absent,
        Err(_) => Photo::Unlooked,
    }
}

/// GET the contacts of a folder that carry this mark.
pub fn marked(id: impl Into<String>, folder: &str, mark: &Mark) -> Part {
    let property = format!("ep/id eq '{MARK}' and ep/value eq '{}'", quoted(&mark.to_string()));
    let filter = encoded(&format!("singleValueExtendedProperties/any(ep: {property})"));
    part(id, Method::Get, format!("/me/contactFolders/{}/contacts?$filter={filter}&{}", encoded(folder), expand()))
}

// Writes

/// POST /me/contactFolders/{id}/contacts.
pub fn create(id: impl Into<String>, folder: &str, contact: &Contact) -> Part {
    part(id, Method::Post, format!("/me/contactFolders/{}/contacts", encoded(folder))).json(contact.create_body())
}

/// PATCH /me/contacts/{id}, guarded.
pub fn update(id: impl Into<String>, contact: &str, etag: &str, body: Value) -> Part {
    part(id, Method::Patch, path(contact)).json(body).header("If-Match", etag)
}

/// DELETE /me/contacts/{id}, guarded: to Deleted Items.
pub fn delete(id: impl Into<String>, contact: &str, etag: &str) -> Part {
    part(id, Method::Delete, path(contact)).header("If-Match", etag)
}

/// PUT /me/contacts/{id}/photo/$value. On its own, not in a batch: a photo may be as large as a batch may be.
pub fn put_photo(contact: &str, bytes: Vec<u8>) -> Request {
    Request::put_bytes("set photo", format!("{VERSION}{}/photo/$value", path(contact)), PHOTO_TYPE, bytes)
}

fn path(contact: &str) -> String {
    format!("/me/contacts/{}", encoded(contact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_asks_for_immutable_ids() {
        let mark = Mark { hub: "h".into(), item: "i".into(), generation: 1 };
        let parts = [
            default_folder("1"),
            folder("1", "f"),
            folders("1"),
            child_folders("1", "f"),
            any_contact("1"),
            page("1", "/x"),
            contact("1", "c"),
            photo("1", "c"),
            marked("1", "f", &mark),
            create("1", "f", &Contact::default()),
            update("1", "c", "e", json!({})),
            delete("1", "c", "e"),
        ];
        for part in parts {
            let preferences: Vec<&str> =
                part.headers.iter().filter(|(name, _)| name == "Prefer").map(|(_, value)| value.as_str()).collect();
            assert_eq!(preferences.len(), 1, "{}", part.url);
            assert!(preferences[0].contains("IdType=\"ImmutableId\""), "{}", part.url);
        }
    }

    #[test]
    fn only_a_404_says_that_there_is_no_photo() {
        let failed = |kind| read_photo(Err(Error::new(kind, "")));
        assert_eq!(failed(ErrorKind::NotFound), Photo::Absent);
        for kind in [ErrorKind::Unknown, ErrorKind::Forbidden, ErrorKind::Offline, ErrorKind::Refused] {
            assert_eq!(failed(kind), Photo::Unlooked, "{kind:?}");
        }
    }

    #[test]
    fn a_row_without_an_id_spoils_its_page() {
        let answer = |body: Value| Response::new(200, Vec::new(), body.to_string().into_bytes());
        assert!(read_page(&answer(json!({"value": [{"id": "1"}]}))).is_ok());
        assert!(read_page(&answer(json!({"value": [{"givenName": "Ada"}]}))).is_err());
        assert!(read_page(&answer(json!({"value": [], "@odata.nextLink": "x"}))).is_ok());
        assert!(read_page(&answer(json!({}))).is_err());
    }
}
