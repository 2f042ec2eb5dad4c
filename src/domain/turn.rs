//! A turn: one run of the assistant on a case, held by a lease.

use serde::{Deserialize, Serialize};

use super::ids::{CaseId, TurnId};
use super::time::Timestamp;

/// One run of the assistant on a case. At most one per case is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Ours.
    pub id: TurnId,
    /// The case.
    pub case: CaseId,
    /// Rises with every claim; a write that names an older one matches nothing.
    pub epoch: i64,
    /// Which process holds it; empty when none does.
    pub holder: String,
    /// Until when it is held; free afterwards.
    pub leased_until: Timestamp,
    /// How often it was begun.
    pub attempts: i64,
    /// Not to be begun before.
    pub due_at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// What a turn came to: the only visible ends an acknowledged message can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered; more may come.
    Replied,
    /// A real answer or a finished procedure.
    Resolved,
    /// People have it.
    HandedOff,
    /// Nothing was said, for a recorded reason.
    Silent,
    /// It broke every time; an alert was raised and people have it.
    Dead,
}

impl Outcome {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replied => "replied",
            Self::Resolved => "resolved",
            Self::HandedOff => "handed_off",
            Self::Silent => "silent",
            Self::Dead => "dead",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Replied, Self::Resolved, Self::HandedOff, Self::Silent, Self::Dead]
            .into_iter()
            .find(|o| o.as_str() == text)
    }
}
