//! Gmail's error bodies. They carry both shapes at once, the older list and the newer status: `{"error": {code, message,
//! errors: [{message, domain, reason}], status}}`; a switch leaves one of them out.

use serde_json::{Value, json};

use crate::google::errors::{self as platform, Refusal};
use crate::{Response, State};

/// An error with its reason in the older words and its status in the newer ones.
pub(super) fn error(code: u16, status: &str, (domain, reason): (&str, &str), message: &str) -> Refusal {
    let cause = json!({ "message": message, "domain": domain, "reason": reason });
    let error = json!({ "code": code, "message": message, "errors": [cause], "status": status });
    Box::new(Response::json(code, &json!({ "error": error })))
}

/// 400 `invalidArgument`.
pub(super) fn invalid(message: &str) -> Refusal {
    error(400, "INVALID_ARGUMENT", ("global", "invalidArgument"), message)
}

/// 400 for a value that a parameter or field cannot have.
pub(super) fn invalid_value(name: &str, kind: &str, value: &str) -> Refusal {
    invalid(&format!("Invalid value at '{name}' ({kind}), \"{value}\""))
}

/// 404 `notFound`; also for a history that does not reach back that far.
pub(super) fn not_found() -> Refusal {
    error(404, "NOT_FOUND", ("global", "notFound"), "Requested entity was not found.")
}

/// 409: two labels cannot have one name, whatever the case of its letters.
pub(super) fn label_exists() -> Refusal {
    error(409, "ABORTED", ("global", "aborted"), "Label name exists or conflicts")
}

/// 403 for something that the token or the user may not do.
pub(super) fn forbidden(message: &str) -> Refusal {
    error(403, "PERMISSION_DENIED", ("global", "insufficientPermissions"), message)
}

/// 413: more bytes than the method takes.
pub(super) fn too_large(message: &str) -> Refusal {
    error(413, "INVALID_ARGUMENT", ("global", "uploadTooLarge"), message)
}

/// 401 with why.
pub(super) fn unauthenticated(is_missing: bool) -> Refusal {
    let reason = if is_missing { "required" } else { "authError" };
    listed(*platform::unauthenticated(is_missing), reason)
}

/// 403: the token's scopes do not reach that far.
pub(super) fn scope_missing() -> Refusal {
    listed(*platform::scope_missing(), "insufficientPermissions")
}

/// 400 for a query parameter that the method does not have.
pub(super) fn unknown_parameter(name: &str) -> Refusal {
    listed(*platform::unknown_param(name), "badRequest")
}

/// A refusal of the other rooms with the older list added.
pub(super) fn listed(refusal: Response, reason: &str) -> Refusal {
    let mut body = refusal.body_json();
    let message = body["error"]["message"].clone();
    body["error"]["errors"] = json!([{ "message": message, "domain": "global", "reason": reason }]);
    Box::new(Response { body: body.to_string().into(), ..refusal })
}

/// Too many requests a minute, with the status and the reason that the switches ask for. `wait_ms`: until there is room.
pub(super) fn rate_limited(state: &State, wait_ms: i64) -> Refusal {
    let status = state.switches.mail_rate_limit_status;
    let reason = state.switches.mail_rate_limit_reason.as_str();
    let message = match reason {
        _ if state.switches.mail_retry_after_in_text => {
            let until = crate::clock::rfc3339_millis(state.now_ms() + wait_ms);
            format!("User-rate limit exceeded.  Retry after {until}")
        }
        "userRateLimitExceeded" => "User Rate Limit Exceeded".to_owned(),
        _ => "Rate Limit Exceeded".to_owned(),
    };
    let name = if status == 429 { "RESOURCE_EXHAUSTED" } else { "PERMISSION_DENIED" };
    error(status, name, ("usageLimits", reason), &message)
}

/// 429: too many requests of the user at a time.
pub(super) fn too_many_at_a_time() -> Refusal {
    let message = "Too many concurrent requests for user.";
    error(429, "RESOURCE_EXHAUSTED", ("usageLimits", "rateLimitExceeded"), message)
}

/// 501 for what the sandbox does not have; `what` is named so that a test's author sees it.
pub(super) fn not_implemented(what: &str) -> Refusal {
    let message = format!("The sandbox does not stand in for {what}.");
    error(501, "UNIMPLEMENTED", ("global", "notImplemented"), &message)
}

/// An error as it is sent: in the shape that the switches ask for.
pub(super) fn dressed(state: &State, reply: Response) -> Response {
    let left_out = match state.switches.mail_error_shape.as_str() {
        "status" => "errors",
        "list" => "status",
        _ => return reply,
    };
    let mut body = reply.body_json();
    match body.get_mut("error").and_then(Value::as_object_mut) {
        Some(error) if reply.status >= 400 => error.remove(left_out),
        _ => return reply,
    };
    Response { body: body.to_string().into(), ..reply }
}

/// The body of an error that has no better cause, for the faults.
pub(crate) fn fault_body(status: u16) -> Value {
    let (name, domain, reason, message) = match status {
        403 => ("PERMISSION_DENIED", "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
        429 => ("RESOURCE_EXHAUSTED", "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"),
        500 => ("INTERNAL", "global", "internalError", "Internal error encountered."),
        503 => ("UNAVAILABLE", "global", "backendError", "The service is currently unavailable."),
        504 => ("DEADLINE_EXCEEDED", "global", "backendError", "Deadline expired before operation could complete."),
        _ => ("UNKNOWN", "global", "backendError", "Backend Error"),
    };
    error(status, name, (domain, reason), message).body_json()
}
