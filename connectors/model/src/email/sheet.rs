//! The rendering of a message: a sheet about one copy. The bytes themselves are a blob, and stay out of it.
//!
//! A sheet is JSON: `own` is what the place says of its copy, in its own words; the rest is what the connector read out of that, in the
//! words of the model. A list often shows less than there is: then the sheet has no `blobId`, and what the last look knew is filled in.

use super::{Headers, headers, keywords};
use crate::{BlobId, Content, Error, ErrorKind, Facts, Identity, Lens, Rendering, Result, email};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What is known of one copy of a message at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sheet {
    /// The bytes; `None`: nobody has asked for them yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_id: Option<String>,
    /// How many bytes they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the message was received, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_ms: Option<i64>,
    /// Its keywords, as the model spells them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub keywords: BTreeSet<String>,
    /// Somebody marked this copy to be deleted, and it is still there. That is no keyword: it says something of this copy alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// What the header of the bytes says ([`email::content`]). While they are not there: as much of it as the place has shown.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub says: Map<String, Value>,
    /// Which state of the bytes this is, where they can change under one name (a draft that somebody goes on writing). Two sheets with
    /// different drafts have different bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
    /// What the place says, in its own words.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub own: Map<String, Value>,
}

/// What a look at a sheet asks for most often, without the rest of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Glance<'a> {
    #[serde(borrow, default)]
    blob_id: Option<Cow<'a, str>>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    received_ms: Option<i64>,
    #[serde(default)]
    deleted: bool,
}

impl<'a> Glance<'a> {
    /// A look at a rendering; `None` where it is no sheet.
    fn at(rendering: &'a Rendering) -> Option<Glance<'a>> {
        serde_json::from_slice(rendering.as_bytes()).ok()
    }
}

/// The members of content that follow from the bytes.
const SAID_BY_BYTES: [&str; 4] = ["messageId", "subject", "from", "sentAt"];

impl Sheet {
    /// Reads a sheet.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] where it is none.
    pub fn read(rendering: &Rendering) -> Result<Sheet> {
        serde_json::from_slice(rendering.as_bytes())
            .map_err(|error| Error::new(ErrorKind::Malformed, "this is no sheet of a message").with_source(error))
    }

    /// The sheet as a rendering. The same sheet has the same bytes.
    ///
    /// # Errors
    /// None for a sheet as it is; the type of JSON texts has one.
    pub fn write(&self) -> Result<Rendering> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Error::new(ErrorKind::Broken, "a sheet cannot be written").with_source(error))?;
        Ok(Rendering(text))
    }

    /// Notes the bytes: which blob, how many, and what their header says.
    pub fn set_bytes(&mut self, blob: &BlobId, size: u64, header: &Headers) {
        self.set_header(header);
        self.blob_id = Some(blob.as_str().to_owned());
        self.size = Some(size);
    }

    /// Notes what the header says, of a message whose bytes nobody has asked for yet.
    pub fn set_header(&mut self, header: &Headers) {
        let said = email::content(header, "", []);
        self.says =
            SAID_BY_BYTES.iter().filter_map(|member| Some(((*member).to_owned(), said.get(member)?.clone()))).collect();
    }

    /// [`Sheet::set_bytes`] for bytes that are in memory; they must be in the store under that name.
    pub fn set_message(&mut self, blob: &BlobId, bytes: &[u8]) {
        self.set_bytes(blob, bytes.len() as u64, &headers::read(bytes));
    }

    /// The blob, where it is known.
    pub fn blob(&self) -> Option<BlobId> {
        BlobId::parse(self.blob_id.as_deref()?)
    }

    /// Whether the message has that keyword.
    pub fn has(&self, keyword: &str) -> bool {
        self.keywords.contains(keyword)
    }
}

