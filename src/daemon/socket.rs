//! The socket of the service, `STATE_DIR/socket`: one request a connection, lines of JSON.
//!
//! ```text
//! > {"twofold":1,"word":"sync","kinds":["mail"],"full_check":true}
//! < {"progress":{"mine":false,"run":{"kinds":["contacts"],"phase":"reading",…}}}
//! < {"progress":{"mine":true,"run":{…}}}
//! < {"over":{"exit":0,"report":{…},"table":"nothing to do (0.1 s)\n","troubles":[]}}
//! ```
//!
//! Only the user of the service and root may ask: the folder and the socket are theirs alone (0700, 0600), and the kernel is asked who
//! is at the other end (`SO_PEERCRED`, `unix(7)`). Sizes, times and the number of connections are bounded, and nobody who asks, or goes
//! away, holds up a run.
//!
//! A new word is one more [`Request`], and one more arm in `Door::answer`.

use super::desk::{Desk, Told};
use super::live::{Doing, Live, Run, Snapshot};
use super::{Decision, Event, Wish};
use serde::{Deserialize, Serialize};
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

/// The version of what is spoken here.
pub const VERSION: u32 = 1;
/// The socket's name in the state folder.
const NAME: &str = "socket";
/// `sockaddr_un` has room for so many bytes of a path, and for the zero behind them (`unix(7)`).
const PATH_AT_MOST: usize = 107;
/// A request is no longer than this.
const REQUEST_AT_MOST: u64 = 64 * 1024;
/// An answer is one line, and no longer than this.
const ANSWER_AT_MOST: u64 = 16 * 1024 * 1024;
/// A request comes within this time, and whoever asks takes each line within it.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many may ask at once; the others are turned away.
const AT_ONCE: u32 = 32;
/// Progress is told this often at most.
const PAUSE: Duration = Duration::from_millis(100);
/// When the service ends, whoever waits is told within this time, or hears it from the end of the connection.
const FAREWELL: Duration = Duration::from_millis(500);

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "lowercase")]
pub enum Request {
    /// What the service is at.
    Status,
    /// A run, its progress and its outcome.
    Sync(Wish),
    /// What somebody decided: what the run under way is, and what became of it.
    Decide(Decision),
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status {
        /// What the service is at.
        now: Box<Snapshot>,
        /// Whether the key of the sign-ins was handed to it by systemd.
        has_credential_key: bool,
    },
    /// How far the run has come.
    Progress {
        /// It is the run that was asked for, not one before it.
        mine: bool,
        /// The run; `None`: none is under way, because another process is at work.
        run: Option<Run>,
    },
    /// The run is over.
    Over(Over),
    /// What was decided is carried out, in words.
    Done(String),
    /// What was asked for is not done, or came to nothing.
    Refused {
        /// Why, and what to type.
        words: String,
        /// The exit code that says so.
        exit: i32,
    },
}

/// The outcome of a run, as `twofold sync` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// The exit code.
    pub exit: i32,
    /// The object of `sync --json`.
    pub report: serde_json::Value,
    /// The same for people.
    pub table: String,
    /// What stood in the way.
    pub troubles: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    twofold: u32,
    #[serde(flatten)]
    request: Request,
}

/// Something temporary stands in the way (exit code 75).
const TEMPORARY: i32 = 75;
/// What was asked makes no sense (exit code 2).
const USAGE: i32 = 2;

/// A path to a name in a folder that fits into a socket's address, however long the folder's own is.
struct Address {
    path: PathBuf,
    /// Held open for as long as the path leads through it.
    _folder: Option<File>,
}

impl Address {
    fn new(folder: &Path, name: &str) -> io::Result<Address> {
        let path = folder.join(name);
        if path.as_os_str().as_bytes().len() <= PATH_AT_MOST {
            return Ok(Address { path, _folder: None });
        }
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Address { path, _folder: Some(folder) })
    }
}

