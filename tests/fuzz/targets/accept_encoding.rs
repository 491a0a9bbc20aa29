//! `Accept-Encoding` and the twins it chooses from: whatever the field says, the answer is a form of the file, it says
//! which, and it is one that was not refused.

#![no_main]

use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use portcullis::config::{Coding, Compress, Files};
use portcullis::files::coding::{Effort, encode, is_coded_form};
use portcullis::files::{FileRequest, FileServer, SmallFiles};
use std::time::Instant;
use tempfile::TempDir;

const CONTENT: &[u8; 4000] = &[b'a'; 4000];

thread_local! {
    static SITE: (TempDir, FileServer, SmallFiles) = {
        let folder = TempDir::new().expect("a folder");
        let root = folder.path();
        std::fs::write(root.join("f.txt"), CONTENT).expect("a file");
        for coding in [Coding::Brotli, Coding::Gzip] {
            let coded = encode(coding, Effort::Brief, CONTENT).expect("coded");
            std::fs::write(root.join(format!("f.txt{}", coding.extension())), coded).expect("a twin");
        }
        let server = FileServer::open(&Files {
            cached_bytes_max: 10_000,
            compress: Some(Compress { codings: vec![Coding::Zstd], bytes_min: 1, bytes_max: 10_000 }),
            ..Files::of(root.to_owned())
        })
        .expect("a root");
        (folder, server, SmallFiles::default())
    };
}

fuzz_target!(|text: &str| {
    let mut headers = HeaderMap::new();
    for line in text.split('\n') {
        let (name, line) = match line.strip_prefix('!') {
            Some(line) => (CACHE_CONTROL, line),
            None => (ACCEPT_ENCODING, line),
        };
        if let Ok(value) = HeaderValue::from_str(line) {
            headers.append(name, value);
        }
    }
    SITE.with(|(_folder, server, files)| {
        let request = FileRequest { method: &Method::GET, raw_path: "/f.txt", query: None, headers: &headers };
        let runtime = serve::worker::local_runtime().expect("a runtime");
        runtime.block_on(async {
            let answer = server.serve(request, files, Instant::now()).await.expect("the file");
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.expect("a whole file").to_bytes();
            assert_eq!(parts.headers[CONTENT_LENGTH], body.len().to_string(), "{headers:?}");
            assert_eq!(parts.headers[VARY], "accept-encoding", "{headers:?}");
            let Some(coding) = parts.headers.get(CONTENT_ENCODING) else {
                assert_eq!(body, CONTENT[..], "{headers:?}");
                return;
            };
            let coding = Coding::ALL.into_iter().find(|known| *coding == known.token()).expect("a known coding");
            assert!(is_coded_form(coding, &body, CONTENT), "{headers:?}");
            // Only what is named, or stands for all, was asked for.
            let asked = text.to_ascii_lowercase();
            assert!(asked.contains(coding.token()) || asked.contains('*'), "{headers:?}");
        });
    });
});
