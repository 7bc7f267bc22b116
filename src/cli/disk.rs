//! Room on the disks: below a floor nothing is read or written any more, so that no disk is ever filled to its last byte.

use super::words;
use crate::config::Config;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use twofold_cycle::NoRoom;

/// Where nobody says how much stays free…
const USUAL: u64 = 500_000_000;
/// …it is at most this part of the file system.
const USUAL_PART: u64 = 20;

/// A folder in which things are kept.
pub(crate) struct Place {
    /// The device whose folder it is; `None`: the state folder.
    pub(crate) device: Option<String>,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// What is free where a path lies, and what has to be.
pub(crate) struct Room {
    /// Free for this user, in bytes.
    pub(crate) free: u64,
    /// Below this nothing grows, in bytes.
    pub(crate) floor: u64,
}

/// How much room there is where a path lies; `None` where that cannot be told (a folder that is not there yet).
pub(crate) fn room(path: &Path, keep_free: Option<u64>) -> Option<Room> {
    let stat = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Room { free: bytes(stat.f_bavail), floor: floor(bytes(stat.f_blocks), keep_free) })
}

fn floor(whole: u64, keep_free: Option<u64>) -> u64 {
    keep_free.unwrap_or(USUAL.min(whole / USUAL_PART))
}

/// Where there is too little room.
pub(crate) fn shortage(config: &Config) -> Option<NoRoom> {
    of(&places(config), config.keep_free)
}

/// The same, to be asked again and again during a run.
pub(crate) fn watch(config: &Config) -> Box<dyn Fn() -> Option<NoRoom> + Send + Sync> {
    let (places, keep_free) = (places(config), config.keep_free);
    Box::new(move || of(&places, keep_free))
}

/// The state folder, and each device folder.
pub(crate) fn places(config: &Config) -> Vec<Place> {
    let devices =
        config.devices.iter().map(|device| Place { device: Some(device.name.clone()), path: device.path.clone() });
    [Place { device: None, path: config.state_dir.clone() }].into_iter().chain(devices).collect()
}

/// Room for a file that is no part of what twofold keeps in step: the floor counts where it lies on one disk with that, and elsewhere what
/// is there may be used.
#[derive(Clone, Debug)]
pub(crate) struct Spare {
    folder: PathBuf,
    /// None: another disk.
    floor: Option<u64>,
}

impl Spare {
    /// In a folder.
    pub(crate) fn of(config: &Config, folder: &Path) -> Spare {
        let disk = |path: &Path| std::fs::metadata(path).ok().map(|meta| meta.dev());
        let is_ours = disk(folder).is_some_and(|own| places(config).iter().any(|place| disk(&place.path) == Some(own)));
        let floor = room(folder, config.keep_free).filter(|_| is_ours).map(|room| room.floor);
        Spare { folder: folder.to_owned(), floor }
    }

    /// Whether so many bytes more can be written.
    ///
    /// # Errors
    /// Where they would take what is to stay free ([`io::ErrorKind::StorageFull`]), in words for people.
    pub(crate) fn check(&self, bytes: u64) -> io::Result<()> {
        let floor = self.floor.unwrap_or(0);
        let Some(room) = room(&self.folder, Some(floor)) else { return Ok(()) };
        if room.free >= floor.saturating_add(bytes) {
            return Ok(());
        }
        let (free, folder) = (words::bytes(room.free), self.folder.display());
        let kept =
            self.floor.map(|floor| format!(", {} are to stay free (keep_free under [disk])", words::bytes(floor)));
        let words = format!("{free} are free where {folder} lies{}, and more is needed", kept.unwrap_or_default());
        Err(io::Error::new(io::ErrorKind::StorageFull, words))
    }
}

fn of(places: &[Place], keep_free: Option<u64>) -> Option<NoRoom> {
    places.iter().find_map(|place| {
        let room = room(&place.path, keep_free)?;
        (room.free < room.floor).then(|| NoRoom {
            replica: place.device.clone().unwrap_or_default(),
            words: format!(
                "disk: less than {} are free where {} lies; nothing more is read or written before there is room, so that the disk is \
                 not filled. Free some space, or set keep_free under [disk]; then it goes on: twofold sync",
                words::bytes(room.floor),
                place.path.display()
            ),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_disk_keeps_a_part_of_itself_free_and_a_large_one_a_sum() {
        let gb = 1_000_000_000;
        assert_eq!((floor(2 * gb, None), floor(10 * gb, None), floor(4_000 * gb, None)), (gb / 10, gb / 2, gb / 2));
        assert_eq!(floor(2 * gb, Some(3 * gb)), 3 * gb);
    }
}
