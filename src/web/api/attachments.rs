//! The files that came with messages.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::super::Edge;
use super::super::download;
use super::super::error::{ApiError, ErrorBody};
use super::super::keys::{Caller, Scope};

/// A file as it came, always as a download; a message's `attachments` name it.
#[utoipa::path(get, path = "/v1/attachments/{id}", tag = "cases", params(("id" = String, Path)), responses(
    (status = 200, description = "The bytes", content_type = "application/octet-stream"),
    (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
))]
pub(super) async fn get_attachment(
    State(edge): State<Arc<Edge>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    caller.may(Scope::CasesRead)?;
    download::attachment(&edge, &id, caller.reach()).await
}
