//! A session that signs in once and is refreshed while faults happen, as a browser's is.

use super::pool::Answer;
use crate::config::drill;
use http::HeaderValue;
use serde_json::Value;
use std::cell::RefCell;

/// The tokens of now.
pub(super) struct Session {
    pub(super) plan: drill::Session,
    pub(super) tokens: RefCell<Tokens>,
}

#[derive(Default)]
pub(super) struct Tokens {
    bearer: Option<HeaderValue>,
    pub(super) refresh: Option<String>,
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

    /// Keeps the tokens of an answer.
    pub(super) fn take(&self, answer: &Answer) -> Result<(), String> {
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
