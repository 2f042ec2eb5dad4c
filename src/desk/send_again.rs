//! Sending again what did not reach the customer, because a person says so.

use serde_json::json;

use super::act::{ActError, At, Failed, change};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::event::EventKind;
use crate::domain::ids::DeliveryId;
use crate::store::{Change, InboxEntry};

/// Where it is kept what was sent again, so that a second click sends nothing twice.
const INBOX: &str = "desk_send_again";

/// Sends a delivery again that failed, or of which nobody knows; it is a new one, and the old one stays as it is. Whoever
/// asks has seen that the customer may read it twice.
pub async fn send_again(at: At<'_>, id: &DeliveryId) -> Result<Delivery, ActError> {
    let all = at.store.deliveries(at.case).await?;
    let old = all.into_iter().find(|delivery| delivery.id == *id).ok_or(ActError::NoDelivery)?;
    if !matches!(old.state, DeliveryState::Failed | DeliveryState::Unknown) {
        return Err(ActError::NotFailed(old.state));
    }
    let made = change(at, |book, now| {
        let again = Delivery {
            id: DeliveryId::new(at.clock.new_id()),
            state: DeliveryState::Pending,
            attempts: 0,
            due_at: now,
            provider_id: None,
            reason: None,
            ..old.clone()
        };
        let body = json!({"message": old.message, "state": "again", "by": at.actor.shown()});
        book.event(EventKind::Delivered, &body);
        book.push(Change::Deliver(again.clone()));
        book.push(Change::Inbox(InboxEntry {
            channel: INBOX.to_owned(),
            external_id: old.id.to_string(),
            digest: String::new(),
            message: old.message.clone(),
            case: book.case.id.clone(),
            customer: book.case.customer.clone(),
            at: now,
        }));
        Ok(again)
    });
    match made.await {
        Ok(again) => Ok(again),
        Err(Failed::Duplicate) => Err(ActError::NotFailed(DeliveryState::Pending)),
        Err(Failed::Act(error)) => Err(error),
    }
}
