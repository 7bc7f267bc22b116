//! Both sign-ins, driven with raw requests as a browser and a client send them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use twofold_sandbox::oauth::{End, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MICROSOFT_CLIENT_ID};
use twofold_sandbox::{Options, Provider, Request, Response, Sandbox, Switches};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const GOOGLE_BACK: &str = "http://127.0.0.1:4711/done";
const MICROSOFT_BACK: &str = "http://localhost:4711";
const CONTACTS: &str = "https://www.googleapis.com/auth/contacts";
const MICROSOFT_TOKEN: &str = "/microsoft-login/organizations/oauth2/v2.0/token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn sandbox(switches: Switches) -> Sandbox {
    Sandbox::new(Options::demo().virtual_time().with(switches))
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// Opens the authorize address and gives what the browser carries back.
fn browse(sandbox: &Sandbox, path: &str, client: &str, back: &str, scope: &str) -> Vec<(String, String)> {
    let mut request = Request::get(path);
    let challenge = challenge();
    let pairs = [
        ("client_id", client),
        ("redirect_uri", back),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "s t/1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    request.query.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let reply = sandbox.handle(&request);
    assert_eq!(reply.status, 302, "{:?}", reply.body);
    let target = reply.header("location").unwrap();
    assert!(target.starts_with(back), "{target}");
    Request::get(target).query
}

fn google(sandbox: &Sandbox, scope: &str) -> Vec<(String, String)> {
    browse(sandbox, "/google/o/oauth2/v2/auth?prompt=consent", GOOGLE_CLIENT_ID, GOOGLE_BACK, scope)
}

fn microsoft(sandbox: &Sandbox, scope: &str) -> Vec<(String, String)> {
    browse(sandbox, "/microsoft-login/common/oauth2/v2.0/authorize", MICROSOFT_CLIENT_ID, MICROSOFT_BACK, scope)
}

fn pick<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
}

fn google_token(sandbox: &Sandbox, pairs: &[(&str, &str)]) -> Response {
    let client = [("client_id", GOOGLE_CLIENT_ID), ("client_secret", GOOGLE_CLIENT_SECRET)];
    sandbox.handle(&Request::new("POST", "/google/token").form(&[pairs, &client].concat()))
}

fn microsoft_token(sandbox: &Sandbox, pairs: &[(&str, &str)]) -> Response {
    sandbox
        .handle(&Request::new("POST", MICROSOFT_TOKEN).form(&[pairs, &[("client_id", MICROSOFT_CLIENT_ID)]].concat()))
}

fn redeem_google(sandbox: &Sandbox, code: &str, verifier: &str) -> Response {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", GOOGLE_BACK),
        ("code_verifier", verifier),
    ];
    google_token(sandbox, &pairs)
}

fn redeem_microsoft(sandbox: &Sandbox, code: &str, verifier: &str) -> Response {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", MICROSOFT_BACK),
        ("code_verifier", verifier),
    ];
    microsoft_token(sandbox, &pairs)
}

fn refresh(token: &Value) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token["refresh_token"].as_str().unwrap())]
}

#[test]
fn google_signs_in_by_code_and_refreshes_without_rotation() {
    let sandbox = sandbox(Switches::default());
    let back = google(&sandbox, &format!("{CONTACTS} openid"));
    assert_eq!((pick(&back, "state"), pick(&back, "scope")), ("s t/1", format!("{CONTACTS} openid").as_str()));
    let token = redeem_google(&sandbox, pick(&back, "code"), VERIFIER).body_json();
    assert_eq!((&token["token_type"], &token["expires_in"]), (&"Bearer".into(), &3599.into()));
    let list = "/google/v1/people/me/connections?personFields=names";
    let reply = sandbox.handle(&Request::get(list).bearer(token["access_token"].as_str().unwrap()));
    assert_eq!(reply.status, 200);
    let again = google_token(&sandbox, &refresh(&token)).body_json();
    assert!(again["access_token"].is_string() && again.get("refresh_token").is_none());
}

#[test]
fn a_code_is_good_once_and_with_its_verifier_only() {
    let sandbox = sandbox(Switches::default());
    let back = google(&sandbox, CONTACTS);
    let code = pick(&back, "code");
    assert_eq!(redeem_google(&sandbox, code, &VERIFIER.replace('d', "e")).body_json()["error"], "invalid_grant");
    assert_eq!(redeem_google(&sandbox, code, VERIFIER).status, 200);
    assert_eq!(redeem_google(&sandbox, code, VERIFIER).body_json()["error"], "invalid_grant");
    let back = microsoft(&sandbox, "User.Read");
    let code = pick(&back, "code");
    let codes = |reply: Response| reply.body_json()["error_codes"][0].as_u64();
    assert_eq!(codes(redeem_microsoft(&sandbox, code, &VERIFIER.replace('d', "e"))), Some(501_481));
    assert_eq!(redeem_microsoft(&sandbox, code, VERIFIER).status, 200);
    assert_eq!(codes(redeem_microsoft(&sandbox, code, VERIFIER)), Some(54005));
}

