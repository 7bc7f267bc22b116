//! The network itself: TLS with an extra authority, timeouts, what is loaded when.
#![allow(missing_docs)]

mod common;

use common::{Reply, Server, json, options};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use twofold_http::{Client, Method, Network, NetworkTransport, Request, Transport, TransportError, Wire};
use twofold_model::ErrorKind;
use url::Url;

fn own(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(file)
}

/// Answers every request with `{}` over TLS, with the certificate of `tests/tls` (made for these tests, trusted nowhere).
fn tls_server() -> Url {
    let chain = vec![CertificateDer::from_pem_file(own("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(own("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("https://localhost:{}", listener.local_addr().unwrap().port())).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut session, &mut stream);
            let mut request = [0; 4096];
            if tls.read(&mut request).is_ok_and(|n| n > 0) {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                tls.write_all(answer).unwrap();
            }
        }
    });
    url
}

async fn ask(url: &Url, network: Network) -> twofold_model::Result<twofold_http::Response> {
    let (mut options, _) = options(url);
    options.network = network;
    Client::new(options).unwrap().send(Request::get("list contacts", "/me")).await
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_when_named_and_only_then() {
    let url = tls_server();
    let with_ca = Network { ca_file: Some(own("ca.pem")), ..Network::default() };
    assert_eq!(ask(&url, with_ca).await.unwrap().body, b"{}");
    let error = ask(&url, Network::default()).await.unwrap_err();
    // Without any root of the system the network cannot be set up at all; with them, this server is not believed.
    assert!(matches!(error.kind, ErrorKind::Offline | ErrorKind::Misconfigured), "{error}");
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_named() {
    for (file, words) in [("no-such.pem", "cannot be read"), ("server.key", "no certificate")] {
        let network = Network { ca_file: Some(own(file)), ..Network::default() };
        let error = ask(&Url::parse("https://localhost:1").unwrap(), network).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Misconfigured);
        assert!(error.message.contains(words) && error.message.contains(file), "{error}");
    }
}

#[tokio::test]
async fn this_machine_is_never_asked_through_a_proxy() {
    let server = Server::start(|_, _| json("{}")).await;
    let network = Network { proxy: Some("http://user:hush@127.0.0.1:1".into()), ..Network::default() };
    assert!(!format!("{network:?}").contains("hush"));
    ask(&server.url, network).await.unwrap();
}

#[tokio::test]
async fn elsewhere_is_asked_through_the_proxy() {
    let proxy = Server::start(|_, _| Reply::Drop).await;
    let network = Network {
        proxy: Some(proxy.url.join("/").unwrap().to_string()),
        ca_file: Some(own("ca.pem")),
        ..Network::default()
    };
    let error = ask(&Url::parse("https://graph.example").unwrap(), network).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Offline, "{error}");
    let seen = &proxy.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("CONNECT", "graph.example:443"));
    assert_eq!(seen.header("authorization"), None, "the proxy never sees the bearer");
}

#[tokio::test]
async fn an_exchange_ends_with_its_time() {
    let Reply::Raw(bytes) = json("{}") else { unreachable!() };
    let server = Server::start(move |_, _| Reply::Late(5_000, bytes.clone())).await;
    let wire = Wire {
        what: "list contacts",
        method: Method::Get,
        url: server.url.clone(),
        headers: vec![("authorization".into(), "Bearer hush".into())],
        body: bytes::Bytes::new(),
        timeout_ms: 50,
        silence_ms: 5_000,
        hurry: None,
        max_body: 100,
        heard: Default::default(),
    };
    assert!(!format!("{wire:?}").contains("hush"));
    let answer = NetworkTransport::new(Network::default()).exchange(&wire).await;
    assert_eq!(answer.unwrap_err(), TransportError::TimedOut);
}

/// A server on a slow line: so many bytes, so many times, with a twentieth of a second before each.
async fn dripping(bytes: usize, times: usize) -> Url {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = wire.read(&mut [0; 4_096]).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: message/rfc822\r\ncontent-length: {}\r\n\r\n",
                    bytes * times
                );
                let _ = wire.write_all(head.as_bytes()).await;
                for _ in 0..times {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    if wire.write_all(&vec![b'x'; bytes]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_message_has_more_time_as_long_as_it_comes_at_some_speed_and_no_other_answer_has() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network { spill: Some(folder.path().to_owned()), ..Network::default() };
    let transport = NetworkTransport::new(network);
    let wire = |url: Url| Wire {
        what: "read message",
        method: Method::Get,
        url,
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        timeout_ms: 1_500,
        silence_ms: 5_000,
        hurry: None,
        max_body: 1 << 20,
        heard: Default::default(),
    };
    let brisk = wire(dripping(20_000, 40).await);
    assert_eq!(transport.exchange_spilling(&brisk).await.unwrap().length(), 800_000);
    assert_eq!(transport.exchange(&brisk).await.unwrap_err(), TransportError::TimedOut);
    let slow = wire(dripping(100, 40).await);
    assert_eq!(transport.exchange_spilling(&slow).await.unwrap_err(), TransportError::TimedOut);
}

#[tokio::test]
async fn a_client_for_this_machine_costs_next_to_nothing() {
    let server = Server::start(|_, _| json("{}")).await;
    let began = Instant::now();
    for _ in 0..20 {
        // A CA file that does not exist would be an error if anything of TLS were loaded.
        let network = Network { ca_file: Some(own("no-such.pem")), ..Network::default() };
        ask(&server.url, network).await.unwrap();
    }
    assert!(began.elapsed().as_millis() < 1_000, "{:?} for twenty", began.elapsed());
}

#[tokio::test]
async fn a_large_body_arrives_whole_and_its_length_is_told_before() {
    let server = Server::start(|_, _| json("{}")).await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|number| (number / 7) as u8).collect();
    let wire = Wire {
        what: "upload",
        method: Method::Put,
        url: server.url.clone(),
        headers: Vec::new(),
        body: body.clone().into(),
        timeout_ms: 60_000,
        silence_ms: 5_000,
        hurry: None,
        max_body: 100,
        heard: Default::default(),
    };
    NetworkTransport::new(Network::default()).exchange(&wire).await.unwrap();
    let seen = server.seen().remove(0);
    assert_eq!(seen.header("content-length"), Some("3000000"));
    assert_eq!(seen.header("transfer-encoding"), None);
    assert!(seen.body == body);
}
