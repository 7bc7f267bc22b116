//! What is attached to a message that is made, and how it is sent. Pure.

use super::charset;
use super::compose::LARGEST_REQUEST;
use super::lean::Run;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use twofold_model::blob::open_to_send;
use twofold_model::{BlobId, Blobs, Error, ErrorKind, Result};

/// From this size on a file goes by a session of its own ("3 to 150 MB").
pub const SESSION_FROM: usize = 3 * 1024 * 1024;
/// Sizes at which a file may be too large to be sent at once ("4 MB", of the request), or too small for a session ("3 MB"): it is not
/// documented how Graph counts a MB. What one way refuses goes the other.
const DOUBTFUL: Range<usize> = 2_900_000..3_200_000;
/// No session takes more.
pub const LARGEST_FILE: usize = 150 * 1024 * 1024;
/// The bytes of one range: a multiple of 320 KiB, as is advised, and below 4 MB in both ways of counting.
pub const RANGE: usize = 12 * 320 * 1024;

/// What Graph counts of an attached file beside its bytes, at most.
const BESIDE: u64 = 16 * 1024;

/// What Graph says of a file that is attached.
#[derive(Clone, Debug, PartialEq)]
pub struct Attached {
    /// Its id.
    pub id: String,
    /// What it is called there, which may be another name than the one that was sent.
    pub name: String,
    /// Its bytes, and some more for what is said of it.
    pub size: u64,
}

/// The files of a message beside what is attached to it.
#[derive(Debug, Default, PartialEq)]
pub struct Compared {
    /// Which of the files are not there yet, by their numbers.
    pub open: Vec<usize>,
    /// What may be there once more, by its id, and which file it may be: an answer was lost, and it was attached again.
    pub twice: Vec<(String, usize)>,
}

/// Compares the files with what is there; `None` where something is there that is none of them. `known` says of ids which
/// file they are, whatever it is called; any other one is known by its name.
pub fn compared(files: &[File], there: &[Attached], known: &HashMap<String, usize>) -> Option<Compared> {
    let mut compared = Compared { open: (0..files.len()).collect(), twice: Vec::new() };
    let mut there: Vec<&Attached> = there.iter().collect();
    there.sort_by_key(|attached| attached.size);
    for attached in there {
        let is_it = |at: &usize| match known.get(&attached.id) {
            Some(known) => known == at && attached.is_as_large_as(&files[*at]),
            None => attached.is_named_as(&files[*at]),
        };
        // They are sent in this order, so of those that it could be it is the first.
        match compared.open.iter().position(is_it) {
            Some(at) => drop(compared.open.remove(at)),
            None if attached.id.is_empty() => return None,
            None => compared.twice.push((attached.id.clone(), (0..files.len()).find(is_it)?)),
        }
    }
    Some(compared)
}

impl Attached {
    /// Whether it is called as that file, and may be it.
    pub fn is_named_as(&self, file: &File) -> bool {
        self.name == file.name && self.is_as_large_as(file)
    }

    /// Whether it may be that file by its size.
    pub fn is_as_large_as(&self, file: &File) -> bool {
        let least = file.size() as u64;
        (least..=least.saturating_add(BESIDE)).contains(&self.size)
    }
}

/// Something attached.
#[derive(Clone, PartialEq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub content_type: String,
    /// Whether the text shows it.
    pub is_inline: bool,
    /// By which name the text shows it.
    pub content_id: Option<String>,
    /// What is in it.
    pub content: Content,
}

/// What is in a file.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// In memory.
    Here(Vec<u8>),
    /// In base64 in its message, which is in the store.
    There(Run),
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes)", self.size())
    }
}

/// How a file is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In one request.
    AtOnce,
    /// Range by range.
    Session,
}

