//! One calendar in its file: components with their lines, and what one line's value is before it means anything.

use super::FileProblem;
use super::check::{only_calendar, the_uid};
use super::times::stamp;
use super::zones::{Atlas, World};
use crate::contentline::charset::{self, Charset, Wide};
use crate::contentline::text::{lf, split, unescape};
use crate::contentline::{ContentLine, File, Limits, Parameter};
use crate::recurrence::{Clock, Rule, Series};
use crate::zone::Span;
use chrono::{NaiveDateTime, TimeDelta};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A file with exactly one whole item.
pub(super) struct Doc<'a> {
    /// The lines; UTF-16 already turned into UTF-8.
    pub(super) file: File,
    /// UTF-16, if the file is.
    pub(super) wide: Option<Wide>,
    /// The line of `END:VCALENDAR`.
    pub(super) end: usize,
    pub(super) events: Vec<Part>,
    pub(super) zones: Zones,
    pub(super) world: World<'a>,
}

/// One component: its own lines and the components in it.
#[derive(Debug)]
pub(super) struct Part {
    /// The name in capitals.
    pub(super) name: String,
    /// The line of `BEGIN`.
    pub(super) begin: usize,
    /// The line of `END`.
    pub(super) end: usize,
    pub(super) props: Vec<Prop>,
    pub(super) inner: Vec<Part>,
}

/// One line of a component.
#[derive(Debug)]
pub(super) struct Prop {
    /// The line in its file.
    pub(super) line: usize,
    pub(super) content: ContentLine,
    /// The name in capitals.
    pub(super) name: String,
    /// All parameters, read once.
    pub(super) parameters: Vec<Parameter>,
}

/// The zones that a file names, and what they are.
#[derive(Debug, Default)]
pub(super) struct Zones {
    /// TZID to name in the model and the text of its VTIMEZONE.
    by_tzid: BTreeMap<String, (String, Option<String>)>,
    /// The TZIDs that events name.
    named: BTreeSet<String>,
}

/// The lines of a file of whatever encoding.
pub(super) fn file_of(bytes: &[u8]) -> Result<File, FileProblem> {
    // The size is limited before the text is turned.
    if bytes.len() > Limits::default().bytes {
        return Err(FileProblem::TooLarge(format!("{} bytes", bytes.len())));
    }
    let text = charset::narrow(bytes).ok_or_else(|| FileProblem::Unreadable("broken UTF-16".into()))?;
    File::parse(text.into_owned()).map_err(|limit| FileProblem::TooLarge(limit.to_string()))
}

impl<'a> Doc<'a> {
    /// Takes a file apart.
    pub(super) fn parse(bytes: &[u8], atlas: &'a Atlas) -> Result<Doc<'a>, FileProblem> {
        let file = file_of(bytes)?;
        let calendar = only_calendar(&file)?;
        the_uid(&calendar)?;
        let end = calendar.end;
        let (events, rest): (Vec<Part>, Vec<Part>) = calendar.inner.into_iter().partition(|part| part.name == "VEVENT");
        let mut world = World::new(atlas);
        let zones = Zones::read(rest.iter().filter(|part| part.name == "VTIMEZONE"), &events, &mut world);
        Ok(Doc { wide: charset::wide_of(bytes), file, end, events, zones, world })
    }

    /// The bytes of an edited file, in the encoding of the file.
    pub(super) fn encode(&self, bytes: Vec<u8>) -> Vec<u8> {
        match (self.wide, String::from_utf8(bytes)) {
            (Some(wide), Ok(text)) => charset::widen(&text, wide),
            (_, Ok(text)) => text.into_bytes(),
            (_, Err(error)) => error.into_bytes(),
        }
    }
}

impl Zones {
    fn read<'p>(definitions: impl Iterator<Item = &'p Part>, events: &[Part], world: &mut World<'_>) -> Zones {
        let mut zones = Zones::default();
        let span = span_of(events);
        let lines = events.iter().flat_map(|part| &part.props);
        zones.named = lines.filter_map(|prop| prop.parameter("TZID").map(str::to_owned)).collect();
        for part in definitions {
            let Some(tzid) = part.prop("TZID").and_then(Prop::word) else { continue };
            if let Entry::Vacant(place) = zones.by_tzid.entry(tzid) {
                let text = part.text(|_| true);
                // A definition that no event uses is not worth comparing.
                let definition = Some(text.as_str()).filter(|_| zones.named.contains(place.key()));
                let zone = world.resolve(place.key(), definition, &span);
                place.insert((zone, Some(text)));
            }
        }
        for tzid in &zones.named {
            if let Entry::Vacant(place) = zones.by_tzid.entry(tzid.clone()) {
                place.insert((world.resolve(tzid, None, &span), None));
            }
        }
        zones
    }

