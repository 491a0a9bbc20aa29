//! An event stream that is kept open: how often it ends, and whether what was done is told.

use super::dialer::{Dialer, Version};
use super::load::Shared;
use super::session::Session;
use crate::config::drill::Events;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How soon a stream that has ended comes back.
const BACK_AFTER: Duration = Duration::from_millis(200);
/// Events that are remembered, because an event may overtake the answer to what it tells of.
const KEPT_MAX: usize = 1024;
/// What is waited for at once.
const WAITED_FOR_MAX: usize = 10_000;
/// One event.
const EVENT_BYTES_MAX: usize = 1 << 20;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What events must mention.
#[derive(Default)]
pub(super) struct Echoes {
    member: Option<String>,
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    heard: VecDeque<String>,
    missing: Vec<String>,
}

impl Echoes {
    /// Echoes of this member of answers.
    pub(super) fn of(events: Option<&Events>) -> Self {
        Self { member: events.and_then(|events| events.echo.clone()), inner: RefCell::default() }
    }

    /// An event must mention what was answered.
    pub(super) fn expect(&self, answer: &Bytes) {
        let Some(member) = &self.member else { return };
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

    fn hear(&self, data: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.missing.retain(|value| !data.contains(value.as_str()));
        if inner.heard.len() == KEPT_MAX {
            inner.heard.pop_front();
        }
        inner.heard.push_back(data.to_owned());
    }
}

/// Listens until the future is dropped.
pub(super) async fn listen(shared: Rc<Shared>, dialer: Rc<Dialer>, events: Events) {
    let mut last_id = None;
    loop {
        let end = once(&shared, &dialer, &events, &mut last_id).await;
        let phase = shared.phase();
        {
            let mut tally = phase.tally.borrow_mut();
            tally.stream_ends += 1;
            if let Err(reason) = end
                && tally.notes.len() < 8
            {
                tally.notes.push(format!("the event stream: {reason}"));
            }
        }
        sleep(BACK_AFTER).await;
    }
}

/// One stream from its request to its end.
async fn once(
    shared: &Shared,
    dialer: &Dialer,
    events: &Events,
    last_id: &mut Option<HeaderValue>,
) -> Result<(), String> {
    let socket = dialer.open(Version::Http1).await.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    tokio::task::spawn_local(connection);
    let mut request = shared.outgoing(&Method::GET, events.path.of(""), Version::Http1, None);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(bearer) = shared.session.as_ref().and_then(Session::bearer) {
        headers.insert(AUTHORIZATION, bearer);
    }
    if let Some(id) = last_id.clone() {
        headers.insert(LAST_EVENT_ID.clone(), id);
    }
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| "it broke off".to_owned())?;
        let Ok(data) = frame.into_data() else { continue };
        text.extend_from_slice(&data);
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            take(&String::from_utf8_lossy(&event), shared, events, last_id);
        }
        if text.len() > EVENT_BYTES_MAX {
            return Err("an event without an end".to_owned());
        }
    }
    Ok(())
}

/// One event (WHATWG HTML section 9.2.6).
fn take(event: &str, shared: &Shared, events: &Events, last_id: &mut Option<HeaderValue>) {
    let value = |name: &str| {
        let value = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.strip_prefix(' ').unwrap_or(value))
    };
    if let Some(id) = value("id") {
        *last_id = HeaderValue::from_str(id).ok();
    }
    if value("event") == Some(events.resync.as_str()) {
        shared.phase().tally.borrow_mut().resyncs += 1;
        // Whoever loads everything again has missed nothing.
        shared.echoes.give_up(&shared.echoes.missing());
    } else if let Some(data) = value("data") {
        shared.echoes.hear(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_event_mentions_is_missing() {
        let echoes = Echoes { member: Some("id".to_owned()), inner: RefCell::default() };
        echoes.hear("{\"note\":\"a\"}");
        for id in ["a", "b", "c"] {
            echoes.expect(&Bytes::from(format!("{{\"id\":\"{id}1\"}}")));
        }
        echoes.expect(&Bytes::from_static(b"no json"));
        echoes.hear("{\"note\":\"b1\"}");
        let missing = echoes.missing();
        assert_eq!(missing, ["a1", "c1"]);
        echoes.hear("{\"note\":\"c1\"}");
        assert_eq!(echoes.still_missing(&missing), 1);
        echoes.give_up(&missing);
        assert!(echoes.missing().is_empty());
        echoes.hear("{\"note\":\"early\"}");
        echoes.expect(&Bytes::from_static(b"{\"id\":\"early\"}"));
        assert!(echoes.missing().is_empty());
    }
}
