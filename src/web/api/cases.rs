//! Reading cases: lists, one, its words, its log, its handoff, and all of it live.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::Edge;
use super::super::access;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Asked, Peer, case_id};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{CaseBody, EventBody, EventList, HandoffBody, List, MessageBody};
use super::super::stream::{self, Live, Places, Source};
use super::super::watcher::Watcher;
use crate::domain::case::CaseState;
use crate::domain::event::first_broken;
use crate::domain::ids::{AgentId, CaseId, CustomerId, ProcedureId, TeamId};
use crate::domain::role::Right;
use crate::domain::time::Timestamp;
use crate::store::{CaseFilter, Page};

/// Entries on a page when nobody says.
const PAGE_ITEMS: i64 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `assistant`, `queued`, `agent`, `snoozed`, `resolved` or `closed`.
    #[param(value_type = Option<String>)]
    state: Option<CaseState>,
    #[param(value_type = Option<String>)]
    team: Option<TeamId>,
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// The channel last written on.
    channel: Option<String>,
    #[param(value_type = Option<String>)]
    customer: Option<CustomerId>,
    #[param(value_type = Option<String>)]
    intent: Option<ProcedureId>,
    /// Opened at or after; RFC 3339.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Opened before; RFC 3339.
    #[param(value_type = Option<String>)]
    to: Option<Timestamp>,
    cursor: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// What the part before gave as `next`.
    pub(super) cursor: Option<String>,
    pub(super) limit: Option<i64>,
}

/// How many entries a page has: what was asked, within bounds.
pub(super) fn limit(edge: &Edge, asked: Option<i64>) -> Result<i64, ApiError> {
    let most = edge.app.config.server.page_items_max;
    match asked {
        None => Ok(PAGE_ITEMS.min(most)),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::invalid(format!("`limit` must be between 1 and {most}"))),
    }
}

/// The place after which a part of a thread or a log begins.
fn place(cursor: Option<&str>) -> Result<i64, ApiError> {
    let wrong = || ApiError::invalid("`cursor` is not one that was given out: start again without it");
    cursor.map_or(Ok(0), |text| text.parse().ok().filter(|seq| *seq >= 0).ok_or_else(wrong))
}

/// Demands that there is such a case within reach.
async fn existing(edge: &Edge, caller: &Caller, id: &str) -> Result<CaseId, ApiError> {
    let id = case_id(id)?;
    let file = edge.app.store.case(&id).await?.filter(|file| caller.reach().sees(&file.case));
    file.map(|_| id).ok_or_else(|| ApiError::not_found("case"))
}

/// Cases, the last opened first.
#[utoipa::path(get, path = "/v1/cases", tag = "cases", params(Which), responses(
    (status = 200, body = List<CaseBody>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)
))]
pub(super) async fn list_cases(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<List<CaseBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let page = Page { limit: limit(&edge, which.limit)?, cursor: which.cursor };
    let filter = CaseFilter {
        state: which.state,
        team: which.team,
        agent: which.agent,
        channel: which.channel,
        customer: which.customer,
        intent: which.intent,
        from: which.from,
        to: which.to,
        reach: caller.reach().clone(),
    };
    let (cases, next) = edge.app.store.list_cases(&filter, &page).await?;
    Ok(Json(List { items: cases.iter().map(CaseBody::from).collect(), next }))
}

/// One case.
#[utoipa::path(get, path = "/v1/cases/{id}", tag = "cases", params(("id" = String, Path)), responses(
    (status = 200, body = CaseBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn get_case(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<CaseBody>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let file = access::case(&edge, &id, caller.reach()).await?;
    let model = edge.app.store.model_totals(&file.case.id).await?;
    let mut body = CaseBody::from(&file.case);
    body.model = Some(model.into());
    Ok(Json(body))
}

/// The thread of a case, oldest first, internal notes too.
#[utoipa::path(get, path = "/v1/cases/{id}/messages", tag = "cases", params(("id" = String, Path), Part), responses(
    (status = 200, body = List<MessageBody>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn list_messages(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(part): Asked<Part>,
) -> Result<Json<List<MessageBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let (id, limit) = (existing(&edge, &caller, &id).await?, limit(&edge, part.limit)?);
    let messages = edge.app.store.messages(&id, place(part.cursor.as_deref())?, limit).await?;
    let full = messages.len() as i64 == limit;
    let next = messages.last().filter(|_| full).map(|message| message.seq.to_string());
    Ok(Json(List { items: messages.iter().map(|message| MessageBody::from(&**message)).collect(), next }))
}

/// The log of a case, oldest first, and whether it is as it was written.
#[utoipa::path(get, path = "/v1/cases/{id}/events", tag = "cases", params(("id" = String, Path), Part), responses(
    (status = 200, body = EventList), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn list_events(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    Asked(part): Asked<Part>,
) -> Result<Json<EventList>, ApiError> {
    caller.demand(Scope::CasesRead, Right::SeeLog)?;
    let file = access::case(&edge, &id, caller.reach()).await?;
    let id = &file.case.id;
    let (after, limit) = (place(part.cursor.as_deref())?, limit(&edge, part.limit)?);
    // The chain is checked whole, whatever part is shown; rows that were cut off at the end show in the case.
    let events = edge.app.store.events(id, 0, i64::MAX).await?;
    let newest = events.last().map_or(0, |event| event.seq);
    let cut = (newest < file.case.event_seq).then_some(newest + 1);
    let broken_at = first_broken(&events).or(cut);
    let shown: Vec<_> = events.iter().filter(|event| event.seq > after).take(limit as usize).collect();
    let next = shown.last().filter(|event| event.seq < newest).map(|event| event.seq.to_string());
    let items = shown.into_iter().map(EventBody::from).collect();
    Ok(Json(EventList { items, next, intact: broken_at.is_none(), broken_at }))
}

/// The newest handoff of a case, with the note.
#[utoipa::path(get, path = "/v1/cases/{id}/handoff", tag = "cases", params(("id" = String, Path)), responses(
    (status = 200, body = HandoffBody), (status = 401, body = ErrorBody),
    (status = 404, description = "No such case, or it never went to people", body = ErrorBody)
))]
pub(super) async fn get_handoff(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<HandoffBody>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let id = existing(&edge, &caller, &id).await?;
    let handoff =
        edge.app.store.handoff(&id).await?.ok_or_else(|| ApiError::not_found("handoff of this case"))?;
    let desk = edge.app.store.desk_case(&handoff.id).await?.map(Into::into);
    let mut body = HandoffBody::from(&handoff);
    body.desk = desk;
    Ok(Json(body))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// The place of the newest message already known; the header `Last-Event-ID` does the same.
    after: Option<i64>,
}

/// A case live, as server-sent events: `message`, `typing`, `state`; `ready` once all that was is told.
#[utoipa::path(get, path = "/v1/cases/{id}/stream", tag = "cases", params(("id" = String, Path), After), responses(
    (status = 200, description = "An endless stream", content_type = "text/event-stream", body = String),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 429, body = ErrorBody)
))]
pub(super) async fn follow_case(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Peer(address): Peer,
    Path(id): Path<String>,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Live, ApiError> {
    caller.may(Scope::CasesRead)?;
    let id = existing(&edge, &caller, &id).await?;
    let resumed = headers.get("last-event-id").and_then(|value| Places::parse(value.to_str().ok()?));
    let places = resumed.or_else(|| after.after.map(|seq| Places::of(&id, seq.max(0))));
    let watcher = Watcher::Key(Box::new(caller));
    stream::open(&edge, address, Source::Case(id, watcher), places)
}
