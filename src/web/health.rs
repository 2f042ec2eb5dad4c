//! What operations ask: is the process there, can it work, what has it counted.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
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

/// What is looked at before work is sent here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Looked {
    stopping: bool,
    database: bool,
    index: bool,
    /// Milliseconds since the workers were last heard of; none before they began.
    worker_age_ms: Option<i64>,
}

/// 200 when every part is ready, else 503 with the parts that are not.
async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    let app = &edge.app;
    let database = app.store.ready().await;
    if let Err(error) = &database {
        tracing::error!(error = %error, "the record is not ready");
    }
    let now = app.clock.now();
    let looked = Looked {
        stopping: app.shutdown.is_cancelled(),
        database: database.is_ok(),
        index: app.knowledge.serves(),
        worker_age_ms: app.pipeline.last_tick().map(|at| now.ms_since(at)),
    };
    answer(looked, app.config.worker.tick_age_ms_max)
}

fn answer(looked: Looked, tick_age_ms_max: i64) -> Response {
    let workers = match looked.worker_age_ms {
        Some(age) if age <= tick_age_ms_max => None,
        Some(age) => Some(format!("the workers were last heard of {age} ms ago; see the log")),
        None => Some("the workers have not begun yet".to_owned()),
    };
    let database = (!looked.database).then(|| "the record cannot be read; check the database".to_owned());
    let index = (!looked.index).then(|| "the search index finds nothing; see the log".to_owned());
    let process = looked.stopping.then(|| "this process is stopping".to_owned());
    let parts = [("database", database), ("index", index), ("workers", workers), ("process", process)];
    let all = parts.iter().all(|(_, wrong)| wrong.is_none());
    let told: serde_json::Map<String, serde_json::Value> = parts
        .into_iter()
        .map(|(part, wrong)| (part.to_owned(), wrong.unwrap_or_else(|| "ok".to_owned()).into()))
        .collect();
    let (code, status) =
        if all { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not_ready") };
    (code, Json(json!({"status": status, "parts": told}))).into_response()
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

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Looked = Looked { stopping: false, database: true, index: true, worker_age_ms: Some(400) };

    async fn told(looked: Looked) -> (StatusCode, Vec<String>) {
        let response = answer(looked, 1000);
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let parts = body["parts"].as_object().unwrap();
        (status, parts.iter().filter(|(_, said)| *said != "ok").map(|(part, _)| part.clone()).collect())
    }

    #[tokio::test]
    async fn it_is_ready_only_when_every_part_is_and_else_names_the_part() {
        assert_eq!(told(WELL).await, (StatusCode::OK, Vec::new()));
        for (looked, part) in [
            (Looked { database: false, ..WELL }, "database"),
            (Looked { index: false, ..WELL }, "index"),
            (Looked { worker_age_ms: None, ..WELL }, "workers"),
            (Looked { worker_age_ms: Some(1001), ..WELL }, "workers"),
            (Looked { stopping: true, ..WELL }, "process"),
        ] {
            assert_eq!(told(looked).await, (StatusCode::SERVICE_UNAVAILABLE, vec![part.to_owned()]));
        }
        let back = Looked { worker_age_ms: Some(-3_600_000), ..WELL };
        assert_eq!(told(back).await.0, StatusCode::OK, "the clock was set back");
    }
}
