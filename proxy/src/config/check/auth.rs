//! Who may use a route: closed by default, and never open by accident.

use super::{Checked, Names};
use crate::config::file::route::ClaimRule as WrittenRule;
use crate::config::file::values::Text;
use crate::config::print;
use crate::config::read::{At, Context, Keys, List};
use crate::config::{
    Action, AuthMode, ClaimRule, ClaimTest, CsrfProof, DpopMode, Revocation, Route, RouteAuth, TokenSource, Upstream,
    WebOrigin,
};

/// The keys of a route that say who may use it.
pub(super) struct AuthKeys {
    pub(super) mode: Option<At<AuthMode>>,
    pub(super) issuers: Option<At<List<Text, 1>>>,
    pub(super) audiences: Option<At<List<Text, 1>>>,
    pub(super) claims: Option<At<List<WrittenRule>>>,
    pub(super) token_from: Option<At<List<TokenSource, 1>>>,
    pub(super) revocation: Option<At<Revocation>>,
    pub(super) forward_token: Option<At<bool>>,
    pub(super) csrf: Option<At<CsrfProof>>,
    pub(super) allowed_origins: Option<At<List<WebOrigin>>>,
    pub(super) dpop: Option<At<DpopMode>>,
    pub(super) dpop_nonce: Option<At<bool>>,
}

pub(super) fn auth(written: AuthKeys, keys: &Keys, names: &Names, context: &mut Context<'_>) -> Option<RouteAuth> {
    let AuthKeys {
        mode,
        issuers,
        audiences,
        claims,
        token_from,
        revocation,
        forward_token,
        csrf,
        allowed_origins,
        dpop,
        dpop_nonce,
    } = written;
    let mode = mode?.value;
    let issuers = match mode {
        AuthMode::Public => {
            let mut unused = keys.among(&["issuers", "audiences", "claims", "token_from", "csrf", "allowed_origins"]);
            unused.extend(keys.among(&["dpop", "dpop_nonce", "revocation"]));
            super::no_effect(&unused, "on a public route: tokens are not looked at", context);
            Vec::new()
        }
        AuthMode::Required | AuthMode::Optional => believed(issuers, keys, names, context),
    };
    if let Some(audiences) = &audiences {
        narrow(audiences, &issuers, names, context);
    }
    if let Some(at) =
        revocation.as_ref().filter(|revocation| revocation.value == Revocation::Require).map(|found| found.at)
    {
        for issuer in names.issuers.iter().filter(|issuer| issuers.contains(&issuer.name) && !issuer.is_linked) {
            let message = format!("no link tells of revoked tokens of the issuer `{}`", issuer.name);
            context
                .problem(at, message)
                .help("give the issuer `revocations = \"UPSTREAM\"`, or name other `issuers` here");
        }
    }
    let claims: Vec<Option<ClaimRule>> = claims?.value.0.into_iter().map(|rule| claim(rule, context)).collect();
    let token_from = token_from?.value.0;
    super::twice(&token_from, print::token_source, context);
    let takes_cookies = token_from.iter().any(|source| matches!(source.value, TokenSource::Cookie(_)));
    if !takes_cookies && mode != AuthMode::Public {
        super::no_effect(&keys.among(&["csrf", "allowed_origins"]), "without a cookie in `token_from`", context);
    }
    let allowed_origins = allowed_origins?.value.0;
    super::twice(&allowed_origins, |origin| format!("{:?}", origin.to_string()), context);
    let dpop = dpop?;
    if mode != AuthMode::Public {
        provable_possession(&dpop, &token_from, keys, context);
    }
    Some(RouteAuth {
        mode,
        issuers,
        audiences: audiences
            .map(|list| list.iter().map(|audience| audience.value.0.clone()).collect())
            .unwrap_or_default(),
        claims: claims.into_iter().collect::<Option<_>>()?,
        token_from: token_from.into_iter().map(|source| source.value).collect(),
        revocation: revocation?.value,
        forward_token: forward_token?.value,
        csrf: csrf?.value,
        allowed_origins: allowed_origins.into_iter().map(|origin| origin.value).collect(),
        dpop: dpop.value,
        dpop_nonce: dpop_nonce?.value,
    })
}

/// Reports places for tokens in which none can pass: a proof counts only beside `Authorization: DPoP` (RFC 9449 section
/// 7.1).
fn provable_possession(dpop: &At<DpopMode>, token_from: &[At<TokenSource>], keys: &Keys, context: &mut Context<'_>) {
    if dpop.value == DpopMode::Off {
        super::no_effect(&keys.among(&["dpop_nonce"]), "without `dpop`", context);
        return;
    }
    let in_header = |source: &TokenSource| matches!(source, TokenSource::Header);
    if !token_from.iter().any(|source| in_header(&source.value)) {
        let at = keys.at("token_from").unwrap_or(keys.table);
        context
            .problem(dpop.at, "a DPoP proof counts only for a token in `Authorization`, which is not looked at here")
            .note_at(at, "`token_from`")
            .help("add \"header\" to `token_from`");
    } else if dpop.value == DpopMode::Required {
        for source in token_from.iter().filter(|source| !in_header(&source.value)) {
            context
                .problem(source.at, "no token can pass here: a DPoP proof counts only for one in `Authorization`")
                .note_at(dpop.at, "`dpop`")
                .help("remove it, or write `dpop = \"optional\"`");
        }
    }
}

