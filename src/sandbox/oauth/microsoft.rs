//! Microsoft's sign-in: `{tenant}/oauth2/v2.0/authorize`, `token`, `devicecode`. A public client: PKCE, no secret.

use rand::Rng;
use serde_json::{Value, json};

use super::device;
use super::{Code, CodeProblem, DAY_MS, End, MICROSOFT_CLIENT_ID};
use super::{consent, error_page, form, id_token, issue_access, issue_refresh, random_text, redeem, redirect};
use crate::{Provider, Request, Response, State};

/// Ninety days without use.
const INACTIVE_MS: i64 = 90 * DAY_MS;
const GRAPH: &str = "https://graph.microsoft.com/";
/// Names that belong to no resource.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// The delegated permissions that are registered for the client.
const PERMISSIONS: [&str; 13] = [
    "User.Read",
    "Contacts.Read",
    "Contacts.ReadWrite",
    "Contacts.ReadWrite.Shared",
    "Mail.Read",
    "Mail.ReadWrite",
    "Mail.ReadWrite.Shared",
    "Mail.Send",
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Calendars.ReadWrite.Shared",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
];

/// Microsoft's endpoints; `path` is what follows `/microsoft-login/`.
pub fn handle(state: &mut State, request: &Request, path: &str) -> Response {
    let Some((tenant, endpoint)) = path.split_once("/oauth2/v2.0/") else {
        return error_page(404, "404", "The page was not found.");
    };
    let is_known_tenant = {
        let own = &state.microsoft_account;
        let domain = own.email.rsplit('@').next().unwrap_or_default();
        matches!(tenant, "common" | "organizations") || tenant == own.tenant || tenant == domain
    };
    if !is_known_tenant {
        return failed(state, 400, "invalid_request", 90002, &format!("Tenant '{tenant}' not found."), None);
    }
    match (request.method.as_str(), endpoint) {
        ("GET", "authorize") => authorize(state, request),
        ("POST", "token") => token(state, request).unwrap_or_else(|refused| refused),
        ("POST", "devicecode") => device::start(state, request),
        _ => error_page(404, "404", "The page was not found."),
    }
}

/// The token endpoint's error body.
pub(super) fn failed(
    state: &mut State,
    status: u16,
    error: &str,
    code: u32,
    text: &str,
    suberror: Option<&str>,
) -> Response {
    let (trace, correlation) = (guid(state), guid(state));
    let time = crate::clock::rfc3339_seconds(state.now_ms()).replace('T', " ");
    let mut body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{code}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {time}"
        ),
        "error_codes": [code],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
    });
    if let Some(suberror) = suberror {
        body["suberror"] = json!(suberror);
    }
    Response::json(status, &body)
}

fn guid(state: &mut State) -> String {
    let [a, b]: [u64; 2] = state.rng.random();
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a & 0xFFFF,
        b >> 52,
        b & 0xFFF,
        (a ^ b) & 0xFFFF_FFFF_FFFF
    )
}

/// Short names of the scopes asked for, or the one that is unknown.
pub(super) fn read_scopes(text: &str) -> Result<Vec<String>, String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
        let short = scope.strip_prefix(GRAPH).unwrap_or(scope);
        let mut known: Vec<&str> =
            PERMISSIONS.into_iter().chain(OPENID).filter(|name| name.eq_ignore_ascii_case(short)).collect();
        if short == ".default" {
            known = PERMISSIONS.to_vec();
        }
        if known.is_empty() {
            return Err(scope.to_owned());
        }
        for name in known {
            if !scopes.iter().any(|have| have == name) {
                scopes.push(name.to_owned());
            }
        }
    }
    Ok(scopes)
}

const AUTHORIZE: [&str; 11] = [
    "client_id",
    "response_type",
    "redirect_uri",
    "response_mode",
    "scope",
    "state",
    "prompt",
    "login_hint",
    "domain_hint",
    "code_challenge",
    "code_challenge_method",
];

