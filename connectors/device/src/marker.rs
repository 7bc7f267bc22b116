//! Markers: how a folder says whose it is, so that an absent mount or a replaced disk is never taken for a mass deletion.
//!
//! `ROOT/.twofold` says which replica of which hub the folder is and up to which run it was written. Each collection folder
//! holds `.twofold-collection`, because it may be a mount of its own. A marker is looked for before any folder is made.

use crate::beneath;
use rustix::fd::AsFd;
use serde::{Deserialize, Serialize};
use std::path::Path;
use twofold_model::{CollectionId, Error, ErrorKind, Result};

/// The root's marker file.
pub const ROOT_MARKER: &str = ".twofold";
/// A collection folder's marker file.
pub const COLLECTION_MARKER: &str = ".twofold-collection";

/// The newest form of both files that this program writes and reads.
const FORMAT: u32 = 1;

/// What the root's marker says about this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkerState {
    /// First use: the hub does not know this replica yet, and the path has no marker (or does not exist).
    Fresh,
    /// It is the folder it should be.
    Ours {
        /// The last run that was marked; newer than the hub's means that the hub is an old copy.
        run: u64,
    },
    /// Another replica's folder (another device, or this one before a `device fill`).
    OtherReplica {
        /// The replica it belongs to.
        replica: String,
        /// The last run that was marked.
        run: u64,
    },
    /// Another hub's folder; or this one's, from before the hub was lost.
    OtherHub {
        /// The hub it belongs to.
        hub: String,
        /// The replica it was there.
        replica: String,
        /// The last run that was marked.
        run: u64,
    },
    /// A known device whose path is not there (a disk not mounted).
    MissingPath,
    /// A known device whose path is there without a marker (an empty mount point, a replaced disk).
    MarkerMissing,
    /// There is a marker, but it cannot be understood (damaged, or written by a newer twofold).
    Unreadable {
        /// Why.
        reason: String,
    },
}

/// What a collection folder's marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CollectionState {
    /// It is the folder it should be.
    Marked,
    /// The folder is there without a marker: to be adopted, or a mount that is absent.
    Unmarked,
    /// The folder of another replica, copied here.
    OtherReplica,
    /// The folder of another collection of this replica, renamed or copied by somebody.
    OtherFolder {
        /// The collection it was made for.
        was: CollectionId,
    },
    /// There is no such folder.
    Absent,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RootMarker {
    pub format: u32,
    pub replica: String,
    pub hub: String,
    pub run: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CollectionMarker {
    pub format: u32,
    pub replica: String,
    pub collection: CollectionId,
    /// What the folder was made for, in the caller's words ([`crate::Device`]'s `create_collection`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of a mailbox whose folder cannot be called so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
}

/// What a folder's own name does not say; it counts while the folder is called so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub folder: String,
    pub name: String,
}

impl RootMarker {
    pub fn new(replica: &str, hub: &str, run: u64) -> Self {
        Self { format: FORMAT, replica: replica.to_owned(), hub: hub.to_owned(), run }
    }
}

impl CollectionMarker {
    pub fn new(replica: &str, collection: &CollectionId, key: Option<&str>) -> Self {
        Self {
            format: FORMAT,
            replica: replica.to_owned(),
            collection: collection.clone(),
            key: key.map(str::to_owned),
            named: None,
        }
    }
}

/// The text of a marker file.
pub(crate) fn text(marker: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec(marker)
        .map_err(|e| Error::new(ErrorKind::Broken, "a marker cannot be written as JSON").with_source(e))?;
    text.push(b'\n');
    Ok(text)
}

/// Reads the root's marker: none, or what it says, or why it cannot be understood.
pub(crate) fn read_root(root: impl AsFd, path: &Path) -> Result<Option<Result<RootMarker, String>>> {
    let Some(bytes) = beneath::read_small(root, ROOT_MARKER, path)? else { return Ok(None) };
    Ok(Some(understand(&bytes)))
}

