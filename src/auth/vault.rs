//! Where sign-ins are kept: `vault.json` in the state directory, 0600, one entry per provider.
//!
//! The tokens in it are sealed; who signed in, what was granted and when things end stands beside them in plain, so that
//! `status` needs no key. A new version replaces the file whole (written beside, fsync, rename, fsync of the directory), and
//! only while `vault.lock` is held, so that no two processes refresh or sign in at once. Reading needs no lock.
//!
//! Invariant: a secret is never in plain on the disk, and a refresh token that was received is on the disk before anybody
//! gets the access token that came with it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use twofold_model::{Error, ErrorKind, Result};

use crate::account::Account;
use crate::cause::Cause;
use crate::exchange::TIMEOUT_MS;
use crate::key::{KEY_FILE, Key, cannot, check_private, read_private, sync_directory, write_private};
use crate::provider::{Provider, ProviderName};

const FORMAT: u32 = 1;
const FILE: &str = "vault.json";
const NEW_FILE: &str = "vault.json.new";
const LOCK_FILE: &str = "vault.lock";
const CHECK: &str = "twofold";

/// The sign-ins of one state directory.
#[derive(Clone)]
pub struct Vault {
    state_dir: PathBuf,
    credentials_dir: Option<PathBuf>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.state_dir.display())
    }
}

/// Whether a sign-in works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    /// As far as is known, yes.
    Ok,
    /// No, until somebody types the login command.
    SignInNeeded {
        /// Why.
        cause: Cause,
        /// Since when, in milliseconds since 1970.
        since_ms: u64,
        /// When it was last tried all the same (causes that an administrator may mend).
        #[serde(default)]
        tried_ms: u64,
        /// What the provider wants to be asked for at the next sign-in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claims: Option<String>,
    },
}

/// One provider's sign-in as it stands in the file. Without `Debug`: the sealed texts have no business in a log.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub account: Account,
    pub client_id: String,
    pub asked: Vec<String>,
    pub granted: Vec<String>,
    pub signed_in_ms: u64,
    /// Counts the tokens that this entry has held; whoever kept something aside sees by it whether it still fits.
    pub generation: u64,
    pub obtained_ms: u64,
    pub expires_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_ms: Option<u64>,
    /// The token endpoint asked for a pause until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_until_ms: Option<u64>,
    pub state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_refresh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed_access: Option<String>,
}

/// The two secrets of a sign-in.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
}

/// The whole file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Book {
    format: u32,
    /// A known word, sealed: tells a wrong key from a damaged entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<String>,
    #[serde(default)]
    pub providers: BTreeMap<ProviderName, Entry>,
}

impl Entry {
    /// An entry that holds no tokens yet.
    pub fn new(account: Account, client_id: String, asked: Vec<String>, granted: Vec<String>, now_ms: u64) -> Entry {
        Entry {
            account,
            client_id,
            asked,
            granted,
            signed_in_ms: now_ms,
            generation: 0,
            obtained_ms: now_ms,
            expires_ms: now_ms,
            refresh_expires_ms: None,
            wait_until_ms: None,
            state: State::Ok,
            sealed_refresh: None,
            sealed_access: None,
        }
    }

    /// Puts new tokens in.
    pub fn seal(&mut self, name: ProviderName, key: &Key, tokens: &Tokens) -> Result<()> {
        let (refresh, access) = (tokens.refresh.expose_secret(), tokens.access.expose_secret());
        self.sealed_refresh = Some(key.seal(refresh.as_bytes(), &self.about(name, "refresh"))?);
        self.sealed_access = Some(key.seal(access.as_bytes(), &self.about(name, "access"))?);
        self.generation += 1;
        Ok(())
    }

    /// The tokens; `None` after a sign-out, `Damaged` when they do not open.
    pub fn open(&self, name: ProviderName, key: &Key) -> Result<Option<Tokens>> {
        let (Some(refresh), Some(access)) = (&self.sealed_refresh, &self.sealed_access) else { return Ok(None) };
        let open = |sealed: &str, purpose: &str| {
            let bytes = key.open(sealed, &self.about(name, purpose)).ok_or_else(|| Cause::Damaged.error(name))?;
            let text = std::str::from_utf8(&bytes).map_err(|_| Cause::Damaged.error(name))?;
            Ok::<_, Error>(SecretString::from(text))
        };
        Ok(Some(Tokens { refresh: open(refresh, "refresh")?, access: open(access, "access")? }))
    }

