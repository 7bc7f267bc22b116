//! What the configuration accepts, what it refuses, and in which words.

use super::places::candidates;
use super::*;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use twofold_model::email::scope::{Limits, Name};

const BOTH: &str = "[microsoft365]\nclient_id = \"m\"\n[google]\nclient_id = \"g\"\n";

fn ada(name: &str) -> Option<OsString> {
    (name == "HOME").then(|| "/home/ada".into())
}

fn parse(text: &str) -> Result<Config> {
    read(text, Path::new("/etc/twofold/config.toml"), &Environment::of(ada))
}

fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn an_empty_configuration_has_every_default() {
    let config = parse("").unwrap();
    assert_eq!(config.path, Path::new("/etc/twofold/config.toml"));
    assert_eq!(config.state_dir, Path::new("/var/lib/twofold"));
    assert!(config.microsoft365.is_none() && config.google.is_none());
    assert!(config.devices.is_empty() && config.joins.is_empty());
    assert_eq!(config.full_check, Cadence::Every(86_400_000));
    assert!(config.cadences.values().all(|cadence| *cadence == Cadence::Every(300_000)));
    assert_eq!(config.retention_ms, 180 * 86_400_000);
    assert_eq!(config.brakes[&Kind::Contacts], Brake { percent: 20, count: 100 });
    assert_eq!(config.brakes[&Kind::Calendar], Brake { percent: 20, count: 200 });
    assert_eq!(config.brakes[&Kind::Mail], Brake { percent: 30, count: 2000 });
    assert_eq!(config.network, Network::default());
    assert!(!config.may_mail_attendees);
}

#[test]
fn the_providers_have_every_default() {
    let config = parse(BOTH).unwrap();
    let (microsoft, google) = (config.microsoft365.unwrap(), config.google.unwrap());
    assert_eq!((microsoft.client_id.as_str(), microsoft.tenant.as_str()), ("m", "organizations"));
    assert_eq!(microsoft.kinds, [Kind::Mail, Kind::Calendar, Kind::Contacts]);
    assert_eq!(microsoft.login_url.as_str(), "https://login.microsoftonline.com/");
    assert_eq!(microsoft.graph_url.as_str(), "https://graph.microsoft.com/");
    assert_eq!((google.client_id.as_str(), google.client_secret), ("g", None));
    assert_eq!(google.kinds, [Kind::Mail, Kind::Calendar, Kind::Contacts]);
    assert_eq!(google.auth_url.as_str(), "https://accounts.google.com/");
    assert_eq!(google.token_url.as_str(), "https://oauth2.googleapis.com/");
    assert_eq!(google.gmail_url.as_str(), "https://gmail.googleapis.com/");
    assert_eq!(google.calendar_url.as_str(), "https://www.googleapis.com/");
    assert_eq!(google.people_url.as_str(), "https://people.googleapis.com/");
}

