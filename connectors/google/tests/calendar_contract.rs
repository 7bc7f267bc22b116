//! The connector keeps the contract for calendars, against the stand-in of Calendar: over events that happen once and over series,
//! as it comes and in bad weather.

mod calendar_desk;

use async_trait::async_trait;
use calendar_desk::Desk;
use serde_json::{Value, json};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::event::key;
use twofold_model::{Connector, Content, Kind, RemoteId};
use twofold_sandbox::{Fault, Provider, Rule, Switches};

fn time(clock: &str) -> Value {
    json!({"dateTime": format!("2026-03-03T{clock}:00"), "timeZone": "Europe/Berlin"})
}

#[async_trait]
impl Bench for Desk {
    fn connector(&self) -> &dyn Connector {
        &self.google
    }

    fn kind(&self) -> Kind {
        Kind::Calendar
    }

    async fn create(&mut self, name: &str) -> RemoteId {
        let mut event = json!({
            "summary": name, "start": time("09:00"), "end": time("09:15"), "location": "Mill 1",
            "guestsCanInviteOthers": false, "extendedProperties": {"shared": {"shoe": "forty-two and a half"}},
        });
        if self.repeats {
            event["recurrence"] = json!(["RRULE:FREQ=WEEKLY;COUNT=10"]);
        }
        let id = self.sandbox.google_add_event(&self.calendar, &event).unwrap();
        if self.repeats {
            let moved = |event: &mut Value| event["summary"] = json!(format!("{name}, late"));
            self.sandbox.google_edit_event(&self.calendar, &format!("{id}_20260310T080000Z"), moved).unwrap();
            self.sandbox.google_delete_event(&self.calendar, &format!("{id}_20260317T080000Z")).unwrap();
        }
        RemoteId(format!("{}/{id}", self.calendar))
    }

    async fn edit(&mut self, id: &RemoteId, note: &str) {
        let edit = |event: &mut Value| event["description"] = json!(note);
        self.sandbox.google_edit_event(&self.calendar, self.event(id), edit).unwrap();
    }

    async fn delete(&mut self, id: &RemoteId) {
        self.sandbox.google_delete_event(&self.calendar, self.event(id)).unwrap();
    }

    fn nobody(&self) -> RemoteId {
        RemoteId(format!("{}/nobody00000", self.calendar))
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

    fn foreign_text(&self) -> Option<&str> {
        Some("forty-two and a half")
    }

    fn beyond(&self) -> Option<Content> {
        let mut content = self.plain("Beyond");
        content.set("priority", json!(1));
        content.set("keywords", json!({"chess": true}));
        Some(content)
    }

    fn plain(&self, name: &str) -> Content {
        let mut content = Content::from_value(json!({
            "title": name, "start": "2026-03-03T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H",
        }));
        if self.repeats {
            content.set("recurrenceRules", json!([{"frequency": "weekly"}]));
            content.set(
                "recurrenceOverrides",
                json!({"2026-03-10T09:00:00": {"start": "2026-03-10T11:00:00"}, "2026-03-17T09:00:00": {"excluded": true}}),
            );
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
        let alert = |offset: &str| json!({"trigger": {"offset": offset}});
        let alerts: serde_json::Map<String, Value> = ["-PT5M", "-PT1H", "PT0S", "-P1D", "-P2D", "-P3D", "PT5M"]
            .iter()
            .map(|offset| (key(&format!("{offset}||")), alert(offset)))
            .collect();
        vec![
            with("Plain", json!({})),
            with(
                "Day",
                json!({"showWithoutTime": true, "timeZone": null, "start": "2026-03-03T00:00:00", "duration": "P2D", "recurrenceOverrides": null}),
            ),
            with(
                "Marks",
                json!({
                    "description": "two\nlines, and; marks: \\ \u{e4} \u{6f22} \u{1f0a1}", "locations": {"location": {"name": "Mill 1, Paris"}, "location-2": {"name": "Online"}},
                    "privacy": "secret", "freeBusyStatus": "free", "status": "tentative", "color": "plum", "alerts": alerts,
                    "keywords": {"Chess club": true}, "priority": 3,
                }),
            ),
            with(
                "Meeting",
                json!({
                    "participants": {key("ada@example.org"): {"email": "ada@example.org", "roles": {"attendee": true, "owner": true}}},
                    "links": {key("https://x.example/"): {"href": "https://x.example/"}}, "description": "<b>Agenda</b>", "descriptionContentType": "text/html",
                }),
            ),
            with(
                "Series",
                json!({
                    "recurrenceRules": [{"frequency": "monthly", "byDay": [{"day": "tu", "nthOfPeriod": 1}], "until": "2026-12-31T23:59:59"}],
                    "recurrenceOverrides": {
                        "2026-04-07T09:00:00": {"title": "April"}, "2026-05-05T09:00:00": {"excluded": true},
                        "2026-05-06T10:00:00": {"excluded": false}, "2026-06-03T10:00:00": {"excluded": false, "title": "Extra"},
                    },
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

mod rough {
    use super::*;
    contract_rules!(run, Desk::new(Switches { list_lag_s: 0, ..Switches::hostile() }, true));
}
