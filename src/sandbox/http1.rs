//! HTTP/1.1 on a socket, written here so that a fault can end a connection at any byte: no framework lets a handler
//! promise a length and then hang up. Reads whole requests, hands them to the sandbox, writes whole replies.

use std::io::{self, Write};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::clock::http_date;
use crate::server::number;
use crate::{Kind, Provider, Request, RequestInfo, Response, Sandbox, google};

/// The longest request line with headers.
const MOST_HEAD: usize = 64 * 1024;
/// The longest body: the largest mail that Gmail takes, and a batch of twenty photos of 4 MB in base64.
const MOST_BODY: usize = 160 * 1024 * 1024;
/// Smaller bodies are not worth compressing.
const LEAST_GZIP: usize = 1024;

/// Accepts connections for ever. Dropping this future closes them all.
pub(crate) async fn serve(listener: TcpListener, sandbox: Sandbox) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let sandbox = sandbox.clone();
                    // A connection that fails is the client's affair; the sandbox goes on.
                    connections.spawn(async move { connection(stream, &sandbox).await.ok() });
                }
                // Out of file descriptors, most likely: some connection will end.
                Err(_) => sleep(Duration::from_millis(20)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, request after request.
async fn connection(mut stream: TcpStream, sandbox: &Sandbox) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    while let Some((request, keep_alive)) = read_request(&mut stream, &mut buffer).await? {
        let flight = Flight::begin(sandbox, &request);
        let latency_ms = if flight.info.kind == Kind::Api { sandbox.lock().switches.latency_ms } else { 0 };
        if latency_ms > 0 {
            sleep(Duration::from_millis(latency_ms)).await;
        }
        let outcome = sandbox.run(flight.info.clone(), &request);
        if outcome.delay_ms > 0 {
            sleep(Duration::from_millis(outcome.delay_ms)).await;
        }
        // The client may send its next request as soon as it has read this reply, so the flight ends before.
        drop(flight);
        if outcome.hangs {
            while stream.read_buf(&mut buffer).await? > 0 {}
            return Ok(());
        }
        let Some(reply) = outcome.reply else {
            return Ok(());
        };
        let date = http_date(sandbox.clock().now_ms());
        let bytes = write_reply(&request, reply.with_header("date", &date), keep_alive)?;
        if outcome.is_truncated {
            stream.write_all(&bytes[..bytes.len() - bytes.len() / 4 - 1]).await?;
            return stream.flush().await;
        }
        stream.write_all(&bytes).await?;
        if !keep_alive {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

/// A request between its arrival and its reply, counted for the limits on how many may overlap.
struct Flight<'a> {
    sandbox: &'a Sandbox,
    info: RequestInfo,
}

impl<'a> Flight<'a> {
    fn begin(sandbox: &'a Sandbox, request: &Request) -> Self {
        let mut state = sandbox.lock();
        let mut info = number(&mut state, request, false);
        let under_way = match info.provider {
            Some(Provider::Microsoft) if info.kind == Kind::Api => Some(&mut state.in_flight.graph),
            Some(Provider::Google) if google::mail::is_path(&info.path) => Some(&mut state.in_flight.mail),
            Some(Provider::Google) if info.is_write && google::calendar::is_path(&info.path) => {
                let calendar = google::calendar::named_in(&info.path).to_owned();
                Some(state.in_flight.calendar_writes.entry(calendar).or_default())
            }
            Some(Provider::Google) if info.is_write => Some(&mut state.in_flight.people_writes),
            _ => None,
        };
        if let Some(under_way) = under_way {
            info.overlaps = *under_way;
            *under_way += 1;
        }
        drop(state);
        Self { sandbox, info }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut state = self.sandbox.lock();
        match self.info.provider {
            Some(Provider::Microsoft) if self.info.kind == Kind::Api => state.in_flight.graph -= 1,
            Some(Provider::Google) if google::mail::is_path(&self.info.path) => state.in_flight.mail -= 1,
            Some(Provider::Google) if self.info.is_write && google::calendar::is_path(&self.info.path) => {
                let calendar = google::calendar::named_in(&self.info.path);
                if let Some(under_way) = state.in_flight.calendar_writes.get_mut(calendar) {
                    *under_way -= 1;
                }
            }
            Some(Provider::Google) if self.info.is_write => state.in_flight.people_writes -= 1,
            _ => {}
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The next request and whether the connection stays open after it; `None` = the client hung up between requests.
async fn read_request(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Option<(Request, bool)>> {
    let end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at;
        }
        if buffer.len() > MOST_HEAD {
            return Err(bad("head too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    };
    let head = buffer.split_to(end + 4);
    let head = std::str::from_utf8(&head).map_err(|_| bad("head is not text"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("not a request line"));
    };
    let mut request = Request::new(method, target);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("not a header"))?;
        request.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let is_chunked = request.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
    request.body = if is_chunked {
        read_chunks(stream, buffer).await?
    } else if let Some(length) = request.header("content-length") {
        let length = length.parse().map_err(|_| bad("content-length is no number"))?;
        read_exactly(stream, buffer, length).await?
    } else {
        Bytes::new()
    };
    let keep_alive = version == "HTTP/1.1"
        && !request.header("connection").is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    Ok(Some((request, keep_alive)))
}

async fn read_exactly(stream: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    if length > MOST_BODY {
        return Err(bad("body too long"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.split_to(length).freeze())
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let end = loop {
            if let Some(at) = find(buffer, b"\r\n") {
                break at;
            }
            if stream.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let line = buffer.split_to(end + 2);
        let size = std::str::from_utf8(&line).unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| bad("chunk size is no number"))?;
        let chunk = read_exactly(stream, buffer, size + 2).await?;
        if size == 0 {
            return Ok(body.freeze());
        }
        body.extend_from_slice(&chunk[..size]);
        if body.len() > MOST_BODY {
            return Err(bad("body too long"));
        }
    }
}

fn find(buffer: &[u8], needle: &[u8]) -> Option<usize> {
    buffer.windows(needle.len()).position(|window| window == needle)
}

/// The whole reply as bytes, compressed when the client asked in the provider's way.
fn write_reply(request: &Request, mut reply: Response, keep_alive: bool) -> io::Result<Vec<u8>> {
    if reply.body.len() >= LEAST_GZIP && wants_gzip(request) && reply.header("content-encoding").is_none() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&reply.body)?;
        reply.body = gzip.finish()?.into();
        reply.set_header("content-encoding", "gzip");
    }
    let mut bytes = Vec::with_capacity(reply.body.len() + 512);
    write!(bytes, "HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status))?;
    for (name, value) in &reply.headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    if reply.status != 204 && reply.status != 304 {
        write!(bytes, "content-length: {}\r\n", reply.body.len())?;
    }
    write!(bytes, "connection: {}\r\n\r\n", if keep_alive { "keep-alive" } else { "close" })?;
    if request.method != "HEAD" {
        bytes.extend_from_slice(&reply.body);
    }
    Ok(bytes)
}

/// Google compresses only when the user agent says "gzip" as well.
fn wants_gzip(request: &Request) -> bool {
    let asks = request.header("accept-encoding").is_some_and(|value| value.contains("gzip"));
    let names_it = request.header("user-agent").is_some_and(|value| value.contains("gzip"));
    asks && (names_it || !request.path.starts_with("/google/"))
}

/// The words beside a status.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        308 => "Resume Incomplete",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
