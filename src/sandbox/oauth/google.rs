//! Google's sign-in: `o/oauth2/v2/auth`, `token`, `revoke`, `device/code`.

use serde_json::{Value, json};

use super::{Code, CodeProblem, DAY_MS, End, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET};
use super::{consent, error_page, form, id_token, issue_access, issue_refresh, random_text, redeem, redirect};
use crate::{Provider, Request, Response, State};

/// Six months without use.
const INACTIVE_MS: i64 = 182 * DAY_MS;

/// Google's endpoints; `path` is what follows `/google/`.
pub fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    match (request.method.as_str(), path) {
        ("GET", "o/oauth2/v2/auth") => authorize(state, request),
        ("POST", "token") => token(state, request).unwrap_or_else(|refused| refused),
        ("POST", "revoke") => revoke(state, request),
        ("POST", "device/code") => failed(400, "invalid_scope", "Invalid device flow scope: the scopes asked for."),
        _ => error_page(404, "404", "The requested URL was not found on this server."),
    }
}

fn failed(status: u16, error: &str, description: &str) -> Response {
    Response::json(status, &json!({ "error": error, "error_description": description }))
}

const AUTHORIZE: [&str; 12] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "access_type",
    "prompt",
    "login_hint",
    "include_granted_scopes",
    "hd",
];

/// The person opens the address and answers; the browser is sent back at once.
fn authorize(state: &mut State, request: &Request) -> Response {
    let field = |name: &str| request.param(name).unwrap_or_default();
    if let Some((unknown, _)) = request.query.iter().find(|(name, _)| !AUTHORIZE.contains(&name.as_str())) {
        return error_page(400, "Error 400: invalid_request", &format!("Parameter not allowed: {unknown}"));
    }
    if field("client_id") != GOOGLE_CLIENT_ID {
        return error_page(401, "Error 401: invalid_client", "The OAuth client was not found.");
    }
    let back = field("redirect_uri");
    if !is_loopback(back) {
        return error_page(400, "Error 400: redirect_uri_mismatch", "The redirect URI is not a loopback address.");
    }
    if field("response_type") != "code" {
        return error_page(400, "Error 400: unsupported_response_type", "Invalid response_type");
    }
    let scopes: Vec<String> = field("scope").split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    let is_known = |scope: &String| {
        scope.starts_with("https://www.googleapis.com/auth/")
            || matches!(scope.as_str(), "https://mail.google.com/" | "openid" | "email" | "profile")
    };
    if scopes.is_empty() || !scopes.iter().all(is_known) {
        return error_page(400, "Error 400: invalid_scope", "Some requested scopes were invalid.");
    }
    // The service takes a request without PKCE; a client that leaves it out is wrong all the same.
    if field("code_challenge_method") != "S256" || field("code_challenge").len() != 43 {
        return error_page(400, "Error 400: invalid_request", "code_challenge with method S256 is required.");
    }
    let echo = field("state");
    if echo.is_empty() {
        return error_page(400, "Error 400: invalid_request", "state is required.");
    }
    if state.switches.user_answer != "consent" {
        return redirect(back, &[("error", "access_denied"), ("state", echo)]);
    }
    let forced = field("prompt").split(' ').any(|word| word == "consent");
    let had_refresh = state.oauth.refresh.values().any(|token| {
        let grant = &state.oauth.grants[token.grant];
        grant.provider == Provider::Google && grant.ended.is_none()
    });
    let grant = consent(state, Provider::Google, scopes);
    let granted = state.oauth.grants[grant].scopes.join(" ");
    let code = format!("4/0A{}", random_text(state, 60));
    let kept = Code {
        grant,
        redirect_uri: back.to_owned(),
        challenge: field("code_challenge").to_owned(),
        expires_ms: state.now_ms() + super::CODE_LIFE_MS,
        is_used: false,
        gives_refresh: forced || !had_refresh,
    };
    state.oauth.codes.insert(code.clone(), kept);
    redirect(back, &[("state", echo), ("code", &code), ("scope", &granted)])
}

