//! The connector keeps the contract for calendars, against the stand-in of Graph: over events that happen once and over series, on both
//! ways of following a calendar, and in bad weather.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use twofold_http::{Client, ClientOptions, ManualClock, TokenSource};
use twofold_microsoft365::{GraphDialect, Microsoft365, Options};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::event::{alert_identity, key};
use twofold_model::{Connector, Content, Kind, RemoteId, Result, card};
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

/// An empty calendar, and the user's other client.
struct Desk {
    sandbox: Sandbox,
    graph: Microsoft365,
    /// Whether the other client makes series.
    repeats: bool,
    _running: Running,
}

impl Desk {
    async fn new(switches: Switches, repeats: bool) -> Desk {
        let sandbox = Sandbox::new(twofold_sandbox::Options::empty().virtual_time().with(switches));
        let running = sandbox.start(0).await.unwrap();
        let url = sandbox.urls().microsoft_graph.parse().unwrap();
        let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
        let options = ClientOptions::new(url, Arc::new(GraphDialect))
            .token(Arc::new(Token(sandbox.access_token(Provider::Microsoft))))
            .clock(Arc::new(ManualClock::hurried(now_ms)));
        let graph = Microsoft365::new(Options {
            graph: Client::new(options).unwrap(),
            hub_id: "contract".into(),
            zones: Arc::new(SystemZones::in_folder(None)),
            home_zone: Some("Europe/Berlin".into()),
            blobs: None,
        });
        Desk { sandbox, graph, repeats, _running: running }
    }

    /// Writes go out as parts of a batch.
    fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Microsoft).writes().parts().times(1));
        true
    }

    fn make(&self, name: &str) -> String {
        let at =
            |clock: &str| json!({"dateTime": format!("2026-03-03T{clock}:00"), "timeZone": "W. Europe Standard Time"});
        let mut event = json!({"subject": name, "start": at("09:00"), "end": at("09:15"), "location": {"displayName": "Mill 1",
            "address": {"street": "forty-two and a half"}}});
        if self.repeats {
            event["recurrence"] = json!({"pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "monday"},
                "range": {"type": "numbered", "startDate": "2026-03-03", "numberOfOccurrences": 10}});
        }
        let id = self.sandbox.graph_event_create("", &event).unwrap();
        if self.repeats {
            let late = |event: &mut Value| event["subject"] = json!(format!("{name}, late"));
            self.sandbox.graph_occurrence_edit(&id, "2026-03-10", late).unwrap();
            self.sandbox.graph_occurrence_delete(&id, "2026-03-17").unwrap();
        }
        id
    }
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.graph
    }

    fn kind(&self) -> Kind {
        Kind::Calendar
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        self.make(name).into()
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        let edit = |event: &mut Value| event["body"] = json!({"contentType": "text", "content": note});
        self.sandbox.graph_event_edit(id.as_str(), edit).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.sandbox.graph_event_delete(id.as_str()).unwrap();
    }

    /// The id that an event had which nobody has any more, not even Deleted Items.
    fn nobody(&self) -> RemoteId {
        let id = self.make("Nobody");
        self.sandbox.graph_event_delete(&id).unwrap();
        self.sandbox.graph_event_delete(&id).unwrap();
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

    fn foreign_text(&self) -> Option<&str> {
        Some("forty-two and a half")
    }

    fn beyond(&self) -> Option<Content> {
        let mut content = self.plain("Beyond");
        content.set("color", json!("plum"));
        content.set("links", json!({key("https://x.example/"): {"href": "https://x.example/"}}));
        Some(content)
    }

    fn plain(&self, name: &str) -> Content {
        let mut content = Content::from_value(json!({
            "title": name, "start": "2026-03-03T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H",
        }));
        if self.repeats {
            content.set("recurrenceRules", json!([{"frequency": "weekly"}]));
            let overrides = json!({"2026-03-10T09:00:00": {"start": "2026-03-10T11:00:00"}, "2026-03-17T09:00:00": {"excluded": true}});
            content.set("recurrenceOverrides", overrides);
        }
        content
    }

    fn rich(&self) -> Vec<Content> {
        let with = |name: &str, members: Value| {
            let mut content = self.plain(name);
            for (member, value) in members.as_object().unwrap() {
                content.set(member, value.clone());
            }
            content.tidied()
        };
        let mut alerts = serde_json::Map::new();
        for offset in ["-PT5M", "-PT1H", "PT0S", "-P1D", "PT5M"] {
            let alert = json!({"trigger": {"offset": offset}});
            card::insert(&mut alerts, &alert_identity(&alert), alert);
        }
        vec![
            with("Plain", json!({})),
            with(
                "Day",
                json!({"showWithoutTime": true, "timeZone": null, "start": "2026-03-03T00:00:00", "duration": "P2D", "recurrenceOverrides": null}),
            ),
            with("Elsewhere", json!({"timeZone": "America/St_Johns"})),
            with(
                "Marks",
                json!({
                    "description": "two\nlines, and; marks: \\ \u{e4} \u{6f22} \u{1f0a1}", "privacy": "secret", "freeBusyStatus": "free",
                    "locations": {"location": {"name": "Mill 1, Paris"}, "location-2": {"name": "Online"}}, "status": "tentative",
                    "color": "plum", "alerts": alerts, "keywords": {"Chess club": true}, "priority": 3,
                }),
            ),
            with(
                "Meeting",
                json!({
                    "participants": {key("ada@example.org"): {"email": "ada@example.org", "roles": {"attendee": true, "owner": true}}},
                    "description": "<b>Agenda</b>", "descriptionContentType": "text/html",
                }),
            ),
            with(
                "Series",
                json!({
                    "recurrenceRules": [{"frequency": "monthly", "byDay": [{"day": "tu", "nthOfPeriod": 1}], "until": "2026-12-31T23:59:59"}],
                    "recurrenceOverrides": {"2026-04-07T09:00:00": {"title": "April", "color": "red"}, "2026-05-05T09:00:00": {"excluded": true}},
                }),
            ),
        ]
    }

    fn note(&self, content: &mut Content, note: &str) {
        content.set("description", json!(note));
        content.set("descriptionContentType", Value::Null);
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

mod events {
    use super::*;
    contract_rules!(run, Desk::new(Switches::default(), false));
}

mod series {
    use super::*;
    contract_rules!(run, Desk::new(Switches::default(), true));
}

mod view {
    use super::*;
    contract_rules!(run, Desk::new(Switches { graph_events_delta: "off".into(), ..Switches::default() }, true));
}

mod rough {
    use super::*;
    contract_rules!(run, Desk::new(Switches { list_lag_s: 0, ..Switches::hostile() }, true));
}
