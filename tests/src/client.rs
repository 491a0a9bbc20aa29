//! A small HTTP client: one builder for HTTP/1.1 and HTTP/2 over TCP, TLS and Unix sockets. It does what it is told
//! and nothing more: no redirects, no retries, no pool.

use crate::call::Call;
use crate::connection::Connection;
use crate::deadline::within;
use crate::raw::Raw;
use crate::socket::{Socket, connect};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serve::listener::Address;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 9112.
    Http1,
    /// RFC 9113; agreed by ALPN over TLS, known beforehand without.
    Http2,
}

/// Where requests go and how.
#[derive(Clone)]
pub struct Client {
    address: Address,
    /// The `Host` or `:authority` of its requests, also the name that the certificate must have.
    pub(crate) authority: String,
    tls: Option<Arc<ClientConfig>>,
    pub(crate) version: Version,
}

impl Client {
    /// HTTP/1.1 over TCP.
    #[must_use]
    pub fn http(address: SocketAddr) -> Self {
        let authority = address.to_string();
        Self { address: Address::Tcp(address), authority, tls: None, version: Version::Http1 }
    }

    /// HTTP/1.1 over a Unix socket.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        let authority = "localhost".to_owned();
        Self { address: Address::Unix(path.to_owned()), authority, tls: None, version: Version::Http1 }
    }

    /// HTTP/1.1 over TLS as `localhost`, with these trusted roots.
    #[must_use]
    pub fn https(address: SocketAddr, config: ClientConfig) -> Self {
        let authority = format!("localhost:{}", address.port());
        Self { address: Address::Tcp(address), authority, tls: Some(Arc::new(config)), version: Version::Http1 }
    }

    /// The same over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.version = Version::Http2;
        self
    }

    /// Whether a connection takes several requests at the same time.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        self.version == Version::Http2
    }

    /// The same for another host name.
    #[must_use]
    pub fn host(mut self, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        self
    }

    /// A request on a connection of its own.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call::new(self.clone(), method, path)
    }

    /// A GET on a connection of its own.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// A POST on a connection of its own.
    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// Opens a connection for several requests.
    ///
    /// # Panics
    ///
    /// When it can't be opened.
    pub async fn connect(&self) -> Connection {
        self.try_connect().await.expect("a connection to the server")
    }

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// When nobody listens or the TLS handshake fails.
    pub async fn try_connect(&self) -> io::Result<Connection> {
        let socket = within("a connection", self.open()).await?;
        within("the HTTP handshake", Connection::start(socket, self.version)).await
    }

    /// Opens a connection below HTTP, TLS handshake included, for a script of bytes.
    ///
    /// # Panics
    ///
    /// When it can't be opened.
    pub async fn raw(&self) -> Raw {
        Raw::over(within("a connection", self.open()).await.expect("a connection to the server"))
    }

    async fn open(&self) -> io::Result<Box<dyn Socket>> {
        let Some(tls) = &self.tls else { return connect(&self.address).await };
        let Address::Tcp(address) = &self.address else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "TLS goes over TCP here"));
        };
        let mut config = (**tls).clone();
        config.alpn_protocols = match self.version {
            Version::Http1 => vec![b"http/1.1".to_vec()],
            Version::Http2 => vec![b"h2".to_vec()],
        };
        let host = self.authority.split(':').next().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}
