//! The TOML file as tables and values that know their line, so that every complaint can name it.

use super::{ConfigError, Result};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key this like another one (Jaro-Winkler, 1 is equal) may be meant; below that it is somebody's own idea.
const NEAR: f64 = 0.8;

/// The file that is read.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// The file's outermost table.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'a>>> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("this is not TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
            self.error(at, &what, "Correct this line; config.example.toml shows how each key is written.")
        })
    }

    fn error(&self, at: usize, what: &str, todo: &str) -> ConfigError {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        ConfigError::new(what, todo).at(format_args!("{}:{line}", self.path.display()))
    }
}

/// One table of the file.
pub(super) struct Table<'a> {
    source: &'a Source<'a>,
    /// As it is written in the file: `[google]`; empty for the outermost.
    name: String,
    at: usize,
    entries: &'a DeTable<'a>,
}

impl<'a> Table<'a> {
    /// The outermost table.
    pub(super) fn root(source: &'a Source<'a>, root: &'a Spanned<DeTable<'a>>) -> Self {
        Table { source, name: String::new(), at: 0, entries: root.get_ref() }
    }

    /// Refuses every key but these. A key of a later version has a sentence of its own, in `later`.
    pub(super) fn allow(&self, keys: &[&str], later: &[(&str, &str)]) -> Result<()> {
        let of = if self.name.is_empty() { "the configuration".into() } else { self.name.clone() };
        // The first wrong line of the file, whatever the order in which the table is kept.
        let mut unknown: Vec<(usize, &str)> = Vec::new();
        for key in self.entries.keys().filter(|key| !keys.contains(&key.get_ref().as_ref())) {
            unknown.push((key.span().start, key.get_ref()));
        }
        let Some((at, key)) = unknown.into_iter().min() else { return Ok(()) };
        if let Some((_, why)) = later.iter().find(|(name, _)| *name == key) {
            let what = format!("\"{key}\" in {of} has no effect: {why}");
            return Err(self.source.error(at, &what, "Remove it, or put # before its lines."));
        }
        let likeness = |name: &str| strsim::jaro_winkler(key, name);
        let nearest =
            keys.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > NEAR);
        let todo = match nearest {
            Some(nearest) => format!("The nearest key is \"{nearest}\"; config.example.toml describes them all."),
            None => format!("Its keys are {}; config.example.toml describes them all.", keys.join(", ")),
        };
        Err(self.source.error(at, &format!("\"{key}\" is no key of {of}"), &todo))
    }

    /// The value of a key, if it is there.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let value = self.entries.get(key)?;
        Some(Value { source: self.source, name: self.name_of(key), at: value.span().start, value: value.get_ref() })
    }

    /// The value of a key that must be there.
    pub(super) fn required(&self, key: &str, todo: &str) -> Result<Value<'a>> {
        self.get(key).ok_or_else(|| self.wrong(&format!("{} is missing", self.name_of(key)), todo))
    }

    /// The table of that name, if it is there.
    pub(super) fn table(&self, key: &str) -> Result<Option<Table<'a>>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let table = value.as_table(&format!("Write it as [{key}] with its keys on the lines below."))?;
        let outer = self.name.trim_matches(['[', ']']);
        let name = if outer.is_empty() { format!("[{key}]") } else { format!("[{outer}.{key}]") };
        Ok(Some(Table { name, ..table }))
    }

    /// The tables of that name (`[[device]]`), in the file's order.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Table<'a>>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let todo = format!("Write [[{key}]], with two pairs of brackets, before each.");
        let DeValue::Array(entries) = value.value else { return Err(value.wrong("must be a list of tables", &todo)) };
        let mut tables = Vec::new();
        for entry in entries.iter() {
            let name = format!("[[{key}]]");
            let value = Value { source: self.source, name, at: entry.span().start, value: entry.get_ref() };
            tables.push(value.as_table(&todo)?);
        }
        Ok(tables)
    }

    /// A complaint about the table as a whole.
    pub(super) fn wrong(&self, what: &str, todo: &str) -> ConfigError {
        self.source.error(self.at, what, todo)
    }

    fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{key} in {}", self.name) }
    }
}

/// One value of the file.
pub(super) struct Value<'a> {
    source: &'a Source<'a>,
    name: String,
    at: usize,
    value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// A complaint: the key, then `what`.
    pub(super) fn wrong(&self, what: &str, todo: &str) -> ConfigError {
        self.source.error(self.at, &format!("{} {what}", self.name), todo)
    }

    /// Whether it is a string.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    /// A string.
    pub(super) fn text(&self) -> Result<&'a str> {
        match self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong("must be a string", "Write it in double quotes.")),
        }
    }

    /// A whole number.
    pub(super) fn number(&self) -> Result<i64> {
        let number = match self.value {
            DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.wrong("must be a number", "Write a whole number without quotes."))
    }

    /// A string that says something, without blanks around it.
    pub(super) fn word(&self) -> Result<&'a str> {
        match self.text()?.trim() {
            "" => Err(self.wrong("is empty", "Fill it in, or remove the line if there is a default.")),
            text if text.contains(char::is_control) => {
                Err(self.wrong("has a control character in it", "Write it on one line, without \\n, \\t and the like."))
            }
            text => Ok(text),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Result<bool> {
        match self.value {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.wrong("must be true or false", "Write it without quotes.")),
        }
    }

    /// A list.
    pub(super) fn list(&self) -> Result<Vec<Value<'a>>> {
        let DeValue::Array(entries) = self.value else {
            return Err(self.wrong("must be a list", "Write it in brackets: [\"…\", \"…\"]."));
        };
        let entry = |value: &'a Spanned<DeValue<'a>>| Value {
            source: self.source,
            name: self.name.clone(),
            at: value.span().start,
            value: value.get_ref(),
        };
        Ok(entries.iter().map(entry).collect())
    }

    /// A table.
    pub(super) fn as_table(&self, todo: &str) -> Result<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => Ok(Table { source: self.source, name: self.name.clone(), at: self.at, entries }),
            _ => Err(self.wrong("must be a table", todo)),
        }
    }
}