#[test]
fn every_key_that_is_written_is_taken() {
    let text = r#"
        state_dir = "state"
        [microsoft365]
        client_id = " m "
        tenant = "example.org"
        kinds = ["contacts"]
        login_url = "http://localhost:4000/login"
        graph_url = "http://127.0.0.1:4000"
        [google]
        client_id = "g"
        client_secret = { file = "~/secret" }
        people_url = "http://[::1]:4001/people/"
        [[device]]
        name = "laptop"
        path = "~/contacts"
        [[device]]
        name = "phone"
        path = "../phone"
        kinds = ["contacts"]
        group = "users"
        mode = "0640"
        vcard = "4.0"
        [[join]]
        kind = "contacts"
        collections = ["microsoft365:Contacts", "google:default"]
        [calendar]
        may_mail_attendees = true
        [schedule]
        every = "90s"
        mail = "1m"
        contacts = "0 */5 8-18 * * MON-FRI"
        full_check = "12h"
        [brakes]
        contacts = "10%"
        mail = "50"
        [history]
        retention = "30d"
        [network]
        proxy = "http://ada:secret@proxy.corp:3128"
        ca_file = "ca.pem"
    "#;
    let config = parse(text).unwrap();
    assert!(!format!("{config:?}").contains("ada:secret"), "a proxy's password is not shown");
    assert_eq!(config.state_dir, Path::new("/etc/twofold/state"));
    let (microsoft, google) = (config.microsoft365.unwrap(), config.google.unwrap());
    assert_eq!((microsoft.client_id.as_str(), microsoft.tenant.as_str()), ("m", "example.org"));
    assert_eq!(microsoft.login_url.as_str(), "http://localhost:4000/login");
    assert_eq!(google.client_secret, Some(Secret::File("/home/ada/secret".into())));
    assert_eq!(google.people_url.as_str(), "http://[::1]:4001/people/");
    let laptop = Device {
        name: "laptop".into(),
        path: "/home/ada/contacts".into(),
        kinds: vec![Kind::Mail, Kind::Calendar, Kind::Contacts],
        group: None,
        mode: None,
        vcard: VcardVersion::V3,
    };
    let phone = Device {
        name: "phone".into(),
        path: "/etc/phone".into(),
        kinds: vec![Kind::Contacts],
        group: Some("users".into()),
        mode: Some(0o640),
        vcard: VcardVersion::V4,
    };
    assert_eq!(config.devices, [laptop, phone]);
    let collections = [("microsoft365", "Contacts"), ("google", "default")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(config.joins, [Join { kind: Kind::Contacts, collections: collections.to_vec() }]);
    assert!(config.may_mail_attendees);
    let minute = Cadence::Every(60_000);
    let cron = Cadence::Cron("0 */5 8-18 * * MON-FRI".into());
    let cadences = [(Kind::Mail, minute), (Kind::Calendar, Cadence::Every(90_000)), (Kind::Contacts, cron)];
    assert_eq!((config.cadences, config.full_check), (cadences.into(), Cadence::Every(43_200_000)));
    let nightly = parse("[schedule]\nfull_check = \"0 0 3 * * *\"").unwrap();
    assert_eq!(nightly.full_check, Cadence::Cron("0 0 3 * * *".into()));
    assert_eq!(config.brakes[&Kind::Contacts], Brake { percent: 10, count: usize::MAX });
    assert_eq!(config.brakes[&Kind::Calendar], Brake { percent: 20, count: 200 });
    assert_eq!(config.brakes[&Kind::Mail], Brake { percent: 100, count: 50 });
    assert_eq!(config.retention_ms, 30 * 86_400_000);
    assert_eq!(config.network.ca_file.as_deref(), Some(Path::new("/etc/twofold/ca.pem")));
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_name() {
    for (what, text, line, nearest) in [
        ("at the top", "statedir = \"x\"", 1, "state_dir"),
        ("a table", "[history]\nretention = \"1d\"\n[gogle]\nclient_id = \"g\"", 3, "google"),
        ("in a provider", "[google]\nclient_id = \"g\"\npeople_uri = \"https://x\"", 3, "people_url"),
        ("in the other one", "[microsoft365]\nclientid = \"m\"", 2, "client_id"),
        ("in a device", "[[device]]\nname = \"a\"\npath = \"/a\"\nvcards = \"3.0\"", 4, "vcard"),
        ("in a join", "[[join]]\nkind = \"contacts\"\ncolections = []", 3, "collections"),
        ("in a provider's mail", "[google]\nclient_id = \"g\"\n[google.mail]\nexcludes = [\"x\"]", 4, "exclude"),
        ("in a secret", "[google]\nclient_id = \"g\"\nclient_secret = { fil = \"x\" }", 3, "file"),
        ("in brakes", "[brakes]\ncontact = \"5\"", 2, "contacts"),
        ("in network", "[network]\nca-file = \"x\"", 2, "ca_file"),
        ("in schedule", "[schedule]\nfullcheck = \"1h\"", 2, "full_check"),
        ("in calendar", "[calendar]\nmail_attendees = true", 2, "may_mail_attendees"),
        ("in endpoint", "[endpoint]\nlistens = \"127.0.0.1:1\"", 2, "listen"),
        ("in history", "[history]\nretain = \"1d\"", 2, "retention"),
        ("the first of two", "[history]\nretain = 1\nretentoin = \"1d\"", 2, "retention"),
    ] {
        let words = refusal(text);
        assert!(words.starts_with(&format!("/etc/twofold/config.toml:{line}: ")), "{what}: {words}");
        assert!(words.contains(&format!("The nearest key is \"{nearest}\"")), "{what}: {words}");
        assert!(words.contains("nothing was done"), "{what}: {words}");
    }
}

#[test]
fn a_key_that_is_like_none_is_told_with_those_that_there_are() {
    for (text, keys) in [
        ("[schedule]\ntasks = \"5m\"", "every, cron, full_check, mail, calendar, contacts"),
        ("[endpoint]\nport = 8420", "listen, token, names"),
    ] {
        let words = refusal(text);
        assert!(words.contains(&format!("Its keys are {keys};")), "{words}");
        assert!(!words.contains("nearest"), "{words}");
    }
}

#[test]
fn what_a_later_version_brings_is_refused_and_not_ignored() {
    let words = refusal("[[join]]\nkind = \"mail\"\ncollections = []");
    assert!(words.starts_with("/etc/twofold/config.toml:2: ") && words.contains("cannot be joined"), "{words}");
}

#[test]
fn values_that_do_not_fit_are_refused() {
    let google = |line: &str| format!("[google]\nclient_id = \"g\"\n{line}");
    let mail = |line: &str| google(&format!("[google.mail]\n{line}"));
    let device = |lines: &str| format!("[[device]]\nname = \"a\"\npath = \"/srv/a\"\n{lines}");
    let join = |list: &str| format!("{BOTH}[[join]]\nkind = \"contacts\"\ncollections = {list}");
    for (what, text, sentence) in [
        ("no TOML", "[google\nclient_id".to_owned(), "this is not TOML"),
        ("a key twice", "state_dir = \"a\"\nstate_dir = \"b\"".into(), "this is not TOML"),
        ("no client id", "[google]".into(), "client_id in [google] is missing"),
        ("an empty client id", "[google]\nclient_id = \"\"".into(), "client_id in [google] is empty"),
        ("a number for a string", "[google]\nclient_id = 7".into(), "must be a string"),
        ("a string for a table", "google = \"g\"".into(), "must be a table"),
        ("a tenant with a slash", "[microsoft365]\nclient_id = \"m\"\ntenant = \"a/b\"".into(), "is no tenant"),
        ("plain http", google("people_url = \"http://people.example\""), "is not https"),
        (
            "http to a name that begins like this machine's",
            google("people_url = \"http://localhost.example\""),
            "not https",
        ),
        ("http to a private address", google("auth_url = \"http://10.0.0.1\""), "is not https"),
        ("another scheme", google("token_url = \"ftp://127.0.0.1\""), "is not https"),
        ("no address", google("token_url = \"oauth2.googleapis.com\""), "is no address"),
        ("a password in an address", google("token_url = \"https://a:b@example.org\""), "a name or a password"),
        ("a query in an address", google("gmail_url = \"https://example.org/?a=b\""), "no plain address"),
        ("an empty list of kinds", google("kinds = []"), "kinds in [google] is empty"),
        ("a kind twice", google("kinds = [\"contacts\", \"contacts\"]"), "stands there twice"),
        ("an unknown kind", google("kinds = [\"tasks\"]"), "which is no kind"),
        ("a kind without brackets", google("kinds = \"contacts\""), "must be a list"),
        (
            "two places of a secret",
            google("client_secret = { file = \"a\", command = [\"b\"] }"),
            "one of file and command",
        ),
        ("no place of a secret", google("client_secret = {}"), "one of file and command"),
        ("an empty command", google("client_secret = { command = [] }"), "names no program"),
        ("no port to listen on", "[endpoint]\nlisten = \"127.0.0.1\"".into(), "no address and port"),
        ("a name to listen on", "[endpoint]\nlisten = \"localhost:1\"".into(), "no address and port"),
        ("all addresses without a token", "[endpoint]\nlisten = \"[::]:8420\"".into(), "there is no token"),
        ("a token that can be guessed", "[endpoint]\ntoken = \"fifteen letters\"".into(), "is too short"),
        ("a name with a port", "[endpoint]\nnames = [\"a.example:80\"]".into(), "no name of a machine"),
        ("an empty list of folders", mail("include = []"), "include in [google.mail] is empty"),
        ("folders without brackets", mail("exclude = \"Spam\""), "exclude in [google.mail] must be a list"),
        ("a folder twice", mail("exclude = [\"Spam\", \"spam\"]"), "exclude in [google.mail] names \"spam\" twice"),
        ("an unknown role", mail("exclude = [\"role:spam\"]"), "\"role:spam\", which is no folder"),
        ("a path with a gap", mail("exclude = [\"a//b\"]"), "\"a//b\", which is no folder"),
        ("a number for a folder", mail("exclude = [1]"), "must be a string"),
        ("a day that there is not", mail("since = \"2023-02-29\""), "since in [google.mail] is no day"),
        ("a day in another order", mail("since = \"01-02-2023\""), "is no day"),
        ("a day of four letters", mail("since = \"20-1-1\""), "is no day"),
        ("a day without quotes", mail("since = 2020-01-01"), "since in [google.mail] must be a string"),
        ("a size without a unit", mail("max_size = \"50\""), "max_size in [google.mail] is no size"),
        ("a size of nothing", mail("max_size = \"0MB\""), "is 0; nothing was done. Then no message"),
        (
            "a disk without a floor",
            "[disk]\nkeep_free = \"0MB\"".into(),
            "keep_free in [disk] is 0; nothing was done. Without a floor",
        ),
        ("a negative size", mail("max_size = \"-1MB\""), "is no size"),
        ("a size beyond all bounds", mail("max_size = \"99999999999GB\""), "is no size"),
        ("mail that is no table", google("mail = true"), "must be a table"),
        ("a device without brackets", "[device]\nname = \"a\"".into(), "two pairs of brackets"),
        ("a device without a name", "[[device]]\npath = \"/a\"".into(), "name in [[device]] is missing"),
        ("a device without a path", "[[device]]\nname = \"a\"".into(), "path in [[device]] is missing"),
        ("a name with a slash", "[[device]]\nname = \"a/b\"\npath = \"/a\"".into(), "is no simple name"),
        ("a name that begins with a dot", "[[device]]\nname = \".a\"\npath = \"/a\"".into(), "is no simple name"),
        ("a provider's name", "[[device]]\nname = \"google\"\npath = \"/a\"".into(), "means something else"),
        ("the joined folder's name", "[[device]]\nname = \"Joined\"\npath = \"/a\"".into(), "means something else"),
        ("another user's home", "[[device]]\nname = \"a\"\npath = \"~bob/x\"".into(), "another user's home"),
        ("an unknown vCard version", device("vcard = \"2.1\""), "no version that can be written"),
        ("an executable mode", device("mode = \"0755\""), "nobody execute"),
        ("a mode that everybody writes", device("mode = \"0666\""), "lets everybody write"),
        ("a mode without the owner", device("mode = \"0060\""), "owner read and write"),
        ("no mode at all", device("mode = \"rw\""), "is no octal number"),
        ("a group with a colon", device("group = \"a:b\""), "no name of a group"),
        ("a name twice", device("[[device]]\nname = \"a\"\npath = \"/srv/b\""), "\"a\" stands there twice"),
        ("a path twice", device("[[device]]\nname = \"b\"\npath = \"/srv/x/../a/\""), "one and the same folder"),
        ("a device inside another", device("[[device]]\nname = \"b\"\npath = \"/srv/a/b\""), "inside the other"),
        ("a device around another", device("[[device]]\nname = \"b\"\npath = \"/srv\""), "inside the other"),
        ("the state in a device", format!("state_dir = \"/srv/a/state\"\n{}", device("")), "holds the sign-ins"),
        ("a join of one", join("[\"google:default\"]"), "must name two"),
        ("a join at one provider", join("[\"google:a\", \"google:b\"]"), "second collection of the same provider"),
        ("a join with a device", join("[\"google:a\", \"laptop:b\"]"), "\"laptop\", which is no provider"),
        ("a join without a provider", join("[\"google:a\", \"b\"]"), "names no provider"),
        ("a join without a name", join("[\"google:a\", \"microsoft365:\"]"), "names no collection"),
        (
            "a collection in two joins",
            format!(
                "{}\n[[join]]\nkind = \"contacts\"\ncollections = [\"google:a\", \"microsoft365:c\"]",
                join("[\"google:a\", \"microsoft365:b\"]")
            ),
            "in another [[join]]",
        ),
        (
            "a join with a provider that is not there",
            google("[[join]]\nkind = \"contacts\"\ncollections = [\"google:a\", \"microsoft365:b\"]"),
            "names microsoft365, which is not configured",
        ),
        ("a join of mail", "[[join]]\nkind = \"mail\"".into(), "cannot be joined"),
        ("two schedules", "[schedule]\nevery = \"5m\"\ncron = \"0 * * * * *\"".into(), "stands beside \"every\""),
        ("no cron pattern", "[schedule]\ncron = \"every day\"".into(), "is no cron pattern"),
        ("no pattern of the full check", "[schedule]\nfull_check = \"at night\"".into(), "is no cron pattern"),
        ("a kind that is due never", "[schedule]\nmail = \"0 0 0 30 2 *\"".into(), "is no cron pattern"),
        ("a kind's schedule without a unit", "[schedule]\nmail = \"1\"".into(), "says no time"),
        ("a log of no form", "[log]\nformat = \"xml\"".into(), "is no form of a log"),
        ("a log of no level", "[log]\nlevel = \"loud\"".into(), "is no level of a log"),
        ("a webhook without https", "[notify]\nwebhook = \"http://example.com/x\"".into(), "is not https"),
        ("nobody's command", "[notify]\ncommand = [\"\"]".into(), "names no program"),
        ("a duration without a unit", "[schedule]\nevery = \"5\"".into(), "is no length of time"),
        ("a duration of nothing", "[history]\nretention = \"0d\"".into(), "is no length of time"),
        ("a negative duration", "[history]\nretention = \"-1d\"".into(), "is no length of time"),
        (
            "a duration beyond all bounds",
            "[history]\nretention = \"99999999999999999d\"".into(),
            "is no length of time",
        ),
        ("a unit of two bytes", "[schedule]\nevery = \"5µ\"".into(), "is no length of time"),
        ("a brake of nothing", "[brakes]\ncontacts = \"0%\"".into(), "is no brake"),
        ("a flag in quotes", "[calendar]\nmay_mail_attendees = \"true\"".into(), "true or false"),
        ("a proxy that is no address", "[network]\nproxy = \"proxy.corp\"".into(), "no address of a proxy"),
        ("a proxy of another kind", "[network]\nproxy = \"socks5://localhost:1\"".into(), "no address of a proxy"),
    ] {
        let words = refusal(&text);
        assert!(words.contains(sentence), "{what}: {words}");
        assert!(words.starts_with("/etc/twofold/config.toml:"), "{what}: {words}");
        assert!(words.contains("; nothing was done. "), "{what}: {words}");
    }
}

#[test]
fn two_devices_side_by_side_with_like_names_are_fine() {
    let text = "[[device]]\nname = \"a\"\npath = \"/srv/a\"\n[[device]]\nname = \"ab\"\npath = \"/srv/ab\"";
    assert_eq!(parse(text).unwrap().devices.len(), 2);
}

#[test]
fn one_folder_under_two_names_is_seen_through_a_symbolic_link() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("real")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("link")).unwrap();
    let text = "[[device]]\nname = \"a\"\npath = \"real/new\"\n[[device]]\nname = \"b\"\npath = \"link/new\"";
    let error = read(text, &dir.path().join("config.toml"), &Environment::of(ada)).unwrap_err();
    assert!(error.to_string().contains("one and the same folder"), "{error}");
}

