//! The console's pages: the lists, and one case with its note and its thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Edge;
use super::super::download;
use super::super::error::ApiError;
use super::super::extract::{Asked, Peer};
use super::super::stream::{self, Live, Places, Source};
use super::super::watcher::Watcher;
use super::sign_in::SignedIn;
use super::{page, shown};
use crate::desk::approvals;
use crate::domain::case::{Case, CaseState};
use crate::domain::ids::CaseId;
use crate::domain::role::Right;
use crate::domain::time::Timestamp;
use crate::store::{CaseFilter, Page, QueueOrder};

const HOME: &str = concat!(
    include_str!("head.html"),
    include_str!("frame.html"),
    include_str!("lists.html"),
    include_str!("home.html"),
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
    let file = signed_in.case(&edge, &id).await?;
    let (store, id) = (&edge.app.store, file.case.id.clone());
    let messages = store.transcript(&id).await?;
    let handoff = store.handoff(&id).await?;
    let mut context = frame(&edge, &signed_in, Some(&id)).await?;
    let customer = &file.customer;
    let pending = approvals::of_case(store, &file.case, edge.app.clock.now()).await?;
    let people: BTreeMap<String, String> =
        store.list_agents().await?.into_iter().map(|agent| (agent.id.to_string(), agent.name)).collect();
    context["case"] = shown::case(&edge, &file.case, signed_in.may(Right::Act));
    context["customer"] = json!({"name": customer.name, "email": customer.email, "id": customer.external_id});
    context["note"] = handoff.as_ref().map(|handoff| shown::note(&edge, handoff)).unwrap_or_default();
    context["approval"] = pending
        .map(|pending| shown::approval(&edge, &file.case, &signed_in.agent, &people, &pending))
        .unwrap_or_default();
    context["offered"] = json!(file.case.wait.offer.as_ref().map(|offer| {
        json!({"to": people.get(offer.agent.as_str()), "because": offer.because.join(", ")})
    }));
    context["holder"] = json!(file.case.agent.as_ref().and_then(|agent| people.get(agent.as_str())));
    let deliveries = store.deliveries(&id).await?;
    context["thread"] = messages.iter().map(|message| shown::entry(message, &people, &deliveries)).collect();
    context["last"] = json!(messages.last().map_or(0, |message| message.seq));
    context["reply_id"] = json!(edge.app.clock.new_id().to_string());
    context["desk"] = store.desk_case_of(&id).await?.as_ref().map(shown::desk).unwrap_or_default();
    context["mine"] = json!(file.case.agent.as_ref() == Some(&signed_in.agent.id));
    page(&edge, CASE, &context)
}

/// A file that came with a message, to be kept and never shown.
pub(super) async fn attachment(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    download::attachment(&edge, &id, &signed_in.reach).await
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
    let file = signed_in.case(&edge, &id).await.map_err(IntoResponse::into_response)?;
    let id = file.case.id.clone();
    let resumed = headers.get("last-event-id").and_then(|value| Places::parse(value.to_str().ok()?));
    let places = resumed.unwrap_or_else(|| Places::of(&id, after.after.unwrap_or(0).max(0)));
    let watcher = Watcher::Session(signed_in.session.token_hash);
    stream::open(&edge, address, Source::Case(id, watcher), Some(places)).map_err(IntoResponse::into_response)
}

#[derive(Debug, Deserialize)]
pub(super) struct After {
    after: Option<i64>,
}

/// What every page shows around its own part.
async fn frame(edge: &Edge, signed_in: &SignedIn, chosen: Option<&CaseId>) -> Result<Value, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    let (store, now) = (&edge.app.store, edge.app.clock.now());
    let waiting = store.queue(None, &signed_in.reach, order(edge), LISTED_MAX).await?;
    let of_agent = |state| CaseFilter {
        agent: Some(signed_in.agent.id.clone()),
        state: Some(state),
        ..CaseFilter::default()
    };
    let part = Page { cursor: None, limit: LISTED_MAX };
    let (mut mine, _) = store.list_cases(&of_agent(CaseState::Agent), &part).await?;
    mine.extend(store.list_cases(&of_agent(CaseState::Snoozed), &part).await?.0);
    let reach = signed_in.reach.clone();
    let resolved = CaseFilter { state: Some(CaseState::Resolved), reach, ..CaseFilter::default() };
    let (resolved, _) = store.list_cases(&resolved, &Page { cursor: None, limit: 10 }).await?;
    let line = |case: &Case, since: Timestamp, reason: Option<&str>| {
        let mut line = shown::case(edge, case, signed_in.may(Right::Act));
        line["reason"] = json!(reason.map(shown::reason));
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
        "reports": signed_in.may(Right::SeeReports),
        "business": edge.app.config.business.name,
        "agent": signed_in.agent.name,
        "manages": signed_in.may(Right::SeeAccounts),
        "first_password": signed_in.agent.password_chosen_at.is_none(),
        "csrf": signed_in.csrf,
        "administers": signed_in.may(Right::Administer),
        "lists": {"waiting": waiting, "mine": plain(&mine), "resolved": plain(&resolved)},
    }))
}

/// The order of the queue at this moment.
fn order(edge: &Edge) -> QueueOrder {
    QueueOrder { now: edge.app.clock.now(), raise_ms: edge.app.config.routing.raise_ms }
}

/// How long ago, in the largest unit that says something.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
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
