//! Numbers, durations and addresses as text, without `fmt`.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

/// The most that anything here has.
const DECIMALS_MAX: usize = 3;

/// A number.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An address.
pub(super) fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            // At most 15 bytes, appended at once.
            let (mut text, mut length) = ([0; 16], 0);
            let mut push = |byte| {
                text[length] = byte;
                length += 1;
            };
            for octet in address.octets() {
                for (least, divisor) in [(100, 100), (10, 10), (0, 1)] {
                    if octet >= least {
                        push(b'0' + octet / divisor % 10);
                    }
                }
                push(b'.');
            }
            out.extend_from_slice(&text[..length - 1]);
        }
        IpAddr::V6(address) => {
            // Writing to memory can't fail.
            let _ = write!(out, "{address}");
        }
    }
}

/// Milliseconds to a microsecond, `0.123`: more digits are noise.
pub(super) fn push_milliseconds(out: &mut Vec<u8>, duration: Duration) {
    push_decimals(out, duration, 1_000, 3);
}

/// Milliseconds to a tenth and their unit, `0.1ms`, for people.
pub(super) fn push_tenths(out: &mut Vec<u8>, duration: Duration) {
    push_decimals(out, duration, 100_000, 1);
    out.extend_from_slice(b"ms");
}

/// Milliseconds with this many decimals, at most [`DECIMALS_MAX`], each unit of the last being this many nanoseconds.
fn push_decimals(out: &mut Vec<u8>, duration: Duration, unit_nanoseconds: u64, decimals: u32) {
    // Five hundred years of nanoseconds; a division of 128 bits is slow.
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let units = nanoseconds.saturating_add(unit_nanoseconds / 2) / unit_nanoseconds;
    let whole = 10_u64.pow(decimals);
    push_number(out, units / whole);
    let mut text = [b'.'; DECIMALS_MAX + 1];
    let mut rest = units % whole;
    for digit in text[1..=decimals as usize].iter_mut().rev() {
        *digit = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    out.extend_from_slice(&text[..=decimals as usize]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formed(form: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        form(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        for address in ["0.0.0.0", "192.0.2.7", "255.255.255.255", "2001:db8::1"] {
            assert_eq!(formed(|out| push_address(out, address.parse().expect(address))), address);
        }
        for (microseconds, wanted) in [(0, "0.0ms"), (49, "0.0ms"), (50, "0.1ms"), (9_949, "9.9ms"), (9_950, "10.0ms")]
        {
            assert_eq!(formed(|out| push_tenths(out, Duration::from_micros(microseconds))), wanted);
        }
        for (nanoseconds, wanted) in
            [(0, "0.000"), (499, "0.000"), (500, "0.001"), (1_234_567, "1.235"), (12_000_000_000, "12000.000")]
        {
            assert_eq!(formed(|out| push_milliseconds(out, Duration::from_nanos(nanoseconds))), wanted);
        }
        assert!(formed(|out| push_milliseconds(out, Duration::MAX)).contains('.'));
    }
}
