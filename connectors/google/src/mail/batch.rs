//! Gmail's batches: many gets in one `multipart/mixed` request, each with its own answer (pure).
//!
//! An answer is found by its Content-ID, never by its position; one that is missing says nothing of its message.

use std::ops::Range;
use twofold_http::{Effect, Expect, Request, Response};
use twofold_model::{Error, ErrorKind, Result};

/// Provider: more than 50 parts are advised against.
pub const MOST_PARTS: usize = 50;

const BOUNDARY: &str = "twofold-part";

/// POST `batch`: GET of each of these paths. A part counts as a request, and costs `units`.
pub fn gets(what: &'static str, paths: &[String], units: u32) -> Request {
    let mut body = String::new();
    for (at, path) in paths.iter().enumerate() {
        body.push_str(&format!(
            "--{BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <part-{at}>\r\n\r\nGET {path} HTTP/1.1\r\n\r\n\r\n"
        ));
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    let parts = u32::try_from(paths.len()).unwrap_or(u32::MAX);
    Request::post_bytes(what, "/batch", &format!("multipart/mixed; boundary={BOUNDARY}"), body.into_bytes())
        .effect(Effect::Read)
        .expect(Expect::Bytes)
        .cost(parts)
        .units(parts.saturating_mul(units))
}

/// The answers to `count` parts, in the order of the parts. `None`: there is no (or no single) answer to that part. The longest one
/// keeps the memory of the reply, so that a large message is there once.
///
/// # Errors
/// [`ErrorKind::Malformed`] where the reply is not the answer to a batch.
pub fn read(mut reply: Response, count: usize) -> Result<Vec<Option<Response>>> {
    let malformed = || Error::new(ErrorKind::Malformed, "the reply to a batch is not one");
    let boundary = boundary(&reply).ok_or_else(malformed)?;
    let text = std::str::from_utf8(&reply.body).map_err(|_| malformed())?;
    let mark = format!("--{boundary}");
    let mut answers: Vec<Option<(Response, Range<usize>)>> = (0..count).map(|_| None).collect();
    let mut doubled = vec![false; count];
    for piece in text.split(mark.as_str()).skip(1) {
        let Some((at, mut answer, body)) = part(piece).filter(|(at, ..)| *at < count) else { continue };
        // A wait that a part names as a moment is measured by the clock of the reply.
        if let (None, Some(date)) = (answer.header("date"), reply.header("date")) {
            answer.headers.push(("date".into(), date.to_owned()));
        }
        let begin = body.as_ptr().addr() - text.as_ptr().addr();
        // Two answers to one question are none.
        doubled[at] |= answers[at].is_some();
        answers[at] = Some((answer, begin..begin + body.len())).filter(|_| !doubled[at]);
    }
    let mut whole = std::mem::take(&mut reply.body);
    let longest = answers.iter().flatten().map(|(_, body)| body.clone()).max_by_key(Range::len);
    let mut answers: Vec<Option<(Response, Range<usize>)>> = answers;
    for (answer, body) in answers.iter_mut().flatten().filter(|(_, body)| Some(body.clone()) != longest) {
        answer.body = whole[body.clone()].to_vec();
    }
    for (answer, body) in answers.iter_mut().flatten().filter(|(_, body)| Some(body.clone()) == longest) {
        whole.truncate(body.end);
        whole.drain(..body.start);
        answer.body = std::mem::take(&mut whole);
    }
    Ok(answers.into_iter().map(|answer| answer.map(|(answer, _)| answer)).collect())
}

fn boundary(reply: &Response) -> Option<&str> {
    let (kind, parameters) = reply.header("content-type")?.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let found = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!found.is_empty()).then_some(found)
}

/// Which part a piece of the reply answers, how, and with what.
fn part(piece: &str) -> Option<(usize, Response, &str)> {
    let (head, inner) = split(piece.trim_start_matches(['\r', '\n']))?;
    let (_, id) = headers(head).find(|(name, _)| name.eq_ignore_ascii_case("content-id"))?;
    let at = id.trim_matches(['<', '>']).strip_prefix("response-part-")?.parse().ok()?;
    let (head, body) = split(inner).unwrap_or((inner, ""));
    let (line, head) = head.split_once('\n').unwrap_or((head, ""));
    let status = line.strip_prefix("HTTP/")?.split_whitespace().nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        headers(head).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some((at, Response::new(status, headers, Vec::new()), body.trim_end_matches(['\r', '\n'])))
}

/// Head and body, parted by an empty line.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("\r\n\r\n").or_else(|| text.split_once("\n\n"))
}

fn headers(head: &str) -> impl Iterator<Item = (&str, &str)> {
    head.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_http::Body;

    fn reply(body: &str) -> Response {
        let headers = [("content-type", "multipart/mixed; boundary=\"b 1\""), ("date", "now")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Response::new(200, headers, body.as_bytes().to_vec())
    }

    #[test]
    fn a_batch_names_its_parts_and_costs_as_many_requests() {
        let request = gets("read", &["/a?x=1".into(), "/b".into()], 20);
        let Body::Bytes { bytes, content_type } = &request.body else { panic!() };
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("Content-ID: <part-1>\r\n\r\nGET /b HTTP/1.1\r\n"), "{text}");
        assert_eq!((request.cost, request.units, request.effect), (2, 40, Effect::Read));
        assert_eq!(content_type, "multipart/mixed; boundary=twofold-part");
    }

    #[test]
    fn answers_are_found_by_their_name_and_a_missing_one_is_unknown() {
        let answer = |at: usize, status: u16, body: &str| {
            format!(
                "--b 1\r\nContent-Type: application/http\r\nContent-ID: <response-part-{at}>\r\n\r\nHTTP/1.1 {status} X\r\n\
                 Content-Type: application/json\r\n\r\n{body}\r\n\r\n"
            )
        };
        let body =
            [answer(2, 200, "{\"a\":\"x\\n\\ny\"}"), answer(0, 429, "{}"), answer(3, 200, "1"), answer(3, 200, "2")];
        let body = format!("preamble\r\n{}--b 1\r\nno head\r\n--b 1--\r\n", body.concat());
        let read = read(reply(&body), 4).unwrap();
        assert_eq!(read[2].as_ref().unwrap().body, b"{\"a\":\"x\\n\\ny\"}");
        assert_eq!(read[0].as_ref().map(|answer| (answer.status, answer.header("date"))), Some((429, Some("now"))));
        assert!(read[1].is_none() && read[3].is_none(), "no answer, and two answers, are unknown");
    }

    #[test]
    fn what_is_no_reply_to_a_batch_is_malformed() {
        let page = Response::new(200, vec![("content-type".into(), "application/json".into())], b"{}".to_vec());
        assert_eq!(read(page, 1).unwrap_err().kind, ErrorKind::Malformed);
    }
}
