//! Gives a case to people: the note, the team, and one sentence to the customer about what happens next.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Parts;
use super::moving;
use super::resolve::{Carried, Ending};
use super::settle::{self, End};
use super::turn::TurnError;
use crate::channels::voice;
use crate::desk::estimate;
use crate::desk::hours::Presence;
use crate::desk::note::{self, Declared, Records};
use crate::domain::case::Move;
use crate::domain::decision::{Draft, HandOff};
use crate::domain::event::EventKind;
use crate::domain::handoff::{Approval, Handoff};
use crate::domain::ids::{HandoffId, TeamId};
use crate::domain::message::{Author, Citation, Message};
use crate::domain::routing::Wait;
use crate::domain::time::Timestamp;
use crate::domain::triage::Urgency;
use crate::failpoints;
use crate::store::{CaseFile, Change, Draftbook, StoreError};

/// An hour, the window of `replies_per_hour_max`.
const HOUR_MS: i64 = 3_600_000;

impl Parts {
    /// How the tools name things, for people to read; `tool` is the one whose amounts are meant.
    pub fn declared(&self, tool: Option<&str>) -> Declared {
        Declared { titles: self.toolbox.titles(), currency: self.toolbox.currency(tool) }
    }
}

/// Whether the assistant has answered this case so often within the hour that a person should look.
pub(super) async fn too_many_replies(parts: &Parts, file: &CaseFile) -> Result<bool, StoreError> {
    let limit = parts.config.limits.replies_per_hour_max;
    let since = parts.clock.now().plus_ms(-HOUR_MS);
    let said = |messages: &[Arc<Message>]| {
        messages.iter().filter(|m| m.author == Author::Assistant && m.at > since).count() as i64
    };
    // The messages at hand tell, unless all of them are younger than the hour and there may be more.
    let whole = file.messages.first().is_none_or(|first| first.seq == 1 || first.at <= since);
    if whole || file.case.message_seq < limit {
        return Ok(said(&file.messages) >= limit);
    }
    let from = (file.case.message_seq - 3 * limit).max(0);
    Ok(said(&parts.store.messages(&file.case.id, from, 3 * limit).await?) >= limit)
}

/// Writes the handoff into the book: note first, then the queue, then the words to the customer.
pub(super) async fn compose(
    parts: &Parts,
    end: &End<'_>,
    book: &mut Draftbook,
    carried: &Carried,
    ending: &Ending,
    (handoff, approval, unsent): (&HandOff, Option<&Approval>, Option<&str>),
) -> Result<(), TurnError> {
    let now = parts.clock.now();
    let language = book.case.language.clone();
    let team = parts.desk.team_for(handoff.team.as_deref(), &language);
    let spoken = book.case.channel == voice::NAME;
    let there = parts.desk.presence(&team, now) == Presence::Open;
    let offer = moving::offer_answers(parts, &end.file.customer, &book.case, there).await?;
    let urgency = urgency_of(handoff.urgency, book.case.urgency);
    let usual = usual(parts, &team, urgency, now).await?;
    let told = told(parts, &team, &language, (&handoff.reason, spoken, usual));
    let transcript = parts.store.transcript(&book.case.id).await?;
    let identity = parts.store.identities(&book.case.customer).await?;
    let stored = parts.store.receipts(&book.case.id).await?;
    let receipts: Vec<_> = stored.iter().chain(&carried.receipts).map(AsRef::as_ref).collect();
    let mut cited: Vec<Citation> = transcript.iter().flat_map(|message| message.citations.clone()).collect();
    cited.dedup();
    let empty = std::collections::BTreeMap::new();
    let procedures = parts.knowledge.procedures();
    // What the turn was about; without one, what the case is about.
    let intent = ending.mind.as_ref().map_or(book.case.intent.as_ref(), |mind| mind.intent.as_ref());
    let procedure = intent.and_then(|id| procedures.iter().find(|p| p.id == *id));
    let declared = parts.declared(approval.map(|approval| approval.tool.as_str()));
    let note = note::build(&Records {
        case: &book.case,
        customer: &end.file.customer,
        identities: &identity,
        transcript: &transcript,
        receipts: &receipts,
        gathered: ending.mind.as_ref().map_or(&empty, |mind| &mind.gathered),
        procedure,
        citations: &cited,
        handoff,
        approval,
        declared: &declared,
        unsent,
        told: &told,
        urgency,
    });
    let draft = words(handoff, &told, offer.as_ref());
    let stored = Handoff {
        id: HandoffId::new(parts.clock.new_id()),
        case: book.case.id.clone(),
        team: team.clone(),
        urgency,
        reason: handoff.reason.clone(),
        note,
        at: now,
        taken_by: None,
    };
    // The state was checked by the caller, so the table has this move.
    if book.case.step(Move::HandedOff).is_err() {
        return Ok(());
    }
    book.case.urgency = urgency;
    book.case.team = Some(team.clone());
    book.case.resolution = None;
    book.case.wait.begin(now, parts.desk.due(&team, urgency, now));
    let mut body = handed_off(&stored, &book.case.wait);
    book.push(Change::Handoff(Box::new(stored)));
    let message = settle::speak(parts, book, &draft, Some(&end.turn.id), now);
    if let Some(offer) = offer {
        book.case.move_offer = Some(offer.asked(message.seq));
    }
    body["segments"] = json!(parts.channels.segments(&message));
    let body = settle::end_body(end, book, body);
    book.event(EventKind::HandedOff, &body);
    failpoints::reach("handoff_composed");
    metrics::counter!("firstline_handoffs_total", "reason" => handoff.reason.clone()).increment(1);
    Ok(())
}

