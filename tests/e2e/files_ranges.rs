//! Ranges of files over real connections: what arrives is what was announced, from memory and from disk.

use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::edge::Edge;
use portcullis_tests::site;
use std::fs;
use tempfile::TempDir;

/// Larger than what is kept in memory, and than what one stream of HTTP/2 takes at once.
const LARGE: usize = 3 * 1024 * 1024 + 17;
const SMALL: usize = 5000;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 31 + index / 251) % 251).expect("small")).collect()
}

async fn site() -> Edge {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(&root).expect("a folder");
    for (name, length) in [("small.bin", SMALL), ("large.bin", LARGE)] {
        fs::write(root.join(name), content(length)).expect("a file");
    }
    site::serve(folder, "").await
}

fn clients(edge: &Edge) -> [(&'static str, Client); 3] {
    [("HTTP/1.1", edge.http()), ("HTTP/1.1 over TLS", edge.https()), ("HTTP/2 over TLS", edge.https().http2())]
}

/// The parts of a `multipart/byteranges`, each with its first byte (RFC 2046 section 5.1.1).
fn parts_of(answer: &Answer) -> Vec<(usize, Vec<u8>)> {
    let content_type = answer.header("content-type").expect("a type");
    let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").expect("several parts");
    let mut rest = answer.body.strip_prefix(format!("--{boundary}\r\n").as_bytes()).expect("a boundary").to_vec();
    let mut parts = Vec::new();
    loop {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("the fields of a part");
        let head = String::from_utf8(rest[..end].to_vec()).expect("fields are text");
        let range = head.split("\r\n").find_map(|line| line.strip_prefix("content-range: bytes ")).expect("its range");
        let (first, last) = range.split_once('/').and_then(|(range, _)| range.split_once('-')).expect("two ends");
        let (first, last): (usize, usize) = (first.parse().expect("first"), last.parse().expect("last"));
        let body = &rest[end + 4..];
        parts.push((first, body[..=last - first].to_vec()));
        let after = &body[last - first + 1..];
        if after == format!("\r\n--{boundary}--\r\n").as_bytes() {
            return parts;
        }
        rest = after.strip_prefix(format!("\r\n--{boundary}\r\n").as_bytes()).expect("a boundary").to_vec();
    }
}

#[tokio::test]
async fn several_ranges_come_as_parts_over_each_protocol() {
    let edge = site().await;
    for (protocol, client) in clients(&edge) {
        // One connection for all: an answer that is a byte too long would spoil the next.
        let mut connection = client.connect().await;
        for (path, size) in [("/small.bin", SMALL), ("/large.bin", LARGE)] {
            let whole = content(size);
            let middle = size / 2;
            let set = format!("bytes={middle}-{},0-9,10-19,5-12,-7,{size}-", size - 1000);
            let set = if path == "/small.bin" { format!("bytes={middle}-{},0-19,-7", middle + 99) } else { set };
            let answer = client.get(path).header("Range", &set).send_on(&mut connection).await.expect_status(206);
            assert_eq!(answer.header("content-range"), None, "{protocol} {path}");
            let length = answer.header("content-length").map(str::to_owned);
            assert_eq!(length, Some(answer.body.len().to_string()), "{protocol} {path}");
            let parts = parts_of(&answer);
            let firsts: Vec<usize> = parts.iter().map(|(first, _)| *first).collect();
            assert_eq!(firsts, [middle, 0, size - 7], "{protocol} {path}: in the order of the request");
            for (first, part) in parts {
                assert!(part == whole[first..first + part.len()], "{protocol} {path}: part from {first}");
            }
        }
    }
}

#[tokio::test]
async fn one_range_and_none_over_each_protocol() {
    let edge = site().await;
    for (protocol, client) in clients(&edge) {
        let mut connection = client.connect().await;
        for (path, size) in [("/small.bin", SMALL), ("/large.bin", LARGE)] {
            let whole = content(size);
            let (first, last) = (size / 3, size - 2);
            let range = format!("bytes={first}-{last}");
            let part = client.get(path).header("Range", &range).send_on(&mut connection).await.expect_status(206);
            assert_eq!(part.header("content-range"), Some(format!("bytes {first}-{last}/{size}").as_str()));
            assert!(part.body == whole[first..=last], "{protocol} {path}");
            let joined = client.get(path).header("Range", "bytes=0-9,10-19,5-12").send_on(&mut connection).await;
            assert_eq!(joined.header("content-range"), Some(format!("bytes 0-19/{size}").as_str()), "{protocol}");
            let behind = format!("bytes={size}-,-0");
            let behind = client.get(path).header("Range", &behind).send_on(&mut connection).await.expect_status(416);
            assert_eq!(behind.header("content-range"), Some(format!("bytes */{size}").as_str()), "{protocol} {path}");
            let etag = part.header("etag").expect("a tag").to_owned();
            // A tag is strong once the file has rested; a weak one never joins parts (RFC 9110 section 13.1.5).
            let expected = if etag.starts_with('"') { 206 } else { 200 };
            for (validator, status) in [(etag.as_str(), expected), ("\"older\"", 200), ("yesterday", 200)] {
                let call = client.get(path).header("Range", "bytes=0-1,4-5").header("If-Range", validator);
                let answer = call.send_on(&mut connection).await.expect_status(status);
                assert!(status == 206 || answer.body == whole, "{protocol} {path} {validator}");
            }
        }
    }
}

#[tokio::test]
async fn a_set_that_nobody_means_costs_the_server_nothing() {
    let edge = site().await;
    for (protocol, client) in clients(&edge) {
        for set in [
            format!("bytes={}", vec!["0-"; 1000].join(",")),
            format!("bytes={}", (0..65).map(|at| format!("{0}-{0}", at * 2)).collect::<Vec<_>>().join(",")),
        ] {
            let refused = client.get("/large.bin").header("Range", &set).send().await.expect_status(416);
            assert_eq!(refused.header("content-range"), Some(format!("bytes */{LARGE}").as_str()), "{protocol}");
        }
    }
}
