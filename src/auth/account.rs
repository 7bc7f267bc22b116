//! Who is behind a sign-in. The account is part of the replica: another one behind the same sign-in would look like an empty
//! mailbox, so it is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twofold_http::Transport;
use twofold_model::{Error, ErrorKind, Result};

use crate::exchange::get_json;
use crate::provider::{Provider, ProviderName};

/// An account at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What the provider calls it for good: the object id (Microsoft), the profile's number (Google); where neither could
    /// be had, `address:` and the address.
    pub id: String,
    /// Its e-mail address, for people.
    pub address: Option<String>,
    /// Its name, for people.
    pub name: Option<String>,
}

const BY_ADDRESS: &str = "address:";

impl Account {
    /// Whether both are the same account. An id decides; the address only where one side has nothing else.
    pub fn is_same_as(&self, other: &Account) -> bool {
        if self.id.eq_ignore_ascii_case(&other.id) {
            return true;
        }
        let only_address = self.id.starts_with(BY_ADDRESS) || other.id.starts_with(BY_ADDRESS);
        match (&self.address, &other.address) {
            (Some(ours), Some(theirs)) => only_address && ours.eq_ignore_ascii_case(theirs),
            _ => false,
        }
    }

    /// How a person calls it.
    pub fn label(&self) -> &str {
        self.address.as_deref().or(self.name.as_deref()).unwrap_or(&self.id)
    }

    fn new(id: Option<&str>, address: Option<&str>, name: Option<&str>) -> Option<Account> {
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let address = given(address);
        let id = given(id)
            .or_else(|| address.as_ref().map(|address| format!("{BY_ADDRESS}{}", address.to_ascii_lowercase())))?;
        Some(Account { id, address, name: given(name) })
    }
}

/// Finds out who signed in: from the id_token if it came with the tokens, else (or for what it does not tell) by asking.
/// Either may fail.
pub(crate) async fn identify(
    transport: &dyn Transport,
    provider: &Provider,
    access_token: &str,
    id_token: Option<&str>,
) -> Result<Account> {
    let told = id_token.and_then(claims).and_then(|claims| from_claims(provider.name, &claims));
    let asked = match told.as_ref().is_some_and(|account| account.address.is_some()) {
        // Google's id_token holds all that is needed; Microsoft's id is asked for, which also proves that Graph answers.
        true if provider.name == ProviderName::Google => None,
        _ => match get_json(transport, "who am I", &provider.me, access_token).await {
            Ok(Some(me)) => from_me(provider.name, &me),
            Ok(None) => None,
            Err(error) if told.is_none() => return Err(error),
            Err(_) => None,
        },
    };
    let account = match (asked, told) {
        // A profile that shows only an address must not hide the number that the id_token told.
        (Some(asked), Some(told)) if asked.id.starts_with(BY_ADDRESS) => Some(told),
        (asked, told) => asked.or(told),
    };
    account.ok_or_else(|| {
        let who = provider.name.title();
        let words = format!("{who} signed somebody in but does not say whom; nothing was changed. Try again later.");
        Error::new(ErrorKind::Offline, words)
    })
}

/// The account that the provider's own answer names.
fn from_me(name: ProviderName, me: &Value) -> Option<Account> {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    match name {
        ProviderName::Microsoft365 => {
            let address = text(me, "mail").or_else(|| text(me, "userPrincipalName"));
            Account::new(text(me, "id").as_deref(), address.as_deref(), text(me, "displayName").as_deref())
        }
        ProviderName::Google => {
            let list = |field: &str| me.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
            let is_primary = |entry: &&Value| entry.pointer("/metadata/primary") == Some(&Value::Bool(true));
            let best = |field: &str, what: &str| {
                let entries = list(field);
                entries.iter().find(is_primary).or(entries.first()).and_then(|entry| text(entry, what))
            };
            let sources = me.pointer("/metadata/sources").and_then(Value::as_array).cloned().unwrap_or_default();
            let profile = sources.iter().find(|source| source.get("type").and_then(Value::as_str) == Some("PROFILE"));
            // Provider: the profile's id, the number in `people/NUMBER` and the id_token's `sub` are one and the same.
            let number = profile.and_then(|profile| text(profile, "id")).or_else(|| {
                let resource = text(me, "resourceName")?;
                resource.strip_prefix("people/").filter(|id| id.bytes().all(|b| b.is_ascii_digit())).map(str::to_owned)
            });
            Account::new(
                number.as_deref(),
                best("emailAddresses", "value").as_deref(),
                best("names", "displayName").as_deref(),
            )
        }
    }
}

