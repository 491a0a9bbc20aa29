//! Medians.

/// The middle of the values; NaN of none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// The median of the ratios of each round: what disturbs a whole round disturbs both.
pub(crate) fn ratio<T>(ours: &[T], theirs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| value(ours) / value(theirs)))
}

/// The median of what ours is more in each round.
pub(crate) fn difference<T>(ours: &[T], theirs: &[T], value: impl Fn(&T) -> f64) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| value(ours) - value(theirs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn a_ratio_is_within_a_round() {
        assert!((ratio(&[1.0, 20.0, 3.0], &[2.0, 40.0, 6.0], |value| *value) - 0.5).abs() < 1e-9);
    }
    #[test]
    fn a_difference_is_within_a_round() {
        assert!((difference(&[3.0, 22.0, 5.0], &[1.0, 20.0, 3.5], |value| *value) - 2.0).abs() < 1e-9);
    }
}
