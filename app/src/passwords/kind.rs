//! The kinds of hashes that are understood: argon2 in PHC strings (also with Django's prefix) and Django's
//! `pbkdf2_sha256`. A kind is an algorithm with its cost: two hashes of one kind take the same time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

/// What Django puts before the number of iterations.
const PBKDF2: &str = "pbkdf2_sha256$";
/// Four times what Django 5 uses: more is no cost but a mistake, and a way to stop the server.
const ITERATIONS_MAX: u32 = 4_000_000;
/// The memory of one argon2 hash, in KiB.
const MEMORY_KIB: RangeInclusive<u32> = 8..=256 * 1024;
/// The passes over that memory, and its lanes.
const PASSES: RangeInclusive<u32> = 1..=16;

/// An algorithm with its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Algorithm, version and parameters as they stand in a PHC string, with the `$` after them.
    Argon2(String),
    /// Django's, with this many iterations.
    Pbkdf2(NonZeroU32),
}

impl Kind {
    /// The kind of a stored hash.
    pub(super) fn of(stored: &str) -> Option<Self> {
        if let Some(rest) = stored.strip_prefix(PBKDF2) {
            let iterations: NonZeroU32 = rest.split('$').next()?.parse().ok()?;
            return (iterations.get() <= ITERATIONS_MAX).then_some(Self::Pbkdf2(iterations));
        }
        let text = phc(stored);
        let hash = PasswordHash::new(text).ok()?;
        if !hash.algorithm.as_str().starts_with("argon2") {
            return None;
        }
        let cost = |name| hash.params.get_decimal(name);
        let bounded = MEMORY_KIB.contains(&cost("m")?) && PASSES.contains(&cost("t")?) && PASSES.contains(&cost("p")?);
        // Salt and digest have no `$`.
        let mut parts = text.rsplitn(3, '$');
        let head = parts.nth(2).filter(|_| bounded)?;
        Some(Self::Argon2(format!("{head}$")))
    }

    /// Whether the password belongs to a hash of this kind.
    pub(super) fn verify(&self, argon2: &Argon2<'_>, password: &str, stored: &str) -> bool {
        match self {
            // Takes the cost from the hash.
            Self::Argon2(_) => PasswordHash::new(phc(stored))
                .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok()),
            Self::Pbkdf2(iterations) => {
                let mut parts = stored.splitn(4, '$').skip(2);
                let (Some(salt), Some(digest)) = (parts.next(), parts.next()) else { return false };
                let Ok(digest) = STANDARD.decode(digest) else { return false };
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt.as_bytes(), password.as_bytes(), &digest)
                    .is_ok()
            }
        }
    }

    /// A hash of this kind that belongs to no password, with a digest of random bytes.
    pub(super) fn dummy(&self, random: [u8; 32]) -> String {
        match self {
            Self::Argon2(head) => {
                format!("{head}{}${}", STANDARD_NO_PAD.encode(&random[..16]), STANDARD_NO_PAD.encode(random))
            }
            Self::Pbkdf2(iterations) => format!("{PBKDF2}{iterations}$dummy${}", STANDARD.encode(random)),
        }
    }

    /// A pattern of LIKE that hashes of this kind match and no others.
    pub(super) fn pattern(&self) -> String {
        match self {
            Self::Argon2(head) => format!("%{head}%"),
            Self::Pbkdf2(iterations) => format!("{PBKDF2}{iterations}$%"),
        }
    }
}

/// Django writes `argon2$argon2id$v=19$...`; the rest is a PHC string.
fn phc(stored: &str) -> &str {
    stored.strip_prefix("argon2").filter(|rest| rest.starts_with('$')).unwrap_or(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_an_algorithm_with_its_cost() {
        let salt_and_digest = "c2FsdHNhbHRzYWx0c2FsdA$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        let argon2 = |head: &str| Some(Kind::Argon2(head.to_owned()));
        for (stored, kind) in [
            (format!("$argon2id$v=19$m=19456,t=2,p=1${salt_and_digest}"), argon2("$argon2id$v=19$m=19456,t=2,p=1$")),
            (
                format!("argon2$argon2id$v=19$m=102400,t=2,p=8${salt_and_digest}"),
                argon2("$argon2id$v=19$m=102400,t=2,p=8$"),
            ),
            (format!("$argon2id$v=19$m=9999999,t=2,p=1${salt_and_digest}"), None),
            (format!("$argon2id$v=19$m=19456,t=200,p=1${salt_and_digest}"), None),
            ("pbkdf2_sha256$1000$salt$AAAA".to_owned(), NonZeroU32::new(1000).map(Kind::Pbkdf2)),
            ("pbkdf2_sha256$4000001$salt$AAAA".to_owned(), None),
            ("pbkdf2_sha256$0$salt$AAAA".to_owned(), None),
            ("bcrypt_sha256$$2b$12$abc".to_owned(), None),
            ("!".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Kind::of(&stored), kind, "{stored}");
            if let Some(kind) = kind {
                let dummy = kind.dummy([7; 32]);
                assert_eq!(Kind::of(&dummy), Some(kind.clone()), "{dummy}");
                assert!(!kind.verify(&Argon2::default(), "", &dummy));
            }
        }
    }
}
