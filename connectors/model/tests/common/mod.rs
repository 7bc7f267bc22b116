//! What several tests need: own fixtures, the corpus, chance with a seed.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use twofold_model::{Identity, Uid};

/// All files of a folder by name.
fn files(folder: &Path) -> Option<Vec<(String, Vec<u8>)>> {
    let entries = std::fs::read_dir(folder).ok()?;
    let named = |entry: std::fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(named)
        .filter(|(_, path)| path.is_file())
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    Some(files)
}

/// Our own fixtures.
pub fn fixtures() -> Vec<(String, Vec<u8>)> {
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))).unwrap()
}

/// One fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures")).join(name)).unwrap()
}

/// The corpus of real files; empty, and said aloud, where this checkout has none, unless TWOFOLD_REQUIRE_SHARED=1.
pub fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let shared = std::env::var_os("TWOFOLD_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")), PathBuf::from);
    files(&shared.join("corpus").join(kind)).unwrap_or_else(|| {
        let is_required = std::env::var("TWOFOLD_REQUIRE_SHARED").is_ok_and(|value| value == "1");
        assert!(!is_required, "the corpus is required, but absent");
        println!("left out: no corpus/{kind} (set TWOFOLD_SHARED)");
        Vec::new()
    })
}

/// Who the cards of tests are.
pub fn identity() -> Identity {
    Identity { uid: Uid("4f2a".into()), mark: None }
}
