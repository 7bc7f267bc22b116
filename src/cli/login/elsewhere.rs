//! Signing in on a machine on which nobody sits: what to type there, and what to do at the machine with the browser.

use twofold_auth::Flow;
use url::Url;

/// Where this program runs, as far as somebody must know to reach it.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// Who logs in here; `None`: not known, as where systemd started this for a service's account.
    pub user: Option<String>,
    /// The name of this machine.
    pub host: String,
    /// How somebody is connected by ssh: this machine's address as they reach it, and the port.
    pub ssh: Option<(String, String)>,
    /// There is a screen on which a browser can be opened.
    pub has_screen: bool,
}

impl Here {
    /// As the environment says.
    pub fn of_process() -> Here {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let ssh = text("SSH_CONNECTION").and_then(|value| {
            let words: Vec<&str> = value.split_whitespace().collect();
            let [_, _, address, port] = words[..] else { return None };
            Some((address.to_owned(), port.to_owned()))
        });
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        // Behind sudo stands who is logged in.
        let user = text("SUDO_USER").or_else(|| text("USER")).or_else(|| text("LOGNAME"));
        Here {
            user: user.filter(|user| has_shell(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), user)),
            host: host.trim().to_owned(),
            ssh,
            has_screen: text("DISPLAY").or_else(|| text("WAYLAND_DISPLAY")).is_some(),
        }
    }

    /// The way to sign in that was asked for, with no browser where there is no screen for one.
    pub fn fitting(&self, flow: Flow) -> Flow {
        match flow {
            Flow::Loopback { open_browser } => Flow::Loopback { open_browser: open_browser && self.has_screen },
            other => other,
        }
    }

    /// `ssh` with what names this machine.
    fn ssh_to(&self) -> (String, String) {
        let user = self.user.as_deref().unwrap_or("YOU");
        match &self.ssh {
            Some((address, port)) => {
                let option = if port == "22" { String::new() } else { format!(" -p {port}") };
                (option, format!("{user}@{address}"))
            }
            None => {
                (String::new(), format!("{user}@{}", if self.host.is_empty() { "THIS-MACHINE" } else { &self.host }))
            }
        }
    }
}

/// Whether somebody can log in by that name (`passwd(5)`); whom the file does not know comes from a directory, and can.
fn has_shell(passwd: &str, user: &str) -> bool {
    let row = passwd.lines().find(|row| row.split(':').next() == Some(user));
    let shell = row.and_then(|row| row.rsplit(':').next()).unwrap_or_default();
    !shell.ends_with("/nologin") && !shell.ends_with("/false")
}

/// What to do with the address that was printed; nothing where a browser opens by itself. `paste`: what is typed to sign in without a way here.
pub fn advice(flow: Flow, address: &str, here: &Here, paste: &str) -> Option<String> {
    match flow {
        Flow::Loopback { open_browser: true } | Flow::DeviceCode => None,
        Flow::Loopback { open_browser: false } => {
            let (option, target) = here.ssh_to();
            Some(match port_of(address) {
                None => "Open this address in a browser on this machine and sign in there.".into(),
                Some(port) => format!(
                    "Open this address in a browser and sign in there; it is one line, however your terminal shows it. This waits for 10 \
                     minutes.\nIf the browser is on another machine, type this in a terminal there first, and leave it open:\n  \
                     ssh -N{option} -L {port}:127.0.0.1:{port} {target}\nWithout ssh, end this with Ctrl+C and type: {paste}"
                ),
            })
        }
        Flow::Paste => Some(
            "1. Open this address in a browser on any machine; it is one line, however your terminal shows it.\n2. Sign in and allow what is \
             asked. The browser then ends at a page that it cannot show: that is as it should be.\n3. Copy the whole address of that page \
             from the browser's address bar, within a few minutes."
                .into(),
        ),
    }
}

/// The port of this machine to which the browser is sent back.
fn port_of(address: &str) -> Option<u16> {
    let url = Url::parse(address).ok()?;
    let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, value)| value.into_owned())?;
    Url::parse(&redirect).ok()?.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "https://a.example/auth?client_id=x&redirect_uri=http%3A%2F%2Flocalhost%3A40123&state=s";
    const NO_BROWSER: Flow = Flow::Loopback { open_browser: false };

    fn said(here: &Here) -> String {
        advice(NO_BROWSER, ADDRESS, here, "twofold login google --paste").unwrap()
    }

    #[test]
    fn the_line_for_the_other_machine_can_be_typed_as_it_stands() {
        let mut here = Here { user: Some("ada".into()), host: "srv1".into(), ..Here::default() };
        assert!(said(&here).contains("\n  ssh -N -L 40123:127.0.0.1:40123 ada@srv1\n"), "{}", said(&here));
        here.ssh = Some(("192.0.2.7".into(), "22".into()));
        assert!(said(&here).contains("ssh -N -L 40123:127.0.0.1:40123 ada@192.0.2.7\n"));
        here.ssh = Some(("192.0.2.7".into(), "2222".into()));
        assert!(said(&here).contains("ssh -N -p 2222 -L 40123:127.0.0.1:40123 ada@192.0.2.7\n"));
        assert!(said(&here).contains("twofold login google --paste"));
        here.user = None;
        assert!(said(&here).contains(" YOU@192.0.2.7\n"));
    }

    #[test]
    fn nobody_is_sent_to_an_account_that_cannot_log_in() {
        let passwd = "ada:x:1000:1000::/home/ada:/bin/bash\ntwofold:x:990:990::/var/lib/twofold:/usr/sbin/nologin\n";
        assert_eq!(["ada", "twofold", "of-ldap"].map(|user| has_shell(passwd, user)), [true, false, true]);
    }

    #[test]
    fn no_browser_is_started_where_there_is_no_screen() {
        let asked = Flow::Loopback { open_browser: true };
        assert_eq!(Here::default().fitting(asked), NO_BROWSER);
        assert_eq!(Here { has_screen: true, ..Here::default() }.fitting(asked), asked);
        assert_eq!(Here::default().fitting(Flow::Paste), Flow::Paste);
        assert_eq!(advice(asked, ADDRESS, &Here::default(), ""), None);
    }
}
