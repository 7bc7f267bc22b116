//! Each operation on mail folders and messages as two pure functions: one builds the request (a part of a batch, mostly), one reads the
//! answer.
//!
//! Texts of messages are never asked for: their bytes are the business of [`value`].

use super::files::Attached;
use super::wire::{
    ASKS_RECEIPT, Folder, ICON, INSTEAD, LARGE, ListPage, MARK, MEMBERS, Message, PROPERTIES, SIZE, VERB,
};
use crate::{VERSION, encoded, part, prefer, quoted};
use serde_json::{Value, json};
use twofold_http::{Method, Part, Request, Response};
use twofold_model::{Error, ErrorKind, Mark, Result};

/// How many rows a page of messages shall have: twenty such pages come in one batch. A page may still be smaller, or empty.
const PAGE_SIZE: usize = 100;
/// How many folders a page shall have (Graph's most: K).
const FOLDER_PAGE: usize = 250;
const FOLDER_MEMBERS: &str = "id,displayName,parentFolderId,isHidden";

// Folders

/// GET /me/mailFolders/delta from its beginning: all folders, at all depths, flat. Counts are not asked for, because they change with
/// every message.
pub fn folder_tree(id: impl Into<String>) -> Part {
    folder_page(id, &format!("/me/mailFolders/delta?$select={FOLDER_MEMBERS}"))
}

/// GET /me/mailFolders: those right below the root that hold mail and are shown. The tree may have others too.
pub fn top_folders(id: impl Into<String>) -> Part {
    part(id, Method::Get, format!("/me/mailFolders?$top={FOLDER_PAGE}&$select={FOLDER_MEMBERS}"))
}

/// GET /me/mailFolders/{id}/childFolders: those right below a folder that are shown.
pub fn folders_below(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("{}/childFolders?$top={FOLDER_PAGE}&$select={FOLDER_MEMBERS}", in_folder(folder)))
}

/// One more page of any of these.
pub fn folder_page(id: impl Into<String>, url: &str) -> Part {
    let mut part = part(id, Method::Get, url);
    prefer(&mut part.headers, &format!("odata.maxpagesize={FOLDER_PAGE}"));
    part
}

/// GET /me/mailFolders/{name}: which folder is the inbox, and so on. Names that the user reads are in his language.
pub fn known_folder(id: impl Into<String>, name: &str) -> Part {
    part(id, Method::Get, format!("/me/mailFolders/{name}?$select={FOLDER_MEMBERS}"))
}

/// GET /me/mailFolders/{id}: one folder as it is now, whichever lists tell it.
pub fn folder_by_id(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("{}?$select={FOLDER_MEMBERS}", in_folder(folder)))
}

/// Reads a page of folders and where it goes on.
pub fn read_folders(answer: &Response) -> Result<(Vec<Folder>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let folders: Result<Vec<Folder>> = page.value.iter().map(folder).collect();
    Ok((folders?, page.next_link))
}

/// Reads one folder.
pub fn read_folder(answer: &Response) -> Result<Folder> {
    folder(&answer.json::<Value>()?)
}

fn folder(value: &Value) -> Result<Folder> {
    Folder::from_value(value).ok_or_else(|| Error::new(ErrorKind::Malformed, "a mail folder has no id"))
}

/// POST /me/mailFolders, or below another folder.
pub fn create_folder(parent: Option<&str>, name: &str) -> Request {
    let url =
        parent.map_or_else(|| "/me/mailFolders".to_owned(), |parent| format!("{}/childFolders", in_folder(parent)));
    Request::post_json("create mail folder", format!("{VERSION}{url}"), json!({"displayName": name}))
}

/// PATCH /me/mailFolders/{id}.
pub fn rename_folder(folder: &str, name: &str) -> Request {
    let url = format!("{VERSION}{}", in_folder(folder));
    Request::patch_json("rename mail folder", url, json!({"displayName": name}))
}

/// POST /me/mailFolders/{id}/move; the id stays.
pub fn move_folder(folder: &str, parent: &str) -> Request {
    let url = format!("{VERSION}{}/move", in_folder(folder));
    Request::post_json("move mail folder", url, json!({"destinationId": parent}))
}

/// DELETE /me/mailFolders/{id}: to Deleted Items, and from there for good.
pub fn delete_folder(folder: &str) -> Request {
    Request::delete("delete mail folder", format!("{VERSION}{}", in_folder(folder)))
}

