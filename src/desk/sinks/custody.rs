//! Who has a case that another desk was given: theirs while they have it, our own queue's again when they cannot.

use serde_json::json;

use crate::desk::act::{self, ActError, At};
use crate::domain::case::{CaseState, IllegalMove, Move};
use crate::domain::event::EventKind;
use crate::domain::ids::MessageId;
use crate::domain::message::{Author, Message, Visibility};

/// Notes that a desk has taken a case that waited. From now on it waits for nobody here, and the assistant is silent.
pub async fn taken(at: At<'_>, desk: &str, foreign_id: &str) -> Result<(), ActError> {
    let made = act::change(at, |book, _| {
        let from = book.case.state;
        if from != CaseState::Queued {
            return Err(IllegalMove { from, step: Move::Assigned }.into());
        }
        book.case.step(Move::Assigned)?;
        book.case.agent = None;
        let body = json!({
            "by": at.actor.shown(), "agent": null, "team": book.case.team, "desk": desk, "desk_case": foreign_id,
        });
        book.event(EventKind::Assigned, &body);
        Ok(())
    });
    Ok(made.await?)
}

/// Puts a case back into our own queue, with a note that says why. One that a person here has taken stays theirs.
pub async fn given_back(at: At<'_>, desk: &str, why: &str) -> Result<(), ActError> {
    let text = format!(
        "`{desk}` could not take this case or its newest message ({why}). It is our own queue's again."
    );
    let made = act::change(at, |book, now| {
        let held = book.case.agent.is_some() || !book.case.state.with_people();
        if !held && book.case.state != CaseState::Queued {
            book.case.step(Move::Unassigned)?;
            book.case.snoozed_until = None;
            if book.case.wait.since.is_none() {
                book.case.wait.begin(now, None);
            }
        }
        let note = book.message(Message {
            id: MessageId::new(at.clock.new_id()),
            case: book.case.id.clone(),
            seq: 0,
            author: Author::Agent,
            agent: None,
            channel: book.case.channel.clone(),
            text: text.clone(),
            at: now,
            visibility: Visibility::Internal,
            citations: Vec::new(),
            choices: Vec::new(),
            attachments: Vec::new(),
            turn: None,
        });
        book.event(EventKind::Noted, &json!({"by": at.actor.shown(), "message": note.id}));
        if !held {
            let body = json!({
                "by": at.actor.shown(), "agent": null, "team": book.case.team, "because": "desk_unreachable",
            });
            book.event(EventKind::Assigned, &body);
        }
        Ok(())
    });
    Ok(made.await?)
}
