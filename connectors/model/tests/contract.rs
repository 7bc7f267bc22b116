//! The place in memory keeps the contract: as it comes, and where its listings lag behind.

use async_trait::async_trait;
use serde_json::json;
use std::task::{Context, Poll, Waker};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::memory::{Fault, Manners, Memory, card};
use twofold_model::{Connector, Content, RemoteId};

/// A place in memory, and the user's other client.
struct Desk {
    place: Memory,
    now_ms: i64,
    lag_ms: i64,
}

impl Desk {
    async fn new(lag_ms: i64) -> Desk {
        let place = Memory::new("home", Manners { lag_ms, ..Manners::default() });
        let mut desk = Desk { place, now_ms: 0, lag_ms };
        desk.wait_until(1_767_254_400_000);
        desk
    }
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.place
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        self.place.create(&card(name, &["somebody@example.com"]))
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        self.place.edit(id, |content| content.set("notes", json!({"note": {"note": note}})));
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.place.delete(id);
    }

    fn nobody(&self) -> RemoteId {
        "m999".into()
    }

    fn time_ms(&self) -> i64 {
        self.now_ms
    }

    fn wait_until(&mut self, time_ms: i64) {
        self.now_ms = time_ms;
        self.place.set_now(time_ms);
    }

    fn settle(&mut self) {
        self.wait_until(self.now_ms + self.lag_ms);
    }

    fn lose_next_reply(&mut self) -> bool {
        self.place.fault([Some(Fault::LostReply)]);
        true
    }

    fn lose_next_request(&mut self) -> bool {
        self.place.fault([Some(Fault::LostRequest)]);
        true
    }

    fn cut_off(&mut self) -> bool {
        self.place.set_offline(true);
        true
    }

    fn beyond(&self) -> Option<Content> {
        Some(card("Beyond", &["a@example.com", "b@example.com", "c@example.com", "d@example.com"]))
    }

    fn expire_tokens(&mut self) -> bool {
        self.place.expire_tokens();
        true
    }
}

/// Nothing in memory ever waits.
fn run(test: impl Future<Output = ()>) {
    let mut test = std::pin::pin!(test);
    assert_eq!(test.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(()));
}

mod prompt {
    use super::*;
    contract_rules!(run, Desk::new(0));
}

mod lagging {
    use super::*;
    contract_rules!(run, Desk::new(60_000));
}
