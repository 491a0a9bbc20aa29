//! Why a token is not believed: one exact reason for the log, and how much of it the client may hear.

/// The exact reason. It goes to the log; what the client hears is decided by [`Reject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `Authorization: Bearer` is not followed by exactly one word.
    Credentials,
    /// Longer than [`TOKEN_BYTES_MAX`](super::token::TOKEN_BYTES_MAX).
    TooLarge,
    /// Not three segments of canonical base64url.
    Segments,
    /// The header is not one JSON object with distinct members, or a member has the wrong type.
    Header,
    /// `alg` is `none` or unknown.
    AlgorithmUnknown,
    /// `alg` is not the one that the key is bound to.
    AlgorithmMismatch,
    /// `crit`, `b64` or `zip`: extensions that change the meaning of the token.
    Extension,
    /// `jwk`: a key that the token brings along.
    EmbeddedKey,
    /// `cty` says that the payload is a token itself.
    Nested,
    /// `typ` is not one that the issuer writes.
    Type,
    /// No key of this `kid`.
    KeyUnknown,
    /// No `kid`, and more than one key could be meant.
    KeyAmbiguous,
    /// The issuer's keys were never loaded, or are too old.
    KeysUnavailable,
    /// The payload is not a JSON object.
    Claims,
    /// A claim is there twice.
    ClaimTwice,
    /// A registered claim has the wrong type.
    ClaimType,
    /// `iss` is missing or not one of this route's.
    Issuer,
    /// `aud` is missing or names somebody else.
    Audience,
    /// `exp` is missing.
    ExpiryMissing,
    /// The subject claim is missing.
    SubjectMissing,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come.
    NotYetValid,
    /// `iat` is in the future.
    IssuedInFuture,
    /// It lives longer than the issuer's tokens may.
    LifetimeTooLong,
    /// A claim that must have a certain value has not (a refresh token used as an access token).
    WrongKind,
    /// The signature is wrong.
    Signature,
    /// It is good, and was revoked.
    Revoked,
}

impl Reason {
    /// The reason as a stable word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials_malformed",
            Self::TooLarge => "token_too_large",
            Self::Segments => "segments_malformed",
            Self::Header => "header_malformed",
            Self::AlgorithmUnknown => "algorithm_unknown",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::Extension => "header_extension",
            Self::EmbeddedKey => "header_embeds_key",
            Self::Nested => "token_nested",
            Self::Type => "type_not_accepted",
            Self::KeyUnknown => "key_unknown",
            Self::KeyAmbiguous => "key_ambiguous",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Claims => "claims_malformed",
            Self::ClaimTwice => "claim_twice",
            Self::ClaimType => "claim_type",
            Self::Issuer => "issuer_mismatch",
            Self::Audience => "audience_mismatch",
            Self::ExpiryMissing => "exp_missing",
            Self::SubjectMissing => "subject_missing",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuedInFuture => "issued_in_future",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::WrongKind => "token_wrong_kind",
            Self::Signature => "signature_wrong",
            Self::Revoked => "token_revoked",
        }
    }
}

/// A token that is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// Whether the signature was found good before. Only then does the client hear the reason: whoever sends
    /// garbage learns nothing about keys and rules.
    pub genuine: bool,
}

impl Reject {
    /// Whether nobody honest sends it, as far as can be known: it is charged to the client. A genuine token that has
    /// expired or came to the wrong place is not, nor one that can't be judged.
    pub(crate) fn is_garbage(self) -> bool {
        !self.genuine && self.reason != Reason::KeysUnavailable
    }
}

impl From<Reason> for Reject {
    fn from(reason: Reason) -> Self {
        Self { reason, genuine: false }
    }
}