#[test]
fn google_wants_the_secret_and_microsoft_refuses_one() {
    let sandbox = sandbox(Switches::default());
    let without =
        Request::new("POST", "/google/token").form(&[("grant_type", "refresh_token"), ("client_id", GOOGLE_CLIENT_ID)]);
    assert_eq!(sandbox.handle(&without).body_json()["error"], "invalid_request");
    let wrong = [("grant_type", "refresh_token"), ("client_id", GOOGLE_CLIENT_ID), ("client_secret", "x")];
    let reply = sandbox.handle(&Request::new("POST", "/google/token").form(&wrong));
    assert_eq!((reply.status, &reply.body_json()["error"]), (401, &"invalid_client".into()));
    let reply = microsoft_token(&sandbox, &[("grant_type", "refresh_token"), ("client_secret", "x")]);
    assert_eq!((reply.status, &reply.body_json()["error_codes"][0]), (401, &700_025.into()));
}

#[test]
fn a_wrong_redirect_address_shows_a_page_and_redirects_nowhere() {
    let sandbox = sandbox(Switches::default());
    let challenge = challenge();
    let google = format!(
        "/google/o/oauth2/v2/auth?client_id={GOOGLE_CLIENT_ID}&response_type=code&scope=openid&state=1&code_challenge={challenge}&code_challenge_method=S256&redirect_uri="
    );
    for back in ["https://evil.example/", "urn:ietf:wg:oauth:2.0:oob", ""] {
        assert_eq!(sandbox.handle(&Request::get(&format!("{google}{back}"))).status, 400);
    }
    let microsoft = format!(
        "/microsoft-login/common/oauth2/v2.0/authorize?client_id={MICROSOFT_CLIENT_ID}&response_type=code&scope=openid&state=1&code_challenge={challenge}&code_challenge_method=S256&redirect_uri="
    );
    for back in ["http://localhost:1/other", "http://evil.example", ""] {
        assert_eq!(sandbox.handle(&Request::get(&format!("{microsoft}{back}"))).status, 400);
    }
}

#[test]
fn microsoft_rotates_refresh_tokens_and_the_old_one_lives_on() {
    let sandbox = sandbox(Switches::default());
    let back = microsoft(&sandbox, "https://graph.microsoft.com/Contacts.ReadWrite offline_access openid");
    let first = redeem_microsoft(&sandbox, pick(&back, "code"), VERIFIER).body_json();
    assert_eq!(first["scope"], "https://graph.microsoft.com/Contacts.ReadWrite openid");
    let second = microsoft_token(&sandbox, &refresh(&first)).body_json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(microsoft_token(&sandbox, &refresh(&first)).status, 200);
    sandbox.switch(|switches| switches.refuse_rotated_refresh = true);
    assert_eq!(microsoft_token(&sandbox, &refresh(&first)).body_json()["error"], "invalid_grant");
    sandbox.clock().advance_ms(91 * 86_400_000);
    assert_eq!(microsoft_token(&sandbox, &refresh(&second)).body_json()["error_codes"][0], 700_082);
}

#[test]
fn no_refresh_token_without_offline_access() {
    let sandbox = sandbox(Switches::default());
    let back = microsoft(&sandbox, "User.Read");
    assert!(redeem_microsoft(&sandbox, pick(&back, "code"), VERIFIER).body_json().get("refresh_token").is_none());
}

#[test]
fn every_end_of_a_sign_in_has_its_own_answer() {
    for (end, code) in [
        (End::PasswordChanged, 50173),
        (End::Inactive, 700_082),
        (End::MfaNeeded, 50076),
        (End::ConsentMissing, 65001),
        (End::Blocked, 53003),
        (End::Disabled, 50057),
    ] {
        let sandbox = sandbox(Switches::default());
        let (_, token) = sandbox.sign_in(Provider::Microsoft);
        sandbox.end_sign_ins(Provider::Microsoft, end, false);
        let reply =
            microsoft_token(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).body_json();
        assert_eq!((&reply["error"], &reply["error_codes"][0]), (&"invalid_grant".into(), &code.into()), "{end:?}");
    }
    for (end, field, value) in [
        (End::Revoked, "error", "invalid_grant"),
        (End::SessionControl, "error_subtype", "invalid_rapt"),
        (End::AdminPolicy, "error", "admin_policy_enforced"),
    ] {
        let sandbox = sandbox(Switches::default());
        let (_, token) = sandbox.sign_in(Provider::Google);
        sandbox.end_sign_ins(Provider::Google, end, false);
        let reply = google_token(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &token)]);
        assert_eq!((reply.status, reply.body_json()[field].as_str()), (400, Some(value)), "{end:?}");
    }
}

