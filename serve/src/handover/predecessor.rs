//! The new process's end.

use super::VARIABLE;
use super::channel::{Channel, Kind};
use crate::listener::{Address, Bound};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How long the old process may take for its next word; it has nothing else to do.
const WORD_WITHIN: Duration = Duration::from_secs(30);
/// Addresses that are taken over.
const ADDRESSES_MAX: usize = 4096;

/// Listening sockets of one address that another process has bound.
#[derive(Debug)]
pub struct Inherited {
    /// The name that the old process or the service manager gave them.
    pub name: Option<String>,
    /// The address as the old process's configuration has it: its port may be 0.
    pub configured: Option<Address>,
    /// The sockets.
    pub bound: Bound,
}

impl Inherited {
    /// Whether they are what a listener of this name and address would bind.
    #[must_use]
    pub fn fits(&self, name: &str, address: &Address) -> bool {
        let named = self.name.as_deref() == Some(name);
        match (&self.configured, address) {
            // Several may have been asked for.
            (Some(configured), Address::Tcp(any)) if any.port() == 0 => configured == address && named,
            (Some(configured), _) => configured == address,
            (None, _) => named || self.bound.local_address() == address,
        }
    }

    /// Takes the one that fits out of what is left.
    #[must_use]
    pub fn take(all: &mut Vec<Self>, name: &str, address: &Address) -> Option<Bound> {
        let index = all.iter().position(|one| one.fits(name, address))?;
        Some(all.swap_remove(index).bound)
    }
}

/// The process whose place this one takes.
#[derive(Debug)]
pub struct Predecessor {
    channel: Channel,
    was_ready: bool,
    sockets: Vec<Inherited>,
}

impl Predecessor {
    /// What the parent hands over, if it does.
    ///
    /// # Errors
    /// It broke off, or what it sent are no listening sockets.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let parent = std::os::unix::process::parent_id().to_string();
        // A variable that was inherited further names somebody else.
        if std::env::var(VARIABLE).ok().as_deref() != Some(&parent) {
            return Ok(None);
        }
        let channel = Channel::from_stdin()?;
        channel.set_timeout(WORD_WITHIN)?;
        let mut sockets: Vec<(String, Vec<OwnedFd>)> = Vec::new();
        let was_ready = loop {
            let packet = channel.receive()?;
            match packet.kind {
                Kind::Sockets => match sockets.iter().position(|(known, _)| *known == packet.text) {
                    Some(index) => sockets[index].1.extend(packet.descriptors),
                    None if sockets.len() == ADDRESSES_MAX => return Err(io::Error::other("too many addresses")),
                    None => sockets.push((packet.text, packet.descriptors)),
                },
                Kind::All => break packet.text == "ready",
                kind => return Err(io::Error::other(format!("unexpected word {kind:?}"))),
            }
        };
        let inherited = |(text, descriptors): (String, Vec<OwnedFd>)| {
            let (name, address) = text.split_once('\t').ok_or(io::ErrorKind::InvalidData)?;
            let configured = Some(address.parse().map_err(io::Error::other)?);
            Ok(Inherited { name: Some(name.to_owned()), configured, bound: Bound::adopt(descriptors)? })
        };
        let sockets = sockets.into_iter().map(inherited).collect::<io::Result<_>>()?;
        Ok(Some(Self { channel, was_ready, sockets }))
    }

    /// Whether it was ready to serve everything. If it was not, its successor need not be.
    #[must_use]
    pub const fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Its sockets, once.
    pub fn take_sockets(&mut self) -> Vec<Inherited> {
        std::mem::take(&mut self.sockets)
    }

    /// Says that this process could accept now, and waits for leave to do so. Blocks.
    ///
    /// # Errors
    /// The old process has ended, or thought better of it.
    pub fn await_leave(&self) -> io::Result<()> {
        self.channel.send(Kind::Prepared, "", &[])?;
        match self.channel.receive()?.kind {
            Kind::Go => Ok(()),
            kind => Err(io::Error::other(format!("unexpected word {kind:?}"))),
        }
    }

    /// Says that this process accepts: the old one drains.
    ///
    /// # Errors
    /// It has ended.
    pub fn serving(&self) -> io::Result<()> {
        self.channel.send(Kind::Serving, "", &[])
    }

    /// Says why this process can't take over.
    pub fn failed(&self, reason: &str) {
        // Without the word it sees that the process has ended.
        let _ = self.channel.send(Kind::Failed, reason, &[]);
    }
}
