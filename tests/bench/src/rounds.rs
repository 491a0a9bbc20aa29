//! A workload's runs: checked, warmed up, then in rounds A B C .. C B A.

use crate::error::Error;
use crate::ground::Ground;
use crate::load::Target;
use crate::machine::Cores;
use crate::server::Server;
use crate::slice::{Plan, Slice};
use crate::syscalls;
use crate::workload::{Load, Run, Workload};
use std::fs;
use std::time::Duration;

/// Answers that are looked at before anything is timed.
const LOOKS: u64 = 8;
/// Seconds of load before the first slice, at most.
const WARM_UPS_MAX: usize = 3;

/// One run, ready.
pub(crate) struct Prepared<'a> {
    pub(crate) run: Run,
    pub(crate) server: &'a Server,
    pub(crate) target: Target,
    /// Of one answer, as the generator counts them.
    answer_bytes: f64,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) run: Run,
    /// One a round.
    pub(crate) slices: Vec<Slice>,
    pub(crate) syscalls: Option<f64>,
    /// The most memory above what the server had before its first request, in KiB.
    pub(crate) growth_kib: u64,
}

/// Checks that every server answers as it must, and warms it up.
pub(crate) fn prepare<'a>(
    workload: &Workload,
    servers: &'a [Server],
    ground: &Ground,
    cores: Cores,
) -> Result<Vec<Prepared<'a>>, Error> {
    let mut prepared = Vec::new();
    for (index, run) in workload.runs.iter().enumerate() {
        let Some(server) = servers.iter().find(|server| server.is(run.server, run.coding)) else { continue };
        let mut target = target(workload, *run, server, ground, cores)?;
        if let Some(token) = run.token.filter(|token| token.distinct > 1) {
            // Each run goes through the tokens at its own pace.
            let tokens = ground.tokens.file(token.algorithm, token.distinct)?;
            let place = tokens.with_extension(format!("{index}.place"));
            target.tokens = Some((tokens, place));
        }
        let answer_bytes = check(&target, workload, *run)?;
        warm_up(&target, run.token.map_or(1, |token| token.distinct))?;
        server.process.reset_peak();
        prepared.push(Prepared { run: *run, server, target, answer_bytes });
    }
    Ok(prepared)
}

/// Until every token was seen, so that a cache holds what it will hold.
fn warm_up(target: &Target, distinct: usize) -> Result<(), Error> {
    let mut answers = 0;
    for _ in 0..WARM_UPS_MAX {
        answers += target.press(Duration::from_secs(1))?.answers;
        if usize::try_from(answers).is_ok_and(|answers| answers >= distinct) {
            break;
        }
    }
    Ok(())
}

fn target(workload: &Workload, run: Run, server: &Server, ground: &Ground, cores: Cores) -> Result<Target, Error> {
    let script = ground.path("wrk.lua");
    fs::write(&script, include_str!("wrk.lua"))?;
    let mut target = Target {
        load: workload.load,
        url: server.url(workload.load.tls(), run.path),
        answer_bytes: match run.coding {
            Some(coding) => fs::metadata(ground.path("site").join(coding.twin()))?.len(),
            None => workload.answer_bytes,
        },
        authorization: None,
        coding: run.coding,
        tokens: None,
        body: ground.path("post.bin"),
        script,
        core: cores.load,
    };
    if let Some(token) = run.token {
        target.authorization = Some(format!("Bearer {}", ground.tokens.one(token.algorithm, 0)?));
    }
    Ok(target)
}

/// Right answers, and none without a token or with a forged one where tokens are needed; the bytes of an answer.
fn check(target: &Target, workload: &Workload, run: Run) -> Result<f64, Error> {
    let wrong =
        |what: String| Error::WrongAnswer { workload: workload.name.into(), server: run.server.name().into(), what };
    if let Some(good) = &target.authorization {
        let forged = forged(good);
        for (authorization, what) in [(None, "answers without a token"), (Some(forged), "answers to a forged token")] {
            if (Target { authorization, ..target.clone() }).look(1)?.good > 0 {
                return Err(wrong(what.into()));
            }
        }
    }
    let look = target.look(LOOKS)?;
    if look.good != LOOKS || look.body_bytes != LOOKS * target.answer_bytes {
        return Err(wrong(format!("{} good answers of {LOOKS}, {} bytes", look.good, look.body_bytes)));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
    Ok(match workload.load {
        Load::Http2 { .. } => target.answer_bytes as f64,
        _ => look.bytes as f64 / LOOKS as f64,
    })
}

/// The same token with another signature.
fn forged(authorization: &str) -> String {
    let signature = authorization.rfind('.').map_or(0, |dot| dot + 1);
    let (before, first) = (&authorization[..signature], &authorization[signature..=signature]);
    let other = if first == "A" { "B" } else { "A" };
    format!("{before}{other}{}", &authorization[signature + 1..])
}

/// The runs of a round: there and back again, so that what drifts meets all alike.
pub(crate) fn order(round: usize, runs: usize) -> Box<dyn Iterator<Item = usize>> {
    if round.is_multiple_of(2) { Box::new(0..runs) } else { Box::new((0..runs).rev()) }
}

/// Measures all runs.
pub(crate) fn measure(
    workload: &Workload,
    runs: &[Prepared<'_>],
    plan: &Plan,
    rounds: usize,
) -> Result<Vec<Measured>, Error> {
    let mut slices: Vec<Vec<Slice>> = runs.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for at in order(round, runs.len()) {
            let Prepared { server, target, answer_bytes, .. } = &runs[at];
            slices[at].push(plan.measure(target, &server.process, *answer_bytes)?);
        }
    }
    runs.iter()
        .zip(slices)
        .map(|(prepared, slices)| {
            let Prepared { run, server, target, answer_bytes } = prepared;
            let growth_kib = server.process.peak_kib().saturating_sub(server.start_kib);
            let counts = workload.syscalls_max.is_some();
            let syscalls = if counts { syscalls::per_request(target, &server.process, *answer_bytes)? } else { None };
            Ok(Measured { run: *run, slices, syscalls, growth_kib })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_token_differs_in_its_signature_only() {
        assert_eq!(forged("Bearer a.b.cdef"), "Bearer a.b.Adef");
        assert_eq!(forged("Bearer a.b.Adef"), "Bearer a.b.Bdef");
    }

    #[test]
    fn every_second_round_runs_backwards() {
        assert_eq!(order(0, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(order(1, 3).collect::<Vec<_>>(), [2, 1, 0]);
    }
}
