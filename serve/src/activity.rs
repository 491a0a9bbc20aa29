//! What a connection is doing, noted by its stream and its service and read by its timeouts.
//!
//! The counters are atomics because an upgraded stream must be `Send`, but only the worker that owns the connection
//! writes them: all accesses are relaxed loads and stores, which cost as much as plain ones.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The state of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// Counts changes of what the connection waits for, so that its driver knows when to move the deadline.
    epoch: AtomicU32,
    /// Requests whose response has not ended.
    in_flight: AtomicU32,
    /// Bytes of the next request have arrived, its head not yet.
    reading_head: AtomicU32,
    /// The peer has not taken what was to be written.
    write_blocked: AtomicU32,
    /// Requests whose body has not been read to its end or let go of.
    uploads: AtomicU32,
    /// Responses of which a piece was handed over and the next not asked for.
    stalled: AtomicU32,
    /// The head took too long: the stream says so and ends.
    refused: AtomicU32,
}

/// What a connection waits for, the longest first in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// The first byte of a request.
    Request,
    /// The rest of a request's head.
    Head,
    /// Our own answer.
    Answer,
    /// The peer, to take bytes of an answer.
    Reader,
}

impl Activity {
    /// Bytes came in.
    pub(crate) fn read(&self) {
        let between_requests = self.in_flight.load(Relaxed) == 0 && self.uploads.load(Relaxed) == 0;
        if between_requests && self.reading_head.load(Relaxed) == 0 {
            self.reading_head.store(1, Relaxed);
            self.changed();
        }
    }

    /// A write was tried: `done` when the peer took it.
    pub(crate) fn wrote(&self, done: bool) {
        let blocked = u32::from(!done);
        if self.write_blocked.load(Relaxed) != blocked {
            self.write_blocked.store(blocked, Relaxed);
            self.changed();
        }
    }

    /// A request's head is complete and its service is called.
    pub(crate) fn request_began(&self) {
        self.reading_head.store(0, Relaxed);
        self.in_flight.store(self.in_flight.load(Relaxed) + 1, Relaxed);
        self.changed();
    }

    /// A response has ended or was dropped.
    pub(crate) fn response_ended(&self) {
        self.in_flight.store(self.in_flight.load(Relaxed).saturating_sub(1), Relaxed);
        self.changed();
    }

    /// Makes the stream answer an unfinished head with 408 and end, the next time that it is read.
    pub(crate) fn refuse_head(&self) {
        self.refused.store(1, Relaxed);
    }

    /// Whether [`Self::refuse_head`] was called.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.load(Relaxed) != 0
    }

    /// A request has a body, which may be read after its answer.
    pub(crate) fn upload_began(&self) {
        self.uploads.store(self.uploads.load(Relaxed) + 1, Relaxed);
    }

    /// Such a body was read to its end or let go of.
    pub(crate) fn upload_ended(&self) {
        self.uploads.store(self.uploads.load(Relaxed).saturating_sub(1), Relaxed);
    }

    /// A piece of a response was handed over: until the next is asked for, it waits for its reader.
    pub(crate) fn handed_over(&self) {
        self.stalled.store(self.stalled.load(Relaxed) + 1, Relaxed);
        self.changed();
    }

    /// The next piece is asked for, or nothing more of this response will be.
    pub(crate) fn asked_again(&self) {
        self.stalled.store(self.stalled.load(Relaxed).saturating_sub(1), Relaxed);
        self.changed();
    }

    fn changed(&self) {
        self.epoch.store(self.epoch.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Changes whenever [`Self::waiting`] may have changed or progress was made on it.
    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Relaxed)
    }

    /// What the connection waits for. When every response under way has handed over a piece that nobody has taken, it is
    /// the reader: an HTTP/2 client can stop taking by its windows alone, while the socket stays writable.
    pub(crate) fn waiting(&self) -> Waiting {
        let in_flight = self.in_flight.load(Relaxed);
        let all_stalled = in_flight != 0 && self.stalled.load(Relaxed) >= in_flight;
        if self.write_blocked.load(Relaxed) != 0 || all_stalled {
            Waiting::Reader
        } else if in_flight != 0 {
            Waiting::Answer
        } else if self.reading_head.load(Relaxed) != 0 {
            Waiting::Head
        } else {
            Waiting::Request
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_waits_for_one_thing_after_the_other() {
        let activity = Activity::default();
        assert_eq!(activity.waiting(), Waiting::Request);
        activity.read();
        assert_eq!(activity.waiting(), Waiting::Head);
        let epoch = activity.epoch();
        activity.read();
        assert_eq!(activity.epoch(), epoch, "more bytes of a head don't give it more time");
        activity.request_began();
        assert_eq!(activity.waiting(), Waiting::Answer);
        activity.wrote(false);
        assert_eq!(activity.waiting(), Waiting::Reader);
        activity.wrote(true);
        activity.response_ended();
        assert_eq!(activity.waiting(), Waiting::Request);
    }

    #[test]
    fn a_reader_can_stall_without_blocking_the_socket() {
        let activity = Activity::default();
        activity.request_began();
        activity.request_began();
        activity.handed_over();
        assert_eq!(activity.waiting(), Waiting::Answer, "the other is still being answered");
        activity.handed_over();
        assert_eq!(activity.waiting(), Waiting::Reader);
        activity.asked_again();
        assert_eq!(activity.waiting(), Waiting::Answer);
    }

    #[test]
    fn the_rest_of_an_answered_upload_is_no_head() {
        let activity = Activity::default();
        activity.upload_began();
        activity.request_began();
        activity.response_ended();
        activity.read();
        assert_eq!(activity.waiting(), Waiting::Request);
        activity.upload_ended();
        activity.read();
        assert_eq!(activity.waiting(), Waiting::Head);
    }
}
