//! One request to a token endpoint or to "who am I", over the [`Transport`] that the connectors use too (it follows no
//! redirect). What fails becomes words without a body, without an address's parameters, without a token.
//!
//! Invariant: no error made here is `Unknown`, `Malformed`, `Refused` or `NotFound`. Whoever asks for a token has not sent the
//! request that needs it, so a failure here proves that no write left, and says nothing about any item.

use bytes::Bytes;
use oauth2::{HttpRequest, HttpResponse};
use serde_json::Value;
use twofold_http::transport::SILENCE_MS;
use twofold_http::{Method, Response, Transport, TransportError, Wire, retry_after_s};
use twofold_model::{Error, ErrorKind, Result};
use url::Url;
use zeroize::{Zeroize, Zeroizing};

/// The longest answer that is read.
const MOST_BODY: usize = 256 * 1024;
/// How long one request may take.
pub(crate) const TIMEOUT_MS: u64 = 45_000;

/// An answer, whatever its status.
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for.
    pub retry_after_s: Option<u64>,
    /// The body; wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

/// Sends what `oauth2` built.
pub(crate) async fn send(transport: &dyn Transport, what: &'static str, request: HttpRequest) -> Result<Answer> {
    let (parts, body) = request.into_parts();
    let not_built = || Error::new(ErrorKind::Misconfigured, format!("{what}: the request cannot be built"));
    let url = Url::parse(&parts.uri.to_string()).map_err(|_| not_built())?;
    let header = |(name, value): (&oauth2::http::HeaderName, &oauth2::http::HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    let headers = parts.headers.iter().map(header).collect::<Option<Vec<_>>>().ok_or_else(not_built)?;
    exchange(transport, what, Method::Post, url, headers, body).await
}

/// Sends a form.
pub(crate) async fn post_form(
    transport: &dyn Transport,
    what: &'static str,
    url: &Url,
    form: &[(&str, &str)],
) -> Result<Answer> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    exchange(transport, what, Method::Post, url.clone(), headers, body.into_bytes()).await
}

/// Reads a JSON document with a bearer token; nothing, if the answer is anything else than 200 with JSON.
pub(crate) async fn get_json(
    transport: &dyn Transport,
    what: &'static str,
    url: &Url,
    bearer: &str,
) -> Result<Option<Value>> {
    let headers = vec![
        ("authorization".to_owned(), format!("Bearer {bearer}")),
        ("accept".to_owned(), "application/json".to_owned()),
    ];
    let answer = exchange(transport, what, Method::Get, url.clone(), headers, Vec::new()).await?;
    Ok(if answer.status == 200 { serde_json::from_slice(&answer.body).ok() } else { None })
}

async fn exchange(
    transport: &dyn Transport,
    what: &'static str,
    method: Method,
    url: Url,
    mut headers: Vec<(String, String)>,
    body: Vec<u8>,
) -> Result<Answer> {
    headers.push(("user-agent".to_owned(), concat!("twofold/", env!("CARGO_PKG_VERSION")).to_owned()));
    let host = url.host_str().unwrap_or("the provider").to_owned();
    // Both may hold a secret: the form with the refresh token, the bearer.
    let body = Bytes::from_owner(Zeroizing::new(body));
    let mut wire = Wire {
        what,
        method,
        url,
        headers,
        body,
        timeout_ms: TIMEOUT_MS,
        silence_ms: SILENCE_MS,
        hurry: None,
        max_body: MOST_BODY,
        heard: Default::default(),
    };
    let outcome = transport.exchange(&wire).await;
    wire.headers.iter_mut().for_each(|(_, value)| value.zeroize());
    let response = outcome.map_err(|error| failed(&host, error))?;
    let retry_after_s = retry_after_s(&response).map(|seconds| (seconds.ceil() as u64).min(86_400));
    let Response { status, body, .. } = response;
    Ok(Answer { status, retry_after_s, body: Zeroizing::new(body) })
}

fn failed(host: &str, error: TransportError) -> Error {
    match error {
        TransportError::Misconfigured(_) | TransportError::Unsendable(_) => {
            Error::new(ErrorKind::Misconfigured, format!("{host}: {error}"))
        }
        _ => Error::new(ErrorKind::Offline, format!("{host}: {error}")),
    }
}

impl Answer {
    /// The answer as `oauth2` wants it: JSON that says so, and numbers that are numbers. Nothing, if it is not an object.
    pub(crate) fn for_oauth2(&self) -> Option<HttpResponse> {
        let mut value: Value = serde_json::from_slice(&self.body).ok().filter(Value::is_object)?;
        for name in ["expires_in", "refresh_token_expires_in", "ext_expires_in", "interval"] {
            if let Some(field) = value.get_mut(name) {
                *field = whole_seconds(field).map_or(Value::Null, Value::from);
            }
        }
        // A missing token_type can mean only one thing at these two providers.
        if value.get("access_token").is_some() && value.get("token_type").is_none() {
            value["token_type"] = "Bearer".into();
        }
        let bytes = serde_json::to_vec(&value).ok()?;
        wipe(&mut value);
        let response = oauth2::http::Response::builder().status(self.status).header("content-type", "application/json");
        response.body(bytes).ok()
    }
}

/// Overwrites the texts of a JSON value.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| wipe(field)),
        _ => {}
    }
}

/// Seconds, written as a number, a broken number or a text.
fn whole_seconds(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    // Tokens live for hours, device codes for minutes: a year is beyond both.
    (number.is_finite() && number >= 0.0).then(|| number.min(31_536_000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn seconds_are_understood_however_they_are_written() {
        for (value, expected) in [
            (json!(3599), Some(3599)),
            (json!("3599"), Some(3599)),
            (json!(" 3599.9 "), Some(3599)),
            (json!(1e30), Some(31_536_000)),
            (json!(-5), None),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            assert_eq!(whole_seconds(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_failed_exchange_never_looks_like_a_lost_write() {
        let lost = [
            TransportError::NotConnected("refused".into()),
            TransportError::Cut("eof".into()),
            TransportError::TimedOut,
            TransportError::TooLarge(1),
            TransportError::Unsendable("header".into()),
            TransportError::Misconfigured("no proxy".into()),
        ];
        for error in lost {
            assert!(failed("login.example", error.clone()).kind.proves_not_executed(), "{error}");
        }
    }
}
