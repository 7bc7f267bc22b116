//! What sign-in has to know of a provider: its addresses, its client, and the scopes that each kind needs.
//!
//! Pure: nothing here is sent. The addresses come from the configuration (national clouds, tests); one that is not https is
//! refused unless it is on this machine.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use twofold_model::{Error, ErrorKind, Kind, Result};
use url::{Host, Url};

/// Which provider, by the word used on the command line and in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProviderName {
    /// Microsoft 365, through Graph.
    #[serde(rename = "microsoft365")]
    Microsoft365,
    /// Google Workspace or a Google account.
    #[serde(rename = "google")]
    Google,
}

impl ProviderName {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            ProviderName::Microsoft365 => "microsoft365",
            ProviderName::Google => "google",
        }
    }

    /// The provider of that name, or nothing.
    pub fn from_name(name: &str) -> Option<ProviderName> {
        [ProviderName::Microsoft365, ProviderName::Google].into_iter().find(|p| p.as_str() == name)
    }

    /// The name as a person writes it, for sentences.
    pub fn title(self) -> &'static str {
        match self {
            ProviderName::Microsoft365 => "Microsoft",
            ProviderName::Google => "Google",
        }
    }

    /// The command that signs in.
    pub fn login_command(self) -> String {
        format!("twofold login {self}")
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The addresses of Microsoft's side, as the configuration names them.
#[derive(Clone, Debug)]
pub struct MicrosoftUrls {
    /// `login_url`: the authority, without the tenant.
    pub login: String,
    /// `graph_url`: where `/v1.0/me` is asked.
    pub graph: String,
    /// `tenant`: `organizations`, `common`, a GUID or a domain.
    pub tenant: String,
}

/// The addresses of Google's side, as the configuration names them.
#[derive(Clone, Debug)]
pub struct GoogleUrls {
    /// `auth_url`: `/o/oauth2/v2/auth` is added.
    pub auth: String,
    /// `token_url`: `/token` and `/revoke` are added.
    pub token: String,
    /// `people_url`: `/v1/people/me` is added.
    pub people: String,
}

/// One provider, ready to sign in at. Its `Debug` does not show the client secret.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Which one.
    pub name: ProviderName,
    /// The application's id.
    pub client_id: String,
    /// The application's secret, where it has one.
    pub client_secret: Option<SecretString>,
    /// The kinds that are configured; they decide the scopes.
    pub kinds: Vec<Kind>,
    pub(crate) authorize: Url,
    pub(crate) token: Url,
    pub(crate) device: Option<Url>,
    /// Where a sign-in is revoked; `None`: there is no way.
    pub revoke: Option<Url>,
    pub(crate) me: Url,
}

impl Provider {
    /// Microsoft 365 with these addresses.
    pub fn microsoft365(
        client_id: impl Into<String>,
        client_secret: Option<SecretString>,
        urls: &MicrosoftUrls,
        kinds: &[Kind],
    ) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if urls.tenant.is_empty() || !urls.tenant.chars().all(is_plain) {
            let words = "`tenant` under [microsoft365] is not a tenant: write organizations, common, the tenant's GUID or its domain";
            return Err(Error::new(ErrorKind::Misconfigured, words));
        }
        let base = format!("{}/{}/oauth2/v2.0", urls.login.trim_end_matches('/'), urls.tenant);
        Ok(Self {
            name: ProviderName::Microsoft365,
            client_id: checked_client_id(ProviderName::Microsoft365, client_id.into())?,
            client_secret,
            kinds: kinds.to_vec(),
            authorize: address("microsoft365.login_url", &base, "authorize")?,
            token: address("microsoft365.login_url", &base, "token")?,
            device: Some(address("microsoft365.login_url", &base, "devicecode")?),
            // Provider: Microsoft has no revocation endpoint; signing out is forgetting the tokens.
            revoke: None,
            me: address(
                "microsoft365.graph_url",
                &urls.graph,
                "v1.0/me?$select=id,displayName,mail,userPrincipalName",
            )?,
        })
    }

    /// Google with these addresses.
    pub fn google(
        client_id: impl Into<String>,
        client_secret: Option<SecretString>,
        urls: &GoogleUrls,
        kinds: &[Kind],
    ) -> Result<Self> {
        Ok(Self {
            name: ProviderName::Google,
            client_id: checked_client_id(ProviderName::Google, client_id.into())?,
            client_secret,
            kinds: kinds.to_vec(),
            authorize: address("google.auth_url", &urls.auth, "o/oauth2/v2/auth")?,
            token: address("google.token_url", &urls.token, "token")?,
            // Provider: Google's device flow knows only scopes that twofold does not want.
            device: None,
            revoke: Some(address("google.token_url", &urls.token, "revoke")?),
            me: address("google.people_url", &urls.people, "v1/people/me?personFields=metadata,emailAddresses,names")?,
        })
    }

    /// The scopes that are asked for, in a fixed order: who it is, then one per kind.
    pub fn scopes(&self) -> Vec<String> {
        let who: &[&str] = match self.name {
            ProviderName::Microsoft365 => &["offline_access", "openid", "profile", "User.Read"],
            ProviderName::Google => &["openid", "https://www.googleapis.com/auth/userinfo.email"],
        };
        let kinds = [Kind::Contacts, Kind::Calendar, Kind::Mail].into_iter().filter(|kind| self.kinds.contains(kind));
        who.iter().copied().chain(kinds.map(|kind| scope_of(self.name, kind))).map(str::to_owned).collect()
    }

    /// What the configured kinds need and `granted` does not hold.
    pub fn missing_scopes(&self, granted: &[String]) -> Vec<MissingScope> {
        compare_scopes(self.name, &self.scopes(), granted)
    }
}

