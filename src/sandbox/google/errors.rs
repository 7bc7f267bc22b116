//! People's error bodies, in the one-platform shape: `{"error": {code, message, status, details?}}`.

use serde_json::{Value, json};

use crate::Response;

/// A request that was turned away: the response that says why.
pub(crate) type Refusal = Box<Response>;

/// An error with this status, status name and message.
pub(crate) fn error(code: u16, status: &str, message: &str, details: Option<Value>) -> Refusal {
    let mut error = json!({ "code": code, "message": message, "status": status });
    if let Some(details) = details {
        error["details"] = json!([details]);
    }
    Box::new(Response::json(code, &json!({ "error": error })))
}

/// 400 INVALID_ARGUMENT.
pub(crate) fn invalid(message: &str) -> Refusal {
    error(400, "INVALID_ARGUMENT", message, None)
}

/// 400 INVALID_ARGUMENT that names the field.
pub(crate) fn bad_field(field: &str, message: &str) -> Refusal {
    let mut violation = json!({ "description": message });
    if !field.is_empty() {
        violation = json!({ "field": field, "description": message });
    }
    let details = json!({ "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation] });
    error(400, "INVALID_ARGUMENT", message, Some(details))
}

/// 400 for a query parameter that the method does not have.
pub(crate) fn unknown_param(name: &str) -> Refusal {
    bad_field(
        "",
        &format!(
            "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could \
             not be found in request message."
        ),
    )
}

/// 404 NOT_FOUND.
pub(crate) fn not_found() -> Refusal {
    error(404, "NOT_FOUND", "Requested entity was not found.", None)
}

/// 400 FAILED_PRECONDITION: the etag is old.
pub(crate) fn etag_differs() -> Refusal {
    let message = "Request person.etag is different than the current person.etag. Clear local cache and get the latest \
                   person.";
    error(400, "FAILED_PRECONDITION", message, None)
}

/// 401 with why.
pub(crate) fn unauthenticated(is_missing: bool) -> Refusal {
    let message = if is_missing {
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other \
         valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    } else {
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    };
    let reason = if is_missing { "CREDENTIALS_MISSING" } else { "ACCESS_TOKEN_EXPIRED" };
    let mut reply = error(401, "UNAUTHENTICATED", message, Some(info(reason, "googleapis.com")));
    reply.set_header("www-authenticate", "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"");
    reply
}

/// A contact is to be in a group that is not there, with the status the switches ask for.
pub(crate) fn dead_group(status: u16, group: &str) -> Refusal {
    let message = format!("Contact group \"{group}\" not found.");
    let name = if status == 404 { "NOT_FOUND" } else { "INVALID_ARGUMENT" };
    error(status, name, &message, None)
}

/// 403: the token's scopes do not reach that far.
pub(crate) fn scope_missing() -> Refusal {
    let details = info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "googleapis.com");
    error(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", Some(details))
}

/// The expired sync token, with the status the switches ask for.
pub(crate) fn sync_token_expired(status: u16) -> Refusal {
    let message = "Sync token is expired. Clear local cache and retry call without the sync token.";
    let mut details = info("EXPIRED_SYNC_TOKEN", "people.googleapis.com");
    details["metadata"] = json!({ "service": "people.googleapis.com" });
    error(status, "FAILED_PRECONDITION", message, Some(details))
}

/// 429 for too many first pages of full listings.
pub(crate) fn sync_quota() -> Refusal {
    let details = info("RATE_LIMIT_EXCEEDED", "googleapis.com");
    error(429, "RESOURCE_EXHAUSTED", "Sync quota exceeded.", Some(details))
}

fn info(reason: &str, domain: &str) -> Value {
    json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain })
}

/// Adds the older `errors[]` list, which some front ends send.
pub(crate) fn with_errors_list(reply: Response) -> Response {
    let mut body = reply.body_json();
    let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) else {
        return reply;
    };
    let reason = match error.get("status").and_then(Value::as_str).unwrap_or_default() {
        "NOT_FOUND" => "notFound",
        "FAILED_PRECONDITION" => "failedPrecondition",
        "PERMISSION_DENIED" => "insufficientPermissions",
        "UNAUTHENTICATED" => "authError",
        "RESOURCE_EXHAUSTED" => "rateLimitExceeded",
        "ALREADY_EXISTS" => "alreadyExists",
        _ => "badRequest",
    };
    let message = error.get("message").cloned().unwrap_or_default();
    error.insert("errors".into(), json!([{ "message": message, "domain": "global", "reason": reason }]));
    Response { body: body.to_string().into(), ..reply }
}
