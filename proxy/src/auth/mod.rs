//! Edge authentication: from the bytes of a token to a permit.