/// GET /me/mailFolders/{id}/messages, one row: whether any message is in it.
pub fn any_message(id: impl Into<String>, folder: &str) -> Part {
    part(id, Method::Get, format!("{}/messages?$top=1&$select=id", in_folder(folder)))
}

/// GET /me/mailFolders/{id}/childFolders, one row: whether any folder is in it, a hidden one included.
pub fn any_folder(id: impl Into<String>, folder: &str) -> Part {
    let url = format!("{}/childFolders?includeHiddenFolders=true&$top=1&$select={FOLDER_MEMBERS}", in_folder(folder));
    part(id, Method::Get, url)
}

/// Reads a page of whatever: whether there is a row, and where it goes on.
pub fn read_any(answer: &Response) -> Result<(bool, Option<String>)> {
    let page: ListPage = answer.json()?;
    Ok((!page.value.is_empty(), page.next_link))
}

// Rounds and single messages

/// GET /me/mailFolders/{id}/messages/delta from its beginning.
pub fn first_round(folder: &str) -> String {
    format!("{}/messages/delta?{}", in_folder(folder), shown())
}

/// One page of a round. The size travels with each page: the server forgets it.
pub fn page(id: impl Into<String>, url: &str) -> Part {
    let mut part = part(id, Method::Get, url);
    prefer(&mut part.headers, &format!("odata.maxpagesize={PAGE_SIZE}"));
    part
}

/// Reads a page: rows, the next page, the link for the next round. A row without an id could not be named, so the page is none.
pub fn read_page(answer: &Response) -> Result<(Vec<Message>, Option<String>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let rows = page.value.into_iter().map(|row| {
        Message::from_value(row).ok_or_else(|| Error::new(ErrorKind::Malformed, "a row of the list has no id"))
    });
    Ok((rows.collect::<Result<_>>()?, page.next_link, page.delta_link))
}

/// GET /me/messages/{id}: wherever it stands.
pub fn message(id: impl Into<String>, message: &str) -> Part {
    part(id, Method::Get, format!("{}?{}", path(message), shown()))
}

/// Reads a message that was asked for by id, or the answer to a write.
pub fn read_message(answer: &Response) -> Result<Message> {
    let message = Message::from_value(answer.json::<Value>()?);
    message.ok_or_else(|| Error::new(ErrorKind::Malformed, "the answer is no message with an id"))
}

/// GET /me/messages/{id}/$value: its bytes, as Exchange writes them. The path below the folder is refused (F).
pub fn value(message: &str) -> Request {
    Request::get_bytes("read message", format!("{VERSION}{}/$value", path(message))).spills()
}

/// Reads the bytes of a message, which may be on the disk: the answer to be read. Exchange writes a header for each, so one without any is
/// none, and says nothing of the message.
pub fn read_value(answer: &Response) -> Result<&Response> {
    let none = || Error::new(ErrorKind::Unknown, "the message came without its bytes");
    Some(answer).filter(|answer| answer.length() > 0).ok_or_else(none)
}

/// GET the messages that carry this mark: in a folder, or anywhere.
pub fn marked(id: impl Into<String>, folder: Option<&str>, mark: &Mark) -> Part {
    having(id, folder, MARK, &mark.to_string())
}

/// GET the drafts that were made to take the place of another one.
pub fn instead(id: impl Into<String>, what: &str) -> Part {
    having(id, None, INSTEAD, what)
}

fn having(id: impl Into<String>, folder: Option<&str>, property: &str, value: &str) -> Part {
    let condition = format!("ep/id eq '{property}' and ep/value eq '{}'", quoted(value));
    let filter = encoded(&format!("singleValueExtendedProperties/any(ep: {condition})"));
    let within = folder.map_or_else(|| "/me".to_owned(), in_folder);
    part(id, Method::Get, format!("{within}/messages?$filter={filter}&{}", shown()))
}

/// What is asked of every message.
fn shown() -> String {
    let filter = [VERB, ICON, SIZE, MARK, LARGE, INSTEAD].map(|id| format!("id eq '{id}'")).join(" or ");
    let expand = encoded(&format!("singleValueExtendedProperties($filter={filter})"));
    format!("$select={}&$expand={expand}", MEMBERS.join(","))
}

// Writes

