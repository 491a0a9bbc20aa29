//! What the connections of one worker count. Whoever shows the numbers reads them from another thread and adds up the
//! workers.
//!
//! The names of reasons stand here, beside what they count, because they are shown as they are: in metrics, and in the
//! page that explains these.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows, written by one thread and read by any.
///
/// An increment is a relaxed load and a relaxed store, which cost as much as on a plain integer. Two writers would lose
/// counts, so each worker has counters of its own.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`; wraps after 2^64.
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Makes an enum of reasons with their names and texts, and the counters of all of them.
macro_rules! reasons {
    (
        $(#[doc = $about:literal])*
        $reason:ident, $counters:ident => { $($(#[doc = $doc:literal])+ $variant:ident = $label:literal,)+ }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $reason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $reason {
            /// All of them, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As metrics name it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }

            /// What it means, as in the source.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc,)+),)+
                }
            }
        }

        /// One counter a reason.
        #[derive(Debug, Default)]
        struct $counters([Counter; [$($label,)+].len()]);

        impl $counters {
            fn of(&self, reason: $reason) -> &Counter {
                &self.0[reason as usize]
            }
        }
    };
}

reasons! {
    /// Why a connection was closed before its first request.
    Refusal, Refusals => {
        /// The client has `server.connections_per_client_max` connections open.
        PerClient = "per_client",
        /// The server's memory runs out.
        Overload = "overload",
        /// The PROXY protocol is required, and the peer may not speak it.
        ProxyPeer = "proxy_protocol_peer",
        /// The PROXY protocol header was malformed, cut short or too large.
        ProxyHeader = "proxy_protocol_header",
        /// The PROXY protocol header did not come in time.
        ProxyTimeout = "proxy_protocol_timeout",
        /// The TLS handshake failed.
        Handshake = "tls_handshake",
        /// The TLS handshake did not end in time.
        HandshakeTimeout = "tls_handshake_timeout",
    }
}

reasons! {
    /// What a connection did to its server that the server put an end to.
    Protection, Protections => {
        /// HTTP/2 streams opened and reset at once, again and again (CVE-2023-44487).
        RapidReset = "rapid_reset",
        /// HTTP/2 streams that the client had the server reset, again and again (CVE-2025-8671).
        InducedReset = "induced_reset",
        /// Too many HTTP/2 frames that each demand an answer: PING, SETTINGS (CVE-2019-9512, CVE-2019-9515).
        ControlFrames = "control_frames",
        /// Too many HTTP/2 CONTINUATION frames of one field block.
        Continuation = "continuation",
        /// Too many HTTP/2 frames that carry nothing (CVE-2019-9518).
        EmptyFrames = "empty_frames",
        /// A head with more bytes or fields than the listener allows.
        HeaderList = "header_list",
        /// HTTP/2 windows kept shut, so that answers stayed in the server (CVE-2019-9511, CVE-2019-9517).
        WindowStall = "window_stall",
        /// The head of a request that did not end in time.
        SlowHead = "slow_head",
        /// A client that did not take its answer in time.
        SlowReader = "slow_reader",
        /// Bytes that are no HTTP, or frames that HTTP/2 does not allow there.
        Malformed = "malformed",
    }
}

/// The counters of one worker's connections.
#[derive(Debug, Default)]
pub struct ConnectionCounters {
    /// Connections taken from the kernel, whatever became of them.
    pub accepted: Counter,
    /// Of these, the ones that have ended.
    pub closed: Counter,
    /// Of these, the ones that had to wait for another to end, because all slots were taken.
    pub waited: Counter,
    /// Bytes read from clients; under TLS without its framing.
    pub received_bytes: Counter,
    /// Bytes written to clients; under TLS without its framing.
    pub sent_bytes: Counter,
    /// HTTP/2 streams that were refused unprocessed, because their handler takes no requests now.
    pub refused_streams: Counter,
    refusals: Refusals,
    protections: Protections,
}

impl ConnectionCounters {
    /// Counts a connection that was closed before its first request.
    pub fn refuse(&self, reason: Refusal) {
        self.refusals.of(reason).increment();
    }

    /// How many were refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Refusal) -> u64 {
        self.refusals.of(reason).get()
    }

    /// Counts one act of protection.
    pub fn note(&self, reason: Protection) {
        self.protections.of(reason).increment();
    }

    /// How many acts of protection had this reason.
    #[must_use]
    pub fn noted(&self, reason: Protection) -> u64 {
        self.protections.of(reason).get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter_name_and_text() {
        let counters = ConnectionCounters::default();
        for (index, &reason) in Protection::ALL.iter().enumerate() {
            (0..=index).for_each(|_| counters.note(reason));
        }
        for (index, &reason) in Protection::ALL.iter().enumerate() {
            assert_eq!(counters.noted(reason), index as u64 + 1, "{reason:?}");
        }
        counters.refuse(Refusal::Handshake);
        let refused: Vec<u64> = Refusal::ALL.iter().map(|&reason| counters.refused(reason)).collect();
        assert_eq!(refused.iter().sum::<u64>(), 1);
        let labels = Protection::ALL.iter().map(|reason| reason.label()).chain(Refusal::ALL.iter().map(|r| r.label()));
        let labels: Vec<_> = labels.collect();
        for (index, label) in labels.iter().enumerate() {
            assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{label}");
            assert!(!labels[..index].contains(label), "{label} twice");
        }
        assert!(Protection::SlowHead.doc().ends_with("in time."));
    }
}
