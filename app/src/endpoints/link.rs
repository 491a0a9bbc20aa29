//! `GET /.well-known/portcullis/link`: what an edge must know, as long as it listens (see `serve::contract::link`).
//!
//! A stream keeps a place in the log of revocations and nothing else. What comes after the place is read from the store
//! when the edge takes it, a page at a time, so that a slow edge costs one page and no queue; the host cuts one that
//! takes nothing at all, and it resumes with `Last-Event-ID`.

use crate::domain::revocation::{Revocation, RevocationKind};
use crate::error::ApiError;
use crate::link::Ear;
use crate::state::AppState;
use crate::store::{LogPlace, Recorded, RevocationStore, StoreError};
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serve::connection::ConnectionLimits;
use serve::contract::link::{self as contract, Event, Hello, Part, Revoke};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const HEARTBEAT: Duration = Duration::from_millis(contract::HEARTBEAT_MS);
/// How often the store is looked at where nobody tells when another process has written. Where somebody does, each
/// heartbeat is a look still, in case that he can't.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Entries that are read at once.
const PAGE: u32 = 500;

/// Answers an edge that holds the shared key with the stream.
///
/// # Errors
/// 401 without the key, 503 while draining or when too many edges listen.
pub async fn listen(State(state): State<AppState>, headers: HeaderMap) -> Result<impl IntoResponse, ApiError> {
    let proof = state.edge.link(&headers, Timestamp::now()).map_err(|error| {
        tracing::warn!(%error, "a request for the link does not count");
        ApiError::unauthenticated()
    })?;
    if state.draining.is_cancelled() {
        return Err(ApiError::unavailable("draining"));
    }
    let ear = state.link.listen().map_err(|error| {
        tracing::warn!(%error, "an edge is sent away");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_edges", "Too many link streams").with_retry_after(5)
    })?;
    let seen = headers.get("last-event-id").and_then(|id| parse_id(id.to_str().ok()?));
    let place = match seen {
        Some(place) if state.store.knows(&place).await? => Some(place),
        _ => None,
    };
    let teller = Teller::new(state, ear, place);
    let events = stream::unfold(teller, |mut teller| async {
        match teller.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), teller)),
            Ok(None) => None,
            Err(error) => {
                // The edge comes back and resumes.
                tracing::warn!(error = &error as &dyn std::error::Error, "a link stream ends");
                Some((Err(error), teller))
            }
        }
    });
    let fields = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    Ok(([(contract::PROOF.clone(), proof)], fields, Body::from_stream(events)))
}

/// What a stream is doing.
enum Phase {
    /// Telling everything in force, from this sequence on; `end` was the log's end when it began.
    Snapshot { from: i64, end: LogPlace },
    /// Telling what comes after the place.
    Live,
    /// All said.
    Over,
}

/// One open stream.
struct Teller {
    state: AppState,
    ear: Ear,
    phase: Phase,
    /// Everything up to here has been told.
    place: LogPlace,
    is_ready: bool,
    keys: String,
    /// Events that are made and not taken yet: a page at most.
    made: VecDeque<Bytes>,
    heartbeat: Interval,
    look: Interval,
}

impl Teller {
    fn new(state: AppState, ear: Ear, resumed: Option<LogPlace>) -> Self {
        let every = |period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let idle_timeout = ConnectionLimits::default().idle_timeout;
        let hello = Hello {
            build: concat!("portcullis-app ", env!("CARGO_PKG_VERSION")).to_owned(),
            idle_timeout_ms: u64::try_from(idle_timeout.as_millis()).ok(),
            in_flight_max: u64::try_from(state.config.in_flight_max).ok(),
        };
        let keys = state.tokens.jwks().to_string();
        let mut made = VecDeque::new();
        made.push_back(Event::Hello(hello).encode(None).into());
        made.push_back(Event::Keys(keys.clone()).encode(None).into());
        let phase = match &resumed {
            Some(_) => Phase::Live,
            None => Phase::Snapshot { from: 0, end: LogPlace { sequence: -1, mark: String::new() } },
        };
        Self {
            state,
            ear,
            phase,
            place: resumed.unwrap_or_default(),
            is_ready: false,
            keys,
            made,
            heartbeat: every(HEARTBEAT),
            look: every(LOOK_EVERY),
        }
    }

