//! The loop: accepts, and hands on what epoll says.
//!
//! Each socket is registered once, edge-triggered and for both directions, so that nothing is to be changed when one is
//! full. Level-triggered, and with fewer events at once, it costs the same.

use crate::Fallible;
use crate::table::number;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// More than the busiest workload has sockets.
const EVENTS_MAX: usize = 256;

/// Nothing more comes from the other side.
const ENDS: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// What is done with connections, which are known by the numbers of their descriptors.
pub(super) trait Work {
    /// A client has come.
    fn welcome(&mut self, client: OwnedFd, watch: &Watch) -> Fallible<()>;
    /// Something can be read or written again, or could be when epoll looked; `ends`: and nothing comes after it. `AGAIN`
    /// is no failure.
    fn advance(&mut self, number: usize, ends: bool) -> rustix::io::Result<()>;
    /// It has failed or ended.
    fn part(&mut self, number: usize);
}

/// Where sockets are registered.
pub(super) struct Watch(OwnedFd);

impl Watch {
    pub(super) fn add(&self, socket: &OwnedFd) -> rustix::io::Result<()> {
        self.register(socket, EventFlags::IN | EventFlags::OUT | EventFlags::ET | ENDS)
    }

    fn register(&self, socket: &(impl AsFd + AsRawFd), flags: EventFlags) -> rustix::io::Result<()> {
        epoll::add(&self.0, socket, EventData::new_u64(number(socket) as u64), flags)
    }
}

/// Returns only when something fails that is not a connection.
pub(super) fn run(listener: &TcpListener, work: &mut impl Work) -> Fallible<()> {
    listener.set_nonblocking(true)?;
    let watch = Watch(epoll::create(CreateFlags::CLOEXEC)?);
    watch.register(listener, EventFlags::IN)?;
    let mut space = [const { MaybeUninit::<Event>::uninit() }; EVENTS_MAX];
    loop {
        let (events, _) = match epoll::wait(&watch.0, &mut space, None) {
            Err(Errno::INTR) => continue,
            waited => waited?,
        };
        for event in events {
            let (at, flags) = (usize::try_from(event.data.u64())?, event.flags);
            if at == number(listener) {
                accept(listener, work, &watch)?;
            } else if !matches!(work.advance(at, flags.intersects(ENDS)), Ok(()) | Err(Errno::AGAIN)) {
                work.part(at);
            }
        }
    }
}

fn accept(listener: &TcpListener, work: &mut impl Work, watch: &Watch) -> Fallible<()> {
    loop {
        match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Err(Errno::AGAIN) => return Ok(()),
            client => work.welcome(client?, watch)?,
        }
    }
}
