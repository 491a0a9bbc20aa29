//! Addresses that a name had until a moment ago.
//!
//! A name may lead to a new address before anybody listens there: name servers of containers know a container as soon as
//! it starts, its application takes connections later. While the old address still stands, nothing needs to be lost by
//! that: who can't connect to the new one falls back on it. It is asked last and for a few seconds only, because an
//! address that is free may be given to somebody else.

use super::member::Member;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long one stands: applications take that long to start.
const STANDS_FOR: Duration = Duration::from_secs(10);

/// Those of one name.
#[derive(Debug, Default)]
pub(super) struct Formers(Vec<(Arc<Member>, Instant)>);

impl Formers {
    /// The name had the addresses `before` and has those of `found` now.
    pub(super) fn replace(&mut self, before: &[Arc<Member>], found: &[Arc<Member>], now: Instant) {
        let is_in = |list: &[Arc<Member>], member: &Member| list.iter().any(|one| one.is_at(member));
        let gone = before.iter().filter(|member| !self.0.iter().any(|(former, _)| former.is_at(member)));
        let gone: Vec<_> = gone.map(|member| (Arc::clone(member), now + STANDS_FOR)).collect();
        self.0.extend(gone);
        self.0.retain(|(former, until)| now < *until && !is_in(found, former));
    }

    /// Lets go of those whose time is over, and says how many that were.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let before = self.0.len();
        self.0.retain(|(_, until)| now < *until);
        before - self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Member>> {
        self.0.iter().map(|(former, _)| former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EndpointAddress;
    use crate::upstream::health::Health;

    fn at(socket: &str) -> Arc<Member> {
        Arc::new(Member {
            written: "app:80".into(),
            part: 0,
            address: EndpointAddress::Tcp { host: "app".to_owned(), port: 80 },
            socket: Some(socket.parse().expect("an address")),
            weight: 1,
            own_weight: None,
            zone: None,
            health: Health::new(None),
        })
    }

    fn labels(formers: &Formers) -> Vec<String> {
        formers.iter().map(|former| former.label()).collect()
    }

    #[test]
    fn an_address_that_is_gone_stands_for_a_while() {
        let (one, two, now) = (at("10.0.0.1:80"), at("10.0.0.2:80"), Instant::now());
        let mut formers = Formers::default();
        formers.replace(&[Arc::clone(&one)], &[Arc::clone(&two)], now);
        assert_eq!(labels(&formers), ["10.0.0.1:80"]);
        // Another answer that says the same does not make it stand longer.
        formers.replace(&[Arc::clone(&two)], &[two], now + STANDS_FOR / 2);
        assert_eq!(formers.expire(now + STANDS_FOR - Duration::from_millis(1)), 0);
        assert_eq!((formers.expire(now + STANDS_FOR), formers.expire(now + STANDS_FOR)), (1, 0));
        assert!(labels(&formers).is_empty());
    }

    #[test]
    fn one_that_is_back_is_no_former_one() {
        let (one, two, now) = (at("10.0.0.1:80"), at("10.0.0.2:80"), Instant::now());
        let mut formers = Formers::default();
        formers.replace(&[Arc::clone(&one)], &[Arc::clone(&two)], now);
        formers.replace(&[Arc::clone(&two)], &[one, two], now);
        assert!(labels(&formers).is_empty());
    }
}
