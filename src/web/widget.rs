//! The embeddable chat: its script, its sessions, its messages and its stream.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::error::ApiError;
use super::extract::{Asked, JsonBytes, Peer, bearer};
use super::shapes::MessageBody;
use super::stream::{self, Arrived, Live, Places, Source, chat_cases, in_chat};
use crate::channels::ChannelError;
use crate::channels::web_chat::{self, Session, SessionError};

/// One file for the page that embeds it: the parts are separate only for whoever reads them.
const SCRIPT: &str = concat!(
    "(() => {\n'use strict';\nconst STYLE = `",
    include_str!("widget/style.css"),
    "`;\n",
    include_str!("widget/conversation.js"),
    include_str!("widget/element.js"),
    "})();\n"
);
/// Newest messages of a case that a thread begins with.
const HISTORY_MAX: i64 = 200;

/// The widget's calls, open to this site and to the sites that may embed it.
pub(super) fn router(edge: &Arc<Edge>) -> Router<Arc<Edge>> {
    let calls = Router::new()
        .route("/widget/session", post(begin).options(preflight))
        .route("/widget/messages", get(thread).post(write).options(preflight))
        .route("/widget/stream", get(follow).options(preflight))
        .layer(middleware::from_fn_with_state(edge.clone(), from_allowed_page));
    let compressed = tower_http::compression::CompressionLayer::new();
    Router::new().route("/widget.js", get(script).layer(compressed)).merge(calls)
}

async fn script() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    (headers, SCRIPT)
}

async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn from_allowed_page(State(edge): State<Arc<Edge>>, request: Request, next: Next) -> Response {
    if !edge.origins.may_chat(request.headers()) {
        let message = "this page may not use the chat; add its origin to [server] allowed_origins";
        return ApiError::forbidden(message).into_response();
    }
    let embedding = edge.origins.embedding(request.headers());
    let asks = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if let Some(origin) = embedding {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if asks {
            let methods = HeaderValue::from_static("GET, POST");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let allowed = HeaderValue::from_static("authorization, content-type, last-event-id");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
    }
    response
}

/// The chat session a request comes under.
struct Chatting(Session);

impl axum::extract::FromRequestParts<Arc<Edge>> for Chatting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Arc<Edge>) -> Result<Self, ApiError> {
        let token = bearer(parts).ok_or(ChannelError::Session(SessionError::Missing))?;
        let session = edge.app.sessions.verify(token, edge.app.clock.now()).map_err(ChannelError::Session)?;
        Ok(Self(session))
    }
}

/// Begins a visitor's session, or goes on with the one that the token proves.
async fn begin(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    known: Option<Chatting>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let now = edge.app.clock.now();
    let until = now.plus_ms(edge.app.config.server.chat_session_ms);
    let session = match known {
        // What the operator's site has signed ends when the site has said; a visitor's own is prolonged.
        Some(Chatting(session)) if session.person.is_some() => session,
        Some(Chatting(session)) => Session { expires_at: until, ..session },
        None if headers.contains_key(header::AUTHORIZATION) => {
            return Err(ChannelError::Session(SessionError::Forged).into());
        }
        None => {
            edge.chat_sessions.count(address, now).map_err(|seconds| {
                ApiError::too_many("too many new chats from this address; wait a little", seconds)
            })?;
            Session::begin(edge.app.clock.new_id(), None, until)
        }
    };
    Ok(Json(json!({
        "token": edge.app.sessions.sign(&session),
        "conversation": session.conversation,
        "name": session.person.as_ref().and_then(|person| person.name.as_deref()),
        "expires_at": session.expires_at,
    })))
}

impl axum::extract::OptionalFromRequestParts<Arc<Edge>> for Chatting {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        edge: &Arc<Edge>,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as axum::extract::FromRequestParts<_>>::from_request_parts(parts, edge).await.ok())
    }
}

/// Takes what was written in the widget.
async fn write(
    State(edge): State<Arc<Edge>>,
    Chatting(session): Chatting,
    JsonBytes(body): JsonBytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let message = web_chat::read(&body, &session, edge.bounds).map_err(ChannelError::from)?;
    let accepted = edge.app.pipeline.ingest(message).await?;
    // Nobody may be following.
    _ = edge.arrivals.send(Arrived { conversation: session.conversation.into() });
    let body = json!({
        "message_id": accepted.message,
        "case_id": accepted.case,
        "duplicate": accepted.duplicate,
    });
    Ok((StatusCode::ACCEPTED, Json(body)))
}

/// The thread of this session, oldest first.
async fn thread(State(edge): State<Arc<Edge>>, Chatting(session): Chatting) -> Result<Json<Value>, ApiError> {
    let mut messages = Vec::new();
    for case in chat_cases(&edge, &session).await? {
        let start = (case.message_seq - HISTORY_MAX).max(0);
        messages.extend(edge.app.store.messages(&case.id, start, HISTORY_MAX).await?);
    }
    messages.retain(|message| in_chat(message));
    messages.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    let items: Vec<_> = messages.iter().map(|message| MessageBody::from(&**message)).collect();
    Ok(Json(json!({"items": items, "next": null})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<String>,
}

/// The thread of this session, live.
async fn follow(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    Chatting(session): Chatting,
    Asked(after): Asked<After>,
    headers: HeaderMap,
) -> Result<Live, ApiError> {
    let resumed = headers.get("last-event-id").and_then(|value| value.to_str().ok().map(str::to_owned));
    let places = after.after.or(resumed).and_then(|text| Places::parse(&text));
    stream::open(&edge, address, Source::Chat(Box::new(session)), places)
}
