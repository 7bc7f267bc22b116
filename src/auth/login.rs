//! What a person does: signing in by one of the three ways, storing that, signing out.
//!
//! [`login()`] leads through the flow and finds out who it was; [`accept`] stores it, unless it is another account than before;
//! [`logout`] revokes and forgets. How the requests are spoken stands in `oauth.rs`.

use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use oauth2::{
    AuthorizationCode, CsrfToken, DeviceAuthorizationResponse, DeviceAuthorizationUrl, DeviceCodeErrorResponseType,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use twofold_http::{Clock, Transport};
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

use crate::account::{Account, identify};
use crate::cause::{Cause, Known, Verdict, judge};
use crate::exchange::post_form;
use crate::loopback::{Listener, NotOurs, Redirect, read_pasted};
use crate::oauth::{Adapter, DeviceFields, Fresh, TokenError, client};
use crate::provider::{MissingScope, Provider, ProviderName};
use crate::refusal::Refusal;
use crate::vault::{Entry, Hint, State, Tokens, Vault};

/// How long the browser's answer is waited for.
const REDIRECT_WAIT_MS: u64 = 10 * 60 * 1000;
/// How often a pasted address may be wrong.
const PASTE_TRIES: usize = 3;

/// The way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The browser is sent back to a port of this machine.
    Loopback {
        /// Whether the browser is started; else only the address is shown (`--no-browser`).
        open_browser: bool,
    },
    /// The person pastes the address to which the browser was sent back (`--paste`): for a machine without a browser.
    Paste,
    /// The person types a code on another device (`--device-code`; Microsoft only).
    DeviceCode,
}

/// How sign-in talks to the person. The command line implements it.
pub trait Ui: Send + Sync {
    /// Shows the address to open, on a line of its own.
    fn address(&self, url: &str);
    /// Shows where to go and the code to type there; `message` is the provider's own sentence, where it has one.
    fn device_code(&self, verification_uri: &str, user_code: &str, message: Option<&str>);
    /// Asks for the redirected address; blocks until it is there.
    fn read_pasted(&self) -> io::Result<String>;
    /// Says something by the way.
    fn note(&self, _text: &str) {}
}

/// What a sign-in needs.
#[derive(Clone, Copy)]
pub struct SignIn<'a> {
    /// Where.
    pub provider: &'a Provider,
    /// What the last sign-in left ([`Vault::hint`]).
    pub hint: &'a Hint,
    /// The network.
    pub transport: &'a Arc<dyn Transport>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// The person.
    pub ui: &'a dyn Ui,
}

/// A sign-in that worked and is not stored yet. Its `Debug` shows no token.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Where.
    pub provider: ProviderName,
    /// Who.
    pub account: Account,
    /// What was granted.
    pub granted: Vec<String>,
    /// What the configured kinds need and was not granted.
    pub missing: Vec<MissingScope>,
    client_id: String,
    asked: Vec<String>,
    tokens: Tokens,
    obtained_ms: u64,
    expires_ms: u64,
    refresh_expires_ms: Option<u64>,
}

/// A sign-in that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Who.
    pub account: Account,
    /// What was not granted; the kinds named there cannot be synced.
    pub missing: Vec<MissingScope>,
    /// Whether this account was not here before.
    pub is_new: bool,
}

/// What became of the provider's side when signing out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The provider forgot the sign-in.
    Done,
    /// This provider offers no way; the sign-in can be removed on the account's own page.
    NotOffered,
    /// The provider could not be told; these words say why.
    Failed(String),
    /// Nobody was signed in.
    Nothing,
}

/// Leads a person through a sign-in and finds out who it was. Nothing is stored: that is [`accept`].
pub async fn login(sign_in: &SignIn<'_>, flow: Flow) -> Result<SignedIn> {
    let (fresh, obtained_ms) = match flow {
        Flow::Loopback { open_browser } => by_loopback(sign_in, open_browser).await?,
        Flow::Paste => by_paste(sign_in).await?,
        Flow::DeviceCode => by_device_code(sign_in).await?,
    };
    finish(sign_in, fresh, obtained_ms).await
}

