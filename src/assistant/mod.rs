//! Who proposes the next step. Proposing is all an assistant can do: code decides what happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::case::Case;
use crate::domain::customer::Customer;
use crate::domain::decision::Step;
use crate::domain::message::Message;
use crate::domain::receipt::Receipt;
use crate::domain::triage::Triage;
use crate::knowledge::Search;
use crate::language::signals::{Alarm, Answer, SmallTalk};
use crate::llm::usage::Tally;

pub mod local;
pub mod model;

/// One request inside a message, and what triage made of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The words of this request.
    pub text: String,
    /// Their reading.
    pub triage: Triage,
    /// What the articles have on them, where the reading had to look.
    pub found: Option<Found>,
}

/// A search that was made while the messages were read.
#[derive(Debug, Clone)]
pub struct Found {
    /// The language that was searched in.
    pub language: String,
    /// What it found.
    pub search: Arc<Search>,
}

/// A customer's message as read before the assistant sees it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The message.
    pub message: Arc<Message>,
    /// The requests in it, in order; at least one unless it is small talk only.
    pub requests: Vec<Request>,
    /// Asks for a person.
    pub wants_person: bool,
    /// Safety, legal, fraud or self-harm words.
    pub alarm: Option<Alarm>,
    /// Nothing but a greeting, thanks or a goodbye.
    pub small_talk: Option<SmallTalk>,
    /// A plain yes or no.
    pub answer: Option<Answer>,
    /// Takes back what was asked for.
    pub takes_back: bool,
}

/// All that an assistant knows when a turn begins: one case and nothing of another.
#[derive(Debug, Clone)]
pub struct Situation {
    /// The case.
    pub case: Case,
    /// Whose it is.
    pub customer: Arc<Customer>,
    /// The thread so far, newest last, the unread messages included.
    pub thread: Vec<Arc<Message>>,
    /// The unread messages, oldest first.
    pub readings: Vec<Reading>,
    /// ISO 639-1 of the conversation.
    pub language: String,
    /// The business day.
    pub today: jiff::civil::Date,
    /// What was called in this case so far, oldest first.
    pub receipts: Vec<Arc<Receipt>>,
    /// Where calls to a model are counted.
    pub tally: Tally,
}

/// What came of the step proposed last.
#[derive(Debug, Clone)]
pub enum Seen {
    /// Nothing was proposed yet.
    Begin,
    /// What a search found.
    Found(Arc<Search>),
    /// What a tool gave back.
    Called(Arc<Receipt>),
    /// The write needs its details listed and a yes.
    NeedsYes,
    /// The write is above a limit: a person must approve it.
    NeedsApproval {
        /// Which limit.
        because: String,
    },
    /// The guard stopped the words; others may pass.
    Rejected {
        /// What it found, by rule.
        reasons: Vec<String>,
    },
    /// A rule refused the call.
    Denied {
        /// One word for machines.
        reason: &'static str,
        /// For whoever proposed it.
        tell: String,
    },
}

/// An assistant at work on one turn.
pub trait Proposer: Send {
    /// The next step, given what came of the last.
    fn next(&mut self, seen: Seen) -> BoxFuture<'_, Result<Step, AssistantError>>;
    /// What it wants to remember for the case's next turn, as JSON.
    fn memory(&self) -> String;
    /// What it has gathered by name, for the handoff note.
    fn gathered(&self) -> BTreeMap<String, String>;
    /// The procedure it is following.
    fn intent(&self) -> Option<crate::domain::ids::ProcedureId>;
    /// The name that a model gave to the call proposed last.
    fn call_name(&self) -> Option<Arc<str>> {
        None
    }
    /// What it understood better than the reading before it.
    fn understood(&self) -> Understood {
        Understood::default()
    }
}

/// What an assistant may know better than whoever read the messages first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Understood {
    /// What the customer wants, in one line.
    pub issue: Option<String>,
    /// ISO 639-1 of the conversation.
    pub language: Option<String>,
}

/// Someone who can propose steps: the local assistant, or a language model.
pub trait Assistant: Send + Sync {
    /// Begins a turn.
    fn begin(&self, situation: Situation) -> Box<dyn Proposer>;
    /// The same readings, where it can tell from what was said before what one of them is about.
    fn in_context(&self, _case: &Case, readings: Vec<Reading>) -> Vec<Reading> {
        readings
    }
}

/// Why an assistant cannot go on with a turn; the case goes to people with this reason.
#[derive(Debug, thiserror::Error)]
pub enum AssistantError {
    /// A template of a procedure failed on what it was given.
    #[error("procedure `{procedure}`: {cause}")]
    Procedure {
        /// Which procedure.
        procedure: String,
        /// What failed.
        cause: String,
    },
}
