//! Changing one's own password: the old one is asked for, and every other session ends.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::Peer;
use super::accounts::{self, AccountError, Office, PASSWORD_CHARS_MIN};
use super::sign_in::{self, FIELD_CHARS_MAX, SignedIn, form};
use crate::store::Proof;

const PAGE: &str = include_str!("password.html");

/// The form.
pub(super) async fn page(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    shown(&edge, &signed_in, None)
}

fn shown(edge: &Edge, signed_in: &SignedIn, wrong: Option<&str>) -> Result<Response, ApiError> {
    let context = json!({
        "title": "Change your password", "business": edge.app.config.business.name, "csrf": signed_in.csrf, "theme": signed_in.theme,
        "login": signed_in.agent.login, "wrong": wrong, "least": PASSWORD_CHARS_MIN, "most": FIELD_CHARS_MAX,
    });
    super::alone(edge, PAGE, &context)
}

/// Changes it. This session ends too and goes on as a new one.
pub(super) async fn change(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Peer(address): Peer,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let mut fields = form(&edge, &signed_in, request).await?;
    sign_in::throttled(&edge, address, &signed_in.agent.login)?;
    let mut field =
        |name| fields.remove(name).filter(|text: &String| text.chars().count() <= FIELD_CHARS_MAX);
    let (Some(old), Some(new), Some(again)) = (field("old"), field("new"), field("again")) else {
        return refused(
            &edge,
            &signed_in,
            &format!("Fill every field, with at most {FIELD_CHARS_MAX} characters."),
        );
    };
    if new != again {
        return refused(&edge, &signed_in, "The two new passwords are not the same.");
    }
    let agent = &signed_in.agent;
    let by = format!("agent:{}", agent.id);
    let office = Office { store: &edge.app.store, clock: &*edge.app.clock, by: &by };
    match accounts::change_password(office, agent, old, new).await {
        Ok(()) => sign_in::begin(&edge, &headers, agent, Proof::Password).await,
        Err(AccountError::Store(error)) => Err(error.into()),
        Err(error) => refused(&edge, &signed_in, &error.to_string()),
    }
}

fn refused(edge: &Edge, signed_in: &SignedIn, wrong: &str) -> Result<Response, ApiError> {
    let mut response = shown(edge, signed_in, Some(wrong))?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}
