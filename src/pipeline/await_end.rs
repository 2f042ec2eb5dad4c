//! Waits for the end of a message's turn, and finds that end again for whoever asks later.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::Parts;
use super::ingest::IngestError;
use crate::domain::event::EventKind;
use crate::domain::handoff::Handoff;
use crate::domain::ids::{CaseId, TurnId};
use crate::domain::message::{Author, Message, Visibility};
use crate::domain::turn::Outcome;
use crate::store::StoreError;

/// What the turn of a message came to, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// None: the turn is still under way.
    pub outcome: Option<Outcome>,
    /// What was said.
    pub replies: Vec<Arc<Message>>,
    /// When people have it.
    pub handoff: Option<Handoff>,
}

/// The newest end of a case's turn, kept at hand by the process that brought it about.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) turn: TurnId,
    pub(super) outcome: Outcome,
    /// It dealt with what came after this place …
    pub(super) after: i64,
    /// … up to this place.
    pub(super) through: i64,
}

/// What the event that ends a turn says; written by `settle`, and by `rating` for a message that no turn answers.
#[derive(Debug, Deserialize)]
struct EndBody {
    turn: TurnId,
    through: i64,
    #[serde(default)]
    reason: String,
}

/// Holds on until the message at place `seq` of a case is dealt with or the time is over.
pub(super) async fn wait(
    parts: &Parts,
    (case, seq): (&CaseId, i64),
    wait_ms: u64,
) -> Result<Ended, IngestError> {
    let mut news = parts.store.subscribe(case);
    let until = Instant::now() + Duration::from_millis(wait_ms);
    loop {
        let ended = ended(parts, case, seq).await.map_err(|error| {
            tracing::error!(error = %error, "the end of a turn could not be read");
            IngestError::Unavailable(None)
        })?;
        if ended.outcome.is_some() {
            return Ok(ended);
        }
        // Another process may hold the turn, so the record is read again now and then.
        let pause = until.min(Instant::now() + Duration::from_millis(parts.config.worker.poll_ms));
        if let Ok(None) = tokio::time::timeout_at(pause, news.next()).await {
            news = parts.store.subscribe(case);
        }
        if Instant::now() >= until {
            return Ok(Ended::default());
        }
    }
}

async fn ended(parts: &Parts, case: &CaseId, seq: i64) -> Result<Ended, StoreError> {
    let Some(file) = parts.store.case(case).await? else { return Ok(Ended::default()) };
    if file.case.answered_seq < seq {
        if !file.case.state.with_people() {
            return Ok(Ended::default());
        }
        // A person has the case: the message is theirs, and the handoff stands.
        let handoff = parts.store.handoff(case).await?;
        return Ok(Ended { outcome: Some(Outcome::HandedOff), replies: Vec::new(), handoff });
    }
    let Some((turn, outcome)) = end_of(parts, case, seq).await? else { return Ok(Ended::default()) };
    let mine = |message: &&Arc<Message>| {
        message.turn.as_ref() == Some(&turn)
            && message.author == Author::Assistant
            && message.visibility == Visibility::Public
    };
    let mut replies: Vec<_> = file.messages.iter().filter(mine).cloned().collect();
    if replies.is_empty() {
        let later = parts.store.messages(case, seq, 200).await?;
        replies = later.iter().filter(mine).cloned().collect();
    }
    let handed_off = matches!(outcome, Outcome::HandedOff | Outcome::Dead);
    let handoff = if handed_off { parts.store.handoff(case).await? } else { None };
    Ok(Ended { outcome: Some(outcome), replies, handoff })
}

/// The turn that dealt with the message: the first end whose reach includes it.
async fn end_of(parts: &Parts, case: &CaseId, seq: i64) -> Result<Option<(TurnId, Outcome)>, StoreError> {
    if let Some(end) = parts.ends.get(case)
        && (end.after + 1..=end.through).contains(&seq)
    {
        return Ok(Some((end.turn, end.outcome)));
    }
    let kinds =
        [EventKind::Replied, EventKind::Resolved, EventKind::HandedOff, EventKind::Silent, EventKind::Rated];
    for event in parts.store.events(case, 0, i64::MAX).await? {
        let Some(kind) = kinds.into_iter().find(|kind| kind.as_str() == event.kind) else { continue };
        let Ok(body) = serde_json::from_str::<EndBody>(&event.body) else { continue };
        if body.through >= seq {
            let outcome = match kind {
                EventKind::Resolved => Outcome::Resolved,
                EventKind::HandedOff => Outcome::HandedOff,
                EventKind::Silent if body.reason == "with_people" => Outcome::HandedOff,
                EventKind::Silent => Outcome::Silent,
                _ => Outcome::Replied,
            };
            return Ok(Some((body.turn, outcome)));
        }
    }
    Ok(None)
}
