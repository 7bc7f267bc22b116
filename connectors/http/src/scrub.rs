//! Takes what is secret or personal out of a recorded exchange: tokens, addresses, names. The same thing becomes the same
//! stand-in throughout one file, so that links, ids and etags still fit together. What is a stand-in already stays, so what was
//! scrubbed once does not change any more: that is how a checked-in cassette is looked through ([`crate::cassette::unscrubbed`]).
//!
//! What is not known to be harmless goes: headers stand on a list of those kept, bodies that are neither JSON nor a form (nor
//! a batch of such, nor a message of stand-ins) are replaced whole, personal fields are named below and everything else is searched for addresses and tokens.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use twofold_model::Mark;
use url::Url;

/// What stands for something that was taken out without a stand-in of its own; in a replay it matches anything.
pub(crate) const GONE: &str = "scrubbed";

/// Headers that are kept, in requests and answers.
const HEADERS: [&str; 16] = [
    "accept",
    "content-range",
    "content-type",
    "date",
    "etag",
    "if-match",
    "if-none-match",
    "location",
    "prefer",
    "preference-applied",
    "range",
    "request-id",
    "retry-after",
    "www-authenticate",
    "x-http-method-override",
    "x-request-id",
];

/// Fields whose whole value is secret, in JSON, forms and queries.
const SECRETS: [&str; 11] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code_verifier",
    "device_code",
    "id_token",
    "password",
    "refresh_token",
    "token",
    "user_code",
];

/// Parameters that are secret besides; in JSON these are error codes and the like. The redirect is no secret, but its port is
/// another one at each sign-in; neither is the client, but it is the user's own.
const SECRET_PARAMETERS: [&str; 6] = ["client_id", "code", "key", "state", "login_hint", "redirect_uri"];

/// Fields that hold names, places and words of people, in lower case.
const WORDS: [&str; 56] = [
    "assistantname",
    "bodypreview",
    "businesshomepage",
    "children",
    "city",
    "comment",
    "companyname",
    "content",
    "countryorregion",
    "department",
    "description",
    "displayname",
    "displaynamelastfirst",
    "extendedaddress",
    "familyname",
    "fileas",
    "formattedname",
    "formattedvalue",
    "givenname",
    "generation",
    "honorificprefix",
    "honorificsuffix",
    "imaddresses",
    "initials",
    "jobdescription",
    "jobtitle",
    "location",
    "maidenname",
    "manager",
    "middlename",
    "name",
    "nickname",
    "officelocation",
    "personalnotes",
    "phoneticfamilyname",
    "phoneticfullname",
    "phoneticgivenname",
    "phoneticmiddlename",
    "pobox",
    "postalcode",
    "postofficebox",
    "profession",
    "region",
    "snippet",
    "spousename",
    "state",
    "street",
    "streetaddress",
    "subject",
    "summary",
    "summaryoverride",
    "surname",
    "title",
    "unstructuredname",
    "yomigivenname",
    "yomisurname",
];

/// Lists whose entries keep what is personal in a field with a general name.
const PERSONAL_LISTS: [&str; 22] = [
    "addresses",
    "biographies",
    "birthdays",
    "calendarurls",
    "clientdata",
    "emailaddresses",
    "events",
    "externalids",
    "imclients",
    "interests",
    "locations",
    "misckeywords",
    "names",
    "nicknames",
    "occupations",
    "organizations",
    "phonenumbers",
    "relations",
    "singlevalueextendedproperties",
    "sipaddresses",
    "urls",
    "userdefined",
];
/// Lists that programs keep with an item: the names of their entries, and our own marks and UIDs, tell of nobody.
const PROGRAM_LISTS: [&str; 2] = ["clientdata", "singlevalueextendedproperties"];
/// Maps that programs keep with an event, by names of their own.
const PROGRAM_MAPS: [&str; 2] = ["private", "shared"];
const PERSONAL_FIELDS: [&str; 5] = ["value", "username", "person", "text", "key"];

/// Fields that hold telephone numbers.
const PHONES: [&str; 5] = ["mobilephone", "homephones", "businessphones", "phonenumbers", "canonicalform"];

/// Ways into an online meeting: who has one of them is in.
const WAYS_IN: [&str; 12] = [
    "accesscode",
    "conferenceid",
    "hangoutlink",
    "joinurl",
    "label",
    "meetingcode",
    "onlinemeetingurl",
    "passcode",
    "pin",
    "quickdial",
    "tollnumber",
    "uri",
];

