//! What operators write in a drill plan: every table with every key.

use super::FaultKind;
use super::target::Target;
use crate::config::file::maps::Map;
use crate::config::file::values::{FilePath, Text};
use crate::config::read::{List, Named};
use crate::config::units::{Number, Time};
use crate::config::{Address, EndpointAddress, SecretBytes};
use http::{HeaderName, HeaderValue, Method, Uri};

/// What a pause may be: none to an hour.
pub(in crate::config) type Pause = Time<0, 3_600_000>;
/// How long something is waited for: 100 ms to an hour.
pub(in crate::config) type Wait = Time<100, 3_600_000>;

table! {
    /// A drill: where the stack is, what is asked of it, and what is done to it meanwhile. Faults happen one after the
    /// other, in the order of the file.
    File as "the plan" => {
        /// Where clients find the stack, for example `"https://localhost:8443"`. A path is not part of it. A host other
        /// than this machine has to be named on the command line too: `--host NAME`.
        required target: Uri,
        /// The admin listener of the edge: retried and parked requests are read from its `/metrics`, and `reload`
        /// faults ask it. Left out: the report has no such numbers.
        optional admin: Address,
        /// The authorities, in PEM, that the stack's certificate must come from. Left out: Mozilla's.
        optional ca: FilePath,
        /// Where commands run, relative to this file. Left out: the folder of this file.
        optional directory: FilePath,
        /// How much is asked.
        optional load: Load,
        /// What is asked.
        required request: List<Request, 1>,
        /// Who asks, for requests with `session = true`.
        optional session: Session,
        /// A stream of server-sent events that is kept open and watched.
        optional events: Events,
        /// Small TCP relays that the drill puts between the edge and the application, by name. The upstream's endpoint
        /// in the edge's configuration is the relay's `listen`.
        optional relay: Named<Relay>,
        /// What is done to the stack.
        required fault: List<Fault, 1>,
    }
}

table! {
    /// The load. Requests leave at the given rate whether answers come or not, and a latency counts from the moment at
    /// which the request was to leave.
    Load as "load" => {
        /// Requests a second.
        default(100) rate: Number<1, 10_000>,
        /// HTTP/1.1 connections at once.
        default(16) connections: Number<0, 1000>,
        /// HTTP/2 connections. Half of the requests take them, where there are connections of both kinds.
        default(2) http2_connections: Number<0, 64>,
        /// Requests at once. What does not fit is not sent, and the report says so.
        default(1000) in_flight_max: Number<1, 10_000>,
        /// How long one request may take until it counts as lost.
        default("10s") timeout: Wait,
        /// How long the load runs before the first fault: this is the row `no fault` of the report.
        default("5s") warm_up: Pause,
        /// Whether a request without a body that met a connection which had just been closed is sent once more on another
        /// one, as every browser does (RFC 9110 section 9.2.2). The report counts these.
        default(true) resend: bool,
    }
}

table! {
    /// A request of the load. In `path`, `body` and `find`, `{tag}` is a text that no other request of any drill has.
    Request as "request" => {
        /// Its method.
        default("GET") method: Method,
        /// Its path, with a query if it has one.
        required path: Target,
        /// Its body.
        optional body: String,
        /// Its fields.
        optional headers: Map<HeaderName, HeaderValue>,
        /// Whether it brings the session's access token along.
        default(false) session: bool,
        /// How often it is sent, compared with the others.
        default(1) weight: Number<1, 1000>,
        /// The statuses that count as an answer. Left out: everything below 400.
        optional status: List<Number<100, 599>, 1>,
        /// Where to look afterwards for what the request has done: a path with `{tag}` whose answer must hold the tag
        /// exactly once. Not at all counts as lost if the request was answered well; more than once counts as duplicated.
        optional find: Target,
    }
}

table! {
    /// A session that is opened before the load and refreshed meanwhile.
    Session as "session" => {
        /// The path that takes `{"username", "password"}` and answers with `{"access", "refresh"}`.
        required sign_in: Target,
        /// The path that takes `{"refresh"}` and answers with `{"access"}`, and perhaps a new `refresh`.
        optional refresh: Target,
        /// How often it is refreshed.
        default("15s") refresh_every: Wait,
        /// The user.
        required username: Text,
        /// The password.
        required password: SecretBytes,
        /// A path that takes `{"username", "password"}` and makes the user; what it answers does not matter, because
        /// the user may be there already.
        optional register: Target,
    }
}

table! {
    /// An event stream that the session listens to. It comes back at once when it ends, and is asked what it has missed
    /// by `Last-Event-ID`.
    Events as "events" => {
        /// Its path.
        required path: Target,
        /// The member of the JSON answer to a request with `find` that an event must mention. One that no event mentions
        /// is a gap, unless the stream has said meanwhile that everything has to be loaded again.
        optional echo: Text,
        /// The name of the event that says so.
        default("resync") resync: Text,
    }
}

table! {
    /// A relay. It passes on bytes until a fault says otherwise.
    Relay as "relay" => {
        /// Where it listens: an address and a port.
        required listen: Address,
        /// Where it leads.
        required to: EndpointAddress,
    }
}

table! {
    /// A fault: `run` or `kind`, then `hold`, then `undo`, then `until`, then `settle`. Everything that was to leave in
    /// this time is the fault's, and so is everything after it until the next fault.
    Fault as "fault" => {
        /// What it is called in the report.
        required name: Text,
        /// What is done.
        default("command") kind: FaultKind,
        /// The command: a program and its arguments. No shell is involved.
        optional run: List<Text, 1>,
        /// Whether `run` has to fail for the fault to have happened, as a reload of a bad file does.
        default(false) run_fails: bool,
        /// The command that undoes it. It runs whatever happens, also after Ctrl-C.
        optional undo: List<Text, 1>,
        /// A command that is repeated until it succeeds: the stack is well again.
        optional until: List<Text, 1>,
        /// How long one command may run, and how long `until` is tried.
        default("60s") timeout: Wait,
        /// How long the fault lasts before it is undone.
        default("3s") hold: Pause,
        /// How long the load goes on afterwards.
        default("3s") settle: Pause,
        /// How often it is done, one time after the other.
        default(1) times: Number<1, 10_000>,
        /// How many requests may be lost. More makes the drill fail.
        default(0) lost_max: Number<0, 1_000_000>,
        /// The relay that does it, for the kinds of relays.
        optional relay: Text,
        /// How long `slow` keeps each piece back.
        optional delay: Pause,
        /// How many sockets, for the kinds of clients.
        optional sockets: Number<1, 10_000>,
        /// The configuration file of the edge that is replaced, for `configuration`. What it was comes back afterwards.
        optional file: FilePath,
        /// The file that takes its place.
        optional with: FilePath,
        /// The command that makes the edge read its configuration, for `configuration` and `reload`. Left out: the admin
        /// listener is asked by `POST /reload`.
        optional reload: List<Text, 1>,
        /// Whether the edge has to refuse the new configuration.
        default(false) refused: bool,
    }
}

words!(FaultKind, "kind of fault", {
    "command" => FaultKind::Command,
    "reload" => FaultKind::Reload,
    "configuration" => FaultKind::Configuration,
    "half-closed-clients" => FaultKind::HalfClosedClients,
    "stalled-clients" => FaultKind::StalledClients,
    "half-close" => FaultKind::HalfClose,
    "stall" => FaultKind::Stall,
    "reset" => FaultKind::Reset,
    "black-hole" => FaultKind::BlackHole,
    "slow" => FaultKind::Slow,
});