#[test]
fn a_shell_meets_the_state_of_the_service_whose_configuration_it_reads() {
    let of = |path: &str, systemd: Option<&'static str>| {
        let get = move |name: &str| match name {
            "STATE_DIRECTORY" => systemd.map(OsString::from),
            name => ada(name),
        };
        read("", Path::new(path), &Environment::of(get)).unwrap().state_dir
    };
    for (path, state) in
        [("/etc/twofold/config.toml", "/var/lib/twofold"), ("/etc/twofold/bea.toml", "/var/lib/twofold/bea")]
    {
        assert_eq!(of(path, None), Path::new(state), "in a shell, by whomever");
        assert_eq!(of(path, Some(state)), Path::new(state), "as the service");
    }
    assert_eq!(of("/etc/twofold/config.toml", Some("/srv/state")), Path::new("/srv/state"), "systemd goes before");
    for path in ["/etc/twofold/more/config.toml", "/etc/config.toml", "/home/ada/.config/twofold/config.toml"] {
        assert_eq!(of(path, None), Path::new("/home/ada/.local/state/twofold"), "{path}");
    }
}

#[test]
fn the_state_stands_where_systemd_or_the_user_wants_it() {
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<&'a str>);
    let rows: [Row<'_>; 6] = [
        ("systemd", &[("STATE_DIRECTORY", "/var/lib/twofold"), ("HOME", "/root")], Some("/var/lib/twofold")),
        ("systemd names two", &[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")], Some("/var/lib/a")),
        ("XDG", &[("XDG_STATE_HOME", "/state"), ("HOME", "/home/ada")], Some("/state/twofold")),
        ("XDG that is not absolute", &[("XDG_STATE_HOME", "state"), ("HOME", "/h")], Some("/h/.local/state/twofold")),
        ("XDG that is empty", &[("XDG_STATE_HOME", ""), ("HOME", "/h")], Some("/h/.local/state/twofold")),
        ("nothing at all", &[], None),
    ];
    for (what, variables, expected) in rows {
        let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
        let config = read("", Path::new("/home/ada/.config/twofold/config.toml"), &Environment::of(get));
        match expected {
            Some(expected) => assert_eq!(config.unwrap().state_dir, Path::new(expected), "{what}"),
            None => assert!(config.unwrap_err().to_string().contains("Set state_dir"), "{what}"),
        }
    }
}

#[test]
fn the_configuration_is_looked_for_in_this_order() {
    let own = "/home/ada/.config/twofold/config.toml";
    let environment = Environment::of(ada);
    let expected = ["./config.toml", own, "/etc/twofold/config.toml"].map(PathBuf::from).to_vec();
    assert_eq!(candidates(None, &environment), (expected, false));
    assert_eq!(candidates(Some(Path::new("x.toml")), &environment), (vec!["x.toml".into()], true));
    let named = Environment::of(|name| (name == "TWOFOLD_CONFIG").then(|| "y.toml".into()));
    assert_eq!(candidates(None, &named), (vec!["y.toml".into()], true));
    assert_eq!(candidates(Some(Path::new("x.toml")), &named), (vec!["x.toml".into()], true));
}

#[test]
fn a_configuration_that_was_named_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let error = Config::load(Some(&path)).unwrap_err().to_string();
    assert!(
        error.contains("config.toml") && error.contains("nothing was done") && error.contains("--config"),
        "{error}"
    );
    std::fs::write(&path, "[history]\nretention = \"7d\"\n").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().retention_ms, 7 * 86_400_000);
}

