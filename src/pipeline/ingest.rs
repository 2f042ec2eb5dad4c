//! Stores an arriving message before anybody is told that it arrived.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::Parts;
use super::consent;
use super::which_case::{self, Home};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState, Doubt, DoubtStage, Move};
use crate::domain::crm::{Crm, Field, OPERATOR};
use crate::domain::customer::{Customer, Identity};
use crate::domain::event::EventKind;
use crate::domain::ids::{AttachmentId, CaseId, CustomerId, IdentityId, MessageId, TurnId};
use crate::domain::message::{Author, InboundMessage, Message, Visibility};
use crate::domain::time::Timestamp;
use crate::domain::triage::{Sentiment, Urgency};
use crate::domain::turn::Turn;
use crate::failpoints;
use crate::language::extract;
use crate::store::Draftbook;
use crate::store::{Arrival, Change, CommitError, Conversation, InboxEntry, Refusal, StoredAttachment, Unit};

/// A message may lose against other changes of its case this often before it is refused, with nothing promised.
const TRIES_MAX: usize = 64;
/// An identity's last sight is written at most this often.
const SEEN_EVERY_MS: i64 = 3_600_000;

/// A message that is safely stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The stored message.
    pub message: MessageId,
    /// Its case.
    pub case: CaseId,
    /// Its customer.
    pub customer: CustomerId,
    /// Its place in the thread.
    pub seq: i64,
    /// It was stored before.
    pub duplicate: bool,
}

/// Why a message was not stored. Nothing was promised.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The id was used for other content.
    #[error("a message with this id but other content is stored already; send a new id for a new message")]
    Conflict,
    /// The message itself is at fault.
    #[error("{0}")]
    Invalid(String),
    /// The record cannot take it now.
    #[error("the record cannot take messages just now; send it again")]
    Unavailable(#[source] Option<Arc<sqlx::Error>>),
}

/// What ingest left behind.
pub(super) struct Stored {
    pub(super) accepted: Accepted,
    /// A turn that this process holds from its birth.
    pub(super) turn: Option<Turn>,
    /// A turn was opened that nobody holds yet.
    pub(super) waits: bool,
}

/// How a new turn is born.
pub(super) enum Birth {
    /// This process begins it at once.
    Held,
    /// Whoever looks next takes it.
    Free,
}

/// Stores one message: identity, customer, case, message and turn in one transaction.
pub(super) async fn ingest(
    parts: &Parts,
    message: InboundMessage,
    birth: impl Fn(&CaseId) -> Birth,
) -> Result<Stored, IngestError> {
    let message = check(parts, message)?;
    let digest = digest(&message);
    let writer = key_of(&message);
    let _door = parts.doors.of(&writer).await;
    for _ in 0..TRIES_MAX {
        let arrival = parts
            .store
            .arrival(&message.channel, &message.external_id, (&writer.0, &writer.1))
            .await
            .map_err(|error| unavailable(&error))?;
        if let Some(known) = &arrival.inbox {
            return duplicate(parts, known, &digest).await;
        }
        let Some(plan) = compose(parts, &message, arrival, &digest, &birth).await? else { continue };
        if failpoints::planted("acknowledge_before_commit") {
            let (store, unit) = (parts.store.clone(), plan.unit);
            parts.tasks.spawn(async move {
                failpoints::reach("ingest_commit");
                store.commit(unit).await
            });
            return Ok(Stored { accepted: plan.accepted, turn: None, waits: true });
        }
        failpoints::reach("ingest_commit");
        match parts.store.commit(plan.unit).await {
            Ok(()) => {
                failpoints::reach("ingest_committed");
                return Ok(Stored { accepted: plan.accepted, turn: plan.turn, waits: plan.waits });
            }
            Err(CommitError::Refused(Refusal::Duplicate | Refusal::Stale)) => {}
            Err(CommitError::Refused(Refusal::LostLease | Refusal::AlreadyClaimed) | CommitError::Closed) => {
                return Err(IngestError::Unavailable(None));
            }
            Err(CommitError::Database(error)) => return Err(IngestError::Unavailable(Some(error))),
        }
    }
    Err(IngestError::Unavailable(None))
}

fn unavailable(error: &dyn std::error::Error) -> IngestError {
    tracing::error!(error = %error, "the record could not be read");
    IngestError::Unavailable(None)
}

