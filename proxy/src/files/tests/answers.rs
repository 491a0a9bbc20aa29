//! What a well-meant request gets.

use super::*;
use http::StatusCode;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};

const GONE: FileError = FileError::NotFound { no_store: false };
const GONE_ASSET: FileError = FileError::NotFound { no_store: true };

fn numbered(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).expect("small")).collect()
}

#[tokio::test]
async fn a_file_comes_with_all_its_fields() {
    let site = Site::new(&[("docs/index.html", b"<p>hi</p>")]);
    for target in ["/docs/", "/docs/index.html", "/docs/index.html?v=1", "/docs/inde%78.html"] {
        let got = site.get(target).await.expect(target);
        assert_eq!((got.head.status, &got.body[..]), (StatusCode::OK, &b"<p>hi</p>"[..]), "{target}");
        assert_eq!(got.field(CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(got.field(CONTENT_LENGTH), "9");
        assert_eq!(got.field(CACHE_CONTROL), "no-cache");
        assert_eq!(got.field(ACCEPT_RANGES), "bytes");
        assert_eq!(got.field(X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert!(got.field(ETAG).starts_with('"') && got.field(LAST_MODIFIED).ends_with("GMT"));
    }
}

#[tokio::test]
async fn a_second_request_is_answered_from_memory() {
    let site = Site::new(&[("a.txt", b"hello")]);
    let headers = HeaderMap::new();
    let request = FileRequest { method: &Method::GET, raw_path: "/a.txt", query: None, headers: &headers };
    assert!(site.server.try_serve_cached(&request, &site.files, site.start).is_none());
    let first = site.get("/a.txt").await.expect("first");
    let second = site
        .server
        .try_serve_cached(&request, &site.files, site.start)
        .expect("cached")
        .expect("answer")
        .into_response();
    let second = collect(second).await.expect("second");
    assert_eq!(first.head.headers, second.head.headers);
    assert_eq!(first.body, second.body);
}

#[tokio::test]
async fn odd_spellings_are_served_but_not_kept() {
    let site = Site::new(&[("a.txt", b"hello")]);
    for target in ["/%61.txt", "/a%2Etxt", "/a%2etxt", "/%61%2e%74xt"] {
        assert_eq!(site.get(target).await.expect(target).body, "hello");
    }
    assert_eq!(site.files.bytes(), 0);
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let site = Site::new(&[("small.txt", b"hello"), ("large.bin", &numbered(5000)), ("empty.txt", b"")]);
    for (target, length) in [("/small.txt", "5"), ("/large.bin", "5000"), ("/empty.txt", "0")] {
        for field in [&[][..], &[(RANGE, "bytes=0-1")]] {
            let got = site.ask(Method::HEAD, target, field).await.expect(target);
            assert_eq!((got.head.status, got.field(CONTENT_LENGTH)), (StatusCode::OK, length), "{target}");
            assert!(got.body.is_empty());
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let site = Site::new(&[("empty.txt", b"")]);
    for field in [&[][..], &[(RANGE, "bytes=0-")], &[(RANGE, "bytes=-5")]] {
        let got = site.ask(Method::GET, "/empty.txt", field).await.expect("empty");
        assert_eq!((got.head.status, got.field(CONTENT_LENGTH)), (StatusCode::OK, "0"));
    }
}

#[tokio::test]
async fn a_large_file_is_streamed_and_never_kept() {
    let content = numbered(10 * 1024 * 1024);
    let site = Site::new(&[("large.bin", &content)]);
    let got = site.get("/large.bin").await.expect("large");
    assert_eq!(got.field(CONTENT_LENGTH), content.len().to_string());
    assert!(got.body == content);
    assert_eq!(site.files.bytes(), 0);
}

#[tokio::test]
async fn one_range_is_served_from_memory_and_from_disk() {
    let content = numbered(200_000);
    let site = Site::new(&[("large.bin", &content), ("small.bin", &content[..1000])]);
    for (target, size) in [("/small.bin", 1000), ("/large.bin", 200_000)] {
        for (value, first, last) in [("bytes=0-0", 0, 0), ("bytes=10-499", 10, 499), ("bytes=-7", size - 7, size - 1)] {
            let got = site.get_if(target, RANGE, value).await.expect(target);
            assert_eq!(got.head.status, StatusCode::PARTIAL_CONTENT, "{target} {value}");
            assert_eq!(got.field(CONTENT_RANGE), format!("bytes {first}-{last}/{size}"));
            assert_eq!(got.field(CONTENT_LENGTH), (last - first + 1).to_string());
            assert!(got.body == content[first..=last], "{target} {value}");
        }
        let behind = site.get_if(target, RANGE, &format!("bytes={size}-")).await.err();
        assert_eq!(behind, Some(FileError::RangeNotSatisfiable { size_bytes: size as u64 }));
    }
}

#[tokio::test]
async fn a_range_is_for_the_version_that_the_client_has() {
    let site = Site::new(&[("a.txt", b"hello")]);
    let etag = site.get("/a.txt").await.expect("file").field(ETAG).to_owned();
    for (validator, status) in [(etag.as_str(), StatusCode::PARTIAL_CONTENT), ("\"other\"", StatusCode::OK)] {
        let fields = [(RANGE, "bytes=1-2"), (IF_RANGE, validator)];
        assert_eq!(site.ask(Method::GET, "/a.txt", &fields).await.expect("range").head.status, status, "{validator}");
    }
}

#[tokio::test]
async fn conditions_are_answered_with_304_and_412() {
    let site = Site::new(&[("a.txt", b"hello"), ("large.bin", &numbered(5000))]);
    for target in ["/a.txt", "/large.bin"] {
        let full = site.get(target).await.expect(target);
        let (etag, date) = (full.field(ETAG), full.field(LAST_MODIFIED));
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_NONE_MATCH, "*"), (IF_MODIFIED_SINCE, date)] {
            let got = site.get_if(target, name, value).await.expect(target);
            assert_eq!(got.head.status, StatusCode::NOT_MODIFIED, "{target} {value}");
            assert_eq!((got.field(ETAG), got.field(CACHE_CONTROL)), (etag, full.field(CACHE_CONTROL)));
            assert!(got.body.is_empty() && got.field(CONTENT_LENGTH).is_empty() && got.field(CONTENT_TYPE).is_empty());
        }
        let failed = site.get_if(target, IF_MATCH, "\"other\"").await.err();
        assert_eq!(failed, Some(FileError::PreconditionFailed), "{target}");
    }
}

#[tokio::test]
async fn a_directory_is_redirected_to_its_slash_with_the_query() {
    let site = Site::new(&[("docs/index.html", b"x"), ("bare/a.txt", b"x"), ("caf\u{e9}/index.html", b"x")]);
    let table = [
        ("/docs", "/docs/"),
        ("/docs?a=1&b=%20", "/docs/?a=1&b=%20"),
        ("/bare", "/bare/"),
        ("/caf%C3%A9", "/caf%C3%A9/"),
    ];
    for (target, location) in table {
        let got = site.get(target).await.expect(target);
        assert_eq!((got.head.status, got.field(LOCATION)), (StatusCode::PERMANENT_REDIRECT, location));
    }
    assert_eq!(site.get("/bare/").await.err(), Some(GONE), "no index, no listing");
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let site = Site::new(&[("a.txt", b"x")]);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(site.ask(method, "/a.txt", &[]).await.err(), Some(FileError::MethodNotAllowed));
    }
}

#[tokio::test]
async fn the_fallback_is_for_addresses_and_never_for_assets() {
    let site = Site::with(&[("index.html", b"app"), ("docs/a.txt", b"x")], |config| {
        config.fallback = Some("index.html".to_owned());
    });
    for target in ["/users/7", "/users/7/", "/deep/er/link", "/docs/", "/v1.2", "/users/7?tab=1"] {
        let got = site.get(target).await.expect(target);
        assert_eq!((got.head.status, &got.body[..]), (StatusCode::OK, &b"app"[..]), "{target}");
        assert_eq!(got.field(CACHE_CONTROL), "no-cache");
    }
    for target in ["/app.3f2a91c8.js", "/assets/gone.css", "/favicon.ico"] {
        assert_eq!(site.get(target).await.err(), Some(GONE_ASSET), "{target}");
    }
    assert_eq!(site.get("/.git/HEAD").await.err(), Some(GONE), "not even an address");
    let kept = site.files.bytes();
    site.get("/another/address").await.expect("fallback");
    assert_eq!(site.files.bytes(), kept, "addresses take no memory");
}

#[tokio::test]
async fn below_an_asset_folder_nothing_missing_is_a_page() {
    let site = Site::with(&[("index.html", b"app"), ("assets/here", b"x")], |config| {
        config.fallback = Some("index.html".to_owned());
        config.assets = vec![config::FileGlob::parse("/assets/**").expect("a pattern")];
    });
    assert_eq!(site.get("/assets/gone").await.err(), Some(GONE_ASSET));
    assert_eq!(site.get("/assets/gone/").await.err(), Some(GONE_ASSET));
    assert_eq!(site.get("/assets/here").await.expect("asset").body, "x");
    assert_eq!(site.get("/asset").await.expect("an address").body, "app");
}

#[tokio::test]
async fn types_and_cache_rules_are_the_operators() {
    let rule = |glob: &str, control| config::CacheRule {
        glob: config::FileGlob::parse(glob).expect("a pattern"),
        control: HeaderValue::from_static(control),
    };
    let site = Site::with(&[("img/a.png", b"x"), ("img/b.MD", b"x"), ("index.html", b"x")], |config| {
        config.cache = vec![rule("/img/*.png", "max-age=1"), rule("/img/**", "max-age=2")];
        config.types = vec![("md".to_owned(), HeaderValue::from_static("text/markdown"))];
    });
    assert_eq!(site.get("/img/a.png").await.expect("file").field(CACHE_CONTROL), "max-age=1");
    let other = site.get("/img/b.MD").await.expect("file");
    assert_eq!((other.field(CACHE_CONTROL), other.field(CONTENT_TYPE)), ("max-age=2", "text/markdown"));
    assert_eq!(site.get("/").await.expect("index").field(CACHE_CONTROL), "no-cache");
}

#[tokio::test]
async fn hidden_names_are_served_where_the_operator_says_so() {
    let files: &[(&str, &[u8])] = &[(".well-known/x", b"w"), (".hidden", b"h")];
    let closed = Site::new(files);
    assert_eq!(closed.get("/.well-known/x").await.expect("public by RFC 8615").body, "w");
    assert_eq!(closed.get("/.hidden").await.err(), Some(GONE));
    let open = Site::with(files, |config| config.hidden = true);
    assert_eq!(open.get("/.hidden").await.expect("allowed").body, "h");
}

#[tokio::test]
async fn options_tells_the_methods() {
    let got = Site::new(&[]).ask(Method::OPTIONS, "/a.txt", &[]).await.expect("options");
    assert_eq!((got.head.status, got.field(http::header::ALLOW)), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"));
    assert!(got.body.is_empty());
}

#[tokio::test]
async fn without_a_fallback_missing_is_missing() {
    let site = Site::new(&[]);
    assert_eq!(site.get("/users/7").await.err(), Some(GONE));
    assert_eq!(site.get("/").await.err(), Some(GONE));
    assert_eq!(site.get("/app.js").await.err(), Some(GONE_ASSET));
}

#[tokio::test]
async fn the_routes_prefix_is_cut() {
    let site = Site::with(&[("app.js", b"x"), ("sub/index.html", b"s"), ("index.html", b"root")], |config| {
        config.strip_prefix = Some("/static/".to_owned());
    });
    assert_eq!(site.get("/static/app.js").await.expect("file").body, "x");
    assert_eq!(site.get("/static/").await.expect("index").body, "root");
    assert_eq!(site.get("/static").await.expect("redirect").field(LOCATION), "/static/");
    assert_eq!(site.get("/static/sub").await.expect("redirect").field(LOCATION), "/static/sub/");
    assert_eq!(site.get("/app.js").await.err(), Some(GONE));
}

#[tokio::test]
async fn a_route_that_asks_who_the_client_is_keeps_answers_private() {
    let mut site = Site::new(&[("logo.png", b"x")]);
    site.server = site.server.for_identified_clients();
    assert_eq!(site.get("/logo.png").await.expect("file").field(CACHE_CONTROL), "private, max-age=86400");
}

#[test]
fn a_bad_configuration_does_not_become_a_server() {
    let site = Site::new(&[]);
    let config = |root: PathBuf, index: &str, fallback: Option<&str>| config::Files {
        index: index.to_owned(),
        fallback: fallback.map(str::to_owned),
        ..config::Files::of(root)
    };
    let open = |config| FileServer::open(&config).map(|_| ()).map_err(|error| error.to_string());
    let missing = open(config(PathBuf::from("/nonexistent-root"), "index.html", None));
    assert!(missing.expect_err("root").starts_with("the directory /nonexistent-root can't be opened"));
    let outside = open(config(site.path(""), "../index.html", None));
    assert!(outside.expect_err("index").contains("`../index.html` can't be a file below the root"));
    assert!(open(config(site.path(""), "index.html", Some("a//b"))).is_err());
}
