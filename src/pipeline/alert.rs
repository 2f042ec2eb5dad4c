//! What went wrong outside any turn gives the case to people.

use serde_json::json;

use super::Parts;
use crate::domain::case::{CaseState, Move};
use crate::domain::event::EventKind;
use crate::domain::ids::TurnId;
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::store::{Change, Draftbook};

/// Moves a settled case to people; a case of the assistant gets `turn`, which finds what is wrong and hands it over.
/// People who have the case keep it. The change, if there is one, goes with the book.
pub(super) fn to_people(
    parts: &Parts,
    turn: TurnId,
    book: &mut Draftbook,
    reason: &'static str,
    now: Timestamp,
) -> Option<Change> {
    match book.case.state {
        CaseState::Assistant => Some(Change::OpenTurn(Turn {
            id: turn,
            case: book.case.id.clone(),
            epoch: 0,
            holder: String::new(),
            leased_until: Timestamp(0),
            attempts: 0,
            due_at: now,
            opened_at: now,
        })),
        CaseState::Resolved | CaseState::Closed => {
            if book.case.step(Move::Reopened).is_ok() {
                book.case.team = Some(parts.desk.team_for(None, &book.case.language));
                book.event(EventKind::Reopened, &json!({"reason": reason}));
            }
            None
        }
        CaseState::Queued | CaseState::Agent | CaseState::Snoozed => None,
    }
}
