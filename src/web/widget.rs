//! The embeddable chat: its script, its sessions, its messages and its stream.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Edge;
use super::download;
use super::error::ApiError;
use super::extract::{Asked, JsonBytes, Peer, bearer};
use super::shapes::MessageBody;
use super::stream::{self, Arrived, Live, Places, Source, chat_cases, in_chat, in_order};
use crate::channels::ChannelError;
use crate::channels::customer_token::{self, SignedIn};
use crate::channels::json::Fields;
use crate::channels::web_chat::{self, Session, SessionError};
use crate::domain::ids::AttachmentId;
use crate::pipeline::identity;

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
const CUSTOMER_TOKEN_CHARS_MAX: usize = 8192;

/// The widget's calls, open to this site and to the sites that may embed it.
pub(super) fn router(edge: &Arc<Edge>) -> Router<Arc<Edge>> {
    let calls = Router::new()
        .route("/widget/session", post(begin).options(preflight))
        .route("/widget/messages", get(thread).post(write).options(preflight))
        .route("/widget/stream", get(follow).options(preflight))
        .route("/widget/files/{id}", get(file).options(preflight))
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

/// Begins a visitor's session, or goes on with the one that the token proves, or begins that of a customer whom the
/// operator's site has signed in.
async fn begin(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    known: Option<Chatting>,
    headers: HeaderMap,
    JsonBytes(body): JsonBytes,
) -> Result<Json<Value>, ApiError> {
    let now = edge.app.clock.now();
    if let Some(token) = customer_token(&edge, &headers, &body)? {
        let signed = edge.app.tokens.verify(&token, now);
        let signed = signed.map_err(|error| ApiError::unauthorized(error.to_string()))?;
        return signed_in(&edge, known.map(|known| known.0), signed).await;
    }
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
    Ok(begun(&edge, &session))
}

fn begun(edge: &Edge, session: &Session) -> Json<Value> {
    Json(json!({
        "token": edge.app.sessions.sign(session),
        "conversation": session.conversation,
        "name": session.person.as_ref().and_then(|person| person.name.as_deref()),
        "expires_at": session.expires_at,
    }))
}

/// The token of the operator's site: in the body, or where a session's would be.
fn customer_token(edge: &Edge, headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut fields = Fields::of_body(body, edge.app.config.server.json_depth_max)?;
    let given = fields.text("customer_token", CUSTOMER_TOKEN_CHARS_MAX)?;
    fields.finish()?;
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let in_header =
        header.map(|(_, token)| token.trim()).filter(|token| customer_token::looks_like_one(token));
    Ok(given.or_else(|| in_header.map(str::to_owned)))
}

/// Begins the session of a customer who is signed in on the operator's site. Their thread is the same on all their
/// devices, and another one for every customer. What this browser's visitor wrote before is theirs: one live session
/// proves both ends.
async fn signed_in(
    edge: &Edge,
    before: Option<Session>,
    SignedIn { person, expires_at }: SignedIn,
) -> Result<Json<Value>, ApiError> {
    if let Some(visitor) = before.filter(|session| session.person.is_none()) {
        identity::join_visitor(edge.app.pipeline.parts(), visitor.address(), &person).await?;
    }
    let until = expires_at.min(edge.app.clock.now().plus_ms(edge.app.config.server.chat_session_ms));
    Ok(begun(edge, &Session::begin(edge.app.clock.new_id(), Some(person), until)))
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
    let items: Vec<_> = in_order(messages).iter().map(|message| MessageBody::from(&**message)).collect();
    Ok(Json(json!({"items": items, "next": null})))
}

/// A file of a message that this session sees, to be kept.
async fn file(
    State(edge): State<Arc<Edge>>,
    Chatting(session): Chatting,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let none = || ApiError::not_found("file");
    let id = AttachmentId::parse(&id).map_err(|_| none())?;
    let store = &edge.app.store;
    let found = store.attachment(&id).await?.ok_or_else(none)?;
    let seen = chat_cases(&edge, &session).await?.iter().any(|case| case.id == found.case);
    let message = store.message(&found.message).await?;
    if !seen || !message.is_some_and(|message| in_chat(&message)) {
        return Err(none());
    }
    Ok(download::to_be_kept(found))
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
    // A browser that comes back asks with the address of the first time: what it heard last is newer.
    let places = resumed.or(after.after).and_then(|text| Places::parse(&text));
    stream::open(&edge, address, Source::Chat(Box::new(session)), places)
}