fn authorize(state: &mut State, request: &Request) -> Response {
    let field = |name: &str| request.param(name).unwrap_or_default();
    if field("client_id") != MICROSOFT_CLIENT_ID {
        let text = "AADSTS700016: Application was not found in the directory.";
        return error_page(400, "Sorry, but we’re having trouble signing you in.", text);
    }
    let back = field("redirect_uri");
    if !state.switches.microsoft_redirects.iter().any(|registered| is_same_redirect(registered, back)) {
        let text = "AADSTS50011: The redirect URI specified in the request does not match the redirect URIs configured \
                    for the application.";
        return error_page(400, "Sorry, but we’re having trouble signing you in.", text);
    }
    let echo = field("state");
    let refuse =
        |error: &str, text: &str| redirect(back, &[("error", error), ("error_description", text), ("state", echo)]);
    if let Some((unknown, _)) = request.query.iter().find(|(name, _)| !AUTHORIZE.contains(&name.as_str())) {
        return refuse("invalid_request", &format!("AADSTS9002313: Invalid request: {unknown}."));
    }
    if field("response_type") != "code" {
        return refuse("unsupported_response_type", "AADSTS700054: response_type is not enabled.");
    }
    if !matches!(field("response_mode"), "" | "query") {
        return refuse("invalid_request", "AADSTS70007: the sandbox answers in the query only.");
    }
    // The service takes a request without PKCE or state; a client that leaves them out is wrong all the same.
    if field("code_challenge_method") != "S256" || field("code_challenge").len() != 43 || echo.is_empty() {
        return refuse("invalid_request", "AADSTS9002325: Proof Key for Code Exchange and state are required.");
    }
    let scopes = match read_scopes(field("scope")) {
        Ok(scopes) if !scopes.is_empty() => scopes,
        Ok(_) => return refuse("invalid_request", "AADSTS900144: The request must contain 'scope'."),
        Err(unknown) => return refuse("invalid_scope", &format!("AADSTS70011: The scope {unknown} is not valid.")),
    };
    if state.switches.user_answer != "consent" {
        return refuse("access_denied", "AADSTS65004: User declined to consent to access the app.");
    }
    let grant = consent(state, Provider::Microsoft, scopes);
    let code = format!("1.A{}", random_text(state, 200));
    let kept = Code {
        grant,
        redirect_uri: back.to_owned(),
        challenge: field("code_challenge").to_owned(),
        expires_ms: state.now_ms() + super::CODE_LIFE_MS,
        is_used: false,
        gives_refresh: true,
    };
    state.oauth.codes.insert(code.clone(), kept);
    let session = random_text(state, 16);
    redirect(back, &[("code", &code), ("state", echo), ("session_state", &session)])
}

/// Equal but for the port, which is ignored for `localhost` and loopback addresses.
fn is_same_redirect(registered: &str, used: &str) -> bool {
    let (Ok(registered), Ok(used)) = (url::Url::parse(registered), url::Url::parse(used)) else { return false };
    let ignores_port = matches!(registered.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    registered.scheme() == used.scheme()
        && registered.host_str() == used.host_str()
        && registered.path() == used.path()
        && (ignores_port || registered.port() == used.port())
}

const TOKEN: [&str; 11] = [
    "client_id",
    "grant_type",
    "code",
    "redirect_uri",
    "code_verifier",
    "scope",
    "client_secret",
    "client_assertion",
    "refresh_token",
    "device_code",
    "claims",
];

fn token(state: &mut State, request: &Request) -> Result<Response, Response> {
    let fields = form(request, &TOKEN);
    let fields = fields.map_err(|why| failed(state, 400, "invalid_request", 9_002_313, &why, None))?;
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != MICROSOFT_CLIENT_ID {
        let text = "Application was not found in the directory.";
        return Err(failed(state, 400, "unauthorized_client", 700_016, text, None));
    }
    if fields.contains_key("client_secret") || fields.contains_key("client_assertion") {
        let text = "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.";
        return Err(failed(state, 401, "invalid_client", 700_025, text, None));
    }
    let reply = match field("grant_type") {
        "authorization_code" => code_grant(state, &field)?,
        "refresh_token" => refresh_grant(state, field("refresh_token"), field("scope"))?,
        device::GRANT_TYPE => {
            let grant = device::poll(state, field("device_code"))?;
            tokens(state, grant, None)
        }
        "" => {
            let text = "The request body must contain the following parameter: 'grant_type'.";
            return Err(failed(state, 400, "invalid_request", 900_144, text, None));
        }
        _ => {
            let text = "The app requested an unsupported grant type.";
            return Err(failed(state, 400, "unsupported_grant_type", 70003, text, None));
        }
    };
    Ok(Response::json(200, &reply).with_header("cache-control", "no-store, no-cache"))
}

fn code_grant<'a>(state: &mut State, field: &impl Fn(&str) -> &'a str) -> Result<Value, Response> {
    let redeemed = redeem(state, Provider::Microsoft, field("code"), field("redirect_uri"), field("code_verifier"));
    let code = redeemed.map_err(|problem| {
        let (code, text) = match problem {
            CodeProblem::Unknown => (9_002_313, "Invalid request. Request is malformed or invalid."),
            CodeProblem::Used => (54005, "OAuth2 Authorization code was already redeemed."),
            CodeProblem::Expired => (70008, "The provided authorization code or refresh token has expired."),
            CodeProblem::Redirect => (50011, "The redirect URI does not match the one of the authorization request."),
            CodeProblem::Verifier => (501_481, "The Code_Verifier does not match the code_challenge."),
        };
        failed(state, 400, "invalid_grant", code, text, None)
    })?;
    let scopes = narrowed(state, code.grant, field("scope"))?;
    Ok(tokens(state, code.grant, scopes))
}