/// PATCH /me/messages/{id}.
pub fn update(id: impl Into<String>, message: &str, etag: &str, body: Value) -> Part {
    part(id, Method::Patch, path(message)).json(body).header("If-Match", etag)
}

/// The body of the PATCH after which whoever asked for a receipt gets none from this copy. Sent, and done, before anything that could
/// send one.
pub fn no_receipt() -> Value {
    json!({"isReadReceiptRequested": false, PROPERTIES: [{"id": ASKS_RECEIPT, "value": "false"}]})
}

/// Where a message is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// It stands there and no longer here.
    Move,
    /// Another one like it stands there.
    Copy,
}

/// POST /me/messages/{id}/move, or /copy. The destination is an id or a well-known name.
pub fn carry(id: impl Into<String>, how: Carry, message: &str, destination: &str) -> Part {
    let verb = match how {
        Carry::Move => "move",
        Carry::Copy => "copy",
    };
    part(id, Method::Post, format!("{}/{verb}", path(message))).json(json!({"destinationId": destination}))
}

/// POST /me/mailFolders/{id}/messages.
pub fn create(folder: &str, body: Value) -> Request {
    Request::post_json("create message", format!("{VERSION}{}/messages", in_folder(folder)), body)
}

/// GET /me/messages/{id}/attachments: which files are attached to it, and how large they are.
pub fn attachments(id: impl Into<String>, message: &str) -> Part {
    part(id, Method::Get, format!("{}/attachments?$select=id,name,size", path(message)))
}

/// DELETE /me/messages/{id}/attachments/{id}: a file is there no more (attachment-delete).
pub fn detach(message: &str, file: &str) -> Request {
    Request::delete("take away attachment", format!("{VERSION}{}/attachments/{}", path(message), encoded(file)))
}

/// GET /me/messages/{id}/attachments/{id}/$value: the bytes of a file that is attached (attachment-get).
pub fn attached_bytes(message: &str, file: &str) -> Request {
    let at = format!("{VERSION}{}/attachments/{}/$value", path(message), encoded(file));
    Request::get_bytes("read attachment", at).spills()
}

/// Reads a page of attachments, and where it goes on. What is not said of one is nothing that any file of ours has.
pub fn read_attachments(answer: &Response) -> Result<(Vec<Attached>, Option<String>)> {
    let page: ListPage = answer.json()?;
    let attached = |row: &Value| Attached {
        id: row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        name: row.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        size: row.get("size").and_then(Value::as_u64).unwrap_or_default(),
    };
    Ok((page.value.iter().map(attached).collect(), page.next_link))
}

/// POST /me/messages/{id}/attachments: a file of less than 3 MB.
pub fn attach(message: &str, file: Value) -> Request {
    Request::post_json("attach file", format!("{VERSION}{}/attachments", path(message)), file)
}

/// The id of the file that was attached, where the answer gives one: the file itself, or the address of what an upload became.
pub fn attached_id(answer: &Response) -> Option<String> {
    let file = serde_json::from_slice::<Value>(&answer.body).ok();
    let id = file.and_then(|file| file.get("id")?.as_str().map(str::to_owned));
    id.or_else(|| {
        let (_, id) = answer.header("location")?.rsplit_once("ttachments('")?;
        Some(id.split_once("')")?.0.replace("%3D", "="))
    })
}

/// POST /me/messages/{id}/attachments/createUploadSession: for a larger one.
pub fn begin_upload(message: &str, item: Value) -> Request {
    let url = format!("{VERSION}{}/attachments/createUploadSession", path(message));
    Request::post_json("begin attaching", url, item)
}

/// Reads the address of a session. It is its own leave.
pub fn read_session(answer: &Response) -> Result<String> {
    let session: Value = answer.json()?;
    let address = session.get("uploadUrl").and_then(Value::as_str).map(str::to_owned);
    address.ok_or_else(|| Error::new(ErrorKind::Malformed, "an upload was begun without an address"))
}

/// PUT of one range to a session's address, beginning at `at` of `total`.
pub fn range(session: &str, bytes: &[u8], at: usize, total: usize) -> Request {
    let put = Request::put_bytes("attach range", session, "application/octet-stream", bytes.to_vec());
    put.header("Content-Range", format!("bytes {at}-{}/{total}", at + bytes.len() - 1))
}

