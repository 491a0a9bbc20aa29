//! Files: one `recv` a request, then one `send` of what was put together before, or `send` of the head and `sendfile`.
//!
//! What was tried: `send` of a large body is dearer, `TCP_NODELAY` is where bodies are large, and `MSG_MORE` with the head
//! is where the congestion control paces, as bbr does; elsewhere it is no cheaper.

use crate::Fallible;
use crate::events::{Watch, Work};
use crate::table::{Table, number};
use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use std::fs::{self, File};
use std::os::fd::OwnedFd;

/// From here on the kernel reads the file.
const SENDFILE_MIN: u64 = 64 * 1024;
/// More than any request here has.
const REQUEST_BYTES_MAX: usize = 2048;
/// What a socket shall hold: the more it takes at once, the less often it is full.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// What is sent for a path.
struct Answer {
    /// How its requests begin.
    request: Vec<u8>,
    /// The head, and a small body.
    start: Vec<u8>,
    /// A large body, and its length.
    file: Option<(File, u64)>,
}

struct Client {
    socket: OwnedFd,
    /// Which answer is under way, and how much of it is sent.
    sending: Option<(usize, u64)>,
}

/// The answers, and who asks for them.
pub(super) struct Files {
    answers: Vec<Answer>,
    clients: Table<Client>,
    buffer_bytes: Option<usize>,
    space: [u8; REQUEST_BYTES_MAX],
}

impl Answer {
    /// A line: path, file with the head, file with the body, with tabs between them.
    fn read(line: &str) -> Fallible<Self> {
        let parts: Vec<&str> = line.split('\t').collect();
        let [path, head, body] = parts.as_slice() else { return Err("PATH HEAD BODY".into()) };
        let (request, mut start) = (format!("GET {path} ").into_bytes(), fs::read(head)?);
        let length = fs::metadata(body)?.len();
        if length >= SENDFILE_MIN {
            return Ok(Self { request, start, file: Some((File::open(body)?, length)) });
        }
        start.extend(fs::read(body)?);
        Ok(Self { request, start, file: None })
    }

    /// Sends from `sent` on, and moves it, until all is sent or the socket is full.
    fn send(&self, socket: &OwnedFd, sent: &mut u64) -> rustix::io::Result<()> {
        let start = self.start.len() as u64;
        while *sent < start {
            let rest = &self.start[usize::try_from(*sent).unwrap_or_default()..];
            *sent += send(socket, rest, SendFlags::NOSIGNAL)? as u64;
        }
        let Some((file, length)) = &self.file else { return Ok(()) };
        while *sent < start + length {
            let mut at = *sent - start;
            let rest = usize::try_from(length - at).unwrap_or(usize::MAX);
            if sendfile(socket, file, Some(&mut at), rest)? == 0 {
                // The file has become shorter.
                return Err(Errno::IO);
            }
            *sent = start + at;
        }
        Ok(())
    }
}

impl Files {
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Fallible<Self> {
        let answers = lines.map(Answer::read).collect::<Result<_, _>>()?;
        // A smaller buffer that is asked for would be less than what the kernel comes to by itself.
        let may_be: usize = fs::read_to_string("/proc/sys/net/core/wmem_max")?.trim().parse()?;
        let buffer_bytes = (may_be >= BUFFER_BYTES).then_some(BUFFER_BYTES);
        Ok(Self { answers, clients: Table::new(), buffer_bytes, space: [0; REQUEST_BYTES_MAX] })
    }
}

impl Work for Files {
    fn welcome(&mut self, socket: OwnedFd, watch: &Watch) -> Fallible<()> {
        if let Some(bytes) = self.buffer_bytes {
            sockopt::set_socket_send_buffer_size(&socket, bytes)?;
        }
        watch.add(&socket)?;
        self.clients.insert(number(&socket), Client { socket, sending: None });
        Ok(())
    }

    fn advance(&mut self, number: usize, ends: bool) -> rustix::io::Result<()> {
        if ends {
            return Err(Errno::PIPE);
        }
        // An event of before may be for a connection that is closed.
        let Some(client) = self.clients.get_mut(number) else { return Ok(()) };
        let (which, mut sent) = match client.sending.take() {
            Some(sending) => sending,
            None => {
                let (_, count) = recv(&client.socket, &mut self.space, RecvFlags::empty())?;
                let is_asked = |answer: &Answer| self.space[..count].starts_with(&answer.request);
                (self.answers.iter().position(is_asked).ok_or(Errno::NOENT)?, 0)
            }
        };
        let done = self.answers[which].send(&client.socket, &mut sent);
        if done == Err(Errno::AGAIN) {
            client.sending = Some((which, sent));
        }
        done
    }

    fn part(&mut self, number: usize) {
        self.clients.remove(number);
    }
}
