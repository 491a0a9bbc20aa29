//! Every metric: its name, what it means, and how its samples are collected.

mod upstreams;

use super::family::{Family, Kind, Label, Samples};
use super::requests::{CLASSES, PROTOCOLS};
use super::{EndpointSample, EndpointState, FileCounters, Metrics};
use serve::counters::{Protection, Refusal};
use std::collections::BTreeMap;
use std::time::SystemTime;

const fn label(name: &'static str) -> Label {
    Label { name, values: None }
}

const REFUSAL: Label = Label {
    name: "reason",
    values: Some(|| Refusal::ALL.iter().map(|reason| (reason.label(), reason.doc().trim())).collect()),
};

const PROTECTION: Label = Label {
    name: "reason",
    values: Some(|| Protection::ALL.iter().map(|reason| (reason.label(), reason.doc().trim())).collect()),
};

/// The address, too: a name may lead to several.
const ENDPOINT: &[Label] = &[label("upstream"), label("endpoint"), label("address")];

const FETCH_OUTCOMES: [(&str, &str); 2] = [
    ("good", "The keys are those that the issuer publishes now."),
    ("failed", "No answer, or none that can be used; the log says why. The keys from before stay in use."),
];

const RELOAD_OUTCOMES: [(&str, &str); 2] = [
    ("good", "The new configuration is in force."),
    (
        "failed",
        "It has a mistake, or something that it needs is missing; the log says what. The old one stays in force.",
    ),
];

const RELOAD: Label = Label { name: "outcome", values: Some(|| RELOAD_OUTCOMES.to_vec()) };

const FETCH: Label = Label { name: "outcome", values: Some(|| FETCH_OUTCOMES.to_vec()) };

const CODING: Label = Label { name: "coding", values: Some(|| CODINGS.to_vec()) };

const CODINGS: [(&str, &str); 3] = [("br", "Brotli."), ("zstd", "Zstandard."), ("gzip", "Gzip.")];

const fn counter(
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    collect: fn(&Metrics, &mut Samples),
) -> Family {
    Family { name, kind: Kind::Counter, labels, help, collect }
}

const fn gauge(
    name: &'static str,
    labels: &'static [Label],
    help: &'static str,
    collect: fn(&Metrics, &mut Samples),
) -> Family {
    Family { name, kind: Kind::Gauge, labels, help, collect }
}

/// All of them, in the order in which they are shown.
pub(super) fn all() -> impl Iterator<Item = &'static Family> {
    [PROCESS_AND_CLIENTS, upstreams::FAMILIES, FILES_AND_LINKS].into_iter().flatten()
}

