//! The link: the control stream from the application to the edge. Readiness, keys, revocations.
//!
//! `GET` [`PATH`] answers server-sent events (WHATWG HTML section 9.2). The edge proves itself with a compact JWS of
//! type [`REQUEST_TYPE`] over the shared key in `Authorization: Bearer`, the application with [`PROOF`]: the MAC of
//! the request's `jti` under the same key. `docs/link.md` is this file in words, for any language.

use http::HeaderName;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Where an application answers. Below [`PREFIX`] no edge lets a client through.
pub const PATH: &str = "/.well-known/portcullis/link";
/// What is between application and edge only.
pub const PREFIX: [&str; 2] = [".well-known", "portcullis"];
/// The `typ` of the edge's request, so that no assertion is taken for one (RFC 8725 section 3.11).
pub const REQUEST_TYPE: &str = "edge-link+jwt";
/// How long the edge's request counts, in seconds.
pub const REQUEST_LIFETIME_SECONDS: u64 = 30;
/// The application's proof that it holds the key too: base64url of HMAC-SHA-256 over [`proof_text`].
pub static PROOF: HeaderName = HeaderName::from_static("x-link-proof");
/// How often a quiet application says that it lives, in milliseconds.
pub const HEARTBEAT_MS: u64 = 2000;
/// After this much silence the edge no longer believes that it knows all revocations, in milliseconds.
pub const STALE_MS: u64 = 10_000;
/// The longest id of an event, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// The most entries of one `revocations` event.
pub const ENTRIES_MAX: usize = 1000;
/// The longest value of a revocation, in bytes.
pub const VALUE_BYTES_MAX: usize = 512;

/// The claims of the edge's request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The name of the upstream.
    pub aud: String,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// When it stops counting, in seconds since 1970.
    pub exp: u64,
    /// Random, used once.
    pub jti: String,
}

/// What the application's proof is the MAC of. No JWS begins so, which keeps the two uses of the key apart.
#[must_use]
pub fn proof_text(jti: &str) -> String {
    format!("portcullis-link-answer.{jti}")
}

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
    /// The value of the claim, letter for letter.
    pub value: String,
    /// For [`RevocationKind::SubjectBefore`]: tokens issued before this second since 1970 are revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// When the entry may be forgotten, in seconds since 1970.
    pub until: u64,
}

impl Revocation {
    /// Whether it says what its kind needs, and no more than an edge keeps.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let needs_before = self.kind == RevocationKind::SubjectBefore;
        !self.value.is_empty() && self.value.len() <= VALUE_BYTES_MAX && self.before.is_some() == needs_before
    }
}

/// The first event: what the application can take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The application's build, for the log.
    #[serde(default)]
    pub build: String,
    /// After how many milliseconds the application closes an idle connection. The edge closes earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
    /// How many requests it takes at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_max: Option<u64>,
}

/// One more revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// What is revoked.
    #[serde(flatten)]
    pub revocation: Revocation,
    /// The id of the event with an id before this one. Another one than the edge saw last is a gap. Left out by
    /// applications that can't lose events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When it was decided, in milliseconds since 1970, for the measure of how long edges take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// A part of all revocations in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The entries, [`ENTRIES_MAX`] at most.
    pub entries: Vec<Revocation>,
    /// Whether another part follows. The snapshot is complete with the part that says no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One event of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Who answers.
    Hello(Hello),
    /// The application's public keys, a JWK set (RFC 7517 section 5), as text.
    Keys(String),
    /// One more revocation.
    Revoke(Revoke),
    /// Revocations in force.
    Revocations(Part),
    /// The application takes requests.
    Ready,
    /// The application finishes what it has and takes nothing new.
    Draining,
    /// Nothing new; the stream lives.
    Heartbeat,
}

impl Event {
    /// Writes the event as it goes on the stream.
    #[must_use]
    pub fn encode(&self, id: Option<&str>) -> String {
        // Texts and numbers always serialise.
        let (name, data) = match self {
            Self::Hello(hello) => ("hello", serde_json::to_string(hello).unwrap_or_default()),
            Self::Keys(jwks) => ("keys", jwks.clone()),
            Self::Revoke(revoke) => ("revoke", serde_json::to_string(revoke).unwrap_or_default()),
            Self::Revocations(part) => ("revocations", serde_json::to_string(part).unwrap_or_default()),
            Self::Ready => ("ready", "{}".to_owned()),
            Self::Draining => ("draining", "{}".to_owned()),
            Self::Heartbeat => ("heartbeat", "{}".to_owned()),
        };
        let mut text = format!("event: {name}\ndata: {data}\n");
        if let Some(id) = id {
            // Writing to a string can't fail.
            let _ = writeln!(text, "id: {id}");
        }
        text.push('\n');
        text
    }

    /// Reads an event; `None` for a name of a later version, which is skipped.
    ///
    /// # Errors
    /// The data is not what the name promises.
    pub fn parse(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            "hello" => Self::Hello(serde_json::from_str(data)?),
            "keys" => Self::Keys(data.to_owned()),
            "revoke" => Self::Revoke(serde_json::from_str(data)?),
            "revocations" => Self::Revocations(serde_json::from_str(data)?),
            "ready" => Self::Ready,
            "draining" => Self::Draining,
            "heartbeat" => Self::Heartbeat,
            _ => return Ok(None),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_back() {
        let revocation =
            Revocation { kind: RevocationKind::SubjectBefore, value: "a\"\n".into(), before: Some(1), until: 2 };
        let revoke = Revoke { revocation: revocation.clone(), previous: Some("1-a".into()), at_ms: Some(3) };
        for event in [
            Event::Hello(Hello { build: "x".into(), idle_timeout_ms: Some(1), in_flight_max: None }),
            Event::Keys("{\"keys\":[]}".into()),
            Event::Revoke(revoke),
            Event::Revocations(Part { entries: vec![revocation], more: true }),
            Event::Ready,
            Event::Draining,
            Event::Heartbeat,
        ] {
            let text = event.encode(Some("7-x"));
            let lines: Vec<_> = text.lines().collect();
            let field = |n: usize, name: &str| lines[n].strip_prefix(name).expect("the field").to_owned();
            let (name, data) = (field(0, "event: "), field(1, "data: "));
            assert_eq!((lines.len(), lines[2]), (4, "id: 7-x"), "{text}");
            assert_eq!(Event::parse(&name, &data).expect("sound"), Some(event));
        }
        assert_eq!(Event::parse("of-tomorrow", "?").expect("skipped"), None);
        assert!(Event::parse("revoke", "{\"kind\":\"jti\"}").is_err());
    }

    #[test]
    fn a_revocation_says_what_its_kind_needs() {
        let of = |kind, value: &str, before| Revocation { kind, value: value.into(), before, until: 1 }.is_sound();
        assert!(of(RevocationKind::Jti, "x", None) && of(RevocationKind::SubjectBefore, "x", Some(1)));
        assert!(!of(RevocationKind::Jti, "x", Some(1)) && !of(RevocationKind::SubjectBefore, "x", None));
        assert!(!of(RevocationKind::Kid, "", None) && !of(RevocationKind::Kid, &"x".repeat(513), None));
    }
}
