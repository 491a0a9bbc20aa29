//! From an address to a stream that speaks a known protocol: connect, TLS, ALPN.

use super::client_tls;
use super::member::Member;
use super::stream::{Plain, Stream};
use crate::config::{EndpointAddress, UpstreamProtocol, UpstreamTls};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// How the endpoints of an upstream are talked to.
#[derive(Debug, Clone)]
pub struct Transport {
    /// What is spoken.
    pub protocol: UpstreamProtocol,
    /// The upstream's TLS, and what [`client_tls::client_config`] made of it.
    pub tls: Option<(UpstreamTls, Arc<ClientConfig>)>,
}

impl Transport {
    /// Whether a connection that was opened by one may be used for the other.
    pub(super) fn means_the_same(&self, other: &Self) -> bool {
        self.protocol == other.protocol && self.written_tls() == other.written_tls()
    }

    fn written_tls(&self) -> Option<&UpstreamTls> {
        self.tls.as_ref().map(|(tls, _)| tls)
    }
}

/// Opens streams to one endpoint.
pub(super) struct Dialer {
    transport: Transport,
    /// Whom the endpoint's certificate must name; `None` without TLS.
    server_name: Option<ServerName<'static>>,
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2,
}

/// Why there is no connection. Nothing of a request has been sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The name is not known.
    #[error("no address: {0}")]
    Resolve(io::Error),
    /// Nobody takes the connection.
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    /// No address answered in its share of the time.
    #[error("connecting took too long")]
    Timeout,
    /// The peer is not who it must be, or refuses us.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// The peer does not open an HTTP/2 connection.
    #[error("no HTTP/2 connection: {0}")]
    Http2(h2::Error),
}

impl Dialer {
    pub(super) fn new(address: &EndpointAddress, transport: Transport) -> Self {
        let server_name = transport.tls.as_ref().and_then(|(tls, _)| {
            let own = || match address {
                EndpointAddress::Tcp { host, .. } => Some(host.clone()),
                EndpointAddress::Unix(_) | EndpointAddress::Srv(_) => None,
            };
            ServerName::try_from(tls.server_name.clone().or_else(own)?).ok()
        });
        Self { transport, server_name }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What is spoken, where that is known without asking.
    pub(super) fn spoken(&self) -> Option<Spoken> {
        match self.transport.protocol {
            UpstreamProtocol::Http1 => Some(Spoken::Http1),
            UpstreamProtocol::Http2 => Some(Spoken::Http2),
            UpstreamProtocol::Auto => None,
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.transport.tls.is_some()
    }

    /// Opens a stream that begins with `prelude`, under TLS too, on a connection that was just made.
    pub(super) async fn tcp(&self, mut stream: TcpStream, prelude: &[u8]) -> Result<(Stream, Spoken), DialError> {
        stream.set_nodelay(true).map_err(DialError::Connect)?;
        socket2::SockRef::from(&stream).set_tcp_keepalive(&serve::listener::keepalive()).map_err(DialError::Connect)?;
        stream.write_all(prelude).await.map_err(connect)?;
        self.secure(Plain::Tcp(stream)).await
    }

    /// The same over a Unix socket.
    pub(super) async fn unix(&self, path: &Path, prelude: &[u8]) -> Result<(Stream, Spoken), DialError> {
        let mut stream = UnixStream::connect(path).await.map_err(connect)?;
        stream.write_all(prelude).await.map_err(connect)?;
        self.secure(Plain::Unix(stream)).await
    }

    async fn secure(&self, plain: Plain) -> Result<(Stream, Spoken), DialError> {
        let Some((_, config)) = &self.transport.tls else {
            // By prior knowledge (RFC 9113 section 3.3).
            return Ok((plain.into(), self.spoken().unwrap_or(Spoken::Http1)));
        };
        let name = self.server_name.clone().ok_or_else(|| {
            DialError::Tls(io::Error::new(io::ErrorKind::InvalidInput, "no certificate can name this endpoint"))
        })?;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, plain);
        // A handshake's state is large, and rare beside requests.
        let stream = Box::pin(connecting).await.map_err(DialError::Tls)?;
        let agreed = match stream.get_ref().1.alpn_protocol() {
            Some(name) if name == client_tls::HTTP_2 => Spoken::Http2,
            // A server without ALPN speaks HTTP/1.1.
            _ => Spoken::Http1,
        };
        if self.spoken() == Some(Spoken::Http2) && agreed != Spoken::Http2 {
            return Err(DialError::Tls(io::Error::other("the endpoint did not agree to HTTP/2 (ALPN)")));
        }
        Ok((stream.into(), agreed))
    }
}

/// A stream of its own to a member, outside of all pools, for the link and for probes.
///
/// # Errors
/// Nobody takes the connection in time, or TLS fails.
pub async fn dial(
    member: &Member,
    transport: &Transport,
    limit: Duration,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    let opened = tokio::time::timeout(limit, open(member, transport)).await.unwrap_or(Err(DialError::Timeout));
    opened.map(|(stream, _)| stream).map_err(io::Error::other)
}

/// The same without a limit, and with what is spoken on it.
pub(super) async fn open(member: &Member, transport: &Transport) -> Result<(Stream, Spoken), DialError> {
    let dialer = Dialer::new(&member.address, transport.clone());
    match (&member.address, member.socket) {
        (EndpointAddress::Unix(path), _) => dialer.unix(path, &[]).await,
        (_, Some(socket)) => dialer.tcp(tcp(socket).await?, &[]).await,
        _ => Err(DialError::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))),
    }
}

