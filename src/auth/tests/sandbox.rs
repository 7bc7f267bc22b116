//! The whole way against the sandbox, which reads the providers' documentation on its own.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use twofold_auth::ProviderName::{Google, Microsoft365};
use twofold_auth::{
    Cause, Flow, GoogleUrls, MicrosoftUrls, Provider, ProviderName, Revocation, Session, SignIn, SignedIn, Ui, Vault,
};
use twofold_http::{Clock, Method, Network, NetworkTransport, TokenSource, Transport, Wire};
use twofold_model::{ErrorKind, Kind, Result};
use twofold_sandbox::oauth::{End, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MICROSOFT_CLIENT_ID};
use twofold_sandbox::{Fault, Options, Rule, Running, Sandbox};
use url::Url;

/// The person's browser: opens the address, and goes on (or hands over) where it is sent.
struct Browser {
    transport: Arc<dyn Transport>,
    /// Whether it can reach the machine that waits; else the person copies the address.
    follows: bool,
    ended_at: Mutex<Option<String>>,
}

impl Ui for Browser {
    fn address(&self, url: &str) {
        let (transport, url) = (self.transport.clone(), Url::parse(url).unwrap());
        if self.follows {
            tokio::spawn(async move {
                let redirect = open(transport.as_ref(), url).await.unwrap();
                open(transport.as_ref(), Url::parse(&redirect).unwrap()).await;
            });
        } else {
            let opening = async { open(transport.as_ref(), url).await };
            let ended_at = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opening));
            *self.ended_at.lock().unwrap() = ended_at;
        }
    }

    fn device_code(&self, _: &str, _: &str, _: Option<&str>) {}

    fn read_pasted(&self) -> io::Result<String> {
        self.ended_at.lock().unwrap().clone().ok_or_else(|| io::Error::other("no redirect"))
    }
}

async fn open(transport: &dyn Transport, url: Url) -> Option<String> {
    let (headers, body) = (Vec::new(), Default::default());
    let wire = Wire {
        what: "browse",
        method: Method::Get,
        url,
        headers,
        body,
        timeout_ms: 10_000,
        silence_ms: 10_000,
        hurry: None,
        max_body: 1 << 20,
        heard: Default::default(),
    };
    let page = transport.exchange(&wire).await.unwrap();
    assert!(page.status < 400, "{}", String::from_utf8_lossy(&page.body));
    page.header("location").map(str::to_owned)
}

/// The sandbox's own time; whoever waits moves it on, unless nobody may.
struct Time {
    sandbox: Sandbox,
    stands: bool,
}

#[async_trait::async_trait]
impl Clock for Time {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.sandbox.clock().now_ms()).unwrap()
    }

    async fn sleep_ms(&self, ms: u64) {
        if self.stands {
            std::future::pending::<()>().await;
        }
        self.sandbox.clock().advance_ms(i64::try_from(ms).unwrap());
    }
}

struct World {
    sandbox: Sandbox,
    _running: Running,
    dir: TempDir,
    clock: Arc<Time>,
    transport: Arc<dyn Transport>,
}

impl World {
    async fn new(hurried: bool) -> World {
        let sandbox = Sandbox::new(Options::demo().virtual_time());
        let running = sandbox.start(0).await.unwrap();
        let clock = Time { sandbox: sandbox.clone(), stands: !hurried };
        let private = std::fs::Permissions::from_mode(0o700);
        World {
            sandbox,
            _running: running,
            dir: tempfile::Builder::new().permissions(private).tempdir().unwrap(),
            clock: Arc::new(clock),
            transport: Arc::new(NetworkTransport::new(Network::default())),
        }
    }

    fn provider(&self, name: ProviderName) -> Provider {
        let urls = self.sandbox.urls();
        let kinds = [Kind::Contacts, Kind::Calendar, Kind::Mail];
        match name {
            Microsoft365 => {
                let tenant = "organizations".into();
                let urls = MicrosoftUrls { login: urls.microsoft_login, graph: urls.microsoft_graph, tenant };
                Provider::microsoft365(MICROSOFT_CLIENT_ID, None, &urls, &kinds)
            }
            Google => {
                let urls = GoogleUrls { auth: urls.google_auth, token: urls.google_token, people: urls.google_people };
                Provider::google(GOOGLE_CLIENT_ID, Some(GOOGLE_CLIENT_SECRET.into()), &urls, &kinds)
            }
        }
        .unwrap()
    }

    fn vault(&self) -> Vault {
        Vault::with_credentials(self.dir.path(), None).unwrap()
    }

    async fn login(&self, name: ProviderName, flow: Flow) -> Result<SignedIn> {
        let (provider, hint) = (self.provider(name), self.vault().hint(name).unwrap());
        let ui =
            Browser { transport: self.transport.clone(), follows: flow != Flow::Paste, ended_at: Mutex::default() };
        let clock = self.clock.as_ref();
        twofold_auth::login(
            &SignIn { provider: &provider, hint: &hint, transport: &self.transport, clock, ui: &ui },
            flow,
        )
        .await
    }

    async fn signed_in(&self, name: ProviderName, flow: Flow) -> Session {
        let signed_in = self.login(name, flow).await.unwrap();
        assert_eq!(signed_in.missing, [], "{name}, {flow:?}");
        twofold_auth::accept(&self.vault(), signed_in).await.unwrap();
        Session::new(self.provider(name), self.vault(), self.transport.clone(), self.clock.clone())
    }

