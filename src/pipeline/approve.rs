//! What a person decided about a write that waited for them: refused, or carried out once, by the way of every write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use super::settle::speak;
use super::turn::TurnError;
use super::write::{self, Call};
use crate::desk::act::{self, Actor};
use crate::desk::approvals::{self, Decision, Pending, Standing};
use crate::domain::decision::Draft;
use crate::domain::event::EventKind;
use crate::domain::ids::{ApprovalId, CaseId, TurnId};
use crate::domain::money::Money;
use crate::domain::receipt::{CallStatus, LedgerEntry, Receipt};
use crate::domain::time::Timestamp;
use crate::store::{CaseFile, CommitError, Draftbook, Refusal, StoreError};
use crate::tools::authority::{self, Permit};
use crate::tools::ledger;

/// A decision that keeps losing against other changes of the case is given up after this many looks.
const LOOKS_MAX: usize = 8;
/// Who speaks where nobody does.
const HOUSEKEEPING: &str = "housekeeping";

/// A person's word about one approval.
#[derive(Debug, Clone)]
pub struct Word {
    /// The case.
    pub case: CaseId,
    /// The approval.
    pub approval: ApprovalId,
    /// The hash of what they were shown, when the caller says it: nothing else is carried out.
    pub shown: Option<String>,
    /// What they decided.
    pub decision: Decision,
    /// Who.
    pub actor: Actor,
}

/// Why a decision was not taken. Nothing was done outside.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// There is no such case.
    #[error("there is no such case")]
    NoCase,
    /// There is no such approval, or a newer handoff replaced it.
    #[error("there is no such approval in the newest handoff of this case")]
    NoApproval,
    /// The agent is of another team.
    #[error("only the team that has this case may decide; assign the case to your team first")]
    NotYours,
    /// It no longer waits.
    #[error("{}", no_longer_waits(.0))]
    NotWaiting(Standing),
    /// It is not what was shown.
    #[error("what waits here is not what you were shown; look at the case again")]
    Changed,
    /// The rules that hold for every call forbid it now.
    #[error("it cannot be carried out now: {0}")]
    Denied(String),
    /// The case changed again and again, or the record takes nothing now.
    #[error("the record could not take it just now; look at the case before you try again")]
    Unavailable(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

fn no_longer_waits(standing: &Standing) -> &'static str {
    match standing {
        Standing::Waiting => "it still waits",
        Standing::Expired => {
            "its time is over and it cannot run any more; settle it by hand, or ask the customer again"
        }
        Standing::Over => "the case was settled or given back meanwhile, and with it this approval",
        Standing::Decided { decision: Decision::Approved, .. } => "it was approved before and runs only once",
        Standing::Decided { decision: Decision::Refused, .. } => "it was refused before",
    }
}

impl From<StoreError> for DecideError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Some(Box::new(error)))
    }
}

impl From<TurnError> for DecideError {
    fn from(error: TurnError) -> Self {
        Self::Unavailable(Some(Box::new(error)))
    }
}

/// Takes the decision, carries it out, and tells the customer what came of it.
pub(super) async fn decide(parts: &Parts, word: &Word) -> Result<Pending, DecideError> {
    for _ in 0..LOOKS_MAX {
        let now = parts.clock.now();
        let file = parts.store.case_fresh(&word.case).await?.ok_or(DecideError::NoCase)?;
        let pending = waiting(parts, word, &file, now).await?;
        let mut book = Draftbook::new(file.case.clone(), now);
        log(&mut book, word, &pending);
        if let Actor::Agent(agent) = &word.actor {
            act::take_waiting(&mut book, &pending.handoff, agent, now);
        }
        let taken = match word.decision {
            Decision::Refused => refuse(parts, book, word, &pending, now).await,
            Decision::Approved => carry_out(parts, word, &file, &pending, book).await?,
        };
        match taken {
            Ok(()) => return after(parts, word).await,
            // Another change of the case came first: it is read again and decided anew.
            Err(CommitError::Refused(Refusal::Stale | Refusal::AlreadyClaimed)) => {}
            Err(error) => return Err(TurnError::from(error).into()),
        }
    }
    Err(DecideError::Unavailable(None))
}

/// The approval, if it waits for this very word.
async fn waiting(
    parts: &Parts,
    word: &Word,
    file: &CaseFile,
    now: Timestamp,
) -> Result<Pending, DecideError> {
    let found = approvals::of_case(&parts.store, &file.case, now).await?;
    let pending = found.filter(|one| one.approval.id == word.approval).ok_or(DecideError::NoApproval)?;
    if let Actor::Agent(id) = &word.actor {
        let agent = parts.store.agent(id).await?.ok_or(DecideError::NotYours)?;
        if !approvals::may_decide(&agent, file.case.team.as_ref(), &parts.config) {
            return Err(DecideError::NotYours);
        }
    }
    if pending.standing != Standing::Waiting {
        return Err(DecideError::NotWaiting(pending.standing));
    }
    if word.shown.as_ref().is_some_and(|shown| *shown != pending.approval.hash) {
        return Err(DecideError::Changed);
    }
    Ok(pending)
}

