//! The listener: opened where the configuration says, again where it cannot be, anew when that changes. Nothing of it holds up a run.

use super::answer::{self, Teller};
use super::gate::Gate;
use crate::config::{Endpoint, TOKEN_CHARS};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rand::Rng;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::watch::Receiver;
use tokio::task::AbortHandle;

/// So many connections are served at a time. The next one takes the place of the one that is waited for longest, or waits where none is.
const CONNECTIONS: usize = 32;
/// The head of a request must be whole within this time …
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// … and what it asks for be fetched within this one.
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// A head is no longer, in bytes.
const HEAD_MOST: usize = 16 * 1024;
/// An address that could not be had is tried again then.
const AGAIN: Duration = Duration::from_secs(30);

/// Serves at the address that `wanted` says, for as long as anybody may change it. What cannot be served is told once, and once when it can.
pub async fn keep(mut wanted: Receiver<Option<Endpoint>>, teller: Arc<dyn Teller>) {
    let (mut session, form) = (random(), random());
    let mut known: Option<String> = None;
    let mut told: Option<String> = None;
    loop {
        let endpoint = wanted.borrow_and_update().clone();
        let opened = match endpoint {
            Some(endpoint) => Some(open(endpoint).await),
            None => None,
        };
        let is_over = match opened {
            None => wanted.changed().await.is_err(),
            Some(Ok((listener, at, names, token))) => {
                if told.take().is_some() {
                    tracing::info!("over: the endpoint");
                }
                tracing::info!("the page is at http://{at}/");
                // Whoever came in with another token has to know the new one.
                if token != known {
                    session = random();
                    known.clone_from(&token);
                }
                let gate = Gate { at, names, token, session: session.clone(), form: form.clone() };
                tokio::select! {
                    () = serve(listener, Arc::new(gate), teller.clone()) => false,
                    changed = wanted.changed() => changed.is_err(),
                }
            }
            Some(Err(words)) => {
                if told.as_ref() != Some(&words) {
                    tracing::warn!("endpoint: {words}");
                    told = Some(words);
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => false,
                    changed = wanted.changed() => changed.is_err(),
                }
            }
        };
        if is_over {
            return;
        }
    }
}

type Opened = (TcpListener, SocketAddr, Vec<String>, Option<String>);

async fn open(endpoint: Endpoint) -> Result<Opened, String> {
    // A command may print the token.
    let read = move || endpoint.token.map(|token| token.read("token in [endpoint]")).transpose();
    let token = match tokio::task::spawn_blocking(read).await {
        Ok(token) => token.map_err(|error| error.to_string())?,
        Err(error) => return Err(format!("the token cannot be read: {error}")),
    };
    if token.as_ref().is_some_and(|token| token.chars().count() < TOKEN_CHARS) {
        return Err(format!(
            "the token is shorter than {TOKEN_CHARS} characters; nothing is served, and the sync goes on"
        ));
    }
    let cannot = |error| {
        format!(
            "it cannot listen on {} ({error}); nothing is served there, the sync goes on, and it is tried again. Who has the address: ss -ltnp",
            endpoint.listen
        )
    };
    let listener = TcpListener::bind(endpoint.listen).await.map_err(cannot)?;
    let at = listener.local_addr().map_err(cannot)?;
    Ok((listener, at, endpoint.names, token))
}

/// 256 bits that nobody guesses, as hexadecimal digits.
fn random() -> String {
    rand::rng().random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One connection under way.
struct Seat {
    task: AbortHandle,
    /// It waits for us; else we wait for what it sends, or until it takes its answer.
    waits: Arc<AtomicBool>,
}

async fn serve(listener: TcpListener, gate: Arc<Gate>, teller: Arc<dyn Teller>) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    // In the order in which they came.
    let mut seats: VecDeque<Seat> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Too many files are open, or the other side went away: neither lasts.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        seats.retain(|seat| !seat.task.is_finished());
        if free.available_permits() == 0
            && let Some(at) = seats.iter().position(|seat| !seat.waits.load(Ordering::SeqCst))
            && let Some(seat) = seats.remove(at)
        {
            seat.task.abort();
        }
        // Invariant: nobody closes it.
        let Ok(permit) = free.clone().acquire_owned().await else { return };
        let (gate, teller, waits) = (gate.clone(), teller.clone(), Arc::new(AtomicBool::new(false)));
        let told = waits.clone();
        let task = tokio::spawn(async move {
            // Whoever is too slow is cut off; what was begun for them is done all the same.
            let _ = tokio::time::timeout(ALL_WITHIN, connection(stream, gate, teller, told)).await;
            drop(permit);
        });
        seats.push_back(Seat { task: task.abort_handle(), waits });
    }
}

async fn connection(stream: TcpStream, gate: Arc<Gate>, teller: Arc<dyn Teller>, waits: Arc<AtomicBool>) {
    let answer = service_fn(move |request: Request<Incoming>| {
        let (gate, teller, waits) = (gate.clone(), teller.clone(), waits.clone());
        async move {
            let request = answer::whole(request).await;
            waits.store(true, Ordering::SeqCst);
            let answer = answer::answer(request, gate, teller).await;
            waits.store(false, Ordering::SeqCst);
            answer
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_MOST)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!("a connection to the endpoint broke off: {error}");
    }
}
