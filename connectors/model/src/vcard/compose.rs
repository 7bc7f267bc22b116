//! Properties as lines: encodings of each version, and the difference of two meanings applied to a line that is there.

use super::doc::{Dialect, Prop, is_encoding};
use super::say::{Fresh, Val};
use crate::contentline::charset::Charset;
use crate::contentline::ours::KEY;
use crate::contentline::text::{Within, escape, quote};
use crate::contentline::{ContentLine, Parameter, fold, fold_softly};
use std::borrow::Cow;

/// A line before it is folded.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    /// Group, name and parameters.
    head: String,
    value: String,
    is_quoted: bool,
    /// An empty line follows (base64 in vCard 2.1).
    is_open: bool,
    /// The charset of the bytes; UTF-8 where it is `None` or lacks a character.
    charset: Option<Charset>,
}

/// Parameters that belong to the value and go when it changes.
const OF_VALUE: [&str; 3] = ["VALUE", "ENCODING", "CHARSET"];

/// Words of TYPE that mean the same.
const SAME: [(&str, &str); 5] =
    [("home", "personal"), ("work", "business"), ("cell", "mobile"), ("main", "main-number"), ("main-number", "main")];

/// Parameters that mean the same.
const SAME_PARAMETER: [(&str, &str); 2] = [("X-SERVICE-TYPE", "SERVICE-TYPE"), ("X-USER", "USERNAME")];

impl Composed {
    /// The physical lines.
    pub(super) fn physical(&self) -> Vec<Vec<u8>> {
        let (head, value) = (self.bytes(&self.head), self.bytes(&self.value));
        if self.is_quoted {
            return fold_softly(&[&head, &b":"[..]].concat(), &value);
        }
        let mut physical = fold(&[&head, &b":"[..], &value].concat());
        if self.is_open {
            physical.push(Vec::new());
        }
        physical
    }

    fn bytes<'t>(&self, text: &'t str) -> Cow<'t, [u8]> {
        let own = self.charset.filter(|_| !text.is_ascii()).and_then(|charset| charset.encode(text));
        // What would be taken for UTF-8 when it is read again is written as UTF-8.
        let own = own.filter(|bytes| std::str::from_utf8(bytes).is_err());
        own.map_or(Cow::Borrowed(text.as_bytes()), Cow::Owned)
    }

    /// A whole line as it stands in `vCardProps`, which [`super::read::stands_for_itself`].
    pub(super) fn whole(line: &str, charset: Option<Charset>) -> Option<Composed> {
        let content = ContentLine::parse(line)?;
        let value = content.value().to_owned();
        let head = line.get(..line.len() - value.len() - 1)?.to_owned();
        let prop = Prop::from_line(0, content, None, Dialect::V3);
        Some(Composed { head, value, is_quoted: prop.is_quoted(), is_open: false, charset })
    }
}

/// A new line. `key` is stated where the place would not give it.
pub(super) fn fresh(
    group: Option<&str>,
    fresh: &Fresh,
    key: Option<&str>,
    dialect: Dialect,
    charset: Option<Charset>,
) -> Composed {
    let (encoding, value) = encode(&fresh.value, dialect);
    let mut parameters = type_parameters(&fresh.types, dialect);
    parameters.extend(pref_parameter(fresh.pref, dialect));
    parameters.extend(fresh.parameters.iter().filter_map(|(name, values)| parameter(name, values, dialect)));
    parameters.extend(key.and_then(|key| parameter(KEY, &[key.to_owned()], dialect)));
    let is_quoted = encoding.iter().any(|p| p.ends_with("QUOTED-PRINTABLE"));
    parameters.extend(encoding);
    let is_open = dialect == Dialect::V2 && matches!(fresh.value, Val::Base64(_));
    Composed { head: head(group, &fresh.name, &parameters), value, is_quoted, is_open, charset }
}

