//! What Google's error answers mean, for all its interfaces.
//!
//! Two shapes are met, with any member missing and in any order: the one-platform shape (People, Gmail) has `error.status` and
//! `error.details[].reason`, the older one (Calendar) has `error.errors[].reason`. An answer is judged by its status and its
//! reasons, never by its message.

use chrono::DateTime;
use serde_json::Value;
use twofold_http::{Dialect, Response, judge_by_status, retry_after_s};
use twofold_model::{Error, ErrorKind};

/// The longest part of Google's own message that is shown.
const MESSAGE_LIMIT: usize = 200;

/// How long nothing is asked after a limit that lasts for hours (sheet: "long pause").
const LONG_PAUSE_S: u64 = 3600;

/// Google's way of saying what went wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct GoogleDialect;

impl Dialect for GoogleDialect {
    fn judge(&self, response: &Response) -> Error {
        let body = serde_json::from_slice::<Value>(&response.body).ok();
        let error = body.as_ref().and_then(|body| body.get("error"));
        let Some(error) = error.filter(|error| error.is_object() || error.is_string()) else {
            return not_google(response);
        };
        let reasons = reasons(error);
        let kind = kind_of(response, error, &reasons);
        let reason = reasons.first().map(|reason| format!(" {reason}")).unwrap_or_default();
        let mut text = format!("status {}{reason}", response.status);
        if kind == ErrorKind::Forbidden
            && reasons
                .iter()
                .any(|reason| matches!(*reason, "ACCESS_TOKEN_SCOPE_INSUFFICIENT" | "insufficientPermissions"))
        {
            text.push_str(&format!(
                ": the sign-in lacks the permission {}; type `twofold login google`",
                scope(response, error)
            ));
        } else if let Some(message) = error.get("message").and_then(Value::as_str) {
            text.push_str(": ");
            text.push_str(&shown(message));
        }
        Error::new(kind, text)
    }
}

/// Calendar's way: the same, but for the limit on making events with guests. Provider: for hours nothing can be written then, while
/// everything can be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct CalendarDialect;

impl Dialect for CalendarDialect {
    fn judge(&self, response: &Response) -> Error {
        GoogleDialect.judge(response)
    }

    fn pauses_writes_only(&self, response: &Response) -> bool {
        let body = serde_json::from_slice::<Value>(&response.body).ok();
        let error = body.as_ref().and_then(|body| body.get("error"));
        matches!(response.status, 403 | 429) && error.is_some_and(|error| reasons(error).contains(&"quotaExceeded"))
    }
}

/// Gmail's way: the same, but for the moment to come again, which stands in the text, and for a mailbox that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct GmailDialect;

impl Dialect for GmailDialect {
    fn judge(&self, response: &Response) -> Error {
        let mut error = GoogleDialect.judge(response);
        match error.kind {
            ErrorKind::Throttled { retry_after_s } => {
                error.kind = ErrorKind::Throttled { retry_after_s: retry_after_s.max(named_wait_s(response)) };
            }
            // Provider: "Mail service not enabled". Messages have no etag that could be stale.
            ErrorKind::StaleEtag if response.status == 400 => error.kind = ErrorKind::Forbidden,
            _ => {}
        }
        error
    }
}

/// The seconds until the moment that a text names, by the clock of the answer: `User-rate limit exceeded.  Retry after 2026-…Z`.
fn named_wait_s(response: &Response) -> Option<u64> {
    let body = serde_json::from_slice::<Value>(&response.body).ok()?;
    let (_, moment) = body.get("error")?.get("message")?.as_str()?.split_once("Retry after ")?;
    let moment = DateTime::parse_from_rfc3339(moment.split_whitespace().next()?.trim_end_matches(['.', ')'])).ok()?;
    let now = DateTime::parse_from_rfc2822(response.header("date")?).ok()?;
    let wait_ms = moment.timestamp_millis() - now.timestamp_millis();
    Some(u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000))
}

