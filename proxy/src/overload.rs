//! What the process does when its memory runs out, in steps: finish connections, refuse requests, refuse connections.
//!
//! The kernel ends a process that passes the bound of its control group, and with it every request. Giving up a few
//! before that costs less. A task looks a few times a second; workers read one number.

mod memory;

use crate::config;
use memory::Memory;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// How often the memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A step is taken back when so much less is used than it takes to take it, in hundredths of the whole: at the edge of one
/// it would be taken and taken back all the time.
const BACK_PERCENT: u64 = 5;

/// What is done, each step with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    Calm,
    /// Each answer over HTTP/1.1 is the last on its connection.
    CloseConnections,
    /// Requests over HTTP/1.1 are answered 503; streams of HTTP/2 are refused.
    RefuseRequests,
    /// Connections are closed when they are accepted.
    RefuseConnections,
}

impl Level {
    const ALL: [Self; 4] = [Self::Calm, Self::CloseConnections, Self::RefuseRequests, Self::RefuseConnections];

    /// The level after `used` of `max` bytes were seen. `self` is the one before.
    fn next(self, settings: &config::Overload, used: u64, max: u64) -> Self {
        let at = |level: Self| match level {
            Self::Calm => 0,
            Self::CloseConnections => settings.close_connections_at,
            Self::RefuseRequests => settings.refuse_requests_at,
            Self::RefuseConnections => settings.refuse_connections_at,
        };
        let percent = u64::try_from(u128::from(used) * 100 / u128::from(max.max(1))).unwrap_or(u64::MAX);
        let holds = |level: Self| {
            let needed = u64::from(at(level));
            // Nothing in use is calm, however early a step is taken.
            percent >= if level <= self { needed.saturating_sub(BACK_PERCENT).max(1) } else { needed }
        };
        Self::ALL.into_iter().rev().find(|&level| holds(level)).unwrap_or(Self::Calm)
    }
}

/// The level, for all who heed it.
#[derive(Debug, Default)]
pub struct Overload {
    level: AtomicU8,
    used_bytes: AtomicU64,
    max_bytes: AtomicU64,
    /// For those who accept connections.
    closed: Arc<AtomicBool>,
}

impl Overload {
    /// The level now.
    #[must_use]
    pub fn level(&self) -> Level {
        let level = usize::from(self.level.load(Relaxed));
        Level::ALL.get(level).copied().unwrap_or(Level::Calm)
    }

    /// Bytes that are used, and that may be.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.used_bytes.load(Relaxed), self.max_bytes.load(Relaxed))
    }

    /// Whether connections are refused.
    #[must_use]
    pub fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.closed)
    }

    /// Takes in what is used.
    fn see(&self, settings: &config::Overload, used: u64, max: u64) {
        self.used_bytes.store(used, Relaxed);
        self.max_bytes.store(max, Relaxed);
        let (before, now) = (self.level(), self.level().next(settings, used, max));
        if now != before {
            tracing::warn!(used, max, level = ?now, before = ?before, "memory");
        }
        self.closed.store(now >= Level::RefuseConnections, Relaxed);
        self.level.store(now as u8, Relaxed);
    }
}

/// Looks at the memory as long as the process runs. What can't be read is taken for calm, and said once.
pub(crate) async fn watch(overload: Arc<Overload>, settings: config::Overload) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let mut told = false;
    let memory = Memory::find(settings.memory_bytes_max);
    loop {
        ticks.tick().await;
        let used = memory
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|memory| memory.used().map_err(|error| error.to_string()));
        match used {
            Ok((used, max)) => overload.see(&settings, used, max),
            Err(error) => {
                overload.see(&settings, 0, 0);
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(error, "`server.overload` has no effect: the memory can't be read");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: config::Overload = config::Overload {
        memory_bytes_max: None,
        close_connections_at: 80,
        refuse_requests_at: 90,
        refuse_connections_at: 95,
    };

    #[test]
    fn steps_are_taken_one_by_one_and_taken_back_a_little_later() {
        use Level::{Calm, CloseConnections, RefuseConnections, RefuseRequests};
        let overload = Overload::default();
        for (used, level) in [
            (79, Calm),
            (80, CloseConnections),
            (79, CloseConnections),
            (76, CloseConnections),
            (89, CloseConnections),
            (90, RefuseRequests),
            (85, RefuseRequests),
            (84, CloseConnections),
            (100, RefuseConnections),
            (250, RefuseConnections),
            (90, RefuseConnections),
            (89, RefuseRequests),
            (74, Calm),
            (79, Calm),
        ] {
            overload.see(&SETTINGS, used, 100);
            assert_eq!(overload.level(), level, "{used} of 100");
            assert_eq!(overload.closed().load(Relaxed), level == RefuseConnections, "{used} of 100");
        }
        overload.see(&SETTINGS, u64::MAX, u64::MAX);
        assert_eq!((overload.level(), overload.bytes()), (RefuseConnections, (u64::MAX, u64::MAX)));
        overload.see(&SETTINGS, 0, 0);
        assert_eq!(overload.level(), Calm);
    }

    /// Found in a review: a step at 5 percent or less was never taken back.
    #[test]
    fn a_step_that_is_taken_early_is_taken_back_too() {
        let settings = config::Overload { close_connections_at: 4, ..SETTINGS };
        let overload = Overload::default();
        for (used, level) in [(4, Level::CloseConnections), (1, Level::CloseConnections), (0, Level::Calm)] {
            overload.see(&settings, used, 100);
            assert_eq!(overload.level(), level, "{used} of 100");
        }
    }
}