/// The socket, ready to be asked. It is gone from the folder when this is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket of a state folder. Only whoever holds the place of its one service may: what stands there is left by a service that
    /// was killed, and is replaced.
    pub fn bind(state_dir: &Path) -> io::Result<Socket> {
        let new = state_dir.join("socket.new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(Address::new(state_dir, "socket.new")?.path)?;
        // Nobody can ask before it is private: it has another name until then.
        std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        let path = state_dir.join(NAME);
        std::fs::rename(&new, &path)?;
        Ok(Socket { listener, path })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // One that stays is replaced by the next service, and nobody answers at it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The socket that stands in a state folder: where nobody answers at it, its service was killed or crashed, for one that ends takes it along.
pub fn left_behind(state_dir: &Path) -> Option<String> {
    Some(state_dir.join(NAME)).filter(|path| path.exists()).map(|path| path.display().to_string())
}

/// Who answers.
#[derive(Clone)]
pub struct Door {
    /// What the service is at.
    pub live: Arc<Live>,
    /// Who waits.
    pub desk: Arc<Desk>,
    /// The service hears of wishes here.
    pub events: UnboundedSender<Event>,
    /// Whether the key of the sign-ins was handed over by systemd.
    pub has_credential_key: bool,
    /// How it is started anew, for people.
    restart: String,
    /// A place for each who may ask at once.
    seats: Arc<Semaphore>,
}

impl Door {
    /// Of a service.
    pub fn new(
        live: Arc<Live>,
        desk: Arc<Desk>,
        events: UnboundedSender<Event>,
        has_credential_key: bool,
        restart: String,
    ) -> Door {
        Door { live, desk, events, has_credential_key, restart, seats: Arc::new(Semaphore::new(AT_ONCE as usize)) }
    }

    /// Answers whoever asks. Never comes back.
    pub async fn keep(self, socket: Socket) {
        loop {
            let stream = match socket.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("the socket cannot be asked just now: {error}");
                    tokio::time::sleep(PATIENCE).await;
                    continue;
                }
            };
            let Ok(seat) = self.seats.clone().try_acquire_owned() else {
                tracing::warn!("more than {AT_ONCE} ask at once; one was turned away");
                continue;
            };
            let door = self.clone();
            tokio::spawn(async move {
                if let Err(error) = door.receive(stream).await {
                    tracing::debug!("somebody who asked went away: {error}");
                }
                drop(seat);
            });
        }
    }

    /// The service ends: whoever waits hears it.
    pub async fn close(&self) {
        self.desk.close();
        // Those who do not listen are left.
        let _ = tokio::time::timeout(FAREWELL, self.seats.acquire_many(AT_ONCE)).await;
    }

    async fn receive(&self, stream: UnixStream) -> io::Result<()> {
        let (peer, me) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
        if !may_ask(peer, me) {
            tracing::warn!("user {peer} asked at the socket and was turned away");
            return Ok(());
        }
        let (reader, writer) = stream.into_split();
        let mut reader = BufReader::new(reader).take(REQUEST_AT_MOST);
        let mut writer = Writer(writer);
        let mut line = Vec::new();
        tokio::time::timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await.map_err(io::Error::other)??;
        match request(&line, &self.restart) {
            Ok(request) => self.answer(request, reader.into_inner(), writer).await,
            Err(words) => writer.say(&Answer::Refused { words, exit: USAGE }).await,
        }
    }

    async fn answer(&self, request: Request, reader: impl AsyncReadExt + Unpin, mut writer: Writer) -> io::Result<()> {
        let (id, told) = self.desk.sign_up();
        let (event, ends) = match request {
            Request::Status => {
                self.desk.leave(id);
                let now = Box::new(self.live.now());
                return writer.say(&Answer::Status { now, has_credential_key: self.has_credential_key }).await;
            }
            Request::Sync(wish) => (Event::Asked { id, wish }, ENDS),
            Request::Decide(decision) => (Event::Decided { id, decision }, UNDECIDED),
        };
        // Nobody listens any more: the service ends, and so does what is told.
        let _ = self.events.send(event);
        let done = self.follow(told, reader, writer, ends).await;
        self.desk.leave(id);
        done
    }

    /// Tells how the run goes on, until what was asked for is done or whoever asked goes away; `ends`: what is said when the service ends before.
    async fn follow(
        &self,
        mut told: UnboundedReceiver<Told>,
        mut reader: impl AsyncReadExt + Unpin,
        mut writer: Writer,
        ends: &str,
    ) -> io::Result<()> {
        let mut changes = self.live.changes();
        changes.mark_changed();
        let (mut mine, mut said, mut more) = (false, None, [0; 1]);
        let mut not_before = Instant::now();
        loop {
            let change = async {
                tokio::time::sleep_until(not_before).await;
                changes.changed().await
            };
            tokio::select! {
                biased;
                news = told.recv() => match news {
                    Some(Told::Began) => {
                        mine = true;
                        changes.mark_changed();
                    }
                    Some(Told::PutOff) => mine = false,
                    Some(Told::Over(over)) => return writer.say(&Answer::Over(over)).await,
                    Some(Told::Decided(words)) => return writer.say(&Answer::Done(words)).await,
                    Some(Told::Failed { words, exit }) => return writer.say(&Answer::Refused { words, exit }).await,
                    None => {
                        let words = ends.to_owned();
                        return writer.say(&Answer::Refused { words, exit: TEMPORARY }).await;
                    }
                },
                // One request a connection: whatever else comes is its end.
                _ = reader.read(&mut more) => return Ok(()),
                changed = change => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let now = changes.borrow_and_update().clone();
                    let progress = Answer::Progress { mine, run: now.run };
                    if said.as_ref() != Some(&progress) && now.state != Doing::Stopping {
                        writer.say(&progress).await?;
                        said = Some(progress);
                    }
                    not_before = Instant::now() + PAUSE;
                }
            }
        }
    }
}

