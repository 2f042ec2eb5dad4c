//! Announcements: what was just committed about a case, told to whoever listens in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast};

use crate::domain::case::CaseState;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::Message;
use crate::domain::turn::Outcome;

use super::unit::{Change, Unit};

/// Announcements that one listener may be behind before it is let go.
const BEHIND_MAX: usize = 256;

/// Something that happened to a case. All but `Typing` are committed before they are announced.
#[derive(Debug, Clone)]
pub enum Announcement {
    /// A new entry of the thread; internal ones too.
    Message(Arc<Message>),
    /// The case changed.
    State {
        /// Who has it now.
        state: CaseState,
        /// Its version now.
        version: i64,
    },
    /// A turn ended; its messages were announced before.
    TurnClosed {
        /// The turn.
        turn: TurnId,
        /// What it came to.
        outcome: Outcome,
    },
    /// The assistant or a person is writing, or stopped.
    Typing(bool),
}

type Channels = HashMap<CaseId, broadcast::Sender<Announcement>>;

/// A channel per case that somebody listens to, and a bell for the outbox.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    channels: Mutex<Channels>,
    outbox: Notify,
}

impl Announcements {
    pub(super) fn subscribe(self: &Arc<Self>, case: &CaseId) -> Subscription {
        let receiver = self
            .channels()
            .entry(case.clone())
            .or_insert_with(|| broadcast::Sender::new(BEHIND_MAX))
            .subscribe();
        Subscription { receiver: Some(receiver), case: case.clone(), all: Arc::clone(self) }
    }

    pub(super) fn announce(&self, case: &CaseId, announcement: Announcement) {
        if let Some(channel) = self.channels().get(case) {
            // Nobody may be listening any more.
            _ = channel.send(announcement);
        }
    }

    /// Announces a unit that was committed: the words first, then the state, then the end of the turn.
    pub(super) fn committed(&self, unit: &Unit) {
        let leaves =
            |change: &Change| matches!(change, Change::Deliver(new) if new.state == DeliveryState::Pending);
        if unit.changes.iter().any(leaves) {
            self.outbox.notify_one();
        }
        let channels = self.channels();
        let Some(channel) = channels.get(&unit.case) else { return };
        let (mut words, mut states, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for change in &unit.changes {
            match change {
                Change::Message(message) => words.push(Announcement::Message(Arc::clone(message))),
                Change::NewCase(case) | Change::NewCaseOf { case, .. } | Change::Case(case)
                    if case.id == unit.case =>
                {
                    states.push(Announcement::State { state: case.state, version: case.version });
                }
                Change::CloseTurn { turn, outcome, .. } => {
                    ends.push(Announcement::TurnClosed { turn: turn.clone(), outcome: *outcome });
                }
                _ => {}
            }
        }
        for announcement in words.into_iter().chain(states).chain(ends) {
            _ = channel.send(announcement);
        }
    }

    /// Waits until something was committed that is to leave.
    pub(super) async fn outbox_filled(&self) {
        self.outbox.notified().await;
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        // The map is whole after every call, so a panic elsewhere leaves nothing half done.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn listened(&self) -> usize {
        self.channels().len()
    }
}

/// Listens to the announcements about one case, from the moment it was made.
#[derive(Debug)]
pub struct Subscription {
    receiver: Option<broadcast::Receiver<Announcement>>,
    case: CaseId,
    all: Arc<Announcements>,
}

impl Subscription {
    /// Waits for the next announcement. `None` when this listener was too slow and missed some: read the case again
    /// and subscribe anew.
    pub async fn next(&mut self) -> Option<Announcement> {
        match &mut self.receiver {
            Some(receiver) => receiver.recv().await.ok(),
            None => None,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut channels = self.all.channels();
        drop(self.receiver.take());
        if channels.get(&self.case).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&self.case);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_channel_lives_as_long_as_somebody_listens() {
        let all = Arc::new(Announcements::default());
        let case = CaseId::parse("c").unwrap();
        let (mut first, second) = (all.subscribe(&case), all.subscribe(&case));
        all.announce(&case, Announcement::Typing(true));
        assert!(matches!(first.next().await, Some(Announcement::Typing(true))));
        drop(second);
        assert_eq!(all.listened(), 1);
        drop(first);
        assert_eq!(all.listened(), 0);
        all.announce(&case, Announcement::Typing(false));
    }

    #[tokio::test]
    async fn a_listener_that_is_too_slow_is_told_so() {
        let all = Arc::new(Announcements::default());
        let case = CaseId::parse("c").unwrap();
        let mut slow = all.subscribe(&case);
        for _ in 0..=BEHIND_MAX {
            all.announce(&case, Announcement::Typing(true));
        }
        assert!(slow.next().await.is_none());
    }
}
