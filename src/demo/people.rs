//! Who works in the shop: the accounts that a new demo begins with.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::ids::TeamId;
use crate::domain::role::Role;

/// Somebody who works in the shop.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoPerson {
    /// How they sign in, once they have a password.
    pub login: String,
    /// How they are shown.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The teams they are in.
    pub teams: Vec<TeamId>,
    /// ISO 639-1 codes they speak.
    pub languages: Vec<String>,
    /// What they know.
    pub skills: Vec<String>,
    /// How many cases of a channel fill them.
    pub capacity: BTreeMap<String, u32>,
}

/// Everybody who works in the shop; the error is a fault in the embedded file.
pub fn people() -> Result<Vec<DemoPerson>, String> {
    super::seed::yaml("people.yaml", include_str!("people.yaml"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::routing::skill;

    #[derive(Deserialize)]
    struct Config {
        teams: Vec<Team>,
    }

    #[derive(Deserialize)]
    struct Team {
        id: TeamId,
        languages: BTreeSet<String>,
    }

    /// The team and the skills that a procedure's head names.
    fn asked(text: &str) -> (Option<String>, BTreeSet<String>) {
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let listed = |name: &str| of(name).unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let skills = format!("{},{}", listed("skills:"), listed("prefers:"));
        let skills = skills.split(',').map(str::trim).filter(|skill| !skill.is_empty());
        (of("team:").map(str::to_owned), skills.map(str::to_owned).collect())
    }

    #[test]
    fn every_team_has_somebody_and_whatever_is_asked_for_somebody_there_knows() {
        let people = people().unwrap();
        let logins: BTreeSet<&str> = people.iter().map(|one| one.login.as_str()).collect();
        assert_eq!(logins.len(), people.len());
        assert!(people.iter().flat_map(|one| &one.skills).all(|word| skill(word).as_ref() == Some(word)));
        let config: Config = toml::from_str(crate::demo::CONFIG).unwrap();
        for team in &config.teams {
            let members = people.iter().filter(|one| one.teams.contains(&team.id));
            let spoken: BTreeSet<String> = members.flat_map(|one| one.languages.clone()).collect();
            assert!(team.languages.is_subset(&spoken), "{}: {spoken:?}", team.id);
        }
        let mut needs = 0;
        let all = crate::demo::knowledge();
        for procedure in all.iter().filter(|source| source.path.starts_with("procedures")) {
            let (team, skills) = asked(&procedure.text);
            let team = team.map(|team| TeamId::parse(&team).unwrap());
            let fits = |one: &DemoPerson| {
                let knows: BTreeSet<String> = one.skills.iter().cloned().collect();
                team.as_ref().is_none_or(|team| one.teams.contains(team)) && skills.is_subset(&knows)
            };
            assert!(people.iter().any(fits), "nobody could ever take {}", procedure.path);
            needs += usize::from(!skills.is_empty());
        }
        assert!(needs > 5, "the procedures were read");
    }
}
