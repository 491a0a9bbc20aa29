//! One server under load for a second or two.

use crate::error::Error;
use crate::load::Target;
use crate::machine::{self, Cores};
use crate::process::Process;
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
}

impl Plan {
    /// Measures until a slice is quiet enough. `answer_bytes` are those of one answer, head and body.
    pub(crate) fn measure(&self, target: &Target, server: &Process, answer_bytes: f64) -> Result<Slice, Error> {
        let mut best: Option<Slice> = None;
        for _ in 0..TRIES_MAX {
            let slice = self.once(target, server, answer_bytes)?;
            if best.is_none_or(|best| slice.foreign < best.foreign) {
                best = Some(slice);
            }
            if slice.foreign <= FOREIGN_MAX {
                break;
            }
        }
        best.ok_or(Error::Output { program: "slice", output: String::new() })
    }

    fn once(&self, target: &Target, server: &Process, answer_bytes: f64) -> Result<Slice, Error> {
        let (started, busy, cpu) = (Instant::now(), machine::busy(self.cores.server), server.cpu());
        let counted = target.press(self.duration)?;
        let (elapsed, cpu) = (started.elapsed(), server.cpu().saturating_sub(cpu));
        let busy = machine::busy(self.cores.server).unwrap_or_default().saturating_sub(busy.unwrap_or_default());
        if counted.failed > 0 {
            let output = format!("{} answers failed of {}", counted.failed, counted.answers);
            return Err(Error::Output { program: "the generator", output });
        }
        let requests = requests(counted.answers, counted.bytes, answer_bytes);
        let share = cpu.as_secs_f64() / elapsed.as_secs_f64();
        let foreign = busy.saturating_sub(cpu).as_secs_f64() / elapsed.as_secs_f64();
        Ok(Slice {
            cpu_us: cpu.as_secs_f64() * 1e6 / requests,
            rate: (share >= SATURATED).then(|| requests / elapsed.as_secs_f64()),
            foreign,
        })
    }
}

/// How many requests were served: by bytes where they are known, because of a large answer that is under way when the
/// slice ends most is done.
#[expect(clippy::cast_precision_loss, reason = "counts of a few seconds")]
pub(crate) fn requests(answers: u64, bytes: Option<u64>, answer_bytes: f64) -> f64 {
    bytes.map_or(answers as f64, |bytes| bytes as f64 / answer_bytes).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_answer_counts_as_that_part() {
        assert!((requests(10, Some(1050), 100.0) - 10.5).abs() < 1e-9);
        assert!((requests(10, None, 100.0) - 10.0).abs() < 1e-9);
        assert!((requests(0, None, 100.0) - 1.0).abs() < 1e-9, "never divides by nothing");
    }
}
