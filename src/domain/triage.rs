//! What a message is about, how urgent, in which language, and whether Tier 1 may try.

use serde::{Deserialize, Serialize};

use super::ids::ProcedureId;

/// How soon somebody should look, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// No hurry was heard.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Somebody is losing time or money.
    High,
    /// Safety, fraud, or harm.
    Urgent,
}

impl Urgency {
    /// The name used in files and in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Reads the name used in files and in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Low, Self::Normal, Self::High, Self::Urgent].into_iter().find(|u| u.as_str() == text)
    }
}

/// How the customer sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sentiment {
    /// Annoyed, angry or worried.
    Negative,
    /// Neither.
    #[default]
    Neutral,
    /// Pleased or grateful.
    Positive,
}

/// What triage decided to do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A procedure or an article covers it.
    Tier1,
    /// A person must have it.
    Escalate,
    /// Nothing known covers it.
    Unknown,
}

/// One procedure the message may be about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The procedure.
    pub intent: ProcedureId,
    /// Calibrated probability, 0 to 1.
    pub confidence: f32,
}

/// The reading of one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triage {
    /// The best procedure, whatever the decision; none only where there are no procedures.
    pub intent: Option<ProcedureId>,
    /// Calibrated probability that `intent` is right and the message is in scope at all.
    pub confidence: f32,
    /// What to do.
    pub decision: Decision,
    /// Why, in one word for machines: `intent`, `article`, `person_asked`, `safety`, `small_talk`, …
    pub reason: String,
    /// Best first, at most five.
    pub candidates: Vec<Candidate>,
    /// ISO 639-1, when the text gives it away.
    pub language: Option<String>,
    /// How soon.
    pub urgency: Urgency,
    /// How the customer sounds.
    pub sentiment: Sentiment,
}
