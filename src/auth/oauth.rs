//! OAuth 2.0 as spoken through the `oauth2` crate: the client, refreshing, and what an answer or its absence means.
//!
//! The crate hides status, headers and Microsoft's finer words from its caller, so an adapter of our own stands under it
//! ([`Adapter`]) and keeps what an answer said; the crate's own error texts are never shown, for they may hold a body.
//! No type of the crate leaves this module and [`crate::login`].

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraDeviceAuthorizationFields, ExtraTokenFields, HttpRequest, HttpResponse, RefreshToken, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use twofold_http::Transport;
use twofold_model::{Error, ErrorKind, Result};

use crate::cause::{Known, Verdict, judge};
use crate::exchange::send;
use crate::provider::{Provider, ProviderName};
use crate::refusal::Refusal;

/// What an access token's life is taken to be when the answer does not say.
const USUAL_LIFE_S: u64 = 3600;

/// Exchanges a refresh token for fresh tokens.
pub(crate) async fn refresh(
    transport: &Arc<dyn Transport>,
    provider: &Provider,
    refresh_token: &SecretString,
    known: Known,
) -> Result<Fresh, TokenError> {
    let client = client(provider).map_err(TokenError::Lost)?;
    let adapter = Adapter::new(transport, "refresh the sign-in", false);
    // No scopes: the sign-in keeps what was granted. A kind that was configured later shows as missing, and does not kill it.
    let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
    match client.exchange_refresh_token(&token).request_async(&adapter).await {
        Ok(token) => Ok(Fresh::from(token)),
        Err(_) => Err(adapter.failure(provider.name, known)),
    }
}

pub(crate) type TokenAnswer = StandardTokenResponse<TokenFields, BasicTokenType>;
pub(crate) type OauthClient<Device = EndpointNotSet> = Client<
    Refusal,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    Device,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

pub(crate) fn client(provider: &Provider) -> Result<OauthClient> {
    let client = Client::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(provider.authorize.clone()))
        .set_token_uri(TokenUrl::from_url(provider.token.clone()))
        .set_auth_type(AuthType::RequestBody);
    Ok(match &provider.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
        None => client,
    })
}

/// What the providers send besides RFC 6749.
#[derive(Serialize, Deserialize)]
pub(crate) struct TokenFields {
    #[serde(default, skip_serializing)]
    id_token: Option<String>,
    #[serde(default, skip_serializing)]
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for TokenFields {}

impl std::fmt::Debug for TokenFields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenFields")
    }
}

/// What Microsoft sends besides RFC 8628: a sentence for the person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DeviceFields {
    #[serde(default)]
    pub message: Option<String>,
}

impl ExtraDeviceAuthorizationFields for DeviceFields {}

/// Fresh tokens, out of the crate's hands.
pub(crate) struct Fresh {
    pub access: SecretString,
    pub refresh: Option<SecretString>,
    pub id_token: Option<SecretString>,
    pub granted: Option<Vec<String>>,
    pub expires_in_s: u64,
    pub refresh_expires_in_s: Option<u64>,
}

impl From<TokenAnswer> for Fresh {
    fn from(token: TokenAnswer) -> Fresh {
        let fields = token.extra_fields();
        Fresh {
            access: SecretString::from(token.access_token().secret().as_str()),
            refresh: token.refresh_token().map(|token| SecretString::from(token.secret().as_str())),
            id_token: fields.id_token.as_deref().map(SecretString::from),
            granted: token.scopes().map(|scopes| scopes.iter().map(|scope| scope.as_str().to_owned()).collect()),
            expires_in_s: token.expires_in().map_or(USUAL_LIFE_S, |life| life.as_secs()),
            refresh_expires_in_s: fields.refresh_token_expires_in,
        }
    }
}

/// Why there are no tokens.
#[derive(Debug)]
pub(crate) enum TokenError {
    /// There was no answer, or none that can be read.
    Lost(Error),
    /// The provider said no, or not now.
    Refused {
        /// What that means.
        verdict: Verdict,
        /// What was said.
        refusal: Refusal,
        /// How long to wait, if it was said.
        retry_after_s: Option<u64>,
    },
}

impl TokenError {
    /// The code of a device was not typed in time.
    pub fn time_is_up() -> TokenError {
        let refusal = Refusal::from_redirect("expired_token", "", None);
        TokenError::Refused { verdict: Verdict::CodeOver, refusal, retry_after_s: None }
    }

