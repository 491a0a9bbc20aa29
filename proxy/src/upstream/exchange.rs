//! One request on one connection: from its first byte to the head of its response.

use super::connection::Connection;
use super::error::UpstreamError;
use super::own_fields::OwnFields;
use super::upload::Upload;
use super::watch::{Phase, SendLimits, Watch};
use http::{HeaderMap, StatusCode, header, request};
use serve::http1::{Framing, ResponseHead, request_head};
use serve::timer::Deadline;
use std::borrow::Cow;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long a client's body waits for the endpoint to ask for it; then it is sent unasked (RFC 9110 section 10.1.1).
pub(super) const CONTINUE_AWAITED_FOR: Duration = Duration::from_secs(1);

/// Interim responses before the response. More are no conversation.
pub(super) const INTERIM_MAX: u32 = 16;

/// A request that is being sent, or whose response is awaited.
pub(super) struct Exchange<'a> {
    connection: &'a mut Connection,
    head: &'a request::Parts,
    own: Option<&'a dyn OwnFields>,
    upload: &'a mut Upload,
    offers_tunnel: bool,
    interim: &'a mut dyn FnMut(StatusCode, HeaderMap),
    interim_count: u32,
    stage: Stage,
    watch: Watch,
}

enum Stage {
    /// Nothing is written yet.
    Begins,
    /// The client was asked for its first piece, and this is polled again at once: a piece that has arrived leaves
    /// together with the head.
    Asked,
    /// The head was sent alone, and the endpoint is to ask for the body.
    AwaitsContinue(Deadline),
    /// All that comes is sent.
    Sends,
    /// The endpoint takes nothing any more, but may have answered before.
    Refused,
}

impl<'a> Exchange<'a> {
    /// `upload` is at its beginning.
    pub(super) fn begin(
        connection: &'a mut Connection,
        head: &'a request::Parts,
        own: Option<&'a dyn OwnFields>,
        upload: &'a mut Upload,
        offers_tunnel: bool,
        limits: SendLimits,
        interim: &'a mut dyn FnMut(StatusCode, HeaderMap),
    ) -> Self {
        connection.begin();
        let watch = Watch::new(limits);
        Self { connection, head, own, upload, offers_tunnel, interim, interim_count: 0, stage: Stage::Begins, watch }
    }

    /// Ready with the head of the response.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, UpstreamError>> {
        if matches!(self.stage, Stage::Begins | Stage::Asked) {
            ready!(self.poll_begin(cx))?;
        }
        loop {
            let more = self.poll_send(cx)?;
            match self.connection.poll_head(cx, &self.head.method)? {
                Poll::Ready(head) if head.parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(if self.offers_tunnel {
                        Ok(head)
                    } else {
                        Err(UpstreamError::Malformed("it switched protocols unasked"))
                    });
                }
                Poll::Ready(head) if head.parts.status.is_informational() => self.take_interim(head)?,
                Poll::Ready(head) => return Poll::Ready(Ok(head)),
                Poll::Pending if more.is_ready() => {}
                Poll::Pending => break,
            }
        }
        let progress = (self.upload.taken_bytes, self.connection.out.bytes());
        self.watch.poll(cx, self.phase(), progress).map(Err)
    }

    /// Whether the endpoint has answered without asking for the body that waited for its leave.
    pub(super) const fn has_declined(&self) -> bool {
        matches!(self.stage, Stage::AwaitsContinue(_))
    }

    /// Asks for the first piece of the body before anything is written: a body that is known to be malformed already
    /// reaches no endpoint. Then gathers the head.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let waits = !self.upload.has_begun();
        let expects = waits && self.head.headers.contains_key(header::EXPECT);
        if waits && !expects {
            match self.upload.poll_take(cx) {
                Poll::Ready(taken) => taken.map_err(UpstreamError::Client)?,
                Poll::Pending if matches!(self.stage, Stage::Begins) => {
                    self.stage = Stage::Asked;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Pending => {}
            }
        }
        self.gather_head();
        self.stage = if expects { Stage::AwaitsContinue(Deadline::after(CONTINUE_AWAITED_FOR)) } else { Stage::Sends };
        Poll::Ready(Ok(()))
    }

    fn gather_head(&mut self) {
        let request::Parts { method, uri, headers, .. } = self.head;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        // A target in absolute form may have no path (RFC 9112 section 3.2.1).
        let target = if target.starts_with(['/', '*']) { target.into() } else { Cow::from(format!("/{target}")) };
        let framing = match self.upload.framing {
            // What the client said of no content stays said: to POST it means something (RFC 9110 section 8.6).
            Framing::Empty => headers.contains_key(header::CONTENT_LENGTH).then_some(Framing::Empty),
            framing => Some(framing),
        };
        let own = |out: &mut Vec<u8>| {
            if let Some(own) = self.own {
                own.write(out);
            }
        };
        self.connection.out.text(|out| request_head(out, method, &target, own, headers, framing));
    }

    /// Sends what there is. Ready when more can be sent at once.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, UpstreamError> {
        if let Stage::AwaitsContinue(limit) = &self.stage
            && limit.poll(cx).is_ready()
        {
            self.stage = Stage::Sends;
        }
        let gathered = match self.stage {
            Stage::Sends => self.upload.poll_gather(cx, &mut self.connection.out).map_err(UpstreamError::Client)?,
            Stage::Refused => return Ok(Poll::Pending),
            Stage::Begins | Stage::Asked | Stage::AwaitsContinue(_) => Poll::Pending,
        };
        let sent = self.connection.poll_send(cx);
        if self.connection.wrote && !self.head.method.is_idempotent() {
            // It is not sent twice any more.
            self.upload.let_go();
        }
        Ok(match sent {
            Poll::Ready(Ok(())) if gathered.is_ready() && !self.upload.is_done() => Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => {
                self.connection.stop_sending();
                self.stage = Stage::Refused;
                Poll::Pending
            }
        })
    }

    /// Interim responses go on to the client, but for the 100, which is between this connection's ends: our server
    /// says its own when the body is asked for.
    fn take_interim(&mut self, head: ResponseHead) -> Result<(), UpstreamError> {
        self.interim_count += 1;
        if self.interim_count > INTERIM_MAX {
            return Err(UpstreamError::Malformed("too many interim responses"));
        }
        if head.parts.status != StatusCode::CONTINUE {
            (self.interim)(head.parts.status, head.parts.headers);
        } else if matches!(self.stage, Stage::AwaitsContinue(_)) {
            self.stage = Stage::Sends;
        }
        Ok(())
    }

    fn phase(&self) -> Phase {
        if !self.connection.out.is_empty() {
            Phase::EndpointTakes
        } else if matches!(self.stage, Stage::Sends) && !self.upload.is_done() && self.upload.waits_for_client {
            Phase::ClientSends
        } else {
            Phase::EndpointThinks
        }
    }
}
