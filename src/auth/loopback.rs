//! The end of the browser's way: a listener on this machine that takes the redirect, and the reading of a redirected address.
//!
//! Whatever else connects (a favicon, a scanner, an old tab) is answered and ignored: only the state that this very sign-in
//! made up ends the waiting.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use twofold_model::{Error, ErrorKind, Result};
use url::form_urlencoded;

use crate::refusal::Refusal;

/// The longest request head that is read; a redirect with a code has about 2 kB.
const MOST_HEAD: usize = 32 * 1024;
/// How many connections may be open; browsers open some in advance and keep them idle.
const MOST_CONNECTIONS: usize = 64;
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// What a redirect brought.
#[derive(Debug)]
pub(crate) enum Redirect {
    /// A code to exchange.
    Code(SecretString),
    /// A refusal.
    Refused(Refusal),
}

/// Why an address is not the redirect that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotOurs {
    /// It holds neither a code nor an error, or no state.
    Stray,
    /// It belongs to another sign-in.
    OtherState,
}

/// Reads the parameters of a redirected address.
pub(crate) fn read_redirect(query: &str, state: &str) -> Result<Redirect, NotOurs> {
    let value =
        |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value);
    let (code, error) = (value("code"), value("error"));
    let theirs = value("state").filter(|_| code.is_some() || error.is_some()).ok_or(NotOurs::Stray)?;
    if !is_equal(theirs.as_bytes(), state.as_bytes()) {
        return Err(NotOurs::OtherState);
    }
    match (code, error) {
        (_, Some(error)) => {
            let description = value("error_description").unwrap_or_default();
            let suberror = value("error_subcode").or_else(|| value("error_subtype"));
            Ok(Redirect::Refused(Refusal::from_redirect(&error, &description, suberror.as_deref())))
        }
        (Some(code), None) if !code.is_empty() => Ok(Redirect::Code(SecretString::from(code.into_owned()))),
        _ => Err(NotOurs::Stray),
    }
}

/// Reads what a person pasted: the whole redirected address, or what stands behind its question mark. Line breaks and blanks
/// that a terminal or a mail put in are taken out.
pub(crate) fn read_pasted(text: &str, state: &str) -> Result<Redirect, NotOurs> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    let text = text.trim_matches(['"', '\'', '<', '>']);
    let text = text.split('#').next().unwrap_or_default();
    let query = text.split_once('?').map_or(text, |(_, query)| query);
    read_redirect(query, state)
}

/// Compares without telling by its duration how much was right.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// A listener on this machine, on a port that was free.
pub(crate) struct Listener {
    v4: TcpListener,
    v6: Option<TcpListener>,
    /// The port.
    pub port: u16,
}

