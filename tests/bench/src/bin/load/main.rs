//! What no installed generator does: sessions that are really resumed and counted, requests on a schedule that no slow
//! answer stretches, and connections that only stay.
//!
//! One thread, HTTP/1.1. The last line of its output is for the benchmark.

mod client;
mod connections;
mod idle;
mod paced;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::io::{Write, stdout};

/// Asks a server in ways that wrk and h2load don't know.
#[derive(Debug, Parser)]
#[command(name = "portcullis-bench-load")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A new connection for each request; says "counted ANSWERS BODY-BYTES BYTES FAILED FULL RESUMED".
    Connections(connections::Arguments),
    /// Requests at a rate; says "paced ANSWERS FAILED P50 P99 LATE99", times in microseconds.
    Paced(paced::Arguments),
    /// Connections that stay until standard input ends; says "idle OPEN" when they are there.
    Idle(idle::Arguments),
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(async {
        match arguments.what {
            What::Connections(arguments) => say(&connections::run(arguments).await?),
            What::Paced(arguments) => say(&paced::run(arguments).await?),
            What::Idle(arguments) => idle::run(arguments, say).await,
        }
    })
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    let mut out = stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
