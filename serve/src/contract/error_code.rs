//! The entry of an error code in the documented list: what it means and what to do about it.

use http::StatusCode;

/// A stable code that a problem carries. Codes are never given another meaning; programs may depend on them.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// As it stands in the problem and in the log.
    pub code: &'static str,
    /// The one status that it comes with.
    pub status: StatusCode,
    /// Whether to send the request again.
    pub retry: Retry,
    /// What it means.
    pub meaning: &'static str,
    /// What an operator or a developer can do.
    pub remedy: &'static str,
}

/// Whether a client should send the same request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would get the same answer.
    Useless,
    /// After `Retry-After` or a few seconds, whatever the method: this one had no effect.
    Later,
    /// Only when the method is idempotent (RFC 9110 section 9.2.2): this one may have had an effect.
    Idempotent,
}

impl Retry {
    /// In the words of the documented list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Useless => "no",
            Self::Later => "yes, later",
            Self::Idempotent => "idempotent ones",
        }
    }
}

/// A list of codes: a constant for each, and one of all of them, so that none can be left out.
///
/// ```
/// serve::error_codes! {
///     /// What is wrong with a kettle.
///     pub KETTLE = {
///         /// RFC 2324 section 2.3.2.
///         TEAPOT = "teapot", IM_A_TEAPOT, Useless, "It is a teapot.", "Ask a coffee machine.";
///     }
/// }
/// assert_eq!(KETTLE[0].code, TEAPOT.code);
/// ```
#[macro_export]
macro_rules! error_codes {
    (
        $(#[$about:meta])*
        $visible:vis $list:ident = {
            $(
                $(#[$entry_about:meta])*
                $entry:ident = $code:literal, $status:ident, $retry:ident, $meaning:literal, $remedy:literal;
            )*
        }
    ) => {
        $(
            $(#[$entry_about])*
            $visible static $entry: $crate::contract::error_code::ErrorCode =
                $crate::contract::error_code::ErrorCode {
                    code: $code,
                    status: ::http::StatusCode::$status,
                    retry: $crate::contract::error_code::Retry::$retry,
                    meaning: $meaning,
                    remedy: $remedy,
                };
        )*

        $(#[$about])*
        $visible static $list: &[&$crate::contract::error_code::ErrorCode] = &[$( &$entry, )*];
    };
}
