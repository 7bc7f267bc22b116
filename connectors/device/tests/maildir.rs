//! Mail on a device: real folders, and the hands of other programs in them.

#[path = "maildir/desk.rs"]
mod desk;

#[path = "maildir/folders.rs"]
mod folders;
#[path = "maildir/meanwhile.rs"]
mod meanwhile;
#[path = "maildir/scanning.rs"]
mod scanning;
#[path = "maildir/twins.rs"]
mod twins;
#[path = "maildir/writing.rs"]
mod writing;