/// A page of a proxy or a front end. It says nothing about an item: its 404 or 410 must never be read as "gone".
fn not_google(response: &Response) -> Error {
    let error = judge_by_status(response);
    match response.status {
        401 | 407 | 408 | 429 | 500.. => error,
        status => Error::new(ErrorKind::Malformed, format!("status {status} without an error of Google's")),
    }
}

/// All reasons that an error names, the most telling first.
fn reasons(error: &Value) -> Vec<&str> {
    let of = |member: &str| {
        let list = error.get(member).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|entry| entry.get("reason")?.as_str()).collect::<Vec<_>>()
    };
    let mut reasons = of("details");
    reasons.extend(of("errors"));
    // `status` is a text in the one-platform shape; the token endpoint's whole error is a text.
    reasons.extend(error.get("status").and_then(Value::as_str));
    reasons.extend(error.as_str());
    reasons.retain(|reason| !reason.is_empty());
    reasons
}

fn kind_of(response: &Response, error: &Value, reasons: &[&str]) -> ErrorKind {
    let says = |words: &[&str]| reasons.iter().any(|reason| words.contains(reason));
    let throttled = ErrorKind::Throttled { retry_after_s: retry_after_s(response).map(|wait_s| wait_s.ceil() as u64) };
    let expired = says(&["EXPIRED_SYNC_TOKEN", "fullSyncRequired", "updatedMinTooLongAgo"]);
    match response.status {
        400 | 410 if expired => ErrorKind::TokenExpired,
        410 if says(&["deleted"]) => ErrorKind::NotFound,
        410 => ErrorKind::TokenExpired,
        // People's way of saying 412. Any other reason beside it names another precondition.
        400 if says(&["FAILED_PRECONDITION", "failedPrecondition"]) => {
            let own = error.get("details").and_then(Value::as_array).into_iter().flatten();
            match own.filter_map(|detail| detail.get("reason")?.as_str()).any(|reason| !reason.is_empty()) {
                true => ErrorKind::Refused,
                false => ErrorKind::StaleEtag,
            }
        }
        401 => ErrorKind::SignInNeeded,
        403 if says(&["rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"]) => {
            throttled
        }
        // Provider: these last for hours; asking again soon only makes them last longer.
        403 | 429 if says(&["quotaExceeded", "dailyLimitExceeded"]) => {
            let asked_s = retry_after_s(response).map_or(0, |wait_s| wait_s.ceil() as u64);
            ErrorKind::Throttled { retry_after_s: Some(asked_s.max(LONG_PAUSE_S)) }
        }
        // Of this event, for good: another right is not missing.
        403 if says(&["forbiddenForNonOrganizer", "eventTypeRestriction"]) => ErrorKind::Refused,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        // Two writers at once: nothing was executed, and it may be tried again after another look.
        409 if says(&["ABORTED"]) => ErrorKind::StaleEtag,
        412 => ErrorKind::StaleEtag,
        429 => throttled,
        408 | 425 => ErrorKind::Unknown,
        501 => ErrorKind::Refused,
        500.. => ErrorKind::Unknown,
        _ => ErrorKind::Refused,
    }
}

/// What a `google.rpc.Status` inside a batch means; `None` where all is well.
pub fn judge_part(http_status: Option<u16>, status: Option<&Value>) -> Option<Error> {
    let code = status.and_then(|status| status.get("code")).and_then(Value::as_i64).unwrap_or(0);
    let http = http_status.unwrap_or(0);
    if code == 0 && (http == 0 || (200..300).contains(&http)) {
        return None;
    }
    let kind = match (code, http) {
        (5, _) | (0, 404) => ErrorKind::NotFound,
        (9 | 10, _) | (0, 412) => ErrorKind::StaleEtag,
        (7, _) | (0, 403) => ErrorKind::Forbidden,
        (16, _) | (0, 401) => ErrorKind::SignInNeeded,
        (8, _) | (0, 429) => ErrorKind::Throttled { retry_after_s: None },
        (1 | 2 | 4 | 13 | 14 | 15, _) | (0, 500..) => ErrorKind::Unknown,
        (12, _) => ErrorKind::Refused,
        _ => ErrorKind::Refused,
    };
    let message = status.and_then(|status| status.get("message")).and_then(Value::as_str).unwrap_or_default();
    Some(Error::new(kind, format!("status {http}, code {code}: {}", shown(message))))
}

