//! config.example.toml is true: it loads as it stands, it loads with every setting switched on, and its defaults are the defaults.

use std::path::{Path, PathBuf};
use twofold::config::{Config, Secret, VcardVersion};
use twofold_model::Kind;
use twofold_model::email::scope::{Limits, Scope};

fn example() -> (String, PathBuf) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.toml");
    (std::fs::read_to_string(&path).unwrap(), path)
}

/// The example with every setting switched on: `#key = …` becomes `key = …`, prose (`# …`) stays.
fn with_everything() -> String {
    let (text, _) = example();
    let is_setting = |line: &str| line.len() > 1 && line.starts_with('#') && !line.starts_with("# ");
    let lines: Vec<&str> = text.lines().map(|line| if is_setting(line) { &line[1..] } else { line }).collect();
    lines.join("\n")
}

#[test]
fn the_example_loads_as_it_stands() {
    let (_, path) = example();
    let config = Config::load(Some(&path)).unwrap();
    assert_eq!(config.path, path);
    let google = config.google.unwrap();
    assert!(matches!(google.client_secret, Some(Secret::File(_))));
    assert_eq!(config.microsoft365.unwrap().kinds, [Kind::Mail, Kind::Calendar, Kind::Contacts]);
    assert_eq!(config.devices.len(), 1);
    assert!(config.joins.is_empty() && !config.may_mail_attendees && config.endpoint.is_none());
}

#[test]
fn the_example_loads_with_every_setting_switched_on() {
    let config = Config::parse(&with_everything(), Path::new("/etc/twofold/config.toml")).unwrap();
    let device = &config.devices[0];
    assert_eq!((device.group.as_deref(), device.mode, device.vcard), (Some("users"), Some(0o660), VcardVersion::V3));
    assert_eq!(config.joins.len(), 1);
    assert!(config.network.proxy.is_some() && config.network.ca_file.is_some());
    assert_eq!(config.keep_free, Some(500_000_000));
    let endpoint = config.endpoint.unwrap();
    assert_eq!((endpoint.listen.to_string().as_str(), endpoint.names.len()), ("127.0.0.1:8420", 1));
    assert!(matches!(endpoint.token, Some(Secret::File(_))));
    let notify = config.notify;
    assert!(notify.webhook.is_some() && notify.file.is_some() && notify.command.len() == 3);
}

#[test]
fn the_defaults_in_the_example_are_the_defaults() {
    let (text, path) = example();
    let (bare, mut full) = (Config::parse(&text, &path).unwrap(), Config::parse(&with_everything(), &path).unwrap());
    // What is an example and not a default: state_dir (the environment may say otherwise), group, mode, join, network, and what of mail
    // is left out.
    let (google, microsoft) = (full.google.as_mut().unwrap(), full.microsoft365.as_mut().unwrap());
    assert!(microsoft.shared_limit.take().is_some(), "an example, and no default");
    for scope in [&mut google.mail, &mut microsoft.mail] {
        assert_eq!(scope.limits, Limits { since_ms: Some(1_577_836_800_000), max_size: Some(50_000_000) });
        assert!(!scope.include.is_empty() && !scope.exclude.is_empty());
        *scope = Scope::default();
    }
    assert_eq!(bare.cadences[&Kind::Calendar], full.cadences[&Kind::Calendar]);
    assert_eq!(bare.full_check, full.full_check);
    assert_eq!((bare.retention_ms, bare.may_mail_attendees), (full.retention_ms, full.may_mail_attendees));
    assert_eq!((&bare.brakes, bare.log), (&full.brakes, full.log));
    assert_eq!((&bare.devices[0].kinds, bare.devices[0].vcard), (&full.devices[0].kinds, full.devices[0].vcard));
    assert_eq!(format!("{:?}", bare.google), format!("{:?}", full.google));
    assert_eq!(format!("{:?}", bare.microsoft365), format!("{:?}", full.microsoft365));
}

#[test]
fn every_key_that_can_be_set_stands_in_the_example() {
    let text = with_everything();
    let keys: Vec<&str> = text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    for (table, known) in [
        ("", &["state_dir"][..]),
        ("[microsoft365]", &["client_id", "tenant", "kinds", "login_url", "graph_url", "shared_limit"]),
        ("[google]", &["client_secret", "auth_url", "token_url", "gmail_url", "calendar_url", "people_url"]),
        ("[google.mail]", &["include", "exclude", "since", "max_size"]),
        ("[microsoft365.mail]", &["include", "exclude", "since", "max_size"]),
        ("[[device]]", &["name", "path", "group", "mode", "vcard"]),
        ("[[join]]", &["kind", "collections"]),
        ("[calendar]", &["may_mail_attendees"]),
        ("[schedule]", &["every", "mail", "calendar", "contacts", "full_check"]),
        ("[brakes]", &["contacts", "calendar", "mail"]),
        ("[history]", &["retention"]),
        ("[network]", &["proxy", "ca_file"]),
        ("[disk]", &["keep_free"]),
        ("[endpoint]", &["listen", "token", "names"]),
        ("[log]", &["format", "level"]),
        ("[notify]", &["webhook", "file", "command"]),
    ] {
        assert!(table.is_empty() || text.lines().any(|line| line == table), "{table}");
        for key in known {
            assert!(keys.contains(key), "{key} of {table}");
            // The name one letter off is refused, and the refusal names the key: it is still one.
            let wrong = Config::parse(&format!("{table}\n{key}x = 1\n"), Path::new("config.toml")).unwrap_err();
            assert!(wrong.to_string().contains(&format!("The nearest key is \"{key}\"")), "{wrong}");
        }
    }
}
