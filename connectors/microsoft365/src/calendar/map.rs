//! The lens of a Graph event: what a rendering means as an Event, and how it is edited until it means another.
//!
//! Meaning = the fields of the series and its exceptions (`series.rs`), with the carry-all beside them laid over. The carry-all
//! takes what Outlook has no field for, and everything but private things on a meeting that somebody else organizes.

use super::mails::would_mail;
use super::people;
use super::series;
use super::sheet::Sheet;
use super::times::Times;
use super::wire::{CARRY, Event, MARK, UID};
use serde_json::{Map, Value};
use twofold_model::event::settled;
use twofold_model::{Content, Identity, Lens, Rendering, Result, carry};

/// How much a carry-all may hold, in bytes. A text property is good for several kB (K); from 32 kB on it is a stream (F).
pub const CARRY_LIMIT: usize = 8_000;

/// The lens of a Graph event.
#[derive(Clone, Debug)]
pub struct EventLens {
    times: Times,
}

impl EventLens {
    /// With what has to be known of zones.
    pub fn new(times: Times) -> EventLens {
        EventLens { times }
    }

    /// What has to be known of zones.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// What a rendering's fields and its carry-all say.
    fn meaning(&self, sheet: &Sheet) -> Result<Content> {
        Ok(said(series::read(&self.times, sheet)?, sheet.event.property(CARRY)))
    }
}

impl Lens for EventLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        self.meaning(&Sheet::open(rendering)?)
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, identity: &Identity) -> Result<Rendering> {
        let content = settled(content);
        let sheet = match onto {
            Some(rendering) => {
                let sheet = Sheet::open(rendering)?;
                if self.meaning(&sheet)? == *content {
                    return Ok(rendering.clone());
                }
                sheet
            }
            None => blank(identity),
        };
        self.edited(sheet, &content)
    }

    fn inviting(&self, content: &Content, identity: &Identity) -> Result<Option<Rendering>> {
        let content = settled(content);
        let mut sheet = blank(identity);
        // One occurrence of a series that is not there is nothing to ask people to.
        if content.get("start").is_none() || !people::invite(&mut sheet.event, &content) {
            return Ok(None);
        }
        self.edited(sheet, &content).map(Some)
    }

    fn native(&self, rendering: &Rendering) -> Result<Content> {
        series::read(&self.times, &Sheet::open(rendering)?)
    }

    /// The occurrences that are cancelled there and came back elsewhere: Graph has no way to undo that.
    fn shortfall(&self, rendering: &Rendering) -> Option<String> {
        let sheet = Sheet::open(rendering).ok()?;
        let (native, says) = (series::read(&self.times, &sheet).ok()?, self.meaning(&sheet).ok()?);
        let left: Vec<&str> = series::cancelled_alone(&native, &says).collect();
        let words = "cancelled there and elsewhere not, and Microsoft has no way to bring an occurrence back";
        (!left.is_empty()).then(|| format!("{} of the series: {words}", left.join(", ")))
    }

    /// A rendering that cannot be opened might mail anybody.
    fn mails(&self, from: &Rendering, to: Option<&Rendering>) -> usize {
        match (Sheet::open(from), to.map(Sheet::open).transpose()) {
            (Ok(from), Ok(to)) => would_mail(&from, to.as_ref()),
            // Better one question too many.
            _ => 1,
        }
    }

    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let (Ok(was), Ok(mut sheet)) = (Sheet::open(last), Sheet::open(&now)) else { return now };
        let mut is_filled = fill_dropped(&was.event, &mut sheet.event);
        if sheet.is_partial {
            is_filled |= self.fill_unread(&was, &mut sheet);
        }
        if is_filled { sheet.close() } else { now }
    }
}