/// `http://127.0.0.1:PORT`, `http://[::1]:PORT` or `http://localhost:PORT`, with any path.
fn is_loopback(uri: &str) -> bool {
    let Ok(uri) = url::Url::parse(uri) else { return false };
    uri.scheme() == "http"
        && matches!(uri.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"))
        && uri.fragment().is_none()
}

const TOKEN: [&str; 9] = [
    "grant_type",
    "code",
    "redirect_uri",
    "client_id",
    "client_secret",
    "code_verifier",
    "refresh_token",
    "scope",
    "device_code",
];

fn token(state: &mut State, request: &Request) -> Result<Response, Response> {
    let fields = form(request, &TOKEN).map_err(|why| failed(400, "invalid_request", &why))?;
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != GOOGLE_CLIENT_ID {
        return Err(failed(401, "invalid_client", "The OAuth client was not found."));
    }
    match field("client_secret") {
        "" => return Err(failed(400, "invalid_request", "client_secret is missing.")),
        GOOGLE_CLIENT_SECRET => {}
        _ => return Err(failed(401, "invalid_client", "Unauthorized")),
    }
    let reply = match field("grant_type") {
        "authorization_code" => code_grant(state, field("code"), field("redirect_uri"), field("code_verifier"))?,
        "refresh_token" => refresh_grant(state, field("refresh_token"), field("scope"))?,
        other => return Err(failed(400, "unsupported_grant_type", &format!("Invalid grant_type: {other}"))),
    };
    Ok(Response::json(200, &reply).with_header("cache-control", "no-cache, no-store, max-age=0, must-revalidate"))
}

fn code_grant(state: &mut State, code: &str, back: &str, verifier: &str) -> Result<Value, Response> {
    let code = redeem(state, Provider::Google, code, back, verifier).map_err(|problem| match problem {
        CodeProblem::Unknown => failed(400, "invalid_grant", "Malformed auth code."),
        CodeProblem::Used | CodeProblem::Expired => failed(400, "invalid_grant", "Bad Request"),
        CodeProblem::Redirect => failed(400, "redirect_uri_mismatch", "Bad Request"),
        CodeProblem::Verifier if verifier.is_empty() => failed(400, "invalid_grant", "Missing code verifier."),
        CodeProblem::Verifier => failed(400, "invalid_grant", "Invalid code verifier."),
    })?;
    let access = issue_access(state, code.grant, None);
    let mut reply = json!({ "access_token": access, "expires_in": state.switches.access_token_life_s });
    if code.gives_refresh {
        reply["refresh_token"] = json!(issue_refresh(state, code.grant));
        if state.switches.google_testing_days > 0 {
            reply["refresh_token_expires_in"] = json!(state.switches.google_testing_days * DAY_MS / 1000);
        }
    }
    let scopes = &state.oauth.grants[code.grant].scopes;
    reply["scope"] = json!(scopes.join(" "));
    reply["token_type"] = json!("Bearer");
    if scopes.iter().any(|scope| scope == "openid") {
        reply["id_token"] = json!(id_token(state, code.grant, GOOGLE_CLIENT_ID));
    }
    Ok(reply)
}

fn refresh_grant(state: &mut State, token: &str, scope: &str) -> Result<Value, Response> {
    let gone = || failed(400, "invalid_grant", "Token has been expired or revoked.");
    let now_ms = state.now_ms();
    let found = state.oauth.refresh.get(token).ok_or_else(|| failed(400, "invalid_grant", "Bad Request"))?;
    let grant = found.grant;
    let is_idle = now_ms - found.issued_ms > INACTIVE_MS;
    let known = &state.oauth.grants[grant];
    if known.provider != Provider::Google {
        return Err(failed(400, "invalid_grant", "Bad Request"));
    }
    match known.ended {
        Some(End::SessionControl) => {
            let body = json!({
                "error": "invalid_grant", "error_description": "reauth related error (invalid_rapt)",
                "error_uri": "https://support.google.com/a/answer/9368756", "error_subtype": "invalid_rapt",
            });
            return Err(Response::json(400, &body));
        }
        Some(End::AdminPolicy) => {
            let text = "The Google Account is unable to authorize one or more scopes requested due to the policies of \
                        their Google Workspace administrator.";
            return Err(failed(400, "admin_policy_enforced", text));
        }
        Some(_) => return Err(gone()),
        None => {}
    }
    let testing_days = state.switches.google_testing_days;
    let is_over = testing_days > 0 && now_ms - known.since_ms > testing_days * DAY_MS;
    if is_over || is_idle {
        return Err(gone());
    }
    let asked: Vec<String> = scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if asked.iter().any(|scope| !known.scopes.contains(scope)) {
        return Err(failed(400, "invalid_scope", "Bad Request"));
    }
    let scopes = if asked.is_empty() { known.scopes.clone() } else { asked };
    // Each use starts the six months anew.
    if let Some(found) = state.oauth.refresh.get_mut(token) {
        found.issued_ms = now_ms;
    }
    let access = issue_access(state, grant, Some(scopes.clone()));
    let mut reply = json!({
        "access_token": access,
        "expires_in": state.switches.access_token_life_s,
        "scope": scopes.join(" "),
        "token_type": "Bearer",
    });
    if state.switches.google_rotates_refresh {
        reply["refresh_token"] = json!(issue_refresh(state, grant));
    }
    Ok(reply)
}

/// Takes an access or a refresh token; the whole grant ends.
fn revoke(state: &mut State, request: &Request) -> Response {
    let form = request.body_form();
    let in_form = form.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str());
    let token = in_form.or(request.param("token")).unwrap_or_default();
    let by_refresh = state.oauth.refresh.get(token).map(|token| token.grant);
    let grant = by_refresh.or_else(|| state.oauth.access.get(token).map(|token| token.grant));
    let alive = grant.filter(|grant| {
        let grant = &state.oauth.grants[*grant];
        grant.provider == Provider::Google && grant.ended.is_none()
    });
    let Some(grant) = alive else {
        return failed(400, "invalid_token", "Token expired or revoked");
    };
    state.oauth.grants[grant].ended = Some(End::Revoked);
    state.oauth.access.values_mut().filter(|token| token.grant == grant).for_each(|token| token.is_revoked = true);
    Response::json(200, &json!({}))
}
