//! Drill plans (`portcullis drill`): the same language, references and messages as the configuration's, with tables of
//! their own.

mod check;
mod fault;
mod file;
mod target;

pub use target::Target;

use super::disk::read_text;
use super::problem::Problems;
use super::read::{Context, Written as _};
use super::{SecretBytes, node};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a plan.
const PLAN_BYTES_MAX: u64 = 1 << 20;

/// A checked plan.
#[derive(Debug)]
pub struct Plan {
    /// Whom the load asks.
    pub target: Destination,
    /// The admin listener of the edge.
    pub admin: Option<super::Address>,
    /// The authorities of the target's certificate, in PEM.
    pub ca: Option<PathBuf>,
    /// Where commands run.
    pub directory: PathBuf,
    /// How much is asked.
    pub load: Load,
    /// What is asked; at least one.
    pub requests: Vec<Request>,
    /// Who asks.
    pub session: Option<Session>,
    /// What is listened to.
    pub events: Option<Events>,
    /// The relays that the drill runs.
    pub relays: Vec<Relay>,
    /// What is done, in this order; at least one.
    pub faults: Vec<Fault>,
}

/// Where clients find the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// A name or an address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As `Host` says it.
    pub authority: HeaderValue,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// `[load]`.
#[derive(Debug, Clone)]
pub struct Load {
    /// Requests a second.
    pub rate: u32,
    /// HTTP/1.1 connections.
    pub connections: usize,
    /// HTTP/2 connections.
    pub http2_connections: usize,
    /// Requests at once.
    pub in_flight_max: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long the load runs before the first fault.
    pub warm_up: Duration,
    /// Whether a request that met a closed connection is sent once more.
    pub resend: bool,
}

/// `[[request]]`.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: Target,
    /// Its body, with `{tag}` in it.
    pub body: Option<String>,
    /// Its fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether it brings the access token.
    pub session: bool,
    /// Its share.
    pub weight: u32,
    /// What counts as an answer; empty: everything below 400.
    pub statuses: Vec<StatusCode>,
    /// Where what it has done is found.
    pub find: Option<Target>,
}

impl Request {
    /// Whether an answer with this status is one.
    #[must_use]
    pub fn accepts(&self, status: StatusCode) -> bool {
        if self.statuses.is_empty() { status.as_u16() < 400 } else { self.statuses.contains(&status) }
    }

    /// The body for this tag.
    #[must_use]
    pub fn body_of(&self, tag: &str) -> Option<String> {
        self.body.as_ref().map(|body| body.replace(target::TAG, tag))
    }
}

/// `[session]`.
#[derive(Debug, Clone)]
pub struct Session {
    /// Where tokens are given.
    pub sign_in: Target,
    /// Where they are renewed, and how often.
    pub refresh: Option<Target>,
    /// How often.
    pub refresh_every: Duration,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretBytes,
    /// Where the user is made.
    pub register: Option<Target>,
}

/// `[events]`.
#[derive(Debug, Clone)]
pub struct Events {
    /// The stream's path.
    pub path: Target,
    /// The member that events mention.
    pub echo: Option<String>,
    /// The event after which everything is loaded again.
    pub resync: String,
}

/// `[relay.NAME]`.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// The host it leads to.
    pub host: String,
    /// The port it leads to.
    pub port: u16,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(pub Vec<String>);

/// What a fault is, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The command of `run`.
    Command,
    /// A reload of the configuration as it is.
    Reload,
    /// A reload of another configuration.
    Configuration,
    /// Clients that end their half of the connection after the request.
    HalfClosedClients,
    /// Clients that stop in the middle of a request, or do not read.
    StalledClients,
    /// A relay ends the application's half of every connection.
    HalfClose,
    /// A relay passes nothing on, and keeps every connection.
    Stall,
    /// A relay resets every connection, old and new.
    Reset,
    /// A relay takes connections and swallows what comes.
    BlackHole,
    /// A relay passes everything on late.
    Slow,
}

/// `[[fault]]`.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// The command that undoes it.
    pub undo: Option<CommandLine>,
    /// The command that tells that the stack is well.
    pub until: Option<CommandLine>,
    /// How long a command may take.
    pub timeout: Duration,
    /// How long it lasts.
    pub hold: Duration,
    /// How long the load goes on afterwards.
    pub settle: Duration,
    /// How often it is done.
    pub times: u32,
    /// Requests that may be lost.
    pub lost_max: u64,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Runs a command.
    Command {
        /// Which.
        run: CommandLine,
        /// Whether it has to fail.
        fails: bool,
    },
    /// Makes the edge read its configuration.
    Reload(Reload),
    /// Puts another file in the place of the configuration, and makes the edge read it.
    Configuration {
        /// The file that is replaced.
        file: PathBuf,
        /// Its new content.
        with: PathBuf,
        /// How it is read.
        reload: Reload,
    },
    /// Does something from outside, as a client.
    Clients {
        /// What.
        misbehaviour: Misbehaviour,
        /// How many.
        sockets: usize,
    },
    /// Does something between edge and application.
    Relay {
        /// Index into [`Plan::relays`].
        relay: usize,
        /// What.
        disturbance: Disturbance,
    },
}

/// How the edge is made to read its configuration, and what has to come of it.
#[derive(Debug, Clone)]
pub struct Reload {
    /// The command; none: the admin listener is asked.
    pub command: Option<CommandLine>,
    /// Whether the edge has to refuse.
    pub refused: bool,
}

/// What bad clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// They end their half of the connection.
    HalfClose,
    /// They stop.
    Stall,
}

/// What a relay does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Ends the application's half of every connection, and of each new one after its first bytes.
    HalfClose,
    /// Passes nothing on.
    Stall,
    /// Resets every connection.
    Reset,
    /// Takes connections and swallows what comes.
    BlackHole,
    /// Keeps each piece back for so long.
    Slow(Duration),
}

/// Reads and checks a plan. `env` looks up the variables of `${env:NAME}`.
///
/// # Errors
/// Every mistake in it.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Plan, Problems> {
    match read_text(path, PLAN_BYTES_MAX) {
        Ok(text) => load_str(&path.display().to_string(), &text, env, path.parent().unwrap_or(Path::new(""))),
        Err(reason) => {
            let mut problems = Problems::default();
            problems.add(None, format!("cannot read {}: {reason}", path.display()));
            Err(problems)
        }
    }
}

/// Reads and checks a plan that is in memory already, called `name` in messages. Relative paths start at `base_dir`.
///
/// # Errors
/// As [`load`].
pub fn load_str(
    name: &str,
    text: &str,
    env: &dyn Fn(&str) -> Option<String>,
    base_dir: &Path,
) -> Result<Plan, Problems> {
    let mut context = Context { problems: Problems::default(), env };
    let source = context.problems.sources.add(name.to_owned(), base_dir.to_owned(), text.to_owned());
    let written = node::parse(source, &mut context).and_then(|tree| file::File::read(&tree, &mut context));
    let plan = written.and_then(|written| check::check(written, base_dir, &mut context));
    match plan {
        Some(plan) if context.problems.count() == 0 => Ok(plan),
        _ => {
            context.problems.sort();
            Err(context.problems)
        }
    }
}

#[cfg(test)]
mod tests;