impl Listener {
    /// Listens on 127.0.0.1, and on ::1 too where `localhost` is the name in the redirect and may mean either.
    pub async fn bind(is_localhost: bool) -> Result<Listener> {
        let failed = |error: io::Error| {
            let words = format!("cannot listen on 127.0.0.1 for the browser's answer: {error}");
            Error::new(ErrorKind::Misconfigured, words)
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let port = v4.local_addr().map_err(failed)?.port();
        let v6 = match is_localhost {
            true => TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok(),
            false => None,
        };
        Ok(Listener { v4, v6, port })
    }

    /// Waits for the redirect with this state. Dropping the future closes everything.
    pub async fn wait(&self, state: &str) -> Redirect {
        let (found, mut redirects) = mpsc::channel(1);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Some(redirect) = redirects.recv() => return redirect,
                accepted = self.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok(stream) => {
                        let (state, found) = (state.to_owned(), found.clone());
                        connections.spawn(async move {
                            // Each connection for itself: an idle one must not keep the redirect waiting.
                            if let Ok(Some(redirect)) = tokio::time::timeout(READ_TIMEOUT, answer(stream, &state)).await {
                                // Only the first one counts, and only while somebody waits.
                                found.try_send(redirect).ok();
                            }
                        });
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match &self.v6 {
            Some(v6) => tokio::select! {
                accepted = self.v4.accept() => accepted,
                accepted = v6.accept() => accepted,
            },
            None => self.v4.accept().await,
        }
        .map(|(stream, _)| stream)
    }
}

/// Answers one request; gives back the redirect, if it was that. What fails on the way concerns only that connection.
async fn answer(mut stream: TcpStream, state: &str) -> Option<Redirect> {
    let target = read_target(&mut stream).await?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let outcome = if path == "/" { read_redirect(query, state) } else { Err(NotOurs::Stray) };
    let (status, title, text) = match &outcome {
        Ok(Redirect::Code(_)) => (
            "200 OK",
            "Almost done",
            "twofold has the answer. You can close this page; the terminal says how it ended.",
        ),
        Ok(Redirect::Refused(_)) => {
            ("200 OK", "Not signed in", "The sign-in was refused. You can close this page; the terminal says why.")
        }
        Err(NotOurs::OtherState) => (
            "400 Bad Request",
            "Another sign-in",
            "This page belongs to another sign-in. Use the address printed last.",
        ),
        Err(NotOurs::Stray) => ("404 Not Found", "Nothing here", "twofold waits here for the end of a sign-in."),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>twofold: {title}</title>\
         <body style=\"font-family:sans-serif;margin:3em\"><h1>{title}</h1><p>{text}</p></body></html>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n",
        page.len()
    );
    // A browser that left before it read the page has still brought the code.
    stream.write_all(format!("{head}{page}").as_bytes()).await.ok();
    stream.shutdown().await.ok();
    outcome.ok()
}

/// The target of a GET request.
async fn read_target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::with_capacity(4096);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MOST_HEAD || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let text = std::str::from_utf8(&head).ok()?;
    let mut words = text.lines().next()?.split(' ');
    match (words.next()?, words.next()?) {
        ("GET", target) => Some(target.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn code(outcome: Result<Redirect, NotOurs>) -> String {
        match outcome {
            Ok(Redirect::Code(code)) => code.expose_secret().to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_redirect_is_taken_only_with_the_state_of_this_sign_in() {
        assert_eq!(code(read_redirect("code=a%2Fb&state=s1&scope=x", "s1")), "a/b");
        for (query, expected) in [
            ("code=a&state=s2", NotOurs::OtherState),
            ("error=access_denied&state=s2", NotOurs::OtherState),
            ("code=a&state=", NotOurs::OtherState),
            ("code=a", NotOurs::Stray),
            ("state=s1", NotOurs::Stray),
            ("code=&state=s1", NotOurs::Stray),
            ("", NotOurs::Stray),
        ] {
            assert_eq!(read_redirect(query, "s1").unwrap_err(), expected, "{query}");
        }
        let refused = read_redirect(
            "error=access_denied&error_description=AADSTS65004%3A+no&error_subcode=cancel&state=s1",
            "s1",
        );
        assert!(matches!(refused, Ok(Redirect::Refused(refusal)) if refusal.error_codes == [65004]));
    }

    #[test]
    fn what_a_person_pastes_may_be_the_whole_address_or_its_end() {
        for text in [
            "http://127.0.0.1:5000/?state=s1&code=abc",
            "  http://127.0.0.1:5000?code=abc&state=s1#fragment \n",
            "\"http://localhost:5000/?code=a\n  bc&state=s1\"",
            "?code=abc&state=s1",
            "code=abc&state=s1",
        ] {
            assert_eq!(code(read_pasted(text, "s1")), "abc", "{text}");
        }
        assert_eq!(read_pasted("abc", "s1").unwrap_err(), NotOurs::Stray);
        assert_eq!(read_pasted("", "s1").unwrap_err(), NotOurs::Stray);
    }

    async fn get(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn strays_are_answered_and_only_the_right_redirect_ends_the_waiting() {
        let listener = Listener::bind(true).await.unwrap();
        let port = listener.port;
        let waiting = tokio::spawn(async move { listener.wait("s1").await });
        let _idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        assert!(get(port, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
        assert!(get(port, "/").await.starts_with("HTTP/1.1 404"));
        assert!(get(port, "/?code=evil&state=guess").await.starts_with("HTTP/1.1 400"));
        let mut post = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        post.write_all(b"POST /?code=x&state=s1 HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(!waiting.is_finished());
        let page = get(port, "/?code=abc&state=s1").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("You can close this page") && !page.contains("abc"));
        assert_eq!(code(Ok(waiting.await.unwrap())), "abc");
    }
}
