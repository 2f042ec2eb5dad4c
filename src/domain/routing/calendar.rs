//! Business time: when a team is there, and how much of its working time lies between two moments.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::domain::team::Span;
use crate::domain::time::Timestamp;

/// How far ahead working time is looked for. A team that is not there within this is taken for one that never is.
const DAYS_MAX: usize = 800;

/// When a team works.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The zone of its wall clock.
    pub zone: TimeZone,
    /// Monday first; none is closed.
    pub week: [Option<Span>; 7],
    /// Days on which nobody is there, whatever the week says.
    pub holidays: BTreeSet<Date>,
}

impl Calendar {
    /// When somebody is there on this day.
    pub fn on(&self, date: Date) -> Option<Span> {
        if self.holidays.contains(&date) {
            return None;
        }
        self.week.get(weekday(date)).copied().flatten()
    }

    /// The calendar day and the minute after midnight on the team's own wall.
    pub fn wall(&self, at: Timestamp) -> (Date, u16) {
        let local = at.to_jiff().to_zoned(self.zone.clone());
        (local.date(), (i16::from(local.hour()) * 60 + i16::from(local.minute())).unsigned_abs())
    }

    /// Whether somebody is there at this moment.
    pub fn open_at(&self, at: Timestamp) -> bool {
        let (date, minute) = self.wall(at);
        self.on(date).is_some_and(|open| (open.from..open.to).contains(&minute))
    }

    /// The first moment by which `ms` of working time have gone by since `from`; none when the team is never there.
    pub fn add(&self, from: Timestamp, ms: i64) -> Option<Timestamp> {
        if ms <= 0 {
            return Some(from);
        }
        let mut left = ms;
        for (opens, closes) in self.spans(from) {
            let begin = opens.max(from);
            let here = closes.ms_since(begin).max(0);
            if left <= here {
                return Some(begin.plus_ms(left));
            }
            left -= here;
        }
        None
    }

    /// How much working time lies between two moments: never below nothing, and at most that of `DAYS_MAX` days.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let mut sum = 0;
        for (opens, closes) in self.spans(from) {
            if opens >= to {
                break;
            }
            sum += closes.min(to).ms_since(opens.max(from)).max(0);
        }
        sum
    }

    /// The working spans from the day of `from` on, one after the other. The last of a day may be over already.
    fn spans(&self, from: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let first = from.to_jiff().to_zoned(self.zone.clone()).date();
        let dates = std::iter::successors(Some(first), |date| date.checked_add(1.day()).ok());
        dates.take(DAYS_MAX).filter_map(|date| {
            let open = self.on(date)?;
            Some((self.moment(date, open.from)?, self.moment(date, open.to)?))
        })
    }

    /// A minute of the wall clock as a moment. One that a change of time leaves out is the next there is; of one that comes
    /// twice it is the first.
    fn moment(&self, date: Date, minute: u16) -> Option<Timestamp> {
        let (date, minute) = match minute {
            1440 => (date.checked_add(1.day()).ok()?, 0),
            minute => (date, minute),
        };
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        let local = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        let moment = self.zone.to_ambiguous_timestamp(local).compatible().ok()?;
        Some(Timestamp(moment.as_millisecond()))
    }
}

/// When `ms` of a team's working time have gone by; one without a calendar always works.
pub fn due(calendar: Option<&Calendar>, from: Timestamp, ms: i64) -> Option<Timestamp> {
    match calendar {
        Some(calendar) => calendar.add(from, ms),
        None => Some(from.plus_ms(ms.max(0))),
    }
}

