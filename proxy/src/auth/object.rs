//! A JSON object without repeated members.
//!
//! JSON leaves open what `{"exp": 1, "exp": 2}` means, and two parsers that disagree make two identities out of one
//! token. Headers and claims therefore must not repeat a member (RFC 7515 section 4, RFC 7519 section 4); deeper
//! levels carry nothing that the edge decides on.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Why bytes are no such object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectError {
    /// Not one JSON object, or nested too deeply (serde_json stops at 128 levels).
    Json,
    /// A member is there twice.
    Twice,
}

/// Parses an object whose members at the first level are distinct (after unescaping).
pub(crate) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ObjectError> {
    let Members { map, twice } = serde_json::from_slice(bytes).map_err(|_| ObjectError::Json)?;
    if twice { Err(ObjectError::Twice) } else { Ok(map) }
}

struct Members {
    map: Map<String, Value>,
    twice: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntoMembers;
        impl<'de> Visitor<'de> for IntoMembers {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Members { map: Map::new(), twice: false };
                while let Some((name, value)) = access.next_entry()? {
                    members.twice |= members.map.insert(name, value).is_some();
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(IntoMembers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_distinct_at_the_first_level() {
        for (text, expected) in [
            (r#"{}"#, None),
            (r#"{"exp":1,"sub":"a"}"#, None),
            (r#"{"a":{"b":1,"b":2}}"#, None),
            (r#"{"exp":1,"exp":1}"#, Some(ObjectError::Twice)),
            ("{\"exp\":1,\"\\u0065xp\":2}", Some(ObjectError::Twice)),
            (r#"[1]"#, Some(ObjectError::Json)),
            (r#""text""#, Some(ObjectError::Json)),
            (r#"{"a":1} {"b":2}"#, Some(ObjectError::Json)),
            (r#"{"a":1,}"#, Some(ObjectError::Json)),
            ("", Some(ObjectError::Json)),
            ("{\"a\":\"\u{1}\"}", Some(ObjectError::Json)),
        ] {
            assert_eq!(parse(text.as_bytes()).err(), expected, "{text}");
        }
        assert_eq!(parse(b"{\"a\":\"\xff\"}").err(), Some(ObjectError::Json), "not UTF-8");
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(3000), "]".repeat(3000));
        assert_eq!(parse(deep.as_bytes()).err(), Some(ObjectError::Json), "too deep");
    }
}