    /// What a TZID means: an IANA name, or `/…`.
    pub(super) fn zone_of(&self, tzid: &str) -> String {
        self.by_tzid.get(tzid).map_or_else(|| format!("/{tzid}"), |(zone, _)| zone.clone())
    }

    /// The TZID of a VTIMEZONE of the file that means this zone.
    pub(super) fn tzid_of(&self, zone: &str) -> Option<&str> {
        let defined = self.by_tzid.iter().filter(|(_, (_, text))| text.is_some());
        defined.filter(|(_, (of, _))| of == zone).map(|(tzid, _)| tzid.as_str()).next()
    }

    /// Whether an event of the file names a zone so, be there a VTIMEZONE or not.
    pub(super) fn names(&self, tzid: &str) -> bool {
        self.named.contains(tzid)
    }

    /// The text of the VTIMEZONE for a zone of the sender's own.
    pub(super) fn text_of(&self, zone: &str) -> Option<&str> {
        self.by_tzid.values().find(|(of, _)| of == zone).and_then(|(_, text)| text.as_deref())
    }
}

/// The time within which an item's zones have to be right: from its first date to its last, without end where a rule has none.
fn span_of(events: &[Part]) -> Span {
    let times = |prop: &Prop| -> Vec<NaiveDateTime> {
        let items = prop.content.value().split(',');
        let stamps = items.filter_map(|item| stamp(item.split('/').next().unwrap_or(item), false, None));
        stamps.map(|stamp| stamp.time()).collect()
    };
    let lines = || events.iter().flat_map(|part| &part.props);
    let is_dated =
        |prop: &&Prop| matches!(prop.name.as_str(), "DTSTART" | "DTEND" | "RECURRENCE-ID" | "RDATE" | "EXDATE");
    let mut all: Vec<NaiveDateTime> = lines().filter(is_dated).flat_map(times).collect();
    let mut is_endless = false;
    for part in events {
        let start = part.prop("DTSTART").and_then(|prop| times(prop).first().copied());
        for rule in part.props.iter().filter(|prop| prop.name == "RRULE") {
            // Whatever zone an UNTIL is told in.
            let rule = Rule::read(rule.content.value(), Clock::Unknown).ok();
            match rule.zip(start).and_then(|(rule, start)| Series::each(start, rule).span().until) {
                Some(last) => all.push(last),
                None => is_endless = true,
            }
        }
    }
    let day =
        |time: Option<NaiveDateTime>, days: i64| time.and_then(|time| time.checked_add_signed(TimeDelta::days(days)));
    let from = day(all.iter().min().copied(), -1).unwrap_or_default();
    Span { from, until: if is_endless { None } else { Some(day(all.iter().max().copied(), 1).unwrap_or(from)) } }
}

