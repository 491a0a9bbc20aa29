//! Load from a few clients that ask one request after the other, and count what they get.

use crate::client::{Client, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::task::JoinHandle;

/// How a client uses connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// One for all requests, until the server says that it ends.
    Keep,
    /// One for each request.
    Fresh,
}

/// Clients at work, until they are stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Nobody asks yet.
    #[must_use]
    pub fn new() -> Self {
        Self { stop: Arc::default(), answered: Arc::default(), clients: Vec::new() }
    }

    /// Adds a client that asks for `/` and wants 200.
    #[must_use]
    pub fn and(self, client: Client, habit: Habit) -> Self {
        self.asking(client, habit, "/")
    }

    /// As [`Load::and`], for another path.
    #[must_use]
    pub fn asking(mut self, client: Client, habit: Habit, path: &'static str) -> Self {
        let (stop, answered) = (Arc::clone(&self.stop), Arc::clone(&self.answered));
        self.clients.push(tokio::spawn(async move {
            let mut failures = Vec::new();
            while !stop.load(Relaxed) && failures.len() < 20 {
                if let Err(failure) = one_connection(&client, habit, path, &stop, &answered).await {
                    failures.push(failure);
                }
            }
            failures
        }));
        self
    }

    /// How many requests were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// Waits until so many more were answered: the load is at work.
    pub async fn goes_on(&self, more: u64) {
        let wanted = self.answered() + more;
        crate::deadline::until("requests to be answered", async || {
            self.answered() >= wanted || self.clients.iter().all(JoinHandle::is_finished)
        })
        .await;
    }

    /// Stops it and says what failed.
    ///
    /// # Panics
    ///
    /// When a client has panicked.
    pub async fn failures(self) -> Vec<String> {
        self.stop.store(true, Relaxed);
        let mut all = Vec::new();
        for client in self.clients {
            all.extend(client.await.expect("a client"));
        }
        all
    }
}

impl Default for Load {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks on one connection until the server says that it ends.
async fn one_connection(
    client: &Client,
    habit: Habit,
    path: &str,
    stop: &AtomicBool,
    answered: &AtomicU64,
) -> Result<(), String> {
    let mut connection = client.try_connect().await.map_err(|error| format!("no connection: {error}"))?;
    for number in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        let answer = match client.get(path).open_on(&mut connection).await {
            Ok(answer) => answer,
            // Not sent, because the connection was known to end: any client opens another. The first request of a
            // connection has no such excuse.
            Err(error) if number > 0 && (error.is_canceled() || error.is_closed()) => break,
            // After GOAWAY a stream that the server did not take is as good as not sent (RFC 9113 section 6.8).
            Err(error) if number > 0 && is_untaken(&error) => break,
            Err(error) => return Err(format!("request {number} of a connection, {habit:?}: {error:?}")),
        };
        let answer = answer.collect().await.map_err(|error| format!("an answer broke off: {error:?}"))?;
        if answer.status != 200 {
            return Err(format!("{} {}", answer.status, answer.text()));
        }
        answered.fetch_add(1, Relaxed);
        let ends = client.version == Version::Http1 && answer.header("connection") == Some("close");
        if ends || habit == Habit::Fresh {
            break;
        }
    }
    Ok(())
}

/// Whether the server said that it takes no more streams, and took this one not. A stream that it took and then let go
/// ends with another error: that of its reset, or of the connection.
fn is_untaken(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR))
}
