//! An event stream that is kept open: how often it ends, and whether what was done is told.

use super::dialer::{Dialer, Version};
use super::load::Shared;
use super::session::Session;
use crate::config::drill::Events;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::sleep;

/// How soon a stream that has ended comes back.
const BACK_AFTER: Duration = Duration::from_millis(200);
/// One event.
const EVENT_BYTES_MAX: usize = 1 << 20;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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
        shared.echoes.resync();
    } else if let Some(data) = value("data") {
        shared.echoes.hear(data);
    }
}
