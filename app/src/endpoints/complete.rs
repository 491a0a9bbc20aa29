//! Work that goes on when its client goes away.

use crate::error::ApiError;
use std::future::Future;

/// Runs a change to its end even if the request is dropped meanwhile, because a change consists of steps that belong
/// together: rows, then files, then the news for those who listen.
pub(super) async fn complete<T: Send + 'static>(
    change: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::spawn(change).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change did not come to its end");
        Err(ApiError::internal())
    })
}
