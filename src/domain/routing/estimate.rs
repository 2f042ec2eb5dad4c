//! How long a wait usually takes, told only where it is worth telling.

/// When an estimate may be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worth {
    /// From so many waits on.
    pub samples_min: usize,
    /// The 80th percentile is at most so many times the median: a wider spread tells nobody anything.
    pub spread_max: f64,
    /// Longer waits are not told in minutes.
    pub minutes_max: i64,
}

/// What recent waits come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// Half of them took no longer, milliseconds.
    pub median_ms: i64,
    /// Four of five took no longer, milliseconds.
    pub most_ms: i64,
}

/// Minutes that people name.
const NAMED: [i64; 12] = [2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240];

/// The median and the 80th percentile; none without waits.
pub fn usual(waits_ms: &[i64]) -> Option<Usual> {
    let mut sorted = waits_ms.to_vec();
    sorted.sort_unstable();
    Some(Usual { median_ms: percentile(&sorted, 50)?, most_ms: percentile(&sorted, 80)? })
}

/// The smallest value that at least `percent` of a sorted list do not exceed (nearest rank).
pub fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The minutes within which four of five were answered, as people would say it; none where it is not worth telling.
pub fn minutes_to_tell(waits_ms: &[i64], worth: Worth) -> Option<i64> {
    if waits_ms.len() < worth.samples_min.max(1) {
        return None;
    }
    let usual = usual(waits_ms)?;
    // Within a minute everything is close together.
    let spread = usual.most_ms.max(60_000) as f64 / usual.median_ms.max(60_000) as f64;
    let minutes = NAMED.into_iter().find(|minutes| usual.most_ms <= minutes * 60_000)?;
    (spread <= worth.spread_max && minutes <= worth.minutes_max).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORTH: Worth = Worth { samples_min: 20, spread_max: 3.0, minutes_max: 120 };
    const MINUTE: i64 = 60_000;

    #[test]
    fn enough_waits_close_together_are_told_in_minutes_that_people_name() {
        let waits: Vec<i64> = (0..20).map(|at| (4 + at % 5) * MINUTE).collect();
        assert_eq!(usual(&waits), Some(Usual { median_ms: 6 * MINUTE, most_ms: 7 * MINUTE }));
        assert_eq!(minutes_to_tell(&waits, WORTH), Some(10));
        assert_eq!(minutes_to_tell(&[30_000; 20], WORTH), Some(2));
    }

    #[test]
    fn a_poor_sample_says_nothing() {
        assert_eq!(minutes_to_tell(&[], WORTH), None);
        assert_eq!(minutes_to_tell(&[MINUTE; 19], WORTH), None, "too few");
        let wide: Vec<i64> = (0..20).map(|at| if at < 12 { MINUTE } else { 50 * MINUTE }).collect();
        assert_eq!(minutes_to_tell(&wide, WORTH), None, "too far apart");
        assert_eq!(minutes_to_tell(&[150 * MINUTE; 50], WORTH), None, "too long to be told in minutes");
        assert_eq!(minutes_to_tell(&[i64::MAX; 50], WORTH), None);
        assert_eq!(minutes_to_tell(&[], Worth { samples_min: 0, ..WORTH }), None);
    }
}
