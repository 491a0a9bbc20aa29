//! Addresses and bound sockets: TCP with one socket a worker, or a Unix socket that the workers share.

use crate::transport::Transport;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A TCP address or a Unix socket's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// `[::]:8443`, `127.0.0.1:0`.
    Tcp(SocketAddr),
    /// `unix:/run/portcullis.sock`.
    Unix(PathBuf),
}

/// Why a text is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an address such as \"127.0.0.1:8000\", \"[::]:8443\" or \"unix:/run/name.sock\"")]
pub struct BadAddress;

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match text.strip_prefix("unix:") {
            Some("") => Err(BadAddress),
            Some(path) => Ok(Self::Unix(PathBuf::from(path))),
            None => text.parse().map(Self::Tcp).map_err(|_| BadAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound address with its listening sockets: one for each worker, when it was bound by this process.
#[derive(Debug)]
pub struct Bound {
    address: Address,
    sockets: Vec<Socket>,
}

/// A listening socket, not yet registered with a runtime.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(std::net::TcpListener),
    /// Unix.
    Unix(std::os::unix::net::UnixListener),
}

/// Accepted connections wait here while all workers are busy; the kernel caps it at `somaxconn`.
const BACKLOG: i32 = 4096;

impl Bound {
    /// Binds `address` once for each of `workers`.
    ///
    /// TCP sockets share the port by `SO_REUSEPORT`, so that the kernel spreads connections over the workers and no
    /// lock is shared; port 0 is chosen once. A Unix socket is shared by the workers; a stale file at its path is
    /// replaced, a live one is an error.
    ///
    /// # Errors
    /// What the kernel says, with the address in the message.
    pub fn bind(address: &Address, workers: NonZeroUsize) -> io::Result<Self> {
        match address {
            Address::Tcp(wanted) => Self::bind_tcp(*wanted, workers),
            Address::Unix(path) => Self::bind_unix(path, workers),
        }
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
    }

    fn bind_tcp(wanted: SocketAddr, workers: NonZeroUsize) -> io::Result<Self> {
        if wanted.port() != 0 {
            // SO_REUSEPORT lets a second process of the same user join in silently, and half of the requests would go
            // to a server that its operator believes stopped. A plain bind first makes that an error.
            drop(tcp_socket(wanted, false)?);
        }
        let first = tcp_socket(wanted, true)?;
        let local = first.local_addr()?;
        let mut sockets = vec![Socket::Tcp(first)];
        for _ in 1..workers.get() {
            sockets.push(Socket::Tcp(tcp_socket(local, true)?));
        }
        Ok(Self { address: Address::Tcp(local), sockets })
    }

    fn bind_unix(path: &Path, workers: NonZeroUsize) -> io::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process answers there"));
        }
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type()) => {
                std::fs::remove_file(path)?;
            }
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let first = std::os::unix::net::UnixListener::bind(path)?;
        first.set_nonblocking(true)?;
        let mut sockets = Vec::with_capacity(workers.get());
        for _ in 1..workers.get() {
            sockets.push(Socket::Unix(first.try_clone()?));
        }
        sockets.push(Socket::Unix(first));
        Ok(Self { address: Address::Unix(path.to_owned()), sockets })
    }

    /// The address in use, with the real port.
    #[must_use]
    pub const fn local_address(&self) -> &Address {
        &self.address
    }

    /// Takes over sockets that listen already, on one address.
    ///
    /// # Errors
    /// One of them is no listening stream socket.
    pub fn adopt(sockets: Vec<OwnedFd>) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(Socket::adopt).collect::<io::Result<Vec<_>>>()?;
        let address = sockets.first().ok_or(io::ErrorKind::InvalidInput)?.local_address()?;
        Ok(Self { address, sockets })
    }

    /// Takes the sockets of the same address, bound elsewhere, too.
    pub fn join(&mut self, other: Self) {
        self.sockets.extend(other.sockets);
    }

    /// The sockets.
    #[must_use]
    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// What each of so many workers accepts on. Every socket has its own queue in the kernel, so each is somebody's: where
    /// there are fewer workers one takes several, where there are more some share one.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn shares(&self, workers: NonZeroUsize) -> io::Result<Vec<Vec<Socket>>> {
        let (workers, sockets) = (workers.get(), self.sockets.len());
        let share = |worker: usize| -> io::Result<Vec<Socket>> {
            let own = (worker % sockets..sockets).step_by(workers.max(sockets));
            let more = (worker + workers..sockets).step_by(workers);
            own.chain(more).map(|index| self.sockets[index].try_clone()).collect()
        };
        (0..workers).map(share).collect()
    }
}

impl Socket {
    fn adopt(socket: OwnedFd) -> io::Result<Self> {
        let socket = socket2::Socket::from(socket);
        // A terminal, a file or a datagram socket would fail later, in a worker.
        if !socket.is_listener()? || socket.r#type()? != socket2::Type::STREAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an inherited descriptor is no listening socket"));
        }
        socket.set_cloexec(true)?;
        socket.set_nonblocking(true)?;
        if socket.local_addr()?.as_socket().is_some() {
            socket.set_tcp_nodelay(true)?;
            socket.set_tcp_keepalive(&keepalive())?;
            return Ok(Self::Tcp(socket.into()));
        }
        Ok(Self::Unix(socket.into()))
    }

    fn local_address(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(Address::Tcp),
            Self::Unix(socket) => {
                let address = socket.local_addr()?;
                let path = address.as_pathname().ok_or(io::ErrorKind::InvalidInput)?;
                Ok(Address::Unix(path.to_owned()))
            }
        }
    }

    /// Another descriptor of the same socket.
    ///
    /// # Errors
    /// There are none left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket) => Self::Unix(socket.try_clone()?),
        })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
        }
    }
}

