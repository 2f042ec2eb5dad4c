//! Arrivals and rosters: the built-in day, made anew for each seed, and files of one's own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;

use serde::Deserialize;

use super::super::Failure;
use crate::domain::ids::{AgentId, TeamId};
use crate::domain::routing::simulate::{Arrival, Dice, Worker};
use crate::domain::routing::{Capacity, Person, Presence};
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

const DAY: &str = include_str!("day.toml");
const ROSTER: &str = include_str!("roster.csv");
const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Most cases of a file; the play looks at all that wait every few seconds.
const ARRIVALS_MAX: usize = 20_000;
/// Most people of a file.
const PEOPLE_MAX: usize = 500;
/// Largest file that is read.
const BYTES_MAX: u64 = 10_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    first_hour: i64,
    per_hour: Vec<u32>,
    default_team: TeamId,
    team_languages: BTreeMap<TeamId, Vec<String>>,
    languages: BTreeMap<String, u32>,
    channels: Vec<Medium>,
    kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Medium {
    name: String,
    share: u32,
    stretch: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    #[serde(rename = "name")]
    _name: String,
    team: TeamId,
    #[serde(default)]
    skills: BTreeSet<String>,
    #[serde(default)]
    prefers: BTreeSet<String>,
    urgency: Urgency,
    share: u32,
    minutes: i64,
}

/// The built-in day: as many cases each hour as the file says, at moments and of kinds that the seed decides.
pub(super) fn built_in(seed: u64) -> Result<Vec<Arrival>, Failure> {
    let profile: Profile = toml::from_str(DAY).map_err(Failure::usage)?;
    let mut dice = Dice::new(seed);
    let mut arrivals = Vec::new();
    for (hour, count) in profile.per_hour.iter().enumerate() {
        let begin = (profile.first_hour + hour as i64) * HOUR_MS;
        for _ in 0..*count {
            let at_ms = begin + (dice.share() * HOUR_MS as f64) as i64;
            arrivals.extend(profile.case(at_ms, &mut dice));
        }
    }
    arrivals.sort_by_key(|arrival| arrival.at_ms);
    Ok(arrivals)
}

impl Profile {
    fn case(&self, at_ms: i64, dice: &mut Dice) -> Option<Arrival> {
        let kind = drawn(&self.kinds, |kind| kind.share, dice)?;
        let medium = drawn(&self.channels, |medium| medium.share, dice)?;
        let languages: Vec<(&String, &u32)> = self.languages.iter().collect();
        let (language, _) = drawn(&languages, |(_, share)| **share, dice)?;
        let spoken = self.team_languages.get(&kind.team);
        let stays = spoken.is_none_or(|languages| languages.contains(language));
        // Most cases are short and a few are long: between half and three times the usual, 1.1 on average.
        let length = 0.5 + 2.5 * dice.share().powi(3);
        Some(Arrival {
            at_ms,
            team: if stays { kind.team.clone() } else { self.default_team.clone() },
            required: kind.skills.clone(),
            preferred: kind.prefers.clone(),
            language: (*language).clone(),
            channel: medium.name.clone(),
            urgency: kind.urgency,
            handle_ms: (kind.minutes as f64 * MINUTE_MS as f64 * medium.stretch * length) as i64,
        })
    }
}

/// One of the items, as often as its share says.
fn drawn<'a, T>(items: &'a [T], share: impl Fn(&T) -> u32, dice: &mut Dice) -> Option<&'a T> {
    let all: u32 = items.iter().map(&share).sum();
    let mut left = (dice.share() * f64::from(all)) as u32;
    items.iter().find(|item| {
        let own = share(item);
        let found = left < own;
        left = left.saturating_sub(own);
        found
    })
}

/// The built-in people.
pub(super) fn built_in_roster() -> Result<Vec<Worker>, Failure> {
    roster(ROSTER, "the built-in roster")
}

