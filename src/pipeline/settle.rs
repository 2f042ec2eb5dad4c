//! Commits what a turn came to: words, log, state, receipts and delivery in one transaction, or nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::resolve::{Carried, Ending, Mind, Words};
use super::turn::TurnError;
use super::{Parts, await_end, doubt, handoff, moving};
use crate::domain::case::{Case, CaseState, Move, PendingWrite, Place};
use crate::domain::crm::Field;
use crate::domain::customer::Customer;
use crate::domain::decision::{Draft, ProposedWrite};
use crate::domain::event::EventKind;
use crate::domain::ids::{MessageId, TurnId};
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::receipt::Effect;
use crate::domain::routing::Wait;
use crate::domain::time::Timestamp;
use crate::domain::turn::{Outcome, Turn};
use crate::failpoints;
use crate::store::{CaseFile, Change, CommitError, Draftbook, Refusal};
use crate::tools::ledger;

/// What is to be committed, and for which turn.
pub(super) struct End<'a> {
    pub(super) turn: &'a Turn,
    /// The case as it was read last; it must still be so.
    pub(super) file: &'a CaseFile,
    /// The newest message that was read.
    pub(super) through: i64,
    /// `HandedOff`, or `Dead` for a turn that always broke.
    pub(super) outcome_if_handed: Outcome,
}

/// Whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Committed {
    /// It is durable, and perhaps the next turn is opened and held by this process.
    Yes(Option<Turn>),
    /// The case has changed since it was read; nothing was committed.
    Stale,
}

/// Looks again and commits.
pub(super) async fn commit(
    parts: &Parts,
    end: &End<'_>,
    carried: &Carried,
    ending: &Ending,
) -> Result<Committed, TurnError> {
    let now = parts.clock.now();
    let mut book = Draftbook::new(end.file.case.clone(), now);
    let handoffs = matches!(ending.words, Words::HandOff { .. });
    if end.file.case.state != CaseState::Assistant && (handoffs || !matches!(ending.words, Words::Silent(_)))
    {
        // A person has it by now: only the unsent words are dropped.
        return finish(parts, end, carried, silent(end, book, "with_people"), Outcome::HandedOff).await;
    }
    if let Some(mind) = &ending.mind {
        remember(&mut book, mind);
    }
    for (kind, body) in &carried.events {
        book.event(*kind, body);
    }
    for call in &carried.model_calls {
        book.event(EventKind::ModelCalled, &json!(call));
    }
    let outcome = match &ending.words {
        Words::Say(draft) => {
            let offer = moving::offer_links(parts, &book.case, draft).await?;
            say(parts, end, &mut book, draft, offer)
        }
        Words::Ask { draft, write } => ask(parts, end, &mut book, draft, write.as_ref(), now),
        Words::HandOff { handoff, approval, unsent } => {
            book.case.pending = None;
            // Of several matters in one case people are given one, and read about that.
            let handed = ending.mind.as_ref().and_then(|mind| mind.issue.clone());
            book.case.issue = handed.or(book.case.issue.take());
            handoff::compose(
                parts,
                end,
                &mut book,
                carried,
                ending,
                (handoff, approval.as_ref(), unsent.as_deref()),
            )
            .await?;
            end.outcome_if_handed
        }
        Words::Silent(reason) => {
            let outcome = if *reason == "with_people" { Outcome::HandedOff } else { Outcome::Silent };
            let mut book = silent(end, book, reason);
            // Nothing is left to do for somebody who wants no more messages; what they write later opens it again.
            if *reason == "opted_out" && book.case.step(Move::AssistantResolved).is_ok() {
                book.case.resolved_at = Some(now);
            }
            return finish(parts, end, carried, book, outcome).await;
        }
    };
    finish(parts, end, carried, book, outcome).await
}

fn silent(end: &End<'_>, mut book: Draftbook, reason: &str) -> Draftbook {
    let body = end_body(end, &book, json!({"reason": reason}));
    book.event(EventKind::Silent, &body);
    book
}

