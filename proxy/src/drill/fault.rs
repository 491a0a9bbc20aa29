//! One fault: done, held, undone. It is undone whatever happens in between.

use super::command::{self, Ended};
use super::dialer::Dialer;
use super::relay;
use super::{clients, edge};
use crate::config::Address;
use crate::config::drill::{Action, CommandLine, Fault, Plan, Reload};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// What faults work with.
pub(super) struct Tools {
    pub(super) directory: PathBuf,
    pub(super) admin: Option<Address>,
    pub(super) relays: Vec<relay::Running>,
    pub(super) dialer: Rc<Dialer>,
    /// A path that misbehaving clients ask for.
    pub(super) path: String,
}

/// What came of one fault.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Why it could not be done or undone.
    pub(super) failed: Option<String>,
    pub(super) note: Option<String>,
}

/// A file that is put back.
struct Replaced {
    file: PathBuf,
    original: Vec<u8>,
}

/// Beside the file, as long as another one stands in its place: a drill that is killed loses nothing.
fn kept(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".before-drill");
    name.into()
}

/// What must be so before anything begins.
///
/// # Errors
/// A configuration file still has the place of another one.
pub(super) fn ready(plan: &Plan) -> Result<(), String> {
    for fault in &plan.faults {
        if let Action::Configuration { file, .. } = &fault.action
            && kept(file).exists()
        {
            let kept = kept(file);
            return Err(format!(
                "{} was left by a drill that was killed: it is what {} was; put it back, or remove it",
                kept.display(),
                file.display()
            ));
        }
    }
    Ok(())
}

/// Does a fault, holds it, undoes it, and waits until the stack is well. `stop` ends the holding early.
pub(super) async fn perform(fault: &Fault, tools: &Tools, stop: impl Future<Output = ()>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut replaced = None;
    let done_and_held = async {
        let done = inject(fault, tools, &mut replaced).await;
        if !matches!(fault.action, Action::Clients { .. }) && done.is_ok() {
            sleep(fault.hold).await;
        }
        done
    };
    tokio::select! {
        biased;
        () = stop => {}
        done = done_and_held => match done {
            Ok(note) => outcome.note = note,
            Err(reason) => outcome.failed = Some(reason),
        },
    }
    if let Err(reason) = undo(fault, tools, replaced).await {
        outcome.failed.get_or_insert(format!("not undone: {reason}"));
    }
    if let Some(until) = &fault.until
        && let Err(reason) = command::until(until, &tools.directory, fault.timeout).await
    {
        outcome.failed.get_or_insert(reason);
    }
    outcome
}

async fn inject(fault: &Fault, tools: &Tools, replaced: &mut Option<Replaced>) -> Result<Option<String>, String> {
    match &fault.action {
        Action::Command { run, fails } => expect(run, tools, fault.timeout, *fails).await.map(|()| None),
        Action::Reload(by) => reload(by, by.refused, tools, fault.timeout).await.map(|()| None),
        Action::Configuration { file, with, reload: by } => {
            let wrong = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
            let content = std::fs::read(with).map_err(|error| wrong(with, error))?;
            let original = std::fs::read(file).map_err(|error| wrong(file, error))?;
            std::fs::write(kept(file), &original).map_err(|error| wrong(&kept(file), error))?;
            *replaced = Some(Replaced { file: file.clone(), original });
            // In place: a file that is mounted into a container is tied to its inode.
            std::fs::write(file, content).map_err(|error| wrong(file, error))?;
            reload(by, by.refused, tools, fault.timeout).await.map(|()| None)
        }
        Action::Clients { misbehaviour, sockets } => {
            Ok(Some(clients::misbehave(&tools.dialer, &tools.path, *misbehaviour, *sockets, fault.hold).await))
        }
        Action::Relay { relay, disturbance } => {
            if let Some(relay) = tools.relays.get(*relay) {
                relay.set(Some(*disturbance));
            }
            Ok(None)
        }
    }
}

async fn undo(fault: &Fault, tools: &Tools, replaced: Option<Replaced>) -> Result<(), String> {
    let mut first = Ok(());
    match &fault.action {
        Action::Relay { relay, .. } => {
            if let Some(relay) = tools.relays.get(*relay) {
                relay.set(None);
            }
        }
        Action::Configuration { reload: by, .. } => {
            if let Some(Replaced { file, original }) = replaced {
                let back = std::fs::write(&file, original).and_then(|()| std::fs::remove_file(kept(&file)));
                first = back.map_err(|error| format!("{}: {error}", file.display()));
                first = first.and(reload(by, false, tools, fault.timeout).await);
            }
        }
        Action::Command { .. } | Action::Reload(_) | Action::Clients { .. } => {}
    }
    match &fault.undo {
        Some(line) => first.and(expect(line, tools, fault.timeout, false).await),
        None => first,
    }
}

/// Runs a command that has to succeed, or has to fail.
async fn expect(line: &CommandLine, tools: &Tools, limit: Duration, fails: bool) -> Result<(), String> {
    let Ended { succeeded, said } = command::run(line, &tools.directory, limit).await?;
    match (succeeded, fails) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(said),
        (true, true) => Err(format!("{said}, but it had to fail")),
    }
}

/// Makes the edge read its configuration. `refused`: it has to say no.
async fn reload(by: &Reload, refused: bool, tools: &Tools, limit: Duration) -> Result<(), String> {
    if let Some(line) = &by.command {
        return expect(line, tools, limit, refused).await;
    }
    let Some(admin) = &tools.admin else { return Err("no admin listener".to_owned()) };
    let (status, said) = edge::reload(admin).await?;
    let said: String = said.trim().chars().take(300).collect();
    match status.as_u16() {
        404 | 405 => Err("the edge knows no /reload: write `reload = [...]` into the plan".to_owned()),
        _ if status.is_success() && refused => Err("the edge took a configuration that it has to refuse".to_owned()),
        _ if !status.is_success() && !refused => Err(format!("the edge did not reload ({status}): {said}")),
        _ => Ok(()),
    }
}
