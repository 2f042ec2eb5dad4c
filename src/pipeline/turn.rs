//! One turn from its claim to its end, whatever happens in between.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use serde_json::json;
use tracing::Instrument;

use super::resolve::{self, Carried, Ending, Words};
use super::settle::{self, Committed};
use super::{Parts, acquaint, consent, doubt, handoff, moving, proof};
use crate::assistant::{AssistantError, Reading};
use crate::domain::case::{CaseState, DoubtStage, Move};
use crate::domain::decision::HandOff;
use crate::domain::delivery::DeliveryState;
use crate::domain::event::{Event, EventKind};
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::receipt::{CallStatus, Effect, Receipt};
use crate::domain::time::Timestamp;
use crate::domain::turn::{Outcome, Turn};
use crate::failpoints;
use crate::store::{CaseFile, Change, CommitError, Refusal, StoreError, Unit};
use crate::telemetry::Operation;

/// Why a turn did not come to its end this time.
#[derive(Debug, thiserror::Error)]
pub(super) enum TurnError {
    /// Another worker has it; what we did counts for nothing.
    #[error("the turn is held by another worker")]
    LostLease,
    /// The record did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record did not take the outcome.
    #[error(transparent)]
    Commit(CommitError),
    /// The case changed faster than it could be answered.
    #[error("the case kept changing")]
    Restless,
}

impl From<CommitError> for TurnError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Refused(Refusal::LostLease) => Self::LostLease,
            error @ (CommitError::Refused(_) | CommitError::Database(_) | CommitError::Closed) => {
                Self::Commit(error)
            }
        }
    }
}

/// Runs a turn that this process holds. It ends in an outcome, is given back for another try, or is a dead letter.
/// Returns the next turn of the case when one was opened and is held.
pub(super) async fn run(parts: &Arc<Parts>, turn: Turn) -> Option<Turn> {
    let limit = Duration::from_millis(parts.config.worker.turn_timeout_ms);
    // A panic is a failure like any other; what it leaves behind is dropped, and the next try reads the case anew.
    let work = AssertUnwindSafe(attempt(parts, &turn)).catch_unwind();
    let failure = match tokio::time::timeout(limit, work).await {
        Ok(Ok(Ok(next))) => return next,
        Ok(Ok(Err(TurnError::LostLease))) => return None,
        Ok(Ok(Err(error))) => error.to_string(),
        Ok(Err(_)) => "it panicked".to_owned(),
        Err(_) => format!("not finished within {} ms", limit.as_millis()),
    };
    fail(parts, &turn, &failure).await;
    None
}

/// Another try later, or after the last one a dead letter: an alert, and people have the case.
async fn fail(parts: &Parts, turn: &Turn, failure: &str) {
    let worker = &parts.config.worker;
    tracing::error!(turn.id = %turn.id, case.id = %turn.case, attempts = turn.attempts, error = failure, "a turn failed");
    let outcome = if turn.attempts < worker.attempts_max {
        let pause = worker.retry_ms.saturating_mul(1 << (turn.attempts - 1).clamp(0, 16));
        let due_at = parts.clock.now().plus_ms(pause);
        let change = Change::RetryTurn { turn: turn.id.clone(), epoch: turn.epoch, due_at };
        parts
            .store
            .commit(Unit { case: turn.case.clone(), changes: vec![change] })
            .await
            .map_err(TurnError::from)
    } else {
        metrics::counter!("firstline_dead_letters_total").increment(1);
        bury(parts, turn).await
    };
    if let Err(error) = outcome {
        // Nothing is lost: the lease runs out and the turn is found again.
        tracing::error!(turn.id = %turn.id, error = %error, "the failure of a turn could not be recorded");
    }
}

