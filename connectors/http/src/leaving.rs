//! The body of a large request, handed on in pieces, so that it is seen whether it still leaves: nobody else tells.

use crate::clock::lock;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::time::Instant;

/// How much is handed on at a time.
const PIECE: usize = 64 << 10;
/// What may stand in buffers on its way out, so that its leaving is not seen: Linux keeps 4 MiB of a connection.
const BUFFERED: usize = 4 << 20;
/// The slowest line on which that still comes through, half a megabit a second.
const SLOWEST_BYTES_PER_MS: usize = 64;

/// When the last piece of a request left. All copies are one.
#[derive(Clone)]
pub(crate) struct Left(Arc<Mutex<Instant>>);

impl Left {
    /// So far nothing has; it begins now.
    pub(crate) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// The moment.
    pub(crate) fn at(&self) -> Instant {
        *lock(&self.0)
    }
}

/// Milliseconds that the end of a body of that length may take to leave unseen: all of it where nobody waits.
pub(crate) fn unseen_ms(length: usize, is_waited_for: bool) -> u64 {
    let most = if is_waited_for { BUFFERED } else { usize::MAX };
    (length.min(most) / SLOWEST_BYTES_PER_MS) as u64
}

/// The body.
pub(crate) struct Leaving {
    bytes: Bytes,
    left: Left,
}

impl Leaving {
    /// Of these bytes. What leaves of them is noted there.
    pub(crate) fn new(bytes: Bytes, left: Left) -> Self {
        Self { bytes, left }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.bytes.len().min(PIECE);
        *lock(&self.left.0) = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(self.bytes.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Exact: a server is told the length of what comes (RFC 9110 8.6).
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn all_of_a_body_leaves_in_pieces_and_it_is_seen_when_the_last_one_did() {
        let bytes: Bytes = (0..200_000_u32).map(|number| number as u8).collect();
        let (left, began) = (Left::now(), Instant::now());
        let mut body = Box::pin(Leaving::new(bytes.clone(), left.clone()));
        let (mut came, mut pieces) = (Vec::new(), 0);
        while !body.is_end_stream() {
            assert_eq!(body.size_hint().exact(), Some((bytes.len() - came.len()) as u64));
            tokio::time::advance(Duration::from_secs(20)).await;
            let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await.unwrap().unwrap();
            came.extend_from_slice(&frame.into_data().unwrap());
            pieces += 1;
            assert_eq!(left.at() - began, Duration::from_secs(20 * pieces));
        }
        assert_eq!((came.len(), came == bytes, pieces), (bytes.len(), true, 4));
        assert!(std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await.is_none());
    }

    #[test]
    fn what_of_a_body_leaves_unseen_holds_others_no_longer_where_it_is_larger() {
        assert_eq!((unseen_ms(0, true), unseen_ms(64_000, true)), (0, 1_000));
        assert_eq!((unseen_ms(4 << 20, true), unseen_ms(150 << 20, true)), (65_536, 65_536));
        assert_eq!(unseen_ms(64_000_000, false), 1_000_000);
    }
}
