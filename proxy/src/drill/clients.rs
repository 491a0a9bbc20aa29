//! Clients that misbehave beside the load: what they do must be their own loss and nobody else's.

use super::dialer::{Dialer, Version};
use crate::config::drill::Misbehaviour;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Lets so many clients misbehave for so long. What became of them, in words.
pub(super) async fn misbehave(
    dialer: &Rc<Dialer>,
    path: &str,
    misbehaviour: Misbehaviour,
    sockets: usize,
    hold: Duration,
) -> String {
    let mut clients = JoinSet::new();
    for number in 0..sockets {
        let (dialer, path) = (Rc::clone(dialer), path.to_owned());
        clients.spawn_local(async move {
            let begun = std::time::Instant::now();
            let answered = timeout(hold, one(&dialer, &path, misbehaviour, number)).await;
            sleep(hold.saturating_sub(begun.elapsed())).await;
            answered
        });
    }
    let (mut answered, mut closed, mut held) = (0, 0, 0);
    while let Some(outcome) = clients.join_next().await {
        match outcome {
            Ok(Ok(true)) => answered += 1,
            Ok(Ok(false)) | Err(_) => closed += 1,
            Ok(Err(_)) => held += 1,
        }
    }
    format!("{sockets} bad clients: {answered} answered, {closed} closed, {held} still open after {hold:?}")
}

/// Whether one got an answer before its connection ended.
async fn one(dialer: &Dialer, path: &str, misbehaviour: Misbehaviour, number: usize) -> bool {
    let Ok(mut socket) = dialer.open(Version::Http1).await else { return false };
    let host = dialer.target().authority.to_str().unwrap_or_default().to_owned();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let sent = match misbehaviour {
        Misbehaviour::HalfClose => request.as_bytes(),
        // Every other one stops within its head, the rest asks and never reads.
        Misbehaviour::Stall if number.is_multiple_of(2) => &request.as_bytes()[..request.len() / 2],
        Misbehaviour::Stall => request.as_bytes(),
    };
    if socket.write_all(sent).await.is_err() || socket.flush().await.is_err() {
        return false;
    }
    match misbehaviour {
        Misbehaviour::HalfClose => {
            if socket.shutdown().await.is_err() {
                return false;
            }
        }
        Misbehaviour::Stall if number.is_multiple_of(2) => {}
        Misbehaviour::Stall => return std::future::pending().await,
    }
    let mut first = [0; 12];
    socket.read_exact(&mut first).await.is_ok() && first.starts_with(b"HTTP/1.1")
}
