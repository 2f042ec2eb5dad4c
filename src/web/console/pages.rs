//! The console's pages: the lists, and one case with its note and its thread.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::{Asked, Peer, case_id};
use super::super::stream::{self, Live, Places, Source};
use super::page;
use super::sign_in::SignedIn;
use crate::domain::case::{Case, CaseState};
use crate::domain::handoff::{Handoff, Known};
use crate::domain::ids::CaseId;
use crate::domain::message::{Message, Visibility};
use crate::domain::time::Timestamp;
use crate::store::{CaseFilter, Page, StoreError};

const HOME: &str = concat!(
    include_str!("head.html"),
    include_str!("frame.html"),
    include_str!("lists.html"),
    "</nav><main class=\"empty\"><h2>{{ lists.waiting | length }} waiting</h2><p>Choose a case on the left. The one on top has waited longest among the most urgent.</p></main>",
    include_str!("foot.html")
);
const CASE: &str = concat!(
    include_str!("head.html"),
    include_str!("frame.html"),
    include_str!("lists.html"),
    "</nav>",
    include_str!("case.html"),
    include_str!("foot.html")
);
const LISTS: &str = include_str!("lists.html");
const LISTED_MAX: i64 = 100;

/// The lists and nothing chosen.
pub(super) async fn home(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    let frame = frame(&edge, &signed_in, None).await?;
    page(&edge, HOME, &frame)
}

#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    chosen: Option<String>,
}

/// The lists alone, for the page that is open to renew.
pub(super) async fn lists(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Asked(asked): Asked<Chosen>,
) -> Result<Response, ApiError> {
    let chosen = asked.chosen.and_then(|id| CaseId::parse(&id).ok());
    page(&edge, LISTS, &frame(&edge, &signed_in, chosen.as_ref()).await?)
}

/// One case.
pub(super) async fn case(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let id = case_id(&id)?;
    let store = &edge.app.store;
    let file = store.case_fresh(&id).await?.ok_or_else(|| ApiError::not_found("case"))?;
    let messages = store.transcript(&id).await?;
    let handoff = store.handoff(&id).await?;
    let mut context = frame(&edge, &signed_in, Some(&id)).await?;
    let customer = &file.customer;
    context["case"] = shown_case(&file.case, edge.app.clock.now());
    context["customer"] = json!({"name": customer.name, "email": customer.email, "id": customer.external_id});
    context["note"] = handoff.as_ref().map(note).unwrap_or_default();
    context["thread"] = messages.iter().map(|message| entry(message)).collect();
    context["last"] = json!(messages.last().map_or(0, |message| message.seq));
    context["reply_id"] = json!(edge.app.clock.new_id().to_string());
    context["mine"] = json!(file.case.agent.as_ref() == Some(&signed_in.agent.id));
    page(&edge, CASE, &context)
}

