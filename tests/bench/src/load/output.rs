//! What the generators say.

use super::{Counted, Handshakes, Look, Paced};

/// The numbers after a word at the start of a line.
fn numbers<const COUNT: usize>(output: &str, word: &str) -> Option<[u64; COUNT]> {
    let line = output.lines().find_map(|line| line.strip_prefix(word))?;
    let numbers: Vec<u64> = line.split_ascii_whitespace().map_while(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}

/// The line that the script has wrk write: answers, bytes, failures.
pub(super) fn wrk(output: &str) -> Option<Counted> {
    let [answers, bytes, failed] = numbers(output, "counted ")?;
    Some(Counted { answers, bytes: Some(bytes), failed, handshakes: None })
}

/// The line of our own generator: answers, bytes of bodies, all bytes, failures, full and resumed handshakes.
pub(super) fn connections(output: &str) -> Option<Counted> {
    let [answers, _, _, failed, full, resumed] = numbers(output, "counted ")?;
    Some(Counted { answers, bytes: None, failed, handshakes: Some(Handshakes { full, resumed }) })
}

/// The same line, of a few connections that were looked at.
pub(super) fn connections_look(output: &str) -> Option<Look> {
    let [good, body_bytes, bytes, ..] = numbers::<6>(output, "counted ")?;
    Some(Look { good, body_bytes, bytes })
}

/// Answers, failures, two percentiles of latency, and how late the generator was.
pub(super) fn paced(output: &str) -> Option<Paced> {
    let [answers, failed, p50_us, p99_us, late99_us] = numbers(output, "paced ")?;
    Some(Paced { answers, failed, p50_us, p99_us, late99_us })
}

/// `requests: 8 total, 8 started, 8 done, 8 succeeded, 0 failed, 0 errored, 0 timeout`
pub(super) fn h2load(output: &str) -> Option<Counted> {
    let line = output.lines().find_map(|line| line.strip_prefix("requests: "))?;
    let count = |what: &str| line.split(", ").find_map(|part| part.strip_suffix(what)?.trim().parse::<u64>().ok());
    // Failures include errors and timeouts, and answers that are not 2xx or 3xx.
    Some(Counted {
        answers: count("succeeded")?,
        bytes: Some(traffic(output, ") data")?),
        failed: count("failed")?,
        handshakes: None,
    })
}

/// `status codes: 4 2xx, ...` and `traffic: 4.94KB (5056) total, 756B (756) headers (...), 4.00KB (4096) data`
pub(super) fn h2load_look(output: &str) -> Option<Look> {
    let good = output.lines().find_map(|line| line.strip_prefix("status codes: ")?.split_once(" 2xx"))?.0;
    let (body_bytes, bytes) = (traffic(output, ") data")?, traffic(output, ") total")?);
    Some(Look { good: good.parse().ok()?, body_bytes, bytes })
}

fn traffic(output: &str, what: &str) -> Option<u64> {
    let traffic = output.lines().find_map(|line| line.strip_prefix("traffic: "))?;
    traffic.split_once(what)?.0.rsplit_once('(')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const H2LOAD: &str = "\
finished in 16.84ms, 237.57 req/s, 293.25KB/s
requests: 10 total, 10 started, 9 done, 8 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 4 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 4.94KB (5056) total, 756B (756) headers (space savings 0.00%), 4.00KB (4096) data
";

    #[test]
    fn what_the_generators_say_is_understood() {
        assert_eq!(h2load_look(H2LOAD), Some(Look { good: 4, body_bytes: 4096, bytes: 5056 }));
        assert_eq!(h2load(H2LOAD), Some(Counted { answers: 8, bytes: Some(4096), failed: 1, handshakes: None }));
        let said = "Running 1s test @ http://127.0.0.1/\nTransfer/sec: 48.77MB\ncounted 40474 51158936 3\n";
        let counted = Counted { answers: 40474, bytes: Some(51_158_936), failed: 3, handshakes: None };
        assert_eq!(wrk(said), Some(counted));
        assert_eq!(wrk("unable to connect"), None);
        assert_eq!(h2load(""), None);
    }

    #[test]
    fn what_our_own_generator_says_is_understood() {
        let said = "counted 8 1600 2400 1 2 6\n";
        assert_eq!(connections_look(said), Some(Look { good: 8, body_bytes: 1600, bytes: 2400 }));
        let handshakes = Some(Handshakes { full: 2, resumed: 6 });
        assert_eq!(connections(said), Some(Counted { answers: 8, bytes: None, failed: 1, handshakes }));
        assert_eq!(connections("counted 8 1600"), None);
        let paced_line = Paced { answers: 9, failed: 0, p50_us: 80, p99_us: 900, late99_us: 12 };
        assert_eq!(paced("paced 9 0 80 900 12\n"), Some(paced_line));
    }
}
