//! The benchmark: the release build of the front server against nginx, HAProxy and h2o, side by side in one run.
//!
//! Each workload runs in slices of a second or two, interleaved A B C .. C B A, so that a disturbance of the machine
//! meets all servers alike; what counts is the CPU that a server's processes used per completed request, its median,
//! and the median of the ratios within the rounds. Servers run on one core, generator and upstream on another. A peer
//! that is ahead is shown ahead. `tests/bench/README.md` says what is measured and how to read it.

mod error;
mod ground;
mod idle;
mod latency;
mod load;
mod machine;
mod process;
mod report;
mod rounds;
mod server;
mod slice;
mod stats;
mod syscalls;
mod tokens;
mod twins;
mod workload;

use clap::{Parser, ValueEnum};
use error::Error;
use ground::Ground;
use process::Process;
use report::Report;
use server::{Kind, Server};
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use workload::Workload;

/// Measures the front server side by side with nginx, HAProxy and h2o.
#[derive(Debug, Parser)]
#[command(name = "portcullis-bench")]
struct Arguments {
    /// Which workloads.
    group: Group,
    /// Only the workloads with these names: `W9t`, or `W10` for all that begin with `W10-`; `M1` and `M1t` are the idle
    /// connections.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds of each workload; the result is their median.
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 7)]
    rounds: usize,
    /// Seconds of one server's slice in a round.
    #[arg(long, env = "BENCH_SECONDS", default_value_t = 1)]
    seconds: u64,
    /// The binary that is measured; by default the one beside the benchmark's own.
    #[arg(long, env = "BENCH_PORTCULLIS")]
    portcullis: Option<PathBuf>,
    /// The core of the servers.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core of generator and upstream.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Where the table is written.
    #[arg(long, default_value = "tests/bench/results")]
    results: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Static,
    Proxy,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let cores = machine::Cores { server: arguments.server_core, load: arguments.load_core };
    let is_wanted =
        |named: &dyn Fn(&str) -> bool| arguments.only.is_empty() || arguments.only.iter().any(|name| named(name));
    let (group, tables, idle) = match arguments.group {
        Group::Static => ("static", workload::STATIC, &[][..]),
        Group::Proxy => ("proxy", workload::PROXY, idle::ALL),
    };
    let idle: Vec<_> = idle.iter().filter(|one| is_wanted(&|name| name == one.name)).collect();
    let workloads: Vec<&Workload> =
        tables.iter().flat_map(|table| *table).filter(|one| is_wanted(&|name| one.is_named(name))).collect();
    if workloads.is_empty() && idle.is_empty() {
        return Err(Error::NothingToDo(arguments.only.join(", ")));
    }
    let product = match &arguments.portcullis {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("portcullis"),
    };
    let ground = Ground::prepare(product)?;
    let upstream = start_upstream(&ground, cores)?;
    // A part does not overwrite the whole.
    let name = if arguments.only.is_empty() { group.to_owned() } else { format!("{group}-part") };
    let mut report = Report::new(&name, &ground, cores, arguments.rounds, arguments.seconds);

    // On servers of their own, which nothing has filled before.
    for one in idle {
        say(&format!("{}: {}", one.name, one.what));
        let measured = idle::KINDS
            .into_iter()
            .map(|kind| Ok((kind, idle::measure(one, kind, &ground, cores)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        report.add_idle(one, &measured);
    }

    let servers: Vec<Server> = Kind::ALL
        .into_iter()
        .filter(|kind| workloads.iter().any(|one| one.runs.iter().any(|run| run.server == *kind)))
        .filter(|kind| kind.is_installed())
        .map(|kind| Server::start(kind, &ground, cores))
        .collect::<Result<_, _>>()?;
    let plan = slice::Plan { cores, duration: Duration::from_secs(arguments.seconds) };
    for workload in workloads {
        say(&format!("{}: {}", workload.name, workload.what));
        let runs = rounds::prepare(workload, &servers, &ground, cores)?;
        let measured = rounds::measure(workload, &runs, &plan, arguments.rounds)?;
        let latencies = match workload.latency_max {
            Some(_) => latency::measure(&runs, &measured, &plan, arguments.rounds)?,
            None => Vec::new(),
        };
        report.add(workload, &measured, &latencies);
    }
    drop((servers, upstream));
    report.publish(&arguments.results)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn start_upstream(ground: &Ground, cores: machine::Cores) -> Result<Process, Error> {
    let program = std::env::current_exe()?.with_file_name("portcullis-bench-upstream");
    let ports = ground.ports.upstream.map(|port| port.to_string());
    let arguments: Vec<&OsStr> = ports.iter().map(AsRef::as_ref).collect();
    let mut process = Process::start(cores.load, program.as_ref(), &arguments)?;
    for port in ground.ports.upstream {
        process.wait_until_listening(port)?;
    }
    Ok(process)
}
