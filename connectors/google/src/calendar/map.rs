//! The lens of a calendar: what a rendering says as an event, and how a rendering is edited until it says a given event. Pure.
//!
//! Google's fields hold what they have a place for (the *native* event); the rest travels in private extended properties of the
//! master ([`twofold_model::carry`]). Choices worth knowing:
//! * What Google could only say wrongly is refused as *not representable*: a series in a zone of the sender's own, a cancelled
//!   event that stays, a series that ends in another zone than it starts in, a rule that is none of RFC 5545.
//! * A floating time is told on the clocks of the calendar's zone, an event that happens once in a zone of the sender's own in UTC;
//!   the carry-all brings both back, until somebody moves the event there.
//! * An occurrence without its series, which Google makes of invitations alone, stands there as an event of its own; it is an
//!   occurrence again wherever the carry-all is read, until somebody touches it there. Several of one series have no such place.
//! * People are edited where the event has some, and never added to one that has none: they travel along. Only a new meeting of the
//!   user's own that is to ask its guests ([`Lens::inviting`]) has them from the start.
//! * A description is HTML where it has elements or entities of HTML in it; plain text that looks like it is escaped, and comes back
//!   by the carry-all.
//! * Confidential (`secret`) is private there, other kinds of being busy are opaque, and both come back by the carry-all.
//! * Conferences and attachments are read and left alone.
//! * An occurrence that is left out is a cancelled exception; of a series that is new, or gets another shape, an EXDATE line.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use twofold_model::event::{local, occurrence, settled};
use twofold_model::recurrence::Rule;
use twofold_model::zone::Zones;
use twofold_model::{Content, Error, ErrorKind, Identity, Lens, Rendering, Result, carry};

use super::fields::{self, Around};
use super::occurrences::{self, Standing};
use super::people::invite;
use super::recurrence::{self, Repeats};
use super::rendering::{CARRY_KEY, MARK_KEY, Series, UID_KEY, carried, set_private, settle};
use super::times::{WHEN, When, is_same};
use super::wire::{Object, private};

/// The most that the carry-all may hold, in bytes. Sheet: the properties of an event hold 32 kB together, and not all are ours.
pub const CARRY_LIMIT: usize = 16_000;
/// The most of it in one property, in bytes. Sheet: 1024 characters.
const PIECE: usize = 1000;

/// Reads and edits renderings of events.
#[derive(Clone)]
pub struct CalendarLens {
    zones: Arc<dyn Zones>,
    /// The zone in which new floating times are told.
    home: Option<String>,
}

impl fmt::Debug for CalendarLens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CalendarLens")
    }
}

/// A rendering's series, and what its own fields say.
struct Reading {
    series: Series,
    native: Content,
    /// Of one with a master.
    master: Option<Master>,
}

struct Master {
    says: Content,
    start: When,
    repeats: Repeats,
}

impl Reading {
    /// What it says with the carry-all.
    fn full(&self) -> Content {
        let text = self.series.carrier().and_then(carried);
        in_form(&said(&self.native, text.as_deref()))
    }
}

impl CalendarLens {
    /// A lens that knows these zones.
    pub fn new(zones: Arc<dyn Zones>) -> Self {
        Self { zones, home: None }
    }

    /// The same lens, which tells new floating times on the clocks of this zone (IANA). Without, they are refused.
    #[must_use]
    pub fn at_home(self, home: Option<String>) -> Self {
        Self { home, ..self }
    }

    fn around<'a>(&'a self, series: &'a Series) -> Around<'a> {
        self.around_of(series.zone.as_deref(), series.defaults.as_ref())
    }

