//! `portcullis drill`: load on a running stack of the operator's own, faults one after the other, and what each has cost.
//!
//! A drill does nothing to a stack but what its plan names, asks only the host that the operator has named, undoes what
//! it has done also when it is interrupted, and begins only after everything was answered once without any fault.

mod clients;
mod command;
mod conduct;
mod deeds;
mod dialer;
mod echoes;
mod edge;
mod events;
mod fault;
mod flags;
mod latency;
mod load;
mod phase;
mod pool;
mod rehearsal;
mod relay;
mod renewal;
mod report;
mod session;
mod tls;

pub use flags::Flags;

use crate::config::drill::{self as plan, Plan};
use std::io::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The drill could not be held to its end.
const FAILED: u8 = 1;
/// The plan has mistakes, which are on standard error.
const BAD_PLAN: u8 = 2;
/// More was lost than may be.
const LOST: u8 = 3;

/// Holds a drill, and prints what it has found.
#[must_use]
pub fn run(flags: &Flags) -> ExitCode {
    match execute(flags) {
        Ok(code) => code,
        Err((code, reason)) => {
            let _ = writeln!(std::io::stderr(), "{}", reason.trim_end());
            ExitCode::from(code)
        }
    }
}

fn execute(flags: &Flags) -> Result<ExitCode, (u8, String)> {
    let plan = chosen(flags)?;
    allowed(&plan, flags).map_err(|reason| (FAILED, reason))?;
    if flags.dry_run {
        let _ = write!(std::io::stdout(), "{}", rehearsal::describe(&plan));
        return Ok(ExitCode::SUCCESS);
    }
    if flags.insecure && plan.target.tls {
        let warning = "WARNING: --insecure: nobody checks whose certificate the stack shows. Whoever stands between can \
            read the session's tokens.";
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    let failed = |error: std::io::Error| (FAILED, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let local = tokio::task::LocalSet::new();
    let found = local.block_on(&runtime, async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?);
        let (stop, stopping) = watch::channel(false);
        tokio::task::spawn_local(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                let _ = writeln!(std::io::stderr(), "\nStopping: the fault is undone first.");
                stop.send_replace(true);
            }
        });
        conduct::hold(plan, flags, stopping).await.map_err(|reason| (FAILED, reason))
    })?;
    let _ = writeln!(std::io::stdout(), "{}", conduct::shown(&found, flags.json).trim_end());
    Ok(verdict(&found))
}

fn verdict(found: &conduct::Found) -> ExitCode {
    let is_undone = |phase: &std::rc::Rc<phase::Phase>| phase.tally.borrow().failed.is_some();
    if found.phases.iter().any(|phase| phase.is_bad()) {
        ExitCode::from(LOST)
    } else if found.interrupted || found.phases.iter().any(is_undone) {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    }
}

/// The plan, with the faults that were asked for.
fn chosen(flags: &Flags) -> Result<Plan, (u8, String)> {
    let set = |name: &str| flags.set.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.clone());
    let env = |name: &str| set(name).or_else(|| std::env::var(name).ok());
    let mut plan = plan::load(&flags.plan, &env).map_err(|problems| (BAD_PLAN, problems.to_string()))?;
    for name in &flags.only {
        if !plan.faults.iter().any(|fault| fault.name == *name) {
            let known: Vec<&str> = plan.faults.iter().map(|fault| fault.name.as_str()).collect();
            return Err((BAD_PLAN, format!("--only {name}: the plan has {}", known.join(", "))));
        }
    }
    if !flags.only.is_empty() {
        plan.faults.retain(|fault| flags.only.contains(&fault.name));
    }
    Ok(plan)
}

/// A load goes to this machine, or to a host that the operator names himself: a plan may be somebody else's.
fn allowed(plan: &Plan, flags: &Flags) -> Result<(), String> {
    let host = &plan.target.host;
    let is_here = host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if is_here || flags.host.iter().any(|named| named.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(format!("the plan puts {host} under load. If it is yours and you want that, say so: --host {host}"))
}
