//! Leaves a model alone that keeps failing, and lets one call at a time find out whether it is back.

use std::sync::{Mutex, PoisonError};

use crate::domain::time::Timestamp;

/// The breaker of one endpoint.
pub(super) struct Breaker {
    failures_max: u32,
    open_ms: i64,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    /// Calls go through; so many failed in a row.
    Closed { failures: u32 },
    /// No call goes through until then.
    Open { until: Timestamp },
    /// One call tries; others wait for what it finds, at most until then.
    Trying { until: Timestamp },
}

impl Breaker {
    pub(super) fn new(failures_max: u32, open_ms: i64) -> Self {
        Self { failures_max, open_ms, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call has no chance, without making one.
    pub(super) fn is_shut(&self, now: Timestamp) -> bool {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closed { .. } => false,
            State::Open { until } | State::Trying { until } => now < until,
        }
    }

    /// Whether a call may be made. Who is let through must say how it ended; one that never does (it was
    /// dropped) costs the next one a wait.
    pub(super) fn lets_through(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Closed { .. } => true,
            State::Open { until } | State::Trying { until } if now >= until => {
                *state = State::Trying { until: now.plus_ms(self.open_ms) };
                true
            }
            State::Open { .. } | State::Trying { .. } => false,
        }
    }

    pub(super) fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed { failures: 0 };
    }

    /// Counts a failure; true when the breaker opens by it.
    pub(super) fn failed(&self, now: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = match *state {
            State::Closed { failures } => failures + 1,
            State::Trying { .. } => self.failures_max,
            // A call that began before the others failed.
            State::Open { .. } => return false,
        };
        let opens = failures >= self.failures_max;
        *state =
            if opens { State::Open { until: now.plus_ms(self.open_ms) } } else { State::Closed { failures } };
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_call_try() {
        let breaker = Breaker::new(2, 1000);
        let at = Timestamp;
        assert!(!breaker.failed(at(0)));
        breaker.succeeded();
        assert!(!breaker.failed(at(1)), "a success between two failures");
        assert!(breaker.failed(at(2)));
        assert!(breaker.is_shut(at(1001)) && !breaker.lets_through(at(1001)));
        assert!(!breaker.is_shut(at(1002)));
        assert!(breaker.lets_through(at(1002)), "one tries");
        assert!(!breaker.lets_through(at(1003)), "and only one");
        assert!(breaker.failed(at(1004)), "it is not back");
        assert!(!breaker.lets_through(at(2003)));
        assert!(breaker.lets_through(at(2004)));
        breaker.succeeded();
        assert!(breaker.lets_through(at(2005)) && breaker.lets_through(at(2005)));
    }

    #[test]
    fn a_try_that_never_reports_back_does_not_block_for_ever() {
        let breaker = Breaker::new(1, 1000);
        breaker.failed(Timestamp(0));
        assert!(breaker.lets_through(Timestamp(1000)));
        assert!(!breaker.lets_through(Timestamp(1999)));
        assert!(breaker.lets_through(Timestamp(2000)));
    }
}