/// Gives a case whose turn always breaks to people, without the assistant.
async fn bury(parts: &Parts, turn: &Turn) -> Result<(), TurnError> {
    for _ in 0..=parts.config.limits.restarts_max {
        let Some(file) = parts.store.case_fresh(&turn.case).await? else { return Ok(()) };
        let carried = Carried::default();
        let ending = match file.case.state {
            CaseState::Assistant => Ending::hand_off(HandOff::because("turn_failed")),
            _ => Ending::silent("with_people"),
        };
        let through = file.case.inbound_seq;
        let end = settle::End { turn, file: &file, through, outcome_if_handed: Outcome::Dead };
        match settle::commit(parts, &end, &carried, &ending).await? {
            Committed::Yes(_) => return Ok(()),
            Committed::Stale => {}
        }
    }
    Err(TurnError::Restless)
}

/// Gives a case to people without the assistant, in the turn that is held for it; settled or not, and whether or not another
/// turn is under way: that one finds that people have the case.
pub(super) async fn to_people(
    parts: &Parts,
    case: &CaseId,
    held: Option<Turn>,
    reason: &'static str,
) -> Result<(), TurnError> {
    let outside = Turn {
        id: TurnId::new(parts.clock.new_id()),
        case: case.clone(),
        epoch: 0,
        holder: String::new(),
        leased_until: Timestamp(0),
        attempts: 0,
        due_at: Timestamp(0),
        opened_at: parts.clock.now(),
    };
    let mut turn = held.unwrap_or_else(|| outside.clone());
    for _ in 0..GIVING_TRIES_MAX {
        let Some(file) = parts.store.case_fresh(case).await? else { return Ok(()) };
        if file.case.state.with_people() {
            return Ok(());
        }
        let mut carried = Carried::default();
        let mut file = CaseFile::clone(&file);
        if !file.case.open() {
            carried.events.push((EventKind::Reopened, json!({"reason": reason})));
        }
        if file.case.step(Move::Undone).is_err() {
            return Ok(());
        }
        let ending = Ending::hand_off(HandOff::because(reason));
        let through = file.case.inbound_seq;
        let end = settle::End { turn: &turn, file: &file, through, outcome_if_handed: Outcome::HandedOff };
        match settle::commit(parts, &end, &carried, &ending).await {
            Ok(Committed::Yes(_)) => return Ok(()),
            Ok(Committed::Stale) => {}
            // The case had an open turn already, so the one that was held never came to be.
            Err(TurnError::LostLease) => turn = outside.clone(),
            Err(error) => return Err(error),
        }
    }
    Err(TurnError::Restless)
}

/// Times a case that is given to people may change while it is.
const GIVING_TRIES_MAX: usize = 16;

/// Brings a turn to its end; what came meanwhile may have opened the next one.
async fn attempt(parts: &Parts, turn: &Turn) -> Result<Option<Turn>, TurnError> {
    failpoints::reach("turn_begun");
    let mut carried = Carried::default();
    let mut file = parts.store.case(&turn.case).await?;
    for restart in 0..=parts.config.limits.restarts_max {
        let Some(open) = file else { return close_empty(parts, turn).await.map(|()| None) };
        let (open, asked) = acquaint::acquaint(parts, open).await;
        carried.events.extend(asked.map(|body| (EventKind::CrmAsked, body)));
        let unread = unread(parts, &open).await?;
        // Of a very long burst only a part is read at once; the rest is the next turn's.
        let through = unread.last().map_or(open.case.inbound_seq, |message| message.seq);
        let proposed = propose(parts, turn, &open, &unread, &mut carried).await;
        carried.model_calls.extend(carried.tally.take());
        let ending = proposed?;
        if ending.stale {
            file = parts.store.case_fresh(&turn.case).await?;
            continue;
        }
        let mut current = open;
        loop {
            let end = settle::End { turn, file: &current, through, outcome_if_handed: Outcome::HandedOff };
            if let Committed::Yes(next) = settle::commit(parts, &end, &carried, &ending).await? {
                return Ok(next);
            }
            let Some(fresh) = parts.store.case_fresh(&turn.case).await? else {
                return close_empty(parts, turn).await.map(|()| None);
            };
            let newer = fresh.case.inbound_seq > current.case.inbound_seq
                && restart < parts.config.limits.restarts_max;
            let taken =
                fresh.case.state != CaseState::Assistant && current.case.state == CaseState::Assistant;
            current = fresh;
            if newer || taken {
                break;
            }
        }
        file = Some(current);
    }
    Err(TurnError::Restless)
}

