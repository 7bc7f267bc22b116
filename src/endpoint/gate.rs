//! Who may ask, and who may change something.
//!
//! Three doors, one behind the other. The name by which the service is called must be its own: a page of a stranger whose name was made to
//! mean this machine (DNS rebinding) is turned away. Where a token is set, it must be known: as a bearer token, or once in the address of
//! the page, which then has a cookie. What changes something must come from the page itself: from its origin, with the word that it holds.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, ORIGIN};
use hyper::http::uri::Authority;
use std::net::{IpAddr, SocketAddr};

/// The doors of one listener.
#[derive(Clone)]
pub struct Gate {
    /// The address on which it listens, with the port that it got.
    pub at: SocketAddr,
    /// Names of its own.
    pub names: Vec<String>,
    /// What must be known, if anything must be.
    pub token: Option<String>,
    /// What the cookie of this process holds.
    pub session: String,
    /// What the forms of this process hold.
    pub form: String,
}

/// What becomes of somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// May go on.
    Open,
    /// Knows the token from the address of the page: gets the cookie, and goes on without it.
    Cookie,
    /// Is called by a name that is not its own.
    Misnamed,
    /// Does not know the token.
    Unknown,
}

/// Whether two texts are the same, in a time that says nothing of where they differ.
fn is_same(a: &str, b: &str) -> bool {
    let differs = a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| std::hint::black_box(differs | (a ^ b)));
    a.len() == b.len() && differs == 0
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl Gate {
    /// Tells who asks; `token` is what the address of the page says.
    pub fn entry(&self, headers: &HeaderMap, token: Option<&str>) -> Entry {
        if !text(headers, &HOST).is_some_and(|host| self.is_own(host)) {
            return Entry::Misnamed;
        }
        let Some(known) = &self.token else { return Entry::Open };
        let bearer = text(headers, &AUTHORIZATION).and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
        });
        if bearer.is_some_and(|bearer| is_same(bearer, known)) || self.has_cookie(headers) {
            return Entry::Open;
        }
        match token.is_some_and(|token| is_same(token, known)) {
            true => Entry::Cookie,
            false => Entry::Unknown,
        }
    }

    /// Whether what changes something comes from the page: `form` is the word that came with it.
    pub fn is_from_page(&self, headers: &HeaderMap, form: Option<&str>) -> bool {
        let host = text(headers, &HOST).unwrap_or_default();
        // A browser names the origin of every form; behind a proxy its scheme is another.
        let origin = text(headers, &ORIGIN).and_then(|origin| origin.split_once("://"));
        let is_same_origin = origin.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        is_same_origin
            && site.is_none_or(|site| site == "same-origin")
            && form.is_some_and(|form| is_same(form, &self.form))
    }

    /// The cookie's name holds the port: cookies of one machine do not tell ports apart.
    fn cookie_name(&self) -> String {
        format!("twofold-{}", self.at.port())
    }

    /// The cookie that whoever knows the token gets.
    pub fn cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name(), self.session)
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(key, value)| key == name && is_same(value, &self.session))
    }

    /// Whether a `Host` header means this service. Ports do not matter: a stranger's page has a name of its own.
    fn is_own(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match name.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || ip == self.at.ip() || self.at.ip().is_unspecified(),
            Err(_) => name == "localhost" || self.names.contains(&name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at: &str, token: Option<&str>) -> Gate {
        Gate {
            at: at.parse().unwrap(),
            names: vec!["sync.example.org".into()],
            token: token.map(str::to_owned),
            session: "a session".into(),
            form: "a word".into(),
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn it_answers_only_to_names_of_its_own() {
        let own = gate("127.0.0.1:8420", None);
        for host in ["127.0.0.1:8420", "localhost", "LOCALHOST:8420", "[::1]:8420", "127.0.0.2", "sync.example.org:443"]
        {
            assert_eq!(own.entry(&headers(&[("host", host)]), None), Entry::Open, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1:8420", "127.0.0.1.evil.example", "", "a@b/c"] {
            assert_eq!(own.entry(&headers(&[("host", host)]), None), Entry::Misnamed, "{host}");
        }
        assert_eq!(own.entry(&headers(&[]), None), Entry::Misnamed, "no name at all");
        let of = |at: &str, host: &str| gate(at, None).entry(&headers(&[("host", host)]), None);
        assert_eq!(of("10.0.0.1:8420", "10.0.0.1:8420"), Entry::Open);
        assert_eq!(of("10.0.0.1:8420", "10.0.0.2:8420"), Entry::Misnamed);
        assert_eq!(of("0.0.0.0:8420", "10.0.0.2:8420"), Entry::Open, "any address is its own, and no name");
        assert_eq!(of("[::]:8420", "evil.example"), Entry::Misnamed);
    }

    #[test]
    fn where_a_token_is_set_it_must_be_known() {
        let gate = gate("127.0.0.1:8420", Some("the token"));
        let entry = |more: &[(&'static str, &str)], token: Option<&str>| {
            gate.entry(&headers(&[&[("host", "localhost")], more].concat()), token)
        };
        assert_eq!(entry(&[], None), Entry::Unknown);
        for wrong in
            ["Bearer the tokem", "Bearer the toke", "Bearer the token1", "Bearer ", "Basic the token", "the token"]
        {
            assert_eq!(entry(&[("authorization", wrong)], None), Entry::Unknown, "{wrong}");
        }
        assert_eq!(entry(&[("authorization", "bearer the token")], None), Entry::Open);
        assert_eq!(entry(&[], Some("the token")), Entry::Cookie);
        assert_eq!(entry(&[], Some("")), Entry::Unknown);
        assert_eq!(entry(&[("cookie", "a=b; twofold-8420=a session")], None), Entry::Open);
        for wrong in ["twofold-8420=another", "twofold-8421=a session", "twofold-8420=", "twofold-8420"] {
            assert_eq!(entry(&[("cookie", wrong)], None), Entry::Unknown, "{wrong}");
        }
        let misnamed = headers(&[("host", "evil.example"), ("authorization", "Bearer the token")]);
        assert_eq!(gate.entry(&misnamed, None), Entry::Misnamed);
    }

    #[test]
    fn what_changes_something_comes_from_the_page_itself() {
        let gate = gate("127.0.0.1:8420", None);
        let is_from_page = |more: &[(&'static str, &str)], form: Option<&str>| {
            gate.is_from_page(&headers(&[&[("host", "localhost:8420")], more].concat()), form)
        };
        let own = ("origin", "http://localhost:8420");
        assert!(is_from_page(&[own], Some("a word")));
        assert!(is_from_page(&[own, ("sec-fetch-site", "same-origin")], Some("a word")));
        assert!(!is_from_page(&[own], Some("another")));
        assert!(!is_from_page(&[own], None));
        assert!(!is_from_page(&[], Some("a word")), "no origin");
        for origin in ["null", "http://localhost:8421", "http://evil.example", "http://localhost"] {
            assert!(!is_from_page(&[("origin", origin)], Some("a word")), "{origin}");
        }
        assert!(!is_from_page(&[own, ("sec-fetch-site", "cross-site")], Some("a word")));
    }
}
