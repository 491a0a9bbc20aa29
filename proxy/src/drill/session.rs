//! A session that signs in once and is refreshed while faults happen, as a browser's is.

use super::dialer::Version;
use super::load::Shared;
use super::pool::Answer;
use crate::config::drill::{self, Target};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use tokio::time::{Instant, sleep, timeout};

/// The tokens of now.
pub(super) struct Session {
    plan: drill::Session,
    tokens: RefCell<Tokens>,
}

#[derive(Default)]
struct Tokens {
    bearer: Option<HeaderValue>,
    refresh: Option<String>,
}

impl Session {
    /// A session that nobody has opened.
    pub(super) fn new(plan: drill::Session) -> Self {
        Self { plan, tokens: RefCell::default() }
    }

    /// `Authorization` of a request now.
    pub(super) fn bearer(&self) -> Option<HeaderValue> {
        self.tokens.borrow().bearer.clone()
    }

    /// Makes the user where the plan says how, and signs in.
    ///
    /// # Errors
    /// There are no tokens, worded.
    pub(super) async fn open(&self, shared: &Shared) -> Result<(), String> {
        let password = String::from_utf8_lossy(&self.plan.password.0);
        let who = json!({ "username": self.plan.username, "password": password });
        if let Some(register) = &self.plan.register {
            // Whoever is there already is refused, and signs in all the same.
            let _ = post(shared, register, &who).await;
        }
        let answer = post(shared, &self.plan.sign_in, &who).await?;
        self.take(&answer).map_err(|reason| format!("sign-in: {reason}"))
    }

    /// Keeps the tokens of an answer.
    fn take(&self, answer: &Answer) -> Result<(), String> {
        if !answer.status.is_success() {
            return Err(format!("status {}", answer.status.as_u16()));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| "no JSON in the answer".to_owned())?;
        let token = |name: &str| body.get(name).and_then(Value::as_str);
        let access = token("access").ok_or("no `access` in the answer")?;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {access}")).map_err(|_| "`access` is no token".to_owned())?;
        bearer.set_sensitive(true);
        let mut tokens = self.tokens.borrow_mut();
        tokens.bearer = Some(bearer);
        if let Some(refresh) = token("refresh") {
            tokens.refresh = Some(refresh.to_owned());
        }
        Ok(())
    }
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
            && let Err(reason) = session.open(&shared).await
        {
            phase.tally.borrow_mut().notes.push(format!("no new session: {reason}"));
        }
    }
}