/// The line that says `old`, edited so that it says `new`: parameters and value that mean the same stay as they stand.
/// `own_type` is a word of TYPE to drop (the label, when that changed).
pub(super) fn edited(
    prop: &Prop,
    group: Option<&str>,
    (old, new): (&Fresh, &Fresh),
    own_type: Option<&str>,
    ansi: Option<Charset>,
) -> Composed {
    let dialect = prop.dialect;
    let is_new_value = old.value != new.value;
    let has = |types: &[String], word: &str| types.iter().any(|t| t.eq_ignore_ascii_case(word));
    let is_dropped = |word: &str| {
        let is_gone = |of: &str| has(&old.types, of) && !has(&new.types, of);
        let same = SAME.iter().find(|(_, other)| word.eq_ignore_ascii_case(other)).map(|row| row.0);
        is_gone(word)
            || same.is_some_and(is_gone)
            || own_type.is_some_and(|own| own.eq_ignore_ascii_case(word))
            || (old.pref != new.pref && word.eq_ignore_ascii_case("pref"))
    };
    let of = |fresh: &Fresh, name: &str| fresh.parameters.iter().find(|p| p.0 == name).map(|p| p.1.clone());
    let differs = |name: &str| {
        let name = SAME_PARAMETER.iter().find(|row| row.1 == name).map_or(name, |row| row.0);
        of(old, name) != of(new, name)
    };
    let uri = is_new_value.then(|| tel_uri(prop, new)).flatten();
    let is_value_dropped = is_new_value && uri.is_none();
    let mut parameters: Vec<String> = Vec::new();
    let mut types_end = None;
    for (raw, parsed) in prop.content.raw_parameters().zip(&prop.parameters) {
        match parsed.name.as_str() {
            name if OF_VALUE.contains(&name) && is_value_dropped => continue,
            "" if is_value_dropped && parsed.values.iter().all(|word| is_encoding(word)) => continue,
            "TYPE" | "" => {
                let words: Vec<&str> = parsed.values.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
                let kept: Vec<String> = words.iter().filter(|w| !is_dropped(w)).map(|w| (*w).to_owned()).collect();
                match (kept.len() == words.len(), kept.is_empty()) {
                    (true, _) => parameters.push(raw.to_owned()),
                    (false, true) => {}
                    (false, false) => {
                        let name = raw.split_once('=').map_or("", |(name, _)| name);
                        parameters.push(Parameter::write(name, &kept));
                    }
                }
                types_end = Some(parameters.len());
            }
            "PREF" if old.pref != new.pref => {}
            name if differs(name) => {}
            _ => parameters.push(raw.to_owned()),
        }
    }
    let added: Vec<String> =
        new.types.iter().filter(|word| !has(&old.types, word) && !prop_keeps(prop, word)).cloned().collect();
    let mut more = type_parameters(&added, dialect);
    if old.pref != new.pref {
        more.extend(pref_parameter(new.pref, dialect));
    }
    let at = types_end.unwrap_or(0);
    parameters.splice(at..at, more);
    for (name, values) in &new.parameters {
        let is_there = prop.parameter(name).is_some() && !(OF_VALUE.contains(name) && is_value_dropped);
        if differs(name) || (is_new_value && uri.is_none() && !is_there) {
            parameters.extend(parameter(name, values, dialect));
        }
    }
    let name = if old.name == new.name { prop.content.raw_name() } else { &new.name };
    if !is_new_value || uri.is_some() {
        let value = uri.unwrap_or_else(|| prop.content.value().to_owned());
        let is_open = dialect == Dialect::V2 && prop.is_base64();
        let charset = prop.charset;
        return Composed { head: head(group, name, &parameters), value, is_quoted: prop.is_quoted(), is_open, charset };
    }
    let (encoding, value) = encode(&new.value, dialect);
    let is_quoted = encoding.iter().any(|p| p.ends_with("QUOTED-PRINTABLE"));
    parameters.extend(encoding);
    let is_open = dialect == Dialect::V2 && matches!(new.value, Val::Base64(_));
    Composed { head: head(group, name, &parameters), value, is_quoted, is_open, charset: ansi }
}