/// The scopes of a token request, when it names fewer than were granted.
fn narrowed(state: &mut State, grant: usize, asked: &str) -> Result<Option<Vec<String>>, Response> {
    if asked.is_empty() {
        return Ok(None);
    }
    let scopes = read_scopes(asked).map_err(|unknown| {
        let text = format!(
            "The provided value for the input parameter 'scope' is not valid. The scope {unknown} is not valid."
        );
        failed(state, 400, "invalid_scope", 70011, &text, None)
    })?;
    let granted = state.oauth.grants[grant].scopes.clone();
    // Scopes that the user left out are left out of the token; a client has to compare.
    let kept = granted.into_iter().filter(|scope| scopes.contains(scope) || OPENID.contains(&scope.as_str())).collect();
    Ok(Some(kept))
}

fn refresh_grant(state: &mut State, token: &str, asked: &str) -> Result<Value, Response> {
    let now_ms = state.now_ms();
    let found = state.oauth.refresh.get(token).cloned();
    let found = found.filter(|found| state.oauth.grants[found.grant].provider == Provider::Microsoft);
    let Some(found) = found else {
        let text = "Invalid request. Request is malformed or invalid.";
        return Err(failed(state, 400, "invalid_grant", 9_002_313, text, None));
    };
    if let Some(end) = state.oauth.grants[found.grant].ended {
        return Err(ended(state, end));
    }
    if now_ms - found.issued_ms > INACTIVE_MS {
        return Err(ended(state, End::Inactive));
    }
    if found.is_replaced && state.switches.refuse_rotated_refresh {
        let text = "The provided grant has been replaced by a newer one.";
        return Err(failed(state, 400, "invalid_grant", 70000, text, Some("bad_token")));
    }
    let scopes = narrowed(state, found.grant, asked)?;
    if let Some(found) = state.oauth.refresh.get_mut(token) {
        found.is_replaced = true;
    }
    Ok(tokens(state, found.grant, scopes))
}

/// The error that a refresh token of an ended sign-in meets.
fn ended(state: &mut State, end: End) -> Response {
    let (code, text, suberror) = match end {
        End::Revoked | End::SessionControl | End::AdminPolicy => {
            (70000, "The provided value for the input parameter 'refresh_token' is not valid.", Some("bad_token"))
        }
        End::PasswordChanged => (
            50173,
            "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have \
             changed or reset their password.",
            Some("bad_token"),
        ),
        End::Inactive => (
            700_082,
            "The refresh token has expired due to inactivity. The token was inactive for 90.00:00:00.",
            Some("bad_token"),
        ),
        End::MfaNeeded => (
            50076,
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must \
             use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
            Some("basic_action"),
        ),
        End::ConsentMissing => (
            65001,
            "The user or administrator has not consented to use the application. Send an interactive authorization \
             request for this user and resource.",
            Some("consent_required"),
        ),
        End::Blocked => (
            53003,
            "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
            Some("message_only"),
        ),
        End::Disabled => (50057, "The user account is disabled.", None),
        End::SignInFrequency => (
            70043,
            "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
            Some("token_expired"),
        ),
    };
    failed(state, 400, "invalid_grant", code, text, suberror)
}

/// The token endpoint's answer: a new access token and, where `offline_access` was granted, a new refresh token.
fn tokens(state: &mut State, grant: usize, scopes: Option<Vec<String>>) -> Value {
    let scopes = scopes.unwrap_or_else(|| state.oauth.grants[grant].scopes.clone());
    let named: Vec<String> = scopes
        .iter()
        .filter(|scope| *scope != "offline_access")
        .map(|scope| if OPENID.contains(&scope.as_str()) { scope.clone() } else { format!("{GRAPH}{scope}") })
        .collect();
    let has = |name: &str| state.oauth.grants[grant].scopes.iter().any(|scope| scope == name);
    let (is_offline, has_openid) = (has("offline_access"), has("openid"));
    let life_s = state.switches.access_token_life_s;
    let mut reply = json!({
        "token_type": "Bearer",
        "scope": named.join(" "),
        "expires_in": life_s,
        "ext_expires_in": life_s,
        "access_token": issue_access(state, grant, Some(scopes)),
    });
    if is_offline {
        reply["refresh_token"] = json!(issue_refresh(state, grant));
    }
    if has_openid {
        reply["id_token"] = json!(id_token(state, grant, MICROSOFT_CLIENT_ID));
    }
    reply
}
