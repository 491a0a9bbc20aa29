//! Request bodies that are held until they are whole, so that a slow client costs the application nothing.
//!
//! The first bytes stay in memory, what follows goes to a file without a name. What fits in neither streams on: a
//! buffer never refuses a request. What is held as a whole can be sent more than once (`replay`). All requests of the process share one budget of memory and one of disk.

mod disk;
mod held;
mod holding;
mod memory;
mod replay;
#[cfg(test)]
mod tests;

use crate::budget::Budget;
use bytes::Bytes;
pub use replay::Replay;

use holding::Holding;
use http_body::Body as _;
use serve::timer::Deadline;
use serve::{Body, BodyError};
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Where bodies are held, and how much of the machine they may take together.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    memory: Arc<Budget>,
    disk: Arc<Budget>,
}

/// What one route holds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldLimits {
    /// Bytes in memory.
    pub memory_bytes_max: u64,
    /// Bytes on disk, behind those.
    pub disk_bytes_max: u64,
}

/// What holds for the body whether it is held or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of the whole.
    pub bytes_max: u64,
    /// Between two pieces.
    pub progress_timeout: Duration,
}

impl Spool {
    /// Holds bodies in files below `directory`, which is made when the first one is needed.
    #[must_use]
    pub fn new(directory: PathBuf, memory_bytes_max: u64, disk_bytes_max: u64) -> Arc<Self> {
        let (memory, disk) = (Budget::new(memory_bytes_max), Budget::new(disk_bytes_max));
        Arc::new(Self { directory, memory, disk })
    }

    /// Reads a body until it is whole or no more of it may be held, and returns what then stands for it.
    ///
    /// # Errors
    /// When the client breaks off, sends too much, or is too slow. A disk that fails is no error: the body streams on.
    pub async fn hold(&self, body: Body, hold: HoldLimits, limits: BodyLimits) -> Result<Body, BodyError> {
        if body.is_end_stream() {
            return Ok(body);
        }
        match self.take(body, hold, limits).await? {
            (holding, body, None) => Ok(holding.whole(body).await),
            (holding, body, Some(piece)) => Ok(holding.flowing(piece, body).await),
        }
    }

    /// As [`Self::hold`]; what is held as a whole is kept until the last replay of it is gone, and not only until it was
    /// sent.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub async fn hold_for_long(
        &self,
        body: Body,
        hold: HoldLimits,
        limits: BodyLimits,
    ) -> Result<(Body, Option<Replay>), BodyError> {
        if body.is_end_stream() {
            return Ok((body, None));
        }
        match self.take(body, hold, limits).await? {
            (holding, body, None) => {
                let (body, replay) = holding.whole_for_long(body).await;
                Ok((body, Some(replay)))
            }
            (holding, body, Some(piece)) => Ok((holding.flowing(piece, body).await, None)),
        }
    }

    /// Takes what there is and what there is room for; the piece is the first that had none.
    async fn take(
        &self,
        mut body: Body,
        hold: HoldLimits,
        limits: BodyLimits,
    ) -> Result<(Holding<'_>, Body, Option<Bytes>), BodyError> {
        let mut holding = Holding::new(self, hold);
        let deadline = Deadline::after(limits.progress_timeout);
        let mut bytes = 0;
        loop {
            let frame = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                Poll::Pending => deadline.poll(cx).map(|()| Some(Err(BodyError::TooSlow))),
                ready => ready,
            });
            let Some(frame) = frame.await.transpose()? else { return Ok((holding, body, None)) };
            deadline.set(limits.progress_timeout);
            match frame.into_data() {
                Ok(data) => {
                    bytes += data.len() as u64;
                    if bytes > limits.bytes_max {
                        return Err(BodyError::TooLarge { limit_bytes: limits.bytes_max });
                    }
                    if let Err(data) = holding.keep(data).await {
                        return Ok((holding, body, Some(data)));
                    }
                }
                Err(frame) => holding.trailers(frame.into_trailers().unwrap_or_default()),
            }
        }
    }
}
