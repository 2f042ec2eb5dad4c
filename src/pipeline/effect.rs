//! A proposed call: permitted or not, and if it writes, claimed before it is sent and settled after.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use super::resolve::Carried;
use super::turn::TurnError;
use crate::assistant::Seen;
use crate::domain::case::CaseState;
use crate::domain::event::EventKind;
use crate::domain::handoff::Approval;
use crate::domain::ids::{ProcedureId, ReceiptId};
use crate::domain::procedure::Procedure;
use crate::domain::receipt::{CallStatus, Effect, LedgerEntry, Receipt};
use crate::domain::turn::Turn;
use crate::failpoints;
use crate::language::signals;
use crate::store::{CaseFile, Change, CommitError, Draftbook, Refusal};
use crate::tools::authority::{self, Permit, Spent};
use crate::tools::{self, CallResult, Caller, ledger};

/// One proposed call.
pub(super) struct Asking<'a> {
    pub(super) turn: &'a Turn,
    pub(super) file: &'a Arc<CaseFile>,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Value,
    pub(super) intent: Option<ProcedureId>,
}

/// What came of it.
pub(super) enum Called {
    /// The assistant may see this.
    Seen(Seen),
    /// A person must approve it.
    Approval(Approval),
    /// The case changed before the write was claimed: nothing was done.
    Stale,
}

/// A day in milliseconds: the window of the limits "per day".
const DAY_MS: i64 = 86_400_000;

/// Puts a call through the rules and, if they permit it, through.
pub(super) async fn call(
    parts: &Parts,
    asking: Asking<'_>,
    carried: &mut Carried,
) -> Result<Called, TurnError> {
    let Asking { file, tool, arguments, .. } = &asking;
    let spec = parts.toolbox.tool(tool);
    let now = parts.clock.now();
    let spent = match spec {
        Some(spec) if spec.effect == Effect::Write => {
            let sums = parts.store.ledger_today(&file.customer.id, tool, now.plus_ms(-DAY_MS)).await?;
            Spent { calls: sums.calls, amount_minor: sums.amount_minor }
        }
        Some(_) | None => Spent::default(),
    };
    let procedures = parts.knowledge.procedures();
    let procedure: Option<&Procedure> =
        asking.intent.as_ref().and_then(|id| procedures.iter().find(|procedure| procedure.id == *id));
    let permit = authority::permit(
        &parts.toolbox,
        tool,
        arguments,
        &authority::Asking {
            case: &file.case,
            customer: &file.customer,
            procedure,
            spent,
            messages: &file.messages,
            says_yes: |text| signals::affirmation(text) == Some(signals::Answer::Yes),
            now,
        },
    );
    match permit {
        Permit::Denied { reason, tell } => {
            carried.events.push((EventKind::ToolDenied, json!({"tool": tool, "reason": reason})));
            metrics::counter!("firstline_tool_denied_total", "reason" => reason).increment(1);
            Ok(Called::Seen(Seen::Denied { reason, tell }))
        }
        Permit::NeedsYes => Ok(Called::Seen(Seen::NeedsYes)),
        Permit::NeedsApproval { because } => {
            carried.events.push((
                EventKind::ToolDenied,
                json!({"tool": tool, "reason": "over_limit", "limit": because}),
            ));
            let ttl_ms = parts.config.limits.approval_ttl_ms;
            Ok(Called::Approval(ledger::approval(tool, arguments, &because, now, ttl_ms)))
        }
        Permit::Allowed { key: None, .. } => Ok(Called::Seen(read(parts, &asking, carried).await)),
        Permit::Allowed { key: Some(key), amount_minor } => {
            write(parts, &asking, carried, key, amount_minor).await
        }
    }
}

/// A read: what this turn has already looked up is not looked up again.
async fn read(parts: &Parts, asking: &Asking<'_>, carried: &mut Carried) -> Seen {
    let known = |r: &&Arc<Receipt>| {
        r.tool == asking.tool && r.arguments == *asking.arguments && r.status == CallStatus::Done
    };
    if let Some(receipt) = carried.receipts.iter().find(known) {
        return Seen::Called { status: receipt.status, result: Arc::new(receipt.result.clone()) };
    }
    let result = dispatch(parts, asking, None).await;
    let receipt = receipt(parts, asking, Effect::Read, result);
    carried.events.push((EventKind::ToolCalled, logged(&receipt)));
    let seen = Seen::Called { status: receipt.status, result: Arc::new(receipt.result.clone()) };
    carried.receipts.push(receipt);
    seen
}

async fn dispatch(parts: &Parts, asking: &Asking<'_>, key: Option<&str>) -> CallResult {
    let caller =
        Caller { case: &asking.file.case, customer: &asking.file.customer, clock: parts.clock.as_ref() };
    match tools::dispatch(&parts.toolbox, asking.tool, asking.arguments, caller, key).await {
        Ok(result) => result,
        Err(error) => {
            // Permitted a moment ago and refused now: nothing was sent.
            let result = json!({"error": {"code": "not_sent", "message": error.to_string()}});
            CallResult { status: CallStatus::Failed, result, duration_ms: 0 }
        }
    }
}

