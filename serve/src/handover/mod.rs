//! One process takes the listening sockets of another over, without closing them: what waits in their queues is never
//! lost.
//!
//! The running process starts the new one with one end of a private socket as its standard input and sends the
//! descriptors of its listening sockets there (`SCM_RIGHTS`). The new one builds all it needs, says that it is
//! prepared, is told to go, accepts, and says that it serves. Only then does the old one drain. Whatever goes wrong
//! before, mistakes, a crash, silence, ends the new process and leaves the old one as it was: it never stopped
//! accepting.

mod channel;
mod predecessor;
mod successor;

pub use predecessor::{Inherited, Predecessor};
pub use successor::{Offer, Program, Successor, UpgradeError};

/// How long a process that is told to stop waits first for the one that is about to take over, and goes on accepting: a
/// drain before that would leave nobody to answer. Below what supervisors grant, whose order to stop it may be.
pub const SETTLED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Holds the id of the process that hands over. Another parent than this one has nothing to hand over.
const VARIABLE: &str = "PORTCULLIS_HANDOVER";
