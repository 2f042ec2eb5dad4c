//! The handoff note: what a person reads first. Every field is filled or says why it is not.

use serde::{Deserialize, Serialize};

use super::ids::{AgentId, ApprovalId, CaseId, HandoffId, TeamId};
use super::receipt::{CallStatus, Effect};
use super::time::Timestamp;
use super::triage::{Sentiment, Urgency};

/// A field of the note: known, or `unknown, because …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Known {
    /// What is known.
    Value(String),
    /// Why it is not.
    Unknown {
        /// `unknown, because …` completed.
        unknown_because: String,
    },
}

impl Known {
    /// `value` if there is one, otherwise the reason why not.
    pub fn or(value: Option<String>, because: &str) -> Self {
        match value {
            Some(value) if !value.trim().is_empty() => Self::Value(value),
            _ => Self::Unknown { unknown_because: because.to_owned() },
        }
    }
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(value) => f.write_str(value),
            Self::Unknown { unknown_because } => write!(f, "unknown, because {unknown_because}"),
        }
    }
}

/// A fact and the receipt or message it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What.
    pub label: String,
    /// Its value.
    pub value: String,
    /// `receipt:<id>`, `message:<seq>`, or `conversation` where nobody said it in these words.
    pub source: String,
}

/// A tool call and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The tool.
    pub tool: String,
    /// Read or write.
    pub effect: Effect,
    /// How it ended.
    pub status: CallStatus,
    /// What came of it, in one line.
    pub result: String,
    /// The receipt.
    pub receipt: String,
}

/// A write that a person must approve: exactly this, nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Ours; the key of the effect is derived from it, so that it runs at most once.
    pub id: ApprovalId,
    /// The tool.
    pub tool: String,
    /// Canonical JSON of the arguments.
    pub arguments: String,
    /// SHA-256 of tool and arguments: an approval covers exactly what runs.
    pub hash: String,
    /// Which limit it passed, or why it needs a person.
    pub because: String,
    /// After this moment it must be asked again.
    pub expires_at: Timestamp,
}

/// One line of the transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// `customer`, `assistant` or `agent`.
    pub author: String,
    /// The channel.
    pub channel: String,
    /// What was said.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// What the person who takes over reads first (DESIGN 10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffNote {
    /// Who it is.
    pub customer: Known,
    /// How well that is proven, and by what.
    pub verified: String,
    /// Every channel used, in order.
    pub channels: Vec<String>,
    /// ISO 639-1.
    pub language: String,
    /// The issue in one line.
    pub issue: Known,
    /// What they want.
    pub wants: Known,
    /// Facts with their sources.
    pub facts: Vec<Fact>,
    /// What was tried and what came of it.
    pub tried: Vec<Tried>,
    /// Articles that were cited.
    pub articles: Vec<String>,
    /// What was promised to the customer.
    pub promised: Known,
    /// How they sound.
    pub mood: Sentiment,
    /// How soon.
    pub urgency: Urgency,
    /// Why it was handed off.
    pub reason: String,
    /// What to do next.
    pub next_step: Known,
    /// What the customer was told about waiting.
    pub told: Known,
    /// A write that waits for approval.
    pub approval: Option<Approval>,
    /// A draft that was not sent, and why.
    pub unsent: Option<String>,
    /// The whole thread across channels.
    pub transcript: Vec<Line>,
}

/// One passing of a case to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    /// Ours.
    pub id: HandoffId,
    /// The case.
    pub case: CaseId,
    /// Where it went.
    pub team: TeamId,
    /// How soon.
    pub urgency: Urgency,
    /// Why, in one `snake_case` word.
    pub reason: String,
    /// What they read first.
    pub note: HandoffNote,
    /// When.
    pub at: Timestamp,
    /// Who took it.
    pub taken_by: Option<AgentId>,
}
