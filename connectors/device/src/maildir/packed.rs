//! Compressed files, as Dovecot's zlib plugin makes them of whole messages: known by how they begin, as Dovecot knows them, and read as what
//! they were.

use std::fs::File;
use std::io::{Read, Result, Seek as _};

/// A message that is longer than this, in bytes, is not unpacked.
pub const LONGEST: u64 = 256 * 1024 * 1024;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
    /// In a way that is not read here.
    Other(&'static str),
}

/// How the files that Dovecot packs begin. No header field does.
const BEGINNINGS: [(&[u8], Packing); 6] = [
    (b"\x1f\x8b\x08", Packing::Gzip),
    (b"\x28\xb5\x2f\xfd", Packing::Zstd),
    (b"BZh", Packing::Other("compressed with bzip2")),
    (b"\xfd7zXZ\0", Packing::Other("compressed with xz")),
    (b"Dovecot-LZ4\r", Packing::Other("compressed with lz4")),
    (b"CRYPTED\x03\x07", Packing::Other("encrypted")),
];

/// What stands between `BZh` and a digit and the first block.
const BZIP2_BLOCK: &[u8] = b"1AY&SY";

/// How a file is packed that begins with these bytes; `None` where it is not.
fn packing_of(head: &[u8]) -> Option<Packing> {
    let (_, packing) = BEGINNINGS.into_iter().find(|(beginning, _)| head.starts_with(beginning))?;
    let is_text = head.starts_with(b"BZh") && head.get(4..).is_none_or(|rest| !rest.starts_with(BZIP2_BLOCK));
    (!is_text).then_some(packing)
}

/// How a file is packed. It is read from its beginning afterwards.
pub fn packing(file: &mut File) -> Result<Option<Packing>> {
    let mut head = Vec::new();
    file.by_ref().take(12).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(packing_of(&head))
}

/// What a packed file was, and one byte more than [`LONGEST`] at most. Nothing where it is not read here.
pub fn unpacked<'f>(file: &'f mut File, packing: Packing) -> Result<Option<Box<dyn Read + 'f>>> {
    Ok(match packing {
        Packing::Gzip => Some(Box::new(flate2::read::MultiGzDecoder::new(file).take(LONGEST + 1))),
        Packing::Zstd => Some(Box::new(zstd::stream::read::Decoder::new(file)?.take(LONGEST + 1))),
        Packing::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_file_is_known_by_how_it_begins_and_no_message_is_taken_for_one() {
        for (head, packing) in [
            (&b"\x1f\x8b\x08\x00\x00"[..], Some(Packing::Gzip)),
            (b"\x28\xb5\x2f\xfd\x04", Some(Packing::Zstd)),
            (b"BZh91AY&SY\x00", Some(Packing::Other("compressed with bzip2"))),
            (b"Dovecot-LZ4\r\x2a", Some(Packing::Other("compressed with lz4"))),
            (b"BZh-Version: 1", None),
            (b"BZh", None),
            (b"Subject: a", None),
            (b"\x1f", None),
            (b"", None),
        ] {
            assert_eq!(packing_of(head), packing, "{head:?}");
        }
    }
}