#[test]
fn a_revoked_grant_is_dead_at_once() {
    let sandbox = sandbox(Switches::default());
    let (access, token) = sandbox.sign_in(Provider::Google);
    let revoke = || sandbox.handle(&Request::new("POST", "/google/revoke").form(&[("token", &token)]));
    assert_eq!(revoke().status, 200);
    assert_eq!(revoke().body_json()["error"], "invalid_token");
    let list = Request::get("/google/v1/people/me/connections?personFields=names").bearer(&access);
    assert_eq!(sandbox.handle(&list).status, 401);
    assert_eq!(google_token(&sandbox, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).status, 400);
}

#[test]
fn the_user_may_decline_untick_or_be_somebody_else() {
    let declining = sandbox(Switches { user_answer: "decline".into(), ..Switches::default() });
    assert_eq!(pick(&google(&declining, CONTACTS), "error"), "access_denied");
    assert_eq!(pick(&microsoft(&declining, "User.Read"), "error"), "access_denied");
    let unticking = sandbox(Switches { unticked_scopes: vec!["contacts".into()], ..Switches::default() });
    let back = google(&unticking, &format!("{CONTACTS} openid"));
    assert_eq!(pick(&back, "scope"), "openid");
    let token = redeem_google(&unticking, pick(&back, "code"), VERIFIER).body_json();
    let list = Request::get("/google/v1/people/me/connections?personFields=names");
    let reply = unticking.handle(&list.clone().bearer(token["access_token"].as_str().unwrap()));
    assert_eq!(reply.body_json()["error"]["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    let other = sandbox(Switches { another_account: true, ..Switches::default() });
    let back = google(&other, CONTACTS);
    let token = redeem_google(&other, pick(&back, "code"), VERIFIER).body_json();
    let reply = other.handle(&list.bearer(token["access_token"].as_str().unwrap()));
    assert_eq!(reply.body_json(), serde_json::json!({}));
}

#[test]
fn a_device_code_is_pending_then_done() {
    let sandbox = sandbox(Switches::default());
    let start = Request::new("POST", "/microsoft-login/organizations/oauth2/v2.0/devicecode")
        .form(&[("client_id", MICROSOFT_CLIENT_ID), ("scope", "Contacts.ReadWrite offline_access")]);
    let device = sandbox.handle(&start).body_json();
    assert_eq!((&device["interval"], &device["expires_in"]), (&5.into(), &900.into()));
    let poll = || {
        microsoft_token(&sandbox, &[("grant_type", DEVICE), ("device_code", device["device_code"].as_str().unwrap())])
    };
    let error = |reply: Response| reply.body_json()["error"].as_str().unwrap_or_default().to_owned();
    assert_eq!(error(poll()), "authorization_pending");
    assert_eq!(error(poll()), "slow_down");
    sandbox.clock().advance_ms(10_000);
    assert_eq!(error(poll()), "authorization_pending");
    sandbox.clock().advance_ms(10_000);
    let done = poll();
    assert!(done.body_json()["refresh_token"].is_string());
    assert_eq!(error(poll()), "bad_verification_code");
}

#[test]
fn a_device_code_may_be_declined_or_expire() {
    for (answer, wait_ms, expected) in [("decline", 0, "authorization_declined"), ("wait", 901_000, "expired_token")] {
        let switches = Switches { user_answer: answer.into(), device_pending_polls: 0, ..Switches::default() };
        let sandbox = sandbox(switches);
        let start = Request::new("POST", "/microsoft-login/organizations/oauth2/v2.0/devicecode")
            .form(&[("client_id", MICROSOFT_CLIENT_ID), ("scope", "User.Read")]);
        let device = sandbox.handle(&start).body_json();
        sandbox.clock().advance_ms(wait_ms);
        let code = device["device_code"].as_str().unwrap();
        let reply = microsoft_token(&sandbox, &[("grant_type", DEVICE), ("device_code", code)]);
        assert_eq!(reply.body_json()["error"], expected);
    }
}
