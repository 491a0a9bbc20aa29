//! Large files that the kernel sends: what is around them on the connection, a client that is slow, a file that shrinks.

use portcullis_tests::edge::Edge;
use portcullis_tests::raw::{End, Raw};
use std::fs;
use std::time::Duration;
use tempfile::TempDir;

/// More than any socket holds.
const LARGE: usize = 24 * 1024 * 1024 + 17;

const PATIENCE: Duration = Duration::from_secs(30);

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 31 + index / 251) % 251).expect("small")).collect()
}

async fn site() -> Edge {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(&root).expect("a folder");
    fs::write(root.join("small.txt"), "small").expect("a file");
    fs::write(root.join("large.bin"), content(LARGE)).expect("a file");
    let config = r#"
        [listener.http]
        address = "127.0.0.1:0"
        tls = false

        [[route]]
        match = "/**"
        auth = "public"
        files = { root = "{folder}/site" }
    "#;
    Edge::start_in(folder, config).await
}

fn request(method: &str, path: &str, field: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{field}\r\n")
}

#[tokio::test]
async fn answers_in_a_pipeline_stay_apart() {
    let edge = site().await;
    let mut client = Raw::connect(edge.address("http")).await;
    let pipeline = [
        request("GET", "/large.bin", ""),
        request("GET", "/small.txt", ""),
        request("HEAD", "/large.bin", ""),
        request("GET", "/large.bin", "Range: bytes=65530-200000\r\n"),
        request("GET", "/small.txt", "Connection: close\r\n"),
    ];
    client.send(pipeline.concat()).await;
    let large = content(LARGE);
    let head = client.read_head().await;
    assert_eq!((head.status(), head.content_length()), (200, LARGE));
    assert!(client.read_exactly(LARGE).await == large);
    assert_eq!(client.read_head().await.status(), 200);
    assert_eq!(client.read_exactly(5).await, b"small");
    let head = client.read_head().await;
    assert_eq!((head.status(), head.content_length()), (200, LARGE));
    assert_eq!(client.read_head().await.status(), 206);
    assert!(client.read_exactly(200_001 - 65_530).await == large[65_530..=200_000]);
    assert_eq!(client.read_head().await.status(), 200);
    assert_eq!(client.read_to_close().await, "small");
}

#[tokio::test]
async fn a_file_that_shrinks_under_a_sleeping_reader_ends_the_connection() {
    let edge = site().await;
    let mut client = Raw::connect(edge.address("http")).await;
    client.send(request("GET", "/large.bin", "")).await;
    assert_eq!(client.read_head().await.status(), 200);
    // The rest is not read, and does not fit into the sockets.
    assert!(client.read_exactly(1000).await == content(1000));
    let path = edge.folder().join("site/large.bin");
    fs::File::options().write(true).open(&path).expect("open").set_len(1000).expect("truncated");
    let (rest, end) = client.read_to_end(PATIENCE).await;
    assert!(rest.len() < LARGE - 1000, "bytes that nobody has");
    assert!(!matches!(end, End::Open), "it hangs");
    // And nobody else is any the worse for it.
    let answer = edge.http().get("/small.txt").send().await;
    assert_eq!(answer.expect_status(200).text(), "small");
}
