//! What is promised of small blobs, which stand together in `small.db`: what was flushed stays, whatever happens to the process or to the
//! disk; what was removed is gone; what is broken is said.

use rand::rngs::SmallRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use twofold_blobs::{Error, Hash, Store};

const MOST: u64 = 1024 * 1024;

/// Bytes that nothing makes smaller, so that they are found again in the file.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SmallRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("blobs");
    (dir, root)
}

fn put(store: &Store, bytes: &[u8]) -> Hash {
    store.put(bytes).unwrap().hash
}

/// Where bytes stand in a file.
fn find(path: &Path, bytes: &[u8]) -> Option<u64> {
    let all = fs::read(path).unwrap();
    all.windows(bytes.len()).position(|window| window == bytes).map(|at| at as u64)
}

/// What a kill leaves at this moment, elsewhere.
fn picture(root: &Path) -> (tempfile::TempDir, PathBuf) {
    let (dir, copy) = folder();
    fs::create_dir(&copy).unwrap();
    for name in ["small.db", "small.db-journal"] {
        fs::copy(root.join(name), copy.join(name)).unwrap();
    }
    (dir, copy)
}

/// Keeps bytes as earlier versions did.
fn keep_as_file(root: &Path, bytes: &[u8]) -> PathBuf {
    let name = Hash::of(bytes).to_string();
    let path = root.join(&name[..2]).join(&name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, zstd::encode_all(bytes, 3).unwrap()).unwrap();
    path
}

#[test]
fn small_blobs_have_no_files_of_their_own() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    for seed in 0..100 {
        put(&store, &noise(seed, 1000));
    }
    put(&store, &noise(100, 128 * 1024 - 1));
    store.flush().unwrap();
    let names = || fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names().len(), 3, "{:?}: tmp, the file and its journal", names());
    put(&store, &noise(101, 128 * 1024));
    assert_eq!(names().len(), 4, "and the folder of a large one");
}

#[test]
fn what_an_earlier_version_kept_as_files_is_found_and_not_kept_twice() {
    let (_dir, root) = folder();
    let (old, rotten, gone) = (noise(1, 3000), noise(2, 3000), noise(3, 3000));
    let paths = [&old, &rotten, &gone].map(|bytes| keep_as_file(&root, bytes));
    let store = Store::open(&root).unwrap();
    assert_eq!(store.usage().unwrap().blobs, 3);
    let hash = Hash::of(&old);
    assert!(store.has(&hash).unwrap() && store.verify(&hash).unwrap() == 3000);
    assert_eq!(store.packed_size(&hash).unwrap(), Some(fs::metadata(&paths[0]).unwrap().len()));
    assert!(!store.put(&old[..]).unwrap().is_new);
    fs::write(&paths[1], "rotten").unwrap();
    assert!(store.put(&rotten[..]).unwrap().is_new, "the right bytes again");
    assert!(!paths[1].exists() && store.bytes(&Hash::of(&rotten), MOST).unwrap() == rotten);
    assert!(store.remove(&Hash::of(&gone)).unwrap() && !paths[2].exists());
    assert_eq!(store.usage().unwrap().blobs, 2);
    let mut listed = [hash, Hash::of(&rotten)];
    listed.sort_unstable();
    assert_eq!(store.hashes().collect::<Result<Vec<_>, _>>().unwrap(), listed);
}

#[test]
fn what_was_not_flushed_is_missing_after_a_stop_and_nothing_else() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let kept: Vec<Hash> = (0..50).map(|seed| put(&store, &noise(seed, 2000))).collect();
    let removed = put(&store, b"removed");
    store.flush().unwrap();
    let late = put(&store, b"late");
    store.remove(&removed).unwrap();
    assert!(store.has(&late).unwrap() && store.bytes(&late, MOST).unwrap() == b"late");
    let (_copy, at) = picture(&root);
    let after = Store::open(&at).unwrap();
    assert!(kept.iter().all(|hash| after.verify(hash).is_ok()));
    assert!(!after.has(&late).unwrap() && after.has(&removed).unwrap());
    assert!(after.put(&b"late"[..]).unwrap().is_new, "and it can be put");
    store.flush().unwrap();
    let (_copy, at) = picture(&root);
    let after = Store::open(&at).unwrap();
    assert!(after.has(&late).unwrap() && !after.has(&removed).unwrap());
}

/// How many blobs the child of the next test puts between two flushes.
const BATCH: u64 = 40;

#[test]
#[ignore = "the child of the next test"]
fn child() {
    let root = std::env::var_os("BLOBS").unwrap();
    let store = Store::open(root.as_ref()).unwrap();
    for n in 0.. {
        put(&store, &noise(n, 4000));
        if n % 7 == 6 {
            store.remove(&Hash::of(&noise(n - 6, 4000))).unwrap();
        }
        if n % BATCH == BATCH - 1 {
            store.flush().unwrap();
            println!("flushed {n}");
            std::io::stdout().flush().unwrap();
        }
    }
}

