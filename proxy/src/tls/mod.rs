//! Certificates by host name, swapped without touching a connection, and the settings of TLS.

mod certificates;
mod self_signed;

pub use certificates::{Certificates, TlsError};

use rustls::server::ServerConfig;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

/// Connections that speak HTTP/2, and those that don't (RFC 7301; names from RFC 9113 section 3.1).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The settings of every TLS listener: TLS 1.2 and 1.3 with the provider's defaults; certificates are looked up for
/// each handshake, so that a reload needs no new listener.
///
/// # Errors
/// When the cryptographic provider supports none of it, or no ticket key can be made.
pub fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    // Two tickets, rustls's default, cost a second encryption and record for each handshake; clients that open
    // connections in parallel get one with each.
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}
