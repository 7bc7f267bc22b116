//! What the service tells of itself over HTTP, as the built program: metrics, health and the page, who may ask, and what somebody decides
//! there.

mod common;

use common::{GOOGLE, Home, files};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use twofold_hub::Lock;
use twofold_sandbox::Provider;
use twofold_sandbox::oauth::End;

/// Far more than anything here takes, and far less than a test may hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// The system chooses the port.
const ANYWHERE: &str = "listen = \"127.0.0.1:0\"";
/// Nothing is due but once.
const ONCE: &str = "1d";
const TOKEN: &str = "a token that nobody guesses";

/// The service under way.
struct Service {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    /// Where it listens.
    at: String,
}

impl Service {
    /// Starts it with an `[endpoint]`, and waits until it listens.
    fn start(home: &Home, every: &str, endpoint: &str) -> Service {
        configure(home, every, endpoint);
        let mut service = Service::begin(home);
        service.at = service.address(1);
        service
    }

    fn begin(home: &Home) -> Service {
        Service::begin_as(home, &["-v", "daemon"])
    }

    fn begin_as(home: &Home, args: &[&str]) -> Service {
        let mut command = home.command(args);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (heard, stderr) = (said.clone(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        Service { child, said, at: String::new() }
    }

    fn lines(&self, words: &str) -> Vec<String> {
        self.said.lock().unwrap().iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// The address that it told so many times by now, at the last time.
    #[track_caller]
    fn address(&self, times: usize) -> String {
        const WORDS: &str = "the page is at http://";
        soon(WORDS, || self.lines(WORDS).len() >= times);
        let line = self.lines(WORDS).pop().unwrap();
        line.split(WORDS).nth(1).unwrap().trim_end_matches('/').to_owned()
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// One request as a browser on this machine sends it, or as `head` says.
    fn ask(&self, method: &str, path: &str, head: &[(&str, &str)], body: &str) -> Answer {
        let host = head.iter().find(|(name, _)| *name == "Host").map_or(self.at.as_str(), |(_, host)| host);
        let more: String = head
            .iter()
            .filter(|(name, _)| *name != "Host")
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        let mut stream = TcpStream::connect(&self.at).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{more}\r\n{body}");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    /// Sends a form of the page as it is now.
    fn press(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get("/").is(200).body;
        let word = page.split("name=\"form\" value=\"").nth(1).expect("a form").split('"').next().unwrap();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("form", word).extend_pairs(fields);
        self.ask("POST", path, &[("Origin", &format!("http://{}", self.at))], &form.finish())
    }

    /// Waits until the first run is over.
    #[track_caller]
    fn until_at_rest(&self) {
        soon("a rest", || self.get("/metrics").body.contains("twofold_next_run_timestamp_seconds"));
    }

    /// SIGTERM: it ends with code 0.
    #[track_caller]
    fn stop(mut self) {
        self.signal(Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{:?}", self.said.lock().unwrap());
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    /// A test that fails leaves no service behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// In small letters.
    head: String,
    body: String,
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    fn shows(self, words: &[&str]) -> Self {
        for words in words {
            assert!(self.body.contains(words), "no {words:?}: {}", self.body);
        }
        self
    }
}

fn configure(home: &Home, every: &str, endpoint: &str) {
    let section = if endpoint.is_empty() { String::new() } else { format!("[endpoint]\n{endpoint}\n") };
    fs::write(home.config(), home.configuration(&format!("\n[schedule]\nevery = \"{every}\"\n{section}"))).unwrap();
}

/// Waits until something holds.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Half of the device's cards are removed: that many removals are held.
fn remove_half(home: &Home) -> usize {
    let cards: Vec<_> = home.cards().into_keys().collect();
    let gone = cards.len() / 2;
    cards.iter().take(gone).for_each(|path| fs::remove_file(home.laptop().join(path)).unwrap());
    gone
}

fn held(home: &Home) -> Vec<String> {
    let all = home.json(&["held"])["held"].clone();
    all.as_array().unwrap().iter().map(|hold| hold["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_listens_only_where_the_section_stands_and_a_reload_changes_that() {
    let home = Home::synced(&GOOGLE);
    configure(&home, ONCE, "");
    let mut service = Service::begin(&home);
    soon("the service begins", || !service.lines("the service begins").is_empty());
    configure(&home, ONCE, ANYWHERE);
    service.signal(Signal::HUP);
    service.at = service.address(1);
    service.get("/healthz").is(200);
    // What is the same is not opened again.
    service.signal(Signal::HUP);
    soon("it is read again", || service.lines("the configuration was read again").len() == 2);
    service.get("/healthz").is(200);
    // A wrong one is a trouble until a good one was read.
    configure(&home, "evry = \"1s\"", ANYWHERE);
    service.signal(Signal::HUP);
    soon("it is told", || service.get("/healthz").status == 503);
    service.get("/healthz").is(503).shows(&["the configuration is refused", "twofold doctor"]);
    service.get("/").is(200).shows(&["Something is wrong", "the configuration is refused"]);
    configure(&home, ONCE, ANYWHERE);
    service.signal(Signal::HUP);
    soon("it is over", || service.get("/healthz").status == 200);
    configure(&home, ONCE, &format!("{ANYWHERE}\ntoken = \"{TOKEN}\""));
    service.signal(Signal::HUP);
    service.at = service.address(2);
    service.get("/healthz").is(401);
    configure(&home, ONCE, "");
    service.signal(Signal::HUP);
    soon("nobody listens", || TcpStream::connect(&service.at).is_err());
    service.stop();
}

#[test]
fn an_address_that_somebody_else_has_is_told_once_and_the_sync_goes_on() {
    let home = Home::synced(&GOOGLE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = taken.local_addr().unwrap();
    configure(&home, ONCE, &format!("listen = \"{at}\""));
    let mut service = Service::begin(&home);
    soon("it is told", || !service.lines("cannot listen on").is_empty());
    let card = home.card("Hotel Beispiel");
    home.add_line(&card, "NOTE:Written meanwhile");
    soon("the device's change at Google", || home.google_text().contains("Written meanwhile"));
    drop(taken);
    // Another section is tried at once, and so is the same one with something else in it.
    configure(&home, ONCE, &format!("listen = \"{at}\"\nnames = [\"sync.example.org\"]"));
    service.signal(Signal::HUP);
    service.at = service.address(1);
    service.get("/metrics").is(200);
    assert_eq!(service.lines("cannot listen on").len(), 1);
    assert_eq!(service.lines("over: the endpoint").len(), 1);
    service.stop();
}

#[test]
fn metrics_count_what_runs_did_and_health_says_what_is_wrong() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, "1s", ANYWHERE);
    service.until_at_rest();
    let text = service.get("/metrics").is(200);
    assert!(text.head.contains("content-type: text/plain; version=0.0.4"), "{text:?}");
    let cards = home.cards().len();
    let text = text.shows(&[
        &format!("twofold_items{{replica=\"laptop\",kind=\"contacts\"}} {cards}\n"),
        "twofold_sign_in_needed{replica=\"google\"} 0\n",
        "twofold_last_run_exit_code 0\n",
        "twofold_last_read_timestamp_seconds{replica=\"google\",kind=\"contacts\"}",
        "twofold_last_proof_timestamp_seconds{replica=\"google\",kind=\"contacts\"}",
        "twofold_healthy 1\n",
        "process_resident_memory_bytes",
        "twofold_disk_free_bytes{what=\"state\"}",
        "twofold_disk_free_bytes{what=\"device\",replica=\"laptop\"}",
        // What did not happen yet is there too, so that the first time is an increase.
        "twofold_runs_total{exit=\"1\"} 0\n",
        "twofold_runs_total{exit=\"75\"} 0\n",
    ]);
    assert!(!text.body.contains('@') && !text.body.contains("My Contacts"), "nothing of people: {}", text.body);
    assert_eq!(service.get("/healthz").is(200).body, "ok\n");
    home.add_line(&home.card("Hotel Beispiel"), "NOTE:Counted");
    let counted =
        "twofold_changes_total{replica=\"google\",kind=\"contacts\",direction=\"sent\",change=\"updated\"} 1\n";
    soon("the change is counted", || service.get("/metrics").body.contains(counted));
    home.sandbox.end_sign_ins(Provider::Google, End::Revoked, true);
    soon("it is not well", || service.get("/healthz").status == 503);
    service.get("/healthz").is(503).shows(&["google: somebody has to sign in; type: twofold login google"]);
    service.get("/metrics").is(200).shows(&["twofold_sign_in_needed{replica=\"google\"} 1\n", "twofold_healthy 0\n"]);
    service.get("/").is(200).shows(&["Something is wrong", "twofold login google"]);
    home.login("google").expect(0);
    soon("it is well again", || service.get("/healthz").status == 200);
    service.stop();
}

#[test]
fn while_one_kind_of_a_provider_is_down_health_names_place_and_kind_and_status_and_the_page_say_why() {
    let home = Home::new(twofold_sandbox::Options::demo(), &GOOGLE);
    let all = |every: &str| {
        let more = format!("\n[schedule]\nevery = \"{every}\"\n[endpoint]\n{ANYWHERE}\n");
        let kinds = "kinds = [\"contacts\", \"calendar\", \"mail\"]";
        fs::write(home.config(), home.configuration(&more).replace("kinds = [\"contacts\"]", kinds)).unwrap();
    };
    all(ONCE);
    home.login("google").expect(0);
    home.sync().expect(0);
    let down = twofold_sandbox::Rule::any(twofold_sandbox::Fault::status(503)).path("/people/me/connections");
    home.sandbox.fault(down);
    home.sync().expect(75);
    let mut service = Service::begin(&home);
    service.at = service.address(1);
    service.until_at_rest();
    let words = "google: contacts did not come through in the last run; go on with: twofold sync\n";
    assert_eq!(service.get("/healthz").is(503).body, words);
    service.get("/metrics").is(200).shows(&[
        "twofold_healthy 0\n",
        "twofold_down{replica=\"google\",kind=\"contacts\"} 1\n",
        "twofold_down{replica=\"google\",kind=\"calendar\"} 0\n",
    ]);
    let ran = home.run(&["status"]).expect(75).shows(&["trouble: google: contacts did not come through", "503"]);
    assert_eq!(ran.out.matches("trouble:").count(), 1, "{ran}");
    service.get("/").is(200).shows(&["Something is wrong", "google: contacts did not come through", "503"]);
    home.sandbox.with(|state| state.faults.clear());
    home.sync().expect(0);
    assert_eq!(service.get("/healthz").is(200).body, "ok\n");
    home.run(&["status"]).expect(0);
    service.stop();
}

#[test]
fn what_health_and_the_page_of_a_service_say_to_type_names_the_configuration_that_it_was_started_with() {
    let home = Home::synced(&GOOGLE);
    home.run(&["logout", "google"]).expect(0);
    configure(&home, ONCE, ANYWHERE);
    let config = home.config().display().to_string();
    let mut service = Service::begin_as(&home, &["--config", &config, "-v", "daemon"]);
    service.at = service.address(1);
    let words = format!("google: somebody has to sign in; type: twofold --config {config} login google");
    service.get("/healthz").is(503).shows(&[&words]);
    service.get("/").is(200).shows(&[&words]);
    service.stop();
}

#[test]
fn strangers_names_addresses_and_forms_are_turned_away() {
    let home = Home::synced(&GOOGLE);
    remove_half(&home);
    let service = Service::start(&home, ONCE, ANYWHERE);
    soon("it is held", || held(&home).len() == 1);
    let (id, at) = (held(&home).remove(0), service.at.clone());
    for path in ["/", "/metrics", "/healthz"] {
        let answer = service.ask("GET", path, &[("Host", "evil.example")], "").is(421);
        assert!(!answer.body.contains("twofold_"), "{answer:?}");
    }
    let page = service.get("/").is(200);
    for header in ["content-security-policy: default-src 'none'", "x-frame-options: deny", "cache-control: no-store"] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    assert!(!page.body.contains("<script"), "{}", page.body);
    let word = page.body.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (form, own) = (format!("form={word}&id={id}"), format!("http://{at}"));
    for path in ["/approve", "/drop"] {
        service.ask("POST", path, &[], &form).is(403);
        service.ask("POST", path, &[("Origin", "http://evil.example")], &form).is(403);
        service.ask("POST", path, &[("Origin", "null")], &form).is(403);
        service.ask("POST", path, &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")], &form).is(403);
        service.ask("POST", path, &[("Origin", &own)], &format!("id={id}")).is(403);
        service.ask("POST", path, &[("Origin", &own)], &format!("form=x&id={id}")).is(403);
        service.ask("GET", &format!("{path}?{form}"), &[("Origin", &own)], "").is(405);
        service.ask("POST", path, &[("Origin", &own)], &format!("form={word}&id={}", "x".repeat(5_000))).is(413);
        service.ask("POST", path, &[("Origin", &own)], &format!("form={word}")).is(400);
        service.press(path, &[("id", "deletes-nothing")]).is(409).shows(&["nothing is held under the id"]);
    }
    service.get("/etc/passwd").is(404);
    assert_eq!(held(&home), [id], "nothing of it was done");
    service.stop();
}

#[test]
fn who_says_nothing_or_too_much_is_cut_off_and_holds_nobody_up_for_long() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE, ANYWHERE);
    service.until_at_rest();
    // It need not be listened to until its end: the answer may be lost with the rest of it.
    let (mut stream, mut answer) = (TcpStream::connect(&service.at).unwrap(), Vec::new());
    let _ = write!(stream, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
    // More than are served at a time; each next one takes the place of the first of them.
    let silent: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(&service.at).unwrap()).collect();
    let card = home.card("Hotel Beispiel");
    home.add_line(&card, "NOTE:Written meanwhile");
    soon("the device's change at Google", || home.google_text().contains("Written meanwhile"));
    let began = Instant::now();
    service.get("/healthz").is(200);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let mut first = &silent[0];
    first.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = Vec::new();
    let _ = first.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("200 OK"), "it was cut off");
    service.stop();
}

#[test]
fn requests_that_are_not_sent_to_their_end_take_nobodys_place() {
    let home = Home::synced(&GOOGLE);
    let service = Service::start(&home, ONCE, ANYWHERE);
    service.until_at_rest();
    let head = "POST /approve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n";
    // In the middle of the head, and in the middle of the form.
    for half in [head.to_owned(), format!("{head}\r\nid=")] {
        let open = |_| {
            let mut stream = TcpStream::connect(&service.at).unwrap();
            stream.write_all(half.as_bytes()).unwrap();
            stream
        };
        let halves: Vec<TcpStream> = (0..200).map(open).collect();
        let began = Instant::now();
        service.get("/healthz").is(200);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        drop(halves);
    }
    service.stop();
}

#[test]
fn where_a_token_is_set_it_is_needed_once() {
    let home = Home::synced(&GOOGLE);
    let path = home.dir.path().join("token");
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut service = Service::start(&home, ONCE, &format!("{ANYWHERE}\ntoken = {{ file = {path:?} }}"));
    for path in ["/", "/metrics", "/healthz", "/style.css", "/nothing", "/?token=wrong"] {
        let answer = service.get(path).is(401);
        assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
    }
    let bearer = format!("Bearer {TOKEN}");
    service.ask("GET", "/metrics", &[("Authorization", &bearer)], "").is(200);
    let answer = service.get(&format!("/?token={}", TOKEN.replace(' ', "%20"))).is(303);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().to_owned();
    assert!(
        cookie.contains("httponly") && cookie.contains("samesite=strict") && !cookie.contains("guesses"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    service.ask("GET", "/", &[("Cookie", cookie)], "").is(200).shows(&["laptop"]);
    // Another token in the same file counts from the next reload on, and whoever knew the old one is out.
    fs::write(&path, "another one that nobody guesses").unwrap();
    let port = service.at.rsplit(':').next().unwrap().to_owned();
    service.signal(Signal::HUP);
    service.at = service.address(2);
    let cookie = cookie.replace(&port, service.at.rsplit(':').next().unwrap());
    service.ask("GET", "/metrics", &[("Authorization", &bearer)], "").is(401);
    service.ask("GET", "/", &[("Cookie", &cookie)], "").is(401);
    service.ask("GET", "/", &[("Authorization", "Bearer another one that nobody guesses")], "").is(200);
    service.stop();
}

#[test]
fn what_is_held_is_approved_and_dropped_on_the_page_as_the_commands_do_it() {
    let home = Home::synced(&GOOGLE);
    let (people, cards) = (home.sandbox.google_people().len(), home.cards().len());
    let gone = remove_half(&home);
    let service = Service::start(&home, ONCE, ANYWHERE);
    soon("it is held", || held(&home).len() == 1);
    let id = held(&home).remove(0);
    service.get("/").is(200).shows(&["Held: 1", &id, "nothing was removed elsewhere"]);
    // Another process is at work: nothing is done, and nothing is lost.
    soon("no run is under way", || service.get("/metrics").body.contains("twofold_run_in_progress 0"));
    let lock = Lock::take(&home.state()).unwrap().expect("nobody else has it");
    service.press("/drop", &[("id", &id)]).is(503).shows(&["A run is under way", "nothing was done"]);
    assert_eq!(held(&home).len(), 1);
    drop(lock);
    service.press("/drop", &[("id", &id)]).is(200).shows(&["is dropped", "written back"]);
    soon("all cards are back", || home.cards().len() == cards);
    assert_eq!(home.sandbox.google_people().len(), people);
    soon("nothing is held", || held(&home).is_empty());
    remove_half(&home);
    soon("it is held again", || held(&home).len() == 1);
    let id = held(&home).remove(0);
    service.press("/approve", &[("id", &id)]).is(200).shows(&["is approved"]);
    soon("they are gone at Google", || home.sandbox.google_people().len() == people - gone);
    service.stop();
}

#[test]
fn what_is_decided_on_the_page_during_a_run_that_takes_long_is_heard_and_done_after_it() {
    let home = Home::synced(&GOOGLE);
    let people = home.sandbox.google_people().len();
    let gone = remove_half(&home);
    let service = Service::start(&home, ONCE, ANYWHERE);
    soon("it is held", || held(&home).len() == 1);
    let id = held(&home).remove(0);
    soon("no run is under way", || service.get("/metrics").body.contains("twofold_run_in_progress 0"));
    home.sandbox.fault(twofold_sandbox::Rule::any(twofold_sandbox::Fault::Delay { ms: 15_000 }));
    let run = home.start(&["sync"]);
    soon("a run is under way", || service.get("/metrics").body.contains("twofold_run_in_progress 1"));
    service
        .press("/approve", &[("id", &id)])
        .is(202)
        .shows(&["Heard, and not done yet", "when that ends or gives way"]);
    assert_eq!(held(&home), [id], "it is not done yet");
    home.sandbox.with(|state| state.faults.clear());
    soon("it is done", || home.sandbox.google_people().len() == people - gone);
    run.end();
    service.stop();
}

#[test]
fn what_would_mail_people_is_approved_only_by_saying_how_many() {
    let home = Home::with_calendars(&GOOGLE);
    let all = files(&home.laptop());
    let (path, text) =
        all.iter().find(|(_, bytes)| String::from_utf8_lossy(bytes).contains("SUMMARY:Quarterly figures")).unwrap();
    let text = String::from_utf8_lossy(text).replace("SUMMARY:Quarterly figures", "SUMMARY:<b>Another</b> title");
    fs::write(home.laptop().join(path), text).unwrap();
    let service = Service::start(&home, ONCE, ANYWHERE);
    soon("it is held", || held(&home).len() == 1);
    let id = held(&home).remove(0);
    service.get("/").is(200).shows(&["Mail 2 people", "&lt;b&gt;Another&lt;/b&gt; title"]);
    let titled =
        || home.sandbox.google_events("primary").iter().any(|event| event["summary"] == "<b>Another</b> title");
    for people in [None, Some("1"), Some("3"), Some("on")] {
        let mut fields = vec![("id", id.as_str())];
        fields.extend(people.map(|people| ("people", people)));
        service.press("/approve", &fields).is(409).shows(&["would mail 2 people", "it stays held"]);
    }
    assert!(held(&home).len() == 1 && !titled());
    service.press("/approve", &[("id", &id), ("people", "2")]).is(200).shows(&["is approved"]);
    soon("the title is at Google", titled);
    service.stop();
}

#[test]
fn what_a_provider_named_is_text_on_the_page() {
    let home = Home::of_calendars(&GOOGLE, |home| {
        let id = home.sandbox.google_add_calendar("<script>document.title='owned'</script>").unwrap();
        home.sandbox.google_add_event(&id, &serde_json::json!({
            "summary": "Lunch", "start": {"dateTime": "2026-03-02T12:00:00Z"}, "end": {"dateTime": "2026-03-02T13:00:00Z"}
        })).unwrap();
        fs::write(home.config(), home.configuration("")).unwrap();
    });
    let service = Service::start(&home, ONCE, ANYWHERE);
    let page =
        service.get("/").is(200).shows(&["<bdi>&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;</bdi>"]);
    assert!(!page.body.contains("<script"), "{}", page.body);
    service.stop();
}