fn log(book: &mut Draftbook, word: &Word, pending: &Pending) {
    let approval = &pending.approval;
    book.event(
        EventKind::ApprovalDecided,
        &json!({
            "approval": approval.id, "decision": word.decision.as_str(), "by": word.actor.shown(),
            "tool": approval.tool, "hash": approval.hash,
        }),
    );
}

async fn refuse(
    parts: &Parts,
    mut book: Draftbook,
    word: &Word,
    pending: &Pending,
    now: Timestamp,
) -> Result<(), CommitError> {
    tell(parts, &mut book, "approval_refused", (&word.actor.shown(), pending), None, now);
    parts.store.commit(book.close(Vec::new())).await
}

/// Claims and sends the write. The outer error is final; the inner one may be looked at again.
async fn carry_out(
    parts: &Parts,
    word: &Word,
    file: &Arc<CaseFile>,
    pending: &Pending,
    book: Draftbook,
) -> Result<Result<(), CommitError>, DecideError> {
    let approval = &pending.approval;
    let arguments: Value = serde_json::from_str(&approval.arguments).unwrap_or_default();
    let now = parts.clock.now();
    let permit = authority::approved(&parts.toolbox, approval, &arguments, &file.case, &file.customer, now);
    let (key, amount_minor) = match permit {
        Permit::Allowed { key: Some(key), amount_minor } => (key, amount_minor),
        Permit::Denied { reason, tell } => {
            deny(parts, word, file, pending, reason).await?;
            return Err(DecideError::Denied(tell));
        }
        Permit::Allowed { key: None, .. } | Permit::NeedsYes | Permit::NeedsApproval { .. } => {
            return Err(DecideError::Denied("its rules ask for more than an approval".to_owned()));
        }
    };
    let made_by = TurnId::of_approval(&approval.id);
    let call = Call { file, tool: &approval.tool, arguments: &arguments, made_by: &made_by, name: None };
    if let Err(error) = write::claim(parts, call, &key, amount_minor, book).await {
        return Ok(Err(error));
    }
    let told = |book: &mut Draftbook, receipt: &Receipt| {
        let phrase = match receipt.status {
            CallStatus::Done => "approval_done",
            CallStatus::Refused | CallStatus::Failed => "approval_failed",
            CallStatus::Unknown => "approval_unknown",
        };
        tell(parts, book, phrase, (&word.actor.shown(), pending), amount_minor, parts.clock.now());
    };
    write::send(parts, call, &key, told).await?;
    Ok(Ok(()))
}

/// A denial is in the log, like every other.
async fn deny(
    parts: &Parts,
    word: &Word,
    file: &CaseFile,
    pending: &Pending,
    reason: &str,
) -> Result<(), DecideError> {
    let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
    let approval = &pending.approval;
    let body =
        json!({"tool": approval.tool, "reason": reason, "approval": approval.id, "by": word.actor.shown()});
    book.event(EventKind::ToolDenied, &body);
    metrics::counter!("firstline_tool_denied_total", "reason" => reason.to_owned()).increment(1);
    match parts.store.commit(book.close(Vec::new())).await {
        // A case that changes at this moment denies nothing less.
        Ok(()) | Err(CommitError::Refused(Refusal::Stale)) => Ok(()),
        Err(error) => Err(TurnError::from(error).into()),
    }
}

/// The outcome in the customer's language, in words that are fixed.
fn tell(
    parts: &Parts,
    book: &mut Draftbook,
    phrase: &str,
    (by, pending): (&str, &Pending),
    amount_minor: Option<i64>,
    now: Timestamp,
) {
    let currency = parts.toolbox.tool(&pending.approval.tool).and_then(|tool| tool.currency.clone());
    let amount = amount_minor.zip(currency).map(|(minor, currency)| Money { minor, currency }.to_string());
    let text = parts.phrases.say(&book.case.language, phrase, json!({ "amount": amount }));
    let message = speak(parts, book, &Draft { text, ..Draft::default() }, None, now);
    // What the service says because a process died is no person's answer.
    let first = if by == HOUSEKEEPING { None } else { act::first_answer(book, now) };
    let body = json!({"by": by, "message": message.id, "approval": pending.approval.id, "first_answer": first,
        "channel": message.channel, "segments": parts.channels.segments(&message)});
    book.event(EventKind::AgentReplied, &body);
}

/// The process that carried an approval out has died: the customer hears that nobody knows yet. Nothing for any other
/// claim.
pub(super) async fn forsaken(
    parts: &Parts,
    book: &mut Draftbook,
    claim: &LedgerEntry,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found = approvals::of_case(&parts.store, &book.case, now).await?;
    if let Some(pending) = found.filter(|one| ledger::approved_key(&one.approval) == claim.key) {
        tell(parts, book, "approval_unknown", (HOUSEKEEPING, &pending), claim.amount_minor, now);
    }
    Ok(())
}

/// How it stands now.
async fn after(parts: &Parts, word: &Word) -> Result<Pending, DecideError> {
    let file = parts.store.case_fresh(&word.case).await?.ok_or(DecideError::NoCase)?;
    let found = approvals::of_case(&parts.store, &file.case, parts.clock.now()).await?;
    found.filter(|one| one.approval.id == word.approval).ok_or(DecideError::NoApproval)
}
