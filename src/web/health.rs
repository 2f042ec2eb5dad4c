//! What operations ask: is the process there, can it work, what has it counted.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Edge;
use super::error::ApiError;
use super::keys::{Caller, Scope};

/// The calls of operations.
pub(super) fn router() -> Router<Arc<Edge>> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(counted))
}

async fn alive() -> impl IntoResponse {
    Json(json!({"status": "ok"}))
}

async fn ready(State(edge): State<Arc<Edge>>) -> Result<Response, ApiError> {
    if edge.app.shutdown.is_cancelled() {
        return Err(ApiError::unavailable());
    }
    edge.app.store.ready().await?;
    Ok(Json(json!({"status": "ready", "database": "ok"})).into_response())
}

async fn counted(State(edge): State<Arc<Edge>>, caller: Caller) -> Result<Response, ApiError> {
    caller.may(Scope::Metrics)?;
    let counts = edge.app.store.quick_counts(edge.app.clock.now()).await?;
    for (state, count) in counts.cases {
        metrics::gauge!("firstline_cases", "state" => state.as_str()).set(count as f64);
    }
    metrics::gauge!("firstline_turns_due").set(counts.due_turns as f64);
    metrics::gauge!("firstline_turns_dead").set(counts.dead_turns as f64);
    let kind = [(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    Ok((kind, edge.app.recorder.render()).into_response())
}
