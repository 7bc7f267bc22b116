//! `[endpoint]`: where the service tells of itself, and who may ask.

use super::places::Places;
use super::table::Table;
use super::{Result, Secret, secret};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What the section stands for when it names no address.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8420);
/// A shorter token can be guessed.
pub const TOKEN_CHARS: usize = 16;

/// `[endpoint]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The address on which it listens.
    pub listen: SocketAddr,
    /// What whoever asks has to know. Without one, whoever can reach the address may ask: this machine only.
    pub token: Option<Secret>,
    /// Names by which it is called, besides addresses and `localhost`.
    pub names: Vec<String>,
}

/// The section, if it stands there.
pub(super) fn endpoint(top: &Table<'_>, places: &Places<'_>) -> Result<Option<Endpoint>> {
    let Some(table) = top.table("endpoint")? else { return Ok(None) };
    table.allow(&["listen", "token", "names"], &[])?;
    let listen = match table.get("listen") {
        None => DEFAULT,
        Some(value) => {
            let todo = "Write an address of this machine and a port, such as \"127.0.0.1:8420\" or \"[::1]:8420\".";
            value.word()?.parse().map_err(|_| value.wrong("is no address and port", todo))?
        }
    };
    let token = table.get("token").map(|value| secret(&value, places)).transpose()?;
    if let (Some(Secret::Plain(text)), Some(value)) = (&token, table.get("token"))
        && text.chars().count() < TOKEN_CHARS
    {
        return Err(
            value.wrong("is too short", &format!("Write {TOKEN_CHARS} characters or more that nobody guesses."))
        );
    }
    if let (None, false, Some(value)) = (&token, listen.ip().is_loopback(), table.get("listen")) {
        let todo = "Add token = { file = \"…\" } there, or listen on 127.0.0.1.";
        return Err(value.wrong("can be reached from other machines, and there is no token", todo));
    }
    let mut names = Vec::new();
    for value in table.get("names").map(|value| value.list()).transpose()?.unwrap_or_default() {
        let name = value.word()?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')) {
            return Err(
                value.wrong("is no name of a machine", "Write names without ports, such as \"sync.example.org\".")
            );
        }
        names.push(name.to_ascii_lowercase());
    }
    Ok(Some(Endpoint { listen, token, names }))
}
