//! What is known of links when somebody reads the metrics.

/// One upstream with a link.
#[derive(Debug, Clone, Default)]
pub struct LinkSample {
    /// Its name.
    pub upstream: String,
    /// Revocations in force.
    pub entries: u64,
    /// How long ago everything was known, in milliseconds; `None`: never.
    pub age_ms: Option<u64>,
    /// Tokens that were taken although revocations might be missing.
    pub stale_uses: u64,
    /// Whether more revocations are in force than there is room for.
    pub is_full: bool,
    /// How long revocations took, by bucket, the last one all.
    pub propagation: Vec<u64>,
    /// Their sum in milliseconds.
    pub propagation_sum_ms: u64,
    /// The upper ends of the buckets, in milliseconds.
    pub buckets_ms: &'static [u64],
    /// Each endpoint.
    pub endpoints: Vec<EndpointSample>,
}

/// One endpoint of it.
#[derive(Debug, Clone, Default)]
pub struct EndpointSample {
    /// Its address in the configuration.
    pub address: String,
    /// Whether its stream is open.
    pub up: bool,
    /// Whether it has said that it takes nothing new.
    pub draining: bool,
    /// Streams that have ended.
    pub breaks: u64,
}

/// What was posted for one issuer.
#[derive(Debug, Clone, Default)]
pub struct PostedSample {
    /// Its name.
    pub issuer: String,
    /// Revocations in force.
    pub entries: u64,
}

/// Both, as they are now.
#[derive(Debug, Clone, Default)]
pub struct LinkSamples {
    /// Upstreams with a link.
    pub upstreams: Vec<LinkSample>,
    /// Issuers.
    pub posted: Vec<PostedSample>,
}