/// The body of an event that ends a turn: `await_end` reads it back, and the measures where the case belongs.
pub(super) fn end_body(end: &End<'_>, book: &Draftbook, mut more: Value) -> Value {
    more["turn"] = json!(end.turn.id);
    more["through"] = json!(end.through);
    more["channel"] = json!(book.case.channel);
    more["language"] = json!(book.case.language);
    if let Some(intent) = &book.case.intent {
        more["intent"] = json!(intent);
    }
    more
}

fn remember(book: &mut Draftbook, mind: &Mind) {
    let case = &mut book.case;
    case.memory.clone_from(&mind.memory);
    case.intent = mind.intent.clone().or_else(|| case.intent.take());
    case.language.clone_from(&mind.language);
    case.urgency = mind.urgency;
    case.sentiment = mind.sentiment;
    case.issue = case.issue.take().or_else(|| mind.issue.clone());
}

fn say(
    parts: &Parts,
    end: &End<'_>,
    book: &mut Draftbook,
    draft: &Draft,
    offer: Option<moving::Offer>,
) -> Outcome {
    let now = parts.clock.now();
    book.case.pending = None;
    let newer = end.file.case.inbound_seq > end.through;
    let message = match offer {
        None => speak(parts, book, draft, Some(&end.turn.id), now),
        Some(offer) => {
            let text = format!("{}\n\n{}", draft.text, offer.words);
            let message = speak(parts, book, &Draft { text, ..draft.clone() }, Some(&end.turn.id), now);
            book.case.move_offer = Some(offer.asked(message.seq));
            message
        }
    };
    let cited: Vec<&str> = draft.citations.iter().map(|c| c.article.as_str()).collect();
    let body = json!({"message": message.id, "articles": cited, "resolution": draft.resolves,
        "segments": parts.channels.segments(&message)});
    let body = end_body(end, book, body);
    // Settled before, and only thanks or a greeting since: it stays as it was.
    let kept = book.case.resolution.take();
    let resolves = draft.resolves.or(kept);
    let step = if resolves.is_some() && !newer { Move::AssistantResolved } else { Move::AssistantReplied };
    // The state was checked above, so the table has this move.
    let moved = book.case.step(step).is_ok();
    if step == Move::AssistantResolved && moved {
        book.case.resolution = resolves;
        // Given back by people and settled here: nobody waits for them any more, and no answer of theirs is counted.
        if book.case.wait.running() {
            book.case.wait = Wait::default();
        }
        if kept.is_none() {
            book.case.resolved_at = Some(now);
        }
        if draft.resolves.is_some() {
            book.event(EventKind::Resolved, &body);
            return Outcome::Resolved;
        }
    }
    book.event(EventKind::Replied, &body);
    Outcome::Replied
}

fn ask(
    parts: &Parts,
    end: &End<'_>,
    book: &mut Draftbook,
    draft: &Draft,
    write: Option<&ProposedWrite>,
    now: Timestamp,
) -> Outcome {
    let message = speak(parts, book, draft, Some(&end.turn.id), now);
    (book.case.resolution, book.case.resolved_at) = (None, None);
    doubt::asked(book, end.through, message.seq);
    book.case.pending = write.map(|write| PendingWrite {
        tool: write.tool.clone(),
        arguments: ledger::canonical_json(&write.arguments),
        details: draft.text.clone(),
        asked_seq: message.seq,
        expires_at: now.plus_ms(parts.config.limits.confirm_ttl_ms),
    });
    if let Some(pending) = &book.case.pending {
        let body = json!({"tool": pending.tool, "message": message.id});
        book.event(EventKind::ConfirmAsked, &body);
    }
    let body = json!({"message": message.id, "segments": parts.channels.segments(&message)});
    let body = end_body(end, book, body);
    book.event(EventKind::Replied, &body);
    Outcome::Replied
}