#[test]
fn lengths_of_time_are_read() {
    for (text, expected) in [
        ("90s", Some(90_000)),
        ("5m", Some(300_000)),
        ("24h", Some(86_400_000)),
        ("180d", Some(15_552_000_000)),
        ("5 m", Some(300_000)),
        ("", None),
        ("m", None),
        ("+5m", None),
        ("1.5h", None),
        ("5w", None),
    ] {
        assert_eq!(duration_ms(text), expected, "{text}");
    }
}

#[test]
fn a_secret_is_read_from_where_it_is_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "s3cret\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let file = Secret::File(path.clone());
    assert_eq!(file.read("client_secret").unwrap(), "s3cret");
    assert_eq!(Secret::Plain("s3cret".into()).read("client_secret").unwrap(), "s3cret");
    let command = Secret::Command(vec!["echo".into(), "s3cret".into()]);
    assert_eq!(command.read("client_secret").unwrap(), "s3cret");
    assert!(!format!("{:?} {command:?}", Secret::Plain("s3cret".into())).contains("s3cret"));

    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let words = file.read("client_secret").unwrap_err().to_string();
    assert!(words.contains(&format!("chmod 600 {}", path.display())), "{words}");
    assert!(words.contains("0640") && !words.contains("s3cret"), "{words}");
}

