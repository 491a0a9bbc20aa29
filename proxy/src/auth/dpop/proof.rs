//! Reading a proof (RFC 9449 section 4.3): a pure function of its bytes, of what it must be about, and of the time.
//!
//! The strict reading of tokens serves proofs too. Cheap checks come first, and the key is compared with the token's
//! before its signature is checked, so that only the holder of a good token makes the edge compute.

use super::fault::{BindingFault, DpopFault, ProofFault};
use super::key::{self, ProofKey};
use super::target::HttpTarget;
use crate::auth::algorithm::{self, Family};
use crate::auth::claims::Claims;
use crate::auth::token::{CompactJws, Header};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Seconds for which a proof counts.
pub(super) const AGE_SECONDS_MAX: u64 = 60;

/// Seconds by which a client's clock may be ahead.
pub(super) const AHEAD_SECONDS_MAX: u64 = 30;

/// The longest `jti`, in bytes.
pub(super) const ID_BYTES_MAX: usize = 256;

/// What a proof must be about.
#[derive(Debug)]
pub(super) struct Expected<'r> {
    /// The request's method.
    pub(super) method: &'r str,
    /// The request's address; `None` when it has none that could be compared.
    pub(super) target: Option<HttpTarget>,
    /// The access token, as it stands in the request.
    pub(super) token: &'r [u8],
    /// The thumbprint of the key that the token is bound to.
    pub(super) thumbprint: &'r str,
}

/// A proof that fits the request; its nonce, its signature and whether it was used are still to be checked.
#[derive(Debug)]
pub(super) struct Proof<'p> {
    jws: CompactJws<'p>,
    key: ProofKey,
    /// `jti`.
    pub(super) id: String,
    /// `iat`, in seconds since 1970.
    pub(super) issued_at: u64,
    /// `nonce`.
    pub(super) nonce: Option<String>,
}

impl<'p> Proof<'p> {
    /// Reads a proof. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(super) fn read(bytes: &'p [u8], expected: &Expected<'_>, now: u64) -> Result<Self, DpopFault> {
        let (jws, key, claims) = parse(bytes)?;
        if key.thumbprint != expected.thumbprint {
            return Err(BindingFault::Key.into());
        }
        let text = |name, fault| claims.text(name).ok().flatten().ok_or(fault);
        let id = text("jti", ProofFault::Id)?;
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(ProofFault::Id.into());
        }
        if text("htm", ProofFault::Method)? != expected.method {
            return Err(ProofFault::Method.into());
        }
        let target = HttpTarget::parse(text("htu", ProofFault::Target)?);
        if target.is_none() || target != expected.target {
            return Err(ProofFault::Target.into());
        }
        let issued_at = claims.date("iat").ok().flatten().ok_or(ProofFault::Time)?;
        let too_old = issued_at.saturating_add(AGE_SECONDS_MAX) < now;
        if too_old || issued_at > now.saturating_add(AHEAD_SECONDS_MAX) {
            return Err(ProofFault::Time.into());
        }
        if text("ath", ProofFault::TokenHash)? != URL_SAFE_NO_PAD.encode(digest(&SHA256, expected.token)) {
            return Err(ProofFault::TokenHash.into());
        }
        let nonce = claims.text("nonce").map_err(|_| ProofFault::NonceType)?.map(str::to_owned);
        Ok(Self { id: id.to_owned(), jws, key, issued_at, nonce })
    }

    /// Whether the key that it brings has signed it.
    pub(super) fn check_signature(&self) -> Result<(), ProofFault> {
        if self.key.record.verify(&self.jws) { Ok(()) } else { Err(ProofFault::Signature) }
    }
}

/// All that does not depend on the request.
fn parse(bytes: &[u8]) -> Result<(CompactJws<'_>, ProofKey, Claims), ProofFault> {
    let jws = CompactJws::parse(bytes)?;
    let header = Header::parse_with_key(&jws.header)?;
    if header.typ.as_deref() != Some("dpop+jwt") {
        return Err(ProofFault::Type);
    }
    if matches!(algorithm::family(header.algorithm), Family::Hmac { .. }) {
        return Err(ProofFault::Algorithm);
    }
    let key = key::read(&jws.header, header.algorithm)?;
    let claims = Claims::parse(&jws.payload)?;
    Ok((jws, key, claims))
}

/// For the fuzzer: never panics.
pub(in crate::auth) fn fuzz(bytes: &[u8]) {
    if let Ok((jws, key, claims)) = parse(bytes) {
        // The results do not matter: only that every path ends.
        let _ = (key.record.verify(&jws), claims.text("htu").ok().flatten().map(HttpTarget::parse));
    }
    let _ = str::from_utf8(bytes).map(HttpTarget::parse);
}
