//! A small server on a raw socket, so that a test decides about every byte and sees every request; and the usual client.
#![allow(dead_code, missing_docs)]

use async_trait::async_trait;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use twofold_http::{
    Budget, Client, ClientOptions, Clock, Dialect, Limits, ManualClock, Response, TokenSource, judge_by_status,
};
use twofold_model::{Error, ErrorKind, Result};
use url::Url;

pub const T0: u64 = 1_700_000_000_000;

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn bearer(&self) -> &str {
        self.header("authorization").unwrap_or("none")
    }
}

/// What the server does with a request.
pub enum Reply {
    /// These bytes, and the connection stays open.
    Raw(Vec<u8>),
    /// These bytes, and the connection is closed.
    RawThenClose(Vec<u8>),
    /// Nothing: the connection is dropped.
    Drop,
    /// After that many real milliseconds, the inner reply.
    Late(u64, Vec<u8>),
}

pub fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut head = format!("HTTP/1.1 {status} Said\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 204 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    Reply::Raw(bytes)
}

pub fn json(text: &str) -> Reply {
    reply(200, &[("content-type", "application/json; charset=utf-8")], text.as_bytes())
}

pub fn status(status: u16) -> Reply {
    reply(status, &[("content-type", "application/json")], b"{}")
}

type Script = Arc<dyn Fn(usize, &Seen) -> Reply + Send + Sync>;

/// Answers by a script: the number of the request (from 0), the request, the reply.
pub struct Server {
    pub url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

impl Server {
    pub async fn start(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/v1.0", listener.local_addr().unwrap())).unwrap();
        let server = Server { url, seen: Arc::default(), at_once: Arc::default(), most_at_once: Arc::default() };
        let script: Script = Arc::new(script);
        let (seen, at_once, most) = (server.seen.clone(), server.at_once.clone(), server.most_at_once.clone());
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, connection, script.clone(), seen.clone(), at_once.clone(), most.clone()));
            }
        });
        server
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    connection: usize,
    script: Script,
    seen: Arc<Mutex<Vec<Seen>>>,
    at_once: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, connection).await {
        most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let reply = script(number, &request);
        if let Reply::Late(ms, _) = &reply {
            tokio::time::sleep(std::time::Duration::from_millis(*ms)).await;
        }
        at_once.fetch_sub(1, Ordering::SeqCst);
        match reply {
            Reply::Raw(bytes) | Reply::Late(_, bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::RawThenClose(bytes) => return stream.write_all(&bytes).await.unwrap(),
            Reply::Drop => return,
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Seen> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let length = headers.iter().find(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(0, |(_, v)| v.parse().unwrap());
    while buffer.len() < head_end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end + 4..head_end + 4 + length].to_vec();
    buffer.drain(..head_end + 4 + length);
    Some(Seen { method: first.next()?.into(), path: first.next()?.into(), headers, body, connection })
}

/// Speaks plain statuses, calls status 403 with a reason a throttling, and sends one header of its own.
pub struct Plain;

impl Dialect for Plain {
    fn judge(&self, response: &Response) -> Error {
        if response.status == 403 && response.body.windows(4).any(|w| w == b"rate") {
            return Error::new(ErrorKind::Throttled { retry_after_s: Some(2) }, "the provider says: slower");
        }
        judge_by_status(response)
    }

    fn pauses_writes_only(&self, response: &Response) -> bool {
        response.header("x-writes-only").is_some()
    }

    fn decorate(&self, headers: &mut Vec<(String, String)>) {
        headers.push(("prefer".into(), "IdType=\"ImmutableId\"".into()));
    }
}

/// Tokens `token-0`, `token-1` ...; each renewal counts.
#[derive(Default)]
pub struct Tokens {
    pub renewals: AtomicUsize,
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self) -> Result<String> {
        Ok(format!("token-{}", self.renewals.load(Ordering::SeqCst)))
    }

    async fn renewed(&self, refused: &str) -> Result<String> {
        assert_eq!(refused, self.token().await?);
        self.renewals.fetch_add(1, Ordering::SeqCst);
        self.token().await
    }
}

pub fn graph_budget() -> Arc<Budget> {
    Arc::new(Budget::new(Limits { concurrency: 4, requests_per_window: Some((10_000, 600)), ..Limits::default() }))
}

/// The usual client at that address, with a clock that jumps over waits.
pub fn options(base: &Url) -> (ClientOptions, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::hurried(T0));
    let options = ClientOptions::new(base.clone(), Arc::new(Plain))
        .token(Arc::new(Tokens::default()))
        .budget(graph_budget())
        .clock(clock.clone());
    (options, clock)
}

pub fn client(server: &Server) -> (Client, Arc<ManualClock>) {
    let (options, clock) = options(&server.url);
    (Client::new(options).unwrap(), clock)
}

pub fn waited_s(clock: &ManualClock) -> f64 {
    (clock.now_ms() - T0) as f64 / 1000.0
}
