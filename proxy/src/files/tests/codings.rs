//! Which coding a request gets, from twins and made here, and that each is a representation of its own.

use super::*;
use crate::config::{Coding, Compress};
use crate::files::coding::{Effort, encode, is_coded_form};
use http::StatusCode;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE, VARY,
};
use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

const BROWSER: &str = "gzip, deflate, br, zstd";

fn script(length: usize) -> Vec<u8> {
    let lines = (0..).map(|number| format!("export const value{number} = {};\n", number * 7919 % 1000));
    lines.flat_map(String::into_bytes).take(length).collect()
}

fn coded(coding: Coding, content: &[u8]) -> Vec<u8> {
    encode(coding, Effort::Brief, content).expect("coded")
}

/// `app.js` and `large.js` beside twins in all codings.
fn precompressed() -> Site {
    let (small, large) = (script(900), script(50_000));
    let mut files = vec![("app.js".to_owned(), small.clone()), ("large.js".to_owned(), large.clone())];
    for (name, content) in [("app.js", small), ("large.js", large)] {
        for coding in Coding::ALL {
            files.push((format!("{name}{}", coding.extension()), coded(coding, &content)));
        }
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (name.as_str(), content.as_slice())).collect();
    Site::new(&files)
}

fn compressing(files: &[(&str, &[u8])], adjust: impl FnOnce(&mut config::Files)) -> Site {
    Site::with(files, |config| {
        config.cached_bytes_max = 20_000;
        config.compress = Some(Compress { codings: Coding::ALL.to_vec(), bytes_min: 100, bytes_max: 100_000 });
        adjust(config);
    })
}

fn set_modified(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("file");
    file.set_times(FileTimes::new().set_modified(time)).expect("time");
}

#[tokio::test]
async fn twins_are_chosen_by_weight_and_of_equal_weights_by_preference() {
    let site = precompressed();
    let table = [
        (BROWSER, "br"),
        ("gzip, zstd", "zstd"),
        ("gzip", "gzip"),
        ("gzip, br;q=0.5", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "zstd"),
        ("identity;q=0, gzip;q=0.1", "gzip"),
        ("identity, br;q=0.9", ""),
        ("deflate", ""),
        ("", ""),
        // Nothing that the client takes: better the file than an error.
        ("identity;q=0", ""),
    ];
    for (target, size) in [("/app.js", 900), ("/large.js", 50_000)] {
        for (accepts, expected) in table {
            let got = site.get_if(target, ACCEPT_ENCODING, accepts).await.expect(target);
            assert_eq!(got.field(CONTENT_ENCODING), expected, "{target} {accepts}");
            assert_eq!(got.field(VARY), "accept-encoding", "{target} {accepts}");
            assert_eq!(got.field(CONTENT_TYPE), "text/javascript; charset=utf-8");
            assert_eq!(got.field(CONTENT_LENGTH), got.body.len().to_string());
            match Coding::ALL.into_iter().find(|coding| coding.token() == expected) {
                Some(coding) => assert!(is_coded_form(coding, &got.body, &script(size)), "{target} {accepts}"),
                None => assert!(got.body == script(size), "{target} {accepts}"),
            }
            let head = site.ask(Method::HEAD, target, &[(ACCEPT_ENCODING, accepts)]).await.expect("head");
            assert_eq!(head.head.headers, got.head.headers, "HEAD tells what GET sends");
            assert!(head.body.is_empty());
        }
        assert_eq!(site.get(target).await.expect(target).field(CONTENT_ENCODING), "", "who does not ask");
    }
}

