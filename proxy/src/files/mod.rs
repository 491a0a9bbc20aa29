//! Static files, opened beneath their root.