/// Fields that hold bytes as base64.
const BYTES: [&str; 4] = ["contentbytes", "data", "photobytes", "raw"];

/// Fields that hold an opaque mark, always taken out whatever it looks like.
const MARKS: [&str; 18] = [
    "changekey",
    "clientrequestid",
    "client-request-id",
    "conversationindex",
    "eid",
    "etag",
    "historyid",
    "nextpagetoken",
    "nextsynctoken",
    "pagetoken",
    "request-id",
    "starthistoryid",
    "synctoken",
    "$deltatoken",
    "$skip_token",
    "$skiptoken",
    "transactionid",
    "x-request-id",
];

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Class {
    Word,
    Mail,
    Phone,
    Id,
    Bytes,
}

/// Keeps what stands for what, for one file.
#[derive(Debug, Default)]
pub(crate) struct Scrubber {
    stand_ins: HashMap<(Class, String), String>,
    /// The stand-ins in use, those among them that were there before.
    used: HashSet<String>,
    /// Whole secrets that were met (the bearer), to be looked for in what is about to be written.
    secrets: Vec<String>,
}

impl Scrubber {
    /// A secret that must not be in the file, wherever it would come from.
    pub(crate) fn remember_secret(&mut self, secret: &str) {
        if secret.len() >= 8 && secret != GONE && !self.secrets.iter().any(|s| s == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    /// Takes a secret out, and keeps it in mind: a provider may say it again in a sentence for the person.
    fn gone(&mut self, secret: &str) -> String {
        self.remember_secret(secret);
        GONE.into()
    }

    /// A whole body without the secrets that were met in it.
    pub(crate) fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, GONE))
    }

    /// Whether a text that is about to be written holds nothing that was to be taken out.
    pub(crate) fn is_clean(&self, text: &str) -> bool {
        let lower = text.to_lowercase();
        let mails = self.stand_ins.keys().filter(|(class, _)| *class == Class::Mail);
        !self.secrets.iter().any(|s| text.contains(s.as_str())) && !mails.into_iter().any(|(_, m)| lower.contains(m))
    }

    /// The header without what is secret; nothing if it is not kept at all.
    pub(crate) fn header(&mut self, name: &str, value: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        if !HEADERS.contains(&name.as_str()) {
            return None;
        }
        Some(match name.as_str() {
            "location" => self.url(value),
            "etag" | "if-match" | "if-none-match" if value != "*" => self.etag(value),
            "request-id" | "x-request-id" => self.stand_in(Class::Id, value),
            // A boundary that is made of what it bounds is another one in a replay.
            "content-type" if self.text(value) != value => GONE.into(),
            _ => self.text(value),
        })
    }

    /// An address: hosts and words stay, ids, people and secrets go.
    pub(crate) fn url(&mut self, url: &str) -> String {
        // Relative addresses stand in the parts of a batch.
        let relative = url.starts_with('/');
        let parsed = if relative { Url::parse(&format!("http://relative{url}")) } else { Url::parse(url) };
        let Ok(mut parsed) = parsed else { return self.text(url) };
        let segments: Vec<String> = parsed.path_segments().into_iter().flatten().map(decode).collect();
        let segments: Vec<String> = segments.iter().map(|s| self.segment(s)).collect();
        if let Ok(mut path) = parsed.path_segments_mut() {
            path.clear().extend(segments);
        }
        let pairs: Vec<(String, String)> = parsed.query_pairs().into_owned().collect();
        if !pairs.is_empty() {
            let pairs: Vec<_> = pairs.into_iter().map(|(n, v)| (n.clone(), self.parameter(&n, &v))).collect();
            parsed.query_pairs_mut().clear().extend_pairs(pairs);
        }
        // A user or a password in an address is a secret; a fragment is never sent.
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        parsed.set_fragment(None);
        let text = String::from(parsed);
        if relative { text.replacen("http://relative", "", 1) } else { text }
    }

    /// The pairs of a form or a query.
    pub(crate) fn parameter(&mut self, name: &str, value: &str) -> String {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            n if SECRETS.contains(&n) => self.gone(value),
            n if SECRET_PARAMETERS.contains(&n) => GONE.into(),
            "scope" => value.to_owned(),
            n if MARKS.contains(&n) && value != "latest" => self.stand_in(Class::Id, value),
            // The Message-ID of a message is told as an address, as it is where the message itself names it.
            "q" if value.starts_with(BY_MESSAGE_ID) => self.text(value),
            "q" | "query" | "$search" => self.stand_in(Class::Word, value),
            "$filter" | "$expand" | "$select" | "$orderby" => self.quoted(value),
            _ if value.starts_with("http://") || value.starts_with("https://") => self.url(value),
            _ if is_date(value) => value.to_owned(),
            _ => self.parts(value),
        }
    }

    /// JSON, walked down with the name of the field and of the list around it.
    pub(crate) fn json(&mut self, value: &Value) -> Value {
        self.value("", "", value)
    }

    fn value(&mut self, list: &str, key: &str, value: &Value) -> Value {
        match value {
            Value::Object(fields) if key == "headers" && !is_pair(fields) => self.batch_headers(fields),
            Value::Object(fields) => {
                let is_picture = is_picture(fields);
                let scrubbed = fields.iter().map(|(name, inner)| {
                    let lower = name.to_lowercase();
                    if let (true, "body", Value::String(bytes)) = (is_picture, lower.as_str(), inner) {
                        return (name.clone(), Value::String(self.stand_in(Class::Bytes, bytes)));
                    }
                    let bare = lower.strip_prefix("@odata.").unwrap_or(&lower);
                    // Names of fields have no slash: this is a map by the names of resources.
                    let name = if name.contains('/') { self.parts(name) } else { name.clone() };
                    (name, self.value(key, bare, inner))
                });
                Value::Object(scrubbed.collect())
            }
            // An entry of a list is seen as the list's field: its own fields have the list around them.
            Value::Array(entries) => entries.iter().map(|entry| self.value(list, key, entry)).collect(),
            Value::String(text) => Value::String(self.field(list, key, text)),
            // A number that is personal stands as text at both providers.
            other => other.clone(),
        }
    }

    fn batch_headers(&mut self, fields: &Map<String, Value>) -> Value {
        let kept = fields.iter().filter_map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some((name.clone(), Value::String(self.header(name, &text)?)))
        });
        Value::Object(kept.collect())
    }

    fn field(&mut self, list: &str, key: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let personal = PERSONAL_LISTS.contains(&list) && PERSONAL_FIELDS.contains(&key);
        match key {
            _ if SECRETS.contains(&key) => self.gone(text),
            "scope" => text.to_owned(),
            // How much of an upload came is nobody's.
            "nextexpectedranges" if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => text.to_owned(),
            // Mail headers are pairs of name and value: the name says what the value is and stays.
            "name" if list == "headers" => text.to_owned(),
            "value" if list == "headers" && is_stand_in_field(text) => text.to_owned(),
            "value" if list == "headers" => self.stand_in(Class::Word, text),
            "key" if list == "clientdata" => text.to_owned(),
            // A carry-all holds what the place has no field for. In a replay any will do.
            _ if PROGRAM_MAPS.contains(&list) || (PROGRAM_LISTS.contains(&list) && key == "value") => {
                if is_ours(text) || text == NOTHING { text } else { GONE }.to_owned()
            }
            _ if WAYS_IN.contains(&key) => GONE.to_owned(),
            // It may be made of what else is sent, and then fits to nothing of what is left of that.
            "transactionid" if !is_ours(text) => GONE.to_owned(),
            "etag" => self.etag(text),
            _ if MARKS.contains(&key) => self.stand_in(Class::Id, text),
            _ if PHONES.contains(&key) || (personal && list == "phonenumbers") => self.stand_in(Class::Phone, text),
            _ if BYTES.contains(&key) => self.stand_in(Class::Bytes, text),
            _ if text.starts_with("http://")
                || text.starts_with("https://")
                || (key == "url" && text.starts_with('/')) =>
            {
                self.url(text)
            }
            _ if is_mail(text) => self.mail(text),
            _ if personal || WORDS.contains(&key) => self.stand_in(Class::Word, text),
            _ if is_date(text) => text.to_owned(),
            _ => self.parts(text),
        }
    }

    /// Piece by piece between slashes, the same in a field and in a path, for ids may hold slashes.
    fn parts(&mut self, text: &str) -> String {
        text.split('/').map(|part| self.part(part)).collect::<Vec<_>>().join("/")
    }

    fn part(&mut self, part: &str) -> String {
        // Provider: `OID.<id of a series>.<day>` is Graph's name for a day that was taken out.
        let day = part.strip_prefix("OID.").and_then(|rest| rest.rsplit_once('.')).filter(|(_, day)| is_date(day));
        if let Some((id, day)) = day {
            return format!("OID.{}.{day}", self.stand_in(Class::Id, id));
        }
        if looks_like_id(part) && !part.contains(['@', ' ', ',', ':']) {
            return self.stand_in(Class::Id, part);
        }
        self.text(part)
    }

    /// A piece of a path: `messages('ID')`, `c123:updateContact`, an id, an address, or a word that stays.
    fn segment(&mut self, segment: &str) -> String {
        if segment.contains('\'') {
            return self.quoted(segment);
        }
        if segment.contains('@') {
            return self.text(segment);
        }
        match segment.split_once(':') {
            Some((id, action)) => format!("{}:{}", self.parts(id), self.parts(action)),
            None => self.parts(segment),
        }
    }

    /// A text with values in single quotes: a filter, or a key in a path.
    fn quoted(&mut self, text: &str) -> String {
        let pieces: Vec<String> = text
            .split('\'')
            .enumerate()
            .map(|(n, piece)| match n % 2 {
                // Named properties (`String {…} Name …`) are ours and the same for everybody.
                1 if piece.is_empty() || piece.contains('{') => piece.to_owned(),
                1 if piece.contains('@') => self.text(piece),
                1 if looks_like_id(piece) => self.parts(piece),
                1 => self.stand_in(Class::Word, piece),
                _ => self.text(piece),
            })
            .collect();
        pieces.join("'")
    }

    fn etag(&mut self, etag: &str) -> String {
        let (head, inner) = match etag.strip_prefix("W/\"") {
            Some(inner) => ("W/\"", inner),
            None => match etag.strip_prefix('"') {
                Some(inner) => ("\"", inner),
                None => return self.stand_in(Class::Id, etag),
            },
        };
        format!("{head}{}\"", self.stand_in(Class::Id, inner.trim_end_matches('"')))
    }

    /// Any other text: e-mail addresses and what looks like a token are replaced where they stand.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let in_run = |c: char| c.is_alphanumeric() || "._%+-@=#".contains(c);
            let run_end = rest.find(|c| !in_run(c)).unwrap_or(rest.len());
            let (run, tail) = rest.split_at(run_end);
            if is_mail(run) {
                out.push_str(&self.mail(run));
            } else if run.starts_with("eyJ") || run.starts_with("ya29.") {
                out.push_str(GONE);
            } else if run.len() >= 40 && looks_like_id(run) {
                out.push_str(&self.stand_in(Class::Id, run));
            } else {
                out.push_str(run);
            }
            let separators = tail.find(in_run).unwrap_or(tail.len());
            out.push_str(&tail[..separators]);
            rest = &tail[separators..];
        }
        out
    }

    fn mail(&mut self, mail: &str) -> String {
        let stand_in = self.stand_in(Class::Mail, &mail.to_lowercase());
        // Provider: Google's own calendars are told apart by this ending.
        match mail.rsplit_once('@') {
            Some((_, domain)) if domain.ends_with("calendar.google.com") => stand_in.replace("example.org", domain),
            _ => stand_in,
        }
    }

    fn stand_in(&mut self, class: Class, original: &str) -> String {
        if is_stand_in(class, original) || (class == Class::Id && is_ours(original)) {
            self.used.insert(original.to_owned());
            return original.to_owned();
        }
        let known = (class, original.to_owned());
        if let Some(stand_in) = self.stand_ins.get(&known) {
            return stand_in.clone();
        }
        let mut number = self.stand_ins.len() + 1;
        let stand_in = loop {
            let stand_in = make(class, original, number);
            if self.used.insert(stand_in.clone()) {
                break stand_in;
            }
            number += 1;
        };
        self.stand_ins.insert(known, stand_in.clone());
        stand_in
    }
}