impl File {
    /// How it is to be attached, and how it may be where that is refused.
    pub fn ways(&self) -> (Way, Option<Way>) {
        let size = self.size();
        match DOUBTFUL.contains(&size) {
            false if size < SESSION_FROM => (Way::AtOnce, None),
            false => (Way::Session, None),
            true if self.length() <= LARGEST_REQUEST => (Way::AtOnce, Some(Way::Session)),
            true => (Way::Session, Some(Way::AtOnce)),
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Here(bytes) => bytes.len(),
            Content::There(run) => run.length,
        }
    }

    /// The same file with its bytes in memory.
    ///
    /// # Errors
    /// Where the store does not have them.
    pub fn loaded(&self, blobs: &dyn Blobs, blob: &BlobId) -> Result<File> {
        let bytes = self.range(0..self.size(), blobs, blob)?;
        Ok(File { content: Content::Here(bytes), ..self.clone() })
    }

    /// Some of its bytes. Where it is in the store, those before are read again, which is quick.
    ///
    /// # Errors
    /// Where the store does not have them.
    pub fn range(&self, range: Range<usize>, blobs: &dyn Blobs, blob: &BlobId) -> Result<Vec<u8>> {
        let run = match &self.content {
            Content::Here(bytes) => return Ok(bytes[range].to_vec()),
            Content::There(run) => run,
        };
        let message = open_to_send(blobs, blob)?;
        let read = || -> io::Result<Vec<u8>> {
            let mut file = run.reader(message)?;
            io::copy(&mut file.by_ref().take(range.start as u64), &mut io::sink())?;
            let mut bytes = vec![0; range.len()];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read()
            .map_err(|error| Error::new(ErrorKind::Refused, "the bytes of a message cannot be read").with_source(error))
    }

    /// Takes what is attached out of a message, whose parts are without it then: a file is in memory once. A message that is attached is
    /// a file, too. `runs`: what the message lacks of the bytes that it is made of; `None` where one of them is not the whole of a file.
    pub fn take_all(message: &mut Message<'_>, runs: &[Run]) -> Option<Vec<File>> {
        let mut files = Vec::with_capacity(message.attachments.len());
        let mut taken = 0;
        for at in std::mem::take(&mut message.attachments) {
            // A text that is a file goes as it is, and not as it was read: what it is written in, nobody has to know.
            let is_text = |part: &&MessagePart<'_>| matches!(part.body, PartType::Text(_) | PartType::Html(_));
            let text = message.parts.get(at as usize).filter(is_text).and_then(|part| charset::raw(message, part));
            let raw = &message.raw_message;
            let Some(part) = message.parts.get_mut(at as usize) else { continue };
            let place = part.offset_body as usize..=part.offset_end as usize;
            let within = runs.iter().filter(|run| place.contains(&run.at)).collect::<Vec<_>>();
            let is_whole = part.encoding == Encoding::Base64
                && !matches!(part.body, PartType::Message(_) | PartType::Multipart(_))
                && raw.get(*place.start()..*place.end()).is_some_and(|beside| beside.trim_ascii().is_empty());
            let mut file = File::take(part);
            if let Some(bytes) = text {
                file.content = Content::Here(bytes);
            }
            if let ([run], true) = (&within[..], is_whole) {
                file.content = Content::There((*run).clone());
                taken += 1;
            }
            files.push(file);
        }
        (taken == runs.len()).then_some(files)
    }

    fn take(part: &mut MessagePart<'_>) -> File {
        let content_type = match part.content_type() {
            _ if matches!(part.body, PartType::Message(_)) => "message/rfc822".to_owned(),
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or("octet-stream")).to_ascii_lowercase(),
            None => "application/octet-stream".to_owned(),
        };
        let inner = || Some(format!("{}.eml", part.message()?.subject().unwrap_or("message")));
        let name = part.attachment_name().map(str::to_owned).or_else(inner).unwrap_or_else(|| "attachment".to_owned());
        let content_id = part.content_id().map(str::to_owned);
        let is_inline = content_id.is_some() && part.content_disposition().is_none_or(|how| how.is_inline());
        let bytes = match std::mem::take(&mut part.body) {
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes.into_owned(),
            PartType::Text(text) | PartType::Html(text) => text.into_owned().into_bytes(),
            PartType::Message(message) => message.raw_message().to_vec(),
            PartType::Multipart(_) => Vec::new(),
        };
        File { name, content_type, is_inline, content_id, content: Content::Here(bytes) }
    }

