//! A new connection for each request, several at once, for a time or a number of requests.

use crate::client::{Aim, Client};
use clap::Args;
use rustls::HandshakeKind;
use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Write, stderr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    aim: Aim,
    /// Connections at once.
    #[arg(long, default_value_t = 1)]
    at_once: usize,
    /// End after so many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// End after so many requests.
    #[arg(long, default_value_t = u64::MAX)]
    count: u64,
}

#[derive(Debug, Default)]
struct Counted {
    started: u64,
    answers: u64,
    bytes: u64,
    failed: u64,
    full: u64,
    resumed: u64,
}

/// Asks, and says what came.
pub(crate) async fn run(arguments: Arguments) -> Result<String, Box<dyn Error>> {
    let counted = Rc::new(RefCell::new(Counted::default()));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut workers = JoinSet::new();
    for _ in 0..arguments.at_once {
        let mut client = arguments.aim.client(true)?;
        let (counted, count) = (Rc::clone(&counted), arguments.count);
        workers.spawn_local(async move {
            while Instant::now() < end && counted.borrow().started < count {
                counted.borrow_mut().started += 1;
                if let Err(error) = once(&mut client, &counted).await {
                    let mut counted = counted.borrow_mut();
                    counted.failed += 1;
                    if counted.failed == 1 {
                        let _ = writeln!(stderr(), "the first failure: {error}");
                    }
                }
            }
        });
    }
    workers.join_all().await;
    let Counted { answers, bytes, failed, full, resumed, .. } = *counted.borrow();
    let body_bytes = answers * arguments.aim.answer_bytes();
    Ok(format!("counted {answers} {body_bytes} {bytes} {failed} {full} {resumed}"))
}

async fn once(client: &mut Client, counted: &RefCell<Counted>) -> io::Result<()> {
    let (mut stream, handshake) = client.connect().await?;
    let answer = client.ask(&mut *stream).await?;
    client.end(stream).await?;
    let mut counted = counted.borrow_mut();
    counted.answers += 1;
    counted.bytes += answer.bytes;
    match handshake {
        Some(HandshakeKind::Resumed) => counted.resumed += 1,
        Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => counted.full += 1,
        _ => {}
    }
    Ok(())
}
