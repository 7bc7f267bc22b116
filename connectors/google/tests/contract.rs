//! The connector keeps the contract, against the stand-in of People: as it comes, in bad weather, and where lists lag.

use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use twofold_google::{Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, ManualClock, TokenSource};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::{Connector, Content, RemoteId, Result};
use twofold_sandbox::{Fault, Options, Provider, Rule, Running, Sandbox, Switches};

/// A token that is good for the whole test.
struct Token(String);

#[async_trait]
impl TokenSource for Token {
    async fn token(&self) -> Result<String> {
        Ok(self.0.clone())
    }

    async fn renewed(&self, _: &str) -> Result<String> {
        Ok(self.0.clone())
    }
}

/// An empty account, and the user's other client.
struct Desk {
    sandbox: Sandbox,
    google: Google,
    _running: Running,
}

impl Desk {
    async fn new(switches: Switches) -> Desk {
        let sandbox = Sandbox::new(Options::empty().virtual_time().with(switches));
        let running = sandbox.start(0).await.unwrap();
        let url = sandbox.urls().google_people.parse().unwrap();
        let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
        let options = ClientOptions::new(url, Arc::new(GoogleDialect))
            .token(Arc::new(Token(sandbox.access_token(Provider::Google))))
            .clock(Arc::new(ManualClock::hurried(now_ms)));
        let google = Google::new(GoogleOptions { people: Client::new(options).unwrap(), calendar: None, mail: None });
        Desk { sandbox, google, _running: running }
    }

    fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Google).writes().times(1));
        true
    }
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.google
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        let person = json!({
            "names": [{"givenName": name}], "emailAddresses": [{"value": "somebody@example.com"}],
            "userDefined": [{"key": "shoe size", "value": "forty-two and a half"}],
        });
        self.sandbox.google_create(&person).unwrap().into()
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        let notes = json!([{"value": note, "contentType": "TEXT_PLAIN"}]);
        self.sandbox.google_edit(id.as_str(), |person| person["biographies"] = notes).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.sandbox.google_delete(id.as_str()).unwrap();
    }

    fn nobody(&self) -> RemoteId {
        "people/c999999".into()
    }

    fn time_ms(&self) -> i64 {
        self.sandbox.clock().now_ms()
    }

    fn wait_until(&mut self, time_ms: i64) {
        self.sandbox.clock().set_ms(time_ms);
    }

    fn settle(&mut self) {
        let lag_s = self.sandbox.with(|state| state.switches.list_lag_s);
        self.sandbox.clock().advance_ms(lag_s * 1000);
    }

    fn lose_next_reply(&mut self) -> bool {
        self.fault_next_write(Fault::DropAfter)
    }

    fn lose_next_request(&mut self) -> bool {
        self.fault_next_write(Fault::DropBefore)
    }

    fn cut_off(&mut self) -> bool {
        self.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Google));
        true
    }

    fn expire_tokens(&mut self) -> bool {
        self.sandbox.google_expire_sync_tokens();
        true
    }

    fn beyond(&self) -> Option<Content> {
        let mut content = self.plain("Beyond");
        content.set("speakToAs", json!({"grammaticalGender": "feminine"}));
        Some(content)
    }

    fn foreign_text(&self) -> Option<&str> {
        Some("forty-two and a half")
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

mod fair {
    use super::*;
    contract_rules!(run, Desk::new(Switches::default()));
}

mod rough {
    use super::*;
    contract_rules!(run, Desk::new(Switches { list_lag_s: 0, ..Switches::hostile() }));
}

mod lagging {
    use super::*;
    contract_rules!(run, Desk::new(Switches { list_lag_s: 180, ..Switches::default() }));
}
