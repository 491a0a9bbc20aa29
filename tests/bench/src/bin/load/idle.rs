//! Connections that asked once and stay.

use crate::client::Aim;
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::cell::Cell;
use std::error::Error;
use std::rc::Rc;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

/// Connections that are being opened at once.
const AT_ONCE: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    aim: Aim,
    /// How many.
    #[arg(long)]
    connections: usize,
}

/// Opens them, says so, and waits for the end of standard input.
pub(crate) async fn run(
    arguments: Arguments,
    say: impl Fn(&str) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit })?;
    let left = Rc::new(Cell::new(arguments.connections));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let left = Rc::clone(&left);
        let mut client = arguments.aim.client(false)?;
        workers.spawn_local(async move {
            let mut open = Vec::new();
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                let (mut stream, _) = client.connect().await?;
                client.ask(&mut *stream).await?;
                open.push(stream);
            }
            Ok::<_, std::io::Error>(open)
        });
    }
    let mut open = Vec::new();
    while let Some(some) = workers.join_next().await {
        open.extend(some??);
    }
    say(&format!("idle {}", open.len()))?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}