/// Adds the assistant's words to the thread, and to the outbox where they have to be carried.
pub(super) fn speak(
    parts: &Parts,
    book: &mut Draftbook,
    draft: &Draft,
    turn: Option<&TurnId>,
    now: Timestamp,
) -> Arc<Message> {
    let message = book.message(Message {
        id: MessageId::new(parts.clock.new_id()),
        case: book.case.id.clone(),
        seq: 0,
        author: Author::Assistant,
        agent: None,
        channel: book.case.channel.clone(),
        text: draft.text.clone(),
        at: now,
        visibility: Visibility::Public,
        citations: draft.citations.clone(),
        choices: draft.choices.clone(),
        attachments: Vec::new(),
        turn: turn.cloned(),
    });
    let mut deliveries = parts.channels.deliveries(&book.case, &message, now, parts.clock.as_ref());
    if let Some(Place { channel, conversation, .. }) = draft.copy.as_deref().cloned() {
        let elsewhere = Case { channel, conversation, ..book.case.clone() };
        deliveries.extend(parts.channels.deliveries(&elsewhere, &message, now, parts.clock.as_ref()));
    }
    for delivery in deliveries {
        book.push(Change::Deliver(delivery));
    }
    message
}

/// The customer with the language they speak now, where that is news: their next case, on whatever channel, begins in it.
fn spoken(customer: &Customer, language: &str, own: &str) -> Option<Arc<Customer>> {
    let known = customer.language.as_deref().unwrap_or(own);
    if known == language || customer.crm.owns(Field::Language) {
        return None;
    }
    let language = Some(language.to_owned());
    Some(Arc::new(Customer { language, version: customer.version + 1, ..customer.clone() }))
}

async fn finish(
    parts: &Parts,
    end: &End<'_>,
    carried: &Carried,
    mut book: Draftbook,
    outcome: Outcome,
) -> Result<Committed, TurnError> {
    let now = parts.clock.now();
    let after = book.case.answered_seq;
    book.case.answered_seq = after.max(end.through);
    doubt::over(&mut book, end.through);
    let reads = carried.receipts.iter().filter(|receipt| receipt.effect == Effect::Read);
    let mut changes: Vec<Change> = reads.cloned().map(Change::Receipt).collect();
    changes.extend(carried.model_calls.iter().map(|call| Change::ModelCall {
        case: book.case.id.clone(),
        customer: book.case.customer.clone(),
        at: now,
        call: call.clone(),
    }));
    changes.extend(carried.changes.iter().cloned());
    let own = &parts.config.business.language;
    // What was proven in this turn changes the customer already; the language is noted with the next one.
    if carried.changes.is_empty() {
        changes.extend(spoken(&end.file.customer, &book.case.language, own).map(Change::Customer));
    }
    // What is given to people outside any turn has none to close.
    if end.turn.epoch > 0 {
        changes.push(Change::CloseTurn {
            turn: end.turn.id.clone(),
            epoch: end.turn.epoch,
            outcome,
            at: now,
        });
    }
    let overtaken = end.file.case.inbound_seq > end.through && book.case.state == CaseState::Assistant;
    // It answered what it had read; what came since gets a turn of its own.
    let next = overtaken.then(|| Turn {
        id: TurnId::new(parts.clock.new_id()),
        case: book.case.id.clone(),
        epoch: 1,
        holder: parts.holder.clone(),
        leased_until: now.plus_ms(parts.config.worker.lease_ms),
        attempts: 1,
        due_at: now,
        opened_at: now,
    });
    if let Some(next) = &next {
        changes.push(Change::OpenTurn(next.clone()));
        failpoints::reach("next_turn");
    }
    let case = book.case.id.clone();
    // Noted before the commit, so that whoever the commit wakes finds it; nobody asks before `answered_seq` says so.
    parts.ends.note(
        case.clone(),
        await_end::End { turn: end.turn.id.clone(), outcome, after, through: end.through },
    );
    failpoints::reach("turn_commit");
    if let Err(error) = parts.store.commit(book.close(changes)).await {
        parts.ends.forget(&case);
        return match error {
            CommitError::Refused(Refusal::Stale) => Ok(Committed::Stale),
            error => Err(error.into()),
        };
    }
    failpoints::reach("turn_committed");
    metrics::counter!("firstline_turns_total", "outcome" => outcome.as_str()).increment(1);
    Ok(Committed::Yes(next))
}
