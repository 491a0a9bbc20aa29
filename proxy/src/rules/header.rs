//! Rules about header fields, of a site and of a route.

use super::template::{Facts, fill};
use crate::config::{HeaderRule, Piece, Template};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The rules of one table: at most one a name, so their order does not matter.
#[derive(Debug, Default)]
pub struct HeaderRules {
    rules: Box<[Rule]>,
    /// Whether a value is made of the request.
    use_facts: bool,
}

#[derive(Debug)]
struct Rule {
    name: HeaderName,
    change: Change,
}

#[derive(Debug)]
enum Change {
    Set(Value),
    Add(Value),
    Remove,
}

#[derive(Debug)]
enum Value {
    /// Costs a shared clone a request.
    Constant(HeaderValue),
    Filled(Template),
}

impl HeaderRules {
    /// Prepares the rules of one table.
    #[must_use]
    pub fn new(rules: &[(HeaderName, HeaderRule)]) -> Self {
        let rule = |(name, rule): &(HeaderName, HeaderRule)| {
            let change = match rule {
                HeaderRule::Set(template) => Change::Set(Value::new(template)),
                HeaderRule::Add(template) => Change::Add(Value::new(template)),
                HeaderRule::Remove => Change::Remove,
            };
            Rule { name: name.clone(), change }
        };
        let rules: Box<[Rule]> = rules.iter().map(rule).collect();
        let filled = |rule: &Rule| matches!(rule.change, Change::Set(Value::Filled(_)) | Change::Add(Value::Filled(_)));
        Self { use_facts: rules.iter().any(filled), rules }
    }

    fn is_about(&self, name: &HeaderName) -> bool {
        self.rules.iter().any(|rule| rule.name == *name)
    }
}

/// The rules of a site with those of a route, whose rule about a name replaces the site's.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The site's.
    pub site: &'a HeaderRules,
    /// The route's.
    pub route: &'a HeaderRules,
}

impl Layers<'_> {
    /// Whether a value is made of the request.
    #[must_use]
    pub fn use_facts(&self) -> bool {
        self.site.use_facts || self.route.use_facts
    }

    /// Whether there is none.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.site.rules.is_empty() && self.route.rules.is_empty()
    }

    /// Whether one of them is about this field.
    #[must_use]
    pub fn are_about(&self, name: &HeaderName) -> bool {
        self.site.is_about(name) || self.route.is_about(name)
    }

    /// Changes the fields of a message. `facts` are only asked for when a value needs them.
    pub fn apply<'f>(&self, headers: &mut HeaderMap, facts: impl FnOnce() -> Facts<'f>) {
        let facts = self.needed(facts);
        self.in_force().for_each(|rule| rule.apply(headers, &facts));
    }

    /// Adds to the fields of a message whose own ones stay: what an error says about itself is true. Nothing is added
    /// that would let somebody keep it, whatever `Cache-Control` says: the next cache would serve an error of a moment
    /// for hours, and to others.
    pub fn complete<'f>(&self, headers: &mut HeaderMap, facts: impl FnOnce() -> Facts<'f>) {
        let facts = self.needed(facts);
        for rule in self.in_force() {
            if !headers.contains_key(&rule.name) && !is_about_caching(&rule.name) {
                rule.apply(headers, &facts);
            }
        }
    }

    fn needed<'f>(&self, facts: impl FnOnce() -> Facts<'f>) -> Facts<'f> {
        if self.use_facts() { facts() } else { Facts::default() }
    }

    fn in_force(&self) -> impl Iterator<Item = &Rule> {
        self.site.rules.iter().filter(|rule| !self.route.is_about(&rule.name)).chain(&self.route.rules)
    }
}

/// Whether a field tells a cache how long to keep a message: `Cache-Control`, the targeted ones (`CDN-Cache-Control` and
/// others by that pattern, RFC 9213 section 2), and those from before.
#[must_use]
pub fn is_about_caching(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.ends_with("cache-control")
        || matches!(name, "expires" | "surrogate-control" | "edge-control" | "x-accel-expires")
}

impl Rule {
    fn apply(&self, headers: &mut HeaderMap, facts: &Facts<'_>) {
        // A map that is full takes no more: then the rule has no effect.
        match &self.change {
            Change::Remove => drop(headers.remove(&self.name)),
            Change::Set(value) => match value.make(facts) {
                Some(value) => drop(headers.try_insert(&self.name, value)),
                // What stood there must not pass for what the rule would have set.
                None => drop(headers.remove(&self.name)),
            },
            Change::Add(value) => {
                if let Some(value) = value.make(facts) {
                    let _ = headers.try_append(&self.name, value);
                }
            }
        }
    }
}

impl Value {
    fn new(template: &Template) -> Self {
        let constant = match template.pieces() {
            [] => Some(HeaderValue::from_static("")),
            [Piece::Text(text)] => HeaderValue::from_str(text).ok(),
            _ => None,
        };
        let constant = constant.map(|mut value| {
            // Not in debug output, and not in a compression table (RFC 7541 section 7.1.3).
            value.set_sensitive(template.is_secret());
            value
        });
        constant.map_or_else(|| Self::Filled(template.clone()), Self::Constant)
    }

    /// `None`: the request has put bytes into it that no field may hold.
    fn make(&self, facts: &Facts<'_>) -> Option<HeaderValue> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Filled(template) => HeaderValue::try_from(fill(template, facts)).ok(),
        }
    }
}

#[cfg(test)]
mod tests;
