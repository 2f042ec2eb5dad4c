//! `/channels/{name}/…`: where providers call. The raw body is verified before it is read, and nothing is
//! acknowledged before it is stored.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::sync::Semaphore;

use super::Edge;
use super::error::ApiError;
use super::extract;
use crate::channels::{Incoming, Webhook, WebhookAnswer, voice as phone};
use crate::domain::message::InboundMessage;

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
    let (parts, body) = request.into_parts();
    let most = adapter.body_bytes_max().unwrap_or(edge.app.config.server.body_bytes_max);
    let body = extract::body(&parts.headers, body, most).await?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let webhook = Webhook {
        method: &parts.method,
        path: part("path"),
        url: &format!("{}{target}", edge.app.config.public_base_url()),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
        now: edge.app.clock.now(),
    };
    if let Some(greeting) = adapter.greet(&webhook) {
        return Ok(answered(greeting?));
    }
    adapter.verify(&webhook)?;
    if adapter.name() == phone::NAME {
        // A call waits for its answer, and the answer to each of its requests is what is said next.
        return Ok(answered(voice::answer(&edge, adapter, &webhook).await?));
    }
    // One that cannot be taken does not keep out those behind it; posted again, the others are known already.
    let mut taken = Ok(());
    for incoming in adapter.parse(&webhook)? {
        taken = taken.and(take(&edge, adapter.name(), incoming).await);
    }
    taken?;
    Ok(answered(adapter.acknowledge()))
}

/// Stores one thing that a request brought.
async fn take(edge: &Arc<Edge>, channel: &'static str, incoming: Incoming) -> Result<(), ApiError> {
    let pipeline = &edge.app.pipeline;
    let kind = match incoming {
        Incoming::Message(message) => {
            let seen = message.clone();
            if !pipeline.ingest(*message).await?.duplicate {
                show_seen(edge, channel, *seen);
            }
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
