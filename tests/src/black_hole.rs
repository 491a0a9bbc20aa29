//! An address that answers no connect: whoever tries hears nothing, as behind a firewall that drops packets.

use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A listening socket whose queue is full for good. Linux drops what comes then.
pub struct BlackHole {
    _listener: TcpListener,
    _queued: TcpStream,
}

impl BlackHole {
    /// At this address.
    ///
    /// # Panics
    ///
    /// When somebody else is there.
    pub async fn at(address: SocketAddr) -> Self {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.expect("a socket");
        socket.set_reuseaddr(true).expect("a TCP socket");
        socket.bind(address).expect("a free address");
        // The queue has one place more than is asked for.
        let listener = socket.listen(0).expect("a bound socket");
        let queued = TcpStream::connect(address).await.expect("the only place");
        Self { _listener: listener, _queued: queued }
    }
}
