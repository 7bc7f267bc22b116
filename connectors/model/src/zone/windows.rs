//! Windows' names of zones, after CLDR's table (windowsZones).

use super::names::{aliases_of, canonical, known};
use std::sync::OnceLock;
use windows_timezones::WindowsTimezone;

/// The IANA zone of a Windows name, in any case, for no territory in particular: `W. Europe Standard Time` is `Europe/Berlin`.
pub fn to_iana(name: &str) -> Option<&'static str> {
    all().find(|zone| zone.name().eq_ignore_ascii_case(name)).map(|zone| canonical(zone.tzdb_id()))
}

/// The Windows name of an IANA zone, by whichever of its names the table has it (`Asia/Kolkata` stands there as
/// `Asia/Calcutta`). `None` for a zone that Windows does not know.
pub fn from_iana(iana: &str) -> Option<&'static str> {
    let name = known(iana)?;
    let own = canonical(name);
    let names = [name, own].into_iter().chain(aliases_of(own));
    names
        .filter_map(|name| name.parse::<chrono_tz::Tz>().ok())
        .find_map(|zone| WindowsTimezone::try_from(zone).ok())
        .map(WindowsTimezone::name)
}

/// The IANA zone that Windows shows under a text (`(UTC+01:00) Amsterdam, Berlin, …`). Older programs write GMT for UTC, or
/// leave the offset out.
pub(super) fn shown_as(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let bare = |text: &str| text.split_once(") ").map(|(_, places)| places.trim().to_ascii_lowercase());
    let head = |text: &str| text.split_once(')').map(|(head, _)| head.to_ascii_uppercase().replace("GMT", "UTC"));
    let is_shown = |zone: &WindowsTimezone| {
        let shown = zone.description();
        match text.starts_with('(') {
            true => bare(text).is_some() && bare(text) == bare(shown) && head(text) == head(shown),
            false => bare(shown).is_some_and(|places| places.eq_ignore_ascii_case(text)),
        }
    };
    let mut found = all().filter(is_shown);
    // Of places that stand at two zones nobody knows which is meant.
    let zone = found.next().filter(|_| found.next().is_none())?;
    Some(canonical(zone.tzdb_id()))
}

/// The zones that stand for each Windows name, from west to east; those of one country within a wider zone
/// (`Pacific Standard Time (Mexico)`) come after all others.
pub(super) fn representatives() -> impl Iterator<Item = &'static str> {
    let is_part = |zone: &WindowsTimezone| zone.name().contains('(');
    let wide = all().filter(move |zone| !is_part(zone));
    wide.chain(all().filter(is_part)).map(|zone| canonical(zone.tzdb_id()))
}

/// All names, from west to east.
fn all() -> impl Iterator<Item = WindowsTimezone> {
    static ALL: OnceLock<Vec<WindowsTimezone>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let named = chrono_tz::TZ_VARIANTS.iter().filter_map(|zone| WindowsTimezone::try_from(*zone).ok());
        let mut all: Vec<WindowsTimezone> = named.collect();
        // The table stands in that order.
        all.sort_by_key(|zone| *zone as u32);
        all.dedup();
        all
    });
    all.iter().copied()
}
