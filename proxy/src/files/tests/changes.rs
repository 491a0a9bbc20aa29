//! Files that change while they are served: what arrives always matches its validator.

use super::*;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use http_body::Body as _;
use serve::BodyError;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test]
async fn a_change_is_noticed_after_a_second() {
    let mut site = Site::new(&[("a.txt", b"old")]);
    let old = site.get("/a.txt").await.expect("old");
    replace(&site.path("a.txt"), b"new");
    site.start += Duration::from_millis(900);
    assert_eq!(site.get("/a.txt").await.expect("still fresh").body, "old");
    site.start += Duration::from_millis(100);
    let new = site.get_if("/a.txt", IF_NONE_MATCH, old.field(ETAG)).await.expect("looked at");
    assert_eq!((new.head.status, &new.body[..]), (StatusCode::OK, &b"new"[..]));
    assert_ne!(new.field(ETAG), old.field(ETAG));
}

#[tokio::test]
async fn an_unchanged_file_stays_in_memory_with_the_same_bytes() {
    let mut site = Site::new(&[("a.txt", b"same")]);
    let first = site.get("/a.txt").await.expect("first");
    site.start += Duration::from_secs(5);
    let second = site.get("/a.txt").await.expect("second");
    assert_eq!(first.body.as_ptr(), second.body.as_ptr());
}

#[tokio::test]
async fn a_removed_file_leaves_memory() {
    let mut site = Site::new(&[("a.txt", b"old")]);
    site.get("/a.txt").await.expect("file");
    std::fs::remove_file(site.path("a.txt")).expect("remove");
    site.start += Duration::from_secs(1);
    assert_eq!(site.get("/a.txt").await.err(), Some(FileError::NotFound { no_store: true }));
    assert_eq!(site.files.bytes(), 0);
}

#[tokio::test]
async fn a_file_that_outgrows_memory_is_streamed() {
    let mut site = Site::new(&[("a.bin", b"small")]);
    site.get("/a.bin").await.expect("small");
    replace(&site.path("a.bin"), &[7; 5000]);
    site.start += Duration::from_secs(1);
    assert_eq!(site.get("/a.bin").await.expect("large").body, [7; 5000][..]);
    assert_eq!(site.files.bytes(), 0);
}

/// Large files among those that a worker holds open.
fn held(site: &Site) -> usize {
    site.files.open_count()
}

#[tokio::test]
async fn a_large_file_stays_open_and_its_replacement_is_noticed() {
    let mut site = Site::new(&[("a.bin", &[1; 5000])]);
    let old = site.get("/a.bin").await.expect("old");
    assert_eq!(held(&site), 1);
    replace(&site.path("a.bin"), &[2; 6000]);
    // At once: to lose its last name changes a file's state.
    let new = site.get("/a.bin").await.expect("new");
    assert!(new.body == [2; 6000][..]);
    assert_ne!(new.field(ETAG), old.field(ETAG));
    std::fs::remove_file(site.path("a.bin")).expect("remove");
    site.start += Duration::from_secs(1);
    assert_eq!(site.get("/a.bin").await.err(), Some(FileError::NotFound { no_store: true }));
    assert_eq!(held(&site), 0);
}

#[tokio::test]
async fn an_open_file_that_is_written_to_is_noticed_at_once() {
    let site = Site::new(&[("a.bin", &[1; 5000])]);
    let old = site.get("/a.bin").await.expect("old");
    std::fs::write(site.path("a.bin"), [2; 4000]).expect("write in place");
    let new = site.get("/a.bin").await.expect("new");
    assert!(new.body == [2; 4000][..]);
    assert_ne!(new.field(ETAG), old.field(ETAG));
}

#[tokio::test]
async fn open_files_are_bounded_and_closed_when_nobody_asks() {
    let mut site = Site::new(&[("a.bin", &[1; 5000]), ("b.bin", &[2; 5000]), ("c.bin", &[3; 5000])]);
    let counters = Arc::new(crate::metrics::FileCounters::default());
    site.files = SmallFiles::new(0, 2, Arc::clone(&counters));
    for name in ["/a.bin", "/b.bin", "/c.bin", "/c.bin"] {
        site.get(name).await.expect(name);
    }
    assert_eq!((held(&site), counters.open.get()), (2, 2));
    assert_eq!((counters.hits.get(), counters.looks.get(), counters.evictions.get()), (1, 3, 1));
    site.files.sweep(site.start + Duration::from_secs(59));
    assert_eq!(held(&site), 2);
    site.files.sweep(site.start + Duration::from_secs(60));
    assert_eq!((held(&site), counters.open.get()), (0, 0));
}

/// Content that tells which version it is at every byte.
fn version(number: u8, length: usize) -> Vec<u8> {
    vec![number; length]
}

#[tokio::test]
async fn a_file_replaced_under_load_is_never_mixed() {
    // Small ones are read whole, large ones are streamed from the descriptor that gave the tag.
    for length in [700_usize, 300_000] {
        let mut site = Site::new(&[("a.bin", &version(0, length))]);
        let (stop, path) = (Arc::new(AtomicBool::new(false)), site.path("a.bin"));
        let writer = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                for number in (1..=250).cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
                    replace(&path, &version(number, length));
                }
            }
        });
        let mut seen: HashMap<String, Bytes> = HashMap::new();
        for _ in 0..300 {
            site.start += Duration::from_secs(1);
            let got = site.get("/a.bin").await.expect("file");
            assert_eq!(got.field(CONTENT_LENGTH), length.to_string());
            assert_eq!(got.body.len(), length);
            assert!(got.body.iter().all(|byte| *byte == got.body[0]), "mixed content");
            let etag = got.field(ETAG).to_owned();
            // A weak tag says itself that the file may change within a tick of the file system's clock.
            if !etag.starts_with("W/")
                && let Some(before) = seen.insert(etag, got.body.clone())
            {
                assert!(before == got.body, "one tag, two contents");
            }
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("writer");
    }
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_ends_the_body() {
    let site = Site::new(&[("a.bin", &[1; 500_000])]);
    let headers = HeaderMap::new();
    let request = FileRequest { method: &Method::GET, raw_path: "/a.bin", query: None, headers: &headers };
    let response = site.server.serve(request, &site.files, site.start).await.expect("response");
    let mut body = response.into_body();
    body.frame().await.expect("frame").expect("first piece");
    std::fs::File::options().write(true).open(site.path("a.bin")).expect("open").set_len(10).expect("truncate");
    let mut outcome = Ok(());
    while let Some(frame) = body.frame().await {
        outcome = frame.map(|_| ());
    }
    assert_eq!(outcome, Err(BodyError::File));
    assert!(body.is_end_stream());
}
