//! A server or helper process on one core, and what the kernel knows about it.

use crate::error::Error;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start or an end that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// A process that is ended with the value.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    name: String,
    companions: Vec<Process>,
}

/// A command that runs on one core only.
pub(crate) fn pinned(core: usize, program: &OsStr, arguments: &[&OsStr]) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program).args(arguments).stdin(Stdio::null());
    command
}

impl Process {
    /// Starts a program on a core. What it writes to standard output (access logs) is thrown away.
    pub(crate) fn start(core: usize, program: &OsStr, arguments: &[&OsStr]) -> Result<Self, Error> {
        let name = program.to_string_lossy().into_owned();
        let child = pinned(core, program, arguments)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| Error::Program { program: name.clone(), source })?;
        Ok(Self { child, name, companions: Vec::new() })
    }

    /// Counts another process as part of this one, and ends it with this one.
    pub(crate) fn with(mut self, companions: Vec<Self>) -> Self {
        self.companions.extend(companions);
        self
    }

    /// Returns when connections to this port are accepted.
    pub(crate) fn wait_until_listening(&mut self, port: u16) -> Result<(), Error> {
        self.wait_until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
    }

    /// Returns when connections to this Unix socket are accepted.
    pub(crate) fn wait_until_listening_at(&mut self, socket: &Path) -> Result<(), Error> {
        self.wait_until(|| UnixStream::connect(socket).is_ok())
    }

    fn wait_until(&mut self, is_there: impl Fn() -> bool) -> Result<(), Error> {
        let started = Instant::now();
        while !is_there() {
            if started.elapsed() > PATIENCE || self.child.try_wait()?.is_some() {
                return Err(Error::NotListening(self.name.clone()));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// The process, its descendants and its companions.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, parent_of(pid)?)))
            .collect();
        let mut tree = vec![self.child.id()];
        let mut at = 0;
        while let Some(&parent) = tree.get(at) {
            tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            at += 1;
        }
        tree.extend(self.companions.iter().flat_map(Self::tree));
        tree
    }

    /// CPU time, user and system, of all threads of the tree.
    pub(crate) fn cpu(&self) -> Duration {
        let threads =
            self.tree().into_iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten());
        // Nanoseconds, where utime and stime of `stat` are hundredths of a second; the kernel scales those to this sum.
        let on_cpu = |text: String| text.split_ascii_whitespace().next()?.parse::<u64>().ok();
        let spent = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("schedstat")).ok());
        Duration::from_nanos(spent.filter_map(on_cpu).sum())
    }

    /// Forgets the memory peak so far, where the kernel lets us.
    pub(crate) fn reset_peak(&self) {
        for pid in self.tree() {
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
    }

    /// The most memory that was resident since the last reset, in KiB, summed over the tree.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    /// Memory that is resident now, in KiB, summed over the tree.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    fn memory_kib(&self, key: &str) -> u64 {
        let of = |pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        self.tree().into_iter().filter_map(of).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let tree = self.tree();
        let signal = |pid: u32, signal| {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            pid.map(|pid| kill_process(pid, signal));
        };
        // nginx's master ends its workers itself.
        signal(self.child.id(), Signal::TERM);
        let started = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if started.elapsed() > PATIENCE {
                tree.iter().for_each(|&pid| signal(pid, Signal::KILL));
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(GLANCE);
        }
    }
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}
