//! Who leads and who waits, in any order of events; and which bodies are short.

use super::{CallKey, Coalescer, Held, KeyWriter, Lead, Outcome, Seat, Taken, Wait, take};
use crate::budget::Budget;
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use proptest::prelude::*;
use serve::{Body, BodyError};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

/// Calls fail with a number, which tells them apart.
type Table = Arc<Coalescer<usize>>;

fn key(number: u8) -> CallKey {
    let mut key = KeyWriter::new();
    key.part(&[number]);
    key.finish()
}

fn lead(table: &Table, number: u8) -> Lead<usize> {
    match table.join(key(number), "leader", 10) {
        Seat::Lead(lead) => lead,
        Seat::Wait(_) | Seat::Alone => panic!("nobody else leads"),
    }
}

fn wait(table: &Table, number: u8) -> Wait<usize> {
    match table.join(key(number), "other", 10) {
        Seat::Wait(wait) => wait,
        Seat::Lead(_) | Seat::Alone => panic!("there is a call to wait for"),
    }
}

/// What somebody who waits knows now: `None`, nothing; else the number of the failure, if it was one.
fn known(wait: Wait<usize>) -> Option<Option<usize>> {
    wait.outcome().now_or_never().map(|outcome| match outcome {
        Outcome::Failed(number) => Some(number),
        Outcome::NotShared | Outcome::Answered(_) => None,
    })
}

#[test]
fn parts_of_a_key_do_not_run_into_each_other() {
    let of = |parts: &[&[u8]]| {
        let mut key = KeyWriter::new();
        for part in parts {
            key.part(part);
        }
        key.finish()
    };
    let lists: [&[&[u8]]; 6] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[b"", b"abc"], &[]];
    for (index, one) in lists.iter().enumerate() {
        assert_eq!(of(one), of(one));
        assert!(lists[..index].iter().all(|other| of(other) != of(one)), "{one:?}");
    }
}

#[test]
fn all_who_wait_get_what_the_leader_got_and_nobody_after() {
    let table: Table = Coalescer::new();
    let leader = lead(&table, 1);
    let (first, second) = (wait(&table, 1), wait(&table, 1));
    let other = lead(&table, 2);
    assert_eq!((&**first.leader(), table.under_way()), ("leader", 2));
    leader.finish(Outcome::Failed(7));
    assert_eq!((known(first), known(second)), (Some(Some(7)), Some(Some(7))));
    drop(lead(&table, 1));
    drop(other);
    assert_eq!(table.under_way(), 0);
}

#[test]
fn who_waits_goes_alone_when_the_leader_is_gone() {
    let table: Table = Coalescer::new();
    let leader = lead(&table, 1);
    let waiting = wait(&table, 1);
    drop(leader);
    assert_eq!(known(waiting), Some(None));
    assert_eq!(table.under_way(), 0);
}

#[test]
fn seats_are_counted_and_come_back() {
    let table: Table = Coalescer::new();
    let _leader = lead(&table, 1);
    let join = || table.join(key(1), "other", 2);
    let (Seat::Wait(first), Seat::Wait(_second)) = (join(), join()) else { panic!("two seats") };
    assert!(matches!(join(), Seat::Alone));
    drop(first);
    assert!(matches!(join(), Seat::Wait(_)));
}

#[derive(Debug, Clone)]
enum Event {
    Join(u8),
    Finish(prop::sample::Index),
    GiveUp(prop::sample::Index),
    Leave(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..3_u8).prop_map(Event::Join),
        1 => index().prop_map(Event::Finish),
        1 => index().prop_map(Event::GiveUp),
        1 => index().prop_map(Event::Leave),
    ]
}

proptest! {
    /// A model beside the table: each call has a number, and whoever waits remembers whose call it was.
    #[test]
    fn one_leads_and_each_hears_of_the_call_it_joined(events in prop::collection::vec(event(), 0..60)) {
        let table: Table = Coalescer::new();
        let mut leads: Vec<(u8, usize, Lead<usize>)> = Vec::new();
        let mut waits: Vec<(usize, Wait<usize>)> = Vec::new();
        let mut ended: Vec<(usize, bool)> = Vec::new();
        let mut calls = 0;
        for event in events {
            match event {
                Event::Join(number) => {
                    let under_way = leads.iter().find(|(led, ..)| *led == number).map(|(_, call, _)| *call);
                    match (table.join(key(number), &calls.to_string(), 3), under_way) {
                        (Seat::Lead(lead), None) => {
                            leads.push((number, calls, lead));
                            calls += 1;
                        }
                        (Seat::Wait(wait), Some(call)) => {
                            prop_assert_eq!(&**wait.leader(), call.to_string());
                            waits.push((call, wait));
                            prop_assert!(waits.iter().filter(|(joined, _)| *joined == call).count() <= 3);
                        }
                        (Seat::Alone, Some(call)) => {
                            prop_assert_eq!(waits.iter().filter(|(joined, _)| *joined == call).count(), 3);
                        }
                        _ => prop_assert!(false, "two lead one call, or nobody does"),
                    }
                }
                Event::Finish(index) if !leads.is_empty() => {
                    let (_, call, lead) = leads.swap_remove(index.index(leads.len()));
                    lead.finish(Outcome::Failed(call));
                    ended.push((call, true));
                }
                Event::GiveUp(index) if !leads.is_empty() => {
                    let (_, call, lead) = leads.swap_remove(index.index(leads.len()));
                    drop(lead);
                    ended.push((call, false));
                }
                Event::Leave(index) if !waits.is_empty() => drop(waits.swap_remove(index.index(waits.len()))),
                Event::Finish(_) | Event::GiveUp(_) | Event::Leave(_) => {}
            }
            prop_assert_eq!(table.under_way(), leads.len());
        }
        for (call, wait) in waits {
            let expected = ended.iter().find(|(over, _)| *over == call).map(|(_, told)| told.then_some(call));
            prop_assert_eq!(known(wait), expected);
        }
    }
}

