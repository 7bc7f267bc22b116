//! `batch/calendar/v3`: many requests in one `multipart/mixed`, each run like any other.

use super::errors::{error, invalid};
use crate::google::errors::Refusal;
use crate::{Request, Response, State, server};

/// One inner request with the id that its answer is found by.
struct Part {
    id: String,
    request: Request,
}

/// Answers a batch. Its own status is 200 whatever becomes of its parts.
pub(super) fn answer(state: &mut State, request: &Request) -> Result<Response, Refusal> {
    if request.method != "POST" {
        return Err(error(404, "global", "notFound", "Not Found", None));
    }
    let boundary = boundary(request).ok_or_else(|| invalid("Missing multipart boundary."))?;
    let body = std::str::from_utf8(&request.body).map_err(|_| invalid("The batch is not text."))?;
    let parts = read(body, &boundary, request).ok_or_else(|| invalid("Failed to parse batch request."))?;
    let most = state.switches.calendar_most_batch_parts;
    if parts.is_empty() || parts.len() > most {
        let message = format!("The batch request must hold between 1 and {most} calls.");
        return Err(error(400, "global", "badRequest", &message, None));
    }
    let mark = format!("batch_{:016x}", state.google.stamp.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut text = String::new();
    for part in &parts {
        // None: the answer to this part is lost.
        let Some(reply) = server::dispatch_part(state, &part.request) else { continue };
        text.push_str(&format!("--{mark}\r\nContent-Type: application/http\r\n"));
        if !part.id.is_empty() {
            text.push_str(&format!("Content-ID: {}\r\n", answer_id(&part.id)));
        }
        text.push_str(&format!("\r\nHTTP/1.1 {} {}\r\n", reply.status, crate::http1::reason(reply.status)));
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", reply.body.len()));
        text.push_str(&String::from_utf8_lossy(&reply.body));
        text.push_str("\r\n");
    }
    text.push_str(&format!("--{mark}--\r\n"));
    Ok(Response::bytes(200, &format!("multipart/mixed; boundary={mark}"), text))
}

/// `<item1>` is answered as `<response-item1>`.
fn answer_id(id: &str) -> String {
    match id.strip_prefix('<') {
        Some(rest) => format!("<response-{rest}"),
        None => format!("response-{id}"),
    }
}

fn boundary(request: &Request) -> Option<String> {
    let kind = request.header("content-type")?;
    let (kind, parameters) = kind.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let found = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(found.trim_matches('"').to_owned()).filter(|boundary| !boundary.is_empty())
}

fn read(body: &str, boundary: &str, outer: &Request) -> Option<Vec<Part>> {
    let body = body.replace("\r\n", "\n");
    let mark = format!("--{boundary}");
    let mut pieces = body.split(mark.as_str());
    pieces.next()?;
    let mut parts = Vec::new();
    for piece in pieces {
        if piece.starts_with("--") {
            return Some(parts);
        }
        let (head, inner) = piece.trim_start_matches('\n').split_once("\n\n")?;
        parts.push(Part { id: header(head, "content-id").unwrap_or_default(), request: inner_request(inner, outer)? });
    }
    None
}

fn header(head: &str, wanted: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    found.next().map(|(_, value)| value.trim().to_owned())
}

/// The whole request that a part stands for. A part without a token of its own has the batch's.
fn inner_request(text: &str, outer: &Request) -> Option<Request> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let target = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    if !target.starts_with("/calendar/v3/") {
        return None;
    }
    let mut request = Request::new(method, &format!("/google{target}"));
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.with_header(name.trim(), value.trim());
    }
    if request.header("authorization").is_none()
        && let Some(token) = outer.header("authorization")
    {
        request = request.with_header("authorization", token);
    }
    request.body = body.trim_end_matches('\n').as_bytes().to_vec().into();
    Some(request)
}
