//! Addresses in answers: contexts, links to the next page, and how ids are written into them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::query::{self, Cursor};
use super::reply::Refusal;
use crate::{Request, Response, State};

/// An address under the API's version.
pub(super) fn api(state: &State, rest: &str) -> String {
    format!("{}/microsoft/v1.0/{rest}", state.base)
}

/// The `@odata.context` of an answer.
pub(super) fn context(state: &State, rest: &str) -> String {
    api(state, &format!("$metadata#users('{}')/{rest}", escape(&state.microsoft_account.id)))
}

/// The address of a list's next page: the same options with a token.
pub(super) fn next(state: &State, request: &Request, cursor: Cursor) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &request.query {
        if !["$skip", "$skiptoken"].contains(&name.to_ascii_lowercase().as_str()) {
            query.append_pair(name, value);
        }
    }
    let token = URL_SAFE_NO_PAD.encode(format!("rows {} {}", cursor.offset, cursor.page));
    query.append_pair("$skiptoken", &token);
    format!("{}{}?{}", state.base, request.path, query.finish())
}

/// Reads the token of [`next`].
pub(super) fn read_cursor(token: &str) -> Result<Cursor, Refusal> {
    let malformed = || Refusal::bad("The $skiptoken is malformed.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| malformed())?;
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let mut numbers = text.strip_prefix("rows ").ok_or_else(malformed)?.split(' ').map(str::parse::<usize>);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(offset)), Some(Ok(page)), None) => Ok(Cursor { offset, page }),
        _ => Err(malformed()),
    }
}

/// Confirms the page size that was asked for.
pub(super) fn confirm(reply: Response, request: &Request) -> Response {
    match query::preferred_rows(request) {
        Some(rows) => reply.with_header("preference-applied", &format!("odata.maxpagesize={rows}")),
        None => reply,
    }
}

/// Percent-encodes an id.
pub(super) fn escape(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}
