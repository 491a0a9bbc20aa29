//! A server or helper process on one core, and what the kernel knows about it.

use crate::error::Error;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpStream};
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
        Ok(Self { child, name })
    }

    /// Returns when connections to this port are accepted.
    pub(crate) fn wait_until_listening(&mut self, port: u16) -> Result<(), Error> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if started.elapsed() > PATIENCE || self.child.try_wait()?.is_some() {
                return Err(Error::NotListening(self.name.clone()));
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// The process and its descendants.
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
        let peak = |pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        self.tree().into_iter().filter_map(peak).sum()
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
