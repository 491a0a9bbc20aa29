//! What is to be heard on the event stream of what was done, and what was heard.

use crate::config::drill::Events;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Events that are remembered, because an event may overtake the answer to what it tells of.
const KEPT_MAX: usize = 1024;
/// What is waited for at once.
const WAITED_FOR_MAX: usize = 10_000;

/// What events must mention.
#[derive(Default)]
pub(super) struct Echoes {
    member: Option<String>,
    inner: RefCell<Inner>,
    /// How often everything was to be loaded again.
    resyncs: Cell<u64>,
}

#[derive(Default)]
struct Inner {
    heard: VecDeque<String>,
    missing: Vec<String>,
}

impl Echoes {
    /// Echoes of this member of answers.
    pub(super) fn of(events: Option<&Events>) -> Self {
        Self { member: events.and_then(|events| events.echo.clone()), ..Self::default() }
    }

    /// How often everything was to be loaded again until now.
    pub(super) const fn resyncs(&self) -> u64 {
        self.resyncs.get()
    }

    /// An event must mention what was answered to a request that was sent after so many resyncs. When there was another
    /// one meanwhile, it may have been told by that: the answer may come later than what it tells of.
    pub(super) fn expect(&self, answer: &Bytes, resyncs: u64) {
        let Some(member) = self.member.as_ref().filter(|_| resyncs == self.resyncs.get()) else { return };
        let answer: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
        let Some(value) = answer.as_ref().and_then(|answer| answer.get(member)) else { return };
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let mut inner = self.inner.borrow_mut();
        if inner.missing.len() < WAITED_FOR_MAX && !inner.heard.iter().any(|data| data.contains(&value)) {
            inner.missing.push(value);
        }
    }

    /// What no event has mentioned yet.
    pub(super) fn missing(&self) -> Vec<String> {
        self.inner.borrow().missing.clone()
    }

    /// How many of these no event has mentioned yet.
    pub(super) fn still_missing(&self, of: &[String]) -> u64 {
        let inner = self.inner.borrow();
        of.iter().filter(|value| inner.missing.contains(value)).count() as u64
    }

    /// Waits for these no longer.
    pub(super) fn give_up(&self, of: &[String]) {
        self.inner.borrow_mut().missing.retain(|value| !of.contains(value));
    }

    /// Everything is to be loaded again: whoever does that has missed nothing.
    pub(super) fn resync(&self) {
        self.resyncs.set(self.resyncs.get() + 1);
        self.inner.borrow_mut().missing.clear();
    }

    /// Takes in what an event says.
    pub(super) fn hear(&self, data: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.missing.retain(|value| !data.contains(value.as_str()));
        if inner.heard.len() == KEPT_MAX {
            inner.heard.pop_front();
        }
        inner.heard.push_back(data.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_event_mentions_is_missing() {
        let echoes = Echoes { member: Some("id".to_owned()), ..Echoes::default() };
        echoes.hear("{\"note\":\"a\"}");
        for id in ["a", "b", "c"] {
            echoes.expect(&Bytes::from(format!("{{\"id\":\"{id}1\"}}")), 0);
        }
        echoes.expect(&Bytes::from_static(b"no json"), 0);
        echoes.hear("{\"note\":\"b1\"}");
        let missing = echoes.missing();
        assert_eq!(missing, ["a1", "c1"]);
        echoes.hear("{\"note\":\"c1\"}");
        assert_eq!(echoes.still_missing(&missing), 1);
        echoes.give_up(&missing);
        assert!(echoes.missing().is_empty());
        echoes.hear("{\"note\":\"early\"}");
        echoes.expect(&Bytes::from_static(b"{\"id\":\"early\"}"), 0);
        assert!(echoes.missing().is_empty());
    }

    #[test]
    fn whoever_loads_everything_again_has_missed_nothing() {
        let echoes = Echoes { member: Some("id".to_owned()), ..Echoes::default() };
        let before = echoes.resyncs();
        echoes.expect(&Bytes::from_static(b"{\"id\":\"answered before\"}"), before);
        echoes.resync();
        echoes.expect(&Bytes::from_static(b"{\"id\":\"answered behind\"}"), before);
        echoes.expect(&Bytes::from_static(b"{\"id\":\"sent behind\"}"), echoes.resyncs());
        assert_eq!(echoes.missing(), ["sent behind"]);
    }
}