fn make(class: Class, original: &str, number: usize) -> String {
    match class {
        Class::Word => format!("Word {number}"),
        Class::Mail => format!("person{number}@example.org"),
        Class::Phone => format!("+1555{number:07}"),
        Class::Id => id_like(original, number),
        // Base64 of a text of its own, in every alphabet and without padding.
        Class::Bytes => STANDARD.encode(format!("bytes{number:07}")),
    }
}

/// Whether a text is what [`make`] makes. A name that a server puts together out of stand-ins is one as well.
fn is_stand_in(class: Class, text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match class {
        Class::Word => {
            let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            !words.is_empty() && words.chunks(2).all(|pair| matches!(pair, ["Word", number] if is_number(number)))
        }
        Class::Mail => {
            let parts = text.strip_prefix("person").and_then(|rest| rest.split_once('@'));
            parts.is_some_and(|(number, domain)| {
                is_number(number) && (domain == "example.org" || domain.ends_with("calendar.google.com"))
            })
        }
        Class::Phone => text.strip_prefix("+1555").is_some_and(|number| number.len() == 7 && is_number(number)),
        Class::Id => {
            let bare = text.strip_prefix(|c: char| c.is_ascii_lowercase()).unwrap_or(text);
            let is_numbered = bare.len() == 9 && bare.starts_with('9') && is_number(bare);
            is_numbered || text.strip_prefix("id-").is_some_and(|number| number.len() == 8 && is_number(number))
        }
        Class::Bytes => {
            // Base64 of either alphabet.
            let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
            let bytes = STANDARD_NO_PAD.decode(text).unwrap_or_default();
            let number = bytes.strip_prefix(b"bytes").and_then(|number| std::str::from_utf8(number).ok());
            number.is_some_and(is_number) || is_stand_in_message(&bytes)
        }
    }
}

