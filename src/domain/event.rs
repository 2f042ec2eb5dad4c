//! The append-only log of a case: what happened, chained so that an edited row shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::CaseId;
use super::time::Timestamp;

/// What kind of thing happened. Every effect and every denial is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The case began.
    Opened,
    /// A message of the customer was stored.
    Received,
    /// A message was read.
    Triaged,
    /// Knowledge was searched.
    Searched,
    /// A tool was called; the receipt holds what came back.
    ToolCalled,
    /// A tool call was refused by a rule.
    ToolDenied,
    /// The customer was asked for a yes to a write.
    ConfirmAsked,
    /// The guard ruled on a draft.
    Guarded,
    /// The assistant answered.
    Replied,
    /// The case was resolved.
    Resolved,
    /// The case went to people.
    HandedOff,
    /// A turn ended without a word, for the reason given.
    Silent,
    /// A turn failed and will be tried again, or was given up.
    TurnFailed,
    /// A message left, or could not.
    Delivered,
    /// A language model was asked, or could not be.
    ModelCalled,
    /// A person approved or refused a write that waited for them.
    ApprovalDecided,
    /// A person took the case or gave it up.
    Assigned,
    /// A person wrote to the customer.
    AgentReplied,
    /// A person left an internal note.
    Noted,
    /// A person asked the assistant what it would say.
    Suggested,
    /// A person had a record read afresh.
    LookedUp,
    /// A person put the case aside.
    Snoozed,
    /// A person gave the case back to the assistant.
    Returned,
    /// The case was opened again.
    Reopened,
    /// Its customer was found to be another one too, or not to be.
    Merged,
    /// … and that was undone.
    Unmerged,
    /// An address was made this customer's by somebody's word.
    Linked,
    /// … or taken away from them.
    Unlinked,
    /// The customer proved who they are, or failed to.
    Proven,
    /// The customer was offered another channel and has said yes or no.
    Moved,
    /// The customer was asked what they think of how it was settled.
    RatingAsked,
    /// … and has said it.
    Rated,
    /// The case is over.
    Closed,
    /// The operator's CRM was asked who writes.
    CrmAsked,
    /// The case was offered to a person, for the reasons given.
    Offered,
    /// That offer ended: accepted, declined, expired or withdrawn.
    OfferEnded,
    /// Every word of the customer was erased, and the lines before this one were written anew without theirs.
    Erased,
}

impl EventKind {
    /// The name used in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Received => "received",
            Self::Triaged => "triaged",
            Self::Searched => "searched",
            Self::ToolCalled => "tool_called",
            Self::ToolDenied => "tool_denied",
            Self::ConfirmAsked => "confirm_asked",
            Self::Guarded => "guarded",
            Self::Replied => "replied",
            Self::Resolved => "resolved",
            Self::HandedOff => "handed_off",
            Self::Silent => "silent",
            Self::TurnFailed => "turn_failed",
            Self::Delivered => "delivered",
            Self::ModelCalled => "model_called",
            Self::ApprovalDecided => "approval_decided",
            Self::Assigned => "assigned",
            Self::AgentReplied => "agent_replied",
            Self::Noted => "noted",
            Self::Suggested => "suggested",
            Self::LookedUp => "looked_up",
            Self::Snoozed => "snoozed",
            Self::Returned => "returned",
            Self::Reopened => "reopened",
            Self::Merged => "merged",
            Self::Unmerged => "unmerged",
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Proven => "proven",
            Self::Moved => "moved",
            Self::RatingAsked => "rating_asked",
            Self::Rated => "rated",
            Self::Closed => "closed",
            Self::CrmAsked => "crm_asked",
            Self::Offered => "offered",
            Self::OfferEnded => "offer_ended",
            Self::Erased => "erased",
        }
    }
}

/// One line of a case's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The case.
    pub case: CaseId,
    /// Place in the log, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What kind of thing; a name of [`EventKind`].
    pub kind: String,
    /// The particulars: a JSON object as text.
    pub body: String,
    /// SHA-256 over the hash before it and all of the above, in hexadecimal.
    pub hash: String,
}

impl Event {
    /// Appends to the chain whose head is `previous` (empty for the first).
    pub fn chained(
        previous: &str,
        case: &CaseId,
        seq: i64,
        at: Timestamp,
        kind: EventKind,
        body: String,
    ) -> Self {
        let hash = link(previous, case, seq, at, kind.as_str(), &body);
        Self { case: case.clone(), seq, at, kind: kind.as_str().to_owned(), body, hash }
    }

    /// The same line with another body, chained anew after `previous`: for an erasure alone.
    #[must_use]
    pub fn without_words(&self, previous: &str, body: String) -> Self {
        let hash = link(previous, &self.case, self.seq, self.at, &self.kind, &body);
        Self { body, hash, ..self.clone() }
    }
}

fn link(previous: &str, case: &CaseId, seq: i64, at: Timestamp, kind: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [previous, case.as_str(), &seq.to_string(), &at.0.to_string(), kind, body] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Checks a whole log from its first event: the place of the first row that was changed, removed or added by hand.
pub fn first_broken(events: &[Event]) -> Option<i64> {
    let mut previous = "";
    for (at, event) in events.iter().enumerate() {
        let place = at as i64 + 1;
        let expected = link(previous, &event.case, event.seq, event.at, &event.kind, &event.body);
        if event.seq != place || event.hash != expected {
            return Some(place);
        }
        previous = &event.hash;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Event> {
        let case = CaseId::parse("c1").unwrap();
        let mut events: Vec<Event> = Vec::new();
        for seq in 1..=3 {
            let head = events.last().map_or(String::new(), |e: &Event| e.hash.clone());
            events.push(Event::chained(
                &head,
                &case,
                seq,
                Timestamp(seq),
                EventKind::Received,
                format!("{{\"n\":{seq}}}"),
            ));
        }
        events
    }

    #[test]
    fn an_untouched_log_is_whole() {
        assert_eq!(first_broken(&log()), None);
    }

    #[test]
    fn a_row_edited_removed_or_reordered_by_hand_shows() {
        let mut edited = log();
        edited[1].body = "{}".to_owned();
        assert_eq!(first_broken(&edited), Some(2));
        let mut removed = log();
        removed.remove(0);
        assert_eq!(first_broken(&removed), Some(1));
        let mut swapped = log();
        swapped.swap(1, 2);
        assert_eq!(first_broken(&swapped), Some(2));
    }
}
