//! A body that is being held: each piece goes to memory, then to disk, then nowhere.

use super::disk::Writing;
use super::held::Held;
use super::memory::Memory;
use super::replay::{Kept, Replay};
use super::{HoldLimits, Spool};
use bytes::Bytes;
use http::HeaderMap;
use serve::Body;
use std::io;

/// A body that is being held.
pub(super) struct Holding<'a> {
    spool: &'a Spool,
    memory_left: u64,
    disk_left: u64,
    memory: Memory,
    disk: Option<Writing>,
    trailers: Option<HeaderMap>,
}

impl<'a> Holding<'a> {
    pub(super) fn new(spool: &'a Spool, limits: HoldLimits) -> Self {
        let HoldLimits { memory_bytes_max, disk_bytes_max } = limits;
        let memory = Memory::new(&spool.memory);
        Self { spool, memory_left: memory_bytes_max, disk_left: disk_bytes_max, memory, disk: None, trailers: None }
    }

    /// Keeps a piece, or returns it when there is no room. Without one the piece was taken, but the disk fails.
    pub(super) async fn keep(&mut self, data: Bytes) -> Result<(), Bytes> {
        let length = data.len() as u64;
        // In order: once something went to disk, so does everything behind it.
        if self.disk.is_none()
            && let Some(left) = self.memory_left.checked_sub(length)
            && self.memory.keep(&data)
        {
            self.memory_left = left;
            return Ok(());
        }
        let Some(left) = self.disk_left.checked_sub(length) else { return Err(data) };
        let disk = match &mut self.disk {
            Some(disk) if disk.grow(length) => disk,
            Some(_) => return Err(data),
            none => {
                let Some(share) = self.spool.disk.take(length) else { return Err(data) };
                match Writing::begin(&self.spool.directory, share, &self.spool.memory).await {
                    Ok(disk) => none.insert(disk),
                    Err(error) => {
                        self.disk_failed(&error);
                        return Err(data);
                    }
                }
            }
        };
        self.disk_left = left;
        if let Err(error) = disk.append(&data).await {
            self.disk_failed(&error);
            return Err(Bytes::new());
        }
        Ok(())
    }

    pub(super) fn trailers(&mut self, trailers: HeaderMap) {
        self.trailers = Some(trailers);
    }

    /// Nothing more comes.
    pub(super) async fn whole(mut self, body: Body) -> Body {
        self.flush().await;
        body.replaced_by(self.held())
    }

    /// Nothing more comes, and what came may be sent more than once.
    pub(super) async fn whole_for_long(mut self, body: Body) -> (Body, Replay) {
        self.flush().await;
        let Self { memory, disk, trailers, .. } = self;
        let (pieces, room) = memory.into_pieces();
        let (disk, behind) = disk.map(Writing::end).unzip();
        let replay = Replay::new(Kept { pieces, disk, behind: behind.unwrap_or_default(), trailers, _room: room });
        (body.replaced_by(replay.reading()), replay)
    }

    /// The rest can't be held: it follows as the client sends it, behind a piece that was returned.
    pub(super) async fn flowing(mut self, piece: Bytes, mut body: Body) -> Body {
        self.flush().await;
        let mut held = self.held();
        held.follow(piece, body.take_stream());
        body.replaced_by(held)
    }

    /// What can't be written stays in memory: it is less than two pieces.
    async fn flush(&mut self) {
        if let Some(disk) = &mut self.disk
            && let Err(error) = disk.flush().await
        {
            self.disk_failed(&error);
        }
    }

    fn held(self) -> Held {
        Held::new(self.memory, self.disk.map(Writing::end), self.trailers)
    }

    fn disk_failed(&self, error: &io::Error) {
        tracing::error!(directory = %self.spool.directory.display(), %error, "a body can't be held on disk");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_come_one_by_one_take_little_more_room_than_they_count_for() {
        serve::worker::local_runtime().expect("a runtime").block_on(async {
            let folder = tempfile::TempDir::new().expect("a folder");
            for (memory_max, unwritten_max) in [(1 << 20, 64 * 1024), (100_000, 4 * 1024)] {
                let spool = Spool::new(folder.path().to_owned(), memory_max, 1 << 20);
                let limits = HoldLimits { memory_bytes_max: 100_000, disk_bytes_max: 1 << 20 };
                let mut holding = Holding::new(&spool, limits);
                for _ in 0..200_000 {
                    assert_eq!(holding.keep(Bytes::from_static(b"x")).await, Ok(()));
                }
                assert_eq!((holding.memory.bytes(), holding.memory.pieces()), (100_000, 2));
                let written = holding.disk.as_ref().expect("a file").scratch().bytes();
                assert_eq!(written, 100_000 - 100_000 % unwritten_max, "written in pieces");
                assert_eq!(spool.disk.left(), (1 << 20) - 100_000);
                drop(holding.whole(Body::full("x")).await);
                assert_eq!((spool.memory.left(), spool.disk.left()), (memory_max, 1 << 20));
            }
        });
    }
}
