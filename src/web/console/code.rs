//! The second half of signing in: a one-time code, or a recovery code, after the right password.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::Peer;
use super::super::keys::{hash, random_text};
use super::accounts::Office;
use super::cookie::{self, Purpose};
use super::second_factor;
use super::sign_in::{self, fields};
use crate::domain::team::Agent;
use crate::store::Proof;

const PAGE: &str = include_str!("code.html");
/// How long the second half may take.
const WAITS_MS: i64 = 300_000;
/// How often somebody may be wrong about it before they give the password again.
const TRIES_MAX: i64 = 5;

/// Keeps that the password was right and asks for the second factor. Nobody is signed in yet.
pub(super) async fn wait(edge: &Edge, headers: &HeaderMap, agent: &Agent) -> Result<Response, ApiError> {
    sign_in::end_earlier(edge, headers).await?;
    let (token, now) = (random_text(), edge.app.clock.now());
    edge.app.store.new_half_sign_in(&hash(&token), &agent.id, now, now.plus_ms(WAITS_MS)).await?;
    let response = Redirect::to("/console/login/code").into_response();
    Ok(cookie::set(edge, response, Purpose::Code, &token, WAITS_MS / 1000))
}

/// The form for the code; back to the beginning for whoever has not given a password.
pub(super) async fn page(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = cookie::value(&edge, &headers, Purpose::Code).unwrap_or_default();
    if edge.app.store.half_sign_in(&hash(&token), edge.app.clock.now()).await? {
        return shown(&edge, None);
    }
    Ok(Redirect::to("/console/login").into_response())
}

fn shown(edge: &Edge, wrong: Option<&str>) -> Result<Response, ApiError> {
    let business = &edge.app.config.business.name;
    super::alone(edge, PAGE, &json!({"business": business, "title": "Second factor", "wrong": wrong}))
}

/// Signs in, if the code is right.
pub(super) async fn enter(
    State(edge): State<Arc<Edge>>,
    Peer(address): Peer,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let mut fields = fields(&edge, request).await?;
    let typed = fields.remove("code").unwrap_or_default();
    let again = || {
        let response = Redirect::to("/console/login").into_response();
        cookie::clear(&edge, response, Purpose::Code)
    };
    let Some(token) = cookie::value(&edge, &headers, Purpose::Code) else { return Ok(again()) };
    let (token_hash, now) = (hash(&token), edge.app.clock.now());
    // Counted first, so that tries at once are not more than allowed.
    let waiting = edge.app.store.try_half_sign_in(&token_hash, TRIES_MAX, now).await?;
    let Some(agent) = waiting else { return Ok(again()) };
    sign_in::throttled(&edge, address, &agent.login)?;
    let by = format!("agent:{}", agent.id);
    let office = Office { store: &edge.app.store, clock: &*edge.app.clock, by: &by };
    if !second_factor::proves(office, &agent, &typed).await? {
        let mut response = shown(&edge, Some("That is not the code of this moment, or it was used before."))?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    }
    if !edge.app.store.end_half_sign_in(&token_hash).await? {
        return Ok(again());
    }
    let response = sign_in::begin(&edge, &headers, &agent, Proof::Password).await?;
    Ok(cookie::clear(&edge, response, Purpose::Code))
}
