//! What a route asks of a verified token: claim rules and a narrower audience.

use super::verified::Verified;
use crate::config::{ClaimRule, ClaimTest};
use serde_json::Value;

/// One claim rule, its pointer taken apart once.
#[derive(Debug)]
pub(crate) struct ClaimCheck {
    claim: String,
    /// The rest of the pointer below the claim, `""` or `/...`.
    below: String,
    test: ClaimTest,
}

impl ClaimCheck {
    /// Prepares a rule; `None` if its path is no JSON pointer to a claim (RFC 6901).
    pub(crate) fn new(rule: &ClaimRule) -> Option<Self> {
        let path = rule.path.strip_prefix('/')?;
        let (claim, below) = path.split_at(path.find('/').unwrap_or(path.len()));
        let claim = claim.replace("~1", "/").replace("~0", "~");
        Some(Self { claim, below: below.to_owned(), test: rule.test.clone() })
    }

    /// The scope word that would satisfy this rule, for the challenge.
    pub(crate) fn scope_word(&self) -> Option<&str> {
        match &self.test {
            ClaimTest::ContainsWord(word) if self.claim == "scope" && self.below.is_empty() => Some(word),
            _ => None,
        }
    }

    /// Whether the token satisfies the rule.
    pub(crate) fn holds(&self, verified: &Verified) -> bool {
        let claim = verified.claim(&self.claim);
        holds(&self.test, claim.as_ref().and_then(|claim| claim.pointer(&self.below)))
    }
}

fn holds(test: &ClaimTest, value: Option<&Value>) -> bool {
    let Some(value) = value else { return *test == ClaimTest::Exists(false) };
    match test {
        ClaimTest::Equals(wanted) => value == wanted,
        ClaimTest::AnyOf(wanted) => match value {
            Value::Array(items) => items.iter().any(|item| wanted.contains(item)) || wanted.contains(value),
            one => wanted.contains(one),
        },
        ClaimTest::AllOf(wanted) => {
            value.as_array().is_some_and(|items| wanted.iter().all(|wanted| items.contains(wanted)))
        }
        ClaimTest::ContainsWord(word) => value.as_str().is_some_and(|text| text.split(' ').any(|found| found == word)),
        ClaimTest::Exists(wanted) => *wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_truth_table() {
        let equals = |value| ClaimTest::Equals(value);
        let any = |values: &[&str]| ClaimTest::AnyOf(values.iter().map(|value| json!(value)).collect());
        let all = |values: &[&str]| ClaimTest::AllOf(values.iter().map(|value| json!(value)).collect());
        let word = |word: &str| ClaimTest::ContainsWord(word.to_owned());
        let exists = ClaimTest::Exists;
        for (test, claim, expected) in [
            (equals(json!("a")), Some(json!("a")), true),
            (equals(json!("a")), Some(json!("A")), false),
            (equals(json!("a")), Some(json!(["a"])), false),
            (equals(json!(1)), Some(json!(1)), true),
            (equals(json!(1)), Some(json!("1")), false),
            (equals(json!(true)), Some(json!(true)), true),
            (equals(json!(null)), Some(json!(null)), true),
            (equals(json!(null)), None, false),
            (equals(json!(["a", "b"])), Some(json!(["a", "b"])), true),
            (equals(json!(["a", "b"])), Some(json!(["b", "a"])), false),
            (any(&["a", "b"]), Some(json!("b")), true),
            (any(&["a", "b"]), Some(json!("ab")), false),
            (any(&["a", "b"]), Some(json!(["x", "a"])), true),
            (any(&["a", "b"]), Some(json!(["x"])), false),
            (any(&["a"]), Some(json!([["a"]])), false),
            (any(&["a"]), Some(json!({"a": 1})), false),
            (any(&["a"]), None, false),
            (any(&[]), Some(json!("a")), false),
            (all(&["a", "b"]), Some(json!(["b", "x", "a"])), true),
            (all(&["a", "b"]), Some(json!(["a"])), false),
            (all(&["a"]), Some(json!("a")), false),
            (all(&["a"]), None, false),
            (word("read"), Some(json!("read")), true),
            (word("read"), Some(json!("write read")), true),
            (word("read"), Some(json!("readonly")), false),
            (word("read"), Some(json!("unread read-all")), false),
            (word("read"), Some(json!("write\tread")), false),
            (word("read"), Some(json!(["read"])), false),
            (word("read"), None, false),
            (exists(true), Some(json!(null)), true),
            (exists(true), None, false),
            (exists(false), Some(json!(0)), false),
            (exists(false), None, true),
        ] {
            assert_eq!(holds(&test, claim.as_ref()), expected, "{test:?} on {claim:?}");
        }
    }

    #[test]
    fn pointers_are_taken_apart_at_the_claim() {
        let check = |path: &str| ClaimCheck::new(&ClaimRule { path: path.into(), test: ClaimTest::Exists(true) });
        for (path, claim, below) in [
            ("/roles", "roles", ""),
            ("/realm_access/roles/0", "realm_access", "/roles/0"),
            ("/https:~1~1example.com~1roles/x~1y", "https://example.com/roles", "/x~1y"),
            ("/a~01", "a~1", ""),
            ("/", "", ""),
        ] {
            let check = check(path).expect("a pointer");
            assert_eq!((&*check.claim, &*check.below), (claim, below), "{path}");
        }
        assert!(check("roles").is_none() && check("").is_none());
    }
}