/// What somebody hears who waits for a run that is not begun, or not over, when the service ends.
const ENDS: &str =
    "the service ended before this run was over; what was done is kept, and the next run goes on. Type: twofold sync";

/// What somebody hears whose decision is not carried out when the service ends.
pub const UNDECIDED: &str =
    "the service ended before it came to this; nothing was done, and what is held stays held. See: twofold held";

/// The user of the service, and root.
fn may_ask(peer: u32, me: u32) -> bool {
    peer == me || peer == 0
}

/// How a refusal of what is no request begins, also of a word that only a later version knows.
pub const NO_REQUEST: &str = "this is no request";

/// Reads a request; what is wrong with it, in words.
fn request(line: &[u8], restart: &str) -> Result<Request, String> {
    let version = |value: &serde_json::Value| value.get("twofold").and_then(serde_json::Value::as_u64);
    let value: serde_json::Value = match line {
        [line @ .., b'\n'] => serde_json::from_slice(line).map_err(|error| format!("{NO_REQUEST}: {error}"))?,
        _ => return Err(format!("{NO_REQUEST}: no line of {REQUEST_AT_MOST} bytes at most")),
    };
    match version(&value) {
        Some(version) if version == u64::from(VERSION) => {}
        _ => {
            return Err(format!(
                "the service is of another version of twofold; nothing was done. To start it anew, {restart}"
            ));
        }
    }
    let envelope: Envelope = serde_json::from_value(value).map_err(|error| format!("{NO_REQUEST}: {error}"))?;
    Ok(envelope.request)
}

/// Writes lines.
struct Writer(tokio::net::unix::OwnedWriteHalf);

impl Writer {
    async fn say(&mut self, answer: &Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        tokio::time::timeout(PATIENCE, self.0.write_all(&line)).await.map_err(io::Error::other)?
    }
}

/// A conversation with a running service.
pub struct Conversation {
    reader: BufReader<tokio::net::unix::OwnedReadHalf>,
    /// Closed, it says that nobody waits any more.
    _writer: tokio::net::unix::OwnedWriteHalf,
}