fn receipt(parts: &Parts, asking: &Asking<'_>, effect: Effect, result: CallResult) -> Arc<Receipt> {
    Arc::new(Receipt {
        id: ReceiptId::new(parts.clock.new_id()),
        case: asking.file.case.id.clone(),
        turn: asking.turn.id.clone(),
        tool: asking.tool.to_owned(),
        effect,
        arguments: asking.arguments.clone(),
        status: result.status,
        result: result.result,
        at: parts.clock.now(),
        duration_ms: result.duration_ms,
    })
}

fn logged(receipt: &Receipt) -> Value {
    json!({"receipt": receipt.id, "tool": receipt.tool, "status": receipt.status, "duration_ms": receipt.duration_ms})
}

/// A write: claimed under its key while the case is still as it was read, sent once, settled.
async fn write(
    parts: &Parts,
    asking: &Asking<'_>,
    carried: &mut Carried,
    key: String,
    amount_minor: Option<i64>,
) -> Result<Called, TurnError> {
    if let Some(earlier) = parts.store.ledger(&key).await? {
        let again = failpoints::planted("resend_on_unknown") && earlier.status.is_none();
        if !again {
            return Ok(Called::Seen(known_effect(parts, asking, &earlier).await?));
        }
    } else {
        match claim(parts, asking, &key, amount_minor).await {
            Ok(()) => {}
            Err(CommitError::Refused(Refusal::Stale)) => return Ok(Called::Stale),
            Err(CommitError::Refused(Refusal::AlreadyClaimed)) => {
                let unknown =
                    json!({"error": {"code": "unknown", "message": "claimed before, without a result"}});
                return Ok(Called::Seen(Seen::Called {
                    status: CallStatus::Unknown,
                    result: Arc::new(unknown),
                }));
            }
            Err(error) => return Err(error.into()),
        }
    }
    failpoints::reach("write_claimed");
    let result = dispatch(parts, asking, Some(&key)).await;
    failpoints::reach("write_dispatched");
    let receipt = receipt(parts, asking, Effect::Write, result);
    settle(parts, asking, &key, &receipt).await?;
    failpoints::reach("write_settled");
    let seen = Seen::Called { status: receipt.status, result: Arc::new(receipt.result.clone()) };
    carried.receipts.push(receipt);
    Ok(Called::Seen(seen))
}

/// The effect was claimed before, by this turn before a crash or by an earlier yes: its result stands.
async fn known_effect(parts: &Parts, asking: &Asking<'_>, earlier: &LedgerEntry) -> Result<Seen, TurnError> {
    if earlier.status.is_some() {
        let receipts = parts.store.receipts(&asking.file.case.id).await?;
        let canonical = ledger::canonical_json(asking.arguments);
        let same = |r: &&Arc<Receipt>| {
            r.effect == Effect::Write
                && r.tool == asking.tool
                && ledger::canonical_json(&r.arguments) == canonical
        };
        if let Some(receipt) = receipts.iter().rev().find(same) {
            return Ok(Seen::Called { status: receipt.status, result: Arc::new(receipt.result.clone()) });
        }
    }
    let result = json!({"error": {"code": "unknown", "message": "sent before; no answer was recorded"}});
    let unknown = CallResult { status: CallStatus::Unknown, result, duration_ms: 0 };
    let receipt = receipt(parts, asking, Effect::Write, unknown);
    if earlier.status.is_none() {
        settle(parts, asking, &earlier.key, &receipt).await?;
    }
    Ok(Seen::Called { status: receipt.status, result: Arc::new(receipt.result.clone()) })
}

/// Looks again before it acts: the claim is refused when the case has changed or the turn was lost.
async fn claim(
    parts: &Parts,
    asking: &Asking<'_>,
    key: &str,
    amount_minor: Option<i64>,
) -> Result<(), CommitError> {
    let now = parts.clock.now();
    let mut book = Draftbook::new(asking.file.case.clone(), now);
    if book.case.state != CaseState::Assistant {
        return Err(Refusal::Stale.into());
    }
    book.event(EventKind::ToolCalled, &json!({"tool": asking.tool, "status": "claimed", "key": key}));
    book.push(Change::HoldTurn { turn: asking.turn.id.clone(), epoch: asking.turn.epoch });
    book.push(Change::Claim(LedgerEntry {
        key: key.to_owned(),
        case: asking.file.case.id.clone(),
        customer: asking.file.customer.id.clone(),
        tool: asking.tool.to_owned(),
        arguments: ledger::canonical_json(asking.arguments),
        amount_minor,
        status: None,
        claimed_at: now,
    }));
    parts.store.commit(book.close(Vec::new())).await
}

/// Records what came of a write, whoever has the case by now: a receipt is never dropped.
async fn settle(
    parts: &Parts,
    asking: &Asking<'_>,
    key: &str,
    receipt: &Arc<Receipt>,
) -> Result<(), TurnError> {
    loop {
        let Some(file) = parts.store.case_fresh(&asking.file.case.id).await? else { return Ok(()) };
        let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
        book.event(EventKind::ToolCalled, &logged(receipt));
        book.push(Change::Receipt(receipt.clone()));
        book.push(Change::Settle { key: key.to_owned(), status: receipt.status });
        match parts.store.commit(book.close(Vec::new())).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Refused(Refusal::Stale)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
