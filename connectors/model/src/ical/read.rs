//! A whole calendar item: which line says which entry, and the content of it all.

use super::alarms::{self, Alarm};
use super::doc::{Doc, Part, Prop};
use super::entries::{Meaning, busy, is_frame, place, tell};
use super::times::{Frame, Stamp, period_seconds, stamps};
use super::units::{Place, Units};
use super::{people, rules};
use crate::contentline::ours::{CARRY, KEY, decode_carry};
use crate::{Content, carry, event};
use chrono::NaiveTime;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The lines that say when an event is.
#[derive(Debug, Default)]
pub(super) struct TimeLines {
    pub(super) start: Option<usize>,
    pub(super) end: Option<usize>,
    pub(super) duration: Option<usize>,
    /// RECURRENCE-ID.
    pub(super) original: Option<usize>,
    /// X-MICROSOFT-CDO-ALLDAYEVENT, which says again what DTSTART says.
    pub(super) all_day: Option<usize>,
    /// RRULE and EXRULE.
    pub(super) rules: Vec<usize>,
    /// RDATE and EXDATE.
    pub(super) dates: Vec<usize>,
}

/// One VEVENT.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Which of [`Doc::events`].
    pub(super) part: usize,
    pub(super) own: Units,
    /// The alarms that are alerts, by their number inside.
    pub(super) alarms: HashMap<usize, Units>,
    pub(super) times: TimeLines,
}

/// What an item says, and where.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) native: Content,
    pub(super) master: Option<Reading>,
    /// By the key of the occurrence.
    pub(super) overrides: BTreeMap<String, Reading>,
    /// Overrides that are not read, by their keys in `iCalOverrides`.
    pub(super) unread: BTreeMap<String, usize>,
    /// The lines of the file with the carry-all; the first counts.
    pub(super) carry: Vec<usize>,
    carried: Option<String>,
}

/// Changed occurrences times lines of the master, at most: what sane series are far below.
const MOST_WORK: usize = 2_000_000;

impl Whole {
    /// Own lines and carry-all together.
    pub(super) fn full(&self) -> Cow<'_, Content> {
        match carry::apply(&self.native, self.carried.as_deref()) {
            Cow::Owned(full) => Cow::Owned(event::settled(&full).into_owned()),
            native => native,
        }
    }
}

/// Reads an item.
///
/// # Errors
/// What cannot be understood and must not be guessed, in words.
pub(super) fn read(doc: &Doc<'_>) -> Result<Whole, String> {
    let mut whole = Whole::default();
    let mut custom = BTreeMap::new();
    let mut zone_texts = |members: &Map<String, Value>| {
        for zone in ["timeZone", "endTimeZone", "recurrenceIdTimeZone"]
            .iter()
            .filter_map(|member| members.get(*member)?.as_str())
        {
            if zone.starts_with('/')
                && let Some(text) = doc.zones.text_of(zone)
            {
                custom.insert(zone.to_owned(), json!({"component": text}));
            }
        }
    };
    let is_override = |part: &Part| part.prop("RECURRENCE-ID").is_some();
    let mut frame = None;
    let mut dates: BTreeMap<String, (bool, Option<i64>)> = BTreeMap::new();
    let masters: Vec<usize> = (0..doc.events.len()).filter(|at| !is_override(&doc.events[*at])).collect();
    match masters[..] {
        [] => {}
        [at] => {
            let part = &doc.events[at];
            let (reading, own_frame) = read_event(doc, at)?;
            whole.native = Content(reading.own.members.clone());
            zone_texts(&whole.native.0);
            read_rules(part, &reading.times, &own_frame, &mut whole.native)?;
            dates = read_dates(doc, part, &reading.times, &own_frame)?;
            (frame, whole.master) = (Some(own_frame), Some(reading));
        }
        _ => return Err(format!("{} events of one UID", masters.len())),
    }
    let mut occurrences: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut unread = Map::new();
    for at in (0..doc.events.len()).filter(|at| is_override(&doc.events[*at])) {
        let part = &doc.events[at];
        if part.prop("RECURRENCE-ID").is_some_and(|prop| prop.parameter("RANGE").is_some()) {
            let text = part.text(|prop| !is_frame(&prop.name));
            let key = event::insert(&mut unread, &text.clone(), json!({"component": text}));
            whole.unread.insert(key, at);
            continue;
        }
        let (mut reading, _) = read_event(doc, at)?;
        let key = original_of(doc, part, frame.as_ref(), &mut reading.own.members)?;
        zone_texts(&reading.own.members);
        occurrences.insert(key.clone(), reading.own.members.clone());
        if whole.overrides.insert(key.clone(), reading).is_some() {
            return Err(format!("two overrides of the occurrence at {key}"));
        }
    }
    let lines = masters.iter().map(|at| doc.events[*at].props.len() + 1).sum::<usize>();
    let periods = dates.values().filter(|(_, seconds)| seconds.is_some()).count();
    if (occurrences.len() + periods).saturating_mul(lines) > MOST_WORK {
        return Err("more overrides than can be read".to_owned());
    }
    read_overrides(&mut whole.native, &dates, occurrences);
    whole.native.set("iCalOverrides", Value::Object(unread));
    whole.native.set("timeZones", custom.into_iter().collect::<Map<_, _>>().into());
    whole.native = event::settled(&whole.native).into_owned();
    for part in &doc.events {
        for prop in part.props.iter().filter(|prop| prop.name == CARRY) {
            if whole.carry.is_empty() {
                whole.carried = decode_carry(prop.content.value());
            }
            whole.carry.push(prop.line);
        }
    }
    Ok(whole)
}

