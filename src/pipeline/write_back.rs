//! Tells the operator's CRM what became of cases: at least once, the same thing under the same key, later when it does
//! not answer, and never in the way of a turn.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Parts;
use crate::domain::event::EventKind;
use crate::store::{StoreError, Told, WriteBack};
use crate::tools::crm::{Crm, Untold};

/// Most that are told at once.
const BATCH_MAX: usize = 16;

/// Tells whatever is due until shutdown; nothing where there is no CRM.
pub(super) async fn run(parts: Arc<Parts>, poll: Duration) {
    while !parts.config.crm.told().is_empty() {
        due(&parts).await;
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Tells what is due now.
pub(super) async fn due(parts: &Parts) {
    let Some(crm) = parts.toolbox.crm() else { return };
    let lease = parts.config.crm.write_back.lease_ms;
    while !parts.shutdown.is_cancelled() {
        let now = parts.clock.now();
        let batch = match parts.store.due_write_backs(&parts.holder, now, lease, BATCH_MAX).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error = %error, "what the CRM is to be told could not be read");
                return;
            }
        };
        if batch.is_empty() {
            return;
        }
        futures_util::future::join_all(batch.iter().map(|one| tell(parts, crm, one))).await;
    }
}

async fn tell(parts: &Parts, crm: &Crm, one: &WriteBack) {
    let settings = &parts.config.crm.write_back;
    let told = match context(parts, one).await {
        Ok(Some(context)) => crm.tell(&one.id, context).await,
        Ok(None) => Err(Untold::Never("the case is gone".to_owned())),
        Err(error) => Err(Untold::Later(error.to_string())),
    };
    let told = match told {
        Ok(()) => Told::Done,
        Err(Untold::Later(why)) if one.attempts < settings.attempts_max => {
            let pause = settings.retry_ms.saturating_mul(1 << (one.attempts - 1).clamp(0, 30));
            Told::Later(parts.clock.now().plus_ms(pause.min(settings.retry_ms_max)), why)
        }
        Err(Untold::Later(why) | Untold::Never(why)) => Told::Dead(why),
    };
    let outcome = match &told {
        Told::Done => "done",
        Told::Later(..) => "later",
        Told::Dead(why) => {
            metrics::counter!("firstline_write_backs_dead_total").increment(1);
            tracing::error!(case.id = %one.case, kind = one.kind, error = why, "the CRM was not told what became of a case");
            "dead"
        }
    };
    metrics::counter!("firstline_write_backs_total", "outcome" => outcome).increment(1);
    if let Err(error) = parts.store.told(&one.id, &parts.holder, &told).await {
        // It is told once more under the same key.
        tracing::error!(error = %error, "what the CRM was told could not be recorded");
    }
}

/// What the templates see.
async fn context(parts: &Parts, one: &WriteBack) -> Result<Option<Value>, StoreError> {
    let Some(file) = parts.store.case(&one.case).await? else { return Ok(None) };
    let (case, customer) = (&file.case, &file.customer);
    let handed = one.kind == EventKind::HandedOff.as_str();
    let handoff = if handed { parts.store.handoff(&one.case).await? } else { None };
    let handoff = handoff.map(|handoff| {
        let note = &handoff.note;
        json!({
            "reason": handoff.reason, "team": handoff.team, "urgency": handoff.urgency,
            "issue": note.issue.to_string(), "wants": note.wants.to_string(), "next_step": note.next_step.to_string(),
        })
    });
    Ok(Some(json!({
        "event": {"id": one.id, "name": format!("case.{}", one.kind), "at": one.at},
        "case": {
            "id": case.id, "channel": case.channel, "intent": case.intent, "issue": case.issue,
            "language": case.language, "urgency": case.urgency, "state": case.state.as_str(), "team": case.team,
            "resolution": case.resolution, "opened_at": case.opened_at, "resolved_at": case.resolved_at,
        },
        "customer": {
            "id": customer.id, "external_id": customer.external_id, "name": customer.name,
            "email": customer.email, "phone": customer.phone,
        },
        "handoff": handoff,
    })))
}
