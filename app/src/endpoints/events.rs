//! `GET /api/events/`: live changes as server-sent events (WHATWG HTML section 9.2).

use super::clock::now;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::live::{Heard, Numbered, Replay, Subscription, TooManyStreams};
use crate::state::AppState;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, Interval, interval_at};
use tokio_util::sync::CancellationToken;

/// How often a quiet stream says that it lives: often enough for every proxy's idle limit.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How soon a client comes back after a stream ended, in milliseconds.
const RETRY_MS: u64 = 1000;

/// Live changes of the notes that the caller can see.
///
/// `event: note` has data `{"kind","note_id","version","by"}`, where kind is created, updated, deleted, shared or
/// unshared. `event: resync` says that events were missed and the client loads its notes again. `Last-Event-ID`
/// resumes. A stream ends when the caller's token expires, and when the application stops; clients reconnect.
#[utoipa::path(get, path = "/api/events/", operation_id = "listen_to_events", tag = "notebook", params(("Last-Event-ID" = Option<u64>, Header)),
    responses((status = OK, content_type = "text/event-stream", body = String),
        (status = TOO_MANY_REQUESTS, description = "too_many_streams"),
        (status = SERVICE_UNAVAILABLE, description = "draining, too_many_streams")))]
pub async fn listen(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    // A stream that ends at once would make its client come back at once.
    if state.draining.is_cancelled() {
        return Err(ApiError::unavailable("draining"));
    }
    // An id that is no number is none of ours: zero is older than all that is kept.
    let seen = headers.get("last-event-id").map(|id| id.to_str().ok().and_then(|id| id.parse().ok()).unwrap_or(0));
    let subscription = state.live.subscribe(caller.user.id, caller.session, seen).map_err(|refusal| {
        let status = match refusal {
            TooManyStreams::OfUser => StatusCode::TOO_MANY_REQUESTS,
            TooManyStreams::OfAll => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiError::new(status, "too_many_streams", "Too many event streams").with_retry_after(5)
    })?;
    let first = greeting(&subscription);
    let listener = Listener {
        subscription,
        heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
        // The caller's token was checked when the stream began and not since.
        ends_at: Instant::now() + time_left(caller.expires_at, now(), state.config.tokens.bearer_lifetime()),
        draining: state.draining.clone(),
    };
    let events = stream::unfold((Some(first), listener), |(first, mut listener)| async {
        let bytes = match first {
            Some(first) => first,
            None => listener.next().await?,
        };
        Some((Ok::<_, Infallible>(bytes), (None, listener)))
    });
    let fields = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok((fields, Body::from_stream(events)))
}

/// How long a token counts from `now` on: never longer than this application lets its tokens live.
fn time_left(expires_at: Timestamp, now: Timestamp, lifetime: Duration) -> Duration {
    // Negative when it has expired between the edge and here.
    Duration::try_from(expires_at.duration_since(now)).unwrap_or_default().min(lifetime)
}

/// One open stream.
struct Listener {
    subscription: Subscription,
    heartbeat: Interval,
    ends_at: Instant,
    draining: CancellationToken,
}

impl Listener {
    /// The next bytes, or none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.draining.cancelled() => None,
            () = tokio::time::sleep_until(self.ends_at) => None,
            heard = self.subscription.hear() => match heard {
                Heard::Event(numbered) => Some(note(&numbered).into()),
                Heard::Lagged => Some(Bytes::from_static(b"event: resync\ndata: {}\n\n")),
                Heard::Closed => None,
            },
            _ = self.heartbeat.tick() => Some(Bytes::from_static(b": heartbeat\n\n")),
        }
    }
}

/// What a client gets at once: an id to resume from, though nothing has happened yet, and what it missed.
fn greeting(subscription: &Subscription) -> Bytes {
    let up_to_id = subscription.up_to_id;
    match &subscription.missed {
        Replay::Events(missed) => {
            let mut text = missed.iter().map(note).collect::<String>();
            text.push_str(&format!(": listening\nretry: {RETRY_MS}\nid: {up_to_id}\n\n"));
            text.into()
        }
        Replay::Gap => format!("retry: {RETRY_MS}\nid: {up_to_id}\nevent: resync\ndata: {{}}\n\n").into(),
    }
}

fn note(numbered: &Numbered) -> String {
    let event = &numbered.event;
    let data = serde_json::json!({
        "kind": event.kind.as_str(),
        "note_id": event.note_id,
        "version": event.version,
        "by": event.by,
    });
    format!("event: note\nid: {}\ndata: {data}\n\n", numbered.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Hub;
    use uuid::Uuid;

    #[test]
    fn a_stream_ends_with_its_token() {
        let at = |second| Timestamp::from_second(second).expect("a moment");
        for (expires_at, now, left) in [(100, 40, 60), (1000, 40, 300), (100, 100, 0), (100, 104, 0)] {
            let lifetime = Duration::from_secs(300);
            assert_eq!(time_left(at(expires_at), at(now), lifetime).as_secs(), left, "{expires_at} {now}");
        }
        assert_eq!(time_left(Timestamp::MAX, at(0), Duration::MAX).as_secs(), 253_402_207_200);
    }

    fn listener(hub: &Hub, lifetime: Duration) -> Listener {
        Listener {
            subscription: hub.subscribe(Uuid::nil(), None, None).expect("a slot"),
            heartbeat: interval_at(Instant::now() + HEARTBEAT, HEARTBEAT),
            ends_at: Instant::now() + lifetime,
            draining: CancellationToken::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_says_that_it_lives_until_its_token_ends() {
        let (begun, hub) = (Instant::now(), Hub::new(Timestamp::UNIX_EPOCH, 1));
        let mut listener = listener(&hub, Duration::from_secs(40));
        for second in [15, 30] {
            assert_eq!(listener.next().await.as_deref(), Some(&b": heartbeat\n\n"[..]));
            assert_eq!(begun.elapsed().as_secs(), second);
        }
        assert_eq!(listener.next().await, None);
        assert_eq!(begun.elapsed().as_secs(), 40);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_a_quiet_stream_at_once() {
        let (begun, hub) = (Instant::now(), Hub::new(Timestamp::UNIX_EPOCH, 1));
        let mut listener = listener(&hub, Duration::from_secs(40));
        let draining = listener.draining.clone();
        let (end, ()) = tokio::join!(listener.next(), async { draining.cancel() });
        assert_eq!((end, begun.elapsed()), (None, Duration::ZERO));
    }
}
