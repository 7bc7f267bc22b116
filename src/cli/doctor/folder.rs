//! A device folder that is not there: could it be made, and by whom?

use super::units::Unit;
use crate::cli::credential::{User, quoted};
use crate::config::Device;
use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// Why a folder that is not there cannot be made by who does the runs, and what to type; nothing, where it is there or can be made.
/// `lets_through`: whether the sandbox of the service's unit lets it write into a folder.
pub(super) fn unmakeable(device: &Device, unit: Option<&Unit>, lets_through: impl Fn(&Path) -> bool) -> Option<String> {
    let is_read_only = |path: &Path| statvfs(path).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY));
    why_not(device, unit, lets_through, is_read_only)
}

fn why_not(
    device: &Device,
    unit: Option<&Unit>,
    lets_through: impl Fn(&Path) -> bool,
    is_read_only: impl Fn(&Path) -> bool,
) -> Option<String> {
    let path = &device.path;
    // What cannot be looked at is told where the folder is opened.
    if path.try_exists().unwrap_or(true) {
        return None;
    }
    let (parent, meta) = path.ancestors().find_map(|path| Some((path, path.metadata().ok()?)))?;
    let who = unit.map_or_else(User::of_process, |unit| User::named(&unit.user));
    let is_read_only = is_read_only(parent);
    let why = if !meta.is_dir() {
        format!("{} is no folder", parent.display())
    } else if is_read_only {
        format!("{} is on a read-only file system", parent.display())
    } else if !may_write(&who, parent, &meta) {
        format!("{} belongs to {}, and {} may not write there", parent.display(), User::of(meta.uid()).name, who.name)
    } else if let Some(unit) = unit.filter(|_| !path.ancestors().any(&lets_through)) {
        format!("in the sandbox of {} {} is on a read-only file system", unit.name, parent.display())
    } else {
        return None;
    };
    let todo = if !meta.is_dir() || (is_read_only && unit.is_none()) {
        "Name another path for it, or put that right".to_owned()
    } else {
        let (mode, group) = match &device.group {
            Some(group) => ("2770", format!(" -g {}", quoted(group))),
            None => ("700", String::new()),
        };
        let made = format!(
            "sudo install -d -m {mode} -o {}{group} {}",
            quoted(&who.name),
            quoted(&path.display().to_string())
        );
        match unit {
            Some(unit) => format!("Type: {made} && sudo systemctl restart {}", unit.name),
            None => format!("Type: {made}"),
        }
    };
    Some(format!("{} is not there, and cannot be made: {why}. {todo}", path.display()))
}

/// Whether a user may make something in a folder.
fn may_write(who: &User, folder: &Path, meta: &std::fs::Metadata) -> bool {
    if who.id == rustix::process::geteuid().as_raw() {
        return access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    }
    let shift = if meta.uid() == who.id {
        6
    } else if meta.gid() == who.group {
        3
    } else {
        0
    };
    (meta.permissions().mode() >> shift) & 0o3 == 0o3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use std::fs::{self, Permissions};

    fn device(path: &Path) -> Device {
        let text = format!("[[device]]\nname = \"laptop\"\npath = {path:?}\nkinds = [\"mail\"]\n");
        Config::parse(&text, Path::new("/srv/c.toml")).unwrap().devices.remove(0)
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_with_who_cannot_make_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let me = User::of_process().name;
        assert_eq!(unmakeable(&device(&path), None, |_| false), None, "who types it may make it");
        let unit = Unit { name: "twofold.service".into(), user: me.clone(), text: String::new() };
        let words = unmakeable(&device(&path), Some(&unit), |_| false).unwrap();
        assert!(words.contains("in the sandbox of twofold.service") && words.contains("read-only"), "{words}");
        let todo = format!(
            "Type: sudo install -d -m 700 -o {me} {} && sudo systemctl restart twofold.service",
            path.display()
        );
        assert!(words.ends_with(&todo), "{words}");
        assert_eq!(unmakeable(&device(&path), Some(&unit), |path| path == dir.path()), None);
        fs::create_dir_all(&path).unwrap();
        assert_eq!(unmakeable(&device(&path), Some(&unit), |_| false), None, "it is there");
        let words = why_not(&device(&path.join("c")), None, |_| true, |_| true).unwrap();
        assert!(words.contains("on a read-only file system. Name another path"), "{words}");
    }

    #[test]
    fn a_folder_of_somebody_else_is_written_by_those_whom_its_mode_lets() {
        let dir = tempfile::tempdir().unwrap();
        let stranger = User { id: u32::MAX - 7, group: u32::MAX - 7, name: "bea".into() };
        for (mode, may) in [(0o700, false), (0o755, false), (0o770, false), (0o777, true)] {
            fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(may_write(&stranger, dir.path(), &dir.path().metadata().unwrap()), may, "{mode:o}");
        }
    }
}
