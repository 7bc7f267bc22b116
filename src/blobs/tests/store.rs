//! What the store promises: nothing is replaced, nothing is believed unread, nothing half written is ever a blob.

use rand::rngs::SmallRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use twofold_blobs::{Error, Hash, Store, Usage};

const MOST: u64 = 64 * 1024 * 1024;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("blobs")).unwrap();
    (dir, store)
}

fn root(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("blobs")
}

fn file_of(root: &Path, hash: &Hash) -> PathBuf {
    root.join(&hash.to_string()[..2]).join(hash.to_string())
}

/// A length at which a blob has a file of its own.
const LARGE: usize = 400_000;

/// All files below a folder, with their bytes, but that of the small blobs.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut open, mut found) = (vec![root.to_owned()], BTreeMap::new());
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.file_name().unwrap().to_str().unwrap().starts_with("small.db") {
            found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// Text that shrinks, with something of its own on each line.
fn text(seed: u64, length: usize) -> Vec<u8> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut bytes = Vec::with_capacity(length + 40);
    while bytes.len() < length {
        bytes.extend_from_slice(format!("Received: from a by b; {}\r\n", random.random::<u32>()).as_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn every_length_comes_out_as_it_went_in() {
    let (_dir, store) = store();
    // Around the length of a piece, and of several.
    let piece = 128 * 1024;
    for length in [0, 1, 100, piece - 1, piece, piece + 1, 3 * piece, 5 * piece + 17] {
        for bytes in [random_bytes(length as u64, length), text(length as u64, length)] {
            let put = store.put(&bytes[..]).unwrap();
            assert_eq!((put.hash, put.size), (Hash::of(&bytes), length as u64));
            assert!(store.has(&put.hash).unwrap());
            assert!(store.bytes(&put.hash, MOST).unwrap() == bytes, "{length} bytes at once");
            let mut read = Vec::new();
            store.get(&put.hash).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{length} bytes, read");
            assert_eq!(store.verify(&put.hash).unwrap(), length as u64);
        }
    }
    store.flush().unwrap();
}

#[test]
fn a_source_that_gives_little_at_a_time_is_read_to_its_end() {
    struct Drops<'a>(&'a [u8], bool);
    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = self.0.len().min(buffer.len()).min(777);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let (_dir, store) = store();
    let bytes = text(4, 300_000);
    assert_eq!(store.put(Drops(&bytes, false)).unwrap().hash, Hash::of(&bytes));
    assert!(store.bytes(&Hash::of(&bytes), MOST).unwrap() == bytes);
}

#[test]
fn the_same_bytes_put_twice_are_one_file_that_nobody_touched() {
    let (dir, store) = store();
    let empty = store.usage().unwrap();
    let bytes = text(1, LARGE);
    let first = store.put(&bytes[..]).unwrap();
    let before = std::fs::metadata(file_of(&root(&dir), &first.hash)).unwrap();
    let second = store.put(&bytes[..]).unwrap();
    assert!(first.is_new && !second.is_new);
    assert_eq!((first.hash, first.size), (second.hash, second.size));
    let after = std::fs::metadata(file_of(&root(&dir), &first.hash)).unwrap();
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(before.ino(), after.ino());
    assert_eq!(files(&root(&dir)).len(), 1, "nothing is left in tmp");
    assert!(before.len() < LARGE as u64 / 2, "{} bytes packed", before.len());
    assert_eq!(store.packed_size(&first.hash).unwrap(), Some(before.len()));
    assert_eq!(store.usage().unwrap(), Usage { blobs: 1, packed_bytes: empty.packed_bytes + before.len() });
}

#[test]
fn threads_that_put_the_same_bytes_make_one_blob() {
    let (dir, store) = store();
    for bytes in [text(2, 50_000), text(2, LARGE)] {
        let put = || (0..20).filter(|_| store.put(&bytes[..]).unwrap().is_new).count();
        let new: usize = std::thread::scope(|scope| {
            let puts: Vec<_> = (0..8).map(|_| scope.spawn(put)).collect();
            puts.into_iter().map(|put| put.join().unwrap()).sum()
        });
        assert_eq!(new, 1);
    }
    assert_eq!(files(&root(&dir)).len(), 1, "that of the large one");
    assert_eq!(store.usage().unwrap().blobs, 2);
}

#[test]
fn a_large_source_is_written_while_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    let store = Store::open(&root).unwrap();
    let bytes = random_bytes(3, 8 * 1024 * 1024);
    /// Notes how much is on the disk each time it is asked for more.
    struct Watched<'a>(&'a [u8], &'a Path, &'a RefCell<Vec<(usize, usize)>>);
    impl Read for Watched<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let written = files(&self.1.join("tmp")).values().map(Vec::len).sum();
            self.2.borrow_mut().push((self.0.len(), written));
            self.0.read(buffer)
        }
    }
    let seen = RefCell::new(Vec::new());
    store.put(Watched(&bytes, &root, &seen)).unwrap();
    let held = seen.borrow().iter().map(|(left, written)| bytes.len() - left - written).max().unwrap();
    assert!(held < 1024 * 1024, "{held} bytes were read and not yet written");
}

