//! Requests by protocol and class of status, and the errors that the edge itself made.

use http::{StatusCode, Version};
use serve::counters::Counter;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As ALPN names them (RFC 7301).
pub(super) const PROTOCOLS: [&str; 3] = ["http/1.0", "http/1.1", "h2"];

/// The first digits of statuses.
pub(super) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Requests that were answered.
#[derive(Debug, Default)]
pub struct Requests([[Counter; CLASSES.len()]; PROTOCOLS.len()]);

impl Requests {
    /// Counts a request whose answer begins.
    pub fn answered(&self, version: Version, status: StatusCode) {
        let protocol = match version {
            Version::HTTP_2 => 2,
            Version::HTTP_11 => 1,
            _ => 0,
        };
        // Statuses above 599 have no meaning (RFC 9110 section 15) and count as the server's errors.
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.0[protocol][class].increment();
    }

    /// How many there were of these two indices into [`PROTOCOLS`] and [`CLASSES`].
    pub(super) fn get(&self, protocol: usize, class: usize) -> u64 {
        self.0[protocol][class].get()
    }
}

/// Errors by their stable codes. The codes are texts of this program, so there are only so many.
///
/// Errors are rare enough for a lock, which no other worker ever asks for.
#[derive(Debug, Default)]
pub struct Errors(Mutex<BTreeMap<&'static str, u64>>);

impl Errors {
    /// Counts an error.
    pub fn made(&self, code: &'static str) {
        let mut counts = self.counts();
        let count = counts.entry(code).or_default();
        *count = count.wrapping_add(1);
    }

    /// Adds these counts to others.
    pub(super) fn add_to(&self, sums: &mut BTreeMap<&'static str, u64>) {
        for (code, count) in self.counts().iter() {
            let sum = sums.entry(code).or_default();
            *sum = sum.wrapping_add(*count);
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_class() {
        let requests = Requests::default();
        for status in [101, 204, 304, 404, 502, 599, 600, 999] {
            requests.answered(Version::HTTP_11, StatusCode::from_u16(status).expect("a status"));
        }
        requests.answered(Version::HTTP_2, StatusCode::OK);
        requests.answered(Version::HTTP_10, StatusCode::OK);
        assert_eq!([0, 1, 2, 3, 4].map(|class| requests.get(1, class)), [1, 1, 1, 1, 4]);
        assert_eq!([requests.get(0, 1), requests.get(2, 1)], [1, 1]);
    }
}