#[test]
fn a_kill_at_any_moment_takes_nothing_that_was_flushed() {
    let (_dir, root) = folder();
    let mut random = SmallRng::seed_from_u64(7);
    for _ in 0..12 {
        let _ = fs::remove_dir_all(&root);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env("BLOBS", &root)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut flushed = lines.filter_map(|line| line.unwrap().strip_prefix("flushed ")?.parse::<u64>().ok());
        let last = flushed.by_ref().take(random.random_range(1..12)).last().unwrap();
        // Somewhere in the batches that follow.
        for _ in 0..random.random_range(0..3_000_000_u32) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Store::open(&root).unwrap();
        for n in 0..=last {
            let is_there = store.has(&Hash::of(&noise(n, 4000))).unwrap();
            match n % 7 == 0 {
                true if n + 6 <= last => assert!(!is_there, "{n} of {last}"),
                // Removed in a batch that was flushed after the last one that was said, or not.
                true => {}
                false => assert!(is_there, "{n} of {last}"),
            }
        }
        let all: Vec<Hash> = store.hashes().collect::<Result<_, _>>().unwrap();
        assert!(all.iter().all(|hash| store.verify(hash).is_ok_and(|length| length == 4000)));
        assert_eq!(store.usage().unwrap().blobs, all.len() as u64);
        put(&store, b"and more");
        store.flush().unwrap();
    }
}

/// A small disk at a folder.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`: mounting is not permitted here.
    fn at(folder: &Path, kilobytes: usize) -> Option<SmallDisk> {
        fs::create_dir_all(folder).unwrap();
        let size = format!("size={kilobytes}k,mode=700");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            println!("skipped: mounting a small disk is not permitted here");
            return None;
        }
        Some(SmallDisk(folder.to_owned()))
    }

    fn grow(&self, kilobytes: usize) {
        let size = format!("remount,size={kilobytes}k");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_takes_nothing_that_was_flushed() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(&dir.path().join("disk"), 512) else { return };
    let root = disk.0.join("blobs");
    let store = Store::open(&root).unwrap();
    let (mut kept, mut lost) = (Vec::new(), Vec::new());
    let error = (0..100)
        .find_map(|batch| {
            lost = (0..5).map(|n| put(&store, &noise(batch * 5 + n, 5000))).collect();
            match store.flush() {
                Ok(()) => kept.append(&mut lost),
                Err(error) => return Some(error),
            }
            None
        })
        .unwrap();
    assert!(matches!(error, Error::Disk { .. }) && error.to_string().contains("no storage space"), "{error}");
    assert!(kept.len() > 20 && kept.iter().all(|hash| store.verify(hash).is_ok()));
    assert!(lost.iter().all(|hash| !store.has(hash).unwrap()));
    // Whoever put the lost ones must never hear that they are durable.
    disk.grow(2048);
    assert!(store.put(&b"more"[..]).is_err() && store.flush().is_err());
    drop(store);
    let store = Store::open(&root).unwrap();
    assert_eq!(store.usage().unwrap().blobs, kept.len() as u64);
    lost.push(put(&store, b"more"));
    store.flush().unwrap();
    assert!(store.has(lost.last().unwrap()).unwrap());
}

#[test]
fn a_disk_too_full_to_begin_is_said_and_nothing_is_half_made() {
    let dir = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::at(&dir.path().join("disk"), 64) else { return };
    let rest = disk.0.join("rest");
    let mut filled = fs::File::create(&rest).unwrap();
    while filled.write_all(&[7; 4096]).is_ok() {}
    let root = disk.0.join("blobs");
    let error = Store::open(&root).err().unwrap();
    assert!(matches!(error, Error::Disk { .. }), "{error}");
    assert!(!root.join("small.db").exists());
    drop(filled);
    fs::remove_file(rest).unwrap();
    put(&Store::open(&root).unwrap(), b"now");
}

#[test]
fn what_is_removed_is_overwritten_and_its_room_used_again() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let file = root.join("small.db");
    // One in the midst of a page, one over many.
    let (short, long) = (noise(1, 500), noise(2, 100_000));
    let mut hashes: Vec<Hash> = (10..200).map(|seed| put(&store, &noise(seed, 700))).collect();
    hashes.extend([put(&store, &short), put(&store, &long)]);
    store.flush().unwrap();
    assert!(find(&file, &short[100..200]).is_some() && find(&file, &long[60_000..60_200]).is_some());
    for hash in &hashes {
        assert!(store.remove(hash).unwrap());
    }
    store.flush().unwrap();
    for part in [&short[100..200], &long[60_000..60_200], &noise(50, 700)[300..400]] {
        assert!(find(&file, part).is_none());
    }
    assert!(find(&file, hashes[0].as_bytes()).is_none(), "not even the name");
    assert_eq!(fs::metadata(root.join("small.db-journal")).unwrap().len(), 0, "nor in the journal");
    let before = fs::metadata(&file).unwrap().len();
    assert!(store.usage().unwrap().packed_bytes < before / 3);
    for seed in 300..450 {
        put(&store, &noise(seed, 700));
    }
    store.flush().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().len(), before);
}

