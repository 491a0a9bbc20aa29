//! How long answers take while the server is half busy: requests at half the rate that would fill nginx's core.

use crate::error::Error;
use crate::load::Paced;
use crate::rounds::{Measured, Prepared, order};
use crate::server::Kind;
use crate::slice::Plan;
use crate::stats::median;
use crate::workload::Run;

/// The share of nginx's rate.
const SHARE: f64 = 0.5;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Latencies {
    pub(crate) run: Run,
    /// Requests per second.
    pub(crate) rate: f64,
    /// One a round.
    pub(crate) slices: Vec<Paced>,
}

/// Measures all runs at the same rate; nothing where nginx does not take part.
pub(crate) fn measure(
    runs: &[Prepared<'_>],
    measured: &[Measured],
    plan: &Plan,
    rounds: usize,
) -> Result<Vec<Latencies>, Error> {
    let Some(nginx) = measured.iter().find(|one| one.run.server == Kind::Nginx) else { return Ok(Vec::new()) };
    let rate = SHARE * 1e6 / median(nginx.slices.iter().map(|slice| slice.cpu_us));
    let mut latencies: Vec<_> = runs.iter().map(|one| Latencies { run: one.run, rate, slices: Vec::new() }).collect();
    for round in 0..rounds {
        for at in order(round, runs.len()) {
            let Prepared { server, target, .. } = &runs[at];
            let (paced, _) = plan.quietest(&server.process, || {
                let paced = target.pace(plan.duration, rate)?;
                if paced.failed > 0 || paced.answers == 0 {
                    let output = format!("{} answers failed, {} did not", paced.failed, paced.answers);
                    return Err(Error::Output { program: "the generator", output });
                }
                Ok(paced)
            })?;
            latencies[at].slices.push(paced);
        }
    }
    Ok(latencies)
}
