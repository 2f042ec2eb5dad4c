//! Receipts and the write ledger: the stored proof of what was called and what came of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ids::{CaseId, CustomerId, ReceiptId, TurnId};
use super::time::Timestamp;

/// Whether a tool changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It only looks.
    Read,
    /// It changes something outside.
    Write,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// It answered.
    Done,
    /// The other side refused and said why (for example HTTP 409); nothing was changed.
    Refused,
    /// It did not answer or broke; for a read nothing is lost.
    Failed,
    /// A write was sent and no answer came: it may or may not have happened.
    Unknown,
}

impl CallStatus {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Done, Self::Refused, Self::Failed, Self::Unknown].into_iter().find(|s| s.as_str() == text)
    }
}

/// The stored proof of one tool call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Ours.
    pub id: ReceiptId,
    /// The case it was made for.
    pub case: CaseId,
    /// The turn that made it; for a write that a person approved, the approval.
    pub turn: TurnId,
    /// The tool.
    pub tool: String,
    /// Read or write.
    pub effect: Effect,
    /// What it was called with.
    pub arguments: Value,
    /// How it ended.
    pub status: CallStatus,
    /// What came back: the tool's result, or `{"error":{"code","message"}}`.
    pub result: Value,
    /// When it ended.
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
}

/// One intended effect: claimed before it is dispatched, settled after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Derived from the message or the approval that said yes, the tool and the arguments; unique, and sent as
    /// `Idempotency-Key`.
    pub key: String,
    /// The case.
    pub case: CaseId,
    /// Whose limits it counts against.
    pub customer: CustomerId,
    /// The tool.
    pub tool: String,
    /// Canonical JSON of the arguments.
    pub arguments: String,
    /// What it moves in minor units; none for writes without an amount.
    pub amount_minor: Option<i64>,
    /// `None` while claimed and not yet settled.
    pub status: Option<CallStatus>,
    /// When it was claimed.
    pub claimed_at: Timestamp,
}
