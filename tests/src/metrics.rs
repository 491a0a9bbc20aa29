//! A page of metrics, read strictly: Prometheus's text format, version 0.0.4.

use std::collections::BTreeMap;

/// The samples of a page, by name and labels as they are written: `requests_total{protocol="h2",status="2xx"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics(BTreeMap<String, u64>);

impl Metrics {
    /// Reads a page.
    ///
    /// # Panics
    ///
    /// When it is not exactly as the format says: each family once, with help and type before its samples, each sample
    /// once, names and labels well-formed, counters named so, the last line ended.
    #[must_use]
    pub fn parse(page: &str) -> Self {
        assert!(page.ends_with('\n'), "the last line has no end");
        let mut samples = BTreeMap::new();
        let mut families = Vec::new();
        let mut lines = page.lines().peekable();
        while let Some(line) = lines.next() {
            let (family, help) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(line);
            assert!(is_name(family) && !help.is_empty(), "{line}");
            assert!(!families.contains(&family), "{family} stands twice");
            families.push(family);
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")?.strip_prefix(family)).expect(family);
            assert_eq!(kind == " counter", family.ends_with("_total"), "{family}{kind}");
            assert!([" counter", " gauge", " histogram"].contains(&kind), "{family}{kind}");
            let suffixes: &[&str] = if kind == " histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
                let (sample, value) = line.rsplit_once(' ').expect(line);
                let (name, labels) = match sample.split_once('{') {
                    Some((name, labels)) => (name, labels.strip_suffix('}').expect(line)),
                    None => (sample, ""),
                };
                assert!(suffixes.iter().any(|&suffix| name.strip_suffix(suffix) == Some(family)), "{line}");
                check_labels(labels, line);
                let value = value.parse().expect(line);
                assert_eq!(samples.insert(sample.to_owned(), value), None, "{sample} stands twice");
            }
        }
        Self(samples)
    }

    /// The value of a sample.
    ///
    /// # Panics
    ///
    /// When there is none of this name and these labels.
    #[must_use]
    pub fn get(&self, sample: &str) -> u64 {
        *self.0.get(sample).unwrap_or_else(|| unreachable!("no {sample} in {:#?}", self.0))
    }

    /// Whether there is such a sample.
    #[must_use]
    pub fn has(&self, sample: &str) -> bool {
        self.0.contains_key(sample)
    }

    /// The sum of all samples whose name and labels begin so.
    #[must_use]
    pub fn sum(&self, start: &str) -> u64 {
        self.0.iter().filter(|(sample, _)| sample.starts_with(start)).map(|(_, value)| value).sum()
    }
}

fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    letters && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// `a="x",b="y"`, where a value holds backslashes only before a backslash, a quote or an n.
fn check_labels(labels: &str, line: &str) {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect(line);
        assert!(is_name(name), "{line}");
        let mut escaped = false;
        let end = value.bytes().position(|byte| {
            if escaped {
                assert!(matches!(byte, b'\\' | b'"' | b'n'), "{line}");
                escaped = false;
                return false;
            }
            escaped = byte == b'\\';
            byte == b'"'
        });
        rest = &value[end.expect(line) + 1..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(',').filter(|rest| !rest.is_empty()).expect(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_total One.\n# TYPE a_total counter\na_total 1\n# HELP b Two.\n# TYPE b gauge\n\
                        b{x=\"1\",y=\"\\\"\"} 2\nb{x=\"2\",y=\"}\"} 3\n";

    #[test]
    fn a_page_is_read() {
        let metrics = Metrics::parse(GOOD);
        assert_eq!((metrics.get("a_total"), metrics.get("b{x=\"2\",y=\"}\"}"), metrics.sum("b{")), (1, 3, 5));
    }

    #[test]
    fn a_page_that_is_not_to_the_letter_is_refused() {
        for (from, to) in [
            ("# TYPE a_total counter\n", ""),
            ("# HELP a_total One.\n", ""),
            ("# TYPE a_total counter", "# TYPE a_total gauge"),
            ("# TYPE b gauge", "# TYPE b histogram"),
            ("a_total 1\n", "a_total 1\na_total 2\n"),
            ("a_total 1\n", "other 1\n"),
            ("a_total 1\n", "a_total one\n"),
            ("\"2\",y", "\"2\" y"),
            ("\\\"", "\\x"),
            ("# HELP b", "# HELP a_total"),
            ("} 3\n", "} 3"),
        ] {
            assert!(GOOD.contains(from), "{from:?}");
            let bad = GOOD.replace(from, to);
            assert!(std::panic::catch_unwind(|| Metrics::parse(&bad)).is_err(), "{bad}");
        }
    }
}
