//! One's own account: who one is here, the way to password and second factor, and where one is signed in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::accounts;
use super::cookie::{self, Purpose};
use super::frame::frame;
use super::sign_in::{SignedIn, form, lasting};

const PAGE: &str = include_str!("account.html");

/// The page.
pub(super) async fn page(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    let (store, agent) = (&edge.app.store, &signed_in.agent);
    let factor = store.second_factor(&agent.id).await?.and_then(|factor| factor.since);
    let desk = &edge.app.pipeline.parts().desk;
    let teams: Vec<String> = agent.teams.iter().map(|team| desk.team_name(team)).collect();
    let sessions = store.sessions_of(&agent.id, lasting(&edge)).await?;
    let sessions: Vec<Value> = sessions
        .iter()
        .map(|one| {
            json!({
                "id": one.token_hash, "browser": one.browser, "begun_at": one.begun_at, "seen_at": one.seen_at,
                "noted": one.begun_at.0 > 0, "here": one.token_hash == signed_in.session.token_hash,
            })
        })
        .collect();
    let mut context = frame(&edge, &signed_in, ("Your account", "account")).await?;
    context["account"] = json!({
        "role": agent.role.as_str(), "teams": teams.join(", "), "languages": agent.languages.join(", "),
        "password": accounts::has_password(agent), "second_factor": factor, "sessions": sessions,
    });
    super::framed(&edge, PAGE, &context)
}

/// Ends one of one's own sessions, or all but this one.
pub(super) async fn end(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let (store, agent) = (&edge.app.store, &signed_in.agent);
    match fields.remove("session") {
        None => store.end_other_sessions(&agent.id, &signed_in.session.token_hash).await?,
        Some(session) => {
            if !store.end_session_of(&agent.id, &session).await? {
                return Err(ApiError::not_found("session of yours"));
            }
            if session == signed_in.session.token_hash {
                let response = Redirect::to("/console/login").into_response();
                return Ok(cookie::clear(&edge, response, Purpose::Session));
            }
        }
    }
    Ok(Redirect::to("/console/account").into_response())
}
