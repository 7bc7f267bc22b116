//! Time zones: names, rules, and which zone a name means.
//!
//! A series keeps the zone that it was made in. Places name zones differently: IANA names ([`iana`]), Windows' names
//! ([`windows`]), names of the sender's own with a definition beside them ([`vtimezone`]). [`resolve`] finds the IANA zone that is
//! meant, or says that there is none. What a zone's clocks show is told by its [`Rules`], read from a zone file
//! ([`Rules::from_tzif`]) or a definition.
//!
//! Where zone files come from is the business of whoever calls: [`Zones`].

mod names;
mod rules;
mod tzif;
pub mod vtimezone;
pub mod windows;

pub use names::{iana, stated_offset};
pub use rules::{Observance, Rules, Span};
pub use tzif::TzifError;

use std::sync::Arc;

/// The rules of all IANA zones.
pub trait Zones: Send + Sync {
    /// The rules of a zone by its IANA name as IANA spells it; `None` for a name that is none.
    fn rules(&self, name: &str) -> Option<Arc<Rules>>;

    /// The names of all zones, in an order that is always the same.
    fn names(&self) -> Vec<String>;
}

/// The IANA name by which a zone goes in contents, for one of its names in any case: `Asia/Kolkata` for `asia/calcutta`. A name
/// that is not known stays.
pub fn canonical(name: &str) -> String {
    names::known(name).map_or_else(|| name.to_owned(), |name| names::canonical(name).to_owned())
}

/// What a name, with or without a definition, means.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolved {
    /// An IANA zone, by its canonical name.
    Iana(String),
    /// Rules that no IANA zone has over the span.
    Custom {
        /// What they are.
        rules: Arc<Rules>,
        /// The IANA zone that the name means, where the definition says otherwise.
        named: Option<String>,
    },
    /// Nobody knows.
    Unknown,
}

/// Finds the zone that a name means for an event with times within `span`.
///
/// The IANA name of a place wins whatever the definition beside it says: the zone files say what its clocks show, and definitions
/// grow old in the files that they came with. Another name that is known ([`iana`]) wins unless the definition says otherwise within
/// the span ([`Rules::contradict`]). Then, and for names that are not known, it is the zone that has the definition's rules
/// ([`find`]).
pub fn resolve(zones: &dyn Zones, tzid: &str, definition: Option<&Rules>, span: &Span) -> Resolved {
    let named = iana(tzid).map(str::to_owned).or_else(|| {
        // A zone that is newer than our table of names, but not than the zone files.
        zones.rules(tzid).map(|_| tzid.to_owned())
    });
    let named = named.and_then(|name| Some((zones.rules(&name)?, name)));
    let definition = definition.filter(|_| named.is_none() || !names::is_place(tzid));
    let stated = || stated_offset(tzid).map(Rules::fixed);
    match (named, definition.cloned().or_else(stated)) {
        (Some((_, name)), None) => Resolved::Iana(name),
        (Some((known, name)), Some(rules)) if !rules.contradict(&known, span) => Resolved::Iana(name),
        (named, Some(rules)) => match find(zones, &rules, span) {
            Some(name) => Resolved::Iana(name),
            None => Resolved::Custom { rules: Arc::new(rules), named: named.map(|(_, name)| name) },
        },
        (None, None) => Resolved::Unknown,
    }
}

/// The IANA zone that shows the same times as `rules` over the span, by its canonical name. Of several the one that also agrees
/// afterwards, then the one that stands for a Windows name, from west to east, then the first by name; of none that changes within
/// the span, and none that agrees afterwards, the fixed offset.
pub fn find(zones: &dyn Zones, rules: &Rules, span: &Span) -> Option<String> {
    let mut candidates: Vec<String> = windows::representatives().map(str::to_owned).collect();
    candidates.extend(zones.names().into_iter().filter(|name| canonical(name) == *name));
    let equal = |span: &Span| {
        let is_equal = |name: &&String| zones.rules(name).is_some_and(|known| rules.same_over(&known, span));
        candidates.iter().find(is_equal).cloned()
    };
    let fixed = || {
        let offset_s = rules.offset_at(rules.to_utc(span.from));
        let name = names::of_offset(offset_s)?;
        rules.same_over(&Rules::fixed(offset_s), span).then(|| name.to_owned())
    };
    let endless = Span { until: None, ..*span };
    // Rules that never change again are a fixed offset, whatever zone happens to have stopped changing as well.
    let is_settled =
        fixed().filter(|_| rules.same_over(&Rules::fixed(rules.offset_at(rules.to_utc(span.from))), &endless));
    is_settled.or_else(|| equal(&endless)).or_else(fixed).or_else(|| equal(span))
}
