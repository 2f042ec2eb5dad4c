//! How long to wait before another try.

use std::time::Duration;

use crate::domain::time::Clock;

/// Pauses before tries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) first_ms: u64,
    pub(super) max_ms: u64,
}

impl Backoff {
    /// The pause after `failed` failed tries: anything up to a bound that doubles (full jitter), so that those who
    /// failed together do not come back together. `luck` is evenly spread over all its values. Where the server
    /// says when to come back, not before.
    pub(super) fn pause(self, failed: u32, after_ms: Option<u64>, luck: u32) -> Duration {
        let doubled =
            self.first_ms.saturating_mul(1_u64.checked_shl(failed.saturating_sub(1)).unwrap_or(u64::MAX));
        let bound = doubled.min(self.max_ms);
        let jitter = (u128::from(bound) * u128::from(luck) / u128::from(u32::MAX)) as u64;
        Duration::from_millis(after_ms.unwrap_or(0).saturating_add(jitter))
    }
}

/// A number that is evenly spread: the last bits of an id are random.
pub(super) fn luck(clock: &dyn Clock) -> u32 {
    clock.new_id().as_u128() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_up_to_its_maximum_and_the_server_has_the_last_word() {
        let backoff = Backoff { first_ms: 100, max_ms: 350 };
        let pause = |failed, after, luck| backoff.pause(failed, after, luck).as_millis();
        assert_eq!([1, 2, 3, 200].map(|failed| pause(failed, None, u32::MAX)), [100, 200, 350, 350]);
        assert_eq!(pause(2, None, 0), 0);
        assert_eq!(pause(2, None, u32::MAX / 2), 99);
        assert_eq!(pause(1, Some(2000), u32::MAX), 2100);
    }
}
