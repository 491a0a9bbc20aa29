//! nginx and HAProxy as peers: what they make of the same bytes.

use crate::deadline::within;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// nginx, bodies streamed in HTTP/1.1 to the upstream.
    Nginx,
    /// HAProxy with its defaults of `mode http`.
    Haproxy,
}

/// A running peer before one upstream. Dropped, it is ended.
pub struct RunningPeer {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Peer {
    /// The name of its program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Where it is installed; `None` where it is not.
    #[must_use]
    pub fn program(self) -> Option<PathBuf> {
        // Debian installs servers where only root looks for programs.
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
        folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
        folders.into_iter().map(|folder| folder.join(self.name())).find(|file| file.is_file())
    }

    /// Starts it on a free port before this upstream, and waits until it accepts; `None` where it is not installed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn start(self, upstream: SocketAddr) -> Option<RunningPeer> {
        let program = self.program()?;
        let folder = TempDir::new().expect("a folder");
        // The peers can't say which port they got from the kernel: it is found, freed and given to them.
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("a bound address");
        drop(free);
        let file = folder.path().join("peer.conf");
        let (text, arguments) = match self {
            Self::Nginx => (nginx(folder.path(), address, upstream), ["-e", "stderr", "-c"].as_slice()),
            Self::Haproxy => (haproxy(address, upstream), ["-f"].as_slice()),
        };
        fs::write(&file, text).expect("the configuration is written");
        let child = Command::new(program)
            .args(arguments)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let mut peer = RunningPeer { child, address, _folder: folder };
        peer.accepts(self).await;
        Some(peer)
    }
}

impl RunningPeer {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    async fn accepts(&mut self, peer: Peer) {
        within(format!("{} to listen", peer.name()), async {
            while TcpStream::connect(self.address).await.is_err() {
                let ended = self.child.try_wait().expect("a child");
                assert!(ended.is_none(), "{} does not start: {ended:?}", peer.name());
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// One process, so that ending it ends all of it. Short patience: a request that it waits for in vain ends soon.
fn nginx(folder: &Path, address: SocketAddr, upstream: SocketAddr) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path {}/{name};\n", folder.display()))
        .collect();
    format!(
        "daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 256; }}
http {{
{temporary}
    access_log off;
    client_header_timeout 1s;
    client_body_timeout 1s;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_set_header Connection '';
    proxy_set_header Host $http_host;
    upstream app {{ server {upstream}; }}
    server {{
        listen {address};
        location / {{ proxy_pass http://app; }}
    }}
}}
",
        folder = folder.display()
    )
}

/// Its worker is its only process (no `-W`).
fn haproxy(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "global
    nbthread 1
    maxconn 256

defaults
    mode http
    timeout connect 2s
    timeout client 1s
    timeout server 5s
    timeout http-request 1s
    timeout http-keep-alive 1s

frontend all
    bind {address}
    default_backend app

backend app
    server app {upstream}
"
    )
}
