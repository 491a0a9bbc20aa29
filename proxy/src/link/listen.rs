//! The task of one endpoint: open the stream, take in what is told, come back when it breaks off.

use super::stream::{Malformed, Reader, Told};
use super::upstream::Task;
use futures_util::future::{Either, select};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serve::contract::link::{Event, Part, Revoke, STALE_MS};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

/// From the connection to the head of the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Without a byte for so long a stream is dead, whatever TCP says.
const SILENCE_MAX: Duration = Duration::from_millis(STALE_MS);
/// The first pause after a stream has ended; doubled with each failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("no HTTP exchange: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("the answer is no stream of events")]
    ContentType,
    #[error("who answered does not hold the shared key")]
    Unproved,
    #[error("nothing was heard for {SILENCE_MAX:?}")]
    Silent,
    #[error("the application ended it")]
    Closed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("a revocation lacks what its kind needs")]
    Unsound,
    #[error("events were lost before {0:?}")]
    Gap(String),
    #[error("the system has no random bytes")]
    Random,
}

impl Ended {
    /// Whether what was told before may be incomplete, so that everything must be told anew.
    const fn forgets(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Unsound | Self::Gap(_))
    }
}

/// Listens to one endpoint until the task is dropped. `dial` opens a stream to it.
pub async fn listen<S, D>(task: Task, dial: impl Fn() -> D)
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Future<Output = io::Result<S>>,
{
    let mut listener = Listener { task, seen: None, is_current: false, heard: false };
    let mut pause = PAUSE_MIN;
    loop {
        let Err(ended) = listener.once(&dial).await;
        let Task { endpoint, linked, address, .. } = &listener.task;
        endpoint.set_connected(false);
        if ended.forgets() {
            endpoint.note_gap();
            listener.seen = None;
        }
        tracing::warn!(upstream = linked.name(), endpoint = address, reason = %ended, "the link is down");
        pause = if std::mem::take(&mut listener.heard) { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        sleep(spread(pause, getrandom::u32().unwrap_or_default())).await;
    }
}

/// Less up to a half of it, so that many edges don't come together.
fn spread(pause: Duration, jitter: u32) -> Duration {
    pause - pause / 2 * (jitter % 1000) / 1000
}

struct Listener {
    task: Task,
    /// The id to resume after.
    seen: Option<String>,
    /// Whether this stream has told everything up to now.
    is_current: bool,
    /// Whether this stream has told anything.
    heard: bool,
}

impl Listener {
    /// One stream, from its beginning to its end.
    async fn once<S, D>(&mut self, dial: impl Fn() -> D) -> Result<std::convert::Infallible, Ended>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        D: Future<Output = io::Result<S>>,
    {
        self.is_current = false;
        let stream = dial().await.map_err(Ended::Connect)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its end shows in the body as well; the last bytes of it may still have to be read.
        let connection = async {
            let _ = connection.await;
            std::future::pending::<()>().await;
        };
        let talk = async {
            let request = self.task.credentials.request(&self.task.address, self.seen.as_deref(), SystemTime::now());
            let (request, jti) = request.ok_or(Ended::Random)?;
            let answer = timeout(ANSWER_TIMEOUT, sender.send_request(request)).await;
            let (head, mut body) = answer.map_err(|_| Ended::Timeout)??.into_parts();
            if head.status != StatusCode::OK {
                return Err(Ended::Status(head.status));
            }
            if !self.task.credentials.is_proved(&jti, &head.headers) {
                return Err(Ended::Unproved);
            }
            let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !media_type.to_ascii_lowercase().starts_with("text/event-stream") {
                return Err(Ended::ContentType);
            }
            self.task.endpoint.set_connected(true);
            let mut reader = Reader::default();
            loop {
                let frame = timeout(SILENCE_MAX, body.frame()).await.map_err(|_| Ended::Silent)?;
                let Some(frame) = frame.transpose()? else { return Err(Ended::Closed) };
                let Ok(data) = frame.into_data() else { continue };
                let mut told = Vec::new();
                reader.read(&data, |event| told.push(event))?;
                for event in told {
                    self.take(event)?;
                }
            }
        };
        match select(pin!(talk), pin!(connection)).await {
            Either::Left((ended, _)) => ended,
            Either::Right(((), talk)) => talk.await,
        }
    }

    /// Takes one event in.
    fn take(&mut self, Told { event, id }: Told) -> Result<(), Ended> {
        self.heard = true;
        let Task { linked, endpoint, address, .. } = &self.task;
        match event {
            Event::Hello(hello) => {
                tracing::info!(upstream = linked.name(), endpoint = address, build = hello.build, "the link is up");
                endpoint.greet(hello.idle_timeout_ms, hello.in_flight_max);
            }
            Event::Keys(jwks) => drop(linked.keys.send_replace(Some(jwks.into()))),
            Event::Revoke(Revoke { revocation, previous, at_ms }) => {
                // Taken in before anything else is looked at: one too many is no harm.
                self.revoke(&revocation)?;
                if let Some(at_ms) = at_ms {
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    self.task.linked.propagation.record(since.saturating_sub(Duration::from_millis(at_ms)));
                }
                let repeated = id.is_some() && id == self.seen;
                if let Some(previous) = previous
                    && !repeated
                    && self.seen.as_ref() != Some(&previous)
                {
                    return Err(Ended::Gap(id.unwrap_or_default()));
                }
            }
            Event::Revocations(Part { entries, more }) => {
                for revocation in &entries {
                    self.revoke(revocation)?;
                }
                self.is_current |= !more;
            }
            Event::Ready => {
                endpoint.set_draining(false);
                // After a resumed stream has told what was missed; a new one has told it in its snapshot.
                self.is_current |= self.seen.is_some();
            }
            Event::Draining => endpoint.set_draining(true),
            Event::Heartbeat => {}
        }
        if id.is_some() {
            self.seen = id;
        }
        if self.is_current {
            self.task.endpoint.note_current(Instant::now());
        }
        Ok(())
    }

    fn revoke(&self, revocation: &serve::contract::link::Revocation) -> Result<(), Ended> {
        if !revocation.is_sound() {
            return Err(Ended::Unsound);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let linked = &self.task.linked;
        let was_complete = linked.set.is_complete(now);
        if let Err(full) = linked.set.insert(revocation, now)
            && was_complete
        {
            tracing::error!(upstream = linked.name(), "{full}: routes with `revocation = \"require\"` answer 503");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread() {
        let second = Duration::from_secs(1);
        assert_eq!(spread(second, 0), second);
        assert_eq!(spread(second, 500), Duration::from_millis(750));
        assert!(spread(second, 999) >= Duration::from_millis(500));
    }
}
