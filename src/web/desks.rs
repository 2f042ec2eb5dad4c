//! `POST /desks/{name}`: where other desks tell what their people answered. The raw body is verified before it is read,
//! and nothing is acknowledged before it is stored.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Edge;
use super::error::ApiError;
use super::extract;

/// The calls of other desks.
pub(super) fn router() -> Router<Arc<Edge>> {
    Router::new().route("/desks/{name}", post(told))
}

async fn told(
    State(edge): State<Arc<Edge>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (parts, body) = request.into_parts();
    let body = extract::body(&parts.headers, body, edge.app.config.server.body_bytes_max).await?;
    let known = edge.app.pipeline.hear_desk(&name, &parts.headers, &body).await?;
    Ok(Json(json!({"taken": known})))
}
