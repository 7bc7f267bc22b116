//! Names of zones: which are IANA's, which of several names of one zone is used, and what programs write in their place.

use super::windows;
use std::collections::HashMap;
use std::sync::OnceLock;

/// The IANA name in that spelling or another case; `None` for what is none.
pub fn known(name: &str) -> Option<&'static str> {
    static NAMES: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let listed = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let aliased = ALIASES.iter().flat_map(|(alias, name)| [*alias, *name]);
        listed.chain(aliased).map(|name| (name.to_ascii_lowercase(), name)).collect()
    });
    names.get(&name.to_ascii_lowercase()).copied()
}

/// The name that a zone goes by now: of `Asia/Calcutta` it is `Asia/Kolkata`. Only names of one place are brought together;
/// `Europe/Oslo` stays what it is, although its clocks are Berlin's.
pub fn canonical(name: &'static str) -> &'static str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}

/// The other names of a zone.
pub(super) fn aliases_of(name: &str) -> impl Iterator<Item = &'static str> {
    ALIASES.iter().filter(move |(_, own)| *own == name).map(|(alias, _)| *alias)
}

/// The IANA zone that a place's name for a zone means by itself, by its canonical name ([`super::canonical`]). `None` where the
/// name says nothing for certain: then a definition decides, or nobody.
pub fn iana(name: &str) -> Option<&'static str> {
    let name = plain(name);
    let name = name.as_str();
    known(name)
        .map(canonical)
        .or_else(|| windows::to_iana(name))
        .or_else(|| utc(name))
        .or_else(|| windows::shown_as(name))
        .or_else(|| in_path(name))
        .or_else(|| misspelt(name))
}

/// Whether a name is written as IANA names a place: `Europe/Berlin`, `US/Eastern`. Names without an area (`EST`, `GMT`) and offsets
/// (`Etc/GMT+5`) are none: programs write the former for zones with summer time, and the latter in the wrong direction.
pub(super) fn is_place(name: &str) -> bool {
    let is_area = |area: &str| area.bytes().all(|b| b.is_ascii_alphabetic()) && !area.eq_ignore_ascii_case("Etc");
    plain(name).split_once('/').is_some_and(|(area, _)| !area.is_empty() && is_area(area))
}

/// Without quotes, escapes and blanks around.
fn plain(name: &str) -> String {
    let name = name.trim().trim_matches('"').trim();
    name.replace("\\,", ",").replace("\\;", ";")
}

fn utc(name: &str) -> Option<&'static str> {
    const UTC: [&str; 4] = ["Z", "tzone://Microsoft/Utc", "Coordinated Universal Time", "UTC+00:00"];
    UTC.iter().any(|word| word.eq_ignore_ascii_case(name)).then_some("Etc/UTC")
}

/// `/mozilla.org/20070129_1/Europe/Berlin`, `/freeassociation.sourceforge.net/Tzfile/Europe/Vienna`: the name stands at the end.
fn in_path(name: &str) -> Option<&'static str> {
    let mut rest = name.strip_prefix('/')?;
    while let Some((_, inner)) = rest.split_once('/') {
        if let Some(name) = known(inner) {
            return Some(canonical(name));
        }
        rest = inner;
    }
    None
}

/// `America-Chicago`, `America/Los Angeles`.
fn misspelt(name: &str) -> Option<&'static str> {
    let underscored = name.replace(' ', "_");
    let by_dash = || underscored.split_once('-').and_then(|(area, place)| known(&format!("{area}/{place}")));
    known(&underscored).or_else(by_dash).map(canonical)
}

/// The offset that a name states, in seconds east of UTC: `GMT+0100`, `UTC+01:00`, `UTC+1`, `+01:00`. `GMT+1` is not taken: half
/// of those who write it mean the other direction.
pub fn stated_offset(name: &str) -> Option<i32> {
    let name = plain(name).to_ascii_uppercase();
    let (offset, is_gmt) = match name.strip_prefix("GMT") {
        Some(offset) => (offset.trim(), true),
        None => (name.strip_prefix("UTC").unwrap_or(&name).trim(), false),
    };
    let (sign, digits) = match offset.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, offset.strip_prefix('+')?),
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), 4 | 5) if minutes.len() == 2 => (hours, minutes),
        (None, 4) if digits.is_ascii() => digits.split_at(2),
        (None, 1 | 2) if !is_gmt => (digits, "0"),
        _ => return None,
    };
    let all_digits = hours.bytes().chain(minutes.bytes()).all(|byte| byte.is_ascii_digit());
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (all_digits && hours <= 14 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The IANA zone of a fixed offset of whole hours. POSIX counts them the other way round.
pub(super) fn of_offset(offset_s: i32) -> Option<&'static str> {
    let hours = -offset_s / 3600;
    match offset_s % 3600 {
        0 if offset_s == 0 => Some("Etc/UTC"),
        0 => known(&format!("Etc/GMT{hours:+}")),
        _ => None,
    }
}

