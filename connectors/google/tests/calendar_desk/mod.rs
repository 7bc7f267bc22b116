//! A calendar at the stand-in of Google, and the user's other client.
#![allow(dead_code)]

use async_trait::async_trait;
use std::sync::Arc;
use twofold_google::{CalendarDialect, CalendarOptions, Google, GoogleDialect, GoogleOptions};
use twofold_http::{Client, ClientOptions, Dialect, ManualClock, TokenSource};
use twofold_model::{RemoteId, Result};
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

/// An account with empty calendars.
pub struct Desk {
    pub sandbox: Sandbox,
    pub google: Google,
    /// The primary calendar.
    pub calendar: String,
    /// Whether the other client makes series.
    pub repeats: bool,
    _running: Running,
}

impl Desk {
    pub async fn new(switches: Switches, repeats: bool) -> Desk {
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

    pub fn fault_next_write(&self, fault: Fault) -> bool {
        self.sandbox.fault(Rule::any(fault).on(Provider::Google).writes().times(1));
        true
    }

    pub fn event<'a>(&self, id: &'a RemoteId) -> &'a str {
        id.as_str().rsplit_once('/').unwrap().1
    }
}
