//! Cases that another desk has: giving them over, passing on what the customer writes, taking what comes back, and
//! taking a case back when the desk cannot be reached for too long.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use super::{Accepted, IngestError, Parts, Pipeline};
use crate::desk::act::{self, ActError, Actor, At, Reply};
use crate::desk::sinks::{Heard, News, NewsError, Opening, Telling, Untaken, custody};
use crate::domain::case::{Case, CaseState, SettledAs};
use crate::domain::event::EventKind;
use crate::domain::ids::{CaseId, HandoffId, MessageId};
use crate::domain::message::{Author, InboundMessage};
use crate::domain::time::Timestamp;
use crate::store::{CaseFile, DeskCase, DeskState, StoreError, Told, WriteBack};

/// Why what another desk told was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such desk.
    #[error("there is no such desk")]
    NoDesk,
    /// It is not believed or not understood.
    #[error(transparent)]
    Refused(#[from] NewsError),
    /// It could not be recorded.
    #[error(transparent)]
    Act(#[from] ActError),
}

impl Pipeline {
    /// Takes what came for another desk at `POST /desks/{name}`; durable when this returns `Ok`. How many things it told
    /// about cases that the desk has or had.
    pub async fn hear_desk(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<usize, DeskError> {
        let read = self.parts.sinks.read(name, headers, body, self.parts.clock.now());
        let news = read.ok_or(DeskError::NoDesk)??;
        self.hear(name, news).await
    }

    /// Takes a mail of another desk. One about no case that it has is a mail like any other.
    pub(super) async fn take_mail(
        self: &Arc<Self>,
        desk: &str,
        news: Vec<News>,
        mail: InboundMessage,
    ) -> Result<Option<Accepted>, IngestError> {
        match self.hear(desk, news).await {
            Ok(0) => self.ingest(mail).await.map(Some),
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::error!(error = %error, "a mail of another desk could not be recorded");
                Err(IngestError::Unavailable(None))
            }
        }
    }

    async fn hear(&self, desk: &str, news: Vec<News>) -> Result<usize, DeskError> {
        let mut known = 0;
        for one in news {
            known += usize::from(hear(&self.parts, desk, one).await?);
        }
        Ok(known)
    }
}

/// How an attempt ended that the record could not be read or written for.
fn later(parts: &Parts, why: String) -> Told {
    Told::Later(parts.clock.now().plus_ms(parts.config.handoff.pause_ms(1)), why)
}

/// Tells a desk one thing about a case that it has, or is to have.
pub(super) async fn tell(parts: &Parts, desk: &str, one: &WriteBack) -> Told {
    let body: Value =
        one.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let kind = |kind: EventKind| one.kind == kind.as_str();
    let told = if kind(EventKind::HandedOff) {
        hand_over(parts, desk, one, &body).await
    } else if kind(EventKind::Received) {
        pass_on(parts, desk, one, &body).await
    } else {
        close(parts, desk, one, &body).await
    };
    told.unwrap_or_else(|error| later(parts, error.to_string()))
}

fn telling<'a>(parts: &'a Parts, one: &'a WriteBack, case: &'a Case) -> Telling<'a> {
    Telling { key: &one.id, again: one.attempts > 1, now: parts.clock.now(), case, channels: &parts.channels }
}

