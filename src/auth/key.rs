//! The key of the vault: where it comes from, who may read it, and the sealing itself (XChaCha20-Poly1305).
//!
//! A key comes from systemd (`LoadCredential=` or `LoadCredentialEncrypted=`, as `$CREDENTIALS_DIRECTORY/twofold.key`) or from
//! `twofold.key` in the state directory, which the first login makes.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use twofold_model::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

/// The key's file name, in both places.
pub const KEY_FILE: &str = "twofold.key";
const KEY_LENGTH: usize = 32;
const NONCE_LENGTH: usize = 24;

/// A key of the vault. Wiped when dropped; its `Debug` shows only where it came from.
pub(crate) struct Key {
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
    /// Where it was read.
    pub origin: PathBuf,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(from {})", self.origin.display())
    }
}

impl Key {
    /// The key that systemd handed over, if it did.
    ///
    /// Its permissions are systemd's affair: with `User=` it grants the service access by an ACL, which shows as mode 0440.
    pub fn from_credentials(directory: &Path) -> Result<Option<Key>> {
        let path = directory.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => Key::parse(&Zeroizing::new(bytes), path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read", &path, &error)),
        }
    }

    /// The key in the state directory, if there is one. Readable by others, it is refused.
    pub fn from_state(state_dir: &Path) -> Result<Option<Key>> {
        let path = state_dir.join(KEY_FILE);
        match read_private(&path)? {
            Some(bytes) => Key::parse(&bytes, path).map(Some),
            None => Ok(None),
        }
    }

    /// A new key, made in the state directory. If another process was faster, its key.
    pub fn make(state_dir: &Path) -> Result<Key> {
        let path = state_dir.join(KEY_FILE);
        let mut bytes = Zeroizing::new([0u8; KEY_LENGTH]);
        random(bytes.as_mut())?;
        // The whole file or none: it is written beside and linked into place, which fails if a key is there.
        let temporary = state_dir.join(format!("{KEY_FILE}.{}", std::process::id()));
        let text = Zeroizing::new(format!("{}\n", STANDARD_NO_PAD.encode(bytes.as_ref())));
        write_private(&temporary, text.as_bytes())?;
        let linked = fs::hard_link(&temporary, &path);
        fs::remove_file(&temporary).map_err(|error| cannot("remove", &temporary, &error))?;
        match linked {
            Ok(()) => sync_directory(state_dir)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot("write", &path, &error)),
        }
        let gone = || Error::new(ErrorKind::Broken, format!("{} vanished while it was made", path.display()));
        Key::from_state(state_dir)?.ok_or_else(gone)
    }

    /// 32 bytes as they are, or as hex, or as base64.
    fn parse(content: &[u8], origin: PathBuf) -> Result<Key> {
        if let Ok(bytes) = <[u8; KEY_LENGTH]>::try_from(content) {
            return Ok(Key { bytes: Zeroizing::new(bytes), origin });
        }
        let text = std::str::from_utf8(content).unwrap_or_default().trim();
        let decoded = Zeroizing::new(from_hex(text).or_else(|| from_base64(text)).unwrap_or_default());
        match <[u8; KEY_LENGTH]>::try_from(decoded.as_slice()) {
            Ok(bytes) => Ok(Key { bytes: Zeroizing::new(bytes), origin }),
            Err(_) => {
                let words = format!(
                    "{} is not a key: it has to be 32 bytes, as they are or as hex or base64",
                    origin.display()
                );
                Err(Error::new(ErrorKind::Misconfigured, words))
            }
        }
    }

    /// Seals a secret. `about` is bound to it: it opens only with the same words.
    pub fn seal(&self, secret: &[u8], about: &[&str]) -> Result<String> {
        let mut sealed = vec![0u8; NONCE_LENGTH];
        random(&mut sealed)?;
        let payload = Payload { msg: secret, aad: &associated(about) };
        let cipher = XChaCha20Poly1305::new(self.bytes.as_ref().into());
        let text = cipher
            .encrypt(XNonce::from_slice(&sealed), payload)
            .map_err(|_| Error::new(ErrorKind::Broken, "a token cannot be encrypted"))?;
        sealed.extend_from_slice(&text);
        Ok(STANDARD_NO_PAD.encode(sealed))
    }

    /// Opens what [`Key::seal`] sealed; nothing, if the key, the words or a single bit differs.
    pub fn open(&self, sealed: &str, about: &[&str]) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = STANDARD_NO_PAD.decode(sealed).ok()?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LENGTH)?;
        let payload = Payload { msg: text, aad: &associated(about) };
        let cipher = XChaCha20Poly1305::new(self.bytes.as_ref().into());
        cipher.decrypt(XNonce::from_slice(nonce), payload).ok().map(Zeroizing::new)
    }
}

