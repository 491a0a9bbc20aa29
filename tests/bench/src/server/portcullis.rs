//! The product, as released: routing, limits and access log on.

use crate::ground::{AUDIENCE, Ground, ISSUERS, SECRET};
use std::ffi::OsString;
use std::io;

/// The release build beside the benchmark's own program.
pub(super) fn program() -> io::Result<OsString> {
    Ok(std::env::current_exe()?.with_file_name("portcullis").into_os_string())
}

pub(super) fn config(ground: &Ground) -> String {
    let [plain, tls] = ground.ports.portcullis;
    let upstream = ground.ports.upstream;
    let [hs256, eddsa] = ISSUERS;
    let path = |name: &str| ground.path(name).display().to_string();
    let (state, site) = (path("state"), path("site"));
    let (certificate, key, issuer) = (path("certificate.pem"), path("key.pem"), path("issuer.pem"));
    format!(
        r#"
[server]
threads = 1
state = "{state}"

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

[issuer.hmac]
iss = "{hs256}"
audiences = ["{AUDIENCE}"]
algorithms = ["HS256"]
keys = {{ secret = "{SECRET}" }}

[issuer.ed25519]
iss = "{eddsa}"
audiences = ["{AUDIENCE}"]
algorithms = ["EdDSA"]
keys = {{ pem_file = "{issuer}" }}

[[route]]
match = "/api/**"
auth = "public"
forward = "app"

[[route]]
match = "/hs256/**"
issuers = ["hmac"]
forward = "app"

[[route]]
match = "/eddsa/**"
issuers = ["ed25519"]
forward = "app"

[[route]]
match = "/**"
auth = "public"
files = {{ root = "{site}" }}
"#
    )
}
