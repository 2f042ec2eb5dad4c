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
use tokio::sync::Semaphore;

use super::Edge;
use super::error::ApiError;
use super::extract;
use crate::channels::{ChannelAdapter, ChannelError, Incoming, Webhook, WebhookAnswer, voice as phone};
use crate::domain::message::InboundMessage;
use crate::domain::time::Timestamp;

mod voice;

/// Most calls at once by which customers are shown that their message was seen.
static SEEING: Semaphore = Semaphore::const_new(32);

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
    if adapter.name() == phone::NAME {
        // A call waits for its answer, and the answer to each of its requests is what is said next.
        let url = call.url(&edge.app.config.public_base_url());
        let webhook = call.webhook(&url);
        adapter.verify(&webhook)?;
        return Ok(answered(voice::answer(edge, adapter, &webhook).await?));
    }
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
            // One that cannot be taken does not keep out those behind it; posted again, the others are known already.
            let mut taken = Ok(());
            for incoming in news {
                taken = taken.and(take(edge, adapter.name(), incoming).await);
            }
            taken?;
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
    /// The whole address as the provider called it.
    fn url(&self, base: &str) -> String {
        format!("{base}{}", self.parts.uri.path_and_query().map_or("", |target| target.as_str()))
    }

    /// The request as an adapter reads it, called at `url`.
    fn webhook<'a>(&'a self, url: &'a str) -> Webhook<'a> {
        Webhook {
            method: &self.parts.method,
            path: &self.path,
            url,
            query: self.parts.uri.query().unwrap_or_default(),
            headers: &self.parts.headers,
            body: &self.body,
            now: self.now,
        }
    }

    /// Verifies the request, then reads it.
    fn read(&self, adapter: &dyn ChannelAdapter, base: &str) -> Result<Read, ChannelError> {
        let url = self.url(base);
        let webhook = self.webhook(&url);
        if let Some(greeting) = adapter.greet(&webhook) {
            return greeting.map(Read::Greeting);
        }
        adapter.verify(&webhook)?;
        adapter.parse(&webhook).map(Read::News)
    }
}

/// Stores one thing that a request brought.
async fn take(edge: &Arc<Edge>, channel: &'static str, incoming: Incoming) -> Result<(), ApiError> {
    let written = match &incoming {
        Incoming::Message(message) => Some(InboundMessage::clone(message)),
        Incoming::Status(_) | Incoming::Nothing(_) => None,
    };
    let accepted = edge.app.pipeline.take(channel, incoming).await?;
    if let Some(message) = written.filter(|_| accepted.is_some_and(|accepted| !accepted.duplicate)) {
        show_seen(edge, channel, message);
    }
    Ok(())
}

/// Shows the customer that a message was seen, beside its turn. Where too many are being shown already, it is left out.
fn show_seen(edge: &Arc<Edge>, channel: &'static str, message: InboundMessage) {
    let Ok(permit) = SEEING.try_acquire() else { return };
    let shown = Arc::clone(edge);
    edge.app.pipeline.parts().tasks.spawn(async move {
        let adapter = shown.app.pipeline.parts().channels.named(channel);
        if let Some(shows) = adapter.and_then(|adapter| adapter.seen(&message)) {
            shows.await;
        }
        drop(permit);
    });
}

fn answered(answer: WebhookAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    (status, [(header::CONTENT_TYPE, answer.content_type)], answer.body).into_response()
}
