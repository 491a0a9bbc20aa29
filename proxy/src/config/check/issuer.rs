//! `[issuer.NAME]`: a token must be bound to its issuer and its audience, and each key to its algorithms.

use super::{Checked, Names, keys};
use crate::config::file::issuer as file;
use crate::config::read::{At, Context};
use crate::config::{Issuer, Keys, RequiredClaim};

pub(super) fn issuer(
    name: &At<String>,
    written: file::Issuer,
    names: &Names,
    context: &mut Context<'_>,
) -> Option<Issuer> {
    let file::Issuer {
        written: written_keys,
        iss,
        keys,
        algorithms,
        types,
        audiences,
        leeway,
        lifetime_max,
        require,
        subject_claim,
        must,
        revocations,
        errors,
        realm,
    } = written;
    for (key, claim) in [("iss", RequiredClaim::Iss), ("audiences", RequiredClaim::Aud)] {
        let is_empty = match key {
            "iss" => written_keys.at("iss").is_none(),
            // A list that was written and could not be read has the place of the table.
            _ => audiences.as_ref().is_some_and(|list| {
                list.is_empty() && (written_keys.at(key).is_none() || list.at != written_keys.table)
            }),
        };
        let required = require.as_ref().is_some_and(|list| list.iter().any(|required| required.value == claim));
        if is_empty && required {
            missing(name, key, context);
        }
    }
    if let Some(list) = &require {
        super::twice(list, |claim| format!("`{claim:?}`").to_ascii_lowercase(), context);
    }
    if let Some(list) = &algorithms {
        super::twice(list, |algorithm| format!("`{algorithm:?}`"), context);
    }
    if let Some(list) = &audiences {
        super::twice(list, |audience| format!("{:?}", audience.0), context);
    }
    if let Some(realm) = &realm
        && realm.value.0.contains(|c: char| !matches!(c, ' '..='~') || matches!(c, '"' | '\\'))
    {
        context.problem(realm.at, "a realm has only visible ASCII characters without `\"` and `\\`");
    }
    let keys = keys.and_then(|keys| keys::keys(keys.value, iss.as_ref(), algorithms.as_ref(), names, context));
    if let Some(upstream) = &revocations {
        keys::linked(upstream, names, context);
    }
    let revocations = revocations.map(|upstream| upstream.value.0).or_else(|| match &keys {
        Some(Keys::Link { upstream }) => Some(upstream.clone()),
        _ => None,
    });
    Some(Issuer {
        name: name.value.clone(),
        iss: iss.map(|iss| iss.value.0),
        keys: keys?,
        algorithms: algorithms?.iter().map(|algorithm| algorithm.value).collect(),
        types: types?.iter().map(|name| name.value.0.to_ascii_lowercase()).collect(),
        audiences: audiences?.value.0.into_iter().map(|audience| audience.value.0).collect(),
        leeway: leeway?.value.0,
        lifetime_max: lifetime_max?.value.0,
        require: require?.iter().map(|claim| claim.value).collect(),
        subject_claim: subject_claim?.value.0,
        must: must
            .map(|must| must.value.0.into_iter().map(|(key, value)| (key.value, value)).collect())
            .unwrap_or_default(),
        revocations,
        errors: errors?.value,
        realm: realm.map_or_else(|| name.value.clone(), |realm| realm.value.0),
    })
}

fn missing(name: &At<String>, key: &str, context: &mut Context<'_>) {
    let (what, example, claim) = match key {
        "iss" => ("any issuer", "iss = \"https://example.com\"", "iss"),
        _ => ("any audience", "audiences = [\"api\"]", "aud"),
    };
    context
        .problem(name.at, format!("the issuer `{}` has no `{key}`: it would accept tokens for {what}", name.value))
        .help(format!("add `{example}`, or leave \"{claim}\" out of `require` if its tokens carry none"));
}

/// Reports issuers that sign with the same `iss`: a token would belong to both.
pub(super) fn distinct(issuers: &[Checked<Issuer>], context: &mut Context<'_>) {
    let named: Vec<&At<Issuer>> = issuers.iter().flatten().filter(|issuer| issuer.value.iss.is_some()).collect();
    for (index, issuer) in named.iter().enumerate() {
        if let Some(first) = named[..index].iter().find(|other| other.value.iss == issuer.value.iss) {
            let message = format!("the issuers `{}` and `{}` have the same `iss`", first.value.name, issuer.value.name);
            context.problem(issuer.at, message).note_at(first.at, format!("issuer `{}`", first.value.name));
        }
    }
}