/// The lens of messages, for a place that can hold some keywords and not others.
///
/// Which bytes a message has is said once, when it is made: a place whose copy has other bytes is told by making it anew, which is the
/// connector's work ([`crate::Operation::Update`] whose sheets name different blobs; only drafts change so). `$draft` belongs to how a
/// copy was made, and is never changed afterwards, but where it is a mark as any other.
pub struct EmailLens {
    holds: fn(&str) -> bool,
    marks_drafts: bool,
    moving: Option<Moving>,
}

/// How a place tells what the words of a copy mean that was moved from one of its mailboxes to another.
pub struct Moving {
    /// What its keywords are, of its sheets there and here. The second one is settled to what it says here.
    pub moved: fn(&Sheet, &mut Sheet) -> BTreeSet<String>,
    /// The second sheet is another look at a copy whose words may not have been written since it was moved and settled to the first one. It
    /// is settled once more.
    pub seen_again: fn(&Sheet, &mut Sheet),
}

impl EmailLens {
    /// The lens of a place that can hold the keywords for which `holds` is true.
    pub const fn new(holds: fn(&str) -> bool) -> EmailLens {
        EmailLens { holds, marks_drafts: false, moving: None }
    }

    /// The same for a place where `$draft` is a mark that anybody sets and takes away.
    #[must_use]
    pub const fn marking_drafts(self) -> EmailLens {
        EmailLens { marks_drafts: true, ..self }
    }

    /// The same for a place where a move may lose keywords, or what it says may mean something else afterwards.
    #[must_use]
    pub const fn moving(self, moving: Moving) -> EmailLens {
        EmailLens { moving: Some(moving), ..self }
    }
}

impl Lens for EmailLens {
    fn read(&self, rendering: &Rendering) -> Result<Content> {
        let sheet = Sheet::read(rendering)?;
        let mut content = Content::new();
        let words = sheet.keywords.iter().filter_map(|word| email::keyword(word));
        content.set("keywords", Value::Object(words.map(|word| (word, Value::Bool(true))).collect()));
        if let Some(blob) = sheet.blob() {
            content.set("blobId", Value::from(blob.as_str()));
        }
        for (member, value) in sheet.says {
            if SAID_BY_BYTES.contains(&member.as_str()) {
                content.set(&member, value);
            }
        }
        Ok(content)
    }

    fn write(&self, onto: Option<&Rendering>, content: &Content, _identity: &Identity) -> Result<Rendering> {
        let mut sheet = onto.map(Sheet::read).transpose()?.unwrap_or_default();
        let asked = content.get("keywords").and_then(Value::as_object).into_iter().flatten();
        let mut words: BTreeSet<String> = asked
            .filter(|(word, on)| (self.holds)(word) && **on == Value::Bool(true))
            .map(|(word, _)| word.clone())
            .collect();
        if onto.is_some() {
            // What the place holds and we could not ask it to hold, it keeps; and a copy stays the draft that it is, or is none.
            words.extend(sheet.keywords.iter().filter(|word| !(self.holds)(word)).cloned());
            if !self.marks_drafts {
                words.remove(keywords::DRAFT);
                words.extend(sheet.keywords.get(keywords::DRAFT).cloned());
            }
        }
        sheet.keywords = words;
        let text = |member: &str| content.get(member).and_then(Value::as_str).map(str::to_owned);
        let blob = text("blobId").filter(|blob| BlobId::parse(blob).is_some());
        if onto.is_none() && blob.is_none() {
            return Err(Error::new(ErrorKind::Unsupported, "the bytes of the message are not here yet"));
        }
        if blob.is_some() && blob != sheet.blob_id {
            sheet.blob_id = blob;
            sheet.size = None;
            sheet.says = SAID_BY_BYTES
                .iter()
                .filter_map(|member| Some(((*member).to_owned(), content.get(member)?.clone())))
                .collect();
        }
        sheet.write()
    }

