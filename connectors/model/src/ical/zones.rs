//! The zones that an item names: those of the world, and those of the sender's own, whose rules came with them.

use crate::event::UTC;
use crate::zone::{Resolved, Rules, Span, Zones, resolve, vtimezone};
use crate::{Content, event};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The zones of the world, and what names and definitions turned out to mean: to find it, changes of centuries and hundreds of
/// zones are compared, and thousands of items come with the same definition.
pub(super) struct Atlas {
    zones: Arc<dyn Zones>,
    known: Mutex<HashMap<Question, Resolved>>,
}

/// A TZID, its definition, and the first and the last year in which it has to be right.
type Question = (String, Option<String>, i32, Option<i32>);

/// Answers that are kept, at most.
const MOST_KEPT: usize = 500;

impl Atlas {
    pub(super) fn new(zones: Arc<dyn Zones>) -> Self {
        Self { zones, known: Mutex::default() }
    }

    fn resolve(&self, tzid: &str, definition: Option<&str>, span: &Span) -> Resolved {
        let years = (span.from.year(), span.until.map(|until| until.year()));
        let question = (tzid.to_owned(), definition.map(str::to_owned), years.0, years.1);
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(&question) {
            return known.clone();
        }
        // Whole years, so that the answer is the same for all items of them.
        let new_year = |year| NaiveDate::from_ymd_opt(year, 1, 1).map(|day| day.and_time(NaiveTime::MIN));
        let span = Span {
            from: new_year(years.0).unwrap_or(span.from),
            until: years.1.and_then(|year| new_year(year + 1)).or(span.until),
        };
        let rules = definition.and_then(|text| vtimezone::parse(text).ok()).map(|definition| definition.rules);
        let found = resolve(self.zones.as_ref(), tzid, rules.as_ref(), &span);
        let mut known = known();
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(question, found.clone());
        found
    }
}

/// Zones by their names in contents: IANA names, and `/…` for a zone of the sender's own.
#[derive(Clone)]
pub(super) struct World<'a> {
    atlas: &'a Atlas,
    own: BTreeMap<String, Arc<Rules>>,
}

/// Definitions of one file that are compared with all zones there are, at most.
const MOST_COMPARED: usize = 20;

impl<'a> World<'a> {
    /// The zones of the world.
    pub(super) fn new(atlas: &'a Atlas) -> Self {
        Self { atlas, own: BTreeMap::new() }
    }

    /// The zones that a content names too.
    pub(super) fn with(mut self, content: &Content) -> Self {
        let own = content.get("timeZones").and_then(Value::as_object).into_iter().flatten();
        for (zone, entry) in own.take(MOST_COMPARED) {
            let text = entry.get("component").and_then(Value::as_str);
            if let Some(definition) = text.and_then(|text| vtimezone::parse(text).ok()) {
                self.own.insert(zone.clone(), Arc::new(definition.rules));
            }
        }
        self
    }

    /// What a TZID means for an item with times within `span`; `definition` is its VTIMEZONE, if there is one.
    pub(super) fn resolve(&mut self, tzid: &str, definition: Option<&str>, span: &Span) -> String {
        let definition = definition.filter(|_| self.own.len() < MOST_COMPARED);
        let own = format!("/{tzid}");
        match self.atlas.resolve(tzid, definition, span) {
            Resolved::Iana(name) => name,
            Resolved::Custom { rules, .. } => {
                self.own.insert(own.clone(), rules);
                own
            }
            Resolved::Unknown => own,
        }
    }

    /// The rules of a zone; `None` where nobody knows them.
    pub(super) fn rules(&self, zone: &str) -> Option<Arc<Rules>> {
        match zone {
            UTC => Some(Arc::new(Rules::utc())),
            own if own.starts_with('/') => self.own.get(own).cloned(),
            zone => self.atlas.zones.rules(zone),
        }
    }

    /// The instant, in UTC, at which the clocks of a zone show `local`.
    pub(super) fn to_utc(&self, zone: &str, local: NaiveDateTime) -> Option<NaiveDateTime> {
        Some(self.rules(zone)?.to_utc(local).naive_utc())
    }

    /// What the clocks of a zone show at an instant in UTC.
    pub(super) fn to_local(&self, zone: &str, utc: NaiveDateTime) -> Option<NaiveDateTime> {
        Some(self.rules(zone)?.to_local(utc.and_utc()))
    }

    /// The lines of a VTIMEZONE for an IANA zone that is right for all times of an item.
    pub(super) fn vtimezone(&self, zone: &str, content: &Content) -> Option<Vec<String>> {
        let from = earliest(content)?;
        Some(vtimezone::write(zone, self.rules(zone)?.as_ref(), &Span { from, until: None }))
    }
}

/// The earliest start of an item.
fn earliest(content: &Content) -> Option<NaiveDateTime> {
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
    let local = |value: Option<&Value>| value.and_then(Value::as_str).and_then(event::local);
    let starts = overrides.flat_map(|(key, patch)| [event::local(key), local(patch.get("start"))]);
    local(content.get("start")).into_iter().chain(starts.flatten()).min()
}