    fn around_of<'a>(&'a self, zone: Option<&'a str>, reminders: Option<&'a Value>) -> Around<'a> {
        Around { zones: self.zones.as_ref(), zone, home: self.home.as_deref(), reminders }
    }

    fn read_series(&self, series: Series) -> Result<Reading> {
        let around = self.around(&series);
        let Some(event) = &series.event else {
            let native = occurrences::read_lone(&series, around)?;
            return Ok(Reading { series, native, master: None });
        };
        let (says, start) = fields::read(event, around)?;
        let repeats = Repeats::read(event, &start, self.zones.as_ref())?;
        let mut native = says.clone();
        recurrence::members(&repeats, &mut native);
        let mut overrides = match native.0.shift_remove("recurrenceOverrides") {
            Some(Value::Object(overrides)) => overrides,
            _ => Object::new(),
        };
        occurrences::read(&series, &says, &Standing { start: &start, repeats: &repeats, around }, &mut overrides)?;
        native.set("recurrenceOverrides", Value::Object(overrides));
        Ok(Reading { series, native, master: Some(Master { says, start, repeats }) })
    }

    /// What a series says, with the carry-all.
    ///
    /// # Errors
    /// As [`Lens::read`].
    pub(super) fn says(&self, series: &Series) -> Result<Content> {
        Ok(self.read_series(series.clone())?.full())
    }

    /// What an occurrence of this master would be while it is no exception, at the original start that a row names.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] where master or row cannot be understood.
    pub(super) fn instance(&self, series: &Series, row: &Object) -> Result<Object> {
        let around = self.around(series);
        let event = series
            .event
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Malformed, "an occurrence without its series"))?;
        let (says, start) = fields::read(event, around)?;
        let original = When::read(row.get("originalStartTime"), around.zone, around.zones)?;
        let date = start.key_of(&original);
        let at = Standing { start: &start, repeats: &Repeats::default(), around };
        occurrences::instance_of(event, &says, date, &at)
    }

    /// The original start of a row, as an occurrence is asked for by.
    pub(super) fn original_start(&self, series: &Series, row: &Object) -> Result<String> {
        let around = self.around(series);
        Ok(When::read(row.get("originalStartTime"), around.zone, around.zones)?.instant_text())
    }

    /// Whether two rows stand for the same occurrence.
    pub(super) fn is_same_start(&self, series: &Series, a: &Object, b: &Object) -> bool {
        let start = |row: &Object| self.original_start(series, row).ok();
        start(a).is_some() && start(a) == start(b)
    }

    /// A series from nothing.
    fn compose(&self, content: &Content, identity: &Identity, limit: usize) -> Result<Series> {
        Ok(self.compose_as(content, identity, limit, false)?.0)
    }

    /// The same; where it `asks`, its guests stand in it, and it is told whether there are any.
    fn compose_as(&self, content: &Content, identity: &Identity, limit: usize, asks: bool) -> Result<(Series, bool)> {
        let around = self.around_of(None, None);
        check(content)?;
        let lone = as_event(content);
        let says = lone.as_ref().unwrap_or(content);
        let mut is_asking = false;
        let mut series = if says.get("start").is_none() && says.get("recurrenceOverrides").is_some() {
            occurrences::lone_from_nothing(content, around)?
        } else {
            let mut event = Object::new();
            // The UID of an occurrence is that of its series, which may yet come.
            is_asking = asks && lone.is_none() && invite(&mut event, says);
            let is_own = is_asking || says.get("participants").is_none() || lone.is_some();
            if let Some(mark) = identity.mark.as_ref().filter(|_| is_own) {
                event.insert("id".into(), super::ids::chosen(mark, 0).into());
            } else if identity.mark.is_some() {
                // Provider: an id or an iCalUID, not both. Copies of meetings are imported by theirs.
                event.insert("iCalUID".into(), identity.uid.as_str().into());
            }
            fields::edit(&mut event, &Content::new(), says, around)?;
            let mut series = Series { event: Some(event), ..Series::default() };
            self.edit_dates(&mut series, None, says)?;
            series
        };
        if let Some(carrier) = series.carrier_mut() {
            set_private(carrier, UID_KEY, Some(identity.uid.as_str()));
            if let Some(mark) = &identity.mark {
                set_private(carrier, MARK_KEY, Some(&mark.to_string()));
            }
        }
        Ok((self.edit_carried(series, content, limit)?, is_asking))
    }

    fn edit(&self, reading: Reading, content: &Content, limit: usize) -> Result<Series> {
        let full = reading.full();
        check(content)?;
        let Reading { mut series, master, .. } = reading;
        let Some(master) = master else {
            let (zone, reminders) = (series.zone.clone(), series.defaults.clone());
            let around = self.around_of(zone.as_deref(), reminders.as_ref());
            occurrences::edit_lone(&mut series, content, around)?;
            return self.edit_carried(series, content, limit);
        };
        let lone = as_event(content);
        let says = lone.as_ref().unwrap_or(content);
        let (zone, reminders) = (series.zone.clone(), series.defaults.clone());
        let around = self.around_of(zone.as_deref(), reminders.as_ref());
        if let Some(event) = &mut series.event {
            fields::check_standing(event, &full, content)?;
            fields::edit(event, &master.says, says, around)?;
        }
        self.edit_dates(&mut series, Some(&master), says)?;
        self.edit_carried(series, content, limit)
    }

    /// Makes rules, dates and exceptions say what `content` says; the master's own fields do already.
    fn edit_dates(&self, series: &mut Series, before: Option<&Master>, content: &Content) -> Result<()> {
        let (zone, reminders) = (series.zone.clone(), series.defaults.clone());
        let around = self.around_of(zone.as_deref(), reminders.as_ref());
        let Some(event) = &mut series.event else { return Ok(()) };
        let (_, start) = fields::read(event, around)?;
        let mut wanted = Repeats::of(content, &start)?;
        let removed = occurrences::removed(content, &wanted.series(&start));
        let is_new_shape =
            before.is_none_or(|before| !is_same(&before.start, &start) || !before.repeats.is_same_shape(&wanted));
        // Occurrences that were cancelled one by one stay so.
        wanted.removed = match before {
            Some(before) if !is_new_shape => removed.intersection(&before.repeats.removed).copied().collect(),
            _ => removed,
        };
        if !wanted.is_nothing() && event.get("end").is_some() {
            check_series(content)?;
        }
        let old_start = before.map_or(&start, |before| &before.start);
        recurrence::edit(event, old_start, &start, &wanted, self.zones.as_ref())?;
        if wanted.is_nothing() {
            series.exceptions.clear();
            return Ok(());
        }
        let at = Standing { start: &start, repeats: &wanted, around };
        occurrences::edit(series, content, &at, &wanted.removed)
    }

    /// Puts what Google's fields do not say into the carry-all.
    fn edit_carried(&self, series: Series, content: &Content, limit: usize) -> Result<Series> {
        let Reading { mut series, native, .. } = self.read_series(series)?;
        let Some(carrier) = series.carrier_mut() else { return Ok(series) };
        if in_form(&said(&native, carried(carrier).as_deref())) == *content {
            return Ok(series);
        }
        // An emptied one keeps its header: where it is gone as a whole, a program dropped it that does not know it.
        let emptied = || carried(carrier).map(|_| carry::emptied()).unwrap_or_default();
        let text = carry::make(&native, content, limit).unwrap_or_else(emptied);
        let mut rest = text.as_str();
        let mut at = 0;
        loop {
            let key = format!("{CARRY_KEY}{at}");
            let mut cut = PIECE.min(rest.len());
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            let (piece, more) = rest.split_at(cut);
            if piece.is_empty() && private(carrier, &key).is_none() {
                return Ok(series);
            }
            set_private(carrier, &key, Some(piece).filter(|piece| !piece.is_empty()));
            rest = more;
            at += 1;
        }
    }
}

