//! h2o: one thread, descriptors cached as it always does, twins sent, no revocation lists asked for.
//!
//! It writes each line of its log when the request ends: it knows no buffer for it.

use crate::ground::Ground;

pub(super) fn config(ground: &Ground) -> String {
    let [plain, tls] = ground.ports.h2o;
    let path = |name: &str| ground.path(name).display().to_string();
    let (site, certificate, key, pid) = (path("site"), path("certificate.pem"), path("key.pem"), path("h2o.pid"));
    // As root h2o would change to a user that can't read the temporary directory.
    let user = if rustix::process::geteuid().is_root() { "user: root\n" } else { "" };
    format!(
        r#"{user}num-threads: 1
num-name-resolution-threads: 1
max-connections: 8192
pid-file: {pid}
access-log: /dev/null
error-log: /dev/null
http1-request-timeout: 75
http2-idle-timeout: 75
http2-max-concurrent-requests-per-connection: 128
file.send-compressed: ON
listen:
  host: 127.0.0.1
  port: {plain}
listen:
  host: 127.0.0.1
  port: {tls}
  ssl:
    certificate-file: {certificate}
    key-file: {key}
    minimum-version: TLSv1.2
    ocsp-update-interval: 0
hosts:
  default:
    paths:
      "/":
        file.dir: {site}
"#
    )
}
