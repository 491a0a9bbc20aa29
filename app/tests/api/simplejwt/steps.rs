//! The story that both sides are told: every row of simplejwt's answers, in an order in which each has its tokens.

use serde_json::{Value, json};

pub(super) const JSON: &str = "application/json";
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

const OBTAIN: &str = "/api/token/";
const REFRESH: &str = "/api/token/refresh/";
const VERIFY: &str = "/api/token/verify/";
const BLACKLIST: &str = "/api/token/blacklist/";
const SLIDING: &str = "/api/token/sliding/";
const SLIDE: &str = "/api/token/sliding/refresh/";

/// One step of the story.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) deed: Deed,
}

/// What is done on both sides.
pub(super) enum Deed {
    /// A request. `$name$` in the body stands for what an earlier answer gave.
    Ask(Ask),
    /// An account may be used no more; with the statement for our rows.
    Deactivate(&'static str, &'static str),
    /// An account is gone; with the statement for our rows.
    Delete(&'static str, &'static str),
    /// A token is signed again with other claims.
    Forge(Names, fn(&mut Value)),
}

/// A request.
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static str,
    /// Members of the answer, with the names under which later requests know them.
    pub(super) keep: &'static [(&'static str, &'static str)],
}

/// Which token becomes which.
pub(super) struct Names {
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// An answer that is another one on purpose.
pub(super) struct Different {
    pub(super) step: &'static str,
    pub(super) reason: &'static str,
    /// Ours and theirs.
    pub(super) statuses: (u16, u16),
}

/// In the order of the story.
pub(super) const DIFFERENT: [Different; 6] = [
    Different {
        step: "the same refresh again",
        reason: "two tabs that refresh at once must not sign each other out",
        statuses: (200, 401),
    },
    Different {
        step: "verify a refresh token that was used",
        reason: "within the grace time it still works",
        statuses: (200, 400),
    },
    Different {
        step: "verify a blacklisted refresh token",
        reason: "a token that does not count is 401 everywhere",
        statuses: (401, 400),
    },
    Different {
        step: "verify an access token after its sign-out",
        reason: "a sign-out ends every token of its session",
        statuses: (401, 200),
    },
    Different {
        step: "slide for an inactive user",
        reason: "whoever may not sign in gets no tokens",
        statuses: (401, 200),
    },
    Different { step: "refresh for a deleted user", reason: "the original fails", statuses: (401, 500) },
];

const fn post(name: &'static str, path: &'static str, body: &'static str) -> Step {
    keep(name, path, body, &[])
}

const fn keep(
    name: &'static str,
    path: &'static str,
    body: &'static str,
    keep: &'static [(&'static str, &'static str)],
) -> Step {
    Step { name, deed: Deed::Ask(Ask { method: "POST", path, content_type: JSON, body, keep }) }
}

const fn typed(name: &'static str, content_type: &'static str, body: &'static str) -> Step {
    Step { name, deed: Deed::Ask(Ask { method: "POST", path: OBTAIN, content_type, body, keep: &[] }) }
}

const fn method(name: &'static str, method: &'static str, path: &'static str) -> Step {
    Step { name, deed: Deed::Ask(Ask { method, path, content_type: JSON, body: "", keep: &[] }) }
}

const fn forge(name: &'static str, from: &'static str, to: &'static str, change: fn(&mut Value)) -> Step {
    Step { name, deed: Deed::Forge(Names { from, to }, change) }
}

fn expire(claims: &mut Value) {
    claims["exp"] = json!(1_700_000_000);
}

fn slid_to_its_end(claims: &mut Value) {
    claims["refresh_exp"] = json!(1_700_000_000);
}

fn strange_type(claims: &mut Value) {
    claims["token_type"] = json!("strange");
}

const ADA: &str = r#"{"username":"ada","password":"correct horse"}"#;

pub(super) const STEPS: &[Step] = &[
    keep("sign in", OBTAIN, ADA, &[("access", "access"), ("refresh", "refresh")]),
    typed("sign in with a form", FORM, "username=ada&password=correct+horse"),
    typed("sign in with a charset", "application/json; charset=utf-8", ADA),
    post("sign in with spaces around", OBTAIN, r#"{"username":" ada ","password":" correct horse "}"#),
    post("wrong password", OBTAIN, r#"{"username":"ada","password":"bad"}"#),
    post("unknown user", OBTAIN, r#"{"username":"nobody","password":"bad"}"#),
    post("numbers for texts", OBTAIN, r#"{"username":1.5,"password":2}"#),
    post("nothing", OBTAIN, "{}"),
    typed("an empty body", JSON, ""),
    typed("an empty text", "text/plain", ""),
    post("no password", OBTAIN, r#"{"username":"ada"}"#),
    post("no user name", OBTAIN, r#"{"password":"x"}"#),
    post("blank", OBTAIN, r#"{"username":"","password":"  "}"#),
    post("null", OBTAIN, r#"{"username":null,"password":null}"#),
    post("booleans", OBTAIN, r#"{"username":true,"password":false}"#),
    post("a list and an object", OBTAIN, r#"{"username":["a"],"password":{"a":1}}"#),
    post("a null character", OBTAIN, r#"{"username":"a\u0000","password":"x"}"#),
    post("a list for a body", OBTAIN, "[]"),
    post("a string for a body", OBTAIN, r#""x""#),
    post("null for a body", OBTAIN, "null"),
    post("no JSON", OBTAIN, "nope"),
    post("a comma too many", OBTAIN, r#"{"username":"ada",}"#),
    post("half an object", OBTAIN, r#"{"username":"#),
    typed("plain text", "text/plain", "x"),
    typed("XML", "application/xml; charset=utf-8", "<x/>"),
    method("get", "GET", OBTAIN),
    method("put", "PUT", REFRESH),
    method("delete", "DELETE", BLACKLIST),
    method("patch", "PATCH", VERIFY),
    post("verify an access token", VERIFY, r#"{"token":"$access$"}"#),
    post("verify a refresh token", VERIFY, r#"{"token":"$refresh$"}"#),
    post("verify garbage", VERIFY, r#"{"token":"garbage"}"#),
    post("verify nothing", VERIFY, "{}"),
    post("verify a blank", VERIFY, r#"{"token":""}"#),
    post("refresh with an access token", REFRESH, r#"{"refresh":"$access$"}"#),
    post("refresh with garbage", REFRESH, r#"{"refresh":"a.b.c"}"#),
    post("refresh with a number", REFRESH, r#"{"refresh":12}"#),
    post("refresh with nothing", REFRESH, "{}"),
    post("refresh with a blank", REFRESH, r#"{"refresh":""}"#),
    post("blacklist an access token", BLACKLIST, r#"{"refresh":"$access$"}"#),
    post("blacklist garbage", BLACKLIST, r#"{"refresh":"x"}"#),
    post("blacklist nothing", BLACKLIST, "{}"),
    forge("an expired refresh token", "refresh", "expired", expire),
    post("refresh with an expired token", REFRESH, r#"{"refresh":"$expired$"}"#),
    post("verify an expired token", VERIFY, r#"{"token":"$expired$"}"#),
    post("blacklist an expired token", BLACKLIST, r#"{"refresh":"$expired$"}"#),
    forge("a token of a strange type", "refresh", "strange", strange_type),
    post("refresh with a token of a strange type", REFRESH, r#"{"refresh":"$strange$"}"#),
    keep("refresh", REFRESH, r#"{"refresh":"$refresh$"}"#, &[("access", "access2"), ("refresh", "refresh2")]),
    post("the same refresh again", REFRESH, r#"{"refresh":"$refresh$"}"#),
    post("verify a refresh token that was used", VERIFY, r#"{"token":"$refresh$"}"#),
    post("verify the new access token", VERIFY, r#"{"token":"$access2$"}"#),
    post("sign out", BLACKLIST, r#"{"refresh":"$refresh2$"}"#),
    post("sign out again", BLACKLIST, r#"{"refresh":"$refresh2$"}"#),
    post("refresh after the sign-out", REFRESH, r#"{"refresh":"$refresh2$"}"#),
    post("verify a blacklisted refresh token", VERIFY, r#"{"token":"$refresh2$"}"#),
    post("verify an access token after its sign-out", VERIFY, r#"{"token":"$access2$"}"#),
    keep("sign in for a sliding token", SLIDING, ADA, &[("token", "sliding")]),
    post("a sliding token for a wrong password", SLIDING, r#"{"username":"ada","password":"bad"}"#),
    post("a sliding token for nothing", SLIDING, "{}"),
    keep("slide", SLIDE, r#"{"token":"$sliding$"}"#, &[("token", "slid")]),
    post("slide again", SLIDE, r#"{"token":"$slid$"}"#),
    post("verify a sliding token", VERIFY, r#"{"token":"$slid$"}"#),
    post("slide with an access token", SLIDE, r#"{"token":"$access$"}"#),
    post("slide with nothing", SLIDE, "{}"),
    post("refresh with a sliding token", REFRESH, r#"{"refresh":"$slid$"}"#),
    forge("a sliding token that has expired", "sliding", "slid-late", expire),
    post("slide with an expired token", SLIDE, r#"{"token":"$slid-late$"}"#),
    forge("a sliding token at its end", "sliding", "slid-out", slid_to_its_end),
    post("slide beyond the end", SLIDE, r#"{"token":"$slid-out$"}"#),
    keep("bob signs in", OBTAIN, r#"{"username":"bob","password":"correct horse"}"#, &[("refresh", "bobs")]),
    keep("bob slides", SLIDING, r#"{"username":"bob","password":"correct horse"}"#, &[("token", "bobs-sliding")]),
    Step {
        name: "bob is inactive",
        deed: Deed::Deactivate("bob", "UPDATE users SET active = FALSE WHERE username = 'bob'"),
    },
    post("sign in as an inactive user", OBTAIN, r#"{"username":"bob","password":"correct horse"}"#),
    post("refresh for an inactive user", REFRESH, r#"{"refresh":"$bobs$"}"#),
    post("slide for an inactive user", SLIDE, r#"{"token":"$bobs-sliding$"}"#),
    keep("eve signs in", OBTAIN, r#"{"username":"eve","password":"correct horse"}"#, &[("refresh", "eves")]),
    Step { name: "eve is gone", deed: Deed::Delete("eve", "DELETE FROM users WHERE username = 'eve'") },
    post("sign in as a deleted user", OBTAIN, r#"{"username":"eve","password":"correct horse"}"#),
    post("refresh for a deleted user", REFRESH, r#"{"refresh":"$eves$"}"#),
];
