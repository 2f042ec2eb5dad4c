//! Opening hours: whether a team is there at a moment, and when it is there next.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::Hours;
use crate::domain::team::Span;
use crate::domain::time::Timestamp;

/// The names of the days, Monday first.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MINUTES_A_DAY: u16 = 24 * 60;

/// Whether somebody is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Now.
    Open,
    /// Not now.
    Closed {
        /// When next, in the team's own time zone: `today 08:00`, `tomorrow 08:00` or `Monday 08:00`.
        opens: Option<String>,
    },
}

/// When a team works.
#[derive(Debug, Clone)]
pub struct Timetable {
    pub(super) zone: TimeZone,
    /// Monday first; none is closed.
    week: [Option<Span>; 7],
}

impl Timetable {
    /// Reads the settings of a team; every wrong entry is named.
    pub fn read(hours: &Hours) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let zone = TimeZone::get(&hours.timezone).map_err(|_| {
            wrong.push(format!(
                "`{}` is no known time zone; write an IANA name like `America/Chicago`",
                hours.timezone
            ));
        });
        let written = [&hours.mon, &hours.tue, &hours.wed, &hours.thu, &hours.fri, &hours.sat, &hours.sun];
        let mut week = [None; 7];
        for ((day, name), text) in week.iter_mut().zip(DAYS).zip(written) {
            let Some(text) = text else { continue };
            *day = span(text);
            if day.is_none() {
                wrong.push(format!("{name} `{text}` is no opening time; write it as `08:00-18:00`"));
            }
        }
        match zone {
            Ok(zone) if wrong.is_empty() => Ok(Self { zone, week }),
            _ => Err(wrong),
        }
    }

    /// Whether somebody is there at `now`, by the clock on the team's own wall.
    pub fn presence(&self, now: Timestamp) -> Presence {
        let local = now.to_jiff().to_zoned(self.zone.clone());
        let minute = (i16::from(local.hour()) * 60 + i16::from(local.minute())).unsigned_abs();
        if self.on(local.date()).is_some_and(|open| (open.from..open.to).contains(&minute)) {
            return Presence::Open;
        }
        for ahead in 0..=7_i32 {
            let Ok(date) = local.date().checked_add(ahead.days()) else { break };
            let Some(open) = self.on(date) else { continue };
            if ahead == 0 && open.from <= minute {
                continue;
            }
            let day = match ahead {
                0 => "today",
                1 => "tomorrow",
                _ => name_of(date),
            };
            return Presence::Closed { opens: Some(format!("{day} {}", clock(open.from))) };
        }
        Presence::Closed { opens: None }
    }

    /// The hours as lines a customer may read: `Monday 08:00-18:00`.
    pub(super) fn lines(&self) -> Vec<String> {
        let open = DAYS.iter().zip(&self.week).filter_map(|(day, span)| Some((day, (*span)?)));
        open.map(|(day, span)| format!("{day} {}-{}", clock(span.from), clock(span.to))).collect()
    }

    fn on(&self, date: Date) -> Option<Span> {
        let at = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
        self.week.get(at).copied().flatten()
    }
}

fn name_of(date: Date) -> &'static str {
    let at = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
    DAYS.get(at).copied().unwrap_or_default()
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `08:00-18:00`; the end may be `24:00`.
fn span(text: &str) -> Option<Span> {
    let (from, to) = text.trim().split_once(['-', '–'])?;
    let (from, to) = (minute(from.trim())?, minute(to.trim())?);
    (from < to).then_some(Span { from, to })
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let at = hours * 60 + minutes;
    (minutes < 60 && at <= MINUTES_A_DAY).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timetable() -> Timetable {
        let day = || Some("08:00-18:00".to_owned());
        Timetable::read(&Hours {
            timezone: "America/Chicago".to_owned(),
            mon: day(),
            tue: day(),
            wed: None,
            thu: day(),
            fri: day(),
            sat: Some("09:00-14:00".to_owned()),
            sun: None,
        })
        .unwrap()
    }

    #[test]
    fn the_next_opening_is_named_as_people_say_it() {
        let closed = |text: &str| Presence::Closed { opens: Some(text.to_owned()) };
        // Chicago is six hours behind UTC in winter.
        let table = [
            ("2026-11-23T13:59:59Z", closed("today 08:00")),
            ("2026-11-23T14:00:00Z", Presence::Open),
            ("2026-11-23T23:59:59Z", Presence::Open),
            ("2026-11-24T00:00:00Z", closed("tomorrow 08:00")),
            ("2026-11-25T00:00:00Z", closed("Thursday 08:00")),
            ("2026-11-28T21:00:00Z", closed("Monday 08:00")),
        ];
        for (now, expected) in table {
            assert_eq!(timetable().presence(Timestamp::parse(now).unwrap()), expected, "{now}");
        }
    }

    #[test]
    fn the_wall_clock_decides_on_both_sides_of_a_change_of_time() {
        // Daylight saving began on Sunday 8 March 2026: Monday 08:00 is 13:00 UTC, the Monday before 14:00 UTC.
        for (now, open) in [
            ("2026-03-02T13:30:00Z", false),
            ("2026-03-02T14:00:00Z", true),
            ("2026-03-09T12:59:00Z", false),
            ("2026-03-09T13:00:00Z", true),
        ] {
            let presence = timetable().presence(Timestamp::parse(now).unwrap());
            assert_eq!(presence == Presence::Open, open, "{now}");
        }
    }

    #[test]
    fn a_team_that_never_opens_is_closed_without_a_next_time() {
        let hours = Hours {
            timezone: "UTC".to_owned(),
            mon: None,
            tue: None,
            wed: None,
            thu: None,
            fri: None,
            sat: None,
            sun: None,
        };
        let never = Timetable::read(&hours).unwrap();
        assert_eq!(never.presence(Timestamp(0)), Presence::Closed { opens: None });
    }

    #[test]
    fn opening_times_are_read_strictly() {
        assert_eq!(span("00:00-24:00"), Some(Span { from: 0, to: 1440 }));
        for bad in
            ["8:00-18:00", "08:00", "18:00-08:00", "08:00-25:00", "08:61-09:00", "a-b", "+8:00-09:00", ""]
        {
            assert_eq!(span(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_end_of_time_does_not_break_it() {
        for moment in [i64::MIN, i64::MAX, 253_402_207_200_000] {
            let _ = timetable().presence(Timestamp(moment));
        }
    }
}
