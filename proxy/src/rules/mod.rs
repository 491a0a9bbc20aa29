//! What changes about a message on its way: header fields, the path, the `Host`. Prepared once for each snapshot.
//!
//! `template` fills in variables of the request, `header` applies the rules of a site and of a route, `path` cuts a
//! prefix off and puts one before. Nothing here decides anything about a request; the rules only write.

mod header;
mod path;
mod template;

pub use header::{HeaderRules, Layers, is_about_caching};
pub use path::{PathRule, Unfitting};
pub use template::{Facts, fill};
