//! How often a sign-in may be tried. Guessing is slow, and nobody is locked out: whoever waits may try again, and who
//! has signed in from his address before does not wait for what others try at his account.
//!
//! Each process counts for itself and forgets at its end: several instances allow so many times as much.

mod pace;

use crate::config::SignInConfig;
use pace::{Pace, Table};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts tries.
pub struct Throttle {
    account: Pace,
    address: Pace,
    table: Mutex<Table>,
    /// Random, so that nobody chooses names that meet in one entry.
    hasher: RandomState,
}

/// Who tries to sign in.
#[derive(Debug, Clone, Copy)]
pub struct Try<'name> {
    /// The account's name as it is compared, whether there is one or not.
    pub account: &'name str,
    /// The client's address, where the edge tells it.
    pub address: Option<IpAddr>,
}

/// Too many tries: the time until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; the next one in {0:?}")]
pub struct Wait(pub Duration);

impl Throttle {
    /// With nobody counted yet.
    #[must_use]
    pub fn new(config: &SignInConfig) -> Self {
        let SignInConfig { account_burst, account_pause, address_burst, address_pause, remembered_max } = *config;
        Self {
            account: Pace::new(account_burst, account_pause),
            address: Pace::new(address_burst, address_pause),
            table: Mutex::new(Table::new(remembered_max)),
            hasher: RandomState::new(),
        }
    }

    /// Counts one try at `now`, in milliseconds on any clock that does not jump.
    ///
    /// # Errors
    /// It is one too many. It is not counted then.
    pub fn admit(&self, tried: &Try<'_>, now_ms: u64) -> Result<(), Wait> {
        let (address, account) = self.entries(tried);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let own = account.own.filter(|own| table.is_marked(*own, now_ms));
        let account = own.unwrap_or(account.everybodys);
        let wait = address.map(|address| table.wait(address, self.address, now_ms)).unwrap_or_default();
        let wait = wait.max(table.wait(account, self.account, now_ms));
        if !wait.is_zero() {
            return Err(Wait(wait));
        }
        if let Some(address) = address {
            table.count(address, self.address, now_ms);
        }
        table.count(account, self.account, now_ms);
        Ok(())
    }

    /// Counts a try that concerns no account yet: a registration costs a hash as a sign-in does, and tells whether a name
    /// is taken.
    ///
    /// # Errors
    /// As [`Throttle::admit`].
    pub fn admit_stranger(&self, address: Option<IpAddr>, now_ms: u64) -> Result<(), Wait> {
        let Some(address) = address.map(network) else { return Ok(()) };
        let entry = self.hasher.hash_one(("address", address));
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = table.wait(entry, self.address, now_ms);
        if !wait.is_zero() {
            return Err(Wait(wait));
        }
        table.count(entry, self.address, now_ms);
        Ok(())
    }

    /// Takes back one try, which was right, and remembers the address: what others try at this account is not counted
    /// against it any more.
    pub fn succeeded(&self, tried: &Try<'_>, now_ms: u64) {
        let (address, account) = self.entries(tried);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let own = account.own.filter(|own| table.is_marked(*own, now_ms));
        if let Some(address) = address {
            table.uncount(address, self.address);
        }
        table.uncount(own.unwrap_or(account.everybodys), self.account);
        if let Some(own) = account.own {
            table.mark(own, now_ms);
        }
    }

    fn entries(&self, tried: &Try<'_>) -> (Option<u64>, Account) {
        let Try { account, address } = tried;
        let address = address.map(network);
        let everybodys = self.hasher.hash_one(("account", account));
        let own = address.map(|address| self.hasher.hash_one(("own", account, address)));
        (address.map(|address| self.hasher.hash_one(("address", address))), Account { own, everybodys })
    }
}

/// The entries of an account.
struct Account {
    /// That of this address alone.
    own: Option<u64>,
    /// That of all addresses from which nobody has signed in.
    everybodys: u64,
}

/// An IPv6 client is its /64: it has as many addresses as it likes.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
