//! The product, as released: routing, limits and access log on.

use crate::ground::Ground;
use crate::tokens::{AUDIENCE, Algorithm, SECRET};

/// What most workloads measure: defaults, and an issuer with a route of its own for each algorithm.
pub(super) fn config(ground: &Ground) -> String {
    let path = |name: &str| ground.path(name).display().to_string();
    let site = path("site");
    let [upstream, _] = ground.ports.upstream;
    let base = base(ground, ground.ports.portcullis);
    let guarded: String = Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let (name, alg, iss) = (algorithm.name(), algorithm.alg(), algorithm.issuer());
            let keys = algorithm
                .public_key()
                .map_or_else(|| format!("secret = \"{SECRET}\""), |file| format!("pem_file = \"{}\"", path(&file)));
            format!(
                r#"
[issuer.{name}]
iss = "{iss}"
audiences = ["{AUDIENCE}"]
algorithms = ["{alg}"]
keys = {{ {keys} }}

[[route]]
match = "/{name}/**"
issuers = ["{name}"]
forward = "app"
"#
            )
        })
        .collect();
    format!(
        r#"{base}
[upstream.app]
endpoints = ["127.0.0.1:{upstream}"]
idle_max = 128
{guarded}
[[route]]
match = "/api/**"
auth = "public"
forward = "app"

[[route]]
match = "/**"
auth = "public"
files = {{ root = "{site}" }}
"#
    )
}

/// One endpoint that is believed to be well, and requests that are sent once.
pub(super) fn bare(ground: &Ground) -> String {
    let base = base(ground, ground.ports.bare);
    let [upstream, _] = ground.ports.upstream;
    format!(
        r#"{base}
[upstream.app]
endpoints = ["127.0.0.1:{upstream}"]
idle_max = 128
eject = false

[[route]]
match = "/api/**"
auth = "public"
forward = "app"
"#
    )
}

/// Two endpoints and all that keeps requests from being lost. The limits are more than the load, so that each request
/// is counted and none waits.
pub(super) fn resilient(ground: &Ground) -> String {
    let base = base(ground, ground.ports.resilient);
    let [first, second] = ground.ports.upstream;
    format!(
        r#"{base}
[server.overload]
memory_max = "1GiB"

[upstream.app]
endpoints = ["127.0.0.1:{first}", "127.0.0.1:{second}"]
balance = "peak-ewma"
idle_max = 128
slow_start = "10s"
retry_budget = {{ percent = 20, per_second_min = 10 }}
limits = {{ in_flight_max = 2000, in_flight_per_endpoint_max = 1000, queue_max = 1000, queue_timeout = "1s" }}
breaker = {{ failures_max = 5, open_for = "5s" }}
park = true
health = {{ path = "/healthz", every = "1s", timeout = "500ms" }}
eject = {{ failures = 5, success_percent_min = 50, survivors_percent_min = 50 }}

[[route]]
match = "/api/**"
auth = "public"
forward = "app"
deadline = "10s"
retry = {{ on = ["connect", "reset", "timeout", 502, 503, 504], attempts = 3, per_try_timeout = "2s" }}
"#
    )
}

/// Who listens where, and what is logged.
fn base(ground: &Ground, [plain, tls]: [u16; 2]) -> String {
    let path = |name: &str| ground.path(name).display().to_string();
    let state = path(&format!("state-{plain}"));
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    format!(
        r#"
[server]
threads = 1
state = "{state}"
connections_per_client_max = 10000

[admin]
address = "unix:{state}.admin"

[log]
level = "warn"
access = true

[listener.plain]
address = "127.0.0.1:{plain}"
tls = false

[listener.tls]
address = "127.0.0.1:{tls}"

[site.any]
tls = {{ certificate = "{certificate}", key = "${{file:{key}}}" }}
"#
    )
}
