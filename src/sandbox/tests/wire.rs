//! The socket, the faults, the budgets and the control requests, driven by a real HTTP client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use twofold_sandbox::{Chances, Fault, Kind, Options, Phase, Provider, Request, Rule, Running, Sandbox, Switches};

struct World {
    sandbox: Sandbox,
    running: Running,
    http: reqwest::Client,
    token: String,
}

impl World {
    async fn new(options: Options) -> Self {
        let sandbox = Sandbox::new(options);
        let running = sandbox.start(0).await.unwrap();
        // Nothing here speaks TLS, yet the client wants to know who would.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().user_agent("test (gzip)").build().unwrap();
        let token = sandbox.access_token(Provider::Google);
        Self { sandbox, running, http, token }
    }

    fn list(&self) -> reqwest::RequestBuilder {
        let url =
            format!("{}/v1/people/me/connections?personFields=names&pageSize=1000", self.sandbox.urls().google_people);
        self.http.get(url).bearer_auth(&self.token)
    }

    fn create(&self) -> reqwest::RequestBuilder {
        let url = format!("{}/v1/people:createContact", self.sandbox.urls().google_people);
        let body = json!({ "names": [{ "givenName": "Ada" }] }).to_string();
        self.http.post(url).bearer_auth(&self.token).header("content-type", "application/json").body(body)
    }