#[test]
fn what_is_there_can_be_counted_beside_whoever_works_on_it() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let first = put(&store, &noise(1, 3000));
    store.flush().unwrap();
    for seed in 2..40 {
        put(&store, &noise(seed, 3000));
        let usage = Store::usage_at(&root).unwrap();
        assert_eq!(usage.blobs, 1, "what was flushed");
    }
    assert_eq!(store.usage().unwrap().blobs, 39);
    store.flush().unwrap();
    assert_eq!(Store::usage_at(&root).unwrap(), store.usage().unwrap());
    store.remove(&first).unwrap();
    store.flush().unwrap();
    assert_eq!(Store::usage_at(&root).unwrap().blobs, 38);
    drop(store);
    assert_eq!(Store::usage_at(&root).unwrap().blobs, 38, "and beside nobody");
    fs::remove_file(root.join("small.db")).unwrap();
    assert_eq!(Store::usage_at(&root).unwrap().blobs, 0);
    assert!(!root.join("small.db").exists(), "nothing was made");
}

#[test]
fn counting_reads_no_blob() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    for seed in 0..400 {
        put(&store, &noise(seed, 50_000));
    }
    store.flush().unwrap();
    let read = || {
        let io = fs::read_to_string("/proc/thread-self/io").unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse::<u64>().unwrap()
    };
    let before = read();
    let usage = Store::usage_at(&root).unwrap();
    assert_eq!(usage.blobs, 400);
    assert!((20_000_000..25_000_000).contains(&usage.packed_bytes), "{usage:?}");
    assert!(read() - before < 500_000, "{} bytes were read", read() - before);
}

#[test]
fn a_flush_after_which_nothing_was_put_writes_nothing() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    put(&store, b"x");
    store.flush().unwrap();
    let stamp = || {
        let meta = fs::metadata(root.join("small.db-journal")).unwrap();
        (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec())
    };
    let before = stamp();
    store.flush().unwrap();
    store.put(&b"x"[..]).unwrap();
    store.flush().unwrap();
    assert_eq!(stamp(), before);
    put(&store, b"y");
    store.flush().unwrap();
    assert_ne!(stamp(), before);
}

#[test]
fn much_that_is_put_without_a_flush_is_written_all_the_same() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    for seed in 0..2500 {
        put(&store, &noise(seed, 100));
    }
    assert!(Store::usage_at(&root).unwrap().blobs >= 2000);
    for seed in 2500..2600 {
        put(&store, &noise(seed, 100_000));
    }
    let (there, all) = (Store::usage_at(&root).unwrap().packed_bytes, store.usage().unwrap().packed_bytes);
    assert!(all > 10_000_000 && all - there < 5 * 1024 * 1024, "{there} of {all} bytes");
}

#[test]
fn a_rotten_blob_is_said_and_healed_by_the_right_bytes() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    // One in the midst of a page, one over many.
    let all = [noise(1, 700), noise(2, 90_000), noise(3, 700)];
    let hashes = all.each_ref().map(|bytes| put(&store, bytes));
    store.flush().unwrap();
    drop(store);
    let file = root.join("small.db");
    for rotten in &all[..2] {
        let at = find(&file, &rotten[rotten.len() / 2..][..100]).unwrap();
        let open = fs::File::options().read(true).write(true).open(&file).unwrap();
        open.write_all_at(&[rotten[rotten.len() / 2] ^ 1], at).unwrap();
    }
    let store = Store::open(&root).unwrap();
    assert_eq!(store.verify(&hashes[2]).unwrap(), 700);
    for n in 0..2 {
        assert!(matches!(store.verify(&hashes[n]), Err(Error::Rotten { hash, .. }) if hash == hashes[n]));
        assert!(matches!(store.bytes(&hashes[n], MOST), Err(Error::Rotten { .. })));
        assert!(store.put(&all[n][..]).unwrap().is_new);
        assert!(store.bytes(&hashes[n], MOST).unwrap() == all[n]);
    }
    store.flush().unwrap();
    drop(store);
    let store = Store::open(&root).unwrap();
    assert!(hashes.iter().all(|hash| store.verify(hash).is_ok()));
    assert_eq!(store.usage().unwrap().blobs, 3);
}

