//! What all servers of a run share: the files, the certificate, the tokens, the ports.

use crate::error::Error;
use crate::tokens::Tokens;
use crate::twins;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The name in the certificate.
pub(crate) const HOST: &str = "localhost";

/// A directory that goes with the value, and what is in it.
#[derive(Debug)]
pub(crate) struct Ground {
    directory: TempDir,
    /// The program that is measured.
    pub(crate) product: PathBuf,
    /// Where everybody listens.
    pub(crate) ports: Ports,
    /// Who signs what the requests carry.
    pub(crate) tokens: Tokens,
}

/// Two endpoints of the upstream; a plain and a TLS port for each server.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) upstream: [u16; 2],
    pub(crate) portcullis: [u16; 2],
    pub(crate) bare: [u16; 2],
    pub(crate) resilient: [u16; 2],
    pub(crate) nginx: [u16; 2],
    pub(crate) h2o: [u16; 2],
    pub(crate) haproxy: [u16; 2],
    pub(crate) auth_request: [u16; 2],
    /// Plain both: files, forwarding.
    pub(crate) floor: [u16; 2],
}

impl Ground {
    /// Writes everything below a new temporary directory.
    pub(crate) fn prepare(product: PathBuf) -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("portcullis-bench-").tempdir()?;
        let path = directory.path();
        let site = path.join("site");
        fs::create_dir(&site)?;
        for (name, bytes) in [("1k.bin", 1024), ("100k.bin", 100 * 1024), ("10m.bin", 10 * 1024 * 1024)] {
            fs::write(site.join(name), filler(bytes))?;
        }
        twins::prepare(&product, &site)?;
        fs::write(path.join("post.bin"), filler(64 * 1024))?;
        write_certificate(path)?;
        let tokens = Tokens::prepare(path)?;
        Ok(Self { ports: Ports::free()?, tokens, product, directory })
    }

    /// A file of the ground.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Bytes that look like text to whoever might look.
fn filler(bytes: usize) -> Vec<u8> {
    b"0123456789abcdefghijklmnopqrstuvwxyz\n".iter().copied().cycle().take(bytes).collect()
}

/// ECDSA P-256, which is what is deployed now. `both.pem` is how HAProxy wants it.
fn write_certificate(path: &Path) -> Result<(), Error> {
    let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    fs::write(path.join("certificate.pem"), cert.pem())?;
    fs::write(path.join("key.pem"), signing_key.serialize_pem())?;
    fs::write(path.join("both.pem"), cert.pem() + &signing_key.serialize_pem())?;
    Ok(())
}

impl Ports {
    /// Ports that nobody uses at this moment.
    fn free() -> io::Result<Self> {
        // All are held until the last one is known, so that no port is given twice.
        let mut held = Vec::new();
        let mut port = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok::<_, io::Error>(port)
        };
        let mut pair = || Ok::<_, io::Error>([port()?, port()?]);
        Ok(Self {
            upstream: pair()?,
            portcullis: pair()?,
            bare: pair()?,
            resilient: pair()?,
            nginx: pair()?,
            h2o: pair()?,
            haproxy: pair()?,
            auth_request: pair()?,
            floor: pair()?,
        })
    }
}
