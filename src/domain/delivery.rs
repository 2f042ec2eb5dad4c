//! A message on its way out, and how far it has come.

use super::ids::{CaseId, DeliveryId, MessageId};
use super::time::Timestamp;

/// How far a delivery has come; it only moves forward, whatever order the news of it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// Waits to leave.
    Pending,
    /// It was sent and no answer came.
    Unknown,
    /// The channel has taken it.
    Sent,
    /// It is on the customer's device.
    Delivered,
    /// The customer has opened it.
    Read,
    /// The channel refused it for good.
    Failed,
    /// It was no longer wanted: the customer has been answered on another channel since.
    Dropped,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Unknown, Self::Sent, Self::Delivered, Self::Read, Self::Failed, Self::Dropped];

    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// Reads the name used in the record.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }

    /// Whether news of `next` says more than this: a failure may follow what was taken, as with a bounce, but
    /// nothing takes back that a message has arrived.
    pub fn precedes(self, next: Self) -> bool {
        match next {
            Self::Dropped => self == Self::Pending,
            Self::Failed => self < Self::Delivered,
            Self::Pending | Self::Unknown | Self::Sent | Self::Delivered | Self::Read => self < next,
        }
    }
}

/// One message, or a part of one, on its way out: a row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Ours; the same at every try.
    pub id: DeliveryId,
    /// The case.
    pub case: CaseId,
    /// What leaves.
    pub message: MessageId,
    /// Which part of it, from 0, where the channel takes it in several.
    pub part: i64,
    /// By which channel.
    pub channel: String,
    /// To which thread of it; always the case's own.
    pub conversation: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// Not to be tried before.
    pub due_at: Timestamp,
    /// What the provider calls it, once it has taken it.
    pub provider_id: Option<String>,
    /// Why it did not arrive, or may not have.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::DeliveryState as S;

    #[test]
    fn news_only_moves_a_delivery_forward() {
        for state in S::ALL {
            assert_eq!(S::parse(state.as_str()), Some(state));
            assert!(!state.precedes(state) && !state.precedes(S::Pending), "{state:?}");
            assert!(!S::Failed.precedes(state) && !S::Dropped.precedes(state), "both are the end");
        }
        assert!(
            S::Unknown.precedes(S::Sent) && S::Unknown.precedes(S::Failed),
            "a status settles the unknown"
        );
        assert!(S::Sent.precedes(S::Read) && S::Sent.precedes(S::Failed));
        assert!(!S::Read.precedes(S::Delivered) && !S::Delivered.precedes(S::Failed));
    }
}
