//! Blobs: bytes that are kept as they were first received, each once, under the name that their content gives them.
//!
//! A folder holds one file for each blob: `ab/<64 hex digits>`, a zstd frame of bytes whose BLAKE3 hash is the name; `ab` are the
//! first two digits. What is being written stands in `tmp/` until it is whole, and then gets its name by a rename.
//!
//! What must hold:
//! * *A blob is never replaced.* Where sound bytes stand under a name, they stay; the same bytes put again are one file. Only what is no
//!   longer what its name says (bit rot, or a file that a power cut left half written) gives way to the right bytes.
//! * *Nothing is believed unread.* The bytes that come out are hashed again, and what does not fit its name is [`Error::Rotten`].
//! * *A row that names a blob comes after [`Store::flush`].* Before it, a power cut may take the blob, or leave it broken;
//!   after it, the blob is on the disk. A batch costs one `syncfs`, because one `fdatasync` for each of 10,000 mails takes ten times as long.
//! * *Memory is flat.* Blobs are read and written piece by piece, however large they are.
//!
//! Rooms: `hash` (names), `store` (the folder), `put` (one blob on its way in), `get` (one on its way out), `error`, `replica` (the store as connectors know it). Every call blocks
//! for as long as the disk takes. Nothing here knows what a blob means.

mod error;
mod get;
mod hash;
mod put;
mod replica;
mod store;

pub use error::{Error, Result};
pub use get::Blob;
pub use hash::{Hash, NoHash};
pub use put::Put;
pub use store::{Store, Usage};