/// The scope that is missing: as the answer names it, else by the interface that was asked.
fn scope(response: &Response, error: &Value) -> String {
    let named = response.header("www-authenticate").and_then(|header| header.split("scope=\"").nth(1));
    if let Some(named) = named.and_then(|rest| rest.split('"').next()).filter(|scope| !scope.is_empty()) {
        return shown(named);
    }
    let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
    let service = details.filter_map(|detail| detail.get("metadata")?.get("service")?.as_str()).next();
    match service {
        Some("gmail.googleapis.com") => "https://www.googleapis.com/auth/gmail.modify".into(),
        Some(service) if service.contains("calendar") => "https://www.googleapis.com/auth/calendar".into(),
        Some("people.googleapis.com") => "https://www.googleapis.com/auth/contacts".into(),
        _ => "for this kind".into(),
    }
}

/// The beginning of a foreign text, on one line.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MESSAGE_LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(status: u16, body: Value) -> Error {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        GoogleDialect.judge(&Response::new(status, headers, body.to_string().into_bytes()))
    }

    fn one_platform(status: u16, name: &str, reason: Option<&str>) -> ErrorKind {
        let details =
            reason.map(|reason| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]));
        judged(status, json!({"error": {"code": status, "message": "m", "status": name, "details": details}})).kind
    }

    fn legacy(status: u16, reason: &str) -> ErrorKind {
        judged(status, json!({"error": {"errors": [{"domain": "global", "reason": reason}], "code": status}})).kind
    }

    #[test]
    fn both_shapes_are_judged_by_status_and_reason() {
        let throttled = ErrorKind::Throttled { retry_after_s: None };
        assert_eq!(one_platform(400, "FAILED_PRECONDITION", Some("EXPIRED_SYNC_TOKEN")), ErrorKind::TokenExpired);
        assert_eq!(one_platform(410, "FAILED_PRECONDITION", Some("EXPIRED_SYNC_TOKEN")), ErrorKind::TokenExpired);
        assert_eq!(one_platform(400, "FAILED_PRECONDITION", None), ErrorKind::StaleEtag);
        assert_eq!(one_platform(400, "FAILED_PRECONDITION", Some("MY_CONTACTS_OVERFLOW_COUNT")), ErrorKind::Refused);
        assert_eq!(one_platform(400, "INVALID_ARGUMENT", None), ErrorKind::Refused);
        assert_eq!(one_platform(404, "NOT_FOUND", None), ErrorKind::NotFound);
        assert_eq!(one_platform(409, "ALREADY_EXISTS", None), ErrorKind::Refused);
        assert_eq!(one_platform(409, "ABORTED", None), ErrorKind::StaleEtag);
        assert_eq!(one_platform(429, "RESOURCE_EXHAUSTED", Some("RATE_LIMIT_EXCEEDED")), throttled);
        assert_eq!(one_platform(503, "UNAVAILABLE", None), ErrorKind::Unknown);
        assert_eq!(legacy(400, "failedPrecondition"), ErrorKind::StaleEtag);
        assert_eq!(legacy(403, "userRateLimitExceeded"), throttled);
        assert_eq!(legacy(403, "forbiddenForNonOrganizer"), ErrorKind::Refused);
        assert_eq!(legacy(403, "requiredAccessLevel"), ErrorKind::Forbidden);
        assert_eq!(legacy(410, "fullSyncRequired"), ErrorKind::TokenExpired);
        assert_eq!(legacy(410, "deleted"), ErrorKind::NotFound);
        assert_eq!(legacy(412, "conditionNotMet"), ErrorKind::StaleEtag);
        assert_eq!(judged(400, json!({"error": "invalid_grant", "error_description": "x"})).kind, ErrorKind::Refused);
    }

    #[test]
    fn a_limit_on_making_events_holds_for_writes_alone() {
        let limited = |status: u16, reason: &str| {
            let body = json!({"error": {"errors": [{"domain": "usageLimits", "reason": reason}], "code": status}});
            let response = Response::new(status, Vec::new(), body.to_string().into_bytes());
            (CalendarDialect.judge(&response).kind, CalendarDialect.pauses_writes_only(&response))
        };
        assert_eq!(limited(403, "quotaExceeded"), (ErrorKind::Throttled { retry_after_s: Some(LONG_PAUSE_S) }, true));
        assert_eq!(limited(403, "userRateLimitExceeded"), (ErrorKind::Throttled { retry_after_s: None }, false));
    }

    #[test]
    fn gmail_names_the_moment_to_come_again_in_its_text() {
        let judged = |status: u16, reason: &str, message: &str, date: Option<&str>| {
            let headers = date.map(|date| ("Date".to_owned(), date.to_owned())).into_iter().collect();
            let body = json!({"error": {"code": status, "message": message, "errors": [{"reason": reason}]}});
            GmailDialect.judge(&Response::new(status, headers, body.to_string().into_bytes())).kind
        };
        let throttled = |retry_after_s| ErrorKind::Throttled { retry_after_s };
        let text = "User-rate limit exceeded.  Retry after 2026-01-01T08:02:00.500Z";
        let date = Some("Thu, 01 Jan 2026 08:01:50 GMT");
        assert_eq!(judged(429, "rateLimitExceeded", text, date), throttled(Some(11)));
        assert_eq!(judged(403, "userRateLimitExceeded", text, date), throttled(Some(11)));
        assert_eq!(
            judged(429, "rateLimitExceeded", text, None),
            throttled(None),
            "by no other clock than the answer's"
        );
        assert_eq!(judged(429, "rateLimitExceeded", text, Some("Thu, 01 Jan 2026 09:00:00 GMT")), throttled(Some(0)));
        assert_eq!(judged(429, "rateLimitExceeded", "Retry after lunch", date), throttled(None));
        assert_eq!(judged(403, "insufficientPermissions", text, date), ErrorKind::Forbidden);
        assert_eq!(judged(400, "failedPrecondition", "Mail service not enabled", date), ErrorKind::Forbidden);
        assert_eq!(judged(404, "notFound", "Requested entity was not found.", date), ErrorKind::NotFound);
    }

    #[test]
    fn a_missing_scope_is_named() {
        let error = judged(
            403,
            json!({"error": {"code": 403, "status": "PERMISSION_DENIED", "details": [{
            "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "metadata": {"service": "people.googleapis.com"}}]}}),
        );
        assert_eq!(error.kind, ErrorKind::Forbidden);
        assert!(error.message.contains("auth/contacts"), "{error}");
    }

    #[test]
    fn a_proxys_page_never_says_that_something_is_gone() {
        for status in [404, 410, 403, 400, 412] {
            let page = Response::new(status, Vec::new(), b"<html>Sorry</html>".to_vec());
            assert_eq!(GoogleDialect.judge(&page).kind, ErrorKind::Malformed, "{status}");
            assert_eq!(judged(status, json!({})).kind, ErrorKind::Malformed, "{status}");
        }
        let page = Response::new(502, Vec::new(), b"<html>".to_vec());
        assert_eq!(GoogleDialect.judge(&page).kind, ErrorKind::Unknown);
    }

    #[test]
    fn parts_of_a_batch_are_judged_by_code_then_status() {
        let part = |http, code| judge_part(http, Some(&json!({"code": code}))).map(|error| error.kind);
        assert_eq!(judge_part(None, None).map(|error| error.kind), None);
        assert_eq!(judge_part(Some(200), Some(&json!({}))).map(|error| error.kind), None);
        assert_eq!(part(Some(404), 5), Some(ErrorKind::NotFound));
        assert_eq!(part(None, 9), Some(ErrorKind::StaleEtag));
        assert_eq!(part(None, 13), Some(ErrorKind::Unknown));
        assert_eq!(judge_part(Some(404), None).map(|error| error.kind), Some(ErrorKind::NotFound));
    }
}