fn read_overrides(
    event: &mut Content,
    dates: &BTreeMap<String, (bool, Option<i64>)>,
    mut occurrences: BTreeMap<String, Map<String, Value>>,
) {
    let mut overrides = Map::new();
    for (key, (is_excluded, seconds)) in dates {
        let patch = match (occurrences.remove(key), seconds) {
            (None, None) => json!({"excluded": is_excluded}),
            (members, seconds) => {
                let unchanged = event::unchanged(event, key);
                let wanted = members.map_or_else(|| lasting(unchanged.clone(), seconds.unwrap_or(0)), Content);
                event::override_from(&unchanged, &wanted, Some(*is_excluded))
            }
        };
        overrides.insert(key.clone(), patch);
    }
    for (key, members) in occurrences {
        let patch = event::override_from(&event::unchanged(event, &key), &Content(members), None);
        overrides.insert(key, patch);
    }
    event.set("recurrenceOverrides", Value::Object(overrides));
}

/// An occurrence of another length.
fn lasting(mut occurrence: Content, seconds: i64) -> Content {
    for member in ["end", "endTimeZone", "duration"] {
        occurrence.0.shift_remove(member);
    }
    if seconds > 0 {
        occurrence.set("duration", event::duration_text(seconds).into());
    }
    occurrence
}

/// The key of an occurrence from its RECURRENCE-ID; where there is no master, what is needed to write it again goes into the members.
fn original_of(
    doc: &Doc<'_>,
    part: &Part,
    frame: Option<&Frame<'_>>,
    members: &mut Map<String, Value>,
) -> Result<String, String> {
    let wrong = || "a RECURRENCE-ID that is no date".to_owned();
    let prop = part.prop("RECURRENCE-ID").ok_or_else(wrong)?;
    let (_, stamp) = stamps(prop, &doc.zones).into_iter().next().ok_or_else(wrong)?;
    let stamp = stamp.ok_or_else(wrong)?;
    if let Some(frame) = frame {
        return frame.key_of(&stamp).ok_or_else(|| "a RECURRENCE-ID in a zone whose rules are not known".to_owned());
    }
    let own = Frame::of(&stamp, &doc.world);
    if own.is_day {
        members.insert("recurrenceIdWithoutTime".into(), true.into());
    }
    if let Some(zone) = &own.zone {
        members.insert("recurrenceIdTimeZone".into(), zone.as_str().into());
    }
    own.key_of(&stamp).ok_or_else(wrong)
}

fn read_rules(part: &Part, times: &TimeLines, frame: &Frame<'_>, event: &mut Content) -> Result<(), String> {
    for (name, member) in [("RRULE", "recurrenceRules"), ("EXRULE", "excludedRecurrenceRules")] {
        let lines = times.rules.iter().filter_map(|at| part.props.get(*at)).filter(|prop| prop.name == name);
        let rules = lines.map(|prop| rules::read(prop.content.value(), frame)).collect::<Result<Vec<_>, _>>()?;
        event.set(member, rules.into());
    }
    Ok(())
}

/// The dates of RDATE and EXDATE: whether each is excluded, and how long it is if it says so itself.
fn read_dates(
    doc: &Doc<'_>,
    part: &Part,
    times: &TimeLines,
    frame: &Frame<'_>,
) -> Result<BTreeMap<String, (bool, Option<i64>)>, String> {
    let mut dates = BTreeMap::new();
    for prop in times.dates.iter().filter_map(|at| part.props.get(*at)) {
        let is_excluded = prop.name == "EXDATE";
        for (key, item) in date_keys(doc, prop, frame)? {
            let seconds = if is_excluded { None } else { period_seconds(&item) };
            // What is excluded is not there, whatever else names it.
            let entry = dates.entry(key).or_insert((is_excluded, seconds));
            if is_excluded {
                *entry = (true, None);
            }
        }
    }
    Ok(dates)
}