#[tokio::test]
async fn each_coding_has_its_own_strong_tag() {
    let site = precompressed();
    for target in ["/app.js", "/large.js"] {
        let mut tags = Vec::new();
        for accepts in ["br", "zstd", "gzip", "identity"] {
            let got = site.get_if(target, ACCEPT_ENCODING, accepts).await.expect(target);
            let tag = got.field(ETAG).to_owned();
            assert!(tag.ends_with(&format!("-{accepts}\"")) == (accepts != "identity"), "{tag}");
            let known = [(ACCEPT_ENCODING, accepts), (IF_NONE_MATCH, tag.as_str())];
            let again = site.ask(Method::GET, target, &known).await.expect("304");
            assert_eq!(again.head.status, StatusCode::NOT_MODIFIED, "{accepts}");
            assert_eq!((again.field(VARY), again.field(ETAG)), ("accept-encoding", tag.as_str()));
            assert_eq!(again.field(CONTENT_ENCODING), "");
            let other = [(ACCEPT_ENCODING, "br;q=0, *"), (IF_NONE_MATCH, tag.as_str())];
            let other = site.ask(Method::GET, target, &other).await.expect("answer");
            assert_eq!(
                other.head.status == StatusCode::NOT_MODIFIED,
                accepts == "zstd",
                "{accepts} is another version"
            );
            tags.push(tag);
        }
        let different: std::collections::BTreeSet<_> = tags.iter().collect();
        assert_eq!(different.len(), 4, "{tags:?}");
        let guarded = [(ACCEPT_ENCODING, "br"), (IF_MATCH, tags[3].as_str())];
        assert_eq!(site.ask(Method::GET, target, &guarded).await.err(), Some(FileError::PreconditionFailed));
    }
}

