//! Pages: where a list goes on. A cursor names the last item that was shown, so that new items on top shift nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Items on a page when the client does not say.
pub const LIMIT_DEFAULT: u32 = 20;
/// The most items on a page.
pub const LIMIT_MAX: u32 = 100;

/// A page was asked for in a way that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// The limit is not in 1 to [`LIMIT_MAX`].
    #[error("Must be a number from 1 to {LIMIT_MAX}.")]
    Limit,
    /// The cursor was not made by us, or for another list.
    #[error("Not a cursor of this list.")]
    Cursor,
}

/// The checked limit.
///
/// # Errors
/// [`BadPage::Limit`]
pub fn limit(asked: Option<&str>) -> Result<u32, BadPage> {
    let Some(asked) = asked else { return Ok(LIMIT_DEFAULT) };
    asked.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or(BadPage::Limit)
}

/// A place in a list whose order is: first flag, then time, then id, all descending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Whether the last shown item was in the first group (pinned).
    pub first: bool,
    /// The last shown item's time, in milliseconds since 1970.
    pub at_ms: i64,
    /// The last shown item's id.
    pub id: uuid::Uuid,
}

impl Cursor {
    /// As clients carry it: 34 characters that mean nothing to them.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 25];
        bytes[0] = u8::from(self.first);
        bytes[1..9].copy_from_slice(&self.at_ms.to_be_bytes());
        bytes[9..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads [`Cursor::encode`] back.
    ///
    /// # Errors
    /// [`BadPage::Cursor`]
    pub fn decode(text: &str) -> Result<Self, BadPage> {
        let mut bytes = [0; 25];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(25) if bytes[0] <= 1 => {}
            _ => return Err(BadPage::Cursor),
        }
        let (mut at_ms, mut id) = ([0; 8], [0; 16]);
        at_ms.copy_from_slice(&bytes[1..9]);
        id.copy_from_slice(&bytes[9..]);
        Ok(Self { first: bytes[0] == 1, at_ms: i64::from_be_bytes(at_ms), id: uuid::Uuid::from_bytes(id) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn cursors_read_back() {
        for cursor in [
            Cursor { first: true, at_ms: i64::MAX, id: Uuid::from_u128(7) },
            Cursor { first: false, at_ms: -1, id: Uuid::nil() },
        ] {
            assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let good = Cursor { first: true, at_ms: 1, id: Uuid::nil() }.encode();
        for text in ["", "x", "null", &good[1..], &format!("{good}A"), &format!("{good}AAAAAAAAAAAA"), "é"] {
            assert_eq!(Cursor::decode(text), Err(BadPage::Cursor), "{text:?}");
        }
        assert_eq!(Cursor::decode(&good.replacen('A', "_", 1)), Err(BadPage::Cursor));
    }

    #[test]
    fn limits() {
        for (asked, limit_or_not) in [
            (None, Ok(20)),
            (Some("1"), Ok(1)),
            (Some("100"), Ok(100)),
            (Some("0"), Err(BadPage::Limit)),
            (Some("101"), Err(BadPage::Limit)),
            (Some("-1"), Err(BadPage::Limit)),
            (Some(""), Err(BadPage::Limit)),
            (Some("99999999999"), Err(BadPage::Limit)),
        ] {
            assert_eq!(limit(asked), limit_or_not, "{asked:?}");
        }
    }
}
