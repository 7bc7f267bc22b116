//! The connector keeps the contract for mail, against the stand-in of Graph, in fair weather and in foul.
//!
//! Some rules are not for mail: those that write another text into an item, for received mail never changes; those that look for words in
//! a list, which has keywords only; those that look for the UID of whoever made a copy, for a copy is named after its own id; and those
//! after whose delete nothing is there, for a message goes to Deleted Items, which is mirrored. `mail_sandbox.rs` has rules of its own in
//! their place.

use async_trait::async_trait;
use serde_json::json;
use std::sync::Arc;
use twofold_http::{Client, ClientOptions, ManualClock, TokenSource};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::blob::{Blobs, MemoryBlobs};
use twofold_model::contract::{self, Bench};
use twofold_model::email::{self, headers};
use twofold_model::{Connector, Content, Kind, RemoteId, Result};
use twofold_sandbox::{Fault, Provider, Rule, Running, Sandbox, Switches};
use twofold_zones::SystemZones;

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
    blobs: Arc<MemoryBlobs>,
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
        let blobs = Arc::new(MemoryBlobs::default());
        let graph = Microsoft365::new(Options {
            graph: Client::new(options).unwrap(),
            hub_id: "contract".into(),
            zones: Arc::new(SystemZones::in_folder(None)),
            home_zone: None,
            blobs: Some(blobs.clone()),
        });
        Desk { sandbox, graph, blobs, _running: running }
    }

    fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().times(1));
        true
    }

    fn deliver(&self, name: &str) -> String {
        self.sandbox.graph_mail_deliver("inbox", letter(name).as_bytes()).unwrap()
    }

    fn content(&self, name: &str, words: &[&str]) -> Content {
        let text = letter(name);
        let (blob, _) = self.blobs.put(&mut text.as_bytes()).unwrap();
        email::content(&headers::read(text.as_bytes()), blob.as_str(), words.iter().copied())
    }
}

fn letter(name: &str) -> String {
    format!("Message-ID: <{name}@example.org>\r\nFrom: {name}@example.org\r\nSubject: {name}\r\n\r\nHello\r\n")
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.graph
    }

    fn kind(&self) -> Kind {
        Kind::Mail
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        self.deliver(name).into()
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        self.sandbox.graph_mail_edit(id.as_str(), &json!({"categories": [note]})).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.sandbox.graph_mail_purge(id.as_str()).unwrap();
    }

    fn nobody(&self) -> RemoteId {
        let id = self.deliver("Nobody");
        self.sandbox.graph_mail_purge(&id).unwrap();
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

    fn plain(&self, name: &str) -> Content {
        self.content(name, &[])
    }

    fn rich(&self) -> Vec<Content> {
        vec![
            self.content("Plain", &[]),
            self.content("Marks", &["$seen", "$flagged", "$important", "$answered", "$forwarded", "$junk", "work"]),
        ]
    }

    fn note(&self, content: &mut Content, note: &str) {
        let mut words = content.get("keywords").cloned().unwrap_or_else(|| json!({}));
        words[note.replace(' ', "_")] = json!(true);
        content.set("keywords", words);
    }
}

macro_rules! rules {
    ($switches:expr; $($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                contract::$rule(&mut Desk::new($switches).await).await;
            }
        )*
    };
    ($switches:expr) => {
        rules! { $switches;
            a_delta_after_a_listing_is_empty
            an_edit_elsewhere_comes_with_the_next_delta
            a_delete_elsewhere_comes_as_gone
            a_delta_may_be_asked_for_again
            a_listing_and_a_delta_agree
            a_fetch_answers_what_a_listing_answered
            a_fetch_of_nobody_is_none
            nothing_asked_is_nothing_answered
            a_create_is_found
            a_create_that_never_arrived_is_found_nowhere
            an_update_to_what_is_there_changes_nothing
            an_update_of_nobody_makes_nobody
            a_place_that_is_cut_off_says_nothing
            a_dead_token_asks_for_a_listing
            a_collection_made_twice_is_one
            collections_and_feeds_are_the_same_when_asked_again
            a_lens_changes_nothing_when_nothing_is_changed
        }
    };
}

mod fair {
    use super::*;
    rules!(Switches::default());
}

mod rough {
    use super::*;
    rules!(Switches { list_lag_s: 0, ..Switches::hostile() });
}
