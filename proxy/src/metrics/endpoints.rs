//! What is known of endpoints when somebody asks: on the page of metrics and on the operator's `/upstreams`.

use serde::Serialize;

/// One address that requests may be sent to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EndpointState {
    /// The upstream's name.
    pub upstream: String,
    /// As it is written in the configuration.
    pub endpoint: String,
    /// Where it is.
    pub address: String,
    /// `up`, `slow_start`, `trial`, `ejected`, `down` or `draining`.
    pub state: &'static str,
    /// Why it is, or was, not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Its share beside the others.
    pub weight: u32,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Percent of the requests that its zone gets now, where requests are spread over zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_percent: Option<u32>,
    /// Requests that it has not answered yet, over all workers.
    pub in_flight: u64,
    /// How often it was ejected.
    pub ejections: u64,
    /// Probes of it that have failed.
    pub probe_failures: u64,
}

impl EndpointState {
    /// Whether it gets requests like any other.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, "up" | "slow_start")
    }
}