/// What the turn should come to for the case as it is now.
async fn propose(
    parts: &Parts,
    turn: &Turn,
    file: &Arc<CaseFile>,
    unread: &[Arc<Message>],
    carried: &mut Carried,
) -> Result<Ending, TurnError> {
    if file.case.state != CaseState::Assistant {
        return Ok(Ending::silent("with_people"));
    }
    let unknown = |receipt: &Arc<Receipt>| {
        receipt.turn == turn.id && receipt.effect == Effect::Write && receipt.status == CallStatus::Unknown
    };
    if carried.receipts.is_empty() && file.receipts.iter().any(unknown) {
        // Opened because of it, or interrupted after it: a person finds out whether it happened.
        return Ok(Ending::hand_off(HandOff::because("effect_unknown")));
    }
    if unread.is_empty() {
        return Ok(undelivered(parts, file).await?.unwrap_or_else(|| Ending::silent("nothing_new")));
    }
    if handoff::too_many_replies(parts, file).await? {
        return Ok(Ending::hand_off(HandOff::because("too_many_replies")));
    }
    if unread.iter().any(|message| message.visibility == Visibility::Internal) {
        return instructed(parts, turn, file, unread, carried).await;
    }
    match consent::asked(parts, file, unread) {
        Some(consent::Asked::Stopped) => return Ok(Ending::silent("opted_out")),
        Some(consent::Asked::Unclear) => return Ok(Ending::hand_off(HandOff::because("opt_out_or_answer"))),
        Some(consent::Asked::Told(draft)) => {
            return Ok(Ending { words: Words::Say(draft), mind: None, stale: false });
        }
        None => {}
    }
    if let Some(draft) = moving::answered(parts, &file.case, unread, &file.messages) {
        return Ok(Ending { words: Words::Say(draft), mind: None, stale: false });
    }
    // A turn that begins again asks anew.
    carried.changes.clear();
    if let Some(ending) = proof::answer(parts, file, unread, carried).await? {
        return Ok(ending);
    }
    let mut taken = (file.clone(), unread.to_vec());
    if let Some(doubt) = doubt::due(&file.case, unread) {
        if doubt.stage == DoubtStage::Open {
            return Ok(doubt::ask(parts, file, carried));
        }
        taken = doubt::taken_up(file, unread, doubt);
    }
    let (file, unread) = &taken;
    let readings = parts.reader.read_all(unread, &file.case.language);
    let operation = Operation::invoke_agent(&file.case.id, parts.clock.as_ref());
    let resolved = resolve::resolve(parts, turn, file, readings, carried).instrument(operation.span()).await;
    operation.end(resolved.as_ref().err().map(resolve::ResolveError::kind));
    match resolved {
        Ok(ending) => Ok(proof::offer(parts, file, unread, ending, carried)),
        Err(resolve::ResolveError::Turn(error)) => Err(error),
        Err(resolve::ResolveError::Assistant(error)) => Ok(broken(&error)),
    }
}

/// Does what a person asked for when they gave the case back. Their word is no customer's: it says no yes, opens no doubt
/// and asks for nobody.
async fn instructed(
    parts: &Parts,
    turn: &Turn,
    file: &Arc<CaseFile>,
    words: &[Arc<Message>],
    carried: &mut Carried,
) -> Result<Ending, TurnError> {
    carried.changes.clear();
    let readings = words.iter().map(|word| Reading {
        wants_person: false,
        alarm: None,
        small_talk: None,
        answer: None,
        takes_back: false,
        ..parts.reader.read(word, &file.case.language)
    });
    match resolve::resolve(parts, turn, file, readings.collect(), carried).await {
        Ok(ending) => Ok(ending),
        Err(resolve::ResolveError::Turn(error)) => Err(error),
        Err(resolve::ResolveError::Assistant(error)) => Ok(broken(&error)),
    }
}

