//! Gmail's batches: many gets in one `multipart/mixed` request, each with its own answer (pure).
//!
//! An answer is found by its Content-ID, never by its position; one that is missing says nothing of its message.

use std::io;
use std::ops::Range;
use twofold_http::{Effect, Expect, Request, Response, Spilled};
use twofold_model::{Error, ErrorKind, Result};

/// Provider: more than 50 parts are advised against.
pub const MOST_PARTS: usize = 50;

const BOUNDARY: &str = "twofold-part";
/// What stands before the body of an answer has fewer bytes.
const LARGEST_HEAD: u64 = 16 * 1024;
/// The body of an answer is held in memory up to so many bytes, where the reply is on the disk.
const HELD: u64 = 1 << 20;

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
        .spills()
        .divisible(paths.len() > 1)
        .cost(parts)
        .units(parts.saturating_mul(units))
}

/// The answers to `count` parts, in the order of the parts. `None`: there is no (or no single) answer to that part. The longest one
/// keeps the memory of the reply, so that a large message is there once; of a reply on the disk, large answers stay there.
///
/// # Errors
/// [`ErrorKind::Malformed`] where the reply is not the answer to a batch; [`ErrorKind::Broken`] where the disk fails that it is on.
pub fn read(mut reply: Response, count: usize) -> Result<Vec<Option<Response>>> {
    let malformed = || Error::new(ErrorKind::Malformed, "the reply to a batch is not one");
    let boundary = boundary(&reply).ok_or_else(malformed)?;
    if let Some(spilled) = &reply.spilled {
        return spilled_answers(spilled, boundary, reply.header("date"), count).map_err(unreadable);
    }
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

/// The same of a reply on the disk.
fn spilled_answers(
    reply: &Spilled,
    boundary: &str,
    date: Option<&str>,
    count: usize,
) -> io::Result<Vec<Option<Response>>> {
    let mark = format!("--{boundary}");
    let mut answers: Vec<Option<Response>> = (0..count).map(|_| None).collect();
    let mut doubled = vec![false; count];
    let mut mark_at = reply.find(mark.as_bytes(), 0)?;
    while let Some(begin) = mark_at.map(|at| at + mark.len() as u64) {
        mark_at = reply.find(mark.as_bytes(), begin)?;
        let piece = reply.part(begin..mark_at.unwrap_or(reply.length()));
        let head = piece.bytes(0..LARGEST_HEAD)?;
        // Its body may be cut within a letter, which is of no matter for what stands before.
        let head = String::from_utf8_lossy(&head);
        let Some((at, mut answer, body)) = part(&head).filter(|(at, ..)| *at < count) else { continue };
        if let (None, Some(date)) = (answer.header("date"), date) {
            answer.headers.push(("date".into(), date.to_owned()));
        }
        let body = piece.part((body.as_ptr().addr() - head.as_ptr().addr()) as u64..piece.length());
        match body.length() > HELD {
            true => answer.spilled = Some(body),
            false => answer.body = body.bytes(0..HELD)?.trim_ascii_end().to_vec(),
        }
        doubled[at] |= answers[at].is_some();
        answers[at] = Some(answer).filter(|_| !doubled[at]);
    }
    Ok(answers)
}

/// A large answer was on the disk and is not any more.
pub(super) fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Broken, "a large answer cannot be read from the disk").with_source(error)
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
    // Where nothing follows the head, the body is what stands at its end: it is a part of the piece in any case.
    let (head, body) = split(inner).unwrap_or_else(|| inner.split_at(inner.len()));
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
    fn a_part_that_ends_with_its_head_is_an_answer_without_a_body() {
        for end in ["", "\r\n", "\r\nRetry-After: 3\r\n", "\r\n\r\n"] {
            let body = format!("--b 1\r\nContent-ID: <response-part-0>\r\n\r\nHTTP/1.1 429 X{end}--b 1--\r\n");
            let read = read(reply(&body), 1).unwrap();
            assert_eq!(read[0].as_ref().map(|answer| (answer.status, answer.body.len())), Some((429, 0)), "{end:?}");
        }
    }

    #[test]
    fn a_reply_on_the_disk_is_read_as_one_in_memory() {
        let answer = |at: usize, body: &str| {
            format!("--b 1\r\nContent-ID: <response-part-{at}>\r\n\r\nHTTP/1.1 200 X\r\nA: b\r\n\r\n{body}\r\n\r\n")
        };
        let large = format!("{{\"raw\": \"{}\"}}", "x".repeat(2 * HELD as usize));
        let body = [answer(1, &large), answer(0, "{}"), answer(3, "1"), answer(3, &large), "--b 1--\r\n".to_owned()];
        let body = format!("preamble\r\n{}", body.concat());
        let here = read(reply(&body), 4).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut spilled = Spilled::within(dir.path()).unwrap();
        spilled.add(body.as_bytes()).unwrap();
        let there = read(Response { body: Vec::new(), spilled: Some(spilled), ..reply("") }, 4).unwrap();
        for (here, there) in here.into_iter().zip(there) {
            let bytes = |answer: Response| {
                let bytes = answer.beginning(usize::MAX).unwrap().trim_ascii_end().to_vec();
                (answer.status, answer.headers, bytes)
            };
            assert!(here.map(bytes) == there.map(bytes));
        }
    }

    #[test]
    fn what_is_no_reply_to_a_batch_is_malformed() {
        let page = Response::new(200, vec![("content-type".into(), "application/json".into())], b"{}".to_vec());
        assert_eq!(read(page, 1).unwrap_err().kind, ErrorKind::Malformed);
    }
}
