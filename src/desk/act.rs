//! What an agent does with a case: take it, answer, note, put aside, settle, give back.
//!
//! Each act is one transaction that compares the case's version, so it never lands on a case that
//! changed underneath; it then looks again and decides anew. A person's first word takes the case.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Desk, search};
use crate::channels::Channels;
use crate::domain::case::{Case, CaseState, IllegalMove, Move, Resolution, SettledAs};
use crate::domain::delivery::DeliveryState;
use crate::domain::event::EventKind;
use crate::domain::ids::{AgentId, CaseId, HandoffId, MessageId, TeamId, TurnId};
use crate::domain::message::{Attachment, Author, Message, Visibility};
use crate::domain::routing::FirstAnswer;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::turn::Turn;
use crate::store::{
    Change, CommitError, Draftbook, InboxEntry, Refusal, Store, StoreError, StoredAttachment, Unit,
};

/// An act that keeps losing against other changes is given up after this many looks.
const LOOKS_MAX: usize = 64;
/// Entries after the last seen one that are looked at; with more of them somebody else wrote for sure.
const NEWER_MAX: i64 = 20;
/// Where the ids of agents' replies are kept, so that a second click says nothing twice.
const INBOX: &str = "desk";

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An agent who signed in, or for whom a program acts.
    Agent(AgentId),
    /// A program with an API key, by the key's name.
    Program(String),
    /// People at another desk, by its name.
    Desk(String),
}

impl Actor {
    fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(id) => Some(id),
            Self::Program(_) | Self::Desk(_) => None,
        }
    }

    /// How the log names them.
    pub fn shown(&self) -> String {
        match self {
            Self::Agent(id) => format!("agent:{id}"),
            Self::Program(name) => format!("key:{name}"),
            Self::Desk(name) => format!("desk:{name}"),
        }
    }
}

/// Why an act did not happen. Nothing of it did.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// There is no such case.
    #[error("there is no such case")]
    NoCase,
    /// There is no such agent.
    #[error("there is no agent with this login or id; list them with `firstline user list`")]
    NoAgent,
    /// The case is not offered to whoever acts.
    #[error("this case is not offered to this agent, or no longer; what is, is in GET /v1/queue")]
    NoOffer,
    /// There is no such delivery.
    #[error("nothing of this id has left this case; list what has with GET /v1/cases/{{id}}/deliveries")]
    NoDelivery,
    /// It has not failed, or was sent again already.
    #[error("this is `{}` and only what has failed, or of which nobody knows, is sent again, once", .0.as_str())]
    NotFailed(DeliveryState),
    /// The state of the case does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// The id was used for another text.
    #[error("a reply with this id but another text is stored already; send a new id for a new reply")]
    Conflict,
    /// Somebody else wrote in the case after what the writer had seen.
    #[error("somebody wrote in this case since you last looked; read it, then send again")]
    Changed,
    /// The case changed again and again, or the record takes nothing now.
    #[error("the record could not take it just now; try again")]
    Unavailable(#[source] Option<StoreError>),
}

impl From<StoreError> for ActError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Some(error))
    }
}

/// The desk at which somebody acts on one case.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The record.
    pub store: &'a Store,
    /// Time and ids.
    pub clock: &'a dyn Clock,
    /// The ways out.
    pub channels: &'a Channels,
    /// Who acts.
    pub actor: &'a Actor,
    /// On which case.
    pub case: &'a CaseId,
}

/// What an agent writes to the customer.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The writer's own id of it: the same id says it once, however often it is sent.
    pub id: Option<String>,
    /// The words.
    pub text: String,
    /// The channel and the thread to answer in, where they are not the case's own.
    pub way: Option<(String, String)>,
    /// Files that go with it.
    pub files: Vec<StoredAttachment>,
    /// Place of the newest message that the writer had seen; what somebody else wrote after it stops the reply.
    pub seen: Option<i64>,
}

/// Answers the customer on the channel the case is on, or on another one of theirs. The case is the agent's from then on.
pub async fn reply(at: At<'_>, reply: Reply) -> Result<Arc<Message>, ActError> {
    let digest = hex::encode(Sha256::digest(reply.text.as_bytes()));
    let external_id = reply.id.as_ref().map(|id| format!("{}/{id}", at.case));
    let Some(id) = external_id else { return Ok(say(at, &reply, None).await?) };
    if let Some(known) = at.store.inbox(INBOX, &id).await? {
        return said_before(at, &known, &digest).await;
    }
    let failed = match say(at, &reply, Some((&id, &digest))).await {
        Ok(message) => return Ok(message),
        Err(failed) => failed,
    };
    // A second click at the same moment: what it finds written since is its own first one.
    match (failed, at.store.inbox(INBOX, &id).await?) {
        (Failed::Duplicate | Failed::Act(ActError::Changed), Some(known)) => {
            said_before(at, &known, &digest).await
        }
        (failed, _) => Err(failed.into()),
    }
}

