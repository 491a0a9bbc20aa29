//! An upstream under the test's control: each request that arrives is handed to the test, which says byte by byte
//! what is answered and when.

use crate::deadline::within;
use crate::exchange::{Exchange, Received, read_requests};
use crate::raw::Raw;
use crate::socket::Socket;
use serve::listener::Address;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// A listening upstream. Dropped, it stops to listen; connections that the test holds stay open.
pub struct Origin {
    address: Address,
    exchanges: UnboundedReceiver<Exchange>,
    connections: Arc<AtomicUsize>,
    accepting: Task,
}

impl Origin {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    ///
    /// When the machine has none.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    /// Listens on this address, for an upstream that comes back where it was.
    ///
    /// # Panics
    ///
    /// When the address is taken.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = Address::Tcp(listener.local_addr().expect("a bound address"));
        Self::accepting(address, Listening::Tcp(listener))
    }

    /// Listens on a Unix socket.
    ///
    /// # Panics
    ///
    /// When the path is taken.
    #[must_use]
    pub fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        Self::accepting(Address::Unix(path.to_owned()), Listening::Unix(listener))
    }

    fn accepting(address: Address, listening: Listening) -> Self {
        let (sender, exchanges) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let accepting = Task(tokio::spawn(async move {
            loop {
                let raw = Raw::over(listening.accept().await);
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::spawn(read_requests(raw, number, sender.clone()));
            }
        }));
        Self { address, exchanges, connections, accepting }
    }

    /// Where it listens, as an upstream's endpoint is written in the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// Its TCP address.
    ///
    /// # Panics
    ///
    /// When it listens on a Unix socket.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let Address::Tcp(address) = self.address else { unreachable!("a TCP origin") };
        address
    }

    /// The next request.
    ///
    /// # Panics
    ///
    /// When none comes in time.
    pub async fn exchange(&mut self) -> Exchange {
        within("a request at the origin", self.exchanges.recv()).await.expect("the origin is listening")
    }

    /// A request that has arrived already.
    #[must_use]
    pub fn arrived(&mut self) -> Option<Exchange> {
        self.exchanges.try_recv().ok()
    }

    /// Whether no further request has arrived up to now.
    #[must_use]
    pub fn is_quiet(&mut self) -> bool {
        self.exchanges.try_recv().is_err()
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Answers every request from now on with the bytes that `reply` makes, and keeps what was received.
    #[must_use]
    pub fn answering(self, reply: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Answering {
        let Self { address, mut exchanges, connections, accepting } = self;
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let reply = Arc::new(reply);
        let replying = Task(tokio::spawn(async move {
            while let Some(mut exchange) = exchanges.recv().await {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                tokio::spawn(async move {
                    exchange.read_body().await;
                    let bytes = reply(&exchange.received);
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(exchange.received.clone());
                    exchange.reply(bytes).await;
                });
            }
        }));
        Answering { address, received, connections, _tasks: [accepting, replying] }
    }

    /// Answers every request with these bytes.
    #[must_use]
    pub fn always(self, bytes: impl Into<Vec<u8>>) -> Answering {
        let bytes = bytes.into();
        self.answering(move |_| bytes.clone())
    }
}

/// An upstream that answers by itself.
pub struct Answering {
    address: Address,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    _tasks: [Task; 2],
}

impl Answering {
    /// Where it listens, as an upstream's endpoint is written in the configuration.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// What arrived up to now.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last request that arrived.
    ///
    /// # Panics
    ///
    /// When none did.
    #[must_use]
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request arrived at the origin")
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    async fn accept(&self) -> Box<dyn Socket> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("a TCP socket takes TCP_NODELAY");
                Box::new(stream)
            }
            Self::Unix(listener) => Box::new(listener.accept().await.expect("a connection").0),
        }
    }
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::exchange::ok;

    #[tokio::test]
    async fn the_test_decides_what_an_origin_answers_and_when() {
        let mut origin = Origin::start().await;
        let client = Client::http(origin.address());
        let mut connection = client.connect().await;
        let (answer, ()) = tokio::join!(client.post("/a?b").body("hello").send_on(&mut connection), async {
            let mut exchange = origin.exchange().await;
            assert_eq!(exchange.head().target(), "/a?b");
            assert_eq!(exchange.read_body().await.content, b"hello");
            exchange.send("HTTP/1.1 200 OK\r\nContent-Le").await;
            exchange.reply("ngth: 2\r\n\r\nok").await;
        });
        assert_eq!(answer.expect_status(200).text(), "ok");

        let origin = origin.always(ok("again"));
        assert_eq!(client.get("/").send_on(&mut connection).await.text(), "again");
        assert_eq!((origin.connections(), origin.last().connection), (1, 1));
    }

    #[tokio::test]
    async fn an_origin_can_break_off() {
        let mut origin = Origin::start().await;
        let call = Client::http(origin.address()).get("/");
        let (answer, ()) = tokio::join!(call.try_open(), async { origin.exchange().await.reset() });
        assert!(answer.is_err(), "a reset connection answers nothing");
    }
}
