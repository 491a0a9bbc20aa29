//! The servers that take part, each set up as somebody would who knows it well.
//!
//! All run one worker, log every request to `/dev/null`, keep connections to the upstream, and speak TLS 1.3 with the
//! same ECDSA certificate. What a server's own documentation advises for speed is on.

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
}

impl Kind {
    /// As its makers write it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Portcullis => "portcullis",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
        }
    }

    /// What it says about itself.
    pub(crate) fn version(self) -> Option<String> {
        match self {
            Self::Portcullis => machine::first_line(&portcullis::program().ok()?, "--version"),
            Self::Nginx => machine::first_line("nginx".as_ref(), "-v"),
            Self::Haproxy => machine::first_line("haproxy".as_ref(), "-v"),
        }
    }
}

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) process: Process,
    /// Plain, TLS.
    ports: [u16; 2],
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(kind: Kind, ground: &Ground, cores: Cores) -> Result<Self, Error> {
        let (ports, file, text) = match kind {
            Kind::Portcullis => (ground.ports.portcullis, "portcullis.toml", portcullis::config(ground)),
            Kind::Nginx => (ground.ports.nginx, "nginx.conf", nginx::config(ground)),
            Kind::Haproxy => (ground.ports.haproxy, "haproxy.cfg", haproxy::config(ground)),
        };
        let config = ground.path(file);
        fs::write(&config, text)?;
        let start = |program: &OsStr, before: &[&str]| {
            let mut arguments: Vec<&OsStr> = before.iter().map(OsStr::new).collect();
            arguments.push(config.as_os_str());
            Process::start(cores.server, program, &arguments)
        };
        let mut process = match kind {
            Kind::Portcullis => start(&portcullis::program()?, &["run", "--config"])?,
            Kind::Nginx => start("nginx".as_ref(), &["-c"])?,
            Kind::Haproxy => start("haproxy".as_ref(), &["-f"])?,
        };
        ports.into_iter().try_for_each(|port| process.wait_until_listening(port))?;
        Ok(Self { kind, process, ports })
    }

    /// The address of a path.
    pub(crate) fn url(&self, tls: bool, path: &str) -> String {
        let [plain, secure] = self.ports;
        if tls { format!("https://127.0.0.1:{secure}{path}") } else { format!("http://127.0.0.1:{plain}{path}") }
    }
}
