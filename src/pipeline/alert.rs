//! What went wrong outside any turn gives the case to people.

use serde_json::json;

use crate::domain::case::Move;
use crate::domain::event::EventKind;
use crate::domain::ids::TurnId;
use crate::domain::time::Timestamp;
use crate::domain::turn::Turn;
use crate::store::{Change, Draftbook};

/// Opens `turn` in a case that people do not have, settled or not: it finds what is wrong and hands the case over.
/// The change, if there is one, goes with the book.
pub(super) fn to_people(
    turn: TurnId,
    book: &mut Draftbook,
    reason: &'static str,
    now: Timestamp,
) -> Option<Change> {
    let settled = !book.case.open();
    if book.case.step(Move::Undone).is_err() || book.case.state.with_people() {
        return None;
    }
    if settled {
        book.event(EventKind::Reopened, &json!({"reason": reason}));
    }
    Some(Change::OpenTurn(Turn {
        id: turn,
        case: book.case.id.clone(),
        epoch: 0,
        holder: String::new(),
        leased_until: Timestamp(0),
        attempts: 0,
        due_at: now,
        opened_at: now,
    }))
}