/// Other names of one place, and the name it goes by now: facts of the tz database (its file `backward`, in the public domain).
const ALIASES: [(&str, &str); 140] = [
    ("Africa/Asmera", "Africa/Asmara"),
    ("Africa/Timbuktu", "Africa/Bamako"),
    ("America/Argentina/ComodRivadavia", "America/Argentina/Catamarca"),
    ("America/Atka", "America/Adak"),
    ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
    ("America/Catamarca", "America/Argentina/Catamarca"),
    ("America/Coral_Harbour", "America/Atikokan"),
    ("America/Cordoba", "America/Argentina/Cordoba"),
    ("America/Ensenada", "America/Tijuana"),
    ("America/Fort_Wayne", "America/Indiana/Indianapolis"),
    ("America/Godthab", "America/Nuuk"),
    ("America/Indianapolis", "America/Indiana/Indianapolis"),
    ("America/Jujuy", "America/Argentina/Jujuy"),
    ("America/Knox_IN", "America/Indiana/Knox"),
    ("America/Louisville", "America/Kentucky/Louisville"),
    ("America/Mendoza", "America/Argentina/Mendoza"),
    ("America/Montreal", "America/Toronto"),
    ("America/Nipigon", "America/Toronto"),
    ("America/Pangnirtung", "America/Iqaluit"),
    ("America/Porto_Acre", "America/Rio_Branco"),
    ("America/Rainy_River", "America/Winnipeg"),
    ("America/Rosario", "America/Argentina/Cordoba"),
    ("America/Santa_Isabel", "America/Tijuana"),
    ("America/Shiprock", "America/Denver"),
    ("America/Thunder_Bay", "America/Toronto"),
    ("America/Virgin", "America/St_Thomas"),
    ("America/Yellowknife", "America/Edmonton"),
    ("Antarctica/South_Pole", "Antarctica/McMurdo"),
    ("Asia/Ashkhabad", "Asia/Ashgabat"),
    ("Asia/Calcutta", "Asia/Kolkata"),
    ("Asia/Choibalsan", "Asia/Ulaanbaatar"),
    ("Asia/Chongqing", "Asia/Shanghai"),
    ("Asia/Chungking", "Asia/Shanghai"),
    ("Asia/Dacca", "Asia/Dhaka"),
    ("Asia/Harbin", "Asia/Shanghai"),
    ("Asia/Istanbul", "Europe/Istanbul"),
    ("Asia/Kashgar", "Asia/Urumqi"),
    ("Asia/Katmandu", "Asia/Kathmandu"),
    ("Asia/Macao", "Asia/Macau"),
    ("Asia/Rangoon", "Asia/Yangon"),
    ("Asia/Saigon", "Asia/Ho_Chi_Minh"),
    ("Asia/Tel_Aviv", "Asia/Jerusalem"),
    ("Asia/Thimbu", "Asia/Thimphu"),
    ("Asia/Ujung_Pandang", "Asia/Makassar"),
    ("Asia/Ulan_Bator", "Asia/Ulaanbaatar"),
    ("Atlantic/Faeroe", "Atlantic/Faroe"),
    ("Australia/ACT", "Australia/Sydney"),
    ("Australia/Canberra", "Australia/Sydney"),
    ("Australia/Currie", "Australia/Hobart"),
    ("Australia/LHI", "Australia/Lord_Howe"),
    ("Australia/NSW", "Australia/Sydney"),
    ("Australia/North", "Australia/Darwin"),
    ("Australia/Queensland", "Australia/Brisbane"),
    ("Australia/South", "Australia/Adelaide"),
    ("Australia/Tasmania", "Australia/Hobart"),
    ("Australia/Victoria", "Australia/Melbourne"),
    ("Australia/West", "Australia/Perth"),
    ("Australia/Yancowinna", "Australia/Broken_Hill"),
    ("Brazil/Acre", "America/Rio_Branco"),
    ("Brazil/DeNoronha", "America/Noronha"),
    ("Brazil/East", "America/Sao_Paulo"),
    ("Brazil/West", "America/Manaus"),
    ("Canada/Atlantic", "America/Halifax"),
    ("Canada/Central", "America/Winnipeg"),
    ("Canada/Eastern", "America/Toronto"),
    ("Canada/Mountain", "America/Edmonton"),
    ("Canada/Newfoundland", "America/St_Johns"),
    ("Canada/Pacific", "America/Vancouver"),
    ("Canada/Saskatchewan", "America/Regina"),
    ("Canada/Yukon", "America/Whitehorse"),
    ("Chile/Continental", "America/Santiago"),
    ("Chile/EasterIsland", "Pacific/Easter"),
    ("Cuba", "America/Havana"),
    ("Egypt", "Africa/Cairo"),
    ("Eire", "Europe/Dublin"),
    ("Etc/GMT+0", "Etc/GMT"),
    ("Etc/GMT-0", "Etc/GMT"),
    ("Etc/GMT0", "Etc/GMT"),
    ("Etc/Greenwich", "Etc/GMT"),
    ("Etc/UCT", "Etc/UTC"),
    ("Etc/Universal", "Etc/UTC"),
    ("Etc/Zulu", "Etc/UTC"),
    ("Europe/Belfast", "Europe/London"),
    ("Europe/Kiev", "Europe/Kyiv"),
    ("Europe/Nicosia", "Asia/Nicosia"),
    ("Europe/Tiraspol", "Europe/Chisinau"),
    ("Europe/Uzhgorod", "Europe/Kyiv"),
    ("Europe/Zaporozhye", "Europe/Kyiv"),
    ("GB", "Europe/London"),
    ("GB-Eire", "Europe/London"),
    ("GMT", "Etc/GMT"),
    ("GMT+0", "Etc/GMT"),
    ("GMT-0", "Etc/GMT"),
    ("GMT0", "Etc/GMT"),
    ("Greenwich", "Etc/GMT"),
    ("Hongkong", "Asia/Hong_Kong"),
    ("Iceland", "Atlantic/Reykjavik"),
    ("Iran", "Asia/Tehran"),
    ("Israel", "Asia/Jerusalem"),
    ("Jamaica", "America/Jamaica"),
    ("Japan", "Asia/Tokyo"),
    ("Kwajalein", "Pacific/Kwajalein"),
    ("Libya", "Africa/Tripoli"),
    ("Mexico/BajaNorte", "America/Tijuana"),
    ("Mexico/BajaSur", "America/Mazatlan"),
    ("Mexico/General", "America/Mexico_City"),
    ("NZ", "Pacific/Auckland"),
    ("NZ-CHAT", "Pacific/Chatham"),
    ("Navajo", "America/Denver"),
    ("PRC", "Asia/Shanghai"),
    ("Pacific/Enderbury", "Pacific/Kanton"),
    ("Pacific/Johnston", "Pacific/Honolulu"),
    ("Pacific/Ponape", "Pacific/Pohnpei"),
    ("Pacific/Samoa", "Pacific/Pago_Pago"),
    ("Pacific/Truk", "Pacific/Chuuk"),
    ("Pacific/Yap", "Pacific/Chuuk"),
    ("Poland", "Europe/Warsaw"),
    ("Portugal", "Europe/Lisbon"),
    ("ROC", "Asia/Taipei"),
    ("ROK", "Asia/Seoul"),
    ("Singapore", "Asia/Singapore"),
    ("Turkey", "Europe/Istanbul"),
    ("UCT", "Etc/UTC"),
    ("US/Alaska", "America/Anchorage"),
    ("US/Aleutian", "America/Adak"),
    ("US/Arizona", "America/Phoenix"),
    ("US/Central", "America/Chicago"),
    ("US/East-Indiana", "America/Indiana/Indianapolis"),
    ("US/Eastern", "America/New_York"),
    ("US/Hawaii", "Pacific/Honolulu"),
    ("US/Indiana-Starke", "America/Indiana/Knox"),
    ("US/Michigan", "America/Detroit"),
    ("US/Mountain", "America/Denver"),
    ("US/Pacific", "America/Los_Angeles"),
    ("US/Pacific-New", "America/Los_Angeles"),
    ("US/Samoa", "Pacific/Pago_Pago"),
    ("UTC", "Etc/UTC"),
    ("Universal", "Etc/UTC"),
    ("W-SU", "Europe/Moscow"),
    ("Zulu", "Etc/UTC"),
];
