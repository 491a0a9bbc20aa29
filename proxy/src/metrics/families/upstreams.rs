//! What is counted of each upstream.

use super::{counter, gauge, label};
use crate::metrics::family::{Family, Label, Samples};
use crate::metrics::upstreams::{Failure, UpstreamCounters, Waits};
use crate::metrics::{AdaptedSample, Metrics, WorkerMetrics};
use std::collections::BTreeMap;

const UPSTREAM: Label = label("upstream");

const FAILURE: Label =
    Label { name: "reason", values: Some(|| Failure::ALL.iter().map(|(_, label, text)| (*label, *text)).collect()) };

pub(super) static FAMILIES: &[Family] = &[
    counter(
        "portcullis_upstream_connect_races_total",
        &[label("upstream")],
        "Connects that took so long that another address of the same name was tried beside them (see \
         `upstream.connect_attempt_delay`).",
        |metrics, samples| {
            let sums = by_upstream(metrics, |counters| [counters.races.get()]);
            sums.iter().for_each(|(name, [count])| samples.add([name], *count));
        },
    ),
    counter(
        "portcullis_upstream_connects_outrun_total",
        &[label("upstream")],
        "Connects that were given up because another address of the same name had taken the connection.",
        |metrics, samples| {
            let sums = by_upstream(metrics, |counters| [counters.outrun.get()]);
            sums.iter().for_each(|(name, [count])| samples.add([name], *count));
        },
    ),
    counter(
        "portcullis_upstream_connections_total",
        &[UPSTREAM],
        "Connections opened to endpoints of an upstream.",
        |metrics, samples| each(metrics, samples, |counters| counters.connects.get()),
    ),
    counter(
        "portcullis_upstream_reuses_total",
        &[UPSTREAM],
        "Requests sent on a connection that had been used before.",
        |metrics, samples| each(metrics, samples, |counters| counters.reuses.get()),
    ),
    counter(
        "portcullis_upstream_failures_total",
        &[UPSTREAM, FAILURE],
        "Attempts to get an answer from an upstream that failed, whether or not another one followed.",
        |metrics, samples| {
            let sums = by_upstream(metrics, |counters| Failure::ALL.map(|(failure, ..)| counters.failures(failure)));
            for (name, counts) in &sums {
                for ((_, label, _), count) in Failure::ALL.into_iter().zip(counts) {
                    samples.add([name, label], *count);
                }
            }
        },
    ),
    counter(
        "portcullis_upstream_retries_total",
        &[UPSTREAM],
        "Attempts that followed a failure because the route has `retry`. Those that are always free are not counted.",
        |metrics, samples| each(metrics, samples, |counters| counters.retries.get()),
    ),
    counter(
        "portcullis_upstream_retries_denied_total",
        &[UPSTREAM],
        "Attempts that the route allows and that were not made, because the upstream's `retry_budget` was spent.",
        |metrics, samples| each(metrics, samples, |counters| counters.retries_denied.get()),
    ),
    counter(
        "portcullis_upstream_hedges_total",
        &[UPSTREAM],
        "Attempts that were sent beside one that took long, because the route has `retry.hedge`.",
        |metrics, samples| each(metrics, samples, |counters| counters.hedges.get()),
    ),
    counter(
        "portcullis_upstream_hedges_won_total",
        &[UPSTREAM],
        "Those of them that were answered first.",
        |metrics, samples| each(metrics, samples, |counters| counters.hedges_won.get()),
    ),
    counter(
        "portcullis_upstream_breaks_total",
        &[UPSTREAM],
        "How often a breaker has opened: an endpoint failed too often and was left alone (`breaker`).",
        |metrics, samples| each(metrics, samples, |counters| counters.breaks.get()),
    ),
    counter(
        "portcullis_upstream_queued_total",
        &[UPSTREAM],
        "Requests that have waited, or wait, for a place (`limits`).",
        |metrics, samples| each(metrics, samples, |counters| counters.queued.get()),
    ),
    gauge("portcullis_upstream_queued", &[UPSTREAM], "Requests that wait for a place.", |metrics, samples| {
        waiting(metrics, samples, |counters| &counters.queue_waits);
    }),
    gauge(
        "portcullis_upstream_in_flight_limit",
        &[UPSTREAM],
        "Requests that may be in flight at an upstream with an adaptive limit (`limits.in_flight_max`).",
        |metrics, samples| {
            let adapted = (metrics.adapted)();
            adapted.iter().for_each(|sample| samples.add([&sample.upstream], sample.limit as u64));
        },
    ),
    gauge(
        "portcullis_upstream_latency_least_microseconds",
        &[UPSTREAM],
        "How long an answer of it takes without a queue, from which that limit follows: half of the answers took at most \
         so long when that was the least. Absent: not known yet.",
        |metrics, samples| {
            for AdaptedSample { upstream, limit: _, least } in (metrics.adapted)() {
                let us = least.map(|least| u64::try_from(least.as_micros()).unwrap_or(u64::MAX));
                us.into_iter().for_each(|us| samples.add([&upstream], us));
            }
        },
    ),
    counter(
        "portcullis_upstream_parked_total",
        &[UPSTREAM],
        "Requests that have waited, or wait, for an endpoint to come back (`park`).",
        |metrics, samples| each(metrics, samples, |counters| counters.parked.get()),
    ),
    gauge(
        "portcullis_upstream_parked",
        &[UPSTREAM],
        "Requests that wait for an endpoint to come back.",
        |metrics, samples| waiting(metrics, samples, |counters| &counters.park_waits),
    ),
];

/// A sample of each upstream.
fn each(metrics: &Metrics, samples: &mut Samples, number: fn(&UpstreamCounters) -> u64) {
    let sums = by_upstream(metrics, |counters| [number(counters)]);
    sums.iter().for_each(|(name, [count])| samples.add([name], *count));
}

/// Adds up some numbers of each upstream over all workers.
fn by_upstream<const N: usize>(
    metrics: &Metrics,
    numbers: impl Fn(&UpstreamCounters) -> [u64; N],
) -> BTreeMap<String, [u64; N]> {
    let mut sums: BTreeMap<String, [u64; N]> = BTreeMap::new();
    for WorkerMetrics { upstreams, .. } in metrics.workers.iter().map(AsRef::as_ref) {
        upstreams.each(|name, counters| {
            let sum = sums.entry(name.to_owned()).or_insert([0; N]);
            sum.iter_mut().zip(numbers(counters)).for_each(|(sum, number)| *sum = sum.wrapping_add(number));
        });
    }
    sums
}

/// How many have begun something and not ended it, by upstream.
fn waiting(metrics: &Metrics, samples: &mut Samples, of: impl Fn(&UpstreamCounters) -> &Waits) {
    // Read first: what ends in between has begun, and the number must not fall below zero.
    let ended = by_upstream(metrics, |counters| [of(counters).ended.get()]);
    let begun = by_upstream(metrics, |counters| [of(counters).begun.get()]);
    for (name, [count]) in &begun {
        samples.add([name], count.saturating_sub(ended.get(name).map_or(0, |[ended]| *ended)));
    }
}
