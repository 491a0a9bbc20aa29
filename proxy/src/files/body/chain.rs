//! Several bodies as one: the parts of an answer with several ranges.

use super::{FileBody, PIECES_PER_TURN};
use bytes::Bytes;
use http_body::{Body, Frame};
use serve::BodyError;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bodies that are still to be sent, in their order.
#[derive(Debug)]
pub(super) struct Chain {
    bodies: VecDeque<FileBody>,
    /// Delivered since the last turn ended; the bodies count only their own.
    frames: u32,
}

impl Chain {
    pub(super) fn new(bodies: Vec<FileBody>) -> Self {
        Self { bodies: bodies.into(), frames: 0 }
    }

    /// In bytes.
    pub(super) fn remaining(&self) -> u64 {
        self.bodies.iter().filter_map(|body| body.size_hint().exact()).sum()
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(body) = self.bodies.front_mut() {
            if self.frames >= PIECES_PER_TURN {
                self.frames = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(None) => {
                    self.bodies.pop_front();
                }
                Poll::Ready(Some(Ok(frame))) => {
                    self.frames += 1;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.bodies.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => {
                    self.frames = 0;
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::disk::Disk;
    use http_body_util::BodyExt;
    use std::fs::File;
    use std::sync::Arc;
    use std::task::Waker;
    use std::time::Duration;

    #[tokio::test]
    async fn bodies_follow_each_other() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), "0123456789").expect("write");
        let opened = Arc::new(File::open(file.path()).expect("open"));
        let disk = Disk::of(0, Duration::from_secs(60));
        let memory = FileBody::memory(Bytes::from_static(b"<"));
        let body = FileBody::chain(vec![
            memory,
            FileBody::stream(Arc::clone(&opened), 2, 3, Arc::clone(&disk)),
            FileBody::empty(),
            FileBody::stream(opened, 9, 1, disk),
        ]);
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(body.collect().await.expect("body").to_bytes(), "<2349");
        assert!(FileBody::chain(Vec::new()).is_end_stream());
    }

    #[tokio::test]
    async fn a_file_that_shrinks_ends_the_whole() {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        let opened = Arc::new(File::open(file.path()).expect("open"));
        let mut body = FileBody::chain(vec![
            FileBody::stream(opened, 0, 10, Disk::of(0, Duration::from_secs(60))),
            FileBody::memory(Bytes::from_static(b">")),
        ]);
        assert!(matches!(body.frame().await, Some(Err(BodyError::File))));
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn many_parts_let_others_have_a_turn() {
        let parts = (0..PIECES_PER_TURN + 1).map(|_| FileBody::memory(Bytes::from_static(b"x"))).collect();
        let mut body = FileBody::chain(parts);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..PIECES_PER_TURN {
            assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        }
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
    }
}
