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
        /// RFC 9449 section 7.1.
        DPOP_PROOF_INVALID = "dpop_proof_invalid", UNAUTHORIZED, Useless,
            "The token is bound to a key of the client's, and the `DPoP` field does not prove that the sender has it: it is \
             missing, for another request, too old, used before or wrongly signed.",
            "The log line's reason names the check. Most often it is `htu` behind a TLS terminator that `trusted_proxies` \
             does not name, or a client's clock that is off by more than a minute.";
        DPOP_NONCE_NEEDED = "dpop_nonce_needed", UNAUTHORIZED, Later,
            "The proof has no nonce of this edge's, or an old one; the field `DPoP-Nonce` brings a new one.",
            "Clients send the request again with it. Where several edges share a name, keep a client at one of them or \
             write `dpop_nonce = false`: each knows its own nonces only.";
        DPOP_BINDING = "dpop_binding", UNAUTHORIZED, Useless,
            "The token and the way it came do not fit: bound to a key and without a proof, with a proof of another key, or \
             bound to none where the route asks for it.",
            "Send a bound token as `Authorization: DPoP`, with a proof, to routes with `dpop`. No route takes it otherwise.";
        DPOP_UNAVAILABLE = "dpop_unavailable", SERVICE_UNAVAILABLE, Later,
            "More proofs were used in the last minute than can be remembered; accepting more would allow to use them twice.",
            "Spread the load over more edges. `portcullis_auth_refusals_total` counts these with the reason `dpop_replays_full`.";
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
