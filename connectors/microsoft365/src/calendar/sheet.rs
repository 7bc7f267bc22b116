//! A rendering of an event: the text `{"event":{…},"exceptions":[…],"cancelled":[…]}`, opened and closed.
//!
//! `event` is a single event or a series as the server sent it, extended properties included; `exceptions` are its changed
//! occurrences, each in full; `cancelled` are the days of those that were taken out, in the zone of the series. Both are left out
//! when there are none. `"whole":false` says that not all exceptions could be read: then none counts as taken away.

use super::wire::{Event, MARK, UID};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twofold_model::{Error, ErrorKind, Mark, Rendering, Result, Uid};

/// A rendering, opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// The single event, or the series.
    pub event: Event,
    /// Its changed occurrences.
    pub exceptions: Vec<Event>,
    /// The days (`2026-03-09`) of occurrences that were taken out.
    pub cancelled: Vec<String>,
    /// Not all exceptions could be read.
    pub is_partial: bool,
}

#[derive(Serialize, Deserialize)]
struct Text {
    event: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    exceptions: Vec<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cancelled: Vec<String>,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    whole: bool,
}

fn yes() -> bool {
    true
}

fn is_yes(flag: &bool) -> bool {
    *flag
}

impl Sheet {
    /// A single event, or a series of which nothing else is known.
    pub fn of(event: Event) -> Sheet {
        Sheet { event, ..Sheet::default() }
    }

    /// Opens a rendering.
    pub fn open(rendering: &Rendering) -> Result<Sheet> {
        let text: Text = serde_json::from_slice(rendering.as_bytes())
            .map_err(|_| Error::new(ErrorKind::Malformed, "this is no rendering of a Graph event"))?;
        Ok(Sheet {
            event: Event(text.event),
            exceptions: text.exceptions.into_iter().map(Event).collect(),
            cancelled: text.cancelled,
            is_partial: !text.whole,
        })
    }

    /// Closes it again: the text of the rendering.
    pub fn close(&self) -> Rendering {
        let text = Text {
            event: self.event.0.clone(),
            exceptions: self.exceptions.iter().map(|exception| exception.0.clone()).collect(),
            cancelled: self.cancelled.clone(),
            whole: !self.is_partial,
        };
        // Texts and JSON values always serialise.
        Rendering(serde_json::to_vec(&text).unwrap_or_default())
    }

    /// The UID that the copy carries.
    pub fn uid(&self) -> Option<Uid> {
        self.event.property(UID).filter(|uid| !uid.is_empty()).map(Uid::from)
    }

    /// The mark that the copy carries.
    pub fn mark(&self) -> Option<Mark> {
        self.event.property(MARK).and_then(Mark::parse)
    }
}
