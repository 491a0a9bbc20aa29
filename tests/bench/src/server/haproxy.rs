//! HAProxy: one thread, upstream connections shared by all requests, log to standard output (which is `/dev/null`).

use crate::ground::{Ground, SECRET};

pub(super) fn config(ground: &Ground) -> String {
    let [plain, tls] = ground.ports.haproxy;
    let upstream = ground.ports.upstream;
    let both = ground.path("both.pem").display().to_string();
    format!(
        r#"
global
    nbthread 1
    maxconn 4096
    log stdout format raw local0 info
    ssl-default-bind-options ssl-min-ver TLSv1.3
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
    bind 127.0.0.1:{plain}
    bind 127.0.0.1:{tls} ssl crt {both} alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
    acl guarded path_beg /hs256/
    http-request set-var(txn.bearer) http_auth_bearer if guarded
    http-request deny deny_status 401 if guarded !{{ var(txn.bearer),jwt_header_query('$.alg') -m str HS256 }}
    http-request deny deny_status 401 if guarded !{{ var(txn.bearer),jwt_verify("HS256","{SECRET}") -m int 1 }}
    default_backend app

backend app
    server app 127.0.0.1:{upstream} pool-max-conn 128 pool-purge-delay 60s
"#
    )
}
