//! Static files on a disk that hangs, beside files on one that is well, files in memory and forwarded requests: one worker
//! serves all of them, and only who waits for the slow disk waits. The disk is a real file system of the test's own
//! ([`portcullis_tests::slow_disk`]); where it can't be mounted these tests say SKIPPED.

mod dead;
mod hanging;
mod leaving;
mod memory;
mod reloading;

use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::connection::Connection;
use portcullis_tests::edge::Edge;
use portcullis_tests::origin::{Answering, Origin};
use portcullis_tests::site::SITE;
use portcullis_tests::slow_disk::{Kept, SlowDisk};
use std::fs;
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Larger than what is kept in memory, and than what the kernel reads ahead.
const LARGE: usize = 3 * 1024 * 1024 + 17;

/// Hangs as long as the test lets it: no limit of the server's ends it.
const FOR_EVER: &str = "10m";

/// A large file.
fn large() -> &'static [u8] {
    static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..LARGE).map(|index| u8::try_from((index * 31 + index / 251) % 251).expect("small")).collect()
    });
    &CONTENT
}

/// A style sheet that is worth compressing.
fn page() -> Vec<u8> {
    b"body { color: red }\n".repeat(100)
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// A server with one worker in front of both disks and an application.
struct Site {
    // Goes first: what hangs in it would hold up the end of the others.
    disk: SlowDisk,
    edge: Edge,
    _origin: Answering,
    config: String,
    /// Names that nobody has asked for.
    names: AtomicUsize,
}

impl Site {
    /// `None`: there can be no slow disk here, which has been said.
    async fn start(kept: Kept) -> Option<Self> {
        Self::start_with(kept, FOR_EVER, Vec::new()).await
    }

    /// As [`Site::start`], with this `disk_timeout` and more files on the slow disk.
    async fn start_with(kept: Kept, disk_timeout: &str, more: Vec<(String, Vec<u8>)>) -> Option<Self> {
        let files = [
            ("small.txt", b"small".to_vec()),
            ("other.txt", b"other".to_vec()),
            ("large.bin", large().to_vec()),
            ("page.css", page()),
            ("page.css.gz", gzipped(&page())),
            ("folder/one.txt", b"one".to_vec()),
            ("releases/current", b"first".to_vec()),
            ("releases/first/index.html", b"released".to_vec()),
        ];
        let more = more.iter().map(|(path, content)| (path.as_str(), content.clone()));
        let disk = SlowDisk::mount(kept, files.into_iter().chain(more))?;
        let folder = TempDir::new().expect("a folder");
        let well = folder.path().join("well");
        fs::create_dir(&well).expect("a folder");
        fs::write(well.join("small.txt"), "well").expect("a file");
        fs::write(well.join("large.bin"), large()).expect("a file");
        let origin = Origin::start().await.answering(|received| {
            let target = received.head.target();
            let file = target.strip_prefix("/download").map(|file| format!("X-Accel-Redirect: {file}\r\n"));
            let file = file.unwrap_or_default();
            format!("HTTP/1.1 200 OK\r\n{file}Content-Length: 3\r\n\r\napp").into_bytes()
        });
        let routes = r#"
            [server]
            threads = 1
            connections_per_client_max = 0

            [upstream.app]
            endpoints = ["{app}"]

            [[route]]
            match = "/slow/**"
            auth = "public"
            files = { root = "{slow}", strip_prefix = true, listing = true, fresh_for = "0s", disk_timeout = "{timeout}" }

            [[route]]
            match = "/kept/**"
            auth = "public"
            files = { root = "{slow}", strip_prefix = true, fresh_for = "1h", disk_timeout = "{timeout}" }

            [[route]]
            match = "/released/**"
            auth = "public"
            files = { root = { releases = "{slow}/releases" }, strip_prefix = true, fresh_for = "0s", disk_timeout = "{timeout}" }

            [[route]]
            match = "/well/**"
            auth = "public"
            files = { root = "{folder}/well", strip_prefix = true }

            [[route]]
            match = "/app/**"
            auth = "public"
            forward = "app"

            [[route]]
            match = "/download/**"
            auth = "public"
            forward = { upstream = "app", internal_root = "{slow}" }
        "#;
        let slow = disk.root().to_str().expect("a name in UTF-8");
        let config = [SITE, routes].concat().replace("{slow}", slow).replace("{app}", &origin.endpoint());
        let config = config.replace("{timeout}", disk_timeout);
        let edge = Edge::start_in(folder, &config).await;
        let site = Self { disk, edge, _origin: origin, config, names: AtomicUsize::new(0) };
        let kept = site.edge.http().get("/kept/other.txt").send().await.expect_status(200);
        assert_eq!(kept.text(), "other", "in memory from here on");
        Some(site)
    }

    /// HTTP/1.1 in the clear and over TLS, and HTTP/2.
    fn clients(&self) -> [(&'static str, Client); 3] {
        [("HTTP/1.1", self.edge.http()), ("TLS", self.edge.https()), ("HTTP/2", self.edge.https().http2())]
    }

    /// Asks for what does not need the slow disk, on connections of their own and, where there is one, on this one.
    async fn others_go_on(&self, client: &Client, mut shared: Option<&mut Connection>) {
        // Nobody has asked for this name yet: a thread has to ask the disk that is well.
        let unknown = format!("/well/none-{}", self.names.fetch_add(1, Ordering::Relaxed));
        let requests: [(&str, u16, Option<&[u8]>); 5] = [
            ("/kept/other.txt", 200, Some(b"other")),
            ("/app/x", 200, Some(b"app")),
            ("/well/small.txt", 200, Some(b"well")),
            ("/well/large.bin", 200, Some(large())),
            (&unknown, 404, None),
        ];
        for (path, status, body) in requests {
            let mut answers = vec![client.get(path).send().await];
            if let Some(shared) = shared.as_deref_mut() {
                answers.push(client.get(path).send_on(shared).await);
            }
            for answer in answers {
                assert_eq!(answer.status.as_u16(), status, "{path}");
                assert!(body.is_none_or(|body| answer.body == body), "{path}");
            }
        }
    }
}

/// What a request that hangs gets in the end.
type Pending = tokio::task::JoinHandle<Answer>;
