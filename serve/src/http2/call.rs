//! What is known of a request for as long as it is answered, and what goes to the client before its response.

use super::wire::Wire;
use crate::counters::{ConnectionCounters, Protection};
use crate::drain::{Doing, Work};
use crate::exchange::{Exchange, Interim};
use crate::limits::ConnectionLimits;
use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What the streams of a connection share.
pub(super) struct Shared<'a> {
    pub(super) limits: &'a ConnectionLimits,
    pub(super) counters: &'a ConnectionCounters,
    pub(super) wire: Rc<RefCell<Wire>>,
}

impl Shared<'_> {
    pub(super) fn note(&self, protection: Protection) {
        self.counters.note(protection);
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With a whole response.
    Answered,
    /// By a reset, from either side.
    Reset,
}

/// What is known of a request for as long as it is answered.
pub(super) struct Call<'a> {
    pub(super) respond: SendResponse<Bytes>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) shared: &'a Shared<'a>,
    pub(super) is_head: bool,
    /// It is an extended CONNECT.
    pub(super) offers_tunnel: bool,
    /// The client waits for leave to send its body (RFC 9110 section 10.1.1).
    pub(super) expects_continue: bool,
    /// The drain waits for it.
    pub(super) doing: Doing<'a>,
}

impl Call<'_> {
    /// Polls the service, and sends its interim responses meanwhile. `None` when nobody waits for the response any more.
    pub(super) fn poll_answer<F, B>(&mut self, cx: &mut Context<'_>, service: Pin<&mut F>) -> Poll<Option<Response<B>>>
    where
        F: Future<Output = Result<Response<B>, Infallible>>,
    {
        let answer = service.poll(cx);
        let interim = self.exchange.poll_interim(cx);
        // A response that is there already needs no look at the stream: if it was reset, sending shows it.
        if (answer.is_pending() || !interim.is_empty()) && self.respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        interim.into_iter().for_each(|interim| self.send_interim(interim));
        answer.map(|Ok(response)| {
            let switches = self.offers_tunnel && response.status().is_success();
            self.doing.is(Work::of(&response, switches));
            Some(response)
        })
    }

    fn send_interim(&mut self, Interim { status, fields }: Interim) {
        if status == StatusCode::CONTINUE && !std::mem::take(&mut self.expects_continue) {
            return;
        }
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = fields;
        remove_connection_fields(head.headers_mut());
        if let Err(error) = self.respond.send_informational(head) {
            tracing::debug!(%error, %status, "interim response not sent");
        }
    }

    /// Gives the stream up.
    pub(super) fn reset(&mut self, reason: Reason) -> Ended {
        self.respond.send_reset(reason);
        Ended::Reset
    }
}

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields that HTTP/2 does not have in responses (RFC 9113 section 8.2.2).
static CONNECTION_FIELDS: [&HeaderName; 6] =
    [&header::CONNECTION, &header::TRANSFER_ENCODING, &header::UPGRADE, &header::TE, &KEEP_ALIVE, &PROXY_CONNECTION];

/// Removes what `h2` would refuse to send.
pub(super) fn remove_connection_fields(fields: &mut HeaderMap) {
    // Few responses have any: looking at the names that are there is cheaper than asking for each that may be.
    while let Some(name) = fields.keys().find(|name| CONNECTION_FIELDS.contains(name)).cloned() {
        fields.remove(name);
    }
}
