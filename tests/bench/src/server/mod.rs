//! The servers that take part, each set up as somebody would who knows it well.
//!
//! All run one worker, log every request to `/dev/null`, keep connections to the upstream, and speak TLS with the
//! same ECDSA certificate. What a server's own documentation advises for speed is on.

mod auth_request;
mod floor;
mod h2o;
mod haproxy;
mod kind;
mod nginx;
mod portcullis;

pub(crate) use kind::Kind;

use crate::error::Error;
use crate::ground::Ground;
use crate::machine::Cores;
use crate::process::Process;
use crate::twins::Coding;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

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
        let (ports, file, text) = configuration(kind, ground)?;
        let config = ground.path(file);
        fs::write(&config, text)?;
        let mut process = launch(kind, ground, cores.server, &config)?;
        ports.into_iter().try_for_each(|port| process.wait_until_listening(port))?;
        let start_kib = process.resident_kib();
        Ok(Self { kind, process, start_kib, ports })
    }

    /// Whether this is the server that is looked for, and can send what it shall.
    pub(crate) fn is(&self, kind: Kind, coding: Option<Coding>) -> bool {
        self.kind == kind && coding.is_none_or(|coding| kind.sends(coding))
    }

    /// The address of a path.
    pub(crate) fn url(&self, tls: bool, path: &str) -> String {
        let [plain, secure] = self.ports;
        if tls { format!("https://127.0.0.1:{secure}{path}") } else { format!("http://127.0.0.1:{plain}{path}") }
    }
}

/// Its ports, and the name and text of its configuration.
fn configuration(kind: Kind, ground: &Ground) -> Result<([u16; 2], &'static str, String), Error> {
    let ports = &ground.ports;
    Ok(match kind {
        Kind::Portcullis => (ports.portcullis, "portcullis.toml", portcullis::config(ground)),
        Kind::Bare => (ports.bare, "bare.toml", portcullis::bare(ground)),
        Kind::Resilient => (ports.resilient, "resilient.toml", portcullis::resilient(ground)),
        Kind::Nginx => (ports.nginx, "nginx.conf", nginx::config(ground, ports.nginx, "", "")),
        Kind::H2o => (ports.h2o, "h2o.conf", h2o::config(ground)),
        Kind::Haproxy => (ports.haproxy, "haproxy.cfg", haproxy::config(ground)),
        Kind::AuthRequest => {
            let (upstreams, locations) = (auth_request::upstreams(ground), auth_request::locations());
            let text = nginx::config(ground, ports.auth_request, &upstreams, &locations);
            (ports.auth_request, "auth_request.conf", text)
        }
        // It speaks no TLS.
        Kind::FloorFiles => ([ports.floor[0]; 2], "floor-files", floor::files(ground)?),
        Kind::FloorForward => ([ports.floor[1]; 2], "floor-forward", floor::forward(ground)),
    })
}

fn launch(kind: Kind, ground: &Ground, core: usize, config: &Path) -> Result<Process, Error> {
    let start = |program: &OsStr, before: &[&str]| {
        let mut arguments: Vec<&OsStr> = before.iter().map(OsStr::new).collect();
        arguments.push(config.as_os_str());
        Process::start(core, program, &arguments)
    };
    match kind {
        Kind::Portcullis | Kind::Bare | Kind::Resilient => start(ground.product.as_ref(), &["run", "--config"]),
        Kind::Nginx => start("nginx".as_ref(), &["-c"]),
        Kind::AuthRequest => {
            let validators = auth_request::validators(ground, core)?;
            Ok(start("nginx".as_ref(), &["-c"])?.with(validators))
        }
        Kind::H2o => start("h2o".as_ref(), &["-c"]),
        Kind::Haproxy => start("haproxy".as_ref(), &["-f"]),
        Kind::FloorFiles | Kind::FloorForward => {
            start(std::env::current_exe()?.with_file_name("portcullis-bench-floor").as_ref(), &[])
        }
    }
}
