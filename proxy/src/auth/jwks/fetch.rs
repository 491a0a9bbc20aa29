//! One fetch of a JWK set or a discovery document over HTTP/1.1: bounded in time and bytes, no redirects.

use crate::auth::keys::jwk::SET_BYTES_MAX;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::future::{Future, pending};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Name, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// All of one fetch.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a URL can't be fetched from at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// No host, or a host that no certificate can name.
    #[error("not an absolute URL with a valid host")]
    Malformed,
    /// Plain http over a network.
    #[error("plain http is only for loopback addresses, or with `insecure = true`")]
    Insecure,
}

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("no answer in time")]
    Timeout,
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no HTTP exchange: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("a redirect to {0:?}, which is never followed")]
    Redirect(HeaderValue),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("the body broke off or is larger than {SET_BYTES_MAX} bytes")]
    Body,
}

/// What came.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The body.
    pub(crate) body: Bytes,
    /// How long `Cache-Control` calls it fresh.
    pub(crate) max_age: Option<Duration>,
}

/// Where something is fetched from.
#[derive(Debug)]
pub(crate) struct Endpoint {
    host: String,
    port: u16,
    authority: HeaderValue,
    target: String,
    tls: Option<Tls>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.name)
    }
}

/// TLS as every fetch uses it: 1.2 and 1.3, Mozilla's roots.
pub(crate) fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    tls_config_with(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
}

fn tls_config_with(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Endpoint {
    /// Prepares a URL. `insecure`: the operator has said that plain http is fine here.
    pub(crate) fn new(url: &Uri, insecure: bool, tls: &Arc<ClientConfig>) -> Result<Self, UrlProblem> {
        let authority = url.authority().ok_or(UrlProblem::Malformed)?;
        // An IPv6 literal stands in brackets in a URL and without them everywhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, default_port) = match url.scheme_str() {
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| UrlProblem::Malformed)?;
                (Some(Tls { connector: TlsConnector::from(Arc::clone(tls)), name }), 443)
            }
            Some("http") if insecure || is_loopback(&host) => (None, 80),
            Some("http") => return Err(UrlProblem::Insecure),
            _ => return Err(UrlProblem::Malformed),
        };
        let named = match authority.port() {
            Some(port) => format!("{}:{port}", authority.host()),
            None => authority.host().to_owned(),
        };
        Ok(Self {
            port: authority.port_u16().unwrap_or(default_port),
            authority: HeaderValue::try_from(named).map_err(|_| UrlProblem::Malformed)?,
            target: url.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            host,
            tls,
        })
    }

    /// Whether nobody on the way can change what comes.
    pub(crate) fn is_https(&self) -> bool {
        self.tls.is_some()
    }

    /// Fetches once.
    pub(crate) async fn fetch(&self) -> Result<Fetched, FetchError> {
        self.fetch_within(TOTAL_TIMEOUT).await
    }

    async fn fetch_within(&self, limit: Duration) -> Result<Fetched, FetchError> {
        timeout(limit, async {
            let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect((self.host.as_str(), self.port)))
                .await
                .map_err(|_| FetchError::Timeout)?
                .map_err(FetchError::Connect)?;
            match &self.tls {
                None => self.exchange(stream).await,
                Some(Tls { connector, name }) => {
                    let stream = timeout(CONNECT_TIMEOUT, connector.connect(name.clone(), stream))
                        .await
                        .map_err(|_| FetchError::Timeout)?
                        .map_err(FetchError::Connect)?;
                    self.exchange(stream).await
                }
            }
        })
        .await
        .map_err(|_| FetchError::Timeout)?
    }

    async fn exchange(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Fetched, FetchError> {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = self.target.parse().unwrap_or_else(|_| Uri::from_static("/"));
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION"))));

        let answer = async {
            let response = sender.send_request(request).await?;
            if response.status().is_redirection() {
                let to = response.headers().get(LOCATION).cloned();
                return Err(FetchError::Redirect(to.unwrap_or(HeaderValue::from_static(""))));
            }
            if response.status() != StatusCode::OK {
                return Err(FetchError::Status(response.status()));
            }
            let max_age = max_age(response.headers());
            let body = Limited::new(response.into_body(), SET_BYTES_MAX).collect().await;
            Ok(Fetched { body: body.map_err(|_| FetchError::Body)?.to_bytes(), max_age })
        };
        drive(answer, connection).await
    }
}

/// Polls the connection while waiting for the answer. Its own end is not the answer's: the last bytes of a body may
/// still be on their way, and its errors show there as well.
async fn drive<T>(answer: impl Future<Output = T>, connection: impl Future) -> T {
    let connection = async {
        connection.await;
        pending::<()>().await;
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        () = connection => pending().await,
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `max-age` (RFC 9111 section 5.2.2.1); `no-store` and `no-cache` count as 0.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for field in headers.get_all(CACHE_CONTROL) {
        for directive in field.to_str().unwrap_or_default().split(',').map(str::trim) {
            if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if let Some((name, value)) = directive.split_once('=')
                && name.eq_ignore_ascii_case("max-age")
                && let Ok(seconds) = value.trim_matches('"').parse()
            {
                found = Some(Duration::from_secs(seconds));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
