//! The people: agents, their teams and when they work. An agent is never a machine.

use serde::{Deserialize, Serialize};

use super::ids::{AgentId, TeamId};
use super::role::Role;
use super::time::Timestamp;

/// A person who works here and may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Ours.
    pub id: AgentId,
    /// How they sign in.
    pub login: String,
    /// How they are shown.
    pub name: String,
    /// Argon2id hash in PHC form.
    #[serde(skip)]
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
    /// The teams they are in.
    pub teams: Vec<TeamId>,
    /// ISO 639-1 codes they speak.
    pub languages: Vec<String>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When they chose their password; none while it is the one that was made for them.
    pub password_chosen_at: Option<Timestamp>,
}

/// Opening hours on one weekday, in minutes from midnight, local time; `from` < `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First minute open.
    pub from: u16,
    /// First minute closed.
    pub to: u16,
}

/// A group of agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its name in the configuration.
    pub id: TeamId,
    /// How it is shown.
    pub name: String,
    /// IANA time zone of its hours.
    pub timezone: String,
    /// Monday first; none is closed.
    pub hours: [Option<Span>; 7],
    /// ISO 639-1 codes somebody there speaks.
    pub languages: Vec<String>,
}