/// Reads a file of arrivals or people.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| wrong(&error))?.len();
    if length > BYTES_MAX {
        return Err(wrong(&format!("the file has {length} bytes; at most {BYTES_MAX} are read")));
    }
    std::fs::read_to_string(path).map_err(|error| wrong(&error))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArrivalRow {
    at: String,
    team: String,
    language: String,
    channel: String,
    urgency: String,
    #[serde(default)]
    skills: String,
    #[serde(default)]
    prefers: String,
    handle_minutes: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonRow {
    name: String,
    #[serde(default)]
    teams: String,
    #[serde(default)]
    skills: String,
    #[serde(default)]
    languages: String,
    #[serde(default)]
    channels: String,
    #[serde(default)]
    capacity: String,
    shifts: String,
}

/// Arrivals as CSV: `at,team,language,channel,urgency,skills,prefers,handle_minutes`, lists with `;` between.
pub(super) fn arrivals(text: &str, shown: &str) -> Result<Vec<Arrival>, Failure> {
    let mut arrivals = rows(text, (shown, ARRIVALS_MAX), |row: ArrivalRow| {
        let minutes = row.handle_minutes;
        if !(minutes.is_finite() && (0.0..=1440.0).contains(&minutes)) {
            return Err("handle_minutes must be between 0 and 1440".to_owned());
        }
        let urgency = Urgency::parse(&row.urgency)
            .ok_or_else(|| format!("urgency `{}` is not low, normal, high or urgent", row.urgency))?;
        Ok(Arrival {
            at_ms: clock(&row.at)?,
            team: TeamId::parse(row.team.trim()).map_err(|error| format!("team: {error}"))?,
            required: list(&row.skills),
            preferred: list(&row.prefers),
            language: row.language.trim().to_lowercase(),
            channel: row.channel.trim().to_owned(),
            urgency,
            handle_ms: (minutes * MINUTE_MS as f64) as i64,
        })
    })?;
    arrivals.sort_by_key(|arrival| arrival.at_ms);
    Ok(arrivals)
}

/// People as CSV: `name,teams,skills,languages,channels,capacity,shifts`, lists with `;` between.
pub(super) fn roster(text: &str, shown: &str) -> Result<Vec<Worker>, Failure> {
    let people = rows(text, (shown, PEOPLE_MAX), |row: PersonRow| {
        let id = AgentId::parse(row.name.trim()).map_err(|error| format!("name: {error}"))?;
        let teams = list(&row.teams).iter().map(|team| TeamId::parse(team)).collect::<Result<Vec<_>, _>>();
        let teams = teams.map_err(|error| format!("teams: {error}"))?;
        let mut shifts = Vec::new();
        for span in list(&row.shifts) {
            let parts = span.split_once('-').map(|(from, to)| (clock(from), clock(to)));
            match parts {
                Some((Ok(from), Ok(to))) if from < to => shifts.push((from, to)),
                Some(_) | None => return Err(format!("shifts: `{span}` is no span; write `08:00-16:00`")),
            }
        }
        Ok(Worker {
            person: Person {
                id,
                everywhere: teams.is_empty(),
                teams,
                skills: list(&row.skills),
                languages: list(&row.languages),
                channels: list(&row.channels),
                capacity: capacity(&row.capacity)?,
                presence: Presence::Away,
                load: 0,
                engrossed: false,
                last_given: Timestamp(0),
            },
            shifts,
        })
    })?;
    let names: BTreeSet<&AgentId> = people.iter().map(|worker| &worker.person.id).collect();
    if names.len() < people.len() {
        return Err(Failure::Usage(format!("{shown}: two people have the same name; give each their own")));
    }
    Ok(people)
}

fn rows<R: for<'de> Deserialize<'de>, T>(
    text: &str,
    (shown, most): (&str, usize),
    read: impl Fn(R) -> Result<T, String>,
) -> Result<Vec<T>, Failure> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut found = Vec::new();
    for (at, row) in reader.deserialize::<R>().enumerate() {
        // The first line names the columns.
        let line = at + 2;
        let row = row.map_err(|error| Failure::Usage(format!("{shown}:{line}: {error}")))?;
        found.push(read(row).map_err(|error| Failure::Usage(format!("{shown}:{line}: {error}")))?);
        if found.len() > most {
            return Err(Failure::Usage(format!("{shown}: more than {most} lines; play a part of it")));
        }
    }
    Ok(found)
}

fn list(text: &str) -> BTreeSet<String> {
    text.split(';').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn capacity(text: &str) -> Result<Capacity, String> {
    let entry = |item: &String| {
        let (channel, count) = item.split_once('=')?;
        Some((channel.trim().to_owned(), u32::from_str(count.trim()).ok().filter(|count| *count > 0)?))
    };
    let read = |item| entry(item).ok_or_else(|| format!("capacity: `{item}` is none; write `web_chat=3`"));
    list(text).iter().map(read).collect::<Result<_, _>>().map(Capacity)
}

/// `08:30` or `08:30:15`, milliseconds after midnight; at most `24:00`.
fn clock(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{}` is no time of day; write `08:30` or `08:30:15`", text.trim());
    let parts: Vec<i64> =
        text.trim().split(':').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (*hours, *minutes, 0),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return Err(wrong()),
    };
    let fine = (0..=24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    let ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
    if fine && ms <= 24 * HOUR_MS { Ok(ms) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_day_is_the_same_for_a_seed_and_another_for_another() {
        let day = built_in(1).unwrap();
        assert_eq!(day, built_in(1).unwrap());
        assert_ne!(day, built_in(2).unwrap());
        assert!(day.iter().all(|case| (8 * HOUR_MS..18 * HOUR_MS).contains(&case.at_ms)));
        let known = built_in_roster().unwrap();
        for case in &day {
            let fits = |worker: &Worker| {
                worker.person.teams.contains(&case.team)
                    && case.required.is_subset(&worker.person.skills)
                    && worker.person.languages.contains(&case.language)
            };
            assert!(known.iter().any(fits), "nobody could ever take {case:?}");
        }
    }

    #[test]
    fn files_of_ones_own_are_read_and_what_is_wrong_names_its_line() {
        let head = "at,team,language,channel,urgency,skills,prefers,handle_minutes\n";
        let day = arrivals(
            &format!("{head}09:30,support,DE,email,high,a;b,,6.5\n08:00:05,x,en,voice,low,,c,1\n"),
            "f",
        );
        let day = day.unwrap();
        assert_eq!((day[0].at_ms, day[1].handle_ms, day[1].language.as_str()), (28_805_000, 390_000, "de"));
        assert_eq!(day[1].required, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        for (line, says) in [
            ("9h,support,de,email,high,,,6", "f:2: `9h` is no time of day"),
            ("09:00,support,de,email,soon,,,6", "urgency `soon`"),
            ("09:00,support,de,email,high,,,-1", "handle_minutes"),
            ("09:00,not a team,de,email,high,,,1", "team"),
            ("25:00,support,de,email,high,,,1", "25:00"),
            ("09:00,support", "f:2"),
        ] {
            let error = arrivals(&format!("{head}{line}\n"), "f").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        let head = "name,teams,skills,languages,channels,capacity,shifts\n";
        for (line, says) in [
            ("anna,,,,,,16:00-08:00", "16:00-08:00"),
            ("anna,,,,,voice,08:00-16:00", "capacity"),
            ("anna b,,,,,,08:00-16:00", "name"),
            ("anna,,,,,,08:00-16:00\nanna,,,,,,08:00-16:00", "same name"),
        ] {
            let error = roster(&format!("{head}{line}\n"), "f").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
