//! What one unfolded line says: group, name, parameters, value (RFC 6350 3.3, RFC 6868).

use super::find_colon;
use std::borrow::Cow;
use std::ops::Range;

/// One unfolded line: `[group.]name *(;parameter) : value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentLine {
    text: String,
    group: Option<Range<usize>>,
    name: Range<usize>,
    parameters: Vec<Range<usize>>,
    value: usize,
}

/// One parameter of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name in capitals; empty for the bare words of vCard 2.1 (`TEL;HOME:`).
    pub name: String,
    /// The values, without quotes and with RFC 6868 undone.
    pub values: Vec<String>,
}

impl ContentLine {
    /// Cuts an unfolded line; `None` when it has no colon.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let (colon, minds_quotes) = find_colon(text.as_bytes());
        let colon = colon?;
        let mut parameters = Vec::new();
        let mut quoted = false;
        let mut start = 0;
        let mut head_end = None;
        for (i, byte) in text.bytes().enumerate().take(colon) {
            if byte == b'"' && minds_quotes {
                quoted = !quoted;
            } else if byte == b';' && !quoted {
                match head_end {
                    None => head_end = Some(i),
                    Some(_) => parameters.push(start..i),
                }
                start = i + 1;
            }
        }
        match head_end {
            None => head_end = Some(colon),
            Some(_) => parameters.push(start..colon),
        }
        let head_end = head_end.unwrap_or(colon);
        let head = text.get(..head_end)?;
        let (group, name) = match head.rfind('.') {
            Some(dot) => (Some(0..dot), dot + 1..head_end),
            None => (None, 0..head_end),
        };
        Some(Self { group, name, parameters, value: colon + 1, text })
    }

    /// The whole line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole line without its group.
    pub fn without_group(&self) -> &str {
        self.text.get(self.name.start..).unwrap_or_default()
    }

    /// The group as it stands there (RFC 6350 3.3).
    pub fn group(&self) -> Option<&str> {
        self.text.get(self.group.clone()?)
    }

    /// The name in capitals.
    pub fn name(&self) -> String {
        self.text.get(self.name.clone()).unwrap_or_default().trim().to_ascii_uppercase()
    }

    /// The name as it stands there.
    pub fn raw_name(&self) -> &str {
        self.text.get(self.name.clone()).unwrap_or_default()
    }

    /// The value as it stands there: escapes and encodings not undone.
    pub fn value(&self) -> &str {
        self.text.get(self.value..).unwrap_or_default()
    }

    /// The parameters as they stand there, without the semicolons.
    pub fn raw_parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter_map(|range| self.text.get(range.clone()))
    }

    /// The parameters.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        self.raw_parameters().map(Parameter::parse)
    }

    /// All values of the parameters of that name (in capitals).
    pub fn parameter(&self, name: &str) -> Vec<String> {
        self.parameters().filter(|parameter| parameter.name == name).flat_map(|parameter| parameter.values).collect()
    }
}

impl Parameter {
    /// Reads one raw parameter: `NAME=value,"value"`, or a bare word.
    pub fn parse(raw: &str) -> Self {
        let (name, values) = raw.split_once('=').unwrap_or(("", raw));
        let mut parts = Vec::new();
        let mut quoted = false;
        let minds_quotes = values.bytes().filter(|b| *b == b'"').count() % 2 == 0;
        let mut start = 0;
        for (i, byte) in values.bytes().enumerate() {
            if byte == b'"' && minds_quotes {
                quoted = !quoted;
            } else if byte == b',' && !quoted {
                parts.push(&values[start..i]);
                start = i + 1;
            }
        }
        parts.push(&values[start..]);
        let plain = |part: &str| {
            let part = part.trim();
            let inner = part.strip_prefix('"').and_then(|p| p.strip_suffix('"')).unwrap_or(part);
            decode_caret(inner).into_owned()
        };
        Self { name: name.trim().to_ascii_uppercase(), values: parts.into_iter().map(plain).collect() }
    }

    /// The parameter as text: values quoted where they must be, line ends and quotes after RFC 6868. Control characters that
    /// no form can hold are left out.
    pub fn write(name: &str, values: &[String]) -> String {
        let values: Vec<String> = values.iter().map(|value| encode_value(value)).collect();
        if name.is_empty() { values.join(",") } else { format!("{name}={}", values.join(",")) }
    }
}

/// Undoes RFC 6868: `^n`, `^^`, `^'`.
fn decode_caret(text: &str) -> Cow<'_, str> {
    if !text.contains('^') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match (c, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('^')) => '^',
            ('^', Some('\'')) => '"',
            _ => {
                out.push(c);
                continue;
            }
        };
        out.push(plain);
        chars.next();
    }
    Cow::Owned(out)
}

fn encode_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    for c in value.chars() {
        match c {
            '\n' => out.push_str("^n"),
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    let must_quote = out.contains([',', ';', ':']) || out.trim() != out;
    if must_quote { format!("\"{out}\"") } else { out }
}
