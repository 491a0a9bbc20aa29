//! Content codings of files over real connections: twins, what is compressed here, and the command that makes twins.

use portcullis::config::Coding;
use portcullis::files::coding::is_coded_form;
use portcullis_tests::client::Client;
use portcullis_tests::command::binary;
use portcullis_tests::edge::Edge;
use portcullis_tests::site::{config, serve};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const BROWSER: &str = "gzip, deflate, br, zstd";

fn script(length: usize) -> Vec<u8> {
    let lines = (0..).map(|number| format!("export const value{number} = {};\n", number * 7919 % 1000));
    lines.flat_map(String::into_bytes).take(length).collect()
}

fn site() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    fs::create_dir_all(&root).expect("a folder");
    for (name, length) in [("app.js", 20_000), ("large.js", 700_000), ("tiny.js", 200)] {
        fs::write(root.join(name), script(length)).expect("a file");
    }
    fs::write(root.join("photo.png"), script(20_000)).expect("a file");
    folder
}

fn clients(edge: &Edge) -> [(&'static str, Client); 2] {
    [("HTTP/1.1", edge.http()), ("HTTP/2 over TLS", edge.https().http2())]
}

fn precompress(folder: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(binary("portcullis"));
    command.arg("precompress").arg(folder).args(flags).env_clear().output().expect("it runs")
}

#[tokio::test]
async fn twins_that_the_command_made_are_served_by_weight() {
    let folder = site();
    let output = precompress(&folder.path().join("site"), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "no progress where nobody watches: {output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(said.contains("3 files, 1 too small, 0 too large, 0 failures"), "{said}");
    assert!(!folder.path().join("site/photo.png.br").exists() && !folder.path().join("site/tiny.js.br").exists());

    let edge = serve(folder, ", compress = false").await;
    for (protocol, client) in clients(&edge) {
        let mut connection = client.connect().await;
        for (path, length) in [("/app.js", 20_000), ("/large.js", 700_000)] {
            let mut tags = std::collections::BTreeSet::new();
            for (accepts, coding) in [
                (BROWSER, Some(Coding::Brotli)),
                ("gzip;q=0.8, zstd;q=0.9, br;q=0.1", Some(Coding::Zstd)),
                ("*;q=0.1, br;q=0, zstd;q=0", Some(Coding::Gzip)),
                ("identity;q=0, gzip", Some(Coding::Gzip)),
                ("identity, br;q=0.5", None),
                ("deflate", None),
            ] {
                let get = client.get(path).header("Accept-Encoding", accepts).send_on(&mut connection).await;
                assert_eq!(get.header("content-encoding"), coding.map(Coding::token), "{protocol} {path} {accepts}");
                assert_eq!(get.header("vary"), Some("accept-encoding"), "{protocol} {path} {accepts}");
                match coding {
                    Some(coding) => assert!(is_coded_form(coding, &get.body, &script(length)), "{protocol} {accepts}"),
                    None => assert!(get.body == script(length), "{protocol} {accepts}"),
                }
                let head = client.call("HEAD", path).header("Accept-Encoding", accepts);
                let head = head.send_on(&mut connection).await.expect_status(200);
                for name in ["content-length", "content-encoding", "content-type", "etag", "vary", "last-modified"] {
                    assert_eq!(head.header(name), get.header(name), "{protocol} {path} {accepts}");
                }
                let etag = get.header("etag").expect("a tag").to_owned();
                let known = client.get(path).header("Accept-Encoding", accepts).header("If-None-Match", &etag);
                let known = known.send_on(&mut connection).await.expect_status(304);
                assert_eq!(
                    (known.header("vary"), known.header("etag")),
                    (Some("accept-encoding"), Some(etag.as_str()))
                );
                let range = client.get(path).header("Accept-Encoding", accepts).header("Range", "bytes=3-40,-5");
                let range = range.send_on(&mut connection).await.expect_status(206);
                let length = format!("/{}\r\n", get.body.len());
                let bytes = range.body.windows(length.len()).filter(|window| *window == length.as_bytes()).count();
                assert_eq!(bytes, 2, "{protocol} {path} {accepts}: parts of the coded bytes");
                tags.insert(etag);
            }
            assert_eq!(tags.len(), 4, "{protocol} {path}: a tag for each form");
        }
    }
}

#[tokio::test]
async fn files_without_twins_are_compressed_once_and_counted() {
    let edge = serve(site(), "").await;
    for (protocol, client) in clients(&edge) {
        for (accepts, coding) in [(BROWSER, Coding::Brotli), ("zstd", Coding::Zstd), ("gzip", Coding::Gzip)] {
            // Whoever comes while it is being made on a busy machine gets the file as it is.
            let mut answer = client.get("/app.js").header("Accept-Encoding", accepts).send().await;
            while answer.header("content-encoding").is_none() {
                assert!(answer.body == script(20_000));
                answer = client.get("/app.js").header("Accept-Encoding", accepts).send().await;
            }
            assert_eq!(answer.header("content-encoding"), Some(coding.token()), "{protocol}");
            assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
            assert!(is_coded_form(coding, &answer.body, &script(20_000)), "{protocol} {accepts}");
        }
        for (path, length) in [("/tiny.js", 200), ("/photo.png", 20_000)] {
            let answer = client.get(path).header("Accept-Encoding", BROWSER).send().await.expect_status(200);
            assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None), "{protocol} {path}");
            assert!(answer.body == script(length));
        }
        let plain = client.get("/app.js").header("Accept-Encoding", BROWSER).header("Cache-Control", "no-transform");
        assert_eq!(plain.send().await.header("content-encoding"), None, "{protocol}");
    }
    for coding in Coding::ALL {
        let sample = format!("portcullis_compressed_files_total{{coding=\"{}\"}}", coding.token());
        edge.counted(&sample, 1).await;
    }
    assert!(edge.metrics().await.get("portcullis_compressed_bytes") > 1000);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_result() {
    let edge = serve(site(), ", compress = { codings = [\"zstd\"] }").await;
    let calls = (0..20).map(|_| edge.http().get("/app.js").header("Accept-Encoding", BROWSER).send());
    for answer in futures_util::future::join_all(calls).await {
        match answer.header("content-encoding") {
            Some("zstd") => assert!(is_coded_form(Coding::Zstd, &answer.body, &script(20_000))),
            other => assert!(other.is_none() && answer.body == script(20_000), "{answer:?}"),
        }
    }
    edge.counted("portcullis_compressed_files_total{coding=\"zstd\"}", 1).await;
    edge.counted("portcullis_compressed_files_total{coding=\"br\"}", 0).await;
}

#[tokio::test]
async fn a_reload_keeps_what_was_compressed() {
    let edge = serve(site(), "").await;
    let get = || async {
        let mut answer = edge.http().get("/app.js").header("Accept-Encoding", "gzip").send().await;
        while answer.header("content-encoding").is_none() {
            answer = edge.http().get("/app.js").header("Accept-Encoding", "gzip").send().await;
        }
        answer
    };
    let before = get().await;
    edge.reload(&config(", index = \"other.html\"")).await.expect("a good configuration");
    assert_eq!(get().await.header("etag"), before.header("etag"));
    edge.counted("portcullis_compressed_files_total{coding=\"gzip\"}", 1).await;
}

#[test]
fn the_command_tells_what_failed_by_its_exit_code() {
    let folder = site();
    let root = folder.path().join("site");
    let missing = precompress(&root.join("missing"), &[]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    let bad = precompress(&root, &["--codings", "deflate"]);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    let dry = precompress(&root, &["--dry-run", "--codings", "gzip"]);
    assert_eq!(dry.status.code(), Some(0), "{dry:?}");
    assert!(!root.join("app.js.gz").exists());
    std::os::unix::fs::symlink("elsewhere", root.join("app.js.gz")).expect("a link");
    let link = precompress(&root, &["--codings", "gzip"]);
    assert_eq!(link.status.code(), Some(1), "{link:?}");
    assert!(String::from_utf8_lossy(&link.stderr).starts_with("app.js.gz: "), "{link:?}");
    assert!(root.join("large.js.gz").exists(), "the others are made");
}
