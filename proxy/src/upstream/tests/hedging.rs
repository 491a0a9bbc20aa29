//! What is counted of attempts beside others.

use super::support::*;
use crate::config::{self, HedgeAfter, InFlight, Limits};
use crate::upstream::gate::Room;
use crate::upstream::{Affinity, Again, Attempt, Call, HostField, RetryPolicy, Upstream};
use http::{Method, request};
use serve::Body;
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

const OK: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

/// Counts the attempts beside the first: each has the head made anew.
#[derive(Default)]
struct Renewed(Cell<usize>);

impl Again for Renewed {
    fn holds(&self) -> bool {
        false
    }

    fn body(&self) -> Option<Body> {
        None
    }

    fn renew(&self, _: &mut request::Parts) {
        self.0.set(self.0.get() + 1);
    }
}

/// Sends a request beside which another attempt begins soon.
async fn hedged(upstream: &Upstream, renewed: &Renewed) -> Outcome {
    let retry = config::Retry {
        on: Vec::new(),
        attempts_max: 2,
        per_try_timeout: None,
        hedge: Some(HedgeAfter::Time(Duration::from_millis(1))),
    };
    let call = Call {
        head: &mut request(Method::GET, "/"),
        own: None,
        body: Body::empty(),
        again: Some(renewed),
        tunnel: None,
        affinity: Affinity::default(),
        host: &HostField::Kept,
        limits: LIMITS,
        deadline: None,
        retry: Some(&RetryPolicy::new(&retry)),
        identity_headers: &Rc::from([]),
        prelude: &[],
        interim: &mut |_, _| (),
    };
    upstream.send(call, &mut Attempt::default()).await
}

/// Found in a review: one that found no room was counted as if it had been sent.
#[test]
fn only_what_was_sent_counts() {
    run(async |_, one| {
        let two = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = configured(&one.local_addr().expect("an address"));
        config.endpoints.extend(configured(&two.local_addr().expect("an address")).endpoints);
        config.limits = Some(Limits {
            in_flight_max: NonZeroUsize::new(2).map(InFlight::Fixed),
            in_flight_per_endpoint_max: None,
            queue_max: 1,
            queue_timeout: Duration::from_secs(5),
        });
        let upstream = used(&config);
        let gate = Arc::clone(&upstream.shared.gate);
        let lasting = gate.take(&gate.door("elsewhere"), Room { upstream: 2, endpoint: 1 }).expect("room");

        let renewed = Renewed::default();
        let (outcome, ()) = tokio::join!(hedged(&upstream, &renewed), async {
            let mut first = tokio::select! {
                peer = Peer::accept(&one) => peer,
                peer = Peer::accept(&two) => peer,
            };
            while renewed.0.get() == 0 {
                tokio::task::yield_now().await;
            }
            first.answer(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        assert_eq!(upstream.counters.hedges.get(), 0, "there was no room for it");

        drop(lasting);
        let renewed = Renewed::default();
        let (outcome, _other) = tokio::join!(hedged(&upstream, &renewed), async {
            let (mut peer, other) = tokio::join!(Peer::accept(&one), Peer::accept(&two));
            peer.answer(OK).await;
            other
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        assert_eq!(upstream.counters.hedges.get(), 1);
    });
}