    /// A list shows keywords and where a message stands; the bytes are those of the last look, unless it is another state of a draft.
    fn settle_unknown(&self, last: &Rendering, now: Rendering) -> Rendering {
        let has_bytes = |rendering| Glance::at(rendering).is_some_and(|glance| glance.blob_id.is_some());
        let lacks_bytes = !has_bytes(&now) && has_bytes(last);
        if !lacks_bytes && self.moving.is_none() {
            return now;
        }
        let (Ok(last), Ok(mut sheet)) = (Sheet::read(last), Sheet::read(&now)) else { return now };
        if let Some(moving) = &self.moving {
            (moving.seen_again)(&last, &mut sheet);
        }
        if lacks_bytes && sheet.draft == last.draft {
            sheet.blob_id = last.blob_id;
            sheet.says = last.says;
            sheet.size = last.size;
            sheet.received_ms = sheet.received_ms.or(last.received_ms);
            // A list that shows labels alone leaves all that the place said of the message as it was.
            if sheet.own.is_empty() && self.moving.is_none() {
                sheet.own = last.own;
            }
        }
        sheet.write().unwrap_or(now)
    }

    fn moved(&self, last: &Rendering, now: Rendering) -> Result<(Rendering, Content)> {
        let Some(moving) = &self.moving else {
            let content = self.read(&now)?;
            return Ok((now, content));
        };
        let mut sheet = Sheet::read(&now)?;
        let words = (moving.moved)(&Sheet::read(last)?, &mut sheet);
        let settled = sheet.write()?;
        let content = self.read(&Sheet { keywords: words, ..sheet }.write()?)?;
        Ok((settled, content))
    }

    fn facts(&self, rendering: &Rendering) -> Facts {
        let Some(glance) = Glance::at(rendering) else { return Facts::default() };
        let blob = glance.blob_id.and_then(|name| BlobId::parse(&name));
        Facts {
            lacks_body: blob.is_none(),
            blob,
            dated_ms: glance.received_ms,
            size: glance.size,
            deleted: glance.deleted,
        }
    }

