//! HAProxy: one thread, upstream connections shared by all requests, log to standard output (which is `/dev/null`).
//!
//! Of a token it verifies algorithm and signature only, which is less than the others do.

use crate::ground::Ground;
use crate::tokens::{Algorithm, SECRET};

pub(super) fn config(ground: &Ground) -> String {
    let [plain, tls] = ground.ports.haproxy;
    let [upstream, _] = ground.ports.upstream;
    let path = |name: &str| ground.path(name).display().to_string();
    let (both, small) = (path("both.pem"), path("site/1k.bin"));
    let guards: String = [Algorithm::Hs256, Algorithm::Es256, Algorithm::Rs256]
        .into_iter()
        .map(|algorithm| {
            let (name, alg) = (algorithm.name(), algorithm.alg());
            let key = algorithm.public_key().map_or_else(|| SECRET.to_owned(), |file| path(&file));
            format!(
                r#"
    acl {name} path_beg /{name}/
    http-request set-var(txn.bearer) http_auth_bearer if {name}
    http-request deny deny_status 401 if {name} !{{ var(txn.bearer),jwt_header_query('$.alg') -m str {alg} }}
    http-request deny deny_status 401 if {name} !{{ var(txn.bearer),jwt_verify("{alg}","{key}") -m int 1 }}"#
            )
        })
        .collect();
    format!(
        r#"
global
    nbthread 1
    maxconn 6000
    log stdout format raw local0 info
    ssl-default-bind-options ssl-min-ver TLSv1.2
    tune.ssl.cachesize 40000
    tune.h2.max-concurrent-streams 128

defaults
    mode http
    log global
    option httplog
    option http-keep-alive
    http-reuse always
    timeout connect 2s
    timeout client 75s
    timeout server 60s
    timeout http-keep-alive 75s

frontend all
    bind 127.0.0.1:{plain} backlog 4096
    bind 127.0.0.1:{tls} backlog 4096 ssl crt {both} alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    http-request return status 200 content-type application/octet-stream file {small} if {{ path /1k.bin }}{guards}
    default_backend app

backend app
    server app 127.0.0.1:{upstream} pool-max-conn 128 pool-purge-delay 60s
"#
    )
}
