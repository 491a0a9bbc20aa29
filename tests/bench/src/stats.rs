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

/// The median of what ours needs above the floor over what theirs does, in each round. `None` where theirs is no dearer
/// than the floor: then there is nothing to compare with.
pub(crate) fn share<T>(ours: &[T], floor: &[T], theirs: &[T], value: impl Fn(&T) -> f64) -> Option<f64> {
    let rounds = ours.iter().zip(floor).zip(theirs);
    let share = median(rounds.map(|((ours, floor), theirs)| {
        let (ours, theirs) = (value(ours) - value(floor), value(theirs) - value(floor));
        if theirs > 0.0 { ours / theirs } else { f64::INFINITY }
    }));
    share.is_finite().then_some(share)
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
    fn the_share_of_the_way_begins_at_the_floor() {
        let share = |ours: &[f64], floor: &[f64], theirs: &[f64]| share(ours, floor, theirs, |value| *value);
        let of_most = share(&[11.0, 24.0, 7.0], &[10.0, 20.0, 6.0], &[12.0, 28.0, 16.0]);
        assert!(
            of_most.is_some_and(|share| (share - 0.5).abs() < 1e-9),
            "{of_most:?}: within a round, then the median"
        );
        let below = share(&[9.0], &[10.0], &[12.0]);
        assert!(below.is_some_and(|share| (share + 0.5).abs() < 1e-9), "{below:?}: ours undercuts the floor");
    }

    #[test]
    fn a_peer_at_the_floor_is_nothing_to_compare_with() {
        let share = |theirs: &[f64]| share(&[11.0, 11.0, 11.0], &[10.0, 10.0, 10.0], theirs, |value| *value);
        assert_eq!(share(&[10.0, 9.0, 12.0]), None);
        assert!(share(&[9.0, 12.0, 12.0]).is_some(), "one round is not the median");
        assert_eq!(share(&[]), None);
    }

    #[test]
    fn a_difference_is_within_a_round() {
        assert!((difference(&[3.0, 22.0, 5.0], &[1.0, 20.0, 3.5], |value| *value) - 2.0).abs() < 1e-9);
    }
}
