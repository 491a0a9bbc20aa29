//! The pace of tries: per account, per address, for those who have been here before, and within bounds.

use super::*;
use std::num::NonZeroU32;

fn throttle(account_burst: u32, address_burst: u32) -> Throttle {
    let burst = |burst| NonZeroU32::new(burst).expect("not zero");
    Throttle::new(&SignInConfig {
        account_burst: burst(account_burst),
        account_pause: Duration::from_secs(6),
        address_burst: burst(address_burst),
        address_pause: Duration::from_secs(1),
        remembered_max: 100,
    })
}

fn from<'name>(account: &'name str, address: &str) -> Try<'name> {
    Try { account, address: Some(address.parse().expect("an address")) }
}

#[test]
fn an_account_is_tried_so_often_and_then_slowly_for_ever() {
    let throttle = throttle(3, 1000);
    let tried = |host: u64| format!("192.0.2.{}", host % 250);
    for host in 0..3 {
        assert_eq!(throttle.admit(&from("ada", &tried(host)), 0), Ok(()));
    }
    assert_eq!(throttle.admit(&from("ada", &tried(3)), 0), Err(Wait(Duration::from_secs(6))));
    assert_eq!(throttle.admit(&from("ada", &tried(4)), 2000), Err(Wait(Duration::from_secs(4))), "refusals are free");
    assert_eq!(throttle.admit(&from("bob", &tried(3)), 0), Ok(()), "another account");
    for n in 1..100 {
        assert_eq!(throttle.admit(&from("ada", &tried(n)), n * 6000), Ok(()), "one each pause, without end");
        assert!(throttle.admit(&from("ada", &tried(n)), n * 6000).is_err());
    }
    assert_eq!(throttle.admit(&from("ada", "192.0.2.1"), 10_000_000), Ok(()));
}

#[test]
fn an_address_is_bounded_over_all_accounts_and_an_ipv6_client_is_its_network() {
    let throttle = throttle(1000, 3);
    let names = ["a", "b", "c", "d"];
    for (name, host) in names.iter().zip(1..) {
        let admitted = throttle.admit(&from(name, &format!("2001:db8::{host}")), 0);
        assert_eq!(admitted.is_ok(), host < 4, "{name}");
    }
    assert_eq!(throttle.admit(&from("d", "2001:db8:0:1::1"), 0), Ok(()), "another network");
    assert_eq!(throttle.admit(&Try { account: "d", address: None }, 0), Ok(()), "nobody knows from where");
}

#[test]
fn what_was_right_is_not_counted() {
    let throttle = throttle(2, 2);
    for _ in 0..50 {
        let tried = from("ada", "192.0.2.1");
        assert_eq!(throttle.admit(&tried, 0), Ok(()));
        throttle.succeeded(&tried, 0);
    }
}

#[test]
fn an_attacker_does_not_lock_out_who_has_been_here_before() {
    let throttle = throttle(3, 1000);
    let home = from("ada", "192.0.2.1");
    throttle.admit(&home, 0).expect("admitted");
    throttle.succeeded(&home, 0);
    let attack = |now| while throttle.admit(&from("ada", "198.51.100.7"), now).is_ok() {};
    attack(1000);
    assert_eq!(throttle.admit(&home, 1000), Ok(()));
    // A wrong password at home counts too, for home alone.
    for _ in 0..2 {
        throttle.admit(&home, 1000).expect("admitted");
    }
    assert!(throttle.admit(&home, 1000).is_err());
}

#[test]
fn the_table_is_bounded_and_keeps_what_is_guessed_at() {
    let throttle = throttle(3, 1_000_000);
    let guessed = Try { account: "ada", address: None };
    while throttle.admit(&guessed, 0).is_ok() {}
    for n in 0..10_000 {
        let name = format!("nobody-{n}");
        assert_eq!(throttle.admit(&Try { account: &name, address: None }, 0), Ok(()));
        assert!(throttle.table.lock().expect("the table").len() <= 100);
    }
    assert!(throttle.admit(&guessed, 0).is_err(), "still known");
}