/// The beginning of a search for a message by its name.
const BY_MESSAGE_ID: &str = "rfc822msgid:";

/// A message that is kept as it is has no more bytes.
const MOST_MESSAGE: usize = 2_000;

/// Whether a message (RFC 5322) is made of stand-ins alone: in its header addresses, words, a date and what its form is, in its
/// text words.
pub(crate) fn is_stand_in_message(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let is_field = |line: &str| {
        let Some((name, value)) = line.split_once(": ") else { return false };
        match name.to_ascii_lowercase().as_str() {
            "from" | "to" | "cc" | "bcc" | "reply-to" | "sender" | "subject" | "date" | "message-id" => {
                is_stand_in_field(value)
            }
            "mime-version" => value == "1.0",
            "content-type" => {
                ["text/plain", "text/plain; charset=utf-8"].contains(&value.to_ascii_lowercase().as_str())
            }
            _ => false,
        }
    };
    let is_words = |line: &str| line.is_empty() || is_stand_in(Class::Word, line);
    bytes.len() <= MOST_MESSAGE && head.split("\r\n").all(is_field) && body.split("\r\n").all(is_words)
}

/// Whether the value of a field of a message is a stand-in: an address (in angle brackets or not), words, a date.
fn is_stand_in_field(value: &str) -> bool {
    let bare = value.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(value);
    is_stand_in(Class::Mail, bare)
        || is_stand_in(Class::Word, value)
        || chrono::DateTime::parse_from_rfc2822(value).is_ok()
}