/// Reads a collection folder's marker.
pub(crate) fn read_collection(folder: impl AsFd, path: &Path) -> Result<Option<Result<CollectionMarker, String>>> {
    let Some(bytes) = beneath::read_small(folder, COLLECTION_MARKER, path)? else { return Ok(None) };
    Ok(Some(understand(&bytes)))
}

fn understand<M: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<M, String> {
    #[derive(Deserialize)]
    struct Any {
        format: u32,
    }
    let any: Any = serde_json::from_slice(bytes).map_err(|_| "its marker is damaged".to_owned())?;
    if any.format > FORMAT {
        return Err(format!("its marker has format {}, written by a newer twofold", any.format));
    }
    serde_json::from_slice(bytes).map_err(|_| "its marker is damaged".to_owned())
}

impl MarkerState {
    /// What the marker says, compared with what the device should be.
    pub(crate) fn of(marker: Option<Result<RootMarker, String>>, replica: &str, hub: &str, is_known: bool) -> Self {
        match marker {
            None if is_known => Self::MarkerMissing,
            None => Self::Fresh,
            Some(Err(reason)) => Self::Unreadable { reason },
            Some(Ok(marker)) if marker.hub != hub => {
                Self::OtherHub { hub: marker.hub, replica: marker.replica, run: marker.run }
            }
            Some(Ok(marker)) if marker.replica != replica => {
                Self::OtherReplica { replica: marker.replica, run: marker.run }
            }
            Some(Ok(marker)) => Self::Ours { run: marker.run },
        }
    }

    /// Why nothing may be touched, with the command that resolves it; nothing where the folder may be used.
    pub fn held(&self, name: &str, path: &Path) -> Option<Error> {
        let path = path.display();
        let reason = match self {
            Self::Fresh | Self::Ours { .. } => return None,
            Self::OtherReplica { replica, .. } => {
                format!("{path} is marked as another device's folder (replica {replica})")
            }
            Self::OtherHub { hub, .. } => format!("{path} is marked as the folder of another twofold (hub {hub})"),
            Self::MissingPath => format!("{path} is not there; is a disk not mounted?"),
            Self::MarkerMissing => {
                format!("{path} has lost its marker {ROOT_MARKER}; is a disk not mounted, or was the folder replaced?")
            }
            Self::Unreadable { reason } => format!("{path}: {reason}"),
        };
        let end = if reason.ends_with('?') { "" } else { "." };
        Some(Error::new(
            ErrorKind::Held,
            format!(
                "{reason}{end} Nothing was read, written or deleted there. \
                 If this folder is new or was replaced, type: twofold device fill {name}"
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_compared_with_what_the_device_should_be() {
        let ours = || Some(Ok(RootMarker::new("r1", "h1", 7)));
        for (words, marker, replica, hub, is_known, expected) in [
            ("first use", None, "r1", "h1", false, MarkerState::Fresh),
            ("lost", None, "r1", "h1", true, MarkerState::MarkerMissing),
            ("ours", ours(), "r1", "h1", true, MarkerState::Ours { run: 7 }),
            ("ours before the hub committed", ours(), "r1", "h1", false, MarkerState::Ours { run: 7 }),
            ("other device", ours(), "r2", "h1", true, MarkerState::OtherReplica { replica: "r1".into(), run: 7 }),
            (
                "other hub",
                ours(),
                "r1",
                "h2",
                false,
                MarkerState::OtherHub { hub: "h1".into(), replica: "r1".into(), run: 7 },
            ),
        ] {
            assert_eq!(MarkerState::of(marker, replica, hub, is_known), expected, "{words}");
        }
    }

    #[test]
    fn a_damaged_or_newer_marker_is_no_missing_marker() {
        for (bytes, reason) in [("", "damaged"), ("{}", "damaged"), ("{\"format\":2,\"zone\":1}", "newer")] {
            let read = understand::<RootMarker>(bytes.as_bytes());
            assert!(read.unwrap_err().contains(reason), "{bytes}");
        }
    }
}
