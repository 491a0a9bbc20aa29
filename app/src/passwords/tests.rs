//! Hashes of our own and of Django, and the bounds.

use super::*;

/// Made with Django 5.2: `PBKDF2PasswordHasher().encode("correct horse", "saltsalt", 1000)`.
const DJANGO_PBKDF2: &str = "pbkdf2_sha256$1000$saltsalt$qQDPSZa3Ormyy9oK1Pu0ZLLwP2Svzmx3yu8OvDdq/J0=";
/// Made with Django 5.2 and argon2-cffi, with a cost of 1 MiB.
const DJANGO_ARGON2: &str =
    "argon2$argon2id$v=19$m=1024,t=2,p=8$c2FsdHNhbHRzYWx0c2FsdA$TphYlO6VOTVzAIuyroTHwmJrUJOnNCpraWtlqNYZsAc";

#[tokio::test]
async fn a_password_is_known_by_its_hash() {
    let passwords = Passwords::new(1).expect("a hash");
    let hash = passwords.hash("correct horse".to_owned()).await.expect("a hash");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let verify = async |password: &str, hash: Option<&str>| {
        passwords.verify(password.to_owned(), hash.map(str::to_owned)).await.expect("a verdict")
    };
    assert_eq!(verify("correct horse", Some(&hash)).await, Verdict::Right);
    assert_eq!(verify("battery staple", Some(&hash)).await, Verdict::Wrong);
    for nothing in [None, Some("damaged"), Some(""), Some("!unusable")] {
        assert_eq!(verify("correct horse", nothing).await, Verdict::Wrong, "{nothing:?}");
    }
}

#[tokio::test]
async fn hashes_of_django_count_and_are_outdated() {
    let passwords = Passwords::new(1).expect("a hash");
    for stored in [DJANGO_PBKDF2, DJANGO_ARGON2] {
        for _ in 0..2 {
            let verify = async |password: &str| passwords.verify(password.to_owned(), Some(stored.to_owned())).await;
            assert_eq!(verify("correct horse").await, Ok(Verdict::RightOutdated), "{stored}");
            assert_eq!(verify("battery staple").await, Ok(Verdict::Wrong), "{stored}");
            // Before and after it belongs to the work of everybody.
            assert!(passwords.learn(stored));
        }
    }
}

#[test]
fn every_check_computes_each_kind_once() {
    let passwords = Passwords::new(1).expect("a hash");
    assert!(passwords.learn(DJANGO_PBKDF2) && passwords.learn("!x") && passwords.learn("bcrypt$12$"));
    let patterns = passwords.patterns();
    let ours = "%$argon2id$v=19$m=19456,t=2,p=1$%";
    assert_eq!(patterns, [ours, "pbkdf2_sha256$1000$%", "!%", "bcrypt$%", ""]);
    assert_eq!(passwords.kinds().known.len(), 2, "what can't be checked costs nothing");
    assert!(passwords.learn("$2b$12$") && !passwords.learn("b$"), "so many kinds and no more");
    assert_eq!(passwords.patterns()[4], "$2b$%", "which is not every PHC string");
}

#[tokio::test]
async fn only_so_many_wait() {
    let passwords = Passwords::new(1).expect("a hash");
    let admitted = Arc::clone(&passwords.admitted);
    let all = u32::try_from(admitted.available_permits()).expect("a small number");
    let taken = admitted.acquire_many(all).await.expect("permits");
    assert_eq!(passwords.hash("correct horse".to_owned()).await, Err(PasswordError::Busy));
    drop(taken);
    assert!(passwords.hash("correct horse".to_owned()).await.is_ok());
}