impl EventLens {
    /// A sheet that says `content`, closed.
    fn edited(&self, mut sheet: Sheet, content: &Content) -> Result<Rendering> {
        series::edit(&self.times, &mut sheet, content)?;
        let native = series::read(&self.times, &sheet)?;
        let carried = sheet.event.property(CARRY);
        if said(native.clone(), carried) != *content {
            match (carry::make(&native, &by_date(content), CARRY_LIMIT), carried) {
                (Some(text), _) => sheet.event.set_property(CARRY, &text),
                // An extended property is not known to go away: its header alone stays.
                (None, Some(_)) => sheet.event.set_property(CARRY, &carry::emptied()),
                (None, None) => {}
            }
        }
        Ok(sheet.close())
    }

    /// Where not all exceptions could be read, those that were known and are not named now still are.
    fn fill_unread(&self, was: &Sheet, now: &mut Sheet) -> bool {
        let keys = |sheet: &Sheet| -> Vec<Option<String>> {
            sheet.exceptions.iter().map(|exception| self.times.key(&sheet.event, exception)).collect()
        };
        let out = |sheet: &Sheet, key: &str| sheet.cancelled.iter().any(|day| key.starts_with(day.as_str()));
        let named = keys(now);
        let mut is_filled = false;
        for (exception, key) in was.exceptions.iter().zip(keys(was)) {
            let Some(key) = key else { continue };
            if !named.contains(&Some(key.clone())) && !out(now, &key) {
                now.exceptions.push(exception.clone());
                is_filled = true;
            }
        }
        for day in &was.cancelled {
            let is_there = keys(now).into_iter().flatten().any(|key| key.starts_with(day.as_str()));
            if !now.cancelled.contains(day) && !is_there {
                now.cancelled.push(day.clone());
                is_filled = true;
            }
        }
        is_filled
    }
}

/// Our extended properties as they were known, where somebody dropped them: we never take the carry-all away (an emptied one keeps its
/// header), and a person cannot. It was edited by a program that does not know them, and what they held was not removed by anybody.
fn fill_dropped(was: &Event, now: &mut Event) -> bool {
    if now.property(CARRY).is_some() || was.property(CARRY).is_none() {
        return false;
    }
    for id in [UID, MARK, CARRY] {
        if let (None, Some(value)) = (now.property(id), was.property(id)) {
            now.set_property(id, value);
        }
    }
    true
}

/// The same content, of which what differs in its occurrences is told date by date, also where it says nothing of any: each is carried
/// by itself, whatever becomes of the others there.
fn by_date(content: &Content) -> Content {
    let mut content = content.clone();
    content.0.entry("recurrenceOverrides").or_insert_with(|| Value::Object(Map::new()));
    content
}

/// An event from nothing, named.
fn blank(identity: &Identity) -> Sheet {
    let mut event = Event::default();
    event.set_property(UID, identity.uid.as_str());
    if let Some(mark) = &identity.mark {
        event.set_property(MARK, &mark.to_string());
    }
    Sheet::of(event)
}

/// Fields and carry-all together.
fn said(native: Content, carried: Option<&str>) -> Content {
    let Some(carried) = carried else { return native };
    let mut full = carry::apply(&native, Some(carried)).into_owned();
    if full == native {
        return native;
    }
    let entries = carry::values(Some(carried));
    let is_applied = |keys: &[String], value: &Value| carry::is_there(&full, keys, value);
    // An item that is an occurrence without its series is a single event here: as long as nobody touches that.
    let is_lone = entries.iter().any(|(keys, value)| keys.as_slice() == ["start"] && value.is_null());
    if is_lone && !entries.iter().all(|(keys, value)| is_applied(keys, value)) {
        return native;
    }
    // Start, end and zone are one thing: when somebody moved the event there, none of what was carried of it holds.
    let is_when = |keys: &[String]| keys.len() == 1 && super::times::WHEN.contains(&keys[0].as_str());
    let is_moved = entries.iter().filter(|(keys, _)| is_when(keys)).any(|(keys, value)| !is_applied(keys, value));
    if is_moved {
        for member in super::times::WHEN {
            full.set(member, native.get(member).cloned().unwrap_or_default());
        }
    }
    // A text that somebody wrote there is no markup.
    if full.get("description") == native.get("description") {
        full.set("descriptionContentType", Value::Null);
    }
    series::without_stale(&native, full)
}
