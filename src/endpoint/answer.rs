//! What was asked for, and the answer to it.

use super::facts::{Board, Facts};
use super::gate::{Entry, Gate};
use super::{health, metrics, page};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use twofold_model::{Error, ErrorKind, Result};
use url::form_urlencoded;

/// A form is no longer, in bytes.
const FORM_MOST: usize = 4 * 1024;
/// Nothing is loaded but our own style (and an icon that is none), nothing is sent but to us, nobody shows the page in theirs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Where the facts come from, and who does what somebody decided on the page. Its calls may block.
pub trait Teller: Send + Sync {
    /// The facts as they are now.
    fn facts(&self) -> Result<Facts>;
    /// What the page shows.
    fn board(&self) -> Result<Board>;
    /// Lets a held plan be made; `people`: how many somebody agreed to mail. Answers what was done; `None`: it is done when the run that is
    /// under way ends or gives way.
    ///
    /// # Errors
    /// [`ErrorKind::Throttled`] where another process is at work, or the service ends: nothing was done.
    fn approve(&self, id: String, people: Option<usize>) -> Result<Option<String>>;
    /// Puts back what a held plan is about. Answers as [`Teller::approve`] does.
    ///
    /// # Errors
    /// As those of [`Teller::approve`].
    fn drop(&self, id: String) -> Result<Option<String>>;
    /// Words for people, with each command as it is typed here.
    fn typed(&self, words: &str) -> String;
}

/// An answer whose body is all there.
pub type Answer = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// A request that came to its end: with its body, or with none where that is longer than any form.
pub type Whole = Request<Option<Bytes>>;

/// Waits for all of a request.
pub async fn whole(request: Request<Incoming>) -> Whole {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, FORM_MOST).collect().await.ok();
    Request::from_parts(head, body.map(Collected::to_bytes))
}

/// Answers one request.
pub async fn answer(
    request: Whole,
    gate: Arc<Gate>,
    teller: Arc<dyn Teller>,
) -> std::result::Result<Answer, Infallible> {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let token = form_urlencoded::parse(query).find(|(key, _)| key == "token").map(|(_, value)| value.into_owned());
    let mut answer = match gate.entry(request.headers(), token.as_deref()) {
        Entry::Misnamed => said(
            StatusCode::MISDIRECTED_REQUEST,
            "this service does not go by that name; nothing was told. Add the name to names in [endpoint], or use its address",
        ),
        Entry::Unknown => {
            let words = "a token is needed; nothing was told. Send it as a bearer token, or open /?token=… once";
            let mut answer = said(StatusCode::UNAUTHORIZED, words);
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
        Entry::Cookie => {
            let mut answer = see_other("/");
            if let Ok(cookie) = gate.cookie().parse() {
                answer.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            answer
        }
        Entry::Open => found(request, &gate, teller).await,
    };
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // A form tells its origin to us, and nobody else is told anything.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(answer)
}

async fn found(request: Whole, gate: &Gate, teller: Arc<dyn Teller>) -> Answer {
    let path = request.uri().path().to_owned();
    let typed = {
        let teller = teller.clone();
        move |words: &str| teller.typed(words)
    };
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    match (is_read, path.as_str()) {
        (true, "/") => match ask(teller, |teller| teller.board()).await {
            Ok(board) => with_type(StatusCode::OK, HTML, page::page(&board, &gate.form, &typed)),
            Err(error) => told(&error),
        },
        (true, "/style.css") => with_type(StatusCode::OK, "text/css; charset=utf-8", page::STYLE.to_owned()),
        (true, "/metrics") => match ask(teller, |teller| teller.facts()).await {
            Ok(facts) => with_type(StatusCode::OK, metrics::CONTENT_TYPE, metrics::text(&facts)),
            Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
        (true, "/healthz") => match ask(teller, |teller| teller.facts()).await.map(|facts| health::ills(&facts)) {
            Ok(ills) if ills.is_empty() => said(StatusCode::OK, "ok"),
            Ok(ills) => said(StatusCode::SERVICE_UNAVAILABLE, &typed(&ills.join("\n"))),
            Err(error) => said(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        },
        (false, "/approve" | "/drop") if request.method() == Method::POST => {
            decided(request, gate, teller, &path).await
        }
        (_, "/" | "/style.css" | "/metrics" | "/healthz" | "/approve" | "/drop") => {
            said(StatusCode::METHOD_NOT_ALLOWED, "this address is not asked like that; nothing was done")
        }
        _ => said(StatusCode::NOT_FOUND, "there is nothing here; the page is at /"),
    }
}

/// What somebody decided on the page.
async fn decided(request: Whole, gate: &Gate, teller: Arc<dyn Teller>, path: &str) -> Answer {
    let (head, body) = request.into_parts();
    let Some(body) = body else {
        return said(StatusCode::PAYLOAD_TOO_LARGE, "that is no form of the page; nothing was done");
    };
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    if !gate.is_from_page(&head.headers, form.get("form").map(String::as_str)) {
        let words = "this form is not of the page as it is now, because the service was started again since; nothing was done. Open the page again";
        return with_type(StatusCode::FORBIDDEN, HTML, page::message("Nothing was done", words));
    }
    let Some(id) = form.get("id").cloned() else {
        return said(StatusCode::BAD_REQUEST, "the form names nothing that is held; nothing was done");
    };
    let people = form.get("people").and_then(|people| people.parse().ok());
    let is_approved = path == "/approve";
    let done = ask(teller, move |teller| if is_approved { teller.approve(id, people) } else { teller.drop(id) }).await;
    match done {
        Ok(None) => {
            let words = "a run is under way; it is done when that ends or gives way, and not at all when the service is killed before";
            with_type(StatusCode::ACCEPTED, HTML, page::message("Heard, and not done yet", words))
        }
        Ok(Some(words)) => with_type(StatusCode::OK, HTML, page::message("Done", &words)),
        Err(error) => told(&error),
    }
}

/// Asks the teller on a thread that may block.
async fn ask<T: Send + 'static>(
    teller: Arc<dyn Teller>,
    what: impl FnOnce(&dyn Teller) -> Result<T> + Send + 'static,
) -> Result<T> {
    let asked = tokio::task::spawn_blocking(move || what(teller.as_ref())).await;
    asked.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Broken, format!("the service could not look it up: {error}")))
    })
}

/// An error as a page.
fn told(error: &Error) -> Answer {
    let (status, title) = match error.kind {
        ErrorKind::Throttled { .. } => (StatusCode::SERVICE_UNAVAILABLE, "A run is under way"),
        ErrorKind::Held | ErrorKind::Misconfigured => (StatusCode::CONFLICT, "Nothing was done"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "That did not work"),
    };
    with_type(status, HTML, page::message(title, &error.to_string()))
}

fn with_type(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn said(status: StatusCode, words: &str) -> Answer {
    with_type(status, TEXT, format!("{words}\n"))
}

fn see_other(to: &'static str) -> Answer {
    let mut answer = said(StatusCode::SEE_OTHER, "go on there");
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    answer
}