    /// Whether there is anything that only its key opens.
    fn is_sealed(&self) -> bool {
        self.sealed_refresh.is_some() || self.sealed_access.is_some()
    }

    /// Forgets the tokens.
    pub fn wipe(&mut self) {
        (self.sealed_refresh, self.sealed_access) = (None, None);
        self.generation += 1;
    }

    /// The words that are bound to a sealed token.
    fn about<'a>(&'a self, name: ProviderName, purpose: &'a str) -> [&'a str; 5] {
        ["1", name.as_str(), &self.account.id, &self.client_id, purpose]
    }
}

/// What is known of a sign-in, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which provider.
    pub provider: ProviderName,
    /// Whether it works.
    pub state: State,
    /// Who signed in; kept after a sign-out.
    pub account: Option<Account>,
    /// The application it belongs to.
    pub client_id: Option<String>,
    /// The scopes granted.
    pub granted: Vec<String>,
    /// When somebody signed in, in milliseconds since 1970.
    pub signed_in_ms: Option<u64>,
    /// When the access token at hand was received.
    pub refreshed_ms: Option<u64>,
    /// When the access token at hand ends.
    pub access_expires_ms: Option<u64>,
    /// When the sign-in itself ends, where the provider said so (Google, limited grants).
    pub refresh_expires_ms: Option<u64>,
    /// The token endpoint asked for a pause until then.
    pub wait_until_ms: Option<u64>,
}

impl Status {
    /// Why a sign-in is needed; `None`: none is.
    pub fn cause(&self) -> Option<Cause> {
        match self.state {
            State::Ok => None,
            State::SignInNeeded { cause, .. } => Some(cause),
        }
    }

    /// The sentence and the command for a person; `None`, if the sign-in works.
    pub fn advice(&self) -> Option<String> {
        self.cause().map(|cause| cause.error(self.provider).message)
    }

    /// The same in the light of the configuration: a sign-in of another application does not work.
    pub fn seen_with(mut self, provider: &Provider) -> Status {
        if self.state == State::Ok && self.client_id.as_ref().is_some_and(|id| *id != provider.client_id) {
            let (cause, since_ms) = (Cause::ClientChanged, self.signed_in_ms.unwrap_or(0));
            self.state = State::SignInNeeded { cause, since_ms, tried_ms: 0, claims: None };
        }
        self
    }

    /// What the configured kinds need and was not granted.
    pub fn missing_scopes(&self, provider: &Provider) -> Vec<crate::MissingScope> {
        provider.missing_scopes(&self.granted)
    }
}

/// What an earlier sign-in leaves for the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The address to suggest.
    pub address: Option<String>,
    /// What the provider wants to be asked for.
    pub claims: Option<String>,
}

/// The lock on the vault. Ends when dropped, also when the process dies.
pub(crate) struct Lock {
    _file: File,
}

/// Marks one version of the file: it changes with every replacement.
pub(crate) type Mark = Option<(u64, i64, i64, u64)>;

impl Vault {
    /// The vault of a state directory, with the key that systemd handed over, if any.
    pub fn open(state_dir: impl Into<PathBuf>) -> Result<Vault> {
        let vault = Vault::unseen(state_dir);
        vault.check()?;
        Ok(vault)
    }

    /// The same without a look at it, for who waits until it is well.
    pub fn unseen(state_dir: impl Into<PathBuf>) -> Vault {
        let credentials_dir = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        Vault { state_dir: state_dir.into(), credentials_dir }
    }

    /// The same, with the directory of systemd's credentials named.
    pub fn with_credentials(state_dir: impl Into<PathBuf>, credentials_dir: Option<PathBuf>) -> Result<Vault> {
        let vault = Vault { state_dir: state_dir.into(), credentials_dir };
        vault.check()?;
        Ok(vault)
    }

    /// Refuses a directory, vault or key that other users may read, with the `chmod` to type; and a vault that cannot be read.
    pub fn check(&self) -> Result<()> {
        self.read()?;
        Key::from_state(&self.state_dir).map(drop)
    }

    /// Where the sign-ins are kept.
    pub fn path(&self) -> PathBuf {
        self.state_dir.join(FILE)
    }

