//! A case, its states and the only moves between them (DESIGN 9).

use serde::{Deserialize, Serialize};

use super::assurance::Assurance;
use super::ids::{AgentId, CaseId, CustomerId, ProcedureId, TeamId};
use super::routing::Wait;
use super::time::Timestamp;
use super::triage::{Sentiment, Urgency};

/// Who has the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// The assistant's.
    Assistant,
    /// Waits for a person.
    Queued,
    /// A person has it.
    Agent,
    /// A person has put it aside until a time or a reply.
    Snoozed,
    /// Answered or done; a reply reopens it.
    Resolved,
    /// Over; a reply opens a linked new case.
    Closed,
}

impl CaseState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Assistant, Self::Queued, Self::Agent, Self::Snoozed, Self::Resolved, Self::Closed];

    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::Queued => "queued",
            Self::Agent => "agent",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Whether a person has the case or is waited for.
    pub fn with_people(self) -> bool {
        matches!(self, Self::Queued | Self::Agent | Self::Snoozed)
    }
}

/// Something that happens to a case and may move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// The customer wrote.
    CustomerWrote,
    /// The assistant answered and waits for more.
    AssistantReplied,
    /// The assistant gave a real answer or finished a procedure.
    AssistantResolved,
    /// The assistant handed the case to people.
    HandedOff,
    /// An agent took it, or it was assigned to one.
    Assigned,
    /// An agent wrote to the customer.
    AgentReplied,
    /// An agent gave it back to the queue.
    Unassigned,
    /// An agent put it aside.
    Snoozed,
    /// The time of a snooze is over.
    Woke,
    /// An agent settled it.
    AgentResolved,
    /// An agent gave it back to the assistant.
    Returned,
    /// An agent opened it again.
    Reopened,
    /// What was taken for done turned out not to be: a reply did not leave, an effect is unknown.
    Undone,
    /// The reopen window is over.
    Closed,
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 14] = [
        Self::CustomerWrote,
        Self::AssistantReplied,
        Self::AssistantResolved,
        Self::HandedOff,
        Self::Assigned,
        Self::AgentReplied,
        Self::Unassigned,
        Self::Snoozed,
        Self::Woke,
        Self::AgentResolved,
        Self::Returned,
        Self::Reopened,
        Self::Undone,
        Self::Closed,
    ];
}

/// A move that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a case that is `{}` cannot take this step ({step:?})", from.as_str())]
pub struct IllegalMove {
    /// The state it was in.
    pub from: CaseState,
    /// What was tried.
    pub step: Move,
}

/// The table of legal moves: the state after `step` in state `from`.
#[expect(
    clippy::match_same_arms,
    reason = "a table reads best as one line per move, grouped by what happened"
)]
pub fn after(from: CaseState, step: Move) -> Result<CaseState, IllegalMove> {
    use CaseState as S;
    use Move as M;
    let to = match (from, step) {
        // A customer's word wakes what slept and reopens what was resolved; people keep what they have.
        (S::Assistant | S::Resolved, M::CustomerWrote) | (S::Assistant, M::AssistantReplied) => S::Assistant,
        (S::Queued, M::CustomerWrote) => S::Queued,
        (S::Agent | S::Snoozed, M::CustomerWrote) => S::Agent,
        (S::Assistant, M::AssistantResolved) => S::Resolved,
        (S::Assistant, M::HandedOff) => S::Queued,
        // A person's first word, from any device, takes the case.
        (S::Assistant | S::Queued | S::Agent | S::Snoozed | S::Resolved, M::Assigned | M::AgentReplied) => {
            S::Agent
        }
        (S::Agent | S::Snoozed, M::Unassigned) => S::Queued,
        (S::Queued | S::Agent, M::Snoozed) => S::Snoozed,
        (S::Snoozed, M::Woke) => S::Agent,
        (S::Assistant | S::Queued | S::Agent | S::Snoozed, M::AgentResolved) => S::Resolved,
        (S::Queued | S::Agent | S::Snoozed, M::Returned) => S::Assistant,
        (S::Resolved | S::Closed, M::Reopened) => S::Queued,
        // The assistant's next turn finds what is wrong and hands over; people see to it where they have it.
        (S::Assistant | S::Resolved | S::Closed, M::Undone) => S::Assistant,
        (S::Queued | S::Agent | S::Snoozed, M::Undone) => from,
        (S::Resolved, M::Closed) => S::Closed,
        (from, step) => return Err(IllegalMove { from, step }),
    };
    Ok(to)
}

