//! Both providers' sign-in: what is remembered (codes, tokens, grants), the check of a bearer token, and the ways a
//! sign-in ends. The endpoints stand in `google.rs` and `microsoft.rs`, the device code in `device.rs`.
//!
//! The browser is played too: the authorize endpoint redirects at once, as if the person had answered already, in the
//! way the switches `user_answer`, `another_account` and `unticked_scopes` say.

mod device;
mod google;
mod microsoft;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::state::Account;
use crate::{Provider, Request, Response, Sandbox, State};

pub use google::handle as google;
pub use microsoft::handle as microsoft;

/// The client that is registered at Google, a "Desktop app".
pub const GOOGLE_CLIENT_ID: &str = "sandbox-desktop.apps.googleusercontent.com";
/// Its secret, which is none.
pub const GOOGLE_CLIENT_SECRET: &str = "sandbox-not-really-secret";
/// The client that is registered at Microsoft, a public one.
pub const MICROSOFT_CLIENT_ID: &str = "8d0a1f5e-3c1b-4f39-9d0e-5a5d7f0c2b11";

/// How long a code may wait to be redeemed.
const CODE_LIFE_MS: i64 = 600_000;
const DAY_MS: i64 = 86_400_000;

/// Codes, tokens and grants of both providers.
#[derive(Debug, Default)]
pub struct OAuth {
    grants: Vec<Grant>,
    codes: HashMap<String, Code>,
    access: HashMap<String, AccessToken>,
    refresh: HashMap<String, RefreshToken>,
    devices: HashMap<String, device::Device>,
}

/// What a person allowed a client.
#[derive(Clone, Debug)]
struct Grant {
    provider: Provider,
    account: Account,
    /// Microsoft: short names. Google: as asked.
    scopes: Vec<String>,
    since_ms: i64,
    /// Why its refresh tokens are refused.
    ended: Option<End>,
}

/// A code on its way through the browser.
#[derive(Clone, Debug)]
struct Code {
    grant: usize,
    redirect_uri: String,
    challenge: String,
    expires_ms: i64,
    is_used: bool,
    /// Google: whether the answer has a refresh token.
    gives_refresh: bool,
}

#[derive(Clone, Debug)]
struct AccessToken {
    grant: usize,
    scopes: Vec<String>,
    expires_ms: i64,
    is_revoked: bool,
}

#[derive(Clone, Debug)]
struct RefreshToken {
    grant: usize,
    issued_ms: i64,
    is_replaced: bool,
}

/// Why a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The user or an administrator took it back.
    Revoked,
    /// The password was changed. Microsoft 50173.
    PasswordChanged,
    /// Not used for too long. Microsoft 700082.
    Inactive,
    /// A second factor is asked for now. Microsoft 50076.
    MfaNeeded,
    /// The consent is missing: ask the administrator. Microsoft 65001.
    ConsentMissing,
    /// Conditional access forbids it: ask the administrator. Microsoft 53003.
    Blocked,
    /// The account is disabled. Microsoft 50057.
    Disabled,
    /// The sign-in frequency of conditional access. Microsoft 70043.
    SignInFrequency,
    /// Google Workspace's session control: `invalid_rapt`.
    SessionControl,
    /// Google Workspace restricted the scope: `admin_policy_enforced`.
    AdminPolicy,
}

/// Who asks, and what they may do.
#[derive(Clone, Debug)]
pub struct Access {
    /// The person who signed in.
    pub account: Account,
    /// The scopes granted. Microsoft: short names (`Contacts.ReadWrite`). Google: whole addresses.
    pub scopes: Vec<String>,
}

impl Access {
    /// Whether a scope was granted; case does not matter.
    pub fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|have| have.eq_ignore_ascii_case(scope))
    }
}

/// Why a bearer token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No `Authorization: Bearer ...` at all.
    Missing,
    /// Never issued here, or issued by the other provider.
    Unknown,
    /// Its time is over.
    Expired,
    /// The sign-in behind it was revoked.
    Revoked,
}

