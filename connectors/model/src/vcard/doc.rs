//! One card in its file: which version, which lines, and what one line's value is before it means anything.

use super::FileProblem;
use crate::contentline::charset::{self, Charset, Wide};
use crate::contentline::text::{lf, split, unescape, unquote};
use crate::contentline::{ContentLine, File, Parameter};
use std::borrow::Cow;

/// The version in which a card is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// vCard 2.1.
    V2,
    /// vCard 3.0, and whatever states no version that is known.
    V3,
    /// vCard 4.0.
    V4,
}

/// A file with exactly one whole card.
#[derive(Debug)]
pub(super) struct Doc {
    /// The lines; UTF-16 already turned into UTF-8.
    pub(super) file: File,
    /// UTF-16, if the file is.
    pub(super) wide: Option<Wide>,
    pub(super) dialect: Dialect,
    /// The line of `END:VCARD`.
    pub(super) end: usize,
    /// The card's own lines, without those of cards inside it (AGENT in vCard 2.1).
    pub(super) props: Vec<Prop>,
    /// Whether the file has text that is Windows-1252 without saying so.
    pub(super) is_ansi: bool,
}

/// One line of a card.
#[derive(Debug)]
pub(super) struct Prop {
    /// The line in its file.
    pub(super) line: usize,
    pub(super) content: ContentLine,
    /// The name in capitals.
    pub(super) name: String,
    /// All parameters, read once.
    pub(super) parameters: Vec<Parameter>,
    pub(super) dialect: Dialect,
    /// The charset of the raw bytes, where they are not UTF-8.
    pub(super) charset: Option<Charset>,
}

/// Finds the cards of a file: where each stands, nested ones not counted.
///
/// # Errors
/// Over a limit, unreadable, no card, or a card without end.
pub(super) fn find_cards(file: &File) -> Result<Vec<(usize, usize)>, FileProblem> {
    let components = file.components();
    let is_outer = |at: usize| {
        let mut at = at;
        while let Some(parent) = components.get(at).and_then(|c| c.parent) {
            if components.get(parent).is_some_and(|c| c.name == "VCARD") {
                return false;
            }
            at = parent;
        }
        true
    };
    let cards = components.iter().enumerate().filter(|(at, c)| c.name == "VCARD" && is_outer(*at));
    let cards: Vec<(usize, Option<usize>)> = cards.map(|(_, c)| (c.begin, c.end)).collect();
    if cards.is_empty() {
        return Err(match file.write().contains(&0) {
            true => FileProblem::Unreadable("zero bytes: text of two bytes per character without a mark?".into()),
            false => FileProblem::NoCard,
        });
    }
    cards.into_iter().map(|(begin, end)| Ok((begin, end.ok_or(FileProblem::HalfWritten)?))).collect()
}

/// The lines of a file of whatever encoding.
pub(super) fn file_of(bytes: &[u8]) -> Result<File, FileProblem> {
    // The size is limited before the text is turned.
    if bytes.len() > crate::contentline::Limits::default().bytes {
        return Err(FileProblem::TooLarge(format!("{} bytes", bytes.len())));
    }
    let text = charset::narrow(bytes).ok_or_else(|| FileProblem::Unreadable("broken UTF-16".into()))?;
    File::parse(text.into_owned()).map_err(|limit| FileProblem::TooLarge(limit.to_string()))
}

/// Where the one card of a file stands.
pub(super) fn only_card(file: &File) -> Result<(usize, usize), FileProblem> {
    match find_cards(file)?[..] {
        [card] => Ok(card),
        ref cards => Err(FileProblem::SeveralCards(cards.len())),
    }
}

/// The own lines of a card, one by one: those of cards inside it are left out. Their dialect is not looked for yet.
pub(super) fn props_of(file: &File, begin: usize, end: usize) -> impl Iterator<Item = Prop> {
    let inner = file.components().iter().filter(move |c| c.begin > begin && c.begin < end);
    let mut inner = inner.map(|c| c.begin..c.end.map_or(c.begin + 1, |at| at + 1)).peekable();
    let mut skip_to = begin + 1;
    (begin + 1..end).filter_map(move |line| {
        while let Some(range) = inner.next_if(|range| range.start <= line) {
            skip_to = skip_to.max(range.end);
        }
        (line >= skip_to).then(|| Prop::of(file, line)).flatten()
    })
}

impl Doc {
    /// No card at all, to be written in this version.
    pub(super) fn nothing(dialect: Dialect) -> Doc {
        Doc { file: File::default(), wide: None, dialect, end: 0, props: Vec::new(), is_ansi: false }
    }

    /// Takes a file apart.
    pub(super) fn parse(bytes: &[u8]) -> Result<Doc, FileProblem> {
        let file = file_of(bytes)?;
        let (begin, end) = only_card(&file)?;
        let mut props = Vec::with_capacity(end - begin);
        props.extend(props_of(&file, begin, end));
        let mut dialect = Dialect::V3;
        if let Some(version) = props.iter().find(|prop| prop.name == "VERSION") {
            dialect = match version.content.value().trim() {
                "2.1" | "2.0" | "1.0" => Dialect::V2,
                "4.0" => Dialect::V4,
                _ => Dialect::V3,
            };
        }
        let mut is_ansi = false;
        for prop in &mut props {
            prop.dialect = dialect;
            is_ansi |= prop.charset == Some(Charset::WINDOWS_1252) && prop.parameter("CHARSET").is_none();
        }
        Ok(Doc { file, wide: charset::wide_of(bytes), dialect, end, props, is_ansi })
    }
}

