//! How many bad tokens one client may send.
//!
//! A forged token costs its sender nothing and the edge a whole verification. Who has sent too many is answered before
//! the next one is even taken apart; only a token that was verified before still passes, because it costs nothing.

use lru::LruCache;
use serve::clients::Client;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A client may spend this much time's budget at once, and has it again after so long.
const PERIOD: Duration = Duration::from_secs(60);

/// The most clients that are remembered, together about 2 MiB. Beyond them the one whose last bad token is longest ago
/// is forgotten: an attacker with more addresses gains a fresh budget for each, which it has anyway.
const CLIENTS_MAX: usize = 16 * 1024;

/// The budgets of all clients, shared by all workers.
///
/// One lock for all: it is held for one look into a table, and only tokens that no cache knows come here, each of which
/// costs a hundred times that to verify.
pub struct BadTokens {
    per_minute: NonZeroU32,
    /// When each client's budget will be whole again, since 1970. Who is not here has not spent any.
    whole_at: Mutex<LruCache<Client, Duration, RandomState>>,
}

/// A budget that is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    /// When the next token is looked at.
    pub(crate) retry_after: Duration,
}

impl BadTokens {
    /// Every client may send so many bad tokens a minute.
    #[must_use]
    pub fn new(per_minute: NonZeroU32) -> Arc<Self> {
        Arc::new(Self { per_minute, whole_at: Mutex::new(LruCache::unbounded_with_hasher(RandomState::new())) })
    }

    /// How many each client may send a minute.
    #[must_use]
    pub fn per_minute(&self) -> NonZeroU32 {
        self.per_minute
    }

    /// How many clients are remembered.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.table().len()
    }

    /// Whether the client may show one more token. `now` is since 1970.
    pub(crate) fn check(&self, client: IpAddr, now: Duration) -> Result<(), Spent> {
        let owed =
            self.table().peek(&Client::from(client)).map_or(Duration::ZERO, |whole_at| self.owed(*whole_at, now));
        let after_next = owed + self.price();
        if after_next <= PERIOD { Ok(()) } else { Err(Spent { retry_after: after_next - PERIOD }) }
    }

    /// The client's token was bad.
    pub(crate) fn charge(&self, client: IpAddr, now: Duration) {
        let mut table = self.table();
        let client = Client::from(client);
        let owed = table.get(&client).map_or(Duration::ZERO, |whole_at| self.owed(*whole_at, now));
        // Workers that look at the same time may overdraw it together; what they do does not add up.
        table.put(client, now + (owed + self.price()).min(PERIOD + self.price()));
        if table.len() > CLIENTS_MAX {
            table.pop_lru();
        }
    }

    /// What one bad token takes from the budget, as the time that gives it back.
    fn price(&self) -> Duration {
        PERIOD / self.per_minute.get()
    }

    /// How long until the budget is whole. More than can be owed comes from a clock that was set back, and is nothing.
    fn owed(&self, whole_at: Duration, now: Duration) -> Duration {
        let owed = whole_at.saturating_sub(now);
        if owed <= PERIOD + self.price() { owed } else { Duration::ZERO }
    }

    fn table(&self) -> MutexGuard<'_, LruCache<Client, Duration, RandomState>> {
        // Nothing panics while it is held.
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for BadTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BadTokens").field("per_minute", &self.per_minute).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Duration = Duration::from_secs(1_800_000_000);

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn budget(per_minute: u32) -> Arc<BadTokens> {
        BadTokens::new(NonZeroU32::new(per_minute).expect("not zero"))
    }

    #[test]
    fn a_budget_is_spent_and_comes_back_with_time() {
        let budget = budget(6);
        let client = ip("192.0.2.1");
        for _ in 0..6 {
            assert_eq!(budget.check(client, START), Ok(()));
            budget.charge(client, START);
        }
        let ten = Duration::from_secs(10);
        assert_eq!(budget.check(client, START), Err(Spent { retry_after: ten }));
        assert_eq!(
            budget.check(client, START + Duration::from_secs(4)),
            Err(Spent { retry_after: Duration::from_secs(6) })
        );
        assert_eq!(budget.check(client, START + ten), Ok(()));
        assert_eq!(budget.check(ip("192.0.2.2"), START), Ok(()), "another client has its own");
        budget.charge(client, START + ten);
        assert!(budget.check(client, START + ten).is_err(), "one came back, one was spent");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let budget = budget(1);
        budget.charge(ip("2001:db8:0:1::1"), START);
        assert!(budget.check(ip("2001:db8:0:1:ffff::2"), START).is_err());
        assert_eq!(budget.check(ip("2001:db8:0:2::1"), START), Ok(()));
        budget.charge(ip("::ffff:192.0.2.1"), START);
        assert!(budget.check(ip("192.0.2.1"), START).is_err());
    }

    #[test]
    fn memory_is_bounded_however_many_clients_come() {
        let budget = budget(1);
        for number in 0..u32::try_from(CLIENTS_MAX).expect("small") + 100 {
            budget.charge(IpAddr::from(number.to_be_bytes()), START);
        }
        assert_eq!(budget.clients(), CLIENTS_MAX);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let budget = budget(1);
        budget.charge(ip("192.0.2.1"), START + Duration::from_secs(86_400));
        assert_eq!(budget.check(ip("192.0.2.1"), START), Ok(()));
    }

    proptest! {
        /// Over any time, a client gets no more than a minute's budget at once and its share of the rest.
        #[test]
        fn nobody_gets_more_than_the_budget(pauses in prop::collection::vec(0_u64..30_000, 1..400), per_minute in 1_u32..100) {
            let budget = budget(per_minute);
            let (client, mut now, mut looked_at) = (ip("192.0.2.1"), START, 0_u64);
            for pause in pauses {
                now += Duration::from_millis(pause);
                if budget.check(client, now).is_ok() {
                    budget.charge(client, now);
                    looked_at += 1;
                }
            }
            let elapsed = (now - START).as_secs_f64();
            let share = f64::from(per_minute) * (1.0 + elapsed / 60.0);
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            let looked_at = looked_at as f64;
            prop_assert!(looked_at <= share + 1e-3, "{looked_at} of {share}");
        }
    }
}