/// Monday is 0.
pub fn weekday(date: Date) -> usize {
    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;
    /// 2026-01-01T00:00:00Z.
    const YEAR: i64 = 1_767_225_600_000;

    fn calendar(zone: &str, from: u16, to: u16) -> Calendar {
        let day = Some(Span { from, to });
        Calendar {
            zone: TimeZone::get(zone).unwrap(),
            week: [day, day, day, day, day, Some(Span { from: 540, to: 840 }), None],
            holidays: BTreeSet::from([jiff::civil::date(2026, 12, 25)]),
        }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn working_time_stands_still_at_night_on_sundays_and_on_holidays() {
        let chicago = calendar("America/Chicago", 480, 1080);
        for (from, hours, to) in [
            // Monday 10:00 and two hours.
            ("2026-11-23T16:00:00Z", 2, "2026-11-23T18:00:00Z"),
            // Monday 17:00 and two hours: Tuesday 9:00.
            ("2026-11-23T23:00:00Z", 2, "2026-11-24T15:00:00Z"),
            // Saturday 13:00 and two hours: Monday 9:00.
            ("2026-11-28T19:00:00Z", 2, "2026-11-30T15:00:00Z"),
            // Thursday 24 December 17:00 and two hours: Friday is a holiday, Saturday 10:00.
            ("2026-12-24T23:00:00Z", 2, "2026-12-26T16:00:00Z"),
        ] {
            assert_eq!(chicago.add(at(from), hours * HOUR), Some(at(to)), "{from}");
            assert_eq!(chicago.between(at(from), at(to)), hours * HOUR, "{from}");
        }
    }

    #[test]
    fn a_day_on_which_the_clocks_change_has_an_hour_more_or_less() {
        let night = Calendar {
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            week: [Some(Span { from: 0, to: 1440 }); 7],
            holidays: BTreeSet::new(),
        };
        let day = |from: &str, to: &str| night.between(at(from), at(to)) / HOUR;
        assert_eq!(day("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 23);
        assert_eq!(day("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), 25);
        // Open from 02:30, which does not exist that night: the team comes at what the clock shows next.
        let early = Calendar { week: [Some(Span { from: 150, to: 240 }); 7], ..night };
        assert_eq!(early.between(at("2026-03-28T23:00:00Z"), at("2026-03-29T22:00:00Z")), HOUR / 2);
    }

    #[test]
    fn a_team_that_is_never_there_has_no_working_time() {
        let never = Calendar { week: [None; 7], ..calendar("UTC", 480, 1080) };
        assert_eq!(never.add(Timestamp(YEAR), 1), None);
        assert_eq!(never.add(Timestamp(YEAR), 0), Some(Timestamp(YEAR)));
        assert_eq!(never.between(Timestamp(YEAR), Timestamp(YEAR + 400 * 24 * HOUR)), 0);
        for moment in [i64::MIN, i64::MAX, 253_402_207_200_000] {
            let _ = never.between(Timestamp(moment), Timestamp(moment).plus_ms(HOUR));
            let _ = calendar("Pacific/Apia", 0, 1440).add(Timestamp(moment), HOUR);
        }
    }

    prop_compose! {
        fn some_calendar()(
            zone in prop::sample::select(vec!["UTC", "America/Chicago", "Europe/Berlin", "Pacific/Apia", "Asia/Kolkata", "Australia/Lord_Howe"]),
            from in 0_u16..1439, length in 1_u16..1440,
        ) -> Calendar {
            calendar(zone, from, (from + length).min(1440))
        }
    }

    proptest! {
        #[test]
        fn adding_is_monotone_and_additive_and_agrees_with_what_lies_between(
            calendar in some_calendar(),
            start in YEAR..YEAR + 365 * 24 * HOUR,
            later in 0_i64..40 * HOUR,
            (one, two) in (1_i64..60 * HOUR, 1_i64..60 * HOUR),
        ) {
            let (from, other) = (Timestamp(start), Timestamp(start + later));
            let middle = calendar.add(from, one).unwrap();
            let end = calendar.add(from, one + two).unwrap();
            prop_assert_eq!(calendar.add(middle, two), Some(end));
            prop_assert_eq!(calendar.between(from, middle), one);
            prop_assert_eq!(calendar.between(from, middle) + calendar.between(middle, end), calendar.between(from, end));
            prop_assert!(middle < end && from < middle);
            prop_assert!(calendar.add(other, one).unwrap() >= middle, "who waits longer is due no later");
            prop_assert!(calendar.between(from, other) <= later);
        }
    }
}