/// The scope that a kind needs at a provider.
fn scope_of(name: ProviderName, kind: Kind) -> &'static str {
    match (name, kind) {
        (ProviderName::Microsoft365, Kind::Contacts) => "Contacts.ReadWrite",
        (ProviderName::Microsoft365, Kind::Calendar) => "Calendars.ReadWrite",
        (ProviderName::Microsoft365, Kind::Mail) => "Mail.ReadWrite",
        (ProviderName::Google, Kind::Contacts) => "https://www.googleapis.com/auth/contacts",
        (ProviderName::Google, Kind::Calendar) => "https://www.googleapis.com/auth/calendar",
        (ProviderName::Google, Kind::Mail) => "https://www.googleapis.com/auth/gmail.modify",
    }
}

/// A scope that was asked for and not granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingScope {
    /// The scope as it was asked for.
    pub scope: String,
    /// The kind that cannot be synced without it; `None`: it is needed to see who signed in.
    pub kind: Option<Kind>,
}

impl MissingScope {
    /// What a person is told of it, with the command to type.
    pub fn advice(&self, name: ProviderName) -> String {
        format!("not granted: {self}; nothing of it was read or changed there. Grant it: {}", name.login_command())
    }
}

impl fmt::Display for MissingScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{} ({kind} cannot be synced without it)", self.scope),
            None => write!(f, "{} (to see who signed in)", self.scope),
        }
    }
}

/// What was asked for and is not covered by what was granted. Order, case, short names and whole addresses do not matter,
/// nor do the scopes that providers leave out of their answer although they granted them.
pub fn compare_scopes(name: ProviderName, asked: &[String], granted: &[String]) -> Vec<MissingScope> {
    let granted: Vec<String> =
        granted.iter().flat_map(|scope| scope.split_whitespace()).map(|s| meaning(name, s)).collect();
    asked
        .iter()
        .filter(|scope| {
            let wanted = meaning(name, scope);
            !is_left_out(&wanted) && !granted.iter().any(|have| covers(have, &wanted))
        })
        .map(|scope| MissingScope {
            scope: scope.clone(),
            kind: [Kind::Mail, Kind::Calendar, Kind::Contacts].into_iter().find(|kind| scope_of(name, *kind) == scope),
        })
        .collect()
}

/// Provider: `offline_access` shows as a refresh token, `openid` and `profile` as an id_token; neither provider lists them
/// reliably, and nothing is read with them.
fn is_left_out(scope: &str) -> bool {
    matches!(scope, "offline_access" | "openid" | "profile")
}

/// One spelling per scope.
fn meaning(name: ProviderName, scope: &str) -> String {
    let lower = scope.trim().to_ascii_lowercase();
    match name {
        // Graph names its scopes short or as https://graph.microsoft.com/NAME (another host in a national cloud).
        ProviderName::Microsoft365 => lower.rsplit('/').next().unwrap_or_default().to_owned(),
        ProviderName::Google => match lower.as_str() {
            "email" => "https://www.googleapis.com/auth/userinfo.email".to_owned(),
            "profile" | "https://www.googleapis.com/auth/userinfo.profile" => "profile".to_owned(),
            "https://mail.google.com" => "https://mail.google.com/".to_owned(),
            _ => lower,
        },
    }
}

/// Whether the right `have` includes the right `wanted`.
fn covers(have: &str, wanted: &str) -> bool {
    have == wanted
        || matches!(
            (have, wanted),
            ("https://mail.google.com/", "https://www.googleapis.com/auth/gmail.modify")
                | ("user.readwrite", "user.read")
        )
}

fn checked_client_id(name: ProviderName, id: String) -> Result<String> {
    match id.trim() {
        "" => {
            let words = format!("`client_id` under [{name}] is empty: write the id of your app registration there");
            Err(Error::new(ErrorKind::Misconfigured, words))
        }
        id => Ok(id.to_owned()),
    }
}

