//! Where the running service of a configuration file keeps its state, for commands that read the file after it was changed.
//!
//! The service listens at an abstract address (`unix(7)`) that is made of the file's path, and tells whoever comes from its own user or from
//! root its state folder. Such an address needs no folder, goes with its process, and is the same inside of the service's sandbox. Another user
//! may take it first: then the file alone says where the state is.

use rustix::process::geteuid;
use std::io::{self, Read};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::UCred;
use tokio::net::{UnixListener, UnixStream};

/// A service that is alive answers within this time.
const PATIENCE: Duration = Duration::from_millis(500);
/// No path is longer (`PATH_MAX`, limits.h).
const PATH_AT_MOST: u64 = 4096;

/// Listens for those who ask where the service of this configuration file keeps its state.
///
/// # Errors
/// Where the address is taken. What runs inside of a Tokio runtime alone can listen.
pub fn listen(config: &Path) -> io::Result<UnixListener> {
    let listener = StdListener::bind_addr(&address(config)?)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Tells whoever asks; never comes back.
pub async fn tell(listener: UnixListener, state_dir: PathBuf) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let may_know = stream.peer_cred().is_ok_and(|peer| [geteuid().as_raw(), 0].contains(&peer.uid()));
        if may_know {
            // It fits into what the kernel keeps, and whoever went away is not waited for.
            let _ = tokio::time::timeout(PATIENCE, stream.write_all(state_dir.as_os_str().as_bytes())).await;
        }
    }
}

/// Where the running service of this configuration file keeps its state; `None`: none of this user runs, or it names no folder that is there.
pub fn of_service(config: &Path) -> Option<PathBuf> {
    let (stream, _) = connect(config)?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut path = Vec::new();
    stream.take(PATH_AT_MOST).read_to_end(&mut path).ok()?;
    Some(PathBuf::from(std::ffi::OsString::from_vec(path))).filter(|path| path.is_absolute() && path.is_dir())
}

/// The id of the process of that service, also where it does not answer; `None`: none of this user runs.
pub fn process_of_service(config: &Path) -> Option<i32> {
    connect(config)?.1.pid()
}

/// The service of this user that listens, and what the kernel says of it.
fn connect(config: &Path) -> Option<(StdStream, UCred)> {
    let stream = StdStream::connect_addr(&address(config).ok()?).ok()?;
    let peer = peer(&stream).ok()?;
    (peer.uid() == geteuid().as_raw()).then_some((stream, peer))
}

/// Whose process listens at the other end.
fn peer(stream: &StdStream) -> io::Result<UCred> {
    // Tokio's own knows how to ask, and wants one that does not wait; both are the same to the kernel.
    stream.set_nonblocking(true)?;
    let peer = UnixStream::from_std(stream.try_clone()?)?.peer_cred()?;
    stream.set_nonblocking(false)?;
    Ok(peer)
}

fn address(config: &Path) -> io::Result<SocketAddr> {
    let path = config.canonicalize().or_else(|_| std::path::absolute(config))?;
    // A path may be longer than such a name.
    SocketAddr::from_abstract_name(format!("twofold/{}", blake3::hash(path.as_os_str().as_bytes())))
}