/// How a case came to be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// A knowledge answer or a finished procedure, nothing said since.
    Answered,
    /// The customer said that it is settled.
    Confirmed,
    /// A person settled it.
    ByAgent,
}

/// How a person settled a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettledAs {
    /// The customer has what they needed.
    #[default]
    Solved,
    /// There was nothing to answer.
    NoReplyNeeded,
    /// Another case is about the same.
    Duplicate,
    /// It was not meant for us: advertising, a wrong address.
    NotForUs,
    /// We could not give them what they needed, and have said so.
    NotPossible,
}

impl SettledAs {
    /// Every kind, in the order in which a page offers them.
    pub const ALL: [Self; 5] =
        [Self::Solved, Self::NoReplyNeeded, Self::Duplicate, Self::NotForUs, Self::NotPossible];

    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::NoReplyNeeded => "no_reply_needed",
            Self::Duplicate => "duplicate",
            Self::NotForUs => "not_for_us",
            Self::NotPossible => "not_possible",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A write that waits for the customer's yes: exactly this tool with exactly these arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingWrite {
    /// The tool.
    pub tool: String,
    /// Canonical JSON of the arguments.
    pub arguments: String,
    /// What the customer was told will happen.
    pub details: String,
    /// Place in the thread of the message that asked; only an answer right after it counts.
    pub asked_seq: i64,
    /// After this moment a yes is an old yes.
    pub expires_at: Timestamp,
}

/// Words of the customer that may belong to this case or to none: the customer is asked, and when they have answered
/// the words are taken up where they belong, so that nobody has to write them twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The words.
    pub request: String,
    /// How far it has come.
    pub stage: DoubtStage,
    /// Place in the thread of the message to which `stage` applies.
    pub seq: i64,
}

/// How far a [`Doubt`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoubtStage {
    /// The customer is to be asked.
    Open,
    /// The customer was asked.
    Asked,
    /// They have answered: the next turn takes the words up here.
    Settled,
}

/// Another channel on which the customer was offered to go on, and what they said to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveOffer {
    /// Where to.
    pub to: Place,
    /// What would go there.
    pub what: Moved,
    /// Place in the thread of the message that asked; only an answer right after it counts.
    pub asked_seq: i64,
    /// They said no, or spoke of something else: not asked again.
    pub declined: bool,
}

/// A thread of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The channel.
    pub channel: String,
    /// The thread on it.
    pub conversation: String,
    /// Whose address it is.
    pub address: String,
}

/// What a customer was offered to get elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// Everything that is answered from now on.
    Answers,
    /// The links of the message that asked.
    Links,
}

