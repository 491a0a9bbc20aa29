//! What every sign-in does: keeps the pace, checks the password, opens a session.

use super::TokenApiError;
use crate::domain::account::{User, fold};
use crate::domain::session::{Refresh, SignIn};
use crate::extract::Client;
use crate::passwords::{PasswordError, Verdict};
use crate::state::AppState;
use crate::store::{AccountStore, Credentials, SessionListStore, SessionStore};
use crate::throttle::Try;
use jiff::Timestamp;
use uuid::Uuid;

/// A user who has proved himself.
pub(super) struct Proved {
    pub(super) user: User,
    epoch: i64,
}

/// The user with this name and password. An unknown name gets the same answer as a wrong password, after the same work.
pub(super) async fn check(
    state: &AppState,
    [username, password]: [String; 2],
    client: &Client,
) -> Result<Proved, TokenApiError> {
    let name = fold(&username);
    let tried = Try { account: &name, address: client.address };
    state.throttle.admit(&tried, state.uptime_ms())?;
    let found = state.store.credentials(&username).await?;
    let hash = found.as_ref().map(|found| found.password_hash.clone());
    let verdict = state.passwords.verify(password.clone(), hash).await?;
    let found = found.filter(|found| verdict != Verdict::Wrong && state.may_sign_in(&found.user));
    let Credentials { user, password_hash, epoch } = found.ok_or(TokenApiError::NoAccount)?;
    state.throttle.succeeded(&tried, state.uptime_ms());
    if verdict == Verdict::RightOutdated {
        renew_hash(state, &user, password, &password_hash).await;
    }
    Ok(Proved { user, epoch })
}

/// Puts a hash of our own kind in the place of an older one. A sign-in does not fail for that: the next one tries again.
async fn renew_hash(state: &AppState, user: &User, password: String, old: &str) {
    let now = Timestamp::now();
    let new = match state.passwords.hash(password).await {
        Ok(new) => new,
        Err(error @ (PasswordError::Busy | PasswordError::Failed)) => {
            return tracing::warn!(%error, "an old password hash was kept");
        }
    };
    // The password is the same, so no session ends.
    match state.store.change_password(user.id, (old, &new), None, now, now).await {
        Ok(_) => tracing::info!(user = %user.id, "an old password hash was replaced"),
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "an old password hash was kept"),
    }
}

/// Opens a session for a user who has just proved himself. Who has been disabled meanwhile, or whose password is another
/// now, has not.
pub(super) async fn open(
    state: &AppState,
    Proved { user, epoch }: &Proved,
    client: Client,
    first: Refresh,
) -> Result<Uuid, TokenApiError> {
    let config = state.tokens.config();
    let sign_in = SignIn {
        session: Uuid::new_v4(),
        user: user.id,
        epoch: *epoch,
        first,
        user_agent: client.user_agent,
        address: client.address.map(|address| address.to_string()).unwrap_or_default(),
        noted: config.update_last_login,
        sessions_max: config.sessions_max,
    };
    let ended = state.store.open_session(&sign_in, state.tokens.outlived(first.issued_at)).await?;
    let ended = ended.ok_or(TokenApiError::NoAccount)?;
    if ended > 0 {
        state.sessions_ended(user.id);
        tracing::info!(user = %user.id, ended, "the oldest sessions ended for a new one");
    }
    Ok(sign_in.session)
}
