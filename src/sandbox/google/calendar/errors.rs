//! Calendar's error bodies, in the older shape: `{"error": {errors: [{domain, reason, message, location…}], code, message}}`.

use serde_json::{Value, json};

use crate::google::errors::Refusal;
use crate::{Response, State};

/// An error with its reason. `place` is (`parameter` or `header`, its name).
pub(super) fn error(code: u16, domain: &str, reason: &str, message: &str, place: Option<(&str, &str)>) -> Refusal {
    let mut cause = json!({ "message": message, "domain": domain, "reason": reason });
    if let Some((kind, name)) = place {
        cause["location"] = json!(name);
        cause["locationType"] = json!(kind);
    }
    let error = json!({ "errors": [cause], "code": code, "message": message });
    Box::new(Response::json(code, &json!({ "error": error })))
}

/// 400 `invalid`.
pub(super) fn invalid(message: &str) -> Refusal {
    error(400, "global", "invalid", message, None)
}

/// 400 `invalid` that names the parameter.
pub(super) fn bad_parameter(name: &str, message: &str) -> Refusal {
    error(400, "global", "invalidParameter", message, Some(("parameter", name)))
}

/// 400 `badRequest` that names the parameter: a combination that is not allowed.
pub(super) fn bad_combination(name: &str, message: &str) -> Refusal {
    error(400, "global", "badRequest", message, Some(("parameter", name)))
}

/// 400 `required`.
pub(super) fn required(message: &str) -> Refusal {
    error(400, "global", "required", message, None)
}

/// 400 with a reason of the calendar domain.
pub(super) fn calendar_rule(reason: &str, message: &str) -> Refusal {
    error(400, "calendar", reason, message, None)
}

/// 404 `notFound`.
pub(super) fn not_found() -> Refusal {
    error(404, "global", "notFound", "Not Found", None)
}

/// 410 `deleted`.
pub(super) fn deleted() -> Refusal {
    error(410, "global", "deleted", "Resource has been deleted", None)
}

/// 409 `duplicate`.
pub(super) fn duplicate() -> Refusal {
    error(409, "global", "duplicate", "The requested identifier already exists.", None)
}

/// 412 `conditionNotMet`.
pub(super) fn condition_not_met() -> Refusal {
    error(412, "global", "conditionNotMet", "Precondition Failed", Some(("header", "If-Match")))
}

/// 410 `fullSyncRequired`.
pub(super) fn full_sync_required() -> Refusal {
    let message = "Sync token is no longer valid, a full sync is required.";
    error(410, "calendar", "fullSyncRequired", message, Some(("parameter", "syncToken")))
}

/// 410 `updatedMinTooLongAgo`.
pub(super) fn updated_min_too_long_ago() -> Refusal {
    let message = "The requested minimum modification time lies too far in the past.";
    error(410, "calendar", "updatedMinTooLongAgo", message, Some(("parameter", "updatedMin")))
}

/// 403 `requiredAccessLevel`.
pub(super) fn needs_writer() -> Refusal {
    error(403, "calendar", "requiredAccessLevel", "You need to have writer access to this calendar.", None)
}

/// 403 `forbidden`.
pub(super) fn forbidden() -> Refusal {
    error(403, "global", "forbidden", "Forbidden", None)
}

/// 403 `forbiddenForNonOrganizer`.
pub(super) fn not_the_organizer() -> Refusal {
    let message = "Shared properties can only be changed by the organizer of the event.";
    error(403, "calendar", "forbiddenForNonOrganizer", message, None)
}

/// 400 `eventTypeRestriction`.
pub(super) fn event_type_restriction(message: &str) -> Refusal {
    calendar_rule("eventTypeRestriction", message)
}

/// 403 `quotaExceeded`: the limit against abuse, which lasts for hours.
pub(super) fn usage_limits() -> Refusal {
    error(403, "usageLimits", "quotaExceeded", "Calendar usage limits exceeded.", None)
}

/// Too many requests, with the status and the reason that the switches ask for.
pub(super) fn rate_limited(state: &State) -> Refusal {
    let reason = state.switches.calendar_rate_limit_reason.as_str();
    let message = if reason == "userRateLimitExceeded" { "User Rate Limit Exceeded" } else { "Rate Limit Exceeded" };
    let reply = error(state.switches.calendar_rate_limit_status, "usageLimits", reason, message, None);
    Box::new(dressed(state, *reply))
}

/// 401 with why.
pub(super) fn unauthenticated(is_missing: bool) -> Refusal {
    let message = if is_missing {
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other \
         valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    } else {
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    };
    let reason = if is_missing { "required" } else { "authError" };
    let mut reply = error(401, "global", reason, message, Some(("header", "Authorization")));
    let detail = if is_missing { "" } else { ", error=\"invalid_token\"" };
    reply.set_header("www-authenticate", &format!("Bearer realm=\"https://accounts.google.com/\"{detail}"));
    let details = is_missing.then(|| cause("CREDENTIALS_MISSING"));
    Box::new(with_status(*reply, "UNAUTHENTICATED", details))
}

/// 403: the token's scopes do not reach that far. `scopes` are those that would.
pub(super) fn scope_missing(scopes: &[&str]) -> Refusal {
    let message = "Request had insufficient authentication scopes.";
    let mut reply = error(403, "global", "insufficientPermissions", message, None);
    let wanted = scopes.join(" ");
    let realm = "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\"";
    reply.set_header("www-authenticate", &format!("{realm}, scope=\"{wanted}\""));
    Box::new(with_status(*reply, "PERMISSION_DENIED", Some(cause("ACCESS_TOKEN_SCOPE_INSUFFICIENT"))))
}

/// What the front end adds to its own refusals.
fn cause(reason: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": { "service": "calendar-json.googleapis.com" },
    })
}

/// 501 for a method that the sandbox does not have.
pub(super) fn not_implemented() -> Refusal {
    error(501, "global", "notImplemented", "The sandbox does not stand in for this method.", None)
}

fn with_status(reply: Response, status: &str, details: Option<Value>) -> Response {
    let mut body = reply.body_json();
    body["error"]["status"] = json!(status);
    if let Some(details) = details {
        body["error"]["details"] = json!([details]);
    }
    Response { body: body.to_string().into(), ..reply }
}

/// An error as it is sent: with the `status` of the newer shape beside the older one, where the switches ask for it.
pub(super) fn dressed(state: &State, reply: Response) -> Response {
    if reply.status < 400 || !state.switches.calendar_errors_status {
        return reply;
    }
    let status = match reply.status {
        400 | 412 => "FAILED_PRECONDITION",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ALREADY_EXISTS",
        429 => "RESOURCE_EXHAUSTED",
        _ => "UNKNOWN",
    };
    if reply.body_json()["error"]["status"].is_string() { reply } else { with_status(reply, status, None) }
}

/// The body of an error that has no better cause, for the faults.
pub(crate) fn fault_body(status: u16) -> Value {
    let (domain, reason, message) = match status {
        403 | 429 => ("usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
        500 => ("global", "internalError", "Internal Error"),
        503 => ("global", "backendError", "The service is currently unavailable."),
        _ => ("global", "backendError", "Backend Error"),
    };
    error(status, domain, reason, message, None).body_json()
}

/// An answer of the other Google rooms in this room's shape.
pub(super) fn translated(refusal: &Response) -> Refusal {
    let body = refusal.body_json();
    invalid(body["error"]["message"].as_str().unwrap_or("Invalid request."))
}
