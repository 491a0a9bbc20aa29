//! What passes between a connection and the service of one of its requests, beside the request and its response: the
//! pieces of the request's body, one at a time, and interim responses.
//!
//! A connection polls its service itself, so no task is woken on the usual way: the service asks, the connection looks
//! and reads. Only a body that was taken to another task wakes the connection, and is woken by it. The lock is there
//! because frameworks want bodies to be `Send`; nobody ever waits for it.

use crate::body_error::BodyError;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Interim responses that may wait to be written. An upstream that sends more before its response is at fault.
const INTERIM_MAX: usize = 8;

/// One request's exchange.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    piece: Option<Result<Frame<Bytes>, BodyError>>,
    /// The service waits for a piece.
    wanted: bool,
    /// No further piece comes, or nobody wants one.
    ended: bool,
    /// Bytes that are still to come, when that was announced.
    left: Option<u64>,
    /// Pieces come only after the protocol was switched.
    awaits_switch: bool,
    reader: Option<Waker>,
    connection: Option<Waker>,
    interim: Vec<Interim>,
}

/// An interim response (RFC 9110 section 15.2): a status from 100 to 199 but not 101, and fields.
#[derive(Debug)]
pub(crate) struct Interim {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
}

/// What the connection shall do for the service now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Nothing.
    None,
    /// Read a piece of the body.
    Piece,
    /// The service does not want the rest of the body.
    Abandoned,
}

impl Exchange {
    /// For a request whose body has `left` bytes, if that is known.
    pub(crate) fn new(left: Option<u64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { left, ..State::default() }) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of the service while it held the lock leaves nothing half done here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The service's side.

    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut state = self.state();
        if let Some(piece) = state.piece.take() {
            if let (Some(left), Ok(frame)) = (&mut state.left, &piece) {
                *left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
            return Poll::Ready(Some(piece));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.wanted = true;
        match &mut state.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        // On the connection's own task this is not needed: it looks after it has polled its service.
        let elsewhere = state.connection.take_if(|connection| !connection.will_wake(cx.waker()));
        drop(state);
        if let Some(elsewhere) = elsewhere {
            elsewhere.wake();
        }
        Poll::Pending
    }

    /// Waits until the protocol is switched; false when it is not going to be. For bodies whose pieces come another way.
    pub(crate) fn poll_switched(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.state();
        if state.ended || !state.awaits_switch {
            return Poll::Ready(!state.ended);
        }
        match &mut state.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Nothing is left to be read.
    pub(crate) fn is_at_end(&self) -> bool {
        let state = self.state();
        state.piece.is_none() && (state.ended || state.left == Some(0))
    }

    /// Bytes that are still to be read, when that was announced.
    pub(crate) fn left(&self) -> Option<u64> {
        let state = self.state();
        if state.ended && state.piece.is_none() { Some(0) } else { state.left }
    }

    /// The service has let go of the body.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        if state.ended {
            return;
        }
        state.ended = true;
        state.piece = None;
        let connection = state.connection.take();
        drop(state);
        if let Some(connection) = connection {
            connection.wake();
        }
    }

    /// Sends an interim response; false when too many wait already.
    pub(crate) fn send_interim(&self, interim: Interim) -> bool {
        let mut state = self.state();
        let room = state.interim.len() < INTERIM_MAX;
        if room {
            state.interim.push(interim);
        }
        let connection = state.connection.take();
        drop(state);
        if let Some(connection) = connection {
            connection.wake();
        }
        room
    }

    // The connection's side.

    /// The client offers to switch protocols: until that is done there is nothing to read.
    pub(crate) fn await_switch(&self) {
        self.state().awaits_switch = true;
    }

    /// The protocol has been switched: everything that follows belongs to the body.
    pub(crate) fn switched(&self) {
        let mut state = self.state();
        state.awaits_switch = false;
        state.left = None;
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// What the service wants; when that is nothing now, `cx` is woken once it changes.
    pub(crate) fn demand(&self, cx: &mut Context<'_>) -> Demand {
        let mut state = self.state();
        match &mut state.connection {
            Some(connection) => connection.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if state.ended {
            Demand::Abandoned
        } else if state.wanted && state.piece.is_none() && !state.awaits_switch {
            Demand::Piece
        } else {
            Demand::None
        }
    }

    /// Hands over a piece, or the end.
    pub(crate) fn supply(&self, piece: Option<Result<Frame<Bytes>, BodyError>>) {
        let mut state = self.state();
        state.wanted = false;
        state.ended |= !matches!(piece, Some(Ok(_)));
        if piece.is_some() {
            state.piece = piece;
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The interim responses that wait to be written; when there are none, `cx` is woken for the next.
    pub(crate) fn poll_interim(&self, cx: &mut Context<'_>) -> Vec<Interim> {
        let mut state = self.state();
        if state.interim.is_empty() {
            match &mut state.connection {
                Some(connection) => connection.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
        }
        std::mem::take(&mut state.interim)
    }

    /// The interim responses that wait to be written.
    pub(crate) fn take_interim(&self) -> Vec<Interim> {
        std::mem::take(&mut self.state().interim)
    }
}
