//! `POST /revocations`: for applications that do not speak the link.
//!
//! `{"issuer": "NAME", "revocations": [{"kind": "session", "value": "...", "until": 1795547579}]}`, with the kinds and
//! members of the link's `revoke`. All of it is applied or, when something in it is wrong, nothing.

use super::journal::Journal;
use super::posted::Posted;
use crate::auth::Issuers;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};
use serve::Body;
use std::time::Duration;

/// The largest body, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;
/// From the request's head to the end of its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a body whole.
pub(super) async fn read(body: Body) -> Result<Bytes, (StatusCode, Value)> {
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let read = read.map_err(|_| refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in 10 seconds"))?;
    let whole = read.map_err(|_| {
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB or broke off: send several")
    })?;
    Ok(whole.to_bytes())
}

/// Applies what was posted, and keeps it. `now` is in seconds since 1970.
pub(super) fn apply(body: &[u8], issuers: &Issuers, journal: Option<&Journal>, now: u64) -> (StatusCode, Value) {
    let posted: Posted = match serde_json::from_slice(body) {
        Ok(posted) => posted,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let Some(set) = issuers.posted(&posted.issuer) else {
        return refusal(StatusCode::NOT_FOUND, &format!("there is no issuer {:?}", posted.issuer));
    };
    if let Some(index) = posted.revocations.iter().position(|revocation| !revocation.is_sound()) {
        let message =
            format!("revocations[{index}]: no value, one above 512 bytes, or `before` where it does not belong");
        return refusal(StatusCode::BAD_REQUEST, &message);
    }
    let kept = journal.is_none_or(|journal| {
        let kept = journal.append(&posted);
        let told = kept.as_ref().map_err(|error| {
            tracing::error!(%error, file = %journal.file().display(), "posted revocations are not kept over a restart");
        });
        told.is_ok()
    });
    let applied = posted.revocations.iter().filter(|revocation| set.insert(revocation, now).is_ok()).count();
    let lost = posted.revocations.len() - applied;
    if lost > 0 {
        tracing::error!(
            issuer = posted.issuer,
            lost,
            "no room for more revocations: routes that require them answer 503"
        );
        return (StatusCode::INSUFFICIENT_STORAGE, json!({ "applied": applied, "lost": lost }));
    }
    tracing::info!(issuer = posted.issuer, applied, "revocations were posted");
    let answer = if kept { json!({ "applied": applied }) } else { json!({ "applied": applied, "kept": false }) };
    (StatusCode::OK, answer)
}

fn refusal(status: StatusCode, error: &str) -> (StatusCode, Value) {
    (status, json!({ "error": error, "applied": 0 }))
}