/// One case, live.
pub(super) async fn follow(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Peer(address): Peer,
    Path(id): Path<String>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Live, Response> {
    let _ = signed_in;
    let id = case_id(&id).map_err(IntoResponse::into_response)?;
    let resumed = headers.get("last-event-id").and_then(|value| Places::parse(value.to_str().ok()?));
    let places = resumed.unwrap_or_else(|| Places::of(&id, after.after.unwrap_or(0).max(0)));
    stream::open(&edge, address, Source::Case(id), Some(places)).map_err(IntoResponse::into_response)
}

#[derive(Debug, Deserialize)]
pub(super) struct After {
    after: Option<i64>,
}

/// What every page shows around its own part.
async fn frame(edge: &Edge, signed_in: &SignedIn, chosen: Option<&CaseId>) -> Result<Value, StoreError> {
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let waiting = store.queue(None, LISTED_MAX).await?;
    let of_agent = |state| CaseFilter {
        agent: Some(signed_in.agent.id.clone()),
        state: Some(state),
        ..CaseFilter::default()
    };
    let part = Page { cursor: None, limit: LISTED_MAX };
    let (mut mine, _) = store.list_cases(&of_agent(CaseState::Agent), &part).await?;
    mine.extend(store.list_cases(&of_agent(CaseState::Snoozed), &part).await?.0);
    let resolved = CaseFilter { state: Some(CaseState::Resolved), ..CaseFilter::default() };
    let (resolved, _) = store.list_cases(&resolved, &Page { cursor: None, limit: 10 }).await?;
    let line = |case: &Case, since: Timestamp, reason: Option<&str>| {
        let mut line = shown_case(case, now);
        line["reason"] = json!(reason.map(words));
        line["waited"] = json!(ago(now, since));
        line["chosen"] = json!(chosen == Some(&case.id));
        line
    };
    let waiting: Vec<Value> =
        waiting.iter().map(|one| line(&one.case, one.since, one.reason.as_deref())).collect();
    let plain =
        |cases: &[Case]| cases.iter().map(|one| line(one, one.updated_at, None)).collect::<Vec<Value>>();
    Ok(json!({
        "title": "Console",
        "business": edge.app.config.business.name,
        "agent": signed_in.agent.name,
        "csrf": signed_in.csrf,
        "lists": {"waiting": waiting, "mine": plain(&mine), "resolved": plain(&resolved)},
    }))
}

fn shown_case(case: &Case, now: Timestamp) -> Value {
    let can = |wanted: &[CaseState]| wanted.contains(&case.state);
    json!({
        "id": case.id,
        "issue": case.issue.as_deref().filter(|issue| !issue.trim().is_empty()).unwrap_or("No issue stated yet"),
        "state": case.state.as_str(),
        "state_words": match case.state {
            CaseState::Assistant => "With the assistant",
            CaseState::Queued => "Waiting for a person",
            CaseState::Agent => "With a person",
            CaseState::Snoozed => "Put aside",
            CaseState::Resolved => "Resolved",
            CaseState::Closed => "Closed",
        },
        "urgency": case.urgency.as_str(),
        "team": case.team,
        "channel": words(&case.channel),
        "assurance": case.assurance.as_str(),
        "updated": ago(now, case.updated_at),
        "open": case.open(),
        "can_return": can(&[CaseState::Queued, CaseState::Agent, CaseState::Snoozed]),
        "can_resolve": can(&[CaseState::Assistant, CaseState::Queued, CaseState::Agent, CaseState::Snoozed]),
        "can_reopen": can(&[CaseState::Resolved, CaseState::Closed]),
        "can_reply": case.state != CaseState::Closed,
    })
}

fn entry(message: &Message) -> Value {
    json!({
        "author": message.author.as_str(),
        "internal": message.visibility == Visibility::Internal,
        "channel": words(&message.channel),
        "text": message.text,
        "at": message.at,
        "choices": message.choices,
    })
}

/// The note in the order in which it is read.
fn note(handoff: &Handoff) -> Value {
    let note = &handoff.note;
    let line = |label: &str, known: &Known| json!({"label": label, "value": known.to_string(), "unknown": matches!(known, Known::Unknown { .. })});
    let said =
        |label: &str, value: String| json!({"label": label, "value": value, "unknown": value.is_empty()});
    json!({
        "issue": note.issue.to_string(),
        "why": words(&note.reason),
        "urgency": note.urgency.as_str(),
        "lines": [
            line("Customer", &note.customer),
            said("Proven", note.verified.clone()),
            line("Wants", &note.wants),
            line("Next step", &note.next_step),
            line("Promised", &note.promised),
            line("Told about waiting", &note.told),
            said("Channels", note.channels.iter().map(|one| words(one)).collect::<Vec<_>>().join(", ")),
            said("Language", note.language.clone()),
            said("Mood", format!("{:?}", note.mood).to_lowercase()),
            said("Articles cited", if note.articles.is_empty() { "none".to_owned() } else { note.articles.join(", ") }),
        ],
        "facts": note.facts,
        "tried": note.tried,
        "approval": note.approval,
        "unsent": note.unsent,
    })
}

/// A machine's word as people read it.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// How long ago, in the largest unit that says something.
fn ago(now: Timestamp, then: Timestamp) -> String {
    let minutes = now.ms_since(then).max(0) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_the_largest_unit_that_says_something() {
        let told = |minutes: i64| ago(Timestamp(minutes * 60_000), Timestamp(0));
        assert_eq!(
            [told(0), told(59), told(60), told(1439), told(2880)],
            ["just now", "59 min", "1 h", "23 h", "2 d"]
        );
        assert_eq!(told(-5), "just now");
    }
}
