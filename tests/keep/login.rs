//! Signing in on a server, with the browser on another machine.

use crate::common::{BOTH, GOOGLE, Home, Talk, get, visit};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use twofold_sandbox::Options;
use url::Url;

/// Starts `login` as somebody does who came by ssh.
fn by_ssh(home: &Home, args: &[&str]) -> Talk {
    let mut command = home.command(args);
    command.env("SSH_CONNECTION", "198.51.100.4 50022 192.0.2.7 2222").env("USER", "ada");
    home.talk(command, args)
}

fn redirect_of(address: &str) -> Url {
    let url = Url::parse(address).unwrap();
    let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    Url::parse(&redirect).unwrap()
}

/// Carries one connection from a port of the other machine to one of the server, as `ssh -L` does.
fn tunnel(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut here, _) = listener.accept().unwrap();
        let mut there = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut up, mut down) = (here.try_clone().unwrap(), there.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(length @ 1..) = up.read(&mut bytes) {
                if down.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        });
        let mut answer = Vec::new();
        there.read_to_end(&mut answer).unwrap();
        here.write_all(&answer).unwrap();
        here.shutdown(std::net::Shutdown::Both).unwrap();
    });
    port
}

#[test]
fn the_line_that_is_printed_carries_the_browser_s_answer_to_the_server() {
    for name in BOTH {
        // Nobody asked for it: there is no screen.
        for args in [&["login", name][..], &["login", name, "--no-browser"]] {
            let home = Home::new(Options::demo(), &[name]);
            let mut talk = by_ssh(&home, args);
            let address = talk.address().unwrap();
            let port = redirect_of(&address).port().unwrap();
            // The browser's machine: what comes back to that port goes through the tunnel.
            let mut back = Url::parse(&get(&address).unwrap()).unwrap();
            assert_eq!(back.port(), Some(port));
            back.set_port(Some(tunnel(port))).unwrap();
            back.set_host(Some("127.0.0.1")).unwrap();
            visit(back.as_str());
            let line = format!("ssh -N -p 2222 -L {port}:127.0.0.1:{port} ada@192.0.2.7\n");
            let ran = talk.end().expect(0).says(&[&line, "leave it open", "Signed in at"]);
            home.names_a_command(&ran.says(&[&format!("twofold login {name} --paste")]));
            home.sync().expect(0);
        }
    }
}

#[test]
fn who_typed_it_for_a_service_s_account_is_told_to_paste_as_that_account() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let args = ["login", "google", "--no-browser"];
    let mut command = home.command(&args);
    command.env("SUDO_USER", "of-a-directory");
    let mut talk = home.talk(command, &args);
    visit(&talk.address().unwrap());
    let named = format!(" twofold --config {} login google --paste\n", home.config().display());
    talk.end().expect(0).says(&["type: sudo -u ", &named, " of-a-directory@"]);
}

#[test]
fn what_is_to_be_pasted_is_said_step_by_step() {
    let home = Home::new(Options::demo(), &GOOGLE);
    let mut talk = by_ssh(&home, &["login", "google", "--paste"]);
    let address = talk.address().unwrap();
    talk.type_line(&get(&address).unwrap());
    let ran = talk.end().expect(0);
    let at = |words: &str| ran.err.find(words).unwrap_or_else(|| panic!("{words}: {ran}"));
    assert!(at("1. Open this address") < at("2. Sign in") && at("3. Copy") < at("Paste that address here"), "{ran}");
}

#[test]
fn a_code_is_typed_on_a_phone() {
    let home = Home::new(Options::demo(), &["microsoft365"]);
    let mut talk = by_ssh(&home, &["login", "microsoft365", "--device-code"]);
    let (address, code) = (talk.line().unwrap(), talk.line().unwrap());
    assert!(address.starts_with("http") && !code.is_empty());
    talk.end().expect(0).says(&["waits until that is done", "Signed in at Microsoft"]);
}
