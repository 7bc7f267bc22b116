//! What only a question tells: whether a provider can be reached, whether this machine's clock is right, and (`--live`) whether each
//! interface that the configuration wants is switched on and may be used.

use super::Findings;
use super::sign_ins::configured;
use crate::cli::{now_ms, words};
use crate::config::Config;
use crate::connect;
use std::sync::Arc;
use twofold_auth::{ProviderName, Vault};
use twofold_cycle::report::{code_of, exit};
use twofold_http::{Clock, Method, Transport, TransportError, Wire};
use twofold_model::{Collection, Connector, Error, ErrorKind, Kind, Known, Poll, Result, Since};
use url::Url;

/// A provider takes no token from a clock that is wrong by more than some minutes.
const SKEW_MS: i64 = 5 * 60_000;
/// Nobody is waited for longer.
const TIMEOUT_MS: u64 = 20_000;

/// Asks each provider.
pub(super) async fn look(findings: &mut Findings, config: &Config, clock: &Arc<dyn Clock>, asks_for_kinds: bool) {
    let transport: Arc<dyn Transport> = match connect::sign_in_transport(config) {
        Ok(transport) => transport,
        Err(error) => return findings.fail(code_of(error.kind), format!("network: {error}")),
    };
    for name in configured(config) {
        if reach(findings, config, transport.as_ref(), clock.as_ref(), name).await && asks_for_kinds {
            ask(findings, config, name, clock).await;
        }
    }
}

/// Whether the address of the sign-in answers, and at what time.
async fn reach(
    findings: &mut Findings,
    config: &Config,
    transport: &dyn Transport,
    clock: &dyn Clock,
    name: ProviderName,
) -> bool {
    let Some(url) = address(config, name) else { return false };
    let host = url.host_str().unwrap_or_default().to_owned();
    let wire = Wire {
        what: "look whether it answers",
        method: Method::Get,
        url,
        headers: vec![("accept".into(), "application/json".into())],
        body: Vec::new().into(),
        timeout_ms: TIMEOUT_MS,
        silence_ms: TIMEOUT_MS,
        hurry: None,
        max_body: 1 << 20,
        heard: Default::default(),
    };
    let answer = match transport.exchange(&wire).await {
        Ok(answer) => answer,
        Err(error) => {
            let code = if matches!(error, TransportError::Misconfigured(_)) { exit::USAGE } else { exit::TEMPORARY };
            findings.fail(code, format!("{name}: {host} cannot be reached: {error}. {}", advice(config, &error)));
            return false;
        }
    };
    // Provider: Microsoft says so of a tenant that it does not know (AADSTS90002).
    if name == ProviderName::Microsoft365 && answer.status == 400 {
        findings.fail(exit::USAGE, format!("{name}: there is no such tenant: check `tenant` under [microsoft365]"));
        return false;
    }
    let theirs = answer.header("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
    match theirs.map(|theirs| now_ms(clock) - theirs.timestamp_millis()).filter(|off| off.abs() > SKEW_MS) {
        None => findings.ok(format!("{name}: {host} answers, and this machine's clock is right")),
        Some(off) => {
            let span = words::span(off.unsigned_abs() / 1000);
            let which = if off > 0 { "ahead" } else { "behind" };
            findings.fail(
                exit::FAILED,
                format!("clock: this machine is {span} {which} of {host}; tokens are refused then. Type: sudo timedatectl set-ntp true"),
            );
        }
    }
    true
}

/// An address of the sign-in that answers without one.
fn address(config: &Config, name: ProviderName) -> Option<Url> {
    match name {
        ProviderName::Google => config.google.as_ref().map(|google| google.token_url.clone()),
        ProviderName::Microsoft365 => config.microsoft365.as_ref().and_then(|table| {
            let base = table.login_url.as_str().trim_end_matches('/');
            Url::parse(&format!("{base}/{}/v2.0/.well-known/openid-configuration", table.tenant)).ok()
        }),
    }
}

/// What to do about a connection that cannot be made.
fn advice(config: &Config, error: &TransportError) -> String {
    let text = error.to_string().to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["no ca certificates"]) {
        return "This system has no certificates by which servers are known. On Debian and its kin type: sudo apt install ca-certificates"
            .into();
    }
    if has(&["unknownissuer", "certificate", "invalid peer"]) {
        return "Something between opens encrypted connections with a certificate of its own: put its authority into a file and name it \
                under [network] as ca_file"
            .into();
    }
    if has(&["expired", "notvalidyet"]) {
        return "A certificate is not valid now: look at this machine's clock".into();
    }
    if has(&["dns", "lookup", "resolve"]) {
        return "Its name cannot be looked up: look at this machine's network, or name a proxy under [network]".into();
    }
    match &config.network.proxy {
        Some(_) => "Look at the proxy under [network]".into(),
        None => "Look at this machine's network and firewall, or name a proxy under [network]".into(),
    }
}