/// The words that are bound to a secret, each with its length in front, so that no two lists look alike.
fn associated(about: &[&str]) -> Vec<u8> {
    let mut bytes = b"twofold vault".to_vec();
    for word in about {
        bytes.extend_from_slice(&(word.len() as u64).to_le_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes
}

fn random(bytes: &mut [u8]) -> Result<()> {
    let failed = |error| Error::new(ErrorKind::Broken, format!("the machine gives no random numbers: {error}"));
    rand::rngs::OsRng.try_fill_bytes(bytes).map_err(failed)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    STANDARD_NO_PAD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
}

/// Refuses what the group or others may use.
pub(crate) fn check_private(path: &Path, metadata: &fs::Metadata) -> Result<()> {
    let open = metadata.mode() & 0o077;
    if open == 0 {
        return Ok(());
    }
    let mode = if metadata.is_dir() { "700" } else { "600" };
    let words = format!(
        "{} is open to other users (mode {:04o}), and sign-ins are kept there: type `chmod {mode} {}`",
        path.display(),
        metadata.mode() & 0o7777,
        quoted(path),
    );
    Err(Error::new(ErrorKind::Misconfigured, words))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '@' | '+');
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Reads a file that only its owner may read; nothing, if it is not there.
pub(crate) fn read_private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, &error)),
    };
    // Asked of the opened file, so that nothing can be put in its place in between.
    check_private(path, &file.metadata().map_err(|error| cannot("read", path, &error))?)?;
    let mut content = Zeroizing::new(Vec::new());
    file.read_to_end(&mut content).map_err(|error| cannot("read", path, &error))?;
    Ok(Some(content))
}

/// Writes a new file, 0600, down to the disk. What an earlier crash left under that name is replaced.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, content)?;
        file.sync_all()
    };
    write().map_err(|error| cannot("write", path, &error))
}

/// Makes a rename or a new name in a directory survive a power loss.
pub(crate) fn sync_directory(directory: &Path) -> Result<()> {
    let sync = || File::open(directory)?.sync_all();
    sync().map_err(|error| cannot("write", directory, &error))
}

/// Our own store failed.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Broken, format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key { bytes: Zeroizing::new([byte; KEY_LENGTH]), origin: "test".into() }
    }

    #[test]
    fn a_key_is_read_as_bytes_hex_or_base64() {
        let hex = "07".repeat(32) + "\n";
        let base64 = base64::engine::general_purpose::STANDARD.encode([7u8; 32]);
        for content in
            [vec![7u8; 32], hex.into_bytes(), base64.clone().into_bytes(), base64.trim_end_matches('=').into()]
        {
            assert_eq!(*Key::parse(&content, "k".into()).unwrap().bytes, [7u8; 32]);
        }
        for content in [&b""[..], b"short", &[7u8; 31], &[0xff; 40]] {
            assert_eq!(Key::parse(content, "k".into()).unwrap_err().kind, ErrorKind::Misconfigured);
        }
    }

    #[test]
    fn what_is_sealed_opens_only_with_the_same_key_and_the_same_words() {
        let sealed = key(1).seal(b"secret", &["google", "ada", "refresh"]).unwrap();
        assert_eq!(key(1).open(&sealed, &["google", "ada", "refresh"]).unwrap().as_slice(), b"secret");
        assert!(key(2).open(&sealed, &["google", "ada", "refresh"]).is_none(), "another key");
        assert!(key(1).open(&sealed, &["google", "bob", "refresh"]).is_none(), "another account");
        assert!(key(1).open(&sealed, &["googlea", "da", "refresh"]).is_none(), "the same letters, cut elsewhere");
        let mut bytes = STANDARD_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(key(1).open(&STANDARD_NO_PAD.encode(&bytes), &["google", "ada", "refresh"]).is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        for nonsense in ["", "AAAA", "not base64!"] {
            assert!(key(1).open(nonsense, &[]).is_none());
        }
        assert_ne!(sealed, key(1).seal(b"secret", &["google", "ada", "refresh"]).unwrap(), "a nonce is used once");
    }

    #[test]
    fn a_path_is_quoted_only_where_it_has_to_be() {
        assert_eq!(quoted(Path::new("/var/lib/twofold/ada")), "/var/lib/twofold/ada");
        assert_eq!(quoted(Path::new("/home/ada's own")), r"'/home/ada'\''s own'");
    }
}
