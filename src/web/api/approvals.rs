//! The write that waits for a person's word: how it stands, and the word itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Edge;
use super::super::access;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::JsonBytes;
use super::super::keys::{Caller, Scope};
use super::super::shapes::{ApprovalBody, List};
use super::acts::{Call, LABEL_CHARS_MAX};
use crate::desk::approvals::{self, Decision};
use crate::domain::ids::ApprovalId;
use crate::pipeline::Word;

/// A person's word.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "read field by field, so that refusals name the field")]
pub(super) struct Decided {
    /// Login or id of the agent who decided; they must be of the team that has the case, or of no team.
    agent: Option<String>,
    /// The `hash` of the approval that was shown: when it is sent, nothing else is carried out.
    hash: Option<String>,
}

/// The write that waits for a person in the newest handoff of a case, if there is one.
#[utoipa::path(get, path = "/v1/cases/{id}/approvals", tag = "agents", params(("id" = String, Path)), responses(
    (status = 200, body = List<ApprovalBody>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn list_approvals(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<List<ApprovalBody>>, ApiError> {
    caller.may(Scope::CasesRead)?;
    let file = access::case(&edge, &id, caller.reach()).await?;
    let found = approvals::of_case(&edge.app.store, &file.case, edge.app.clock.now()).await?;
    let items = found.iter().map(|one| ApprovalBody::of(&file.case.id, one)).collect();
    Ok(Json(List { items, next: None }))
}

/// Approve: exactly this write runs, once, and the customer hears what came of it.
#[utoipa::path(post, path = "/v1/cases/{id}/approvals/{approval}/approve", tag = "agents",
    params(("id" = String, Path), ("approval" = String, Path, description = "`note.approval.id` of the handoff")),
    request_body = Decided, responses(
    (status = 200, description = "It ran; `outcome` says how it ended", body = ApprovalBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, description = "Decided before, expired, changed, or the case is settled", body = ErrorBody)
))]
pub(super) async fn approve(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(place): Path<(String, String)>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<ApprovalBody>, ApiError> {
    decide(&edge, &caller, place, &body, Decision::Approved).await
}

/// Refuse: it never runs, and the customer hears that it was not approved.
#[utoipa::path(post, path = "/v1/cases/{id}/approvals/{approval}/refuse", tag = "agents",
    params(("id" = String, Path), ("approval" = String, Path, description = "`note.approval.id` of the handoff")),
    request_body = Decided, responses(
    (status = 200, body = ApprovalBody), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, description = "Decided before, expired, changed, or the case is settled", body = ErrorBody)
))]
pub(super) async fn refuse(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(place): Path<(String, String)>,
    JsonBytes(body): JsonBytes,
) -> Result<Json<ApprovalBody>, ApiError> {
    decide(&edge, &caller, place, &body, Decision::Refused).await
}

async fn decide(
    edge: &Edge,
    caller: &Caller,
    (id, approval): (String, String),
    body: &[u8],
    decision: Decision,
) -> Result<Json<ApprovalBody>, ApiError> {
    let mut call = Call::open(edge, (caller, Scope::Approvals), &id, body).await?;
    let shown = call.fields.label("hash", LABEL_CHARS_MAX)?;
    call.finish()?;
    let approval = ApprovalId::parse(&approval).map_err(|_| ApiError::not_found("approval"))?;
    let (case, actor) = (call.case, call.actor);
    let word = Word { case: case.clone(), approval, shown, decision, actor };
    let decided = edge.app.pipeline.decide(word).await?;
    Ok(Json(ApprovalBody::of(&case, &decided)))
}