/// The account that an id_token names.
fn from_claims(name: ProviderName, claims: &Value) -> Option<Account> {
    let text = |field: &str| claims.get(field).and_then(Value::as_str);
    match name {
        // Provider: Microsoft's `sub` differs from application to application; `oid` is the id that Graph shows.
        ProviderName::Microsoft365 => {
            Account::new(Some(text("oid")?), text("email").or(text("preferred_username")), text("name"))
        }
        ProviderName::Google => Account::new(Some(text("sub")?), text("email"), text("name")),
    }
}

/// The claims of an id_token. Its signature is not checked: it came straight from the token endpoint (OpenID Connect Core
/// 3.1.3.7, point 6).
fn claims(id_token: &str) -> Option<Value> {
    let payload = id_token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_account_is_read_from_each_answer() {
        use ProviderName::{Google, Microsoft365};
        let ada = |id: &str| Account { id: id.into(), address: Some("ada@x.example".into()), name: Some("Ada".into()) };
        let me = json!({"id":"0-1","displayName":"Ada","mail":"ada@x.example","userPrincipalName":"a@x.onmicrosoft.example"});
        assert_eq!(from_me(Microsoft365, &me), Some(ada("0-1")));
        let me = json!({"id":"0-1","displayName":"Ada","mail":null,"userPrincipalName":"ada@x.example"});
        assert_eq!(from_me(Microsoft365, &me), Some(ada("0-1")));
        let me = json!({"resourceName":"people/me","metadata":{"sources":[{"type":"CONTACT","id":"c"},{"type":"PROFILE","id":"117"}]},
            "names":[{"displayName":"Ada"}],
            "emailAddresses":[{"value":"old@x.example"},{"value":"ada@x.example","metadata":{"primary":true}}]});
        assert_eq!(from_me(Google, &me), Some(ada("117")));
        let me = json!({"resourceName":"people/118","names":[{"displayName":"Ada"}],"emailAddresses":[{"value":"ada@x.example"}]});
        assert_eq!(from_me(Google, &me), Some(ada("118")));
        let me = json!({"emailAddresses":[{"value":"Ada@x.example"}]});
        assert_eq!(from_me(Google, &me).unwrap().id, "address:ada@x.example");
        assert_eq!(from_me(Google, &json!({})), None);
        assert_eq!(from_claims(Google, &json!({"sub":"117","email":"ada@x.example","name":"Ada"})), Some(ada("117")));
        assert_eq!(from_claims(Microsoft365, &json!({"sub":"pairwise"})), None);
    }

    #[test]
    fn two_accounts_are_the_same_by_id_and_only_else_by_address() {
        let account = |id: &str, address: &str| Account { id: id.into(), address: Some(address.into()), name: None };
        for (what, one, other, expected) in [
            ("the same", account("1", "a@x"), account("1", "a@x"), true),
            ("the address changed", account("1", "a@x"), account("1", "b@x"), true),
            ("the address was given to somebody else", account("1", "a@x"), account("2", "a@x"), false),
            ("only an address was known", account("address:a@x", "a@x"), account("1", "A@x"), true),
            ("another address", account("address:a@x", "a@x"), account("1", "b@x"), false),
        ] {
            assert_eq!(one.is_same_as(&other), expected, "{what}");
            assert_eq!(other.is_same_as(&one), expected, "{what}, sides swapped");
        }
    }

    #[test]
    fn an_id_token_that_is_none_tells_nothing() {
        for text in ["", "a", "a.b.c", "a.!!.c", "a.eyJ.c"] {
            assert_eq!(claims(text), None, "{text}");
        }
    }
}
