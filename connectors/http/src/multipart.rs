//! A batch as `multipart/mixed` without what is secret or personal in it, part by part, so that it still is that batch.

use crate::scrub::{GONE, Scrubber};
use serde_json::Value;

/// The batch, each part with its head, the first line and the headers of its request or answer, and its JSON; `None` for what is
/// none.
pub(crate) fn scrubbed(scrubber: &mut Scrubber, mime: &str, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let boundary = mime.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    let mark = format!("--{}", boundary.trim_matches('"'));
    let mut pieces = text.split(mark.as_str());
    // Nothing stands before the first part, and only the end after the last one.
    pieces.next().filter(|preamble| preamble.trim().is_empty())?;
    let mut all = String::new();
    for piece in pieces {
        all.push_str(&mark);
        match piece.trim() {
            "--" => all.push_str(piece),
            _ => all.push_str(&part(scrubber, piece)?),
        }
    }
    Some(all)
}

fn part(scrubber: &mut Scrubber, piece: &str) -> Option<String> {
    let mut sections = piece.splitn(3, "\r\n\r\n");
    let (head, inner, body) = (sections.next()?, sections.next()?, sections.next().unwrap_or_default());
    let head: Vec<String> = head.split("\r\n").map(|line| scrubber.text(line)).collect();
    let mut lines = inner.split("\r\n");
    let mut kept = vec![first_line(scrubber, lines.next()?)];
    kept.extend(lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some(format!("{name}: {}", scrubber.header(name, value.trim())?))
    }));
    let bare = body.trim();
    let json = match bare {
        "" => String::new(),
        _ => serde_json::from_str::<Value>(bare)
            .map_or_else(|_| GONE.to_owned(), |json| scrubber.json(&json).to_string()),
    };
    let (before, after) = match bare {
        "" => ("", body),
        _ => body.split_once(bare)?,
    };
    Some([head.join("\r\n"), kept.join("\r\n"), [before, &json, after].concat()].join("\r\n\r\n"))
}

/// `GET /path HTTP/1.1`, or `HTTP/1.1 200 OK`.
fn first_line(scrubber: &mut Scrubber, line: &str) -> String {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        [method, path, version] if path.starts_with('/') => format!("{method} {} {version}", scrubber.url(path)),
        _ => scrubber.text(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIME: &str = "multipart/mixed; boundary=b";

    fn once(body: &str) -> String {
        scrubbed(&mut Scrubber::default(), MIME, body.as_bytes()).unwrap()
    }

    #[test]
    fn a_batch_stays_one_without_what_is_in_it() {
        let asks = "--b\r\nContent-Type: application/http\r\nContent-ID: <part-0>\r\n\r\n\
                    GET /gmail/v1/users/me/messages/18c0000000000001?fields=id%2Craw HTTP/1.1\r\n\r\n\r\n--b--\r\n";
        let asked = once(asks);
        assert!(
            asked.contains("GET /gmail/v1/users/me/messages/900000001?fields=id%2Craw HTTP/1.1\r\n\r\n\r\n"),
            "{asked}"
        );
        assert_eq!(once(&asked), asked);
        let answer = "--b\r\nContent-Type: application/http\r\nContent-ID: <response-part-0>\r\n\r\nHTTP/1.1 200 OK\r\n\
                      Content-Type: application/json\r\nSet-Cookie: hush\r\n\r\n{\"id\": \"18c0000000000001\",\r\n\"snippet\": \"Ada\"}\r\n--b--\r\n";
        let answered = once(answer);
        for gone in ["18c0", "Ada", "hush"] {
            assert!(!answered.contains(gone), "{gone} in {answered}");
        }
        assert!(
            answered.contains("<response-part-0>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
        );
        assert!(answered.ends_with("}\r\n--b--\r\n"), "{answered}");
        assert_eq!(once(&answered), answered);
    }

    #[test]
    fn what_is_no_batch_is_not_kept() {
        let mut scrubber = Scrubber::default();
        assert_eq!(scrubbed(&mut scrubber, MIME, b"Ada--b--"), None);
        assert_eq!(scrubbed(&mut scrubber, MIME, b"--b\r\nAda\r\n--b--"), None);
        assert_eq!(scrubbed(&mut scrubber, "multipart/mixed", b"--b--"), None);
        let hush = "--b\r\nContent-ID: <1>\r\n\r\nHTTP/1.1 200 OK\r\n\r\nAda\r\n--b--";
        assert!(!once(hush).contains("Ada"));
    }
}
