//! What a connection costs that asked once and stays: memory of a fresh server, before and after, per connection.

use crate::error::Error;
use crate::ground::Ground;
use crate::load::Target;
use crate::machine::Cores;
use crate::server::{Kind, Server};
use crate::workload::Load;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

/// One row of the table of memory.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) tls: bool,
    /// What ours may take, in kilobytes (1,000 bytes).
    pub(crate) kb_max: f64,
}

/// With `make bench-proxy`.
pub(crate) const ALL: &[Idle] = &[
    Idle { name: "M1", what: "4,000 idle connections, HTTP/1.1", tls: false, kb_max: 2.5 },
    Idle { name: "M1t", what: "4,000 idle connections, TLS 1.3 and HTTP/1.1", tls: true, kb_max: 12.0 },
];

/// Who takes part.
pub(crate) const KINDS: [Kind; 3] = [Kind::Portcullis, Kind::Nginx, Kind::Haproxy];

/// Enough that what a connection costs shows beside what the server costs.
const CONNECTIONS: u32 = 4000;
/// Requests before the first look, so that pools and caches exist.
const WARM_UP: u64 = 256;
/// How long memory must stand still to count as settled, and when we stop waiting for that.
const STILL: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(100);

/// Kilobytes of one idle connection.
pub(crate) fn measure(idle: &Idle, kind: Kind, ground: &Ground, cores: Cores) -> Result<f64, Error> {
    let server = Server::start(kind, ground, cores)?;
    let target = Target {
        load: Load::Connections { at_once: 1 },
        url: server.url(idle.tls, "/api/item"),
        answer_bytes: 200,
        authorization: None,
        coding: None,
        tokens: None,
        body: ground.path("post.bin"),
        script: ground.path("wrk.lua"),
        core: cores.load,
    };
    if target.look(WARM_UP)?.good != WARM_UP {
        let (workload, server) = (idle.name.into(), kind.name().into());
        return Err(Error::WrongAnswer { workload, server, what: "not all answers are right".into() });
    }
    let before = settled_kib(&server);
    let mut child = target.stay(usize::try_from(CONNECTIONS).unwrap_or(usize::MAX))?;
    let said = first_line(&mut child);
    let after = settled_kib(&server);
    let is_open = child.try_wait()?.is_none();
    // It ends when its standard input does.
    drop(child.stdin.take());
    child.wait()?;
    let said = said?;
    if said.trim() != format!("idle {CONNECTIONS}") || !is_open {
        return Err(Error::Output { program: "load", output: said });
    }
    #[expect(clippy::cast_precision_loss, reason = "kibibytes of a process")]
    let grown = after.saturating_sub(before) as f64 * 1.024;
    Ok(grown / f64::from(CONNECTIONS))
}

fn first_line(child: &mut Child) -> Result<String, Error> {
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    Ok(line)
}

/// The memory once it stands still: what a server gives back late is given back.
fn settled_kib(server: &Server) -> u64 {
    let (started, mut since, mut resident) = (Instant::now(), Instant::now(), server.process.resident_kib());
    while since.elapsed() < STILL && started.elapsed() < PATIENCE {
        std::thread::sleep(GLANCE);
        let now = server.process.resident_kib();
        // Less than a percent is noise.
        if now.abs_diff(resident) * 100 > resident {
            (since, resident) = (Instant::now(), now);
        }
    }
    server.process.resident_kib()
}
