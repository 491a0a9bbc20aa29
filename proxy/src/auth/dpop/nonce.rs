//! Nonces that need no memory: a stretch of time under a key of this process (RFC 9449 section 8).
//!
//! Every worker recognises them, and no client can make one for a time to come, which is what they are for: a proof
//! can't be made long before it is used (section 11.2). The key lives as long as the process, so that a nonce is worth
//! nothing at another edge, which has not seen the proofs that were used here.

use super::NoRandom;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;

/// Seconds for which a nonce is the newest. It counts for as long again.
pub(super) const SLOT_SECONDS: u64 = 150;

/// Bytes of the slot's number.
const NUMBER_BYTES: usize = 8;

/// Bytes of a nonce: the slot's number and its HMAC-SHA256.
const NONCE_BYTES: usize = NUMBER_BYTES + 32;

/// Letters of a nonce.
const NONCE_LETTERS: usize = (NONCE_BYTES * 4).div_ceil(3);

/// Makes nonces and recognises them.
#[derive(Debug)]
pub(super) struct Nonces(hmac::Key);

/// What a nonce is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The newest.
    Newest,
    /// Good, but there is a newer one.
    Previous,
    /// Too old, or none of ours.
    Worthless,
}

impl Nonces {
    /// With a key that nobody knows.
    pub(super) fn random() -> Result<Self, NoRandom> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map(Self).map_err(|_| NoRandom)
    }

    /// The nonce of this moment, in seconds since 1970.
    pub(super) fn at(&self, now: u64) -> Option<HeaderValue> {
        let number = (now / SLOT_SECONDS).to_be_bytes();
        let mut nonce = number.to_vec();
        nonce.extend_from_slice(hmac::sign(&self.0, &number).as_ref());
        HeaderValue::try_from(URL_SAFE_NO_PAD.encode(nonce)).ok()
    }

    /// What a nonce is worth at this moment.
    pub(super) fn judge(&self, nonce: &str, now: u64) -> Standing {
        if nonce.len() != NONCE_LETTERS {
            return Standing::Worthless;
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(nonce) else { return Standing::Worthless };
        let Some((number, tag)) = bytes.split_first_chunk::<NUMBER_BYTES>() else { return Standing::Worthless };
        let slot = now / SLOT_SECONDS;
        let standing = match u64::from_be_bytes(*number) {
            newest if newest == slot => Standing::Newest,
            previous if previous.checked_add(1) == Some(slot) => Standing::Previous,
            _ => return Standing::Worthless,
        };
        // In constant time.
        if hmac::verify(&self.0, number, tag).is_ok() { standing } else { Standing::Worthless }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_for_one_to_two_slots_and_nowhere_else() {
        let nonces = Nonces::random().expect("random bytes");
        let now = 1_800_000_000 / SLOT_SECONDS * SLOT_SECONDS;
        let value = nonces.at(now).expect("a value");
        let nonce = value.to_str().expect("ASCII");
        for (later, expected) in [
            (0, Standing::Newest),
            (SLOT_SECONDS - 1, Standing::Newest),
            (SLOT_SECONDS, Standing::Previous),
            (2 * SLOT_SECONDS - 1, Standing::Previous),
            (2 * SLOT_SECONDS, Standing::Worthless),
        ] {
            assert_eq!(nonces.judge(nonce, now + later), expected, "{later}");
        }
        assert_eq!(nonces.judge(nonce, now - 1), Standing::Worthless, "of a time to come");
        assert_eq!(nonces.at(now + 1), nonces.at(now), "the same for everybody");
        assert_ne!(nonces.at(now + SLOT_SECONDS), nonces.at(now));
        let other = Nonces::random().expect("random bytes");
        assert_eq!(other.judge(nonce, now), Standing::Worthless, "of another process");
        assert_eq!(nonce.len(), NONCE_LETTERS);
    }

    #[test]
    fn what_is_no_nonce_is_worthless() {
        let nonces = Nonces::random().expect("random bytes");
        let value = nonces.at(0).expect("a value");
        let good = value.to_str().expect("ASCII");
        let changed = |at: usize| {
            let mut bytes = good.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).expect("ASCII")
        };
        for nonce in
            ["", "a", &good[1..], &format!("{good}A"), &changed(0), &changed(20), &changed(50), &"é".repeat(27)]
        {
            assert_eq!(nonces.judge(nonce, 0), Standing::Worthless, "{nonce:?}");
        }
        assert_eq!(nonces.judge(good, 0), Standing::Newest);
    }
}
