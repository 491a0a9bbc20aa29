//! The claims of a verified token in little memory: a worker keeps thousands of tokens, and most claims of most of them
//! are never looked at again.
//!
//! All names and values stand in one text, the values as JSON. What a rule asks for is parsed when it asks: for a word
//! or a number that is cheaper than it would be to keep every value of every token taken apart.

use serde_json::Value;

/// Room for the claims of a usual token, in bytes, so that their text is seldom moved while it grows.
const USUAL_BYTES: usize = 512;

/// Claims by name.
#[derive(Debug, Default)]
pub(super) struct KeptClaims {
    text: Box<str>,
    /// In the order of their names.
    places: Box<[Place]>,
}

/// Where a claim ends in the text; it begins where the one before it ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    name_end: u32,
    value_end: u32,
}

impl KeptClaims {
    /// Keeps these claims. A value that can't be written, which no parsed one is, is left out.
    pub(super) fn new(mut claims: Vec<(String, Value)>) -> Self {
        claims.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut text = Vec::with_capacity(USUAL_BYTES);
        let mut places = Vec::with_capacity(claims.len());
        for (name, value) in claims {
            let start = text.len();
            text.extend_from_slice(name.as_bytes());
            let name_end = text.len();
            let written = serde_json::to_writer(&mut text, &value);
            // A token has at most some ten thousand bytes.
            match (written, u32::try_from(name_end), u32::try_from(text.len())) {
                (Ok(()), Ok(name_end), Ok(value_end)) => places.push(Place { name_end, value_end }),
                _ => text.truncate(start),
            }
        }
        // JSON is UTF-8, and so are names.
        Self { text: String::from_utf8(text).unwrap_or_default().into(), places: places.into() }
    }

    /// A claim as the issuer wrote it.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let found = |place: usize| self.place(place).map_or("", |(found, _)| found).cmp(name);
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low.midpoint(high);
            match found(middle) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return serde_json::from_str(self.place(middle)?.1).ok(),
            }
        }
        None
    }

    /// Name and value of the claim in this place.
    fn place(&self, index: usize) -> Option<(&str, &str)> {
        let start = match index.checked_sub(1) {
            Some(before) => self.places.get(before)?.value_end,
            None => 0,
        };
        let Place { name_end, value_end } = *self.places.get(index)?;
        Some((self.text.get(start as usize..name_end as usize)?, self.text.get(name_end as usize..value_end as usize)?))
    }

    /// The memory that its parts take, in bytes.
    pub(super) fn weight_bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn claims_come_back_as_they_were() {
        let claims = json!({
            "": "empty", "aud": ["a", "b"], "exp": 1_800_000_000_u64, "half": 0.5, "na\"me": null, "nested": {"é": [1, {}]},
        });
        let kept = KeptClaims::new(claims.as_object().expect("an object").clone().into_iter().collect());
        for (name, value) in claims.as_object().expect("an object") {
            assert_eq!(kept.get(name).as_ref(), Some(value), "{name}");
        }
        for missing in ["au", "aude", "zzz", "\0"] {
            assert_eq!(kept.get(missing), None, "{missing}");
        }
        assert_eq!(KeptClaims::default().get("aud"), None);
    }

    proptest! {
        #[test]
        fn every_name_finds_its_own(names in prop::collection::btree_set("[a-c]{0,3}", 0..20), asked in "[a-c]{0,3}") {
            let claims = names.iter().rev().map(|name| (name.clone(), Value::from(name.as_str()))).collect();
            let kept = KeptClaims::new(claims);
            prop_assert_eq!(kept.get(&asked), names.contains(&asked).then(|| Value::from(asked.as_str())));
        }
    }
}
