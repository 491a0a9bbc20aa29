//! Static files, opened beneath their root.
//!
//! The way of a request, top down: [`server`] decides which name is meant; [`path`] maps it; [`small`] may have it in
//! memory; [`find`] else looks at the disk, where [`open`] lets nothing leave the root and [`read`] never lets a worker
//! wait for the [`disk`]; [`representation`] prepares its fields ([`content_type`], [`cache_control`], [`validators`]); [`negotiate`]
//! chooses among its codings ([`coding`]); [`answer`]
//! compares them with the request ([`conditional`], [`range`]), and [`body`] carries the bytes, of several ranges
//! as [`multipart`]. What is in memory is [`at_hand`], its fields as text ([`prepared`]).
//!
//! Where a site is deployed in releases, [`releases`] knows which one is meant; [`error_pages`] are kept beside them.
//! [`listing`] words the [`entries`] of a directory.
//!
//! [`FileServer`] belongs to a snapshot and is shared; [`SmallFiles`] belongs to a worker.

mod answer;
mod at_hand;
mod body;
mod cache_control;
pub mod coding;
mod conditional;
mod content_type;
mod disk;
mod disposition;
mod entries;
mod error;
mod error_pages;
mod find;
mod internal;
mod listing;
mod multipart;
mod negotiate;
mod open;
mod open_files;
mod path;
mod piece;
mod places;
mod prepared;
mod range;
mod read;
mod releases;
mod representation;
mod server;
mod small;
mod stamp;
mod validators;
mod walk;

#[cfg(test)]
mod tests;

pub use at_hand::{AtHand, WholeFile};
pub use body::FileBody;
pub(crate) use content_type::of as content_type;
pub use error::{FileError, FilesError};
pub use internal::FIELDS_BYTES_MAX;
pub use path::PathRefusal;
pub use prepared::Way;
pub use server::{ALLOW, FileRequest, FileServer};
pub use small::SmallFiles;