    /// What is known of a provider's sign-in.
    pub fn status(&self, name: ProviderName) -> Result<Status> {
        let book = self.read()?;
        let Some(entry) = book.providers.get(&name) else {
            let state = State::SignInNeeded { cause: Cause::NeverSignedIn, since_ms: 0, tried_ms: 0, claims: None };
            return Ok(Status {
                provider: name,
                state,
                account: None,
                client_id: None,
                granted: Vec::new(),
                signed_in_ms: None,
                refreshed_ms: None,
                access_expires_ms: None,
                refresh_expires_ms: None,
                wait_until_ms: None,
            });
        };
        let has_tokens = entry.sealed_access.is_some();
        Ok(Status {
            provider: name,
            state: entry.state.clone(),
            account: Some(entry.account.clone()),
            client_id: Some(entry.client_id.clone()),
            granted: entry.granted.clone(),
            signed_in_ms: Some(entry.signed_in_ms),
            refreshed_ms: has_tokens.then_some(entry.obtained_ms),
            access_expires_ms: has_tokens.then_some(entry.expires_ms),
            refresh_expires_ms: entry.refresh_expires_ms,
            wait_until_ms: entry.wait_until_ms,
        })
    }

    /// Whether what is stored opens with the key at hand; for `doctor`.
    pub fn check_opens(&self, name: ProviderName) -> Result<()> {
        let book = self.read()?;
        match book.providers.get(&name) {
            Some(entry) => entry.open(name, &self.key(&book)?).map(drop),
            None => Ok(()),
        }
    }

    /// Whether systemd handed over a key.
    pub fn has_credential_key(&self) -> bool {
        self.credentials_dir.as_ref().is_some_and(|directory| directory.join(KEY_FILE).exists())
    }

    /// Whether the key at hand opens the vault; `None`: nothing is sealed in it, so any key would do.
    pub fn opens(&self) -> Result<Option<bool>> {
        let book = self.read()?;
        Ok(book.check().is_some().then(|| self.key(&book).is_ok()))
    }

    /// What the last sign-in leaves for the next one.
    pub fn hint(&self, name: ProviderName) -> Result<Hint> {
        let book = self.read()?;
        let Some(entry) = book.providers.get(&name) else { return Ok(Hint::default()) };
        let claims = match &entry.state {
            State::SignInNeeded { claims, .. } => claims.clone(),
            State::Ok => None,
        };
        Ok(Hint { address: entry.account.address.clone(), claims })
    }

    /// Forgets a provider's sign-in and its account, so that another account may sign in.
    pub async fn forget(&self, name: ProviderName) -> Result<()> {
        let lock = self.lock().await?;
        let mut book = self.read()?;
        if book.providers.remove(&name).is_some() {
            self.write(&lock, &book)?;
        }
        Ok(())
    }

    /// The file as it is; an empty one, if there is none.
    pub(crate) fn read(&self) -> Result<Book> {
        match fs::metadata(&self.state_dir) {
            Ok(metadata) => check_private(&self.state_dir, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::new()),
            Err(error) => return Err(cannot("read", &self.state_dir, &error)),
        }
        let path = self.path();
        let Some(bytes) = read_private(&path)? else { return Ok(Book::new()) };
        let unreadable = |why: &str| {
            let words = format!("{} {why}: move it away and sign in again (no item is lost by that)", path.display());
            Error::new(ErrorKind::Misconfigured, words)
        };
        let format = serde_json::from_slice::<Format>(&bytes).map_err(|_| unreadable("is damaged"))?.format;
        if format > FORMAT {
            return Err(unreadable("was written by a newer twofold; use that one, or"));
        }
        serde_json::from_slice(&bytes).map_err(|_| unreadable("is damaged"))
    }

