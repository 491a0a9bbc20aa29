//! The old process's end.

use super::VARIABLE;
use super::channel::{Channel, DESCRIPTORS_MAX, Kind};
use crate::listener::{Address, Socket};
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the new process may take until it is prepared: it waits itself for what it needs, within 20 seconds.
const PREPARED_WITHIN: Duration = Duration::from_secs(60);
/// And then until it accepts.
const SERVING_WITHIN: Duration = Duration::from_secs(10);

/// How this process was started.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Program {
    /// Of this process. Call it before the file may have been replaced: the path is what stays the same.
    ///
    /// # Errors
    /// The system does not say where the program is.
    pub fn of_this_process() -> io::Result<Self> {
        let mut arguments = std::env::args_os();
        let named = arguments.next().map(PathBuf::from).filter(|path| path.components().count() > 1);
        // As it was named: a symbolic link may lead to another version by then.
        let path = match named {
            Some(path) => std::path::absolute(path)?,
            None => std::env::current_exe()?,
        };
        Ok(Self { path, arguments: arguments.collect() })
    }
}

/// Sockets of one address.
#[derive(Debug)]
pub struct Offer {
    /// Of their listener.
    pub name: String,
    /// As the configuration has it.
    pub address: Address,
    /// Its sockets.
    pub sockets: Vec<Socket>,
}

/// Why the old process stays.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The program can't be started.
    #[error("the new process can't be started: {0}")]
    Start(io::Error),
    /// It has ended.
    #[error("the new process ended before it served ({0}); its log says why")]
    Ended(String),
    /// It said what is wrong.
    #[error("the new process can't take over: {0}")]
    Failed(String),
    /// It said nothing.
    #[error("the new process did not serve in time")]
    Silent,
    /// It said something else.
    #[error("the new process does not speak as this one does: {0}")]
    Strange(io::Error),
}

/// A process that is to take this one's place. Dropped before it serves, it is ended.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    channel: Channel,
    serves: bool,
}

impl Successor {
    /// Starts it and hands the sockets over. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`UpgradeError`]; nothing is left of it then.
    pub fn start(program: &Program, offers: &[Offer], ready: bool) -> Result<Self, UpgradeError> {
        let (channel, theirs) = Channel::pair().map_err(UpgradeError::Start)?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .env(VARIABLE, std::process::id().to_string())
            .env_remove("LISTEN_FDS")
            .env_remove("LISTEN_PID")
            .env_remove("LISTEN_FDNAMES")
            .stdin(Stdio::from(theirs))
            .spawn()
            .map_err(UpgradeError::Start)?;
        let mut successor = Self { child, channel, serves: false };
        successor.hand_over(offers, ready).map_err(|error| successor.why(error))?;
        Ok(successor)
    }

    fn hand_over(&self, offers: &[Offer], ready: bool) -> io::Result<()> {
        self.channel.set_timeout(PREPARED_WITHIN)?;
        for Offer { name, address, sockets } in offers {
            for some in sockets.chunks(DESCRIPTORS_MAX) {
                let descriptors: Vec<_> = some.iter().map(AsFd::as_fd).collect();
                self.channel.send(Kind::Sockets, &format!("{name}\t{address}"), &descriptors)?;
            }
        }
        self.channel.send(Kind::All, if ready { "ready" } else { "" }, &[])
    }

    /// Waits until it is prepared, has it accept, and waits until it does. Blocks.
    ///
    /// # Errors
    /// [`UpgradeError`]; it has been ended then.
    pub fn take_over(mut self) -> Result<u32, UpgradeError> {
        self.hears(Kind::Prepared)?;
        let go = self.channel.set_timeout(SERVING_WITHIN).and_then(|()| self.channel.send(Kind::Go, "", &[]));
        go.map_err(|error| self.why(error))?;
        self.hears(Kind::Serving)?;
        self.serves = true;
        Ok(self.child.id())
    }

    fn hears(&mut self, wanted: Kind) -> Result<(), UpgradeError> {
        let packet = self.channel.receive().map_err(|error| self.why(error))?;
        match packet.kind {
            kind if kind == wanted => Ok(()),
            Kind::Failed => Err(UpgradeError::Failed(packet.text)),
            kind => Err(UpgradeError::Strange(io::Error::other(format!("{kind:?}")))),
        }
    }

    fn why(&mut self, error: io::Error) -> UpgradeError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused => {
                // Its end of the socket is closed, so it ends; what does not is ended.
                let _ = self.child.kill();
                UpgradeError::Ended(
                    self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string()),
                )
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => UpgradeError::Silent,
            _ => UpgradeError::Strange(error),
        }
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.serves {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Program {
        Program { path: "/bin/sh".into(), arguments: vec!["-c".into(), script.into()] }
    }

    #[test]
    fn who_ends_or_is_not_there_does_not_take_over() {
        let missing = Program { path: "/nonexistent/program".into(), arguments: Vec::new() };
        assert!(matches!(Successor::start(&missing, &[], true), Err(UpgradeError::Start(_))));
        let outcome = Successor::start(&shell("exit 3"), &[], true).and_then(Successor::take_over);
        match outcome {
            // It ended before all was sent, or after.
            Err(UpgradeError::Ended(status)) => assert!(!status.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}
