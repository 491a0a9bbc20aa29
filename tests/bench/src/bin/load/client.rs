//! A connection and a request, nothing that costs the generator's core more than it must.

use clap::{Args, ValueEnum};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, Tls12Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The largest answer that is read at once.
const READ_BYTES: usize = 16 * 1024;
/// A session for each of a worker's connections in turn; TLS 1.3 tickets are used once.
const SESSIONS: usize = 8;

/// Whom to ask for what.
#[derive(Debug, Clone, Args)]
pub(crate) struct Aim {
    /// `http://127.0.0.1:PORT/PATH`, or https.
    url: http::Uri,
    /// Bytes of a right answer's body.
    #[arg(long)]
    answer_bytes: u64,
    /// The version of TLS, with https.
    #[arg(long, value_enum, default_value_t = Version::Tls13)]
    tls: Version,
    /// Resume sessions.
    #[arg(long)]
    resume: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Version {
    #[value(name = "1.2")]
    Tls12,
    #[value(name = "1.3")]
    Tls13,
}

/// Bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Opens connections; each client resumes its own sessions only.
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<TlsConnector>,
    request: Vec<u8>,
    answer_bytes: u64,
    buffer: Vec<u8>,
}

/// A whole answer that was right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// Head and body.
    pub(crate) bytes: u64,
}

impl Aim {
    /// Bytes of a right answer's body.
    pub(crate) fn answer_bytes(&self) -> u64 {
        self.answer_bytes
    }

    /// A client of its own. `close` asks the server to close after its answer.
    pub(crate) fn client(&self, close: bool) -> Result<Client, Box<dyn Error>> {
        let port = self.url.port_u16().ok_or("no port")?;
        let path = self.url.path();
        let close = if close { "Connection: close\r\n" } else { "" };
        Ok(Client {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            tls: (self.url.scheme_str() == Some("https")).then(|| self.connector()).transpose()?,
            request: format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{close}\r\n").into_bytes(),
            answer_bytes: self.answer_bytes,
            buffer: vec![0; READ_BYTES],
        })
    }

    fn connector(&self) -> Result<TlsConnector, Box<dyn Error>> {
        let version = match self.tls {
            Version::Tls12 => &rustls::version::TLS12,
            Version::Tls13 => &rustls::version::TLS13,
        };
        // The first is what all servers choose: nobody is asked to start over. The second is the certificate's curve,
        // which a client of TLS 1.2 must know too (RFC 8422 section 5.1.1).
        let kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
        let provider = CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        config.resumption = if self.resume {
            Resumption::in_memory_sessions(SESSIONS).tls12_resumption(Tls12Resumption::SessionIdOrTickets)
        } else {
            Resumption::disabled()
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

impl Client {
    /// A new connection, and how the handshake went where there was one.
    pub(crate) async fn connect(&self) -> io::Result<(Box<dyn Stream>, Option<HandshakeKind>)> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok((Box::new(stream), None)) };
        // By name, because a session is kept by name.
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let stream = tls.connect(name, stream).await?;
        let kind = stream.get_ref().1.handshake_kind();
        Ok((Box::new(stream), kind))
    }

    /// Asks once and reads the answer to its last byte.
    pub(crate) async fn ask(&mut self, stream: &mut dyn Stream) -> io::Result<Answer> {
        stream.write_all(&self.request).await?;
        stream.flush().await?;
        let (mut length, mut whole) = (0, None);
        while whole.is_none_or(|whole| length < whole) {
            let free = self.buffer.get_mut(length..).filter(|free| !free.is_empty()).ok_or_else(wrong)?;
            let read = stream.read(free).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += read;
            if whole.is_none() {
                whole = head_end(&self.buffer[..length])
                    .map(|head| check(&self.buffer[..head], self.answer_bytes).map(|body| head + body))
                    .transpose()?;
            }
        }
        if whole != Some(length) {
            return Err(wrong());
        }
        Ok(Answer { bytes: length as u64 })
    }

    /// Waits for the end that the answer promised.
    pub(crate) async fn end(&mut self, mut stream: Box<dyn Stream>) -> io::Result<()> {
        match stream.read(&mut self.buffer).await {
            Ok(0) => Ok(()),
            // The transport's end without the one of TLS (RFC 8446 section 6.1): the answer was whole by its length.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Ok(_) => Err(wrong()),
            Err(error) => Err(error),
        }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Status and length of a right answer; the bytes of its body.
fn check(head: &[u8], answer_bytes: u64) -> io::Result<usize> {
    let head = std::str::from_utf8(head).map_err(|_| wrong())?;
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    if !head.starts_with("HTTP/1.1 200 ") || length != Some(answer_bytes) {
        return Err(wrong());
    }
    usize::try_from(answer_bytes).map_err(|_| wrong())
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not the right answer")
}

/// The generator measures, it does not doubt: what it would verify costs its core, not the server's.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_right_by_status_and_length() {
        assert_eq!(check(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 7\r\n\r\n", 7).ok(), Some(7));
        assert!(check(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n", 7).is_err());
        assert!(check(b"HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\n", 7).is_err());
        assert!(check(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 7).is_err());
    }

    #[test]
    fn the_head_ends_at_the_empty_line() {
        assert_eq!(head_end(b"HTTP/1.1 200 OK\r\n\r\nbody"), Some(19));
        assert_eq!(head_end(b"HTTP/1.1 200 OK\r\n\r"), None);
    }
}
