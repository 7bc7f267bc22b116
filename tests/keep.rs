//! What keeps an administrator's sleep sound, through the built program: backups and the way back, a leaver's data erased, a disk that is
//! nearly full, several instances with one app, what `doctor` finds, and signing in from another machine.

mod common;

#[path = "keep/backup.rs"]
mod backup;
#[path = "keep/disk.rs"]
mod disk;
#[path = "keep/doctor.rs"]
mod doctor;
#[path = "keep/forget.rs"]
mod forget;
#[path = "keep/limit.rs"]
mod limit;
#[path = "keep/login.rs"]
mod login;