/// A TCP connection that nothing has been sent on.
pub(super) async fn tcp(address: SocketAddr) -> Result<TcpStream, DialError> {
    TcpStream::connect(address).await.map_err(connect)
}

fn connect(error: io::Error) -> DialError {
    if error.kind() == io::ErrorKind::TimedOut { DialError::Timeout } else { DialError::Connect(error) }
}

/// What TLS says in an error of a layer above it. A server that refuses a client's certificate says so only after the
/// client's side of a TLS 1.3 handshake has ended (RFC 8446 section 4.4.2.4), when the first answer is awaited.
pub(super) fn tls_failure(error: &(dyn Error + 'static)) -> Option<io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inside = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        let inside = inside.and_then(|inside| inside.downcast_ref::<rustls::Error>());
        if let Some(failure) = inside.or_else(|| error.downcast_ref()) {
            return Some(io::Error::new(io::ErrorKind::InvalidData, failure.clone()));
        }
        next = error.source();
    }
    None
}

/// The same for HTTP/2, which keeps only the text: nothing but TLS calls what comes in invalid at that height.
pub(super) fn tls_failure_in(error: &h2::Error) -> Option<io::Error> {
    let error = error.get_io().filter(|error| error.kind() == io::ErrorKind::InvalidData)?;
    Some(io::Error::new(error.kind(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_alert_is_found_wherever_it_is_wrapped() {
        let alert = || rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let wrapped = io::Error::other(alert());
        assert!(tls_failure(&wrapped).is_some_and(|found| found.to_string().contains("CertificateRequired")));
        assert!(tls_failure(&Outer(wrapped)).is_some());
        assert!(tls_failure(&Outer(io::ErrorKind::ConnectionReset.into())).is_none());
    }

    #[test]
    fn the_name_is_the_endpoints_own_unless_another_is_configured() {
        let transport = |server_name: Option<&str>| {
            let tls = UpstreamTls { ca: None, identity: None, server_name: server_name.map(str::to_owned) };
            let config = client_tls::client_config(&tls, UpstreamProtocol::Http1).expect("TLS");
            Transport { protocol: UpstreamProtocol::Http1, tls: Some((tls, config)) }
        };
        let host = |host: &str| EndpointAddress::Tcp { host: host.to_owned(), port: 1 };
        let name = |address, server_name| Dialer::new(&address, transport(server_name)).server_name;
        for wanted in ["app_1", "::1", "10.0.0.7"] {
            assert_eq!(name(host(wanted), None), ServerName::try_from(wanted).ok(), "{wanted}");
        }
        assert_eq!(name(host("app"), Some("other")), ServerName::try_from("other").ok());
        assert_eq!(name(EndpointAddress::Unix("/x".into()), None), None);
    }
}
