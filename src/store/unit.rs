//! A unit of work: the changes of one decision, committed whole or not at all.
//!
//! Units that wait at the same moment share one transaction and one fsync (group commit), and rows of
//! the same table share one statement. A unit is about one case; two units of one case never share a
//! transaction, so what one expects is what the other left.

use std::sync::Arc;

use crate::domain::case::Case;
use crate::domain::customer::{Customer, Identity};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::Event;
use crate::domain::handoff::Handoff;
use crate::domain::ids::{AgentId, CaseId, CustomerId, DeliveryId, HandoffId, MessageId, TurnId};
use crate::domain::message::Message;
use crate::domain::rating::{Rating, Score};
use crate::domain::receipt::{CallStatus, LedgerEntry, Receipt};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Outcome, Turn};
use crate::domain::usage::CallRecord;

use super::attachments::StoredAttachment;
use super::people::PersonChange;

/// Where a message came in: unique on channel and external id, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The channel.
    pub channel: String,
    /// The channel's own id.
    pub external_id: String,
    /// SHA-256 of what was sent, so that the same id with other content is noticed.
    pub digest: String,
    /// The stored message.
    pub message: MessageId,
    /// Its case.
    pub case: CaseId,
    /// Its customer.
    pub customer: CustomerId,
    /// When it was stored.
    pub at: Timestamp,
}

/// A thread of a provider: whose it is and what answering in it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The channel.
    pub channel: String,
    /// The provider's thread.
    pub conversation: String,
    /// Who wrote there last.
    pub address: String,
    /// When.
    pub last_inbound_at: Timestamp,
    /// What the adapter needs to answer in it, JSON that only it reads; kept as it was when a message brings none.
    pub threading: Option<String>,
}

/// Whether somebody wants messages by a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Ours.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// The address on it.
    pub address: String,
    /// They want none.
    pub opted_out: bool,
    /// The word that said so.
    pub word: String,
    /// When.
    pub at: Timestamp,
}

/// One change of the record. The order within a unit does not matter.
#[derive(Debug, Clone)]
pub enum Change {
    /// Stores where the message came in. Refuses the unit with [`Refusal::Duplicate`] when it is known.
    Inbox(InboxEntry),
    /// A new customer.
    NewCustomer(Arc<Customer>),
    /// Replaces a customer; its `version` is one above the stored one, else [`Refusal::Stale`].
    Customer(Arc<Customer>),
    /// A new identity. Refuses with [`Refusal::Stale`] when channel and address are taken.
    NewIdentity(Identity),
    /// An identity wrote again, at this assurance and by this proof; its link and what was proven are kept as given.
    SeenIdentity(Identity),
    /// Who is who has changed.
    Person(PersonChange),
    /// A new case.
    NewCase(Case),
    /// A new case of a customer who is known as another one: it stays theirs when the two are separated again.
    NewCaseOf {
        /// The case, with the customer they are known as.
        case: Case,
        /// Whose it is.
        owner: CustomerId,
    },
    /// Replaces a case; its `version` is one above the stored one, else [`Refusal::Stale`].
    Case(Case),
    /// Demands that another case is still as it was read, else [`Refusal::Stale`].
    SeenCase {
        /// That case.
        case: CaseId,
        /// The version that was read.
        version: i64,
    },
    /// A new entry of the thread.
    Message(Arc<Message>),
    /// A file that came with a message.
    Attachment(StoredAttachment),
    /// A new line of the log.
    Event(Event),
    /// Opens a turn; quietly nothing when the case has an open one.
    OpenTurn(Turn),
    /// Closes a turn that is still ours, else [`Refusal::LostLease`].
    CloseTurn {
        /// The turn.
        turn: TurnId,
        /// The epoch under which we hold it.
        epoch: i64,
        /// What it came to.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
    /// Gives a turn back to be begun again later; still ours, else [`Refusal::LostLease`].
    RetryTurn {
        /// The turn.
        turn: TurnId,
        /// The epoch under which we hold it.
        epoch: i64,
        /// Not before.
        due_at: Timestamp,
    },
    /// Demands that a turn is still ours, else [`Refusal::LostLease`].
    HoldTurn {
        /// The turn.
        turn: TurnId,
        /// The epoch under which we hold it.
        epoch: i64,
    },
    /// The proof of a call.
    Receipt(Arc<Receipt>),
    /// What a call to a language model took.
    ModelCall {
        /// The case.
        case: CaseId,
        /// Whose case it was made for.
        customer: CustomerId,
        /// When the turn ended.
        at: Timestamp,
        /// The call.
        call: CallRecord,
    },
    /// Claims an effect. Refuses with [`Refusal::AlreadyClaimed`] when the key is taken.
    Claim(LedgerEntry),
    /// Settles a claimed effect that is not settled yet.
    Settle {
        /// The claim.
        key: String,
        /// How it ended.
        status: CallStatus,
    },
    /// Something to deliver.
    Deliver(Delivery),
    /// How a delivery went.
    Delivered {
        /// The delivery.
        delivery: DeliveryId,
        /// How far it has come now.
        state: DeliveryState,
        /// How often it was tried.
        attempts: i64,
        /// Not to be tried again before.
        due_at: Timestamp,
        /// What the provider calls it, where that is known now.
        provider_id: Option<String>,
        /// Why it did not arrive, or may not have.
        reason: Option<String>,
    },
    /// A customer wrote in a thread of a provider.
    Heard(Conversation),
    /// Somebody wants nothing more by a channel, or does again.
    Consent(Consent),
    /// A customer is asked about a case, or is not. Refuses with [`Refusal::Stale`] when that was decided before.
    AskedToRate(Box<Rating>),
    /// … and answers. Refuses with [`Refusal::Stale`] when they have answered before.
    Rated {
        /// The case.
        case: CaseId,
        /// What they said.
        score: Score,
        /// When.
        at: Timestamp,
    },
    /// Somebody is offered something; their presence is still as it was read, else [`Refusal::Stale`].
    GivenTo {
        /// Who.
        agent: AgentId,
        /// The version of their presence that was read.
        version: i64,
        /// When.
        at: Timestamp,
    },
    /// The case goes to people.
    Handoff(Box<Handoff>),
    /// A person took a handed-off case.
    HandoffTaken {
        /// The handoff.
        handoff: HandoffId,
        /// Who.
        agent: AgentId,
        /// When.
        at: Timestamp,
    },
}

/// The changes of one decision about one case.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The case it is about.
    pub case: CaseId,
    /// What changes.
    pub changes: Vec<Change>,
}

/// Why a unit was not committed. Nothing of it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The message is known already.
    #[error("this message is stored already")]
    Duplicate,
    /// Something changed since it was read.
    #[error("the record has changed since it was read")]
    Stale,
    /// Another worker holds the turn now.
    #[error("the turn is no longer held by this worker")]
    LostLease,
    /// The effect was claimed before.
    #[error("this effect was claimed before")]
    AlreadyClaimed,
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A rule of the record refused it; reading again tells more.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database did not take it.
    #[error("the database did not take it")]
    Database(#[source] Arc<sqlx::Error>),
    /// The writer has stopped: the process is ending.
    #[error("the store is closed")]
    Closed,
}
