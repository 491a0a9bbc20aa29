//! Who may use a route: closed by default, and never open by accident.

use super::Names;
use crate::config::file::route::ClaimRule as WrittenRule;
use crate::config::file::values::Text;
use crate::config::print;
use crate::config::read::{At, Context, Keys, List};
use crate::config::{AuthMode, ClaimRule, ClaimTest, Revocation, RouteAuth, TokenSource};

/// The keys of a route that say who may use it.
pub(super) struct AuthKeys {
    pub(super) mode: Option<At<AuthMode>>,
    pub(super) issuers: Option<At<List<Text, 1>>>,
    pub(super) audiences: Option<At<List<Text, 1>>>,
    pub(super) claims: Option<At<List<WrittenRule>>>,
    pub(super) token_from: Option<At<List<TokenSource, 1>>>,
    pub(super) revocation: Option<At<Revocation>>,
    pub(super) forward_token: Option<At<bool>>,
}

pub(super) fn auth(written: AuthKeys, keys: &Keys, names: &Names, context: &mut Context<'_>) -> Option<RouteAuth> {
    let AuthKeys { mode, issuers, audiences, claims, token_from, revocation, forward_token } = written;
    let mode = mode?.value;
    let issuers = match mode {
        AuthMode::Public => {
            let unused = keys.among(&["issuers", "audiences", "claims", "token_from", "revocation"]);
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
    })
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
