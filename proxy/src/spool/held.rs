//! A body made of what is in memory, what is on disk, and what is still to come, in this order.

use super::budget::{Budget, Share};
use super::disk::Scratch;
use super::in_place_of;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::{Body, BodyError};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A body that is being held.
pub(super) struct Holding {
    budget: Arc<Budget>,
    memory_left: u64,
    held: Held,
}

/// What stands for a body.
#[derive(Default)]
pub(super) struct Held {
    memory: VecDeque<(Bytes, Share)>,
    memory_bytes: u64,
    disk: Option<OnDisk>,
    /// A piece that fitted nowhere, before the rest.
    between: Option<Bytes>,
    rest: Option<Body>,
    trailers: Option<HeaderMap>,
}

struct OnDisk {
    scratch: Scratch,
    read: u64,
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
}

impl Holding {
    pub(super) fn new(budget: &Arc<Budget>, memory_left: u64) -> Self {
        Self { budget: Arc::clone(budget), memory_left, held: Held::default() }
    }

    /// Keeps a piece in memory, or returns it when there is no room.
    pub(super) fn keep(&mut self, data: Bytes) -> Result<(), Bytes> {
        let length = data.len() as u64;
        let Some((left, share)) = self.memory_left.checked_sub(length).zip(self.budget.take(length)) else {
            return Err(data);
        };
        self.memory_left = left;
        self.held.memory_bytes += length;
        // A copy: the piece may be a small part of a large buffer, which would not be counted.
        self.held.memory.push_back((Bytes::copy_from_slice(&data), share));
        Ok(())
    }

    pub(super) fn on_disk(&mut self, scratch: Scratch) {
        self.held.disk.get_or_insert(OnDisk { scratch, read: 0, reading: None });
    }

    pub(super) fn trailers(&mut self, trailers: HeaderMap) {
        self.held.trailers = Some(trailers);
    }

    /// Nothing more comes.
    pub(super) fn whole(self, body: Body) -> Body {
        in_place_of(body, self.held)
    }

    /// The rest can't be held: it follows as the client sends it.
    pub(super) fn flowing(mut self, piece: Bytes, mut body: Body) -> Body {
        self.held.between = Some(piece);
        self.held.rest = Some(body.take_stream());
        in_place_of(body, self.held)
    }
}

impl Held {
    fn on_disk_left(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.scratch.bytes() - disk.read)
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some((data, _)) = this.memory.pop_front() {
            this.memory_bytes -= data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if this.on_disk_left() > 0
            && let Some(disk) = &mut this.disk
        {
            let reading = disk.reading.get_or_insert_with(|| Box::pin(disk.scratch.clone().read(disk.read)));
            let outcome = ready!(reading.as_mut().poll(cx));
            disk.reading = None;
            return Poll::Ready(Some(match outcome {
                Ok(data) => {
                    disk.read += data.len() as u64;
                    Ok(Frame::data(data))
                }
                Err(error) => {
                    tracing::error!(%error, "a held body can't be read from disk");
                    Err(BodyError::File)
                }
            }));
        }
        this.disk = None;
        if let Some(data) = this.between.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rest) = &mut this.rest {
            return Pin::new(rest).poll_frame(cx);
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0) && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.memory_bytes + self.on_disk_left() + self.between.as_ref().map_or(0, |data| data.len() as u64);
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(held.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held)) {
            hint.set_upper(upper);
        }
        hint
    }
}
