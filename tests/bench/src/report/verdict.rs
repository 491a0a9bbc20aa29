//! What is not as it should be, gathered while the tables grow.

/// Missed targets, and peers that are ahead.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    missed: Vec<String>,
    ahead: Vec<String>,
}

impl Verdicts {
    /// Compares with a target, and says so in a cell of the table.
    pub(super) fn judge(&mut self, what: &str, value: f64, max: Option<f64>) -> String {
        self.judge_above(None, what, value, max)
    }

    /// The same, where the floor is known: what nobody can have is not to be hunted for.
    pub(super) fn judge_above(&mut self, floor: Option<f64>, what: &str, value: f64, max: Option<f64>) -> String {
        let Some(max) = max else { return String::new() };
        if is_at_most(value, max) {
            return format!("≤ {max:.2} met");
        }
        let why = match floor {
            Some(floor) if !is_at_most(floor, max) => format!(", below the floor ({floor:.2})"),
            _ => String::new(),
        };
        self.missed.push(format!("{what}: {value:.2}, at most {max:.2}{why}"));
        format!("≤ {max:.2} **missed**{why}")
    }

    /// Notes where a peer needs less, and shows the ratio.
    pub(super) fn compare(&mut self, what: &str, ratio: f64) -> String {
        let is_ahead = (ratio * 100.0).round() > 100.0;
        if is_ahead {
            self.ahead.push(format!("{what}: {ratio:.2}"));
        }
        format!("{ratio:.2}{}", if is_ahead { " **ahead**" } else { "" })
    }

    pub(super) fn text(&self) -> String {
        let list = |title: &str, lines: &[String]| {
            let lines: String = lines.iter().map(|line| format!("- {line}\n")).collect();
            format!("\n{title}:{}\n\n{lines}", if lines.is_empty() { " none." } else { "" })
        };
        let text = list("Missed", &self.missed) + &list("A peer is ahead", &self.ahead);
        text.trim_end().to_owned() + "\n"
    }
}

/// As both are shown: 0.804 is 0.80.
fn is_at_most(value: f64, max: f64) -> bool {
    (value * 100.0).round() <= (max * 100.0).round()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_that_nobody_can_meet_says_so() {
        let mut verdicts = Verdicts::default();
        let missed = verdicts.judge_above(Some(0.624), "a", 0.92, Some(0.50));
        assert_eq!(missed, "≤ 0.50 **missed**, below the floor (0.62)");
        assert_eq!(verdicts.judge_above(Some(0.504), "b", 0.92, Some(0.50)), "≤ 0.50 **missed**");
        assert_eq!(verdicts.judge_above(Some(0.62), "c", 0.50, Some(0.50)), "≤ 0.50 met", "the noise of a good day");
        assert_eq!(verdicts.judge_above(Some(0.62), "d", 0.92, None), "");
        let missed = "- a: 0.92, at most 0.50, below the floor (0.62)\n- b: 0.92, at most 0.50\n";
        assert!(verdicts.text().starts_with(&format!("\nMissed:\n\n{missed}\n")), "{}", verdicts.text());
    }

    #[test]
    fn what_is_missed_and_who_is_ahead_stands_under_the_tables() {
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.judge("a", 0.804, Some(0.80)), "≤ 0.80 met");
        assert_eq!(verdicts.judge("b", 0.806, Some(0.80)), "≤ 0.80 **missed**");
        assert_eq!(verdicts.judge("c", 9.0, None), "");
        assert_eq!(verdicts.compare("d", 1.004), "1.00");
        assert_eq!(verdicts.compare("e", 1.2), "1.20 **ahead**");
        assert_eq!(verdicts.text(), "\nMissed:\n\n- b: 0.81, at most 0.80\n\nA peer is ahead:\n\n- e: 1.20\n");
        assert_eq!(Verdicts::default().text(), "\nMissed: none.\n\n\nA peer is ahead: none.\n");
    }
}
