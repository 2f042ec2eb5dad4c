//! The human side: which team a case belongs to, when somebody is there, and what they read first.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::config::{Config, ServiceLevels, TeamSettings};
use crate::domain::ids::TeamId;
use crate::domain::routing::calendar::{self, Calendar};
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;

pub mod act;
pub mod approvals;
pub mod estimate;
pub mod hours;
pub mod macros;
pub mod note;
pub mod presence;
pub mod reach;
pub mod routing;
pub mod search;
pub mod send_again;
pub mod sinks;
pub mod summary;
pub mod ways;

use hours::{Presence, Timetable};

/// What we say about ourselves: grounds for what a reply may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// The name customers know.
    pub business_name: String,
    /// Where customers may write; empty when there is no such address.
    pub email: String,
    /// Where customers may call; empty when there is no such number.
    pub phone: String,
    /// The web site, with scheme; empty when there is none.
    pub site: String,
    /// Hosts a link may name: the configured ones and the site's own, lower case.
    pub allowed_hosts: Vec<String>,
    /// Names and opening hours of the teams, as customers may read them.
    pub texts: Vec<String>,
}

/// One team as the desk needs it.
#[derive(Debug, Clone)]
struct Post {
    id: TeamId,
    name: String,
    languages: Vec<String>,
    hours: Option<Timetable>,
    skills: BTreeSet<String>,
}

/// The teams and what is settled about the business.
#[derive(Debug, Clone)]
pub struct Desk {
    posts: Vec<Post>,
    fallback: Post,
    settled: Settled,
    levels: ServiceLevels,
}

impl Desk {
    /// Reads the teams of the settings; reports every bad id and every bad opening hour at once.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let posts: Vec<Post> =
            config.teams.iter().filter_map(|team| read_post(team, &mut problems)).collect();
        let named = &config.routing.default_team;
        let fallback = posts.iter().find(|post| post.id.as_str() == named).cloned().or_else(|| {
            match TeamId::parse(named) {
                Ok(id) => Some(Post {
                    name: named.clone(),
                    id,
                    languages: Vec::new(),
                    hours: None,
                    skills: BTreeSet::new(),
                }),
                Err(error) => {
                    problems.push(format!("[routing] default_team: {error}"));
                    None
                }
            }
        });
        match fallback {
            Some(fallback) if problems.is_empty() => {
                let settled = settle(config, &posts);
                Ok(Self { posts, fallback, settled, levels: config.service_levels })
            }
            _ => Err(problems),
        }
    }

    /// The calendar day at `now` where the default team works; UTC when it has no hours.
    pub fn today(&self, now: Timestamp) -> Date {
        let zone = self.fallback.hours.as_ref().map_or(TimeZone::UTC, |hours| hours.calendar.zone.clone());
        now.to_jiff().to_zoned(zone).date()
    }

    /// What replies may say about ourselves.
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    /// The named team if there is one, else the default; another when nobody there speaks `language` (ISO 639-1).
    pub fn team_for(&self, named: Option<&str>, language: &str) -> TeamId {
        let first = named
            .and_then(|name| self.posts.iter().find(|post| post.id.as_str() == name))
            .unwrap_or(&self.fallback);
        if first.speaks(language) {
            return first.id.clone();
        }
        let others = std::iter::once(&self.fallback).chain(&self.posts);
        let other = others.into_iter().find(|post| post.speaks(language));
        other.unwrap_or(first).id.clone()
    }

    /// How a team is shown; its id when it is no longer declared.
    pub fn team_name(&self, team: &TeamId) -> String {
        self.post(team).map_or_else(|| team.to_string(), |post| post.name.clone())
    }

    /// The ids of all teams with their names, in the order of the settings.
    pub fn teams(&self) -> Vec<(TeamId, String)> {
        let mut all: Vec<(TeamId, String)> =
            self.posts.iter().map(|post| (post.id.clone(), post.name.clone())).collect();
        if all.iter().all(|(id, _)| *id != self.fallback.id) {
            all.push((self.fallback.id.clone(), self.fallback.name.clone()));
        }
        all
    }

    /// The time zone in which the default team works; UTC when it has no hours.
    pub fn zone(&self) -> TimeZone {
        self.fallback.hours.as_ref().map_or(TimeZone::UTC, |hours| hours.calendar.zone.clone())
    }

    /// Whether somebody of `team` is there at `now`, and if not, when next.
    pub fn presence(&self, team: &TeamId, now: Timestamp) -> Presence {
        let hours = self.post(team).and_then(|post| post.hours.as_ref());
        hours.map_or(Presence::Open, |hours| hours.presence(now))
    }

    /// When the first answer of a person is due who is asked at `now`: the promise for this urgency, in the team's working
    /// time. None where nothing is promised, or the team is never there.
    pub fn due(&self, team: &TeamId, urgency: Urgency, now: Timestamp) -> Option<Timestamp> {
        calendar::due(self.calendar(team), now, self.levels.promised_ms(urgency)?)
    }

    /// The working time of `team` between two moments, milliseconds.
    pub fn worked_ms(&self, team: &TeamId, from: Timestamp, to: Timestamp) -> i64 {
        self.calendar(team).map_or(to.ms_since(from).max(0), |calendar| calendar.between(from, to))
    }

    /// Skills without which nobody gets a case of `team`.
    pub fn skills_of(&self, team: &TeamId) -> BTreeSet<String> {
        self.post(team).map(|post| post.skills.clone()).unwrap_or_default()
    }

    /// Whether the settings have a team of this name.
    pub fn declares(&self, team: &TeamId) -> bool {
        self.posts.iter().any(|post| post.id == *team)
    }

    fn calendar(&self, team: &TeamId) -> Option<&Calendar> {
        Some(&self.post(team)?.hours.as_ref()?.calendar)
    }

    fn post(&self, team: &TeamId) -> Option<&Post> {
        self.posts.iter().chain([&self.fallback]).find(|post| post.id == *team)
    }
}