/// Checks sizes and masks card numbers and one-time codes; nothing after this sees a whole one.
fn check(parts: &Parts, mut message: InboundMessage) -> Result<InboundMessage, IngestError> {
    let limits = &parts.config.limits;
    let length = message.text.chars().count();
    if length > limits.message_chars_max {
        let most = limits.message_chars_max;
        return Err(IngestError::Invalid(format!("text has {length} characters; send at most {most}")));
    }
    if message.attachments.len() > limits.attachments_max {
        let most = limits.attachments_max;
        return Err(IngestError::Invalid(format!("send at most {most} attachments with one message")));
    }
    let bytes: usize =
        message.attachments.iter().filter_map(|one| one.content.as_ref()).map(|c| c.len()).sum();
    if bytes > limits.attachment_bytes_max {
        let most = limits.attachment_bytes_max;
        return Err(IngestError::Invalid(format!("the attachments have {bytes} bytes; send at most {most}")));
    }
    if let Cow::Owned(masked) = extract::mask_secrets(&message.text) {
        message.text = masked;
    }
    Ok(message)
}

/// The address a person is known by: the operator's id where it vouches, else the address on the channel.
fn key_of(message: &InboundMessage) -> (String, String) {
    match &message.sender.external_id {
        Some(id) if message.sender.assurance == Assurance::Verified => (OPERATOR.to_owned(), id.clone()),
        _ => (message.channel.clone(), message.sender.address.clone()),
    }
}

