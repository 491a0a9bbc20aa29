//! A body made of what is in memory, what is on disk, and what is still to come, in this order.

use super::disk::Scratch;
use super::memory::Memory;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use serve::{Body, BodyError};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What stands for a body.
pub(super) struct Held {
    memory: Memory,
    disk: Option<OnDisk>,
    /// Pieces that fitted nowhere, before the rest. At most two, and none is empty.
    between: VecDeque<Bytes>,
    rest: Option<Body>,
    trailers: Option<HeaderMap>,
}

struct OnDisk {
    scratch: Scratch,
    read: u64,
    reading: Option<Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>>,
}

impl Held {
    /// `disk`: a file, and what could not be written to it.
    pub(super) fn new(memory: Memory, disk: Option<(Scratch, Bytes)>, trailers: Option<HeaderMap>) -> Self {
        let mut held = Self { memory, disk: None, between: VecDeque::new(), rest: None, trailers };
        if let Some((scratch, unwritten)) = disk {
            held.disk = Some(OnDisk { scratch, read: 0, reading: None });
            held.put_between(unwritten);
        }
        held
    }

    /// Appends what could not be held.
    pub(super) fn follow(&mut self, piece: Bytes, rest: Body) {
        self.put_between(piece);
        self.rest = Some(rest);
    }

    fn put_between(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.between.push_back(piece);
        }
    }

    fn on_disk_left(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.scratch.bytes() - disk.read)
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(data) = this.memory.next() {
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
        if let Some(data) = this.between.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(rest) = &mut this.rest {
            return Pin::new(rest).poll_frame(cx);
        }
        Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    /// Not exact while trailers are to follow: a body that is sent with its length has no place for them.
    fn size_hint(&self) -> SizeHint {
        let between: u64 = self.between.iter().map(|data| data.len() as u64).sum();
        let held = self.memory.bytes() + self.on_disk_left() + between;
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(held.saturating_add(rest.lower()));
        if self.trailers.is_none()
            && let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(held))
        {
            hint.set_upper(upper);
        }
        hint
    }
}
