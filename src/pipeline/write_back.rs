//! Tells others what became of cases (the operator's CRM, subscribers, other desks): at least once, the same thing under the same
//! id, in the order of each case, later when they do not answer, and never in the way of a turn or of each other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Parts, elsewhere};
use crate::desk::sinks::{Notice, Sinks, Untaken};
use crate::domain::topic::Topic;
use crate::store::{CRM, StoreError, Told, WriteBack};
use crate::tools::crm::{Crm, Untold};

/// Most that the CRM is told at once.
const BATCH_MAX: usize = 16;
/// Most that is forgotten at once of what was told long ago.
const FORGOTTEN_MAX: usize = 500;
/// How often that is looked for.
const FORGET_EVERY: Duration = Duration::from_mins(1);

/// Tells whatever is due until shutdown; nothing where nobody listens.
pub(super) async fn run(parts: Arc<Parts>, poll: Duration) {
    let targets = targets(&parts);
    if targets.is_empty() {
        return;
    }
    let each = targets.iter().map(|target| {
        // Each has a loop of its own: one that does not answer holds up nobody else.
        let parts = &parts;
        async move {
            while !parts.shutdown.is_cancelled() {
                due_of(parts, target).await;
                pause(parts, poll).await;
            }
        }
    });
    let tidy = async {
        while !parts.shutdown.is_cancelled() {
            let before = parts.clock.now().plus_ms(-parts.config.webhook_delivery.keep_ms);
            if let Err(error) = parts.store.forget_told(before, FORGOTTEN_MAX).await {
                tracing::warn!(error = %error, "what was told long ago could not be forgotten");
            }
            pause(&parts, FORGET_EVERY).await;
        }
    };
    tokio::join!(join_all(each), tidy);
}

async fn pause(parts: &Parts, pause: Duration) {
    tokio::select! {
        () = parts.shutdown.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Tells everybody what is due now.
pub(super) async fn due(parts: &Parts) {
    join_all(targets(parts).iter().map(|target| due_of(parts, target))).await;
}

/// Everybody who is told something.
fn targets(parts: &Parts) -> Vec<String> {
    let mut targets = parts.sinks.targets();
    if !parts.config.crm.told().is_empty() {
        targets.push(CRM.to_owned());
    }
    targets
}

/// Tells one listener what is due now.
async fn due_of(parts: &Parts, target: &str) {
    let delivery = &parts.config.webhook_delivery;
    let (lease, most) = match target {
        CRM => (parts.config.crm.write_back.lease_ms, BATCH_MAX),
        _ => (delivery.lease_ms, delivery.at_once_max),
    };
    while !parts.shutdown.is_cancelled() {
        let now = parts.clock.now();
        let whose = (target, parts.holder.as_str());
        let batch = match parts.store.due_write_backs(whose, now, lease, most).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error = %error, target, "what others are to be told could not be read");
                return;
            }
        };
        if batch.is_empty() {
            return;
        }
        join_all(batch.iter().map(|one| tell(parts, one))).await;
    }
}

async fn tell(parts: &Parts, one: &WriteBack) {
    let told = match (one.target.as_str(), parts.toolbox.crm()) {
        (CRM, Some(crm)) => tell_crm(parts, crm, one).await,
        (CRM, None) => Told::Dead("there is no CRM any more".to_owned()),
        (target, _) => match Sinks::desk_of(target) {
            Some(desk) => elsewhere::tell(parts, desk, one).await,
            None => tell_subscriber(parts, one).await,
        },
    };
    let outcome = match &told {
        Told::Done => "done",
        Told::Later(..) => "later",
        Told::Dead(why) => {
            metrics::counter!("firstline_write_backs_dead_total").increment(1);
            tracing::error!(case.id = %one.case, kind = one.kind, target = one.target, error = why, "somebody was not told what became of a case");
            "dead"
        }
    };
    metrics::counter!("firstline_write_backs_total", "outcome" => outcome).increment(1);
    if let Err(error) = parts.store.told(&one.id, &parts.holder, &told).await {
        // It is told once more under the same id.
        tracing::error!(error = %error, "what somebody was told could not be recorded");
    }
}

