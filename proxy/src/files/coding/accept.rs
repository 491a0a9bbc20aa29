//! `Accept-Encoding` (RFC 9110 section 12.5.3): which codings a client takes, and how gladly.

use crate::config::Coding;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// The weight of `q=1`, in thousandths.
const WEIGHT_MAX: u16 = 1000;

/// The weights of one request in thousandths; 0 is a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::files) struct Accepted {
    codings: [u16; Coding::ALL.len()],
    /// Also 0 when it is not named: then it is accepted, but any coding that is named is wanted more. And when nothing
    /// else is there it is sent although it is refused, since an error would help nobody.
    identity: u16,
}

/// What browsers send, found by comparing bytes.
const USUAL: [(&[u8], Accepted); 3] = [
    (b"gzip, deflate, br, zstd", Accepted { codings: [WEIGHT_MAX; 3], identity: 0 }),
    (b"gzip, deflate, br", Accepted { codings: [WEIGHT_MAX, 0, WEIGHT_MAX], identity: 0 }),
    (b"gzip, deflate", Accepted { codings: [0, 0, WEIGHT_MAX], identity: 0 }),
];

impl Accepted {
    /// Reads the field. Without it the file is sent as it is: who can decode says so.
    pub(in crate::files) fn read(request: &HeaderMap) -> Self {
        let mut lines = request.get_all(ACCEPT_ENCODING).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Self { codings: [0; 3], identity: WEIGHT_MAX },
            (Some(only), None) => {
                let usual = USUAL.iter().find(|(value, _)| *value == only.as_bytes());
                usual.map_or_else(|| Self::parse(&mut std::iter::once(only.as_bytes())), |(_, accepted)| *accepted)
            }
            (Some(first), Some(second)) => {
                Self::parse(&mut [first, second].into_iter().chain(lines).map(http::HeaderValue::as_bytes))
            }
        }
    }

    /// How gladly a coding is taken; 0: not at all, or less than the file as it is.
    pub(in crate::files) const fn weight(&self, coding: Coding) -> u16 {
        let weight = self.codings[coding as usize];
        if weight < self.identity { 0 } else { weight }
    }

    fn parse(lines: &mut dyn Iterator<Item = &[u8]>) -> Self {
        let mut codings = [None; Coding::ALL.len()];
        let (mut identity, mut others) = (None, None);
        for element in lines.flat_map(|line| line.split(|byte| *byte == b',')) {
            let mut parts = element.splitn(2, |byte| *byte == b';');
            let name = parts.next().unwrap_or_default().trim_ascii();
            // A weight that is none refuses: nobody gets what he may not be able to read.
            let weight = parts.next().map_or(WEIGHT_MAX, |parameter| weight(parameter).unwrap_or(0));
            let is = |token: &str| name.eq_ignore_ascii_case(token.as_bytes());
            if let Some(coding) = Coding::ALL.into_iter().find(|coding| is(coding.token())) {
                codings[coding as usize] = Some(weight);
            } else if is("x-gzip") {
                // Section 8.4.1.3: the same thing.
                codings[Coding::Gzip as usize] = Some(weight);
            } else if is("identity") {
                identity = Some(weight);
            } else if name == b"*" {
                others = Some(weight);
            }
        }
        let others = others.unwrap_or(0);
        Self { codings: codings.map(|weight| weight.unwrap_or(others)), identity: identity.unwrap_or(others) }
    }
}

/// `q=0.5` in thousandths (RFC 9110 section 12.4.2).
fn weight(parameter: &[u8]) -> Option<u16> {
    let parameter = parameter.trim_ascii();
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let (whole, fraction) = match value {
        [whole] => (whole, &[][..]),
        [whole, b'.', fraction @ ..] if fraction.len() <= 3 => (whole, fraction),
        _ => return None,
    };
    let mut thousandths = u16::from(*whole).checked_sub(u16::from(b'0'))?;
    for place in 0..3 {
        let digit = fraction.get(place).copied().unwrap_or(b'0');
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        thousandths = thousandths.checked_mul(10)?.checked_add(u16::from(digit))?;
    }
    (thousandths <= WEIGHT_MAX).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(lines: &[&str]) -> [u16; 3] {
        let mut request = HeaderMap::new();
        for line in lines {
            request.append(ACCEPT_ENCODING, HeaderValue::from_str(line).expect("value"));
        }
        let accepted = Accepted::read(&request);
        Coding::ALL.map(|coding| accepted.weight(coding))
    }

    #[test]
    fn weights_follow_section_12_5_3() {
        // br, zstd, gzip
        let table: &[(&[&str], [u16; 3])] = &[
            (&[], [0, 0, 0]),
            (&[""], [0, 0, 0]),
            (&["gzip;q=0..5, br;q=0.:"], [0, 0, 0]),
            (&["gzip, deflate, br, zstd"], [1000, 1000, 1000]),
            (&["gzip, deflate, br"], [1000, 0, 1000]),
            (&["gzip, deflate"], [0, 0, 1000]),
            (&["gzip"], [0, 0, 1000]),
            (&["x-gzip"], [0, 0, 1000]),
            (&["GZIP;Q=0.5 , Br; q=1.000"], [1000, 0, 500]),
            (&["gzip;q=0.001,br;q=0.01,zstd;q=0.1"], [10, 100, 1]),
            (&["gzip", "br"], [1000, 0, 1000]),
            (&["*"], [1000, 1000, 1000]),
            (&["*;q=0.5, br;q=0"], [0, 500, 500]),
            (&["gzip;q=0"], [0, 0, 0]),
            (&["*;q=0"], [0, 0, 0]),
            (&["gzip, *;q=0"], [0, 0, 1000]),
            (&["identity;q=0, gzip;q=0.1"], [0, 0, 100]),
            (&["identity"], [0, 0, 0]),
            // The file as it is, is wanted more.
            (&["identity, gzip;q=0.9"], [0, 0, 0]),
            (&["identity;q=0.5, gzip;q=0.5"], [0, 0, 500]),
            // What is no weight refuses.
            (&["gzip;q=1.001, br;q=2, zstd;q=0.1234"], [0, 0, 0]),
            (&["gzip;q=, br;q=a, zstd;level=3"], [0, 0, 0]),
            (&["gzip;q=0.5;x=y"], [0, 0, 0]),
            (&["compress, deflate, unknown"], [0, 0, 0]),
            (&[",, gzip ,"], [0, 0, 1000]),
            (&["gzip2, agzip"], [0, 0, 0]),
        ];
        for (lines, expected) in table {
            assert_eq!(read(lines), *expected, "{lines:?}");
        }
    }

    #[test]
    fn what_browsers_send_is_read_the_same_without_the_short_cut() {
        for (value, accepted) in USUAL {
            assert_eq!(Accepted::parse(&mut std::iter::once(value)), accepted);
        }
    }
}
