//! Signing in, and the refresh of the session while the drill goes on.

use super::dialer::Version;
use super::load::Shared;
use super::pool::Answer;
use super::session::Session;
use crate::config::drill::Target;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use std::rc::Rc;
use tokio::time::{Instant, sleep, timeout};

/// Makes the user where the plan says how, and signs in.
///
/// # Errors
/// There are no tokens, worded.
pub(super) async fn open(session: &Session, shared: &Shared) -> Result<(), String> {
    let password = String::from_utf8_lossy(&session.plan.password.0);
    let who = json!({ "username": session.plan.username, "password": password });
    if let Some(register) = &session.plan.register {
        // Whoever is there already is refused, and signs in all the same.
        let _ = post(shared, register, &who).await;
    }
    let answer = post(shared, &session.plan.sign_in, &who).await?;
    session.take(&answer).map_err(|reason| format!("sign-in: {reason}"))
}

async fn post(shared: &Shared, path: &Target, body: &Value) -> Result<Answer, String> {
    let mut request = shared.outgoing(&Method::POST, path.of(""), Version::Http1, Some(body.to_string()));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match timeout(shared.load.timeout, shared.pool.send(request, Version::Http1)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(none)) => Err(none.cause),
        Err(_) => Err(format!("no answer within {:?}", shared.load.timeout)),
    }
}

/// Refreshes until the future is dropped. A refresh is a request like any other: it counts, and may be lost.
pub(super) async fn keep(shared: Rc<Shared>) {
    let Some(session) = &shared.session else { return };
    let Some(path) = &session.plan.refresh else { return };
    loop {
        sleep(session.plan.refresh_every).await;
        let Some(refresh) = session.tokens.borrow().refresh.clone() else { return };
        let (phase, begun) = (shared.phase(), Instant::now());
        phase.begin();
        let answer = post(&shared, path, &json!({ "refresh": refresh })).await;
        let outcome = answer.and_then(|answer| session.take(&answer));
        if let Err(reason) = &outcome {
            phase.tally.borrow_mut().lose(&format!("the session's refresh: {reason}"), "");
        }
        phase.end(begun.elapsed());
        // A session that has ended would make everything after it fail for this one reason.
        if outcome.is_err()
            && let Err(reason) = open(session, &shared).await
        {
            phase.tally.borrow_mut().notes.push(format!("no new session: {reason}"));
        }
    }
}
