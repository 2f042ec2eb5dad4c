//! The queue of waiting cases, and what an agent says to a case that is offered.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::{Asked, JsonBytes};
use super::super::keys::{Caller, Scope};
use super::super::shapes::{CaseBody, List};
use super::acts::{By, Call};
use super::cases::limit;
use crate::channels::BadInput;
use crate::desk::act::Actor;
use crate::desk::routing;
use crate::domain::ids::TeamId;
use crate::store::QueueOrder;

/// A case that waits for a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueuedBody {
    #[serde(flatten)]
    case: CaseBody,
    /// Why it went to people, in one word; none when a person put it there.
    reason: Option<String>,
    /// How high it stands: 0 to 3, its urgency raised with the delay.
    level: i64,
    /// Skills without which nobody gets it until it has waited for long.
    skills: BTreeSet<String>,
    /// Skills that would help.
    prefers: BTreeSet<String>,
    /// Why it is offered to nobody.
    nobody_because: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Whose {
    /// Only this team's.
    #[param(value_type = Option<String>)]
    team: Option<TeamId>,
    limit: Option<i64>,
}

/// Cases that wait for a person, those to be served next first, with the person each is offered to, or why nobody.
#[utoipa::path(get, path = "/v1/queue", tag = "agents", params(Whose), responses(
    (status = 200, body = List<QueuedBody>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)
))]
pub(super) async fn list_queue(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(whose): Asked<Whose>,
) -> Result<Json<List<QueuedBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let order = QueueOrder::at(edge.app.clock.now(), &edge.app.config.routing);
    let queue =
        edge.app.store.queue(whose.team.as_ref(), caller.reach(), order, limit(&edge, whose.limit)?).await?;
    let cases: Vec<_> = queue.iter().map(|one| (one.case.clone(), one.since)).collect();
    let outlooks = edge.app.pipeline.parts().router().outlook(&cases).await?;
    let items = queue.iter().zip(outlooks).map(|(one, outlook)| QueuedBody {
        case: CaseBody::from(&one.case),
        reason: one.reason.clone(),
        level: outlook.level,
        skills: outlook.required,
        prefers: outlook.preferred,
        nobody_because: outlook.nobody,
    });
    Ok(Json(List { items: items.collect(), next: None }))
}

/// Take the case that is offered to the agent.
#[utoipa::path(post, path = "/v1/cases/{id}/accept", tag = "agents", params(("id" = String, Path)),
    request_body = By, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, description = "It is not offered to this agent, or no longer", body = ErrorBody)
))]
pub(super) async fn accept(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let call = offered(&edge, &caller, &id, &body).await?;
    Ok(Json(CaseBody::from(&routing::accept(call.at()).await?)))
}

/// Let the offered case pass: it goes on to whoever fits next.
#[utoipa::path(post, path = "/v1/cases/{id}/decline", tag = "agents", params(("id" = String, Path)),
    request_body = By, responses(
    (status = 200, body = CaseBody), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, description = "It is not offered to this agent, or no longer", body = ErrorBody)
))]
pub(super) async fn decline(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<CaseBody>, ApiError> {
    let call = offered(&edge, &caller, &id, &body).await?;
    Ok(Json(CaseBody::from(&routing::decline(call.at()).await?)))
}

/// The call of a program that names the agent to whom the case is offered.
async fn offered<'a>(edge: &'a Edge, caller: &Caller, id: &str, body: &[u8]) -> Result<Call<'a>, ApiError> {
    let mut call = Call::open(edge, (caller, Scope::CasesWrite), id, body).await?;
    call.finish()?;
    match call.actor {
        Actor::Agent(_) => Ok(call),
        Actor::Program(_) | Actor::Desk(_) => {
            Err(BadInput::new("agent", "is missing; name the agent to whom the case is offered").into())
        }
    }
}
