//! The list as a whole.

use super::*;
use crate::metrics::{AdaptedSample, CompressedSample, KeyFreshness, LinkSample, LinkSamples, PostedSample};
use std::num::NonZeroUsize;
use std::time::Duration;

fn keys() -> Vec<KeyFreshness> {
    let age = Some(Duration::from_secs(7));
    vec![KeyFreshness { issuer: "id".to_owned(), age, fetched: 2, failed: 1 }]
}

#[test]
fn every_metric_has_its_own_name_and_a_value_for_each_label() {
    let link = || LinkSample {
        age_ms: Some(1),
        buckets_ms: &[1],
        propagation: vec![0, 1],
        endpoints: vec![EndpointSample::default()],
        ..LinkSample::default()
    };
    let in_zone = || EndpointState { zone: Some("a".to_owned()), zone_percent: Some(70), ..EndpointState::default() };
    let metrics = Metrics::new(NonZeroUsize::MIN, SystemTime::UNIX_EPOCH, || 0, keys)
        .with_links(move || LinkSamples { upstreams: vec![link()], posted: vec![PostedSample::default()] })
        .with_compressed(|| CompressedSample { made: vec![("br", 1)], ..CompressedSample::default() })
        .with_endpoints(move || vec![in_zone()])
        .with_adapted(|| {
            let (upstream, least) = ("app".to_owned(), Some(Duration::from_millis(1)));
            vec![AdaptedSample { upstream, limit: 1, least }]
        });
    let worker = &metrics.workers()[0];
    worker.errors.made("no_route");
    worker.refused_tokens.made("signature_wrong");
    let _counters = worker.upstreams.of(["app"].into_iter());
    for (index, family) in all().enumerate() {
        assert!(all().take(index).all(|other| other.name != family.name), "{} twice", family.name);
        assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        let mut samples = Samples::default();
        (family.collect)(&metrics, &mut samples);
        assert!(!samples.0.is_empty(), "{} has no sample", family.name);
        for sample in &samples.0 {
            assert_eq!(sample.values.len(), family.labels.len(), "{}", family.name);
        }
    }
}

#[test]
fn the_counts_of_workers_are_added_up() {
    let metrics = Metrics::new(NonZeroUsize::MIN.saturating_add(1), SystemTime::UNIX_EPOCH, || 0, keys);
    for (worker, count) in metrics.workers().iter().zip([2, 3]) {
        worker.connections.received_bytes.add(count);
        worker.upstreams.of(["app"].into_iter())[0].connects.add(count);
        (0..count).for_each(|_| worker.errors.made("no_route"));
    }
    let page = metrics.exposition();
    for sample in [
        "portcullis_received_bytes_total 5",
        "portcullis_upstream_connections_total{upstream=\"app\"} 5",
        "portcullis_http_errors_total{code=\"no_route\"} 5",
        "portcullis_issuer_keys_age_seconds{issuer=\"id\"} 7",
        "portcullis_issuer_fetches_total{issuer=\"id\",outcome=\"failed\"} 1",
    ] {
        assert!(page.lines().any(|line| line == sample), "{sample}\n{page}");
    }
}
