//! A connect to an endpoint, in which further addresses of its name run beside it when it takes long.
//!
//! Nothing of a request is sent before there is a connection, so it may go to whichever address takes it first.

use super::attempt::{Attempt, Why};
use super::choice::{Outcome, Tried};
use super::dial::DialError;
use super::endpoint::{Counted, Endpoint, Link};
use super::error::UpstreamError;
use super::race::{Finish, Runner, Times, race};
use super::worker::Upstream;
use std::cell::Cell;
use std::future::ready;
use std::rc::Rc;
use tokio::time::Instant;

/// An endpoint that takes part.
struct Contender {
    counted: Counted,
    begun: Instant,
    /// Whether it waits for an answer to its connect.
    waits: Rc<Cell<bool>>,
    /// Whether it had a connection already.
    reused: bool,
}

/// What came of it.
pub(super) struct Contested {
    /// Where the request goes.
    pub(super) won: Option<(Link, Counted)>,
    /// Endpoints that are not to be asked again by this request, and why: those that failed, and those that were too slow.
    pub(super) lost: Vec<(Rc<Endpoint>, UpstreamError)>,
}

/// How a connection for a request may look.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// How it begins, if it is opened for the request.
    pub(super) prelude: &'a [u8],
    /// An idle one will do, if it lives as surely as this; `None`: it will not.
    pub(super) idle_surely: Option<bool>,
    /// Limits and breakers are not asked.
    pub(super) knocks: bool,
}

impl Upstream {
    /// A connection to this endpoint, or to another address of its name that is not in `over`, within `connect_timeout`.
    /// `attempt` has begun at the endpoint, and is at the winner afterwards.
    pub(super) async fn contest(
        &self,
        first: Counted,
        wanted: Wanted<'_>,
        over: &Tried,
        begun: Instant,
        attempt: &mut Attempt,
    ) -> Contested {
        let endpoint = Rc::clone(first.endpoint());
        let mut over = over.clone();
        over.note(&endpoint);
        let mut last = Rc::clone(&endpoint);
        let mut raced = false;
        let next = || {
            // An address that does not answer may have been given up by its name.
            endpoint.look_again();
            let runner = self.rival(&endpoint, &last, wanted, &mut over)?;
            last = Rc::clone(runner.who.counted.endpoint());
            raced = true;
            Some(runner)
        };
        let times = Times { delay: self.connect_attempt_delay, limit: self.connect_timeout };
        let runner = runner(first, wanted.prelude, begun);
        let finish = race(runner, next, |one| one.waits.get(), self.endpoints.changes(), times).await;
        if raced {
            self.counters.races.increment();
        }
        self.judge(finish, &endpoint, attempt)
    }

    /// The next address of the name that may be asked.
    fn rival<'a>(
        &self,
        of: &Endpoint,
        last: &Endpoint,
        wanted: Wanted<'a>,
        over: &mut Tried,
    ) -> Option<Runner<'a, Contender, Link, DialError>> {
        loop {
            let rival = self.endpoints.rival(of, last, over)?;
            over.note(&rival);
            let place = if wanted.knocks { Ok(None) } else { self.admit(&rival) };
            let Ok(place) = place else { continue };
            let now = Instant::now();
            let idle = wanted.idle_surely.and_then(|surely| rival.take_idle(self.idle_timeout, surely, now));
            let counted = rival.count(place);
            let Some(idle) = idle else { return Some(runner(counted, wanted.prelude, now)) };
            let who = Contender { counted, begun: now, waits: Rc::default(), reused: true };
            return Some(Runner { who, connecting: Box::pin(ready(Ok(Link::Http1(idle)))) });
        }
    }

    /// Takes in what came of a race that began at `first`.
    fn judge(
        &self,
        finish: Finish<Contender, Link, DialError>,
        first: &Rc<Endpoint>,
        attempt: &mut Attempt,
    ) -> Contested {
        let Finish { won, failed, outrun, dropped } = finish;
        let mut lost = Vec::new();
        let mut note = |contender: Contender, error: UpstreamError, why: Why| {
            let endpoint = contender.counted.endpoint();
            tracing::debug!(upstream = &*self.name, endpoint = &*endpoint.label, %error, "no connection");
            if Rc::ptr_eq(endpoint, first) {
                attempt.failed(why);
            } else {
                attempt.failed_beside(&endpoint.label, contender.begun, why);
            }
            self.learn(endpoint, false);
            lost.push((Rc::clone(endpoint), error));
        };
        for (contender, error) in failed {
            let error = UpstreamError::from(error);
            contender.counted.endpoint().report(Outcome::Unreachable);
            self.failed(&error);
            let why = Why::from(&error);
            note(contender, error, why);
        }
        for contender in outrun {
            let endpoint = contender.counted.endpoint();
            if won.is_some() {
                self.counters.outrun.increment();
                endpoint.report(Outcome::Unreachable);
                note(contender, UpstreamError::ConnectTimeout, OUTRUN);
                continue;
            }
            let error = if endpoint.http2().is_full() { UpstreamError::Busy } else { UpstreamError::ConnectTimeout };
            if !matches!(error, UpstreamError::Busy) {
                endpoint.report(Outcome::Unreachable);
            }
            self.failed(&error);
            let why = Why::from(&error);
            note(contender, error, why);
        }
        // They had less time than the winner, which says nothing of them.
        dropped.iter().for_each(|_| self.counters.outrun.increment());
        let won = won.map(|(Contender { counted, begun, waits: _, reused }, link)| {
            if !Rc::ptr_eq(counted.endpoint(), first) {
                attempt.begin(&counted.endpoint().label, begun);
            }
            let counter = if reused { &self.counters.reuses } else { &self.counters.connects };
            counter.increment();
            (link, counted)
        });
        Contested { won, lost }
    }
}

/// Why the log line says that an attempt came to nothing when another address took the connection first.
const OUTRUN: Why = Why::Cause("connect_outrun");

fn runner(counted: Counted, prelude: &[u8], begun: Instant) -> Runner<'_, Contender, Link, DialError> {
    let (endpoint, waits) = (Rc::clone(counted.endpoint()), Rc::<Cell<bool>>::default());
    let waiting = Rc::clone(&waits);
    let connecting = Box::pin(async move { endpoint.connect(prelude, &waiting).await });
    Runner { who: Contender { counted, begun, waits, reused: false }, connecting }
}