async fn hand_over(parts: &Parts, desk: &str, one: &WriteBack, body: &Value) -> Result<Told, StoreError> {
    let named = body["handoff"].as_str().and_then(|id| HandoffId::parse(id).ok());
    let (Some(file), Some(handoff)) =
        (parts.store.case_fresh(&one.case).await?, parts.store.handoff(&one.case).await?)
    else {
        return Ok(Told::Done);
    };
    // A write that waits for approval can be approved here alone; a newer handoff has a line of its own.
    let ours = named.as_ref() != Some(&handoff.id)
        || handoff.note.approval.is_some()
        || !parts.sinks.gets(desk, &handoff.team);
    let known = parts.store.desk_case(&handoff.id).await?;
    if let Some(known) = known.as_ref().filter(|known| known.state == DeskState::Returned) {
        // Told again by hand: it is with our own people now, and must not be at two desks.
        let why = known.reason.as_deref().unwrap_or("not taken");
        return Ok(Told::Dead(format!("{why}; the case was given back to our own people")));
    }
    let over = known.as_ref().is_some_and(|known| known.state == DeskState::Over);
    if ours || over || (known.is_none() && file.case.state != CaseState::Queued) {
        return Ok(Told::Done);
    }
    let mut there = known.unwrap_or_else(|| DeskCase {
        handoff: handoff.id.clone(),
        case: one.case.clone(),
        desk: desk.to_owned(),
        state: DeskState::Opening,
        foreign_id: None,
        thread: None,
        reason: None,
        at: parts.clock.now(),
    });
    if there.state == DeskState::Opening && file.case.state != CaseState::Queued {
        // A person here was faster while the desk did not answer.
        there.state = DeskState::Over;
        parts.store.keep_desk_case(&there).await?;
        return Ok(Told::Done);
    }
    if there.state == DeskState::Opening {
        parts.store.keep_desk_case(&there).await?;
        let newest = file.messages.iter().rev().find(|message| message.author == Author::Customer);
        let opening =
            Opening { handoff: &handoff, customer: &file.customer, newest: newest.map(AsRef::as_ref) };
        match parts.sinks.open(desk, telling(parts, one, &file.case), opening).await {
            Ok(opened) => {
                there.state = DeskState::Theirs;
                (there.foreign_id, there.thread) = (Some(opened.foreign_id), opened.thread);
                parts.store.keep_desk_case(&there).await?;
            }
            Err(untaken) => return untold(parts, one, there, untaken).await,
        }
        metrics::counter!("firstline_desk_handoffs_total", "desk" => desk.to_owned()).increment(1);
    }
    let foreign = there.foreign_id.clone().unwrap_or_default();
    let actor = Actor::Desk(desk.to_owned());
    match custody::taken(at(parts, &actor, &one.case), desk, &foreign).await {
        // A person here was faster, or it was noted before; either way both desks know of it.
        Ok(()) | Err(ActError::Illegal(_) | ActError::NoCase) => Ok(Told::Done),
        Err(error) => Ok(later(parts, error.to_string())),
    }
}

/// The newest handoff of the case, if this desk has it.
async fn theirs(parts: &Parts, desk: &str, case: &CaseId) -> Result<Option<DeskCase>, StoreError> {
    let newest = parts.store.desk_case_of(case).await?;
    Ok(newest.filter(|there| there.desk == desk && there.state == DeskState::Theirs))
}

async fn pass_on(parts: &Parts, desk: &str, one: &WriteBack, body: &Value) -> Result<Told, StoreError> {
    let Some(there) = theirs(parts, desk, &one.case).await? else { return Ok(Told::Done) };
    let id = body["message"].as_str().and_then(|id| MessageId::parse(id).ok());
    let message = match id {
        Some(id) => parts.store.message(&id).await?,
        None => None,
    };
    let (Some(message), Some(file)) = (message, parts.store.case_fresh(&one.case).await?) else {
        return Ok(Told::Done);
    };
    match parts.sinks.say(telling(parts, one, &file.case), &there, &message).await {
        Ok(()) => Ok(Told::Done),
        Err(untaken) => untold(parts, one, there, untaken).await,
    }
}

/// It is settled, or the assistant has it again: the desk is told, unless it said so itself.
async fn close(parts: &Parts, desk: &str, one: &WriteBack, body: &Value) -> Result<Told, StoreError> {
    let Some(mut there) = theirs(parts, desk, &one.case).await? else { return Ok(Told::Done) };
    let own = body["by"].as_str() == Some(&Actor::Desk(desk.to_owned()).shown());
    let closed = match parts.store.case_fresh(&one.case).await? {
        Some(file) if !own => parts.sinks.close(telling(parts, one, &file.case), &there).await,
        _ => Ok(()),
    };
    let told = match closed {
        Ok(()) => Told::Done,
        Err(Untaken::Later { why, after_ms }) if in_time(parts, one) => {
            return Ok(once_more(parts, one, why, after_ms));
        }
        Err(Untaken::Later { why, .. } | Untaken::Never(why)) => Told::Dead(why),
    };
    there.state = DeskState::Over;
    parts.store.keep_desk_case(&there).await?;
    Ok(told)
}

/// Whether there is time left in which the desk may take it.
fn in_time(parts: &Parts, one: &WriteBack) -> bool {
    parts.clock.now().ms_since(one.at) < parts.config.handoff.give_back_ms
}