    /// Replaces the file. The lock is the proof that nobody else does.
    pub(crate) fn write(&self, _lock: &Lock, book: &Book) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(book)
            .map_err(|error| Error::new(ErrorKind::Broken, format!("the vault cannot be written: {error}")))?;
        let new = self.state_dir.join(NEW_FILE);
        write_private(&new, &bytes)?;
        fs::rename(&new, self.path()).map_err(|error| cannot("write", &self.path(), &error))?;
        sync_directory(&self.state_dir)
    }

    /// The key that the vault was made with; it has to exist.
    pub(crate) fn key(&self, book: &Book) -> Result<Key> {
        let keys = self.keys()?;
        let Some(check) = book.check() else {
            return keys.into_iter().next().ok_or_else(|| self.no_key(&[]));
        };
        let (fitting, others): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| key.open(check, &[CHECK]).is_some());
        fitting.into_iter().next().ok_or_else(|| self.no_key(&others))
    }

    /// The key to seal with: the vault's own, or, for a vault that holds nothing yet, the one at hand, or a new one.
    pub(crate) fn key_for_sealing(&self, book: &mut Book) -> Result<Key> {
        if book.check().is_some() {
            return self.key(book);
        }
        let key = match self.keys()?.into_iter().next() {
            Some(key) => key,
            None => Key::make(&self.state_dir)?,
        };
        book.check = Some(key.seal(CHECK.as_bytes(), &[CHECK])?);
        Ok(key)
    }

    /// The keys at hand, systemd's first.
    fn keys(&self) -> Result<Vec<Key>> {
        let handed_over = match &self.credentials_dir {
            Some(directory) => Key::from_credentials(directory)?,
            None => None,
        };
        Ok(handed_over.into_iter().chain(Key::from_state(&self.state_dir)?).collect())
    }

    fn no_key(&self, tried: &[Key]) -> Error {
        let vault = self.path();
        let vault = vault.display();
        let own = self.state_dir.join(KEY_FILE);
        let why = match tried {
            [] => format!(
                "the key of {vault} is missing: neither $CREDENTIALS_DIRECTORY/{} nor {} is there",
                KEY_FILE,
                own.display()
            ),
            tried => {
                let origins: Vec<String> = tried.iter().map(|key| key.origin.display().to_string()).collect();
                format!("{vault} was sealed with another key than {}", origins.join(" and "))
            }
        };
        // Where systemd hands over no key, this may be a shell beside a service that has it: nothing is lost then.
        let is_handed_over =
            self.credentials_dir.as_ref().is_some_and(|folder| tried.iter().any(|key| key.origin.starts_with(folder)));
        let todo = match is_handed_over {
            true => format!(
                "Hand over the right key; where it is lost, type: sudo mv '{vault}' '{vault}.other-key' (no item is lost by that), and sign in \
                 again at each provider, which begins with: twofold login"
            ),
            false => "Whose the key is and what to do says: twofold doctor".to_owned(),
        };
        Error::new(ErrorKind::Misconfigured, format!("{why}. {todo}"))
    }

    /// Waits until nobody else, here or in another process, works on the vault.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        self.make_state_dir()?;
        let path = self.state_dir.join(LOCK_FILE);
        let options = || fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = options().map_err(|error| cannot("open", &path, &error))?;
        // Whoever holds it makes one or two requests.
        let tries = 3 * TIMEOUT_MS / LOCK_PAUSE_MS;
        for _ in 0..tries {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(cannot("lock", &path, &error.into())),
            }
            // The machine's own time, not the clock's: another process is waited for.
            tokio::time::sleep(Duration::from_millis(LOCK_PAUSE_MS)).await;
        }
        let words = format!("another twofold has held {} for more than two minutes", path.display());
        Err(Error::new(ErrorKind::Offline, words))
    }

    fn make_state_dir(&self) -> Result<()> {
        match fs::metadata(&self.state_dir) {
            Ok(metadata) => check_private(&self.state_dir, &metadata),
            Err(_) => {
                let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.state_dir);
                made.map_err(|error| cannot("make", &self.state_dir, &error))
            }
        }
    }

    /// The mark of the file as it is now.
    pub(crate) fn mark(&self) -> Mark {
        let metadata = fs::metadata(self.path()).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
    }

    /// The directory that holds the vault.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }
}

const LOCK_PAUSE_MS: u64 = 40;

impl Book {
    fn new() -> Book {
        Book { format: FORMAT, check: None, providers: BTreeMap::new() }
    }

    /// What only the key of the vault opens; `None` where nothing is sealed (everybody signed out), and any key would do.
    fn check(&self) -> Option<&String> {
        self.check.as_ref().filter(|_| self.providers.values().any(Entry::is_sealed))
    }
}

