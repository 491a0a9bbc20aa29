//! The product, as released: routing, limits and access log on.

use crate::ground::Ground;
use crate::tokens::{AUDIENCE, Algorithm, SECRET};

pub(super) fn config(ground: &Ground) -> String {
    let [plain, tls] = ground.ports.portcullis;
    let upstream = ground.ports.upstream;
    let path = |name: &str| ground.path(name).display().to_string();
    let (state, site) = (path("state"), path("site"));
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
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
