//! The workers of a server: one thread and one single-threaded runtime a core, nothing shared between them but what
//! their owner hands to each.
//!
//! Measured with the same code behind the same sockets: one multi-threaded runtime costs 20 % more CPU a request than
//! one local runtime a core, and 58 % more with a shared client pool.

use crate::drain::{Drain, UnderWay};
use std::io;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{mpsc, watch};

/// What one worker is given when it starts.
pub struct Worker {
    /// 0, 1, 2, ...
    pub index: usize,
    /// The worker's drain; acceptors and connections hang on it.
    pub drain: Rc<Drain>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    Draining(Duration),
    /// Every worker has drained: none needs another's runtime any more.
    Ended,
}

/// Running workers. Dropping it stops them at once; [`Workers::drain`] does so gracefully.
pub struct Workers {
    phase: watch::Sender<Phase>,
    drained: mpsc::UnboundedReceiver<Drained>,
    threads: Vec<JoinHandle<()>>,
}

/// What a drain could not finish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut at the deadline.
    pub cut: usize,
    /// What was under way on them.
    pub work: UnderWay,
}

/// Builds the runtime of a worker: single-threaded, so that tasks need not be `Send` and no queue is locked.
///
/// # Errors
/// When the kernel has no descriptor left.
pub fn local_runtime() -> io::Result<LocalRuntime> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

impl Workers {
    /// Starts `count` workers and waits until each is set up.
    ///
    /// `start` makes what a worker needs before its thread runs; the closure that it returns runs on the worker and
    /// sets it up: it spawns acceptors and returns.
    ///
    /// # Errors
    /// The first error of a set-up; all workers are stopped then.
    pub async fn start<S>(count: NonZeroUsize, name: &str, mut start: impl FnMut(usize) -> S) -> io::Result<Self>
    where
        S: AsyncFnOnce(Worker) -> io::Result<()> + Send + 'static,
    {
        let (phase, _) = watch::channel(Phase::Running);
        let (drained_sender, drained) = mpsc::unbounded_channel();
        let (ready_sender, mut ready) = mpsc::unbounded_channel();
        let mut workers = Self { phase, drained, threads: Vec::with_capacity(count.get()) };
        for index in 0..count.get() {
            let set_up = start(index);
            let phase = workers.phase.subscribe();
            let (drained, ready) = (drained_sender.clone(), ready_sender.clone());
            let thread = std::thread::Builder::new().name(format!("{name}-{index}")).spawn(move || {
                let runtime = match local_runtime() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(ready.send(Err(error))),
                };
                runtime.block_on(live(index, set_up, phase, &ready, &drained));
                // Blocking work that nobody waits for any more must not hold up the end.
                runtime.shutdown_background();
            })?;
            workers.threads.push(thread);
        }
        drop(ready_sender);
        for _ in 0..count.get() {
            ready.recv().await.unwrap_or_else(|| Err(io::Error::other("a worker ended while it started")))?;
        }
        Ok(workers)
    }

    /// Stops accepting, waits until every connection has ended or `limit` has passed, and ends the threads.
    pub async fn drain(mut self, limit: Duration) -> Drained {
        let _ = self.phase.send(Phase::Draining(limit));
        let mut all = Drained::default();
        for _ in 0..self.threads.len() {
            let Drained { cut, work } = self.drained.recv().await.unwrap_or_default();
            all.cut += cut;
            all.work += work;
        }
        self.stop();
        all
    }

    fn stop(&mut self) {
        let _ = self.phase.send(Phase::Ended);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread panicked");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn live<S>(
    index: usize,
    set_up: S,
    mut phase: watch::Receiver<Phase>,
    ready: &mpsc::UnboundedSender<io::Result<()>>,
    drained: &mpsc::UnboundedSender<Drained>,
) where
    S: AsyncFnOnce(Worker) -> io::Result<()>,
{
    let drain = Drain::new();
    let outcome = set_up(Worker { index, drain: Rc::clone(&drain) }).await;
    let failed = outcome.is_err();
    let _ = ready.send(outcome);
    if failed {
        return;
    }
    let Ok(Phase::Draining(limit)) = phase.wait_for(|phase| *phase != Phase::Running).await.map(|phase| *phase) else {
        return;
    };
    drain.begin();
    let _ = tokio::time::timeout(limit, drain.all_closed()).await;
    let _ = drained.send(Drained { cut: drain.open_count(), work: drain.under_way() });
    // Other workers may still use what lives on this runtime, such as database connections opened here.
    let _ = phase.wait_for(|phase| *phase == Phase::Ended).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

    #[tokio::test]
    async fn a_drain_cuts_what_outlives_its_limit_and_says_so() {
        let workers = Workers::start(TWO, "test", |index| {
            async move |worker: Worker| {
                if index == 1 {
                    let open = worker.drain.open();
                    tokio::task::spawn_local(async move {
                        std::future::pending::<()>().await;
                        drop(open);
                    });
                }
                Ok(())
            }
        })
        .await
        .expect("workers");
        assert_eq!(workers.drain(Duration::from_millis(20)).await, Drained { cut: 1, ..Drained::default() });
    }

    #[tokio::test]
    async fn a_failed_set_up_fails_the_start() {
        let started = Workers::start(TWO, "test", |index| {
            async move |_: Worker| if index == 1 { Err(io::Error::other("no")) } else { Ok(()) }
        })
        .await;
        assert_eq!(started.err().expect("an error").to_string(), "no");
    }
}
