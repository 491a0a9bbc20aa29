//! `--dry-run`: what a drill would do, in words.

use super::command::Shown;
use crate::config::drill::{Action, Fault, Plan, Reload};
use std::fmt::Write as _;

/// The whole plan, step by step.
pub(super) fn describe(plan: &Plan) -> String {
    let mut text = String::new();
    let scheme = if plan.target.tls { "https" } else { "http" };
    let authority = plan.target.authority.to_str().unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{scheme}://{authority}: {} requests a second over {} connections of HTTP/1.1 and {} of HTTP/2",
        plan.load.rate, plan.load.connections, plan.load.http2_connections
    );
    for request in &plan.requests {
        let session = if request.session { ", as the session's user" } else { "" };
        let _ = writeln!(text, "  {} {} x{}{session}", request.method, request.path.as_str(), request.weight);
    }
    for relay in &plan.relays {
        let _ = writeln!(text, "relay {}: {} -> {}:{}", relay.name, relay.listen, relay.host, relay.port);
    }
    let _ = writeln!(text, "no fault for {:?}", plan.load.warm_up);
    plan.faults.iter().for_each(|fault| describe_fault(&mut text, fault, plan));
    text
}

fn describe_fault(text: &mut String, fault: &Fault, plan: &Plan) {
    let times = if fault.times > 1 { format!(", {} times", fault.times) } else { String::new() };
    let _ = writeln!(text, "{}{times}:", fault.name);
    let by = |reload: &Reload| match &reload.command {
        Some(line) => format!("`{}`", Shown(line)),
        None => "POST /reload to the admin listener".to_owned(),
    };
    let refused = |reload: &Reload| if reload.refused { ", which the edge has to refuse" } else { "" };
    let what = match &fault.action {
        Action::Command { run, fails: false } => format!("run `{}`", Shown(run)),
        Action::Command { run, fails: true } => format!("run `{}`, which has to fail", Shown(run)),
        Action::Reload(reload) => format!("{}{}", by(reload), refused(reload)),
        Action::Configuration { file, with, reload } => {
            format!("write {} into {}, {}{}", with.display(), file.display(), by(reload), refused(reload))
        }
        Action::Clients { misbehaviour, sockets } => format!("{sockets} clients: {misbehaviour:?}"),
        Action::Relay { relay, disturbance } => {
            format!("relay {}: {disturbance:?}", plan.relays.get(*relay).map_or("", |relay| &relay.name))
        }
    };
    let _ = writeln!(text, "  {what}\n  hold for {:?}", fault.hold);
    if let Action::Configuration { file, reload, .. } = &fault.action {
        let _ = writeln!(text, "  put {} back, {}", file.display(), by(reload));
    }
    if let Some(undo) = &fault.undo {
        let _ = writeln!(text, "  undo: run `{}`", Shown(undo));
    }
    if let Some(until) = &fault.until {
        let _ = writeln!(text, "  run `{}` until it succeeds, for {:?} at most", Shown(until), fault.timeout);
    }
    let _ = writeln!(text, "  go on for {:?}", fault.settle);
}
