//! Rules from and to VTIMEZONE components (RFC 5545 3.6.5).

use super::rules::{Observance, Rules, Span, Yearly, local, seconds};
use crate::contentline::{ContentLine, File};
use crate::recurrence::{Clock, End, Frequency, LAST_YEAR, Plan, Rule};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use std::collections::BTreeSet;
use std::fmt;

/// A zone as somebody defined it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name that its times use (TZID), with RFC 5545's escapes undone.
    pub tzid: String,
    /// Its rules.
    pub rules: Rules,
}

/// Why a VTIMEZONE says no rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VtimezoneError {
    /// The property of that name is missing or not readable.
    Property(&'static str),
    /// A rule that is not understood, or does not come each year although it does not end.
    Rule,
    /// Neither STANDARD nor DAYLIGHT.
    Empty,
    /// More of something than anybody needs.
    TooMuch,
}

impl fmt::Display for VtimezoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VtimezoneError::Property(name) => write!(f, "VTIMEZONE: {name} is missing or not readable"),
            VtimezoneError::Rule => f.write_str("VTIMEZONE: a rule that is not understood"),
            VtimezoneError::Empty => f.write_str("VTIMEZONE: neither STANDARD nor DAYLIGHT"),
            VtimezoneError::TooMuch => f.write_str("VTIMEZONE: more changes than a zone has"),
        }
    }
}

impl std::error::Error for VtimezoneError {}

/// Parts of one definition, endless rules, changes that it lists, and years that are looked at for them, at most.
const PARTS: usize = 400;
const RULES: usize = 24;
const CHANGES: usize = 20_000;
const YEARS: usize = 20_000;

/// The definition in a component of a file, by its index in [`File::components`].
///
/// # Errors
/// [`VtimezoneError`] when it says no rules.
pub fn read(file: &File, component: usize) -> Result<Definition, VtimezoneError> {
    let components = file.components();
    let own = components.get(component).filter(|c| c.name == "VTIMEZONE").ok_or(VtimezoneError::Empty)?;
    let end = own.end.unwrap_or(file.len());
    // Components stand in the order in which they begin, so that those within follow at once.
    let within = components.iter().skip(component + 1).take_while(|child| child.begin < end);
    let children: Vec<_> = within.filter(|child| child.parent == Some(component)).take(PARTS + 1).collect();
    if children.len() > PARTS {
        return Err(VtimezoneError::TooMuch);
    }
    let is_inner = |line: usize| children.iter().any(|child| (child.begin..=child.end.unwrap_or(end)).contains(&line));
    // The name is looked for among the first lines only: a definition has few before its parts.
    let mut names = (own.begin + 1..end).take(PARTS).filter(|line| !is_inner(*line));
    let name = names.find_map(|line| file.line(line).filter(|line| line.name() == "TZID"));
    let tzid = name.map(|line| unescape(line.value().trim())).ok_or(VtimezoneError::Property("TZID"))?;
    let mut parts = Vec::new();
    for child in children.iter().filter(|child| matches!(child.name.as_str(), "STANDARD" | "DAYLIGHT")) {
        let lines = (child.begin + 1..child.end.unwrap_or(end)).filter_map(|line| file.line(line));
        parts.push(Part::read(child.name == "DAYLIGHT", lines)?);
    }
    Ok(Definition { tzid, rules: assemble(parts)? })
}

/// The first definition in a text.
///
/// # Errors
/// [`VtimezoneError`] when there is none, or it says no rules.
pub fn parse(text: &str) -> Result<Definition, VtimezoneError> {
    let file = File::parse(text).map_err(|_| VtimezoneError::TooMuch)?;
    let component = file.components().iter().position(|component| component.name == "VTIMEZONE");
    read(&file, component.ok_or(VtimezoneError::Empty)?)
}

/// One STANDARD or DAYLIGHT.
struct Part {
    is_daylight: bool,
    name: String,
    from_s: i32,
    to_s: i32,
    start: NaiveDateTime,
    /// Local times of changes besides the start, in the offset before.
    dates: BTreeSet<NaiveDateTime>,
    rules: Vec<Rule>,
}