/// The keys that the items of an RDATE or EXDATE mean, beside the items; empty items are passed over.
pub(super) fn date_keys(doc: &Doc<'_>, prop: &Prop, frame: &Frame<'_>) -> Result<Vec<(String, String)>, String> {
    let items = stamps(prop, &doc.zones).into_iter().filter(|(item, _)| !item.is_empty());
    let key = |(item, stamp): (String, Option<Stamp>)| {
        let stamp = stamp.ok_or_else(|| format!("{} with {item:?}", prop.name))?;
        let key = frame.key_of(&stamp).ok_or_else(|| format!("{} in a zone whose rules are not known", prop.name))?;
        Ok((key, item))
    };
    items.map(key).collect()
}

/// Reads one VEVENT, without rules and dates.
fn read_event<'d>(doc: &'d Doc<'_>, at: usize) -> Result<(Reading, Frame<'d>), String> {
    let part = &doc.events[at];
    let is_override = part.prop("RECURRENCE-ID").is_some();
    let mut reading = Reading { part: at, times: time_lines(part, is_override), ..Reading::default() };
    let frame = read_times(doc, part, &reading.times, &mut reading.own.members)?;
    let of_time = reading.times.all();
    let rest: Vec<usize> =
        (0..part.props.len()).filter(|at| !is_frame(&part.props[*at].name) && !of_time.contains(at)).collect();
    let first = |name: &str| rest.iter().copied().find(|at| part.props[*at].name == name);
    let prop = |at: Option<usize>| at.and_then(|at| part.props.get(at));
    let own = &mut reading.own;
    let mut used = Vec::new();

    // Several lines that say one thing together.
    let (text, twin) = (first("DESCRIPTION"), first("X-ALT-DESC").or_else(|| first("STYLED-DESCRIPTION")));
    let twin = twin.filter(|at| part.props[*at].token("FMTTYPE").is_none_or(|kind| kind == "text/html"));
    used.extend(own.add_description((text, prop(text)), (twin, prop(twin))));
    let (transparency, status) = (first("TRANSP"), first("X-MICROSOFT-CDO-BUSYSTATUS"));
    if transparency.is_some() || status.is_some() {
        let places: Vec<usize> = transparency.into_iter().chain(status).collect();
        own.add_whole("freeBusyStatus", busy(prop(transparency), prop(status)), &places);
        used.extend(places);
    }
    let (location, geo) = (first("LOCATION"), first("GEO"));
    if let Some(entry) = place(prop(location), prop(geo)) {
        let geo = geo.filter(|_| entry.get("coordinates").is_some());
        let places = location.into_iter().chain(geo).map(Place::Line).collect();
        own.add_plain("locations", event::keys::LOCATION, entry, places);
        used.extend(location.into_iter().chain(geo));
    } else if let Some(at) = location {
        used.push(at);
    }
    used.sort_unstable();

    // Keys that are stated come before those that are made.
    let stated = |at: &usize| part.props[*at].parameter(KEY).is_some();
    let (first, second): (Vec<usize>, Vec<usize>) =
        rest.into_iter().filter(|at| used.binary_search(at).is_err()).partition(stated);
    let mut unknown = Vec::new();
    let mut organizers = Vec::new();
    for at in first.into_iter().chain(second) {
        let prop = &part.props[at];
        match prop.name.as_str() {
            "ORGANIZER" => organizers.push(at),
            "ATTENDEE" => match people::read(prop) {
                Some((address, entry)) => own.add_person(prop, at, &address, entry),
                None => unknown.push(at),
            },
            _ => match tell(prop) {
                Meaning::Entries(told) => {
                    for told in told {
                        if !own.add(prop, at, told) {
                            unknown.push(at);
                        }
                    }
                }
                Meaning::Unknown => unknown.push(at),
                Meaning::Nothing => {}
            },
        }
    }
    for (n, at) in organizers.into_iter().enumerate() {
        let prop = &part.props[at];
        match people::read(prop).filter(|_| n == 0) {
            Some((address, entry)) => own.add_organizer(prop, at, &address, entry),
            None => unknown.push(at),
        }
    }
    unknown.sort_unstable();
    unknown.dedup();
    unknown.into_iter().for_each(|at| own.add_line(&part.props[at], at));
    for (at, inner) in part.inner.iter().enumerate() {
        let alarm = if inner.name == "VALARM" { alarms::read(inner) } else { Alarm::Unknown };
        match alarm {
            Alarm::Alert(alert, units) => {
                let stated = inner.prop(KEY).and_then(Prop::word);
                let identity = event::alert_identity(&alert);
                own.add_keyed("alerts", stated.as_deref(), &identity, alert, Place::Inner(at));
                reading.alarms.insert(at, *units);
            }
            Alarm::Nothing => {}
            Alarm::Unknown => {
                let text = inner.text(|prop| !is_frame(&prop.name));
                own.add_keyed("iCalComponents", None, &text.clone(), json!({"component": text}), Place::Inner(at));
            }
        }
    }
    Ok((reading, frame))
}