static PROCESS_AND_CLIENTS: &[Family] = &[
    gauge("portcullis_build_info", &[label("version")], "Always 1; the version is a label.", |_, samples| {
        samples.add([env!("CARGO_PKG_VERSION")], 1);
    }),
    gauge(
        "process_start_time_seconds",
        &[],
        "When the process started, in seconds since 1970-01-01 UTC.",
        |metrics, samples| {
            let since = metrics.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            samples.add([], since.as_secs());
        },
    ),
    gauge("portcullis_worker_threads", &[], "Workers, one thread each.", |metrics, samples| {
        samples.add([], metrics.workers.len() as u64);
    }),
    gauge(
        "portcullis_snapshots_live",
        &[],
        "Revisions of the configuration that are in memory: the one in force, and those that requests and streams from \
         before a reload still use.",
        |metrics, samples| samples.add([], (metrics.live_snapshots)() as u64),
    ),
    counter("portcullis_reloads_total", &[RELOAD], "Reloads of the configuration.", |metrics, samples| {
        metrics.reloads.read().into_iter().for_each(|(outcome, count, _)| samples.add([outcome], count));
    }),
    gauge(
        "portcullis_reload_last_timestamp_seconds",
        &[RELOAD],
        "When the last reload was, in seconds since 1970-01-01 UTC; 0: there was none.",
        |metrics, samples| {
            metrics.reloads.read().into_iter().for_each(|(outcome, _, last)| samples.add([outcome], last));
        },
    ),
    counter(
        "portcullis_connections_accepted_total",
        &[],
        "Connections taken from the kernel, whatever became of them.",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.connections.accepted.get())),
    ),
    gauge("portcullis_connections_open", &[], "Connections that have not ended.", |metrics, samples| {
        // Read first: what closes in between was open, and the number must not fall below zero.
        let closed = metrics.sum(|worker| worker.connections.closed.get());
        let accepted = metrics.sum(|worker| worker.connections.accepted.get());
        samples.add([], accepted.saturating_sub(closed));
    }),
    counter(
        "portcullis_connections_waited_total",
        &[],
        "Connections that had to wait for another one to end, because `server.connections_max` were open.",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.connections.waited.get())),
    ),
    counter(
        "portcullis_connections_refused_total",
        &[REFUSAL],
        "Connections that were closed before their first request.",
        |metrics, samples| {
            for &reason in Refusal::ALL {
                samples.add([reason.label()], metrics.sum(|worker| worker.connections.refused(reason)));
            }
        },
    ),
    counter(
        "portcullis_protections_total",
        &[PROTECTION],
        "How often the proxy put an end to what a client did on a connection.",
        |metrics, samples| {
            for &reason in Protection::ALL {
                samples.add([reason.label()], metrics.sum(|worker| worker.connections.noted(reason)));
            }
        },
    ),
    counter(
        "portcullis_received_bytes_total",
        &[],
        "Bytes read from clients, under TLS without its framing.",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.connections.received_bytes.get())),
    ),
    counter(
        "portcullis_sent_bytes_total",
        &[],
        "Bytes written to clients, under TLS without its framing.",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.connections.sent_bytes.get())),
    ),
    counter(
        "portcullis_streams_refused_total",
        &[],
        "HTTP/2 streams that were refused unprocessed, because memory ran out (`server.overload`).",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.connections.refused_streams.get())),
    ),
    gauge(
        "portcullis_overload_level",
        &[],
        "What is given up for want of memory (`server.overload`): 0 nothing, 1 connections end after their answer, \
         2 requests are refused, 3 connections too.",
        |metrics, samples| samples.add([], (metrics.overload)().map_or(0, |(level, _)| level)),
    ),
    gauge(
        "portcullis_overload_memory_bytes",
        &[],
        "Memory that is used, as `server.overload` counts it; 0 without it.",
        |metrics, samples| samples.add([], (metrics.overload)().map_or(0, |(_, (used, _))| used)),
    ),
    gauge(
        "portcullis_overload_memory_max_bytes",
        &[],
        "Memory that may be used; 0 without `server.overload`.",
        |metrics, samples| samples.add([], (metrics.overload)().map_or(0, |(_, (_, max))| max)),
    ),
    counter(
        "portcullis_http_requests_total",
        &[label("protocol"), label("status")],
        "Requests whose answer has begun, by protocol (http/1.0, http/1.1, h2) and class of status (2xx and so on).",
        |metrics, samples| {
            for (protocol, protocol_name) in PROTOCOLS.into_iter().enumerate() {
                for (class, class_name) in CLASSES.into_iter().enumerate() {
                    let count = metrics.sum(|worker| worker.requests.get(protocol, class));
                    samples.add([protocol_name, class_name], count);
                }
            }
        },
    ),
    counter(
        "portcullis_http_errors_total",
        &[label("code")],
        "Errors that the proxy itself answered with, by the code in their body. A code is shown once it has occurred.",
        |metrics, samples| {
            let mut sums = BTreeMap::new();
            metrics.workers.iter().for_each(|worker| worker.errors.add_to(&mut sums));
            sums.into_iter().for_each(|(code, count)| samples.add([code], count));
        },
    ),
    counter(
        "portcullis_auth_refusals_total",
        &[label("reason")],
        "Requests that the auth rule of their route refused, by the exact reason that the log has too. A reason is shown \
         once it has occurred.",
        |metrics, samples| {
            let mut sums = BTreeMap::new();
            metrics.workers.iter().for_each(|worker| worker.refused_tokens.add_to(&mut sums));
            sums.into_iter().for_each(|(reason, count)| samples.add([reason], count));
        },
    ),
    gauge(
        "portcullis_issuer_keys_age_seconds",
        &[label("issuer")],
        "How long ago the keys of an issuer were fetched; only issuers whose keys come from a URL and were loaded. They \
         are fetched at least every ten minutes, and no longer used after 24 hours.",
        |metrics, samples| {
            let ages = (metrics.keys)();
            let ages = ages.iter().filter_map(|keys| Some((&keys.issuer, keys.age?)));
            ages.for_each(|(issuer, age)| samples.add([issuer], age.as_secs()));
        },
    ),
    counter(
        "portcullis_issuer_fetches_total",
        &[label("issuer"), FETCH],
        "Fetches of an issuer's keys, whether they were due or caused by a token with an unknown key.",
        |metrics, samples| {
            for keys in (metrics.keys)() {
                samples.add([&keys.issuer, FETCH_OUTCOMES[0].0], keys.fetched);
                samples.add([&keys.issuer, FETCH_OUTCOMES[1].0], keys.failed);
            }
        },
    ),
    counter(
        "portcullis_http_requests_coalesced_total",
        &[],
        "Requests that waited for the upstream call of an equal one (see `route.coalesce`), whatever it came to.",
        |metrics, samples| samples.add([], metrics.sum(|worker| worker.coalesced.get())),
    ),
];

