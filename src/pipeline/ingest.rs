//! Stores an arriving message before anybody is told that it arrived.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::which_case::{self, Home};
use super::{Parts, consent, identity, moving, proof, rating};
use crate::domain::assurance::Assurance;
use crate::domain::case::{Case, CaseState, Doubt, DoubtStage, Move};
use crate::domain::crm::{Crm, Field, OPERATOR};
use crate::domain::customer::{Customer, Identity, Link};
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, CustomerId, IdentityId, MessageId};
use crate::domain::message::{Attachment, InboundMessage, Message, WHOLE_PAGE};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::failpoints;
use crate::language::extract;
use crate::store::{Arrival, Change, CommitError, Draftbook, InboxEntry, Refusal, Unit};

mod stored;

use stored::{files, heard, inbox_id, new_case, new_turn, thread_entry};

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
    // Taken out before anything is masked, kept or read.
    let mut code = proof::code_in(parts, &message);
    let mut message = check(parts, message)?;
    let digest = digest(&message, code.is_some());
    let writer = key_of(&message);
    let _door = parts.doors.of(&writer).await;
    let (mut typed, mut known) = (None, false);
    for _ in 0..TRIES_MAX {
        let arrival = parts
            .store
            .arrival(&message.channel, &message.external_id, (&writer.0, &writer.1))
            .await
            .map_err(|error| unavailable(&error))?;
        if let Some(known) = &arrival.inbox {
            return duplicate(parts, known, &digest).await;
        }
        if let Some(code) = code.take() {
            typed =
                proof::typed(parts, &message, &arrival, &code).await.map_err(|error| unavailable(&error))?;
            if typed.is_some() {
                message.text = extract::mask_six_digits(&message.text).into_owned();
                // Whose message it is may be known better now.
                continue;
            }
        }
        if !known {
            known = true;
            if identity::introduced(parts, &message, &arrival).await.map_err(|error| unavailable(&error))? {
                continue;
            }
        }
        let given = rating::given(parts, &message, &arrival.cases).await.map_err(|e| unavailable(&e))?;
        let read = Read { digest: &digest, typed: typed.as_ref(), given: given.as_ref() };
        let Some(plan) = compose(parts, &message, arrival, read, &birth).await? else { continue };
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

/// Of what was sent; never of a code in it, which could be found out from it.
fn digest(message: &InboundMessage, has_code: bool) -> String {
    let mut hasher = Sha256::new();
    let sender = &message.sender;
    // The page of a mail comes another way where the same mail does.
    let attachments: Vec<&Attachment> =
        message.attachments.iter().filter(|one| one.name != WHOLE_PAGE).collect();
    let listed = serde_json::to_string(&attachments).unwrap_or_default();
    let text = if has_code { extract::mask_six_digits(&message.text) } else { Cow::Borrowed(&*message.text) };
    for part in [&*message.conversation, &*sender.address, &*text, &*listed] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    for content in attachments.iter().filter_map(|one| one.content.as_ref()) {
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

/// What was found in a message before its case is known.
#[derive(Clone, Copy)]
struct Read<'a> {
    digest: &'a str,
    /// A code that was typed.
    typed: Option<&'a proof::Typed>,
    /// A rating that was asked for.
    given: Option<&'a rating::Given>,
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
    read: Read<'_>,
    birth: &impl Fn(&CaseId) -> Birth,
) -> Result<Option<Plan>, IngestError> {
    let now = parts.clock.now();
    let mut changes = Vec::with_capacity(10);
    let arrival = identity::still_theirs(parts, arrival, now, &mut changes);
    let (customer, fresh) = customer_of(parts, message, &arrival, now, &mut changes);
    let owner = arrival.identity.as_ref().map_or_else(|| customer.id.clone(), |one| one.customer.clone());
    changes.extend(identity::typed(message, &owner, now));
    let Some(home) = home(parts, message, &arrival, read).await? else { return Ok(None) };
    let Placed { mut case, doubt, settled, opened } =
        place(parts, message, (&customer, fresh), home, &mut changes);
    let said = moving::said(&case, message);
    // An answer to an offer says nothing about the matter.
    let settled = settled || said.is_some_and(|said| said != moving::Said::Else);
    // Nor is there anything to answer to a bare rating.
    let quiet = read.given.is_some_and(rating::Given::bare);
    let was_settled = case.state == CaseState::Resolved || case.resolution.is_some();
    if !quiet && case.step(Move::CustomerWrote).is_err() {
        return Ok(None);
    }
    case.channel.clone_from(&message.channel);
    case.conversation.clone_from(&message.conversation);
    case.assurance = identity::assurance(message, arrival.identity.as_ref(), &case.id, now);
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
        began(&mut book, &message.channel);
    }
    received(&mut book, &stored, read.typed);
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
        digest: read.digest.to_owned(),
        message: stored.id.clone(),
        case: book.case.id.clone(),
        customer: customer.id.clone(),
        at: now,
    }));
    book.message(stored);
    moving::heard(parts, &mut book, said, now);
    if let Some(given) = read.given {
        rating::heard(parts, &mut book, given, now);
    }
    changes.extend(heard(parts, message, now).map(Change::Heard));
    changes.extend(consent::given(parts, message, now).map(Change::Consent));
    let turn = (!quiet && !book.case.state.with_people()).then(|| new_turn(parts, &book.case.id, now, birth));
    changes.extend(turn.clone().map(Change::OpenTurn));
    let unit = if opened { book.open_of(owner, changes) } else { book.close(changes) };
    let waits = turn.as_ref().is_some_and(|turn| turn.holder.is_empty());
    let turn = turn.filter(|turn| !turn.holder.is_empty());
    Ok(Some(Plan { unit, accepted, turn, waits }))
}

/// Writes into the log that the case began, where and whose it is.
fn began(book: &mut Draftbook, channel: &str) {
    let (follows, customer) = (&book.case.follows, &book.case.customer);
    let body =
        json!({"channel": channel, "follows": follows, "customer": customer, "language": book.case.language});
    book.event(EventKind::Opened, &body);
}

/// Writes into the log that a message came, and what a code in it proved.
fn received(book: &mut Draftbook, stored: &Message, typed: Option<&proof::Typed>) {
    let body = json!({"message": stored.id, "seq": stored.seq, "channel": stored.channel});
    book.event(EventKind::Received, &body);
    if let Some(typed) = typed {
        let body = json!({"by": "code", "outcome": typed.outcome(), "message": stored.id});
        book.event(EventKind::Proven, &body);
    }
}

/// Where the message belongs: a rating or a code to the case in which it was asked for.
async fn home(
    parts: &Parts,
    message: &InboundMessage,
    arrival: &Arrival,
    read: Read<'_>,
) -> Result<Option<Home>, IngestError> {
    if let Some(given) = read.given {
        let file = parts.store.case_fresh(&given.case).await.map_err(|error| unavailable(&error))?;
        return Ok(file.map(|file| Home::Join {
            doubt: file.case.doubt.clone(),
            file,
            settled: true,
            answered: None,
        }));
    }
    let typed = read.typed;
    let home = match proof::home(parts, &arrival.cases, typed).await {
        Ok(None) => which_case::home(parts, message, &arrival.cases, parts.clock.now()).await,
        found => found,
    };
    home.map_err(|error| unavailable(&error))
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
        } else if customer.external_id.is_none() && identity.link == Link::FirstContact {
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
        link: identity::link_of(sender),
        proven: None,
        first_seen: now,
        last_seen: now,
        ended_at: None,
    }));
    (customer, true)
}
