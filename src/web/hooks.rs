//! `/channels/{name}/…`: where providers call. The raw body is verified before it is read, and nothing is
//! acknowledged before it is stored.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::Edge;
use super::error::ApiError;
use super::extract;
use crate::channels::{ChannelAdapter, ChannelError, Incoming, Webhook, WebhookAnswer};
use crate::domain::time::Timestamp;

/// The calls of providers.
pub(super) fn router() -> Router<Arc<Edge>> {
    Router::new().route("/channels/{name}", any(called)).route("/channels/{name}/{*path}", any(called))
}

/// Takes a provider's request.
async fn called(
    State(edge): State<Arc<Edge>>,
    Path(place): Path<Vec<(String, String)>>,
    request: Request,
) -> Result<Response, ApiError> {
    let part = |wanted: &str| place.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let adapter = edge.app.pipeline.parts().channels.named(part("name"));
    let adapter = adapter.ok_or_else(|| ApiError::not_found("channel that is switched on"))?;
    let path = part("path").to_owned();
    let refusal = adapter.refusal(&path);
    let outcome = answer(&edge, adapter, path, request).await;
    outcome.map_err(|error| for_good(error, refusal))
}

/// A request that will never be taken, told so that this provider does not send it again.
fn for_good(mut error: ApiError, refusal: Option<u16>) -> ApiError {
    let status = refusal.and_then(|status| StatusCode::from_u16(status).ok());
    if status.is_some() && error.status == StatusCode::FORBIDDEN {
        // A wrong secret is the operator's to correct: until then such a provider keeps what it has.
        error.status = StatusCode::UNAUTHORIZED;
    }
    let hopeless = matches!(error.status.as_u16(), 400 | 409 | 413 | 422);
    match status.filter(|_| hopeless) {
        Some(status) => {
            error.status = status;
            error
        }
        None => error,
    }
}

async fn answer(
    edge: &Arc<Edge>,
    adapter: &dyn ChannelAdapter,
    path: String,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let most = adapter.body_bytes_max().unwrap_or(edge.app.config.server.body_bytes_max);
    let body = extract::body(&parts.headers, body, most).await?;
    let call = Call { path, parts, body, now: edge.app.clock.now() };
    let read = if adapter.reads_long() {
        let (edge, name) = (edge.clone(), adapter.name());
        let reading = tokio::task::spawn_blocking(move || {
            let adapter = edge.app.pipeline.parts().channels.named(name);
            adapter.map(|adapter| call.read(adapter, &edge.app.config.public_base_url()))
        });
        let read = reading.await.map_err(|error| {
            tracing::error!(error = %error, channel = name, "a provider's request could not be read");
            ApiError::unavailable()
        })?;
        read.ok_or_else(|| ApiError::not_found("channel that is switched on"))?
    } else {
        call.read(adapter, &edge.app.config.public_base_url())
    };
    match read? {
        Read::Greeting(greeting) => Ok(answered(greeting)),
        Read::News(news) => {
            for incoming in news {
                take(edge, adapter.name(), incoming).await?;
            }
            Ok(answered(adapter.acknowledge()))
        }
    }
}

/// A request, whole.
struct Call {
    path: String,
    parts: Parts,
    body: Bytes,
    now: Timestamp,
}

/// What a request is.
enum Read {
    Greeting(WebhookAnswer),
    News(Vec<Incoming>),
}

impl Call {
    /// Verifies the request, then reads it.
    fn read(&self, adapter: &dyn ChannelAdapter, base: &str) -> Result<Read, ChannelError> {
        let target = self.parts.uri.path_and_query().map_or("", |target| target.as_str());
        let webhook = Webhook {
            method: &self.parts.method,
            path: &self.path,
            url: &format!("{base}{target}"),
            query: self.parts.uri.query().unwrap_or_default(),
            headers: &self.parts.headers,
            body: &self.body,
            now: self.now,
        };
        if let Some(greeting) = adapter.greet(&webhook) {
            return greeting.map(Read::Greeting);
        }
        adapter.verify(&webhook)?;
        adapter.parse(&webhook).map(Read::News)
    }
}

/// Stores one thing that a request brought.
async fn take(edge: &Edge, channel: &'static str, incoming: Incoming) -> Result<(), ApiError> {
    let pipeline = &edge.app.pipeline;
    let kind = match incoming {
        Incoming::Message(message) => {
            pipeline.ingest(*message).await?;
            "message"
        }
        Incoming::Status(update) => {
            pipeline.news(channel, &update).await?;
            "status"
        }
        Incoming::Nothing(reason) => {
            tracing::debug!(channel, reason, "nothing to store");
            "nothing"
        }
    };
    metrics::counter!("firstline_webhooks_total", "channel" => channel, "kind" => kind).increment(1);
    Ok(())
}

fn answered(answer: WebhookAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}
