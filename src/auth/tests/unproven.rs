//! What we rely on at the token endpoints and have not seen on a live service (`tests/UNPROVEN.md`): the sign-in lives on,
//! whichever way they turn out to behave. Each test turns the sandbox's switch both ways.

#[path = "../../../tests/cassettes/deck.rs"]
#[allow(dead_code)]
mod deck;

use deck::Time;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use twofold_auth::ProviderName::{Google, Microsoft365};
use twofold_auth::{Flow, GoogleUrls, MicrosoftUrls, Provider, ProviderName, Session, SignIn, Ui, Vault};
use twofold_http::{TokenSource, Transport};
use twofold_model::{ErrorKind, Kind};
use twofold_sandbox::oauth::{GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, MICROSOFT_CLIENT_ID};
use twofold_sandbox::{Fault, Options, Request, Rule, Sandbox, Switches, Urls};

const HOUR_MS: u64 = 3_600_000;

struct Person {
    sandbox: Sandbox,
    ended_at: Mutex<String>,
}

impl Ui for Person {
    fn address(&self, address: &str) {
        let answer = self.sandbox.handle(&Request::get(address));
        *self.ended_at.lock().unwrap() = answer.header("location").unwrap().to_owned();
    }

    fn device_code(&self, _: &str, _: &str, _: Option<&str>) {}

    fn read_pasted(&self) -> io::Result<String> {
        Ok(self.ended_at.lock().unwrap().clone())
    }
}

struct World {
    sandbox: Sandbox,
    provider: Provider,
    transport: Arc<dyn Transport>,
    time: Arc<Time>,
    dir: TempDir,
}

impl World {
    fn with(name: ProviderName, set: impl FnOnce(&mut Switches)) -> World {
        let sandbox = Sandbox::new(Options::empty().virtual_time());
        sandbox.switch(set);
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
            provider: provider.unwrap(),
            transport: deck::line(&sandbox),
            time: Time::with(Some(&sandbox)),
            dir: tempfile::Builder::new().permissions(private).tempdir().unwrap(),
            sandbox,
        }
    }

    fn vault(&self) -> Vault {
        Vault::with_credentials(self.dir.path(), None).unwrap()
    }

    async fn sign_in(&self) {
        let hint = self.vault().hint(self.provider.name).unwrap();
        let ui = Person { sandbox: self.sandbox.clone(), ended_at: Mutex::default() };
        let (transport, clock) = (&self.transport, self.time.as_ref());
        let sign_in = SignIn { provider: &self.provider, hint: &hint, transport, clock, ui: &ui };
        let signed_in = twofold_auth::login(&sign_in, Flow::Paste).await.unwrap();
        twofold_auth::accept(&self.vault(), signed_in).await.unwrap();
    }

    /// A program that has just been started.
    fn session(&self) -> Session {
        Session::new(self.provider.clone(), self.vault(), self.transport.clone(), self.time.clone())
    }
}

#[tokio::test]
async fn a_replaced_refresh_token_is_on_the_disk_whether_the_old_one_still_works_or_not() {
    for refuse_rotated_refresh in [false, true] {
        let world = World::with(Microsoft365, |switches| switches.refuse_rotated_refresh = refuse_rotated_refresh);
        world.sign_in().await;
        for _ in 0..3 {
            // Each program begins with what the last one left on the disk.
            world.time.passes(HOUR_MS);
            world.session().token().await.unwrap();
        }
        // The answer is lost and the new token with it: the old one is what there is.
        world.time.passes(HOUR_MS);
        world.sandbox.fault(
            Rule::any(Fault::status_but_executed(502)).of_kind(twofold_sandbox::Kind::SignIn).path("/token").times(1),
        );
        assert_eq!(world.session().token().await.unwrap_err().kind, ErrorKind::Offline);
        let after = world.session().token().await;
        match refuse_rotated_refresh {
            false => assert!(after.is_ok()),
            // It cannot be had back: the sign-in is a state with its sentence, and a new one ends it.
            true => assert_eq!(after.unwrap_err().kind, ErrorKind::SignInNeeded),
        }
        world.sign_in().await;
        assert!(world.session().token().await.is_ok());
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_or_does_not_come_is_kept() {
    for google_rotates_refresh in [false, true] {
        let world = World::with(Google, |switches| switches.google_rotates_refresh = google_rotates_refresh);
        world.sign_in().await;
        for _ in 0..3 {
            world.time.passes(HOUR_MS);
            world.session().token().await.unwrap();
        }
    }
}