async fn finish(sign_in: &SignIn<'_>, fresh: Fresh, obtained_ms: u64) -> Result<SignedIn> {
    let SignIn { provider, transport, .. } = *sign_in;
    let Some(refresh) = fresh.refresh else {
        let words = match provider.name {
            ProviderName::Microsoft365 => "Microsoft gave no refresh token: the right offline_access was not granted",
            ProviderName::Google => {
                "Google gave no refresh token: remove twofold from your account's third-party access, then sign in again"
            }
        };
        return Err(Error::new(ErrorKind::Misconfigured, words));
    };
    let id_token = fresh.id_token.as_ref().map(|token| token.expose_secret());
    let account = identify(transport.as_ref(), provider, fresh.access.expose_secret(), id_token).await?;
    let asked = provider.scopes();
    // RFC 6749 5.1: what is not named was granted as asked.
    let granted = fresh.granted.unwrap_or_else(|| asked.clone());
    let life_ms = |seconds: u64| obtained_ms.saturating_add(seconds.saturating_mul(1000));
    Ok(SignedIn {
        provider: provider.name,
        account,
        missing: provider.missing_scopes(&granted),
        granted,
        client_id: provider.client_id.clone(),
        asked,
        tokens: Tokens { access: fresh.access, refresh },
        obtained_ms,
        expires_ms: life_ms(fresh.expires_in_s),
        refresh_expires_ms: fresh.refresh_expires_in_s.map(life_ms),
    })
}