/// Asks for the collections of each kind.
async fn ask(findings: &mut Findings, config: &Config, name: ProviderName, clock: &Arc<dyn Clock>) {
    let is_signed_in = Vault::open(&config.state_dir)
        .and_then(|vault| vault.status(name))
        .is_ok_and(|status| status.cause().is_none_or(twofold_auth::Cause::may_heal));
    // That nobody is signed in was said before.
    if !is_signed_in {
        return;
    }
    let connector = match connect::probe(config, name, clock) {
        Ok(connector) => connector,
        Err(error) => return findings.fail(code_of(error.kind), format!("{name}: {error}")),
    };
    let kinds: Vec<Kind> = match name {
        ProviderName::Google => config.google.as_ref().map(|table| table.kinds.clone()),
        ProviderName::Microsoft365 => config.microsoft365.as_ref().map(|table| table.kinds.clone()),
    }
    .unwrap_or_default();
    // What was not granted was said before.
    let refused = Vault::open(&config.state_dir).and_then(|vault| connect::not_granted(config, name, &vault));
    let refused = refused.unwrap_or_default();
    for kind in kinds.into_iter().filter(|kind| !refused.contains_key(kind)) {
        match collections(connector.as_ref(), kind).await {
            Ok(collections) => {
                findings.ok(format!("{name}: {} of {kind} can be read", words::many(collections.len(), "collection")))
            }
            Err(error) => {
                let then = trap(&error).map(|then| format!(" {then}")).unwrap_or_default();
                findings.fail(code_of(error.kind), format!("{name}: {kind}: {error}.{then}"));
            }
        }
    }
}

/// The collections of a kind; at a place that knows them without asking, the first page of one of them is read, so that it is asked.
async fn collections(connector: &dyn Connector, kind: Kind) -> Result<Vec<Collection>> {
    let before = connector.usage().requests;
    let collections = connector.collections(kind).await?;
    if connector.usage().requests == before
        && let Some(feed) = connector.feeds(kind, &collections).first()
    {
        let poll = Poll { feed, since: Since::Start, known: &Known::new() };
        connector.changes(&[poll]).await.pop().transpose()?;
    }
    Ok(collections)
}

/// Which known trap an answer shows, where its own words do not say what to do.
fn trap(error: &Error) -> Option<&'static str> {
    let text = error.to_string();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["SERVICE_DISABLED", "accessNotConfigured"]) {
        return Some(
            "This interface is not switched on in the project of the OAuth client: enable it in the Cloud console, under \
             \"APIs & Services\", \"Library\", and wait some minutes",
        );
    }
    if has(&["Mail service not enabled", "MailboxNotEnabledForRESTAPI", "ErrorNonExistentMailbox"]) {
        return Some("This account has no mailbox there, or its administrator switched that off");
    }
    match error.kind {
        ErrorKind::Forbidden => Some("An administrator of the organisation may have to allow it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_is_named_by_what_the_connection_says() {
        let config = Config::parse("state_dir = \"/var/lib/twofold\"", std::path::Path::new("/etc/c.toml")).unwrap();
        let advised = |why: &str| advice(&config, &TransportError::NotConnected(why.into()));
        assert!(advised("invalid peer certificate: UnknownIssuer").contains("ca_file"));
        let none =
            "TLS cannot be set up: builder error: unexpected error: No CA certificates were loaded from the system";
        assert!(advised(none).ends_with(": sudo apt install ca-certificates"), "{}", advised(none));
        assert!(advised("dns error: failed to lookup address").contains("looked up"));
        assert!(advised("connection refused").contains("firewall"));
    }
}
