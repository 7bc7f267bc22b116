//! The connector keeps the contract for calendars, against the stand-in of Calendar: over events that happen once and over series,
//! as it comes and in bad weather.

use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use twofold_google::{CalendarDialect, CalendarOptions, Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, Dialect, ManualClock, TokenSource};
use twofold_model::contract::{Bench, contract_rules};
use twofold_model::event::key;
use twofold_model::{Connector, Content, Kind, RemoteId, Result};
use twofold_sandbox::{Fault, Options, Provider, Rule, Running, Sandbox, Switches};
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
    google: Google,
    calendar: String,
    /// Whether the other client makes series.
    repeats: bool,
    _running: Running,
}

impl Desk {
    async fn new(switches: Switches, repeats: bool) -> Desk {
        let sandbox = Sandbox::new(Options::empty().virtual_time().with(switches));
        let running = sandbox.start(0).await.unwrap();
        let urls = sandbox.urls();
        let now_ms = u64::try_from(sandbox.clock().now_ms()).unwrap();
        let client = |url: &str, dialect: Arc<dyn Dialect>| {
            let options = ClientOptions::new(url.parse().unwrap(), dialect)
                .token(Arc::new(Token(sandbox.access_token(Provider::Google))))
                .clock(Arc::new(ManualClock::hurried(now_ms)));
            Client::new(options).unwrap()
        };
        let zones = Arc::new(SystemZones::in_folder(None));
        let calendar = CalendarOptions { client: client(&urls.google_calendar, Arc::new(CalendarDialect)), zones };
        let google = Google::new(GoogleOptions {
            people: client(&urls.google_people, Arc::new(GoogleDialect)),
            calendar: Some(calendar),
        });
        let primary = sandbox.google_calendars().into_iter().find(|calendar| calendar["primary"] == true).unwrap();
        let calendar = primary["id"].as_str().unwrap().to_owned();
        Desk { sandbox, google, calendar, repeats, _running: running }
    }

    fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Google).writes().times(1));
        true
    }

    fn event<'a>(&self, id: &'a RemoteId) -> &'a str {
        id.as_str().rsplit_once('/').unwrap().1
    }
}

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