/// Says it, under the id and the digest by which it is known where it has any.
async fn say(at: At<'_>, reply: &Reply, known_as: Option<(&str, &str)>) -> Result<Arc<Message>, Failed> {
    let read_through = match reply.seen {
        Some(seen) => Some(unchanged_since(at, seen).await.map_err(Failed::Act)?),
        None => None,
    };
    change(at, |book, now| {
        if read_through.is_some_and(|seq| book.case.message_seq > seq) {
            return Err(ActError::Changed);
        }
        let taken = take(book, at.actor);
        book.case.step(Move::AgentReplied)?;
        book.case.answered_seq = book.case.inbound_seq;
        let first = first_answer(book, now);
        let way = on_way(&book.case, reply.way.as_ref());
        let mut written = entry(at, &way, &reply.text, Visibility::Public, now);
        attach(book, &mut written, &reply.files);
        let message = book.message(written);
        let body = json!({"by": at.actor.shown(), "message": message.id, "took": taken, "channel": way.channel,
            "files": message.attachments.len(), "first_answer": first, "segments": at.channels.segments(&message)});
        book.event(EventKind::AgentReplied, &body);
        for delivery in at.channels.deliveries(&way, &message, now, at.clock) {
            book.push(Change::Deliver(delivery));
        }
        if let Some((external_id, digest)) = known_as {
            book.push(Change::Inbox(InboxEntry {
                channel: INBOX.to_owned(),
                external_id: external_id.to_owned(),
                digest: digest.to_owned(),
                message: message.id.clone(),
                case: book.case.id.clone(),
                customer: book.case.customer.clone(),
                at: now,
            }));
        }
        Ok(message)
    })
    .await
}

/// The place up to which the writer knows the thread: their own entries count as seen.
async fn unchanged_since(at: At<'_>, seen: i64) -> Result<i64, ActError> {
    let newer = at.store.messages(at.case, seen, NEWER_MAX).await?;
    let own = |message: &Arc<Message>| message.agent.is_some() && message.agent.as_ref() == at.actor.agent();
    if newer.iter().all(own) {
        Ok(newer.last().map_or(seen, |message| message.seq))
    } else {
        Err(ActError::Changed)
    }
}

/// The case as it would be on another way to its customer.
fn on_way(case: &Case, way: Option<&(String, String)>) -> Case {
    let mut case = case.clone();
    if let Some((channel, conversation)) = way {
        case.channel.clone_from(channel);
        case.conversation.clone_from(conversation);
    }
    case
}

/// Puts files beside the message they go with.
fn attach(book: &mut Draftbook, message: &mut Message, files: &[StoredAttachment]) {
    for file in files {
        message.attachments.push(Attachment {
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            url: None,
            id: Some(file.id.clone()),
            content: None,
        });
        let file =
            StoredAttachment { message: message.id.clone(), case: message.case.clone(), ..file.clone() };
        book.push(Change::Attachment(file));
    }
}

async fn said_before(at: At<'_>, known: &InboxEntry, digest: &str) -> Result<Arc<Message>, ActError> {
    if known.digest != digest {
        return Err(ActError::Conflict);
    }
    at.store.message(&known.message).await?.ok_or(ActError::Unavailable(None))
}

/// Leaves a note that only agents read. The case stays where it is.
pub async fn note(at: At<'_>, text: &str) -> Result<Arc<Message>, ActError> {
    let made = change(at, |book, now| {
        let message = book.message(entry(at, &book.case, text, Visibility::Internal, now));
        noted(at, book, &message, json!({}));
        Ok(message)
    });
    Ok(made.await?)
}

/// The line of the log about an internal word, with the logins that it names.
fn noted(at: At<'_>, book: &mut Draftbook, message: &Message, mut body: serde_json::Value) {
    body["by"] = json!(at.actor.shown());
    body["message"] = json!(message.id);
    let named = search::named(&message.text);
    if !named.is_empty() {
        body["named"] = json!(named);
    }
    book.event(EventKind::Noted, &body);
}