#[test]
fn sound_bytes_under_another_name_are_damage() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let (one, other) = (put(&store, b"one"), put(&store, b"other"));
    store.flush().unwrap();
    drop(store);
    let file = rusqlite::Connection::open(root.join("small.db")).unwrap();
    let sql = "UPDATE blobs SET packed = (SELECT packed FROM blobs WHERE hash = ?2) WHERE hash = ?1";
    assert_eq!(file.execute(sql, [one.as_bytes(), other.as_bytes()]).unwrap(), 1);
    drop(file);
    let store = Store::open(&root).unwrap();
    assert!(matches!(store.verify(&one), Err(Error::Rotten { .. })));
    assert!(store.verify(&other).is_ok());
}

#[test]
fn a_damaged_file_is_said_with_what_to_type_and_left_as_it_is() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let hashes: Vec<Hash> = (0..300).map(|seed| put(&store, &noise(seed, 3000))).collect();
    store.flush().unwrap();
    drop(store);
    let path = root.join("small.db");
    let sound = fs::read(&path).unwrap();
    let half = sound[..sound.len() / 2].to_vec();
    let mut head = sound.clone();
    head[..16].fill(0);
    let mut other = sound.clone();
    // What the file says that it is: bytes 68 to 71 of an SQLite file.
    other[68..72].fill(0);
    for damaged in [Vec::new(), half, head, other, b"no database at all".repeat(1000)] {
        fs::write(&path, &damaged).unwrap();
        for error in [Store::open(&root).err().unwrap(), Store::usage_at(&root).unwrap_err()] {
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            let words = error.to_string();
            assert!(words.contains("small.db") && words.contains("twofold doctor --full"), "{words}");
        }
        assert!(fs::read(&path).unwrap() == damaged, "it was left as it is");
    }
    // A page in the midst of it: what stands there is said when it is met, and nothing is taken for missing.
    let mut page = sound.clone();
    page[2 * 8192..3 * 8192].fill(0xff);
    fs::write(&path, &page).unwrap();
    let store = Store::open(&root).unwrap();
    let asked: Vec<_> = hashes.iter().map(|hash| store.has(hash)).collect();
    assert!(!asked.iter().any(|answer| matches!(answer, Ok(false))));
    assert!(asked.iter().any(|answer| matches!(answer, Err(Error::Damaged { .. }))), "page 3 leads to the names");
    drop(store);
    fs::write(&path, &sound).unwrap();
    assert!(Store::open(&root).unwrap().verify(&hashes[7]).is_ok());
}

#[test]
fn a_file_that_is_gone_while_its_journal_is_not_is_damage() {
    let (_dir, root) = folder();
    drop(Store::open(&root).unwrap());
    fs::remove_file(root.join("small.db")).unwrap();
    fs::write(root.join("small.db-journal"), "half committed").unwrap();
    let error = Store::open(&root).err().unwrap();
    assert!(matches!(&error, Error::Damaged { why, .. } if why.contains("journal")), "{error}");
    assert!(!root.join("small.db").exists());
}

#[test]
fn a_file_of_a_later_program_is_refused() {
    let (_dir, root) = folder();
    drop(Store::open(&root).unwrap());
    let file = rusqlite::Connection::open(root.join("small.db")).unwrap();
    file.execute_batch("PRAGMA user_version = 2").unwrap();
    drop(file);
    let error = Store::open(&root).err().unwrap();
    assert!(matches!(error, Error::Later { .. }) && error.to_string().contains("later twofold"), "{error}");
}

#[test]
fn a_file_that_may_not_be_written_is_an_error_of_the_disk() {
    let (_dir, root) = folder();
    drop(Store::open(&root).unwrap());
    fs::set_permissions(root.join("small.db"), fs::Permissions::from_mode(0o000)).unwrap();
    match Store::open(&root) {
        Ok(_) => println!("skipped: this user may read everything"),
        Err(error) => assert!(matches!(error, Error::Disk { .. }), "{error}"),
    }
}

#[test]
fn whoever_reads_beside_a_writer_holds_up_none_of_its_commits() {
    let (_dir, root) = folder();
    let store = Store::open(&root).unwrap();
    let first = put(&store, b"the first");
    store.flush().unwrap();
    let beside = Store::look(&root).unwrap();
    assert_eq!(beside.bytes(&first, 100).unwrap(), b"the first");
    assert_eq!(beside.usage().unwrap().blobs, 1);
    let began = std::time::Instant::now();
    let second = put(&store, b"the second");
    store.flush().unwrap();
    // It would wait for ten seconds, and then fail.
    assert!(began.elapsed().as_secs() < 5);
    assert_eq!(beside.bytes(&second, 100).unwrap(), b"the second");
}