/// Whether this is one field of a message's header, as JSON tells it.
fn is_pair(fields: &Map<String, Value>) -> bool {
    fields.len() == 2 && fields.contains_key("name") && fields.contains_key("value")
}

/// What a program keeps where it has nothing to keep.
const NOTHING: &str = "{}";

/// Our own mark, an id made from it, or the UID of an item: made by a program out of chance.
fn is_ours(text: &str) -> bool {
    let is_random = |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    Mark::parse(text).is_some_and(|mark| is_random(&mark.hub) && is_random(&mark.item))
        || text.strip_prefix("urn:uuid:").is_some_and(is_random)
        || text.strip_prefix("tf").is_some_and(|hex| hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether this is an answer in a batch that brings a picture.
fn is_picture(part: &Map<String, Value>) -> bool {
    let headers = part.get("headers").and_then(Value::as_object);
    let media_type = headers.into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    media_type.is_some_and(|(_, value)| value.as_str().is_some_and(|value| value.starts_with("image/")))
}

/// A stand-in of the same make: digits stay digits, hexadecimal ones as well, and `c123` keeps its letter.
fn id_like(original: &str, number: usize) -> String {
    // Provider: the id of a message at Gmail.
    if original.len() == 16 && original.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return format!("{}", 900_000_000 + number);
    }
    let letter: String = original.chars().take_while(|c| c.is_ascii_lowercase()).take(1).collect();
    let digits = &original[letter.len()..];
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return format!("{letter}{}", 900_000_000 + number);
    }
    format!("id-{number:08}")
}

