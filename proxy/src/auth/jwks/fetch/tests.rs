//! Fetching over real connections, and from servers that misbehave.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

#[test]
fn plain_http_needs_a_loopback_host_or_the_operators_word() {
    let tls = tls_config().expect("TLS");
    for (url, insecure, expected) in [
        ("https://id.example/jwks", false, None),
        ("https://id.example:8443/jwks?x=1", false, None),
        ("http://127.0.0.1:1/", false, None),
        ("http://[::1]:1/", false, None),
        ("http://localhost/", false, None),
        ("http://app:8000/jwks", true, None),
        ("http://app:8000/jwks", false, Some(UrlProblem::Insecure)),
        ("http://127.0.0.1.example/", false, Some(UrlProblem::Insecure)),
        ("/jwks", false, Some(UrlProblem::Malformed)),
        ("ftp://id.example/", false, Some(UrlProblem::Malformed)),
    ] {
        let url: Uri = url.parse().expect("a URI");
        assert_eq!(Endpoint::new(&url, insecure, &tls).err(), expected, "{url}");
    }
}

#[test]
fn max_age_is_read_as_caches_do() {
    for (value, expected) in [
        ("max-age=300", Some(300)),
        ("public, Max-Age=\"60\"", Some(60)),
        ("no-cache, max-age=60", Some(0)),
        ("no-store", Some(0)),
        ("max-age=-1", None),
        ("max-age=soon", None),
        ("public", None),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(value));
        assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{value}");
    }
}

#[tokio::test]
async fn https_needs_a_certificate_that_is_trusted_for_the_host() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let certificate = certified.cert.der().clone();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .expect("a certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url: Uri = format!("https://{}/jwks", listener.local_addr().expect("an address")).parse().expect("a URL");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let answer = async |_| Ok::<_, std::convert::Infallible>(http::Response::new("{}".to_owned()));
            let service = hyper::service::service_fn(answer);
            let server = hyper::server::conn::http1::Builder::new();
            // The client may leave as it likes.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let trusting = tls_config_with(roots).expect("TLS");
    let fetched = Endpoint::new(&url, false, &trusting).expect("an endpoint").fetch().await.expect("a body");
    assert_eq!((&fetched.body[..], fetched.max_age), (&b"{}"[..], None));
    let strict = tls_config().expect("TLS");
    let refused = Endpoint::new(&url, false, &strict).expect("an endpoint").fetch().await;
    assert!(matches!(refused, Err(FetchError::Connect(_))), "{refused:?}");
}

/// A server that sends these bytes to whoever connects, `endless` again and again, and counts what it could send.
async fn scripted(head: &'static str, endless: &'static [u8], closes: bool) -> (Endpoint, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url: Uri = format!("http://{}/jwks", listener.local_addr().expect("an address")).parse().expect("a URL");
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(head.as_bytes()).await;
            while !endless.is_empty() && stream.write_all(endless).await.is_ok() {
                counted.fetch_add(endless.len(), Ordering::SeqCst);
                if endless.len() == 1 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            if !closes {
                pending::<()>().await;
            }
        }
    });
    let tls = tls_config().expect("TLS");
    (Endpoint::new(&url, false, &tls).expect("an endpoint"), sent)
}

#[tokio::test]
async fn servers_that_misbehave_cost_little_and_end_in_time() {
    static SPACES: [u8; 64 * 1024] = [b' '; 64 * 1024];
    let limit = Duration::from_millis(300);
    for (what, head, endless, closes, expected) in [
        ("silence", "", &[][..], false, "no answer in time"),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-", &[], false, "no answer in time"),
        ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":", &[], false, "no answer in time"),
        ("a byte at a time", "HTTP/1.1 200 OK\r\n\r\n", b" ", false, "no answer in time"),
        ("truncated", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":", &[], true, "the body broke off"),
        (
            "truncated chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{",
            &[],
            true,
            "the body broke off",
        ),
        ("announced 50 MB", "HTTP/1.1 200 OK\r\nContent-Length: 52428800\r\n\r\n", &SPACES, true, "the body broke off"),
        ("without an end", "HTTP/1.1 200 OK\r\n\r\n", &SPACES, true, "the body broke off"),
        ("closed at once", "", &[], true, "no HTTP exchange"),
        ("no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", &[], true, "no HTTP exchange"),
        ("500", "HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", &[], true, "status 500"),
        (
            "a redirect",
            "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            &[],
            true,
            "a redirect",
        ),
    ] {
        let (endpoint, sent) = scripted(head, endless, closes).await;
        let started = std::time::Instant::now();
        let error = endpoint.fetch_within(limit).await.expect_err(what);
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(started.elapsed() < Duration::from_secs(10), "{what}: {:?}", started.elapsed());
        // What the kernel's buffers hold is all that it can get rid of.
        assert!(sent.load(Ordering::SeqCst) < 16 << 20, "{what}: {sent:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error_too() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url: Uri = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
    drop(listener);
    let endpoint = Endpoint::new(&url, false, &tls_config().expect("TLS")).expect("an endpoint");
    assert!(matches!(endpoint.fetch().await, Err(FetchError::Connect(_))));
}