/// Stores a sign-in. Another account than the one that was here is refused, and nothing is changed.
pub async fn accept(vault: &Vault, signed_in: SignedIn) -> Result<Accepted> {
    let name = signed_in.provider;
    let lock = vault.lock().await?;
    let mut book = vault.read()?;
    let before = book.providers.get(&name);
    if let Some(before) = before
        && !before.account.is_same_as(&signed_in.account)
    {
        let words = format!(
            "{} signed in, but here is the copy of {}: nothing was changed. To keep another account's data too, name another `state_dir` in the configuration, then type `{}`.",
            signed_in.account.label(),
            before.account.label(),
            name.login_command(),
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    }
    let is_new = before.is_none();
    let generation = before.map_or(0, |before| before.generation);
    // An id that was found once is kept when this time only the address could be had.
    let account = match before {
        Some(before) if signed_in.account.id.starts_with("address:") => before.account.clone(),
        _ => signed_in.account,
    };
    let key = vault.key_for_sealing(&mut book)?;
    let mut entry =
        Entry::new(account.clone(), signed_in.client_id, signed_in.asked, signed_in.granted, signed_in.obtained_ms);
    entry.generation = generation;
    entry.expires_ms = signed_in.expires_ms;
    entry.refresh_expires_ms = signed_in.refresh_expires_ms;
    entry.seal(name, &key, &signed_in.tokens)?;
    book.providers.insert(name, entry);
    vault.write(&lock, &book)?;
    Ok(Accepted { account, missing: signed_in.missing, is_new })
}

/// Signs out: revokes where the provider can, forgets the tokens, remembers the account. A provider that cannot be told does
/// not keep the tokens here.
pub async fn logout(
    vault: &Vault,
    provider: &Provider,
    transport: &Arc<dyn Transport>,
    clock: &dyn Clock,
) -> Result<Revocation> {
    let name = provider.name;
    // Where nobody ever signed in nothing is made.
    if !vault.read()?.providers.contains_key(&name) {
        return Ok(Revocation::Nothing);
    }
    let lock = vault.lock().await?;
    let mut book = vault.read()?;
    let Some(entry) = book.providers.get(&name) else { return Ok(Revocation::Nothing) };
    let tokens = vault.key(&book).and_then(|key| entry.open(name, &key));
    let revocation = match (tokens, &provider.revoke) {
        (Ok(None), _) => Revocation::Nothing,
        (_, None) => Revocation::NotOffered,
        (Err(error), _) => Revocation::Failed(error.to_string()),
        (Ok(Some(tokens)), Some(url)) => revoke(transport.as_ref(), url, &tokens.refresh).await,
    };
    if let Some(entry) = book.providers.get_mut(&name) {
        entry.wipe();
        entry.state =
            State::SignInNeeded { cause: Cause::SignedOut, since_ms: clock.now_ms(), tried_ms: 0, claims: None };
    }
    vault.write(&lock, &book)?;
    Ok(revocation)
}

async fn revoke(transport: &dyn Transport, url: &Url, refresh: &SecretString) -> Revocation {
    match post_form(transport, "revoke the sign-in", url, &[("token", refresh.expose_secret())]).await {
        Ok(answer) if answer.status == 200 => Revocation::Done,
        // A token that the provider does not know any more is as good as revoked.
        Ok(answer) if Refusal::read(&answer.body).is_some_and(|refusal| refusal.error == "invalid_token") => {
            Revocation::Done
        }
        Ok(answer) => Revocation::Failed(format!("the provider answered {}", answer.status)),
        Err(error) => Revocation::Failed(error.to_string()),
    }
}

async fn by_loopback(sign_in: &SignIn<'_>, open_browser: bool) -> Result<(Fresh, u64)> {
    let SignIn { provider, clock, ui, .. } = *sign_in;
    let is_localhost = provider.name == ProviderName::Microsoft365;
    let listener = Listener::bind(is_localhost).await?;
    let journey = Journey::begin(sign_in, listener.port)?;
    ui.address(journey.address.as_str());
    if open_browser && !start_browser(&journey.address) {
        ui.note("No browser could be started here: open the address yourself.");
    }
    let redirect = tokio::select! {
        redirect = listener.wait(journey.state.secret()) => redirect,
        () = clock.sleep_ms(REDIRECT_WAIT_MS) => {
            let words = format!("nobody finished the sign-in in the browser within 10 minutes; nothing was changed. Type `{}` to begin again.",
                provider.name.login_command());
            return Err(Error::new(ErrorKind::SignInNeeded, words));
        }
    };
    journey.end(sign_in, redirect).await
}

async fn by_paste(sign_in: &SignIn<'_>) -> Result<(Fresh, u64)> {
    let ui = sign_in.ui;
    // Nothing listens there: the browser shows an error page, and its address bar holds the answer.
    let journey = Journey::begin(sign_in, rand::rng().random_range(49_152..=65_535))?;
    ui.address(journey.address.as_str());
    for _ in 0..PASTE_TRIES {
        let pasted = ui.read_pasted().map_err(|error| {
            Error::new(
                ErrorKind::SignInNeeded,
                format!("the pasted address cannot be read: {error}; nothing was changed"),
            )
        })?;
        match read_pasted(&pasted, journey.state.secret()) {
            Ok(redirect) => return journey.end(sign_in, redirect).await,
            Err(NotOurs::Stray) => ui.note(
                "That holds no answer. After signing in, the browser ends at a page that cannot be shown: paste the whole address of that page.",
            ),
            Err(NotOurs::OtherState) => ui.note("That address belongs to another sign-in. Use the address printed above."),
        }
    }
    let words = format!(
        "no usable address was pasted; nothing was changed. Type `{} --paste` to begin again.",
        sign_in.provider.name.login_command()
    );
    Err(Error::new(ErrorKind::SignInNeeded, words))
}

async fn by_device_code(sign_in: &SignIn<'_>) -> Result<(Fresh, u64)> {
    let SignIn { provider, transport, clock, ui, .. } = *sign_in;
    let Some(device) = &provider.device else {
        let words = format!(
            "{} does not allow its mail, calendars and contacts to be signed in by device code. On a machine without a browser, type `{} --paste`.",
            provider.name.title(),
            provider.name.login_command()
        );
        return Err(Error::new(ErrorKind::Misconfigured, words));
    };
    let client = client(provider)?.set_device_authorization_url(DeviceAuthorizationUrl::from_url(device.clone()));
    let adapter = Adapter::new(transport, "ask for a device code", false);
    let request = client.exchange_device_code().add_scopes(provider.scopes().into_iter().map(Scope::new));
    let offered: DeviceAuthorizationResponse<DeviceFields> = match request.request_async(&adapter).await {
        Ok(offered) => offered,
        Err(_) => return Err(adapter.failure(provider.name, Known::default()).into_error(provider.name)),
    };
    let message = offered.extra_fields().message.as_deref();
    ui.device_code(offered.verification_uri().as_str(), offered.user_code().secret(), message);

    let adapter = Adapter::new(transport, "ask whether the code was typed", true);
    let now = || {
        let now_ms = i64::try_from(clock.now_ms()).unwrap_or(i64::MAX);
        chrono::DateTime::from_timestamp_millis(now_ms).unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)
    };
    let pause = |interval: Duration| {
        let asked_for_ms = adapter.retry_after_s().unwrap_or(0).saturating_mul(1000);
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        clock.sleep_ms(interval_ms.max(asked_for_ms))
    };
    let polling = client
        .exchange_device_access_token(&offered)
        .set_time_fn(now)
        .set_max_backoff_interval(Duration::from_secs(60))
        .request_async(&adapter, pause, Some(offered.expires_in().saturating_sub(offered.interval())));
    // The crate asks at once and then keeps the pace; the pace is to be kept from the beginning (RFC 8628 3.5).
    clock.sleep_ms(u64::try_from(offered.interval().as_millis()).unwrap_or(u64::MAX)).await;
    match polling.await {
        // The endpoint was asked many times; the life of the tokens began with the last one, a moment ago.
        Ok(token) => Ok((Fresh::from(token), clock.now_ms())),
        Err(error) => {
            // That time is up is known to the crate alone: the provider may never have said so.
            let is_over = matches!(&error, RequestTokenError::ServerResponse(answer)
                if *answer.error() == DeviceCodeErrorResponseType::ExpiredToken);
            let failure =
                if is_over { TokenError::time_is_up() } else { adapter.failure(provider.name, Known::default()) };
            let is_blocked =
                matches!(&failure, TokenError::Refused { verdict: Verdict::SignIn(Cause::BlockedByPolicy), .. });
            let mut error = failure.into_error(provider.name);
            if is_blocked {
                let command = provider.name.login_command();
                error.message +=
                    &format!(" Many organisations block sign-ins by device code alone: try `{command} --paste`.");
            }
            Err(error)
        }
    }
}

