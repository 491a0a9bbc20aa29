//! Every wait of a test has an end: a test that hangs tells nobody what it waited for.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

/// How long a test waits for something that should happen at once. Generous, because the machines that run the tests
/// are slow and shared; a passing test never waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Awaits `future` for at most [`PATIENCE`].
///
/// # Panics
///
/// When the time is up, with `what` in the message.
pub async fn within<F: Future>(what: impl Display, future: F) -> F::Output {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    assert!(outcome.is_ok(), "waited {PATIENCE:?} for {what}");
    outcome.expect("just asserted")
}

/// Looks again and again until it holds, for at most [`PATIENCE`]: for what nobody can be told of when it happens.
///
/// # Panics
///
/// When the time is up, with `what` in the message.
pub async fn until(what: impl Display, mut holds: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !holds().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
}
