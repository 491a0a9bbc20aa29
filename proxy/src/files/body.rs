//! The body of a file answer: bytes from memory, or a large file in pieces.

mod chain;
mod sealed;

use super::disk::Disk;
use super::piece::{self, PIECE_BYTES};
use super::read;
use bytes::Bytes;
use chain::Chain;
use http_body::{Body, Frame, SizeHint};
use rustix::io::Errno;
pub(super) use sealed::Sealed;
use serve::{BodyError, FilePart, Part};
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Pieces that one body may deliver before the worker's other connections have a turn: 1 MiB.
const PIECES_PER_TURN: u32 = 16;

/// Pieces that the kernel is asked to send by one call: 512 KiB. A call for less costs more for each byte, and one for
/// more would be nearly all that a worker does in a turn.
const PIECES_PER_PART: u32 = 8;

/// The body of a file answer. At most one piece of it is in memory beside what the connection has still to write.
#[derive(Debug)]
pub struct FileBody(Kind);

#[derive(Debug)]
enum Kind {
    Memory(Option<Bytes>),
    /// The same, and the copy of them that the kernel can send.
    Sealed(Option<(Bytes, Sealed)>),
    Stream(FileStream),
    Chain(Box<Chain>),
}

impl FileBody {
    /// No body: HEAD, 304, redirects.
    pub(super) const fn empty() -> Self {
        Self(Kind::Memory(None))
    }

    /// Bytes at hand.
    pub(super) fn memory(bytes: Bytes) -> Self {
        Self(Kind::Memory((!bytes.is_empty()).then_some(bytes)))
    }

    /// Bytes at hand, and a copy of them.
    pub(super) fn sealed(bytes: Bytes, copy: Sealed) -> Self {
        Self(Kind::Sealed((!bytes.is_empty()).then_some((bytes, copy))))
    }

    /// `length` bytes of a file from `offset` on.
    pub(super) const fn stream(file: Arc<File>, offset: u64, length: u64, disk: Arc<Disk>) -> Self {
        Self(Kind::Stream(FileStream { file, disk, offset, remaining: length, pieces: 0, fetch: None }))
    }

    /// One after the other.
    pub(super) fn chain(bodies: Vec<Self>) -> Self {
        Self(Kind::Chain(Box::new(Chain::new(bodies))))
    }
}

impl FileBody {
    /// The next part: of a large file as one for the kernel to send, if the page cache holds it.
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyError>>> {
        match &mut self.0 {
            Kind::Stream(stream) => stream.poll_part(cx),
            Kind::Sealed(content) => Poll::Ready(content.take().map(|(_, copy)| Ok(Part::File(copy.part())))),
            Kind::Memory(_) | Kind::Chain(_) => {
                Pin::new(self).poll_frame(cx).map(|frame| frame.map(|frame| frame.map(Part::Frame)))
            }
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Memory(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Sealed(content) => Poll::Ready(content.take().map(|(bytes, _)| Ok(Frame::data(bytes)))),
            Kind::Stream(stream) => stream.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            Kind::Chain(chain) => chain.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Memory(bytes) => bytes.is_none(),
            Kind::Sealed(content) => content.is_none(),
            Kind::Stream(stream) => stream.remaining == 0,
            Kind::Chain(chain) => chain.remaining() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Kind::Memory(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Kind::Sealed(content) => content.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64),
            Kind::Stream(stream) => stream.remaining,
            Kind::Chain(chain) => chain.remaining(),
        })
    }
}

/// A buffer on its way back from a blocking thread.
type Fetched = Result<io::Result<(Box<[u8]>, usize)>, Errno>;

/// A part of an open file that is still to be sent.
#[derive(Debug)]
struct FileStream {
    file: Arc<File>,
    disk: Arc<Disk>,
    offset: u64,
    remaining: u64,
    /// Delivered since the last turn ended.
    pieces: u32,
    /// Set while a blocking thread waits for the disk.
    fetch: Option<Fetch>,
}

/// Boxed: most pieces come from the page cache.
struct Fetch(Pin<Box<dyn Future<Output = Fetched> + Send>>);

impl std::fmt::Debug for Fetch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetch").finish_non_exhaustive()
    }
}

