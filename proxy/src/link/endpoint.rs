//! What one endpoint has said of itself. Written by its task, read by every worker.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Moments are kept as milliseconds since the first look; 0 is never.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Of what an application says it closes idle connections after, the edge closes its own sooner: this share of it.
const IDLE_SHARE_PERCENT: u64 = 80;

/// The state of one endpoint's link.
#[derive(Debug, Default)]
pub struct EndpointLink {
    connected: AtomicBool,
    draining: AtomicBool,
    /// When it was last known to have told everything.
    current_at: AtomicU64,
    idle_timeout_ms: AtomicU64,
    in_flight_max: AtomicU64,
    breaks: AtomicU64,
    /// Which address of its name it has been asked at.
    place: Mutex<Option<SocketAddr>>,
}

impl EndpointLink {
    /// Whether its stream is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    pub(super) fn set_connected(&self, connected: bool) {
        if self.connected.swap(connected, Relaxed) && !connected {
            self.breaks.fetch_add(1, Relaxed);
        }
    }

    /// How many streams have ended.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.breaks.load(Relaxed)
    }

    /// Whether it finishes what it has and takes nothing new.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// The same of one address of its name: the others may be other processes, of which it does not tell.
    #[must_use]
    pub fn is_draining_at(&self, place: Option<SocketAddr>) -> bool {
        self.is_draining() && *self.place.lock().unwrap_or_else(PoisonError::into_inner) == place
    }

    /// Notes where the next stream comes from.
    pub fn set_place(&self, place: Option<SocketAddr>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    pub(super) fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Relaxed);
    }

    /// How long connections to it may be idle at most, so that the edge closes first; `None`: it has not said.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        let told = self.idle_timeout_ms.load(Relaxed);
        (told > 0).then(|| Duration::from_millis((told.saturating_mul(IDLE_SHARE_PERCENT) / 100).max(1)))
    }

    /// How many requests it takes at once; 0: it has not said.
    #[must_use]
    pub fn in_flight_max(&self) -> u64 {
        self.in_flight_max.load(Relaxed)
    }

    pub(super) fn greet(&self, idle_timeout_ms: Option<u64>, in_flight_max: Option<u64>) {
        self.idle_timeout_ms.store(idle_timeout_ms.unwrap_or_default(), Relaxed);
        self.in_flight_max.store(in_flight_max.unwrap_or_default(), Relaxed);
    }

    /// Notes that at `now` it has told everything that it has to tell.
    pub(super) fn note_current(&self, now: Instant) {
        self.current_at.store(milliseconds(now), Relaxed);
    }

    /// Notes that something was missed: until everything is told anew, nothing is known.
    pub(super) fn note_gap(&self) {
        self.current_at.store(0, Relaxed);
    }

    /// How long ago everything was known; `None`: not since the start or a gap.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let at = self.current_at.load(Relaxed);
        (at > 0).then(|| Duration::from_millis(milliseconds(now).saturating_sub(at)))
    }
}

fn milliseconds(now: Instant) -> u64 {
    // One more, because 0 is never.
    u64::try_from(now.saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_ages_and_a_gap_forgets_it() {
        let (link, now) = (EndpointLink::default(), Instant::now() + Duration::from_secs(60));
        assert_eq!(link.age(now), None);
        link.note_current(now);
        assert_eq!(link.age(now + Duration::from_secs(3)), Some(Duration::from_secs(3)));
        link.note_gap();
        assert_eq!(link.age(now), None);
    }

    #[test]
    fn the_edge_closes_first() {
        let link = EndpointLink::default();
        assert_eq!(link.idle_timeout(), None);
        link.greet(Some(75_000), None);
        assert_eq!(link.idle_timeout(), Some(Duration::from_secs(60)));
        link.greet(Some(1), Some(7));
        assert_eq!((link.idle_timeout(), link.in_flight_max()), (Some(Duration::from_millis(1)), 7));
    }
}