    fn dated(&self, rendering: Rendering, at_ms: i64) -> Rendering {
        let Ok(mut sheet) = Sheet::read(&rendering) else { return rendering };
        sheet.received_ms = Some(at_ms);
        sheet.write().unwrap_or(rendering)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uid;
    use serde_json::json;

    /// A place that can hold two keywords.
    const LENS: EmailLens = EmailLens::new(|word| matches!(word, keywords::SEEN | keywords::FLAGGED));

    fn identity() -> Identity {
        Identity { uid: Uid::from("u"), mark: None }
    }

    fn message(words: &[&str]) -> (Content, BlobId) {
        let bytes = b"Message-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nbody";
        let blob = BlobId::of(bytes);
        (email::content(&headers::read(bytes), blob.as_str(), words.iter().copied()), blob)
    }

    fn sheet(words: &[&str], own: Value) -> Sheet {
        let mut sheet = Sheet { keywords: words.iter().map(|word| (*word).to_owned()).collect(), ..Sheet::default() };
        if let Value::Object(own) = own {
            sheet.own = own;
        }
        sheet
    }

    #[test]
    fn what_is_written_is_read_back_but_for_keywords_that_the_place_cannot_hold() {
        let (content, _) = message(&["$seen", "$answered", "work"]);
        let written = LENS.write(None, &content, &identity()).unwrap();
        let (held, _) = message(&["$seen"]);
        assert_eq!(LENS.read(&written).unwrap(), held);
        assert_eq!(LENS.project(&content).unwrap(), held);
    }

    #[test]
    fn nothing_changes_when_nothing_is_changed() {
        let mut there = sheet(&["$seen", "$draft", "work"], json!({"labelIds": ["INBOX"], "z": 1}));
        there.set_message(&message(&[]).1, b"Message-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nbody");
        there.received_ms = Some(5);
        let rendering = there.write().unwrap();
        let says = LENS.read(&rendering).unwrap();
        assert_eq!(LENS.write(Some(&rendering), &says, &identity()).unwrap(), rendering);
    }

    #[test]
    fn an_edit_of_keywords_leaves_the_rest_of_the_sheet_and_what_only_the_place_can_set() {
        let mut there = sheet(&["$draft", "$flagged", "kept"], json!({"id": "1"}));
        there.set_message(&message(&[]).1, b"Subject: Hello\r\n\r\n");
        let (content, _) = message(&["$seen", "$junk"]);
        let edited = Sheet::read(&LENS.write(Some(&there.write().unwrap()), &content, &identity()).unwrap()).unwrap();
        assert_eq!(edited.keywords, ["$draft", "$seen", "kept"].map(str::to_owned).into());
        assert_eq!((edited.own, edited.blob_id), (there.own, there.blob_id));
    }

    #[test]
    fn a_copy_is_never_made_a_draft_or_made_none_afterwards() {
        let place = EmailLens::new(|_| true);
        let mut there = sheet(&[], json!({}));
        there.set_message(&message(&[]).1, b"");
        let (content, _) = message(&["$draft"]);
        let edited = Sheet::read(&place.write(Some(&there.write().unwrap()), &content, &identity()).unwrap()).unwrap();
        assert!(!edited.has(keywords::DRAFT));
        assert!(Sheet::read(&place.write(None, &content, &identity()).unwrap()).unwrap().has(keywords::DRAFT));
    }

    #[test]
    fn where_a_draft_is_a_mark_it_is_one_no_more_once_it_was_sent() {
        let place = EmailLens::new(|_| true).marking_drafts();
        let mut there = sheet(&["$draft"], json!({}));
        there.set_message(&message(&[]).1, b"");
        let (sent, _) = message(&[]);
        let edited = Sheet::read(&place.write(Some(&there.write().unwrap()), &sent, &identity()).unwrap()).unwrap();
        assert!(!edited.has(keywords::DRAFT));
    }

    #[test]
    fn a_list_that_shows_no_bytes_does_not_take_them_away() {
        let (content, blob) = message(&[]);
        let whole = LENS.dated(LENS.write(None, &content, &identity()).unwrap(), 7);
        let listed = sheet(&["$seen"], json!({"id": "1"})).write().unwrap();
        assert_eq!(LENS.facts(&listed), Facts { lacks_body: true, ..Facts::default() });
        let settled = LENS.settle_unknown(&whole, listed);
        assert_eq!(LENS.facts(&settled), Facts { blob: Some(blob), dated_ms: Some(7), ..Facts::default() });
        assert_eq!(LENS.read(&settled).unwrap(), message(&["$seen"]).0);
        assert_eq!(Sheet::read(&settled).unwrap().own, Map::from_iter([("id".to_owned(), json!("1"))]));
        // One that says nothing of its own either leaves what was said.
        let listed = sheet(&["$flagged"], json!({})).write().unwrap();
        assert_eq!(Sheet::read(&LENS.settle_unknown(&settled, listed)).unwrap().own["id"], json!("1"));
    }

    #[test]
    fn a_draft_that_was_written_on_has_other_bytes() {
        let mut last = sheet(&["$draft"], json!({}));
        last.set_message(&message(&[]).1, b"Subject: Hello\r\n\r\n");
        last.draft = Some("1".into());
        let now = Sheet { draft: Some("2".into()), ..sheet(&["$draft"], json!({})) };
        let settled = LENS.settle_unknown(&last.write().unwrap(), now.write().unwrap());
        assert!(LENS.facts(&settled).lacks_body);
        let same = Sheet { draft: Some("1".into()), ..sheet(&["$draft"], json!({})) };
        assert!(!LENS.facts(&LENS.settle_unknown(&last.write().unwrap(), same.write().unwrap())).lacks_body);
    }

    #[test]
    fn what_is_no_sheet_is_malformed_and_a_message_without_bytes_cannot_be_made() {
        let wrong = LENS.read(&Rendering(b"From: Ada".to_vec())).unwrap_err();
        assert_eq!(wrong.kind, ErrorKind::Malformed);
        let nothing = LENS.write(None, &Content::new(), &identity()).unwrap_err();
        assert_eq!(nothing.kind, ErrorKind::Unsupported);
    }
}
