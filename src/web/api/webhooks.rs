//! What leaves for others: what each was told and what not, and telling again what was given up.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::Edge;
use super::super::error::{ApiError, ErrorBody};
use super::super::extract::Asked;
use super::super::keys::{Caller, Scope};
use super::super::shapes::List;
use super::cases::limit;
use crate::channels::BadInput;
use crate::store::{Notice, NoticeFilter, Page};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `pending`, `done` or `dead`.
    state: Option<String>,
    /// Who is told: `webhook-` and its name, `desk-` and its name, or `crm`.
    target: Option<String>,
    cursor: Option<String>,
    limit: Option<i64>,
}

/// Something that is told to somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NoticeBody {
    /// The same at every attempt: the receiver's `webhook-id`.
    id: String,
    target: String,
    /// What kind of thing.
    event: String,
    case_id: String,
    /// When it happened; RFC 3339, UTC.
    at: String,
    /// `pending`, `done` or `dead`.
    state: String,
    attempts: i64,
    /// Not tried before; none once it is over.
    due_at: Option<String>,
    /// Why it was not taken.
    reason: Option<String>,
}

impl From<Notice> for NoticeBody {
    fn from(notice: Notice) -> Self {
        Self {
            due_at: (notice.state == "pending").then(|| notice.due_at.to_string()),
            id: notice.id,
            target: notice.target,
            event: notice.kind,
            case_id: notice.case.to_string(),
            at: notice.at.to_string(),
            state: notice.state,
            attempts: notice.attempts,
            reason: notice.reason,
        }
    }
}

/// What others were told and are to be told, the newest first.
#[utoipa::path(get, path = "/v1/webhooks/deliveries", tag = "operations", params(Which), responses(
    (status = 200, body = List<NoticeBody>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 403, body = ErrorBody)
))]
pub(super) async fn list_notices(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<List<NoticeBody>>, ApiError> {
    caller.may(Scope::Admin)?;
    if which.state.as_deref().is_some_and(|state| !["pending", "done", "dead"].contains(&state)) {
        return Err(BadInput::new("state", "is `pending`, `done` or `dead`").into());
    }
    let page = Page { limit: limit(&edge, which.limit)?, cursor: which.cursor };
    let filter = NoticeFilter { state: which.state, target: which.target };
    let (notices, next) = edge.app.store.notices(&filter, &page).await?;
    Ok(Json(List { items: notices.into_iter().map(NoticeBody::from).collect(), next }))
}

/// Tell again what was given up, from its first attempt on.
#[utoipa::path(post, path = "/v1/webhooks/deliveries/{delivery}/retry", tag = "operations",
    params(("delivery" = String, Path)), responses(
    (status = 200, body = NoticeBody), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)
))]
pub(super) async fn retry_notice(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<NoticeBody>, ApiError> {
    caller.may(Scope::Admin)?;
    let again = edge.app.store.tell_again(&id, edge.app.clock.now()).await?;
    let notice = edge.app.store.notice(&id).await?.ok_or_else(|| ApiError::not_found("delivery"))?;
    if !again {
        let message = "only what was given up is told again, and this is not";
        return Err(ApiError::new(StatusCode::CONFLICT, "not_dead", message));
    }
    Ok(Json(notice.into()))
}
