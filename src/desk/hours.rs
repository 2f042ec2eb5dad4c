//! Opening hours: whether a team is there at a moment, and when it is there next.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::config::Hours;
use crate::domain::routing::calendar::{Calendar, weekday};
use crate::domain::team::Span;
use crate::domain::time::Timestamp;
use crate::templates::Phrases;

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
        /// When next, by the clock on the team's own wall.
        opens: Option<Opening>,
    },
}

/// When a team is there next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    day: Day,
    /// Minutes after midnight.
    minute: u16,
}

/// A day as people name it who look forward from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    Today,
    Tomorrow,
    /// Monday is 0.
    Weekday(usize),
    /// Further ahead than a week.
    Date(Date),
}

impl Opening {
    /// The day and the time in the words and the form of `language` (ISO 639-1): "on Monday at 8:00 am".
    pub fn say(&self, phrases: &Phrases, language: &str) -> String {
        let (day, date) = match self.day {
            Day::Today => ("today".to_owned(), None),
            Day::Tomorrow => ("tomorrow".to_owned(), None),
            Day::Weekday(at) => (DAYS.get(at).copied().unwrap_or_default().to_lowercase(), None),
            Day::Date(date) => ("today".to_owned(), Some(date)),
        };
        let (hour, minute) = (self.minute / 60, format!("{:02}", self.minute % 60));
        let (number, month) = (date.map(Date::day), date.map(|date| date.month() - 1));
        let spoken = json!({"day": day, "hour": hour, "minute": minute, "number": number, "month": month});
        phrases.say(language, "opening", spoken)
    }
}

/// How far ahead the next opening is looked for: longer than any holidays.
const AHEAD_DAYS_MAX: i32 = 60;
/// Days of the week say which day is meant for so many days ahead.
const WEEKDAYS_SAY: i32 = 6;

