//! Events read in full: a series with its exceptions and the days taken out.
//!
//! Three things tell of exceptions: `exceptionOccurrences`, `cancelledOccurrences`, and Exchange's own bytes, which name every day that
//! is not as the rule says, without a window ([`super::blob`]). Where they do not agree, the series' instances around the days in
//! question are asked; where it is still not known what became of a day, the rendering says that it is not whole.

use super::blob::{self, Index};
use super::sheet::Sheet;
use super::wire::{Event, PENDING, RECUR};
use super::{Calendars, api, no_answer, number, one};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use twofold_http::{Effect, Part, Response};
use twofold_model::{Error, ErrorKind, Result};

/// How far the instances of a series are asked for where nothing names its exceptions: the widest window that Graph takes (K).
const WINDOW_DAYS: i64 = 1_825;

/// From when until when instances are asked for.
type Window = (DateTime<Utc>, DateTime<Utc>);

/// What a look at one event found.
pub(super) enum Look {
    /// It is there: itself, or the series that it is an occurrence of.
    There(Box<Sheet>),
    /// The server says that there is no such event.
    Nowhere,
}

impl Calendars {
    /// Looks at events, twenty to a batch, and at the series of those that are occurrences.
    pub(super) async fn look(&self, ids: &[String]) -> Vec<Result<Look>> {
        let mut events = self.read_events(ids).await;
        // An occurrence is a part of its series; where that cannot be seen, it is an item of its own.
        let masters: BTreeSet<String> =
            events.iter().flatten().flatten().filter_map(|event| Some(master_of(event)?.to_owned())).collect();
        let asked: Vec<String> = masters.into_iter().collect();
        let series: HashMap<String, Result<Option<Event>>> =
            asked.iter().cloned().zip(self.read_events(&asked).await).collect();
        for event in &mut events {
            let master = event.as_ref().ok().and_then(Option::as_ref).and_then(master_of).map(str::to_owned);
            match master.and_then(|master| series.get(&master)) {
                Some(Ok(Some(series))) => *event = Ok(Some(series.clone())),
                Some(Err(error)) if error.kind != ErrorKind::Forbidden => *event = Err(crate::again(error)),
                _ => {}
            }
        }
        let mut looks = Vec::with_capacity(events.len());
        for event in events {
            looks.push(match event {
                Ok(Some(event)) => self.whole(event).await.map(|sheet| Look::There(Box::new(sheet))),
                Ok(None) => Ok(Look::Nowhere),
                Err(error) => Err(error),
            });
        }
        looks
    }

    /// The events of these ids as the server has them; `None`: there is none.
    pub(super) async fn read_events(&self, ids: &[String]) -> Vec<Result<Option<Event>>> {
        let is_bare = self.memory().has_no_exceptions;
        let mut events = self.ask_events(ids, if is_bare { api::bare_event } else { api::event }).await;
        let is_refused =
            |event: &Result<_>| event.as_ref().is_err_and(|error: &Error| error.kind == ErrorKind::Refused);
        let at: Vec<usize> = (0..ids.len()).filter(|at| !is_bare && is_refused(&events[*at])).collect();
        let again: Vec<String> = at.iter().map(|at| ids[*at].clone()).collect();
        for (at, event) in at.into_iter().zip(self.ask_events(&again, api::bare_event).await) {
            // What is understood without those members was refused because of them.
            self.memory().has_no_exceptions |= matches!(event, Ok(Some(_)));
            events[at] = event;
        }
        events
    }

    async fn ask_events(&self, ids: &[String], ask: fn(&'static str, &str) -> Part) -> Vec<Result<Option<Event>>> {
        let mut asks: Vec<Part> = ids.iter().map(|id| ask("e", id)).collect();
        number(&mut asks);
        let mut answers = self.graph.all("read events", Effect::Read, &asks).await.into_iter();
        ids.iter().map(|_| read_event(answers.next().unwrap_or_else(|| Err(no_answer())))).collect()
    }

    /// A series with all that is known of its exceptions.
    async fn whole(&self, mut event: Event) -> Result<Sheet> {
        let listed = |event: &mut Event, name: &str| match event.0.shift_remove(name) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        };
        let exceptions = listed(&mut event, "exceptionOccurrences");
        let cancelled = listed(&mut event, "cancelledOccurrences");
        let mut sheet = Sheet::of(event);
        sheet.is_partial = take_pending(&mut sheet.event).is_some();
        let recur = take_property(&mut sheet.event, RECUR);
        if !sheet.event.is_series() {
            return Ok(sheet);
        }
        sheet.exceptions = exceptions.iter().flatten().cloned().filter_map(Event::from_value).collect();
        let day = |text: &Value| Some(text.as_str()?.rsplit('.').next()?.to_owned());
        sheet.cancelled = cancelled.iter().flatten().filter_map(day).collect();
        let is_told = exceptions.is_some() && cancelled.is_some();
        self.fill_exceptions(&mut sheet).await?;
        match recur.and_then(|bytes| blob::read(&bytes)) {
            Some(index) => {
                let missing = self.missing(&sheet, &index);
                if !missing.is_empty() && exceptions.is_some() && cancelled.is_none() {
                    sheet.cancelled.extend(missing.iter().map(NaiveDate::to_string));
                } else if !missing.is_empty() {
                    self.ask_missing(&mut sheet, &missing, &index).await;
                }
            }
            None if !is_told => self.ask_from_start(&mut sheet).await,
            None => {}
        }
        sheet.exceptions.sort_by(|a, b| a.text("originalStart").cmp(&b.text("originalStart")));
        sheet.cancelled.sort();
        sheet.cancelled.dedup();
        Ok(sheet)
    }