fn digest(message: &InboundMessage) -> String {
    let mut hasher = Sha256::new();
    let sender = &message.sender;
    let attachments = serde_json::to_string(&message.attachments).unwrap_or_default();
    for part in [&message.conversation, &sender.address, &message.text, &attachments] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    for content in message.attachments.iter().filter_map(|one| one.content.as_ref()) {
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hex::encode(hasher.finalize())
}

async fn duplicate(parts: &Parts, known: &InboxEntry, digest: &str) -> Result<Stored, IngestError> {
    // Of a message whose words were erased nobody can say any more whether they were the same.
    if !known.digest.is_empty() && known.digest != digest {
        return Err(IngestError::Conflict);
    }
    let stored = parts.store.message(&known.message).await.map_err(|error| unavailable(&error))?;
    let seq = stored.map_or(0, |message| message.seq);
    let accepted = Accepted {
        message: known.message.clone(),
        case: known.case.clone(),
        customer: known.customer.clone(),
        seq,
        duplicate: true,
    };
    Ok(Stored { accepted, turn: None, waits: false })
}

struct Plan {
    unit: Unit,
    accepted: Accepted,
    turn: Option<Turn>,
    waits: bool,
}

/// `None`: a case has changed since it was listed, so everything is read again.
async fn compose(
    parts: &Parts,
    message: &InboundMessage,
    arrival: Arrival,
    digest: &str,
    birth: &impl Fn(&CaseId) -> Birth,
) -> Result<Option<Plan>, IngestError> {
    let now = parts.clock.now();
    let mut changes = Vec::with_capacity(10);
    let (customer, fresh) = customer_of(parts, message, &arrival, now, &mut changes);
    let home = which_case::home(parts, message, &arrival.cases, now).await;
    let Some(home) = home.map_err(|error| unavailable(&error))? else { return Ok(None) };
    let Placed { mut case, doubt, settled, opened } =
        place(parts, message, (&customer, fresh), home, &mut changes);
    let was_settled = case.state == CaseState::Resolved || case.resolution.is_some();
    if case.step(Move::CustomerWrote).is_err() {
        return Ok(None);
    }
    case.channel.clone_from(&message.channel);
    case.conversation.clone_from(&message.conversation);
    case.assurance = message.sender.assurance;
    if case.state == CaseState::Assistant && !settled {
        case.resolution = None;
        case.resolved_at = None;
    }
    let mut stored = thread_entry(parts, message, &case, now);
    changes.extend(files(parts, message, &mut stored).into_iter().map(Change::Attachment));
    case.inbound_seq = stored.seq;
    // Where the customer was asked, the question keeps its place in the thread.
    let placed = |doubt: Doubt| {
        if doubt.stage == DoubtStage::Asked { doubt } else { Doubt { seq: stored.seq, ..doubt } }
    };
    case.doubt = doubt.map(placed);
    let mut book = Draftbook::new(case, now);
    if opened {
        book.event(EventKind::Opened, &json!({"channel": message.channel, "follows": book.case.follows}));
    }
    book.event(
        EventKind::Received,
        &json!({"message": stored.id, "seq": stored.seq, "channel": stored.channel}),
    );
    if was_settled && !settled {
        book.event(EventKind::Reopened, &json!({"reason": "customer_wrote", "message": stored.id}));
    }
    let accepted = Accepted {
        message: stored.id.clone(),
        case: book.case.id.clone(),
        customer: customer.id.clone(),
        seq: stored.seq,
        duplicate: false,
    };
    changes.push(Change::Inbox(InboxEntry {
        channel: message.channel.clone(),
        external_id: inbox_id(parts, message),
        digest: digest.to_owned(),
        message: stored.id.clone(),
        case: book.case.id.clone(),
        customer: customer.id.clone(),
        at: now,
    }));
    book.message(stored);
    changes.extend(heard(parts, message, now).map(Change::Heard));
    changes.extend(consent::given(parts, message, now).map(Change::Consent));
    let turn = (!book.case.state.with_people()).then(|| new_turn(parts, &book.case.id, now, birth));
    changes.extend(turn.clone().map(Change::OpenTurn));
    let unit = if opened { book.open(changes) } else { book.close(changes) };
    let waits = turn.as_ref().is_some_and(|turn| turn.holder.is_empty());
    let turn = turn.filter(|turn| !turn.holder.is_empty());
    Ok(Some(Plan { unit, accepted, turn, waits }))
}

/// The case that takes the message, as it was before.
struct Placed {
    case: Case,
    doubt: Option<Doubt>,
    settled: bool,
    opened: bool,
}

/// Turns the decision into a case, with what else changes because of it.
fn place(
    parts: &Parts,
    message: &InboundMessage,
    (customer, fresh): (&Customer, bool),
    home: Home,
    changes: &mut Vec<Change>,
) -> Placed {
    let now = parts.clock.now();
    let (placed, answered) = match home {
        Home::Join { file, doubt, settled, answered } => {
            (Placed { case: file.case.clone(), doubt, settled, opened: false }, answered)
        }
        Home::Open { follows, seen, doubt, answered } => {
            if !fresh && !changes.iter().any(|change| matches!(change, Change::Customer(_))) {
                // The set of this customer's open cases changes: two first messages at once must not make two.
                let touched = Customer { version: customer.version + 1, ..customer.clone() };
                changes.push(Change::Customer(Arc::new(touched)));
            }
            changes.extend(seen.into_iter().map(|(case, version)| Change::SeenCase { case, version }));
            let case = new_case(parts, message, customer, follows, now);
            (Placed { case, doubt, settled: false, opened: true }, answered)
        }
    };
    if let Some(file) = answered {
        // What was in doubt there is settled here, in the same transaction.
        let mut book = Draftbook::new(file.case.clone(), now);
        book.case.doubt = None;
        changes.extend(book.close(Vec::new()).changes);
    }
    placed
}

/// The customer this message belongs to, with what changes about them and their identity.
fn customer_of(
    parts: &Parts,
    message: &InboundMessage,
    arrival: &Arrival,
    now: Timestamp,
    changes: &mut Vec<Change>,
) -> (Arc<Customer>, bool) {
    let sender = &message.sender;
    let proven = sender.assurance == Assurance::Verified;
    let (channel, address) = key_of(message);
    if let (Some(customer), Some(identity)) = (&arrival.customer, &arrival.identity) {
        let stale = now.ms_since(identity.last_seen) > SEEN_EVERY_MS;
        if stale || identity.assurance != sender.assurance || identity.proof != sender.proof {
            let seen = Identity {
                assurance: sender.assurance,
                proof: sender.proof.to_owned(),
                last_seen: now,
                ..identity.clone()
            };
            changes.push(Change::SeenIdentity(seen));
        }
        // What came from the operator's CRM is its word alone, whoever says otherwise.
        let newer = |field: Field, said: &Option<String>, known: &Option<String>| {
            said.clone().filter(|_| !customer.crm.owns(field)).or_else(|| known.clone())
        };
        let mut updated = Customer::clone(customer);
        if proven {
            updated.name = newer(Field::Name, &sender.name, &customer.name);
            updated.email = newer(Field::Email, &sender.email, &customer.email);
            updated.phone = newer(Field::Phone, &sender.phone, &customer.phone);
        } else if customer.external_id.is_none() {
            updated.name = newer(Field::Name, &sender.name, &customer.name);
        }
        if updated == **customer {
            return (customer.clone(), false);
        }
        updated.version += 1;
        let updated = Arc::new(updated);
        changes.push(Change::Customer(updated.clone()));
        return (updated, false);
    }
    let customer = Arc::new(Customer {
        id: CustomerId::new(parts.clock.new_id()),
        external_id: sender.external_id.clone().filter(|_| proven),
        name: sender.name.clone(),
        email: sender.email.clone().filter(|_| proven),
        phone: sender.phone.clone().filter(|_| proven),
        language: None,
        crm: Crm::default(),
        created_at: now,
        version: 1,
    });
    changes.push(Change::NewCustomer(customer.clone()));
    changes.push(Change::NewIdentity(Identity {
        id: IdentityId::new(parts.clock.new_id()),
        customer: customer.id.clone(),
        channel,
        address,
        assurance: sender.assurance,
        proof: sender.proof.to_owned(),
        first_seen: now,
        last_seen: now,
    }));
    (customer, true)
}

fn new_case(
    parts: &Parts,
    message: &InboundMessage,
    customer: &Customer,
    follows: Option<CaseId>,
    now: Timestamp,
) -> Case {
    Case {
        id: CaseId::new(parts.clock.new_id()),
        customer: customer.id.clone(),
        state: CaseState::Assistant,
        version: 0,
        channel: message.channel.clone(),
        conversation: message.conversation.clone(),
        assurance: message.sender.assurance,
        intent: None,
        issue: None,
        language: customer.language.clone().unwrap_or_else(|| parts.config.business.language.clone()),
        urgency: Urgency::Normal,
        sentiment: Sentiment::Neutral,
        team: None,
        agent: None,
        resolution: None,
        follows,
        pending: None,
        memory: String::new(),
        message_seq: 0,
        inbound_seq: 0,
        answered_seq: 0,
        event_seq: 0,
        event_hash: String::new(),
        opened_at: now,
        updated_at: now,
        resolved_at: None,
        snoozed_until: None,
        doubt: None,
    }
}

fn thread_entry(parts: &Parts, message: &InboundMessage, case: &Case, now: Timestamp) -> Message {
    Message {
        id: MessageId::new(parts.clock.new_id()),
        case: case.id.clone(),
        seq: case.message_seq + 1,
        author: Author::Customer,
        agent: None,
        channel: message.channel.clone(),
        text: message.text.clone(),
        at: now,
        visibility: Visibility::Public,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: message.attachments.clone(),
        turn: None,
    }
}

/// The files that the message brought, each named in the thread by its id alone.
fn files(parts: &Parts, message: &InboundMessage, stored: &mut Message) -> Vec<StoredAttachment> {
    let mut files = Vec::new();
    for (sent, kept) in message.attachments.iter().zip(&mut stored.attachments) {
        let Some(content) = &sent.content else { continue };
        let id = AttachmentId::new(parts.clock.new_id());
        kept.id = Some(id.clone());
        kept.content = None;
        files.push(StoredAttachment {
            id,
            case: stored.case.clone(),
            message: stored.id.clone(),
            name: sent.name.clone(),
            content_type: sent.content_type.clone(),
            content: content.clone(),
            at: stored.at,
        });
    }
    files
}

/// What answering by a channel that has to be pushed needs.
fn heard(parts: &Parts, message: &InboundMessage, now: Timestamp) -> Option<Conversation> {
    let pushed = parts.channels.get(&message.channel).is_some_and(|channel| !channel.follows_the_record());
    pushed.then(|| Conversation {
        channel: message.channel.clone(),
        conversation: message.conversation.clone(),
        address: message.sender.address.clone(),
        last_inbound_at: now,
        threading: message.threading.clone(),
    })
}

/// The channel's own id of the message, under which it is stored once.
fn inbox_id(parts: &Parts, message: &InboundMessage) -> String {
    let id = message.external_id.clone();
    if failpoints::planted("no_unique_index") { format!("{id}#{}", parts.clock.new_id()) } else { id }
}

fn new_turn(parts: &Parts, case: &CaseId, now: Timestamp, birth: &impl Fn(&CaseId) -> Birth) -> Turn {
    let (holder, epoch, leased_until) = match birth(case) {
        Birth::Held => (parts.holder.clone(), 1, now.plus_ms(parts.config.worker.lease_ms)),
        Birth::Free => (String::new(), 0, Timestamp(0)),
    };
    Turn {
        id: TurnId::new(parts.clock.new_id()),
        case: case.clone(),
        epoch,
        holder,
        leased_until,
        attempts: epoch,
        due_at: now,
        opened_at: now,
    }
}
