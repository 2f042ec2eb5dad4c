//! Gathers what one decision changes about a case, so that it is committed whole.

use std::sync::Arc;

use serde_json::{Value, json};

use super::unit::{Change, Unit};
use crate::domain::case::{Case, CaseState};
use crate::domain::event::{Event, EventKind};
use crate::domain::ids::CustomerId;
use crate::domain::message::Message;
use crate::domain::routing::OfferEnd;
use crate::domain::time::Timestamp;

/// A case under change, with the messages and events that go with it.
pub struct Draftbook {
    /// The case as it will be.
    pub case: Case,
    now: Timestamp,
    changes: Vec<Change>,
}

impl Draftbook {
    /// Begins to change a case.
    pub fn new(case: Case, now: Timestamp) -> Self {
        Self { case, now, changes: Vec::new() }
    }

    /// Appends to the case's log.
    pub fn event(&mut self, kind: EventKind, body: &Value) {
        let seq = self.case.event_seq + 1;
        let event =
            Event::chained(&self.case.event_hash, &self.case.id, seq, self.now, kind, body.to_string());
        self.case.event_seq = seq;
        self.case.event_hash.clone_from(&event.hash);
        self.changes.push(Change::Event(event));
    }

    /// Adds an entry to the thread; its place is the next one.
    pub fn message(&mut self, mut message: Message) -> Arc<Message> {
        self.case.message_seq += 1;
        message.seq = self.case.message_seq;
        let message = Arc::new(message);
        self.changes.push(Change::Message(message.clone()));
        message
    }

    /// Adds another change.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The unit that replaces an existing case.
    pub fn close(self, others: Vec<Change>) -> Unit {
        self.finish(others, Change::Case)
    }

    /// The unit that brings a new case.
    pub fn open(self, others: Vec<Change>) -> Unit {
        self.finish(others, Change::NewCase)
    }

    /// The unit that brings a new case of `owner`, who may be known as another customer.
    pub fn open_of(self, owner: CustomerId, others: Vec<Change>) -> Unit {
        if owner == self.case.customer {
            return self.open(others);
        }
        self.finish(others, |case| Change::NewCaseOf { case, owner })
    }

    /// Ends the open offer, in the case and in its log; nothing where there is none.
    pub fn end_offer(&mut self, how: OfferEnd) {
        if let Some(offer) = self.case.wait.end_offer(how, self.now) {
            self.event(EventKind::OfferEnded, &json!({"agent": offer.agent, "how": how}));
        }
    }

    /// A case that no longer waits is offered to nobody, whichever way it left the queue.
    fn settle_offer(&mut self) {
        let Some(offer) = self.case.wait.offer.as_ref().filter(|_| self.case.state != CaseState::Queued)
        else {
            return;
        };
        let theirs = self.case.state == CaseState::Agent && self.case.agent.as_ref() == Some(&offer.agent);
        self.end_offer(if theirs { OfferEnd::Accepted } else { OfferEnd::Withdrawn });
    }

    fn finish(mut self, others: Vec<Change>, wrap: impl FnOnce(Case) -> Change) -> Unit {
        self.settle_offer();
        self.case.version += 1;
        self.case.updated_at = self.now;
        let id = self.case.id.clone();
        let mut changes = others;
        changes.push(wrap(self.case));
        changes.append(&mut self.changes);
        Unit { case: id, changes }
    }
}
