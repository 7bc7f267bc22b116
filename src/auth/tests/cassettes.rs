//! What the token endpoints answer, as recorded: each exchange of the sign-in is sent and understood without a network.

#[path = "../../../tests/cassettes/deck.rs"]
mod deck;

use deck::{NOW_MS, Stage, Time, play};
use serde_json::json;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use twofold_auth::ProviderName::{Google, Microsoft365};
use twofold_auth::{
    Cause, Flow, GoogleUrls, MicrosoftUrls, Provider, ProviderName, Revocation, Session, SignIn, SignedIn, Ui, Vault,
};
use twofold_http::{Clock, TokenSource};
use twofold_model::{ErrorKind, Kind, Result};
use twofold_sandbox::oauth::{End, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MICROSOFT_CLIENT_ID};
use twofold_sandbox::{Request, Sandbox, Urls};
use url::Url;

const GOOGLE: &str = "google/sign_in";
const MICROSOFT: &str = "microsoft365/sign_in";
const HOUR_MS: u64 = 3_600_000;

#[test]
fn every_operation_has_a_cassette_and_every_cassette_is_played() {
    let sources = [include_str!("../oauth.rs"), include_str!("../login.rs"), include_str!("../account.rs")].concat();
    let calls = ["Adapter::new(transport, \"", "get_json(transport, \"", "post_form(transport, \""];
    let names: Vec<&str> =
        calls.iter().flat_map(|call| sources.split(call).skip(1).filter_map(|rest| rest.split('"').next())).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    // Google has no device code, Microsoft no revocation.
    let at = |without: &str| -> Vec<&str> { names.iter().copied().filter(|name| !name.contains(without)).collect() };
    deck::assert_every_name_is_recorded(GOOGLE, &at("code"));
    deck::assert_every_name_is_recorded(MICROSOFT, &at("revoke"));
    for place in [GOOGLE, MICROSOFT] {
        deck::assert_all_are_played(place, include_str!("cassettes.rs"));
    }
}

/// The person with a browser: at the sandbox while recording, else one who comes back with a code.
struct Person {
    sandbox: Option<Sandbox>,
    ended_at: Mutex<String>,
}

impl Ui for Person {
    fn address(&self, address: &str) {
        let ended_at = match &self.sandbox {
            Some(sandbox) => sandbox.handle(&Request::get(address)).header("location").unwrap().to_owned(),
            None => {
                let url = Url::parse(address).unwrap();
                let of = |name: &str| url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
                format!("{}/?code=any&state={}", of("redirect_uri"), of("state"))
            }
        };
        *self.ended_at.lock().unwrap() = ended_at;
    }

    fn device_code(&self, uri: &str, user_code: &str, message: Option<&str>) {
        assert!(uri.starts_with("https://") && !user_code.is_empty());
        assert!(message.is_some_and(|message| message.contains(user_code)));
    }

    fn read_pasted(&self) -> io::Result<String> {
        Ok(self.ended_at.lock().unwrap().clone())
    }
}

struct World<'a> {
    stage: &'a Stage,
    provider: Provider,
    clock: Arc<Time>,
    dir: TempDir,
}

impl World<'_> {
    fn new(stage: &Stage, name: ProviderName) -> World<'_> {
        let urls = Urls::under("http://127.0.0.1");
        let provider = match name {
            Microsoft365 => {
                let (login, graph) = (urls.microsoft_login, urls.microsoft_graph);
                let urls = MicrosoftUrls { login, graph, tenant: "organizations".into() };
                Provider::microsoft365(MICROSOFT_CLIENT_ID, None, &urls, &[Kind::Contacts])
            }
            Google => {
                let urls = GoogleUrls { auth: urls.google_auth, token: urls.google_token, people: urls.google_people };
                Provider::google(GOOGLE_CLIENT_ID, Some(GOOGLE_CLIENT_SECRET.into()), &urls, &[Kind::Contacts])
            }
        };
        let private = std::fs::Permissions::from_mode(0o700);
        World {
            stage,
            provider: provider.unwrap(),
            clock: Time::with(stage.sandbox.as_ref()),
            dir: tempfile::Builder::new().permissions(private).tempdir().unwrap(),
        }
    }

    fn vault(&self) -> Vault {
        Vault::with_credentials(self.dir.path(), None).unwrap()
    }

    async fn login(&self, flow: Flow) -> Result<SignedIn> {
        let (hint, transport) = (self.vault().hint(self.provider.name)?, &self.stage.transport);
        let ui = Person { sandbox: self.stage.sandbox.clone(), ended_at: Mutex::default() };
        let clock = self.clock.as_ref();
        twofold_auth::login(&SignIn { provider: &self.provider, hint: &hint, transport, clock, ui: &ui }, flow).await
    }

    async fn session(&self) -> Session {
        let signed_in = self.login(Flow::Paste).await.unwrap();
        twofold_auth::accept(&self.vault(), signed_in).await.unwrap();
        Session::new(self.provider.clone(), self.vault(), self.stage.transport.clone(), self.clock.clone())
    }
}