/// Only the format's number, to say something sensible about a newer file.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn private_dir() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
    }

    fn vault(dir: &tempfile::TempDir) -> Vault {
        Vault::with_credentials(dir.path(), None).unwrap()
    }

    fn tokens() -> Tokens {
        Tokens { access: "ACCESS-SECRET".into(), refresh: "REFRESH-SECRET".into() }
    }

    async fn store(vault: &Vault, name: ProviderName, account: &str) {
        let lock = vault.lock().await.unwrap();
        let mut book = vault.read().unwrap();
        let key = vault.key_for_sealing(&mut book).unwrap();
        let account = Account { id: account.into(), address: None, name: None };
        let mut entry = Entry::new(account, "app".into(), vec![], vec![], 1);
        entry.seal(name, &key, &tokens()).unwrap();
        book.providers.insert(name, entry);
        vault.write(&lock, &book).unwrap();
    }

    fn open(vault: &Vault, name: ProviderName) -> Result<Option<Tokens>> {
        let book = vault.read()?;
        book.providers[&name].open(name, &vault.key(&book)?)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn tokens_come_back_and_stand_nowhere_in_plain() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        let opened = open(&vault, ProviderName::Google).unwrap().unwrap();
        assert_eq!(opened.refresh.expose_secret(), "REFRESH-SECRET");
        assert_eq!(opened.access.expose_secret(), "ACCESS-SECRET");
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let content = fs::read(&path).unwrap();
            assert!(!content.windows(6).any(|part| part == b"SECRET"), "{}", path.display());
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        assert!(!dir.path().join(NEW_FILE).exists());
        assert!(!format!("{vault:?} {opened:?} {:?}", vault.status(ProviderName::Google)).contains("SECRET"));
    }

    #[tokio::test]
    async fn what_others_may_read_is_refused_with_the_chmod_to_type() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        for (path, open_mode, closed_mode, command) in [
            (dir.path().to_owned(), 0o755, 0o700, format!("`chmod 700 {}`", dir.path().display())),
            (dir.path().to_owned(), 0o770, 0o700, format!("`chmod 700 {}`", dir.path().display())),
            (vault.path(), 0o640, 0o600, format!("`chmod 600 {}`", vault.path().display())),
            (dir.path().join("twofold.key"), 0o604, 0o600, format!("`chmod 600 {}/twofold.key`", dir.path().display())),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open_mode)).unwrap();
            let error = Vault::with_credentials(dir.path(), None).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Misconfigured);
            assert!(error.message.ends_with(&command), "{}", error.message);
            assert!(open(&vault, ProviderName::Google).is_err());
            fs::set_permissions(&path, fs::Permissions::from_mode(closed_mode)).unwrap();
        }
        assert!(open(&vault, ProviderName::Google).is_ok());
    }

    #[tokio::test]
    async fn a_vault_that_nobody_is_signed_in_with_any_more_takes_another_key() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        store(&vault, ProviderName::Microsoft365, "ada").await;
        let credentials = private_dir();
        write_private(&credentials.path().join("twofold.key"), &[9; 32]).unwrap();
        fs::remove_file(dir.path().join("twofold.key")).unwrap();
        let sealed = Vault::with_credentials(dir.path(), Some(credentials.path().into())).unwrap();
        for (name, opens) in [(ProviderName::Google, Some(false)), (ProviderName::Microsoft365, None)] {
            let lock = vault.lock().await.unwrap();
            let mut book = vault.read().unwrap();
            book.providers.get_mut(&name).unwrap().wipe();
            vault.write(&lock, &book).unwrap();
            assert_eq!(sealed.opens().unwrap(), opens, "{name}");
        }
        store(&sealed, ProviderName::Google, "ada").await;
        assert!(open(&sealed, ProviderName::Google).is_ok());
        assert_eq!(vault.opens().unwrap(), Some(false), "it is the new key's");
    }

    #[tokio::test]
    async fn a_wrong_or_missing_key_is_said_and_nothing_is_overwritten() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        let before = fs::read(vault.path()).unwrap();
        let key = dir.path().join("twofold.key");
        let right = fs::read(&key).unwrap();

        write_private(&key, &[9; 32]).unwrap();
        let error = open(&vault, ProviderName::Google).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.message.contains("sealed with another key"), "{}", error.message);
        assert!(
            vault.key_for_sealing(&mut vault.read().unwrap()).is_err(),
            "a login does not seal beside it with another key"
        );

        fs::remove_file(&key).unwrap();
        assert!(open(&vault, ProviderName::Google).unwrap_err().message.contains("is missing"));
        assert!(vault.key_for_sealing(&mut vault.read().unwrap()).is_err());
        assert!(!key.exists(), "no new key is made for an old vault");
        assert_eq!(fs::read(vault.path()).unwrap(), before);

        write_private(&key, &right).unwrap();
        assert!(open(&vault, ProviderName::Google).is_ok());
    }

    #[tokio::test]
    async fn systemds_key_comes_first_and_the_login_key_still_opens_an_old_vault() {
        let (dir, credentials) = (private_dir(), private_dir());
        let alone = vault(&dir);
        store(&alone, ProviderName::Google, "ada").await;
        fs::write(credentials.path().join("twofold.key"), [5u8; 32]).unwrap();
        let both = Vault::with_credentials(dir.path(), Some(credentials.path().into())).unwrap();
        assert!(open(&both, ProviderName::Google).is_ok(), "sealed before systemd had a key");

        let other = private_dir();
        let with_credential = Vault::with_credentials(other.path(), Some(credentials.path().into())).unwrap();
        store(&with_credential, ProviderName::Google, "ada").await;
        assert!(!other.path().join("twofold.key").exists(), "no second key is made");
        assert!(open(&with_credential, ProviderName::Google).is_ok());
        assert!(open(&vault(&other), ProviderName::Google).is_err());
    }

    #[tokio::test]
    async fn a_tampered_entry_is_a_dead_sign_in_and_the_others_live() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        store(&vault, ProviderName::Microsoft365, "ada").await;
        let text = fs::read_to_string(vault.path()).unwrap();
        type Change = (&'static str, fn(&mut Book));
        let changes: [Change; 3] = [
            ("another account", |book| {
                book.providers.get_mut(&ProviderName::Google).unwrap().account.id = "eve".into()
            }),
            ("another application", |book| {
                book.providers.get_mut(&ProviderName::Google).unwrap().client_id = "eve".into()
            }),
            ("the other provider's token", |book| {
                let theirs = book.providers[&ProviderName::Microsoft365].sealed_refresh.clone();
                book.providers.get_mut(&ProviderName::Google).unwrap().sealed_refresh = theirs;
            }),
        ];
        for (what, change) in changes {
            let mut book: Book = serde_json::from_str(&text).unwrap();
            change(&mut book);
            vault.write(&vault.lock().await.unwrap(), &book).unwrap();
            let error = open(&vault, ProviderName::Google).unwrap_err();
            assert_eq!(error.kind, ErrorKind::SignInNeeded, "{what}");
            assert!(error.message.contains("damaged"), "{what}: {}", error.message);
            assert!(open(&vault, ProviderName::Microsoft365).is_ok(), "{what}");
        }
    }

    #[test]
    fn a_vault_that_cannot_be_read_is_left_as_it_is() {
        let dir = private_dir();
        for (content, words) in
            [("{", "is damaged"), ("{\"format\":1,\"providers\":7}", "is damaged"), ("{\"format\":2}", "newer twofold")]
        {
            write_private(&dir.path().join(FILE), content.as_bytes()).unwrap();
            let error = Vault::with_credentials(dir.path(), None).unwrap_err();
            assert!(error.message.contains(words), "{}", error.message);
            assert_eq!(fs::read_to_string(dir.path().join(FILE)).unwrap(), content);
        }
    }

    #[tokio::test]
    async fn a_missing_state_directory_is_made_for_its_owner_alone() {
        let dir = private_dir();
        let inner = dir.path().join("state/twofold");
        let vault = Vault::with_credentials(&inner, None).unwrap();
        assert_eq!(vault.status(ProviderName::Google).unwrap().cause(), Some(Cause::NeverSignedIn));
        assert!(!inner.exists(), "looking makes nothing");
        store(&vault, ProviderName::Google, "ada").await;
        assert_eq!(mode(&inner), 0o700);
    }

    #[tokio::test]
    async fn the_lock_keeps_others_out_until_it_is_dropped() {
        let dir = private_dir();
        let vault = vault(&dir);
        let held = vault.lock().await.unwrap();
        let waiting = tokio::spawn({
            let vault = vault.clone();
            async move { vault.lock().await.map(drop) }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished());
        drop(held);
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn forgetting_one_provider_leaves_the_other() {
        let dir = private_dir();
        let vault = vault(&dir);
        store(&vault, ProviderName::Google, "ada").await;
        store(&vault, ProviderName::Microsoft365, "ada").await;
        vault.forget(ProviderName::Google).await.unwrap();
        assert_eq!(vault.status(ProviderName::Google).unwrap().account, None);
        assert!(open(&vault, ProviderName::Microsoft365).is_ok());
    }
}