/// When a team works.
#[derive(Debug, Clone)]
pub struct Timetable {
    pub(super) calendar: Calendar,
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
        let mut holidays = BTreeSet::new();
        for text in &hours.holidays {
            match text.parse::<Date>() {
                Ok(date) => _ = holidays.insert(date),
                Err(_) => wrong.push(format!("the holiday `{text}` is no day; write it as `2026-12-25`")),
            }
        }
        match zone {
            Ok(zone) if wrong.is_empty() => Ok(Self { calendar: Calendar { zone, week, holidays } }),
            _ => Err(wrong),
        }
    }

    /// Whether somebody is there at `now`, by the clock on the team's own wall.
    pub fn presence(&self, now: Timestamp) -> Presence {
        if self.calendar.open_at(now) {
            return Presence::Open;
        }
        let (today, minute) = self.calendar.wall(now);
        for ahead in 0..=AHEAD_DAYS_MAX {
            let Ok(date) = today.checked_add(ahead.days()) else { break };
            let Some(open) = self.calendar.on(date) else { continue };
            if ahead == 0 && open.from <= minute {
                continue;
            }
            let day = match ahead {
                0 => Day::Today,
                1 => Day::Tomorrow,
                2..=WEEKDAYS_SAY => Day::Weekday(weekday(date)),
                _ => Day::Date(date),
            };
            return Presence::Closed { opens: Some(Opening { day, minute: open.from }) };
        }
        Presence::Closed { opens: None }
    }

    /// The hours as lines a customer may read: `Monday 08:00-18:00`.
    pub(super) fn lines(&self) -> Vec<String> {
        let open = DAYS.iter().zip(&self.calendar.week).filter_map(|(day, span)| Some((day, (*span)?)));
        open.map(|(day, span)| format!("{day} {}-{}", clock(span.from), clock(span.to))).collect()
    }
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
    use std::sync::Arc;

    use super::*;
    use crate::templates::Templates;

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
            holidays: vec!["2026-12-25".to_owned()],
        })
        .unwrap()
    }

    #[test]
    fn the_next_opening_is_the_day_as_people_name_it() {
        let closed = |day| Presence::Closed { opens: Some(Opening { day, minute: 480 }) };
        // Chicago is six hours behind UTC in winter.
        let table = [
            ("2026-11-23T13:59:59Z", closed(Day::Today)),
            ("2026-11-23T14:00:00Z", Presence::Open),
            ("2026-11-23T23:59:59Z", Presence::Open),
            ("2026-11-24T00:00:00Z", closed(Day::Tomorrow)),
            ("2026-11-25T00:00:00Z", closed(Day::Weekday(3))),
            ("2026-11-28T21:00:00Z", closed(Day::Weekday(0))),
            // On Christmas Eve after hours: the day after is a holiday.
            (
                "2026-12-25T00:30:00Z",
                Presence::Closed { opens: Some(Opening { day: Day::Weekday(5), minute: 540 }) },
            ),
            (
                "2026-12-25T16:00:00Z",
                Presence::Closed { opens: Some(Opening { day: Day::Tomorrow, minute: 540 }) },
            ),
        ];
        for (now, expected) in table {
            assert_eq!(timetable().presence(Timestamp::parse(now).unwrap()), expected, "{now}");
        }
    }

    #[test]
    fn the_next_opening_is_said_in_each_language() {
        let phrases = Phrases::load(Arc::new(Templates::new()), None).unwrap();
        let (eight, half_past_one) = (480, 13 * 60 + 30);
        for (language, today, monday, saturday) in [
            ("en", "today at 8:00 am", "on Monday at 8:00 am", "on Saturday at 1:30 pm"),
            ("de", "heute ab 8:00 Uhr", "am Montag ab 8:00 Uhr", "am Samstag ab 13:30 Uhr"),
            ("fr", "aujourd'hui à 8 h", "lundi à 8 h", "samedi à 13 h 30"),
            ("es", "hoy a las 8:00", "el lunes a las 8:00", "el sábado a las 13:30"),
            ("it", "oggi alle 8:00", "lunedì alle 8:00", "sabato alle 13:30"),
            ("pt", "hoje às 8h00", "na segunda-feira às 8h00", "no sábado às 13h30"),
            ("nl", "vandaag om 8.00 uur", "op maandag om 8.00 uur", "op zaterdag om 13.30 uur"),
            ("xx", "today at 8:00 am", "on Monday at 8:00 am", "on Saturday at 1:30 pm"),
        ] {
            for (day, minute, said) in [
                (Day::Today, eight, today),
                (Day::Weekday(0), eight, monday),
                (Day::Weekday(5), half_past_one, saturday),
            ] {
                assert_eq!(Opening { day, minute }.say(&phrases, language), said, "{language}");
            }
            for (day, minute) in
                (0..7).map(Day::Weekday).chain([Day::Tomorrow]).zip([0, 60, 719, 720, 780, 1439, 1, 61])
            {
                let said = Opening { day, minute }.say(&phrases, language);
                assert!(said.len() < 40 && !said.contains(['{', '}']), "{language}: {said}");
            }
        }
        let said = |language, minute| Opening { day: Day::Tomorrow, minute }.say(&phrases, language);
        assert_eq!([said("en", 0), said("en", 720)], ["tomorrow at 12:00 am", "tomorrow at 12:00 pm"]);
        assert_eq!(
            [said("es", 60), said("it", 60), said("pt", 60)],
            ["mañana a la 1:00", "domani all'1:00", "amanhã à 1h00"]
        );
    }

    #[test]
    fn after_long_holidays_the_date_is_said_in_each_language() {
        let phrases = Phrases::load(Arc::new(Templates::new()), None).unwrap();
        let mut hours =
            Hours { timezone: "UTC".to_owned(), mon: Some("08:00-18:00".to_owned()), ..Hours::default() };
        hours.holidays = vec!["2026-12-28".to_owned(), "2027-01-04".to_owned()];
        let closed =
            Timetable::read(&hours).unwrap().presence(Timestamp::parse("2026-12-22T12:00:00Z").unwrap());
        let Presence::Closed { opens: Some(opening) } = closed else { panic!("{closed:?}") };
        for (language, said) in [
            ("en", "on 11 January at 8:00 am"),
            ("de", "am 11. Januar ab 8:00 Uhr"),
            ("fr", "le 11 janvier à 8 h"),
            ("es", "el 11 de enero a las 8:00"),
            ("it", "l'11 gennaio alle 8:00"),
            ("pt", "no dia 11 de janeiro às 8h00"),
            ("nl", "op 11 januari om 8.00 uur"),
        ] {
            assert_eq!(opening.say(&phrases, language), said, "{language}");
        }
        let first = Opening { day: Day::Date(jiff::civil::date(2027, 1, 1)), minute: 480 };
        assert_eq!(first.say(&phrases, "fr"), "le 1er janvier à 8 h");
        hours.holidays.push("25 December".to_owned());
        assert!(Timetable::read(&hours).unwrap_err()[0].contains("25 December"));
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
        let hours = Hours { timezone: "UTC".to_owned(), ..Hours::default() };
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
