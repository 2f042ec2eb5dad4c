//! What calls to a model took and cost, and when it is enough.

use std::sync::{Arc, Mutex, PoisonError};

use super::ModelError;
use crate::config::{Model, ModelCalls};
use crate::domain::time::{Clock, Timestamp};
pub use crate::domain::usage::{CallRecord, Counted, Spent, Usage};

const MILLION: u128 = 1_000_000;

/// Prices of one model in millionths of a currency, so that sums are whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prices {
    input: u64,
    cached: u64,
    output: u64,
}

impl Prices {
    /// The configured prices per million tokens; nothing below zero, and a cached token never above a fresh one.
    pub fn new(settings: &Model) -> Self {
        let micros = |price: f64| (price.max(0.0) * 1e6).round() as u64;
        let input = micros(settings.price_per_million_input);
        let cached = match micros(settings.price_per_million_cached_input) {
            0 => input,
            cheaper => cheaper.min(input),
        };
        Self { input, cached, output: micros(settings.price_per_million_output) }
    }

    /// What these tokens cost in millionths, rounded up.
    pub fn cost_micros(&self, usage: &Usage) -> i64 {
        let cached = usage.cached.min(usage.input);
        let fresh = usage.input - cached;
        let exact = u128::from(fresh) * u128::from(self.input)
            + u128::from(cached) * u128::from(self.cached)
            + u128::from(usage.output) * u128::from(self.output);
        i64::try_from(exact.div_ceil(MILLION)).unwrap_or(i64::MAX)
    }
}

/// Counts the attempts of one turn. Clones count together, so that a turn which is given up still has them.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Vec<CallRecord>>>);

impl Tally {
    /// What was counted since this was last asked, oldest first.
    pub fn take(&self) -> Vec<CallRecord> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one record.
    pub fn add(&self, record: CallRecord) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

/// One attempt under way. Dropped before its end, it counts as abandoned, with the question it had sent.
pub(super) struct Attempt<'a> {
    pub(super) tally: &'a Tally,
    pub(super) clock: &'a dyn Clock,
    pub(super) prices: Prices,
    pub(super) model: &'a str,
    pub(super) purpose: &'static str,
    pub(super) began: Timestamp,
    /// What the question takes, as long as nobody has counted better.
    pub(super) sent: Usage,
    pub(super) ended: bool,
}

impl Attempt<'_> {
    /// Counts the attempt and says how long it took.
    pub(super) fn end(mut self, outcome: &'static str, usage: Usage) -> i64 {
        self.ended = true;
        self.count(outcome, usage)
    }

    fn count(&self, outcome: &'static str, usage: Usage) -> i64 {
        let milliseconds = self.clock.now().ms_since(self.began);
        self.tally.add(CallRecord {
            model: self.model.to_owned(),
            purpose: self.purpose.to_owned(),
            outcome: outcome.to_owned(),
            usage,
            milliseconds,
            cost_micros: self.prices.cost_micros(&usage),
        });
        milliseconds
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.count("abandoned", self.sent);
        }
    }
}

/// Whether another call may be made after `spent`. Asked before each turn; the cap is passed by at most
/// the calls under way.
pub fn may_spend(caps: &ModelCalls, spent: &Spent) -> Result<(), ModelError> {
    let rules = [
        (caps.spend_customer_day_micros_max, spent.customer_day_micros, "spend_customer_day_micros_max"),
        (caps.spend_day_micros_max, spent.day_micros, "spend_day_micros_max"),
        (caps.spend_total_micros_max, spent.total_micros, "spend_total_micros_max"),
    ];
    match rules.into_iter().find(|(cap, spent, _)| *cap > 0 && spent >= cap) {
        Some((_, _, rule)) => Err(ModelError::BudgetSpent(rule)),
        None => Ok(()),
    }
}
