//! `[upstream.NAME]`: a named set of endpoints.

use super::values::FilePath;
use crate::config::read::List;
use crate::config::units::{Number, Timeout};
use crate::config::{Balance, EndpointAddress, ProxyVersion};

table! {
    /// A named set of endpoints. Its name is also the audience of the assertions that it gets.
    Upstream as "upstream", later: ["health", "link"] => {
        /// `"app:8000"`, `"10.0.0.7:8000"`, `"[::1]:8000"` or `"unix:/run/app.sock"`.
        required endpoints: List<EndpointAddress, 1>,
        /// How an endpoint is chosen: the one with the fewest requests in flight, or each in turn.
        default("least-requests") balance: Balance,
        /// The key that signs who the user is, for the application. Left out: no `X-Auth-Assertion` is sent.
        optional assertion_key: AssertionKey,
        /// To connect.
        default("2s") connect_timeout: Timeout,
        /// Idle connections are closed after this. Keep it below the application's own, so that the proxy closes first.
        default("30s") idle_timeout: Timeout,
        /// Idle connections kept per endpoint and worker.
        default(64) idle_max: Number<0, 10_000>,
        /// How long a resolved name is used before it is asked again.
        default("5s") resolve_every: Timeout,
        /// Says by the PROXY protocol, at the start of each connection, who the client is. A connection then belongs to
        /// one client and is used for one request, so that none is kept.
        optional proxy_protocol: ProxyVersion,
    }
}

words!(ProxyVersion, "version of the PROXY protocol", {
    "v1" => ProxyVersion::V1,
    "v2" => ProxyVersion::V2,
});

table! {
    /// A 256-bit key that the proxy and the application share, base64url in a file of mode 0600.
    AssertionKey as "upstream.assertion_key" => {
        /// Where it lies.
        required file: FilePath,
        /// Whether the first of the two servers to start makes it.
        default(false) create: bool,
    }
}