#[tokio::test]
async fn ranges_are_ranges_of_the_twin() {
    let site = precompressed();
    for (target, size) in [("/app.js", 900), ("/large.js", 50_000)] {
        let twin = coded(Coding::Zstd, &script(size));
        let length = twin.len();
        let whole = site.get_if(target, ACCEPT_ENCODING, "zstd").await.expect("whole");
        assert!(whole.body == twin);
        let fields = [(ACCEPT_ENCODING, "zstd"), (RANGE, "bytes=10-29"), (IF_RANGE, whole.field(LAST_MODIFIED))];
        let part = site.ask(Method::GET, target, &fields[..2]).await.expect("part");
        assert_eq!(part.field(CONTENT_RANGE), format!("bytes 10-29/{length}"));
        assert_eq!(part.field(CONTENT_ENCODING), "zstd");
        assert!(part.body == twin[10..30]);
        let parts = [(ACCEPT_ENCODING, "zstd"), (RANGE, "bytes=0-1,-2")];
        let parts = site.ask(Method::GET, target, &parts).await.expect("parts");
        let text = String::from_utf8_lossy(&parts.body);
        assert!(text.contains(&format!("content-range: bytes {}-{}/{length}\r\n", length - 2, length - 1)), "{text}");
        let behind = [(ACCEPT_ENCODING, "zstd"), (RANGE, &*format!("bytes={length}-"))];
        let behind = site.ask(Method::GET, target, &behind).await.err();
        assert_eq!(behind, Some(FileError::RangeNotSatisfiable { size_bytes: length as u64 }));
        // A part of one coding is never put to a part of another.
        let mixed = [(ACCEPT_ENCODING, "gzip"), (RANGE, "bytes=10-29"), (IF_RANGE, whole.field(ETAG))];
        assert_eq!(site.ask(Method::GET, target, &mixed).await.expect("whole").head.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_cannot_be_a_twin_is_not_taken_for_one() {
    let content = script(900);
    let twin = coded(Coding::Gzip, &content);
    let site = Site::new(&[("a.js", &content), ("b.js", &content), ("c.js", &content), ("d.js", &content)]);
    let now = SystemTime::now();
    std::fs::write(site.path("a.js.gz"), &twin).expect("older");
    set_modified(&site.path("a.js.gz"), now - Duration::from_secs(3600));
    std::fs::write(site.path("real"), &twin).expect("target");
    std::os::unix::fs::symlink("real", site.path("b.js.gz")).expect("link");
    rustix::fs::mknodat(rustix::fs::CWD, site.path("c.js.gz"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .expect("fifo");
    std::fs::write(site.path("d.js.gz"), b"").expect("empty");
    std::fs::create_dir(site.path("d.js.br")).expect("directory");
    for target in ["/a.js", "/b.js", "/c.js", "/d.js"] {
        let got = site.get_if(target, ACCEPT_ENCODING, BROWSER).await.expect(target);
        assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", ""), "{target}");
        assert!(got.body == content, "{target}");
    }
}

#[tokio::test]
async fn types_that_are_not_compressible_have_no_twins() {
    let content = script(900);
    let site = Site::new(&[("a.png", &content), ("a.png.gz", &coded(Coding::Gzip, &content))]);
    let got = site.get_if("/a.png", ACCEPT_ENCODING, BROWSER).await.expect("file");
    assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", ""));
    let twin = site.get("/a.png.gz").await.expect("a file like any other");
    assert_eq!((twin.field(CONTENT_TYPE), twin.field(CONTENT_ENCODING)), ("application/gzip", ""));
}

#[tokio::test]
async fn twins_that_come_and_go_are_noticed() {
    let content = script(900);
    let mut site = Site::new(&[("a.js", &content)]);
    assert_eq!(site.get_if("/a.js", ACCEPT_ENCODING, "gzip").await.expect("file").field(CONTENT_ENCODING), "");
    std::fs::write(site.path("a.js.gz"), coded(Coding::Gzip, &content)).expect("twin");
    site.start += Duration::from_secs(1);
    assert_eq!(site.get_if("/a.js", ACCEPT_ENCODING, "gzip").await.expect("file").field(CONTENT_ENCODING), "gzip");
    assert!(site.files.bytes() > 900 + 2048, "the twin's bytes count too");
    // A deploy replaces the file: what its old twin says is not what it says.
    let newer = SystemTime::now() + Duration::from_secs(5);
    replace(&site.path("a.js"), b"let other = 1;");
    set_modified(&site.path("a.js"), newer);
    site.start += Duration::from_secs(1);
    let got = site.get_if("/a.js", ACCEPT_ENCODING, "gzip").await.expect("file");
    assert_eq!((got.field(CONTENT_ENCODING), &got.body[..]), ("", &b"let other = 1;"[..]));
}

#[tokio::test]
async fn the_switch_turns_twins_off() {
    let content = script(900);
    let files: [(&str, &[u8]); 2] = [("a.js", &content), ("a.js.gz", &coded(Coding::Gzip, &content))];
    let site = Site::with(&files, |config| config.precompressed = false);
    let got = site.get_if("/a.js", ACCEPT_ENCODING, "gzip").await.expect("file");
    assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", ""));
}

#[tokio::test]
async fn files_without_twins_are_compressed_once_in_memory_and_from_disk() {
    let site = compressing(&[("small.js", &script(9000)), ("large.js", &script(50_000))], |_| {});
    // Streamed files are compressed once their tag is strong.
    let old = SystemTime::now() - Duration::from_secs(3600);
    set_modified(&site.path("large.js"), old);
    for (accepts, coding) in [(BROWSER, Coding::Brotli), ("zstd", Coding::Zstd), ("gzip;q=0.1", Coding::Gzip)] {
        for _ in 0..3 {
            let got = site.get_if("/small.js", ACCEPT_ENCODING, accepts).await.expect("file");
            assert_eq!(got.field(CONTENT_ENCODING), coding.token());
            assert_eq!(got.field(CONTENT_LENGTH), got.body.len().to_string());
            assert_eq!(got.field(VARY), "accept-encoding");
            assert!(got.field(ETAG).ends_with(&format!("-{}\"", coding.token())));
            assert!(is_coded_form(coding, &got.body, &script(9000)));
            let range = [(ACCEPT_ENCODING, accepts), (RANGE, "bytes=5-9"), (IF_RANGE, got.field(ETAG))];
            let part = site.ask(Method::GET, "/small.js", &range).await.expect("part");
            assert!(part.body == got.body[5..10]);
            let by_date = [(ACCEPT_ENCODING, accepts), (RANGE, "bytes=5-9"), (IF_RANGE, got.field(LAST_MODIFIED))];
            let whole = site.ask(Method::GET, "/small.js", &by_date).await.expect("whole");
            assert_eq!(whole.head.status, StatusCode::OK, "a date does not name what an encoder made");
        }
    }
    let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(BROWSER))]);
    let request = FileRequest { method: &Method::GET, raw_path: "/small.js", query: None, headers: &headers };
    let cached = site
        .server
        .try_serve_cached(&request, &site.files, site.start)
        .expect("in memory")
        .expect("answer")
        .into_response();
    assert_eq!(cached.headers()[CONTENT_ENCODING], "br");
}

#[tokio::test]
async fn files_that_gain_nothing_or_are_out_of_bounds_are_sent_as_they_are() {
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(5000)
    .collect();
    let files: [(&str, &[u8]); 4] =
        [("tiny.js", &script(99)), ("noise.js", &noise), ("a.png", &script(5000)), ("huge.js", &script(100_001))];
    let site = compressing(&files, |_| {});
    for (target, vary) in [("/tiny.js", ""), ("/noise.js", "accept-encoding"), ("/a.png", ""), ("/huge.js", "")] {
        for _ in 0..2 {
            let got = site.get_if(target, ACCEPT_ENCODING, BROWSER).await.expect(target);
            assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", vary), "{target}");
        }
    }
}

#[tokio::test]
async fn no_transform_is_respected_on_both_sides() {
    let content = script(5000);
    let site = compressing(&[("a.js", &content)], |_| {});
    for value in ["no-transform", "no-cache, No-Transform"] {
        let fields = [(ACCEPT_ENCODING, BROWSER), (CACHE_CONTROL, value)];
        let got = site.ask(Method::GET, "/a.js", &fields).await.expect("file");
        assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", "accept-encoding"), "{value}");
    }
    let files: [(&str, &[u8]); 3] =
        [("a.js", &content), ("b.js", &content), ("b.js.br", &coded(Coding::Brotli, &content))];
    let site = compressing(&files, |config| {
        config.cache_control = Some(HeaderValue::from_static("max-age=60, no-transform"));
    });
    let got = site.get_if("/a.js", ACCEPT_ENCODING, BROWSER).await.expect("file");
    assert_eq!((got.field(CONTENT_ENCODING), got.field(VARY)), ("", ""));
    // A twin is no transformation: its author made it.
    assert_eq!(site.get_if("/b.js", ACCEPT_ENCODING, BROWSER).await.expect("file").field(CONTENT_ENCODING), "br");
}

#[tokio::test]
async fn a_file_whose_twin_is_not_accepted_is_compressed_in_another_coding() {
    let content = script(5000);
    let site = compressing(&[("a.js", &content), ("a.js.br", &coded(Coding::Brotli, &content))], |_| {});
    assert_eq!(site.get_if("/a.js", ACCEPT_ENCODING, "gzip").await.expect("file").field(CONTENT_ENCODING), "gzip");
    assert_eq!(site.get_if("/a.js", ACCEPT_ENCODING, BROWSER).await.expect("file").field(CONTENT_ENCODING), "br");
}

#[tokio::test]
async fn the_fallback_of_an_application_comes_compressed() {
    let page = "<p>the same words</p>".repeat(100);
    let site = compressing(&[("index.html", page.as_bytes())], |config| {
        config.fallback = Some("index.html".to_owned());
    });
    for _ in 0..2 {
        let got = site.get_if("/some/view", ACCEPT_ENCODING, BROWSER).await.expect("page");
        assert_eq!(got.field(CONTENT_ENCODING), "br");
        assert!(is_coded_form(Coding::Brotli, &got.body, page.as_bytes()));
    }
}

#[tokio::test]
async fn a_replaced_file_is_never_sent_in_the_form_of_the_old_one() {
    let mut site = compressing(&[("a.js", &script(5000))], |_| {});
    let old = site.get_if("/a.js", ACCEPT_ENCODING, BROWSER).await.expect("old");
    let new = script(6000);
    replace(&site.path("a.js"), &new);
    site.start += Duration::from_secs(1);
    let got = site.get_if("/a.js", ACCEPT_ENCODING, BROWSER).await.expect("new");
    assert!(is_coded_form(Coding::Brotli, &got.body, &new));
    assert_ne!(got.field(ETAG), old.field(ETAG));
}

/// Found in a review: twins were looked for by the extension's usual type, and then taken by the configured one.
#[tokio::test]
async fn the_type_that_the_operator_gives_a_file_decides_about_its_twins_too() {
    let (page, picture) = (script(900), script(800));
    let files: &[(&str, &[u8])] = &[
        ("a.tpl", &page),
        ("a.tpl.br", &coded(Coding::Brotli, &page)),
        ("b.js", &picture),
        ("b.js.br", &coded(Coding::Brotli, &picture)),
    ];
    let site = Site::with(files, |config| {
        let of = |extension: &str, media| (extension.to_owned(), HeaderValue::from_static(media));
        config.types = vec![of("tpl", "text/x-template"), of("js", "image/png")];
    });
    let got = site.get_if("/a.tpl", ACCEPT_ENCODING, "br").await.expect("a file");
    assert_eq!((got.field(CONTENT_TYPE), got.field(CONTENT_ENCODING)), ("text/x-template", "br"));
    let got = site.get_if("/b.js", ACCEPT_ENCODING, "br").await.expect("a file");
    assert_eq!((got.field(CONTENT_TYPE), got.field(CONTENT_ENCODING), got.field(VARY)), ("image/png", "", ""));
}

/// Found in a review: a deploy that keeps the times of its files (`cp -p`, `rsync -t`) puts a file beside the newer twin of
/// the version before.
#[tokio::test]
async fn a_twin_of_another_version_is_as_good_as_none() {
    let (now, other) = (script(900), [script(890), b"// before\n".to_vec()].concat());
    for coding in Coding::ALL {
        let twin = coded(coding, &other);
        let name = format!("app.js{}", coding.extension());
        let site = Site::new(&[("app.js", &now), (&name, &twin)]);
        let got = site.get_if("/app.js", ACCEPT_ENCODING, BROWSER).await.expect("a file");
        assert_eq!(got.field(CONTENT_ENCODING), "", "{name}");
        assert!(got.body == now, "{name}");
        let looks = |site: &Site| site.files.known("/app.js");
        let before = looks(&site);
        let later = site.start + Duration::from_secs(2);
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(BROWSER))]);
        let request = FileRequest { method: &Method::GET, raw_path: "/app.js", query: None, headers: &headers };
        let got = collect(site.server.serve(request, &site.files, later).await.expect("a file")).await.expect("a body");
        assert!(got.body == now, "{name}");
        assert_eq!(looks(&site), before, "what was found out once is not found out at each look");
        std::fs::write(site.path(&name), coded(coding, &now)).expect("the right one");
        let later = later + Duration::from_secs(2);
        let got = collect(site.server.serve(request, &site.files, later).await.expect("a file")).await.expect("a body");
        assert_eq!(got.field(CONTENT_ENCODING), coding.token(), "{name}");
    }
}

