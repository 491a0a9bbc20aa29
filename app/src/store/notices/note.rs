//! A change of a note as a payload of NOTIFY, which holds less than 8000 bytes.

use crate::domain::event::{EventKind, NoteEvent};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A change with the number that it has in every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// Random, so that nobody else's is the same. The order is that in which notices come.
    pub id: u64,
    /// What happened.
    pub event: NoteEvent,
}

/// Short names, because the audience of a note that is shared with many takes half of a payload.
#[derive(Serialize, Deserialize)]
struct Payload {
    id: u64,
    kind: String,
    note: Uuid,
    version: i64,
    by: String,
    #[serde(with = "simple")]
    to: Vec<Uuid>,
}

pub(super) fn encode(event: &NoteEvent) -> String {
    let NoteEvent { kind, note_id, version, by, audience } = event;
    let payload = Payload {
        id: Uuid::new_v4().as_u64_pair().0,
        kind: kind.as_str().to_owned(),
        note: *note_id,
        version: *version,
        by: by.clone(),
        to: audience.clone(),
    };
    // Names and texts only: nothing in it that JSON has no form for.
    serde_json::to_string(&payload).unwrap_or_default()
}

pub(super) fn decode(payload: &str) -> Option<Announced> {
    let Payload { id, kind, note, version, by, to } = serde_json::from_str(payload).ok()?;
    let kind: EventKind = kind.parse().ok()?;
    Some(Announced { id, event: NoteEvent { kind, note_id: note, version, by, audience: to } })
}

/// Ids without hyphens, one text for all.
mod simple {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(ids: &[Uuid], serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<_> = ids.iter().map(|id| id.simple().to_string()).collect();
        serializer.serialize_str(&texts.join(" "))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Uuid>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.split_whitespace().map(|id| id.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::USERNAME_CHARS_MAX;
    use crate::domain::share::SHARES_PER_NOTE_MAX;

    /// `NOTIFY` refuses longer ones.
    const PAYLOAD_BYTES_MAX: usize = 7999;

    #[test]
    fn the_longest_event_fits_and_reads_back() {
        let event = NoteEvent {
            kind: EventKind::Unshared,
            note_id: Uuid::max(),
            version: i64::MIN,
            // Four bytes a character.
            by: "\u{10ffff}".repeat(USERNAME_CHARS_MAX),
            audience: (0..=SHARES_PER_NOTE_MAX).map(|_| Uuid::new_v4()).collect(),
        };
        let payload = encode(&event);
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "{}", payload.len());
        assert_eq!(decode(&payload).map(|announced| announced.event), Some(event));
    }
}
