//! The codes of refusals, as the documented list of the edge's errors shows them.

serve::error_codes! {
    /// Every code that a refusal can have.
    pub CODES = {
        /// RFC 6750 section 3: no credentials, so no reason.
        TOKEN_MISSING = "token_missing", UNAUTHORIZED, Useless,
            "The route asks for a token and the request has none where the route looks for it.",
            "Sign in. If the client did send one, compare its place with the route's `token_from`.";
        TOKEN_EXPIRED = "token_expired", UNAUTHORIZED, Useless,
            "The token is genuine and has expired.",
            "Refresh the token. If it is fresh, compare the clocks of issuer and edge with the issuer's `leeway`.";
        TOKEN_NOT_YET_VALID = "token_not_yet_valid", UNAUTHORIZED, Later,
            "The token is genuine and not valid yet.",
            "Compare the clocks of issuer and edge with the issuer's `leeway`.";
        TOKEN_WRONG_KIND = "token_wrong_kind", UNAUTHORIZED, Useless,
            "The token is genuine and of another kind, for example a refresh token.",
            "Send the access token; the issuer's `must` says which kind that is.";
        TOKEN_AUDIENCE = "token_audience", UNAUTHORIZED, Useless,
            "The token is genuine and made for another audience than this route's.",
            "Ask the issuer for a token with the route's audience, or look at `audiences` of issuer and route.";
        TOKEN_INVALID = "token_invalid", UNAUTHORIZED, Useless,
            "The token is not believed. Whoever sends garbage is not told why; the log line's reason says it.",
            "Look for the request id in the log: the reason names what is wrong, from the signature to the issuer.";
        INVALID_REQUEST = "invalid_request", BAD_REQUEST, Useless,
            "There is more than one credential in the request.",
            "Send the token in one place only, once.";
        INSUFFICIENT_SCOPE = "insufficient_scope", FORBIDDEN, Useless,
            "The token is good and does not allow this.",
            "Give the user the role or scope that the route's `claims` ask for.";
        TOKEN_REVOKED = "token_revoked", UNAUTHORIZED, Useless,
            "The token is genuine and was revoked: its user has signed out, or was signed out.",
            "Sign in again. The application's log says what has ended the session.";
        REVOCATIONS_UNAVAILABLE = "revocations_unavailable", SERVICE_UNAVAILABLE, Later,
            "The route has `revocation = \"require\"`, and the application's link was silent for 10 seconds, or holds more revocations than the edge.",
            "See whether the application runs and the edge reaches it: `portcullis_link_up`, `portcullis_link_age_milliseconds`, and the edge's log.";
        KEYS_UNAVAILABLE = "keys_unavailable", SERVICE_UNAVAILABLE, Later,
            "The issuer's keys were never loaded, or are too old, so no token of it can be checked.",
            "See whether the edge reaches the issuer's `jwks_url`, or has a link with the application; `/readyz` names issuers without keys.";
    }
}
