//! Sends what the outbox holds: once, with retries while the channel says "later", and a person when it refuses.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{Parts, alert};
use crate::channels::{ChannelAdapter, ChannelError};
use crate::domain::event::EventKind;
use crate::domain::ids::TurnId;
use crate::domain::time::Timestamp;
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
    let channel = parts.channels.get(&delivery.channel);
    let harmless = channel.is_some_and(ChannelAdapter::follows_the_record);
    let in_doubt =
        delivery.state == DeliveryState::Unknown && !harmless && !failpoints::planted("resend_delivery");
    failpoints::reach("delivery_taken");
    let outcome = match channel {
        // Taken before and never recorded since: sent once more, the customer might read it twice.
        Some(_) if in_doubt => Err(ChannelError::Unknown("whoever sent it was stopped".to_owned())),
        Some(channel) => channel.send(&delivery.conversation, &message).await,
        None => Err(ChannelError::Permanent(format!("there is no channel `{}`", delivery.channel))),
    };
    failpoints::reach("delivery_sent");
    if let Err(error) = &outcome {
        tracing::warn!(channel = delivery.channel, attempts, error = %error, "a message did not leave");
    }
    let worker = &parts.config.worker;
    let now = parts.clock.now();
    let recorded = match outcome {
        Ok(()) => record(parts, &delivery, DeliveryState::Sent, attempts, now).await,
        Err(ChannelError::Later(_)) if attempts < worker.delivery_attempts_max => {
            let pause = worker.delivery_retry_ms.saturating_mul(1 << (attempts - 1).clamp(0, 16));
            record(parts, &delivery, DeliveryState::Pending, attempts, now.plus_ms(pause)).await
        }
        Err(ChannelError::Unknown(_)) => {
            undelivered(parts, &delivery, DeliveryState::Unknown, attempts).await
        }
        Err(
            ChannelError::Later(_)
            | ChannelError::Permanent(_)
            | ChannelError::Malformed(_)
            | ChannelError::Session(_),
        ) => undelivered(parts, &delivery, DeliveryState::Failed, attempts).await,
    };
    if let Err(error) = recorded {
        tracing::error!(error = %error, "a delivery could not be recorded");
    }
    failpoints::reach("delivery_recorded");
}

async fn record(
    parts: &Parts,
    delivery: &Delivery,
    state: DeliveryState,
    attempts: i64,
    due_at: Timestamp,
) -> Result<(), CommitError> {
    let change = Change::Delivered { delivery: delivery.id.clone(), state, attempts, due_at };
    parts.store.commit(Unit { case: delivery.case.clone(), changes: vec![change] }).await
}

/// What did not reach the customer, or may not have, is visible in the case's log, and a person sees to it.
async fn undelivered(
    parts: &Parts,
    delivery: &Delivery,
    state: DeliveryState,
    attempts: i64,
) -> Result<(), CommitError> {
    metrics::counter!("firstline_deliveries_failed_total").increment(1);
    let reason = if state == DeliveryState::Unknown { "delivery_unknown" } else { "delivery_failed" };
    loop {
        let Ok(Some(file)) = parts.store.case_fresh(&delivery.case).await else { return Ok(()) };
        let now = parts.clock.now();
        let mut book = Draftbook::new(file.case.clone(), now);
        book.event(EventKind::Delivered, &json!({"message": delivery.message, "state": state.as_str()}));
        let turn = TurnId::new(parts.clock.new_id());
        let mut changes =
            vec![Change::Delivered { delivery: delivery.id.clone(), state, attempts, due_at: now }];
        changes.extend(alert::to_people(parts, turn, &mut book, reason, now));
        match parts.store.commit(book.close(changes)).await {
            Err(CommitError::Refused(Refusal::Stale)) => {}
            other => return other,
        }
    }
}
