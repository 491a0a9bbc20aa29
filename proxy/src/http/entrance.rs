//! What a listener decides before a route is known.

/// What a listener decides about its requests.
#[derive(Debug)]
pub(super) struct Entrance {
    pub(super) redirect_to_https: Option<u16>,
    pub(super) header_bytes_max: usize,
    pub(super) uri_bytes_max: usize,
}