impl Conversation {
    /// Asks the service of a state folder; `None`: none is running.
    pub async fn begin(state_dir: &Path, request: Request) -> io::Result<Option<Conversation>> {
        let address = Address::new(state_dir, NAME)?;
        let stream = match UnixStream::connect(&address.path).await {
            Ok(stream) => stream,
            // What a killed service left behind answers nobody.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let (reader, mut writer) = stream.into_split();
        let mut line = serde_json::to_vec(&Envelope { twofold: VERSION, request })?;
        line.push(b'\n');
        tokio::time::timeout(PATIENCE, writer.write_all(&line)).await.map_err(io::Error::other)??;
        Ok(Some(Conversation { reader: BufReader::new(reader), _writer: writer }))
    }

    /// The next line of the answer; `None`: the service ended, or has said all.
    pub async fn next(&mut self) -> io::Result<Option<Answer>> {
        let mut line = Vec::new();
        (&mut self.reader).take(ANSWER_AT_MOST).read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        serde_json::from_slice(&line).map(Some).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_this_version_with_a_known_word_and_nothing_else() {
        let read = |text: &str| request(text.as_bytes(), "twofold@ada");
        assert_eq!(read("{\"twofold\":1,\"word\":\"status\"}\n"), Ok(Request::Status));
        let wish = Wish { kinds: vec![twofold_model::Kind::Mail], full_check: true, ..Wish::default() };
        let text = "{\"twofold\":1,\"word\":\"sync\",\"kinds\":[\"mail\"],\"full_check\":true}\n";
        assert_eq!(read(text), Ok(Request::Sync(wish)));
        let text = "{\"twofold\":1,\"word\":\"decide\",\"decision\":\"drop\",\"ids\":[\"3f1c\"]}\n";
        assert_eq!(read(text), Ok(Request::Decide(Decision::Drop { ids: vec!["3f1c".to_owned()] })));
        for (text, says) in [
            ("{\"twofold\":2,\"word\":\"status\"}\n", "nothing was done. To start it anew, twofold@ada"),
            ("{\"word\":\"status\"}\n", "another version"),
            ("{\"twofold\":1,\"word\":\"dance\"}\n", "`status`"),
            ("{\"twofold\":1,\"word\":\"status\"}", "no line"),
            ("{\"twofold\":1,\"word\":\"sync\",\"dry_run\":true}\n", "dry_run"),
            ("hello\n", "no request"),
            ("{\"twofold\":1,\"word\":\"sync\",\"kinds\":[\"notes\"]}\n", "notes"),
            ("", "no line"),
        ] {
            let words = read(text).unwrap_err();
            assert!(words.contains(says), "{text:?}: {words}");
        }
    }

    #[test]
    fn only_the_user_of_the_service_and_root_may_ask() {
        assert!(may_ask(1000, 1000) && may_ask(0, 1000) && may_ask(0, 0));
        assert!(!may_ask(1001, 1000) && !may_ask(1000, 0));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_led_to_through_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a".repeat(90)).join("b".repeat(90));
        std::fs::create_dir_all(&deep).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            assert!(Conversation::begin(&deep, Request::Status).await.unwrap().is_none(), "nobody is there");
            std::fs::write(deep.join(NAME), "left behind").unwrap();
            let socket = Socket::bind(&deep).unwrap();
            let mode = std::fs::metadata(deep.join(NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let (events, _told) = tokio::sync::mpsc::unbounded_channel();
            let door = Door::new(Arc::new(Live::new(7)), Arc::default(), events, true, "twofold@ada".to_owned());
            let kept = tokio::spawn(door.keep(socket));
            let mut talk = Conversation::begin(&deep, Request::Status).await.unwrap().unwrap();
            match talk.next().await.unwrap() {
                Some(Answer::Status { now, has_credential_key: true }) => assert_eq!(now.since_ms, 7),
                other => panic!("{other:?}"),
            }
            assert_eq!(talk.next().await.unwrap(), None);
            kept.abort();
            assert!(kept.await.unwrap_err().is_cancelled());
        });
        assert!(!deep.join(NAME).exists(), "it goes with the service");
    }
}