/// Whether a line has a word of TYPE already, in some form.
fn prop_keeps(prop: &Prop, word: &str) -> bool {
    prop.has_type(word) || SAME.iter().any(|(one, other)| word.eq_ignore_ascii_case(one) && prop.has_type(other))
}

/// A number for a line that says its number as `tel:` (RFC 3966), if it is one that can be said so.
fn tel_uri(prop: &Prop, new: &Fresh) -> Option<String> {
    let Val::Text(number) = &new.value else { return None };
    let old = prop.content.value();
    let is_tel = old.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"));
    let is_number =
        number.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'(' | b')' | b'*' | b'#'));
    (new.name == "TEL" && is_tel && is_number && !number.is_empty()).then(|| format!("tel:{number}"))
}

fn head(group: Option<&str>, name: &str, parameters: &[String]) -> String {
    let mut head = String::new();
    if let Some(group) = group {
        head.push_str(group);
        head.push('.');
    }
    head.push_str(name);
    for parameter in parameters {
        head.push(';');
        head.push_str(parameter);
    }
    head
}

/// A parameter as text; `None` where the version has no form for it (vCard 2.1 has no quotes).
fn parameter(name: &str, values: &[String], dialect: Dialect) -> Option<String> {
    let text = Parameter::write(name, values);
    (dialect != Dialect::V2 || (text.is_ascii() && !text.contains('"'))).then_some(text)
}

fn type_parameters(types: &[String], dialect: Dialect) -> Vec<String> {
    if types.is_empty() {
        return Vec::new();
    }
    if dialect == Dialect::V2 {
        let is_word =
            |word: &&String| word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'/' | b'.' | b'+'));
        return types.iter().filter(is_word).map(|word| word.to_ascii_uppercase()).collect();
    }
    vec![Parameter::write("TYPE", types)]
}

fn pref_parameter(pref: Option<u64>, dialect: Dialect) -> Option<String> {
    let pref = pref?;
    Some(match dialect {
        Dialect::V2 => "PREF".to_owned(),
        Dialect::V3 => "TYPE=pref".to_owned(),
        Dialect::V4 => format!("PREF={pref}"),
    })
}

/// The value as it stands in a line of this version, and the parameters that say how.
fn encode(value: &Val, dialect: Dialect) -> (Vec<String>, String) {
    if let Val::Base64(body) = value {
        let encoding = if dialect == Dialect::V2 { "ENCODING=BASE64" } else { "ENCODING=b" };
        return (vec![encoding.to_owned()], body.clone());
    }
    if dialect != Dialect::V2 {
        return (Vec::new(), escaped(value, Within::Text));
    }
    let text = escaped(value, Within::Quoted);
    if text.is_ascii() && !text.contains('\n') {
        return (Vec::new(), escaped(value, Within::Old));
    }
    let mut encoding = Vec::new();
    if !text.is_ascii() {
        encoding.push("CHARSET=UTF-8".to_owned());
    }
    encoding.push("ENCODING=QUOTED-PRINTABLE".to_owned());
    (encoding, quote(&text))
}

fn escaped(value: &Val, within: Within) -> String {
    let join = |items: &[String], within: Within| items.iter().map(|i| escape(i, within)).collect::<Vec<_>>().join(",");
    match value {
        Val::Text(text) | Val::Base64(text) => escape(text, within),
        Val::Uri(uri) if within == Within::Quoted => escape(uri, Within::Quoted),
        Val::Uri(uri) => escape(uri, Within::Uri),
        Val::Parts(parts) => parts.iter().map(|part| join(part, within)).collect::<Vec<_>>().join(";"),
        Val::List(items) if within == Within::Text => join(items, Within::Text),
        Val::List(items) if within == Within::Quoted => join(items, Within::QuotedItem),
        Val::List(items) => join(items, Within::OldItem),
    }
}
