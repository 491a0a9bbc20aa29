//! From the bytes of a path to a route and to a file: nothing outside the root is ever opened.

#![no_main]

use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use portcullis::config::{Files, Symlinks};
use portcullis::files::{FileRequest, FileServer, SmallFiles};
use portcullis::route::NormalPath;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What the file beside the root holds.
const OUTSIDE: &[u8] = b"outside";

thread_local! {
    static SITE: (TempDir, FileServer) = site();
}

/// A root with links that lead out of it, beside a file that must stay unread.
fn site() -> (TempDir, FileServer) {
    let folder = TempDir::new().expect("a folder");
    let root = folder.path().join("site");
    std::fs::create_dir_all(root.join("a/b")).expect("a folder");
    std::fs::write(root.join("index.html"), "inside").expect("a file");
    std::fs::write(root.join("a/b/c"), "inside").expect("a file");
    std::fs::write(folder.path().join("x"), OUTSIDE).expect("a file");
    std::os::unix::fs::symlink("../x", root.join("l")).expect("a link");
    std::os::unix::fs::symlink("..", root.join("u")).expect("a link");
    let files = Files {
        root,
        index: "index.html".to_owned(),
        fallback: None,
        strip_prefix: Some("/p/".to_owned()),
        cache_control: None,
        symlinks: Symlinks::No,
        cached_bytes_max: 1024,
        compressible_types: Vec::new(),
        precompressed: false,
        compress: None,
        fresh_for: Duration::from_secs(1),
    };
    let server = FileServer::open(&files).expect("a root");
    (folder, server)
}

fuzz_target!(|path: &str| {
    // What the router takes has no dot segment in it that a file system would follow.
    if NormalPath::read(path).is_ok() {
        assert!(!path.split('/').any(|segment| segment == ".."), "{path:?}");
    }
    SITE.with(|(_folder, server)| {
        let request = FileRequest { method: &Method::GET, raw_path: path, query: None, headers: &HeaderMap::new() };
        let runtime = serve::worker::local_runtime().expect("a runtime");
        runtime.block_on(async {
            let Ok(answer) = server.serve(request, &SmallFiles::default(), Instant::now()).await else { return };
            let body = answer.into_body().collect().await.expect("a whole file").to_bytes();
            assert_ne!(body, OUTSIDE, "{path:?} leads out of the root");
        });
    });
});
