//! The servers that take part, each set up as somebody would who knows it well.
//!
//! All run one worker, log every request to `/dev/null`, keep connections to the upstream, and speak TLS with the
//! same ECDSA certificate. What a server's own documentation advises for speed is on.

mod auth_request;
mod haproxy;
mod nginx;
mod portcullis;

use crate::error::Error;
use crate::ground::Ground;
use crate::machine::{self, Cores};
use crate::process::Process;
use std::ffi::OsStr;
use std::fs;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Portcullis,
    Nginx,
    Haproxy,
    /// nginx with a validator of tokens behind `auth_request`.
    AuthRequest,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Portcullis, Self::Nginx, Self::Haproxy, Self::AuthRequest];

    /// As its makers write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Portcullis => "portcullis",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::AuthRequest => "nginx with auth_request",
        }
    }

    /// What it says about itself.
    pub(crate) fn version(self, ground: &Ground) -> Option<String> {
        match self {
            Self::Portcullis => machine::first_line(ground.product.as_ref(), "--version"),
            Self::Nginx | Self::AuthRequest => machine::first_line("nginx".as_ref(), "-v"),
            Self::Haproxy => machine::first_line("haproxy".as_ref(), "-v"),
        }
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) process: Process,
    /// Memory before the first request, in KiB.
    pub(crate) start_kib: u64,
    /// Plain, TLS.
    ports: [u16; 2],
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(kind: Kind, ground: &Ground, cores: Cores) -> Result<Self, Error> {
        let (ports, file, text) = match kind {
            Kind::Portcullis => (ground.ports.portcullis, "portcullis.toml", portcullis::config(ground)),
            Kind::Nginx => (ground.ports.nginx, "nginx.conf", nginx::config(ground, ground.ports.nginx, "", "")),
            Kind::Haproxy => (ground.ports.haproxy, "haproxy.cfg", haproxy::config(ground)),
            Kind::AuthRequest => {
                let (upstreams, locations) = (auth_request::upstreams(ground), auth_request::locations());
                let ports = ground.ports.auth_request;
                (ports, "auth_request.conf", nginx::config(ground, ports, &upstreams, &locations))
            }
        };
        let config = ground.path(file);
        fs::write(&config, text)?;
        let start = |program: &OsStr, before: &[&str]| {
            let mut arguments: Vec<&OsStr> = before.iter().map(OsStr::new).collect();
            arguments.push(config.as_os_str());
            Process::start(cores.server, program, &arguments)
        };
        let mut process = match kind {
            Kind::Portcullis => start(ground.product.as_ref(), &["run", "--config"])?,
            Kind::Nginx => start("nginx".as_ref(), &["-c"])?,
            Kind::AuthRequest => {
                let validators = auth_request::validators(ground, cores.server)?;
                start("nginx".as_ref(), &["-c"])?.with(validators)
            }
            Kind::Haproxy => start("haproxy".as_ref(), &["-f"])?,
        };
        ports.into_iter().try_for_each(|port| process.wait_until_listening(port))?;
        let start_kib = process.resident_kib();
        Ok(Self { kind, process, start_kib, ports })
    }

    /// The address of a path.
    pub(crate) fn url(&self, tls: bool, path: &str) -> String {
        let [plain, secure] = self.ports;
        if tls { format!("https://127.0.0.1:{secure}{path}") } else { format!("http://127.0.0.1:{plain}{path}") }
    }
}