#[test]
fn an_outcome_wakes_other_workers() {
    let table: Table = Coalescer::new();
    let leader = lead(&table, 1);
    let joined = Arc::new(Barrier::new(3));
    let (sender, outcomes) = mpsc::channel();
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (table, joined, sender) = (Arc::clone(&table), Arc::clone(&joined), sender.clone());
            thread::spawn(move || {
                serve::worker::local_runtime().expect("a runtime").block_on(async {
                    let waits: Vec<_> = (0..5).map(|_| tokio::task::spawn_local(wait(&table, 1).outcome())).collect();
                    joined.wait();
                    for waiting in waits {
                        sender.send(waiting.await.expect("an outcome")).expect("the test listens");
                    }
                });
            })
        })
        .collect();
    joined.wait();
    leader.finish(Outcome::Failed(7));
    drop(sender);
    let outcomes: Vec<_> = outcomes.iter().collect();
    assert_eq!(outcomes.len(), 10);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(7))), "{outcomes:?}");
    workers.into_iter().for_each(|worker| worker.join().expect("a worker"));
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, test)
}

fn frames(frames: impl IntoIterator<Item = Frame<Bytes>, IntoIter: Send + 'static>) -> Body {
    Body::stream(StreamBody::new(futures_util::stream::iter(frames.into_iter().map(Ok))))
}

fn pieces(pieces: &'static [&'static str]) -> Body {
    frames(pieces.iter().map(|piece| Frame::data(Bytes::from_static(piece.as_bytes()))))
}

fn whole(taken: Taken<Body>) -> Option<Held> {
    match taken {
        Taken::Whole(held) => Some(held),
        Taken::Begun(_) => None,
    }
}

#[test]
fn short_bodies_are_taken_and_others_go_on_as_they_came() {
    run(async {
        for (content, room, expected) in [
            (&[][..], 100, Some("")),
            (&["hello ", "you"], 100, Some("hello you")),
            (&["0123456789"], 100, Some("0123456789")),
            (&["0123456789", "a"], 100, None),
            (&["0123", "456"], 5, None),
        ] {
            let room = Budget::new(room);
            let before = room.left();
            let taken = take(pieces(content), 10, &room).await.expect("a sound body");
            match taken {
                Taken::Whole(held) => {
                    assert_eq!(Some(held.bytes().as_ref()), expected.map(str::as_bytes));
                    assert_eq!(room.left(), before - held.bytes().len() as u64);
                    let again = held.clone().into_body();
                    assert_eq!(again.size_hint().exact(), Some(held.bytes().len() as u64));
                }
                Taken::Begun(begun) => {
                    assert_eq!(expected, None, "{content:?}");
                    let all = begun.collect().await.expect("a sound body").to_bytes();
                    assert_eq!(all, content.concat(), "nothing is lost");
                }
            }
            assert_eq!(room.left(), before, "the room comes back");
        }
    });
}

#[test]
fn what_is_announced_as_long_is_not_even_begun() {
    run(async {
        let body = Body::full("0123456789a");
        let Ok(Taken::Begun(begun)) = take(body, 10, &Budget::new(100)).await else { panic!("too long") };
        assert_eq!(begun.size_hint().exact(), Some(11));
    });
}

#[test]
fn trailers_stay_with_their_body() {
    run(async {
        let trailers = HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("1"))]);
        let body = frames([Frame::data(Bytes::from_static(b"ab")), Frame::trailers(trailers.clone())]);
        let Ok(Taken::Begun(begun)) = take(body, 10, &Budget::new(100)).await else { panic!("it has trailers") };
        assert_eq!((begun.size_hint().lower(), begun.size_hint().upper()), (2, None));
        let collected = begun.collect().await.expect("a sound body");
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "ab");
    });
}

#[test]
fn a_slow_body_goes_on_and_a_broken_one_is_an_error() {
    run(async {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Result<Frame<Bytes>, BodyError>>();
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|frame| (frame, receiver))
        });
        sender.send(Ok(Frame::data(Bytes::from_static(b"ab")))).expect("a body");
        let taken = take(Body::stream(StreamBody::new(Box::pin(stream))), 10, &Budget::new(100)).await;
        let Ok(Taken::Begun(begun)) = taken else { panic!("its end does not come") };
        sender.send(Ok(Frame::data(Bytes::from_static(b"cd")))).expect("a body");
        drop(sender);
        assert_eq!(begun.collect().await.expect("a sound body").to_bytes(), "abcd");

        let broken = futures_util::stream::iter([Err(BodyError::Disconnected)]);
        let taken = take(Body::stream(StreamBody::new(broken)), 10, &Budget::new(100)).await;
        assert_eq!(taken.err(), Some(BodyError::Disconnected));
        assert!(whole(take(Body::empty(), 0, &Budget::new(0)).await.expect("a sound body")).is_some());
    });
}
