//! The auth rule of a route: the only place where a [`Permit`] comes from.

use super::assertion::AssertionSigner;
use super::budget::BadTokens;
use super::cache::{TokenCache, TokenDigest};
use super::credentials::{self, CredentialsProblem, Found, Scheme};
use super::dpop::{DPOP, DpopRule, Proofs};
use super::issuers::{Issuer, Issuers};
use super::jwks::demand::{Outcome, WAIT_MAX};
use super::keys::KeySet;
use super::permit::Permit;
use super::presented::Presented;
use super::refusal::{Cause, CsrfProblem, Refusal};
use super::reject::{Reason, Reject};
use super::revocations::Known;
use super::rule::ClaimCheck;
use super::same_origin;
use super::token::TOKEN_BYTES_MAX;
use super::verified::Verified;
use super::verify::{Candidate, Rejected, verify};
use crate::config::{AuthMode, CsrfProof, ErrorShape, Revocation, RouteAuth, TokenSource, WebOrigin};
use http::HeaderMap;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Most routes believe one issuer, few more than two.
const ISSUERS_INLINE: usize = 2;

/// Why a route's auth rule can't be built. The configuration's own checks find these first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// An issuer that is not configured.
    #[error("there is no issuer {0:?}")]
    UnknownIssuer(String),
    /// Tokens are looked at, but nobody is believed.
    #[error("a route that looks at tokens needs an issuer")]
    NoIssuer,
    /// A path that is no JSON pointer.
    #[error("{0:?} is not a JSON pointer to a claim; it starts with \"/\"")]
    Pointer(String),
}

/// Who may use a route, prepared.
#[derive(Debug)]
pub struct RouteRule {
    mode: AuthMode,
    issuers: Box<[Arc<Issuer>]>,
    audiences: Vec<String>,
    claims: Vec<ClaimCheck>,
    sources: Vec<TokenSource>,
    revocation: Revocation,
    forward_token: bool,
    shape: ErrorShape,
    realm: String,
    bad_tokens: Option<Arc<BadTokens>>,
    allowed_origins: Vec<WebOrigin>,
    csrf: CsrfProof,
    /// Who checks double-submit tokens; `None`: nobody can, and none is good.
    csrf_signer: Option<Arc<AssertionSigner>>,
    dpop: DpopRule,
}

