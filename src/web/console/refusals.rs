//! A refusal on the console is a page that says what is wrong and leads back, not JSON.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::Edge;

const PAGE: &str = include_str!("refusal.html");
/// Longer than any error body of ours.
const BODY_BYTES_MAX: usize = 10_000;

/// Turns error bodies into pages where a page was asked for.
pub(super) async fn as_pages(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let wants_page = has(request.headers(), header::ACCEPT, "text/html");
    let path = request.uri().path();
    let case = path.strip_prefix("/console/cases/").and_then(|rest| Some(rest.split_once('/')?.0.to_owned()));
    let response = next.run(request).await;
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if !(wants_page && refused && has(response.headers(), header::CONTENT_TYPE, "application/json")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default();
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let message =
        told.pointer("/error/message").and_then(Value::as_str).unwrap_or("something went wrong here");
    let title = match parts.status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::CONFLICT => "That did not happen",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::TOO_MANY_REQUESTS => "Too often",
        status if status.is_server_error() => "That did not work",
        _ => "Something is missing",
    };
    let back = case.as_ref().map_or_else(|| "/console".to_owned(), |case| format!("/console/cases/{case}"));
    let context = json!({
        "title": title, "business": edge.app.config.business.name, "message": message,
        "back": back, "case": case.is_some(),
    });
    match super::alone(&edge, PAGE, &context) {
        Ok(page) => {
            let (own, body) = page.into_parts();
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.extend(own.headers);
            Response::from_parts(parts, body)
        }
        Err(error) => error.into_response(),
    }
}

fn has(headers: &HeaderMap, name: header::HeaderName, part: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(part))
}
