//! Which cases a person reaches, as the teams are declared.

use crate::config::Config;
use crate::domain::ids::TeamId;
use crate::domain::role::Reach;
use crate::domain::team::Agent;

/// The cases that a person reaches.
pub fn of(agent: &Agent, config: &Config) -> Reach {
    Reach::of(agent, config.teams.iter().filter_map(|team| TeamId::parse(&team.id).ok()))
}
