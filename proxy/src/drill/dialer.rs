//! Connections to the stack, as its clients open them.

use super::flags::Flags;
use super::tls;
use crate::config::drill::{Destination, Plan};
use rustls_pki_types::ServerName;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Name, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS by prior knowledge.
    Http2,
}

/// A stream to the stack, plain or TLS.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

/// Opens connections to the target.
pub(super) struct Dialer {
    target: Destination,
    tls: Option<Tls>,
}

struct Tls {
    http1: TlsConnector,
    http2: TlsConnector,
    name: ServerName<'static>,
}

impl Dialer {
    /// For the plan's target.
    pub(super) fn new(plan: &Plan, flags: &Flags) -> Result<Self, String> {
        let target = plan.target.clone();
        if !target.tls {
            return Ok(Self { target, tls: None });
        }
        let ca = flags.ca.as_deref().or(plan.ca.as_deref());
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| format!("{:?} is no name that a certificate can have", target.host))?;
        let connector = |alpn: &[u8]| Ok::<_, String>(TlsConnector::from(tls::config(ca, flags.insecure, alpn)?));
        let tls = Tls { http1: connector(b"http/1.1")?, http2: connector(b"h2")?, name };
        Ok(Self { target, tls: Some(tls) })
    }

    /// The target.
    pub(super) const fn target(&self) -> &Destination {
        &self.target
    }

    /// Opens a connection.
    pub(super) async fn open(&self, version: Version) -> io::Result<Box<dyn Socket>> {
        let opening = async {
            let stream = TcpStream::connect((self.target.host.as_str(), self.target.port)).await?;
            stream.set_nodelay(true)?;
            let Some(tls) = &self.tls else { return Ok(Box::new(stream) as Box<dyn Socket>) };
            let (connector, protocol) = match version {
                Version::Http1 => (&tls.http1, &b"http/1.1"[..]),
                Version::Http2 => (&tls.http2, &b"h2"[..]),
            };
            let stream = connector.connect(tls.name.clone(), stream).await?;
            match stream.get_ref().1.alpn_protocol() {
                Some(agreed) if agreed == protocol => {}
                None if version == Version::Http1 => {}
                _ => return Err(io::Error::other("the stack does not speak HTTP/2")),
            }
            Ok(Box::new(stream) as Box<dyn Socket>)
        };
        timeout(CONNECT_TIMEOUT, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
