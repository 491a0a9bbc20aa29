//! One request to a server of this machine: how each binary checks its own health, and how its commands ask the running
//! process, without a shell or curl in its image.

use crate::listener::Address;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// From the connect to the end of the answer.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// More of an answer is not read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No connection.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// No HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// The answer is too large or broke off.
    #[error("{0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// Too slow.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

/// Asks for a path; an address of "any" is asked on loopback.
///
/// # Errors
/// [`ProbeError`] when there is no answer; an answer with an error status is an answer.
pub async fn get(address: &Address, path: &str) -> Result<(StatusCode, String), ProbeError> {
    send(address, Method::GET, path, PROBE_TIMEOUT).await
}

/// As [`get`], with another method, and for as long as `limit`.
///
/// # Errors
/// As [`get`].
pub async fn send(
    address: &Address,
    method: Method,
    path: &str,
    limit: Duration,
) -> Result<(StatusCode, String), ProbeError> {
    let asking = async {
        match address {
            Address::Tcp(address) => ask(TcpStream::connect(reachable(*address)).await?, method, path).await,
            Address::Unix(socket) => ask(UnixStream::connect(socket).await?, method, path).await,
        }
    };
    tokio::time::timeout(limit, asking).await.unwrap_or(Err(ProbeError::Timeout(limit)))
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    method: Method,
    path: &str,
) -> Result<(StatusCode, String), ProbeError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(|error: http::uri::InvalidUri| ProbeError::Body(error.into()))?;
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
    let answering = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await.map_err(ProbeError::Body)?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    tokio::pin!(answering, connection);
    tokio::select! {
        biased;
        answer = &mut answering => answer,
        ended = &mut connection => {
            ended?;
            answering.await
        }
    }
}
