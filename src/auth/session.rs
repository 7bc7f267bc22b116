//! Access tokens for the connectors: from memory while they are young, from the vault when another process was faster, from
//! the provider when four fifths of a token's life are over or a token was refused.
//!
//! A refresh runs as a task of its own, so that a caller who gives up does not cut it between the provider's answer and the
//! disk. It holds the session's gate and the vault's lock, looks again whether somebody else was faster, asks, stores, and
//! only then hands out the new token. What was received and could not be stored is kept and stored at the next call.
//!
//! A session is that of one account: where somebody else signs in meanwhile, it gives out no token any more.

use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, OnceLock, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use twofold_http::{Clock, TokenSource, Transport};
use twofold_model::{Error, ErrorKind, Result};

use crate::account::Account;
use crate::cause::{Cause, Known, Verdict};
use crate::oauth::{Fresh, TokenError, refresh};
use crate::provider::Provider;
use crate::vault::{Book, Entry, Lock, Mark, State, Status, Tokens, Vault};

/// After a failed refresh with the old token still alive, the next try waits that long.
const RETRY_AFTER_MS: u64 = 30_000;
/// No pause is believed beyond that: it may have been noted by a clock that went wrong.
const MOST_WAIT_MS: u64 = 60 * 60 * 1000;
/// A sign-in that an administrator may have mended is tried that often.
const HEALING_MS: u64 = 60 * 60 * 1000;
/// A token refused so soon after it was made because of a refusal will not get better by another.
const REFUSED_FRESH_MS: u64 = 60_000;

/// The sign-in of one provider, as the connectors use it. Clones share everything.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({}, {:?})", self.inner.provider.name, self.inner.vault)
    }
}

struct Inner {
    provider: Provider,
    vault: Vault,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    /// Whose sign-in this is: that of its first reading.
    account: OnceLock<Account>,
    /// The token at hand.
    held: SyncMutex<Option<Held>>,
    /// Held while refreshing.
    gate: Mutex<Unsaved>,
}

/// An access token in memory.
#[derive(Clone)]
struct Held {
    access: SecretString,
    obtained_ms: u64,
    expires_ms: u64,
    /// Until then it is used although it is old: the last refresh failed for the moment.
    bridged_until_ms: u64,
    /// Whether it was made because another was refused.
    follows_refusal: bool,
    /// The vault's file that it was read from or written to.
    mark: Mark,
}

/// Tokens that were received and not stored.
type Unsaved = Option<(u64, Entry, Tokens)>;

impl Held {
    /// Less than four fifths of its life are over. A clock that was set back makes it old.
    fn is_young(&self, now_ms: u64) -> bool {
        let life_ms = self.expires_ms.saturating_sub(self.obtained_ms);
        now_ms.checked_sub(self.obtained_ms).is_some_and(|age_ms| age_ms < life_ms / 5 * 4)
    }

    /// The provider should still take it; a twentieth of its life, 10 s at most, is left for the way there.
    fn is_alive(&self, now_ms: u64) -> bool {
        let life_ms = self.expires_ms.saturating_sub(self.obtained_ms);
        now_ms.checked_sub(self.obtained_ms).is_some_and(|age_ms| age_ms + (life_ms / 20).min(10_000) < life_ms)
    }

    fn is_usable(&self, now_ms: u64) -> bool {
        self.is_young(now_ms) || (self.is_alive(now_ms) && now_ms < self.bridged_until_ms)
    }
}

impl Session {
    /// The session of a provider. Nothing is read yet.
    pub fn new(provider: Provider, vault: Vault, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Session {
        let (held, gate) = (SyncMutex::new(None), Mutex::new(None));
        Session { inner: Arc::new(Inner { provider, vault, transport, clock, account: OnceLock::new(), held, gate }) }
    }

    /// Which provider.
    pub fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    /// What is known of the sign-in.
    pub fn status(&self) -> Result<Status> {
        let status = self.inner.vault.status(self.inner.provider.name)?.seen_with(&self.inner.provider);
        if let Some(account) = &status.account {
            self.inner.account.get_or_init(|| account.clone());
        }
        Ok(status)
    }

    /// Gets a token, in a task of its own.
    async fn fetch(&self, refused: Option<SecretString>) -> Result<String> {
        let inner = self.inner.clone();
        let task = tokio::spawn(async move { inner.fetch(refused).await });
        match task.await {
            Ok(token) => token.map(|token| token.expose_secret().to_owned()),
            Err(_) => Err(Error::new(ErrorKind::Offline, "the refresh of the sign-in was cut off")),
        }
    }
}

#[async_trait]
impl TokenSource for Session {
    async fn token(&self) -> Result<String> {
        match self.inner.held_now() {
            Some(token) => Ok(token),
            None => self.fetch(None).await,
        }
    }

    async fn renewed(&self, refused: &str) -> Result<String> {
        self.fetch(Some(SecretString::from(refused))).await
    }

