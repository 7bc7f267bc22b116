//! The connector keeps the contract, against the stand-in of Graph: as it comes, in bad weather, and where lists lag.

use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use twofold_http::{Client, ClientOptions, ManualClock, TokenSource};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::{Connector, Content, RemoteId, Result};
use twofold_sandbox::{Fault, Provider, Rule, Running, Sandbox, Switches};
use twofold_zones::SystemZones;

/// The rules of all time zones.
fn zones() -> Arc<SystemZones> {
    Arc::new(SystemZones::in_folder(None))
}

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

/// An empty mailbox, and the user's other client.
struct Desk {
    sandbox: Sandbox,
    graph: Microsoft365,
    _running: Running,
}

impl Desk {
    async fn new(switches: Switches) -> Desk {
        let sandbox = Sandbox::new(twofold_sandbox::Options::empty().virtual_time().with(switches));
        let running = sandbox.start(0).await.unwrap();
        let url = sandbox.urls().microsoft_graph.parse().unwrap();
        let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
        let options = ClientOptions::new(url, Arc::new(GraphDialect))
            .token(Arc::new(Token(sandbox.access_token(Provider::Microsoft))))
            .clock(Arc::new(ManualClock::hurried(now_ms)));
        let graph = Client::new(options).unwrap();
        Desk {
            sandbox,
            graph: Microsoft365::new(Options {
                graph,
                hub_id: "contract".into(),
                zones: zones(),
                home_zone: None,
                blobs: None,
            }),
            _running: running,
        }
    }

    /// Writes go out as parts of a batch.
    fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().parts().times(1));
        true
    }
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.graph
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        let emails = json!([{"address": "somebody@example.com", "name": name}]);
        let contact = json!({"givenName": name, "emailAddresses": emails, "spouseName": "forty-two and a half"});
        self.sandbox.graph_create("contacts", &contact).unwrap().into()
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        self.sandbox.graph_edit(id.as_str(), |contact| contact["personalNotes"] = json!(note)).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.sandbox.graph_delete(id.as_str()).unwrap();
    }

    /// The id that a contact had which nobody has any more, not even Deleted Items.
    fn nobody(&self) -> RemoteId {
        let id = self.sandbox.graph_create("contacts", &json!({"givenName": "Nobody"})).unwrap();
        self.sandbox.graph_delete(&id).unwrap();
        self.sandbox.graph_delete(&id).unwrap();
        id.into()
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
        self.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Microsoft));
        true
    }

    fn expire_tokens(&mut self) -> bool {
        self.sandbox.graph_expire_delta_tokens();
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
    contract_rules!(run, Desk::new(Switches { list_lag_s: 30, ..Switches::default() }));
}
