//! The name of a blob: the BLAKE3 hash of its bytes.

use std::fmt;
use std::str::FromStr;

/// The BLAKE3 hash of a blob's bytes, which is its name. Written as 64 hexadecimal digits, small letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The hash as bytes, as a database keeps it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) fn of_hasher(hasher: &blake3::Hasher) -> Self {
        Self(*hasher.finalize().as_bytes())
    }

    /// The path of the blob's file below the store's folder.
    pub(crate) fn path(&self) -> String {
        let name = self.to_string();
        format!("{}/{name}", &name[..2])
    }

    /// The folder in which the blob's file stands.
    pub(crate) fn folder(&self) -> String {
        format!("{:02x}", self.0[0])
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The text is no blob's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHash;

impl fmt::Display for NoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a blob's name is 64 hexadecimal digits in small letters")
    }
}

impl std::error::Error for NoHash {}

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        // One spelling only: a file in capital letters would be a second name of the same blob.
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(NoHash);
        }
        blake3::Hash::from_hex(text).map(|hash| Self(*hash.as_bytes())).map_err(|_| NoHash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_in_its_one_spelling() {
        let hash = Hash::of(b"a mail");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(Hash::from(*hash.as_bytes()), hash);
        assert_eq!(hash.path(), format!("{}/{hash}", &hash.to_string()[..2]));
        assert_eq!(hash.folder(), hash.to_string()[..2]);
        for wrong in ["", "ab", &hash.to_string().to_uppercase(), &format!("{hash}0"), &"g".repeat(64), "../x"] {
            assert_eq!(wrong.parse::<Hash>(), Err(NoHash), "{wrong}");
        }
    }

    #[test]
    fn the_hash_is_blake3() {
        // The test vector of BLAKE3's authors for no bytes at all.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(Hash::of(b"").to_string(), empty);
    }
}