    fn refused(&self) -> Option<Error> {
        Some(Cause::RefusedFresh.error(self.inner.provider.name))
    }
}

impl Inner {
    /// The token in memory, if it may be used and the vault was not changed by somebody else (a sign-out, a new sign-in).
    fn held_now(&self) -> Option<String> {
        let now_ms = self.clock.now_ms();
        let held = self.held().clone()?;
        (held.is_usable(now_ms) && held.mark == self.vault.mark()).then(|| held.access.expose_secret().to_owned())
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        // What it guards is replaced whole, so it is valid also after a panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, refused: Option<SecretString>) -> Result<SecretString> {
        let mut unsaved = self.gate.lock().await;
        let before = self.held().clone();
        if let Some(held) = self.look(refused.as_ref(), &before)? {
            return Ok(self.keep(held));
        }
        let lock = match self.vault.lock().await {
            Ok(lock) => lock,
            Err(error) => return self.bridge(before, refused.as_ref(), 0, error),
        };
        self.store_unsaved(&lock, &mut unsaved)?;
        // Whoever held the lock before may have done the work.
        if let Some(held) = self.look(refused.as_ref(), &before)? {
            return Ok(self.keep(held));
        }
        self.refresh(&lock, &mut unsaved, refused, before).await
    }

    /// Takes what the vault holds, if that will do; an error, if there is no hope of a refresh.
    fn look(&self, refused: Option<&SecretString>, before: &Option<Held>) -> Result<Option<Held>> {
        let name = self.provider.name;
        let now_ms = self.clock.now_ms();
        // Taken before the file is read: a change in between makes the next call look again.
        let mark = self.vault.mark();
        let book = self.vault.read()?;
        let (entry, tokens) = self.open(&book)?;
        if let State::SignInNeeded { cause, tried_ms, .. } = entry.state {
            let is_due = cause.may_heal() && now_ms.abs_diff(tried_ms) >= HEALING_MS;
            return if is_due { Ok(None) } else { Err(cause.error(name)) };
        }
        let same = before.as_ref().filter(|before| is_same(&before.access, &tokens.access));
        let held = Held {
            bridged_until_ms: same.map_or(0, |before| before.bridged_until_ms),
            follows_refusal: same.is_some_and(|before| before.follows_refusal),
            access: tokens.access,
            obtained_ms: entry.obtained_ms,
            expires_ms: entry.expires_ms,
            mark,
        };
        let is_refused = refused.is_some_and(|refused| is_same(refused, &held.access));
        if !is_refused && held.is_usable(now_ms) {
            return Ok(Some(held));
        }
        // Another one would be no better, and a refusal may pass: whoever asks tries it once more.
        if is_refused && held.follows_refusal && now_ms.abs_diff(held.obtained_ms) < REFUSED_FRESH_MS {
            return Ok(Some(held));
        }
        let wait_ms = entry.wait_until_ms.map_or(0, |until_ms| until_ms.saturating_sub(now_ms));
        if wait_ms > 0 && wait_ms <= MOST_WAIT_MS {
            if !is_refused && held.is_alive(now_ms) {
                return Ok(Some(Held { bridged_until_ms: now_ms + wait_ms, ..held }));
            }
            let words =
                format!("{} asked to be left alone for a while before the next refresh of the sign-in", name.title());
            return Err(Error::new(ErrorKind::Throttled { retry_after_s: Some(wait_ms.div_ceil(1000)) }, words));
        }
        Ok(None)
    }

    /// The provider's entry and its tokens.
    fn open<'a>(&self, book: &'a Book) -> Result<(&'a Entry, Tokens)> {
        let name = self.provider.name;
        let entry = book.providers.get(&name).ok_or_else(|| Cause::NeverSignedIn.error(name))?;
        let cause_now = || match entry.state {
            State::SignInNeeded { cause, .. } => cause,
            State::Ok => Cause::Damaged,
        };
        // What was read of one account is never compared with another one, and nothing of its is sent there.
        if !self.account.get_or_init(|| entry.account.clone()).is_same_as(&entry.account) {
            let words = format!(
                "somebody else signed in at {} meanwhile, so nothing more is read or written there. Type `twofold status`.",
                name.title()
            );
            return Err(Error::new(ErrorKind::SignInNeeded, words));
        }
        if entry.client_id != self.provider.client_id {
            return Err(Cause::ClientChanged.error(name));
        }
        let tokens = entry.open(name, &self.vault.key(book)?)?.ok_or_else(|| cause_now().error(name))?;
        Ok((entry, tokens))
    }

