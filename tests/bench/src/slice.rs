//! One server under load for a second or two.

use crate::error::Error;
use crate::load::{Counted, Target};
use crate::machine::{self, Cores};
use crate::process::Process;
use crate::workload::Load;
use std::time::{Duration, Instant};

/// A slice in which others used more of the server's core is repeated ...
const FOREIGN_MAX: f64 = 0.10;
/// ... at most this often; the quietest one counts then.
const TRIES_MAX: usize = 3;
/// From this share of its core on a server is the one that limits the rate.
const SATURATED: f64 = 0.95;

/// How slices are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) cores: Cores,
    pub(crate) duration: Duration,
}

/// What a slice gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slice {
    /// CPU time of the server per request, in microseconds.
    pub(crate) cpu_us: f64,
    /// Requests per second, where the server was what limited them.
    pub(crate) rate: Option<f64>,
    /// What others used of the server's core, as a share.
    pub(crate) foreign: f64,
    /// The share of handshakes that resumed a session, where handshakes are measured.
    pub(crate) resumed: Option<f64>,
}

/// Who used the server's core for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    cpu: Duration,
    elapsed: Duration,
    /// What others used, as a share.
    pub(crate) foreign: f64,
}

impl Plan {
    /// Measures until a slice is quiet enough. `answer_bytes` are those of one answer, as the generator counts them.
    pub(crate) fn measure(&self, target: &Target, server: &Process, answer_bytes: f64) -> Result<Slice, Error> {
        let (counted, usage) = self.quietest(server, || {
            let counted = target.press(self.duration)?;
            if counted.failed > 0 || counted.answers.max(counted.bytes.unwrap_or(0)) == 0 {
                let output = format!("{} answers failed, {} did not", counted.failed, counted.answers);
                return Err(Error::Output { program: "the generator", output });
            }
            Ok(counted)
        })?;
        let requests = requests(target.load, &counted, answer_bytes);
        let share = usage.cpu.as_secs_f64() / usage.elapsed.as_secs_f64();
        Ok(Slice {
            cpu_us: usage.cpu.as_secs_f64() * 1e6 / requests,
            rate: (share >= SATURATED).then(|| requests / usage.elapsed.as_secs_f64()),
            foreign: usage.foreign,
            resumed: resumed(&counted),
        })
    }

    /// Repeats until others leave the server's core alone; else what they disturbed least.
    pub(crate) fn quietest<T>(
        &self,
        server: &Process,
        mut load: impl FnMut() -> Result<T, Error>,
    ) -> Result<(T, Usage), Error> {
        let mut best = self.once(server, &mut load)?;
        for _ in 1..TRIES_MAX {
            if best.1.foreign <= FOREIGN_MAX {
                break;
            }
            let again = self.once(server, &mut load)?;
            if again.1.foreign < best.1.foreign {
                best = again;
            }
        }
        Ok(best)
    }

    fn once<T>(&self, server: &Process, load: &mut impl FnMut() -> Result<T, Error>) -> Result<(T, Usage), Error> {
        let (started, busy, cpu) = (Instant::now(), machine::busy(self.cores.server), server.cpu());
        let loaded = load()?;
        let (elapsed, cpu) = (started.elapsed(), server.cpu().saturating_sub(cpu));
        let busy = machine::busy(self.cores.server).unwrap_or_default().saturating_sub(busy.unwrap_or_default());
        let foreign = busy.saturating_sub(cpu).as_secs_f64() / elapsed.as_secs_f64();
        Ok((loaded, Usage { cpu, elapsed, foreign }))
    }
}

/// How many requests were served: by bytes where they are known, because of a large answer that is under way when the
/// slice ends most is done. Where sessions shall be resumed only those count that were: a full handshake instead is a
/// cost without a gain.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
pub(crate) fn requests(load: Load, counted: &Counted, answer_bytes: f64) -> f64 {
    let requests = match (load, counted.handshakes, counted.bytes) {
        (Load::Handshakes { resume: true, .. }, Some(handshakes), _) => handshakes.resumed as f64,
        (_, _, Some(bytes)) => bytes as f64 / answer_bytes,
        (_, _, None) => counted.answers as f64,
    };
    requests.max(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
fn resumed(counted: &Counted) -> Option<f64> {
    let handshakes = counted.handshakes?;
    Some(handshakes.resumed as f64 / (handshakes.full + handshakes.resumed).max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Handshakes;

    const PLAIN: Load = Load::Http1 { connections: 1, tls: false, post: false };

    fn counted(answers: u64, bytes: Option<u64>) -> Counted {
        Counted { answers, bytes, failed: 0, handshakes: None }
    }

    #[test]
    fn a_part_of_an_answer_counts_as_that_part() {
        assert!((requests(PLAIN, &counted(10, Some(1050)), 100.0) - 10.5).abs() < 1e-9);
        assert!((requests(PLAIN, &counted(10, None), 100.0) - 10.0).abs() < 1e-9);
        assert!((requests(PLAIN, &counted(0, None), 100.0) - 1.0).abs() < 1e-9, "never divides by nothing");
    }

    #[test]
    fn of_resumptions_only_those_count_that_were() {
        let half = Counted { handshakes: Some(Handshakes { full: 5, resumed: 5 }), ..counted(10, None) };
        let shape = |resume| Load::Handshakes { at_once: 1, version: crate::workload::TlsVersion::Tls12, resume };
        assert!((requests(shape(true), &half, 100.0) - 5.0).abs() < 1e-9);
        assert!((requests(shape(false), &half, 100.0) - 10.0).abs() < 1e-9);
        assert_eq!(resumed(&half), Some(0.5));
        assert_eq!(resumed(&counted(10, None)), None);
    }
}
