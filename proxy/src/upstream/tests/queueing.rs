//! Places at an upstream, who waits for one, and what is counted of who gets none.

use super::support::*;
use crate::config::{self, Breaker, EndpointAddress, InFlight, Limits};
use crate::metrics::Failure;
use crate::upstream::gate::Room;
use crate::upstream::queue::Wait;
use crate::upstream::{Upstream, UpstreamError};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::Instant;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn limits(in_flight_max: usize) -> Limits {
    Limits {
        in_flight_max: NonZeroUsize::new(in_flight_max).map(InFlight::Fixed),
        in_flight_per_endpoint_max: None,
        queue_max: 1,
        queue_timeout: Duration::from_secs(5),
    }
}

/// Found in a review: as long as anybody waited nobody looked for a place, so that a limit that was raised, or an endpoint
/// that was back, helped nobody before something else had ended.
#[test]
fn room_that_is_new_is_used_although_others_wait() {
    run(async |mut upstream, listener| {
        upstream.limits = Some(limits(1));
        let gate = Arc::clone(&upstream.shared.gate);
        let lasting = gate.take(&gate.door("elsewhere"), Room { upstream: 1, endpoint: 1 }).expect("room");
        let address = listener.local_addr().expect("an address");
        let raised = config::Upstream { limits: Some(limits(2)), ..configured(&address) };
        let raised = used_by_another(&raised, &upstream.shared);
        let (before, ()) = tokio::join!(get(&upstream), async {
            assert!(gate.has_waiting(), "it was asked first");
            let (after, _peer) = tokio::join!(get(&raised), async {
                let mut peer = Peer::accept(&listener).await;
                peer.answer(OK).await;
                peer
            });
            assert_eq!(read(after).await, (200, Ok("ok".to_owned())));
            drop(lasting);
            Peer::accept(&listener).await.answer(OK).await;
        });
        assert_eq!(read(before).await, (200, Ok("ok".to_owned())));
    });
}

/// Found in a review: who was called, and found the place taken by somebody faster, was refused when meanwhile somebody had
/// taken its seat.
#[test]
fn who_was_called_in_vain_has_its_seat_back() {
    run(async |mut upstream, listener| {
        let limits = limits(1);
        upstream.limits = Some(limits);
        let gate = Arc::clone(&upstream.shared.gate);
        let (door, room) = (gate.door("elsewhere"), Room { upstream: 1, endpoint: 1 });
        let first = gate.take(&door, room).expect("room");
        let (outcome, ()) = tokio::join!(get(&upstream), async {
            assert!(gate.has_waiting(), "it was asked first");
            drop(first);
            let faster = gate.take(&door, room).expect("who was called has not been there yet");
            let now = Instant::now();
            let wait = Wait { since: now, until: now + Duration::from_secs(5), deadline: None };
            let seat = gate.enter(limits, wait, gate.releases()).expect("a free seat");
            // Now it is there, whoever of the two is asked first.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            drop((seat, faster));
            Peer::accept(&listener).await.answer(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        let counters = &upstream.counters;
        assert_eq!((counters.queue_waits.begun.get(), counters.queue_waits.ended.get()), (2, 2));
        assert_eq!(counters.queued.get(), 1, "one request, however often it sat down");
    });
}

/// Found in a review: a request was counted again each time that it found the door shut and sat down once more.
#[test]
fn who_finds_the_door_shut_again_is_counted_once() {
    run(async |_, listener| {
        let address = listener.local_addr().expect("an address");
        let upstream = used(&config::Upstream { park: Some(config::Park::DEFAULT), ..configured(&address) });
        let (first, ()) = tokio::join!(get(&upstream), async {
            let mut peer = Peer::accept(&listener).await;
            peer.answer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await;
            drop(listener);
        });
        assert_eq!(read(first).await, (200, Ok("ok".to_owned())));
        let waits = &upstream.counters.park_waits;
        let (outcome, ()) = tokio::join!(get(&upstream), async {
            while waits.begun.get() < 1 {
                tokio::task::yield_now().await;
            }
            let opened = TcpListener::bind(address).await.expect("the same port");
            // Who knocked is heard, and by the time that the request comes nobody is there.
            drop((Peer::accept(&opened).await, opened));
            while waits.begun.get() < 2 {
                tokio::task::yield_now().await;
            }
            let back = TcpListener::bind(address).await.expect("the same port");
            let mut knocked = Peer::accept(&back).await;
            knocked.answer(OK).await;
        });
        assert_eq!(read(outcome).await, (200, Ok("ok".to_owned())));
        assert_eq!((waits.begun.get(), waits.ended.get()), (2, 2));
        assert_eq!(upstream.counters.parked.get(), 1, "one request, however often it sat down");
    });
}

/// Found in a review: these two causes were documented as labels of a metric that never had them.
#[test]
fn who_is_sent_nowhere_is_counted_too() {
    let nobody = |upstream: &Upstream| upstream.counters.failures(Failure::Resolve);
    let open = |upstream: &Upstream| upstream.counters.failures(Failure::CircuitOpen);
    run(async |mut upstream, listener| {
        drop(listener);
        upstream.breaker = Some(Breaker { failures_max: 1, open_for: Duration::from_secs(60) });
        assert!(matches!(get(&upstream).await, Err(UpstreamError::Connect(_))));
        assert_eq!((open(&upstream), upstream.counters.failures(Failure::Connect)), (0, 1));
        assert!(matches!(get(&upstream).await, Err(UpstreamError::CircuitOpen(_))));
        assert_eq!((open(&upstream), upstream.counters.failures(Failure::Connect)), (1, 1));

        let mut unknown = configured(&SocketAddr::from(([127, 0, 0, 1], 1)));
        unknown.endpoints[0].address = EndpointAddress::Tcp { host: "nobody.invalid".to_owned(), port: 1 };
        // Nobody looks the name up.
        let unknown = used(&config::Upstream { connect_timeout: Duration::from_millis(1), ..unknown });
        assert!(matches!(get(&unknown).await, Err(UpstreamError::Resolve(_))));
        assert_eq!(nobody(&unknown), 1);
    });
}
