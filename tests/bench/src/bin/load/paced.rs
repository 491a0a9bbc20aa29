//! Requests on a schedule: each is due at its time, whether or not the ones before it were answered, and its latency
//! counts from then. A slow answer can't make the load lighter, and so it can't hide (coordinated omission).
//!
//! Requests come at random (a Poisson process), from the same seed each time: all servers meet the same schedule. A
//! request that finds every connection busy waits for one, and that counts too.

use crate::client::Aim;
use clap::Args;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const SEED: u64 = 0x2545_f491_4f6c_dd1d;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    aim: Aim,
    /// Requests per second.
    #[arg(long)]
    rate: f64,
    /// Connections, opened before the schedule begins.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long.
    #[arg(long)]
    seconds: u64,
}

/// What is due, and who waits for it.
#[derive(Default)]
struct Due {
    waiting: RefCell<VecDeque<Instant>>,
    more: Notify,
    is_over: Cell<bool>,
    failed: Cell<u64>,
    latencies: RefCell<Vec<Duration>>,
}

/// Asks on schedule, and says how long answers took.
pub(crate) async fn run(arguments: Arguments) -> Result<String, Box<dyn Error>> {
    let due = Rc::new(Due::default());
    let mut workers = JoinSet::new();
    for _ in 0..arguments.connections {
        let mut client = arguments.aim.client(false)?;
        // The first request of a connection, with its handshake, is not what is measured.
        let (mut stream, _) = client.connect().await?;
        client.ask(&mut *stream).await?;
        let due = Rc::clone(&due);
        workers.spawn_local(async move {
            while let Some(at) = due.next().await {
                if client.ask(&mut *stream).await.is_err() {
                    due.failed.set(due.failed.get() + 1);
                    return;
                }
                due.latencies.borrow_mut().push(at.elapsed());
            }
        });
    }
    let mut late = schedule(&due, arguments.rate, Duration::from_secs(arguments.seconds)).await?;
    due.is_over.set(true);
    due.more.notify_waiters();
    workers.join_all().await;
    let mut latencies = due.latencies.take();
    // What nobody was left to ask failed too.
    let failed = due.failed.get() + due.waiting.borrow().len() as u64;
    let [p50, p99] = [0.50, 0.99].map(|share| percentile(&mut latencies, share).as_micros());
    Ok(format!("paced {} {failed} {p50} {p99} {}", latencies.len(), percentile(&mut late, 0.99).as_micros()))
}

/// Makes requests due when their time comes; how late the generator itself was with each.
async fn schedule(due: &Due, rate: f64, duration: Duration) -> io::Result<Vec<Duration>> {
    // The kernel's timer, because the runtime's own ticks in milliseconds.
    #[expect(
        deprecated,
        reason = "an OwnedFd is open as long as it lives; the successor is unsafe, which is forbidden"
    )]
    let timer = AsyncFd::new(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?)?;
    let (start, mut at, mut random, mut late) = (Instant::now(), Duration::ZERO, SEED, Vec::new());
    while at < duration {
        if let Some(ahead) = at.checked_sub(start.elapsed()).filter(|ahead| !ahead.is_zero()) {
            sleep(&timer, ahead).await?;
        }
        late.push(start.elapsed().saturating_sub(at));
        due.waiting.borrow_mut().push_back(start + at);
        due.more.notify_one();
        at += Duration::from_secs_f64(pause(&mut random) / rate);
    }
    Ok(late)
}

async fn sleep(timer: &AsyncFd<OwnedFd>, ahead: Duration) -> io::Result<()> {
    let zero = Timespec::default();
    let value = Timespec {
        tv_sec: i64::try_from(ahead.as_secs()).map_err(io::Error::other)?,
        tv_nsec: ahead.subsec_nanos().into(),
    };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value: value })?;
    let mut ready = timer.readable().await?;
    // Setting the timer again forgets that it ran out, so nothing is read.
    ready.clear_ready();
    Ok(())
}

/// An exponentially distributed pause with a mean of 1 (xorshift64).
fn pause(random: &mut u64) -> f64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let share = ((*random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -share.ln()
}

impl Due {
    async fn next(&self) -> Option<Instant> {
        loop {
            if let Some(at) = self.waiting.borrow_mut().pop_front() {
                return Some(at);
            }
            if self.is_over.get() {
                return None;
            }
            self.more.notified().await;
        }
    }
}

fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "an index of some thousands"
    )]
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_have_a_mean_of_one() {
        let mut random = SEED;
        let sum: f64 = (0..100_000).map(|_| pause(&mut random)).sum();
        assert!((sum / 100_000.0 - 1.0).abs() < 0.01, "{sum}");
    }

    #[test]
    fn a_percentile_is_what_the_share_stays_below() {
        let mut values: Vec<Duration> = (0..100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 0.99), Duration::from_millis(99));
        assert_eq!(percentile(&mut values, 0.50), Duration::from_millis(50));
        assert_eq!(percentile(&mut [], 0.50), Duration::ZERO);
    }
}