/// What the customer reads: what is to be said first, what happens next, and where they might go on.
fn words(handoff: &HandOff, told: &str, offer: Option<&moving::Offer>) -> Draft {
    let asked = offer.map(|offer| offer.words.as_str());
    let words: Vec<&str> = handoff.say.iter().map(String::as_str).chain([told]).chain(asked).collect();
    let choices = offer.map(|offer| offer.choices.clone()).unwrap_or_default();
    Draft { text: words.join("\n\n"), choices, ..Draft::default() }
}

/// What the log says of it: with the clock of the wait, which may have begun before.
fn handed_off(handoff: &Handoff, wait: &Wait) -> Value {
    json!({"handoff": handoff.id, "reason": handoff.reason, "team": handoff.team, "urgency": handoff.urgency,
        "since": wait.since, "due_at": wait.due_at})
}

/// How long that team's customers usually wait, where the record tells.
async fn usual(
    parts: &Parts,
    team: &TeamId,
    urgency: Urgency,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    estimate::minutes((&parts.store, &parts.desk, &parts.config.routing), team, urgency, now).await
}

/// A low urgency, declared or heard, stands where nothing speaks for a higher one.
fn urgency_of(declared: Option<Urgency>, heard: Urgency) -> Urgency {
    match (declared, heard) {
        (None, heard) => heard,
        (Some(declared), Urgency::Low | Urgency::Normal) => declared,
        (Some(declared), heard @ (Urgency::High | Urgency::Urgent)) => declared.max(heard),
    }
}

/// What the customer hears about waiting: who takes over, how long that usually takes where the record tells, and when somebody is there. On the phone nobody can answer
/// "here" later.
fn told(
    parts: &Parts,
    team: &TeamId,
    language: &str,
    (reason, spoken, usual): (&str, bool, Option<i64>),
) -> String {
    let name = parts.desk.team_name(team);
    match parts.desk.presence(team, parts.clock.now()) {
        Presence::Open => {
            let key = match (reason, spoken) {
                (_, true) => "handoff_phone_now",
                ("over_limit", false) => "handoff_approval",
                (_, false) => "handoff_now",
            };
            let said = parts.phrases.say(language, key, json!({ "team": name }));
            // On the phone the call itself is passed on.
            let Some(minutes) = usual.filter(|_| !spoken) else { return said };
            format!("{said} {}", parts.phrases.say(language, "wait_usual", json!({ "minutes": minutes })))
        }
        Presence::Closed { opens } => {
            let opens = opens.map_or(Value::Null, |next| Value::from(next.say(&parts.phrases, language)));
            let key = if spoken { "handoff_phone_closed" } else { "handoff_closed" };
            parts.phrases.say(language, key, json!({ "team": name, "opens": opens }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_urgency_counts_and_a_low_one_where_none_is_higher() {
        use Urgency::{High, Low, Normal, Urgent};
        for (declared, heard, urgency) in [
            (None, Low, Low),
            (None, High, High),
            (Some(Low), Normal, Low),
            (Some(Low), High, High),
            (Some(Normal), Low, Normal),
            (Some(High), Low, High),
            (Some(High), Urgent, Urgent),
            (Some(Urgent), High, Urgent),
        ] {
            assert_eq!(urgency_of(declared, heard), urgency, "{declared:?} {heard:?}");
        }
    }
}