    /// The next bytes, or none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            if let Some(bytes) = self.made.pop_front() {
                return Ok(Some(bytes));
            }
            match &self.phase {
                Phase::Over => return Ok(None),
                Phase::Snapshot { .. } => self.tell_part().await?,
                Phase::Live if !self.is_ready => {
                    // What a resuming edge has missed comes before.
                    if !self.tell_news().await? {
                        self.is_ready = true;
                        self.made.push_back(Event::Ready.encode(None).into());
                    }
                }
                Phase::Live => self.wait().await?,
            }
        }
    }

    async fn wait(&mut self) -> Result<(), StoreError> {
        tokio::select! {
            biased;
            () = self.state.draining.cancelled() => {
                // What was decided until now goes first; this is the last that is heard of this process.
                while self.tell_news().await? {}
                if !self.state.handed_over.load(Relaxed) {
                    self.made.push_back(Event::Draining.encode(None).into());
                }
                self.phase = Phase::Over;
            }
            () = self.ear.change() => {
                let keys = self.state.tokens.jwks().to_string();
                if keys != self.keys {
                    self.made.push_back(Event::Keys(keys.clone()).encode(None).into());
                    self.keys = keys;
                }
                self.tell_news().await?;
            }
            _ = self.heartbeat.tick() => {
                self.made.push_back(Event::Heartbeat.encode(None).into());
                self.tell_news().await?;
            }
            _ = self.look.tick(), if !self.state.link.is_told() => {
                self.tell_news().await?;
            }
        }
        Ok(())
    }

    /// One part of everything in force.
    async fn tell_part(&mut self) -> Result<(), StoreError> {
        let Phase::Snapshot { from, end } = &mut self.phase else { return Ok(()) };
        if end.sequence < 0 {
            *end = self.state.store.log_end().await?;
        }
        let page = self.state.store.revocations_after(*from, Timestamp::now(), PAGE).await?;
        if let Some(last) = page.entries.last() {
            *from = last.place.sequence;
        }
        let entries = page.entries.iter().map(|recorded| wire(&recorded.revocation)).collect();
        let part = Event::Revocations(Part { entries, more: page.more });
        if page.more {
            self.made.push_back(part.encode(None).into());
            return Ok(());
        }
        // The log may have grown while it was read.
        let last = page.entries.last().map(|last| last.place.clone()).filter(|last| last.sequence > end.sequence);
        self.place = last.unwrap_or_else(|| end.clone());
        self.phase = Phase::Live;
        self.made.push_back(part.encode(Some(&id(&self.place))).into());
        Ok(())
    }

    /// What has come after the place, a page of it. False when there was nothing.
    async fn tell_news(&mut self) -> Result<bool, StoreError> {
        let page = self.state.store.revocations_after(self.place.sequence, Timestamp::now(), PAGE).await?;
        for Recorded { place, revocation, written } in &page.entries {
            let event = Event::Revoke(Revoke {
                revocation: wire(revocation),
                previous: Some(id(&self.place)),
                at_ms: u64::try_from(written.as_millisecond()).ok(),
            });
            self.made.push_back(event.encode(Some(&id(place))).into());
            self.place = place.clone();
        }
        Ok(!page.entries.is_empty())
    }
}

fn wire(revocation: &Revocation) -> contract::Revocation {
    let Revocation { kind, value, before, until } = revocation;
    let second = |moment: Timestamp| u64::try_from(moment.as_second()).unwrap_or_default();
    contract::Revocation {
        kind: match kind {
            RevocationKind::Jti => contract::RevocationKind::Jti,
            RevocationKind::Session => contract::RevocationKind::Session,
            RevocationKind::SubjectBefore => contract::RevocationKind::SubjectBefore,
            RevocationKind::Kid => contract::RevocationKind::Kid,
        },
        value: value.clone(),
        before: before.map(second),
        // Rounded up: an edge must not forget early.
        until: second(*until).saturating_add(1),
    }
}

/// A place as the id of an event.
fn id(place: &LogPlace) -> String {
    format!("{}-{}", place.sequence, place.mark)
}

fn parse_id(id: &str) -> Option<LogPlace> {
    let (sequence, mark) = id.split_once('-')?;
    Some(LogPlace { sequence: sequence.parse().ok()?, mark: mark.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_others_are_nobodys() {
        for (sequence, mark) in [(0, ""), (7, "0123abcd")] {
            let place = LogPlace { sequence, mark: mark.to_owned() };
            assert_eq!(parse_id(&id(&place)), Some(place));
        }
        for other in ["", "7", "x-y", "-"] {
            assert_eq!(parse_id(other), None, "{other}");
        }
    }
}
