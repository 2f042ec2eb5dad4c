//! Times as histograms that can be added: four steps for each doubling, so a percentile is at most an eighth off.

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Time {
    /// From the first words of a customer to the first answer.
    FirstResponse,
    /// What the assistant took to answer, over the whole case.
    Assistant,
    /// What people worked on the case.
    People,
    /// From a handoff to the person who takes it up.
    Wait,
    /// From the beginning of a case to its resolution.
    Resolution,
}

impl Time {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::FirstResponse, Self::Assistant, Self::People, Self::Wait, Self::Resolution];

    /// Where its buckets begin among those of all.
    pub(super) fn place(self) -> usize {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or_default();
        at * BUCKETS
    }
}

/// Buckets of one histogram: up to 2^40 ms, some 35 years.
pub(super) const BUCKETS: usize = 160;

/// The bucket of a time in milliseconds.
pub(super) fn bucket(ms: i64) -> usize {
    let ms = ms.max(0).unsigned_abs();
    if ms < 4 {
        return ms as usize;
    }
    let doubling = 63 - ms.leading_zeros() as usize;
    let step = (ms >> (doubling - 2)) as usize & 3;
    (doubling * 4 - 4 + step).min(BUCKETS - 1)
}

/// The first millisecond of a bucket.
fn begins(bucket: usize) -> f64 {
    if bucket < 4 {
        return bucket as f64;
    }
    let (doubling, step) = ((bucket + 4) / 4, (bucket + 4) % 4);
    2_f64.powi(doubling as i32 - 2) * (4 + step) as f64
}

/// The counts of one histogram.
#[derive(Debug, Clone, Copy)]
pub struct Histogram<'a>(pub(super) &'a [i64]);

impl Histogram<'_> {
    /// How many times are in it.
    pub fn count(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The time below which this share of them lies, in milliseconds; none when it is empty.
    pub fn below(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count <= 0 {
            return None;
        }
        let wanted = (count as f64 * share).max(1.0);
        let mut before = 0_i64;
        for (bucket, n) in self.0.iter().enumerate() {
            if (before + n) as f64 >= wanted {
                // Within a bucket they are taken to lie evenly.
                let part = (wanted - before as f64) / (*n).max(1) as f64;
                let (from, to) = (begins(bucket), begins(bucket + 1));
                return Some(if bucket < 4 { from } else { from + (to - from) * part });
            }
            before += n;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_lies_in_the_bucket_that_begins_at_or_before_it() {
        for ms in (0..5000).chain([86_400_000, 604_800_000, 31_536_000_000]) {
            let at = bucket(ms);
            assert!(begins(at) <= ms as f64 && (ms as f64) < begins(at + 1), "{ms} in {at}");
        }
        assert_eq!(bucket(-5), 0);
        assert_eq!(bucket(i64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_percentile_is_at_most_an_eighth_off() {
        let mut counts = vec![0; BUCKETS];
        let times: Vec<i64> = (1..=1000).map(|n| n * 37).collect();
        for ms in &times {
            counts[bucket(*ms)] += 1;
        }
        for share in [0.5, 0.9, 0.95] {
            let exact = times[(1000.0 * share) as usize - 1] as f64;
            let told = Histogram(&counts).below(share).unwrap();
            assert!((told - exact).abs() / exact < 0.13, "{share}: {told} for {exact}");
        }
        assert_eq!(Histogram(&vec![0; BUCKETS]).below(0.5), None);
    }
}
