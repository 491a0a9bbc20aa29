//! Races under paused time.

use super::*;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::pending;
use tokio::time::sleep;

type Ended = Result<&'static str, &'static str>;
type Run = Runner<'static, &'static str, &'static str, &'static str>;

const DELAY: Duration = Duration::from_millis(250);
const LIMIT: Duration = Duration::from_secs(2);
const TIMES: Times = Times { delay: DELAY, limit: LIMIT };

/// It ends after so many milliseconds.
fn after(who: &'static str, milliseconds: u64, ended: Ended) -> Run {
    let connecting = Box::pin(async move {
        sleep(Duration::from_millis(milliseconds)).await;
        ended
    });
    Runner { who, connecting }
}

/// Nobody answers.
fn never(who: &'static str) -> Run {
    Runner { who, connecting: Box::pin(pending()) }
}

/// What came of a race of the first against the others, and after how many milliseconds; and when each other one started.
async fn run(
    first: Run,
    others: Vec<Run>,
    news: watch::Receiver<u64>,
) -> (Finish<&'static str, &'static str, &'static str>, u128, Vec<u128>) {
    let begun = Instant::now();
    let (others, starts) = (RefCell::new(VecDeque::from(others)), RefCell::new(Vec::new()));
    let next = || {
        let other = others.borrow_mut().pop_front()?;
        starts.borrow_mut().push(begun.elapsed().as_millis());
        Some(other)
    };
    let finish = race(first, next, |_| true, news, TIMES).await;
    (finish, begun.elapsed().as_millis(), starts.into_inner())
}

fn quiet() -> watch::Receiver<u64> {
    watch::channel(0).1
}

#[tokio::test(start_paused = true)]
async fn who_answers_soon_runs_alone() {
    let (finish, took, starts) = run(after("one", 249, Ok("a")), vec![never("two")], quiet()).await;
    assert_eq!((finish.won, took, starts), (Some(("one", "a")), 249, vec![]));
}

#[tokio::test(start_paused = true)]
async fn another_is_started_after_each_delay_and_the_first_that_comes_through_wins() {
    let others = vec![never("two"), after("three", 10, Ok("c")), never("four")];
    let (finish, took, starts) = run(never("one"), others, quiet()).await;
    let Finish { won, failed, outrun, dropped } = finish;
    assert_eq!((won, took, starts), (Some(("three", "c")), 510, vec![250, 500]));
    assert_eq!((failed, outrun, dropped), (vec![], vec!["one", "two"], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_first_may_still_win_and_the_later_ones_have_lost_nothing() {
    let (finish, took, _) = run(after("one", 600, Ok("a")), vec![never("two"), never("three")], quiet()).await;
    assert_eq!((finish.won, took), (Some(("one", "a")), 600));
    assert_eq!((finish.outrun, finish.dropped), (vec![], vec!["two", "three"]));
}

#[tokio::test(start_paused = true)]
async fn a_failure_brings_the_next_one_at_once() {
    let others = vec![after("two", 10, Err("refused")), after("three", 20, Ok("c"))];
    let (finish, took, starts) = run(never("one"), others, quiet()).await;
    assert_eq!((finish.won, took, starts), (Some(("three", "c")), 280, vec![250, 260]));
    assert_eq!((finish.failed, finish.outrun), (vec![("two", "refused")], vec!["one"]));
}

/// Who goes on is for the policy to say.
#[tokio::test(start_paused = true)]
async fn a_failure_of_the_only_one_ends_it() {
    let (finish, took, starts) = run(after("one", 5, Err("refused")), vec![never("two")], quiet()).await;
    assert_eq!((finish.failed, took, starts), (vec![("one", "refused")], 5, vec![]));
}

#[tokio::test(start_paused = true)]
async fn all_of_it_ends_in_time() {
    let (finish, took, starts) = run(never("one"), (0..20).map(|_| never("more")).collect(), quiet()).await;
    assert_eq!((finish.won, took), (None, 2000));
    assert_eq!((finish.outrun.len(), starts.len()), (RUNNERS_MAX, RUNNERS_MAX - 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_found_later_starts_when_it_is_there() {
    let (found, news) = watch::channel(0);
    let (others, begun) = (RefCell::new(None), Instant::now());
    let find = async {
        sleep(Duration::from_millis(100)).await;
        found.send_replace(1);
        sleep(Duration::from_millis(200)).await;
        others.replace(Some(after("moved", 1, Ok("b"))));
        found.send_replace(2);
        pending::<()>().await;
    };
    let racing = race(never("gone"), || others.take(), |_| true, news, TIMES);
    let finish = tokio::select! { finish = racing => finish, () = find => unreachable!("it never ends") };
    assert_eq!((finish.won, begun.elapsed().as_millis()), (Some(("moved", "b")), 301));
}

/// A slow handshake, or a place on a shared connection, is no reason to knock elsewhere.
#[tokio::test(start_paused = true)]
async fn nobody_helps_who_does_not_wait_for_an_answer_to_a_connect() {
    let next = || -> Option<Run> { unreachable!("nobody waits") };
    let finish = race(after("one", 1500, Ok("a")), next, |_| false, quiet(), TIMES).await;
    assert_eq!(finish.won, Some(("one", "a")));
}
