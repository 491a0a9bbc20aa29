//! A workload's runs: checked, warmed up, then in rounds A B C .. C B A.

use crate::error::Error;
use crate::ground::Ground;
use crate::load::Target;
use crate::machine::Cores;
use crate::server::Server;
use crate::slice::{Plan, Slice};
use crate::syscalls;
use crate::workload::{Run, Token, Workload};
use std::fs;
use std::time::Duration;

/// Answers that are looked at before anything is timed.
const LOOKS: u64 = 8;

/// One run, ready.
pub(crate) struct Prepared<'a> {
    run: Run,
    server: &'a Server,
    target: Target,
    /// Of one answer, head and body.
    answer_bytes: f64,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) run: Run,
    /// One a round.
    pub(crate) slices: Vec<Slice>,
    pub(crate) syscalls: Option<f64>,
    pub(crate) peak_kib: u64,
}

/// Checks that every server answers as it must, and warms it up.
pub(crate) fn prepare<'a>(
    workload: &Workload,
    servers: &'a [Server],
    ground: &Ground,
    cores: Cores,
) -> Result<Vec<Prepared<'a>>, Error> {
    let script = ground.path("wrk.lua");
    fs::write(&script, include_str!("wrk.lua"))?;
    let mut prepared = Vec::new();
    for run in workload.runs {
        let Some(server) = servers.iter().find(|server| server.kind == run.server) else { continue };
        let authorization = run.token.map(|token| match token {
            Token::Hs256 => ground.tokens.hs256.clone(),
            Token::EdDsa => ground.tokens.eddsa.clone(),
        });
        let target = Target {
            load: workload.load,
            url: server.url(workload.load.tls(), run.path),
            authorization,
            body: ground.path("post.bin"),
            script: script.clone(),
            core: cores.load,
        };
        let wrong = |what: String| Error::WrongAnswer {
            workload: workload.name.into(),
            server: run.server.name().into(),
            what,
        };
        if run.token.is_some() {
            let without = Target { authorization: None, ..target.clone() };
            if without.look(1)?.good > 0 {
                return Err(wrong("answers without a token".into()));
            }
        }
        let look = target.look(LOOKS)?;
        if look.good != LOOKS || look.body_bytes != LOOKS * workload.answer_bytes {
            return Err(wrong(format!("{} good answers of {LOOKS}, {} bytes", look.good, look.body_bytes)));
        }
        target.press(Duration::from_secs(1))?;
        server.process.reset_peak();
        #[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
        let answer_bytes = look.bytes as f64 / LOOKS as f64;
        prepared.push(Prepared { run: *run, server, target, answer_bytes });
    }
    Ok(prepared)
}

/// Measures all runs.
pub(crate) fn measure(runs: &[Prepared<'_>], plan: &Plan, rounds: usize) -> Result<Vec<Measured>, Error> {
    let mut slices: Vec<Vec<Slice>> = runs.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let order: Box<dyn Iterator<Item = usize>> =
            if round % 2 == 0 { Box::new(0..runs.len()) } else { Box::new((0..runs.len()).rev()) };
        for at in order {
            let Prepared { server, target, answer_bytes, .. } = &runs[at];
            slices[at].push(plan.measure(target, &server.process, *answer_bytes)?);
        }
    }
    runs.iter()
        .zip(slices)
        .map(|(prepared, slices)| {
            let peak_kib = prepared.server.process.peak_kib();
            let syscalls = syscalls::per_request(&prepared.target, &prepared.server.process, prepared.answer_bytes)?;
            Ok(Measured { run: prepared.run, slices, syscalls, peak_kib })
        })
        .collect()
}