    fn time_passes(&self, ms: u64) {
        self.sandbox.clock().advance_ms(i64::try_from(ms).unwrap());
    }
}

const BROWSER: Flow = Flow::Loopback { open_browser: false };
const HOUR_MS: u64 = 3_600_000;

fn there(name: ProviderName) -> twofold_sandbox::Provider {
    match name {
        Microsoft365 => twofold_sandbox::Provider::Microsoft,
        Google => twofold_sandbox::Provider::Google,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_signs_in_and_its_tokens_live_on() {
    for (name, flow) in [
        (Microsoft365, BROWSER),
        (Microsoft365, Flow::Paste),
        (Microsoft365, Flow::DeviceCode),
        (Google, BROWSER),
        (Google, Flow::Paste),
    ] {
        let world = World::new(flow == Flow::DeviceCode).await;
        let session = world.signed_in(name, flow).await;
        let account = session.status().unwrap().account.unwrap();
        assert!(account.address.is_some() && !account.id.starts_with("address:"), "{account:?}");
        let first = session.token().await.unwrap();
        world.time_passes(HOUR_MS);
        let second = session.token().await.unwrap();
        assert_ne!(first, second, "{name}, {flow:?}");
        let third = session.renewed(&second).await.unwrap();
        assert_ne!(second, third);
        // The same person again, the running session goes on.
        world.signed_in(name, flow).await;
        assert!(session.token().await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_sign_in_has_the_cause_that_the_provider_meant() {
    for (name, end, cause) in [
        (Microsoft365, End::PasswordChanged, Cause::PasswordChanged),
        (Microsoft365, End::Inactive, Cause::Expired),
        (Microsoft365, End::MfaNeeded, Cause::SecondFactor),
        (Microsoft365, End::ConsentMissing, Cause::ConsentMissing),
        (Microsoft365, End::Blocked, Cause::BlockedByPolicy),
        (Microsoft365, End::Disabled, Cause::AccountDisabled),
        (Microsoft365, End::SignInFrequency, Cause::SessionOver),
        (Microsoft365, End::Revoked, Cause::Other),
        (Google, End::Revoked, Cause::SevenDays),
        (Google, End::SessionControl, Cause::SessionOver),
        (Google, End::AdminPolicy, Cause::BlockedByPolicy),
    ] {
        let world = World::new(false).await;
        let session = world.signed_in(name, BROWSER).await;
        world.sandbox.end_sign_ins(there(name), end, true);
        world.time_passes(HOUR_MS);
        assert_eq!(session.token().await.unwrap_err().kind, ErrorKind::SignInNeeded);
        assert_eq!(session.status().unwrap().cause(), Some(cause), "{name}, {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_in_testing_ends_after_seven_days_and_status_knew_when() {
    let world = World::new(false).await;
    world.sandbox.switch(|switches| switches.google_testing_days = 7);
    let session = world.signed_in(Google, BROWSER).await;
    let status = session.status().unwrap();
    assert_eq!(status.refresh_expires_ms.unwrap() - status.signed_in_ms.unwrap(), 7 * 24 * HOUR_MS);
    world.time_passes(7 * 24 * HOUR_MS + 1);
    assert!(session.token().await.unwrap_err().message.contains("after 7 days"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unticked_rights_another_account_and_a_refusal_are_told_apart() {
    let world = World::new(false).await;
    let session = world.signed_in(Google, BROWSER).await;
    world.sandbox.switch(|switches| switches.unticked_scopes = vec!["calendar".into()]);
    let signed_in = world.login(Google, BROWSER).await.unwrap();
    assert_eq!(signed_in.missing[0].kind, Some(Kind::Calendar));

    world.sandbox.switch(|switches| (switches.unticked_scopes, switches.another_account) = (Vec::new(), true));
    let stranger = world.login(Google, BROWSER).await.unwrap();
    assert_eq!(twofold_auth::accept(&world.vault(), stranger).await.unwrap_err().kind, ErrorKind::Misconfigured);

    world.sandbox.switch(|switches| (switches.user_answer, switches.another_account) = ("decline".into(), false));
    assert!(world.login(Google, BROWSER).await.unwrap_err().message.contains("was declined"));
    assert!(session.token().await.is_ok(), "none of that touched the sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_it_at_google_too() {
    let world = World::new(false).await;
    let session = world.signed_in(Google, BROWSER).await;
    let provider = world.provider(Google);
    let revocation =
        twofold_auth::logout(&world.vault(), &provider, &world.transport, world.clock.as_ref()).await.unwrap();
    assert_eq!(revocation, Revocation::Done);
    assert_eq!(session.token().await.unwrap_err().kind, ErrorKind::SignInNeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_refresh_is_temporary_even_where_tokens_rotate() {
    let world = World::new(false).await;
    let session = world.signed_in(Microsoft365, BROWSER).await;
    world.time_passes(HOUR_MS);
    world.sandbox.fault(
        Rule::any(Fault::status_but_executed(502)).of_kind(twofold_sandbox::Kind::SignIn).path("/token").times(1),
    );
    let error = session.token().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline, "{}", error.message);
    assert!(session.token().await.is_ok());
}
