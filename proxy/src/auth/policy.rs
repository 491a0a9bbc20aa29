//! What one issuer's tokens must say.

use super::claims::Claims;
use super::reject::Reason;
use super::revocations::Revocations;
use crate::config::{Algorithm, Issuer, RequiredClaim};
use serde_json::Value;
use std::sync::Arc;

/// An issuer's rules, prepared.
#[derive(Debug)]
pub(crate) struct Policy {
    /// What an identity names as its issuer.
    pub(crate) issuer: String,
    /// The exact `iss`; `None`: any.
    pub(crate) iss: Option<String>,
    algorithms: Vec<Algorithm>,
    types: Vec<String>,
    audiences: Vec<String>,
    leeway_seconds: u64,
    lifetime_seconds_max: u64,
    require: Vec<RequiredClaim>,
    /// The claim that names the user.
    pub(crate) subject_claim: String,
    must: Vec<(String, Value)>,
    /// Which of its tokens are revoked.
    pub(crate) revocations: Arc<Revocations>,
}

/// The time during which a token counts, in seconds since 1970, leeway not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// `nbf`, or 0.
    pub(crate) not_before: u64,
    /// `exp`, or what stands for it.
    pub(crate) expires_at: u64,
    /// `iat`.
    pub(crate) issued_at: Option<u64>,
    /// How much clock difference is forgiven.
    pub(crate) leeway_seconds: u64,
}

impl Validity {
    /// # Errors
    /// [`Reason::Expired`] or [`Reason::NotYetValid`].
    pub(crate) fn check(&self, now: u64) -> Result<(), Reason> {
        if now >= self.expires_at.saturating_add(self.leeway_seconds) {
            return Err(Reason::Expired);
        }
        if self.not_before > now.saturating_add(self.leeway_seconds) {
            return Err(Reason::NotYetValid);
        }
        Ok(())
    }
}

/// Claims that passed.
#[derive(Debug)]
pub(crate) struct Checked {
    /// When the token counts.
    pub(crate) validity: Validity,
    /// The user; empty where the issuer need not name one.
    pub(crate) subject: String,
    /// A fault that honest clients make as well: an expired token, or a refresh token in the wrong place. They
    /// deserve to hear which it was, so the signature is checked before they are told.
    pub(crate) fault: Option<Reason>,
}

impl Policy {
    /// Prepares an issuer's rules.
    #[must_use]
    pub(crate) fn new(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.iss.clone().unwrap_or_else(|| issuer.name.clone()),
            iss: issuer.iss.clone(),
            algorithms: issuer.algorithms.clone(),
            types: issuer.types.iter().map(|typ| typ.to_ascii_lowercase()).collect(),
            audiences: issuer.audiences.clone(),
            leeway_seconds: issuer.leeway.as_secs(),
            lifetime_seconds_max: issuer.lifetime_max.as_secs(),
            require: issuer.require.clone(),
            subject_claim: issuer.subject_claim.clone(),
            must: issuer.must.clone().into_iter().collect(),
            revocations: Arc::default(),
        }
    }

    /// Whether any of this issuer's keys may be used with this algorithm.
    pub(crate) fn accepts_algorithm(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// Whether tokens of this `typ` (lower-case) are this issuer's.
    pub(crate) fn accepts_type(&self, typ: Option<&str>) -> bool {
        typ.is_none_or(|typ| self.types.iter().any(|accepted| accepted == typ))
    }

    /// Whether `iss` is exactly this issuer's, so that no other has signed the token.
    pub(crate) fn is_named(&self, iss: Option<&str>) -> bool {
        iss.is_some() && self.iss.as_deref() == iss
    }

    /// Whether a token with this `iss` may be this issuer's.
    pub(crate) fn accepts_issuer(&self, iss: Option<&str>) -> bool {
        match (iss, &self.iss) {
            (Some(found), Some(wanted)) => found == wanted,
            (None, _) => !self.requires(RequiredClaim::Iss),
            (Some(_), None) => true,
        }
    }

    /// Checks the claims in the order of their cost. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first reason found.
    pub(crate) fn check(&self, claims: &Claims, now: u64) -> Result<Checked, Reason> {
        if !self.accepts_issuer(claims.text("iss")?) {
            return Err(Reason::Issuer);
        }
        self.check_audience(claims)?;
        let validity = self.validity(claims, now)?;
        let late = match validity.check(now) {
            Err(Reason::Expired) => Some(Reason::Expired),
            result => result.map(|()| None)?,
        };
        if validity.issued_at.is_some_and(|issued_at| issued_at > now.saturating_add(self.leeway_seconds)) {
            return Err(Reason::IssuedInFuture);
        }
        let subject = claims.subject(&self.subject_claim)?;
        if subject.is_none() && self.requires(RequiredClaim::Sub) {
            return Err(Reason::SubjectMissing);
        }
        // Not decided on here, but revocations will be: a name of the wrong type must not slip past them.
        claims.text("jti")?;
        claims.text("sid")?;
        let wrong_kind = self.must.iter().any(|(name, value)| claims.get(name) != Some(value));
        Ok(Checked {
            validity,
            subject: subject.unwrap_or_default(),
            fault: if wrong_kind { Some(Reason::WrongKind) } else { late },
        })
    }

    fn requires(&self, claim: RequiredClaim) -> bool {
        self.require.contains(&claim)
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), Reason> {
        match claims.audiences()? {
            None if self.requires(RequiredClaim::Aud) => Err(Reason::Audience),
            None => Ok(()),
            Some(_) if self.audiences.is_empty() => Ok(()),
            Some(found) if found.iter().any(|found| self.audiences.iter().any(|ours| ours == found)) => Ok(()),
            Some(_) => Err(Reason::Audience),
        }
    }

    /// A token without `exp` (where the issuer may leave it out) counts for the longest lifetime since `iat`, or
    /// since now.
    fn validity(&self, claims: &Claims, now: u64) -> Result<Validity, Reason> {
        let (exp, nbf, issued_at) = (claims.date("exp")?, claims.date("nbf")?, claims.date("iat")?);
        let expires_at = match exp {
            Some(exp) => exp,
            None if self.requires(RequiredClaim::Exp) => return Err(Reason::ExpiryMissing),
            None => issued_at.unwrap_or(now).saturating_add(self.lifetime_seconds_max),
        };
        // Without `iat` it can't have been issued later than now.
        let born = issued_at.unwrap_or(now.saturating_add(self.leeway_seconds));
        if expires_at.saturating_sub(born) > self.lifetime_seconds_max {
            return Err(Reason::LifetimeTooLong);
        }
        Ok(Validity { not_before: nbf.unwrap_or(0), expires_at, issued_at, leeway_seconds: self.leeway_seconds })
    }
}
