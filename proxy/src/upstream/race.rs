//! Connects to several addresses of one name, raced: Happy Eyeballs (RFC 8305 section 5), as a function of futures.
//!
//! The first one runs alone for a while. Whenever none has come through for as long again, or one has failed while others
//! are under way, the next one is started beside them. The first that comes through wins.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How many run at once: addresses that do not answer are no reason to knock everywhere.
const RUNNERS_MAX: usize = 8;

/// One that runs.
pub(super) struct Runner<'a, W, T, E> {
    pub(super) who: W,
    pub(super) connecting: Pin<Box<dyn Future<Output = Result<T, E>> + 'a>>,
}

/// How long a race takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// Between two starts (the connection attempt delay).
    pub(super) delay: Duration,
    /// All of it.
    pub(super) limit: Duration,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finish<W, T, E> {
    /// Who came through.
    pub(super) won: Option<(W, T)>,
    /// Those that failed, in that order.
    pub(super) failed: Vec<(W, E)>,
    /// Those that had started before the winner and were still under way, or with no winner all that were.
    pub(super) outrun: Vec<W>,
    /// Those that had started after it.
    pub(super) dropped: Vec<W>,
}

/// What happens next.
enum Event<T> {
    Ended(usize, T),
    Paused,
    News,
}

/// Runs a race. `next` brings further runners while there are any; when there was none, it is asked again with each news.
/// Only while one of those under way `waits` for its peer another one helps.
pub(super) async fn race<'a, W, T, E>(
    first: Runner<'a, W, T, E>,
    mut next: impl FnMut() -> Option<Runner<'a, W, T, E>>,
    waits: impl Fn(&W) -> bool,
    mut news: watch::Receiver<u64>,
    Times { delay, limit }: Times,
) -> Finish<W, T, E> {
    let end = Instant::now() + limit;
    let mut runners = vec![first];
    let mut failed = Vec::new();
    let mut pause = std::pin::pin!(sleep_until(end.min(Instant::now() + delay)));
    // Whether it is somebody's turn and nobody was there.
    let mut lacks = false;
    loop {
        let event = tokio::select! {
            biased;
            (index, ended) = ended(&mut runners) => Event::Ended(index, ended),
            () = pause.as_mut() => Event::Paused,
            Ok(()) = news.changed(), if lacks => Event::News,
        };
        match event {
            Event::Ended(index, ended) => {
                let dropped = runners.split_off(index + 1).into_iter();
                let Some(Runner { who, connecting: _ }) = runners.pop() else { continue };
                match ended {
                    Ok(won) => {
                        let dropped = dropped.map(|runner| runner.who).collect();
                        return Finish { won: Some((who, won)), failed, outrun: names(runners), dropped };
                    }
                    Err(error) => failed.push((who, error)),
                }
                runners.extend(dropped);
                if runners.is_empty() {
                    return Finish { won: None, failed, outrun: Vec::new(), dropped: Vec::new() };
                }
            }
            Event::Paused if Instant::now() >= end => {
                return Finish { won: None, failed, outrun: names(runners), dropped: Vec::new() };
            }
            Event::Paused | Event::News => {}
        }
        lacks = false;
        if runners.len() < RUNNERS_MAX && runners.iter().any(|runner| waits(&runner.who)) {
            match next() {
                Some(runner) => runners.push(runner),
                None => lacks = true,
            }
        }
        pause.as_mut().reset(end.min(Instant::now() + delay));
    }
}

/// Waits for one to end, and says which; of several the one that started first.
async fn ended<W, T, E>(runners: &mut [Runner<'_, W, T, E>]) -> (usize, Result<T, E>) {
    let poll = |context: &mut Context<'_>| {
        let ready =
            runners.iter_mut().enumerate().find_map(|(index, runner)| match runner.connecting.as_mut().poll(context) {
                Poll::Ready(ended) => Some((index, ended)),
                Poll::Pending => None,
            });
        ready.map_or(Poll::Pending, Poll::Ready)
    };
    poll_fn(poll).await
}

fn names<W, T, E>(runners: Vec<Runner<'_, W, T, E>>) -> Vec<W> {
    runners.into_iter().map(|runner| runner.who).collect()
}

#[cfg(test)]
mod tests;
