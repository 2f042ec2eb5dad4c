//! Tokens per minute that queue: whoever asks is told when its turn is, in the order of asking.

use std::sync::{Mutex, PoisonError};

use crate::domain::time::Timestamp;

const MINUTE_MICROS: i64 = 60_000_000;

/// The tokens a minute of one endpoint; without a maximum everything goes at once.
pub(super) struct Allowance {
    per_minute_max: u64,
    /// Until when all that was admitted is paid, in microseconds.
    paid_until: Mutex<i64>,
}

/// Tokens that were set aside. Dropped before it is sent, it gives them back.
pub(super) struct Reserved<'a> {
    allowance: &'a Allowance,
    tokens: u64,
    sent: bool,
}

impl Allowance {
    pub(super) fn new(per_minute_max: u64) -> Self {
        Self { per_minute_max, paid_until: Mutex::new(i64::MIN) }
    }

    /// Sets `tokens` aside and says how many milliseconds later they may be used; or, when that is more than
    /// `wait_ms_max`, says so and sets nothing aside.
    pub(super) fn reserve(
        &self,
        tokens: u64,
        now: Timestamp,
        wait_ms_max: i64,
    ) -> Result<(Reserved<'_>, u64), u64> {
        let reserved = || Reserved { allowance: self, tokens, sent: false };
        if self.per_minute_max == 0 {
            return Ok((reserved(), 0));
        }
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.0.saturating_mul(1000);
        let base = (*paid_until).max(now);
        // A whole minute's worth may be used at once; then only as fast as it comes.
        let wait_ms = base.saturating_sub(now).saturating_sub(MINUTE_MICROS).max(0) as u64 / 1000;
        if wait_ms > u64::try_from(wait_ms_max).unwrap_or(0) {
            return Err(wait_ms);
        }
        *paid_until = base.saturating_add(self.micros(tokens));
        Ok((reserved(), wait_ms))
    }

    fn micros(&self, tokens: u64) -> i64 {
        let micros = u128::from(tokens) * u128::from(MINUTE_MICROS.unsigned_abs());
        i64::try_from(micros / u128::from(self.per_minute_max.max(1))).unwrap_or(i64::MAX)
    }

    fn correct(&self, reserved: u64, used: u64) {
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_until = paid_until.saturating_sub(self.micros(reserved)).saturating_add(self.micros(used));
    }
}

impl Reserved<'_> {
    /// From here on the tokens count as used, whatever comes.
    pub(super) fn send(&mut self) {
        self.sent = true;
    }

    /// What it really took.
    pub(super) fn settle(self, used: u64) {
        self.allowance.correct(self.tokens, used);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.sent {
            self.allowance.correct(self.tokens, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(allowance: &Allowance, tokens: u64, now: i64) -> u64 {
        let (mut reserved, wait_ms) = allowance.reserve(tokens, Timestamp(now), 600_000).ok().unwrap();
        reserved.send();
        wait_ms
    }

    #[test]
    fn a_minutes_worth_goes_at_once_and_the_rest_queues_in_order() {
        let allowance = Allowance::new(6000);
        assert_eq!(wait(&allowance, 6000, 0), 0);
        assert_eq!(wait(&allowance, 100, 0), 0, "what starts at the edge starts");
        assert_eq!(wait(&allowance, 100, 0), 1000);
        assert_eq!(wait(&allowance, 100, 0), 2000);
        assert_eq!(wait(&allowance, 100, 3000), 0);
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        let allowance = Allowance::new(6000);
        wait(&allowance, 7000, 0);
        assert_eq!(allowance.reserve(100, Timestamp(0), 9_999).err(), Some(10_000), "beyond the deadline");
        let (waiting, _) = allowance.reserve(100, Timestamp(0), 10_000).ok().unwrap();
        drop(waiting);
        let (mut sent, wait_ms) = allowance.reserve(1000, Timestamp(0), 10_000).ok().unwrap();
        assert_eq!(wait_ms, 10_000, "the one who left had no place");
        sent.send();
        sent.settle(500);
        assert_eq!(wait(&allowance, 1, 0), 15_000, "half of it was enough");
    }

    #[test]
    fn without_a_maximum_nothing_waits() {
        let allowance = Allowance::new(0);
        assert_eq!((0..100).map(|_| wait(&allowance, 1_000_000, 0)).max(), Some(0));
    }
}
