//! The keys of an issuer that come over a link.

use super::keys::KeySet;
use super::keys::jwk::{self, Origin, SET_BYTES_MAX};
use crate::config::Algorithm;
use crate::link::LinkedUpstream;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// The JWK set that an upstream tells.
#[derive(Debug)]
pub(crate) struct LinkedSet {
    /// The issuer's name, for the log.
    issuer: String,
    algorithms: Vec<Algorithm>,
    linked: Arc<LinkedUpstream>,
    loaded: ArcSwapOption<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    keys: Arc<KeySet>,
    /// As it was told, to see whether anything has changed.
    text: Arc<str>,
}

impl LinkedSet {
    /// A set that begins with what has been told already.
    pub(crate) fn new(issuer: &str, algorithms: &[Algorithm], linked: Arc<LinkedUpstream>) -> Self {
        let told = linked.keys().borrow().clone();
        let set =
            Self { issuer: issuer.to_owned(), algorithms: algorithms.to_vec(), linked, loaded: ArcSwapOption::empty() };
        set.take_over(told);
        set
    }

    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        self.loaded.load().as_ref().map(|loaded| Arc::clone(&loaded.keys))
    }

    pub(crate) fn generation(&self) -> Option<u64> {
        self.loaded.load().as_ref().map(|loaded| loaded.keys.generation())
    }

    /// Whose link it is.
    pub(crate) fn linked(&self) -> &Arc<LinkedUpstream> {
        &self.linked
    }

    /// Takes over each set as it is told, until the task is aborted.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut told = self.linked.keys();
        loop {
            let now = told.borrow_and_update().clone();
            self.take_over(now);
            if told.changed().await.is_err() {
                return;
            }
        }
    }

    /// An unchanged set keeps its keys and so every verified token; one that can't be used changes nothing.
    fn take_over(&self, told: Option<Arc<str>>) {
        let Some(text) = told else { return };
        if self.loaded.load().as_ref().is_some_and(|loaded| loaded.text == text) {
            return;
        }
        let read = if text.len() > SET_BYTES_MAX {
            Err(jwk::SetProblem::Malformed)
        } else {
            jwk::load_set(text.as_bytes(), Origin::Remote, &self.algorithms)
        };
        match read {
            Ok((keys, problems)) => {
                for (kid, problem) in problems {
                    tracing::warn!(issuer = self.issuer, kid, %problem, "a key of the issuer is not used");
                }
                self.loaded.store(Some(Arc::new(Loaded { keys: Arc::new(keys), text })));
            }
            Err(problem) => tracing::warn!(issuer = self.issuer, %problem, "the keys that the link tells are not used"),
        }
    }
}