/// The handoff of what has not reached the customer since people last had the case, with its words.
async fn undelivered(parts: &Parts, file: &CaseFile) -> Result<Option<Ending>, TurnError> {
    let handed = parts.store.handoff(&file.case.id).await?.map(|handoff| handoff.at);
    let (mut reason, mut unsent) = (None, Vec::new());
    for delivery in parts.store.deliveries(&file.case.id).await? {
        let why = match delivery.state {
            DeliveryState::Failed => "delivery_failed",
            DeliveryState::Unknown => "delivery_unknown",
            DeliveryState::Pending
            | DeliveryState::Sent
            | DeliveryState::Delivered
            | DeliveryState::Read
            | DeliveryState::Dropped => {
                continue;
            }
        };
        let message = parts.store.message(&delivery.message).await?;
        let ours = message.filter(|message| message.author != Author::Customer);
        if let Some(message) = ours.filter(|message| handed.is_none_or(|at| message.at > at)) {
            reason.get_or_insert(why);
            unsent.push(message.text.clone());
        }
    }
    Ok(reason.map(|reason| {
        let (handoff, unsent) = (HandOff::because(reason), Some(unsent.join("\n\n")));
        Ending { words: Words::HandOff { handoff, approval: None, unsent }, mind: None, stale: false }
    }))
}

fn broken(error: &AssistantError) -> Ending {
    tracing::error!(error = %error, "the assistant could not go on");
    Ending::hand_off(HandOff::because("assistant_failed"))
}

/// What no turn has dealt with: the customer's messages, or the word by which a person has given the case back since.
async fn unread(parts: &Parts, file: &CaseFile) -> Result<Vec<Arc<Message>>, TurnError> {
    if let Some(word) = instruction(parts, file).await? {
        return Ok(vec![word]);
    }
    let after = file.case.answered_seq;
    let waiting = |message: &&Arc<Message>| message.author == Author::Customer && message.seq > after;
    let at_hand = file.messages.first().is_none_or(|first| first.seq <= after + 1);
    if at_hand {
        return Ok(file.messages.iter().filter(waiting).cloned().collect());
    }
    let stored =
        parts.store.messages(&file.case.id, after, parts.config.database.recent_messages_max as i64).await?;
    Ok(stored.iter().filter(waiting).cloned().collect())
}

/// The internal word with which the case was given back, while nothing was written after it.
async fn instruction(parts: &Parts, file: &CaseFile) -> Result<Option<Arc<Message>>, TurnError> {
    let read = file.case.answered_seq.max(file.case.inbound_seq);
    let word = file.messages.iter().rfind(|message| {
        message.visibility == Visibility::Internal && message.author == Author::Agent && message.seq > read
    });
    let Some(word) = word else { return Ok(None) };
    let after = (file.case.event_seq - INSTRUCTION_EVENTS_MAX).max(0);
    let events = parts.store.events(&file.case.id, after, INSTRUCTION_EVENTS_MAX).await?;
    let its = |event: &Event| {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap_or_default();
        event.kind == EventKind::Returned.as_str() && body["instruction"] == word.id.as_str()
    };
    Ok(events.iter().any(its).then(|| word.clone()))
}

/// Lines of the log among which the return with an instruction is looked for.
const INSTRUCTION_EVENTS_MAX: i64 = 50;

/// A turn without a case cannot be; it is closed so that it is not tried for ever.
async fn close_empty(parts: &Parts, turn: &Turn) -> Result<(), TurnError> {
    let change = Change::CloseTurn {
        turn: turn.id.clone(),
        epoch: turn.epoch,
        outcome: Outcome::Silent,
        at: parts.clock.now(),
    };
    Ok(parts.store.commit(Unit { case: turn.case.clone(), changes: vec![change] }).await?)
}
