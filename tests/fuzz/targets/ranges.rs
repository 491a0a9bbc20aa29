//! Conditions and ranges of a file request: what is answered is a part of the file, and the part that was announced.

#![no_main]

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use portcullis::files::{FileRequest, FileServer, SmallFiles};
use std::time::Instant;
use tempfile::TempDir;

const CONTENT: &[u8] = b"0123456789";

thread_local! {
    static SITE: (TempDir, FileServer) = {
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("f"), CONTENT).expect("a file");
        let server = FileServer::internal(folder.path()).expect("a root");
        (folder, server)
    };
}

/// Each part is what it says, and no byte comes twice.
fn assert_parts(body: &str, boundary: &str) {
    let mut seen = [false; CONTENT.len()];
    let body = body.strip_prefix("--").and_then(|body| body.strip_suffix("--\r\n")).expect("boundaries");
    let delimiter = format!("\r\n--{boundary}");
    let body = body.strip_prefix(boundary).and_then(|body| body.strip_suffix(&delimiter)).expect("boundaries");
    let mut count = 0;
    for part in body.split(&delimiter) {
        let (head, digits) = part.split_once("\r\n\r\n").expect("fields");
        let range = head.lines().find_map(|line| line.strip_prefix("content-range: bytes ")).expect("a range");
        let (first, last) = range.strip_suffix("/10").and_then(|range| range.split_once('-')).expect("two ends");
        let (first, last): (usize, usize) = (first.parse().expect("first"), last.parse().expect("last"));
        assert_eq!(digits.as_bytes(), &CONTENT[first..=last]);
        for seen in &mut seen[first..=last] {
            assert!(!std::mem::replace(seen, true), "a byte came twice");
        }
        count += 1;
    }
    assert!(count >= 2);
}

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    let names = [RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE];
    for (name, value) in names.into_iter().zip(text.split('\n')) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.append(name, value);
        }
    }
    SITE.with(|(_folder, server)| {
        let request = FileRequest { method: &Method::GET, raw_path: "/f", query: None, headers: &headers };
        let runtime = serve::worker::local_runtime().expect("a runtime");
        runtime.block_on(async {
            let Ok(answer) = server.serve(request, &SmallFiles::default(), Instant::now()).await else { return };
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.expect("a whole file").to_bytes();
            match parts.status {
                StatusCode::PARTIAL_CONTENT if !parts.headers.contains_key(CONTENT_RANGE) => {
                    let kind = parts.headers[CONTENT_TYPE].to_str().expect("text");
                    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("several parts");
                    assert_parts(std::str::from_utf8(&body).expect("digits and fields"), boundary);
                }
                StatusCode::PARTIAL_CONTENT => {
                    let range = parts.headers[CONTENT_RANGE].to_str().expect("text");
                    let (first, rest) = range.strip_prefix("bytes ").and_then(|r| r.split_once('-')).expect("a range");
                    let (last, length) = rest.split_once('/').expect("a length");
                    let (first, last): (usize, usize) = (first.parse().expect("first"), last.parse().expect("last"));
                    assert_eq!((&body[..], length), (&CONTENT[first..=last], "10"), "{headers:?}");
                }
                StatusCode::OK => assert_eq!(body, CONTENT, "{headers:?}"),
                _ => assert!(body.is_empty(), "{headers:?}"),
            }
            if let Some(length) = parts.headers.get(CONTENT_LENGTH).filter(|_| !body.is_empty()) {
                assert_eq!(length.to_str().expect("text"), body.len().to_string(), "{headers:?}");
            }
        });
    });
});
