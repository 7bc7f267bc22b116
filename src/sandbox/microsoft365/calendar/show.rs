//! An event as an answer shows it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, SecondsFormat};
use serde_json::{Map, Value, json};

use super::super::html;
use super::super::store::IdForm;
use super::body::Body;
use super::fields::{CANCELLED, ONLINE_MEETING, PROPERTIES};
use super::query::View;
use super::store::{BIN, Event, Moment, event_id, occurrence_id, uid_on};
use super::zones::{When, Zone};
use super::{blob, calendars, zones};
use crate::{State, Switches};

/// An event as it was at one moment, or the occurrence of one day of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub key: u64,
    pub event: &'a Event,
    pub moment: &'a Moment,
    pub date: Option<NaiveDate>,
}

impl<'a> Item<'a> {
    /// An event as it is now.
    pub fn now(state: &'a State, key: u64, date: Option<NaiveDate>) -> Self {
        let event = &state.microsoft.calendar.events[&key];
        Self { key, event, moment: event.now(), date }
    }

    /// What it says, the rule of a series left out for its occurrences.
    pub fn body(&self) -> Cow<'a, Body> {
        match self.date {
            Some(date) => Cow::Owned(self.moment.body.on(date)),
            None => Cow::Borrowed(&self.moment.body),
        }
    }

    /// Its id in this form.
    pub fn id(&self, form: IdForm) -> String {
        let master = event_id(self.key, self.moment.moves, form);
        self.date.map_or_else(|| master.clone(), |date| occurrence_id(&master, date))
    }

    /// The change key is the series', whichever occurrence is looked at.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.moment.change_key)
    }

    /// `singleInstance`, `seriesMaster`, `occurrence` or `exception`.
    pub fn kind(&self) -> &'static str {
        match (&self.moment.body.series, self.date) {
            (None, _) => "singleInstance",
            (Some(_), None) => "seriesMaster",
            (Some(series), Some(date)) if series.exceptions.contains_key(&date) => "exception",
            (Some(_), Some(_)) => "occurrence",
        }
    }

    /// The `iCalUId`.
    pub fn uid(&self) -> String {
        self.date.map_or_else(|| self.event.uid.clone(), |date| uid_on(&self.event.uid, date))
    }

    /// When the rule has this occurrence, as an instant.
    pub fn original_start(&self, switches: &Switches) -> Option<String> {
        let start = self.moment.body.planned_on(self.date?).0;
        // Seen in the field: for a whole day it is midnight in the series' zone.
        let is_date = self.moment.body.is("isAllDay") && !switches.graph_all_day_original_start_in_zone;
        let instant = if is_date { start.local } else { start.instant() };
        Some(instant.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// What a view shows of an item.
pub(super) fn show(state: &State, item: &Item<'_>, view: &View) -> Map<String, Value> {
    let body = item.body();
    let mut shown = Map::from_iter([("@odata.etag".to_owned(), item.etag().into())]);
    for (name, _) in PROPERTIES.iter().filter(|(name, _)| view.wants(name, &state.switches)) {
        let value = value(state, item, &body, view, name);
        if *name == "transactionId" && value.is_null() {
            continue;
        }
        insert(&mut shown, name, value, &state.switches);
    }
    if view.wants(ONLINE_MEETING, &state.switches) {
        let meeting = body.fields.get(ONLINE_MEETING).cloned().unwrap_or_default();
        insert(&mut shown, ONLINE_MEETING, meeting, &state.switches);
    }
    if view.selects(CANCELLED) {
        let master = event_id(item.key, item.moment.moves, view.form);
        let series = item.moment.body.series.as_ref().filter(|_| item.date.is_none());
        let days = series.into_iter().flat_map(|series| &series.cancelled);
        let ids: Vec<String> = days.map(|date| occurrence_name(&master, *date)).collect();
        shown.insert(CANCELLED.into(), ids.into());
    }
    let extended = extended(item, &body, view, &state.switches);
    if !extended.is_empty() {
        shown.insert("singleValueExtendedProperties".into(), extended.into());
    }
    if view.has_exceptions {
        let select = view.select.clone().filter(|_| state.switches.graph_select_reaches_exceptions);
        let inner = View { select, has_exceptions: false, has_calendar: false, ..view.clone() };
        let series = item.moment.body.series.as_ref().filter(|_| item.date.is_none());
        let days = series.into_iter().flat_map(|series| series.exceptions.keys());
        let rows: Vec<Value> =
            days.map(|date| show(state, &Item { date: Some(*date), ..*item }, &inner).into()).collect();
        shown.insert("exceptionOccurrences".into(), rows.into());
    }
    if view.has_calendar
        && let Some(key) = item.moment.calendar.filter(|key| *key != BIN)
    {
        shown.insert("calendar".into(), calendars::show(state, key, None).into());
    }
    shown
}

fn insert(shown: &mut Map<String, Value>, name: &str, value: Value, switches: &Switches) {
    let is_empty = match &value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    if !(is_empty && switches.graph_omits_empty) {
        shown.insert(name.into(), value);
    }
}

fn value(state: &State, item: &Item<'_>, body: &Body, view: &View, name: &str) -> Value {
    match name {
        "id" => item.id(view.form).into(),
        "createdDateTime" => stamp(item.event.created_ms).into(),
        "lastModifiedDateTime" => stamp(item.moment.modified_ms).into(),
        "changeKey" => item.moment.change_key.clone().into(),
        "originalStartTimeZone" => body.start.zone.name.clone().into(),
        "originalEndTimeZone" => body.end.zone.name.clone().into(),
        "iCalUId" => item.uid().into(),
        "uid" => item.event.uid.clone().into(),
        "hasAttachments" => (!item.event.attachments.is_empty()).into(),
        "bodyPreview" => html::preview(&body.fields["body"]).into(),
        "seriesMasterId" => item.date.map(|_| event_id(item.key, item.moment.moves, view.form)).into(),
        "type" => item.kind().into(),
        "webLink" => {
            let id = super::super::links::escape(&item.id(view.form));
            format!("https://outlook.office365.com/owa/?itemid={id}&exvsurl=1&path=/calendar/item").into()
        }
        "onlineMeetingUrl" => Value::Null,
        "occurrenceId" => {
            item.date.map(|date| occurrence_name(&event_id(item.key, item.moment.moves, view.form), date)).into()
        }
        "originalStart" => item.original_start(&state.switches).into(),
        "body" if view.is_text => {
            json!({ "contentType": "text", "content": html::as_text(&body.fields["body"]) })
        }
        "start" => time(body, &body.start, view.zone.as_ref()),
        "end" => time(body, &body.end, view.zone.as_ref()),
        "recurrence" => body.series.as_ref().map(|series| series.rule.shown()).into(),
        name => body.fields.get(name).cloned().unwrap_or_default(),
    }
}

/// A time in the zone asked for. A whole day is from midnight to midnight whatever the zone.
fn time(body: &Body, when: &When, zone: Option<&Zone>) -> Value {
    let utc = Zone::utc();
    let zone = zone.unwrap_or(&utc);
    if body.is("isAllDay") {
        return json!({ "dateTime": zones::shown(when.local), "timeZone": zone.name });
    }
    When { local: when.in_zone(zone).local, zone: zone.clone() }.shown()
}

/// What `cancelledOccurrences` and `occurrenceId` call a day.
fn occurrence_name(master: &str, date: NaiveDate) -> String {
    format!("OID.{master}.{date}")
}

/// A time as events carry it: with decimals where there are any.
pub(super) fn stamp(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn extended(item: &Item<'_>, body: &Body, view: &View, switches: &Switches) -> Vec<Value> {
    let is_asked = |(id, _): &&(String, String)| view.expand.contains(id);
    let mut shown: Vec<Value> =
        body.extended.iter().filter(is_asked).map(|(id, value)| json!({ "id": id, "value": value })).collect();
    if switches.graph_shows_recurrence_bytes
        && item.date.is_none()
        && view.expand.iter().any(|id| id == blob::ID)
        && let Some(value) = blob::write(body)
    {
        shown.push(json!({ "id": blob::ID, "value": value }));
    }
    shown
}

/// An event in full in its own zones, for a test to compare or change: as written, with extended properties, and for a
/// series its exceptions and cancelled days by their days.
pub(super) fn dump(state: &State, key: u64, date: Option<NaiveDate>) -> Value {
    let item = Item::now(state, key, date);
    let body = item.body();
    let view = View::whole(IdForm::Immutable);
    let mut whole = show(state, &item, &view);
    whole.insert("start".into(), body.start.shown());
    whole.insert("end".into(), body.end.shown());
    let extended = body.extended.iter().map(|(id, value)| json!({ "id": id, "value": value }));
    whole.insert("singleValueExtendedProperties".into(), extended.collect());
    let Some(series) = body.series.as_ref() else { return whole.into() };
    let exceptions = series.exceptions.keys().map(|date| (date.to_string(), dump(state, key, Some(*date))));
    whole.insert("exceptions".into(), exceptions.collect::<Map<_, _>>().into());
    let cancelled = series.cancelled.iter().map(NaiveDate::to_string).map(Value::from);
    whole.insert("cancelled".into(), cancelled.collect());
    whole.into()
}
