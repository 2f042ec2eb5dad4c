//! Sends what the outbox holds: once, with retries while the channel says "later", and a person when it refuses.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Parts;
use crate::channels::ChannelError;
use crate::domain::event::EventKind;
use crate::failpoints;
use crate::store::{Change, CommitError, Delivery, DeliveryState, Draftbook, Refusal, Unit};

/// Most deliveries taken up in one look.
const BATCH_MAX: usize = 128;

/// Delivers whatever is due until shutdown.
pub(super) async fn run(parts: Arc<Parts>, poll: Duration) {
    loop {
        due(&parts).await;
        tokio::select! {
            () = parts.shutdown.cancelled() => return,
            () = parts.store.outbox_filled() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Delivers what is due now.
pub(super) async fn due(parts: &Parts) {
    let lease = parts.config.worker.delivery_lease_ms;
    loop {
        let now = parts.clock.now();
        let batch = match parts.store.due_deliveries(&parts.holder, now, lease, BATCH_MAX).await {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(error = %error, "the outbox could not be read");
                return;
            }
        };
        let full = batch.len() == BATCH_MAX;
        let sends = batch.into_iter().map(|delivery| send(parts, delivery));
        futures_util::future::join_all(sends).await;
        if !full {
            return;
        }
    }
}

async fn send(parts: &Parts, delivery: Delivery) {
    let message = match parts.store.message(&delivery.message).await {
        Ok(Some(message)) => message,
        Ok(None) => return,
        Err(error) => {
            tracing::error!(error = %error, "a message could not be read for delivery");
            return;
        }
    };
    let attempts = delivery.attempts + 1;
    failpoints::reach("delivery_taken");
    let outcome = match parts.channels.get(&delivery.channel) {
        Some(channel) => channel.send(&delivery.conversation, &message).await,
        None => Err(ChannelError::Permanent(format!("there is no channel `{}`", delivery.channel))),
    };
    failpoints::reach("delivery_sent");
    let worker = &parts.config.worker;
    let (state, due_at) = match &outcome {
        Ok(()) => (DeliveryState::Sent, parts.clock.now()),
        Err(ChannelError::Later(_)) if attempts < worker.delivery_attempts_max => {
            let pause = worker.delivery_retry_ms.saturating_mul(1 << (attempts - 1).clamp(0, 16));
            (DeliveryState::Pending, parts.clock.now().plus_ms(pause))
        }
        Err(_) => (DeliveryState::Failed, parts.clock.now()),
    };
    if let Err(error) = &outcome {
        tracing::warn!(channel = delivery.channel, attempts, error = %error, "a message did not leave");
    }
    let change = Change::Delivered { delivery: delivery.id.clone(), state, attempts, due_at };
    let recorded = match state {
        DeliveryState::Failed => refused(parts, &delivery, change).await,
        DeliveryState::Sent | DeliveryState::Pending | DeliveryState::Unknown => {
            parts.store.commit(Unit { case: delivery.case.clone(), changes: vec![change] }).await
        }
    };
    if let Err(error) = recorded {
        tracing::error!(error = %error, "a delivery could not be recorded");
    }
    failpoints::reach("delivery_recorded");
}

/// A channel that refuses for good is visible in the case's log.
async fn refused(parts: &Parts, delivery: &Delivery, change: Change) -> Result<(), CommitError> {
    metrics::counter!("firstline_deliveries_failed_total").increment(1);
    loop {
        let Ok(Some(file)) = parts.store.case_fresh(&delivery.case).await else { return Ok(()) };
        let mut book = Draftbook::new(file.case.clone(), parts.clock.now());
        book.event(EventKind::Delivered, &json!({"message": delivery.message, "state": "failed"}));
        match parts.store.commit(book.close(vec![change.clone()])).await {
            Err(CommitError::Refused(Refusal::Stale)) => {}
            other => return other,
        }
    }
}