fn looks_like_id(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (text.len() >= 8 && digits >= 2) || digits >= 6
}

fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() })
}

fn is_mail(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let fits = |c: char| c.is_alphanumeric() || "._%+-=#'".contains(c);
    !local.is_empty()
        && local.chars().all(fits)
        && domain.contains('.')
        && !domain.starts_with('.')
        && domain.chars().all(fits)
}

/// Undoes percent encoding; what is none stays.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_addresses_and_tokens_go_and_what_a_program_reads_stays() {
        let mut scrubber = Scrubber::default();
        let scrubbed = scrubber.json(&json!({
            "@odata.etag": "W/\"EQAAABYAAAB\"", "id": "AAMkADk0ZjM3YjYwLTU4", "displayName": "Ada Lovelace", "givenName": "Ada",
            "emailAddresses": [{"name": "Ada", "address": "ada@lovelace.example"}],
            "homePhones": ["+44 20 7946 0018"], "birthday": "1815-12-10T00:00:00Z", "categories": ["Red"], "changeKey": "EQAAABYAAAB",
            "access_token": "ya29.hush", "note": "write to ada@lovelace.example soon",
            "phoneNumbers": [{"value": "+44 20 7946 0018", "type": "home", "canonicalForm": "+442079460018"}],
            "names": [{"metadata": {"primary": true}, "unstructuredName": "Ada Lovelace"}],
            "resourceName": "people/c1234567890", "memberships": [{"contactGroupMembership": {"contactGroupResourceName": "contactGroups/myContacts"}}],
            "photoBytes": "aGVsbG8="
        }));
        let text = scrubbed.to_string();
        for gone in ["Ada", "Lovelace", "lovelace", "AAMk", "7946", "hush", "EQAAA", "c1234567890", "aGVsbG8"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        for kept in [
            "1815-12-10T00:00:00Z",
            "Red",
            "home",
            "contactGroups/myContacts",
            "people/c9",
            "W/\\\"id-",
            "@example.org",
        ] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
        assert_eq!(scrubbed["names"][0]["unstructuredName"], scrubbed["displayName"], "one person stays one person");
        assert!(scrubber.is_clean(&text));
        assert!(!scrubber.is_clean("Ada@Lovelace.example"));
    }

    #[test]
    fn links_still_fit_after_scrubbing() {
        let mut scrubber = Scrubber::default();
        let item = scrubber.json(&json!({"id": "AAMkAGI2TG93AAA=", "syncToken": "abc"}));
        let id = item["id"].as_str().unwrap().to_owned();
        let url = scrubber.url(
            "https://graph.microsoft.com/v1.0/me/contacts/AAMkAGI2TG93AAA%3D?$select=id,displayName&syncToken=abc",
        );
        assert!(url.contains(&format!("/v1.0/me/contacts/{id}?")), "{url}");
        assert!(url.contains("displayName") && url.contains(item["syncToken"].as_str().unwrap()), "{url}");
        let keyed = scrubber.url("/me/messages('AAMkAGI2TG93AAA=')/$value?x=ada@lovelace.example");
        assert!(keyed.starts_with(&format!("/me/messages('{id}')/$value?x=person")), "{keyed}");
        assert_eq!(
            scrubber.url("https://h.example/token?code=hush&state=hush"),
            "https://h.example/token?code=scrubbed&state=scrubbed"
        );
    }

    #[test]
    fn what_was_scrubbed_once_stays_as_it_is() {
        let person = json!({
            "resourceName": "people/c1234567890", "etag": "%EgUBAgk3", "id": "AAMkADk0ZjM3YjYwLTU4",
            "names": [{"givenName": "Ada", "familyName": "King", "displayName": "Ada King", "displayNameLastFirst": "King, Ada"}],
            "emailAddresses": [{"value": "ada@lovelace.example"}], "phoneNumbers": [{"value": "+44 20 7946 0018"}],
            "photoBytes": "aGVsbG8=", "biographies": [{"value": "hush"}], "nextSyncToken": "c2VjcmV0LTEyMw",
            "clientData": [{"key": "twofold-carry", "value": "{\"hush\":1}"}],
        });
        let once = Scrubber::default().json(&person);
        assert_eq!(Scrubber::default().json(&once), once);
        // A stand-in that was there before is not given to somebody else.
        let mixed = Scrubber::default().json(&json!([{"givenName": "Word 1"}, {"givenName": "Ada"}]));
        assert_ne!(mixed[0]["givenName"], mixed[1]["givenName"]);
        let joined = json!({"displayName": "Word 1 Word 2", "fileAs": "Word 2, Word 1"});
        assert_eq!(Scrubber::default().json(&joined), joined);
    }

    #[test]
    fn what_a_program_keeps_with_a_contact_goes_but_for_its_marks() {
        let data = |value: &str| json!({"clientData": [{"key": "twofold-mark", "value": value}]});
        let property =
            |value: &str| json!({"singleValueExtendedProperties": [{"id": "String {x} Name y", "value": value}]});
        for ours in ["hub-1:item-1:2", "urn:uuid:0a-1"] {
            assert_eq!(Scrubber::default().json(&data(ours)), data(ours));
            assert_eq!(Scrubber::default().json(&property(ours)), property(ours));
        }
        for hush in ["{\"carry\":\"Ada\"}", "Ada King:x:1", "urn:uuid:Ada King"] {
            assert!(!Scrubber::default().json(&data(hush)).to_string().contains("Ada"), "{hush}");
            assert!(!Scrubber::default().json(&property(hush)).to_string().contains("Ada"), "{hush}");
        }
    }

    #[test]
    fn what_a_program_keeps_with_an_event_goes_but_for_its_marks_and_ids() {
        let private = |value: &str| json!({"extendedProperties": {"private": {"twofold-x": value}}});
        for ours in ["hub-1:item-1:2", "{}"] {
            assert_eq!(Scrubber::default().json(&private(ours)), private(ours));
        }
        let shared = json!({"extendedProperties": {"shared": {"shoe": "Ada's"}}});
        for hush in [private("{\"carry\":\"Ada\"}"), shared] {
            assert!(!Scrubber::default().json(&hush).to_string().contains("Ada"), "{hush}");
        }
        let made = json!({"id": format!("tf{}", "0a".repeat(20)), "transactionId": "hub-1:item-1:2"});
        assert_eq!(Scrubber::default().json(&made), made);
        let theirs = json!({"id": format!("tg{}", "0a".repeat(20)), "transactionId": "Ada's"});
        let scrubbed = Scrubber::default().json(&theirs);
        assert!(scrubbed["id"] != theirs["id"], "{scrubbed}");
        assert_eq!(scrubbed["transactionId"], GONE, "in a replay any will do");
    }

    #[test]
    fn events_and_calendars_still_fit_after_scrubbing() {
        let mut scrubber = Scrubber::default();
        let scrubbed = scrubber.json(&json!({
            "id": "AAMkAGI2TG93AAA=", "cancelledOccurrences": ["OID.AAMkAGI2TG93AAA=.2026-03-16"],
            "calendar": {"id": "c_1234@group.calendar.google.com", "summary": "Choir", "summaryOverride": "My choir"},
            "hangoutLink": "https://meet.google.com/abc-defg-hij", "onlineMeeting": {"joinUrl": "https://t.example/j/a"},
            "htmlLink": "https://www.google.com/calendar/event?eid=abc", "iCalUID": "abc@google.com",
        }));
        let text = scrubbed.to_string();
        for gone in ["AAMk", "c_1234", "hoir", "abc", "/j/a"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        let day = format!("OID.{}.2026-03-16", scrubbed["id"].as_str().unwrap());
        assert_eq!(scrubbed["cancelledOccurrences"], json!([day]));
        let calendar = scrubbed["calendar"]["id"].as_str().unwrap();
        assert!(calendar.ends_with("@group.calendar.google.com"), "{calendar}");
        let url = scrubber
            .url("https://h.example/calendars/c_1234%40group.calendar.google.com/events?iCalUID=abc%40google.com");
        let path = format!("/calendars/{calendar}/events");
        assert!(url.replace("%40", "@").contains(&path), "{url}");
        assert!(url.replace("%40", "@").ends_with(scrubbed["iCalUID"].as_str().unwrap()), "{url}");
        assert_eq!(Scrubber::default().json(&scrubbed), scrubbed);
    }

    #[test]
    fn what_stands_by_the_name_of_its_resource_is_named_as_elsewhere() {
        let people =
            json!({"resourceNames": ["people/c1234567890"], "contacts": {"people/c1234567890": {"names": []}}});
        let scrubbed = Scrubber::default().json(&people);
        assert!(!scrubbed.to_string().contains("c1234567890"), "{scrubbed}");
        assert!(scrubbed["contacts"].get(scrubbed["resourceNames"][0].as_str().unwrap()).is_some(), "{scrubbed}");
    }

    #[test]
    fn a_secret_that_is_said_twice_goes_twice() {
        let mut scrubber = Scrubber::default();
        let offered = json!({"message": "enter the code BCDFG2345 there", "user_code": "BCDFG2345", "scope": "https://g.example/a b"});
        let text = scrubber.json(&offered).to_string();
        assert!(!scrubber.is_clean(&text), "{text}");
        let text = scrubber.without_secrets(text);
        assert!(scrubber.is_clean(&text) && text.contains("enter the code scrubbed there"), "{text}");
        assert!(text.contains("https://g.example/a b"), "{text}");
    }

    #[test]
    fn a_message_of_stand_ins_stays_and_no_other() {
        let message = |subject: &str, text: &str| {
            format!(
                "From: person1@example.org\r\nSubject: {subject}\r\nDate: Thu, 4 Dec 2025 10:15:00 +0100\r\n\
                 Message-ID: <person2@example.org>\r\n\r\n{text}\r\n"
            )
        };
        let fine = message("Word 1", "Word 2");
        assert!(is_stand_in_message(fine.as_bytes()));
        for hush in [message("Ada", "Word 2"), message("Word 1", "Ada"), message("Word 1\r\nX-Ada: Word 1", "")] {
            assert!(!is_stand_in_message(hush.as_bytes()), "{hush}");
            let raw = base64::engine::general_purpose::URL_SAFE.encode(&hush);
            assert_ne!(Scrubber::default().json(&json!({ "raw": raw })), json!({ "raw": raw }));
        }
        let raw = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&fine);
        let shown = json!({"raw": raw, "payload": {"headers": [{"name": "Subject", "value": "Word 1"}]}});
        assert_eq!(Scrubber::default().json(&shown), shown);
        let shown = json!({"payload": {"headers": [{"name": "Subject", "value": "Ada"}]}});
        let scrubbed = Scrubber::default().json(&shown);
        assert_eq!(scrubbed["payload"]["headers"][0]["name"], "Subject");
        assert!(!scrubbed.to_string().contains("Ada"), "{scrubbed}");
        let upload = json!({"nextExpectedRanges": ["3932160-"], "NextExpectedRanges": ["3932160"]});
        assert_eq!(Scrubber::default().json(&upload), upload);
        let found = Scrubber::default().parameter("q", "rfc822msgid:ada@lovelace.example");
        assert_eq!(found, "rfc822msgid:person1@example.org");
        let id = Scrubber::default().json(&json!({"id": "18c0000000000001"}));
        assert!(id["id"].as_str().unwrap().bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }

    #[test]
    fn a_picture_in_a_batch_goes() {
        let part =
            json!({"id": "1", "status": 200, "headers": {"Content-Type": "image/jpeg"}, "body": "/9j/4AAQSkZJRgAB"});
        let scrubbed = Scrubber::default().json(&part);
        assert!(STANDARD.decode(scrubbed["body"].as_str().unwrap()).unwrap().starts_with(b"bytes"), "{scrubbed}");
    }

    #[test]
    fn only_harmless_headers_are_kept() {
        let mut scrubber = Scrubber::default();
        for name in ["Authorization", "Cookie", "Set-Cookie", "X-Goog-Api-Key", "x-ms-ags-diagnostic"] {
            assert_eq!(scrubber.header(name, "hush"), None, "{name}");
        }
        assert_eq!(scrubber.header("Prefer", "IdType=\"ImmutableId\"").as_deref(), Some("IdType=\"ImmutableId\""));
        assert_eq!(scrubber.header("If-Match", "*").as_deref(), Some("*"));
        assert_eq!(scrubber.header("Retry-After", "2.128").as_deref(), Some("2.128"));
        let related = format!("multipart/related; boundary=twofold-{}", "0a".repeat(32));
        assert_eq!(scrubber.header("Content-Type", &related).as_deref(), Some(GONE));
        assert_eq!(
            scrubber.header("Content-Type", "text/plain; charset=utf-8").as_deref(),
            Some("text/plain; charset=utf-8")
        );
    }
}
