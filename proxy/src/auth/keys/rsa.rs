//! The two numbers of an RSA key, and what disqualifies them.

use super::KeyProblem;
use aws_lc_rs::signature::{ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, RsaSubjectPublicKey};

const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Longer exponents only make checking slow, which helps nobody but an attacker. aws-lc stops at 33 bits too.
const EXPONENT_BYTES_MAX: usize = 5;

/// Small primes under which the keys of a flawed smart-card library betray themselves.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Modulus and exponent, big-endian without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RsaNumbers {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl RsaNumbers {
    /// The numbers of a JWK (RFC 7518 section 6.3.1). Leading zeros are forbidden there and yet common: they are cut.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Self {
        Self { modulus: without_leading_zeros(modulus), exponent: without_leading_zeros(exponent) }
    }

    /// The numbers of a `SubjectPublicKeyInfo` in DER.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, KeyProblem> {
        let key = RsaSubjectPublicKey::from_der(der).map_err(|_| KeyProblem::Invalid)?;
        let numbers = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
        Ok(Self::new(&numbers.n, &numbers.e))
    }

    /// The key, if it is worth trusting.
    pub(crate) fn to_public_key(&self, parameters: &'static RsaParameters) -> Result<ParsedPublicKey, KeyProblem> {
        self.check()?;
        let numbers = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
        let key = numbers.to_parsed_public_key(parameters).map_err(|_| KeyProblem::Invalid)?;
        // Building from numbers checks nothing; parsing runs aws-lc's own RSA_check_key.
        RsaSubjectPublicKey::from_der(key.as_ref()).map_err(|_| KeyProblem::RsaWeak)?;
        Ok(key)
    }

    fn check(&self) -> Result<(), KeyProblem> {
        let bits = self.modulus.len() * 8 - self.modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !MODULUS_BITS.contains(&bits) {
            return Err(KeyProblem::RsaSize);
        }
        let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
        let weak = !odd(&self.modulus)
            || !odd(&self.exponent)
            || self.exponent == [1]
            || self.exponent.len() > EXPONENT_BYTES_MAX
            || self.has_roca();
        if weak { Err(KeyProblem::RsaWeak) } else { Ok(()) }
    }

    /// ROCA (CVE-2017-15361): modulo each small prime such a modulus is a power of 65537. A sound one passes for it
    /// once in 2^27.
    fn has_roca(&self) -> bool {
        ROCA_PRIMES.iter().all(|&prime| {
            let residue = self.modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime);
            let mut power = 1;
            (0..prime).any(|_| {
                power = power * (65537 % prime) % prime;
                power == residue
            })
        })
    }
}

fn without_leading_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|&byte| byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_exponents_that_are_refused() {
        let modulus = |bytes: usize, last: u8| {
            let mut modulus = vec![0xc5; bytes];
            modulus[bytes - 1] = last;
            modulus
        };
        for (bytes, last, exponent, expected) in [
            (256, 0x0b, &[1, 0, 1][..], Ok(())),
            (1024, 0x0b, &[3][..], Ok(())),
            (255, 0x0b, &[3][..], Err(KeyProblem::RsaSize)),
            (1025, 0x0b, &[3][..], Err(KeyProblem::RsaSize)),
            (0, 0, &[3][..], Err(KeyProblem::RsaSize)),
            (256, 0x0c, &[3][..], Err(KeyProblem::RsaWeak)),
            (256, 0x0b, &[1][..], Err(KeyProblem::RsaWeak)),
            (256, 0x0b, &[][..], Err(KeyProblem::RsaWeak)),
            (256, 0x0b, &[4][..], Err(KeyProblem::RsaWeak)),
            (256, 0x0b, &[1, 0, 0, 0, 0, 1][..], Err(KeyProblem::RsaWeak)),
        ] {
            let modulus = if bytes == 0 { vec![0; 300] } else { modulus(bytes, last) };
            assert_eq!(RsaNumbers::new(&modulus, exponent).check(), expected, "{bytes} {last} {exponent:?}");
        }
    }
}