    async fn refresh(
        &self,
        lock: &Lock,
        unsaved: &mut Unsaved,
        refused: Option<SecretString>,
        before: Option<Held>,
    ) -> Result<SecretString> {
        let name = self.provider.name;
        let mut book = self.vault.read()?;
        let (entry, tokens) = self.open(&book)?;
        let mut entry = entry.clone();
        let asked_at_ms = self.clock.now_ms();
        let known = Known {
            age_ms: Some(asked_at_ms.saturating_sub(entry.signed_in_ms)),
            announced_end_reached: entry.refresh_expires_ms.is_some_and(|end_ms| end_ms <= asked_at_ms),
        };
        let answer = refresh(&self.transport, &self.provider, &tokens.refresh, known).await;
        let failure = match answer {
            Ok(fresh) => {
                let tokens = take(&mut entry, fresh, tokens, asked_at_ms);
                *unsaved = Some((entry.generation, entry, tokens));
                let held = self.store_unsaved(lock, unsaved)?;
                let held = held.ok_or_else(|| Error::new(ErrorKind::Broken, "the vault was changed under its lock"))?;
                tracing::debug!(provider = %name, "refreshed the sign-in");
                return Ok(self.keep(Held { follows_refusal: refused.is_some(), ..held }));
            }
            Err(failure) => failure,
        };
        if let TokenError::Refused { verdict: Verdict::SignIn(cause), refusal, .. } = &failure {
            tracing::warn!(provider = %name, %refusal, "the sign-in is dead");
            let since_ms = match entry.state {
                State::SignInNeeded { since_ms, .. } => since_ms,
                State::Ok => asked_at_ms,
            };
            let claims = refusal.claims.clone();
            entry.state = State::SignInNeeded { cause: *cause, since_ms, tried_ms: asked_at_ms, claims };
            book.providers.insert(name, entry);
            self.held().take();
            // Failing to note it changes nothing about it: the next run finds out again.
            if let Err(error) = self.vault.write(lock, &book) {
                tracing::warn!(provider = %name, %error, "the state of the sign-in could not be noted");
            }
            return Err(cause.error(name));
        }
        let error = failure.into_error(name);
        let wait_ms = match error.kind {
            ErrorKind::Throttled { retry_after_s } => {
                let wait_ms = retry_after_s.unwrap_or(60).saturating_mul(1000).min(MOST_WAIT_MS);
                // The pause holds for other workers and the next run too.
                entry.wait_until_ms = Some(asked_at_ms + wait_ms);
                book.providers.insert(name, entry.clone());
                if let Err(error) = self.vault.write(lock, &book) {
                    tracing::warn!(provider = %name, %error, "the pause could not be noted");
                }
                wait_ms
            }
            ErrorKind::Offline => RETRY_AFTER_MS,
            _ => return Err(error),
        };
        let current = Held {
            access: tokens.access,
            obtained_ms: entry.obtained_ms,
            expires_ms: entry.expires_ms,
            bridged_until_ms: 0,
            follows_refusal: before.is_some_and(|before| before.follows_refusal),
            mark: self.vault.mark(),
        };
        self.bridge(Some(current), refused.as_ref(), wait_ms, error)
    }

    /// A refresh failed for the moment: the old token goes on while it lives, unless it is the one that was refused.
    fn bridge(
        &self,
        held: Option<Held>,
        refused: Option<&SecretString>,
        wait_ms: u64,
        error: Error,
    ) -> Result<SecretString> {
        let now_ms = self.clock.now_ms();
        match held {
            Some(held) if held.is_alive(now_ms) && !refused.is_some_and(|refused| is_same(refused, &held.access)) => {
                tracing::info!(provider = %self.provider.name, %error, "the refresh has to wait; the present token is still good");
                Ok(self.keep(Held { bridged_until_ms: now_ms + wait_ms, ..held }))
            }
            _ => Err(error),
        }
    }

    /// Stores what was received earlier and could not be stored then, unless somebody else has stored newer tokens since.
    fn store_unsaved(&self, lock: &Lock, unsaved: &mut Unsaved) -> Result<Option<Held>> {
        let name = self.provider.name;
        let Some((generation, entry, tokens)) = unsaved.as_ref() else { return Ok(None) };
        let mut book = self.vault.read()?;
        if book.providers.get(&name).is_none_or(|stored| stored.generation != *generation) {
            *unsaved = None;
            return Ok(None);
        }
        let mut entry = entry.clone();
        entry.seal(name, &self.vault.key(&book)?, tokens)?;
        let (obtained_ms, expires_ms) = (entry.obtained_ms, entry.expires_ms);
        book.providers.insert(name, entry);
        self.vault.write(lock, &book)?;
        let access = tokens.access.clone();
        *unsaved = None;
        let mark = self.vault.mark();
        Ok(Some(Held { access, obtained_ms, expires_ms, bridged_until_ms: 0, follows_refusal: false, mark }))
    }

    fn keep(&self, held: Held) -> SecretString {
        let access = held.access.clone();
        *self.held() = Some(held);
        access
    }
}

/// Moves fresh tokens into an entry; what the answer leaves out stays as it was.
fn take(entry: &mut Entry, fresh: Fresh, before: Tokens, asked_at_ms: u64) -> Tokens {
    let life_ms = |seconds: u64| asked_at_ms.saturating_add(seconds.saturating_mul(1000));
    entry.obtained_ms = asked_at_ms;
    entry.expires_ms = life_ms(fresh.expires_in_s);
    entry.refresh_expires_ms = fresh.refresh_expires_in_s.map(life_ms).or(entry.refresh_expires_ms);
    entry.wait_until_ms = None;
    entry.state = State::Ok;
    if let Some(granted) = fresh.granted.filter(|granted| !granted.is_empty()) {
        entry.granted = granted;
    }
    Tokens { access: fresh.access, refresh: fresh.refresh.unwrap_or(before.refresh) }
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