    /// Exceptions that came without the start that names them are asked for one by one.
    async fn fill_exceptions(&self, sheet: &mut Sheet) -> Result<()> {
        let is_thin = |event: &Event| event.original_start().is_none() || !event.0.contains_key("start");
        let at: Vec<usize> = (0..sheet.exceptions.len()).filter(|at| is_thin(&sheet.exceptions[*at])).collect();
        let mut asks: Vec<Part> =
            at.iter().filter_map(|at| Some(api::exception("x", sheet.exceptions[*at].id()?))).collect();
        if asks.len() < at.len() {
            return Err(Error::new(ErrorKind::Malformed, "an exception came without an id"));
        }
        number(&mut asks);
        let mut answers = self.graph.all("read exceptions", Effect::Read, &asks).await.into_iter();
        for at in at {
            match read_event(answers.next().unwrap_or_else(|| Err(no_answer())))? {
                Some(whole) => {
                    // What only the expansion told (an `occurrenceId`) stays.
                    let thin = std::mem::replace(&mut sheet.exceptions[at], whole);
                    for (name, value) in thin.0 {
                        sheet.exceptions[at].0.entry(name).or_insert(value);
                    }
                }
                // It went away between the two looks.
                None => sheet.is_partial = true,
            }
        }
        Ok(())
    }

    /// The days that the index names and the lists do not.
    fn missing(&self, sheet: &Sheet, index: &Index) -> BTreeSet<NaiveDate> {
        let known = sheet.exceptions.iter().filter_map(|exception| self.times().key(&sheet.event, exception));
        let mut known: BTreeSet<String> = known.map(|key| key[..10].to_owned()).collect();
        known.extend(sheet.cancelled.iter().cloned());
        index.changed.iter().copied().filter(|day| !known.contains(&day.to_string())).collect()
    }

    /// Asks what became of these days of a series: around them, and around the days to which occurrences were moved. What cannot be told
    /// leaves the rendering not whole.
    async fn ask_missing(&self, sheet: &mut Sheet, missing: &BTreeSet<NaiveDate>, index: &Index) {
        let days: BTreeSet<NaiveDate> = missing.iter().chain(&index.moved_to).copied().collect();
        let windows: Vec<Window> = days.iter().filter_map(|day| window(*day, 2)).collect();
        let Ok(found) = self.ask_instances(&sheet.event, &windows).await else {
            sheet.is_partial = true;
            return;
        };
        for day in missing {
            match found.iter().find(|(key, _)| key.starts_with(&day.to_string())) {
                Some((_, row)) if is_changed(row) => sheet.exceptions.push(row.clone()),
                // It is there, as the rule says: the index is older than that.
                Some(_) => {}
                None => sheet.cancelled.push(day.to_string()),
            }
        }
        // An exception that the index knows and nobody found must not be taken for one that was taken out.
        sheet.is_partial |= sheet.exceptions.len() < index.moved_to.len();
    }

    /// Asks for the exceptions of a series of which nothing names them, in the years after its start. There may be others later, and
    /// what was taken out is not told at all, so that the rendering is not whole.
    async fn ask_from_start(&self, sheet: &mut Sheet) {
        sheet.is_partial = true;
        let windows: Vec<Window> =
            self.start_day(&sheet.event).and_then(|day| window(day, WINDOW_DAYS - 2)).into_iter().collect();
        let Ok(found) = self.ask_instances(&sheet.event, &windows).await else { return };
        let known: BTreeSet<String> =
            sheet.exceptions.iter().filter_map(|exception| self.times().key(&sheet.event, exception)).collect();
        let new = found.into_iter().filter(|(key, row)| is_changed(row) && !known.contains(key));
        sheet.exceptions.extend(new.map(|(_, row)| row));
    }

