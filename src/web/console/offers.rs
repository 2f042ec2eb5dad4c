//! The panel of an agent's own presence and of the cases that are offered to them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::super::extract::case_id;
use super::page;
use super::pages::ago;
use super::shown;
use super::sign_in::{SignedIn, form};
use crate::desk::act::{Actor, At};
use crate::desk::routing;
use crate::domain::case::Case;
use crate::domain::routing::Presence;
use crate::store::StoreError;

const PANEL: &str = include_str!("offers.html");

/// What the panel shows of this agent.
pub(super) async fn panel(edge: &Edge, signed_in: &SignedIn) -> Result<Value, StoreError> {
    let store = &edge.app.store;
    let settings = &edge.app.config.routing;
    let heard = store.presence(&signed_in.agent.id).await?;
    // Their page is open, or nobody would see this.
    let status = heard.map_or(Presence::Away, |heard| heard.chosen);
    let mut offers = Vec::new();
    for open in store.open_offers(Some(&signed_in.agent.id)).await? {
        let Some(file) = store.case(&open.case).await? else { continue };
        offers.extend(offer(edge, &file.case));
    }
    let hint = match status {
        Presence::Online => None,
        Presence::Busy => Some("No new case is offered to you."),
        Presence::Away => {
            Some("Go online to be offered the cases that fit you. You may take any case from the list.")
        }
    };
    Ok(json!({"status": status.as_str(), "offers": offers, "hint": hint, "heartbeat": settings.heartbeat_ms}))
}

fn offer(edge: &Edge, case: &Case) -> Option<Value> {
    let offer = case.wait.offer.as_ref()?;
    let now = edge.app.clock.now();
    let shown = shown::case(edge, case);
    Some(json!({
        "case": case.id, "issue": shown["issue"], "urgency": case.urgency.as_str(), "team": shown["team"],
        "channel": shown["channel"], "waited": ago(now, case.wait.since.unwrap_or(case.updated_at)),
        "due": case.wait.due_at, "because": offer.because, "expires_at": offer.expires_at,
    }))
}

/// The panel alone, for the page that is open to renew.
pub(super) async fn show(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    let desk = panel(&edge, &signed_in).await?;
    page(&edge, PANEL, &json!({"csrf": signed_in.csrf, "desk": desk}))
}

/// Says whether the agent wants cases offered; without a word, that their page is open.
pub(super) async fn presence(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let (store, now, agent) = (&edge.app.store, edge.app.clock.now(), &signed_in.agent.id);
    let Some(status) = fields.remove("status") else {
        store.seen(agent, now).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let chosen = Presence::parse(&status)
        .ok_or_else(|| ApiError::invalid("`status` must be online, busy or away; reload the page"))?;
    store.choose_presence(agent, chosen, now).await?;
    if chosen == Presence::Online {
        edge.app.pipeline.route().await;
    }
    Ok(Redirect::to("/console").into_response())
}

/// Accepts what is offered, or lets it pass.
pub(super) async fn answer(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, answer)): Path<(String, String)>,
    request: Request,
) -> Result<Redirect, ApiError> {
    form(&edge, &signed_in, request).await?;
    let case = case_id(&id)?;
    let actor = Actor::Agent(signed_in.agent.id.clone());
    let at = At {
        store: &edge.app.store,
        channels: &edge.app.pipeline.parts().channels,
        clock: &*edge.app.clock,
        actor: &actor,
        case: &case,
    };
    match answer.as_str() {
        "accept" => {
            routing::accept(at).await?;
            Ok(Redirect::to(&format!("/console/cases/{case}")))
        }
        "decline" => {
            routing::decline(at).await?;
            edge.app.pipeline.route().await;
            Ok(Redirect::to("/console"))
        }
        _ => Err(ApiError::not_found("answer to an offer")),
    }
}
