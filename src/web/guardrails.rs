//! What holds around every call: an id, a log line, a time limit, the one error shape, security headers.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Edge;
use super::error::of_status;

/// Names one request in the log and in the answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// Longest error text of somebody else's that is passed on.
const MESSAGE_BYTES_MAX: usize = 500;

/// Gives the request its id, counts it, and logs how it ended: never what it said.
pub(super) async fn recorded(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let id = edge.app.clock.new_id().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let begun = Instant::now();
    let mut response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    let labels = [("route", route.clone()), ("method", method.to_string()), ("status", status.to_string())];
    metrics::counter!("firstline_http_requests_total", &labels).increment(1);
    metrics::histogram!("firstline_http_request_seconds", "route" => route.clone())
        .record(took.as_secs_f64());
    tracing::debug!(request.id = id, route, %method, status, duration_ms = took.as_millis() as u64, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Ends a request that takes too long. A stream has answered long before.
pub(super) async fn in_time(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let most = Duration::from_millis(edge.app.config.server.request_timeout_ms);
    match tokio::time::timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => of_status(StatusCode::REQUEST_TIMEOUT, None).into_response(),
    }
}

/// Gives every refusal the one shape, and every answer its security headers.
pub(super) async fn headers(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    let data = ["/v1/", "/widget/", "/console"].iter().any(|part| request.uri().path().starts_with(part));
    let response = in_shape(next.run(request).await).await;
    secured(response, data, edge.origins.https())
}

/// The security headers of TRUST, for whoever serves pages beside this edge too.
fn secured(mut response: Response, data: bool, https: bool) -> Response {
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(header::CONTENT_SECURITY_POLICY, POLICY);
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "no-referrer");
    if https {
        add(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    if data {
        add(header::CACHE_CONTROL, "no-store");
    }
    response
}

/// Refusals of the layers below us come as plain text or nothing: they get the one error body.
async fn in_shape(response: Response) -> Response {
    let status = response.status();
    let shaped = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json") || kind.starts_with("text/html"));
    if shaped || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, MESSAGE_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8(said.to_vec()).ok().filter(|said| !said.trim().is_empty());
    let mut shaped = of_status(status, said).into_response();
    for (name, value) in parts.headers {
        if let Some(name) =
            name.filter(|name| *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH)
        {
            shaped.headers_mut().entry(name).or_insert(value);
        }
    }
    shaped
}

/// A panic is ours: it is counted and logged, and the caller learns only that it was not their fault.
pub(super) fn broke(_: Box<dyn Any + Send + 'static>) -> Response {
    metrics::counter!("firstline_panics_total").increment(1);
    tracing::error!("a handler broke; its backtrace is on standard error");
    of_status(StatusCode::INTERNAL_SERVER_ERROR, None).into_response()
}