/// GET of a session's address: how far it is.
pub fn session_state(session: &str) -> Request {
    Request::get("ask an upload", session)
}

/// Where a session wants to be gone on with; `None` where the answer does not say. Provider: the names are written with and without
/// capitals, a range with and without its dash.
pub fn next_range(answer: &Response) -> Option<usize> {
    let state: Value = serde_json::from_slice(&answer.body).ok()?;
    let ranges = ["nextExpectedRanges", "NextExpectedRanges"].into_iter().find_map(|name| state.get(name)?.as_array());
    ranges?.first()?.as_str()?.split('-').next()?.trim().parse().ok()
}

fn in_folder(folder: &str) -> String {
    format!("/me/mailFolders/{}", encoded(folder))
}

fn path(message: &str) -> String {
    format!("/me/messages/{}", encoded(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_asks_for_immutable_ids() {
        let mark = Mark { hub: "h".into(), item: "i".into(), generation: 1 };
        let parts = [
            folder_tree("1"),
            top_folders("1"),
            known_folder("1", "inbox"),
            any_message("1", "f"),
            any_folder("1", "f"),
            folders_below("1", "f"),
            page("1", &first_round("f")),
            message("1", "m"),
            marked("1", None, &mark),
            instead("1", "m x"),
            attachments("1", "m"),
            update("1", "m", "e", json!({})),
            carry("1", Carry::Move, "m", "f"),
        ];
        for part in parts {
            let mut preferences = part.headers.iter().filter(|(name, _)| name == "Prefer");
            let (_, value) = preferences.next().unwrap();
            assert!(value.contains("IdType=\"ImmutableId\""), "{}", part.url);
            assert_eq!(preferences.next(), None, "{}", part.url);
        }
    }

    #[test]
    fn no_text_of_a_message_is_asked_for_and_every_page_names_its_size() {
        let url = first_round("a/b=");
        assert!(url.starts_with("/me/mailFolders/a%2Fb%3D/messages/delta?$select=id,changeKey,"), "{url}");
        assert!(!url.contains("body") && !url.contains("subject"), "{url}");
        assert!(url.contains("0x1081") && url.contains("0x0E08"), "{url}");
        let size = |part: Part| part.headers.iter().any(|(_, value)| value.contains("odata.maxpagesize="));
        assert!(size(page("1", "/x")) && size(folder_page("1", "/x")));
    }

    #[test]
    fn a_row_without_an_id_spoils_its_page() {
        let answer = |body: Value| Response::new(200, Vec::new(), body.to_string().into_bytes());
        assert!(read_page(&answer(json!({"value": [{"id": "1"}]}))).is_ok());
        assert!(read_page(&answer(json!({"value": [{"isRead": true}]}))).is_err());
        assert!(read_page(&answer(json!({"value": [], "@odata.nextLink": "x"}))).is_ok());
        assert!(read_folders(&answer(json!({"value": [{"displayName": "Inbox"}]}))).is_err());
    }

    #[test]
    fn a_session_says_where_it_goes_on_in_either_spelling() {
        let answer = |body: Value| next_range(&Response::new(200, Vec::new(), body.to_string().into_bytes()));
        assert_eq!(answer(json!({"nextExpectedRanges": ["327680-"]})), Some(327_680));
        assert_eq!(answer(json!({"NextExpectedRanges": ["327680"]})), Some(327_680));
        assert_eq!(answer(json!({"nextExpectedRanges": ["10-20", "30-"]})), Some(10));
        assert_eq!(answer(json!({"nextExpectedRanges": []})), None);
        assert_eq!(next_range(&Response::new(201, Vec::new(), Vec::new())), None);
        let put = range("https://up.example/1", b"abc", 5, 9);
        assert_eq!(put.headers, [("Content-Range".to_owned(), "bytes 5-7/9".to_owned())]);
    }

    #[test]
    fn bytes_are_read_by_the_short_path() {
        assert_eq!(value("a=").url, "/v1.0/me/messages/a%3D/$value");
    }

    #[test]
    fn an_answer_without_bytes_is_no_message() {
        let answer = |body: &[u8]| Response::new(200, Vec::new(), body.to_vec());
        assert_eq!(read_value(&answer(b"Subject: x\r\n")).unwrap().body, b"Subject: x\r\n");
        assert_eq!(read_value(&answer(b"")).unwrap_err().kind, ErrorKind::Unknown);
    }
}