impl Part {
    fn read(is_daylight: bool, lines: impl Iterator<Item = ContentLine>) -> Result<Self, VtimezoneError> {
        let (mut name, mut from_s, mut to_s, mut start) = (String::new(), None, None, None);
        let (mut dates, mut rules) = (Vec::new(), Vec::new());
        for line in lines {
            let value = line.value().trim();
            match line.name().as_str() {
                "TZNAME" if name.is_empty() => name = unescape(value),
                "TZOFFSETFROM" => from_s = Some(offset(value).ok_or(VtimezoneError::Property("TZOFFSETFROM"))?),
                "TZOFFSETTO" => to_s = Some(offset(value).ok_or(VtimezoneError::Property("TZOFFSETTO"))?),
                "DTSTART" => start = Some(time(value).ok_or(VtimezoneError::Property("DTSTART"))?),
                "RDATE" => {
                    let listed = value.split(',').map(|date| time(date.split('/').next().unwrap_or(date)));
                    dates.extend(listed.collect::<Option<Vec<_>>>().ok_or(VtimezoneError::Property("RDATE"))?);
                }
                "RRULE" => rules.push(value.to_owned()),
                "EXDATE" | "EXRULE" => return Err(VtimezoneError::Property("EXDATE")),
                _ => {}
            }
            if dates.len() > CHANGES || rules.len() > RULES {
                return Err(VtimezoneError::TooMuch);
            }
        }
        let to_s = to_s.ok_or(VtimezoneError::Property("TZOFFSETTO"))?;
        let from_s = from_s.unwrap_or(to_s);
        let before = Rules::fixed(from_s);
        let local = |(time, is_utc): (NaiveDateTime, bool)| if is_utc { before.to_local(time.and_utc()) } else { time };
        let start = local(start.ok_or(VtimezoneError::Property("DTSTART"))?);
        let rules = rules.iter().map(|text| Rule::read(text, Clock::Zoned(&before))).collect::<Result<_, _>>();
        Ok(Self {
            is_daylight,
            name,
            from_s,
            to_s,
            start,
            dates: dates.into_iter().map(local).collect(),
            rules: rules.map_err(|_| VtimezoneError::Rule)?,
        })
    }

    fn instant(&self, time: NaiveDateTime) -> i64 {
        seconds(time) - i64::from(self.from_s)
    }

    /// The changes that come to an end, as instants.
    fn listed(&self, years: &mut usize) -> Result<Vec<i64>, VtimezoneError> {
        let mut dates = self.dates.clone();
        if self.begins_with_a_change() {
            dates.insert(self.start);
        }
        for rule in self.rules.iter().filter(|rule| rule.end != End::Never) {
            let plan = Plan::new(rule, self.start).filter(|_| is_yearly(rule)).ok_or(VtimezoneError::Rule)?;
            let (mut left, until) = match rule.end {
                End::After(count) => (count, NaiveDateTime::MAX),
                End::At(until) => (u32::MAX, until),
                End::Never | End::AtInstant(_) => return Err(VtimezoneError::Rule),
            };
            // The start counts.
            left = left.saturating_sub(1);
            for year in self.start.year()..=until.year().min(LAST_YEAR) {
                *years = years.checked_sub(1).ok_or(VtimezoneError::TooMuch)?;
                let later = plan.in_year(year).into_iter().filter(|date| *date > self.start && *date <= until);
                for date in later.take(left as usize) {
                    dates.insert(date);
                    left -= 1;
                }
                if dates.len() > CHANGES {
                    return Err(VtimezoneError::TooMuch);
                }
                if left == 0 {
                    break;
                }
            }
        }
        Ok(dates.into_iter().map(|date| self.instant(date)).collect())
    }

    /// Whether the start is a change itself. Many programs begin a rule on some New Year's Day on which nothing changes.
    fn begins_with_a_change(&self) -> bool {
        let falls_on_start = |rule: &Rule| {
            let first = Plan::new(rule, self.start).and_then(|plan| plan.starts_in(0));
            first.is_some_and(|first| first.contains(&self.start))
        };
        self.rules.is_empty() || self.dates.contains(&self.start) || self.rules.iter().any(falls_on_start)
    }

    fn endless(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.end == End::Never)
    }
}

fn is_yearly(rule: &Rule) -> bool {
    rule.frequency == Frequency::Yearly && rule.interval == 1
}