impl Post {
    /// A team that names no languages is taken at its word: somebody copes.
    fn speaks(&self, language: &str) -> bool {
        self.languages.is_empty() || self.languages.iter().any(|spoken| spoken.eq_ignore_ascii_case(language))
    }
}

fn read_post(team: &TeamSettings, problems: &mut Vec<String>) -> Option<Post> {
    let id = TeamId::parse(&team.id).map_err(|error| problems.push(format!("[[teams]] {error}"))).ok();
    let hours = match team.hours.as_ref().map(Timetable::read) {
        None => None,
        Some(Ok(hours)) => Some(hours),
        Some(Err(wrong)) => {
            problems.extend(wrong.into_iter().map(|w| format!("[[teams]] `{}`: {w}", team.id)));
            return None;
        }
    };
    Some(Post {
        id: id?,
        name: team.name.clone(),
        languages: team.languages.clone(),
        hours,
        skills: team.skills.iter().cloned().collect(),
    })
}

fn settle(config: &Config, posts: &[Post]) -> Settled {
    let business = &config.business;
    let mut allowed_hosts: Vec<String> =
        config.guard.allowed_hosts.iter().map(|host| host.trim().to_ascii_lowercase()).collect();
    allowed_hosts.extend(host_of(&business.site));
    let mut texts: Vec<String> = posts.iter().map(|post| post.name.clone()).collect();
    texts.extend(posts.iter().filter_map(|post| post.hours.as_ref()).flat_map(Timetable::lines));
    texts.sort();
    texts.dedup();
    Settled {
        business_name: business.name.clone(),
        email: business.email.clone(),
        phone: business.phone.clone(),
        site: business.site.clone(),
        allowed_hosts,
        texts,
    }
}

/// The host of an address with scheme, lower case.
fn host_of(site: &str) -> Option<String> {
    let rest = site.split_once("://").map_or(site, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::{Environment, Sources};

    const TEAMS: &str = r#"
[business]
name = "Harbor & Pine"
site = "https://harborandpine.example/shop"
[guard]
allowed_hosts = ["Track.Northlane.example"]
[routing]
default_team = "support"
[[teams]]
id = "support"
name = "Customer service"
languages = ["en", "de"]
hours = { timezone = "America/Chicago", mon = "08:00-18:00", sat = "09:00-14:00" }
[[teams]]
id = "payments"
name = "Payments"
languages = ["en"]
[[teams]]
id = "night"
name = "Night"
languages = ["pt"]
"#;

    fn config(text: &str) -> Config {
        Config::load(Sources {
            file: Some((text, Path::new("firstline.toml"))),
            workspace: PathBuf::new(),
            environment: Environment::default(),
        })
        .unwrap()
    }

    #[test]
    fn a_case_goes_to_the_named_team_unless_nobody_there_speaks_the_language() {
        let desk = Desk::new(&config(TEAMS)).unwrap();
        let table = [
            (Some("payments"), "en", "payments"),
            (Some("payments"), "de", "support"),
            (Some("payments"), "pt", "night"),
            (Some("payments"), "ja", "payments"),
            (Some("nobody"), "en", "support"),
            (None, "en", "support"),
            (None, "pt", "night"),
        ];
        for (named, language, expected) in table {
            assert_eq!(desk.team_for(named, language).as_str(), expected, "{named:?} {language}");
        }
    }

    #[test]
    fn what_is_settled_holds_our_hosts_team_names_and_hours() {
        let desk = Desk::new(&config(TEAMS)).unwrap();
        let settled = desk.settled();
        assert_eq!(settled.allowed_hosts, ["track.northlane.example", "harborandpine.example"]);
        assert!(settled.texts.contains(&"Customer service".to_owned()));
        assert!(settled.texts.contains(&"Monday 08:00-18:00".to_owned()));
    }

    #[test]
    fn the_day_is_the_one_where_the_default_team_works() {
        let desk = Desk::new(&config(TEAMS)).unwrap();
        let now = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
        assert_eq!(desk.today(now).to_string(), "2026-11-23");
    }

    #[test]
    fn every_bad_opening_hour_is_reported_with_its_team() {
        let bad = TEAMS.replace("08:00-18:00", "18:00-08:00").replace("09:00-14:00", "9 to 2");
        let problems = Desk::new(&config(&bad)).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|p| p.contains("`support`")), "{problems:?}");
        let zone = TEAMS.replace("America/Chicago", "Mars/Olympus");
        assert!(Desk::new(&config(&zone)).unwrap_err()[0].contains("Mars/Olympus"));
    }

    #[test]
    fn without_teams_there_is_still_a_default_one_that_is_always_there() {
        let desk = Desk::new(&config("")).unwrap();
        let team = desk.team_for(None, "en");
        assert_eq!(team.as_str(), "support");
        assert_eq!(desk.presence(&team, Timestamp(0)), Presence::Open);
        assert_eq!(desk.team_name(&team), "support");
    }
}