/// Reports routes that ask for a double-submit token which nobody can check: every change would be refused.
pub(super) fn provable(routes: &[Checked<Route>], upstreams: &[Checked<Upstream>], context: &mut Context<'_>) {
    for route in routes.iter().flatten() {
        let Route { name, matcher, policy, action } = &route.value;
        let takes_cookies = policy.auth.token_from.iter().any(|source| matches!(source, TokenSource::Cookie(_)));
        let changes = matcher.methods.is_empty() || matcher.methods.iter().any(|method| !method.is_safe());
        let Action::Forward(forward) = action else { continue };
        let asks = takes_cookies && changes && policy.auth.csrf == CsrfProof::Token;
        let upstream = upstreams.iter().flatten().find(|upstream| upstream.value.name == forward.upstream);
        if let Some(upstream) = upstream.filter(|upstream| asks && upstream.value.assertion_key.is_none()) {
            context
                .problem(
                    route.at,
                    format!("the route `{name}` takes tokens from a cookie, but nobody can sign or check its CSRF tokens"),
                )
                .note_at(upstream.at, format!("upstream `{}` has no `assertion_key`", upstream.value.name))
                .help("give the upstream an `assertion_key`, or write `csrf = \"origin\"` for applications that make no tokens");
        }
    }
}

/// The issuers of a route that looks at tokens.
fn believed(issuers: Option<At<List<Text, 1>>>, keys: &Keys, names: &Names, context: &mut Context<'_>) -> Vec<String> {
    let known: Vec<&str> = names.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    let Some(issuers) = issuers else {
        if known.is_empty() && keys.at("issuers").is_none() {
            let at = keys.at("auth").unwrap_or(keys.table);
            context
                .problem(at, "this route needs a token, but there is no issuer")
                .note("routes are closed by default")
                .help("add `[issuer.NAME]`, or write `auth = \"public\"` if everybody may use the route");
        }
        return known.into_iter().map(str::to_owned).collect();
    };
    super::twice(&issuers, |issuer| format!("`{}`", issuer.0), context);
    for issuer in issuers.iter().filter(|issuer| !known.contains(&issuer.value.0.as_str())) {
        context.unknown(issuer.at, format!("there is no issuer `{}`", issuer.value.0), &known);
    }
    issuers.value.0.into_iter().map(|issuer| issuer.value.0).collect()
}

/// Reports audiences that no token of the route's issuers can have.
fn narrow(audiences: &List<Text, 1>, issuers: &[String], names: &Names, context: &mut Context<'_>) {
    super::twice(audiences, |audience| format!("{:?}", audience.0), context);
    let believed: Vec<_> = names.issuers.iter().filter(|issuer| issuers.contains(&issuer.name)).collect();
    let Some(possible) = believed.iter().map(|issuer| issuer.audiences.as_deref()).collect::<Option<Vec<_>>>() else {
        return;
    };
    let possible: Vec<&str> = possible.into_iter().flatten().map(String::as_str).collect();
    if believed.is_empty() {
        return;
    }
    for audience in audiences.iter().filter(|audience| !possible.contains(&audience.value.0.as_str())) {
        let message = format!("no issuer of this route accepts the audience `{}`", audience.value.0);
        context.unknown(audience.at, message, &possible);
    }
}

fn claim(rule: At<WrittenRule>, context: &mut Context<'_>) -> Option<ClaimRule> {
    const TESTS: [&str; 5] = ["equals", "any_of", "all_of", "contains_word", "exists"];
    let WrittenRule { written: keys, path, equals, any_of, all_of, contains_word, exists } = rule.value;
    match keys.among(&TESTS).as_slice() {
        [_] => {}
        [] => {
            context
                .problem(keys.table, "this rule tests nothing")
                .help("add one of `equals`, `any_of`, `all_of`, `contains_word`, `exists`");
        }
        [(first, first_at), rest @ ..] => {
            for (second, second_at) in rest {
                let message = format!("`{second}` beside `{first}`: a rule has one test");
                context
                    .problem(*second_at, message)
                    .note_at(*first_at, format!("`{first}`"))
                    .help("make two rules of it: all must hold");
            }
        }
    }
    if let Some(word) = &contains_word
        && word.value.0.contains(' ')
    {
        context.problem(word.at, "a word has no spaces").help("make one rule of each word: all must hold");
    }
    let values = |list: Vec<At<serde_json::Value>>| list.into_iter().map(|value| value.value).collect();
    let test = equals
        .map(|value| ClaimTest::Equals(value.value))
        .or_else(|| any_of.map(|list| ClaimTest::AnyOf(values(list.value.0))))
        .or_else(|| all_of.map(|list| ClaimTest::AllOf(values(list.value.0))))
        .or_else(|| contains_word.map(|word| ClaimTest::ContainsWord(word.value.0)))
        .or_else(|| exists.map(|exists| ClaimTest::Exists(exists.value)));
    Some(ClaimRule { path: path?.value.0, test: test? })
}
