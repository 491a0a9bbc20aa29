//! System calls per request: the part of the cost that no disturbance changes.

use crate::error::Error;
use crate::load::Target;
use crate::process::Process;
use crate::slice::requests;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Long enough for the calls that open the connections not to count.
const DURATION: Duration = Duration::from_secs(3);

/// Counts with strace while the server works; `None` where there is no strace or it may not trace.
pub(crate) fn per_request(target: &Target, server: &Process, answer_bytes: f64) -> Result<Option<f64>, Error> {
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-S", "calls", "-U", "calls,name"]);
    for pid in server.tree() {
        command.args(["-p", &pid.to_string()]);
    }
    let Ok(mut strace) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
        return Ok(None);
    };
    let Some(errors) = strace.stderr.take() else { return Ok(None) };
    let mut errors = BufReader::new(errors);
    let mut attached = String::new();
    errors.read_line(&mut attached)?;
    if !attached.contains("attached") {
        let _ = strace.wait();
        return Ok(None);
    }
    let counted = target.press(DURATION);
    if let Some(pid) = i32::try_from(strace.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::INT);
    }
    let mut summary = String::new();
    errors.read_to_string(&mut summary)?;
    let _ = strace.wait();
    let counted = counted?;
    Ok(total(&summary).map(|calls| calls / requests(target.load, &counted, answer_bytes)))
}

/// The last line of strace's summary: `    17230 total`.
fn total(summary: &str) -> Option<f64> {
    summary.lines().find_map(|line| line.trim().strip_suffix("total")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_summary_is_found() {
        let summary = "strace: Process 7 detached\n    calls syscall\n--------- -------\n       40 read\n        2 epoll_wait\n--------- -------\n       42 total\n";
        assert_eq!(total(summary), Some(42.0));
        assert_eq!(total("strace: attach: Operation not permitted"), None);
    }
}
