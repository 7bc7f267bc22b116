//! What the service tells and where it listens: whether each way of `[notify]` would get through, and whether `[endpoint]` has its address.
//! Nobody is told anything and nothing is made.

use super::Findings;
use crate::cli::{handover, hints};
use crate::config::{Config, Endpoint, Notify};
use crate::connect;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use twofold_cycle::report::exit;
use twofold_http::{Method, Transport as _, TransportError, Wire};

/// Nobody is waited for longer.
const TIMEOUT_MS: u64 = 20_000;

/// Looks at both sections.
pub(super) async fn look(findings: &mut Findings, config: &Config, is_offline: bool) {
    let Notify { webhook, file, command } = &config.notify;
    if let Some(program) = command.first() {
        match unusable(program, std::env::var_os("PATH").as_deref()) {
            None => findings.ok(format!("notify: {program} can be run")),
            Some(why) => findings.fail(
                exit::USAGE,
                format!("notify: {program} {why}; nobody is told by it. Put it right, or name another program as command under [notify]"),
            ),
        }
    }
    if let Some(path) = file {
        match unwritable(path) {
            None => findings.ok(format!("notify: {} can be written", path.display())),
            Some((code, why)) => findings.fail(
                code,
                format!(
                    "notify: {} cannot be written by this user ({why}); nothing is told there. Put it right, or name another file under [notify]",
                    path.display()
                ),
            ),
        }
    }
    if let (Some(_), false) = (webhook, is_offline) {
        reach(findings, config).await;
    }
    if let Some(endpoint) = &config.endpoint {
        listens(findings, config, endpoint).await;
    }
}

/// Why a program cannot be run.
fn unusable(program: &str, path: Option<&OsStr>) -> Option<&'static str> {
    let is_file = |path: &Path| path.metadata().is_ok_and(|meta| meta.is_file());
    let candidates: Vec<PathBuf> = match program.contains('/') {
        true => vec![program.into()],
        false => std::env::split_paths(path.unwrap_or_default()).map(|folder| folder.join(program)).collect(),
    };
    let there: Vec<PathBuf> = candidates.into_iter().filter(|path| is_file(path)).collect();
    let can_run = |path: &PathBuf| access(path, Access::EXEC_OK).is_ok();
    match there.iter().find(|path| can_run(path)) {
        None if there.is_empty() => Some("is not there"),
        None => Some("must not be run by this user"),
        // What is set-user-ID gets no other user under `NoNewPrivileges=yes`.
        Some(path) if path.metadata().is_ok_and(|meta| meta.permissions().mode() & 0o6000 != 0) => {
            Some("runs as somebody else (set-user-ID), which the sandbox of the units does not let it do")
        }
        Some(_) => None,
    }
}

/// Why a line cannot be added to a file, which need not be there yet, and the exit code that says so.
fn unwritable(path: &Path) -> Option<(i32, String)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let allowed = |at: &Path, how: Access| {
        let why = |error: Errno| if at == path { error.to_string() } else { format!("{}: {error}", at.display()) };
        access(at, how).err().map(|error| (exit::USAGE, why(error))).or_else(|| {
            // What is written to a pipe takes no room.
            let takes_room = at.is_file() || at.is_dir();
            let is_full = takes_room && rustix::fs::statvfs(at).is_ok_and(|disk| disk.f_bavail == 0);
            is_full.then(|| (exit::TEMPORARY, why(Errno::NOSPC)))
        })
    };
    match path.metadata() {
        Ok(meta) if meta.is_dir() => Some((exit::USAGE, "it is a folder".into())),
        Ok(_) => allowed(path, Access::WRITE_OK),
        Err(error) if error.kind() == ErrorKind::NotFound => allowed(folder, Access::WRITE_OK | Access::EXEC_OK),
        Err(error) => Some((exit::USAGE, error.to_string())),
    }
}

/// Whether the webhook's host answers. Its front door is asked, and not the webhook: what it says is of no interest.
async fn reach(findings: &mut Findings, config: &Config) {
    let Some(mut url) = config.notify.webhook.clone() else { return };
    url.set_path("/");
    url.set_query(None);
    let host = url.host_str().unwrap_or_default().to_owned();
    let wire = Wire {
        what: "look whether it answers",
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: Vec::new().into(),
        timeout_ms: TIMEOUT_MS,
        silence_ms: TIMEOUT_MS,
        hurry: None,
        max_body: 1 << 20,
        heard: Default::default(),
    };
    match connect::transport(config).exchange(&wire).await {
        Ok(_) | Err(TransportError::TooLarge(_)) => findings.ok(format!("notify: {host} answers")),
        Err(error) => findings.fail(
            exit::TEMPORARY,
            format!("notify: the webhook at {host} cannot be reached: {error}; nobody is told there. Look at webhook under [notify], and at [network]"),
        ),
    }
}

/// Whether the service has its address, or could have it.
async fn listens(findings: &mut Findings, config: &Config, endpoint: &Endpoint) {
    let address = endpoint.listen;
    // Any port that is free is always to be had.
    if address.port() == 0 {
        return;
    }
    let runs = handover::status(config).await.is_some();
    match std::net::TcpListener::bind(address) {
        Ok(_) if runs => findings.fail(
            exit::USAGE,
            format!("endpoint: the service runs and does not listen on {address}: it has not read this configuration; {}", hints::keeper(config).reload()),
        ),
        Ok(_) => findings.ok(format!("endpoint: {address} is free for the service")),
        Err(_) if runs => findings.ok(format!("endpoint: the service runs, and {address} is in use")),
        Err(error) => findings.fail(
            exit::USAGE,
            format!(
                "endpoint: {address} cannot be had ({error}); the service would run without its page. Who has it: ss -ltnp. Name another \
                 address as listen under [endpoint]"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    #[test]
    fn a_program_is_looked_for_as_it_will_be_run() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tell");
        let path = Some(dir.path().as_os_str());
        assert_eq!(unusable("tell", path), Some("is not there"));
        fs::write(&program, "").unwrap();
        for (mode, why) in [(0o644, Some("must not be run")), (0o755, None), (0o4755, Some("runs as somebody else"))] {
            fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
            for name in ["tell", program.to_str().unwrap()] {
                let found = unusable(name, path);
                assert_eq!(found.is_some(), why.is_some(), "{mode:o}: {found:?}");
                assert!(found.unwrap_or_default().starts_with(why.unwrap_or_default()), "{mode:o}: {found:?}");
            }
        }
        assert_eq!(unusable("tell", None), Some("is not there"));
    }
}