#[test]
fn a_stop_at_any_moment_leaves_only_what_the_next_open_clears() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    let store = Store::open(&root).unwrap();
    let other = random_bytes(4, LARGE);
    let kept = store.put(&other[..]).unwrap().hash;
    let bytes = random_bytes(5, 1024 * 1024);
    /// Takes a picture of the folder each time it is asked for more: what a kill at that moment leaves.
    struct Filmed<'a>(&'a [u8], &'a Path, &'a RefCell<Vec<BTreeMap<PathBuf, Vec<u8>>>>);
    impl Read for Filmed<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2.borrow_mut().push(files(self.1));
            self.0.read(buffer)
        }
    }
    let film = RefCell::new(Vec::new());
    let put = store.put(Filmed(&bytes, &root, &film)).unwrap().hash;
    let film = film.into_inner();
    assert!(film.len() > 5);
    for (n, picture) in film.into_iter().enumerate() {
        assert_eq!(
            picture.len(),
            1 + usize::from(n > 0),
            "one blob, and one file in tmp since there is more than a small one"
        );
        let after = tempfile::tempdir().unwrap();
        for (path, bytes) in picture {
            let path = after.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let store = Store::open(after.path()).unwrap();
        assert!(!store.has(&put).unwrap());
        assert!(store.bytes(&kept, MOST).unwrap() == other);
        assert_eq!(files(after.path()).len(), 1);
        assert!(store.put(&bytes[..]).unwrap().is_new, "and it can be put");
    }
}

#[test]
fn a_source_that_fails_leaves_nothing_and_is_not_the_disk_s_fault() {
    struct Cut(usize);
    impl Read for Cut {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            self.0 -= 1;
            buffer.fill(7);
            Ok(buffer.len())
        }
    }
    let (dir, store) = store();
    for pieces in [0, 1, 5] {
        let error = store.put(Cut(pieces)).unwrap_err();
        assert!(matches!(error, Error::Source(_)), "{error}");
        assert_eq!(files(&root(&dir)), BTreeMap::new());
    }
}

#[test]
fn every_single_damaged_byte_is_said() {
    let (dir, store) = store();
    let bytes = text(6, 3_000);
    let hash = Hash::of(&bytes);
    // In a file, as earlier versions kept it: it is unpacked as one that stands among the small ones.
    let path = file_of(&root(&dir), &hash);
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let sound = zstd::encode_all(&bytes[..], 3).unwrap();
    let mut damaged: Vec<Vec<u8>> = Vec::new();
    for at in 0..sound.len() {
        for bit in 0..8 {
            let mut copy = sound.clone();
            copy[at] ^= 1 << bit;
            damaged.push(copy);
        }
        damaged.push(sound[..at].to_owned());
    }
    damaged.push([&sound[..], b"more"].concat());
    for (n, file) in damaged.iter().enumerate() {
        std::fs::write(&path, file).unwrap();
        // A bit that zstd does not use may change; then the bytes are still those that were put.
        match store.verify(&hash) {
            Ok(_) => assert!(store.bytes(&hash, MOST).unwrap() == bytes, "case {n}: other bytes without a word"),
            Err(error) => {
                assert!(matches!(&error, Error::Rotten { hash: of, .. } if *of == hash), "case {n}: {error}");
                assert!(error.to_string().contains("damaged"), "{error}");
                assert!(store.bytes(&hash, MOST).is_err());
                let read = store.get(&hash).unwrap().read_to_end(&mut Vec::new()).unwrap_err();
                assert_eq!(read.kind(), io::ErrorKind::InvalidData);
            }
        }
    }
    let unsound = damaged.iter().filter(|file| {
        std::fs::write(&path, file).unwrap();
        store.verify(&hash).is_err()
    });
    assert!(unsound.count() > damaged.len() * 9 / 10);
}

#[test]
fn other_sound_bytes_under_the_name_are_damage() {
    let (dir, store) = store();
    let put = |seed| store.put(&text(seed, LARGE)[..]).unwrap().hash;
    let (one, other) = (put(1), put(2));
    std::fs::copy(file_of(&root(&dir), &other), file_of(&root(&dir), &one)).unwrap();
    assert!(matches!(store.verify(&one), Err(Error::Rotten { .. })));
    assert!(matches!(store.bytes(&one, MOST), Err(Error::Rotten { .. })));
}

