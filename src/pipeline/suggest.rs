//! What an agent asks of the machine without giving the case away: a reply to look at, and a record read afresh.
//!
//! Both go the assistant's own way, through the rules of tools and the guard, over a case that people have: a write finds
//! that the case is not the assistant's and is not sent. What was read and what it cost is committed to the case's log;
//! the words are only shown.

use std::sync::Arc;

use serde_json::{Value, json};

use super::effect::{self, Asking};
use super::resolve::{self, Carried, Words};
use super::turn::TurnError;
use super::{Parts, Pipeline};
use crate::assistant::{Reading, Seen};
use crate::desk::act::Actor;
use crate::domain::case::CaseState;
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::{Author, Citation, Message, Visibility};
use crate::domain::receipt::{Effect, Receipt};
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::store::{CaseFile, Change, CommitError, Draftbook, Refusal, StoreError};

/// Times a case may change while what was found out about it is written down.
const LOOKS_MAX: usize = 8;
/// Messages of the customer that one suggestion answers.
const UNANSWERED_MAX: usize = 10;

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum SuggestError {
    /// There is no such case.
    #[error("there is no such case")]
    NoCase,
    /// No such tool may be read for this case now.
    #[error("this cannot be read for this case: {0}")]
    NotReadable(String),
    /// The record or the assistant did not come to an end.
    #[error("the assistant could not be asked just now; try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for SuggestError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<TurnError> for SuggestError {
    fn from(error: TurnError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// What the assistant would say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// These words, which passed the guard.
    Words {
        /// The words.
        text: String,
        /// The articles they rest on.
        citations: Vec<Citation>,
    },
    /// Nothing, for this reason in one word.
    Nothing(String),
}

impl Pipeline {
    /// What the assistant would answer to the customer's last words; it is only shown.
    pub async fn suggest(&self, case: &CaseId, actor: &Actor) -> Result<Suggestion, SuggestError> {
        suggest(&self.parts, case, actor).await
    }

    /// Reads a record for a case with the case's own authority.
    pub async fn look_up(
        &self,
        case: &CaseId,
        call: (&str, &Value),
        actor: &Actor,
    ) -> Result<Arc<Receipt>, SuggestError> {
        look_up(&self.parts, case, call, actor).await
    }
}

/// Asks the assistant what it would answer to the customer's last words. Nothing is sent and nothing is changed but the log.
async fn suggest(parts: &Parts, id: &CaseId, actor: &Actor) -> Result<Suggestion, SuggestError> {
    let file = parts.store.case_fresh(id).await?.ok_or(SuggestError::NoCase)?;
    let file = Arc::new(with_people(&file));
    let words = unanswered(&file);
    if words.is_empty() {
        return Ok(Suggestion::Nothing("nothing_to_answer".to_owned()));
    }
    // One by one, so that a wish for a person in one of them leaves the others to be answered.
    let readings: Vec<Reading> = words
        .iter()
        .map(|message| for_a_person(parts.reader.read(message, &file.case.language)))
        .filter(|reading| !reading.requests.is_empty() || reading.small_talk.is_some())
        .collect();
    if readings.is_empty() {
        return Ok(Suggestion::Nothing("nothing_to_answer".to_owned()));
    }
    let turn = outside(parts, id);
    let mut carried = Carried::default();
    let ending = resolve::resolve(parts, &turn, &file, readings, &mut carried).await;
    carried.model_calls.extend(carried.tally.take());
    let suggestion = match ending {
        Ok(ending) if ending.stale => Suggestion::Nothing("would_change_something".to_owned()),
        Ok(ending) => match ending.words {
            Words::Say(draft) | Words::Ask { draft, .. } => {
                Suggestion::Words { text: draft.text, citations: draft.citations }
            }
            Words::HandOff { handoff, .. } => Suggestion::Nothing(handoff.reason),
            Words::Silent(reason) => Suggestion::Nothing(reason.to_owned()),
        },
        Err(error) => return Err(SuggestError::Unavailable(Box::new(error))),
    };
    let (outcome, articles): (&str, Vec<&str>) = match &suggestion {
        Suggestion::Words { citations, .. } => {
            ("words", citations.iter().map(|citation| citation.article.as_str()).collect())
        }
        Suggestion::Nothing(reason) => (reason.as_str(), Vec::new()),
    };
    let body = json!({"by": actor.shown(), "outcome": outcome, "articles": articles});
    keep(parts, id, &carried, EventKind::Suggested, &body).await?;
    Ok(suggestion)
}

/// Reads a record with the case's own authority, as the assistant would.
async fn look_up(
    parts: &Parts,
    id: &CaseId,
    (tool, arguments): (&str, &Value),
    actor: &Actor,
) -> Result<Arc<Receipt>, SuggestError> {
    let spec = parts.toolbox.tool(tool).filter(|spec| spec.effect == Effect::Read);
    if spec.is_none() {
        return Err(SuggestError::NotReadable("there is no such tool that only reads".to_owned()));
    }
    let file = parts.store.case_fresh(id).await?.ok_or(SuggestError::NoCase)?;
    let file = Arc::new(with_people(&file));
    let turn = outside(parts, id);
    let mut carried = Carried::default();
    let asking = Asking { turn: &turn, file: &file, tool, arguments, intent: None, name: None };
    let seen = match effect::call(parts, asking, &mut carried).await? {
        effect::Called::Seen(seen) => seen,
        effect::Called::Approval(_) | effect::Called::Stale => {
            return Err(SuggestError::NotReadable("it needs more than reading".to_owned()));
        }
    };
    let body = json!({"by": actor.shown(), "tool": tool});
    keep(parts, id, &carried, EventKind::LookedUp, &body).await?;
    match seen {
        Seen::Called(receipt) => Ok(receipt),
        Seen::Denied { tell, .. } => Err(SuggestError::NotReadable(tell)),
        Seen::NeedsApproval { because } => Err(SuggestError::NotReadable(because)),
        Seen::Begin | Seen::Found(_) | Seen::NeedsYes | Seen::Rejected { .. } => {
            Err(SuggestError::NotReadable("it needs more than reading".to_owned()))
        }
    }
}

/// The case as people have it: whatever would write finds that it is not the assistant's.
fn with_people(file: &CaseFile) -> CaseFile {
    let mut file = CaseFile::clone(file);
    if file.case.state == CaseState::Assistant {
        file.case.state = CaseState::Agent;
    }
    file
}

/// Without what only leads to a person: one is here already, and has read it.
fn for_a_person(mut reading: Reading) -> Reading {
    reading.requests.retain(|request| request.triage.reason != "person_asked");
    Reading { wants_person: false, alarm: None, ..reading }
}

/// The customer's words since a person answered them, or the last ones where everything is answered. The assistant's own
/// words do not count: the sentence that goes with a handoff answers nothing.
fn unanswered(file: &CaseFile) -> Vec<Arc<Message>> {
    let public = || file.messages.iter().filter(|message| message.visibility == Visibility::Public);
    let answered = public().rfind(|message| message.author == Author::Agent).map_or(0, |message| message.seq);
    let customers = || public().filter(|message| message.author == Author::Customer);
    let mut newest: Vec<Arc<Message>> =
        customers().filter(|message| message.seq > answered).cloned().collect();
    if newest.is_empty() {
        newest.extend(customers().next_back().cloned());
    }
    newest.split_off(newest.len().saturating_sub(UNANSWERED_MAX))
}

/// Stands for the turn where no turn but an agent asked.
fn outside(parts: &Parts, case: &CaseId) -> Turn {
    Turn {
        id: TurnId::new(parts.clock.new_id()),
        case: case.clone(),
        epoch: 0,
        holder: String::new(),
        leased_until: Timestamp(0),
        attempts: 0,
        due_at: Timestamp(0),
        opened_at: parts.clock.now(),
    }
}

/// Writes down what was read and what it cost, whoever has the case by now.
async fn keep(
    parts: &Parts,
    id: &CaseId,
    carried: &Carried,
    kind: EventKind,
    body: &Value,
) -> Result<(), SuggestError> {
    for _ in 0..LOOKS_MAX {
        let file = parts.store.case_fresh(id).await?.ok_or(SuggestError::NoCase)?;
        let now = parts.clock.now();
        let mut book = Draftbook::new(file.case.clone(), now);
        for (kind, body) in &carried.events {
            book.event(*kind, body);
        }
        for call in &carried.model_calls {
            book.event(EventKind::ModelCalled, &json!(call));
        }
        book.event(kind, body);
        let reads = carried.receipts.iter().filter(|receipt| receipt.effect == Effect::Read);
        let mut changes: Vec<Change> = reads.cloned().map(Change::Receipt).collect();
        changes.extend(carried.model_calls.iter().map(|call| Change::ModelCall {
            case: id.clone(),
            customer: file.case.customer.clone(),
            at: now,
            call: call.clone(),
        }));
        match parts.store.commit(book.close(changes)).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(Refusal::Stale)) => {}
            Err(error) => return Err(SuggestError::Unavailable(Box::new(error))),
        }
    }
    Err(SuggestError::Unavailable("the case kept changing".into()))
}
