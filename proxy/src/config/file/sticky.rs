//! `sticky` of an upstream: clients come back to their endpoint by a cookie.

use super::assertion_key::AssertionKey;
use super::values::Text;
use crate::config::SameSite;
use crate::config::units::Time;

table! {
    /// A cookie brings each client back to the endpoint that answered it first, whatever `balance` says. It is sealed: it
    /// says nothing of the endpoint, and a changed one counts as none. When the endpoint is gone or not well, another one
    /// is chosen and the cookie replaced. It is always `HttpOnly`. An answer that sets it is for its client only: it gets
    /// `Cache-Control: private`, loses `public` and `s-maxage` and the fields that tell certain caches how long to keep it
    /// (`CDN-Cache-Control`, `Surrogate-Control` and the like), whatever the application or `response_headers` say.
    Sticky as "upstream.sticky" => {
        /// The name of the cookie.
        required cookie: Text,
        /// The key that seals it, for several edges that must understand each other's cookies. Left out: one below
        /// `server.state`, made at the first start.
        optional key: AssertionKey,
        /// Its `Path`.
        default("/") path: Text,
        /// Whether browsers send it over https only.
        default(true) secure: bool,
        /// Its `SameSite`. `none` needs `secure`.
        default("lax") same_site: SameSite,
        /// How long browsers keep it. Left out: until they end.
        optional max_age: Time<1_000, { 365 * 86_400_000 }>,
    }
}

words!(SameSite, "value of SameSite", {
    "strict" => SameSite::Strict,
    "lax" => SameSite::Lax,
    "none" => SameSite::None,
});