/// Puts the parts in order of time.
fn assemble(parts: Vec<Part>) -> Result<Rules, VtimezoneError> {
    let mut rules = Rules { observances: Vec::new(), is_silent_before: true, ..Rules::fixed(0) };
    let mut years_left = YEARS;
    for (to, part) in parts.iter().enumerate() {
        rules.observances.push(Observance {
            offset_s: part.to_s,
            is_daylight: part.is_daylight,
            name: part.name.clone(),
        });
        rules.changes.extend(part.listed(&mut years_left)?.into_iter().map(|at| (at, to)));
        for rule in part.endless() {
            let yearly = Yearly::new(rule.clone(), part.start, part.from_s, to).filter(|_| is_yearly(rule));
            rules.yearly.push(yearly.ok_or(VtimezoneError::Rule)?);
        }
        if rules.changes.len() > CHANGES || rules.yearly.len() > RULES {
            return Err(VtimezoneError::TooMuch);
        }
    }
    // Yearly rules begin at different times; up to the last beginning their changes are listed.
    let begin = |yearly: &Yearly| seconds(yearly.start) - i64::from(yearly.before_s);
    let listed = rules.changes.iter().map(|(at, _)| *at);
    let begun = listed.chain(rules.yearly.iter().map(begin)).max().ok_or(VtimezoneError::Empty)?;
    for yearly in &rules.yearly {
        let years = yearly.start.year()..=local(begun).year() + 1;
        for year in years {
            years_left = years_left.checked_sub(1).ok_or(VtimezoneError::TooMuch)?;
            let changes = yearly.in_year(year).into_iter().filter(|at| *at > begin(yearly) && *at <= begun);
            rules.changes.extend(changes.map(|at| (at, yearly.to)));
            if rules.changes.len() > CHANGES {
                return Err(VtimezoneError::TooMuch);
            }
        }
    }
    rules.yearly_after = begun;
    rules.changes.sort();
    rules.changes.dedup();
    // Before the first change, its offset before.
    let first_s = rules.changes_after(i64::MIN).next().and_then(|(_, to)| parts.get(to)).map_or(0, |part| part.from_s);
    rules.first = rules.observances.len();
    rules.observances.push(Observance { offset_s: first_s, is_daylight: false, name: String::new() });
    Ok(rules)
}

/// `±HHMM` or `±HHMMSS` as seconds, less than a day.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(Some(0), |two| two.parse::<i32>().ok());
    let (hours, minutes, second) = (two(0)?, two(2)?, two(4)?);
    (hours < 24 && minutes < 60 && second < 60).then_some(sign * (hours * 3600 + minutes * 60 + second))
}

/// A date, or a date and time, and whether it is in UTC.
fn time(text: &str) -> Option<(NaiveDateTime, bool)> {
    let text = text.trim();
    if text.len() == 8 {
        return Some((NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_time(NaiveTime::MIN), false));
    }
    let digits = text.strip_suffix(['Z', 'z']);
    Some((NaiveDateTime::parse_from_str(digits.unwrap_or(text), "%Y%m%dT%H%M%S").ok()?, digits.is_some()))
}

// ---- writing --------------------------------------------------------------------------------------------------------

/// The lines of a VTIMEZONE that says a zone's rules over a span and, where it has rules for later years, after it. The lines
/// are not folded and have no line ends ([`crate::contentline::fold`]).
pub fn write(tzid: &str, rules: &Rules, span: &Span) -> Vec<String> {
    let mut lines = vec!["BEGIN:VTIMEZONE".to_owned(), format!("TZID:{}", escape(tzid))];
    for onset in onsets(rules, span) {
        lines.extend(onset.lines());
    }
    lines.push("END:VTIMEZONE".to_owned());
    lines
}

/// What becomes one STANDARD or DAYLIGHT.
struct Onset<'a> {
    before_s: i32,
    to: &'a Observance,
    is_daylight: bool,
    /// Instants of the changes.
    at: Vec<i64>,
    rule: Option<&'a Yearly>,
}

