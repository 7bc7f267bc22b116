//! Time zones by their Windows and IANA names, and local times in them.

use chrono::{LocalResult, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde_json::{Value, json};
use windows_timezones::WindowsTimezone;

use super::super::reply::Refusal;
use crate::Switches;

/// What a zone is called whose rules are nobody's but its own.
pub(super) const CUSTOM: [&str; 2] = ["tzone://Microsoft/Custom", "Customized Time Zone"];
/// Names that CLDR's table knows under an older one.
const RENAMED: [(&str, &str); 10] = [
    ("Asia/Kolkata", "Asia/Calcutta"),
    ("Asia/Kathmandu", "Asia/Katmandu"),
    ("Asia/Yangon", "Asia/Rangoon"),
    ("Asia/Ho_Chi_Minh", "Asia/Saigon"),
    ("Europe/Kyiv", "Europe/Kiev"),
    ("America/Nuuk", "America/Godthab"),
    ("America/Argentina/Buenos_Aires", "America/Buenos_Aires"),
    ("America/Indiana/Indianapolis", "America/Indianapolis"),
    ("Atlantic/Faroe", "Atlantic/Faeroe"),
    ("Africa/Asmara", "Africa/Asmera"),
];

/// A zone: what it is called, and the rules behind the name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zone {
    pub name: String,
    tz: Tz,
}

impl Zone {
    /// The zone that answers are in when nothing is asked for.
    pub fn utc() -> Self {
        Self { name: "UTC".into(), tz: Tz::UTC }
    }

    /// The zone of a Windows or IANA name.
    pub fn named(name: &str) -> Option<Self> {
        let tz = name.parse::<WindowsTimezone>().map(Tz::from).ok().or_else(|| name.parse().ok())?;
        Some(Self { name: name.to_owned(), tz })
    }

    /// A zone under a name that does not say its rules, such as [`CUSTOM`].
    pub fn nameless(name: &str, rules: &Self) -> Self {
        Self { name: name.to_owned(), tz: rules.tz }
    }

    /// The zone as the service keeps it: under its Windows name, where it has one and the switch says so.
    fn kept(self, switches: &Switches) -> Self {
        match self.windows().filter(|_| switches.graph_zones_become_windows) {
            Some(windows) => Self { name: windows.name().to_owned(), tz: windows.into() },
            None => self,
        }
    }

    fn windows(&self) -> Option<WindowsTimezone> {
        let renamed = RENAMED.iter().find(|(new, _)| *new == self.tz.name());
        let older = renamed.and_then(|(_, old)| old.parse::<Tz>().ok());
        WindowsTimezone::try_from(self.tz).or_else(|_| WindowsTimezone::try_from(older.unwrap_or(self.tz))).ok()
    }

    /// Whether two names mean the same rules.
    pub fn is_same(&self, other: &Self) -> bool {
        self.tz == other.tz || self.windows().is_some_and(|windows| other.windows() == Some(windows))
    }

    /// The local time of an instant.
    pub fn local(&self, utc: NaiveDateTime) -> NaiveDateTime {
        self.tz.from_utc_datetime(&utc).naive_local()
    }

    /// The instant of a local time: the first of two, and after a gap for one that the clocks left out.
    pub fn instant(&self, local: NaiveDateTime) -> NaiveDateTime {
        match self.tz.from_local_datetime(&local) {
            LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.naive_utc(),
            LocalResult::None => {
                let before = self.tz.from_local_datetime(&(local - TimeDelta::hours(3)));
                before.earliest().map_or(local, |time| time.naive_utc()) + TimeDelta::hours(3)
            }
        }
    }
}

/// A local time in its zone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct When {
    pub local: NaiveDateTime,
    pub zone: Zone,
}

impl When {
    /// The instant, in UTC.
    pub fn instant(&self) -> NaiveDateTime {
        self.zone.instant(self.local)
    }

    /// The same instant in another zone.
    pub fn in_zone(&self, zone: &Zone) -> Self {
        if *zone == self.zone {
            return self.clone();
        }
        Self { local: zone.local(self.instant()), zone: zone.clone() }
    }

    /// As a `dateTimeTimeZone`.
    pub fn shown(&self) -> Value {
        json!({ "dateTime": shown(self.local), "timeZone": self.zone.name })
    }

    /// Reads a `dateTimeTimeZone`.
    pub fn read(name: &str, sent: &Value, switches: &Switches) -> Result<Self, Refusal> {
        let wrong = || {
            let text = format!("Cannot convert the value given for '{name}' to 'microsoft.graph.dateTimeTimeZone'.");
            Refusal::body(text)
        };
        let object = sent.as_object().ok_or_else(wrong)?;
        if let Some(unknown) = object.keys().find(|key| !["dateTime", "timeZone"].contains(&key.as_str())) {
            return Err(Refusal::no_property(unknown, "dateTimeTimeZone"));
        }
        let zone = object.get("timeZone").and_then(Value::as_str).unwrap_or_default();
        let zone = Zone::named(zone).ok_or_else(|| not_supported(zone))?;
        let local = object.get("dateTime").and_then(Value::as_str).and_then(read_local).ok_or_else(wrong)?;
        Ok(Self { local, zone: zone.kept(switches) })
    }
}

/// The refusal of a zone that has no such name.
pub(super) fn not_supported(name: &str) -> Refusal {
    let text =
        format!("A valid TimeZone value must be specified. The following TimeZone value is not supported: '{name}'.");
    Refusal::new(400, "TimeZoneNotSupportedException", text)
}

/// A local time, with a time of day and without an offset.
pub(super) fn read_local(text: &str) -> Option<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
        .ok()
}

/// A local time as Graph writes it: seven decimals, no offset.
pub(super) fn shown(local: NaiveDateTime) -> String {
    let decimals = local.and_utc().timestamp_subsec_nanos() % 1_000_000_000 / 100;
    format!("{}.{decimals:07}", local.format("%Y-%m-%dT%H:%M:%S"))
}

/// The zones that the mailbox knows, under their Windows names.
pub(super) fn windows_names() -> Vec<&'static str> {
    let mut names: Vec<&str> =
        TZ_VARIANTS.iter().filter_map(|tz| WindowsTimezone::try_from(*tz).ok()).map(|zone| zone.name()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The zones that the mailbox knows, under their IANA names.
pub(super) fn iana_names() -> Vec<&'static str> {
    TZ_VARIANTS.iter().map(|tz| tz.name()).collect()
}