fn once_more(parts: &Parts, one: &WriteBack, why: String, after_ms: Option<i64>) -> Told {
    let pause = parts.config.handoff.pause_ms(one.attempts).max(after_ms.unwrap_or_default());
    // Not later than the moment at which it is given back, whatever the desk asks for.
    let last: Timestamp = one.at.plus_ms(parts.config.handoff.give_back_ms);
    let now = parts.clock.now();
    Told::Later(now.plus_ms(pause).min(last.max(now)), why)
}

/// Tries again while there is time; then the case is our own queue's again and says so.
async fn untold(
    parts: &Parts,
    one: &WriteBack,
    mut there: DeskCase,
    untaken: Untaken,
) -> Result<Told, StoreError> {
    let why = match untaken {
        Untaken::Later { why, after_ms } if in_time(parts, one) => {
            return Ok(once_more(parts, one, why, after_ms));
        }
        Untaken::Later { why, .. } | Untaken::Never(why) => why,
    };
    let actor = Actor::Desk(there.desk.clone());
    match custody::given_back(at(parts, &actor, &one.case), &there.desk, &why).await {
        Ok(()) | Err(ActError::NoCase) => {}
        Err(error) => return Ok(later(parts, error.to_string())),
    }
    metrics::counter!("firstline_desk_returns_total", "desk" => there.desk.clone()).increment(1);
    there.state = DeskState::Returned;
    there.reason = Some(why.clone());
    parts.store.keep_desk_case(&there).await?;
    Ok(Told::Dead(why))
}

fn at<'a>(parts: &'a Parts, actor: &'a Actor, case: &'a CaseId) -> At<'a> {
    At { store: &parts.store, clock: &*parts.clock, channels: &parts.channels, actor, case }
}

/// Takes one thing that a desk tells; whether it was about a case that the desk has or had.
pub(super) async fn hear(parts: &Parts, desk: &str, news: News) -> Result<bool, ActError> {
    let Some(mut there) = known(parts, desk, &news).await? else { return Ok(false) };
    let actor = Actor::Desk(desk.to_owned());
    let case = there.case.clone();
    let Some(before) = parts.store.case_fresh(&case).await? else { return Ok(false) };
    let place = at(parts, &actor, &case);
    match news.heard {
        Heard::Said(text) => {
            let id = Some(format!("{desk}/{}", news.key));
            match act::reply(place, Reply { id, text, ..Reply::default() }).await {
                // Edited there since, or closed here: what was said stays.
                Ok(_) | Err(ActError::Conflict | ActError::Illegal(_)) => {}
                Err(error) => return Err(error),
            }
            if there.state == DeskState::Over {
                late(parts, place, &before, there).await?;
            }
        }
        Heard::Settled => {
            if matches!(there.state, DeskState::Over | DeskState::Returned) {
                return Ok(true);
            }
            settled(act::resolve(place, SettledAs::default()).await)?;
            there.state = DeskState::Over;
            parts.store.keep_desk_case(&there).await?;
        }
    }
    Ok(true)
}

/// Words that came after the case was over there: one that was settled stays so; one that goes on is theirs again.
async fn late(parts: &Parts, place: At<'_>, before: &CaseFile, mut there: DeskCase) -> Result<(), ActError> {
    if before.case.state == CaseState::Resolved {
        return settled(act::resolve(place, SettledAs::default()).await);
    }
    let now = parts.store.case_fresh(&there.case).await?;
    let taken = now.is_some_and(|now| now.case.state == CaseState::Agent && now.case.agent.is_none());
    if before.case.state == CaseState::Assistant && taken {
        there.state = DeskState::Theirs;
        parts.store.keep_desk_case(&there).await?;
    }
    Ok(())
}

/// That it was settled before is what was wanted.
fn settled(resolved: Result<Case, ActError>) -> Result<(), ActError> {
    match resolved {
        Ok(_) | Err(ActError::Illegal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The handoff that the news are about: by what the desk calls it, or by our own name where that came back sooner than
/// the answer that told us theirs.
async fn known(parts: &Parts, desk: &str, news: &News) -> Result<Option<DeskCase>, StoreError> {
    if let Some(foreign) = &news.foreign_id
        && let Some(found) = parts.store.desk_case_named(desk, foreign).await?
    {
        return Ok(Some(found));
    }
    let Some(handoff) = &news.handoff else { return Ok(None) };
    Ok(parts.store.desk_case(handoff).await?.filter(|found| found.desk == desk))
}
