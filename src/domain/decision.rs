//! What the assistant may propose and how the guard may rule.

use serde_json::Value;

use super::case::{Place, Resolution};
use super::ids::ReceiptId;
use super::message::Citation;
use super::triage::Urgency;

/// The next step an assistant proposes; code decides whether it happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Search the shared knowledge base.
    Search(String),
    /// Call a tool.
    Call {
        /// Its exact name.
        tool: String,
        /// Its arguments, a JSON object.
        arguments: Value,
    },
    /// Ask the customer something and wait. A question that asks for a yes to a write names the write.
    Ask {
        /// What to say.
        draft: Draft,
        /// The write the yes would allow.
        write: Option<ProposedWrite>,
    },
    /// Answer.
    Say(Draft),
    /// Give the case to people.
    HandOff(HandOff),
}

/// A write that the customer is asked to agree to.
#[derive(Debug, Clone, PartialEq)]
pub struct ProposedWrite {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
}

/// An unsent answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// What it says.
    pub text: String,
    /// What it relies on.
    pub citations: Vec<Citation>,
    /// Quick replies.
    pub choices: Vec<String>,
    /// How it settles the matter, if it does: a real answer or a finished procedure, never a greeting.
    pub resolves: Option<Resolution>,
    /// Where it is sent too, beside the channel of the case.
    pub copy: Option<Box<Place>>,
    /// The receipts it names as its grounds, beside its citations. Without them every receipt and passage counts.
    pub grounds: Option<Vec<ReceiptId>>,
}

/// Why and where a case goes to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOff {
    /// One `snake_case` word for machines and measures.
    pub reason: String,
    /// Where to; the procedure's team, or the first team when none is named.
    pub team: Option<String>,
    /// How soon.
    pub urgency: Option<Urgency>,
    /// A sentence for the customer before the one about waiting; goes through the guard.
    pub say: Option<String>,
    /// What the person might do next.
    pub next_step: Option<String>,
}

impl HandOff {
    /// A handoff for `reason` with nothing else said.
    pub fn because(reason: &str) -> Self {
        Self { reason: reason.to_owned(), team: None, urgency: None, say: None, next_step: None }
    }
}

/// What a rule of the guard found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// What offended, short and without other people's words beyond the piece itself.
    pub found: String,
    /// Whether a rewording can mend it.
    pub severity: Severity,
}

/// Whether a violation can be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Another draft may pass.
    Revise,
    /// Nothing like it may leave.
    Block,
}

/// The guard's ruling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may leave.
    Allow,
    /// Say it again without this.
    Revise(Vec<Violation>),
    /// It goes to a person.
    Block(Vec<Violation>),
}
