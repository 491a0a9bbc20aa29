//! A post of revocations, as it comes and as it is kept.

use serde::{Deserialize, Serialize};
use serve::contract::link::Revocation;

/// Revocations of one issuer's tokens.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    /// The issuer's name in the configuration.
    pub(super) issuer: String,
    /// What is revoked.
    pub(super) revocations: Vec<Revocation>,
}
