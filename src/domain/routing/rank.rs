//! In which order waiting cases are served.

use std::cmp::Reverse;

use super::{Ask, Rules};
use crate::domain::ids::CaseId;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

/// The highest level, that of an urgent case.
const TOP: i64 = 3;

/// How high a case stands at `now`, 0 to 3: its urgency, raised by one when its first answer is due, and by another after
/// each `raise_ms`. So whatever arrives, what waits comes to the top one day, and there it is the one due longest.
pub fn level(ask: &Ask, now: Timestamp, rules: &Rules) -> i64 {
    let base = match ask.urgency {
        Urgency::Low => 0,
        Urgency::Normal => 1,
        Urgency::High => 2,
        Urgency::Urgent => TOP,
    };
    let late = now.ms_since(due(ask, rules));
    let raised = if late < 0 { 0 } else { 1 + late / rules.raise_ms.max(1) };
    base.saturating_add(raised).min(TOP)
}

/// When the first answer is due; where nothing was promised, after one `raise_ms`.
fn due(ask: &Ask, rules: &Rules) -> Timestamp {
    ask.due.unwrap_or_else(|| ask.since.plus_ms(rules.raise_ms))
}

/// What a case is ordered by: level, then the clock, then the longest wait.
pub(super) fn key<'a>(
    ask: &'a Ask,
    now: Timestamp,
    rules: &Rules,
) -> (Reverse<i64>, Timestamp, Timestamp, &'a CaseId) {
    (Reverse(level(ask, now, rules)), due(ask, rules), ask.since, &ask.case)
}

/// Orders waiting cases: whoever is to be served next comes first.
pub fn rank(asks: &mut [Ask], now: Timestamp, rules: &Rules) {
    asks.sort_by(|one, other| key(one, now, rules).cmp(&key(other, now, rules)));
}
