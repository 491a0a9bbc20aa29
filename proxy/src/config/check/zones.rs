//! `zones` of an upstream, and the zones of its endpoints.

use crate::config::file::zones as file;
use crate::config::read::{At, Context};
use crate::config::{Endpoint, Zones};

/// `None`: something is wrong. `Some(None)`: no endpoint names a zone.
pub(super) fn zones(
    endpoints: &[At<Endpoint>],
    written: Option<At<file::Zones>>,
    context: &mut Context<'_>,
) -> Option<Option<Zones>> {
    let mut named: Vec<&str> = endpoints.iter().filter_map(|one| one.value.zone.as_deref()).collect();
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return match written {
            None => Some(None),
            Some(At { at, .. }) => {
                context
                    .problem(at, "`zones`, and no endpoint says in which one it is")
                    .help("write for example `{ address = \"app:8000\", zone = \"a\" }`, or remove `zones`");
                None
            }
        };
    }
    all_have_one(endpoints, context);
    let Some(At { value: file::Zones { written: _, weights, prefer_own, overprovision_percent }, .. }) = written else {
        return Some(Some(Zones::DEFAULT));
    };
    let weights = weights.map_or_else(Vec::new, |weights| weights.value.0);
    for (zone, _) in weights.iter().filter(|(zone, _)| !named.contains(&zone.value.0.as_str())) {
        context.unknown(zone.at, format!("no endpoint is in the zone `{}`", zone.value.0), &named);
    }
    Some(Some(Zones {
        weights: weights.into_iter().map(|(zone, weight)| (zone.value.0, weight.0)).collect(),
        prefer_own: prefer_own?.value,
        overprovision_percent: overprovision_percent?.value.0,
    }))
}

/// Reports endpoints without a zone beside others that have one: are they near or far?
fn all_have_one(endpoints: &[At<Endpoint>], context: &mut Context<'_>) {
    let Some(first) = endpoints.iter().find(|one| one.value.zone.is_some()) else { return };
    for other in endpoints.iter().filter(|one| one.value.zone.is_none()) {
        context
            .problem(other.at, "this endpoint names no `zone`, and others of its upstream do")
            .note_at(first.at, "one that does")
            .help("name the zone of each, or of none");
    }
}