impl Lens for CalendarLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        Ok(self.read_series(Series::parse(rendering)?)?.full())
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        Ok(in_form(&self.read_series(Series::parse(rendering)?)?.native))
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = in_form(content);
        let Some(onto) = onto else { return Ok(self.compose(&content, identity, CARRY_LIMIT)?.serialise()) };
        let reading = self.read_series(Series::parse(onto)?)?;
        if reading.full() == content {
            return Ok(onto.clone());
        }
        let before = reading.series.clone();
        let edited = self.edit(reading, &content, CARRY_LIMIT)?;
        Ok(if edited == before { onto.clone() } else { edited.serialise() })
    }

    fn inviting(&self, content: &Content, identity: &Identity) -> Result<Option<Rendering>> {
        let (series, is_asking) = self.compose_as(&in_form(content), identity, CARRY_LIMIT, true)?;
        Ok(is_asking.then(|| series.serialise()))
    }

    /// What does not fit into the carry-all stays in the hub, and its lack there is no wish to take it away: so it counts as held.
    fn project(&self, content: &Content) -> Result<Content> {
        let nobody = Identity { uid: twofold_model::Uid("projection".into()), mark: None };
        let series = self.compose(&in_form(content), &nobody, usize::MAX)?;
        Ok(self.read_series(series)?.full())
    }

    fn mails(&self, from: &Rendering, to: Option<&Rendering>) -> usize {
        let of = |rendering: &Rendering| Series::parse(rendering).ok();
        // What cannot be understood is never written.
        let Some(from) = of(from) else { return 0 };
        super::mails::would_mail(&from, to.and_then(of).as_ref())
    }

    fn differ_by_collection(&self, before: &Rendering, after: &Rendering) -> bool {
        let without_reminders = |rendering| Series::parse(rendering).map(|series| Series { defaults: None, ..series });
        before != after && matches!((without_reminders(before), without_reminders(after)), (Ok(a), Ok(b)) if a == b)
    }

    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        settle(last, now)
    }
}

