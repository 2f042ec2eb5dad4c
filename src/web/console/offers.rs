//! The panel of an agent's own presence and of the cases that are offered to them.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde_json::{Value, json};

use super::super::Edge;
use super::super::error::ApiError;
use super::part;
use super::shown::ago;
use super::sign_in::{SignedIn, form};
use crate::desk::act::{Actor, At};
use crate::desk::routing;
use crate::domain::case::Case;
use crate::domain::role::Right;
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
        Presence::Away => Some("Online, you are offered cases."),
    };
    Ok(json!({"status": status.as_str(), "offers": offers, "hint": hint, "heartbeat": settings.heartbeat_ms}))
}

fn offer(edge: &Edge, case: &Case) -> Option<Value> {
    let offer = case.wait.offer.as_ref()?;
    let now = edge.app.clock.now();
    let desk = &edge.app.pipeline.parts().desk;
    let issue = case.issue.as_deref().filter(|issue| !issue.trim().is_empty());
    Some(json!({
        "case": case.id, "issue": issue.unwrap_or("No issue stated yet"), "urgency": case.urgency.as_str(),
        "team": case.team.as_ref().map(|team| desk.team_name(team)), "channel": case.channel.replace('_', " "),
        "waited": ago(now, case.wait.since.unwrap_or(case.updated_at)),
        "due": case.wait.due_at, "because": offer.because, "expires_at": offer.expires_at,
    }))
}

/// The panel alone, for the page that is open to renew.
pub(super) async fn show(State(edge): State<Arc<Edge>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    signed_in.demand(Right::SeeCases)?;
    if !signed_in.may(Right::Act) {
        return Ok(Html(String::new()).into_response());
    }
    let desk = panel(&edge, &signed_in).await?;
    part(&edge, PANEL, &json!({"csrf": signed_in.csrf, "desk": desk}))
}

/// Says whether the agent wants cases offered; without a word, that their page is open.
pub(super) async fn presence(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    signed_in.demand(Right::Act)?;
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
    signed_in.demand(Right::Act)?;
    let case = signed_in.case(&edge, &id).await?.case.id.clone();
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
