//! Content codings: what a client accepts ([`accept`]), how coded bytes are made ([`encode`]), the results that all
//! workers share ([`results`]), and what a route says ([`rules`]).

mod accept;
mod encode;
mod results;
mod rules;

pub(super) use accept::Accepted;
pub use encode::{Effort, encode, is_coded_form};
pub use results::{COMPRESSED_BYTES_MAX, Results, ResultsState};
pub(super) use results::{Key, Lookup, Made, Source};
pub(super) use rules::{Codings, Twins};