/// An event in the form in which they are compared: settled, its rules canonical.
fn in_form(content: &Content) -> Content {
    let mut content = settled(content).into_owned();
    let Some(start) = content.get("start").and_then(Value::as_str).and_then(local) else { return content };
    for member in ["recurrenceRules", "excludedRecurrenceRules"] {
        if let Some(Value::Array(rules)) = content.0.get_mut(member) {
            for rule in rules {
                // A rule that is none is refused when it is written.
                if let Ok(known) = Rule::from_json(rule) {
                    *rule = known.canonical(start).to_json();
                }
            }
        }
    }
    content
}

/// What Google's fields say, with the carry-all.
fn said(native: &Content, carried: Option<&str>) -> Content {
    let full = carry::apply_together(native, carried, &WHEN);
    let entries = carry::values(carried);
    // An occurrence without its series stands there as an event: as long as nobody touches it.
    let is_lone = entries.iter().any(|(path, value)| path.as_slice() == ["start"] && value.is_null());
    match is_lone && !entries.iter().all(|(path, value)| carry::is_there(&full, path, value)) {
        true => native.clone(),
        false => full.into_owned(),
    }
}

/// What an occurrence without its series says as an event, if the item is exactly one.
fn as_event(content: &Content) -> Option<Content> {
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object)?;
    let (Some((key, _)), 1, None) = (overrides.iter().next(), overrides.len(), content.get("start")) else {
        return None;
    };
    let mut event = occurrence(content, key)?;
    ["recurrenceIdTimeZone", "recurrenceIdWithoutTime"].iter().for_each(|name| event.set(name, Value::Null));
    event.get("start").is_some().then_some(event)
}

/// What no rendering of Google's can say.
fn check(content: &Content) -> Result<()> {
    let refused = |what: &str| Err(Error::new(ErrorKind::Refused, format!("not representable at Google: {what}")));
    if content.get("iCalOverrides").is_some() {
        return refused("a change of an occurrence and all that follow");
    }
    // The carry-all could not tell whether somebody moved it there.
    let is_own = |zone: Option<&Value>| zone.and_then(Value::as_str).is_some_and(|zone| zone.starts_with('/'));
    let overrides = content.get("recurrenceOverrides").and_then(Value::as_object).into_iter().flatten();
    if overrides.into_iter().any(|(_, patch)| is_own(patch.get("timeZone")) || is_own(patch.get("endTimeZone"))) {
        return refused("an occurrence in a time zone that is none of the known ones");
    }
    Ok(())
}

/// What no series of Google's can say. Provider: start and end of a series have one zone.
fn check_series(content: &Content) -> Result<()> {
    if content.get("end").is_some() {
        return Err(Error::new(
            ErrorKind::Refused,
            "not representable at Google: a series that ends in another time zone",
        ));
    }
    Ok(())
}
