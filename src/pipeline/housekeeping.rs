//! What time brings about: snoozes that end, resolved cases that close, effects whose result nobody waits for any more.

use std::sync::Arc;

use serde_json::json;

use super::alert;
use super::{Parts, approve, rating};
use crate::desk::search;
use crate::domain::case::{CaseState, Move};
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, ReceiptId, TurnId};
use crate::domain::receipt::{CallStatus, Effect, LedgerEntry, Receipt};
use crate::store::{Change, CommitError, Draftbook, Refusal, StoreError};

/// Most cases moved in one round.
const ROUND_MAX: usize = 200;
/// Who was erased by another process is looked for this far back; far longer than the pause between two rounds.
const ERASED_SEEN_MS: i64 = 600_000;

/// Files that an agent has chosen for a reply and never sent are let go of after this.
const UPLOADS_KEPT_MS: i64 = 86_400_000;

/// Wakes what slept long enough and closes what was settled long enough ago.
pub(super) async fn tidy_up(parts: &Parts) {
    let now = parts.clock.now();
    let settled_before = now.plus_ms(-parts.config.cases.close_ms);
    // A call may take as long as any tool may, whatever is set for claims.
    let longest = i64::try_from(parts.config.limits.tool_timeout_ms_max).unwrap_or(i64::MAX);
    let unsettled_ms = parts.config.worker.unsettled_ms.max(longest);
    let work = async {
        parts.store.forget_erased(now.plus_ms(-ERASED_SEEN_MS)).await?;
        for claim in parts.store.unsettled_claims(now.plus_ms(-unsettled_ms)).await? {
            forsaken(parts, claim).await?;
        }
        for case in parts.store.snoozed_until(now, ROUND_MAX).await? {
            step(parts, &case, Move::Woke, EventKind::Assigned, "snooze_over").await?;
        }
        for case in parts.store.resolved_before(settled_before, ROUND_MAX).await? {
            step(parts, &case, Move::Closed, EventKind::Closed, "reopen_window_over").await?;
        }
        parts.store.forget_codes(None, now).await?;
        rating::ask_where_due(parts).await?;
        parts.store.tidy_desks(now, now.plus_ms(-UPLOADS_KEPT_MS)).await?;
        Ok::<(), StoreError>(())
    };
    if let Err(error) = work.await {
        tracing::error!(error = %error, "cases could not be tidied up");
    }
}

/// Makes what was said since ready for the search, and tells whoever was named in a note.
pub(super) async fn make_ready(parts: &Parts) {
    if let Err(error) = search::make_ready(&parts.store).await {
        tracing::error!(error = %error, "new messages could not be made ready for the search");
    }
}

async fn step(
    parts: &Parts,
    id: &CaseId,
    step: Move,
    kind: EventKind,
    reason: &str,
) -> Result<(), StoreError> {
    let Some(file) = parts.store.case_fresh(id).await? else { return Ok(()) };
    let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
    if book.case.step(step).is_err() {
        return Ok(());
    }
    book.case.snoozed_until = None;
    book.event(kind, &json!({ "reason": reason }));
    record(parts, book, Vec::new()).await;
    Ok(())
}

/// A claimed effect whose turn ended without its result is unknown for good: that is recorded, and unless people have
/// the case a turn is opened that gives it to them.
async fn forsaken(parts: &Parts, claim: LedgerEntry) -> Result<(), StoreError> {
    let Some(file) = parts.store.case_fresh(&claim.case).await? else { return Ok(()) };
    let now = parts.clock.now();
    let mut book = Draftbook::new(file.case.clone(), now);
    let turn = TurnId::new(parts.clock.new_id());
    let receipt = Receipt {
        id: ReceiptId::new(parts.clock.new_id()),
        case: claim.case.clone(),
        turn: turn.clone(),
        tool: claim.tool.clone(),
        effect: Effect::Write,
        arguments: serde_json::from_str(&claim.arguments).unwrap_or_default(),
        status: CallStatus::Unknown,
        result: json!({"error": {"code": "unknown", "message": "claimed; no result was recorded"}}),
        at: now,
        duration_ms: 0,
    };
    let body = json!({"receipt": receipt.id, "tool": receipt.tool, "status": receipt.status});
    book.event(EventKind::ToolCalled, &body);
    let mut changes = vec![Change::Receipt(Arc::new(receipt))];
    if matches!(book.case.state, CaseState::Queued | CaseState::Agent | CaseState::Snoozed) {
        approve::forsaken(parts, &mut book, &claim, now).await?;
    }
    changes.extend(alert::to_people(turn, &mut book, "effect_unknown", now));
    changes.push(Change::Settle { key: claim.key, status: CallStatus::Unknown });
    record(parts, book, changes).await;
    Ok(())
}

/// Commits; a case that changed meanwhile is looked at again in the next round.
async fn record(parts: &Parts, book: Draftbook, changes: Vec<Change>) {
    match parts.store.commit(book.close(changes)).await {
        Ok(()) | Err(CommitError::Refused(Refusal::Stale)) => {}
        Err(error) => tracing::error!(error = %error, "a case could not be moved"),
    }
}
