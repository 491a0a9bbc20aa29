//! Forwarding: each client has a connection to the upstream of its own, and what comes on one is sent on the other.
//!
//! `TCP_NODELAY` makes no difference.

use crate::Fallible;
use crate::events::{Watch, Work};
use crate::table::{Table, number};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::OwnedFd;

/// What is read at once.
const BYTES_MAX: usize = 64 * 1024;

/// One end of a way.
struct End {
    socket: OwnedFd,
    other: usize,
    /// What came from the other and is not sent yet, because this one was full.
    unsent: Vec<u8>,
}

/// All ends.
pub(super) struct Forward {
    upstream: u16,
    ends: Table<End>,
    space: Box<[u8]>,
}

impl Forward {
    pub(super) fn to(upstream: u16) -> Self {
        Self { upstream, ends: Table::new(), space: vec![0; BYTES_MAX].into() }
    }

    /// From one end to its other, until nothing is left or the other is full. What comes later is a new event, so that a
    /// part of the space says that nothing is left; but the end, when it has come, is not told again.
    fn pump(&mut self, from: usize, ends: bool) -> rustix::io::Result<()> {
        loop {
            let Some(source) = self.ends.get(from) else { return Ok(()) };
            let other = source.other;
            let Some(sink) = self.ends.get(other).filter(|sink| sink.unsent.is_empty()) else { return Ok(()) };
            let (_, count) = recv(&source.socket, &mut self.space[..], RecvFlags::empty())?;
            if count == 0 {
                return Err(Errno::PIPE);
            }
            let sent = match send(&sink.socket, &self.space[..count], SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN) => 0,
                sent => sent?,
            };
            if sent < count {
                let sink = self.ends.get_mut(other).ok_or(Errno::PIPE)?;
                sink.unsent.extend_from_slice(&self.space[sent..count]);
            } else if count < self.space.len() && !ends {
                return Ok(());
            }
        }
    }

    /// What waits for this end; then what was not read from the other meanwhile.
    fn flush(&mut self, to: usize) -> rustix::io::Result<()> {
        let Some(end) = self.ends.get_mut(to).filter(|end| !end.unsent.is_empty()) else { return Ok(()) };
        let sent = match send(&end.socket, &end.unsent, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => return Ok(()),
            sent => sent?,
        };
        end.unsent.drain(..sent);
        let other = end.other;
        match self.pump(other, true) {
            Err(Errno::AGAIN) => Ok(()),
            done => done,
        }
    }
}

impl Work for Forward {
    fn welcome(&mut self, client: OwnedFd, watch: &Watch) -> Fallible<()> {
        let upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.upstream))?;
        upstream.set_nonblocking(true)?;
        let upstream = OwnedFd::from(upstream);
        let (here, there) = (number(&client), number(&upstream));
        for (socket, at, other) in [(client, here, there), (upstream, there, here)] {
            watch.add(&socket)?;
            self.ends.insert(at, End { socket, other, unsent: Vec::new() });
        }
        Ok(())
    }

    fn advance(&mut self, number: usize, ends: bool) -> rustix::io::Result<()> {
        self.flush(number)?;
        self.pump(number, ends)
    }

    fn part(&mut self, number: usize) {
        if let Some(end) = self.ends.remove(number) {
            self.ends.remove(end.other);
        }
    }
}