/// A word for whoever has the case next, beside what is done with it.
fn leave_word(
    at: At<'_>,
    book: &mut Draftbook,
    word: Option<&str>,
    about: &str,
    now: Timestamp,
) -> Option<MessageId> {
    let message = book.message(entry(at, &book.case, word?, Visibility::Internal, now));
    noted(at, book, &message, json!({"about": about}));
    Some(message.id.clone())
}

/// Where a case goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignee {
    /// To this person.
    Agent(AgentId),
    /// Back to the queue of this team, or of the team it was with.
    Queue(Option<TeamId>),
}

/// Gives the case to a person, or back to a queue, perhaps with a word for whoever has it next.
pub async fn assign(at: At<'_>, to: &Assignee, word: Option<&str>) -> Result<Case, ActError> {
    if let Assignee::Agent(agent) = to
        && at.store.agent(agent).await?.is_none()
    {
        return Err(ActError::NoAgent);
    }
    let handoff = at.store.handoff(at.case).await?;
    let made = change(at, |book, now| {
        match to {
            Assignee::Agent(agent) => {
                book.case.step(Move::Assigned)?;
                book.case.agent = Some(agent.clone());
                book.case.pending = None;
                book.case.snoozed_until = None;
                if let Some(handoff) = handoff.as_ref().filter(|handoff| handoff.taken_by.is_none()) {
                    book.push(handed_to(&handoff.id, agent, now));
                }
            }
            Assignee::Queue(team) => {
                book.case.step(Move::Unassigned)?;
                if book.case.wait.since.is_none() {
                    book.case.wait.begin(now, None);
                }
                book.case.agent = None;
                book.case.snoozed_until = None;
                book.case.team = team.clone().or_else(|| book.case.team.clone());
            }
        }
        let (agent, team) = (book.case.agent.clone(), book.case.team.clone());
        let mut body = json!({"by": at.actor.shown(), "agent": agent, "team": team});
        if let Some(word) = leave_word(at, book, word, "transfer", now) {
            body["word"] = json!(word);
        }
        book.event(EventKind::Assigned, &body);
        Ok(book.case.clone())
    });
    Ok(made.await?)
}

fn handed_to(handoff: &HandoffId, agent: &AgentId, at: Timestamp) -> Change {
    Change::HandoffTaken { handoff: handoff.clone(), agent: agent.clone(), at }
}

/// Gives a case that nobody has yet to the person whose act is in the book.
pub fn take_waiting(book: &mut Draftbook, handoff: &HandoffId, agent: &AgentId, now: Timestamp) {
    if book.case.state != CaseState::Queued || book.case.step(Move::Assigned).is_err() {
        return;
    }
    book.case.agent = Some(agent.clone());
    book.push(handed_to(handoff, agent, now));
}

/// Settles the case. Who settles it has it, so that it is known later whose work it was.
pub async fn resolve(at: At<'_>, kind: SettledAs) -> Result<Case, ActError> {
    let made = change(at, |book, now| {
        book.case.step(Move::AgentResolved)?;
        book.case.agent = at.actor.agent().cloned().or_else(|| book.case.agent.take());
        book.case.resolution = Some(Resolution::ByAgent);
        book.case.resolved_at = Some(now);
        book.case.answered_seq = book.case.inbound_seq;
        book.case.snoozed_until = None;
        book.case.pending = None;
        let first = first_answer(book, now);
        let body = json!({"by": at.actor.shown(), "kind": kind, "first_answer": first});
        book.event(EventKind::Resolved, &body);
        Ok(book.case.clone())
    });
    Ok(made.await?)
}

/// Opens a settled case again; it waits for a person, and the clock of its team begins.
pub async fn reopen(at: At<'_>, desk: &Desk) -> Result<Case, ActError> {
    let made = change(at, |book, now| {
        book.case.step(Move::Reopened)?;
        book.case.resolution = None;
        book.case.resolved_at = None;
        book.case.agent = None;
        let due = book.case.team.as_ref().and_then(|team| desk.due(team, book.case.urgency, now));
        book.case.wait.begin(now, due);
        let body =
            json!({"by": at.actor.shown(), "since": book.case.wait.since, "due_at": book.case.wait.due_at});
        book.event(EventKind::Reopened, &body);
        Ok(book.case.clone())
    });
    Ok(made.await?)
}

