//! Routing by fit: which waiting case is next, and to whom it is offered. Plain rules over plain values, so that the
//! service, its tests and the simulator decide alike.
//!
//! What is required comes first and is never bargained away before its time: the team, the skills, the language, the
//! channel. Among those who fit, the load decides; among waiting cases urgency, the service-level clock and the wait.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{AgentId, CaseId, TeamId};
use super::time::Timestamp;
use super::triage::Urgency;

pub mod calendar;
pub mod choose;
pub mod estimate;
pub mod rank;
pub mod simulate;

pub mod wait;
mod words;

pub use choose::{Choice, choose, plan};
pub use rank::rank;
pub use wait::{FirstAnswer, Offer, OfferEnd, Passed, Wait};
pub use words::language_name;

/// All of a person's attention, in the parts in which cases weigh on it.
pub const WHOLE: i64 = 1_000_000;
/// For a case that needs more room than anybody has, somebody is kept free of others; of so many who are online one at a
/// time, so that a queue of calls does not empty the whole floor. For urgent cases there is no such limit.
pub const KEPT_ONE_IN: usize = 10;
/// Most cases of one channel that may be said to fill a person; more make no difference that anybody could count.
pub const CAPACITY_MAX: u32 = 100;

/// How a skill is written.
pub const SKILL_ADVICE: &str = "write a skill as 1 to 40 lower-case letters, digits, `-` or `_`: `warranty`";
const SKILL_CHARS_MAX: usize = 40;

/// Reads the name of a skill; none when it is not one.
pub fn skill(text: &str) -> Option<String> {
    let text = text.trim();
    let fine = |c: char| c.is_alphanumeric() && !c.is_uppercase() || matches!(c, '-' | '_');
    let length = text.chars().count();
    ((1..=SKILL_CHARS_MAX).contains(&length) && text.chars().all(fine)).then(|| text.to_owned())
}

/// Whether somebody wants cases offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// At work, offers welcome.
    Online,
    /// At work, no new case please.
    Busy,
    /// Not there.
    Away,
}

impl Presence {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Away => "away",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Online, Self::Busy, Self::Away].into_iter().find(|one| one.as_str() == text)
    }
}

/// How many cases of each channel fill a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Capacity(pub BTreeMap<String, u32>);

impl Capacity {
    /// How many of `channel`, where it is said: nobody can have none.
    pub fn of(&self, channel: &str) -> Option<u32> {
        self.0.get(channel).map(|count| (*count).clamp(1, CAPACITY_MAX))
    }
}

/// What a waiting case asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The case.
    pub case: CaseId,
    /// Whose members may have it.
    pub team: Option<TeamId>,
    /// How the team is shown.
    pub team_name: String,
    /// Skills without which nobody may have it until `widen_required_ms` have passed.
    pub required: BTreeSet<String>,
    /// Skills that are waited for until `widen_preferred_ms` have passed, where somebody at work has them.
    pub preferred: BTreeSet<String>,
    /// ISO 639-1 of the customer.
    pub language: String,
    /// The channel they are on.
    pub channel: String,
    /// How soon.
    pub urgency: Urgency,
    /// Since when it waits.
    pub since: Timestamp,
    /// When the first answer is due.
    pub due: Option<Timestamp>,
    /// Who let it pass in this wait.
    pub passed: Vec<Passed>,
}

/// A person and what they offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: AgentId,
    /// The teams they are in.
    pub teams: Vec<TeamId>,
    /// They may see the cases of every team. In no team of their own, every one is theirs.
    pub everywhere: bool,
    /// What they know.
    pub skills: BTreeSet<String>,
    /// ISO 639-1 codes they speak; none stated: they cope.
    pub languages: BTreeSet<String>,
    /// Channels they serve; none stated: every one.
    pub channels: BTreeSet<String>,
    /// How many cases fill them, where it differs from [`Rules::capacity`].
    pub capacity: Capacity,
    /// Whether they want offers now.
    pub presence: Presence,
    /// What they have already, in parts of [`WHOLE`].
    pub load: i64,
    /// One of these cases takes all of their attention: a call. Nothing can come on top of it.
    pub engrossed: bool,
    /// When they were last offered or given something.
    pub last_given: Timestamp,
}

impl Person {
    /// Whether they could be offered anything at all now.
    pub fn takes_more(&self, rules: &Rules) -> bool {
        self.presence == Presence::Online && (self.load < WHOLE || self.takes_on_top(rules))
    }

    /// Whether an urgent case may come on top of all they have: one at a time, and not beside a call.
    fn takes_on_top(&self, rules: &Rules) -> bool {
        rules.urgent_on_top && !self.engrossed && self.load <= WHOLE
    }
}

/// The times and weights of routing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// After this wait the language is no longer demanded.
    pub widen_language_ms: i64,
    /// After this wait preferred skills are no longer waited for.
    pub widen_preferred_ms: i64,
    /// After this wait team and required skills are no longer demanded.
    pub widen_required_ms: i64,
    /// Of these three waits an urgent case waits only so much, percent.
    pub widen_urgent_percent: i64,
    /// An urgent case may come to somebody who has all they can take.
    pub urgent_on_top: bool,
    /// A case whose first answer is due rises by one urgency, and by another after each of these.
    pub raise_ms: i64,
    /// Whoever let a case pass is asked again after this, and only when nobody else fits.
    pub again_ms: i64,
    /// How many cases of each channel fill a person.
    pub capacity: Capacity,
    /// … of a channel that is not named.
    pub capacity_other: u32,
}

impl Rules {
    /// How many cases of `channel` fill this person.
    pub fn fills(&self, own: &Capacity, channel: &str) -> i64 {
        let other = self.capacity_other.clamp(1, CAPACITY_MAX);
        i64::from(own.of(channel).or_else(|| self.capacity.of(channel)).unwrap_or(other))
    }

    /// What one case of `channel` takes of this person.
    pub fn weight(&self, own: &Capacity, channel: &str) -> i64 {
        WHOLE / self.fills(own, channel)
    }
}