    async fn control(&self, action: &str, body: Value) -> Value {
        let url = format!("{}/{action}", self.sandbox.urls().control);
        let reply = self.http.post(url).body(body.to_string()).send().await.unwrap();
        assert_eq!(reply.status(), 200, "{action}");
        serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn pages_come_over_the_socket_compressed() {
    let world = World::new(Options::bulk(300)).await;
    let reply = world.list().send().await.unwrap();
    let body: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert_eq!(body["connections"].as_array().unwrap().len(), 300);
    world.running.stop().await;
}

#[tokio::test]
async fn a_lost_request_did_not_happen_and_a_lost_reply_did() {
    let world = World::new(Options::empty()).await;
    world.sandbox.fault(Rule::any(Fault::DropBefore).on(Provider::Google).writes().times(1));
    assert!(world.create().send().await.is_err());
    assert_eq!(world.sandbox.google_people().len(), 0);
    world.sandbox.fault(Rule::any(Fault::DropAfter).path("createContact").times(1));
    assert!(world.create().send().await.is_err());
    assert_eq!(world.sandbox.google_people().len(), 1);
    assert_eq!(world.create().send().await.unwrap().status(), 200);
    let counts = world.sandbox.counts(Provider::Google);
    assert_eq!((counts.writes, counts.writes_done), (3, 2));
}

#[tokio::test]
async fn a_reply_may_be_cut_garbled_late_or_an_error() {
    let world = World::new(Options::bulk(50)).await;
    world.sandbox.fault(Rule::any(Fault::Truncate).times(1));
    assert!(world.list().send().await.unwrap().bytes().await.is_err());
    world.sandbox.fault(Rule::any(Fault::Html { executed: false }).times(1));
    let reply = world.list().send().await.unwrap();
    assert_eq!(
        (reply.status().as_u16(), reply.headers()["content-type"].to_str().unwrap()),
        (200, "text/html; charset=utf-8")
    );
    world.sandbox.fault(Rule::any(Fault::throttled("2.128")).skip(1).times(1));
    assert_eq!(world.list().send().await.unwrap().status(), 200);
    let reply = world.list().send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (429, "2.128"));
    world.sandbox.fault(Rule::any(Fault::status_but_executed(500)).writes().times(1));
    assert_eq!(world.create().send().await.unwrap().status(), 500);
    assert_eq!(world.sandbox.google_people().len(), 51);
    world.sandbox.fault(Rule::any(Fault::Delay { ms: 300 }).times(1));
    assert!(world.list().timeout(Duration::from_millis(100)).send().await.is_err());
    world.sandbox.fault(Rule::any(Fault::ContentType { value: "text/plain".into() }).times(1));
    assert_eq!(world.list().send().await.unwrap().headers()["content-type"], "text/plain");
}

#[tokio::test]
async fn two_mutations_at_a_time_are_one_too_many() {
    let world = World::new(Options::empty().with(Switches { latency_ms: 100, ..Switches::default() })).await;
    let (one, two) = tokio::join!(world.create().send(), world.create().send());
    let mut statuses = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 429]);
    assert!(world.create().send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn one_calendar_takes_one_write_at_a_time() {
    let world = World::new(Options::empty().with(Switches { latency_ms: 100, ..Switches::default() })).await;
    let other = world.sandbox.google_add_calendar("Second").unwrap();
    let body = r#"{"start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}"#;
    let insert = |calendar: &str| {
        let url = format!("{}/calendar/v3/calendars/{calendar}/events", world.sandbox.urls().google_calendar);
        let request = world.http.post(url).bearer_auth(&world.token).header("content-type", "application/json");
        request.body(body).send()
    };
    let (one, two) = tokio::join!(insert("primary"), insert("primary"));
    let mut statuses = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    let other = other.replace('@', "%40");
    let (one, two) = tokio::join!(insert("primary"), insert(&other));
    assert!(one.unwrap().status().is_success() && two.unwrap().status().is_success());
}

#[tokio::test]
async fn hooks_see_each_request_before_and_after() {
    let world = World::new(Options::empty()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (sandbox, keep) = (world.sandbox.clone(), seen.clone());
    world.sandbox.set_hook(Some(Arc::new(move |info, phase| {
        // A hook may use the sandbox: no lock is held around it.
        keep.lock().unwrap().push((info.is_write, phase, sandbox.google_people().len()));
    })));
    world.create().send().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(true, Phase::Before, 0), (true, Phase::After, 1)]);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed: u64| -> Vec<Option<u16>> {
        let sandbox = Sandbox::new(Options::demo().virtual_time());
        let token = sandbox.access_token(Provider::Google);
        let chances =
            Chances { seed, drop_before: 0.1, drop_after: 0.1, throttled: 0.1, unavailable: 0.2, ..Chances::default() };
        sandbox.with(|state| state.faults.set_chances(Some(chances)));
        let list = Request::get("/google/v1/people/me/connections?personFields=names").bearer(&token);
        (0..60).map(|_| sandbox.exchange(&list).map(|reply| reply.status)).collect()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let statuses = run(1);
    assert!(statuses.contains(&None) && statuses.contains(&Some(503)) && statuses.contains(&Some(200)));
}

#[test]
fn a_sign_in_fault_speaks_the_token_endpoints_language() {
    let sandbox = Sandbox::new(Options::empty());
    sandbox.fault(Rule::any(Fault::status(503)).of_kind(Kind::SignIn));
    let reply = sandbox.exchange(&Request::new("POST", "/google/token").form(&[])).unwrap();
    assert_eq!((reply.status, &reply.body_json()["error"]), (503, &json!("temporarily_unavailable")));
}

#[test]
fn budgets_a_minute_are_counted_by_the_clock() {
    let switches = Switches { people_reads_per_min: 3, people_full_syncs_per_min: 2, ..Switches::default() };
    let sandbox = Sandbox::new(Options::demo().virtual_time().with(switches));
    let token = sandbox.access_token(Provider::Google);
    let list =
        || sandbox.handle(&Request::get("/google/v1/people/me/connections?personFields=names").bearer(&token)).status;
    assert_eq!([list(), list(), list(), list()], [200, 200, 429, 429]);
    sandbox.clock().advance_ms(60_000);
    assert_eq!(list(), 200);
}

#[tokio::test]
async fn another_process_can_do_the_same() {
    let world = World::new(Options::empty()).await;
    world.control("reset", json!({ "seed": "demo" })).await;
    assert_eq!(world.control("google/list", json!({})).await.as_array().unwrap().len(), 12);
    let token = world.control("token", json!({ "provider": "google" })).await;
    let world = World { token: token["access_token"].as_str().unwrap().into(), ..world };
    let made = world.control("google/create", json!({ "person": { "names": [{ "givenName": "Eva" }] } })).await;
    let edit = json!({ "resource": made["resourceName"], "person": { "nicknames": [{ "value": "E" }] } });
    world.control("google/edit", edit).await;
    let person = world.control("google/get", json!({ "resource": made["resourceName"] })).await;
    assert_eq!((&person["names"][0]["givenName"], &person["nicknames"][0]["value"]), (&json!("Eva"), &json!("E")));
    world
        .control(
            "fault",
            json!({ "provider": "google", "kind": "api", "times": 1, "fault": { "do": "status", "status": 503 } }),
        )
        .await;
    assert_eq!(world.list().send().await.unwrap().status(), 503);
    world.control("switches", json!({ "page_size_cap": 5 })).await;
    let reply = world.list().send().await.unwrap();
    let body: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert_eq!(body["connections"].as_array().unwrap().len(), 5);
    let stats = world.control("stats", json!({ "reset": true })).await;
    assert_eq!((&stats["google"]["requests"], &stats["faults"]), (&json!(2), &json!(1)));
    world.control("advance", json!({ "s": 4000 })).await;
    assert_eq!(world.list().send().await.unwrap().status(), 401);
    assert!(world.control("dump", json!({})).await["google"]["contacts"].as_object().unwrap().len() == 13);
}

#[tokio::test]
async fn a_stopped_sandbox_answers_nobody() {
    let world = World::new(Options::empty()).await;
    let request = world.list();
    world.running.stop().await;
    assert!(request.send().await.is_err());
}
