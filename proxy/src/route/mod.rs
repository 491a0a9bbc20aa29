//! From a request's host, path, method and fields to the one route that fits best.

mod matcher;
mod path;
mod table;

pub use path::{Ambiguous, NormalPath};
pub use table::{Found, RouteTable, SiteTable};