impl TimeLines {
    fn all(&self) -> BTreeSet<usize> {
        let single = [self.start, self.end, self.duration, self.original, self.all_day];
        single.into_iter().flatten().chain(self.rules.iter().copied()).chain(self.dates.iter().copied()).collect()
    }
}

fn time_lines(part: &Part, is_override: bool) -> TimeLines {
    let first = |name: &str| part.props.iter().position(|prop| prop.name == name);
    let all = |names: [&str; 2]| {
        let found =
            part.props.iter().enumerate().filter(|(_, prop)| !is_override && names.contains(&prop.name.as_str()));
        found.map(|(at, _)| at).collect()
    };
    TimeLines {
        start: first("DTSTART"),
        end: first("DTEND"),
        duration: first("DURATION"),
        original: first("RECURRENCE-ID"),
        all_day: first("X-MICROSOFT-CDO-ALLDAYEVENT"),
        rules: all(["RRULE", "EXRULE"]),
        dates: all(["RDATE", "EXDATE"]),
    }
}

/// Reads start and end into the members.
fn read_times<'d>(
    doc: &'d Doc<'_>,
    part: &Part,
    times: &TimeLines,
    members: &mut Map<String, Value>,
) -> Result<Frame<'d>, String> {
    let stamp_of = |at: Option<usize>| {
        let prop = part.props.get(at?)?;
        let stamp = stamps(prop, &doc.zones).into_iter().next().and_then(|(_, stamp)| stamp);
        Some(stamp.ok_or_else(|| format!("a {} that is no date", prop.name)))
    };
    let start = stamp_of(times.start).ok_or("an event without DTSTART")??;
    let frame = Frame::of(&start, &doc.world);
    members.insert("start".into(), event::local_text(frame.start).into());
    if let Some(zone) = &frame.zone {
        members.insert("timeZone".into(), zone.as_str().into());
    }
    if frame.is_day {
        members.insert("showWithoutTime".into(), true.into());
    }
    let end = match stamp_of(times.end) {
        Some(end) => Some(end?),
        None => None,
    };
    match end {
        Some(Stamp::Date(date)) => event::set_end(members, date.and_time(NaiveTime::MIN), frame.zone.as_deref()),
        Some(Stamp::Time(time, _)) if frame.is_day => event::set_end(members, time, None),
        Some(Stamp::Time(time, zone)) => event::set_end(members, time, zone.as_deref()),
        None => {
            let seconds = match times.duration.and_then(|at| part.props.get(at)) {
                Some(prop) => event::duration_seconds(prop.content.value()).ok_or("a DURATION that is none")?,
                None => 0,
            };
            let end =
                chrono::Duration::try_seconds(seconds).and_then(|seconds| frame.start.checked_add_signed(seconds));
            event::set_end(members, end.ok_or("a DURATION without end")?, frame.zone.as_deref());
        }
    }
    Ok(frame)
}

/// Whether a property is one that no member says.
pub(super) fn is_unknown(prop: &Prop) -> bool {
    const READ: [&str; 18] = [
        "DTSTART",
        "DTEND",
        "DURATION",
        "RECURRENCE-ID",
        "X-MICROSOFT-CDO-ALLDAYEVENT",
        "RRULE",
        "EXRULE",
        "RDATE",
        "EXDATE",
        "DESCRIPTION",
        "X-ALT-DESC",
        "STYLED-DESCRIPTION",
        "TRANSP",
        "X-MICROSOFT-CDO-BUSYSTATUS",
        "LOCATION",
        "GEO",
        "ATTENDEE",
        "ORGANIZER",
    ];
    !is_frame(&prop.name) && !READ.contains(&prop.name.as_str()) && tell(prop) == Meaning::Unknown
}
