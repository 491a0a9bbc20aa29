//! The events of the control stream from the application to the edge: readiness, keys, revocations.
//!
//! Only the vocabulary stands here yet, so that both sides name the same things; the stream itself is carried by
//! server-sent events on `GET /.well-known/portcullis/link`.

use serde::{Deserialize, Serialize};

/// What a revocation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Jti,
    /// Every token of one session, by `sid`.
    Session,
    /// Every token of a subject that was issued before a moment.
    SubjectBefore,
    /// Every token signed by one key, by `kid`.
    Kid,
}

/// One revocation. Kept until `until` and forgotten then: every token it could match has expired by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What `value` names.
    pub kind: RevocationKind,
    /// The id that is revoked.
    pub value: String,
    /// For [`RevocationKind::SubjectBefore`]: tokens issued before this second since 1970 are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// When the entry may be forgotten, in seconds since 1970.
    pub until: u64,
}

/// One event of the control stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first event: what the application can take.
    Hello {
        /// The application's build, for the log.
        build: String,
        /// After how many milliseconds the application closes an idle connection.
        idle_timeout_ms: u64,
        /// How many requests it takes at once.
        in_flight_max: u64,
    },
    /// The application's public keys, a JWK set (RFC 7517 section 5).
    Keys {
        /// The set.
        jwks: serde_json::Value,
    },
    /// One more revocation.
    Revoke(Revocation),
    /// Every revocation in force: replaces what the edge holds.
    Revocations {
        /// The entries.
        entries: Vec<Revocation>,
    },
    /// The application takes requests.
    Ready,
    /// The application finishes what it has and takes nothing new.
    Draining,
    /// Nothing new; the stream lives.
    Heartbeat,
}
