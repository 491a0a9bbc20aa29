//! Every byte leaves once and in order, whatever it came as and however little the other end takes.

use super::*;
use crate::transport::Transport;
use proptest::prelude::*;
use std::future::poll_fn;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;
use tokio::net::{TcpStream, UnixStream};

/// Takes as many bytes at a time as it is told, and then none until asked again.
struct Slow {
    taken: Vec<u8>,
    steps: Vec<usize>,
}

impl AsyncWrite for Slow {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(step) = self.steps.pop() else { return Poll::Pending };
        let count = step.min(buf.len());
        self.taken.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(step) = self.steps.pop() else { return Poll::Pending };
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).take(step).collect();
        self.taken.extend_from_slice(&all);
        Poll::Ready(Ok(all.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

proptest! {
    #[test]
    fn every_byte_leaves_once_and_in_order(
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..40)), 0..60),
        steps in prop::collection::vec(1_usize..50, 0..200),
    ) {
        let mut outgoing = Outgoing::default();
        let mut slow = Slow { taken: Vec::new(), steps };
        let mut wanted = Vec::new();
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        for (is_text, bytes) in pieces {
            wanted.extend_from_slice(&bytes);
            if is_text {
                outgoing.text(|out| out.extend_from_slice(&bytes));
            } else {
                outgoing.data(Bytes::from(bytes));
            }
            if slow.steps.len().is_multiple_of(3) {
                let _ = outgoing.poll_write(cx, &mut slow);
            }
        }
        slow.steps = vec![usize::MAX; 100];
        prop_assert!(outgoing.poll_write(cx, &mut slow).is_ready());
        prop_assert!(outgoing.is_empty());
        prop_assert_eq!(slow.taken, wanted);
    }
}

/// Buffers as small as the kernel lets them be, so that nothing leaves in one go.
async fn narrow() -> (Transport, TcpStream) {
    let listening = TcpSocket::new_v4().expect("a socket");
    listening.set_send_buffer_size(1).expect("a size");
    listening.bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
    let listener = listening.listen(1).expect("listening");
    let connecting = TcpSocket::new_v4().expect("a socket");
    connecting.set_recv_buffer_size(1).expect("a size");
    let client = connecting.connect(listener.local_addr().expect("an address")).await.expect("connected");
    let (server, _) = listener.accept().await.expect("accepted");
    (Transport::Tcp(server), client)
}

fn file(length: usize) -> (Arc<File>, Vec<u8>) {
    let content: Vec<u8> =
        (0..length).map(|index| u8::try_from((index * 7 + index / 251) % 251).expect("small")).collect();
    let named = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(named.path(), &content).expect("written");
    (Arc::new(File::options().read(true).write(true).open(named.path()).expect("open")), content)
}

fn part(file: &Arc<File>, offset: u64, length: usize) -> FilePart {
    FilePart { file: Arc::clone(file), offset, length }
}

#[tokio::test]
async fn a_file_leaves_whole_between_what_is_before_and_behind_it_however_little_fits() {
    for framing in [Framing::Length(0), Framing::Chunked] {
        let (mut server, mut client) = narrow().await;
        let (file, content) = file(300_000);
        let mut out = Outgoing::default();
        let (mut wanted, large) = (b"head".to_vec(), vec![b'x'; 70_000]);
        out.text(|out| out.extend_from_slice(b"head"));
        for (start, length) in [(0, 65_536), (65_536, 234_464), (299_999, 1), (5, 0)] {
            out.file(framing, part(&file, start as u64, length));
            if framing == Framing::Chunked && length > 0 {
                wanted.extend_from_slice(format!("{length:x}\r\n").as_bytes());
            }
            wanted.extend_from_slice(&content[start..start + length]);
            if framing == Framing::Chunked && length > 0 {
                wanted.extend_from_slice(b"\r\n");
            }
        }
        // Bytes in two pieces before a file, and bytes behind all.
        for _ in 0..2 {
            out.text(|out| out.extend_from_slice(b"tail"));
            out.data(Bytes::from(large.clone()));
            out.file(Framing::Length(0), part(&file, 7, 100));
            wanted.extend_from_slice(b"tail");
            wanted.extend_from_slice(&large);
            wanted.extend_from_slice(&content[7..107]);
        }
        out.text(|out| out.extend_from_slice(b"end"));
        wanted.extend_from_slice(b"end");
        assert_eq!(out.bytes(), wanted.len());
        let mut waits = 0;
        let (sent, got) = tokio::join!(
            async {
                let sent = poll_fn(|cx| {
                    let polled = out.poll_send(cx, &mut server);
                    waits += usize::from(polled.is_pending());
                    polled
                });
                let sent = sent.await;
                drop(server);
                sent
            },
            async {
                let mut got = Vec::new();
                client.read_to_end(&mut got).await.map(|_| got)
            }
        );
        sent.expect("sent");
        assert!(got.expect("read") == wanted, "{framing:?}");
        assert!(waits > 3, "it never had to wait: {waits}");
    }
}

#[tokio::test]
async fn a_file_that_shrinks_while_its_reader_sleeps_is_an_error_and_no_hang() {
    let (mut server, mut client) = narrow().await;
    let (file, _) = file(1_000_000);
    let mut out = Outgoing::default();
    out.file(Framing::Length(1_000_000), part(&file, 0, 1_000_000));
    let blocked = poll_fn(|cx| Poll::Ready(out.poll_send(cx, &mut server).is_pending()));
    assert!(blocked.await, "more than fits");
    file.set_len(10).expect("truncated");
    let (sent, _) = tokio::join!(
        async {
            let sent = poll_fn(|cx| out.poll_send(cx, &mut server)).await;
            drop(server);
            sent
        },
        async {
            let mut got = Vec::new();
            let _ = client.read_to_end(&mut got).await;
            assert!(got.len() < 1_000_000);
        }
    );
    assert_eq!(sent.expect_err("it ended early").kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_client_that_has_left_is_an_error() {
    let (mut server, client) = narrow().await;
    let (file, _) = file(1_000_000);
    drop(client);
    let mut out = Outgoing::default();
    out.text(|out| out.extend_from_slice(b"head"));
    out.file(Framing::Length(1_000_000), part(&file, 0, 1_000_000));
    assert!(poll_fn(|cx| out.poll_send(cx, &mut server)).await.is_err());
}

#[tokio::test]
async fn only_tcp_in_the_clear_sends_files() {
    let (ours, _peer) = UnixStream::pair().expect("a pair");
    let mut unix = Transport::Unix(ours);
    assert!(!unix.sends_files());
    let (file, _) = file(10);
    let refused = poll_fn(|cx| unix.poll_send_file(cx, &file, 0, 10)).await;
    assert_eq!(refused.expect_err("no").kind(), io::ErrorKind::Unsupported);
}