    /// The instances of a series within these windows, by their keys.
    async fn ask_instances(&self, series: &Event, windows: &[Window]) -> Result<BTreeMap<String, Event>> {
        let id = series.id().unwrap_or_default();
        let mut asks: Vec<Part> = windows.iter().map(|(from, until)| api::instances("i", id, *from, *until)).collect();
        number(&mut asks);
        let mut found = BTreeMap::new();
        for answer in self.graph.all("read instances", Effect::Read, &asks).await {
            let rows = self.all_rows(answer?).await?;
            found.extend(rows.into_iter().filter_map(|row| Some((self.instance_key(series, &row)?, row))));
        }
        Ok(found)
    }

    fn start_day(&self, series: &Event) -> Option<NaiveDate> {
        let mut when = serde_json::Map::new();
        self.times().read(series, &mut when).ok()?;
        Some(twofold_model::event::local(when.get("start")?.as_str()?)?.date())
    }

    /// The key of a row of `/instances`: of an occurrence that is as the rule says, its start is its original start.
    fn instance_key(&self, series: &Event, row: &Event) -> Option<String> {
        if row.original_start().is_some() {
            return self.times().key(series, row);
        }
        let is_plain = row.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("occurrence"));
        let mut when = serde_json::Map::new();
        self.times().read(row, &mut when).ok()?;
        when.get("start")?.as_str().filter(|_| is_plain).map(str::to_owned)
    }

    /// The one instance of a series by its key: exactly that original start, exactly one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none; Malformed where several say that they are it.
    pub(super) async fn instance(&self, series: &Event, key: &str) -> Result<Event> {
        let day = key.get(..10).and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
        let (from, until) = day
            .and_then(|day| window(day, 2))
            .ok_or_else(|| Error::new(ErrorKind::Malformed, "the start of an occurrence is none"))?;
        let ask = api::instances("i", series.id().unwrap_or_default(), from, until);
        let answer = one(self.graph.all("find an occurrence", Effect::Read, &[ask]).await)?;
        let rows = self.all_rows(answer).await?;
        let mut hits = rows.into_iter().filter(|row| self.instance_key(series, row).as_deref() == Some(key));
        match (hits.next(), hits.next()) {
            (Some(hit), None) => Ok(hit),
            (None, _) => Err(Error::new(ErrorKind::NotFound, format!("the series has no occurrence of {key}"))),
            (Some(_), Some(_)) => {
                Err(Error::new(ErrorKind::Malformed, format!("the series has several occurrences of {key}")))
            }
        }
    }
}

/// The overrides that are still to be written on a series, out of an event that was read.
pub(super) fn take_pending(event: &mut Event) -> Option<String> {
    take_property(event, PENDING).filter(|text| text != super::write::NOTHING_PENDING)
}

/// Takes an extended property out of an event: it is not part of what the event says.
fn take_property(event: &mut Event, id: &str) -> Option<String> {
    let text = event.property(id).map(str::to_owned)?;
    if let Some(Value::Array(list)) = event.0.get_mut(crate::properties::PROPERTIES) {
        list.retain(|one| !one.get("id").and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(id)));
        if list.is_empty() {
            event.0.shift_remove(crate::properties::PROPERTIES);
        }
    }
    Some(text)
}

fn is_changed(row: &Event) -> bool {
    row.text("type").is_some_and(|kind| kind.eq_ignore_ascii_case("exception"))
}

fn master_of(event: &Event) -> Option<&str> {
    event.master_id().filter(|_| event.is_occurrence())
}

/// The day before a day until `days` after it, in UTC: wide enough for each zone.
fn window(day: NaiveDate, days: i64) -> Option<Window> {
    let midnight = day.and_hms_opt(0, 0, 0)?.and_utc();
    Some((midnight - Duration::days(1), midnight + Duration::days(days)))
}

/// A page for people, or half an answer, says nothing of this event: that is the way here, and passes.
fn read_event(answer: Result<Response>) -> Result<Option<Event>> {
    let passing = |mut error: Error| {
        if error.kind == ErrorKind::Malformed {
            error.kind = ErrorKind::Unknown;
        }
        error
    };
    match answer.map_err(passing) {
        Ok(answer) => match api::read_event(&answer) {
            Ok(event) => Ok(Some(event)),
            Err(error) if answer.json::<Value>().is_err() => Err(passing(error)),
            Err(error) => Err(error),
        },
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
