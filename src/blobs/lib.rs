//! Blobs: bytes that are kept as they were first received, each once, under the name that their content gives them.
//!
//! A blob is kept as a zstd frame under the BLAKE3 hash of its bytes. Those of less than 128 KiB, which most messages are, stand together in
//! `small.db`, an SQLite file; a larger one has a file of its own, `ab/<64 hex digits>`, where `ab` are the first two digits. Such a file stands in
//! `tmp/` until it is whole, and then gets its name by a rename. Earlier versions kept all blobs so; what they kept is found there.
//!
//! What must hold:
//! * *A blob is never replaced.* Where sound bytes stand under a name, they stay; the same bytes put again are one blob. Only what is no
//!   longer what its name says (bit rot, or a file that a power cut left half written) gives way to the right bytes.
//! * *Nothing is believed unread.* The bytes that come out are hashed again, and what does not fit its name is [`Error::Rotten`].
//! * *A row that names a blob comes after [`Store::flush`].* Before it, a stop may take the blob, and a power cut leave a large one broken;
//!   after it, the blob is on the disk. A batch costs one commit, and one `syncfs` where there are large ones in it.
//! * *Memory is flat.* Blobs are read and written piece by piece, however large they are.
//!
//! Rooms: `hash` (names), `store` (all of it), `small` (the file of the small ones), `files` (the large ones), `put` (one blob on its way in), `get` (one on its way out), `error`, `replica` (the store as connectors know it). Every call blocks
//! for as long as the disk takes. Nothing here knows what a blob means.

mod error;
mod files;
mod get;
mod hash;
mod put;
mod replica;
mod small;
mod store;

pub use error::{Error, Result};
pub use get::Blob;
pub use hash::{Hash, NoHash};
pub use put::Put;
pub use store::{Store, Usage};