/// What a definition must say so that each time of the span has its offset, in order of time.
fn onsets<'a>(rules: &'a Rules, span: &Span) -> Vec<Onset<'a>> {
    let from = rules.to_utc(span.from).timestamp();
    let until = span.until.map_or(i64::MAX, |until| rules.to_utc(until).timestamp());
    let (since, held) = rules.holding(from);
    // What holds from before every change has held for ever; RFC 5545 wants a date all the same.
    let since = since.unwrap_or_else(|| from.min(ERA));
    let uses_yearly = !rules.yearly.is_empty() && until > rules.yearly_after;
    let mut listed = Vec::new();
    if !uses_yearly || since <= rules.yearly_after {
        listed.push((since, held));
    }
    let last = if uses_yearly { rules.yearly_after } else { until };
    listed.extend(rules.changes_after(from).take_while(|(at, _)| *at <= last));
    let mut found: Vec<Onset<'a>> = Vec::new();
    for (at, to) in listed {
        let before = rules.holding(at.saturating_sub(1)).1;
        let (before_s, to) = (rules.offset_s(before), &rules.observances[to]);
        let is_daylight = is_summer(&rules.observances[before], to);
        match found.iter_mut().find(|onset| onset.before_s == before_s && onset.to == to) {
            Some(onset) => onset.at.push(at),
            None => found.push(Onset { before_s, to, is_daylight, at: vec![at], rule: None }),
        }
    }
    for yearly in rules.yearly.iter().filter(|_| uses_yearly) {
        let counts = |at: &i64| *at > rules.yearly_after;
        let year = local(from.max(rules.yearly_after)).year();
        let changes: Vec<i64> = (year - 1..=year + 2).flat_map(|year| yearly.in_year(year)).filter(counts).collect();
        let Some(at) = changes.iter().rfind(|at| **at <= from).or(changes.first()) else { continue };
        let to = &rules.observances[yearly.to];
        let before =
            rules.yearly.iter().map(|other| &rules.observances[other.to]).find(|o| o.offset_s == yearly.before_s);
        let is_daylight = before.map_or(to.is_daylight, |before| is_summer(before, to));
        found.push(Onset { before_s: yearly.before_s, to, is_daylight, at: vec![*at], rule: Some(yearly) });
    }
    found.sort_by_key(|onset| onset.at.first().copied());
    found
}

/// The year 1601, where others begin as well.
const ERA: i64 = -11_644_473_600;

/// Whether readers expect DAYLIGHT: some zones call their winter daylight saving time, with an offset that is less (Europe/Dublin).
fn is_summer(before: &Observance, to: &Observance) -> bool {
    match to.is_daylight {
        true => to.offset_s >= before.offset_s,
        false => before.is_daylight && to.offset_s > before.offset_s,
    }
}

impl Onset<'_> {
    fn lines(&self) -> Vec<String> {
        let kind = if self.is_daylight { "DAYLIGHT" } else { "STANDARD" };
        let time = |at: &i64| local(at + i64::from(self.before_s)).format("%Y%m%dT%H%M%S").to_string();
        let mut lines = vec![
            format!("BEGIN:{kind}"),
            format!("TZOFFSETFROM:{}", offset_text(self.before_s)),
            format!("TZOFFSETTO:{}", offset_text(self.to.offset_s)),
        ];
        if !self.to.name.is_empty() {
            lines.push(format!("TZNAME:{}", escape(&self.to.name)));
        }
        lines.extend(self.at.first().map(|at| format!("DTSTART:{}", time(at))));
        if let Some(yearly) = self.rule {
            lines.push(format!("RRULE:{}", yearly.rule.write(yearly.start, Clock::Floating)));
        }
        // Some readers take the start for a date only where it is listed, too, and one date a line.
        lines.extend(self.at.iter().filter(|_| self.at.len() > 1).map(|at| format!("RDATE:{}", time(at))));
        lines.push(format!("END:{kind}"));
        lines
    }
}

fn offset_text(offset_s: i32) -> String {
    let (sign, all) = (if offset_s < 0 { '-' } else { '+' }, offset_s.unsigned_abs());
    let (hours, minutes, second) = (all / 3600, all / 60 % 60, all % 60);
    match second {
        0 => format!("{sign}{hours:02}{minutes:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}{second:02}"),
    }
}

/// RFC 5545 3.3.11.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '\\' | ',' | ';') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}