#[test]
fn what_a_power_cut_left_broken_is_healed_by_the_next_put() {
    let (dir, store) = store();
    let bytes = text(8, LARGE);
    let hash = store.put(&bytes[..]).unwrap().hash;
    let path = file_of(&root(&dir), &hash);
    let sound = std::fs::read(&path).unwrap();
    for broken in [&b""[..], &sound[..sound.len() / 2], &vec![0; sound.len()]] {
        std::fs::write(&path, broken).unwrap();
        assert!(store.has(&hash).unwrap(), "the name is there");
        assert!(store.put(&bytes[..]).unwrap().is_new);
        assert!(store.bytes(&hash, MOST).unwrap() == bytes);
        assert_eq!(files(&root(&dir)).len(), 1);
    }
}

#[test]
fn a_blob_longer_than_there_is_room_for_is_an_error() {
    let (_dir, store) = store();
    let hash = store.put(&vec![0; 1_000_000][..]).unwrap().hash;
    assert!(matches!(store.bytes(&hash, 999_999), Err(Error::TooLarge { most: 999_999, .. })));
    assert_eq!(store.bytes(&hash, 1_000_000).unwrap().len(), 1_000_000);
}

#[test]
fn what_is_removed_is_gone_and_nothing_else() {
    let (_dir, store) = store();
    for length in [10, LARGE] {
        let (one, other) = (random_bytes(1, length), random_bytes(2, length));
        let (a, b) = (store.put(&one[..]).unwrap().hash, store.put(&other[..]).unwrap().hash);
        assert!(store.remove(&a).unwrap());
        assert!(!store.remove(&a).unwrap());
        assert!(!store.has(&a).unwrap());
        assert_eq!(store.packed_size(&a).unwrap(), None);
        assert!(matches!(store.get(&a), Err(Error::Absent(hash)) if hash == a));
        assert!(store.bytes(&b, MOST).unwrap() == other);
        assert!(store.put(&one[..]).unwrap().is_new);
    }
}

#[test]
fn all_blobs_are_listed_in_order_and_what_is_not_ours_is_passed_over() {
    let (dir, store) = store();
    let mut put: Vec<Hash> = (0..600_u32).map(|n| store.put(&n.to_le_bytes()[..]).unwrap().hash).collect();
    put.extend((0..20).map(|n| store.put(&text(n, LARGE)[..]).unwrap().hash));
    put.sort();
    let folder = root(&dir).join("00");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    // A right name in a wrong folder is not where anybody would look for it.
    std::fs::write(folder.join("f".repeat(64)), "x").unwrap();
    let listed: Vec<Hash> = store.hashes().collect::<Result<_, _>>().unwrap();
    assert_eq!(listed, put);
    assert_eq!(store.usage().unwrap().blobs, 620);
}

#[test]
fn nobody_but_the_owner_can_look_inside() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir);
    std::fs::create_dir(&root).unwrap();
    std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Store::open(&root).unwrap();
    let hash = store.put(&text(1, LARGE)[..]).unwrap().hash;
    store.put(&b"private"[..]).unwrap();
    store.flush().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = file_of(&root, &hash);
    assert_eq!(
        [mode(&root), mode(&root.join("tmp")), mode(file.parent().unwrap()), mode(&file)],
        [0o700, 0o700, 0o700, 0o600]
    );
    assert_eq!([mode(&root.join("small.db")), mode(&root.join("small.db-journal"))], [0o600, 0o600]);
}

#[test]
fn a_second_store_on_the_folder_is_told_so_and_clears_nothing() {
    let (dir, store) = store();
    let half = root(&dir).join("tmp").join("0");
    std::fs::write(&half, "being written").unwrap();
    assert!(matches!(Store::open(&root(&dir)), Err(Error::Busy)));
    assert!(half.exists());
    drop(store);
    Store::open(&root(&dir)).unwrap();
    assert!(!half.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_said_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(&dir.path().join("no/such")).err().unwrap();
    assert!(matches!(error, Error::Disk { .. }) && error.to_string().contains("no/such"), "{error}");
}

#[test]
fn what_bytes_would_take_of_a_disk_is_told_without_a_store() {
    let mut random = vec![0; 300_000];
    SmallRng::seed_from_u64(7).fill_bytes(&mut random);
    let mut measure = Store::measure();
    for (bytes, at_least, at_most) in [
        (random.as_slice(), 300_000, 310_000),
        (&random[..5_000], 5_000, 9_000),
        (&random[..100], 100, 300),
        (&[b'a'; 300_000][..], 1, 1_000),
    ] {
        let told = measure(&mut &bytes[..]).unwrap();
        assert!((at_least..=at_most).contains(&told), "{}: {told}", bytes.len());
    }
}