impl RouteRule {
    /// Prepares the rule of a route.
    ///
    /// # Errors
    /// [`RuleError`] when it names what does not exist.
    pub fn new(auth: &RouteAuth, issuers: &Issuers) -> Result<Self, RuleError> {
        let RouteAuth {
            mode,
            issuers: names,
            audiences,
            claims,
            token_from,
            revocation,
            forward_token,
            csrf,
            allowed_origins,
            dpop,
            dpop_nonce,
        } = auth;
        let believed: Box<[_]> = names
            .iter()
            .map(|name| issuers.get(name).cloned().ok_or_else(|| RuleError::UnknownIssuer(name.clone())))
            .collect::<Result<_, _>>()?;
        if *mode != AuthMode::Public && believed.is_empty() {
            return Err(RuleError::NoIssuer);
        }
        let claims = claims
            .iter()
            .map(|rule| ClaimCheck::new(rule).ok_or_else(|| RuleError::Pointer(rule.path.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            mode: *mode,
            shape: believed.first().map_or(ErrorShape::Problem, |issuer| issuer.errors()),
            realm: believed.first().map_or_else(String::new, |issuer| issuer.realm().to_owned()),
            issuers: believed,
            audiences: audiences.clone(),
            claims,
            sources: token_from.clone(),
            revocation: *revocation,
            forward_token: *forward_token,
            bad_tokens: None,
            allowed_origins: allowed_origins.clone(),
            csrf: *csrf,
            csrf_signer: None,
            dpop: DpopRule::new(*dpop, *dpop_nonce),
        })
    }

    /// With a budget of bad tokens, which all routes share.
    #[must_use]
    pub fn within(self, bad_tokens: Option<Arc<BadTokens>>) -> Self {
        Self { bad_tokens, ..self }
    }

    /// With the key of the route's upstream, which made the double-submit tokens.
    #[must_use]
    pub fn with_csrf_of(self, csrf_signer: Option<Arc<AssertionSigner>>) -> Self {
        Self { csrf_signer, ..self }
    }

    /// With what all routes know of DPoP proofs.
    #[must_use]
    pub fn remembering(self, proofs: &Arc<Proofs>) -> Self {
        Self { dpop: self.dpop.with(proofs), ..self }
    }

    /// Whether everyone is let in, and nobody is asked who they are.
    pub fn is_public(&self) -> bool {
        self.mode == AuthMode::Public
    }

    /// The permit that everyone has where nobody is asked who they are; needs no clock.
    pub fn grant_everyone(&self) -> Option<Permit> {
        self.is_public().then(|| Permit::grant(None))
    }

    /// Decides about a request. Waits only for keys that are being fetched; a token seen before, or one that the keys
    /// at hand decide on, is answered without waiting.
    ///
    /// # Errors
    /// [`Refusal`], to be answered as it is.
    pub async fn authorize(
        &self,
        request: Presented<'_>,
        cache: &TokenCache,
        now: SystemTime,
    ) -> Result<Permit, Refusal> {
        if let Some(permit) = self.grant_everyone() {
            return Ok(permit);
        }
        let moment = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let found = credentials::find(&self.sources, request.headers, request.query)
            .map(|found| found.filter(|found| self.dpop.knows(found.scheme)));
        let scheme = found.map_or(Scheme::None, |found| found.map_or(Scheme::None, |found| found.scheme));
        let decided = self.judge(&request, found, cache, moment).await;
        decided.map_err(|refusal| refusal.challenging(self.dpop.challenge(scheme, moment.as_secs())))
    }

    /// `moment` is since 1970.
    async fn judge(
        &self,
        request: &Presented<'_>,
        found: Result<Option<Found<'_>>, CredentialsProblem>,
        cache: &TokenCache,
        moment: Duration,
    ) -> Result<Permit, Refusal> {
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) if self.mode == AuthMode::Optional => return Ok(Permit::grant(None)),
            Ok(None) => return Err(self.refuse(Cause::Missing)),
            Err(CredentialsProblem::Several) => return Err(self.refuse(Cause::Several)),
            Err(CredentialsProblem::Malformed) => return Err(self.refuse(Cause::Token(Reason::Credentials.into()))),
        };
        let (now, token) = (moment.as_secs(), found.token);
        if found.from_cookie && !same_origin::is_trusted(request, &self.allowed_origins) {
            return Err(self.refuse(Cause::CrossOrigin));
        }
        if token.len() > TOKEN_BYTES_MAX {
            return Err(self.refuse(Cause::Token(Reason::TooLarge.into())));
        }
        // A token that was verified before is spelled as it was then, so the cheap checks need not run again.
        let digest = TokenDigest::of(token);
        let current = |generation| self.issuers.iter().any(|issuer| issuer.is_current(generation));
        if let Some(verified) = cache.get(&digest, current) {
            if let Err(reason) = verified.check_time(now) {
                cache.remove(&digest);
                return Err(self.refuse(Cause::Token(Reject { reason, genuine: true })));
            }
            return self.decide(request, &found, verified, now);
        }
        let budget = self.bad_tokens.as_deref().zip(request.client);
        if let Some(Err(spent)) = budget.map(|(budget, client)| budget.check(client, moment)) {
            return Err(self.refuse(Cause::Spent(spent)));
        }
        // Boxed: beside a verification the memory costs nothing, and the future of every request has no room for it.
        let verified = Box::pin(self.verify_or_wait(token, now)).await;
        if let (Err(reject), Some((budget, client))) = (&verified, budget)
            && reject.is_garbage()
        {
            budget.charge(client, moment);
        }
        let (generation, verified) = verified.map_err(|reject| self.refuse(Cause::Token(reject)))?;
        let verified = Arc::new(verified);
        cache.put(digest, generation, &verified);
        self.decide(request, &found, verified, now)
    }

    /// Verifies with the keys at hand, and where a key is missing with those that a fetch brings.
    async fn verify_or_wait(&self, token: &[u8], now: u64) -> Result<(u64, Verified), Reject> {
        match self.verify(token, now) {
            Err(Rejected {
                reject: Reject { reason: Reason::KeyUnknown | Reason::KeysUnavailable, .. },
                candidate: Some(_),
            }) => Box::pin(self.verify_with_newer_keys(token, now)).await,
            result => result,
        }
        .map_err(|rejected| self.undecided(rejected))
    }

    /// A key that is not there may exist all the same, where the newest keys did not come.
    fn undecided(&self, Rejected { reject, candidate }: Rejected) -> Reject {
        let issuer = candidate.and_then(|index| self.issuers.get(index));
        let may_exist = || issuer.is_some_and(|issuer| issuer.may_lack_keys(std::time::Instant::now()));
        if reject.reason == Reason::KeyUnknown && may_exist() { Reason::KeysUnavailable.into() } else { reject }
    }

    /// Whether every revocation that this rule needs is known.
    ///
    /// # Errors
    /// Which upstream has not told them, for the readiness page.
    pub fn ready(&self, now: std::time::Instant, unix: u64) -> Result<(), String> {
        if self.revocation != Revocation::Require {
            return Ok(());
        }
        let linked = self.issuers.iter().filter_map(|issuer| issuer.policy.revocations.linked.as_deref());
        match { linked }.find(|linked| !linked.is_current(now, unix)) {
            Some(linked) => Err(format!("the upstream {:?} has not told its revocations yet", linked.name())),
            None => Ok(()),
        }
    }

    /// Removes the credentials that this rule has dealt with, unless the route passes them on.
    pub fn cleanse(&self, headers: &mut HeaderMap) {
        if !self.forward_token {
            credentials::remove(&self.sources, headers);
            // Without its token a proof proves nothing. Where tokens are not looked at it is the application's.
            if self.mode != AuthMode::Public {
                headers.remove(&DPOP);
            }
        }
    }

    /// The query parameter that may carry a token: to be redacted in logs and removed upstream.
    #[must_use]
    pub fn query_token_param(&self) -> Option<&str> {
        self.sources.iter().find_map(|source| match source {
            TokenSource::Query(name) => Some(name.as_str()),
            TokenSource::Header | TokenSource::Cookie(_) => None,
        })
    }

    /// The route's own rules, on a token that is good.
    fn decide(
        &self,
        request: &Presented<'_>,
        found: &Found<'_>,
        verified: Arc<Verified>,
        now: u64,
    ) -> Result<Permit, Refusal> {
        // At each use: a token may have been revoked since it was verified, and since it was used last.
        if self.revocation != Revocation::Off {
            match verified.known(std::time::Instant::now(), now) {
                Known::Good => {}
                Known::Revoked => {
                    return Err(self.refuse(Cause::Token(Reject { reason: Reason::Revoked, genuine: true })));
                }
                Known::MayBeRevoked if self.revocation == Revocation::Require => {
                    return Err(self.refuse(Cause::RevocationsUnavailable));
                }
                Known::MayBeRevoked => verified.revocations().note_stale_use(),
            }
        }
        let &Found { token, from_cookie, scheme } = found;
        let proved = self.dpop.check(request, token, scheme, &verified, now);
        let next_nonce = proved.map_err(|fault| self.refuse(Cause::Dpop(fault)))?;
        if from_cookie && self.csrf == CsrfProof::Token && same_origin::needs_token(request) {
            self.check_csrf(request.headers, &verified)?;
        }
        if !self.audiences.is_empty() && !verified.is_for(&self.audiences) {
            return Err(self.refuse(Cause::Audience));
        }
        if self.claims.iter().all(|claim| claim.holds(&verified)) {
            return Ok(Permit::grant(Some(verified)).with_next_nonce(next_nonce));
        }
        let words: Vec<_> = self.claims.iter().filter_map(ClaimCheck::scope_word).collect();
        Err(self.refuse(Cause::Insufficient { scope: words.join(" ") }))
    }

    fn check_csrf(&self, headers: &HeaderMap, verified: &Verified) -> Result<(), Refusal> {
        let Some(token) = same_origin::submitted_token(headers) else {
            return Err(self.refuse(Cause::Csrf(CsrfProblem::Missing)));
        };
        // Without a session a token would be everybody's.
        match verified.session().zip(self.csrf_signer.as_deref()) {
            Some((session, signer)) if signer.accepts_csrf(&session, token) => Ok(()),
            _ => Err(self.refuse(Cause::Csrf(CsrfProblem::Wrong))),
        }
    }

    fn verify(&self, token: &[u8], now: u64) -> Result<(u64, Verified), Rejected> {
        let keys: SmallVec<[Option<Arc<KeySet>>; ISSUERS_INLINE]> =
            self.issuers.iter().map(|issuer| issuer.keys()).collect();
        let candidates: SmallVec<[_; ISSUERS_INLINE]> = self
            .issuers
            .iter()
            .zip(&keys)
            .map(|(issuer, keys)| Candidate { policy: &issuer.policy, keys: keys.as_deref() })
            .collect();
        let (index, verified) = verify(token, &candidates, now)?;
        let generation = keys[index].as_ref().map_or(0, |keys| keys.generation());
        Ok((generation, verified))
    }

    /// Asks for the keys that a token needs, waits a moment and decides with what is there then. While keys rotate
    /// nobody is sent away with 401: as long as it is not known whether a key exists, the answer is 503.
    async fn verify_with_newer_keys(&self, token: &[u8], now: u64) -> Result<(u64, Verified), Rejected> {
        let deadline = Instant::now() + WAIT_MAX;
        loop {
            let mut rejected = match self.verify(token, now) {
                Ok(verified) => return Ok(verified),
                Err(rejected) => rejected,
            };
            if !matches!(rejected.reject.reason, Reason::KeyUnknown | Reason::KeysUnavailable) {
                return Err(rejected);
            }
            let set = rejected.candidate.and_then(|index| self.issuers.get(index)).and_then(|issuer| issuer.remote());
            let Some(set) = set else { return Err(rejected) };
            match set.demand.fetch(deadline).await {
                // It may have begun before the new key was published.
                Outcome::Shared => {}
                // Too soon as well: a fetch on another worker's behalf may have ended since the look above.
                Outcome::Fetched | Outcome::TooSoon => return self.verify(token, now),
                Outcome::Unfinished => {
                    rejected.reject.reason = Reason::KeysUnavailable;
                    return Err(rejected);
                }
            }
        }
    }

    fn refuse(&self, cause: Cause) -> Refusal {
        Refusal::new(cause, self.shape, &self.realm)
    }
}
