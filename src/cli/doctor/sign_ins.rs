//! The sign-ins, from what is stored: which of the known traps bites, and what to do.

use super::Findings;
use crate::cli::{credential, moment};
use crate::config::Config;
use crate::connect;
use twofold_auth::{Provider, ProviderName, Status, Vault};
use twofold_cycle::report::exit;
use twofold_hub::Hub;
use twofold_model::Result;

const DAY_MS: i64 = 24 * 3_600_000;
/// Provider: a sign-in that is not used dies, at Microsoft after 90 days, at Google after six months. So long before, it is said.
const UNUSED_MS: i64 = 60 * DAY_MS;
/// An end that the provider announced is said so long before.
const SOON_MS: i64 = 14 * DAY_MS;

/// The providers that are configured.
pub(in crate::cli) fn configured(config: &Config) -> Vec<ProviderName> {
    let google = config.google.as_ref().map(|_| ProviderName::Google);
    let microsoft = config.microsoft365.as_ref().map(|_| ProviderName::Microsoft365);
    microsoft.into_iter().chain(google).collect()
}

/// Looks at each sign-in as it is stored. `service_has_key`: systemd handed the key to the service that runs.
pub(super) fn look(findings: &mut Findings, config: &Config, service_has_key: bool, now_ms: i64) {
    let vault = match Vault::open(&config.state_dir) {
        Ok(vault) => vault,
        Err(error) => return findings.fail(exit::USAGE, format!("vault: {error}")),
    };
    // What systemd handed over to this very process is the key, and has to open them.
    let is_elsewhere = !vault.has_credential_key() && credential::is_missing(config).unwrap_or(false);
    if is_elsewhere {
        let unit = credential::unit_with_key(config).map(|unit| unit.name);
        let holder = unit.or_else(|| service_has_key.then(|| "the service".to_owned()));
        let words = credential::without_key(config, "doctor", holder.as_deref());
        let words = format!("sign-ins: whether they open cannot be seen here: {words}");
        match holder {
            Some(_) => findings.warn(words),
            None => findings.fail(exit::SIGN_IN, words),
        }
    }
    for name in configured(config) {
        let provider = match connect::provider(config, name) {
            Ok(provider) => provider,
            Err(error) => {
                findings.fail(exit::USAGE, format!("{name}: {error}"));
                continue;
            }
        };
        match vault.status(name) {
            Err(error) => findings.fail(exit::FAILED, format!("{name}: {error}")),
            Ok(status) => {
                one(findings, (!is_elsewhere).then_some(&vault), &provider, &status.seen_with(&provider), now_ms)
            }
        }
    }
}

/// `vault`: where the key to it is at hand.
fn one(findings: &mut Findings, vault: Option<&Vault>, provider: &Provider, status: &Status, now_ms: i64) {
    let name = status.provider;
    if let Some(advice) = status.advice() {
        return findings.fail(exit::SIGN_IN, format!("{name}: {advice}"));
    }
    if let Some(Err(error)) = vault.map(|vault| vault.check_opens(name)) {
        return findings.fail(exit::SIGN_IN, format!("{name}: {error}"));
    }
    let missing = status.missing_scopes(provider);
    if missing.is_empty() {
        let who = status.account.as_ref().map(|account| account.label().to_owned()).unwrap_or_default();
        findings.ok(format!("{name}: signed in as {who}"));
    }
    for scope in missing {
        findings.fail(
            exit::SIGN_IN,
            format!("{name}: not granted: {scope}; its box was not ticked, or an administrator does not allow it. Type: twofold login {name}"),
        );
    }
    for words in warnings(status, now_ms) {
        findings.warn(format!("{name}: {words}"));
    }
}

/// What works and will not for long, or is odd.
fn warnings(status: &Status, now: i64) -> Vec<String> {
    let name = status.provider;
    let at = |ms: Option<u64>| ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    let mut found = Vec::new();
    if let (Some(end), Some(began)) = (at(status.refresh_expires_ms), at(status.signed_in_ms)) {
        let days = (end - began).max(0) / DAY_MS;
        if days <= 8 {
            found.push(format!(
                "this sign-in ends at {}: the app's consent screen is External and in \"Testing\", where every sign-in ends after 7 days. \
                 Publish the app or make it Internal, then type: twofold login {name}",
                moment(end)
            ));
        } else if end - now < SOON_MS {
            found.push(format!(
                "this sign-in was given for a time and ends at {}. Then type: twofold login {name}",
                moment(end)
            ));
        }
    }
    if let Some(used) = at(status.refreshed_ms)
        && now - used > UNUSED_MS
    {
        found.push(format!(
            "this sign-in was last used at {}; one that is not used for months ends by itself. Type: twofold sync",
            moment(used)
        ));
    }
    if let Some(began) = at(status.signed_in_ms)
        && began > now + 60_000
    {
        found.push(format!("somebody signed in at {}, which is to come; set this machine's clock", moment(began)));
    }
    if let Some(until) = at(status.wait_until_ms)
        && until > now
    {
        found.push(format!("asked too often for tokens; it is asked again at {}", moment(until)));
    }
    found
}

/// Whether who is signed in is whose data the hub holds.
pub(super) fn accounts(findings: &mut Findings, config: &Config, hub: &Hub) -> Result<()> {
    let Ok(vault) = Vault::open(&config.state_dir) else { return Ok(()) };
    for name in configured(config) {
        let Ok(status) = vault.status(name) else { continue };
        if let Some(words) = connect::other_account(hub, name, &status)? {
            findings.fail(
                exit::USAGE,
                format!("{name}: {words}. To keep the other account instead, type: twofold forget {name}, then twofold login {name}"),
            );
        }
        if hub.is_being_forgotten(name.as_str())? {
            findings.fail(
                exit::USAGE,
                format!("{name}: forgetting it was begun and not finished. Type: twofold forget {name}"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use twofold_auth::State;

    const NOW: i64 = 1_800_000_000_000;

    fn of(change: impl FnOnce(&mut Status)) -> Vec<String> {
        let at = |days: i64| u64::try_from(NOW + days * DAY_MS).ok();
        let mut status = Status {
            provider: ProviderName::Google,
            state: State::Ok,
            account: None,
            client_id: None,
            granted: Vec::new(),
            signed_in_ms: at(-1),
            refreshed_ms: at(0),
            access_expires_ms: None,
            refresh_expires_ms: None,
            wait_until_ms: None,
        };
        change(&mut status);
        warnings(&status, NOW)
    }

    #[test]
    fn each_trap_that_is_known_from_what_is_stored_has_a_line() {
        let at = |days: i64| u64::try_from(NOW + days * DAY_MS).ok();
        assert_eq!(of(|_| ()), Vec::<String>::new());
        for (words, found) in [
            ("\"Testing\"", of(|status| status.refresh_expires_ms = at(6))),
            ("was given for a time", of(|status| (status.signed_in_ms, status.refresh_expires_ms) = (at(-80), at(10)))),
            ("not used for months", of(|status| status.refreshed_ms = at(-61))),
            ("is to come", of(|status| status.signed_in_ms = at(2))),
            ("asked too often", of(|status| status.wait_until_ms = at(1))),
        ] {
            assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
        }
        assert_eq!(
            of(|status| (status.signed_in_ms, status.refresh_expires_ms) = (at(-80), at(30))),
            Vec::<String>::new()
        );
    }
}
