//! What a drill has found: a table for people, JSON for machines.

use super::phase::Phase;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

const HEADS: [&str; 11] =
    ["fault", "sent", "lost", "resent", "retried", "parked", "twice", "streams", "p99", "worst", ""];

/// The table, and below it the causes.
pub(super) fn table(phases: &[Rc<Phase>]) -> String {
    let mut rows = vec![HEADS.map(ToOwned::to_owned).to_vec()];
    rows.extend(phases.iter().map(|phase| row(phase)));
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:width$}"),
            _ if column == HEADS.len() - 1 => cell.clone(),
            _ => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    for phase in phases {
        details(&mut text, phase);
    }
    text
}

fn row(phase: &Phase) -> Vec<String> {
    let tally = phase.tally.borrow();
    let known = |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
    vec![
        phase.name.clone(),
        tally.sent.to_string(),
        tally.lost.to_string(),
        tally.resent.to_string(),
        known(tally.retried),
        known(tally.parked),
        tally.duplicated.to_string(),
        tally.stream_ends.to_string(),
        shown(tally.latencies.of_thousand(990)),
        shown(tally.latencies.worst()),
        verdict(phase).to_owned(),
    ]
}

fn verdict(phase: &Phase) -> &'static str {
    match (phase.is_bad(), phase.tally.borrow().failed.is_some()) {
        (_, true) => "NOT DONE",
        (true, false) => "LOST",
        (false, false) => "ok",
    }
}

fn details(text: &mut String, phase: &Phase) {
    let tally = phase.tally.borrow();
    let mut lines = Vec::new();
    lines.extend(tally.failed.iter().map(|reason| format!("could not be done: {reason}")));
    for (cause, found) in &tally.causes {
        let examples = match found.examples.is_empty() {
            true => String::new(),
            false => format!(" (for example {})", found.examples.join(", ")),
        };
        lines.push(format!("{} lost: {cause}{examples}", found.count));
    }
    if tally.lost > 0 && phase.lost_max > 0 {
        lines.push(format!("{} may be lost", phase.lost_max));
    }
    if tally.gaps > 0 {
        lines.push(format!("{} changes that no event told of", tally.gaps));
    }
    if tally.resyncs > 0 {
        lines.push(format!("the event stream said {} times that everything has to be loaded again", tally.resyncs));
    }
    if tally.held_back > 0 {
        let held_back = tally.held_back;
        lines.push(format!("{held_back} requests were not sent, because `in_flight_max` were under way"));
    }
    lines.extend(tally.notes.iter().cloned());
    if !lines.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{}:", phase.name);
        for line in &lines {
            let _ = writeln!(text, "  {}", line.replace('\n', "\n    "));
        }
    }
}

/// A length with three digits.
fn shown(length: Duration) -> String {
    let millis = length.as_secs_f64() * 1000.0;
    match millis {
        _ if millis < 10.0 => format!("{millis:.2} ms"),
        _ if millis < 100.0 => format!("{millis:.1} ms"),
        _ if millis < 1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.2} s", millis / 1000.0),
    }
}

/// The same for machines; lengths in milliseconds.
pub(super) fn json(phases: &[Rc<Phase>], interrupted: bool) -> Value {
    let faults: Vec<Value> = phases
        .iter()
        .map(|phase| {
            let tally = phase.tally.borrow();
            let millis = |length: Duration| length.as_secs_f64() * 1000.0;
            let causes = tally
                .causes
                .iter()
                .map(|(cause, found)| json!({ "cause": cause, "count": found.count, "request_ids": found.examples }));
            json!({
                "name": phase.name,
                "verdict": verdict(phase),
                "sent": tally.sent,
                "lost": tally.lost,
                "lost_max": phase.lost_max,
                "resent": tally.resent,
                "held_back": tally.held_back,
                "retried": tally.retried,
                "parked": tally.parked,
                "duplicated": tally.duplicated,
                "event_gaps": tally.gaps,
                "event_resyncs": tally.resyncs,
                "event_stream_ends": tally.stream_ends,
                "latency_ms": {
                    "p50": millis(tally.latencies.of_thousand(500)),
                    "p99": millis(tally.latencies.of_thousand(990)),
                    "worst": millis(tally.latencies.worst()),
                },
                "causes": causes.collect::<Vec<_>>(),
                "notes": tally.notes,
                "failed": tally.failed,
            })
        })
        .collect();
    json!({ "interrupted": interrupted, "faults": faults })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases() -> Vec<Rc<Phase>> {
        let good = Phase::new("no fault", 0);
        good.begin();
        good.end(Duration::from_millis(2));
        let bad = Phase::new("kill app1", 0);
        bad.begin();
        bad.end(Duration::from_millis(1500));
        bad.tally.borrow_mut().lose("status 502 upstream_closed", "drill-1x2");
        bad.tally.borrow_mut().add(Some(7), None);
        let undone = Phase::new("rotate", 0);
        undone.tally.borrow_mut().failed = Some("`keys rotate`: exit status: 1:\nno key".to_owned());
        vec![Rc::new(good), Rc::new(bad), Rc::new(undone)]
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
fault      sent  lost  resent  retried  parked  twice  streams      p99    worst
no fault      1     0       0        -       -      0        0  2.00 ms  2.00 ms  ok
kill app1     1     1       0        7       -      0        0   1.50 s   1.50 s  LOST
rotate        0     0       0        -       -      0        0  0.00 ms  0.00 ms  NOT DONE

kill app1:
  1 lost: status 502 upstream_closed (for example drill-1x2)

rotate:
  could not be done: `keys rotate`: exit status: 1:
    no key
";
        assert_eq!(table(&phases()), expected);
    }

    #[test]
    fn machines_read_json() {
        let report = json(&phases(), false);
        assert_eq!(report["faults"][0]["verdict"], "ok");
        assert_eq!(report["faults"][1]["causes"][0]["request_ids"][0], "drill-1x2");
        assert_eq!((&report["faults"][1]["retried"], &report["faults"][1]["parked"]), (&json!(7), &Value::Null));
        assert_eq!(report["faults"][1]["latency_ms"]["worst"], 1500.0);
    }
}
