//! The measures of DESIGN 12: what each case adds to them, read from its log alone.
//!
//! A case's log is read once, line by line, into [`Facts`]. Facts, what the same person's neighbouring cases say
//! ([`Neighbours`]) and a moment give the case's [`Sums`]: numbers that can be added up over any set of cases. A roll-up is
//! nothing but such a sum; a [`Measure`] is two of its numbers divided. [`plain`] reads the same logs a second way, for
//! the audit.

use serde::{Deserialize, Serialize};

mod facts;
mod measure;
mod outcome;
pub mod plain;
mod sums;
mod times;
mod words;

pub use facts::{Facts, Handed};
pub use measure::{Figure, Kind, Measure, Prices, Side};
pub use outcome::{Neighbours, Outcome};
pub use sums::{Count, Named, Sums};
pub use times::{Histogram, Time};
pub use words::{Change, grouped, percent, time};

/// What the customer writes within this after the case was resolved belongs to the same conversation; later it is a
/// return. A word that comes later than this after the one before, unanswered, is a second contact.
pub const CONVERSATION_MS: i64 = 3_600_000;
/// A resolution that nobody asked about again for this long is contained.
pub const CONTAINED_MS: i64 = 86_400_000;
/// A resolution to which nobody came back for this long, on any channel, is durable.
pub const DURABLE_MS: i64 = 604_800_000;
/// One step of a person's work counts as no longer than this: the case that stayed open over night was not worked on.
pub const WORK_STEP_MS_MAX: i64 = 1_800_000;
/// Articles of one case that are counted.
const ARTICLES_MAX: usize = 20;

/// Where a case is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Place {
    /// The day on which it began, in days since 1970, in the time zone of the reports.
    pub day: i64,
    /// The channel on which it began.
    pub channel: String,
    /// The procedure it came to be about; empty for none.
    pub intent: String,
    /// The team it came to; empty while it never went to people.
    pub team: String,
    /// ISO 639-1 of the conversation.
    pub language: String,
}

/// A word as it may stand in a key: visible, without the marks by which keys are told apart.
fn label(text: &str) -> String {
    let plain = |c: char| if c.is_whitespace() || c.is_control() || ":/|".contains(c) { '_' } else { c };
    text.chars().take(64).map(plain).collect()
}

/// The day of a moment, in days since 1970.
pub fn day_of(at: super::time::Timestamp, zone: &jiff::tz::TimeZone) -> i64 {
    let date = at.to_jiff().to_zoned(zone.clone()).date();
    days(date)
}

/// A date in days since 1970.
pub fn days(date: jiff::civil::Date) -> i64 {
    const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);
    date.since(EPOCH).map_or(0, |span| i64::from(span.get_days()))
}

/// The date of a day that is counted since 1970; the first one where there is none.
pub fn date(day: i64) -> jiff::civil::Date {
    const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);
    let span = i32::try_from(day).ok().and_then(|day| jiff::Span::new().try_days(day).ok());
    span.and_then(|span| EPOCH.checked_add(span).ok()).unwrap_or(EPOCH)
}

/// The first day of a day's month, both in days since 1970.
pub fn month_of(day: i64) -> i64 {
    days(date(day).first_of_month())
}

#[cfg(test)]
mod tests;
