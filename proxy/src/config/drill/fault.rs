//! `[[fault]]`: which keys belong to which kind, and that what they name is there.

use super::{Action, CommandLine, Disturbance, Fault, FaultKind, Misbehaviour, Reload, file};
use crate::config::disk::read_text;
use crate::config::file::values::{FilePath, Text};
use crate::config::problem::listed;
use crate::config::read::{At, Context, Keys, List};
use crate::config::units::Spelled as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a configuration file that is replaced or takes a place.
const FILE_BYTES_MAX: u64 = 4 << 20;
const SOCKETS: usize = 20;
const DELAY: Duration = Duration::from_millis(200);

/// What faults refer to.
pub(super) struct Surroundings {
    /// Where commands run.
    pub(super) directory: PathBuf,
    /// The names of the relays.
    pub(super) relays: Vec<String>,
    /// Whether the edge can be asked to reload.
    pub(super) has_admin: bool,
}

/// The keys that only some kinds have.
const OF_KINDS: [&str; 9] = ["run", "run_fails", "relay", "delay", "sockets", "file", "with", "reload", "refused"];

fn keys_of(kind: FaultKind) -> &'static [&'static str] {
    match kind {
        FaultKind::Command => &["run", "run_fails"],
        FaultKind::Reload => &["reload", "refused"],
        FaultKind::Configuration => &["file", "with", "reload", "refused"],
        FaultKind::HalfClosedClients | FaultKind::StalledClients => &["sockets"],
        FaultKind::Slow => &["relay", "delay"],
        FaultKind::HalfClose | FaultKind::Stall | FaultKind::Reset | FaultKind::BlackHole => &["relay"],
    }
}

pub(super) fn fault(written: At<file::Fault>, around: &Surroundings, context: &mut Context<'_>) -> Option<Fault> {
    let file::Fault {
        written: keys,
        name,
        kind,
        run,
        run_fails,
        undo,
        until,
        timeout,
        hold,
        settle,
        times,
        lost_max,
        relay,
        delay,
        sockets,
        file,
        with,
        reload,
        refused,
    } = written.value;
    let kind = kind?.value;
    let own = keys_of(kind);
    let foreign: Vec<&str> = OF_KINDS.into_iter().filter(|key| !own.contains(key)).collect();
    for (key, at) in keys.among(&foreign) {
        let message = format!("`{key}` has no meaning for the kind `{}`", kind.spelled());
        context.problem(at, message).help(format!("it has {}", listed(own.iter().copied())));
    }
    let line = |written: Option<At<List<Text, 1>>>, context: &mut Context<'_>| {
        written.map(|written| command(written, &around.directory, context))
    };
    let (run, undo) = (line(run, context), line(undo, context));
    let (until, command) = (line(until, context), line(reload, context));
    let reload = |context: &mut Context<'_>| {
        if command.is_none() && !around.has_admin {
            let help = "add `reload = [...]` here, or `admin = \"ADDRESS\"` at the top";
            context.problem(keys.table, "nothing says how the edge is made to read its configuration").help(help);
        }
        Some(Reload { command: command.clone(), refused: refused.as_ref()?.value })
    };
    let action = match kind {
        FaultKind::Command => {
            let run = needed(run, "run", kind, &keys, context)?;
            Action::Command { run, fails: run_fails?.value }
        }
        FaultKind::Reload => Action::Reload(reload(context)?),
        FaultKind::Configuration => {
            let (file, with) = (needed(file, "file", kind, &keys, context), needed(with, "with", kind, &keys, context));
            let reload = reload(context)?;
            Action::Configuration { file: readable(file?, context), with: readable(with?, context), reload }
        }
        FaultKind::HalfClosedClients | FaultKind::StalledClients => Action::Clients {
            misbehaviour: match kind {
                FaultKind::StalledClients => Misbehaviour::Stall,
                _ => Misbehaviour::HalfClose,
            },
            sockets: sockets.map_or(SOCKETS, |sockets| sockets.value.0 as usize),
        },
        FaultKind::HalfClose | FaultKind::Stall | FaultKind::Reset | FaultKind::BlackHole | FaultKind::Slow => {
            let relay = needed(relay, "relay", kind, &keys, context)?;
            let index = around.relays.iter().position(|name| *name == relay.value.0);
            if index.is_none() {
                let known: Vec<&str> = around.relays.iter().map(String::as_str).collect();
                context.unknown(relay.at, format!("there is no relay `{}`", relay.value.0), &known);
            }
            let disturbance = match kind {
                FaultKind::HalfClose => Disturbance::HalfClose,
                FaultKind::Stall => Disturbance::Stall,
                FaultKind::Reset => Disturbance::Reset,
                FaultKind::BlackHole => Disturbance::BlackHole,
                _ => Disturbance::Slow(delay.map_or(DELAY, |delay| delay.value.0)),
            };
            Action::Relay { relay: index?, disturbance }
        }
    };
    Some(Fault {
        name: name?.value.0,
        action,
        undo,
        until,
        timeout: timeout?.value.0,
        hold: hold?.value.0,
        settle: settle?.value.0,
        times: times?.value.0,
        lost_max: u64::from(lost_max?.value.0),
    })
}

/// A key without which the kind means nothing.
fn needed<T>(value: Option<T>, key: &str, kind: FaultKind, keys: &Keys, context: &mut Context<'_>) -> Option<T> {
    if value.is_none() && keys.at(key).is_none() {
        context.problem(keys.table, format!("the kind `{}` needs the key `{key}`", kind.spelled()));
    }
    value
}

fn readable(path: At<FilePath>, context: &mut Context<'_>) -> PathBuf {
    let At { value: FilePath(path), at } = path;
    if let Err(reason) = read_text(&path, FILE_BYTES_MAX) {
        context.problem(at, format!("cannot read {}: {reason}", path.display()));
    }
    path
}

fn command(written: At<List<Text, 1>>, directory: &Path, context: &mut Context<'_>) -> CommandLine {
    if let Some(program) = written.value.first()
        && !is_there(&program.value.0, directory, (context.env)("PATH").as_deref())
    {
        let problem = context.problem(program.at, format!("there is no program {:?}", program.value.0));
        if program.value.0.contains(' ') {
            problem.help("no shell is involved: each argument is a text of its own");
        }
    }
    CommandLine(written.value.0.into_iter().map(|word| word.value.0).collect())
}

/// Whether a program can be run, by its path or by the names that `PATH` leads to.
fn is_there(program: &str, directory: &Path, path: Option<&str>) -> bool {
    let runs =
        |path: &Path| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return runs(&directory.join(program));
    }
    std::env::split_paths(path.unwrap_or("/usr/local/bin:/usr/bin:/bin")).any(|folder| runs(&folder.join(program)))
}
