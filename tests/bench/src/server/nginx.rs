//! nginx: sendfile, cached descriptors, buffered log, kept upstream connections, bodies in memory, sessions in tickets
//! and in a shared cache, twins of files where there are some.

use crate::ground::Ground;
use crate::machine;
use std::path::{Path, PathBuf};

/// The module that sends Brotli's twins, which not every installation has.
pub(super) fn brotli_module() -> Option<PathBuf> {
    let built = machine::said("nginx".as_ref(), "-V")?;
    let directory = built.split_ascii_whitespace().find_map(|word| word.strip_prefix("--modules-path="))?;
    Some(Path::new(directory).join("ngx_http_brotli_static_module.so")).filter(|module| module.exists())
}

/// The front server; `upstreams` and `locations` are what a variant adds.
pub(super) fn config(ground: &Ground, ports: [u16; 2], upstreams: &str, locations: &str) -> String {
    let [plain, tls] = ports;
    let [upstream, _] = ground.ports.upstream;
    let path = |name: &str| ground.path(name).display().to_string();
    let (site, certificate, key) = (path("site"), path("certificate.pem"), path("key.pem"));
    // As root nginx would change to a user that can't read the temporary directory.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path {};\n", path(&format!("{name}-{plain}"))))
        .collect();
    let module = brotli_module();
    let brotli = if module.is_some() { " brotli_static on;" } else { "" };
    let module = module.map_or_else(String::new, |module| format!("load_module {};\n", module.display()));
    let pid = path(&format!("nginx-{plain}.pid"));
    format!(
        r"{module}{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {pid};
error_log stderr crit;
events {{
    use epoll;
    multi_accept on;
    worker_connections 8192;
}}
http {{
{temporary}
    access_log /dev/null combined buffer=64k flush=1s;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 30s;
    client_body_buffer_size 128k;
    client_max_body_size 10m;
    proxy_http_version 1.1;
    proxy_set_header Connection '';
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_buffers 16 64k;
    proxy_buffer_size 64k;
    proxy_busy_buffers_size 128k;
    proxy_max_temp_file_size 0;
    upstream app {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
{upstreams}    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl http2 backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:bench:10m;
        ssl_session_tickets on;
        root {site};
        location /packed/ {{ gzip_static on; gzip_vary on;{brotli} }}
        location /api/ {{ proxy_pass http://app; }}{locations}
    }}
}}
"
    )
}
