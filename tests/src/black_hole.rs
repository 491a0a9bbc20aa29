//! An address that answers no connect: whoever tries hears nothing, as behind a firewall that drops packets.

use crate::deadline::until;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A listening socket whose queue is full for good. Linux drops what comes then.
pub struct BlackHole {
    _listener: TcpListener,
    _queued: TcpStream,
}

impl BlackHole {
    /// At this address, as soon as who was there has gone.
    ///
    /// # Panics
    ///
    /// When somebody stays there.
    pub async fn at(address: SocketAddr) -> Self {
        let mut free = None;
        until(format!("{address} to be free"), async || {
            free = bound(address).ok();
            free.is_some()
        })
        .await;
        let socket = free.expect("just waited for");
        // The queue has one place more than is asked for.
        let listener = socket.listen(0).expect("a bound socket");
        let queued = TcpStream::connect(address).await.expect("the only place");
        Self { _listener: listener, _queued: queued }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
