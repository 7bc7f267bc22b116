//! Dovecot's file `subscriptions` at the root of a tree: which folders a mail program shows. Where it is there, it is kept up with the
//! folders that we make, rename and take away; where it is not, everything shows.
//!
//! A line a folder, by its name on the disk without the first dot; since version 2 (a first line `V<tab>2`, then an empty one) with a tab where
//! a level begins.

use super::dotlock;
use crate::atomic::FileAccess;
use crate::beneath::{self, refused};
use crate::{Device, atomic};
use rustix::fd::OwnedFd;
use twofold_model::{Error, ErrorKind, Result};

pub(super) const FILE: &str = "subscriptions";
const VERSION_2: &[u8] = b"V\t2\n\n";

/// Takes folders off the list, and puts others on it. What goes wrong is said in the log: the folders are what they are.
pub fn follow(device: &Device, tree: &OwnedFd, gone: &[&[u8]], new: &[&[u8]]) {
    if let Err(error) = try_follow(device, tree, gone, new) {
        tracing::warn!("the file {FILE} was left as it was: {error}");
    }
}

fn try_follow(device: &Device, tree: &OwnedFd, gone: &[&[u8]], new: &[&[u8]]) -> Result<()> {
    let path = device.path_of("");
    let is_there = || beneath::read_small(tree, FILE, &path);
    if is_there()?.is_none() {
        return Ok(());
    }
    let failed = |errno| refused(errno, format!("writing {FILE}"));
    let held = || Error::new(ErrorKind::Offline, "another program holds its lock");
    let _lock = dotlock::take(tree, FILE, device.now()).map_err(failed)?.ok_or_else(held)?;
    let Some(text) = is_there()? else { return Ok(()) };
    let Some(edited) = edit(&text, gone, new) else { return Ok(()) };
    let old = beneath::stat(tree, FILE.as_bytes()).map_err(failed)?;
    let access = old.map_or(device.access, |old| FileAccess { mode: old.st_mode & 0o777, group: None });
    let temp = atomic::write_temp(tree, &device.temps, &edited, access).map_err(failed)?;
    let put = || {
        if device.options.is_durable {
            atomic::sync_file(tree, &temp)?;
        }
        atomic::replace_ours(tree, &temp, FILE)
    };
    put().map_err(|errno| {
        atomic::discard(tree, &temp);
        failed(errno)
    })?;
    device.touched(tree);
    Ok(())
}

/// The file's text after that; nothing where it says so already. A folder that was renamed stays shown, or not shown.
fn edit(text: &[u8], gone: &[&[u8]], new: &[&[u8]]) -> Option<Vec<u8>> {
    let (header, body) = match text.strip_prefix(VERSION_2) {
        Some(body) => (VERSION_2, body),
        None => (&b""[..], text),
    };
    let line_of = |folder: &[u8]| -> Vec<u8> {
        let name = folder.strip_prefix(b".").unwrap_or(folder);
        let level = |b: &u8| if *b == b'.' && !header.is_empty() { b'\t' } else { *b };
        name.iter().map(level).collect()
    };
    let mut lines: Vec<Vec<u8>> =
        body.split(|b| *b == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    let before = lines.clone();
    let is_rename = gone.len() == new.len();
    for (at, folder) in new.iter().enumerate() {
        let line = line_of(folder);
        let was_shown = !is_rename || lines.contains(&line_of(gone[at]));
        if was_shown && !lines.contains(&line) {
            lines.push(line);
        }
    }
    let gone: Vec<Vec<u8>> = gone.iter().map(|folder| line_of(folder)).collect();
    lines.retain(|line| !gone.contains(line));
    (lines != before).then(|| lines.iter().fold(header.to_vec(), |text, line| [&text[..], line, b"\n"].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, gone: &[&str], new: &[&str]) -> Option<String> {
        let gone: Vec<&[u8]> = gone.iter().map(|name| name.as_bytes()).collect();
        let new: Vec<&[u8]> = new.iter().map(|name| name.as_bytes()).collect();
        edit(text.as_bytes(), &gone, &new).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_new_folder_is_shown_once() {
        assert_eq!(edited("Sent\n", &[], &[".Work.a"]).as_deref(), Some("Sent\nWork.a\n"));
        assert_eq!(edited("V\t2\n\nSent\n", &[], &[".Work.a"]).as_deref(), Some("V\t2\n\nSent\nWork\ta\n"));
        assert_eq!(edited("Sent\nWork.a\n", &[], &[".Work.a"]), None);
    }

    #[test]
    fn a_renamed_folder_stays_shown_or_hidden_and_one_that_is_gone_goes() {
        let moves = (&[".Work", ".Work.a"][..], &[".Job", ".Job.a"][..]);
        assert_eq!(edited("Work.a\nSent\n", moves.0, moves.1).as_deref(), Some("Sent\nJob.a\n"));
        assert_eq!(edited("Work\nSent\n", &[".Work"], &[]).as_deref(), Some("Sent\n"));
        assert_eq!(edited("Sent\n", &[".Work"], &[]), None);
    }
}
