//! `health` of an upstream: whether its probes can be sent and judged.

use crate::config::file::health as file;
use crate::config::read::{At, Context};
use crate::config::{Eject, Health};
use http::StatusCode;
use http::uri::PathAndQuery;

pub(super) fn health(written: file::Health, context: &mut Context<'_>) -> Option<Health> {
    let file::Health { written: keys, path, every, timeout, status, body, rise, fall } = written;
    let path = path?;
    let is_path = path.value.0.starts_with('/') && path.value.0.parse::<PathAndQuery>().is_ok();
    if !is_path {
        context.problem(path.at, format!("{:?} is no path", path.value.0)).help("write for example \"/healthz\"");
    }
    let (every, timeout) = (every?, timeout?);
    if timeout.value.0 > every.value.0 {
        let at = keys.at("timeout").or_else(|| keys.at("every")).unwrap_or(keys.table);
        context
            .problem(at, "a probe may take longer than the time to the next one")
            .help("make `every` at least as long as `timeout`");
    }
    let status = status?.value.0.into_iter();
    let status = status.filter_map(|At { value, .. }| StatusCode::from_u16(u16::try_from(value.0).ok()?).ok());
    is_path.then_some(())?;
    Some(Health {
        path: path.value.0,
        every: every.value.0,
        timeout: timeout.value.0,
        status: status.collect(),
        body: match keys.at("body") {
            Some(_) => Some(body?.value.0),
            None => None,
        },
        rise: rise?.value.0,
        fall: fall?.value.0,
    })
}

pub(super) fn eject(written: file::Eject) -> Option<Eject> {
    let file::Eject { written: _, failures, success_percent_min, time, survivors_percent_min } = written;
    Some(Eject {
        failures: failures?.value.0,
        success_percent_min: success_percent_min?.value.0,
        time: time?.value.0,
        survivors_percent_min: survivors_percent_min?.value.0,
    })
}
