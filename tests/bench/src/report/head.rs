//! What a reader must know before the numbers.

use super::labels::Labels;
use crate::machine::{self, Cores};
use crate::server::Kind;

/// Where there are rows of it.
const FLOOR: &str = "\
- Floor: only the system calls that the work needs, on one thread, with answers put together before; forwarding has a
  connection to the upstream for each client. It parses, logs and limits nothing and could not serve a browser: what it
  needs is the kernel's. Share of the way: (portcullis - floor) / (peer - floor) in the same round, which is how much of
  what a server itself costs portcullis needs; below 1 is better. \"Below the floor\" is a target that is less than the
  floor's own share of the peer's CPU.
";

pub(super) fn text(title: &str, cores: Cores, rounds: usize, seconds: u64) -> String {
    let warning =
        if cfg!(debug_assertions) { "\n**A debug build: it shows that the benchmark works, no more.**\n" } else { "" };
    format!(
        "\
# Benchmark of {title}
{warning}
- Machine: {}, kernel {}, congestion control {}
- Servers on core {}, generator and upstream on core {}; {rounds} interleaved rounds of {seconds} s; medians.
- CPU: user and system time of the server's processes per completed request, a validator behind `auth_request` included.
  Ratio: portcullis' CPU over the peer's in the same round, below 1 is better; **ahead** where the peer needs less. Rate:
  only where the server is what limits it. Memory: the most in this workload above what the server had before its first
  request. Resumed: the share of handshakes that were; CPU is then per resumption. Foreign: what others used of the
  server's core, the worst slice that counts.
",
        machine::processor(),
        machine::kernel(),
        machine::congestion_control(),
        cores.server,
        cores.load,
    )
}

pub(super) fn versions(kinds: &[Kind], labels: &Labels) -> String {
    let floor = if kinds.iter().any(|kind| kind.is_floor()) { FLOOR } else { "" };
    let introduction = |kind: &Kind| labels.introduction(*kind).map_or_else(|| kind.name().to_owned(), str::to_owned);
    let mut servers: Vec<String> = Vec::new();
    for line in kinds.iter().filter(|kind| !kind.is_floor()).map(introduction) {
        // One program may stand here for several servers.
        if !servers.contains(&line) {
            servers.push(line);
        }
    }
    let generators = [("wrk", "-v"), ("h2load", "--version")]
        .into_iter()
        .filter_map(|(program, argument)| machine::first_line(program.as_ref(), argument));
    let versions: String = servers.into_iter().chain(generators).map(|line| format!("- {line}\n")).collect();
    floor.to_owned() + &versions
}
