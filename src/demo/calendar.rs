//! The shop's days: offsets from its opening day, working days, and the wall clock of its stores.

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::domain::time::Timestamp;

/// A day as an offset from the shop's opening day: `-3` is three days before it.
pub(super) type Day = i32;

/// The rules of America/Chicago, written out: a machine without a time zone database opens on time as well.
const CENTRAL: &str = "CST6CDT,M3.2.0,M11.1.0";

/// The moment `at` on the clocks of the shop's stores.
pub(super) fn local(at: Timestamp) -> DateTime {
    TimeZone::posix(CENTRAL).unwrap_or(TimeZone::UTC).to_datetime(at.to_jiff())
}

/// A local time as RFC 3339 with its offset.
pub(super) fn stamp(at: DateTime) -> String {
    let zone = TimeZone::posix(CENTRAL).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).map_or_else(|_| at.to_string(), |at| at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

/// The date `day` days after `opening`; the opening day itself when that leaves the calendar.
pub(super) fn date(opening: Date, day: Day) -> Date {
    opening.checked_add(day.days()).unwrap_or(opening)
}

/// How many days `date` is after `opening`.
pub(super) fn day(opening: Date, date: Date) -> Day {
    opening.until(date).map_or(0, |span| span.get_days())
}

/// The day `count` working days (Monday to Friday) after `from`.
pub(super) fn working_days_after(opening: Date, from: Day, count: u32) -> Day {
    let (mut day, mut left) = (from, count);
    while left > 0 {
        day += 1;
        if !matches!(date(opening, day).weekday(), Weekday::Saturday | Weekday::Sunday) {
            left -= 1;
        }
    }
    day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_days_leave_out_the_weekend() {
        let friday = jiff::civil::date(2026, 11, 20);
        assert_eq!(working_days_after(friday, 0, 1), 3);
        assert_eq!(working_days_after(friday, 0, 5), 7);
    }

    #[test]
    fn the_stores_keep_central_time_with_and_without_daylight_saving() {
        let at = |text| local(Timestamp::parse(text).unwrap()).to_string();
        assert_eq!(at("2026-11-23T16:00:00Z"), "2026-11-23T10:00:00");
        assert_eq!(at("2026-07-01T15:00:00Z"), "2026-07-01T10:00:00");
        assert_eq!(stamp(jiff::civil::date(2026, 7, 1).at(10, 0, 0, 0)), "2026-07-01T10:00:00-05:00");
    }
}