/// One problem of one customer, over as many channels as it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Ours.
    pub id: CaseId,
    /// Whose it is.
    pub customer: CustomerId,
    /// Who has it.
    pub state: CaseState,
    /// Counts every change; a writer that compared an older one is refused.
    pub version: i64,
    /// The channel last written on.
    pub channel: String,
    /// The thread on that channel, where an answer goes.
    pub conversation: String,
    /// How well the writer of the newest message is proven.
    pub assurance: Assurance,
    /// What it is about, once known.
    pub intent: Option<ProcedureId>,
    /// The issue in one line, in the customer's words.
    pub issue: Option<String>,
    /// ISO 639-1 of the conversation.
    pub language: String,
    /// The highest urgency heard.
    pub urgency: Urgency,
    /// The mood of the newest message.
    pub sentiment: Sentiment,
    /// The team it belongs to, once it went to people.
    pub team: Option<TeamId>,
    /// The person who has it.
    pub agent: Option<AgentId>,
    /// How it was resolved, while it is.
    pub resolution: Option<Resolution>,
    /// The older case that this one follows.
    pub follows: Option<CaseId>,
    /// The write that waits for a yes.
    pub pending: Option<PendingWrite>,
    /// The assistant's own notes (slots, steps under way): JSON that only the assistant reads.
    pub memory: String,
    /// Place of the newest message.
    pub message_seq: i64,
    /// Place of the newest message of the customer.
    pub inbound_seq: i64,
    /// Place of the newest message of the customer that a turn has dealt with.
    pub answered_seq: i64,
    /// Place of the newest event.
    pub event_seq: i64,
    /// Hash of the newest event, the head of the chain.
    pub event_hash: String,
    /// When it began.
    pub opened_at: Timestamp,
    /// When anything last happened.
    pub updated_at: Timestamp,
    /// When it was last resolved.
    pub resolved_at: Option<Timestamp>,
    /// When a snooze ends.
    pub snoozed_until: Option<Timestamp>,
    /// A message that perhaps belongs elsewhere.
    pub doubt: Option<Doubt>,
    /// Another channel that the customer was offered.
    pub move_offer: Option<MoveOffer>,
    /// Its wait for people.
    pub wait: Wait,
}

impl Case {
    /// Moves the case, or says why it cannot.
    pub fn step(&mut self, step: Move) -> Result<(), IllegalMove> {
        self.state = after(self.state, step)?;
        Ok(())
    }

    /// Whether the customer's next message on this matter belongs here.
    pub fn open(&self) -> bool {
        !matches!(self.state, CaseState::Resolved | CaseState::Closed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_sequence_of_moves_reaches_an_illegal_state(steps in prop::collection::vec(0..Move::ALL.len(), 0..60)) {
            let mut state = CaseState::Assistant;
            for step in steps {
                let step = Move::ALL[step];
                let Ok(next) = after(state, step) else { continue };
                // What the words of DESIGN 9 demand, said apart from the table.
                match step {
                    Move::AssistantReplied | Move::AssistantResolved | Move::HandedOff =>
                        prop_assert_eq!(state, CaseState::Assistant, "the assistant acts only on its own cases"),
                    Move::AgentReplied => prop_assert_eq!(next, CaseState::Agent, "a person's word silences the assistant"),
                    Move::CustomerWrote => {
                        prop_assert_ne!(state, CaseState::Closed, "a closed case takes no message");
                        if state.with_people() { prop_assert!(next.with_people(), "a waiting case stays with people"); }
                    }
                    Move::Closed => prop_assert_eq!(state, CaseState::Resolved),
                    Move::Assigned | Move::Unassigned | Move::Snoozed | Move::Woke | Move::AgentResolved
                    | Move::Returned | Move::Reopened => {}
                    Move::Undone => prop_assert_eq!(state.with_people(), next.with_people(), "people keep what they have"),
                }
                if next == CaseState::Assistant && state != CaseState::Assistant {
                    prop_assert!(matches!(step, Move::Returned | Move::CustomerWrote | Move::Undone));
                }
                state = next;
            }
        }
    }

    #[test]
    fn a_closed_case_only_opens_again_by_a_person_or_because_it_was_not_done() {
        for step in Move::ALL {
            assert_eq!(
                after(CaseState::Closed, step).is_ok(),
                matches!(step, Move::Reopened | Move::Undone),
                "{step:?}"
            );
        }
    }

    #[test]
    fn every_state_reads_back_from_its_name() {
        for state in CaseState::ALL {
            assert_eq!(CaseState::parse(state.as_str()), Some(state));
        }
    }
}
