//! A stand-in for both providers' sign-in, just big enough for these tests: it issues numbered tokens, can be told what to
//! answer next, and remembers what it was asked.
#![allow(dead_code)] // Each test file uses a part of it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{Method, Response, Uri};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use twofold_auth::{
    Flow, GoogleUrls, Hint, MicrosoftUrls, Provider, ProviderName, Session, SignIn, SignedIn, Ui, Vault,
};
use twofold_http::{ManualClock, Network, NetworkTransport, Transport};
use twofold_model::{Kind, Result};
use url::Url;

/// When all tests begin.
pub const START_MS: u64 = 1_900_000_000_000;
pub const HOUR_MS: u64 = 3_600_000;
pub const DAY_MS: u64 = 24 * HOUR_MS;

type Form = HashMap<String, String>;

/// What the endpoint answers instead of tokens: status, headers, body.
pub struct Answer(pub u16, pub &'static [(&'static str, &'static str)], pub &'static str);

#[derive(Default)]
pub struct Inside {
    /// The answers that the token endpoint gives next.
    pub next: VecDeque<Answer>,
    /// Requests to the token endpoint.
    pub asked: Vec<Form>,
    /// Requests to the revocation endpoint.
    pub revoked: Vec<Form>,
    pub revoke_status: u16,
    /// The code challenge of the last address that was opened.
    pub challenge: String,
    /// Changes of the next token answers: members set, `null` removes.
    pub members: HashMap<String, serde_json::Value>,
    /// Whether the account can be asked for.
    pub has_no_profile: bool,
    pub account: String,
    /// How long a token request takes.
    pub delay_ms: u64,
    issued: u32,
    /// The refresh token that is accepted.
    pub live_refresh: String,
}

#[derive(Clone)]
pub struct Stub {
    pub base: String,
    inside: Arc<Mutex<Inside>>,
}

impl Stub {
    pub async fn start() -> Stub {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inside = Inside { account: "ada".into(), revoke_status: 200, ..Inside::default() };
        let stub = Stub { base, inside: Arc::new(Mutex::new(inside)) };
        let handler = stub.clone();
        let app = Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
            let handler = handler.clone();
            async move { handler.answer(&method, &uri, &body).await }
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        stub
    }

    pub fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub fn answers_next(&self, answer: Answer) {
        self.inside().next.push_back(answer);
    }

    /// The refreshes that were asked for so far.
    pub fn refreshes(&self) -> usize {
        self.inside().asked.iter().filter(|form| form["grant_type"] == "refresh_token").count()
    }

