//! How many endpoints may be ejected: enough others must survive.

/// Whether one more of `all` may go, while `well` of them are well, this one included if it is. At least `percent` of
/// all must be left, and never nobody.
pub(super) fn may_eject(all: usize, well: usize, is_well: bool, percent: u32) -> bool {
    let left = well - usize::from(is_well && well > 0);
    left >= 1 && left * 100 >= all * percent as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_survive() {
        for (all, well, is_well, percent, wanted) in [
            (1, 1, true, 0, false),
            (2, 2, true, 50, true),
            (2, 1, true, 50, false),
            (2, 1, true, 0, false),
            (3, 3, true, 50, true),
            (3, 2, true, 50, false),
            (3, 2, true, 0, true),
            (3, 2, false, 50, true),
            (4, 3, true, 50, true),
            (10, 10, true, 100, false),
            (3, 0, false, 0, false),
        ] {
            assert_eq!(may_eject(all, well, is_well, percent), wanted, "{all} {well} {is_well} {percent}");
        }
    }
}
