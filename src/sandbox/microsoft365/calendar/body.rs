//! What an event says: its properties, its times, and for a series its rule with what was done to single days.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, NaiveDateTime};
use serde_json::{Map, Value, json};

use super::rule::Rule;
use super::zones::{When, Zone};
use super::{people, places};

/// What an event says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Body {
    /// Everything plain, in the form in which it is shown.
    pub fields: Map<String, Value>,
    pub start: When,
    pub end: When,
    /// Single-value extended properties: canonical id and value.
    pub extended: Vec<(String, String)>,
    /// For a series.
    pub series: Option<Series>,
}

/// A rule with what was done to its single days.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub rule: Rule,
    /// By the day on which the occurrence would have been.
    pub exceptions: BTreeMap<NaiveDate, Override>,
    pub cancelled: BTreeSet<NaiveDate>,
}

/// What one occurrence says of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Override {
    pub fields: Map<String, Value>,
    pub times: Option<(When, When)>,
    pub extended: Vec<(String, String)>,
}

impl Body {
    /// An event that nobody has said anything about: a quarter of an hour's warning, busy, an hour that is still to be set.
    pub fn empty(organizer: &Value) -> Self {
        let Value::Object(fields) = json!({
            "categories": [],
            "reminderMinutesBeforeStart": 15,
            "isReminderOn": true,
            "subject": "",
            "importance": "normal",
            "sensitivity": "normal",
            "isAllDay": false,
            "isCancelled": false,
            "isOrganizer": true,
            "responseRequested": true,
            "showAs": "busy",
            "isOnlineMeeting": false,
            "onlineMeetingProvider": "unknown",
            "allowNewTimeProposals": true,
            "isDraft": false,
            "hideAttendees": false,
            "responseStatus": { "response": "organizer", "time": people::NEVER },
            "body": { "contentType": "html", "content": "" },
            "location": places::none(),
            "locations": [],
            "attendees": [],
            "organizer": organizer,
        }) else {
            unreachable!("the text above is an object")
        };
        let never = When { local: NaiveDateTime::default(), zone: Zone::utc() };
        Self { fields, start: never.clone(), end: never, extended: Vec::new(), series: None }
    }

    /// Whether a property is true.
    pub fn is(&self, name: &str) -> bool {
        self.fields.get(name) == Some(&Value::Bool(true))
    }

    /// The addresses of the people asked to come.
    pub fn guests(&self) -> Vec<String> {
        people::addresses(self.fields.get("attendees").unwrap_or(&Value::Null))
    }

    /// What the occurrence of this day says; the day must be one of the rule's.
    pub fn on(&self, date: NaiveDate) -> Self {
        let (start, end) = self.times_on(date);
        let mut one = Self { start, end, series: None, ..self.clone() };
        let Some(own) = self.series.as_ref().and_then(|series| series.exceptions.get(&date)) else {
            return one;
        };
        one.fields.extend(own.fields.clone());
        for (id, value) in &own.extended {
            one.extended.retain(|(have, _)| have != id);
            one.extended.push((id.clone(), value.clone()));
        }
        one
    }

    /// When the occurrence of this day would be by the rule.
    pub fn planned_on(&self, date: NaiveDate) -> (When, When) {
        let moved = date - self.start.local.date();
        let start = When { local: self.start.local + moved, zone: self.start.zone.clone() };
        let end = if self.start.zone == self.end.zone {
            When { local: self.end.local + moved, zone: self.end.zone.clone() }
        } else {
            let instant = start.instant() + (self.end.instant() - self.start.instant());
            When { local: self.end.zone.local(instant), zone: self.end.zone.clone() }
        };
        (start, end)
    }

    /// When the occurrence of this day is.
    pub fn times_on(&self, date: NaiveDate) -> (When, When) {
        let own = self.series.as_ref().and_then(|series| series.exceptions.get(&date)?.times.clone());
        own.unwrap_or_else(|| self.planned_on(date))
    }

    /// Makes the exceptions of a series say what they said in `old`, so that they do not follow their master.
    pub fn leave_exceptions(&mut self, old: &Self) {
        let Some(mut series) = self.series.take() else { return };
        for (date, own) in &mut series.exceptions {
            let said = old.on(*date).beyond(self);
            for (name, value) in said.fields {
                own.fields.entry(name).or_insert(value);
            }
            if own.times.is_none() && old.times_on(*date) != self.planned_on(*date) {
                own.times = Some(old.times_on(*date));
            }
        }
        self.series = Some(series);
    }

    /// What sets this body apart from another: the override that makes `other` into it.
    pub fn beyond(&self, other: &Self) -> Override {
        let differs = |(name, value): &(&String, &Value)| other.fields.get(*name) != Some(*value);
        let fields = self.fields.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone()));
        let has_own_times = self.start != other.start || self.end != other.end;
        Override {
            fields: fields.collect(),
            times: has_own_times.then(|| (self.start.clone(), self.end.clone())),
            extended: self.extended.iter().filter(|pair| !other.extended.contains(pair)).cloned().collect(),
        }
    }
}