    async fn answer(&self, method: &Method, uri: &Uri, body: &[u8]) -> Response<String> {
        let form: Form = url::form_urlencoded::parse(body).into_owned().collect();
        let path = uri.path();
        if path.ends_with("/token") && method == Method::POST {
            let delay_ms = self.inside().delay_ms;
            tokio::time::sleep(std::time::Duration::from_millis(delay_ms)).await;
            return self.token(form);
        }
        let mut inside = self.inside();
        let account = inside.account.clone();
        match path {
            "/revoke" => {
                inside.revoked.push(form);
                json(inside.revoke_status, "{}".into())
            }
            "/organizations/oauth2/v2.0/devicecode" => json(
                200,
                r#"{"device_code":"DEV","user_code":"ABCD-EFGH","verification_uri":"https://microsoft.com/devicelogin",
                    "expires_in":"900","interval":5,"message":"To sign in, go there."}"#
                    .into(),
            ),
            "/v1.0/me" | "/v1/people/me" if inside.has_no_profile => {
                json(403, r#"{"error":{"code":"Forbidden"}}"#.into())
            }
            "/v1.0/me" => {
                json(200, format!(r#"{{"id":"id-{account}","displayName":"A","mail":"{account}@x.example"}}"#))
            }
            "/v1/people/me" => json(
                200,
                format!(
                    r#"{{"metadata":{{"sources":[{{"type":"PROFILE","id":"id-{account}"}}]}},"emailAddresses":[{{"value":"{account}@x.example"}}]}}"#
                ),
            ),
            _ => json(404, "{}".into()),
        }
    }

    fn token(&self, form: Form) -> Response<String> {
        let mut inside = self.inside();
        inside.asked.push(form.clone());
        if let Some(Answer(status, headers, body)) = inside.next.pop_front() {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            return response.body(body.into()).unwrap();
        }
        match form["grant_type"].as_str() {
            "authorization_code" => {
                let verifier = PkceCodeVerifier::new(form["code_verifier"].clone());
                let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
                if form["code"] != "good-code" || challenge.as_str() != inside.challenge {
                    return json(400, r#"{"error":"invalid_grant"}"#.into());
                }
            }
            "refresh_token" if form["refresh_token"] != inside.live_refresh => {
                return json(400, r#"{"error":"invalid_grant","error_codes":[50173]}"#.into());
            }
            _ => {}
        }
        inside.issued += 1;
        let number = inside.issued;
        inside.live_refresh = format!("refresh-{number}-SECRET");
        let mut answer = serde_json::json!({
            "token_type": "Bearer", "expires_in": 3600,
            "access_token": format!("access-{number}-SECRET"), "refresh_token": inside.live_refresh,
        });
        for (name, value) in &inside.members {
            answer[name] = value.clone();
        }
        if let Some(object) = answer.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        json(200, answer.to_string())
    }
}

fn json(status: u16, body: String) -> Response<String> {
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

/// The person: shows nothing, remembers everything, and goes where it is told to.
pub struct Person {
    pub shown: Mutex<Vec<String>>,
    pub pastes: Mutex<VecDeque<String>>,
    opened: mpsc::UnboundedSender<String>,
}

impl Ui for Person {
    fn address(&self, url: &str) {
        self.shown.lock().unwrap().push(url.to_owned());
        self.opened.send(url.to_owned()).ok();
    }

    fn device_code(&self, verification_uri: &str, user_code: &str, message: Option<&str>) {
        self.shown.lock().unwrap().push(format!("{verification_uri} {user_code} {}", message.unwrap_or("-")));
    }

    fn read_pasted(&self) -> io::Result<String> {
        let address = self.shown.lock().unwrap()[0].clone();
        let pasted =
            self.pastes.lock().unwrap().pop_front().ok_or_else(|| io::Error::other("nothing more to paste"))?;
        Ok(fill(&pasted, &address))
    }

    fn note(&self, text: &str) {
        self.shown.lock().unwrap().push(text.to_owned());
    }
}

/// Puts the redirect address and the state of an opened address into a text.
pub fn fill(text: &str, address: &str) -> String {
    text.replace("REDIRECT", &parameter(address, "redirect_uri")).replace("STATE", &parameter(address, "state"))
}

pub fn parameter(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// One machine with one state directory.
pub struct World {
    pub stub: Stub,
    pub dir: TempDir,
    pub clock: Arc<ManualClock>,
    pub transport: Arc<dyn Transport>,
    pub person: Person,
    opened: Option<mpsc::UnboundedReceiver<String>>,
}

impl World {
    pub async fn new() -> World {
        World::with_clock(ManualClock::standing(START_MS)).await
    }

    pub async fn with_clock(clock: ManualClock) -> World {
        let (opened, receiver) = mpsc::unbounded_channel();
        let private = std::fs::Permissions::from_mode(0o700);
        World {
            stub: Stub::start().await,
            dir: tempfile::Builder::new().permissions(private).tempdir().unwrap(),
            clock: Arc::new(clock),
            transport: Arc::new(NetworkTransport::new(Network::default())),
            person: Person { shown: Mutex::default(), pastes: Mutex::default(), opened },
            opened: Some(receiver),
        }
    }

    pub fn provider(&self, name: ProviderName) -> Provider {
        let base = &self.stub.base;
        let kinds = [Kind::Contacts, Kind::Calendar];
        match name {
            ProviderName::Microsoft365 => {
                let urls = MicrosoftUrls { login: base.clone(), graph: base.clone(), tenant: "organizations".into() };
                Provider::microsoft365("app", None, &urls, &kinds).unwrap()
            }
            ProviderName::Google => {
                let urls = GoogleUrls { auth: base.clone(), token: base.clone(), people: base.clone() };
                Provider::google("app", Some("client-SECRET".into()), &urls, &kinds).unwrap()
            }
        }
    }

    /// Opened anew each time, as another process would.
    pub fn vault(&self) -> Vault {
        Vault::with_credentials(self.dir.path(), None).unwrap()
    }

    pub fn session(&self, name: ProviderName) -> Session {
        Session::new(self.provider(name), self.vault(), self.transport.clone(), self.clock.clone())
    }

    pub async fn login(&mut self, name: ProviderName, flow: Flow) -> Result<SignedIn> {
        self.login_with(name, flow, "/?code=good-code&state=STATE", &Hint::default()).await
    }

    /// Signs in; a browser, if one is asked for, comes back to that target.
    pub async fn login_with(
        &mut self,
        name: ProviderName,
        flow: Flow,
        target: &'static str,
        hint: &Hint,
    ) -> Result<SignedIn> {
        let provider = self.provider(name);
        let stub = self.stub.clone();
        let mut opened = self.opened.take().unwrap();
        let browser = tokio::spawn(async move {
            let address = opened.recv().await.unwrap();
            stub.inside().challenge = parameter(&address, "code_challenge");
            if flow != Flow::Paste {
                get(&fill("REDIRECT", &address), &fill(target, &address)).await;
            }
            opened
        });
        if flow == Flow::Paste {
            self.person.pastes.lock().unwrap().push_back(format!("REDIRECT{target}"));
        }
        let sign_in = SignIn {
            provider: &provider,
            hint,
            transport: &self.transport,
            clock: self.clock.as_ref(),
            ui: &self.person,
        };
        let outcome = twofold_auth::login(&sign_in, flow).await;
        browser.abort();
        self.opened = browser.await.ok();
        outcome
    }

    /// Signs in and stores it.
    pub async fn is_signed_in(&mut self, name: ProviderName) {
        let signed_in = self.login(name, Flow::Loopback { open_browser: false }).await.unwrap();
        twofold_auth::accept(&self.vault(), signed_in).await.unwrap();
    }

    /// Everything that lies in the state directory, as one text.
    pub fn disk(&self) -> String {
        let files = std::fs::read_dir(self.dir.path()).unwrap();
        files.map(|file| String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()).into_owned()).collect()
    }
}

/// A browser that goes to a target of an origin.
pub async fn get(origin: &str, target: &str) -> String {
    let url = Url::parse(origin).unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    page
}
