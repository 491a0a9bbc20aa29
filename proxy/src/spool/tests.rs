//! Bodies that are held in memory, on disk, and not at all; and what they leave behind.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};

const LIMITS: BodyLimits = BodyLimits { bytes_max: 1 << 20, progress_timeout: Duration::from_millis(1) };

fn pieces(pieces: &[&'static str]) -> Body {
    let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
    Body::stream(StreamBody::new(futures_util::stream::iter(frames)))
}

fn run<T>(test: impl Future<Output = T>) -> T {
    serve::worker::local_runtime().expect("a runtime").block_on(test)
}

fn hold(memory_bytes_max: u64, disk_bytes_max: u64) -> HoldLimits {
    HoldLimits { memory_bytes_max, disk_bytes_max }
}

#[test]
fn a_body_comes_out_as_it_went_in_wherever_it_was_held() {
    run(async {
        let folder = tempfile::TempDir::new().expect("a folder");
        for (memory, disk) in [(100, 100), (3, 100), (0, 100), (3, 3), (4, 0), (0, 0)] {
            let spool = Spool::new(folder.path().join("spool"), 1000, 1000);
            let held = spool.hold(pieces(&["abc", "def", "", "ghi"]), hold(memory, disk), LIMITS).await.expect("held");
            let whole = memory + disk >= 100;
            assert_eq!(held.size_hint().exact(), whole.then_some(9), "{memory} {disk}");
            let collected = held.collect().await.expect("readable").to_bytes();
            assert_eq!(collected, "abcdefghi", "{memory} {disk}");
            assert_eq!((spool.memory.left(), spool.disk.left()), (1000, 1000), "everything is given back");
        }
        let left = std::fs::read_dir(folder.path().join("spool")).expect("the folder").count();
        assert_eq!(left, 0, "held bodies have no names");
    });
}

#[test]
fn all_bodies_share_the_budgets() {
    run(async {
        let folder = tempfile::TempDir::new().expect("a folder");
        let spool = Spool::new(folder.path().to_owned(), 3, 3);
        let first = spool.hold(pieces(&["abc", "def"]), hold(100, 100), LIMITS).await.expect("held");
        assert_eq!((spool.memory.left(), spool.disk.left()), (0, 0));
        let second = spool.hold(pieces(&["ghi", "jkl"]), hold(100, 100), LIMITS).await.expect("streams on");
        assert_eq!(second.size_hint().exact(), None);
        assert_eq!(second.collect().await.expect("readable").to_bytes(), "ghijkl");
        drop(first);
        assert_eq!((spool.memory.left(), spool.disk.left()), (3, 3));
    });
}

#[test]
fn trailers_follow() {
    run(async {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("1"));
        let frames = vec![Ok(Frame::data(Bytes::from_static(b"abc"))), Ok(Frame::trailers(trailers.clone()))];
        let body = Body::stream(StreamBody::new(futures_util::stream::iter(frames)));
        let spool = Spool::new(std::env::temp_dir(), 1000, 0);
        let held = spool.hold(body, hold(100, 0), LIMITS).await.expect("held");
        assert!(!held.is_end_stream());
        assert_eq!(held.size_hint().exact(), None, "sent with its length it would lose them");
        assert_eq!(held.collect().await.expect("readable").trailers(), Some(&trailers));
    });
}

#[test]
fn clients_that_are_too_slow_send_too_much_or_break_off() {
    run(async {
        let spool = Spool::new(std::env::temp_dir(), 1000, 0);
        let never = Body::stream(StreamBody::new(futures_util::stream::pending()));
        let limits = hold(100, 0);
        assert_eq!(spool.hold(never, limits, LIMITS).await.err(), Some(BodyError::TooSlow));
        let small = BodyLimits { bytes_max: 5, ..LIMITS };
        let outcome = spool.hold(pieces(&["abc", "def"]), limits, small).await;
        assert_eq!(outcome.err(), Some(BodyError::TooLarge { limit_bytes: 5 }));
        let broken = vec![Err(BodyError::Disconnected)];
        let broken = Body::stream(StreamBody::new(futures_util::stream::iter(broken)));
        assert_eq!(spool.hold(broken, limits, LIMITS).await.err(), Some(BodyError::Disconnected));
        assert_eq!(spool.memory.left(), 1000);
    });
}

#[test]
fn a_disk_that_fails_refuses_nobody() {
    run(async {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let spool = Spool::new(file.path().join("below-a-file"), 1000, 1000);
        let held = spool.hold(pieces(&["abc", "def"]), hold(3, 100), LIMITS).await.expect("streams on");
        assert_eq!(held.collect().await.expect("readable").to_bytes(), "abcdef");
        assert_eq!(spool.disk.left(), 1000);
    });
}
