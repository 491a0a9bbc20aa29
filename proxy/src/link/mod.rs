//! The link: what applications tell the edge on a stream of their own (see `serve::contract::link`): which tokens are
//! revoked, with which keys they sign, whether they take requests.
//!
//! One task an endpoint (`listen`), all of them on the control thread, reads its `stream`. What is heard is written
//! where every worker reads it without waiting: revocations into a `set` that all endpoints of an upstream share,
//! the rest into the endpoint's own `endpoint::EndpointLink`.

mod endpoint;
mod histogram;
mod listen;
mod request;
mod set;
mod stream;
mod upstream;

use serve::contract::link::PREFIX;

/// Whether a path is one that only application and edge speak on, however an application may read it: encoded, with
/// doubled slashes or parameters, in other case.
#[must_use]
pub fn is_between_servers(path: &str) -> bool {
    // What most paths begin with settles it.
    if !matches!(path.bytes().find(|&byte| byte != b'/'), Some(b'.' | b'%')) {
        return false;
    }
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let segments = decoded.split('/').filter(|segment| !segment.is_empty());
    let mut plain = segments.map(|segment| segment.split(';').next().unwrap_or_default());
    PREFIX.iter().all(|wanted| plain.next().is_some_and(|found| found.eq_ignore_ascii_case(wanted)))
}

pub use endpoint::EndpointLink;
pub use histogram::{BUCKETS_MS, Histogram};
pub use listen::listen;
pub use set::{Fingerprint, Full, RevocationSet};
pub use upstream::{LinkedUpstream, Links, Task};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_the_links_path_is_a_clients() {
        for path in [
            "/.well-known/portcullis/link",
            "/.well-known/portcullis",
            "//.well-known//portcullis/",
            "/%2ewell-known/portcullis/link",
            "/.well-known%2fportcullis%2Flink",
            "/.Well-Known/PORTCULLIS/x",
            "/.well-known;a=b/portcullis;c/link",
        ] {
            assert!(is_between_servers(path), "{path}");
        }
        for path in ["/", "/.well-known/jwks.json", "/.well-known/portcullises", "/x/.well-known/portcullis", "*"] {
            assert!(!is_between_servers(path), "{path}");
        }
    }
}