impl FileStream {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        if let Some(fetch) = &mut self.fetch {
            let fetched = ready!(fetch.0.as_mut().poll(cx));
            self.fetch = None;
            self.pieces = 0;
            let Ok(Ok((buffer, count))) = fetched else { return self.fail() };
            return self.deliver(buffer, count);
        }
        if self.pieces >= PIECES_PER_TURN {
            self.pieces = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut buffer = piece::take();
        let wanted = usize::try_from(self.remaining).unwrap_or(PIECE_BYTES).min(buffer.len());
        if let Some(count) = read::from_page_cache(&self.file, &mut buffer[..wanted], self.offset) {
            return self.deliver(buffer, count);
        }
        let (file, disk, offset) = (Arc::clone(&self.file), Arc::clone(&self.disk), self.offset);
        let fetch = move || {
            let count = read::from_disk(&file, &mut buffer[..wanted], offset)?;
            Ok((buffer, count))
        };
        self.fetch = Some(Fetch(Box::pin(async move { disk.ask(fetch).await })));
        self.poll_piece(cx)
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Part, BodyError>>> {
        let pieces = self.pieces_at_hand();
        if pieces == 0 {
            return self
                .poll_piece(cx)
                .map(|piece| piece.map(|piece| piece.map(|data| Part::Frame(Frame::data(data)))));
        }
        let length = self.ahead(pieces as usize * PIECE_BYTES);
        let part = FilePart { file: Arc::clone(&self.file), offset: self.offset, length };
        self.pieces += pieces;
        self.offset += length as u64;
        self.remaining -= length as u64;
        Poll::Ready(Some(Ok(Part::File(part))))
    }

    /// How many of the next pieces the kernel can send without waiting for the disk. As it reads ahead, and lets go of,
    /// more than a piece, the first and last byte of each tell of the whole.
    fn pieces_at_hand(&self) -> u32 {
        if self.fetch.is_some() || self.remaining == 0 {
            return 0;
        }
        let most = PIECES_PER_PART.min(PIECES_PER_TURN.saturating_sub(self.pieces));
        let mut pieces = 0;
        while pieces < most {
            let begin = pieces as usize * PIECE_BYTES;
            let end = self.ahead(begin + PIECE_BYTES);
            if begin >= end {
                break;
            }
            let at = |ahead: usize| read::is_byte_in_page_cache(&self.file, self.offset + ahead as u64);
            // The first byte of a piece lies beside the last one of the piece before.
            if (pieces == 0 && !at(0)) || !at(end - 1) {
                break;
            }
            pieces += 1;
        }
        pieces
    }

    /// This many bytes, or as many as are left.
    fn ahead(&self, bytes: usize) -> usize {
        usize::try_from(self.remaining).map_or(bytes, |remaining| remaining.min(bytes))
    }

    fn deliver(&mut self, buffer: Box<[u8]>, count: usize) -> Poll<Option<Result<Bytes, BodyError>>> {
        if count == 0 {
            // The file has become shorter than its Content-Length: only closing the connection tells the client.
            piece::give_back(buffer);
            return self.fail();
        }
        self.pieces += 1;
        self.offset += count as u64;
        self.remaining = self.remaining.saturating_sub(count as u64);
        Poll::Ready(Some(Ok(piece::freeze(buffer, count))))
    }

    fn fail(&mut self) -> Poll<Option<Result<Bytes, BodyError>>> {
        self.remaining = 0;
        Poll::Ready(Some(Err(BodyError::File)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::places::Places;
    use super::*;
    use http_body_util::BodyExt;
    use std::task::Waker;

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|index| u8::try_from(index % 251).expect("small")).collect()
    }

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, Arc<File>) {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), content).expect("write");
        let opened = Arc::new(File::open(file.path()).expect("open"));
        (file, opened)
    }

    fn disk() -> Arc<Disk> {
        Disk::of(0, std::time::Duration::from_secs(60))
    }

    #[tokio::test]
    async fn a_large_file_arrives_whole_in_pieces() {
        let content = numbered(10 * 1024 * 1024 + 17);
        let (_kept, file) = file(&content);
        let body = FileBody::stream(file, 0, content.len() as u64, disk());
        assert_eq!(body.size_hint().exact(), Some(content.len() as u64));
        assert_eq!(body.collect().await.expect("body").to_bytes(), content);
    }

    #[tokio::test]
    async fn a_part_is_exactly_that_part() {
        let content = numbered(300_000);
        let (_kept, file) = file(&content);
        for (offset, length) in [(0, 1), (65_535, 2), (65_536, 65_536), (1, 299_999), (299_999, 1), (123, 0)] {
            let body = FileBody::stream(Arc::clone(&file), offset as u64, length as u64, disk());
            let bytes = body.collect().await.expect("body").to_bytes();
            assert_eq!(bytes, content[offset..offset + length], "{offset} {length}");
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_while_it_is_sent_is_an_error() {
        let content = numbered(200_000);
        let (kept, file) = file(&content);
        let mut body = FileBody::stream(file, 0, content.len() as u64, disk());
        let first = body.frame().await.expect("frame").expect("piece").into_data().expect("data");
        assert_eq!(first, content[..first.len()]);
        kept.as_file().set_len(first.len() as u64).expect("truncate");
        assert!(matches!(body.frame().await, Some(Err(BodyError::File))));
        assert!(body.frame().await.is_none(), "it ends there");
    }

    #[tokio::test]
    async fn a_long_body_lets_others_have_a_turn() {
        let content = numbered(PIECE_BYTES * (PIECES_PER_TURN as usize + 1));
        let (_kept, file) = file(&content);
        let mut body = FileBody::stream(file, 0, content.len() as u64, disk());
        let mut cx = Context::from_waker(Waker::noop());
        let mut delivered = 0;
        while Pin::new(&mut body).poll_frame(&mut cx).is_ready() {
            delivered += 1;
            assert!(delivered <= PIECES_PER_TURN);
        }
        body.collect().await.expect("the rest");
    }

    /// What a connection that sends files would send, and how much of it was never read here.
    async fn parts(mut body: FileBody) -> (Result<Vec<u8>, BodyError>, usize) {
        let (mut bytes, mut by_kernel) = (Vec::new(), 0);
        while let Some(part) = std::future::poll_fn(|cx| body.poll_part(cx)).await {
            match part {
                Ok(Part::Frame(frame)) => bytes.extend_from_slice(&frame.into_data().expect("data")),
                Ok(Part::File(FilePart { file, offset, length })) => {
                    let mut part = vec![0; length];
                    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut part, offset).expect("the part is there");
                    bytes.extend_from_slice(&part);
                    by_kernel += length;
                }
                Err(error) => return (Err(error), by_kernel),
            }
        }
        (Ok(bytes), by_kernel)
    }

    #[tokio::test]
    async fn parts_for_the_kernel_are_the_same_bytes() {
        let content = numbered(PIECE_BYTES * (PIECES_PER_TURN as usize + 2) + 17);
        let (_kept, file) = file(&content);
        let is_known = read::is_byte_in_page_cache(&file, 0);
        for (offset, length) in [(0, content.len()), (1, PIECE_BYTES), (PIECE_BYTES, 1), (5, 0)] {
            let body = FileBody::stream(Arc::clone(&file), offset as u64, length as u64, disk());
            let (bytes, by_kernel) = parts(body).await;
            assert_eq!(bytes.expect("whole"), content[offset..offset + length], "{offset} {length}");
            assert!(!is_known || by_kernel == length, "{by_kernel} of {length}");
        }
        let (bytes, by_kernel) = parts(FileBody::memory(Bytes::from_static(b"hello"))).await;
        assert_eq!((bytes.expect("whole"), by_kernel), (b"hello".to_vec(), 0));
    }

    #[tokio::test]
    async fn what_is_in_memory_and_sealed_is_sent_by_the_kernel() {
        let content = Bytes::from(numbered(PIECE_BYTES + 17));
        let sealed = Sealed::copy(&content, Places::default().take()).expect("a copy");
        let body = || FileBody::sealed(content.clone(), sealed.clone());
        let (sent, by_kernel) = parts(body()).await;
        assert_eq!((sent.expect("whole"), by_kernel), (content.to_vec(), content.len()));
        assert_eq!(body().size_hint().exact(), Some(content.len() as u64));
        assert!(!body().is_end_stream());
        assert_eq!(body().collect().await.expect("body").to_bytes(), content);
    }

    #[tokio::test]
    async fn no_part_is_given_of_what_a_file_has_lost() {
        let (kept, file) = file(&numbered(3 * PIECE_BYTES));
        kept.as_file().set_len(PIECE_BYTES as u64 + 10).expect("truncate");
        let (outcome, by_kernel) = parts(FileBody::stream(file, 0, 3 * PIECE_BYTES as u64, disk())).await;
        assert_eq!(outcome.expect_err("it is too short"), BodyError::File);
        assert!(by_kernel <= PIECE_BYTES);
    }

    #[tokio::test]
    async fn a_long_body_in_parts_lets_others_have_a_turn() {
        let content = numbered(PIECE_BYTES * (PIECES_PER_TURN as usize + 1));
        let (_kept, file) = file(&content);
        let mut body = FileBody::stream(file, 0, content.len() as u64, disk());
        let mut cx = Context::from_waker(Waker::noop());
        let mut delivered = 0;
        while body.poll_part(&mut cx).is_ready() {
            delivered += 1;
            assert!(delivered <= PIECES_PER_TURN);
        }
    }

    #[tokio::test]
    async fn an_empty_body_has_ended() {
        assert!(FileBody::empty().is_end_stream());
        assert!(FileBody::memory(Bytes::new()).is_end_stream());
        assert!(!FileBody::memory(Bytes::from_static(b"x")).is_end_stream());
        assert_eq!(FileBody::memory(Bytes::from_static(b"x")).collect().await.expect("body").to_bytes(), "x");
    }
}
