//! Content codings: what a client accepts ([`accept`]), how coded bytes are made ([`encode`]) and what they say of their
//! content ([`length`]), the results that all workers share ([`results`]), and what a route says ([`rules`]).

mod accept;
mod encode;
mod length;
mod results;
mod rules;

pub(super) use accept::Accepted;
pub use encode::{Effort, encode, is_coded_form};
pub(super) use length::may_be_of;
pub use results::{COMPRESSED_BYTES_MAX, Results, ResultsState};
pub(super) use results::{Key, Lookup, Made, Source};
pub(super) use rules::{Codings, Twins};
