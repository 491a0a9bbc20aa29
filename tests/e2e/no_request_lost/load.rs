//! A fixed number of clients, each sending a fixed number of requests one after the other on a connection of its own.

use portcullis_tests::client::Client;
use portcullis_tests::deadline::within;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) clients: usize,
    /// Of each client.
    pub(super) requests: usize,
    /// In turn; those that take one have a short body.
    pub(super) methods: &'static [&'static str],
}

/// A request and what became of it. Each path is another one.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) took: Duration,
}

/// Load under way.
pub(super) struct Running {
    tasks: JoinSet<Vec<Sent>>,
    answered: Arc<AtomicUsize>,
}

impl Load {
    pub(super) fn start(self, client: &Client) -> Running {
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for number in 0..self.clients {
            let (client, answered) = (client.clone(), Arc::clone(&answered));
            tasks.spawn(async move { self.one(number, &client, &answered).await });
        }
        Running { tasks, answered }
    }

    async fn one(self, number: usize, client: &Client, answered: &AtomicUsize) -> Vec<Sent> {
        let mut connection = client.connect().await;
        let mut sent = Vec::with_capacity(self.requests);
        for request in 0..self.requests {
            let method = self.methods[request % self.methods.len()];
            let path = format!("/{number}-{request}");
            let mut call = client.call(method, &path);
            if method != "GET" {
                call = call.body("some content");
            }
            let since = Instant::now();
            let status = call.send_on(&mut connection).await.status.as_u16();
            sent.push(Sent { method, path, status, took: since.elapsed() });
            answered.fetch_add(1, SeqCst);
            if connection.is_closed() {
                connection = client.connect().await;
            }
        }
        sent
    }
}

impl Running {
    /// Waits until so many have been answered.
    pub(super) async fn at_least(&self, count: usize) {
        let reached = async {
            while self.answered.load(SeqCst) < count {
                tokio::task::yield_now().await;
            }
        };
        within(format!("{count} answers"), reached).await;
    }

    /// What became of all of them.
    pub(super) async fn finish(self) -> Vec<Sent> {
        self.tasks.join_all().await.into_iter().flatten().collect()
    }
}
