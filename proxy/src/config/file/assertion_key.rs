//! The file of a 256-bit key that several servers share.

use super::values::FilePath;

table! {
    /// A 256-bit key that the proxy and the application share, base64url in a file of mode 0600.
    AssertionKey as "upstream.assertion_key" => {
        /// Where it lies.
        required file: FilePath,
        /// Whether the first of the two servers to start makes it.
        default(false) create: bool,
    }
}