/// Puts the case aside until a moment, or only until the customer writes. Whoever puts aside what nobody has takes it.
pub async fn snooze(at: At<'_>, until: Option<Timestamp>) -> Result<Case, ActError> {
    let made = change(at, |book, _| {
        book.case.step(Move::Snoozed)?;
        book.case.agent = book.case.agent.take().or_else(|| at.actor.agent().cloned());
        book.case.snoozed_until = until;
        book.event(EventKind::Snoozed, &json!({"by": at.actor.shown(), "until": until}));
        Ok(book.case.clone())
    });
    Ok(made.await?)
}

/// Gives the case back to the assistant, which answers what the customer last wrote if nobody has, or does what it is told
/// by an internal word. That word is no customer's: it proves nobody and allows nothing.
pub async fn give_back(at: At<'_>, instruction: Option<&str>) -> Result<Case, ActError> {
    let made = change(at, |book, now| {
        book.case.step(Move::Returned)?;
        book.case.agent = None;
        book.case.pending = None;
        book.case.snoozed_until = None;
        let word = leave_word(at, book, instruction, "instruction", now);
        if word.is_some() || book.case.inbound_seq > book.case.answered_seq {
            book.push(Change::OpenTurn(Turn {
                id: TurnId::new(at.clock.new_id()),
                case: book.case.id.clone(),
                epoch: 0,
                holder: String::new(),
                leased_until: Timestamp(0),
                attempts: 0,
                due_at: now,
                opened_at: now,
            }));
        }
        book.event(EventKind::Returned, &json!({"by": at.actor.shown(), "instruction": word}));
        Ok(book.case.clone())
    });
    Ok(made.await?)
}

/// The clock of the wait ends with a person's first answer: what the log says of it, where one was running.
pub fn first_answer(book: &mut Draftbook, now: Timestamp) -> Option<FirstAnswer> {
    book.case.wait.answered(now)
}

/// Takes the case for whoever acts on it; whether somebody else had it.
fn take(book: &mut Draftbook, actor: &Actor) -> bool {
    let before = book.case.agent.clone();
    if let Some(agent) = actor.agent() {
        book.case.agent = Some(agent.clone());
    }
    book.case.pending = None;
    book.case.snoozed_until = None;
    book.case.resolution = None;
    book.case.resolved_at = None;
    before != book.case.agent
}

fn entry(at: At<'_>, case: &Case, text: &str, visibility: Visibility, now: Timestamp) -> Message {
    Message {
        id: MessageId::new(at.clock.new_id()),
        case: case.id.clone(),
        seq: 0,
        author: Author::Agent,
        agent: at.actor.agent().cloned(),
        channel: case.channel.clone(),
        text: text.to_owned(),
        at: now,
        visibility,
        citations: Vec::new(),
        choices: Vec::new(),
        attachments: Vec::new(),
        turn: None,
    }
}

pub(super) enum Failed {
    Duplicate,
    Act(ActError),
}

impl From<Failed> for ActError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Duplicate => Self::Unavailable(None),
            Failed::Act(error) => error,
        }
    }
}

/// Reads the case, lets `decide` change it and commits; a case that changed in between is decided anew. A customer who
/// writes on and on would be quicker every time while the case is read from the record, so every other look is at what
/// this process has just heard of it; that alone is no reason to refuse.
pub(super) async fn change<T>(
    at: At<'_>,
    decide: impl Fn(&mut Draftbook, Timestamp) -> Result<T, ActError>,
) -> Result<T, Failed> {
    let act = Failed::Act;
    for look in 0..LOOKS_MAX {
        let heard = look % 2 == 1;
        let read = if heard { at.store.case(at.case).await } else { at.store.case_fresh(at.case).await };
        let file = read.map_err(|error| act(error.into()))?.ok_or_else(|| act(ActError::NoCase))?;
        let now = at.clock.now();
        let mut book = Draftbook::new(file.case.clone(), now);
        book.case.updated_at = now;
        let made = match decide(&mut book, now) {
            Ok(made) => made,
            Err(_) if heard => continue,
            Err(error) => return Err(act(error)),
        };
        let unit: Unit = book.close(Vec::new());
        match at.store.commit(unit).await {
            Ok(()) => return Ok(made),
            Err(CommitError::Refused(Refusal::Duplicate)) => return Err(Failed::Duplicate),
            Err(CommitError::Refused(Refusal::Stale)) => {}
            Err(
                CommitError::Refused(Refusal::LostLease | Refusal::AlreadyClaimed)
                | CommitError::Database(_)
                | CommitError::Closed,
            ) => return Err(act(ActError::Unavailable(None))),
        }
    }
    Err(act(ActError::Unavailable(None)))
}
