//! The operator's commands: exactly those of the plan, without a shell, each with an end.

use crate::config::drill::CommandLine;
use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// Between two tries of `until`.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What is told of the output of a command that failed.
const TAIL_BYTES_MAX: usize = 400;
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// How a command has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) succeeded: bool,
    /// Its status and the end of what it said.
    pub(super) said: String,
}

/// Runs a command to its end.
///
/// # Errors
/// It can't be started, or it takes too long and is killed.
pub(super) async fn run(line: &CommandLine, directory: &Path, limit: Duration) -> Result<Ended, String> {
    let Some((program, arguments)) = line.0.split_first() else { return Err("an empty command".to_owned()) };
    let failed = |error: std::io::Error| format!("`{}`: {error}", Shown(line));
    // A file and no pipe: what the command leaves running inherits it, and a pipe would not end.
    let mut output = tempfile::tempfile().map_err(failed)?;
    let program = if program.contains('/') {
        std::path::absolute(directory.join(program)).map_err(failed)?.into_os_string()
    } else {
        program.into()
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output.try_clone().map_err(failed)?)
        // Ctrl-C at the terminal is for the drill, which then undoes what it has done.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let Ok(status) = timeout(limit, child.wait()).await else {
        let _ = child.kill().await;
        return Err(format!("`{}` did not end within {limit:?} and was killed", Shown(line)));
    };
    let status = status.map_err(failed)?;
    let mut bytes = Vec::new();
    // A handle of the same file: its place is behind what was written.
    let _ = std::io::Seek::rewind(&mut output);
    let _ = output.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let start = text.char_indices().map(|(index, _)| index).find(|index| text.len() - index <= TAIL_BYTES_MAX);
    let tail = text.get(start.unwrap_or(0)..).unwrap_or_default();
    Ok(Ended { succeeded: status.success(), said: format!("`{}`: {status}: {tail}", Shown(line)) })
}

/// Runs a command again and again until it succeeds.
///
/// # Errors
/// It does not within `limit`.
pub(super) async fn until(line: &CommandLine, directory: &Path, limit: Duration) -> Result<(), String> {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now()).max(TRY_EVERY);
        let said = match run(line, directory, left).await {
            Ok(ended) if ended.succeeded => return Ok(()),
            Ok(ended) => ended.said,
            Err(reason) => reason,
        };
        if Instant::now() >= end {
            return Err(format!("not well within {limit:?}: {said}"));
        }
        sleep(TRY_EVERY).await;
    }
}

/// As one would type it.
pub(super) struct Shown<'a>(pub(super) &'a CommandLine);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0.join(" "))
    }
}
