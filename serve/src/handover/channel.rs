//! The socket between the two processes: packets with a kind, a text and descriptors.

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// The longest text, in bytes.
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Descriptors in a packet; the kernel takes 253.
pub(super) const DESCRIPTORS_MAX: usize = 64;

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sockets of one address; the text is the listener's name and the address as it was configured.
    Sockets,
    /// All sockets were sent; the text says whether the old process was ready.
    All,
    /// The new process could accept now.
    Prepared,
    /// It shall.
    Go,
    /// It does.
    Serving,
    /// It can't; the text says why.
    Failed,
}

const KINDS: [Kind; 6] = [Kind::Sockets, Kind::All, Kind::Prepared, Kind::Go, Kind::Serving, Kind::Failed];

#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// One end. Calls block, for as long as [`Channel::set_timeout`] says.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours), theirs))
    }

    /// The end that was inherited as standard input.
    pub(super) fn from_stdin() -> io::Result<Self> {
        let stdin = io::stdin();
        if sockopt::socket_type(stdin.as_fd())? != SocketType::SEQPACKET {
            return Err(io::Error::other("standard input is no socket of another process"));
        }
        Ok(Self(stdin.as_fd().try_clone_to_owned()?))
    }

    pub(super) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        for direction in [sockopt::Timeout::Recv, sockopt::Timeout::Send] {
            sockopt::set_socket_timeout(&self.0, direction, Some(timeout))?;
        }
        Ok(())
    }

    pub(super) fn send(&self, kind: Kind, text: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut cut = text.len().min(TEXT_BYTES_MAX);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::other("too many descriptors for a packet"));
        }
        let kind = [kind as u8];
        let parts = [IoSlice::new(&kind), IoSlice::new(&text.as_bytes()[..cut])];
        rustix::io::retry_on_intr(|| sendmsg(&self.0, &parts, &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// The next packet.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the other process has ended, [`io::ErrorKind::WouldBlock`] when it says
    /// nothing in time.
    pub(super) fn receive(&self) -> io::Result<Packet> {
        let mut bytes = vec![0; TEXT_BYTES_MAX + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })?;
        let descriptors = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        bytes.truncate(received.bytes);
        let Some((&kind, text)) = bytes.split_first() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
        let kind = KINDS.into_iter().find(|known| *known as u8 == kind);
        let kind = kind.ok_or_else(|| io::Error::other("the other process speaks something else"))?;
        Ok(Packet { kind, text: String::from_utf8_lossy(text).into_owned(), descriptors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn packets_keep_their_bounds_and_descriptors_live() {
        let (ours, theirs) = Channel::pair().expect("a pair");
        let theirs = Channel(theirs);
        let (mut near, far) = UnixStream::pair().expect("a pair");
        ours.send(Kind::Sockets, "a", &[far.as_fd()]).expect("sent");
        ours.send(Kind::Failed, &"ä".repeat(TEXT_BYTES_MAX), &[]).expect("sent");
        drop((ours, far));
        let packet = theirs.receive().expect("a packet");
        assert_eq!((packet.kind, packet.text.as_str(), packet.descriptors.len()), (Kind::Sockets, "a", 1));
        let mut passed = UnixStream::from(packet.descriptors.into_iter().next().expect("a descriptor"));
        near.write_all(b"x").expect("written");
        passed.read_exact(&mut [0]).expect("the same socket");
        assert_eq!(theirs.receive().expect("a packet").text.len(), TEXT_BYTES_MAX, "cut, not broken");
        assert_eq!(theirs.receive().expect_err("the end").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn silence_has_an_end() {
        let (ours, _theirs) = Channel::pair().expect("a pair");
        ours.set_timeout(Duration::from_millis(1)).expect("set");
        assert_eq!(ours.receive().expect_err("silence").kind(), io::ErrorKind::WouldBlock);
    }
}
