//! The order of what waits, the same in every list: [`crate::domain::routing::rank()`] in the words of the database.

use crate::config::Routing;
use crate::domain::time::Timestamp;

/// What the order of the queue depends on beside the cases themselves.
#[derive(Debug, Clone, Copy)]
pub struct QueueOrder {
    /// The present moment.
    pub now: Timestamp,
    /// A case whose first answer is due rises by one urgency, and by another after each of these.
    pub raise_ms: i64,
}

impl QueueOrder {
    /// The order at a moment.
    pub fn at(now: Timestamp, settings: &Routing) -> Self {
        Self { now, raise_ms: settings.raise_ms }
    }
}

/// How low an urgency stands: 0 is the highest.
macro_rules! place {
    ($urgency:literal) => {
        concat!("case ", $urgency, " when 'urgent' then 0 when 'high' then 1 when 'normal' then 2 else 3 end")
    };
}

/// Orders rows that have `place`, `due`, `since` and `id` at a moment by the level of
/// [`crate::domain::routing::rank::level`], the clock and the wait.
macro_rules! ranked {
    ($now:literal, $raise:literal) => {
        concat!(
            "case when due > ",
            $now,
            " then place when place < 1 + (",
            $now,
            " - due) / ",
            $raise,
            " then 0 else place - 1 - (",
            $now,
            " - due) / ",
            $raise,
            " end, due, since, id"
        )
    };
}

pub(super) use {place, ranked};