    /// The file as it is sent at once, with a message or for itself; it is in memory ([`File::loaded`]).
    pub fn whole(&self) -> Value {
        let bytes: &[u8] = match &self.content {
            Content::Here(bytes) => bytes,
            Content::There(_) => &[],
        };
        let mut file = json!({
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": self.name,
            "contentType": self.content_type,
            "isInline": self.is_inline,
            "contentBytes": STANDARD.encode(bytes),
        });
        if let Some(id) = &self.content_id {
            file["contentId"] = id.as_str().into();
        }
        file
    }

    /// What is said of the file before its ranges come.
    pub fn announced(&self) -> Value {
        let mut item = json!({
            "attachmentType": "file",
            "name": self.name,
            "size": self.size(),
            "contentType": self.content_type,
            "isInline": self.is_inline,
        });
        if let Some(id) = &self.content_id {
            item["contentId"] = id.as_str().into();
        }
        json!({"AttachmentItem": item})
    }

    /// How many characters it is at most in a request, its bytes as base64.
    pub fn length(&self) -> usize {
        self.size().div_ceil(3) * 4 + self.name.len() + self.content_type.len() + 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, length: usize) -> File {
        let (name, content_type) = (name.to_owned(), "application/octet-stream".to_owned());
        File { name, content_type, is_inline: false, content_id: None, content: Content::Here(vec![b'x'; length]) }
    }

    #[test]
    fn files_are_known_by_name_and_size_in_whatever_order_they_are_listed() {
        let files = [file("a", 100), file("b", 100), file("a", 50_000), file("a", 0)];
        let there = |list: &[(&str, u64)]| {
            let list: Vec<Attached> = list
                .iter()
                .map(|(name, size)| Attached { id: String::new(), name: (*name).to_owned(), size: *size })
                .collect();
            compared(&files, &list, &HashMap::new()).map(|compared| compared.open)
        };
        assert_eq!(there(&[]), Some(vec![0, 1, 2, 3]));
        assert_eq!(there(&[("a", 50_158), ("b", 100), ("a", 158)]), Some(vec![3]));
        assert_eq!(there(&[("a", 158), ("a", 50_158), ("a", 258), ("b", 258)]), Some(vec![]));
        for other in [("c", 100), ("b", 99), ("b", 50_158), ("a", 49_999), ("a", u64::MAX)] {
            assert_eq!(there(&[other]), None, "{other:?}");
        }
        assert_eq!(there(&[("b", 158), ("b", 158)]), None, "twice, and nothing says which is which");
    }

    #[test]
    fn what_is_there_once_more_is_told_apart_from_what_is_none_of_the_files() {
        let files = [file("a", 100), file("b", 100), file("b", 100)];
        let one = |id: &str, name: &str| Attached { id: id.to_owned(), name: name.to_owned(), size: 100 };
        let there = |list: &[Attached]| compared(&files, list, &HashMap::from([("4".to_owned(), 0)]));
        let all = [one("1", "a"), one("2", "b"), one("3", "b")];
        assert_eq!(there(&all), Some(Compared::default()), "two of one name are two");
        let more = [&all[..], &[one("4", "renamed"), one("5", "b")]].concat();
        assert_eq!(there(&more), Some(Compared { open: vec![], twice: vec![("4".into(), 0), ("5".into(), 1)] }));
        assert_eq!(there(&[one("1", "a"), one("6", "c")]), None);
    }
}