/// Checks the bearer token of an API request.
pub fn authorise(state: &State, provider: Provider, request: &Request) -> Result<Access, Denied> {
    let header = request.header("authorization").ok_or(Denied::Missing)?;
    let (scheme, token) = header.split_once(' ').ok_or(Denied::Missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Missing);
    }
    let found = state.oauth.access.get(token).ok_or(Denied::Unknown)?;
    let grant = &state.oauth.grants[found.grant];
    if grant.provider != provider {
        return Err(Denied::Unknown);
    }
    if found.is_revoked {
        return Err(Denied::Revoked);
    }
    if found.expires_ms <= state.now_ms() {
        return Err(Denied::Expired);
    }
    Ok(Access { account: grant.account.clone(), scopes: found.scopes.clone() })
}

/// Signs the owner in with every scope: (access token, refresh token).
pub fn owner_signs_in(state: &mut State, provider: Provider) -> (String, String) {
    let scopes: &[&str] = match provider {
        Provider::Microsoft => &[
            "Contacts.ReadWrite",
            "Mail.ReadWrite",
            "Calendars.ReadWrite",
            "MailboxSettings.Read",
            "User.Read",
            "openid",
            "profile",
            "offline_access",
        ],
        Provider::Google => &[
            crate::google::SCOPE,
            "https://www.googleapis.com/auth/calendar",
            "https://www.googleapis.com/auth/gmail.modify",
            "https://www.googleapis.com/auth/userinfo.email",
            "https://www.googleapis.com/auth/userinfo.profile",
            "openid",
        ],
    };
    let account = state.account(provider).clone();
    let grant = add_grant(state, provider, account, scopes.iter().map(|scope| (*scope).to_owned()).collect());
    (issue_access(state, grant, None), issue_refresh(state, grant))
}

fn add_grant(state: &mut State, provider: Provider, account: Account, scopes: Vec<String>) -> usize {
    let since_ms = state.now_ms();
    state.oauth.grants.push(Grant { provider, account, scopes, since_ms, ended: None });
    state.oauth.grants.len() - 1
}

/// What the person in front of the browser grants: a grant of the ticked scopes, for whoever signs in.
fn consent(state: &mut State, provider: Provider, asked: Vec<String>) -> usize {
    let account =
        if state.switches.another_account { Account::stranger(provider) } else { state.account(provider).clone() };
    let unticked = &state.switches.unticked_scopes;
    let is_ticked = |scope: &String| {
        let last = scope.rsplit('/').next().unwrap_or_default();
        !unticked.iter().any(|name| name == scope || name == last)
    };
    let scopes = asked.into_iter().filter(is_ticked).collect();
    add_grant(state, provider, account, scopes)
}

/// An access token of a grant, for all its scopes or some.
fn issue_access(state: &mut State, grant: usize, scopes: Option<Vec<String>>) -> String {
    let scopes = scopes.unwrap_or_else(|| state.oauth.grants[grant].scopes.clone());
    let token = match state.oauth.grants[grant].provider {
        Provider::Microsoft => format!("EwB{}", random_text(state, 120)),
        Provider::Google => format!("ya29.{}", random_text(state, 120)),
    };
    let expires_ms = state.now_ms() + state.switches.access_token_life_s * 1000;
    state.oauth.access.insert(token.clone(), AccessToken { grant, scopes, expires_ms, is_revoked: false });
    token
}

fn issue_refresh(state: &mut State, grant: usize) -> String {
    let token = match state.oauth.grants[grant].provider {
        Provider::Microsoft => format!("0.A{}", random_text(state, 160)),
        Provider::Google => format!("1//0{}", random_text(state, 90)),
    };
    let issued_ms = state.now_ms();
    state.oauth.refresh.insert(token.clone(), RefreshToken { grant, issued_ms, is_replaced: false });
    token
}

fn random_text(state: &mut State, length: usize) -> String {
    (&mut state.rng).sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// A token about the person; its signature is none, since no client of ours may trust it without one.
fn id_token(state: &State, grant: usize, audience: &str) -> String {
    let grant = &state.oauth.grants[grant];
    let account = &grant.account;
    let now_s = state.now_ms() / 1000;
    let claims = json!({
        "aud": audience, "iat": now_s, "exp": now_s + 3600, "sub": account.id, "oid": account.id, "tid": account.tenant,
        "email": account.email, "preferred_username": account.email, "name": account.display_name,
    });
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(json!({ "alg": "none", "typ": "JWT" }).to_string()), part(claims.to_string()))
}