impl Prop {
    fn of(file: &File, line: usize) -> Option<Prop> {
        let bytes = file.unfolded(line);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            return Some(Prop::from_line(line, ContentLine::parse(text)?, None, Dialect::V3));
        }
        let rough = ContentLine::parse(Charset::WINDOWS_1252.decode(&bytes))?;
        let named = rough.parameter("CHARSET").first().and_then(|name| Charset::named(name));
        let charset = named.unwrap_or(Charset::WINDOWS_1252);
        Some(Prop::from_line(line, ContentLine::parse(charset.decode(&bytes))?, Some(charset), Dialect::V3))
    }

    /// A line that stands in no file yet.
    pub(super) fn from_line(line: usize, content: ContentLine, charset: Option<Charset>, dialect: Dialect) -> Prop {
        let (name, parameters) = (content.name(), content.parameters().collect());
        Prop { line, content, name, parameters, dialect, charset }
    }

    /// The group in small letters.
    pub(super) fn group(&self) -> Option<String> {
        self.content.group().map(str::to_ascii_lowercase)
    }

    /// The first value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|p| p.name == name).and_then(|p| p.values.first()).map(String::as_str)
    }

    /// The words of TYPE as they stand there, and the bare words of vCard 2.1 that are no encoding.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(|p| p.name == "TYPE" || p.name.is_empty()).flat_map(|parameter| {
            let words = parameter.values.iter().flat_map(|value| value.split(',')).map(str::trim);
            words.filter(move |word| !(word.is_empty() || parameter.name.is_empty() && is_encoding(word)))
        })
    }

    /// Whether TYPE has this word.
    pub(super) fn has_type(&self, word: &str) -> bool {
        self.types().any(|own| own.eq_ignore_ascii_case(word))
    }

    /// How preferred: PREF of vCard 4.0, or the word `pref`.
    pub(super) fn pref(&self) -> Option<u64> {
        let stated = self.parameter("PREF").and_then(|n| n.trim().parse().ok()).filter(|n| (1..=100).contains(n));
        stated.or_else(|| self.has_type("pref").then_some(1))
    }

    fn is_encoded(&self, names: [&str; 2]) -> bool {
        let mut words = self.parameters.iter().filter(|p| p.name == "ENCODING" || p.name.is_empty());
        words.any(|p| p.values.iter().any(|v| names.iter().any(|name| v.eq_ignore_ascii_case(name))))
    }

    /// Whether the value is quoted-printable.
    pub(super) fn is_quoted(&self) -> bool {
        self.is_encoded(["QUOTED-PRINTABLE", "Q"])
    }

    /// Whether the value is base64.
    pub(super) fn is_base64(&self) -> bool {
        self.is_encoded(["BASE64", "B"])
    }

    /// The value with quoted-printable undone, escapes still in it.
    fn decoded(&self) -> Cow<'_, str> {
        let value = self.content.value();
        if !self.is_quoted() {
            return Cow::Borrowed(value);
        }
        let bytes = unquote(value);
        let named = self.parameter("CHARSET").and_then(Charset::named).filter(|_| value.is_ascii());
        let text = match named {
            Some(charset) => charset.decode(&bytes),
            None => charset::decode(bytes, None),
        };
        Cow::Owned(lf(&text))
    }

    fn plain<'t>(&self, text: &'t str) -> Cow<'t, str> {
        unescape(text, !self.is_quoted())
    }

    /// The value as one text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self.decoded() {
            Cow::Borrowed(value) => self.plain(value),
            Cow::Owned(value) => Cow::Owned(self.plain(&value).into_owned()),
        }
    }

    /// The value as one text, blanks around it taken off; `None` when nothing is left.
    pub(super) fn word(&self) -> Option<String> {
        let text = self.text();
        let word = text.trim();
        (!word.is_empty()).then(|| word.to_owned())
    }

    /// The parts between semicolons; commas belong to the text.
    pub(super) fn parts(&self) -> Vec<String> {
        split(&self.decoded(), ';').into_iter().map(|part| self.plain(part).into_owned()).collect()
    }

    /// The items between commas, blanks around them taken off.
    pub(super) fn list(&self) -> Vec<String> {
        split(&self.decoded(), ',').into_iter().map(|item| self.plain(item).trim().to_owned()).collect()
    }

    /// The parts between semicolons, each a list between commas (vCard 2.1 has no lists in parts); empty items left out.
    pub(super) fn lists(&self) -> Vec<Vec<String>> {
        let items = |part: &str| -> Vec<String> {
            let items = if self.dialect == Dialect::V2 { vec![part] } else { split(part, ',') };
            items.into_iter().map(|i| self.plain(i).trim().to_owned()).filter(|item| !item.is_empty()).collect()
        };
        split(&self.decoded(), ';').into_iter().map(items).collect()
    }
}

/// The bare words that say how a value is encoded or where it is.
pub(super) fn is_encoding(word: &str) -> bool {
    const WORDS: [&str; 10] =
        ["QUOTED-PRINTABLE", "Q", "BASE64", "B", "7BIT", "8BIT", "INLINE", "UTF-8", "URL", "CONTENT-ID"];
    WORDS.iter().any(|own| word.eq_ignore_ascii_case(own)) || word.eq_ignore_ascii_case("CID")
}
