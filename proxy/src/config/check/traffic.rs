//! What is sent again, how much an upstream is given, what waits, and what is given up.

use crate::config::file::hedge::Hedge;
use crate::config::file::{in_flight, traffic as file};
use crate::config::read::{At, Context};
use crate::config::units::Number;
use crate::config::{Adaptive, Breaker, HedgeAfter, InFlight, Limits, Overload, Park, Retry, RetryBudget};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The outer `None`: something of it is wrong and has been reported.
pub(super) fn retry(
    written: Option<At<file::Retry>>,
    limit: Option<Duration>,
    context: &mut Context<'_>,
) -> Option<Option<Retry>> {
    let Some(written) = written else { return Some(None) };
    let file::Retry { written: _, on, attempts, per_try_timeout, hedge } = written.value;
    let on = on?.value;
    super::twice(&on, |cause| cause.written(), context);
    if let (Some(each), Some(limit)) = (&per_try_timeout, limit)
        && each.value.0 >= limit
    {
        context
            .problem(each.at, "`per_try_timeout` is not shorter than what all attempts have together")
            .help("make it shorter than `deadline` and `total_timeout`");
    }
    let each = per_try_timeout.map(|timeout| timeout.value.0);
    let hedge = match hedge {
        None => None,
        Some(hedge) => Some(hedge_after(hedge.value, each, limit, context)?),
    };
    Some(Some(Retry {
        on: on.iter().map(|cause| cause.value).collect(),
        attempts_max: attempts?.value.0,
        per_try_timeout: each,
        hedge,
    }))
}

/// `each` is what an attempt has, `limit` what all have together.
fn hedge_after(
    written: Hedge,
    each: Option<Duration>,
    limit: Option<Duration>,
    context: &mut Context<'_>,
) -> Option<HedgeAfter> {
    let Hedge { written: _, after } = written;
    let after = after?;
    if let HedgeAfter::Time(time) = after.value
        && [each, limit].into_iter().flatten().any(|most| time >= most)
    {
        context
            .problem(after.at, "the first attempt is over before `after`")
            .help("make it shorter than `per_try_timeout`, `deadline` and `total_timeout`");
    }
    Some(after.value)
}

/// As [`retry`].
pub(super) fn retry_budget(written: Option<At<file::RetryBudget>>) -> Option<RetryBudget> {
    let Some(written) = written else { return Some(RetryBudget::DEFAULT) };
    let file::RetryBudget { written: _, percent, per_second_min } = written.value;
    Some(RetryBudget { percent: percent?.value.0, per_second_min: per_second_min?.value.0 })
}

/// As [`retry`]. An upstream that tells of itself is expected back without being asked.
pub(super) fn park(written: Option<At<file::ParkSwitch>>, linked: bool) -> Option<Option<Park>> {
    let written = match written.map(|written| written.value) {
        None => return Some(linked.then_some(Park::DEFAULT)),
        Some(file::ParkSwitch::Switched(on)) => return Some(on.then_some(Park::DEFAULT)),
        Some(file::ParkSwitch::With(table)) => *table,
    };
    let file::Park { written: _, requests_max, bytes_max, timeout, expected_for } = written;
    Some(Some(Park {
        requests_max: requests_max?.value.0 as usize,
        bytes_max: bytes_max?.value.0,
        timeout: timeout?.value.0,
        expected_for: expected_for?.value.0,
    }))
}

/// As [`retry`]. An endpoint that tells how much it takes is given no more.
pub(super) fn limits(
    written: Option<At<file::Limits>>,
    linked: bool,
    context: &mut Context<'_>,
) -> Option<Option<Limits>> {
    let Some(written) = written else { return Some(linked.then_some(Limits::DEFAULT)) };
    let At {
        value: file::Limits { written: keys, in_flight_max, in_flight_per_endpoint_max, queue_max, queue_timeout },
        at,
    } = written;
    if keys.among(&["in_flight_max", "in_flight_per_endpoint_max"]).is_empty() && !linked {
        context.problem(at, "`limits` without a limit").help(
            "add `in_flight_max` or `in_flight_per_endpoint_max`; an upstream with a `link` tells the second itself",
        );
    }
    let number = |limit: Number<1, 1_000_000>| NonZeroUsize::new(limit.0 as usize);
    let each = in_flight_per_endpoint_max.and_then(|each| Some(At { value: number(each.value)?, at: each.at }));
    let all = match in_flight_max {
        None => None,
        Some(all) => Some(At { value: in_flight(all.value, context)?, at: all.at }),
    };
    if let (Some(each), Some(all)) = (&each, &all)
        && each.value > all.value.most()
    {
        context
            .problem(each.at, "one endpoint may have more requests than all together")
            .note_at(all.at, "`in_flight_max`")
            .help("leave `in_flight_per_endpoint_max` out, or raise `in_flight_max`");
    }
    Some(Some(Limits {
        in_flight_max: all.map(|all| all.value),
        in_flight_per_endpoint_max: each.map(|each| each.value),
        queue_max: queue_max?.value.0 as usize,
        queue_timeout: queue_timeout?.value.0,
    }))
}

fn in_flight(written: in_flight::InFlight, context: &mut Context<'_>) -> Option<InFlight> {
    let table = match written {
        in_flight::InFlight::Fixed(number) => return NonZeroUsize::new(number.0 as usize).map(InFlight::Fixed),
        in_flight::InFlight::Adaptive => return Some(InFlight::Adaptive(Adaptive::DEFAULT)),
        in_flight::InFlight::Within(table) => *table,
    };
    let in_flight::Adaptive { written: _, min, max } = table;
    let max = NonZeroUsize::new(max?.value.0 as usize)?;
    let Some(min) = min else { return Some(InFlight::Adaptive(Adaptive { min: Adaptive::DEFAULT.min.min(max), max })) };
    let (min, at) = (NonZeroUsize::new(min.value.0 as usize)?, min.at);
    if min > max {
        context
            .problem(at, format!("`min` is {min}, and `max` is {max}"))
            .help(format!("`max` is {} where it is left out", Adaptive::DEFAULT.max));
        return None;
    }
    Some(InFlight::Adaptive(Adaptive { min, max }))
}

/// As [`retry`].
pub(super) fn breaker(written: Option<At<file::Breaker>>) -> Option<Option<Breaker>> {
    let Some(written) = written else { return Some(None) };
    let file::Breaker { written: _, failures_max, open_for } = written.value;
    Some(Some(Breaker { failures_max: failures_max?.value.0, open_for: open_for?.value.0 }))
}

/// As [`retry`].
pub(super) fn overload(written: Option<At<file::Overload>>, context: &mut Context<'_>) -> Option<Option<Overload>> {
    let Some(written) = written else { return Some(None) };
    let file::Overload { written: _, memory_max, close_connections_at, refuse_requests_at, refuse_connections_at } =
        written.value;
    let (first, second, third) = (close_connections_at?, refuse_requests_at?, refuse_connections_at?);
    for (name, lower, higher) in [("close_connections_at", &first, &second), ("refuse_requests_at", &second, &third)] {
        if lower.value.0 > higher.value.0 {
            context
                .problem(
                    lower.at,
                    format!("`{name}` is {}, and the next step comes at {}", lower.value.0, higher.value.0),
                )
                .help("each step comes where the one before was not enough");
        }
    }
    Some(Some(Overload {
        memory_bytes_max: memory_max.map(|max| max.value.0),
        close_connections_at: first.value.0,
        refuse_requests_at: second.value.0,
        refuse_connections_at: third.value.0,
    }))
}