/// `base` with `path` behind it, checked. `setting` is the name in the configuration.
fn address(setting: &str, base: &str, path: &str) -> Result<Url> {
    let wrong = |why: &str| Error::new(ErrorKind::Misconfigured, format!("{setting}: {why}"));
    let url =
        Url::parse(&format!("{}/{path}", base.trim_end_matches('/'))).map_err(|_| wrong("this is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("an address with a name or password in it is refused"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(wrong("only https is allowed here (http for an address on this machine)")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|s| (*s).to_owned()).collect()
    }

    fn microsoft(login: &str, tenant: &str) -> Result<Provider> {
        let urls =
            MicrosoftUrls { login: login.into(), graph: "https://graph.microsoft.com".into(), tenant: tenant.into() };
        Provider::microsoft365("app", None, &urls, &[Kind::Contacts, Kind::Mail])
    }

    #[test]
    fn the_addresses_are_built_from_the_configured_bases() {
        let provider = microsoft("https://login.microsoftonline.com/", "organizations").unwrap();
        assert_eq!(provider.token.as_str(), "https://login.microsoftonline.com/organizations/oauth2/v2.0/token");
        assert_eq!(
            provider.device.as_ref().unwrap().as_str(),
            "https://login.microsoftonline.com/organizations/oauth2/v2.0/devicecode"
        );
        let urls = GoogleUrls {
            auth: "https://accounts.google.com".into(),
            token: "https://oauth2.googleapis.com".into(),
            people: "http://127.0.0.1:9/google".into(),
        };
        let provider = Provider::google("app", None, &urls, &[Kind::Calendar]).unwrap();
        assert_eq!(provider.authorize.as_str(), "https://accounts.google.com/o/oauth2/v2/auth");
        assert_eq!(provider.revoke.as_ref().unwrap().as_str(), "https://oauth2.googleapis.com/revoke");
        assert!(provider.me.as_str().starts_with("http://127.0.0.1:9/google/v1/people/me?"));
    }

    #[test]
    fn an_address_that_is_not_https_is_refused_unless_it_is_on_this_machine() {
        for (base, is_fine) in [
            ("https://login.example", true),
            ("http://127.0.0.1:4000", true),
            ("http://localhost:4000", true),
            ("http://[::1]:4000", true),
            ("http://login.example", false),
            ("http://localhost.example", false),
            ("ftp://127.0.0.1", false),
            ("https://ada:secret@login.example", false),
            ("login.example", false),
        ] {
            assert_eq!(microsoft(base, "common").is_ok(), is_fine, "{base}");
        }
        for tenant in ["", "a/b", "a?b", "a#b"] {
            assert_eq!(
                microsoft("https://login.example", tenant).unwrap_err().kind,
                ErrorKind::Misconfigured,
                "{tenant}"
            );
        }
    }

    #[test]
    fn only_the_scopes_of_the_configured_kinds_are_asked_for() {
        let provider = microsoft("https://login.example", "common").unwrap();
        assert_eq!(
            provider.scopes(),
            list(&["offline_access", "openid", "profile", "User.Read", "Contacts.ReadWrite", "Mail.ReadWrite"])
        );
    }

    /// What it shows, where, asked, granted, missing.
    type Row<'a> = (&'a str, ProviderName, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

    #[test]
    fn scopes_are_compared_by_meaning_not_by_spelling() {
        use ProviderName::{Google, Microsoft365};
        let contacts = "https://www.googleapis.com/auth/contacts";
        let email = "https://www.googleapis.com/auth/userinfo.email";
        let modify = "https://www.googleapis.com/auth/gmail.modify";
        let rows: [Row; 9] = [
            ("the same", Microsoft365, &["Mail.ReadWrite"], &["Mail.ReadWrite"], &[]),
            (
                "a whole address",
                Microsoft365,
                &["Mail.ReadWrite"],
                &["https://graph.microsoft.com/Mail.ReadWrite"],
                &[],
            ),
            (
                "another case and order",
                Microsoft365,
                &["User.Read", "Mail.ReadWrite"],
                &["mail.readwrite", "user.read"],
                &[],
            ),
            ("left out of the answer", Microsoft365, &["offline_access", "openid", "profile"], &["User.Read"], &[]),
            ("a narrower right", Microsoft365, &["Mail.ReadWrite"], &["Mail.Read"], &["Mail.ReadWrite"]),
            ("unticked at Google", Google, &["openid", contacts, modify], &["openid", contacts], &[modify]),
            ("the short name of the address", Google, &[email], &["openid email"], &[]),
            ("a wider right", Google, &[modify], &["https://mail.google.com/"], &[]),
            ("nothing granted", Google, &[contacts, email], &[], &[contacts, email]),
        ];
        for (what, name, asked, granted, expected) in rows {
            let missing = compare_scopes(name, &list(asked), &list(granted));
            let missing: Vec<&str> = missing.iter().map(|m| m.scope.as_str()).collect();
            assert_eq!(missing, expected, "{what}");
        }
    }

    #[test]
    fn a_missing_scope_names_the_kind_that_suffers() {
        let missing = compare_scopes(ProviderName::Microsoft365, &list(&["Calendars.ReadWrite", "User.Read"]), &[]);
        assert_eq!(missing[0].to_string(), "Calendars.ReadWrite (calendar cannot be synced without it)");
        assert_eq!(missing[1].to_string(), "User.Read (to see who signed in)");
    }
}