/// Why a code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodeProblem {
    Unknown,
    Used,
    Expired,
    Redirect,
    Verifier,
}

/// Redeems a code, once.
fn redeem(
    state: &mut State,
    provider: Provider,
    code: &str,
    redirect: &str,
    verifier: &str,
) -> Result<Code, CodeProblem> {
    let now_ms = state.now_ms();
    let code = state.oauth.codes.get_mut(code).ok_or(CodeProblem::Unknown)?;
    if state.oauth.grants[code.grant].provider != provider {
        return Err(CodeProblem::Unknown);
    }
    if code.is_used {
        return Err(CodeProblem::Used);
    }
    if code.expires_ms <= now_ms {
        return Err(CodeProblem::Expired);
    }
    if code.redirect_uri != redirect {
        return Err(CodeProblem::Redirect);
    }
    let is_well_formed = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if !is_well_formed || URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) != code.challenge {
        return Err(CodeProblem::Verifier);
    }
    code.is_used = true;
    Ok(code.clone())
}

/// Sends the browser back to the client.
fn redirect(uri: &str, pairs: &[(&str, &str)]) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    let joint = if uri.contains('?') { '&' } else { '?' };
    Response::empty(302).with_header("location", &format!("{uri}{joint}{}", query.finish()))
}

/// The page that a person sees when the request itself is wrong, so that there is nowhere safe to redirect to.
fn error_page(status: u16, code: &str, text: &str) -> Response {
    let page = format!("<!DOCTYPE html><html><title>Error</title><h1>{code}</h1><p>{text}</p></html>");
    Response::bytes(status, "text/html; charset=utf-8", page)
}

/// A form's fields; a field that comes twice or that is not known is an error.
fn form(request: &Request, known: &[&str]) -> Result<HashMap<String, String>, String> {
    let kind = request.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err("The request body must be application/x-www-form-urlencoded.".into());
    }
    let mut fields = HashMap::new();
    for (name, value) in request.body_form() {
        if !known.contains(&name.as_str()) {
            return Err(format!("Parameter not allowed for this message type: {name}"));
        }
        if fields.insert(name.clone(), value).is_some() {
            return Err(format!("Parameter sent twice: {name}"));
        }
    }
    Ok(fields)
}

/// Ends every sign-in at a provider. Access tokens live on unless `access_too`: at Microsoft they do, Google's die too.
pub(crate) fn end_all(state: &mut State, provider: Provider, end: End, access_too: bool) {
    for grant in state.oauth.grants.iter_mut().filter(|grant| grant.provider == provider) {
        grant.ended.get_or_insert(end);
    }
    if access_too {
        let grants = &state.oauth.grants;
        let of_provider = |token: &&mut AccessToken| grants[token.grant].provider == provider;
        state.oauth.access.values_mut().filter(of_provider).for_each(|token| token.is_revoked = true);
    }
}

/// Makes every access token of a provider an expired one.
pub(crate) fn expire_access(state: &mut State, provider: Provider) {
    let now_ms = state.now_ms();
    let grants = &state.oauth.grants;
    let of_provider = |token: &&mut AccessToken| grants[token.grant].provider == provider;
    state
        .oauth
        .access
        .values_mut()
        .filter(of_provider)
        .for_each(|token| token.expires_ms = token.expires_ms.min(now_ms));
}

impl Sandbox {
    /// An access token of the owner with these scopes alone.
    pub fn access_token_for(&self, provider: Provider, scopes: &[&str]) -> String {
        self.with(|state| {
            let account = state.account(provider).clone();
            let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let grant = add_grant(state, provider, account, scopes);
            issue_access(state, grant, None)
        })
    }

    /// Ends every sign-in at a provider; refresh tokens are refused with this cause from now on.
    pub fn end_sign_ins(&self, provider: Provider, end: End, access_too: bool) {
        self.with(|state| end_all(state, provider, end, access_too));
    }

    /// Makes every access token of a provider an expired one; refresh tokens still work.
    pub fn expire_access_tokens(&self, provider: Provider) {
        self.with(|state| expire_access(state, provider));
    }
}
