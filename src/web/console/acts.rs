//! The console's buttons: one act on one case, then back to its page.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Redirect;

use super::super::Edge;
use super::super::error::ApiError;
use super::sign_in::{SignedIn, form};
use crate::desk::act::{self, ActError, Actor, Assignee, At, Reply};
use crate::desk::approvals::Decision;
use crate::desk::send_again;
use crate::domain::ids::{ApprovalId, DeliveryId};
use crate::domain::role::Right;
use crate::pipeline::Word;

/// Does what the button says.
pub(super) async fn act(
    State(edge): State<Arc<Edge>>,
    signed_in: SignedIn,
    Path((id, act)): Path<(String, String)>,
    request: Request,
) -> Result<Redirect, ApiError> {
    let mut fields = form(&edge, &signed_in, request).await?;
    let decision = Decision::of_act(&act);
    signed_in.demand(if decision.is_some() { Right::Approve } else { Right::Act })?;
    let case = signed_in.case(&edge, &id).await?.case.id.clone();
    let actor = Actor::Agent(signed_in.agent.id.clone());
    if let Some(decision) = decision {
        let approval = fields.remove("approval").and_then(|id| ApprovalId::parse(&id).ok());
        let approval = approval.ok_or_else(|| ApiError::not_found("approval"))?;
        // The form says what it showed, so that nothing else is carried out.
        let shown = Some(fields.remove("hash").unwrap_or_default());
        edge.app.pipeline.decide(Word { case: case.clone(), approval, shown, decision, actor }).await?;
        return Ok(Redirect::to(&format!("/console/cases/{case}")));
    }
    let at = At {
        store: &edge.app.store,
        channels: &edge.app.pipeline.parts().channels,
        clock: &*edge.app.clock,
        actor: &actor,
        case: &case,
    };
    match act.as_str() {
        "reply" => {
            let (text, id) = (words(&edge, fields.remove("text"))?, fields.remove("id"));
            if fields.contains_key("internal") {
                act::note(at, &text).await?;
            } else {
                act::reply(at, Reply { id, text }).await?;
            }
        }
        "take" => drop(act::assign(at, &Assignee::Agent(signed_in.agent.id.clone())).await?),
        "release" => drop(act::assign(at, &Assignee::Queue(None)).await?),
        "resolve" => drop(act::resolve(at).await?),
        "reopen" => drop(act::reopen(at, &edge.app.pipeline.parts().desk).await?),
        "return" => drop(act::give_back(at).await?),
        "send-again" => {
            let id = fields.remove("delivery").and_then(|id| DeliveryId::parse(&id).ok());
            send_again::send_again(at, &id.ok_or(ActError::NoDelivery)?).await?;
        }
        _ => return Err(ApiError::not_found("act")),
    }
    Ok(Redirect::to(&format!("/console/cases/{case}")))
}

fn words(edge: &Edge, text: Option<String>) -> Result<String, ApiError> {
    // Forms send line ends as CR LF, whatever was typed.
    let text = text.unwrap_or_default().replace("\r\n", "\n").replace('\0', "").trim().to_owned();
    let (length, most) = (text.chars().count(), edge.app.config.limits.message_chars_max);
    if text.is_empty() || length > most {
        return Err(ApiError::invalid(format!("write between 1 and {most} characters; this has {length}")));
    }
    Ok(text)
}