async fn tell_crm(parts: &Parts, crm: &Crm, one: &WriteBack) -> Told {
    let settings = &parts.config.crm.write_back;
    let told = match context(parts, one).await {
        Ok(Some(context)) => crm.tell(&one.id, context).await,
        Ok(None) => Err(Untold::Never("the case is gone".to_owned())),
        Err(error) => Err(Untold::Later(error.to_string())),
    };
    match told {
        Ok(()) => Told::Done,
        Err(Untold::Later(why)) if one.attempts < settings.attempts_max => {
            let pause = settings.retry_ms.saturating_mul(1 << (one.attempts - 1).clamp(0, 30));
            Told::Later(parts.clock.now().plus_ms(pause.min(settings.retry_ms_max)), why)
        }
        Err(Untold::Later(why) | Untold::Never(why)) => Told::Dead(why),
    }
}

async fn tell_subscriber(parts: &Parts, one: &WriteBack) -> Told {
    let told = match data(parts, one).await {
        Ok(data) => {
            let now = parts.clock.now();
            let notice = Notice { id: &one.id, kind: &one.kind, at: one.at, data: &data, now };
            parts.sinks.tell(&one.target, notice).await
        }
        Err(error) => Err(Untaken::Later { why: error.to_string(), after_ms: None }),
    };
    match told {
        Ok(()) => Told::Done,
        Err(Untaken::Later { why, after_ms }) => match parts.config.webhook_delivery.pause_ms(one.attempts) {
            Some(pause) => {
                let pause = pause.max(after_ms.unwrap_or_default());
                Told::Later(parts.clock.now().plus_ms(pause), why)
            }
            None => Told::Dead(why),
        },
        Err(Untaken::Never(why)) => Told::Dead(why),
    }
}

/// What a subscriber is told: what was stored with the thing, the operator's own id of the customer and, where the
/// subscriber is to have it, what was said.
async fn data(parts: &Parts, one: &WriteBack) -> Result<Value, StoreError> {
    let stored = one.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let mut data = stored.unwrap_or_else(|| json!({"case_id": one.case}));
    if let Some(file) = parts.store.case(&one.case).await? {
        data["customer_external_id"] = json!(file.customer.external_id);
    }
    if parts.sinks.includes_text(&one.target) != Some(true) {
        return Ok(data);
    }
    if let Some(id) = &one.message
        && let Some(message) = parts.store.message(id).await?
    {
        data["message"]["text"] = json!(message.text);
    }
    if one.kind == Topic::HandedOff.as_str()
        && let Some(handoff) = parts.store.handoff(&one.case).await?
    {
        data["note"] = json!(handoff.note);
    }
    Ok(data)
}

/// What the templates of the CRM see.
async fn context(parts: &Parts, one: &WriteBack) -> Result<Option<Value>, StoreError> {
    let Some(file) = parts.store.case(&one.case).await? else { return Ok(None) };
    let (case, customer) = (&file.case, &file.customer);
    // What an earlier release has stored is named as the log names it.
    let name = if one.kind.contains('.') { one.kind.clone() } else { format!("case.{}", one.kind) };
    let handed = name == Topic::HandedOff.as_str();
    let handoff = if handed { parts.store.handoff(&one.case).await? } else { None };
    let handoff = handoff.map(|handoff| {
        let note = &handoff.note;
        json!({
            "reason": handoff.reason, "team": handoff.team, "urgency": handoff.urgency,
            "issue": note.issue.to_string(), "wants": note.wants.to_string(), "next_step": note.next_step.to_string(),
        })
    });
    Ok(Some(json!({
        "event": {"id": one.id, "name": name, "at": one.at},
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
