//! The human side: who is there, where a case goes, what a person reads first, what an agent does.

use crate::config::Config;
use crate::domain::ids::TeamId;
use crate::domain::team::Team;
use crate::domain::time::Timestamp;

pub mod act;
pub mod hours;
pub mod note;
pub mod summary;

/// Who we are, as a reply may say it without further proof.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// The name customers know.
    pub name: String,
    /// Where customers may write.
    pub email: String,
    /// Where customers may call.
    pub phone: String,
    /// The web site, with scheme.
    pub site: String,
    /// Hosts a link may name, the site's own among them, lower case.
    pub hosts: Vec<String>,
    /// Names of teams and their opening hours in words.
    pub hours: String,
}

/// The teams, as declared.
pub struct Desk {
    teams: Vec<Team>,
    default: TeamId,
    settled: Settled,
}

impl Desk {
    /// Reads the teams; tells every problem at once. Without any team one is made of the default's name.
    pub fn new(config: &Config) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut teams = Vec::new();
        for settings in &config.teams {
            match hours::team(settings) {
                Ok(team) => teams.push(team),
                Err(found) => problems.extend(found),
            }
        }
        let default = TeamId::parse(&config.routing.default_team)
            .map_err(|error| problems.push(format!("routing.default_team: {error}")));
        let (Ok(default), true) = (default, problems.is_empty()) else { return Err(problems) };
        // `config` has checked that the default is one of the teams, if there are any.
        if teams.is_empty() {
            let everyday = crate::config::TeamSettings {
                id: default.to_string(),
                name: default.to_string(),
                hours: None,
                languages: Vec::new(),
            };
            teams.push(hours::team(&everyday)?);
        }
        let settled = settled(config, &teams);
        Ok(Self { teams, default, settled })
    }

    /// Every team, as declared.
    pub fn teams(&self) -> &[Team] {
        &self.teams
    }

    /// Where a case goes: the team that was named, else the default; if nobody there speaks `language`,
    /// the default, or else the first team that does. A language nobody speaks changes nothing.
    pub fn team_for(&self, named: Option<&str>, language: &str) -> TeamId {
        let speaks = |team: &Team| team.languages.is_empty() || team.languages.iter().any(|l| l == language);
        let find = |id: &str| self.teams.iter().find(|team| team.id.as_str() == id);
        let default = find(self.default.as_str());
        let wanted = named.and_then(find).or(default);
        let fits = wanted
            .filter(|team| speaks(team))
            .or_else(|| default.filter(|team| speaks(team)))
            .or_else(|| self.teams.iter().find(|team| speaks(team)));
        fits.or(wanted).map_or_else(|| self.default.clone(), |team| team.id.clone())
    }

    /// How a team is shown; its id if it is no longer declared.
    pub fn team_name(&self, id: &TeamId) -> String {
        self.team(id).map_or_else(|| id.to_string(), |team| team.name.clone())
    }

    /// Whether somebody of a team is there; a team that is no longer declared counts as the default.
    pub fn presence(&self, id: &TeamId, at: Timestamp) -> hours::Presence {
        self.team(id)
            .or_else(|| self.team(&self.default))
            .map_or(hours::Presence::Open, |team| hours::presence(team, at))
    }

    /// The business day: the calendar day where the default team works.
    pub fn today(&self, at: Timestamp) -> jiff::civil::Date {
        let team = self.team(&self.default);
        team.map_or_else(
            || at.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date(),
            |team| hours::today(team, at),
        )
    }

    /// Who we are, as a reply may say it.
    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    fn team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == *id)
    }
}

fn settled(config: &Config, teams: &[Team]) -> Settled {
    let business = &config.business;
    let site_host =
        business.site.split("://").nth(1).and_then(|rest| rest.split(['/', ':', '?', '#']).next());
    let hosts = config.guard.allowed_hosts.iter().map(String::as_str).chain(site_host);
    let hours: Vec<String> =
        teams.iter().map(|team| format!("{}\n{}", team.name, hours::in_words(team))).collect();
    Settled {
        name: business.name.clone(),
        email: business.email.clone(),
        phone: business.phone.clone(),
        site: business.site.clone(),
        hosts: hosts.map(str::to_ascii_lowercase).filter(|host| !host.is_empty()).collect(),
        hours: hours.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Sources;

    fn desk(text: &str) -> Result<Desk, Vec<String>> {
        let file = Some((text, Path::new("firstline.toml")));
        Desk::new(&Config::load(Sources { file, ..Sources::default() }).unwrap())
    }

    const TEAMS: &str = r#"
[business]
site = "https://Shop.example:8443/start"
[guard]
allowed_hosts = ["track.example"]
[[teams]]
id = "support"
name = "Customer service"
languages = ["en", "de"]
[[teams]]
id = "payments"
name = "Payments"
languages = ["en"]
[[teams]]
id = "abroad"
name = "Abroad"
languages = ["es"]
"#;

    #[test]
    fn a_case_goes_to_the_named_team_unless_nobody_there_speaks_the_language() {
        let desk = desk(TEAMS).unwrap();
        for (named, language, expected) in [
            (Some("payments"), "en", "payments"),
            (Some("payments"), "de", "support"),
            (Some("payments"), "es", "abroad"),
            (Some("payments"), "ja", "payments"),
            (None, "en", "support"),
            (Some("no_such_team"), "en", "support"),
        ] {
            assert_eq!(desk.team_for(named, language).as_str(), expected, "{named:?} {language}");
        }
        assert_eq!(desk.team_name(&desk.team_for(None, "en")), "Customer service");
        assert_eq!(desk.settled().hosts, ["track.example", "shop.example"]);
    }

    #[test]
    fn without_teams_there_is_one_that_is_always_there() {
        let alone = desk("").unwrap();
        let team = alone.team_for(Some("payments"), "de");
        assert_eq!((team.as_str(), alone.presence(&team, Timestamp(0))), ("support", hours::Presence::Open));
        assert_eq!(alone.today(Timestamp(0)).to_string(), "1970-01-01");
    }
}
