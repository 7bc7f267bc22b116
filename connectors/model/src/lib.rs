//! The neutral model: what an item *means*, apart from how one place writes it down.
//!
//! Everything that twofold keeps in step is an **item** (a card, later an event or a message) standing in **collections**
//! (address book, calendar, folder). A **replica** is one place that holds copies. Each copy is a **rendering**: the bytes as
//! that place writes them (a `.vcf`, the provider's JSON). The **content** is what a rendering means, in the IETF's JSON
//! models; a [`Lens`] reads content out of a rendering and edits a rendering until it says a given content. Content is plain
//! JSON whose multi-valued fields are maps by key, so that one generic difference ([`patch`]) and one generic three-way
//! merge ([`merge`]) serve every kind.
//!
//! Reading order: this file (ids and words), [`content`], [`card`], [`event`] and [`email`] (the model), [`patch`] and [`merge`] (what two versions
//! mean to each other), [`lens`] and [`carry`] (renderings), [`connector`] and [`error`] (the contract of a replica),
//! [`contract`] (the suite that every connector passes), [`memory`] (the smallest connector), [`contentline`] and [`vcard`] (text),
//! [`zone`] and [`recurrence`] (what clocks show, on which dates a series falls).
//!
//! Nothing here does I/O, reads a clock or knows a provider's word.

pub mod blob;
pub mod card;
pub mod carry;
pub mod connector;
pub mod content;
pub mod contentline;
pub mod contract;
pub mod coverage;
pub mod email;
pub mod error;
pub mod event;
pub mod html;
pub mod ical;
pub mod lens;
pub mod meeting;
pub mod memory;
pub mod merge;
pub mod patch;
pub mod recurrence;
pub mod vcard;
pub mod zone;

pub use blob::{BlobId, Blobs};
pub use connector::{
    Abilities, Access, Arrival, Collection, Connector, Entry, Feed, Found, Gathered, Known, Lookup, Next, Operation,
    Page, Place, Poll, Removal, Seen, Since, Taker, Unread, Usage, Visit, Written, plain_color,
};
pub use content::Content;
pub use error::{Error, ErrorKind, Result};
pub use lens::{Facts, Identity, Lens, Rendering};

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an item is: decides its model, its folder on a device and its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Messages (RFC 8621).
    Mail,
    /// Events (RFC 8984).
    Calendar,
    /// Cards (RFC 9553).
    Contacts,
}

impl Kind {
    /// The word used in configuration, folders and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Mail => "mail",
            Kind::Calendar => "calendar",
            Kind::Contacts => "contacts",
        }
    }

    /// The kind of that name, or nothing.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Mail, Kind::Calendar, Kind::Contacts].into_iter().find(|k| k.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Defines an opaque text id, so that two kinds of id cannot be mistaken for each other.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id! {
    /// A replica's own name for an item: Graph `id`, People `resourceName`, a path below a device folder.
    RemoteId
}
text_id! {
    /// A replica's own name for a collection.
    CollectionId
}
text_id! {
    /// What one delta token covers at a replica: one Graph folder, all of People's connections, one device folder.
    FeedId
}
text_id! {
    /// Opaque mark of one item's state on one replica (RFC 9110 8.8.3).
    Etag
}
text_id! {
    /// Opaque mark of a feed's state on one replica (RFC 6578 3, RFC 8620 5.2). Stored as bytes, never parsed by the engine.
    DeltaToken
}
text_id! {
    /// The name an item keeps everywhere (RFC 6350 6.7.6, RFC 9553 2.1.9, RFC 5545 3.8.4.7).
    Uid
}

/// The mark that twofold writes on what it creates: which hub made this copy, of which item, at which attempt
/// (`generation` rises when the same item is created anew after a delete). It is how a create with a lost reply is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The hub that created the copy.
    pub hub: String,
    /// The item in that hub.
    pub item: String,
    /// Rises with each new create of the same item.
    pub generation: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.hub, self.item, self.generation)
    }
}

impl Mark {
    /// Reads the text form `hub:item:generation`; anything else is no mark of ours.
    pub fn parse(text: &str) -> Option<Mark> {
        let mut parts = text.split(':');
        let (hub, item, generation) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
        (parts.next().is_none() && !hub.is_empty() && !item.is_empty()).then(|| Mark {
            hub: hub.to_owned(),
            item: item.to_owned(),
            generation,
        })
    }
}
