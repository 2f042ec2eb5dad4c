//! When a team is there, in its own time zone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::config::{Hours, TeamSettings};
use crate::domain::ids::TeamId;
use crate::domain::team::{Span, Team};
use crate::domain::time::Timestamp;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Whether somebody of a team is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Somebody is.
    Open,
    /// Nobody is.
    Closed {
        /// `Monday 08:00` in the team's zone; `today 08:00` does not exist, the day is always named.
        opens: Option<String>,
    },
}

/// Reads a declared team; tells every problem at once. A team without hours is always there.
pub fn team(settings: &TeamSettings) -> Result<Team, Vec<String>> {
    let mut problems = Vec::new();
    let id = TeamId::parse(&settings.id).map_err(|error| problems.push(error.to_string()));
    let (timezone, hours) = match &settings.hours {
        None => ("UTC".to_owned(), [Some(Span { from: 0, to: DAY }); 7]),
        Some(hours) => (hours.timezone.clone(), week(hours, &mut problems)),
    };
    if TimeZone::get(&timezone).is_err() {
        problems.push(format!("`{timezone}` is not a time zone such as America/Chicago"));
    }
    match id {
        Ok(id) if problems.is_empty() => {
            let (name, languages) = (settings.name.clone(), settings.languages.clone());
            Ok(Team { id, name, timezone, hours, languages })
        }
        _ => Err(problems.into_iter().map(|p| format!("team `{}`: {p}", settings.id)).collect()),
    }
}

fn week(hours: &Hours, problems: &mut Vec<String>) -> [Option<Span>; 7] {
    let days =
        [&hours.mon, &hours.tue, &hours.wed, &hours.thu, &hours.fri, &hours.sat, &hours.sun].map(|day| {
            let text = day.as_deref()?;
            let span = span(text);
            if span.is_none() {
                problems.push(format!("`{text}` is not a span of a day such as 08:00-18:00"));
            }
            span
        });
    if days.iter().all(Option::is_none) && problems.is_empty() {
        problems.push("it has hours and is never open; leave `hours` out if it always is".to_owned());
    }
    days
}

fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let span = Span { from: minutes(from)?, to: minutes(to)? };
    (span.from < span.to).then_some(span)
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

fn local(team: &Team, at: Timestamp) -> Zoned {
    // The zone was checked when the team was read; UTC stands in should the system's database vanish.
    at.to_jiff().to_zoned(TimeZone::get(&team.timezone).unwrap_or(TimeZone::UTC))
}

/// Whether somebody of `team` is there at `at`, else when somebody is next.
pub fn presence(team: &Team, at: Timestamp) -> Presence {
    let now = local(team, at);
    let minute = u16::from(now.hour().unsigned_abs()) * 60 + u16::from(now.minute().unsigned_abs());
    let span_on = |weekday: Weekday| {
        team.hours.get(usize::from(weekday.to_monday_zero_offset().unsigned_abs())).copied().flatten()
    };
    if span_on(now.weekday()).is_some_and(|span| (span.from..span.to).contains(&minute)) {
        return Presence::Open;
    }
    let opens = (0..=7).find_map(|days: i64| {
        let day = now.date().checked_add(days.days()).ok()?;
        let span = span_on(day.weekday())?;
        (days > 0 || minute < span.from)
            .then(|| format!("{} {:02}:{:02}", day.strftime("%A"), span.from / 60, span.from % 60))
    });
    Presence::Closed { opens }
}

/// The calendar day at `at` where `team` works.
pub fn today(team: &Team, at: Timestamp) -> jiff::civil::Date {
    local(team, at).date()
}

/// The week in words, for what a reply may say about hours: `Monday 08:00-18:00`, a line a day.
pub fn in_words(team: &Team) -> String {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let lines: Vec<String> = DAYS
        .iter()
        .zip(&team.hours)
        .filter_map(|(day, span)| {
            let span = (*span)?;
            let shown = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            Some(format!("{day} {}-{}", shown(span.from), shown(span.to)))
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(hours: &str) -> TeamSettings {
        toml::from_str(&format!("id = \"support\"\nname = \"Customer service\"\n{hours}")).unwrap()
    }

    fn support() -> Team {
        team(&settings(
            r#"hours = { timezone = "America/Chicago", mon = "08:00-18:00", tue = "08:00-18:00", wed = "08:00-18:00", thu = "08:00-18:00", fri = "08:00-18:00", sat = "09:00-14:00" }"#,
        ))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_team_is_there_in_its_own_zone_and_says_when_it_opens_next() {
        let team = support();
        let closed = |opens: &str| Presence::Closed { opens: Some(opens.to_owned()) };
        for (moment, expected) in [
            ("2026-11-23T13:59:59Z", closed("Monday 08:00")),
            ("2026-11-23T14:00:00Z", Presence::Open),
            ("2026-11-23T23:59:59Z", Presence::Open),
            ("2026-11-24T00:00:00Z", closed("Tuesday 08:00")),
            ("2026-11-28T19:59:00Z", Presence::Open),
            ("2026-11-28T20:00:00Z", closed("Monday 08:00")),
            ("2026-11-29T12:00:00Z", closed("Monday 08:00")),
            // The same local hour, another offset in summer.
            ("2026-07-06T13:00:00Z", Presence::Open),
            ("2026-07-06T12:59:00Z", closed("Monday 08:00")),
        ] {
            assert_eq!(presence(&team, at(moment)), expected, "{moment}");
        }
        assert_eq!(today(&team, at("2026-11-24T03:00:00Z")).to_string(), "2026-11-23");
        assert!(
            in_words(&team).starts_with("Monday 08:00-18:00\n")
                && in_words(&team).ends_with("Saturday 09:00-14:00")
        );
    }

    #[test]
    fn a_team_open_once_a_week_opens_in_a_week_and_one_without_hours_is_always_there() {
        let weekly = team(&settings("hours = { timezone = \"UTC\", mon = \"08:00-09:00\" }")).unwrap();
        assert_eq!(
            presence(&weekly, at("2026-11-23T09:00:00Z")),
            Presence::Closed { opens: Some("Monday 08:00".into()) }
        );
        let always = team(&settings("")).unwrap();
        for moment in ["2026-11-29T00:00:00Z", "2026-11-29T23:59:59Z"] {
            assert_eq!(presence(&always, at(moment)), Presence::Open);
        }
    }

    #[test]
    fn hours_that_cannot_be_meant_are_told() {
        for hours in [
            "timezone = \"Mars/Olympus\", mon = \"08:00-18:00\"",
            "timezone = \"UTC\", mon = \"18:00-08:00\"",
            "timezone = \"UTC\", mon = \"8-18\"",
            "timezone = \"UTC\", mon = \"08:00-25:00\"",
            "timezone = \"UTC\", mon = \"08:61-18:00\"",
            "timezone = \"UTC\"",
        ] {
            assert_eq!(
                team(&settings(&format!("hours = {{ {hours} }}"))).err().map(|p| p.len()),
                Some(1),
                "{hours}"
            );
        }
    }
}
