//! What leaves for others, on a page: what waits, what was taken, what was given up and can be sent again.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::Asked;
use super::frame::frame;
use super::sign_in::{SignedIn, form};
use crate::domain::role::Right;
use crate::store::{NoticeFilter, Page};

const PAGE: &str = include_str!("webhooks.html");
const LISTED_MAX: i64 = 50;
/// How deliveries stand, and how a page says so; the first is shown when nobody asks.
const VIEWS: [(&str, &str); 3] = [("dead", "Given up"), ("pending", "Waiting"), ("done", "Taken")];

#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    state: Option<String>,
    cursor: Option<String>,
}

/// The list.
pub(super) async fn page(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Asked(shown): Asked<Shown>,
) -> Result<Response, ApiError> {
    signed_in.demand(Right::Administer)?;
    let asked = shown.state.as_deref().unwrap_or_default();
    let known = VIEWS.iter().map(|(state, _)| *state).find(|state| *state == asked);
    let state = known.or(VIEWS.first().map(|(state, _)| *state)).unwrap_or_default();
    let filter = NoticeFilter { state: Some(state.to_owned()), target: None };
    let part = Page { cursor: shown.cursor, limit: LISTED_MAX };
    let (notices, next) = edge.app.store.notices(&filter, &part).await?;
    let line = |one: &crate::store::Notice| {
        json!({
            "id": one.id, "target": one.target, "kind": one.kind, "case": one.case, "at": one.at,
            "attempts": one.attempts, "due_at": one.due_at, "reason": one.reason,
        })
    };
    let items: Vec<Value> = notices.iter().map(line).collect();
    let views: Vec<Value> =
        VIEWS.iter().map(|(state, words)| json!({"state": state, "words": words})).collect();
    let mut context = frame(&edge, &signed_in, ("What leaves for others", "webhooks")).await?;
    context["deliveries"] = json!({"state": state, "views": views, "items": items, "next": next});
    super::framed(&edge, PAGE, &context)
}

/// Sends one again that was given up.
pub(super) async fn again(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Redirect, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    signed_in.demand(Right::Administer)?;
    let id = fields.remove("id").ok_or_else(|| ApiError::not_found("delivery"))?;
    if edge.app.store.notice(&id).await?.is_none() {
        return Err(ApiError::not_found("delivery"));
    }
    // Sent again by a second click it is not dead any more, which is what was wanted.
    edge.app.store.tell_again(&id, edge.app.clock.now()).await?;
    Ok(Redirect::to("/console/webhooks?state=pending"))
}