fn somebody(signed_in: &SignedIn) {
    assert!(signed_in.missing.is_empty(), "{:?}", signed_in.missing);
    let account = &signed_in.account;
    assert!(!account.id.is_empty() && !account.id.starts_with("address:"), "{account:?}");
    assert!(account.address.as_ref().is_some_and(|address| address.contains("@example.")), "{account:?}");
}

#[tokio::test]
async fn a_code_becomes_tokens_and_who_it_was_is_asked() {
    const MORAL: &str = "A code and its verifier become tokens; who signed in is asked for at the provider.";
    play(
        GOOGLE,
        "code",
        MORAL,
        |_| json!({}),
        async |stage| {
            somebody(&World::new(stage, Google).login(Flow::Paste).await.unwrap());
        },
    )
    .await;
    play(
        MICROSOFT,
        "code",
        MORAL,
        |_| json!({}),
        async |stage| {
            somebody(&World::new(stage, Microsoft365).login(Flow::Paste).await.unwrap());
        },
    )
    .await;
}

#[tokio::test]
async fn a_device_code_is_asked_for_until_somebody_typed_it() {
    play(
        MICROSOFT,
        "device_code_pending",
        "authorization_pending twice: nobody typed the code yet, which is no failure; then the tokens.",
        |_| json!({}),
        async |stage| {
            let world = World::new(stage, Microsoft365);
            somebody(&world.login(Flow::DeviceCode).await.unwrap());
            assert!(world.clock.now_ms() >= NOW_MS + 15_000, "three questions at the pace that was asked for");
        },
    )
    .await;
}

#[tokio::test]
async fn a_refresh_brings_tokens_for_another_hour() {
    let run = async |stage: &Stage, name: ProviderName| {
        let world = World::new(stage, name);
        let session = world.session().await;
        world.clock.passes(HOUR_MS);
        let token = session.token().await.unwrap();
        let status = session.status().unwrap();
        assert!(!token.is_empty() && status.cause().is_none());
    };
    const GOOGLES: &str = "A refresh token stays as it is; the answer brings an access token alone.";
    play(GOOGLE, "refresh", GOOGLES, |_| json!({}), async |stage| run(stage, Google).await).await;
    const MICROSOFTS: &str = "A refresh brings a new refresh token as well, which replaces the old one.";
    play(MICROSOFT, "refresh", MICROSOFTS, |_| json!({}), async |stage| run(stage, Microsoft365).await).await;
}

#[tokio::test]
async fn a_dead_sign_in_has_a_cause_and_is_no_failure_of_an_item() {
    let run = async |stage: &Stage, name: ProviderName, end: End, cause: Cause| {
        let world = World::new(stage, name);
        let session = world.session().await;
        if let Some(sandbox) = &stage.sandbox {
            let there = match name {
                Google => twofold_sandbox::Provider::Google,
                Microsoft365 => twofold_sandbox::Provider::Microsoft,
            };
            sandbox.end_sign_ins(there, end, true);
        }
        world.clock.passes(HOUR_MS);
        assert_eq!(session.token().await.unwrap_err().kind, ErrorKind::SignInNeeded);
        assert_eq!(session.status().unwrap().cause(), Some(cause));
    };
    const GOOGLES: &str =
        "invalid_grant within the first days: most likely an app in testing, and a new sign-in helps.";
    play(
        GOOGLE,
        "refresh_400_invalid_grant",
        GOOGLES,
        |_| json!({}),
        async |stage| {
            run(stage, Google, End::Revoked, Cause::SevenDays).await;
        },
    )
    .await;
    const MICROSOFTS: &str = "invalid_grant says in its codes why: here the password was changed.";
    play(
        MICROSOFT,
        "refresh_400_invalid_grant",
        MICROSOFTS,
        |_| json!({}),
        async |stage| {
            run(stage, Microsoft365, End::PasswordChanged, Cause::PasswordChanged).await;
        },
    )
    .await;
}

#[tokio::test]
async fn a_sign_out_is_told_to_the_provider() {
    play(
        GOOGLE,
        "revoke",
        "A refresh token is revoked, and with it all that came of it.",
        |_| json!({}),
        async |stage| {
            let world = World::new(stage, Google);
            world.session().await;
            let clock = world.clock.as_ref();
            let outcome = twofold_auth::logout(&world.vault(), &world.provider, &stage.transport, clock).await;
            assert_eq!(outcome.unwrap(), Revocation::Done);
        },
    )
    .await;
}
