//! Sockets from the service manager (`sd_listen_fds(3)`): bound before this process was started, and kept while it is
//! restarted.

use crate::handover::Inherited;
use crate::listener::Bound;
use listenfd::ListenFd;
use std::io;
use std::os::fd::OwnedFd;

/// What the service manager hands over: one entry an address. Names of `LISTEN_FDNAMES` count where they are the name
/// of a listener.
///
/// # Errors
/// One of them is no listening stream socket.
pub fn sockets() -> io::Result<Vec<Inherited>> {
    let mut passed = ListenFd::from_env();
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut found: Vec<(Option<String>, Vec<OwnedFd>)> = Vec::new();
    for index in 0..passed.len() {
        let name = names.next().filter(|name| !name.is_empty()).map(str::to_owned);
        let descriptor: Option<OwnedFd> = match passed.take_tcp_listener(index) {
            Ok(socket) => socket.map(Into::into),
            Err(_) => passed.take_unix_listener(index)?.map(Into::into),
        };
        found.push((name, descriptor.into_iter().collect()));
    }
    let inherit = |(name, descriptors)| Ok(Inherited { name, configured: None, bound: Bound::adopt(descriptors)? });
    let mut all: Vec<Inherited> = found.into_iter().map(inherit).collect::<io::Result<_>>()?;
    merge(&mut all);
    Ok(all)
}

/// Several sockets of one address are one listener's (`ReusePort=` with several units).
fn merge(all: &mut Vec<Inherited>) {
    let mut merged: Vec<Inherited> = Vec::with_capacity(all.len());
    for one in all.drain(..) {
        match merged.iter_mut().find(|known| known.bound.local_address() == one.bound.local_address()) {
            Some(known) => known.bound.join(one.bound),
            None => merged.push(one),
        }
    }
    *all = merged;
}