/// Starts the person's browser; whether that could be tried.
fn start_browser(address: &Url) -> bool {
    let mut command = tokio::process::Command::new("xdg-open");
    command.arg(address.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

/// One way through the browser: the address, and what is needed to believe what comes back.
struct Journey {
    address: Url,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
}

impl Journey {
    fn begin(sign_in: &SignIn<'_>, port: u16) -> Result<Journey> {
        let SignIn { provider, hint, .. } = *sign_in;
        // Provider: both ignore the port of a loopback address; Microsoft knows it by the name localhost only.
        let host = match provider.name {
            ProviderName::Microsoft365 => "localhost",
            ProviderName::Google => "127.0.0.1",
        };
        let broken = |_| Error::new(ErrorKind::Broken, "the redirect address cannot be built");
        let redirect = RedirectUrl::new(format!("http://{host}:{port}")).map_err(broken)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = client(provider)?.set_redirect_uri(redirect.clone());
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(provider.scopes().into_iter().map(Scope::new))
            .set_pkce_challenge(challenge);
        request = match provider.name {
            // Without `consent`, Google gives a refresh token only at the very first sign-in.
            ProviderName::Google => {
                request.add_extra_param("access_type", "offline").add_extra_param("prompt", "consent")
            }
            ProviderName::Microsoft365 if hint.address.is_none() => request.add_extra_param("prompt", "select_account"),
            ProviderName::Microsoft365 => request,
        };
        if let Some(address) = &hint.address {
            request = request.add_extra_param("login_hint", address.as_str());
        }
        if let Some(claims) = &hint.claims {
            request = request.add_extra_param("claims", claims.as_str());
        }
        let (address, state) = request.url();
        Ok(Journey { address, state, verifier, redirect })
    }

    async fn end(self, sign_in: &SignIn<'_>, redirect: Redirect) -> Result<(Fresh, u64)> {
        let SignIn { provider, transport, clock, .. } = *sign_in;
        let code = match redirect {
            Redirect::Code(code) => code,
            Redirect::Refused(refusal) => {
                let verdict = judge(provider.name, None, &refusal, Known::default());
                return Err(TokenError::Refused { verdict, refusal, retry_after_s: None }.into_error(provider.name));
            }
        };
        let client = client(provider)?.set_redirect_uri(self.redirect);
        let adapter = Adapter::new(transport, "sign in", false);
        let asked_at_ms = clock.now_ms();
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        match client.exchange_code(code).set_pkce_verifier(self.verifier).request_async(&adapter).await {
            Ok(token) => Ok((Fresh::from(token), asked_at_ms)),
            Err(_) => Err(adapter.failure(provider.name, Known::default()).into_error(provider.name)),
        }
    }
}
