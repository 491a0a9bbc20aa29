//! Files that an application hands over.

use super::*;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};

const BADGE: &str = "attachment; filename*=UTF-8''b%C3%A4dge.png";

struct Store {
    site: Site,
    application: HeaderMap,
}

impl Store {
    fn new() -> Self {
        let mut site = Site::new(&[("ab/cd/digest", b"0123456789"), (".hidden", b"h"), ("large", &[7; 300_000])]);
        site.server = FileServer::internal(&site.path("")).expect("server");
        let mut application = HeaderMap::new();
        application.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
        application.insert(CONTENT_DISPOSITION, HeaderValue::from_static(BADGE));
        application.insert(ETAG, HeaderValue::from_static("\"digest\""));
        application.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Self { site, application }
    }

    async fn ask(&self, method: Method, redirect: &str, fields: &[(HeaderName, &str)]) -> Result<Got, FileError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_str(value).expect("value"));
        }
        let request = FileRequest { method: &method, raw_path: "/api/attachments/1/", query: None, headers: &headers };
        let (files, now) = (&self.site.files, self.site.start);
        let served = self.site.server.serve_internal(redirect, request, &self.application, files, now).await;
        collect(served?).await
    }
}

#[tokio::test]
async fn the_bytes_are_ours_and_the_fields_are_the_applications() {
    let store = Store::new();
    for redirect in ["/ab/cd/digest", "/ab/cd/digest", "/ab/cd/digest?signature=x", "/ab/cd/d%69gest"] {
        let got = store.ask(Method::GET, redirect, &[]).await.expect(redirect);
        assert_eq!((got.head.status, &got.body[..]), (StatusCode::OK, &b"0123456789"[..]));
        assert_eq!((got.field(CONTENT_TYPE), got.field(CONTENT_DISPOSITION)), ("image/png", BADGE));
        assert_eq!((got.field(ETAG), got.field(CONTENT_LENGTH)), ("\"digest\"", "10"));
    }
}

#[tokio::test]
async fn ranges_and_conditions_work_on_the_applications_version() {
    let store = Store::new();
    let part = store.ask(Method::GET, "/ab/cd/digest", &[(RANGE, "bytes=2-4")]).await.expect("part");
    assert_eq!((part.head.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    assert_eq!((part.field(CONTENT_RANGE), part.field(CONTENT_TYPE)), ("bytes 2-4/10", "image/png"));
    let known = store.ask(Method::GET, "/ab/cd/digest", &[(IF_NONE_MATCH, "\"digest\"")]).await.expect("known");
    assert_eq!(known.head.status, StatusCode::NOT_MODIFIED);
    let large = store.ask(Method::GET, "/large", &[(RANGE, "bytes=-3")]).await.expect("large");
    assert_eq!((large.field(CONTENT_RANGE), &large.body[..]), ("bytes 299997-299999/300000", &[7; 3][..]));
}

#[tokio::test]
async fn another_method_gets_the_whole_file() {
    let store = Store::new();
    let fields = [(RANGE, "bytes=2-4"), (IF_NONE_MATCH, "*")];
    let got = store.ask(Method::POST, "/ab/cd/digest", &fields).await.expect("file");
    assert_eq!((got.head.status, got.body.len()), (StatusCode::OK, 10));
    let head = store.ask(Method::HEAD, "/ab/cd/digest", &[]).await.expect("head");
    assert_eq!((head.field(CONTENT_LENGTH), head.body.len()), ("10", 0));
}

#[tokio::test]
async fn hidden_names_are_the_applications_choice_and_the_root_is_not() {
    let store = Store::new();
    assert_eq!(store.ask(Method::GET, "/.hidden", &[]).await.expect("hidden").body, "h");
    for redirect in ["/../secret", "/%2e%2e/secret", "/ab%2f..%2fsecret", "secret", "/a\\b"] {
        assert!(matches!(store.ask(Method::GET, redirect, &[]).await, Err(FileError::BadPath(_))), "{redirect}");
    }
    for redirect in ["/", "/ab", "/ab/", "/none", "//ab"] {
        assert!(matches!(store.ask(Method::GET, redirect, &[]).await, Err(FileError::NotFound { .. })), "{redirect}");
    }
}