/// What is too large for memory is not decoded, but two codings say how long their content is.
#[tokio::test]
async fn a_large_twin_of_another_length_is_as_good_as_none() {
    let (now, other) = (script(50_000), script(49_999));
    for (coding, wanted) in [(Coding::Zstd, ""), (Coding::Gzip, "")] {
        let name = format!("app.js{}", coding.extension());
        let site = Site::new(&[("app.js", &now), (&name, &coded(coding, &other))]);
        let got = site.get_if("/app.js", ACCEPT_ENCODING, BROWSER).await.expect("a file");
        assert_eq!(got.field(CONTENT_ENCODING), wanted, "{name}");
        assert!(got.body == now, "{name}");
    }
}

/// Found in a review: only the file itself was looked at, so a twin went out under the length and tag of the one before.
#[tokio::test]
async fn a_large_twin_that_is_written_over_is_another_one_at_once() {
    let content = script(50_000);
    let site = Site::new(&[("app.js", &content), ("app.js.gz", &coded(Coding::Gzip, &content))]);
    let first = site.get_if("/app.js", ACCEPT_ENCODING, "gzip").await.expect("a twin");
    // Of other content, and as long.
    let smaller = coded(Coding::Gzip, &[b'x'; 50_000]);
    assert!(smaller.len() < first.body.len());
    std::fs::write(site.path("app.js.gz"), &smaller).expect("written over");
    let second = site.get_if("/app.js", ACCEPT_ENCODING, "gzip").await.expect("a twin");
    assert!(second.body == smaller);
    assert_ne!(first.field(ETAG), second.field(ETAG));
}

/// Found in a review: a file and its twin may be of the same second, and a client that has a part of one got the rest of the
/// other.
#[tokio::test]
async fn a_date_does_not_tell_which_of_several_forms_a_client_has() {
    let compress = Compress { codings: Coding::ALL.to_vec(), bytes_min: 100, bytes_max: 100_000 };
    for (compress, status) in [(None, StatusCode::PARTIAL_CONTENT), (Some(compress), StatusCode::OK)] {
        // A source of this crate is old enough for its date to be a strong one.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/files");
        let server = FileServer::open(&config::Files { compress, ..config::Files::of(root) }).expect("server");
        let site = Site { server, ..Site::new(&[]) };
        let whole = site.get("/answer.rs").await.expect("whole");
        let part = [(RANGE, "bytes=0-9"), (IF_RANGE, whole.field(LAST_MODIFIED))];
        assert_eq!(site.ask(Method::GET, "/answer.rs", &part).await.expect("a part").head.status, status);
        let part = [(RANGE, "bytes=0-9"), (IF_RANGE, whole.field(ETAG))];
        let part = site.ask(Method::GET, "/answer.rs", &part).await.expect("a part");
        assert_eq!(part.head.status, StatusCode::PARTIAL_CONTENT, "the tag does");
    }
}
