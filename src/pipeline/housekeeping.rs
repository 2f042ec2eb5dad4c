//! What time brings about: snoozes that end, resolved cases that close.

use serde_json::json;

use super::Parts;
use crate::domain::case::Move;
use crate::domain::event::EventKind;
use crate::domain::ids::CaseId;
use crate::store::{CommitError, Draftbook, Refusal, StoreError};

/// Most cases moved in one round.
const ROUND_MAX: usize = 200;

/// Wakes what slept long enough and closes what was settled long enough ago.
pub(super) async fn tidy_up(parts: &Parts) {
    let now = parts.clock.now();
    let settled_before = now.plus_ms(-parts.config.cases.close_ms);
    let work = async {
        for case in parts.store.snoozed_until(now, ROUND_MAX).await? {
            step(parts, &case, Move::Woke, EventKind::Assigned, "snooze_over").await?;
        }
        for case in parts.store.resolved_before(settled_before, ROUND_MAX).await? {
            step(parts, &case, Move::Closed, EventKind::Closed, "reopen_window_over").await?;
        }
        Ok::<(), StoreError>(())
    };
    if let Err(error) = work.await {
        tracing::error!(error = %error, "cases could not be tidied up");
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
    match parts.store.commit(book.close(Vec::new())).await {
        Ok(()) | Err(CommitError::Refused(Refusal::Stale)) => {}
        Err(error) => tracing::error!(error = %error, "a case could not be moved"),
    }
    Ok(())
}