    /// The error for a person.
    pub fn into_error(self, name: ProviderName) -> Error {
        let (verdict, refusal, retry_after_s) = match self {
            TokenError::Lost(error) => return error,
            TokenError::Refused { verdict, refusal, retry_after_s } => (verdict, refusal, retry_after_s),
        };
        let who = name.title();
        let again = format!("Nothing was changed. Type `{}` to begin again.", name.login_command());
        match verdict {
            Verdict::SignIn(cause) => cause.error(name),
            Verdict::Wrong(fault) => fault.error(name, &refusal),
            Verdict::Later => later(format!("{who} cannot sign anybody in at the moment [{refusal}]"), retry_after_s),
            Verdict::TooOften => {
                let words = format!("{who} was asked for tokens too often [{refusal}]");
                Error::new(ErrorKind::Throttled { retry_after_s: Some(retry_after_s.unwrap_or(TOO_OFTEN_S)) }, words)
            }
            Verdict::Declined => {
                Error::new(ErrorKind::SignInNeeded, format!("The sign-in at {who} was declined. {again}"))
            }
            Verdict::CodeOver => Error::new(
                ErrorKind::SignInNeeded,
                format!("The code of this sign-in at {who} is used up or too old. {again}"),
            ),
        }
    }
}

/// How long to leave an endpoint alone that said "too often" and no more.
const TOO_OFTEN_S: u64 = 300;

/// A temporary error; with a time, if one was named.
fn later(words: String, retry_after_s: Option<u64>) -> Error {
    match retry_after_s {
        Some(_) => Error::new(ErrorKind::Throttled { retry_after_s }, words),
        None => Error::new(ErrorKind::Offline, words),
    }
}

/// Stands between the crate and the network, and remembers what the last answer said.
pub(crate) struct Adapter {
    transport: Arc<dyn Transport>,
    what: &'static str,
    /// Whether the crate asks again by itself; then what is temporary must not look like an answer.
    is_polling: bool,
    seen: Mutex<Seen>,
}

/// What the last answer said.
#[derive(Default)]
struct Seen {
    status: Option<u16>,
    retry_after_s: Option<u64>,
    refusal: Option<Refusal>,
    error: Option<Error>,
}

/// To the crate: no answer. What is known of it stands in [`Seen`].
#[derive(Debug)]
pub(crate) struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no answer")
    }
}

impl std::error::Error for NoAnswer {}

impl Adapter {
    pub fn new(transport: &Arc<dyn Transport>, what: &'static str, is_polling: bool) -> Self {
        Adapter { transport: transport.clone(), what, is_polling, seen: Mutex::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // What it guards is replaced whole, so it is valid also after a panic.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the last answer asked to wait.
    pub fn retry_after_s(&self) -> Option<u64> {
        self.seen().retry_after_s
    }

    /// What the last answer means.
    pub fn failure(&self, name: ProviderName, known: Known) -> TokenError {
        let Seen { status, retry_after_s, refusal, error } = std::mem::take(&mut *self.seen());
        let who = name.title();
        match (error, refusal, status) {
            (Some(error), _, _) => TokenError::Lost(error),
            (None, Some(refusal), _) => {
                TokenError::Refused { verdict: judge(name, status, &refusal, known), refusal, retry_after_s }
            }
            (None, None, Some(429)) => {
                let retry_after_s = Some(retry_after_s.unwrap_or(TOO_OFTEN_S));
                let words = format!("{who} was asked for tokens too often (429)");
                TokenError::Lost(Error::new(ErrorKind::Throttled { retry_after_s }, words))
            }
            (None, None, Some(status)) if status >= 500 => {
                TokenError::Lost(later(format!("{who}'s sign-in answered {status}"), retry_after_s))
            }
            // A proxy's page, a wrong address: nothing that says anything about the sign-in.
            (None, None, Some(status)) => {
                let words = format!(
                    "what answered ({status}) in {who}'s name is not a token endpoint: check the address, and any proxy between"
                );
                TokenError::Lost(Error::new(ErrorKind::Offline, words))
            }
            (None, None, None) => {
                TokenError::Lost(Error::new(ErrorKind::Misconfigured, format!("{who}: the request cannot be built")))
            }
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let answer = match send(self.transport.as_ref(), self.what, request).await {
            Ok(answer) => answer,
            Err(error) => {
                *self.seen() = Seen { error: Some(error), ..Seen::default() };
                return Err(NoAnswer);
            }
        };
        let refusal = if answer.status == 200 { None } else { Refusal::read(&answer.body) };
        let is_temporary = answer.status == 429 || answer.status >= 500;
        *self.seen() = Seen { status: Some(answer.status), retry_after_s: answer.retry_after_s, refusal, error: None };
        match answer.for_oauth2() {
            _ if is_temporary && self.is_polling => Err(NoAnswer),
            Some(response) => Ok(response),
            // To the polling crate "no answer" would mean "ask again".
            None if self.is_polling => {
                let stop = br#"{"error":"invalid_request"}"#.to_vec();
                oauth2::http::Response::builder().status(400).body(stop).map_err(|_| NoAnswer)
            }
            None => Err(NoAnswer),
        }
    }
}

impl<'c> AsyncHttpClient<'c> for Adapter {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.exchange(request))
    }
}