static FILES_AND_LINKS: &[Family] = &[
    counter(
        "portcullis_files_hits_total",
        &[],
        "Requests answered from a file in memory, or from one that was open, without a look at the disk.",
        |metrics, samples| samples.add([], of_files(metrics, |files| files.hits.get())),
    ),
    counter(
        "portcullis_files_looks_total",
        &[],
        "Looks at the disk: for files that were not kept, and for kept ones that were last looked at too long ago.",
        |metrics, samples| samples.add([], of_files(metrics, |files| files.looks.get())),
    ),
    counter(
        "portcullis_files_evictions_total",
        &[],
        "Files that left memory, or were closed, to make room for others.",
        |metrics, samples| samples.add([], of_files(metrics, |files| files.evictions.get())),
    ),
    gauge("portcullis_files_bytes", &[], "Bytes of files in memory, fields and names included.", |metrics, samples| {
        samples.add([], of_files(metrics, |files| files.bytes.get()));
    }),
    gauge("portcullis_files_kept", &[], "Files in memory.", |metrics, samples| {
        samples.add([], of_files(metrics, |files| files.kept.get()));
    }),
    gauge(
        "portcullis_files_open",
        &[],
        "Files held open for the kernel to send: those that are too large for memory, and copies of the larger ones in it.",
        |metrics, samples| samples.add([], of_files(metrics, |files| files.open.get())),
    ),
    gauge(
        "portcullis_compressed_bytes",
        &[],
        "Bytes of files that were compressed on the fly and are kept, for all workers together.",
        |metrics, samples| samples.add([], (metrics.compressed)().bytes),
    ),
    counter(
        "portcullis_compressed_files_total",
        &[CODING],
        "Versions of files that were compressed on the fly.",
        |metrics, samples| {
            for (coding, count) in (metrics.compressed)().made {
                samples.add([coding], count);
            }
        },
    ),
    counter(
        "portcullis_compressed_useless_total",
        &[],
        "Versions of files that were compressed on the fly with nothing gained, or that changed meanwhile.",
        |metrics, samples| samples.add([], (metrics.compressed)().useless),
    ),
    counter(
        "portcullis_compressed_busy_total",
        &[],
        "Requests that got a file uncompressed because too many others waited to be compressed.",
        |metrics, samples| samples.add([], (metrics.compressed)().busy),
    ),
    gauge(
        "portcullis_endpoint_up",
        ENDPOINT,
        "Whether this address of an endpoint gets requests as its share says: 1 or 0. `/upstreams` of the admin listener \
         says why not.",
        |metrics, samples| each_state(metrics, samples, |state| state.is_up().into()),
    ),
    gauge(
        "portcullis_endpoint_in_flight",
        ENDPOINT,
        "Requests that were sent there and have not ended.",
        |metrics, samples| each_state(metrics, samples, |state| state.in_flight),
    ),
    counter(
        "portcullis_endpoint_ejections_total",
        ENDPOINT,
        "How often it got no requests for a while because it had failed some. Begins anew when the address has been gone.",
        |metrics, samples| each_state(metrics, samples, |state| state.ejections),
    ),
    counter(
        "portcullis_endpoint_probe_failures_total",
        ENDPOINT,
        "Probes of it that have failed (see `upstream.health`).",
        |metrics, samples| each_state(metrics, samples, |state| state.probe_failures),
    ),
    gauge(
        "portcullis_zone_percent",
        &[label("upstream"), label("zone")],
        "Percent of the requests that a zone gets now (see `upstream.zones`).",
        |metrics, samples| {
            let zones = metrics.endpoints().into_iter().filter_map(|state| {
                let EndpointState { upstream, zone, zone_percent, .. } = state;
                Some(((upstream, zone?), zone_percent?))
            });
            for ((upstream, zone), percent) in zones.collect::<BTreeMap<_, _>>() {
                samples.add([&upstream, &zone], percent.into());
            }
        },
    ),
    gauge(
        "portcullis_link_up",
        &[label("upstream"), label("endpoint")],
        "Whether the stream from this endpoint is open: 1 or 0.",
        |metrics, samples| each_endpoint(metrics, samples, |endpoint| endpoint.up.into()),
    ),
    gauge(
        "portcullis_link_draining",
        &[label("upstream"), label("endpoint")],
        "Whether this endpoint has said that it takes no more requests: 1 or 0.",
        |metrics, samples| each_endpoint(metrics, samples, |endpoint| endpoint.draining.into()),
    ),
    counter(
        "portcullis_link_breaks_total",
        &[label("upstream"), label("endpoint")],
        "Streams from this endpoint that have ended.",
        |metrics, samples| each_endpoint(metrics, samples, |endpoint| endpoint.breaks),
    ),
    gauge(
        "portcullis_link_age_milliseconds",
        &[label("upstream")],
        "How long ago all revocations of this upstream were known. Absent: never yet.",
        |metrics, samples| {
            for link in (metrics.links)().upstreams {
                link.age_ms.into_iter().for_each(|age| samples.add([&link.upstream], age));
            }
        },
    ),
    gauge(
        "portcullis_link_revocations",
        &[label("upstream")],
        "Revocations in force that this upstream has told.",
        |metrics, samples| {
            (metrics.links)().upstreams.iter().for_each(|link| samples.add([&link.upstream], link.entries));
        },
    ),
    gauge(
        "portcullis_link_revocations_full",
        &[label("upstream")],
        "Whether more revocations are in force than the proxy holds: 1 or 0. Routes that require them answer 503 then.",
        |metrics, samples| {
            (metrics.links)().upstreams.iter().for_each(|link| samples.add([&link.upstream], link.is_full.into()));
        },
    ),
    gauge(
        "portcullis_posted_revocations",
        &[label("issuer")],
        "Revocations in force that were posted to the admin listener for this issuer.",
        |metrics, samples| {
            (metrics.links)().posted.iter().for_each(|posted| samples.add([&posted.issuer], posted.entries));
        },
    ),
    counter(
        "portcullis_link_stale_uses_total",
        &[label("upstream")],
        "Tokens that were taken on routes with `revocation = \"best-effort\"` while revocations might be missing.",
        |metrics, samples| {
            (metrics.links)().upstreams.iter().for_each(|link| samples.add([&link.upstream], link.stale_uses));
        },
    ),
    Family {
        name: "portcullis_link_propagation_milliseconds",
        kind: Kind::Histogram,
        labels: &[label("upstream")],
        help: "From the application's decision to revoke to its effect here, by the clocks of both.",
        collect: |metrics, samples| {
            for link in (metrics.links)().upstreams {
                let (ends, sum) = (link.buckets_ms, link.propagation_sum_ms);
                samples.add_histogram([&link.upstream], ends, &link.propagation, sum);
            }
        },
    },
    counter(
        "portcullis_log_blocks_dropped_total",
        &[],
        "Blocks of request lines that were dropped because the output was too slow.",
        |metrics, samples| samples.add([], (metrics.dropped_log_blocks)()),
    ),
];

/// A sample of each address of each endpoint. An upstream has at most so many as its names have, 64 each.
fn each_state(metrics: &Metrics, samples: &mut Samples, number: fn(&EndpointState) -> u64) {
    for state in metrics.endpoints() {
        samples.add([&state.upstream, &state.endpoint, &state.address], number(&state));
    }
}

/// A sample of each endpoint that has a link.
fn each_endpoint(metrics: &Metrics, samples: &mut Samples, number: fn(&EndpointSample) -> u64) {
    for link in (metrics.links)().upstreams {
        link.endpoints.iter().for_each(|endpoint| samples.add([&link.upstream, &endpoint.address], number(endpoint)));
    }
}

fn of_files(metrics: &Metrics, number: fn(&FileCounters) -> u64) -> u64 {
    metrics.workers.iter().map(|worker| number(&worker.files)).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests;
