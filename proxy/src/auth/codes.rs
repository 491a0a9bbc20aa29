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
        CROSS_ORIGIN = "cross_origin", FORBIDDEN, Useless,
            "The token is in a cookie, the request changes something or opens a WebSocket, and no page of this origin is \
             known to have made it.",
            "Pages of another origin: add it to the route's `allowed_origins`. Programs: send the token in \
             `Authorization`. Behind a TLS terminator see that `trusted_proxies` names it.";
        CSRF_TOKEN = "csrf_token_invalid", FORBIDDEN, Useless,
            "The token is in a cookie, the request changes something, and the cookie `__Host-csrf` and the field \
             `X-CSRF-Token` are not both there and the same, or were made for another session.",
            "Let the page read the cookie and repeat it in the field. After a new sign-in the cookie is a new one.";
        TOO_MANY_BAD_TOKENS = "too_many_bad_tokens", TOO_MANY_REQUESTS, Later,
            "The client (for IPv6 its network of 64 bits) has sent more bad tokens than `server.bad_tokens_per_minute_max`. \
             Tokens that were verified a moment ago still pass.",
            "Look in the log for the reasons of the refusals before. Behind a load balancer see that `trusted_proxies` \
             names it: else all of its clients count as one.";
        KEYS_UNAVAILABLE = "keys_unavailable", SERVICE_UNAVAILABLE, Later,
            "The issuer's keys were never loaded, or are too old, so no token of it can be checked.",
            "See whether the edge reaches the issuer's `jwks_url`; `/readyz` names issuers without keys.";
    }
}
