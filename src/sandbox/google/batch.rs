//! Many requests in one `multipart/mixed`, as both Calendar and Gmail take them: reading them, and writing the answers.

use crate::{Request, Response, http1};

/// One inner request with the id that its answer is found by.
pub(crate) struct Part {
    pub id: String,
    pub request: Request,
}

/// The parts of a batch, or what is wrong with it. `is_target` says which paths (without `/google`) may be asked for.
pub(crate) fn read(request: &Request, is_target: impl Fn(&str) -> bool) -> Result<Vec<Part>, &'static str> {
    let boundary = boundary(request).ok_or("Missing multipart boundary.")?;
    let body = std::str::from_utf8(&request.body).map_err(|_| "The batch is not text.")?;
    parts(body, &boundary, request, is_target).ok_or("Failed to parse batch request.")
}

/// The answer to a batch: those of its parts, each under the id of its request.
pub(crate) fn write(mark: &str, replies: &[(&str, Response)]) -> Response {
    let mut text = String::new();
    for (id, reply) in replies {
        text.push_str(&format!("--{mark}\r\nContent-Type: application/http\r\n"));
        if !id.is_empty() {
            text.push_str(&format!("Content-ID: {}\r\n", answer_id(id)));
        }
        text.push_str(&format!("\r\nHTTP/1.1 {} {}\r\n", reply.status, http1::reason(reply.status)));
        for (name, value) in &reply.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", reply.body.len()));
        text.push_str(&String::from_utf8_lossy(&reply.body));
        text.push_str("\r\n");
    }
    text.push_str(&format!("--{mark}--\r\n"));
    Response::bytes(200, &format!("multipart/mixed; boundary={mark}"), text)
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

fn parts(body: &str, boundary: &str, outer: &Request, is_target: impl Fn(&str) -> bool) -> Option<Vec<Part>> {
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
        let request = inner_request(inner, outer).filter(|(target, _)| is_target(target))?.1;
        parts.push(Part { id: header(head, "content-id").unwrap_or_default(), request });
    }
    None
}

fn header(head: &str, wanted: &str) -> Option<String> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
    found.next().map(|(_, value)| value.trim().to_owned())
}

/// What a part asks for, and the whole request that it stands for. A part without a token of its own has the batch's.
fn inner_request<'a>(text: &'a str, outer: &Request) -> Option<(&'a str, Request)> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let target = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
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
    Some((target, request))
}