/// When a silent peer is asked whether it still lives: after a minute, then every 15 s, and given up by the kernel after
/// nine unanswered times. Without it a phone that lost its network would hold an idle stream for ever.
#[must_use]
pub fn keepalive() -> socket2::TcpKeepalive {
    socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15))
}

fn tcp_socket(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM.nonblocking(), Some(socket2::Protocol::TCP))?;
    if address.is_ipv6() {
        // "[::]" serves IPv4 as well, whatever the host's default.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    // Accepted sockets inherit both, so that no connection pays for the calls. Answers are written whole: waiting for
    // more (Nagle) only delays the last segment.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive())?;
    if reuse_port {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// A listening socket registered with the runtime of its worker.
pub(crate) enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

impl Accepting {
    pub(crate) fn register(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(socket) => Self::Tcp(tokio::net::TcpListener::from_std(socket)?),
            Socket::Unix(socket) => Self::Unix(tokio::net::UnixListener::from_std(socket)?),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<(Transport, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Transport::Tcp(stream), Peer::Tcp(canonical(peer))))
            }
            Self::Unix(listener) => Ok((Transport::Unix(listener.accept().await?.0), Peer::Unix)),
        }
    }
}

/// An IPv4 client of an IPv6 socket is an IPv4 client: limits, logs and allow lists mean the same address.
pub(crate) fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP client; IPv4-mapped addresses are IPv4 here.
    Tcp(SocketAddr),
    /// A process of this machine.
    Unix,
}

impl Peer {
    /// The address, for a TCP client.
    #[must_use]
    pub const fn ip(&self) -> Option<std::net::IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

    #[test]
    fn workers_share_one_port_and_a_second_bind_is_refused() {
        let bound = Bound::bind(&"127.0.0.1:0".parse().expect("an address"), TWO).expect("a port");
        let Address::Tcp(address) = *bound.local_address() else { panic!("no TCP address") };
        assert_ne!(address.port(), 0);
        let error = Bound::bind(&Address::Tcp(address), TWO).expect_err("in use");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&address.to_string()), "{error}");
        assert_eq!(bound.sockets().len(), 2);
    }

    #[test]
    fn every_socket_is_somebodys_and_every_worker_has_one() {
        for sockets in 1..6 {
            let count = |number| NonZeroUsize::new(number).expect("not 0");
            let bound = Bound::bind(&"127.0.0.1:0".parse().expect("an address"), count(sockets)).expect("a port");
            let handed: Vec<_> = bound.sockets().iter().map(|socket| socket.as_fd().try_clone_to_owned()).collect();
            let adopted = Bound::adopt(handed.into_iter().collect::<io::Result<_>>().expect("descriptors"));
            let adopted = adopted.expect("listening sockets");
            assert_eq!(adopted.local_address(), bound.local_address());
            // The kernel's number of a socket, whatever the descriptor.
            let inode = |socket: &Socket| rustix::fs::fstat(socket).expect("a descriptor").st_ino;
            for workers in 1..6 {
                let shares = adopted.shares(count(workers)).expect("descriptors");
                assert_eq!(shares.len(), workers);
                assert!(shares.iter().all(|share| !share.is_empty()), "{workers} workers, {sockets} sockets");
                let mut taken: Vec<_> = shares.iter().flatten().map(inode).collect();
                assert_eq!(taken.len(), workers.max(sockets), "none is taken in vain");
                taken.sort_unstable();
                taken.dedup();
                assert_eq!(taken.len(), sockets);
            }
        }
        let file = std::fs::File::open("/dev/null").expect("a file");
        assert!(Bound::adopt(vec![file.into()]).is_err());
        assert!(Bound::adopt(Vec::new()).is_err());
    }

    #[test]
    fn a_stale_socket_file_is_replaced_a_live_one_and_a_plain_file_are_not() {
        let path = std::env::temp_dir().join(format!("serve-{}.sock", std::process::id()));
        let address = Address::Unix(path.clone());
        let live = Bound::bind(&address, TWO).expect("bound");
        assert!(Bound::bind(&address, TWO).is_err(), "a live socket was replaced");
        drop(live);
        drop(Bound::bind(&address, TWO).expect("a stale file is replaced"));
        std::fs::remove_file(&path).expect("the socket's file");
        std::fs::write(&path, "precious").expect("a file");
        assert!(Bound::bind(&address, TWO).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "precious");
        std::fs::remove_file(&path).expect("the file");
    }

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["127.0.0.1:80", "[::1]:8443", "unix:/run/x.sock"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        for text in ["", "8080", "localhost:80", "unix:", "127.0.0.1"] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text}");
        }
    }
}
