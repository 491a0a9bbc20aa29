//! Fields of a request that stand beside the map of its head.

use http::HeaderMap;

/// What whoever forwards a request tells of it itself. Each name is the teller's alone, but for those that grow with each
/// hop (`Via`): so these fields stand behind those of the map.
pub trait OwnFields {
    /// Appends them as text, each with its CR LF.
    fn write(&self, out: &mut Vec<u8>);

    /// Puts them into the map.
    fn insert(&self, headers: &mut HeaderMap);
}