impl Part {
    /// The component of this number with all that is in it. Every component of the file has its end.
    pub(super) fn of(file: &File, at: usize) -> Part {
        let mut next = file.components().iter().skip(at).peekable();
        let mut open: Vec<Part> = Vec::new();
        let mut whole = Part { name: String::new(), begin: 0, end: 0, props: Vec::new(), inner: Vec::new() };
        let first = next.peek().map_or(0, |component| component.begin);
        for line in first..file.len() {
            if let Some(component) = next.next_if(|component| component.begin == line) {
                let end = component.end.unwrap_or(file.len());
                open.push(Part {
                    name: component.name.clone(),
                    begin: line,
                    end,
                    props: Vec::new(),
                    inner: Vec::new(),
                });
            } else if let Some(part) = open.pop_if(|part| part.end == line) {
                match open.last_mut() {
                    Some(parent) => parent.inner.push(part),
                    None => {
                        whole = part;
                        break;
                    }
                }
            } else if let (Some(part), Some(prop)) = (open.last_mut(), Prop::of(file, line)) {
                part.props.push(prop);
            }
        }
        whole
    }

    /// The first line of that name.
    pub(super) fn prop(&self, name: &str) -> Option<&Prop> {
        self.props.iter().find(|prop| prop.name == name)
    }

    /// The component as text: its lines unfolded and joined by LF, without those that are not wanted.
    pub(super) fn text(&self, is_wanted: impl Fn(&Prop) -> bool + Copy) -> String {
        let mut lines: Vec<(usize, String)> = self
            .props
            .iter()
            .filter(|prop| is_wanted(prop))
            .map(|prop| (prop.line, prop.content.text().to_owned()))
            .collect();
        lines.extend(self.inner.iter().map(|part| (part.begin, part.text(is_wanted))));
        lines.sort_by_key(|(line, _)| *line);
        let lines: Vec<String> = lines.into_iter().map(|(_, text)| text).collect();
        let body = if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" };
        format!("BEGIN:{0}\n{body}END:{0}", self.name)
    }
}

impl Prop {
    fn of(file: &File, line: usize) -> Option<Prop> {
        let bytes = file.unfolded(line);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            return Some(Prop::from_line(line, ContentLine::parse(text)?));
        }
        let rough = ContentLine::parse(Charset::WINDOWS_1252.decode(&bytes))?;
        let named = rough.parameter("CHARSET").first().and_then(|name| Charset::named(name));
        let charset = named.unwrap_or(Charset::WINDOWS_1252);
        Some(Prop::from_line(line, ContentLine::parse(charset.decode(&bytes))?))
    }

    /// A line that stands in no file yet.
    pub(super) fn from_line(line: usize, content: ContentLine) -> Prop {
        let (name, parameters) = (content.name(), content.parameters().collect());
        Prop { line, content, name, parameters }
    }

    /// The first value of a parameter, trimmed; `None` when it is empty.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let values = self.parameters.iter().find(|p| p.name == name).map(|p| p.values.as_slice());
        values.and_then(|values| values.first()).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(super) fn parameter_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |p| p.name == name).flat_map(|p| p.values.iter()).map(|value| value.trim())
    }

    /// The first value of a parameter in small letters.
    pub(super) fn token(&self, name: &str) -> Option<String> {
        self.parameter(name).map(str::to_ascii_lowercase)
    }

    /// The value as one text with line ends as LF.
    pub(super) fn text(&self) -> String {
        lf(&unescape(self.content.value(), true))
    }

    /// The value as one text, blanks around it taken off; `None` when nothing is left.
    pub(super) fn word(&self) -> Option<String> {
        let text = self.text();
        let word = text.trim();
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// The value as it stands there, as URIs do, blanks around it taken off; `None` when nothing is left.
    pub(super) fn uri(&self) -> Option<&str> {
        let uri = self.content.value().trim();
        (!uri.is_empty()).then_some(uri)
    }

    /// The items between commas, blanks around them taken off.
    pub(super) fn list(&self) -> Vec<String> {
        split(self.content.value(), ',').into_iter().map(|item| lf(&unescape(item, true)).trim().to_owned()).collect()
    }
}