#[test]
fn a_secret_that_cannot_be_had_is_an_error_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    std::fs::set_permissions(&empty, PermissionsExt::from_mode(0o600)).unwrap();
    let words = |list: &[&str]| Secret::Command(list.iter().map(|word| (*word).to_owned()).collect());
    for (what, secret, sentence) in [
        ("no file", Secret::File(dir.path().join("none")), "cannot be read"),
        ("an empty file", Secret::File(empty), "is empty"),
        ("no program", words(&["/nonexistent/program"]), "cannot be run"),
        ("a program that fails", words(&["false"]), "failed (exit status: 1)"),
        ("a program that says nothing", words(&["true"]), "is empty"),
        ("two lines", words(&["printf", "a\\nb\\n"]), "several lines"),
    ] {
        let error = secret.read("client_secret").expect_err(what).to_string();
        assert!(error.contains(sentence), "{what}: {error}");
    }
}

#[test]
fn what_of_mail_is_kept_is_said_for_each_provider() {
    let config = parse(BOTH).unwrap();
    assert_eq!((config.google.unwrap().mail, config.microsoft365.unwrap().mail), Default::default());
    let text = format!(
        "{BOTH}[google.mail]\nexclude = [\" Spam \", \"role:trash\"]\nsince = \"1970-01-02\"\n\
         [microsoft365.mail]\ninclude = [\"Projects/2024\"]\nmax_size = \"500 kb\""
    );
    let config = parse(&text).unwrap();
    let names = |names: &[Name]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let google = config.google.unwrap().mail;
    assert_eq!((names(&google.include).len(), names(&google.exclude)), (0, vec!["Spam".into(), "role:trash".into()]));
    assert_eq!(google.limits, Limits { since_ms: Some(86_400_000), max_size: None });
    let microsoft = config.microsoft365.unwrap().mail;
    assert_eq!((names(&microsoft.include), microsoft.exclude.len()), (vec!["Projects/2024".to_owned()], 0));
    assert_eq!(microsoft.limits, Limits { since_ms: None, max_size: Some(500_000) });
}

#[test]
fn the_service_listens_only_where_the_section_stands_and_elsewhere_only_with_a_token() {
    assert_eq!(parse(BOTH).unwrap().endpoint, None);
    let of = |lines: &str| parse(&format!("{BOTH}[endpoint]\n{lines}")).unwrap().endpoint.unwrap();
    let usual = of("");
    assert_eq!((usual.listen.to_string().as_str(), usual.token, usual.names.len()), ("127.0.0.1:8420", None, 0));
    assert_eq!(of("listen = \"[::1]:9\"").listen.to_string(), "[::1]:9");
    let open = of("listen = \"0.0.0.0:8420\"\ntoken = \"0123456789abcdef\"\nnames = [\"Sync.example.org\"]");
    assert_eq!(
        (open.token, open.names),
        (Some(Secret::Plain("0123456789abcdef".into())), vec!["sync.example.org".into()])
    );
}
