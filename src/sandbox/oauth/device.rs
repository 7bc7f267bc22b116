//! Microsoft's device code: the client shows a code, the person types it in elsewhere, the client asks until it is done.

use rand::Rng;
use serde_json::json;

use super::microsoft::{failed, read_scopes};
use super::{MICROSOFT_CLIENT_ID, consent, form, random_text};
use crate::{Provider, Request, Response, State};

/// What a poll calls itself.
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const INTERVAL_S: i64 = 5;
const LIFE_S: i64 = 900;

/// A code that was shown and is being asked for.
#[derive(Clone, Debug)]
pub(super) struct Device {
    scopes: Vec<String>,
    expires_ms: i64,
    interval_ms: i64,
    last_poll_ms: Option<i64>,
    polls: u32,
    is_redeemed: bool,
}

/// POST devicecode.
pub(super) fn start(state: &mut State, request: &Request) -> Response {
    let fields = match form(request, &["client_id", "scope"]) {
        Ok(fields) => fields,
        Err(why) => return failed(state, 400, "invalid_request", 9_002_313, &why, None),
    };
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != MICROSOFT_CLIENT_ID {
        let text = "Application was not found in the directory.";
        return failed(state, 400, "unauthorized_client", 700_016, text, None);
    }
    let scopes = match read_scopes(field("scope")) {
        Ok(scopes) if !scopes.is_empty() => scopes,
        Ok(_) => {
            let text = "The request body must contain the following parameter: 'scope'.";
            return failed(state, 400, "invalid_request", 900_144, text, None);
        }
        Err(unknown) => {
            return failed(state, 400, "invalid_scope", 70011, &format!("The scope {unknown} is not valid."), None);
        }
    };
    let device_code = format!("GAQABAAEAAAA{}", random_text(state, 120));
    let user_code: String =
        (0..9).map(|_| char::from(b"BCDFGHJKLMNPQRSTVWXYZ23456789"[state.rng.random_range(0..29)])).collect();
    let device = Device {
        scopes,
        expires_ms: state.now_ms() + LIFE_S * 1000,
        interval_ms: INTERVAL_S * 1000,
        last_poll_ms: None,
        polls: 0,
        is_redeemed: false,
    };
    state.oauth.devices.insert(device_code.clone(), device);
    let page = "https://microsoft.com/devicelogin";
    Response::json(
        200,
        &json!({
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": page,
            "expires_in": LIFE_S,
            "interval": INTERVAL_S,
            "message": format!(
                "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
            ),
        }),
    )
}

/// One poll: the grant, once the person has answered.
pub(super) fn poll(state: &mut State, code: &str) -> Result<usize, Response> {
    let now_ms = state.now_ms();
    let has_slow_down = state.switches.device_slow_down;
    let Some(device) = state.oauth.devices.get_mut(code).filter(|device| !device.is_redeemed) else {
        let text = "Error validating the device code.";
        return Err(failed(state, 400, "bad_verification_code", 70018, text, None));
    };
    // Half a second of grace for the way here.
    let is_early = device.last_poll_ms.is_some_and(|last| now_ms - last < device.interval_ms - 500);
    device.last_poll_ms = Some(now_ms);
    if device.expires_ms <= now_ms {
        let text =
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.";
        return Err(failed(state, 400, "expired_token", 70020, text, None));
    }
    if is_early && has_slow_down {
        device.interval_ms += 5000;
        let text = "The client polls too often. Wait 5 seconds longer between polls.";
        return Err(failed(state, 400, "slow_down", 70016, text, None));
    }
    device.polls += 1;
    let (polls, scopes) = (device.polls, device.scopes.clone());
    let is_pending = polls <= state.switches.device_pending_polls || state.switches.user_answer == "wait";
    if is_pending {
        let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
        return Err(failed(state, 400, "authorization_pending", 70016, text, None));
    }
    if state.switches.user_answer == "decline" {
        let text = "The user declined the authorization request.";
        return Err(failed(state, 400, "authorization_declined", 65004, text, None));
    }
    if let Some(device) = state.oauth.devices.get_mut(code) {
        device.is_redeemed = true;
    }
    Ok(consent(state, Provider::Microsoft, scopes))
}
